// SPDX-License-Identifier: Apache-2.0
#include "overlay_source.h"

static enum err parent_uuid_of(struct io *io, const char *path, struct uuid *ret, struct err_note *note) {
        struct images images;
        struct image *image = NULL;
        enum err failed;

        images_init(&images, io, &(struct images_options){.is_read_only = true});
        failed = images_open(&images, path, IMAGE_VHD, false, &image, note);
        if (!failed) {
                *ret = image->has_parent ? image->parent_uuid : (struct uuid){0};
                image_unref(image);
        }
        images_fini(&images);
        return failed;
}

/* The disk whose image that VHD names as its parent. */
static enum err find_below(struct io *io, const struct vault_manifest *parent, const char *path,
                           const struct vault_disk **ret, struct err_note *note) {
        struct uuid uuid;

        if (parent_uuid_of(io, path, &uuid, note))
                return note->code;
        VEC_EACH (&parent->disks, disk) {
                const struct uuid of_disk = point_image_uuid(disk);

                if (uuid_equal(&uuid, &of_disk)) {
                        *ret = disk;
                        break;
                }
        }
        return ERR_NONE;
}

static enum err read_chain(void *user, void *ret, size_t n, uint64_t at, struct err_note *note) {
        const struct overlay_source *source = user;

        return chain_read(source->chain, ret, n, at, note);
}

static enum err list_changed(struct overlay_source *source, struct err_note *note) {
        uint64_t size = source->source.size;
        struct extent run;

        for (uint64_t at = 0; at < size; at = run.at + run.n) {
                if (chain_extent_at(source->chain, source->base, at, round_up(size, SECTOR) - at, &run, note))
                        return note->code;
                if (run.kind == EXTENT_DATA)
                        *vec_add(&source->changed) =
                                (struct put_extent){run.at, min_u64(run.n, size - run.at)};
        }
        return ERR_NONE;
}

static enum err open_below(struct overlay_source *source, struct vault *vault, struct io *io,
                           const struct vault_manifest *parent, const char *path, struct err_note *note) {
        struct images *images = &source->overlay.images;

        if (vault_overlay_open(vault, io, parent, &source->overlay, note) ||
            chain_open(images, path, CHAIN_READ, &source->chain, note) ||
            chain_open(images, point_image_name(source->below).s, CHAIN_READ, &source->base, note))
                return note->code;
        source->source = (struct put_source){.size = source->below->size, .read = read_chain, .user = source};
        /* One that was made larger; else it ends where the disk does, be that within a sector. */
        if (chain_size(source->chain) > chain_size(source->base))
                source->source.size = chain_size(source->chain);
        return list_changed(source, note);
}

enum err overlay_source_open(struct vault *vault, struct io *io, const struct vault_manifest *parent,
                             const char *path, struct overlay_source *ret, struct err_note *note) {
        *ret = (struct overlay_source){0};
        if (find_below(io, parent, path, &ret->below, note))
                return err_wrap(note, "read %s", path);
        if (ret->below && open_below(ret, vault, io, parent, path, note)) {
                overlay_source_fini(ret);
                return err_wrap(note, "read %s", path);
        }
        return ERR_NONE;
}

void overlay_source_fini(struct overlay_source *source) {
        if (source->chain)
                chain_abandon(TAKE(source->chain));
        if (source->base)
                chain_abandon(TAKE(source->base));
        vault_overlay_fini(&source->overlay);
        vec_fini(&source->changed);
}
