// SPDX-License-Identifier: Apache-2.0
/* What this host knows of itself, as one document: for a backup of its objects, not of disks.
 *
 *      GET /pool/xmldbdump?session_id=[&task_id=]
 *      PUT /pool/xmldbdump?session_id=&dry_run=true[&task_id=]       whether the body is such a document
 *
 * Sessions and tasks are no part of it.  To put one back is refused: the catalogs of the SRs hold what disks
 * are, and VMs come back from archives.
 *
 * Errors: as http_house.h translates them.  Threads: the exchange's loop; making and checking are errands.
 */
#ifndef SERVE_HTTP_DB_DUMP_H
#define SERVE_HTTP_DB_DUMP_H

#include "http_house.h"

enum { HTTP_DB_DUMP_MAX = 64 << 20 }; /* of one that is checked */

void http_db_dump_begin(void *user, struct http_exchange *); /* for routes: user is the house */

#endif
