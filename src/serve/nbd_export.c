// SPDX-License-Identifier: Apache-2.0
#include "nbd_export.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#include "mem.h"
#include "thread.h"

struct entry {
        struct nbd_export export;    /* the first member: an export is its entry */
        struct nbd_exports *exports; /* borrowed, outlives us */
        /* borrowed, outlives us; changed with the turns of the old one and of the new one, and the mutex */
        const struct nbd_shelf *shelf;
        unsigned n; /* who has it; 0: to be closed */
        struct nbd_errand tick;
        bool is_ticking;
        bool is_lost, shall_retry; /* it could not be opened again; to be tried now */
        bool did_fail;             /* which was logged; the thread's, or of an errand of the lane */
};

struct nbd_exports {
        struct nbd_exports_options options;
        pthread_t thread;
        pthread_mutex_t mutex; /* guards what is below, and what of an entry is not its export */
        pthread_cond_t came;
        struct nbd_ask *first, **last; /* borrowed; questions, oldest first */
        VEC(struct entry *) entries;   /* owned, and each; changed by the thread alone */
        unsigned n_moved;              /* exports that went to another shelf, ever */
        bool is_ending;
};

void nbd_ask_fini(struct nbd_exports *exports, struct nbd_ask *ask) {
        VEC_EACH (&ask->offers, each) {
                if (each->base)
                        nbd_export_release(exports, each->base);
        }
        if (ask->export)
                nbd_export_release(exports, TAKE(ask->export));
        nbd_list_fini(&ask->list);
        vec_fini(&ask->offers);
        buf_fini(&ask->queries);
        ask->queries = (struct buf){0};
}

/* ---- the chain: with the shelf's turn ------------------------------------------------------------ */

static const struct sr_opener opener;

static void say_failure(struct entry *entry, const char *what, struct err_note *note) {
        (void)err_wrap(note, "%s %s", what, entry->export.name);
        entry->exports->options.failed(entry->exports->options.user, note->text);
}

static void set_lost(struct entry *entry, bool is_lost) {
        pthread_mutex_lock(&entry->exports->mutex);
        entry->is_lost = is_lost;
        pthread_mutex_unlock(&entry->exports->mutex);
}

/* Nothing of the lane runs. */
static enum err open_chain(struct entry *entry, struct err_note *note) {
        struct sr_opener us = opener;
        enum err failed;

        if (!entry->shelf->sr) {
                struct nbd_item item;

                nbd_shelf_get(entry->shelf, &entry->export.vdi, &item);
                entry->export.chain = item.chain;
                return ERR_NONE;
        }
        us.user = entry;
        failed = sr_open_chain(entry->shelf->sr, &entry->export.vdi,
                               entry->export.is_read_only ? CHAIN_READ : CHAIN_WRITE, &entry->export.chain,
                               note);
        if (!failed)
                sr_set_opener(entry->shelf->sr, entry->export.chain, &us);
        set_lost(entry, failed != ERR_NONE);
        return failed;
}

static enum err close_chain(struct entry *entry, struct err_note *note) {
        if (!entry->export.chain)
                return ERR_NONE;
        if (!entry->shelf->sr) { /* whoever opened it closes it */
                struct chain *chain = TAKE(entry->export.chain);

                return entry->export.is_read_only ? ERR_NONE : chain_settle(chain, note);
        }
        return sr_close_chain(entry->shelf->sr, TAKE(entry->export.chain), note);
}

static void open_again(struct entry *entry) {
        struct err_note note = {0};
        bool failed;

        nbd_lane_freeze(entry->export.lane);
        failed = !entry->export.chain && open_chain(entry, &note) != ERR_NONE;
        if (failed && !entry->did_fail)
                say_failure(entry, "open again", &note);
        entry->did_fail = failed;
        nbd_lane_thaw(entry->export.lane);
}

/* ---- stepping aside: in the thread of a verb, with the shelf's turn ------------------------------ */

static bool is_wanted(void *user, char *ret_who, size_t size) {
        struct entry *entry = user;
        struct err_note note = {0};
        unsigned n;

        pthread_mutex_lock(&entry->exports->mutex);
        n = entry->n - entry->is_ticking;
        pthread_mutex_unlock(&entry->exports->mutex);
        if (n > 0) {
                snprintf(ret_who, size, "%u NBD client%s connected", n, n == 1 ? " is" : "s are");
                return true;
        }
        nbd_lane_freeze(entry->export.lane);
        if (close_chain(entry, &note))
                say_failure(entry, "close", &note);
        nbd_lane_thaw(entry->export.lane);
        return false;
}

/* What was acknowledged and not flushed must be there when the chain is another: a flush that comes later
 * cannot speak for the one before [D6]. */
static enum err step_aside(void *user, struct err_note *note) {
        struct entry *entry = user;

        nbd_lane_freeze(entry->export.lane);
        if ((entry->export.is_read_only || !chain_settle(entry->export.chain, note)) &&
            !close_chain(entry, note))
                return ERR_NONE;
        if (entry->export.chain)
                nbd_lane_thaw(entry->export.lane);
        else
                open_again(entry);
        return err_wrap(note, "flush %s", entry->export.name);
}

static void step_back(void *user) {
        open_again(user);
}

static const struct nbd_shelf *shelf_of_sr(const struct nbd_exports *exports, const struct sr *sr) {
        const struct nbd_shelves *shelves = &exports->options.shelves;

        for (size_t i = 0; i < shelves->n; i++)
                if (shelves->each[i].sr == sr)
                        return &shelves->each[i];
        return NULL;
}

static bool may_follow(void *user, const struct sr *to) {
        struct entry *entry = user;

        return shelf_of_sr(entry->exports, to);
}

/* With both shelves' turns. */
static void step_over(void *user, const struct sr *to) {
        struct entry *entry = user;

        pthread_mutex_lock(&entry->exports->mutex);
        entry->shelf = shelf_of_sr(entry->exports, to);
        entry->exports->n_moved++;
        pthread_mutex_unlock(&entry->exports->mutex);
        open_again(entry);
}

static const struct sr_opener opener = {.is_wanted = is_wanted,
                                        .step_aside = step_aside,
                                        .step_back = step_back,
                                        .may_follow = may_follow,
                                        .step_over = step_over};

/* The turn of the shelf that it is on once we have it. */
static const struct nbd_shelf *take_turn(struct entry *entry, const char *who) {
        const struct nbd_shelf *taken = NULL, *shelf;

        for (;;) {
                pthread_mutex_lock(&entry->exports->mutex);
                shelf = entry->shelf;
                pthread_mutex_unlock(&entry->exports->mutex);
                if (shelf == taken)
                        return shelf;
                if (taken)
                        turn_give(taken->turn);
                taken = shelf;
                turn_take(taken->turn, who);
        }
}

/* ---- opening: the thread, with the shelf's turn ------------------------------------------------- */

static struct entry *share_open(struct nbd_exports *exports, const struct nbd_shelf *shelf,
                                const struct uuid *vdi) {
        struct entry *found = NULL;

        pthread_mutex_lock(&exports->mutex);
        VEC_EACH (&exports->entries, each) {
                if ((*each)->shelf != shelf || !uuid_equal(&(*each)->export.vdi, vdi))
                        continue;
                (*each)->n++;
                found = *each;
        }
        pthread_mutex_unlock(&exports->mutex);
        return found;
}

static struct entry *add_entry(struct nbd_exports *exports, const struct nbd_shelf *shelf,
                               const struct nbd_item *item) {
        struct entry *entry = mem_new(struct entry);

        entry->exports = exports;
        entry->shelf = shelf;
        entry->n = 1;
        entry->export = (struct nbd_export){
                .vdi = item->uuid,
                .name = mem_text(item->name),
                .description = mem_text(item->description),
                .lane = nbd_lane_new(exports->options.work),
                .is_read_only = nbd_shelves_forbid_writing(&exports->options.shelves, item)};
        pthread_mutex_lock(&exports->mutex);
        *vec_add(&exports->entries) = entry;
        pthread_mutex_unlock(&exports->mutex);
        return entry;
}

static enum err open_item(struct nbd_exports *exports, const struct nbd_shelf *shelf,
                          const struct nbd_item *item, struct nbd_export **ret, struct err_note *note) {
        struct entry *entry = share_open(exports, shelf, &item->uuid);

        if (!entry)
                entry = add_entry(exports, shelf, item);
        if (!entry->export.chain) {
                enum err failed;

                nbd_lane_freeze(entry->export.lane);
                failed = open_chain(entry, note);
                nbd_lane_thaw(entry->export.lane);
                if (failed) {
                        nbd_export_release(exports, &entry->export);
                        return failed;
                }
        }
        *ret = &entry->export;
        return ERR_NONE;
}

/* ---- contexts -------------------------------------------------------------------------------- */

static void offer(struct nbd_ask *ask, enum nbd_context_kind kind, const struct uuid *snapshot,
                  struct nbd_export *base) {
        struct nbd_offer *added = vec_add(&ask->offers);

        added->context.kind = kind;
        if (snapshot)
                added->context.snapshot = *snapshot;
        added->base = base;
}

static void offer_snapshots_of(const struct nbd_shelf *shelf, const struct uuid *of, struct nbd_ask *ask) {
        for (size_t i = 0; shelf->sr && i < sr_n_vdis(shelf->sr); i++) {
                const struct vdi_row *row = &sr_vdi_at(shelf->sr, i)->row;

                if (row->is_snapshot && !row->is_metadata && uuid_equal(&row->snapshot_of, of))
                        offer(ask, NBD_CONTEXT_CHANGED, &row->uuid, NULL);
        }
}

/* One that is not there, or is no snapshot, selects nothing. */
static enum err offer_changed(struct nbd_exports *exports, const struct nbd_shelf *shelf,
                              const struct uuid *snapshot, struct nbd_ask *ask, struct err_note *note) {
        struct nbd_export *base = NULL;
        struct nbd_item item;

        if (!nbd_shelf_get(shelf, snapshot, &item) || !item.vdi || !item.vdi->row.is_snapshot)
                return ERR_NONE;
        if (!ask->is_list && open_item(exports, shelf, &item, &base, note))
                return note->code;
        offer(ask, NBD_CONTEXT_CHANGED, snapshot, base);
        return ERR_NONE;
}

static enum err answer_query(struct nbd_exports *exports, const struct nbd_shelf *shelf,
                             const struct uuid *of, const struct nbd_query *query, struct nbd_ask *ask,
                             struct err_note *note) {
        switch (query->kind) {
        case NBD_QUERY_NOTHING:
                break;
        case NBD_QUERY_ONE:
                if (query->one.kind == NBD_CONTEXT_CHANGED)
                        return offer_changed(exports, shelf, &query->one.snapshot, ask, note);
                offer(ask, NBD_CONTEXT_ALLOCATION, NULL, NULL);
                break;
        case NBD_QUERY_ALL_BASE:
                offer(ask, NBD_CONTEXT_ALLOCATION, NULL, NULL);
                break;
        case NBD_QUERY_ALL_CHANGED:
                offer_snapshots_of(shelf, of, ask);
                break;
        }
        return ERR_NONE;
}

static enum err answer_contexts(struct nbd_exports *exports, const struct nbd_shelf *shelf,
                                const struct uuid *of, struct nbd_ask *ask, struct err_note *note) {
        struct span queries = {ask->queries.data, ask->queries.n};

        if (ask->is_list && ask->n_queries == 0) {
                offer(ask, NBD_CONTEXT_ALLOCATION, NULL, NULL);
                offer_snapshots_of(shelf, of, ask);
        }
        for (uint32_t i = 0; i < ask->n_queries; i++) {
                struct nbd_query query = nbd_query_take(&queries);

                if (answer_query(exports, shelf, of, &query, ask, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* ---- closing --------------------------------------------------------------------------------- */

static void close_entry(struct entry *entry) {
        struct err_note note = {0};
        /* Whoever has the turn may ask us to step aside until the chain is closed. */
        const struct nbd_shelf *shelf = take_turn(entry, "close an NBD export");

        if (close_chain(entry, &note))
                say_failure(entry, "close", &note);
        turn_give(shelf->turn);
        nbd_lane_free(entry->export.lane);
        free(entry->export.name);
        free(entry->export.description);
        free(entry);
}

/* The mutex is held.  One that nobody has any more, taken out of the table; or NULL. */
static struct entry *take_unused(struct nbd_exports *exports) {
        for (size_t i = 0; i < exports->entries.n; i++) {
                struct entry *entry = exports->entries.data[i];

                if (entry->n > 0)
                        continue;
                vec_remove_at(&exports->entries, i);
                return entry;
        }
        return NULL;
}

/* The mutex is held. */
static struct entry *take_lost(struct nbd_exports *exports) {
        VEC_EACH (&exports->entries, each) {
                if (!(*each)->is_lost || !(*each)->shall_retry)
                        continue;
                (*each)->shall_retry = false;
                return *each;
        }
        return NULL;
}

static void retry(struct entry *entry) {
        const struct nbd_shelf *shelf = take_turn(entry, "open an NBD export");

        open_again(entry);
        turn_give(shelf->turn);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static enum err answer_found(struct nbd_exports *exports, const struct nbd_found *found, struct nbd_ask *ask,
                             struct err_note *note) {
        struct nbd_item item;

        if (!nbd_shelf_get(found->shelf, &found->vdi, &item))
                return err_set(note, ERR_NOT_FOUND, "VDI %s was deleted just now",
                               uuid_format(&found->vdi).s);
        if (ask->kind == NBD_ASK_CONTEXTS)
                return answer_contexts(exports, found->shelf, &found->vdi, ask, note);
        if (open_item(exports, found->shelf, &item, &ask->export, note))
                return note->code;
        ask->size = chain_size(ask->export->chain);
        ask->is_read_only = ask->export->is_read_only || found->is_by_session;
        return ERR_NONE;
}

static enum err answer_named(struct nbd_exports *exports, struct nbd_ask *ask, struct err_note *note) {
        struct nbd_found found;
        enum err failed;

        if (nbd_shelves_find(&exports->options.shelves, ask->name, ask->needs_session, &found, note))
                return note->code;
        turn_take(found.shelf->turn, "open an NBD export");
        failed = answer_found(exports, &found, ask, note);
        turn_give(found.shelf->turn);
        return failed;
}

static unsigned count_moved(struct nbd_exports *exports) {
        unsigned n;

        pthread_mutex_lock(&exports->mutex);
        n = exports->n_moved;
        pthread_mutex_unlock(&exports->mutex);
        return n;
}

/* One that moved while shelf after shelf was looked at was seen on both, or on none. */
static enum err answer_wherever(struct nbd_exports *exports, struct nbd_ask *ask, struct err_note *note) {
        unsigned before;
        enum err failed;

        do {
                before = count_moved(exports);
                failed = answer_named(exports, ask, note);
        } while (failed && count_moved(exports) != before);
        return failed;
}

static enum err list_all(struct nbd_exports *exports, struct nbd_ask *ask, struct err_note *note) {
        if (ask->needs_session)
                return err_set(note, ERR_DENIED, "exports are not listed for who has no session");
        nbd_shelves_list(&exports->options.shelves, &ask->list);
        return ERR_NONE;
}

static void answer(struct nbd_exports *exports, struct nbd_ask *ask) {
        ask->failed = ask->kind == NBD_ASK_LIST ? list_all(exports, ask, &ask->note)
                                                : answer_wherever(exports, ask, &ask->note);
        ask->answered(ask);
}

static void *run(void *user) {
        struct nbd_exports *exports = user;

        pthread_mutex_lock(&exports->mutex);
        for (;;) {
                struct nbd_ask *ask = exports->first;
                struct entry *unused = ask ? NULL : take_unused(exports);
                struct entry *lost = ask || unused ? NULL : take_lost(exports);

                if (!ask && !unused && !lost && exports->is_ending && exports->entries.n == 0)
                        break;
                if (!ask && !unused && !lost) {
                        pthread_cond_wait(&exports->came, &exports->mutex);
                        continue;
                }
                if (ask) {
                        exports->first = ask->next;
                        if (!exports->first)
                                exports->last = &exports->first;
                }
                pthread_mutex_unlock(&exports->mutex);
                if (ask)
                        answer(exports, ask);
                else if (unused)
                        close_entry(unused);
                else
                        retry(lost);
                pthread_mutex_lock(&exports->mutex);
        }
        pthread_mutex_unlock(&exports->mutex);
        return NULL;
}

struct nbd_exports *nbd_exports_new(const struct nbd_exports_options *options) {
        struct nbd_exports *exports = mem_new(struct nbd_exports);
        int failed;

        exports->options = *options;
        exports->last = &exports->first;
        pthread_mutex_init(&exports->mutex, NULL);
        pthread_cond_init(&exports->came, NULL);
        failed = thread_start(&exports->thread, run, exports);
        assert(!failed);
        return exports;
}

void nbd_exports_free(struct nbd_exports *exports) {
        pthread_mutex_lock(&exports->mutex);
        exports->is_ending = true;
        pthread_cond_signal(&exports->came);
        pthread_mutex_unlock(&exports->mutex);
        pthread_join(exports->thread, NULL);
        assert(exports->entries.n == 0);
        vec_fini(&exports->entries);
        pthread_cond_destroy(&exports->came);
        pthread_mutex_destroy(&exports->mutex);
        free(exports);
}

void nbd_exports_ask(struct nbd_exports *exports, struct nbd_ask *ask) {
        pthread_mutex_lock(&exports->mutex);
        ask->next = NULL;
        *exports->last = ask;
        exports->last = &ask->next;
        pthread_cond_signal(&exports->came);
        pthread_mutex_unlock(&exports->mutex);
}

void nbd_export_release(struct nbd_exports *exports, struct nbd_export *export) {
        struct entry *entry = (struct entry *)export;

        pthread_mutex_lock(&exports->mutex);
        assert(entry->n > 0);
        if (--entry->n == 0)
                pthread_cond_signal(&exports->came);
        pthread_mutex_unlock(&exports->mutex);
}

/* ---- ticking --------------------------------------------------------------------------------- */

static void tick(void *user) {
        struct entry *entry = user;
        struct nbd_exports *exports = entry->exports;
        struct err_note note;
        struct chain *chain = entry->export.chain;
        bool failed = chain && chain_tick(chain, &note) != ERR_NONE, says = failed && !entry->did_fail;

        entry->did_fail |= failed;
        if (says)
                say_failure(entry, "flush", &note);
        pthread_mutex_lock(&exports->mutex);
        entry->is_ticking = false;
        pthread_mutex_unlock(&exports->mutex);
        nbd_export_release(exports, &entry->export);
}

void nbd_exports_tick(struct nbd_exports *exports) {
        pthread_mutex_lock(&exports->mutex);
        VEC_EACH (&exports->entries, each) {
                struct entry *entry = *each;

                if (entry->is_lost) {
                        entry->shall_retry = true;
                        pthread_cond_signal(&exports->came);
                }
                if (entry->n == 0 || entry->is_ticking || entry->export.is_read_only)
                        continue;
                entry->is_ticking = true;
                entry->n++;
                entry->tick = (struct nbd_errand){.run = tick, .user = entry};
                nbd_work_add(entry->export.lane, &entry->tick);
        }
        pthread_mutex_unlock(&exports->mutex);
}
