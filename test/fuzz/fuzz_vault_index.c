// SPDX-License-Identifier: Apache-2.0
/* An opened index: all of it can be looked at, what an entry says lies within its pack, and entries that are
 * right in their order are written again as they were. */
#include "fuzz.h"

#include <string.h>

#include "mem.h"
#include "vault_index.h"

static bool has_pack(const struct vault_index_view *view, uint32_t row, struct vault_index_pack *ret) {
        struct err_note note = {0};

        if (!vault_index_pack(view, row, ret, &note))
                return true;
        MUST_HOLD(note.code == ERR_CORRUPT && note.text[0]);
        return false;
}

static bool has_entry(const struct vault_index_view *view, uint64_t i, struct vault_index_entry *ret) {
        struct vault_index_pack pack;
        struct err_note note = {0};

        if (vault_index_entry(view, i, ret, &note)) {
                MUST_HOLD(note.code == ERR_CORRUPT && note.text[0]);
                return false;
        }
        MUST_HOLD(has_pack(view, ret->pack, &pack));
        MUST_HOLD(ret->number < pack.n_blobs && range_fits(ret->at, ret->blob.stored, pack.length));
        return true;
}

/* Whether all is as an encoder has it: then it is in order. */
static bool add_all(const struct vault_index_view *view, struct vault_index_builder *builder) {
        struct vault_index_entry entry, before = {0};
        struct vault_index_pack pack;
        struct vault_name name;

        for (uint32_t i = 0; i < view->n_replaced; i++) {
                vault_index_replaced(view, i, &name);
                vault_index_replace(builder, &name);
        }
        for (uint32_t row = 0; row < view->n_packs; row++) {
                if (!has_pack(view, row, &pack))
                        return false;
                MUST_HOLD(vault_index_add_pack(builder, &pack) == row);
        }
        for (uint64_t i = 0; i < view->n_entries; i++, before = entry) {
                int order;

                if (!has_entry(view, i, &entry))
                        return false;
                order = vault_id_compare(&before.blob.id, &entry.blob.id);
                if (order > 0 ||
                    (order == 0 && (before.pack > entry.pack ||
                                    (before.pack == entry.pack && before.number >= entry.number))))
                        return false;
                vault_index_add_entry(builder, &entry);
        }
        return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        AUTO(vault_index_builder_free) struct vault_index_builder *builder = vault_index_builder_new();
        struct vault_index_entry entry;
        struct vault_index_view view, second;
        AUTO(buf_fini) struct buf again = {0};
        struct err_note note = {0};
        struct vault_id id = {{0}};
        uint64_t at;

        if (vault_index_view((struct span){data, n}, &view, &note)) {
                MUST_HOLD(note.code == ERR_CORRUPT && note.text[0]);
                return 0;
        }
        for (uint64_t i = 0; i < view.n_entries; i++)
                (void)has_entry(&view, i, &entry);
        memcpy(id.b, data + n - (view.n_entries ? 64 : 32), sizeof id.b);
        if (vault_index_first(&view, &id, &at))
                MUST_HOLD(at < view.n_entries);
        if (!add_all(&view, builder))
                return 0;
        vault_index_encode(builder, &again);
        MUST_HOLD(again.n == n);
        if (vault_index_view((struct span){again.data, again.n}, &second, &note))
                abort();
        /* The fan-out of the first may have told otherwise. */
        MUST_HOLD(memcmp(again.data, data, (size_t)(view.fan - data)) == 0);
        MUST_HOLD(memcmp(second.entries, view.entries, view.n_entries * VAULT_INDEX_ENTRY_SIZE) == 0);
        return 0;
}
