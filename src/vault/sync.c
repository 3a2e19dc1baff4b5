// SPDX-License-Identifier: Apache-2.0
#include "sync.h"

#include <string.h>

#include "json_text.h"
#include "mem.h"
#include "sync_inside.h"
#include "taints.h"

/* ---- who is whose copy ----------------------------------------------------------------------- */

/* [Y3] */
static void find_copy(const struct sync *sync, const struct points *theirs, const struct vault_taint *taint,
                      struct sync_point *row) {
        struct origin other;

        VEC_EACH (&theirs->list, each) {
                origin_of(sync->to, each, &other);
                if (origin_equal(&row->origin, &other) && !taint_has_point(taint, &each->name))
                        row->copy = each->name;
        }
}

/* ---- what is asked for ----------------------------------------------------------------------- */

static bool is_one_of(const char *text, const char *const *of, size_t n) {
        if (n == 0)
                return true;
        for (size_t i = 0; text && i < n; i++)
                if (strcmp(text, of[i]) == 0)
                        return true;
        return false;
}

static unsigned newer_of_name(const struct sync *sync, size_t i) {
        unsigned n = 0;

        for (size_t j = i + 1; j < sync->points.list.n; j++)
                n += strcmp(sync_point_at(sync, j)->manifest.name, sync_point_at(sync, i)->manifest.name) ==
                     0;
        return n;
}

static bool is_wanted(const struct sync *sync, size_t i) {
        const struct vault_manifest *manifest = &sync_point_at(sync, i)->manifest;
        const char *vm = json_string_value(json_object_get(manifest->vm, "uuid"));

        return is_one_of(manifest->name, sync->options.names, sync->options.n_names) &&
               is_one_of(vm, sync->options.vms, sync->options.n_vms) &&
               (!sync->options.since || manifest->time >= sync->options.since) &&
               (!sync->options.last || newer_of_name(sync, i) < sync->options.last);
}

static void leave(struct sync *sync, size_t i, const char *why) {
        sync->rows.data[i].state = SYNC_LEFT;
        *vec_add(&sync->left) = (struct sync_left){.point = sync_point_at(sync, i), .why = mem_text(why)};
}

static void choose(struct sync *sync, size_t i) {
        struct sync_point *row = &sync->rows.data[i];

        if (!is_wanted(sync, i))
                return;
        sync->count.n_points++;
        if (!vault_name_is_null(&row->copy)) {
                row->state = SYNC_THERE;
                sync->count.n_there++;
        } else if (row->is_damaged) {
                leave(sync, i, "it is recorded as damaged ('vault verify' says where)");
        } else {
                row->state = SYNC_MISSING;
        }
}

static enum err look_at_both(struct sync *sync, struct err_note *note) {
        AUTO(points_fini) struct points theirs = {0};
        AUTO(vault_taint_fini) struct vault_taint ours_damaged = {0};
        AUTO(vault_taint_fini) struct vault_taint theirs_damaged = {0};

        if (points_list(sync->from, &sync->points, note) || points_list(sync->to, &theirs, note) ||
            taints_read(sync->from, &ours_damaged, note) || taints_read(sync->to, &theirs_damaged, note))
                return note->code;
        for (size_t i = 0; i < sync->points.list.n; i++) {
                struct sync_point *row = vec_add(&sync->rows);

                *row = (struct sync_point){.state = SYNC_UNWANTED};
                origin_of(sync->from, sync_point_at(sync, i), &row->origin);
                row->is_damaged = taint_has_point(&ours_damaged, &sync_point_at(sync, i)->name);
                find_copy(sync, &theirs, &theirs_damaged, row);
                choose(sync, i);
        }
        return ERR_NONE;
}

/* [Y1] */
static enum err hold_missing(struct sync *sync, struct err_note *note) {
        const struct blobs_excluded none = {0};
        VEC(struct vault_name) names = {0};
        enum err err = ERR_NONE;

        for (size_t i = 0; i < sync->rows.n; i++)
                if (sync->rows.data[i].state == SYNC_MISSING)
                        *vec_add(&names) = sync_point_at(sync, i)->name;
        if (names.n > 0) {
                reading_hold(sync->from, names.data, names.n, &sync->reading);
                err = blobs_refresh(sync->from->blobs, &none, note);
        }
        vec_fini(&names);
        return err;
}

/* ---- one that cannot be had ------------------------------------------------------------------ */

/* [Y2] An error that a point's own bytes gave is told of at the end; any other ends the sync. */
static enum err pass_over(struct sync *sync, size_t i, enum err err, struct err_note *note) {
        if (err && !sync->is_of_source)
                return err;
        if (err)
                leave(sync, i, note->text);
        sync->is_of_source = false;
        return ERR_NONE;
}

static enum err measure_missing(struct sync *sync, struct err_note *note) {
        for (size_t i = 0; i < sync->rows.n; i++) {
                struct sync_point *row = &sync->rows.data[i];

                if (row->state != SYNC_MISSING)
                        continue;
                if (pass_over(sync, i, sync_measure(sync, i, note), note))
                        return note->code;
                if (row->state != SYNC_MISSING)
                        continue;
                sync->count.bytes += row->bytes;
                sync->count.through += row->through;
        }
        return ERR_NONE;
}

/* ---- from outside ---------------------------------------------------------------------------- */

enum err sync_begin(struct vault *from, struct vault *to, const struct sync_options *options,
                    struct sync **ret, struct err_note *note) {
        AUTO(sync_free) struct sync *sync = mem_new(struct sync);

        sync->from = from;
        sync->to = to;
        sync->options = *options;
        if (vault_name_compare(&from->config.id, &to->config.id) == 0)
                return err_set(note, ERR_INVALID, "both are the same vault");
        if (look_at_both(sync, note) || hold_missing(sync, note) || measure_missing(sync, note))
                return note->code;
        *ret = TAKE(sync);
        return ERR_NONE;
}

void sync_free(struct sync *sync) {
        if (!sync)
                return;
        reading_end(&sync->reading);
        VEC_EACH (&sync->left, each)
                free(each->why);
        vec_fini(&sync->left);
        vec_fini(&sync->rows);
        points_fini(&sync->points);
        free(sync);
}

/* Of points of one second the list does not say which came first: a parent goes before its children. */
static bool is_ready(const struct sync *sync, size_t i) {
        for (size_t j = 0; j < sync->rows.n; j++)
                if (j != i && sync->rows.data[j].state == SYNC_MISSING &&
                    vault_name_compare(&sync_point_at(sync, j)->name,
                                       &sync_point_at(sync, i)->manifest.parent) == 0)
                        return false;
        return true;
}

bool sync_todo(struct sync *sync, struct sync_todo *ret) {
        for (sync->next = 0; sync->next < sync->rows.n; sync->next++)
                if (sync->rows.data[sync->next].state == SYNC_MISSING && is_ready(sync, sync->next))
                        break;
        if (sync->next == sync->rows.n)
                return false;
        *ret = (struct sync_todo){.point = sync_point_at(sync, sync->next),
                                  .bytes = sync->rows.data[sync->next].bytes,
                                  .through = sync->rows.data[sync->next].through};
        return true;
}

/* Whoever prunes may have let it go before it knew of us: reading.h [R2]. */
static enum err send_if_there(struct sync *sync, size_t i, struct err_note *note) {
        enum err err = reading_look(sync->from, &sync_point_at(sync, i)->name, note);

        sync->is_of_source = err == ERR_NOT_FOUND;
        return err ? err : sync_send(sync, i, note);
}

enum err sync_step(struct sync *sync, struct err_note *note) {
        struct sync_point *row = &sync->rows.data[sync->next];

        if (pass_over(sync, sync->next, send_if_there(sync, sync->next, note), note))
                return note->code;
        if (row->state == SYNC_MISSING) {
                row->state = SYNC_SENT;
                sync->count.n_sent++;
        }
        return ERR_NONE;
}

void sync_pass(struct sync *sync) {
        sync->rows.data[sync->next].state = SYNC_UNWANTED;
}

struct sync_count sync_count(const struct sync *sync) {
        return sync->count;
}

const struct sync_left *sync_left(const struct sync *sync, size_t *ret_n) {
        *ret_n = sync->left.n;
        return sync->left.data;
}
