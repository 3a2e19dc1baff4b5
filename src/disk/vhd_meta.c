// SPDX-License-Identifier: Apache-2.0
#include "vhd_meta.h"

#include <assert.h>
#include <inttypes.h>

#include "mem.h"

/* One of the two footers, as it was found. */
struct found {
        bool is_valid;
        struct vhd_footer footer;
        uint64_t at, n;
        struct err_note note; /* why not */
};

static enum err read_footer(struct io_file *file, uint64_t at, uint64_t n, struct found *ret,
                            struct err_note *note) {
        uint8_t bytes[VHD_FOOTER_SIZE];

        *ret = (struct found){.at = at, .n = n};
        if (io_read(file, bytes, n, at, note))
                return note->code;
        ret->is_valid = !vhd_footer_decode_span((struct span){bytes, (size_t)n}, &ret->footer, &ret->note);
        return ERR_NONE;
}

/* 512 bytes at the end, or the 511 of old Virtual PC. */
static enum err read_end(struct io_file *file, uint64_t size, struct found *ret, struct err_note *note) {
        struct found old;

        if (size >= VHD_FOOTER_SIZE) {
                if (read_footer(file, size - VHD_FOOTER_SIZE, VHD_FOOTER_SIZE, ret, note))
                        return note->code;
        } else {
                *ret = (struct found){.n = VHD_FOOTER_SIZE};
                (void)err_set(&ret->note, ERR_CORRUPT, "the file is shorter than a footer");
        }
        if (ret->is_valid || !is_multiple(size - VHD_FOOTER_SIZE_OLD, VHD_SECTOR))
                return ERR_NONE;
        if (read_footer(file, size - VHD_FOOTER_SIZE_OLD, VHD_FOOTER_SIZE_OLD, &old, note))
                return note->code;
        if (old.is_valid)
                *ret = old;
        return ERR_NONE;
}

static enum err read_copy(struct io_file *file, uint64_t size, struct found *ret, struct err_note *note) {
        if (size < VHD_FOOTER_SIZE) {
                *ret = (struct found){.n = VHD_FOOTER_SIZE};
                (void)err_set(&ret->note, ERR_CORRUPT, "the file is shorter than a footer");
                return ERR_NONE;
        }
        if (read_footer(file, 0, VHD_FOOTER_SIZE, ret, note))
                return note->code;
        if (ret->is_valid && ret->footer.type == VHD_FIXED) {
                ret->is_valid = false;
                (void)err_set(&ret->note, ERR_CORRUPT,
                              "footer: says \"fixed\", but a fixed image has none here");
        }
        return ERR_NONE;
}

static bool is_fixed(const struct found *end) {
        return end->is_valid && end->footer.type == VHD_FIXED && end->footer.size_bytes <= end->at;
}

/* The footer at the end belongs to the copy; if not, what stands there is said not to be one. */
static bool end_matches(const struct found *copy, struct found *end) {
        if (end->is_valid && end->footer.type == VHD_FIXED) {
                end->is_valid = false;
                (void)err_set(&end->note, ERR_CORRUPT,
                              "footer: says \"fixed\" of %" PRIu64 " bytes, which do not fit the file",
                              end->footer.size_bytes);
        }
        if (!end->is_valid)
                return false;
        if (uuid_equal(&end->footer.uuid, &copy->footer.uuid) &&
            memcmp(end->footer.creator, copy->footer.creator, sizeof copy->footer.creator) == 0)
                return true;
        (void)err_set(&end->note, ERR_CORRUPT,
                      "footer: uuid %s or creator is not that of the copy at 0 (uuid %s), so it is not this "
                      "image's",
                      uuid_format(&end->footer.uuid).s, uuid_format(&copy->footer.uuid).s);
        end->is_valid = false;
        return false;
}

/* Both are valid and belong together.  The end counts: tools that know only the end wrote it first. */
static void take_pair(struct vhd_meta *meta, const struct found *copy, const struct found *end) {
        meta->footer = end->footer;
        if (end->footer.had_no_hidden || copy->footer.had_no_hidden)
                meta->footer.is_hidden =
                        copy->footer.is_hidden; /* such creators kept it up to date at 0 only */
        if (vhd_footer_equal(&copy->footer, &end->footer) &&
            copy->footer.had_no_hidden == end->footer.had_no_hidden)
                return;
        meta->copy_state = VHD_PART_DIFFERS;
        (void)err_set(&meta->copy_note, ERR_CORRUPT,
                      "the footer copy at 0 (size %" PRIu64 ", %s, %s) is not the footer at %" PRIu64
                      " (size %" PRIu64 ", %s, %s)",
                      copy->footer.size_bytes, vhd_type_name(copy->footer.type),
                      copy->footer.is_hidden ? "hidden" : "visible", end->at, end->footer.size_bytes,
                      vhd_type_name(end->footer.type), end->footer.is_hidden ? "hidden" : "visible");
}

static enum err refuse(const struct found *copy, const struct found *end, struct err_note *note) {
        enum err code = copy->note.code == ERR_UNSUPPORTED || end->note.code == ERR_UNSUPPORTED
                                ? ERR_UNSUPPORTED
                                : ERR_CORRUPT;

        if (end->is_valid && end->footer.type != VHD_FIXED)
                return err_set(note, code,
                               "footer copy at 0: %s; the footer at %" PRIu64
                               " is whole: repair restores the copy from it",
                               copy->note.text, end->at);
        return err_set(note, code, "not a VHD: copy at 0: %s; at %" PRIu64 ": %s", copy->note.text, end->at,
                       end->is_valid ? "footer: says \"fixed\", but its size does not fit the file"
                                     : end->note.text);
}

/* Which of the two counts, of an image that is not fixed. */
static enum err choose(struct vhd_meta *meta, const struct found *copy, struct found *end, unsigned flags,
                       struct err_note *note) {
        if (!copy->is_valid) {
                if (!(flags & VHD_META_REPAIR) || !end->is_valid || end->footer.type == VHD_FIXED)
                        return refuse(copy, end, note);
                meta->footer = end->footer;
                meta->copy_state = VHD_PART_DAMAGED;
                meta->copy_note = copy->note;
                return ERR_NONE;
        }
        if (end_matches(copy, end)) {
                take_pair(meta, copy, end);
        } else {
                meta->footer = copy->footer;
                meta->end_state = VHD_PART_DAMAGED;
                meta->end_note = end->note;
        }
        meta->footer.is_poisoned = copy->footer.is_poisoned || (end->is_valid && end->footer.is_poisoned);
        return ERR_NONE;
}

enum err vhd_meta_read_footers(struct io_file *file, unsigned flags, struct vhd_meta *ret,
                               struct err_note *note) {
        struct vhd_meta meta = {0};
        struct found copy, end;
        struct io_stat stat;

        if (io_stat(file, &stat, note))
                return note->code;
        if (stat.size < VHD_FOOTER_SIZE_OLD)
                return err_set(note, ERR_CORRUPT, "not a VHD: %" PRIu64 " bytes are fewer than a footer's",
                               stat.size);
        meta.file_size = stat.size;
        if (read_end(file, stat.size, &end, note))
                return note->code;
        meta.end_is_old = end.n == VHD_FOOTER_SIZE_OLD;
        meta.end_footer_at = end.at;
        if (is_fixed(&end)) {
                meta.footer = end.footer;
                *ret = meta;
                return ERR_NONE;
        }
        if (read_copy(file, stat.size, &copy, note) || choose(&meta, &copy, &end, flags, note))
                return note->code;
        *ret = meta;
        return ERR_NONE;
}

enum err vhd_meta_read_payload(struct io_file *file, const struct vhd_meta *meta,
                               const struct vhd_locator *locator, struct buf *ret, struct err_note *note) {
        uint64_t space, n;

        if (vhd_locator_check(locator, note))
                return note->code;
        (void)!vhd_locator_space(locator, &space);
        n = min_u64(space, VHD_LOCATOR_MAX);
        if (!range_fits(locator->offset, n, meta->file_size))
                return err_set(note, ERR_CORRUPT,
                               "locator %s: %" PRIu64 " bytes at %" PRIu64 " go past the end of the file",
                               vhd_locator_name(locator->code), n, locator->offset);
        if (n && io_read(file, buf_extend(ret, (size_t)n), (size_t)n, locator->offset, note))
                return err_wrap(note, "read locator %s", vhd_locator_name(locator->code));
        return ERR_NONE;
}

/* How long a payload is that is followed by zeros only. */
static size_t payload_length(uint32_t code, const struct buf *payload) {
        size_t n = payload->n;

        while (n > 0 && payload->data[n - 1] == 0)
                n--;
        return code == VHD_LOCATOR_MACX ? n : n + n % 2;
}

/* A long name's end lies in the header's second sector. */
static void complete_name(struct vhd_header_disk *disk, const char *path) {
        const char *slash = strrchr(path, '/');
        struct vhd_header header = {0};
        struct err_note ignored;

        if (!vhd_header_set_parent(&header, &header.parent_uuid, 0, slash ? slash + 1 : path, &ignored))
                memcpy(disk->parent_name, header.parent_name, sizeof disk->parent_name);
}

/* vhd_edit_set_parent writes the payloads, then the first sector, then, where the payloads' lengths changed,
 * the second. Where a crash left the second one as it was, payloads and checksum say what it was to be:
 * nothing is taken that the checksum does not prove. */
static enum err complete_header(struct io_file *file, struct vhd_meta *meta,
                                const struct vhd_header_disk *torn, bool *ret_done, struct err_note *note) {
        struct vhd_header_disk disk = *torn;

        *ret_done = false;
        for (unsigned i = 0; i < VHD_LOCATORS; i++) {
                AUTO(buf_fini) struct buf payload = {0};
                AUTO_FREE char *path = NULL;
                struct vhd_locator_disk *d = &disk.locator[i];
                struct vhd_locator locator = {.code = be32_get(d->code),
                                              .space = be32_get(d->space),
                                              .offset = be64_get(d->offset)};

                if (locator.code != VHD_LOCATOR_MACX && locator.code != VHD_LOCATOR_W2KU &&
                    locator.code != VHD_LOCATOR_W2RU)
                        continue;
                if (vhd_meta_read_payload(file, meta, &locator, &payload, note)) {
                        if (note->code != ERR_CORRUPT)
                                return note->code;
                        return ERR_NONE;
                }
                locator.length = (uint32_t)payload_length(locator.code, &payload);
                d->length = be32_put(locator.length);
                if (vhd_locator_decode(&locator, (struct span){payload.data, payload.n}, &path, note))
                        return ERR_NONE;
                complete_name(&disk, path);
        }
        *ret_done = !vhd_header_decode(&disk, &meta->header, note);
        return ERR_NONE;
}

/* vhd_edit_clear_parent writes the first sector, then the second: a crash may leave the locators in it. */
static void clear_header(struct vhd_meta *meta, const struct vhd_header_disk *torn) {
        struct vhd_header_disk disk = *torn;
        struct err_note unused;

        memset(disk.parent_name, 0, sizeof disk.parent_name);
        memset(disk.locator, 0, sizeof disk.locator);
        meta->is_header_torn = !vhd_header_decode(&disk, &meta->header, &unused);
}

enum err vhd_meta_read_header(struct io_file *file, struct vhd_meta *meta, struct err_note *note) {
        struct vhd_header_disk disk;
        uint64_t at = meta->footer.data_offset;

        if (!range_fits(at, sizeof disk, meta->file_size))
                return err_set(note, ERR_CORRUPT,
                               "header: the footer puts it at %" PRIu64 ", past the end of the file, %" PRIu64
                               " bytes",
                               at, meta->file_size);
        if (io_read(file, &disk, sizeof disk, at, note))
                return note->code;
        if (vhd_header_decode(&disk, &meta->header, note)) {
                struct err_note why = *note;

                if (meta->footer.type == VHD_DYNAMIC)
                        clear_header(meta, &disk);
                else if (complete_header(file, meta, &disk, &meta->is_header_torn, note))
                        return note->code;
                if (!meta->is_header_torn) {
                        *note = why;
                        return err_wrap(note, "header at %" PRIu64, at);
                }
        }
        if (vhd_header_check_size(&meta->header, meta->footer.size_bytes, note))
                return err_wrap(note, "header at %" PRIu64, at);
        return ERR_NONE;
}

enum err vhd_meta_read_batmap_header(struct io_file *file, struct vhd_meta *meta, struct err_note *note) {
        enum vhd_batmap_presence presence = vhd_batmap_presence(&meta->footer);
        struct vhd_batmap_disk disk;
        struct vhd_batmap *batmap = &meta->batmap;
        uint64_t at;

        if (presence == VHD_BATMAP_NO)
                return ERR_NONE;
        meta->batmap_header_at = at = vhd_batmap_header_at(&meta->header);
        if (!range_fits(at, sizeof disk, meta->file_size)) {
                (void)err_set(&meta->batmap_note, ERR_CORRUPT,
                              "its header at %" PRIu64 " is past the end of the file", at);
        } else if (io_read(file, &disk, sizeof disk, at, note)) {
                return note->code;
        } else if (!vhd_batmap_decode(&disk, batmap, &meta->batmap_note) &&
                   !vhd_batmap_check_size(batmap, meta->footer.size_bytes, &meta->batmap_note)) {
                if (range_fits(batmap->map_offset, batmap->map_size_bytes, meta->file_size))
                        meta->has_batmap = true;
                else
                        (void)err_set(&meta->batmap_note, ERR_CORRUPT,
                                      "its map, %" PRIu64 " bytes at %" PRIu64
                                      ", goes past the end of the file",
                                      batmap->map_size_bytes, batmap->map_offset);
        }
        if (presence == VHD_BATMAP_MAYBE && !meta->has_batmap)
                meta->batmap_note = (struct err_note){0};
        return ERR_NONE;
}

enum err vhd_meta_reserved(const struct vhd_meta *meta, struct vhd_reserved *ret, struct err_note *note) {
        return vhd_reserved_of(&meta->footer, &meta->header, meta->has_batmap, meta->batmap.map_offset,
                               meta->batmap.map_size_bytes, ret, note);
}

bool vhd_meta_has_batmap_room(const struct vhd_meta *meta, const uint32_t *bat, uint64_t n) {
        uint64_t at = vhd_batmap_header_at(&meta->header);
        uint64_t size = VHD_BATMAP_HEADER_SIZE + vhd_batmap_size(meta->header.max_bat_entries);
        struct vhd_reserved reserved;
        struct err_note ignored;

        (void)!vhd_reserved_of(&meta->footer, &meta->header, false, 0, 0, &reserved, &ignored);
        if (!range_fits(at, size, meta->end_footer_at) || vhd_reserved_hit(&reserved, at, size))
                return false;
        for (uint64_t i = 0; i < n; i++)
                if (bat[i] != VHD_BAT_UNUSED && (uint64_t)bat[i] * VHD_SECTOR < at + size &&
                    vhd_block_end(bat[i]) > at)
                        return false;
        return true;
}

/* As far as it lies in the file: a number out of a damaged place must not make the file huge. */
static uint64_t headers_end(const struct vhd_meta *meta) {
        struct vhd_reserved reserved;
        struct err_note ignored;
        uint64_t end = 0;

        (void)!vhd_meta_reserved(meta, &reserved, &ignored);
        for (unsigned i = 0; i < reserved.n; i++)
                if (reserved.extent[i].at < meta->file_size)
                        end = max_u64(end, reserved.extent[i].at + reserved.extent[i].n);
        return end;
}

uint64_t vhd_meta_data_end(const struct vhd_meta *meta, const uint32_t *bat, uint64_t n) {
        uint64_t end = headers_end(meta);

        for (uint64_t i = 0; i < n; i++)
                if (bat[i] != VHD_BAT_UNUSED && (uint64_t)bat[i] * VHD_SECTOR < meta->file_size)
                        end = max_u64(end, vhd_block_end(bat[i]));
        return round_up(end, VHD_SECTOR);
}

/* The end holds no footer of ours.  Perhaps it was cut or written over, so that the last bytes are a block's:
 * then the footer belongs behind them. */
static enum err find_end(struct io_file *file, struct vhd_meta *meta, struct err_note *note) {
        uint64_t n = min_u64(vhd_meta_blocks(meta), meta->header.max_bat_entries), end;
        AUTO_FREE uint32_t *bat = mem_try((size_t)n, sizeof *bat);

        if (!bat)
                return err_set(note, ERR_NO_MEMORY, "read a BAT of %" PRIu64 " entries: out of memory", n);
        if (vhd_meta_read_bat(file, meta, bat, n, note)) {
                if (note->code != ERR_CORRUPT)
                        return note->code;
                n = 0; /* cut off: it is the file's end itself */
        }
        end = vhd_meta_data_end(meta, bat, n);
        meta->end_footer_at = max_u64(end, round_down(meta->file_size - 1, VHD_SECTOR));
        return ERR_NONE;
}

enum err vhd_meta_read(struct io_file *file, unsigned flags, struct vhd_meta *ret, struct err_note *note) {
        struct vhd_meta meta;

        if (vhd_meta_read_footers(file, flags, &meta, note))
                return note->code;
        if (meta.footer.type != VHD_FIXED) {
                if (vhd_meta_read_header(file, &meta, note) || vhd_meta_read_batmap_header(file, &meta, note))
                        return note->code;
                if (meta.end_state == VHD_PART_DAMAGED && find_end(file, &meta, note))
                        return note->code;
        }
        *ret = meta;
        return ERR_NONE;
}

enum err vhd_meta_read_bat(struct io_file *file, const struct vhd_meta *meta, uint32_t *ret, uint64_t n,
                           struct err_note *note) {
        uint64_t at = meta->header.table_offset;

        assert(n <= meta->header.max_bat_entries);
        if (n == 0)
                return ERR_NONE;
        if (!range_fits(at, n * 4, meta->file_size))
                return err_set(note, ERR_CORRUPT,
                               "BAT: %" PRIu64 " entries at %" PRIu64 " go past the end of the file, %" PRIu64
                               " bytes",
                               n, at, meta->file_size);
        if (io_read(file, ret, (size_t)(n * 4), at, note))
                return err_wrap(note, "read the BAT");
        vhd_bat_decode((const be32 *)(const void *)ret, (uint32_t)n, ret);
        return ERR_NONE;
}

enum err vhd_meta_read_batmap(struct io_file *file, const struct vhd_meta *meta, uint8_t *ret,
                              uint64_t n_blocks, struct err_note *note) {
        uint64_t room = round_up(max_u64(div_up(n_blocks, 8), 1), VHD_SECTOR);
        uint64_t n = min_u64(room, meta->batmap.map_size_bytes);

        assert(meta->has_batmap && n_blocks >= vhd_meta_blocks(meta));
        memset(ret, 0, (size_t)room);
        if (io_read(file, ret, (size_t)n, meta->batmap.map_offset, note))
                return err_wrap(note, "read the batmap");
        return vhd_batmap_check_map(&meta->batmap, (struct span){ret, (size_t)n}, meta->footer.size_bytes,
                                    note);
}
