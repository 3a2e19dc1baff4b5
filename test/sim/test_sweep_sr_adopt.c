// SPDX-License-Identifier: Apache-2.0
/* Making, adopting and releasing an SR, under crashes and errors at every call; adopting from each state in
 * which sm may leave a folder.  Whatever happened, adopting again ends with the same disks.
 */
#include "sweep_sr.h"

#include "place.h"

struct scenario {
        const char *name;
        const char *after; /* what its VDIs read as, in order */
        enum err (*mangle)(struct io *, const struct uuid *vdi, const struct uuid *base, struct err_note *);
};

/* ---- what sm leaves ---- */

static char *path_of(const char *start, const struct uuid *uuid, const char *end) {
        return mem_format("%s/%s%s%s", DIR, start, uuid_format(uuid).s, end);
}

static enum err make_file(struct io *io, const char *path, const char *value, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(io, path, IO_WRITE | IO_CREATE, &file, note) ||
            io_write(file, value, strlen(value), 0, note))
                return note->code;
        return io_sync(file, note);
}

static enum err journal(struct io *io, const char *start, const struct uuid *uuid, const char *value,
                        struct err_note *note) {
        AUTO_FREE char *path = path_of(start, uuid, "");

        return make_file(io, path, value, note);
}

static enum err move(struct io *io, const struct uuid *from, const char *start, const struct uuid *to,
                     struct err_note *note) {
        AUTO_FREE char *from_path = path_of("", from, ".vhd");
        AUTO_FREE char *to_path = path_of(start, to, ".vhd");

        return io_rename(io, from_path, to_path, note);
}

static enum err set_hidden(struct io *io, const struct uuid *uuid, bool is_hidden, struct err_note *note) {
        AUTO(place_free) struct place *place = NULL;
        struct place_name name = place_name_of(uuid, IMAGE_VHD);

        if (place_dir_open(io, DIR, &place, note))
                return note->code;
        return place_set_hidden(place, &name, is_hidden, note);
}

static enum err nothing_left(struct io *io, const struct uuid *vdi, const struct uuid *base,
                             struct err_note *note) {
        (void)io, (void)vdi, (void)base, (void)note;
        return ERR_NONE;
}

static enum err copying(struct io *io, const struct uuid *vdi, const struct uuid *base,
                        struct err_note *note) {
        (void)vdi;
        return journal(io, "coalesce_", base, "1", note);
}

static enum err leaf_begun(struct io *io, const struct uuid *vdi, const struct uuid *base,
                           struct err_note *note) {
        if (set_hidden(io, base, false, note))
                return note->code;
        return journal(io, "leaf_", vdi, uuid_format(base).s, note);
}

static enum err leaf_renamed(struct io *io, const struct uuid *vdi, const struct uuid *base,
                             struct err_note *note) {
        if (leaf_begun(io, vdi, base, note))
                return note->code;
        return move(io, vdi, "OLD_", vdi, note);
}

static enum err leaf_swapped(struct io *io, const struct uuid *vdi, const struct uuid *base,
                             struct err_note *note) {
        if (set_hidden(io, vdi, true, note) || leaf_renamed(io, vdi, base, note))
                return note->code;
        return move(io, base, "", vdi, note);
}

static enum err leaf_left_over(struct io *io, const struct uuid *vdi, const struct uuid *base,
                               struct err_note *note) {
        if (set_hidden(io, vdi, true, note) || set_hidden(io, base, false, note) ||
            move(io, vdi, "OLD_", vdi, note))
                return note->code;
        return move(io, base, "", vdi, note);
}

static enum err snapshot_linked(struct io *io, const struct uuid *vdi, const struct uuid *base,
                                struct err_note *note) {
        static const struct uuid other = {{9}};
        AUTO_FREE char *path = path_of("", vdi, ".vhd");
        AUTO_FREE char *other_path = path_of("", &other, ".vhd");
        AUTO_FREE char *new_path = path_of("", vdi, ".vhd.new");

        (void)base;
        if (io_link(io, path, other_path, note))
                return note->code;
        return make_file(io, new_path, "conectix", note);
}

static enum err relinking(struct io *io, const struct uuid *vdi, const struct uuid *base,
                          struct err_note *note) {
        (void)vdi;
        return journal(io, "relink_", base, "1", note);
}

static const struct scenario scenarios[] = {
        {"adopt", "ACC.", nothing_left},
        {"adopt-coalesce", "ACC.", copying},
        {"adopt-leaf-begun", "ACC.", leaf_begun},
        {"adopt-leaf-renamed", "ACC.", leaf_renamed},
        {"adopt-leaf-swapped", "ACC.", leaf_swapped},
        {"adopt-leaf-left-over", "AB..", leaf_left_over},
        {"adopt-snapshot", "ACC.", snapshot_linked},
};

/* base <- middle <- a, c: what middle holds, base holds too. */
static const struct scenario relink = {"adopt-relink", "AB.. ABC.", relinking};

/* ---- where it begins ---- */

static enum err make_chain(struct sr *sr, struct uuid *ret_vdi, struct uuid *ret_base,
                           struct err_note *note) {
        if (create(sr, "a", IMAGE_VHD, note) || fill(sr, "a", "AB", note) || snapshot(sr, "a", "s", note) ||
            fill(sr, "a", ".CC", note) || delete (sr, "s", note) || find(sr, "a", ret_vdi, note))
                return note->code;
        *ret_base = tree_find(sr_tree(sr), ret_vdi)->parent->uuid;
        return ERR_NONE;
}

static enum err make_relink(struct sr *sr, struct uuid *ret_vdi, struct uuid *ret_base,
                            struct err_note *note) {
        if (create(sr, "a", IMAGE_VHD, note) || fill(sr, "a", "AB", note) || snapshot(sr, "a", "s", note) ||
            fill(sr, "a", "AB", note) || clone_as(sr, "a", "c", note) || fill(sr, "a", "..C", note) ||
            delete (sr, "s", note) || find(sr, "a", ret_vdi, note))
                return note->code;
        *ret_base = tree_find(sr_tree(sr), ret_vdi)->parent->uuid;
        return ERR_NONE;
}

static enum err setup_folder(struct io *io, void *ctx, struct err_note *note) {
        const struct scenario *scenario = ctx;
        AUTO(sr_close) struct sr *sr = NULL;
        struct uuid vdi, base, unused;

        if (sr_create(io, DIR, "main", NULL, &unused, note) || open_sr(io, &sr, note) ||
            (scenario->mangle == relinking ? make_relink : make_chain)(sr, &vdi, &base, note) ||
            sr_release(sr, note))
                return note->code;
        sr_close(TAKE(sr));
        return scenario->mangle(io, &vdi, &base, note);
}

static enum err operate_adopt(struct io *io, void *ctx, struct err_note *note) {
        struct uuid unused;

        (void)ctx;
        return sr_adopt(io, DIR, "adopted", &(struct sr_options){.images = &images}, &unused, note);
}

static int compare_texts(const void *a, const void *b) {
        return strcmp(a, b);
}

/* In the order of what they read, since their names are their uuids. */
static enum err check_disks(struct sr *sr, const char *want, struct err_note *note) {
        AUTO(buf_fini) struct buf text = {0};
        char reads[8][BLOCKS + 1];
        size_t n = sr_n_vdis(sr);

        if (n > 8)
                return sweep_violation(note, "%zu VDIs", n);
        for (size_t i = 0; i < n; i++) {
                struct uuid uuid = sr_vdi_at(sr, i)->row.uuid;

                if (read_letters(sr, &uuid, reads[i], note))
                        return note->code;
        }
        qsort(reads, n, sizeof *reads, compare_texts);
        for (size_t i = 0; i < n; i++)
                buf_print(&text, "%s%s", i ? " " : "", reads[i]);
        if (strcmp(n ? buf_text(&text) : "", want) != 0)
                return sweep_violation(note, "the disks read \"%s\" and not \"%s\"", n ? buf_text(&text) : "",
                                       want);
        return ERR_NONE;
}

static enum err check_adopted(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        const struct scenario *scenario = ctx;
        AUTO(sr_close) struct sr *sr = NULL;
        enum err err = open_sr(io, &sr, note);

        if (err && outcome == SWEEP_DONE)
                return err;
        if (err && err != ERR_INVALID)
                return err;
        if (err && (operate_adopt(io, ctx, note) || open_sr(io, &sr, note)))
                return note->code;
        if (check_disks(sr, scenario->after, note) || check_no_garbage(sr, note) ||
            check_nodes(io, sr, note) || check_disks(sr, scenario->after, note))
                return note->code;
        sr_close(TAKE(sr));
        return check_again(io, note);
}

static unsigned sweep_scenario(const struct scenario *scenario) {
        struct scenario copy = *scenario;
        struct sweep sweep = {.name = copy.name,
                              .ctx = &copy,
                              .setup = setup_folder,
                              .operate = operate_adopt,
                              .check = check_adopted,
                              .recoveries = 1};
        unsigned violations = sweep_crash(&sweep, 4 * IO_SIM_STYLES);

        sweep.max_points = 20;
        return violations + sweep_fail(&sweep, 1);
}

static void a_folder_is_adopted_whatever_sm_left_and_whatever_happens(void **state) {
        unsigned violations = 0;

        (void)state;
        for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
                violations += sweep_scenario(&scenarios[i]);
        assert_int_equal(violations, 0);
}

static void a_relink_is_finished_whatever_happens(void **state) {
        (void)state;
        assert_int_equal(sweep_scenario(&relink), 0);
}

/* ---- making one ---- */

static enum err setup_none(struct io *io, void *ctx, struct err_note *note) {
        (void)io, (void)ctx, (void)note;
        return ERR_NONE;
}

static enum err operate_create(struct io *io, void *ctx, struct err_note *note) {
        struct uuid unused;

        (void)ctx;
        return sr_create(io, DIR, "main", &(struct sr_options){.images = &images}, &unused, note);
}

/* It is one, or can be made one. */
static enum err check_created(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(sr_close) struct sr *sr = NULL;
        enum err err = open_sr(io, &sr, note);

        if (err && outcome == SWEEP_DONE)
                return err;
        if (err && (operate_create(io, ctx, note) || open_sr(io, &sr, note)))
                return note->code;
        if (outcome == SWEEP_DONE && strcmp(sr_info(sr)->name, "main") != 0)
                return sweep_violation(note, "it is named \"%s\"", sr_info(sr)->name);
        return create(sr, "a", IMAGE_VHD, note);
}

static void an_sr_is_made_whole_or_can_be_made_again(void **state) {
        const struct sweep sweep = {.name = "create-sr",
                                    .setup = setup_none,
                                    .operate = operate_create,
                                    .check = check_created,
                                    .max_points = 40};

        (void)state;
        assert_int_equal(sweep_all(&sweep, IO_SIM_STYLES), 0);
}

/* ---- giving one back ---- */

static enum err setup_release(struct io *io, void *ctx, struct err_note *note) {
        AUTO(sr_close) struct sr *sr = NULL;
        struct uuid unused, vdi, base;

        (void)ctx;
        if (sr_create(io, DIR, "main", NULL, &unused, note) || open_sr(io, &sr, note))
                return note->code;
        return make_chain(sr, &vdi, &base, note);
}

static enum err operate_release(struct io *io, void *ctx, struct err_note *note) {
        AUTO(sr_close) struct sr *sr = NULL;

        (void)ctx;
        if (open_sr(io, &sr, note))
                return note->code;
        return sr_release(sr, note);
}

static enum err check_released(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(sr_close) struct sr *sr = NULL;
        AUTO(io_names_fini) struct io_names names = {0};

        (void)ctx;
        if (sr_open(io, DIR, &(struct sr_options){.mode = SR_READ_ONLY, .images = &images}, &sr, note) ||
            check_disks(sr, "ACC.", note) || io_list(io, DIR, &names, note))
                return note->code;
        if (outcome == SWEEP_DONE && names.names.n != 2)
                return sweep_violation(note, "%zu names are left", names.names.n);
        return ERR_NONE;
}

static void a_released_folder_holds_its_disks(void **state) {
        const struct sweep sweep = {.name = "release-sr",
                                    .setup = setup_release,
                                    .operate = operate_release,
                                    .check = check_released,
                                    .max_points = 40};

        (void)state;
        assert_int_equal(sweep_all(&sweep, IO_SIM_STYLES), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_sr_is_made_whole_or_can_be_made_again),
                cmocka_unit_test(a_released_folder_holds_its_disks),
                cmocka_unit_test(a_relink_is_finished_whatever_happens),
                cmocka_unit_test(a_folder_is_adopted_whatever_sm_left_and_whatever_happens),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
