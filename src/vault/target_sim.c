// SPDX-License-Identifier: Apache-2.0
#include "target_sim.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "mem.h"
#include "text.h"
#include "sim_dice.h"

enum { LATE = 20, THOUSAND = 1000 };

struct object {
        char *name; /* owned */
        struct buf bytes;
        bool is_there;
        /* From the look that has this number on, listings say what is there. */
        uint64_t shown_at;
};

enum change_kind { CHANGE_PUT, CHANGE_REMOVE };

/* What will happen at some call. */
struct change {
        enum change_kind kind;
        char *name; /* owned */
        struct buf bytes;
        uint64_t due;
};

struct target_sim {
        pthread_mutex_t mutex; /* guards all below */
        struct sim_dice dice;
        struct target_sim_weather weather;
        VEC(struct object) objects; /* owned; by name; also what was removed */
        VEC(struct change) later;   /* owned */
        struct target_sim_count count;
        uint64_t trap, death; /* the call, the change that fails; 0: none */
        enum err trap_err;
        bool trap_after, death_after, is_dead;
};

struct sim_target {
        struct target target;   /* first */
        struct target_sim *sim; /* borrowed, outlives us */
};

static struct target_sim *sim_of(struct target *target) {
        return ((struct sim_target *)target)->sim;
}

/* ---- objects ---- */

static size_t place_of(const struct target_sim *sim, const char *name, bool *ret_found) {
        size_t low = 0, high = sim->objects.n;

        while (low < high) {
                size_t middle = (low + high) / 2;
                int order = strcmp(sim->objects.data[middle].name, name);

                *ret_found = order == 0;
                if (order == 0)
                        return middle;
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        *ret_found = false;
        return low;
}

static struct object *find(const struct target_sim *sim, const char *name) {
        bool is_found;
        size_t at = place_of(sim, name, &is_found);

        return is_found && sim->objects.data[at].is_there ? &sim->objects.data[at] : NULL;
}

static struct object *find_or_add(struct target_sim *sim, const char *name) {
        bool is_found;
        size_t at = place_of(sim, name, &is_found);

        if (!is_found) {
                (void)vec_add(&sim->objects);
                memmove(&sim->objects.data[at + 1], &sim->objects.data[at],
                        (sim->objects.n - 1 - at) * sizeof *sim->objects.data);
                sim->objects.data[at] = (struct object){.name = mem_text(name)};
        }
        return &sim->objects.data[at];
}

static void change_shows_late(struct target_sim *sim, struct object *object) {
        object->shown_at = sim->count.lists + sim_below(&sim->dice, (uint64_t)sim->weather.list_lag + 1);
}

static void do_put(struct target_sim *sim, const char *name, const struct buf *bytes) {
        struct object *object = find_or_add(sim, name);

        if (!object->is_there)
                change_shows_late(sim, object);
        object->is_there = true;
        object->bytes.n = 0;
        buf_add(&object->bytes, bytes->data, bytes->n);
}

static void do_remove(struct target_sim *sim, const char *name) {
        struct object *object = find(sim, name);

        if (!object)
                return;
        object->is_there = false;
        change_shows_late(sim, object);
}

/* ---- what comes later ---- */

static void change_fini(struct change *change) {
        free(change->name);
        buf_fini(&change->bytes);
}

static void do_later(struct target_sim *sim, enum change_kind kind, const char *name,
                     const struct buf *bytes) {
        unsigned late = sim->weather.late ? sim->weather.late : LATE;
        struct change *change = vec_add(&sim->later);

        *change = (struct change){.kind = kind,
                                  .name = mem_text(name),
                                  .due = sim->count.calls + 1 + sim_below(&sim->dice, late)};
        if (bytes)
                buf_add(&change->bytes, bytes->data, bytes->n);
}

static void do_due(struct target_sim *sim, uint64_t now) {
        for (size_t i = 0; i < sim->later.n;) {
                struct change change = sim->later.data[i];

                if (change.due > now) {
                        i++;
                        continue;
                }
                vec_remove_at(&sim->later, i);
                if (change.kind == CHANGE_PUT)
                        do_put(sim, change.name, &change.bytes);
                else
                        do_remove(sim, change.name);
                change_fini(&change);
        }
}

static bool happens(struct target_sim *sim, unsigned of_thousand) {
        return of_thousand && sim_below(&sim->dice, THOUSAND) < of_thousand;
}

/* ---- calls ---- */

enum fate {
        FATE_FINE,
        FATE_FAILS,       /* without effect */
        FATE_FAILS_AFTER, /* with it */
        FATE_FAILS_LATE,  /* it comes later */
};

/* What becomes of the call; the error is trap_err's where it fails. */
static enum fate begin(struct target_sim *sim, bool is_change, enum err *ret_err) {
        sim->count.calls++;
        sim->count.changes += is_change;
        do_due(sim, sim->count.calls);
        *ret_err = ERR_IO;
        if (sim->is_dead)
                return FATE_FAILS;
        if (is_change && sim->death && sim->count.changes == sim->death) {
                sim->is_dead = true;
                return sim->death_after ? FATE_FAILS_AFTER : FATE_FAILS;
        }
        if (sim->trap && sim->count.calls == sim->trap) {
                *ret_err = sim->trap_err;
                return sim->trap_after ? FATE_FAILS_AFTER : FATE_FAILS;
        }
        if (happens(sim, sim->weather.errors))
                return is_change ? (enum fate)(FATE_FAILS + sim_below(&sim->dice, 3)) : FATE_FAILS;
        return FATE_FINE;
}

static enum err end(struct target_sim *sim, enum fate fate, enum err err, struct err_note *note) {
        if (fate == FATE_FINE)
                return ERR_NONE;
        return err_set(note, err, "%s", sim->is_dead ? "the process is dead" : "a fault that was asked for");
}

static enum err locked(struct target_sim *sim, enum err err) {
        pthread_mutex_unlock(&sim->mutex);
        return err;
}

static enum err not_found(struct err_note *note) {
        return err_set(note, ERR_NOT_FOUND, "%s", err_text(ERR_NOT_FOUND));
}

static enum err list_objects(struct target_sim *sim, const char *prefix, struct target_list *ret,
                             struct err_note *note) {
        enum err err;
        enum fate fate = begin(sim, false, &err);

        sim->count.lists++;
        if (fate != FATE_FINE)
                return end(sim, fate, err, note);
        VEC_EACH (&sim->objects, each) {
                bool is_shown = sim->count.lists > each->shown_at ? each->is_there : !each->is_there;

                if (is_shown && strncmp(each->name, prefix, strlen(prefix)) == 0)
                        *vec_add(&ret->items) =
                                (struct target_item){.name = mem_text(each->name), .size = each->bytes.n};
        }
        return ERR_NONE;
}

static enum err read_object(struct target_sim *sim, const char *name, uint64_t at, void *ret, size_t n,
                            size_t *ret_n, struct err_note *note) {
        enum err err;
        enum fate fate = begin(sim, false, &err);
        const struct object *object = find(sim, name);

        sim->count.reads++;
        if (fate != FATE_FINE)
                return end(sim, fate, err, note);
        if (!object)
                return not_found(note);
        *ret_n = at < object->bytes.n ? (size_t)min_u64(n, object->bytes.n - at) : 0;
        if (*ret_n)
                memcpy(ret, object->bytes.data + at, *ret_n);
        sim->count.bytes_read += *ret_n;
        return ERR_NONE;
}

static enum err size_of_object(struct target_sim *sim, const char *name, uint64_t *ret,
                               struct err_note *note) {
        enum err err;
        enum fate fate = begin(sim, false, &err);
        const struct object *object = find(sim, name);

        if (fate != FATE_FINE)
                return end(sim, fate, err, note);
        if (!object)
                return not_found(note);
        *ret = object->bytes.n;
        return ERR_NONE;
}

static enum err put_object(struct target_sim *sim, const char *name, const struct buf *bytes, bool replace,
                           struct err_note *note) {
        enum err err;
        enum fate fate = begin(sim, true, &err);
        const struct object *old = find(sim, name);

        if (fate == FATE_FINE && old && !replace) {
                assert(text_ends_with(name, ".broken") ||
                       (old->bytes.n == bytes->n && memcmp(old->bytes.data, bytes->data, bytes->n) == 0));
                if (happens(sim, THOUSAND / 2))
                        return err_set(note, ERR_EXISTS, "%s", err_text(ERR_EXISTS));
        }
        if (fate == FATE_FINE || fate == FATE_FAILS_AFTER)
                do_put(sim, name, bytes);
        /* One that replaces does not come again: a newer one may be there, and has to stay. */
        if (!replace &&
            (fate == FATE_FAILS_LATE || (fate == FATE_FINE && happens(sim, sim->weather.repeats))))
                do_later(sim, CHANGE_PUT, name, bytes);
        sim->count.bytes_put += bytes->n;
        return end(sim, fate, err, note);
}

static enum err remove_object(struct target_sim *sim, const char *name, struct err_note *note) {
        enum err err;
        enum fate fate = begin(sim, true, &err);

        if (fate == FATE_FAILS_LATE || (fate == FATE_FINE && happens(sim, sim->weather.late_removes)))
                do_later(sim, CHANGE_REMOVE, name, NULL);
        else if (fate == FATE_FAILS_AFTER || (fate == FATE_FINE && !happens(sim, sim->weather.lost_removes)))
                do_remove(sim, name);
        return end(sim, fate, err, note);
}

static enum err sim_list(struct target *target, const char *prefix, struct target_list *ret,
                         struct err_note *note) {
        struct target_sim *sim = sim_of(target);

        pthread_mutex_lock(&sim->mutex);
        return locked(sim, list_objects(sim, prefix, ret, note));
}

static enum err sim_read(struct target *target, const char *name, uint64_t at, void *ret, size_t n,
                         size_t *ret_n, struct err_note *note) {
        struct target_sim *sim = sim_of(target);

        pthread_mutex_lock(&sim->mutex);
        return locked(sim, read_object(sim, name, at, ret, n, ret_n, note));
}

static enum err sim_size(struct target *target, const char *name, uint64_t *ret, struct err_note *note) {
        struct target_sim *sim = sim_of(target);

        pthread_mutex_lock(&sim->mutex);
        return locked(sim, size_of_object(sim, name, ret, note));
}

static enum err sim_put(struct target *target, const char *name, const struct iovec *pieces, unsigned n,
                        bool replace, struct err_note *note) {
        struct target_sim *sim = sim_of(target);
        AUTO(buf_fini) struct buf bytes = {0};

        for (unsigned i = 0; i < n; i++)
                buf_add(&bytes, pieces[i].iov_base, pieces[i].iov_len);
        pthread_mutex_lock(&sim->mutex);
        return locked(sim, put_object(sim, name, &bytes, replace, note));
}

static enum err sim_remove(struct target *target, const char *name, struct err_note *note) {
        struct target_sim *sim = sim_of(target);

        pthread_mutex_lock(&sim->mutex);
        return locked(sim, remove_object(sim, name, note));
}

static void sim_free(struct target *target) {
        free(target);
}

static const struct target_ops sim_ops = {
        .kind = "simulated",
        .list = sim_list,
        .read = sim_read,
        .size = sim_size,
        .put = sim_put,
        .remove = sim_remove,
        .free = sim_free,
};

/* ---- for tests ---- */

struct target_sim *target_sim_new(uint64_t seed) {
        struct target_sim *sim = mem_new(struct target_sim);

        sim->dice.state = sim_hash(seed, 0);
        pthread_mutex_init(&sim->mutex, NULL);
        return sim;
}

struct target_sim *target_sim_fork(struct target_sim *from) {
        struct target_sim *sim = target_sim_new(0);

        pthread_mutex_lock(&from->mutex);
        sim->dice = from->dice;
        sim->weather = from->weather;
        sim->count = from->count;
        VEC_EACH (&from->objects, each) {
                struct object *copy = vec_add(&sim->objects);

                *copy = (struct object){
                        .name = mem_text(each->name), .is_there = each->is_there, .shown_at = each->shown_at};
                buf_add(&copy->bytes, each->bytes.data, each->bytes.n);
        }
        VEC_EACH (&from->later, each) {
                struct change *copy = vec_add(&sim->later);

                *copy = (struct change){.kind = each->kind, .name = mem_text(each->name), .due = each->due};
                buf_add(&copy->bytes, each->bytes.data, each->bytes.n);
        }
        pthread_mutex_unlock(&from->mutex);
        return sim;
}

void target_sim_free(struct target_sim *sim) {
        VEC_EACH (&sim->objects, each) {
                free(each->name);
                buf_fini(&each->bytes);
        }
        VEC_EACH (&sim->later, each)
                change_fini(each);
        vec_fini(&sim->objects);
        vec_fini(&sim->later);
        pthread_mutex_destroy(&sim->mutex);
        free(sim);
}

struct target *target_sim_open(struct target_sim *sim) {
        struct sim_target *target = mem_new(struct sim_target);

        target->target = (struct target){.ops = &sim_ops, .where = mem_text("simulated")};
        target->sim = sim;
        return &target->target;
}

void target_sim_set_weather(struct target_sim *sim, const struct target_sim_weather *weather) {
        pthread_mutex_lock(&sim->mutex);
        sim->weather = *weather;
        pthread_mutex_unlock(&sim->mutex);
}

void target_sim_settle(struct target_sim *sim) {
        pthread_mutex_lock(&sim->mutex);
        do_due(sim, UINT64_MAX);
        VEC_EACH (&sim->objects, each)
                each->shown_at = 0;
        pthread_mutex_unlock(&sim->mutex);
}

struct target_sim_count target_sim_count(struct target_sim *sim) {
        struct target_sim_count count;

        pthread_mutex_lock(&sim->mutex);
        count = sim->count;
        pthread_mutex_unlock(&sim->mutex);
        return count;
}

void target_sim_fail_at(struct target_sim *sim, uint64_t n, enum err err, bool after_effect) {
        pthread_mutex_lock(&sim->mutex);
        sim->trap = n ? sim->count.calls + n : 0;
        sim->trap_err = err;
        sim->trap_after = after_effect;
        pthread_mutex_unlock(&sim->mutex);
}

void target_sim_die_at(struct target_sim *sim, uint64_t n, bool after_effect) {
        pthread_mutex_lock(&sim->mutex);
        sim->death = n ? sim->count.changes + n : 0;
        sim->death_after = after_effect;
        pthread_mutex_unlock(&sim->mutex);
}

bool target_sim_is_dead(struct target_sim *sim) {
        bool is_dead;

        pthread_mutex_lock(&sim->mutex);
        is_dead = sim->is_dead;
        pthread_mutex_unlock(&sim->mutex);
        return is_dead;
}

void target_sim_restart(struct target_sim *sim) {
        pthread_mutex_lock(&sim->mutex);
        sim->is_dead = false;
        sim->death = 0;
        sim->trap = 0;
        pthread_mutex_unlock(&sim->mutex);
}

const char *target_sim_name(struct target_sim *sim, size_t n) {
        const char *name = NULL;

        pthread_mutex_lock(&sim->mutex);
        VEC_EACH (&sim->objects, each)
                if (each->is_there && n-- == 0) {
                        name = each->name;
                        break;
                }
        pthread_mutex_unlock(&sim->mutex);
        return name;
}

bool target_sim_flip(struct target_sim *sim, const char *name, uint64_t at, uint8_t bits) {
        struct object *object;
        bool is_there;

        pthread_mutex_lock(&sim->mutex);
        object = find(sim, name);
        is_there = object && at < object->bytes.n;
        if (is_there)
                object->bytes.data[at] ^= bits;
        pthread_mutex_unlock(&sim->mutex);
        return is_there;
}
