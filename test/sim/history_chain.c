// SPDX-License-Identifier: Apache-2.0
/* Histories of one disk: a leaf over up to five frozen layers, each of which has a model of its own and must
 * read as it did when it was frozen. Layer i is the file /d<i>.vhd. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "history.h"
#include "mem.h"
#include "vhd_check.h"

enum { LAYERS_MAX = 6, PATH_SIZE = 24, META_SIZE = 256 * 1024, TRIES = 50 };

struct layer {
        struct model_disk model; /* of a frozen one; never changes */
        struct chain *reader;    /* owned; or NULL */
        uint64_t held;           /* bit b: it may hold block b */
        bool is_untidy;          /* a fault kept the batmap, which is a hint, from being written */
};

struct disk {
        struct history *h; /* borrowed */
        struct images images;
        struct images_options options;
        struct chain *chain; /* owned; the writer; NULL while the disk is closed */
        struct model_disk model;
        uint64_t held,
                held_before; /* by the top: bit b: may hold block b now; at some time since the last flush */
        struct layer layers[LAYERS_MAX];
        unsigned n_layers; /* frozen ones */
        bool was_faulted;  /* since the top was opened: space may wait to be given back */
        bool can_punch;
};

typedef enum err (*operation)(struct disk *, struct err_note *);

static const char *path_of(unsigned layer, char room[PATH_SIZE]) {
        (void)snprintf(room, PATH_SIZE, "/d%u.vhd", layer);
        return room;
}

static enum err violated(struct err_note *note, const char *text) {
        return err_set(note, ERR_MISMATCH, "%s", text);
}

/* ---- coming back ---- */

static void close_readers(struct disk *d) {
        for (unsigned i = 0; i < d->n_layers; i++)
                if (d->layers[i].reader)
                        chain_abandon(TAKE(d->layers[i].reader));
}

static void abandon_all(struct disk *d) {
        close_readers(d);
        if (d->chain)
                chain_abandon(TAKE(d->chain));
}

static void restart(struct disk *d) {
        abandon_all(d);
        images_fini(&d->images);
        history_restart(d->h);
        images_init(&d->images, d->h->io, &d->options);
}

/* [D5] A reader sees what may come back, and changes nothing. */
static enum err peek(struct disk *d, struct err_note *note) {
        uint64_t changes = io_sim_count(d->h->io).changing;
        AUTO(chain_abandon) struct chain *chain = NULL;
        char room[PATH_SIZE];

        if (chain_open(&d->images, path_of(d->n_layers, room), CHAIN_READ, &chain, note))
                return err_wrap(note, "a reader's open failed");
        if (history_look_at_all(chain, &d->model, MODEL_PEEK, note))
                return err_wrap(note, "to a reader");
        if (chain_close(TAKE(chain), note))
                return note->code;
        return io_sim_count(d->h->io).changing == changes ? ERR_NONE
                                                          : violated(note, "a reader changed something");
}

/* A crash may have left the file of the layer that was to come. */
static enum err remove_next(struct disk *d, struct err_note *note) {
        char room[PATH_SIZE];
        enum err e = io_unlink(d->h->io, path_of(d->n_layers + 1, room), note);

        if (e && e != ERR_NOT_FOUND)
                return e;
        return io_sync_dir(d->h->io, "/", note);
}

static enum err open_top(struct disk *d, struct err_note *note) {
        char room[PATH_SIZE];

        d->was_faulted = false;
        return chain_open(&d->images, path_of(d->n_layers, room), CHAIN_WRITE, &d->chain, note);
}

/* Until it is open; it may fail and die on the way. */
static enum err open_somehow(struct disk *d, struct err_note *note) {
        for (unsigned tries = 0; tries < TRIES; tries++) {
                history_arm(d->h, 15);
                switch (history_ended(d->h, open_top(d, note), note)) {
                case HISTORY_DONE:
                case HISTORY_DECLINED:
                        history_disarm(d->h);
                        return ERR_NONE;
                case HISTORY_FAILED:
                        break;
                case HISTORY_DIED:
                        restart(d);
                        break;
                case HISTORY_VIOLATED:
                        return err_wrap(note, "open failed");
                }
        }
        return err_wrap(note, "open keeps failing");
}

static enum err check_file(struct disk *d, unsigned layer, bool is_untidy, struct err_note *note) {
        AUTO(findings_fini) struct findings findings = {0};
        char room[PATH_SIZE];

        if (vhd_check(d->h->io, path_of(layer, room), VHD_CHECK_BITMAPS | VHD_CHECK_PARENT, &findings, note))
                return err_wrap(note, "check of layer %u", layer);
        VEC_EACH (&findings.list, finding)
                if (!is_untidy || strcmp(finding->part, "batmap") != 0)
                        return err_set(note, ERR_MISMATCH, "check of layer %u: %s", layer, finding->text);
        return ERR_NONE;
}

static enum err look_at_layers(struct disk *d, struct err_note *note) {
        for (unsigned i = 0; i < d->n_layers; i++) {
                AUTO(chain_abandon) struct chain *chain = NULL;
                char room[PATH_SIZE];

                if (chain_open(&d->images, path_of(i, room), CHAIN_READ, &chain, note) ||
                    history_look_at_all(chain, &d->layers[i].model, MODEL_STRICT, note))
                        return err_wrap(note, "layer %u", i);
        }
        return ERR_NONE;
}

/* The process is new, or the chain is: what can be read now is what stays. */
static enum err come_back(struct disk *d, struct err_note *note) {
        if (remove_next(d, note) || (history_chance(d->h, 20) && peek(d, note)) || open_somehow(d, note) ||
            history_look_at_all(d->chain, &d->model, MODEL_RESTARTED, note))
                return err_wrap(note, "after the restart");
        d->held |= d->held_before;
        d->held_before = d->held;
        d->h->count.verified++;
        if (history_chance(d->h, 30) && look_at_layers(d, note))
                return note->code;
        return ERR_NONE;
}

static enum err come_back_after_death(struct disk *d, struct err_note *note) {
        restart(d);
        return come_back(d, note);
}

/* The machine works, and the operation failed: a chain whose sync failed is of no more use. */
static enum err go_on(struct disk *d, bool *ret_is_new, struct err_note *note) {
        history_disarm(d->h);
        d->was_faulted = true;
        *ret_is_new =
                !d->chain || atomic_load(&chain_layer(d->chain, 0)->has_failed) || history_chance(d->h, 10);
        if (!*ret_is_new)
                return ERR_NONE;
        if (d->chain)
                chain_abandon(TAKE(d->chain));
        return come_back(d, note);
}

/* ---- changing ---- */

static void flushed(struct disk *d) {
        model_flushed(&d->model);
        d->held_before = d->held;
}

static enum err flush(struct disk *d, struct err_note *note) {
        bool is_new;

        history_say(d->h, "flush");
        switch (history_ended(d->h, chain_flush(d->chain, note), note)) {
        case HISTORY_DECLINED:
                d->was_faulted = true;
                break;
        case HISTORY_DONE:
                break;
        case HISTORY_FAILED:
                return go_on(d, &is_new, note);
        case HISTORY_DIED:
                return come_back_after_death(d, note);
        case HISTORY_VIOLATED:
                return err_wrap(note, "flush failed");
        }
        flushed(d);
        return ERR_NONE;
}

static uint64_t blocks_of(struct history_range range) {
        uint64_t bits = 0;

        for (uint64_t b = range.at / MODEL_BLOCK; b < div_up(range.at + range.n, MODEL_BLOCK); b++)
                bits |= (uint64_t)1 << b;
        return bits;
}

static uint64_t held_below(const struct disk *d) {
        uint64_t bits = 0;

        for (unsigned i = 0; i < d->n_layers; i++)
                bits |= d->layers[i].held;
        return bits;
}

/* Its whole blocks hold nothing any more where nothing below does. */
static void let_go(struct disk *d, struct history_range range) {
        uint64_t end = range.at + range.n == d->model.size ? round_up(d->model.size, MODEL_BLOCK)
                                                           : range.at + range.n;

        for (uint64_t b = div_up(range.at, MODEL_BLOCK); b < end / MODEL_BLOCK; b++)
                d->held &= ~((uint64_t)1 << b) | held_below(d);
}

static void note_change(struct disk *d, const uint8_t *data, struct history_range range, bool is_sure) {
        d->held |= blocks_of(range);
        d->held_before |= d->held;
        if (!is_sure) {
                model_may_write(&d->model, data, range.n, range.at);
                return;
        }
        model_write(&d->model, data, range.n, range.at);
        if (!data)
                let_go(d, range);
}

/* data NULL: zeros.  may_decline: success does not say that it happened. */
static enum err changed(struct disk *d, enum err e, const uint8_t *data, struct history_range range,
                        bool may_decline, struct err_note *note) {
        enum history_end end = history_ended(d->h, e, note);
        bool is_new = false;

        if (end == HISTORY_VIOLATED)
                return err_wrap(note, "a change failed");
        d->was_faulted |= end != HISTORY_DONE;
        if ((end == HISTORY_DONE && !(may_decline && d->h->is_tight)) ||
            (end == HISTORY_DECLINED && !may_decline)) {
                note_change(d, data, range, true);
                return ERR_NONE;
        }
        note_change(d, data, range, false);
        if (end == HISTORY_DIED)
                return come_back_after_death(d, note);
        if (end == HISTORY_FAILED && go_on(d, &is_new, note))
                return note->code;
        if (is_new)
                return ERR_NONE;
        history_disarm(d->h);
        return history_look(d->chain, &d->model, MODEL_SETTLE, range, note);
}

static enum err write_some(struct disk *d, struct err_note *note) {
        struct history_range range = history_range(d->h, d->model.size, false);
        AUTO_FREE uint8_t *data = NULL;

        if (!model_has_room(&d->model, range.n, range.at))
                return flush(d, note);
        data = history_fill(d->h, range);
        history_say(d->h, "write %" PRIu64 " at %" PRIu64 " (block %" PRIu64 "): generation %" PRIu64,
                    range.n, range.at, range.at / MODEL_BLOCK, d->h->generation);
        return changed(d, chain_write(d->chain, data, range.n, range.at, note), data, range, false, note);
}

static enum err zero(struct disk *d, struct history_range range, bool is_trim, struct err_note *note) {
        if (!model_has_room(&d->model, range.n, range.at))
                return flush(d, note);
        history_say(d->h, "%s %" PRIu64 " at %" PRIu64 " (block %" PRIu64 ")", is_trim ? "trim" : "zero",
                    range.n, range.at, range.at / MODEL_BLOCK);
        return changed(d,
                       is_trim ? chain_trim(d->chain, range.n, range.at, note)
                               : chain_write_zeroes(d->chain, range.n, range.at, note),
                       NULL, range, is_trim, note);
}

static enum err zero_some(struct disk *d, struct err_note *note) {
        return zero(d, history_range(d->h, d->model.size, false), history_chance(d->h, 50), note);
}

static enum err trim_block(struct disk *d, struct err_note *note) {
        uint64_t at = history_roll(d->h, div_up(d->model.size, MODEL_BLOCK)) * MODEL_BLOCK;

        return zero(d, (struct history_range){at, min_u64(MODEL_BLOCK, d->model.size - at)}, true, note);
}

static enum err tick(struct disk *d, struct err_note *note) {
        bool is_new;

        io_sim_advance(d->h->io, history_roll(d->h, 7) * 1000000000);
        history_say(d->h, "tick");
        switch (history_ended(d->h, chain_tick(d->chain, note), note)) {
        case HISTORY_DECLINED:
                d->was_faulted = true;
                return ERR_NONE;
        case HISTORY_DONE:
                return ERR_NONE;
        case HISTORY_FAILED:
                return go_on(d, &is_new, note);
        case HISTORY_DIED:
                return come_back_after_death(d, note);
        case HISTORY_VIOLATED:
                break;
        }
        return err_wrap(note, "tick failed");
}

/* ---- closing ---- */

static enum err check_space(struct disk *d, struct err_note *note) {
        uint64_t n_blocks = (uint64_t)__builtin_popcountll(d->held);
        struct io_stat stat;
        char room[PATH_SIZE];

        if (io_stat_path(d->h->io, path_of(d->n_layers, room), &stat, note))
                return note->code;
        if (stat.allocated <= META_SIZE + n_blocks * (MODEL_BLOCK + 8192))
                return ERR_NONE;
        return err_set(note, ERR_MISMATCH, "the top takes %" PRIu64 " bytes for %" PRIu64 " blocks",
                       stat.allocated, n_blocks);
}

static enum err check_files(struct disk *d, struct err_note *note) {
        for (unsigned i = 0; i <= d->n_layers; i++)
                if (check_file(d, i, i < d->n_layers ? d->layers[i].is_untidy : d->was_faulted, note))
                        return note->code;
        return ERR_NONE;
}

static enum err close_top(struct disk *d, struct err_note *note) {
        bool is_new;

        history_say(d->h, "close");
        switch (history_ended(d->h, chain_close(TAKE(d->chain), note), note)) {
        case HISTORY_DECLINED:
                d->was_faulted = true;
                break;
        case HISTORY_DONE:
                break;
        case HISTORY_FAILED:
                return go_on(d, &is_new, note);
        case HISTORY_DIED:
                return come_back_after_death(d, note);
        case HISTORY_VIOLATED:
                return err_wrap(note, "close failed");
        }
        flushed(d);
        return ERR_NONE;
}

static enum err reopen(struct disk *d, struct err_note *note) {
        history_disarm(d->h);
        if (history_chance(d->h, 60))
                history_arm(d->h, 30);
        if (close_top(d, note) || d->chain) /* it failed, and is open again */
                return d->chain ? ERR_NONE : note->code;
        history_disarm(d->h);
        if (check_files(d, note) || (!d->was_faulted && d->can_punch && check_space(d, note)))
                return note->code;
        return come_back(d, note);
}

static enum err fall(struct disk *d, struct err_note *note) {
        return come_back_after_death(d, note);
}

/* ---- layers ---- */

static void push(struct disk *d, struct image *leaf) {
        struct layer *layer = &d->layers[d->n_layers];
        char base[PATH_SIZE], top[PATH_SIZE];

        chain_push_leaf(d->chain, leaf, path_of(d->n_layers, base), path_of(d->n_layers + 1, top));
        flushed(d);
        *layer = (struct layer){.held = d->held};
        model_copy(&d->model, &layer->model);
        d->n_layers++;
        d->model.layer++;
        d->held = d->held_before = 0;
        d->h->count.snapshots++;
}

static enum err freeze_and_push(struct disk *d, struct err_note *note) {
        char room[PATH_SIZE], next[PATH_SIZE];
        struct image *leaf;
        enum err e;

        if (fixture_vhd(d->h->io, path_of(d->n_layers + 1, next), d->model.size, path_of(d->n_layers, room),
                        note) ||
            images_open(&d->images, next, IMAGE_VHD, true, &leaf, note))
                return note->code;
        e = chain_freeze(d->chain, note);
        if (e) {
                image_unref(leaf);
                return e;
        }
        push(d, leaf);
        chain_thaw(d->chain);
        return ERR_NONE;
}

static enum err snapshot(struct disk *d, struct err_note *note) {
        bool is_new;

        if (d->n_layers + 1 >= LAYERS_MAX)
                return ERR_NONE;
        history_say(d->h, "snapshot: layer %u", d->n_layers + 1);
        switch (history_ended(d->h, freeze_and_push(d, note), note)) {
        case HISTORY_DECLINED:
                d->layers[d->n_layers - 1].is_untidy = true;
                return ERR_NONE;
        case HISTORY_DONE:
                return ERR_NONE;
        case HISTORY_FAILED:
                if (go_on(d, &is_new, note))
                        return note->code;
                return remove_next(d, note);
        case HISTORY_DIED:
                return come_back_after_death(d, note);
        case HISTORY_VIOLATED:
                break;
        }
        return err_wrap(note, "snapshot failed");
}

static enum err look_at_reader(struct disk *d, struct err_note *note) {
        struct layer *layer;
        char room[PATH_SIZE];

        if (d->n_layers == 0)
                return ERR_NONE;
        history_disarm(d->h);
        layer = &d->layers[history_roll(d->h, d->n_layers)];
        if (!layer->reader) {
                history_say(d->h, "open a reader of layer %u", (unsigned)(layer - d->layers));
                return chain_open(&d->images, path_of((unsigned)(layer - d->layers), room), CHAIN_READ,
                                  &layer->reader, note);
        }
        if (history_look_at_all(layer->reader, &layer->model, MODEL_STRICT, note))
                return err_wrap(note, "by the reader of layer %u", (unsigned)(layer - d->layers));
        if (history_chance(d->h, 30))
                return chain_close(TAKE(layer->reader), note);
        return ERR_NONE;
}

/* ---- extents ---- */

/* Sector i lies in a run of that kind above `floor` layers, the topmost of which is base (NULL: none). */
static enum err check_extent(struct disk *d, const struct model_disk *base, unsigned floor, uint64_t i,
                             enum extent_kind kind, struct err_note *note) {
        bool differs = base ? model_differs(&d->model, base, i) : !bytes_are_zero(d->model.bytes[i], SECTOR);
        const char *text = NULL;

        if (differs && kind == EXTENT_HOLE)
                text = "differs, and extents call it a hole";
        if (d->model.sectors[i].touched <= floor && kind == EXTENT_DATA)
                text = "was not touched, and extents call it data";
        if (!text)
                return ERR_NONE;
        return err_set(note, ERR_MISMATCH, "sector %" PRIu64 " %s above %u layers", model_sector_at(i), text,
                       floor);
}

static enum err check_extents_over(struct disk *d, struct chain *base, unsigned floor,
                                   struct err_note *note) {
        struct extent extent = {0};
        uint64_t i = 0;

        for (uint64_t at = 0; at < d->model.size; at += extent.n) {
                if (chain_extent_at(d->chain, base, at, d->model.size - at, &extent, note))
                        return note->code;
                if (extent.at != at || extent.n == 0 || extent.n > d->model.size - at)
                        return violated(note, "an extent of another place");
                for (; i < d->model.n && model_sector_at(i) * SECTOR < at + extent.n; i++)
                        if (check_extent(d, floor ? &d->layers[floor - 1].model : NULL, floor, i, extent.kind,
                                         note))
                                return note->code;
        }
        return ERR_NONE;
}

static enum err look_at_extents(struct disk *d, struct err_note *note) {
        unsigned floor = (unsigned)history_roll(d->h, d->n_layers + 1);
        AUTO(chain_abandon) struct chain *base = NULL;
        char room[PATH_SIZE];

        history_disarm(d->h);
        history_say(d->h, "extents above %u layers", floor);
        if (floor && chain_open(&d->images, path_of(floor - 1, room), CHAIN_READ, &base, note))
                return note->code;
        return check_extents_over(d, base, floor, note);
}

/* ---- one after the other ---- */

static enum err look_at_some(struct disk *d, struct err_note *note) {
        struct history_range range = history_range(d->h, d->model.size, true);

        history_disarm(d->h);
        if (history_look(d->chain, &d->model, MODEL_STRICT, range, note))
                return err_wrap(note, "read");
        return ERR_NONE;
}

static enum err look_at_everything(struct disk *d, struct err_note *note) {
        history_disarm(d->h);
        d->h->count.verified++;
        return history_look_at_all(d->chain, &d->model, MODEL_STRICT, note);
}

static const struct {
        operation run;
        unsigned weight;
} operations[] = {
        {write_some, 38}, {zero_some, 8},     {trim_block, 3},      {flush, 10},
        {tick, 4},        {look_at_some, 15}, {look_at_extents, 2}, {snapshot, 2},
        {reopen, 2},      {fall, 2},          {look_at_reader, 4},  {look_at_everything, 4},
};

static operation some_operation(struct history *h) {
        unsigned all = 0, roll;

        for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
                all += operations[i].weight;
        roll = (unsigned)history_roll(h, all);
        for (size_t i = 0;; i++) {
                if (roll < operations[i].weight)
                        return operations[i].run;
                roll -= operations[i].weight;
        }
}

static enum err run(struct disk *d, struct err_note *note) {
        for (; d->h->n_done < d->h->n_wanted; d->h->n_done++, d->h->count.ops++) {
                history_arm(d->h, 6);
                if (some_operation(d->h)(d, note))
                        return note->code;
        }
        history_disarm(d->h);
        if (look_at_everything(d, note) || look_at_layers(d, note))
                return note->code;
        if (chain_close(TAKE(d->chain), note))
                return note->code;
        close_readers(d);
        return check_files(d, note);
}

/* ---- the machine and the disk ---- */

static uint64_t some_size(struct history *h) {
        static const uint64_t cuts[] = {0, 0, 3, 52, 2050, 4093};

        return (2 + history_roll(h, 4)) * MODEL_BLOCK - cuts[history_roll(h, 6)] * SECTOR;
}

static void choose_machine(struct disk *d) {
        static const uint64_t growths[] = {2 * MIB, 5 * MIB, 9 * MIB, 0};
        static const uint64_t limits[] = {0, 0, 1024, 4096};
        static const unsigned lacks[] = {0, 0, 0, 0, IO_SIM_NO_PUNCH, IO_SIM_NO_HOLES};
        unsigned lack;

        d->options = (struct images_options){
                .growth_bytes = growths[history_roll(d->h, 4)],
                .unflushed_limit = limits[history_roll(d->h, 4)],
                .owners_cache_bytes = history_chance(d->h, 50) ? 4096 : 0,
        };
        lack = lacks[history_roll(d->h, 6)];
        d->can_punch = lack != IO_SIM_NO_PUNCH;
        io_sim_set_lacks(d->h->io, lack);
        d->h->is_tight = history_chance(d->h, 20);
}

static enum err begin(struct disk *d, struct err_note *note) {
        uint64_t size = some_size(d->h);

        choose_machine(d);
        model_init(&d->model, size);
        images_init(&d->images, d->h->io, &d->options);
        history_say(d->h, "a disk of %" PRIu64 " bytes, growing by %" PRIu64 "%s", size,
                    d->options.growth_bytes, d->h->is_tight ? ", on a small file system" : "");
        if (fixture_vhd(d->h->io, "/d0.vhd", size, NULL, note) || open_top(d, note))
                return note->code;
        if (d->h->is_tight)
                io_sim_resize(d->h->io, io_sim_used(d->h->io) + size / 2 + history_roll(d->h, size));
        return ERR_NONE;
}

static void end(struct disk *d) {
        abandon_all(d);
        images_fini(&d->images);
        for (unsigned i = 0; i < d->n_layers; i++)
                model_fini(&d->layers[i].model);
        model_fini(&d->model);
}

enum err history_chain(struct history *h, struct err_note *note) {
        struct disk *d = mem_new(struct disk);
        enum err e;

        d->h = h;
        e = begin(d, note);
        if (!e)
                e = run(d, note);
        end(d);
        free(d);
        return e;
}
