// SPDX-License-Identifier: Apache-2.0
/* A file that is there whole or not at all: made under a temporary name in the same folder, named when it is
 * complete.
 *
 *      AUTO(new_file_fini) struct new_file made = {0};
 *
 *      if (new_file_begin(io, path, flags, &made, note))
 *              return note->code;
 *      … create made.temporary, fill it, sync it …
 *      return new_file_commit(&made, note);
 *
 * The temporary name begins with a dot and ends in the final name's ending, so that what depends on the
 * ending (raw or VHD) is the same, and no "*.vhd" sees it.
 *
 * Promises: after a crash path names what it named before, or the whole new file; what is left of an
 * unfinished one has the temporary name.  Once new_file_commit has returned, the name is durable.
 *
 * Errors: of begin: ERR_EXISTS; ERR_BUSY where what would be replaced is in use; ERR_NOT_FOUND where the
 * folder is missing; ERR_INVALID where path names a directory or device. Threads: its owner's.
 */
#ifndef DISK_NEW_FILE_H
#define DISK_NEW_FILE_H

#include <stdbool.h>

#include "io.h"

struct new_file {
        struct io *io;   /* borrowed; NULL: not begun, or over */
        char *path;      /* owned */
        char *folder;    /* owned */
        char *temporary; /* owned */
        bool may_replace;
};

enum { NEW_FILE_REPLACE = 1 << 0 /* path may name a regular file that nobody has open */ };

MUST_USE enum err new_file_begin(struct io *, const char *path, unsigned flags, struct new_file *ret,
                                 struct err_note *);
MUST_USE enum err new_file_commit(struct new_file *, struct err_note *);
void new_file_fini(struct new_file *); /* removes the temporary one, unless it was committed */
DEFINE_AUTO_IN_PLACE(struct new_file, new_file_fini);

#endif
