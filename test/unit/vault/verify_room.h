// SPDX-License-Identifier: Apache-2.0
/* A small vault in memory with points in it, for the tests of verify. */
#ifndef TEST_VAULT_VERIFY_ROOM_H
#define TEST_VAULT_VERIFY_ROOM_H

#include "check.h"
#include "fixture_vault.h"
#include "mem.h"
#include "target_sim.h"
#include "verify.h"

enum { ROOM_CHUNKS = 40 }; /* of the disk: more than one pack */

struct room {
        struct io *io;          /* owned */
        struct target_sim *sim; /* owned */
        bool is_encrypted;
        struct vault *vault; /* owned */
        struct fixture_disk disk;
        struct vault_name point;
};

static inline void room_reopen(struct room *room) {
        struct err_note note;

        if (room->vault)
                vault_close(TAKE(room->vault));
        assert_ok(fixture_vault_open(room->io, target_sim_open(room->sim), room->is_encrypted, &room->vault,
                                     &note));
}

static inline void room_put(struct room *room) {
        struct err_note note;

        assert_ok(fixture_put_disk(room->vault, &room->disk, NULL, &room->point, &note));
}

/* By nothing that can be compressed. */
static inline void room_fill(struct room *room, unsigned chunk, size_t n) {
        io_random(room->io, room->disk.bytes.data + (size_t)chunk * FIXTURE_CHUNK, n);
}

/* With one point, of a disk of so many chunks, the last of them cut, every fourth of them zeros. */
static inline void room_init(struct room *room, bool is_encrypted, unsigned n_chunks) {
        struct err_note note;

        *room = (struct room){
                .io = io_sim_new(11, 0), .sim = target_sim_new(11), .is_encrypted = is_encrypted};
        assert_ok(
                fixture_vault_make(room->io, target_sim_open(room->sim), is_encrypted, &room->vault, &note));
        vault_close(TAKE(room->vault));
        room_reopen(room);
        fixture_disk_resize(&room->disk, n_chunks * (uint64_t)FIXTURE_CHUNK - 100);
        for (unsigned i = 0; i < n_chunks; i++)
                if (i % 4 != 3)
                        room_fill(room, i, n_chunks > 10 ? FIXTURE_CHUNK - 200 : 200);
        room_put(room);
}

static inline void room_fini(struct room *room) {
        if (room->vault)
                vault_close(room->vault);
        fixture_disk_fini(&room->disk);
        target_sim_free(room->sim);
        assert_int_equal(io_sim_open_files(room->io), 0);
        io_free(room->io);
}
DEFINE_AUTO_IN_PLACE(struct room, room_fini);

static inline void room_verify(struct room *room, const struct verify_options *options,
                               struct verify_report *ret) {
        struct verify_options how = options ? *options : (struct verify_options){.records_taint = true};
        struct err_note note;

        how.n_threads = how.n_threads ? how.n_threads : 2;
        assert_ok(verify(room->vault, &how, ret, &note));
}

/* The n-th object whose name begins so; NULL: there are fewer. */
static inline const char *room_name(struct room *room, const char *prefix, unsigned nth) {
        const char *name;

        for (size_t i = 0; (name = target_sim_name(room->sim, i)); i++)
                if (strncmp(name, prefix, strlen(prefix)) == 0 && nth-- == 0)
                        return name;
        return NULL;
}

static inline void room_remove(struct room *room, const char *prefix, unsigned nth) {
        AUTO_FREE char *name = mem_text(room_name(room, prefix, nth));
        struct err_note note;

        assert_ok(target_remove(room->vault->target, name, &note));
}

static inline unsigned room_count(const struct verify_report *report, enum verify_what what) {
        unsigned n = 0;

        VEC_EACH (&report->findings, each)
                n += each->what == what;
        return n;
}

static inline const struct verify_finding *room_first(const struct verify_report *report,
                                                      enum verify_what what) {
        VEC_EACH (&report->findings, each)
                if (each->what == what)
                        return each;
        return NULL;
}

#endif
