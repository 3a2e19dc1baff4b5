// SPDX-License-Identifier: Apache-2.0
#include "xapi_mirror.h"

#include <pthread.h>
#include <string.h>

#include "mem.h"
#include "sr_move.h"
#include "thread.h"
#include "turn.h"
#include "vms.h"
#include "xapi_look.h"
#include "xapi_records.h"

struct side {
        struct xapi_mirror *mirror; /* borrowed */
        const struct host_sr *sr;   /* borrowed, of the host */
        bool is_dirty;              /* guarded by the mirror's mutex: its turn was given since we looked */
        pthread_mutex_t mutex;      /* one look at a time; taken before the SR's turn; guards what is below */
        struct xapi_seen seen;
        bool did_look;
};

struct xapi_mirror {
        struct host *host;  /* borrowed, outlives us */
        struct side *sides; /* owned; one for each SR */
        pthread_t thread;
        bool has_thread;
        pthread_mutex_t mutex; /* taken last; guards is_dirty, is_ending */
        pthread_cond_t came;
        bool is_ending;
};

static void log_failed(struct host *host, const struct err_note *note) {
        AUTO_FREE char *line = mem_format("objects are not in step with their SR: %s", note->text);

        if (host->log)
                host->log(host->user, line);
}

/* ---- changes --------------------------------------------------------------------------------- */

/* sm_config is of two owners: what follows from the file is ours, the rest is the clients'. */
static json_t *merged_sm_config(struct objects_change *change, const struct uuid *uuid, const json_t *ours) {
        AUTO(json_decref) json_t *record = objects_change_get(change, XAPI_VDI, uuid);
        json_t *merged = json_object();
        json_t *value;
        const char *key;

        json_object_foreach(json_object_get(record, "sm_config"), key,
                            value) if (!xapi_is_derived_sm_config(key)) json_object_set(merged, key, value);
        json_object_update(merged, (json_t *)ours);
        return merged;
}

/* A snapshot, by whomever it was taken, begins with what clients said of its origin.  VMs may have a disk of
 * which nothing else was kept. */
static void begin_vdi(struct host *host, struct objects_change *change, const struct uuid *uuid,
                      const json_t *fields) {
        const char *ref = json_string_value(json_object_get(fields, "snapshot_of"));
        AUTO(json_decref) json_t *origin = NULL;
        struct uuid of;

        if (xapi_ref_parse(ref, &of))
                origin = objects_change_get(change, XAPI_VDI, &of);
        for (const char *const *name = xapi_vdi_of_clients; origin && *name; name++)
                (void)objects_set(change, XAPI_VDI, uuid, *name, json_incref(json_object_get(origin, *name)));
        (void)objects_set(change, XAPI_VDI, uuid, "VBDs", vms_vbds_of_vdi(host->objects, uuid));
}

/* An object that is not there yet is made. */
static void apply(struct host *host, struct objects_change *change, enum xapi_class_id class,
                  const struct uuid *uuid, const json_t *fields) {
        AUTO(json_decref) json_t *record = objects_change_get(change, class, uuid);
        json_t *value;
        const char *name;

        if (!record)
                objects_put(change, class, uuid, NULL);
        if (!record && class == XAPI_VDI)
                begin_vdi(host, change, uuid, fields);
        json_object_foreach((json_t *)fields, name, value) {
                if (class == XAPI_VDI && strcmp(name, "sm_config") == 0)
                        (void)objects_set(change, class, uuid, name, merged_sm_config(change, uuid, value));
                else
                        (void)objects_set(change, class, uuid, name, json_incref(value));
        }
}

static void apply_new(struct host *host, struct objects_change *change, enum xapi_class_id class,
                      const struct uuid *uuid, json_t *fields) {
        AUTO(json_decref) json_t *taken = fields;

        apply(host, change, class, uuid, taken);
}

/* ---- an SR ----------------------------------------------------------------------------------- */

/* What it says now; with its turn, which nobody needs to be told that we gave back. */
static void look_at(struct side *side, struct xapi_look *ret) {
        turn_take(side->sr->turn, "xapi");
        pthread_mutex_lock(&side->mirror->mutex);
        side->is_dirty = false;
        pthread_mutex_unlock(&side->mirror->mutex);
        xapi_look_at(&side->seen, side->mirror->host, side->sr, ret);
        turn_give_unchanged(side->sr->turn);
}

static enum err commit_present(struct side *side, const struct xapi_look *look, struct err_note *note) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        json_t *fields;
        const char *ref;
        struct uuid uuid;

        objects_begin(side->mirror->host->objects, &change);
        objects_change_is_volatile(change);
        json_object_foreach(look->changed, ref, fields) if (xapi_ref_parse(ref, &uuid))
                apply(side->mirror->host, change, XAPI_VDI, &uuid, fields);
        apply(side->mirror->host, change, XAPI_SR, &side->sr->uuid, look->sr);
        return objects_commit(TAKE(change), NULL, note);
}

static bool is_ours(const struct side *side, const json_t *record) {
        return strcmp(json_string_value(json_object_get(record, "SR")), xapi_ref_of(&side->sr->uuid).s) == 0;
}

/* Those that our records name and the SR has no more. */
struct gone {
        struct uuid uuid;
        const struct host_sr *home; /* borrowed, of the host; the SR that has it now; NULL: none */
};
struct gone_list {
        VEC(struct gone) all; /* owned */
};

static void gone_list_fini(struct gone_list *list) {
        vec_fini(&list->all);
}
DEFINE_AUTO_IN_PLACE(struct gone_list, gone_list_fini);

/* At the first look, when nothing was seen before: those that went while we were not there. */
static void add_unseen(const struct side *side, const struct xapi_look *look, struct gone_list *ret) {
        AUTO(json_decref) json_t *all = objects_all(side->mirror->host->objects, XAPI_VDI);
        json_t *record;
        const char *ref;
        struct uuid uuid;

        json_object_foreach(all, ref, record) if (is_ours(side, record) &&
                                                  !json_object_get(look->changed, ref) &&
                                                  xapi_ref_parse(ref, &uuid)) *
                vec_add(&ret->all) = (struct gone){.uuid = uuid};
}

static void find_homes(const struct side *side, struct gone_list *list) {
        struct uuid sr;

        turn_take(side->sr->turn, "xapi");
        VEC_EACH (&list->all, each) {
                if (sr_move_went(side->sr->sr, &each->uuid, &sr))
                        each->home = host_sr_find(side->mirror->host, &sr);
        }
        turn_give_unchanged(side->sr->turn);
}

/* One that moved to another SR is that SR's now, under the same reference, with all that clients said of it,
 * whichever of the two is looked at first. */
static void let_go(const struct side *side, struct objects_change *change, const struct gone *gone) {
        AUTO(json_decref) json_t *record = objects_change_get(change, XAPI_VDI, &gone->uuid);

        if (!record || !is_ours(side, record))
                return;
        if (gone->home)
                (void)objects_set(change, XAPI_VDI, &gone->uuid, "SR",
                                  json_string(xapi_ref_of(&gone->home->uuid).s));
        else
                (void)objects_remove(change, XAPI_VDI, &gone->uuid);
}

/* Those that are gone go from the store, too, where they are in it. */
static enum err commit_gone(const struct side *side, const struct xapi_look *look, struct err_note *note) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        AUTO(gone_list_fini) struct gone_list list = {0};

        VEC_EACH (&look->gone, uuid)
                *vec_add(&list.all) = (struct gone){.uuid = *uuid};
        if (!side->did_look)
                add_unseen(side, look, &list);
        find_homes(side, &list);
        objects_begin(side->mirror->host->objects, &change);
        VEC_EACH (&list.all, each)
                let_go(side, change, each);
        return objects_commit(TAKE(change), NULL, note);
}

/* What could not be changed is not remembered as seen, so the next look tries again. */
static enum err compare(struct side *side, struct err_note *note) {
        AUTO(xapi_look_fini) struct xapi_look look = {0};

        look_at(side, &look);
        if (side->did_look && xapi_look_is_same(&look))
                return ERR_NONE;
        if (commit_present(side, &look, note))
                return note->code;
        if ((look.gone.n || !side->did_look) && commit_gone(side, &look, note))
                return note->code;
        xapi_seen_take(&side->seen, &look);
        side->did_look = true;
        return ERR_NONE;
}

static enum err look(struct side *side, struct err_note *note) {
        enum err failed;

        pthread_mutex_lock(&side->mutex);
        failed = compare(side, note);
        pthread_mutex_unlock(&side->mutex);
        return failed;
}

void xapi_mirror_now(struct xapi_mirror *mirror, const struct host_sr *sr) {
        struct err_note note;

        if (look(&mirror->sides[sr - mirror->host->srs], &note))
                log_failed(mirror->host, &note);
}

void xapi_mirror_all(struct xapi_mirror *mirror) {
        for (size_t i = 0; i < mirror->host->n_srs; i++)
                xapi_mirror_now(mirror, &mirror->host->srs[i]);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void on_given(void *user) {
        struct side *side = user;

        pthread_mutex_lock(&side->mirror->mutex);
        side->is_dirty = true;
        pthread_cond_signal(&side->mirror->came);
        pthread_mutex_unlock(&side->mirror->mutex);
}

/* The mutex is held. */
static struct side *find_dirty(struct xapi_mirror *mirror) {
        for (size_t i = 0; i < mirror->host->n_srs; i++)
                if (mirror->sides[i].is_dirty)
                        return &mirror->sides[i];
        return NULL;
}

static struct side *wait_for_dirty(struct xapi_mirror *mirror) {
        struct side *side = NULL;

        pthread_mutex_lock(&mirror->mutex);
        while (!mirror->is_ending && !(side = find_dirty(mirror)))
                pthread_cond_wait(&mirror->came, &mirror->mutex);
        if (side)
                side->is_dirty = false;
        pthread_mutex_unlock(&mirror->mutex);
        return side;
}

static void *run(void *user) {
        struct xapi_mirror *mirror = user;
        struct io *io = mirror->host->io;
        struct side *side;

        while ((side = wait_for_dirty(mirror))) {
                uint64_t began = io_now_ns(io), took;

                xapi_mirror_now(mirror, side->sr);
                took = io_now_ns(io) - began;
                io_sleep_ns(io, took * 4 > MIRROR_PACE_NS ? took * 4 : MIRROR_PACE_NS);
        }
        return NULL;
}

/* ---- the host -------------------------------------------------------------------------------- */

static bool is_sr_of(struct host *host, const char *ref) {
        struct uuid uuid;

        return xapi_ref_parse(ref, &uuid) && host_sr_find(host, &uuid);
}

static void set_if_empty(struct objects_change *change, enum xapi_class_id class, const struct uuid *uuid,
                         const char *field, const char *text) {
        AUTO(json_decref) json_t *record = objects_change_get(change, class, uuid);

        if (!*json_string_value(json_object_get(record, field)))
                (void)objects_set(change, class, uuid, field, json_of_text(text));
}

/* One that is not ours any more is none. */
static void choose_default_sr(struct objects_change *change, struct host *host) {
        AUTO(json_decref) json_t *record = objects_change_get(change, XAPI_POOL, &host->pool);

        if (host->n_srs && !is_sr_of(host, json_string_value(json_object_get(record, "default_SR"))))
                (void)objects_set(change, XAPI_POOL, &host->pool, "default_SR",
                                  json_string(xapi_ref_of(&host->srs[0].uuid).s));
}

/* What is said of them until somebody says something else. */
static void make_first(struct objects_change *change, const struct host *host) {
        struct uuid network = xapi_network_uuid(host);

        set_if_empty(change, XAPI_HOST, &host->uuid, "name_label", host->self->host);
        set_if_empty(change, XAPI_POOL, &host->pool, "name_label", host->self->host);
        set_if_empty(change, XAPI_NETWORK, &network, "name_label", "Host network");
}

/* SRs that this host had once, and what was in them. */
static void drop_other_srs(struct objects_change *change, struct host *host, enum xapi_class_id class) {
        AUTO(json_decref) json_t *all = objects_all(host->objects, class);
        json_t *record;
        const char *ref;
        struct uuid uuid;

        json_object_foreach(all, ref, record) {
                const char *sr = class == XAPI_SR ? ref : json_string_value(json_object_get(record, "SR"));

                if (!is_sr_of(host, sr) && xapi_ref_parse(ref, &uuid))
                        (void)objects_remove(change, class, &uuid);
        }
}

static enum err mirror_host(struct host *host, struct err_note *note) {
        AUTO(objects_abort) struct objects_change *change = NULL;
        struct uuid network = xapi_network_uuid(host), pif = xapi_pif_uuid(host), sm = xapi_sm_uuid(host);
        struct uuid metrics = xapi_metrics_uuid(host);

        objects_begin(host->objects, &change);
        apply_new(host, change, XAPI_HOST, &host->uuid, xapi_record_of_host(host));
        apply_new(host, change, XAPI_HOST_METRICS, &metrics, xapi_record_of_metrics(host));
        apply_new(host, change, XAPI_POOL, &host->pool, xapi_record_of_pool(host));
        apply_new(host, change, XAPI_NETWORK, &network, xapi_record_of_network(host));
        apply_new(host, change, XAPI_PIF, &pif, xapi_record_of_pif(host));
        apply_new(host, change, XAPI_SM, &sm, xapi_record_of_sm());
        make_first(change, host);
        choose_default_sr(change, host);
        drop_other_srs(change, host, XAPI_VDI);
        drop_other_srs(change, host, XAPI_PBD);
        drop_other_srs(change, host, XAPI_SR);
        for (size_t i = 0; i < host->n_srs; i++) {
                struct uuid pbd = xapi_pbd_uuid(host, &host->srs[i].uuid);

                apply_new(host, change, XAPI_PBD, &pbd, xapi_record_of_pbd(host, &host->srs[i]));
        }
        return objects_commit(TAKE(change), NULL, note);
}

/* ---- beginning, end -------------------------------------------------------------------------- */

static void init(struct xapi_mirror *mirror, struct host *host) {
        mirror->host = host;
        mirror->sides = mem_zero((host->n_srs + 1) * sizeof *mirror->sides);
        pthread_mutex_init(&mirror->mutex, NULL);
        pthread_cond_init(&mirror->came, NULL);
        for (size_t i = 0; i < host->n_srs; i++) {
                mirror->sides[i].mirror = mirror;
                mirror->sides[i].sr = &host->srs[i];
                pthread_mutex_init(&mirror->sides[i].mutex, NULL);
        }
}

static enum err start(struct xapi_mirror *mirror, struct err_note *note) {
        int failed;

        if (mirror_host(mirror->host, note))
                return note->code;
        for (size_t i = 0; i < mirror->host->n_srs; i++) {
                if (look(&mirror->sides[i], note))
                        return note->code;
                turn_set_given(mirror->host->srs[i].turn, on_given, &mirror->sides[i]);
        }
        failed = thread_start(&mirror->thread, run, mirror);
        if (failed)
                return err_set(note, ERR_NO_MEMORY, "begin a thread: %s", strerror(failed));
        mirror->has_thread = true;
        return ERR_NONE;
}

enum err xapi_mirror_new(struct host *host, struct xapi_mirror **ret, struct err_note *note) {
        AUTO(xapi_mirror_free) struct xapi_mirror *mirror = mem_new(struct xapi_mirror);

        init(mirror, host);
        if (start(mirror, note))
                return err_wrap(note, "objects of the host");
        *ret = TAKE(mirror);
        return ERR_NONE;
}

static void stop(struct xapi_mirror *mirror) {
        pthread_mutex_lock(&mirror->mutex);
        mirror->is_ending = true;
        pthread_cond_signal(&mirror->came);
        pthread_mutex_unlock(&mirror->mutex);
        if (mirror->has_thread)
                pthread_join(mirror->thread, NULL);
}

void xapi_mirror_free(struct xapi_mirror *mirror) {
        stop(mirror);
        for (size_t i = 0; i < mirror->host->n_srs; i++) {
                turn_set_given(mirror->host->srs[i].turn, NULL, NULL);
                xapi_seen_fini(&mirror->sides[i].seen);
                pthread_mutex_destroy(&mirror->sides[i].mutex);
        }
        pthread_cond_destroy(&mirror->came);
        pthread_mutex_destroy(&mirror->mutex);
        free(mirror->sides);
        free(mirror);
}
