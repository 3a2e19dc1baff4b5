// SPDX-License-Identifier: Apache-2.0
#include "host_records.h"

#include "verbs.h"

/* The one there is; false: none. */
static bool find(struct objects *objects, enum xapi_class_id class, struct uuid *ret) {
        AUTO(json_decref) json_t *all = objects_all(objects, class);
        const char *ref = json_object_iter_key(json_object_iter(all));

        return ref && xapi_ref_parse(ref, ret);
}

static struct uuid new_uuid(struct io *io) {
        uint8_t dice[16];

        io_random(io, dice, sizeof dice);
        return uuid_from_random(dice);
}

enum err host_records_find(struct io *io, struct objects *objects, const char *name, const char *address,
                           struct uuid *ret_host, struct uuid *ret_pool, struct err_note *note) {
        bool has_host = find(objects, XAPI_HOST, ret_host), has_pool = find(objects, XAPI_POOL, ret_pool);
        struct objects_change *change;

        if (!has_host)
                *ret_host = new_uuid(io);
        if (!has_pool)
                *ret_pool = new_uuid(io);
        objects_begin(objects, &change);
        if (!has_host) {
                objects_put(change, XAPI_HOST, ret_host, NULL);
                (void)objects_set(change, XAPI_HOST, ret_host, "name_label", json_string(name));
        }
        (void)objects_set(change, XAPI_HOST, ret_host, "hostname", json_string(name));
        (void)objects_set(change, XAPI_HOST, ret_host, "address", json_string(address));
        if (!has_pool)
                objects_put(change, XAPI_POOL, ret_pool, NULL);
        (void)objects_set(change, XAPI_POOL, ret_pool, "master", json_string(xapi_ref_of(ret_host).s));
        return objects_commit(change, NULL, note);
}
