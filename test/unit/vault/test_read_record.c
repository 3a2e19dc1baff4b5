// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "io_sim.h"
#include "read_record.h"

#define PATH "/record"

static const struct vault_name vault = {{1, 2, 3}};

static struct vault_name pack(uint8_t number) {
        return (struct vault_name){{number, 7}};
}

static void add(struct read_record *record, uint8_t number, uint64_t now, bool content) {
        const struct vault_name name = pack(number);

        read_record_add(record, &name, now, content);
}

static struct read_row *find(struct read_record *record, uint8_t number) {
        const struct vault_name name = pack(number);

        return read_record_find(record, &name);
}

static void fill(struct read_record *record) {
        *record = (struct read_record){.vault = vault, .began = 77};
        add(record, 9, 100, true);
        add(record, 3, 200, false);
        add(record, 5, 300, true);
}

static void a_pack_has_one_row_that_tells_the_last_of_each(void **state) {
        AUTO(read_record_fini) struct read_record record;

        (void)state;
        fill(&record);
        add(&record, 5, 400, false);
        add(&record, 9, 50, true); /* the clock was set back */
        assert_int_equal(record.rows.n, 3);
        assert_int_equal(find(&record, 5)->tags_at, 400);
        assert_int_equal(find(&record, 5)->content_at, 300);
        assert_int_equal(find(&record, 3)->content_at, 0);
        assert_int_equal(find(&record, 9)->content_at, 100);
        assert_null(find(&record, 4));
}

static void it_comes_back_as_it_was_kept(void **state) {
        struct io *io = io_sim_new(3, 0);
        AUTO(read_record_fini) struct read_record record;
        AUTO(read_record_fini) struct read_record again = {0};
        AUTO(read_record_fini) struct read_record none = {0};
        AUTO(read_record_fini) struct read_record other = {0};
        const struct vault_name another = {{9}};
        struct err_note note;

        (void)state;
        fill(&record);
        assert_ok(read_record_load(io, PATH, &vault, &none, &note)); /* there is none yet */
        assert_true(none.rows.n == 0 && none.began == 0);
        assert_ok(read_record_save(io, PATH, &none, &note));
        assert_ok(read_record_save(io, PATH, &record, &note));
        assert_ok(read_record_load(io, PATH, &vault, &again, &note));
        assert_int_equal(again.began, 77);
        assert_int_equal(again.rows.n, 3);
        assert_memory_equal(again.rows.data, record.rows.data, 3 * sizeof *record.rows.data);
        assert_ok(read_record_load(io, PATH, &another, &other, &note));
        assert_int_equal(other.rows.n, 0);
        assert_int_equal(io_sim_open_files(io), 0);
        io_free(io);
}

static void any_other_byte_makes_it_none(void **state) {
        AUTO(read_record_fini) struct read_record record;
        AUTO(buf_fini) struct buf bytes = {0};
        struct read_record read = {0};
        struct err_note note;

        (void)state;
        fill(&record);
        read_record_encode(&record, &bytes);
        for (size_t i = 0; i < bytes.n; i++) {
                bytes.data[i] ^= 4;
                assert_int_equal(read_record_decode((struct span){bytes.data, bytes.n}, &read, &note),
                                 ERR_CORRUPT);
                assert_int_equal(read_record_decode((struct span){bytes.data, i}, &read, &note), ERR_CORRUPT);
                bytes.data[i] ^= 4;
        }
        assert_ok(read_record_decode((struct span){bytes.data, bytes.n}, &read, &note));
        read_record_fini(&read);
}

static void rows_that_contradict_are_refused(void **state) {
        AUTO(read_record_fini) struct read_record record;
        AUTO(buf_fini) struct buf order = {0};
        AUTO(buf_fini) struct buf deep = {0};
        struct read_record read;
        struct err_note note;

        (void)state;
        fill(&record);
        record.rows.data[1].pack = record.rows.data[0].pack;
        read_record_encode(&record, &order);
        assert_err(read_record_decode((struct span){order.data, order.n}, &read, &note), ERR_CORRUPT,
                   "row 1 is out of order");
        record.rows.data[1].pack = pack(4);
        record.rows.data[2].content_at = record.rows.data[2].tags_at + 1;
        read_record_encode(&record, &deep);
        assert_err(read_record_decode((struct span){deep.data, deep.n}, &read, &note), ERR_CORRUPT,
                   "row 2 contradicts itself");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_pack_has_one_row_that_tells_the_last_of_each),
                cmocka_unit_test(it_comes_back_as_it_was_kept),
                cmocka_unit_test(any_other_byte_makes_it_none),
                cmocka_unit_test(rows_that_contradict_are_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
