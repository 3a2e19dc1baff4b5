// SPDX-License-Identifier: Apache-2.0
#include "mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

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

enum { LARGE_PAGE = 2 * 1024 * 1024 };

static uintptr_t large_up(uintptr_t n) {
        return (n + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
}

/* The kernel gives large pages only to whole ones: room for one more is taken, and what lies before and
 * behind given back. */
void *mem_table(size_t n) {
        size_t size = large_up(n);
        uintptr_t got, at;
        void *p;

        if (n < LARGE_PAGE)
                return mem_zero(n);
        p = mmap(NULL, size + LARGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
                mem_is_out(n);
        got = (uintptr_t)p;
        at = large_up(got);
        if (at > got)
                (void)munmap(p, at - got);
        if (at < got + LARGE_PAGE)
                (void)munmap((void *)(at + size), got + LARGE_PAGE - at);
        (void)madvise((void *)at, size, MADV_HUGEPAGE); /* without it they are small ones */
        return (void *)at;
}

void mem_table_free(void *p, size_t n) {
        if (n < LARGE_PAGE)
                free(p);
        else if (p)
                (void)munmap(p, large_up(n));
}

void *mem_aligned(size_t alignment, size_t n) {
        void *p = NULL;

        if (posix_memalign(&p, alignment, n ? n : 1))
                mem_is_out(n);
        return p;
}
