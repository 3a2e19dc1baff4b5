// SPDX-License-Identifier: Apache-2.0
/* A daemon's configuration: whatever it says, each error has its place, what has none is whole, and
 * nothing lets other hosts in without TLS that does not say so. */
#include "fuzz.h"

#include <string.h>

#include "address.h"
#include "config.h"

static void check_listen(const struct config_listen *listen) {
        VEC_EACH (&listen->each.list, each) {
                struct address address;

                MUST_HOLD(address_parse(each->text, &address));
                MUST_HOLD(address_is_loopback(&address) || listen->tls == CONFIG_TLS_REQUIRED ||
                          listen->allows_plain);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AUTO(config_fini) struct config config = {0};

        config_init(&config);
        config_take(&config, "c", (const char *)data, size);
        config_settle(&config);
        MUST_HOLD(config.errors.n <= CONFIG_ERRORS_MAX && config.files.n == 1);
        VEC_EACH (&config.errors, each) {
                MUST_HOLD((*each)[0] == 'c' && (*each)[1] == ':');
        }
        if (config.errors.n)
                return 0;
        check_listen(&config.http);
        check_listen(&config.nbd);
        VEC_EACH (&config.srs, sr) {
                MUST_HOLD(sr->name && *sr->name && sr->dir && *sr->dir);
        }
        return 0;
}
