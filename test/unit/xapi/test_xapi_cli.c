// SPDX-License-Identifier: Apache-2.0
#include "house.h"

#include "xapi_cli.h"
#include "xe_cli.h"

/* What a command came to. */
struct said {
        struct buf out, err;
        char error[64]; /* code; "": none */
        char path[512]; /* of a transfer */
        int exit_code;  /* -1: it did not end */
};

static void said_fini(struct said *said) {
        buf_fini(&said->out);
        buf_fini(&said->err);
}
DEFINE_AUTO_IN_PLACE(struct said, said_fini);

static void put_text(char *to, size_t size, struct span text) {
        snprintf(to, size, "%.*s", (int)text.n, (const char *)text.data);
}

static void hear(struct xapi_cli *cli, struct said *said) {
        size_t at = 0, used;

        for (; at < cli->out.n; at += used) {
                struct xe_message message;
                struct err_note note = {0};

                assert_ok(xe_decode((struct span){cli->out.data + at, cli->out.n - at}, 1 << 20, &message,
                                    &used, &note));
                assert_true(used > 0);
                if (message.kind == XE_PRINT)
                        buf_print(&said->out, "%.*s\n", (int)message.text.n, (const char *)message.text.data);
                if (message.kind == XE_PRINT_STDERR)
                        buf_add(&said->err, message.text.data, message.text.n);
                if (message.kind == XE_ERROR)
                        put_text(said->error, sizeof said->error, message.text);
                if (message.kind == XE_HTTP_GET || message.kind == XE_HTTP_PUT)
                        put_text(said->path, sizeof said->path, message.path);
                if (message.kind == XE_EXIT)
                        said->exit_code = message.number;
        }
        buf_fini(&cli->out);
}

/* who: lines that say so. */
static void start(struct house *house, struct xapi_cli *cli, const char *command, const char *who) {
        AUTO(buf_fini) struct buf body = {0};
        struct err_note note = {0};

        *cli = (struct xapi_cli){.xapi = house->xapi, .peer = "test"};
        buf_print(&body, "%s\n%s", command, who);
        assert_ok(xapi_cli_ask_parse(&body, &cli->ask, &note));
}

/* Its session is the house's, as far as it goes without a client. */
static void run(struct house *house, const char *command, struct said *ret) {
        AUTO_FREE char *who = mem_format("session_id=%s", house->session.ref);
        AUTO(xapi_cli_fini) struct xapi_cli cli;

        *ret = (struct said){.exit_code = -1};
        start(house, &cli, command, who);
        assert_int_equal(xapi_cli_log_in(&cli), XAPI_CLI_RUNS);
        assert_int_equal(xapi_cli_run(&cli), XAPI_CLI_ENDS);
        xapi_cli_end(&cli);
        hear(&cli, ret);
}

static void prints(struct house *house, const char *command, const char *want) {
        AUTO(said_fini) struct said said;

        run(house, command, &said);
        assert_string_equal(buf_text(&said.err), "");
        assert_string_equal(said.error, "");
        assert_string_equal(buf_text(&said.out), want);
        assert_int_equal(said.exit_code, 0);
}

static void fails(struct house *house, const char *command, const char *error, const char *err) {
        AUTO(said_fini) struct said said;

        run(house, command, &said);
        assert_string_equal(said.error, error);
        assert_string_equal(buf_text(&said.err), err);
        assert_int_equal(said.exit_code, 1);
}

/* ---- cases ---- */

#define HELP "\nFor usage run: 'xe help'\n"

static void lists_and_fields_follow_from_the_table(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 4 << 20);
        const char *uuid = vdi + strlen(XAPI_REF_PREFIX);
        AUTO_FREE char *line = mem_format("%s\n", uuid);
        AUTO_FREE char *set = mem_format("vdi-param-set\nuuid=%s\nother-config:a=1\nname-label=new", uuid);
        AUTO_FREE char *get = mem_format("vdi-param-get\nuuid=%s\nparam-name=name-label", uuid);

        prints(house, "vdi-list\n--minimal\nname-label=web", line);
        prints(house, "vdi-list\n--minimal\nname-label=other", "\n");
        prints(house, set, "");
        prints(house, get, "new\n");
        prints(house, "vdi-list\n--minimal\nother-config:a=1", line);
        prints(house, "vdi-list\n--minimal\nother-config:a=2", "\n");
        prints(house, "vm-list", "");
        prints(house, "sr-list\nname-label=one\nparams=name-label,type",
               "name-label ( RW)    : one\n          type ( RO): file\n\n\n");
}

static void what_is_wrong_is_said_with_exit_code_1(void **state) {
        struct house *house = *state;

        fails(house, "vdi-lst", "", "Unknown command: vdi-lst" HELP);
        fails(house, "vdi-snapshot", "", "Required parameter not found: uuid" HELP);
        fails(house, "vdi-snapshot\nuuid=x", "UUID_INVALID", "");
        fails(house, "vdi-list\ncolour=red", "", "Error: Unknown field of a vdi: colour\n");
        fails(house, "vdi-list\nparams=colour", "", "Error: Unknown field of a vdi: colour\n");
        fails(house, "vdi-param-get\nparam-name=colour", "", "Error: Unknown field of a vdi: colour\n");
}

static void a_login_of_its_own_ends_with_the_command(void **state) {
        struct house *house = *state;
        AUTO_FREE char *password = house_password(house);
        AUTO_FREE char *who = mem_format("username=root\npassword=%s", password);
        unsigned before = auth_n_sessions(house->host.auth);
        AUTO(xapi_cli_fini) struct xapi_cli cli;

        start(house, &cli, "pool-list", who);
        assert_int_equal(xapi_cli_log_in(&cli), XAPI_CLI_RUNS);
        assert_int_equal(auth_n_sessions(house->host.auth), before + 1);
        xapi_cli_end(&cli);
        assert_int_equal(auth_n_sessions(house->host.auth), before);
}

static void is_refused(struct house *house, const char *who, const char *err) {
        AUTO(xapi_cli_fini) struct xapi_cli cli;
        AUTO(said_fini) struct said said = {.exit_code = -1};

        start(house, &cli, "pool-list", who);
        assert_int_equal(xapi_cli_log_in(&cli), XAPI_CLI_ENDS);
        xapi_cli_end(&cli);
        hear(&cli, &said);
        assert_string_equal(buf_text(&said.err), err);
        assert_int_equal(said.exit_code, 1);
}

static void a_wrong_password_ends_it(void **state) {
        struct house *house = *state;

        is_refused(house, "username=root\npassword=wrong", "Authentication failed" HELP);
        is_refused(house, "", "Username/password must be specified" HELP);
}

static void who_may_look_may_not_change(void **state) {
        struct house *house = *state;
        AUTO_FREE char *sr = house_sr(house, 0);
        AUTO_FREE char *scan = mem_format("sr-scan\nuuid=%s", sr + strlen(XAPI_REF_PREFIX));
        AUTO_FREE char *token = NULL;
        struct err_note note = {0};

        assert_ok(auth_token_create(house->host.auth, "eye", ROLE_READ_ONLY, 3600, &token, &note));
        snprintf(house->session.ref, sizeof house->session.ref, "%s", token);
        prints(house, "sr-list\nname-label=one\nparams=name-label\n--minimal", "one\n");
        fails(house, scan, "RBAC_PERMISSION_DENIED", "");
}

static void errors_name_objects_by_their_uuid(void **state) {
        AUTO(json_decref)
        json_t *error = json_pack("[s, s, i, s]", "HANDLE_INVALID", "OpaqueRef:abc", 7, "x");
        struct xapi_cli cli = {0};
        struct xe_message message;
        struct err_note note = {0};
        size_t used;

        (void)state;
        xapi_cli_tell_error(&cli, error);
        assert_ok(xe_decode((struct span){cli.out.data, cli.out.n}, 1 << 20, &message, &used, &note));
        assert_int_equal(message.n_params, 2);
        assert_memory_equal(message.params[0].data, "abc", 3);
        assert_int_equal(message.params[0].n, 3);
        assert_int_equal(cli.exit_code, 1);
        xapi_cli_fini(&cli);
}

/* An export, up to where the client has it. */
static void begin_export(struct house *house, struct xapi_cli *cli, struct said *ret) {
        AUTO_FREE char *vdi = house_make_vdi(house, "out", 4 << 20);
        AUTO_FREE char *command =
                mem_format("vdi-export\nuuid=%s\nfilename=f\nformat=v&d", vdi + strlen(XAPI_REF_PREFIX));
        AUTO_FREE char *who = mem_format("session_id=%s", house->session.ref);

        *ret = (struct said){.exit_code = -1};
        start(house, cli, command, who);
        assert_int_equal(xapi_cli_log_in(cli), XAPI_CLI_RUNS);
        assert_int_equal(xapi_cli_run(cli), XAPI_CLI_HEARS);
        hear(cli, ret);
        cli->heard_ns = io_now_ns(house->io);
}

/* Somebody works on the transfer. */
static struct task *join(struct house *house, const struct xapi_cli *cli) {
        struct task *task = NULL;
        struct uuid uuid;
        struct err_note note = {0};

        assert_true(xapi_ref_parse(cli->task, &uuid));
        assert_ok(tasks_join(house->host.tasks, &uuid, &task, &note));
        return task;
}

static void a_transfer_waits_for_its_task(void **state) {
        struct house *house = *state;
        AUTO(xapi_cli_fini) struct xapi_cli cli;
        AUTO(said_fini) struct said said;
        struct task *task;

        begin_export(house, &cli, &said);
        assert_non_null(strstr(said.path, "/export_raw_vdi?session_id="));
        assert_non_null(strstr(said.path, "&format=v%26d"));
        assert_int_equal(xapi_cli_go_on(&cli), XAPI_CLI_WAITS);
        task = join(house, &cli);
        assert_int_equal(xapi_cli_go_on(&cli), XAPI_CLI_WAITS);
        task_succeed(task, "");
        task_unref(task);
        assert_int_equal(xapi_cli_go_on(&cli), XAPI_CLI_ENDS);
        xapi_cli_end(&cli);
        hear(&cli, &said);
        assert_int_equal(said.exit_code, 0);
        prints(house, "task-list\n--minimal", "\n");
}

/* With one disk; the caller's to free. */
static char *make_vm_of(struct house *house, const char *vdi) {
        AUTO_FREE char *vm = house_make_vm(house, "box");

        free(house_text(house, "VBD.create",
                        json_pack("[{s:s, s:s, s:s, s:s, s:s, s:b, s:b}]", "VM", vm, "VDI", vdi, "userdevice",
                                  "0", "mode", "RW", "type", "Disk", "bootable", 0, "empty", 0)));
        return TAKE(vm);
}

static void uninstall(struct house *house, const char *typed, const char *want) {
        AUTO_FREE char *who = mem_format("session_id=%s", house->session.ref);
        AUTO(xapi_cli_fini) struct xapi_cli cli;
        AUTO(said_fini) struct said said = {.exit_code = -1};

        start(house, &cli, "vm-uninstall\nvm=box", who);
        assert_int_equal(xapi_cli_log_in(&cli), XAPI_CLI_RUNS);
        assert_int_equal(xapi_cli_run(&cli), XAPI_CLI_ASKS);
        snprintf(cli.typed, sizeof cli.typed, "%s", typed);
        assert_int_equal(xapi_cli_go_on(&cli), XAPI_CLI_ENDS);
        hear(&cli, &said);
        assert_non_null(strstr(buf_text(&said.out), "(web)\nType 'yes' to continue\n"));
        prints(house, "vm-list\n--minimal\nparams=name-label", want);
        prints(house, "vdi-list\n--minimal\nparams=name-label", *want == '\n' ? "\n" : "web\n");
}

static void a_vm_goes_with_its_disks_only_after_a_yes(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 4 << 20);
        AUTO_FREE char *vm = make_vm_of(house, vdi);

        prints(house, "vbd-list\nparams=vm-name-label\n--minimal\nvdi-name-label=web", "box\n");
        uninstall(house, "", "box\n");
        uninstall(house, "yesterday", "box\n");
        uninstall(house, "yes\r\n", "\n");
}

static void looks(struct house *house, const char *command, bool want) {
        AUTO(xapi_cli_fini) struct xapi_cli cli;

        start(house, &cli, command, "");
        assert_int_equal(xapi_cli_only_looks(&cli), want);
}

static void commands_that_look_are_told_from_those_that_wait(void **state) {
        struct house *house = *state;

        looks(house, "vdi-list", true);
        looks(house, "vm-disk-list", true);
        looks(house, "sr-param-list", true);
        looks(house, "sr-param-get", true);
        looks(house, "help", true);
        looks(house, "sr-param-set", false);
        looks(house, "sr-scan", false);
        looks(house, "vdi-list-changed-blocks", false);
}

static void a_disk_that_became_anothers_is_not_taken_away(void **state) {
        struct house *house = *state;
        AUTO_FREE char *vdi = house_make_vdi(house, "web", 4 << 20);
        AUTO_FREE char *vm = make_vm_of(house, vdi);
        AUTO_FREE char *who = mem_format("session_id=%s", house->session.ref);
        AUTO_FREE char *other = NULL;
        AUTO(xapi_cli_fini) struct xapi_cli cli;
        AUTO(said_fini) struct said said = {.exit_code = -1};

        start(house, &cli, "vm-uninstall\nvm=box", who);
        assert_int_equal(xapi_cli_log_in(&cli), XAPI_CLI_RUNS);
        assert_int_equal(xapi_cli_run(&cli), XAPI_CLI_ASKS);
        other = make_vm_of(house, vdi);
        snprintf(cli.typed, sizeof cli.typed, "yes");
        assert_int_equal(xapi_cli_go_on(&cli), XAPI_CLI_ENDS);
        hear(&cli, &said);
        assert_string_equal(buf_text(&said.err), "Error: Aborted: its disks changed\n");
        prints(house, "vm-list\n--minimal\nparams=name-label", "box,box\n");
}

static void a_wait_ends_when_something_is_so(void **state) {
        struct house *house = *state;
        AUTO_FREE char *who = mem_format("session_id=%s", house->session.ref);
        AUTO(xapi_cli_fini) struct xapi_cli cli;
        AUTO(said_fini) struct said said = {.exit_code = -1};

        start(house, &cli, "event-wait\nclass=vdi\nname-label=web\nvirtual-size=/=0", who);
        assert_int_equal(xapi_cli_log_in(&cli), XAPI_CLI_RUNS);
        assert_int_equal(xapi_cli_run(&cli), XAPI_CLI_WAITS);
        free(house_make_vdi(house, "other", 4 << 20));
        assert_true(cli.wait_generation < objects_generation(house->host.objects));
        assert_int_equal(xapi_cli_go_on(&cli), XAPI_CLI_WAITS);
        free(house_make_vdi(house, "web", 4 << 20));
        assert_int_equal(xapi_cli_go_on(&cli), XAPI_CLI_ENDS);
        xapi_cli_end(&cli);
        hear(&cli, &said);
        assert_int_equal(said.exit_code, 0);
        fails(house, "event-wait\nclass=colour", "", "Error: Unknown class: colour\n");
        fails(house, "event-wait\nclass=vdi\ncolour=red", "", "Error: Unknown field of a vdi: colour\n");
        fails(house, "event-wait", "", "Required parameter not found: class" HELP);
}

static void what_an_import_made_is_told_by_uuid(void **state) {
        static const char result[] =
                "<value><array><data><value>OpaqueRef:00000000-0000-0000-0000-000000000001"
                "</value></data></array></value>";
        struct house *house = *state;
        AUTO(xapi_cli_fini) struct xapi_cli cli;
        AUTO(said_fini) struct said said;
        struct task *task;

        begin_export(house, &cli, &said);
        assert_false(xapi_cli_is_moving(&cli));
        task = join(house, &cli);
        assert_true(xapi_cli_is_moving(&cli));
        task_succeed(task, result);
        task_unref(task);
        assert_int_equal(xapi_cli_go_on(&cli), XAPI_CLI_ENDS);
        hear(&cli, &said);
        assert_string_equal(buf_text(&said.out), "00000000-0000-0000-0000-000000000001\n");
}

static void a_transfer_that_failed_fails_the_command(void **state) {
        struct house *house = *state;
        AUTO(xapi_cli_fini) struct xapi_cli cli;
        AUTO(said_fini) struct said said;

        begin_export(house, &cli, &said);
        cli.has_failed = true;
        assert_int_equal(xapi_cli_go_on(&cli), XAPI_CLI_ENDS);
        xapi_cli_end(&cli);
        hear(&cli, &said);
        assert_string_equal(buf_text(&said.err), "Error: The client could not transfer the file\n");
        assert_int_equal(said.exit_code, 1);
        prints(house, "task-list\n--minimal", "\n");
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, house_set_up, house_tear_down)
        const struct CMUnitTest tests[] = {
                CASE(lists_and_fields_follow_from_the_table),
                CASE(what_is_wrong_is_said_with_exit_code_1),
                CASE(a_login_of_its_own_ends_with_the_command),
                CASE(a_wrong_password_ends_it),
                CASE(who_may_look_may_not_change),
                CASE(errors_name_objects_by_their_uuid),
                CASE(a_vm_goes_with_its_disks_only_after_a_yes),
                CASE(a_transfer_waits_for_its_task),
                CASE(commands_that_look_are_told_from_those_that_wait),
                CASE(a_disk_that_became_anothers_is_not_taken_away),
                CASE(a_wait_ends_when_something_is_so),
                CASE(what_an_import_made_is_told_by_uuid),
                CASE(a_transfer_that_failed_fails_the_command),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
