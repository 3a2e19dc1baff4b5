// SPDX-License-Identifier: Apache-2.0
/* The third maker of io.h: a machine in memory, whose crashes, torn writes, reorderings and errors follow
 * from a seed.  It honours exactly what io.h promises and is as nasty as that allows:
 *
 *   - what was not synced is lost or kept at a crash, sector by sector and name by name; sim_dice.h has the
 *     styles of crashes
 *   - a sync of a file says nothing of its name; one of a directory nothing of the files in it, nor of its
 *     own name
 *   - of what a failed sync covered some is durable and the rest is gone: decided at that moment, and seen by
 *     everybody; no later sync brings the rest back
 *   - requests of a queue are done in any order; of those in flight at a crash, any may have been done
 *   - a file system has a size, counted in blocks of 4096 bytes
 *
 * Directories with hard links, sparse files, clones, locks; paths are absolute or relative to "/"; no
 * symbolic links. Time stands still unless it is told to go on, or somebody sleeps.
 *
 * Faults.  Calls are counted; the n-th from now (the first is 1) can be made to kill the machine or to fail.
 * Opening, reading, listing and the like can be failed; creating, writing, syncing, renaming and the like are
 * changing calls too and are where a machine can die.  The clock and the dice never fail.  Once dead, every
 * call is ERR_IO until io_sim_crash, which is the power loss and the restart in one; files opened before it
 * stay ERR_IO and can only be closed.
 *
 * Every function here takes a struct io made by io_sim_new or io_sim_fork.
 *
 * Errors: none but those injected.  Threads: any; a fork is a machine of its own.
 * Ownership: io_free releases the machine; its files and queues must be closed by then.
 */
#ifndef IO_IO_SIM_H
#define IO_IO_SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bytes.h"
#include "io.h"

/* size: of the file system, bytes; 0: 1 PiB. */
struct io *io_sim_new(uint64_t seed, uint64_t size);

/* A machine in the same state, with what is durable and what is not, dead or alive; but without open files,
 * locks, faults, counts, streams or trace.  It shares unchanged bytes with the first, so it costs little. */
struct io *io_sim_fork(struct io *);

void io_sim_reseed(struct io *, uint64_t seed); /* io_random, queue order and partial failures from here on */
void io_sim_resize(struct io *, uint64_t size); /* may be less than is used */
uint64_t io_sim_size(struct io *);
uint64_t io_sim_used(struct io *); /* bytes */
uint64_t io_sim_peak(struct io *); /* the most that were used since it was made, forked or crashed */

enum io_sim_lack {
        IO_SIM_NO_LINK = 1 << 0,
        IO_SIM_NO_PUNCH = 1 << 1,
        IO_SIM_NO_CLONE = 1 << 2,
        IO_SIM_NO_HOLES = 1 << 3
};
/* ERR_UNSUPPORTED; NO_HOLES: io_next_data says that all is data. */
void io_sim_set_lacks(struct io *, unsigned lacks);

/* ---- the end, and after ---- */

/* Power is lost and comes back: of what was not synced the seed keeps some.  Ends all faults. */
void io_sim_crash(struct io *, uint64_t seed);
/* How many consecutive seeds meet each style of crash. */
enum { IO_SIM_STYLES = 11 };

/* The process is killed and started again, the machine goes on: files are closed, locks are gone, nothing is
 * lost, what was not synced is still not durable.  Ends all faults. */
void io_sim_kill(struct io *);

void io_sim_settle(struct io *); /* all there is now is durable, as after a clean shutdown; files stay open */
unsigned io_sim_open_files(struct io *); /* for tests that look for leaks; streams too */
void io_sim_abandon(struct io *);        /* frees files and queues left open; nobody may use them any more */

/* ---- faults ---- */

struct io_sim_count {
        uint64_t all;      /* that can be failed */
        uint64_t changing; /* of these, that change anything */
        uint64_t spacious; /* of these, that may find no space */
};
struct io_sim_count io_sim_count(struct io *); /* since the machine was made */

/* The n-th changing call from now: IO_SIM_BEFORE, it does not happen; IO_SIM_DURING, it happens and nobody is
 * told. */
enum io_sim_death { IO_SIM_BEFORE, IO_SIM_DURING };
void io_sim_die_at(struct io *, uint64_t n, enum io_sim_death);
/* ERR_NO_SPACE: the n-th call that may find no space; others: the n-th that can be failed.  A write that
 * fails may have written some sectors.  forever: all such calls from then on. */
void io_sim_fail_at(struct io *, uint64_t n, enum err, bool forever);
void io_sim_heal(struct io *);  /* no more faults; a dead machine stays dead */
bool io_sim_fired(struct io *); /* since the fault was set: it met a call */
bool io_sim_is_dead(struct io *);

/* Reads of any of these bytes are ERR_IO, whatever is written there, across crashes; n = 0 mends the file. */
void io_sim_break(struct io *, const char *path, uint64_t n, uint64_t at);

/* ---- clock, streams ---- */

void io_sim_advance(struct io *, uint64_t ns);
void io_sim_set_wall(struct io *, int64_t ns); /* since 1970, now */

/* data stays borrowed; at most max_piece bytes come at once (0: all that fit). */
void io_sim_set_stdin(struct io *, const void *data, size_t n, size_t max_piece);
struct span io_sim_stdout(struct io *);               /* what was written; valid until more is */
void io_sim_close_stdout_at(struct io *, uint64_t n); /* the reader leaves after n bytes: ERR_CLOSED */

/* ---- watching ---- */

/* Called before each changing call, on the thread that makes it, with nothing locked: a test can put anything
 * between two steps of an operation.  What it does itself is not watched.  NULL ends it. */
typedef void (*io_sim_watch)(void *user, const char *verb, const char *path);
void io_sim_set_watch(struct io *, io_sim_watch, void *user);

void io_sim_trace(struct io *, FILE *); /* prints each call; NULL ends it */

struct io_sim_traffic {
        uint64_t reads, writes, syncs, dir_syncs, punches, clones;
        uint64_t bytes_read, bytes_written;
};
/* Of all files, since the machine was made; of one, without dir_syncs, zeros where it is not there. */
struct io_sim_traffic io_sim_traffic(struct io *);
struct io_sim_traffic io_sim_file_traffic(struct io *, const char *path);

#endif
