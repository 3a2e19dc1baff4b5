// SPDX-License-Identifier: Apache-2.0
/* Who is at work in a vault, and what is to go. */
#include "mem.h"
#include "vault_member.h"

static const char *const session_kinds[] = {"write", "read", "prune"};

/* ---- sessions -------------------------------------------------------------------------------- */

void vault_session_doc_fini(struct vault_session_doc *session) {
        vec_fini(&session->points);
}

void vault_session_encode(const struct vault_session_doc *session, struct buf *ret) {
        json_t *body = json_object();

        vault_put_text(body, "kind", session_kinds[session->kind]);
        vault_put_time(body, "began", session->began);
        vault_put_names(body, "points", session->points.data, session->points.n);
        vault_body_add(body, ret);
}

enum err vault_session_decode(struct span text, struct vault_session_doc *ret, struct err_note *note) {
        AUTO(json_decref) json_t *body = NULL;
        struct vault_session_doc session = {0};
        unsigned kind;

        if (vault_body_load(text, &body, note) ||
            vault_take_word(body, "kind", session_kinds, 3, &kind, note) ||
            vault_take_time(body, "began", &session.began, note) ||
            vault_take_names(body, "points", &session.points.data, &session.points.n, note))
                return err_wrap(note, "session");
        session.kind = (enum vault_session_kind)kind;
        session.points.room = session.points.n;
        *ret = session;
        return ERR_NONE;
}

/* ---- what is to go --------------------------------------------------------------------------- */

void vault_doom_fini(struct vault_doom *doom) {
        vec_fini(&doom->packs);
        vec_fini(&doom->instead_of);
}

void vault_doom_encode(const struct vault_doom *doom, struct buf *ret) {
        json_t *body = json_object();

        vault_put_names(body, "packs", doom->packs.data, doom->packs.n);
        vault_put_names(body, "instead_of", doom->instead_of.data, doom->instead_of.n);
        vault_body_add(body, ret);
}

enum err vault_doom_decode(struct span text, struct vault_doom *ret, struct err_note *note) {
        AUTO(vault_doom_fini) struct vault_doom doom = {0};
        AUTO(json_decref) json_t *body = NULL;

        if (vault_body_load(text, &body, note) ||
            vault_take_names(body, "packs", &doom.packs.data, &doom.packs.n, note) ||
            vault_take_names(body, "instead_of", &doom.instead_of.data, &doom.instead_of.n, note))
                return err_wrap(note, "doom");
        doom.packs.room = doom.packs.n;
        doom.instead_of.room = doom.instead_of.n;
        *ret = doom;
        doom = (struct vault_doom){0};
        return ERR_NONE;
}

void vault_drop_fini(struct vault_drop *drop) {
        vec_fini(&drop->points);
        free(drop->why);
        *drop = (struct vault_drop){0};
}

void vault_drop_encode(const struct vault_drop *drop, struct buf *ret) {
        json_t *body = json_object();

        vault_put_names(body, "points", drop->points.data, drop->points.n);
        vault_put_text(body, "why", drop->why ? drop->why : "");
        vault_body_add(body, ret);
}

enum err vault_drop_decode(struct span text, struct vault_drop *ret, struct err_note *note) {
        AUTO(vault_drop_fini) struct vault_drop drop = {0};
        AUTO(json_decref) json_t *body = NULL;
        const char *why;

        if (vault_body_load(text, &body, note) || vault_take_text(body, "why", &why, note) ||
            vault_take_names(body, "points", &drop.points.data, &drop.points.n, note))
                return err_wrap(note, "drop");
        drop.points.room = drop.points.n;
        drop.why = mem_text(why);
        *ret = drop;
        drop = (struct vault_drop){0};
        return ERR_NONE;
}

/* ---- what an admin knew ---------------------------------------------------------------------- */

void vault_state_fini(struct vault_state *state) {
        vec_fini(&state->seen);
}

void vault_state_encode(const struct vault_state *state, struct buf *ret) {
        json_t *body = json_object(), *seen = json_object();

        VEC_EACH (&state->seen, each)
                vault_put_time(seen, vault_name_format(&each->point).s, each->time);
        vault_put_number(body, "sequence", state->sequence);
        vault_put_number(body, "packs", state->packs);
        json_object_set_new(body, "seen", seen);
        vault_body_add(body, ret);
}

static enum err take_seen(const json_t *seen, struct vault_state *state, struct err_note *note) {
        const char *key;
        json_t *value;

        json_object_foreach((json_t *)seen, key, value) {
                struct vault_seen *each = vec_add(&state->seen);

                if (!vault_name_parse(key, &each->point))
                        return err_set(note, ERR_CORRUPT, "'seen' names no point: '%.40s'", key);
                if (vault_take_time(seen, key, &each->time, note))
                        return note->code;
        }
        return ERR_NONE;
}

enum err vault_state_decode(struct span text, struct vault_state *ret, struct err_note *note) {
        AUTO(vault_state_fini) struct vault_state state = {0};
        AUTO(json_decref) json_t *body = NULL;
        json_t *seen;

        if (vault_body_load(text, &body, note) ||
            vault_take_number(body, "sequence", 0, INT64_MAX, &state.sequence, note) ||
            vault_take_number(body, "packs", 0, INT64_MAX, &state.packs, note) ||
            vault_take_object(body, "seen", &seen, note) || take_seen(seen, &state, note))
                return err_wrap(note, "admin's state");
        *ret = state;
        state = (struct vault_state){0};
        return ERR_NONE;
}
