// SPDX-License-Identifier: Apache-2.0
#include "stream_kit.h"

#include <malloc.h>

#include "vhd_bat.h"
#include "vhd_batmap.h"
#include "vhd_bitmap.h"
#include "vhd_check.h"
#include "vhd_layout.h"
#include "vhd_meta.h"

/* A chain /0.vhd … /depth-1.vhd of random content; the top is the last.  Sizes grow, and are odd. */
static void make_chain(struct world *w, int depth, struct fixture_dice *dice, int n_changes) {
        uint64_t size = 4 * BLOCK + 1536;
        char path[32], parent[32] = "";
        struct err_note note;

        for (int i = 0; i < depth; i++) {
                snprintf(path, sizeof path, "/%d.vhd", i);
                assert_ok(fixture_vhd(w->io, path, size, i ? parent : NULL, &note));
                kit_change(w, path, dice, n_changes);
                snprintf(parent, sizeof parent, "%s", path);
                size += i % 2 ? 0 : BLOCK / 2 + 512;
        }
}

static void a_raw_stream_is_the_disk_at_any_depth(void **state) {
        (void)state;
        for (int depth = 1; depth <= 5; depth += 2) {
                struct fixture_dice dice = {(uint64_t)depth};
                char top[32];
                struct world w;

                world_init(&w, 1);
                make_chain(&w, depth, &dice, 12);
                snprintf(top, sizeof top, "/%d.vhd", depth - 1);
                {
                        AUTO(buf_fini) struct buf stream = kit_export(&w, top, NULL, STREAM_RAW);

                        assert_reads_as(&w, top, &stream);
                }
                world_fini(&w);
        }
}

static void an_exported_vhd_is_a_vhd_that_reads_the_same(void **state) {
        (void)state;
        for (int depth = 1; depth <= 5; depth += 2) {
                struct fixture_dice dice = {77 + (uint64_t)depth};
                char top[32];
                struct world w;

                world_init(&w, 1);
                make_chain(&w, depth, &dice, 12);
                snprintf(top, sizeof top, "/%d.vhd", depth - 1);
                {
                        AUTO(buf_fini) struct buf stream = kit_export(&w, top, NULL, STREAM_VHD);
                        AUTO(buf_fini) struct buf disk = kit_read(&w, top);

                        kit_put_file(&w, "/out.vhd", &stream);
                        assert_reads_as(&w, "/out.vhd", &disk);
                        kit_change(&w, "/out.vhd", &dice, 3); /* and may be written to */
                }
                world_fini(&w);
        }
}

/* Compares each sector's bit with what the chain says, on one block. */
static void same_bits(struct chain *chain, struct chain *base, uint64_t block, const uint8_t *bits) {
        uint64_t at = block * BLOCK;
        struct err_note note;

        for (uint32_t s = 0; s < VHD_BLOCK_SECTORS; s++, at += SECTOR) {
                struct extent extent = {.kind = EXTENT_HOLE};

                if (at < chain_size(chain))
                        assert_ok(chain_extent_at(chain, base, at, SECTOR, &extent, &note));
                if (vhd_bitmap_test(bits, s) != (extent.kind == EXTENT_DATA)) {
                        print_error("block %llu sector %u\n", (unsigned long long)block, s);
                        fail();
                }
        }
}

/* The file's structure: blocks in order and aligned, bitmaps exact, batmap true, data as the chain reads it.
 */
static void check_structure(struct world *w, struct chain *chain, struct chain *base,
                            const struct buf *stream) {
        AUTO(io_close) struct io_file *file = NULL;
        uint32_t n = vhd_blocks_of(chain_size(chain));
        AUTO_FREE uint32_t *bat = mem_zero(n * sizeof *bat);
        AUTO_FREE uint8_t *batmap = mem_zero(4096);
        AUTO_FREE uint8_t *want = mem_zero(BLOCK);
        AUTO(findings_fini) struct findings findings = {0};
        uint64_t last = 0, n_whole = 0;
        struct vhd_meta meta;
        struct err_note note;

        assert_ok(vhd_check(w->io, "/out.vhd", VHD_CHECK_BITMAPS, &findings, &note));
        VEC_EACH (&findings.list, finding)
                print_error("%s at %llu: %s\n", finding->part, (unsigned long long)finding->at,
                            finding->text);
        assert_int_equal(findings.list.n, 0);
        assert_ok(io_open(w->io, "/out.vhd", IO_READ, &file, &note));
        assert_ok(vhd_meta_read(file, 0, &meta, &note));
        assert_int_equal(meta.copy_state, VHD_PART_VALID);
        assert_int_equal(meta.end_state, VHD_PART_VALID);
        assert_int_equal(meta.footer.type, base ? VHD_DIFFERENCING : VHD_DYNAMIC);
        assert_true(uuid_equal(&meta.footer.uuid, &kit_uuid));
        assert_ok(vhd_meta_read_bat(file, &meta, bat, n, &note));
        assert_ok(vhd_meta_read_batmap(file, &meta, batmap, n, &note));
        for (uint32_t b = 0; b < n; b++) {
                const uint8_t *bits = stream->data + (uint64_t)bat[b] * SECTOR;
                uint64_t size = min_u64(BLOCK, chain_size(chain) - b * BLOCK);

                assert_int_equal(bat[b] != VHD_BAT_UNUSED, chain_block_is_held(chain, base, b));
                if (bat[b] == VHD_BAT_UNUSED) {
                        assert_false(vhd_bitmap_test(batmap, b));
                        continue;
                }
                assert_true((bat[b] + 1) % 8 == 0 && bat[b] > last);
                assert_true(last == 0 || bat[b] == last + VHD_STRIDE_SECTORS);
                last = bat[b];
                same_bits(chain, base, b, bits);
                if (vhd_bitmap_test(batmap, b))
                        assert_true(vhd_bitmap_is_full(bits));
                n_whole += vhd_bitmap_test(batmap, b);
                assert_ok(chain_read(chain, want, size, b * BLOCK, &note));
                for (uint64_t s = 0; s < BLOCK / SECTOR; s++) {
                        const uint8_t *got = bits + VHD_BITMAP_SIZE + s * SECTOR;

                        if (vhd_bitmap_test(bits, (uint32_t)s))
                                assert_memory_equal(got, want + s * SECTOR, SECTOR);
                        else
                                assert_true(bytes_are_zero(got, SECTOR));
                }
        }
        assert_true(n_whole > 0);
        assert_int_equal(stream->n,
                         (last ? vhd_block_end((uint32_t)last) : meta.end_footer_at) + VHD_FOOTER_SIZE);
}

static void a_delta_has_exactly_the_sectors_that_differ(void **state) {
        static const char *const bases[] = {NULL, "/0.vhd", "/1.vhd", "/2.vhd", "/other.vhd"};
        struct fixture_dice dice = {5};
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        make_chain(&w, 4, &dice, 10);
        assert_ok(fixture_vhd(w.io, "/other.vhd", 6 * BLOCK, "/1.vhd", &note)); /* a sibling */
        kit_change(&w, "/other.vhd", &dice, 6);
        for (unsigned i = 0; i < sizeof bases / sizeof *bases; i++) {
                AUTO(buf_fini) struct buf stream = kit_export(&w, "/3.vhd", bases[i], STREAM_VHD);
                struct chain *chain = kit_open(&w, "/3.vhd", CHAIN_READ);
                struct chain *base = bases[i] ? kit_open(&w, bases[i], CHAIN_READ) : NULL;

                kit_put_file(&w, "/out.vhd", &stream);
                check_structure(&w, chain, base, &stream);
                if (base)
                        kit_close(base);
                kit_close(chain);
                assert_ok(io_unlink(w.io, "/out.vhd", &note));
        }
        world_fini(&w);
}

/* What comes behind a jump to `at` is what comes without one. */
static void same_from(struct chain *chain, const struct buf *stream, uint64_t at) {
        struct stream_source_options options = {.format = STREAM_VHD, .uuid = kit_uuid};
        AUTO(stream_source_free) struct stream_source *source = NULL;
        AUTO_FREE uint8_t *got = mem_zero(stream->n);
        struct err_note note;
        size_t n;

        assert_ok(stream_source_new(chain, &options, &source, &note));
        stream_source_skip(source, at);
        assert_ok(stream_source_pull(source, got, stream->n, &n, &note));
        assert_same(got, n, stream->data + at, stream->n - at);
}

/* Its blocks adjoin in the file, and the last one is cut by its end. */
static void a_raw_disk_goes_out_too(void **state) {
        AUTO_FREE uint8_t *data = mem_zero(3 * BLOCK);
        const uint64_t size = 2 * BLOCK + 300 * SECTOR;
        struct io_file *file;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        fixture_fill(data, size, 0, 8);
        assert_ok(io_open(w.io, "/a.raw", IO_CREATE, &file, &note));
        assert_ok(io_write(file, data, size, 0, &note));
        io_close(file);
        {
                AUTO(buf_fini) struct buf raw = kit_export(&w, "/a.raw", NULL, STREAM_RAW);
                AUTO(buf_fini) struct buf stream = kit_export(&w, "/a.raw", NULL, STREAM_VHD);
                struct chain *chain = kit_open(&w, "/a.raw", CHAIN_READ);

                assert_same(raw.data, raw.n, data, size);
                kit_put_file(&w, "/out.vhd", &stream);
                check_structure(&w, chain, NULL, &stream);
                same_from(chain, &stream, BLOCK / 4 * 7 + 8192);
                kit_close(chain);
        }
        world_fini(&w);
}

static void it_makes_no_difference_how_a_stream_is_pulled(void **state) {
        static const size_t pieces[] = {1, 7, 512, 4096, 100000, 4 * 1024 * 1024};
        struct fixture_dice dice = {9};
        struct chain *chain;
        struct world w;

        (void)state;
        world_init(&w, 1);
        make_chain(&w, 2, &dice, 8);
        chain = kit_open(&w, "/1.vhd", CHAIN_READ);
        for (int format = 0; format < 2; format++) {
                struct stream_source_options options = {.format = format ? STREAM_VHD : STREAM_RAW,
                                                        .uuid = kit_uuid};
                AUTO(buf_fini) struct buf want = kit_pull(chain, &options, 1 << 20);
                AUTO(buf_fini) struct buf skipped = {0};
                uint64_t holes;

                for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++) {
                        AUTO(buf_fini) struct buf got = kit_pull(chain, &options, pieces[i]);

                        assert_same(got.data, got.n, want.data, want.n);
                }
                skipped = kit_peek(chain, &options, &holes);
                assert_same(skipped.data, skipped.n, want.data, want.n);
                assert_true(holes > BLOCK / 2);
        }
        kit_close(chain);
        world_fini(&w);
}

static void skipping_blindly_ends_up_at_the_right_bytes(void **state) {
        struct stream_source_options options = {.format = STREAM_VHD, .uuid = kit_uuid};
        struct fixture_dice dice = {11};
        AUTO(buf_fini) struct buf want = {0};
        struct stream_source *source;
        struct chain *chain;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        make_chain(&w, 2, &dice, 8);
        chain = kit_open(&w, "/1.vhd", CHAIN_READ);
        want = kit_pull(chain, &options, 1 << 20);
        for (int round = 0; round < 10; round++) {
                assert_ok(stream_source_new(chain, &options, &source, &note));
                while (stream_source_at(source) < want.n) {
                        uint64_t at = stream_source_at(source), left = want.n - at;
                        uint8_t data[5000];
                        size_t n;

                        if (fixture_roll(&dice, 2)) {
                                stream_source_skip(source, fixture_roll(&dice, min_u64(left, BLOCK)));
                                continue;
                        }
                        assert_ok(stream_source_pull(source, data, 1 + fixture_roll(&dice, sizeof data), &n,
                                                     &note));
                        assert_memory_equal(data, want.data + at, n);
                }
                stream_source_free(source);
        }
        kit_close(chain);
        world_fini(&w);
}

static void whole_blocks_are_merged_content_with_all_bits_set(void **state) {
        struct stream_source_options options = {.format = STREAM_VHD,
                                                .uuid = kit_uuid,
                                                .parent_uuid = kit_uuid,
                                                .parent_name = "b.vhd",
                                                .has_whole_blocks = true};
        struct fixture_dice dice = {21};
        AUTO(buf_fini) struct buf stream = {0};
        AUTO_FREE uint8_t *disk = NULL;
        struct vhd_layout layout;
        struct chain *chain;
        struct err_note note;
        uint64_t k = 0, size;
        struct world w;

        (void)state;
        world_init(&w, 1);
        make_chain(&w, 3, &dice, 6);
        chain = kit_open(&w, "/2.vhd", CHAIN_READ);
        options.base = kit_open(&w, "/1.vhd", CHAIN_READ);
        stream = kit_pull(chain, &options, 1 << 20);
        size = chain_size(chain);
        disk = mem_zero(round_up(size, BLOCK));
        assert_ok(chain_read(chain, disk, size, 0, &note));
        vhd_layout_init(&layout, VHD_DIFFERENCING, size, vhd_blocks_of(size), NULL);
        for (uint64_t b = 0; b < vhd_blocks_of(size); b++) {
                const uint8_t *bits = stream.data + vhd_slot_sector(layout.first_block_sector, k) * SECTOR;
                uint32_t n = (uint32_t)(min_u64(BLOCK, size - b * BLOCK) / SECTOR);

                if (!chain_block_is_held(chain, options.base, b))
                        continue;
                k++;
                assert_int_equal(vhd_bitmap_count(bits, 0, n), n);
                assert_int_equal(vhd_bitmap_count(bits, n, VHD_BLOCK_SECTORS), 0);
                assert_memory_equal(bits + VHD_BITMAP_SIZE, disk + b * BLOCK, BLOCK);
        }
        assert_true(k > 0);
        kit_close(options.base);
        kit_close(chain);
        world_fini(&w);
}

static void a_block_without_a_sector_is_sent_with_an_empty_bitmap(void **state) {
        struct fixture_dice dice = {1};
        AUTO(buf_fini) struct buf stream = {0};
        struct vhd_layout layout;
        struct io_file *file;
        struct vhd_meta meta;
        struct err_note note;
        uint32_t entry;
        struct world w;
        struct chain *chain;
        const uint8_t none[VHD_BITMAP_SIZE] = {0};

        (void)state, (void)dice;
        world_init(&w, 1);
        assert_ok(fixture_vhd(w.io, "/a.vhd", 3 * BLOCK, NULL, &note));
        chain = kit_open(&w, "/a.vhd", CHAIN_WRITE);
        assert_ok(chain_write(chain, "x", 1, 5000, &note));
        kit_close(chain);
        assert_ok(io_open(w.io, "/a.vhd", IO_WRITE, &file, &note));
        assert_ok(vhd_meta_read(file, 0, &meta, &note));
        assert_ok(vhd_meta_read_bat(file, &meta, &entry, 1, &note));
        assert_ok(io_write(file, none, sizeof none, (uint64_t)entry * SECTOR, &note));
        io_close(file);
        stream = kit_export(&w, "/a.vhd", NULL, STREAM_VHD);
        vhd_layout_init(&layout, VHD_DYNAMIC, 3 * BLOCK, 3, NULL);
        assert_int_equal(stream.n, vhd_block_end((uint32_t)layout.first_block_sector) + VHD_FOOTER_SIZE);
        assert_true(
                bytes_are_zero(stream.data + layout.first_block_sector * SECTOR, VHD_BITMAP_SIZE + BLOCK));
        world_fini(&w);
}

static void an_empty_disk_is_a_head_and_a_footer(void **state) {
        AUTO(buf_fini) struct buf stream = {0};
        struct vhd_layout layout;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        assert_ok(fixture_vhd(w.io, "/a.vhd", 5 * BLOCK, NULL, &note));
        stream = kit_export(&w, "/a.vhd", NULL, STREAM_VHD);
        vhd_layout_init(&layout, VHD_DYNAMIC, 5 * BLOCK, 5, NULL);
        assert_int_equal(stream.n, layout.headers_end + VHD_FOOTER_SIZE);
        kit_put_file(&w, "/out.vhd", &stream);
        kit_close(kit_open(&w, "/out.vhd", CHAIN_READ));
        world_fini(&w);
}

static void a_read_that_fails_names_disk_and_file_and_may_be_tried_again(void **state) {
        struct stream_source_options options = {.format = STREAM_RAW};
        AUTO_FREE uint8_t *data = mem_zero(4 * BLOCK);
        AUTO_FREE uint8_t *got = mem_zero(4 * BLOCK);
        struct stream_source *source;
        struct chain *chain;
        struct err_note note;
        struct io_file *file;
        struct vhd_meta meta;
        uint32_t bat[4];
        struct world w;
        size_t n;

        (void)state;
        world_init(&w, 1);
        fixture_fill(data, 4 * BLOCK, 0, 3);
        assert_ok(fixture_vhd(w.io, "/a.vhd", 4 * BLOCK, NULL, &note));
        chain = kit_open(&w, "/a.vhd", CHAIN_WRITE);
        assert_ok(chain_write(chain, data, 4 * BLOCK, 0, &note));
        kit_close(chain);
        assert_ok(io_open(w.io, "/a.vhd", IO_READ, &file, &note));
        assert_ok(vhd_meta_read(file, 0, &meta, &note));
        assert_ok(vhd_meta_read_bat(file, &meta, bat, 4, &note));
        io_close(file);

        chain = kit_open(&w, "/a.vhd", CHAIN_READ);
        assert_ok(stream_source_new(chain, &options, &source, &note));
        io_sim_break(w.io, "/a.vhd", 1, vhd_block_data_at(bat[3]) + 1024 * 1024 + 5);
        assert_ok(stream_source_pull(source, got, 4 * BLOCK, &n, &note));
        assert_true(n < 4 * BLOCK);
        assert_memory_equal(got, data, n);
        for (int i = 0; i < 2; i++) {
                size_t none;

                assert_err(stream_source_pull(source, got, 4 * BLOCK, &none, &note), ERR_IO,
                           "of the disk from /a.vhd");
                assert_non_null(strstr(note.text, "at 7340032 of"));
        }
        io_sim_break(w.io, "/a.vhd", 0, 0);
        assert_ok(stream_source_pull(source, got + n, 4 * BLOCK - n, &n, &note));
        assert_memory_equal(got, data, 4 * BLOCK);
        stream_source_free(source);
        kit_close(chain);
        world_fini(&w);
}

static void a_block_that_is_trimmed_meanwhile_is_sent_as_zeros(void **state) {
        struct stream_source_options options = {.format = STREAM_VHD, .uuid = kit_uuid};
        AUTO_FREE uint8_t *data = mem_zero(3 * BLOCK);
        AUTO(buf_fini) struct buf stream = {0};
        AUTO(stream_source_free) struct stream_source *source = NULL;
        AUTO(findings_fini) struct findings findings = {0};
        struct chain *chain;
        struct err_note note;
        struct world w;
        size_t n;

        (void)state;
        world_init(&w, 1);
        fixture_fill(data, 3 * BLOCK, 0, 2);
        assert_ok(fixture_vhd(w.io, "/a.vhd", 3 * BLOCK, NULL, &note));
        chain = kit_open(&w, "/a.vhd", CHAIN_WRITE);
        assert_ok(chain_write(chain, data, 3 * BLOCK, 0, &note));
        assert_ok(stream_source_new(chain, &options, &source, &note));
        (void)buf_extend(&stream, stream_source_length(source));
        assert_ok(stream_source_pull(source, stream.data, 1000, &n, &note));
        assert_ok(chain_trim(chain, BLOCK, BLOCK, &note));
        assert_ok(stream_source_pull(source, stream.data + 1000, stream.n - 1000, &n, &note));
        assert_int_equal(n, stream.n - 1000);
        stream_source_free(TAKE(source));
        kit_put_file(&w, "/out.vhd", &stream);
        assert_ok(vhd_check(w.io, "/out.vhd", VHD_CHECK_BITMAPS, &findings, &note));
        assert_int_equal(findings.list.n, 0);
        buf_fini(&stream);
        memset(data + BLOCK, 0, BLOCK);
        buf_add(&stream, data, 3 * BLOCK);
        assert_reads_as(&w, "/out.vhd", &stream);
        kit_close(chain);
        world_fini(&w);
}

static void options_that_make_no_sense_are_refused(void **state) {
        struct stream_source *source;
        struct chain *chain;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        assert_ok(fixture_vhd(w.io, "/a.vhd", BLOCK, NULL, &note));
        chain = kit_open(&w, "/a.vhd", CHAIN_READ);
        assert_err(stream_source_new(chain, &(struct stream_source_options){.format = STREAM_VHD}, &source,
                                     &note),
                   ERR_INVALID, "needs a uuid");
        assert_err(stream_source_new(chain,
                                     &(struct stream_source_options){.format = STREAM_RAW, .base = chain},
                                     &source, &note),
                   ERR_INVALID, "cannot be a delta");
        assert_err(stream_source_new(chain,
                                     &(struct stream_source_options){
                                             .format = STREAM_VHD, .base = chain, .uuid = kit_uuid},
                                     &source, &note),
                   ERR_INVALID, "parent's uuid");
        assert_err(stream_source_new(chain,
                                     &(struct stream_source_options){.format = STREAM_VHD,
                                                                     .base = chain,
                                                                     .uuid = kit_uuid,
                                                                     .parent_uuid = kit_uuid,
                                                                     .parent_name = ""},
                                     &source, &note),
                   ERR_INVALID, "");
        kit_close(chain);
        world_fini(&w);
}

/* 0 where a sanitizer has its own allocator. */
static size_t bytes_in_use(void) {
        struct mallinfo2 info = mallinfo2();

        return info.uordblks + info.hblkhd;
}

static void reading_takes_few_calls_and_little_memory(void **state) {
        struct stream_source_options options = {.format = STREAM_VHD, .uuid = kit_uuid};
        AUTO_FREE uint8_t *data = mem_zero(16 * BLOCK);
        struct stream_source *source;
        struct io_sim_traffic before, after;
        size_t n, in_use_before;
        struct chain *chain;
        struct err_note note;
        struct world w;
        const void *piece;

        (void)state;
        world_init(&w, 1);
        fixture_fill(data, 16 * BLOCK, 0, 3);
        assert_ok(fixture_vhd(w.io, "/a.vhd", 16 * BLOCK, NULL, &note));
        chain = kit_open(&w, "/a.vhd", CHAIN_WRITE);
        assert_ok(chain_write(chain, data, 16 * BLOCK, 0, &note));
        kit_close(chain);
        chain = kit_open(&w, "/a.vhd", CHAIN_READ);
        in_use_before = bytes_in_use();
        assert_ok(stream_source_new(chain, &options, &source, &note));
        before = io_sim_traffic(w.io);
        for (;;) {
                assert_ok(stream_source_peek(source, &piece, &n, &note));
                assert_true(bytes_in_use() - in_use_before < 5 * MIB); /* two blocks, requests, the head */
                if (n == 0)
                        break;
                stream_source_skip(source, n);
        }
        after = io_sim_traffic(w.io);
        assert_int_equal(after.reads - before.reads,
                         2 * 16); /* pieces of 1 MiB; a whole block's bitmap is not read */
        assert_int_equal(after.bytes_read - before.bytes_read, 16 * BLOCK);
        stream_source_free(source);
        kit_close(chain);
        world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_raw_stream_is_the_disk_at_any_depth),
                cmocka_unit_test(an_exported_vhd_is_a_vhd_that_reads_the_same),
                cmocka_unit_test(a_delta_has_exactly_the_sectors_that_differ),
                cmocka_unit_test(a_raw_disk_goes_out_too),
                cmocka_unit_test(it_makes_no_difference_how_a_stream_is_pulled),
                cmocka_unit_test(skipping_blindly_ends_up_at_the_right_bytes),
                cmocka_unit_test(whole_blocks_are_merged_content_with_all_bits_set),
                cmocka_unit_test(a_block_without_a_sector_is_sent_with_an_empty_bitmap),
                cmocka_unit_test(an_empty_disk_is_a_head_and_a_footer),
                cmocka_unit_test(a_read_that_fails_names_disk_and_file_and_may_be_tried_again),
                cmocka_unit_test(a_block_that_is_trimmed_meanwhile_is_sent_as_zeros),
                cmocka_unit_test(options_that_make_no_sense_are_refused),
                cmocka_unit_test(reading_takes_few_calls_and_little_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
