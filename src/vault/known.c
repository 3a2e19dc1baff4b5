// SPDX-License-Identifier: Apache-2.0
#include "known.h"

#include <pthread.h>

#include "mem.h"

enum { ROOM_MIN = 1 << 10 };

struct known {
        struct blobs *blobs;   /* borrowed, outlives it */
        pthread_rwlock_t lock; /* all below */
        struct vault_id *ids;  /* owned; open addressing, a null one is a free place */
        size_t n, room;        /* room is a power of two, at least twice n */
};

struct known *known_new(struct blobs *blobs) {
        struct known *known = mem_new(struct known);

        known->blobs = blobs;
        known->room = ROOM_MIN;
        known->ids = mem_zero(known->room * sizeof *known->ids);
        pthread_rwlock_init(&known->lock, NULL);
        return known;
}

void known_free(struct known *known) {
        if (!known)
                return;
        pthread_rwlock_destroy(&known->lock);
        free(known->ids);
        free(known);
}

/* Ids are sums: their first bytes are as good as a hash of them. */
static struct vault_id *place_of(struct known *known, const struct vault_id *id) {
        uint64_t hash;
        size_t i;

        memcpy(&hash, id->b, sizeof hash);
        for (i = hash & (known->room - 1); !vault_id_is_null(&known->ids[i]);
             i = (i + 1) & (known->room - 1)) {
                if (vault_id_compare(&known->ids[i], id) == 0)
                        break;
        }
        return &known->ids[i];
}

static bool has(struct known *known, const struct vault_id *id) {
        return !vault_id_is_null(place_of(known, id)) || blobs_knows(known->blobs, id);
}

bool known_has(struct known *known, const struct vault_id *id) {
        bool ret;

        pthread_rwlock_rdlock(&known->lock);
        ret = has(known, id);
        pthread_rwlock_unlock(&known->lock);
        return ret;
}

/* With all but those that blobs know. */
static void rebuild(struct known *known, size_t room, bool asks_blobs) {
        struct vault_id *old = known->ids;
        size_t old_room = known->room;

        known->ids = mem_zero(room * sizeof *known->ids);
        known->room = room;
        known->n = 0;
        for (size_t i = 0; i < old_room; i++) {
                if (vault_id_is_null(&old[i]) || (asks_blobs && blobs_knows(known->blobs, &old[i])))
                        continue;
                *place_of(known, &old[i]) = old[i];
                known->n++;
        }
        free(old);
}

bool known_add(struct known *known, const struct vault_id *id) {
        bool is_new;

        pthread_rwlock_wrlock(&known->lock);
        is_new = !has(known, id);
        if (is_new) {
                if (2 * (known->n + 1) > known->room)
                        rebuild(known, 2 * known->room, false);
                *place_of(known, id) = *id;
                known->n++;
        }
        pthread_rwlock_unlock(&known->lock);
        return is_new;
}

void known_settle(struct known *known, const struct vault_index_pack *pack,
                  const struct vault_pack_entry *entries, unsigned n) {
        pthread_rwlock_wrlock(&known->lock);
        blobs_add(known->blobs, pack, entries, n);
        rebuild(known, known->room, true);
        pthread_rwlock_unlock(&known->lock);
}

size_t known_pending(struct known *known) {
        size_t n;

        pthread_rwlock_rdlock(&known->lock);
        n = known->n;
        pthread_rwlock_unlock(&known->lock);
        return n;
}
