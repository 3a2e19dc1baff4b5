// SPDX-License-Identifier: Apache-2.0
/* The changing half of chain.h. */
#include <inttypes.h>

#include "chain_inside.h"
#include "mem.h"

/* NULL: a change can be durable.  Of a run, each file of it that a flush brings down counts. */
static const struct image *failed_image(struct chain *chain) {
        const struct image *leaf = chain_leaf(chain);

        for (size_t i = 0; chain->move && i < chain->move->n; i++)
                if (atomic_load(&chain->move->run[i]->has_failed))
                        return chain->move->run[i];
        return atomic_load(&leaf->has_failed) ? leaf : NULL;
}

static enum err check_change(struct chain *chain, const char *what, uint64_t n, uint64_t at,
                             struct err_note *note) {
        const struct image *failed;

        if (!chain_leaf(chain))
                return err_set(note, ERR_READ_ONLY, "%s at %" PRIu64 ": opened for reading", what, at);
        failed = failed_image(chain);
        if (failed)
                return err_set(note, ERR_IO,
                               "%s at %" PRIu64 ": an earlier sync of %s failed; open the disk anew", what,
                               at, failed->path);
        return chain_check_range(chain, what, n, at, note);
}

/* ---- a change of a mirrored block that failed ---- */

/* Zeros as a hole, where that is what they are: space may be what was missing. */
static enum err give_target(struct image *target, const uint8_t *data, uint64_t n, uint64_t at,
                            struct err_note *note) {
        enum { STEP = 4096 };

        while (n > 0) {
                uint64_t step = min_u64(n, STEP);
                enum err e = bytes_are_zero(data, step)
                                     ? target->ops->zero(target, step, at, true, false, note)
                                     : target->ops->write(target, data, step, at, note);

                if (e)
                        return e;
                data += step;
                at += step;
                n -= step;
        }
        return ERR_NONE;
}

/* It may have come to one of the two files, or partly.  What readers see of it now is what they must see when
 * the block has moved: the target gets that.  Where it cannot, nothing is acknowledged any more [D6]. */
static void mend_mirror(struct chain *chain, const struct chain_aims *aims, uint64_t n, uint64_t at) {
        AUTO_FREE uint8_t *data = NULL;
        struct err_note unused;

        if (aims->n < 2)
                return;
        data = mem_grow(NULL, n, 1);
        if (chain_read_inside(chain, data, n, at, &unused) ||
            give_target(aims->image[1], data, n, at, &unused))
                atomic_store(&chain_leaf(chain)->has_failed, true);
}

/* ---- pieces ---- */

static enum err write_piece(struct chain *chain, const uint8_t *data, uint64_t n, uint64_t at,
                            struct err_note *note) {
        struct chain_aims aims = chain_aims_of(chain, at / IMAGE_BLOCK_SIZE);

        for (unsigned i = 0; i < aims.n; i++) {
                struct image *image = aims.image[i];

                if (image->ops->write(image, data, n, at, note)) {
                        mend_mirror(chain, &aims, n, at);
                        return err_wrap(note, "write %" PRIu64 " at %" PRIu64 " to %s", n, at, image->path);
                }
                chain_note_change(chain, image, at / IMAGE_BLOCK_SIZE);
        }
        return ERR_NONE;
}

/* Whole sectors; cut at blocks. */
static enum err write_sectors(struct chain *chain, const uint8_t *data, uint64_t n, uint64_t at,
                              struct err_note *note) {
        while (n > 0) {
                uint64_t piece = min_u64(n, IMAGE_BLOCK_SIZE - at % IMAGE_BLOCK_SIZE);

                if (write_piece(chain, data, piece, at, note))
                        return note->code;
                data += piece;
                at += piece;
                n -= piece;
        }
        return ERR_NONE;
}

/* Part of one sector: read, change, write.  The caller is alone on it.  data NULL: zeros. */
static enum err patch_sector(struct chain *chain, const uint8_t *data, uint64_t n, uint64_t at,
                             struct err_note *note) {
        uint64_t sector_at = round_down(at, SECTOR);
        uint8_t sector[SECTOR];

        if (chain_read_inside(chain, sector, SECTOR, sector_at, note))
                return note->code;
        if (data)
                memcpy(sector + (at - sector_at), data, n);
        else
                memset(sector + (at - sector_at), 0, n);
        return write_sectors(chain, sector, SECTOR, sector_at, note);
}

/* A range cut into the part of a sector before the first whole one, the whole ones, and the part behind
 * them. */
struct cut {
        uint64_t head, middle, tail; /* bytes */
};

static struct cut cut_range(uint64_t n, uint64_t at) {
        struct cut cut = {.head = min_u64(n, round_up(at, SECTOR) - at)};

        cut.middle = round_down(n - cut.head, SECTOR);
        cut.tail = n - cut.head - cut.middle;
        return cut;
}

/* ---- write ---- */

static enum err write_range(struct chain *chain, const uint8_t *data, uint64_t n, uint64_t at,
                            struct err_note *note) {
        struct cut cut = cut_range(n, at);

        if (cut.head && patch_sector(chain, data, cut.head, at, note))
                return note->code;
        if (cut.middle && write_sectors(chain, data + cut.head, cut.middle, at + cut.head, note))
                return note->code;
        if (cut.tail)
                return patch_sector(chain, data + cut.head + cut.middle, cut.tail, at + cut.head + cut.middle,
                                    note);
        return ERR_NONE;
}

static bool have_bits_waited_too_long(struct chain *chain) {
        const struct images_options *options = &chain->images->options;
        struct image *leaf;
        uint64_t since;

        pthread_rwlock_rdlock(&chain->shape);
        leaf = chain_leaf(chain);
        since = leaf ? leaf->ops->unflushed_since(leaf) : UINT64_MAX;
        for (size_t i = 0; chain->move && i + 1 < chain->move->n; i++)
                since = min_u64(since, chain->move->run[i]->ops->unflushed_since(chain->move->run[i]));
        pthread_rwlock_unlock(&chain->shape);
        return since != UINT64_MAX && io_now_ns(chain->images->io) - since > options->unflushed_age_ns;
}

/* Bits wait in memory only within the bounds of struct images_options. */
static enum err flush_if_due(struct chain *chain, struct err_note *note) {
        bool are_many = atomic_load(&chain->images->unflushed) > chain->images->options.unflushed_limit;

        return are_many || have_bits_waited_too_long(chain) ? chain_settle(chain, note) : ERR_NONE;
}

/* Side by side with others; but of two that touch one sector while it goes to two files, one must come first
 * in both. */
static void enter_write(struct chain *chain, struct range *range, uint64_t n, uint64_t at) {
        uint64_t first = at / SECTOR, end = div_up(at + n, SECTOR);
        bool is_alone = !is_multiple(at | n, SECTOR);

        ranges_enter(&chain->ranges, range, first, end, is_alone);
        if (is_alone || !chain->move)
                return;
        ranges_leave(&chain->ranges, range);
        ranges_enter(&chain->ranges, range, first, end, true);
}

static enum err write_alone(struct chain *chain, const void *data, size_t n, uint64_t at,
                            struct err_note *note) {
        struct range range;
        enum err e;

        enter_write(chain, &range, n, at);
        e = check_change(chain, "write", n, at, note);
        if (!e)
                e = write_range(chain, data, n, at, note);
        ranges_leave(&chain->ranges, &range);
        return e ? e : flush_if_due(chain, note);
}

enum err chain_write(struct chain *chain, const void *data, size_t n, uint64_t at, struct err_note *note) {
        uint64_t began_ns;

        if (n == 0)
                return ERR_NONE;
        began_ns = chain_begins(chain);
        if (write_alone(chain, data, n, at, note))
                return note->code;
        chain_took(chain, LATENCY_WRITE, n, began_ns);
        return ERR_NONE;
}

/* ---- zeros ---- */

/* Blocks that move from layer to layer meanwhile are held below all the time. */
static bool is_held_below(struct chain *chain, uint64_t block) {
        struct chain_hold hold = chain_hold_begin(chain);
        bool is_held = chain_map_holders(chain_map_entry(chain_view(chain)->map, block)) > 0;

        chain_hold_end(chain, hold);
        return is_held;
}

/* While blocks move none of the leaf is given back: one that leaves it is held until it has left. */
static bool is_moving(struct chain *chain, uint64_t block) {
        struct image *leaf = chain_leaf(chain);

        return chain->move && leaf->ops->slot(leaf, block) & SLOT_HELD;
}

static enum err zero_piece(struct chain *chain, uint64_t n, uint64_t at, bool is_all, struct err_note *note) {
        uint64_t block = at / IMAGE_BLOCK_SIZE;
        bool is_over_data = is_held_below(chain, block) || is_moving(chain, block);
        struct chain_aims aims = chain_aims_of(chain, block);

        for (unsigned i = 0; i < aims.n; i++) {
                struct image *image = aims.image[i];

                if (image->ops->zero(image, n, at, is_over_data, is_all && !is_over_data, note)) {
                        mend_mirror(chain, &aims, n, at);
                        return err_wrap(note, "zero %" PRIu64 " at %" PRIu64 " of %s", n, at, image->path);
                }
                if (is_over_data)
                        chain_note_change(chain, image, block);
        }
        return ERR_NONE;
}

static enum err zero_sectors(struct chain *chain, uint64_t n, uint64_t at, struct err_note *note) {
        while (n > 0) {
                uint64_t block = at / IMAGE_BLOCK_SIZE,
                         end = min_u64((block + 1) * IMAGE_BLOCK_SIZE, chain_size(chain));
                uint64_t piece = min_u64(n, end - at);
                bool is_all = at % IMAGE_BLOCK_SIZE == 0 && at + piece == end;

                if (zero_piece(chain, piece, at, is_all, note))
                        return note->code;
                at += piece;
                n -= piece;
        }
        return ERR_NONE;
}

static enum err zero_range(struct chain *chain, uint64_t n, uint64_t at, struct err_note *note) {
        struct cut cut = cut_range(n, at);

        if (cut.head && patch_sector(chain, NULL, cut.head, at, note))
                return note->code;
        if (cut.middle && zero_sectors(chain, cut.middle, at + cut.head, note))
                return note->code;
        if (cut.tail)
                return patch_sector(chain, NULL, cut.tail, at + cut.head + cut.middle, note);
        return ERR_NONE;
}

/* Alone on its range: a slot may be let go, and nobody may be writing into it. */
static enum err zero_alone(struct chain *chain, const char *what, uint64_t n, uint64_t at,
                           struct err_note *note) {
        struct range range;
        enum err e;

        if (chain_check_range(chain, what, n, at, note))
                return note->code;
        ranges_enter(&chain->ranges, &range, at / SECTOR, div_up(at + n, SECTOR), true);
        e = check_change(chain, what, n, at, note);
        if (!e)
                e = zero_range(chain, n, at, note);
        ranges_leave(&chain->ranges, &range);
        return e;
}

enum err chain_write_zeroes(struct chain *chain, uint64_t n, uint64_t at, struct err_note *note) {
        uint64_t began_ns = chain_now_ns(chain);

        if (n == 0)
                return ERR_NONE;
        if (zero_alone(chain, "write zeroes", n, at, note) || flush_if_due(chain, note))
                return note->code;
        chain_took(chain, LATENCY_TRIM, n, began_ns);
        return ERR_NONE;
}

enum err chain_trim(struct chain *chain, uint64_t n, uint64_t at, struct err_note *note) {
        uint64_t began_ns = chain_now_ns(chain);
        enum err e;

        if (n == 0)
                return ERR_NONE;
        e = zero_alone(chain, "trim", n, at, note);
        if (e == ERR_NO_SPACE)
                return ERR_NONE; /* declined: it promised nothing but space */
        if (e || flush_if_due(chain, note))
                return note->code;
        chain_took(chain, LATENCY_TRIM, n, began_ns);
        return ERR_NONE;
}

/* ---- flush ---- */

enum err chain_wait_for_names(struct chain *chain, struct err_note *note) {
        enum err e = ERR_NONE;

        pthread_mutex_lock(&chain->gate);
        while (chain->is_flush_held)
                pthread_cond_wait(&chain->gate_opened, &chain->gate);
        if (chain->did_names_fail)
                e = err_set(note, ERR_IO,
                            "flush: the folder's sync failed during a snapshot; open the disk anew");
        pthread_mutex_unlock(&chain->gate);
        return e;
}

enum err chain_settle(struct chain *chain, struct err_note *note) {
        enum err e = chain_wait_for_names(chain, note);
        struct image *leaf;

        if (e)
                return e;
        pthread_rwlock_rdlock(&chain->shape);
        leaf = chain_leaf(chain);
        for (size_t i = 0; chain->move && i + 1 < chain->move->n && !e; i++)
                e = chain->move->run[i]->ops->flush(chain->move->run[i], note);
        if (leaf && !e)
                e = leaf->ops->flush(leaf, note);
        pthread_rwlock_unlock(&chain->shape);
        return e;
}

enum err chain_flush(struct chain *chain, struct err_note *note) {
        uint64_t began_ns = chain_now_ns(chain);

        if (chain_settle(chain, note))
                return note->code;
        chain_took(chain, LATENCY_FLUSH, 0, began_ns);
        return ERR_NONE;
}

enum err chain_tick(struct chain *chain, struct err_note *note) {
        return flush_if_due(chain, note);
}
