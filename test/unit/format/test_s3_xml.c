// SPDX-License-Identifier: Apache-2.0
#include "s3_xml.h"

#include "buf.h"
#include "check.h"
#include "mem.h"

static struct span text(const char *of) {
        return (struct span){(const uint8_t *)of, strlen(of)};
}

#define LISTING(what)                                                                                        \
        "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://x/\"><Name>b</Name>" what                   \
        "</ListBucketResult>"

static void a_listing_has_keys_and_sizes_and_where_it_goes_on(void **state) {
        AUTO(s3_listing_fini) struct s3_listing listing = {0};
        struct err_note note;

        (void)state;
        assert_ok(s3_listing_decode(
                text(LISTING(
                        "<IsTruncated>true</IsTruncated><Contents><Key>a&amp;b</Key><Size>12</Size><Owner>"
                        "<ID>7</ID></Owner></Contents><NextContinuationToken>t/&lt;</NextContinuationToken>"
                        "<Contents><Size>0</Size><Key>c</Key></Contents>")),
                &listing, &note));
        assert_int_equal(listing.each.n, 2);
        assert_string_equal(listing.each.data[0].key, "a&b");
        assert_int_equal(listing.each.data[0].size, 12);
        assert_string_equal(listing.each.data[1].key, "c");
        assert_string_equal(listing.next, "t/<");
}

static void what_is_no_listing_says_so(void **state) {
        static const struct {
                const char *xml, *says;
        } wrong[] = {
                {"", "no element found"},
                {"<a>", "no element found"},
                {"<Error><Code>x</Code></Error>", "no listing: <Error>"},
                {LISTING("<IsTruncated>true</IsTruncated>"), "how it goes on"},
                {LISTING("<Contents><Size>1</Size></Contents>"), "without a key"},
                {LISTING("<Contents><Key>a</Key><Size>-1</Size></Contents>"), "a size that is none"},
                {LISTING("<Contents><Key>a</Key><Size>99999999999999999999</Size></Contents>"), "a size"},
                {"<!DOCTYPE a [<!ENTITY b \"c\">]><ListBucketResult/>", "a document type"},
                {"<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a></a></"
                 "a>"
                 "</a></a></a></a></a></a>",
                 "nested too deep"},
        };

        (void)state;
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
                AUTO(s3_listing_fini) struct s3_listing listing = {0};
                struct err_note note;

                assert_err(s3_listing_decode(text(wrong[i].xml), &listing, &note), ERR_CORRUPT,
                           wrong[i].says);
        }
}

static void a_text_without_end_is_refused(void **state) {
        AUTO(buf_fini) struct buf xml = {0};
        AUTO(s3_listing_fini) struct s3_listing listing = {0};
        struct err_note note;

        (void)state;
        buf_print(&xml, "<ListBucketResult><Name>%*s</Name></ListBucketResult>", 3000, "x");
        assert_err(s3_listing_decode((struct span){xml.data, xml.n}, &listing, &note), ERR_CORRUPT,
                   "too long");
}

static void an_upload_has_an_id(void **state) {
        AUTO_FREE char *id = NULL;
        char *none;
        struct err_note note;

        (void)state;
        assert_ok(s3_upload_id_decode(text("<InitiateMultipartUploadResult><UploadId>u1</UploadId>"
                                           "</InitiateMultipartUploadResult>"),
                                      &id, &note));
        assert_string_equal(id, "u1");
        assert_err(s3_upload_id_decode(text("<InitiateMultipartUploadResult/>"), &none, &note), ERR_CORRUPT,
                   "no id");
}

static void an_end_with_status_200_may_be_an_error(void **state) {
        AUTO(s3_error_fini) struct s3_error error = {0}, nothing = {0}, whole = {0};

        (void)state;
        assert_true(s3_complete_is_error(
                text("<Error><Code>InternalError</Code><Message>again</Message></Error>"), &error));
        assert_string_equal(error.code, "InternalError");
        assert_string_equal(error.message, "again");
        assert_true(s3_complete_is_error(text("<CompleteMultipartUploadRes"), &nothing));
        assert_false(s3_complete_is_error(text("<CompleteMultipartUploadResult><Key>k</Key>"
                                               "</CompleteMultipartUploadResult>"),
                                          &whole));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_listing_has_keys_and_sizes_and_where_it_goes_on),
                cmocka_unit_test(what_is_no_listing_says_so),
                cmocka_unit_test(a_text_without_end_is_refused),
                cmocka_unit_test(an_upload_has_an_id),
                cmocka_unit_test(an_end_with_status_200_may_be_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
