// SPDX-License-Identifier: Apache-2.0
#include "serve_verb.h"

#include <stdio.h>
#include <string.h>

#include "house.h"
#include "nbd_server.h"
#include "print.h"
#include "served.h"
#include "sr_call.h"

static const struct param serve_params[] = {
        {.name = "sr",
         .kind = PARAM_PATH,
         .flags = PARAM_REQUIRED | PARAM_REPEATED,
         .shown = "SR",
         .help = "An SR: its directory, name or uuid; may be given several times."},
        {.name = "read-only",
         .kind = PARAM_FLAG,
         .help = "Lets nobody write to any disk by way of this server."},
        {.name = "read-only-vdi",
         .kind = PARAM_TEXT,
         .flags = PARAM_REPEATED,
         .shown = "VDI",
         .help = "Lets nobody write to this disk: its uuid or name; may be given several times."},
        {.name = "unix",
         .kind = PARAM_PATH,
         .shown = "SOCKET",
         .help = "Listens on this unix socket, which is made with mode 0600: chmod lets others in."},
        {.name = "tcp",
         .kind = PARAM_TEXT,
         .shown = "ADDRESS",
         .help = "Listens on HOST:PORT, [V6]:PORT or :PORT (all addresses); port 0 is any that is free. "
                 "Whoever "
                 "reaches it may read and write all disks, unless TLS with --tls-verify-peer or --tls-psk is "
                 "required."},
        {.name = "tls-x509",
         .kind = PARAM_PATH,
         .shown = "DIR",
         .help = "Offers TLS with the ca-cert.pem, server-cert.pem and server-key.pem in DIR."},
        {.name = "tls-psk",
         .kind = PARAM_PATH,
         .shown = "FILE",
         .help = "Offers TLS with the keys in FILE, as psktool writes them."},
        {.name = "tls-required", .kind = PARAM_FLAG, .help = "Lets nobody in without TLS."},
        {.name = "tls-verify-peer",
         .kind = PARAM_FLAG,
         .help = "Lets nobody in by TLS without a certificate of the CA."},
        {.name = "connections",
         .kind = PARAM_NUMBER,
         .shown = "N",
         .fallback = "1024",
         .help = "Serves so many connections at once; others wait until one of them ends."},
        {0},
};

static const struct field serve_fields[] = {
        {"kind", FIELD_TEXT, "unix or tcp", false},
        {"address", FIELD_TEXT, "the socket's path, or host and port", false},
        {"uri", FIELD_TEXT, "what NBD clients call it, with NAME for the export's name", false},
        {0},
};

static enum err check_options(struct verb_call *call, struct err_note *note) {
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
        AUTO(buf_fini) struct buf line = {0};

        (void)user;
        print_safely(&line, text);
        fprintf(stderr, "catena serve: %s\n", buf_text(&line));
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

/* ---- the SRs --------------------------------------------------------------------------------- */

struct served_srs {
        struct house house;
        VEC(struct uuid) read_only;
};

static void served_srs_fini(struct served_srs *srs) {
        house_fini(&srs->house);
        vec_fini(&srs->read_only);
}
DEFINE_AUTO_IN_PLACE(struct served_srs, served_srs_fini);

static enum err open_srs(struct house *house, struct verb_call *call, struct err_note *note) {
        const struct serve_program *program = call->user;
        json_t *each;
        size_t i;

        json_array_foreach(call_list(call, "sr"), i, each) {
                const char *text = json_string_value(each);
                enum err failed = house_add(house, program->doors, call, text, note);

                if (failed == ERR_EXISTS)
                        return call_usage(call, note, "--sr %s: that SR is named twice", text);
                if (failed)
                        return failed;
        }
        return ERR_NONE;
}

/* Whoever is renamed later stays what was meant. */
static enum err find_read_only(struct served_srs *srs, struct verb_call *call, struct err_note *note) {
        struct nbd_shelves *shelves = &srs->house.shelves;
        struct nbd_found found;
        json_t *each;
        size_t i;

        json_array_foreach(call_list(call, "read-only-vdi"), i, each) {
                if (nbd_shelves_find(shelves, json_string_value(each), false, &found, note))
                        return err_wrap(note, "--read-only-vdi");
                *vec_add(&srs->read_only) = found.vdi;
        }
        shelves->are_read_only = call_flag(call, "read-only");
        shelves->read_only = srs->read_only.data;
        shelves->n_read_only = srs->read_only.n;
        return ERR_NONE;
}

/* ---- serving --------------------------------------------------------------------------------- */

static enum err run_server(struct house *house, struct verb_call *call, struct nbd_server *server,
                           struct err_note *note) {
        const struct serve_program *program = call->user;
        AUTO_FREE char *path = NULL;
        enum err failed;
        struct served served = {.host = call->self->host,
                                .tls = call_has(call, "tls-x509")  ? SERVED_X509
                                       : call_has(call, "tls-psk") ? SERVED_PSK
                                                                   : SERVED_PLAIN,
                                .requires_tls = call_flag(call, "tls-required"),
                                .knows_names = house->calls.n == 1,
                                .is_read_only = house->shelves.are_read_only,
                                .read_only = house->shelves.read_only,
                                .n_read_only = house->shelves.n_read_only};

        if (call_has(call, "unix") && io_canonical(call->io, call_text(call, "unix"), &path, note))
                return note->code;
        served.unix_path = path;
        served.tcp = nbd_server_tcp(server, &served.n_tcp);
        house_tell(house, &served);
        failed = say_ready(call, &served, note);
        if (!failed)
                nbd_server_run(server, program->stop);
        house_tell(house, NULL);
        return failed;
}

static enum err run_serve(struct verb_call *call, struct err_note *note) {
        struct tls_options tls = {.x509_folder = call_text(call, "tls-x509"),
                                  .psk_file = call_text(call, "tls-psk"),
                                  .verifies_peer = call_flag(call, "tls-verify-peer")};
        const char *tcp = call_text(call, "tcp");
        struct nbd_server_options options = {.io = call->io,
                                             .unix_path = call_text(call, "unix"),
                                             .tcp = &tcp,
                                             .n_tcp = tcp != NULL,
                                             .tls = tls.x509_folder || tls.psk_file ? &tls : NULL,
                                             .requires_tls = call_flag(call, "tls-required"),
                                             .n_guests_max = (unsigned)call_number(call, "connections"),
                                             .log = log_line};
        AUTO(served_srs_fini) struct served_srs srs = {0};
        AUTO(nbd_server_close) struct nbd_server *server = NULL;

        if (check_options(call, note) || open_srs(&srs.house, call, note) || find_read_only(&srs, call, note))
                return note->code;
        options.shelves = srs.house.shelves;
        if (nbd_server_open(&options, &server, note))
                return note->code;
        return run_server(&srs.house, call, server, note);
}

static const struct verb serve_verb = {
        .name = "serve",
        .summary = "Serves the VDIs of SRs to guests, by NBD, until it is told to stop",
        .details =
                "An export's name is a VDI's uuid, or its name where no other VDI has that; the empty name "
                "is "
                "the only VDI where there is just one. With several --sr that is over all of them. "
                "Snapshots, "
                "and VDIs that others read through, are read-only.\n"
                "The SRs are owned meanwhile, and other commands are sent here: vdi snapshot, vdi clone and "
                "gc "
                "run work below connected guests; vdi resize too, and who connects afterwards sees the new "
                "size; vdi move, where both SRs are served; vdi delete and vdi revert want the VDI without "
                "any.\n"
                "A line on standard output for each place that is listened on says that it is ready. SIGTERM "
                "and SIGINT drain: requests that came are answered, every disk is flushed and closed, and "
                "the "
                "exit code is 0. What a flush has acknowledged survives a kill.",
        .params = serve_params,
        .shape = SHAPE_TABLE,
        .rows = "listeners",
        .fields = serve_fields,
        .run = run_serve,
};

static const struct verb *const serve_verbs[] = {&serve_verb, NULL};

const struct noun serve_noun = {
        .name = "serve",
        .summary = "Serves the VDIs of SRs to guests, by NBD",
        .details = "",
        .verbs = serve_verbs,
};
