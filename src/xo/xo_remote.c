// SPDX-License-Identifier: Apache-2.0
#include "xo_remote.h"

#include <string.h>

#include "crypt.h"
#include "json_text.h"
#include "mem.h"

#define VMS "xo-vm-backups"

char *xo_remote_path(const struct xo_remote *remote, const char *path) {
        return mem_format("%s/%s", remote->dir, path);
}

static enum err read_file(struct io *io, const char *path, size_t limit, struct buf *ret,
                          struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct io_stat stat;

        if (io_open(io, path, IO_READ, &file, note) || io_stat(file, &stat, note))
                return note->code;
        if (stat.is_directory)
                return err_set(note, ERR_INVALID, "it is a directory");
        if (stat.size > limit)
                return err_set(note, ERR_TOO_LARGE, "it has %llu bytes, more than %zu",
                               (unsigned long long)stat.size, limit);
        return stat.size ? io_read(file, buf_extend(ret, stat.size), stat.size, 0, note) : ERR_NONE;
}

static enum err read_clear(const struct xo_remote *remote, const char *path, size_t limit, struct buf *ret,
                           struct err_note *note) {
        AUTO_FREE char *full = xo_remote_path(remote, path);

        return read_file(remote->io, full, limit, ret, note) ? err_wrap(note, "read %s", full) : ERR_NONE;
}

enum err xo_remote_read(const struct xo_remote *remote, const char *path, size_t limit, struct buf *ret,
                        struct err_note *note) {
        size_t more = remote->cipher == XO_PLAIN ? 0 : XO_NONCE_SIZE + XO_TAG_SIZE;

        if (read_clear(remote, path, limit + more, ret, note))
                return note->code;
        if (xo_decrypt(remote->cipher, remote->key, ret->data, &ret->n, note))
                return err_wrap(note, "read %s/%s", remote->dir, path);
        return ERR_NONE;
}

enum err xo_remote_list(const struct xo_remote *remote, const char *path, struct io_names *ret,
                        struct err_note *note) {
        AUTO_FREE char *full = xo_remote_path(remote, path);

        return io_list(remote->io, full, ret, note) ? err_wrap(note, "list %s", full) : ERR_NONE;
}

/* ---- whether it is encrypted ---- */

static enum err read_cipher(struct xo_remote *remote, struct err_note *note) {
        AUTO(buf_fini) struct buf text = {0};
        AUTO(json_decref) json_t *json = NULL;
        const char *name;
        enum err err = read_clear(remote, "encryption.json", XO_JSON_MAX, &text, note);

        remote->cipher = XO_PLAIN;
        if (err)
                return err == ERR_NOT_FOUND ? ERR_NONE : err;
        if (json_text_decode((struct span){text.data, text.n}, &json, note))
                return err_wrap(note, "read %s/encryption.json", remote->dir);
        name = json_string_value(json_object_get(json, "algorithm"));
        if (!name)
                return err_set(note, ERR_CORRUPT, "read %s/encryption.json: it names no algorithm",
                               remote->dir);
        return xo_cipher_named(name, &remote->cipher, note);
}

/* What it wrote for this: a document that is encrypted as all others are. */
static enum err try_key(const struct xo_remote *remote, struct err_note *note) {
        AUTO(buf_fini) struct buf text = {0};
        enum err err = xo_remote_read(remote, "metadata.json", XO_JSON_MAX, &text, note);

        if (err == ERR_CORRUPT)
                return err_set(note, ERR_DENIED, "%s is encrypted, and this key does not open it",
                               remote->dir);
        return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

static enum err look_for_vms(const struct xo_remote *remote, struct err_note *note) {
        AUTO_FREE char *path = xo_remote_path(remote, VMS);
        struct io_stat stat;
        enum err err = io_stat_path(remote->io, path, &stat, note);

        if (err == ERR_NOT_FOUND || (!err && !stat.is_directory))
                return err_set(note, ERR_NOT_FOUND,
                               "%s is no remote of Xen Orchestra: there is no folder " VMS, remote->dir);
        return err;
}

enum err xo_remote_open(struct io *io, const char *dir, const uint8_t key[XO_KEY_SIZE], struct xo_remote *ret,
                        struct err_note *note) {
        AUTO(xo_remote_fini) struct xo_remote remote = {.io = io, .dir = mem_text(dir)};

        if (look_for_vms(&remote, note) || read_cipher(&remote, note))
                return note->code;
        if (remote.cipher != XO_PLAIN && !key)
                return err_set(note, ERR_DENIED, "%s is encrypted: give its key by --xo-key-file", dir);
        if (key)
                memcpy(remote.key, key, sizeof remote.key);
        if (remote.cipher != XO_PLAIN && try_key(&remote, note))
                return note->code;
        *ret = remote;
        remote = (struct xo_remote){0};
        return ERR_NONE;
}

void xo_remote_fini(struct xo_remote *remote) {
        free(remote->dir);
        remote->dir = NULL;
        crypt_wipe(remote->key, sizeof remote->key);
}
