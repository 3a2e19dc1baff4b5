// SPDX-License-Identifier: Apache-2.0
/* A vault in memory with blobs open on it, for the tests of these. */
#ifndef TEST_VAULT_BLOBS_ROOM_H
#define TEST_VAULT_BLOBS_ROOM_H

#include "blobs.h"
#include "check.h"
#include "io_sim.h"
#include "target_sim.h"
#include "vault_kit.h"
#include "vault_path.h"

struct room {
        struct io *io;          /* owned; dice, and the cache in "/cache" */
        struct target_sim *sim; /* owned */
        struct kit kit;         /* its target and keyring are owned */
        struct blobs *blobs;    /* owned */
};

static const struct blobs_excluded room_none = {0};

static inline struct blobs *room_blobs(struct room *room, const char *cache) {
        struct blobs_options options = {room->io, room->kit.target, room->kit.keyring, cache};
        struct blobs *blobs = NULL;
        struct err_note note;

        assert_ok(blobs_new(&options, &blobs, &note));
        return blobs;
}

static inline void room_init(struct room *room, bool is_plain) {
        static const struct vault_name vault = {{1, 2, 3}};
        uint8_t recovery[VAULT_KEY_SIZE];

        room->io = io_sim_new(7, 0);
        room->sim = target_sim_new(7);
        room->kit = (struct kit){.target = target_sim_open(room->sim),
                                 .dice = room->io,
                                 .keyring = is_plain ? keyring_new_plain(&vault)
                                                     : keyring_new_random(room->io, &vault, recovery)};
        room->blobs = room_blobs(room, "/cache");
}

static inline void room_fini(struct room *room) {
        blobs_free(room->blobs);
        target_close(room->kit.target);
        keyring_free(room->kit.keyring);
        target_sim_free(room->sim);
        assert_int_equal(io_sim_open_files(room->io), 0);
        io_free(room->io);
}

static inline void room_pack(struct room *room, uint64_t first, unsigned n, struct kit_pack *ret) {
        struct err_note note;

        assert_ok(kit_put_pack(&room->kit, first, n, ret, &note));
}

static inline struct vault_name room_index(struct room *room, const struct kit_pack *packs, unsigned n,
                                           const struct vault_name *replaced, unsigned n_replaced) {
        AUTO(buf_fini) struct buf body = {0};
        struct vault_name name;
        struct err_note note;

        assert_ok(kit_put_index(&room->kit, packs, n, replaced, n_replaced, &name, &body, &note));
        return name;
}

static inline void room_refresh(struct room *room) {
        struct err_note note;

        assert_ok(blobs_refresh(room->blobs, &room_none, &note));
}

static inline bool room_find(struct room *room, uint64_t number, struct blob_place *ret) {
        struct vault_id id = kit_chunk_id(room->kit.keyring, number);

        return blobs_find(room->blobs, &id, ret);
}

static inline bool room_has(struct room *room, uint64_t number) {
        struct blob_place place;

        return room_find(room, number, &place);
}

static inline bool room_knows(struct room *room, uint64_t number) {
        struct vault_id id = kit_chunk_id(room->kit.keyring, number);

        return blobs_knows(room->blobs, &id);
}

static inline void room_remove(struct room *room, const char *path) {
        struct err_note note;

        assert_ok(target_remove(room->kit.target, path, &note));
}

#endif
