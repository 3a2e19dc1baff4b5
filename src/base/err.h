// SPDX-License-Identifier: Apache-2.0
/* Errors: one enum for programs, one line for people.
 *
 * The codes are few and mean what a caller can do: free space, repair, wait, tell the user, give up.
 * The note is of fixed size and never allocates.  Whoever knows what happened says so with err_set; each
 * caller may put what it was doing in front with err_wrap:
 *
 *      if (io_open(io, path, IO_READ, &file, note))
 *              return err_wrap(note, "open %s", path);
 *
 * prints `open a.vhd: no such file`.
 *
 * Errors: these functions cannot fail; a text that is too long is cut.  Threads: any (a note belongs to one).
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "cleanup.h"

#define ERR_TABLE(X)                                                                    \
        X(ERR_NONE,        "success")                                                   \
        X(ERR_IO,          "input/output error")             /* the device said no */    \
        X(ERR_NO_SPACE,    "no space left")                  /* free some, go on */      \
        X(ERR_CORRUPT,     "stored data is damaged")         /* check, repair */         \
        X(ERR_CUT_SHORT,   "ends too early")                 /* a stream or file */      \
        X(ERR_NOT_FOUND,   "not found")                                                 \
        X(ERR_EXISTS,      "exists already")                                            \
        X(ERR_BUSY,        "in use")                         /* wait, or end the user */ \
        X(ERR_READ_ONLY,   "read-only")                                                 \
        X(ERR_DENIED,      "permission denied")                                         \
        X(ERR_INVALID,     "not valid")                      /* what the caller asked */ \
        X(ERR_MISMATCH,    "does not match")                 /* e.g. another parent */   \
        X(ERR_UNSUPPORTED, "not supported")                                             \
        X(ERR_TOO_LARGE,   "too large")                                                 \
        X(ERR_NO_MEMORY,   "out of memory")                                             \
        X(ERR_CANCELLED,   "cancelled")                                                 \
        X(ERR_CLOSED,      "other end closed")               /* a pipe without reader */

enum err {
#define X(code, text) code,
        ERR_TABLE(X)
#undef X
};

enum { ERR_TEXT_SIZE = 512 };

struct err_note {
        enum err code;
        char     text[ERR_TEXT_SIZE]; /* always terminated, may be cut */
};

/* Both return their code, so "return err_set(...)" reads as one sentence.  note is never NULL. */
enum err err_set(struct err_note *note, enum err code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "what I was doing: " in front of what happened; returns the code that is there. */
enum err err_wrap(struct err_note *note, const char *fmt, ...) PRINTF_LIKE(2, 3);

const char *err_text(enum err code); /* "no space left" */
const char *err_name(enum err code); /* "no_space", for JSON */

#endif
