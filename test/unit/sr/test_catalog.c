// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"

#include "intent.h"
#include "store_sqlite.h"

#define PATH "/catalog.db"

static struct catalog *open_catalog(struct io *io) {
        struct err_note note = {0};
        struct catalog *catalog = NULL;

        assert_ok(catalog_open(io, PATH, store_sqlite_open, STORE_WRITE | STORE_CREATE, &catalog, &note));
        return catalog;
}

static void put_raw(struct catalog *catalog, const char *table, const char *key, const char *value) {
        struct store_change *change;
        struct err_note note = {0};

        assert_ok(catalog_begin(catalog, &change, &note));
        assert_ok(store_put(change, table, key, value, strlen(value), &note));
        assert_ok(store_commit(change, &note));
}

static const struct uuid one = {{1}}, two = {{2}};

static void rows_come_back_as_they_were_put(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct catalog *catalog = open_catalog(io);
        struct vdi_row row = {.uuid = one,
                              .name = mem_text("na\"me é"),
                              .description = mem_text("d"),
                              .is_snapshot = true,
                              .snapshot_of = two,
                              .snapshot_time = 5,
                              .created = 6,
                              .stream_uuid = two};
        AUTO(vdi_row_fini) struct vdi_row got = {0};
        struct store_change *change;
        struct err_note note = {0};

        (void)state;
        *vec_add(&row.tags) = mem_text("t");
        assert_ok(catalog_begin(catalog, &change, &note));
        assert_ok(catalog_put_vdi(change, &row, &note));
        assert_ok(store_commit(change, &note));
        catalog_close(catalog);
        catalog = open_catalog(io);
        assert_ok(catalog_get_vdi(catalog, &one, &got, &note));
        assert_string_equal(got.name, row.name);
        assert_string_equal(got.description, "d");
        assert_true(got.is_snapshot);
        assert_true(uuid_equal(&got.snapshot_of, &two));
        assert_true(uuid_equal(&got.stream_uuid, &two));
        assert_int_equal(got.snapshot_time, 5);
        assert_int_equal(got.created, 6);
        assert_int_equal(got.tags.n, 1);
        assert_string_equal(got.tags.data[0], "t");
        assert_int_equal(catalog_get_vdi(catalog, &two, &got, &note), ERR_NOT_FOUND);
        catalog_close(catalog);
        vdi_row_fini(&row);
}

static void members_that_we_do_not_know_are_kept(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct catalog *catalog = open_catalog(io);
        AUTO(vdi_row_fini) struct vdi_row row = {0};
        AUTO(buf_fini) struct buf value = {0};
        struct store_change *change;
        struct err_note note = {0};

        (void)state;
        put_raw(catalog, "vdi", uuid_format(&one).s, "{\"name\":\"a\",\"later\":[1,2]}");
        assert_ok(catalog_get_vdi(catalog, &one, &row, &note));
        assert_ok(catalog_begin(catalog, &change, &note));
        assert_ok(catalog_put_vdi(change, &row, &note));
        assert_ok(store_commit(change, &note));
        assert_ok(store_get(catalog_store(catalog), "vdi", uuid_format(&one).s, &value, &note));
        assert_non_null(strstr(buf_text(&value), "\"later\":[1,2]"));
        catalog_close(catalog);
}

static void a_bad_row_costs_its_own_name_and_a_bad_lease_or_intent_is_an_error(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct catalog *catalog = open_catalog(io);
        AUTO(vdi_rows_fini) struct vdi_rows rows = {0};
        AUTO(leases_fini) struct leases leases = {0};
        AUTO(intents_fini) struct intents intents = {0};
        struct err_note note = {0};
        unsigned n_bad;

        (void)state;
        put_raw(catalog, "vdi", uuid_format(&one).s, "{\"name\":");
        put_raw(catalog, "vdi", "no uuid", "{}");
        put_raw(catalog, "vdi", uuid_format(&two).s, "{\"name\":7}");
        assert_ok(catalog_each_vdi(catalog, &rows, &n_bad, &note));
        assert_int_equal(rows.list.n, 1);
        assert_int_equal(n_bad, 2);
        put_raw(catalog, "lease", uuid_format(&one).s, "[]");
        assert_err(catalog_leases(catalog, &leases, &note), ERR_CORRUPT, uuid_format(&one).s);
        put_raw(catalog, "intent", uuid_format(&one).s, "{\"kind\":\"pivot\"}");
        assert_err(intents_read(catalog, &intents, &note), ERR_CORRUPT, uuid_format(&one).s);
        catalog_close(catalog);
}

static void a_later_catalog_is_refused(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct catalog *catalog = open_catalog(io);
        AUTO(sr_row_fini) struct sr_row row = {0};
        struct err_note note = {0};

        (void)state;
        assert_int_equal(catalog_get_sr(catalog, &row, &note), ERR_NOT_FOUND);
        put_raw(catalog, "sr", "sr", "{\"format\":2}");
        assert_err(catalog_get_sr(catalog, &row, &note), ERR_UNSUPPORTED, "later Catena");
        catalog_close(catalog);
}

static void intents_come_back_with_their_plan_and_row(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct catalog *catalog = open_catalog(io);
        struct intent intent = {
                .uuid = one, .kind = INTENT_RESIZE, .vdi = two, .vdi_kind = IMAGE_RAW, .has_row = true};
        AUTO(intents_fini) struct intents got = {0};
        struct store_change *change;
        struct err_note note = {0};

        (void)state;
        intent.row.uuid = two;
        intent.row.name = mem_text("n");
        buf_add(&intent.plan, "\0pl\0an", 6);
        assert_ok(catalog_begin(catalog, &change, &note));
        assert_ok(intent_put(change, &intent, &note));
        assert_ok(store_commit(change, &note));
        assert_ok(intents_read(catalog, &got, &note));
        assert_int_equal(got.list.n, 1);
        assert_int_equal(got.list.data[0].kind, INTENT_RESIZE);
        assert_int_equal(got.list.data[0].vdi_kind, IMAGE_RAW);
        assert_true(uuid_equal(&got.list.data[0].vdi, &two));
        assert_true(got.list.data[0].has_row && uuid_equal(&got.list.data[0].row.uuid, &two));
        assert_string_equal(got.list.data[0].row.name, "n");
        assert_int_equal(got.list.data[0].plan.n, 6);
        assert_memory_equal(got.list.data[0].plan.data, "\0pl\0an", 6);
        assert_ok(catalog_begin(catalog, &change, &note));
        assert_ok(intent_drop(change, &one, &note));
        assert_ok(store_commit(change, &note));
        intents_fini(&got);
        assert_ok(intents_read(catalog, &got, &note));
        assert_int_equal(got.list.n, 0);
        catalog_close(catalog);
        intent_fini(&intent);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(rows_come_back_as_they_were_put),
                cmocka_unit_test(members_that_we_do_not_know_are_kept),
                cmocka_unit_test(a_bad_row_costs_its_own_name_and_a_bad_lease_or_intent_is_an_error),
                cmocka_unit_test(a_later_catalog_is_refused),
                cmocka_unit_test(intents_come_back_with_their_plan_and_row),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
