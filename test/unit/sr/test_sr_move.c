// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"

#include "coalesce.h"
#include "sr_move.h"
#include "sr_move_mark.h"

/* "a" in the SR of the kit, and another SR, /two, where it goes. */
struct scene {
        struct io *io;        /* owned */
        struct sr *one, *two; /* owned; NULL: closed */
        struct uuid a;
};

static struct sr *open_two(struct io *io) {
        const struct sr_options options = {.images = &kit_images};
        struct err_note note = {0};
        struct sr *sr = NULL;

        assert_ok(sr_open(io, "/two", &options, &sr, &note));
        return sr;
}

static void begin_anew(struct scene *s) {
        struct err_note note = {0};
        struct uuid unused;

        s->io = io_sim_new(1, 0);
        s->one = kit_create(s->io);
        assert_ok(sr_create(s->io, "/two", "two", NULL, &unused, &note));
        s->two = open_two(s->io);
        s->a = kit_vdi(s->one, "a");
        kit_write(s->one, &s->a, "AB");
}

static int set_up(void **state) {
        struct scene *s = calloc(1, sizeof *s);

        begin_anew(s);
        *state = s;
        return 0;
}

static void close_both(struct scene *s) {
        if (s->one)
                sr_close(TAKE(s->one));
        if (s->two)
                sr_close(TAKE(s->two));
}

static int tear_down(void **state) {
        struct scene *s = *state;

        close_both(s);
        io_free(s->io);
        free(s);
        return 0;
}

/* ---- looks ---- */

static void a_look_reads_as_the_disk_did_and_nobody_sees_it(void **state) {
        struct scene *s = *state;
        struct err_note note = {0};
        struct chain *writer, *first, *same, *second;

        assert_ok(sr_open_chain(s->one, &s->a, CHAIN_WRITE, &writer, &note));
        kit_put(writer, 2, 'C');
        assert_ok(sr_move_look(s->one, &s->a, &first, &note));
        /* Nothing was written since: it is the same node. */
        assert_ok(sr_move_look(s->one, &s->a, &same, &note));
        assert_ptr_equal(chain_layer(first, 0), chain_layer(same, 0));
        assert_ok(sr_close_chain(s->one, same, &note));
        kit_put(writer, 0, 'X');
        assert_ok(sr_move_look(s->one, &s->a, &second, &note));
        kit_put(writer, 1, 'Y');
        assert_string_equal(kit_read_chain(first).s, "ABC.");
        assert_string_equal(kit_read_chain(second).s, "XBC.");
        assert_string_equal(kit_read_chain(writer).s, "XYC.");
        assert_int_equal(sr_n_vdis(s->one), 1);
        assert_ok(sr_close_chain(s->one, first, &note));
        assert_ok(sr_close_chain(s->one, second, &note));
        assert_ok(sr_close_chain(s->one, writer, &note));
        assert_reads(s->one, &s->a, "XYC.");
        kit_delete(s->one, &s->a);
        assert_int_equal(kit_n_files(s->io), 0);
}

/* [C4] What somebody looks at is not moved from under him. */
static void what_is_looked_at_is_not_coalesced(void **state) {
        struct scene *s = *state;
        struct err_note note = {0};
        struct coalesce *coalesce;
        struct coalesce_run run = {.top = s->a, .n = 2, .is_leaf = true};
        struct chain *look;

        assert_ok(sr_move_look(s->one, &s->a, &look, &note));
        run.target = tree_find(sr_tree(s->one), &s->a)->parent->uuid;
        assert_err(coalesce_begin(s->one, &run, &(struct coalesce_options){.batch_bytes = MIB}, &coalesce,
                                  &note),
                   ERR_BUSY, "is open");
        assert_ok(sr_close_chain(s->one, look, &note));
        assert_ok(coalesce_begin(s->one, &run, &(struct coalesce_options){.batch_bytes = MIB}, &coalesce,
                                 &note));
        coalesce_end(coalesce);
}

/* ---- the end ---- */

static struct sr_import *begin_import(struct scene *s) {
        const struct vdi_options options = {.name = "a", .size = KIT_SIZE, .uuid = &s->a};
        struct err_note note = {0};
        struct sr_import *into;

        assert_ok(sr_import_begin(s->two, &options, &into, &note));
        kit_put(sr_import_chain(into), 0, 'A');
        kit_put(sr_import_chain(into), 1, 'B');
        return into;
}

static enum err commit(struct scene *s, struct sr_import *into, bool *ret_is_over, struct err_note *note) {
        const struct uuid none = {0};

        return sr_move_commit(s->one, &s->a, s->two, into, &none, ret_is_over, note);
}

static void at_the_end_it_is_there_and_not_here(void **state) {
        struct scene *s = *state;
        struct err_note note = {0};
        struct uuid went;
        bool is_over;

        assert_ok(commit(s, begin_import(s), &is_over, &note));
        assert_true(is_over);
        assert_true(sr_move_went(s->one, &s->a, &went));
        assert_true(uuid_equal(&went, &sr_info(s->two)->uuid));
        assert_false(sr_move_went(s->two, &s->a, &went));
        assert_int_equal(kit_n_files(s->io), 0);
        assert_reads(s->two, &s->a, "AB..");
        kit_delete(s->two, &s->a);
}

/* The machine dies at the first call at which the other SR has it for good. */
static void cut_short(struct scene *s) {
        struct err_note note = {0};
        bool is_over;

        for (uint64_t n = 1;; n++) {
                struct sr_import *into = begin_import(s);

                io_sim_die_at(s->io, n, IO_SIM_BEFORE);
                (void)!commit(s, into, &is_over, &note);
                assert_true(io_sim_is_dead(s->io));
                close_both(s);
                io_sim_crash(s->io, 3);
                if (move_mark_look(s->io, "/two", &s->a) == MOVE_THERE)
                        return;
                io_free(s->io);
                begin_anew(s);
        }
}

static void one_that_was_cut_short_after_its_commit_is_finished_by_the_next_owner(void **state) {
        struct scene *s = *state;

        cut_short(s);
        s->one = kit_open(s->io);
        assert_null(sr_get_vdi(s->one, &s->a));
        s->two = open_two(s->io);
        assert_reads(s->two, &s->a, "AB..");
        kit_delete(s->two, &s->a);
}

/* [M1] It may have been written there by now. */
static void while_nobody_can_tell_it_is_not_opened_here(void **state) {
        struct scene *s = *state;
        struct err_note note = {0};
        struct chain *chain;

        cut_short(s);
        assert_ok(io_rename(s->io, "/two", "/away", &note));
        s->one = kit_open(s->io);
        assert_non_null(sr_get_vdi(s->one, &s->a));
        assert_err(sr_open_chain(s->one, &s->a, CHAIN_READ, &chain, &note), ERR_BUSY, "/two");
        assert_err(sr_open_chain(s->one, &s->a, CHAIN_WRITE, &chain, &note), ERR_BUSY, "/two");
        assert_err(sr_move_check(s->one, &s->a, NULL, &note), ERR_BUSY, "/two");
        /* A folder that is there by that name and is another tells nothing. */
        assert_ok(io_make_dir(s->io, "/two", &note));
        assert_err(sr_open_chain(s->one, &s->a, CHAIN_READ, &chain, &note), ERR_BUSY, "/two");
        assert_ok(io_remove_dir(s->io, "/two", &note));
        /* What is here can be had under another uuid, and the SR is changed as ever. */
        (void)kit_clone(s->one, &s->a, "rescued");
        /* Once it can be told it is, without anybody opening the SR anew. */
        assert_ok(io_rename(s->io, "/away", "/two", &note));
        assert_err(sr_open_chain(s->one, &s->a, CHAIN_READ, &chain, &note), ERR_NOT_FOUND, "no VDI");
        assert_int_equal(sr_n_vdis(s->one), 1);
}

/* Else "it is not there" could mean that it was, and was deleted. */
static void one_that_arrived_is_not_deleted_while_it_is_shown_where_it_came_from(void **state) {
        struct scene *s = *state;
        struct err_note note = {0};

        cut_short(s);
        s->two = open_two(s->io);
        assert_reads(s->two, &s->a, "AB..");
        assert_err(sr_vdi_delete(s->two, &s->a, &note), ERR_BUSY, KIT_DIR);
        assert_err(sr_move_check(s->two, &s->a, NULL, &note), ERR_BUSY, KIT_DIR);
        s->one = kit_open(s->io);
        assert_null(sr_get_vdi(s->one, &s->a));
        kit_delete(s->two, &s->a);
}

static void nor_where_that_is_gone_for_good_is_it_kept(void **state) {
        struct scene *s = *state;
        struct err_note note = {0};

        cut_short(s);
        assert_ok(io_rename(s->io, KIT_DIR, "/away", &note));
        s->two = open_two(s->io);
        assert_ok(sr_vdi_delete(s->two, &s->a, &note));
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
                CASE(a_look_reads_as_the_disk_did_and_nobody_sees_it),
                CASE(what_is_looked_at_is_not_coalesced),
                CASE(at_the_end_it_is_there_and_not_here),
                CASE(one_that_was_cut_short_after_its_commit_is_finished_by_the_next_owner),
                CASE(while_nobody_can_tell_it_is_not_opened_here),
                CASE(one_that_arrived_is_not_deleted_while_it_is_shown_where_it_came_from),
                CASE(nor_where_that_is_gone_for_good_is_it_kept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
