// SPDX-License-Identifier: Apache-2.0
#include "chain_move.h"

#include <inttypes.h>

#include "chain_inside.h"
#include "mem.h"

static void move_free(struct chain_move *move) {
        if (move->below)
                chain_map_free(move->below);
        free(move->is_mirrored);
        free(move->run);
        free(move);
}

void chain_replace_move(struct chain *chain, struct chain_move *move) {
        if (chain->move)
                move_free(chain->move);
        chain->move = move;
}

/* Changes look at it inside their range, flushes with `shape`. */
static void set_move(struct chain *chain, struct chain_move *move) {
        ranges_freeze(&chain->ranges);
        pthread_rwlock_wrlock(&chain->shape);
        chain_replace_move(chain, move);
        pthread_rwlock_unlock(&chain->shape);
        ranges_thaw(&chain->ranges);
}

static enum err check_run(const struct chain *chain, struct image *const *run, size_t n,
                          struct err_note *note) {
        if (n < 2 || n > chain->layers.n || !chain_leaf((struct chain *)chain))
                return err_set(note, ERR_INVALID, "move blocks: %zu layers of %zu, of a chain that is %s", n,
                               chain->layers.n,
                               chain_leaf((struct chain *)chain) ? "written to" : "only read");
        for (size_t i = 0; i < n; i++)
                if (chain->layers.data[chain->layers.n - n + i] != run[i] || !image_has_write(run[i]))
                        return err_set(
                                note, ERR_INVALID,
                                "move blocks: %s is not layer %zu of the chain, or not open to be written",
                                run[i]->path, n - 1 - i);
        return ERR_NONE;
}

enum err chain_begin_move(struct chain *chain, struct image *const *run, size_t n, struct err_note *note) {
        struct chain_move *move;

        if (check_run(chain, run, n, note))
                return note->code;
        move = mem_new(struct chain_move);
        move->n = n;
        move->run = mem_grow(NULL, n, sizeof *move->run);
        memcpy(move->run, run, n * sizeof *run);
        move->n_blocks = div_up(chain->size, IMAGE_BLOCK_SIZE);
        move->is_mirrored = mem_zero(move->n_blocks * sizeof *move->is_mirrored);
        set_move(chain, move);
        return ERR_NONE;
}

void chain_narrow_move(struct chain *chain) {
        struct chain_move *move = chain->move;

        ranges_freeze(&chain->ranges);
        pthread_rwlock_wrlock(&chain->shape);
        move->run[1] = move->run[move->n - 1];
        move->n = 2;
        pthread_rwlock_unlock(&chain->shape);
        ranges_thaw(&chain->ranges);
}

void chain_end_move(struct chain *chain) {
        if (chain->move)
                set_move(chain, NULL);
}

bool chain_is_moving(const struct chain *chain) {
        return chain->move != NULL;
}

/* ---- one block ---- */

void chain_hold_block(struct chain *chain, uint64_t block, struct chain_block *ret) {
        ret->block = block;
        ranges_enter(&chain->ranges, &ret->range, block * IMAGE_BLOCK_SECTORS,
                     (block + 1) * IMAGE_BLOCK_SECTORS, true);
}

void chain_release_block(struct chain *chain, struct chain_block *held, bool is_copied) {
        if (is_copied)
                chain->move->is_mirrored[held->block] = true;
        ranges_leave(&chain->ranges, &held->range);
}

/* ---- all of them ---- */

void chain_pause_changes(struct chain *chain) {
        ranges_freeze(&chain->ranges);
}

void chain_resume_changes(struct chain *chain, const uint64_t *moved, size_t n) {
        for (size_t i = 0; i < n; i++)
                chain->move->is_mirrored[moved[i]] = false;
        ranges_thaw(&chain->ranges);
}

/* ---- where a change goes ---- */

struct chain_aims chain_aims_of(const struct chain *chain, uint64_t block) {
        const struct chain_move *move = chain->move;
        struct chain_aims aims = {.image = {chain_leaf((struct chain *)chain)}, .n = 1};

        if (!move)
                return aims;
        aims.image[0] = move->run[0];
        for (size_t i = move->n - 1; i > 0; i--) {
                struct image *image = move->run[i];

                if (block >= image_blocks(image) || !(image->ops->slot(image, block) & SLOT_HELD))
                        continue;
                aims.image[0] = image;
                if (move->is_mirrored[block])
                        aims.image[aims.n++] = move->run[0];
                break;
        }
        return aims;
}
