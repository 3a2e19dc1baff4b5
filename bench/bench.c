// SPDX-License-Identifier: Apache-2.0
#include "bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io_posix.h"
#include "mem.h"
#include "vhd_bitmap.h"
#include "vhd_create.h"
#include "vhd_meta.h"

/* ---- time, dice, ends -------------------------------------------------------------------------------- */

static uint64_t clock_of(clockid_t clock) {
        struct timespec now;

        clock_gettime(clock, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct moment bench_now(void) {
        return (struct moment){clock_of(CLOCK_MONOTONIC), clock_of(CLOCK_PROCESS_CPUTIME_ID)};
}

struct moment bench_since(struct moment began) {
        struct moment now = bench_now();

        return (struct moment){now.wall_ns - began.wall_ns, now.cpu_ns - began.cpu_ns};
}

uint64_t dice_roll(struct dice *dice, uint64_t sides) {
        uint64_t x = dice->state += 0x9e3779b97f4a7c15;

        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
        x = (x ^ x >> 27) * 0x94d049bb133111eb;
        return (x ^ x >> 31) % sides;
}

void must(enum err e, const struct err_note *note) {
        if (e == ERR_NONE)
                return;
        fprintf(stderr, "bench: %s\n", note->text);
        exit(1);
}

uint64_t number_of(const char *text) {
        static const char units[] = "KMGT";
        char *end;
        uint64_t n = strtoull(text, &end, 10);
        const char *unit = *end ? strchr(units, *end) : NULL;

        if (end == text || (*end && (!unit || end[1]))) {
                fprintf(stderr, "bench: '%s' is no number\n", text);
                exit(2);
        }
        return unit ? n << 10 * (unit - units + 1) : n;
}

char *path_of(const char *folder, const char *fmt, ...) {
        AUTO_FREE char *name = NULL;
        va_list args;

        va_start(args, fmt);
        if (vasprintf(&name, fmt, args) < 0)
                abort();
        va_end(args);
        return mem_format("%s/%s", folder, name);
}

/* ---- counting ---------------------------------------------------------------------------------------- */

static struct counts *counted;
static struct io_ops plain;
static struct io_queue_ops plain_queue, counting_queue;
static _Thread_local uint64_t own_sync_ns;

static enum err count_read(struct io_file *file, void *ret, size_t n, uint64_t at, size_t *ret_n,
                           struct err_note *note) {
        enum err e = plain.read_some(file, ret, n, at, ret_n, note);

        counted->calls++;
        counted->reads++;
        counted->read_bytes += e ? 0 : *ret_n;
        return e;
}

static enum err count_write(struct io_file *file, const void *data, size_t n, uint64_t at,
                            struct err_note *note) {
        counted->calls++;
        counted->writes++;
        counted->written_bytes += n;
        return plain.write(file, data, n, at, note);
}

static void add_sync(struct moment began) {
        struct moment took = bench_since(began);

        counted->calls++;
        counted->syncs++;
        counted->sync_ns += took.wall_ns;
        counted->sync_cpu_ns += took.cpu_ns;
        own_sync_ns += took.wall_ns;
}

static enum err count_sync(struct io_file *file, struct err_note *note) {
        struct moment began = bench_now();
        enum err e = counted->are_syncs_skipped ? ERR_NONE : plain.sync(file, note);

        add_sync(began);
        return e;
}

static enum err count_sync_dir(struct io *io, const char *path, struct err_note *note) {
        struct moment began = bench_now();
        enum err e = counted->are_syncs_skipped ? ERR_NONE : plain.sync_dir(io, path, note);

        add_sync(began);
        return e;
}

uint64_t bench_sync_ns_of_thread(void) {
        return own_sync_ns;
}

static enum err count_clone(struct io_file *from, uint64_t from_at, struct io_file *to, uint64_t to_at,
                            uint64_t n, struct err_note *note) {
        enum err e = plain.clone_range(from, from_at, to, to_at, n, note);

        counted->cloned_bytes += e ? 0 : n;
        return e;
}

static void count_submit(struct io_queue *queue, struct io_request *request) {
        if (request->op == IO_OP_WRITE) {
                counted->writes++;
                counted->written_bytes += io_request_size(request);
        }
        plain_queue.submit(queue, request);
}

static enum err count_queue_new(struct io *io, unsigned depth, struct io_queue **ret, struct err_note *note) {
        if (plain.queue_new(io, depth, ret, note))
                return note->code;
        plain_queue = counting_queue = *(*ret)->ops;
        counting_queue.submit = count_submit;
        (*ret)->ops = &counting_queue;
        return ERR_NONE;
}

static enum err count_open(struct io *io, const char *path, unsigned flags, struct io_file **ret,
                           struct err_note *note) {
        counted->calls++;
        return plain.open(io, path, flags, ret, note);
}

static enum err count_stat(struct io_file *file, struct io_stat *ret, struct err_note *note) {
        counted->calls++;
        return plain.stat(file, ret, note);
}

static enum err count_stat_path(struct io *io, const char *path, struct io_stat *ret, struct err_note *note) {
        counted->calls++;
        return plain.stat_path(io, path, ret, note);
}

static enum err count_canonical(struct io *io, const char *path, char **ret, struct err_note *note) {
        counted->calls++;
        return plain.canonical(io, path, ret, note);
}

struct io *bench_io_new(struct counts *counts) {
        struct io *io = io_uring_new();
        struct io_ops *ops = &((struct io_posix *)io)->ops;

        counted = counts;
        plain = *ops;
        ops->read_some = count_read;
        ops->write = count_write;
        ops->sync = count_sync;
        ops->sync_dir = count_sync_dir;
        ops->open = count_open;
        ops->stat = count_stat;
        ops->stat_path = count_stat_path;
        ops->canonical = count_canonical;
        ops->clone_range = count_clone;
        ops->queue_new = count_queue_new;
        return io;
}

/* ---- disks ------------------------------------------------------------------------------------------- */

static struct uuid uuid_of_file(struct io *io, const char *path) {
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_meta meta;
        struct err_note note;

        must(io_open(io, path, IO_READ, &file, &note), &note);
        must(vhd_meta_read(file, 0, &meta, &note), &note);
        return meta.footer.uuid;
}

void make_vhd(struct io *io, const char *path, uint64_t size, const char *parent) {
        struct vhd_parent link = {.path = parent};
        struct vhd_create_options options = {.type = VHD_DYNAMIC, .size = size};
        struct err_note note;

        if (parent) {
                link.uuid = uuid_of_file(io, parent);
                options.type = VHD_DIFFERENCING;
                options.parent = &link;
        }
        must(vhd_create(io, path, &options, NULL, &note), &note);
}

/* Slots 0 … n - 1 in random order. */
static uint32_t *shuffled(uint32_t n, struct dice *dice) {
        uint32_t *slot = mem_grow(NULL, n ? n : 1, sizeof *slot);

        for (uint32_t i = 0; i < n; i++) {
                uint32_t j = (uint32_t)dice_roll(dice, i + 1);

                slot[i] = slot[j];
                slot[j] = i;
        }
        return slot;
}

/* Entries in the BAT; returns the sector behind the last slot. */
static uint64_t write_entries(struct io_file *file, const struct vhd_meta *meta, const bool *is_held,
                              struct dice *dice) {
        uint32_t n_blocks = (uint32_t)vhd_meta_blocks(meta), n = 0, next = 0;
        AUTO_FREE be32 *bat = mem_grow(NULL, n_blocks, sizeof *bat);
        AUTO_FREE uint32_t *slot = NULL;
        struct vhd_reserved reserved;
        struct err_note note;
        uint64_t first;

        for (uint32_t i = 0; i < n_blocks; i++)
                n += is_held[i];
        must(vhd_meta_reserved(meta, &reserved, &note), &note);
        first = vhd_slot_align(div_up(reserved.end, VHD_SECTOR));
        slot = shuffled(n, dice);
        for (uint32_t i = 0; i < n_blocks; i++)
                bat[i] = be32_put(is_held[i] ? (uint32_t)vhd_slot_sector(first, slot[next++])
                                             : VHD_BAT_UNUSED);
        must(io_write(file, bat, n_blocks * sizeof *bat, meta->header.table_offset, &note), &note);
        return n ? vhd_block_end((uint32_t)vhd_slot_sector(first, n - 1)) / VHD_SECTOR : first;
}

static void write_batmap(struct io_file *file, struct vhd_meta *meta, const bool *is_held) {
        AUTO_FREE uint8_t *map = mem_zero((size_t)meta->batmap.map_size_bytes);
        struct vhd_batmap_disk disk;
        struct err_note note;

        for (uint32_t i = 0; i < vhd_meta_blocks(meta); i++)
                if (is_held[i])
                        vhd_bitmap_set(map, i);
        vhd_batmap_seal(&meta->batmap, (struct span){map, (size_t)meta->batmap.map_size_bytes},
                        meta->footer.size_bytes);
        vhd_batmap_encode(&meta->batmap, &disk);
        must(io_write(file, map, (size_t)meta->batmap.map_size_bytes, meta->batmap.map_offset, &note), &note);
        must(io_write(file, &disk, sizeof disk, meta->batmap_header_at, &note), &note);
}

void allocate_blocks(struct io *io, const char *path, const bool *is_held, bool whole, struct dice *dice) {
        AUTO(io_close) struct io_file *file = NULL;
        struct vhd_footer_disk footer;
        struct vhd_meta meta;
        struct err_note note;
        uint64_t end;

        must(io_open(io, path, IO_WRITE, &file, &note), &note);
        must(vhd_meta_read(file, 0, &meta, &note), &note);
        end = write_entries(file, &meta, is_held, dice) * VHD_SECTOR;
        if (whole)
                write_batmap(file, &meta, is_held);
        vhd_footer_encode(&meta.footer, &footer);
        must(io_truncate(file, end, &note), &note);
        must(io_write(file, &footer, sizeof footer, end, &note), &note);
        must(io_sync(file, &note), &note);
}

void drop_cache(const char *path) {
        int fd = open(path, O_RDWR | O_CLOEXEC);

        if (fd < 0 || fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)) {
                perror(path);
                exit(1);
        }
        close(fd);
}

void drop_cache_of_folder(const char *folder) {
        DIR *dir = opendir(folder);
        struct dirent *entry;

        while (dir && (entry = readdir(dir))) {
                AUTO_FREE char *path = path_of(folder, "%s", entry->d_name);

                if (entry->d_type == DT_REG)
                        drop_cache(path);
        }
        if (dir)
                closedir(dir);
}

uint64_t space_of_file(const char *path) {
        struct stat stat_;

        if (stat(path, &stat_)) {
                perror(path);
                exit(1);
        }
        return (uint64_t)stat_.st_blocks * 512;
}

void fill_random(uint8_t *data, uint64_t n, struct dice *dice) {
        for (uint64_t i = 0; i < n; i += 8) {
                uint64_t word = dice_roll(dice, UINT64_MAX);

                memcpy(data + i, &word, 8);
        }
}
