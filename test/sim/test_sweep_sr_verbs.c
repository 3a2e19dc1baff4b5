// SPDX-License-Identifier: Apache-2.0
/* The verbs of an SR under crashes and errors at every call.
 *
 * A state of an SR is a text, "a=AB.. s=A...": the name of each VDI and a letter for each of its blocks. Each
 * verb says in which state it begins, in which it ends, and in which others a crash or an error may leave it;
 * whatever happened, after recovery the SR must be in one of these [S1], with every file whole, every chain
 * whole, nothing half-made, no garbage that could go, and a second opening must find nothing more to do [S3].
 */
#include "check.h"

#include "io_sim.h"
#include "mem.h"
#include "sr.h"
#include "sweep.h"
#include "vhd_check.h"

#define DIR    "/sr"
#define BLOCK  (2 * MIB)
#define BLOCKS 4

static const struct images_options images = {.growth_bytes = 4 * MIB, .owners_cache_bytes = 1 * MIB};

struct verb {
        const char *name;
        const char *before, *after; /* states */
        const char *also;           /* states that may be met on the way, separated by " | "; or NULL */
        enum err (*setup)(struct sr *, struct err_note *);
        enum err (*operate)(struct sr *, struct err_note *);
        unsigned lacks;
};

/* ---- short names for what the verbs are made of ---- */

static enum err open_sr(struct io *io, struct sr **ret, struct err_note *note) {
        return sr_open(io, DIR, &(struct sr_options){.images = &images}, ret, note);
}

static enum err find(struct sr *sr, const char *name, struct uuid *ret, struct err_note *note) {
        const struct vdi *vdi;

        if (sr_find_vdi(sr, name, &vdi, note))
                return note->code;
        *ret = vdi->row.uuid;
        return ERR_NONE;
}

static enum err create(struct sr *sr, const char *name, enum image_kind kind, struct err_note *note) {
        struct uuid unused;

        return sr_vdi_create(sr, &(struct vdi_options){.name = name, .size = BLOCKS * BLOCK, .kind = kind},
                             &unused, note);
}

static enum err put(struct chain *chain, unsigned block, char letter, struct err_note *note) {
        uint8_t data[SECTOR];

        memset(data, letter, sizeof data);
        return chain_write(chain, data, sizeof data, block * BLOCK, note);
}

static enum err put_all(struct chain *chain, const char *letters, struct err_note *note) {
        for (unsigned i = 0; letters[i]; i++)
                if (letters[i] != '.' && put(chain, i, letters[i], note))
                        return note->code;
        return ERR_NONE;
}

static void abandon(struct sr *sr, struct chain *chain) {
        struct err_note unused;

        (void)!sr_close_chain(sr, chain, &unused);
}

static enum err fill(struct sr *sr, const char *name, const char *letters, struct err_note *note) {
        struct chain *chain;
        struct uuid uuid;

        if (find(sr, name, &uuid, note) || sr_open_chain(sr, &uuid, CHAIN_WRITE, &chain, note))
                return note->code;
        if (put_all(chain, letters, note)) {
                abandon(sr, chain);
                return note->code;
        }
        return sr_close_chain(sr, chain, note);
}

static enum err snapshot(struct sr *sr, const char *name, const char *as, struct err_note *note) {
        struct uuid uuid, unused;

        if (find(sr, name, &uuid, note))
                return note->code;
        return sr_vdi_snapshot(sr, &uuid, &(struct vdi_options){.name = as}, &unused, note);
}

static enum err clone_as(struct sr *sr, const char *name, const char *as, struct err_note *note) {
        struct uuid uuid, unused;

        if (find(sr, name, &uuid, note))
                return note->code;
        return sr_vdi_clone(sr, &uuid, &(struct vdi_options){.name = as}, &unused, note);
}

static enum err delete (struct sr *sr, const char *name, struct err_note *note) {
        struct uuid uuid;

        if (find(sr, name, &uuid, note)) return note->code;
        return sr_vdi_delete(sr, &uuid, note);
}

static enum err revert(struct sr *sr, const char *name, const char *to, struct err_note *note) {
        struct uuid uuid, snapshot_uuid;

        if (find(sr, name, &uuid, note) || find(sr, to, &snapshot_uuid, note))
                return note->code;
        return sr_vdi_revert(sr, &uuid, &snapshot_uuid, note);
}

/* ---- where verbs begin ---- */

static enum err nothing(struct sr *sr, struct err_note *note) {
        (void)sr, (void)note;
        return ERR_NONE;
}

static enum err one_vdi(struct sr *sr, struct err_note *note) {
        if (create(sr, "a", IMAGE_VHD, note))
                return note->code;
        return fill(sr, "a", "AB", note);
}

static enum err one_raw(struct sr *sr, struct err_note *note) {
        if (create(sr, "a", IMAGE_RAW, note))
                return note->code;
        return fill(sr, "a", "AB", note);
}

static enum err with_snapshot(struct sr *sr, struct err_note *note) {
        if (one_vdi(sr, note) || snapshot(sr, "a", "s", note))
                return note->code;
        return fill(sr, "a", ".CC", note);
}

static enum err raw_with_snapshot(struct sr *sr, struct err_note *note) {
        if (one_raw(sr, note) || snapshot(sr, "a", "s", note))
                return note->code;
        return fill(sr, "a", ".CC", note);
}

static enum err unchanged_since_snapshot(struct sr *sr, struct err_note *note) {
        if (one_vdi(sr, note))
                return note->code;
        return snapshot(sr, "a", "s", note);
}

/* a's chain: base, base, base, a; s and t hang off it. */
static enum err deep(struct sr *sr, struct err_note *note) {
        if (with_snapshot(sr, note) || snapshot(sr, "a", "t", note))
                return note->code;
        return fill(sr, "a", "...D", note);
}

/* ---- verbs ---- */

static enum err do_create(struct sr *sr, struct err_note *note) {
        return create(sr, "n", IMAGE_VHD, note);
}

static enum err do_create_raw(struct sr *sr, struct err_note *note) {
        return create(sr, "n", IMAGE_RAW, note);
}

static enum err do_write(struct sr *sr, struct err_note *note) {
        return fill(sr, "a", "X", note);
}

static enum err do_snapshot(struct sr *sr, struct err_note *note) {
        return snapshot(sr, "a", "s", note);
}

static enum err do_second_snapshot(struct sr *sr, struct err_note *note) {
        return snapshot(sr, "a", "t", note);
}

static enum err do_clone(struct sr *sr, struct err_note *note) {
        return clone_as(sr, "a", "c", note);
}

static enum err do_clone_of_snapshot(struct sr *sr, struct err_note *note) {
        return clone_as(sr, "s", "c", note);
}

static enum err do_revert(struct sr *sr, struct err_note *note) {
        return revert(sr, "a", "s", note);
}

static enum err do_delete(struct sr *sr, struct err_note *note) {
        return delete (sr, "a", note);
}

static enum err do_delete_snapshot(struct sr *sr, struct err_note *note) {
        return delete (sr, "s", note);
}

static enum err do_delete_all(struct sr *sr, struct err_note *note) {
        if (delete (sr, "t", note) || delete (sr, "a", note))
                return note->code;
        return delete (sr, "s", note);
}

static enum err import_letters(struct sr *sr, struct sr_import *import, const char *letters,
                               struct err_note *note) {
        const struct uuid stream = {{7}};
        struct uuid unused;

        (void)sr;
        if (put_all(sr_import_chain(import), letters, note) || chain_flush(sr_import_chain(import), note)) {
                sr_import_abort(import);
                return note->code;
        }
        return sr_import_commit(import, &stream, &unused, note);
}

static enum err do_import(struct sr *sr, struct err_note *note) {
        struct sr_import *import;

        if (sr_import_begin(sr, &(struct vdi_options){.name = "n", .size = BLOCKS * BLOCK}, &import, note))
                return note->code;
        return import_letters(sr, import, "NN", note);
}

static enum err do_import_onto(struct sr *sr, struct err_note *note) {
        struct sr_import *import;
        struct uuid uuid;

        if (find(sr, "a", &uuid, note) || sr_import_begin_onto(sr, &uuid, BLOCKS * BLOCK, &import, note))
                return note->code;
        return import_letters(sr, import, ".NN", note);
}

static enum err do_rename(struct sr *sr, struct err_note *note) {
        struct uuid uuid;

        if (find(sr, "a", &uuid, note))
                return note->code;
        return sr_vdi_set(sr, &uuid, &(struct vdi_settings){.name = "z"}, note);
}

static const struct verb verbs[] = {
        {"create", "", "n=....", NULL, nothing, do_create, 0},
        {"create-raw", "", "n=....", NULL, nothing, do_create_raw, 0},
        {"write", "a=AB..", "a=XB..", NULL, one_vdi, do_write, 0},
        {"snapshot", "a=AB..", "a=AB.. s=AB..", NULL, one_vdi, do_snapshot, 0},
        {"snapshot-no-links", "a=AB..", "a=AB.. s=AB..", NULL, one_vdi, do_snapshot, IO_SIM_NO_LINK},
        {"snapshot-raw", "a=AB..", "a=AB.. s=AB..", NULL, one_raw, do_snapshot, 0},
        {"snapshot-raw-no-links", "a=AB..", "a=AB.. s=AB..", NULL, one_raw, do_snapshot, IO_SIM_NO_LINK},
        {"snapshot-again", "a=AB.. s=AB..", "a=AB.. s=AB.. t=AB..", NULL, unchanged_since_snapshot,
         do_second_snapshot, 0},
        {"clone", "a=AB..", "a=AB.. c=AB..", NULL, one_vdi, do_clone, 0},
        {"clone-of-snapshot", "a=ACC. s=AB..", "a=ACC. c=AB.. s=AB..", NULL, with_snapshot,
         do_clone_of_snapshot, 0},
        {"revert", "a=ACC. s=AB..", "a=AB.. s=AB..", NULL, with_snapshot, do_revert, 0},
        {"revert-no-links", "a=ACC. s=AB..", "a=AB.. s=AB..", NULL, with_snapshot, do_revert, IO_SIM_NO_LINK},
        {"revert-raw", "a=ACC. s=AB..", "a=AB.. s=AB..", NULL, raw_with_snapshot, do_revert, 0},
        {"delete", "a=AB..", "", NULL, one_vdi, do_delete, 0},
        {"delete-raw", "a=AB..", "", NULL, one_raw, do_delete, 0},
        {"delete-snapshot", "a=ACC. s=AB..", "a=ACC.", NULL, with_snapshot, do_delete_snapshot, 0},
        {"delete-all", "a=ACCD s=AB.. t=ACC.", "", "a=ACCD s=AB.. | s=AB..", deep, do_delete_all, 0},
        {"import", "a=AB..", "a=AB.. n=NN..", NULL, one_vdi, do_import, 0},
        {"import-onto", "a=AB..", "a=ANN.", NULL, one_vdi, do_import_onto, 0},
        {"import-onto-no-links", "a=AB..", "a=ANN.", NULL, one_vdi, do_import_onto, IO_SIM_NO_LINK},
        {"rename", "a=AB..", "z=AB..", NULL, one_vdi, do_rename, 0},
};

/* ---- what must hold afterwards ---- */

static enum err read_letters(struct sr *sr, const struct uuid *uuid, char ret[BLOCKS + 1],
                             struct err_note *note) {
        uint8_t data[SECTOR];
        struct chain *chain;

        if (sr_open_chain(sr, uuid, CHAIN_READ, &chain, note))
                return note->code;
        memset(ret, 0, BLOCKS + 1);
        for (unsigned i = 0; i < BLOCKS; i++) {
                if (chain_read(chain, data, sizeof data, i * BLOCK, note)) {
                        abandon(sr, chain);
                        return note->code;
                }
                ret[i] = data[0] ? (char)data[0] : '.';
                for (unsigned j = 0; j < sizeof data; j++)
                        if (data[j] != data[0])
                                ret[i] = '?';
        }
        return sr_close_chain(sr, chain, note);
}

static enum err state_of(struct sr *sr, struct buf *ret, struct err_note *note) {
        for (size_t i = 0; i < sr_n_vdis(sr); i++) {
                const struct vdi *vdi = sr_vdi_at(sr, i);
                struct uuid uuid = vdi->row.uuid;
                char letters[BLOCKS + 1];

                if (read_letters(sr, &uuid, letters, note))
                        return note->code;
                buf_print(ret, "%s%s=%s", ret->n ? " " : "", sr_vdi_at(sr, i)->row.name, letters);
        }
        return ERR_NONE;
}

static bool is_one_of(const char *state, const char *states) {
        size_t n = strlen(state);

        while (states) {
                const char *end = strstr(states, " | ");
                size_t length = end ? (size_t)(end - states) : strlen(states);

                if (length == n && memcmp(state, states, n) == 0)
                        return true;
                states = end ? end + 3 : NULL;
        }
        return false;
}

static enum err check_state(struct sr *sr, const struct verb *verb, enum sweep_outcome outcome,
                            struct err_note *note) {
        AUTO(buf_fini) struct buf state = {0};
        const char *is;

        if (state_of(sr, &state, note))
                return note->code;
        is = state.n ? buf_text(&state) : "";
        if (strcmp(is, verb->after) == 0 ||
            (outcome != SWEEP_DONE && (strcmp(is, verb->before) == 0 || is_one_of(is, verb->also))))
                return ERR_NONE;
        return sweep_violation(note, "the SR reads \"%s\", and was \"%s\" before \"%s\"", is, verb->before,
                               verb->after);
}

static enum err check_file(struct io *io, const struct node *node, struct err_note *note) {
        AUTO(findings_fini) struct findings findings = {0};
        AUTO_FREE char *path = mem_format("%s/%s", DIR, node->name);

        if (node->kind == IMAGE_RAW)
                return ERR_NONE;
        if (vhd_check(io, path, VHD_CHECK_BITMAPS | VHD_CHECK_PARENT, &findings, note))
                return note->code;
        if (findings.n_errors)
                return sweep_violation(note, "%s: %s: %s", node->name, findings.list.data[0].part,
                                       findings.list.data[0].text);
        return ERR_NONE;
}

static enum err check_nodes(struct io *io, struct sr *sr, struct err_note *note) {
        const struct tree *tree = sr_tree(sr);

        if (tree->listing.temporary.n || tree->listing.marked.n || tree->listing.n_others)
                return sweep_violation(note, "something half-made is left");
        VEC_EACH (&tree->nodes, each) {
                const struct node *node = *each;

                if (node->error.code)
                        return sweep_violation(note, "%s", node->error.text);
                if (node->is_alias)
                        return sweep_violation(note, "%s has two names", node->name);
                if (node->n_children && !node->is_hidden)
                        return sweep_violation(note, "%s has children and is not hidden", node->name);
                if (check_file(io, node, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err check_no_garbage(struct sr *sr, struct err_note *note) {
        AUTO(sr_notices_fini) struct sr_notices waiting = {0};
        uint64_t bytes;
        unsigned n;

        if (sr_garbage(sr, &n, &bytes, &waiting, note))
                return note->code;
        if (waiting.list.n)
                return sweep_violation(note, "garbage stays: %s", waiting.list.data[0].text);
        VEC_EACH (&sr_tree(sr)->nodes, each) {
                if ((*each)->is_hidden && (*each)->n_children == 0)
                        return sweep_violation(note, "%s is hidden, needed by nobody and still there",
                                               (*each)->name);
        }
        return ERR_NONE;
}

/* Names, sizes and inodes of all files. */
static enum err list_files(struct io *io, struct buf *ret, struct err_note *note) {
        AUTO(io_names_fini) struct io_names names = {0};

        if (io_list(io, DIR, &names, note))
                return note->code;
        VEC_EACH (&names.names, each) {
                AUTO_FREE char *path = mem_format("%s/%s", DIR, *each);
                struct io_stat stat;

                if (io_stat_path(io, path, &stat, note))
                        return note->code;
                if (!stat.is_directory)
                        buf_print(ret, "%s %llu %llu\n", *each, (unsigned long long)stat.size,
                                  (unsigned long long)stat.inode);
        }
        return ERR_NONE;
}

/* [S3] */
static enum err check_again(struct io *io, struct err_note *note) {
        AUTO(buf_fini) struct buf before = {0}, after = {0};
        AUTO(sr_close) struct sr *sr = NULL;

        if (list_files(io, &before, note) || open_sr(io, &sr, note) || list_files(io, &after, note))
                return note->code;
        if (strcmp(buf_text(&before), buf_text(&after)) != 0)
                return sweep_violation(note, "opening it again changed its files from\n%sto\n%s",
                                       buf_text(&before), buf_text(&after));
        return ERR_NONE;
}

static enum err check_verb(struct io *io, void *ctx, enum sweep_outcome outcome, struct err_note *note) {
        const struct verb *verb = ctx;
        AUTO(sr_close) struct sr *sr = NULL;

        if (open_sr(io, &sr, note) || check_state(sr, verb, outcome, note) || check_nodes(io, sr, note))
                return note->code;
        sr_close(TAKE(sr));
        if (check_again(io, note) || open_sr(io, &sr, note) || check_no_garbage(sr, note) ||
            check_state(sr, verb, outcome, note))
                return note->code;
        return check_nodes(io, sr, note);
}

/* ---- the sweeps ---- */

static enum err setup_verb(struct io *io, void *ctx, struct err_note *note) {
        const struct verb *verb = ctx;
        AUTO(sr_close) struct sr *sr = NULL;
        struct uuid unused;

        if (sr_create(io, DIR, "main", NULL, &unused, note) || open_sr(io, &sr, note))
                return note->code;
        return verb->setup(sr, note);
}

static enum err operate_verb(struct io *io, void *ctx, struct err_note *note) {
        const struct verb *verb = ctx;
        AUTO(sr_close) struct sr *sr = NULL;

        if (open_sr(io, &sr, note))
                return note->code;
        return verb->operate(sr, note);
}

static void every_verb_survives_crashes_and_errors(void **state) {
        unsigned violations = 0;

        (void)state;
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
                struct verb verb = verbs[i];
                const struct sweep sweep = {.name = verb.name,
                                            .ctx = &verb,
                                            .setup = setup_verb,
                                            .operate = operate_verb,
                                            .check = check_verb,
                                            .lacks = verb.lacks,
                                            .max_points = 16};

                violations += sweep_all(&sweep, 9);
        }
        assert_int_equal(violations, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_verb_survives_crashes_and_errors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
