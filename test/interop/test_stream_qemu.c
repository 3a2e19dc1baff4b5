// SPDX-License-Identifier: Apache-2.0
/* What we send is read by qemu-img and libvhdi, and what qemu-img makes is taken in.  Skipped where they are
 * absent. */
#include "stream_kit.h"

#include <unistd.h>

static char *folder; /* owned */

static char *in_folder(const char *name) {
        return mem_format("%s/%s", folder, name);
}

static int make_folder(void **state) {
        const char *tmp = getenv("TMPDIR");

        (void)state;
        folder = mem_format("%s/stream_qemu.XXXXXX", tmp ? tmp : "/tmp");
        return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
        AUTO_FREE char *command = mem_format("rm -f '%s'/*; rmdir '%s'", folder, folder);

        (void)state;
        free(TAKE(folder));
        return system(command);
}

static void run(const char *command) {
        AUTO_FREE char *line =
                mem_format("cd '%s' && { %s; } >log 2>&1 || { cat log; exit 1; }", folder, command);

        if (system(line) != 0)
                fail_msg("%s", command);
}

static bool has(const char *program) {
        AUTO_FREE char *line = mem_format("command -v %s >/dev/null", program);

        return system(line) == 0;
}

struct real {
        struct world w;
        struct io *io; /* owned */
};

static void real_init(struct real *r) {
        r->io = r->w.io = io_uring_new();
        images_init(&r->w.images, r->io, NULL);
}

static void real_fini(struct real *r) {
        images_fini(&r->w.images);
        io_free(r->io);
}

static void save(struct io *io, const char *name, const struct buf *bytes) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE char *path = in_folder(name);
        struct err_note note;

        (void)unlink(path);
        assert_ok(io_open(io, path, IO_CREATE, &file, &note));
        assert_ok(io_write(file, bytes->data, bytes->n, 0, &note));
}

/* As a writer of files does it: holes stay holes. */
static void save_export(struct real *r, const char *path, const char *name) {
        struct stream_source_options options = {.format = STREAM_VHD, .uuid = kit_uuid};
        struct chain *chain = kit_open(&r->w, path, CHAIN_READ);
        AUTO(buf_fini) struct buf bytes = {0};
        uint64_t holes;

        bytes = kit_peek(chain, &options, &holes);
        save(r->io, name, &bytes);
        kit_close(chain);
}

static void what_we_send_is_read_by_qemu_and_libvhdi(void **state) {
        static const uint64_t sizes[] = {5 * MIB + 1536, 8 * MIB, 67125248};
        struct fixture_dice dice = {3};
        struct err_note note;
        struct real r;

        (void)state;
        if (!has("qemu-img"))
                skip_because("qemu-img is absent (apt: qemu-utils)");
        real_init(&r);
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                AUTO_FREE char *base = in_folder("base.vhd");
                AUTO_FREE char *top = in_folder("top.vhd");
                AUTO(buf_fini) struct buf disk = {0};

                (void)unlink(base), (void)unlink(top);
                assert_ok(fixture_vhd(r.io, base, sizes[i], NULL, &note));
                kit_change(&r.w, base, &dice, 12);
                assert_ok(fixture_vhd(r.io, top, sizes[i], base, &note));
                kit_change(&r.w, top, &dice, 8);
                disk = kit_read(&r.w, top);
                save(r.io, "disk.raw", &disk);
                save_export(&r, top, "out.vhd");
                run("qemu-img compare -f vpc -F raw out.vhd disk.raw");
                run("qemu-img convert -f vpc -O raw out.vhd back.raw && cmp back.raw disk.raw");
                if (has("vhdiinfo"))
                        run("vhdiinfo out.vhd >info && grep -q Dynamic info");
        }
        real_fini(&r);
}

static struct buf load(struct io *io, const char *name) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE char *path = in_folder(name);
        struct buf bytes = {0};
        struct io_stat stat;
        struct err_note note;

        assert_ok(io_open(io, path, IO_READ, &file, &note));
        assert_ok(io_stat(file, &stat, &note));
        assert_ok(io_read(file, buf_extend(&bytes, stat.size), stat.size, 0, &note));
        return bytes;
}

static void what_qemu_makes_is_taken_in(void **state) {
        static const char *const ways[] = {"subformat=dynamic", "subformat=dynamic,force_size=on",
                                           "subformat=fixed", "subformat=fixed,force_size=on"};
        static const uint64_t sizes[] = {5 * MIB + 1536, 8 * MIB};
        struct fixture_dice dice = {4};
        struct err_note note;
        struct real r;

        (void)state;
        if (!has("qemu-img"))
                skip_because("qemu-img is absent (apt: qemu-utils)");
        real_init(&r);
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes * 4; i++) {
                AUTO_FREE char *source = in_folder("source.vhd");
                AUTO_FREE char *in = in_folder("in.vhd");
                AUTO_FREE char *command =
                        mem_format("qemu-img convert -f raw -O vpc -o %s disk.raw q.vhd", ways[i % 4]);
                AUTO(buf_fini) struct buf disk = {0}, stream = {0}, got = {0};
                struct taker taker = {.w = &r.w, .path = in};

                (void)unlink(source), (void)unlink(in);
                assert_ok(fixture_vhd(r.io, source, sizes[i / 4], NULL, &note));
                kit_change(&r.w, source, &dice, 12);
                disk = kit_read(&r.w, source);
                save(r.io, "disk.raw", &disk);
                run(command);
                stream = load(r.io, "q.vhd");
                assert_ok(kit_import(&taker, STREAM_VHD, stream.n, stream.data, stream.n, 100000, &note));
                got = kit_read(&r.w, in);
                assert_true(got.n >= disk.n); /* it rounds sizes up */
                assert_memory_equal(got.data, disk.data, disk.n);
                assert_true(bytes_are_zero(got.data + disk.n, got.n - disk.n));
        }
        real_fini(&r);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_we_send_is_read_by_qemu_and_libvhdi),
                cmocka_unit_test(what_qemu_makes_is_taken_in),
        };

        return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
