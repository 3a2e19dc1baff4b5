// SPDX-License-Identifier: Apache-2.0
/* One keyring, many threads: each with a key of its own for the same pack. */
#include "check.h"

#include <pthread.h>

#include "io_sim.h"
#include "keys_kit.h"

enum { THREADS = 4, ROUNDS = 200, N = 5000 };

static const struct vault_pack_head head = {.is_sealed = true, .name = {{1}}, .session = {{2}}, .salt = {3}};
static const struct vault_pack_entry entry = {.type = VAULT_CHUNK, .length = 1 << 16};
static const struct vault_name name = {{9}};

struct job {
        const struct keyring *keyring; /* borrowed */
        struct io *dice;               /* borrowed */
        bool fits;
};

static bool one_round(const struct job *job, const struct pack_key *key, uint32_t number) {
        AUTO(buf_fini) struct buf object = {0}, body = {0};
        uint8_t data[N], sealed[N + VAULT_TAG_SIZE], back[N];
        struct vault_id id, again;
        struct err_note note = {0};

        memset(data, (int)number + 1, sizeof data);
        keyring_chunk_id(job->keyring, data, sizeof data, &id);
        pack_key_seal(key, number, &entry, data, sizeof data, sealed);
        if (pack_key_open(key, number, &entry, sealed, sizeof sealed, back, &note))
                return false;
        keyring_chunk_id(job->keyring, back, sizeof back, &again);
        if (vault_id_compare(&id, &again) != 0)
                return false;
        return !keyring_seal_object(job->keyring, job->dice, VAULT_MANIFEST, &name, crypt_span(data, 100),
                                    &object, &note) &&
               !keyring_open_object(job->keyring, crypt_span(object.data, object.n), VAULT_MANIFEST, &name,
                                    &body, NULL, &note) &&
               body.n == 100 && memcmp(body.data, data, 100) == 0;
}

static void *work(void *user) {
        struct job *job = user;
        AUTO(pack_key_free) struct pack_key *key = NULL;
        struct err_note note = {0};

        job->fits = pack_key_new(job->keyring, &head, &key, &note) == ERR_NONE;
        for (uint32_t i = 0; i < ROUNDS && job->fits; i++)
                job->fits = one_round(job, key, i);
        return NULL;
}

static void threads_that_share_a_keyring_disturb_nobody(void **state) {
        AUTO(io_free) struct io *dice = io_sim_new(1, 1 << 20);
        AUTO(keyring_free) struct keyring *keyring = kit_keyring(VAULT_WRITER, 1);
        struct job jobs[THREADS];
        pthread_t threads[THREADS];

        (void)state;
        for (unsigned i = 0; i < THREADS; i++) {
                jobs[i] = (struct job){.keyring = keyring, .dice = dice};
                assert_int_equal(pthread_create(&threads[i], NULL, work, &jobs[i]), 0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
                pthread_join(threads[i], NULL);
                assert_true(jobs[i].fits);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(threads_that_share_a_keyring_disturb_nobody)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
