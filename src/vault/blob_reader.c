// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <zstd.h>

#include "blobs.h"
#include "blobs_inside.h"
#include "mem.h"
#include "vault_path.h"

enum {
        WINDOWS = 4,
        WINDOW_FIRST = 256 * 1024,    /* what is fetched when a second neighbour is asked for … */
        WINDOW_MAX = 2 * 1024 * 1024, /* … and, doubled each time, at most */
        NEIGHBOUR_GAP = 64 * 1024,    /* bytes between two that are neighbours all the same */
};

/* A stretch of one pack, as it is stored. */
struct window {
        const struct pack_row *pack; /* borrowed from blobs; NULL: none */
        struct pack_key *key;        /* owned; its pack's */
        uint8_t *data;               /* owned */
        size_t room, n, ahead;       /* ahead: what was fetched last, where neighbours were asked for */
        uint64_t at;
        uint64_t spent; /* what lies before this in the pack is not any more as it is stored */
        uint64_t used;  /* the reader's clock */
};

struct blob_reader {
        struct blobs *blobs; /* borrowed, outlives us */
        struct window windows[WINDOWS];
        uint64_t clock;
        ZSTD_DCtx *zstd; /* owned */
        uint8_t *raw;    /* owned; a blob that was opened and is still compressed */
        size_t room;
        uint8_t *checked; /* owned; the content of one that nobody wants to have */
        size_t checked_room;
};

struct blob_reader *blob_reader_new(struct blobs *blobs) {
        struct blob_reader *reader = mem_new(struct blob_reader);

        reader->blobs = blobs;
        reader->zstd = ZSTD_createDCtx();
        return reader;
}

static void window_leave(struct window *window) {
        if (window->key)
                pack_key_free(TAKE(window->key));
        window->pack = NULL;
        window->n = window->ahead = 0;
        window->spent = 0;
}

void blob_reader_free(struct blob_reader *reader) {
        for (size_t i = 0; i < WINDOWS; i++) {
                window_leave(&reader->windows[i]);
                free(reader->windows[i].data);
        }
        (void)ZSTD_freeDCtx(reader->zstd);
        free(reader->raw);
        free(reader->checked);
        free(reader);
}

void blob_reader_leave(struct blob_reader *reader) {
        for (size_t i = 0; i < WINDOWS; i++)
                window_leave(&reader->windows[i]);
}

/* ---- windows ---- */

/* That of the pack, or the one that was longest unused. */
static enum err window_of(struct blob_reader *reader, const struct pack_row *pack, struct window **ret,
                          struct err_note *note) {
        struct window *found = &reader->windows[0];

        for (size_t i = 0; i < WINDOWS; i++) {
                struct window *each = &reader->windows[i];

                if (each->pack == pack) {
                        found = each;
                        break;
                }
                if (each->used < found->used)
                        found = each;
        }
        if (found->pack != pack) {
                window_leave(found);
                if (pack_key_new(reader->blobs->keyring, &pack->pack.head, &found->key, note))
                        return note->code;
                found->pack = pack;
        }
        found->used = ++reader->clock;
        *ret = found;
        return ERR_NONE;
}

static void *grown(uint8_t **memory, size_t *room, size_t want) {
        if (want > *room) {
                free(*memory);
                *memory = mem_grow(NULL, want, 1);
                *room = want;
        }
        return *memory;
}

/* How much to fetch: one blob at first, more where they are asked for one behind the other. */
static size_t reach(struct window *window, const struct blob_place *place) {
        uint64_t length = place->pack->pack.length, left = place->at < length ? length - place->at : 0;
        bool is_next = window->n && place->at >= window->at &&
                       place->at - window->at <= window->n + (uint64_t)NEIGHBOUR_GAP;

        window->ahead = !is_next                         ? 0
                        : window->ahead == 0             ? WINDOW_FIRST
                        : window->ahead * 2 > WINDOW_MAX ? WINDOW_MAX
                                                         : window->ahead * 2;
        return (size_t)max_u64(place->blob.stored, min_u64(window->ahead, left));
}

static enum err fetch(struct blob_reader *reader, struct window *window, const struct blob_place *place,
                      size_t want, size_t *ret_n, struct err_note *note) {
        (void)grown(&window->data, &window->room, want);
        return target_read(reader->blobs->target, vault_pack_path(&place->pack->pack.head.name).s, place->at,
                           window->data, want, ret_n, note);
}

static enum err fill(struct blob_reader *reader, struct window *window, const struct blob_place *place,
                     struct err_note *note) {
        size_t want = reach(window, place), n;
        enum err err;

        window->n = 0;
        window->spent = 0;
        err = fetch(reader, window, place, want, &n, note);
        /* It may be the neighbours that cannot be read. */
        if (err == ERR_IO && want > place->blob.stored)
                err = fetch(reader, window, place, place->blob.stored, &n, note);
        if (err)
                return err;
        if (n < place->blob.stored)
                return err_set(note, ERR_CUT_SHORT, "the pack ends within it");
        window->at = place->at;
        window->n = n;
        return ERR_NONE;
}

/* ---- one blob ---- */

static enum err unpress(struct blob_reader *reader, const struct blob_place *place, const void *opened,
                        void *ret, struct err_note *note) {
        size_t got = ZSTD_decompressDCtx(reader->zstd, ret, place->blob.length, opened,
                                         place->blob.stored - VAULT_TAG_SIZE);

        if (ZSTD_isError(got))
                return err_set(note, ERR_CORRUPT, "its compression: %s", ZSTD_getErrorName(got));
        if (got != place->blob.length)
                return err_set(note, ERR_CORRUPT, "it has %zu bytes", got);
        return ERR_NONE;
}

static enum err open_blob(struct blob_reader *reader, const struct window *window,
                          const struct blob_place *place, void *ret, struct err_note *note) {
        const uint8_t *stored = window->data + (place->at - window->at);
        bool is_pressed = place->blob.codec == VAULT_ZSTD;
        size_t n = place->blob.stored - VAULT_TAG_SIZE;
        void *opened = is_pressed ? grown(&reader->raw, &reader->room, n) : ret;

        if (pack_key_open(window->key, place->number, &place->blob, stored, place->blob.stored, opened, note))
                return note->code;
        return is_pressed ? unpress(reader, place, opened, ret, note) : ERR_NONE;
}

static enum err check_id(const struct blob_reader *reader, const struct vault_pack_entry *blob,
                         const void *content, struct err_note *note) {
        struct vault_id id;

        if (blob->type == VAULT_NODE)
                keyring_node_id(reader->blobs->keyring, blob->level, content, &id);
        else
                keyring_chunk_id(reader->blobs->keyring, content, blob->length, &id);
        if (vault_id_compare(&id, &blob->id) != 0)
                return err_set(note, ERR_CORRUPT, "its content has another id");
        return ERR_NONE;
}

/* A window that has all of the blob. */
static enum err window_with(struct blob_reader *reader, const struct blob_place *place, struct window **ret,
                            struct err_note *note) {
        struct window *window = NULL;

        if (window_of(reader, place->pack, &window, note))
                return note->code;
        *ret = window;
        if (place->at >= max_u64(window->at, window->spent) &&
            range_fits(place->at - window->at, place->blob.stored, window->n))
                return ERR_NONE;
        return fill(reader, window, place, note);
}

static enum err read_copy(struct blob_reader *reader, const struct blob_place *place, bool checks_id,
                          void *ret, struct err_note *note) {
        struct window *window;

        if (window_with(reader, place, &window, note) || open_blob(reader, window, place, ret, note))
                return note->code;
        return checks_id ? check_id(reader, &place->blob, ret, note) : ERR_NONE;
}

static enum err wrap_place(const struct blob_place *place, struct err_note *note) {
        return err_wrap(note, "blob %u at %llu of pack %s", place->number, (unsigned long long)place->at,
                        vault_name_format(&place->pack->pack.head.name).s);
}

enum err blob_read_copy(struct blob_reader *reader, const struct blob_place *place, bool checks_id, void *ret,
                        struct err_note *note) {
        if (read_copy(reader, place, checks_id, ret, note))
                return wrap_place(place, note);
        return ERR_NONE;
}

/* Opened where it lies, so that a pack goes through memory once. */
static enum err check_copy(struct blob_reader *reader, const struct blob_place *place, bool checks_id,
                           struct err_note *note) {
        struct window *window = NULL;
        uint8_t *stored;
        void *content;

        if (window_with(reader, place, &window, note))
                return note->code;
        stored = window->data + (place->at - window->at);
        window->spent = place->at + place->blob.stored;
        if (pack_key_open(window->key, place->number, &place->blob, stored, place->blob.stored, stored, note))
                return note->code;
        if (!checks_id)
                return ERR_NONE;
        if (place->blob.codec == VAULT_AS_IS)
                return check_id(reader, &place->blob, stored, note);
        content = grown(&reader->checked, &reader->checked_room, place->blob.length);
        if (unpress(reader, place, stored, content, note))
                return note->code;
        return check_id(reader, &place->blob, content, note);
}

enum err blob_check(struct blob_reader *reader, const struct blob_place *place, bool checks_id,
                    struct err_note *note) {
        if (check_copy(reader, place, checks_id, note))
                return wrap_place(place, note);
        return ERR_NONE;
}

static bool may_be_elsewhere(enum err err) {
        return err == ERR_CORRUPT || err == ERR_CUT_SHORT || err == ERR_NOT_FOUND;
}

enum err blob_read(struct blob_reader *reader, const struct blob_place *place, bool checks_id, void *ret,
                   struct err_note *note) {
        enum err err = blob_read_copy(reader, place, checks_id, ret, note);
        struct blob_place other;
        struct err_note ignored;

        for (unsigned copy = 0; may_be_elsewhere(err); copy++) {
                if (!blobs_find_copy(reader->blobs, &place->blob.id, copy, &other))
                        return err;
                if ((other.pack != place->pack || other.at != place->at) &&
                    other.blob.length == place->blob.length &&
                    blob_read_copy(reader, &other, checks_id, ret, &ignored) == ERR_NONE)
                        return ERR_NONE;
        }
        return err;
}
