// SPDX-License-Identifier: Apache-2.0
#include "xo_xva.h"

#include <string.h>

#include "buf.h"
#include "check.h"
#include "io_sim.h"
#include "mem.h"
#include "pack.h"
#include "xva.h"

enum { SIZE = 3 * XVA_BLOCK + 1024 }; /* blocks 0 and 3 are there */

static const char ova[] =
        "<value><struct><member><name>version</name><value><struct><member><name>export_vsn</name>"
        "<value><i4>2</i4></value></member></struct></value></member><member><name>objects</"
        "name><value><array>"
        "<data><value><struct><member><name>class</name><value>VBD</value></member><member><name>id</name>"
        "<value>Ref:1</value></member><member><name>snapshot</name><value><struct><member><name>VDI</name>"
        "<value>Ref:2</value></member></struct></value></member></struct></"
        "value><value><struct><member><name>"
        "class</name><value>VDI</value></member><member><name>id</name><value>Ref:2</value></member><member>"
        "<name>snapshot</name><value><struct><member><name>uuid</name><value>11111111-2222-4333-8444-"
        "555555555555</value></member><member><name>virtual_size</name><value>3146752</value></"
        "member><member>"
        "<name>name_label</name><value>root</value></member></struct></value></member></struct></value></"
        "data>"
        "</array></value></member></struct></value>";

static void add(struct buf *to, const char *name, const void *data, size_t n) {
        tar_encode(name, n, 0, (void *)buf_extend(to, TAR_BLOCK));
        buf_add(to, data, n);
        memset(buf_extend(to, (size_t)tar_padding(n)), 0, (size_t)tar_padding(n));
}

static void add_block(struct buf *to, const char *name, char letter, size_t n) {
        AUTO_FREE char *sum_name = mem_format("%s.xxhash", name);
        AUTO_FREE char *data = mem_zero(n);
        char sum[XVA_XXH64_SIZE + 1];

        memset(data, letter, n);
        add(to, name, data, n);
        xva_xxh64((struct span){(const uint8_t *)data, n}, sum);
        add(to, sum_name, sum, XVA_XXH64_SIZE);
}

static void make(struct buf *to) {
        add(to, "ova.xml", ova, sizeof ova - 1);
        add_block(to, "Ref:2/00000000", 'a', XVA_BLOCK);
        add_block(to, "Ref:2/00000003", 'b', 1024);
        memset(buf_extend(to, TAR_END_SIZE), 0, TAR_END_SIZE);
}

/* The first n bytes as a file. */
static void write_file(struct io *io, const struct buf *from, size_t n) {
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note;

        assert_ok(io_open(io, "/x.xva", IO_CREATE, &file, &note));
        assert_ok(io_write(file, from->data, n, 0, &note));
}

static void a_disk_is_read_at_any_place(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(xo_xva_free) struct xo_xva *xva = NULL;
        AUTO_FREE uint8_t *got = mem_zero(SIZE);
        AUTO(buf_fini) struct buf bytes = {0};
        struct put_source source;
        uint64_t start, end;
        struct uuid own;
        struct err_note note;

        (void)state;
        make(&bytes);
        write_file(io, &bytes, bytes.n);
        assert_ok(xo_xva_open(io, "/x.xva", &xva, &note));
        assert_int_equal(xo_xva_n_disks(xva), 1);
        own = xo_xva_disk(xva, 0).uuid;
        assert_string_equal(uuid_format(&own).s, "11111111-2222-4333-8444-555555555555");
        assert_string_equal(xo_xva_disk(xva, 0).label, "root");
        source = xo_xva_source(xva, 0);
        assert_int_equal(source.size, SIZE);
        memset(got, 1, SIZE);
        assert_ok(source.read(source.user, got, SIZE - 7, 7, &note));
        for (size_t i = 0; i < SIZE - 7; i++) {
                size_t at = i + 7;

                assert_int_equal(got[i], at < XVA_BLOCK ? 'a' : at < 3 * XVA_BLOCK ? 0 : 'b');
        }
        assert_ok(source.next_data(source.user, 5, &start, &end, &note));
        assert_true(start == 5 && end == XVA_BLOCK);
        assert_ok(source.next_data(source.user, XVA_BLOCK, &start, &end, &note));
        assert_true(start == 3 * XVA_BLOCK && end == SIZE);
        assert_ok(source.next_data(source.user, SIZE, &start, &end, &note));
        assert_true(start == SIZE && end == SIZE);
}

static void a_block_with_another_checksum_is_an_error(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(xo_xva_free) struct xo_xva *xva = NULL;
        AUTO(buf_fini) struct buf bytes = {0};
        struct put_source source;
        struct err_note note;
        uint8_t byte;

        (void)state;
        make(&bytes);
        bytes.data[tar_member_size(sizeof ova - 1) + TAR_BLOCK + 99] ^= 1;
        write_file(io, &bytes, bytes.n);
        assert_ok(xo_xva_open(io, "/x.xva", &xva, &note));
        source = xo_xva_source(xva, 0);
        assert_err(source.read(source.user, &byte, 1, 5, &note), ERR_CORRUPT, "its checksum is");
        assert_ok(source.read(source.user, &byte, 1, SIZE - 1, &note));
        assert_int_equal(byte, 'b');
}

/* Of each length only the whole one is, with or without the archive's end. */
static void what_is_cut_short_is_no_archive(void **state) {
        AUTO(buf_fini) struct buf bytes = {0};
        struct err_note note;
        size_t whole;

        (void)state;
        make(&bytes);
        whole = bytes.n - TAR_END_SIZE;
        for (size_t n = 0; n <= bytes.n; n += n + TAR_BLOCK < bytes.n / 2 ? 64 * TAR_BLOCK : TAR_BLOCK / 2) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                AUTO(xo_xva_free) struct xo_xva *xva = NULL;
                enum err err;

                write_file(io, &bytes, n);
                err = xo_xva_open(io, "/x.xva", &xva, &note);
                if (n == whole || n >= whole + TAR_BLOCK)
                        assert_int_equal(err, ERR_NONE);
                else
                        assert_int_not_equal(err, ERR_NONE);
        }
}

static void packed_it_is_the_same(void **state) {
        (void)state;
        for (enum pack_kind kind = PACK_GZIP; kind <= PACK_ZSTD; kind++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                AUTO(xo_xva_free) struct xo_xva *xva = NULL;
                AUTO(buf_fini) struct buf bytes = {0}, packed = {0};
                struct put_source source;
                struct err_note note;
                uint8_t got[2];
                size_t n;

                make(&bytes);
                assert_ok(pack_frame(kind, (struct span){bytes.data, bytes.n},
                                     buf_extend(&packed, PACK_ROOM(bytes.n)), PACK_ROOM(bytes.n), &n, &note));
                write_file(io, &packed, n);
                assert_ok(xo_xva_open(io, "/x.xva", &xva, &note));
                source = xo_xva_source(xva, 0);
                assert_ok(source.read(source.user, got, 2, 3 * XVA_BLOCK - 1, &note));
                assert_true(got[0] == 0 && got[1] == 'b');
                assert_ok(source.read(source.user, got, 2, XVA_BLOCK - 1, &note));
                assert_true(got[0] == 'a' && got[1] == 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_disk_is_read_at_any_place),
                cmocka_unit_test(a_block_with_another_checksum_is_an_error),
                cmocka_unit_test(what_is_cut_short_is_no_archive),
                cmocka_unit_test(packed_it_is_the_same),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
