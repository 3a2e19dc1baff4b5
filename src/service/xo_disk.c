// SPDX-License-Identifier: Apache-2.0
#include "xo_disk.h"

static enum err read_chain(void *user, void *ret, size_t n, uint64_t at, struct err_note *note) {
        const struct xo_disk *disk = user;

        return chain_read(disk->chain, ret, n, at, note);
}

static enum err next_data(void *user, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                          struct err_note *note) {
        const struct xo_disk *disk = user;
        uint64_t size = disk->source.size;
        struct extent run;

        *ret_start = *ret_end = size;
        for (; at < size; at = run.at + run.n) {
                if (chain_extent_at(disk->chain, NULL, at, size - at, &run, note))
                        return note->code;
                if (run.kind == EXTENT_DATA) {
                        *ret_start = run.at;
                        *ret_end = run.at + run.n;
                        break;
                }
        }
        return ERR_NONE;
}

/* What lies above its parent. */
static enum err list_changed(struct xo_disk *disk, struct images *images, struct err_note *note) {
        AUTO(chain_abandon) struct chain *base = NULL;
        uint64_t size = disk->source.size;
        struct extent run;

        if (chain_open(images, chain_layer(disk->chain, 1)->path, CHAIN_READ, &base, note))
                return note->code;
        for (uint64_t at = 0; at < size; at = run.at + run.n) {
                if (chain_extent_at(disk->chain, base, at, size - at, &run, note))
                        return note->code;
                if (run.kind == EXTENT_DATA)
                        *vec_add(&disk->changed) = (struct put_extent){run.at, run.n};
        }
        return ERR_NONE;
}

enum err xo_disk_open(struct images *images, const char *path, struct xo_disk *ret, struct err_note *note) {
        const struct image *top;

        *ret = (struct xo_disk){0};
        if (chain_open(images, path, CHAIN_READ, &ret->chain, note))
                return err_wrap(note, "read %s", path);
        top = chain_layer(ret->chain, 0);
        ret->uuid = top->uuid;
        ret->source = (struct put_source){
                .size = chain_size(ret->chain), .read = read_chain, .next_data = next_data, .user = ret};
        if (!top->has_parent)
                return ERR_NONE;
        ret->parent = top->parent_uuid;
        if (list_changed(ret, images, note)) {
                xo_disk_fini(ret);
                return err_wrap(note, "read %s", path);
        }
        return ERR_NONE;
}

void xo_disk_fini(struct xo_disk *disk) {
        if (disk->chain)
                chain_abandon(TAKE(disk->chain));
        vec_fini(&disk->changed);
}
