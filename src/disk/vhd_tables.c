// SPDX-License-Identifier: Apache-2.0
#include "vhd_tables.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "mem.h"
#include "vhd_bitmap.h"
#include "vhd_edit.h"

static const uint64_t map_max = (VHD_MAX_BLOCKS + VHD_SECTOR * 8 - 1) / (VHD_SECTOR * 8) * VHD_SECTOR;

void vhd_tables_fini(struct vhd_tables *t) {
        free(t->bat);
        free(t->map);
        *t = (struct vhd_tables){0};
}

/* ---- reading ---- */

static enum err read_map(struct vhd_tables *t, struct err_note *note) {
        if (t->meta.batmap_note.code) {
                *note = t->meta.batmap_note;
                return err_wrap(note, "batmap");
        }
        if (!t->meta.has_batmap)
                return ERR_NONE;
        t->map_size = (size_t)min_u64(t->meta.batmap.map_size_bytes, map_max);
        t->map = mem_zero(t->map_size);
        if (io_read(t->file, t->map, t->map_size, t->meta.batmap.map_offset, note))
                return err_wrap(note, "read the batmap");
        return vhd_batmap_check_map(&t->meta.batmap, (struct span){t->map, t->map_size},
                                    t->meta.footer.size_bytes, note);
}

/* A map that a crash tore is a hint that says nothing; whoever changes tables writes it anew first. */
static enum err read_hint(struct vhd_tables *t, struct err_note *note) {
        enum err err = read_map(t, note);

        if (err != ERR_CORRUPT || !t->map)
                return err;
        memset(t->map, 0, t->map_size);
        return ERR_NONE;
}

static enum err read_bat(struct vhd_tables *t, struct err_note *note) {
        if (io_read(t->file, t->bat, (size_t)t->n_room * 4, t->meta.header.table_offset, note))
                return err_wrap(note, "read the BAT");
        vhd_bat_decode((const be32 *)(const void *)t->bat, t->n_room, t->bat);
        return ERR_NONE;
}

static enum err check_entries(const struct vhd_tables *t, struct err_note *note) {
        for (uint32_t i = 0; i < t->n; i++)
                if (vhd_bat_check_entry(i, t->bat[i], &t->reserved, t->meta.end_footer_at, note))
                        return note->code;
        return vhd_bat_check_overlaps(t->bat, t->n, NULL, note);
}

enum err vhd_tables_read(struct io_file *file, const struct vhd_meta *meta, struct vhd_tables *ret,
                         struct err_note *note) {
        AUTO(vhd_tables_fini) struct vhd_tables t = {.file = file, .meta = *meta};

        t.n = (uint32_t)vhd_meta_blocks(meta);
        /* With what the table's last sector has room for: nothing else lies there. */
        t.n_room = (uint32_t)min_u64(vhd_bat_size(meta->header.max_bat_entries) / 4, VHD_MAX_BLOCKS);
        t.bat = mem_try(t.n_room, sizeof *t.bat);
        if (!t.bat)
                return err_set(note, ERR_NO_MEMORY, "read a BAT of %u entries: out of memory", t.n_room);
        if (vhd_meta_reserved(meta, &t.reserved, note) || read_bat(&t, note) || check_entries(&t, note) ||
            read_hint(&t, note))
                return note->code;
        if (t.reserved.end > max_u64(meta->end_footer_at, meta->file_size))
                return err_set(note, ERR_CORRUPT, "metadata goes up to %" PRIu64 ", past the end of the file",
                               t.reserved.end);
        *ret = t;
        t = (struct vhd_tables){0};
        return ERR_NONE;
}

/* ---- clearing past the end ---- */

/* Map, then its header.  In between whoever looks finds a wrong checksum, and drops a hint. */
static enum err write_map(struct vhd_tables *t, struct err_note *note) {
        struct vhd_batmap_disk disk;

        vhd_batmap_seal(&t->meta.batmap, (struct span){t->map, t->map_size}, t->meta.footer.size_bytes);
        vhd_batmap_encode(&t->meta.batmap, &disk);
        if (io_write(t->file, t->map, t->map_size, t->meta.batmap.map_offset, note) ||
            io_sync(t->file, note) || io_write(t->file, &disk, sizeof disk, t->meta.batmap_header_at, note) ||
            io_sync(t->file, note))
                return err_wrap(note, "write the batmap");
        return ERR_NONE;
}

static enum err clear_map(struct vhd_tables *t, uint32_t from, bool is_forced, struct err_note *note) {
        uint32_t n_bits = (uint32_t)t->map_size * 8;

        if (!t->map || from >= n_bits || (!is_forced && vhd_bitmap_next_set(t->map, from, n_bits) == n_bits))
                return ERR_NONE;
        vhd_bitmap_clear_range(t->map, from, n_bits - from);
        return write_map(t, note);
}

static enum err clear_bitmap(struct vhd_tables *t, uint32_t block, uint32_t from, struct err_note *note) {
        uint64_t at = (uint64_t)t->bat[block] * VHD_SECTOR;
        uint8_t bits[VHD_BITMAP_SIZE];

        if (io_read(t->file, bits, sizeof bits, at, note))
                return err_wrap(note, "read the bitmap of block %u", block);
        vhd_bitmap_clear_range(bits, from, VHD_BLOCK_SECTORS - from);
        if (io_write(t->file, bits, sizeof bits, at, note) || io_sync(t->file, note))
                return err_wrap(note, "write the bitmap of block %u", block);
        return ERR_NONE;
}

static enum err clear_entries(struct vhd_tables *t, struct err_note *note) {
        be32 unused = be32_put(VHD_BAT_UNUSED);
        bool any = false;

        for (uint32_t i = t->n; i < t->n_room; i++) {
                if (t->bat[i] == VHD_BAT_UNUSED)
                        continue;
                t->bat[i] = VHD_BAT_UNUSED;
                if (io_write(t->file, &unused, sizeof unused, t->meta.header.table_offset + (uint64_t)i * 4,
                             note))
                        return err_wrap(note, "clear BAT entry %u", i);
                any = true;
        }
        return any ? io_sync(t->file, note) : ERR_NONE;
}

enum err vhd_tables_clear_past_end(struct vhd_tables *t, struct err_note *note) {
        uint32_t last = t->n - 1;
        uint64_t n = (t->meta.footer.size_bytes - last * VHD_BLOCK_SIZE) / VHD_SECTOR;
        bool is_part = n < VHD_BLOCK_SECTORS && t->bat[last] != VHD_BAT_UNUSED;
        uint64_t covered = vhd_batmap_sum_length(t->meta.footer.size_bytes) * 8;
        uint32_t first = (uint32_t)min_u64(is_part ? last : t->n, covered);

        /* The batmap first: with its bit set nobody looks at the bitmap.  Bits that the checksum leaves out
         * go too: nobody believes them, and the checksum of the new size may take them in.  Both are written
         * even where they say so already: an earlier try may have written and failed to sync them. */
        if (clear_map(t, first, is_part, note) || (is_part && clear_bitmap(t, last, (uint32_t)n, note)))
                return note->code;
        return clear_entries(t, note);
}

/* ---- a larger table ---- */

/* What a larger table will be, and what it needs. */
struct larger {
        uint32_t n_entries;
        uint64_t at, end;       /* of BAT, batmap header and map */
        uint64_t batmap_at;     /* of the batmap's header */
        uint64_t first, footer; /* sector of the first block that moves; where the footer goes */
        VEC(uint32_t) moving;   /* owned; blocks that are in the way */
};

static void larger_fini(struct larger *l) {
        vec_fini(&l->moving);
}
DEFINE_AUTO_IN_PLACE(struct larger, larger_fini);

static bool map_has_room(const struct vhd_tables *t, uint32_t n_blocks) {
        return !t->map || n_blocks <= t->map_size * 8;
}

bool vhd_tables_have_room(const struct vhd_tables *t, uint32_t n_blocks) {
        return n_blocks <= t->meta.header.max_bat_entries && map_has_room(t, n_blocks);
}

static enum err plan_larger(const struct vhd_tables *t, uint32_t n_blocks, struct larger *ret,
                            struct err_note *note) {
        uint64_t end = vhd_meta_data_end(&t->meta, t->bat, t->n);

        ret->n_entries = (uint32_t)max_u64(n_blocks, min_u64((uint64_t)t->n_room * 2, VHD_MAX_BLOCKS));
        ret->n_entries = (uint32_t)min_u64(round_up(ret->n_entries, VHD_SECTOR / 4), VHD_MAX_BLOCKS);
        ret->at = round_up(t->reserved.end, VHD_SECTOR);
        ret->batmap_at = ret->at + vhd_bat_size(ret->n_entries);
        ret->end = ret->batmap_at;
        if (vhd_batmap_presence(&t->meta.footer) != VHD_BATMAP_NO)
                ret->end += VHD_BATMAP_HEADER_SIZE + (t->map ? vhd_batmap_size(ret->n_entries) : 0);
        for (uint32_t i = 0; i < t->n; i++)
                if (t->bat[i] != VHD_BAT_UNUSED && (uint64_t)t->bat[i] * VHD_SECTOR < ret->end &&
                    vhd_block_end(t->bat[i]) > ret->at)
                        *vec_add(&ret->moving) = i;
        end = max_u64(end, ret->end);
        ret->first = vhd_slot_align(end / VHD_SECTOR);
        if (ret->moving.n)
                end = (vhd_slot_sector(ret->first, ret->moving.n) - VHD_STRIDE_SECTORS + VHD_BITMAP_SECTORS +
                       VHD_BLOCK_SECTORS) *
                      VHD_SECTOR;
        if (end / VHD_SECTOR > UINT32_MAX)
                return err_set(note, ERR_TOO_LARGE,
                               "the file has no room for blocks that must move: %" PRIu64
                               " bytes are more than a VHD can address",
                               end);
        ret->footer = max_u64(end, t->meta.end_footer_at);
        return ERR_NONE;
}

/* Space, then the footer at the new end, durable; only then may the old one's place be written. */
static enum err move_footer(struct vhd_tables *t, uint64_t to, struct err_note *note) {
        struct vhd_footer_disk disk;
        struct err_note ignored;

        if (to == t->meta.end_footer_at && t->meta.end_state == VHD_PART_VALID)
                return ERR_NONE;
        vhd_footer_encode(&t->meta.footer, &disk);
        if (io_truncate(t->file, max_u64(t->meta.file_size, to + sizeof disk), note) ||
            io_write(t->file, &disk, sizeof disk, to, note)) {
                (void)!io_truncate(t->file, t->meta.file_size,
                                   &ignored); /* the old footer is the last again */
                return err_wrap(note, "grow the file");
        }
        if (io_sync(t->file, note))
                return err_wrap(note, "grow the file");
        t->meta.end_footer_at = to;
        t->meta.file_size = max_u64(t->meta.file_size, to + sizeof disk);
        t->meta.end_state = VHD_PART_VALID;
        return ERR_NONE;
}

/* As it was read: entries that an earlier try wrote and failed to sync are in memory only, and what they no
 * longer name is about to be written over. */
static enum err write_bat(struct vhd_tables *t, struct err_note *note) {
        AUTO_FREE be32 *disk = mem_try(t->n_room, sizeof *disk);

        if (!disk)
                return err_set(note, ERR_NO_MEMORY, "write a BAT of %u entries: out of memory", t->n_room);
        vhd_bat_encode(t->bat, t->n_room, disk);
        if (io_write(t->file, disk, (size_t)t->n_room * 4, t->meta.header.table_offset, note) ||
            io_sync(t->file, note))
                return err_wrap(note, "write the BAT");
        return ERR_NONE;
}

static enum err copy_block(struct vhd_tables *t, uint32_t from, uint32_t to, uint8_t *room,
                           struct err_note *note) {
        size_t n = VHD_BITMAP_SIZE + VHD_BLOCK_SIZE;

        if (io_read(t->file, room, n, (uint64_t)from * VHD_SECTOR, note) ||
            io_write(t->file, room, n, (uint64_t)to * VHD_SECTOR, note))
                return note->code;
        return ERR_NONE;
}

/* Copies, durable; then the entries, durable.  Until the second sync either place holds the same. */
static enum err move_blocks(struct vhd_tables *t, const struct larger *l, struct err_note *note) {
        AUTO_FREE uint8_t *room = NULL;

        if (l->moving.n == 0)
                return ERR_NONE;
        room = mem_aligned(4096, VHD_BITMAP_SIZE + VHD_BLOCK_SIZE);
        for (size_t i = 0; i < l->moving.n; i++)
                if (copy_block(t, t->bat[l->moving.data[i]], (uint32_t)vhd_slot_sector(l->first, i), room,
                               note))
                        return err_wrap(note, "move block %u", l->moving.data[i]);
        if (io_sync(t->file, note))
                return note->code;
        for (size_t i = 0; i < l->moving.n; i++) {
                uint32_t block = l->moving.data[i];
                be32 entry = be32_put((uint32_t)vhd_slot_sector(l->first, i));

                if (io_write(t->file, &entry, sizeof entry, t->meta.header.table_offset + (uint64_t)block * 4,
                             note))
                        return err_wrap(note, "write BAT entry %u", block);
                t->bat[block] = be32_get(entry);
        }
        return io_sync(t->file, note);
}

/* BAT, batmap header and map in one write: nothing names the place yet. */
static enum err write_larger(struct vhd_tables *t, const struct larger *l, struct vhd_batmap *ret_batmap,
                             struct err_note *note) {
        uint64_t n = l->end - l->at, bat_size = vhd_bat_size(l->n_entries);
        AUTO_FREE uint8_t *bytes = mem_try((size_t)n, 1);

        if (!bytes)
                return err_set(note, ERR_NO_MEMORY, "make a table of %" PRIu64 " bytes: out of memory", n);
        memset(bytes, 0xFF, (size_t)bat_size);
        vhd_bat_encode(t->bat, t->n, (be32 *)(void *)bytes);
        *ret_batmap = t->meta.batmap;
        if (t->map) {
                uint8_t *map = bytes + bat_size + VHD_BATMAP_HEADER_SIZE;
                uint64_t map_size = vhd_batmap_size(l->n_entries);

                memcpy(map, t->map, (size_t)min_u64(map_size, t->map_size));
                ret_batmap->map_offset = l->batmap_at + VHD_BATMAP_HEADER_SIZE;
                ret_batmap->map_size_bytes = map_size;
                vhd_batmap_seal(ret_batmap, (struct span){map, (size_t)map_size}, t->meta.footer.size_bytes);
                vhd_batmap_encode(ret_batmap, (struct vhd_batmap_disk *)(void *)(bytes + bat_size));
        }
        if (io_write(t->file, bytes, (size_t)n, l->at, note) || io_sync(t->file, note))
                return err_wrap(note, "write the larger table");
        return ERR_NONE;
}

/* One sector changes, so all or nothing: place and size of the table, and with them the batmap's place. */
static enum err switch_table(struct vhd_tables *t, uint64_t at, uint32_t n_entries, struct err_note *note) {
        struct vhd_header header = t->meta.header;

        header.table_offset = at;
        header.max_bat_entries = n_entries;
        if (vhd_edit_write_header(t->file, &t->meta, &header, note))
                return note->code;
        t->meta.header = header;
        return ERR_NONE;
}

enum err vhd_tables_make_room(struct vhd_tables *t, uint32_t n_blocks, struct err_note *note) {
        AUTO(larger_fini) struct larger l = {0};
        struct vhd_batmap batmap;

        assert(n_blocks <= VHD_MAX_BLOCKS);
        if (n_blocks <= t->n_room && map_has_room(t, n_blocks))
                return switch_table(t, t->meta.header.table_offset, t->n_room, note);
        if (plan_larger(t, n_blocks, &l, note) || move_footer(t, l.footer, note) || write_bat(t, note) ||
            move_blocks(t, &l, note) || write_larger(t, &l, &batmap, note) ||
            switch_table(t, l.at, l.n_entries, note))
                return note->code;
        t->meta.batmap = batmap;
        t->meta.batmap_header_at = l.batmap_at;
        return ERR_NONE;
}

enum err vhd_tables_drop_bad_batmap(struct io_file *file, const struct vhd_meta *meta,
                                    struct err_note *note) {
        struct vhd_tables t = {.file = file, .meta = *meta};
        enum err err = ERR_NONE;

        if (!meta->has_batmap)
                return ERR_NONE;
        if (read_map(&t, note)) {
                err = note->code;
                if (err == ERR_CORRUPT) {
                        memset(t.map, 0, t.map_size);
                        err = write_map(&t, note);
                }
        }
        vhd_tables_fini(&t);
        return err;
}
