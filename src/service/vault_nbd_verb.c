// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "listen_params.h"
#include "loose_disk.h"
#include "reading_thread.h"
#include "text.h"
#include "vault_call.h"
#include "vault_overlay.h"
#include "vault_verbs.h"

static const struct param nbd_params[] = {
        VAULT_PARAM,
        KEY_PARAMS,
        POINT_PARAM(POINT_HELP),
        DISK_PARAM("Serves this disk alone; without it, each of the point's by its name."),
        {.name = "overlay",
         .kind = PARAM_PATH,
         .shown = "FILE.vhd",
         .help = "Lets clients write: what they write goes to this VHD, which is made where it is not there "
                 "and goes on where it is. The point does not change."},
        {.name = "throw-away", .kind = PARAM_FLAG, .help = "Removes the overlay at the end."},
        LISTEN_PARAMS,
        {0},
};

struct serving {
        struct vault_overlay overlay;
        VEC(struct loose_disk) disks; /* owned, and the chain of each */
};

/* What fails is told: what a client was told to be flushed is there. */
static enum err close_all(struct serving *serving, struct err_note *note) {
        enum err failed = ERR_NONE;
        struct err_note why;

        VEC_EACH (&serving->disks, each)
                if (chain_close(each->chain, &why) && !failed) {
                        failed = why.code;
                        *note = why;
                }
        vec_fini(&serving->disks);
        vault_overlay_fini(&serving->overlay);
        return failed;
}

static enum err add_disk(struct verb_call *call, struct serving *serving, const struct vault_disk *disk,
                         struct err_note *note) {
        const char *over = call_text(call, "overlay");
        struct loose_disk loose = {
                .uuid = point_image_uuid(disk), .name = disk->name, .description = "", .is_read_only = !over};

        if (over ? vault_overlay_chain(&serving->overlay, over, disk, &loose.chain, note)
                 : chain_open(&serving->overlay.images, point_image_name(disk).s, CHAIN_READ, &loose.chain,
                              note))
                return note->code;
        *vec_add(&serving->disks) = loose;
        return ERR_NONE;
}

static enum err add_disks(struct verb_call *call, struct serving *serving,
                          const struct vault_manifest *manifest, struct err_note *note) {
        const struct vault_disk *disk;

        if (call_has(call, "disk") || call_has(call, "overlay")) {
                if (vault_call_disk(call, manifest, &disk, note))
                        return note->code;
                return add_disk(call, serving, disk, note);
        }
        VEC_EACH (&manifest->disks, each)
                if (add_disk(call, serving, each, note))
                        return note->code;
        return ERR_NONE;
}

static void say_broken(void *user) {
        struct verb_call *call = user;

        progress_say(call->progress, VAULT_READING_BROKEN);
}

/* For as long as it is served. */
static enum err serve_disks(struct verb_call *call, struct reading *reading, const struct loose_disks *disks,
                            struct err_note *note) {
        const struct reading_thread_options options = {.broken = say_broken, .user = call};
        AUTO(reading_thread_free) struct reading_thread *thread = NULL;

        if (reading_thread_new(reading, &options, &thread, note))
                return note->code;
        return call->serve(call, disks, note);
}

static enum err serve_point(struct verb_call *call, struct vault *vault, const struct point *point,
                            struct reading *reading, struct err_note *note) {
        struct serving serving = {0};
        enum err failed;
        struct err_note why;

        if (vault_overlay_open(vault, call->io, &point->manifest, &serving.overlay, note))
                return note->code;
        failed = add_disks(call, &serving, &point->manifest, note);
        if (!failed) {
                const struct loose_disks disks = {
                        .each = serving.disks.data, .n = serving.disks.n, .io = serving.overlay.io};

                failed = serve_disks(call, reading, &disks, note);
        }
        if (close_all(&serving, &why) && !failed) {
                failed = why.code;
                *note = why;
        }
        if (!failed && call_flag(call, "throw-away"))
                failed = io_unlink(call->io, call_text(call, "overlay"), note);
        return failed;
}

static enum err check_usage(struct verb_call *call, struct err_note *note) {
        const char *over = call_text(call, "overlay");

        if (!call->serve)
                return err_set(note, ERR_UNSUPPORTED, "only the command 'catena' serves points");
        if (call_flag(call, "throw-away") && !over)
                return call_usage(call, note, "--throw-away is for --overlay");
        if (over && !text_ends_with(over, ".vhd"))
                return call_usage(call, note, "--overlay: the name of a VHD ends in .vhd");
        return ERR_NONE;
}

static enum err run_nbd(struct verb_call *call, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(point_fini) struct point point = {0};
        AUTO(reading_end) struct reading reading = {0};

        if (check_usage(call, note))
                return note->code;
        if (vault_call_open(call, &vault, note) ||
            points_find(vault, call_text(call, "point"), NULL, &point, note) ||
            reading_begin(vault, &point.name, 1, &reading, note) ||
            serve_point(call, vault, &point, &reading, note))
                return err_wrap(note, "serve point %s", call_text(call, "point"));
        return ERR_NONE;
}

const struct verb vault_nbd_verb = {
        .name = "nbd",
        .summary = "Serves the disks of a point by NBD, until it is told to stop.",
        .details =
                "Nothing is restored first: what a client reads is fetched, and checked, when he reads it. "
                "An "
                "export's name is that of a disk; the empty name is the only one, where there is just one. "
                "Without --overlay nobody can write.\n"
                "An overlay holds what was written, over that disk's content and no other: it goes on where "
                "it "
                "is given again, and 'vault put FILE.vhd --parent POINT' makes a point of the two, for which "
                "only what the overlay holds is read.\n"
                "A line on standard output for each place that is listened on says that it is ready. SIGTERM "
                "and SIGINT drain, as 'catena serve' does. What is damaged in the vault is an error of the "
                "read that wants it, and of no other.",
        .params = nbd_params,
        .shape = SHAPE_NOTHING,
        .fields = NULL,
        .run = run_nbd,
        .is_local = true,
};
