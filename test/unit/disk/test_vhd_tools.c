// SPDX-License-Identifier: Apache-2.0
/* Our files before other programs: made, hidden, grown and repaired by us, read by qemu-img and vhdiinfo; and
 * theirs before our check.  Skipped where qemu-img is missing; what asks vhdiinfo is left out where that is.
 */
#include <unistd.h>

#include "io/temp_dir.h"
#include "vhd_kit.h"

#include "vhd_check.h"
#include "vhd_resize.h"

enum { SKIPPED = 77 };

/* A folder, and the machine's own files. */
struct place {
        struct io *io;
        char *dir;
};

static void place_fini(struct place *p) {
        temp_dir_free(p->dir);
        io_free(p->io);
}
DEFINE_AUTO_IN_PLACE(struct place, place_fini);

static struct place place_new(void) {
        return (struct place){io_posix_new(), temp_dir_new()};
}

static char *in(const struct place *p, const char *name) {
        return mem_format("%s/%s", p->dir, name);
}

/* The command runs in the folder; what it prints is shown where it fails. */
static bool try_run(const struct place *p, const char *command) {
        AUTO_FREE char *line =
                mem_format("cd '%s' && { %s ; } >log 2>&1 || { cat log >&2; exit 1; }", p->dir, command);

        return system(line) == 0;
}

static void run(const struct place *p, const char *command) {
        if (!try_run(p, command))
                fail_msg("%s", command);
}

static bool has_vhdiinfo(void) {
        return system("command -v vhdiinfo >/dev/null 2>&1") == 0;
}

static void expect_clean(struct io *io, const char *path, unsigned flags) {
        AUTO(findings_fini) struct findings found = {0};
        struct err_note note = {0};

        assert_ok(vhd_check(io, path, VHD_CHECK_BITMAPS | flags, &found, &note));
        for (size_t i = 0; i < found.list.n; i++)
                print_error("%s: %s: %s\n", path, found.list.data[i].part, found.list.data[i].text);
        assert_int_equal(found.list.n, 0);
}

static void save(const struct place *p, const char *name, const void *data, size_t n) {
        AUTO_FREE char *path = in(p, name);
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note = {0};

        assert_ok(io_open(p->io, path, IO_CREATE, &file, &note));
        if (n)
                assert_ok(io_write(file, data, n, 0, &note));
}

/* A raw disk: some sectors at the start, in the middle and at the end hold something. */
static void save_raw(const struct place *p, const char *name, uint64_t size) {
        AUTO_FREE char *path = in(p, name);
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note = {0};
        uint8_t sector[VHD_SECTOR];

        assert_ok(io_open(p->io, path, IO_CREATE, &file, &note));
        assert_ok(io_truncate(file, size, &note));
        for (uint64_t at = 0; at < size; at += at < size / 2 ? 3 * 512 : 700 * 512) {
                kit_pattern(sector, (uint32_t)(at / VHD_BLOCK_SIZE), (uint32_t)(at % VHD_BLOCK_SIZE / 512),
                            7);
                assert_ok(io_write(file, sector, sizeof sector, at, &note));
        }
        assert_ok(io_write(file, sector, sizeof sector, size - 512, &note));
}

static void resize(const struct place *p, const char *name, uint64_t size) {
        AUTO_FREE char *path = in(p, name);
        AUTO(io_close) struct io_file *file = kit_open(p->io, path);
        AUTO(buf_fini) struct buf plan = {0};
        struct err_note note = {0};

        assert_ok(vhd_resize_plan(file, size, &plan, &note));
        assert_ok(vhd_resize_apply(file, &plan, &note));
}

static void repair(const struct place *p, const char *name) {
        AUTO_FREE char *path = in(p, name);
        AUTO(findings_fini) struct findings found = {0};
        struct err_note note = {0};

        assert_ok(vhd_repair(p->io, path, NULL, false, &found, &note));
}

/* ---- theirs ---- */

static void what_qemu_writes_has_nothing_to_find(void **state) {
        static const uint64_t sizes[] = {2 * MIB, 5 * MIB + 512, 33 * MIB, 133 * MIB};
        static const char *const options[] = {"subformat=dynamic", "subformat=dynamic,force_size=on",
                                              "subformat=fixed", "subformat=fixed,force_size=on"};

        (void)state;
        for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++)
                for (unsigned o = 0; o < sizeof options / sizeof *options; o++) {
                        AUTO(place_fini) struct place p = place_new();
                        AUTO_FREE char *path = in(&p, "a.vhd");
                        AUTO_FREE char *command =
                                mem_format("qemu-img convert -f raw -O vpc -o %s a.raw a.vhd", options[o]);

                        save_raw(&p, "a.raw", sizes[s]);
                        run(&p, command);
                        expect_clean(p.io, path, 0);
                }
}

/* Of force_size, so that the size is what the footer says; the larger table has to move qemu's unaligned
 * blocks. */
static void what_qemu_wrote_reads_the_same_when_we_have_grown_and_repaired_it(void **state) {
        static const char *const subformats[] = {"dynamic", "fixed"};
        static const uint64_t sizes[] = {21 * MIB + 512, 300 * MIB, 700 * MIB};

        (void)state;
        for (unsigned f = 0; f < 2; f++) {
                AUTO(place_fini) struct place p = place_new();
                AUTO_FREE char *path = in(&p, "a.vhd");
                AUTO_FREE char *convert =
                        mem_format("qemu-img convert -f raw -O vpc -o subformat=%s,force_size=on a.raw a.vhd",
                                   subformats[f]);

                save_raw(&p, "a.raw", 21 * MIB);
                run(&p, convert);
                for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
                        AUTO_FREE char *grow =
                                mem_format("truncate -s %llu a.raw", (unsigned long long)sizes[s]);

                        resize(&p, "a.vhd", sizes[s]);
                        run(&p, grow);
                        expect_clean(p.io, path, 0);
                        run(&p, "qemu-img compare -f vpc -F raw a.vhd a.raw");
                }
                if (f == 0) {
                        kit_flip(p.io, path, 9);
                        repair(&p, "a.vhd");
                        kit_truncate(p.io, path, kit_size(p.io, path) - 512);
                        repair(&p, "a.vhd");
                        expect_clean(p.io, path, 0);
                        run(&p, "qemu-img compare -f vpc -F raw a.vhd a.raw");
                }
        }
}

/* ---- ours ---- */

/* An image of ours and the raw disk that it must read as. */
static void make_pair(const struct place *p, enum vhd_type type, uint64_t size) {
        AUTO_FREE char *vhd = in(p, "a.vhd");
        AUTO_FREE char *raw = in(p, "a.raw");
        AUTO_FREE uint8_t *data = mem_zero(VHD_BLOCK_SIZE);
        uint32_t last = (uint32_t)(div_up(size, VHD_BLOCK_SIZE) - 1);
        uint32_t n_last = (uint32_t)((size - last * VHD_BLOCK_SIZE) / 512);
        const uint32_t held[][3] = {{1, 5, 700}, {0, 0, 4096}, {last, 0, n_last}};

        kit_create(p->io, vhd, type, size, NULL);
        save(p, "a.raw", NULL, 0);
        kit_truncate(p->io, raw, size);
        for (unsigned i = 0; i < 3; i++) {
                for (uint32_t s = 0; s < held[i][2]; s++)
                        kit_pattern(data + (size_t)s * 512, held[i][0], held[i][1] + s, 9);
                kit_write_at(p->io, raw, data, (size_t)held[i][2] * 512,
                             held[i][0] * VHD_BLOCK_SIZE + (uint64_t)held[i][1] * 512);
                if (type == VHD_FIXED)
                        kit_write_at(p->io, vhd, data, (size_t)held[i][2] * 512,
                                     held[i][0] * VHD_BLOCK_SIZE + (uint64_t)held[i][1] * 512);
                else
                        kit_put_block(p->io, vhd, held[i][0], held[i][1], held[i][2], 9);
        }
}

static void expect_read_by_qemu(const struct place *p, uint64_t size) {
        AUTO_FREE char *info =
                mem_format("qemu-img info -f vpc --output=json a.vhd | grep '\"virtual-size\": %llu'",
                           (unsigned long long)size);

        run(p, info);
        run(p, "qemu-img compare -f vpc -F raw a.vhd a.raw");
        run(p, "qemu-img convert -f vpc -O raw a.vhd back.raw && cmp back.raw a.raw");
}

/* It takes the footer's original size for the size: so not of what has grown. */
static void expect_read_by_libvhdi(const struct place *p, uint64_t size) {
        AUTO_FREE char *media = mem_format("vhdiinfo a.vhd | grep '(%llu bytes)'", (unsigned long long)size);

        if (has_vhdiinfo())
                run(p, media);
}

static void ours_is_read_by_qemu_and_libvhdi(void **state) {
        static const enum vhd_type types[] = {VHD_DYNAMIC, VHD_FIXED};
        static const uint64_t sizes[] = {8 * MIB, 9 * MIB + 512, 31 * MIB + 1024};

        (void)state;
        for (unsigned t = 0; t < 2; t++)
                for (unsigned s = 0; s < 3; s++) {
                        AUTO(place_fini) struct place p = place_new();

                        make_pair(&p, types[t], sizes[s]);
                        expect_read_by_qemu(&p, sizes[s]);
                        expect_read_by_libvhdi(&p, sizes[s]);
                }
}

static void ours_is_read_by_qemu_when_it_was_hidden_grown_and_repaired(void **state) {
        static const uint64_t sizes[] = {60 * MIB, 257 * MIB + 512, 600 * MIB};
        AUTO(place_fini) struct place p = place_new();
        AUTO_FREE char *path = in(&p, "a.vhd");
        struct err_note note = {0};

        (void)state;
        make_pair(&p, VHD_DYNAMIC, 9 * MIB + 512);
        {
                AUTO(io_close) struct io_file *file = kit_open(p.io, path);

                assert_ok(vhd_edit_set_hidden(file, true, &note));
        }
        expect_read_by_qemu(&p, 9 * MIB + 512);
        for (unsigned s = 0; s < 3; s++) {
                AUTO_FREE char *grow = mem_format("truncate -s %llu a.raw", (unsigned long long)sizes[s]);

                resize(&p, "a.vhd", sizes[s]);
                run(&p, grow);
                expect_clean(p.io, path, 0);
                expect_read_by_qemu(&p, sizes[s]);
        }
        kit_truncate(p.io, path, kit_size(p.io, path) - 512);
        repair(&p, "a.vhd");
        expect_read_by_qemu(&p, sizes[2]);
}

static void libvhdi_reads_the_names_of_a_child(void **state) {
        AUTO(place_fini) struct place p = place_new();
        AUTO_FREE char *base = in(&p, "base-1.vhd");
        AUTO_FREE char *child = in(&p, "child.vhd");
        AUTO_FREE char *other = in(&p, "base-2.vhd");
        struct vhd_parent parent = {.path = other};
        struct err_note note = {0};

        (void)state;
        if (!has_vhdiinfo())
                return;
        kit_create(p.io, base, VHD_DYNAMIC, 9 * MIB, NULL);
        kit_create(p.io, child, VHD_DIFFERENCING, 9 * MIB, base);
        run(&p, "vhdiinfo child.vhd | grep -i 'parent.*base-1.vhd'");
        kit_create(p.io, other, VHD_DYNAMIC, 9 * MIB, NULL);
        parent.uuid = kit_meta(p.io, other).footer.uuid;
        AUTO(io_close) struct io_file *file = kit_open(p.io, child);
        assert_ok(vhd_edit_set_parent(p.io, file, &parent, &note));
        run(&p, "vhdiinfo child.vhd | grep -i 'parent.*base-2.vhd'");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_qemu_writes_has_nothing_to_find),
                cmocka_unit_test(what_qemu_wrote_reads_the_same_when_we_have_grown_and_repaired_it),
                cmocka_unit_test(ours_is_read_by_qemu_and_libvhdi),
                cmocka_unit_test(ours_is_read_by_qemu_when_it_was_hidden_grown_and_repaired),
                cmocka_unit_test(libvhdi_reads_the_names_of_a_child),
        };

        if (system("command -v qemu-img >/dev/null 2>&1") != 0) {
                (void)fprintf(stderr, "skipped: there is no qemu-img\n");
                return SKIPPED;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
