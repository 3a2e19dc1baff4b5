// SPDX-License-Identifier: Apache-2.0
#include "chain_source.h"

static enum err read_chain(void *user, void *ret, size_t n, uint64_t at, struct err_note *note) {
        return chain_read(user, ret, n, at, note);
}

static enum err next_data(void *user, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                          struct err_note *note) {
        uint64_t size = chain_size(user);
        struct extent run;

        *ret_start = *ret_end = size;
        for (; at < size; at = run.at + run.n) {
                if (chain_extent_at(user, NULL, at, size - at, &run, note))
                        return note->code;
                if (run.kind == EXTENT_DATA) {
                        *ret_start = run.at;
                        *ret_end = run.at + run.n;
                        break;
                }
        }
        return ERR_NONE;
}

struct put_source chain_source(struct chain *chain) {
        return (struct put_source){
                .size = chain_size(chain), .read = read_chain, .next_data = next_data, .user = chain};
}
