// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "put_plan.h"

enum { CHUNK = 65536 };

/* Where a source has data: bytes, ascending. */
struct runs {
        struct put_extent list[4];
        size_t n;
        uint64_t size;
        unsigned n_asked;
};

static enum err next_data(void *user, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                          struct err_note *note) {
        struct runs *runs = user;

        (void)note;
        runs->n_asked++;
        *ret_start = *ret_end = runs->size;
        for (size_t i = 0; i < runs->n; i++) {
                uint64_t end = runs->list[i].at + runs->list[i].n;

                if (end > at) {
                        *ret_start = max_u64(at, runs->list[i].at);
                        *ret_end = end;
                        break;
                }
        }
        return ERR_NONE;
}

/* "0-3 hole 4-7 8": the pieces, in chunks. */
static void plan_text(const struct put_disk *disk, uint64_t batch, struct buf *ret) {
        struct id_tree_shape shape;
        struct put_plan plan;
        struct put_piece piece;
        struct err_note note;

        id_tree_shape_of(disk->source.size, CHUNK, &shape);
        assert_ok(put_plan_init(&plan, disk, &shape, batch, &note));
        for (;;) {
                assert_ok(put_plan_next(&plan, &piece, &note));
                if (piece.n == 0)
                        break;
                buf_print(ret, "%s%s%u+%u", ret->n ? " " : "", piece.is_hole ? "hole " : "",
                          (unsigned)piece.first, (unsigned)piece.n);
        }
}

static void assert_plan(const struct put_disk *disk, const char *want) {
        AUTO(buf_fini) struct buf text = {0};

        plan_text(disk, 4, &text);
        assert_string_equal(buf_text(&text), want);
}

static void all_is_read_in_batches(void **state) {
        (void)state;
        assert_plan(&(struct put_disk){.name = "d", .source = {.size = 10 * CHUNK}}, "0+4 4+4 8+2");
        assert_plan(&(struct put_disk){.name = "d", .source = {.size = 1}}, "0+1");
        assert_plan(&(struct put_disk){.name = "d", .source = {.size = 0}}, "");
}

static void holes_are_passed_over_and_chunks_partly_in_one_are_read(void **state) {
        struct runs runs = {.list = {{CHUNK + 5, 10}, {6 * CHUNK - 1, 2}, {9 * CHUNK, CHUNK}},
                            .n = 3,
                            .size = 20 * CHUNK};
        const struct put_disk disk = {.name = "d", .source = {20 * CHUNK, NULL, next_data, &runs}};

        (void)state;
        assert_plan(&disk, "hole 0+1 1+1 hole 2+3 5+2 hole 7+2 9+1 hole 10+10");
        assert_true(runs.n_asked <= 5);
        runs.n = 0;
        assert_plan(&disk, "hole 0+20");
}

static void of_changes_only_what_they_touch_is_read(void **state) {
        const struct vault_disk parent = {.size = 20 * CHUNK, .chunk = CHUNK};
        const struct put_extent changed[] = {{0, 1},
                                             {CHUNK - 1, 1},
                                             {CHUNK, 1},
                                             {5 * CHUNK - 1, 2},
                                             {5 * CHUNK + 7, 1},
                                             {20 * CHUNK - 1, 1}};
        struct put_disk disk = {.name = "d",
                                .source = {.size = 20 * CHUNK},
                                .parent = &parent,
                                .changed = changed,
                                .n_changed = 6};

        (void)state;
        assert_plan(&disk, "0+1 1+1 4+2 19+1");
        disk.n_changed = 0;
        assert_plan(&disk, "");
}

static void a_disk_that_grew_is_read_behind_its_old_end(void **state) {
        const struct vault_disk parent = {.size = 2 * CHUNK + 1, .chunk = CHUNK};
        const struct put_extent changed[] = {{0, 1}, {4 * CHUNK, 9 * CHUNK}};
        const struct put_disk disk = {.name = "d",
                                      .source = {.size = 7 * CHUNK},
                                      .parent = &parent,
                                      .changed = changed,
                                      .n_changed = 2};

        (void)state;
        assert_plan(&disk, "0+1 2+4 6+1");
}

static void of_a_disk_that_shrank_the_last_chunk_is_read(void **state) {
        const struct vault_disk parent = {.size = 9 * CHUNK, .chunk = CHUNK};
        const struct put_extent changed[] = {{8 * CHUNK, 1}};
        struct put_disk disk = {.name = "d",
                                .source = {.size = 3 * CHUNK + 1},
                                .parent = &parent,
                                .changed = changed,
                                .n_changed = 1};

        (void)state;
        assert_plan(&disk, "3+1");
        disk.source.size = 3 * CHUNK; /* nothing is behind its end within the chunk */
        assert_plan(&disk, "");
}

static void extents_that_are_not_in_order_are_refused(void **state) {
        const struct vault_disk parent = {.size = 9 * CHUNK, .chunk = CHUNK};
        static const struct put_extent wrong[][2] = {
                {{5, 5}, {9, 1}}, {{5, 5}, {0, 1}}, {{0, 1}, {UINT64_MAX, 2}}};
        struct err_note note;

        (void)state;
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
                const struct put_disk disk = {.name = "d",
                                              .source = {.size = 9 * CHUNK},
                                              .parent = &parent,
                                              .changed = wrong[i],
                                              .n_changed = 2};
                struct id_tree_shape shape;
                struct put_plan plan;

                id_tree_shape_of(disk.source.size, CHUNK, &shape);
                assert_err(put_plan_init(&plan, &disk, &shape, 4, &note), ERR_INVALID, "ascending");
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_is_read_in_batches),
                cmocka_unit_test(holes_are_passed_over_and_chunks_partly_in_one_are_read),
                cmocka_unit_test(of_changes_only_what_they_touch_is_read),
                cmocka_unit_test(a_disk_that_grew_is_read_behind_its_old_end),
                cmocka_unit_test(of_a_disk_that_shrank_the_last_chunk_is_read),
                cmocka_unit_test(extents_that_are_not_in_order_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
