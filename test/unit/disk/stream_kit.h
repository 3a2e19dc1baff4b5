// SPDX-License-Identifier: Apache-2.0
/* What the tests of streams share: a machine with small disks, streams as bytes in memory.
 *
 * Threads: the test's.
 */
#ifndef TEST_UNIT_DISK_STREAM_KIT_H
#define TEST_UNIT_DISK_STREAM_KIT_H

#include "check.h"

#include "buf.h"
#include "chain.h"
#include "fixture.h"
#include "io_sim.h"
#include "mem.h"
#include "stream.h"

#define BLOCK ((uint64_t)2 * MIB)

struct world {
        struct io *io; /* owned */
        struct images images;
};

UNUSED static void world_init(struct world *w, uint64_t seed) {
        const struct images_options options = {.growth_bytes = 8 * MIB, .owners_cache_bytes = 1 * MIB};

        w->io = io_sim_new(seed, 0);
        images_init(&w->images, w->io, &options);
}

UNUSED static void world_fini(struct world *w) {
        images_fini(&w->images);
        assert_int_equal(io_sim_open_files(w->io), 0);
        io_free(w->io);
}

UNUSED static struct chain *kit_open(struct world *w, const char *path, enum chain_mode mode) {
        struct chain *chain;
        struct err_note note;

        assert_ok(chain_open(&w->images, path, mode, &chain, &note));
        return chain;
}

UNUSED static void kit_close(struct chain *chain) {
        struct err_note note;

        assert_ok(chain_close(chain, &note));
}

/* n random changes: data, sub-sector pieces, zeros over data, trims. */
UNUSED static void kit_change(struct world *w, const char *path, struct fixture_dice *dice, int n) {
        struct chain *chain = kit_open(w, path, CHAIN_WRITE);
        uint64_t size = chain_size(chain);
        struct err_note note;

        for (int i = 0; i < n; i++) {
                uint64_t at = fixture_roll(dice, size);
                uint64_t m = 1 + fixture_roll(dice, fixture_roll(dice, 6) ? 200000 : 3 * BLOCK);
                uint64_t kind = fixture_roll(dice, 10);

                if (fixture_roll(dice, 4))
                        at = round_down(at, 4096);
                if (fixture_roll(dice, 5) == 0)
                        at = round_down(at, BLOCK);
                m = min_u64(m, size - at);
                if (kind < 6) {
                        AUTO_FREE uint8_t *data = mem_zero(m);

                        for (uint64_t b = 0; b < m; b++)
                                data[b] = (uint8_t)(b * 7 + b / 512 + kind + (uint64_t)i);
                        assert_ok(chain_write(chain, data, m, at, &note));
                } else if (kind < 8) {
                        assert_ok(chain_write_zeroes(chain, m, at, &note));
                } else {
                        assert_ok(chain_trim(chain, m, at, &note));
                }
        }
        kit_close(chain);
}

UNUSED static struct buf kit_read(struct world *w, const char *path) {
        struct chain *chain = kit_open(w, path, CHAIN_READ);
        struct buf bytes = {0};
        struct err_note note;

        (void)buf_extend(&bytes, chain_size(chain));
        assert_ok(chain_read(chain, bytes.data, bytes.n, 0, &note));
        kit_close(chain);
        return bytes;
}

UNUSED static void assert_same(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n) {
        assert_int_equal(a_n, b_n);
        if (memcmp(a, b, a_n) == 0)
                return;
        for (size_t i = 0; i < a_n; i++)
                if (a[i] != b[i]) {
                        print_error("byte %zu: %u, not %u\n", i, a[i], b[i]);
                        fail();
                }
}

UNUSED static void assert_reads_as(struct world *w, const char *path, const struct buf *want) {
        AUTO(buf_fini) struct buf got = kit_read(w, path);

        assert_same(got.data, got.n, want->data, want->n);
}

/* The whole stream, pulled by pieces. */
UNUSED static struct buf kit_pull(struct chain *chain, const struct stream_source_options *options,
                                  size_t piece) {
        AUTO(stream_source_free) struct stream_source *source = NULL;
        AUTO_FREE uint8_t *data = mem_zero(piece);
        struct buf bytes = {0};
        struct err_note note;
        size_t n;

        assert_ok(stream_source_new(chain, options, &source, &note));
        do {
                assert_ok(stream_source_pull(source, data, piece, &n, &note));
                buf_add(&bytes, data, n);
        } while (n == piece);
        assert_int_equal(bytes.n, stream_source_length(source));
        assert_int_equal(bytes.n, stream_source_at(source));
        return bytes;
}

/* As a writer to a file does it: holes are skipped. */
UNUSED static struct buf kit_peek(struct chain *chain, const struct stream_source_options *options,
                                  uint64_t *ret_holes) {
        AUTO(stream_source_free) struct stream_source *source = NULL;
        struct buf bytes = {0};
        struct err_note note;

        assert_ok(stream_source_new(chain, options, &source, &note));
        *ret_holes = 0;
        for (;;) {
                uint64_t hole = stream_source_hole(source);
                const void *data;
                size_t n;

                if (hole > 0) {
                        (void)buf_extend(&bytes, hole);
                        stream_source_skip(source, hole);
                        *ret_holes += hole;
                        continue;
                }
                assert_ok(stream_source_peek(source, &data, &n, &note));
                if (n == 0)
                        break;
                buf_add(&bytes, data, n);
                stream_source_skip(source, n);
        }
        assert_int_equal(bytes.n, stream_source_length(source));
        return bytes;
}

static const struct uuid kit_uuid = {{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16}};

UNUSED static struct buf kit_export(struct world *w, const char *path, const char *base_path,
                                    enum stream_format format) {
        struct chain *chain = kit_open(w, path, CHAIN_READ);
        struct chain *base = base_path ? kit_open(w, base_path, CHAIN_READ) : NULL;
        struct stream_source_options options = {.format = format,
                                                .base = base,
                                                .uuid = kit_uuid,
                                                .parent_uuid = {{9, 9}},
                                                .parent_name = "base.vhd"};
        struct buf bytes = kit_pull(chain, &options, 1 * MIB);

        if (base)
                kit_close(base);
        kit_close(chain);
        return bytes;
}

UNUSED static void kit_put_file(struct world *w, const char *path, const struct buf *bytes) {
        struct io_file *file;
        struct err_note note;

        assert_ok(io_open(w->io, path, IO_CREATE, &file, &note));
        assert_ok(io_write(file, bytes->data, bytes->n, 0, &note));
        io_close(file);
}

/* The receiver: makes the disk, or opens the one that is there. */
struct taker {
        struct world *w;  /* borrowed */
        const char *path; /* borrowed */
        bool is_there;
        uint64_t size;       /* of the disk to make; 0: as the stream says */
        struct chain *chain; /* owned, once begun */
        struct stream_head head;
        int n_begun;
};

UNUSED static enum err taker_begin(void *user, const struct stream_head *head, struct chain **ret,
                                   struct err_note *note) {
        struct taker *taker = user;
        uint64_t size = taker->size ? taker->size : head->size;

        taker->n_begun++;
        taker->head = *head;
        if (size == UINT64_MAX || size > 64 * GIB)
                return err_set(note, ERR_TOO_LARGE, "no such disk here");
        if (!taker->is_there && fixture_vhd(taker->w->io, taker->path, size, NULL, note))
                return note->code;
        taker->is_there = true;
        if (chain_open(&taker->w->images, taker->path, CHAIN_WRITE, &taker->chain, note))
                return note->code;
        *ret = taker->chain;
        return ERR_NONE;
}

/* Pushes all, by pieces, and ends; closes the disk where that went well, else abandons it. */
UNUSED static enum err kit_import(struct taker *taker, enum stream_format format, uint64_t total,
                                  const void *data, size_t n, size_t piece, struct err_note *note) {
        AUTO(stream_sink_free) struct stream_sink *sink = NULL;
        enum err e = stream_sink_new(format, total, taker_begin, taker, &sink, note);

        for (size_t at = 0; at < n && !e; at += piece)
                e = stream_sink_push(sink, (const uint8_t *)data + at, piece < n - at ? piece : n - at, note);
        if (!e)
                e = stream_sink_end(sink, note);
        taker->head = *stream_sink_head(sink);
        if (taker->chain && !e)
                e = chain_close(taker->chain, note);
        else if (taker->chain)
                chain_abandon(taker->chain);
        taker->chain = NULL;
        return e;
}

#endif
