// SPDX-License-Identifier: Apache-2.0
/* The certificate that a daemon shows now: those who tell of it ask each time, since a reload may bring
 * another.
 *
 * Errors: none.  Threads: any; new and free: one.
 */
#ifndef SERVICE_CERTIFICATE_H
#define SERVICE_CERTIFICATE_H

#include "cleanup.h"

struct certificate;

struct certificate *certificate_new(const char *pem);
void certificate_free(struct certificate *);
DEFINE_AUTO(struct certificate *, certificate_free);

void certificate_set(struct certificate *, const char *pem);
char *certificate_pem(struct certificate *); /* the caller's to free */

#endif
