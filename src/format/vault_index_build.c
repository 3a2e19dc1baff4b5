// SPDX-License-Identifier: Apache-2.0
/* The writing half of vault_index.h.  Entries are kept as they will be written, and sorted where they lie. */
#include <assert.h>

#include "mem.h"
#include "vault_index_disk.h"

enum { ORDERED = 40 }; /* first bytes of an entry, by which they are sorted: id, pack, number */

struct named_row {
        struct vault_index_pack_disk pack;
        uint32_t row; /* as add_pack told it */
};
struct vault_index_builder {
        VEC(struct vault_name) replaced; /* owned */
        VEC(struct named_row) packs;     /* owned */
        struct buf entries;              /* owned */
        uint32_t number;                 /* of the last pack's next blob */
        uint64_t at;                     /* likewise */
};

struct vault_index_builder *vault_index_builder_new(void) {
        return mem_new(struct vault_index_builder);
}

void vault_index_builder_free(struct vault_index_builder *builder) {
        if (!builder)
                return;
        vec_fini(&builder->replaced);
        vec_fini(&builder->packs);
        buf_fini(&builder->entries);
        free(builder);
}

/* ---- adding ---------------------------------------------------------------------------------- */

void vault_index_replace(struct vault_index_builder *builder, const struct vault_name *name) {
        *vec_add(&builder->replaced) = *name;
}

uint32_t vault_index_add_pack(struct vault_index_builder *builder, const struct vault_index_pack *pack) {
        uint32_t row = (uint32_t)builder->packs.n;
        struct named_row *to = vec_add(&builder->packs);

        memcpy(to->pack.name, pack->head.name.b, sizeof to->pack.name);
        memcpy(to->pack.session, pack->head.session.b, sizeof to->pack.session);
        memcpy(to->pack.salt, pack->head.salt, sizeof to->pack.salt);
        to->pack.length = be64_put(pack->length);
        to->pack.epoch = be16_put(pack->head.epoch);
        to->pack.n_blobs = be32_put(pack->n_blobs);
        to->row = row;
        builder->number = 0;
        builder->at = VAULT_PACK_HEAD;
        return row;
}

void vault_index_add_entry(struct vault_index_builder *builder, const struct vault_index_entry *entry) {
        struct vault_index_entry_disk disk = {.pack = be32_put(entry->pack),
                                              .number = be32_put(entry->number),
                                              .at = be64_put(entry->at),
                                              .stored = be32_put(entry->blob.stored),
                                              .length = be32_put(entry->blob.length),
                                              .type = (uint8_t)entry->blob.type,
                                              .level = entry->blob.level,
                                              .codec = (uint8_t)entry->blob.codec};

        assert(entry->pack < builder->packs.n);
        memcpy(disk.id, entry->blob.id.b, sizeof disk.id);
        buf_add(&builder->entries, &disk, sizeof disk);
}

void vault_index_add(struct vault_index_builder *builder, const struct vault_pack_entry *blob) {
        const struct vault_index_entry entry = {.blob = *blob,
                                                .pack = (uint32_t)builder->packs.n - 1,
                                                .number = builder->number,
                                                .at = builder->at};

        vault_index_add_entry(builder, &entry);
        builder->number++;
        builder->at += blob->stored;
}

/* ---- sorting --------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b) {
        return memcmp(a, b, sizeof(struct vault_name));
}

static int compare_entries(const void *a, const void *b) {
        return memcmp(a, b, ORDERED);
}

/* Of those that `compare` finds equal one is left; returns how many there are then. */
static size_t drop_twins(void *items, size_t n, size_t each, int (*compare)(const void *, const void *)) {
        uint8_t *bytes = items;
        size_t left = 0;

        for (size_t i = 0; i < n; i++) {
                if (left && compare(bytes + (left - 1) * each, bytes + i * each) == 0)
                        continue;
                if (left != i)
                        memcpy(bytes + left * each, bytes + i * each, each);
                left++;
        }
        return left;
}

/* The last row that a pack of this name has once the twins are gone, for each row that add_pack told. */
static uint32_t *sort_packs(struct vault_index_builder *builder) {
        uint32_t *rows = mem_zero((builder->packs.n + 1) * sizeof *rows), row = 0;
        struct named_row *packs = builder->packs.data;

        if (builder->packs.n)
                qsort(packs, builder->packs.n, sizeof *packs, compare_names);
        for (size_t i = 0; i < builder->packs.n; i++) {
                if (i && compare_names(&packs[i - 1], &packs[i]) != 0)
                        row++;
                rows[packs[i].row] = row;
        }
        builder->packs.n = drop_twins(packs, builder->packs.n, sizeof *packs, compare_names);
        return rows;
}

/* How many entries each value of the first bits has, and all values before it. */
static uint64_t *count_fan(const struct vault_index_entry_disk *entries, uint64_t n, unsigned bits) {
        uint64_t *fan = mem_zero(sizeof *fan << bits);

        for (uint64_t i = 0; i < n; i++)
                fan[vault_index_fan_of(entries[i].id, bits)]++;
        for (uint64_t i = 1; i < (uint64_t)1 << bits; i++)
                fan[i] += fan[i - 1];
        return fan;
}

/* Each entry into the part of the array where its first bits belong: what is found there in its place is
 * taken up and carried on, until one comes that belongs where the first was. */
static void spread(struct vault_index_entry_disk *entries, const uint64_t *fan, unsigned bits) {
        uint64_t n = (uint64_t)1 << bits;
        AUTO_FREE uint64_t *next = mem_zero(n * sizeof *next); /* of each part, the first not yet right */

        for (uint64_t i = 1; i < n; i++)
                next[i] = fan[i - 1];
        for (uint64_t i = 0; i < n; i++)
                while (next[i] < fan[i]) {
                        struct vault_index_entry_disk held = entries[next[i]], other;
                        uint64_t home;

                        while ((home = vault_index_fan_of(held.id, bits)) != i) {
                                other = entries[next[home]];
                                entries[next[home]++] = held;
                                held = other;
                        }
                        entries[next[i]++] = held;
                }
}

/* By parts, since of many entries nearly each comparison would else wait for memory. */
static uint64_t sort_entries(struct vault_index_entry_disk *entries, uint64_t n) {
        unsigned bits = vault_index_fan_bits(n);
        AUTO_FREE uint64_t *fan = count_fan(entries, n, bits);

        spread(entries, fan, bits);
        for (uint64_t i = 0; i < (uint64_t)1 << bits; i++) {
                uint64_t from = i ? fan[i - 1] : 0;

                if (fan[i] - from > 1)
                        qsort(entries + from, fan[i] - from, sizeof *entries, compare_entries);
        }
        return drop_twins(entries, n, sizeof *entries, compare_entries);
}

/* ---- writing --------------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *at, const void *bytes, size_t n) {
        if (n)
                memcpy(at, bytes, n);
        return at + n;
}

/* The tables come before the entries, which make room for them: a second copy of all would be large. */
static void write_tables(const struct vault_index_builder *builder, uint64_t n, struct buf *entries) {
        unsigned bits = vault_index_fan_bits(n);
        AUTO_FREE uint64_t *fan = count_fan((const struct vault_index_entry_disk *)entries->data, n, bits);
        size_t replaced = builder->replaced.n * sizeof(struct vault_name),
               tables = VAULT_INDEX_HEAD + replaced + builder->packs.n * VAULT_INDEX_PACK_SIZE +
                        (sizeof(be64) << bits);
        struct vault_index_head_disk head = {.n_packs = be32_put((uint32_t)builder->packs.n),
                                             .n_replaced = be32_put((uint32_t)builder->replaced.n),
                                             .n_entries = be64_put(n),
                                             .fan_bits = (uint8_t)bits};
        uint8_t *at;

        buf_extend(entries, tables);
        memmove(entries->data + tables, entries->data, n * VAULT_INDEX_ENTRY_SIZE);
        memcpy(head.magic, VAULT_INDEX_MAGIC, sizeof head.magic);
        at = put(entries->data, &head, sizeof head);
        at = put(at, builder->replaced.data, replaced);
        for (size_t i = 0; i < builder->packs.n; i++)
                at = put(at, &builder->packs.data[i].pack, VAULT_INDEX_PACK_SIZE);
        for (uint64_t i = 0; i < (uint64_t)1 << bits; i++)
                at = put(at, &(be64[]){be64_put(fan[i])}, sizeof(be64));
}

void vault_index_encode(struct vault_index_builder *builder, struct buf *ret) {
        AUTO_FREE uint32_t *rows = sort_packs(builder);
        struct vault_index_entry_disk *entries = (struct vault_index_entry_disk *)builder->entries.data;
        uint64_t n = builder->entries.n / sizeof *entries;

        assert(ret->n == 0);
        if (builder->replaced.n)
                qsort(builder->replaced.data, builder->replaced.n, sizeof *builder->replaced.data,
                      compare_names);
        builder->replaced.n = drop_twins(builder->replaced.data, builder->replaced.n,
                                         sizeof *builder->replaced.data, compare_names);
        for (uint64_t i = 0; i < n; i++)
                entries[i].pack = be32_put(rows[be32_get(entries[i].pack)]);
        n = sort_entries(entries, n);
        builder->entries.n = n * sizeof *entries;
        write_tables(builder, n, &builder->entries);
        buf_fini(ret);
        *ret = builder->entries;
        builder->entries = (struct buf){0};
}
