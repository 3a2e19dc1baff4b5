// SPDX-License-Identifier: Apache-2.0
#include "history_model.h"

#include <inttypes.h>
#include <stdlib.h>

#include "fixture.h"
#include "mem.h"

/* First sectors of the windows: a block's first, a run over a byte of its bitmap, one over a sector boundary
 * of nothing in particular in its middle, its last. */
static const uint64_t windows[MODEL_WINDOWS] = {0, 50, 2044, MODEL_BLOCK_SECTORS - MODEL_WINDOW};

enum { PER_BLOCK = MODEL_WINDOWS * MODEL_WINDOW };

uint64_t model_sector_at(uint64_t i) {
        return i / PER_BLOCK * MODEL_BLOCK_SECTORS + windows[i / MODEL_WINDOW % MODEL_WINDOWS] +
               i % MODEL_WINDOW;
}

/* How many model sectors lie before disk sector `at`. */
static uint64_t index_of(uint64_t at) {
        uint64_t in_block = at % MODEL_BLOCK_SECTORS, n = at / MODEL_BLOCK_SECTORS * PER_BLOCK;

        for (unsigned w = 0; w < MODEL_WINDOWS && windows[w] < in_block; w++)
                n += min_u64(MODEL_WINDOW, in_block - windows[w]);
        return n;
}

static uint64_t hash_of(const uint8_t *sector) {
        uint64_t h[4] = {1, 2, 3, 4}, word[4];

        for (unsigned i = 0; i < SECTOR; i += sizeof word) {
                memcpy(word, sector + i, sizeof word);
                for (unsigned k = 0; k < 4; k++)
                        h[k] = (h[k] ^ word[k]) * 0x9e3779b97f4a7c15u + (h[k] >> 29);
        }
        return (h[0] * 31 + h[1]) * 31 + (h[2] * 31 + h[3]) * 0xbf58476d1ce4e5b9u;
}

/* ---- making ---- */

static void make_zero(struct model_disk *disk, uint64_t first) {
        for (uint64_t i = first; i < disk->n; i++) {
                disk->sectors[i] = (struct model_sector){0};
                memset(disk->bytes[i], 0, SECTOR);
                disk->sectors[i].now = hash_of(disk->bytes[i]);
        }
}

void model_init(struct model_disk *disk, uint64_t size) {
        *disk = (struct model_disk){.layer = 1};
        model_grow(disk, size);
}

void model_grow(struct model_disk *disk, uint64_t size) {
        uint64_t before = disk->n;

        disk->size = size;
        disk->n = index_of(size / SECTOR);
        disk->sectors = mem_grow(disk->sectors, disk->n, sizeof *disk->sectors);
        disk->bytes = mem_grow(disk->bytes, disk->n, SECTOR);
        make_zero(disk, before);
}

void model_copy(const struct model_disk *disk, struct model_disk *ret) {
        *ret = *disk;
        ret->sectors = mem_grow(NULL, disk->n, sizeof *ret->sectors);
        ret->bytes = mem_grow(NULL, disk->n, SECTOR);
        memcpy(ret->sectors, disk->sectors, disk->n * sizeof *ret->sectors);
        memcpy(ret->bytes, disk->bytes, disk->n * SECTOR);
}

void model_fini(struct model_disk *disk) {
        free(disk->sectors);
        free(disk->bytes);
        *disk = (struct model_disk){0};
}

/* ---- changing ---- */

struct touched {
        uint64_t first, end; /* model sectors */
};

static struct touched touched_by(const struct model_disk *disk, uint64_t n, uint64_t at) {
        struct touched t = {index_of(at / SECTOR), index_of(div_up(at + n, SECTOR))};

        t.end = min_u64(t.end, disk->n);
        return t;
}

bool model_has_room(const struct model_disk *disk, uint64_t n, uint64_t at) {
        struct touched t = touched_by(disk, n, at);

        for (uint64_t i = t.first; i < t.end; i++)
                if (disk->sectors[i].n_older + 2 > MODEL_OLDER)
                        return false;
        return true;
}

static void may_come_back(struct model_sector *sector, uint64_t content) {
        for (unsigned i = 0; i < sector->n_older; i++)
                if (sector->older[i] == content)
                        return;
        if (sector->n_older == MODEL_OLDER)
                abort(); /* model_has_room was not asked */
        sector->older[sector->n_older++] = content;
}

/* What model sector i holds once [at, at + n) has been written. */
static void patch(const struct model_disk *disk, uint64_t i, const uint8_t *data, uint64_t n, uint64_t at,
                  uint8_t ret[SECTOR]) {
        uint64_t start = model_sector_at(i) * SECTOR, from = max_u64(start, at);
        uint64_t end = min_u64(start + SECTOR, at + n);

        memcpy(ret, disk->bytes[i], SECTOR);
        if (data)
                memcpy(ret + (from - start), data + (from - at), end - from);
        else
                memset(ret + (from - start), 0, end - from);
}

void model_write(struct model_disk *disk, const uint8_t *data, uint64_t n, uint64_t at) {
        struct touched t = touched_by(disk, n, at);

        for (uint64_t i = t.first; i < t.end; i++) {
                struct model_sector *sector = &disk->sectors[i];

                may_come_back(sector, sector->now);
                patch(disk, i, data, n, at, disk->bytes[i]);
                sector->now = hash_of(disk->bytes[i]);
                sector->touched = disk->layer;
        }
}

void model_may_write(struct model_disk *disk, const uint8_t *data, uint64_t n, uint64_t at) {
        struct touched t = touched_by(disk, n, at);
        uint8_t content[SECTOR];

        for (uint64_t i = t.first; i < t.end; i++) {
                struct model_sector *sector = &disk->sectors[i];

                patch(disk, i, data, n, at, content);
                sector->other = hash_of(content);
                sector->is_loose = true;
                sector->touched = disk->layer;
                may_come_back(sector, sector->other);
        }
}

void model_flushed(struct model_disk *disk) {
        for (uint64_t i = 0; i < disk->n; i++)
                disk->sectors[i].n_older = 0;
}

bool model_is_durable(const struct model_disk *disk) {
        for (uint64_t i = 0; i < disk->n; i++)
                for (unsigned k = 0; k < disk->sectors[i].n_older; k++)
                        if (disk->sectors[i].older[k] != disk->sectors[i].now)
                                return false;
        return true;
}

/* ---- looking ---- */

static bool may_be(const struct model_sector *sector, enum model_look look, uint64_t content) {
        if (content == sector->now || (sector->is_loose && content == sector->other))
                return true;
        if (look != MODEL_RESTARTED && look != MODEL_PEEK)
                return false;
        for (unsigned i = 0; i < sector->n_older; i++)
                if (sector->older[i] == content)
                        return true;
        return false;
}

/* For people: the first word of a sector that one write filled is its generation. */
static uint64_t generation_in(const uint8_t *sector) {
        uint64_t word;

        memcpy(&word, sector, sizeof word);
        return word;
}

static enum err violation(const struct model_disk *disk, uint64_t i, const uint8_t *read,
                          struct err_note *note) {
        const struct model_sector *sector = &disk->sectors[i];

        return err_set(note, ERR_MISMATCH,
                       "sector %" PRIu64 " (block %" PRIu64 ", %" PRIu64 ") reads as generation %" PRIu64
                       ", must be %" PRIu64 "%s%s",
                       model_sector_at(i), model_sector_at(i) / MODEL_BLOCK_SECTORS,
                       model_sector_at(i) % MODEL_BLOCK_SECTORS, generation_in(read),
                       generation_in(disk->bytes[i]),
                       sector->is_loose ? " or what a failed change wrote" : "",
                       sector->n_older ? " (unflushed)" : "");
}

static void learn(struct model_disk *disk, uint64_t i, enum model_look look, uint64_t content,
                  const uint8_t *read) {
        struct model_sector *sector = &disk->sectors[i];

        if (look == MODEL_RESTARTED)
                sector->n_older = 0;
        else if (content != sector->now)
                may_come_back(sector, sector->now);
        sector->now = content;
        sector->is_loose = false;
        memcpy(disk->bytes[i], read, SECTOR);
}

enum err model_check(struct model_disk *disk, enum model_look look, const uint8_t *data, uint64_t n,
                     uint64_t at, struct err_note *note) {
        struct touched t = touched_by(disk, n, at);

        for (uint64_t i = t.first; i < t.end; i++) {
                const uint8_t *read = data + (model_sector_at(i) * SECTOR - at);
                uint64_t content = hash_of(read);

                if (!may_be(&disk->sectors[i], look, content))
                        return violation(disk, i, read, note);
                if (look == MODEL_SETTLE || look == MODEL_RESTARTED)
                        learn(disk, i, look, content, read);
        }
        return ERR_NONE;
}

bool model_differs(const struct model_disk *a, const struct model_disk *b, uint64_t i) {
        return a->sectors[i].now != b->sectors[i].now;
}

bool model_equals(const struct model_disk *a, const struct model_disk *b) {
        if (a->size != b->size)
                return false;
        for (uint64_t i = 0; i < a->n; i++)
                if (model_differs(a, b, i))
                        return false;
        return true;
}
