// SPDX-License-Identifier: Apache-2.0
#include "nbd_shelf.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

/* ---- one shelf -------------------------------------------------------------------------------- */

static size_t count(const struct nbd_shelf *shelf) {
        return shelf->sr ? sr_n_vdis(shelf->sr) : shelf->n_disks;
}

static bool item_of_vdi(const struct vdi *vdi, struct nbd_item *ret) {
        if (vdi->is_metadata)
                return false;
        *ret = (struct nbd_item){.uuid = vdi->row.uuid,
                                 .name = vdi->row.name,
                                 .description = vdi->row.description,
                                 .is_read_only = vdi->row.is_snapshot || vdi->is_read_only,
                                 .vdi = vdi};
        return true;
}

static void item_of_disk(const struct loose_disk *disk, struct nbd_item *ret) {
        *ret = (struct nbd_item){.uuid = disk->uuid,
                                 .name = disk->name,
                                 .description = disk->description,
                                 .is_read_only = disk->is_read_only,
                                 .chain = disk->chain};
}

static bool item_at(const struct nbd_shelf *shelf, size_t i, struct nbd_item *ret) {
        if (shelf->sr)
                return item_of_vdi(sr_vdi_at(shelf->sr, i), ret);
        item_of_disk(&shelf->disks[i], ret);
        return true;
}

bool nbd_shelf_get(const struct nbd_shelf *shelf, const struct uuid *uuid, struct nbd_item *ret) {
        const struct vdi *vdi = shelf->sr ? sr_get_vdi(shelf->sr, uuid) : NULL;

        if (vdi)
                return item_of_vdi(vdi, ret);
        for (size_t i = 0; i < shelf->n_disks; i++) {
                if (!uuid_equal(&shelf->disks[i].uuid, uuid))
                        continue;
                item_of_disk(&shelf->disks[i], ret);
                return true;
        }
        return false;
}

/* ---- finding --------------------------------------------------------------------------------- */

struct search {
        const char *name; /* borrowed */
        struct uuid uuid; /* that the name is */
        bool is_uuid;
        struct nbd_found found[2]; /* the first two by the name */
        size_t n;                  /* by the name */
        struct nbd_found by_uuid[2];
        size_t n_by_uuid;
};

static void note_match(struct nbd_found *found, size_t *n, const struct nbd_shelf *shelf,
                       const struct uuid *vdi) {
        if (*n < 2)
                found[*n] = (struct nbd_found){.shelf = shelf, .vdi = *vdi};
        ++*n;
}

static void look_at_shelf(struct search *search, const struct nbd_shelf *shelf) {
        turn_take(shelf->turn, "find an NBD export");
        for (size_t i = 0; i < count(shelf); i++) {
                struct nbd_item item;

                if (!item_at(shelf, i, &item))
                        continue;
                if (search->is_uuid && uuid_equal(&item.uuid, &search->uuid))
                        note_match(search->by_uuid, &search->n_by_uuid, shelf, &item.uuid);
                if (!*search->name || strcmp(item.name, search->name) == 0)
                        note_match(search->found, &search->n, shelf, &item.uuid);
        }
        turn_give_unchanged(shelf->turn);
}

static enum err refuse_two(const struct search *search, struct err_note *note) {
        const struct nbd_found *one = &search->found[0], *other = &search->found[1];

        if (one->shelf == other->shelf)
                return err_set(note, ERR_INVALID,
                               "two VDIs are named \"%s\": %s and %s; say which by its uuid", search->name,
                               uuid_format(&one->vdi).s, uuid_format(&other->vdi).s);
        return err_set(note, ERR_INVALID,
                       "two VDIs are named \"%s\": %s in %s and %s in %s; say which by its uuid",
                       search->name, uuid_format(&one->vdi).s, sr_where(one->shelf->sr),
                       uuid_format(&other->vdi).s, sr_where(other->shelf->sr));
}

static enum err refuse_none(const struct nbd_shelves *shelves, const struct search *search,
                            struct err_note *note) {
        if (!*search->name)
                return err_set(note, ERR_NOT_FOUND, "no export was named, and there are %zu VDIs", search->n);
        if (!shelves->each[0].sr)
                return err_set(note, ERR_NOT_FOUND, "no disk has the name or uuid \"%s\"", search->name);
        if (shelves->n == 1)
                return err_set(note, ERR_NOT_FOUND, "no VDI in SR %s has the name or uuid \"%s\"",
                               sr_where(shelves->each[0].sr), search->name);
        return err_set(note, ERR_NOT_FOUND, "no VDI in any of the %zu SRs has the name or uuid \"%s\"",
                       shelves->n, search->name);
}

static enum err find_plain(const struct nbd_shelves *shelves, const char *name, struct nbd_found *ret,
                           struct err_note *note) {
        struct search search = {.name = name};

        search.is_uuid = uuid_parse(name, &search.uuid);
        for (size_t i = 0; i < shelves->n; i++)
                look_at_shelf(&search, &shelves->each[i]);
        if (search.n_by_uuid > 1)
                return err_set(note, ERR_INVALID, "VDI %s is in two SRs, %s and %s: serve one of them", name,
                               sr_where(search.by_uuid[0].shelf->sr), sr_where(search.by_uuid[1].shelf->sr));
        if (search.n_by_uuid == 0 && search.n > 1 && *name)
                return refuse_two(&search, note);
        if (search.n_by_uuid == 0 && search.n != 1)
                return refuse_none(shelves, &search, note);
        *ret = search.n_by_uuid ? search.by_uuid[0] : search.found[0];
        return ERR_NONE;
}

/* ---- by a session ---------------------------------------------------------------------------- */

#define SESSION_MARK "?session_id="

/* *ret_session: behind the mark, in name. */
static bool parse_session_name(const char *name, struct uuid_text *ret_uuid, const char **ret_session) {
        const size_t n_uuid = sizeof ret_uuid->s - 1;
        struct uuid unused;

        if (name[0] != '/' || strlen(name) < 1 + n_uuid)
                return false;
        memcpy(ret_uuid->s, name + 1, n_uuid);
        ret_uuid->s[n_uuid] = 0;
        *ret_session = name + 1 + n_uuid + strlen(SESSION_MARK);
        return strncmp(name + 1 + n_uuid, SESSION_MARK, strlen(SESSION_MARK)) == 0 &&
               uuid_parse(ret_uuid->s, &unused);
}

static enum err find_by_session(const struct nbd_shelves *shelves, const struct uuid_text *uuid,
                                const char *session, struct nbd_found *ret, struct err_note *note) {
        struct uuid vdi;

        /* First of all: who has no session does not learn which disks there are. */
        if (!uuid_parse(uuid->s, &vdi) || !shelves->may_read ||
            !shelves->may_read(shelves->user, session, &vdi))
                return err_set(note, ERR_DENIED, "the session of an export's name is not good for VDI %s",
                               uuid->s);
        if (find_plain(shelves, uuid->s, ret, note))
                return note->code;
        /* What is not that disk, but only named so. */
        if (!uuid_equal(&ret->vdi, &vdi))
                return err_set(note, ERR_NOT_FOUND, "there is no VDI %s", uuid->s);
        ret->is_by_session = true;
        return ERR_NONE;
}

enum err nbd_shelves_find(const struct nbd_shelves *shelves, const char *name, bool needs_session,
                          struct nbd_found *ret, struct err_note *note) {
        struct uuid_text uuid;
        const char *session;

        if (parse_session_name(name, &uuid, &session))
                return find_by_session(shelves, &uuid, session, ret, note);
        if (needs_session)
                return err_set(note, ERR_DENIED, "an export's name must have a session in it");
        /* One that was cut short or mistyped may be a secret all the same. */
        if (strstr(name, "session_id"))
                return err_set(note, ERR_NOT_FOUND, "no VDI has a name with a session in it");
        return find_plain(shelves, name, ret, note);
}

bool nbd_shelves_forbid_writing(const struct nbd_shelves *shelves, const struct nbd_item *item) {
        bool is_named = false;

        for (size_t i = 0; i < shelves->n_read_only; i++)
                is_named = is_named || uuid_equal(&shelves->read_only[i], &item->uuid);
        return is_named || shelves->are_read_only || item->is_read_only;
}

/* ---- listing --------------------------------------------------------------------------------- */

struct row {
        struct nbd_listed listed;
        struct uuid uuid;
};
struct rows {
        VEC(struct row) all;
};

static void add_shelf(struct rows *rows, const struct nbd_shelf *shelf) {
        turn_take(shelf->turn, "list NBD exports");
        for (size_t i = 0; i < count(shelf); i++) {
                struct nbd_item item;

                if (item_at(shelf, i, &item))
                        *vec_add(&rows->all) =
                                (struct row){{mem_text(item.name), mem_text(item.description)}, item.uuid};
        }
        turn_give_unchanged(shelf->turn);
}

static int compare_rows(const void *a, const void *b) {
        const struct row *one = a, *other = b;
        int by_name = strcmp(one->listed.name, other->listed.name);

        return by_name ? by_name : memcmp(&one->uuid, &other->uuid, sizeof one->uuid);
}

/* Rows are in the order of their names. */
static bool leads_there(const struct rows *rows, size_t i) {
        const char *name = rows->all.data[i].listed.name;
        struct uuid unused;

        return *name && !uuid_parse(name, &unused) &&
               !(i > 0 && strcmp(rows->all.data[i - 1].listed.name, name) == 0) &&
               !(i + 1 < rows->all.n && strcmp(rows->all.data[i + 1].listed.name, name) == 0);
}

void nbd_shelves_list(const struct nbd_shelves *shelves, struct nbd_list *ret) {
        struct rows rows = {0};

        for (size_t i = 0; i < shelves->n; i++)
                add_shelf(&rows, &shelves->each[i]);
        if (rows.all.n > 0)
                qsort(rows.all.data, rows.all.n, sizeof *rows.all.data, compare_rows);
        for (size_t i = 0; i < rows.all.n; i++) {
                const struct row *row = &rows.all.data[i];

                *vec_add(&ret->all) = (struct nbd_listed){
                        mem_text(leads_there(&rows, i) ? row->listed.name : uuid_format(&row->uuid).s),
                        row->listed.description};
        }
        VEC_EACH (&rows.all, each)
                free(each->listed.name);
        vec_fini(&rows.all);
}

void nbd_list_fini(struct nbd_list *list) {
        VEC_EACH (&list->all, each) {
                free(each->name);
                free(each->description);
        }
        vec_fini(&list->all);
}
