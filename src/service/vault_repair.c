// SPDX-License-Identifier: Apache-2.0
#include "vault_repair.h"

#include <stdatomic.h>
#include <string.h>

#include "get.h"
#include "mem.h"
#include "origin.h"
#include "repair.h"
#include "vault_file.h"

struct repairing {
        struct verb_call *call; /* borrowed */
        struct vault *vault;    /* borrowed */
        struct vault *other;    /* owned; NULL: files */
        struct points points;   /* owned; of the other */
        const char *from;       /* borrowed */
        bool is_directory;
        uint64_t stored, done;           /* bytes; done: of the disks before */
        const struct put_source *source; /* borrowed; of the disk at hand */
        atomic_bool is_of_source;        /* the last error is what that gave */
};

static void repairing_fini(struct repairing *repairing) {
        points_fini(&repairing->points);
        if (repairing->other)
                vault_close(repairing->other);
}
DEFINE_AUTO_IN_PLACE(struct repairing, repairing_fini);

static enum err step(void *user, uint64_t done, struct err_note *note) {
        struct repairing *repairing = user;

        return progress_step(repairing->call->progress, repairing->done + done, note);
}

/* ---- whose error it is ---- */

static enum err of_source(struct repairing *repairing, enum err err) {
        if (err)
                repairing->is_of_source = true;
        return err;
}

static enum err read_source(void *user, void *ret, size_t n, uint64_t at, struct err_note *note) {
        struct repairing *repairing = user;

        return of_source(repairing, repairing->source->read(repairing->source->user, ret, n, at, note));
}

static enum err next_data(void *user, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                          struct err_note *note) {
        struct repairing *repairing = user;

        return of_source(repairing,
                         repairing->source->next_data(repairing->source->user, at, ret_start, ret_end, note));
}

static enum err take(struct repairing *repairing, const struct vault_disk *disk,
                     const struct put_source *from, struct err_note *note) {
        const struct repair_options options = {.step = step, .user = repairing};
        const struct put_source source = {
                .size = from->size, .read = read_source, .next_data = next_data, .user = repairing};
        struct repair_result result;

        repairing->source = from;
        if (repair_disk(repairing->vault, &options, disk, &source, &result, note))
                return err_wrap(note, "repair disk %s", disk->name);
        repairing->stored += result.stored;
        repairing->done += disk->size;
        return ERR_NONE;
}

/* ---- from another vault ---- */

static enum err read_there(void *user, void *ret, size_t n, uint64_t at, struct err_note *note) {
        return get_read(user, ret, n, at, note);
}

static enum err next_there(void *user, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                           struct err_note *note) {
        return get_next_data(user, at, ret_start, ret_end, note);
}

static const struct vault_disk *disk_there(const struct repairing *repairing, const struct point *point,
                                           const char *name) {
        struct origin own, other;

        origin_of(repairing->vault, point, &own);
        VEC_EACH (&repairing->points.list, each) {
                origin_of(repairing->other, each, &other);
                if (!origin_equal(&own, &other))
                        continue;
                VEC_EACH (&each->manifest.disks, disk)
                        if (strcmp(disk->name, name) == 0)
                                return disk;
        }
        return NULL;
}

static enum err from_vault(struct repairing *repairing, const struct point *point,
                           const struct vault_disk *disk, struct err_note *note) {
        const struct vault_disk *there = disk_there(repairing, point, disk->name);
        const struct get_options options = {0};
        AUTO(get_close) struct get *get = NULL;
        struct put_source source;

        if (!there)
                return ERR_NONE;
        if (of_source(repairing, get_open(repairing->other, there, &options, &get, note)))
                return note->code;
        source = (struct put_source){
                .size = there->size, .read = read_there, .next_data = next_there, .user = get};
        return take(repairing, disk, &source, note);
}

/* ---- from files ---- */

static enum err from_file(struct repairing *repairing, const struct vault_disk *disk, struct err_note *note) {
        AUTO_FREE char *path = repairing->is_directory ? mem_format("%s/%s", repairing->from, disk->name)
                                                       : mem_text(repairing->from);
        AUTO(vault_source_fini) struct vault_source source = {0};
        enum err err = vault_source_open(repairing->call->io, path, &source, note);

        if (err)
                return err == ERR_NOT_FOUND && repairing->is_directory ? ERR_NONE : of_source(repairing, err);
        return take(repairing, disk, &source.source, note);
}

/* ---- which ---- */

static bool was_told(const struct verify_report *report, size_t before, const struct vault_name *point,
                     const char *disk) {
        for (size_t i = 0; i < before; i++) {
                const struct verify_finding *each = &report->findings.data[i];

                if (each->what == VERIFY_IN_DISK && vault_name_compare(&each->point, point) == 0 &&
                    strcmp(each->disk, disk) == 0)
                        return true;
        }
        return false;
}

/* What cannot be read there stands in no other disk's way. */
static enum err pass_over(struct repairing *repairing, enum err err, struct err_note *note) {
        AUTO_FREE char *line = err ? mem_format("not repaired: %s", note->text) : NULL;
        bool is_of_source = atomic_exchange(&repairing->is_of_source, false);

        if (err && (!is_of_source || err == ERR_CANCELLED))
                return err;
        if (err)
                progress_say(repairing->call->progress, line);
        return ERR_NONE;
}

static enum err repair_one(struct repairing *repairing, const struct verify_finding *finding,
                           struct err_note *note) {
        AUTO(point_fini) struct point point = {0};

        if (points_get(repairing->vault, &finding->point, &point, note))
                return note->code;
        VEC_EACH (&point.manifest.disks, disk) {
                enum err err;

                if (strcmp(disk->name, finding->disk) != 0)
                        continue;
                repairing->call->progress->total += disk->size;
                err = repairing->other ? from_vault(repairing, &point, disk, note)
                                       : from_file(repairing, disk, note);
                if (pass_over(repairing, err, note))
                        return note->code;
        }
        return ERR_NONE;
}

/* A directory with a vault's configuration is one. */
static bool is_vault(struct repairing *repairing) {
        AUTO_FREE char *config = mem_format("%s/config", repairing->from);
        struct err_note unused;
        struct io_stat stat;

        if (strncmp(repairing->from, "s3://", 5) == 0)
                return true;
        repairing->is_directory =
                io_stat_path(repairing->call->io, repairing->from, &stat, &unused) == ERR_NONE &&
                stat.is_directory;
        return repairing->is_directory &&
               io_stat_path(repairing->call->io, config, &stat, &unused) == ERR_NONE;
}

static enum err open_other(struct repairing *repairing, struct err_note *note) {
        struct verb_call *call = repairing->call;
        const char *file = call_text(call, "repair-key-file");
        AUTO(vault_key_fini) struct vault_key key = {0};
        bool has_key = file != NULL;

        if (!is_vault(repairing))
                return ERR_NONE;
        if (file ? vault_key_read_file(call->io, file, &key, note)
                 : vault_call_key(call, &key, &has_key, note))
                return note->code;
        if (call_flag(call, "repair-plain"))
                has_key = false;
        if (vault_call_open_at(call, repairing->from, has_key ? &key : NULL, &repairing->other, note) ||
            points_list(repairing->other, &repairing->points, note))
                return err_wrap(note, "open vault %s", repairing->from);
        return ERR_NONE;
}

enum err vault_repair(struct verb_call *call, struct vault *vault, const struct verify_report *report,
                      uint64_t *ret_stored, struct err_note *note) {
        AUTO(repairing_fini)
        struct repairing repairing = {.call = call, .vault = vault, .from = call_text(call, "repair-from")};

        if (open_other(&repairing, note))
                return note->code;
        progress_begin(call->progress, "repair", 0);
        for (size_t i = 0; i < report->findings.n; i++) {
                const struct verify_finding *each = &report->findings.data[i];

                if (each->what == VERIFY_IN_DISK && !was_told(report, i, &each->point, each->disk) &&
                    repair_one(&repairing, each, note))
                        return note->code;
        }
        progress_end(call->progress);
        *ret_stored = repairing.stored;
        return ERR_NONE;
}
