// SPDX-License-Identifier: Apache-2.0
#include "xo_vhd_file.h"

#include <string.h>

#include "buf.h"
#include "mem.h"
#include "vhd_bat.h"
#include "vhd_footer.h"
#include "vhd_header.h"

enum {
        HEADER_AT = sizeof(struct vhd_footer_disk),
        TABLE_AT = HEADER_AT + VHD_HEADER_SIZE,
        STRIDE = VHD_BITMAP_SIZE + VHD_BLOCK_SIZE, /* of a block in the file */
};

static const char creator[4] = {'x', 'o', ' ', ' '};

static enum err make_heads(const struct xo_vhd_file *vhd, uint32_t n_blocks,
                           struct vhd_footer_disk *ret_footer, struct vhd_header_disk *ret_header,
                           struct err_note *note) {
        struct vhd_footer footer;
        struct vhd_header header;

        vhd_footer_init(&footer, vhd->parent_name ? VHD_DIFFERENCING : VHD_DYNAMIC,
                        round_up(vhd->size, SECTOR), &vhd->uuid, vhd_time_from_unix(vhd->time));
        memcpy(footer.creator, creator, sizeof creator);
        footer.data_offset = HEADER_AT;
        vhd_header_init(&header, TABLE_AT, n_blocks);
        if (vhd->parent_name && vhd_header_set_parent(&header, &vhd->parent, 0, vhd->parent_name, note))
                return note->code;
        vhd_footer_encode(&footer, ret_footer);
        vhd_header_encode(&header, ret_header);
        return ERR_NONE;
}

static void make_table(const struct xo_vhd_file *vhd, uint32_t n_blocks, struct buf *ret) {
        AUTO_FREE uint32_t *entries = mem_grow(NULL, max_u64(n_blocks, 1), sizeof *entries);
        uint64_t start = TABLE_AT + round_up(n_blocks * (uint64_t)sizeof(be32), SECTOR);

        vhd_bat_clear(entries, n_blocks);
        for (size_t i = 0; i < vhd->blocks.n; i++)
                entries[vhd->blocks.data[i]] = (uint32_t)((start + i * (uint64_t)STRIDE) / SECTOR);
        memset(buf_extend(ret, start - TABLE_AT), 0xff, start - TABLE_AT);
        vhd_bat_encode(entries, n_blocks, (be32 *)(void *)ret->data);
}

static enum err write_blocks(struct io_file *file, const struct xo_vhd_file *vhd, uint64_t *at,
                             struct err_note *note) {
        AUTO_FREE uint8_t *block = mem_zero(STRIDE);

        memset(block, 0xff, VHD_BITMAP_SIZE);
        VEC_EACH (&vhd->blocks, number) {
                uint64_t from = *number * VHD_BLOCK_SIZE, n = min_u64(VHD_BLOCK_SIZE, vhd->size - from);

                memset(block + VHD_BITMAP_SIZE + n, 0, VHD_BLOCK_SIZE - n);
                if (vhd->read(vhd->user, block + VHD_BITMAP_SIZE, n, from, note) ||
                    io_write(file, block, STRIDE, *at, note) || vhd->tick(vhd->user, note))
                        return note->code;
                *at += STRIDE;
        }
        return ERR_NONE;
}

enum err xo_vhd_file_write(struct io *io, const char *path, const struct xo_vhd_file *vhd,
                           struct err_note *note) {
        uint32_t n_blocks = (uint32_t)div_up(vhd->size, VHD_BLOCK_SIZE);
        AUTO(io_close) struct io_file *file = NULL;
        AUTO(buf_fini) struct buf table = {0};
        struct vhd_footer_disk footer;
        struct vhd_header_disk header;
        uint64_t at;

        if (vhd->size > VHD_MAX_SIZE)
                return err_set(note, ERR_TOO_LARGE, "a VHD has at most %llu GiB",
                               (unsigned long long)(VHD_MAX_SIZE >> 30));
        if (make_heads(vhd, n_blocks, &footer, &header, note))
                return note->code;
        make_table(vhd, n_blocks, &table);
        at = TABLE_AT + table.n;
        if (io_open(io, path, IO_CREATE, &file, note) || io_write(file, &footer, sizeof footer, 0, note) ||
            io_write(file, &header, sizeof header, HEADER_AT, note) ||
            (table.n > 0 && io_write(file, table.data, table.n, TABLE_AT, note)) ||
            write_blocks(file, vhd, &at, note) || io_write(file, &footer, sizeof footer, at, note))
                return note->code;
        return io_sync(file, note);
}
