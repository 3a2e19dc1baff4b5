// SPDX-License-Identifier: Apache-2.0
#include "objects_kit.h"

/* ---- reading and changing ---- */

static void what_was_put_is_read_with_every_field(void **state) {
        struct kit kit = kit_open();
        struct uuid uuid = kit_uuid(1);
        json_t *record;

        (void)state;
        kit_put(&kit, XAPI_VDI, 1, "one");
        record = objects_get(kit.objects, XAPI_VDI, &uuid);
        assert_string_equal(json_string_value(json_object_get(record, "name_label")), "one");
        assert_string_equal(json_string_value(json_object_get(record, "uuid")), uuid_format(&uuid).s);
        assert_non_null(json_object_get(record, "tags"));
        json_decref(record);
        assert_null(objects_get(kit.objects, XAPI_VM, &uuid));
        assert_int_equal(objects_count(kit.objects, XAPI_VDI), 1);
        assert_int_equal(objects_count(kit.objects, XAPI_VM), 0);
        kit_close(&kit);
}

static void what_a_record_lacks_is_filled_in(void **state) {
        struct kit kit = kit_open();
        struct objects_change *change = kit_begin(&kit);
        struct uuid one = kit_uuid(1), two = kit_uuid(2);

        (void)state;
        objects_put(change, XAPI_VDI, &one, json_pack("{s:s}", "name_label", "one"));
        objects_put(change, XAPI_VDI, &two, NULL);
        kit_commit(change);
        assert_string_equal(kit_text(&kit, XAPI_VDI, &one, "name_label"), "one");
        assert_string_equal(kit_text(&kit, XAPI_VDI, &one, "SR"), XAPI_NULL_REF);
        assert_string_equal(kit_text(&kit, XAPI_VDI, &one, "uuid"), uuid_format(&one).s);
        assert_string_equal(kit_text(&kit, XAPI_VDI, &two, "on_boot"), "persist");
        kit_close(&kit);
}

static void a_change_sees_itself_and_nobody_else_does_until_it_is_committed(void **state) {
        struct kit kit = kit_open();
        struct uuid one = kit_uuid(1), two = kit_uuid(2);
        struct objects_change *change;
        json_t *seen;

        (void)state;
        kit_put(&kit, XAPI_VDI, 1, "one");
        change = kit_begin(&kit);
        assert_true(objects_set(change, XAPI_VDI, &one, "name_label", json_string("uno")));
        objects_put(change, XAPI_VDI, &two, NULL);
        seen = objects_change_get(change, XAPI_VDI, &one);
        assert_string_equal(json_string_value(json_object_get(seen, "name_label")), "uno");
        assert_string_equal(kit_label(&kit, XAPI_VDI, 1), "one");
        assert_null(objects_get(kit.objects, XAPI_VDI, &two));
        /* What was handed out stays as it was, whatever the change does next. */
        assert_true(objects_set(change, XAPI_VDI, &one, "name_label", json_string("eins")));
        assert_string_equal(json_string_value(json_object_get(seen, "name_label")), "uno");
        json_decref(seen);
        kit_commit(change);
        assert_string_equal(kit_label(&kit, XAPI_VDI, 1), "eins");
        assert_int_equal(objects_count(kit.objects, XAPI_VDI), 2);
        kit_close(&kit);
}

static void a_record_that_was_taken_stays_what_it_was(void **state) {
        struct kit kit = kit_open();
        struct uuid one = kit_uuid(1);
        struct objects_change *change;
        json_t *before;

        (void)state;
        kit_put(&kit, XAPI_VDI, 1, "one");
        before = objects_get(kit.objects, XAPI_VDI, &one);
        change = kit_begin(&kit);
        objects_set(change, XAPI_VDI, &one, "name_label", json_string("uno"));
        kit_commit(change);
        kit_remove(&kit, XAPI_VDI, 1);
        assert_string_equal(json_string_value(json_object_get(before, "name_label")), "one");
        json_decref(before);
        kit_close(&kit);
}

static void an_aborted_change_leaves_no_trace(void **state) {
        struct kit kit = kit_open();
        struct uuid one = kit_uuid(1), two = kit_uuid(2);
        struct objects_change *change;
        uint64_t generation;

        (void)state;
        kit_put(&kit, XAPI_VDI, 1, "one");
        generation = objects_generation(kit.objects);
        change = kit_begin(&kit);
        objects_remove(change, XAPI_VDI, &one);
        objects_put(change, XAPI_VDI, &two, NULL);
        objects_abort(change);
        assert_int_equal(objects_generation(kit.objects), generation);
        assert_string_equal(kit_label(&kit, XAPI_VDI, 1), "one");
        assert_int_equal(objects_count(kit.objects, XAPI_VDI), 1);
        kit_close(&kit);
}

static void whoever_tries_does_not_wait(void **state) {
        struct kit kit = kit_open();
        struct objects_change *change = kit_begin(&kit), *second;

        (void)state;
        assert_false(objects_try_begin(kit.objects, &second));
        objects_abort(change);
        assert_true(objects_try_begin(kit.objects, &second));
        objects_abort(second);
        kit_close(&kit);
}

static void what_is_not_there_is_neither_set_nor_removed_nor_touched(void **state) {
        struct kit kit = kit_open();
        struct objects_change *change = kit_begin(&kit);
        struct uuid one = kit_uuid(1);
        uint64_t generation = objects_generation(kit.objects);

        (void)state;
        assert_false(objects_set(change, XAPI_VDI, &one, "name_label", json_string("x")));
        assert_false(objects_set(change, XAPI_VDI, &one, "colour", json_string("red")));
        assert_false(objects_remove(change, XAPI_VDI, &one));
        assert_false(objects_touch(change, XAPI_VDI, &one));
        assert_null(objects_change_get(change, XAPI_VDI, &one));
        /* One that came and went within a change was never there. */
        objects_put(change, XAPI_VDI, &one, NULL);
        assert_true(objects_remove(change, XAPI_VDI, &one));
        assert_false(objects_remove(change, XAPI_VDI, &one));
        assert_int_equal(kit_commit(change), generation);
        kit_close(&kit);
}

static void what_changes_nothing_has_no_generation_and_writes_nothing(void **state) {
        struct kit kit = kit_open();
        struct uuid one = kit_uuid(1);
        struct objects_change *change;
        uint64_t generation, calls;

        (void)state;
        generation = kit_put(&kit, XAPI_VDI, 1, "one");
        calls = store_sim_calls(kit_sim);
        assert_int_equal(kit_put(&kit, XAPI_VDI, 1, "one"), generation);
        change = kit_begin(&kit);
        objects_set(change, XAPI_VDI, &one, "name_label", json_string("uno"));
        objects_set(change, XAPI_VDI, &one, "name_label", json_string("one"));
        assert_false(objects_set(change, XAPI_VDI, &one, "colour", json_string("red")));
        assert_int_equal(kit_commit(change), generation);
        assert_int_equal(store_sim_calls(kit_sim), calls);
        kit_close(&kit);
}

static void text_that_is_none_becomes_the_default(void **state) {
        struct kit kit = kit_open();
        struct uuid one = kit_uuid(1);
        struct objects_change *change;

        (void)state;
        kit_put(&kit, XAPI_VDI, 1, "one");
        change = kit_begin(&kit);
        assert_true(objects_set(change, XAPI_VDI, &one, "name_label", json_string("\xff")));
        kit_commit(change);
        assert_string_equal(kit_label(&kit, XAPI_VDI, 1), "");
        kit_close(&kit);
}

static void all_of_a_class_come_by_reference(void **state) {
        struct kit kit = kit_open();
        struct uuid two = kit_uuid(2), any;
        json_t *all, *record;

        (void)state;
        kit_put(&kit, XAPI_VDI, 1, "one");
        kit_put(&kit, XAPI_VDI, 2, "two");
        kit_put(&kit, XAPI_VM, 3, "three");
        assert_true(objects_any(kit.objects, XAPI_VM, &any));
        assert_int_equal(any.b[5], 3);
        assert_false(objects_any(kit.objects, XAPI_HOST, &any));
        all = objects_all(kit.objects, XAPI_VDI);
        assert_int_equal(json_object_size(all), 2);
        record = json_object_get(all, xapi_ref_of(&two).s);
        assert_string_equal(json_string_value(json_object_get(record, "name_label")), "two");
        json_decref(all);
        kit_close(&kit);
}

/* ---- what changed since ---- */

struct told {
        char text[512];
        uint64_t now;
};

static void tell(void *user, const struct objects_event *event) {
        static const char *const words[] = {[OBJECT_ADD] = "add", [OBJECT_MOD] = "mod", [OBJECT_DEL] = "del"};
        struct told *told = user;
        size_t n = strlen(told->text);

        assert_int_equal(event->record == NULL, event->operation == OBJECT_DEL);
        if (n < sizeof told->text - 32)
                snprintf(told->text + n, sizeof told->text - n, "%s%s %s%u", n ? ", " : "",
                         words[event->operation], xapi_classes[event->class].name, event->uuid.b[5]);
}

static const char *since(struct kit *kit, uint64_t generation) {
        static struct told told;
        struct err_note note = {0};

        memset(&told, 0, sizeof told);
        assert_ok(objects_since(kit->objects, generation, tell, &told, &told.now, &note));
        assert_int_equal(told.now, objects_generation(kit->objects));
        return told.text;
}

static void each_object_is_told_once_as_it_is_now_and_in_order(void **state) {
        struct kit kit = kit_open();
        uint64_t start, middle;

        (void)state;
        kit_put(&kit, XAPI_VDI, 1, "one");
        start = kit_put(&kit, XAPI_VDI, 2, "two");
        assert_string_equal(since(&kit, start), "");
        kit_put(&kit, XAPI_VM, 3, "three");
        kit_put(&kit, XAPI_VDI, 1, "uno");
        middle = kit_put(&kit, XAPI_VM, 4, "four");
        kit_put(&kit, XAPI_VM, 3, "drei");
        kit_remove(&kit, XAPI_VDI, 2);
        assert_string_equal(since(&kit, start), "mod VDI1, add VM4, add VM3, del VDI2");
        assert_string_equal(since(&kit, middle), "mod VM3, del VDI2");
        assert_string_equal(since(&kit, 0), "add VDI1, add VM4, add VM3");
        kit_close(&kit);
}

static void one_that_came_and_went_unseen_is_not_told_of(void **state) {
        struct kit kit = kit_open();
        uint64_t start = kit_put(&kit, XAPI_VDI, 1, "one");

        (void)state;
        kit_put(&kit, XAPI_VDI, 2, "two");
        kit_remove(&kit, XAPI_VDI, 2);
        assert_string_equal(since(&kit, start), "");
        kit_remove(&kit, XAPI_VDI, 1);
        kit_put(&kit, XAPI_VDI, 1, "again");
        assert_string_equal(since(&kit, start), "add VDI1");
        kit_remove(&kit, XAPI_VDI, 1);
        assert_string_equal(since(&kit, start), "del VDI1");
        kit_close(&kit);
}

static void what_is_touched_is_told_of_and_not_written(void **state) {
        struct kit kit = kit_open();
        struct uuid one = kit_uuid(1);
        uint64_t start = kit_put(&kit, XAPI_VDI, 1, "one"), calls = store_sim_calls(kit_sim);
        struct objects_change *change = kit_begin(&kit);

        (void)state;
        assert_true(objects_touch(change, XAPI_VDI, &one));
        assert_int_equal(kit_commit(change), start + 1);
        assert_string_equal(since(&kit, start), "mod VDI1");
        assert_int_equal(store_sim_calls(kit_sim), calls);
        kit_close(&kit);
}

static void a_generation_that_never_was_is_not_known(void **state) {
        struct kit kit = kit_open();
        struct err_note note = {0};
        struct told told = {0};

        (void)state;
        assert_err(objects_since(kit.objects, objects_generation(kit.objects) + 1, tell, &told, &told.now,
                                 &note),
                   ERR_NOT_FOUND, "not known any more");
        kit_close(&kit);
}

static void what_is_gone_is_remembered_for_a_bounded_time(void **state) {
        struct kit kit = kit_open();
        struct err_note note = {0};
        struct told told = {0};
        uint64_t start, first_gone;

        (void)state;
        kit_put(&kit, XAPI_VDI, 1, "one");
        start = kit_put(&kit, XAPI_VDI, 2, "two");
        first_gone = kit_remove(&kit, XAPI_VDI, 1);
        for (unsigned i = 0; i < OBJECTS_GONE_MAX - 1; i++) {
                struct objects_change *change = kit_begin(&kit);
                struct uuid uuid = kit_uuid(1000);

                objects_change_is_volatile(change);
                objects_put(change, XAPI_SESSION, &uuid, json_object());
                kit_commit(change);
                change = kit_begin(&kit);
                assert_true(objects_remove(change, XAPI_SESSION, &uuid));
                kit_commit(change);
        }
        assert_string_equal(since(&kit, start), "del VDI1");
        kit_remove(&kit, XAPI_VDI, 2);
        assert_string_equal(since(&kit, first_gone), "del VDI2");
        assert_err(objects_since(kit.objects, start, tell, &told, &told.now, &note), ERR_NOT_FOUND,
                   "not known");
        assert_string_equal(since(&kit, 0), "");
        kit_close(&kit);
}

/* ---- the store ---- */

static void what_was_committed_is_there_after_a_restart(void **state) {
        struct kit kit = kit_open();
        struct uuid one = kit_uuid(1);
        struct objects_change *change;
        uint64_t epoch = objects_epoch(kit.objects);

        (void)state;
        kit_put(&kit, XAPI_VDI, 1, "one");
        kit_put(&kit, XAPI_VM, 2, "two");
        change = kit_begin(&kit);
        objects_set(change, XAPI_VDI, &one, "name_label", json_string("uno"));
        objects_set(change, XAPI_VDI, &one, "virtual_size", json_integer(9007199254740993));
        kit_commit(change);
        kit_remove(&kit, XAPI_VM, 2);
        kit_restart(&kit);
        assert_string_equal(kit_label(&kit, XAPI_VDI, 1), "uno");
        assert_string_equal(kit_text(&kit, XAPI_VDI, &one, "uuid"), uuid_format(&one).s);
        assert_int_equal(objects_count(kit.objects, XAPI_VM), 0);
        assert_int_not_equal(objects_epoch(kit.objects), epoch);
        assert_string_equal(since(&kit, 0), "add VDI1");
        kit_close(&kit);
}

static void what_is_volatile_is_gone_after_a_restart(void **state) {
        struct kit kit = kit_open();
        struct uuid one = kit_uuid(1), two = kit_uuid(2);
        struct objects_change *change;
        uint64_t calls;

        (void)state;
        kit_put(&kit, XAPI_TASK, 1, "one");
        calls = store_sim_calls(kit_sim);
        change = kit_begin(&kit);
        objects_change_is_volatile(change);
        objects_put(change, XAPI_SESSION, &two, NULL);
        objects_set(change, XAPI_TASK, &one, "progress", json_real(0.5));
        kit_commit(change);
        assert_int_equal(store_sim_calls(kit_sim), calls);
        assert_int_equal(objects_count(kit.objects, XAPI_SESSION), 1);
        kit_restart(&kit);
        assert_int_equal(objects_count(kit.objects, XAPI_SESSION), 0);
        assert_string_equal(kit_label(&kit, XAPI_TASK, 1), "one");
        kit_close(&kit);
}

static void what_a_volatile_change_removes_does_not_come_back(void **state) {
        struct kit kit = kit_open();
        struct uuid one = kit_uuid(1);
        struct objects_change *change;

        (void)state;
        kit_put(&kit, XAPI_TASK, 1, "one");
        change = kit_begin(&kit);
        objects_change_is_volatile(change);
        assert_true(objects_remove(change, XAPI_TASK, &one));
        kit_commit(change);
        kit_restart(&kit);
        assert_int_equal(objects_count(kit.objects, XAPI_TASK), 0);
        kit_close(&kit);
}

static void put_row(const char *table, const char *key, const char *text) {
        struct store_change *change;
        struct err_note note = {0};
        struct store *store;

        assert_ok(store_sim_open(kit_sim, STORE_CREATE, &store, &note));
        assert_ok(store_begin(store, &change, &note));
        assert_ok(store_put(change, table, key, text, strlen(text), &note));
        assert_ok(store_commit(change, &note));
        store_close(store);
}

static void get_row(const char *table, const char *key, struct buf *ret) {
        struct err_note note = {0};
        struct store *store;

        assert_ok(store_sim_open(kit_sim, STORE_WRITE, &store, &note));
        assert_ok(store_get(store, table, key, ret, &note));
        store_close(store);
}

static void a_row_of_another_version_is_filled_in_and_what_it_has_more_is_kept(void **state) {
        AUTO(buf_fini) struct buf row = {0};
        struct kit kit = kit_open();
        struct uuid one = kit_uuid(1);
        struct objects_change *change;
        json_t *record;

        (void)state;
        objects_close(kit.objects);
        put_row("VDI", uuid_format(&one).s, "{\"name_label\":\"one\",\"on_boot\":7,\"colour\":\"red\"}");
        kit_reopen(&kit);
        record = objects_get(kit.objects, XAPI_VDI, &one);
        assert_null(json_object_get(record, "colour"));
        assert_string_equal(json_string_value(json_object_get(record, "on_boot")), "persist");
        assert_non_null(json_object_get(record, "tags"));
        json_decref(record);
        change = kit_begin(&kit);
        objects_set(change, XAPI_VDI, &one, "name_label", json_string("uno"));
        kit_commit(change);
        objects_close(kit.objects);
        get_row("VDI", uuid_format(&one).s, &row);
        assert_non_null(strstr(buf_text(&row), "\"colour\":\"red\""));
        assert_non_null(strstr(buf_text(&row), "\"name_label\":\"uno\""));
        kit_reopen(&kit);
        kit_close(&kit);
}

static void an_older_format_is_migrated_and_a_later_one_refused(void **state) {
        AUTO(buf_fini) struct buf format = {0};
        struct kit kit = kit_open();
        struct err_note note = {0};

        (void)state;
        kit_put(&kit, XAPI_VDI, 1, "one");
        objects_close(kit.objects);
        get_row("meta", "format", &format);
        assert_string_equal(buf_text(&format), "1");
        put_row("meta", "format", "0");
        kit_reopen(&kit);
        assert_string_equal(kit_label(&kit, XAPI_VDI, 1), "one");
        objects_close(kit.objects);
        get_row("meta", "format", &format);
        assert_string_equal(buf_text(&format), "1");
        put_row("meta", "format", "2");
        assert_err(objects_open(kit.io, "/state.db", kit_open_store, &kit.objects, &note), ERR_UNSUPPORTED,
                   "is of format 2, written by a later Catena");
        put_row("meta", "format", "\"1\"");
        assert_err(objects_open(kit.io, "/state.db", kit_open_store, &kit.objects, &note), ERR_CORRUPT,
                   "of which format");
        put_row("meta", "format", "1");
        kit_reopen(&kit);
        kit_close(&kit);
}

static void a_damaged_row_is_named(void **state) {
        struct kit kit = kit_open();
        struct uuid one = kit_uuid(1);
        struct err_note note = {0};

        (void)state;
        objects_close(kit.objects);
        put_row("VDI", uuid_format(&one).s, "{\"name_label\":");
        assert_err(objects_open(kit.io, "/state.db", kit_open_store, &kit.objects, &note), ERR_CORRUPT,
                   "of VDI is damaged");
        put_row("VDI", uuid_format(&one).s, "{}");
        put_row("VDI", "one", "{}");
        assert_err(objects_open(kit.io, "/state.db", kit_open_store, &kit.objects, &note), ERR_CORRUPT,
                   "row one of VDI");
        store_sim_free(kit_sim);
        io_free(kit.io);
}

static void of_a_change_that_cannot_be_written_nobody_sees_anything(void **state) {
        struct kit kit = kit_open();
        struct uuid one = kit_uuid(1), two = kit_uuid(2);
        struct err_note note = {0};
        uint64_t generation;

        (void)state;
        kit_put(&kit, XAPI_VDI, 1, "one");
        generation = objects_generation(kit.objects);
        for (uint64_t n = 1; n <= 4; n++) {
                struct objects_change *change = kit_begin(&kit);

                objects_set(change, XAPI_VDI, &one, "name_label", json_string("uno"));
                objects_put(change, XAPI_VDI, &two, NULL);
                store_sim_fail_at(kit_sim, n, ERR_NO_SPACE, false);
                assert_err(objects_commit(change, NULL, &note), ERR_NO_SPACE, "write objects");
                assert_int_equal(objects_generation(kit.objects), generation);
                assert_string_equal(kit_label(&kit, XAPI_VDI, 1), "one");
                assert_null(objects_get(kit.objects, XAPI_VDI, &two));
        }
        kit_put(&kit, XAPI_VDI, 1, "uno");
        kit_restart(&kit);
        assert_string_equal(kit_label(&kit, XAPI_VDI, 1), "uno");
        assert_int_equal(objects_count(kit.objects, XAPI_VDI), 1);
        kit_close(&kit);
}

static void a_commit_that_failed_and_happened_all_the_same_has_happened(void **state) {
        struct kit kit = kit_open();
        struct objects_change *change;
        struct err_note note = {0};
        struct uuid one = kit_uuid(1);

        (void)state;
        kit_put(&kit, XAPI_VDI, 1, "one");
        change = kit_begin(&kit);
        objects_set(change, XAPI_VDI, &one, "name_label", json_string("uno"));
        store_sim_fail_at(kit_sim, 3, ERR_IO, true);
        assert_ok(objects_commit(change, NULL, &note));
        assert_string_equal(kit_label(&kit, XAPI_VDI, 1), "uno");
        kit_restart(&kit);
        assert_string_equal(kit_label(&kit, XAPI_VDI, 1), "uno");
        kit_close(&kit);
}

/* ---- waiting ---- */

static void count_call(void *user) {
        ++*(unsigned *)user;
}

static void whoever_watches_is_called_after_each_commit_that_changed_anything(void **state) {
        unsigned one = 0, two = 0;
        struct kit kit = kit_open();
        struct objects_watch *first = objects_watch(kit.objects, count_call, &one);
        struct objects_watch *second = objects_watch(kit.objects, count_call, &two);

        (void)state;
        kit_put(&kit, XAPI_VDI, 1, "one");
        kit_put(&kit, XAPI_VDI, 1, "one");
        assert_int_equal(one, 1);
        objects_unwatch(kit.objects, first);
        kit_put(&kit, XAPI_VDI, 1, "uno");
        assert_int_equal(one, 1);
        assert_int_equal(two, 2);
        objects_unwatch(kit.objects, second);
        kit_close(&kit);
}

/* ---- many ---- */

static void many_objects_cost_little(void **state) {
        struct kit kit = kit_open();
        struct objects_change *change = kit_begin(&kit);
        uint64_t generation;

        (void)state;
        for (unsigned i = 0; i < 3000; i++) {
                struct uuid uuid = kit_uuid(i);

                objects_put(change, XAPI_VDI, &uuid, NULL);
        }
        generation = kit_commit(change);
        for (unsigned i = 0; i < 200; i++) {
                json_t *all = objects_all(kit.objects, XAPI_VDI);

                assert_int_equal(json_object_size(all), 3000);
                json_decref(all);
                assert_string_equal(since(&kit, generation), "");
        }
        kit_close(&kit);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_put_is_read_with_every_field),
                cmocka_unit_test(what_a_record_lacks_is_filled_in),
                cmocka_unit_test(a_change_sees_itself_and_nobody_else_does_until_it_is_committed),
                cmocka_unit_test(a_record_that_was_taken_stays_what_it_was),
                cmocka_unit_test(an_aborted_change_leaves_no_trace),
                cmocka_unit_test(whoever_tries_does_not_wait),
                cmocka_unit_test(what_is_not_there_is_neither_set_nor_removed_nor_touched),
                cmocka_unit_test(what_changes_nothing_has_no_generation_and_writes_nothing),
                cmocka_unit_test(text_that_is_none_becomes_the_default),
                cmocka_unit_test(all_of_a_class_come_by_reference),
                cmocka_unit_test(each_object_is_told_once_as_it_is_now_and_in_order),
                cmocka_unit_test(one_that_came_and_went_unseen_is_not_told_of),
                cmocka_unit_test(what_is_touched_is_told_of_and_not_written),
                cmocka_unit_test(a_generation_that_never_was_is_not_known),
                cmocka_unit_test(what_is_gone_is_remembered_for_a_bounded_time),
                cmocka_unit_test(what_was_committed_is_there_after_a_restart),
                cmocka_unit_test(what_is_volatile_is_gone_after_a_restart),
                cmocka_unit_test(what_a_volatile_change_removes_does_not_come_back),
                cmocka_unit_test(a_row_of_another_version_is_filled_in_and_what_it_has_more_is_kept),
                cmocka_unit_test(an_older_format_is_migrated_and_a_later_one_refused),
                cmocka_unit_test(a_damaged_row_is_named),
                cmocka_unit_test(of_a_change_that_cannot_be_written_nobody_sees_anything),
                cmocka_unit_test(a_commit_that_failed_and_happened_all_the_same_has_happened),
                cmocka_unit_test(whoever_watches_is_called_after_each_commit_that_changed_anything),
                cmocka_unit_test(many_objects_cost_little),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
