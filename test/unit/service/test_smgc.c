// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include "io_sim.h"
#include "smgc.h"

static const struct {
        uint64_t bytes;
        const char *want;
} sizes[] = {{0, "0"},
             {1023, "1023"},
             {1024, "1.000K"},
             {1536, "1.500K"},
             {MIB, "1.000M"},
             {65 * GIB, "65.000G"},
             {GIB / 2, "512.000M"},
             {36332290867, "33.837G"},
             {2040 * GIB, "2040.000G"}};

static void sizes_have_three_decimals(void **state UNUSED) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                AUTO(buf_fini) struct buf buf = {0};

                smgc_add_size(&buf, sizes[i].bytes);
                assert_string_equal(buf_text(&buf), sizes[i].want);
        }
}

static void a_node_shows_its_sizes_and_whether_it_is_hidden(void **state UNUSED) {
        struct node node = {.uuid = {{0x7e, 0xf7, 0x6d, 0x55, 1}},
                            .size = 500 * GIB,
                            .file_size = 300 * MIB,
                            .allocated = 2 * KIB};
        AUTO(buf_fini) struct buf buf = {0};

        smgc_add_node(&buf, &node);
        node.is_hidden = true;
        node.kind = IMAGE_RAW;
        buf_print(&buf, " ");
        smgc_add_node(&buf, &node);
        assert_string_equal(buf_text(&buf),
                            "7ef76d55(500.000G/300.000M/2.000K) *7ef76d55(500.000G/300.000M/2.000K)[RAW]");
}

static struct buf said;

static void hear(void *user UNUSED, const char *line) {
        buf_print(&said, "%s\n", line);
}

static void lines_are_as_smlog_has_them(void **state UNUSED) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct progress progress = {.io = io, .say = hear};
        struct sr_self self = {.host = "xcp1", .pid = 4711};
        struct err_note note = {0}, why = {.code = ERR_IO, .text = "read 512 at 0: no"};
        struct vdi_options options = {.name = "disk", .size = 64 * MIB};
        struct uuid run[2] = {{{1, 2, 3, 4}}}, sr_uuid;
        struct gc_event event = {.run = run, .n = 2, .is_leaf = true, .bytes = 3 * MIB, .phase = "relink"};
        struct smgc smgc = {.progress = &progress, .self = &self};

        assert_ok(sr_create(io, "/sr", "ssd", NULL, &sr_uuid, &note));
        assert_ok(sr_open(io, "/sr", NULL, &smgc.sr, &note));
        assert_ok(sr_vdi_create(smgc.sr, &options, &run[1], &note));
        io_sim_set_wall(io, (int64_t)1795244521 * 1000000000); /* 2026-11-21T07:02:01Z */
        smgc_begins(&smgc);
        for (int kind = GC_EVENT_GARBAGE; kind <= GC_EVENT_STOPPED; kind++) {
                event.kind = (enum gc_event_kind)kind;
                event.is_leaf = kind == GC_EVENT_BEGINS;
                event.why = kind >= GC_EVENT_FAILED ? &why : NULL;
                smgc_tell(&smgc, &event);
        }
        smgc_ends(&smgc);
        assert_non_null(strstr(buf_text(&said), "Nov 21 07:02:01 xcp1 SMGC: [4711] === SR "));
        assert_non_null(strstr(buf_text(&said), "('ssd') (1 VDIs in 1 VHD trees): \n"));
        assert_non_null(strstr(buf_text(&said), "SMGC: [4711] Leaf-coalescing "));
        assert_non_null(strstr(buf_text(&said), " -> *01020304\n"));
        assert_non_null(strstr(buf_text(&said), "]   Running VHD coalesce on "));
        assert_non_null(strstr(buf_text(&said), "]   Relinking the children of "));
        assert_non_null(strstr(buf_text(&said), "] Coalesced 6144 sectors\n"));
        assert_non_null(strstr(buf_text(&said), "] Deleting unlinked VDI *"));
        assert_non_null(strstr(buf_text(&said), "ERROR\n"));
        assert_non_null(strstr(buf_text(&said), ": read 512 at 0: no\n"));
        assert_non_null(strstr(buf_text(&said), "] Aborted coalesce of "));
        assert_non_null(strstr(buf_text(&said), "] GC process exiting, no work left\n"));
        sr_close(smgc.sr);
        buf_fini(&said);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sizes_have_three_decimals),
                cmocka_unit_test(a_node_shows_its_sizes_and_whether_it_is_hidden),
                cmocka_unit_test(lines_are_as_smlog_has_them),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
