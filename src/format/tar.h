// SPDX-License-Identifier: Apache-2.0
/* Members of a tar archive: POSIX ustar as we write it; as old as version 7 and as new as GNU tar, as far as
 * regular files go, as we read it.
 *
 * An archive is, for each member, a header of TAR_BLOCK bytes, its data, and zeros up to a multiple of
 * TAR_BLOCK; and at the end two blocks of zeros.  Who streams one calls these for one block at a time:
 *
 *      tar_decode(block, &kind, &member, note)
 *              TAR_MEMBER: member.size_bytes of data come, then tar_padding of zeros
 *              TAR_END: it was a block of zeros, which is the archive's end
 *
 * Sizes of 8 GiB and more are in base 256, as GNU tar and its followers have them.  What is not a regular
 * file and has no data (folders, links) is told as such; names in pieces (pax, GNU's long names) are refused.
 *
 * Errors: ERR_CORRUPT, ERR_UNSUPPORTED, with a sentence.  Threads: any.
 */
#ifndef FORMAT_TAR_H
#define FORMAT_TAR_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "err.h"

enum {
        TAR_BLOCK = 512,
        TAR_NAME_MAX = 100,      /* that we write */
        TAR_NAME_READ_MAX = 256, /* with its folder in front */
        TAR_END_SIZE = 2 * TAR_BLOCK,
};

struct tar_header_disk {  /* offset */
        char name[100];   /*   0  not terminated where it is full      */
        char mode[8];     /* 100  octal digits, as the numbers below   */
        char uid[8];      /* 108                                       */
        char gid[8];      /* 116                                       */
        char size[12];    /* 124                                       */
        char mtime[12];   /* 136                                       */
        char checksum[8]; /* 148  sum of all bytes, these being blanks */
        char type;        /* 156  '0' or 0: a regular file             */
        char link[100];   /* 157                                       */
        char magic[6];    /* 257  "ustar" and a zero; GNU: a blank     */
        char version[2];  /* 263  "00"                                 */
        char user[32];    /* 265                                       */
        char group[32];   /* 297                                       */
        char major[8];    /* 329                                       */
        char minor[8];    /* 337                                       */
        char prefix[155]; /* 345  folders in front of the name         */
        char rest[12];    /* 500                                       */
};
_Static_assert(sizeof(struct tar_header_disk) == TAR_BLOCK, "a header is a block");
_Static_assert(_Alignof(struct tar_header_disk) == 1, "may be read at any address");

struct tar_member {
        char name[TAR_NAME_READ_MAX + 1];
        uint64_t size_bytes; /* of the data that follow */
        int64_t time;        /* seconds since 1970 */
        bool is_file;        /* else a folder, a link or the like, without data */
};

enum tar_kind { TAR_MEMBER, TAR_END };

MUST_USE enum err tar_decode(const struct tar_header_disk *, enum tar_kind *ret_kind, struct tar_member *ret,
                             struct err_note *);
/* A regular file; name: 1 to TAR_NAME_MAX bytes.  No time is before 1970. */
void tar_encode(const char *name, uint64_t size_bytes, int64_t time, struct tar_header_disk *ret);

uint64_t tar_padding(uint64_t size_bytes);     /* zeros behind so much data */
uint64_t tar_member_size(uint64_t size_bytes); /* header, data and zeros; of less than 2^63 bytes */

#endif
