// SPDX-License-Identifier: Apache-2.0
/* What the tests of copies and moves share: two SRs, and a disk "a" in the first.
 *
 * Errors: each ends the test.  Threads: one.
 */
#ifndef TEST_UNIT_SERVICE_COPY_KIT_H
#define TEST_UNIT_SERVICE_COPY_KIT_H

#include "call_kit.h"

#include "vdi_copy.h"

enum { SIZE = 5 * 1024 * 1024 };

/* ---- two SRs, and a disk "a" in the first ---- */

UNUSED static void make_srs(struct io *io) {
        AUTO_FREE uint8_t *data = mem_zero(SIZE);

        memset(data + 100000, 'a', 3000);
        memset(data + 3 * MIB, 'b', MIB + 5000);
        memset(data + MIB, 'c', 600); /* written with the zeros that follow, and what is behind those */
        memset(data + MIB + 300000, 'd', 600);
        kit_put_file(io, "/a.raw", data, SIZE);
        kit_do(io, "sr", "create", "{'dir': '/one', 'name': 'one'}");
        kit_do(io, "sr", "create", "{'dir': '/two', 'name': 'two'}");
        kit_do(io, "vdi", "import", "{'sr': 'one', 'name': 'a', 'description': 'first', 'file': '/a.raw'}");
        io_sim_set_stdin(io, data + MIB, 300600, 0);
        kit_do(io, "vdi", "write", "{'sr': 'one', 'vdi': 'a', 'offset': 1048576}");
}

UNUSED static void assert_holds_a(struct io *io, const char *sr, const char *vdi) {
        AUTO_FREE char *params = mem_format("{'sr': '%s', 'vdi': '%s', 'output': '/out.raw'}", sr, vdi);
        AUTO_FREE uint8_t *want = NULL, *is = NULL;
        size_t n_want, n_is;

        kit_do(io, "vdi", "export", params);
        want = kit_get_file(io, "/a.raw", &n_want);
        is = kit_get_file(io, "/out.raw", &n_is);
        assert_int_equal(n_is, n_want);
        assert_memory_equal(is, want, n_is);
}

UNUSED static json_t *show(struct io *io, const char *sr, const char *vdi) {
        AUTO_FREE char *params = mem_format("{'sr': '%s', 'vdi': '%s'}", sr, vdi);

        return kit_call(io, "vdi", "show", params);
}

UNUSED static const char *text_of(const json_t *object, const char *key) {
        return json_string_value(json_object_get(object, key));
}

UNUSED static size_t count_vdis(struct io *io, const char *sr) {
        AUTO_FREE char *params = mem_format("{'sr': '%s'}", sr);
        AUTO(json_decref) json_t *list = kit_call(io, "vdi", "list", params);

        return json_array_size(json_object_get(list, "vdis"));
}

/* ---- the work itself, with open disks ---- */

struct house {
        struct io *io;        /* owned */
        struct sr *one, *two; /* owned */
        struct progress progress;
        atomic_bool stops;
        struct vdi_copy copy;
};

UNUSED static enum err open_house(struct io *io, struct house *ret, struct err_note *note) {
        const struct vdi *vdi;

        *ret = (struct house){.io = io, .progress = {.io = io}};
        ret->progress.is_cancelled = &ret->stops;
        if (sr_open(io, "/one", NULL, &ret->one, note) || sr_open(io, "/two", NULL, &ret->two, note) ||
            sr_find_vdi(ret->one, "a", &vdi, note))
                return note->code;
        ret->copy = (struct vdi_copy){
                .sr = ret->one, .to = ret->two, .vdi = vdi->row.uuid, .progress = &ret->progress};
        return ERR_NONE;
}

UNUSED static void close_house(struct house *house) {
        if (house->one)
                sr_close(house->one);
        if (house->two)
                sr_close(house->two);
}
DEFINE_AUTO_IN_PLACE(struct house, close_house);

#endif
