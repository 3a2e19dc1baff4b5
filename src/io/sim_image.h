// SPDX-License-Identifier: Apache-2.0
/* The bytes of a simulated file: sparse, in counted pages that images share until one of them is written.  So
 * a 2 TiB file costs what was written to it, and a copy of an image costs next to nothing.
 *
 * An image belongs to a struct sim_space, which counts the blocks in use, or to none (NULL: what is on the
 * platter is not counted twice).  A page that io_clone_range shares within a space is one block until one
 * side writes.
 *
 * Bytes of a page behind the image's size are zeros.
 *
 * Errors: a write that finds no block stops early and says how far it came.  Threads: an image: its owner's;
 * images that share pages: any.
 */
#ifndef IO_SIM_IMAGE_H
#define IO_SIM_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "map.h"
#include "vec.h"

enum { SIM_PAGE = 4096, SIM_CHUNK_PAGES = 64 };

struct sim_page {
        unsigned references;
        uint8_t bytes[SIM_PAGE];
};

struct sim_space {
        uint64_t total, used, peak; /* blocks of SIM_PAGE; peak: the most that were used */
        struct map extra;           /* page -> how many images use it beyond the first (a number) */
};

struct sim_chunk;

struct sim_chunk_at {
        uint64_t index;
        struct sim_chunk *chunk; /* shared, counted */
};

struct sim_image {
        VEC(struct sim_chunk_at) chunks; /* owned; sorted by index */
        uint64_t size;
        uint64_t n_pages;
};

void sim_space_fini(struct sim_space *);
void sim_space_copy(struct sim_space *, const struct sim_space *from);
/* Counts the pages of an image.  seen: those of all images counted so far that may share pages; NULL: it
 * shares none. */
void sim_space_add(struct sim_space *, const struct sim_image *, struct map *seen);

void sim_image_copy(struct sim_image *, const struct sim_image *from);
void sim_image_fini(struct sim_image *, struct sim_space *);

struct sim_page *sim_image_page(const struct sim_image *, uint64_t index); /* NULL: a hole */
uint64_t sim_image_next(const struct sim_image *,
                        uint64_t index); /* the first page there or behind, or UINT64_MAX */
void sim_page_ref(struct sim_page *);
void sim_page_unref(struct sim_page *);

void sim_image_read(const struct sim_image *, void *ret, size_t n, uint64_t at); /* zeros behind the size */
size_t sim_image_write(struct sim_image *, struct sim_space *, const void *data, size_t n, uint64_t at);
void sim_image_zero(struct sim_image *, struct sim_space *, uint64_t n,
                    uint64_t at); /* whole pages become holes */
void sim_image_truncate(struct sim_image *, struct sim_space *, uint64_t size);
/* The page there becomes this one (NULL: a hole), shared with whoever else has it. */
void sim_image_share(struct sim_image *, struct sim_space *, uint64_t index, struct sim_page *);

#endif
