// SPDX-License-Identifier: Apache-2.0
#include "rpc_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conn.h"
#include "local.h"
#include "mem.h"
#include "rpc_wire.h"

enum { LOOK_EVERY_NS = 50000000 };
static const uint64_t SILENT_NS = UINT64_C(2500000000);

struct calling {
        struct verb_call *call; /* borrowed */
        struct loop *loop;      /* owned */
        struct conn *conn;      /* owned */
        bool has_begun, is_done, is_not_here, did_cancel, is_showing, did_say;
        uint64_t since_ns;
        char doing[RPC_DOING_SIZE]; /* what the progress points at meanwhile */
        enum err failed;
        struct err_note *note; /* borrowed */
};

static void calling_fini(struct calling *calling) {
        if (calling->conn)
                conn_free(calling->conn);
        if (calling->loop)
                loop_free(calling->loop);
        /* Who shows it may look again. */
        if (calling->is_showing)
                calling->call->progress->doing = calling->call->verb->name;
}
DEFINE_AUTO_IN_PLACE(struct calling, calling_fini);

/* ---- paths ----------------------------------------------------------------------------------- */

/* The folder's canonical path and the name as it is: a link that is to be replaced is replaced. */
static enum err make_absolute(struct io *io, const char *path, char **ret, struct err_note *note) {
        AUTO_FREE char *folder = mem_text(path), *canonical = NULL;
        char *slash = strrchr(folder, '/');
        const char *name = slash ? slash + 1 : path;

        if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return io_canonical(io, path, ret, note);
        if (slash)
                slash[slash == folder ? 1 : 0] = 0;
        if (io_canonical(io, slash ? folder : ".", &canonical, note))
                return note->code;
        *ret = mem_format("%s/%s", strcmp(canonical, "/") == 0 ? "" : canonical, name);
        return ERR_NONE;
}

/* As registry.h says it: what is neither this nor has a slash is a name, of those that the daemon knows. */
static bool is_sr_folder(struct io *io, const char *text) {
        AUTO_FREE char *inside = mem_format("%s/.catena", text);
        struct err_note unused;
        struct io_stat stat;

        return strchr(text, '/') || io_stat_path(io, inside, &stat, &unused) == ERR_NONE;
}

static enum err sr_for_owner(const struct verb_call *call, const char *text, char **ret,
                             struct err_note *note) {
        char *slash;

        if (call->socket && !is_sr_folder(call->io, text)) {
                *ret = mem_text(text);
                return ERR_NONE;
        }
        if (call->socket)
                return make_absolute(call->io, text, ret, note);
        *ret = mem_text(call->owner.folder); /* DIR/.catena */
        slash = strrchr(*ret, '/');
        *slash = 0;
        return ERR_NONE;
}

/* The owner has another working directory, and may know the SR by another name or not at all. */
static enum err params_for_owner(const struct verb_call *call, json_t **ret, struct err_note *note) {
        AUTO(json_decref) json_t *params = json_copy(call->params);

        for (const struct param *param = call->verb->params; param->name; param++) {
                AUTO_FREE char *absolute = NULL;
                const char *text = json_string_value(json_object_get(params, param->name));

                if (param->kind != PARAM_PATH || !text || strcmp(text, "-") == 0)
                        continue;
                if (strcmp(param->name, "sr") == 0 ? sr_for_owner(call, text, &absolute, note)
                                                   : make_absolute(call->io, text, &absolute, note))
                        return note->code;
                json_object_set_new_nocheck(params, param->name, json_string_nocheck(absolute));
        }
        *ret = TAKE(params);
        return ERR_NONE;
}

/* People see a path as they wrote it. */
static void restore_paths(const struct verb_call *call, const json_t *sent) {
        for (const struct param *param = call->verb->params; param->name; param++) {
                const json_t *mine = json_object_get(call->params, param->name),
                             *theirs = json_object_get(sent, param->name);
                const char *key;
                json_t *value;

                if (param->kind != PARAM_PATH || !mine || strcmp(param->name, "sr") == 0)
                        continue;
                json_object_foreach(call->result, key, value) {
                        if (json_is_string(value) && json_equal(value, theirs))
                                json_string_set_nocheck(value, json_string_value(mine));
                }
        }
}

/* For people; the caller's to free. */
static char *describe_owner(const struct verb_call *call, const char *owns) {
        if (call->socket)
                return mem_format("the daemon at %s", call->socket);
        return mem_format("pid %" PRIu64 " (%s), which %s the SR", call->owner.pid, call->owner.command,
                          owns);
}

/* ---- what comes ------------------------------------------------------------------------------ */

static void show(struct calling *calling, const struct rpc_progress *shown) {
        struct progress *progress = calling->call->progress;
        struct err_note unused;

        if (!progress)
                return;
        if (!calling->is_showing || strcmp(calling->doing, shown->doing) != 0 ||
            shown->done < progress->done) {
                snprintf(calling->doing, sizeof calling->doing, "%s", shown->doing);
                progress_begin(progress, calling->doing, shown->total);
                calling->is_showing = true;
        }
        progress->total = shown->total;
        if (shown->has_ended) {
                progress->done = shown->done;
                progress_end(progress);
        } else {
                (void)!progress_step(progress, shown->done, &unused); /* an interrupt is seen elsewhere */
        }
}

static enum err take_message(struct calling *calling, struct span line, struct err_note *note) {
        AUTO(jsonrpc_fini) struct jsonrpc message = {0};
        struct rpc_progress shown;

        if (jsonrpc_decode(line, &message, note))
                return note->code;
        switch (message.kind) {
        case JSONRPC_CALL:
                return err_set(note, ERR_CORRUPT, "the owner calls us");
        case JSONRPC_NOTIFICATION:
                if (strcmp(message.method, RPC_BEGUN) == 0)
                        calling->has_begun = true;
                else if (strcmp(message.method, RPC_PROGRESS) == 0) {
                        if (rpc_take_progress(&message, &shown, note))
                                return note->code;
                        show(calling, &shown);
                } else if (strcmp(message.method, RPC_SAID) == 0 && calling->call->progress) {
                        const char *text = json_string_value(json_object_get(message.params, "line"));

                        progress_say(calling->call->progress, text ? text : "");
                }
                return ERR_NONE;
        case JSONRPC_RESULT:
        case JSONRPC_ERROR:
                calling->is_done = true;
                calling->failed = rpc_take_answer(&message, calling->call, &calling->is_not_here, note);
                return ERR_NONE;
        }
        return ERR_NONE;
}

/* What the owner says cannot be understood: of another version, say. */
static void give_up(struct calling *calling) {
        AUTO_FREE char *owner = describe_owner(calling->call, "owns");

        calling->is_done = true;
        calling->failed = err_wrap(calling->note, "hear from %s", owner);
}

static void on_got(void *user) {
        struct calling *calling = user;

        while (!calling->is_done) {
                size_t n, used = 0;
                const uint8_t *data = conn_peek(calling->conn, &n);
                struct span line;

                if (!rpc_find_line(data, n, &line, &used))
                        break;
                if (take_message(calling, line, calling->note))
                        give_up(calling);
                conn_skip(calling->conn, used);
        }
        if (!calling->is_done && conn_is_full(calling->conn)) {
                (void)err_set(calling->note, ERR_TOO_LARGE, "its answer is longer than %d bytes",
                              RPC_ANSWER_MAX);
                give_up(calling);
        }
}

static void on_ended(void *user, const struct err_note *why) {
        struct calling *calling = user;
        AUTO_FREE char *owner = describe_owner(calling->call, "owned");

        (void)why;
        if (calling->is_done)
                return;
        calling->is_done = true;
        calling->is_not_here = !calling->has_begun;
        calling->failed =
                err_set(calling->note, ERR_CLOSED,
                        "%s%s ended before it told how this went: look at the SR before you try again", owner,
                        calling->call->socket ? "" : ",");
}

/* ---- all of it ------------------------------------------------------------------------------- */

static enum err send_call(struct calling *calling, const struct rpc_client *client, json_t *params,
                          struct err_note *note) {
        AUTO(buf_fini) struct buf line = {0};
        bool has_input = local_is_open(client->input), has_output = local_is_open(client->output);
        int fds[2];
        unsigned n = 0;

        if (has_input)
                fds[n++] = client->input;
        if (has_output)
                fds[n++] = client->output;
        if (rpc_put_call(calling->call, params, has_input, has_output, &line, note))
                return note->code;
        return conn_send_fds(calling->conn, line.data, line.n, fds, n, note);
}

static void pass_on_interrupt(struct calling *calling) {
        const struct progress *progress = calling->call->progress;
        AUTO(buf_fini) struct buf line = {0};
        struct err_note unused;

        if (calling->did_cancel || !progress || !progress->is_cancelled ||
            !atomic_load(progress->is_cancelled))
                return;
        calling->did_cancel = true;
        rpc_put_notice(RPC_CANCEL, &line);
        (void)!conn_send(calling->conn, line.data, line.n, &unused);
}

/* Stopped, most likely: by Ctrl-Z, or under a debugger. */
static void say_who_is_silent(struct calling *calling) {
        AUTO_FREE char *owner = NULL, *line = NULL;

        if (calling->has_begun || calling->did_say || !calling->call->progress ||
            io_now_ns(calling->call->io) - calling->since_ns < SILENT_NS)
                return;
        calling->did_say = true;
        owner = describe_owner(calling->call, "owns");
        line = mem_format("waiting for %s: there is no answer yet", owner);
        progress_say(calling->call->progress, line);
}

static enum err connect_to(struct calling *calling, bool *ret_is_gone, struct err_note *note) {
        const struct sr_owner *owner = &calling->call->owner;
        struct conn_options options = {.in_max = RPC_ANSWER_MAX + 4096,
                                       .out_max = RPC_CALL_MAX + 4096,
                                       .got = on_got,
                                       .ended = on_ended,
                                       .user = calling};
        int fd;
        enum err failed = local_connect(owner->folder, owner->socket, &fd, note);

        *ret_is_gone = failed == ERR_CLOSED || failed == ERR_NOT_FOUND || failed == ERR_BUSY;
        if (failed && calling->call->socket)
                return err_wrap(note, "no daemon answers at %s", calling->call->socket);
        if (failed)
                return err_wrap(note, "the SR is in use by pid %" PRIu64 " (%s)", owner->pid, owner->command);
        return conn_new(calling->loop, fd, &options, &calling->conn, note);
}

static enum err run(void *user, struct verb_call *call, bool *ret_is_gone, struct err_note *note) {
        const struct rpc_client *client = user;
        AUTO(calling_fini)
        struct calling calling = {.call = call, .note = note, .since_ns = io_now_ns(call->io)};
        AUTO(json_decref) json_t *params = NULL;

        *ret_is_gone = false;
        if (params_for_owner(call, &params, note) || loop_new(call->io, &calling.loop, note) ||
            connect_to(&calling, ret_is_gone, note) || send_call(&calling, client, params, note))
                return note->code;
        while (!calling.is_done) {
                pass_on_interrupt(&calling);
                say_who_is_silent(&calling);
                loop_round(calling.loop, LOOK_EVERY_NS);
        }
        *ret_is_gone = calling.is_not_here;
        if (calling.failed)
                return calling.failed;
        restore_paths(call, params);
        return ERR_NONE;
}

struct verb_elsewhere rpc_client_elsewhere(struct rpc_client *client) {
        return (struct verb_elsewhere){.run = run, .user = client};
}
