// SPDX-License-Identifier: Apache-2.0
#include "xva.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include <xxhash.h>

#include "text.h"

/* ---- names ----------------------------------------------------------------------------------------- */

static const struct {
        const char *end;
        enum xva_kind kind;
} ends[] = {{"", XVA_DATA}, {".checksum", XVA_SHA1}, {".xxhash", XVA_XXH64}};

enum { DIGITS = 8, DIGITS_MAX = 12 };

/* Digits, and what may follow them. */
static bool parse_number(const char *text, struct xva_name *ret) {
        size_t n = strspn(text, "0123456789");
        char digits[DIGITS_MAX + 1];

        if (n < DIGITS || n > DIGITS_MAX)
                return false;
        memcpy(digits, text, n);
        digits[n] = 0;
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
                if (strcmp(text + n, ends[i].end) == 0) {
                        ret->kind = ends[i].kind;
                        return text_parse_u64(digits, &ret->number);
                }
        return false;
}

void xva_name_parse(const char *member, struct xva_name *ret) {
        struct xva_name name = {.kind = XVA_OTHER};
        const char *slash;

        while (text_starts_with(member, "./"))
                member += 2;
        slash = strrchr(member, '/');
        if (strcmp(member, "ova.xml") == 0) {
                name.kind = XVA_OVA;
        } else if (slash && slash > member && slash - member <= XVA_REF_MAX &&
                   parse_number(slash + 1, &name)) {
                memcpy(name.disk, member, (size_t)(slash - member));
        }
        *ret = name;
}

struct xva_name_text xva_name_print(const struct xva_name *name) {
        struct xva_name_text text = {"ova.xml"};

        assert(name->kind != XVA_OTHER);
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
                if (ends[i].kind == name->kind)
                        snprintf(text.s, sizeof text.s, "%s/%0*" PRIu64 "%s", name->disk, DIGITS,
                                 name->number, ends[i].end);
        return text;
}

void xva_xxh64(struct span data, char ret[XVA_XXH64_SIZE + 1]) {
        snprintf(ret, XVA_XXH64_SIZE + 1, "%016" PRIX64,
                 (uint64_t)XXH64(data.n ? data.data : NULL, data.n, 0));
}

/* ---- out ------------------------------------------------------------------------------------------- */

uint64_t xva_blocks(uint64_t size_bytes) {
        return div_up(size_bytes, XVA_BLOCK);
}

uint64_t xva_block_length(uint64_t size_bytes, uint64_t block) {
        return min_u64(XVA_BLOCK, size_bytes - block * XVA_BLOCK);
}

bool xva_block_is_always_sent(uint64_t size_bytes, uint64_t block) {
        return block == 0 || block + 1 == xva_blocks(size_bytes);
}

uint64_t xva_blocks_size(uint64_t size_bytes, uint64_t n) {
        uint64_t checksum = tar_member_size(XVA_XXH64_SIZE);

        if (n == 0)
                return 0;
        return (n - 1) * (tar_member_size(XVA_BLOCK) + checksum) + checksum +
               tar_member_size(xva_block_length(size_bytes, xva_blocks(size_bytes) - 1));
}

/* ---- in -------------------------------------------------------------------------------------------- */

void xva_walk_init(struct xva_walk *walk, struct xva_disk *disks, size_t n, bool needs_checksums) {
        *walk = (struct xva_walk){.disks = disks, .n = n, .needs_checksums = needs_checksums};
        for (size_t i = 0; i < n; i++)
                disks[i].at = disks[i].number = 0;
}

static bool find_disk(const struct xva_walk *walk, const char *ref, size_t *ret) {
        for (size_t i = 0; i < walk->n; i++)
                if (strcmp(walk->disks[i].ref, ref) == 0) {
                        *ret = i;
                        return true;
                }
        return false;
}

static enum err take_block(struct xva_walk *walk, const struct xva_name *name,
                           const struct tar_member *member, struct xva_step *ret, struct err_note *note) {
        struct xva_disk *disk;
        uint64_t at, end;

        if (walk->awaits_checksum && walk->needs_checksums)
                return err_set(note, ERR_CORRUPT, "%s/%08" PRIu64 " has no checksum", walk->last.disk,
                               walk->last.number);
        if (!find_disk(walk, name->disk, &ret->disk))
                return err_set(note, ERR_CORRUPT, "%s: ova.xml knows no such disk", member->name);
        disk = &walk->disks[ret->disk];
        if (name->number < disk->number)
                return err_set(note, ERR_CORRUPT, "%s comes after one of a higher or the same number",
                               member->name);
        if (member->size_bytes > XVA_BLOCK)
                return err_set(note, ERR_UNSUPPORTED, "%s: a block of %" PRIu64 " bytes", member->name,
                               member->size_bytes);
        if (!mul_u64(name->number - disk->number, XVA_BLOCK, &at) || !add_u64(at, disk->at, &at) ||
            !add_u64(at, member->size_bytes, &end) || end > disk->size_bytes)
                return err_set(note, ERR_CORRUPT, "%s: goes past the disk's end at %" PRIu64, member->name,
                               disk->size_bytes);
        disk->at = end;
        disk->number = name->number + 1;
        walk->last = *name;
        walk->awaits_checksum = true;
        ret->what = XVA_TAKE_BLOCK;
        ret->at = at;
        return ERR_NONE;
}

static enum err take_checksum(struct xva_walk *walk, const struct xva_name *name,
                              const struct tar_member *member, struct xva_step *ret, struct err_note *note) {
        uint64_t size = name->kind == XVA_SHA1 ? XVA_SHA1_SIZE : XVA_XXH64_SIZE;

        if (!walk->awaits_checksum || name->number != walk->last.number ||
            strcmp(name->disk, walk->last.disk) != 0)
                return err_set(note, ERR_CORRUPT, "%s does not follow its block", member->name);
        if (member->size_bytes != size)
                return err_set(note, ERR_CORRUPT, "%s: %" PRIu64 " bytes", member->name, member->size_bytes);
        walk->awaits_checksum = false;
        ret->what = XVA_TAKE_CHECKSUM;
        ret->checksum = name->kind;
        return find_disk(walk, name->disk, &ret->disk) ? ERR_NONE
                                                       : err_set(note, ERR_CORRUPT, "no such disk");
}

enum err xva_walk_next(struct xva_walk *walk, const struct tar_member *member, struct xva_step *ret,
                       struct err_note *note) {
        struct xva_step step = {.what = XVA_SKIP, .n = member->size_bytes};
        struct xva_name name;
        enum err err = ERR_NONE;

        xva_name_parse(member->name, &name);
        switch (member->is_file ? name.kind : XVA_OTHER) {
        case XVA_DATA:
                err = take_block(walk, &name, member, &step, note);
                break;
        case XVA_SHA1:
        case XVA_XXH64:
                err = take_checksum(walk, &name, member, &step, note);
                break;
        case XVA_OVA:
                return err_set(note, ERR_CORRUPT, "a second ova.xml");
        case XVA_OTHER:
                /* A folder; the table of all checksums that old hosts wrote behind the disks. */
                if (member->is_file && strcmp(member->name, "checksum.xml") != 0)
                        return err_set(note, ERR_CORRUPT, "%.100s is not of an XVA", member->name);
                break;
        }
        if (err)
                return err;
        *ret = step;
        return ERR_NONE;
}

enum err xva_walk_end(const struct xva_walk *walk, struct err_note *note) {
        if (walk->awaits_checksum && walk->needs_checksums)
                return err_set(note, ERR_CUT_SHORT, "the archive ends before the checksum of %s/%08" PRIu64,
                               walk->last.disk, walk->last.number);
        for (size_t i = 0; i < walk->n; i++)
                if (walk->disks[i].at != walk->disks[i].size_bytes)
                        return err_set(note, ERR_CUT_SHORT,
                                       "the archive ends before %s does: at %" PRIu64 " of %" PRIu64,
                                       walk->disks[i].ref, walk->disks[i].at, walk->disks[i].size_bytes);
        return ERR_NONE;
}
