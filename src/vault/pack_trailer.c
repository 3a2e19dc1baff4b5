// SPDX-License-Identifier: Apache-2.0
#include "pack_trailer.h"

#include <string.h>

#include "vault_path.h"

/* What is fetched from the end of a pack at first: of most packs that is all of the trailer. */
enum { FIRST_TAIL = 64 * 1024 };

/* A pack as far as it was fetched. */
struct tail {
        struct target *target;  /* borrowed from the caller */
        struct vault_path path; /* of the pack */
        struct buf bytes;       /* the last of them */
        uint64_t size;          /* of the pack */
        uint8_t head[VAULT_PACK_HEAD];
};

static void tail_fini(struct tail *tail) {
        buf_fini(&tail->bytes);
}
DEFINE_AUTO_IN_PLACE(struct tail, tail_fini);

static enum err read_exactly(const struct tail *tail, uint64_t at, void *ret, size_t n,
                             struct err_note *note) {
        size_t got;

        if (target_read(tail->target, tail->path.s, at, ret, n, &got, note))
                return note->code;
        if (got < n)
                return err_set(note, ERR_CUT_SHORT, "%s ends before its %llu bytes", tail->path.s,
                               (unsigned long long)tail->size);
        return ERR_NONE;
}

static enum err fetch(struct tail *tail, uint64_t n, struct err_note *note) {
        tail->bytes.n = 0;
        return read_exactly(tail, tail->size - n, buf_extend(&tail->bytes, (size_t)n), (size_t)n, note);
}

/* The end, and all of the trailer, whose length the end says. */
static enum err fetch_trailer(struct tail *tail, struct vault_pack_end *ret, struct err_note *note) {
        uint64_t n;

        if (tail->size < VAULT_PACK_HEAD + VAULT_PACK_END)
                return err_set(note, ERR_CUT_SHORT, "it has %llu bytes", (unsigned long long)tail->size);
        if (fetch(tail, min_u64(tail->size, FIRST_TAIL), note))
                return note->code;
        if (vault_pack_end_decode(tail->bytes.data + tail->bytes.n - VAULT_PACK_END, tail->size, ret, note))
                return note->code;
        n = ret->length - ret->trailer_at;
        if (n > tail->bytes.n && fetch(tail, n, note))
                return note->code;
        if (tail->bytes.n == tail->size) {
                memcpy(tail->head, tail->bytes.data, VAULT_PACK_HEAD);
                return ERR_NONE;
        }
        return read_exactly(tail, 0, tail->head, VAULT_PACK_HEAD, note);
}

static enum err open_trailer(const struct keyring *keyring, const struct vault_pack_head *head,
                             const struct vault_pack_end *end, struct span trailer,
                             struct vault_pack_entries *ret, struct err_note *note) {
        AUTO(pack_key_free) struct pack_key *key = NULL;
        AUTO(buf_fini) struct buf opened = {0};

        if (pack_key_new(keyring, head, &key, note))
                return note->code;
        (void)buf_extend(&opened, trailer.n);
        if (pack_key_open(key, end->n_blobs, NULL, trailer.data, trailer.n, opened.data, note))
                return note->code;
        return vault_pack_entries_decode((struct span){opened.data, trailer.n - VAULT_TAG_SIZE}, end, ret,
                                         note);
}

static enum err read_pack(struct tail *tail, const struct keyring *keyring, const struct vault_name *name,
                          struct vault_index_pack *ret, struct vault_pack_entries *ret_entries,
                          struct err_note *note) {
        struct vault_pack_head head;
        struct vault_pack_end end;
        struct span trailer;

        if (fetch_trailer(tail, &end, note) || vault_pack_head_decode(tail->head, &head, note))
                return note->code;
        trailer.n = (size_t)(end.length - end.trailer_at) - VAULT_PACK_END;
        trailer.data = tail->bytes.data + tail->bytes.n - VAULT_PACK_END - trailer.n;
        if (vault_pack_end_check(&end, tail->bytes.data + tail->bytes.n - VAULT_PACK_END, tail->head, trailer,
                                 note))
                return note->code;
        if (vault_name_compare(&head.name, name) != 0)
                return err_set(note, ERR_CORRUPT, "it is pack %s", vault_name_format(&head.name).s);
        if (open_trailer(keyring, &head, &end, trailer, ret_entries, note))
                return note->code;
        *ret = (struct vault_index_pack){.head = head, .length = end.length, .n_blobs = end.n_blobs};
        return ERR_NONE;
}

enum err pack_trailer_read(struct target *target, const struct keyring *keyring,
                           const struct vault_name *name, uint64_t size, struct vault_index_pack *ret,
                           struct vault_pack_entries *ret_entries, struct err_note *note) {
        AUTO(tail_fini) struct tail tail = {.target = target, .path = vault_pack_path(name), .size = size};

        if (read_pack(&tail, keyring, name, ret, ret_entries, note))
                return err_wrap(note, "pack %s", vault_name_format(name).s);
        return ERR_NONE;
}
