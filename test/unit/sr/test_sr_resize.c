// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"

static void a_vdi_grows_and_keeps_what_it_holds(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), snapshot;
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        kit_write(sr, &vdi, "A..B");
        snapshot = kit_snapshot(sr, &vdi, "s");
        assert_ok(sr_vdi_resize(sr, &vdi, 2 * GIB, &note));
        assert_int_equal(sr_get_vdi(sr, &vdi)->node->size, 2 * GIB);
        assert_int_equal(sr_get_vdi(sr, &snapshot)->node->size, KIT_SIZE);
        assert_reads(sr, &vdi, "A..B");
        assert_ok(sr_open_chain(sr, &vdi, CHAIN_WRITE, &chain, &note));
        kit_put(chain, 1023, 'Z');
        assert_ok(sr_close_chain(sr, chain, &note));
        sr_close(sr);
        sr = kit_open(io);
        assert_int_equal(sr_get_vdi(sr, &vdi)->node->size, 2 * GIB);
        assert_reads(sr, &vdi, "A..B");
        struct uuid larger = kit_snapshot(sr, &vdi, "t");
        assert_int_equal(sr_get_vdi(sr, &larger)->node->size, 2 * GIB);
        assert_ok(sr_vdi_revert(sr, &vdi, &snapshot, &note));
        assert_int_equal(sr_get_vdi(sr, &vdi)->node->size, KIT_SIZE);
        sr_close(sr);
}

static void what_cannot_be_grown_is_refused_and_stays(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a");
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        assert_err(sr_vdi_resize(sr, &vdi, KIT_SIZE / 2, &note), ERR_INVALID, "can only grow");
        assert_int_not_equal(sr_vdi_resize(sr, &vdi, 3 * TIB, &note), ERR_NONE);
        assert_ok(sr_open_chain(sr, &vdi, CHAIN_WRITE, &chain, &note));
        assert_err(sr_vdi_resize(sr, &vdi, 2 * KIT_SIZE, &note), ERR_BUSY, "open for writing");
        assert_ok(sr_close_chain(sr, chain, &note));
        assert_int_equal(sr_get_vdi(sr, &vdi)->node->size, KIT_SIZE);
        assert_ok(sr_vdi_resize(sr, &vdi, KIT_SIZE, &note));
        sr_close(sr);
}

/* One who steps aside, as a server does. */
struct guest {
        struct sr *sr; /* borrowed */
        struct uuid vdi;
        enum chain_mode mode;
        struct chain *chain; /* owned; NULL: aside */
        bool is_wanted, refuses;
        char log[16];
};

static bool is_wanted(void *user, char *ret_who, size_t size) {
        struct guest *guest = user;
        struct err_note note = {0};

        strcat(guest->log, "w");
        snprintf(ret_who, size, "two of us");
        if (!guest->is_wanted)
                assert_ok(sr_close_chain(guest->sr, TAKE(guest->chain), &note));
        return guest->is_wanted;
}

static enum err step_aside(void *user, struct err_note *note) {
        struct guest *guest = user;

        strcat(guest->log, "a");
        return guest->refuses ? err_set(note, ERR_IO, "not now")
                              : sr_close_chain(guest->sr, TAKE(guest->chain), note);
}

static void open_guest(struct guest *guest);

static void step_back(void *user) {
        struct guest *guest = user;

        strcat(guest->log, "b");
        open_guest(guest);
}

static void open_guest(struct guest *guest) {
        const struct sr_opener opener = {
                .is_wanted = is_wanted, .step_aside = step_aside, .step_back = step_back, .user = guest};
        struct err_note note = {0};

        assert_ok(sr_open_chain(guest->sr, &guest->vdi, guest->mode, &guest->chain, &note));
        sr_set_opener(guest->sr, guest->chain, &opener);
}

static void who_steps_aside_is_opened_again_at_the_new_size(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct guest guest = {.sr = sr, .vdi = kit_vdi(sr, "a"), .mode = CHAIN_WRITE, .is_wanted = true};
        struct err_note note = {0};
        struct chain *reader;

        (void)state;
        open_guest(&guest);
        kit_put(guest.chain, 0, 'A');
        assert_ok(sr_vdi_resize(sr, &guest.vdi, 2 * GIB, &note));
        assert_string_equal(guest.log, "ab");
        assert_int_equal(chain_size(guest.chain), 2 * GIB);
        assert_true(sr_get_vdi(sr, &guest.vdi)->is_open);
        kit_put(guest.chain, 1023, 'Z');
        assert_string_equal(kit_read_chain(guest.chain).s, "A...");
        /* Nobody is asked for what is refused anyway. */
        assert_err(sr_vdi_resize(sr, &guest.vdi, KIT_SIZE, &note), ERR_INVALID, "can only grow");
        assert_ok(sr_vdi_resize(sr, &guest.vdi, 2 * GIB, &note));
        assert_string_equal(guest.log, "ab");
        guest.refuses = true;
        assert_err(sr_vdi_resize(sr, &guest.vdi, 3 * GIB, &note), ERR_IO, "not now");
        assert_string_equal(guest.log, "aba");
        guest.refuses = false;
        assert_ok(sr_close_chain(sr, guest.chain, &note));
        guest.mode = CHAIN_READ;
        open_guest(&guest);
        /* One who cannot be asked: all others come back. */
        assert_ok(sr_open_chain(sr, &guest.vdi, CHAIN_READ, &reader, &note));
        assert_err(sr_vdi_resize(sr, &guest.vdi, 3 * GIB, &note), ERR_BUSY, "open for reading");
        assert_string_equal(guest.log, "abaab");
        assert_string_equal(kit_read_chain(guest.chain).s, "A...");
        assert_ok(sr_close_chain(sr, reader, &note));
        assert_ok(sr_close_chain(sr, guest.chain, &note));
        assert_int_equal(sr_get_vdi(sr, &guest.vdi)->node->size, 2 * GIB);
        sr_close(sr);
}

static void what_is_wanted_is_neither_deleted_nor_reverted(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct guest guest = {.sr = sr, .vdi = kit_vdi(sr, "a"), .mode = CHAIN_WRITE, .is_wanted = true};
        struct uuid snapshot = kit_snapshot(sr, &guest.vdi, "s");
        struct err_note note = {0};

        (void)state;
        open_guest(&guest);
        assert_err(sr_vdi_delete(sr, &guest.vdi, &note), ERR_BUSY,
                   "is in use: two of us; disconnect before you delete it");
        assert_err(sr_vdi_revert(sr, &guest.vdi, &snapshot, &note), ERR_BUSY, "before you revert it");
        assert_string_equal(guest.log, "ww");
        guest.is_wanted = false;
        assert_ok(sr_vdi_delete(sr, &guest.vdi, &note));
        assert_null(guest.chain);
        sr_close(sr);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_vdi_grows_and_keeps_what_it_holds),
                cmocka_unit_test(who_steps_aside_is_opened_again_at_the_new_size),
                cmocka_unit_test(what_is_wanted_is_neither_deleted_nor_reverted),
                cmocka_unit_test(what_cannot_be_grown_is_refused_and_stays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
