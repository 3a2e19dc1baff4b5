// SPDX-License-Identifier: Apache-2.0
/* Those bodies of a vault's objects that are JSON, and what a key slot wraps, as structs.
 * docs/format/vault.md has the members.  Ours are written in one way: keys sorted, no spaces.
 *
 * What is not known is left out of the struct and refused nowhere, but an incompatible feature.
 *
 * Errors: ERR_CORRUPT, with the member that is missing or wrong; ERR_UNSUPPORTED, a format, feature or word
 * that this program does not know, by its name; ERR_TOO_LARGE, above VAULT_BODY_MAX.  Encoding: none; text
 * that is not UTF-8 gets question marks.
 * Threads: any.  Ownership: what decode fills is released by fini.
 */
#ifndef FORMAT_VAULT_DOCS_H
#define FORMAT_VAULT_DOCS_H

#include <jansson.h>

#include "buf.h"
#include "bytes.h"
#include "err.h"
#include "vault_name.h"
#include "vault_object.h"
#include "vec.h"

enum {
        VAULT_KEY_SIZE = 32,       /* every key, seed and public key */
        VAULT_BODY_MAX = 16 << 20, /* of JSON */
};

/* ---- configuration ---- */

struct vault_config {
        struct vault_name id; /* the envelope's name */
        int64_t created;      /* seconds since 1970 */
        uint32_t chunk;       /* bytes */
        uint64_t pack;        /* bytes */
        bool compresses;      /* zstd */
        int level;            /* of zstd */
        bool is_encrypted;
        uint8_t admin[VAULT_KEY_SIZE]; /* public; encrypted vaults */
        bool is_append_only;
        uint32_t list_lag_seconds;
        uint8_t mac[32]; /* encrypted vaults; see vault_config_mac_text */
};
void vault_config_defaults(struct vault_config *); /* 256 KiB chunks, 32 MiB packs, zstd 1 */
void vault_config_encode(const struct vault_config *, struct buf *);
MUST_USE enum err vault_config_decode(struct span, struct vault_config *ret, struct err_note *);
/* What the mac is of, from the body as it stands: without the member, keys sorted, no spaces. */
MUST_USE enum err vault_config_mac_text(struct span body, struct buf *ret, struct err_note *);

/* ---- key slots ---- */

/* Retired: opens nothing, and says who a writer was whose slot was removed. */
enum vault_slot_kind {
        VAULT_SLOT_KEY_FILE,
        VAULT_SLOT_PASSPHRASE,
        VAULT_SLOT_RECOVERY,
        VAULT_SLOT_RETIRED,
};
enum vault_role { VAULT_ADMIN, VAULT_WRITER, VAULT_READER };
const char *vault_slot_kind_text(enum vault_slot_kind);
const char *vault_role_text(enum vault_role);
MUST_USE bool vault_role_parse(const char *text, enum vault_role *ret);

enum { VAULT_WRAPPED_KEY = VAULT_KEY_SIZE + VAULT_TAG_SIZE };
struct vault_argon2id {
        uint32_t memory_kib, passes, lanes;
};
struct vault_slot {
        enum vault_slot_kind kind;
        enum vault_role role;
        char *label; /* owned */
        int64_t created;
        uint8_t salt[VAULT_SALT_SIZE];
        struct vault_argon2id argon2id; /* of a passphrase */
        bool has_public;
        uint8_t public[VAULT_KEY_SIZE];
        /* The slot's key, and what it wraps; not of a retired one. */
        uint8_t for_holder[VAULT_WRAPPED_KEY], for_admin[VAULT_WRAPPED_KEY];
        struct buf wrapped; /* owned */
};
void vault_slot_fini(struct vault_slot *);
DEFINE_AUTO_IN_PLACE(struct vault_slot, vault_slot_fini);
void vault_slot_encode(const struct vault_slot *, struct buf *);
MUST_USE enum err vault_slot_decode(struct span, struct vault_slot *ret, struct err_note *);

enum {
        VAULT_EPOCHS_MAX = 256,
        VAULT_PAYLOAD_HEAD = 4 + VAULT_KEY_SIZE,
        VAULT_PAYLOAD_MAX = VAULT_PAYLOAD_HEAD + (VAULT_EPOCHS_MAX + 2) * VAULT_KEY_SIZE,
};
/* What a slot wraps.  Secret: fini wipes it, and no copy is left elsewhere: it is bytes, not JSON. */
struct vault_payload {
        unsigned n_masters;
        uint8_t masters[VAULT_EPOCHS_MAX][VAULT_KEY_SIZE];
        uint8_t admin_public[VAULT_KEY_SIZE]; /* whom the holder trusts, whatever the configuration says */
        bool has_writer, has_admin;
        uint8_t writer[VAULT_KEY_SIZE], admin[VAULT_KEY_SIZE]; /* seeds */
};
void vault_payload_fini(struct vault_payload *);
DEFINE_AUTO_IN_PLACE(struct vault_payload, vault_payload_fini);
void vault_payload_encode(const struct vault_payload *, struct buf *); /* empty; the caller wipes it */
MUST_USE enum err vault_payload_decode(struct span, struct vault_payload *ret, struct err_note *);

/* ---- points ---- */

struct vault_disk {
        char *name; /* owned */
        uint64_t size;
        uint32_t chunk;
        unsigned height;
        struct vault_id root, id;
        json_t *source; /* owned; NULL: null */
        uint64_t written;
};
struct vault_manifest {
        char *name; /* owned */
        int64_t time;
        struct vault_name session, parent; /* parent null: none */
        bool has_writer;
        uint8_t writer[VAULT_KEY_SIZE];
        uint64_t sequence;
        bool has_previous;
        uint8_t previous[32];
        json_t *vm;                   /* owned; NULL: null */
        VEC(struct vault_disk) disks; /* owned, and each */
};
void vault_disk_fini(struct vault_disk *);
void vault_manifest_fini(struct vault_manifest *);
DEFINE_AUTO_IN_PLACE(struct vault_manifest, vault_manifest_fini);
void vault_manifest_encode(const struct vault_manifest *, struct buf *);
/* How many levels of nodes a disk has. */
unsigned vault_disk_height(uint64_t size, uint32_t chunk);
/* The height of each disk is checked against its size. */
MUST_USE enum err vault_manifest_decode(struct span, struct vault_manifest *ret, struct err_note *);

void vault_point_seal_encode(const uint8_t manifest_sum[32], struct buf *);
MUST_USE enum err vault_point_seal_decode(struct span, uint8_t ret_manifest_sum[32], struct err_note *);

/* ---- who is at work ---- */

enum vault_session_kind { VAULT_SESSION_WRITE, VAULT_SESSION_READ, VAULT_SESSION_PRUNE };
struct vault_session_doc {
        enum vault_session_kind kind;
        int64_t began;
        VEC(struct vault_name) points; /* owned; of a reader */
};
void vault_session_doc_fini(struct vault_session_doc *);
DEFINE_AUTO_IN_PLACE(struct vault_session_doc, vault_session_doc_fini);
void vault_session_encode(const struct vault_session_doc *, struct buf *);
MUST_USE enum err vault_session_decode(struct span, struct vault_session_doc *ret, struct err_note *);

struct vault_doom {
        VEC(struct vault_name) packs, instead_of; /* owned */
};
void vault_doom_fini(struct vault_doom *);
DEFINE_AUTO_IN_PLACE(struct vault_doom, vault_doom_fini);
void vault_doom_encode(const struct vault_doom *, struct buf *);
MUST_USE enum err vault_doom_decode(struct span, struct vault_doom *ret, struct err_note *);

/* One blob of a pack, or all of them. */
#define VAULT_WHOLE_PACK UINT32_MAX
struct vault_place {
        struct vault_name pack;
        uint32_t number;
};
int vault_place_compare(const void *a, const void *b); /* by pack, then by number */
/* What was found damaged. */
struct vault_taint {
        VEC(struct vault_place) places;            /* owned; ascending, each once */
        VEC(struct vault_name) points, instead_of; /* owned; points: that need some of it */
};
void vault_taint_fini(struct vault_taint *);
DEFINE_AUTO_IN_PLACE(struct vault_taint, vault_taint_fini);
void vault_taint_sort(struct vault_taint *); /* its places, each once */
void vault_taint_encode(const struct vault_taint *, struct buf *);
MUST_USE enum err vault_taint_decode(struct span, struct vault_taint *ret, struct err_note *);

struct vault_drop {
        VEC(struct vault_name) points; /* owned */
        char *why;                     /* owned */
};
void vault_drop_fini(struct vault_drop *);
DEFINE_AUTO_IN_PLACE(struct vault_drop, vault_drop_fini);
void vault_drop_encode(const struct vault_drop *, struct buf *);
MUST_USE enum err vault_drop_decode(struct span, struct vault_drop *ret, struct err_note *);

/* What an admin knew of the vault when he left it. */
struct vault_seen {
        struct vault_name point;
        int64_t time; /* when it was seen first, by the clock of who saw it */
};
struct vault_state {
        uint64_t sequence;           /* the highest counts */
        uint64_t packs;              /* how many points needed */
        VEC(struct vault_seen) seen; /* owned */
};
void vault_state_fini(struct vault_state *);
DEFINE_AUTO_IN_PLACE(struct vault_state, vault_state_fini);
void vault_state_encode(const struct vault_state *, struct buf *);
MUST_USE enum err vault_state_decode(struct span, struct vault_state *ret, struct err_note *);

#endif
