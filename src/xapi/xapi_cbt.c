// SPDX-License-Identifier: Apache-2.0
/* What changed between snapshots, and where disks are read by NBD. */
#include <string.h>

#include "buf.h"
#include "cbt_log.h"
#include "mem.h"
#include "xapi_error.h"
#include "xapi_inside.h"
#include "xapi_method.h"

/* ---- what the SR is asked, in its turn ------------------------------------------------------- */

/* Where the record of a VDI is older than the SR's state, the SR has the last word. */
static bool need(struct xapi_call *call, const struct host_sr *sr, const struct uuid *uuid,
                 const struct vdi **ret) {
        *ret = sr_get_vdi(sr->sr, uuid);
        return *ret || xapi_fail_handle(call, "VDI", xapi_ref_of(uuid).s);
}

static bool fail_metadata(struct xapi_call *call, const struct uuid *uuid) {
        return xapi_fail(call, "VDI_INCOMPATIBLE_TYPE", xapi_ref_of(uuid).s, "cbt_metadata", NULL);
}

static bool set_in_turn(struct xapi_call *call, const struct host_sr *sr, const struct uuid *uuid,
                        bool is_enabled) {
        const struct vdi *vdi;
        struct err_note note;

        if (!need(call, sr, uuid, &vdi))
                return false;
        if (vdi->is_metadata)
                return fail_metadata(call, uuid);
        if (sr_vdi_set_cbt(sr->sr, uuid, is_enabled, &note))
                return xapi_fail_of(call, &note, XAPI_VDI, uuid, is_enabled ? "enable_cbt" : "disable_cbt");
        return true;
}

static bool destroy_in_turn(struct xapi_call *call, const struct host_sr *sr, const struct uuid *uuid) {
        const struct vdi *vdi;
        struct err_note note;

        if (!need(call, sr, uuid, &vdi))
                return false;
        if (vdi->row.is_snapshot && !vdi->row.has_cbt)
                return xapi_fail(call, "VDI_NO_CBT_METADATA", xapi_ref_of(uuid).s, NULL);
        if (sr_vdi_data_destroy(sr->sr, uuid, &note))
                return xapi_fail_of(call, &note, XAPI_VDI, uuid, "data_destroy");
        return true;
}

/* Theirs has one word for all ways in which two disks cannot be compared. */
static bool fail_unrelated(struct xapi_call *call, const char *why) {
        return xapi_fail(call, "SR_BACKEND_FAILURE_460", "", "Source and target VDI are unrelated", why,
                         NULL);
}

/* Bitmaps of many layers may have to be read, which keeps nobody from the SR. */
static bool list_changes(struct xapi_call *call, const struct host_sr *sr, const struct uuid *from,
                         const struct uuid *to, struct buf *ret) {
        AUTO(changed_blocks_fini) struct changed_blocks blocks = {0};
        struct sr_changed *changed = NULL;
        struct err_note note;
        enum err err;

        turn_take(sr->turn, call->name);
        err = sr_changed_begin(sr->sr, from, to, &changed, &note);
        turn_give(sr->turn);
        if (!err) {
                err = sr_changed_read(changed, &blocks, &note);
                turn_take(sr->turn, call->name);
                sr_changed_end(changed);
                turn_give_unchanged(sr->turn);
        }
        if (err == ERR_INVALID || err == ERR_MISMATCH)
                return fail_unrelated(call, note.text);
        if (err)
                return xapi_fail_of(call, &note, XAPI_VDI, to, "list_changed_blocks");
        cbt_bitmap_to_text(blocks.bits, blocks.size_bytes, ret);
        return true;
}

/* ---- methods --------------------------------------------------------------------------------- */

static bool set_cbt(struct xapi_call *call, bool is_enabled) {
        struct uuid vdi = xapi_arg_ref(call, 0);
        const struct host_sr *sr = xapi_sr_of_vdi(call, &vdi);
        bool is_set;

        if (!sr)
                return false;
        turn_take(sr->turn, call->name);
        is_set = set_in_turn(call, sr, &vdi, is_enabled);
        turn_give(sr->turn);
        xapi_mirror_now(call->xapi->mirror, sr);
        return is_set && xapi_give_nothing(call);
}

static bool enable_cbt(struct xapi_call *call) {
        return set_cbt(call, true);
}

static bool disable_cbt(struct xapi_call *call) {
        return set_cbt(call, false);
}

static bool data_destroy(struct xapi_call *call) {
        struct uuid vdi = xapi_arg_ref(call, 0);
        const struct host_sr *sr = xapi_sr_of_vdi(call, &vdi);
        bool is_done;

        if (!sr)
                return false;
        turn_take(sr->turn, call->name);
        is_done = destroy_in_turn(call, sr, &vdi);
        turn_give(sr->turn);
        xapi_mirror_now(call->xapi->mirror, sr);
        if (is_done)
                xapi_gc_kick(call->xapi->gc, sr);
        return is_done && xapi_give_nothing(call);
}

static bool list_changed_blocks(struct xapi_call *call) {
        struct uuid from = xapi_arg_ref(call, 0), to = xapi_arg_ref(call, 1);
        const struct host_sr *sr = xapi_sr_of_vdi(call, &to), *other = xapi_sr_of_vdi(call, &from);
        AUTO(buf_fini) struct buf text = {0};

        if (!sr || !other)
                return false;
        if (sr != other)
                return fail_unrelated(call, "they are in two SRs");
        return list_changes(call, sr, &from, &to, &text) &&
               xapi_give(call, json_stringn((const char *)text.data, text.n));
}

static json_t *nbd_info(const struct xapi_call *call, const struct host_place *place,
                        const struct uuid *vdi) {
        const struct host *host = xapi_host(call);
        AUTO_FREE char *certificate =
                host->nbd_has_tls && host->certificate ? certificate_pem(host->certificate) : mem_text("");
        /* A secret: whoever has it reads the disk for as long as the session lives. */
        AUTO_FREE char *name = mem_format("/%s?session_id=%s", uuid_format(vdi).s, call->session);

        return json_pack("{s:s, s:s, s:I, s:s, s:s}", "exportname", name, "address", place->host, "port",
                         (json_int_t)place->port, "cert", certificate, "subject",
                         *certificate ? host->address : "");
}

static bool get_nbd_info(struct xapi_call *call) {
        const struct host *host = xapi_host(call);
        struct uuid vdi = xapi_arg_ref(call, 0);
        AUTO(json_decref) json_t *type = objects_field(xapi_host(call)->objects, XAPI_VDI, &vdi, "type");
        json_t *all;

        if (type && strcmp(json_string_value(type), "cbt_metadata") == 0)
                return fail_metadata(call, &vdi);
        all = json_array();
        for (size_t i = 0; i < host->n_nbd_places; i++)
                json_array_append_new(all, nbd_info(call, &host->nbd_places[i], &vdi));
        return xapi_give(call, all);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define END                                                                                                  \
        { {0}, 0 }
static const struct xapi_param self_params[] = {XAPI_REF_PARAM("self", "VDI"), END};
static const struct xapi_param pair_params[] = {XAPI_REF_PARAM("vdi_from", "VDI"),
                                                XAPI_REF_PARAM("vdi_to", "VDI"), END};

const struct xapi_method xapi_cbt_methods[] = {
        {"VDI.enable_cbt", self_params, XAPI_GIVES_NOTHING, ROLE_OPERATOR, XAPI_SLOW, enable_cbt},
        {"VDI.disable_cbt", self_params, XAPI_GIVES_NOTHING, ROLE_OPERATOR, XAPI_SLOW, disable_cbt},
        {"VDI.data_destroy", self_params, XAPI_GIVES_NOTHING, ROLE_OPERATOR, XAPI_SLOW, data_destroy},
        {"VDI.list_changed_blocks", pair_params, XAPI_GIVES(XAPI_STRING), ROLE_READ_ONLY, XAPI_SLOW,
         list_changed_blocks},
        {"VDI.get_nbd_info", self_params, {.kind = XAPI_SHAPE_PLAIN}, ROLE_READ_ONLY, 0, get_nbd_info},
        {0},
};
