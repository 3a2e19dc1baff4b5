// SPDX-License-Identifier: Apache-2.0
#include "mover.h"
#include "mover_tally.h"

static void add_up(void *user, const struct mover_found *found) {
        struct mover_price *price = user;

        if (!found->n_sectors)
                return;
        price->bytes += (uint64_t)found->n_sectors * SECTOR;
        price->blocks++;
        price->new_blocks += found->is_new;
}

enum err mover_price(struct image *const *run, size_t n, size_t into, struct mover_price *ret,
                     struct err_note *note) {
        struct mover_price sum = {0};

        if (mover_tally(run, n, into, add_up, &sum, note))
                return err_wrap(note, "price a %s into %s", into ? "pull" : "push", run[into]->path);
        *ret = sum;
        return ERR_NONE;
}
