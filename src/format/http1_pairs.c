// SPDX-License-Identifier: Apache-2.0
#include "http1_pairs.h"

#include "hex.h"
#include "mem.h"

void http1_pairs_fini(struct http1_pairs *pairs) {
        VEC_EACH (&pairs->list, each) {
                free(each->name);
        }
        vec_fini(&pairs->list);
}

/* ---- percent --------------------------------------------------------------------------------- */

/* -1: there are no two digits. */
static int byte_of(struct span in, size_t at) {
        int high, low;

        if (in.n - at < 3)
                return -1;
        high = hex_digit((char)in.data[at + 1]);
        low = hex_digit((char)in.data[at + 2]);
        return high < 0 || low < 0 ? -1 : high << 4 | low;
}

enum err http1_unescape(struct span in, bool plus_is_space, char *ret, size_t *ret_n, struct err_note *note) {
        size_t n = 0;

        for (size_t i = 0; i < in.n; i++) {
                int c = in.data[i];

                if (c == '%') {
                        c = byte_of(in, i);
                        if (c < 0)
                                return err_set(note, ERR_CORRUPT, "a %% without two digits");
                        i += 2;
                } else if (c == '+' && plus_is_space) {
                        c = ' ';
                }
                if (c == 0)
                        return err_set(note, ERR_CORRUPT, "a zero byte in a name or value");
                ret[n++] = (char)c;
        }
        ret[n] = 0;
        *ret_n = n;
        return ERR_NONE;
}

/* ---- pairs ----------------------------------------------------------------------------------- */

static struct span part(struct span in, size_t from, size_t until) {
        return (struct span){in.data + from, until - from};
}

static size_t find(struct span in, size_t from, char c) {
        const uint8_t *at = from < in.n ? memchr(in.data + from, c, in.n - from) : NULL;

        return at ? (size_t)(at - in.data) : in.n;
}

static struct span trim(struct span in) {
        while (in.n > 0 && (*in.data == ' ' || *in.data == '\t'))
                in = part(in, 1, in.n);
        while (in.n > 0 && (in.data[in.n - 1] == ' ' || in.data[in.n - 1] == '\t'))
                in.n--;
        return in;
}

static void copy(struct span in, char *ret, size_t *ret_n) {
        memcpy(ret, in.data, in.n);
        ret[in.n] = 0;
        *ret_n = in.n;
}

static enum err put(struct span in, bool is_cookie, char *ret, size_t *ret_n, struct err_note *note) {
        enum err failed = http1_unescape(in, !is_cookie, ret, ret_n, note);

        if (!failed || !is_cookie || (in.n > 0 && memchr(in.data, 0, in.n)))
                return failed;
        copy(in, ret, ret_n);
        return ERR_NONE;
}

static enum err add(struct http1_pairs *pairs, struct span one, bool is_cookie, struct err_note *note) {
        size_t equals = find(one, 0, '='), n_name, n_value;
        struct span value = equals < one.n ? part(one, equals + 1, one.n) : part(one, one.n, one.n);
        AUTO_FREE char *text = mem_zero(one.n + 2);

        if (pairs->list.n >= HTTP1_PAIRS_MAX)
                return err_set(note, ERR_TOO_LARGE, "more than %d parameters", HTTP1_PAIRS_MAX);
        if (put(part(one, 0, equals), is_cookie, text, &n_name, note) ||
            put(value, is_cookie, text + n_name + 1, &n_value, note))
                return note->code;
        *vec_add(&pairs->list) = (struct http1_pair){.name = text, .value = text + n_name + 1};
        text = NULL;
        return ERR_NONE;
}

static enum err add_all(struct http1_pairs *pairs, struct span in, bool is_cookie, struct err_note *note) {
        for (size_t at = 0; at < in.n;) {
                size_t until = find(in, at, is_cookie ? ';' : '&');
                struct span one = part(in, at, until);

                if (is_cookie)
                        one = trim(one);
                if (one.n > 0 && add(pairs, one, is_cookie, note))
                        return note->code;
                at = until + 1;
        }
        return ERR_NONE;
}

enum err http1_pairs_add_query(struct http1_pairs *pairs, struct span in, struct err_note *note) {
        return add_all(pairs, in, false, note);
}

enum err http1_pairs_add_cookies(struct http1_pairs *pairs, struct span in, struct err_note *note) {
        return add_all(pairs, in, true, note);
}

const char *http1_pairs_get(const struct http1_pairs *pairs, const char *name) {
        VEC_EACH (&pairs->list, each) {
                if (strcmp(each->name, name) == 0)
                        return each->value;
        }
        return NULL;
}
