// SPDX-License-Identifier: Apache-2.0
#include "reading.h"

enum err reading_look(struct vault *vault, const struct vault_name *point, struct err_note *note) {
        uint64_t size;
        enum err err = target_size(vault->target, vault_path_of(VAULT_SEAL, point).s, &size, note);

        if (!err)
                err = target_size(vault->target, vault_path_of(VAULT_MANIFEST, point).s, &size, note);
        if (err == ERR_NOT_FOUND)
                return err_set(note, ERR_NOT_FOUND, "point %s was just let go", vault_name_format(point).s);
        return err;
}

/* [R2] [R3] */
static enum err look(struct vault *vault, const struct vault_name *points, size_t n, struct err_note *note) {
        const struct blobs_excluded none = {0};

        for (size_t i = 0; i < n; i++)
                if (reading_look(vault, &points[i], note))
                        return note->code;
        return blobs_refresh(vault->blobs, &none, note);
}

void reading_hold(struct vault *vault, const struct vault_name *points, size_t n, struct reading *ret) {
        struct err_note ignored;

        *ret = (struct reading){0};
        ret->is_held = session_begin_reading(vault, points, n, &ret->session, &ignored) == ERR_NONE;
}

enum err reading_begin(struct vault *vault, const struct vault_name *points, size_t n, struct reading *ret,
                       struct err_note *note) {
        AUTO(reading_end) struct reading reading = {0};

        reading_hold(vault, points, n, &reading);
        if (reading.is_held && look(vault, points, n, note))
                return note->code;
        *ret = reading;
        reading = (struct reading){0};
        return ERR_NONE;
}

void reading_go_on(struct reading *reading) {
        uint64_t n_beats = reading->session.n_beats;
        struct err_note ignored;

        if (!reading->is_held || reading->is_broken)
                return;
        /* Who is not heard is broken in the end, and sees that then. */
        (void)!session_beat(&reading->session, &ignored);
        if (reading->session.n_beats != n_beats)
                (void)!session_was_broken(&reading->session, &reading->is_broken, &ignored);
}

void reading_end(struct reading *reading) {
        struct err_note ignored;

        if (reading->is_held)
                (void)!session_end(&reading->session, &ignored); /* else a prune finds out by waiting */
        session_fini(&reading->session);
        *reading = (struct reading){0};
}
