// SPDX-License-Identifier: Apache-2.0
#include "vhd_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "vhd_bitmap.h"
#include "vhd_bitmaps.h"
#include "vhd_meta.h"
#include "vhd_parent.h"

/* ---- findings ---- */

void findings_fini(struct findings *findings) {
        vec_fini(&findings->list);
        *findings = (struct findings){0};
}

/* A place in the list, or NULL where it is full; an error takes the place of a warning. */
static struct finding *place_for(struct findings *findings, enum finding_severity severity) {
        if (findings->list.n < VHD_FINDINGS_MAX)
                return vec_add(&findings->list);
        for (size_t i = findings->list.n; severity == FINDING_ERROR && i-- > 0;)
                if (findings->list.data[i].severity == FINDING_WARNING)
                        return &findings->list.data[i];
        return NULL;
}

void findings_add(struct findings *findings, enum finding_severity severity, const char *part, uint64_t at,
                  const char *repair, const char *fmt, ...) {
        struct finding *finding = place_for(findings, severity);
        va_list args;

        (*(severity == FINDING_ERROR ? &findings->n_errors : &findings->n_warnings))++;
        if (!finding)
                return;
        *finding = (struct finding){
                .severity = severity, .part = part, .at = at, .is_repairable = *repair != '\0'};
        (void)snprintf(finding->repair, sizeof finding->repair, "%s", repair);
        va_start(args, fmt);
        (void)vsnprintf(finding->text, sizeof finding->text, fmt, args);
        va_end(args);
}

static int compare(const void *a, const void *b) {
        const struct finding *f = a, *g = b;

        if (f->severity != g->severity)
                return f->severity < g->severity ? -1 : 1;
        if (f->at != g->at)
                return f->at < g->at ? -1 : 1;
        return strcmp(f->text, g->text);
}

void findings_sort(struct findings *findings) {
        if (findings->list.n)
                qsort(findings->list.data, findings->list.n, sizeof *findings->list.data, compare);
}

/* ---- the check ---- */

struct check {
        struct io *io;        /* borrowed for the call */
        struct io_file *file; /* borrowed for the call */
        unsigned flags;
        struct findings *found; /* borrowed for the call */
        struct vhd_meta meta;
        struct vhd_reserved reserved;
        uint32_t *bat; /* owned; NULL where it could not be read */
        uint8_t *map;  /* owned; the batmap, NULL where there is none that counts */
        uint32_t n;    /* blocks */
        char *name;    /* owned; the parent's in the header, NULL where it is none */
};

static void check_fini(struct check *c) {
        free(c->bat);
        free(c->map);
        free(c->name);
}
DEFINE_AUTO_IN_PLACE(struct check, check_fini);

static void check_reserved_zero(struct check *c, const char *part, uint64_t at, const void *bytes, size_t n) {
        if (!bytes_are_zero(bytes, n))
                findings_add(c->found, FINDING_WARNING, part, at, "",
                             "the %zu reserved bytes at %" PRIu64 " are not zeros; they are kept", n, at);
}

static void check_footers(struct check *c) {
        const struct vhd_meta *m = &c->meta;
        char repair[120];

        if (m->copy_state != VHD_PART_VALID) {
                (void)snprintf(repair, sizeof repair, "write it anew from the footer at %" PRIu64,
                               m->end_footer_at);
                findings_add(c->found, FINDING_ERROR, "footer copy", 0, repair, "%s", m->copy_note.text);
        }
        if (m->footer.is_poisoned)
                findings_add(
                        c->found, FINDING_ERROR, "footer", m->end_footer_at, "",
                        "an interrupted resize by another tool disabled the image: undo it with that tool");
        if (uuid_is_null(&m->footer.uuid))
                findings_add(c->found, FINDING_ERROR, "footer", m->end_footer_at, "give it a new uuid",
                             "the image has no uuid");
        check_reserved_zero(c, "footer", m->end_footer_at + offsetof(struct vhd_footer_disk, reserved),
                            m->footer.reserved, sizeof m->footer.reserved);
}

/* Behind check_header, which finds out where it should be. */
static void check_end(struct check *c, bool is_header_good) {
        const struct vhd_meta *m = &c->meta;
        char repair[120] = "";

        if (m->end_state == VHD_PART_VALID)
                return;
        if (is_header_good)
                (void)snprintf(repair, sizeof repair, "write it at %" PRIu64 " from the copy at 0",
                               m->end_footer_at);
        findings_add(c->found, FINDING_ERROR, "footer", m->end_footer_at, repair, "%s", m->end_note.text);
}

static void check_type(struct check *c) {
        struct err_note note;

        if (vhd_header_check_type(&c->meta.header, c->meta.footer.type, &note))
                findings_add(c->found, FINDING_WARNING, "header", c->meta.footer.data_offset, "", "%s",
                             note.text);
        if (vhd_meta_reserved(&c->meta, &c->reserved, &note))
                findings_add(c->found, FINDING_ERROR, "header", c->meta.footer.data_offset, "", "%s",
                             note.text);
        check_reserved_zero(c, "header", c->meta.footer.data_offset + offsetof(struct vhd_header_disk, rest),
                            c->meta.header.rest, sizeof c->meta.header.rest);
        check_reserved_zero(c, "header",
                            c->meta.footer.data_offset + offsetof(struct vhd_header_disk, reserved),
                            &c->meta.header.reserved, sizeof c->meta.header.reserved);
}

/* False where nothing further can be looked at. */
static enum err check_header(struct check *c, bool *ret_good, struct err_note *note) {
        unsigned flags = VHD_META_REPAIR;

        *ret_good = false;
        if (vhd_meta_read_header(c->file, &c->meta, note)) {
                if (note->code != ERR_CORRUPT && note->code != ERR_UNSUPPORTED)
                        return note->code;
                findings_add(c->found, FINDING_ERROR, "header", c->meta.footer.data_offset, "", "%s",
                             note->text);
                return ERR_NONE;
        }
        if (vhd_meta_read(c->file, flags, &c->meta, note))
                return note->code;
        *ret_good = true;
        if (c->meta.is_header_torn)
                findings_add(c->found, FINDING_ERROR, "header", c->meta.footer.data_offset,
                             "write its second half, which the locators and the checksum prove",
                             "a change of parent was cut short: the header's second half is the old one");
        check_type(c);
        return ERR_NONE;
}

/* ---- BAT ---- */

static uint64_t entry_at(const struct check *c, uint32_t block) {
        return c->meta.header.table_offset + (uint64_t)block * 4;
}

static void check_entry(struct check *c, uint32_t block) {
        enum vhd_bat_fault fault = vhd_bat_fault_of(c->bat[block], &c->reserved, c->meta.end_footer_at);
        struct err_note note;

        if (fault == VHD_BAT_GOOD)
                return;
        (void)!vhd_bat_check_entry(block, c->bat[block], &c->reserved, c->meta.end_footer_at, &note);
        findings_add(c->found, fault == VHD_BAT_CUT ? FINDING_WARNING : FINDING_ERROR, "BAT",
                     entry_at(c, block),
                     fault == VHD_BAT_OUTSIDE
                             ? "drop the entry: its block is lost, and reads as if it had never been written"
                             : "",
                     "%s%s", note.text, fault == VHD_BAT_CUT ? "; what is missing reads as zeros" : "");
}

static enum err check_overlaps(struct check *c, struct err_note *note) {
        struct vhd_overlaps overlaps = {0};

        if (!vhd_bat_check_overlaps(c->bat, c->n, &overlaps, note))
                return ERR_NONE;
        if (note->code != ERR_CORRUPT)
                return note->code;
        for (uint32_t i = 0; i < overlaps.n; i++) {
                uint32_t block, other;

                if (i >= VHD_OVERLAPS_SHOWN) {
                        c->found->n_errors += overlaps.n - i;
                        break;
                }
                block = overlaps.shown[i].block;
                other = overlaps.shown[i].other;
                findings_add(c->found, FINDING_ERROR, "BAT", entry_at(c, block), "",
                             "BAT entries %u and %u: the blocks at sectors %u and %u lie upon each other",
                             other, block, c->bat[other], c->bat[block]);
        }
        return ERR_NONE;
}

static enum err check_bat(struct check *c, struct err_note *note) {
        c->bat = mem_try(c->n, sizeof *c->bat);
        if (!c->bat)
                return err_set(note, ERR_NO_MEMORY, "check a BAT of %u entries: out of memory", c->n);
        if (vhd_meta_read_bat(c->file, &c->meta, c->bat, c->n, note)) {
                free(TAKE(c->bat));
                if (note->code != ERR_CORRUPT)
                        return note->code;
                findings_add(c->found, FINDING_ERROR, "BAT", c->meta.header.table_offset, "", "%s",
                             note->text);
                return ERR_NONE;
        }
        c->found->n_allocated = vhd_bat_count(c->bat, c->n);
        for (uint32_t i = 0; i < c->n; i++)
                check_entry(c, i);
        return check_overlaps(c, note);
}

/* ---- batmap, bitmaps ---- */

static const char from_bitmaps[] = "make it anew from the bitmaps", clear_bit[] = "clear the bit";

static enum err check_batmap(struct check *c, struct err_note *note) {
        const struct vhd_meta *m = &c->meta;
        uint32_t bits = (uint32_t)round_up(max_u64(c->n, 1), VHD_SECTOR * 8);

        if (m->batmap_note.code)
                findings_add(c->found, FINDING_ERROR, "batmap", m->batmap_header_at,
                             c->bat ? from_bitmaps : "", "%s", m->batmap_note.text);
        if (!m->has_batmap)
                return ERR_NONE;
        check_reserved_zero(c, "batmap", m->batmap_header_at + offsetof(struct vhd_batmap_disk, reserved),
                            m->batmap.reserved, sizeof m->batmap.reserved);
        c->map = mem_zero(bits / 8);
        if (vhd_meta_read_batmap(c->file, m, c->map, c->n, note)) {
                free(TAKE(c->map));
                if (note->code != ERR_CORRUPT)
                        return note->code;
                findings_add(c->found, FINDING_ERROR, "batmap", m->batmap_header_at,
                             c->bat ? from_bitmaps : "", "%s", note->text);
                return ERR_NONE;
        }
        for (uint32_t i = vhd_bitmap_next_set(c->map, 0, bits); c->bat && i < bits;
             i = vhd_bitmap_next_set(c->map, i + 1, bits))
                if (i >= c->n || c->bat[i] == VHD_BAT_UNUSED)
                        findings_add(c->found, FINDING_ERROR, "batmap", m->batmap.map_offset + i / 8,
                                     clear_bit,
                                     "the bit of block %u is set, but there is no such block in the file", i);
        return ERR_NONE;
}

static uint32_t sectors_of(const struct check *c, uint32_t block) {
        return (uint32_t)(min_u64(c->meta.footer.size_bytes - block * VHD_BLOCK_SIZE, VHD_BLOCK_SIZE) /
                          VHD_SECTOR);
}

static enum err check_bitmap(void *user, uint32_t block, const uint8_t bits[VHD_BITMAP_SIZE],
                             struct err_note *note) {
        struct check *c = user;
        uint32_t n = sectors_of(c, block), held = vhd_bitmap_count(bits, 0, n);

        (void)note;
        c->found->n_sectors_held += held;
        if (c->map && held < n && vhd_bitmap_test(c->map, block))
                findings_add(c->found, FINDING_ERROR, "bitmap", (uint64_t)c->bat[block] * VHD_SECTOR,
                             clear_bit,
                             "block %u has %u of its %u sectors, but its batmap bit says that it has all",
                             block, held, n);
        return ERR_NONE;
}

static enum err check_bitmaps(struct check *c, struct err_note *note) {
        AUTO(vhd_bitmaps_fini) struct vhd_bitmaps bitmaps = {0};

        for (uint32_t i = 0; c->bat && i < c->n; i++) {
                enum vhd_bat_fault fault = vhd_bat_fault_of(c->bat[i], &c->reserved, c->meta.end_footer_at);

                if (c->bat[i] != VHD_BAT_UNUSED && (fault == VHD_BAT_GOOD || fault == VHD_BAT_CUT))
                        vhd_bitmaps_add(&bitmaps, i, c->bat[i]);
        }
        return vhd_bitmaps_read(&bitmaps, c->io, c->file, check_bitmap, c, note);
}

/* ---- locators, parent ---- */

static const char from_path[] = "write its names anew from the parent's path, where that is given";

static const char *last_part(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static uint64_t locator_at(const struct check *c, unsigned i) {
        return c->meta.footer.data_offset + offsetof(struct vhd_header_disk, locator) +
               i * sizeof(struct vhd_locator_disk);
}

/* *ret_path: NULL where the locator names nothing that can be read. */
static enum err check_locator(struct check *c, unsigned i, char **ret_path, struct err_note *note) {
        const struct vhd_locator *locator = &c->meta.header.locator[i];
        AUTO(buf_fini) struct buf payload = {0};
        enum err err = vhd_locator_check(locator, note);
        bool is_legal;

        *ret_path = NULL;
        if (!err && locator->code == VHD_LOCATOR_NONE)
                return ERR_NONE;
        for (unsigned k = 0; k < i; k++)
                if (locator->code != VHD_LOCATOR_NONE && c->meta.header.locator[k].code == locator->code)
                        findings_add(c->found, FINDING_ERROR, "locator", locator_at(c, i), "",
                                     "locator %s is there twice, as number %u and %u",
                                     vhd_locator_name(locator->code), k, i);
        is_legal = !err;
        if (!err && !(err = vhd_meta_read_payload(c->file, &c->meta, locator, &payload, note)))
                err = vhd_locator_decode(locator, (struct span){payload.data, payload.n}, ret_path, note);
        if (err == ERR_CORRUPT || err == ERR_CUT_SHORT || err == ERR_INVALID)
                findings_add(c->found, FINDING_ERROR, "locator", locator_at(c, i), is_legal ? from_path : "",
                             "%s", note->text);
        else if (err == ERR_UNSUPPORTED && strcmp(vhd_locator_name(locator->code), "????") == 0)
                findings_add(c->found, FINDING_WARNING, "locator", locator_at(c, i), "", "%s", note->text);
        else if (err && err != ERR_UNSUPPORTED)
                return err;
        return ERR_NONE;
}

/* ret_why: ERR_NONE where what is at path is what the header means; else what it is instead. */
static enum err look_at_parent(struct check *c, const char *path, struct err_note *ret_why,
                               struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        const struct uuid *want = &c->meta.header.parent_uuid;
        struct vhd_meta meta;

        ret_why->code = ERR_NONE;
        if (io_open(c->io, path, IO_READ, &file, note))
                return note->code;
        if (vhd_header_has_raw_parent(&c->meta.header, c->meta.footer.type))
                return ERR_NONE; /* any bytes are a raw disk */
        if (vhd_meta_read_footers(file, VHD_META_REPAIR, &meta, ret_why)) {
                if (ret_why->code == ERR_CORRUPT || ret_why->code == ERR_UNSUPPORTED) {
                        (void)err_wrap(ret_why, "%s", path);
                        return ERR_NONE;
                }
                *note = *ret_why;
                return note->code;
        }
        if (!uuid_equal(&meta.footer.uuid, want))
                (void)err_set(ret_why, ERR_MISMATCH, "%s has the uuid %s, the parent that is meant has %s",
                              path, uuid_format(&meta.footer.uuid).s, uuid_format(want).s);
        return ERR_NONE;
}

struct candidates {
        VEC(char *) paths; /* owned, and each */
};

static void candidates_fini(struct candidates *candidates) {
        VEC_EACH (&candidates->paths, path)
                free(*path);
        vec_fini(&candidates->paths);
}
DEFINE_AUTO_IN_PLACE(struct candidates, candidates_fini);

static enum err add_candidate(struct check *c, const char *path, struct candidates *ret,
                              struct err_note *note) {
        AUTO_FREE char *canonical = NULL;

        if (*path != '/' && io_canonical(c->io, io_path(c->file), &canonical, note))
                return note->code;
        *vec_add(&ret->paths) =
                canonical ? mem_format("%.*s%s", (int)(last_part(canonical) - canonical), canonical, path)
                          : mem_text(path);
        return ERR_NONE;
}

static enum err check_parent(struct check *c, const struct candidates *candidates, struct err_note *note) {
        struct err_note why, first_why = {0};

        for (size_t i = 0; i < candidates->paths.n; i++) {
                const char *path = candidates->paths.data[i];
                enum err err = look_at_parent(c, path, &why, note);

                if (err == ERR_NOT_FOUND)
                        continue;
                if (err)
                        return err_wrap(note, "look at the parent %s", path);
                if (!why.code)
                        return ERR_NONE;
                if (!first_why.code)
                        first_why = why;
        }
        if (!first_why.code)
                (void)err_set(&first_why, ERR_NOT_FOUND, "the parent is not found: %s",
                              candidates->paths.n ? candidates->paths.data[0] : "no locator names one");
        findings_add(c->found, FINDING_ERROR, "parent", c->meta.footer.data_offset, from_path, "%s",
                     first_why.text);
        return ERR_NONE;
}

static enum err check_names(struct check *c, struct err_note *note) {
        AUTO(candidates_fini) struct candidates candidates = {0};
        uint64_t name_at = c->meta.footer.data_offset + offsetof(struct vhd_header_disk, parent_name);

        if (c->meta.footer.type != VHD_DIFFERENCING)
                return ERR_NONE;
        if (vhd_header_name(&c->meta.header, &c->name, note))
                findings_add(c->found, FINDING_ERROR, "header", name_at, from_path, "%s", note->text);
        for (unsigned i = 0; i < VHD_LOCATORS; i++) {
                AUTO_FREE char *path = NULL;

                if (check_locator(c, i, &path, note))
                        return note->code;
                if (!path)
                        continue;
                if (c->name && strcmp(last_part(path), c->name) != 0)
                        findings_add(c->found, FINDING_ERROR, "locator", c->meta.header.locator[i].offset,
                                     from_path, "locator %s names \"%s\", the header names \"%s\"",
                                     vhd_locator_name(c->meta.header.locator[i].code), path, c->name);
                if (add_candidate(c, path, &candidates, note))
                        return note->code;
        }
        return c->flags & VHD_CHECK_PARENT ? check_parent(c, &candidates, note) : ERR_NONE;
}

/* ---- all of it ---- */

static enum err check_all(struct check *c, struct err_note *note) {
        bool is_header_good;

        if (vhd_meta_read_footers(c->file, VHD_META_REPAIR, &c->meta, note))
                return note->code;
        check_footers(c);
        c->n = (uint32_t)vhd_meta_blocks(&c->meta);
        c->found->n_blocks = c->n;
        if (c->meta.footer.type == VHD_FIXED)
                return ERR_NONE;
        if (check_header(c, &is_header_good, note))
                return note->code;
        check_end(c, is_header_good);
        if (!is_header_good)
                return ERR_NONE;
        if (check_bat(c, note) || check_batmap(c, note))
                return note->code;
        if (c->flags & VHD_CHECK_BITMAPS && check_bitmaps(c, note))
                return note->code;
        return check_names(c, note);
}

enum err vhd_check_file(struct io *io, struct io_file *file, unsigned flags, struct findings *ret,
                        struct err_note *note) {
        AUTO(findings_fini) struct findings found = {0};
        AUTO(check_fini) struct check c = {.io = io, .file = file, .flags = flags, .found = &found};

        if (check_all(&c, note))
                return err_wrap(note, "check %s", io_path(file));
        findings_sort(&found);
        findings_fini(ret);
        *ret = found;
        found = (struct findings){0};
        return ERR_NONE;
}

enum err vhd_check(struct io *io, const char *path, unsigned flags, struct findings *ret,
                   struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(io, path, IO_READ, &file, note) || io_lock(file, IO_SHARED, note))
                return err_wrap(note, "check %s", path);
        return vhd_check_file(io, file, flags, ret, note);
}
