// SPDX-License-Identifier: Apache-2.0
#include "index_file.h"

#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#include "bloom.h"
#include "mem.h"

enum { ALIGNMENT = 4096, PIECE_BYTES = INDEX_PIECE * VAULT_INDEX_ENTRY_SIZE };

static const char magic[8] = "CVCACHE1";

struct head_disk {            /* offset */
        char magic[8];        /*   0 */
        uint8_t name[16];     /*   8  of the index */
        be64 n_entries;       /*  24 */
        be64 filter;          /*  32  bytes */
        be64 tables;          /*  40  bytes: of the index, all before its entries */
        be32 n_packs;         /*  48 */
        be32 n_replaced;      /*  52 */
        uint8_t fan_bits;     /*  56 */
        uint8_t reserved[55]; /*  57 */
        uint8_t sum[16];      /* 112  XXH3-128 of the front, this zeroed */
};
_Static_assert(sizeof(struct head_disk) == 128, "the filter behind it is in lines of the cache");
_Static_assert(_Alignof(struct head_disk) == 1, "may be read at any address");

struct index_file {
        struct io_file *file; /* owned; NULL: in memory */
        uint8_t *front;       /* owned; behind it, in memory, the entries */
        size_t n_front;
        uint64_t entries_at;
        struct vault_index_view view; /* over front; its entries are NULL */
        const uint8_t *filter, *sums; /* borrowed from front */
        size_t n_filter;
};

/* ---- the front ---- */

/* Where everything is, by the head alone; false: that is no file of ours. */
static bool lay_out(struct index_file *index, uint64_t *ret_size) {
        const struct head_disk *head = (const struct head_disk *)index->front;
        uint64_t n = be64_get(head->n_entries), tables = be64_get(head->tables), pieces, at, end;
        struct vault_index_view *view = &index->view;

        *view = (struct vault_index_view){.n_packs = be32_get(head->n_packs),
                                          .n_replaced = be32_get(head->n_replaced),
                                          .n_entries = n,
                                          .fan_bits = head->fan_bits};
        pieces = div_up(n, INDEX_PIECE);
        if (memcmp(head->magic, magic, sizeof magic) != 0 || head->fan_bits > 24 || n > UINT64_MAX / 1024 ||
            be64_get(head->filter) != bloom_size(n) ||
            tables != VAULT_INDEX_HEAD + (uint64_t)view->n_replaced * sizeof(struct vault_name) +
                              (uint64_t)view->n_packs * VAULT_INDEX_PACK_SIZE +
                              ((uint64_t)8 << view->fan_bits))
                return false;
        index->n_filter = bloom_size(n);
        at = sizeof *head + index->n_filter + pieces * 8 + tables;
        index->n_front = at;
        index->entries_at = round_up(at, ALIGNMENT);
        end = index->entries_at + n * VAULT_INDEX_ENTRY_SIZE;
        *ret_size = end;
        return true;
}

/* Once the front is there. */
static void point(struct index_file *index) {
        struct vault_index_view *view = &index->view;

        index->filter = index->front + sizeof(struct head_disk);
        index->sums = index->filter + index->n_filter;
        view->bytes.data = index->sums + div_up(view->n_entries, INDEX_PIECE) * 8;
        view->bytes.n = (size_t)(index->front + index->n_front - view->bytes.data);
        view->replaced = view->bytes.data + VAULT_INDEX_HEAD;
        view->packs = view->replaced + (size_t)view->n_replaced * sizeof(struct vault_name);
        view->fan = view->packs + (size_t)view->n_packs * VAULT_INDEX_PACK_SIZE;
}

static void front_sum(const struct index_file *index, uint8_t ret[16]) {
        struct head_disk head = *(const struct head_disk *)index->front;
        XXH3_state_t *state = XXH3_createState();
        XXH128_canonical_t sum;

        memset(head.sum, 0, sizeof head.sum);
        XXH3_128bits_reset(state);
        XXH3_128bits_update(state, &head, sizeof head);
        XXH3_128bits_update(state, index->front + sizeof head, index->n_front - sizeof head);
        XXH128_canonicalFromHash(&sum, XXH3_128bits_digest(state));
        XXH3_freeState(state);
        memcpy(ret, sum.digest, sizeof sum.digest);
}

static void encode_head(struct index_file *index, const struct vault_name *name,
                        const struct vault_index_view *view) {
        struct head_disk head = {.n_entries = be64_put(view->n_entries),
                                 .filter = be64_put(bloom_size(view->n_entries)),
                                 .tables = be64_put((uint64_t)(view->entries - view->bytes.data)),
                                 .n_packs = be32_put(view->n_packs),
                                 .n_replaced = be32_put(view->n_replaced),
                                 .fan_bits = (uint8_t)view->fan_bits};

        memcpy(head.magic, magic, sizeof head.magic);
        memcpy(head.name, name->b, sizeof head.name);
        memcpy(index->front, &head, sizeof head);
}

static uint64_t piece_sum(const uint8_t *bytes, size_t n) {
        return XXH3_64bits(bytes, n);
}

static size_t piece_size(uint64_t n_entries, uint64_t piece) {
        return (size_t)min_u64(INDEX_PIECE, n_entries - piece * INDEX_PIECE) * VAULT_INDEX_ENTRY_SIZE;
}

static void fill_front(struct index_file *index, const struct vault_index_view *view) {
        uint8_t *filter = index->front + (index->filter - index->front);
        uint8_t *sums = index->front + (index->sums - index->front);
        struct vault_id id;

        memcpy(sums + div_up(view->n_entries, INDEX_PIECE) * 8, view->bytes.data, index->view.bytes.n);
        for (uint64_t i = 0; i < view->n_entries; i++) {
                memcpy(id.b, view->entries + i * VAULT_INDEX_ENTRY_SIZE, sizeof id.b);
                bloom_add(filter, index->n_filter, &id);
        }
        for (uint64_t i = 0; i * INDEX_PIECE < view->n_entries; i++) {
                be64 sum =
                        be64_put(piece_sum(view->entries + i * PIECE_BYTES, piece_size(view->n_entries, i)));

                memcpy(sums + i * 8, &sum, sizeof sum);
        }
        front_sum(index, ((struct head_disk *)index->front)->sum);
}

/* ---- making ---- */

static enum err write_file(struct io *io, const char *path, const struct index_file *index,
                           const struct vault_index_view *view, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        size_t n = (size_t)view->n_entries * VAULT_INDEX_ENTRY_SIZE;

        if (io_open(io, path, IO_CREATE | IO_PRIVATE, &file, note) ||
            io_write(file, index->front, index->n_front, 0, note))
                return note->code;
        /* Not synced: what a crash takes of it, the sums tell. */
        return n ? io_write(file, view->entries, n, index->entries_at, note)
                 : io_truncate(file, index->entries_at, note);
}

static enum err make_file(struct io *io, const char *path, struct index_file *index,
                          const struct vault_index_view *view, struct err_note *note) {
        AUTO_FREE char *temporary = mem_format("%s.%016" PRIx64, path, io_random_u64(io));
        struct err_note ignored;

        if (write_file(io, temporary, index, view, note) || io_rename(io, temporary, path, note)) {
                (void)!io_unlink(io, temporary, &ignored);
                return note->code;
        }
        return io_open(io, path, IO_READ, &index->file, note);
}

enum err index_file_make(struct io *io, const char *path, const struct vault_name *name, struct span body,
                         struct index_file **ret, struct err_note *note) {
        AUTO(index_file_free) struct index_file *index = mem_new(struct index_file);
        struct vault_index_view view;
        struct head_disk head;
        uint64_t size;

        if (vault_index_view(body, &view, note))
                return note->code;
        index->front = (uint8_t *)&head;
        encode_head(index, name, &view);
        (void)lay_out(index, &size);
        index->front = mem_aligned(ALIGNMENT, round_up(path ? index->n_front : size, ALIGNMENT));
        memcpy(index->front, &head, sizeof head);
        memset(index->front + sizeof head, 0, index->n_front - sizeof head);
        point(index);
        fill_front(index, &view);
        if (path ? make_file(io, path, index, &view, note) != ERR_NONE : false)
                return err_wrap(note, "keep index %s", vault_name_format(name).s);
        if (!path && view.n_entries)
                memcpy(index->front + index->entries_at, view.entries,
                       (size_t)view.n_entries * VAULT_INDEX_ENTRY_SIZE);
        *ret = TAKE(index);
        return ERR_NONE;
}

/* ---- opening ---- */

static enum err is_damaged(struct err_note *note, const char *what) {
        return err_set(note, ERR_CORRUPT, "a cached index is damaged: %s", what);
}

static enum err read_front(struct index_file *index, const struct vault_name *name, struct err_note *note) {
        struct head_disk head;
        struct io_stat stat;
        uint8_t sum[16];
        uint64_t size;

        if (io_stat(index->file, &stat, note) || io_read(index->file, &head, sizeof head, 0, note))
                return note->code;
        index->front = (uint8_t *)&head;
        if (!lay_out(index, &size) || size != stat.size ||
            memcmp(head.name, name->b, sizeof head.name) != 0) {
                index->front = NULL;
                return is_damaged(note, "its head");
        }
        index->front = mem_aligned(ALIGNMENT, round_up(index->n_front, ALIGNMENT));
        if (io_read(index->file, index->front, index->n_front, 0, note))
                return note->code;
        front_sum(index, sum);
        if (memcmp(sum, head.sum, sizeof sum) != 0)
                return is_damaged(note, "its tables");
        point(index);
        return ERR_NONE;
}

enum err index_file_open(struct io *io, const char *path, const struct vault_name *name,
                         struct index_file **ret, struct err_note *note) {
        AUTO(index_file_free) struct index_file *index = mem_new(struct index_file);

        if (io_open(io, path, IO_READ, &index->file, note) || read_front(index, name, note))
                return note->code;
        *ret = TAKE(index);
        return ERR_NONE;
}

void index_file_free(struct index_file *index) {
        if (index->file)
                io_close(index->file);
        free(index->front);
        free(index);
}

const struct vault_index_view *index_file_tables(const struct index_file *index) {
        return &index->view;
}

/* ---- entries ---- */

static enum err load_piece(const struct index_file *index, uint64_t piece, uint8_t *ret,
                           struct err_note *note) {
        size_t n = piece_size(index->view.n_entries, piece);
        uint64_t at = index->entries_at + piece * PIECE_BYTES;
        be64 sum;

        if (!index->file) {
                memcpy(ret, index->front + at, n);
                return ERR_NONE;
        }
        if (io_read(index->file, ret, n, at, note))
                return note->code;
        memcpy(&sum, index->sums + piece * 8, sizeof sum);
        if (piece_sum(ret, n) != be64_get(sum))
                return is_damaged(note, "its entries");
        return ERR_NONE;
}

/* The bytes of the piece that has entry i; neighbours do not drive each other out. */
static enum err piece_of(const struct index_file *index, struct index_pieces *pieces, uint64_t i,
                         const uint8_t **ret, struct err_note *note) {
        uint64_t piece = i / INDEX_PIECE;
        size_t slot = piece % INDEX_PIECES_KEPT;

        if (pieces->kept[slot].number != piece + 1) {
                pieces->kept[slot].number = 0;
                if (load_piece(index, piece, pieces->kept[slot].bytes, note))
                        return note->code;
                pieces->kept[slot].number = piece + 1;
        }
        *ret = pieces->kept[slot].bytes;
        return ERR_NONE;
}

enum err index_file_entry(const struct index_file *index, struct index_pieces *pieces, uint64_t i,
                          struct vault_index_entry *ret, struct err_note *note) {
        struct vault_index_view part = index->view;

        if (piece_of(index, pieces, i, &part.entries, note))
                return note->code;
        part.n_entries = piece_size(index->view.n_entries, i / INDEX_PIECE) / VAULT_INDEX_ENTRY_SIZE;
        return vault_index_entry(&part, i % INDEX_PIECE, ret, note);
}

bool index_file_may_have(const struct index_file *index, const struct vault_id *id) {
        return bloom_may_have(index->filter, index->n_filter, id);
}

/* The entries whose ids begin as this one: [*ret_low, *ret_high). */
static void fan_out(const struct vault_index_view *view, const struct vault_id *id, uint64_t *ret_low,
                    uint64_t *ret_high) {
        be32 first;
        be64 count;
        uint32_t slot;

        memcpy(&first, id->b, sizeof first);
        slot = view->fan_bits ? be32_get(first) >> (32 - view->fan_bits) : 0;
        memcpy(&count, view->fan + (size_t)slot * 8, sizeof count);
        *ret_high = min_u64(be64_get(count), view->n_entries);
        *ret_low = 0;
        if (slot == 0)
                return;
        memcpy(&count, view->fan + (size_t)(slot - 1) * 8, sizeof count);
        *ret_low = min_u64(be64_get(count), *ret_high);
}

static enum err compare_at(const struct index_file *index, struct index_pieces *pieces, uint64_t i,
                           const struct vault_id *id, int *ret, struct err_note *note) {
        const uint8_t *bytes = NULL;

        if (piece_of(index, pieces, i, &bytes, note))
                return note->code;
        *ret = memcmp(bytes + i % INDEX_PIECE * VAULT_INDEX_ENTRY_SIZE, id->b, sizeof id->b);
        return ERR_NONE;
}

enum err index_file_find(const struct index_file *index, struct index_pieces *pieces,
                         const struct vault_id *id, uint64_t *ret_i, uint64_t *ret_n, struct err_note *note) {
        uint64_t low, high, end, n = 0;
        int order;

        fan_out(&index->view, id, &low, &high);
        end = high;
        while (low < high) {
                uint64_t middle = low + (high - low) / 2;

                if (compare_at(index, pieces, middle, id, &order, note))
                        return note->code;
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (order = 0; order == 0 && low + n < end; n += order == 0)
                if (compare_at(index, pieces, low + n, id, &order, note))
                        return note->code;
        *ret_i = low;
        *ret_n = n;
        return ERR_NONE;
}
