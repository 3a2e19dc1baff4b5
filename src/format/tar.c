// SPDX-License-Identifier: Apache-2.0
#include "tar.h"

#include <assert.h>
#include <stdio.h>

/* ---- numbers ------------------------------------------------------------------------------------- */

static bool is_octal(char c) {
        return c >= '0' && c <= '7';
}

/* Blanks, octal digits, then a blank or zero, or the field's end. */
static bool octal_of(const char *field, size_t n, uint64_t *ret) {
        uint64_t number = 0;
        size_t i = 0;

        while (i < n && field[i] == ' ')
                i++;
        for (; i < n && is_octal(field[i]); i++) {
                if (number >> 61)
                        return false;
                number = number << 3 | (uint64_t)(field[i] - '0');
        }
        for (; i < n; i++)
                if (field[i] != ' ' && field[i] != 0)
                        return false;
        *ret = number;
        return true;
}

/* The field's first bit is set, the others are a number with its highest byte first. */
static bool binary_of(const char *field, size_t n, uint64_t *ret) {
        uint64_t number = (uint8_t)field[0] & 0x7f;

        for (size_t i = 1; i < n; i++) {
                if (number >> 56)
                        return false;
                number = number << 8 | (uint8_t)field[i];
        }
        *ret = number;
        return number <= INT64_MAX;
}

static bool number_of(const char *field, size_t n, uint64_t *ret) {
        return (uint8_t)field[0] & 0x80 ? binary_of(field, n, ret) : octal_of(field, n, ret);
}

static uint32_t sum_of(const struct tar_header_disk *header) {
        const uint8_t *bytes = (const uint8_t *)header;
        uint32_t sum = 8 * ' ';

        for (size_t i = 0; i < sizeof *header; i++)
                if (i < offsetof(struct tar_header_disk, checksum) ||
                    i >= offsetof(struct tar_header_disk, type))
                        sum += bytes[i];
        return sum;
}

/* ---- reading ------------------------------------------------------------------------------------- */

/* GNU's headers say ustar too, and keep times where the folders would be. */
static bool has_prefix(const struct tar_header_disk *header) {
        return memcmp(header->magic, "ustar", sizeof header->magic) == 0 && header->prefix[0];
}

static void name_of(const struct tar_header_disk *header, struct tar_member *ret) {
        int n = (int)strnlen(header->name, sizeof header->name);

        if (has_prefix(header))
                snprintf(ret->name, sizeof ret->name, "%.*s/%.*s",
                         (int)strnlen(header->prefix, sizeof header->prefix), header->prefix, n,
                         header->name);
        else
                snprintf(ret->name, sizeof ret->name, "%.*s", n, header->name);
}

static enum err check_type(const struct tar_header_disk *header, struct tar_member *ret,
                           struct err_note *note) {
        switch (header->type) {
        case 0:
        case '0':
        case '7': /* contiguous */
                ret->is_file = true;
                return ERR_NONE;
        case '1':
        case '2':
        case '3':
        case '4':
        case '5':
        case '6':
                ret->size_bytes = 0; /* some write one, but none has data */
                return ERR_NONE;
        default:
                return err_set(note, ERR_UNSUPPORTED, "tar: a member of type %d", header->type);
        }
}

enum err tar_decode(const struct tar_header_disk *header, enum tar_kind *ret_kind, struct tar_member *ret,
                    struct err_note *note) {
        struct tar_member member = {0};
        uint64_t checksum, time;

        if (bytes_are_zero(header, sizeof *header)) {
                *ret_kind = TAR_END;
                return ERR_NONE;
        }
        if (!octal_of(header->checksum, sizeof header->checksum, &checksum) || checksum != sum_of(header))
                return err_set(note, ERR_CORRUPT, "tar: a header whose checksum does not match");
        if (!number_of(header->size, sizeof header->size, &member.size_bytes))
                return err_set(note, ERR_CORRUPT, "tar: a header whose size is no number");
        if (!number_of(header->mtime, sizeof header->mtime, &time))
                time = 0; /* before 1970, or nonsense: nobody needs it */
        member.time = (int64_t)time;
        name_of(header, &member);
        if (!member.name[0])
                return err_set(note, ERR_CORRUPT, "tar: a member without a name");
        if (check_type(header, &member, note))
                return note->code;
        *ret_kind = TAR_MEMBER;
        *ret = member;
        return ERR_NONE;
}

/* ---- writing ------------------------------------------------------------------------------------- */

/* As many digits as fit before a zero, or base 256. */
static void put_number(char *field, size_t n, uint64_t number) {
        if (number >> (3 * (n - 1)) == 0) {
                snprintf(field, n, "%0*llo", (int)n - 1, (unsigned long long)number);
                return;
        }
        for (size_t i = n; i-- > 0; number >>= 8)
                field[i] = (char)(uint8_t)number;
        field[0] = (char)0x80;
}

void tar_encode(const char *name, uint64_t size_bytes, int64_t time, struct tar_header_disk *ret) {
        size_t n = strlen(name);

        assert(n > 0 && n <= TAR_NAME_MAX && time >= 0);
        memset(ret, 0, sizeof *ret);
        memcpy(ret->name, name, n);
        put_number(ret->mode, sizeof ret->mode, 0644);
        put_number(ret->uid, sizeof ret->uid, 0);
        put_number(ret->gid, sizeof ret->gid, 0);
        put_number(ret->size, sizeof ret->size, size_bytes);
        put_number(ret->mtime, sizeof ret->mtime, (uint64_t)time);
        ret->type = '0';
        memcpy(ret->magic, "ustar", sizeof ret->magic);
        memcpy(ret->version, "00", sizeof ret->version);
        put_number(ret->major, sizeof ret->major, 0);
        put_number(ret->minor, sizeof ret->minor, 0);
        /* Six digits, a zero, a blank: as everyone has it. */
        put_number(ret->checksum, sizeof ret->checksum - 1, sum_of(ret));
        ret->checksum[sizeof ret->checksum - 1] = ' ';
}

uint64_t tar_padding(uint64_t size_bytes) {
        return -size_bytes & (TAR_BLOCK - 1);
}

uint64_t tar_member_size(uint64_t size_bytes) {
        return TAR_BLOCK + size_bytes + tar_padding(size_bytes);
}
