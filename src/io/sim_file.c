// SPDX-License-Identifier: Apache-2.0
#include "sim_file.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"

enum change_kind { CHANGE_WRITE, CHANGE_TRUNCATE, CHANGE_PUNCH, CHANGE_CLONE };

/* Never changes once it is logged, so copies of a machine share it. */
struct sim_change {
        unsigned references;
        enum change_kind kind;
        uint64_t sequence;
        uint64_t at, n;          /* of a truncate, at is the size */
        uint8_t *data;           /* owned; of a write */
        struct sim_page **pages; /* owned, each shared, counted (NULL: a hole); of a clone */
};

static uint64_t n_pages(const struct sim_change *change) {
        return div_up(change->n, SIM_PAGE);
}

static void change_unref(struct sim_change *change) {
        if (__atomic_fetch_sub(&change->references, 1, __ATOMIC_ACQ_REL) != 1)
                return;
        if (change->pages)
                for (uint64_t i = 0; i < n_pages(change); i++)
                        if (change->pages[i])
                                sim_page_unref(change->pages[i]);
        free(change->pages);
        free(change->data);
        free(change);
}

static struct sim_change *log_change(struct sim_file *file, enum change_kind kind, uint64_t at, uint64_t n,
                                     uint64_t sequence) {
        struct sim_change *change = mem_new(struct sim_change);

        *change = (struct sim_change){.references = 1, .kind = kind, .sequence = sequence, .at = at, .n = n};
        *vec_add(&file->log) = change;
        return change;
}

static void clear_log(struct sim_file *file) {
        VEC_EACH (&file->log, each)
                change_unref(*each);
        vec_fini(&file->log);
}

/* ---- life ---- */

struct sim_file *sim_file_new(uint64_t inode) {
        struct sim_file *file = mem_new(struct sim_file);

        file->inode = inode;
        return file;
}

struct sim_file *sim_file_copy(const struct sim_file *from) {
        struct sim_file *file = mem_new(struct sim_file);

        *file = (struct sim_file){.inode = from->inode,
                                  .may_share = from->may_share,
                                  .links = from->links,
                                  .is_gone = from->is_gone,
                                  .is_private = from->is_private,
                                  .modified_ns = from->modified_ns};
        sim_image_copy(&file->now, &from->now);
        sim_image_copy(&file->durable, &from->durable);
        vec_reserve(&file->log, from->log.n);
        for (size_t i = 0; i < from->log.n; i++) {
                __atomic_fetch_add(&from->log.data[i]->references, 1, __ATOMIC_RELAXED);
                *vec_add(&file->log) = from->log.data[i];
        }
        return file;
}

void sim_file_free(struct sim_file *file) {
        clear_log(file);
        sim_image_fini(&file->now, NULL);
        sim_image_fini(&file->durable, NULL);
        free(file);
}

void sim_file_give_back(struct sim_file *file, struct sim_space *space) {
        sim_image_fini(&file->now, space);
        file->is_gone = true;
}

/* ---- changing ---- */

size_t sim_file_write(struct sim_file *file, struct sim_space *space, const void *data, size_t n, uint64_t at,
                      uint64_t sequence) {
        size_t done = sim_image_write(&file->now, space, data, n, at);

        if (done > 0) {
                struct sim_change *change = log_change(file, CHANGE_WRITE, at, done, sequence);

                change->data = mem_grow(NULL, done, 1);
                memcpy(change->data, data, done);
        }
        return done;
}

void sim_file_truncate(struct sim_file *file, struct sim_space *space, uint64_t size, uint64_t sequence) {
        sim_image_truncate(&file->now, space, size);
        (void)log_change(file, CHANGE_TRUNCATE, size, 0, sequence);
}

void sim_file_punch(struct sim_file *file, struct sim_space *space, uint64_t n, uint64_t at,
                    uint64_t sequence) {
        sim_image_zero(&file->now, space, n, at);
        (void)log_change(file, CHANGE_PUNCH, at, n, sequence);
}

void sim_file_clone(struct sim_file *file, struct sim_space *space, const struct sim_file *from,
                    uint64_t from_at, uint64_t to_at, uint64_t n, uint64_t sequence) {
        struct sim_change *change = log_change(file, CHANGE_CLONE, to_at, n, sequence);

        change->pages = mem_zero(n_pages(change) * sizeof(struct sim_page *));
        for (uint64_t i = 0; i < n_pages(change); i++) {
                change->pages[i] = sim_image_page(&from->now, from_at / SIM_PAGE + i);
                if (change->pages[i])
                        sim_page_ref(change->pages[i]);
        }
        for (uint64_t i = 0; i < n_pages(change); i++)
                sim_image_share(&file->now, space, to_at / SIM_PAGE + i, change->pages[i]);
        file->now.size = max_u64(file->now.size, to_at + n);
        file->may_share = true;
}

/* ---- becoming durable ---- */

static void keep_write(struct sim_image *image, const struct sim_change *change, unsigned chance,
                       struct sim_dice *dice) {
        uint64_t end = change->at + change->n;

        for (uint64_t at = change->at, next; at < end; at = next) {
                next = chance == SIM_ALWAYS ? end : min_u64(end, round_down(at, SECTOR) + SECTOR);
                if (sim_chance(dice, chance))
                        (void)sim_image_write(image, NULL, change->data + (at - change->at),
                                              (size_t)(next - at), at);
        }
}

static void keep_punch(struct sim_image *image, const struct sim_change *change, unsigned chance,
                       struct sim_dice *dice) {
        uint64_t end = change->at + change->n;

        if (chance == SIM_ALWAYS) {
                sim_image_zero(image, NULL, change->n, change->at);
                return;
        }
        for (uint64_t i = sim_image_next(image, change->at / SIM_PAGE); i != UINT64_MAX && i * SIM_PAGE < end;
             i = sim_image_next(image, i + 1)) {
                uint64_t from = max_u64(change->at, i * SIM_PAGE), to = min_u64(end, (i + 1) * SIM_PAGE);

                if (sim_chance(dice, chance))
                        sim_image_zero(image, NULL, to - from, from);
        }
}

static void keep_clone(struct sim_image *image, const struct sim_change *change, unsigned chance,
                       struct sim_dice *dice) {
        for (uint64_t i = 0; i < n_pages(change); i++) {
                if (!sim_chance(dice, chance))
                        continue;
                sim_image_share(image, NULL, change->at / SIM_PAGE + i, change->pages[i]);
                image->size = max_u64(image->size, change->at + min_u64(change->n, (i + 1) * SIM_PAGE));
        }
}

/* What each part of the change is kept with; a new size may be there without its bytes, which then are zeros.
 */
struct chances {
        unsigned size, bytes;
};

static void keep_change(struct sim_image *image, const struct sim_change *change, struct chances chances,
                        struct sim_dice *dice) {
        switch (change->kind) {
        case CHANGE_WRITE:
                keep_write(image, change, chances.bytes, dice);
                if (sim_chance(dice, chances.size))
                        image->size = max_u64(image->size, change->at + change->n);
                break;
        case CHANGE_TRUNCATE:
                if (sim_chance(dice, chances.size))
                        sim_image_truncate(image, NULL, change->at);
                break;
        case CHANGE_PUNCH:
                keep_punch(image, change, chances.bytes, dice);
                break;
        case CHANGE_CLONE:
                keep_clone(image, change, chances.bytes, dice);
                break;
        }
}

static void share_page(struct sim_file *file, uint64_t at) {
        sim_image_share(&file->durable, NULL, at / SIM_PAGE, sim_image_page(&file->now, at / SIM_PAGE));
}

/* Durable plus the whole log is what readers see: so a page that the log touched becomes theirs instead of
 * being made again, and clones stay shared. */
static void sync_change(struct sim_file *file, const struct sim_change *change) {
        uint64_t end = change->at + change->n;

        if (change->kind == CHANGE_TRUNCATE || change->kind == CHANGE_PUNCH) {
                keep_change(&file->durable, change, (struct chances){SIM_ALWAYS, SIM_ALWAYS}, NULL);
                share_page(file, change->at);
                share_page(file, end);
                return;
        }
        for (uint64_t at = round_down(change->at, SIM_PAGE); at < end; at += SIM_PAGE)
                share_page(file, at);
}

void sim_file_sync(struct sim_file *file) {
        VEC_EACH (&file->log, each) {
                if (file->is_gone)
                        keep_change(&file->durable, *each, (struct chances){SIM_ALWAYS, SIM_ALWAYS}, NULL);
                else
                        sync_change(file, *each);
        }
        if (!file->is_gone)
                file->durable.size = file->now.size;
        clear_log(file);
}

/* Keeping all is a sync, which leaves clones shared.  Keeping some may unshare a clone that was not synced:
 * it then takes blocks of its own. */
static bool keeps_all(const struct sim_file *file, struct sim_crash *crash) {
        bool all = crash->style != CRASH_BY_CHANGE && !file->is_gone;

        for (size_t i = 0; i < file->log.n && all; i++)
                all = sim_crash_chance(crash, CRASH_SIZE, file->inode, file->log.data[i]->sequence) ==
                              SIM_ALWAYS &&
                      sim_crash_chance(crash, CRASH_BYTES, file->inode, file->log.data[i]->sequence) ==
                              SIM_ALWAYS;
        return all;
}

void sim_file_keep(struct sim_file *file, struct sim_crash *crash) {
        if (keeps_all(file, crash)) {
                sim_file_sync(file);
                return;
        }
        VEC_EACH (&file->log, each) {
                uint64_t sequence = (*each)->sequence;
                struct chances chances = {sim_crash_chance(crash, CRASH_SIZE, file->inode, sequence),
                                          sim_crash_chance(crash, CRASH_BYTES, file->inode, sequence)};

                keep_change(&file->durable, *each, chances, &crash->dice);
        }
        clear_log(file);
}

void sim_file_show_durable(struct sim_file *file) {
        sim_image_fini(&file->now, NULL);
        sim_image_copy(&file->now, &file->durable);
        VEC_EACH (&file->log, each)
                keep_change(&file->now, *each, (struct chances){SIM_ALWAYS, SIM_ALWAYS}, NULL);
        file->is_gone = false;
}

bool sim_file_unsynced(const struct sim_file *file, uint64_t *ret_first, uint64_t *ret_last) {
        if (file->log.n == 0)
                return false;
        *ret_first = file->log.data[0]->sequence;
        *ret_last = file->log.data[file->log.n - 1]->sequence;
        return true;
}
