// SPDX-License-Identifier: Apache-2.0
#include "vhd.h"

#include <assert.h>
#include <inttypes.h>

const char *vhd_type_name(enum vhd_type type) {
        switch (type) {
        case VHD_FIXED:
                return "fixed";
        case VHD_DYNAMIC:
                return "dynamic";
        case VHD_DIFFERENCING:
                return "differencing";
        }
        return "unknown";
}

uint32_t vhd_time_from_unix(int64_t unix_seconds) {
        if (unix_seconds < VHD_EPOCH_SECONDS)
                return 0;
        if (unix_seconds - VHD_EPOCH_SECONDS > UINT32_MAX)
                return UINT32_MAX;
        return (uint32_t)(unix_seconds - VHD_EPOCH_SECONDS);
}

int64_t vhd_time_to_unix(uint32_t vhd_seconds) {
        return (int64_t)vhd_seconds + VHD_EPOCH_SECONDS;
}

uint32_t vhd_checksum(const void *data, size_t n, size_t field_at) {
        const uint8_t *bytes = data;
        uint32_t sum = 0;

        for (size_t i = 0; i < n; i++)
                sum += bytes[i];
        for (size_t i = field_at; i < field_at + 4 && i < n; i++)
                sum -= bytes[i];
        return ~sum;
}

uint32_t vhd_blocks_of(uint64_t size_bytes) {
        assert(size_bytes <= VHD_MAX_SIZE);
        return (uint32_t)div_up(size_bytes, VHD_BLOCK_SIZE);
}

enum err vhd_check_size(uint64_t size_bytes, struct err_note *note) {
        if (size_bytes < VHD_MIN_SIZE || !is_multiple(size_bytes, VHD_SECTOR))
                return err_set(note, ERR_INVALID, "size is %" PRIu64 " bytes, not a positive multiple of 512",
                               size_bytes);
        if (size_bytes > VHD_MAX_SIZE)
                return err_set(note, ERR_UNSUPPORTED,
                               "size is %" PRIu64 " bytes, a VHD holds at most 2040 GiB", size_bytes);
        return ERR_NONE;
}

enum err vhd_check_new_size(uint64_t size_bytes, struct err_note *note) {
        if (size_bytes < VHD_MIN_NEW_SIZE || !is_multiple(size_bytes, VHD_BLOCK_SIZE))
                return err_set(note, ERR_INVALID,
                               "size is %" PRIu64 " bytes, not a positive multiple of 2 MiB", size_bytes);
        return vhd_check_size(size_bytes, note);
}
