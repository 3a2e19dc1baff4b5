// SPDX-License-Identifier: Apache-2.0
/* Objects on a store in memory, for the tests of what stands on them: kit_open, and kit_restart as after the
 * end of the process.
 *
 * Errors: a test fails where the kit does.  Threads: one.
 */
#ifndef TEST_UNIT_SERVICE_OBJECTS_KIT_H
#define TEST_UNIT_SERVICE_OBJECTS_KIT_H

#include "check.h"

#include "io_sim.h"
#include "mem.h"
#include "objects.h"
#include "store_sim.h"

/* The maker of a store takes no user's pointer, so the one that tests use is found here. */
static struct store_sim *kit_sim;

struct kit {
        struct io *io;           /* owned */
        struct objects *objects; /* owned */
};

UNUSED static enum err kit_open_store(struct io *io UNUSED, const char *path UNUSED, unsigned flags,
                                      struct store **ret, struct err_note *note) {
        return store_sim_open(kit_sim, flags, ret, note);
}

UNUSED static void kit_reopen(struct kit *kit) {
        struct err_note note = {0};

        assert_ok(objects_open(kit->io, "/state.db", kit_open_store, &kit->objects, &note));
}

UNUSED static struct kit kit_open(void) {
        struct kit kit = {.io = io_sim_new(1, 64 << 20)};

        kit_sim = store_sim_new("/state.db");
        kit_reopen(&kit);
        return kit;
}

UNUSED static void kit_restart(struct kit *kit) {
        objects_close(kit->objects);
        kit_reopen(kit);
}

UNUSED static void kit_close(struct kit *kit) {
        objects_close(kit->objects);
        store_sim_free(kit_sim);
        kit_sim = NULL;
        io_free(kit->io);
}

UNUSED static struct uuid kit_uuid(unsigned i) {
        struct uuid uuid = {{0x7e, 0x57, (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8),
                             (uint8_t)i, 0x40, 0, 0x80}};

        return uuid;
}

UNUSED static struct objects_change *kit_begin(struct kit *kit) {
        struct objects_change *change;

        objects_begin(kit->objects, &change);
        return change;
}

UNUSED static uint64_t kit_commit(struct objects_change *change) {
        struct err_note note = {0};
        uint64_t generation;

        assert_ok(objects_commit(change, &generation, &note));
        return generation;
}

UNUSED static uint64_t kit_put(struct kit *kit, enum xapi_class_id class, unsigned i, const char *label) {
        struct objects_change *change = kit_begin(kit);
        struct uuid uuid = kit_uuid(i);
        json_t *record = xapi_record_new(class, &uuid);

        (void)json_object_set_new(record, "name_label", json_string(label));
        objects_put(change, class, &uuid, record);
        return kit_commit(change);
}

UNUSED static uint64_t kit_remove(struct kit *kit, enum xapi_class_id class, unsigned i) {
        struct objects_change *change = kit_begin(kit);
        struct uuid uuid = kit_uuid(i);

        assert_true(objects_remove(change, class, &uuid));
        return kit_commit(change);
}

/* The text of a field, "" where the object is not there; good until the next call. */
UNUSED static const char *kit_text(struct kit *kit, enum xapi_class_id class, const struct uuid *uuid,
                                   const char *field) {
        static char text[256];
        json_t *value = objects_field(kit->objects, class, uuid, field);

        snprintf(text, sizeof text, "%s", value ? json_string_value(value) : "");
        json_decref(value);
        return text;
}

UNUSED static const char *kit_label(struct kit *kit, enum xapi_class_id class, unsigned i) {
        struct uuid uuid = kit_uuid(i);

        return kit_text(kit, class, &uuid, "name_label");
}

#endif
