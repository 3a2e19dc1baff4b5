// SPDX-License-Identifier: Apache-2.0
#include "http_house.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http1_answer.h"
#include "mem.h"

struct http_house {
        struct host *host;   /* borrowed, outlives us */
        struct pool *pool;   /* borrowed, outlives us */
        struct parts *parts; /* owned */
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        unsigned n_streams; /* guarded by mutex */
};

struct http_house *http_house_new(struct host *host, struct pool *pool) {
        struct http_house *house = mem_new(struct http_house);

        house->host = host;
        house->pool = pool;
        house->parts = parts_new(host->io);
        pthread_mutex_init(&house->mutex, NULL);
        pthread_cond_init(&house->changed, NULL);
        return house;
}

void http_house_free(struct http_house *house) {
        pthread_mutex_lock(&house->mutex);
        while (house->n_streams > 0)
                pthread_cond_wait(&house->changed, &house->mutex);
        pthread_mutex_unlock(&house->mutex);
        parts_free(house->parts);
        pthread_cond_destroy(&house->changed);
        pthread_mutex_destroy(&house->mutex);
        free(house);
}

struct host *http_house_host(const struct http_house *house) {
        return house->host;
}
struct pool *http_house_pool(const struct http_house *house) {
        return house->pool;
}
struct parts *http_house_parts(const struct http_house *house) {
        return house->parts;
}

void http_house_begin(struct http_house *house) {
        pthread_mutex_lock(&house->mutex);
        house->n_streams++;
        pthread_mutex_unlock(&house->mutex);
}

void http_house_end(struct http_house *house) {
        pthread_mutex_lock(&house->mutex);
        house->n_streams--;
        pthread_cond_broadcast(&house->changed);
        pthread_mutex_unlock(&house->mutex);
}

void http_house_log(struct http_house *house, const char *fmt, ...) {
        char line[ERR_TEXT_SIZE + 256];
        va_list args;

        va_start(args, fmt);
        vsnprintf(line, sizeof line, fmt, args);
        va_end(args);
        house->host->log(house->host->user, line);
}

/* ---- who asks -------------------------------------------------------------------------------- */

void http_asker_init(struct http_asker *asker, const struct http_exchange *exchange) {
        const struct http1_head *head = http_head(exchange);
        const char *ref = http1_parameter(head, "session_id"), *task = http1_parameter(head, "task_id");
        struct http1_basic basic;

        if (!ref)
                ref = http1_bearer(head);
        *asker = (struct http_asker){.ref = ref ? mem_text(ref) : NULL,
                                     .task_ref = task ? mem_text(task) : NULL};
        if (!ref && http1_basic(head, &basic)) {
                asker->user = mem_text(basic.user);
                asker->password = mem_text(basic.password);
                explicit_bzero(&basic, sizeof basic);
        }
        snprintf(asker->peer, sizeof asker->peer, "%s", http_peer(exchange));
}

static void forget(char *secret) {
        if (secret)
                explicit_bzero(secret, strlen(secret));
        free(secret);
}

void http_asker_fini(struct http_asker *asker) {
        if (asker->task)
                task_unref(TAKE(asker->task));
        forget(TAKE(asker->ref));
        forget(TAKE(asker->password));
        free(TAKE(asker->user));
        free(TAKE(asker->task_ref));
}

static enum err let_in(struct http_asker *asker, struct host *host, struct err_note *note) {
        if (asker->ref)
                return auth_check(host->auth, asker->ref, &asker->who, note);
        if (asker->user)
                return auth_check_password(host->auth, asker->user, asker->password, &asker->who, note);
        return err_set(note, ERR_DENIED, "who asks is not said: session_id=, a token, or user and password");
}

enum err http_asker_check(struct http_asker *asker, struct host *host, enum role needs, unsigned *ret_status,
                          struct err_note *note) {
        if (let_in(asker, host, note)) {
                *ret_status = note->code == ERR_DENIED ? 401 : http_status_of(note->code);
                return note->code;
        }
        if (asker->who.role >= needs)
                return ERR_NONE;
        *ret_status = 403;
        return err_set(note, ERR_DENIED, "this needs the role %s; %s has %s", role_name(needs),
                       asker->who.user, role_name(asker->who.role));
}

enum err http_asker_begin_task(struct http_asker *asker, struct host *host, const char *label,
                               struct err_note *note) {
        const struct task_options options = {.label = label, .session = asker->who.session};
        struct uuid uuid;

        if (!asker->task_ref)
                return tasks_begin(host->tasks, &options, &asker->task, note);
        if (http_parse_object(asker->task_ref, "task_id", &uuid, note))
                return note->code;
        return tasks_join(host->tasks, &uuid, &asker->task, note);
}

enum err http_parse_object(const char *text, const char *what, struct uuid *ret, struct err_note *note) {
        if (!text || !*text)
                return err_set(note, ERR_INVALID, "%s= is missing", what);
        if (xapi_ref_parse(text, ret) || uuid_parse(text, ret))
                return ERR_NONE;
        return err_set(note, ERR_NOT_FOUND, "%s= is neither a reference nor a uuid", what);
}

/* ---- how it ends ----------------------------------------------------------------------------- */

unsigned http_status_of(enum err code) {
        switch (code) {
        case ERR_NONE:
                return 200;
        case ERR_NOT_FOUND:
                return 404;
        case ERR_DENIED:
                return 403;
        case ERR_EXISTS:
        case ERR_BUSY:
        case ERR_READ_ONLY:
        case ERR_MISMATCH:
        case ERR_CANCELLED:
                return 409;
        case ERR_INVALID:
        case ERR_CORRUPT:
        case ERR_CUT_SHORT:
        case ERR_UNSUPPORTED:
        case ERR_CLOSED:
                return 400;
        case ERR_TOO_LARGE:
                return 413;
        case ERR_NO_SPACE:
                return 507;
        case ERR_NO_MEMORY:
                return 503;
        case ERR_IO:
                return 500;
        }
        return 500;
}

json_t *http_task_error(const struct err_note *note, const struct uuid *vdi) {
        const struct xapi_ref ref = xapi_ref_of(vdi);

        switch (note->code) {
        case ERR_NOT_FOUND:
                return json_pack("[s, s, s]", "HANDLE_INVALID", "VDI", ref.s);
        case ERR_BUSY:
                return json_pack("[s, s, s]", "VDI_IN_USE", ref.s, note->text);
        case ERR_READ_ONLY:
                return json_pack("[s, s, s]", "VDI_READONLY", ref.s, note->text);
        case ERR_NO_SPACE:
                return json_pack("[s, s, s, s]", "SR_BACKEND_FAILURE_44", "", note->text, "");
        case ERR_TOO_LARGE:
                return json_pack("[s, s]", "VDI_TOO_LARGE", note->text);
        case ERR_CANCELLED:
                return json_pack("[s]", "TASK_CANCELLED");
        case ERR_CLOSED:
                return json_pack("[s, s]", "CLIENT_ERROR", note->text);
        case ERR_DENIED:
                return json_pack("[s, s]", "RBAC_PERMISSION_DENIED", note->text);
        case ERR_INVALID:
        case ERR_UNSUPPORTED:
                return json_pack("[s, s]", "INTERNAL_ERROR", note->text);
        case ERR_NONE:
        case ERR_IO:
        case ERR_CORRUPT:
        case ERR_CUT_SHORT:
        case ERR_EXISTS:
        case ERR_MISMATCH:
        case ERR_NO_MEMORY:
                break;
        }
        return json_pack("[s, s]", "VDI_IO_ERROR", note->text);
}

void http_leave(struct http_exchange *exchange) {
        static const struct http_exchange_ops nobody;

        http_exchange_serve(exchange, &nobody, NULL);
}

void http_refuse(struct http_exchange *exchange, unsigned status, const struct err_note *note) {
        AUTO(buf_fini) struct buf text = {0};
        struct http_answer answer = {.status = status, .type = "text/plain; charset=utf-8", .closes = true};
        struct err_note unused;

        http_leave(exchange);
        buf_print(&text, "%s\n", note->text);
        answer.length = text.n;
        if (status == 401)
                answer.headers = "WWW-Authenticate: Basic realm=\"catena\"\r\n";
        http_answer(exchange, &answer);
        if (!http_send(exchange, text.data, text.n, &unused))
                http_answer_end(exchange);
}

static json_t *vm_error(const struct err_note *note, const struct uuid *vm) {
        const struct xapi_ref ref = xapi_ref_of(vm);

        if (note->code == ERR_NOT_FOUND)
                return json_pack("[s, s, s]", "HANDLE_INVALID", "VM", ref.s);
        if (note->code == ERR_BUSY)
                return json_pack("[s, s, s, s]", "VM_BAD_POWER_STATE", ref.s, "halted", "running");
        return http_task_error(note, vm);
}

static json_t *sr_error(const struct err_note *note, const struct uuid *sr) {
        const struct xapi_ref ref = xapi_ref_of(sr);

        if (note->code == ERR_NOT_FOUND)
                return json_pack("[s, s, s]", "HANDLE_INVALID", "SR", ref.s);
        if (note->code == ERR_CORRUPT || note->code == ERR_CUT_SHORT || note->code == ERR_UNSUPPORTED)
                return json_pack("[s, s]", "IMPORT_ERROR", note->text);
        if (note->code == ERR_EXISTS)
                return json_pack("[s, s]", "VM_TO_IMPORT_IS_NOT_NEWER_VERSION", note->text);
        if (note->code == ERR_BUSY)
                return json_pack("[s, s]", "OPERATION_NOT_ALLOWED", note->text);
        return http_task_error(note, sr);
}

/* takes error. */
static void fail_task(struct http_asker *asker, const struct err_note *note, json_t *error) {
        if (asker->task && note->code == ERR_CANCELLED && task_is_cancelled(asker->task)) {
                task_end_cancelled(asker->task);
                json_decref(error);
        } else if (asker->task) {
                task_fail(asker->task, error);
        } else {
                json_decref(error);
        }
}

void http_asker_fail_task(struct http_asker *asker, const struct err_note *note, const struct uuid *vdi) {
        fail_task(asker, note, http_task_error(note, vdi));
}

void http_asker_fail_vm_task(struct http_asker *asker, const struct err_note *note, const struct uuid *vm) {
        fail_task(asker, note, vm_error(note, vm));
}

void http_asker_fail_sr_task(struct http_asker *asker, const struct err_note *note, const struct uuid *sr) {
        fail_task(asker, note, sr_error(note, sr));
}
