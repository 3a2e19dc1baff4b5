// SPDX-License-Identifier: Apache-2.0
/* A bad network, for tests: two real sockets, and between them a middleman who moves what is sent in pieces
 * of any size and after any delay, holds it back, half-closes or resets, all as a seed has it.  Time is that
 * of io_sim.h, so an hour is over at once:
 *
 *      net_sim_new(loop, seed, &net_weather_bad, fds, &net, note);
 *      conn_new(loop, fds[0], …); conn_new(loop, fds[1], …);
 *      net_sim_run(loop, 3600 * NET_SIM_SECOND);
 *
 * What may be counted on, as of TCP: bytes arrive in order, once, or not at all; who closes or half-closes is
 * seen to have done so after all that he sent before; after a reset what was under way is lost.  Who sends
 * faster than is taken fills his socket, which is small, and what may be under way, and then waits.  The same
 * seed and the same calls give the same history.
 *
 * Errors: ERR_IO where there are no sockets.  Threads: the loop's.
 * Ownership: the two descriptors are the caller's; the loop's io is a simulated one and outlives all.
 */
#ifndef NET_NET_SIM_H
#define NET_NET_SIM_H

#include "loop.h"

#define NET_SIM_SECOND UINT64_C(1000000000) /* in nanoseconds */

struct net_weather {
        size_t piece_max;      /* bytes moved at once: 1 to so many */
        uint64_t delay_max_ns; /* of each piece: 0 to so long */
        size_t under_way_max;  /* bytes in each direction */
};
extern const struct net_weather net_weather_fine; /* whatever is sent arrives at once */
extern const struct net_weather net_weather_bad; /* pieces of up to 700 bytes, up to 80 ms, 4 KiB under way */

struct net_sim;

MUST_USE enum err net_sim_new(struct loop *, uint64_t seed, const struct net_weather *, int ret_fds[2],
                              struct net_sim **ret, struct err_note *);
void net_sim_free(struct net_sim *); /* both ends see a close */
DEFINE_AUTO(struct net_sim *, net_sim_free);

/* from: 0 or 1, whose bytes are meant: those sent into ret_fds[from]. */
void net_sim_hold(struct net_sim *, unsigned from, bool holds);  /* nothing moves, and nobody is told */
uint64_t net_sim_arrived(const struct net_sim *, unsigned from); /* bytes ever, handed to the other end */
/* Once so many bytes from there have arrived: the connection breaks, in the middle of what is under way. */
void net_sim_reset_at(struct net_sim *, unsigned from, uint64_t n);
void net_sim_reset(struct net_sim *);

/* Runs the loop until nothing is left to be done within ns of its clock, which has gone on by ns then. */
void net_sim_run(struct loop *, uint64_t ns);

#endif
