// SPDX-License-Identifier: Apache-2.0
/* A daemon's state directory: made at the first start, for its user alone, and of one daemon at a time.
 *
 *      admin-password  catenad.lock  control.sock  srs.json  state.db  tls/
 *
 * Errors: ERR_BUSY names the daemon that has it; ERR_DENIED where others may look into it or it is another's.
 * Threads: the main one.
 */
#ifndef APP_DAEMON_DIR_H
#define APP_DAEMON_DIR_H

#include "io.h"

/* *ret_path: canonical, the caller's to free.  *ret_lock: it is ours as long as that is open. */
MUST_USE enum err daemon_dir_take(struct io *, const char *path, char **ret_path, struct io_file **ret_lock,
                                  struct err_note *);

#endif
