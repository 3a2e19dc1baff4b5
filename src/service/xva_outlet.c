// SPDX-License-Identifier: Apache-2.0
/* The archive is a row of units:
 *
 *      ova.xml | disk: unit | unit | … | the last | disk: … | two blocks of zeros
 *
 * A unit is a block and its checksum, each with its header.  All of a disk's have the same length, but the
 * last. */
#include "xva_outlet.h"

#include <inttypes.h>
#include <string.h>

#include "mem.h"
#include "turn.h"
#include "vdi_outlet.h"
#include "vhd_bitmap.h"
#include "xva_records.h"

enum {
        PAGE = 4096, /* where in memory a block's data lies; its header in front of it */
        UNIT = TAR_BLOCK + XVA_BLOCK + 2 * TAR_BLOCK,
        API_MAJOR = 2, /* of a host that says nothing of itself */
        API_MINOR = 15,
        BLOCKS_OF_IMAGE = IMAGE_BLOCK_SIZE / XVA_BLOCK,
};
_Static_assert(PAGE + UNIT <= XVA_OUTLET_ROOM, "a unit fits");

struct disk {
        char ref[XVA_REF_MAX + 1];
        const struct host_sr *sr; /* borrowed; NULL: it is not open */
        struct vdi_outlet outlet;
        uint64_t size;
        uint8_t *sent;        /* owned; a bit for each block that goes */
        uint64_t n_sent;      /* of them */
        uint64_t at, end;     /* in the archive */
        uint64_t unit, block; /* the one that was looked for last */
};

struct xva_outlet {
        struct host *host;      /* borrowed, outlives us */
        int64_t made;           /* seconds since 1970 */
        struct buf head;        /* owned; ova.xml with its header */
        VEC(struct disk) disks; /* owned */
        uint64_t disks_end, length;
};

/* ---- ova.xml --------------------------------------------------------------------------------- */

static const char *text_or(const json_t *value, const char *other) {
        const char *text = json_string_value(value);

        return text && *text ? text : other;
}

static json_t *version_of(const struct xva_outlet *outlet) {
        struct host *host = outlet->host;
        AUTO(json_decref) json_t *record = objects_get(host->objects, XAPI_HOST, &host->uuid);
        json_t *software = json_object_get(record, "software_version");
        int major = (int)json_integer_value(json_object_get(record, "API_version_major"));
        int minor = (int)json_integer_value(json_object_get(record, "API_version_minor"));

        return xva_version_new(text_or(json_object_get(record, "hostname"), "catena"),
                               xapi_time_of(outlet->made).s,
                               text_or(json_object_get(software, "product_brand"), "Catena"),
                               text_or(json_object_get(software, "product_version"), "0"),
                               major ? major : API_MAJOR, major ? minor : API_MINOR);
}

static void encode_head(struct xva_outlet *outlet, const struct xva_records *records) {
        AUTO(xva_ova_fini)
        struct xva_ova ova = {.version = version_of(outlet), .objects = json_incref(records->objects)};
        AUTO(buf_fini) struct buf xml = {0};

        xva_ova_encode(&ova, xva_record_fields, &xml);
        tar_encode("ova.xml", xml.n, outlet->made, buf_extend(&outlet->head, TAR_BLOCK));
        buf_add(&outlet->head, xml.data, xml.n);
        (void)buf_extend(&outlet->head, (size_t)tar_padding(xml.n));
}

/* ---- opening, closing ------------------------------------------------------------------------- */

static enum err close_disk(struct disk *disk, struct err_note *note) {
        enum err failed;

        if (!disk->sr)
                return ERR_NONE;
        turn_take(disk->sr->turn, "VM export");
        failed = vdi_outlet_close(&disk->outlet, false, note);
        turn_give(disk->sr->turn);
        disk->sr = NULL;
        return failed;
}

static enum err close_all(struct xva_outlet *outlet, struct err_note *note) {
        struct err_note first = {0}, each;

        VEC_EACH (&outlet->disks, disk) {
                if (close_disk(disk, &each) && !first.code)
                        first = each;
                free(disk->sent);
        }
        vec_fini(&outlet->disks);
        buf_fini(&outlet->head);
        free(outlet);
        if (first.code)
                *note = first;
        return first.code;
}

enum err xva_outlet_close(struct xva_outlet *outlet, struct err_note *note) {
        return close_all(outlet, note);
}

static void discard(struct xva_outlet *outlet) {
        struct err_note ignored;

        (void)close_all(outlet, &ignored);
}
DEFINE_AUTO(struct xva_outlet *, discard);

/* Which blocks go: those that some layer holds, and those that always do. */
static enum err choose_blocks(struct disk *disk, struct err_note *note) {
        struct chain *chain = disk->outlet.chain;
        uint64_t n;

        disk->size = chain_size(chain);
        n = xva_blocks(disk->size);
        disk->sent = mem_try((size_t)div_up(n, VHD_SECTOR * 8), VHD_SECTOR); /* bitmaps are whole sectors */
        if (!disk->sent)
                return err_set(note, ERR_NO_MEMORY, "a bit for each of %" PRIu64 " blocks: out of memory", n);
        for (uint64_t block = 0; block < n; block++)
                if (xva_block_is_always_sent(disk->size, block) ||
                    chain_block_is_held(chain, NULL, block / BLOCKS_OF_IMAGE)) {
                        vhd_bitmap_set(disk->sent, (uint32_t)block);
                        disk->n_sent++;
                }
        disk->block = vhd_bitmap_next_set(disk->sent, 0, (uint32_t)n);
        return ERR_NONE;
}

static enum err open_disk(struct xva_outlet *outlet, const struct xva_record_disk *of,
                          struct err_note *note) {
        const struct vdi_outlet_ask ask = {.vdi = of->vdi, .format = STREAM_RAW, .is_quiet = true};
        const struct host_sr *sr = host_sr_of_vdi(outlet->host, &of->vdi);
        struct disk *disk = vec_add(&outlet->disks);
        enum err failed;

        memcpy(disk->ref, of->ref, sizeof disk->ref);
        if (!sr)
                return err_set(note, ERR_NOT_FOUND, "VDI %s is not in any SR of this host",
                               uuid_format(&of->vdi).s);
        turn_take(sr->turn, "VM export");
        failed = vdi_outlet_open(sr->sr, outlet->host->io, &ask, &disk->outlet, note);
        turn_give(sr->turn);
        if (failed)
                return failed;
        disk->sr = sr;
        if (choose_blocks(disk, note))
                return note->code;
        json_object_set_new(of->record, "virtual_size", json_integer((json_int_t)disk->size));
        return ERR_NONE;
}

static void place(struct xva_outlet *outlet) {
        uint64_t at = outlet->head.n;

        VEC_EACH (&outlet->disks, disk) {
                disk->at = at;
                at += xva_blocks_size(disk->size, disk->n_sent);
                disk->end = at;
        }
        outlet->disks_end = at;
        outlet->length = at + TAR_END_SIZE;
}

enum err xva_outlet_open(struct host *host, const struct uuid *vm, struct xva_outlet **ret,
                         struct err_note *note) {
        AUTO(xva_records_fini) struct xva_records records = {0};
        AUTO(discard) struct xva_outlet *outlet = mem_new(struct xva_outlet);

        outlet->host = host;
        outlet->made = (int64_t)(io_wall_ns(host->io) / 1000000000);
        if (xva_records_gather(host->objects, vm, &records, note))
                return note->code;
        VEC_EACH (&records.disks, disk)
                if (open_disk(outlet, disk, note))
                        return err_wrap(note, "disk %s", disk->ref);
        encode_head(outlet, &records);
        place(outlet);
        *ret = TAKE(outlet);
        return ERR_NONE;
}

uint64_t xva_outlet_length(const struct xva_outlet *outlet) {
        return outlet->length;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Units are mostly read in their order. */
static uint64_t block_of_unit(struct disk *disk, uint64_t unit) {
        uint32_t n = (uint32_t)xva_blocks(disk->size);
        uint32_t block = (uint32_t)disk->block;

        if (unit < disk->unit) {
                disk->unit = 0;
                block = vhd_bitmap_next_set(disk->sent, 0, n);
        }
        for (; disk->unit < unit; disk->unit++)
                block = vhd_bitmap_next_set(disk->sent, block + 1, n);
        disk->block = block;
        return block;
}

static uint8_t *put_member(uint8_t *at, const struct xva_outlet *outlet, const struct xva_name *name,
                           uint64_t n) {
        struct tar_header_disk header;

        tar_encode(xva_name_print(name).s, n, outlet->made, &header);
        memcpy(at, &header, sizeof header);
        return at + sizeof header;
}

static uint8_t *put_padding(uint8_t *at, uint64_t n) {
        memset(at, 0, (size_t)tar_padding(n));
        return at + tar_padding(n);
}

/* A unit at memory + PAGE - TAR_BLOCK; *ret_n: its bytes. */
static enum err read_unit(const struct xva_outlet *outlet, struct disk *disk, struct chain_batch *batch,
                          uint64_t unit, uint8_t *memory, size_t *ret_n, struct err_note *note) {
        struct xva_name name = {.kind = XVA_DATA, .number = block_of_unit(disk, unit)};
        uint64_t n = xva_block_length(disk->size, name.number);
        uint8_t *start = memory + PAGE - TAR_BLOCK, *data, *at;
        char checksum[XVA_XXH64_SIZE + 1];

        memcpy(name.disk, disk->ref, sizeof name.disk);
        data = put_member(start, outlet, &name, n);
        chain_batch_add(batch, data, n, name.number * XVA_BLOCK);
        if (chain_batch_read(batch, disk->outlet.chain, note))
                return err_wrap(note, "disk %s: block %" PRIu64, disk->ref, name.number);
        xva_xxh64((struct span){data, (size_t)n}, checksum);
        at = put_padding(data + n, n);
        name.kind = XVA_XXH64;
        at = put_member(at, outlet, &name, XVA_XXH64_SIZE);
        memcpy(at, checksum, XVA_XXH64_SIZE);
        at = put_padding(at + XVA_XXH64_SIZE, XVA_XXH64_SIZE);
        *ret_n = (size_t)(at - start);
        return ERR_NONE;
}

static enum err read_disk(const struct xva_outlet *outlet, struct disk *disk, struct chain_batch *batch,
                          uint64_t at, uint8_t *memory, const uint8_t **ret, size_t *ret_n,
                          struct err_note *note) {
        uint64_t unit = min_u64((at - disk->at) / UNIT, disk->n_sent - 1);
        uint64_t in = at - disk->at - unit * UNIT;
        size_t n = 0;

        if (read_unit(outlet, disk, batch, unit, memory, &n, note))
                return note->code;
        *ret = memory + PAGE - TAR_BLOCK + in;
        *ret_n = n - (size_t)in;
        return ERR_NONE;
}

enum err xva_outlet_read(struct xva_outlet *outlet, struct chain_batch *batch, uint64_t at, uint8_t *memory,
                         const uint8_t **ret, size_t *ret_n, struct err_note *note) {
        *ret = memory;
        *ret_n = 0;
        if (at < outlet->head.n) {
                *ret_n = (size_t)min_u64(outlet->head.n - at, XVA_BLOCK);
                memcpy(memory, outlet->head.data + at, *ret_n);
                return ERR_NONE;
        }
        VEC_EACH (&outlet->disks, disk)
                if (at < disk->end)
                        return read_disk(outlet, disk, batch, at, memory, ret, ret_n, note);
        if (at < outlet->length) {
                *ret_n = (size_t)(outlet->length - at);
                memset(memory, 0, *ret_n);
        }
        return ERR_NONE;
}
