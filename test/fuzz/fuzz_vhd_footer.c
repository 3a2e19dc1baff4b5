// SPDX-License-Identifier: Apache-2.0
/* vhd_footer_decode_span: the bytes as they are, and with the checksum made right so that what is behind it
 * is reached. */
#include <string.h>

#include "fuzz.h"
#include "vhd_footer.h"
#include "vhd_geometry.h"

static void check(struct span span) {
        struct vhd_footer_disk want = {0}, again;
        struct vhd_footer footer, back;
        struct err_note note;

        if (vhd_footer_decode_span(span, &footer, &note))
                return;
        MUST_HOLD(span.n == VHD_FOOTER_SIZE || span.n == VHD_FOOTER_SIZE_OLD);
        MUST_HOLD(footer.size_bytes >= VHD_MIN_SIZE && footer.size_bytes <= VHD_MAX_SIZE);
        MUST_HOLD(is_multiple(footer.size_bytes, VHD_SECTOR));
        memcpy(&want, span.data, span.n);
        if (footer.had_no_hidden) /* the one thing that is mended */
                want.checksum = be32_put(be32_get(want.checksum) - 1);
        vhd_footer_encode(&footer, &again);
        MUST_HOLD(memcmp(&again, &want, sizeof want) == 0);
        MUST_HOLD(!vhd_footer_decode(&again, &back, &note));
        MUST_HOLD(vhd_footer_equal(&footer, &back));
        MUST_HOLD(vhd_geometry_bytes(vhd_geometry_of(footer.size_bytes)) <= footer.size_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct vhd_footer_disk sealed;

        check((struct span){data, n});
        if (n < sizeof sealed)
                return 0;
        memcpy(&sealed, data, sizeof sealed);
        sealed.checksum = be32_put(vhd_checksum(&sealed, sizeof sealed, VHD_FOOTER_CHECKSUM));
        check((struct span){(const uint8_t *)&sealed, sizeof sealed});
        return 0;
}
