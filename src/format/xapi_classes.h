// SPDX-License-Identifier: Apache-2.0
/* The tables of fields that make up xapi_class.c's table of classes: uuid first, a nameless one last.
 *
 * Errors: none.  Threads: any; they never change.
 */
#ifndef FORMAT_XAPI_CLASSES_H
#define FORMAT_XAPI_CLASSES_H

#include "xapi_class.h"

extern const struct xapi_field xapi_session_fields[];
extern const struct xapi_field xapi_pool_fields[];
extern const struct xapi_field xapi_host_fields[];
extern const struct xapi_field xapi_host_metrics_fields[];
extern const struct xapi_field xapi_sr_fields[];
extern const struct xapi_field xapi_pbd_fields[];
extern const struct xapi_field xapi_sm_fields[];
extern const struct xapi_field xapi_vdi_fields[];
extern const struct xapi_field xapi_vbd_fields[];
extern const struct xapi_field xapi_vm_fields[];
extern const struct xapi_field xapi_vm_metrics_fields[];
extern const struct xapi_field xapi_vm_guest_metrics_fields[];
extern const struct xapi_field xapi_vif_fields[];
extern const struct xapi_field xapi_network_fields[];
extern const struct xapi_field xapi_pif_fields[];
extern const struct xapi_field xapi_task_fields[];
extern const struct xapi_field xapi_message_fields[];

#endif
