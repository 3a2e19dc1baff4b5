// SPDX-License-Identifier: Apache-2.0
#include "keeper.h"

#include <string.h>

#include "mem.h"

struct keeper {
        struct io *io; /* borrowed, outlives us */
        struct sr_self self;
        struct keeper_door door;
        struct turn turn; /* guards what is below */
        struct sr *sr;    /* owned; NULL: not open */
        bool is_door_open;
        const struct served *served; /* borrowed; NULL: nowhere */
};

struct keeper *keeper_new(struct io *io, const struct sr_self *self, const struct keeper_door *door) {
        struct keeper *keeper = mem_new(struct keeper);

        keeper->io = io;
        keeper->self = *self;
        if (door)
                keeper->door = *door;
        turn_init(&keeper->turn, io);
        return keeper;
}

void keeper_close_door(struct keeper *keeper) {
        if (!keeper->is_door_open)
                return;
        keeper->is_door_open = false;
        /* After a release the folder is nobody's: whoever makes an SR of it has a socket of the same name. */
        keeper->door.close(keeper->door.user, keeper->sr && !sr_is_read_only(keeper->sr));
}

void keeper_free(struct keeper *keeper) {
        keeper_close_door(keeper);
        if (keeper->sr)
                sr_close(keeper->sr);
        turn_fini(&keeper->turn);
        free(keeper);
}

static const char *open_door(void *user, const char *folder) {
        struct keeper *keeper = user;
        const char *name;

        name = keeper->door.open(keeper->door.user, keeper, folder);
        keeper->is_door_open = name != NULL;
        return name;
}

static enum err open_sr(struct keeper *keeper, const char *dir, struct err_note *note) {
        struct sr_self self = keeper->self;
        struct sr_options options = {.mode = SR_OWN, .self = &self};

        if (keeper->door.open) {
                self.open_door = open_door;
                self.user = keeper;
        }
        return sr_open(keeper->io, dir, &options, &keeper->sr, note);
}

static enum err check_same(struct keeper *keeper, const char *dir, struct err_note *note) {
        AUTO_FREE char *canonical = NULL;

        if (io_canonical(keeper->io, dir, &canonical, note))
                return note->code;
        if (strcmp(canonical, sr_where(keeper->sr)) != 0)
                return err_set(note, ERR_INVALID, "this process owns the SR %s, not %s", sr_where(keeper->sr),
                               canonical);
        return ERR_NONE;
}

/* Behind it there is no SR: those who came meanwhile get the turn, find nothing, and try again.  The lock is
 * gone, so the socket's file may be the next owner's by now. */
static void close_door_for_nothing(struct keeper *keeper) {
        if (keeper->sr || !keeper->is_door_open)
                return;
        keeper->is_door_open = false;
        keeper->door.close(keeper->door.user, false);
}

enum err keeper_enter(struct keeper *keeper, const char *dir, const char *who, const atomic_bool *stop,
                      struct sr **ret, struct turn **ret_turn, struct err_note *note) {
        if (turn_take_unless(&keeper->turn, who, stop, note))
                return note->code;
        if (keeper->sr ? check_same(keeper, dir, note) : open_sr(keeper, dir, note)) {
                turn_give(&keeper->turn);
                close_door_for_nothing(keeper);
                return note->code;
        }
        *ret = keeper->sr;
        *ret_turn = &keeper->turn;
        return ERR_NONE;
}

enum err keeper_join(struct keeper *keeper, const char *dir, const char *who, const atomic_bool *stop,
                     struct sr **ret, struct turn **ret_turn, struct err_note *note) {
        if (turn_take_unless(&keeper->turn, who, stop, note))
                return note->code;
        if (!keeper->sr)
                (void)err_set(note, ERR_CLOSED, "%s is not open here", dir);
        else if (!check_same(keeper, dir, note)) {
                *ret = keeper->sr;
                *ret_turn = &keeper->turn;
                return ERR_NONE;
        }
        turn_give(&keeper->turn);
        return note->code;
}

void keeper_leave(struct keeper *keeper) {
        turn_give(&keeper->turn);
}

void keeper_set_served(struct keeper *keeper, const struct served *served) {
        keeper->served = served;
}

const struct served *keeper_served(const struct keeper *keeper) {
        return keeper->served;
}
