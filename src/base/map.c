// SPDX-License-Identifier: Apache-2.0
#include "map.h"

#include <stdbool.h>
#include <string.h>

#include "mem.h"

struct map_key map_key_uuid(const struct uuid *u) {
        struct map_key key;

        memcpy(&key.high, u->b, 8);
        memcpy(&key.low, u->b + 8, 8);
        return key;
}

static size_t place_of(const struct map *m, struct map_key key) {
        uint64_t h = (key.high * 0x9e3779b97f4a7c15u) ^ key.low;

        h ^= h >> 32;
        h *= 0xd6e8feb86659fd93u;
        h ^= h >> 32;
        return (size_t)h & (m->room - 1);
}

static bool is_key(const struct map_entry *e, struct map_key key) {
        return e->key.high == key.high && e->key.low == key.low;
}

void *map_get(const struct map *m, struct map_key key) {
        if (m->room == 0)
                return NULL;
        for (size_t i = place_of(m, key); m->entries[i].value; i = (i + 1) & (m->room - 1))
                if (is_key(&m->entries[i], key))
                        return m->entries[i].value;
        return NULL;
}

static void map_grow(struct map *m) {
        struct map old = *m;

        m->room = old.room ? old.room * 2 : 16;
        m->entries = mem_zero(m->room * sizeof *m->entries);
        m->n = 0;
        for (size_t i = 0; i < old.room; i++)
                if (old.entries[i].value)
                        map_put(m, old.entries[i].key, old.entries[i].value);
        free(old.entries);
}

void map_put(struct map *m, struct map_key key, void *value) {
        size_t i;

        if (m->n * 4 >= m->room * 3)
                map_grow(m);
        for (i = place_of(m, key); m->entries[i].value; i = (i + 1) & (m->room - 1))
                if (is_key(&m->entries[i], key)) {
                        m->entries[i].value = value;
                        return;
                }
        m->entries[i] = (struct map_entry){key, value};
        m->n++;
}

/* The run behind the freed place is put in again, so that no search ends too early. */
void *map_remove(struct map *m, struct map_key key) {
        void *value;
        size_t i;

        if (m->room == 0)
                return NULL;
        for (i = place_of(m, key); m->entries[i].value; i = (i + 1) & (m->room - 1))
                if (is_key(&m->entries[i], key))
                        break;
        value = m->entries[i].value;
        if (!value)
                return NULL;
        m->entries[i].value = NULL;
        m->n--;
        for (i = (i + 1) & (m->room - 1); m->entries[i].value; i = (i + 1) & (m->room - 1)) {
                struct map_entry moved = m->entries[i];

                m->entries[i].value = NULL;
                m->n--;
                map_put(m, moved.key, moved.value);
        }
        return value;
}

void *map_next(const struct map *m, size_t *place) {
        while (*place < m->room) {
                void *value = m->entries[(*place)++].value;

                if (value)
                        return value;
        }
        return NULL;
}

void map_fini(struct map *m) {
        free(m->entries);
        memset(m, 0, sizeof *m);
}
