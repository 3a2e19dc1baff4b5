// SPDX-License-Identifier: Apache-2.0
#include "xo_unpack.h"

#include <brotli/decode.h>
#include <string.h>

#include "pack.h"

enum err xo_filter_named(const char *name, enum xo_filter *ret, struct err_note *note) {
        if (strcmp(name, "brotli") == 0)
                *ret = XO_BROTLI;
        else if (strcmp(name, "gzip") == 0)
                *ret = XO_GZIP;
        else if (strcmp(name, "none") == 0)
                *ret = XO_AS_IS;
        else
                return err_set(note, ERR_UNSUPPORTED, "it is compressed by \"%.40s\"", name);
        return ERR_NONE;
}

static enum err too_long(size_t room, struct err_note *note) {
        return err_set(note, ERR_CORRUPT, "it holds more than %zu bytes", room);
}

static enum err unpack_gzip(struct span packed, uint8_t *ret, size_t room, size_t *ret_n,
                            struct err_note *note) {
        AUTO(unpack_free) struct unpack *unpack = NULL;
        uint8_t more;
        size_t n = 0, n_more = 0;

        if (unpack_new(PACK_GZIP, &unpack, note) || unpack_some(unpack, &packed, ret, room, &n, note))
                return note->code;
        if (n == room && unpack_some(unpack, &packed, &more, 1, &n_more, note))
                return note->code;
        if (n_more > 0)
                return too_long(room, note);
        if (packed.n > 0 || !unpack_is_at_end(unpack))
                return err_set(note, ERR_CORRUPT, "it is cut short");
        *ret_n = n;
        return ERR_NONE;
}

static enum err unpack_brotli(struct span packed, uint8_t *ret, size_t room, size_t *ret_n,
                              struct err_note *note) {
        size_t n = room;

        switch (BrotliDecoderDecompress(packed.n, packed.data, &n, ret)) {
        case BROTLI_DECODER_RESULT_SUCCESS:
                *ret_n = n;
                return ERR_NONE;
        case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
                return too_long(room, note);
        case BROTLI_DECODER_RESULT_ERROR:
        case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
                break;
        }
        return err_set(note, ERR_CORRUPT, "it does not unpack, or holds more than %zu bytes", room);
}

enum err xo_unpack(enum xo_filter filter, struct span packed, uint8_t *ret, size_t room, size_t *ret_n,
                   struct err_note *note) {
        if (packed.n == 0)
                return err_set(note, ERR_CORRUPT, "it is empty");
        return filter == XO_GZIP ? unpack_gzip(packed, ret, room, ret_n, note)
                                 : unpack_brotli(packed, ret, room, ret_n, note);
}
