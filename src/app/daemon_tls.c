// SPDX-License-Identifier: Apache-2.0
#include "daemon_tls.h"

#include <string.h>
#include <sys/stat.h>

#include "buf.h"
#include "mem.h"
#include "new_file.h"
#include "vec.h"

enum { PEM_MAX = 1 << 20 };

void daemon_tls_fini(struct daemon_tls *tls) {
        free(TAKE(tls->certificate_file));
        free(TAKE(tls->key_file));
        free(TAKE(tls->pem));
}

static enum err read_text(struct io *io, const char *path, char **ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO(buf_fini) struct buf text = {0};
        struct io_stat stat;

        if (io_open(io, path, IO_READ, &file, note) || io_stat(file, &stat, note))
                return note->code;
        if (stat.is_directory || stat.size == 0 || stat.size > PEM_MAX)
                return err_set(note, ERR_CORRUPT, "%s is no certificate", path);
        if (io_read(file, buf_extend(&text, (size_t)stat.size), (size_t)stat.size, 0, note))
                return err_wrap(note, "read %s", path);
        *ret = mem_text(buf_text(&text));
        return ERR_NONE;
}

static enum err write_text(struct io *io, const char *path, unsigned flags, const char *text,
                           struct err_note *note) {
        AUTO(new_file_fini) struct new_file made = {0};
        AUTO(io_close) struct io_file *file = NULL;

        if (new_file_begin(io, path, NEW_FILE_REPLACE, &made, note) ||
            io_open(io, made.temporary, IO_WRITE | IO_CREATE | flags, &file, note) ||
            io_write(file, text, strlen(text), 0, note) || io_sync(file, note))
                return err_wrap(note, "write %s", path);
        return new_file_commit(&made, note);
}

static enum err make(struct io *io, const struct daemon_tls_options *options, const struct daemon_tls *tls,
                     struct err_note *note) {
        AUTO(tls_pair_fini) struct tls_pair pair = {0};
        VEC(const char *) hosts = {0};
        struct tls_wanted wanted = {.name = options->host, .now = io_wall_ns(io) / 1000000000};
        enum err failed;

        *vec_add(&hosts) = "localhost";
        *vec_add(&hosts) = "127.0.0.1";
        *vec_add(&hosts) = "::1";
        *vec_add(&hosts) = options->host;
        for (size_t i = 0; i < options->n_more; i++)
                *vec_add(&hosts) = options->more[i];
        wanted.hosts = hosts.data;
        wanted.n_hosts = hosts.n;
        failed = (options->make ? options->make : tls_make_pair)(&wanted, &pair, note);
        vec_fini(&hosts);
        if (failed || write_text(io, tls->key_file, IO_PRIVATE, pair.key, note))
                return note->code;
        return write_text(io, tls->certificate_file, 0, pair.certificate, note);
}

static enum err find_own(struct io *io, const struct daemon_tls_options *options, struct daemon_tls *ret,
                         struct err_note *note) {
        AUTO_FREE char *folder = mem_format("%s/tls", options->state_dir);
        struct err_note unused;
        struct io_stat stat;
        enum err failed = io_make_dir(io, folder, note);

        /* Its own name too must last, or all that is in it goes with it. */
        if (failed && failed != ERR_EXISTS)
                return failed;
        if (!failed && io_sync_dir(io, options->state_dir, note))
                return note->code;
        ret->certificate_file = mem_format("%s/server-cert.pem", folder);
        ret->key_file = mem_format("%s/server-key.pem", folder);
        if (io_stat_path(io, ret->certificate_file, &stat, &unused) != ERR_NOT_FOUND)
                return ERR_NONE;
        ret->was_made = true;
        return make(io, options, ret, note);
}

enum err daemon_tls_find(struct io *io, const struct daemon_tls_options *options, struct daemon_tls *ret,
                         struct err_note *note) {
        if (options->certificate) {
                ret->certificate_file = mem_text(options->certificate);
                ret->key_file = mem_text(options->key);
        } else if (find_own(io, options, ret, note)) {
                return note->code;
        }
        if (read_text(io, ret->certificate_file, &ret->pem, note) ||
            tls_fingerprint(ret->pem, &ret->fingerprint, note))
                return err_wrap(note, "read %s", ret->certificate_file);
        return ERR_NONE;
}
