// SPDX-License-Identifier: Apache-2.0
#include "http_db_dump.h"

#include <inttypes.h>
#include <strings.h>

#include "db_dump.h"
#include "errand.h"
#include "http_inflow.h"
#include "mem.h"

#define TYPE "text/xml; charset=utf-8"

struct dump {
        struct http_house *house;       /* borrowed, outlives us */
        struct http_exchange *exchange; /* borrowed; NULL: gone, or the inflow's */
        struct http_asker asker;
        bool is_dry;

        struct errand errand;
        unsigned status; /* of the answer, where it failed */
        struct err_note failure;
        struct buf xml; /* owned */
};

static void dump_free(struct dump *dump) {
        http_asker_fini(&dump->asker);
        buf_fini(&dump->xml);
        free(dump);
}

static enum err let_in(struct dump *dump, unsigned *ret_status, const char *label, struct err_note *note) {
        struct host *host = http_house_host(dump->house);

        if (http_asker_check(&dump->asker, host, ROLE_ADMIN, ret_status, note))
                return note->code;
        return http_asker_begin_task(&dump->asker, host, label, note);
}

static void end_task(struct dump *dump, const struct err_note *why) {
        static const struct uuid none;

        if (why->code)
                http_asker_fail_task(&dump->asker, why, &none);
        else
                task_succeed(dump->asker.task, "");
}

/* ---- out ------------------------------------------------------------------------------------- */

static void make(struct dump *dump) {
        struct host *host = http_house_host(dump->house);
        AUTO(json_decref) json_t *tables = json_object(), *manifest = NULL;

        for (unsigned class = 0; class < XAPI_N_CLASSES; class ++)
                if (class != XAPI_SESSION && class != XAPI_TASK)
                        json_object_set_new(tables, xapi_classes[class].name,
                                            objects_all(host->objects, class));
        manifest = json_pack("{s:s, s:s}", "installation_uuid", uuid_format(&host->pool).s,
                             "control_domain_uuid", uuid_format(&host->uuid).s);
        db_dump_encode(manifest, tables, &dump->xml);
}

static void run_making(void *user) {
        struct dump *dump = user;
        struct err_note note;

        if (let_in(dump, &dump->status, "Dumping the database", &note))
                dump->failure = note;
        else
                make(dump);
}

static void on_made(void *user) {
        struct dump *dump = user;
        struct http_house *house = dump->house;
        struct http_exchange *exchange = dump->exchange;

        if (exchange && dump->failure.code) {
                http_refuse(exchange, dump->status ? dump->status : http_status_of(dump->failure.code),
                            &dump->failure);
        } else if (exchange) {
                http_leave(exchange);
                http_answer_bytes(exchange, 200, TYPE, "Cache-Control: no-cache, no-store\r\n",
                                  (struct span){dump->xml.data, dump->xml.n});
        } else {
                (void)err_set(&dump->failure, ERR_CLOSED, "the client went away");
        }
        if (dump->asker.task)
                end_task(dump, &dump->failure);
        dump_free(dump);
        http_house_end(house);
}

static void on_gone(void *user, const struct err_note *why) {
        struct dump *dump = user;

        (void)why;
        dump->exchange = NULL;
}

static const struct http_exchange_ops exchange_ops = {.gone = on_gone};

static void begin_out(struct dump *dump, struct http_exchange *exchange) {
        http_house_begin(dump->house);
        dump->exchange = exchange;
        http_exchange_serve(exchange, &exchange_ops, dump);
        dump->errand = (struct errand){.run = run_making, .ended = on_made, .user = dump};
        errand_begin(&dump->errand, http_house_pool(dump->house), http_loop(exchange));
}

/* ---- in -------------------------------------------------------------------------------------- */

static enum err flow_open(void *user, unsigned *ret_status, struct err_note *note) {
        struct dump *dump = user;

        if (let_in(dump, ret_status, "Checking a dump of the database", note))
                return note->code;
        if (!dump->is_dry)
                return err_set(
                        note, ERR_UNSUPPORTED,
                        "a dump is not put back here: what disks are is in their SRs, and VMs are imported; "
                        "with dry_run=true it is checked");
        return ERR_NONE;
}

static enum err flow_push(void *user, const void *data, size_t n, struct err_note *note) {
        struct dump *dump = user;

        if (dump->xml.n + n > HTTP_DB_DUMP_MAX)
                return err_set(note, ERR_TOO_LARGE, "more than %d bytes", HTTP_DB_DUMP_MAX);
        buf_add(&dump->xml, data, n);
        return ERR_NONE;
}

/* Where it ends is known by the body's end alone. */
static bool flow_is_whole(const void *user) {
        (void)user;
        return false;
}

static uint64_t flow_taken(const void *user) {
        const struct dump *dump = user;

        return dump->xml.n;
}

static enum err flow_commit(void *user, struct err_note *note) {
        struct dump *dump = user;
        struct db_dump_count unused;

        return db_dump_check((struct span){dump->xml.data, dump->xml.n}, &unused, note);
}

static void flow_discard(void *user) {
        struct dump *dump = user;

        buf_fini(&dump->xml);
        dump->xml = (struct buf){0};
}

static void flow_ended(void *user, const struct err_note *why) {
        struct dump *dump = user;

        if (dump->asker.task)
                end_task(dump, why);
        dump_free(dump);
}

static const struct http_inflow_ops flow_ops = {.open = flow_open,
                                                .push = flow_push,
                                                .is_whole = flow_is_whole,
                                                .taken = flow_taken,
                                                .commit = flow_commit,
                                                .discard = flow_discard,
                                                .ended = flow_ended};

void http_db_dump_begin(void *user, struct http_exchange *exchange) {
        const struct http1_head *head = http_head(exchange);
        const char *dry = http1_parameter(head, "dry_run");
        struct dump *dump = mem_new(struct dump);
        const struct http_inflow_options options = {.house = user,
                                                    .exchange = exchange,
                                                    .asker = &dump->asker,
                                                    .total = head->has_length ? head->length : UINT64_MAX,
                                                    .what = "check a dump",
                                                    .ops = &flow_ops,
                                                    .user = dump};

        dump->house = user;
        dump->is_dry = dry && strcasecmp(dry, "true") == 0;
        http_asker_init(&dump->asker, exchange);
        if (head->method == HTTP_PUT)
                http_inflow_begin(&options);
        else
                begin_out(dump, exchange);
}
