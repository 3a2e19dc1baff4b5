// SPDX-License-Identifier: Apache-2.0
/* What the tests of this floor share: an SR in the folder /sr of a simulated machine, and disks whose content
 * is told by one byte a block, so that what a VDI reads as fits into a text: "AB.C" is four blocks, the third
 * never written.
 *
 * Errors: each ends the test.  Threads: one.
 */
#ifndef TEST_UNIT_SR_SR_KIT_H
#define TEST_UNIT_SR_SR_KIT_H

#include "check.h"

#include "io_sim.h"
#include "mem.h"
#include "sr.h"

enum { KIT_BLOCKS = 4 };
#define KIT_SIZE (KIT_BLOCKS * 2 * MIB)
#define KIT_DIR  "/sr"

static const struct images_options kit_images = {.growth_bytes = 4 * MIB, .owners_cache_bytes = 1 * MIB};

UNUSED static struct sr *kit_open_as(struct io *io, enum sr_mode mode) {
        const struct sr_options options = {.mode = mode, .images = &kit_images};
        struct err_note note = {0};
        struct sr *sr = NULL;

        assert_ok(sr_open(io, KIT_DIR, &options, &sr, &note));
        return sr;
}

UNUSED static struct sr *kit_open(struct io *io) {
        return kit_open_as(io, SR_OWN);
}

UNUSED static struct sr *kit_create(struct io *io) {
        struct err_note note = {0};
        struct uuid uuid;

        assert_ok(sr_create(io, KIT_DIR, "main", NULL, &uuid, &note));
        return kit_open(io);
}

UNUSED static struct uuid kit_vdi(struct sr *sr, const char *name) {
        const struct vdi_options options = {.name = name, .size = KIT_SIZE};
        struct err_note note = {0};
        struct uuid uuid;

        assert_ok(sr_vdi_create(sr, &options, &uuid, &note));
        return uuid;
}

/* One letter, in the middle of the block and at its ends. */
UNUSED static void kit_put(struct chain *chain, unsigned block, char letter) {
        uint8_t data[4096];
        struct err_note note = {0};

        memset(data, letter, sizeof data);
        assert_ok(chain_write(chain, data, sizeof data, block * 2 * MIB, &note));
        assert_ok(chain_write(chain, data, 1000, block * 2 * MIB + MIB + 77, &note));
}

UNUSED static void kit_write(struct sr *sr, const struct uuid *vdi, const char *letters) {
        struct err_note note = {0};
        struct chain *chain;

        assert_ok(sr_open_chain(sr, vdi, CHAIN_WRITE, &chain, &note));
        for (unsigned i = 0; letters[i]; i++)
                if (letters[i] != '.')
                        kit_put(chain, i, letters[i]);
        assert_ok(sr_close_chain(sr, chain, &note));
}

struct kit_text {
        char s[KIT_BLOCKS + 1];
};

/* '?' where the two places of a block do not agree. */
UNUSED static struct kit_text kit_read_chain(struct chain *chain) {
        struct kit_text text = {""};
        struct err_note note = {0};

        for (unsigned i = 0; i < KIT_BLOCKS; i++) {
                uint8_t head[4096], middle[1000];

                assert_ok(chain_read(chain, head, sizeof head, i * 2 * MIB, &note));
                assert_ok(chain_read(chain, middle, sizeof middle, i * 2 * MIB + MIB + 77, &note));
                text.s[i] = head[0] ? (char)head[0] : '.';
                for (unsigned j = 0; j < sizeof head; j++)
                        if (head[j] != head[0] || middle[j % 1000] != head[0])
                                text.s[i] = '?';
        }
        return text;
}

UNUSED static struct kit_text kit_read(struct sr *sr, const struct uuid *vdi) {
        struct err_note note = {0};
        struct kit_text text;
        struct chain *chain;

        assert_ok(sr_open_chain(sr, vdi, CHAIN_READ, &chain, &note));
        text = kit_read_chain(chain);
        assert_ok(sr_close_chain(sr, chain, &note));
        return text;
}
#define assert_reads(sr, vdi, letters) assert_string_equal(kit_read(sr, vdi).s, letters)

UNUSED static struct uuid kit_snapshot(struct sr *sr, const struct uuid *vdi, const char *name) {
        const struct vdi_options options = {.name = name};
        struct err_note note = {0};
        struct uuid uuid;

        assert_ok(sr_vdi_snapshot(sr, vdi, &options, &uuid, &note));
        return uuid;
}

UNUSED static struct uuid kit_clone(struct sr *sr, const struct uuid *vdi, const char *name) {
        const struct vdi_options options = {.name = name};
        struct err_note note = {0};
        struct uuid uuid;

        assert_ok(sr_vdi_clone(sr, vdi, &options, &uuid, &note));
        return uuid;
}

UNUSED static void kit_delete(struct sr *sr, const struct uuid *vdi) {
        struct err_note note = {0};

        assert_ok(sr_vdi_delete(sr, vdi, &note));
}

UNUSED static unsigned kit_depth(struct sr *sr, const struct uuid *vdi) {
        return tree_find(sr_tree(sr), vdi)->depth;
}

/* The names in the folder but .catena. */
UNUSED static unsigned kit_n_files(struct io *io) {
        AUTO(io_names_fini) struct io_names names = {0};
        struct err_note note = {0};

        assert_ok(io_list(io, KIT_DIR, &names, &note));
        return (unsigned)names.names.n - 1;
}

#endif
