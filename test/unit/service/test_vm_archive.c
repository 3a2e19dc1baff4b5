// SPDX-License-Identifier: Apache-2.0
#include "xva_world.h"

#include "vm_archive.h"

static enum err export_to(struct world *w, const struct uuid *vm, const char *path, enum pack_kind kind,
                          struct err_note *note) {
        struct progress progress = {.io = w->io};
        const struct vm_export export = {
                .host = &w->host, .vm = *vm, .kind = kind, .path = path, .progress = &progress};
        uint64_t length, written;

        if (vm_export_run(&export, &length, &written, note))
                return note->code;
        assert_int_equal(progress.done, length);
        assert_true(kind == PACK_NONE ? written == length : written < length / 10);
        return ERR_NONE;
}

static enum err import_from(struct world *w, const char *path, struct uuid *ret, struct err_note *note) {
        struct progress progress = {.io = w->io};
        const struct vm_import import = {
                .host = &w->host, .sr = &w->of_host, .path = path, .progress = &progress};
        uint64_t taken;

        if (vm_import_run(&import, ret, &taken, note))
                return note->code;
        assert_int_equal(progress.done, taken);
        return ERR_NONE;
}

/* What the archive of a VM at path holds is what the world's disks do. */
static void assert_has_disks(struct world *w, const char *path) {
        AUTO(xva_kit_archive_fini) struct xva_kit_archive archive = {0};
        size_t n;
        AUTO_FREE uint8_t *data = kit_get_file(w->io, path, &n);

        xva_kit_take_apart(data, n, &archive);
        assert_int_equal(archive.n, WORLD_DISKS);
        for (unsigned i = 0; i < WORLD_DISKS; i++) {
                const char *name = json_string_value(json_object_get(archive.disks[i].record, "name_label"));
                size_t which = strtoul(name + strlen("disk "), NULL, 10);

                assert_int_equal(archive.disks[i].size, world_sizes[which]);
                assert_memory_equal(archive.disks[i].data, w->data[which], (size_t)world_sizes[which]);
        }
}

static void what_went_out_comes_in_compressed_or_not(void **state) {
        static const enum pack_kind kinds[] = {PACK_NONE, PACK_ZSTD, PACK_GZIP};
        struct err_note note = {0};
        struct world w;
        struct uuid vm;

        (void)state;
        world_init(&w);
        for (unsigned i = 0; i < 3; i++) {
                assert_ok(export_to(&w, &w.vm, "/out.xva", kinds[i], &note));
                assert_ok(import_from(&w, "/out.xva", &vm, &note));
                assert_int_equal(sr_n_vdis(w.sr), WORLD_DISKS * (i + 2));
                assert_ok(export_to(&w, &vm, "/again.xva", PACK_NONE, &note));
                assert_has_disks(&w, "/again.xva");
        }
        world_fini(&w);
}

static struct io_file *standard(struct world *w, enum io_standard which) {
        struct err_note note = {0};
        struct io_file *file;

        assert_ok(io_open_standard(w->io, which, &file, &note));
        return file;
}

/* tar pads what it writes; all of it is read, lest its writer be cut off. */
static void pipes_do_as_well(void **state) {
        AUTO(buf_fini) struct buf padded = {0};
        struct progress progress = {0};
        struct vm_export export = {.kind = PACK_NONE, .progress = &progress};
        struct vm_import import = {.progress = &progress};
        struct err_note note = {0};
        uint64_t length, written;
        struct world w;
        struct uuid vm;

        (void)state;
        world_init(&w);
        progress.io = w.io;
        export.host = import.host = &w.host;
        export.vm = w.vm;
        export.output = standard(&w, IO_STDOUT);
        assert_ok(vm_export_run(&export, &length, &written, &note));
        buf_add(&padded, io_sim_stdout(w.io).data, io_sim_stdout(w.io).n);
        assert_int_equal(padded.n, length);
        (void)buf_extend(&padded, 3 * MIB);
        io_sim_set_stdin(w.io, padded.data, padded.n, 100000);
        import.sr = &w.of_host;
        import.input = standard(&w, IO_STDIN);
        assert_ok(vm_import_run(&import, &vm, &written, &note));
        {
                uint8_t byte;
                size_t n;

                assert_ok(io_stream_read(import.input, &byte, 1, &n, &note));
                assert_int_equal(n, 0);
        }
        io_close(export.output);
        io_close(import.input);
        assert_ok(export_to(&w, &vm, "/again.xva", PACK_NONE, &note));
        assert_has_disks(&w, "/again.xva");
        world_fini(&w);
}

/* What was there stays until the new one is whole, and nothing else is left. */
static void an_export_that_fails_leaves_what_was_there(void **state) {
        struct err_note note = {0};
        bool has_fired = true;
        struct world w;
        unsigned n_failed = 0;
        size_t n_names;

        (void)state;
        world_init(&w);
        kit_put_file(w.io, "/out.xva", "old", 3);
        assert_ok(io_sync_dir(w.io, "/", &note));
        n_names = kit_count_names(w.io, "/");
        for (uint64_t n = 1; has_fired; n++) {
                AUTO_FREE uint8_t *data = NULL;
                enum err failed;
                size_t size;

                io_sim_fail_at(w.io, n, ERR_IO, false);
                failed = export_to(&w, &w.vm, "/out.xva", PACK_ZSTD, &note);
                has_fired = io_sim_fired(w.io);
                io_sim_heal(w.io);
                assert_int_equal(kit_count_names(w.io, "/"), n_names);
                data = kit_get_file(w.io, "/out.xva", &size);
                n_failed += failed != ERR_NONE;
                if (size == 3)
                        assert_true(failed != ERR_NONE);
                else
                        assert_int_equal(pack_kind_of(data), PACK_ZSTD);
        }
        assert_true(n_failed > 5);
        world_fini(&w);
}

static void what_cannot_go_is_said_before_anything_is_made(void **state) {
        struct err_note note = {0};
        struct uuid other = {{5}}, vm;
        struct world w;
        size_t n_names;

        (void)state;
        world_init(&w);
        n_names = kit_count_names(w.io, "/");
        assert_int_equal(export_to(&w, &other, "/out.xva", PACK_NONE, &note), ERR_NOT_FOUND);
        assert_int_equal(export_to(&w, &w.vm, "/none/out.xva", PACK_NONE, &note), ERR_NOT_FOUND);
        assert_int_equal(import_from(&w, "/none.xva", &vm, &note), ERR_NOT_FOUND);
        assert_int_equal(import_from(&w, "/sr", &vm, &note), ERR_INVALID);
        kit_put_file(w.io, "/bad.xva", "<html>", 6);
        assert_int_equal(import_from(&w, "/bad.xva", &vm, &note), ERR_CUT_SHORT);
        assert_int_equal(kit_count_names(w.io, "/"), n_names + 1);
        assert_int_equal(sr_n_vdis(w.sr), WORLD_DISKS);
        world_fini(&w);
}

static void both_can_be_cancelled(void **state) {
        atomic_bool is_cancelled = true;
        struct progress progress = {.is_cancelled = &is_cancelled};
        struct vm_export export = {.path = "/out.xva", .progress = &progress};
        struct vm_import import = {.path = "/in.xva", .progress = &progress};
        struct err_note note = {0};
        uint64_t unused, too;
        struct world w;
        struct uuid vm;

        (void)state;
        world_init(&w);
        progress.io = w.io;
        export.host = import.host = &w.host;
        export.vm = w.vm;
        import.sr = &w.of_host;
        assert_ok(export_to(&w, &w.vm, "/in.xva", PACK_NONE, &note));
        assert_int_equal(vm_export_run(&export, &unused, &too, &note), ERR_CANCELLED);
        assert_false(kit_is_there(w.io, "/out.xva"));
        assert_int_equal(vm_import_run(&import, &vm, &unused, &note), ERR_CANCELLED);
        assert_int_equal(sr_n_vdis(w.sr), WORLD_DISKS);
        world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_went_out_comes_in_compressed_or_not),
                cmocka_unit_test(pipes_do_as_well),
                cmocka_unit_test(an_export_that_fails_leaves_what_was_there),
                cmocka_unit_test(what_cannot_go_is_said_before_anything_is_made),
                cmocka_unit_test(both_can_be_cancelled),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
