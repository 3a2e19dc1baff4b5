// SPDX-License-Identifier: Apache-2.0
#include "listen.h"

#include <stdio.h>

#include "mem.h"
#include "nbd_server.h"
#include "print.h"
#include "serve_verb.h"

enum err listen_check(struct verb_call *call, struct err_note *note) {
        bool has_x509 = call_has(call, "tls-x509"), has_psk = call_has(call, "tls-psk");

        if (!call_has(call, "unix") && !call_has(call, "tcp"))
                return call_usage(call, note, "where to listen is not said: --unix SOCKET, --tcp HOST:PORT");
        if (has_x509 && has_psk)
                return call_usage(call, note, "--tls-x509 and --tls-psk: one of them");
        if (call_flag(call, "tls-required") && !has_x509 && !has_psk)
                return call_usage(call, note, "--tls-required needs --tls-x509 or --tls-psk");
        if (call_flag(call, "tls-verify-peer") && !has_x509)
                return call_usage(call, note, "--tls-verify-peer needs --tls-x509");
        if (call_number(call, "connections") == 0 || call_number(call, "connections") > NBD_GUESTS_MAX)
                return call_usage(call, note, "--connections is 1 to %d", NBD_GUESTS_MAX);
        return ERR_NONE;
}

/* ---- what is told ---------------------------------------------------------------------------- */

static void log_line(void *user, const char *text) {
        const struct verb_call *call = user;
        AUTO(buf_fini) struct buf line = {0};

        print_safely(&line, text);
        fprintf(stderr, "%s: %s\n", call->self->command, buf_text(&line));
}

static void add_listener(json_t *listeners, struct buf *lines, const struct served *served, const char *kind,
                         const char *tcp, const char *address) {
        AUTO(buf_fini) struct buf uri = {0};

        served_put_uri(&uri, served, tcp, served->requires_tls, "NAME");
        json_array_append_new(listeners,
                              json_pack("{s:s, s:o, s:o}", "kind", kind, "address", json_of_text(address),
                                        "uri", json_of_text(buf_text(&uri))));
        buf_print(lines, "listening on %s:", kind);
        print_safely(lines, address);
        buf_print(lines, "\n");
}

/* Who waits for these lines may connect from then on. */
static enum err say_ready(struct verb_call *call, const struct served *served, struct err_note *note) {
        const struct serve_program *program = call->user;
        AUTO(json_decref) json_t *ready = json_pack("{s:[]}", "listeners");
        AUTO(buf_fini) struct buf lines = {0}, json = {0};
        json_t *listeners = json_object_get(ready, "listeners");
        struct buf *text = program->is_json ? &json : &lines;

        if (call_has(call, "unix"))
                add_listener(listeners, &lines, served, "unix", NULL, call_text(call, "unix"));
        for (size_t i = 0; i < served->n_tcp; i++)
                add_listener(listeners, &lines, served, "tcp", served->tcp[i], served->tcp[i]);
        print_json_line(&json, ready);
        return io_stream_write(call->output, buf_text(text), text->n, note);
}

/* ---- serving --------------------------------------------------------------------------------- */

static void fill_served(struct verb_call *call, const struct nbd_server *server, struct served *ret) {
        ret->host = call->self->host;
        ret->tls = call_has(call, "tls-x509")  ? SERVED_X509
                   : call_has(call, "tls-psk") ? SERVED_PSK
                                               : SERVED_PLAIN;
        ret->requires_tls = call_flag(call, "tls-required");
        ret->tcp = nbd_server_tcp(server, &ret->n_tcp);
}

static enum err run(const struct listen *listen, struct verb_call *call, struct nbd_server *server,
                    struct err_note *note) {
        const struct serve_program *program = call->user;
        struct served served = listen->served;
        AUTO_FREE char *path = NULL;
        enum err failed;

        fill_served(call, server, &served);
        if (call_has(call, "unix") && io_canonical(call->io, call_text(call, "unix"), &path, note))
                return note->code;
        served.unix_path = path;
        if (listen->tell)
                listen->tell(listen->user, &served);
        failed = say_ready(call, &served, note);
        if (!failed)
                nbd_server_run(server, program->stop);
        if (listen->tell)
                listen->tell(listen->user, NULL);
        return failed;
}

enum err listen_and_serve(const struct listen *listen, struct verb_call *call, struct err_note *note) {
        struct tls_options tls = {.x509_folder = call_text(call, "tls-x509"),
                                  .psk_file = call_text(call, "tls-psk"),
                                  .verifies_peer = call_flag(call, "tls-verify-peer")};
        const char *tcp = call_text(call, "tcp");
        struct nbd_server_options options = {.io = listen->io,
                                             .shelves = listen->shelves,
                                             .unix_path = call_text(call, "unix"),
                                             .tcp = &tcp,
                                             .n_tcp = tcp != NULL,
                                             .tls = tls.x509_folder || tls.psk_file ? &tls : NULL,
                                             .requires_tls = call_flag(call, "tls-required"),
                                             .n_guests_max = (unsigned)call_number(call, "connections"),
                                             .log = log_line,
                                             .user = call};
        AUTO(nbd_server_close) struct nbd_server *server = NULL;

        if (nbd_server_open(&options, &server, note))
                return note->code;
        return run(listen, call, server, note);
}
