// SPDX-License-Identifier: Apache-2.0
/* How a daemon is configured: a file of sections, keys and values, and what may stand in it.
 *
 *      [daemon]     state-dir, log, address
 *      [http]       listen (repeated), tls, certificate, key, connections, allow-plain
 *      [nbd]        listen (repeated), unix, tls, connections, allow-plain
 *      [sr NAME]    dir, create
 *
 *      config_take(&config, "catena.conf", text, n)     once for each file, in order: later ones win
 *      config_settle(&config)                           what is only seen of the whole
 *      config.errors.n == 0 …                           only then is it used
 *
 * A value of a later file takes the place of an earlier one's; within one file a key stands once, but for
 * those that are repeated.  Paths are relative to the folder of their file.  Defaults let only this host
 * in.
 *
 * Everything that is wrong is told, not only the first: "FILE:LINE: …", with the key that was probably meant.
 * Bounded: CONFIG_FILE_MAX bytes, CONFIG_ERRORS_MAX errors, lines as long as inih's.
 *
 * Errors: of reading, those of io, and ERR_INVALID with the first that is wrong.  Threads: any.
 */
#ifndef SERVICE_CONFIG_H
#define SERVICE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "io.h"
#include "vec.h"

enum { CONFIG_FILE_MAX = 1 << 20, CONFIG_ERRORS_MAX = 100, CONFIG_CONNECTIONS_MAX = 16384 };
#define CONFIG_USUAL "/etc/catena/catena.conf"

enum config_log { CONFIG_LOG_ERROR, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };
enum config_tls { CONFIG_TLS_OFF, CONFIG_TLS_ON, CONFIG_TLS_REQUIRED }; /* HTTP's is off or required */

struct config_value {
        char *text;  /* owned */
        char *where; /* owned; "FILE:LINE" */
        size_t file; /* which of those that were taken */
};
struct config_values {
        VEC(struct config_value) list; /* owned, and what each holds */
};

struct config_listen {
        struct config_values each;
        bool is_off; /* "none" was said */
        enum config_tls tls;
        bool allows_plain;
        uint64_t n_connections; /* 0: not said */
};

struct config_sr {
        char *name;  /* owned */
        char *where; /* owned; "FILE:LINE" of the section */
        char *dir;   /* owned; NULL: not said */
        bool may_create;
};

struct config {
        char *state_dir; /* owned; NULL: the usual one */
        char *address;   /* owned; NULL: whatever is listened on */
        enum config_log log;
        struct config_listen http, nbd;
        char *certificate, *key; /* owned; of HTTP and NBD; NULL: one of our own making */
        char *nbd_unix;          /* owned; NULL: none */
        VEC(struct config_sr) srs;
        VEC(char *) errors; /* owned, and each */
        VEC(char *) files;  /* owned, and each; those that were taken */
};

void config_init(struct config *); /* the defaults */
void config_fini(struct config *);
DEFINE_AUTO_IN_PLACE(struct config, config_fini);

void config_take(struct config *, const char *file, const char *text, size_t n);
void config_settle(struct config *);

/* What of a change takes effect only at the next start: names of sections, "[http], [sr main]"; the
 * caller's to free; NULL: nothing. */
char *config_needs_restart(const struct config *old, const struct config *now);

/* The file, then those that end in .conf in "conf.d" beside it and in "FILE.d", each folder in the order
 * of names; then settled.  ret is filled as far as it was understood, with all errors. */
MUST_USE enum err config_read(struct io *, const char *path, struct config *ret, struct err_note *);

#endif
