// SPDX-License-Identifier: Apache-2.0
/* TCP: listening, accepting, connecting, and what the kernel knows of a connection.
 *
 * An address is written HOST:PORT, [V6]:PORT or :PORT; PORT is a number.  Listening without a host is on all
 * addresses of this host, both families; port 0 is any that is free, and tcp_address_of says which.  Host
 * names are looked up, which may wait; numbers never do.
 *
 * Sockets do not block, and are closed in programs that are executed.  A connection has TCP_NODELAY and
 * keepalive from its beginning; tcp_tune says otherwise.  Nothing here ends a peer that merely does not read.
 *
 * Errors: ERR_INVALID, it is no address; ERR_NOT_FOUND, there is no such host; ERR_BUSY, the port is taken;
 * ERR_DENIED; ERR_CLOSED, nobody listens there; ERR_IO.  Texts say what to do.
 * Threads: any.  Ownership: descriptors are the caller's.
 */
#ifndef NET_TCP_H
#define NET_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

enum { TCP_ADDRESS_SIZE = 64 }; /* "[v6]:port" with its terminator */

struct tcp_address {
        char s[TCP_ADDRESS_SIZE]; /* in numbers */
};

/* Whatever of the other side has vanished is noticed idle_s + n * every_s seconds after its last word. */
struct tcp_options {
        bool no_delay;
        unsigned idle_s, every_s, n; /* of keepalive; idle_s 0: none */
        unsigned unsent_max;         /* bytes the kernel holds beyond what is on its way; 0: its own choice */
};
extern const struct tcp_options tcp_defaults;

/* How much the kernel may hold, as unsent_max says, of connections that may all stand still: each has its
 * share of what all may have when it comes, in these bounds.  Few then flow at full speed, since little
 * unsent means a wake-up for every little; and of n, `together` * (1 + log(n)) is the most, or n * least. */
struct tcp_unsent {
        unsigned together, least, most; /* bytes; all 0: the kernel's own choice */
};
unsigned tcp_unsent_share(const struct tcp_unsent *, unsigned n); /* of the nth that is there at once */

MUST_USE enum err tcp_listen(const char *address, int *ret_fd, struct err_note *);
/* *ret_fd is -1 where nobody waits any more. */
MUST_USE enum err tcp_accept(int listener, int *ret_fd, struct tcp_address *ret_peer, struct err_note *);
/* The connection may still be on its way: a conn that it is given to sends when it stands, or ends and says
 * why.  Of several addresses of a host the first that does not fail at once is taken. */
MUST_USE enum err tcp_connect(const char *address, int *ret_fd, struct err_note *);

MUST_USE enum err tcp_tune(int fd, const struct tcp_options *, struct err_note *);

/* Our own end's address. */
MUST_USE enum err tcp_address_of(int fd, struct tcp_address *ret, struct err_note *);

struct tcp_look {
        uint64_t n_unacked;   /* bytes of ours that the other side's kernel has not confirmed */
        uint64_t last_ack_ns; /* how long ago it confirmed anything */
};
/* Zeros where it is no TCP connection. */
struct tcp_look tcp_look(int fd);

void tcp_close(int fd);

#endif
