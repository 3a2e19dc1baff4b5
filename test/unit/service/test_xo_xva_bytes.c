// SPDX-License-Identifier: Apache-2.0
#include "xo_xva_bytes.h"

#include <string.h>

#include "buf.h"
#include "check.h"
#include "io_sim.h"
#include "mem.h"
#include "pack.h"

enum { MANY = (XO_XVA_KEPT >> 20) + 12 }; /* more than is kept */

/* n MiB, the first full of 0, the next of 1 … each a frame; all but the last `less` bytes of it. */
static void write_file(struct io *io, enum pack_kind kind, unsigned n, size_t less) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE uint8_t *data = mem_zero(MIB), *packed = mem_zero(PACK_ROOM(MIB));
        AUTO(buf_fini) struct buf all = {0};
        struct err_note note;

        for (unsigned i = 0; i < n; i++) {
                size_t packed_n = MIB;

                memset(data, (int)i, MIB);
                if (kind != PACK_NONE)
                        assert_ok(pack_frame(kind, (struct span){data, MIB}, packed, PACK_ROOM(MIB),
                                             &packed_n, &note));
                buf_add(&all, kind == PACK_NONE ? data : packed, packed_n);
        }
        assert_ok(io_open(io, "/x", IO_CREATE, &file, &note));
        assert_ok(io_write(file, all.data, all.n - less, 0, &note));
}

static void assert_reads(struct xo_xva_bytes *bytes, uint64_t at) {
        struct err_note note;
        uint8_t got[2];

        assert_ok(xo_xva_bytes_read(bytes, got, 2, at, &note));
        assert_int_equal(got[0], at / MIB);
        assert_int_equal(got[1], (at + 1) / MIB);
}

static void any_place_can_be_read(void **state) {
        static const enum pack_kind kinds[] = {PACK_NONE, PACK_GZIP, PACK_ZSTD};

        (void)state;
        for (size_t i = 0; i < 3; i++) {
                unsigned n = kinds[i] == PACK_ZSTD ? MANY : 3;
                uint64_t end = (uint64_t)n * MIB;
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                AUTO(xo_xva_bytes_close) struct xo_xva_bytes *bytes = NULL;
                struct err_note note;
                uint8_t got[4];
                size_t got_n;

                write_file(io, kinds[i], n, 0);
                assert_ok(xo_xva_bytes_open(io, "/x", &bytes, &note));
                assert_reads(bytes, end - 2);
                assert_reads(bytes, MIB - 1);
                for (unsigned at = 1; at < n; at++)
                        assert_reads(bytes, at * (uint64_t)MIB - 1);
                assert_reads(bytes, 0);
                assert_ok(xo_xva_bytes_read_some(bytes, got, 4, end - 3, &got_n, &note));
                assert_int_equal(got_n, 3);
                assert_ok(xo_xva_bytes_read_some(bytes, got, 4, end, &got_n, &note));
                assert_int_equal(got_n, 0);
                assert_err(xo_xva_bytes_read_some(bytes, got, 4, end + 1, &got_n, &note), ERR_CUT_SHORT,
                           "it ends at");
                assert_err(xo_xva_bytes_read(bytes, got, 4, end - 3, &note), ERR_CUT_SHORT, "it ends at");
                assert_reads(bytes, MIB - 1);
        }
}

static void what_is_packed_and_cut_short_has_no_end(void **state) {
        (void)state;
        for (enum pack_kind kind = PACK_GZIP; kind <= PACK_ZSTD; kind++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                AUTO(xo_xva_bytes_close) struct xo_xva_bytes *bytes = NULL;
                struct err_note note;
                uint8_t got[4];
                size_t got_n;

                write_file(io, kind, 2, 9);
                assert_ok(xo_xva_bytes_open(io, "/x", &bytes, &note));
                for (unsigned again = 0; again < 2; again++) {
                        assert_err(xo_xva_bytes_read_some(bytes, got, 4, 2 * MIB, &got_n, &note),
                                   ERR_CUT_SHORT, "cut short");
                        assert_reads(bytes, 5);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(any_place_can_be_read),
                cmocka_unit_test(what_is_packed_and_cut_short_has_no_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
