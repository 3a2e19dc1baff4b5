// SPDX-License-Identifier: Apache-2.0
#include "vault_sessions.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

enum { NAME_TEXT = sizeof(struct vault_name_text) - 1 };

void vault_sessions_fini(struct vault_sessions *sessions) {
        VEC_EACH (&sessions->list, each)
                vec_fini(&each->points);
        vec_fini(&sessions->list);
}

void vault_sessions_waiting_fini(struct vault_sessions_waiting *waiting) {
        vec_fini(&waiting->list);
}

/* ---- listing ---- */

/* "sessions/<name>", and what is behind it. */
static bool parse(const char *path, struct vault_name *ret, const char **ret_rest) {
        const char *slash = strrchr(path, '/');
        struct vault_name_text text;
        size_t n;

        if (!slash || (n = strlen(slash + 1)) < NAME_TEXT)
                return false;
        memcpy(text.s, slash + 1, NAME_TEXT);
        text.s[NAME_TEXT] = 0;
        *ret_rest = slash + 1 + NAME_TEXT;
        return vault_name_parse(text.s, ret);
}

static void add(struct vault_sessions_row *row, const char *rest) {
        uint64_t beats;

        if (!*rest)
                row->is_there = true;
        else if (strcmp(rest, ".done") == 0)
                row->is_done = true;
        else if (strcmp(rest, ".broken") == 0)
                row->is_broken = true;
        else if (*rest == '.' && text_parse_u64(rest + 1, &beats)) {
                row->n_beats++;
                row->beats = beats > row->beats ? beats : row->beats;
        }
}

enum err vault_sessions_list(struct vault *vault, struct vault_sessions *ret, struct err_note *note) {
        AUTO(target_list_fini) struct target_list objects = {0};
        struct vault_sessions sessions = {0};
        struct vault_name name;
        const char *rest;

        if (target_list(vault->target, "sessions/", &objects, note))
                return err_wrap(note, "look who is at work");
        VEC_EACH (&objects.items, item) {
                if (!parse(item->name, &name, &rest))
                        continue;
                if (sessions.list.n == 0 ||
                    vault_name_compare(&sessions.list.data[sessions.list.n - 1].name, &name) != 0)
                        vec_add(&sessions.list)->name = name;
                add(&sessions.list.data[sessions.list.n - 1], rest);
        }
        vault_sessions_fini(ret);
        *ret = sessions;
        return ERR_NONE;
}

static int compare_rows(const void *name, const void *row) {
        return vault_name_compare(name, &((const struct vault_sessions_row *)row)->name);
}

const struct vault_sessions_row *vault_sessions_find(const struct vault_sessions *sessions,
                                                     const struct vault_name *name) {
        return sessions->list.n == 0 ? NULL
                                     : bsearch(name, sessions->list.data, sessions->list.n,
                                               sizeof *sessions->list.data, compare_rows);
}

bool vault_sessions_row_is_live(const struct vault_sessions_row *row) {
        return (row->is_there || row->n_beats > 0) && !row->is_done && !row->is_broken;
}

bool vault_sessions_is_over(const struct vault_sessions *sessions, const struct vault_name *name) {
        const struct vault_sessions_row *row = vault_sessions_find(sessions, name);

        return !row || !vault_sessions_row_is_live(row);
}

/* ---- what they do ---- */

static bool is_unreadable(enum err err) {
        return err == ERR_NOT_FOUND || err == ERR_CORRUPT || err == ERR_CUT_SHORT || err == ERR_UNSUPPORTED;
}

static enum err read_one(struct vault *vault, struct vault_sessions_row *row, struct err_note *note) {
        AUTO(vault_session_doc_fini) struct vault_session_doc doc = {0};
        AUTO(buf_fini) struct buf body = {0};
        enum err err = vault_get_object(vault, VAULT_SESSION, &row->name, &body, NULL, NULL, note);

        if (!err)
                err = vault_session_decode((struct span){body.data, body.n}, &doc, note);
        if (err)
                return is_unreadable(err) ? ERR_NONE : err_wrap(note, "look who is at work");
        row->is_reader = doc.kind == VAULT_SESSION_READ;
        if (row->is_reader)
                VEC_EACH (&doc.points, point)
                        *vec_add(&row->points) = *point;
        return ERR_NONE;
}

enum err vault_sessions_read(struct vault *vault, struct vault_sessions *sessions, struct err_note *note) {
        VEC_EACH (&sessions->list, row)
                if (row->is_there && vault_sessions_row_is_live(row) && read_one(vault, row, note))
                        return note->code;
        return ERR_NONE;
}

/* ---- changing ---- */

enum err vault_sessions_break(struct vault *vault, const struct vault_name *name, struct err_note *note) {
        static const uint8_t nothing[] = "{}";
        enum err err = vault_put_object(vault, VAULT_SESSION_BROKEN, name,
                                        (struct span){nothing, sizeof nothing - 1}, NULL, note);

        if (err && err != ERR_EXISTS) /* another pruner's */
                return err_wrap(note, "break session %s", vault_name_format(name).s);
        return ERR_NONE;
}

static enum err remove_beats(struct vault *vault, const struct vault_name *name,
                             const struct target_list *objects, uint64_t *n, struct err_note *note) {
        struct vault_name of;
        const char *rest;

        VEC_EACH (&objects->items, item) {
                if (!parse(item->name, &of, &rest) || vault_name_compare(&of, name) != 0 ||
                    strcmp(rest, ".done") == 0 || strcmp(rest, ".broken") == 0)
                        continue;
                if (target_remove(vault->target, item->name, note))
                        return note->code;
                ++*n;
        }
        return ERR_NONE;
}

/* The record that it is over goes last: without it the rest looks like somebody at work. */
enum err vault_sessions_clean(struct vault *vault, const struct vault_sessions *sessions, bool with_records,
                              uint64_t *ret_n, struct err_note *note) {
        AUTO(target_list_fini) struct target_list objects = {0};

        if (target_list(vault->target, "sessions/", &objects, note))
                return err_wrap(note, "look who is at work");
        VEC_EACH (&sessions->list, row) {
                bool is_record = !row->is_there && row->n_beats == 0;

                if (!row->is_done && !row->is_broken)
                        continue;
                if (!is_record && remove_beats(vault, &row->name, &objects, ret_n, note))
                        return err_wrap(note, "remove what a session left");
                if (!is_record || !row->is_done || !with_records)
                        continue;
                if (target_remove(vault->target, vault_path_of(VAULT_SESSION_DONE, &row->name).s, note))
                        return err_wrap(note, "remove what a session left");
                ++*ret_n;
        }
        return ERR_NONE;
}

/* ---- waiting ---- */

static void wait_for(struct vault *vault, const struct vault_sessions_row *row, bool is_until_heard,
                     struct vault_sessions_waiting *waiting) {
        if (!vault_sessions_row_is_live(row))
                return;
        VEC_EACH (&waiting->list, each)
                if (vault_name_compare(&each->name, &row->name) == 0)
                        return;
        *vec_add(&waiting->list) =
                (struct vault_sessions_waited){row->name, row->beats, io_now_ns(vault->io), is_until_heard};
}

void vault_sessions_wait_for(struct vault *vault, const struct vault_sessions *sessions,
                             struct vault_sessions_waiting *waiting) {
        VEC_EACH (&sessions->list, row)
                if (!row->is_reader)
                        wait_for(vault, row, false, waiting);
}

void vault_sessions_wait_for_one(struct vault *vault, const struct vault_sessions_row *row,
                                 struct vault_sessions_waiting *waiting) {
        wait_for(vault, row, false, waiting);
}

void vault_sessions_wait_for_word(struct vault *vault, const struct vault_sessions *sessions,
                                  struct vault_sessions_waiting *waiting) {
        VEC_EACH (&sessions->list, row)
                if (row->is_reader)
                        wait_for(vault, row, true, waiting);
}

/* Whether he need not be waited for any more. */
static enum err look_at(struct vault *vault, const struct vault_sessions *sessions,
                        struct vault_sessions_waited *waited, uint64_t grace_ns, uint64_t *n_broken,
                        bool *ret_is_over, struct err_note *note) {
        const struct vault_sessions_row *row = vault_sessions_find(sessions, &waited->name);
        uint64_t now = io_now_ns(vault->io);

        /* Nothing is left of it: somebody saw it end, and cleaned. */
        *ret_is_over = !row || row->is_done || row->is_broken;
        if (*ret_is_over)
                return ERR_NONE;
        if (row->beats > waited->beats) {
                *ret_is_over = waited->is_until_heard;
                waited->beats = row->beats;
                waited->heard_ns = now;
        }
        if (*ret_is_over || now - waited->heard_ns < grace_ns)
                return ERR_NONE;
        if (vault_sessions_break(vault, &waited->name, note))
                return note->code;
        *ret_is_over = true;
        ++*n_broken;
        return ERR_NONE;
}

enum err vault_sessions_wait_step(struct vault *vault, struct vault_sessions_waiting *waiting,
                                  uint64_t grace_ns, bool *ret_is_over, struct err_note *note) {
        AUTO(vault_sessions_fini) struct vault_sessions sessions = {0};
        bool is_over;

        if (vault_sessions_list(vault, &sessions, note))
                return note->code;
        for (size_t i = 0; i < waiting->list.n;) {
                if (look_at(vault, &sessions, &waiting->list.data[i], grace_ns, &waiting->n_broken, &is_over,
                            note))
                        return note->code;
                if (is_over)
                        vec_remove_at(&waiting->list, i);
                else
                        i++;
        }
        *ret_is_over = waiting->list.n == 0;
        return ERR_NONE;
}
