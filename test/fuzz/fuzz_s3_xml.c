// SPDX-License-Identifier: Apache-2.0
/* What a server of S3 answers: whatever it is, it is one of the documents that are known, or an error. */
#include "fuzz.h"

#include <string.h>

#include "s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const struct span input = {data, size};
        AUTO(s3_listing_fini) struct s3_listing listing = {0};
        AUTO(s3_error_fini) struct s3_error error = {0}, of_end = {0};
        AUTO_FREE char *id = NULL;
        struct err_note note = {0};

        if (s3_listing_decode(input, &listing, &note))
                MUST_HOLD(note.code == ERR_CORRUPT && note.text[0] && listing.each.n == 0);
        VEC_EACH (&listing.each, each)
                MUST_HOLD(strlen(each->key) <= S3_TEXT_MAX);
        if (s3_upload_id_decode(input, &id, &note))
                MUST_HOLD(!id);
        if (s3_error_decode(input, &error))
                MUST_HOLD(s3_complete_is_error(input, &of_end));
        return 0;
}
