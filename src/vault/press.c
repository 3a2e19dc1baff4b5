// SPDX-License-Identifier: Apache-2.0
#include "press.h"

#include <zstd.h>

#include "mem.h"

struct press {
        ZSTD_CCtx *context; /* owned; NULL: the vault does not compress */
};

struct press *press_new(const struct vault_config *config) {
        struct press *press = mem_new(struct press);

        if (config->compresses) {
                press->context = ZSTD_createCCtx();
                if (press->context)
                        ZSTD_CCtx_setParameter(press->context, ZSTD_c_compressionLevel, config->level);
        }
        return press;
}

void press_free(struct press *press) {
        if (!press)
                return;
        ZSTD_freeCCtx(press->context);
        free(press);
}

size_t press_bytes(struct press *press, const void *data, size_t n, void *ret) {
        size_t size;

        if (!press->context || n == 0)
                return 0;
        size = ZSTD_compress2(press->context, ret, n - 1, data, n);
        return ZSTD_isError(size) ? 0 : size;
}
