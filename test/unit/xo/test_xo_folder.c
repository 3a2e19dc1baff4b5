// SPDX-License-Identifier: Apache-2.0
#include "xo_folder.h"

#include <string.h>

#include "check.h"
#include "fixture_xo.h"
#include "io_sim.h"
#include "mem.h"

struct place {
        struct io *below, *io; /* owned */
        struct xo_remote remote;
        struct xo_folder folder;
};

static void open_place(struct place *place) {
        struct err_note note;

        place->below = io_sim_new(1, 0);
        place->io = xo_io_new(place->below);
        for (unsigned day = 1; day <= 3; day++)
                fixture_xo_disk(place->below, day, "abc", day - 1);
        fixture_xo_write(place->below, "xo-vm-backups/x", "", 0);
        assert_ok(xo_remote_open(place->below, FIXTURE_XO, NULL, &place->remote, &note));
}

static void load(struct place *place) {
        struct err_note note;

        assert_ok(xo_folder_load(&place->remote, place->io, FIXTURE_XO_FOLDER, &place->folder, &note));
}

static void close_place(struct place *place) {
        xo_folder_fini(&place->folder);
        io_free(place->io);
        xo_remote_fini(&place->remote);
        io_free(place->below);
}
DEFINE_AUTO_IN_PLACE(struct place, close_place);

static void write_merge(struct place *place, unsigned old, unsigned new) {
        AUTO_FREE char *from = fixture_xo_alias(old);
        AUTO_FREE char *to = fixture_xo_point(new);
        AUTO_FREE char *path = mem_format(FIXTURE_XO_FOLDER "/.%s.merge.json", from);
        AUTO_FREE char *text = mem_format("{\"chain\": [\"%s\", \"data/%s.vhd\"]}", from, to);

        fixture_xo_write(place->below, path, text, strlen(text));
}

static enum err find(struct place *place, unsigned day, char **ret, struct err_note *note) {
        AUTO_FREE char *name = fixture_xo_alias(day);

        return xo_folder_find(&place->folder, name, ret, note);
}

static void directories_lie_there_as_files(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO_FREE char *path = NULL;
        AUTO_FREE char *file = NULL;
        struct err_note note;
        char *none;

        (void)state;
        open_place(&place);
        fixture_xo_write(place.below, FIXTURE_XO_FOLDER "/a.vhd", "x", 1);
        load(&place);
        assert_ok(find(&place, 3, &path, &note));
        assert_non_null(xo_io_find(place.io, path));
        assert_ok(xo_folder_find(&place.folder, "a.vhd", &file, &note));
        assert_string_equal(file, FIXTURE_XO "/" FIXTURE_XO_FOLDER "/a.vhd");
        assert_err(xo_folder_find(&place.folder, "b.vhd", &none, &note), ERR_NOT_FOUND, "b.vhd is not there");
}

static void one_that_cannot_be_read_is_nobody_elses_trouble(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO_FREE char *alias = fixture_xo_alias(2);
        AUTO_FREE char *path = mem_format(FIXTURE_XO_FOLDER "/%s", alias);
        AUTO_FREE char *found = NULL;
        struct err_note note;
        char *none;

        (void)state;
        open_place(&place);
        fixture_xo_write(place.below, path, "../../elsewhere", 15);
        load(&place);
        assert_err(find(&place, 2, &none, &note), ERR_CORRUPT, "climbs");
        assert_ok(find(&place, 1, &found, &note));
}

static void of_a_merge_only_the_topmost_is_to_be_had(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO_FREE char *second = NULL;
        AUTO_FREE char *third = NULL;
        struct err_note note;
        char *none;

        (void)state;
        open_place(&place);
        write_merge(&place, 1, 2);
        load(&place);
        assert_err(find(&place, 1, &none, &note), ERR_BUSY, "being merged");
        assert_ok(find(&place, 2, &second, &note));
        assert_ok(find(&place, 3, &third, &note));
}

static void at_its_end_the_result_has_the_lowest_name(void **state) {
        AUTO(close_place) struct place place = {0};
        AUTO_FREE char *lowest = fixture_xo_alias(1);
        AUTO_FREE char *topmost = fixture_xo_alias(2);
        AUTO_FREE char *gone = mem_format(FIXTURE_XO_FOLDER "/%s", topmost);
        AUTO_FREE char *state_path = mem_format(FIXTURE_XO_FOLDER "/.%s.merge.json", lowest);
        AUTO_FREE char *text = mem_format("{\"chain\": [\"%s\", \"%s\"]}", lowest, topmost);
        AUTO_FREE char *found = NULL;
        struct err_note note;

        (void)state;
        open_place(&place);
        fixture_xo_write(place.below, state_path, text, strlen(text));
        fixture_xo_remove(place.below, gone);
        load(&place);
        assert_ok(find(&place, 2, &found, &note));
        assert_non_null(strstr(found, lowest));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(directories_lie_there_as_files),
                cmocka_unit_test(one_that_cannot_be_read_is_nobody_elses_trouble),
                cmocka_unit_test(of_a_merge_only_the_topmost_is_to_be_had),
                cmocka_unit_test(at_its_end_the_result_has_the_lowest_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
