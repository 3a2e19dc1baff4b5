// SPDX-License-Identifier: Apache-2.0
#include "vhd_batmap.h"

#include <inttypes.h>
#include <string.h>

#include "vhd_layout.h"

static const char cookie_good[8] = "tdbatmap";

enum vhd_batmap_presence vhd_batmap_presence(const struct vhd_footer *footer) {
        if (footer->type == VHD_FIXED || !vhd_footer_is_by_tapdisk(footer) ||
            footer->creator_version <= VHD_CREATOR_VERSION(0, 1))
                return VHD_BATMAP_NO;
        if (footer->creator_version >= VHD_CREATOR_VERSION(1, 2))
                return VHD_BATMAP_YES;
        return VHD_BATMAP_MAYBE;
}

static enum err decode_place(const struct vhd_batmap_disk *disk, struct vhd_batmap *ret,
                             struct err_note *note) {
        uint32_t sectors = be32_get(disk->map_sectors);

        ret->map_offset = be64_get(disk->map_offset);
        ret->map_size_bytes = (uint64_t)sectors * VHD_SECTOR;
        if (ret->map_offset < VHD_SECTOR || ret->map_offset > INT64_MAX ||
            !is_multiple(ret->map_offset, VHD_SECTOR))
                return err_set(note, ERR_CORRUPT,
                               "batmap: map offset is 0x%" PRIx64 ", not a multiple of 512 behind the footer",
                               ret->map_offset);
        if (sectors == 0)
                return err_set(note, ERR_CORRUPT, "batmap: map size is 0 sectors, not 1 or more");
        return ERR_NONE;
}

enum err vhd_batmap_decode(const struct vhd_batmap_disk *disk, struct vhd_batmap *ret,
                           struct err_note *note) {
        struct vhd_batmap batmap = {.version = be32_get(disk->version), .checksum = be32_get(disk->checksum)};

        if (memcmp(disk->cookie, cookie_good, sizeof disk->cookie) != 0)
                return err_set(note, ERR_CORRUPT, "batmap: cookie is 0x%016" PRIx64 ", not \"tdbatmap\"",
                               be64_get(*(const be64 *)disk->cookie));
        if (batmap.version != VHD_BATMAP_1_1 && batmap.version != VHD_BATMAP_1_2)
                return err_set(note, ERR_UNSUPPORTED, "batmap: version is 0x%08x, not 0x%08x or 0x%08x",
                               batmap.version, VHD_BATMAP_1_1, VHD_BATMAP_1_2);
        if (decode_place(disk, &batmap, note))
                return note->code;
        batmap.marker = disk->marker;
        batmap.has_key = disk->has_key;
        memcpy(batmap.nonce, disk->nonce, sizeof batmap.nonce);
        memcpy(batmap.hash, disk->hash, sizeof batmap.hash);
        memcpy(batmap.reserved, disk->reserved, sizeof batmap.reserved);
        *ret = batmap;
        return ERR_NONE;
}

enum err vhd_batmap_decode_span(struct span span, struct vhd_batmap *ret, struct err_note *note) {
        if (span.n != VHD_BATMAP_HEADER_SIZE)
                return err_set(note, ERR_CUT_SHORT, "batmap: header has %zu bytes, not 512", span.n);
        return vhd_batmap_decode((const struct vhd_batmap_disk *)span.data, ret, note);
}

void vhd_batmap_encode(const struct vhd_batmap *batmap, struct vhd_batmap_disk *ret) {
        memcpy(ret->cookie, cookie_good, sizeof ret->cookie);
        ret->map_offset = be64_put(batmap->map_offset);
        ret->map_sectors = be32_put((uint32_t)(batmap->map_size_bytes / VHD_SECTOR));
        ret->version = be32_put(batmap->version);
        ret->checksum = be32_put(batmap->checksum);
        ret->marker = batmap->marker;
        ret->has_key = batmap->has_key;
        memcpy(ret->nonce, batmap->nonce, sizeof ret->nonce);
        memcpy(ret->hash, batmap->hash, sizeof ret->hash);
        memcpy(ret->reserved, batmap->reserved, sizeof ret->reserved);
}

void vhd_batmap_init(struct vhd_batmap *ret, uint64_t map_offset, uint32_t max_bat_entries) {
        *ret = (struct vhd_batmap){
                .map_offset = map_offset,
                .map_size_bytes = vhd_batmap_size(max_bat_entries),
                .version = VHD_BATMAP_1_2,
                .checksum = UINT32_MAX, /* of zeros, however many */
        };
}

enum err vhd_batmap_check_size(const struct vhd_batmap *batmap, uint64_t size_bytes, struct err_note *note) {
        uint64_t blocks = div_up(size_bytes, VHD_BLOCK_SIZE), need = div_up(blocks, 8);

        if (batmap->map_size_bytes < need)
                return err_set(note, ERR_CORRUPT,
                               "batmap: map has %" PRIu64 " bytes, %" PRIu64 " blocks need %" PRIu64,
                               batmap->map_size_bytes, blocks, need);
        return ERR_NONE;
}

uint64_t vhd_batmap_sum_length(uint64_t size_bytes) {
        return max_u64(round_up(size_bytes / (16 * MIB), VHD_SECTOR), VHD_SECTOR);
}

uint32_t vhd_batmap_checksum(const struct vhd_batmap *batmap, struct span map, uint64_t size_bytes) {
        uint64_t n = min_u64(vhd_batmap_sum_length(size_bytes), map.n);
        uint32_t sum = 0, high = 0;

        for (uint64_t i = 0; i < n; i++) {
                sum += map.data[i];
                high += map.data[i] >> 7;
        }
        if (batmap->version == VHD_BATMAP_1_1)
                sum -= high * 256; /* a signed char is 256 less from 0x80 on */
        return ~sum;
}

enum err vhd_batmap_check_map(const struct vhd_batmap *batmap, struct span map, uint64_t size_bytes,
                              struct err_note *note) {
        uint32_t want = vhd_batmap_checksum(batmap, map, size_bytes);

        if (batmap->checksum != want)
                return err_set(note, ERR_CORRUPT, "batmap: checksum is 0x%08x, the map's bytes give 0x%08x",
                               batmap->checksum, want);
        return ERR_NONE;
}

void vhd_batmap_seal(struct vhd_batmap *batmap, struct span map, uint64_t size_bytes) {
        batmap->checksum = vhd_batmap_checksum(batmap, map, size_bytes);
}

enum err vhd_batmap_check_plain(const struct vhd_batmap *batmap, struct err_note *note) {
        if (batmap->has_key)
                return err_set(note, ERR_UNSUPPORTED,
                               "batmap: a key's hash is set, so the image's data is encrypted");
        return ERR_NONE;
}
