// SPDX-License-Identifier: Apache-2.0
/* Which bytes of a disk lie in which file of its chain, as JSON in the words of qemu-img map.
 *
 * Errors: those of chain.h.  Threads: the owner of the images.
 */
#ifndef SERVICE_VHD_MAP_H
#define SERVICE_VHD_MAP_H

#include <jansson.h>

#include "chain.h"
#include "verbs.h"

/* *ret: an array of {start, length, depth, present, zero, data, offset, file}; the caller's. */
MUST_USE enum err vhd_map_describe(struct images *, const char *path, json_t **ret, struct err_note *);
MUST_USE enum err vhd_map_of_chain(struct chain *, json_t **ret, struct err_note *);
extern const struct field vhd_map_fields[]; /* of each row */

#endif
