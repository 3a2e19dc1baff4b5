// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "crypt.h"
#include "vault_key.h"
#include "vault_sum.h"

/* Crockford's: no I, L, O, U, which are taken for others, or spell. */
static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
static const char prefix[] = "catena-recovery-1-";
enum { GROUPS = 16, GROUP = 5, DIGITS = GROUPS * GROUP, CHECK = 2 };

struct recovery {
        uint8_t key[VAULT_KEY_SIZE];
        uint8_t vault[16];
        uint8_t check[CHECK];
};
_Static_assert(sizeof(struct recovery) * 8 == DIGITS * 5, "five bits a digit");
_Static_assert(sizeof prefix + DIGITS + GROUPS - 1 <= VAULT_RECOVERY_TEXT, "it fits");

static void check_of(const struct recovery *recovery, uint8_t ret[CHECK]) {
        struct span part = crypt_span(recovery, offsetof(struct recovery, check));
        uint8_t sum[VAULT_SUM_SIZE];

        vault_sum(&part, 1, sum);
        memcpy(ret, sum, CHECK);
}

struct vault_recovery_text vault_recovery_format(const uint8_t key[VAULT_KEY_SIZE],
                                                 const struct vault_name *vault) {
        struct vault_recovery_text text = {0};
        const uint8_t *bytes;
        struct recovery recovery;
        char *to = text.s + sizeof prefix - 1;

        memcpy(recovery.key, key, sizeof recovery.key);
        memcpy(recovery.vault, vault->b, sizeof recovery.vault);
        check_of(&recovery, recovery.check);
        memcpy(text.s, prefix, sizeof prefix - 1);
        bytes = recovery.key;
        for (unsigned i = 0; i < DIGITS; i++) {
                unsigned bit = i * 5, pair = (unsigned)bytes[bit / 8] << 8;

                if (bit / 8 + 1 < sizeof recovery)
                        pair |= bytes[bit / 8 + 1];
                if (i && i % GROUP == 0)
                        *to++ = '-';
                *to++ = digits[pair >> (11 - bit % 8) & 31];
        }
        crypt_wipe(&recovery, sizeof recovery);
        return text;
}

static int value_of(char c) {
        const char *at;

        c = (char)toupper((unsigned char)c);
        if (c == 'O')
                c = '0';
        if (c == 'I' || c == 'L')
                c = '1';
        at = c ? strchr(digits, c) : NULL;
        return at ? (int)(at - digits) : -1;
}

static bool read_digits(const char *text, struct recovery *ret) {
        uint8_t *bytes = ret->key;
        unsigned n = 0;

        memset(ret, 0, sizeof *ret);
        for (; *text; text++) {
                int value = value_of(*text);

                if (*text == '-' || *text == ' ')
                        continue;
                if (value < 0 || n == DIGITS)
                        return false;
                for (unsigned bit = 0; bit < 5; bit++)
                        if (value >> (4 - bit) & 1)
                                bytes[(n * 5 + bit) / 8] |= (uint8_t)(0x80 >> (n * 5 + bit) % 8);
                n++;
        }
        return n == DIGITS;
}

bool vault_recovery_parse(const char *text, struct vault_key *ret, struct vault_name *ret_vault) {
        struct recovery recovery;
        uint8_t check[CHECK];
        bool fits;

        if (strncasecmp(text, prefix, sizeof prefix - 1) != 0)
                return false;
        fits = read_digits(text + sizeof prefix - 1, &recovery);
        check_of(&recovery, check);
        fits = fits && memcmp(check, recovery.check, CHECK) == 0;
        if (fits) {
                *ret = (struct vault_key){.kind = VAULT_SLOT_RECOVERY};
                memcpy(ret->bytes, recovery.key, sizeof ret->bytes);
                memcpy(ret_vault->b, recovery.vault, sizeof ret_vault->b);
        }
        crypt_wipe(&recovery, sizeof recovery);
        return fits;
}
