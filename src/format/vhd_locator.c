// SPDX-License-Identifier: Apache-2.0
#include "vhd_locator.h"

#include <string.h>

#include "hex.h"
#include "mem.h"
#include "text.h"
#include "utf16.h"

static const char scheme[] = "file://", host[] = "localhost/";

const uint32_t vhd_locator_order[3] = {VHD_LOCATOR_MACX, VHD_LOCATOR_W2KU, VHD_LOCATOR_W2RU};

/* %XX becomes the byte; a percent sign before anything else stays.  In place. */
static void undo_escapes(char *text) {
        char *to = text;

        for (const char *from = text; *from; from++) {
                int high = *from == '%' ? hex_digit(from[1]) : -1, low = high < 0 ? -1 : hex_digit(from[2]);

                if (low < 0) {
                        *to++ = *from;
                        continue;
                }
                *to++ = (char)(high * 16 + low);
                from += 2;
        }
        *to = '\0';
}

static const char *behind_drive(const char *text) {
        const char *letter = *text == '/' ? text + 1 : text; /* file:///C:/base.vhd */

        if (((*letter >= 'A' && *letter <= 'Z') || (*letter >= 'a' && *letter <= 'z')) && letter[1] == ':')
                return letter + 2;
        return text;
}

/* Without "C:" and without each "./" in front.  A copy. */
static enum err take_path(const char *text, uint32_t code, char **ret, struct err_note *note) {
        text = behind_drive(text);
        while (text_starts_with(text, "./"))
                for (text += 2; *text == '/';)
                        text++;
        if (*text == '\0' || strcmp(text, ".") == 0)
                return err_set(note, ERR_CORRUPT, "locator %s: names no file", vhd_locator_name(code));
        *ret = mem_text(text);
        return ERR_NONE;
}

static enum err decode_url(struct span data, char **ret, struct err_note *note) {
        AUTO(buf_fini) struct buf text = {0};
        char *path;

        if (utf8_check(data, note))
                return err_wrap(note, "locator MacX");
        buf_add(&text, data.data, data.n);
        if (!text_starts_with(buf_text(&text), scheme))
                return err_set(note, ERR_CORRUPT, "locator MacX: is \"%s\", not a file:// URL",
                               buf_text(&text));
        path = (char *)text.data + strlen(scheme);
        if (text_starts_with(path, host))
                path += strlen(host) - 1;
        if (*path == '/') {
                bool had_zero = strstr(path, "%00");

                undo_escapes(path);
                if (had_zero || utf8_check((struct span){(uint8_t *)path, strlen(path)}, note))
                        return err_set(note, ERR_CORRUPT, "locator MacX: its escapes give no text");
        }
        return take_path(path, VHD_LOCATOR_MACX, ret, note);
}

static enum err decode_wide(uint32_t code, struct span data, char **ret, struct err_note *note) {
        AUTO(buf_fini) struct buf text = {0};

        while (data.n >= 2 && data.n % 2 == 0 && data.data[data.n - 1] == 0 && data.data[data.n - 2] == 0)
                data.n -= 2; /* some count a terminator in */
        if (utf16_to_utf8(data, UTF16_LITTLE, &text, note))
                return err_wrap(note, "locator %s", vhd_locator_name(code));
        for (size_t i = 0; i < text.n; i++)
                if (text.data[i] == '\\')
                        text.data[i] = '/';
        return take_path(buf_text(&text), code, ret, note);
}

enum err vhd_locator_decode(const struct vhd_locator *locator, struct span data, char **ret_path,
                            struct err_note *note) {
        if (vhd_locator_check(locator, note))
                return note->code;
        if (locator->length > VHD_LOCATOR_MAX)
                return err_set(note, ERR_CORRUPT, "locator %s: length is %u, a path has at most %u",
                               vhd_locator_name(locator->code), locator->length, VHD_LOCATOR_MAX);
        if (locator->length > data.n)
                return err_set(note, ERR_CUT_SHORT, "locator %s: length is %u, there are %zu bytes",
                               vhd_locator_name(locator->code), locator->length, data.n);
        data.n = locator->length;
        switch (locator->code) {
        case VHD_LOCATOR_MACX:
                return decode_url(data, ret_path, note);
        case VHD_LOCATOR_W2KU:
        case VHD_LOCATOR_W2RU:
                return decode_wide(locator->code, data, ret_path, note);
        default:
                return err_set(note, ERR_UNSUPPORTED, "locator %s: is not of a kind that is read",
                               vhd_locator_name(locator->code));
        }
}

static enum err encode_wide(const char *path, struct buf *ret, struct err_note *note) {
        AUTO(buf_fini) struct buf text = {0};

        buf_print(&text, ".\\%s", path);
        for (size_t i = 0; i < text.n; i++)
                if (text.data[i] == '/')
                        text.data[i] = '\\';
        return utf16_from_utf8((struct span){text.data, text.n}, UTF16_LITTLE, ret, note);
}

static enum err check_path(const char *path, struct err_note *note) {
        if (*path == '\0' || *path == '/' || strcmp(path, ".") == 0)
                return err_set(note, ERR_INVALID, "parent path \"%s\" is not the relative path of a file",
                               path);
        if (strchr(path, '\\'))
                return err_set(note, ERR_INVALID,
                               "parent path \"%s\" has a backslash, which a VHD cannot hold", path);
        if (utf8_check((struct span){(const uint8_t *)path, strlen(path)}, note)) {
                note->code = ERR_INVALID;
                return err_wrap(note, "parent path \"%s\"", path);
        }
        return ERR_NONE;
}

enum err vhd_locator_encode(uint32_t code, const char *path, struct buf *ret, struct err_note *note) {
        while (text_starts_with(path, "./"))
                path += 2;
        if (check_path(path, note))
                return note->code;
        switch (code) {
        case VHD_LOCATOR_MACX:
                buf_print(ret, "%s./%s", scheme, path);
                return ERR_NONE;
        case VHD_LOCATOR_W2KU:
        case VHD_LOCATOR_W2RU:
                return encode_wide(path, ret, note);
        default:
                return err_set(note, ERR_UNSUPPORTED, "locator %s: is not of a kind that is written",
                               vhd_locator_name(code));
        }
}
