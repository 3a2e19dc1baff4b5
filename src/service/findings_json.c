// SPDX-License-Identifier: Apache-2.0
#include "findings_json.h"

#include <inttypes.h>

#include "verbs.h"

json_t *findings_json_of(const struct finding *finding) {
        return json_pack("{s:s, s:s, s:I, s:o, s:b, s:o}", "severity",
                         finding->severity == FINDING_ERROR ? "error" : "warning", "part", finding->part,
                         "at", (json_int_t)finding->at, "text", json_of_text(finding->text), "repairable",
                         (int)finding->is_repairable, "repair",
                         finding->repair[0] ? json_of_text(finding->repair) : json_null());
}

void findings_add_count(struct buf *buf, uint64_t n, const char *word) {
        buf_print(buf, "%" PRIu64 " %s%s", n, word, n == 1 ? "" : "s");
}

void findings_summarise(uint64_t n_errors, uint64_t n_warnings, uint64_t n_shown, struct buf *ret) {
        if (n_errors == 0)
                buf_print(ret, "valid");
        else
                findings_add_count(ret, n_errors, "error");
        if (n_warnings) {
                buf_print(ret, ", ");
                findings_add_count(ret, n_warnings, "warning");
        }
        if (n_errors + n_warnings > n_shown)
                buf_print(ret, " (the first %" PRIu64 " are shown)", n_shown);
}
