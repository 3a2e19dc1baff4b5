// SPDX-License-Identifier: Apache-2.0
/* A VM of two disks in two SRs: snapshot, copy and revert under crashes and errors at every call.
 *
 * After each, once a start has recovered: what was made is there with all its disks, or nothing of it is
 * [V1]; a revert that a crash cut short has happened to all disks or to none [V3].
 */
#include "service/vms_kit.h"

#include "sweep.h"

enum { N_DISKS = 2 };
static const char *const letters[N_DISKS] = {"A.", "B."};
static const char *const later[N_DISKS] = {"XX", "YY"};

struct ctx {
        enum err (*run)(struct kit *, const struct uuid *vm, struct err_note *);
        bool reverts; /* there is a snapshot "s", and the disks are other by now */
        bool is_done; /* acknowledged */
};

static enum err run_snapshot(struct kit *kit, const struct uuid *vm, struct err_note *note) {
        struct uuid unused;

        return vms_snapshot(&kit->host, &(struct vms_request){.vm = *vm, .name = "s"}, &unused, note);
}

static enum err run_copy(struct kit *kit, const struct uuid *vm, struct err_note *note) {
        const struct vms_request request = {.vm = *vm, .name = "s", .sr = kit->srs[1].uuid};
        struct uuid unused;

        return vms_copy(&kit->host, &request, &unused, note);
}

static enum err run_revert(struct kit *kit, const struct uuid *vm, struct err_note *note) {
        struct uuid snapshot;

        (void)vm;
        if (vms_find(&kit->host, "s", &snapshot, note))
                return note->code;
        return vms_revert(&kit->host, &snapshot, note);
}

/* ---- before ---- */

static enum err make_vm(struct kit *kit, const struct ctx *ctx, struct err_note *note) {
        struct vms_disk disks[N_DISKS] = {0};
        const struct vms_options options = {.name = "web", .disks = disks, .n_disks = N_DISKS};
        struct uuid vm;

        for (size_t i = 0; i < N_DISKS; i++)
                if (kit_disk(kit, i, i ? "b" : "a", letters[i], &disks[i].vdi, note))
                        return note->code;
        if (vms_create(&kit->host, &options, &vm, note))
                return note->code;
        if (!ctx->reverts)
                return ERR_NONE;
        if (run_snapshot(kit, &vm, note))
                return note->code;
        for (size_t i = 0; i < N_DISKS; i++)
                if (kit_fill(kit->srs[i].sr, &disks[i].vdi, later[i], note))
                        return note->code;
        return ERR_NONE;
}

static enum err set_up(struct io *io, void *user, struct err_note *note) {
        AUTO(kit_close) struct kit kit = {0};

        if (kit_make(io, note) || kit_open(io, &kit, note))
                return note->code;
        return make_vm(&kit, user, note);
}

/* ---- the verb ---- */

static enum err operate(struct io *io, void *user, struct err_note *note) {
        AUTO(kit_close) struct kit kit = {0};
        struct ctx *ctx = user;
        struct uuid vm;

        ctx->is_done = false;
        if (kit_open(io, &kit, note) || vms_find(&kit.host, "web", &vm, note) || ctx->run(&kit, &vm, note))
                return note->code;
        ctx->is_done = true;
        return ERR_NONE;
}

/* ---- afterwards ---- */

static enum err check_reads(struct kit *kit, const struct uuid *vm, size_t disk, const char *want,
                            const char *or_else, struct err_note *note) {
        struct uuid vdi = kit_disk_of(kit, vm, disk ? "1" : "0");
        char is[KIT_BLOCKS + 1];

        if (kit_read(kit, &vdi, is, note))
                return sweep_violation(note, "disk %zu of a VM cannot be read", disk);
        if (strcmp(is, want) != 0 && (!or_else || strcmp(is, or_else) != 0))
                return sweep_violation(note, "disk %zu reads %s and not %s", disk, is, want);
        return ERR_NONE;
}

static enum err check_all(struct kit *kit, const struct uuid *vm, const char *const *want,
                          const char *const *or_else, struct err_note *note) {
        for (size_t i = 0; i < N_DISKS; i++)
                if (check_reads(kit, vm, i, want[i], or_else ? or_else[i] : NULL, note))
                        return note->code;
        return ERR_NONE;
}

static enum err check_nothing_left(struct kit *kit, size_t n_vms, struct err_note *note) {
        struct io_names names = {0};
        struct err_note unused;
        size_t n_notes = 0;

        if (!io_list(kit->io, "/state/unfinished", &names, &unused))
                VEC_EACH (&names.names, each) {
                        n_notes++;
                }
        io_names_fini(&names);
        if (n_notes)
                return sweep_violation(note, "something is still unfinished");
        if (objects_count(kit->objects, XAPI_VM) != n_vms || kit_n_vdis(kit) != n_vms * N_DISKS ||
            objects_count(kit->objects, XAPI_VBD) != n_vms * N_DISKS)
                return sweep_violation(note, "there are %zu VMs, %zu disks, %zu VBDs",
                                       objects_count(kit->objects, XAPI_VM), kit_n_vdis(kit),
                                       objects_count(kit->objects, XAPI_VBD));
        return ERR_NONE;
}

static enum err check_made(struct kit *kit, const struct ctx *ctx, const struct uuid *vm,
                           struct err_note *note) {
        struct err_note why;
        struct uuid made;
        bool is_there = vms_find(&kit->host, "s", &made, &why) == ERR_NONE;

        if (ctx->is_done && !is_there)
                return sweep_violation(note, "what was acknowledged is not there");
        if (check_nothing_left(kit, is_there ? 2 : 1, note) || check_all(kit, vm, letters, NULL, note))
                return note->code;
        return is_there ? check_all(kit, &made, letters, NULL, note) : ERR_NONE;
}

static enum err check_reverted(struct kit *kit, const struct ctx *ctx, const struct uuid *vm,
                               enum sweep_outcome outcome, struct err_note *note) {
        struct err_note why;
        struct uuid snapshot;

        if (vms_find(&kit->host, "s", &snapshot, note) || check_nothing_left(kit, 2, note) ||
            check_all(kit, &snapshot, letters, NULL, note))
                return note->code;
        if (ctx->is_done)
                return check_all(kit, vm, letters, NULL, note);
        /* One that failed, and was said to, may have reverted some. */
        if (outcome == SWEEP_FAILED)
                return check_all(kit, vm, letters, later, note);
        return check_all(kit, vm, later, NULL, &why) ? check_all(kit, vm, letters, NULL, note) : ERR_NONE;
}

static enum err check(struct io *io, void *user, enum sweep_outcome outcome, struct err_note *note) {
        AUTO(kit_close) struct kit kit = {0};
        const struct ctx *ctx = user;
        struct uuid vm;

        if (kit_open(io, &kit, note) || vms_find(&kit.host, "web", &vm, note))
                return note->code;
        return ctx->reverts ? check_reverted(&kit, ctx, &vm, outcome, note)
                            : check_made(&kit, ctx, &vm, note);
}

static unsigned run_sweep(const char *name, struct ctx ctx) {
        const struct sweep sweep = {.name = name,
                                    .ctx = &ctx,
                                    .setup = set_up,
                                    .operate = operate,
                                    .check = check,
                                    .max_points = 100,
                                    .recoveries = 1};

        return sweep_crash(&sweep, 4) + sweep_fail(&sweep, 1);
}

static void a_snapshot_of_a_vm_is_whole_or_not_there(void **state) {
        (void)state;
        assert_int_equal(run_sweep("vm-snapshot", (struct ctx){.run = run_snapshot}), 0);
}

static void a_copy_of_a_vm_is_whole_or_not_there(void **state) {
        (void)state;
        assert_int_equal(run_sweep("vm-copy", (struct ctx){.run = run_copy}), 0);
}

static void a_revert_of_a_vm_that_a_crash_cut_short_is_finished(void **state) {
        (void)state;
        assert_int_equal(run_sweep("vm-revert", (struct ctx){.run = run_revert, .reverts = true}), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_snapshot_of_a_vm_is_whole_or_not_there),
                cmocka_unit_test(a_copy_of_a_vm_is_whole_or_not_there),
                cmocka_unit_test(a_revert_of_a_vm_that_a_crash_cut_short_is_finished),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
