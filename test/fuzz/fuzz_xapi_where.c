// SPDX-License-Identifier: Apache-2.0
/* What a client asks of get_all_records_where: it is understood or refused with a reason; what is
 * understood says of a record yes or no, and its negation the other. */
#include "fuzz.h"

#include <string.h>

#include "mem.h"
#include "verbs.h"
#include "xapi_where.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AUTO_FREE char *text = mem_format("%.*s", (int)size, (const char *)data);
        AUTO_FREE char *opposite = mem_format("not (%s)", text);
        AUTO(json_decref)
        json_t *record = json_pack("{s:s, s:b, s:i, s:[]}", "a", "b", "is", 1, "n", 5, "set");
        AUTO(xapi_where_free) struct xapi_where *where = NULL;
        AUTO(xapi_where_free) struct xapi_where *negated = NULL;
        struct err_note note = {0};
        bool matches;

        if (xapi_where_parse(text, &where, &note)) {
                MUST_HOLD((note.code == ERR_INVALID || note.code == ERR_TOO_LARGE) && note.text[0]);
                return 0;
        }
        matches = xapi_where_matches(where, record);
        if (!xapi_where_parse(opposite, &negated, &note))
                MUST_HOLD(xapi_where_matches(negated, record) != matches);
        else
                MUST_HOLD(note.code == ERR_TOO_LARGE);
        return 0;
}
