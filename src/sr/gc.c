// SPDX-License-Identifier: Apache-2.0
#include "gc.h"

#include "gc_inside.h"

enum {
        FAILURE_FIRST_S = 30,
        FAILURE_LAST_S = 3600,
        BUSY_S = 5,
        MAX_RUNNING = 4,
};
#define SECOND_NS ((uint64_t)1000000000)

/* ---- making ---- */

enum err gc_make(struct sr *sr, const struct gc_options *options, struct gc **ret, struct err_note *note) {
        AUTO(gc_free) struct gc *gc = mem_new(struct gc);

        gc->sr = sr;
        gc->options = *options;
        if (!gc->options.engine)
                gc->options.engine = &gc_engine_coalesce;
        gc->must_look = gc->was_idle = true;
        gc->refilled_ns = io_now_ns(sr->io);
        if (gc_settings_read(sr->catalog, &gc->settings, note) ||
            gc_failures_read(sr->catalog, &gc->failures, note))
                return err_wrap(note, "collect garbage of SR %s", sr_where(sr));
        VEC_EACH (&gc->failures.list, each) {
                if (options->tries_failed)
                        each->again_at = 0;
        }
        *ret = TAKE(gc);
        return ERR_NONE;
}

enum err gc_new(struct sr *sr, const struct gc_options *options, struct gc **ret, struct err_note *note) {
        if (sr->gc)
                return err_set(note, ERR_BUSY, "gc of SR %s is running already", sr_where(sr));
        if (gc_make(sr, options, ret, note))
                return note->code;
        sr->gc = *ret;
        return ERR_NONE;
}

struct gc *gc_of(const struct sr *sr) {
        return sr->gc;
}

void gc_free(struct gc *gc) {
        gc_stop(gc);
        if (gc->sr->gc == gc)
                gc->sr->gc = NULL;
        vec_fini(&gc->running);
        gc_failures_fini(&gc->failures);
        gc_failures_fini(&gc->waits);
        gc_prices_fini(&gc->prices);
        sr_notices_fini(&gc->held);
        free(gc);
}

void gc_look_again(struct gc *gc) {
        sr_notices_fini(&gc->held);
        gc->must_look = true;
}

/* ---- telling ---- */

static void tell(struct gc *gc, enum gc_event_kind kind, const struct gc_running *running,
                 const struct err_note *why) {
        struct gc_event event = {.kind = kind,
                                 .run = running->run.data,
                                 .n = running->run.n,
                                 .is_leaf = running->is_leaf,
                                 .bytes = running->progress.bytes_done,
                                 .phase = running->progress.phase,
                                 .why = why};

        if (gc->options.tell)
                gc->options.tell(gc->options.user, &event);
}

static void tell_garbage(struct gc *gc, unsigned n, uint64_t bytes) {
        struct gc_event event = {.kind = GC_EVENT_GARBAGE, .n = n, .bytes = bytes, .phase = ""};

        if (gc->options.tell)
                gc->options.tell(gc->options.user, &event);
}

/* ---- what failed ---- */

static struct gc_failure *find_failure(struct gc_failures *failures, const struct uuid *tree) {
        VEC_EACH (&failures->list, each) {
                if (uuid_equal(&each->tree, tree))
                        return each;
        }
        return NULL;
}

static void forget_failure(struct gc_failures *failures, const struct uuid *tree) {
        struct gc_failure *failure = find_failure(failures, tree);

        if (!failure)
                return;
        free(failure->text);
        vec_remove_at(&failures->list, (size_t)(failure - failures->list.data));
}

static struct gc_failure *note_failure(struct gc *gc, struct gc_failures *failures, const struct uuid *tree,
                                       const char *text) {
        struct gc_failure *failure = find_failure(failures, tree);

        if (!failure) {
                failure = vec_add(&failures->list);
                failure->tree = *tree;
        }
        free(failure->text);
        failure->text = mem_text(text);
        failure->times++;
        failure->at = sr_now(gc->sr);
        return failure;
}

static int64_t back_off_s(unsigned times) {
        int64_t wait = FAILURE_FIRST_S;

        while (--times > 0 && wait < FAILURE_LAST_S)
                wait *= 2;
        return wait < FAILURE_LAST_S ? wait : FAILURE_LAST_S;
}

/* Somebody was in the way, or wanted what was being coalesced, or has deleted it: nothing is wrong. */
static bool is_passing(enum err code) {
        return code == ERR_BUSY || code == ERR_CANCELLED || code == ERR_NOT_FOUND;
}

/* What passes is not counted, and not kept. */
static void set_back(struct gc *gc, const struct uuid *tree, const struct err_note *why) {
        struct gc_failure *failure;

        if (is_passing(why->code)) {
                failure = note_failure(gc, &gc->waits, tree, why->text);
                failure->again_at = failure->at + BUSY_S;
                return;
        }
        failure = note_failure(gc, &gc->failures, tree, why->text);
        failure->again_at = failure->at + back_off_s(failure->times);
}

/* ---- the books ---- */

static void fill_past(struct gc *gc, const struct gc_running *running, const struct err_note *why,
                      struct gc_past *past) {
        const struct vdi *vdi = sr_get_vdi(gc->sr, &running->run.data[running->run.n - 1]);

        *past = (struct gc_past){
                .target = running->run.data[0],
                .top = running->run.data[running->run.n - 1],
                .name = mem_text(vdi ? vdi->row.name : ""),
                .direction = mem_text(plan_direction_name(running->direction)),
                .result = mem_text(why ? err_name(why->code) : "done"),
                .text = mem_text(why ? why->text : ""),
                .began = running->began,
                .ended = sr_now(gc->sr),
                .lasted_ms = (io_now_ns(gc->sr->io) - running->began_ns) / 1000000,
                .bytes = running->progress.bytes_done,
                .layers = (unsigned)running->run.n - 1,
        };
}

static enum err write_books(struct gc *gc, struct gc_past *past, const struct uuid *tree,
                            struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;
        struct gc_failure *failure = find_failure(&gc->failures, tree);

        if (catalog_begin(gc->sr->catalog, &change, note) ||
            gc_past_add(gc->sr->catalog, change, past, note) ||
            (failure ? gc_failure_put(change, failure, note) : gc_failure_drop(change, tree, note)))
                return note->code;
        return store_commit(TAKE(change), note);
}

/* A full disk must not keep from being coalesced what would make room on it. */
static void keep_books(struct gc *gc, const struct gc_running *running, const struct err_note *why) {
        struct err_note note;
        struct gc_past past;

        fill_past(gc, running, why, &past);
        if (write_books(gc, &past, &running->tree, &note)) {
                gc->trouble = note;
                (void)err_wrap(&gc->trouble, "remember what was done");
        }
        gc_past_fini(&past);
}

/* ---- ending one ---- */

static void look_at_progress(struct gc *gc, struct gc_running *running) {
        const char *before = running->progress.phase;

        gc->options.engine->progress(running->coalesce, &running->progress);
        rate_add(&running->rate, io_now_ns(gc->sr->io), running->progress.bytes_done);
        if (running->progress.phase != before)
                tell(gc, GC_EVENT_PHASE, running, NULL);
}

static void end(struct gc *gc, size_t i, enum gc_event_kind kind, const struct err_note *why) {
        struct gc_running running = gc->running.data[i];
        static const struct err_note stopped = {ERR_CANCELLED,
                                                "stopped; goes on from there when it is begun again"};

        gc->options.engine->end(running.coalesce);
        gc->moved += running.progress.bytes_done;
        vec_remove_at(&gc->running, i);
        gc->must_look = true;
        if (kind == GC_EVENT_DONE) {
                gc->n_done++;
                forget_failure(&gc->failures, &running.tree);
                forget_failure(&gc->waits, &running.tree);
        } else if (kind == GC_EVENT_FAILED) {
                gc->n_failed++;
        }
        if (why)
                set_back(gc, &running.tree, why);
        if (kind == GC_EVENT_STOPPED && !why)
                why = &stopped;
        keep_books(gc, &running, why);
        tell(gc, kind, &running, why);
        vec_fini(&running.run);
}

void gc_stop(struct gc *gc) {
        while (gc->running.n > 0)
                end(gc, gc->running.n - 1, GC_EVENT_STOPPED, NULL);
        gc->must_look = false;
}

/* ---- looking, beginning ---- */

static void list_failures(struct gc *gc, const struct gc_failures *failures, bool is_wait,
                          struct gc_asked *asked) {
        int64_t now = sr_now(gc->sr);

        VEC_EACH (&failures->list, each) {
                if (each->again_at <= now)
                        continue;
                *vec_add(&asked->failures) =
                        (struct plan_failure){.tree = each->tree,
                                              .text = each->text,
                                              .again_in_ns = (uint64_t)(each->again_at - now) * SECOND_NS,
                                              .is_wait = is_wait};
        }
}

enum err gc_ask(struct gc *gc, struct gc_view *ret, struct err_note *note) {
        AUTO(gc_asked_fini) struct gc_asked asked = {0};
        struct gc_look_options options = {.engine = gc->options.engine,
                                          .is_paused = gc->settings.is_paused,
                                          .prices = &gc->prices,
                                          .held = &gc->held};
        char shut[PLAN_REASON_SIZE];

        if (gc_is_shut(gc))
                options.shut = gc_shut_text(gc, shut, sizeof shut);
        VEC_EACH (&gc->running, running) {
                VEC_EACH (&running->run, each) {
                        *vec_add(&asked.claims) =
                                (struct gc_claim){.node = *each, .coalesce = running->number};
                }
        }
        list_failures(gc, &gc->failures, false, &asked);
        list_failures(gc, &gc->waits, true, &asked);
        options.claims = asked.claims.data;
        options.n_claims = asked.claims.n;
        options.failures = asked.failures.data;
        options.n_failures = asked.failures.n;
        return gc_look(gc->sr, &options, ret, note);
}

static void start(struct gc *gc, const struct gc_view *view, const struct plan_candidate *candidate) {
        struct gc_running running = {
                .number = ++gc->last_number,
                .tree = view->nodes.data[candidate->tree].uuid,
                .is_leaf = candidate->is_leaf,
                .direction = candidate->direction,
                .began = sr_now(gc->sr),
                .began_ns = io_now_ns(gc->sr->io),
                .progress = {.bytes_total = candidate->bytes_total, .phase = ""},
        };
        struct gc_run run = {.n = (unsigned)candidate->run.n,
                             .is_leaf = candidate->is_leaf,
                             .direction = candidate->direction,
                             .pace = gc_pace(gc)};
        struct err_note why;

        VEC_EACH (&candidate->run, at) {
                *vec_add(&running.run) = view->nodes.data[*at].uuid;
        }
        run.nodes = running.run.data;
        if (gc->options.engine->begin(gc->sr, &run, &running.coalesce, &why)) {
                set_back(gc, &running.tree, &why);
                if (!is_passing(why.code)) {
                        gc->n_failed++;
                        keep_books(gc, &running, &why);
                        tell(gc, GC_EVENT_FAILED, &running, &why);
                }
                vec_fini(&running.run);
                return;
        }
        rate_begin(&running.rate, running.began_ns, 0);
        *vec_add(&gc->running) = running;
        tell(gc, GC_EVENT_BEGINS, &running, NULL);
        look_at_progress(gc, &gc->running.data[gc->running.n - 1]);
}

static enum err collect(struct gc *gc, const struct gc_view *view, bool *ret_did, struct err_note *note) {
        const struct plan_candidate *first = view->plan.list.n ? &view->plan.list.data[0] : NULL;
        unsigned n;
        uint64_t bytes;

        if (!first || first->kind != PLAN_GARBAGE || first->state != PLAN_READY)
                return ERR_NONE;
        *ret_did = true; /* what could not go is held from now on, for the plan too */
        sr_notices_fini(&gc->held);
        if (sr_garbage(gc->sr, &n, &bytes, &gc->held, note))
                return note->code;
        gc->n_garbage += n;
        gc->bytes_freed += bytes;
        if (n > 0)
                tell_garbage(gc, n, bytes);
        return ERR_NONE;
}

static enum err look(struct gc *gc, bool *ret_did, struct err_note *note) {
        AUTO(gc_view_fini) struct gc_view view = {0};
        unsigned most = gc->options.max_running ? gc->options.max_running : MAX_RUNNING;

        if (sr_scan(gc->sr, note) || gc_ask(gc, &view, note) || collect(gc, &view, ret_did, note))
                return note->code;
        if (*ret_did)
                return ERR_NONE; /* the view is of before */
        gc->must_look = false;
        gc->ready = 0;
        gc->n_shut = 0;
        VEC_EACH (&view.plan.list, each) {
                gc->n_shut += each->is_shut;
                if (each->kind != PLAN_COALESCE || each->state != PLAN_READY)
                        continue;
                if (gc->running.n >= most) {
                        gc->ready += each->bytes_total;
                        continue;
                }
                start(gc, &view, each);
                *ret_did = true;
        }
        return ERR_NONE;
}

/* ---- stepping ---- */

/* While it moves bytes others may have the SR: they see the progress as it was before. */
static enum err step_engine(struct gc *gc, void *coalesce, bool *ret_is_done, struct err_note *why) {
        const struct gc_options *options = &gc->options;
        bool rests = options->rest && !options->engine->needs_turn(coalesce);
        enum err err;

        if (rests)
                options->rest(options->user);
        err = options->engine->step(coalesce, ret_is_done, why);
        if (rests)
                options->resume(options->user);
        return err;
}

static void step_one(struct gc *gc) {
        size_t i = gc->turn++ % gc->running.n;
        struct gc_running *running = &gc->running.data[i];
        uint64_t before = running->progress.bytes_done;
        struct gc_pace pace = gc_pace(gc);
        struct err_note why;
        bool is_done = false;
        enum err err;

        gc->options.engine->pace(running->coalesce, &pace);
        err = step_engine(gc, running->coalesce, &is_done, &why);
        look_at_progress(gc, running);
        if (running->progress.bytes_done > before)
                gc->allowance -= (double)(running->progress.bytes_done - before);
        if (err)
                end(gc, i, is_passing(err) ? GC_EVENT_STOPPED : GC_EVENT_FAILED, &why);
        else if (is_done)
                end(gc, i, GC_EVENT_DONE, NULL);
}

/* When something that failed may be tried again. */
static uint64_t wait_for_failed(const struct gc *gc) {
        const struct gc_failures *lists[] = {&gc->failures, &gc->waits};
        int64_t now = sr_now(gc->sr), first = INT64_MAX;

        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
                VEC_EACH (&lists[i]->list, each) {
                        if (each->again_at > now && each->again_at < first)
                                first = each->again_at;
                }
        }
        return first == INT64_MAX ? UINT64_MAX : (uint64_t)(first - now) * SECOND_NS;
}

static bool is_due(const struct gc *gc) {
        int64_t now = sr_now(gc->sr);

        VEC_EACH (&gc->waits.list, each) {
                if (each->again_at <= now && each->again_at > gc->looked_at)
                        return true;
        }
        VEC_EACH (&gc->failures.list, each) {
                if (each->again_at <= now && each->again_at > gc->looked_at)
                        return true;
        }
        return false;
}

/* Nothing runs: until when. */
static struct gc_turn idle(struct gc *gc) {
        gc->was_idle = true;
        if (gc_is_shut(gc) && gc->n_shut)
                return (struct gc_turn){.what = GC_SHUT, .wait_ns = gc_shut_ns(gc)};
        return (struct gc_turn){.what = GC_IDLE, .wait_ns = wait_for_failed(gc)};
}

enum err gc_step(struct gc *gc, struct gc_turn *ret, struct err_note *note) {
        bool did = false;

        *ret = (struct gc_turn){.what = GC_WORKED};
        if (gc->settings.is_paused) {
                gc_stop(gc);
                gc->was_idle = true;
                ret->what = GC_PAUSED;
                return ERR_NONE;
        }
        if (gc_is_shut(gc) && gc->running.n > 0) {
                gc_stop(gc);
                gc->must_look = true;
        }
        if (gc->must_look || is_due(gc)) {
                gc->looked_at = sr_now(gc->sr);
                if (look(gc, &did, note))
                        return err_wrap(note, "collect garbage of SR %s", sr_where(gc->sr));
        }
        if (did)
                return ERR_NONE;
        if (gc->running.n == 0) {
                *ret = idle(gc);
                return ERR_NONE;
        }
        gc_govern(gc);
        ret->wait_ns = gc_wait(gc);
        if (ret->wait_ns)
                ret->what = GC_WAITS;
        else
                step_one(gc);
        return ERR_NONE;
}

/* ---- settings ---- */

static enum err put_settings(struct sr *sr, const struct gc_settings *settings, struct err_note *note) {
        AUTO(store_abort) struct store_change *change = NULL;

        if (sr_begin_change(sr, note) || catalog_begin(sr->catalog, &change, note) ||
            gc_settings_put(change, settings, note))
                return note->code;
        return store_commit(TAKE(change), note);
}

enum err gc_set(struct sr *sr, const struct gc_settings *settings, struct err_note *note) {
        struct gc *gc = sr->gc;

        if (put_settings(sr, settings, note))
                return err_wrap(note, "set what gc of SR %s may do", sr_where(sr));
        if (!gc)
                return ERR_NONE;
        gc->was_idle |= gc->settings.ignores_guests && !settings->ignores_guests;
        gc->settings = *settings;
        gc_reset_pace(gc);
        return ERR_NONE;
}

enum err gc_settings_of(struct sr *sr, struct gc_settings *ret, struct err_note *note) {
        if (!sr->gc)
                return gc_settings_read(sr->catalog, ret, note);
        *ret = sr->gc->settings;
        return ERR_NONE;
}

enum err gc_history_of(struct sr *sr, struct gc_history *ret, struct err_note *note) {
        return gc_history_read(sr->catalog, ret, note);
}

const struct err_note *gc_trouble(const struct gc *gc) {
        return &gc->trouble;
}

struct gc_sums gc_sums(const struct gc *gc) {
        struct gc_sums sums = {.bytes_total = gc->moved + gc->ready,
                               .bytes_done = gc->moved,
                               .n_running = (unsigned)gc->running.n,
                               .n_done = gc->n_done,
                               .n_failed = gc->n_failed,
                               .n_garbage = gc->n_garbage,
                               .bytes_freed = gc->bytes_freed};

        VEC_EACH (&gc->running, each) {
                sums.bytes_total += each->progress.bytes_total;
                sums.bytes_done += each->progress.bytes_done;
        }
        return sums;
}
