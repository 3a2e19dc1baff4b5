// SPDX-License-Identifier: Apache-2.0
/* Small vaults for tests, and disks in memory that are put into them.
 *
 * Errors: those of the calls beneath.  Threads: one; a disk is read by any.
 */
#ifndef TEST_SIM_FIXTURE_VAULT_H
#define TEST_SIM_FIXTURE_VAULT_H

#include "fixture.h"
#include "io_sim.h"
#include "points.h"
#include "put.h"
#include "vault.h"

enum { FIXTURE_CHUNK = 64 * 1024 };

/* The key of every encrypted one. */
const struct vault_key *fixture_key(void);

/* With chunks of 64 KiB and packs of 1 MiB; the target is the vault's, also where this fails. */
MUST_USE enum err fixture_vault_make(struct io *, struct target *, bool is_encrypted, struct vault **ret,
                                     struct err_note *);
MUST_USE enum err fixture_vault_open(struct io *, struct target *, bool is_encrypted, struct vault **ret,
                                     struct err_note *);

/* A disk in memory; what is zeros by pages of 4 KiB is a hole. */
struct fixture_disk {
        uint64_t size;
        struct buf bytes;          /* owned */
        unsigned long long n_read; /* bytes, by whoever put it; not exact with several threads */
};
void fixture_disk_fini(struct fixture_disk *);
DEFINE_AUTO_IN_PLACE(struct fixture_disk, fixture_disk_fini);
/* Larger: zeros behind the end. */
void fixture_disk_resize(struct fixture_disk *, uint64_t size);
/* n bytes at `at` that do not compress to nothing, and are another's where the generation is; 0: zeros. */
void fixture_disk_write(struct fixture_disk *, uint64_t at, uint64_t n, uint64_t generation);
struct put_source fixture_source(struct fixture_disk *);

struct fixture_put {
        const struct vault_name *parent;  /* borrowed; NULL: none */
        const struct put_extent *changed; /* borrowed; NULL: all is read */
        size_t n_changed;
        unsigned n_threads;     /* 0: 2 */
        int64_t time;           /* 0: 1000 */
        struct put_count count; /* filled in */
};
/* A point named "vm" with one disk, "d"; options NULL: no parent. */
MUST_USE enum err fixture_put_disk(struct vault *, struct fixture_disk *, struct fixture_put *options,
                                   struct vault_name *ret, struct err_note *);
/* That disk of a point, read whole: ERR_MISMATCH where it is another one. */
MUST_USE enum err fixture_check_disk(struct vault *, const struct vault_name *point,
                                     const struct fixture_disk *want, struct err_note *);

#endif
