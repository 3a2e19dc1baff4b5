// SPDX-License-Identifier: Apache-2.0
#include "target_limit.h"

#include <pthread.h>
#include <stdlib.h>

#include "bytes.h"
#include "mem.h"
#include "nap.h"

struct line {
        uint64_t rate;    /* bytes a second; 0: no limit */
        uint64_t free_ns; /* when what has come so far has had its time */
};

struct target_limit {
        struct target target;    /* first */
        struct io *io;           /* borrowed, outlives it; the clock */
        struct target *below;    /* owned */
        const atomic_bool *stop; /* borrowed */
        pthread_mutex_t mutex;   /* both lines */
        struct line up, down;
};

static struct target_limit *limit_of(struct target *target) {
        return (struct target_limit *)target;
}

static struct target *below_of(struct target *target) {
        return limit_of(target)->below;
}

/* Of n bytes at that rate, in pieces that no product of which runs over. */
static uint64_t time_of(uint64_t n, uint64_t rate) {
        return n / rate * UINT64_C(1000000000) + n % rate * 1000 / rate * 1000000;
}

/* Waits until it is the turn of n bytes. */
static enum err wait_for(struct target_limit *limit, struct line *line, uint64_t n, struct err_note *note) {
        uint64_t now = io_now_ns(limit->io), turn;

        if (!line->rate)
                return ERR_NONE;
        pthread_mutex_lock(&limit->mutex);
        turn = max_u64(now, line->free_ns);
        line->free_ns = turn + time_of(n, line->rate);
        pthread_mutex_unlock(&limit->mutex);
        if (nap(limit->io, turn - now, limit->stop))
                return ERR_NONE;
        return err_set(note, ERR_CANCELLED, "cancelled");
}

static enum err limit_list(struct target *target, const char *prefix, struct target_list *ret,
                           struct err_note *note) {
        return below_of(target)->ops->list(below_of(target), prefix, ret, note);
}

static enum err limit_read(struct target *target, const char *name, uint64_t at, void *ret, size_t n,
                           size_t *ret_n, struct err_note *note) {
        struct target_limit *limit = limit_of(target);

        if (below_of(target)->ops->read(below_of(target), name, at, ret, n, ret_n, note))
                return note->code;
        return wait_for(limit, &limit->down, *ret_n, note);
}

static enum err limit_size(struct target *target, const char *name, uint64_t *ret, struct err_note *note) {
        return below_of(target)->ops->size(below_of(target), name, ret, note);
}

static enum err limit_put(struct target *target, const char *name, const struct iovec *data, unsigned n,
                          bool replace, struct err_note *note) {
        struct target_limit *limit = limit_of(target);
        uint64_t size = 0;

        for (unsigned i = 0; i < n; i++)
                size += data[i].iov_len;
        if (wait_for(limit, &limit->up, size, note))
                return note->code;
        return below_of(target)->ops->put(below_of(target), name, data, n, replace, note);
}

static enum err limit_remove(struct target *target, const char *name, struct err_note *note) {
        return below_of(target)->ops->remove(below_of(target), name, note);
}

static enum err limit_settle(struct target *target, const char *prefix, struct err_note *note) {
        const struct target_ops *ops = below_of(target)->ops;

        return ops->settle ? ops->settle(below_of(target), prefix, note) : ERR_NONE;
}

static void limit_free(struct target *target) {
        pthread_mutex_destroy(&limit_of(target)->mutex);
        target_close(below_of(target));
        free(target);
}

static const struct target_ops limit_ops = {.kind = "limited",
                                            .list = limit_list,
                                            .read = limit_read,
                                            .size = limit_size,
                                            .put = limit_put,
                                            .remove = limit_remove,
                                            .settle = limit_settle,
                                            .free = limit_free};

struct target *target_limit_new(struct io *io, struct target *below,
                                const struct target_limit_options *options) {
        struct target_limit *limit = mem_new(struct target_limit);

        limit->target.ops = &limit_ops;
        limit->target.where = mem_text(below->where);
        limit->io = io;
        limit->below = below;
        limit->stop = options->stop;
        limit->up.rate = options->up;
        limit->down.rate = options->down;
        pthread_mutex_init(&limit->mutex, NULL);
        return &limit->target;
}
