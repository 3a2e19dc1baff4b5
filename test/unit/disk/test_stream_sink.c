// SPDX-License-Identifier: Apache-2.0
#include "stream_kit.h"

#include "golden.h"
#include "vhd_bat.h"
#include "vhd_bitmap.h"
#include "vhd_layout.h"
#include "vhd_meta.h"

static void make(struct world *w, const char *path, uint64_t size, const char *parent,
                 struct fixture_dice *dice, int n_changes) {
        struct err_note note;

        assert_ok(fixture_vhd(w->io, path, size, parent, &note));
        kit_change(w, path, dice, n_changes);
}

/* Copies a file of the machine. */
static void copy(struct world *w, const char *from, const char *to) {
        struct io_file *file;
        struct io_stat stat;
        struct err_note note;
        AUTO(buf_fini) struct buf bytes = {0};

        assert_ok(io_open(w->io, from, IO_READ, &file, &note));
        assert_ok(io_stat(file, &stat, &note));
        assert_ok(io_read(file, buf_extend(&bytes, stat.size), stat.size, 0, &note));
        io_close(file);
        kit_put_file(w, to, &bytes);
}

/* ---- round trips ---- */

static void what_went_out_comes_in_again_however_it_is_cut(void **state) {
        static const size_t pieces[] = {7, 512, 4096, 1000003, 16 * 1024 * 1024};
        struct fixture_dice dice = {31};
        AUTO(buf_fini) struct buf disk = {0};
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        make(&w, "/a.vhd", 4 * BLOCK + 1536, NULL, &dice, 12);
        make(&w, "/b.vhd", 5 * BLOCK + 512, "/a.vhd", &dice, 6);
        disk = kit_read(&w, "/b.vhd");
        for (int format = 0; format < 2; format++) {
                AUTO(buf_fini)
                struct buf stream = kit_export(&w, "/b.vhd", NULL, format ? STREAM_VHD : STREAM_RAW);

                for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++)
                        for (int is_known = 0; is_known < 2; is_known++) {
                                struct taker taker = {
                                        .w = &w, .path = "/in.vhd", .size = is_known ? 0 : disk.n};

                                assert_ok(kit_import(&taker, format ? STREAM_VHD : STREAM_RAW,
                                                     is_known ? stream.n : UINT64_MAX, stream.data, stream.n,
                                                     pieces[i], &note));
                                assert_int_equal(taker.n_begun, 1);
                                assert_int_equal(taker.head.size, disk.n);
                                assert_true(uuid_equal(&taker.head.uuid, &kit_uuid) || !format);
                                assert_reads_as(&w, "/in.vhd", &disk);
                                assert_ok(io_unlink(w.io, "/in.vhd", &note));
                        }
        }
        world_fini(&w);
}

static void byte_by_byte_is_enough(void **state) {
        struct fixture_dice dice = {32};
        AUTO(buf_fini) struct buf stream = {0};
        AUTO(buf_fini) struct buf disk = {0};
        struct taker taker = {.path = "/in.vhd"};
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        make(&w, "/a.vhd", BLOCK + 1536, NULL, &dice, 5);
        stream = kit_export(&w, "/a.vhd", NULL, STREAM_VHD);
        disk = kit_read(&w, "/a.vhd");
        taker.w = &w;
        assert_ok(kit_import(&taker, STREAM_VHD, UINT64_MAX, stream.data, stream.n, 1, &note));
        assert_reads_as(&w, "/in.vhd", &disk);
        world_fini(&w);
}

static void a_delta_turns_a_copy_of_the_base_into_the_disk(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 4; seed++) {
                struct fixture_dice dice = {seed * 100};
                AUTO(buf_fini) struct buf disk = {0};
                AUTO(buf_fini) struct buf stream = {0};
                AUTO(buf_fini) struct buf reexport = {0};
                struct taker taker = {.path = "/copy.vhd", .is_there = true};
                struct err_note note;
                struct world w;

                world_init(&w, seed);
                make(&w, "/a.vhd", 4 * BLOCK + 1536, NULL, &dice, 10);
                make(&w, "/b.vhd", 4 * BLOCK + 1536, "/a.vhd", &dice, 3);
                make(&w, "/c.vhd", 4 * BLOCK + 1536, "/b.vhd", &dice, 8);
                make(&w, "/d.vhd", 4 * BLOCK + 1536, "/c.vhd", &dice, 8);
                disk = kit_read(&w, "/d.vhd");
                stream = kit_export(&w, "/d.vhd", "/b.vhd", STREAM_VHD);
                /* a copy in one file, or as another leaf over the same base */
                if (seed % 2) {
                        reexport = kit_export(&w, "/b.vhd", NULL, STREAM_VHD);
                        kit_put_file(&w, "/copy.vhd", &reexport);
                } else {
                        assert_ok(fixture_vhd(w.io, "/copy.vhd", 4 * BLOCK + 1536, "/b.vhd", &note));
                }
                taker.w = &w;
                assert_ok(kit_import(&taker, STREAM_VHD, stream.n, stream.data, stream.n, 300000, &note));
                assert_true(taker.head.is_delta);
                assert_int_equal(taker.head.parent_uuid.b[0], 9);
                assert_reads_as(&w, "/copy.vhd", &disk);
                world_fini(&w);
        }
}

static void a_whole_stream_leaves_nothing_of_what_was_there(void **state) {
        struct fixture_dice dice = {8};
        AUTO(buf_fini) struct buf disk = {0};
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        make(&w, "/a.vhd", 6 * BLOCK, NULL, &dice, 4);
        disk = kit_read(&w, "/a.vhd");
        for (int format = 0; format < 2; format++) {
                AUTO(buf_fini)
                struct buf stream = kit_export(&w, "/a.vhd", NULL, format ? STREAM_VHD : STREAM_RAW);
                struct taker taker = {.w = &w, .path = format ? "/f.vhd" : "/g.vhd", .is_there = true};

                make(&w, "/old.vhd", 6 * BLOCK, NULL, &dice, 30);
                make(&w, taker.path, 6 * BLOCK, "/old.vhd", &dice, 10);
                assert_ok(kit_import(&taker, format ? STREAM_VHD : STREAM_RAW, stream.n, stream.data,
                                     stream.n, 1 << 20, &note));
                assert_reads_as(&w, taker.path, &disk);
                assert_ok(io_unlink(w.io, "/old.vhd", &note));
        }
        world_fini(&w);
}

static void zeros_take_no_room_on_a_fresh_disk(void **state) {
        AUTO_FREE uint8_t *data = mem_zero(8 * BLOCK);
        struct taker taker = {.path = "/in.vhd"};
        struct err_note note;
        struct chain *chain;
        struct world w;

        (void)state;
        world_init(&w, 1);
        fixture_fill(data + 3 * BLOCK + 128 * KIB, 64 * KIB, 0, 4);
        taker.w = &w;
        assert_ok(kit_import(&taker, STREAM_RAW, 8 * BLOCK, data, 8 * BLOCK, 1 << 20, &note));
        chain = kit_open(&w, "/in.vhd", CHAIN_READ);
        for (uint64_t b = 0; b < 8; b++)
                assert_int_equal(chain_block_is_held(chain, NULL, b), b == 3);
        {
                struct extent extent;

                assert_ok(chain_extent_at(chain, NULL, 0, 8 * BLOCK, &extent, &note));
                assert_int_equal(extent.n, 3 * BLOCK + 128 * KIB);
                assert_ok(chain_extent_at(chain, NULL, extent.n, 8 * BLOCK - extent.n, &extent, &note));
                assert_int_equal(extent.n, 64 * KIB);
        }
        kit_close(chain);
        world_fini(&w);
}

static void present_zeros_of_a_delta_hide_what_lies_below(void **state) {
        AUTO_FREE uint8_t *data = mem_zero(3 * BLOCK);
        AUTO(buf_fini) struct buf stream = {0};
        AUTO(buf_fini) struct buf disk = {0};
        struct taker taker = {.path = "/copy.vhd", .is_there = true};
        struct chain *chain;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        fixture_fill(data, 3 * BLOCK, 0, 1);
        assert_ok(fixture_vhd(w.io, "/a.vhd", 3 * BLOCK, NULL, &note));
        chain = kit_open(&w, "/a.vhd", CHAIN_WRITE);
        assert_ok(chain_write(chain, data, 3 * BLOCK, 0, &note));
        kit_close(chain);
        copy(&w, "/a.vhd", "/copy.vhd");
        assert_ok(fixture_vhd(w.io, "/b.vhd", 3 * BLOCK, "/a.vhd", &note));
        chain = kit_open(&w, "/b.vhd", CHAIN_WRITE);
        assert_ok(chain_write_zeroes(chain, 512, 1024, &note));
        assert_ok(chain_write_zeroes(chain, BLOCK + 512, BLOCK, &note));
        kit_close(chain);
        disk = kit_read(&w, "/b.vhd");
        stream = kit_export(&w, "/b.vhd", "/a.vhd", STREAM_VHD);
        taker.w = &w;
        assert_ok(kit_import(&taker, STREAM_VHD, stream.n, stream.data, stream.n, 1 << 20, &note));
        assert_reads_as(&w, "/copy.vhd", &disk);
        world_fini(&w);
}

/* ---- streams of others ---- */

static void streams_of_vhd_tool_are_taken(void **state) {
        AUTO(buf_fini)
        struct buf full = golden_load("vhdtool-full.vhd"), delta = golden_load("vhdtool-delta.vhd");
        AUTO(buf_fini)
        struct buf want = golden_load("pattern-8M.raw"), want2 = golden_load("pattern2-8M.raw");
        AUTO(buf_fini) struct buf base = golden_load("base.vhd");
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        for (int is_known = 0; is_known < 2; is_known++) {
                struct taker taker = {.w = &w, .path = "/in.vhd"};

                assert_ok(kit_import(&taker, STREAM_VHD, is_known ? full.n : UINT64_MAX, full.data, full.n,
                                     65536, &note));
                assert_false(taker.head.is_delta);
                assert_reads_as(&w, "/in.vhd", &want);
                assert_ok(kit_import(&taker, STREAM_VHD, is_known ? delta.n : UINT64_MAX, delta.data, delta.n,
                                     65536, &note));
                assert_true(taker.head.is_delta);
                assert_memory_equal(&taker.head.parent_uuid, base.data + 68, 16);
                assert_reads_as(&w, "/in.vhd", &want2);
                assert_ok(io_unlink(w.io, "/in.vhd", &note));
        }
        world_fini(&w);
}

static void images_of_others_are_streams_too(void **state) {
        static const struct {
                const char *name, *reads_as; /* borrowed; NULL: zeros */
        } images[] = {{"coalesced-8M.vhd", "pattern-8M.raw"},
                      {"raw-child.vhd", "pattern-8M.raw"},
                      {"empty-64M.vhd", NULL},
                      {"odd-1001M.vhd", NULL},
                      {"fixed-4M.vhd", NULL},
                      {"prealloc-64M-of-2040G.vhd", NULL}};
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        for (unsigned i = 0; i < sizeof images / sizeof *images; i++) {
                AUTO(buf_fini) struct buf stream = golden_load(images[i].name), want = {0};
                struct taker taker = {.w = &w, .path = "/in.vhd"};

                assert_ok(kit_import(&taker, STREAM_VHD, stream.n, stream.data, stream.n, 1 << 20, &note));
                assert_memory_equal(&taker.head.uuid, stream.data + stream.n - 512 + 68, 16);
                if (images[i].reads_as) {
                        want = golden_load(images[i].reads_as);
                        assert_reads_as(&w, "/in.vhd", &want);
                } else {
                        struct chain *chain = kit_open(&w, "/in.vhd", CHAIN_READ);

                        for (uint64_t block = 0; block * BLOCK < chain_size(chain); block++)
                                assert_false(chain_block_is_held(chain, NULL, block));
                        kit_close(chain);
                }
                assert_ok(io_unlink(w.io, "/in.vhd", &note));
        }
        world_fini(&w);
}

/* ---- a VHD made by hand: three blocks that lie out of order, unaligned, with a gap ---- */

enum { HAND_BLOCKS = 4 };

static struct buf by_hand(const uint32_t bat_in[HAND_BLOCKS], uint64_t slack, uint32_t creator_version) {
        struct buf out = {0};
        uint64_t end = 4096;
        struct vhd_footer footer;
        struct vhd_header header;

        for (unsigned i = 0; i < HAND_BLOCKS; i++)
                if (bat_in[i] != VHD_BAT_UNUSED)
                        end = max_u64(end, vhd_block_end(bat_in[i]));
        (void)buf_extend(&out, end + slack + 512);
        vhd_footer_init(&footer, VHD_DYNAMIC, HAND_BLOCKS * BLOCK - 1024, &kit_uuid, 1);
        footer.creator_version = creator_version;
        vhd_header_init(&header, 2048, HAND_BLOCKS);
        vhd_footer_encode(&footer, (struct vhd_footer_disk *)out.data);
        vhd_header_encode(&header, (struct vhd_header_disk *)(out.data + 512));
        vhd_bat_encode(bat_in, HAND_BLOCKS, (be32 *)(out.data + 2048));
        for (unsigned i = 0; i < HAND_BLOCKS; i++)
                if (bat_in[i] != VHD_BAT_UNUSED && vhd_block_end(bat_in[i]) <= out.n) {
                        memset(out.data + (uint64_t)bat_in[i] * SECTOR, 0xff, VHD_BITMAP_SIZE);
                        memset(out.data + vhd_block_data_at(bat_in[i]), (int)(i + 1), BLOCK);
                }
        memcpy(out.data + out.n - 512, out.data, 512);
        return out;
}

static const uint32_t hand_bat[HAND_BLOCKS] = {4117 + 2 * 4097, VHD_BAT_UNUSED, 9, 4110};

static void assert_hand(struct world *w) {
        AUTO(buf_fini) struct buf got = kit_read(w, "/in.vhd");

        assert_int_equal(got.n, HAND_BLOCKS * BLOCK - 1024);
        for (uint64_t i = 0; i < HAND_BLOCKS; i++) {
                const uint8_t *data = got.data + i * BLOCK;

                assert_int_equal(data[0], i == 1 ? 0 : i + 1);
                assert_memory_equal(data, data + 1, min_u64(BLOCK, got.n - i * BLOCK) - 1);
        }
}

static enum err import_hand(struct world *w, uint64_t total, const struct buf *stream,
                            struct err_note *note) {
        struct taker taker = {.w = w, .path = "/in.vhd"};
        struct err_note unused;
        enum err e;

        (void)!io_unlink(w->io, "/in.vhd", &unused);
        e = kit_import(&taker, STREAM_VHD, total, stream->data, stream->n, 1 << 20, note);
        if (e == ERR_NONE)
                assert_hand(w);
        return e;
}

static void blocks_may_lie_in_any_order_with_room_between_them(void **state) {
        AUTO(buf_fini) struct buf stream = by_hand(hand_bat, 0, 0x10003);
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        assert_ok(import_hand(&w, stream.n, &stream, &note));
        assert_ok(import_hand(&w, UINT64_MAX, &stream, &note));
        assert_ok(import_hand(&w, (uint64_t)1 << 50, &stream, &note));
        world_fini(&w);
}

static void room_before_the_footer_is_passed_over(void **state) {
        AUTO(buf_fini) struct buf stream = by_hand(hand_bat, 5 * MIB, 0x10003);
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        assert_ok(import_hand(&w, stream.n, &stream, &note));
        assert_ok(import_hand(&w, UINT64_MAX, &stream, &note));
        /* no length at all, and no footer where it must be */
        assert_err(import_hand(&w, (uint64_t)1 << 50, &stream, &note), ERR_CORRUPT, "the VHD's end");
        stream.n -= 512;
        assert_err(import_hand(&w, stream.n, &stream, &note), ERR_CORRUPT, "the VHD's end");
        assert_err(import_hand(&w, stream.n + 512, &stream, &note), ERR_CUT_SHORT, "ends at byte");
        world_fini(&w);
}

static void a_footer_of_511_bytes_is_an_end(void **state) {
        AUTO(buf_fini) struct buf stream = by_hand(hand_bat, 0, 0x10003);
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        stream.n--;
        assert_ok(import_hand(&w, stream.n, &stream, &note));
        assert_ok(import_hand(&w, UINT64_MAX, &stream, &note));
        world_fini(&w);
}

static void blocks_upon_one_another_or_upon_metadata_are_refused(void **state) {
        static const struct {
                uint32_t bat[HAND_BLOCKS];
                enum err want;
                const char *words; /* borrowed */
        } cases[] = {
                {{9, 9, VHD_BAT_UNUSED, VHD_BAT_UNUSED},
                 ERR_CORRUPT,
                 "blocks 0 and 1 lie upon each other at byte 4608"},
                {{9 + 4096, 9, VHD_BAT_UNUSED, VHD_BAT_UNUSED},
                 ERR_CORRUPT,
                 "upon each other at byte 2101760"},
                {{0, VHD_BAT_UNUSED, VHD_BAT_UNUSED, VHD_BAT_UNUSED}, ERR_CORRUPT, "footer copy"},
                {{2, VHD_BAT_UNUSED, VHD_BAT_UNUSED, VHD_BAT_UNUSED}, ERR_CORRUPT, "byte 1024 of the stream"},
                {{4, VHD_BAT_UNUSED, VHD_BAT_UNUSED, VHD_BAT_UNUSED}, ERR_CORRUPT, "touches the BAT"},
        };
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
                AUTO(buf_fini) struct buf stream = by_hand(cases[i].bat, 8 * MIB, 0x10003);

                vhd_bat_encode(cases[i].bat, HAND_BLOCKS, (be32 *)(stream.data + 2048));
                if (i >= 2) { /* the block lay upon them */
                        AUTO(buf_fini)
                        struct buf empty = by_hand((uint32_t[]){~0u, ~0u, ~0u, ~0u}, 0, 0x10003);

                        memcpy(stream.data, empty.data, 2048);
                        vhd_bat_encode(cases[i].bat, HAND_BLOCKS, (be32 *)(stream.data + 2048));
                }
                assert_err(import_hand(&w, UINT64_MAX, &stream, &note), cases[i].want, cases[i].words);
        }
        world_fini(&w);
}

/* ---- ends ---- */

static void cut_at(struct world *w, enum stream_format format, const struct buf *stream, size_t n,
                   bool is_known) {
        struct taker taker = {.w = w, .path = "/in.vhd", .size = BLOCK + 2048};
        struct err_note note, unused;

        assert_err(
                kit_import(&taker, format, is_known ? stream->n : UINT64_MAX, stream->data, n, 100000, &note),
                ERR_CUT_SHORT, "the stream ends at byte");
        if (is_known)
                assert_non_null(strstr(note.text, " of "));
        (void)!io_unlink(w->io, "/in.vhd", &unused);
}

static void every_cut_is_noticed(void **state) {
        struct fixture_dice dice = {41};
        struct world w;

        (void)state;
        world_init(&w, 1);
        make(&w, "/a.vhd", BLOCK + 2048, NULL, &dice, 6);
        for (int i = 0; i < 2; i++) {
                enum stream_format format = i ? STREAM_VHD : STREAM_RAW;
                AUTO(buf_fini) struct buf stream = kit_export(&w, "/a.vhd", NULL, format);
                const size_t points[] = {0,
                                         1,
                                         511,
                                         512,
                                         513,
                                         1535,
                                         1536,
                                         1537,
                                         2047,
                                         2048,
                                         2049,
                                         2559,
                                         2560,
                                         2561,
                                         3583,
                                         3584,
                                         3585,
                                         4095,
                                         4096,
                                         4097,
                                         stream.n - 512 - BLOCK,
                                         stream.n - 1025,
                                         stream.n - 1024,
                                         stream.n - 513,
                                         stream.n - 512,
                                         stream.n - 510,
                                         stream.n - 2};

                for (unsigned k = 0; k < sizeof points / sizeof *points; k++) {
                        cut_at(&w, format, &stream, points[k], false);
                        cut_at(&w, format, &stream, points[k], true);
                }
                for (int k = 0; k < 40; k++)
                        cut_at(&w, format, &stream, fixture_roll(&dice, stream.n - 1),
                               k % 2); /* 511: an old footer */
        }
        world_fini(&w);
}

static void what_goes_on_behind_its_end_is_refused(void **state) {
        struct fixture_dice dice = {42};
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        make(&w, "/a.vhd", BLOCK + 2048, NULL, &dice, 6);
        for (int format = 0; format < 2; format++) {
                AUTO(buf_fini)
                struct buf stream = kit_export(&w, "/a.vhd", NULL, format ? STREAM_VHD : STREAM_RAW);
                enum stream_format f = format ? STREAM_VHD : STREAM_RAW;
                struct taker taker = {.w = &w, .path = "/in.vhd", .size = BLOCK + 2048};

                buf_add(&stream, "x", 1);
                assert_err(kit_import(&taker, f, UINT64_MAX, stream.data, stream.n, 100000, &note),
                           ERR_CORRUPT, "goes on behind its end at byte");
                assert_err(kit_import(&taker, f, stream.n - 1, stream.data, stream.n, 100000, &note),
                           ERR_CORRUPT, "goes on behind its end at byte");
                if (format)
                        assert_ok(kit_import(&taker, f, stream.n, stream.data, stream.n, 100000, &note));
                assert_ok(io_unlink(w.io, "/in.vhd", &note));
        }
        world_fini(&w);
}

static void a_sink_knows_when_a_vhd_of_unknown_length_is_whole(void **state) {
        AUTO(buf_fini) struct buf stream = golden_load("vhdtool-full.vhd");
        struct taker taker = {.path = "/in.vhd"};
        struct stream_sink *sink;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        taker.w = &w;
        assert_ok(stream_sink_new(STREAM_VHD, (uint64_t)1 << 50, taker_begin, &taker, &sink, &note));
        assert_ok(stream_sink_push(sink, stream.data, stream.n - 1, &note));
        assert_false(stream_sink_is_whole(sink));
        assert_ok(stream_sink_push(sink, stream.data + stream.n - 1, 1, &note));
        assert_true(stream_sink_is_whole(sink));
        assert_int_equal(stream_sink_taken(sink), stream.n);
        assert_ok(stream_sink_end(sink, &note));
        kit_close(taker.chain);
        stream_sink_free(sink);
        world_fini(&w);
}

static void sizes_that_do_not_fit_are_refused(void **state) {
        AUTO_FREE uint8_t *data = mem_zero(3 * BLOCK);
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        {
                struct taker taker = {.w = &w, .path = "/a.vhd", .size = 2 * BLOCK};

                assert_err(kit_import(&taker, STREAM_RAW, 3 * BLOCK, data, 3 * BLOCK, BLOCK, &note),
                           ERR_INVALID, "that to write to");
                assert_err(kit_import(&taker, STREAM_RAW, UINT64_MAX, data, 3 * BLOCK, BLOCK, &note),
                           ERR_CORRUPT, "goes on behind its end at byte 4194304");
                assert_err(kit_import(&taker, STREAM_RAW, BLOCK, data, BLOCK, BLOCK, &note), ERR_CUT_SHORT,
                           "the stream has 2097152 bytes, the disk 4194304");
                assert_ok(kit_import(&taker, STREAM_RAW, BLOCK + 700, data, BLOCK + 700, BLOCK, &note));
        }
        world_fini(&w);
}

static void the_tail_of_a_last_sector_becomes_zeros(void **state) {
        AUTO_FREE uint8_t *data = mem_zero(BLOCK + 700);
        AUTO(buf_fini) struct buf got = {0};
        struct taker taker = {.path = "/a.vhd", .is_there = true};
        struct chain *chain;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        taker.w = &w;
        assert_ok(fixture_vhd(w.io, "/a.vhd", 2 * BLOCK, NULL, &note));
        chain = kit_open(&w, "/a.vhd", CHAIN_WRITE);
        memset(data, 1, BLOCK);
        assert_ok(chain_write(chain, data, BLOCK, BLOCK, &note));
        kit_close(chain);
        memset(data, 2, BLOCK + 700);
        assert_ok(kit_import(&taker, STREAM_RAW, BLOCK + 700, data, BLOCK + 700, 999, &note));
        got = kit_read(&w, "/a.vhd");
        assert_memory_equal(got.data, data, BLOCK + 700);
        assert_true(bytes_are_zero(got.data + BLOCK + 700, BLOCK - 700));
        world_fini(&w);
}

static enum err refuse(void *user, const struct stream_head *head, struct chain **ret,
                       struct err_note *note) {
        (void)head, (void)ret;
        ++*(int *)user;
        return err_set(note, ERR_MISMATCH, "not this one");
}

static void a_refusal_is_final(void **state) {
        AUTO(buf_fini) struct buf stream = golden_load("vhdtool-delta.vhd");
        struct stream_sink *sink;
        struct err_note note;
        int n_asked = 0;

        (void)state;
        assert_ok(stream_sink_new(STREAM_VHD, stream.n, refuse, &n_asked, &sink, &note));
        assert_err(stream_sink_push(sink, stream.data, stream.n, &note), ERR_MISMATCH, "not this one");
        assert_err(stream_sink_push(sink, stream.data, stream.n, &note), ERR_MISMATCH, "not this one");
        assert_err(stream_sink_end(sink, &note), ERR_MISMATCH, "not this one");
        assert_int_equal(n_asked, 1);
        stream_sink_free(sink);
}

/* Any byte of the head changed: refused, or the disk is what it was. */
static void a_damaged_head_is_refused_or_harmless(void **state) {
        AUTO(buf_fini) struct buf stream = by_hand(hand_bat, 0, 0x10003);
        AUTO_FREE uint8_t *tables = mem_zero(8192);
        struct err_note note;
        unsigned n_refused = 0;
        struct world w;

        (void)state;
        world_init(&w, 1);
        for (unsigned i = 0; i < 2048 + 16; i++) {
                uint8_t was = stream.data[i];

                if (i % 7 && i >= 96 && !(i >= 512 && i < 640) &&
                    i < 2048) /* the rest of it is names and zeros */
                        continue;
                stream.data[i] ^= (uint8_t)(1u << (i % 8));
                if (i < 2048)
                        n_refused +=
                                import_hand(&w, i % 2 ? stream.n : UINT64_MAX, &stream, &note) != ERR_NONE;
                else if (i != 2048 + 7) { /* another place for a block is another disk, or none */
                        struct taker taker = {.w = &w, .path = "/in.vhd"};
                        struct err_note unused;

                        (void)!io_unlink(w.io, "/in.vhd", &unused);
                        (void)!kit_import(&taker, STREAM_VHD, UINT64_MAX, stream.data, stream.n, 1 << 20,
                                          &note);
                }
                stream.data[i] = was;
        }
        assert_true(n_refused > 200);
        assert_ok(import_hand(&w, stream.n, &stream, &note));
        world_fini(&w);
}

static void errors_of_the_disk_are_told(void **state) {
        struct fixture_dice dice = {51};
        AUTO(buf_fini) struct buf stream = {0};
        AUTO(buf_fini) struct buf disk = {0};
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        make(&w, "/a.vhd", 3 * BLOCK, NULL, &dice, 12);
        stream = kit_export(&w, "/a.vhd", NULL, STREAM_VHD);
        disk = kit_read(&w, "/a.vhd");
        for (uint64_t n = 1;; n++) {
                struct taker taker = {.w = &w, .path = "/in.vhd", .is_there = true};
                struct err_note unused;
                bool fired;
                enum err e;

                (void)!io_unlink(w.io, "/in.vhd", &unused);
                assert_ok(fixture_vhd(w.io, "/in.vhd", 3 * BLOCK, NULL, &note));
                io_sim_fail_at(w.io, n, ERR_IO, false);
                e = kit_import(&taker, STREAM_VHD, stream.n, stream.data, stream.n, 1 << 20, &note);
                fired = io_sim_fired(w.io);
                io_sim_heal(w.io);
                if (!fired) {
                        assert_int_equal(e, ERR_NONE);
                        break;
                }
                if (e == ERR_NONE)
                        assert_reads_as(&w, "/in.vhd", &disk);
                else
                        assert_int_equal(e, ERR_IO);
        }
        world_fini(&w);
}

static void a_whole_import_takes_few_writes(void **state) {
        AUTO_FREE uint8_t *data = mem_zero(8 * BLOCK);
        struct taker taker = {.path = "/in.vhd", .is_there = true, .size = BLOCK};
        struct io_sim_traffic before, after;
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        fixture_fill(data, 8 * BLOCK, 0, 3);
        taker.w = &w;
        assert_ok(fixture_vhd(w.io, "/in.vhd", 8 * BLOCK, NULL, &note));
        before = io_sim_traffic(w.io);
        assert_ok(kit_import(&taker, STREAM_RAW, 8 * BLOCK, data, 8 * BLOCK, 100000, &note));
        after = io_sim_traffic(w.io);
        assert_true(after.writes - before.writes <= 8 * 3 + 12); /* a block: its data, its bitmap twice */
        world_fini(&w);
}

/* ---- chunks ---- */

static void add_chunk(struct buf *stream, uint64_t at, uint32_t n, const uint8_t *data) {
        uint8_t head[12];

        for (unsigned i = 0; i < 8; i++)
                head[i] = (uint8_t)(at >> 8 * i);
        for (unsigned i = 0; i < 4; i++)
                head[8 + i] = (uint8_t)(n >> 8 * i);
        buf_add(stream, head, sizeof head);
        if (data)
                buf_add(stream, data, n);
}

/* A disk with some content, and chunks that change it, the same in `want`. */
static void make_chunks(struct world *w, struct buf *stream, struct buf *want) {
        struct fixture_dice dice = {9};

        make(w, "/in.vhd", 3 * BLOCK + 1536, NULL, &dice, 8);
        *want = kit_read(w, "/in.vhd");
        for (int i = 0; i < 20; i++) {
                uint64_t at = fixture_roll(&dice, want->n), n = 1 + fixture_roll(&dice, i ? 90000 : want->n);
                bool is_zero = fixture_roll(&dice, 4) == 0;

                n = min_u64(n, want->n - at);
                for (uint64_t b = 0; b < n; b++)
                        want->data[at + b] = is_zero ? 0 : (uint8_t)(1 + b % 250);
                add_chunk(stream, at, (uint32_t)n, want->data + at);
                add_chunk(stream, 77, 0, NULL); /* no end: only at 0 it is one */
        }
}

static void chunks_go_where_they_say_however_they_are_cut(void **state) {
        static const size_t pieces[] = {1, 511, 4096, 1000003};

        (void)state;
        for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++) {
                AUTO(buf_fini) struct buf stream = {0}, want = {0};
                struct taker taker = {.path = "/in.vhd", .is_there = true, .size = BLOCK};
                struct err_note note;
                struct world w;

                world_init(&w, 1);
                taker.w = &w;
                make_chunks(&w, &stream, &want);
                add_chunk(&stream, 0, 0, NULL);
                assert_ok(kit_import(&taker, STREAM_CHUNKS, UINT64_MAX, stream.data, stream.n, pieces[i],
                                     &note));
                assert_reads_as(&w, "/in.vhd", &want);
                world_fini(&w);
        }
}

static void chunks_that_lie_outside_or_do_not_end_are_refused(void **state) {
        static const struct {
                uint64_t at;
                uint32_t n;
                enum err want;
        } bad[] = {
                {3 * BLOCK + 1536, 1, ERR_CORRUPT},
                {UINT64_MAX, 2, ERR_CORRUPT},
                {0, UINT32_C(1) << 31, ERR_CORRUPT},
                {BLOCK, 4096, ERR_CUT_SHORT},
        };
        struct err_note note;
        struct world w;

        (void)state;
        world_init(&w, 1);
        for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
                AUTO(buf_fini) struct buf stream = {0}, none = {0};
                struct taker taker = {.w = &w, .path = "/in.vhd", .is_there = i > 0};

                taker.size = 3 * BLOCK + 1536;
                add_chunk(&stream, bad[i].at, bad[i].n, NULL);
                assert_int_equal(
                        kit_import(&taker, STREAM_CHUNKS, UINT64_MAX, stream.data, stream.n, stream.n, &note),
                        bad[i].want);
        }
        world_fini(&w);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_went_out_comes_in_again_however_it_is_cut),
                cmocka_unit_test(chunks_go_where_they_say_however_they_are_cut),
                cmocka_unit_test(chunks_that_lie_outside_or_do_not_end_are_refused),
                cmocka_unit_test(byte_by_byte_is_enough),
                cmocka_unit_test(a_delta_turns_a_copy_of_the_base_into_the_disk),
                cmocka_unit_test(a_whole_stream_leaves_nothing_of_what_was_there),
                cmocka_unit_test(zeros_take_no_room_on_a_fresh_disk),
                cmocka_unit_test(present_zeros_of_a_delta_hide_what_lies_below),
                cmocka_unit_test(streams_of_vhd_tool_are_taken),
                cmocka_unit_test(images_of_others_are_streams_too),
                cmocka_unit_test(blocks_may_lie_in_any_order_with_room_between_them),
                cmocka_unit_test(room_before_the_footer_is_passed_over),
                cmocka_unit_test(a_footer_of_511_bytes_is_an_end),
                cmocka_unit_test(blocks_upon_one_another_or_upon_metadata_are_refused),
                cmocka_unit_test(every_cut_is_noticed),
                cmocka_unit_test(what_goes_on_behind_its_end_is_refused),
                cmocka_unit_test(a_sink_knows_when_a_vhd_of_unknown_length_is_whole),
                cmocka_unit_test(sizes_that_do_not_fit_are_refused),
                cmocka_unit_test(the_tail_of_a_last_sector_becomes_zeros),
                cmocka_unit_test(a_refusal_is_final),
                cmocka_unit_test(a_damaged_head_is_refused_or_harmless),
                cmocka_unit_test(errors_of_the_disk_are_told),
                cmocka_unit_test(a_whole_import_takes_few_writes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
