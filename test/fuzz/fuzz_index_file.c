// SPDX-License-Identifier: Apache-2.0
/* An opened index kept on this machine.  The input as the body of an index: what is found in the file made of
 * it is what is found in the body.  The same bytes as such a file: refused, or read within its bytes. */
#include "fuzz.h"

#include <string.h>

#include "index_file.h"
#include "io_sim.h"

static const struct vault_name name = {{1}};

/* Entries that no id leads to may be anywhere: where the look ends is compared, and what it finds there. */
static void try_entry(const struct vault_index_view *view, const struct index_file *index, uint64_t i) {
        struct vault_index_entry want, got;
        struct index_pieces pieces;
        struct err_note note = {0};
        uint64_t first, at, n;
        bool is_found;

        index_pieces_init(&pieces);
        if (vault_index_entry(view, i, &want, &note)) {
                MUST_HOLD(index_file_entry(index, &pieces, i, &got, &note) == ERR_CORRUPT);
                return;
        }
        MUST_HOLD(index_file_entry(index, &pieces, i, &got, &note) == ERR_NONE);
        MUST_HOLD(vault_id_compare(&want.blob.id, &got.blob.id) == 0 && want.at == got.at &&
                  want.pack == got.pack && want.number == got.number);
        MUST_HOLD(index_file_may_have(index, &want.blob.id));
        is_found = vault_index_first(view, &want.blob.id, &first);
        MUST_HOLD(index_file_find(index, &pieces, &want.blob.id, &at, &n, &note) == ERR_NONE);
        MUST_HOLD(is_found == (n > 0) && (!is_found || at == first));
}

static void try_body(struct io *io, struct span body) {
        AUTO(index_file_free) struct index_file *index = NULL;
        struct vault_index_view view;
        struct err_note note = {0};

        if (index_file_make(io, "/made", &name, body, &index, &note)) {
                MUST_HOLD(vault_index_view(body, &view, &note) != ERR_NONE);
                return;
        }
        MUST_HOLD(vault_index_view(body, &view, &note) == ERR_NONE);
        for (uint64_t i = 0; i < view.n_entries; i++)
                try_entry(&view, index, i);
}

static void try_file(struct io *io, struct span bytes) {
        AUTO(index_file_free) struct index_file *index = NULL;
        AUTO(io_close) struct io_file *file = NULL;
        struct vault_index_entry entry;
        struct index_pieces pieces;
        struct err_note note = {0};

        MUST_HOLD(io_open(io, "/given", IO_CREATE, &file, &note) == ERR_NONE);
        if (bytes.n)
                MUST_HOLD(io_write(file, bytes.data, bytes.n, 0, &note) == ERR_NONE);
        if (index_file_open(io, "/given", &name, &index, &note)) {
                MUST_HOLD((note.code == ERR_CORRUPT || note.code == ERR_CUT_SHORT) && note.text[0]);
                return;
        }
        index_pieces_init(&pieces);
        for (uint64_t i = 0; i < index_file_tables(index)->n_entries; i++)
                (void)!index_file_entry(index, &pieces, i, &entry, &note);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct io *io = io_sim_new(1, 0);

        try_body(io, (struct span){data, n});
        try_file(io, (struct span){data, n});
        io_free(io);
        return 0;
}
