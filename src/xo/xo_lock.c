// SPDX-License-Identifier: Apache-2.0
#include "xo_lock.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define SECOND UINT64_C(1000000000)

/* 0: there is none. */
static enum err inode_of(struct io *io, const char *path, uint64_t *ret, struct err_note *note) {
        struct io_stat stat;
        enum err err = io_stat_path(io, path, &stat, note);

        *ret = err ? 0 : stat.inode;
        return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

static enum err make(struct xo_lock *lock, struct err_note *note) {
        enum err err = io_make_dir(lock->io, lock->path, note);

        if (err)
                return err;
        lock->kept_ns = io_now_ns(lock->io);
        return inode_of(lock->io, lock->path, &lock->inode, note);
}

/* Until it is free, or has been the same folder for so long that nobody is behind it. */
static enum err wait_for(struct xo_lock *lock, uint64_t until_ns, struct err_note *note) {
        uint64_t seen, now, since = io_now_ns(lock->io);

        if (inode_of(lock->io, lock->path, &seen, note))
                return note->code;
        for (now = seen; now == seen && now != 0;) {
                io_sleep_ns(lock->io, SECOND);
                if (inode_of(lock->io, lock->path, &now, note))
                        return note->code;
                if (now == seen && io_now_ns(lock->io) - since >= XO_LOCK_DEAD_SECONDS * SECOND)
                        return io_remove_dir(lock->io, lock->path, note);
                if (io_now_ns(lock->io) >= until_ns)
                        return err_set(note, ERR_BUSY,
                                       "%s: Xen Orchestra, or another export, is at work there", lock->path);
        }
        return ERR_NONE;
}

enum err xo_lock_take(struct io *io, const char *path, struct xo_lock *ret, struct err_note *note) {
        struct xo_lock lock = {.io = io, .path = mem_text(path)};
        uint64_t until_ns = io_now_ns(io) + XO_LOCK_WAIT_SECONDS * SECOND;
        enum err err;

        while ((err = make(&lock, note)) == ERR_EXISTS) {
                err = wait_for(&lock, until_ns, note);
                if (err && err != ERR_NOT_FOUND)
                        break;
        }
        if (err) {
                free(lock.path);
                return err_wrap(note, "lock %s", path);
        }
        *ret = lock;
        return ERR_NONE;
}

/* The new one is hidden until it has the name, so that what a crash leaves is passed over. */
static enum err make_anew(struct xo_lock *lock, struct err_note *note) {
        const char *slash = strrchr(lock->path, '/');
        AUTO_FREE char *fresh = mem_format("%.*s/.%s.new", (int)(slash - lock->path), lock->path, slash + 1);
        enum err err = io_make_dir(lock->io, fresh, note);

        if ((err && err != ERR_EXISTS) || io_rename(lock->io, fresh, lock->path, note))
                return note->code;
        lock->kept_ns = io_now_ns(lock->io);
        return inode_of(lock->io, lock->path, &lock->inode, note);
}

enum err xo_lock_keep(struct xo_lock *lock, struct err_note *note) {
        uint64_t now;

        if (io_now_ns(lock->io) - lock->kept_ns < XO_LOCK_KEEP_SECONDS * SECOND)
                return ERR_NONE;
        if (inode_of(lock->io, lock->path, &now, note))
                return err_wrap(note, "keep the lock");
        if (now != lock->inode)
                return err_set(note, ERR_BUSY, "%s: another took the lock, since we were silent for too long",
                               lock->path);
        return make_anew(lock, note) ? err_wrap(note, "keep the lock") : ERR_NONE;
}

void xo_lock_release(struct xo_lock *lock) {
        struct err_note unused;
        uint64_t now;

        if (!lock->io)
                return;
        /* One that cannot be removed is a dead one's for whoever comes next. */
        if (!inode_of(lock->io, lock->path, &now, &unused) && now == lock->inode)
                (void)!io_remove_dir(lock->io, lock->path, &unused);
        free(lock->path);
        *lock = (struct xo_lock){0};
}
