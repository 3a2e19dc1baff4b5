// SPDX-License-Identifier: Apache-2.0
/* Finds the file that a differencing VHD names as its parent.
 *
 * The locators are tried in their order, each against the folder of the child: an absolute path as it is,
 * else relative; the first file that exists wins.  Last the unicode name, in the folder of the child.
 * Whether the file is the parent is for the caller to see: its uuid must be the one in the header.
 *
 * Errors: ERR_NOT_FOUND lists the names that were looked for, and where.  Threads: any.
 */
#ifndef DISK_PARENT_SEARCH_H
#define DISK_PARENT_SEARCH_H

#include "io.h"
#include "vhd_header.h"

/* child_path: as it can be opened.  *ret is the caller's to free. */
MUST_USE enum err parent_search(struct io *, struct io_file *child, const char *child_path,
                                const struct vhd_header *, char **ret, struct err_note *);
/* The path that one locator of a child names, the caller's to free.  False: it cannot be read or understood;
 * whoever looks for a parent passes it over, since another may do, and check tells of it. */
MUST_USE bool parent_search_locator(struct io_file *child, const struct vhd_locator *, char **ret);
/* By the unicode name alone: where the locators lead elsewhere, since a change of parents was cut short after
 * their payloads were written, this is the parent whose uuid the header has. */
MUST_USE enum err parent_search_by_name(struct io *, const char *child_path, const struct vhd_header *,
                                        char **ret, struct err_note *);

#endif
