// SPDX-License-Identifier: Apache-2.0
#include "vhd_kit.h"

#include "vhd_parent.h"

static void names_of(const char *parent, const char *child, const char *want_path, const char *want_name) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(vhd_parent_names_fini) struct vhd_parent_names names = {0};
        struct err_note note = {0};

        assert_ok(io_make_dir(io, "/sr", &note));
        assert_ok(io_make_dir(io, "/sr/x", &note));
        assert_ok(io_make_dir(io, "/srv", &note));
        assert_ok(vhd_parent_names_of(io, &(struct vhd_parent){.path = parent}, child, &names, &note));
        assert_string_equal(names.path, want_path);
        assert_string_equal(names.name, want_name);
}

static void the_path_leads_from_the_childs_folder_to_the_parent(void **state) {
        (void)state;
        names_of("/sr/a.vhd", "/sr/b.vhd", "a.vhd", "a.vhd");
        names_of("sr/./x/../a.vhd", "/sr/b.vhd", "a.vhd", "a.vhd");
        names_of("/sr/x/a.vhd", "/sr/b.vhd", "x/a.vhd", "a.vhd");
        names_of("/sr/a.vhd", "/sr/x/b.vhd", "../a.vhd", "a.vhd");
        names_of("/srv/a.vhd", "/sr/b.vhd", "../srv/a.vhd", "a.vhd");
        names_of("/sr/a.vhd", "/srv/b.vhd", "../sr/a.vhd", "a.vhd");
        names_of("a.vhd", "b.vhd", "a.vhd", "a.vhd");
        names_of("/a.vhd", "/sr/x/b.vhd", "../../a.vhd", "a.vhd");
}

static void a_missing_folder_or_a_name_no_vhd_holds_is_refused(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        AUTO(vhd_parent_names_fini) struct vhd_parent_names names = {0};
        struct err_note note = {0};

        (void)state;
        assert_err(vhd_parent_names_of(io, &(struct vhd_parent){.path = "none/a"}, "b", &names, &note),
                   ERR_NOT_FOUND, "none");
        assert_err(vhd_parent_names_of(io, &(struct vhd_parent){.path = "a"}, "none/b", &names, &note),
                   ERR_NOT_FOUND, "none");
        assert_err(vhd_parent_names_of(io, &(struct vhd_parent){.path = "a\\b"}, "b", &names, &note),
                   ERR_INVALID, "backslash");
}

static void a_stretched_payload_still_names_the_same_file(void **state) {
        (void)state;
        for (unsigned i = 0; i < VHD_NEW_LOCATORS; i++) {
                uint32_t code = vhd_locator_order[i];
                size_t unit = code == VHD_LOCATOR_MACX ? 1 : 2;

                for (size_t more = 0; more < 40; more += unit) {
                        AUTO(buf_fini) struct buf payload = {0};
                        AUTO_FREE char *path = NULL;
                        struct err_note note = {0};
                        size_t n;

                        assert_ok(vhd_locator_encode(code, "../x/b.vhd", &payload, &note));
                        n = payload.n + more;
                        assert_true(vhd_parent_stretch(&payload, code, n));
                        assert_int_equal(payload.n, n);
                        assert_ok(vhd_locator_decode(
                                &(struct vhd_locator){
                                        .code = code, .space = 512, .length = (uint32_t)n, .offset = 512},
                                (struct span){payload.data, payload.n}, &path, &note));
                        assert_string_equal(path, "../x/b.vhd");
                        assert_false(vhd_parent_stretch(&payload, code, n - unit));
                        if (unit == 2)
                                assert_false(vhd_parent_stretch(&payload, code, n + 1));
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_path_leads_from_the_childs_folder_to_the_parent),
                cmocka_unit_test(a_missing_folder_or_a_name_no_vhd_holds_is_refused),
                cmocka_unit_test(a_stretched_payload_still_names_the_same_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
