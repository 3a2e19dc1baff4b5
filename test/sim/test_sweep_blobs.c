// SPDX-License-Identifier: Apache-2.0
/* A vault's indexes are opened into a cache and made one, on a machine that dies or fails at any call:
 * whoever opens the vault next finds every chunk, whatever is left of the cache and of the indexes. */
#include "check.h"

#include "index_merge.h"
#include "sweep.h"
#include "target_dir.h"
#include "vault_kit.h"

enum { PACKS = 8, CHUNKS = 1 };

/* A vault that is open on the machine. */
struct shelf {
        struct target *target;   /* owned */
        struct keyring *keyring; /* owned */
        struct blobs *blobs;     /* owned */
};

static void shelf_fini(struct shelf *shelf) {
        if (shelf->blobs)
                blobs_free(shelf->blobs);
        if (shelf->keyring)
                keyring_free(shelf->keyring);
        if (shelf->target)
                target_close(shelf->target);
}
DEFINE_AUTO_IN_PLACE(struct shelf, shelf_fini);

static enum err shelf_open(struct io *io, struct shelf *ret, struct err_note *note) {
        static const struct vault_name vault = {{1}};
        static const struct blobs_excluded none = {0};
        struct blobs_options options = {.io = io, .cache = "/cache"};

        if (target_dir_open(io, "/vault", &ret->target, note))
                return note->code;
        ret->keyring = keyring_new_plain(&vault);
        options.target = ret->target;
        options.keyring = ret->keyring;
        if (blobs_new(&options, &ret->blobs, note))
                return note->code;
        return blobs_refresh(ret->blobs, &none, note);
}

static enum err put_one(struct shelf *shelf, struct io *io, uint64_t first, struct err_note *note) {
        struct kit kit = {shelf->target, io, shelf->keyring};
        AUTO(kit_pack_fini) struct kit_pack pack = {0};
        AUTO(buf_fini) struct buf body = {0};
        struct vault_name ignored;

        if (kit_put_pack(&kit, first, CHUNKS, &pack, note))
                return note->code;
        return kit_put_index(&kit, &pack, 1, NULL, 0, &ignored, &body, note);
}

static enum err setup(struct io *io, void *ctx, struct err_note *note) {
        AUTO(shelf_fini) struct shelf shelf = {0};
        AUTO(target_close) struct target *target = NULL;

        (void)ctx;
        if (target_dir_create(io, "/vault", &target, note) || shelf_open(io, &shelf, note))
                return note->code;
        for (uint64_t i = 0; i < PACKS; i++)
                if (put_one(&shelf, io, 100 * i, note))
                        return note->code;
        return ERR_NONE;
}

static enum err operate(struct io *io, void *ctx, struct err_note *note) {
        AUTO(shelf_fini) struct shelf shelf = {0};
        unsigned made;

        (void)ctx;
        if (shelf_open(io, &shelf, note))
                return note->code;
        return index_merge_tiers(shelf.blobs, &made, note);
}

static enum err check(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(shelf_fini) struct shelf shelf = {0};
        struct blobs_count count;

        (void)ctx;
        if (shelf_open(io, &shelf, note))
                return note->code;
        for (uint64_t i = 0; i < PACKS; i++) {
                struct vault_id id = kit_chunk_id(shelf.keyring, 100 * i);

                if (!blobs_knows(shelf.blobs, &id))
                        return sweep_violation(note, "chunk %u is not found", (unsigned)(100 * i));
        }
        count = blobs_count(shelf.blobs);
        if (count.n_damaged_indexes || count.n_damaged_packs)
                return sweep_violation(note, "an object is half");
        if (count.n_indexes != 1 && (count.n_indexes != PACKS || outcome == SWEEP_DONE))
                return sweep_violation(note, "%u indexes are in use", (unsigned)count.n_indexes);
        return ERR_NONE;
}

static const struct sweep merge_sweep = {
        .name = "merge", .setup = setup, .operate = operate, .check = check, .max_points = 25};

static void merging_survives(void **state) {
        (void)state;
        assert_int_equal(sweep_all(&merge_sweep, 0), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(merging_survives),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
