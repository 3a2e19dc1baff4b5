// SPDX-License-Identifier: Apache-2.0
/* Commands about disks and where VMs have them, and those that are one call. */
#include <string.h>

#include "text.h"
#include "xapi_cli.h"

/* ---- VDIs ------------------------------------------------------------------------------------ */

static enum xapi_cli_next create(struct xapi_cli *cli) {
        const char *name = xapi_cli_needed(cli, "name-label");
        const char *size = name ? xapi_cli_needed(cli, "virtual-size") : NULL;
        const char *about = xapi_cli_named(&cli->ask, "name-description");
        const char *type = xapi_cli_named(&cli->ask, "type");
        AUTO_FREE char *sr = size ? xapi_cli_ref(cli, XAPI_SR, "sr-uuid") : NULL;
        AUTO(json_decref) json_t *made = NULL;
        uint64_t bytes;

        if (!sr)
                return XAPI_CLI_ENDS;
        if (!text_parse_size(size, &bytes) || bytes > INT64_MAX)
                return xapi_cli_fail(cli, "No size: %s", size);
        made = xapi_cli_call(cli, "VDI.create",
                             json_pack("[{s:s, s:s, s:s, s:I, s:s}]", "SR", sr, "name_label", name,
                                       "name_description", about ? about : "", "virtual_size",
                                       (json_int_t)bytes, "type", type ? type : "user"));
        return xapi_cli_give_uuid(cli, made);
}

static bool rename_made(struct xapi_cli *cli, const json_t *ref) {
        static const char *const rows[][2] = {
                {"new-name-label", "VDI.set_name_label"},
                {"new-name-description", "VDI.set_name_description"},
        };

        for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
                const char *text = xapi_cli_named(&cli->ask, rows[i][0]);
                AUTO(json_decref) json_t *done = NULL;

                if (!text)
                        continue;
                done = xapi_cli_call(cli, rows[i][1], json_pack("[O, s]", ref, text));
                if (!done)
                        return false;
        }
        return true;
}

static enum xapi_cli_next fork_vdi(struct xapi_cli *cli, const char *method) {
        AUTO_FREE char *vdi = xapi_cli_ref(cli, XAPI_VDI, "uuid");
        AUTO(json_decref) json_t *made = vdi ? xapi_cli_call(cli, method, json_pack("[s]", vdi)) : NULL;

        if (made && rename_made(cli, made))
                return xapi_cli_give_uuid(cli, made);
        return XAPI_CLI_ENDS;
}

static enum xapi_cli_next snapshot_vdi(struct xapi_cli *cli) {
        return fork_vdi(cli, "VDI.snapshot");
}

static enum xapi_cli_next clone_vdi(struct xapi_cli *cli) {
        return fork_vdi(cli, "VDI.clone");
}

static enum xapi_cli_next resize(struct xapi_cli *cli) {
        const char *size = xapi_cli_needed(cli, "disk-size");
        AUTO_FREE char *vdi = size ? xapi_cli_ref(cli, XAPI_VDI, "uuid") : NULL;
        bool is_online = xapi_cli_says(&cli->ask, "online");
        uint64_t bytes;

        if (!vdi)
                return XAPI_CLI_ENDS;
        if (!text_parse_size(size, &bytes) || bytes > INT64_MAX)
                return xapi_cli_fail(cli, "No size: %s", size);
        json_decref(xapi_cli_call(cli, is_online ? "VDI.resize_online" : "VDI.resize",
                                  json_pack("[s, I]", vdi, (json_int_t)bytes)));
        return XAPI_CLI_ENDS;
}

static char *sr_or_none(struct xapi_cli *cli) {
        if (xapi_cli_named(&cli->ask, "into-vdi-uuid") && !xapi_cli_named(&cli->ask, "sr-uuid"))
                return mem_text(XAPI_NULL_REF);
        return xapi_cli_ref(cli, XAPI_SR, "sr-uuid");
}

static enum xapi_cli_next copy(struct xapi_cli *cli) {
        AUTO_FREE char *vdi = xapi_cli_ref(cli, XAPI_VDI, "uuid");
        AUTO_FREE char *sr = vdi ? sr_or_none(cli) : NULL;
        AUTO_FREE char *base = sr ? xapi_cli_ref_or_none(cli, XAPI_VDI, "base-vdi-uuid") : NULL;
        AUTO_FREE char *into = base ? xapi_cli_ref_or_none(cli, XAPI_VDI, "into-vdi-uuid") : NULL;
        AUTO(json_decref) json_t *made = NULL;

        if (into)
                made = xapi_cli_call(cli, "VDI.copy", json_pack("[s, s, s, s]", vdi, sr, base, into));
        return xapi_cli_give_uuid(cli, made);
}

static enum xapi_cli_next migrate(struct xapi_cli *cli) {
        AUTO_FREE char *vdi = xapi_cli_ref(cli, XAPI_VDI, "uuid");
        AUTO_FREE char *sr = vdi ? xapi_cli_ref(cli, XAPI_SR, "sr-uuid") : NULL;
        AUTO(json_decref) json_t *moved = NULL;

        if (sr)
                moved = xapi_cli_call(cli, "VDI.pool_migrate", json_pack("[s, s, {}]", vdi, sr));
        return xapi_cli_give_uuid(cli, moved);
}

static enum xapi_cli_next list_changed(struct xapi_cli *cli) {
        AUTO_FREE char *from = xapi_cli_ref(cli, XAPI_VDI, "vdi-from-uuid");
        AUTO_FREE char *to = from ? xapi_cli_ref(cli, XAPI_VDI, "vdi-to-uuid") : NULL;
        AUTO(json_decref) json_t *bits = NULL;

        if (to)
                bits = xapi_cli_call(cli, "VDI.list_changed_blocks", json_pack("[s, s]", from, to));
        if (bits)
                xapi_cli_print(cli, "%s", json_string_value(bits));
        return XAPI_CLI_ENDS;
}

/* ---- VBDs ------------------------------------------------------------------------------------ */

static const char *given_or(const struct xapi_cli *cli, const char *name, const char *otherwise) {
        const char *given = xapi_cli_named(&cli->ask, name);

        return given ? given : otherwise;
}

/* Without a disk it is a drive that is empty. */
static enum xapi_cli_next create_vbd(struct xapi_cli *cli) {
        const char *device = xapi_cli_needed(cli, "device");
        AUTO_FREE char *vm = device ? xapi_cli_ref(cli, XAPI_VM, "vm-uuid") : NULL;
        AUTO_FREE char *vdi = vm ? xapi_cli_ref_or_none(cli, XAPI_VDI, "vdi-uuid") : NULL;
        AUTO(json_decref) json_t *made = NULL;

        if (vdi)
                made = xapi_cli_call(cli, "VBD.create",
                                     json_pack("[{s:s, s:s, s:s, s:s, s:s, s:b, s:b}]", "VM", vm, "VDI", vdi,
                                               "userdevice", device, "mode", given_or(cli, "mode", "RW"),
                                               "type", given_or(cli, "type", "Disk"), "bootable",
                                               xapi_cli_says(&cli->ask, "bootable"), "empty",
                                               strcmp(vdi, XAPI_NULL_REF) == 0));
        return xapi_cli_give_uuid(cli, made);
}

/* ---- the tables ------------------------------------------------------------------------------ */

const struct xapi_cli_plain xapi_cli_plains[] = {
        {"message-destroy", "message.destroy", XAPI_MESSAGE},
        {"sr-scan", "SR.scan", XAPI_SR},
        {"sr-update", "SR.update", XAPI_SR},
        {"task-cancel", "task.cancel", XAPI_TASK},
        {"vbd-destroy", "VBD.destroy", XAPI_VBD},
        {"vbd-plug", "VBD.plug", XAPI_VBD},
        {"vbd-unplug", "VBD.unplug", XAPI_VBD},
        {"vdi-data-destroy", "VDI.data_destroy", XAPI_VDI},
        {"vdi-destroy", "VDI.destroy", XAPI_VDI},
        {"vdi-disable-cbt", "VDI.disable_cbt", XAPI_VDI},
        {"vdi-enable-cbt", "VDI.enable_cbt", XAPI_VDI},
        {"vdi-update", "VDI.update", XAPI_VDI},
        {"vif-destroy", "VIF.destroy", XAPI_VIF},
        {"vm-destroy", "VM.destroy", XAPI_VM},
        {0},
};

const struct xapi_cli_action xapi_cli_vdi_actions[] = {
        {"vbd-create", create_vbd},
        {"vdi-clone", clone_vdi},
        {"vdi-copy", copy},
        {"vdi-create", create},
        {"vdi-list-changed-blocks", list_changed},
        {"vdi-pool-migrate", migrate},
        {"vdi-resize", resize},
        {"vdi-snapshot", snapshot_vdi},
        {0},
};
