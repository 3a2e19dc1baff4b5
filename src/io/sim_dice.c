// SPDX-License-Identifier: Apache-2.0
#include "sim_dice.h"

#include <string.h>

#include "bytes.h"

static uint64_t mix(uint64_t v) {
        v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9u;
        v = (v ^ v >> 27) * 0x94d049bb133111ebu;
        return v ^ v >> 31;
}

uint64_t sim_hash(uint64_t a, uint64_t b) {
        return mix(mix(a + 0x9e3779b97f4a7c15u) ^ b);
}

uint64_t sim_roll(struct sim_dice *dice) {
        dice->state += 0x9e3779b97f4a7c15u;
        return mix(dice->state);
}

uint64_t sim_below(struct sim_dice *dice, uint64_t n) {
        return sim_roll(dice) % n;
}

void sim_fill(struct sim_dice *dice, void *ret, size_t n) {
        for (uint8_t *to = ret; n > 0;) {
                uint64_t roll = sim_roll(dice);
                size_t part = n < sizeof roll ? n : sizeof roll;

                memcpy(to, &roll, part);
                to += part;
                n -= part;
        }
}

bool sim_chance(struct sim_dice *dice, unsigned of_256) {
        if (of_256 == SIM_NEVER || of_256 >= SIM_ALWAYS)
                return of_256 != SIM_NEVER;
        return sim_below(dice, SIM_ALWAYS) < of_256;
}

void sim_crash_init(struct sim_crash *crash, uint64_t seed, uint64_t first, uint64_t last) {
        static const unsigned densities[] = {128, 128, 16, 64, 192, 240};
        uint64_t span = last >= first ? last - first + 1 : 1;

        *crash = (struct sim_crash){.style = (enum crash_style)(seed % CRASH_STYLES)};
        crash->turn = seed / CRASH_STYLES;
        crash->dice.state = sim_hash(seed, 0xc4a54);
        crash->salt = sim_roll(&crash->dice);
        crash->density = densities[sim_below(&crash->dice, sizeof densities / sizeof densities[0])];
        if (crash->style == CRASH_KEEPS_LAST) /* one or a few, seldom many */
                crash->limit =
                        last - min_u64(sim_below(&crash->dice, 1 + sim_below(&crash->dice, span)), last);
        else
                crash->limit = first + sim_below(&crash->dice, span);
}

unsigned sim_crash_chance(struct sim_crash *crash, enum crash_part part, uint64_t owner, uint64_t sequence) {
        switch (crash->style) {
        case CRASH_LOSES_ALL:
                return SIM_NEVER;
        case CRASH_KEEPS_ALL:
        case CRASH_LOSES_A_NAME: /* which is for the names to say */
                return SIM_ALWAYS;
        case CRASH_KEEPS_NAMES:
                return part == CRASH_NAME ? SIM_ALWAYS : SIM_NEVER;
        case CRASH_KEEPS_SIZES:
                return part != CRASH_BYTES ? SIM_ALWAYS : SIM_NEVER;
        case CRASH_KEEPS_BYTES:
                return part != CRASH_NAME ? SIM_ALWAYS : SIM_NEVER;
        case CRASH_KEEPS_LAST:
                return sequence >= crash->limit ? SIM_ALWAYS : SIM_NEVER;
        case CRASH_KEEPS_FIRST:
                return sequence <= crash->limit ? SIM_ALWAYS : SIM_NEVER;
        case CRASH_BY_OWNER:
                return sim_hash(crash->salt + (part == CRASH_NAME), owner) & 1 ? SIM_ALWAYS : SIM_NEVER;
        case CRASH_BY_CHANGE:
                return sim_chance(&crash->dice, crash->density) ? SIM_ALWAYS : SIM_NEVER;
        case CRASH_TEARS:
        case CRASH_STYLES:
                break;
        }
        return crash->density;
}
