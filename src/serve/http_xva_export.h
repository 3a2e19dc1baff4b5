// SPDX-License-Identifier: Apache-2.0
/* A VM with its disks out, over HTTP, as an XVA.
 *
 *      GET /export?session_id=&ref= or uuid=[&use_compression=false|true|gzip|zstd][&task_id=]
 *
 * Not compressed it has a Content-Length.  Compressed it comes in chunks (to a client of HTTP/1.0: until the
 * connection ends), and what broke ends in a reset, never in a last chunk.  The disks are closed before the
 * last bytes go. All else is as http_export.h has it: what can fail cheaply has failed before the status
 * line, a reader may stand still for any time, and costs no memory then but what ova.xml takes.
 *
 * Errors: as http_house.h translates them.  Threads: the exchange's loop; reading, opening and closing are
 * errands.
 */
#ifndef SERVE_HTTP_XVA_EXPORT_H
#define SERVE_HTTP_XVA_EXPORT_H

#include "http_house.h"

void http_xva_export_begin(void *user, struct http_exchange *); /* for routes: user is the house */

#endif
