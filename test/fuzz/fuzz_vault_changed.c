// SPDX-License-Identifier: Apache-2.0
/* Extents are in order and apart, whatever the list says. */
#include "fuzz.h"

#include "vault_changed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        AUTO(vault_changed_fini) struct vault_changed changed = {0};
        struct err_note note;

        if (vault_changed_decode((struct span){data, n}, &changed, &note))
                return 0;
        for (size_t i = 0; i < changed.extents.n; i++) {
                const struct put_extent *extent = &changed.extents.data[i];

                MUST_HOLD(extent->n > 0 && extent->at + extent->n >= extent->at);
                MUST_HOLD(i == 0 || extent[-1].at + extent[-1].n < extent->at);
        }
        return 0;
}
