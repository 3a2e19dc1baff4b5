// SPDX-License-Identifier: Apache-2.0
/* A VHD stream whose head is the input, behind 8 bytes that say how the rest is made: blocks of a pattern
 * up to where the footer stands, and how it is cut into pieces.  What the sink takes whole, the reader of
 * files reads the same. */
#include <string.h>

#include "chain.h"
#include "fuzz.h"
#include "io_sim.h"
#include "mem.h"
#include "stream.h"
#include "vhd_create.h"
#include "vhd_footer.h"
#include "vhd_header.h"

enum { END_MAX = 12 * 1024 * 1024, DISK_MAX = 16 * 1024 * 1024 };

enum {
        MEND_CHECKSUMS = 1 << 0, /* so that changed fields are looked at */
        TOTAL_IS_KNOWN = 1 << 1,
        TOTAL_IS_HUGE = 1 << 2,
        NO_FOOTER = 1 << 3,
};

struct params_disk {
        uint8_t flags;
        uint8_t reserved;
        be16 piece; /* KiB, less one */
        be32 end_sector;
};

struct stream {
        uint8_t *data; /* owned */
        size_t n;
        size_t filled; /* bytes that are there; the others are made when the head was found good */
        size_t fill_end;
};

static void mend(uint8_t *data, size_t n, size_t at, size_t size, size_t field_at) {
        be32 sum;

        if (n < at + size)
                return;
        sum = be32_put(vhd_checksum(data + at, size, field_at));
        memcpy(data + at + field_at, &sum, sizeof sum);
}

static struct stream make_stream(const struct params_disk *params, const uint8_t *head, size_t n) {
        uint64_t end = min_u64((uint64_t)be32_get(params->end_sector) * 512, END_MAX);
        struct stream s = {.n = max_u64(end, n) + (params->flags & NO_FOOTER ? 0 : VHD_FOOTER_SIZE),
                           .filled = n,
                           .fill_end = max_u64(end, n)};

        s.data = mem_try(s.n + 1, 1);
        MUST_HOLD(s.data);
        memcpy(s.data, head, n);
        if (params->flags & MEND_CHECKSUMS) {
                mend(s.data, n, 0, VHD_FOOTER_SIZE, VHD_FOOTER_CHECKSUM);
                mend(s.data, n, VHD_HEADER_AT, VHD_HEADER_SIZE, VHD_HEADER_CHECKSUM);
        }
        if (!(params->flags & NO_FOOTER) && n >= VHD_FOOTER_SIZE)
                memcpy(s.data + s.n - VHD_FOOTER_SIZE, s.data, VHD_FOOTER_SIZE);
        return s;
}

/* Bitmaps with both kinds of bits, data of many kinds. */
static void fill(struct stream *s) {
        while (s->filled < s->fill_end) {
                size_t n = min_u64(512 - s->filled % 512, s->fill_end - s->filled);

                memset(s->data + s->filled, s->filled / 4096 % 5 == 0 ? 0 : (int)(s->filled / 512 & 255), n);
                s->filled += n;
        }
}

struct target {
        struct images *images; /* borrowed */
        struct chain *chain;   /* owned */
        bool is_delta;
};

static enum err begin(void *user, const struct stream_head *head, struct chain **ret, struct err_note *note) {
        struct target *target = user;
        struct vhd_create_options options = {.type = VHD_DYNAMIC, .size = head->size};

        MUST_HOLD(!target->chain);
        if (head->size > DISK_MAX)
                return err_set(note, ERR_TOO_LARGE, "not here");
        target->is_delta = head->is_delta;
        if (vhd_create(target->images->io, "/in.vhd", &options, NULL, note) ||
            chain_open(target->images, "/in.vhd", CHAIN_WRITE, &target->chain, note))
                return note->code;
        *ret = target->chain;
        return ERR_NONE;
}

static bool take(struct target *target, const struct params_disk *params, struct stream *s) {
        size_t piece = ((size_t)be16_get(params->piece) % 4096 + 1) * 1024;
        uint64_t total = params->flags & TOTAL_IS_HUGE    ? (uint64_t)1 << 50
                         : params->flags & TOTAL_IS_KNOWN ? s->n
                                                          : UINT64_MAX;
        AUTO(stream_sink_free) struct stream_sink *sink = NULL;
        struct err_note note;

        if (stream_sink_new(STREAM_VHD, total, begin, target, &sink, &note))
                return false;
        for (size_t at = 0, part; at < s->n; at += part) {
                if (at >= s->filled)
                        fill(s);
                part = min_u64(piece, (at < s->filled ? s->filled : s->n) - at);
                if (stream_sink_push(sink, s->data + at, part, &note)) {
                        MUST_HOLD(stream_sink_end(sink, &note) == note.code && note.code);
                        MUST_HOLD(!stream_sink_is_whole(sink));
                        return false;
                }
        }
        MUST_HOLD(stream_sink_taken(sink) == s->n);
        return !stream_sink_end(sink, &note);
}

/* Without a batmap: one that contradicts the bitmaps, which are made here, is believed in files. */
static void drop_batmap(struct stream *s) {
        bool has_footer = memcmp(s->data, s->data + s->n - VHD_FOOTER_SIZE, VHD_FOOTER_SIZE) == 0;

        memcpy(s->data + offsetof(struct vhd_footer_disk, creator), "fuzz", 4);
        mend(s->data, s->n, 0, VHD_FOOTER_SIZE, VHD_FOOTER_CHECKSUM);
        if (has_footer)
                memcpy(s->data + s->n - VHD_FOOTER_SIZE, s->data, VHD_FOOTER_SIZE);
}

static void put_file(struct io *io, struct stream *s) {
        struct io_file *file;
        struct err_note note;

        drop_batmap(s);
        MUST_HOLD(!io_open(io, "/file.vhd", IO_CREATE, &file, &note));
        MUST_HOLD(!io_write(file, s->data, s->n, 0, &note));
        io_close(file);
}

static void compare_with_file(struct images *images, struct chain *taken, struct stream *s) {
        AUTO(chain_abandon) struct chain *chain = NULL;
        static uint8_t a[DISK_MAX], b[DISK_MAX];
        struct err_note note;

        put_file(images->io, s);
        if (chain_open(images, "/file.vhd", CHAIN_READ, &chain, &note))
                return; /* files are looked at more closely in places */
        MUST_HOLD(chain_size(chain) == chain_size(taken));
        MUST_HOLD(!chain_read(chain, a, chain_size(chain), 0, &note));
        MUST_HOLD(!chain_read(taken, b, chain_size(chain), 0, &note));
        MUST_HOLD(memcmp(a, b, chain_size(chain)) == 0);
}

static bool is_fixed(const struct stream *s) {
        return be32_get(((const struct vhd_footer_disk *)(s->data + s->n - VHD_FOOTER_SIZE))->type) ==
               VHD_FIXED;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        struct params_disk params;
        struct target target = {0};
        struct images images;
        struct stream stream;
        struct err_note note;
        struct io *io;

        if (n < sizeof params)
                return 0;
        memcpy(&params, data, sizeof params);
        io = io_sim_new(1, 0);
        images_init(&images, io, NULL);
        target.images = &images;
        stream = make_stream(&params, data + sizeof params, n - sizeof params);
        if (take(&target, &params, &stream) && !target.is_delta && !is_fixed(&stream))
                compare_with_file(&images, target.chain, &stream);
        if (target.chain)
                MUST_HOLD(!chain_close(target.chain, &note));
        free(stream.data);
        images_fini(&images);
        io_free(io);
        return 0;
}
