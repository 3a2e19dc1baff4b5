// SPDX-License-Identifier: Apache-2.0
/* The crash and fail sweeps over what changes a VHD file as a file: making one, hiding, relinking, repairing,
 * growing.
 *
 * After each fault the image is what it was or what it was to be; its blocks read as they were written, by a
 * reader that follows BAT and bitmaps and nothing else; and the same call, made again, goes through and
 * leaves nothing to find. */
#include "disk/vhd_kit.h"

#include "parent_search.h"
#include "sweep.h"
#include "vhd_check.h"
#include "vhd_resize.h"

struct held {
        uint32_t block, from, n;
        uint8_t salt;
};

/* The image "a" of each sweep. */
static const struct held blocks[] = {{2, 100, 300, 3}, {0, 0, 4096, 1}, {4, 0, 2049, 5}};
enum { N_BLOCKS = sizeof blocks / sizeof *blocks, SIZE_BLOCKS = 5 };
static const uint64_t size = 9 * MIB + 512; /* 5 blocks, the last of 2049 sectors */

/* ---- looking ---- */

/* Every so many sectors, and the last: there are 4096, and thousands of points. */
static enum err check_sectors(struct io_file *file, const struct held *held, uint32_t entry,
                              struct err_note *note) {
        uint8_t want[VHD_SECTOR], got[VHD_SECTOR];

        for (uint32_t i = 0; i < held->n;
             i = i + 1 < held->n ? (uint32_t)min_u64(i + 29, held->n - 1) : held->n) {
                uint32_t sector = held->from + i;

                kit_pattern(want, held->block, sector, held->salt);
                if (io_read(file, got, sizeof got, vhd_block_data_at(entry) + (uint64_t)sector * VHD_SECTOR,
                            note))
                        return note->code;
                if (memcmp(want, got, sizeof got) != 0)
                        return sweep_violation(note, "block %u: sector %u is not what was written",
                                               held->block, sector);
        }
        return ERR_NONE;
}

static enum err check_held(struct io_file *file, const struct held *held, uint32_t entry,
                           struct err_note *note) {
        uint8_t bits[VHD_BITMAP_SIZE], want[VHD_BITMAP_SIZE] = {0};
        uint64_t n = held->block == SIZE_BLOCKS - 1 ? size % VHD_BLOCK_SIZE / VHD_SECTOR : VHD_BLOCK_SECTORS;

        if (entry == VHD_BAT_UNUSED)
                return sweep_violation(note, "block %u is gone", held->block);
        if (io_read(file, bits, sizeof bits, (uint64_t)entry * VHD_SECTOR, note))
                return note->code;
        vhd_bitmap_set_range(want, held->from, held->n);
        for (uint32_t i = 0; i < n; i++)
                if (vhd_bitmap_test(bits, i) != vhd_bitmap_test(want, i))
                        return sweep_violation(note, "block %u: bit %u is wrong", held->block, i);
        return check_sectors(file, held, entry, note);
}

static const struct held *held_of(uint32_t block) {
        for (unsigned i = 0; i < N_BLOCKS; i++)
                if (blocks[i].block == block)
                        return &blocks[i];
        return NULL;
}

/* Each block is as it was written, and there is no other. */
static enum err check_blocks(struct io *io, unsigned flags, struct vhd_meta *ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE uint32_t *bat = NULL;

        if (io_open(io, "a", IO_READ, &file, note) || vhd_meta_read(file, flags, ret, note))
                return note->code;
        bat = mem_zero((size_t)vhd_meta_blocks(ret) * 4);
        if (vhd_meta_read_bat(file, ret, bat, vhd_meta_blocks(ret), note))
                return note->code;
        for (uint32_t i = 0; i < vhd_meta_blocks(ret); i++) {
                const struct held *held = held_of(i);

                if (held ? check_held(file, held, bat[i], note) : bat[i] < 1000000)
                        return held ? note->code : sweep_violation(note, "block %u came from nowhere", i);
        }
        return ERR_NONE;
}

static enum err check_clean(struct io *io, const char *path, unsigned flags, struct err_note *note) {
        AUTO(findings_fini) struct findings found = {0};

        if (vhd_check(io, path, VHD_CHECK_BITMAPS | flags, &found, note))
                return note->code;
        if (found.list.n)
                return sweep_violation(note, "check finds: %s: %s", found.list.data[0].part,
                                       found.list.data[0].text);
        return ERR_NONE;
}

static enum err make_image(struct io *io, enum vhd_type type, uint64_t room_for) {
        struct err_note note = {0};
        struct vhd_parent parent = {.path = "parent-1"};

        kit_create(io, "parent-1", VHD_DYNAMIC, size, NULL);
        kit_create(io, "parent-2", VHD_DYNAMIC, size, NULL);
        parent.uuid = kit_meta(io, "parent-1").footer.uuid;
        assert_ok(
                vhd_create(io, "a",
                           &(struct vhd_create_options){.type = type,
                                                        .size = size,
                                                        .room_for = room_for,
                                                        .parent = type == VHD_DIFFERENCING ? &parent : NULL},
                           NULL, &note));
        for (unsigned i = 0; i < N_BLOCKS; i++)
                kit_put_block(io, "a", blocks[i].block, blocks[i].from, blocks[i].n, blocks[i].salt);
        assert_ok(io_sync_dir(io, "/", &note));
        return ERR_NONE;
}

/* ---- create ---- */

static enum err create_child(struct io *io, enum vhd_type type, struct err_note *note) {
        struct vhd_parent parent = {.path = "parent-1", .uuid = {{1}}};

        return vhd_create(io, "new",
                          &(struct vhd_create_options){.type = type,
                                                       .size = size,
                                                       .parent = type == VHD_DIFFERENCING ? &parent : NULL},
                          NULL, note);
}

static enum err create_setup(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        (void)note;
        kit_create(io, "parent-1", VHD_DYNAMIC, size, NULL);
        return ERR_NONE;
}

static enum err create_operate(struct io *io, void *ctx, struct err_note *note) {
        if (create_child(io, *(enum vhd_type *)ctx, note) || io_sync_dir(io, "/", note))
                return note->code;
        return ERR_NONE;
}

/* Not there, no VHD to anybody, or whole, but for the footer at the end. */
static enum err create_check(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE uint32_t *bat = NULL;
        struct vhd_meta meta;
        enum err err;

        if (outcome == SWEEP_DONE)
                return check_clean(io, "new", 0, note);
        err = io_open(io, "new", IO_READ, &file, note);
        if (!err && !(err = vhd_meta_read(file, 0, &meta, note)) && meta.footer.type != VHD_FIXED) {
                bat = mem_zero((size_t)vhd_meta_blocks(&meta) * 4);
                if (vhd_meta_read_bat(file, &meta, bat, vhd_meta_blocks(&meta), note))
                        return note->code;
                if (vhd_bat_count(bat, (uint32_t)vhd_meta_blocks(&meta)))
                        return sweep_violation(note, "a half-made image has blocks");
        }
        if (err && err != ERR_NOT_FOUND && err != ERR_CORRUPT)
                return err;
        if (file && io_unlink(io, "new", note))
                return note->code;
        if (create_child(io, *(enum vhd_type *)ctx, note) || io_sync_dir(io, "/", note))
                return err_wrap(note, "again");
        return check_clean(io, "new", 0, note);
}

/* ---- hide ---- */

static enum err plain_setup(struct io *io, void *ctx, struct err_note *note) {
        (void)ctx;
        (void)note;
        return make_image(io, VHD_DIFFERENCING, 0);
}

static enum err hide_operate(struct io *io, void *ctx, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        (void)ctx;
        if (io_open(io, "a", IO_WRITE, &file, note))
                return note->code;
        return vhd_edit_set_hidden(file, true, note);
}

static enum err hide_check(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        struct vhd_meta meta;

        if (check_blocks(io, 0, &meta, note))
                return note->code;
        if (meta.end_state != VHD_PART_VALID || meta.copy_state == VHD_PART_DAMAGED)
                return sweep_violation(note, "a footer is damaged");
        if (outcome == SWEEP_DONE && (!meta.footer.is_hidden || meta.copy_state != VHD_PART_VALID))
                return sweep_violation(note, "it is not hidden in both");
        if (hide_operate(io, ctx, note) || check_blocks(io, 0, &meta, note))
                return note->code;
        if (!meta.footer.is_hidden)
                return sweep_violation(note, "hiding again does not hide");
        return check_clean(io, "a", 0, note);
}

/* ---- relink ---- */

static enum err relink_setup(struct io *io, void *ctx, struct err_note *note) {
        if (make_image(io, VHD_DIFFERENCING, 0) || io_rename(io, "parent-2", ctx, note))
                return note->code;
        return ERR_NONE;
}

static enum err uuid_of(struct io *io, const char *path, struct uuid *ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_meta meta;

        if (io_open(io, path, IO_READ, &file, note) || vhd_meta_read_footers(file, 0, &meta, note))
                return note->code;
        *ret = meta.footer.uuid;
        return ERR_NONE;
}

static enum err relink_operate(struct io *io, void *ctx, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_parent parent = {.path = ctx, .modified_seconds = 1234567890};

        if (uuid_of(io, ctx, &parent.uuid, note) || io_open(io, "a", IO_WRITE, &file, note))
                return note->code;
        return vhd_edit_set_parent(io, file, &parent, note);
}

/* Some parent is found at each instant; and where the header names the new one, it is the new one. */
static enum err check_found(struct io *io, const struct vhd_meta *meta, const struct uuid *after,
                            struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE char *path = NULL;
        struct uuid found;

        if (io_open(io, "a", IO_READ, &file, note))
                return note->code;
        if (parent_search(io, file, "a", &meta->header, &path, note) || uuid_of(io, path, &found, note))
                return note->code;
        if (uuid_equal(&meta->header.parent_uuid, after) && !uuid_equal(&found, after))
                return sweep_violation(note, "the header names the new parent, the locators lead to %s",
                                       path);
        return ERR_NONE;
}

static enum err relink_check(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        struct uuid before, after;
        struct vhd_meta meta;

        if (check_blocks(io, 0, &meta, note) || uuid_of(io, "parent-1", &before, note) ||
            uuid_of(io, ctx, &after, note) || check_found(io, &meta, &after, note))
                return note->code;
        if (!uuid_equal(&meta.header.parent_uuid, &before) && !uuid_equal(&meta.header.parent_uuid, &after))
                return sweep_violation(note, "it has a third parent");
        if (outcome == SWEEP_DONE && !uuid_equal(&meta.header.parent_uuid, &after))
                return sweep_violation(note, "it has the old parent");
        if (outcome == SWEEP_DONE && check_clean(io, "a", VHD_CHECK_PARENT, note))
                return note->code;
        if (relink_operate(io, ctx, note) || check_blocks(io, 0, &meta, note))
                return err_wrap(note, "again");
        if (!uuid_equal(&meta.header.parent_uuid, &after))
                return sweep_violation(note, "relinking again does not relink");
        return check_clean(io, "a", VHD_CHECK_PARENT, note);
}

/* ---- repair ---- */

static void damage_end(struct io *io) {
        kit_truncate(io, "a", kit_size(io, "a") - 512);
}
static void damage_copy(struct io *io) {
        kit_flip(io, "a", 3);
}
static void damage_batmap(struct io *io) {
        kit_flip(io, "a", kit_meta(io, "a").batmap.map_offset + 400);
}
static void damage_batmap_header(struct io *io) {
        kit_flip(io, "a", kit_meta(io, "a").batmap_header_at);
}
static void damage_entries(struct io *io) {
        kit_set_bat(io, "a", 1, 1000001);
        kit_set_bat(io, "a", 3, 2000000);
        kit_set_batmap(io, "a", 3, true);
}
static void damage_header(struct io *io) {
        struct vhd_meta meta = kit_meta(io, "a");
        struct err_note note = {0};
        uint8_t second[512];

        kit_read_at(io, "a", second, 512, 1024);
        AUTO(io_close) struct io_file *file = kit_open(io, "a");
        assert_ok(io_rename(io, "parent-1", "another-parent", &note));
        assert_ok(io_rename(io, "parent-2", "parent-1", &note));
        assert_ok(vhd_edit_set_parent(
                io, file, &(struct vhd_parent){.path = "another-parent", .uuid = meta.header.parent_uuid},
                &note));
        kit_write_at(io, "a", second, 512, 1024);
}
static void damage_all(struct io *io) {
        damage_entries(io);
        damage_batmap(io);
        damage_header(io);
        damage_end(io);
}

typedef void damage_fn(struct io *);
struct damage {
        const char *name;
        damage_fn *make;
};

static enum err repair_setup(struct io *io, void *ctx, struct err_note *note) {
        struct damage *damage = ctx;

        (void)note;
        (void)make_image(io, VHD_DIFFERENCING, 0);
        damage->make(io);
        return ERR_NONE;
}

static enum err repair_operate(struct io *io, void *ctx, struct err_note *note) {
        AUTO(findings_fini) struct findings found = {0};

        (void)ctx;
        return vhd_repair(io, "a", NULL, false, &found, note);
}

static enum err repair_check(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        struct vhd_meta meta;

        if (check_blocks(io, VHD_META_REPAIR, &meta, note))
                return note->code;
        if (outcome == SWEEP_DONE && check_clean(io, "a", VHD_CHECK_PARENT, note))
                return note->code;
        if (repair_operate(io, ctx, note) || check_blocks(io, 0, &meta, note))
                return err_wrap(note, "again");
        return check_clean(io, "a", VHD_CHECK_PARENT, note);
}

/* ---- resize ---- */

struct resize {
        uint64_t new_size, room_for;
        bool is_fixed, is_junk; /* bits and data past the old end, as qemu leaves them */
};

static enum err resize_setup(struct io *io, void *ctx, struct err_note *note) {
        struct resize *r = ctx;
        uint8_t ones[VHD_BITMAP_SIZE], data[VHD_SECTOR];

        (void)note;
        if (r->is_fixed) {
                kit_create(io, "a", VHD_FIXED, size, NULL);
                kit_write_at(io, "a", "guest", 5, size - 5);
                return ERR_NONE;
        }
        (void)make_image(io, VHD_DYNAMIC, r->room_for);
        if (r->is_junk) {
                memset(ones, 0xFF, sizeof ones);
                memset(data, 0xEE, sizeof data);
                kit_write_at(io, "a", ones, sizeof ones, (uint64_t)kit_bat(io, "a", 4) * VHD_SECTOR);
                kit_write_at(io, "a", data, sizeof data,
                             vhd_block_data_at(kit_bat(io, "a", 4)) + 2049 * VHD_SECTOR);
                kit_set_batmap(io, "a", 4, true);
        }
        return ERR_NONE;
}

/* The plan is kept in a file beside the image, durable before anything changes. */
static enum err keep_plan(struct io *io, const struct buf *plan, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(io, "plan", IO_CREATE, &file, note) || io_write(file, plan->data, plan->n, 0, note) ||
            io_sync(file, note) || io_sync_dir(io, "/", note))
                return note->code;
        return ERR_NONE;
}

static enum err drop_plan(struct io *io, struct err_note *note) {
        if (io_unlink(io, "plan", note) || io_sync_dir(io, "/", note))
                return note->code;
        return ERR_NONE;
}

static enum err resize_operate(struct io *io, void *ctx, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO(buf_fini) struct buf plan = {0};
        struct resize *r = ctx;

        if (io_open(io, "a", IO_WRITE, &file, note) || vhd_resize_plan(file, r->new_size, &plan, note) ||
            keep_plan(io, &plan, note) || vhd_resize_apply(file, &plan, note) || drop_plan(io, note))
                return note->code;
        return ERR_NONE;
}

static enum err recover_twice(struct io *io, const struct buf *plan, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        uint64_t first, second;

        if (io_open(io, "a", IO_WRITE, &file, note) || vhd_resize_recover(file, plan, &first, note) ||
            vhd_resize_recover(file, plan, &second, note))
                return note->code;
        return first == second ? ERR_NONE : sweep_violation(note, "recovering twice is not recovering once");
}

/* A plan that is not whole was not begun. */
static enum err recover(struct io *io, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO(buf_fini) struct buf plan = {0};
        struct io_stat stat;
        enum err err = io_open(io, "plan", IO_READ, &file, note);

        if (err)
                return err == ERR_NOT_FOUND ? ERR_NONE : err;
        if (io_stat(file, &stat, note))
                return note->code;
        if (stat.size && io_read(file, buf_extend(&plan, (size_t)stat.size), (size_t)stat.size, 0, note))
                return note->code;
        if (recover_twice(io, &plan, note) &&
            (note->code != ERR_CORRUPT || !strstr(note->text, "resize plan")))
                return note->code;
        return drop_plan(io, note);
}

static enum err check_size(struct io *io, const struct resize *r, uint64_t *ret, struct err_note *note) {
        struct vhd_meta meta;
        AUTO(io_close) struct io_file *file = NULL;
        uint8_t bytes[VHD_SECTOR];

        if (!r->is_fixed) {
                if (check_blocks(io, 0, &meta, note))
                        return note->code;
        } else {
                if (io_open(io, "a", IO_READ, &file, note) || vhd_meta_read(file, 0, &meta, note) ||
                    io_read(file, bytes, sizeof bytes, size - sizeof bytes, note))
                        return note->code;
                if (memcmp(bytes + sizeof bytes - 5, "guest", 5) != 0)
                        return sweep_violation(note, "the guest's bytes are gone");
        }
        *ret = meta.footer.size_bytes;
        if (*ret != size && *ret != r->new_size)
                return sweep_violation(note, "the size is neither the old nor the new one");
        return ERR_NONE;
}

/* Behind the old end there are zeros. */
static enum err check_tail(struct io *io, const struct resize *r, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        uint8_t bytes[VHD_SECTOR];
        struct vhd_meta meta;
        be32 entry;

        if (io_open(io, "a", IO_READ, &file, note) || vhd_meta_read(file, 0, &meta, note))
                return note->code;
        if (r->is_fixed) {
                if (io_read(file, bytes, sizeof bytes, size, note))
                        return note->code;
                return bytes_are_zero(bytes, sizeof bytes) ? ERR_NONE
                                                           : sweep_violation(note, "the tail is no zeros");
        }
        if (io_read(file, &entry, sizeof entry, meta.header.table_offset + 16, note) ||
            io_read(file, bytes, sizeof bytes, (uint64_t)be32_get(entry) * VHD_SECTOR, note))
                return note->code;
        if (vhd_bitmap_next_set(bytes, 2049, VHD_BLOCK_SECTORS) != VHD_BLOCK_SECTORS)
                return sweep_violation(note, "what the last block held past the old end shows");
        return ERR_NONE;
}

static enum err resize_check(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        struct resize *r = ctx;
        uint64_t now;

        /* A table's image is whole without the plan too. */
        if (!r->is_fixed && check_size(io, r, &now, note))
                return err_wrap(note, "before recovery");
        if (recover(io, note) || check_size(io, r, &now, note))
                return note->code;
        if (outcome == SWEEP_DONE && now != r->new_size)
                return sweep_violation(note, "it has the old size");
        if ((now == r->new_size && check_tail(io, r, note)) || check_clean(io, "a", 0, note))
                return note->code;
        if (resize_operate(io, ctx, note) || check_size(io, r, &now, note))
                return err_wrap(note, "again");
        if (now != r->new_size)
                return sweep_violation(note, "growing again does not grow");
        if (check_tail(io, r, note))
                return note->code;
        return check_clean(io, "a", 0, note);
}

/* ---- the sweeps ---- */

static void a_new_file_is_whole_or_no_vhd(void **state) {
        static enum vhd_type types[] = {VHD_FIXED, VHD_DYNAMIC, VHD_DIFFERENCING};

        (void)state;
        for (unsigned i = 0; i < 3; i++) {
                struct sweep sweep = {.name = vhd_type_name(types[i]),
                                      .ctx = &types[i],
                                      .setup = create_setup,
                                      .operate = create_operate,
                                      .check = create_check};

                /* Many seeds: one set of lost sectors in sixteen makes a BAT of zeros look like one. */
                assert_int_equal(sweep_crash(&sweep, 200), 0);
                assert_int_equal(sweep_fail(&sweep, 0), 0);
        }
}

static void hiding_is_all_or_nothing(void **state) {
        static const struct sweep sweep = {
                .name = "hide", .setup = plain_setup, .operate = hide_operate, .check = hide_check};

        (void)state;
        assert_int_equal(sweep_all(&sweep, 0), 0);
}

static void a_relink_leads_to_the_old_parent_or_the_new(void **state) {
        static char names[][40] = {"parent-3", "p", "the-longer-parent"};

        (void)state;
        for (unsigned i = 0; i < 3; i++) {
                struct sweep sweep = {.name = names[i],
                                      .ctx = names[i],
                                      .setup = relink_setup,
                                      .operate = relink_operate,
                                      .check = relink_check};

                assert_int_equal(sweep_all(&sweep, 0), 0);
        }
}

static void a_repair_never_makes_it_worse(void **state) {
        static struct damage damages[] = {
                {"end", damage_end},         {"copy", damage_copy},
                {"batmap", damage_batmap},   {"batmap-header", damage_batmap_header},
                {"entries", damage_entries}, {"header", damage_header},
                {"all", damage_all},
        };

        (void)state;
        for (unsigned i = 0; i < sizeof damages / sizeof *damages; i++) {
                struct sweep sweep = {.name = damages[i].name,
                                      .ctx = &damages[i],
                                      .setup = repair_setup,
                                      .operate = repair_operate,
                                      .check = repair_check};

                assert_int_equal(sweep_all(&sweep, 0), 0);
        }
}

static void an_image_that_grows_has_the_old_size_or_the_new(void **state) {
        static const struct {
                const char *name;
                struct resize resize;
        } rows[] = {
                {"grow-in-room", {.new_size = 40 * MIB, .room_for = 64 * MIB}},
                {"grow-junk", {.new_size = 40 * MIB, .room_for = 64 * MIB, .is_junk = true}},
                {"grow-last-sector", {.new_size = 40 * MIB}},
                {"grow-table", {.new_size = 1 * GIB, .is_junk = true}},
                {"grow-fixed", {.new_size = 40 * MIB, .is_fixed = true}},
                {"grow-fixed-a-bit", {.new_size = 9 * MIB + 1024, .is_fixed = true}},
        };

        (void)state;
        for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
                struct resize ctx = rows[i].resize;
                struct sweep sweep = {.name = rows[i].name,
                                      .ctx = &ctx,
                                      .setup = resize_setup,
                                      .operate = resize_operate,
                                      .check = resize_check,
                                      .max_points = 30};

                assert_int_equal(sweep_all(&sweep, 0), 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_new_file_is_whole_or_no_vhd),
                cmocka_unit_test(hiding_is_all_or_nothing),
                cmocka_unit_test(a_relink_leads_to_the_old_parent_or_the_new),
                cmocka_unit_test(a_repair_never_makes_it_worse),
                cmocka_unit_test(an_image_that_grows_has_the_old_size_or_the_new),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
