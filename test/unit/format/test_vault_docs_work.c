// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "vault_docs.h"
#include "vault_kit.h"

#define A "0123456789abcdef0123456789abcdef"
#define B "ffffffffffffffffffffffffffffffff"

static const char session_text[] =
        "{\"began\":\"2024-11-21T03:20:42Z\",\"kind\":\"read\",\"points\":[\"" A "\",\"" B "\"]}";
static const char doom_text[] = "{\"instead_of\":[\"" B "\"],\"packs\":[\"" A "\",\"" B "\"]}";
static const char drop_text[] = "{\"points\":[\"" A "\"],\"why\":\"by hand\"}";

static void a_session_is_read_and_written_as_it_was(void **state) {
        AUTO(vault_session_doc_fini) struct vault_session_doc session = {0}, other = {0};
        AUTO(buf_fini) struct buf buf = {0}, again = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(vault_session_decode(body_with(&buf, session_text, NULL, NULL), &session, &note));
        assert_true(session.kind == VAULT_SESSION_READ && session.began == 1732159242);
        assert_int_equal(session.points.n, 2);
        vault_session_encode(&session, &again);
        assert_string_equal(buf_text(&again), session_text);
        assert_err(vault_session_decode(body_with(&buf, session_text, "kind", "\"walk\""), &other, &note),
                   ERR_UNSUPPORTED, "session: \"kind\" is \"walk\"");
        assert_err(vault_session_decode(body_with(&buf, session_text, "began", "null"), &other, &note),
                   ERR_CORRUPT, "began");
        assert_err(vault_session_decode(body_with(&buf, session_text, "points", "[\"x\"]"), &other, &note),
                   ERR_CORRUPT, "\"points\": 0 is not a name");
}

static void a_doom_is_read_and_written_as_it_was(void **state) {
        AUTO(vault_doom_fini) struct vault_doom doom = {0}, other = {0};
        AUTO(buf_fini) struct buf buf = {0}, again = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(vault_doom_decode(body_with(&buf, doom_text, NULL, NULL), &doom, &note));
        assert_int_equal(doom.packs.n, 2);
        assert_int_equal(doom.instead_of.n, 1);
        vault_doom_encode(&doom, &again);
        assert_string_equal(buf_text(&again), doom_text);
        assert_err(vault_doom_decode(body_with(&buf, doom_text, "packs", NULL), &other, &note), ERR_CORRUPT,
                   "doom: \"packs\" is missing");
        assert_err(vault_doom_decode(body_with(&buf, doom_text, "instead_of", "[null]"), &other, &note),
                   ERR_CORRUPT, "\"instead_of\": 0 is not a name");
}

static void a_drop_is_read_and_written_as_it_was(void **state) {
        AUTO(vault_drop_fini) struct vault_drop drop = {0}, other = {0};
        AUTO(buf_fini) struct buf buf = {0}, again = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(vault_drop_decode(body_with(&buf, drop_text, NULL, NULL), &drop, &note));
        assert_int_equal(drop.points.n, 1);
        assert_string_equal(drop.why, "by hand");
        vault_drop_encode(&drop, &again);
        assert_string_equal(buf_text(&again), drop_text);
        assert_err(vault_drop_decode(body_with(&buf, drop_text, "why", "[]"), &other, &note), ERR_CORRUPT,
                   "drop: \"why\" is not text");
        assert_err(vault_drop_decode(body_with(&buf, drop_text, "points", "{}"), &other, &note), ERR_CORRUPT,
                   "points");
}

static const char state_text[] = "{\"packs\":7,\"seen\":{\"" A "\":\"2024-11-21T03:20:42Z\"},\"sequence\":3}";

static void a_state_is_read_and_written_as_it_was(void **unused) {
        AUTO(vault_state_fini) struct vault_state state = {0}, other = {0};
        AUTO(buf_fini) struct buf buf = {0}, again = {0};
        struct err_note note = {0};

        (void)unused;
        assert_ok(vault_state_decode(body_with(&buf, state_text, NULL, NULL), &state, &note));
        assert_true(state.sequence == 3 && state.packs == 7 && state.seen.n == 1);
        assert_int_equal(state.seen.data[0].time, 1732159242);
        vault_state_encode(&state, &again);
        assert_string_equal(buf_text(&again), state_text);
        assert_err(vault_state_decode(body_with(&buf, state_text, "seen", "{\"x\":1}"), &other, &note),
                   ERR_CORRUPT, "names no point");
        assert_err(vault_state_decode(body_with(&buf, state_text, "packs", "-1"), &other, &note), ERR_CORRUPT,
                   "packs");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_session_is_read_and_written_as_it_was),
                cmocka_unit_test(a_state_is_read_and_written_as_it_was),
                cmocka_unit_test(a_doom_is_read_and_written_as_it_was),
                cmocka_unit_test(a_drop_is_read_and_written_as_it_was),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
