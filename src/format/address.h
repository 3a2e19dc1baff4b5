// SPDX-License-Identifier: Apache-2.0
/* Where a server listens or is reached, as people write it: HOST:PORT, [V6]:PORT, or :PORT for all addresses.
 *
 * Errors: parsing says whether the text was one.  Threads: any.
 */
#ifndef FORMAT_ADDRESS_H
#define FORMAT_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "cleanup.h"

enum { ADDRESS_HOST_MAX = 255 };

struct address {
        char host[ADDRESS_HOST_MAX + 1]; /* without brackets; empty: all addresses */
        uint16_t port;                   /* 0: any that is free */
};

MUST_USE bool address_parse(const char *text, struct address *ret);
/* Whether only this host reaches it: 127.0.0.0/8, ::1, localhost. */
bool address_is_loopback(const struct address *);
bool address_is_any(const struct address *); /* empty, 0.0.0.0, :: */

#endif
