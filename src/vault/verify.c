// SPDX-License-Identifier: Apache-2.0
#include "verify.h"

#include <stdlib.h>

#include "mem.h"
#include "taints.h"
#include "verify_inside.h"

/* ---- what is told ---- */

const char *verify_what_text(enum verify_what what) {
        static const char *const texts[] = {"object", "pack", "blob", "disk"};

        return texts[what];
}

static void finding_fini(struct verify_finding *finding) {
        free(finding->object);
        free(finding->of);
        free(finding->disk);
        free(finding->text);
}

void verify_report_fini(struct verify_report *report) {
        VEC_EACH (&report->findings, each)
                finding_fini(each);
        vec_fini(&report->findings);
}

struct verify_finding *verify_find(struct verify_run *run, enum verify_what what, const char *object,
                                   const char *text) {
        struct verify_finding *finding = vec_add(&run->report->findings);

        finding->what = what;
        finding->object = mem_text(object);
        finding->text = mem_text(text);
        return finding;
}

void verify_forget(struct verify_run *run, size_t n) {
        while (run->report->findings.n > n)
                finding_fini(&run->report->findings.data[--run->report->findings.n]);
}

/* ---- one run ---- */

static void run_fini(struct verify_run *run) {
        reading_end(&run->reading);
        read_record_fini(&run->record);
        vec_fini(&run->packs);
        points_fini(&run->points);
        vault_taint_fini(&run->before);
        vault_taint_fini(&run->after);
        vec_fini(&run->unreadable);
}
DEFINE_AUTO_IN_PLACE(struct verify_run, run_fini);

/* Points were listed before: all that they need is in the listings that are taken now. */
static enum err refresh(struct verify_run *run, struct err_note *note) {
        const struct blobs_excluded none = {0};

        return blobs_refresh(run->vault->blobs, &none, note);
}

static bool is_ended_run(const struct verify_run *run) {
        return run->options->which == VERIFY_ALL && run->levels & (VERIFY_TAGS | VERIFY_CONTENT);
}

static enum err save(struct verify_run *run, struct err_note *note) {
        if (!run->options->record)
                return ERR_NONE;
        return read_record_save(run->vault->io, run->options->record, &run->record, note);
}

static enum err read_packs(struct verify_run *run, struct err_note *note) {
        struct err_note ignored;

        if (verify_choose(run, note))
                return note->code;
        if (verify_packs(run, note)) {
                (void)!save(run, &ignored); /* so that the next one goes on */
                return note->code;
        }
        if (is_ended_run(run))
                run->record.began = 0;
        return save(run, note);
}

/* Which points are not whole is asked, too, where there is or was something that some may need. */
static bool walks(const struct verify_run *run) {
        return run->levels & VERIFY_TREE || run->after.places.n || run->before.places.n ||
               run->before.points.n;
}

/* So that what is walked does not go from under it.  Who shall record nothing leaves no session either. */
static void hold_points(struct verify_run *run) {
        struct vault_names names = {0};

        if (!run->options->records_taint)
                return;
        VEC_EACH (&run->points.list, each)
                *vec_add(&names.list) = each->name;
        reading_hold(run->vault, names.list.data, names.list.n, &run->reading);
        vault_names_fini(&names);
}

static int compare_places(const void *a, const void *b) {
        return vault_place_compare(a, b);
}

/* What was found counts as not there from now on, and for the walk what no reader can have. */
static enum err walk_points(struct verify_run *run, struct err_note *note) {
        struct blobs *blobs = run->vault->blobs;
        enum err err;

        if (run->unreadable.n > 1)
                qsort(run->unreadable.data, run->unreadable.n, sizeof *run->unreadable.data, compare_places);
        blobs_taint(blobs, run->unreadable.data, run->unreadable.n);
        err = verify_tree(run, note);
        reading_end(&run->reading);
        vault_taint_sort(&run->after);
        blobs_taint(blobs, run->after.places.data, run->after.places.n);
        return err;
}

static enum err record_taint(struct verify_run *run, struct err_note *note) {
        bool has_some = run->after.places.n || run->after.points.n;

        if (run->options->records_taint && taints_replace(run->vault, &run->before, &run->after, note))
                return note->code;
        run->report->has_taint = run->options->records_taint ? has_some : run->before.places.n > 0;
        return ERR_NONE;
}

static enum err run_all(struct verify_run *run, struct err_note *note) {
        if (verify_objects(run, note) || refresh(run, note) || taints_read(run->vault, &run->before, note) ||
            read_packs(run, note))
                return note->code;
        run->report->n_loose = blobs_count(run->vault->blobs).n_loose;
        /* Reading took its time, and prune may have moved things meanwhile. */
        if (walks(run)) {
                hold_points(run);
                if (refresh(run, note) || walk_points(run, note))
                        return note->code;
        }
        return record_taint(run, note);
}

enum err verify(struct vault *vault, const struct verify_options *options, struct verify_report *ret,
                struct err_note *note) {
        AUTO(verify_report_fini) struct verify_report report = {0};
        AUTO(run_fini)
        struct verify_run run = {
                .vault = vault,
                .options = options,
                .levels = options->levels ? options->levels : VERIFY_ALL_LEVELS,
                .now = (uint64_t)io_wall_ns(vault->io) / 1000000000,
                .report = &report,
        };

        if (run_all(&run, note))
                return note->code;
        *ret = report;
        report = (struct verify_report){0};
        return ERR_NONE;
}
