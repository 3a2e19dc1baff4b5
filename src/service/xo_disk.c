// SPDX-License-Identifier: Apache-2.0
#include "xo_disk.h"

#include "chain_source.h"

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
        ret->source = chain_source(ret->chain);
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
