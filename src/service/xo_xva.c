// SPDX-License-Identifier: Apache-2.0
#include "xo_xva.h"

#include <inttypes.h>
#include <string.h>

#include "buf.h"
#include "chunk_cache.h"
#include "mem.h"
#include "xva_inlet.h"
#include "xva_records.h"
#include "xva_sum.h"
#include "xva_vm.h"
#include "xo_xva_bytes.h"

enum {
        CACHE_BLOCKS = 16,
        WINDOW = 4096, /* a block's end, its checksum and the next header are read at once */
};

struct block {
        uint64_t at, n;         /* of the disk; bytes */
        uint64_t from;          /* of the archive */
        uint64_t checksum_at;   /* likewise; the text */
        enum xva_kind checksum; /* XVA_OTHER: it has none */
};
struct disk {
        const struct xo_xva *xva;  /* borrowed; whose this is */
        uint64_t size;             /* bytes */
        VEC(struct block) blocks;  /* owned; ascending, apart; none is empty */
        struct chunk_cache *cache; /* owned */
        struct xo_xva_disk told;
};
struct xo_xva {
        struct xo_xva_bytes *bytes; /* owned */
        char *path;                 /* owned */
        struct xva_ova ova;
        VEC(struct xva_disk) walked; /* owned; for the walk */
        VEC(struct disk) disks;      /* owned; likewise, one for one */
        uint8_t window[WINDOW];
        uint64_t window_at;
        size_t window_n;
};

/* ---- what is in it --------------------------------------------------------------------------- */

static const char *text_of(const json_t *record, const char *field) {
        const char *text = json_string_value(json_object_get(record, field));

        return text ? text : "";
}

static bool is_known(const struct xo_xva *xva, const char *id) {
        VEC_EACH (&xva->walked, each)
                if (strcmp(each->ref, id) == 0)
                        return true;
        return false;
}

/* id of no VDI: there is none. */
static enum err add_disk(struct xo_xva *xva, const char *id, struct err_note *note) {
        const json_t *record = xva_vm_record(&xva->ova, XAPI_VDI, id);
        json_int_t size = json_integer_value(json_object_get(record, "virtual_size"));
        struct disk disk = {.xva = xva, .size = (uint64_t)size, .told.label = text_of(record, "name_label")};
        struct xva_disk *walked;

        if (!record || is_known(xva, id))
                return ERR_NONE;
        if (strlen(id) > XVA_REF_MAX || size <= 0 || xva->disks.n == XVA_INLET_DISKS_MAX)
                return err_set(note, ERR_CORRUPT, "ova.xml: disk %.40s: %s", id,
                               size <= 0 ? "it has no size"
                                         : "such a name, or so many of them, are not taken");
        if (!uuid_parse(text_of(record, "uuid"), &disk.told.uuid))
                return err_set(note, ERR_CORRUPT, "ova.xml: disk %s has no uuid", id);
        walked = vec_add(&xva->walked);
        *walked = (struct xva_disk){.size_bytes = (uint64_t)size};
        memcpy(walked->ref, id, strlen(id) + 1);
        *vec_add(&xva->disks) = disk;
        return ERR_NONE;
}

/* Those of VBDs, but what lies in drives. */
static enum err add_disks(struct xo_xva *xva, struct err_note *note) {
        json_t *object;
        size_t i;

        json_array_foreach(xva->ova.objects, i, object) {
                const json_t *record = json_object_get(object, "snapshot");
                const char *class = text_of(object, "class");

                if (strcmp(class, "VBD") == 0 && strcmp(text_of(record, "type"), "CD") != 0 &&
                    add_disk(xva, text_of(record, "VDI"), note))
                        return note->code;
                if (strcmp(class, "VM") == 0 && add_disk(xva, text_of(record, "suspend_VDI"), note))
                        return note->code;
        }
        return ERR_NONE;
}

/* One block of the archive, from the window where it is there; NULL: just there is the end. */
static enum err read_header(struct xo_xva *xva, uint64_t at, const struct tar_header_disk **ret,
                            struct err_note *note) {
        if (at < xva->window_at || at + TAR_BLOCK > xva->window_at + xva->window_n) {
                xva->window_n = 0;
                if (xo_xva_bytes_read_some(xva->bytes, xva->window, WINDOW, at, &xva->window_n, note))
                        return note->code;
                xva->window_at = at;
        }
        if (xva->window_n > 0 && at + TAR_BLOCK > xva->window_at + xva->window_n)
                return err_set(note, ERR_CUT_SHORT, "it ends in the middle of a header");
        *ret = xva->window_n > 0 ? (const void *)(xva->window + (at - xva->window_at)) : NULL;
        return ERR_NONE;
}

static enum err take_ova(struct xo_xva *xva, uint64_t *ret_end, struct err_note *note) {
        const struct tar_header_disk *header;
        AUTO(buf_fini) struct buf xml = {0};
        struct tar_member member;
        enum tar_kind kind;

        if (read_header(xva, 0, &header, note))
                return note->code;
        if (!header)
                return err_set(note, ERR_CUT_SHORT, "it is empty");
        if (tar_decode(header, &kind, &member, note))
                return err_wrap(note, "no XVA, or an encrypted one");
        if (kind != TAR_MEMBER || strcmp(member.name, "ova.xml") != 0)
                return err_set(note, ERR_CORRUPT, "it does not begin with ova.xml");
        if (member.size_bytes > XVA_INLET_OVA_MAX)
                return err_set(note, ERR_TOO_LARGE, "ova.xml of %" PRIu64 " bytes", member.size_bytes);
        if (xo_xva_bytes_read(xva->bytes, buf_extend(&xml, member.size_bytes), member.size_bytes, TAR_BLOCK,
                              note) ||
            xva_ova_decode((struct span){xml.data, xml.n}, xva_record_fields, &xva->ova, note))
                return note->code;
        *ret_end = tar_member_size(member.size_bytes);
        return add_disks(xva, note);
}

static void take(struct xo_xva *xva, const struct xva_step *step, uint64_t from) {
        struct disk *disk = &xva->disks.data[step->disk];
        struct block *last = disk->blocks.n ? &disk->blocks.data[disk->blocks.n - 1] : NULL;

        if (step->what == XVA_TAKE_BLOCK && step->n > 0)
                *vec_add(&disk->blocks) =
                        (struct block){.at = step->at, .n = step->n, .from = from, .checksum = XVA_OTHER};
        /* One of an empty block says nothing, and comes behind one that has its own. */
        if (step->what == XVA_TAKE_CHECKSUM && last && last->checksum == XVA_OTHER) {
                last->checksum = step->checksum;
                last->checksum_at = from;
        }
}

static enum err walk(struct xo_xva *xva, uint64_t at, struct err_note *note) {
        const struct tar_header_disk *header;
        struct tar_member member;
        struct xva_walk walk;
        struct xva_step step;
        enum tar_kind kind;

        xva_walk_init(&walk, xva->walked.data, xva->walked.n, xva_ova_has_checksums(&xva->ova));
        for (;; at += tar_member_size(member.size_bytes)) {
                if (read_header(xva, at, &header, note))
                        return note->code;
                if (!header) /* some write no end */
                        return xva_walk_end(&walk, note);
                if (tar_decode(header, &kind, &member, note))
                        return err_wrap(note, "at %" PRIu64, at);
                if (kind == TAR_END)
                        return xva_walk_end(&walk, note);
                if (xva_walk_next(&walk, &member, &step, note))
                        return note->code;
                if (step.what != XVA_SKIP)
                        take(xva, &step, at + TAR_BLOCK);
                if (member.size_bytes > INT64_MAX - at - WINDOW)
                        return err_set(note, ERR_CORRUPT, "%s is too long", member.name);
        }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static enum err check(const struct xo_xva *xva, const struct block *block, const void *data,
                      struct err_note *note) {
        AUTO(xva_sum_fini) struct xva_sum sum = {.is_known = true, .kind = block->checksum};
        char text[XVA_SHA1_SIZE + 1] = {0};
        size_t n = block->checksum == XVA_SHA1 ? XVA_SHA1_SIZE : XVA_XXH64_SIZE;

        if (xo_xva_bytes_read(xva->bytes, text, n, block->checksum_at, note) || xva_sum_begin(&sum, note))
                return note->code;
        xva_sum_add(&sum, data, block->n);
        return xva_sum_check(&sum, block->checksum, text, note);
}

static enum err load_block(void *user, uint64_t nth, void *ret, struct err_note *note) {
        const struct disk *disk = user;
        const struct block *block = &disk->blocks.data[nth];

        if (xo_xva_bytes_read(disk->xva->bytes, ret, block->n, block->from, note) ||
            (block->checksum != XVA_OTHER && check(disk->xva, block, ret, note)))
                return err_wrap(note, "%s: block at %" PRIu64, disk->xva->path, block->from);
        memset((uint8_t *)ret + block->n, 0, XVA_BLOCK - block->n);
        return ERR_NONE;
}

/* The first block that ends behind at; how many there are: none does. */
static size_t block_behind(const struct disk *disk, uint64_t at) {
        size_t from = 0, to = disk->blocks.n;

        while (from < to) {
                size_t middle = from + (to - from) / 2;

                if (disk->blocks.data[middle].at + disk->blocks.data[middle].n > at)
                        to = middle;
                else
                        from = middle + 1;
        }
        return from;
}

static enum err read_disk(void *user, void *ret, size_t n, uint64_t at, struct err_note *note) {
        struct disk *disk = user;
        uint8_t *to = ret;

        for (size_t nth = block_behind(disk, at), run; n > 0; n -= run, to += run, at += run) {
                const struct block *block = nth < disk->blocks.n ? &disk->blocks.data[nth] : NULL;

                if (!block || at < block->at) {
                        run = block ? (size_t)min_u64(n, block->at - at) : n;
                        memset(to, 0, run);
                        continue;
                }
                run = (size_t)min_u64(n, block->at + block->n - at);
                if (chunk_cache_read(disk->cache, nth, (size_t)(at - block->at), to, run, note))
                        return note->code;
                nth++;
        }
        return ERR_NONE;
}

static enum err next_data(void *user, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                          struct err_note *note) {
        const struct disk *disk = user;
        size_t nth = block_behind(disk, at);

        (void)note;
        *ret_start = *ret_end = disk->size;
        if (nth == disk->blocks.n)
                return ERR_NONE;
        *ret_start = max_u64(at, disk->blocks.data[nth].at);
        *ret_end = disk->blocks.data[nth].at + disk->blocks.data[nth].n;
        return ERR_NONE;
}

/* ---- from outside ---------------------------------------------------------------------------- */

enum err xo_xva_open(struct io *io, const char *path, struct xo_xva **ret, struct err_note *note) {
        AUTO(xo_xva_free) struct xo_xva *xva = mem_new(struct xo_xva);
        uint64_t at = 0;

        xva->path = mem_text(path);
        if (xo_xva_bytes_open(io, path, &xva->bytes, note) || take_ova(xva, &at, note) || walk(xva, at, note))
                return err_wrap(note, "read %s", path);
        VEC_EACH (&xva->disks, disk)
                disk->cache = chunk_cache_new(
                        &(struct chunk_cache_options){.chunk = XVA_BLOCK,
                                                      .bytes = (size_t)CACHE_BLOCKS * XVA_BLOCK,
                                                      .load = load_block,
                                                      .user = disk});
        *ret = TAKE(xva);
        return ERR_NONE;
}

void xo_xva_free(struct xo_xva *xva) {
        if (!xva)
                return;
        VEC_EACH (&xva->disks, disk) {
                if (disk->cache)
                        chunk_cache_free(disk->cache);
                vec_fini(&disk->blocks);
        }
        vec_fini(&xva->disks);
        vec_fini(&xva->walked);
        xva_ova_fini(&xva->ova);
        xo_xva_bytes_close(xva->bytes);
        free(xva->path);
        free(xva);
}

size_t xo_xva_n_disks(const struct xo_xva *xva) {
        return xva->disks.n;
}

struct xo_xva_disk xo_xva_disk(const struct xo_xva *xva, size_t i) {
        return xva->disks.data[i].told;
}

struct put_source xo_xva_source(struct xo_xva *xva, size_t i) {
        struct disk *disk = &xva->disks.data[i];

        return (struct put_source){
                .size = disk->size, .read = read_disk, .next_data = next_data, .user = disk};
}
