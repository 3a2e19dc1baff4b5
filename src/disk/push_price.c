// SPDX-License-Identifier: Apache-2.0
#include "push.h"

#include "push_tally.h"

static void add_up(void *user, const struct push_found *found) {
        struct push_price *price = user;

        if (!found->n_sectors)
                return;
        price->bytes += (uint64_t)found->n_sectors * SECTOR;
        price->blocks++;
        price->new_blocks += found->is_new;
}

enum err push_price(struct image *const *run, size_t n, struct push_price *ret, struct err_note *note) {
        struct push_price price = {0};

        if (push_tally(run, n, add_up, &price, note))
                return err_wrap(note, "price a push into %s", run[0]->path);
        *ret = price;
        return ERR_NONE;
}
