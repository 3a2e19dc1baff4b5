// SPDX-License-Identifier: Apache-2.0
#include "logbook.h"

/* Where a log is written before it gets its name; what a crash leaves of it is written over. */
#define FRESH_LOG "changes.new"

void change_log_fini(struct change_log *log) {
        free(log->bits);
        *log = (struct change_log){0};
}

enum err change_log_init(struct change_log *ret, uint64_t size_bytes, struct err_note *note) {
        /* Never none, also of a disk of nothing. */
        uint8_t *bits = mem_try((size_t)cbt_bitmap_size(size_bytes) + 1, 1);

        if (!bits)
                return err_set(note, ERR_NO_MEMORY, "a bitmap of changed blocks: out of memory");
        *ret = (struct change_log){.head = {.is_consistent = true, .size_bytes = size_bytes}, .bits = bits};
        return ERR_NONE;
}

void change_log_fill(struct change_log *log) {
        cbt_bitmap_mark(log->bits, log->head.size_bytes, 0, log->head.size_bytes);
}

void change_log_add(struct change_log *log, const struct change_log *older) {
        struct err_note unused;

        if (cbt_bitmap_unite(log->bits, log->head.size_bytes, older->bits, older->head.size_bytes, &unused))
                change_log_fill(log);
}

/* ---- files ---- */

bool logbook_has(const struct sr *sr, const struct uuid *uuid) {
        VEC_EACH (&sr->tree.listing.logs, each) {
                if (uuid_equal(each, uuid))
                        return true;
        }
        return false;
}

static enum err read_head(struct io_file *file, struct cbt_log *ret, struct err_note *note) {
        struct cbt_log_disk disk;
        struct io_stat stat;

        if (io_stat(file, &stat, note))
                return note->code;
        if (stat.size < sizeof disk)
                return err_set(note, ERR_CUT_SHORT, "log of changed blocks: it has no whole header");
        if (io_read(file, &disk, sizeof disk, 0, note))
                return note->code;
        return cbt_log_decode(&disk, stat.size, ret, note);
}

enum err logbook_head(struct sr *sr, const struct uuid *uuid, struct cbt_log *ret, struct err_note *note) {
        AUTO_FREE char *path = place_log_path(sr->place, uuid);
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(sr->io, path, IO_READ, &file, note) || read_head(file, ret, note))
                return err_wrap(note, "read %s", path);
        return ERR_NONE;
}

enum err logbook_read(struct sr *sr, const struct uuid *uuid, struct change_log *ret, struct err_note *note) {
        AUTO_FREE char *path = place_log_path(sr->place, uuid);
        AUTO(io_close) struct io_file *file = NULL;
        AUTO(change_log_fini) struct change_log log = {0};
        struct cbt_log head;

        if (io_open(sr->io, path, IO_READ, &file, note) || read_head(file, &head, note) ||
            change_log_init(&log, head.size_bytes, note) ||
            io_read(file, log.bits, (size_t)cbt_bitmap_size(head.size_bytes), CBT_HEADER_SIZE, note))
                return err_wrap(note, "read %s", path);
        log.head = head;
        /* Whoever wrote it did not come to an end: blocks may be missing from it. */
        if (!head.is_consistent)
                change_log_fill(&log);
        *ret = log;
        log = (struct change_log){0};
        return ERR_NONE;
}

static enum err remove_if_there(struct io *io, const char *path, struct err_note *note) {
        enum err err = io_unlink(io, path, note);

        return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

static enum err write_fresh(struct sr *sr, const char *path, const struct change_log *log,
                            struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct cbt_log_disk disk;

        cbt_log_encode(&log->head, &disk);
        if (remove_if_there(sr->io, path, note) || io_open(sr->io, path, IO_WRITE | IO_CREATE, &file, note) ||
            io_write(file, &disk, sizeof disk, 0, note) ||
            io_write(file, log->bits, (size_t)cbt_bitmap_size(log->head.size_bytes), CBT_HEADER_SIZE, note))
                return note->code;
        return io_sync(file, note);
}

enum err logbook_write(struct sr *sr, const struct uuid *uuid, const struct change_log *log,
                       struct err_note *note) {
        AUTO_FREE char *fresh = sr_catena_path(sr, FRESH_LOG);
        AUTO_FREE char *path = place_log_path(sr->place, uuid);

        /* Whole and synced before it has the name: under that nobody ever finds half of one. */
        if (write_fresh(sr, fresh, log, note) || io_rename(sr->io, fresh, path, note) ||
            sr_sync_names(sr, note))
                return err_wrap(note, "write %s", path);
        if (!logbook_has(sr, uuid))
                *vec_add(&sr->tree.listing.logs) = *uuid;
        return ERR_NONE;
}

enum err logbook_remove(struct sr *sr, const struct uuid *uuid, struct err_note *note) {
        AUTO_FREE char *path = place_log_path(sr->place, uuid);

        if (!logbook_has(sr, uuid))
                return ERR_NONE;
        if (remove_if_there(sr->io, path, note) || sr_sync_names(sr, note))
                return err_wrap(note, "remove %s", path);
        for (size_t i = 0; i < sr->tree.listing.logs.n; i++)
                if (uuid_equal(&sr->tree.listing.logs.data[i], uuid)) {
                        vec_remove_at(&sr->tree.listing.logs, i);
                        break;
                }
        return ERR_NONE;
}

enum err logbook_drop_stale(struct sr *sr, const struct vdi *vdi, struct err_note *note) {
        return logbook_remove(sr, &vdi->row.uuid, note);
}
