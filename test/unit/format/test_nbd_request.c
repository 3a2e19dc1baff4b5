// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "nbd_request.h"

enum { RW, RO, SIMPLE, NO_CONTEXT, BARE, N_KINDS };

static struct nbd_session session_of(unsigned kind) {
        struct nbd_session session = {.size = 1 << 30, .has_structured = true, .n_contexts = 1};

        if (kind == SIMPLE)
                session.has_structured = false;
        if (kind != RW && kind != RO)
                session.n_contexts = 0;
        session.flags = nbd_session_flags(kind == RO, session.has_structured);
        if (kind == BARE)
                session.flags = NBD_HAS_FLAGS;
        return session;
}

static void each_request_is_granted_or_gets_its_error(void **state) {
        enum { END = 1 << 30 };
        static const struct {
                unsigned kind;
                uint16_t type, flags;
                uint64_t at;
                uint32_t n;
                enum nbd_error want;
        } table[] = {
                {RW, NBD_CMD_READ, 0, 0, 1, NBD_OK},
                {RW, NBD_CMD_READ, NBD_CMD_DF | NBD_CMD_FUA, 0, NBD_BLOCK_MAX, NBD_OK},
                {RW, NBD_CMD_READ, 0, 0, NBD_BLOCK_MAX + 1, NBD_EINVAL},
                {RW, NBD_CMD_READ, 0, 0, UINT32_MAX, NBD_EINVAL},
                {RW, NBD_CMD_READ, 0, 0, 0, NBD_EINVAL},
                {RW, NBD_CMD_READ, 0, END - 1, 1, NBD_OK},
                {RW, NBD_CMD_READ, 0, END - 1, 2, NBD_EINVAL},
                {RW, NBD_CMD_READ, 0, END, 1, NBD_EINVAL},
                {RW, NBD_CMD_READ, 0, UINT64_MAX, 1, NBD_EINVAL},
                {RW, NBD_CMD_READ, 0, UINT64_MAX - 4095, 8192, NBD_EINVAL},
                {RW, NBD_CMD_READ, NBD_CMD_NO_HOLE, 0, 1, NBD_EINVAL},
                {RW, NBD_CMD_READ, NBD_CMD_REQ_ONE, 0, 1, NBD_EINVAL},
                {RW, NBD_CMD_READ, 1 << 5, 0, 1, NBD_EINVAL},
                {RW, NBD_CMD_READ, 1 << 15, 0, 1, NBD_EINVAL},
                {SIMPLE, NBD_CMD_READ, 0, 0, 1, NBD_OK},
                {SIMPLE, NBD_CMD_READ, NBD_CMD_DF, 0, 1, NBD_EINVAL},
                {RO, NBD_CMD_READ, 0, 0, 1, NBD_OK},
                {BARE, NBD_CMD_READ, 0, 0, 1, NBD_OK},
                {BARE, NBD_CMD_READ, NBD_CMD_FUA, 0, 1, NBD_EINVAL},

                {RW, NBD_CMD_WRITE, 0, 0, 1, NBD_OK},
                {RW, NBD_CMD_WRITE, NBD_CMD_FUA, END - 4096, 4096, NBD_OK},
                {RW, NBD_CMD_WRITE, 0, 0, NBD_BLOCK_MAX, NBD_OK},
                {RW, NBD_CMD_WRITE, 0, 0, NBD_BLOCK_MAX + 1, NBD_EINVAL},
                {RW, NBD_CMD_WRITE, 0, 0, 0, NBD_EINVAL},
                {RW, NBD_CMD_WRITE, 0, END, 512, NBD_ENOSPC},
                {RW, NBD_CMD_WRITE, 0, UINT64_MAX - 1, 512, NBD_ENOSPC},
                {RW, NBD_CMD_WRITE, NBD_CMD_DF, 0, 1, NBD_EINVAL},
                {RO, NBD_CMD_WRITE, 0, 0, 1, NBD_EPERM},
                {RO, NBD_CMD_WRITE, 0, END, UINT32_MAX, NBD_EPERM},

                {RW, NBD_CMD_DISC, 0, 0, 0, NBD_EINVAL}, /* is not asked */

                {RW, NBD_CMD_FLUSH, 0, 0, 0, NBD_OK},
                {RW, NBD_CMD_FLUSH, NBD_CMD_FUA, 0, 0, NBD_OK},
                {RW, NBD_CMD_FLUSH, 0, 512, 0, NBD_EINVAL},
                {RW, NBD_CMD_FLUSH, 0, 0, 512, NBD_EINVAL},
                {RO, NBD_CMD_FLUSH, 0, 0, 0, NBD_OK},
                {BARE, NBD_CMD_FLUSH, 0, 0, 0, NBD_EINVAL},

                {RW, NBD_CMD_TRIM, NBD_CMD_FUA, 0, END, NBD_OK},
                {RW, NBD_CMD_TRIM, 0, 1, END, NBD_EINVAL},
                {RW, NBD_CMD_TRIM, 0, 0, 0, NBD_EINVAL},
                {RW, NBD_CMD_TRIM, NBD_CMD_NO_HOLE, 0, 1, NBD_EINVAL},
                {RO, NBD_CMD_TRIM, 0, 0, 1, NBD_EPERM},
                {BARE, NBD_CMD_TRIM, 0, 0, 1, NBD_EINVAL},

                {RW, NBD_CMD_CACHE, 0, 0, END, NBD_OK},
                {RW, NBD_CMD_CACHE, 0, 1, END, NBD_EINVAL},
                {RO, NBD_CMD_CACHE, 0, 0, 1, NBD_OK},
                {BARE, NBD_CMD_CACHE, 0, 0, 1, NBD_EINVAL},

                {RW, NBD_CMD_WRITE_ZEROES, NBD_CMD_FUA | NBD_CMD_NO_HOLE | NBD_CMD_FAST_ZERO, 0, END, NBD_OK},
                {RW, NBD_CMD_WRITE_ZEROES, NBD_CMD_DF, 0, 1, NBD_EINVAL},
                {RW, NBD_CMD_WRITE_ZEROES, 0, 1, END, NBD_ENOSPC},
                {RW, NBD_CMD_WRITE_ZEROES, 0, 0, 0, NBD_EINVAL},
                {RO, NBD_CMD_WRITE_ZEROES, 0, 0, 1, NBD_EPERM},
                {BARE, NBD_CMD_WRITE_ZEROES, 0, 0, 1, NBD_EINVAL},

                {RW, NBD_CMD_BLOCK_STATUS, NBD_CMD_REQ_ONE, 0, END, NBD_OK},
                {RO, NBD_CMD_BLOCK_STATUS, 0, 0, 1, NBD_OK},
                {RW, NBD_CMD_BLOCK_STATUS, 0, END, 1, NBD_EINVAL},
                {RW, NBD_CMD_BLOCK_STATUS, NBD_CMD_DF, 0, 1, NBD_EINVAL},
                {NO_CONTEXT, NBD_CMD_BLOCK_STATUS, 0, 0, 1, NBD_EINVAL},
                {SIMPLE, NBD_CMD_BLOCK_STATUS, 0, 0, 1, NBD_EINVAL},

                {RW, 8, 0, 0, 1, NBD_EINVAL},
                {RO, 8, 0, 0, 1, NBD_EINVAL},
                {RW, UINT16_MAX, UINT16_MAX, UINT64_MAX, UINT32_MAX, NBD_EINVAL},
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                struct nbd_session session = session_of(table[i].kind);
                struct nbd_request request = {.type = table[i].type,
                                              .flags = table[i].flags,
                                              .offset = table[i].at,
                                              .length = table[i].n};
                struct nbd_verdict verdict = nbd_request_check(&request, &session);

                if (verdict.error != table[i].want || (verdict.error != NBD_OK) != (verdict.text != NULL)) {
                        print_error("row %zu, %s: %u, %s\n", i, nbd_command_name(request.type), verdict.error,
                                    verdict.text ? verdict.text : "(no text)");
                        fail();
                }
        }
}

static void a_disk_of_2_to_the_64_has_an_end(void **state) {
        struct nbd_session session = session_of(RW);
        struct nbd_request request = {.type = NBD_CMD_READ, .offset = UINT64_MAX - 512, .length = 512};

        (void)state;
        session.size = UINT64_MAX;
        assert_int_equal(nbd_request_check(&request, &session).error, NBD_OK);
        request.length++;
        assert_int_equal(nbd_request_check(&request, &session).error, NBD_EINVAL);
}

static void what_is_offered_fits_the_disk_and_the_client(void **state) {
        (void)state;
        assert_int_equal(nbd_session_flags(false, true), 1 | 4 | 8 | 32 | 64 | 128 | 256 | 1024 | 2048);
        assert_int_equal(nbd_session_flags(false, false), 1 | 4 | 8 | 32 | 64 | 256 | 1024 | 2048);
        assert_int_equal(nbd_session_flags(true, false), 1 | 2 | 4 | 8 | 256 | 1024);
}

static void commands_have_names(void **state) {
        (void)state;
        assert_string_equal(nbd_command_name(NBD_CMD_READ), "READ");
        assert_string_equal(nbd_command_name(NBD_CMD_BLOCK_STATUS), "BLOCK_STATUS");
        assert_string_equal(nbd_command_name(8), "?");
        assert_string_equal(nbd_command_name(UINT16_MAX), "?");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_request_is_granted_or_gets_its_error),
                cmocka_unit_test(a_disk_of_2_to_the_64_has_an_end),
                cmocka_unit_test(what_is_offered_fits_the_disk_and_the_client),
                cmocka_unit_test(commands_have_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
