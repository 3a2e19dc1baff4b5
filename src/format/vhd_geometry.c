// SPDX-License-Identifier: Apache-2.0
#include "vhd_geometry.h"

#include "vhd.h"

enum { MAX_CYLINDERS = 65535, MAX_HEADS = 16 };

struct vhd_geometry vhd_geometry_of(uint64_t size_bytes) {
        uint64_t n = min_u64(max_u64(div_up(size_bytes, VHD_SECTOR), 1),
                             (uint64_t)MAX_CYLINDERS * MAX_HEADS * 255);
        uint64_t sectors, heads, tracks;

        if (n >= (uint64_t)MAX_CYLINDERS * MAX_HEADS * 63) {
                sectors = 255;
                heads = MAX_HEADS;
                tracks = n / sectors;
        } else {
                sectors = 17;
                tracks = n / sectors;
                heads = max_u64(div_up(tracks, 1024), 4);
                if (tracks >= heads * 1024 || heads > MAX_HEADS) {
                        sectors = 31;
                        heads = MAX_HEADS;
                        tracks = n / sectors;
                }
                if (tracks >= heads * 1024) {
                        sectors = 63;
                        heads = MAX_HEADS;
                        tracks = n / sectors;
                }
        }
        return (struct vhd_geometry){.cylinders = (uint16_t)(tracks / heads),
                                     .heads = (uint8_t)heads,
                                     .sectors = (uint8_t)sectors};
}

uint64_t vhd_geometry_bytes(struct vhd_geometry g) {
        return (uint64_t)g.cylinders * g.heads * g.sectors * VHD_SECTOR;
}
