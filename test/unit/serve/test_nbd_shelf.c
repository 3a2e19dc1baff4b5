// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "nbd_shelf.h"
#include "sr/sr_kit.h"

struct scene {
        struct io *io;             /* owned */
        struct sr *first, *second; /* owned */
        struct turn turns[2];
        struct nbd_shelf each[2];
        struct nbd_shelves both, one; /* the second has no more than the first */
};

static int set_up(void **state) {
        struct scene *s = calloc(1, sizeof *s);
        struct err_note note = {0};
        struct uuid unused;

        s->io = io_sim_new(1, 0);
        s->first = kit_create(s->io);
        assert_ok(sr_create(s->io, "/other", "other", NULL, &unused, &note));
        assert_ok(sr_open(s->io, "/other", NULL, &s->second, &note));
        for (unsigned i = 0; i < 2; i++) {
                turn_init(&s->turns[i], s->io);
                s->each[i] = (struct nbd_shelf){.sr = i ? s->second : s->first, .turn = &s->turns[i]};
        }
        s->both = (struct nbd_shelves){.each = s->each, .n = 2};
        s->one = (struct nbd_shelves){.each = s->each, .n = 1};
        *state = s;
        return 0;
}

static int tear_down(void **state) {
        struct scene *s = *state;

        sr_close(s->first);
        sr_close(s->second);
        turn_fini(&s->turns[0]);
        turn_fini(&s->turns[1]);
        io_free(s->io);
        free(s);
        return 0;
}

static void assert_found(const struct nbd_shelves *shelves, const char *name, const struct nbd_shelf *shelf,
                         const struct uuid *vdi) {
        struct err_note note = {0};
        struct nbd_found found;

        assert_ok(nbd_shelves_find(shelves, name, false, &found, &note));
        assert_ptr_equal(found.shelf, shelf);
        assert_true(uuid_equal(&found.vdi, vdi));
}

static void assert_refused(const struct nbd_shelves *shelves, const char *name, enum err code,
                           const char *words, const char *more) {
        struct err_note note = {0};
        struct nbd_found found;

        assert_err(nbd_shelves_find(shelves, name, false, &found, &note), code, words);
        assert_non_null(strstr(note.text, more));
}

static void a_disk_is_found_in_whichever_sr_it_is(void **state) {
        struct scene *s = *state;
        struct uuid a, b;

        assert_refused(&s->both, "", ERR_NOT_FOUND, "0 VDIs", "");
        b = kit_vdi(s->second, "b");
        assert_found(&s->both, "", &s->each[1], &b);
        assert_refused(&s->one, "b", ERR_NOT_FOUND, "in SR /sr", "\"b\"");
        a = kit_vdi(s->first, "a");
        assert_found(&s->both, "a", &s->each[0], &a);
        assert_found(&s->both, "b", &s->each[1], &b);
        assert_found(&s->both, uuid_format(&b).s, &s->each[1], &b);
        assert_refused(&s->both, "", ERR_NOT_FOUND, "2 VDIs", "");
        assert_found(&s->one, "", &s->each[0], &a);
        assert_refused(&s->both, "c", ERR_NOT_FOUND, "any of the 2 SRs", "\"c\"");
}

static void a_name_of_two_is_refused_with_both_uuids_and_where_they_are(void **state) {
        struct scene *s = *state;
        struct uuid a = kit_vdi(s->first, "a"), other = kit_vdi(s->second, "a"), third;

        assert_refused(&s->both, "a", ERR_INVALID, uuid_format(&a).s, uuid_format(&other).s);
        assert_refused(&s->both, "a", ERR_INVALID, " in /sr and ", " in /other;");
        assert_found(&s->one, "a", &s->each[0], &a);
        assert_found(&s->both, uuid_format(&other).s, &s->each[1], &other);
        third = kit_vdi(s->first, "a");
        assert_refused(&s->one, "a", ERR_INVALID, uuid_format(&a).s, uuid_format(&third).s);
}

static void a_uuid_goes_before_a_name(void **state) {
        struct scene *s = *state;
        struct uuid b = kit_vdi(s->second, "b");

        (void)kit_vdi(s->first, uuid_format(&b).s);
        assert_found(&s->both, uuid_format(&b).s, &s->each[1], &b);
}

/* A folder that was copied, with the copy opened besides. */
static void a_disk_of_two_srs_is_refused(void **state) {
        struct scene *s = *state;
        struct uuid a = kit_vdi(s->first, "a");
        AUTO_FREE char *from = mem_format("/sr/%s.vhd", uuid_format(&a).s);
        AUTO_FREE char *to = mem_format("/other/%s.vhd", uuid_format(&a).s);
        AUTO(io_close) struct io_file *in = NULL, *out = NULL;
        struct err_note note = {0};
        AUTO_FREE char *bytes = NULL;
        struct io_stat stat;

        assert_ok(io_open(s->io, from, IO_READ, &in, &note));
        assert_ok(io_stat(in, &stat, &note));
        bytes = mem_zero((size_t)stat.size);
        assert_ok(io_read(in, bytes, (size_t)stat.size, 0, &note));
        assert_ok(io_open(s->io, to, IO_CREATE, &out, &note));
        assert_ok(io_write(out, bytes, (size_t)stat.size, 0, &note));
        assert_ok(sr_scan(s->second, &note));
        assert_refused(&s->both, uuid_format(&a).s, ERR_INVALID, "in two SRs", "/sr and /other");
        assert_found(&s->both, "a", &s->each[0], &a);
}

static void assert_listed(const struct nbd_shelves *shelves, const char *want) {
        AUTO(nbd_list_fini) struct nbd_list list = {0};
        AUTO(buf_fini) struct buf all = {0};

        nbd_shelves_list(shelves, &list);
        VEC_EACH (&list.all, each)
                buf_print(&all, "%s ", each->name);
        assert_string_equal(buf_text(&all), want);
}

static void the_list_has_names_that_lead_to_one_and_else_uuids(void **state) {
        struct scene *s = *state;
        struct uuid b[2];
        AUTO_FREE char *want = NULL;
        bool is_first;

        assert_listed(&s->both, "");
        (void)kit_vdi(s->first, "c");
        b[0] = kit_vdi(s->first, "b");
        (void)kit_vdi(s->second, "a");
        assert_listed(&s->both, "a b c ");
        b[1] = kit_vdi(s->second, "b");
        assert_listed(&s->one, "b c ");
        is_first = memcmp(&b[0], &b[1], sizeof b[0]) < 0;
        want = mem_format("a %s %s c ", uuid_format(&b[!is_first]).s, uuid_format(&b[is_first]).s);
        assert_listed(&s->both, want);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- by a session ---- */

struct judge {
        const char *session; /* borrowed */
        struct uuid vdi;
};

static bool is_good(void *user, const char *session, const struct uuid *vdi) {
        const struct judge *judge = user;

        return strcmp(session, judge->session) == 0 && uuid_equal(vdi, &judge->vdi);
}

static void a_name_with_a_good_session_leads_to_its_disk_for_reading(void **state) {
        struct scene *s = *state;
        struct judge judge = {"OpaqueRef:secret", kit_vdi(s->first, "a")};
        AUTO_FREE char *name = mem_format("/%s?session_id=OpaqueRef:secret", uuid_format(&judge.vdi).s);
        struct nbd_shelves shelves = s->both;
        struct err_note note = {0};
        struct nbd_found found;

        shelves.may_read = is_good;
        shelves.user = &judge;
        assert_ok(nbd_shelves_find(&shelves, name, true, &found, &note));
        assert_true(uuid_equal(&found.vdi, &judge.vdi) && found.is_by_session);
        assert_ok(nbd_shelves_find(&shelves, name, false, &found, &note));
        assert_true(found.is_by_session);
        assert_ok(nbd_shelves_find(&shelves, "a", false, &found, &note));
        assert_false(found.is_by_session);
}

static void without_a_good_session_nothing_is_told_and_no_secret_is_said(void **state) {
        struct scene *s = *state;
        struct uuid a = kit_vdi(s->first, "a"), b = kit_vdi(s->first, "b");
        struct judge judge = {"OpaqueRef:secret", a};
        AUTO_FREE char *wrong = mem_format("/%s?session_id=OpaqueRef:hidden", uuid_format(&a).s);
        AUTO_FREE char *longer = mem_format("/%s?session_id=OpaqueRef:secret1", uuid_format(&a).s);
        AUTO_FREE char *other = mem_format("/%s?session_id=OpaqueRef:secret", uuid_format(&b).s);
        AUTO_FREE char *cut = mem_format("/%s?session_id", uuid_format(&a).s);
        AUTO_FREE char *odd = mem_format("%s?session_id=OpaqueRef:secret", uuid_format(&a).s);
        const char *const names[] = {wrong, longer, other, cut, odd, "a", "", "/", uuid_format(&a).s};
        struct nbd_shelves shelves = s->both;

        shelves.may_read = is_good;
        shelves.user = &judge;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                struct err_note note = {0};
                struct nbd_found found;

                assert_int_equal(nbd_shelves_find(&shelves, names[i], true, &found, &note), ERR_DENIED);
                assert_null(strstr(note.text, "OpaqueRef"));
                (void)!nbd_shelves_find(&shelves, names[i], false, &found, &note);
                assert_null(strstr(note.text, "OpaqueRef"));
        }
}

static void a_server_that_knows_no_sessions_refuses_them(void **state) {
        struct scene *s = *state;
        struct uuid a = kit_vdi(s->first, "a");
        AUTO_FREE char *name = mem_format("/%s?session_id=x", uuid_format(&a).s);
        struct err_note note = {0};
        struct nbd_found found;

        assert_int_equal(nbd_shelves_find(&s->both, name, false, &found, &note), ERR_DENIED);
}

/* Which has no data to serve. */
static void metadata_is_neither_found_nor_listed(void **state) {
        struct scene *s = *state;
        AUTO(nbd_list_fini) struct nbd_list list = {0};
        struct uuid a = kit_vdi(s->first, "a"), snapshot;
        struct err_note note = {0};

        assert_ok(sr_vdi_set_cbt(s->first, &a, true, &note));
        snapshot = kit_snapshot(s->first, &a, "s");
        assert_ok(sr_vdi_data_destroy(s->first, &snapshot, &note));
        assert_refused(&s->one, "s", ERR_NOT_FOUND, "\"s\"", "");
        assert_found(&s->one, "", &s->each[0], &a);
        nbd_shelves_list(&s->one, &list);
        assert_int_equal(list.all.n, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(a_disk_is_found_in_whichever_sr_it_is),
                CASE(a_name_of_two_is_refused_with_both_uuids_and_where_they_are),
                CASE(a_uuid_goes_before_a_name),
                CASE(a_disk_of_two_srs_is_refused),
                CASE(the_list_has_names_that_lead_to_one_and_else_uuids),
                cmocka_unit_test_setup_teardown(a_name_with_a_good_session_leads_to_its_disk_for_reading,
                                                set_up, tear_down),
                cmocka_unit_test_setup_teardown(without_a_good_session_nothing_is_told_and_no_secret_is_said,
                                                set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_server_that_knows_no_sessions_refuses_them, set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(metadata_is_neither_found_nor_listed, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
