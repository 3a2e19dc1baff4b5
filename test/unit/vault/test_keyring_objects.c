// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "io_sim.h"
#include "keys_kit.h"
#include "vault_sum.h"

static const struct vault_name name = {{7, 7, 7}}, other_name = {{8}};
static struct io *dice;

static int begin(void **state) {
        (void)state;
        dice = io_sim_new(1, 1 << 20);
        return 0;
}
static int end(void **state) {
        (void)state;
        io_free(dice);
        return 0;
}

static void seal(const struct keyring *keyring, enum vault_object_kind kind, const char *body,
                 struct buf *ret) {
        struct err_note note = {0};

        assert_ok(
                keyring_seal_object(keyring, dice, kind, &name, crypt_span(body, strlen(body)), ret, &note));
}

static enum err open_as(const struct keyring *keyring, const struct buf *object, enum vault_object_kind kind,
                        struct err_note *note) {
        AUTO(buf_fini) struct buf body = {0};

        return keyring_open_object(keyring, crypt_span(object->data, object->n), kind, &name, &body, NULL,
                                   note);
}

/* What an attacker does: changes a byte and makes the sum fit. */
static void forge(struct buf *object, size_t at, uint8_t flip) {
        struct span before = crypt_span(object->data, object->n - VAULT_OBJECT_SUM);

        object->data[at] ^= flip;
        vault_sum(&before, 1, object->data + before.n);
}

static void each_kind_comes_back_and_says_who_signed(void **state) {
        AUTO(keyring_free) struct keyring *admin = kit_keyring(VAULT_ADMIN, 1);
        AUTO(keyring_free) struct keyring *reader = kit_keyring(VAULT_READER, 1);
        uint8_t writer_public[VAULT_KEY_SIZE], admin_public[VAULT_KEY_SIZE], zeros[VAULT_KEY_SIZE] = {0};

        (void)state;
        assert_true(keyring_writer_public(admin, writer_public) && keyring_admin_public(admin, admin_public));
        for (enum vault_object_kind kind = VAULT_CONFIG; kind <= VAULT_TAINT; kind++) {
                bool by_writer =
                        (kind >= VAULT_MANIFEST && kind <= VAULT_SESSION_DONE) || kind == VAULT_TAINT;
                AUTO(buf_fini) struct buf object = {0};
                AUTO(buf_fini) struct buf body = {0};
                uint8_t signer[VAULT_KEY_SIZE];
                struct err_note note = {0};

                seal(admin, kind, "{\"a\":1}", &object);
                assert_ok(keyring_open_object(reader, crypt_span(object.data, object.n), kind, &name, &body,
                                              signer, &note));
                assert_string_equal(buf_text(&body), "{\"a\":1}");
                assert_memory_equal(signer,
                                    kind == VAULT_INDEX ? zeros
                                    : by_writer         ? writer_public
                                                        : admin_public,
                                    sizeof signer);
                /* Readable without a key are those two alone. */
                assert_int_equal(memmem(object.data, object.n, "{\"a\":1}", 7) != NULL,
                                 kind == VAULT_CONFIG || kind == VAULT_KEY_SLOT);
        }
}

static void a_role_signs_only_what_it_may(void **state) {
        AUTO(keyring_free) struct keyring *writer = kit_keyring(VAULT_WRITER, 1);
        AUTO(keyring_free) struct keyring *reader = kit_keyring(VAULT_READER, 1);

        (void)state;
        for (enum vault_object_kind kind = VAULT_CONFIG; kind <= VAULT_TAINT; kind++) {
                bool for_all = kind == VAULT_INDEX || kind == VAULT_SESSION || kind == VAULT_SESSION_DONE;
                bool for_writers =
                        for_all || kind == VAULT_MANIFEST || kind == VAULT_SEAL || kind == VAULT_TAINT;
                AUTO(buf_fini) struct buf one = {0};
                AUTO(buf_fini) struct buf two = {0};
                struct err_note note = {0};

                if (for_writers)
                        assert_ok(keyring_seal_object(writer, dice, kind, &name, crypt_span("", 0), &one,
                                                      &note));
                else
                        assert_err(keyring_seal_object(writer, dice, kind, &name, crypt_span("", 0), &one,
                                                       &note),
                                   ERR_DENIED, "only an admin's key");
                if (for_all)
                        assert_ok(keyring_seal_object(reader, dice, kind, &name, crypt_span("", 0), &two,
                                                      &note));
                else
                        assert_err(keyring_seal_object(reader, dice, kind, &name, crypt_span("", 0), &two,
                                                       &note),
                                   ERR_DENIED, "key may sign it");
        }
}

static void what_is_not_signed_by_who_must_is_refused(void **state) {
        AUTO(keyring_free) struct keyring *reader = kit_keyring(VAULT_READER, 1);
        AUTO_FREE struct vault_payload *strange = kit_payload(VAULT_ADMIN, 1);
        AUTO(keyring_free) struct keyring *stranger = NULL;
        AUTO(buf_fini) struct buf doom = {0};
        AUTO(buf_fini) struct buf session = {0};
        struct err_note note = {0};

        (void)state;
        /* A reader has all masters: with an admin's key of his own he seals what he likes. */
        kit_seed(77, strange->admin);
        crypt_public_of(strange->admin, strange->admin_public);
        assert_ok(keyring_new(&kit_vault, strange, &stranger, &note));
        seal(stranger, VAULT_DOOM, "{}", &doom);
        assert_err(open_as(reader, &doom, VAULT_DOOM, &note), ERR_CORRUPT, "not signed by the vault's admin");

        /* Of the right kind and name, sealed with the right key, and nobody's. */
        seal(reader, VAULT_SESSION, "{}", &session);
        assert_ok(open_as(reader, &session, VAULT_SESSION, &note));
        forge(&session, 5, VAULT_SESSION ^ VAULT_MANIFEST);
        assert_err(open_as(reader, &session, VAULT_MANIFEST, &note), ERR_CORRUPT, "not signed");
}

static void a_signature_covers_all_before_it(void **state) {
        AUTO(keyring_free) struct keyring *admin = kit_keyring(VAULT_ADMIN, 1);
        AUTO(buf_fini) struct buf object = {0};
        struct err_note note = {0};

        (void)state;
        seal(admin, VAULT_KEY_SLOT, "{\"role\":\"reader\"}", &object);
        for (size_t at = VAULT_OBJECT_HEAD; at < object.n - VAULT_OBJECT_SUM; at++) {
                forge(&object, at, 4);
                assert_err(open_as(admin, &object, VAULT_KEY_SLOT, &note), ERR_CORRUPT, "sign");
                forge(&object, at, 4);
        }
        assert_ok(open_as(admin, &object, VAULT_KEY_SLOT, &note));
}

static void what_should_be_sealed_and_is_not_is_refused(void **state) {
        AUTO(keyring_free) struct keyring *admin = kit_keyring(VAULT_ADMIN, 1);
        AUTO(keyring_free) struct keyring *plain = keyring_new_plain(&kit_vault);
        AUTO(buf_fini) struct buf open = {0};
        AUTO(buf_fini) struct buf sealed = {0};
        struct err_note note = {0};

        (void)state;
        seal(plain, VAULT_INDEX, "{}", &open);
        assert_ok(open_as(plain, &open, VAULT_INDEX, &note));
        assert_err(open_as(admin, &open, VAULT_INDEX, &note), ERR_CORRUPT, "not sealed");
        seal(admin, VAULT_INDEX, "{}", &sealed);
        assert_err(open_as(plain, &sealed, VAULT_INDEX, &note), ERR_DENIED, "there is no key");
}

static void any_forged_byte_of_a_sealed_object_is_noticed(void **state) {
        AUTO(keyring_free) struct keyring *admin = kit_keyring(VAULT_ADMIN, 2);
        AUTO(buf_fini) struct buf object = {0};
        struct err_note note = {0};

        (void)state;
        seal(admin, VAULT_INDEX, "not signed: only its tags hold it", &object);
        for (size_t at = 0; at < object.n - VAULT_OBJECT_SUM; at++) {
                forge(&object, at, 1);
                assert_int_not_equal(open_as(admin, &object, VAULT_INDEX, &note), ERR_NONE);
                forge(&object, at, 1);
        }
        assert_ok(open_as(admin, &object, VAULT_INDEX, &note));
}

static void an_object_opens_under_its_own_name_and_kind_alone(void **state) {
        AUTO(keyring_free) struct keyring *reader = kit_keyring(VAULT_READER, 1);
        AUTO(buf_fini) struct buf object = {0};
        AUTO(buf_fini) struct buf body = {0};
        struct err_note note = {0};

        (void)state;
        seal(reader, VAULT_SESSION, "{}", &object);
        forge(&object, 8, name.b[0] ^ other_name.b[0]);
        forge(&object, 9, name.b[1]);
        forge(&object, 10, name.b[2]);
        assert_err(keyring_open_object(reader, crypt_span(object.data, object.n), VAULT_SESSION, &other_name,
                                       &body, NULL, &note),
                   ERR_CORRUPT, "does not open");
        forge(&object, 8, name.b[0] ^ other_name.b[0]);
        forge(&object, 9, name.b[1]);
        forge(&object, 10, name.b[2]);
        assert_ok(open_as(reader, &object, VAULT_SESSION, &note));
        forge(&object, 5, VAULT_SESSION ^ VAULT_SESSION_DONE);
        assert_err(open_as(reader, &object, VAULT_SESSION_DONE, &note), ERR_CORRUPT, "does not open");
}

static void the_newest_master_seals_and_all_open(void **state) {
        AUTO(keyring_free) struct keyring *before = kit_keyring(VAULT_ADMIN, 1);
        AUTO(keyring_free) struct keyring *after = kit_keyring(VAULT_ADMIN, 2);
        AUTO(buf_fini) struct buf old = {0};
        AUTO(buf_fini) struct buf new = {0};
        struct err_note note = {0};

        (void)state;
        seal(before, VAULT_DROP, "{}", &old);
        seal(after, VAULT_DROP, "{}", &new);
        assert_ok(open_as(after, &old, VAULT_DROP, &note));
        assert_ok(open_as(after, &new, VAULT_DROP, &note));
        assert_err(open_as(before, &new, VAULT_DROP, &note), ERR_DENIED, "rotation 1 of the keys");
}

static void pieces_are_of_one_body_in_their_order_to_the_end(void **state) {
        enum { PIECE = VAULT_PIECE + VAULT_TAG_SIZE };
        static const size_t sizes[] = {0, 1, VAULT_PIECE - 1, VAULT_PIECE, VAULT_PIECE + 1, 2 * VAULT_PIECE};
        AUTO(keyring_free) struct keyring *reader = kit_keyring(VAULT_READER, 1);
        AUTO_FREE uint8_t *body = mem_zero(2 * VAULT_PIECE), *piece = mem_zero(PIECE);
        AUTO(buf_fini) struct buf object = {0};
        AUTO(buf_fini) struct buf cut = {0};
        struct vault_object_head head;
        struct vault_object whole;
        struct err_note note = {0};

        (void)state;
        for (size_t i = 0; i < 2 * VAULT_PIECE; i++)
                body[i] = (uint8_t)(i * 31 >> 3);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                AUTO(buf_fini) struct buf back = {0};

                object.n = 0;
                assert_ok(keyring_seal_object(reader, dice, VAULT_INDEX, &name, crypt_span(body, sizes[i]),
                                              &object, &note));
                assert_int_equal(object.n,
                                 VAULT_OBJECT_HEAD + vault_object_sealed_size(sizes[i]) + VAULT_OBJECT_SUM);
                assert_ok(keyring_open_object(reader, crypt_span(object.data, object.n), VAULT_INDEX, &name,
                                              &back, NULL, &note));
                assert_int_equal(back.n, sizes[i]);
                assert_true(sizes[i] == 0 || memcmp(back.data, body, sizes[i]) == 0);
        }
        /* Two full pieces: one cut off, then both exchanged. */
        assert_ok(vault_object_decode(crypt_span(object.data, object.n), VAULT_INDEX, &name, &whole, &note));
        head = whole.head;
        vault_object_begin(&head, crypt_span(whole.body.data, PIECE), &cut);
        vault_object_end(&cut);
        assert_err(open_as(reader, &cut, VAULT_INDEX, &note), ERR_CORRUPT, "piece 0 does not open");
        memcpy(piece, object.data + VAULT_OBJECT_HEAD, PIECE);
        memmove(object.data + VAULT_OBJECT_HEAD, object.data + VAULT_OBJECT_HEAD + PIECE, PIECE);
        memcpy(object.data + VAULT_OBJECT_HEAD + PIECE, piece, PIECE);
        forge(&object, 0, 0);
        assert_err(open_as(reader, &object, VAULT_INDEX, &note), ERR_CORRUPT, "piece 0 does not open");
}

static void two_objects_of_one_name_share_no_key(void **state) {
        AUTO(keyring_free) struct keyring *reader = kit_keyring(VAULT_READER, 1);
        AUTO(buf_fini) struct buf one = {0};
        AUTO(buf_fini) struct buf two = {0};

        (void)state;
        seal(reader, VAULT_INDEX, "the same words", &one);
        seal(reader, VAULT_INDEX, "the same words", &two);
        assert_memory_not_equal(one.data + 32, two.data + 32, 32);
        assert_memory_not_equal(one.data + VAULT_OBJECT_HEAD, two.data + VAULT_OBJECT_HEAD, 14);
}

static void a_plain_vault_signs_and_seals_nothing(void **state) {
        AUTO(keyring_free) struct keyring *plain = keyring_new_plain(&kit_vault);

        (void)state;
        for (enum vault_object_kind kind = VAULT_CONFIG; kind <= VAULT_TAINT; kind++) {
                AUTO(buf_fini) struct buf object = {0};
                AUTO(buf_fini) struct buf body = {0};
                uint8_t signer[VAULT_KEY_SIZE] = {1};
                struct err_note note = {0};

                seal(plain, kind, "{}", &object);
                assert_int_equal(object.n, VAULT_OBJECT_HEAD + 2 + VAULT_OBJECT_SUM);
                assert_ok(keyring_open_object(plain, crypt_span(object.data, object.n), kind, &name, &body,
                                              signer, &note));
                assert_true(bytes_are_zero(signer, sizeof signer));
                assert_string_equal(buf_text(&body), "{}");
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_kind_comes_back_and_says_who_signed),
                cmocka_unit_test(a_role_signs_only_what_it_may),
                cmocka_unit_test(what_is_not_signed_by_who_must_is_refused),
                cmocka_unit_test(a_signature_covers_all_before_it),
                cmocka_unit_test(what_should_be_sealed_and_is_not_is_refused),
                cmocka_unit_test(any_forged_byte_of_a_sealed_object_is_noticed),
                cmocka_unit_test(an_object_opens_under_its_own_name_and_kind_alone),
                cmocka_unit_test(the_newest_master_seals_and_all_open),
                cmocka_unit_test(pieces_are_of_one_body_in_their_order_to_the_end),
                cmocka_unit_test(two_objects_of_one_name_share_no_key),
                cmocka_unit_test(a_plain_vault_signs_and_seals_nothing),
        };

        return cmocka_run_group_tests(tests, begin, end);
}
