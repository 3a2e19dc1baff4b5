// SPDX-License-Identifier: Apache-2.0
#include "diff.h"

#include "get_inside.h"
#include "id_tree.h"

void diff_fini(struct diff *diff) {
        vec_fini(&diff->extents);
}

static void add_chunk(struct diff *diff, uint64_t at, uint64_t n) {
        struct put_extent *last = diff->extents.n ? &diff->extents.data[diff->extents.n - 1] : NULL;

        diff->bytes += n;
        if (last && last->at + last->n == at)
                last->n += n;
        else
                *vec_add(&diff->extents) = (struct put_extent){at, n};
}

static enum err compare(struct id_walk *one, struct id_walk *other, struct diff *ret, struct err_note *note) {
        const struct id_tree_shape *a = id_walk_shape(one), *b = id_walk_shape(other);
        const struct id_tree_shape *longer = a->size > b->size ? a : b;

        for (uint64_t n = 0;; n++) {
                uint64_t at;

                if (id_walk_differs(one, other, n, &n, note))
                        return note->code;
                if (n >= longer->n_chunks)
                        return ERR_NONE;
                at = n * longer->chunk;
                add_chunk(ret, at, min_u64(longer->chunk, longer->size - at));
        }
}

enum err diff_disks(struct vault *vault, const struct vault_disk *disk, const struct vault_disk *other,
                    struct diff *ret, struct err_note *note) {
        AUTO(get_tree_close) struct get_tree one = {0}, two = {0};
        AUTO(diff_fini) struct diff diff = {0};

        if (disk->chunk != other->chunk)
                return err_set(note, ERR_UNSUPPORTED, "compare disk %s: chunks of %u and of %u bytes",
                               disk->name, disk->chunk, other->chunk);
        if (get_tree_open(vault, disk, &one, note) || get_tree_open(vault, other, &two, note) ||
            compare(one.walk, two.walk, &diff, note))
                return err_wrap(note, "compare disk %s", disk->name);
        *ret = diff;
        diff = (struct diff){0};
        return ERR_NONE;
}
