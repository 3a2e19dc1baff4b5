// SPDX-License-Identifier: Apache-2.0
/* One pack, read from its head to its end: its sums, its trailer, the tag of each blob, and where that is
 * asked for the content of each.
 *
 *      scrub_pack(reader, vault, &name, size, content, &scrubbed, note)
 *
 * Where the trailer is damaged, blobs are looked for where indexes say that they are.
 *
 * Errors: damage is none, nor is a stretch that the target cannot read while it can read other things: both
 * are told in the result.  ERR_NOT_FOUND, the pack is gone; those of the target otherwise; ERR_DENIED, the
 * key is from before a rotation.
 * Threads: any, each with a reader of its own.  Memory: the reader's, and 48 bytes a blob.
 */
#ifndef VAULT_SCRUB_H
#define VAULT_SCRUB_H

#include "vault.h"

struct scrub_blob {
        uint32_t number;
        uint64_t at;
        uint32_t stored;
        struct vault_id id;
        char *text; /* owned; what is wrong with it */
};
struct scrubbed {
        char *text;                   /* owned; what is wrong with the pack as a whole; NULL: nothing */
        bool is_unknown;              /* nobody tells what is in it */
        VEC(struct scrub_blob) blobs; /* owned, and each; those that are damaged, in their order */
        uint64_t n_blobs, n_bytes;    /* that were looked at */
};
void scrubbed_fini(struct scrubbed *);
DEFINE_AUTO_IN_PLACE(struct scrubbed, scrubbed_fini);

/* size: of the object, as it is listed. */
MUST_USE enum err scrub_pack(struct blob_reader *, struct vault *, const struct vault_name *, uint64_t size,
                             bool content, struct scrubbed *ret, struct err_note *);

/* Is this something wrong with what was asked for, rather than with the target?  Asks the target, where the
 * error does not tell. */
bool scrub_is_damage(struct vault *, enum err);

#endif
