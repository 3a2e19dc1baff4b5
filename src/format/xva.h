// SPDX-License-Identifier: Apache-2.0
/* XVA: a VM and its disks in one tar archive (docs/format/xva.md).
 *
 *      ova.xml                     first; the records of VM and disks (xva_ova.h)
 *      Ref:4/00000000              1 MiB of the disk that ova.xml calls Ref:4
 *      Ref:4/00000000.xxhash       its checksum
 *      Ref:4/00000007              in between there are only zeros
 *      …
 *
 * Out: a disk's first and last MiB are always sent, others where they hold anything; so the length of an
 * archive is known as soon as the number of its blocks is.
 *
 * In: whoever reads an archive asks for each member what it is (struct xva_walk).  A number counts members,
 * not MiB: one without data keeps a connection awake and moves nothing.  So where a block lies is known only
 * from all that came before.
 *
 * Errors: ERR_CORRUPT, ERR_CUT_SHORT, ERR_UNSUPPORTED, with a sentence.  Threads: any; a walk is its owner's.
 */
#ifndef FORMAT_XVA_H
#define FORMAT_XVA_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "err.h"
#include "tar.h"

enum {
        XVA_BLOCK = 1 << 20,
        XVA_REF_MAX = 31, /* of a disk's name within an archive */
        XVA_SHA1_SIZE = 40,
        XVA_XXH64_SIZE = 16,
};

/* ---- names ---- */

enum xva_kind {
        XVA_OVA,
        XVA_DATA,
        XVA_SHA1,  /* of the data of that name: 40 lower-case digits, ".checksum" */
        XVA_XXH64, /* 16 upper-case digits, ".xxhash" */
        XVA_OTHER, /* nothing that is known */
};

struct xva_name {
        enum xva_kind kind;
        char disk[XVA_REF_MAX + 1]; /* not of XVA_OVA, XVA_OTHER */
        uint64_t number;            /* likewise */
};

struct xva_name_text {
        char s[TAR_NAME_MAX + 1];
};

void xva_name_parse(const char *member, struct xva_name *ret);
struct xva_name_text xva_name_print(const struct xva_name *); /* not of XVA_OTHER */

/* The text of XVA_XXH64; data may be empty. */
void xva_xxh64(struct span data, char ret[XVA_XXH64_SIZE + 1]);

/* ---- out ---- */

uint64_t xva_blocks(uint64_t size_bytes);                             /* of a disk of that size */
uint64_t xva_block_length(uint64_t size_bytes, uint64_t block);       /* the last may be shorter */
bool xva_block_is_always_sent(uint64_t size_bytes, uint64_t block);   /* the first and the last */
/* Bytes in an archive of n blocks of a disk, the last among them, with headers and checksums (XVA_XXH64). */
uint64_t xva_blocks_size(uint64_t size_bytes, uint64_t n);

/* ---- in ---- */

struct xva_disk {
        char ref[XVA_REF_MAX + 1];
        uint64_t size_bytes;
        uint64_t at;     /* the walk's: so far its bytes are known */
        uint64_t number; /* the walk's: the next one may be this */
};

struct xva_walk {
        struct xva_disk *disks; /* borrowed from the caller, outlives us */
        size_t n;
        bool needs_checksums; /* each block is followed by one */
        struct xva_name last; /* the block whose checksum may come */
        bool awaits_checksum;
};

enum xva_what {
        XVA_TAKE_BLOCK,    /* n bytes at `at` of disk; what lies before them and did not come is zeros */
        XVA_TAKE_CHECKSUM, /* n bytes of text, of the block that came last */
        XVA_SKIP,
};

struct xva_step {
        enum xva_what what;
        size_t disk;
        uint64_t at, n;
        enum xva_kind checksum; /* of XVA_TAKE_CHECKSUM */
};

/* ova.xml is behind us; of disks ref and size are set. */
void xva_walk_init(struct xva_walk *, struct xva_disk *disks, size_t n, bool needs_checksums);
MUST_USE enum err xva_walk_next(struct xva_walk *, const struct tar_member *, struct xva_step *ret,
                                struct err_note *);
/* The archive is at its end: every disk came to its own. */
MUST_USE enum err xva_walk_end(const struct xva_walk *, struct err_note *);

#endif
