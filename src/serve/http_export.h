// SPDX-License-Identifier: Apache-2.0
/* Disks out, over HTTP: as fast as the other side reads, in memory that is borrowed while bytes move.
 *
 *      GET /export_raw_vdi?session_id=&vdi=[&format=raw|vhd][&base=][&task_id=][&exact=1]
 *      GET /vdi/UUID.raw, /vdi/UUID.vhd            for people and curl; Range
 *
 *      OPENING ──> FLOWING ──all but the tail is with the kernel──> CLOSING ──> TAIL ──> over
 *         │           │  ^ a reader that stopped: parts go back, and are read again
 *         └ refused   └ failed, cancelled, gone: a reset, the disk is closed, the task says why
 *
 * What a reader may count on: what can fail cheaply has failed before the status line; Content-Length
 * always; a body that ended early ended by a reset; every VHD block is whole (stream.h), unless exact=1.
 * The disk is closed before the last bytes go: who has the whole body may delete it. A stall has no limit;
 * it is counted in the task.  A reader that is gone is noticed (http_server.h).
 *
 * Errors: as http_house.h translates them.  Threads: the exchange's loop; reading, opening and closing are
 * errands.
 */
#ifndef SERVE_HTTP_EXPORT_H
#define SERVE_HTTP_EXPORT_H

#include "http_house.h"

/* For routes: user is the house. */
void http_export_begin(void *user, struct http_exchange *); /* /export_raw_vdi */
void http_vdi_begin(void *user, struct http_exchange *);    /* /vdi */

#endif
