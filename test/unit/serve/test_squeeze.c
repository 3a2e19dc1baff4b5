// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "buf.h"
#include "http1_chunks.h"
#include "mem.h"
#include "squeeze.h"

enum { BODY = 5 * 1024 * 1024 + 77, PIECE = 700000 };

struct body {
        struct part part;
        uint64_t changed_at; /* from now on this byte is another */
        unsigned n_reads;
};

static uint8_t byte_at(const struct body *body, uint64_t i) {
        return (uint8_t)((i / 1000 % 2 ? i * 2654435761 >> 13 : 7) + (i == body->changed_at ? 1 : 0));
}

static enum err body_read(void *user, struct part *part, uint64_t at, const uint8_t **ret, size_t *ret_n,
                          struct err_note *note) {
        struct body *body = user;

        (void)note;
        assert_true(at < BODY);
        *ret_n = (size_t)min_u64(PIECE - at % PIECE, BODY - at);
        for (size_t i = 0; i < *ret_n; i++)
                part->memory[100 + i] = byte_at(body, at + i);
        *ret = part->memory + 100;
        body->n_reads++;
        return ERR_NONE;
}

static struct squeeze *begin(struct body *body, enum pack_kind kind, bool is_chunked) {
        const struct squeeze_options options = {
                .kind = kind, .is_chunked = is_chunked, .length = BODY, .read = body_read, .user = body};

        *body = (struct body){.part.memory = mem_aligned(4096, PART_SIZE), .changed_at = UINT64_MAX};
        return squeeze_new(&options);
}

static struct buf read_all(struct body *body, struct squeeze *squeeze) {
        struct err_note note = {0};
        struct buf all = {0};
        const uint8_t *data;
        size_t n;

        while (all.n < squeeze_length(squeeze)) {
                assert_ok(squeeze_read(squeeze, &body->part, all.n, &data, &n, &note));
                buf_add(&all, data, n);
        }
        return all;
}

static struct buf without_chunks(const struct buf *all) {
        struct http1_chunks chunks = {0};
        struct err_note note = {0};
        struct buf data = {0};
        size_t n;

        for (size_t at = 0; !chunks.is_whole; at += n) {
                assert_ok(http1_chunks_frame(&chunks, (struct span){all->data + at, all->n - at}, &n, &note));
                at += n;
                n = (size_t)chunks.left;
                buf_add(&data, all->data + at, n);
                http1_chunks_skip(&chunks, n);
                if (chunks.is_whole)
                        assert_int_equal(at, all->n);
        }
        return data;
}

static void assert_is_body(const struct body *body, enum pack_kind kind, const struct buf *packed) {
        AUTO(unpack_free) struct unpack *unpack = NULL;
        AUTO_FREE uint8_t *got = mem_zero(BODY + 1);
        struct span data = {packed->data, packed->n};
        struct err_note note = {0};
        size_t n;

        assert_ok(unpack_new(kind, &unpack, &note));
        assert_ok(unpack_some(unpack, &data, got, BODY + 1, &n, &note));
        assert_true(unpack_is_at_end(unpack));
        assert_int_equal(n, BODY);
        for (size_t i = 0; i < n; i++)
                if (got[i] != byte_at(body, i))
                        fail();
}

static void what_goes_out_is_the_body_compressed(void **state) {
        (void)state;
        for (unsigned i = 0; i < 4; i++) {
                enum pack_kind kind = i % 2 ? PACK_ZSTD : PACK_GZIP;
                struct body body;
                AUTO(squeeze_free) struct squeeze *squeeze = begin(&body, kind, i >= 2);
                AUTO(buf_fini) struct buf all = read_all(&body, squeeze), plain = {0};

                assert_true(all.n < BODY * 3 / 4);
                assert_int_equal(squeeze_taken(squeeze), BODY);
                if (i >= 2)
                        plain = without_chunks(&all);
                assert_is_body(&body, kind, i >= 2 ? &plain : &all);
                free(body.part.memory);
        }
}

static void the_end_of_chunks_is_not_sent_with_the_last_piece(void **state) {
        struct body body;
        AUTO(squeeze_free) struct squeeze *squeeze = begin(&body, PACK_ZSTD, true);
        AUTO(buf_fini) struct buf all = read_all(&body, squeeze);
        struct err_note note = {0};
        const uint8_t *data;
        size_t n;

        (void)state;
        assert_memory_equal(all.data + all.n - 7, "\r\n0\r\n\r\n", 7);
        assert_ok(squeeze_read(squeeze, &body.part, all.n - 6, &data, &n, &note));
        assert_int_equal(n, 1);
        free(body.part.memory);
}

/* Backwards, as a reader who stands still has it. */
static void what_was_given_back_is_made_again(void **state) {
        struct body body;
        AUTO(squeeze_free) struct squeeze *squeeze = begin(&body, PACK_GZIP, true);
        AUTO(buf_fini) struct buf all = read_all(&body, squeeze);
        AUTO(squeeze_free) struct squeeze *again = NULL;
        struct err_note note = {0};
        uint64_t at = 0, newest = 0;
        const uint8_t *data;
        uint32_t dice = 3;
        size_t n;

        (void)state;
        free(body.part.memory);
        again = begin(&body, PACK_GZIP, true);
        for (unsigned i = 0; at < all.n; i++) {
                assert_ok(squeeze_read(again, &body.part, at, &data, &n, &note));
                assert_true(n <= all.n - at);
                assert_memory_equal(data, all.data + at, n);
                newest = max_u64(newest, at + n);
                dice = dice * 1664525 + 1013904223;
                at = i % 3 == 2 ? newest : at + dice % (n + 1);
        }
        assert_true(body.n_reads > 2 * BODY / PIECE);
        free(body.part.memory);
}

static void a_piece_that_has_changed_meanwhile_is_noticed(void **state) {
        struct body body;
        AUTO(squeeze_free) struct squeeze *squeeze = begin(&body, PACK_ZSTD, false);
        struct err_note note = {0};
        const uint8_t *data;
        size_t n;

        (void)state;
        assert_ok(squeeze_read(squeeze, &body.part, 0, &data, &n, &note));
        body.changed_at = 500;
        assert_int_equal(squeeze_read(squeeze, &body.part, 10, &data, &n, &note), ERR_MISMATCH);
        free(body.part.memory);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_goes_out_is_the_body_compressed),
                cmocka_unit_test(the_end_of_chunks_is_not_sent_with_the_last_piece),
                cmocka_unit_test(what_was_given_back_is_made_again),
                cmocka_unit_test(a_piece_that_has_changed_meanwhile_is_noticed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
