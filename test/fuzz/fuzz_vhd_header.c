// SPDX-License-Identifier: Apache-2.0
/* vhd_header_decode_span and what is asked of a header afterwards. */
#include <string.h>

#include "fuzz.h"
#include "mem.h"
#include "vhd_header.h"
#include "vhd_layout.h"

static void check_name(const struct vhd_header *header) {
        AUTO_FREE char *name = NULL;
        AUTO_FREE char *back = NULL;
        struct vhd_header other;
        struct err_note note;

        if (vhd_header_name(header, &name, &note))
                return;
        vhd_header_init(&other, 1536, 1);
        if (vhd_header_set_parent(&other, &header->parent_uuid, 0, name, &note)) {
                MUST_HOLD(*name == '\0' || note.code == ERR_TOO_LARGE); /* 256 units are read, 255 written */
                return;
        }
        MUST_HOLD(!vhd_header_name(&other, &back, &note));
        MUST_HOLD(strcmp(name, back) == 0);
}

static void check_places(const struct vhd_header *header) {
        const struct uuid uuid = {{1}};
        struct vhd_reserved reserved;
        struct vhd_footer footer;
        struct err_note note;

        vhd_footer_init(&footer, VHD_DIFFERENCING, 64 * MIB, &uuid, 0);
        (void)!vhd_reserved_of(&footer, header, true, vhd_batmap_header_at(header) + 512, 512, &reserved,
                               &note);
        MUST_HOLD(reserved.n >= 5 && reserved.n <= VHD_RESERVED_MAX);
        for (unsigned i = 0; i < reserved.n; i++) {
                const struct vhd_extent *e = &reserved.extent[i];

                MUST_HOLD(e->at + e->n >= e->at && e->at + e->n <= reserved.end);
                MUST_HOLD(i == 0 || reserved.extent[i - 1].at <= e->at);
                MUST_HOLD(vhd_reserved_hit(&reserved, e->at + e->n - 1, 1));
        }
        MUST_HOLD(!vhd_reserved_hit(&reserved, reserved.end, UINT64_MAX));
}

static void check(struct span span) {
        struct vhd_header_disk again;
        struct vhd_header header;
        struct err_note note;

        if (vhd_header_decode_span(span, &header, &note))
                return;
        vhd_header_encode(&header, &again);
        MUST_HOLD(span.n == sizeof again && memcmp(&again, span.data, sizeof again) == 0);
        MUST_HOLD(header.block_size == VHD_BLOCK_SIZE);
        for (unsigned i = 0; i < VHD_LOCATORS; i++) {
                uint64_t space;

                if (!vhd_locator_check(&header.locator[i], &note))
                        MUST_HOLD(vhd_locator_space(&header.locator[i], &space) &&
                                  header.locator[i].length <= space);
        }
        check_name(&header);
        check_places(&header);
        vhd_header_clear_parent(&header);
        MUST_HOLD(!vhd_header_check_type(&header, VHD_DYNAMIC, &note));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct vhd_header_disk sealed;

        check((struct span){data, n});
        if (n < sizeof sealed)
                return 0;
        memcpy(&sealed, data, sizeof sealed);
        sealed.checksum = be32_put(vhd_checksum(&sealed, sizeof sealed, VHD_HEADER_CHECKSUM));
        check((struct span){(const uint8_t *)&sealed, sizeof sealed});
        return 0;
}
