// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "buf.h"
#include "mem.h"
#include "pack.h"

enum { N = 1 << 20, PIECE = 200000 };

static const enum pack_kind kinds[] = {PACK_GZIP, PACK_ZSTD};

/* Half of it can be compressed. */
static uint8_t *some_data(void) {
        uint8_t *data = mem_zero(N);
        uint32_t dice = 1;

        for (size_t i = 0; i < N; i++) {
                dice = dice * 1664525 + 1013904223;
                data[i] = i % 20000 < 10000 ? (uint8_t)(i / 20000) : (uint8_t)(dice >> 24);
        }
        return data;
}

static struct buf pack_all(enum pack_kind kind, const uint8_t *data, size_t n, size_t each) {
        struct buf all = {0};

        for (size_t at = 0; at < n; at += each) {
                size_t piece = n - at < each ? n - at : each, got;
                AUTO_FREE uint8_t *frame = mem_zero(PACK_ROOM(piece));
                struct err_note note = {0};

                assert_ok(pack_frame(kind, (struct span){data + at, piece}, frame, PACK_ROOM(piece), &got,
                                     &note));
                buf_add(&all, frame, got);
        }
        return all;
}

/* Given in pieces of n bytes, taken in pieces of room. */
static enum err unpack_all(enum pack_kind kind, const struct buf *packed, size_t each, size_t room,
                           struct buf *ret, bool *ret_is_at_end, struct err_note *note) {
        AUTO(unpack_free) struct unpack *unpack = NULL;
        AUTO_FREE uint8_t *memory = mem_zero(room);

        if (unpack_new(kind, &unpack, note))
                return note->code;
        for (size_t at = 0; at < packed->n; at += each) {
                struct span data = {packed->data + at, packed->n - at < each ? packed->n - at : each};
                size_t n;

                do {
                        if (unpack_some(unpack, &data, memory, room, &n, note))
                                return note->code;
                        buf_add(ret, memory, n);
                } while (data.n > 0 || n == room);
        }
        *ret_is_at_end = unpack_is_at_end(unpack);
        return ERR_NONE;
}

static void frames_are_read_as_one_in_any_pieces(void **state) {
        static const size_t pieces[] = {1, 7, 4096, N * 2}, rooms[] = {3, 65536, N * 2};
        AUTO_FREE uint8_t *data = some_data();

        (void)state;
        for (unsigned k = 0; k < 2; k++) {
                AUTO(buf_fini) struct buf packed = pack_all(kinds[k], data, N, PIECE);

                assert_true(packed.n > N / 3 && packed.n < N * 2 / 3);
                assert_int_equal(pack_kind_of(packed.data), kinds[k]);
                for (unsigned i = 0; i < 4 * 3; i++) {
                        AUTO(buf_fini) struct buf got = {0};
                        struct err_note note;
                        bool is_at_end;

                        assert_ok(unpack_all(kinds[k], &packed, pieces[i % 4], rooms[i / 4], &got, &is_at_end,
                                             &note));
                        assert_true(is_at_end);
                        assert_int_equal(got.n, N);
                        assert_memory_equal(got.data, data, N);
                }
        }
}

static void a_run_always_becomes_the_same_frame(void **state) {
        AUTO_FREE uint8_t *data = some_data();

        (void)state;
        for (unsigned k = 0; k < 2; k++) {
                AUTO(buf_fini) struct buf once = pack_all(kinds[k], data, N, N);
                AUTO(buf_fini) struct buf again = pack_all(kinds[k], data, N, N);

                assert_int_equal(once.n, again.n);
                assert_memory_equal(once.data, again.data, once.n);
        }
}

static void what_is_cut_is_not_at_its_end(void **state) {
        AUTO_FREE uint8_t *data = some_data();

        (void)state;
        for (unsigned k = 0; k < 2; k++) {
                AUTO(buf_fini) struct buf packed = pack_all(kinds[k], data, 1000, 500);

                for (size_t n = 1; n < packed.n; n++) {
                        const struct buf cut = {.data = packed.data, .n = n};
                        AUTO(buf_fini) struct buf got = {0};
                        struct err_note note;
                        bool is_at_end;

                        assert_ok(unpack_all(kinds[k], &cut, 64, 64, &got, &is_at_end, &note));
                        assert_true(!is_at_end || got.n == 500);
                }
        }
}

/* gzip checks what it gives; of a frame of zstd not every bit is checked, but nothing ever goes wrong by it.
 * */
static void what_is_damaged_is_refused_or_ends(void **state) {
        AUTO_FREE uint8_t *data = some_data();

        (void)state;
        for (unsigned k = 0; k < 2; k++) {
                AUTO(buf_fini) struct buf packed = pack_all(kinds[k], data, 1000, 1000);
                unsigned n_refused = 0;

                for (size_t i = 0; i < packed.n * 8; i++) {
                        AUTO(buf_fini) struct buf got = {0};
                        struct err_note note = {0};
                        bool is_at_end = false;

                        packed.data[i / 8] ^= (uint8_t)(1 << i % 8);
                        n_refused +=
                                unpack_all(kinds[k], &packed, 64, 64, &got, &is_at_end, &note) != ERR_NONE;
                        packed.data[i / 8] ^= (uint8_t)(1 << i % 8);
                        assert_true(got.n < 10000000);
                }
                assert_true(n_refused > packed.n / 10);
        }
}

static void what_is_not_compressed_is_told_apart(void **state) {
        static const uint8_t ova[] = "ova.xml", gzip[] = {0x1f, 0x8b, 8, 0}, half[] = {0x28, 0xb5, 0x2f, 0};

        (void)state;
        assert_int_equal(pack_kind_of(ova), PACK_NONE);
        assert_int_equal(pack_kind_of(half), PACK_NONE);
        assert_int_equal(pack_kind_of(gzip), PACK_GZIP);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(frames_are_read_as_one_in_any_pieces),
                cmocka_unit_test(a_run_always_becomes_the_same_frame),
                cmocka_unit_test(what_is_cut_is_not_at_its_end),
                cmocka_unit_test(what_is_damaged_is_refused_or_ends),
                cmocka_unit_test(what_is_not_compressed_is_told_apart),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
