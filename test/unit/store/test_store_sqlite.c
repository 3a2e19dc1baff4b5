// SPDX-License-Identifier: Apache-2.0
/* What store_sqlite promises beyond store.h: its file, and what it leaves alone.  The sweeps are in
 * test_store_sqlite_vfs.c. */
#include "check.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "io.h"
#include "io_sim.h"
#include "mem.h"
#include "store.h"
#include "store_sqlite.h"

/* ---- a store in a directory of the real file system, or of a simulated one ---- */

struct place {
        struct io *io; /* owned */
        char dir[64];
        char path[96];
};

static int make_posix(void **state) {
        struct place *place = mem_new(struct place);

        place->io = io_posix_new();
        snprintf(place->dir, sizeof place->dir, "test_store_sqlite_XXXXXX");
        assert_non_null(mkdtemp(place->dir));
        snprintf(place->path, sizeof place->path, "%s/rows.sqlite", place->dir);
        *state = place;
        return 0;
}

static int end_posix(void **state) {
        struct place *place = *state;
        AUTO(io_names_fini) struct io_names names = {0};
        struct err_note note;

        assert_ok(io_list(place->io, place->dir, &names, &note));
        VEC_EACH (&names.names, name) {
                char path[512];

                snprintf(path, sizeof path, "%s/%s", place->dir, *name);
                unlink(path);
        }
        assert_int_equal(rmdir(place->dir), 0);
        io_free(place->io);
        free(place);
        return 0;
}

static int make_simulated(void **state) {
        struct place *place = mem_new(struct place);

        place->io = io_sim_new(1, 0);
        snprintf(place->path, sizeof place->path, "/rows.sqlite");
        *state = place;
        return 0;
}

static int end_simulated(void **state) {
        struct place *place = *state;

        io_free(place->io);
        free(place);
        return 0;
}

static struct store *opened(struct place *place, unsigned flags) {
        struct store *store = NULL;
        struct err_note note;

        assert_ok(store_sqlite_open(place->io, place->path, flags, &store, &note));
        return store;
}

static void put(struct store *store, const char *key, const char *value) {
        struct store_change *change;
        struct err_note note;

        assert_ok(store_begin(store, &change, &note));
        assert_ok(store_put(change, "t", key, value, strlen(value), &note));
        assert_ok(store_commit(change, &note));
}

static void assert_row(struct store *store, const char *key, const char *value) {
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note;

        assert_ok(store_get(store, "t", key, &got, &note));
        assert_string_equal(buf_text(&got), value);
}

static void create_with_row(struct place *place) {
        AUTO(store_close) struct store *store = opened(place, STORE_CREATE);

        put(store, "a", "one");
}

/* Runs SQL with the stock library on its own files; ret gets the first column of the first row. */
static void stock_sql(struct place *place, const char *sql, char *ret, size_t n) {
        sqlite3_stmt *statement;
        sqlite3 *db;

        assert_int_equal(sqlite3_open_v2(place->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
        if (sqlite3_step(statement) == SQLITE_ROW && ret)
                snprintf(ret, n, "%s", (const char *)sqlite3_column_text(statement, 0));
        assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void write_file(struct place *place, const char *path, const void *data, size_t n) {
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note;

        assert_ok(io_open(place->io, path, IO_CREATE, &file, &note));
        if (n)
                assert_ok(io_write(file, data, n, 0, &note));
}

static struct buf read_file(struct io *io, const char *path) {
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note;
        struct io_stat stat;
        struct buf all = {0};

        assert_ok(io_open(io, path, IO_READ, &file, &note));
        assert_ok(io_stat(file, &stat, &note));
        if (stat.size)
                assert_ok(io_read(file, buf_extend(&all, stat.size), stat.size, 0, &note));
        return all;
}

/* ---- the file ---- */

static void the_stock_library_reads_the_file(void **state) {
        struct place *place = *state;
        char said[64] = "";

        create_with_row(place);
        stock_sql(place, "PRAGMA integrity_check", said, sizeof said);
        assert_string_equal(said, "ok");
        stock_sql(place, "SELECT tab || '/' || key || '=' || CAST(value AS TEXT) FROM store", said,
                  sizeof said);
        assert_string_equal(said, "t/a=one");
        stock_sql(place, "PRAGMA application_id", said, sizeof said);
        assert_string_equal(said, "1130460270"); /* "Catn" */
}

static void what_the_stock_library_wrote_is_read(void **state) {
        struct place *place = *state;
        AUTO(store_close) struct store *store = NULL;

        create_with_row(place);
        stock_sql(place, "INSERT INTO store VALUES ('t', 'b', CAST('two' AS BLOB))", NULL, 0);
        stock_sql(place, "PRAGMA journal_mode = WAL", NULL, 0);
        stock_sql(place, "INSERT INTO store VALUES ('t', 'c', CAST('three' AS BLOB))", NULL, 0);
        store = opened(place, STORE_READ_ONLY);
        assert_row(store, "c", "three");
        store_close(TAKE(store));
        store = opened(place, STORE_WRITE);
        assert_row(store, "b", "two");
        assert_row(store, "c", "three");
        put(store, "d", "four");
}

static void a_second_opener_is_told_which_file_is_busy(void **state) {
        struct place *place = *state;
        AUTO(store_close) struct store *store = opened(place, STORE_CREATE);
        struct store *second;
        struct err_note note;

        assert_err(store_sqlite_open(place->io, place->path, STORE_WRITE, &second, &note), ERR_BUSY,
                   place->path);
        assert_err(store_sqlite_open(place->io, place->path, STORE_READ_ONLY, &second, &note), ERR_BUSY,
                   place->path);
}

static void the_stock_library_and_a_store_keep_each_other_out(void **state) {
        struct place *place = *state;
        AUTO(store_close) struct store *store = NULL;
        struct err_note note;
        sqlite3 *db;

        create_with_row(place);
        store = opened(place, STORE_WRITE);
        assert_int_equal(sqlite3_open_v2(place->path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "SELECT * FROM store", NULL, NULL, NULL), SQLITE_BUSY);
        store_close(TAKE(store));
        assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
        assert_err(store_sqlite_open(place->io, place->path, STORE_WRITE, &store, &note), ERR_BUSY,
                   place->path);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        store = opened(place, STORE_WRITE);
        put(store, "b", "two");
}

static void a_closed_store_is_one_file(void **state) {
        struct place *place = *state;
        AUTO(io_names_fini) struct io_names names = {0};
        struct err_note note;

        create_with_row(place);
        assert_ok(io_list(place->io, place->dir, &names, &note));
        assert_int_equal(names.names.n, 1);
        assert_string_equal(names.names.data[0], "rows.sqlite");
}

static void what_is_not_a_store_is_refused_by_name(void **state) {
        static const struct {
                const char *sql;
                enum err err;
                const char *words;
        } cases[] = {
                {"PRAGMA user_version = 2", ERR_UNSUPPORTED, "format 2, which a newer Catena wrote"},
                {"PRAGMA user_version = 0", ERR_CORRUPT, "its tables are not those of a store"},
                {"PRAGMA application_id = 7", ERR_MISMATCH,
                 "a database of something else (application id 0x00000007)"},
                {"CREATE TABLE more (x)", ERR_CORRUPT, "its tables are not those of a store"},
                {"ALTER TABLE store ADD COLUMN more TEXT", ERR_CORRUPT,
                 "its tables are not those of a store"},
                {"DROP TABLE store", ERR_CORRUPT, "its tables are not those of a store"},
        };
        struct place *place = *state;
        struct store *store;
        struct err_note note;

        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                create_with_row(place);
                stock_sql(place, cases[i].sql, NULL, 0);
                for (unsigned flags = STORE_WRITE; flags <= STORE_READ_ONLY; flags++) {
                        assert_err(store_sqlite_open(place->io, place->path, flags, &store, &note),
                                   cases[i].err, cases[i].words);
                        assert_non_null(strstr(note.text, place->path));
                }
                assert_int_equal(unlink(place->path), 0);
        }
}

static void a_file_that_is_no_database_is_damage_and_an_empty_one_was_never_made(void **state) {
        struct place *place = *state;
        AUTO(store_close) struct store *store = NULL;
        char text[4096];
        struct err_note note;

        memset(text, 'x', sizeof text);
        write_file(place, place->path, text, sizeof text);
        assert_err(store_sqlite_open(place->io, place->path, STORE_CREATE, &store, &note), ERR_CORRUPT,
                   "rows.sqlite is damaged: file is not a database");
        assert_err(store_sqlite_open(place->io, place->path, STORE_READ_ONLY, &store, &note), ERR_CORRUPT,
                   "rows.sqlite is damaged");
        assert_ok(io_unlink(place->io, place->path, &note));

        write_file(place, place->path, NULL, 0);
        assert_err(store_sqlite_open(place->io, place->path, STORE_WRITE, &store, &note), ERR_NOT_FOUND,
                   "rows.sqlite is empty");
        assert_err(store_sqlite_open(place->io, place->path, STORE_READ_ONLY, &store, &note), ERR_NOT_FOUND,
                   "rows.sqlite is empty");
        store = opened(place, STORE_CREATE);
        put(store, "a", "one");
}

static enum err count_row(void *user, const char *key, const void *value, size_t n, struct err_note *note) {
        (void)key;
        (void)value;
        (void)note;
        *(size_t *)user += n;
        return ERR_NONE;
}

static enum err read_all(struct place *place, unsigned flags, size_t *ret_bytes, struct err_note *note) {
        AUTO(store_close) struct store *store = NULL;

        if (store_sqlite_open(place->io, place->path, flags, &store, note) || store_check(store, note))
                return note->code;
        return store_each(store, "t", "", count_row, ret_bytes, note);
}

/* Every page in turn is overwritten, in part and whole: that is damage, with the file's name, or it lies in
 * free space or in a value; never a crash, and never another error. */
static void a_damaged_page_is_found_and_names_the_file(void **state) {
        struct place *place = *state;
        AUTO(store_close) struct store *store = opened(place, STORE_CREATE);
        AUTO(buf_fini) struct buf good = {0};
        unsigned found = 0, tried = 0;
        size_t bytes = 0;
        struct store_change *change;
        struct err_note note;

        assert_ok(store_begin(store, &change, &note));
        for (unsigned i = 0; i < 300; i++) {
                char key[16], value[100];

                snprintf(key, sizeof key, "%u", i);
                memset(value, 'v', sizeof value);
                assert_ok(store_put(change, "t", key, value, sizeof value, &note));
        }
        assert_ok(store_commit(change, &note));
        store_close(TAKE(store));
        good = read_file(place->io, place->path);
        for (size_t at = 0; at < good.n; at += 2048) {
                for (size_t n = 8; n <= 2048; n *= 16, tried++) {
                        AUTO(io_close) struct io_file *file = NULL;
                        static uint8_t junk[2048];
                        size_t ignored = 0;

                        io_random(place->io, junk, n);
                        assert_ok(io_open(place->io, place->path, IO_WRITE, &file, &note));
                        assert_ok(io_write(file, junk, n, at, &note));
                        if (read_all(place, STORE_READ_ONLY, &ignored, &note)) {
                                found++;
                                assert_true(note.code == ERR_CORRUPT || note.code == ERR_MISMATCH ||
                                            note.code == ERR_UNSUPPORTED);
                                assert_non_null(strstr(note.text, place->path));
                        }
                        assert_ok(io_write(file, good.data, good.n, 0, &note));
                }
        }
        assert_true(found > tried / 2);
        assert_ok(read_all(place, STORE_WRITE, &bytes, &note)); /* and put back, it is well */
        assert_int_equal(bytes, 300 * 100);
}

static void a_store_set_aside_makes_room_for_a_new_one(void **state) {
        struct place *place = *state;
        AUTO(store_close) struct store *store = NULL;
        AUTO(buf_fini) struct buf got = {0};
        struct err_note note;

        create_with_row(place);
        write_file(place, "/rows.sqlite-journal", "journal", 7);
        assert_ok(store_sqlite_set_aside(place->io, place->path, "/old.sqlite", &note));
        store = opened(place, STORE_CREATE);
        assert_err(store_get(store, "t", "a", &got, &note), ERR_NOT_FOUND, "t/a");
        store_close(TAKE(store));
        got = read_file(place->io, "/old.sqlite-journal");
        assert_int_equal(got.n, 7);
        io_sim_crash(place->io, 3);
        assert_ok(store_sqlite_open(place->io, "/old.sqlite", STORE_READ_ONLY, &store, &note));
        assert_row(store, "a", "one");
        assert_ok(store_sqlite_set_aside(place->io, "/never there", "/x", &note));
}

/* ---- what it costs, what it leaves alone ---- */

static void a_commit_costs_four_syncs_and_opening_none(void **state) {
        struct place *place = *state;
        AUTO(store_close) struct store *store = NULL;
        struct io_sim_traffic was, now;

        create_with_row(place);
        was = io_sim_traffic(place->io);
        store = opened(place, STORE_WRITE);
        assert_row(store, "a", "one");
        now = io_sim_traffic(place->io);
        assert_int_equal(now.syncs + now.dir_syncs, was.syncs + was.dir_syncs);
        assert_int_equal(now.writes, was.writes);

        put(store, "b", "two");
        was = io_sim_traffic(place->io);
        assert_int_equal(was.syncs - now.syncs, 4);
        assert_int_equal(was.dir_syncs - now.dir_syncs, 1);

        put(store, "c", "three");
        now = io_sim_traffic(place->io);
        assert_int_equal(now.syncs - was.syncs, 4);
        assert_int_equal(now.dir_syncs, was.dir_syncs);

        assert_row(store, "c", "three"); /* nor does reading cost any, nor a change that changes nothing */
        store_close(TAKE(store));
        was = io_sim_traffic(place->io);
        assert_int_equal(now.syncs + now.dir_syncs, was.syncs + was.dir_syncs);
}

static void an_error_says_what_failed_on_which_file(void **state) {
        struct place *place = *state;
        AUTO(store_close) struct store *store = opened(place, STORE_CREATE);
        struct store_change *change;
        struct err_note note;

        put(store, "a", "one");
        assert_ok(store_begin(store, &change, &note));
        assert_ok(store_put(change, "t", "a", "two", 3, &note));
        io_sim_fail_at(place->io, 1, ERR_NO_SPACE, false);
        assert_err(store_commit(change, &note), ERR_NO_SPACE, "rows.sqlite-journal: write ");
        assert_row(store, "a", "one");
        put(store, "a", "three");
        assert_row(store, "a", "three");
}

static void a_change_that_failed_stays_failed_to_its_end(void **state) {
        struct place *place = *state;
        AUTO(store_close) struct store *store = opened(place, STORE_CREATE);
        AUTO_FREE uint8_t *large = mem_zero(STORE_VALUE_MAX);
        AUTO(buf_fini) struct buf got = {0};
        enum err err = ERR_NONE;
        struct store_change *change;
        struct err_note note;

        put(store, "a", "one");
        assert_ok(store_begin(store, &change, &note));
        assert_ok(store_put(change, "t", "a", "two", 3, &note));
        io_sim_fail_at(place->io, 1, ERR_NO_SPACE, false);
        for (unsigned i = 0; !err && i < 8; i++) { /* until SQLite must write to disk */
                char key[16];

                snprintf(key, sizeof key, "%u", i);
                err = store_put(change, "t", key, large, STORE_VALUE_MAX, &note);
        }
        assert_int_equal(err, ERR_NO_SPACE);
        assert_err(store_put(change, "t", "b", "x", 1, &note), ERR_NO_SPACE, "rows.sqlite");
        assert_err(store_get(store, "t", "a", &got, &note), ERR_NO_SPACE, "rows.sqlite");
        assert_err(store_commit(change, &note), ERR_NO_SPACE, "rows.sqlite");
        assert_row(store, "a", "one");
        assert_err(store_get(store, "t", "0", &got, &note), ERR_NOT_FOUND, "t/0");
        put(store, "a", "three");
}

/* A machine that died in the last commit, with a journal that must be rolled back: the reader sees what was
 * before, and neither byte nor name has changed. */
static void a_reader_of_a_crashed_store_changes_nothing(void **state) {
        struct place *place = *state;
        unsigned hot = 0;

        create_with_row(place);
        for (uint64_t seed = 1; seed <= 40; seed++) {
                struct place after = {.io = io_sim_fork(place->io), .path = "/rows.sqlite"};
                AUTO(buf_fini) struct buf journal = {0}, main = {0}, journal_then = {0}, main_then = {0};
                struct store *store = opened(&after, STORE_WRITE);
                struct io_sim_count was, now;
                struct store_change *change;
                struct err_note note;

                assert_ok(store_begin(store, &change, &note));
                assert_ok(store_put(change, "t", "a", "two", 3, &note));
                io_sim_die_at(after.io, 7 + seed % 4, IO_SIM_DURING); /* where both files are half written */
                assert_int_not_equal(store_commit(change, &note), ERR_NONE);
                store_close(store);
                io_sim_crash(after.io, seed);

                journal = read_file(after.io, "/rows.sqlite-journal");
                main = read_file(after.io, "/rows.sqlite");
                was = io_sim_count(after.io);
                store = opened(&after, STORE_READ_ONLY);
                if (journal.n && journal.data[0]) {
                        hot++;
                        assert_row(store, "a", "one");
                }
                assert_ok(store_check(store, &note));
                store_close(store);
                now = io_sim_count(after.io);
                assert_int_equal(now.changing, was.changing);
                journal_then = read_file(after.io, "/rows.sqlite-journal");
                main_then = read_file(after.io, "/rows.sqlite");
                assert_int_equal(journal_then.n, journal.n);
                assert_memory_equal(journal_then.data, journal.data, journal.n);
                assert_int_equal(main_then.n, main.n);
                assert_memory_equal(main_then.data, main.data, main.n);
                io_free(after.io);
        }
        assert_true(hot > 10);
}

int main(void) {
#define POSIX(test)     cmocka_unit_test_setup_teardown(test, make_posix, end_posix)
#define SIMULATED(test) cmocka_unit_test_setup_teardown(test, make_simulated, end_simulated)
        const struct CMUnitTest tests[] = {
                POSIX(the_stock_library_reads_the_file),
                POSIX(what_the_stock_library_wrote_is_read),
                POSIX(a_second_opener_is_told_which_file_is_busy),
                POSIX(the_stock_library_and_a_store_keep_each_other_out),
                POSIX(a_closed_store_is_one_file),
                POSIX(what_is_not_a_store_is_refused_by_name),
                POSIX(a_file_that_is_no_database_is_damage_and_an_empty_one_was_never_made),
                SIMULATED(a_damaged_page_is_found_and_names_the_file),
                SIMULATED(a_store_set_aside_makes_room_for_a_new_one),
                SIMULATED(a_commit_costs_four_syncs_and_opening_none),
                SIMULATED(an_error_says_what_failed_on_which_file),
                SIMULATED(a_change_that_failed_stays_failed_to_its_end),
                SIMULATED(a_reader_of_a_crashed_store_changes_nothing),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
