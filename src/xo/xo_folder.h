// SPDX-License-Identifier: Apache-2.0
/* A folder of a remote with the VHDs of one disk, made ready to be read as files (xo_io.h): each directory
 * under its alias, with its parent's name, and with what a merge has moved.
 *
 * While a merge is under way, the lowest VHD of its chain is written to, and those between are being emptied:
 * only the topmost, whose name the result will have, and what lies above it read as they did.
 *
 * Errors: those of io.h where the folder cannot be listed, or a merge's state not be read.  A directory that
 * cannot be read is passed over, since nobody may want it: xo_folder_find says why.
 * Threads: one at a time.
 */
#ifndef XO_FOLDER_H
#define XO_FOLDER_H

#include "vec.h"
#include "xo_io.h"

struct xo_folder {
        const struct xo_remote *remote; /* borrowed, outlives it */
        struct io *io;                  /* borrowed; an xo_io, outlives it */
        char *path;                     /* owned; from the remote's directory */
        char *whole;                    /* owned; as the io has it */
        struct io_names names;          /* owned */
        VEC(char *) merged;             /* owned, and each; names that a merge makes unreadable */
        VEC(char *) results;            /* owned, and each; a merge's end: "old name", then "the result's" */
};
MUST_USE enum err xo_folder_load(const struct xo_remote *, struct io *, const char *path,
                                 struct xo_folder *ret, struct err_note *);
void xo_folder_fini(struct xo_folder *);
DEFINE_AUTO_IN_PLACE(struct xo_folder, xo_folder_fini);

/* The path by which the io has the VHD of that name, the caller's to free; ERR_NOT_FOUND; ERR_BUSY, a merge
 * has it; or why the directory behind an alias cannot be read. */
MUST_USE enum err xo_folder_find(const struct xo_folder *, const char *name, char **ret, struct err_note *);

#endif
