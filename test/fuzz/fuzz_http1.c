// SPDX-License-Identifier: Apache-2.0
/* A request's head: what decodes, written again from what was understood, decodes to the same; no header,
 * query or cookie has what would begin another line. */
#include "fuzz.h"

#include <string.h>

#include "buf.h"
#include "http1.h"

static void check_text(const char *text) {
        MUST_HOLD(!strpbrk(text, "\r\n"));
}

static void write_again(const struct http1_head *head, struct buf *ret) {
        buf_print(ret, "%s %c", http_method_name(head->method), head->path[0]);
        for (const char *c = head->path + 1; *c; c++)
                buf_print(ret, "%%%02x", (unsigned)(uint8_t)*c);
        buf_print(ret, "%s%s HTTP/1.%u\r\n", *head->query ? "?" : "", head->query, head->minor);
        VEC_EACH (&head->fields, each) {
                buf_print(ret, "%s:%s\r\n", each->name, each->value);
        }
        buf_print(ret, "\r\n");
}

static void check_same(const struct http1_head *a, const struct http1_head *b) {
        MUST_HOLD(a->method == b->method && a->minor == b->minor && strcmp(a->path, b->path) == 0);
        MUST_HOLD(strcmp(a->query, b->query) == 0 && a->fields.n == b->fields.n);
        MUST_HOLD(a->has_length == b->has_length && a->is_chunked == b->is_chunked && a->length == b->length);
        MUST_HOLD(a->keeps_alive == b->keeps_alive && a->expects_continue == b->expects_continue);
        MUST_HOLD(a->queries.list.n == b->queries.list.n && a->cookies.list.n == b->cookies.list.n);
        for (size_t i = 0; i < a->fields.n; i++)
                MUST_HOLD(strcmp(a->fields.data[i].value, b->fields.data[i].value) == 0);
}

static void ask(const struct http1_head *head) {
        struct http1_basic basic;
        uint64_t at, n;

        for (uint64_t size = 0; size <= UINT64_MAX / 4; size = size * 4096 + 4095)
                if (http1_range(head, size, &at, &n) == HTTP1_RANGE_ONE)
                        MUST_HOLD(n > 0 && range_fits(at, n, size));
        if (http1_basic(head, &basic))
                MUST_HOLD(strlen(basic.user) < HTTP1_BASIC_MAX && strlen(basic.password) < HTTP1_BASIC_MAX);
        MUST_HOLD(!(head->has_length && head->is_chunked));
        MUST_HOLD(head->path[0] == '/' || strcmp(head->path, "*") == 0);
        MUST_HOLD(!strstr(head->path, "/../"));
        check_text(head->path);
        VEC_EACH (&head->fields, each) {
                check_text(each->name);
                check_text(each->value);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AUTO(http1_head_fini) struct http1_head first = {0}, second = {0};
        AUTO(buf_fini) struct buf text = {0};
        struct err_note note = {0};
        size_t looked_at = 0, n;

        n = http1_head_length((struct span){data, size}, &looked_at);
        MUST_HOLD(n <= size);
        if (http1_head_decode((struct span){data, n ? n : size}, &first, &note)) {
                MUST_HOLD(note.text[0]);
                MUST_HOLD(note.code == ERR_CORRUPT || note.code == ERR_UNSUPPORTED ||
                          note.code == ERR_MISMATCH || note.code == ERR_TOO_LARGE);
                return 0;
        }
        MUST_HOLD(n > 0);
        ask(&first);
        write_again(&first, &text);
        if (http1_head_decode((struct span){text.data, text.n}, &second, &note))
                abort();
        check_same(&first, &second);
        return 0;
}
