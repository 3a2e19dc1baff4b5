// SPDX-License-Identifier: Apache-2.0
#include "convert_source.h"

enum { PAGE = 4096 };

enum err convert_source_open(struct io *io, const char *path, bool is_direct, struct convert_source *ret,
                             struct err_note *note) {
        AUTO(io_close) struct io_file *plain = NULL, *direct = NULL;
        struct io_stat stat;

        if (io_open(io, path, IO_READ, &plain, note) || io_stat(plain, &stat, note) ||
            (is_direct && io_open(io, path, IO_READ | IO_DIRECT, &direct, note)))
                return note->code;
        if (stat.is_directory)
                return err_set(note, ERR_INVALID, "%s is a directory", path);
        /* Other readers may be there, writers not; the lock is held until the copy is done. */
        if (io_lock(plain, IO_SHARED, note))
                return note->code;
        *ret = (struct convert_source){.plain = TAKE(plain),
                                       .direct = TAKE(direct),
                                       .raw_size = stat.size,
                                       .size = round_up(stat.size, SECTOR)};
        return ERR_NONE;
}

void convert_source_of_chain(struct chain *chain, struct convert_source *ret) {
        *ret = (struct convert_source){.chain = chain, .size = chain_size(chain)};
}

void convert_source_fini(struct convert_source *source) {
        if (source->plain)
                io_close(source->plain);
        if (source->direct)
                io_close(source->direct);
        *source = (struct convert_source){0};
}

/* ---- holes of the file system ---- */

static enum err next_data(struct convert_source *source, struct io_file *file, uint64_t at,
                          uint64_t *ret_start, uint64_t *ret_end, struct err_note *note) {
        if (source->seen.file != file || at < source->seen.hole_start || at >= source->seen.data_end) {
                uint64_t start = 0, end = 0;

                if (io_next_data(file, at, &start, &end, note))
                        return note->code;
                source->seen.file = file;
                source->seen.hole_start = at;
                source->seen.data_start = start;
                source->seen.data_end = end;
        }
        *ret_start = max_u64(source->seen.data_start, at);
        *ret_end = source->seen.data_end;
        return ERR_NONE;
}

static void add_piece(struct convert_pieces *pieces, uint32_t at, uint32_t n, struct io_file *file,
                      uint64_t file_at) {
        struct convert_piece *last = pieces->list.n ? &pieces->list.data[pieces->list.n - 1] : NULL;

        if (last && last->file == file && last->at + last->n == at && last->file_at + last->n == file_at) {
                last->n += n;
                return;
        }
        *vec_add(&pieces->list) = (struct convert_piece){at, n, file, file_at};
}

/* [file_at, file_at + n) of file stands at `at` of the block: adds what of it is data. */
static enum err add_data(struct convert_source *source, uint32_t at, uint32_t n, struct io_file *file,
                         uint64_t file_at, struct convert_pieces *ret, struct err_note *note) {
        uint64_t place = file_at, end = file_at + n;

        while (place < end) {
                uint64_t start = 0, stop = 0;

                if (next_data(source, file, place, &start, &stop, note))
                        return note->code;
                if (start >= end || stop <= start)
                        return ERR_NONE;
                stop = min_u64(stop, end);
                add_piece(ret, at + (uint32_t)(start - file_at), (uint32_t)(stop - start), file, start);
                place = stop;
        }
        return ERR_NONE;
}

/* ---- raw ---- */

/* Past the page cache only whole pages can be read: what is left of the last one is read through it. */
static void split_for_direct(struct convert_source *source, uint64_t start, uint64_t end, uint64_t block_at,
                             struct convert_pieces *ret) {
        uint64_t whole_end;

        start = round_down(start, PAGE);
        end = min_u64(round_up(end, PAGE), source->raw_size);
        whole_end = round_down(end, PAGE);
        if (whole_end > start)
                add_piece(ret, (uint32_t)(start - block_at), (uint32_t)(whole_end - start), source->direct,
                          start);
        if (end > whole_end)
                add_piece(ret, (uint32_t)(max_u64(whole_end, start) - block_at),
                          (uint32_t)(end - max_u64(whole_end, start)), source->plain,
                          max_u64(whole_end, start));
}

static enum err raw_pieces(struct convert_source *source, uint64_t at, uint64_t n, struct convert_pieces *ret,
                           struct err_note *note) {
        uint64_t place = at, end = min_u64(at + n, source->raw_size);

        if (!source->direct)
                return add_data(source, 0, (uint32_t)(end - at), source->plain, at, ret, note);
        while (place < end) {
                uint64_t start = 0, stop = 0;

                if (next_data(source, source->plain, place, &start, &stop, note))
                        return note->code;
                if (start >= end || stop <= start)
                        return ERR_NONE;
                place = min_u64(round_up(min_u64(stop, end), PAGE), end);
                split_for_direct(source, start, place, at, ret);
        }
        return ERR_NONE;
}

/* ---- chains ---- */

static enum err chain_pieces(struct convert_source *source, uint64_t at, uint64_t n,
                             struct convert_pieces *ret, struct err_note *note) {
        uint64_t place = at;

        while (place < at + n) {
                struct chain_segment segment;

                if (chain_segment_at(source->chain, place, at + n - place, &segment, note))
                        return note->code;
                if (segment.file && add_data(source, (uint32_t)(place - at), (uint32_t)segment.n,
                                             segment.file, segment.file_at, ret, note))
                        return note->code;
                place += segment.n;
        }
        return ERR_NONE;
}

/* ---- both ---- */

enum err convert_source_next(struct convert_source *source, uint64_t block, uint64_t *ret,
                             struct err_note *note) {
        uint64_t n = div_up(source->size, IMAGE_BLOCK_SIZE);
        uint64_t start = 0, end = 0;

        *ret = UINT64_MAX;
        if (block >= n)
                return ERR_NONE;
        if (source->chain) {
                for (; block < n && *ret == UINT64_MAX; block++)
                        if (chain_block_is_held(source->chain, NULL, block))
                                *ret = block;
                return ERR_NONE;
        }
        if (block * IMAGE_BLOCK_SIZE >= source->raw_size)
                return ERR_NONE;
        if (next_data(source, source->plain, block * IMAGE_BLOCK_SIZE, &start, &end, note))
                return note->code;
        if (start < source->raw_size)
                *ret = start / IMAGE_BLOCK_SIZE;
        return ERR_NONE;
}

enum err convert_source_pieces(struct convert_source *source, uint64_t block, struct convert_pieces *ret,
                               struct err_note *note) {
        uint64_t at = block * IMAGE_BLOCK_SIZE, n = min_u64(IMAGE_BLOCK_SIZE, source->size - at);

        ret->list.n = 0;
        return source->chain ? chain_pieces(source, at, n, ret, note) : raw_pieces(source, at, n, ret, note);
}

static enum err held_by_chain(struct convert_source *source, uint64_t *ret, struct err_note *note) {
        uint64_t held = 0, allocated = 0, n = div_up(source->size, IMAGE_BLOCK_SIZE);

        for (uint64_t block = 0; block < n; block++)
                held += chain_block_is_held(source->chain, NULL, block) ? IMAGE_BLOCK_SIZE : 0;
        for (unsigned i = 0; i < chain_depth(source->chain); i++) {
                struct io_stat stat;

                if (io_stat(chain_layer(source->chain, i)->file, &stat, note))
                        return note->code;
                allocated += stat.allocated;
        }
        *ret = min_u64(held, allocated);
        return ERR_NONE;
}

enum err convert_source_data(struct convert_source *source, uint64_t *ret, struct err_note *note) {
        uint64_t at = 0, sum = 0;

        if (source->chain)
                return held_by_chain(source, ret, note);
        while (at < source->raw_size) {
                uint64_t start = 0, end = 0;

                if (io_next_data(source->plain, at, &start, &end, note))
                        return note->code;
                if (end <= start)
                        break;
                sum += end - start;
                at = end;
        }
        *ret = sum;
        return ERR_NONE;
}
