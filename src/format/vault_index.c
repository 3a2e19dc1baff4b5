// SPDX-License-Identifier: Apache-2.0
#include "vault_index.h"

#include <assert.h>
#include <inttypes.h>

#include "vault_index_disk.h"

static uint64_t fan_at(const struct vault_index_view *view, uint64_t i) {
        be64 count;

        memcpy(&count, view->fan + i * sizeof count, sizeof count);
        return be64_get(count);
}

static const struct vault_index_entry_disk *entry_at(const struct vault_index_view *view, uint64_t i) {
        return (const struct vault_index_entry_disk *)view->entries + i;
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum err decode_head(struct span bytes, struct vault_index_view *ret, struct err_note *note) {
        const struct vault_index_head_disk *disk = (const struct vault_index_head_disk *)bytes.data;

        if (bytes.n < VAULT_INDEX_HEAD)
                return err_set(note, ERR_CORRUPT, "%zu bytes are too few", bytes.n);
        if (memcmp(disk->magic, VAULT_INDEX_MAGIC, sizeof disk->magic) != 0)
                return err_set(note, ERR_CORRUPT, "it does not begin as one");
        if (!bytes_are_zero(disk->zero, sizeof disk->zero))
                return err_set(note, ERR_CORRUPT, "bytes that must be 0 are not");
        *ret = (struct vault_index_view){.bytes = bytes,
                                         .n_packs = be32_get(disk->n_packs),
                                         .n_replaced = be32_get(disk->n_replaced),
                                         .n_entries = be64_get(disk->n_entries),
                                         .fan_bits = disk->fan_bits};
        if (ret->fan_bits != vault_index_fan_bits(ret->n_entries))
                return err_set(note, ERR_CORRUPT, "a fan-out of %u bits for %" PRIu64 " entries",
                               ret->fan_bits, ret->n_entries);
        return ERR_NONE;
}

static enum err place_tables(struct vault_index_view *view, struct err_note *note) {
        const struct span bytes = view->bytes;
        uint64_t packs = VAULT_INDEX_HEAD + (uint64_t)view->n_replaced * sizeof(struct vault_name),
                 fan = packs + (uint64_t)view->n_packs * VAULT_INDEX_PACK_SIZE,
                 entries = fan + ((uint64_t)sizeof(be64) << view->fan_bits), n, all;

        if (!mul_u64(view->n_entries, VAULT_INDEX_ENTRY_SIZE, &n) || !add_u64(entries, n, &all) ||
            all != bytes.n)
                return err_set(note, ERR_CORRUPT,
                               "%" PRIu32 " packs, %" PRIu32 " indexes, %" PRIu64 " entries in %zu bytes",
                               view->n_packs, view->n_replaced, view->n_entries, bytes.n);
        view->replaced = bytes.data + VAULT_INDEX_HEAD;
        view->packs = bytes.data + packs;
        view->fan = bytes.data + fan;
        view->entries = bytes.data + entries;
        return ERR_NONE;
}

/* Each name behind the one before it, `each` bytes on. */
static bool are_ascending(const uint8_t *names, uint32_t n, size_t each) {
        for (uint32_t i = 1; i < n; i++)
                if (memcmp(names + (i - 1) * each, names + i * each, sizeof(struct vault_name)) >= 0)
                        return false;
        return true;
}

static bool is_fan(const struct vault_index_view *view) {
        uint64_t n = (uint64_t)1 << view->fan_bits, before = 0;

        for (uint64_t i = 0; i < n; i++) {
                uint64_t count = fan_at(view, i);

                if (count < before)
                        return false;
                before = count;
        }
        return before == view->n_entries;
}

static enum err check_tables(const struct vault_index_view *view, struct err_note *note) {
        if (!are_ascending(view->replaced, view->n_replaced, sizeof(struct vault_name)))
                return err_set(note, ERR_CORRUPT, "what it replaces is not in order");
        if (!are_ascending(view->packs, view->n_packs, VAULT_INDEX_PACK_SIZE))
                return err_set(note, ERR_CORRUPT, "its packs are not in order");
        if (!is_fan(view))
                return err_set(note, ERR_CORRUPT, "its fan-out is none");
        return ERR_NONE;
}

enum err vault_index_view(struct span bytes, struct vault_index_view *ret, struct err_note *note) {
        struct vault_index_view view;

        if (decode_head(bytes, &view, note) || place_tables(&view, note) || check_tables(&view, note))
                return err_wrap(note, "index");
        *ret = view;
        return ERR_NONE;
}

/* ---- looking --------------------------------------------------------------------------------- */

void vault_index_replaced(const struct vault_index_view *view, uint32_t i, struct vault_name *ret) {
        assert(i < view->n_replaced);
        memcpy(ret->b, view->replaced + (size_t)i * sizeof ret->b, sizeof ret->b);
}

enum err vault_index_pack(const struct vault_index_view *view, uint32_t row, struct vault_index_pack *ret,
                          struct err_note *note) {
        const struct vault_index_pack_disk *disk = (const struct vault_index_pack_disk *)view->packs + row;
        struct vault_index_pack pack = {.head = {.epoch = be16_get(disk->epoch)},
                                        .length = be64_get(disk->length),
                                        .n_blobs = be32_get(disk->n_blobs)};

        assert(row < view->n_packs);
        if (be16_get(disk->zero) || pack.n_blobs > VAULT_PACK_BLOBS_MAX ||
            pack.length < VAULT_PACK_HEAD + vault_pack_trailer_size(pack.n_blobs) + VAULT_PACK_END)
                return err_set(note, ERR_CORRUPT,
                               "index: pack %" PRIu32 " has %" PRIu32 " blobs in %" PRIu64 " bytes", row,
                               pack.n_blobs, pack.length);
        memcpy(pack.head.name.b, disk->name, sizeof disk->name);
        memcpy(pack.head.session.b, disk->session, sizeof disk->session);
        memcpy(pack.head.salt, disk->salt, sizeof disk->salt);
        *ret = pack;
        return ERR_NONE;
}

/* It lies among the blobs of its pack. */
static enum err check_place(const struct vault_index_view *view, const struct vault_index_entry *entry,
                            struct err_note *note) {
        struct vault_index_pack pack;
        uint64_t end;

        if (entry->pack >= view->n_packs)
                return err_set(note, ERR_CORRUPT, "index: an entry of pack %" PRIu32 " of %" PRIu32,
                               entry->pack, view->n_packs);
        if (vault_index_pack(view, entry->pack, &pack, note))
                return note->code;
        end = pack.length - VAULT_PACK_END - vault_pack_trailer_size(pack.n_blobs);
        if (entry->number >= pack.n_blobs || entry->at < VAULT_PACK_HEAD ||
            !range_fits(entry->at, entry->blob.stored, end))
                return err_set(note, ERR_CORRUPT,
                               "index: blob %" PRIu32 " at %" PRIu64 " is not within its pack", entry->number,
                               entry->at);
        return ERR_NONE;
}

enum err vault_index_entry(const struct vault_index_view *view, uint64_t i, struct vault_index_entry *ret,
                           struct err_note *note) {
        const struct vault_index_entry_disk *disk = entry_at(view, i);
        struct vault_index_entry entry = {.blob = {.type = (enum vault_blob_type)disk->type,
                                                   .level = disk->level,
                                                   .codec = (enum vault_codec)disk->codec,
                                                   .stored = be32_get(disk->stored),
                                                   .length = be32_get(disk->length)},
                                          .pack = be32_get(disk->pack),
                                          .number = be32_get(disk->number),
                                          .at = be64_get(disk->at)};

        assert(i < view->n_entries);
        memcpy(entry.blob.id.b, disk->id, sizeof disk->id);
        if (!bytes_are_zero(disk->zero, sizeof disk->zero))
                return err_set(note, ERR_CORRUPT, "index: entry %" PRIu64 ": bytes that must be 0 are not",
                               i);
        if (vault_pack_entry_check(&entry.blob, note))
                return err_wrap(note, "index: entry %" PRIu64, i);
        if (check_place(view, &entry, note))
                return note->code;
        *ret = entry;
        return ERR_NONE;
}

bool vault_index_first(const struct vault_index_view *view, const struct vault_id *id, uint64_t *ret_i) {
        uint64_t fan = vault_index_fan_of(id->b, view->fan_bits), low = fan ? fan_at(view, fan - 1) : 0,
                 end = fan_at(view, fan), high = end;

        while (low < high) {
                uint64_t middle = low + (high - low) / 2;

                if (memcmp(entry_at(view, middle)->id, id->b, sizeof id->b) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == end || memcmp(entry_at(view, low)->id, id->b, sizeof id->b) != 0)
                return false;
        *ret_i = low;
        return true;
}
