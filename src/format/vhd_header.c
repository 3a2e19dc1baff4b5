// SPDX-License-Identifier: Apache-2.0
#include "vhd_header.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "mem.h"
#include "utf16.h"

static const char cookie_good[8] = "cxsparse";

static enum err check_whole(const struct vhd_header_disk *disk, struct err_note *note) {
        uint32_t want = vhd_checksum(disk, sizeof *disk, VHD_HEADER_CHECKSUM), got = be32_get(disk->checksum);

        if (memcmp(disk->cookie, cookie_good, sizeof disk->cookie) != 0)
                return err_set(note, ERR_CORRUPT, "header: cookie is 0x%016" PRIx64 ", not \"cxsparse\"",
                               be64_get(*(const be64 *)disk->cookie));
        if (got != want)
                return err_set(note, ERR_CORRUPT, "header: checksum is 0x%08x, its bytes give 0x%08x", got,
                               want);
        if (be64_get(disk->data_offset) != VHD_NO_OFFSET)
                return err_set(note, ERR_CORRUPT, "header: data offset is 0x%" PRIx64 ", not all ones",
                               be64_get(disk->data_offset));
        if (be32_get(disk->version) != VHD_VERSION)
                return err_set(note, ERR_UNSUPPORTED, "header: version is 0x%08x, not 0x%08x",
                               be32_get(disk->version), VHD_VERSION);
        return ERR_NONE;
}

static enum err decode_table(const struct vhd_header_disk *disk, struct vhd_header *ret,
                             struct err_note *note) {
        uint32_t block_size = be32_get(disk->block_size);

        ret->table_offset = be64_get(disk->table_offset);
        if (ret->table_offset < VHD_SECTOR || ret->table_offset > INT64_MAX ||
            !is_multiple(ret->table_offset, VHD_SECTOR))
                return err_set(note, ERR_CORRUPT,
                               "header: table offset is 0x%" PRIx64
                               ", not a multiple of 512 behind the footer",
                               ret->table_offset);
        ret->max_bat_entries = be32_get(disk->max_bat);
        if (ret->max_bat_entries == 0)
                return err_set(note, ERR_CORRUPT, "header: table has 0 entries, not 1 or more");
        if (block_size < VHD_SECTOR || (block_size & (block_size - 1)))
                return err_set(note, ERR_CORRUPT,
                               "header: block size is %u, not a power of two of 512 or more", block_size);
        if (block_size != VHD_BLOCK_SIZE)
                return err_set(note, ERR_UNSUPPORTED,
                               "header: block size is %u, only blocks of 2 MiB (2097152) are read",
                               block_size);
        ret->block_size = block_size;
        return ERR_NONE;
}

static void decode_parent(const struct vhd_header_disk *disk, struct vhd_header *ret) {
        memcpy(ret->parent_uuid.b, disk->parent_uuid, sizeof ret->parent_uuid.b);
        ret->parent_timestamp = be32_get(disk->parent_time);
        ret->reserved = be32_get(disk->reserved);
        memcpy(ret->parent_name, disk->parent_name, sizeof ret->parent_name);
        for (unsigned i = 0; i < VHD_LOCATORS; i++)
                ret->locator[i] = (struct vhd_locator){
                        .code = be32_get(disk->locator[i].code),
                        .space = be32_get(disk->locator[i].space),
                        .length = be32_get(disk->locator[i].length),
                        .reserved = be32_get(disk->locator[i].reserved),
                        .offset = be64_get(disk->locator[i].offset),
                };
        memcpy(ret->rest, disk->rest, sizeof ret->rest);
}

void vhd_header_salvage(const struct vhd_header_disk *disk, struct vhd_header *ret) {
        *ret = (struct vhd_header){0};
        decode_parent(disk, ret);
}

enum err vhd_header_decode(const struct vhd_header_disk *disk, struct vhd_header *ret,
                           struct err_note *note) {
        struct vhd_header header = {0};
        enum err err;

        if ((err = check_whole(disk, note)) || (err = decode_table(disk, &header, note)))
                return err;
        decode_parent(disk, &header);
        *ret = header;
        return ERR_NONE;
}

enum err vhd_header_decode_span(struct span span, struct vhd_header *ret, struct err_note *note) {
        if (span.n != VHD_HEADER_SIZE)
                return err_set(note, ERR_CUT_SHORT, "header: has %zu bytes, not 1024", span.n);
        return vhd_header_decode((const struct vhd_header_disk *)span.data, ret, note);
}

void vhd_header_encode(const struct vhd_header *header, struct vhd_header_disk *ret) {
        memcpy(ret->cookie, cookie_good, sizeof ret->cookie);
        ret->data_offset = be64_put(VHD_NO_OFFSET);
        ret->table_offset = be64_put(header->table_offset);
        ret->version = be32_put(VHD_VERSION);
        ret->max_bat = be32_put(header->max_bat_entries);
        ret->block_size = be32_put((uint32_t)header->block_size);
        memcpy(ret->parent_uuid, header->parent_uuid.b, sizeof ret->parent_uuid);
        ret->parent_time = be32_put(header->parent_timestamp);
        ret->reserved = be32_put(header->reserved);
        memcpy(ret->parent_name, header->parent_name, sizeof ret->parent_name);
        for (unsigned i = 0; i < VHD_LOCATORS; i++)
                ret->locator[i] = (struct vhd_locator_disk){
                        .code = be32_put(header->locator[i].code),
                        .space = be32_put(header->locator[i].space),
                        .length = be32_put(header->locator[i].length),
                        .reserved = be32_put(header->locator[i].reserved),
                        .offset = be64_put(header->locator[i].offset),
                };
        memcpy(ret->rest, header->rest, sizeof ret->rest);
        ret->checksum = be32_put(vhd_checksum(ret, sizeof *ret, VHD_HEADER_CHECKSUM));
}

void vhd_header_init(struct vhd_header *ret, uint64_t table_offset, uint32_t max_bat_entries) {
        assert(is_multiple(table_offset, VHD_SECTOR) && max_bat_entries > 0);
        *ret = (struct vhd_header){
                .table_offset = table_offset,
                .max_bat_entries = max_bat_entries,
                .block_size = VHD_BLOCK_SIZE,
        };
}

static bool has_locator(const struct vhd_header *header) {
        return !bytes_are_zero(header->locator, sizeof header->locator);
}

enum err vhd_header_check_type(const struct vhd_header *header, enum vhd_type type, struct err_note *note) {
        bool has_uuid = !uuid_is_null(&header->parent_uuid);
        bool has_name = !bytes_are_zero(header->parent_name, sizeof header->parent_name);

        if (type == VHD_DIFFERENCING) {
                if (!has_uuid && !has_name && !has_locator(header))
                        return err_set(note, ERR_CORRUPT, "header: a differencing image names no parent");
                return ERR_NONE;
        }
        if (has_uuid)
                return err_set(note, ERR_CORRUPT, "header: a %s image has a parent uuid, %s",
                               vhd_type_name(type), uuid_format(&header->parent_uuid).s);
        if (has_name)
                return err_set(note, ERR_CORRUPT, "header: a %s image has a parent name",
                               vhd_type_name(type));
        if (header->parent_timestamp)
                return err_set(note, ERR_CORRUPT, "header: a %s image has a parent time, %u",
                               vhd_type_name(type), header->parent_timestamp);
        if (has_locator(header))
                return err_set(note, ERR_CORRUPT, "header: a %s image has parent locators",
                               vhd_type_name(type));
        return ERR_NONE;
}

enum err vhd_header_check_size(const struct vhd_header *header, uint64_t size_bytes, struct err_note *note) {
        uint64_t need = div_up(size_bytes, VHD_BLOCK_SIZE);

        if (header->max_bat_entries < need)
                return err_set(note, ERR_CORRUPT,
                               "header: table has %u entries, a size of %" PRIu64 " bytes needs %" PRIu64,
                               header->max_bat_entries, size_bytes, need);
        return ERR_NONE;
}

bool vhd_header_has_raw_parent(const struct vhd_header *header, enum vhd_type type) {
        return type == VHD_DIFFERENCING && uuid_is_null(&header->parent_uuid);
}

enum err vhd_header_name(const struct vhd_header *header, char **ret, struct err_note *note) {
        AUTO(buf_fini) struct buf name = {0};
        size_t n = 0;

        while (n < VHD_NAME_SIZE && (header->parent_name[n] || header->parent_name[n + 1]))
                n += 2;
        if (utf16_to_utf8((struct span){header->parent_name, n}, UTF16_BIG, &name, note))
                return err_wrap(note, "header: parent name");
        *ret = mem_text(buf_text(&name));
        return ERR_NONE;
}

enum err vhd_header_set_parent(struct vhd_header *header, const struct uuid *uuid, uint32_t timestamp,
                               const char *name, struct err_note *note) {
        AUTO(buf_fini) struct buf units = {0};

        if (*name == '\0')
                return err_set(note, ERR_INVALID, "the parent's name is empty");
        if (utf16_from_utf8((struct span){(const uint8_t *)name, strlen(name)}, UTF16_BIG, &units, note)) {
                note->code = ERR_INVALID;
                return err_wrap(note, "the parent's name");
        }
        if (units.n / 2 > VHD_NAME_UNITS)
                return err_set(note, ERR_TOO_LARGE,
                               "the parent's name has %zu UTF-16 units, a header holds %u", units.n / 2,
                               VHD_NAME_UNITS);
        memset(header->parent_name, 0, sizeof header->parent_name);
        memcpy(header->parent_name, units.data, units.n);
        header->parent_uuid = *uuid;
        header->parent_timestamp = timestamp;
        return ERR_NONE;
}

void vhd_header_clear_parent(struct vhd_header *header) {
        memset(&header->parent_uuid, 0, sizeof header->parent_uuid);
        memset(header->parent_name, 0, sizeof header->parent_name);
        memset(header->locator, 0, sizeof header->locator);
        header->parent_timestamp = 0;
}

bool vhd_locator_space(const struct vhd_locator *locator, uint64_t *ret_bytes) {
        if (locator->space >= VHD_SECTOR && !is_multiple(locator->space, VHD_SECTOR))
                return false;
        *ret_bytes = locator->space < VHD_SECTOR ? (uint64_t)locator->space * VHD_SECTOR : locator->space;
        return true;
}

const char *vhd_locator_name(uint32_t code) {
        switch (code) {
        case VHD_LOCATOR_NONE:
                return "none";
        case VHD_LOCATOR_WI2R:
                return "Wi2r";
        case VHD_LOCATOR_WI2K:
                return "Wi2k";
        case VHD_LOCATOR_W2RU:
                return "W2ru";
        case VHD_LOCATOR_W2KU:
                return "W2ku";
        case VHD_LOCATOR_MAC:
                return "Mac ";
        case VHD_LOCATOR_MACX:
                return "MacX";
        default:
                return "????";
        }
}

enum err vhd_locator_check(const struct vhd_locator *locator, struct err_note *note) {
        const char *name = vhd_locator_name(locator->code);
        uint64_t space, end;

        if (locator->code == VHD_LOCATOR_NONE) {
                if (locator->space || locator->length || locator->reserved || locator->offset)
                        return err_set(note, ERR_CORRUPT,
                                       "locator: has no code but is not empty (space %u, length %u)",
                                       locator->space, locator->length);
                return ERR_NONE;
        }
        if (strcmp(name, "????") == 0)
                return err_set(note, ERR_UNSUPPORTED, "locator: code is 0x%08x, which is not known",
                               locator->code);
        if (!vhd_locator_space(locator, &space))
                return err_set(note, ERR_CORRUPT,
                               "locator %s: space is %u, neither sectors (below 512) nor a multiple of 512",
                               name, locator->space);
        if (locator->length > space)
                return err_set(note, ERR_CORRUPT, "locator %s: length is %u, its space is %" PRIu64, name,
                               locator->length, space);
        if (locator->offset < VHD_SECTOR || !add_u64(locator->offset, space, &end) || end > INT64_MAX)
                return err_set(note, ERR_CORRUPT,
                               "locator %s: offset is 0x%" PRIx64 ", which is no place for it", name,
                               locator->offset);
        return ERR_NONE;
}
