// SPDX-License-Identifier: Apache-2.0
#include "sim_image.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

struct sim_chunk {
        unsigned references;
        unsigned n;                              /* pages that are there */
        struct sim_page *pages[SIM_CHUNK_PAGES]; /* shared, counted */
};

/* ---- pages and chunks: counted, also between machines on different threads ---- */

static void count_up(unsigned *references) {
        __atomic_fetch_add(references, 1, __ATOMIC_RELAXED);
}

static bool count_down(unsigned *references) {
        return __atomic_fetch_sub(references, 1, __ATOMIC_ACQ_REL) == 1;
}

static bool is_mine(const unsigned *references) {
        return __atomic_load_n(references, __ATOMIC_ACQUIRE) == 1;
}

void sim_page_ref(struct sim_page *page) {
        count_up(&page->references);
}

void sim_page_unref(struct sim_page *page) {
        if (count_down(&page->references))
                free(page);
}

static struct sim_page *page_new(const struct sim_page *from) {
        struct sim_page *page = mem_new(struct sim_page);

        if (from)
                memcpy(page->bytes, from->bytes, SIM_PAGE);
        page->references = 1;
        return page;
}

static struct sim_chunk *chunk_new(const struct sim_chunk *from) {
        struct sim_chunk *chunk = mem_new(struct sim_chunk);

        if (from)
                *chunk = *from;
        for (unsigned i = 0; i < SIM_CHUNK_PAGES; i++)
                if (chunk->pages[i])
                        sim_page_ref(chunk->pages[i]);
        chunk->references = 1;
        return chunk;
}

static void chunk_unref(struct sim_chunk *chunk) {
        if (!count_down(&chunk->references))
                return;
        for (unsigned i = 0; i < SIM_CHUNK_PAGES; i++)
                if (chunk->pages[i])
                        sim_page_unref(chunk->pages[i]);
        free(chunk);
}

/* ---- blocks in use ---- */

static struct map_key key_of(const struct sim_page *page) {
        return map_key_u64((uintptr_t)page);
}

static uintptr_t extra_users(const struct sim_space *space, const struct sim_page *page) {
        return (uintptr_t)map_get(&space->extra, key_of(page));
}

static void set_extra_users(struct sim_space *space, const struct sim_page *page, uintptr_t n) {
        if (n > 0)
                map_put(&space->extra, key_of(page), (void *)n);
        else
                (void)map_remove(&space->extra, key_of(page));
}

static void space_leave(struct sim_space *space, const struct sim_page *page) {
        uintptr_t extra = extra_users(space, page);

        if (extra > 0)
                set_extra_users(space, page, extra - 1);
        else
                space->used--;
}

/* Before the bytes of a page (NULL: a hole) change: is there a block for that? */
static bool space_take(struct sim_space *space, const struct sim_page *old) {
        bool needs_block = !old || extra_users(space, old) > 0;

        if (needs_block && space->used >= space->total)
                return false;
        if (old)
                space_leave(space, old);
        space->used++;
        space->peak = max_u64(space->peak, space->used);
        return true;
}

void sim_space_fini(struct sim_space *space) {
        map_fini(&space->extra);
}

void sim_space_copy(struct sim_space *space, const struct sim_space *from) {
        const struct map *extra = &from->extra;

        *space = (struct sim_space){.total = from->total, .used = from->used, .peak = from->used};
        for (size_t i = 0; i < extra->room; i++)
                if (extra->entries[i].value)
                        map_put(&space->extra, extra->entries[i].key, extra->entries[i].value);
}

void sim_space_add(struct sim_space *space, const struct sim_image *image, struct map *seen) {
        if (!seen) {
                space->used += image->n_pages;
                return;
        }
        for (uint64_t i = sim_image_next(image, 0); i != UINT64_MAX; i = sim_image_next(image, i + 1)) {
                struct sim_page *page = sim_image_page(image, i);

                if (map_get(seen, key_of(page))) {
                        set_extra_users(space, page, extra_users(space, page) + 1);
                } else {
                        map_put(seen, key_of(page), page);
                        space->used++;
                }
        }
}

/* ---- finding and replacing pages ---- */

/* Where the chunk of that index is, or would be. */
static size_t chunk_place(const struct sim_image *image, uint64_t index) {
        size_t low = 0, high = image->chunks.n;

        if (high > 0 && image->chunks.data[high - 1].index < index)
                return high;
        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (image->chunks.data[middle].index < index)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

struct sim_page *sim_image_page(const struct sim_image *image, uint64_t index) {
        size_t place = chunk_place(image, index / SIM_CHUNK_PAGES);

        if (place == image->chunks.n || image->chunks.data[place].index != index / SIM_CHUNK_PAGES)
                return NULL;
        return image->chunks.data[place].chunk->pages[index % SIM_CHUNK_PAGES];
}

uint64_t sim_image_next(const struct sim_image *image, uint64_t index) {
        size_t place = chunk_place(image, index / SIM_CHUNK_PAGES);

        for (; place < image->chunks.n; place++) {
                const struct sim_chunk_at *at = &image->chunks.data[place];
                uint64_t start = at->index * SIM_CHUNK_PAGES;

                for (uint64_t i = start < index ? index - start : 0; i < SIM_CHUNK_PAGES; i++)
                        if (at->chunk->pages[i])
                                return start + i;
        }
        return UINT64_MAX;
}

/* The chunk of that index, ours alone; NULL where there is none and none is made. */
static struct sim_chunk *own_chunk(struct sim_image *image, uint64_t index, bool may_make) {
        size_t place = chunk_place(image, index);
        struct sim_chunk_at *at;

        if (place == image->chunks.n || image->chunks.data[place].index != index) {
                if (!may_make)
                        return NULL;
                (void)vec_add(&image->chunks);
                at = &image->chunks.data[place];
                memmove(at + 1, at, (image->chunks.n - 1 - place) * sizeof *at);
                *at = (struct sim_chunk_at){index, chunk_new(NULL)};
        }
        at = &image->chunks.data[place];
        if (!is_mine(&at->chunk->references)) {
                struct sim_chunk *mine = chunk_new(at->chunk);

                chunk_unref(at->chunk);
                at->chunk = mine;
        }
        return at->chunk;
}

/* Takes the page over; lets go of the old one. */
static void put_page(struct sim_image *image, uint64_t index, struct sim_page *page) {
        struct sim_chunk *chunk = own_chunk(image, index / SIM_CHUNK_PAGES, page != NULL);
        struct sim_page **to;

        if (!chunk)
                return;
        to = &chunk->pages[index % SIM_CHUNK_PAGES];
        if (*to) {
                sim_page_unref(*to);
                chunk->n--;
                image->n_pages--;
        }
        *to = page;
        if (page) {
                chunk->n++;
                image->n_pages++;
        }
        if (chunk->n == 0) {
                size_t place = chunk_place(image, index / SIM_CHUNK_PAGES);

                chunk_unref(chunk);
                vec_remove_at(&image->chunks, place);
        }
}

static void drop_page(struct sim_image *image, struct sim_space *space, uint64_t index) {
        struct sim_page *page = sim_image_page(image, index);

        if (page && space)
                space_leave(space, page);
        if (page)
                put_page(image, index, NULL);
}

/* The page to write on: ours alone, as the old one or zeros; NULL where there is no block for it. */
static struct sim_page *own_page(struct sim_image *image, struct sim_space *space, uint64_t index) {
        struct sim_page *page = sim_image_page(image, index);

        if (space && !space_take(space, page))
                return NULL;
        /* Asking for our own chunk first counts the pages up where the chunk was shared. */
        if (page)
                (void)own_chunk(image, index / SIM_CHUNK_PAGES, false);
        if (page && is_mine(&page->references))
                return page;
        page = page_new(page);
        put_page(image, index, page);
        return page;
}

/* ---- whole images ---- */

void sim_image_copy(struct sim_image *image, const struct sim_image *from) {
        *image = (struct sim_image){.size = from->size, .n_pages = from->n_pages};
        vec_reserve(&image->chunks, from->chunks.n);
        for (size_t i = 0; i < from->chunks.n; i++) {
                count_up(&from->chunks.data[i].chunk->references);
                *vec_add(&image->chunks) = from->chunks.data[i];
        }
}

void sim_image_fini(struct sim_image *image, struct sim_space *space) {
        if (space)
                for (uint64_t i = sim_image_next(image, 0); i != UINT64_MAX; i = sim_image_next(image, i + 1))
                        space_leave(space, sim_image_page(image, i));
        VEC_EACH (&image->chunks, each)
                chunk_unref(each->chunk);
        vec_fini(&image->chunks);
        *image = (struct sim_image){0};
}

void sim_image_read(const struct sim_image *image, void *ret, size_t n, uint64_t at) {
        for (uint8_t *to = ret; n > 0;) {
                size_t start = at % SIM_PAGE, part = (size_t)min_u64(n, SIM_PAGE - start);
                const struct sim_page *page = sim_image_page(image, at / SIM_PAGE);

                if (page)
                        memcpy(to, page->bytes + start, part);
                else
                        memset(to, 0, part);
                to += part;
                at += part;
                n -= part;
        }
}

size_t sim_image_write(struct sim_image *image, struct sim_space *space, const void *data, size_t n,
                       uint64_t at) {
        const uint8_t *from = data;
        size_t done = 0;

        while (done < n) {
                size_t start = at % SIM_PAGE, part = (size_t)min_u64(n - done, SIM_PAGE - start);
                struct sim_page *page = own_page(image, space, at / SIM_PAGE);

                if (!page)
                        break;
                memcpy(page->bytes + start, from + done, part);
                done += part;
                at += part;
                image->size = max_u64(image->size, at);
        }
        return done;
}

/* Part of one page.  Zeros over zeros take no block; where a shared page finds none, the machine lends it
 * one. */
static void zero_part(struct sim_image *image, struct sim_space *space, size_t n, uint64_t at) {
        struct sim_page *page = sim_image_page(image, at / SIM_PAGE);
        uint64_t total = space ? space->total : 0;

        if (!page || n == 0 || bytes_are_zero(page->bytes + at % SIM_PAGE, n))
                return;
        if (space)
                space->total = UINT64_MAX;
        page = own_page(image, space, at / SIM_PAGE);
        if (space)
                space->total = total;
        memset(page->bytes + at % SIM_PAGE, 0, n);
}

void sim_image_zero(struct sim_image *image, struct sim_space *space, uint64_t n, uint64_t at) {
        uint64_t end = at + n, first = div_up(at, SIM_PAGE), behind = end / SIM_PAGE;

        if (first > behind) { /* within one page */
                zero_part(image, space, (size_t)n, at);
                return;
        }
        zero_part(image, space, (size_t)(first * SIM_PAGE - at), at);
        for (uint64_t i = sim_image_next(image, first); i < behind; i = sim_image_next(image, i + 1))
                drop_page(image, space, i);
        zero_part(image, space, (size_t)(end - behind * SIM_PAGE), behind * SIM_PAGE);
}

void sim_image_truncate(struct sim_image *image, struct sim_space *space, uint64_t size) {
        if (size < image->size)
                sim_image_zero(image, space, round_up(image->size, SIM_PAGE) - size, size);
        image->size = size;
}

void sim_image_share(struct sim_image *image, struct sim_space *space, uint64_t index,
                     struct sim_page *page) {
        if (page == sim_image_page(image, index))
                return;
        if (page) {
                sim_page_ref(page);
                if (space)
                        set_extra_users(space, page, extra_users(space, page) + 1);
        }
        drop_page(image, space, index);
        if (page)
                put_page(image, index, page);
}
