// SPDX-License-Identifier: Apache-2.0
#include "ranges.h"

#include <string.h>

void ranges_init(struct ranges *r) {
        memset(r, 0, sizeof *r);
        pthread_mutex_init(&r->lock, NULL);
        pthread_cond_init(&r->changed, NULL);
}

void ranges_fini(struct ranges *r) {
        pthread_cond_destroy(&r->changed);
        pthread_mutex_destroy(&r->lock);
}

static bool has_older_rival(const struct range *mine) {
        for (const struct range *other = mine->before; other; other = other->before)
                if ((mine->is_alone || other->is_alone) && other->first < mine->end &&
                    mine->first < other->end)
                        return true;
        return false;
}

void ranges_enter(struct ranges *r, struct range *mine, uint64_t first, uint64_t end, bool is_alone) {
        *mine = (struct range){.first = first, .end = end, .is_alone = is_alone};
        pthread_mutex_lock(&r->lock);
        while (r->is_frozen)
                pthread_cond_wait(&r->changed, &r->lock);
        mine->before = r->newest;
        if (r->newest)
                r->newest->next = mine;
        else
                r->oldest = mine;
        r->newest = mine;
        while (has_older_rival(mine))
                pthread_cond_wait(&r->changed, &r->lock);
        pthread_mutex_unlock(&r->lock);
}

void ranges_leave(struct ranges *r, struct range *mine) {
        pthread_mutex_lock(&r->lock);
        if (mine->before)
                mine->before->next = mine->next;
        else
                r->oldest = mine->next;
        if (mine->next)
                mine->next->before = mine->before;
        else
                r->newest = mine->before;
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->lock);
}

void ranges_freeze(struct ranges *r) {
        pthread_mutex_lock(&r->lock);
        r->is_frozen = true;
        while (r->oldest)
                pthread_cond_wait(&r->changed, &r->lock);
        pthread_mutex_unlock(&r->lock);
}

void ranges_thaw(struct ranges *r) {
        pthread_mutex_lock(&r->lock);
        r->is_frozen = false;
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->lock);
}
