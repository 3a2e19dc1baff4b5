// SPDX-License-Identifier: Apache-2.0
#include "vault_check.h"

#include <stdlib.h>
#include <string.h>

#include "blob_marks.h"
#include "mem.h"
#include "points.h"

void vault_check_fini(struct vault_check *check) {
        VEC_EACH (&check->findings, each) {
                free(each->object);
                free(each->text);
        }
        vec_fini(&check->findings);
}

static void find(struct vault_check *check, const char *object, const char *text) {
        struct vault_finding *finding = vec_add(&check->findings);

        finding->object = mem_text(object);
        finding->text = mem_text(text);
}

/* Whoever is gone since was let go. */
static bool is_finding(enum err err) {
        return err == ERR_CORRUPT || err == ERR_CUT_SHORT || err == ERR_UNSUPPORTED || err == ERR_TOO_LARGE;
}

/* ---- points ---- */

static void check_roots(struct vault *vault, const struct point *point, struct vault_check *check) {

        VEC_EACH (&point->manifest.disks, disk) {
                AUTO_FREE char *text = NULL;

                if (vault_id_is_null(&disk->root) || blobs_knows(vault->blobs, &disk->root))
                        continue;
                text = mem_format("disk %s: no pack has its root", disk->name);
                find(check, vault_path_of(VAULT_MANIFEST, &point->name).s, text);
        }
}

static enum err check_point(struct vault *vault, const struct vault_name *name, struct vault_check *check,
                            struct err_note *note) {
        AUTO(point_fini) struct point point = {0};
        struct vault_path seal = vault_path_of(VAULT_SEAL, name);
        uint64_t size;
        enum err err = target_size(vault->target, seal.s, &size, note);

        if (err == ERR_NOT_FOUND) {
                check->n_unsealed++;
                return ERR_NONE;
        }
        if (!err)
                err = points_get(vault, name, &point, note);
        if (is_finding(err))
                find(check, vault_path_of(VAULT_MANIFEST, name).s, note->text);
        if (err)
                return err == ERR_NOT_FOUND || is_finding(err) ? ERR_NONE : err;
        check->n_points++;
        check_roots(vault, &point, check);
        return ERR_NONE;
}

static enum err check_points(struct vault *vault, struct vault_check *check, struct err_note *note) {
        AUTO(vault_names_fini) struct vault_names names = {0};

        if (vault_list_names(vault, "points/", "", &names, note))
                return note->code;
        VEC_EACH (&names.list, name)
                if (check_point(vault, name, check, note))
                        return note->code;
        return ERR_NONE;
}

/* ---- other objects ---- */

static enum err check_kind(struct vault *vault, enum vault_object_kind kind, const char *folder,
                           const char *suffix, struct vault_check *check, struct err_note *note) {
        AUTO(vault_names_fini) struct vault_names names = {0};

        if (vault_list_names(vault, folder, suffix, &names, note))
                return note->code;
        VEC_EACH (&names.list, name) {
                AUTO(buf_fini) struct buf body = {0};
                enum err err = vault_get_object(vault, kind, name, &body, NULL, NULL, note);

                if (is_finding(err))
                        find(check, vault_path_of(kind, name).s, note->text);
                else if (err && err != ERR_NOT_FOUND)
                        return err;
        }
        return ERR_NONE;
}

static enum err check_objects(struct vault *vault, struct vault_check *check, struct err_note *note) {
        static const struct {
                enum vault_object_kind kind;
                const char *folder, *suffix; /* borrowed, static */
        } kinds[] = {
                {VAULT_INDEX, "indexes/", ""},
                {VAULT_SESSION, "sessions/", ""},
                {VAULT_SESSION_DONE, "sessions/", ".done"},
                {VAULT_SESSION_BROKEN, "sessions/", ".broken"},
                {VAULT_DOOM, "doomed/", ""},
                {VAULT_DROP, "drops/", ""},
                {VAULT_ADMIN_STATE, "admin/", ""},
        };

        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
                if (check_kind(vault, kinds[i].kind, kinds[i].folder, kinds[i].suffix, check, note))
                        return note->code;
        return ERR_NONE;
}

/* ---- packs ---- */

/* marks: what indexes and trailers say. */
static void check_pack(const struct blob_marks *marks, const struct target_item *item,
                       struct vault_check *check) {
        const struct blob_marks_pack *pack;
        struct vault_name name;

        if (!vault_path_parse(item->name, &name))
                return;
        check->n_packs++;
        check->bytes += item->size;
        pack = blob_marks_pack(marks, &name);
        if (!pack)
                find(check, item->name, "no index knows it, and it cannot be read");
        else if (pack->row->pack.length != item->size)
                find(check, item->name, "it is not as long as its index says");
        else if (pack->n != pack->row->pack.n_blobs && pack->n % pack->row->pack.n_blobs != 0)
                find(check, item->name, "its index has not all that is in it");
}

enum err vault_check(struct vault *vault, struct vault_check *ret, struct err_note *note) {
        AUTO(target_list_fini) struct target_list packs = {0};
        AUTO(blob_marks_free) struct blob_marks *marks = NULL;
        const struct blobs_excluded none = {0};

        if (blobs_refresh(vault->blobs, &none, note) || check_objects(vault, ret, note) ||
            target_list(vault->target, "packs/", &packs, note))
                return note->code;
        marks = blob_marks_new(vault->blobs);
        if (blob_marks_sum(marks, note))
                return note->code;
        VEC_EACH (&packs.items, each)
                check_pack(marks, each, ret);
        return check_points(vault, ret, note);
}
