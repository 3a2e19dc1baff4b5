// SPDX-License-Identifier: Apache-2.0
#include "xo_meta.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "json_text.h"
#include "mem.h"

/* ---- paths ---- */

static enum err add_part(struct buf *path, const char *part, size_t n, struct err_note *note) {
        if (n == 0 || (n == 1 && part[0] == '.'))
                return ERR_NONE;
        if (n == 2 && part[0] == '.' && part[1] == '.')
                return err_set(note, ERR_CORRUPT, "a path climbs out of its folder");
        if (path->n > 0)
                buf_add(path, "/", 1);
        buf_add(path, part, n);
        return ERR_NONE;
}

enum err xo_path_clean(const char *text, char **ret, struct err_note *note) {
        AUTO(buf_fini) struct buf path = {0};
        size_t n = strlen(text);

        if (n > XO_PATH_MAX || text[0] == '/')
                return err_set(note, ERR_CORRUPT,
                               n > XO_PATH_MAX ? "a path of %zu bytes" : "a path from the root", n);
        for (const char *part = text; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
                if (add_part(&path, part, strcspn(part, "/"), note))
                        return note->code;
        if (path.n == 0)
                return err_set(note, ERR_CORRUPT, "a path that names nothing");
        *ret = mem_text(buf_text(&path));
        return ERR_NONE;
}

static enum err path_of(const json_t *json, const char *what, char **ret, struct err_note *note) {
        if (!json_is_string(json) || strlen(json_string_value(json)) != json_string_length(json))
                return err_set(note, ERR_CORRUPT, "%s is no text", what);
        return xo_path_clean(json_string_value(json), ret, note) ? err_wrap(note, "%s", what) : ERR_NONE;
}

/* ---- a point ---- */

void xo_meta_fini(struct xo_meta *meta) {
        free(meta->vm_name);
        free(meta->xva);
        free(meta->origin);
        json_decref(meta->vm);
        VEC_EACH (&meta->disks, each) {
                free(each->vhd);
                free(each->vdi);
                free(each->label);
        }
        vec_fini(&meta->disks);
        *meta = (struct xo_meta){0};
}

static const char *text_of(const json_t *object, const char *key) {
        const char *text = json_string_value(json_object_get(object, key));

        return text ? text : "";
}

/* The snapshot's record says of which disk it is one; an older writer's does not, and then the path's last
 * folder is that disk. */
static char *vdi_of(const json_t *record, const char *vhd) {
        const char *uuid = text_of(record, "$snapshot_of$uuid");
        const char *end = strrchr(vhd, '/'), *start = end;

        if (uuid[0])
                return mem_text(uuid);
        if (!end)
                return mem_text(text_of(record, "uuid"));
        while (start > vhd && start[-1] != '/')
                start--;
        return mem_format("%.*s", (int)(end - start), start);
}

static enum err add_disk(struct xo_meta *meta, const char *ref, const json_t *path, const json_t *vdis,
                         struct err_note *note) {
        const json_t *record = json_object_get(vdis, ref);
        struct xo_meta_disk *disk = vec_add(&meta->disks);

        *disk = (struct xo_meta_disk){.label = mem_text(text_of(record, "name_label"))};
        if (path_of(path, "a disk's path", &disk->vhd, note)) {
                disk->vdi = mem_text("");
                return note->code;
        }
        disk->vdi = vdi_of(record, disk->vhd);
        if (disk->vdi[0] == '\0')
                return err_set(note, ERR_CORRUPT, "a disk without a uuid");
        return ERR_NONE;
}

static int compare_disks(const void *a, const void *b) {
        return strcmp(((const struct xo_meta_disk *)a)->vdi, ((const struct xo_meta_disk *)b)->vdi);
}

static enum err take_disks(const json_t *json, struct xo_meta *meta, struct err_note *note) {
        const json_t *vdis = json_object_get(json, "vdis"), *path;
        json_t *vhds = json_object_get(json, "vhds");
        const char *ref;

        if (!json_is_object(vhds))
                return err_set(note, ERR_CORRUPT, "\"vhds\" is no object");
        json_object_foreach(vhds, ref, path) if (add_disk(meta, ref, path, vdis, note)) return note->code;
        if (meta->disks.n > 1)
                qsort(meta->disks.data, meta->disks.n, sizeof *meta->disks.data, compare_disks);
        for (size_t i = 1; i < meta->disks.n; i++)
                if (compare_disks(&meta->disks.data[i - 1], &meta->disks.data[i]) == 0)
                        return err_set(note, ERR_CORRUPT, "disk %s is there twice", meta->disks.data[i].vdi);
        return ERR_NONE;
}

static enum err take_vm(const json_t *json, struct xo_meta *meta, struct err_note *note) {
        const json_t *vm = json_object_get(json, "vm");

        if (!json_is_object(vm) || !uuid_parse(text_of(vm, "uuid"), &meta->vm_uuid))
                return err_set(note, ERR_CORRUPT, "\"vm\" is no record with a uuid");
        meta->vm = json_deep_copy(vm);
        /* Which networks it had is said beside the record, and belongs to it. */
        if (json_is_object(json_object_get(json, "vifs")))
                json_object_set(meta->vm, XO_META_VIFS, json_object_get(json, "vifs"));
        meta->vm_name = mem_text(text_of(vm, "name_label"));
        return ERR_NONE;
}

static enum err take_mode(const json_t *json, struct xo_meta *meta, struct err_note *note) {
        const char *mode = text_of(json, "mode");

        if (strcmp(mode, "full") == 0)
                return path_of(json_object_get(json, "xva"), "\"xva\"", &meta->xva, note);
        if (strcmp(mode, "delta") == 0)
                return take_disks(json, meta, note);
        return err_set(note, ERR_UNSUPPORTED, "a backup of mode \"%.40s\"", mode);
}

enum err xo_meta_decode(struct span bytes, struct xo_meta *ret, struct err_note *note) {
        AUTO(xo_meta_fini) struct xo_meta meta = {0};
        AUTO(json_decref) json_t *json = NULL;
        const json_t *time;

        if (json_text_decode(bytes, &json, note))
                return note->code;
        time = json_object_get(json, "timestamp");
        if (!json_is_integer(time) || json_integer_value(time) < 0)
                return err_set(note, ERR_CORRUPT, "\"timestamp\" is no time");
        meta.time = json_integer_value(time);
        if (text_of(json, XO_META_ORIGIN)[0])
                meta.origin = mem_text(text_of(json, XO_META_ORIGIN));
        if (take_vm(json, &meta, note) || take_mode(json, &meta, note))
                return note->code;
        *ret = meta;
        meta = (struct xo_meta){0};
        return ERR_NONE;
}

/* ---- a merge ---- */

void xo_merge_fini(struct xo_merge *merge) {
        VEC_EACH (&merge->chain, each)
                free(*each);
        vec_fini(&merge->chain);
}

enum err xo_merge_decode(struct span bytes, struct xo_merge *ret, struct err_note *note) {
        AUTO(xo_merge_fini) struct xo_merge merge = {0};
        AUTO(json_decref) json_t *json = NULL;
        const json_t *chain, *each;
        size_t i;

        if (json_text_decode(bytes, &json, note))
                return note->code;
        chain = json_object_get(json, "chain");
        if (json_array_size(chain) < 2)
                return err_set(note, ERR_CORRUPT, "\"chain\" is no list of two files or more");
        json_array_foreach(chain, i, each) {
                char *path;

                if (path_of(each, "\"chain\"", &path, note))
                        return note->code;
                *vec_add(&merge.chain) = path;
        }
        *ret = merge;
        merge = (struct xo_merge){0};
        return ERR_NONE;
}
