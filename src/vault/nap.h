// SPDX-License-Identifier: Apache-2.0
/* Sleeping as long as nobody asks to stop.  Errors: none.  Threads: any. */
#ifndef VAULT_NAP_H
#define VAULT_NAP_H

#include <stdatomic.h>

#include "bytes.h"
#include "io.h"

#define NAP_NS UINT64_C(100000000)

/* False: *stop became true first.  stop is borrowed; NULL: nobody does. */
static inline bool nap(struct io *io, uint64_t ns, const atomic_bool *stop) {
        for (uint64_t piece; ns > 0 && !(stop && atomic_load(stop)); ns -= piece) {
                piece = min_u64(ns, NAP_NS);
                io_sleep_ns(io, piece);
        }
        return ns == 0;
}

#endif
