// SPDX-License-Identifier: Apache-2.0
/* Memory for small things of our own making: never fails, because a process that cannot have a few
 * kilobytes cannot go on either; it ends with a sentence.  What is sized by bytes from a disk or a wire
 * uses mem_try, whose NULL is ERR_NO_MEMORY at the caller.
 *
 * Ownership: the caller's, released by free().  Threads: any.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#include "cleanup.h"

MUST_USE void *mem_zero(size_t n);                    /* n bytes of zeros */
MUST_USE void *mem_grow(void *old, size_t n, size_t each); /* realloc to n * each */
MUST_USE char *mem_text(const char *text);            /* a copy */
MUST_USE char *mem_format(const char *fmt, ...) PRINTF_LIKE(1, 2);
MUST_USE void *mem_try(size_t n, size_t each);        /* zeros, or NULL; n * each may not overflow */
MUST_USE void *mem_aligned(size_t alignment, size_t n); /* not zeroed */

/* Zeros for a table that may be large: in large pages where the machine has them, since of a fresh table the
 * faults for its pages cost more than filling it.  Given back with the same n. */
MUST_USE void *mem_table(size_t n);
void mem_table_free(void *, size_t n); /* NULL is fine */

#define mem_new(type) ((type *)mem_zero(sizeof(type)))

#endif
