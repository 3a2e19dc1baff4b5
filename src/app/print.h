// SPDX-License-Identifier: Apache-2.0
/* Results for people, drawn from the shape and fields that the table of verbs declares; and as JSON.
 *
 * Text from names and errors may hold anything, also what moves a terminal's cursor: control characters are
 * shown as "?".
 *
 * Errors: none; what reaches the buffer is the caller's to write.  Threads: any.
 */
#ifndef APP_PRINT_H
#define APP_PRINT_H

#include <stdbool.h>

#include "buf.h"
#include "verbs.h"

void print_result(struct buf *, const struct verb *, const json_t *result, bool has_colour);
void print_json(struct buf *, const json_t *); /* one object, indented, with a newline */
void print_json_line(struct buf *, const json_t *);
void print_json_error(struct buf *, const char *code, const char *message);
void print_safely(struct buf *, const char *text);

#endif
