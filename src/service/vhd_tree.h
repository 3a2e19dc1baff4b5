// SPDX-License-Identifier: Apache-2.0
/* VHD files under their parents, as JSON: for `vhd tree`.
 *
 * Errors: only that a folder cannot be listed or a given file is not there; what is wrong with a file is told
 * in its row. Threads: any.
 */
#ifndef SERVICE_VHD_TREE_H
#define SERVICE_VHD_TREE_H

#include <stdbool.h>

#include <jansson.h>

#include "io.h"

/* paths: an array of text, files or folders.  *ret: an array of nodes, each behind its parent; the caller's.
 */
MUST_USE enum err vhd_tree_describe(struct io *, const json_t *paths, json_t **ret, bool *ret_has_errors,
                                    struct err_note *);

#endif
