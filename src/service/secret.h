// SPDX-License-Identifier: Apache-2.0
/* Secrets: making them, keeping only their hashes, comparing without telling how much was right.
 *
 * Two hashes.  The slow one, Argon2id, is for what people choose: each guess costs tens of milliseconds and
 * SECRET_SLOW_KIB of memory.  The quick one, SHA-256, is for what was made of 120 random bits or more, which
 * nobody guesses.
 *
 * Errors: ERR_NO_MEMORY.  Threads: any.
 */
#ifndef SERVICE_SECRET_H
#define SERVICE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "io.h"

enum { SECRET_SLOW_KIB = 19 * 1024, SECRET_SLOW_PASSES = 2 };

struct secret_hash {
        uint8_t b[32];
};
struct secret_key {
        uint8_t b[32];
};

/* n letters and digits of 5 random bits each, and the terminator. */
void secret_text(struct io *, char *ret, size_t n);
struct secret_key secret_key(struct io *); /* random */

struct secret_hash secret_quick(const char *text);
struct secret_hash secret_keyed(const struct secret_key *, const char *text); /* nobody else can make it */
MUST_USE enum err secret_slow(const struct secret_key *salt, const char *text, struct secret_hash *ret,
                              struct err_note *);
bool secret_equal(const struct secret_hash *, const struct secret_hash *); /* takes the same time always */
void secret_wipe(void *, size_t n);

#endif
