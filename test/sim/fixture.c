// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"

#include <string.h>

#include "vhd_meta.h"

static enum err uuid_of(struct io *io, const char *path, struct uuid *ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_meta meta;

        if (io_open(io, path, IO_READ, &file, note) || vhd_meta_read(file, 0, &meta, note))
                return note->code;
        *ret = meta.footer.uuid;
        return ERR_NONE;
}

enum err fixture_vhd(struct io *io, const char *path, uint64_t size, const char *parent,
                     struct err_note *note) {
        struct vhd_parent named = {.path = parent};
        struct vhd_create_options options = {.type = parent ? VHD_DIFFERENCING : VHD_DYNAMIC, .size = size};
        struct uuid uuid;

        if (parent && uuid_of(io, parent, &named.uuid, note))
                return note->code;
        if (parent)
                options.parent = &named;
        if (vhd_create(io, path, &options, &uuid, note))
                return note->code;
        return io_sync_dir(io, "/", note);
}

uint64_t fixture_roll(struct fixture_dice *dice, uint64_t sides) {
        uint64_t z = dice->state += 0x9e3779b97f4a7c15u;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return (z ^ (z >> 31)) % sides;
}

/* Word i of a sector: generation, its disk offset, then a mix of both. */
void fixture_fill(void *ret, uint64_t n, uint64_t at, uint64_t generation) {
        uint8_t *out = ret;

        for (uint64_t s = 0; s < n; s += SECTOR)
                for (uint64_t i = 0; i < SECTOR / 8; i++) {
                        uint64_t word = i == 0   ? generation
                                        : i == 1 ? at + s
                                                 : generation * 1000003 + (at + s) * 31 + i;

                        memcpy(out + s + i * 8, &word, 8);
                }
}

uint64_t fixture_generation(const void *sector, uint64_t at, bool *ret_is_sound) {
        uint8_t want[SECTOR];
        uint64_t generation;

        *ret_is_sound = true;
        if (bytes_are_zero(sector, SECTOR))
                return 0;
        memcpy(&generation, sector, 8);
        fixture_fill(want, SECTOR, at, generation);
        *ret_is_sound = memcmp(sector, want, SECTOR) == 0;
        return generation;
}
