// SPDX-License-Identifier: Apache-2.0
#include "xo_xva_bytes.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "mem.h"
#include "pack.h"

enum { INPUT = 256 << 10 };

struct xo_xva_bytes {
        struct io_file *file; /* owned */
        uint64_t size;        /* of the file */
        enum pack_kind kind;
        pthread_mutex_t turn;  /* all below; of what is compressed */
        struct unpack *unpack; /* owned */
        uint8_t *input;        /* owned; INPUT */
        struct span rest;      /* of it */
        uint64_t input_at;     /* of the file: what is read next */
        uint8_t *kept;         /* owned; XO_XVA_KEPT, as a ring */
        uint64_t from, to;     /* of what was unpacked: what is kept */
        bool is_over;          /* to is the end */
};

enum err xo_xva_bytes_open(struct io *io, const char *path, struct xo_xva_bytes **ret,
                           struct err_note *note) {
        AUTO(xo_xva_bytes_close) struct xo_xva_bytes *bytes = mem_new(struct xo_xva_bytes);
        uint8_t magic[PACK_MAGIC_SIZE] = {0};
        struct io_stat stat;
        size_t n;

        pthread_mutex_init(&bytes->turn, NULL);
        if (io_open(io, path, IO_READ, &bytes->file, note) || io_stat(bytes->file, &stat, note) ||
            io_read_some(bytes->file, magic, sizeof magic, 0, &n, note))
                return note->code;
        bytes->size = stat.size;
        bytes->kind = pack_kind_of(magic);
        if (bytes->kind != PACK_NONE) {
                bytes->input = mem_zero(INPUT);
                bytes->kept = mem_zero(XO_XVA_KEPT);
        }
        *ret = TAKE(bytes);
        return ERR_NONE;
}

void xo_xva_bytes_close(struct xo_xva_bytes *bytes) {
        if (!bytes)
                return;
        if (bytes->unpack)
                unpack_free(bytes->unpack);
        if (bytes->file)
                io_close(bytes->file);
        pthread_mutex_destroy(&bytes->turn);
        free(bytes->input);
        free(bytes->kept);
        free(bytes);
}

/* ---- what is compressed ---------------------------------------------------------------------- */

static enum err begin_anew(struct xo_xva_bytes *bytes, struct err_note *note) {
        if (bytes->unpack)
                unpack_free(TAKE(bytes->unpack));
        bytes->rest = (struct span){0};
        bytes->input_at = bytes->from = bytes->to = 0;
        bytes->is_over = false;
        return unpack_new(bytes->kind, &bytes->unpack, note);
}

static enum err refill(struct xo_xva_bytes *bytes, struct err_note *note) {
        size_t n;

        if (bytes->rest.n > 0)
                return ERR_NONE;
        if (io_read_some(bytes->file, bytes->input, INPUT, bytes->input_at, &n, note))
                return note->code;
        if (n == 0 && bytes->input_at < bytes->size)
                return err_set(note, ERR_CUT_SHORT, "the file became shorter meanwhile");
        bytes->input_at += n;
        bytes->rest = (struct span){bytes->input, n};
        return ERR_NONE;
}

/* Something more, or it is over. */
static enum err unpack_more(struct xo_xva_bytes *bytes, struct err_note *note) {
        size_t in = (size_t)(bytes->to % XO_XVA_KEPT), n = 0;
        size_t room = (size_t)min_u64(INPUT, XO_XVA_KEPT - in);

        if (refill(bytes, note))
                return note->code;
        if (unpack_some(bytes->unpack, &bytes->rest, bytes->kept + in, room, &n, note))
                return note->code;
        bytes->to += n;
        bytes->from = max_u64(bytes->from, bytes->to > XO_XVA_KEPT ? bytes->to - XO_XVA_KEPT : 0);
        if (n > 0 || bytes->rest.n > 0 || bytes->input_at < bytes->size)
                return ERR_NONE;
        bytes->is_over = true;
        return unpack_is_at_end(bytes->unpack)
                       ? ERR_NONE
                       : err_set(note, ERR_CUT_SHORT, "what is compressed is cut short");
}

static void copy_kept(const struct xo_xva_bytes *bytes, uint8_t *ret, size_t n, uint64_t at) {
        size_t in = (size_t)(at % XO_XVA_KEPT), first = (size_t)min_u64(n, XO_XVA_KEPT - in);

        memcpy(ret, bytes->kept + in, first);
        memcpy(ret + first, bytes->kept, n - first);
}

static enum err read_packed(struct xo_xva_bytes *bytes, void *ret, size_t n, uint64_t at, size_t *ret_n,
                            struct err_note *note) {
        if ((!bytes->unpack || at < bytes->from) && begin_anew(bytes, note))
                return note->code;
        while (!bytes->is_over && bytes->to < at + n)
                if (unpack_more(bytes, note)) {
                        /* What failed is not gone on with. */
                        unpack_free(TAKE(bytes->unpack));
                        return note->code;
                }
        if (at > bytes->to)
                return err_set(note, ERR_CUT_SHORT, "it ends at %" PRIu64 ", before %" PRIu64, bytes->to, at);
        *ret_n = (size_t)min_u64(n, bytes->to - at);
        copy_kept(bytes, ret, *ret_n, at);
        return ERR_NONE;
}

/* ---- reading --------------------------------------------------------------------------------- */

enum err xo_xva_bytes_read_some(struct xo_xva_bytes *bytes, void *ret, size_t n, uint64_t at, size_t *ret_n,
                                struct err_note *note) {
        enum err err;

        if (bytes->kind == PACK_NONE) {
                if (at > bytes->size)
                        return err_set(note, ERR_CUT_SHORT, "it ends at %" PRIu64 ", before %" PRIu64,
                                       bytes->size, at);
                return io_read_some(bytes->file, ret, n, at, ret_n, note);
        }
        pthread_mutex_lock(&bytes->turn);
        err = read_packed(bytes, ret, n, at, ret_n, note);
        pthread_mutex_unlock(&bytes->turn);
        return err;
}

enum err xo_xva_bytes_read(struct xo_xva_bytes *bytes, void *ret, size_t n, uint64_t at,
                           struct err_note *note) {
        size_t got;

        if (xo_xva_bytes_read_some(bytes, ret, n, at, &got, note))
                return note->code;
        return got == n ? ERR_NONE : err_set(note, ERR_CUT_SHORT, "it ends at %" PRIu64, at + got);
}
