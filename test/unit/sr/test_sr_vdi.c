// SPDX-License-Identifier: Apache-2.0
#include "sr_kit.h"
#include "sr_state.h"

#include "vhd_header.h"
#include "vhd_footer.h"

static void a_new_vdi_is_empty_and_keeps_what_is_written(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a");

        (void)state;
        assert_reads(sr, &vdi, "....");
        kit_write(sr, &vdi, "AB");
        assert_reads(sr, &vdi, "AB..");
        sr_close(sr);
        sr = kit_open(io);
        assert_int_equal(sr_n_vdis(sr), 1);
        assert_string_equal(sr_vdi_at(sr, 0)->row.name, "a");
        assert_reads(sr, &vdi, "AB..");
        sr_close(sr);
}

static void a_snapshot_of_a_closed_vdi_keeps_what_it_held(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), snapshot;

        (void)state;
        kit_write(sr, &vdi, "AB");
        snapshot = kit_snapshot(sr, &vdi, "s");
        kit_write(sr, &vdi, "C.D");
        assert_reads(sr, &snapshot, "AB..");
        assert_reads(sr, &vdi, "CBD.");
        assert_int_equal(kit_depth(sr, &vdi), 2);
        assert_int_equal(kit_depth(sr, &snapshot), 2);
        assert_int_equal(kit_n_files(io), 3);
        assert_int_equal(sr_n_vdis(sr), 2);
        const struct vdi *s = sr_get_vdi(sr, &snapshot);
        assert_true(s->is_read_only && s->row.is_snapshot);
        assert_true(uuid_equal(&s->row.snapshot_of, &vdi));
        assert_true(s->node->parent->is_hidden_in_both);
        sr_close(sr);
        sr = kit_open(io);
        assert_reads(sr, &snapshot, "AB..");
        assert_reads(sr, &vdi, "CBD.");
        sr_close(sr);
}

static void a_snapshot_of_a_running_vdi_takes_what_was_written_and_the_writer_goes_on(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), first, second;
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        assert_ok(sr_open_chain(sr, &vdi, CHAIN_WRITE, &chain, &note));
        kit_put(chain, 0, 'A');
        first = kit_snapshot(sr, &vdi, "1");
        kit_put(chain, 0, 'B');
        kit_put(chain, 1, 'B');
        second = kit_snapshot(sr, &vdi, "2");
        kit_put(chain, 2, 'C');
        assert_ok(chain_flush(chain, &note));
        assert_string_equal(kit_read_chain(chain).s, "BBC.");
        assert_reads(sr, &first, "A...");
        assert_reads(sr, &second, "BB..");
        assert_ok(sr_close_chain(sr, chain, &note));
        assert_reads(sr, &vdi, "BBC.");
        assert_int_equal(kit_depth(sr, &vdi), 3);
        sr_close(sr);
}

static void a_second_snapshot_of_an_unchanged_vdi_adds_no_layer(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), again, running;
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        kit_write(sr, &vdi, "A");
        (void)kit_snapshot(sr, &vdi, "1");
        again = kit_snapshot(sr, &vdi, "2");
        assert_int_equal(kit_depth(sr, &vdi), 2);
        assert_int_equal(kit_n_files(io), 4);
        assert_reads(sr, &again, "A...");
        assert_ok(sr_open_chain(sr, &vdi, CHAIN_WRITE, &chain, &note));
        running = kit_snapshot(sr, &vdi, "3");
        assert_int_equal(kit_depth(sr, &vdi), 2);
        kit_put(chain, 1, 'B');
        assert_ok(sr_close_chain(sr, chain, &note));
        assert_reads(sr, &running, "A...");
        assert_reads(sr, &vdi, "AB..");
        sr_close(sr);
}

static void a_snapshot_is_not_written(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), snapshot = kit_snapshot(sr, &vdi, "s");
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        assert_err(sr_open_chain(sr, &snapshot, CHAIN_WRITE, &chain, &note), ERR_READ_ONLY, "is a snapshot");
        assert_err(sr_vdi_resize(sr, &snapshot, 2 * KIT_SIZE, &note), ERR_READ_ONLY, "is a snapshot");
        sr_close(sr);
}

static void clones_go_their_own_ways(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), snapshot, clone, of_snapshot;

        (void)state;
        kit_write(sr, &vdi, "A");
        clone = kit_clone(sr, &vdi, "c");
        kit_write(sr, &vdi, ".B");
        kit_write(sr, &clone, ".C");
        snapshot = kit_snapshot(sr, &clone, "s");
        of_snapshot = kit_clone(sr, &snapshot, "d");
        kit_write(sr, &of_snapshot, "..D");
        assert_reads(sr, &vdi, "AB..");
        assert_reads(sr, &clone, "AC..");
        assert_reads(sr, &snapshot, "AC..");
        assert_reads(sr, &of_snapshot, "ACD.");
        assert_false(sr_get_vdi(sr, &of_snapshot)->is_read_only);
        sr_close(sr);
}

static void revert_gives_a_vdi_its_snapshot_s_content_and_deletes_what_it_held(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), first, second, other = kit_vdi(sr, "b");
        struct err_note note = {0};

        (void)state;
        kit_write(sr, &vdi, "A");
        first = kit_snapshot(sr, &vdi, "1");
        kit_write(sr, &vdi, ".B");
        second = kit_snapshot(sr, &vdi, "2");
        kit_write(sr, &vdi, "..C");
        assert_ok(sr_vdi_revert(sr, &vdi, &first, &note));
        assert_reads(sr, &vdi, "A...");
        assert_reads(sr, &second, "AB..");
        kit_write(sr, &vdi, "...D");
        assert_reads(sr, &first, "A...");
        assert_ok(sr_vdi_revert(sr, &vdi, &second, &note));
        assert_reads(sr, &vdi, "AB..");
        assert_string_equal(sr_get_vdi(sr, &vdi)->row.name, "a");
        assert_err(sr_vdi_revert(sr, &other, &first, &note), ERR_MISMATCH, "snapshot of another");
        assert_err(sr_vdi_revert(sr, &vdi, &other, &note), ERR_INVALID, "no snapshot");
        sr_close(sr);
}

static void deleting_all_leaves_nothing(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), first, second;

        (void)state;
        kit_write(sr, &vdi, "A");
        first = kit_snapshot(sr, &vdi, "1");
        kit_write(sr, &vdi, ".B");
        second = kit_snapshot(sr, &vdi, "2");
        kit_delete(sr, &first);
        assert_reads(sr, &vdi, "AB..");
        assert_reads(sr, &second, "AB..");
        kit_delete(sr, &vdi);
        assert_reads(sr, &second, "AB..");
        assert_int_equal(sr_n_vdis(sr), 1);
        kit_delete(sr, &second);
        assert_int_equal(sr_n_vdis(sr), 0);
        assert_int_equal(kit_n_files(io), 0);
        sr_close(sr);
}

static void an_open_vdi_is_neither_deleted_nor_reverted(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), snapshot = kit_snapshot(sr, &vdi, "s");
        struct err_note note = {0};
        struct chain *chain, *second;

        (void)state;
        assert_ok(sr_open_chain(sr, &vdi, CHAIN_WRITE, &chain, &note));
        assert_true(sr_get_vdi(sr, &vdi)->is_open);
        assert_err(sr_vdi_delete(sr, &vdi, &note), ERR_BUSY, "open for writing");
        assert_err(sr_vdi_revert(sr, &vdi, &snapshot, &note), ERR_BUSY, "open for writing");
        assert_err(sr_open_chain(sr, &vdi, CHAIN_WRITE, &second, &note), ERR_BUSY, "open for writing");
        assert_ok(sr_close_chain(sr, chain, &note));
        assert_false(sr_get_vdi(sr, &vdi)->is_open);
        sr_close(sr);
}

static void max_depth_refuses_a_snapshot_and_says_why(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), unused;
        struct err_note note = {0};
        unsigned limit = 2;

        (void)state;
        assert_ok(sr_set(sr, &(struct sr_settings){.max_depth = &limit}, &note));
        kit_write(sr, &vdi, "A");
        (void)kit_snapshot(sr, &vdi, "1");
        (void)kit_snapshot(sr, &vdi, "2"); /* adds no layer */
        kit_write(sr, &vdi, "B");
        assert_err(sr_vdi_snapshot(sr, &vdi, NULL, &unused, &note), ERR_TOO_LARGE,
                   "would be 3 layers deep, and the SR's max-depth is 2");
        assert_int_equal(kit_n_files(io), 4);
        sr_close(sr);
}

static void without_links_names_move_and_nothing_is_lost(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr;
        struct uuid vdi, snapshot;
        struct err_note note = {0};

        (void)state;
        io_sim_set_lacks(io, IO_SIM_NO_LINK);
        sr = kit_create(io);
        vdi = kit_vdi(sr, "a");
        kit_write(sr, &vdi, "A");
        snapshot = kit_snapshot(sr, &vdi, "s");
        kit_write(sr, &vdi, "B");
        assert_reads(sr, &snapshot, "A...");
        assert_reads(sr, &vdi, "B...");
        assert_ok(sr_vdi_revert(sr, &vdi, &snapshot, &note));
        assert_reads(sr, &vdi, "A...");
        sr_close(sr);
}

static void a_raw_vdi_is_snapshotted_by_vhd_children(void **state) {
        const struct vdi_options options = {.name = "r", .size = KIT_SIZE, .kind = IMAGE_RAW};
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi, snapshot;
        struct err_note note = {0};

        (void)state;
        assert_ok(sr_vdi_create(sr, &options, &vdi, &note));
        kit_write(sr, &vdi, "A");
        assert_int_equal(sr_get_vdi(sr, &vdi)->node->kind, IMAGE_RAW);
        snapshot = kit_snapshot(sr, &vdi, "s");
        assert_int_equal(sr_get_vdi(sr, &vdi)->node->kind, IMAGE_VHD);
        kit_write(sr, &vdi, ".B");
        assert_reads(sr, &snapshot, "A...");
        assert_reads(sr, &vdi, "AB..");
        assert_int_equal(sr_n_vdis(sr), 2);
        sr_close(sr);
        sr = kit_open(io);
        assert_int_equal(sr_n_vdis(sr), 2);
        assert_reads(sr, &vdi, "AB..");
        kit_delete(sr, &snapshot);
        kit_delete(sr, &vdi);
        assert_int_equal(kit_n_files(io), 0);
        sr_close(sr);
}

/* Of its three locators the first one then names a file outside; the others are as they were. */
static void lead_out(struct io *io, const char *path, const char *url) {
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_header_disk disk;
        struct vhd_header header;
        struct err_note note = {0};

        assert_ok(io_open(io, path, IO_WRITE, &file, &note));
        assert_ok(io_read(file, &disk, sizeof disk, VHD_HEADER_AT, &note));
        assert_ok(vhd_header_decode(&disk, &header, &note));
        header.locator[0].length = (uint32_t)strlen(url);
        vhd_header_encode(&header, &disk);
        assert_ok(io_write(file, &disk, sizeof disk, VHD_HEADER_AT, &note));
        assert_ok(io_write(file, url, strlen(url), header.locator[0].offset, &note));
}

/* Who may put files into an SR's folder must not be able to read all that the SR's owner can. */
static void a_locator_does_not_lead_out_of_the_sr(void **state) {
        const struct vdi_options options = {.name = "r", .size = KIT_SIZE, .kind = IMAGE_RAW};
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        AUTO(io_close) struct io_file *secret = NULL;
        AUTO_FREE char *path = NULL;
        struct sr_import *import;
        struct uuid vdi, snapshot;
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        assert_ok(sr_vdi_create(sr, &options, &vdi, &note));
        snapshot = kit_snapshot(sr, &vdi, "s");
        assert_ok(io_open(io, "/secret", IO_CREATE, &secret, &note));
        assert_ok(io_write(secret, "sesame", 6, 0, &note));
        path = mem_format(KIT_DIR "/%s.vhd", uuid_format(&snapshot).s);
        lead_out(io, path, "file:///secret");
        assert_ok(sr_scan(sr, &note));
        assert_err(sr_open_chain(sr, &snapshot, CHAIN_READ, &chain, &note), ERR_MISMATCH, "out of the SR");
        assert_reads(sr, &vdi, "....");
        kit_write(sr, &vdi, "A");
        assert_ok(sr_vdi_revert(sr, &vdi, &snapshot, &note)); /* to the snapshot's base, in the SR */
        assert_reads(sr, &vdi, "....");
        free(path);
        path = mem_format(KIT_DIR "/%s.vhd", uuid_format(&vdi).s);
        lead_out(io, path, "file:///secret");
        assert_ok(sr_scan(sr, &note));
        assert_err(sr_open_chain(sr, &vdi, CHAIN_WRITE, &chain, &note), ERR_MISMATCH, "out of the SR");
        assert_ok(sr_import_begin_onto(sr, &vdi, KIT_SIZE, &import, &note));
        sr_import_abort(import);
        sr_close(sr);
}

/* Written by somebody who was killed before he synced it: what the snapshot reads as must not change with a
 * crash. */
static void a_snapshot_holds_what_was_not_synced_before_it(void **state) {
        const struct vdi_options options = {.name = "r", .size = KIT_SIZE, .kind = IMAGE_RAW};

        (void)state;
        for (uint64_t seed = 0; seed < IO_SIM_STYLES; seed++) {
                AUTO(io_free) struct io *io = io_sim_new(1, 0);
                struct sr *sr = kit_create(io);
                struct err_note note = {0};
                struct uuid vdi, snapshot;
                struct io_file *file;
                uint8_t data[4096];

                assert_ok(sr_vdi_create(sr, &options, &vdi, &note));
                AUTO_FREE char *path = mem_format("%s/%s.raw", KIT_DIR, uuid_format(&vdi).s);
                memset(data, 'A', sizeof data);
                assert_ok(io_open(io, path, IO_WRITE, &file, &note));
                assert_ok(io_write(file, data, sizeof data, 0, &note));
                assert_ok(io_write(file, data, 1000, MIB + 77, &note));
                io_close(file);
                snapshot = kit_snapshot(sr, &vdi, "s");
                assert_reads(sr, &snapshot, "A...");
                sr_close(sr);
                io_sim_crash(io, seed);
                sr = kit_open(io);
                assert_reads(sr, &snapshot, "A...");
                sr_close(sr);
        }
}

static void a_raw_vdi_is_deleted(void **state) {
        const struct vdi_options options = {.name = "r", .size = KIT_SIZE, .kind = IMAGE_RAW};
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct err_note note = {0};
        struct uuid vdi;

        (void)state;
        assert_ok(sr_vdi_create(sr, &options, &vdi, &note));
        kit_delete(sr, &vdi);
        assert_int_equal(kit_n_files(io), 0);
        assert_int_equal(sr_n_vdis(sr), 0);
        sr_close(sr);
}

static void names_that_two_share_are_refused_with_both_uuids(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid a = kit_vdi(sr, "same"), b = kit_vdi(sr, "same");
        const struct vdi *found;
        struct err_note note = {0};

        (void)state;
        assert_err(sr_find_vdi(sr, "same", &found, &note), ERR_INVALID, uuid_format(&a).s);
        assert_non_null(strstr(note.text, uuid_format(&b).s));
        assert_ok(sr_find_vdi(sr, uuid_format(&b).s, &found, &note));
        assert_true(uuid_equal(&found->row.uuid, &b));
        assert_ok(sr_vdi_set(sr, &a, &(struct vdi_settings){.name = "other"}, &note));
        assert_ok(sr_find_vdi(sr, "same", &found, &note));
        assert_true(uuid_equal(&found->row.uuid, &b));
        assert_err(sr_find_vdi(sr, "none", &found, &note), ERR_NOT_FOUND, "\"none\"");
        sr_close(sr);
}

/* It costs the same however many disks there are, and they are in the order of their names at once. */
static void a_name_is_set_without_a_look_at_any_file(void **state) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid a = kit_vdi(sr, "a"), b = kit_vdi(sr, "b");
        AUTO_FREE char *path = mem_format(KIT_DIR "/%s.vhd", uuid_format(&b).s);
        uint64_t n_reads = io_sim_file_traffic(io, path).reads;
        struct err_note note = {0};

        (void)state;
        assert_true(n_reads > 0);
        assert_ok(sr_vdi_set(sr, &a, &(struct vdi_settings){.description = "d"}, &note));
        assert_string_equal(sr_get_vdi(sr, &a)->row.description, "d");
        assert_ok(sr_vdi_set(sr, &a, &(struct vdi_settings){.name = "c"}, &note));
        assert_int_equal(io_sim_file_traffic(io, path).reads, n_reads);
        assert_true(uuid_equal(&sr_vdi_at(sr, 0)->row.uuid, &b));
        assert_string_equal(sr_vdi_at(sr, 1)->row.name, "c");
        assert_non_null(sr_vdi_at(sr, 1)->node);
        sr_close(sr);
}

static void settings_last_and_text_that_cannot_be_kept_is_refused(void **state) {
        const char *const tags[] = {"x", "y", NULL};
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a");
        struct err_note note = {0};

        (void)state;
        assert_ok(sr_vdi_set(sr, &vdi, &(struct vdi_settings){.name = "b", .description = "d", .tags = tags},
                             &note));
        assert_err(sr_vdi_set(sr, &vdi, &(struct vdi_settings){.name = "\xff"}, &note), ERR_INVALID, "UTF-8");
        assert_err(sr_vdi_set(sr, &vdi, &(struct vdi_settings){.name = "a\nb"}, &note), ERR_INVALID,
                   "control");
        sr_close(sr);
        sr = kit_open(io);
        const struct vdi_row *row = &sr_get_vdi(sr, &vdi)->row;
        assert_string_equal(row->name, "b");
        assert_string_equal(row->description, "d");
        assert_int_equal(row->tags.n, 2);
        assert_string_equal(row->tags.data[1], "y");
        sr_close(sr);
}

static void what_a_vdi_gave_out_is_known_until_it_is_written(void **state) {
        const struct uuid stream = {{1, 2, 3}};
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct sr *sr = kit_create(io);
        struct uuid vdi = kit_vdi(sr, "a"), snapshot;
        struct err_note note = {0};
        struct chain *chain;

        (void)state;
        assert_ok(sr_vdi_set_stream(sr, &vdi, &stream, &note));
        snapshot = kit_snapshot(sr, &vdi, "s");
        assert_true(uuid_equal(&sr_get_vdi(sr, &snapshot)->row.stream_uuid, &stream));
        assert_ok(sr_open_chain(sr, &vdi, CHAIN_WRITE, &chain, &note));
        assert_true(uuid_is_null(&sr_get_vdi(sr, &vdi)->row.stream_uuid));
        assert_ok(sr_close_chain(sr, chain, &note));
        sr_close(sr);
        sr = kit_open(io);
        assert_true(uuid_is_null(&sr_get_vdi(sr, &vdi)->row.stream_uuid));
        assert_true(uuid_equal(&sr_get_vdi(sr, &snapshot)->row.stream_uuid, &stream));
        sr_close(sr);
}

static void assert_folder_explained(struct io *io, struct sr *sr) {
        AUTO(io_names_fini) struct io_names names = {0};
        struct err_note note = {0};

        assert_ok(io_list(io, KIT_DIR, &names, &note));
        assert_int_equal(names.names.n, sr_tree(sr)->nodes.n + 1); /* and .catena */
}

static void a_verb_that_failed_leaves_no_file_behind_once_the_sr_is_changed_again(void **state) {
        AUTO(io_free) struct io *base = io_sim_new(1, 0);
        struct sr *sr = kit_create(base);
        struct uuid vdi = kit_vdi(sr, "a"), unused;
        struct err_note note = {0};
        bool did_fire = true;

        (void)state;
        kit_write(sr, &vdi, "AB");
        sr_close(sr);
        for (uint64_t n = 1; did_fire; n++) {
                AUTO(io_free) struct io *io = io_sim_fork(base);
                const struct sr_settings settings = {.name = "changed"};

                sr = kit_open(io);
                io_sim_fail_at(io, n, ERR_NO_SPACE, false);
                (void)!sr_vdi_snapshot(sr, &vdi, NULL, &unused, &note);
                did_fire = io_sim_fired(io);
                io_sim_heal(io);
                assert_ok(sr_set(sr, &settings, &note));
                assert_ok(sr_scan(sr, &note));
                assert_folder_explained(io, sr);
                sr_close(sr);
        }
}

static void an_error_in_a_snapshot_of_a_running_vdi_does_not_keep_the_sr_from_being_changed(void **state) {
        AUTO(io_free) struct io *base = io_sim_new(1, 0);
        struct sr *sr = kit_create(base);
        struct uuid vdi = kit_vdi(sr, "a"), unused;
        struct err_note note = {0};
        bool did_fire = true;

        (void)state;
        sr_close(sr);
        for (uint64_t n = 1; did_fire; n++) {
                AUTO(io_free) struct io *io = io_sim_fork(base);
                const struct sr_settings settings = {.name = "changed"};
                struct chain *chain;

                sr = kit_open(io);
                assert_ok(sr_open_chain(sr, &vdi, CHAIN_WRITE, &chain, &note));
                kit_put(chain, 0, 'A');
                io_sim_fail_at(io, n, ERR_IO, false);
                (void)!sr_vdi_snapshot(sr, &vdi, NULL, &unused, &note);
                did_fire = io_sim_fired(io);
                io_sim_heal(io);
                assert_ok(sr_set(sr, &settings, &note));
                sr_abandon_chain(sr, chain);
                sr_close(sr);
        }
}

/* What a failed delete left to be seen holds also after a crash: gone, or there under its name. */
static void a_failed_delete_is_done_or_not_and_a_crash_does_not_change_which(void **state) {
        AUTO(io_free) struct io *base = io_sim_new(1, 0);
        struct sr *sr = kit_create(base);
        struct uuid vdi = kit_vdi(sr, "a");
        struct err_note note = {0};
        bool did_fire = true;

        (void)state;
        sr_close(sr);
        for (uint64_t n = 1; did_fire; n++) {
                for (uint64_t seed = 0; seed < 2 * IO_SIM_STYLES; seed++) {
                        AUTO(io_free) struct io *io = io_sim_fork(base);
                        const struct vdi *found;
                        bool is_there;

                        io_sim_reseed(io, n * 100 + seed);
                        sr = kit_open(io);
                        io_sim_fail_at(io, n, ERR_IO, false);
                        (void)!sr_vdi_delete(sr, &vdi, &note);
                        did_fire = io_sim_fired(io);
                        io_sim_heal(io);
                        assert_ok(sr_scan(sr, &note));
                        is_there = sr_get_vdi(sr, &vdi) != NULL;
                        sr_close(sr);
                        io_sim_crash(io, seed);
                        sr = kit_open(io);
                        found = sr_get_vdi(sr, &vdi);
                        assert_int_equal(found != NULL, is_there);
                        if (found)
                                assert_string_equal(found->row.name, "a");
                        sr_close(sr);
                }
        }
}

struct fault {
        struct io *io; /* borrowed */
        unsigned n_failed;
};

static void fail_at_the_first_sync_of_the_folder(void *user, const char *verb, const char *path) {
        struct fault *fault = user;

        if (strcmp(verb, "sync directory") == 0 && strcmp(path, KIT_DIR) == 0 && fault->n_failed++ == 0)
                io_sim_fail_at(fault->io, 1, ERR_IO, false);
}

static void die_at_the_sync_of_the_catalog(void *user, const char *verb, const char *path) {
        if (strcmp(verb, "sync directory") == 0 && strcmp(path, KIT_DIR "/.catena") == 0)
                io_sim_die_at(user, 1, IO_SIM_BEFORE);
}

/* What an open removed is not durably gone before the folder is synced: where that fails it may be back. */
static void files_that_a_failed_sync_brings_back_go_before_the_next_change(void **state) {
        (void)state;
        for (uint64_t seed = 1; seed <= 20; seed++) {
                AUTO(io_free) struct io *io = io_sim_new(seed, 0);
                struct sr *sr = kit_create(io);
                struct uuid vdi = kit_vdi(sr, "a"), unused;
                const struct sr_settings settings = {.name = "changed"};
                struct fault fault = {.io = io};
                struct err_note note = {0};

                sr_close(sr);
                sr = kit_open(io); /* whose first commit syncs the catalog's folder */
                io_sim_set_watch(io, die_at_the_sync_of_the_catalog, io);
                assert_err(sr_vdi_snapshot(sr, &vdi, NULL, &unused, &note), ERR_IO, "dies");
                io_sim_set_watch(io, NULL, NULL);
                sr_close(sr);
                io_sim_kill(io);
                sr = kit_open(io);
                io_sim_set_watch(io, fail_at_the_first_sync_of_the_folder, &fault);
                assert_err(sr_vdi_snapshot(sr, &vdi, NULL, &unused, &note), ERR_IO, "");
                assert_true(fault.n_failed >= 1);
                io_sim_set_watch(io, NULL, NULL);
                io_sim_heal(io);
                assert_ok(sr_set(sr, &settings, &note));
                assert_ok(sr_scan(sr, &note));
                assert_folder_explained(io, sr);
                sr_close(sr);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_new_vdi_is_empty_and_keeps_what_is_written),
                cmocka_unit_test(a_snapshot_of_a_closed_vdi_keeps_what_it_held),
                cmocka_unit_test(a_snapshot_of_a_running_vdi_takes_what_was_written_and_the_writer_goes_on),
                cmocka_unit_test(a_second_snapshot_of_an_unchanged_vdi_adds_no_layer),
                cmocka_unit_test(a_snapshot_is_not_written),
                cmocka_unit_test(clones_go_their_own_ways),
                cmocka_unit_test(revert_gives_a_vdi_its_snapshot_s_content_and_deletes_what_it_held),
                cmocka_unit_test(deleting_all_leaves_nothing),
                cmocka_unit_test(an_open_vdi_is_neither_deleted_nor_reverted),
                cmocka_unit_test(max_depth_refuses_a_snapshot_and_says_why),
                cmocka_unit_test(without_links_names_move_and_nothing_is_lost),
                cmocka_unit_test(a_raw_vdi_is_snapshotted_by_vhd_children),
                cmocka_unit_test(a_locator_does_not_lead_out_of_the_sr),
                cmocka_unit_test(a_snapshot_holds_what_was_not_synced_before_it),
                cmocka_unit_test(a_raw_vdi_is_deleted),
                cmocka_unit_test(names_that_two_share_are_refused_with_both_uuids),
                cmocka_unit_test(a_name_is_set_without_a_look_at_any_file),
                cmocka_unit_test(settings_last_and_text_that_cannot_be_kept_is_refused),
                cmocka_unit_test(what_a_vdi_gave_out_is_known_until_it_is_written),
                cmocka_unit_test(
                        an_error_in_a_snapshot_of_a_running_vdi_does_not_keep_the_sr_from_being_changed),
                cmocka_unit_test(a_failed_delete_is_done_or_not_and_a_crash_does_not_change_which),
                cmocka_unit_test(files_that_a_failed_sync_brings_back_go_before_the_next_change),
                cmocka_unit_test(a_verb_that_failed_leaves_no_file_behind_once_the_sr_is_changed_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
