// SPDX-License-Identifier: Apache-2.0
#include "fixture_vault.h"

#include "get.h"
#include "mem.h"

/* ---- vaults ---- */

const struct vault_key *fixture_key(void) {
        static const struct vault_key key = {.kind = VAULT_SLOT_KEY_FILE, .bytes = {1, 2, 3, 4, 5}};

        return &key;
}

enum err fixture_vault_make(struct io *io, struct target *target, bool is_encrypted, struct vault **ret,
                            struct err_note *note) {
        struct vault_init_options options = {.key = is_encrypted ? fixture_key() : NULL};

        vault_config_defaults(&options.config);
        options.config.chunk = FIXTURE_CHUNK;
        options.config.pack = MIB;
        if (vault_init(io, target, &options, ret, NULL, note)) {
                target_close(target);
                return note->code;
        }
        return ERR_NONE;
}

enum err fixture_vault_open(struct io *io, struct target *target, bool is_encrypted, struct vault **ret,
                            struct err_note *note) {
        const struct vault_open_options options = {.key = is_encrypted ? fixture_key() : NULL};

        if (vault_open(io, target, &options, ret, note)) {
                target_close(target);
                return note->code;
        }
        return ERR_NONE;
}

/* ---- disks ---- */

void fixture_disk_fini(struct fixture_disk *disk) {
        buf_fini(&disk->bytes);
}

void fixture_disk_resize(struct fixture_disk *disk, uint64_t size) {
        if (size > disk->bytes.n)
                buf_extend(&disk->bytes, size - disk->bytes.n);
        disk->bytes.n = size;
        disk->size = size;
}

void fixture_disk_write(struct fixture_disk *disk, uint64_t at, uint64_t n, uint64_t generation) {
        struct fixture_dice dice = {generation};

        for (uint64_t i = 0; i < n; i++)
                disk->bytes.data[at + i] =
                        generation == 0 ? 0
                                        : (uint8_t)(generation + (i % 16 ? i : 1 + fixture_roll(&dice, 255)));
}

static enum err read_disk(void *user, void *ret, size_t n, uint64_t at, struct err_note *note) {
        struct fixture_disk *disk = user;

        if (!range_fits(at, n, disk->size))
                return err_set(note, ERR_CUT_SHORT, "read %zu at %llu of a disk of %llu", n,
                               (unsigned long long)at, (unsigned long long)disk->size);
        __atomic_fetch_add(&disk->n_read, n, __ATOMIC_RELAXED);
        memcpy(ret, disk->bytes.data + at, n);
        return ERR_NONE;
}

static bool is_hole(const struct fixture_disk *disk, uint64_t at) {
        uint64_t start = round_down(at, 4096);

        return bytes_are_zero(disk->bytes.data + start, min_u64(4096, disk->size - start));
}

static enum err next_data(void *user, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                          struct err_note *note) {
        const struct fixture_disk *disk = user;

        (void)note;
        while (at < disk->size && is_hole(disk, at))
                at = round_down(at, 4096) + 4096;
        *ret_start = min_u64(at, disk->size);
        while (at < disk->size && !is_hole(disk, at))
                at = round_down(at, 4096) + 4096;
        *ret_end = min_u64(at, disk->size);
        return ERR_NONE;
}

struct put_source fixture_source(struct fixture_disk *disk) {
        return (struct put_source){disk->size, read_disk, next_data, disk};
}

/* ---- points ---- */

static enum err put_one(struct put *put, struct fixture_disk *disk, const struct fixture_put *options,
                        struct err_note *note) {
        const struct vault_manifest *parent = put_parent(put);
        const struct put_disk one = {.name = "d",
                                     .source = fixture_source(disk),
                                     .parent = parent ? &parent->disks.data[0] : NULL,
                                     .changed = options->changed,
                                     .n_changed = options->n_changed};

        return put_disk(put, &one, note);
}

enum err fixture_put_disk(struct vault *vault, struct fixture_disk *disk, struct fixture_put *options,
                          struct vault_name *ret, struct err_note *note) {
        struct fixture_put none = {.parent = NULL};
        struct fixture_put *how = options ? options : &none;
        const struct put_options point = {.name = "vm",
                                          .time = how->time ? how->time : 1000,
                                          .parent = how->parent,
                                          .n_threads = how->n_threads ? how->n_threads : 2};
        AUTO(put_abort) struct put *put = NULL;

        if (put_begin(vault, &point, &put, note) || put_one(put, disk, how, note))
                return note->code;
        return put_commit(TAKE(put), ret, &how->count, note);
}

struct checked {
        const struct fixture_disk *want;
        struct buf got;
};

static enum err take(void *user, const void *data, size_t n, uint64_t at, struct err_note *note) {
        struct checked *checked = user;

        if (!range_fits(at, n, checked->got.n))
                return err_set(note, ERR_MISMATCH, "%zu bytes at %llu are past the end", n,
                               (unsigned long long)at);
        memcpy(checked->got.data + at, data, n);
        return ERR_NONE;
}

enum err fixture_check_disk(struct vault *vault, const struct vault_name *name,
                            const struct fixture_disk *want, struct err_note *note) {
        AUTO(point_fini) struct point point = {0};
        struct checked checked = {.want = want};
        AUTO(buf_fini) struct buf got = {0};
        const struct get_sink sink = {.write = take, .user = &checked, .n_threads = 1};
        struct get_count count;
        enum err failed;

        if (points_get(vault, name, &point, note))
                return note->code;
        if (point.manifest.disks.n != 1 || point.manifest.disks.data[0].size != want->size)
                return err_set(note, ERR_MISMATCH, "the point has other disks");
        buf_extend(&got, want->size);
        checked.got = got;
        failed = get_all(vault, &point.manifest.disks.data[0], &sink, &count, note);
        if (failed)
                return failed;
        if (want->size > 0 && memcmp(got.data, want->bytes.data, want->size) != 0)
                return err_set(note, ERR_MISMATCH, "the disk reads otherwise");
        return ERR_NONE;
}
