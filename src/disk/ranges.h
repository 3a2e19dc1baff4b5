// SPDX-License-Identifier: Apache-2.0
/* The changes to a disk that are in flight.  Changes to different sectors go on side by side; where one must
 * be alone on its sectors (a read-modify-write, a trim) those that touch them wait for it and it for them, in
 * order of arrival, so nobody waits for ever.  freeze lets what is in flight end and holds back what comes.
 *
 * Errors: none.  Threads: any.  A struct range is the caller's, on its stack, from enter to leave.
 */
#ifndef DISK_RANGES_H
#define DISK_RANGES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct range {
        uint64_t first, end; /* sectors */
        bool is_alone;
        struct range *before, *next; /* borrowed: neighbours in order of arrival */
};

struct ranges {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        struct range *oldest, *newest; /* borrowed */
        bool is_frozen;
};

void ranges_init(struct ranges *);
void ranges_fini(struct ranges *);
void ranges_enter(struct ranges *, struct range *, uint64_t first, uint64_t end, bool is_alone);
void ranges_leave(struct ranges *, struct range *);
void ranges_freeze(struct ranges *); /* returns when nothing is in flight */
void ranges_thaw(struct ranges *);

#endif
