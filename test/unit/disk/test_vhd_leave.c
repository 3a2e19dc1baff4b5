// SPDX-License-Identifier: Apache-2.0
#include "move_kit.h"

#include "vhd_kit.h"

static void a_block_that_left_is_out_of_the_bat_and_read_until_it_is_forgotten(void **state) {
        uint8_t bits[IMAGE_BITMAP_SIZE];
        struct err_note note;
        image_slot slot, again;
        struct kit_world w;

        (void)state;
        kit_world_init(&w);
        kit_begin(w.mid);
        slot = w.mid->ops->slot(w.mid, 1);
        assert_int_equal(kit_bat(w.io, "/mid.vhd", 1), slot_where(slot));
        w.mid->ops->leave(w.mid, 1);
        w.mid->ops->leave(w.mid, 1);
        assert_int_equal(kit_bat(w.io, "/mid.vhd", 1), slot_where(slot));
        assert_ok(w.mid->ops->flush(w.mid, &note));
        assert_int_equal(kit_bat(w.io, "/mid.vhd", 1), VHD_BAT_UNUSED);
        assert_ok(w.mid->ops->look(w.mid, 1, &again, bits, &note));
        assert_int_equal(slot, again);
        kit_same(&w, w.chain);

        w.mid->ops->forget_left(w.mid);
        assert_int_equal(w.mid->ops->slot(w.mid, 1), SLOT_ABSENT);
        /* a reader that found the old slot before */
        assert_ok(w.mid->ops->bitmap(w.mid, 1, slot, bits, &note));
        assert_true(vhd_bitmap_test(bits, 49) && !vhd_bitmap_test(bits, 50));
        image_abandon_write(w.mid);
        kit_world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_block_that_left_is_out_of_the_bat_and_read_until_it_is_forgotten),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
