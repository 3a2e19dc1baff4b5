// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"

#include "sr_state.h"
#include "store_sqlite.h"

#define CATALOG KIT_DIR "/.catena/catalog.db"

static void an_sr_is_made_once_and_says_what_it_is(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct uuid uuid, other;
        struct sr *sr;
        unsigned depth = 30;

        (void)state;
        assert_ok(sr_create(io, KIT_DIR, "main", NULL, &uuid, &note));
        assert_err(sr_create(io, KIT_DIR, "main", NULL, &other, &note), ERR_EXISTS, "is an SR already");
        sr = kit_open(io);
        assert_true(uuid_equal(&sr_info(sr)->uuid, &uuid));
        assert_string_equal(sr_info(sr)->name, "main");
        assert_string_equal(sr_where(sr), KIT_DIR);
        assert_int_equal(sr_info(sr)->max_depth, 0);
        assert_ok(sr_set(sr, &(struct sr_settings){.max_depth = &depth, .description = "d"}, &note));
        sr_close(sr);
        sr = kit_open(io);
        assert_int_equal(sr_info(sr)->max_depth, 30);
        assert_string_equal(sr_info(sr)->name, "main");
        assert_string_equal(sr_info(sr)->description, "d");
        sr_close(sr);
}

static void what_is_no_sr_says_what_to_do(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};
        struct sr *sr;

        (void)state;
        assert_err(sr_open(io, KIT_DIR, NULL, &sr, &note), ERR_NOT_FOUND, KIT_DIR);
        assert_ok(io_make_dir(io, KIT_DIR, &note));
        assert_err(sr_open(io, KIT_DIR, NULL, &sr, &note), ERR_INVALID, "sr create");
}

static void a_lost_catalog_is_rebuilt_from_the_files(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), snapshot;
        struct err_note note = {0};

        (void)state;
        kit_write(sr, &vdi, "A");
        snapshot = kit_snapshot(sr, &vdi, "s");
        sr_close(sr);
        assert_ok(io_unlink(io, CATALOG, &note));
        sr = kit_open(io);
        assert_int_equal(sr_n_vdis(sr), 2);
        assert_string_equal(sr_get_vdi(sr, &vdi)->row.name, uuid_format(&vdi).s);
        assert_reads(sr, &vdi, "A...");
        assert_reads(sr, &snapshot, "A...");
        assert_string_equal(sr_info(sr)->name, "sr");
        assert_false(uuid_is_null(&sr_info(sr)->uuid));
        sr_close(sr);
}

static void a_damaged_catalog_is_refused_and_set_aside_when_told(void **state) {
        const struct sr_options rebuild = {.rebuild_catalog = true};
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a");
        struct io_file *file;
        struct err_note note = {0};

        (void)state;
        kit_write(sr, &vdi, "A");
        sr_close(sr);
        assert_ok(io_open(io, CATALOG, IO_WRITE, &file, &note));
        assert_ok(io_write(file, "this is not a database, is it?", 30, 0, &note));
        io_close(file);
        assert_int_not_equal(sr_open(io, KIT_DIR, NULL, &sr, &note), ERR_NONE);
        assert_non_null(strstr(note.text, "catalog.db"));
        assert_ok(sr_open(io, KIT_DIR, &rebuild, &sr, &note));
        assert_reads(sr, &vdi, "A...");
        sr_close(sr);
}

static void rows_follow_the_files(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid a = kit_vdi(sr, "a"), b = kit_vdi(sr, "b"), c = {{3}};
        AUTO_FREE char *a_path = mem_format("%s/%s.vhd", KIT_DIR, uuid_format(&a).s);
        AUTO_FREE char *c_path = mem_format("%s/%s.vhd", KIT_DIR, uuid_format(&c).s);
        struct err_note note = {0};

        (void)state;
        assert_ok(io_rename(io, a_path, c_path, &note)); /* behind our back */
        assert_ok(sr_scan(sr, &note));
        assert_null(sr_get_vdi(sr, &a));
        assert_string_equal(sr_get_vdi(sr, &b)->row.name, "b");
        assert_string_equal(sr_get_vdi(sr, &c)->row.name, uuid_format(&c).s);
        sr_close(sr);
}

static void an_error_that_passes_shows_no_disk_as_broken(void **state) {
        AUTO(io_free) struct io *base = io_sim_new(1, 0);
        struct sr *sr = kit_create(base);
        struct uuid vdi = kit_vdi(sr, "a");
        struct err_note note = {0};
        bool did_fire = true;

        (void)state;
        (void)kit_snapshot(sr, &vdi, "s");
        sr_close(sr);
        for (uint64_t n = 1; did_fire; n++) {
                AUTO(io_free) struct io *io = io_sim_fork(base);
                enum err err;

                sr = kit_open(io);
                io_sim_fail_at(io, n, ERR_IO, false);
                err = sr_scan(sr, &note);
                did_fire = io_sim_fired(io);
                assert_int_equal(sr_n_vdis(sr), 2);
                for (size_t i = 0; i < 2 && !err; i++)
                        assert_int_equal(sr_vdi_at(sr, i)->node->error.code, ERR_NONE);
                sr_close(sr);
        }
}

/* A later Catena may keep more there. */
static void members_of_the_srs_row_that_we_do_not_know_outlast_a_change(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(buf_fini) struct buf value = {0};
        const struct sr_settings settings = {.name = "changed"};
        const char *row = "{\"name\":\"main\",\"later\":[1,2]}";
        struct sr *sr = kit_create(io);
        struct store_change *change;
        struct err_note note = {0};

        (void)state;
        assert_ok(catalog_begin(sr->catalog, &change, &note));
        assert_ok(store_put(change, "sr", "sr", row, strlen(row), &note));
        assert_ok(store_commit(change, &note));
        sr_close(sr);
        sr = kit_open(io);
        assert_ok(sr_set(sr, &settings, &note));
        assert_ok(store_get(catalog_store(sr->catalog), "sr", "sr", &value, &note));
        assert_non_null(strstr(buf_text(&value), "\"later\":[1,2]"));
        assert_non_null(strstr(buf_text(&value), "\"name\":\"changed\""));
        sr_close(sr);
}

static void an_intent_that_cannot_be_recovered_keeps_the_sr_readable(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid a = kit_vdi(sr, "a"), b = kit_vdi(sr, "b"), unused;
        struct intent intent = {.uuid = {{1}}, .kind = INTENT_RESIZE, .vdi = a, .vdi_kind = IMAGE_VHD};
        struct err_note note = {0};

        (void)state;
        kit_write(sr, &b, "B");
        buf_add(&intent.plan, "nonsense", 8);
        assert_ok(sr_note_change(sr, NULL, &intent, NULL, &note));
        intent_fini(&intent);
        sr_close(sr);
        sr = kit_open(io);
        assert_reads(sr, &b, "B...");
        assert_int_not_equal(sr_vdi_snapshot(sr, &b, NULL, &unused, &note), ERR_NONE);
        assert_non_null(strstr(note.text, "finish what was begun"));
        sr_close(sr);
}

static void no_space_fails_cleanly(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), unused;
        struct io_space space;
        struct err_note note = {0};

        (void)state;
        kit_write(sr, &vdi, "A");
        assert_ok(io_space(io, KIT_DIR, &space, &note));
        io_sim_resize(io, space.total - space.free);
        assert_err(sr_vdi_snapshot(sr, &vdi, NULL, &unused, &note), ERR_NO_SPACE, "snapshot VDI a");
        io_sim_resize(io, 1 * TIB);
        assert_int_equal(kit_n_files(io), 1);
        assert_reads(sr, &vdi, "A...");
        (void)kit_snapshot(sr, &vdi, "s");
        sr_close(sr);
}

static void a_thousand_disks_are_scanned_with_few_reads(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a");
        struct io_sim_traffic before, after;
        struct err_note note = {0};

        (void)state;
        for (unsigned i = 0; i < 20; i++)
                (void)kit_clone(sr, &vdi, "c");
        before = io_sim_traffic(io);
        assert_ok(sr_scan(sr, &note));
        after = io_sim_traffic(io);
        /* A file: two footers, header, locators; no BAT.  And the catalog once. */
        assert_true(after.reads - before.reads <= 22 * 7);
        assert_int_equal(after.writes, before.writes);
        sr_close(sr);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_sr_is_made_once_and_says_what_it_is),
                cmocka_unit_test(what_is_no_sr_says_what_to_do),
                cmocka_unit_test(a_lost_catalog_is_rebuilt_from_the_files),
                cmocka_unit_test(a_damaged_catalog_is_refused_and_set_aside_when_told),
                cmocka_unit_test(rows_follow_the_files),
                cmocka_unit_test(an_error_that_passes_shows_no_disk_as_broken),
                cmocka_unit_test(members_of_the_srs_row_that_we_do_not_know_outlast_a_change),
                cmocka_unit_test(an_intent_that_cannot_be_recovered_keeps_the_sr_readable),
                cmocka_unit_test(no_space_fails_cleanly),
                cmocka_unit_test(a_thousand_disks_are_scanned_with_few_reads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
