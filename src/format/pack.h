// SPDX-License-Identifier: Apache-2.0
/* Bytes that are compressed as a whole: zstd or gzip, told apart by how they begin.
 *
 * Out: each run of bytes becomes a frame (gzip: a member) of its own.  Frames one after the other are what
 * their bytes would be one after the other, and the same run always becomes the same frame; so what was
 * compressed need not be kept to be sent again.
 *
 *      pack_frame(PACK_ZSTD, data, memory, PACK_ROOM(data.n), &n, note)
 *
 * In: piece by piece, as it comes, in bounded memory.
 *
 *      unpack_new(PACK_ZSTD, &unpack, note)
 *      while (data.n > 0)
 *              unpack_some(unpack, &data, memory, sizeof memory, &n, note)      n bytes of what was
 *              compressed
 *      unpack_is_at_end(unpack)                                                 else it was cut short
 *
 * Errors: ERR_CORRUPT; ERR_NO_MEMORY; ERR_UNSUPPORTED: zstd with a window above PACK_WINDOW_MAX.
 * Threads: any; an unpack is its owner's.
 */
#ifndef FORMAT_PACK_H
#define FORMAT_PACK_H

#include <stdbool.h>

#include "bytes.h"
#include "err.h"

enum pack_kind { PACK_NONE, PACK_GZIP, PACK_ZSTD };

enum {
        PACK_MAGIC_SIZE = 4,
        PACK_WINDOW_MAX = 1 << 27, /* what zstd takes without being asked for more */
};

/* Memory that a frame of n bytes needs at most. */
#define PACK_ROOM(n) ((n) + ((n) >> 8) + 1024)

enum pack_kind pack_kind_of(const uint8_t magic[PACK_MAGIC_SIZE]);
/* Neither PACK_NONE nor without data. */
MUST_USE enum err pack_frame(enum pack_kind, struct span data, uint8_t *ret, size_t room, size_t *ret_n,
                             struct err_note *);

struct unpack;

MUST_USE enum err unpack_new(enum pack_kind, struct unpack **ret, struct err_note *); /* not PACK_NONE */
void unpack_free(struct unpack *);
DEFINE_AUTO(struct unpack *, unpack_free);

/* Takes from the beginning of *data, as far as room allows; all of it, or room bytes come.  Called again
 * while either is so. */
MUST_USE enum err unpack_some(struct unpack *, struct span *data, uint8_t *ret, size_t room, size_t *ret_n,
                              struct err_note *);
bool unpack_is_at_end(const struct unpack *); /* between frames */

#endif
