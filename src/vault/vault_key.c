// SPDX-License-Identifier: Apache-2.0
#include "vault_key.h"

#include "crypt.h"
#include "new_file.h"

void vault_key_fini(struct vault_key *key) {
        crypt_wipe(key, sizeof *key);
}

static enum err open_secret(struct io *io, const char *path, struct io_file **ret, uint64_t *ret_size,
                            struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        struct io_stat stat;

        if (io_open(io, path, IO_READ, &file, note) || io_stat(file, &stat, note))
                return note->code;
        if (stat.is_directory || stat.is_block_device)
                return err_set(note, ERR_INVALID, "%s is no file", path);
        if (!stat.is_private)
                return err_set(note, ERR_DENIED, "others may read %s: chmod 600 it", path);
        *ret = TAKE(file);
        *ret_size = stat.size;
        return ERR_NONE;
}

enum err vault_key_read_file(struct io *io, const char *path, struct vault_key *ret, struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO(vault_key_fini) struct vault_key key = {.kind = VAULT_SLOT_KEY_FILE};
        uint64_t size;

        if (open_secret(io, path, &file, &size, note))
                return note->code;
        if (size != sizeof key.bytes)
                return err_set(note, ERR_INVALID, "%s is no key file: it has %llu bytes, and not %zu", path,
                               (unsigned long long)size, sizeof key.bytes);
        if (io_read(file, key.bytes, sizeof key.bytes, 0, note))
                return err_wrap(note, "read %s", path);
        if (bytes_are_zero(key.bytes, sizeof key.bytes))
                return err_set(note, ERR_INVALID, "%s is no key file: it is zeros", path);
        *ret = key;
        return ERR_NONE;
}

static enum err write_key(struct io *io, const struct new_file *made, const struct vault_key *key,
                          struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;

        if (io_open(io, made->temporary, IO_CREATE | IO_PRIVATE | IO_WRITE, &file, note))
                return note->code;
        /* Before it has its name: a key of zeros, or of nothing, may open no vault. */
        if (io_write(file, key->bytes, sizeof key->bytes, 0, note) || io_sync(file, note))
                return err_wrap(note, "write %s", made->path);
        return ERR_NONE;
}

enum err vault_key_make_file(struct io *io, const char *path, struct vault_key *ret, struct err_note *note) {
        AUTO(new_file_fini) struct new_file made = {0};
        AUTO(vault_key_fini) struct vault_key key = {.kind = VAULT_SLOT_KEY_FILE};

        io_random(io, key.bytes, sizeof key.bytes);
        if (new_file_begin(io, path, 0, &made, note) || write_key(io, &made, &key, note) ||
            new_file_commit(&made, note))
                return note->code;
        *ret = key;
        return ERR_NONE;
}

enum err vault_key_read_passphrase(struct io *io, const char *path, struct vault_key *ret,
                                   struct err_note *note) {
        AUTO(io_close) struct io_file *file = NULL;
        AUTO(vault_key_fini) struct vault_key key = {.kind = VAULT_SLOT_PASSPHRASE};
        uint64_t size;
        size_t n;

        if (open_secret(io, path, &file, &size, note))
                return note->code;
        if (io_read_some(file, key.passphrase, sizeof key.passphrase, 0, &n, note))
                return err_wrap(note, "read %s", path);
        size = strcspn(key.passphrase, "\r\n");
        if (size < n && key.passphrase[size] == 0)
                return err_set(note, ERR_INVALID, "%s: a zero byte in a passphrase", path);
        if (size >= sizeof key.passphrase - 1)
                return err_set(note, ERR_TOO_LARGE, "%s: a passphrase has at most %d bytes", path,
                               VAULT_PASSPHRASE_MAX - 1);
        memset(key.passphrase + size, 0, sizeof key.passphrase - (size_t)size);
        if (size == 0)
                return err_set(note, ERR_INVALID, "%s: its first line is empty", path);
        *ret = key;
        return ERR_NONE;
}
