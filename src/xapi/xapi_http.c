// SPDX-License-Identifier: Apache-2.0
#include "xapi_http.h"

#include "xapi_inside.h"
#include "xapi_reply.h"
#include "xmlrpc.h"

#define ANY_ORIGIN "Access-Control-Allow-Origin: *\r\n"
#define FOR_SCRIPTS                                                                                          \
        ANY_ORIGIN "Access-Control-Allow-Headers: content-type\r\nAccess-Control-Allow-Methods: POST\r\n"

/* One exchange, and the call within.  The loop's, but while it is with a worker. */
struct job {
        struct xapi *xapi;              /* borrowed */
        struct loop *loop;              /* borrowed */
        struct http_exchange *exchange; /* borrowed; NULL: gone */
        bool is_xml;
        struct buf body, answer;
        unsigned status;
        struct xapi_request request;
        struct xapi_call call;
        bool is_decoded, is_with_worker;
        struct xapi_waiter waiter;
};

static void job_free(struct job *job) {
        xapi_waiters_remove(job->xapi->waiters, &job->waiter);
        xapi_call_fini(&job->call);
        xapi_request_fini(&job->request);
        buf_fini(&job->body);
        buf_fini(&job->answer);
        xapi_leave(job->xapi);
        free(job);
}

static const char *type_of(const struct job *job) {
        return job->is_xml ? "text/xml" : "application/json";
}

/* ---- with a worker --------------------------------------------------------------------------- */

static void on_done(void *user);

static void back_to_loop(struct job *job) {
        loop_post(job->loop, on_done, job);
}

static void refuse(struct job *job, const struct err_note *note) {
        AUTO(json_decref) json_t *reply = NULL;
        AUTO_FREE char *text = NULL;

        if (job->is_xml) {
                xmlrpc_add_fault(&job->answer, 1, note->text);
                return;
        }
        job->status = 400;
        reply = json_pack("{s:s, s:{s:i, s:o}, s:n}", "jsonrpc", "2.0", "error", "code", -32600, "message",
                          json_of_text(note->text), "id");
        text = json_dumps(reply, JSON_COMPACT);
        buf_print(&job->answer, "%s", text);
}

static bool decode(struct job *job) {
        struct err_note note = {0};

        if (job->is_decoded)
                return true;
        if (xapi_request_decode(job->is_xml, &job->body, &job->request, &note)) {
                refuse(job, &note);
                return false;
        }
        job->is_decoded = true;
        buf_fini(&job->body);
        job->call.name = job->request.name;
        job->call.given = job->request.params;
        return true;
}

static void finish(struct job *job) {
        xapi_call_run(&job->call);
        if (!job->call.is_waiting)
                xapi_reply_add(&job->request, &job->call, &job->answer);
        back_to_loop(job);
}

static void run(void *user) {
        finish(user);
}

/* What may wait for an SR goes on elsewhere, so that who only looks is never behind it. */
static void begin(void *user) {
        struct job *job = user;
        struct pool *workers;

        if (!decode(job)) {
                back_to_loop(job);
                return;
        }
        workers = xapi_call_prepare(&job->call) ? xapi_call_workers(&job->call) : NULL;
        if (!workers) {
                finish(job);
                return;
        }
        if (pool_call(workers, run, job))
                return;
        job->call.error = json_pack("[s]", "TOO_MANY_PENDING_TASKS");
        xapi_reply_add(&job->request, &job->call, &job->answer);
        back_to_loop(job);
}

/* ---- in the loop ----------------------------------------------------------------------------- */

static void hand_over(struct job *job) {
        job->is_with_worker = true;
        if (pool_call(job->xapi->quick, begin, job))
                return;
        job->is_with_worker = false;
        if (job->exchange)
                http_answer_text(job->exchange, 503, "text/plain", "too many calls at once\n");
        else
                job_free(job);
}

static void on_wake(struct xapi_waiter *waiter) {
        struct job *job = (struct job *)((char *)waiter - offsetof(struct job, waiter));

        hand_over(job);
}

static void park(struct job *job) {
        job->waiter.loop = job->loop;
        job->waiter.wake = on_wake;
        job->waiter.generation = job->call.wait_generation;
        job->waiter.until_ns = job->call.wait_until_ns;
        xapi_waiters_add(job->xapi->waiters, &job->waiter);
}

static void on_done(void *user) {
        struct job *job = user;

        job->is_with_worker = false;
        if (!job->exchange)
                job_free(job);
        else if (job->call.is_waiting)
                park(job);
        else
                http_answer_bytes(job->exchange, job->status, type_of(job), ANY_ORIGIN,
                                  (struct span){job->answer.data, job->answer.n});
}

/* ---- the exchange ---------------------------------------------------------------------------- */

static void too_large(struct job *job) {
        http_answer_text(job->exchange, 413, "text/plain", "a call is at most 300 KiB\n");
}

static void on_got(void *user) {
        struct job *job = user;
        const uint8_t *data;
        size_t n;

        if (http_is_answered(job->exchange))
                return;
        while ((data = http_body_peek(job->exchange, &n)) && n) {
                if (job->body.n + n > XAPI_BODY_MAX) {
                        too_large(job);
                        return;
                }
                buf_add(&job->body, data, n);
                http_body_skip(job->exchange, n);
        }
        if (http_body_is_whole(job->exchange) && !job->is_with_worker)
                hand_over(job);
}

static void on_gone(void *user, const struct err_note *why) {
        struct job *job = user;

        (void)why;
        job->exchange = NULL;
        if (!job->is_with_worker)
                job_free(job);
}

static const struct http_exchange_ops ops = {.got = on_got, .gone = on_gone};

static void serve(struct xapi *xapi, struct http_exchange *exchange, bool is_xml) {
        struct job *job = mem_new(struct job);
        uint64_t n = http_body_length(exchange);

        xapi_enter(xapi);
        job->xapi = xapi;
        job->exchange = exchange;
        job->loop = http_loop(exchange);
        job->is_xml = is_xml;
        job->status = 200;
        job->call = (struct xapi_call){.xapi = xapi, .peer = http_peer(exchange)};
        http_exchange_serve(exchange, &ops, job);
        if (http_head(exchange)->method == HTTP_OPTIONS)
                http_answer_bytes(exchange, 200, NULL, FOR_SCRIPTS, (struct span){NULL, 0});
        else if (n != HTTP_CHUNKED && n > XAPI_BODY_MAX)
                too_large(job);
        else
                http_body_accept(exchange);
}

void xapi_http_json(void *user, struct http_exchange *exchange) {
        serve(user, exchange, false);
}

void xapi_http_any(void *user, struct http_exchange *exchange) {
        if (http_head(exchange)->method & (HTTP_GET | HTTP_HEAD))
                http_answer_text(exchange, 404, "text/plain", "there is nothing here\n");
        else
                serve(user, exchange, true);
}
