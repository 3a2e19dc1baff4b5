// SPDX-License-Identifier: Apache-2.0
#include "points.h"

#include "taints.h"
#include "vault_sum.h"

void point_fini(struct point *point) {
        vault_manifest_fini(&point->manifest);
}

void points_fini(struct points *points) {
        VEC_EACH (&points->list, point)
                point_fini(point);
        vec_fini(&points->list);
}

/* ---- one ---- */

/* Whether or not it has a seal. */
static enum err get_manifest(struct vault *vault, const struct vault_name *name, struct point *ret,
                             struct err_note *note) {
        AUTO(buf_fini) struct buf body = {0};
        AUTO(buf_fini) struct buf object = {0};
        AUTO(point_fini) struct point point = {.name = *name};
        uint8_t signer[VAULT_KEY_SIZE];

        if (vault_get_object(vault, VAULT_MANIFEST, name, &body, signer, &object, note))
                return note->code;
        if (vault_manifest_decode((struct span){body.data, body.n}, &point.manifest, note))
                return err_wrap(note, "point %s", vault_name_format(name).s);
        if (vault->config.is_encrypted &&
            (!point.manifest.has_writer || memcmp(point.manifest.writer, signer, sizeof signer) != 0))
                return err_set(note, ERR_CORRUPT, "point %s: it is signed by another than its writer",
                               vault_name_format(name).s);
        if (vault_check_writer(vault, signer, note))
                return err_wrap(note, "point %s", vault_name_format(name).s);
        vault_sum(&(struct span){object.data, object.n}, 1, point.sum);
        *ret = point;
        point = (struct point){0};
        return ERR_NONE;
}

static enum err check_seal(struct vault *vault, const struct point *point, struct err_note *note) {
        AUTO(buf_fini) struct buf body = {0};
        uint8_t signer[VAULT_KEY_SIZE], sum[32];

        if (vault_get_object(vault, VAULT_SEAL, &point->name, &body, signer, NULL, note) ||
            vault_point_seal_decode((struct span){body.data, body.n}, sum, note))
                return note->code;
        if (memcmp(sum, point->sum, sizeof sum) != 0)
                return err_set(note, ERR_CORRUPT, "its seal is of another manifest");
        if (vault->config.is_encrypted && memcmp(signer, point->manifest.writer, sizeof signer) != 0)
                return err_set(note, ERR_CORRUPT, "its seal is signed by another than its writer");
        return ERR_NONE;
}

enum err points_get(struct vault *vault, const struct vault_name *name, struct point *ret,
                    struct err_note *note) {
        AUTO(point_fini) struct point point = {0};

        if (get_manifest(vault, name, &point, note))
                return note->code;
        if (check_seal(vault, &point, note))
                return err_wrap(note, "point %s", vault_name_format(name).s);
        *ret = point;
        point = (struct point){0};
        return ERR_NONE;
}

/* ---- all ---- */

static int compare_points(const void *a, const void *b) {
        const struct point *of_a = a, *of_b = b;

        if (of_a->manifest.time != of_b->manifest.time)
                return of_a->manifest.time < of_b->manifest.time ? -1 : 1;
        /* Of one writer within a second. */
        if (of_a->manifest.sequence != of_b->manifest.sequence)
                return of_a->manifest.sequence < of_b->manifest.sequence ? -1 : 1;
        return vault_name_compare(&of_a->name, &of_b->name);
}

static void sort_points(struct points *points) {
        if (points->list.n > 1)
                qsort(points->list.data, points->list.n, sizeof *points->list.data, compare_points);
}

static int compare_names(const void *a, const void *b) {
        return vault_name_compare(a, b);
}

static bool is_among(const struct vault_names *names, const struct vault_name *name) {
        return names->list.n > 0 &&
               bsearch(name, names->list.data, names->list.n, sizeof *name, compare_names);
}

/* What is gone since it was listed was let go, not damaged. */
static enum err add_point(struct vault *vault, const struct vault_name *name, struct points *points,
                          struct err_note *note) {
        struct point point;
        enum err failed = points_get(vault, name, &point, note);

        if (failed == ERR_NONE)
                *vec_add(&points->list) = point;
        else if (failed == ERR_CORRUPT || failed == ERR_UNSUPPORTED)
                points->n_damaged++;
        else if (failed != ERR_NOT_FOUND)
                return failed;
        return ERR_NONE;
}

enum err points_list(struct vault *vault, struct points *ret, struct err_note *note) {
        AUTO(vault_names_fini) struct vault_names manifests = {0};
        AUTO(vault_names_fini) struct vault_names seals = {0};
        AUTO(points_fini) struct points points = {0};

        if (vault_list_names(vault, "points/", "", &manifests, note) ||
            vault_list_names(vault, "points/", ".ok", &seals, note))
                return note->code;
        VEC_EACH (&manifests.list, name) {
                if (!is_among(&seals, name))
                        points.n_unsealed++;
                else if (add_point(vault, name, &points, note))
                        return note->code;
        }
        sort_points(&points);
        *ret = points;
        points = (struct points){0};
        return ERR_NONE;
}

/* ---- by what people say ---- */

enum { PREFIX_MIN = 4 };

static bool is_asked(const struct point *point, const char *text, const char *of_name) {
        if (of_name && strcmp(point->manifest.name, of_name) != 0)
                return false;
        return strcmp(text, "latest") == 0 ||
               strncmp(vault_name_format(&point->name).s, text, strlen(text)) == 0;
}

static enum err say_none(const struct points *points, const char *text, const char *of_name,
                         struct err_note *note) {
        const struct point *newest = points->list.n ? &points->list.data[points->list.n - 1] : NULL;

        if (!newest)
                return err_set(note, ERR_NOT_FOUND, "there is no point in this vault");
        return err_set(note, ERR_NOT_FOUND, "there is no point %s%s%s; of %zu the newest is %s of %s", text,
                       of_name ? " of " : "", of_name ? of_name : "", points->list.n,
                       vault_name_format(&newest->name).s, newest->manifest.name);
}

static enum err say_several(const struct points *points, const char *text, const char *of_name,
                            struct err_note *note) {
        AUTO(buf_fini) struct buf names = {0};

        VEC_EACH (&points->list, point) {
                if (is_asked(point, text, of_name))
                        buf_print(&names, "%s%s", names.n ? ", " : "", vault_name_format(&point->name).s);
        }
        return err_set(note, ERR_INVALID, "%s may be %s", text, buf_text(&names));
}

/* The newest that is asked for and not recorded as damaged. */
static enum err find_latest(struct vault *vault, struct points *points, const char *of_name,
                            struct point **ret, struct err_note *note) {
        AUTO(vault_taint_fini) struct vault_taint taint = {0};
        size_t n_damaged = 0;

        if (taints_read(vault, &taint, note))
                return note->code;
        for (size_t i = points->list.n; i-- > 0;) {
                struct point *point = &points->list.data[i];

                if (!is_asked(point, "latest", of_name))
                        continue;
                if (!taint_has_point(&taint, &point->name)) {
                        *ret = point;
                        return ERR_NONE;
                }
                n_damaged++;
        }
        if (n_damaged == 0)
                return say_none(points, "latest", of_name, note);
        return err_set(note, ERR_NOT_FOUND,
                       "every point%s%s is damaged: say which, by its id ('vault list' has them)",
                       of_name ? " of " : "", of_name ? of_name : "");
}

static enum err find_named(struct points *points, const char *text, const char *of_name, struct point **ret,
                           struct err_note *note) {
        size_t n_found = 0;

        VEC_EACH (&points->list, point) {
                if (is_asked(point, text, of_name)) {
                        *ret = point;
                        n_found++;
                }
        }
        if (n_found == 0)
                return say_none(points, text, of_name, note);
        return n_found == 1 ? ERR_NONE : say_several(points, text, of_name, note);
}

enum err points_find(struct vault *vault, const char *text, const char *of_name, struct point *ret,
                     struct err_note *note) {
        bool wants_latest = strcmp(text, "latest") == 0;
        AUTO(points_fini) struct points points = {0};
        struct point *found = NULL;

        if (!wants_latest && strlen(text) < PREFIX_MIN)
                return err_set(note, ERR_INVALID,
                               "\"%s\" is no point: say \"latest\", or at least %d digits of a name", text,
                               PREFIX_MIN);
        if (points_list(vault, &points, note) ||
            (wants_latest ? find_latest(vault, &points, of_name, &found, note)
                          : find_named(&points, text, of_name, &found, note)))
                return note->code;
        *ret = *found;
        *found = (struct point){0};
        return ERR_NONE;
}

/* ---- of one writer ---- */

/* Damaged manifests say nothing of their writer: they are passed over. */
enum err points_last_of(struct vault *vault, const uint8_t writer[VAULT_KEY_SIZE], struct points_last *ret,
                        struct err_note *note) {
        AUTO(vault_names_fini) struct vault_names names = {0};
        struct points_last last = {0};

        if (vault_list_names(vault, "points/", "", &names, note))
                return note->code;
        VEC_EACH (&names.list, name) {
                AUTO(point_fini) struct point point = {0};
                enum err failed = get_manifest(vault, name, &point, note);

                if (failed == ERR_NOT_FOUND || failed == ERR_CORRUPT)
                        continue;
                if (failed)
                        return note->code;
                if (!point.manifest.has_writer ||
                    memcmp(point.manifest.writer, writer, VAULT_KEY_SIZE) != 0 ||
                    point.manifest.sequence <= last.sequence)
                        continue;
                last.sequence = point.manifest.sequence;
                memcpy(last.sum, point.sum, sizeof last.sum);
        }
        *ret = last;
        return ERR_NONE;
}
