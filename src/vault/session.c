// SPDX-License-Identifier: Apache-2.0
#include "session.h"

static enum err put_at(struct session *session, const char *path, struct err_note *note) {
        AUTO(buf_fini) struct buf body = {0};

        vault_session_encode(&session->doc, &body);
        session->beat_at = io_now_ns(session->vault->io);
        return vault_put_object_as(session->vault, path, VAULT_SESSION, &session->name,
                                   (struct span){body.data, body.n}, NULL, note);
}

static enum err begin(struct vault *vault, struct session *ret, struct err_note *note) {
        ret->vault = vault;
        vault_name_random(vault->io, &ret->name);
        ret->doc.began = io_wall_ns(vault->io) / 1000000000;
        if (put_at(ret, vault_path_of(VAULT_SESSION, &ret->name).s, note))
                return err_wrap(note, "begin a session");
        vault_wait_for_listing(vault);
        return ERR_NONE;
}

enum err session_begin(struct vault *vault, enum vault_session_kind kind, struct session *ret,
                       struct err_note *note) {
        *ret = (struct session){.doc = {.kind = kind}};
        return begin(vault, ret, note);
}

enum err session_begin_reading(struct vault *vault, const struct vault_name *points, size_t n,
                               struct session *ret, struct err_note *note) {
        *ret = (struct session){.doc = {.kind = VAULT_SESSION_READ}};
        for (size_t i = 0; i < n; i++)
                *vec_add(&ret->doc.points) = points[i];
        return begin(vault, ret, note);
}

/* Under a new name each, also after one that failed, which may be there or come later: nothing is ever put
 * again. */
enum err session_beat(struct session *session, struct err_note *note) {
        struct vault_path path = vault_path_of(VAULT_SESSION, &session->name);
        size_t n = strlen(path.s);

        if (io_now_ns(session->vault->io) - session->beat_at < (uint64_t)SESSION_BEAT_SECONDS * 1000000000)
                return ERR_NONE;
        snprintf(path.s + n, sizeof path.s - n, ".%llu", (unsigned long long)++session->n_beats);
        if (put_at(session, path.s, note))
                return err_wrap(note, "say that the session goes on");
        return ERR_NONE;
}

enum err session_was_broken(struct session *session, bool *ret, struct err_note *note) {
        struct vault_path path = vault_path_of(VAULT_SESSION_BROKEN, &session->name);
        uint64_t size;
        enum err failed;

        failed = target_size(session->vault->target, path.s, &size, note);
        if (failed && failed != ERR_NOT_FOUND)
                return err_wrap(note, "look whether the session was broken");
        *ret = failed == ERR_NONE;
        return ERR_NONE;
}

enum err session_is_broken(struct session *session, bool *ret, struct err_note *note) {
        vault_wait_for_listing(session->vault);
        return session_was_broken(session, ret, note);
}

enum err session_end(struct session *session, struct err_note *note) {
        static const uint8_t nothing[] = "{}";

        if (vault_put_object(session->vault, VAULT_SESSION_DONE, &session->name,
                             (struct span){nothing, sizeof nothing - 1}, NULL, note))
                return err_wrap(note, "end the session");
        return ERR_NONE;
}

void session_fini(struct session *session) {
        vault_session_doc_fini(&session->doc);
}
