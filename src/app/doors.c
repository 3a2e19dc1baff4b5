// SPDX-License-Identifier: Apache-2.0
#include "doors.h"

#include "keepers.h"
#include "mem.h"
#include "vec.h"

struct door {
        struct rpc_server *server; /* owned */
        struct keeper *keeper;     /* owned */
};

struct doors {
        struct io *io; /* borrowed, outlives us */
        struct sr_self self;
        struct rpc_server_options options;
        struct keepers *own; /* owned; NULL: the options have some */
        VEC(struct door) all;
};

struct doors *doors_new(struct io *io, const struct sr_self *self, const struct rpc_server_options *options) {
        struct doors *doors = mem_new(struct doors);

        doors->io = io;
        doors->self = *self;
        doors->options = *options;
        if (!options->keepers)
                doors->options.keepers = doors->own = keepers_new();
        return doors;
}

struct keeper *doors_add(struct doors *doors) {
        struct rpc_server *server = rpc_server_new(doors->io, &doors->options);
        const struct keeper_door door = rpc_server_door(server);
        struct keeper *keeper = keeper_new(doors->io, &doors->self, &door);

        *vec_add(&doors->all) = (struct door){server, keeper};
        return keeper;
}

void doors_know(struct doors *doors, const char *folder, struct keeper *keeper) {
        keepers_add(doors->options.keepers, folder, keeper);
}

void doors_free(struct doors *doors) {
        /* A verb that came by one door may have the SR of another. */
        VEC_EACH (&doors->all, each)
                keeper_close_door(each->keeper);
        VEC_EACH (&doors->all, each) {
                keeper_free(each->keeper);
                rpc_server_free(each->server);
        }
        vec_fini(&doors->all);
        if (doors->own)
                keepers_free(doors->own);
        free(doors);
}
