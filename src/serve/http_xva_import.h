// SPDX-License-Identifier: Apache-2.0
/* A VM with its disks in, over HTTP, from an XVA, compressed or not.
 *
 *      PUT /import?session_id=[&sr_id= or sr_uuid=][&restore=true][&force=true][&task_id=]
 *
 * Where no SR is named it is the pool's default SR, or the only one.  The task's result is an array of the
 * VM's reference.  restore and force: as xva_vm.h and xva_inlet.h have them.  A PUT of no bytes, without
 * a task, is a look whether this is the right host: it touches nothing.
 * All else is as http_inflow.h and xva_inlet.h have it.
 *
 * Errors: as http_house.h translates them.  Threads: the exchange's loop.
 */
#ifndef SERVE_HTTP_XVA_IMPORT_H
#define SERVE_HTTP_XVA_IMPORT_H

#include "http_house.h"

void http_xva_import_begin(void *user, struct http_exchange *); /* for routes: user is the house */

#endif
