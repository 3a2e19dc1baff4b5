// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "fixture_vault.h"
#include "get.h"
#include "target_sim.h"

struct place {
        struct io *io;
        struct target_sim *target;
        struct vault *vault;
};

static void open_place(struct place *place, bool is_encrypted) {
        struct err_note note;

        place->io = io_sim_new(1, 0);
        place->target = target_sim_new(1);
        assert_ok(fixture_vault_make(place->io, target_sim_open(place->target), is_encrypted, &place->vault,
                                     &note));
}

static void close_place(struct place *place) {
        vault_close(place->vault);
        target_sim_free(place->target);
        io_free(place->io);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

static size_t count_names(struct place *place, const char *prefix, const char *suffix) {
        size_t n = 0, n_suffix = strlen(suffix);
        const char *name;

        for (size_t i = 0; (name = target_sim_name(place->target, i)); i++) {
                if (strncmp(name, prefix, strlen(prefix)) == 0 && strlen(name) >= n_suffix &&
                    strcmp(name + strlen(name) - n_suffix, suffix) == 0)
                        n++;
        }
        return n;
}

static struct vault_name put(struct place *place, struct fixture_disk *disk, struct fixture_put *how) {
        struct vault_name point;
        struct err_note note;

        assert_ok(fixture_put_disk(place->vault, disk, how, &point, &note));
        assert_ok(fixture_check_disk(place->vault, &point, disk, &note));
        return point;
}

static struct vault_id id_of(struct place *place, const struct vault_name *name) {
        AUTO(point_fini) struct point point = {0};
        struct err_note note;

        assert_ok(points_get(place->vault, name, &point, &note));
        return point.manifest.disks.data[0].id;
}

static void assert_same_content(struct place *place, const struct vault_name *a, const struct vault_name *b) {
        struct vault_id of_a = id_of(place, a), of_b = id_of(place, b);

        assert_string_equal(vault_id_format(&of_a).s, vault_id_format(&of_b).s);
}

/* ---- whole disks ---- */

static void disks_of_odd_sizes_come_back_as_they_were(void **state) {
        static const uint64_t sizes[] = {0, 1, 511, 65535, 65536, 65537, MIB + 5, 3 * MIB, 17 * MIB - 1};

        (void)state;
        for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
                AUTO(close_place) struct place place = {0};

                open_place(&place, is_encrypted);
                for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                        AUTO(fixture_disk_fini) struct fixture_disk disk = {0};

                        fixture_disk_resize(&disk, sizes[i]);
                        fixture_disk_write(&disk, 0, sizes[i], i + 1);
                        put(&place, &disk, NULL);
                }
        }
}

static void zeros_are_not_read_where_they_are_holes_and_never_stored(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
        struct fixture_put how = {.n_threads = 3};

        (void)state;
        open_place(&place, true);
        fixture_disk_resize(&disk, 40 * MIB);
        put(&place, &disk, &how);
        assert_int_equal(disk.n_read, 0);
        assert_int_equal(how.count.n_packs, 0);
        fixture_disk_write(&disk, 20 * MIB, 1, 7);
        put(&place, &disk, &how);
        assert_int_equal(disk.n_read, FIXTURE_CHUNK);
        assert_int_equal(how.count.added, FIXTURE_CHUNK);
}

static void what_the_vault_has_is_not_stored_again(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
        struct fixture_put how = {.n_threads = 3};
        struct vault_name first, second;
        size_t n_packs;

        (void)state;
        open_place(&place, true);
        fixture_disk_resize(&disk, 30 * MIB);
        fixture_disk_write(&disk, 0, 10 * MIB, 1);
        memcpy(disk.bytes.data + 15 * MIB, disk.bytes.data, 10 * MIB); /* within one disk */
        first = put(&place, &disk, &how);
        assert_int_equal(how.count.added, 10 * MIB);
        assert_int_equal(how.count.known, 10 * MIB);
        n_packs = count_names(&place, "packs/", "");
        second = put(&place, &disk, &how);
        assert_int_equal(how.count.added, 0);
        assert_int_equal(how.count.known, 20 * MIB);
        assert_int_equal(count_names(&place, "packs/", ""), n_packs);
        assert_same_content(&place, &first, &second);
}

static void who_opens_the_vault_anew_knows_what_it_has(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
        struct fixture_put how = {.n_threads = 2};
        struct err_note note;

        (void)state;
        open_place(&place, true);
        fixture_disk_resize(&disk, 5 * MIB);
        fixture_disk_write(&disk, 0, 5 * MIB, 1);
        put(&place, &disk, &how);
        vault_close(TAKE(place.vault));
        assert_ok(fixture_vault_open(place.io, target_sim_open(place.target), true, &place.vault, &note));
        put(&place, &disk, &how);
        assert_int_equal(how.count.added, 0);
}

/* ---- from a parent ---- */

struct incremental {
        uint64_t size;
        struct put_extent changed[3];
        size_t n_changed;
        uint64_t n_read; /* bytes that must be enough */
};

static const struct incremental incrementals[] = {
        {.size = 20 * MIB, .n_changed = 0, .n_read = 0},
        {.size = 20 * MIB, .changed = {{5, 1}}, .n_changed = 1, .n_read = FIXTURE_CHUNK},
        {.size = 20 * MIB, .changed = {{65530, 10}, {19 * MIB, MIB}}, .n_changed = 2, .n_read = MIB + 131072},
        {.size = 20 * MIB + 1, .n_changed = 0, .n_read = FIXTURE_CHUNK},
        {.size = 37 * MIB, .changed = {{MIB, 1}}, .n_changed = 1, .n_read = 17 * MIB + FIXTURE_CHUNK},
        {.size = 3 * MIB + 77, .changed = {{MIB, 1}}, .n_changed = 1, .n_read = 2 * FIXTURE_CHUNK},
        {.size = 5, .n_changed = 0, .n_read = 5},
        {.size = 0, .n_changed = 0, .n_read = 0},
};

static void an_incremental_is_what_a_whole_one_is_and_reads_what_changed(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof incrementals / sizeof *incrementals; i++) {
                const struct incremental *each = &incrementals[i];
                AUTO(close_place) struct place place = {0};
                AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
                struct vault_name parent, point, whole;
                struct fixture_put how = {
                        .parent = &parent, .changed = each->changed, .n_changed = each->n_changed};

                open_place(&place, i % 2);
                fixture_disk_resize(&disk, 20 * MIB);
                fixture_disk_write(&disk, 0, 20 * MIB, 1);
                parent = put(&place, &disk, NULL);
                fixture_disk_resize(&disk, each->size);
                for (size_t k = 0; k < each->n_changed; k++)
                        fixture_disk_write(&disk, each->changed[k].at, each->changed[k].n, 100 + k);
                if (each->size > 20 * MIB)
                        fixture_disk_write(&disk, 20 * MIB, each->size - 20 * MIB, 200);
                disk.n_read = 0;
                point = put(&place, &disk, &how);
                assert_true(disk.n_read <= each->n_read);
                whole = put(&place, &disk, NULL);
                assert_same_content(&place, &point, &whole);
        }
}

static void changes_to_zeros_are_changes(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
        const struct put_extent changed[] = {{MIB, 3 * MIB}};
        struct vault_name parent;
        struct fixture_put how = {.parent = &parent, .changed = changed, .n_changed = 1};

        (void)state;
        open_place(&place, true);
        fixture_disk_resize(&disk, 8 * MIB);
        fixture_disk_write(&disk, 0, 8 * MIB, 1);
        parent = put(&place, &disk, NULL);
        fixture_disk_write(&disk, MIB, 3 * MIB, 0);
        put(&place, &disk, &how);
        assert_int_equal(how.count.added, 0);
}

static void a_parent_must_count(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
        struct vault_name parent, point;
        struct fixture_put how = {.parent = &parent};
        const struct put_extent changed[] = {{0, 1}};
        struct err_note note;

        (void)state;
        open_place(&place, false);
        fixture_disk_resize(&disk, MIB);
        parent = put(&place, &disk, NULL);
        assert_ok(target_remove(place.vault->target, vault_path_of(VAULT_SEAL, &parent).s, &note));
        assert_err(fixture_put_disk(place.vault, &disk, &how, &point, &note), ERR_NOT_FOUND, "parent");
        how = (struct fixture_put){.changed = changed, .n_changed = 1};
        assert_err(fixture_put_disk(place.vault, &disk, &how, &point, &note), ERR_INVALID, "of no parent");
}

/* ---- who is at work ---- */

struct meddler {
        struct place *place;
        enum err (*meddle)(struct meddler *, struct err_note *);
        unsigned n_steps;
};

static enum err step(void *user, uint64_t done, struct err_note *note) {
        struct meddler *meddler = user;

        (void)done;
        meddler->n_steps++;
        return meddler->meddle(meddler, note);
}

static enum err put_meddled(struct meddler *meddler, struct fixture_disk *disk, struct vault_name *ret,
                            struct err_note *note) {
        const struct put_options options = {
                .name = "vm", .time = 1, .n_threads = 2, .step = step, .user = meddler};
        const struct put_disk one = {.name = "d", .source = fixture_source(disk)};
        AUTO(put_abort) struct put *put = NULL;

        if (put_begin(meddler->place->vault, &options, &put, note) || put_disk(put, &one, note))
                return note->code;
        return put_commit(TAKE(put), ret, NULL, note);
}

static enum err cancel(struct meddler *meddler, struct err_note *note) {
        return meddler->n_steps == 3 ? err_set(note, ERR_CANCELLED, "enough") : ERR_NONE;
}

static void a_put_that_is_cancelled_leaves_no_point_and_no_session(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
        AUTO(points_fini) struct points points = {0};
        struct meddler meddler = {&place, cancel, 0};
        struct vault_name point;
        struct err_note note;

        (void)state;
        open_place(&place, true);
        fixture_disk_resize(&disk, 30 * MIB);
        fixture_disk_write(&disk, 0, 30 * MIB, 1);
        assert_err(put_meddled(&meddler, &disk, &point, &note), ERR_CANCELLED, "enough");
        assert_ok(points_list(place.vault, &points, &note));
        assert_int_equal(points.list.n + points.n_unsealed, 0);
        assert_int_equal(count_names(&place, "sessions/", ".done"), 1);
}

static enum err let_time_pass(struct meddler *meddler, struct err_note *note) {
        (void)note;
        if (meddler->n_steps == 2 || meddler->n_steps == 4)
                io_sim_advance(meddler->place->io, 61ull * 1000000000);
        return ERR_NONE;
}

static void a_long_put_says_that_it_goes_on(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
        struct meddler meddler = {&place, let_time_pass, 0};
        struct vault_name point;
        struct err_note note;

        (void)state;
        open_place(&place, true);
        fixture_disk_resize(&disk, 30 * MIB);
        fixture_disk_write(&disk, 0, 30 * MIB, 1);
        assert_ok(put_meddled(&meddler, &disk, &point, &note));
        assert_int_equal(count_names(&place, "sessions/", ".1"), 1);
        assert_int_equal(count_names(&place, "sessions/", ".2"), 1);
        assert_int_equal(count_names(&place, "sessions/", ".3"), 0);
        assert_int_equal(count_names(&place, "sessions/", ".done"), 1);
}

static enum err break_session(struct meddler *meddler, struct err_note *note) {
        const char *prefix = "sessions/", *name;
        struct vault_name session;

        for (size_t i = 0; meddler->n_steps == 1 && (name = target_sim_name(meddler->place->target, i));
             i++) {
                if (strncmp(name, prefix, strlen(prefix)) == 0 &&
                    vault_name_parse(name + strlen(prefix), &session))
                        return vault_put_object(meddler->place->vault, VAULT_SESSION_BROKEN, &session,
                                                (struct span){(const uint8_t *)"{}", 2}, NULL, note);
        }
        return ERR_NONE;
}

static void a_put_whose_session_was_broken_does_not_count(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
        AUTO(points_fini) struct points points = {0};
        struct meddler meddler = {&place, break_session, 0};
        struct vault_name point;
        struct err_note note;

        (void)state;
        open_place(&place, true);
        fixture_disk_resize(&disk, MIB);
        fixture_disk_write(&disk, 0, MIB, 1);
        assert_err(put_meddled(&meddler, &disk, &point, &note), ERR_BUSY, "begin it again");
        assert_ok(points_list(place.vault, &points, &note));
        assert_int_equal(points.list.n, 0);
        assert_int_equal(points.n_unsealed, 1);
}

static void what_is_doomed_is_not_known(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
        AUTO(buf_fini) struct buf body = {0};
        struct fixture_put how = {.n_threads = 2};
        struct vault_doom doom = {0};
        struct vault_name name;
        struct err_note note;

        (void)state;
        open_place(&place, true);
        fixture_disk_resize(&disk, 3 * MIB);
        fixture_disk_write(&disk, 0, 3 * MIB, 1);
        put(&place, &disk, &how);
        for (size_t i = 0; target_sim_name(place.target, i); i++) {
                const char *path = target_sim_name(place.target, i);

                if (strncmp(path, "packs/", 6) == 0 && vault_name_parse(path + 9, &name))
                        *vec_add(&doom.packs) = name;
        }
        assert_true(doom.packs.n > 0);
        vault_doom_encode(&doom, &body);
        vault_doom_fini(&doom);
        vault_name_random(place.io, &name);
        assert_ok(vault_put_object(place.vault, VAULT_DOOM, &name, (struct span){body.data, body.n}, NULL,
                                   &note));
        put(&place, &disk, &how);
        assert_int_equal(how.count.added, 3 * MIB);
        put(&place, &disk, &how);
        assert_int_equal(how.count.added, 0);
}

/* ---- manifests ---- */

static void points_of_a_writer_are_a_row(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
        struct vault_name names[3];
        struct err_note note;

        (void)state;
        open_place(&place, true);
        fixture_disk_resize(&disk, MIB);
        for (unsigned i = 0; i < 3; i++) {
                AUTO(point_fini) struct point point = {0};
                AUTO(point_fini) struct point before = {0};

                fixture_disk_write(&disk, 0, 5, i + 1);
                names[i] = put(&place, &disk, NULL);
                assert_ok(points_get(place.vault, &names[i], &point, &note));
                assert_int_equal(point.manifest.sequence, i + 1);
                assert_int_equal(point.manifest.has_previous, i > 0);
                if (i == 0)
                        continue;
                assert_ok(points_get(place.vault, &names[i - 1], &before, &note));
                assert_memory_equal(point.manifest.previous, before.sum, sizeof before.sum);
        }
}

static void a_point_has_all_its_disks(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
        AUTO(point_fini) struct point point = {0};
        json_t *about = json_pack("{s:s}", "path", "/a"), *vm = json_pack("{s:s}", "name_label", "web");
        const struct put_options options = {.name = "web", .time = 77, .vm = vm};
        AUTO(put_abort) struct put *put = NULL;
        struct vault_name name;
        struct err_note note;

        (void)state;
        open_place(&place, true);
        fixture_disk_resize(&disk, MIB);
        assert_ok(put_begin(place.vault, &options, &put, &note));
        for (unsigned i = 0; i < 3; i++) {
                const char *const names[] = {"xvda", "xvdb", "xvdc"};
                const struct put_disk one = {
                        .name = names[i], .source = fixture_source(&disk), .about = i ? NULL : about};

                fixture_disk_write(&disk, i * 1000, 1000, 1);
                assert_ok(put_disk(put, &one, &note));
        }
        assert_ok(put_commit(TAKE(put), &name, NULL, &note));
        assert_ok(points_get(place.vault, &name, &point, &note));
        assert_string_equal(point.manifest.name, "web");
        assert_int_equal(point.manifest.time, 77);
        assert_true(json_equal(point.manifest.vm, vm));
        assert_int_equal(point.manifest.disks.n, 3);
        assert_string_equal(point.manifest.disks.data[1].name, "xvdb");
        assert_true(json_equal(point.manifest.disks.data[0].source, about));
        assert_null(point.manifest.disks.data[1].source);
        assert_int_equal(point.manifest.disks.data[2].written, FIXTURE_CHUNK);
        json_decref(about);
        json_decref(vm);
}

/* ---- errors ---- */

static enum err read_badly(void *user, void *ret, size_t n, uint64_t at, struct err_note *note) {
        (void)user;
        if (at <= 5 * MIB && 5 * MIB < at + n)
                return err_set(note, ERR_IO, "a bad sector");
        memset(ret, (int)(at / FIXTURE_CHUNK), n);
        return ERR_NONE;
}

static void an_error_of_the_source_says_where(void **state) {
        AUTO(close_place) struct place place = {0};
        const struct put_options options = {.name = "vm", .time = 1};
        const struct put_disk one = {.name = "xvda", .source = {.size = 50 * MIB, .read = read_badly}};
        AUTO(put_abort) struct put *put = NULL;
        struct err_note note;

        (void)state;
        open_place(&place, true);
        assert_ok(put_begin(place.vault, &options, &put, &note));
        assert_err(put_disk(put, &one, &note), ERR_IO, "disk xvda: read 1048576 at 5242880: a bad sector");
        assert_err(put_disk(put, &one, &note), ERR_INVALID, "failed already");
}

static void an_error_of_the_target_ends_the_put(void **state) {
        (void)state;
        for (unsigned n = 1; n < 200; n++) {
                AUTO(close_place) struct place place = {0};
                AUTO(fixture_disk_fini) struct fixture_disk disk = {0};
                struct vault_name point;
                struct err_note note;
                enum err failed;

                open_place(&place, true);
                fixture_disk_resize(&disk, 3 * MIB);
                fixture_disk_write(&disk, 0, 3 * MIB, 1);
                target_sim_fail_at(place.target, n, ERR_IO, n % 2);
                failed = fixture_put_disk(place.vault, &disk, NULL, &point, &note);
                target_sim_fail_at(place.target, 0, ERR_IO, false);
                if (!failed) {
                        assert_true(n > 10);
                        assert_ok(fixture_check_disk(place.vault, &point, &disk, &note));
                        return;
                }
                assert_int_equal(failed, ERR_IO);
                put(&place, &disk, NULL);
        }
        fail_msg("it never succeeded");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(disks_of_odd_sizes_come_back_as_they_were),
                cmocka_unit_test(zeros_are_not_read_where_they_are_holes_and_never_stored),
                cmocka_unit_test(what_the_vault_has_is_not_stored_again),
                cmocka_unit_test(who_opens_the_vault_anew_knows_what_it_has),
                cmocka_unit_test(an_incremental_is_what_a_whole_one_is_and_reads_what_changed),
                cmocka_unit_test(changes_to_zeros_are_changes),
                cmocka_unit_test(a_parent_must_count),
                cmocka_unit_test(a_put_that_is_cancelled_leaves_no_point_and_no_session),
                cmocka_unit_test(a_long_put_says_that_it_goes_on),
                cmocka_unit_test(a_put_whose_session_was_broken_does_not_count),
                cmocka_unit_test(what_is_doomed_is_not_known),
                cmocka_unit_test(points_of_a_writer_are_a_row),
                cmocka_unit_test(a_point_has_all_its_disks),
                cmocka_unit_test(an_error_of_the_source_says_where),
                cmocka_unit_test(an_error_of_the_target_ends_the_put),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
