// SPDX-License-Identifier: Apache-2.0
/* A batmap's header in the first 512 bytes, its map in the rest. */
#include <string.h>

#include "fuzz.h"
#include "vhd_batmap.h"

static void check_map(struct vhd_batmap batmap, struct span map, uint64_t size) {
        struct err_note note;

        (void)!vhd_batmap_check_size(&batmap, size, &note);
        vhd_batmap_seal(&batmap, map, size);
        MUST_HOLD(!vhd_batmap_check_map(&batmap, map, size, &note));
        batmap.checksum++;
        MUST_HOLD(vhd_batmap_check_map(&batmap, map, size, &note) == ERR_CORRUPT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        size_t header_n = n < VHD_BATMAP_HEADER_SIZE ? n : VHD_BATMAP_HEADER_SIZE;
        struct vhd_batmap_disk again;
        struct vhd_batmap batmap;
        struct err_note note;

        if (vhd_batmap_decode_span((struct span){data, header_n}, &batmap, &note))
                return 0;
        vhd_batmap_encode(&batmap, &again);
        MUST_HOLD(memcmp(&again, data, sizeof again) == 0);
        MUST_HOLD(batmap.map_offset + batmap.map_size_bytes > batmap.map_offset);
        for (uint64_t size = VHD_SECTOR; size <= VHD_MAX_SIZE;
             size = size * 3 / VHD_SECTOR * VHD_SECTOR + VHD_SECTOR)
                check_map(batmap, (struct span){data + header_n, n - header_n}, size);
        return 0;
}
