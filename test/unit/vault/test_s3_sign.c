// SPDX-License-Identifier: Apache-2.0
#include "s3_sign.h"

#include "check.h"
#include "mem.h"
#include "vault_sum.h"

/* The examples of the Amazon S3 API Reference, "Signature Calculations for the Authorization Header". */
static struct s3_credentials example(void) {
        return (struct s3_credentials){.key_id = mem_text("AKIAIOSFODNN7EXAMPLE"),
                                       .secret = mem_text("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")};
}

static void assert_signed(const struct s3_request *how, const char *payload, const char *want) {
        AUTO(s3_credentials_fini) struct s3_credentials credentials = example();
        AUTO(s3_signed_fini) struct s3_signed got = {0};
        struct s3_request request = *how;

        request.host = "examplebucket.s3.amazonaws.com";
        request.region = "us-east-1";
        request.time = 1369353600;
        vault_sum(&(struct span){(const uint8_t *)payload, strlen(payload)}, 1, request.payload_sum);
        s3_sign(&credentials, &request, &got);
        assert_string_equal(got.time, "20130524T000000Z");
        assert_non_null(
                strstr(buf_text(&got.authorization), "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1"));
        assert_non_null(strstr(buf_text(&got.authorization), want));
}

static void a_range_of_an_object(void **state) {
        const struct s3_pair headers[] = {{"range", "bytes=0-9"}};

        (void)state;
        assert_signed(
                &(struct s3_request){
                        .method = "GET", .path = "/test.txt", .headers = headers, .n_headers = 1},
                "",
                "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature="
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void an_object_that_is_put(void **state) {
        const struct s3_pair headers[] = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                          {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
        AUTO(buf_fini) struct buf path = {0};

        (void)state;
        s3_escape(&path, "/test$file.text", true);
        assert_signed(
                &(struct s3_request){
                        .method = "PUT", .path = buf_text(&path), .headers = headers, .n_headers = 2},
                "Welcome to Amazon S3.", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void queries(void **state) {
        const struct s3_pair lifecycle[] = {{"lifecycle", ""}};
        const struct s3_pair list[] = {{"max-keys", "2"}, {"prefix", "J"}};

        (void)state;
        assert_signed(&(struct s3_request){.method = "GET", .path = "/", .query = lifecycle, .n_query = 1},
                      "", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
        assert_signed(&(struct s3_request){.method = "GET", .path = "/", .query = list, .n_query = 2}, "",
                      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void texts_are_escaped_as_uris_have_it(void **state) {
        const struct s3_pair pairs[] = {{"a b", "1+2/3"}, {"c", "\xc3\xa9~"}};
        AUTO(buf_fini) struct buf path = {0}, query = {0};

        (void)state;
        s3_escape(&path, "/a b/c+d=\xc3\xa9", true);
        assert_string_equal(buf_text(&path), "/a%20b/c%2Bd%3D%C3%A9");
        s3_put_query(&query, pairs, 2);
        assert_string_equal(buf_text(&query), "a%20b=1%2B2%2F3&c=%C3%A9~");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_range_of_an_object),
                cmocka_unit_test(an_object_that_is_put),
                cmocka_unit_test(queries),
                cmocka_unit_test(texts_are_escaped_as_uris_have_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
