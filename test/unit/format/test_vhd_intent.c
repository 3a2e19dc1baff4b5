// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "mem.h"
#include "vhd.h"
#include "vhd_intent.h"

enum { CHECKSUM_AT = offsetof(struct vhd_intent_disk, checksum), HEAD = sizeof(struct vhd_intent_disk) };

static void add(struct vhd_intent *intent, uint8_t uuid, uint64_t size, const char *path) {
        struct vhd_intent_node *node = vec_add(&intent->nodes);

        node->uuid.b[15] = uuid;
        node->is_raw = !uuid;
        node->size = size;
        node->path = mem_text(path);
}

/* A raw target, and two layers above it. */
static struct buf encoded(void) {
        AUTO(vhd_intent_fini) struct vhd_intent intent = {.begun = 1234567890123, .compatible = 4};
        struct buf bytes = {0};

        add(&intent, 0, 512, "/a/base.raw");
        add(&intent, 7, (uint64_t)1 << 40, "/a/\xc3\xbc.vhd");
        add(&intent, 9, (uint64_t)1 << 41, "/b");
        vhd_intent_encode(&intent, &bytes);
        return bytes;
}

static void seal(struct buf *bytes) {
        be32 sum = be32_put(vhd_checksum(bytes->data, bytes->n, CHECKSUM_AT));

        memcpy(bytes->data + CHECKSUM_AT, &sum, sizeof sum);
}

static void it_comes_back_as_it_was_written(void **state) {
        AUTO(vhd_intent_fini) struct vhd_intent back = {0};
        AUTO(buf_fini) struct buf bytes = encoded(), again = {0};
        struct err_note note = {0};

        (void)state;
        assert_ok(vhd_intent_decode((struct span){bytes.data, bytes.n}, &back, &note));
        assert_int_equal(back.begun, 1234567890123);
        assert_int_equal(back.nodes.n, 3);
        assert_true(back.nodes.data[0].is_raw && uuid_is_null(&back.nodes.data[0].uuid));
        assert_int_equal(back.nodes.data[1].uuid.b[15], 7);
        assert_int_equal(back.nodes.data[2].size, (uint64_t)1 << 41);
        assert_string_equal(back.nodes.data[1].path, "/a/\xc3\xbc.vhd");
        vhd_intent_encode(&back, &again);
        assert_int_equal(again.n, bytes.n);
        assert_memory_equal(again.data, bytes.data, bytes.n);
}

static void every_single_bit_error_and_every_cut_is_refused(void **state) {
        AUTO(buf_fini) struct buf bytes = encoded();
        struct vhd_intent back = {0};
        struct err_note note = {0};

        (void)state;
        for (size_t bit = 0; bit < bytes.n * 8; bit++) {
                bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_int_not_equal(vhd_intent_decode((struct span){bytes.data, bytes.n}, &back, &note), 0);
                bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t n = 0; n < bytes.n; n++)
                assert_err(vhd_intent_decode((struct span){bytes.data, n}, &back, &note), ERR_CORRUPT, "");
        assert_int_equal(back.nodes.n, 0);
}

/* With the right checksum: what the fields say is not believed. */
static void what_breaks_a_rule_is_refused(void **state) {
        static const struct {
                size_t at;
                uint8_t byte;
                enum err want;
                const char *words;
        } table[] = {
                {8 + 3, 2, ERR_UNSUPPORTED, "later version"},
                {16 + 7, 1, ERR_UNSUPPORTED, "later version"},
                {12 + 3, 1, ERR_CORRUPT, "bytes"},
                {44 + 3, 0, ERR_CORRUPT, "names no run"},
                {44 + 3, 2, ERR_CORRUPT, "behind its last node"},
                {44 + 3, 4, ERR_CORRUPT, "in the middle"},
                {44, 0xff, ERR_CORRUPT, "in the middle"},
                {HEAD + 15, 1, ERR_CORRUPT, "neither raw nor"},
                {HEAD + 24 + 3, 0, ERR_CORRUPT, "neither raw nor"},
                {HEAD + 24 + 3, 2, ERR_CORRUPT, "neither raw nor"},
                {HEAD + 28, 0xff, ERR_CORRUPT, "no path"},
                {HEAD + 28 + 3, 0, ERR_CORRUPT, "no path"},
                {HEAD + 32, 'a', ERR_CORRUPT, "no path"},
                {HEAD + 33, 0, ERR_CORRUPT, "no path"},
                {HEAD + 32 + 11 + 24 + 3, 1, ERR_CORRUPT, "neither raw nor"}, /* raw, above the target */
        };

        (void)state;
        for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
                AUTO(buf_fini) struct buf bytes = encoded();
                struct vhd_intent back = {0};
                struct err_note note = {0};

                bytes.data[table[i].at] = table[i].byte;
                seal(&bytes);
                assert_err(vhd_intent_decode((struct span){bytes.data, bytes.n}, &back, &note), table[i].want,
                           table[i].words);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(it_comes_back_as_it_was_written),
                cmocka_unit_test(every_single_bit_error_and_every_cut_is_refused),
                cmocka_unit_test(what_breaks_a_rule_is_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
