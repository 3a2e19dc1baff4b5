// SPDX-License-Identifier: Apache-2.0
#include "pack_writer.h"

#include <assert.h>
#include <stdatomic.h>

#include "crew.h"
#include "mem.h"
#include "press.h"

/* How many packs fill or are on their way: enough that a target which takes its time does not hold up the
 * rest, and no more memory than this. */
#define PACKS_MEMORY (96 * MIB)
enum { PACKS_MIN = 2, PACKS_MAX = 8 };

struct pack {
        uint8_t *bytes; /* owned */
        size_t n;
        struct vault_pack_head head;
        uint8_t head_bytes[VAULT_PACK_HEAD];
        struct pack_key *key;                 /* owned; NULL: it was not begun */
        VEC(struct vault_pack_entry) entries; /* owned */
        uint64_t stored;                      /* of its blobs */
};

struct shelf_node {
        unsigned level;
        struct vault_id id;
        struct vault_id ids[VAULT_NODE_IDS];
};

struct pack_writer {
        struct pack_writer_options options;
        size_t room;                  /* bytes of a pack at most */
        struct pack packs[PACKS_MAX]; /* owned, and each */
        unsigned n_packs;
        struct crew *crew;        /* owned; puts them */
        struct pack *open;        /* borrowed from packs; NULL: none */
        struct press *press;      /* owned; of nodes */
        struct shelf_node *shelf; /* owned */
        size_t n_shelf;

        /* The crew's, in the order of packs; anyone's when it is idle. */
        struct vault_index_builder *builder; /* owned */
        size_t n_entries;                    /* in builder */

        atomic_uint_fast64_t n_put, stored; /* so far */
};

/* What a pack of n blobs has behind them. */
static size_t end_size(size_t n) {
        return n * VAULT_ENTRY_SIZE + VAULT_TAG_SIZE + VAULT_PACK_END;
}

/* ---- putting a full one ---- */

static enum err put_pack(void *user, unsigned thread, void *slot, struct err_note *note) {
        struct pack_writer *writer = user;
        struct pack *pack = slot;
        struct vault_pack_end end = {.n_blobs = (uint32_t)pack->entries.n, .trailer_at = pack->n};
        uint8_t *trailer = pack->bytes + pack->n;
        size_t n = pack->entries.n * VAULT_ENTRY_SIZE;

        (void)thread;
        for (size_t i = 0; i < pack->entries.n; i++)
                vault_pack_entry_encode(&pack->entries.data[i], trailer + i * VAULT_ENTRY_SIZE);
        pack_key_seal(pack->key, end.n_blobs, NULL, trailer, n, trailer);
        n += VAULT_TAG_SIZE;
        end.length = pack->n + n + VAULT_PACK_END;
        vault_pack_end_encode(&end, pack->head_bytes, (struct span){trailer, n}, trailer + n);
        pack->n = end.length;
        return target_put(writer->options.vault->target, vault_pack_path(&pack->head.name).s, pack->bytes,
                          pack->n, note);
}

static enum err put_index(struct pack_writer *writer, struct err_note *note) {
        AUTO(buf_fini) struct buf body = {0};
        struct vault_name name;

        vault_index_encode(writer->builder, &body);
        vault_index_builder_free(TAKE(writer->builder));
        writer->builder = vault_index_builder_new();
        writer->n_entries = 0;
        vault_name_random(writer->options.vault->io, &name);
        if (vault_put_object(writer->options.vault, VAULT_INDEX, &name, (struct span){body.data, body.n},
                             NULL, note))
                return err_wrap(note, "put an index");
        return blobs_add_index(writer->options.vault->blobs, &name, (struct span){body.data, body.n}, note);
}

/* It is durable: the vault has its blobs from now on. */
static enum err settle_pack(void *user, void *slot, struct err_note *note) {
        struct pack_writer *writer = user;
        struct pack *pack = slot;
        const struct vault_index_pack row = {
                .head = pack->head, .length = pack->n, .n_blobs = (uint32_t)pack->entries.n};

        vault_index_add_pack(writer->builder, &row);
        VEC_EACH (&pack->entries, entry)
                vault_index_add(writer->builder, entry);
        known_settle(writer->options.known, &row, pack->entries.data, row.n_blobs);
        writer->n_entries += pack->entries.n;
        atomic_fetch_add(&writer->n_put, 1);
        atomic_fetch_add(&writer->stored, pack->stored);
        pack_key_free(TAKE(pack->key));
        pack->entries.n = 0;
        return writer->n_entries >= writer->options.index_entries ? put_index(writer, note) : ERR_NONE;
}

/* ---- filling one ---- */

static enum err begin_pack(struct pack_writer *writer, struct err_note *note) {
        struct vault *vault = writer->options.vault;
        struct pack *pack;
        void *slot;

        if (crew_next(writer->crew, CREW_FOREVER, &slot, note))
                return note->code;
        pack = slot;
        pack->head = (struct vault_pack_head){.is_sealed = !keyring_is_plain(vault->keyring),
                                              .epoch = (uint16_t)keyring_epoch(vault->keyring),
                                              .session = writer->options.session};
        vault_name_random(vault->io, &pack->head.name);
        if (pack->head.is_sealed)
                io_random(vault->io, pack->head.salt, sizeof pack->head.salt);
        if (pack_key_new(vault->keyring, &pack->head, &pack->key, note))
                return err_wrap(note, "begin a pack");
        vault_pack_head_encode(&pack->head, pack->head_bytes);
        if (!pack->bytes)
                pack->bytes = mem_aligned(4096, writer->room);
        memcpy(pack->bytes, pack->head_bytes, sizeof pack->head_bytes);
        pack->n = sizeof pack->head_bytes;
        pack->stored = 0;
        writer->open = pack;
        return ERR_NONE;
}

static void end_pack(struct pack_writer *writer) {
        writer->open = NULL;
        crew_give(writer->crew);
}

static bool is_full(const struct pack_writer *writer, size_t stored) {
        const struct pack *pack = writer->open;

        return pack->entries.n > 0 &&
               (pack->n + stored + end_size(pack->entries.n + 1) > writer->options.vault->config.pack ||
                pack->entries.n == VAULT_PACK_BLOBS_MAX);
}

/* It gets its number here, and a number is a nonce: of a pack each is used once. */
static enum err add_blob(struct pack_writer *writer, struct vault_pack_entry *entry, const void *data,
                         size_t n, struct err_note *note) {
        struct pack *pack;

        entry->stored = (uint32_t)(n + VAULT_TAG_SIZE);
        if (writer->open && is_full(writer, entry->stored))
                end_pack(writer);
        if (!writer->open && begin_pack(writer, note))
                return note->code;
        pack = writer->open;
        assert(pack->n + entry->stored + end_size(pack->entries.n + 1) <= writer->room);
        pack_key_seal(pack->key, (uint32_t)pack->entries.n, entry, data, n, pack->bytes + pack->n);
        pack->n += entry->stored;
        pack->stored += entry->stored;
        *vec_add(&pack->entries) = *entry;
        return ERR_NONE;
}

enum err pack_writer_chunk(struct pack_writer *writer, const struct pack_writer_blob *blob,
                           struct err_note *note) {
        struct vault_pack_entry entry = {
                .type = VAULT_CHUNK, .codec = blob->codec, .length = blob->length, .id = blob->id};

        return add_blob(writer, &entry, blob->data, blob->n, note);
}

static enum err add_shelf(struct pack_writer *writer, struct err_note *note) {
        uint8_t pressed[VAULT_NODE_SIZE];

        for (size_t i = 0; i < writer->n_shelf; i++) {
                const struct shelf_node *node = &writer->shelf[i];
                size_t n = press_bytes(writer->press, node->ids, VAULT_NODE_SIZE, pressed);
                struct vault_pack_entry entry = {.type = VAULT_NODE,
                                                 .level = (uint8_t)node->level,
                                                 .codec = n ? VAULT_ZSTD : VAULT_AS_IS,
                                                 .length = VAULT_NODE_SIZE,
                                                 .id = node->id};

                if (add_blob(writer, &entry, n ? (const void *)pressed : node->ids, n ? n : VAULT_NODE_SIZE,
                             note))
                        return note->code;
        }
        writer->n_shelf = 0;
        return ERR_NONE;
}

enum err pack_writer_node(struct pack_writer *writer, unsigned level, const struct vault_id *id,
                          const struct vault_id ids[VAULT_NODE_IDS], struct err_note *note) {
        struct shelf_node *node;

        if (writer->n_shelf == PACK_WRITER_SHELF && add_shelf(writer, note))
                return note->code;
        node = &writer->shelf[writer->n_shelf++];
        node->level = level;
        node->id = *id;
        memcpy(node->ids, ids, sizeof node->ids);
        return ERR_NONE;
}

/* ---- the end ---- */

enum err pack_writer_flush(struct pack_writer *writer, struct err_note *note) {
        if (add_shelf(writer, note))
                return note->code;
        if (writer->open)
                end_pack(writer);
        return ERR_NONE;
}

enum err pack_writer_wait(struct pack_writer *writer, uint64_t wait_ns, bool *ret_is_idle,
                          struct err_note *note) {
        return crew_wait(writer->crew, wait_ns, ret_is_idle, note);
}

enum err pack_writer_index(struct pack_writer *writer, struct err_note *note) {
        return writer->n_entries > 0 ? put_index(writer, note) : ERR_NONE;
}

struct pack_writer_count pack_writer_count(const struct pack_writer *writer) {
        return (struct pack_writer_count){atomic_load(&writer->n_put), atomic_load(&writer->stored)};
}

/* ---- making and freeing ---- */

static size_t room_of(const struct vault_config *config) {
        uint64_t least = VAULT_PACK_HEAD + config->chunk + VAULT_TAG_SIZE + end_size(1);

        return (size_t)max_u64(config->pack, max_u64(least, VAULT_PACK_HEAD + VAULT_NODE_SIZE +
                                                                    VAULT_TAG_SIZE + end_size(1)));
}

enum err pack_writer_new(const struct pack_writer_options *options, struct pack_writer **ret,
                         struct err_note *note) {
        AUTO(pack_writer_free) struct pack_writer *writer = mem_new(struct pack_writer);
        struct crew_options crew = {.work = put_pack,
                                    .finish = settle_pack,
                                    .user = writer,
                                    .slots = writer->packs,
                                    .slot_size = sizeof *writer->packs};

        writer->options = *options;
        if (options->index_entries == 0)
                writer->options.index_entries = PACK_WRITER_INDEX;
        writer->room = room_of(&options->vault->config);
        writer->n_packs = (unsigned)min_u64(PACKS_MAX, max_u64(PACKS_MIN, PACKS_MEMORY / writer->room));
        writer->press = press_new(&options->vault->config);
        writer->shelf = mem_aligned(64, PACK_WRITER_SHELF * sizeof *writer->shelf);
        writer->builder = vault_index_builder_new();
        crew.n_slots = writer->n_packs;
        crew.n_threads = writer->n_packs - 1;
        if (crew_new(&crew, &writer->crew, note))
                return note->code;
        *ret = TAKE(writer);
        return ERR_NONE;
}

void pack_writer_free(struct pack_writer *writer) {
        if (!writer)
                return;
        crew_free(writer->crew);
        for (unsigned i = 0; i < PACKS_MAX; i++) {
                pack_key_free_auto(&writer->packs[i].key);
                vec_fini(&writer->packs[i].entries);
                free(writer->packs[i].bytes);
        }
        vault_index_builder_free_auto(&writer->builder);
        press_free(writer->press);
        free(writer->shelf);
        free(writer);
}
