// SPDX-License-Identifier: Apache-2.0
/* Exports and imports: the client makes them by HTTP, and a task follows. */
#include <ctype.h>
#include <string.h>

#include "xapi_cli.h"
#include "xapi_cli_select.h"
#include "xapi_inside.h"
#include "xe_cli.h"

/* How long a task may be without anybody who works on it when the client says that all went well. */
#define ABANDONED_NS (UINT64_C(10) * 1000000000)

/* ---- asking for it --------------------------------------------------------------------------- */

static void add_query(struct buf *to, const char *name, const char *value) {
        buf_print(to, "%s=", name);
        for (const char *c = value; *c; c++)
                buf_print(to, isalnum((unsigned char)*c) || strchr("-_.", *c) ? "%c" : "%%%02X",
                          (unsigned char)*c);
}

static void ask_for_transfer(struct xapi_cli *cli, enum xe_kind kind, const char *file, const char *path) {
        struct xe_message message = xe_message_of(kind, file);

        message.path = (struct span){(const uint8_t *)path, strlen(path)};
        xe_encode(&message, &cli->out);
}

/* Where, session and task: the beginning of the path.  False: the client was told. */
static bool begin_path(struct xapi_cli *cli, struct buf *path, const char *where) {
        AUTO(json_decref)
        json_t *task = xapi_cli_call(cli, "task.create", json_pack("[s, s]", cli->ask.command, ""));

        if (!task)
                return false;
        cli->task = mem_text(json_string_value(task));
        buf_print(path, "%s?", where);
        add_query(path, "session_id", cli->session);
        add_query(path, "&task_id", cli->task);
        return true;
}

static void add_given(struct xapi_cli *cli, struct buf *path, const char *query, const char *name) {
        const char *value = xapi_cli_named(&cli->ask, name);

        if (value)
                add_query(path, query, value);
}

static enum xapi_cli_next follow(struct xapi_cli *cli);

static enum xapi_cli_next begin(struct xapi_cli *cli, enum xe_kind kind, struct buf *path) {
        ask_for_transfer(cli, kind, xapi_cli_named(&cli->ask, "filename"), buf_text(path));
        cli->then = follow;
        return XAPI_CLI_HEARS;
}

/* ---- disks ----------------------------------------------------------------------------------- */

static enum xapi_cli_next transfer_vdi(struct xapi_cli *cli, enum xe_kind kind, const char *where) {
        const char *file = xapi_cli_needed(cli, "filename");
        AUTO_FREE char *vdi = file ? xapi_cli_ref(cli, XAPI_VDI, "uuid") : NULL;
        AUTO_FREE char *base = vdi ? xapi_cli_ref_or_none(cli, XAPI_VDI, "base") : NULL;
        AUTO(buf_fini) struct buf path = {0};

        if (!base || !begin_path(cli, &path, where))
                return XAPI_CLI_ENDS;
        add_query(&path, "&vdi", vdi + strlen(XAPI_REF_PREFIX));
        add_given(cli, &path, "&format", "format");
        if (strcmp(base, XAPI_NULL_REF) != 0)
                add_query(&path, "&base", base + strlen(XAPI_REF_PREFIX));
        return begin(cli, kind, &path);
}

static enum xapi_cli_next export_vdi(struct xapi_cli *cli) {
        return transfer_vdi(cli, XE_HTTP_GET, "/export_raw_vdi");
}

static enum xapi_cli_next import_vdi(struct xapi_cli *cli) {
        return transfer_vdi(cli, XE_HTTP_PUT, "/import_raw_vdi");
}

/* ---- VMs ------------------------------------------------------------------------------------- */

/* take vm */
static enum xapi_cli_next export_one(struct xapi_cli *cli, char *vm) {
        AUTO_FREE char *taken = vm;
        AUTO(buf_fini) struct buf path = {0};

        if (!taken || !begin_path(cli, &path, "/export"))
                return XAPI_CLI_ENDS;
        add_query(&path, "&uuid", taken + strlen(XAPI_REF_PREFIX));
        add_given(cli, &path, "&use_compression", "compress");
        return begin(cli, XE_HTTP_GET, &path);
}

static enum xapi_cli_next export_vm(struct xapi_cli *cli) {
        return export_one(cli, xapi_cli_needed(cli, "filename") ? xapi_cli_vm(cli) : NULL);
}

static enum xapi_cli_next export_snapshot(struct xapi_cli *cli) {
        return export_one(cli, xapi_cli_needed(cli, "filename") ? xapi_cli_snapshot(cli) : NULL);
}

static enum xapi_cli_next import_vm(struct xapi_cli *cli) {
        AUTO(buf_fini) struct buf path = {0};

        if (!xapi_cli_needed(cli, "filename") || !begin_path(cli, &path, "/import"))
                return XAPI_CLI_ENDS;
        add_given(cli, &path, "&sr_uuid", "sr-uuid");
        add_query(&path, "&restore", xapi_cli_says(&cli->ask, "preserve") ? "true" : "false");
        add_query(&path, "&force", xapi_cli_says(&cli->ask, "force") ? "true" : "false");
        return begin(cli, XE_HTTP_PUT, &path);
}

/* ---- how it goes on -------------------------------------------------------------------------- */

bool xapi_cli_is_moving(const struct xapi_cli *cli) {
        struct task_look look;
        struct uuid uuid;

        return cli->task && xapi_ref_parse(cli->task, &uuid) &&
               tasks_look(cli->xapi->host->tasks, &uuid, &look);
}

static bool is_abandoned(const struct xapi_cli *cli) {
        return !xapi_cli_is_moving(cli) && io_now_ns(cli->xapi->host->io) - cli->heard_ns > ABANDONED_NS;
}

/* What an import made: the references in the task's result, as XML-RPC has them. */
static enum xapi_cli_next give_result(struct xapi_cli *cli, const char *result) {
        for (const char *at = result; (at = strstr(at, XAPI_REF_PREFIX)); at++)
                xapi_cli_print(cli, "%.36s", at + strlen(XAPI_REF_PREFIX));
        return XAPI_CLI_ENDS;
}

static enum xapi_cli_next follow(struct xapi_cli *cli) {
        AUTO(json_decref) json_t *record = NULL;
        const char *status;

        cli->wait_generation = objects_generation(cli->xapi->host->objects);
        record = xapi_cli_call(cli, "task.get_record", json_pack("[s]", cli->task));
        if (!record)
                return XAPI_CLI_ENDS;
        status = json_string_value(json_object_get(record, "status"));
        if (strcmp(status, "failure") == 0) {
                xapi_cli_tell_error(cli, json_object_get(record, "error_info"));
                return XAPI_CLI_ENDS;
        }
        if (cli->has_failed)
                return xapi_cli_fail(cli, "The client could not transfer the file");
        if (strcmp(status, "success") == 0)
                return give_result(cli, json_string_value(json_object_get(record, "result")));
        if (strcmp(status, "cancelled") == 0)
                return xapi_cli_fail(cli, "The task was cancelled");
        return is_abandoned(cli) ? xapi_cli_fail(cli, "Nothing was transferred") : XAPI_CLI_WAITS;
}

const struct xapi_cli_action xapi_cli_transfer_actions[] = {
        {"snapshot-export-to-template", export_snapshot},
        {"vdi-export", export_vdi},
        {"vdi-import", import_vdi},
        {"vm-export", export_vm},
        {"vm-import", import_vm},
        {0},
};
