// SPDX-License-Identifier: Apache-2.0
#include "taints.h"

#include <stdlib.h>
#include <string.h>

/* One object of those that are there. */
struct read_taint {
        struct vault_name name;
        struct vault_taint taint; /* owned */
};
struct read_taints {
        VEC(struct read_taint) list; /* owned, and each */
};
static void read_taints_fini(struct read_taints *taints) {
        VEC_EACH (&taints->list, each)
                vault_taint_fini(&each->taint);
        vec_fini(&taints->list);
}
DEFINE_AUTO_IN_PLACE(struct read_taints, read_taints_fini);

static bool is_passed_over(enum err err) {
        return err == ERR_NOT_FOUND || err == ERR_CORRUPT || err == ERR_CUT_SHORT || err == ERR_UNSUPPORTED;
}

static enum err read_one(struct vault *vault, const struct vault_name *name, struct read_taints *ret,
                         struct err_note *note) {
        AUTO(buf_fini) struct buf body = {0};
        AUTO(vault_taint_fini) struct vault_taint taint = {0};
        enum err err = vault_get_object(vault, VAULT_TAINT, name, &body, NULL, NULL, note);

        if (!err)
                err = vault_taint_decode((struct span){body.data, body.n}, &taint, note);
        if (err)
                return is_passed_over(err) ? ERR_NONE : err;
        *vec_add(&ret->list) = (struct read_taint){*name, taint};
        taint = (struct vault_taint){0};
        return ERR_NONE;
}

static bool has_name(const struct vault_name *names, size_t n, const struct vault_name *name) {
        for (size_t i = 0; i < n; i++)
                if (vault_name_compare(&names[i], name) == 0)
                        return true;
        return false;
}

static bool is_replaced(const struct read_taints *taints, const struct vault_name *name) {
        VEC_EACH (&taints->list, each)
                if (vault_name_compare(&each->name, name) != 0 &&
                    has_name(each->taint.instead_of.data, each->taint.instead_of.n, name))
                        return true;
        return false;
}

static void add_all(struct vault_taint *to, const struct vault_taint *from) {
        VEC_EACH (&from->places, each)
                *vec_add(&to->places) = *each;
        VEC_EACH (&from->points, each)
                if (!taint_has_point(to, each))
                        *vec_add(&to->points) = *each;
}

bool taint_has_point(const struct vault_taint *taint, const struct vault_name *name) {
        return has_name(taint->points.data, taint->points.n, name);
}

enum err taints_read(struct vault *vault, struct vault_taint *ret, struct err_note *note) {
        AUTO(vault_names_fini) struct vault_names names = {0};
        AUTO(read_taints_fini) struct read_taints taints = {0};
        struct vault_taint all = {0};

        if (vault_list_names(vault, "taints/", "", &names, note))
                return note->code;
        VEC_EACH (&names.list, each)
                if (read_one(vault, each, &taints, note))
                        return err_wrap(note, "read what is damaged");
        VEC_EACH (&taints.list, each) {
                *vec_add(&all.instead_of) = each->name;
                if (!is_replaced(&taints, &each->name))
                        add_all(&all, &each->taint);
        }
        vault_taint_sort(&all);
        *ret = all;
        return ERR_NONE;
}

enum err taints_use(struct vault *vault, struct err_note *note) {
        AUTO(vault_taint_fini) struct vault_taint taint = {0};

        if (taints_read(vault, &taint, note))
                return note->code;
        blobs_taint(vault->blobs, taint.places.data, taint.places.n);
        return ERR_NONE;
}

/* ---- replacing ---- */

static bool is_same(const struct vault_taint *a, const struct vault_taint *b) {
        if (a->places.n != b->places.n || a->points.n != b->points.n)
                return false;
        for (size_t i = 0; i < a->places.n; i++)
                if (vault_place_compare(&a->places.data[i], &b->places.data[i]) != 0)
                        return false;
        VEC_EACH (&a->points, each)
                if (!taint_has_point(b, each))
                        return false;
        return true;
}

static enum err put_taint(struct vault *vault, const struct vault_taint *taint, struct err_note *note) {
        AUTO(buf_fini) struct buf body = {0};
        struct vault_name name;

        vault_name_random(vault->io, &name);
        vault_taint_encode(taint, &body);
        return vault_put_object(vault, VAULT_TAINT, &name, (struct span){body.data, body.n}, NULL, note);
}

enum err taints_replace(struct vault *vault, const struct vault_taint *old, struct vault_taint *new,
                        struct err_note *note) {
        struct err_note ignored;

        vault_taint_sort(new);
        if (is_same(old, new))
                return ERR_NONE;
        new->instead_of.n = 0;
        VEC_EACH (&old->instead_of, each)
                *vec_add(&new->instead_of) = *each;
        if (put_taint(vault, new, note))
                return err_wrap(note, "record what is damaged");
        /* Where nothing may be removed, they stay, and count no more. */
        VEC_EACH (&old->instead_of, each)
                (void)!target_remove(vault->target, vault_path_of(VAULT_TAINT, each).s, &ignored);
        return ERR_NONE;
}
