// SPDX-License-Identifier: Apache-2.0
#include "address.h"

#include <string.h>

#include "text.h"

#define HOST_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
#define V6_LETTERS   "0123456789abcdefABCDEF:."

bool address_parse(const char *text, struct address *ret) {
        const char *colon = strrchr(text, ':'), *host = text;
        bool is_v6 = *text == '[';
        size_t n = colon ? (size_t)(colon - text) : 0;
        uint64_t port;

        if (!colon || strlen(colon + 1) > 5 || !text_parse_u64(colon + 1, &port) || port > UINT16_MAX)
                return false;
        if (is_v6) {
                if (n < 3 || text[n - 1] != ']')
                        return false;
                host++;
                n -= 2;
        }
        if (n > ADDRESS_HOST_MAX || strspn(host, is_v6 ? V6_LETTERS : HOST_LETTERS) < n)
                return false;
        *ret = (struct address){.port = (uint16_t)port};
        memcpy(ret->host, host, n);
        return true;
}

static bool is_numbers(const char *host) {
        return host[strspn(host, "0123456789.")] == '\0';
}

bool address_is_loopback(const struct address *address) {
        return (text_starts_with(address->host, "127.") && is_numbers(address->host)) ||
               strcmp(address->host, "::1") == 0 || strcmp(address->host, "localhost") == 0;
}

bool address_is_any(const struct address *address) {
        return !*address->host || strcmp(address->host, "0.0.0.0") == 0 || strcmp(address->host, "::") == 0;
}
