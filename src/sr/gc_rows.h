// SPDX-License-Identifier: Apache-2.0
/* What gc keeps in the catalog: its settings, which trees failed, and what it did.
 *
 *      table        key                  value
 *      gc           "settings"           paused, limit, guests, windows
 *      gc_failure   uuid of the root     text, times, at, again_at
 *      gc_history   a number, 16 digits  struct gc_past; the last GC_PAST_MAX are kept
 *
 * Losing any of it costs no disk: a row that cannot be read is as if it were not there.
 * Errors: those of store.h.  Threads: the owner of the SR.  Ownership: what is read is the caller's, released
 * by its fini.
 */
#ifndef SR_GC_ROWS_H
#define SR_GC_ROWS_H

#include "catalog.h"
#include "windows.h"

enum { GC_PAST_MAX = 1000 };

struct gc_settings {
        bool is_paused;
        uint64_t limit;      /* bytes a second; 0: none */
        bool ignores_guests; /* goes at full speed, however they suffer */
        struct windows windows;
};
/* The defaults where there is no row, and where catalog is NULL. */
MUST_USE enum err gc_settings_read(struct catalog *, struct gc_settings *ret, struct err_note *);
MUST_USE enum err gc_settings_put(struct store_change *, const struct gc_settings *, struct err_note *);

struct gc_failure {
        struct uuid tree; /* its root */
        char *text;       /* owned */
        unsigned times;   /* in a row */
        int64_t at;       /* unix seconds; of the last */
        int64_t again_at; /* unix seconds; not before */
};
struct gc_failures {
        VEC(struct gc_failure) list; /* owned, and each text */
};
void gc_failures_fini(struct gc_failures *);
DEFINE_AUTO_IN_PLACE(struct gc_failures, gc_failures_fini);
MUST_USE enum err gc_failures_read(struct catalog *, struct gc_failures *ret, struct err_note *);
MUST_USE enum err gc_failure_put(struct store_change *, const struct gc_failure *, struct err_note *);
MUST_USE enum err gc_failure_drop(struct store_change *, const struct uuid *tree, struct err_note *);

/* One coalesce that ended. */
struct gc_past {
        uint64_t number; /* 1 for the first; given by gc_past_add */
        struct uuid target, top;
        char *name;      /* owned; of the VDI at its top, or "" */
        char *direction; /* owned; "push" */
        char *result;    /* owned; "done", or err_name */
        char *text;      /* owned; what went wrong, or "" */
        int64_t began;   /* unix seconds */
        int64_t ended;   /* likewise */
        uint64_t lasted_ms;
        uint64_t bytes;  /* that were moved */
        unsigned layers; /* that went */
};
void gc_past_fini(struct gc_past *);
struct gc_history {
        VEC(struct gc_past) list; /* owned, and what each holds; the oldest first */
};
void gc_history_fini(struct gc_history *);
DEFINE_AUTO_IN_PLACE(struct gc_history, gc_history_fini);
MUST_USE enum err gc_history_read(struct catalog *, struct gc_history *ret, struct err_note *);
/* Gives it the number after the last one, and drops those that are too many. */
MUST_USE enum err gc_past_add(struct catalog *, struct store_change *, struct gc_past *, struct err_note *);
/* Bytes a second of the last coalesces that moved enough to tell; 0: none did. */
uint64_t gc_history_rate(const struct gc_history *);

#endif
