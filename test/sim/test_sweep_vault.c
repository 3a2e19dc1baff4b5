// SPDX-License-Identifier: Apache-2.0
/* A vault in a directory under crashes and errors at every call: being made, a first put, an incremental one.
 * What was acknowledged restores bit for bit; whatever point is listed does, too; and what was worked on is
 * usable.  And a small vault with each of its bytes damaged, one at a time.
 */
#include "check.h"

#include "fixture_vault.h"
#include "mem.h"
#include "pack_trailer.h"
#include "sweep.h"
#include "target_dir.h"
#include "target_sim.h"

#define DIR "/vault"

struct vault_ctx {
        bool is_encrypted;
        struct fixture_disk before, after; /* of the parent; of the put that is swept */
        struct vault_name parent;          /* null: none */
        struct vault_name point;           /* acknowledged; null: not yet */
};

static void init_ctx(struct vault_ctx *ctx, bool is_encrypted) {
        *ctx = (struct vault_ctx){.is_encrypted = is_encrypted};
        fixture_disk_resize(&ctx->before, 3 * FIXTURE_CHUNK);
        fixture_disk_write(&ctx->before, 100, 2 * FIXTURE_CHUNK, 1);
        fixture_disk_resize(&ctx->after, 3 * FIXTURE_CHUNK + 9);
        memcpy(ctx->after.bytes.data, ctx->before.bytes.data, ctx->before.size);
        fixture_disk_write(&ctx->after, 700, 50, 2);
        fixture_disk_write(&ctx->after, 3 * FIXTURE_CHUNK, 9, 3);
}

static void fini_ctx(struct vault_ctx *ctx) {
        fixture_disk_fini(&ctx->before);
        fixture_disk_fini(&ctx->after);
}
DEFINE_AUTO_IN_PLACE(struct vault_ctx, fini_ctx);

static enum err open_vault(struct io *io, const struct vault_ctx *ctx, struct vault **ret,
                           struct err_note *note) {
        struct target *target;

        if (target_dir_open(io, DIR, &target, note))
                return note->code;
        return fixture_vault_open(io, target, ctx->is_encrypted, ret, note);
}

static enum err make_vault(struct io *io, const struct vault_ctx *ctx, struct vault **ret,
                           struct err_note *note) {
        struct target *target;
        enum err failed = target_dir_create(io, DIR, &target, note);

        if (failed == ERR_EXISTS)
                failed = target_dir_open(io, DIR, &target, note);
        if (failed)
                return note->code;
        return fixture_vault_make(io, target, ctx->is_encrypted, ret, note);
}

/* ---- init ---- */

static enum err setup_nothing(struct io *io, void *ctx, struct err_note *note) {
        (void)io;
        (void)ctx;
        (void)note;
        return ERR_NONE;
}

static enum err operate_init(struct io *io, void *ctx, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;

        return make_vault(io, ctx, &vault, note);
}

/* There is a vault, or there is none and one can be made. */
static enum err check_init(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        enum err failed = open_vault(io, ctx, &vault, note);

        if (failed == ERR_NOT_FOUND && outcome != SWEEP_DONE)
                return make_vault(io, ctx, &vault, note);
        return failed;
}

/* ---- put ---- */

static enum err put_one(struct vault *vault, struct vault_ctx *ctx, struct vault_name *ret,
                        struct err_note *note) {
        const struct put_extent changed[] = {{700, 50}};
        struct fixture_put how = {.n_threads = 1};

        if (!vault_name_is_null(&ctx->parent)) {
                how.parent = &ctx->parent;
                how.changed = changed;
                how.n_changed = 1;
        }
        return fixture_put_disk(vault, &ctx->after, &how, ret, note);
}

static enum err setup_vault(struct io *io, void *user, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        struct vault_ctx *ctx = user;

        ctx->parent = (struct vault_name){{0}};
        return make_vault(io, ctx, &vault, note);
}

static enum err setup_parent(struct io *io, void *user, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        struct vault_ctx *ctx = user;

        ctx->parent = (struct vault_name){{0}};
        if (make_vault(io, ctx, &vault, note))
                return note->code;
        return fixture_put_disk(vault, &ctx->before, NULL, &ctx->parent, note);
}

static enum err operate_put(struct io *io, void *user, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        struct vault_ctx *ctx = user;
        struct vault_name point;

        ctx->point = (struct vault_name){{0}};
        if (open_vault(io, ctx, &vault, note) || put_one(vault, ctx, &point, note))
                return note->code;
        ctx->point = point;
        return ERR_NONE;
}

static enum err check_points(struct vault *vault, const struct vault_ctx *ctx, struct err_note *note) {
        AUTO(points_fini) struct points points = {0};
        bool has_parent = vault_name_is_null(&ctx->parent), has_point = vault_name_is_null(&ctx->point);

        if (points_list(vault, &points, note))
                return note->code;
        if (points.n_damaged > 0)
                return sweep_violation(note, "%u points are damaged", points.n_damaged);
        VEC_EACH (&points.list, point) {
                bool is_parent = vault_name_compare(&point->name, &ctx->parent) == 0;

                has_parent |= is_parent;
                has_point |= vault_name_compare(&point->name, &ctx->point) == 0;
                if (fixture_check_disk(vault, &point->name, is_parent ? &ctx->before : &ctx->after, note))
                        return err_wrap(note, "%s", is_parent ? "the parent" : "the point");
        }
        if (!has_parent || !has_point)
                return sweep_violation(note, "the %s is gone", has_point ? "parent" : "point");
        return ERR_NONE;
}

/* No name is ever drawn twice: a machine that is as it was before has dice of its own each time. */
static enum err check_put(struct io *io, void *user, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        struct vault_ctx *ctx = user;
        struct vault_name point;
        static uint64_t n_checks;

        if (outcome == SWEEP_DONE && vault_name_is_null(&ctx->point))
                return sweep_violation(note, "it said success too early");
        io_sim_reseed(io, 1000000 + ++n_checks);
        if (open_vault(io, ctx, &vault, note) || check_points(vault, ctx, note) ||
            put_one(vault, ctx, &point, note))
                return note->code;
        return fixture_check_disk(vault, &point, &ctx->after, note);
}

/* ---- the sweeps ---- */

/* Each point makes a vault with its threads anew: the share of the others is for long runs. */
static bool is_soak(void) {
        const char *soak = getenv("CATENA_SOAK");

        return soak && *soak && strcmp(soak, "0") != 0;
}

static void run(const char *name, bool is_encrypted,
                enum err (*setup)(struct io *, void *, struct err_note *), bool is_put) {
        AUTO(fini_ctx) struct vault_ctx ctx;
        const struct sweep sweep = {.name = name,
                                    .ctx = &ctx,
                                    .setup = setup,
                                    .operate = is_put ? operate_put : operate_init,
                                    .check = is_put ? check_put : check_init,
                                    .max_points = is_soak() ? 80 : 30,
                                    .recoveries = 2};

        init_ctx(&ctx, is_encrypted);
        assert_int_equal(sweep_all(&sweep, IO_SIM_STYLES), 0);
}

static void a_vault_is_made_or_not(void **state) {
        (void)state;
        run("vault_init", true, setup_nothing, false);
        run("vault_init_plain", false, setup_nothing, false);
}

static void a_first_put_counts_or_does_not(void **state) {
        (void)state;
        run("vault_put", true, setup_vault, true);
}

static void an_incremental_put_counts_or_does_not(void **state) {
        (void)state;
        run("vault_put_incremental", true, setup_parent, true);
        if (is_soak())
                run("vault_put_plain", false, setup_parent, true);
}

/* ---- damage ---- */

static enum err read_pack(struct vault *vault, struct blob_reader *reader, const struct target_item *item,
                          struct err_note *note) {
        static uint8_t content[FIXTURE_CHUNK];
        AUTO(vault_pack_entries_fini) struct vault_pack_entries entries = {0};
        struct pack_row row = {.is_listed = true};
        struct blob_place place = {.pack = &row, .at = VAULT_PACK_HEAD};
        struct vault_name name;

        assert_true(vault_path_parse(item->name, &name));
        if (pack_trailer_read(vault->target, vault->keyring, &name, item->size, &row.pack, &entries, note))
                return note->code;
        VEC_EACH (&entries.list, entry) {
                place.blob = *entry;
                if (blob_read_copy(reader, &place, true, content, note))
                        return note->code;
                place.number++;
                place.at += entry->stored;
        }
        return ERR_NONE;
}

static enum err read_folder(struct vault *vault, const char *folder, const char *suffix,
                            enum vault_object_kind kind, struct err_note *note) {
        AUTO(vault_names_fini) struct vault_names names = {0};

        if (vault_list_names(vault, folder, suffix, &names, note))
                return note->code;
        VEC_EACH (&names.list, name) {
                AUTO(buf_fini) struct buf body = {0};

                if (vault_get_object(vault, kind, name, &body, NULL, NULL, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err read_all(struct vault *vault, struct err_note *note) {
        AUTO(blob_reader_free) struct blob_reader *reader = blob_reader_new(vault->blobs);
        AUTO(target_list_fini) struct target_list packs = {0};
        AUTO(vault_slot_rows_fini) struct vault_slot_rows slots = {0};
        AUTO(points_fini) struct points points = {0};
        unsigned n_damaged = 0;

        if (key_slots_list(vault->target, &vault->config, &slots, &n_damaged, note) ||
            target_list(vault->target, "packs/", &packs, note))
                return note->code;
        if (n_damaged > 0)
                return err_set(note, ERR_CORRUPT, "a slot is damaged");
        VEC_EACH (&packs.items, item) {
                if (read_pack(vault, reader, item, note))
                        return note->code;
        }
        if (read_folder(vault, "indexes/", "", VAULT_INDEX, note) ||
            read_folder(vault, "sessions/", "", VAULT_SESSION, note) ||
            read_folder(vault, "sessions/", ".done", VAULT_SESSION_DONE, note) ||
            points_list(vault, &points, note))
                return note->code;
        return points.n_damaged > 0 ? err_set(note, ERR_CORRUPT, "a point is damaged") : ERR_NONE;
}

/* Whether it was found; what a restore then gives, if anything, is right. */
static bool is_found(struct io *io, struct target_sim *place, const struct vault_ctx *ctx) {
        AUTO(vault_close) struct vault *vault = NULL;
        struct err_note note;
        enum err failed;

        if (fixture_vault_open(io, target_sim_open(place), ctx->is_encrypted, &vault, &note))
                return true;
        failed = fixture_check_disk(vault, &ctx->point, &ctx->after, &note);
        if (failed == ERR_MISMATCH)
                return false;
        return read_all(vault, &note) != ERR_NONE;
}

static void damage_each_byte(struct io *io, struct target_sim *place, const struct vault_ctx *ctx) {
        const char *name;

        for (size_t i = 0; (name = target_sim_name(place, i)); i++) {
                AUTO_FREE char *object = mem_text(name);

                for (uint64_t at = 0; target_sim_flip(place, object, at, (uint8_t)(1 << at % 8)); at++) {
                        if (!is_found(io, place, ctx))
                                fail_msg("byte %u of %s is damaged, and nobody says so", (unsigned)at,
                                         object);
                        assert_true(target_sim_flip(place, object, at, (uint8_t)(1 << at % 8)));
                }
        }
}

static void each_damaged_byte_is_found_and_never_restored(void **state) {
        (void)state;
        for (int is_encrypted = 0; is_encrypted < 2; is_encrypted++) {
                AUTO(fini_ctx) struct vault_ctx ctx;
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                AUTO(target_sim_free) struct target_sim *place = target_sim_new(1);
                AUTO(vault_close) struct vault *vault = NULL;
                struct err_note note;

                init_ctx(&ctx, is_encrypted);
                fixture_disk_write(&ctx.after, 0, ctx.after.size, 0);
                fixture_disk_write(&ctx.after, 700, 50, 2);
                fixture_disk_write(&ctx.after, FIXTURE_CHUNK, 9, 3);
                assert_ok(fixture_vault_make(io, target_sim_open(place), is_encrypted, &vault, &note));
                assert_ok(fixture_put_disk(vault, &ctx.after, NULL, &ctx.point, &note));
                vault_close(TAKE(vault));
                assert_false(is_found(io, place, &ctx));
                damage_each_byte(io, place, &ctx);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_vault_is_made_or_not),
                cmocka_unit_test(a_first_put_counts_or_does_not),
                cmocka_unit_test(an_incremental_put_counts_or_does_not),
                cmocka_unit_test(each_damaged_byte_is_found_and_never_restored),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
