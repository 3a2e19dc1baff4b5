// SPDX-License-Identifier: Apache-2.0
/* The file beside a VHD that says that it is being coalesced (format/vhd_intent.h is its content).
 *
 * Promises: it is there whole or not at all; when keep and drop return, that is durable.
 *
 * Errors: those of the files; ERR_CORRUPT and ERR_UNSUPPORTED name the file, and say what may be done.
 * Threads: any.
 */
#ifndef DISK_FILE_INTENT_H
#define DISK_FILE_INTENT_H

#include "io.h"
#include "vhd_intent.h"

/* ".<name>.coalesce" in its folder; the caller's to free. */
char *file_intent_path(const char *child);
/* ret: zeroed, and so it stays where there is none. */
MUST_USE enum err file_intent_read(struct io *, const char *path, bool *ret_is_there, struct vhd_intent *ret,
                                   struct err_note *);
MUST_USE enum err file_intent_keep(struct io *, const char *path, const struct vhd_intent *,
                                   struct err_note *);
MUST_USE enum err file_intent_drop(struct io *, const char *path, struct err_note *);

/* Calls back with each intent of a folder; an error of the callback ends it.  Threads: the caller's. */
typedef enum err (*file_intent_fn)(void *user, const char *path, const struct vhd_intent *,
                                   struct err_note *);
/* passes_over: those that cannot be read. */
MUST_USE enum err file_intent_each(struct io *, const char *folder, bool passes_over, file_intent_fn,
                                   void *user, struct err_note *);

/* "catena vhd coalesce /a --into /b": how the run is ended. */
char *file_intent_command(const struct vhd_intent *); /* the caller's to free */
static inline const struct vhd_intent_node *file_intent_child(const struct vhd_intent *intent) {
        return &intent->nodes.data[intent->nodes.n - 1];
}

/* The first in the file's folder that names the file, by its uuid or its path: *ret_is_found.  Those that
 * cannot be read are passed over, and so is a folder that may not be listed. */
MUST_USE enum err file_intent_find(struct io *, const char *path, bool *ret_is_found, struct vhd_intent *ret,
                                   struct err_note *);

#endif
