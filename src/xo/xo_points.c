// SPDX-License-Identifier: Apache-2.0
#include "xo_points.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "text.h"

#define VMS "xo-vm-backups"

static enum err read_meta(const struct xo_remote *remote, const char *path, struct xo_meta *ret,
                          struct err_note *note) {
        AUTO(buf_fini) struct buf text = {0};

        if (xo_remote_read(remote, path, XO_JSON_MAX, &text, note))
                return note->code;
        return xo_meta_decode((struct span){text.data, text.n}, ret, note);
}

static void add_point(const struct xo_remote *remote, const char *folder, const char *name,
                      struct xo_points *points) {
        AUTO_FREE char *path = mem_format("%s/%s", folder, name);
        struct err_note note;
        struct xo_meta meta;

        if (read_meta(remote, path, &meta, &note))
                *vec_add(&points->left) = (struct xo_left){TAKE(path), mem_text(note.text)};
        else
                *vec_add(&points->list) = (struct xo_point){
                        mem_text(folder), mem_format("%.*s", (int)(strlen(name) - 5), name), meta};
}

static enum err add_vm(const struct xo_remote *remote, const char *uuid, struct xo_points *points,
                       struct err_note *note) {
        AUTO_FREE char *folder = mem_format(VMS "/%s", uuid);
        AUTO(io_names_fini) struct io_names names = {0};

        if (xo_remote_list(remote, folder, &names, note))
                return note->code;
        VEC_EACH (&names.names, each)
                if (text_ends_with(*each, ".json") && !text_starts_with(*each, "."))
                        add_point(remote, folder, *each, points);
        return ERR_NONE;
}

static int compare(const void *a, const void *b) {
        const struct xo_point *of_a = a, *of_b = b;
        int folders = strcmp(of_a->folder, of_b->folder);

        if (of_a->meta.time != of_b->meta.time)
                return of_a->meta.time < of_b->meta.time ? -1 : 1;
        return folders ? folders : strcmp(of_a->name, of_b->name);
}

static void sort(struct xo_points *points) {
        if (points->list.n > 1)
                qsort(points->list.data, points->list.n, sizeof *points->list.data, compare);
}

enum err xo_points_of_vm(const struct xo_remote *remote, const char *uuid, struct xo_points *ret,
                         struct err_note *note) {
        AUTO(xo_points_fini) struct xo_points points = {0};
        enum err err = add_vm(remote, uuid, &points, note);

        if (err && err != ERR_NOT_FOUND)
                return err;
        sort(&points);
        *ret = points;
        points = (struct xo_points){0};
        return ERR_NONE;
}

enum err xo_points_list(const struct xo_remote *remote, struct xo_points *ret, struct err_note *note) {
        AUTO(xo_points_fini) struct xo_points points = {0};
        AUTO(io_names_fini) struct io_names vms = {0};
        struct uuid unused;

        if (xo_remote_list(remote, VMS, &vms, note))
                return note->code;
        VEC_EACH (&vms.names, each)
                if (uuid_parse(*each, &unused) && add_vm(remote, *each, &points, note))
                        return note->code;
        sort(&points);
        *ret = points;
        points = (struct xo_points){0};
        return ERR_NONE;
}

void xo_points_fini(struct xo_points *points) {
        VEC_EACH (&points->list, each) {
                free(each->folder);
                free(each->name);
                xo_meta_fini(&each->meta);
        }
        VEC_EACH (&points->left, each) {
                free(each->path);
                free(each->why);
        }
        vec_fini(&points->list);
        vec_fini(&points->left);
        *points = (struct xo_points){0};
}
