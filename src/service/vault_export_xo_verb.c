// SPDX-License-Identifier: Apache-2.0
#include "mem.h"
#include "reading.h"
#include "text.h"
#include "vault_call.h"
#include "vault_verbs.h"
#include "xo_export.h"

static const struct param export_params[] = {
        VAULT_PARAM,
        KEY_PARAMS,
        {.name = "full", .kind = PARAM_FLAG, .help = "Each point by itself: no deltas."},
        {.name = "points",
         .kind = PARAM_TEXT,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED | PARAM_REPEATED,
         .shown = "POINT... DIR",
         .help = "The points, as everywhere; and last the remote: the directory that Xen Orchestra has as "
                 "one, "
                 "or will have."},
        {0},
};

static const struct field export_fields[] = {
        {"points", FIELD_NUMBER, "that were asked for", false},
        {"there", FIELD_NUMBER, "of these, that the remote had", false},
        {"exported", FIELD_NUMBER, "of these, that it has now", false},
        {"written", FIELD_SIZE, "bytes of their disks, in blocks of 2 MiB", false},
        {"files", FIELD_OBJECT, "point, path of its metadata, whether it was there, and how many deltas",
         true},
        {0},
};

struct exports {
        struct verb_call *call; /* borrowed */
        struct vault *vault;    /* owned */
        struct points points;   /* owned; that were asked for, oldest first */
        struct reading reading; /* of them */
        uint64_t done, n_there; /* bytes of the points before; points */
};

static void exports_fini(struct exports *exports) {
        reading_end(&exports->reading);
        points_fini(&exports->points);
        if (exports->vault)
                vault_close(exports->vault);
}
DEFINE_AUTO_IN_PLACE(struct exports, exports_fini);

static enum err step(void *user, uint64_t done, struct err_note *note) {
        struct exports *exports = user;

        reading_go_on(&exports->reading);
        return progress_step(exports->call->progress, exports->done + done, note);
}

static int compare(const void *a, const void *b) {
        const struct point *of_a = a, *of_b = b;

        if (of_a->manifest.time != of_b->manifest.time)
                return of_a->manifest.time < of_b->manifest.time ? -1 : 1;
        return of_a->manifest.sequence < of_b->manifest.sequence ? -1 : 1;
}

static enum err find_points(struct exports *exports, size_t n, struct err_note *note) {
        const json_t *list = call_list(exports->call, "points");

        for (size_t i = 0; i < n; i++) {
                struct point *point = vec_add(&exports->points.list);

                *point = (struct point){0};
                if (points_find(exports->vault, json_string_value(json_array_get(list, i)), NULL, point,
                                note))
                        return note->code;
        }
        qsort(exports->points.list.data, n, sizeof *exports->points.list.data, compare);
        return ERR_NONE;
}

static enum err begin_reading(struct exports *exports, struct err_note *note) {
        VEC(struct vault_name) names = {0};
        enum err err;

        VEC_EACH (&exports->points.list, point) {
                *vec_add(&names) = point->name;
                VEC_EACH (&point->manifest.disks, disk)
                        exports->call->progress->total += disk->size;
        }
        err = reading_begin(exports->vault, names.data, names.n, &exports->reading, note);
        vec_fini(&names);
        return err;
}

static enum err export_all(struct exports *exports, const char *dir, uint64_t *ret_written, json_t *files,
                           struct err_note *note) {
        const struct xo_export export = {.vault = exports->vault,
                                         .io = exports->call->io,
                                         .dir = dir,
                                         .is_full = call_flag(exports->call, "full"),
                                         .step = step,
                                         .user = exports};

        VEC_EACH (&exports->points.list, point) {
                AUTO(xo_exported_fini) struct xo_exported got = {0};

                if (xo_export_point(&export, point, &got, note))
                        return note->code;
                VEC_EACH (&point->manifest.disks, disk)
                        exports->done += disk->size;
                exports->n_there += got.was_there;
                *ret_written += got.bytes;
                json_array_append_new(files, json_pack("{s:s, s:o, s:b, s:i}", "point",
                                                       vault_name_format(&point->name).s, "path",
                                                       json_of_text(got.path), "was_there", got.was_there,
                                                       "deltas", (int)got.n_deltas));
        }
        return ERR_NONE;
}

static enum err run_export(struct verb_call *call, struct err_note *note) {
        const json_t *list = call_list(call, "points");
        size_t n = json_array_size(list);
        AUTO(exports_fini) struct exports exports = {.call = call};
        AUTO(json_decref) json_t *files = json_array();
        const char *dir;
        uint64_t written = 0;

        if (n < 2)
                return call_usage(call, note, "say the points, and last the remote's directory");
        dir = json_string_value(json_array_get(list, --n));
        if (vault_call_open(call, &exports.vault, note))
                return err_wrap(note, "open vault %s", call_text(call, "vault"));
        progress_begin(call->progress, "export", 0);
        if (find_points(&exports, n, note) || begin_reading(&exports, note) ||
            export_all(&exports, dir, &written, files, note))
                return err_wrap(note, "export to %s", dir);
        progress_end(call->progress);
        call_put(call, "points", json_of_u64(n));
        call_put(call, "there", json_of_u64(exports.n_there));
        call_put(call, "exported", json_of_u64(n - exports.n_there));
        call_put(call, "written", json_of_u64(written));
        call_put(call, "files", json_incref(files));
        return ERR_NONE;
}

const struct verb vault_export_xo_verb = {
        .name = "export-xo",
        .summary = "Writes points where Xen Orchestra lists and restores them.",
        .details =
                "Into a remote: the first as a full backup, those that follow it as deltas, as VHD files "
                "with "
                "their metadata, under the lock of the VM's backups. Metadata comes last, so a point is "
                "listed "
                "when all of it is durable, and a run that was stopped goes on where it was. Disks have at "
                "most 2040 GiB. The VM and its disks are those that the point knows of, else they get uuids "
                "that are the same each time.",
        .params = export_params,
        .shape = SHAPE_RECORD,
        .fields = export_fields,
        .run = run_export,
        .is_local = true,
};
