// SPDX-License-Identifier: Apache-2.0
#include "vault_pack.h"

#include <inttypes.h>

#include "vault_sum.h"

enum { VERSION = 1, SEALED = 1, SUMMED_END = VAULT_PACK_END - VAULT_SUM_SIZE };

struct head_disk {                     /* offset */
        uint8_t magic[4];              /*   0  CVPK                      */
        uint8_t version;               /*   4  1                         */
        uint8_t flags;                 /*   5  1 sealed                  */
        be16 epoch;                    /*   6  0 in plain vaults         */
        uint8_t name[16];              /*   8                            */
        uint8_t session[16];           /*  24                            */
        uint8_t salt[VAULT_SALT_SIZE]; /*  40  zeros in plain vaults     */
};
_Static_assert(sizeof(struct head_disk) == VAULT_PACK_HEAD, "the blobs follow at once");

struct entry_disk {     /* offset */
        uint8_t type;   /*   0  1 chunk, 2 node           */
        uint8_t level;  /*   1  of a node; 0              */
        uint8_t codec;  /*   2  0 as it is, 1 zstd        */
        uint8_t zero_3; /*   3                            */
        be32 stored;    /*   4  bytes here, tag included  */
        be32 length;    /*   8  bytes of the content      */
        be32 zero_12;   /*  12                            */
        uint8_t id[32]; /*  16                            */
};
_Static_assert(sizeof(struct entry_disk) == VAULT_ENTRY_SIZE, "one behind the other");

struct end_disk {         /* offset from the end */
        uint8_t magic[4]; /* -64  CVPE                                        */
        be32 n_blobs;     /* -60                                              */
        be64 trailer_at;  /* -56                                              */
        be64 zero;        /* -48                                              */
        be64 length;      /* -40  of the pack                                 */
        uint8_t sum[32];  /* -32  of head, trailer, and the 32 bytes before   */
};
_Static_assert(sizeof(struct end_disk) == VAULT_PACK_END, "the pack's last bytes");
_Static_assert(_Alignof(struct head_disk) == 1 && _Alignof(struct entry_disk) == 1 &&
                       _Alignof(struct end_disk) == 1,
               "may be read at any address");

static const uint8_t head_magic[4] = {'C', 'V', 'P', 'K'}, end_magic[4] = {'C', 'V', 'P', 'E'};

/* ---- head ------------------------------------------------------------------------------------ */

void vault_pack_head_encode(const struct vault_pack_head *head, uint8_t ret[VAULT_PACK_HEAD]) {
        struct head_disk disk = {.version = VERSION};

        memcpy(disk.magic, head_magic, sizeof disk.magic);
        memcpy(disk.name, head->name.b, sizeof disk.name);
        memcpy(disk.session, head->session.b, sizeof disk.session);
        if (head->is_sealed) {
                disk.flags = SEALED;
                disk.epoch = be16_put(head->epoch);
                memcpy(disk.salt, head->salt, sizeof disk.salt);
        }
        memcpy(ret, &disk, sizeof disk);
}

enum err vault_pack_head_decode(const uint8_t bytes[VAULT_PACK_HEAD], struct vault_pack_head *ret,
                                struct err_note *note) {
        const struct head_disk *disk = (const struct head_disk *)bytes;
        struct vault_pack_head head = {.is_sealed = disk->flags & SEALED, .epoch = be16_get(disk->epoch)};

        if (memcmp(disk->magic, head_magic, sizeof head_magic) != 0)
                return err_set(note, ERR_CORRUPT, "pack: it does not begin as one");
        if (disk->version != VERSION || disk->flags & ~SEALED)
                return err_set(note, ERR_UNSUPPORTED, "pack: version %u, flags %u", disk->version,
                               disk->flags);
        memcpy(head.name.b, disk->name, sizeof head.name.b);
        memcpy(head.session.b, disk->session, sizeof head.session.b);
        memcpy(head.salt, disk->salt, sizeof head.salt);
        if (!head.is_sealed && (head.epoch || !bytes_are_zero(head.salt, sizeof head.salt)))
                return err_set(note, ERR_CORRUPT, "pack: it has a key's salt or epoch, and is not sealed");
        *ret = head;
        return ERR_NONE;
}

/* ---- entries --------------------------------------------------------------------------------- */

void vault_pack_entry_encode(const struct vault_pack_entry *entry, uint8_t ret[VAULT_ENTRY_SIZE]) {
        struct entry_disk disk = {.type = (uint8_t)entry->type,
                                  .level = entry->level,
                                  .codec = (uint8_t)entry->codec,
                                  .stored = be32_put(entry->stored),
                                  .length = be32_put(entry->length)};

        memcpy(disk.id, entry->id.b, sizeof disk.id);
        memcpy(ret, &disk, sizeof disk);
}

bool vault_is_chunk_size(uint64_t n) {
        return n >= VAULT_CHUNK_MIN && n <= VAULT_CHUNK_MAX && (n & (n - 1)) == 0;
}

static bool type_fits(const struct vault_pack_entry *entry) {
        switch (entry->type) {
        case VAULT_CHUNK:
                return entry->level == 0 && vault_is_chunk_size(entry->length);
        case VAULT_NODE:
                return entry->level >= 1 && entry->level <= VAULT_HEIGHT_MAX &&
                       entry->length == VAULT_NODE_SIZE;
        }
        return false;
}

static bool stored_fits(const struct vault_pack_entry *entry) {
        switch (entry->codec) {
        case VAULT_AS_IS:
                return entry->stored == entry->length + VAULT_TAG_SIZE;
        case VAULT_ZSTD:
                return entry->stored > VAULT_TAG_SIZE && entry->stored < entry->length + VAULT_TAG_SIZE;
        }
        return false;
}

enum err vault_pack_entry_check(const struct vault_pack_entry *entry, struct err_note *note) {
        if (!type_fits(entry))
                return err_set(note, ERR_CORRUPT, "a blob of type %d, level %u, %" PRIu32 " bytes",
                               (int)entry->type, entry->level, entry->length);
        if (!stored_fits(entry))
                return err_set(note, ERR_CORRUPT, "%" PRIu32 " bytes as %" PRIu32 " by codec %d",
                               entry->length, entry->stored, (int)entry->codec);
        if (vault_id_is_null(&entry->id))
                return err_set(note, ERR_CORRUPT, "a blob of zeros");
        return ERR_NONE;
}

static enum err entry_decode(const uint8_t bytes[VAULT_ENTRY_SIZE], struct vault_pack_entry *ret,
                             struct err_note *note) {
        const struct entry_disk *disk = (const struct entry_disk *)bytes;
        struct vault_pack_entry entry = {.type = (enum vault_blob_type)disk->type,
                                         .level = disk->level,
                                         .codec = (enum vault_codec)disk->codec,
                                         .stored = be32_get(disk->stored),
                                         .length = be32_get(disk->length)};

        if (disk->zero_3 || be32_get(disk->zero_12))
                return err_set(note, ERR_CORRUPT, "bytes that must be 0 are not");
        memcpy(entry.id.b, disk->id, sizeof entry.id.b);
        if (vault_pack_entry_check(&entry, note))
                return note->code;
        *ret = entry;
        return ERR_NONE;
}

void vault_pack_entries_fini(struct vault_pack_entries *entries) {
        vec_fini(&entries->list);
}

static enum err check_filled(uint64_t at, const struct vault_pack_end *end, struct err_note *note) {
        if (at != end->trailer_at)
                return err_set(note, ERR_CORRUPT,
                               "pack: its blobs end at %" PRIu64 ", its trailer begins at %" PRIu64, at,
                               end->trailer_at);
        return ERR_NONE;
}

enum err vault_pack_entries_decode(struct span bytes, const struct vault_pack_end *end,
                                   struct vault_pack_entries *ret, struct err_note *note) {
        AUTO(vault_pack_entries_fini) struct vault_pack_entries entries = {0};
        uint64_t at = VAULT_PACK_HEAD;

        if (bytes.n != (uint64_t)end->n_blobs * VAULT_ENTRY_SIZE)
                return err_set(note, ERR_CORRUPT, "pack: a trailer of %zu bytes for %" PRIu32 " blobs",
                               bytes.n, end->n_blobs);
        vec_reserve(&entries.list, end->n_blobs);
        for (uint32_t i = 0; i < end->n_blobs; i++) {
                struct vault_pack_entry *entry = vec_add(&entries.list);

                if (entry_decode(bytes.data + (size_t)i * VAULT_ENTRY_SIZE, entry, note))
                        return err_wrap(note, "pack: blob %" PRIu32, i);
                at += entry->stored;
        }
        if (check_filled(at, end, note))
                return note->code;
        *ret = entries;
        entries = (struct vault_pack_entries){0};
        return ERR_NONE;
}

size_t vault_pack_bind(const struct vault_pack_head *head, const struct vault_pack_entry *entry,
                       uint8_t ret[VAULT_PACK_BOUND]) {
        struct vault_pack_entry bound;
        size_t n = 0;

        if (entry) {
                bound = *entry;
                bound.stored = 0; /* not known before it is compressed; the tag's place tells it */
                vault_pack_entry_encode(&bound, ret);
                n = VAULT_ENTRY_SIZE;
        }
        memcpy(ret + n, head->name.b, sizeof head->name.b);
        return n + sizeof head->name.b;
}

/* ---- end ------------------------------------------------------------------------------------- */

uint64_t vault_pack_trailer_size(uint32_t n_blobs) {
        return (uint64_t)n_blobs * VAULT_ENTRY_SIZE + VAULT_TAG_SIZE;
}

static void sum_of(const uint8_t head[VAULT_PACK_HEAD], struct span trailer, const void *end,
                   uint8_t ret[VAULT_SUM_SIZE]) {
        const struct span parts[] = {{head, VAULT_PACK_HEAD}, trailer, {end, SUMMED_END}};

        vault_sum(parts, 3, ret);
}

void vault_pack_end_encode(const struct vault_pack_end *end, const uint8_t head[VAULT_PACK_HEAD],
                           struct span trailer, uint8_t ret[VAULT_PACK_END]) {
        struct end_disk disk = {.n_blobs = be32_put(end->n_blobs),
                                .trailer_at = be64_put(end->trailer_at),
                                .length = be64_put(end->length)};

        memcpy(disk.magic, end_magic, sizeof disk.magic);
        sum_of(head, trailer, &disk, disk.sum);
        memcpy(ret, &disk, sizeof disk);
}

static enum err check_places(const struct vault_pack_end *end, struct err_note *note) {
        uint64_t behind; /* the blobs */

        if (end->n_blobs > VAULT_PACK_BLOBS_MAX)
                return err_set(note, ERR_CORRUPT, "pack: %" PRIu32 " blobs", end->n_blobs);
        if (!add_u64(end->trailer_at, vault_pack_trailer_size(end->n_blobs) + VAULT_PACK_END, &behind) ||
            end->trailer_at < VAULT_PACK_HEAD || behind != end->length)
                return err_set(note, ERR_CORRUPT,
                               "pack: %" PRIu32 " blobs with a trailer at %" PRIu64 " are not the %" PRIu64
                               " bytes that it has",
                               end->n_blobs, end->trailer_at, end->length);
        return ERR_NONE;
}

enum err vault_pack_end_decode(const uint8_t bytes[VAULT_PACK_END], uint64_t pack_length,
                               struct vault_pack_end *ret, struct err_note *note) {
        const struct end_disk *disk = (const struct end_disk *)bytes;
        struct vault_pack_end end = {.n_blobs = be32_get(disk->n_blobs),
                                     .trailer_at = be64_get(disk->trailer_at),
                                     .length = be64_get(disk->length)};

        if (memcmp(disk->magic, end_magic, sizeof end_magic) != 0)
                return err_set(note, ERR_CUT_SHORT, "pack: after %" PRIu64 " bytes it does not end as one",
                               pack_length);
        if (be64_get(disk->zero))
                return err_set(note, ERR_CORRUPT, "pack: bytes of its end that must be 0 are not");
        if (end.length != pack_length)
                return err_set(note, ERR_CORRUPT, "pack: %" PRIu64 " bytes, %" PRIu64 " by its end",
                               pack_length, end.length);
        if (check_places(&end, note))
                return note->code;
        memcpy(end.sum, disk->sum, sizeof end.sum);
        *ret = end;
        return ERR_NONE;
}

enum err vault_pack_end_check(const struct vault_pack_end *end, const uint8_t bytes[VAULT_PACK_END],
                              const uint8_t head[VAULT_PACK_HEAD], struct span trailer,
                              struct err_note *note) {
        uint8_t sum[VAULT_SUM_SIZE];

        sum_of(head, trailer, bytes, sum);
        if (memcmp(sum, end->sum, sizeof sum) != 0)
                return err_set(note, ERR_CORRUPT, "pack: head, trailer and end do not fit their sum");
        return ERR_NONE;
}
