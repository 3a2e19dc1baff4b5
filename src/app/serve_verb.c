// SPDX-License-Identifier: Apache-2.0
#include "serve_verb.h"

#include <string.h>

#include "house.h"
#include "listen.h"
#include "listen_params.h"
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
        LISTEN_PARAMS,
        {0},
};

static const struct field serve_fields[] = {
        {"kind", FIELD_TEXT, "unix or tcp", false},
        {"address", FIELD_TEXT, "the socket's path, or host and port", false},
        {"uri", FIELD_TEXT, "what NBD clients call it, with NAME for the export's name", false},
        {0},
};

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

static void tell(void *user, const struct served *served) {
        house_tell(user, served);
}

static enum err run_serve(struct verb_call *call, struct err_note *note) {
        AUTO(served_srs_fini) struct served_srs srs = {0};
        struct listen listen = {.io = call->io, .tell = tell, .user = &srs.house};

        if (listen_check(call, note) || open_srs(&srs.house, call, note) || find_read_only(&srs, call, note))
                return note->code;
        listen.shelves = srs.house.shelves;
        listen.served = (struct served){.knows_names = srs.house.calls.n == 1,
                                        .is_read_only = listen.shelves.are_read_only,
                                        .read_only = listen.shelves.read_only,
                                        .n_read_only = listen.shelves.n_read_only};
        return listen_and_serve(&listen, call, note);
}

/* ---- disks in no SR, of a verb that opened them ------------------------------------------------- */

enum err serve_loose(struct verb_call *call, const struct loose_disks *disks, struct err_note *note) {
        const struct nbd_shelf shelf = {.disks = disks->each, .n_disks = disks->n};
        const struct listen listen = {
                .io = disks->io, .shelves = {.each = &shelf, .n = 1}, .served = {.knows_names = true}};

        if (listen_check(call, note))
                return note->code;
        return listen_and_serve(&listen, call, note);
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
