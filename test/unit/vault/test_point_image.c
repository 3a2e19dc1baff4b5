// SPDX-License-Identifier: Apache-2.0
#include "point_image.h"

#include <pthread.h>

#include "chain.h"
#include "mem.h"
#include "point_room.h"

static void assert_reads(struct chain *chain, const struct fixture_disk *want) {
        AUTO_FREE uint8_t *got = mem_zero(want->size);
        struct err_note note;

        assert_ok(chain_read(chain, got, want->size, 0, &note));
        assert_memory_equal(got, want->bytes.data, want->size);
}

static void a_point_reads_as_a_chain_of_one(void **state) {
        AUTO(room_close) struct room room = {0};
        AUTO(image_unref) struct image *image = NULL;
        AUTO(chain_abandon) struct chain *chain = NULL;
        uint8_t tail[512] = {1};
        struct err_note note;

        (void)state;
        room_open(&room);
        assert_ok(point_image_open(room.vault, room_disk(&room), &room.images, &image, &note));
        assert_ok(chain_open(&room.images, point_image_name(room_disk(&room)).s, CHAIN_READ, &chain, &note));
        assert_int_equal(chain_depth(chain), 1);
        assert_int_equal(chain_size(chain), round_up(room.disk.size, 512));
        assert_reads(chain, &room.disk);
        /* What fills up the last sector is zeros. */
        assert_ok(chain_read(chain, tail, 512, chain_size(chain) - 512, &note));
        assert_int_equal(tail[511], 0);
        assert_err(chain_write(chain, tail, 512, 0, &note), ERR_READ_ONLY, "");
}

static void whole_blocks_of_zeros_are_holes(void **state) {
        AUTO(room_close) struct room room = {0};
        AUTO(image_unref) struct image *image = NULL;
        AUTO(chain_abandon) struct chain *chain = NULL;
        struct extent extent;
        struct err_note note;

        (void)state;
        room_open(&room);
        assert_ok(point_image_open(room.vault, room_disk(&room), &room.images, &image, &note));
        assert_ok(chain_open(&room.images, point_image_name(room_disk(&room)).s, CHAIN_READ, &chain, &note));
        assert_ok(chain_extent_at(chain, NULL, 0, chain_size(chain), &extent, &note));
        assert_int_equal(extent.kind, EXTENT_DATA);
        assert_int_equal(extent.n, 6 * MIB);
        assert_ok(chain_extent_at(chain, NULL, 6 * MIB, chain_size(chain) - 6 * MIB, &extent, &note));
        assert_int_equal(extent.kind, EXTENT_HOLE);
        assert_int_equal(extent.n, 14 * MIB);
}

static void what_an_overlay_takes_stays_and_the_point_does_not_change(void **state) {
        AUTO(room_close) struct room room = {0};
        AUTO(image_unref) struct image *image = NULL;
        struct chain *chain;
        struct fixture_disk before = {0};
        struct err_note note;

        (void)state;
        room_open(&room);
        buf_add(&before.bytes, room.disk.bytes.data, room.disk.bytes.n);
        before.size = room.disk.size;
        assert_ok(point_image_open(room.vault, room_disk(&room), &room.images, &image, &note));
        assert_ok(point_image_make_overlay(room.io, "/over.vhd", room_disk(&room), &note));
        for (uint64_t turn = 0; turn < 2; turn++) {
                uint64_t at = 4 * MIB + turn * 9 * MIB;

                assert_ok(chain_open(&room.images, "/over.vhd", CHAIN_WRITE, &chain, &note));
                assert_int_equal(chain_depth(chain), 2);
                assert_reads(chain, &room.disk);
                fixture_disk_write(&room.disk, at, 100 * 512, 10 + turn);
                assert_ok(chain_write(chain, room.disk.bytes.data + at, 100 * 512, at, &note));
                assert_reads(chain, &room.disk);
                assert_ok(chain_close(chain, &note));
        }
        assert_ok(chain_open(&room.images, point_image_name(room_disk(&room)).s, CHAIN_READ, &chain, &note));
        assert_reads(chain, &before);
        assert_ok(chain_close(chain, &note));
        fixture_disk_fini(&before);
        assert_err(point_image_make_overlay(room.io, "/over.vhd", room_disk(&room), &note), ERR_EXISTS,
                   "over.vhd");
}

static void an_overlay_fits_over_that_content_alone(void **state) {
        AUTO(room_close) struct room room = {0};
        AUTO(image_unref) struct image *image = NULL;
        struct chain *chain = NULL;
        struct err_note note;

        (void)state;
        room_open(&room);
        assert_ok(point_image_make_overlay(room.io, "/over.vhd", room_disk(&room), &note));
        fixture_disk_write(&room.disk, 0, 512, 77);
        room_put(&room);
        assert_ok(point_image_open(room.vault, room_disk(&room), &room.images, &image, &note));
        assert_err(chain_open(&room.images, "/over.vhd", CHAIN_WRITE, &chain, &note), ERR_NOT_FOUND,
                   "the parent of /over.vhd is missing");
}

/* ---- several threads ------------------------------------------------------------------------- */

struct reading {
        struct chain *chain;
        const struct fixture_disk *want;
        uint64_t first;
};

static void *read_pieces(void *user) {
        const struct reading *reading = user;
        uint8_t got[8192];
        struct err_note note;

        for (uint64_t at = reading->first; at + sizeof got < reading->want->size; at += 700 * 1024 + 511)
                if (chain_read(reading->chain, got, sizeof got, at, &note) ||
                    memcmp(got, reading->want->bytes.data + at, sizeof got) != 0)
                        return "wrong";
        return NULL;
}

static void many_read_a_point_at_once(void **state) {
        AUTO(room_close) struct room room = {0};
        AUTO(image_unref) struct image *image = NULL;
        AUTO(chain_abandon) struct chain *chain = NULL;
        struct reading readings[4];
        pthread_t threads[4];
        struct err_note note;

        (void)state;
        room_open(&room);
        assert_ok(point_image_open(room.vault, room_disk(&room), &room.images, &image, &note));
        assert_ok(chain_open(&room.images, point_image_name(room_disk(&room)).s, CHAIN_READ, &chain, &note));
        for (unsigned i = 0; i < 4; i++) {
                readings[i] = (struct reading){chain, &room.disk, i * 1024};
                assert_int_equal(pthread_create(&threads[i], NULL, read_pieces, &readings[i]), 0);
        }
        for (unsigned i = 0; i < 4; i++) {
                void *failed;

                pthread_join(threads[i], &failed);
                assert_null(failed);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_point_reads_as_a_chain_of_one),
                cmocka_unit_test(whole_blocks_of_zeros_are_holes),
                cmocka_unit_test(what_an_overlay_takes_stays_and_the_point_does_not_change),
                cmocka_unit_test(an_overlay_fits_over_that_content_alone),
                cmocka_unit_test(many_read_a_point_at_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
