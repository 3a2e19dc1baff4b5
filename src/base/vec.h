// SPDX-License-Identifier: Apache-2.0
/* A growable array of one type, held in place:
 *
 *      VEC(struct node *) nodes = {0};
 *      *vec_add(&nodes) = node;                 the new element is zeroed
 *      VEC_EACH(&nodes, each) use(*each);       each is a pointer to the element
 *      vec_fini(&nodes);                        frees the array, not what its elements point at
 *
 * Valid when zeroed.  Errors: none (see mem.h).  Threads: its owner's.
 */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include <string.h>

#include "mem.h"

#define VEC(type)             \
        struct {              \
                type  *data;  /* owned */ \
                size_t n;     \
                size_t room;  \
        }

#define vec_reserve(v, want)                                                             \
        do {                                                                             \
                size_t want_ = (want);                                                   \
                if (want_ > (v)->room) {                                                 \
                        (v)->room = want_ > (v)->room * 2 ? want_ : (v)->room * 2;       \
                        (v)->data = mem_grow((v)->data, (v)->room, sizeof *(v)->data);   \
                }                                                                        \
        } while (0)

#define vec_add(v)                                                           \
        __extension__({                                                      \
                vec_reserve((v), (v)->n + 1);                                \
                memset(&(v)->data[(v)->n], 0, sizeof *(v)->data);            \
                &(v)->data[(v)->n++];                                        \
        })

#define vec_remove_at(v, i)                                                                       \
        do {                                                                                      \
                size_t i_ = (i);                                                                  \
                memmove(&(v)->data[i_], &(v)->data[i_ + 1], ((v)->n - i_ - 1) * sizeof *(v)->data); \
                (v)->n--;                                                                         \
        } while (0)

#define vec_fini(v)                                     \
        do {                                            \
                free((v)->data);                        \
                memset((v), 0, sizeof *(v));            \
        } while (0)

/* An empty one may have no data at all, to which not even 0 may be added. */
#define VEC_EACH(v, each) \
        for (typeof(*(v)->data) *each = (v)->data; each && each < (v)->data + (v)->n; each++)

#endif
