// SPDX-License-Identifier: Apache-2.0
#include "daemon_srs.h"

#include "mem.h"
#include "registry.h"
#include "sr_call.h"

void daemon_srs_init(struct daemon_srs *srs) {
        *srs = (struct daemon_srs){.keepers = keepers_new()};
}

void daemon_srs_fini(struct daemon_srs *srs) {
        house_fini(&srs->house);
        if (srs->doors)
                doors_free(TAKE(srs->doors));
        if (srs->keepers)
                keepers_free(TAKE(srs->keepers));
        vec_fini(&srs->each);
}

static bool is_made(struct io *io, const char *dir) {
        AUTO_FREE char *inside = mem_format("%s/.catena", dir);
        struct err_note unused;
        struct io_stat stat;

        return io_stat_path(io, inside, &stat, &unused) == ERR_NONE;
}

static enum err make_missing(const struct config_sr *sr, const struct verb_call *call,
                             struct err_note *note) {
        struct sr_options options = sr_call_options(call, SR_OWN);
        struct uuid unused;

        if (is_made(call->io, sr->dir))
                return ERR_NONE;
        if (!sr->may_create)
                return err_set(note, ERR_NOT_FOUND, "%s is no SR; create = yes makes one", sr->dir);
        return sr_create(call->io, sr->dir, sr->name, &options, &unused, note);
}

static enum err open_one(struct daemon_srs *srs, const struct config_sr *sr, const struct verb_call *call,
                         struct err_note *note) {
        AUTO_FREE char *path = NULL;
        const struct verb_call *opened;
        struct host_sr row;

        /* With a slash it is a path, whatever names there are. */
        path = mem_format(sr->dir[0] == '/' ? "%s" : "./%s", sr->dir);
        if (make_missing(sr, call, note) || house_add(&srs->house, srs->doors, call, path, note))
                return note->code;
        opened = &srs->house.calls.data[srs->house.calls.n - 1];
        turn_take(opened->turn, "open");
        row = (struct host_sr){.uuid = sr_info(opened->sr)->uuid,
                               .sr = opened->sr,
                               .turn = opened->turn,
                               .keeper = opened->keeper};
        turn_give(opened->turn);
        *vec_add(&srs->each) = row;
        return registry_put(call->io, call->state_dir, &row.uuid, sr->name, sr->dir, false, note);
}

enum err daemon_srs_open(struct daemon_srs *srs, const struct config *config, const struct verb_call *call,
                         const struct rpc_server_options *options, struct err_note *note) {
        struct rpc_server_options of_doors = *options;

        of_doors.state_dir = NULL; /* who comes by an SR's own door has names of his own */
        of_doors.keepers = srs->keepers;
        srs->doors = doors_new(call->io, call->self, &of_doors);
        VEC_EACH (&config->srs, sr) {
                if (open_one(srs, sr, call, note))
                        return err_wrap(note, "[sr %s]", sr->name);
        }
        return ERR_NONE;
}
