// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "history.h"
#include "mem.h"

void history_init(struct history *h, uint64_t seed, uint64_t n_ops, bool is_traced) {
        *h = (struct history){.seed = seed, .dice = {seed}, .n_wanted = n_ops, .is_traced = is_traced};
        h->io = io_sim_new(seed, 0);
        if (is_traced)
                io_sim_trace(h->io, stderr);
}

void history_fini(struct history *h) {
        io_free(h->io);
        h->io = NULL;
}

uint64_t history_roll(struct history *h, uint64_t sides) {
        return fixture_roll(&h->dice, sides);
}

bool history_chance(struct history *h, unsigned of_100) {
        return history_roll(h, 100) < of_100;
}

void history_say(struct history *h, const char *fmt, ...) {
        char *line = h->last[h->n_last++ % HISTORY_LAST];
        va_list args;

        va_start(args, fmt);
        (void)vsnprintf(line, HISTORY_LINE, fmt, args);
        va_end(args);
        if (h->is_traced)
                fprintf(stderr, "---- %" PRIu64 ": %s\n", h->n_done, line);
}

void history_print_last(const struct history *h) {
        uint64_t n = min_u64(h->n_last, HISTORY_LAST);

        for (uint64_t i = h->n_last - n; i < h->n_last; i++)
                fprintf(stderr, "  %s\n", h->last[i % HISTORY_LAST]);
}

/* ---- faults ---- */

static void set_fault(struct history *h, uint64_t n) {
        switch (history_roll(h, 4)) {
        case 0:
                history_say(h, "[death before changing call %" PRIu64 "]", n);
                io_sim_die_at(h->io, n, IO_SIM_BEFORE);
                break;
        case 1:
                history_say(h, "[death in changing call %" PRIu64 "]", n);
                io_sim_die_at(h->io, n, IO_SIM_DURING);
                break;
        case 2:
                history_say(h, "[call %" PRIu64 " fails]", n);
                io_sim_fail_at(h->io, n, ERR_IO, false);
                break;
        default:
                history_say(h, "[no space at spacious call %" PRIu64 "]", n);
                io_sim_fail_at(h->io, n, ERR_NO_SPACE, false);
        }
}

/* What is most easily got wrong is few calls among many: those between one change of names and the next, and
 * those that follow a file's growth. */
static void before_change(void *user, const char *verb, const char *path) {
        struct history *h = user;
        bool is_name = !strcmp(verb, "rename") || !strcmp(verb, "link") || !strcmp(verb, "sync directory");
        bool is_size = !strcmp(verb, "truncate to");

        if (!(h->has_verbs ? is_name : is_size) || h->n_turns == 0 || --h->n_turns > 0)
                return;
        history_say(h, "[at %s %s:]", verb, path);
        set_fault(h, is_name ? 1 : 1 + history_roll(h, 4));
}

/* A write makes a few calls; a verb of an SR makes a hundred and more. */
void history_arm(struct history *h, unsigned of_100) {
        static const uint64_t reach[] = {4, 24, 60, 200};

        if (h->is_armed || !history_chance(h, of_100))
                return;
        h->is_armed = true;
        if (history_chance(h, h->has_verbs ? 70 : 85)) {
                set_fault(h, 1 + history_roll(h, reach[history_roll(h, h->has_verbs ? 4 : 2)]));
                return;
        }
        h->n_turns = 1 + (unsigned)history_roll(h, h->has_verbs ? 6 : 1);
        io_sim_set_watch(h->io, before_change, h);
}

void history_disarm(struct history *h) {
        io_sim_heal(h->io);
        io_sim_set_watch(h->io, NULL, NULL);
        h->n_turns = 0;
        h->is_armed = false;
}

enum history_end history_ended(struct history *h, enum err err, struct err_note *note) {
        bool did_fire = h->is_armed && h->n_turns == 0 && io_sim_fired(h->io);

        if (io_sim_is_dead(h->io)) {
                history_say(h, "  = dead");
                return HISTORY_DIED;
        }
        if (did_fire)
                history_disarm(h);
        if (!err)
                return did_fire ? HISTORY_DECLINED : HISTORY_DONE;
        history_say(h, "  = %s", note->text);
        if (did_fire || (h->is_tight && err == ERR_NO_SPACE)) {
                h->count.failures++;
                return HISTORY_FAILED;
        }
        return HISTORY_VIOLATED;
}

void history_restart(struct history *h) {
        uint64_t seed = history_roll(h, 1 << 20);

        history_disarm(h);
        if (history_chance(h, 30)) {
                history_say(h, "kill");
                h->count.kills++;
                io_sim_kill(h->io);
        } else {
                history_say(h, "crash %" PRIu64, seed);
                h->count.crashes++;
                io_sim_crash(h->io, seed);
        }
        if (h->is_traced)
                io_sim_trace(h->io, stderr);
}

/* ---- content ---- */

static uint64_t some_sector(struct history *h, uint64_t size) {
        uint64_t blocks = div_up(size, MODEL_BLOCK), sector;

        do
                sector = model_sector_at(history_roll(h, blocks * MODEL_WINDOWS * MODEL_WINDOW));
        while (sector >= size / SECTOR);
        return sector;
}

static struct history_range whole_blocks(struct history *h, uint64_t size) {
        uint64_t blocks = div_up(size, MODEL_BLOCK), first = history_roll(h, blocks);
        uint64_t n = history_chance(h, 85) ? 1 : 1 + history_roll(h, blocks - first);

        return (struct history_range){first * MODEL_BLOCK,
                                      min_u64(n * MODEL_BLOCK, size - first * MODEL_BLOCK)};
}

struct history_range history_range(struct history *h, uint64_t size, bool is_whole_sectors) {
        uint64_t kind = history_roll(h, 100), at, end;

        if (kind < 3)
                return whole_blocks(h, size);
        at = some_sector(h, size) * SECTOR;
        end = kind < 10 ? (some_sector(h, size) + 1) * SECTOR : at + (1 + history_roll(h, 12)) * SECTOR;
        if (end <= at || end - at > MODEL_BLOCK)
                end = at + SECTOR;
        if (!is_whole_sectors && kind >= 70) {
                at += history_roll(h, SECTOR);
                end = at + 1 + history_roll(h, 3 * SECTOR);
        }
        end = min_u64(end, size);
        return (struct history_range){at, end - at};
}

uint8_t *history_fill(struct history *h, struct history_range range) {
        uint64_t at = round_down(range.at, SECTOR), end = round_up(range.at + range.n, SECTOR);
        uint8_t *data = mem_grow(NULL, end - at, 1);

        fixture_fill(data, end - at, at, ++h->generation);
        memmove(data, data + (range.at - at), range.n);
        return data;
}

/* ---- looking ---- */

enum err history_look(struct chain *chain, struct model_disk *model, enum model_look how,
                      struct history_range range, struct err_note *note) {
        uint64_t at = round_down(range.at, SECTOR), n = round_up(range.at + range.n, SECTOR) - at;
        AUTO_FREE uint8_t *data = mem_grow(NULL, n, 1);

        if (chain_read(chain, data, n, at, note))
                return err_wrap(note, "a read failed");
        return model_check(model, how, data, n, at, note);
}

enum err history_look_at_all(struct chain *chain, struct model_disk *model, enum model_look how,
                             struct err_note *note) {
        if (chain_size(chain) != model->size)
                return err_set(note, ERR_MISMATCH, "the disk has another size");
        for (uint64_t i = 0; i < model->n; i += MODEL_WINDOW) {
                uint64_t at = model_sector_at(i) * SECTOR, n = min_u64(MODEL_WINDOW, model->n - i) * SECTOR;

                if (history_look(chain, model, how, (struct history_range){at, n}, note))
                        return note->code;
        }
        return ERR_NONE;
}
