// SPDX-License-Identifier: Apache-2.0
#include "http1.h"

#include <strings.h>

#include "mem.h"
#include "text.h"

void http1_head_fini(struct http1_head *head) {
        free(head->path);
        free(head->text);
        vec_fini(&head->fields);
        http1_pairs_fini(&head->queries);
        http1_pairs_fini(&head->cookies);
        *head = (struct http1_head){0};
}

size_t http1_head_length(struct span in, size_t *looked_at) {
        for (size_t i = *looked_at; i + 4 <= in.n; i++) {
                if (memcmp(in.data + i, "\r\n\r\n", 4) == 0)
                        return i + 4;
                *looked_at = i + 1;
        }
        return 0;
}

static enum err corrupt(const char *what, struct err_note *note) {
        return err_set(note, ERR_CORRUPT, "%s", what);
}

/* ---- methods --------------------------------------------------------------------------------- */

static const struct {
        enum http_method method;
        const char *name;
} methods[] = {{HTTP_GET, "GET"}, {HTTP_HEAD, "HEAD"},     {HTTP_POST, "POST"},
               {HTTP_PUT, "PUT"}, {HTTP_DELETE, "DELETE"}, {HTTP_OPTIONS, "OPTIONS"}};

const char *http_method_name(enum http_method method) {
        for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
                if (methods[i].method == method)
                        return methods[i].name;
        return "?";
}

/* ---- characters ------------------------------------------------------------------------------ */

static bool is_token(const char *text) {
        const char *c = text;

        for (; *c; c++) {
                bool is_letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');

                if (!is_letter && !(*c >= '0' && *c <= '9') && !strchr("!#$%&'*+-.^_`|~", *c))
                        return false;
        }
        return c > text;
}

static bool is_value(const char *text) {
        for (const char *c = text; *c; c++)
                if (((uint8_t)*c < ' ' && *c != '\t') || *c == 0x7f)
                        return false;
        return true;
}

static bool is_target(const char *text) {
        const char *c = text;

        for (; *c; c++)
                if ((uint8_t)*c <= ' ' || (uint8_t)*c >= 0x7f || *c == '#')
                        return false;
        return c > text;
}

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

/* ---- the first line -------------------------------------------------------------------------- */

static enum err take_method(struct http1_head *head, const char *name, struct err_note *note) {
        if (!is_token(name))
                return corrupt("the request has no method", note);
        for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
                if (strcmp(name, methods[i].name) == 0) {
                        head->method = methods[i].method;
                        return ERR_NONE;
                }
        return err_set(note, ERR_UNSUPPORTED, "there is no such method here");
}

static enum err take_version(struct http1_head *head, const char *version, struct err_note *note) {
        const char *digits = version + 5;

        if (!text_starts_with(version, "HTTP/") || !(digits[0] >= '0' && digits[0] <= '9') ||
            digits[1] != '.' || !(digits[2] >= '0' && digits[2] <= '9') || digits[3])
                return corrupt("the request's first line does not end with a version", note);
        if (digits[0] != '1')
                return err_set(note, ERR_MISMATCH, "only HTTP/1.0 and HTTP/1.1 are spoken here");
        head->minor = digits[2] > '0';
        return ERR_NONE;
}

/* A part that is "." or "..": what it means is said twice then, once here and once by who maps paths. */
static bool has_dots(const char *path) {
        for (const char *c = path; (c = strchr(c, '/')); c++)
                if (c[1] == '.' && (c[2] == 0 || c[2] == '/' || (c[2] == '.' && (c[3] == 0 || c[3] == '/'))))
                        return true;
        return false;
}

static enum err take_path(struct http1_head *head, const char *path, size_t n, struct err_note *note) {
        size_t n_path;

        head->path = mem_zero(n + 2);
        if (n == 0) {
                head->path[0] = '/';
                return ERR_NONE;
        }
        if (http1_unescape((struct span){(const uint8_t *)path, n}, false, head->path, &n_path, note))
                return err_wrap(note, "the path");
        for (size_t i = 0; i < n_path; i++)
                if ((uint8_t)head->path[i] < ' ' || head->path[i] == 0x7f)
                        return corrupt("the path has a control character", note);
        if (strcmp(head->path, "*") == 0 && head->method == HTTP_OPTIONS)
                return ERR_NONE;
        if (head->path[0] != '/' || has_dots(head->path))
                return corrupt("the path does not begin with \"/\", or goes up", note);
        return ERR_NONE;
}

/* Behind the host, where there is one. */
static const char *skip_host(const char *target) {
        const char *after = strncasecmp(target, "http://", 7) == 0    ? target + 7
                            : strncasecmp(target, "https://", 8) == 0 ? target + 8
                                                                      : NULL;

        return after ? after + strcspn(after, "/?") : target;
}

static enum err take_target(struct http1_head *head, const char *target, struct err_note *note) {
        const char *path, *mark;

        if (!is_target(target))
                return corrupt("the request's target has a character that must be percent-encoded", note);
        path = skip_host(target);
        mark = path + strcspn(path, "?");
        head->query = *mark ? mark + 1 : mark;
        if (path == target && mark == path)
                return corrupt("the request's target has no path", note);
        if (take_path(head, path, (size_t)(mark - path), note))
                return note->code;
        if (http1_pairs_add_query(&head->queries,
                                  (struct span){(const uint8_t *)head->query, strlen(head->query)}, note))
                return err_wrap(note, "the query");
        return ERR_NONE;
}

static enum err take_first_line(struct http1_head *head, char *line, struct err_note *note) {
        char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;

        if (!version || strchr(version + 1, ' '))
                return corrupt("the first line is not METHOD TARGET VERSION", note);
        *target++ = 0;
        *version++ = 0;
        if (take_version(head, version, note) || take_method(head, line, note) ||
            take_target(head, target, note))
                return note->code;
        return ERR_NONE;
}

/* ---- the others ------------------------------------------------------------------------------ */

static enum err take_field(struct http1_head *head, char *line, struct err_note *note) {
        char *colon = strchr(line, ':'), *value, *end;

        if (is_blank(*line))
                return corrupt("a header goes on in another line", note);
        if (!colon)
                return corrupt("a header has no colon", note);
        *colon = 0;
        if (!is_token(line))
                return corrupt("a header's name has a character that none has", note);
        for (value = colon + 1; is_blank(*value);)
                value++;
        for (end = value + strlen(value); end > value && is_blank(end[-1]);)
                *--end = 0;
        if (!is_value(value))
                return corrupt("a header has a control character", note);
        if (head->fields.n >= HTTP1_FIELDS_MAX)
                return err_set(note, ERR_TOO_LARGE, "more than %d headers", HTTP1_FIELDS_MAX);
        *vec_add(&head->fields) = (struct http1_field){line, value};
        return ERR_NONE;
}

/* Lines end with CR LF, and neither is anywhere else; there is no zero byte. */
static enum err take_lines(struct http1_head *head, size_t n, struct err_note *note) {
        char *line = head->text, *end = head->text + n;

        if (memchr(line, 0, n))
                return corrupt("the head has a zero byte", note);
        for (bool is_first = true; line < end; is_first = false) {
                char *lf = memchr(line, '\n', (size_t)(end - line));

                if (!lf || lf == line || lf[-1] != '\r')
                        return corrupt("a line of the head does not end with CR LF", note);
                lf[-1] = 0;
                if (strchr(line, '\r'))
                        return corrupt("a line of the head has a CR in it", note);
                if (lf == line + 1)
                        return !is_first && lf + 1 == end ? ERR_NONE
                                                          : corrupt("the head has an empty line", note);
                if (is_first ? take_first_line(head, line, note) : take_field(head, line, note))
                        return note->code;
                line = lf + 1;
        }
        return corrupt("the head has no end", note);
}

/* ---- what they mean -------------------------------------------------------------------------- */

const char *http1_header(const struct http1_head *head, const char *name) {
        VEC_EACH (&head->fields, each) {
                if (strcasecmp(each->name, name) == 0)
                        return each->value;
        }
        return NULL;
}

static size_t count(const struct http1_head *head, const char *name) {
        size_t n = 0;

        VEC_EACH (&head->fields, each) {
                n += strcasecmp(each->name, name) == 0;
        }
        return n;
}

static bool has_word(const char *list, const char *word) {
        size_t n = strlen(word);

        while (*list) {
                size_t part;

                list += strspn(list, ", \t");
                part = strcspn(list, ",");
                if (part >= n && strncasecmp(list, word, n) == 0 && strspn(list + n, " \t") == part - n)
                        return true;
                list += part;
        }
        return false;
}

bool http1_header_has(const struct http1_head *head, const char *name, const char *word) {
        VEC_EACH (&head->fields, each) {
                if (strcasecmp(each->name, name) == 0 && has_word(each->value, word))
                        return true;
        }
        return false;
}

/* Two readers that disagree about where a body ends take different bytes for the next request. */
static enum err take_body(struct http1_head *head, struct err_note *note) {
        const char *length = http1_header(head, "Content-Length"),
                   *coding = http1_header(head, "Transfer-Encoding");

        if (count(head, "Content-Length") > 1 || count(head, "Transfer-Encoding") > 1 || (length && coding))
                return corrupt("the request says in more than one way how long it is", note);
        if (coding && head->minor == 0)
                return corrupt("HTTP/1.0 has no Transfer-Encoding", note);
        if (coding && strcasecmp(coding, "chunked") != 0)
                return err_set(note, ERR_UNSUPPORTED, "of transfer encodings only chunked is spoken here");
        if (length && !text_parse_u64(length, &head->length))
                return corrupt("Content-Length is no number", note);
        if (length && head->length >= UINT64_MAX / 2)
                return corrupt("Content-Length is no number of bytes", note);
        head->has_length = length;
        head->is_chunked = coding;
        return ERR_NONE;
}

static enum err take_cookies(struct http1_head *head, struct err_note *note) {
        VEC_EACH (&head->fields, each) {
                struct span value = {(const uint8_t *)each->value, strlen(each->value)};

                if (strcasecmp(each->name, "Cookie") == 0 &&
                    http1_pairs_add_cookies(&head->cookies, value, note))
                        return err_wrap(note, "the cookies");
        }
        return ERR_NONE;
}

static enum err take_meaning(struct http1_head *head, struct err_note *note) {
        bool closes = http1_header_has(head, "Connection", "close"),
             keeps = http1_header_has(head, "Connection", "keep-alive");

        if (count(head, "Host") > 1)
                return corrupt("the request is for more than one host", note);
        if (take_body(head, note) || take_cookies(head, note))
                return note->code;
        head->keeps_alive = !closes && (head->minor == 1 || keeps);
        head->expects_continue = head->minor == 1 && http1_header_has(head, "Expect", "100-continue");
        return ERR_NONE;
}

enum err http1_head_decode(struct span in, struct http1_head *ret, struct err_note *note) {
        AUTO(http1_head_fini) struct http1_head head = {.query = ""};

        head.text = mem_zero(in.n + 1);
        if (in.n > 0)
                memcpy(head.text, in.data, in.n);
        if (take_lines(&head, in.n, note) || take_meaning(&head, note))
                return note->code;
        *ret = head;
        head = (struct http1_head){0};
        return ERR_NONE;
}

/* ---- asking ---------------------------------------------------------------------------------- */

const char *http1_query(const struct http1_head *head, const char *name) {
        return http1_pairs_get(&head->queries, name);
}

const char *http1_cookie(const struct http1_head *head, const char *name) {
        return http1_pairs_get(&head->cookies, name);
}

const char *http1_parameter(const struct http1_head *head, const char *name) {
        const char *value = http1_query(head, name);

        return value ? value : http1_cookie(head, name);
}

static int value_of_base64(char c) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *at = c ? strchr(digits, c) : NULL;

        return at ? (int)(at - digits) : -1;
}

/* False: it is none, has a zero byte in it, or does not fit. */
static bool decode_base64(const char *text, char *ret, size_t room) {
        size_t n = strlen(text), n_ret = 0;
        uint32_t bits = 0;

        while (n > 0 && text[n - 1] == '=' && n % 4 != 1 && strlen(text) - n < 2)
                n--;
        if (n % 4 == 1)
                return false;
        for (size_t i = 0; i < n; i++) {
                int value = value_of_base64(text[i]);

                if (value < 0)
                        return false;
                bits = bits << 6 | (unsigned)value;
                if (i % 4 == 0)
                        continue;
                if (n_ret + 1 >= room)
                        return false;
                ret[n_ret] = (char)(bits >> (6 - 2 * (i % 4)));
                if (ret[n_ret++] == 0)
                        return false;
        }
        ret[n_ret] = 0;
        return true;
}

bool http1_basic(const struct http1_head *head, struct http1_basic *ret) {
        const char *value = http1_header(head, "Authorization");
        char both[HTTP1_BASIC_MAX];
        char *colon;

        if (!value || strncasecmp(value, "Basic ", 6) != 0)
                return false;
        value += 6;
        value += strspn(value, " ");
        if (!decode_base64(value, both, sizeof both) || !(colon = strchr(both, ':')))
                return false;
        *colon = 0;
        memcpy(ret->user, both, (size_t)(colon - both) + 1);
        memcpy(ret->password, colon + 1, strlen(colon + 1) + 1);
        return true;
}

const char *http1_bearer(const struct http1_head *head) {
        const char *value = http1_header(head, "Authorization");

        if (!value || strncasecmp(value, "Bearer ", 7) != 0)
                return NULL;
        value += 7;
        return value + strspn(value, " ");
}

/* Digits up to what is not one; false: there is none, or it is no number we can count to. */
static bool take_number(const char **text, uint64_t *ret) {
        const char *from = *text;

        *ret = 0;
        for (; **text >= '0' && **text <= '9'; (*text)++)
                if (!mul_u64(*ret, 10, ret) || !add_u64(*ret, (uint64_t)(**text - '0'), ret))
                        return false;
        return *text > from;
}

/* The last n bytes. */
static enum http1_range range_of_end(const char *text, uint64_t size, uint64_t *ret_at, uint64_t *ret_n) {
        uint64_t n;

        if (!take_number(&text, &n) || *text)
                return HTTP1_RANGE_NONE;
        if (n == 0 || size == 0)
                return HTTP1_RANGE_OUTSIDE;
        *ret_n = min_u64(n, size);
        *ret_at = size - *ret_n;
        return HTTP1_RANGE_ONE;
}

enum http1_range http1_range(const struct http1_head *head, uint64_t size, uint64_t *ret_at,
                             uint64_t *ret_n) {
        const char *text = http1_header(head, "Range");
        uint64_t first, last = UINT64_MAX;

        if (!text || strncasecmp(text, "bytes=", 6) != 0 || count(head, "Range") > 1 ||
            http1_header(head, "If-Range"))
                return HTTP1_RANGE_NONE;
        text += 6;
        if (*text == '-')
                return range_of_end(text + 1, size, ret_at, ret_n);
        if (!take_number(&text, &first) || *text++ != '-' || (*text && !take_number(&text, &last)) || *text ||
            last < first)
                return HTTP1_RANGE_NONE;
        if (first >= size)
                return HTTP1_RANGE_OUTSIDE;
        *ret_at = first;
        *ret_n = min_u64(last, size - 1) - first + 1;
        return HTTP1_RANGE_ONE;
}
