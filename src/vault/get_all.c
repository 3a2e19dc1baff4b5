// SPDX-License-Identifier: Apache-2.0
#include <stdatomic.h>

#include "crew.h"
#include "get_inside.h"
#include "mem.h"

enum {
        BATCH_BYTES = 1 << 20, /* written at once; a chunk may be more */
        BATCH_CHUNKS = BATCH_BYTES / VAULT_CHUNK_MIN,
        SLOTS_SPARE = 4,
        THREADS_MAX = 64,
        WAIT_NS = 200000000, /* between two steps */
};
#define SLOTS_MEMORY (64 * MIB)

/* Chunks of the disk one behind the other, none of them zeros. */
struct get_batch {
        uint64_t first;
        unsigned n;
        struct vault_id ids[BATCH_CHUNKS];
        uint8_t *data; /* owned */
};

struct get_all {
        struct vault *vault;         /* borrowed */
        const struct get_sink *sink; /* borrowed */
        struct id_tree_shape shape;
        unsigned batch_chunks, n_threads, n_batches;
        struct get_batch *batches;    /* owned, and each */
        struct blob_reader **readers; /* owned, and each; one a thread */
        struct crew *crew;            /* owned */
        atomic_uint_fast64_t done;
        struct get_count count; /* the caller's */
};

/* ---- a batch, by any thread ---- */

static enum err read_and_write(void *user, unsigned thread, void *slot, struct err_note *note) {
        struct get_all *all = user;
        struct get_batch *batch = slot;
        uint32_t chunk = all->shape.chunk;
        uint64_t at = batch->first * chunk;

        for (unsigned i = 0; i < batch->n; i++) {
                const struct get_want want = {.id = batch->ids[i],
                                              .at = at + (uint64_t)i * chunk,
                                              .chunk = chunk,
                                              .checks_id = !all->sink->trusts_tags};

                if (get_chunk(all->vault->blobs, all->readers[thread], &want, batch->data + (size_t)i * chunk,
                              note))
                        return note->code;
        }
        return all->sink->write(all->sink->user, batch->data,
                                (size_t)min_u64((uint64_t)batch->n * chunk, all->shape.size - at), at, note);
}

static enum err count_batch(void *user, void *slot, struct err_note *note) {
        struct get_all *all = user;
        const struct get_batch *batch = slot;

        (void)note;
        atomic_store(&all->done,
                     min_u64(all->shape.size, (batch->first + batch->n) * (uint64_t)all->shape.chunk));
        return ERR_NONE;
}

/* ---- the caller ---- */

static enum err step(struct get_all *all, struct err_note *note) {
        return all->sink->step ? all->sink->step(all->sink->user, atomic_load(&all->done), note) : ERR_NONE;
}

static enum err next_slot(struct get_all *all, struct get_batch **ret, struct err_note *note) {
        void *slot = NULL;

        do {
                if (step(all, note) || crew_next(all->crew, WAIT_NS, &slot, note))
                        return note->code;
        } while (!slot);
        *ret = slot;
        return ERR_NONE;
}

static enum err fill(struct get_all *all, struct id_walk *walk, uint64_t first, struct get_batch *batch,
                     struct err_note *note) {
        batch->first = first;
        for (batch->n = 0; batch->n < all->batch_chunks; batch->n++) {
                struct vault_id *id = &batch->ids[batch->n];

                if (id_walk_chunk(walk, first + batch->n, id, note))
                        return note->code;
                if (vault_id_is_null(id))
                        break;
        }
        return ERR_NONE;
}

static enum err give_all(struct get_all *all, struct id_walk *walk, struct err_note *note) {
        uint64_t at = 0, chunk = all->shape.chunk;
        struct get_batch *batch = NULL;
        bool is_idle = false;

        for (;;) {
                if (id_walk_next(walk, at, &at, note))
                        return note->code;
                if (at == all->shape.n_chunks)
                        break;
                if (next_slot(all, &batch, note) || fill(all, walk, at, batch, note))
                        return note->code;
                at += batch->n;
                all->count.data += min_u64(batch->n * chunk, all->shape.size - batch->first * chunk);
                crew_give(all->crew);
        }
        while (!is_idle) {
                if (crew_wait(all->crew, WAIT_NS, &is_idle, note) || step(all, note))
                        return note->code;
        }
        all->count.zeros = all->shape.size - all->count.data;
        return ERR_NONE;
}

/* ---- making and freeing ---- */

static void fini(struct get_all *all) {
        crew_free(all->crew);
        for (unsigned i = 0; i < all->n_batches; i++)
                free(all->batches[i].data);
        for (unsigned i = 0; i < all->n_threads; i++)
                blob_reader_free(all->readers[i]);
        free(all->batches);
        free(all->readers);
}
DEFINE_AUTO_IN_PLACE(struct get_all, fini);

static enum err make(struct get_all *all, struct err_note *note) {
        unsigned wanted = all->sink->n_threads ? all->sink->n_threads : crew_cores();
        struct crew_options crew = {.work = read_and_write,
                                    .finish = count_batch,
                                    .user = all,
                                    .slot_size = sizeof *all->batches};
        size_t size;

        all->batch_chunks = (unsigned)max_u64(1, BATCH_BYTES / all->shape.chunk);
        size = (size_t)all->batch_chunks * all->shape.chunk;
        all->n_threads = (unsigned)min_u64(min_u64(wanted, THREADS_MAX), SLOTS_MEMORY / size);
        all->n_batches = (unsigned)min_u64(all->n_threads + SLOTS_SPARE, SLOTS_MEMORY / size);
        all->batches = mem_zero(all->n_batches * sizeof *all->batches);
        for (unsigned i = 0; i < all->n_batches; i++)
                all->batches[i].data = mem_aligned(4096, size);
        all->readers = mem_zero(all->n_threads * sizeof *all->readers);
        for (unsigned i = 0; i < all->n_threads; i++)
                all->readers[i] = blob_reader_new(all->vault->blobs);
        crew.slots = all->batches;
        crew.n_slots = all->n_batches;
        crew.n_threads = all->n_threads;
        return crew_new(&crew, &all->crew, note);
}

enum err get_all(struct vault *vault, const struct vault_disk *disk, const struct get_sink *sink,
                 struct get_count *ret, struct err_note *note) {
        AUTO(fini) struct get_all all = {.vault = vault, .sink = sink};
        AUTO(get_tree_close) struct get_tree tree = {0};

        if (get_tree_open(vault, disk, &tree, note))
                return note->code;
        all.shape = *id_walk_shape(tree.walk);
        if (make(&all, note) || give_all(&all, tree.walk, note))
                return err_wrap(note, "disk %s", disk->name);
        *ret = all.count;
        return ERR_NONE;
}
