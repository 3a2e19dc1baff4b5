// SPDX-License-Identifier: Apache-2.0
#include "vhd_layout.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum { PAGE_SECTORS = 8 };

uint64_t vhd_bat_size(uint32_t max_bat_entries) {
        return round_up((uint64_t)max_bat_entries * 4, VHD_SECTOR);
}

uint64_t vhd_batmap_size(uint32_t max_bat_entries) {
        return max_u64(round_up(div_up(max_bat_entries, 8), VHD_SECTOR), VHD_SECTOR);
}

uint64_t vhd_batmap_header_at(const struct vhd_header *header) {
        return header->table_offset + vhd_bat_size(header->max_bat_entries);
}

void vhd_layout_init(struct vhd_layout *ret, enum vhd_type type, uint64_t size_bytes,
                     uint32_t max_bat_entries, const size_t payload_size[VHD_NEW_LOCATORS]) {
        struct vhd_layout l = {.type = type, .size_bytes = size_bytes, .footer_at = size_bytes};
        uint64_t at = VHD_BAT_AT;

        if (type == VHD_FIXED) {
                *ret = l;
                return;
        }
        assert(max_bat_entries >= vhd_blocks_of(size_bytes) && max_bat_entries <= VHD_MAX_BLOCKS);
        l.max_bat_entries = max_bat_entries;
        l.header_at = VHD_HEADER_AT;
        l.bat_at = at;
        l.bat_size = vhd_bat_size(max_bat_entries);
        at += l.bat_size;
        l.batmap_header_at = at;
        l.batmap_at = at + VHD_SECTOR;
        l.batmap_size = vhd_batmap_size(max_bat_entries);
        at = l.batmap_at + l.batmap_size;
        l.n_locators = type == VHD_DIFFERENCING ? VHD_NEW_LOCATORS : 0;
        for (unsigned i = 0; i < l.n_locators; i++) {
                l.locator_at[i] = at;
                l.locator_space[i] = payload_size ? max_u64(round_up(payload_size[i], VHD_SECTOR), VHD_SECTOR)
                                                  : VHD_SECTOR;
                at += l.locator_space[i];
        }
        l.headers_end = at;
        l.first_block_sector = vhd_slot_align(at / VHD_SECTOR);
        l.footer_at = at;
        *ret = l;
}

uint64_t vhd_slot_align(uint64_t sector) {
        return round_up(sector + VHD_BITMAP_SECTORS, PAGE_SECTORS) - VHD_BITMAP_SECTORS;
}

uint64_t vhd_slot_sector(uint64_t first, uint64_t k) {
        return first + k * VHD_STRIDE_SECTORS;
}

bool vhd_slot_of(uint64_t first, uint64_t sector, uint64_t *ret_k) {
        if (sector < first || (sector - first) % VHD_STRIDE_SECTORS)
                return false;
        *ret_k = (sector - first) / VHD_STRIDE_SECTORS;
        return true;
}

uint64_t vhd_block_data_at(uint32_t entry) {
        return ((uint64_t)entry + VHD_BITMAP_SECTORS) * VHD_SECTOR;
}

uint64_t vhd_block_end(uint32_t entry) {
        return vhd_block_data_at(entry) + VHD_BLOCK_SIZE;
}

static void reserve(struct vhd_reserved *r, uint64_t at, uint64_t n, const char *what) {
        unsigned i = r->n++;

        assert(r->n <= VHD_RESERVED_MAX);
        for (; i > 0 && r->extent[i - 1].at > at; i--)
                r->extent[i] = r->extent[i - 1];
        r->extent[i] = (struct vhd_extent){at, n, what};
        r->end = max_u64(r->end, at + n); /* no wrap: decoders refuse what lies past INT64_MAX */
}

static enum err check_apart(const struct vhd_reserved *r, struct err_note *note) {
        for (unsigned i = 1; i < r->n; i++) {
                const struct vhd_extent *a = &r->extent[i - 1], *b = &r->extent[i];

                if (b->at - a->at < a->n)
                        return err_set(note, ERR_CORRUPT,
                                       "%s (%" PRIu64 " bytes at %" PRIu64 ") and %s (%" PRIu64 " at %" PRIu64
                                       ") lie upon each other",
                                       a->what, a->n, a->at, b->what, b->n, b->at);
        }
        return ERR_NONE;
}

enum err vhd_reserved_of(const struct vhd_footer *footer, const struct vhd_header *header, bool with_batmap,
                         uint64_t batmap_at, uint64_t batmap_size, struct vhd_reserved *ret,
                         struct err_note *note) {
        struct vhd_reserved r = {0};
        struct err_note ignored;
        uint64_t space;

        reserve(&r, 0, VHD_FOOTER_SIZE, "footer copy");
        reserve(&r, footer->data_offset, VHD_HEADER_SIZE, "header");
        reserve(&r, header->table_offset, vhd_bat_size(header->max_bat_entries), "BAT");
        if (with_batmap) {
                reserve(&r, vhd_batmap_header_at(header), VHD_SECTOR, "batmap header");
                reserve(&r, batmap_at, batmap_size, "batmap");
        }
        for (unsigned i = 0; i < VHD_LOCATORS; i++) {
                const struct vhd_locator *locator = &header->locator[i];

                if (locator->code == VHD_LOCATOR_NONE || vhd_locator_check(locator, &ignored) ||
                    !vhd_locator_space(locator, &space) || space == 0)
                        continue;
                reserve(&r, locator->offset, space, "parent locator");
        }
        *ret = r;
        return check_apart(&r, note);
}

const struct vhd_extent *vhd_reserved_hit(const struct vhd_reserved *r, uint64_t at, uint64_t n) {
        if (at >= r->end)
                return NULL; /* nearly every block of every image */
        for (unsigned i = 0; i < r->n; i++) {
                const struct vhd_extent *e = &r->extent[i];

                if (at < e->at ? e->at - at < n : n > 0 && at - e->at < e->n)
                        return e;
        }
        return NULL;
}
