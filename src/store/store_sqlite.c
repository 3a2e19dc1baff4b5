// SPDX-License-Identifier: Apache-2.0
#include "store_sqlite.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "io.h"
#include "mem.h"
#include "store_ops.h"
#include "store_sqlite_vfs.h"
#include "vec.h"

enum {
        APPLICATION_ID = 0x4361746e, /* "Catn" */
        FORMAT = 1,
        BATCH_ROWS = 256,     /* rows that store_each takes at once, */
        BATCH_SIZE = 1 << 20, /* and bytes, or one row */
};

static const char schema_sql[] =
        "CREATE TABLE store (tab TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, "
        "PRIMARY KEY (tab, key)) STRICT, WITHOUT ROWID";

enum statement {
        BEGIN,
        COMMIT,
        ROLLBACK,
        GET,
        EACH,
        PUT,
        PUT_NEW,
        PUT_IF,
        DELETE,
        DELETE_IF,
        N_STATEMENTS,
};

static const char *const statement_sql[N_STATEMENTS] = {
        [BEGIN] = "BEGIN IMMEDIATE",
        [COMMIT] = "COMMIT",
        [ROLLBACK] = "ROLLBACK",
        [GET] = "SELECT value FROM store WHERE tab = ?1 AND key = ?2",
        [EACH] = "SELECT key, value FROM store WHERE tab = ?1 AND key >= ?2 ORDER BY key",
        [PUT] = "INSERT INTO store VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = excluded.value",
        [PUT_NEW] = "INSERT INTO store VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        [PUT_IF] = "UPDATE store SET value = ?3 WHERE tab = ?1 AND key = ?2 AND value = ?4",
        [DELETE] = "DELETE FROM store WHERE tab = ?1 AND key = ?2",
        [DELETE_IF] = "DELETE FROM store WHERE tab = ?1 AND key = ?2 AND value = ?4",
};

struct store_sqlite {
        struct store store;                     /* first */
        struct store_sqlite_vfs *vfs;           /* owned */
        sqlite3 *db;                            /* owned; NULL after an error, until the next call */
        sqlite3_stmt *statements[N_STATEMENTS]; /* owned; NULL until first used */
};

static struct store_sqlite *sqlite_of(struct store *store) {
        return (struct store_sqlite *)store;
}

/* ---- errors ---- */

static enum err err_of(int rc) {
        switch (rc & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_ERROR: /* our statements are right, so the tables are not */
        case SQLITE_SCHEMA:
        case SQLITE_MISMATCH:
        case SQLITE_CONSTRAINT:
                return ERR_CORRUPT;
        case SQLITE_FULL:
                return ERR_NO_SPACE;
        case SQLITE_NOMEM:
                return ERR_NO_MEMORY;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return ERR_BUSY;
        case SQLITE_READONLY:
                return ERR_READ_ONLY;
        case SQLITE_TOOBIG:
                return ERR_TOO_LARGE;
        default:
                return ERR_IO;
        }
}

static void disconnect(struct store_sqlite *s) {
        for (unsigned i = 0; i < N_STATEMENTS; i++) {
                sqlite3_finalize(s->statements[i]);
                s->statements[i] = NULL;
        }
        sqlite3_close(s->db);
        s->db = NULL;
        store_sqlite_vfs_unlock(s->vfs);
}

/* What io said says more than SQLite can, unless SQLite found damage.  After any error the connection is
 * given up: what it has in memory and what is on disk may differ, and opening anew goes by the journal. */
static enum err failed(struct store_sqlite *s, int rc, struct err_note *note) {
        const struct err_note *cause = store_sqlite_vfs_error(s->vfs);
        enum err err = err_of(rc);

        if (err == ERR_CORRUPT)
                err_set(note, err, "%s is damaged: %s", s->store.name, sqlite3_errmsg(s->db));
        else if (cause)
                *note = *cause;
        else
                err_set(note, err, "%s: %s", s->store.name, sqlite3_errmsg(s->db));
        if (!s->store.read_only) /* a reader has all in memory, and keeps it */
                disconnect(s);
        return note->code;
}

/* ---- opening ---- */

static enum err run(struct store_sqlite *s, const char *sql, struct err_note *note) {
        int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

        return rc == SQLITE_OK ? ERR_NONE : failed(s, rc, note);
}

static enum err prepare(struct store_sqlite *s, const char *sql, sqlite3_stmt **ret, struct err_note *note) {
        int rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);

        return rc == SQLITE_OK ? ERR_NONE : failed(s, rc, note);
}

static enum err number(struct store_sqlite *s, const char *sql, int64_t *ret, struct err_note *note) {
        sqlite3_stmt *statement = NULL;
        int rc;

        if (prepare(s, sql, &statement, note))
                return note->code;
        rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW)
                *ret = sqlite3_column_int64(statement, 0);
        sqlite3_finalize(statement);
        return rc == SQLITE_ROW ? ERR_NONE : failed(s, rc, note);
}

/* A file of no bytes is one that crashed while it was made. */
static enum err create(struct store_sqlite *s, struct err_note *note) {
        AUTO_FREE char *sql =
                mem_format("BEGIN IMMEDIATE; PRAGMA application_id = %d; PRAGMA user_version = %d; %s; "
                           "COMMIT",
                           APPLICATION_ID, FORMAT, schema_sql);

        return run(s, sql, note);
}

static enum err check_format(struct store_sqlite *s, struct err_note *note) {
        AUTO_FREE char *schema =
                mem_format("SELECT count(*) = 1 AND max(sql) = '%s' FROM sqlite_schema", schema_sql);
        int64_t id, format, is_ours;

        if (number(s, "PRAGMA application_id", &id, note) || number(s, "PRAGMA user_version", &format, note))
                return note->code;
        if (id != APPLICATION_ID)
                return err_set(note, ERR_MISMATCH,
                               "%s is a database of something else (application id 0x%08llx)", s->store.name,
                               (unsigned long long)id & 0xffffffff);
        if (format > FORMAT)
                return err_set(note, ERR_UNSUPPORTED,
                               "%s has format %lld, which a newer Catena wrote; this one knows up to %d",
                               s->store.name, (long long)format, FORMAT);
        if (number(s, schema, &is_ours, note))
                return note->code;
        if (format != FORMAT || !is_ours)
                return err_set(note, ERR_CORRUPT, "%s is damaged: its tables are not those of a store",
                               s->store.name);
        return ERR_NONE;
}

/* PERSIST, as the commit is then a write of one sector and a sync of it, with no name to come or go; FULL, as
 * records that reached the journal in part may pass its checksums. */
static const char settings_sql[] =
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = PERSIST; "
        "PRAGMA synchronous = FULL; "
        "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA secure_delete = OFF; "
        "PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF";

static enum err connect(struct store_sqlite *s, unsigned flags, struct err_note *note) {
        int how = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
        int64_t pages;
        int rc;

        store_sqlite_vfs_clear_error(s->vfs);
        if (flags & STORE_CREATE)
                how |= SQLITE_OPEN_CREATE;
        rc = sqlite3_open_v2(s->store.name, &s->db, how, store_sqlite_vfs_name(s->vfs));
        if (rc != SQLITE_OK)
                return failed(s, rc, note);
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        if (run(s, settings_sql, note) || number(s, "PRAGMA page_count", &pages, note))
                return note->code;
        if (pages == 0 && !(flags & STORE_CREATE))
                return err_set(note, ERR_NOT_FOUND, "%s is empty: its making was never finished",
                               s->store.name);
        if (pages == 0 && create(s, note))
                return note->code;
        return check_format(s, note);
}

/* After an error the connection is opened anew, but not within the change that the error ended. */
static enum err connected(struct store_sqlite *s, struct err_note *note) {
        store_sqlite_vfs_clear_error(s->vfs);
        if (s->db)
                return ERR_NONE;
        if (s->store.change.active) {
                *note = s->store.change.failed;
                return note->code;
        }
        if (connect(s, STORE_WRITE, note)) {
                disconnect(s);
                return note->code;
        }
        return ERR_NONE;
}

/* ---- statements ---- */

static enum err statement_of(struct store_sqlite *s, enum statement which, const char *table, const char *key,
                             sqlite3_stmt **ret, struct err_note *note) {
        int rc = SQLITE_OK;

        if (connected(s, note))
                return note->code;
        if (!s->statements[which] && prepare(s, statement_sql[which], &s->statements[which], note))
                return note->code;
        *ret = s->statements[which];
        if (table)
                rc = sqlite3_bind_text(*ret, 1, table, -1, SQLITE_STATIC);
        if (rc == SQLITE_OK && key)
                rc = sqlite3_bind_text(*ret, 2, key, -1, SQLITE_STATIC);
        return rc == SQLITE_OK ? ERR_NONE : failed(s, rc, note);
}

/* The statement is done; what was bound to it belongs to the caller and is let go. */
static enum err finish(struct store_sqlite *s, sqlite3_stmt *statement, int rc, struct err_note *note) {
        sqlite3_reset(statement); /* keeps the error's text */
        sqlite3_clear_bindings(statement);
        return rc == SQLITE_DONE || rc == SQLITE_ROW ? ERR_NONE : failed(s, rc, note);
}

static enum err simple(struct store_sqlite *s, enum statement which, struct err_note *note) {
        sqlite3_stmt *statement;

        if (statement_of(s, which, NULL, NULL, &statement, note))
                return note->code;
        return finish(s, statement, sqlite3_step(statement), note);
}

static int bind_span(sqlite3_stmt *statement, int place, const struct span *span) {
        if (!span)
                return SQLITE_OK;
        if (span->n == 0)
                return sqlite3_bind_zeroblob(statement, place, 0); /* a NULL pointer would be a NULL */
        return sqlite3_bind_blob64(statement, place, span->data, span->n, SQLITE_STATIC);
}

static enum err change(struct store_sqlite *s, enum statement which, const char *table, const char *key,
                       const struct span *value, const struct span *expected, struct err_note *note) {
        sqlite3_stmt *statement;
        int rc;

        if (statement_of(s, which, table, key, &statement, note))
                return note->code;
        rc = bind_span(statement, 3, value);
        if (rc == SQLITE_OK)
                rc = bind_span(statement, 4, expected);
        if (rc == SQLITE_OK)
                rc = sqlite3_step(statement);
        return finish(s, statement, rc, note);
}

/* ---- reading ---- */

static enum err sqlite_get(struct store *store, const char *table, const char *key, struct buf *ret,
                           struct err_note *note) {
        struct store_sqlite *s = sqlite_of(store);
        sqlite3_stmt *statement;
        const void *value;
        int rc;

        if (statement_of(s, GET, table, key, &statement, note))
                return note->code;
        rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW) {
                value = sqlite3_column_blob(statement, 0);
                if (!value && sqlite3_errcode(s->db) == SQLITE_NOMEM)
                        return failed(s, SQLITE_NOMEM, note);
                ret->n = 0;
                buf_add(ret, value, (size_t)sqlite3_column_bytes(statement, 0));
        }
        if (finish(s, statement, rc, note))
                return note->code;
        return rc == SQLITE_ROW ? ERR_NONE : err_set(note, ERR_NOT_FOUND, "there is no such row");
}

struct batch_row {
        size_t key_at, value_at, n;
};

struct batch {
        struct buf bytes; /* keys, each with its zero byte, and values */
        VEC(struct batch_row) rows;
        bool is_last;
};

static void batch_fini(struct batch *batch) {
        buf_fini(&batch->bytes);
        vec_fini(&batch->rows);
}
DEFINE_AUTO_IN_PLACE(struct batch, batch_fini);

static void batch_add(struct batch *batch, sqlite3_stmt *statement) {
        struct batch_row *row = vec_add(&batch->rows);

        row->key_at = batch->bytes.n;
        buf_add(&batch->bytes, sqlite3_column_text(statement, 0), (size_t)sqlite3_column_bytes(statement, 0));
        buf_add(&batch->bytes, "", 1);
        row->value_at = batch->bytes.n;
        row->n = (size_t)sqlite3_column_bytes(statement, 1);
        buf_add(&batch->bytes, sqlite3_column_blob(statement, 1), row->n);
}

/* Rows from a key on; no statement stays open while the caller looks at them, so it may do what it likes. */
static enum err batch_read(struct store_sqlite *s, const char *table, const char *from, struct batch *batch,
                           struct err_note *note) {
        sqlite3_stmt *statement;
        int rc;

        batch->bytes.n = batch->rows.n = 0;
        if (statement_of(s, EACH, table, from, &statement, note))
                return note->code;
        while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
                batch_add(batch, statement);
                if (batch->rows.n == BATCH_ROWS || batch->bytes.n >= BATCH_SIZE)
                        break;
        }
        batch->is_last = rc == SQLITE_DONE;
        return finish(s, statement, rc, note);
}

static enum err sqlite_each(struct store *store, const char *table, const char *prefix, store_row_fn fn,
                            void *user, struct err_note *note) {
        AUTO(batch_fini) struct batch batch = {0};
        AUTO(buf_fini) struct buf from = {0};
        size_t n_prefix = strlen(prefix);

        buf_add(&from, prefix, n_prefix);
        while (!batch.is_last) {
                const char *key = NULL;

                if (batch_read(sqlite_of(store), table, buf_text(&from), &batch, note))
                        return note->code;
                VEC_EACH (&batch.rows, row) {
                        key = (const char *)batch.bytes.data + row->key_at;
                        if (strncmp(key, prefix, n_prefix) != 0)
                                return ERR_NONE;
                        if (fn(user, key, batch.bytes.data + row->value_at, row->n, note))
                                return note->code;
                }
                if (key) { /* the least key behind this one has one more byte, of value 1 */
                        from.n = 0;
                        buf_print(&from, "%s\1", key);
                }
        }
        return ERR_NONE;
}

static enum err sqlite_check(struct store *store, struct err_note *note) {
        struct store_sqlite *s = sqlite_of(store);
        AUTO_FREE char *said = NULL;
        sqlite3_stmt *statement;
        int rc;

        if (connected(s, note) || prepare(s, "PRAGMA integrity_check(1)", &statement, note))
                return note->code;
        rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW)
                said = mem_text((const char *)sqlite3_column_text(statement, 0));
        sqlite3_finalize(statement);
        if (rc != SQLITE_ROW)
                return failed(s, rc, note);
        if (strcmp(said, "ok") != 0)
                return err_set(note, ERR_CORRUPT, "%s is damaged: %s", store->name, said);
        return ERR_NONE;
}

/* ---- changing ---- */

static enum err sqlite_begin(struct store *store, struct err_note *note) {
        return simple(sqlite_of(store), BEGIN, note);
}

static enum err sqlite_commit(struct store *store, struct err_note *note) {
        return simple(sqlite_of(store), COMMIT, note);
}

static void sqlite_abort(struct store *store) {
        struct store_sqlite *s = sqlite_of(store);
        struct err_note note;

        if (s->db)
                (void)!simple(s, ROLLBACK, &note); /* failing, it gives the connection up, which is as good */
}

static enum err sqlite_put(struct store *store, const char *table, const char *key, struct span value,
                           struct err_note *note) {
        return change(sqlite_of(store), PUT, table, key, &value, NULL, note);
}

static enum err sqlite_delete(struct store *store, const char *table, const char *key,
                              struct err_note *note) {
        return change(sqlite_of(store), DELETE, table, key, NULL, NULL, note);
}

/* What the last statement did not change was not as expected. */
static enum err changed(struct store_sqlite *s, struct err_note *note) {
        return sqlite3_changes(s->db) == 1 ? ERR_NONE
                                           : err_set(note, ERR_MISMATCH, "the row is not as expected");
}

static enum err sqlite_put_if(struct store *store, const char *table, const char *key,
                              const struct span *expected, struct span value, struct err_note *note) {
        struct store_sqlite *s = sqlite_of(store);

        if (change(s, expected ? PUT_IF : PUT_NEW, table, key, &value, expected, note))
                return note->code;
        return changed(s, note);
}

static enum err sqlite_delete_if(struct store *store, const char *table, const char *key,
                                 const struct span *expected, struct err_note *note) {
        struct store_sqlite *s = sqlite_of(store);

        if (change(s, DELETE_IF, table, key, NULL, expected, note))
                return note->code;
        return changed(s, note);
}

/* ---- the whole ---- */

static void sqlite_close(struct store *store) {
        struct store_sqlite *s = sqlite_of(store);

        if (s->db && !store->read_only)
                store_sqlite_vfs_tidy(s->vfs);
        disconnect(s);
        store_sqlite_vfs_free(s->vfs);
        store_fini(store);
        free(s);
}

static const struct store_ops sqlite_ops = {
        .close = sqlite_close,
        .get = sqlite_get,
        .each = sqlite_each,
        .check = sqlite_check,
        .begin = sqlite_begin,
        .put = sqlite_put,
        .delete = sqlite_delete,
        .put_if = sqlite_put_if,
        .delete_if = sqlite_delete_if,
        .commit = sqlite_commit,
        .abort = sqlite_abort,
};

enum err store_sqlite_open(struct io *io, const char *path, unsigned flags, struct store **ret,
                           struct err_note *note) {
        bool read_only = flags & STORE_READ_ONLY;
        struct store_sqlite *s;

        assert(!read_only || !(flags & STORE_CREATE));
        s = mem_new(struct store_sqlite);
        store_init(&s->store, &sqlite_ops, path, read_only);
        if (store_sqlite_vfs_new(io, read_only, &s->vfs, note)) {
                store_fini(&s->store);
                free(s);
                return note->code;
        }
        if (connect(s, flags, note)) {
                disconnect(s); /* so that its journal, which may be hot, stays */
                store_close(&s->store);
                return note->code;
        }
        store_sqlite_vfs_unlock(s->vfs);
        *ret = &s->store;
        return ERR_NONE;
}

static enum err rename_if_there(struct io *io, const char *from, const char *to, struct err_note *note) {
        enum err err = io_rename(io, from, to, note);

        return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

/* The journal last: a main file without it may be half of a change, a journal without its main file is
 * nothing. */
enum err store_sqlite_set_aside(struct io *io, const char *path, const char *to, struct err_note *note) {
        AUTO_FREE char *journal = mem_format("%s-journal", path);
        AUTO_FREE char *journal_to = mem_format("%s-journal", to);
        AUTO_FREE char *dir = mem_text(path);
        char *slash = strrchr(dir, '/');

        if (slash)
                slash[slash == dir] = '\0';
        if (rename_if_there(io, path, to, note) || io_sync_dir(io, slash ? dir : ".", note) ||
            rename_if_there(io, journal, journal_to, note))
                return note->code;
        return io_sync_dir(io, slash ? dir : ".", note);
}
