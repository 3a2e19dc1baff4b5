// SPDX-License-Identifier: Apache-2.0
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const texts[] = {
#define X(code, text) [code] = text,
        ERR_TABLE(X)
#undef X
};

static const char *const names[] = {
        [ERR_NONE] = "none",
        [ERR_IO] = "io",
        [ERR_NO_SPACE] = "no_space",
        [ERR_CORRUPT] = "corrupt",
        [ERR_CUT_SHORT] = "cut_short",
        [ERR_NOT_FOUND] = "not_found",
        [ERR_EXISTS] = "exists",
        [ERR_BUSY] = "busy",
        [ERR_READ_ONLY] = "read_only",
        [ERR_DENIED] = "denied",
        [ERR_INVALID] = "invalid",
        [ERR_MISMATCH] = "mismatch",
        [ERR_UNSUPPORTED] = "unsupported",
        [ERR_TOO_LARGE] = "too_large",
        [ERR_NO_MEMORY] = "no_memory",
        [ERR_CANCELLED] = "cancelled",
        [ERR_CLOSED] = "closed",
};

enum err err_set(struct err_note *note, enum err code, const char *fmt, ...) {
        va_list args;

        note->code = code;
        va_start(args, fmt);
        vsnprintf(note->text, sizeof note->text, fmt, args);
        va_end(args);
        return code;
}

enum err err_wrap(struct err_note *note, const char *fmt, ...) {
        char front[ERR_TEXT_SIZE];
        size_t used, rest;
        va_list args;
        int n;

        va_start(args, fmt);
        n = vsnprintf(front, sizeof front - 2, fmt, args);
        va_end(args);
        used = n < 0 ? 0 : (size_t)n;
        if (used > sizeof front - 3)
                used = sizeof front - 3;
        memcpy(front + used, ": ", 2);
        used += 2;

        rest = strnlen(note->text, sizeof note->text - 1);
        if (rest > sizeof note->text - 1 - used)
                rest = sizeof note->text - 1 - used;
        memmove(note->text + used, note->text, rest);
        memcpy(note->text, front, used);
        note->text[used + rest] = '\0';
        return note->code;
}

const char *err_text(enum err code) {
        return texts[code];
}

const char *err_name(enum err code) {
        return names[code];
}
