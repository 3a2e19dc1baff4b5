// SPDX-License-Identifier: Apache-2.0
#include "xo_vhd_dir.h"

#include <string.h>

#include "check.h"
#include "fixture_xo.h"
#include "io_sim.h"
#include "mem.h"
#include "vhd_footer.h"
#include "vhd_header.h"

struct place {
        struct io *io; /* owned */
        struct xo_remote remote;
};

static void open_place(struct place *place) {
        struct err_note note;

        place->io = io_sim_new(1, 0);
        fixture_xo_disk(place->io, 1, "abc", 0);
        fixture_xo_disk(place->io, 2, "x.z", 1);
        assert_ok(xo_remote_open(place->io, FIXTURE_XO, NULL, &place->remote, &note));
}

static void close_place(struct place *place) {
        xo_remote_fini(&place->remote);
        io_free(place->io);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

static char *path_of(unsigned day, const char *name) {
        AUTO_FREE char *point = fixture_xo_point(day);

        return mem_format(FIXTURE_XO_FOLDER "/data/%s.vhd%s", point, name);
}

static enum err open_dir(struct place *place, unsigned day, struct xo_vhd_dir **ret, struct err_note *note) {
        AUTO_FREE char *path = path_of(day, "");

        return xo_vhd_dir_open(&place->remote, path, ret, note);
}

static uint8_t byte_at(struct xo_vhd_dir *dir, uint64_t at) {
        struct err_note note;
        uint8_t byte;
        size_t n;

        assert_ok(xo_vhd_dir_read(dir, &byte, 1, at, &n, &note));
        assert_int_equal(n, 1);
        return byte;
}

static uint32_t entry(const uint8_t *head, unsigned i) {
        be32 raw;

        memcpy(&raw, head + 1536 + sizeof raw * i, sizeof raw);
        return be32_get(raw);
}

static void it_reads_as_the_file_that_it_stands_for(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(xo_vhd_dir_free) struct xo_vhd_dir *dir = NULL;
        uint8_t head[2048], tail[600];
        struct vhd_footer footer;
        struct vhd_header header;
        struct err_note note;
        uint64_t block = VHD_BITMAP_SIZE + VHD_BLOCK_SIZE;
        size_t n;

        (void)state;
        open_place(&place);
        assert_ok(open_dir(&place, 2, &dir, &note));
        assert_int_equal(xo_vhd_dir_size(dir), 2048 + 2 * block + 512);
        assert_ok(xo_vhd_dir_read(dir, head, sizeof head, 0, &n, &note));
        assert_ok(vhd_footer_decode_span((struct span){head, 512}, &footer, &note));
        assert_ok(vhd_header_decode_span((struct span){head + 512, 1024}, &header, &note));
        assert_int_equal(header.table_offset, 1536);
        assert_int_equal(entry(head, 0), 4);
        assert_int_equal(entry(head, 1), 0xffffffff);
        assert_int_equal(entry(head, 2), 4 + block / 512);
        assert_int_equal(byte_at(dir, 2048), 0xff);
        assert_int_equal(byte_at(dir, 2048 + 511), 0xff);
        assert_int_equal(byte_at(dir, 2048 + 512), 'x');
        assert_int_equal(byte_at(dir, 2048 + block - 1), 'x');
        assert_int_equal(byte_at(dir, 2048 + 2 * block - 1), 'z');
        /* Over the end, and behind it. */
        assert_ok(xo_vhd_dir_read(dir, tail, sizeof tail, 2048 + 2 * block, &n, &note));
        assert_int_equal(n, 512);
        assert_memory_equal(tail, head, 512);
        assert_ok(xo_vhd_dir_read(dir, tail, 1, 2048 + 2 * block + 512, &n, &note));
        assert_int_equal(n, 0);
}

static void it_says_who_it_is_and_gets_its_parents_name(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(xo_vhd_dir_free) struct xo_vhd_dir *first = NULL, *second = NULL;
        AUTO_FREE char *name = NULL;
        const struct uuid days[] = {fixture_xo_uuid(1), fixture_xo_uuid(2)};
        struct uuid uuid, parent;
        struct vhd_header header;
        uint8_t head[1536];
        struct err_note note;
        size_t n;

        (void)state;
        open_place(&place);
        assert_ok(open_dir(&place, 1, &first, &note));
        assert_ok(open_dir(&place, 2, &second, &note));
        uuid = xo_vhd_dir_uuid(second);
        parent = xo_vhd_dir_parent(second);
        assert_true(uuid_equal(&uuid, &days[1]) && uuid_equal(&parent, &days[0]));
        assert_true(xo_vhd_dir_has_parent(second));
        assert_false(xo_vhd_dir_has_parent(first));
        assert_ok(xo_vhd_dir_set_parent(second, "1.alias.vhd", &note));
        assert_ok(xo_vhd_dir_read(second, head, sizeof head, 0, &n, &note));
        assert_ok(vhd_header_decode_span((struct span){head + 512, 1024}, &header, &note));
        assert_ok(vhd_header_name(&header, &name, &note));
        assert_string_equal(name, "1.alias.vhd");
}

static void what_a_merge_has_moved_is_found_below(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(xo_vhd_dir_free) struct xo_vhd_dir *first = NULL, *second = NULL;
        AUTO_FREE char *block = path_of(2, "/blocks/0/0");
        AUTO_FREE char *to = path_of(1, "/blocks/0/0");
        AUTO_FREE char *from = mem_format(FIXTURE_XO "/%s", block);
        AUTO_FREE char *into = mem_format(FIXTURE_XO "/%s", to);
        struct err_note note;
        uint8_t byte;
        size_t n;

        (void)state;
        open_place(&place);
        assert_ok(open_dir(&place, 1, &first, &note));
        assert_ok(open_dir(&place, 2, &second, &note));
        assert_ok(io_rename(place.io, from, into, &note));
        assert_err(xo_vhd_dir_read(second, &byte, 1, 2048 + 512, &n, &note), ERR_CORRUPT,
                   "block 0 is not there");
        xo_vhd_dir_set_moved(second, first);
        assert_int_equal(byte_at(second, 2048 + 512), 'x');
        fixture_xo_remove(place.io, to);
        assert_int_equal(byte_at(second, 2048 + 512), 'x'); /* it was read just now */
        assert_err(xo_vhd_dir_read(first, &byte, 1, 2048 + 512, &n, &note), ERR_CORRUPT,
                   "block 0 is not there");
}

static void what_is_damaged_is_an_error(void **state) {
        static const char *const parts[] = {"/footer", "/header", "/blocks/0/0"};
        AUTO(close_place) struct place place = {0};

        (void)state;
        open_place(&place);
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
                AUTO(xo_vhd_dir_free) struct xo_vhd_dir *dir = NULL;
                AUTO_FREE char *path = path_of(2, parts[i]);
                struct err_note note;
                uint8_t byte;
                size_t n;

                fixture_xo_disk(place.io, 2, "x.z", 1);
                fixture_xo_write(place.io, path, "short", 5);
                if (!open_dir(&place, 2, &dir, &note))
                        assert_int_equal(xo_vhd_dir_read(dir, &byte, 1, 2048 + 512, &n, &note), ERR_CORRUPT);
                assert_non_null(strstr(note.text, parts[i]));
                assert_non_null(strstr(note.text, "5 bytes"));
        }
}

static void filters_that_are_not_known_are_named(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO_FREE char *path = path_of(2, "/chunk-filters.json");
        struct xo_vhd_dir *dir;
        struct err_note note;

        (void)state;
        open_place(&place);
        fixture_xo_write(place.io, path, "[\"lzma\"]", 8);
        assert_err(open_dir(&place, 2, &dir, &note), ERR_UNSUPPORTED, "lzma");
        fixture_xo_write(place.io, path, "[\"gzip\", \"gzip\"]", 16);
        assert_err(open_dir(&place, 2, &dir, &note), ERR_UNSUPPORTED, "no list of one");
        fixture_xo_write(place.io, path, "[]", 2);
        assert_ok(open_dir(&place, 2, &dir, &note));
        xo_vhd_dir_free(dir);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_reads_as_the_file_that_it_stands_for),
                cmocka_unit_test(it_says_who_it_is_and_gets_its_parents_name),
                cmocka_unit_test(what_a_merge_has_moved_is_found_below),
                cmocka_unit_test(what_is_damaged_is_an_error),
                cmocka_unit_test(filters_that_are_not_known_are_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
