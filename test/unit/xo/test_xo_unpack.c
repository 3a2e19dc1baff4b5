// SPDX-License-Identifier: Apache-2.0
#include "xo_unpack.h"

#include <string.h>

#include "check.h"
#include "pack.h"

enum { TIMES = 200, SIZE = 7 * TIMES }; /* "catena " so many times */

/* By the format's own program. */
static const uint8_t brotli[] = {0x1b, 0x77, 0x05, 0x00, 0x04, 0x1c, 0x72, 0xa4, 0x67, 0xfd,
                                 0x5a, 0x1a, 0x15, 0xb6, 0x45, 0x72, 0xa5, 0xf8, 0x4e, 0x00};

static size_t gzip(uint8_t *ret, size_t room) {
        uint8_t text[SIZE];
        struct err_note note;
        size_t n;

        for (int i = 0; i < TIMES; i++)
                memcpy(text + 7 * i, "catena ", 7);
        assert_ok(pack_frame(PACK_GZIP, (struct span){text, sizeof text}, ret, room, &n, &note));
        return n;
}

static void assert_unpacks(enum xo_filter filter, struct span packed) {
        uint8_t bytes[SIZE + 1];
        struct err_note note;
        size_t n;

        for (size_t room = SIZE; room <= SIZE + 1; room++) {
                assert_ok(xo_unpack(filter, packed, bytes, room, &n, &note));
                assert_int_equal(n, SIZE);
                assert_memory_equal(bytes + SIZE - 7, "catena ", 7);
        }
        assert_int_equal(xo_unpack(filter, packed, bytes, SIZE - 1, &n, &note), ERR_CORRUPT);
        for (size_t cut = 0; cut < packed.n; cut++)
                assert_int_equal(xo_unpack(filter, (struct span){packed.data, cut}, bytes, SIZE, &n, &note),
                                 ERR_CORRUPT);
}

static void what_is_whole_unpacks_and_no_part_of_it(void **state) {
        uint8_t packed[PACK_ROOM(SIZE)];

        (void)state;
        assert_unpacks(XO_BROTLI, (struct span){brotli, sizeof brotli});
        assert_unpacks(XO_GZIP, (struct span){packed, gzip(packed, sizeof packed)});
}

static void filters_have_names(void **state) {
        enum xo_filter filter;
        struct err_note note;

        (void)state;
        assert_ok(xo_filter_named("brotli", &filter, &note));
        assert_int_equal(filter, XO_BROTLI);
        assert_ok(xo_filter_named("gzip", &filter, &note));
        assert_int_equal(filter, XO_GZIP);
        assert_ok(xo_filter_named("none", &filter, &note));
        assert_int_equal(filter, XO_AS_IS);
        assert_err(xo_filter_named("lzma", &filter, &note), ERR_UNSUPPORTED, "lzma");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_whole_unpacks_and_no_part_of_it),
                cmocka_unit_test(filters_have_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
