// SPDX-License-Identifier: Apache-2.0
/* Bodies for the tests of vault_docs: an object's text with one member changed.
 *
 * Errors: what is no JSON ends the test.  Threads: one.
 */
#ifndef TEST_UNIT_VAULT_KIT_H
#define TEST_UNIT_VAULT_KIT_H

#include "check.h"

#include "json_text.h"

/* One member of an object's text is another, or (value NULL) is not there; key NULL: as it is. */
static inline struct span body_with(struct buf *ret, const char *text, const char *key, const char *value) {
        AUTO(json_decref) json_t *body = json_loads(text, 0, NULL);
        struct err_note note = {0};

        assert_non_null(body);
        if (key)
                json_object_del(body, key);
        if (value)
                json_object_set_new(body, key, json_loads(value, JSON_DECODE_ANY, NULL));
        ret->n = 0;
        assert_ok(json_text_encode(body, JSON_COMPACT | JSON_SORT_KEYS, ret, &note));
        return (struct span){ret->data, ret->n};
}

#endif
