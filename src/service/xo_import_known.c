// SPDX-License-Identifier: Apache-2.0
#include "xo_import_known.h"

#include <string.h>

#include "mem.h"
#include "taints.h"

void xo_known_fini(struct xo_known *known) {
        VEC_EACH (&known->list, point) {
                VEC_EACH (&point->disks, disk)
                        free(disk->vdi);
                vec_fini(&point->disks);
                free(point->point);
        }
        vec_fini(&known->list);
}

struct xo_known_point *xo_known_add(struct xo_known *known, const struct uuid *vm, const char *point,
                                    const struct vault_name *name) {
        struct xo_known_point *added = vec_add(&known->list);

        *added = (struct xo_known_point){.name = *name, .vm = *vm, .point = mem_text(point)};
        return added;
}

void xo_known_add_disk(struct xo_known_point *point, const char *vdi, const struct uuid *vhd) {
        *vec_add(&point->disks) = (struct xo_known_disk){mem_text(vdi), *vhd};
}

static const char *text_of(const json_t *object, const char *key) {
        const char *text = json_string_value(json_object_get(object, key));

        return text ? text : "";
}

static void take(struct xo_known *known, const struct point *point, bool is_damaged) {
        struct xo_known_point *added = NULL;

        VEC_EACH (&point->manifest.disks, disk) {
                const json_t *xo = json_object_get(disk->source, "xo");
                struct uuid vm, vhd;

                if (!uuid_parse(text_of(xo, "vm"), &vm) || !uuid_parse(text_of(xo, "vhd"), &vhd))
                        continue;
                if (!added)
                        added = xo_known_add(known, &vm, text_of(xo, "point"), &point->name);
                xo_known_add_disk(added, disk->name, &vhd);
        }
        if (added)
                added->is_damaged = is_damaged;
}

enum err xo_known_read(struct vault *vault, struct xo_known *ret, struct err_note *note) {
        AUTO(points_fini) struct points points = {0};
        AUTO(vault_taint_fini) struct vault_taint taint = {0};

        if (points_list(vault, &points, note) || taints_read(vault, &taint, note))
                return note->code;
        VEC_EACH (&points.list, point)
                take(ret, point, taint_has_point(&taint, &point->name));
        return ERR_NONE;
}

const struct xo_known_point *xo_known_find(const struct xo_known *known, const struct uuid *vm,
                                           const char *point) {
        VEC_EACH (&known->list, each)
                if (!each->is_damaged && uuid_equal(&each->vm, vm) && strcmp(each->point, point) == 0)
                        return each;
        return NULL;
}

bool xo_known_has(const struct xo_known_point *point, const struct uuid *vm, const char *vdi,
                  const struct uuid *vhd) {
        const struct uuid none = {0};

        if (!uuid_equal(&point->vm, vm) || uuid_equal(vhd, &none))
                return false;
        VEC_EACH (&point->disks, each)
                if (uuid_equal(&each->vhd, vhd) && strcmp(each->vdi, vdi) == 0)
                        return true;
        return false;
}

json_t *xo_known_about(const struct xo_point *point, const struct xo_meta_disk *disk,
                       const struct uuid *vhd) {
        return json_pack("{s:{s:s, s:s, s:s, s:s}, s:s}", "xo", "vm", uuid_format(&point->meta.vm_uuid).s,
                         "point", point->name, "vdi", disk->vdi, "vhd", uuid_format(vhd).s, "label",
                         disk->label);
}
