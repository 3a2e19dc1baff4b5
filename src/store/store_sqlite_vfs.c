// SPDX-License-Identifier: Apache-2.0
#include "store_sqlite_vfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "buf.h"
#include "bytes.h"
#include "io.h"
#include "mem.h"

enum {
        PATH_MAX_BYTES = 4096,
        JOURNAL_HEADER_SIZE = 28, /* what SQLite zeroes to say that the journal is of no more use */
};

/* Milliseconds from noon of 24 November 4714 BC, where SQLite's time begins, to 1970. */
static const int64_t julian_ms_of_1970 = 210866760000000;

struct store_sqlite_vfs {
        sqlite3_vfs sqlite; /* first: what SQLite hands back to us */
        char name[32];
        struct io *io; /* borrowed, outlives us */
        bool read_only;
        bool names_synced; /* [V2] */
        bool has_journal;  /* beside the main file, as far as we know */
        bool is_tidy;
        struct err_note error;  /* the first since it was cleared; ERR_NONE: none */
        struct io_file *locked; /* owned; read-only: the main file while its lock is held */
};

struct vfs_file {
        sqlite3_file sqlite;          /* first */
        struct store_sqlite_vfs *vfs; /* borrowed, outlives us */
        struct io_file *file;         /* owned; NULL: in memory */
        struct buf memory;
        bool is_main;
        bool is_synced; /* nothing was written since the last sync; not said of what others wrote before */
};

static struct store_sqlite_vfs *vfs_of(sqlite3_vfs *sqlite) {
        return (struct store_sqlite_vfs *)sqlite;
}

static struct vfs_file *file_of(sqlite3_file *sqlite) {
        return (struct vfs_file *)sqlite;
}

/* Keeps what io said, and gives SQLite the code that it understands. */
static int refused(struct store_sqlite_vfs *vfs, const struct err_note *note, int code) {
        if (vfs->error.code == ERR_NONE)
                vfs->error = *note;
        if (note->code == ERR_NO_SPACE)
                return SQLITE_FULL;
        if (note->code == ERR_NO_MEMORY)
                return SQLITE_IOERR_NOMEM;
        return code;
}

/* The same for a call on a file, whose note does not name it. */
static int refused_of(struct vfs_file *f, struct err_note *note, int code) {
        err_wrap(note, "%s", io_path(f->file));
        return refused(f->vfs, note, code);
}

/* ---- files ---- */

static enum err sync_names(struct store_sqlite_vfs *vfs, const char *path, struct err_note *note) {
        AUTO_FREE char *dir = mem_text(path);
        char *slash = strrchr(dir, '/');

        if (!slash)
                return io_sync_dir(vfs->io, ".", note);
        slash[slash == dir] = '\0'; /* "/a" is in "/" */
        return io_sync_dir(vfs->io, dir, note);
}

static int file_read(sqlite3_file *sqlite, void *ret, int n, sqlite3_int64 at) {
        struct vfs_file *f = file_of(sqlite);
        struct err_note note;
        size_t want = (size_t)n, got = 0;

        if (f->file) {
                if (io_read_some(f->file, ret, want, (uint64_t)at, &got, &note))
                        return refused_of(f, &note, SQLITE_IOERR_READ);
        } else if ((uint64_t)at < f->memory.n) {
                got = min_u64(want, f->memory.n - (uint64_t)at);
                memcpy(ret, f->memory.data + at, got);
        }
        if (got == want)
                return SQLITE_OK;
        memset((uint8_t *)ret + got, 0, want - got);
        return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *sqlite, const void *data, int n, sqlite3_int64 at) {
        struct vfs_file *f = file_of(sqlite);
        struct err_note note;
        uint64_t end = (uint64_t)at + (uint64_t)n;

        f->is_synced = false;
        if (f->file) {
                if (io_write(f->file, data, (size_t)n, (uint64_t)at, &note))
                        return refused_of(f, &note, SQLITE_IOERR_WRITE);
                return SQLITE_OK;
        }
        if (end > f->memory.n)
                (void)buf_extend(&f->memory, end - f->memory.n);
        memcpy(f->memory.data + at, data, (size_t)n);
        return SQLITE_OK;
}

static int file_truncate(sqlite3_file *sqlite, sqlite3_int64 size) {
        struct vfs_file *f = file_of(sqlite);
        struct err_note note;

        f->is_synced = false;
        if (f->file) {
                if (io_truncate(f->file, (uint64_t)size, &note))
                        return refused_of(f, &note, SQLITE_IOERR_TRUNCATE);
                return SQLITE_OK;
        }
        if ((uint64_t)size > f->memory.n)
                (void)buf_extend(&f->memory, (uint64_t)size - f->memory.n);
        f->memory.n = (size_t)size;
        return SQLITE_OK;
}

static int file_sync(sqlite3_file *sqlite, int flags) {
        struct vfs_file *f = file_of(sqlite);
        struct err_note note;

        (void)flags;
        if (!f->file)
                return SQLITE_OK;
        if (!f->is_synced && io_sync(f->file, &note))
                return refused_of(f, &note, SQLITE_IOERR_FSYNC);
        f->is_synced = true;
        if (f->vfs->names_synced)
                return SQLITE_OK;
        if (sync_names(f->vfs, io_path(f->file), &note)) /* [V2] */
                return refused(f->vfs, &note, SQLITE_IOERR_DIR_FSYNC);
        f->vfs->names_synced = true;
        return SQLITE_OK;
}

static int file_size(sqlite3_file *sqlite, sqlite3_int64 *ret) {
        struct vfs_file *f = file_of(sqlite);
        struct err_note note;
        struct io_stat stat;

        if (!f->file) {
                *ret = (sqlite3_int64)f->memory.n;
                return SQLITE_OK;
        }
        if (io_stat(f->file, &stat, &note))
                return refused_of(f, &note, SQLITE_IOERR_FSTAT);
        *ret = (sqlite3_int64)stat.size;
        return SQLITE_OK;
}

/* [V1] Nobody else has the file, so SQLite gets every lock that it asks for. */
static int file_lock(sqlite3_file *sqlite, int level) {
        (void)sqlite;
        (void)level;
        return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *sqlite, int *ret) {
        (void)sqlite;
        *ret = 0;
        return SQLITE_OK;
}

static int file_control(sqlite3_file *sqlite, int op, void *arg) {
        (void)sqlite;
        (void)op;
        (void)arg;
        return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *sqlite) {
        (void)sqlite;
        return SECTOR;
}

/* io.h promises that a torn write leaves each sector old or new, so none next to it is harmed. */
static int file_characteristics(sqlite3_file *sqlite) {
        (void)sqlite;
        return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static char *journal_of(const char *path) {
        return mem_format("%s-journal", path);
}

/* Its header was made empty and synced by the last commit, so nothing depends on whether this survives a
 * crash. */
static void remove_journal(struct store_sqlite_vfs *vfs, const char *path) {
        AUTO_FREE char *journal = journal_of(path);
        struct err_note note;

        vfs->names_synced = false;
        (void)!io_unlink(vfs->io, journal, &note);
}

static int file_close(sqlite3_file *sqlite) {
        struct vfs_file *f = file_of(sqlite);

        if (f->file && f->is_main && f->vfs->is_tidy && f->vfs->has_journal)
                remove_journal(f->vfs, io_path(f->file));
        if (f->file)
                io_close(f->file);
        buf_fini(&f->memory);
        return SQLITE_OK;
}

static const sqlite3_io_methods file_methods = {
        .iVersion = 1,
        .xClose = file_close,
        .xRead = file_read,
        .xWrite = file_write,
        .xTruncate = file_truncate,
        .xSync = file_sync,
        .xFileSize = file_size,
        .xLock = file_lock,
        .xUnlock = file_lock,
        .xCheckReservedLock = file_check_reserved,
        .xFileControl = file_control,
        .xSectorSize = file_sector_size,
        .xDeviceCharacteristics = file_characteristics,
};

/* ---- opening ---- */

/* Locks the file and looks whether the path still names it: a rename may have come between. */
static enum err lock_main(struct store_sqlite_vfs *vfs, struct io_file *file, enum io_lock lock,
                          struct err_note *note) {
        struct io_stat locked, named;

        if (io_lock(file, lock, note) || io_stat(file, &locked, note))
                return err_wrap(note, "%s", io_path(file));
        if (io_stat_path(vfs->io, io_path(file), &named, note))
                return note->code;
        if (locked.device != named.device || locked.inode != named.inode)
                return err_set(note, ERR_BUSY, "%s was replaced while it was opened", io_path(file));
        return ERR_NONE;
}

/* [V3] An empty header says "committed", and may be in the page cache only, its writer having died before its
 * sync or been refused it.  It is written anew, as a sync is not asked again for what it failed on. */
static enum err settle_journal(struct store_sqlite_vfs *vfs, const char *path, struct err_note *note) {
        static const uint8_t empty[JOURNAL_HEADER_SIZE] = {0};
        AUTO(io_close) struct io_file *journal = NULL;
        AUTO_FREE char *name = journal_of(path);
        uint8_t header[JOURNAL_HEADER_SIZE];
        enum err err;
        size_t n;

        err = io_open(vfs->io, name, IO_WRITE, &journal, note);
        if (err == ERR_NOT_FOUND)
                return ERR_NONE;
        if (err)
                return err;
        vfs->has_journal = true;
        if (io_read_some(journal, header, sizeof header, 0, &n, note))
                return err_wrap(note, "%s", name);
        if (n > 0 && header[0] != 0)
                return ERR_NONE; /* hot: SQLite rolls it back, and syncs what it did */
        if ((n > 0 && io_write(journal, empty, n, 0, note)) || io_sync(journal, note))
                return err_wrap(note, "%s", name);
        return ERR_NONE;
}

static enum err open_to_write(struct store_sqlite_vfs *vfs, const char *path, int flags, struct io_file **ret,
                              struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        enum err err = io_open(vfs->io, path, IO_WRITE, &file, note);

        if (err == ERR_NOT_FOUND && (flags & SQLITE_OPEN_CREATE))
                err = io_open(vfs->io, path, IO_CREATE, &file, note);
        if (err)
                return err;
        vfs->names_synced = false;
        vfs->has_journal |= (flags & SQLITE_OPEN_MAIN_JOURNAL) != 0;
        if (flags & SQLITE_OPEN_MAIN_DB) {
                if (lock_main(vfs, file, IO_EXCLUSIVE, note) || settle_journal(vfs, path, note))
                        return note->code;
        }
        *ret = TAKE(file);
        return ERR_NONE;
}

/* [V4] */
static enum err open_copy(struct store_sqlite_vfs *vfs, const char *path, int flags, struct buf *ret,
                          struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO_FREE uint8_t *data = NULL;
        struct io_stat stat;
        enum err err;

        err = io_open(vfs->io, path, IO_READ, &file, note);
        if (err == ERR_NOT_FOUND && !(flags & SQLITE_OPEN_MAIN_DB))
                return ERR_NONE; /* a journal of what will be done in memory */
        if (err)
                return err;
        if ((flags & SQLITE_OPEN_MAIN_DB) && lock_main(vfs, file, IO_SHARED, note))
                return note->code;
        if (io_stat(file, &stat, note))
                return err_wrap(note, "%s", path);
        if (stat.size > 0) {
                data = mem_try(stat.size, 1);
                if (!data)
                        return err_set(note, ERR_NO_MEMORY, "%s: no memory for its %llu bytes", path,
                                       (unsigned long long)stat.size);
                if (io_read(file, data, stat.size, 0, note))
                        return err_wrap(note, "%s", path);
        }
        *ret = (struct buf){.data = TAKE(data), .n = stat.size, .room = stat.size};
        if (flags & SQLITE_OPEN_MAIN_DB)
                vfs->locked = TAKE(file);
        return ERR_NONE;
}

static int vfs_open(sqlite3_vfs *sqlite, const char *path, sqlite3_file *ret, int flags, int *ret_flags) {
        struct store_sqlite_vfs *vfs = vfs_of(sqlite);
        struct vfs_file *f = file_of(ret);
        struct err_note note;
        enum err err;

        *f = (struct vfs_file){.vfs = vfs, .is_main = flags & SQLITE_OPEN_MAIN_DB};
        if (!path)
                err = err_set(&note, ERR_UNSUPPORTED, "SQLite asked for a temporary file");
        else if (vfs->read_only)
                err = open_copy(vfs, path, flags, &f->memory, &note);
        else
                err = open_to_write(vfs, path, flags, &f->file, &note);
        if (err)
                return refused(vfs, &note, SQLITE_CANTOPEN);
        f->sqlite.pMethods = &file_methods; /* from here on SQLite closes it */
        if (ret_flags)
                *ret_flags = flags;
        return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *sqlite, const char *path, int sync_dir) {
        struct store_sqlite_vfs *vfs = vfs_of(sqlite);
        struct err_note note;

        if (vfs->read_only)
                return SQLITE_OK;
        if (io_unlink(vfs->io, path, &note)) {
                if (note.code == ERR_NOT_FOUND)
                        return SQLITE_IOERR_DELETE_NOENT;
                return refused(vfs, &note, SQLITE_IOERR_DELETE);
        }
        vfs->names_synced = false;
        if (sync_dir && sync_names(vfs, path, &note))
                return refused(vfs, &note, SQLITE_IOERR_DIR_FSYNC);
        return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *sqlite, const char *path, int flags, int *ret) {
        struct store_sqlite_vfs *vfs = vfs_of(sqlite);
        struct err_note note;
        struct io_stat stat;

        (void)flags;
        if (io_stat_path(vfs->io, path, &stat, &note) == ERR_NONE) {
                *ret = 1;
                return SQLITE_OK;
        }
        if (note.code != ERR_NOT_FOUND)
                return refused(vfs, &note, SQLITE_IOERR_ACCESS);
        *ret = 0;
        return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *sqlite, const char *path, int n, char *ret) {
        int used = snprintf(ret, (size_t)n, "%s", path);

        (void)sqlite;
        return used >= 0 && used < n ? SQLITE_OK : SQLITE_CANTOPEN;
}

/* ---- clock and dice ---- */

static int vfs_randomness(sqlite3_vfs *sqlite, int n, char *ret) {
        io_random(vfs_of(sqlite)->io, ret, (size_t)n);
        return n;
}

static int vfs_sleep(sqlite3_vfs *sqlite, int us) {
        io_sleep_ns(vfs_of(sqlite)->io, (uint64_t)us * 1000);
        return us;
}

static int vfs_time_ms(sqlite3_vfs *sqlite, sqlite3_int64 *ret) {
        *ret = io_wall_ns(vfs_of(sqlite)->io) / 1000000 + julian_ms_of_1970;
        return SQLITE_OK;
}

static int vfs_time_days(sqlite3_vfs *sqlite, double *ret) {
        sqlite3_int64 ms;
        int rc = vfs_time_ms(sqlite, &ms);

        *ret = (double)ms / 86400000.0;
        return rc;
}

static int vfs_last_error(sqlite3_vfs *sqlite, int n, char *ret) {
        (void)sqlite;
        (void)n;
        (void)ret;
        return 0;
}

/* ---- the whole ---- */

enum err store_sqlite_vfs_new(struct io *io, bool read_only, struct store_sqlite_vfs **ret,
                              struct err_note *note) {
        struct store_sqlite_vfs *vfs = mem_new(struct store_sqlite_vfs);

        *vfs = (struct store_sqlite_vfs){.io = io, .read_only = read_only};
        snprintf(vfs->name, sizeof vfs->name, "catena-%p", (void *)vfs);
        vfs->sqlite = (sqlite3_vfs){
                .iVersion = 2,
                .szOsFile = sizeof(struct vfs_file),
                .mxPathname = PATH_MAX_BYTES,
                .zName = vfs->name,
                .xOpen = vfs_open,
                .xDelete = vfs_delete,
                .xAccess = vfs_access,
                .xFullPathname = vfs_full_path,
                .xRandomness = vfs_randomness,
                .xSleep = vfs_sleep,
                .xCurrentTime = vfs_time_days,
                .xCurrentTimeInt64 = vfs_time_ms,
                .xGetLastError = vfs_last_error,
        };
        if (sqlite3_vfs_register(&vfs->sqlite, 0) != SQLITE_OK) {
                free(vfs);
                return err_set(note, ERR_NO_MEMORY, "SQLite cannot start");
        }
        *ret = vfs;
        return ERR_NONE;
}

void store_sqlite_vfs_free(struct store_sqlite_vfs *vfs) {
        store_sqlite_vfs_unlock(vfs);
        sqlite3_vfs_unregister(&vfs->sqlite);
        free(vfs);
}

const char *store_sqlite_vfs_name(const struct store_sqlite_vfs *vfs) {
        return vfs->name;
}

const struct err_note *store_sqlite_vfs_error(const struct store_sqlite_vfs *vfs) {
        return vfs->error.code ? &vfs->error : NULL;
}

void store_sqlite_vfs_clear_error(struct store_sqlite_vfs *vfs) {
        vfs->error.code = ERR_NONE;
}

void store_sqlite_vfs_unlock(struct store_sqlite_vfs *vfs) {
        if (vfs->locked)
                io_close(TAKE(vfs->locked));
}

void store_sqlite_vfs_tidy(struct store_sqlite_vfs *vfs) {
        vfs->is_tidy = true;
}
