// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "diff.h"
#include "vault_call.h"
#include "vault_verbs.h"

static const struct param diff_params[] = {
        VAULT_PARAM,
        KEY_PARAMS,
        POINT_PARAM(POINT_HELP),
        {.name = "other",
         .kind = PARAM_TEXT,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "POINT2",
         .help = "The point to compare it with, said likewise."},
        DISK_PARAM("Compares this disk alone; without it, each that either has."),
        {0},
};

static const struct field diff_fields[] = {
        {"disk", FIELD_TEXT, "its name", false},
        {"offset", FIELD_NUMBER, "where they begin to differ, bytes", false},
        {"length", FIELD_SIZE, "of that range, whole chunks", false},
        {0},
};

/* What the rows are put into. */
struct telling {
        json_t *extents, *disks; /* borrowed */
};

static const struct vault_disk *find_disk(const struct vault_manifest *manifest, const char *name) {
        VEC_EACH (&manifest->disks, each)
                if (strcmp(each->name, name) == 0)
                        return each;
        return NULL;
}

/* NULL: the point has none of that name. */
static void tell_disk(struct telling *telling, const char *name, const struct vault_disk *disk,
                      const struct vault_disk *other, uint64_t bytes) {
        json_array_append_new(telling->disks,
                              json_pack("{s:o, s:o, s:o, s:o}", "disk", json_of_text(name), "size",
                                        disk ? json_of_u64(disk->size) : json_null(), "other_size",
                                        other ? json_of_u64(other->size) : json_null(), "bytes",
                                        json_of_u64(bytes)));
}

static enum err compare(struct vault *vault, const struct vault_disk *disk, const struct vault_disk *other,
                        struct telling *telling, struct err_note *note) {
        AUTO(diff_fini) struct diff diff = {0};

        if (diff_disks(vault, disk, other, &diff, note))
                return note->code;
        VEC_EACH (&diff.extents, each)
                json_array_append_new(telling->extents,
                                      json_pack("{s:o, s:o, s:o}", "disk", json_of_text(disk->name), "offset",
                                                json_of_u64(each->at), "length", json_of_u64(each->n)));
        tell_disk(telling, disk->name, disk, other, diff.bytes);
        return ERR_NONE;
}

static enum err compare_all(struct verb_call *call, struct vault *vault, const struct vault_manifest *one,
                            const struct vault_manifest *two, struct telling *telling,
                            struct err_note *note) {
        const char *only = call_text(call, "disk");

        if (only && !find_disk(one, only) && !find_disk(two, only))
                return err_set(note, ERR_NOT_FOUND, "neither point has a disk '%s'", only);
        VEC_EACH (&one->disks, each) {
                const struct vault_disk *other = find_disk(two, each->name);

                if (only && strcmp(each->name, only) != 0)
                        continue;
                if (!other)
                        tell_disk(telling, each->name, each, NULL, each->size);
                else if (compare(vault, each, other, telling, note))
                        return note->code;
        }
        VEC_EACH (&two->disks, each)
                if ((!only || strcmp(each->name, only) == 0) && !find_disk(one, each->name))
                        tell_disk(telling, each->name, NULL, each, each->size);
        return ERR_NONE;
}

static enum err run_diff(struct verb_call *call, struct err_note *note) {
        AUTO(vault_close) struct vault *vault = NULL;
        AUTO(point_fini) struct point one = {0}, two = {0};
        struct telling telling;

        if (vault_call_open(call, &vault, note) ||
            points_find(vault, call_text(call, "point"), NULL, &one, note) ||
            points_find(vault, call_text(call, "other"), NULL, &two, note))
                return err_wrap(note, "compare points");
        call_put(call, "since", json_string(vault_name_format(&one.name).s));
        call_put(call, "point", json_string(vault_name_format(&two.name).s));
        call_put(call, "disks", telling.disks = json_array());
        call_put(call, "extents", telling.extents = json_array());
        if (compare_all(call, vault, &one.manifest, &two.manifest, &telling, note))
                return err_wrap(note, "compare points");
        return ERR_NONE;
}

const struct verb vault_diff_verb = {
        .name = "diff",
        .summary = "Lists where the disks of two points differ.",
        .details =
                "It takes as long as what differs, not as what the disks hold: no chunk is read. Of a disk "
                "that became larger, what is zeros behind the old end differs in nothing. With --json also "
                "the sizes of each disk, and those that only one point has; the list is one that 'vault put "
                "--changed' reads.",
        .params = diff_params,
        .shape = SHAPE_TABLE,
        .rows = "extents",
        .fields = diff_fields,
        .run = run_diff,
        .is_local = true,
};
