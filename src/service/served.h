// SPDX-License-Identifier: Apache-2.0
/* Where the VDIs of an SR are served by NBD, as whoever listens hands it down (keeper.h), and what a user is
 * told to reach one of them there: URIs, a command line of qemu, a disk of libvirt.
 *
 * Whatever a name or path holds is escaped: a URI goes through a shell and through qemu's options as it is.
 *
 * Errors: none.  Threads: any.
 */
#ifndef SERVICE_SERVED_H
#define SERVICE_SERVED_H

#include <stdbool.h>

#include <jansson.h>

#include "buf.h"
#include "uuid.h"

enum served_tls { SERVED_PLAIN, SERVED_X509, SERVED_PSK };

struct served {
        const char *unix_path;  /* borrowed; absolute; NULL: on no unix socket */
        const char *const *tcp; /* borrowed, and each; host and port in numbers, the nearest first */
        size_t n_tcp;           /* 0: not over TCP */
        const char *host; /* borrowed; what others call this host, for an address that is all of its own */
        enum served_tls tls;
        bool requires_tls;
        bool knows_names;  /* a name that is one VDI's in the SR leads to it, and not only its uuid */
        bool is_read_only; /* all of it */
        const struct uuid *read_only; /* borrowed; only these, and what is so by itself */
        size_t n_read_only;
};

struct served_disk {
        struct uuid uuid;
        const char *name; /* borrowed; NULL: only its uuid leads to it */
        bool is_read_only;
};

bool served_forbids_writing(const struct served *, const struct uuid *vdi);

/* tcp: one of those; NULL: the unix socket.  export: percent-encoded by the caller, where it needs to be. */
void served_put_uri(struct buf *, const struct served *, const char *tcp, bool has_tls, const char *export);

json_t *served_uris(const struct served *, const struct served_disk *); /* an array of text */
/* The caller's to free; of several ways the one that is nearest. */
char *served_qemu(const struct served *, const struct served_disk *);
char *served_libvirt(const struct served *, const struct served_disk *);

#endif
