// SPDX-License-Identifier: Apache-2.0
/* Release by scope, and the attributes that every header uses.
 *
 *      AUTO(buf_free) struct buf *b = NULL;     released when the scope ends, by whichever way
 *      return TAKE(b);                          the only way out of a scope: b is NULL afterwards
 *
 * A type takes part by DEFINE_AUTO(struct buf *, buf_free): the release function is called with the
 * variable's value if it is not NULL.  A struct held in place uses DEFINE_AUTO_IN_PLACE: its fini
 * function is called with the variable's address, so it must be valid when zeroed.
 *
 * Threads: any.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stdlib.h>

#define MUST_USE           __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a)  __attribute__((format(printf, f, a)))
#define NORETURN           __attribute__((noreturn))
#define UNUSED             __attribute__((unused))
#define AUTO(fn)           __attribute__((cleanup(fn##_auto), unused)) /* holding it is a use */

#define DEFINE_AUTO(type, fn)                             \
        UNUSED static inline void fn##_auto(type *p) {    \
                if (*p)                                   \
                        fn(*p);                           \
        }                                                 \
        _Static_assert(1, "takes a semicolon")

#define DEFINE_AUTO_IN_PLACE(type, fn)                    \
        UNUSED static inline void fn##_auto(type *p) {    \
                fn(p);                                    \
        }                                                 \
        _Static_assert(1, "takes a semicolon")

#define TAKE(p)                      \
        __extension__({              \
                typeof(p) taken_ = (p); \
                (p) = NULL;          \
                taken_;              \
        })

DEFINE_AUTO(void *, free);
UNUSED static inline void free_text_auto(char **p) {
        free(*p);
}
#define AUTO_FREE AUTO(free_any)
UNUSED static inline void free_any_auto(void *p) {
        free(*(void **)p);
}

#endif
