// SPDX-License-Identifier: Apache-2.0
/* The cylinders, heads and sectors that a footer carries, by the rule in the appendix of Microsoft's
 * specification.  They are written because readers look for them and never trusted: their product is
 * often less than the size.
 *
 * Errors: none.  Threads: any.
 */
#ifndef FORMAT_VHD_GEOMETRY_H
#define FORMAT_VHD_GEOMETRY_H

#include <stdint.h>

struct vhd_geometry {
        uint16_t cylinders;
        uint8_t heads;
        uint8_t sectors; /* of a track */
};

struct vhd_geometry vhd_geometry_of(uint64_t size_bytes);
uint64_t vhd_geometry_bytes(
        struct vhd_geometry); /* the product: what qemu takes as the size of most images */

#endif
