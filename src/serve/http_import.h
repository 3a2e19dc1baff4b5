// SPDX-License-Identifier: Apache-2.0
/* Disks in, over HTTP: what comes goes onto the disk as it comes, and is there whole or not at all.
 *
 *      PUT /import_raw_vdi?session_id=&vdi=[&format=raw|vhd][&chunked][&task_id=]
 *      PUT /import_raw_vdi?session_id=&sr_id= or sr_uuid=[…]              a new VDI
 *
 * How it comes in is http_inflow.h's.  200 says that it is durable.  A body whose declared length is larger
 * than the VHD in it (clients that do not know the length declare 1 PiB) ends where the VHD does.  A PUT of
 * no bytes, without a task, is a look whether this is the right host: it touches nothing.  A VHD is applied
 * whatever its uuids say.
 *
 * Errors: as http_house.h translates them.  Threads: the exchange's loop.
 */
#ifndef SERVE_HTTP_IMPORT_H
#define SERVE_HTTP_IMPORT_H

#include "http_house.h"

void http_import_begin(void *user, struct http_exchange *); /* for routes: user is the house */

#endif
