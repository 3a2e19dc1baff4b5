// SPDX-License-Identifier: Apache-2.0
#include "owner.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "buf.h"
#include "mem.h"
#include "sr_state.h"
#include "text.h"

enum { WORDS_MAX = 2048 };

/* The words of a line "name: …", in place; empty where there are none. */
static const char *word_of(const char *words, const char *name, char *ret, size_t room) {
        const char *line = strstr(words, name);
        size_t n;

        *ret = 0;
        if (!line)
                return ret;
        line += strlen(name);
        n = strcspn(line, "\n");
        if (n >= room)
                n = room - 1;
        memcpy(ret, line, n);
        ret[n] = 0;
        return ret;
}

static enum err read_words(struct io_file *file, char ret[WORDS_MAX], struct err_note *note) {
        size_t n;

        if (io_read_some(file, ret, WORDS_MAX - 1, 0, &n, note))
                return note->code;
        ret[n] = 0;
        return ERR_NONE;
}

static enum err say_busy(const char *words, struct err_note *note) {
        char host[128], pid[32], command[128], since[64];

        word_of(words, "host: ", host, sizeof host);
        word_of(words, "pid: ", pid, sizeof pid);
        word_of(words, "command: ", command, sizeof command);
        word_of(words, "since: ", since, sizeof since);
        return err_set(note, ERR_BUSY, "the SR is in use by pid %s on host %s (%s) since %s",
                       *pid ? pid : "?", *host ? host : "?", *command ? command : "?", *since ? since : "?");
}

static enum err write_words(struct io *io, struct io_file *file, const struct sr_self *self,
                            const char *socket, struct err_note *note) {
        AUTO(buf_fini) struct buf words = {0};

        buf_print(&words, "host: %s\npid: %" PRIu64 "\ncommand: %s\nsince: %s\n",
                  self && self->host ? self->host : "", self ? self->pid : 0,
                  self && self->command ? self->command : "", text_time(io_wall_ns(io) / 1000000000).s);
        if (socket)
                buf_print(&words, "socket: %s\n", socket);
        /* Not synced: should this host lose its power, it owns nothing any more. */
        if (io_truncate(file, 0, note) || io_write(file, words.data, words.n, 0, note))
                return note->code;
        return ERR_NONE;
}

static enum err open_file(struct io *io, const char *path, struct io_file **ret, struct err_note *note) {
        enum err err = io_open(io, path, IO_WRITE | IO_CREATE, ret, note);

        return err == ERR_EXISTS ? io_open(io, path, IO_WRITE, ret, note) : err;
}

enum err owner_take(struct io *io, const char *path, const struct sr_self *self, struct io_file **ret,
                    struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        char words[WORDS_MAX], host[128];
        const char *socket = NULL;
        struct err_note lock_note;
        enum err err;

        if (open_file(io, path, &file, note))
                return note->code;
        err = io_lock(file, IO_EXCLUSIVE, &lock_note);
        if (read_words(file, words, note))
                return note->code;
        if (err == ERR_BUSY)
                return say_busy(words, note);
        if (err) {
                *note = lock_note;
                return err;
        }
        word_of(words, "host: ", host, sizeof host);
        if (*host && self && self->host && strcmp(host, self->host) != 0) {
                (void)say_busy(words, note);
                return err_wrap(note, "another host owns it (where that host is gone for good, empty %s)",
                                path);
        }
        /* The socket listens before the words name it. */
        if (self && self->open_door) {
                AUTO_FREE char *folder = mem_text(path);
                char *slash = strrchr(folder, '/');

                assert(slash);
                *slash = 0;
                socket = self->open_door(self->user, folder);
        }
        if (write_words(io, file, self, socket, note))
                return note->code;
        *ret = TAKE(file);
        return ERR_NONE;
}

enum err owner_say_busy(struct io *io, const char *path, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        char words[WORDS_MAX] = "";

        if (io_open(io, path, IO_READ, &file, note) || read_words(file, words, note))
                words[0] = 0;
        return say_busy(words, note);
}

void owner_leave(struct io_file *file) {
        struct err_note unused;

        /* What cannot be emptied is replaced by the next owner on this host. */
        (void)!io_truncate(file, 0, &unused);
        io_close(file);
}

/* ---- for those who would call the owner -------------------------------------------------------- */

void sr_owner_fini(struct sr_owner *owner) {
        free(owner->folder);
        *owner = (struct sr_owner){0};
}

enum err sr_owner_of(struct io *io, const char *dir, struct sr_owner *ret, struct err_note *note) {
        AUTO_FREE char *folder = mem_format("%s/.catena", dir),
                       *path = mem_format("%s/" SR_OWNER_FILE, folder);
        AUTO(io_close) struct io_file *file = NULL;
        char words[WORDS_MAX], pid[32];

        if (io_open(io, path, IO_READ, &file, note) || read_words(file, words, note))
                return note->code;
        *ret = (struct sr_owner){0};
        word_of(words, "host: ", ret->host, sizeof ret->host);
        word_of(words, "command: ", ret->command, sizeof ret->command);
        word_of(words, "since: ", ret->since, sizeof ret->since);
        word_of(words, "socket: ", ret->socket, sizeof ret->socket);
        if (!text_parse_u64(word_of(words, "pid: ", pid, sizeof pid), &ret->pid))
                return err_set(note, ERR_NOT_FOUND, "nobody says that they own the SR %s", dir);
        ret->folder = TAKE(folder);
        return ERR_NONE;
}
