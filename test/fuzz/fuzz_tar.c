// SPDX-License-Identifier: Apache-2.0
/* A header of an archive, as it is and with its checksum made right: what is read is written as a header that
 * says the same. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "tar.h"

static void seal(struct tar_header_disk *header) {
        unsigned sum = 0;

        memset(header->checksum, ' ', sizeof header->checksum);
        for (size_t i = 0; i < sizeof *header; i++)
                sum += ((const uint8_t *)header)[i];
        snprintf(header->checksum, sizeof header->checksum, "%06o", sum);
}

static void try_header(const struct tar_header_disk *header) {
        struct tar_header_disk again;
        struct tar_member member, other;
        struct err_note note = {0};
        enum tar_kind kind;

        if (tar_decode(header, &kind, &member, &note)) {
                MUST_HOLD((note.code == ERR_CORRUPT || note.code == ERR_UNSUPPORTED) && note.text[0]);
                return;
        }
        if (kind == TAR_END)
                return;
        MUST_HOLD(member.name[0] && member.size_bytes <= INT64_MAX && member.time >= 0);
        if (strlen(member.name) > TAR_NAME_MAX || !member.is_file)
                return;
        tar_encode(member.name, member.size_bytes, member.time, &again);
        if (tar_decode(&again, &kind, &other, &note))
                abort();
        MUST_HOLD(kind == TAR_MEMBER && strcmp(member.name, other.name) == 0 && other.is_file);
        MUST_HOLD(member.size_bytes == other.size_bytes && member.time == other.time);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct tar_header_disk header;

        if (n < sizeof header)
                return 0;
        memcpy(&header, data, sizeof header);
        try_header(&header);
        seal(&header);
        try_header(&header);
        return 0;
}
