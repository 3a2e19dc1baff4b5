// SPDX-License-Identifier: Apache-2.0
/* What the programs of bench/ share: a real I/O seam that counts, disks that are made quickly, dice.
 *
 * Each program takes a folder to work in and prints one JSON object; bench/run starts it, and makes ratios of
 * what it says.  A program that cannot go on says why and ends with 1.
 *
 * Errors: end the program.  Threads: one, where nothing else is said.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "io.h"

/* ---- time, dice, ends -------------------------------------------------------------------------------- */

/* What the clock says, and what of it this process had a processor for: on a machine that others use too the
 * second says more.  Of work that waits for nothing the two are equal on a machine of its own. */
struct moment {
        uint64_t wall_ns, cpu_ns;
};
struct moment bench_now(void);
struct moment bench_since(struct moment began);

struct dice {
        uint64_t state;
};
uint64_t dice_roll(struct dice *, uint64_t sides); /* 0 … sides - 1; the same seed, the same run */

/* Ends the program where e is an error. */
void must(enum err e, const struct err_note *);
/* A number given on the command line, perhaps with K, M, G or T behind it. */
uint64_t number_of(const char *text);
char *path_of(const char *folder, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- counting ---------------------------------------------------------------------------------------- */

struct counts {
        _Atomic uint64_t calls;                 /* of any kind, but for requests of queues */
        _Atomic uint64_t reads, read_bytes;     /* plain ones */
        _Atomic uint64_t writes, written_bytes; /* likewise, and requests of queues */
        _Atomic uint64_t cloned_bytes;
        _Atomic uint64_t syncs;                /* of files and directories */
        _Atomic uint64_t sync_ns, sync_cpu_ns; /* how long all of them took, and how much of that was work */
        bool are_syncs_skipped;                /* for making data: it need not survive */
};

/* io_uring whose calls are counted in *counts, which outlives it.  One of these at a time; its files may be
 * used by several threads. */
struct io *bench_io_new(struct counts *counts);
/* How long the calling thread has waited for syncs that it asked for itself. */
uint64_t bench_sync_ns_of_thread(void);

/* ---- disks ------------------------------------------------------------------------------------------- */

/* A dynamic VHD at path, or a differencing one over parent. */
void make_vhd(struct io *, const char *path, uint64_t size, const char *parent);
/* Gives such a file, which is empty so far, a place for each block that is_held, in random order, as after
 * random writes; whole: batmap bits too.  Only metadata is written: what lies in the blocks is a hole. */
void allocate_blocks(struct io *, const char *path, const bool *is_held, bool whole, struct dice *);

/* What is read of it next comes from the disk. */
void drop_cache(const char *path);
void drop_cache_of_folder(const char *folder); /* of all files in it */
/* What the file takes of the file system now, bytes. */
uint64_t space_of_file(const char *path);

void fill_random(uint8_t *data, uint64_t n, struct dice *);

#endif
