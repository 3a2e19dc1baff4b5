// SPDX-License-Identifier: Apache-2.0
#include "keyring.h"

#include <assert.h>

#include "keyring_inside.h"

/* ---- who signs what -------------------------------------------------------------------------- */

enum signer { BY_NOBODY, BY_WHO_CAN, BY_WRITER, BY_ADMIN };
struct rule {
        bool is_sealed;
        enum signer signer;
};

/* In encrypted vaults.  docs/format/vault.md "Who signs what" */
static struct rule rule_of(enum vault_object_kind kind) {
        switch (kind) {
        case VAULT_CONFIG: /* both are read by who has no key yet */
        case VAULT_KEY_SLOT:
                return (struct rule){false, BY_ADMIN};
        case VAULT_INDEX:
                return (struct rule){true, BY_NOBODY};
        case VAULT_MANIFEST:
        case VAULT_SEAL:
        case VAULT_TAINT:
                return (struct rule){true, BY_WRITER};
        case VAULT_SESSION: /* readers have sessions and no key to sign with */
        case VAULT_SESSION_DONE:
                return (struct rule){true, BY_WHO_CAN};
        case VAULT_SESSION_BROKEN:
        case VAULT_DOOM:
        case VAULT_DROP:
        case VAULT_ADMIN_STATE:
                break;
        }
        return (struct rule){true, BY_ADMIN};
}

/* ---- signing --------------------------------------------------------------------------------- */

void object_put_signed(struct vault_object_head *head, struct span body, const uint8_t seed[VAULT_KEY_SIZE],
                       const uint8_t public[VAULT_KEY_SIZE], struct buf *ret) {
        uint8_t signature[VAULT_SIGNATURE_SIZE];

        head->is_signed = true;
        vault_object_begin(head, body, ret);
        buf_add(ret, public, VAULT_KEY_SIZE);
        crypt_sign(seed, public, crypt_span(ret->data, ret->n), signature);
        buf_add(ret, signature, sizeof signature);
        vault_object_end(ret);
}

enum err object_check_signed(const struct vault_object *object, const uint8_t by[VAULT_KEY_SIZE],
                             struct err_note *note) {
        const char *kind = vault_object_kind_text(object->head.kind);

        if (!object->head.is_signed)
                return err_set(note, ERR_CORRUPT, "%s: it is not signed", kind);
        if (by && memcmp(by, object->signer, VAULT_KEY_SIZE) != 0)
                return err_set(note, ERR_CORRUPT, "%s: it is not signed by the vault's admin", kind);
        if (!crypt_verify(object->signer, object->signed_part, object->signature))
                return err_set(note, ERR_CORRUPT, "%s: its signature does not fit", kind);
        return ERR_NONE;
}

static enum err put_object(const struct keyring *keyring, struct vault_object_head *head, enum signer signer,
                           struct span body, struct buf *ret, struct err_note *note) {
        const struct vault_payload *keys = &keyring->payload;

        if (signer == BY_ADMIN && !keys->has_admin)
                return err_set(note, ERR_DENIED, "%s: only an admin's key may sign it",
                               vault_object_kind_text(head->kind));
        if (signer == BY_WRITER && !keys->has_writer)
                return err_set(note, ERR_DENIED, "%s: only a writer's key may sign it",
                               vault_object_kind_text(head->kind));
        if (signer == BY_ADMIN) {
                object_put_signed(head, body, keys->admin, keys->admin_public, ret);
        } else if (signer != BY_NOBODY && keys->has_writer) {
                object_put_signed(head, body, keys->writer, keyring->writer_public, ret);
        } else {
                vault_object_begin(head, body, ret);
                vault_object_end(ret);
        }
        return ERR_NONE;
}

/* ---- sealing --------------------------------------------------------------------------------- */

static struct crypt_cipher *cipher_of(const struct keyring *keyring, const struct vault_object_head *head) {
        AUTO(crypt_key_fini) struct crypt_key key = {0};
        struct crypt_info info;
        uint8_t kind = (uint8_t)head->kind;

        crypt_info_text(&info, "catena vault object");
        crypt_info_add(&info, &kind, 1);
        crypt_info_add(&info, head->name.b, sizeof head->name.b);
        crypt_derive(keyring->seals[head->epoch].b, crypt_span(head->salt, sizeof head->salt), &info, &key);
        return crypt_cipher_new(&key);
}

/* The last piece says that it is the last: none can be cut off, or added. */
static struct crypt_nonce nonce_of(uint64_t piece, bool is_last) {
        struct crypt_nonce nonce = crypt_nonce_of(piece);

        if (is_last)
                nonce.b[0] |= 0x80;
        return nonce;
}

static void seal_body(struct crypt_cipher *cipher, const struct vault_object_head *head, struct span body,
                      struct buf *ret) {
        uint8_t bound[VAULT_OBJECT_BOUND], *to;
        uint64_t piece = 0;

        vault_object_bind(head, bound);
        to = buf_extend(ret, (size_t)vault_object_sealed_size(body.n));
        do {
                size_t n = body.n < VAULT_PIECE ? body.n : VAULT_PIECE;
                struct crypt_nonce nonce = nonce_of(piece++, n == body.n);

                crypt_cipher_seal(cipher, &nonce, crypt_span(bound, sizeof bound), body.data, n, to);
                to += n + VAULT_TAG_SIZE;
                body = crypt_span(n ? body.data + n : NULL, body.n - n);
        } while (body.n);
}

static enum err open_body(struct crypt_cipher *cipher, const struct vault_object *object, struct buf *ret,
                          struct err_note *note) {
        struct span left = object->body;
        uint8_t bound[VAULT_OBJECT_BOUND];
        AUTO(buf_fini) struct buf opened = {0};
        uint64_t piece = 0;

        vault_object_bind(&object->head, bound);
        do {
                size_t n = left.n < VAULT_PIECE + VAULT_TAG_SIZE ? left.n : VAULT_PIECE + VAULT_TAG_SIZE;
                struct crypt_nonce nonce = nonce_of(piece, n == left.n);

                if (n < VAULT_TAG_SIZE ||
                    !crypt_cipher_open(cipher, &nonce, crypt_span(bound, sizeof bound), left.data, n,
                                       buf_extend(&opened, n - VAULT_TAG_SIZE)))
                        return err_set(note, ERR_CORRUPT, "piece %llu does not open: damaged, or another's",
                                       (unsigned long long)piece);
                left = crypt_span(left.data + n, left.n - n);
                piece++;
        } while (left.n);
        buf_add(ret, opened.data, opened.n);
        return ERR_NONE;
}

enum err keyring_seal_object(const struct keyring *keyring, struct io *dice, enum vault_object_kind kind,
                             const struct vault_name *name, struct span body, struct buf *ret,
                             struct err_note *note) {
        struct rule rule = keyring->is_plain ? (struct rule){false, BY_NOBODY} : rule_of(kind);
        struct vault_object_head head = {.kind = kind, .name = *name, .is_sealed = rule.is_sealed};
        AUTO(crypt_cipher_free) struct crypt_cipher *cipher = NULL;
        AUTO(buf_fini) struct buf sealed = {0};

        if (rule.is_sealed) {
                head.epoch = (uint8_t)keyring_epoch(keyring);
                io_random(dice, head.salt, sizeof head.salt);
                /* Bound into each piece, so it must be known before. */
                head.is_signed =
                        rule.signer == BY_ADMIN || (rule.signer != BY_NOBODY && keyring->payload.has_writer);
                cipher = cipher_of(keyring, &head);
                seal_body(cipher, &head, body, &sealed);
                body = crypt_span(sealed.data, sealed.n);
        }
        return put_object(keyring, &head, rule.signer, body, ret, note);
}

/* ---- opening --------------------------------------------------------------------------------- */

static enum err check_signer(const struct keyring *keyring, const struct vault_object *object,
                             enum signer rule, struct err_note *note) {
        if (!object->head.is_signed && (rule == BY_NOBODY || rule == BY_WHO_CAN))
                return ERR_NONE;
        return object_check_signed(object, rule == BY_ADMIN ? keyring->payload.admin_public : NULL, note);
}

static enum err check_sealed(const struct keyring *keyring, const struct vault_object_head *head,
                             struct rule rule, struct err_note *note) {
        const char *kind = vault_object_kind_text(head->kind);

        if (keyring->is_plain && head->is_sealed)
                return err_set(note, ERR_DENIED, "%s: it is sealed, and there is no key", kind);
        if (head->is_sealed != (rule.is_sealed && !keyring->is_plain))
                return err_set(note, ERR_CORRUPT, "%s: it is %ssealed", kind, head->is_sealed ? "" : "not ");
        if (head->epoch > keyring_epoch(keyring))
                return err_set(note, ERR_DENIED,
                               "%s: sealed after rotation %u of the keys, and this key is from before: open "
                               "the vault again",
                               kind, head->epoch);
        return ERR_NONE;
}

enum err keyring_open_object(const struct keyring *keyring, struct span bytes, enum vault_object_kind kind,
                             const struct vault_name *name, struct buf *ret_body,
                             uint8_t ret_signer[VAULT_KEY_SIZE], struct err_note *note) {
        struct rule rule = rule_of(kind);
        AUTO(crypt_cipher_free) struct crypt_cipher *cipher = NULL;
        struct vault_object object;

        if (vault_object_decode(bytes, kind, name, &object, note) ||
            check_sealed(keyring, &object.head, rule, note) ||
            (!keyring->is_plain && check_signer(keyring, &object, rule.signer, note)))
                return note->code;
        if (object.head.is_sealed) {
                cipher = cipher_of(keyring, &object.head);
                if (open_body(cipher, &object, ret_body, note))
                        return err_wrap(note, "%s", vault_object_kind_text(kind));
        } else {
                buf_add(ret_body, object.body.data, object.body.n);
        }
        if (ret_signer)
                memset(ret_signer, 0, VAULT_KEY_SIZE);
        if (ret_signer && object.head.is_signed && !keyring->is_plain)
                memcpy(ret_signer, object.signer, VAULT_KEY_SIZE);
        return ERR_NONE;
}
