// SPDX-License-Identifier: Apache-2.0
#include "vhd_footer.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static const char cookie_good[8] = "conectix", cookie_poison[8] = "v_poison";
static const char creator_tap[4] = "tap";

static bool is_by_tapdisk(const char creator[4]) {
        return memcmp(creator, creator_tap, sizeof creator_tap) == 0;
}

bool vhd_footer_is_by_tapdisk(const struct vhd_footer *footer) {
        return is_by_tapdisk(footer->creator);
}

/* tapdisk 0.1 and 1.1 set the hidden byte without a new checksum: what is stored then fits hidden = 0. */
static bool fits_without_hidden(const struct vhd_footer_disk *disk, uint32_t want) {
        uint32_t version = be32_get(disk->creator_version);

        if (!is_by_tapdisk(disk->creator) ||
            (version != VHD_CREATOR_VERSION(0, 1) && version != VHD_CREATOR_VERSION(1, 1)))
                return false;
        return disk->hidden == 1 && be32_get(disk->checksum) == want + 1; /* ~(sum - 1) == ~sum + 1 */
}

static enum err check_whole(const struct vhd_footer_disk *disk, struct vhd_footer *ret,
                            struct err_note *note) {
        uint32_t want = vhd_checksum(disk, sizeof *disk, VHD_FOOTER_CHECKSUM), got = be32_get(disk->checksum);

        ret->is_poisoned = memcmp(disk->cookie, cookie_poison, sizeof disk->cookie) == 0;
        if (!ret->is_poisoned && memcmp(disk->cookie, cookie_good, sizeof disk->cookie) != 0)
                return err_set(note, ERR_CORRUPT, "footer: cookie is 0x%016" PRIx64 ", not \"conectix\"",
                               be64_get(*(const be64 *)disk->cookie));
        ret->had_no_hidden = got != want && fits_without_hidden(disk, want);
        if (got != want && !ret->had_no_hidden)
                return err_set(note, ERR_CORRUPT, "footer: checksum is 0x%08x, its bytes give 0x%08x", got,
                               want);
        return ERR_NONE;
}

static enum err decode_kind(const struct vhd_footer_disk *disk, struct vhd_footer *ret,
                            struct err_note *note) {
        uint32_t version = be32_get(disk->version), type = be32_get(disk->type);

        ret->features = be32_get(disk->features);
        if ((ret->features & ~VHD_FEATURE_TEMPORARY) != VHD_FEATURE_RESERVED)
                return err_set(note, ERR_CORRUPT, "footer: features are 0x%08x, not 2 or 3", ret->features);
        if (version != VHD_VERSION)
                return err_set(note, ERR_UNSUPPORTED, "footer: version is 0x%08x, not 0x%08x", version,
                               VHD_VERSION);
        switch (type) {
        case VHD_FIXED:
        case VHD_DYNAMIC:
        case VHD_DIFFERENCING:
                ret->type = (enum vhd_type)type;
                return ERR_NONE;
        default:
                return err_set(note, type <= 6 ? ERR_UNSUPPORTED : ERR_CORRUPT,
                               "footer: type is %u, not 2 (fixed), 3 (dynamic) or 4 (differencing)", type);
        }
}

static enum err decode_sizes(const struct vhd_footer_disk *disk, struct vhd_footer *ret,
                             struct err_note *note) {
        ret->original_size_bytes = be64_get(disk->original_size);
        ret->size_bytes = be64_get(disk->current_size);
        ret->geometry = (struct vhd_geometry){be16_get(disk->cylinders), disk->heads, disk->sectors};
        if (!vhd_check_size(ret->size_bytes, note))
                return ERR_NONE;
        if (note->code == ERR_INVALID)
                note->code = ERR_CORRUPT; /* nobody asked for it: it stands there */
        return err_wrap(note, "footer: current");
}

static enum err decode_offset(const struct vhd_footer_disk *disk, struct vhd_footer *ret,
                              struct err_note *note) {
        uint64_t at = be64_get(disk->data_offset);

        ret->data_offset = at;
        if (ret->type == VHD_FIXED) {
                if (at == VHD_NO_OFFSET || at == UINT32_MAX)
                        return ERR_NONE;
                return err_set(note, ERR_CORRUPT,
                               "footer: data offset of a fixed image is 0x%" PRIx64 ", not all ones", at);
        }
        if (at < VHD_FOOTER_SIZE || at > INT64_MAX || !is_multiple(at, VHD_SECTOR))
                return err_set(note, ERR_CORRUPT,
                               "footer: data offset of a %s image is 0x%" PRIx64
                               ", not a multiple of 512 behind the footer",
                               vhd_type_name(ret->type), at);
        return ERR_NONE;
}

static enum err decode_maker(const struct vhd_footer_disk *disk, struct vhd_footer *ret,
                             struct err_note *note) {
        memcpy(ret->creator, disk->creator, sizeof ret->creator);
        ret->creator_version = be32_get(disk->creator_version);
        ret->creator_os = be32_get(disk->creator_os);
        ret->timestamp = be32_get(disk->timestamp);
        if (ret->type != VHD_FIXED && is_by_tapdisk(ret->creator) &&
            ret->creator_version <= VHD_CREATOR_VERSION(0, 1))
                return err_set(note, ERR_UNSUPPORTED,
                               "footer: creator is tap 0x%08x, whose bitmaps have the other bit order",
                               ret->creator_version);
        if (disk->hidden > 1)
                return err_set(note, ERR_CORRUPT, "footer: hidden is %u, not 0 or 1", disk->hidden);
        ret->is_hidden = disk->hidden == 1;
        ret->saved = disk->saved;
        memcpy(ret->uuid.b, disk->uuid, sizeof ret->uuid.b);
        memcpy(ret->reserved, disk->reserved, sizeof ret->reserved);
        return ERR_NONE;
}

enum err vhd_footer_decode(const struct vhd_footer_disk *disk, struct vhd_footer *ret,
                           struct err_note *note) {
        struct vhd_footer footer = {0};
        enum err err;

        if ((err = check_whole(disk, &footer, note)) || (err = decode_kind(disk, &footer, note)) ||
            (err = decode_sizes(disk, &footer, note)) || (err = decode_offset(disk, &footer, note)) ||
            (err = decode_maker(disk, &footer, note)))
                return err;
        *ret = footer;
        return ERR_NONE;
}

enum err vhd_footer_decode_span(struct span span, struct vhd_footer *ret, struct err_note *note) {
        struct vhd_footer_disk disk = {0};

        if (span.n != VHD_FOOTER_SIZE && span.n != VHD_FOOTER_SIZE_OLD)
                return err_set(note, ERR_CUT_SHORT, "footer: has %zu bytes, not 512 (or 511)", span.n);
        memcpy(&disk, span.data, span.n);
        return vhd_footer_decode(&disk, ret, note);
}

void vhd_footer_encode(const struct vhd_footer *footer, struct vhd_footer_disk *ret) {
        memcpy(ret->cookie, footer->is_poisoned ? cookie_poison : cookie_good, sizeof ret->cookie);
        ret->features = be32_put(footer->features);
        ret->version = be32_put(VHD_VERSION);
        ret->data_offset = be64_put(footer->data_offset);
        ret->timestamp = be32_put(footer->timestamp);
        memcpy(ret->creator, footer->creator, sizeof ret->creator);
        ret->creator_version = be32_put(footer->creator_version);
        ret->creator_os = be32_put(footer->creator_os);
        ret->original_size = be64_put(footer->original_size_bytes);
        ret->current_size = be64_put(footer->size_bytes);
        ret->cylinders = be16_put(footer->geometry.cylinders);
        ret->heads = footer->geometry.heads;
        ret->sectors = footer->geometry.sectors;
        ret->type = be32_put((uint32_t)footer->type);
        memcpy(ret->uuid, footer->uuid.b, sizeof ret->uuid);
        ret->saved = footer->saved;
        ret->hidden = footer->is_hidden;
        memcpy(ret->reserved, footer->reserved, sizeof ret->reserved);
        ret->checksum = be32_put(vhd_checksum(ret, sizeof *ret, VHD_FOOTER_CHECKSUM));
}

void vhd_footer_init(struct vhd_footer *ret, enum vhd_type type, uint64_t size_bytes, const struct uuid *uuid,
                     uint32_t timestamp) {
        struct vhd_footer footer = {
                .type = type,
                .creator_version = VHD_CREATOR_VERSION(1, 3),
                .features = VHD_FEATURE_RESERVED,
                .timestamp = timestamp,
                .data_offset = type == VHD_FIXED ? VHD_NO_OFFSET : VHD_HEADER_AT,
                .original_size_bytes = size_bytes,
                .uuid = *uuid,
        };

        memcpy(footer.creator, creator_tap, sizeof footer.creator);
        vhd_footer_resize(&footer, size_bytes);
        *ret = footer;
}

void vhd_footer_resize(struct vhd_footer *footer, uint64_t size_bytes) {
        assert(size_bytes >= VHD_MIN_SIZE && size_bytes <= VHD_MAX_SIZE &&
               is_multiple(size_bytes, VHD_SECTOR));
        footer->size_bytes = size_bytes;
        footer->geometry = vhd_geometry_of(size_bytes);
}

bool vhd_footer_equal(const struct vhd_footer *a, const struct vhd_footer *b) {
        struct vhd_footer_disk disk_a, disk_b;

        vhd_footer_encode(a, &disk_a);
        vhd_footer_encode(b, &disk_b);
        return memcmp(&disk_a, &disk_b, sizeof disk_a) == 0;
}
