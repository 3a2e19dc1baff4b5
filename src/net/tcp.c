// SPDX-License-Identifier: Apache-2.0
#include "tcp.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fd.h"
#include "text.h"

enum { BACKLOG = 128, HOST_SIZE = 256 };

const struct tcp_options tcp_defaults = {.no_delay = true, .idle_s = 60, .every_s = 15, .n = 8};

DEFINE_AUTO(struct addrinfo *, freeaddrinfo);

/* ---- addresses ------------------------------------------------------------------------------- */

struct place {
        char host[HOST_SIZE]; /* empty: none was given */
        const char *port;     /* borrowed from the address */
};

static enum err no_address(const char *address, struct err_note *note) {
        return err_set(note, ERR_INVALID,
                       "'%s' is no address: write HOST:PORT, as 127.0.0.1:10809 or [::1]:10809, or :PORT",
                       address);
}

static enum err split(const char *address, struct place *ret, struct err_note *note) {
        const char *colon = strrchr(address, ':'), *host = address, *end = colon;
        uint64_t port;

        if (!colon || !text_parse_u64(colon + 1, &port) || port > UINT16_MAX)
                return no_address(address, note);
        if (*host == '[') {
                if (end - host < 2 || end[-1] != ']')
                        return no_address(address, note);
                host++, end--;
        } else if (memchr(host, ':', (size_t)(end - host))) {
                return no_address(address, note); /* v6 without brackets: where would its port begin? */
        }
        if (end - host >= HOST_SIZE)
                return no_address(address, note);
        memcpy(ret->host, host, (size_t)(end - host));
        ret->host[end - host] = 0;
        ret->port = colon + 1;
        return ERR_NONE;
}

static enum err look_up(const char *address, bool listens, struct addrinfo **ret, struct err_note *note) {
        struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                 .ai_socktype = SOCK_STREAM,
                                 .ai_flags = AI_NUMERICSERV | (listens ? AI_PASSIVE : 0)};
        struct place place;
        int failed;

        if (split(address, &place, note))
                return note->code;
        if (!*place.host && !listens)
                return err_set(note, ERR_INVALID, "'%s' has no host", address);
        failed = getaddrinfo(*place.host ? place.host : NULL, place.port, &hints, ret);
        if (failed)
                return err_set(note, ERR_NOT_FOUND, "look up %s: %s", address,
                               failed == EAI_SYSTEM ? strerror(errno) : gai_strerror(failed));
        return ERR_NONE;
}

static struct tcp_address text_of(const struct sockaddr *at, socklen_t n) {
        struct tcp_address address = {0};
        char host[NI_MAXHOST], port[NI_MAXSERV];

        if (getnameinfo(at, n, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV))
                snprintf(address.s, sizeof address.s, "?");
        else
                snprintf(address.s, sizeof address.s,
                         at->sa_family == AF_INET6 ? "[%.50s]:%.6s" : "%.50s:%.6s", host, port);
        return address;
}

enum err tcp_address_of(int fd, struct tcp_address *ret, struct err_note *note) {
        struct sockaddr_storage at;
        socklen_t n = sizeof at;

        if (getsockname(fd, (struct sockaddr *)&at, &n) < 0)
                return err_set(note, ERR_IO, "ask for the address of a socket: %s", strerror(errno));
        *ret = text_of((struct sockaddr *)&at, n);
        return ERR_NONE;
}

/* ---- options --------------------------------------------------------------------------------- */

static bool set(int fd, int level, int option, int value) {
        return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

unsigned tcp_unsent_share(const struct tcp_unsent *unsent, unsigned n) {
        unsigned share = n > 0 ? unsent->together / n : unsent->most;

        share = share < unsent->most ? share : unsent->most;
        return share > unsent->least ? share : unsent->least;
}

enum err tcp_tune(int fd, const struct tcp_options *options, struct err_note *note) {
        bool ok = set(fd, IPPROTO_TCP, TCP_NODELAY, options->no_delay) &&
                  set(fd, SOL_SOCKET, SO_KEEPALIVE, options->idle_s > 0);

        if (ok && options->idle_s > 0)
                ok = set(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)options->idle_s) &&
                     set(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)options->every_s) &&
                     set(fd, IPPROTO_TCP, TCP_KEEPCNT, (int)options->n);
        if (ok && options->unsent_max > 0)
                ok = set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, (int)options->unsent_max);
        return ok ? ERR_NONE : err_set(note, ERR_IO, "set the options of a connection: %s", strerror(errno));
}

struct tcp_look tcp_look(int fd) {
        struct tcp_info info = {0};
        socklen_t n = sizeof info;
        int unacked = 0;

        if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0 || ioctl(fd, SIOCOUTQ, &unacked) < 0)
                return (struct tcp_look){0};
        return (struct tcp_look){.n_unacked = (uint64_t)unacked,
                                 .last_ack_ns = info.tcpi_last_ack_recv * (uint64_t)1000000};
}

/* ---- listening ------------------------------------------------------------------------------- */

static enum err fail_listen(const char *address, struct err_note *note) {
        switch (errno) {
        case EADDRINUSE:
                return err_set(note, ERR_BUSY,
                               "listen on %s: another program has the port; end it, or choose another (0: "
                               "any that is free)",
                               address);
        case EACCES:
                return err_set(note, ERR_DENIED,
                               "listen on %s: ports below 1024 are root's; choose a higher one", address);
        case EADDRNOTAVAIL:
                return err_set(note, ERR_NOT_FOUND, "listen on %s: this host has no such address", address);
        default:
                return err_set(note, ERR_IO, "listen on %s: %s", address, strerror(errno));
        }
}

static int make_socket(const struct addrinfo *at) {
        return socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* REUSEADDR: what a server before us left in TIME_WAIT does not keep the port; who listens does. */
static bool listen_at(const struct addrinfo *at, bool is_any, struct fd *ret) {
        fd_fini(ret);
        ret->fd = make_socket(at);
        return ret->fd >= 0 && set(ret->fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
               (at->ai_family != AF_INET6 || set(ret->fd, IPPROTO_IPV6, IPV6_V6ONLY, !is_any)) &&
               bind(ret->fd, at->ai_addr, at->ai_addrlen) == 0 && listen(ret->fd, BACKLOG) == 0;
}

static bool listen_at_one(const struct addrinfo *found, int family, bool is_any, struct fd *ret) {
        for (const struct addrinfo *at = found; at; at = at->ai_next)
                if ((family == AF_UNSPEC || at->ai_family == family) && listen_at(at, is_any, ret))
                        return true;
        return false;
}

/* Without a host v6 comes first, which takes both families; v4 is all there is where there is no v6, but not
 * where v6's port is taken: half a server is none. */
enum err tcp_listen(const char *address, int *ret_fd, struct err_note *note) {
        AUTO(freeaddrinfo) struct addrinfo *found = NULL;
        AUTO(fd_fini) struct fd fd = {-1};
        bool is_any = *address == ':', listens;

        if (look_up(address, true, &found, note))
                return note->code;
        errno = 0;
        listens = listen_at_one(found, is_any ? AF_INET6 : AF_UNSPEC, is_any, &fd);
        if (!listens && is_any && errno != EADDRINUSE && errno != EACCES)
                listens = listen_at_one(found, AF_INET, true, &fd);
        if (!listens)
                return fail_listen(address, note);
        *ret_fd = fd_take(&fd);
        return ERR_NONE;
}

enum err tcp_accept(int listener, int *ret_fd, struct tcp_address *ret_peer, struct err_note *note) {
        AUTO(fd_fini) struct fd fd = {-1};
        struct sockaddr_storage at;
        socklen_t n;

        do {
                n = sizeof at;
                fd.fd = accept4(listener, (struct sockaddr *)&at, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
        } while (fd.fd < 0 && (errno == EINTR || errno == ECONNABORTED));
        if (fd.fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                *ret_fd = -1;
                return ERR_NONE;
        }
        if (fd.fd < 0)
                return err_set(note, ERR_IO, "accept a connection: %s", strerror(errno));
        if (tcp_tune(fd.fd, &tcp_defaults, note))
                return note->code;
        *ret_peer = text_of((struct sockaddr *)&at, n);
        *ret_fd = fd_take(&fd);
        return ERR_NONE;
}

/* ---- connecting ------------------------------------------------------------------------------ */

enum err tcp_connect(const char *address, int *ret_fd, struct err_note *note) {
        AUTO(freeaddrinfo) struct addrinfo *found = NULL;
        AUTO(fd_fini) struct fd fd = {-1};
        int why = 0;

        if (look_up(address, false, &found, note))
                return note->code;
        for (const struct addrinfo *at = found; at; at = at->ai_next) {
                fd_fini(&fd);
                fd.fd = make_socket(at);
                if (fd.fd >= 0 &&
                    (connect(fd.fd, at->ai_addr, at->ai_addrlen) == 0 || errno == EINPROGRESS)) {
                        if (tcp_tune(fd.fd, &tcp_defaults, note))
                                return note->code;
                        *ret_fd = fd_take(&fd);
                        return ERR_NONE;
                }
                why = errno;
        }
        return err_set(note,
                       why == ECONNREFUSED                         ? ERR_CLOSED
                       : why == ENETUNREACH || why == EHOSTUNREACH ? ERR_NOT_FOUND
                       : why == EACCES || why == EPERM             ? ERR_DENIED
                                                                   : ERR_IO,
                       "connect to %s: %s", address, strerror(why));
}

void tcp_close(int fd) {
        close(fd);
}
