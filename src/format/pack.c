// SPDX-License-Identifier: Apache-2.0
#include "pack.h"

#include <assert.h>

#include <zlib.h>
#include <zstd.h>

#include "mem.h"

enum {
        LEVEL = 1,             /* of both: a disk is to be sent as fast as it is read */
        GZIP_WINDOW = 15 + 16, /* 15 bits; 16: gzip's head, not zlib's */
        GZIP_MEMORY = 8,       /* zlib's default */
};

enum pack_kind pack_kind_of(const uint8_t magic[PACK_MAGIC_SIZE]) {
        static const uint8_t zstd[] = {0x28, 0xb5, 0x2f, 0xfd}, gzip[] = {0x1f, 0x8b};

        if (memcmp(magic, zstd, sizeof zstd) == 0)
                return PACK_ZSTD;
        return memcmp(magic, gzip, sizeof gzip) == 0 ? PACK_GZIP : PACK_NONE;
}

/* ---- out ------------------------------------------------------------------------------------- */

static enum err frame_gzip(struct span data, uint8_t *ret, size_t room, size_t *ret_n,
                           struct err_note *note) {
        z_stream z = {.next_in = (uint8_t *)(uintptr_t)data.data,
                      .avail_in = (unsigned)data.n,
                      .next_out = ret,
                      .avail_out = (unsigned)room};
        int result;

        assert(data.n <= UINT32_MAX && room <= UINT32_MAX);
        if (deflateInit2(&z, LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
                return err_set(note, ERR_NO_MEMORY, "gzip: out of memory");
        result = deflate(&z, Z_FINISH);
        *ret_n = z.total_out;
        (void)deflateEnd(&z);
        assert(result == Z_STREAM_END);
        return ERR_NONE;
}

static enum err frame_zstd(struct span data, uint8_t *ret, size_t room, size_t *ret_n,
                           struct err_note *note) {
        size_t n = ZSTD_compress(ret, room, data.data, data.n, LEVEL);

        if (ZSTD_isError(n))
                return err_set(note, ERR_NO_MEMORY, "zstd: %s", ZSTD_getErrorName(n));
        *ret_n = n;
        return ERR_NONE;
}

enum err pack_frame(enum pack_kind kind, struct span data, uint8_t *ret, size_t room, size_t *ret_n,
                    struct err_note *note) {
        assert(kind != PACK_NONE && data.n > 0 && room >= PACK_ROOM(data.n));
        return kind == PACK_ZSTD ? frame_zstd(data, ret, room, ret_n, note)
                                 : frame_gzip(data, ret, room, ret_n, note);
}

/* ---- in -------------------------------------------------------------------------------------- */

struct unpack {
        ZSTD_DCtx *zstd; /* owned; NULL: it is gzip */
        z_stream gzip;
        bool is_at_end;
};

static enum err begin_zstd(struct unpack *unpack, struct err_note *note) {
        unpack->zstd = ZSTD_createDCtx();
        if (!unpack->zstd)
                return err_set(note, ERR_NO_MEMORY, "zstd: out of memory");
        return ERR_NONE;
}

enum err unpack_new(enum pack_kind kind, struct unpack **ret, struct err_note *note) {
        AUTO_FREE struct unpack *unpack = mem_new(struct unpack);

        assert(kind != PACK_NONE);
        unpack->is_at_end = true;
        if (kind == PACK_ZSTD && begin_zstd(unpack, note))
                return note->code;
        if (kind == PACK_GZIP && inflateInit2(&unpack->gzip, GZIP_WINDOW) != Z_OK)
                return err_set(note, ERR_NO_MEMORY, "gzip: out of memory");
        *ret = TAKE(unpack);
        return ERR_NONE;
}

void unpack_free(struct unpack *unpack) {
        if (unpack->zstd)
                ZSTD_freeDCtx(unpack->zstd);
        else
                (void)inflateEnd(&unpack->gzip);
        free(unpack);
}

static enum err some_zstd(struct unpack *unpack, struct span *data, uint8_t *ret, size_t room, size_t *ret_n,
                          struct err_note *note) {
        ZSTD_inBuffer in = {.src = data->data, .size = data->n};
        ZSTD_outBuffer out = {.dst = ret, .size = room};

        while (out.pos < room) {
                size_t in_before = in.pos, out_before = out.pos;
                size_t left = ZSTD_decompressStream(unpack->zstd, &out, &in);

                if (ZSTD_isError(left))
                        return err_set(note,
                                       strstr(ZSTD_getErrorName(left), "memory") ? ERR_UNSUPPORTED
                                                                                 : ERR_CORRUPT,
                                       "zstd: %s", ZSTD_getErrorName(left));
                /* Asked again behind a frame's end, it would say that it wants the next one's head. */
                if (in.pos > in_before || out.pos > out_before)
                        unpack->is_at_end = left == 0;
                else
                        break;
                if (in.pos == in.size && left == 0)
                        break;
        }
        *data = (struct span){data->data + in.pos, data->n - in.pos};
        *ret_n = out.pos;
        return ERR_NONE;
}

static enum err some_gzip(struct unpack *unpack, struct span *data, uint8_t *ret, size_t room, size_t *ret_n,
                          struct err_note *note) {
        z_stream *z = &unpack->gzip;

        z->next_out = ret;
        z->avail_out = (unsigned)min_u64(room, UINT32_MAX);
        while (z->avail_out > 0) {
                unsigned given = (unsigned)min_u64(data->n, UINT32_MAX), before = z->avail_out;
                int result;

                if (unpack->is_at_end && given == 0)
                        break;
                if (unpack->is_at_end && inflateReset(z) != Z_OK)
                        return err_set(note, ERR_CORRUPT, "gzip: cannot go on");
                unpack->is_at_end = false;
                z->next_in = (uint8_t *)(uintptr_t)data->data;
                z->avail_in = given;
                result = inflate(z, Z_NO_FLUSH);
                *data = (struct span){data->data + (given - z->avail_in), data->n - (given - z->avail_in)};
                if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
                        return err_set(note, ERR_CORRUPT, "gzip: %s", z->msg ? z->msg : "damaged");
                unpack->is_at_end = result == Z_STREAM_END;
                if (given == z->avail_in && before == z->avail_out && result != Z_STREAM_END)
                        break;
        }
        *ret_n = room - z->avail_out;
        return ERR_NONE;
}

enum err unpack_some(struct unpack *unpack, struct span *data, uint8_t *ret, size_t room, size_t *ret_n,
                     struct err_note *note) {
        assert(room > 0 && room <= UINT32_MAX);
        return unpack->zstd ? some_zstd(unpack, data, ret, room, ret_n, note)
                            : some_gzip(unpack, data, ret, room, ret_n, note);
}

bool unpack_is_at_end(const struct unpack *unpack) {
        return unpack->is_at_end;
}
