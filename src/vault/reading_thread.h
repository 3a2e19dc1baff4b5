// SPDX-License-Identifier: Apache-2.0
/* Says of a reading (reading.h) that it goes on, by a thread of its own: for whoever reads when others ask.
 *
 *      reading_thread_new(&reading, &options, &thread, note)     … and reading_thread_free(thread)
 *
 * Errors: ERR_NO_MEMORY, no thread.  Threads: new and free by one; `broken` is called by the thread.
 * Ownership: the reading outlives it, and is nobody else's meanwhile.
 */
#ifndef VAULT_READING_THREAD_H
#define VAULT_READING_THREAD_H

#include "reading.h"

struct reading_thread;
struct reading_thread_options {
        uint64_t every_ns;          /* how often it is looked whether it is time; 0: 5 s */
        void (*broken)(void *user); /* borrowed; once, where a prune took the reading for dead; NULL: none */
        void *user;                 /* borrowed; handed to it */
};

MUST_USE enum err reading_thread_new(struct reading *, const struct reading_thread_options *,
                                     struct reading_thread **ret, struct err_note *);
void reading_thread_free(struct reading_thread *);
DEFINE_AUTO(struct reading_thread *, reading_thread_free);

#endif
