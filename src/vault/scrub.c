// SPDX-License-Identifier: Apache-2.0
#include "scrub.h"

#include "mem.h"
#include "pack_trailer.h"

void scrubbed_fini(struct scrubbed *scrubbed) {
        VEC_EACH (&scrubbed->blobs, each)
                free(each->text);
        vec_fini(&scrubbed->blobs);
        free(scrubbed->text);
        *scrubbed = (struct scrubbed){0};
}

/* A sector that is gone for good is damage; a target that does not answer is not. */
bool scrub_is_damage(struct vault *vault, enum err err) {
        struct err_note ignored;
        uint64_t size;

        if (err == ERR_IO)
                return target_size(vault->target, vault_path_of(VAULT_CONFIG, NULL).s, &size, &ignored) ==
                       ERR_NONE;
        return err == ERR_CORRUPT || err == ERR_CUT_SHORT || err == ERR_UNSUPPORTED;
}

static enum err scrub_blob(struct blob_reader *reader, struct vault *vault, const struct blob_place *place,
                           bool content, struct scrubbed *ret, struct err_note *note) {
        enum err err = blob_check(reader, place, content, note);

        ret->n_blobs++;
        ret->n_bytes += place->blob.stored;
        if (!err || !scrub_is_damage(vault, err))
                return err;
        *vec_add(&ret->blobs) = (struct scrub_blob){.number = place->number,
                                                    .at = place->at,
                                                    .stored = place->blob.stored,
                                                    .id = place->blob.id,
                                                    .text = mem_text(note->text)};
        return ERR_NONE;
}

/* By what the pack says of itself. */
static enum err scrub_entries(struct blob_reader *reader, struct vault *vault, const struct pack_row *row,
                              const struct vault_pack_entries *entries, bool content, struct scrubbed *ret,
                              struct err_note *note) {
        struct blob_place place = {.pack = row, .at = VAULT_PACK_HEAD};

        VEC_EACH (&entries->list, each) {
                place.blob = *each;
                if (scrub_blob(reader, vault, &place, content, ret, note))
                        return note->code;
                place.number++;
                place.at += each->stored;
        }
        return ERR_NONE;
}

/* By what indexes say of it. */
static enum err scrub_places(struct blob_reader *reader, struct vault *vault, const struct vault_name *name,
                             bool content, struct scrubbed *ret, struct err_note *note) {
        AUTO(blob_places_fini) struct blob_places places = {0};

        if (blobs_of_pack(vault->blobs, name, &places, note))
                return note->code;
        ret->is_unknown = places.list.n == 0;
        VEC_EACH (&places.list, each)
                if (scrub_blob(reader, vault, each, content, ret, note))
                        return note->code;
        return ERR_NONE;
}

static enum err scrub(struct blob_reader *reader, struct vault *vault, const struct vault_name *name,
                      uint64_t size, bool content, struct scrubbed *ret, struct err_note *note) {
        AUTO(vault_pack_entries_fini) struct vault_pack_entries entries = {0};
        struct pack_row row = {.is_listed = true};
        enum err err =
                pack_trailer_read(vault->target, vault->keyring, name, size, &row.pack, &entries, note);

        if (!err) {
                err = scrub_entries(reader, vault, &row, &entries, content, ret, note);
                blob_reader_leave(reader); /* the row goes */
                ret->n_bytes += size - min_u64(size, ret->n_bytes);
                return err;
        }
        if (!scrub_is_damage(vault, err))
                return err;
        ret->text = mem_text(note->text);
        return scrub_places(reader, vault, name, content, ret, note);
}

enum err scrub_pack(struct blob_reader *reader, struct vault *vault, const struct vault_name *name,
                    uint64_t size, bool content, struct scrubbed *ret, struct err_note *note) {
        AUTO(scrubbed_fini) struct scrubbed scrubbed = {0};

        if (scrub(reader, vault, name, size, content, &scrubbed, note))
                return note->code;
        *ret = scrubbed;
        scrubbed = (struct scrubbed){0};
        return ERR_NONE;
}
