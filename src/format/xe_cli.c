// SPDX-License-Identifier: Apache-2.0
#include "xe_cli.h"

#include <assert.h>

/* ---- the banner ------------------------------------------------------------------------------------ */

static const char banner[] = "XenSource thin CLI protocol";
enum { BANNER_TEXT = sizeof banner - 1 };
_Static_assert(BANNER_TEXT + 8 == XE_BANNER_SIZE, "two numbers follow the text");

static void put_number(struct buf *to, uint32_t number) {
        le32 field = le32_put(number);

        buf_add(to, &field, sizeof field);
}

void xe_banner_encode(struct buf *ret) {
        buf_add(ret, banner, BANNER_TEXT);
        put_number(ret, XE_MAJOR);
        put_number(ret, XE_MINOR);
}

enum err xe_banner_decode(struct span bytes, size_t *ret_used, struct err_note *note) {
        size_t n = min_u64(bytes.n, BANNER_TEXT);
        le32 major;

        if (n && memcmp(bytes.data, banner, n) != 0)
                return err_set(note, ERR_CORRUPT, "xe: it does not begin with \"%s\"", banner);
        *ret_used = 0;
        if (bytes.n < XE_BANNER_SIZE)
                return ERR_NONE;
        memcpy(&major, bytes.data + BANNER_TEXT, sizeof major);
        if (le32_get(major) != XE_MAJOR)
                return err_set(note, ERR_UNSUPPORTED, "xe: it speaks version %u of the protocol",
                               le32_get(major));
        *ret_used = XE_BANNER_SIZE;
        return ERR_NONE;
}

/* ---- messages: what each has ----------------------------------------------------------------------- */

enum group { COMMAND = 9, RESPONSE = 10, BLOB = 11 };
enum part { TEXT = 1, PATH = 2, NUMBER = 4, LENGTH = 8, PARAMS = 16 };

static const struct {
        enum group group;
        uint32_t tag;
        unsigned parts; /* in the order of their values */
} table[] = {
        [XE_PRINT] = {COMMAND, 0, TEXT},
        [XE_PRINT_STDERR] = {COMMAND, 16, TEXT},
        [XE_DEBUG] = {COMMAND, 15, TEXT},
        [XE_LOAD] = {COMMAND, 1, TEXT},
        [XE_HTTP_GET] = {COMMAND, 12, TEXT | PATH},
        [XE_HTTP_PUT] = {COMMAND, 13, TEXT | PATH},
        [XE_HTTP_CONNECT] = {COMMAND, 17, PATH},
        [XE_PROMPT] = {COMMAND, 3, 0},
        [XE_EXIT] = {COMMAND, 4, NUMBER},
        [XE_ERROR] = {COMMAND, 14, TEXT | PARAMS},
        [XE_OK] = {RESPONSE, 5, 0},
        [XE_WAIT] = {RESPONSE, 18, 0},
        [XE_FAILED] = {RESPONSE, 6, 0},
        [XE_CHUNK] = {BLOB, 7, LENGTH},
        [XE_END] = {BLOB, 8, 0},
};
enum { N_KINDS = sizeof table / sizeof *table };

struct xe_message xe_message_of(enum xe_kind kind, const char *text) {
        return (struct xe_message){.kind = kind, .text = {(const uint8_t *)text, text ? strlen(text) : 0}};
}

/* ---- writing ----------------------------------------------------------------------------------------- */

static void put_text(struct buf *to, struct span text) {
        assert(text.n <= INT32_MAX);
        put_number(to, (uint32_t)text.n);
        if (text.n)
                buf_add(to, text.data, text.n);
}

void xe_encode(const struct xe_message *message, struct buf *ret) {
        unsigned parts = table[message->kind].parts;
        size_t begin = ret->n;
        le32 length;

        assert(message->n_params <= XE_PARAMS_MAX);
        put_number(ret, 0);
        put_number(ret, table[message->kind].group);
        put_number(ret, table[message->kind].tag);
        if (parts & TEXT)
                put_text(ret, message->text);
        if (parts & PATH)
                put_text(ret, message->path);
        if (parts & NUMBER)
                put_number(ret, (uint32_t)message->number);
        if (parts & LENGTH)
                put_number(ret, message->n);
        if (parts & PARAMS) {
                put_number(ret, message->n_params);
                for (uint32_t i = 0; i < message->n_params; i++)
                        put_text(ret, message->params[i]);
        }
        length = le32_put((uint32_t)(ret->n - begin - sizeof length));
        memcpy(ret->data + begin, &length, sizeof length);
}

/* ---- reading ----------------------------------------------------------------------------------------- */

/* Both take what they read off the span; false: it does not hold so much. */
static bool take_number(struct span *from, uint32_t *ret) {
        le32 field;

        if (from->n < sizeof field)
                return false;
        memcpy(&field, from->data, sizeof field);
        *ret = le32_get(field);
        *from = (struct span){from->data + sizeof field, from->n - sizeof field};
        return true;
}

static bool take_text(struct span *from, struct span *ret) {
        uint32_t n;

        if (!take_number(from, &n) || n > from->n)
                return false;
        *ret = (struct span){from->data, n};
        *from = (struct span){from->data + n, from->n - n};
        return true;
}

static bool take_params(struct span *from, struct xe_message *ret) {
        if (!take_number(from, &ret->n_params) || ret->n_params > XE_PARAMS_MAX)
                return false;
        for (uint32_t i = 0; i < ret->n_params; i++)
                if (!take_text(from, &ret->params[i]))
                        return false;
        return true;
}

static bool take_kind(struct span *from, enum xe_kind *ret) {
        uint32_t group, tag;

        if (!take_number(from, &group) || !take_number(from, &tag))
                return false;
        for (unsigned kind = 0; kind < N_KINDS; kind++)
                if (table[kind].group == group && table[kind].tag == tag) {
                        *ret = (enum xe_kind)kind;
                        return true;
                }
        return false;
}

static bool take_parts(struct span *from, struct xe_message *ret) {
        unsigned parts = table[ret->kind].parts;
        uint32_t number = 0;

        if ((parts & TEXT && !take_text(from, &ret->text)) ||
            (parts & PATH && !take_text(from, &ret->path)) ||
            (parts & NUMBER && !take_number(from, &number)) ||
            (parts & LENGTH && !take_number(from, &ret->n)) || (parts & PARAMS && !take_params(from, ret)))
                return false;
        ret->number = (int32_t)number;
        return ret->n <= INT32_MAX;
}

enum err xe_decode(struct span bytes, size_t max, struct xe_message *ret, size_t *ret_used,
                   struct err_note *note) {
        struct xe_message message = {0};
        uint32_t length;

        if (!take_number(&bytes, &length)) {
                *ret_used = 0;
                return ERR_NONE;
        }
        if (length > max)
                return err_set(note, ERR_TOO_LARGE, "xe: a message of %u bytes, where %zu are the most",
                               length, max);
        if (bytes.n < length) {
                *ret_used = 0;
                return ERR_NONE;
        }
        bytes.n = length;
        if (!take_kind(&bytes, &message.kind))
                return err_set(note, ERR_CORRUPT, "xe: a message of a kind that is not known");
        if (!take_parts(&bytes, &message) || bytes.n)
                return err_set(note, ERR_CORRUPT, "xe: a message that is longer or shorter than it says");
        *ret = message;
        *ret_used = sizeof(le32) + length;
        return ERR_NONE;
}
