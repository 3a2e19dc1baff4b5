// SPDX-License-Identifier: Apache-2.0
/* What a VHD file says of itself, as JSON: for `vhd info` and `vhd tree`.
 *
 * Takes no lock, so that files in use can be looked at; what a writer changes meanwhile may be seen half
 * done.
 *
 * Errors: ERR_CORRUPT where it is no VHD or too damaged to be read; a missing parent is part of the answer,
 * no error. Threads: any.
 */
#ifndef SERVICE_VHD_INFO_H
#define SERVICE_VHD_INFO_H

#include <jansson.h>

#include "io.h"
#include "uuid.h"

/* Adds the members to an object. */
MUST_USE enum err vhd_info_describe(struct io *, const char *path, json_t *ret, struct err_note *);

/* What a tree needs of one file. */
struct vhd_brief {
        char *path;         /* owned; canonical */
        uint64_t size;      /* bytes of the disk */
        uint64_t allocated; /* bytes in the file system */
        struct uuid uuid;   /* null: a raw file */
        char *parent;       /* owned; canonical path of the parent that was found, or NULL */
        char *looked_for;   /* owned; what its locators name, where that was not found; or NULL */
        bool is_hidden;
        struct err_note error; /* code ERR_NONE: could be read */
};
void vhd_brief_read(struct io *, const char *path, struct vhd_brief *ret);
void vhd_brief_fini(struct vhd_brief *);

/* How many files the chain from path down has; 0 where one is missing or cannot be read. */
unsigned vhd_info_depth(struct io *, const char *path);

#endif
