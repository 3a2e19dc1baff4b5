// SPDX-License-Identifier: Apache-2.0
#include "convert_target.h"

#include <string.h>

#include "mem.h"
#include "vhd_bat.h"
#include "vhd_bitmap.h"
#include "vhd_header.h"

static enum err prepare_vhd(struct io *io, uint64_t size, const struct convert_options *options,
                            struct convert_target *target, struct err_note *note) {
        enum vhd_type type = options->format == CONVERT_FIXED ? VHD_FIXED : VHD_DYNAMIC;
        struct uuid uuid = options->uuid;
        uint8_t dice[16];

        if (vhd_check_size(size, note))
                return note->code;
        if (uuid_is_null(&uuid)) {
                io_random(io, dice, sizeof dice);
                uuid = uuid_from_random(dice);
        }
        vhd_footer_init(&target->footer, type, size, &uuid, vhd_time_from_unix(io_wall_ns(io) / 1000000000));
        vhd_layout_init(&target->layout, type, size, type == VHD_FIXED ? 0 : vhd_blocks_of(size), NULL);
        if (type == VHD_FIXED)
                return ERR_NONE;
        target->bat = mem_try(target->layout.max_bat_entries, sizeof *target->bat);
        target->batmap = mem_try((size_t)target->layout.batmap_size, 1);
        if (!target->bat || !target->batmap)
                return err_set(note, ERR_NO_MEMORY, "no memory for a BAT of %u entries",
                               target->layout.max_bat_entries);
        vhd_bat_clear(target->bat, target->layout.max_bat_entries);
        return ERR_NONE;
}

enum err convert_target_open(struct io *io, const char *path, uint64_t size,
                             const struct convert_options *options, struct convert_target *ret,
                             struct err_note *note) {
        *ret = (struct convert_target){.format = options->format, .size = size};
        if (options->format != CONVERT_RAW && prepare_vhd(io, size, options, ret, note))
                return note->code;
        if (io_open(io, path, IO_WRITE | IO_CREATE, &ret->plain, note))
                return note->code;
        return io_open(io, path, IO_WRITE | (options->cache != CONVERT_CACHED ? IO_DIRECT : 0), &ret->data,
                       note);
}

void convert_target_fini(struct convert_target *target) {
        if (target->data)
                io_close(target->data);
        if (target->plain)
                io_close(target->plain);
        free(target->bat);
        free(target->batmap);
        *target = (struct convert_target){0};
}

bool convert_target_place(struct convert_target *target, uint64_t block, uint8_t *head, uint64_t *ret_at) {
        uint64_t n = min_u64(VHD_BLOCK_SIZE, target->size - block * VHD_BLOCK_SIZE) / VHD_SECTOR;
        uint8_t *bitmap = head + CONVERT_FRAME_HEAD - VHD_BITMAP_SIZE;
        uint32_t entry;

        if (target->format != CONVERT_VHD) {
                *ret_at = block * VHD_BLOCK_SIZE;
                return false;
        }
        entry = (uint32_t)vhd_slot_sector(target->layout.first_block_sector, target->n_slots++);
        target->bat[block] = entry;
        memset(head, 0, CONVERT_FRAME_HEAD);
        vhd_bitmap_set_range(bitmap, 0, (uint32_t)n);
        if (n == VHD_BLOCK_SECTORS)
                vhd_bitmap_set(target->batmap, (uint32_t)block);
        *ret_at = vhd_block_data_at(entry);
        return true;
}

/* ---- metadata ---- */

/* Header, BAT and batmap as one run of bytes; then the footer's copy in front of them, by itself and last:
 * until it stands there, the file is no VHD to anybody. */
static enum err write_tables(struct convert_target *target, const struct vhd_footer_disk *footer,
                             struct err_note *note) {
        const struct vhd_layout *layout = &target->layout;
        AUTO_FREE uint8_t *bytes = mem_try((size_t)layout->headers_end, 1);
        struct vhd_header header;
        struct vhd_batmap batmap;

        if (!bytes)
                return err_set(note, ERR_NO_MEMORY, "no memory for %llu bytes of metadata",
                               (unsigned long long)layout->headers_end);
        vhd_header_init(&header, layout->bat_at, layout->max_bat_entries);
        vhd_header_encode(&header, (struct vhd_header_disk *)(bytes + layout->header_at));
        memset(bytes + layout->bat_at, 0xff, (size_t)layout->bat_size);
        vhd_bat_encode(target->bat, layout->max_bat_entries, (be32 *)(bytes + layout->bat_at));
        vhd_batmap_init(&batmap, layout->batmap_at, layout->max_bat_entries);
        vhd_batmap_seal(&batmap, (struct span){target->batmap, (size_t)layout->batmap_size}, target->size);
        vhd_batmap_encode(&batmap, (struct vhd_batmap_disk *)(bytes + layout->batmap_header_at));
        memcpy(bytes + layout->batmap_at, target->batmap, (size_t)layout->batmap_size);
        if (io_write(target->plain, bytes + layout->header_at,
                     (size_t)(layout->headers_end - layout->header_at), layout->header_at, note))
                return note->code;
        return io_write(target->plain, footer, sizeof *footer, 0, note);
}

enum err convert_target_finish(struct convert_target *target, struct err_note *note) {
        struct vhd_footer_disk footer;
        uint64_t end = target->size;

        if (target->format == CONVERT_RAW) {
                if (io_truncate(target->plain, target->size, note))
                        return note->code;
                return io_sync(target->plain, note);
        }
        vhd_footer_encode(&target->footer, &footer);
        if (target->format == CONVERT_VHD)
                end = target->n_slots ? vhd_block_end((uint32_t)vhd_slot_sector(
                                                target->layout.first_block_sector, target->n_slots - 1))
                                      : target->layout.footer_at;
        /* A write past the cache may have gone over the end of the disk, to a whole page. */
        if (io_truncate(target->plain, end, note) ||
            io_write(target->plain, &footer, sizeof footer, end, note))
                return note->code;
        if (target->format == CONVERT_VHD && write_tables(target, &footer, note))
                return note->code;
        return io_sync(target->plain, note);
}
