// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "scrub.h"
#include "verify_inside.h"

enum { OBJECT_MAX = 1 << 30, NAME_DIGITS = 32 };

/* What lies where, by the end of its name; of several the first that fits. */
static const struct rule {
        const char *folder, *suffix; /* static; a suffix "#": a number behind a dot */
        enum vault_object_kind kind;
} rules[] = {
        {"keys/", "", VAULT_KEY_SLOT},
        {"indexes/", "", VAULT_INDEX},
        {"points/", "", VAULT_MANIFEST},
        {"points/", ".ok", VAULT_SEAL},
        {"sessions/", "", VAULT_SESSION},
        {"sessions/", ".done", VAULT_SESSION_DONE},
        {"sessions/", ".broken", VAULT_SESSION_BROKEN},
        {"sessions/", "#", VAULT_SESSION},
        {"doomed/", "", VAULT_DOOM},
        {"drops/", "", VAULT_DROP},
        {"admin/", "", VAULT_ADMIN_STATE},
        {"taints/", "", VAULT_TAINT},
};

static bool fits(const struct rule *rule, const char *rest) {
        if (strcmp(rule->suffix, "#") != 0)
                return strcmp(rule->suffix, rest) == 0;
        return rest[0] == '.' && rest[1] && strspn(rest + 1, "0123456789") == strlen(rest + 1);
}

/* False: it is no name of ours. */
static bool parse(const char *path, enum vault_object_kind *ret_kind, struct vault_name *ret) {
        char digits[NAME_DIGITS + 1] = "";

        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
                size_t n = strlen(rules[i].folder);

                if (strncmp(path, rules[i].folder, n) != 0 || strlen(path + n) < NAME_DIGITS ||
                    !fits(&rules[i], path + n + NAME_DIGITS))
                        continue;
                memcpy(digits, path + n, NAME_DIGITS);
                *ret_kind = rules[i].kind;
                return vault_name_parse(digits, ret);
        }
        return false;
}

/* What went since it was listed is no finding. */
static enum err told(struct verify_run *run, const char *path, enum err err, struct err_note *note) {
        run->report->n_objects += err != ERR_NOT_FOUND;
        if (err && err != ERR_NOT_FOUND) {
                if (!scrub_is_damage(run->vault, err))
                        return err;
                verify_find(run, VERIFY_IN_OBJECT, path, note->text);
        }
        return ERR_NONE;
}

static enum err open_object(struct verify_run *run, const char *path, enum vault_object_kind kind,
                            const struct vault_name *name, struct err_note *note) {
        AUTO(buf_fini) struct buf object = {0};
        AUTO(buf_fini) struct buf body = {0};
        enum err err = target_get(run->vault->target, path, OBJECT_MAX, &object, note);

        if (!err)
                err = keyring_open_object(run->vault->keyring, (struct span){object.data, object.n}, kind,
                                          name, &body, NULL, note);
        return told(run, path, err, note);
}

static enum err open_config(struct verify_run *run, struct err_note *note) {
        struct vault_path path = vault_path_of(VAULT_CONFIG, NULL);
        AUTO(buf_fini) struct buf object = {0};
        enum err err = target_get(run->vault->target, path.s, OBJECT_MAX, &object, note);

        if (err)
                return err; /* without it there is no vault */
        err = keyring_check_config(run->vault->keyring, (struct span){object.data, object.n}, note);
        return told(run, path.s, err, note);
}

/* ---- points ---- */

static int compare_items(const void *path, const void *item) {
        return strcmp(path, ((const struct target_item *)item)->name);
}

static bool has_item(const struct target_list *list, const char *path) {
        return bsearch(path, list->items.data, list->items.n, sizeof *list->items.data, compare_items) !=
               NULL;
}

/* Both of its objects, and that they belong together. */
static enum err open_point(struct verify_run *run, const struct vault_name *name, struct err_note *note) {
        struct point point = {0};
        enum err err = points_get(run->vault, name, &point, note);

        if (!err)
                *vec_add(&run->points.list) = point;
        run->report->n_objects += err != ERR_NOT_FOUND; /* its seal */
        return told(run, vault_path_of(VAULT_MANIFEST, name).s, err, note);
}

static enum err open_listed(struct verify_run *run, const struct target_list *list,
                            const struct target_item *item, struct err_note *note) {
        enum vault_object_kind kind;
        struct vault_name name;

        if (!parse(item->name, &kind, &name))
                return ERR_NONE;
        if (kind == VAULT_MANIFEST && has_item(list, vault_path_of(VAULT_SEAL, &name).s))
                return open_point(run, &name, note);
        if (kind == VAULT_SEAL && has_item(list, vault_path_of(VAULT_MANIFEST, &name).s))
                return ERR_NONE; /* with its manifest */
        return open_object(run, item->name, kind, &name, note);
}

enum err verify_objects(struct verify_run *run, struct err_note *note) {
        const char *before = "";

        if (open_config(run, note))
                return note->code;
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
                AUTO(target_list_fini) struct target_list list = {0};

                if (strcmp(rules[i].folder, before) == 0)
                        continue;
                before = rules[i].folder;
                if (target_list(run->vault->target, before, &list, note))
                        return note->code;
                VEC_EACH (&list.items, each)
                        if (open_listed(run, &list, each, note))
                                return note->code;
        }
        return ERR_NONE;
}
