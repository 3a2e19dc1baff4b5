// SPDX-License-Identifier: Apache-2.0
/* When each pack of a vault was last read by verify on this machine, and a run that is not over: a file in
 * the state directory, not an object (docs/why/034-who-read-it-last.md).
 *
 * docs/format/vault.md "When packs were read" has its bytes.  It is replaced as a whole; one that is damaged
 * counts as none, and costs that packs are read sooner than they had to.
 *
 * Errors: ERR_CORRUPT of decode; those of io.h.  Threads: one at a time.
 * Memory: 32 bytes a pack.
 */
#ifndef VAULT_READ_RECORD_H
#define VAULT_READ_RECORD_H

#include "buf.h"
#include "bytes.h"
#include "io.h"
#include "vault_name.h"
#include "vec.h"

struct read_row {
        struct vault_name pack;
        uint64_t tags_at, content_at; /* seconds since 1970; 0: never.  content_at <= tags_at */
};
struct read_record {
        struct vault_name vault;
        uint64_t began;            /* of a run over all packs that is not over; 0: there is none */
        VEC(struct read_row) rows; /* owned; ascending, each pack once */
};
void read_record_fini(struct read_record *);
DEFINE_AUTO_IN_PLACE(struct read_record, read_record_fini);

void read_record_encode(const struct read_record *, struct buf *ret);
MUST_USE enum err read_record_decode(struct span, struct read_record *ret, struct err_note *);

/* Of this vault; empty where there is none, or none that is whole. */
MUST_USE enum err read_record_load(struct io *, const char *path, const struct vault_name *vault,
                                   struct read_record *ret, struct err_note *);
MUST_USE enum err read_record_save(struct io *, const char *path, const struct read_record *,
                                   struct err_note *);

/* NULL: it was never read.  Until the next add. */
struct read_row *read_record_find(struct read_record *, const struct vault_name *pack);
void read_record_add(struct read_record *, const struct vault_name *pack, uint64_t now, bool content);

#endif
