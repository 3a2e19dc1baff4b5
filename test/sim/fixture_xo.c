// SPDX-License-Identifier: Apache-2.0
#include "fixture_xo.h"

#include <string.h>

#include "check.h"
#include "mem.h"
#include "vhd_footer.h"
#include "vhd_header.h"

static void make_folders(struct io *io, const char *path) {
        AUTO_FREE char *folder = mem_text(path);
        struct err_note unused;

        for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                (void)!io_make_dir(io, folder, &unused);
                *slash = '/';
        }
}

void fixture_xo_write(struct io *io, const char *path, const void *data, size_t n) {
        AUTO_FREE char *whole = mem_format(FIXTURE_XO "/%s", path);
        AUTO(io_close) struct io_file *file = NULL;
        struct err_note note;

        make_folders(io, whole);
        (void)!io_unlink(io, whole, &note);
        assert_ok(io_open(io, whole, IO_CREATE, &file, &note));
        if (n > 0)
                assert_ok(io_write(file, data, n, 0, &note));
        assert_ok(io_sync(file, &note));
}

void fixture_xo_remove(struct io *io, const char *path) {
        AUTO_FREE char *whole = mem_format(FIXTURE_XO "/%s", path);
        struct err_note note;

        assert_ok(io_unlink(io, whole, &note));
}

struct uuid fixture_xo_uuid(unsigned day) {
        AUTO_FREE char *text = mem_format("00000000-0000-4000-8000-%012u", day);
        struct uuid uuid;

        assert_true(uuid_parse(text, &uuid));
        return uuid;
}

char *fixture_xo_point(unsigned day) {
        return mem_format("202601%02uT020000Z", day);
}

char *fixture_xo_alias(unsigned day) {
        AUTO_FREE char *point = fixture_xo_point(day);

        return mem_format("%s.alias.vhd", point);
}

static void write_part(struct io *io, unsigned day, const char *name, const void *data, size_t n) {
        AUTO_FREE char *point = fixture_xo_point(day);
        AUTO_FREE char *path = mem_format(FIXTURE_XO_FOLDER "/data/%s.vhd/%s", point, name);

        fixture_xo_write(io, path, data, n);
}

static void write_heads(struct io *io, unsigned day, unsigned parent) {
        const struct uuid own = fixture_xo_uuid(day), of_parent = fixture_xo_uuid(parent);
        struct vhd_footer footer;
        struct vhd_header header;
        struct vhd_footer_disk footer_bytes;
        struct vhd_header_disk header_bytes;
        struct err_note note;

        vhd_footer_init(&footer, parent ? VHD_DIFFERENCING : VHD_DYNAMIC, FIXTURE_XO_BLOCKS * VHD_BLOCK_SIZE,
                        &own, 0);
        vhd_header_init(&header, 1536, FIXTURE_XO_BLOCKS);
        if (parent)
                assert_ok(vhd_header_set_parent(&header, &of_parent, 0, "elsewhere.vhd", &note));
        vhd_footer_encode(&footer, &footer_bytes);
        vhd_header_encode(&header, &header_bytes);
        write_part(io, day, "footer", &footer_bytes, sizeof footer_bytes);
        write_part(io, day, "header", &header_bytes, sizeof header_bytes);
}

void fixture_xo_disk(struct io *io, unsigned day, const char *blocks, unsigned parent) {
        size_t n = VHD_BITMAP_SIZE + VHD_BLOCK_SIZE;
        AUTO_FREE uint8_t *block = mem_zero(n);
        AUTO_FREE char *point = fixture_xo_point(day);
        AUTO_FREE char *alias = fixture_xo_alias(day);
        AUTO_FREE char *path = mem_format(FIXTURE_XO_FOLDER "/%s", alias);
        AUTO_FREE char *to = mem_format("data/%s.vhd", point);
        uint8_t bits[FIXTURE_XO_BLOCKS] = {0};

        for (unsigned i = 0; i < FIXTURE_XO_BLOCKS; i++) {
                AUTO_FREE char *name = mem_format("blocks/0/%u", i);

                if (blocks[i] == '.')
                        continue;
                bits[0] = (uint8_t)(bits[0] | 0x80 >> i);
                memset(block, 0xff, VHD_BITMAP_SIZE);
                memset(block + VHD_BITMAP_SIZE, blocks[i], VHD_BLOCK_SIZE);
                write_part(io, day, name, block, n);
        }
        write_heads(io, day, parent);
        write_part(io, day, "bat", bits, sizeof bits);
        fixture_xo_write(io, path, to, strlen(to));
}

void fixture_xo_meta(struct io *io, unsigned day) {
        AUTO_FREE char *point = fixture_xo_point(day);
        AUTO_FREE char *path = mem_format(FIXTURE_XO_VMS "/%s.json", point);
        AUTO_FREE char *alias = fixture_xo_alias(day);
        AUTO_FREE char *text = mem_format(
                "{\"mode\": \"delta\", \"timestamp\": %u000, \"vm\": {\"uuid\": \"" FIXTURE_XO_VM
                "\", \"name_label\": \"web\"}, \"vdis\": {\"r\": {\"$snapshot_of$uuid\": \"" FIXTURE_XO_VDI
                "\", \"name_label\": \"root\"}}, \"vhds\": {\"r\": \"" FIXTURE_XO_DISKS "/%s\"}}",
                1767232800 + (day - 1) * 86400, alias);

        fixture_xo_write(io, path, text, strlen(text));
}
