// SPDX-License-Identifier: Apache-2.0
#include "s3_sign.h"

#include <stdlib.h>
#include <string.h>

#include "crypt.h"
#include "text.h"
#include "vault_sum.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

enum { DAY_TEXT = 8 }; /* YYYYMMDD, what a time begins with */

void s3_credentials_fini(struct s3_credentials *credentials) {
        if (credentials->secret)
                crypt_wipe(credentials->secret, strlen(credentials->secret));
        free(credentials->key_id);
        free(credentials->secret);
        free(credentials->token);
        *credentials = (struct s3_credentials){0};
}

void s3_signed_fini(struct s3_signed *signed_) {
        buf_fini(&signed_->authorization);
}

void s3_escape(struct buf *buf, const char *text, bool is_path) {
        for (; *text; text++) {
                char c = *text;
                bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                                strchr("-._~", c) || (is_path && c == '/');

                if (is_plain)
                        buf_add(buf, &c, 1);
                else
                        buf_print(buf, "%%%02X", (unsigned char)c);
        }
}

void s3_put_query(struct buf *buf, const struct s3_pair *pairs, unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                buf_print(buf, "%s", i ? "&" : "");
                s3_escape(buf, pairs[i].name, false);
                buf_print(buf, "=");
                s3_escape(buf, pairs[i].value, false);
        }
}

static void put_hex(const uint8_t sum[32], char ret[S3_SUM_TEXT]) {
        static const char digits[] = "0123456789abcdef";

        for (unsigned i = 0; i < 32; i++) {
                ret[2 * i] = digits[sum[i] >> 4];
                ret[2 * i + 1] = digits[sum[i] & 15];
        }
        ret[64] = 0;
}

/* "20130524T000000Z": without what people want between. */
static void put_time(int64_t seconds, char ret[S3_TIME_TEXT]) {
        size_t n = 0;

        for (const char *at = text_time(seconds).s; *at && n < S3_TIME_TEXT - 1; at++)
                if (*at != '-' && *at != ':')
                        ret[n++] = *at;
        ret[n] = 0;
}

/* ---- what is signed -------------------------------------------------------------------------- */

/* The headers of a request and those that signing adds, by name. */
struct headers {
        struct s3_pair each[16];
        unsigned n;
};

static void add_header(struct headers *headers, const char *name, const char *value) {
        unsigned at = headers->n++;

        for (; at > 0 && strcmp(headers->each[at - 1].name, name) > 0; at--)
                headers->each[at] = headers->each[at - 1];
        headers->each[at] = (struct s3_pair){name, value};
}

static void put_names(struct buf *buf, const struct headers *headers) {
        for (unsigned i = 0; i < headers->n; i++)
                buf_print(buf, "%s%s", i ? ";" : "", headers->each[i].name);
}

static void put_canonical(struct buf *buf, const struct s3_request *request, const struct headers *headers,
                          const char *payload_sum) {
        buf_print(buf, "%s\n%s\n", request->method, request->path);
        s3_put_query(buf, request->query, request->n_query);
        buf_print(buf, "\n");
        for (unsigned i = 0; i < headers->n; i++)
                buf_print(buf, "%s:%s\n", headers->each[i].name, headers->each[i].value);
        buf_print(buf, "\n");
        put_names(buf, headers);
        buf_print(buf, "\n%s", payload_sum);
}

/* ---- by what --------------------------------------------------------------------------------- */

static void derive(const uint8_t *key, size_t n_key, const char *text, size_t n, uint8_t ret[32]) {
        crypt_hmac(crypt_span(key, n_key), crypt_span(text, n), ret);
}

static void signing_key(const char *secret, const char *day, const char *region, uint8_t ret[32]) {
        AUTO(buf_fini) struct buf first = {0};

        buf_print(&first, "AWS4%s", secret);
        derive(first.data, first.n, day, DAY_TEXT, ret);
        crypt_wipe(first.data, first.n);
        derive(ret, 32, region, strlen(region), ret);
        derive(ret, 32, "s3", 2, ret);
        derive(ret, 32, "aws4_request", 12, ret);
}

static void put_scope(struct buf *buf, const struct s3_signed *signed_, const struct s3_request *request) {
        buf_print(buf, "%.*s/%s/s3/aws4_request", DAY_TEXT, signed_->time, request->region);
}

static void sign(const struct s3_credentials *credentials, const struct s3_request *request,
                 const struct headers *headers, const struct s3_signed *signed_, char ret[S3_SUM_TEXT]) {
        AUTO(buf_fini) struct buf canonical = {0}, text = {0};
        char sum_text[S3_SUM_TEXT];
        uint8_t sum[32], key[32];

        put_canonical(&canonical, request, headers, signed_->payload_sum);
        vault_sum(&(struct span){canonical.data, canonical.n}, 1, sum);
        put_hex(sum, sum_text);
        buf_print(&text, ALGORITHM "\n%s\n", signed_->time);
        put_scope(&text, signed_, request);
        buf_print(&text, "\n%s", sum_text);
        signing_key(credentials->secret, signed_->time, request->region, key);
        derive(key, sizeof key, (const char *)text.data, text.n, sum);
        crypt_wipe(key, sizeof key);
        put_hex(sum, ret);
}

void s3_sign(const struct s3_credentials *credentials, const struct s3_request *request,
             struct s3_signed *ret) {
        struct headers headers = {0};
        char signature[S3_SUM_TEXT];

        *ret = (struct s3_signed){0};
        put_time(request->time, ret->time);
        put_hex(request->payload_sum, ret->payload_sum);
        for (unsigned i = 0; i < request->n_headers; i++)
                add_header(&headers, request->headers[i].name, request->headers[i].value);
        add_header(&headers, "host", request->host);
        add_header(&headers, "x-amz-content-sha256", ret->payload_sum);
        add_header(&headers, "x-amz-date", ret->time);
        if (credentials->token)
                add_header(&headers, "x-amz-security-token", credentials->token);
        sign(credentials, request, &headers, ret, signature);
        buf_print(&ret->authorization, ALGORITHM " Credential=%s/", credentials->key_id);
        put_scope(&ret->authorization, ret, request);
        buf_print(&ret->authorization, ",SignedHeaders=");
        put_names(&ret->authorization, &headers);
        buf_print(&ret->authorization, ",Signature=%s", signature);
}
