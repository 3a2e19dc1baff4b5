// SPDX-License-Identifier: Apache-2.0
/* What target.h promises, asked of every maker. */
#include "check.h"

#include <unistd.h>

#include "io_sim.h"
#include "mem.h"
#include "target_dir.h"
#include "target_sim.h"

struct place {
        struct io *io;          /* owned; or NULL */
        struct target_sim *sim; /* owned; or NULL */
        struct target *target;  /* owned */
        char dir[64];           /* "": nothing on a real disk */
};

static void make_dir_in_memory(struct place *place) {
        struct err_note note;

        place->io = io_sim_new(1, 0);
        assert_ok(target_dir_create(place->io, "/vault", &place->target, &note));
}

static void make_dir_without_links(struct place *place) {
        make_dir_in_memory(place);
        io_sim_set_lacks(place->io, IO_SIM_NO_LINK);
}

static void make_dir(struct place *place) {
        struct err_note note;

        place->io = io_posix_new();
        (void)snprintf(place->dir, sizeof place->dir, "test_target_XXXXXX");
        assert_non_null(mkdtemp(place->dir));
        assert_ok(target_dir_create(place->io, place->dir, &place->target, &note));
}

static void make_sim(struct place *place) {
        place->sim = target_sim_new(1);
        place->target = target_sim_open(place->sim);
}

static const struct maker {
        const char *name;
        void (*make)(struct place *);
} makers[] = {
        {"dir", make_dir},
        {"dir in memory", make_dir_in_memory},
        {"dir without links", make_dir_without_links},
        {"sim", make_sim},
};

static void place_fini(struct place *place) {
        AUTO_FREE char *command = mem_format("rm -rf %s", place->dir);

        target_close(place->target);
        if (place->sim)
                target_sim_free(place->sim);
        if (place->io)
                io_free(place->io);
        if (place->dir[0])
                assert_int_equal(system(command), 0);
}

/* Runs a case on each maker, the name of which is said where it fails. */
static void each_maker(void (*run)(struct target *)) {
        for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
                struct place place = {0};

                print_message("            on %s\n", makers[i].name);
                makers[i].make(&place);
                run(place.target);
                place_fini(&place);
        }
}

#define EACH_MAKER(name)                                                                                     \
        static void name(void **state) {                                                                     \
                (void)state;                                                                                 \
                each_maker(name##_on);                                                                       \
        }

/* ---- short words ---- */

static void put(struct target *target, const char *name, const char *text) {
        struct err_note note;

        assert_ok(target_put(target, name, text, strlen(text), &note));
}

static void assert_holds(struct target *target, const char *name, const char *text) {
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note;

        assert_ok(target_get(target, name, 1000, &got, &note));
        assert_string_equal(buf_text(&got), text);
}

/* names: "a b c" */
static void assert_lists(struct target *target, const char *prefix, const char *names) {
        AUTO(target_list_fini) struct target_list list = {0};
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note;

        assert_ok(target_list(target, prefix, &list, &note));
        VEC_EACH (&list.items, each)
                buf_print(&got, "%s%s", got.n ? " " : "", each->name);
        assert_string_equal(buf_text(&got), names);
}

/* ---- promises ---- */

static void what_was_put_is_read_on(struct target *target) {
        uint64_t size;
        struct err_note note;

        put(target, "packs/3f/3f00", "first");
        put(target, "config", "second");
        assert_holds(target, "packs/3f/3f00", "first");
        assert_holds(target, "config", "second");
        assert_ok(target_size(target, "packs/3f/3f00", &size, &note));
        assert_int_equal(size, 5);
}
EACH_MAKER(what_was_put_is_read)

static void a_range_ends_at_the_objects_end_on(struct target *target) {
        char got[8] = {0};
        struct err_note note;
        size_t n;

        put(target, "a/b", "0123456789");
        assert_ok(target_read(target, "a/b", 3, got, 4, &n, &note));
        assert_int_equal(n, 4);
        assert_memory_equal(got, "3456", 4);
        assert_ok(target_read(target, "a/b", 8, got, 4, &n, &note));
        assert_int_equal(n, 2);
        assert_memory_equal(got, "89", 2);
        assert_ok(target_read(target, "a/b", 10, got, 4, &n, &note));
        assert_int_equal(n, 0);
        assert_ok(target_read(target, "a/b", 1000, got, 4, &n, &note));
        assert_int_equal(n, 0);
}
EACH_MAKER(a_range_ends_at_the_objects_end)

static void pieces_are_one_object_on(struct target *target) {
        struct iovec pieces[] = {{(void *)(uintptr_t) "one ", 4}, {NULL, 0}, {(void *)(uintptr_t) "two", 3}};
        struct err_note note;

        assert_ok(target_put_vec(target, "points/a.ok", pieces, 3, &note));
        assert_holds(target, "points/a.ok", "one two");
}
EACH_MAKER(pieces_are_one_object)

static void an_empty_object_is_one_on(struct target *target) {
        put(target, "empty", "");
        assert_holds(target, "empty", "");
        assert_lists(target, "", "empty");
}
EACH_MAKER(an_empty_object_is_one)

static void what_is_not_there_is_not_found_on(struct target *target) {
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note;
        uint64_t size;

        put(target, "packs/3f/3f00", "x");
        assert_err(target_get(target, "config", 10, &got, &note), ERR_NOT_FOUND, "config");
        assert_err(target_size(target, "packs/3f/3f01", &size, &note), ERR_NOT_FOUND, "packs/3f/3f01");
        assert_err(target_size(target, "packs/3f", &size, &note), ERR_NOT_FOUND, "packs/3f");
}
EACH_MAKER(what_is_not_there_is_not_found)

static void listings_are_of_a_prefix_and_sorted_on(struct target *target) {
        assert_lists(target, "", "");
        assert_lists(target, "packs/", "");
        put(target, "packs/3f/3f01", "x");
        put(target, "packs/00/0001", "xy");
        put(target, "packs/3f/3f00", "xyz");
        put(target, "packsless", "x");
        put(target, "config", "x");
        assert_lists(target, "packs/", "packs/00/0001 packs/3f/3f00 packs/3f/3f01");
        assert_lists(target, "packs/3f/", "packs/3f/3f00 packs/3f/3f01");
        assert_lists(target, "", "config packs/00/0001 packs/3f/3f00 packs/3f/3f01 packsless");
        assert_lists(target, "points/", "");
}
EACH_MAKER(listings_are_of_a_prefix_and_sorted)

static void sizes_are_listed_on(struct target *target) {
        AUTO(target_list_fini) struct target_list list = {0};
        struct err_note note;

        put(target, "packs/3f/3f01", "four");
        assert_ok(target_list(target, "packs/", &list, &note));
        assert_int_equal(list.items.n, 1);
        assert_int_equal(list.items.data[0].size, 4);
}
EACH_MAKER(sizes_are_listed)

static void what_was_removed_is_gone_on(struct target *target) {
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note;

        put(target, "packs/3f/3f01", "x");
        put(target, "packs/3f/3f02", "x");
        assert_ok(target_remove(target, "packs/3f/3f01", &note));
        assert_err(target_get(target, "packs/3f/3f01", 10, &got, &note), ERR_NOT_FOUND, "3f01");
        assert_lists(target, "packs/", "packs/3f/3f02");
        assert_ok(target_remove(target, "packs/3f/3f01", &note));
        assert_ok(target_remove(target, "never/was", &note));
}
EACH_MAKER(what_was_removed_is_gone)

static void a_second_put_changes_nothing_on(struct target *target) {
        struct err_note note;
        enum err err;

        put(target, "packs/3f/3f01", "same");
        err = target_put(target, "packs/3f/3f01", "same", 4, &note);
        assert_true(err == ERR_NONE || err == ERR_EXISTS);
        assert_holds(target, "packs/3f/3f01", "same");
        assert_lists(target, "", "packs/3f/3f01");
}
EACH_MAKER(a_second_put_changes_nothing)

static void replacing_replaces_on(struct target *target) {
        struct err_note note;

        assert_ok(target_replace(target, "config", "long before", 11, &note));
        assert_holds(target, "config", "long before");
        assert_ok(target_replace(target, "config", "after", 5, &note));
        assert_holds(target, "config", "after");
        assert_lists(target, "", "config");
}
EACH_MAKER(replacing_replaces)

static void a_large_object_is_fetched_whole_or_refused_on(struct target *target) {
        enum { SIZE = 700 * 1024 };
        AUTO_FREE uint8_t *bytes = mem_zero(SIZE);
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note;

        for (size_t i = 0; i < SIZE; i++)
                bytes[i] = (uint8_t)(i * 7 + i / 999);
        assert_ok(target_put(target, "packs/00/0001", bytes, SIZE, &note));
        assert_err(target_get(target, "packs/00/0001", SIZE - 1, &got, &note), ERR_TOO_LARGE, "0001");
        assert_int_equal(got.n, 0);
        buf_add(&got, "kept", 4);
        assert_ok(target_get(target, "packs/00/0001", SIZE, &got, &note));
        assert_int_equal(got.n, SIZE + 4);
        assert_memory_equal(got.data, "kept", 4);
        assert_memory_equal(got.data + 4, bytes, SIZE);
        assert_err(target_get(target, "packs/00/0001", 100, &got, &note), ERR_TOO_LARGE, "100");
}
EACH_MAKER(a_large_object_is_fetched_whole_or_refused)

static void what_is_no_name_is_refused_on(struct target *target) {
        static const char *const bad[] = {"",  "/a",  "a/",  "a//b", ".a", "a/.b", "a/../b", "..",
                                          "A", "a b", "a_b", "a\n",  "ä",  ".tmp", "a/./b",  "+"};
        char longest[TARGET_NAME_MAX + 2];
        struct err_note note;

        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                assert_err(target_put(target, bad[i], "x", 1, &note), ERR_INVALID, "no name");
                assert_err(target_remove(target, bad[i], &note), ERR_INVALID, "no name");
        }
        memset(longest, 'a', sizeof longest - 1);
        longest[TARGET_NAME_MAX + 1] = '\0';
        assert_err(target_put(target, longest, "x", 1, &note), ERR_INVALID, "no name");
        longest[TARGET_NAME_MAX] = '\0';
        put(target, longest, "x");
        assert_holds(target, longest, "x");
        put(target, "0/a-b.c.d", "x");
}
EACH_MAKER(what_is_no_name_is_refused)

static void what_is_no_folder_is_refused_on(struct target *target) {
        AUTO(target_list_fini) struct target_list list = {0};
        struct err_note note;

        assert_err(target_list(target, "packs", &list, &note), ERR_INVALID, "no folder");
        assert_err(target_list(target, "../", &list, &note), ERR_INVALID, "no folder");
        assert_err(target_list(target, "/", &list, &note), ERR_INVALID, "no folder");
}
EACH_MAKER(what_is_no_folder_is_refused)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_was_put_is_read),
                cmocka_unit_test(a_range_ends_at_the_objects_end),
                cmocka_unit_test(pieces_are_one_object),
                cmocka_unit_test(an_empty_object_is_one),
                cmocka_unit_test(what_is_not_there_is_not_found),
                cmocka_unit_test(listings_are_of_a_prefix_and_sorted),
                cmocka_unit_test(sizes_are_listed),
                cmocka_unit_test(what_was_removed_is_gone),
                cmocka_unit_test(a_second_put_changes_nothing),
                cmocka_unit_test(replacing_replaces),
                cmocka_unit_test(a_large_object_is_fetched_whole_or_refused),
                cmocka_unit_test(what_is_no_name_is_refused),
                cmocka_unit_test(what_is_no_folder_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
