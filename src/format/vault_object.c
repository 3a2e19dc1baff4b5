// SPDX-License-Identifier: Apache-2.0
#include "vault_object.h"

#include <assert.h>
#include <inttypes.h>

#include "vault_sum.h"

enum { VERSION = 1, SEALED = 1, SIGNED = 2, SIGN_SIZE = VAULT_SIGNER_SIZE + VAULT_SIGNATURE_SIZE };

struct object_disk {                   /* offset */
        uint8_t magic[4];              /*   0  CVLT                              */
        uint8_t version;               /*   4  1                                 */
        uint8_t kind;                  /*   5                                    */
        uint8_t flags;                 /*   6  1 sealed, 2 signed                */
        uint8_t epoch;                 /*   7  of the seal master; 0 where not sealed */
        uint8_t name[16];              /*   8                                    */
        be64 n;                        /*  24  bytes of the body                 */
        uint8_t salt[VAULT_SALT_SIZE]; /*  32  zeros where not sealed            */
};
_Static_assert(sizeof(struct object_disk) == VAULT_OBJECT_HEAD, "the body follows at once");
_Static_assert(_Alignof(struct object_disk) == 1, "may be read at any address");

static const uint8_t magic[4] = {'C', 'V', 'L', 'T'};

const char *vault_object_kind_text(enum vault_object_kind kind) {
        switch (kind) {
        case VAULT_CONFIG:
                return "configuration";
        case VAULT_KEY_SLOT:
                return "key slot";
        case VAULT_INDEX:
                return "index";
        case VAULT_MANIFEST:
                return "manifest";
        case VAULT_SEAL:
                return "seal";
        case VAULT_SESSION:
                return "session";
        case VAULT_SESSION_DONE:
                return "end of a session";
        case VAULT_SESSION_BROKEN:
                return "broken session";
        case VAULT_DOOM:
                return "doom";
        case VAULT_DROP:
                return "drop";
        case VAULT_ADMIN_STATE:
                return "admin's state";
        case VAULT_TAINT:
                return "taint";
        }
        return "object of an unknown kind";
}

/* ---- encoding -------------------------------------------------------------------------------- */

static struct object_disk head_of(const struct vault_object_head *head, uint64_t n) {
        struct object_disk disk = {.version = VERSION, .kind = (uint8_t)head->kind, .n = be64_put(n)};

        memcpy(disk.magic, magic, sizeof magic);
        disk.flags = (uint8_t)((head->is_sealed ? SEALED : 0) | (head->is_signed ? SIGNED : 0));
        memcpy(disk.name, head->name.b, sizeof disk.name);
        if (head->is_sealed) {
                disk.epoch = head->epoch;
                memcpy(disk.salt, head->salt, sizeof disk.salt);
        }
        return disk;
}

void vault_object_bind(const struct vault_object_head *head, uint8_t ret[VAULT_OBJECT_BOUND]) {
        struct object_disk disk = head_of(head, 0);

        memcpy(ret, &disk, VAULT_OBJECT_BOUND);
}

uint64_t vault_object_sealed_size(uint64_t body) {
        return body + max_u64(div_up(body, VAULT_PIECE), 1) * VAULT_TAG_SIZE;
}

void vault_object_begin(const struct vault_object_head *head, struct span body, struct buf *ret) {
        struct object_disk disk = head_of(head, body.n);

        assert(ret->n == 0);
        buf_add(ret, &disk, sizeof disk);
        buf_add(ret, body.data, body.n);
}

void vault_object_end(struct buf *ret) {
        const struct span all = {ret->data, ret->n};
        uint8_t sum[VAULT_OBJECT_SUM];

        vault_sum(&all, 1, sum);
        buf_add(ret, sum, sizeof sum);
}

/* ---- decoding -------------------------------------------------------------------------------- */

static enum err check_beginning(struct span bytes, const struct object_disk *disk, struct err_note *note) {
        if (bytes.n < VAULT_OBJECT_HEAD + VAULT_OBJECT_SUM)
                return err_set(note, ERR_CORRUPT, "%zu bytes are too few for an object", bytes.n);
        if (memcmp(disk->magic, magic, sizeof magic) != 0)
                return err_set(note, ERR_CORRUPT, "it does not begin as an object of a vault");
        /* Of another version, nothing else is where we think it is. */
        if (disk->version != VERSION)
                return err_set(note, ERR_UNSUPPORTED, "version %u of the envelope", disk->version);
        return ERR_NONE;
}

static enum err check_sum(struct span bytes, struct err_note *note) {
        const struct span before = {bytes.data, bytes.n - VAULT_OBJECT_SUM};
        uint8_t sum[VAULT_OBJECT_SUM];

        vault_sum(&before, 1, sum);
        if (memcmp(sum, before.data + before.n, sizeof sum) != 0)
                return err_set(note, ERR_CORRUPT, "its bytes do not fit its sum");
        return ERR_NONE;
}

/* A length that pieces with their tags can have: the last is empty only where it is the only one. */
static bool is_sealed_size(uint64_t n) {
        uint64_t rest = n % (VAULT_PIECE + VAULT_TAG_SIZE);

        return n != 0 && (rest == 0 || rest > VAULT_TAG_SIZE || n == VAULT_TAG_SIZE);
}

static enum err check_length(struct span bytes, const struct object_disk *disk, struct err_note *note) {
        uint64_t n = be64_get(disk->n), all;

        if (!add_u64(n, VAULT_OBJECT_HEAD + VAULT_OBJECT_SUM + (disk->flags & SIGNED ? SIGN_SIZE : 0),
                     &all) ||
            all != bytes.n)
                return err_set(note, ERR_CORRUPT,
                               "a body of %" PRIu64 " bytes does not fit into an object of %zu", n, bytes.n);
        if (disk->flags & SEALED && !is_sealed_size(n))
                return err_set(note, ERR_CORRUPT, "no sealed body has %" PRIu64 " bytes", n);
        return ERR_NONE;
}

static enum err check_head(const struct object_disk *disk, enum vault_object_kind kind,
                           const struct vault_name *name, struct err_note *note) {
        struct vault_name found;

        if (disk->flags & ~(SEALED | SIGNED))
                return err_set(note, ERR_UNSUPPORTED, "flags %u of the envelope", disk->flags);
        if (disk->kind != kind)
                return err_set(note, ERR_CORRUPT, "it is no %s but a %s (%u)", vault_object_kind_text(kind),
                               vault_object_kind_text((enum vault_object_kind)disk->kind), disk->kind);
        memcpy(found.b, disk->name, sizeof found.b);
        if (name && vault_name_compare(name, &found) != 0)
                return err_set(note, ERR_CORRUPT, "within, it is named %s", vault_name_format(&found).s);
        if (!(disk->flags & SEALED) && (disk->epoch || !bytes_are_zero(disk->salt, sizeof disk->salt)))
                return err_set(note, ERR_CORRUPT, "it has a key's salt or epoch, and is not sealed");
        return ERR_NONE;
}

static struct vault_object object_of(struct span bytes, const struct object_disk *disk) {
        struct vault_object object = {.head = {.kind = (enum vault_object_kind)disk->kind,
                                               .is_sealed = disk->flags & SEALED,
                                               .is_signed = disk->flags & SIGNED,
                                               .epoch = disk->epoch},
                                      .body = {bytes.data + VAULT_OBJECT_HEAD, be64_get(disk->n)}};

        memcpy(object.head.name.b, disk->name, sizeof object.head.name.b);
        memcpy(object.head.salt, disk->salt, sizeof object.head.salt);
        object.signed_part = (struct span){bytes.data, VAULT_OBJECT_HEAD + object.body.n};
        if (object.head.is_signed) {
                object.signer = object.signed_part.data + object.signed_part.n;
                object.signature = object.signer + VAULT_SIGNER_SIZE;
                /* Under the signature, too: whose it is cannot be exchanged. */
                object.signed_part.n += VAULT_SIGNER_SIZE;
        }
        return object;
}

enum err vault_object_decode(struct span bytes, enum vault_object_kind kind, const struct vault_name *name,
                             struct vault_object *ret, struct err_note *note) {
        const struct object_disk *disk = (const struct object_disk *)bytes.data;

        if (check_beginning(bytes, disk, note) || check_sum(bytes, note) ||
            check_head(disk, kind, name, note) || check_length(bytes, disk, note))
                return err_wrap(note, "%s", vault_object_kind_text(kind));
        *ret = object_of(bytes, disk);
        return ERR_NONE;
}
