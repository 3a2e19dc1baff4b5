// SPDX-License-Identifier: Apache-2.0
/* Commands about VMs and their snapshots, and what waits for something. */
#include <string.h>
#include <strings.h>

#include "xapi_cli.h"
#include "xapi_cli_select.h"
#include "xe_cli.h"

/* ---- made of another ------------------------------------------------------------------------- */

static enum xapi_cli_next give_made(struct xapi_cli *cli, const json_t *made) {
        const char *about = xapi_cli_named(&cli->ask, "new-name-description");

        if (made && about)
                json_decref(xapi_cli_call(cli, "VM.set_name_description", json_pack("[O, s]", made, about)));
        return xapi_cli_give_uuid(cli, made);
}

static enum xapi_cli_next fork_vm(struct xapi_cli *cli, const char *method) {
        const char *name = xapi_cli_needed(cli, "new-name-label");
        AUTO_FREE char *vm = name ? xapi_cli_vm(cli) : NULL;
        AUTO(json_decref)
        json_t *made = vm ? xapi_cli_call(cli, method, json_pack("[s, s]", vm, name)) : NULL;

        return give_made(cli, made);
}

static enum xapi_cli_next take_snapshot(struct xapi_cli *cli) {
        return fork_vm(cli, "VM.snapshot");
}

static enum xapi_cli_next make_clone(struct xapi_cli *cli) {
        return fork_vm(cli, "VM.clone");
}

static enum xapi_cli_next copy(struct xapi_cli *cli) {
        const char *name = xapi_cli_needed(cli, "new-name-label");
        AUTO_FREE char *vm = name ? xapi_cli_vm(cli) : NULL;
        AUTO_FREE char *sr = vm ? xapi_cli_ref_or_none(cli, XAPI_SR, "sr-uuid") : NULL;
        AUTO(json_decref) json_t *made = NULL;

        if (sr)
                made = xapi_cli_call(cli, "VM.copy", json_pack("[s, s, s]", vm, name, sr));
        return give_made(cli, made);
}

static enum xapi_cli_next revert(struct xapi_cli *cli) {
        AUTO_FREE char *made = xapi_cli_snapshot(cli);

        if (made)
                json_decref(xapi_cli_call(cli, "VM.revert", json_pack("[s]", made)));
        return XAPI_CLI_ENDS;
}

static enum xapi_cli_next destroy_snapshot(struct xapi_cli *cli) {
        AUTO_FREE char *made = xapi_cli_snapshot(cli);

        if (made)
                json_decref(xapi_cli_call(cli, "VM.destroy", json_pack("[s]", made)));
        return XAPI_CLI_ENDS;
}

/* ---- power states ---------------------------------------------------------------------------- */

static enum xapi_cli_next start(struct xapi_cli *cli) {
        AUTO_FREE char *vm = xapi_cli_vm(cli);

        if (vm)
                json_decref(xapi_cli_call(cli, "VM.start", json_pack("[s, b, b]", vm, 0, 0)));
        return XAPI_CLI_ENDS;
}

static enum xapi_cli_next call_with_vm(struct xapi_cli *cli, const char *method) {
        AUTO_FREE char *vm = xapi_cli_vm(cli);

        if (vm)
                json_decref(xapi_cli_call(cli, method, json_pack("[s]", vm)));
        return XAPI_CLI_ENDS;
}

static enum xapi_cli_next shut_down(struct xapi_cli *cli) {
        return call_with_vm(cli,
                            xapi_cli_says(&cli->ask, "force") ? "VM.hard_shutdown" : "VM.clean_shutdown");
}

static enum xapi_cli_next reset_state(struct xapi_cli *cli) {
        return call_with_vm(cli, "VM.power_state_reset");
}

/* ---- taken away with its disks --------------------------------------------------------------- */

/* Whether the disk goes with the VM: it can be written there, and no other VM has it. */
static bool goes_along(struct xapi_cli *cli, const json_t *vbd) {
        const json_t *vdi = json_object_get(vbd, "VDI");
        AUTO(json_decref) json_t *all = NULL;

        if (strcmp(json_string_value(json_object_get(vbd, "mode")), "RW") != 0 ||
            strcmp(json_string_value(vdi), XAPI_NULL_REF) == 0)
                return false;
        all = xapi_cli_try(cli, "VDI.get_VBDs", json_pack("[O]", vdi));
        return json_array_size(all) == 1;
}

/* References: the VM's, then those of its disks; NULL: the client was told. */
static json_t *what_goes(struct xapi_cli *cli, const char *vm) {
        AUTO(json_decref) json_t *vbds = xapi_cli_call(cli, "VM.get_VBDs", json_pack("[s]", vm));
        AUTO(json_decref) json_t *list = vbds ? json_pack("[s]", vm) : NULL;
        const json_t *each;
        size_t i;

        json_array_foreach(vbds, i, each) {
                AUTO(json_decref) json_t *vbd = xapi_cli_try(cli, "VBD.get_record", json_pack("[O]", each));

                if (vbd && goes_along(cli, vbd))
                        json_array_append(list, json_object_get(vbd, "VDI"));
        }
        return list ? TAKE(list) : NULL;
}

static enum xapi_cli_next take_away(struct xapi_cli *cli) {
        const json_t *each;
        size_t i;

        json_array_foreach(cli->held, i, each) {
                AUTO(json_decref)
                json_t *done = xapi_cli_call(cli, i ? "VDI.destroy" : "VM.destroy", json_pack("[O]", each));

                if (!done)
                        return XAPI_CLI_ENDS;
        }
        xapi_cli_print(cli, "All objects destroyed");
        return XAPI_CLI_ENDS;
}

/* What was shown, and nothing that has become another's since. */
static enum xapi_cli_next take_away_if_yes(struct xapi_cli *cli) {
        AUTO(json_decref) json_t *now = NULL;

        cli->typed[strcspn(cli->typed, "\r\n")] = 0;
        if (strcasecmp(cli->typed, "yes") != 0)
                return xapi_cli_fail(cli, "Aborted");
        now = what_goes(cli, json_string_value(json_array_get(cli->held, 0)));
        if (!now)
                return XAPI_CLI_ENDS;
        return json_equal(now, cli->held) ? take_away(cli) : xapi_cli_fail(cli, "Aborted: its disks changed");
}

static void show_what_goes(struct xapi_cli *cli) {
        const json_t *each;
        size_t i;

        xapi_cli_print(cli, "The following items are about to be destroyed");
        json_array_foreach(cli->held, i, each) {
                const char *getter = i ? "VDI.get_name_label" : "VM.get_name_label";
                AUTO(json_decref) json_t *name = xapi_cli_try(cli, getter, json_pack("[O]", each));

                xapi_cli_print(cli, "%s: %s (%s)", i ? "VDI" : "VM ",
                               json_string_value(each) + strlen(XAPI_REF_PREFIX),
                               name ? json_string_value(name) : "");
        }
}

/* takes vm */
static enum xapi_cli_next uninstall_one(struct xapi_cli *cli, char *vm) {
        const struct xe_message prompt = {.kind = XE_PROMPT};
        AUTO_FREE char *taken = vm;

        cli->held = taken ? what_goes(cli, taken) : NULL;
        if (!cli->held)
                return XAPI_CLI_ENDS;
        if (xapi_cli_says(&cli->ask, "force"))
                return take_away(cli);
        show_what_goes(cli);
        xapi_cli_print(cli, "Type 'yes' to continue");
        xe_encode(&prompt, &cli->out);
        cli->then = take_away_if_yes;
        return XAPI_CLI_ASKS;
}

static enum xapi_cli_next uninstall(struct xapi_cli *cli) {
        return uninstall_one(cli, xapi_cli_vm(cli));
}

static enum xapi_cli_next uninstall_snapshot(struct xapi_cli *cli) {
        return uninstall_one(cli, xapi_cli_snapshot(cli));
}

/* ---- its disks ------------------------------------------------------------------------------- */

/* params: as the command's parameter says, or otherwise these. */
static bool print_one(struct xapi_cli *cli, const char *kind_name, const char *param, const char *otherwise,
                      const json_t *ref) {
        const struct xapi_cli_kind *kind = xapi_cli_kind_named(kind_name);
        const char *given = xapi_cli_named(&cli->ask, param);
        AUTO_FREE char *getter = mem_format("%s.get_record", xapi_classes[kind->class].name);
        AUTO(json_decref) json_t *record = xapi_cli_call(cli, getter, json_pack("[O]", ref));
        xapi_cli_columns columns = {0};
        bool is_fine = record && xapi_cli_columns_choose(cli, kind, given ? given : otherwise, &columns);

        if (is_fine)
                xapi_cli_print_record(cli, &columns, record);
        vec_fini(&columns);
        return is_fine;
}

static bool print_disk(struct xapi_cli *cli, const json_t *ref, const json_t *vbd, unsigned *n) {
        const json_t *vdi = json_object_get(vbd, "VDI");

        if (strcmp(json_string_value(json_object_get(vbd, "type")), "Disk") != 0)
                return true;
        xapi_cli_print(cli, "Disk %u VBD:", *n);
        if (!print_one(cli, "vbd", "vbd-params", "uuid,vm-name-label,userdevice", ref))
                return false;
        xapi_cli_print(cli, "Disk %u VDI:", *n);
        (*n)++;
        return print_one(cli, "vdi", "vdi-params", "uuid,name-label,sr-name-label,virtual-size", vdi);
}

static enum xapi_cli_next list_disks(struct xapi_cli *cli) {
        AUTO_FREE char *vm = xapi_cli_vm(cli);
        AUTO(json_decref) json_t *vbds = vm ? xapi_cli_call(cli, "VM.get_VBDs", json_pack("[s]", vm)) : NULL;
        const json_t *each;
        unsigned n = 0;
        size_t i;

        json_array_foreach(vbds, i, each) {
                AUTO(json_decref) json_t *vbd = xapi_cli_call(cli, "VBD.get_record", json_pack("[O]", each));

                if (!vbd || !print_disk(cli, each, vbd, &n))
                        return XAPI_CLI_ENDS;
        }
        return XAPI_CLI_ENDS;
}

const struct xapi_cli_action xapi_cli_vm_actions[] = {
        {"snapshot-destroy", destroy_snapshot},
        {"snapshot-revert", revert},
        {"snapshot-uninstall", uninstall_snapshot},
        {"vm-clone", make_clone},
        {"vm-copy", copy},
        {"vm-disk-list", list_disks},
        {"vm-reset-powerstate", reset_state},
        {"vm-shutdown", shut_down},
        {"vm-snapshot", take_snapshot},
        {"vm-start", start},
        {"vm-uninstall", uninstall},
        {0},
};
