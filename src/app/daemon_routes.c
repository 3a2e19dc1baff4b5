// SPDX-License-Identifier: Apache-2.0
#include "daemon_routes.h"

#include "http_db_dump.h"
#include "http_export.h"
#include "http_import.h"
#include "http_xva_export.h"
#include "http_xva_import.h"

/* Of streams that wait for a disk or an SR at once; the rest waits for them. */
enum { THREADS_MAX = 32 };

static void on_health(void *user, struct http_exchange *exchange) {
        (void)user;
        http_answer_text(exchange, 200, "text/plain", "ok\n");
}

static void add(struct daemon_routes *routes, const struct http_route *some, size_t n) {
        for (size_t i = 0; i < n; i++)
                *vec_add(&routes->all) = some[i];
}

static void add_streams(struct daemon_routes *routes) {
        const struct http_route streams[] = {
                {"/export_raw_vdi", HTTP_GET, http_export_begin, routes->house},
                {"/import_raw_vdi", HTTP_PUT, http_import_begin, routes->house},
                {"/vdi", HTTP_GET | HTTP_HEAD, http_vdi_begin, routes->house},
                {"/export", HTTP_GET, http_xva_export_begin, routes->house},
                {"/import", HTTP_PUT, http_xva_import_begin, routes->house},
                {"/pool/xmldbdump", HTTP_GET | HTTP_PUT, http_db_dump_begin, routes->house},
        };

        add(routes, streams, sizeof streams / sizeof *streams);
}

enum err daemon_routes_open(struct daemon_routes *ret, struct host *host, struct err_note *note) {
        const struct http_route health = {"/healthz", HTTP_GET | HTTP_HEAD, on_health, NULL};

        const struct http_route *of_xapi;
        size_t n;

        ret->pool = pool_new(THREADS_MAX);
        ret->house = http_house_new(host, ret->pool);
        add(ret, &health, 1);
        add_streams(ret);
        if (xapi_new(host, &ret->xapi, note))
                return note->code;
        of_xapi = xapi_routes(ret->xapi, &n);
        add(ret, of_xapi, n);
        return ERR_NONE;
}

void daemon_routes_drain(struct daemon_routes *routes) {
        if (routes->xapi)
                xapi_drain(routes->xapi);
}

void daemon_routes_close(struct daemon_routes *routes) {
        if (routes->xapi)
                xapi_free(TAKE(routes->xapi));
        if (routes->house)
                http_house_free(TAKE(routes->house));
        if (routes->pool)
                pool_free(TAKE(routes->pool));
        vec_fini(&routes->all);
}
