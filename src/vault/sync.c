// SPDX-License-Identifier: Apache-2.0
#include "sync.h"

#include <string.h>

#include "diff.h"
#include "get.h"
#include "json_text.h"
#include "mem.h"
#include "put.h"

/* What is the same of a point and all its copies. */
struct identity {
        char vault[33], point[33];
};

struct sync {
        struct vault *from, *to; /* borrowed, outlive it */
        struct sync_options options;
        struct points points;            /* owned; of from; oldest first */
        VEC(struct identity) identities; /* owned; of each of them */
        VEC(struct vault_name) copies;   /* owned; what each is called in to; null: not there */
        VEC(bool) are_wanted;            /* owned */
        size_t next;                     /* the one that sync_todo told of */
        struct sync_count count;
};

/* ---- who is whose copy ----------------------------------------------------------------------- */

static const char *text_of(const json_t *json, const char *key) {
        const char *text = json_string_value(json_object_get(json, key));

        return text && strlen(text) == 32 ? text : NULL;
}

static void identify(const struct vault *vault, const struct point *point, struct identity *ret) {
        const json_t *source = point->manifest.disks.n ? point->manifest.disks.data[0].source : NULL;
        const json_t *origin = json_object_get(source, "origin");
        const char *of_vault = text_of(origin, "vault"), *of_point = text_of(origin, "point");
        bool is_copy = of_vault && of_point;

        snprintf(ret->vault, sizeof ret->vault, "%s",
                 is_copy ? of_vault : vault_name_format(&vault->config.id).s);
        snprintf(ret->point, sizeof ret->point, "%s", is_copy ? of_point : vault_name_format(&point->name).s);
}

static json_t *about(const struct identity *identity, const json_t *source) {
        json_t *about = json_is_object(source) ? json_deep_copy(source) : json_object();

        json_object_set_new(about, "origin",
                            json_pack("{s:s, s:s}", "vault", identity->vault, "point", identity->point));
        return about;
}

static void find_copies(struct sync *sync, const struct points *theirs) {
        for (size_t i = 0; i < sync->points.list.n; i++) {
                struct identity *ours = vec_add(&sync->identities), other;
                struct vault_name *copy = vec_add(&sync->copies);

                identify(sync->from, &sync->points.list.data[i], ours);
                *copy = (struct vault_name){0};
                VEC_EACH (&theirs->list, each) {
                        identify(sync->to, each, &other);
                        if (memcmp(ours, &other, sizeof other) == 0)
                                *copy = each->name;
                }
        }
}

/* ---- what is asked for ----------------------------------------------------------------------- */

static unsigned newer_of_name(const struct sync *sync, size_t i) {
        unsigned n = 0;

        for (size_t j = i + 1; j < sync->points.list.n; j++)
                n += strcmp(sync->points.list.data[j].manifest.name,
                            sync->points.list.data[i].manifest.name) == 0;
        return n;
}

static void choose(struct sync *sync) {
        for (size_t i = 0; i < sync->points.list.n; i++) {
                const char *name = sync->points.list.data[i].manifest.name;
                bool is_wanted = (!sync->options.name || strcmp(name, sync->options.name) == 0) &&
                                 (!sync->options.last || newer_of_name(sync, i) < sync->options.last);

                *vec_add(&sync->are_wanted) = is_wanted;
                sync->count.n_points += is_wanted;
                sync->count.n_there += is_wanted && !vault_name_is_null(&sync->copies.data[i]);
        }
}

enum err sync_begin(struct vault *from, struct vault *to, const struct sync_options *options,
                    struct sync **ret, struct err_note *note) {
        AUTO(sync_free) struct sync *sync = mem_new(struct sync);
        AUTO(points_fini) struct points theirs = {0};

        sync->from = from;
        sync->to = to;
        sync->options = *options;
        if (vault_name_compare(&from->config.id, &to->config.id) == 0)
                return err_set(note, ERR_INVALID, "both are the same vault");
        if (points_list(from, &sync->points, note) || points_list(to, &theirs, note))
                return note->code;
        find_copies(sync, &theirs);
        choose(sync);
        *ret = TAKE(sync);
        return ERR_NONE;
}

void sync_free(struct sync *sync) {
        if (!sync)
                return;
        points_fini(&sync->points);
        vec_fini(&sync->identities);
        vec_fini(&sync->copies);
        vec_fini(&sync->are_wanted);
        free(sync);
}

/* ---- one point ------------------------------------------------------------------------------- */

/* Its parent, where that is in both vaults; or NULL. */
static const struct point *parent_of(const struct sync *sync, const struct point *point,
                                     struct vault_name *ret_copy) {
        for (size_t i = 0; i < sync->points.list.n; i++) {
                const struct point *each = &sync->points.list.data[i];

                if (vault_name_compare(&each->name, &point->manifest.parent) != 0 ||
                    vault_name_is_null(&sync->copies.data[i]))
                        continue;
                *ret_copy = sync->copies.data[i];
                return each;
        }
        return NULL;
}

static const struct vault_disk *disk_named(const struct vault_manifest *manifest, const char *name) {
        VEC_EACH (&manifest->disks, each)
                if (strcmp(each->name, name) == 0)
                        return each;
        return NULL;
}

static enum err read_disk(void *user, void *ret, size_t n, uint64_t at, struct err_note *note) {
        return get_read(user, ret, n, at, note);
}

static enum err next_data(void *user, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                          struct err_note *note) {
        return get_next_data(user, at, ret_start, ret_end, note);
}

/* What of it may differ from the parent's disk: what does, and all that is behind its end. */
static enum err list_changed(struct sync *sync, const struct vault_disk *disk,
                             const struct vault_disk *parent, struct put_disk *put, struct diff *diff,
                             struct err_note *note) {
        static const struct put_extent nothing;

        if (diff_disks(sync->from, parent, disk, diff, note))
                return note->code;
        /* Of a disk that became smaller, the last chunk may be cut anywhere. */
        while (diff->extents.n > 0 && diff->extents.data[diff->extents.n - 1].at >= disk->size)
                diff->extents.n--;
        if (diff->extents.n > 0) {
                struct put_extent *last = &diff->extents.data[diff->extents.n - 1];

                last->n = min_u64(last->n, disk->size - last->at);
        }
        put->changed = diff->extents.n ? diff->extents.data : &nothing;
        put->n_changed = diff->extents.n;
        return ERR_NONE;
}

static enum err send_disk(struct sync *sync, struct put *put, const struct vault_disk *disk,
                          const struct vault_disk *parent, struct err_note *note) {
        const struct get_options options = {0};
        AUTO(get_close) struct get *get = NULL;
        AUTO(diff_fini) struct diff diff = {0};
        AUTO(json_decref) json_t *said = about(&sync->identities.data[sync->next], disk->source);
        struct put_disk putting = {.name = disk->name, .about = said};

        if (get_open(sync->from, disk, &options, &get, note))
                return note->code;
        putting.source = (struct put_source){
                .size = disk->size, .read = read_disk, .next_data = next_data, .user = get};
        if (parent && put_parent(put))
                putting.parent = disk_named(put_parent(put), disk->name);
        if (putting.parent && putting.parent->chunk != sync->to->config.chunk)
                putting.parent = NULL;
        if (putting.parent && list_changed(sync, disk, parent, &putting, &diff, note))
                return note->code;
        return put_disk(put, &putting, note);
}

static enum err send_disks(struct sync *sync, struct put *put, const struct point *point,
                           const struct point *parent, struct err_note *note) {
        VEC_EACH (&point->manifest.disks, each) {
                const struct vault_disk *before = parent ? disk_named(&parent->manifest, each->name) : NULL;

                if (send_disk(sync, put, each, before, note))
                        return err_wrap(note, "disk %s", each->name);
        }
        return ERR_NONE;
}

static enum err send_point(struct sync *sync, const struct point *point, struct err_note *note) {
        struct vault_name copy;
        const struct point *parent = parent_of(sync, point, &copy);
        const struct put_options options = {.name = point->manifest.name,
                                            .time = point->manifest.time,
                                            .parent = parent ? &copy : NULL,
                                            .vm = point->manifest.vm,
                                            .step = sync->options.step,
                                            .user = sync->options.user};
        AUTO(put_abort) struct put *put = NULL;
        struct put_count count;

        if (put_begin(sync->to, &options, &put, note) || send_disks(sync, put, point, parent, note) ||
            put_commit(TAKE(put), &sync->copies.data[sync->next], &count, note))
                return err_wrap(note, "send point %s", vault_name_format(&point->name).s);
        sync->count.n_sent++;
        sync->count.read += count.read;
        sync->count.stored += count.stored;
        return ERR_NONE;
}

/* ---- from outside ---------------------------------------------------------------------------- */

static enum err measure(struct sync *sync, const struct point *point, uint64_t *ret, struct err_note *note) {
        struct vault_name unused;
        const struct point *parent = parent_of(sync, point, &unused);

        *ret = 0;
        VEC_EACH (&point->manifest.disks, each) {
                const struct vault_disk *before = parent ? disk_named(&parent->manifest, each->name) : NULL;
                AUTO(diff_fini) struct diff diff = {0};

                if (before && diff_disks(sync->from, before, each, &diff, note))
                        return note->code;
                *ret += before ? diff.bytes : each->size;
        }
        return ERR_NONE;
}

static bool is_missing(const struct sync *sync, size_t i) {
        return sync->are_wanted.data[i] && vault_name_is_null(&sync->copies.data[i]);
}

/* Of points of one second the list does not say which came first: a parent goes before its children. */
static bool is_ready(const struct sync *sync, size_t i) {
        for (size_t j = 0; j < sync->points.list.n; j++)
                if (j != i && is_missing(sync, j) &&
                    vault_name_compare(&sync->points.list.data[j].name,
                                       &sync->points.list.data[i].manifest.parent) == 0)
                        return false;
        return true;
}

enum err sync_todo(struct sync *sync, bool *ret_is_there, struct sync_todo *ret, struct err_note *note) {
        sync->next = 0;
        while (sync->next < sync->points.list.n &&
               !(is_missing(sync, sync->next) && is_ready(sync, sync->next)))
                sync->next++;
        *ret_is_there = sync->next < sync->points.list.n;
        if (!*ret_is_there)
                return ERR_NONE;
        ret->point = &sync->points.list.data[sync->next];
        return measure(sync, ret->point, &ret->bytes, note);
}

enum err sync_step(struct sync *sync, struct err_note *note) {
        const struct point *point = &sync->points.list.data[sync->next];

        return send_point(sync, point, note);
}

void sync_pass(struct sync *sync) {
        sync->are_wanted.data[sync->next] = false;
}

struct sync_count sync_count(const struct sync *sync) {
        return sync->count;
}
