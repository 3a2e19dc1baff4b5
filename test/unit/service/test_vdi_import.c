// SPDX-License-Identifier: Apache-2.0
#include "call_kit.h"

#include "fixture.h"
#include "sweep.h"

enum { SIZE = 3 * 2 * 1024 * 1024 + 1024 };

/* ---- helpers --------------------------------------------------------------------------------- */

static uint8_t *disk_bytes(uint64_t seed) {
        uint8_t *data = mem_zero(SIZE);
        struct fixture_dice dice = {seed};

        for (unsigned i = 0; i < 6; i++) {
                uint64_t at = fixture_roll(&dice, SIZE - 70000);

                memset(data + at, (int)(1 + fixture_roll(&dice, 255)),
                       (size_t)(1 + fixture_roll(&dice, 70000)));
        }
        return data;
}

/* An SR in /sr with a VDI "a" made of /a.raw, snapshotted as "s1"; then changed, and snapshotted as "s2". */
static void make_history(struct io *io) {
        AUTO_FREE uint8_t *data = disk_bytes(1), *more = mem_zero(5000);

        memset(more, 'm', 5000);
        kit_put_file(io, "/a.raw", data, SIZE);
        kit_do(io, "sr", "create", "{'dir': '/sr', 'name': 'main'}");
        kit_do(io, "vdi", "import", "{'sr': '/sr', 'name': 'a', 'file': '/a.raw'}");
        kit_do(io, "vdi", "snapshot", "{'sr': '/sr', 'vdi': 'a', 'name': 's1'}");
        io_sim_set_stdin(io, more, 5000, 0);
        kit_do(io, "vdi", "write", "{'sr': '/sr', 'vdi': 'a', 'offset': 1234567}");
        kit_do(io, "vdi", "snapshot", "{'sr': '/sr', 'vdi': 'a', 'name': 's2'}");
}

static void assert_same_disks(struct io *io, const char *one, const char *other) {
        static const char *const files[] = {"/one.raw", "/other.raw"};
        const char *const names[] = {one, other};
        uint8_t *data[2];
        size_t n[2];

        for (unsigned i = 0; i < 2; i++) {
                AUTO_FREE char *params =
                        mem_format("{'sr': '/sr', 'vdi': '%s', 'output': '%s'}", names[i], files[i]);

                kit_do(io, "vdi", "export", params);
                data[i] = kit_get_file(io, files[i], &n[i]);
        }
        assert_int_equal(n[0], n[1]);
        assert_memory_equal(data[0], data[1], n[0]);
        free(data[0]);
        free(data[1]);
}

static size_t count_vdis(struct io *io) {
        AUTO(json_decref) json_t *list = kit_call(io, "vdi", "list", "{'sr': '/sr'}");

        return json_array_size(json_object_get(list, "vdis"));
}

/* ---- in and out ------------------------------------------------------------------------------ */

static void a_full_and_a_delta_make_the_disk_again(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(json_decref) json_t *full = NULL, *delta = NULL, *b = NULL;
        struct err_note note = {0};

        (void)state;
        make_history(io);
        full = kit_call(io, "vdi", "export", "{'sr': '/sr', 'vdi': 's1', 'output': '/full.vhd'}");
        delta = kit_call(io, "vdi", "export",
                         "{'sr': '/sr', 'vdi': 's2', 'base': 's1', 'output': '/delta.vhd'}");
        assert_string_equal(json_string_value(json_object_get(delta, "parent")),
                            json_string_value(json_object_get(full, "uuid")));
        kit_do(io, "vdi", "import", "{'sr': '/sr', 'name': 'b', 'file': '/full.vhd'}");
        kit_do(io, "vdi", "import", "{'sr': '/sr', 'onto': 'b', 'file': '/delta.vhd'}");
        assert_same_disks(io, "b", "s2");
        b = kit_call(io, "vdi", "show", "{'sr': '/sr', 'vdi': 'b'}");
        assert_string_equal(json_string_value(json_object_get(b, "stream")),
                            json_string_value(json_object_get(delta, "uuid")));
        assert_err(kit_fails(io, "vdi", "import", "{'sr': '/sr', 'onto': 'b', 'file': '/delta.vhd'}", &note),
                   ERR_MISMATCH, "the delta was made against");
        assert_same_disks(io, "b", "s2");
}

static void what_was_written_since_no_longer_takes_a_delta(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};

        (void)state;
        make_history(io);
        kit_do(io, "vdi", "export", "{'sr': '/sr', 'vdi': 's1', 'output': '/full.vhd'}");
        kit_do(io, "vdi", "export", "{'sr': '/sr', 'vdi': 's2', 'base': 's1', 'output': '/delta.vhd'}");
        kit_do(io, "vdi", "import", "{'sr': '/sr', 'name': 'b', 'file': '/full.vhd'}");
        io_sim_set_stdin(io, "x", 1, 0);
        kit_do(io, "vdi", "write", "{'sr': '/sr', 'vdi': 'b'}");
        assert_err(kit_fails(io, "vdi", "import", "{'sr': '/sr', 'onto': 'b', 'file': '/delta.vhd'}", &note),
                   ERR_MISMATCH, "has been written to");
        kit_do(io, "vdi", "import", "{'sr': '/sr', 'onto': 'b', 'force': true, 'file': '/delta.vhd'}");
        assert_err(kit_fails(io, "vdi", "import", "{'sr': '/sr', 'name': 'c', 'file': '/delta.vhd'}", &note),
                   ERR_INVALID, "--onto");
        assert_err(kit_fails(io, "vdi", "import", "{'sr': '/sr', 'onto': 'b', 'file': '/full.vhd'}", &note),
                   ERR_INVALID, "whole disk");
        kit_do(io, "vdi", "import", "{'sr': '/sr', 'onto': 'b', 'force': true, 'file': '/full.vhd'}");
        assert_same_disks(io, "b", "s1");
}

static void a_pipe_is_taken_in_pieces_of_any_size(void **state) {
        static const size_t pieces[] = {0, 1000, 65536, 65537};

        (void)state;
        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
                AUTO(io_free) struct io *io = io_sim_new(i, 0);
                AUTO_FREE uint8_t *raw = disk_bytes(1), *vhd = NULL;
                size_t n;

                make_history(io);
                io_sim_set_stdin(io, raw, SIZE, pieces[i]);
                kit_do(io, "vdi", "import", "{'sr': '/sr', 'name': 'p', 'file': '-', 'format': 'raw'}");
                assert_same_disks(io, "p", "s1");
                io_sim_set_stdin(io, raw, SIZE, pieces[i]);
                kit_do(io, "vdi", "import",
                       "{'sr': '/sr', 'name': 'q', 'file': '-', 'format': 'raw', 'size': 6292480}");
                assert_same_disks(io, "q", "s1");
                kit_do(io, "vdi", "export", "{'sr': '/sr', 'vdi': 's1', 'output': '/full.vhd'}");
                vhd = kit_get_file(io, "/full.vhd", &n);
                io_sim_set_stdin(io, vhd, n, pieces[i]);
                kit_do(io, "vdi", "import", "{'sr': '/sr', 'name': 'v', 'file': '-', 'format': 'vhd'}");
                assert_same_disks(io, "v", "s1");
        }
}

static void a_file_and_a_pipe_get_the_same_bytes(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO_FREE uint8_t *file = NULL;
        AUTO(json_decref) json_t *result = NULL;
        size_t n, before;

        (void)state;
        make_history(io);
        kit_do(io, "vdi", "export", "{'sr': '/sr', 'vdi': 's1', 'output': '/full.vhd'}");
        file = kit_get_file(io, "/full.vhd", &n);
        before = io_sim_stdout(io).n;
        result = kit_call(io, "vdi", "export", "{'sr': '/sr', 'vdi': 's1', 'output': '-', 'format': 'vhd'}");
        assert_int_equal(json_integer_value(json_object_get(result, "length")), n);
        assert_int_equal(io_sim_stdout(io).n - before, n);
        /* but for when each was made, and the checksum over that */
        memcpy(file + 24, io_sim_stdout(io).data + before + 24, 4);
        memcpy(file + 64, io_sim_stdout(io).data + before + 64, 4);
        assert_memory_equal(io_sim_stdout(io).data + before, file, n - 512);
}

static void a_stream_that_is_not_whole_leaves_nothing(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO_FREE uint8_t *vhd = NULL, *longer = NULL;
        struct err_note note = {0};
        size_t n, names, vdis;

        (void)state;
        make_history(io);
        kit_do(io, "vdi", "export", "{'sr': '/sr', 'vdi': 's1', 'output': '/full.vhd'}");
        vhd = kit_get_file(io, "/full.vhd", &n);
        names = kit_count_names(io, "/sr");
        vdis = count_vdis(io);
        for (unsigned i = 0; i < 20; i++) {
                AUTO_FREE char *words = mem_format("byte %zu", n * i / 20);

                io_sim_set_stdin(io, vhd, n * i / 20, 0);
                assert_err(
                        kit_fails(io, "vdi", "import", "{'sr': '/sr', 'file': '-', 'format': 'vhd'}", &note),
                        ERR_CUT_SHORT, words);
        }
        longer = mem_zero(n + 1);
        memcpy(longer, vhd, n);
        io_sim_set_stdin(io, longer, n + 1, 0);
        assert_int_not_equal(
                kit_fails(io, "vdi", "import", "{'sr': '/sr', 'file': '-', 'format': 'vhd'}", &note),
                ERR_NONE);
        assert_int_equal(kit_count_names(io, "/sr"), names);
        assert_int_equal(count_vdis(io), vdis);
}

static void a_reader_that_left_is_an_error_and_not_remembered(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(json_decref) json_t *shown = NULL;
        struct err_note note = {0};

        (void)state;
        make_history(io);
        io_sim_close_stdout_at(io, 100000);
        assert_err(kit_fails(io, "vdi", "export",
                             "{'sr': '/sr', 'vdi': 's1', 'output': '-', 'format': 'vhd'}", &note),
                   ERR_CLOSED, "export s1");
        shown = kit_call(io, "vdi", "show", "{'sr': '/sr', 'vdi': 's1'}");
        assert_true(json_is_null(json_object_get(shown, "stream")));
}

static void a_base_must_be_a_snapshot(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct err_note note = {0};

        (void)state;
        make_history(io);
        assert_err(kit_fails(io, "vdi", "export",
                             "{'sr': '/sr', 'vdi': 's2', 'base': 'a', 'output': '/d.vhd'}", &note),
                   ERR_INVALID, "no snapshot");
        assert_false(kit_is_there(io, "/d.vhd"));
}

static void a_snapshot_is_called_the_same_whoever_gives_it_out(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(json_decref) json_t *reader = NULL, *owner = NULL, *again = NULL;

        (void)state;
        make_history(io);
        reader = kit_call(io, "vdi", "export",
                          "{'sr': '/sr', 'vdi': 's1', 'output': '/1.vhd', 'read-only': true}");
        owner = kit_call(io, "vdi", "export", "{'sr': '/sr', 'vdi': 's1', 'output': '/2.vhd'}");
        again = kit_call(io, "vdi", "export", "{'sr': '/sr', 'vdi': 's1', 'output': '/3.vhd'}");
        assert_true(json_equal(json_object_get(reader, "uuid"), json_object_get(owner, "uuid")));
        assert_true(json_equal(json_object_get(again, "uuid"), json_object_get(owner, "uuid")));
}

/* ---- at every instant ------------------------------------------------------------------------ */

static enum err set_up(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        make_history(io);
        kit_do(io, "vdi", "export", "{'sr': '/sr', 'vdi': 's1', 'output': '/full.vhd'}");
        kit_do(io, "vdi", "export", "{'sr': '/sr', 'vdi': 's2', 'base': 's1', 'output': '/delta.vhd'}");
        kit_do(io, "vdi", "import", "{'sr': '/sr', 'name': 'b', 'file': '/full.vhd'}");
        return io_sync_dir(io, "/", note);
}

static enum err import_new(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        return kit_fails(io, "vdi", "import", "{'sr': '/sr', 'name': 'new', 'file': '/full.vhd'}", note);
}

static enum err import_onto(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        return kit_fails(io, "vdi", "import", "{'sr': '/sr', 'onto': 'b', 'file': '/delta.vhd'}", note);
}

/* Whether both read the same; through the verb, so that an error is one of the sweep. */
static enum err same(struct io *io, const char *one, const char *other, bool *ret, struct err_note *note) {
        AUTO_FREE uint8_t *a = NULL, *b = NULL;
        size_t n_a, n_b;
        AUTO_FREE char *to_a = mem_format("{'sr': '/sr', 'vdi': '%s', 'output': '/cmp-a.raw'}", one);
        AUTO_FREE char *to_b = mem_format("{'sr': '/sr', 'vdi': '%s', 'output': '/cmp-b.raw'}", other);

        if (kit_fails(io, "vdi", "export", to_a, note) || kit_fails(io, "vdi", "export", to_b, note))
                return note->code;
        a = kit_get_file(io, "/cmp-a.raw", &n_a);
        b = kit_get_file(io, "/cmp-b.raw", &n_b);
        *ret = n_a == n_b && memcmp(a, b, n_a) == 0;
        return ERR_NONE;
}

static enum err nothing_is_left(struct io *io, struct err_note *note) {
        AUTO(io_names_fini) struct io_names names = {0};

        if (kit_fails(io, "sr", "scan", "{'sr': '/sr'}", note) || io_list(io, "/sr", &names, note))
                return note->code;
        VEC_EACH (&names.names, name)
                if ((*name)[0] == '.' && strcmp(*name, ".catena") != 0)
                        return sweep_violation(note, "%s is left", *name);
        return ERR_NONE;
}

static enum err new_is_whole_or_not_there(struct io *io, void *ctx, enum sweep_outcome outcome,
                                          struct err_note *note) {
        bool is_same = false;
        enum err failed;

        (void)ctx;
        if (nothing_is_left(io, note))
                return note->code;
        failed = same(io, "new", "s1", &is_same, note);
        if (failed == ERR_NOT_FOUND && outcome != SWEEP_DONE)
                return ERR_NONE;
        if (failed)
                return failed;
        return is_same ? ERR_NONE : sweep_violation(note, "it reads otherwise");
}

static enum err b_is_old_or_new(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        bool is_old = false, is_new = false;

        (void)ctx;
        if (nothing_is_left(io, note) || same(io, "b", "s1", &is_old, note) ||
            same(io, "b", "s2", &is_new, note))
                return note->code;
        if (!is_new && (!is_old || outcome == SWEEP_DONE))
                return sweep_violation(note, "b is neither");
        return ERR_NONE;
}

static void a_crash_leaves_a_whole_import_or_none(void **state) {
        (void)state;
        assert_int_equal(sweep_all(&(struct sweep){.name = "vdi import",
                                                   .setup = set_up,
                                                   .operate = import_new,
                                                   .check = new_is_whole_or_not_there,
                                                   .recoveries = 1,
                                                   .max_points = 12},
                                   1),
                         0);
}

static void a_crash_leaves_what_a_delta_goes_onto_old_or_new(void **state) {
        (void)state;
        assert_int_equal(sweep_all(&(struct sweep){.name = "vdi import onto",
                                                   .setup = set_up,
                                                   .operate = import_onto,
                                                   .check = b_is_old_or_new,
                                                   .recoveries = 1,
                                                   .max_points = 12},
                                   1),
                         0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_full_and_a_delta_make_the_disk_again),
                cmocka_unit_test(what_was_written_since_no_longer_takes_a_delta),
                cmocka_unit_test(a_pipe_is_taken_in_pieces_of_any_size),
                cmocka_unit_test(a_file_and_a_pipe_get_the_same_bytes),
                cmocka_unit_test(a_stream_that_is_not_whole_leaves_nothing),
                cmocka_unit_test(a_reader_that_left_is_an_error_and_not_remembered),
                cmocka_unit_test(a_base_must_be_a_snapshot),
                cmocka_unit_test(a_snapshot_is_called_the_same_whoever_gives_it_out),
                cmocka_unit_test(a_crash_leaves_a_whole_import_or_none),
                cmocka_unit_test(a_crash_leaves_what_a_delta_goes_onto_old_or_new),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
