// SPDX-License-Identifier: Apache-2.0
#include "xva_sum.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <xxhash.h>

enum { SHA1_SIZE = 20 };

static bool wants(const struct xva_sum *sum, enum xva_kind kind) {
        return !sum->is_known || sum->kind == kind;
}

static void drop_sha1(struct xva_sum *sum) {
        if (sum->sha1)
                gnutls_hash_deinit(TAKE(sum->sha1), NULL);
}

static void drop_xxh64(struct xva_sum *sum) {
        (void)XXH64_freeState(TAKE(sum->xxh64));
}

void xva_sum_fini(struct xva_sum *sum) {
        drop_sha1(sum);
        drop_xxh64(sum);
}

enum err xva_sum_begin(struct xva_sum *sum, struct err_note *note) {
        gnutls_hash_hd_t sha1;

        xva_sum_fini(sum);
        if (wants(sum, XVA_XXH64)) {
                sum->xxh64 = XXH64_createState();
                if (!sum->xxh64)
                        return err_set(note, ERR_NO_MEMORY, "a checksum: out of memory");
                (void)XXH64_reset(sum->xxh64, 0);
        }
        if (wants(sum, XVA_SHA1)) {
                if (gnutls_hash_init(&sha1, GNUTLS_DIG_SHA1) < 0)
                        return err_set(note, ERR_NO_MEMORY, "a checksum: SHA-1 is not to be had");
                sum->sha1 = sha1;
        }
        return ERR_NONE;
}

void xva_sum_add(struct xva_sum *sum, const void *data, size_t n) {
        if (n > 0 && sum->xxh64)
                (void)XXH64_update(sum->xxh64, data, n);
        if (n > 0 && sum->sha1)
                (void)gnutls_hash(sum->sha1, data, n);
}

/* Ends the SHA-1. */
static void print_sha1(struct xva_sum *sum, char ret[XVA_SHA1_SIZE + 1]) {
        uint8_t digest[SHA1_SIZE];

        gnutls_hash_deinit(TAKE(sum->sha1), digest);
        for (unsigned i = 0; i < SHA1_SIZE; i++)
                snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

enum err xva_sum_check(struct xva_sum *sum, enum xva_kind kind, const char *text, struct err_note *note) {
        char right[XVA_SHA1_SIZE + 1];

        if (!(kind == XVA_SHA1 ? sum->sha1 : sum->xxh64))
                return err_set(note, ERR_UNSUPPORTED, "checksums of two kinds");
        if (kind == XVA_SHA1)
                print_sha1(sum, right);
        else
                snprintf(right, sizeof right, "%016" PRIX64, (uint64_t)XXH64_digest(sum->xxh64));
        sum->is_known = true;
        sum->kind = kind;
        if (strcmp(right, text) != 0)
                return err_set(note, ERR_CORRUPT, "its checksum is %s, and %.40s came with it", right, text);
        return ERR_NONE;
}
