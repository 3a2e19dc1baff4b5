// SPDX-License-Identifier: Apache-2.0
/* The members of a vault's JSON bodies, each taken with a word on what is wrong with it, and put in the one
 * way that is read back.  For vault_docs alone.
 *
 * Errors: ERR_CORRUPT, with the member; ERR_TOO_LARGE, above VAULT_BODY_MAX.  Threads: any.
 * Ownership: what is taken is the caller's, but for text, which lives as long as the JSON.
 */
#ifndef FORMAT_VAULT_MEMBER_H
#define FORMAT_VAULT_MEMBER_H

#include "json_text.h"
#include "vault_docs.h"

/* An object. */
MUST_USE enum err vault_body_load(struct span, json_t **ret, struct err_note *);
/* Keys sorted, no spaces; json is given away. */
void vault_body_add(json_t *json, struct buf *);

/* Absent is null, where null may be. */
bool vault_member_is_null(const json_t *from, const char *key);
MUST_USE enum err vault_take_text(const json_t *from, const char *key, const char **ret, struct err_note *);
MUST_USE enum err vault_take_number(const json_t *from, const char *key, uint64_t min, uint64_t max,
                                    uint64_t *ret, struct err_note *);
MUST_USE enum err vault_take_bool(const json_t *from, const char *key, bool *ret, struct err_note *);
MUST_USE enum err vault_take_time(const json_t *from, const char *key, int64_t *ret, struct err_note *);
MUST_USE enum err vault_take_hex(const json_t *from, const char *key, uint8_t *ret, size_t n,
                                 struct err_note *);
MUST_USE enum err vault_take_object(const json_t *from, const char *key, json_t **ret_borrowed,
                                    struct err_note *);
MUST_USE enum err vault_take_array(const json_t *from, const char *key, json_t **ret_borrowed,
                                   struct err_note *);
MUST_USE enum err vault_take_names(const json_t *from, const char *key, struct vault_name **ret_owned,
                                   size_t *ret_n, struct err_note *);
MUST_USE enum err vault_take_chunk(const json_t *from, uint32_t *ret, struct err_note *); /* its size */
/* The number of the text among n of them. */
MUST_USE enum err vault_take_word(const json_t *from, const char *key, const char *const *words, unsigned n,
                                  unsigned *ret, struct err_note *);

void vault_put_text(json_t *to, const char *key, const char *text);
void vault_put_number(json_t *to, const char *key, uint64_t number);
void vault_put_bool(json_t *to, const char *key, bool value);
void vault_put_time(json_t *to, const char *key, int64_t unix_seconds);
void vault_put_hex(json_t *to, const char *key, const uint8_t *bytes, size_t n);
void vault_put_names(json_t *to, const char *key, const struct vault_name *names, size_t n);
/* value NULL: null.  It is shared, not given away. */
void vault_put_json(json_t *to, const char *key, json_t *value);

#endif
