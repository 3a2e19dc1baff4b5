// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "keys_kit.h"

enum { N = 70000 };
static uint8_t content[N + VAULT_TAG_SIZE], sealed[N + VAULT_TAG_SIZE], back[N];

static const struct vault_pack_head plain_head = {.name = {{1}}, .session = {{2}}};
static const struct vault_pack_head sealed_head = {
        .is_sealed = true, .epoch = 1, .name = {{1}}, .session = {{2}}, .salt = {3}};
static const struct vault_pack_entry entry = {.type = VAULT_CHUNK,
                                              .stored = N + VAULT_TAG_SIZE,
                                              .length = 1 << 17,
                                              .codec = VAULT_ZSTD,
                                              .id = {{5}}};

static struct pack_key *key_of(bool is_plain, const struct vault_pack_head *head) {
        AUTO(keyring_free)
        struct keyring *keyring = is_plain ? keyring_new_plain(&kit_vault) : kit_keyring(VAULT_READER, 2);
        struct pack_key *key = NULL;
        struct err_note note = {0};

        assert_ok(pack_key_new(keyring, head, &key, &note));
        return key;
}

static void fill(void) {
        for (size_t i = 0; i < N; i++)
                content[i] = (uint8_t)(i * 13 >> 2);
}

static void blobs_and_trailer_come_back_sealed_or_plain_in_place_too(void **state) {
        (void)state;
        for (int is_plain = 0; is_plain <= 1; is_plain++) {
                AUTO(pack_key_free)
                struct pack_key *key = key_of(is_plain, is_plain ? &plain_head : &sealed_head);
                struct err_note note = {0};

                for (size_t n = 0; n <= N; n += 9999) {
                        fill();
                        pack_key_seal(key, 7, &entry, content, n, sealed);
                        assert_ok(pack_key_open(key, 7, &entry, sealed, n + VAULT_TAG_SIZE, back, &note));
                        assert_true(n == 0 || memcmp(back, content, n) == 0);
                        pack_key_seal(key, 7, &entry, content, n, content);
                        assert_memory_equal(content, sealed, n + VAULT_TAG_SIZE);
                        assert_ok(pack_key_open(key, 7, &entry, content, n + VAULT_TAG_SIZE, content, &note));
                        assert_true(n == 0 || memcmp(back, content, n) == 0);
                        /* the content is there to be read, or not */
                        assert_true(n == 0 || is_plain == (memcmp(sealed, content, n) == 0));
                        pack_key_seal(key, 8, NULL, content, n, sealed);
                        assert_ok(pack_key_open(key, 8, NULL, sealed, n + VAULT_TAG_SIZE, back, &note));
                }
        }
}

static void a_flipped_bit_is_noticed_and_placed(void **state) {
        (void)state;
        fill();
        for (int is_plain = 0; is_plain <= 1; is_plain++) {
                AUTO(pack_key_free)
                struct pack_key *key = key_of(is_plain, is_plain ? &plain_head : &sealed_head);
                struct err_note note = {0};

                pack_key_seal(key, 7, &entry, content, 100, sealed);
                for (size_t bit = 0; bit < 8 * (100 + VAULT_TAG_SIZE); bit++) {
                        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
                        assert_err(pack_key_open(key, 7, &entry, sealed, 100 + VAULT_TAG_SIZE, back, &note),
                                   ERR_CORRUPT, "pack 01000000000000000000000000000000: blob 7 is damaged");
                        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
                }
                assert_err(pack_key_open(key, 7, &entry, sealed, 100, back, &note), ERR_CORRUPT, "blob 7");
                assert_err(pack_key_open(key, 7, &entry, sealed, VAULT_TAG_SIZE - 1, back, &note),
                           ERR_CORRUPT, "blob 7");
                assert_err(pack_key_open(key, 7, NULL, sealed, 100 + VAULT_TAG_SIZE, back, &note),
                           ERR_CORRUPT, "its trailer is damaged");
        }
}

/* Everything that says what a blob is holds it: it opens as nothing else. */
static void a_blob_opens_as_what_it_is_alone(void **state) {
        struct vault_pack_entry changed[6];
        struct vault_pack_entry elsewhere = entry;

        (void)state;
        fill();
        for (size_t i = 0; i < 6; i++)
                changed[i] = entry;
        changed[0].type = VAULT_NODE;
        changed[1].level = 1;
        changed[2].codec = VAULT_AS_IS;
        changed[3].length = 1 << 18;
        changed[4].id.b[31] = 1;
        changed[5].id.b[0] = 1;
        for (int is_plain = 0; is_plain <= 1; is_plain++) {
                const struct vault_pack_head *head = is_plain ? &plain_head : &sealed_head;
                struct vault_pack_head other = *head;
                AUTO(pack_key_free) struct pack_key *key = key_of(is_plain, head);
                struct err_note note = {0};

                pack_key_seal(key, 7, &entry, content, 100, sealed);
                for (size_t i = 0; i < 6; i++)
                        assert_err(
                                pack_key_open(key, 7, &changed[i], sealed, 100 + VAULT_TAG_SIZE, back, &note),
                                ERR_CORRUPT, "blob 7");
                /* how long it is here is known only when it is sealed */
                elsewhere.stored = 0;
                assert_ok(pack_key_open(key, 7, &elsewhere, sealed, 100 + VAULT_TAG_SIZE, back, &note));
                other.name.b[9] = 1;
                AUTO(pack_key_free) struct pack_key *other_key = key_of(is_plain, &other);
                assert_err(pack_key_open(other_key, 7, &entry, sealed, 100 + VAULT_TAG_SIZE, back, &note),
                           ERR_CORRUPT, "blob 7");
        }
}

static void each_number_has_a_nonce_of_its_own(void **state) {
        AUTO(pack_key_free) struct pack_key *key = key_of(false, &sealed_head);
        static const uint32_t numbers[] = {
                0, 1, 255, 256, 65536, VAULT_PACK_BLOBS_MAX - 1, VAULT_PACK_BLOBS_MAX};
        static uint8_t streams[7][64];
        static const uint8_t zeros[48];
        struct err_note note = {0};

        (void)state;
        /* Of zeros the stream itself is seen: with two alike, two contents are. */
        for (size_t i = 0; i < 7; i++) {
                pack_key_seal(key, numbers[i], &entry, zeros, 48, streams[i]);
                for (size_t j = 0; j < i; j++)
                        assert_memory_not_equal(streams[i], streams[j], 48);
        }
        assert_err(pack_key_open(key, 1, &entry, streams[0], 64, back, &note), ERR_CORRUPT, "blob 1");
}

static void salt_session_name_and_epoch_make_the_key(void **state) {
        static const uint8_t zeros[48];
        static uint8_t streams[5][64];
        struct vault_pack_head heads[5];

        (void)state;
        for (size_t i = 0; i < 5; i++)
                heads[i] = sealed_head;
        heads[1].salt[31] = 1;
        heads[2].session.b[15] = 1;
        heads[3].name.b[15] = 1;
        heads[4].epoch = 0;
        for (size_t i = 0; i < 5; i++) {
                AUTO(pack_key_free) struct pack_key *key = key_of(false, &heads[i]);

                pack_key_seal(key, 0, &entry, zeros, 48, streams[i]);
                for (size_t j = 0; j < i; j++)
                        assert_memory_not_equal(streams[i], streams[j], 48);
        }
}

static void a_pack_that_is_not_of_this_vault_or_key_is_refused(void **state) {
        AUTO(keyring_free) struct keyring *plain = keyring_new_plain(&kit_vault);
        AUTO(keyring_free) struct keyring *old = kit_keyring(VAULT_READER, 1);
        struct pack_key *key = NULL;
        struct err_note note = {0};

        (void)state;
        assert_err(pack_key_new(plain, &sealed_head, &key, &note), ERR_DENIED, "there is no key");
        assert_err(pack_key_new(old, &plain_head, &key, &note), ERR_CORRUPT, "not sealed, in an encrypted");
        assert_err(pack_key_new(old, &sealed_head, &key, &note), ERR_DENIED, "rotation 1 of the keys");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(blobs_and_trailer_come_back_sealed_or_plain_in_place_too),
                cmocka_unit_test(a_flipped_bit_is_noticed_and_placed),
                cmocka_unit_test(a_blob_opens_as_what_it_is_alone),
                cmocka_unit_test(each_number_has_a_nonce_of_its_own),
                cmocka_unit_test(salt_session_name_and_epoch_make_the_key),
                cmocka_unit_test(a_pack_that_is_not_of_this_vault_or_key_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
