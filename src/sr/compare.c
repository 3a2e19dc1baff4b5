// SPDX-License-Identifier: Apache-2.0
#include "compare.h"

#include "coalesce.h"

static enum err open_member(struct sr *sr, const struct uuid *uuid, struct chain **ret,
                            struct err_note *note) {
        const struct vdi *vdi;

        if (coalesce_make_way(sr, uuid, "compare", note))
                return note->code;
        vdi = sr_get_vdi(sr, uuid);
        if (!vdi || !vdi->has_data)
                return err_set(note, ERR_NOT_FOUND, "VDI %s has no data", uuid_format(uuid).s);
        if (vdi->node->error.code) {
                *note = vdi->node->error;
                return note->code;
        }
        return sr_open_layers(sr, vdi, CHAIN_READ, ret, note);
}

enum err compare_open(struct sr *sr, const struct uuid *older, const struct uuid *newer, struct compare *ret,
                      struct err_note *note) {
        AUTO(compare_close) struct compare compare = {.sr = sr, .from = *older};

        if (open_member(sr, older, &compare.older, note) || open_member(sr, newer, &compare.newer, note))
                return note->code;
        *ret = compare;
        compare = (struct compare){0};
        return ERR_NONE;
}

static enum err mark_difference(struct chain *newer, struct chain *older, struct change_log *log,
                                struct err_note *note) {
        uint64_t size = chain_size(newer);
        struct extent extent;

        for (uint64_t at = 0; at < size; at += extent.n) {
                if (chain_extent_at(newer, older, at, size - at, &extent, note))
                        return note->code;
                if (extent.kind == EXTENT_DATA)
                        cbt_bitmap_mark(log->bits, size, extent.at, extent.n);
        }
        /* What was not there before is new, whatever it reads as. */
        if (chain_size(older) < size)
                cbt_bitmap_mark(log->bits, size, chain_size(older), size - chain_size(older));
        return ERR_NONE;
}

enum err compare_read(const struct compare *compare, struct change_log *ret, struct err_note *note) {
        AUTO(change_log_fini) struct change_log log = {0};

        if (change_log_init(&log, chain_size(compare->newer), note) ||
            mark_difference(compare->newer, compare->older, &log, note))
                return note->code;
        log.head.parent = compare->from;
        *ret = log;
        log = (struct change_log){0};
        return ERR_NONE;
}

/* Whatever closing says, nothing was to be written. */
void compare_close(struct compare *compare) {
        struct err_note unused;

        if (compare->newer)
                (void)!sr_close_chain(compare->sr, TAKE(compare->newer), &unused);
        if (compare->older)
                (void)!sr_close_chain(compare->sr, TAKE(compare->older), &unused);
}

enum err compare_layers(struct sr *sr, const struct uuid *older, const struct uuid *newer,
                        struct change_log *ret, struct err_note *note) {
        AUTO(compare_close) struct compare compare = {0};

        if (compare_open(sr, older, newer, &compare, note))
                return note->code;
        return compare_read(&compare, ret, note);
}
