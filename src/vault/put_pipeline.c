// SPDX-License-Identifier: Apache-2.0
#include "put_pipeline.h"

#include <assert.h>
#include <stdatomic.h>

#include <isa-l/mem_routines.h>

#include "crew.h"
#include "mem.h"
#include "press.h"
#include "put_plan.h"

enum {
        BATCH_BYTES = 1 << 20, /* read at once; a chunk may be more */
        BATCH_CHUNKS = BATCH_BYTES / VAULT_CHUNK_MIN,
        SLOTS_SPARE = 4, /* beside one for each thread, so that none waits for the slowest */
        THREADS_MAX = 64,
        WAIT_NS = 200000000, /* between two ticks */
};
#define SLOTS_MEMORY (64 * MIB) /* of all batches */

struct put_chunk {
        struct vault_id id; /* null: zeros */
        bool is_known;
        size_t pressed; /* bytes in batch.pressed; 0: as it is */
};

struct put_batch {
        struct put_piece piece;
        uint8_t *raw, *pressed; /* owned; the chunks one behind the other, each in its place */
        struct put_chunk chunks[BATCH_CHUNKS];
};

struct put_pipeline {
        struct put_pipeline_options options;
        uint32_t chunk; /* bytes */
        unsigned batch_chunks, n_threads, n_batches;
        struct put_batch *batches; /* owned, and each */
        struct press **presses;    /* owned, and each; one a thread */
        struct crew *crew;         /* owned */
        atomic_uint_fast64_t done; /* bytes gone through */

        const struct put_disk *disk; /* borrowed; the one that is read */
        struct id_write *write;      /* borrowed; its tree */
        struct put_count count;      /* by the one who finishes; anyone's when idle */
};

/* ---- a batch, by any thread ---- */

static uint8_t *chunk_at(const struct put_pipeline *line, uint8_t *bytes, uint64_t i) {
        return bytes + i * line->chunk;
}

static enum err read_batch(const struct put_pipeline *line, struct put_batch *batch, struct err_note *note) {
        const struct put_source *source = &line->disk->source;
        uint64_t at = batch->piece.first * line->chunk, n = batch->piece.n * line->chunk;
        uint64_t there = min_u64(n, source->size - at);

        if (source->read(source->user, batch->raw, (size_t)there, at, note))
                return err_wrap(note, "disk %s: read %llu at %llu", line->disk->name,
                                (unsigned long long)there, (unsigned long long)at);
        memset(batch->raw + there, 0, (size_t)(n - there));
        return ERR_NONE;
}

static void work_chunk(struct put_pipeline *line, struct press *press, const uint8_t *raw, uint8_t *pressed,
                       struct put_chunk *ret) {
        *ret = (struct put_chunk){0};
        if (isal_zero_detect((void *)(uintptr_t)raw, line->chunk) == 0)
                return;
        keyring_chunk_id(line->options.vault->keyring, raw, line->chunk, &ret->id);
        ret->is_known = known_has(line->options.known, &ret->id);
        if (!ret->is_known)
                ret->pressed = press_bytes(press, raw, line->chunk, pressed);
}

static enum err work_batch(void *user, unsigned thread, void *slot, struct err_note *note) {
        struct put_pipeline *line = user;
        struct put_batch *batch = slot;

        if (batch->piece.is_hole)
                return ERR_NONE;
        if (read_batch(line, batch, note))
                return note->code;
        for (uint64_t i = 0; i < batch->piece.n; i++)
                work_chunk(line, line->presses[thread], chunk_at(line, batch->raw, i),
                           chunk_at(line, batch->pressed, i), &batch->chunks[i]);
        return ERR_NONE;
}

/* ---- a batch, in its turn ---- */

static enum err store_chunk(struct put_pipeline *line, struct put_batch *batch, uint64_t i,
                            struct err_note *note) {
        const struct put_chunk *chunk = &batch->chunks[i];
        struct pack_writer_blob blob = {.id = chunk->id,
                                        .data = chunk_at(line, batch->raw, i),
                                        .n = line->chunk,
                                        .codec = VAULT_AS_IS,
                                        .length = line->chunk};

        /* Another of the same content may have come meanwhile. */
        if (chunk->is_known || !known_add(line->options.known, &chunk->id)) {
                line->count.known += line->chunk;
                return ERR_NONE;
        }
        if (chunk->pressed > 0) {
                blob.data = chunk_at(line, batch->pressed, i);
                blob.n = chunk->pressed;
                blob.codec = VAULT_ZSTD;
        }
        line->count.added += line->chunk;
        return pack_writer_chunk(line->options.writer, &blob, note);
}

static enum err finish_chunk(struct put_pipeline *line, struct put_batch *batch, uint64_t i,
                             struct err_note *note) {
        const struct put_chunk *chunk = &batch->chunks[i];

        if (vault_id_is_null(&chunk->id))
                line->count.zeros += line->chunk;
        else if (store_chunk(line, batch, i, note))
                return note->code;
        return id_write_chunk(line->write, batch->piece.first + i, &chunk->id, note);
}

static enum err finish_batch(void *user, void *slot, struct err_note *note) {
        struct put_pipeline *line = user;
        struct put_batch *batch = slot;
        const struct put_piece *piece = &batch->piece;

        if (piece->is_hole) {
                if (id_write_zeros(line->write, piece->first, piece->n, note))
                        return note->code;
        } else {
                line->count.read +=
                        min_u64(piece->n * line->chunk, line->disk->source.size - piece->first * line->chunk);
                for (uint64_t i = 0; i < piece->n; i++) {
                        if (finish_chunk(line, batch, i, note))
                                return note->code;
                }
        }
        atomic_fetch_add(&line->done, piece->n * line->chunk);
        return ERR_NONE;
}

/* A node is known or stored as a chunk is. */
static enum err put_node(void *user, unsigned level, const struct vault_id *id,
                         const struct vault_id ids[VAULT_NODE_IDS], struct err_note *note) {
        struct put_pipeline *line = user;

        if (!known_add(line->options.known, id))
                return ERR_NONE;
        return pack_writer_node(line->options.writer, level, id, ids, note);
}

/* ---- the caller ---- */

static enum err tick(struct put_pipeline *line, struct err_note *note) {
        return line->options.tick(line->options.user, atomic_load(&line->done), note);
}

static enum err give(struct put_pipeline *line, const struct put_piece *piece, struct err_note *note) {
        void *slot = NULL;

        do {
                if (tick(line, note) || crew_next(line->crew, WAIT_NS, &slot, note))
                        return note->code;
        } while (!slot);
        ((struct put_batch *)slot)->piece = *piece;
        crew_give(line->crew);
        return ERR_NONE;
}

static enum err give_all(struct put_pipeline *line, struct put_plan *plan, struct err_note *note) {
        struct put_piece piece;
        bool is_idle = false;

        for (;;) {
                if (put_plan_next(plan, &piece, note))
                        return note->code;
                if (piece.n == 0)
                        break;
                if (give(line, &piece, note))
                        return note->code;
        }
        while (!is_idle) {
                if (crew_wait(line->crew, WAIT_NS, &is_idle, note) || tick(line, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* What is on its way when this fails still uses the disk and its tree. */
static void stop(struct put_pipeline *line) {
        crew_free(TAKE(line->crew));
}

enum err put_pipeline_disk(struct put_pipeline *line, const struct put_disk *disk, struct id_walk *parent,
                           struct vault_id *ret_root, struct err_note *note) {
        struct id_write_options options = {
                .keyring = line->options.vault->keyring, .parent = parent, .put = put_node, .user = line};
        AUTO(id_write_free) struct id_write *write = NULL;
        struct put_plan plan;

        if (!line->crew)
                return err_set(note, ERR_INVALID, "this put has failed already");
        id_tree_shape_of(disk->source.size, line->chunk, &options.shape);
        if (put_plan_init(&plan, disk, &options.shape, line->batch_chunks, note))
                return err_wrap(note, "disk %s", disk->name);
        write = id_write_new(&options);
        line->disk = disk;
        line->write = write;
        if (give_all(line, &plan, note) || id_write_end(write, ret_root, note)) {
                stop(line);
                return note->code;
        }
        return ERR_NONE;
}

enum err put_pipeline_settle(struct put_pipeline *line, struct err_note *note) {
        bool is_idle = false;

        if (!line->crew)
                return err_set(note, ERR_INVALID, "this put has failed already");
        if (pack_writer_flush(line->options.writer, note))
                return note->code;
        while (!is_idle) {
                if (pack_writer_wait(line->options.writer, WAIT_NS, &is_idle, note) || tick(line, note))
                        return note->code;
        }
        return pack_writer_index(line->options.writer, note);
}

struct put_count put_pipeline_count(const struct put_pipeline *line) {
        return line->count;
}

/* ---- making and freeing ---- */

/* One slot more than threads at least: the first in order is at work always, so that none waits for ever. */
static void size_up(struct put_pipeline *line) {
        unsigned n = line->options.n_threads ? line->options.n_threads : crew_cores();
        size_t batch;

        line->batch_chunks = (unsigned)max_u64(1, BATCH_BYTES / line->chunk);
        batch = 2 * (size_t)line->batch_chunks * line->chunk;
        line->n_threads = (unsigned)min_u64(min_u64(n, THREADS_MAX), SLOTS_MEMORY / batch - 1);
        line->n_batches = (unsigned)min_u64(line->n_threads + SLOTS_SPARE, SLOTS_MEMORY / batch);
}

enum err put_pipeline_new(const struct put_pipeline_options *options, struct put_pipeline **ret,
                          struct err_note *note) {
        AUTO(put_pipeline_free) struct put_pipeline *line = mem_new(struct put_pipeline);
        struct crew_options crew = {
                .work = work_batch, .finish = finish_batch, .user = line, .slot_size = sizeof *line->batches};
        size_t n_bytes;

        line->options = *options;
        line->chunk = options->vault->config.chunk;
        size_up(line);
        n_bytes = (size_t)line->batch_chunks * line->chunk;
        line->batches = mem_zero(line->n_batches * sizeof *line->batches);
        for (unsigned i = 0; i < line->n_batches; i++) {
                line->batches[i].raw = mem_aligned(4096, n_bytes);
                line->batches[i].pressed = mem_aligned(4096, n_bytes);
        }
        line->presses = mem_zero(line->n_threads * sizeof *line->presses);
        for (unsigned i = 0; i < line->n_threads; i++)
                line->presses[i] = press_new(&options->vault->config);
        crew.slots = line->batches;
        crew.n_slots = line->n_batches;
        crew.n_threads = line->n_threads;
        if (crew_new(&crew, &line->crew, note))
                return note->code;
        *ret = TAKE(line);
        return ERR_NONE;
}

void put_pipeline_free(struct put_pipeline *line) {
        if (!line)
                return;
        stop(line);
        for (unsigned i = 0; line->batches && i < line->n_batches; i++) {
                free(line->batches[i].raw);
                free(line->batches[i].pressed);
        }
        for (unsigned i = 0; line->presses && i < line->n_threads; i++)
                press_free(line->presses[i]);
        free(line->batches);
        free(line->presses);
        free(line);
}
