// SPDX-License-Identifier: Apache-2.0
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"

static void buf_reserve(struct buf *b, size_t more) {
        size_t want = b->n + more + 1;

        if (want <= b->room)
                return;
        b->room = want > b->room * 2 ? want : b->room * 2;
        b->data = mem_grow(b->data, b->room, 1);
}

void buf_add(struct buf *b, const void *bytes, size_t n) {
        buf_reserve(b, n);
        if (n)
                memcpy(b->data + b->n, bytes, n);
        b->n += n;
}

void *buf_extend(struct buf *b, size_t n) {
        uint8_t *at;

        buf_reserve(b, n);
        at = b->data + b->n;
        memset(at, 0, n);
        b->n += n;
        return at;
}

void buf_print(struct buf *b, const char *fmt, ...) {
        va_list args;
        int n;

        va_start(args, fmt);
        n = vsnprintf(NULL, 0, fmt, args);
        va_end(args);
        if (n <= 0)
                return;
        buf_reserve(b, (size_t)n);
        va_start(args, fmt);
        vsnprintf((char *)b->data + b->n, (size_t)n + 1, fmt, args);
        va_end(args);
        b->n += (size_t)n;
}

const char *buf_text(struct buf *b) {
        buf_reserve(b, 0);
        b->data[b->n] = '\0';
        return (const char *)b->data;
}

void buf_fini(struct buf *b) {
        free(b->data);
        memset(b, 0, sizeof *b);
}
