// SPDX-License-Identifier: Apache-2.0
#include "pull.h"
#include "push_tally.h"

static void add_up(void *user, const struct push_found *found) {
        struct push_price *price = user;

        if (!found->n_sectors)
                return;
        price->bytes += (uint64_t)found->n_sectors * SECTOR;
        price->blocks++;
        price->new_blocks += found->is_new;
}

static enum err price(struct image *const *run, size_t n, size_t into, struct push_price *ret,
                      struct err_note *note) {
        struct push_price sum = {0};

        if (push_tally(run, n, into, add_up, &sum, note))
                return err_wrap(note, "price a %s into %s", into ? "pull" : "push", run[into]->path);
        *ret = sum;
        return ERR_NONE;
}

enum err push_price(struct image *const *run, size_t n, struct push_price *ret, struct err_note *note) {
        return price(run, n, 0, ret, note);
}

enum err pull_price(struct image *const *run, size_t n, struct push_price *ret, struct err_note *note) {
        return price(run, n, n - 1, ret, note);
}
