// SPDX-License-Identifier: Apache-2.0
/* The JSON bodies of a vault's objects, and what key slots wrap; the first byte says which.  What decodes is
 * written as a text that decodes to the same. */
#include "fuzz.h"

#include <string.h>

#include "vault_docs.h"

static bool was_refused(enum err error, const struct err_note *note) {
        if (error)
                MUST_HOLD((error == ERR_CORRUPT || error == ERR_UNSUPPORTED || error == ERR_TOO_LARGE) &&
                          note->text[0]);
        return error;
}

/* Decodes into `first`, writes that, and once more: both texts are one. */
#define TRY(what, type, fini, encode, decode)                                                                \
        static void try_##what(struct span text) {                                                           \
                AUTO(fini) type first = {0}, second = {0};                                                   \
                AUTO(buf_fini) struct buf once = {0}, twice = {0};                                           \
                struct err_note note = {0};                                                                  \
                                                                                                             \
                if (was_refused(decode(text, &first, &note), &note))                                         \
                        return;                                                                              \
                encode(&first, &once);                                                                       \
                if (decode((struct span){once.data, once.n}, &second, &note))                                \
                        abort();                                                                             \
                encode(&second, &twice);                                                                     \
                MUST_HOLD(once.n == twice.n && memcmp(once.data, twice.data, once.n) == 0);                  \
        }

static void nothing_fini(struct vault_config *config) {
        (void)config;
}
DEFINE_AUTO_IN_PLACE(struct vault_config, nothing_fini);

TRY(config, struct vault_config, nothing_fini, vault_config_encode, vault_config_decode)
TRY(slot, struct vault_slot, vault_slot_fini, vault_slot_encode, vault_slot_decode)
TRY(payload, struct vault_payload, vault_payload_fini, vault_payload_encode, vault_payload_decode)
TRY(manifest, struct vault_manifest, vault_manifest_fini, vault_manifest_encode, vault_manifest_decode)
TRY(session, struct vault_session_doc, vault_session_doc_fini, vault_session_encode, vault_session_decode)
TRY(doom, struct vault_doom, vault_doom_fini, vault_doom_encode, vault_doom_decode)
TRY(taint, struct vault_taint, vault_taint_fini, vault_taint_encode, vault_taint_decode)
TRY(drop, struct vault_drop, vault_drop_fini, vault_drop_encode, vault_drop_decode)
TRY(state, struct vault_state, vault_state_fini, vault_state_encode, vault_state_decode)

static void try_seal(struct span text) {
        AUTO(buf_fini) struct buf again = {0};
        struct err_note note = {0};
        uint8_t sum[32], other[32];

        if (was_refused(vault_point_seal_decode(text, sum, &note), &note))
                return;
        vault_point_seal_encode(sum, &again);
        if (vault_point_seal_decode((struct span){again.data, again.n}, other, &note))
                abort();
        MUST_HOLD(memcmp(sum, other, sizeof sum) == 0);
}

static void try_mac_text(struct span text) {
        AUTO(buf_fini) struct buf once = {0}, twice = {0};
        struct err_note note = {0};

        if (was_refused(vault_config_mac_text(text, &once, &note), &note))
                return;
        if (vault_config_mac_text((struct span){once.data, once.n}, &twice, &note))
                abort();
        MUST_HOLD(once.n == twice.n && memcmp(once.data, twice.data, once.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        static void (*const tries[])(struct span) = {try_config,   try_slot,  try_payload, try_manifest,
                                                     try_session,  try_doom,  try_drop,    try_seal,
                                                     try_mac_text, try_taint, try_state};

        if (n)
                tries[data[0] % (sizeof tries / sizeof *tries)]((struct span){data + 1, n - 1});
        return 0;
}
