// SPDX-License-Identifier: Apache-2.0
#include "read_record.h"

#include <stdlib.h>
#include <string.h>

#include "new_file.h"
#include "vault_sum.h"

/* A few hundred TiB of packs. */
#define FILE_MAX ((uint64_t)1 << 30)

struct head_disk {         /* offset */
        uint8_t magic[8];  /*   0  "CVREADS1"           */
        uint8_t vault[16]; /*   8                       */
        be64 began;        /*  24                       */
        be64 n;            /*  32  rows                 */
};
struct row_disk {         /* offset */
        uint8_t pack[16]; /*   0  ascending */
        be64 tags_at;     /*  16            */
        be64 content_at;  /*  24            */
};
enum { SUM_SIZE = 32 };
_Static_assert(sizeof(struct head_disk) == 40, "the rows follow at once");
_Static_assert(sizeof(struct row_disk) == 32, "one behind the other");
static const uint8_t magic[8] = {'C', 'V', 'R', 'E', 'A', 'D', 'S', '1'};

void read_record_fini(struct read_record *record) {
        vec_fini(&record->rows);
}

void read_record_encode(const struct read_record *record, struct buf *ret) {
        struct head_disk head = {.began = be64_put(record->began), .n = be64_put(record->rows.n)};
        uint8_t sum[SUM_SIZE];

        memcpy(head.magic, magic, sizeof magic);
        memcpy(head.vault, record->vault.b, sizeof head.vault);
        buf_add(ret, &head, sizeof head);
        VEC_EACH (&record->rows, each) {
                struct row_disk row = {.tags_at = be64_put(each->tags_at),
                                       .content_at = be64_put(each->content_at)};

                memcpy(row.pack, each->pack.b, sizeof row.pack);
                buf_add(ret, &row, sizeof row);
        }
        vault_sum(&(struct span){ret->data, ret->n}, 1, sum);
        buf_add(ret, sum, sizeof sum);
}

static enum err check_whole(struct span bytes, struct head_disk *head, struct err_note *note) {
        struct span before = {bytes.data, bytes.n - SUM_SIZE};
        uint8_t sum[SUM_SIZE];

        if (bytes.n < sizeof *head + SUM_SIZE)
                return err_set(note, ERR_CORRUPT, "%zu bytes are too few", bytes.n);
        memcpy(head, bytes.data, sizeof *head);
        if (memcmp(head->magic, magic, sizeof magic) != 0)
                return err_set(note, ERR_CORRUPT, "it begins otherwise");
        vault_sum(&before, 1, sum);
        if (memcmp(sum, before.data + before.n, sizeof sum) != 0)
                return err_set(note, ERR_CORRUPT, "its bytes do not fit its sum");
        if ((before.n - sizeof *head) % sizeof(struct row_disk) != 0 ||
            be64_get(head->n) != (before.n - sizeof *head) / sizeof(struct row_disk))
                return err_set(note, ERR_CORRUPT, "its length is not that of its rows");
        return ERR_NONE;
}

enum err read_record_decode(struct span bytes, struct read_record *ret, struct err_note *note) {
        AUTO(read_record_fini) struct read_record record = {0};
        struct head_disk head;
        size_t n;

        if (check_whole(bytes, &head, note))
                return note->code;
        memcpy(record.vault.b, head.vault, sizeof head.vault);
        record.began = be64_get(head.began);
        n = (size_t)be64_get(head.n);
        for (size_t i = 0; i < n; i++) {
                struct read_row *row = vec_add(&record.rows);
                struct row_disk disk;

                memcpy(&disk, bytes.data + sizeof head + i * sizeof disk, sizeof disk);
                memcpy(row->pack.b, disk.pack, sizeof disk.pack);
                row->tags_at = be64_get(disk.tags_at);
                row->content_at = be64_get(disk.content_at);
                if (i && vault_name_compare(&row[-1].pack, &row->pack) >= 0)
                        return err_set(note, ERR_CORRUPT, "row %zu is out of order", i);
                if (row->content_at > row->tags_at)
                        return err_set(note, ERR_CORRUPT, "row %zu contradicts itself", i);
        }
        *ret = record;
        record = (struct read_record){0};
        return ERR_NONE;
}

/* ---- the file ---- */

static enum err read_file(struct io *io, const char *path, struct buf *ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct io_stat stat;

        if (io_open(io, path, 0, &file, note) || io_stat(file, &stat, note))
                return note->code;
        if (stat.size > FILE_MAX)
                return err_set(note, ERR_CORRUPT, "it is too large");
        return io_read(file, buf_extend(ret, (size_t)stat.size), (size_t)stat.size, 0, note);
}

enum err read_record_load(struct io *io, const char *path, const struct vault_name *vault,
                          struct read_record *ret, struct err_note *note) {
        AUTO(read_record_fini) struct read_record record = {0};
        AUTO(buf_fini) struct buf bytes = {0};
        enum err err = read_file(io, path, &bytes, note);

        if (!err)
                err = read_record_decode((struct span){bytes.data, bytes.n}, &record, note);
        if (err && err != ERR_NOT_FOUND && err != ERR_CORRUPT && err != ERR_CUT_SHORT)
                return err_wrap(note, "%s", path);
        if (err || vault_name_compare(&record.vault, vault) != 0) {
                read_record_fini(&record);
                record = (struct read_record){.vault = *vault};
        }
        *ret = record;
        record = (struct read_record){0};
        return ERR_NONE;
}

static enum err write_file(struct io *io, const char *path, const struct buf *bytes, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(io, path, IO_CREATE | IO_PRIVATE, &file, note) ||
            io_write(file, bytes->data, bytes->n, 0, note))
                return note->code;
        return io_sync(file, note);
}

enum err read_record_save(struct io *io, const char *path, const struct read_record *record,
                          struct err_note *note) {
        AUTO(new_file_fini) struct new_file made = {0};
        AUTO(buf_fini) struct buf bytes = {0};

        read_record_encode(record, &bytes);
        if (new_file_begin(io, path, NEW_FILE_REPLACE, &made, note) ||
            write_file(io, made.temporary, &bytes, note) || new_file_commit(&made, note))
                return err_wrap(note, "record what was read");
        return ERR_NONE;
}

/* ---- rows ---- */

/* Of the first row at or behind it. */
static size_t place_of(const struct read_record *record, const struct vault_name *pack) {
        size_t low = 0, high = record->rows.n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (vault_name_compare(&record->rows.data[middle].pack, pack) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

struct read_row *read_record_find(struct read_record *record, const struct vault_name *pack) {
        size_t at = place_of(record, pack);

        if (at < record->rows.n && vault_name_compare(&record->rows.data[at].pack, pack) == 0)
                return &record->rows.data[at];
        return NULL;
}

void read_record_add(struct read_record *record, const struct vault_name *pack, uint64_t now, bool content) {
        struct read_row *row = read_record_find(record, pack);

        if (!row) {
                size_t at = place_of(record, pack);

                (void)vec_add(&record->rows);
                row = &record->rows.data[at];
                memmove(row + 1, row, (record->rows.n - 1 - at) * sizeof *row);
                *row = (struct read_row){.pack = *pack};
        }
        row->tags_at = max_u64(row->tags_at, now);
        if (content)
                row->content_at = max_u64(row->content_at, now);
}
