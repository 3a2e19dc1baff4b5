// SPDX-License-Identifier: Apache-2.0
#include "vault_file.h"

#include "chain_source.h"
#include "text.h"
#include "vhd_create.h"

/* ---- from ---- */

static enum err read_raw(void *user, void *ret, size_t n, uint64_t at, struct err_note *note) {
        const struct vault_source *source = user;

        return io_read(source->file, ret, n, at, note);
}

static enum err next_raw(void *user, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                         struct err_note *note) {
        const struct vault_source *source = user;

        if (io_next_data(source->file, at, ret_start, ret_end, note))
                return note->code;
        *ret_start = min_u64(*ret_start, source->source.size);
        *ret_end = min_u64(*ret_end, source->source.size);
        return ERR_NONE;
}

static enum err open_raw(struct io *io, const char *path, struct vault_source *ret, struct err_note *note) {
        struct io_stat stat;

        if (io_open(io, path, IO_READ, &ret->file, note) || io_stat(ret->file, &stat, note))
                return note->code;
        if (stat.is_directory)
                return err_set(note, ERR_INVALID, "it is a directory");
        ret->source =
                (struct put_source){.size = stat.size, .read = read_raw, .next_data = next_raw, .user = ret};
        return ERR_NONE;
}

static enum err open_vhd(struct io *io, const char *path, struct vault_source *ret, struct err_note *note) {
        images_init(&ret->images, io, &(struct images_options){.is_read_only = true});
        ret->has_images = true;
        if (chain_open(&ret->images, path, CHAIN_READ, &ret->chain, note))
                return note->code;
        ret->source = chain_source(ret->chain);
        return ERR_NONE;
}

enum err vault_source_open(struct io *io, const char *path, struct vault_source *ret, struct err_note *note) {
        bool is_vhd = image_kind_of_path(path) == IMAGE_VHD;

        *ret = (struct vault_source){0};
        if (is_vhd ? open_vhd(io, path, ret, note) : open_raw(io, path, ret, note)) {
                vault_source_fini(ret);
                return err_wrap(note, "read %s", path);
        }
        return ERR_NONE;
}

void vault_source_fini(struct vault_source *source) {
        if (source->chain)
                chain_abandon(TAKE(source->chain));
        if (source->has_images)
                images_fini(&source->images);
        if (source->file)
                io_close(TAKE(source->file));
        source->has_images = false;
}

/* ---- to ---- */

static enum err make_raw(struct io *io, const char *path, struct vault_sink *ret, struct err_note *note) {
        if (io_open(io, path, IO_CREATE, &ret->file, note))
                return note->code;
        return io_truncate(ret->file, ret->size, note);
}

static enum err make_vhd(struct io *io, const char *path, struct vault_sink *ret, struct err_note *note) {
        const struct vhd_create_options options = {.type = VHD_DYNAMIC, .size = ret->size};

        if (vhd_create(io, path, &options, NULL, note))
                return note->code;
        images_init(&ret->images, io, NULL);
        ret->has_images = true;
        return chain_open(&ret->images, path, CHAIN_WRITE, &ret->chain, note);
}

static enum err open_device(struct io *io, const char *path, struct vault_sink *ret, struct err_note *note) {
        struct io_stat stat;

        ret->is_device = true;
        if (io_open(io, path, IO_WRITE, &ret->file, note) || io_stat(ret->file, &stat, note))
                return note->code;
        if (stat.size < ret->size)
                return err_set(note, ERR_NO_SPACE, "the device has %s, the disk %s", text_size(stat.size).s,
                               text_size(ret->size).s);
        return ERR_NONE;
}

static bool is_device(struct io *io, const char *path) {
        struct err_note unused;
        struct io_stat stat;

        return io_stat_path(io, path, &stat, &unused) == ERR_NONE && stat.is_block_device;
}

static enum err make_file(struct io *io, const char *path, enum image_kind kind, struct vault_sink *ret,
                          struct err_note *note) {
        if (new_file_begin(io, path, NEW_FILE_REPLACE, &ret->made, note))
                return note->code;
        return kind == IMAGE_VHD ? make_vhd(io, ret->made.temporary, ret, note)
                                 : make_raw(io, ret->made.temporary, ret, note);
}

enum err vault_sink_open(struct io *io, const char *path, enum image_kind kind, uint64_t size,
                         struct vault_sink *ret, struct err_note *note) {
        *ret = (struct vault_sink){.size = size};
        if (kind == IMAGE_RAW && is_device(io, path) ? open_device(io, path, ret, note)
                                                     : make_file(io, path, kind, ret, note)) {
                vault_sink_fini(ret);
                return err_wrap(note, "write %s", path);
        }
        return ERR_NONE;
}

enum err vault_sink_write(void *user, const void *data, size_t n, uint64_t at, struct err_note *note) {
        struct vault_sink *sink = user;

        return sink->chain ? chain_write(sink->chain, data, n, at, note)
                           : io_write(sink->file, data, n, at, note);
}

enum err vault_sink_zero(void *user, uint64_t n, uint64_t at, struct err_note *note) {
        struct vault_sink *sink = user;

        return sink->is_device ? image_zero_file(sink->file, n, at, note) : ERR_NONE;
}

enum err vault_sink_commit(struct vault_sink *sink, struct err_note *note) {
        if (sink->chain && chain_close(TAKE(sink->chain), note))
                return note->code;
        if (sink->file && io_sync(sink->file, note))
                return note->code;
        return sink->is_device ? ERR_NONE : new_file_commit(&sink->made, note);
}

void vault_sink_fini(struct vault_sink *sink) {
        if (sink->chain)
                chain_abandon(TAKE(sink->chain));
        if (sink->has_images)
                images_fini(&sink->images);
        if (sink->file)
                io_close(TAKE(sink->file));
        sink->has_images = false;
        new_file_fini(&sink->made);
}
