// SPDX-License-Identifier: Apache-2.0
#include "mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

NORETURN static void mem_is_out(size_t n) {
        fprintf(stderr, "catena: out of memory (%zu bytes wanted)\n", n);
        abort();
}

void *mem_zero(size_t n) {
        void *p = calloc(1, n ? n : 1);

        if (!p)
                mem_is_out(n);
        return p;
}

void *mem_grow(void *old, size_t n, size_t each) {
        size_t size;
        void *p;

        if (__builtin_mul_overflow(n, each, &size))
                mem_is_out(SIZE_MAX);
        p = realloc(old, size ? size : 1);
        if (!p)
                mem_is_out(size);
        return p;
}

char *mem_text(const char *text) {
        char *p = strdup(text);

        if (!p)
                mem_is_out(strlen(text));
        return p;
}

char *mem_format(const char *fmt, ...) {
        char *p = NULL;
        va_list args;
        int n;

        va_start(args, fmt);
        n = vasprintf(&p, fmt, args);
        va_end(args);
        if (n < 0)
                mem_is_out(0);
        return p;
}

void *mem_try(size_t n, size_t each) {
        return calloc(n ? n : 1, each);
}

void *mem_aligned(size_t alignment, size_t n) {
        void *p = NULL;

        if (posix_memalign(&p, alignment, n ? n : 1))
                mem_is_out(n);
        return p;
}
