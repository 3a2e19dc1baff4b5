// SPDX-License-Identifier: Apache-2.0
/* Bytes go through three stages:
 *
 *      push ── what compressed it? ── unpacked ── members of the tar ── ova.xml, blocks, checksums
 */
#include "xva_inlet.h"

#include <inttypes.h>
#include <string.h>

#include "mem.h"
#include "pack.h"
#include "sr.h"
#include "stream_target.h"
#include "turn.h"
#include "vms_inside.h"
#include "xva_records.h"
#include "xva_sum.h"
#include "xva_vm.h"

enum { UNPACKED_SIZE = 256 * 1024 };

/* What the bytes that come are. */
enum phase {
        PHASE_HEADER,
        PHASE_OVA,
        PHASE_BLOCK,
        PHASE_CHECKSUM,
        PHASE_SKIP,
        PHASE_PADDING,
        PHASE_LAST, /* the second block of zeros */
        PHASE_END,
};

struct disk {
        struct sr_import *into; /* owned; NULL: its blocks are checked and forgotten, or it is over */
        struct stream_target target;
        struct uuid vdi; /* once committed */
        bool is_there;   /* or may be */
};

struct xva_inlet {
        struct xva_inlet_ask ask;
        uint64_t taken;
        struct err_note failure; /* the first; code ERR_NONE: none */

        uint8_t magic[PACK_MAGIC_SIZE];
        size_t n_magic;
        struct unpack *unpack; /* owned; NULL: not compressed, or not known yet */

        enum phase phase;
        uint64_t left, padding; /* bytes of the phase that are to come; behind the member */
        uint8_t header[TAR_BLOCK];
        size_t n_header;
        struct tar_member member;
        struct xva_step step;
        struct xva_sum sum;
        char checksum[XVA_SHA1_SIZE + 1];
        size_t n_checksum;
        unsigned n_wrong; /* blocks that were taken all the same */

        struct buf xml; /* owned; while it comes */
        bool has_ova, has_vm;
        struct xva_ova ova;
        struct xva_vm vm;
        struct xva_walk walk;
        VEC(struct xva_disk) walked; /* owned; for the walk */
        VEC(struct disk) disks;      /* owned; likewise, one for one */
};

enum err xva_inlet_new(const struct xva_inlet_ask *ask, struct xva_inlet **ret, struct err_note *note) {
        (void)note;
        *ret = mem_new(struct xva_inlet);
        (*ret)->ask = *ask;
        return ERR_NONE;
}

/* ---- ova.xml --------------------------------------------------------------------------------- */

static const char *text_of(const json_t *record, const char *field) {
        const char *text = json_string_value(json_object_get(record, field));

        return text ? text : "";
}

static bool is_known(const struct xva_inlet *inlet, const char *ref) {
        for (size_t i = 0; i < inlet->walked.n; i++)
                if (strcmp(inlet->walked.data[i].ref, ref) == 0)
                        return true;
        return false;
}

static enum err begin_import(struct xva_inlet *inlet, const json_t *record, uint64_t size, struct disk *disk,
                             struct err_note *note) {
        const struct host_sr *sr = inlet->ask.sr;
        const char *name = text_of(record, "name_label");
        const struct vdi_options options = {.name = *name ? name : NULL,
                                            .description = text_of(record, "name_description"),
                                            .size = size,
                                            .kind = IMAGE_VHD};
        enum err failed;

        turn_take(sr->turn, "VM import");
        failed = sr_import_begin(sr->sr, &options, &disk->into, note);
        turn_give(sr->turn);
        if (!failed)
                disk->target.chain = sr_import_chain(disk->into);
        return failed;
}

/* id NULL, or of no VDI: there is none. */
static enum err add_disk(struct xva_inlet *inlet, const char *id, bool is_kept, struct err_note *note) {
        const json_t *record = xva_vm_record(&inlet->ova, XAPI_VDI, id);
        json_int_t size = json_integer_value(json_object_get(record, "virtual_size"));
        struct xva_disk *walked;

        if (!record || is_known(inlet, id))
                return ERR_NONE;
        if (strlen(id) > XVA_REF_MAX || size <= 0 || inlet->disks.n == XVA_INLET_DISKS_MAX)
                return err_set(note, ERR_CORRUPT, "ova.xml: disk %.40s: %s", id,
                               size <= 0 ? "it has no size"
                                         : "such a name, or so many of them, are not taken");
        walked = vec_add(&inlet->walked);
        memcpy(walked->ref, id, strlen(id) + 1);
        walked->size_bytes = (uint64_t)size;
        (void)vec_add(&inlet->disks);
        if (is_kept &&
            begin_import(inlet, record, (uint64_t)size, &inlet->disks.data[inlet->disks.n - 1], note))
                return err_wrap(note, "disk %s", id);
        return ERR_NONE;
}

/* Those of the VM's VBDs, but what lies in drives; and its memory, which nobody here could wake up. */
static enum err add_disks(struct xva_inlet *inlet, struct err_note *note) {
        const char *vm = text_of(inlet->vm.object, "id");
        json_t *object;
        size_t i;

        json_array_foreach(inlet->ova.objects, i, object) {
                const json_t *vbd = json_object_get(object, "snapshot");

                if (strcmp(text_of(object, "class"), "VBD") == 0 && strcmp(text_of(vbd, "VM"), vm) == 0 &&
                    strcmp(text_of(vbd, "type"), "CD") != 0 &&
                    add_disk(inlet, text_of(vbd, "VDI"), true, note))
                        return note->code;
        }
        return add_disk(inlet, text_of(json_object_get(inlet->vm.object, "snapshot"), "suspend_VDI"), false,
                        note);
}

static enum err take_ova(struct xva_inlet *inlet, struct err_note *note) {
        const struct xva_vm_ask ask = {
                .restores = inlet->ask.restores, .is_forced = inlet->ask.is_forced, .task = inlet->ask.task};
        struct span xml = {inlet->xml.data, inlet->xml.n};

        inlet->has_ova = true;
        if (xva_ova_decode(xml, xva_record_fields, &inlet->ova, note) ||
            xva_vm_begin(&inlet->vm, inlet->ask.host, &inlet->ova, &ask, note))
                return note->code;
        inlet->has_vm = true;
        buf_fini(&inlet->xml);
        inlet->xml = (struct buf){0};
        if (add_disks(inlet, note))
                return note->code;
        xva_walk_init(&inlet->walk, inlet->walked.data, inlet->walked.n, xva_ova_has_checksums(&inlet->ova));
        return ERR_NONE;
}

/* ---- members --------------------------------------------------------------------------------- */

static enum err begin_ova(struct xva_inlet *inlet, struct err_note *note) {
        struct xva_name name;

        xva_name_parse(inlet->member.name, &name);
        inlet->phase = PHASE_SKIP;
        if (!inlet->member.is_file)
                return ERR_NONE;
        if (name.kind != XVA_OVA)
                return err_set(note, ERR_CORRUPT, "this is no XVA: it begins with %.60s, not with ova.xml",
                               inlet->member.name);
        if (inlet->member.size_bytes > XVA_INLET_OVA_MAX)
                return err_set(note, ERR_TOO_LARGE, "ova.xml has %" PRIu64 " bytes",
                               inlet->member.size_bytes);
        inlet->phase = PHASE_OVA;
        return ERR_NONE;
}

static enum err begin_step(struct xva_inlet *inlet, struct err_note *note) {
        if (xva_walk_next(&inlet->walk, &inlet->member, &inlet->step, note))
                return note->code;
        switch (inlet->step.what) {
        case XVA_TAKE_BLOCK:
                inlet->phase = PHASE_BLOCK;
                return xva_sum_begin(&inlet->sum, note);
        case XVA_TAKE_CHECKSUM:
                inlet->phase = PHASE_CHECKSUM;
                inlet->n_checksum = 0;
                return ERR_NONE;
        case XVA_SKIP:
                break;
        }
        inlet->phase = PHASE_SKIP;
        return ERR_NONE;
}

static enum err begin_member(struct xva_inlet *inlet, struct err_note *note) {
        struct tar_header_disk header;
        enum tar_kind kind;

        memcpy(&header, inlet->header, sizeof header);
        inlet->n_header = 0;
        if (tar_decode(&header, &kind, &inlet->member, note))
                return inlet->has_ova ? note->code : err_wrap(note, "this is no XVA");
        if (kind == TAR_END) {
                inlet->phase = PHASE_LAST;
                inlet->left = TAR_BLOCK;
                return inlet->has_ova ? xva_walk_end(&inlet->walk, note)
                                      : err_set(note, ERR_CORRUPT, "this is no XVA: it has no ova.xml");
        }
        inlet->left = inlet->member.size_bytes;
        inlet->padding = tar_padding(inlet->left);
        return inlet->has_ova ? begin_step(inlet, note) : begin_ova(inlet, note);
}

/* [A1] */
static enum err check_block(struct xva_inlet *inlet, struct err_note *note) {
        struct err_note why;
        enum err err;

        inlet->checksum[inlet->n_checksum] = 0;
        err = xva_sum_check(&inlet->sum, inlet->step.checksum, inlet->checksum, &why);
        if (err == ERR_CORRUPT && inlet->ask.is_forced)
                inlet->n_wrong++;
        else if (err)
                return err_set(note, err, "%s/%08" PRIu64 ": %s", inlet->walk.last.disk,
                               inlet->walk.last.number, why.text);
        return ERR_NONE;
}

/* All of the phase has come. */
static enum err end_phase(struct xva_inlet *inlet, struct err_note *note) {
        enum phase ended = inlet->phase;

        if (ended == PHASE_PADDING) {
                inlet->phase = PHASE_HEADER;
                return ERR_NONE;
        }
        if (ended == PHASE_LAST) {
                inlet->phase = PHASE_END;
                return ERR_NONE;
        }
        inlet->phase = PHASE_PADDING;
        inlet->left = inlet->padding;
        if (ended == PHASE_OVA)
                return take_ova(inlet, note);
        return ended == PHASE_CHECKSUM ? check_block(inlet, note) : ERR_NONE;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Of an image's block at a time. */
static enum err write_block(struct xva_inlet *inlet, struct span data, struct err_note *note) {
        struct disk *disk = &inlet->disks.data[inlet->step.disk];
        uint64_t at = inlet->step.at + (inlet->step.n - inlet->left);

        xva_sum_add(&inlet->sum, data.data, data.n);
        while (disk->into && data.n > 0) {
                size_t n = (size_t)min_u64(data.n, IMAGE_BLOCK_SIZE - at % IMAGE_BLOCK_SIZE);

                if (stream_target_put_at(&disk->target, at, data.data, n, note))
                        return err_wrap(note, "disk %s: write at %" PRIu64, inlet->walk.last.disk, at);
                data = (struct span){data.data + n, data.n - n};
                at += n;
        }
        return ERR_NONE;
}

static enum err take(struct xva_inlet *inlet, struct span data, struct err_note *note) {
        switch (inlet->phase) {
        case PHASE_HEADER:
                memcpy(inlet->header + inlet->n_header, data.data, data.n);
                inlet->n_header += data.n;
                return inlet->n_header == TAR_BLOCK ? begin_member(inlet, note) : ERR_NONE;
        case PHASE_OVA:
                buf_add(&inlet->xml, data.data, data.n);
                return ERR_NONE;
        case PHASE_BLOCK:
                return write_block(inlet, data, note);
        case PHASE_CHECKSUM:
                memcpy(inlet->checksum + inlet->n_checksum, data.data, data.n);
                inlet->n_checksum += data.n;
                return ERR_NONE;
        case PHASE_SKIP:
        case PHASE_PADDING:
        case PHASE_LAST:
        case PHASE_END:
                break;
        }
        return ERR_NONE;
}

/* Of the archive, no longer compressed. */
static enum err take_all(struct xva_inlet *inlet, struct span data, struct err_note *note) {
        while (inlet->phase != PHASE_END) {
                bool is_header = inlet->phase == PHASE_HEADER;
                size_t n = (size_t)min_u64(data.n, is_header ? TAR_BLOCK - inlet->n_header : inlet->left);

                if (!is_header && inlet->left == 0) {
                        if (end_phase(inlet, note))
                                return note->code;
                        continue;
                }
                if (n == 0)
                        break;
                if (take(inlet, (struct span){data.data, n}, note))
                        return note->code;
                inlet->left -= is_header ? 0 : n;
                data = (struct span){data.data + n, data.n - n};
        }
        return ERR_NONE;
}

static enum err unpack_all(struct xva_inlet *inlet, struct span data, struct err_note *note) {
        AUTO_FREE uint8_t *memory = mem_try(UNPACKED_SIZE, 1);
        size_t n;

        if (!memory)
                return err_set(note, ERR_NO_MEMORY, "unpack: out of memory");
        do {
                if (unpack_some(inlet->unpack, &data, memory, UNPACKED_SIZE, &n, note) ||
                    take_all(inlet, (struct span){memory, n}, note))
                        return note->code;
        } while (data.n > 0 || n == UNPACKED_SIZE);
        return ERR_NONE;
}

static enum err take_packed(struct xva_inlet *inlet, struct span data, struct err_note *note) {
        return inlet->unpack ? unpack_all(inlet, data, note) : take_all(inlet, data, note);
}

/* Its first bytes say what compressed it. */
static enum err look_at_magic(struct xva_inlet *inlet, struct span *data, struct err_note *note) {
        size_t n = (size_t)min_u64(data->n, PACK_MAGIC_SIZE - inlet->n_magic);
        enum pack_kind kind;

        if (n == 0)
                return ERR_NONE;
        memcpy(inlet->magic + inlet->n_magic, data->data, n);
        inlet->n_magic += n;
        *data = (struct span){data->data + n, data->n - n};
        if (inlet->n_magic < PACK_MAGIC_SIZE)
                return ERR_NONE;
        kind = pack_kind_of(inlet->magic);
        if (kind != PACK_NONE && unpack_new(kind, &inlet->unpack, note))
                return note->code;
        return take_packed(inlet, (struct span){inlet->magic, PACK_MAGIC_SIZE}, note);
}

enum err xva_inlet_push(struct xva_inlet *inlet, const void *bytes, size_t n, struct err_note *note) {
        struct span data = {bytes, n};

        if (inlet->failure.code) {
                *note = inlet->failure;
                return note->code;
        }
        inlet->taken += n;
        if (look_at_magic(inlet, &data, note) || (data.n > 0 && take_packed(inlet, data, note)))
                inlet->failure = *note;
        return inlet->failure.code;
}

uint64_t xva_inlet_taken(const struct xva_inlet *inlet) {
        return inlet->taken;
}

bool xva_inlet_is_whole(const struct xva_inlet *inlet) {
        return inlet->phase == PHASE_END && (!inlet->unpack || unpack_is_at_end(inlet->unpack));
}

/* ---- the end --------------------------------------------------------------------------------- */

static enum err check_end(const struct xva_inlet *inlet, struct err_note *note) {
        if (inlet->failure.code) {
                *note = inlet->failure;
                return note->code;
        }
        if (!inlet->has_ova || (inlet->phase < PHASE_LAST && inlet->phase != PHASE_HEADER) ||
            inlet->n_header > 0 || (inlet->unpack && !unpack_is_at_end(inlet->unpack)))
                return err_set(note, ERR_CUT_SHORT, "the archive ends after %" PRIu64 " bytes, in the middle",
                               inlet->taken);
        return xva_walk_end(&inlet->walk, note);
}

/* [A2] with the turn. */
static void delete_disks(struct xva_inlet *inlet) {
        struct sr *sr = inlet->ask.sr->sr;
        struct err_note ignored;

        /* One whose commit failed may be there. */
        if (sr_scan(sr, &ignored))
                return;
        VEC_EACH (&inlet->disks, disk)
                if (disk->is_there && !sr_vdi_delete(sr, &disk->vdi, &ignored))
                        disk->is_there = false;
}

static enum err commit_disks(struct xva_inlet *inlet, struct err_note *note) {
        static const struct uuid no_stream;

        VEC_EACH (&inlet->disks, disk) {
                if (!disk->into)
                        continue;
                disk->vdi = sr_import_vdi(disk->into);
                disk->is_there = true;
                if (sr_import_commit(TAKE(disk->into), &no_stream, &disk->vdi, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err commit_vm(struct xva_inlet *inlet, struct err_note *note) {
        VEC(struct xva_vm_disk) disks = {0};
        enum err failed;

        for (size_t i = 0; i < inlet->disks.n; i++) {
                const struct xva_disk *walked = &inlet->walked.data[i];
                struct xva_vm_disk *disk;

                if (!inlet->disks.data[i].is_there)
                        continue;
                disk = vec_add(&disks);
                memcpy(disk->ref, walked->ref, sizeof disk->ref);
                disk->vdi = inlet->disks.data[i].vdi;
                disk->sr = inlet->ask.sr->uuid;
                disk->size = round_up(walked->size_bytes, SECTOR);
        }
        failed = xva_vm_commit(&inlet->vm, disks.data, disks.n, note);
        vec_fini(&disks);
        return failed;
}

/* Durable before the first disk is seen: after a crash the daemon's start removes what has no VM. */
static enum err note_disks(struct xva_inlet *inlet, struct err_note *note) {
        AUTO(vms_unfinished_fini)
        struct vms_unfinished unfinished = {.kind = VMS_MAKING, .vm = inlet->vm.uuid};

        VEC_EACH (&inlet->disks, disk) {
                struct vms_part *part;

                if (!disk->into)
                        continue;
                part = vec_add(&unfinished.parts.list);
                part->sr = part->to = inlet->ask.sr->uuid;
                part->vdi = part->made = sr_import_vdi(disk->into);
        }
        return vms_unfinished_put(inlet->ask.host, &unfinished, note);
}

/* Disks that could not be deleted are for the next start. */
static void drop_note(struct xva_inlet *inlet, bool failed) {
        struct err_note ignored;

        VEC_EACH (&inlet->disks, disk) {
                if (failed && disk->is_there)
                        return;
        }
        (void)!vms_unfinished_drop(inlet->ask.host, &inlet->vm.uuid, &ignored);
}

static enum err commit(struct xva_inlet *inlet, struct err_note *note) {
        enum err failed;

        turn_take(inlet->ask.sr->turn, "VM import");
        failed = commit_disks(inlet, note);
        if (failed)
                delete_disks(inlet);
        turn_give(inlet->ask.sr->turn);
        if (failed)
                return failed;
        if (commit_vm(inlet, note)) {
                turn_take(inlet->ask.sr->turn, "VM import");
                delete_disks(inlet);
                turn_give(inlet->ask.sr->turn);
                return note->code;
        }
        return ERR_NONE;
}

/* Whoever forced it may not be who needs the disks. */
static void tell_of_wrong(const struct xva_inlet *inlet) {
        const struct host *host = inlet->ask.host;
        AUTO_FREE char *line = NULL;

        if (inlet->n_wrong == 0 || !host->log)
                return;
        line = mem_format("VM %s was imported with %u blocks that their checksums say are damaged",
                          uuid_format(&inlet->vm.uuid).s, inlet->n_wrong);
        host->log(host->user, line);
}

enum err xva_inlet_commit(struct xva_inlet *inlet, struct uuid *ret_vm, struct err_note *note) {
        enum err failed;

        if (check_end(inlet, note) || note_disks(inlet, note))
                return note->code;
        failed = commit(inlet, note);
        drop_note(inlet, failed != ERR_NONE);
        if (failed)
                return failed;
        inlet->has_vm = false;
        tell_of_wrong(inlet);
        *ret_vm = inlet->vm.uuid;
        return ERR_NONE;
}

void xva_inlet_free(struct xva_inlet *inlet) {
        turn_take(inlet->ask.sr->turn, "VM import");
        VEC_EACH (&inlet->disks, disk)
                if (disk->into)
                        sr_import_abort(TAKE(disk->into));
        turn_give(inlet->ask.sr->turn);
        if (inlet->has_vm)
                xva_vm_abort(&inlet->vm);
        if (inlet->unpack)
                unpack_free(inlet->unpack);
        xva_sum_fini(&inlet->sum);
        xva_ova_fini(&inlet->ova);
        buf_fini(&inlet->xml);
        vec_fini(&inlet->walked);
        vec_fini(&inlet->disks);
        free(inlet);
}
