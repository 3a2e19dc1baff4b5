// SPDX-License-Identifier: Apache-2.0
#include "vault_overlay.h"

#include "point_io.h"

static enum err add_all(struct vault_overlay *overlay, struct vault *vault,
                        const struct vault_manifest *manifest, struct err_note *note) {
        VEC_EACH (&manifest->disks, disk) {
                struct image *image;
                struct io_stat unused;

                /* Of two with the same content one is enough. */
                if (io_stat_path(overlay->io, point_image_name(disk).s, &unused, note) == ERR_NONE)
                        continue;
                if (point_image_open(vault, disk, &overlay->images, &image, note))
                        return note->code;
                *vec_add(&overlay->points) = image;
        }
        return ERR_NONE;
}

enum err vault_overlay_open(struct vault *vault, struct io *io, const struct vault_manifest *manifest,
                            struct vault_overlay *ret, struct err_note *note) {
        ret->io = point_io_new(io);
        images_init(&ret->images, ret->io, NULL);
        if (add_all(ret, vault, manifest, note)) {
                vault_overlay_fini(ret);
                return note->code;
        }
        return ERR_NONE;
}

/* Its own parent, and not another disk of the point. */
static enum err check_below(const struct chain *chain, const char *path, const struct vault_disk *disk,
                            struct err_note *note) {
        const struct image *bottom = chain_layer(chain, chain_depth(chain) - 1);
        const struct uuid uuid = point_image_uuid(disk);

        if (chain_depth(chain) > 1 && uuid_equal(&bottom->uuid, &uuid))
                return ERR_NONE;
        return err_set(note, ERR_MISMATCH, "%s lies over another disk than %s", path, disk->name);
}

enum err vault_overlay_chain(struct vault_overlay *overlay, const char *path, const struct vault_disk *disk,
                             struct chain **ret, struct err_note *note) {
        AUTO(chain_abandon) struct chain *chain = NULL;
        struct io_stat stat;
        enum err failed = io_stat_path(overlay->io, path, &stat, note);

        if (failed == ERR_NOT_FOUND)
                failed = point_image_make_overlay(overlay->io, path, disk, note);
        if (failed || chain_open(&overlay->images, path, CHAIN_WRITE, &chain, note))
                return err_wrap(note, "write over disk %s", disk->name);
        if (check_below(chain, path, disk, note))
                return note->code;
        *ret = TAKE(chain);
        return ERR_NONE;
}

void vault_overlay_fini(struct vault_overlay *overlay) {
        VEC_EACH (&overlay->points, each)
                image_unref(*each);
        vec_fini(&overlay->points);
        if (overlay->io) {
                images_fini(&overlay->images);
                io_free(overlay->io);
        }
        overlay->io = NULL;
}
