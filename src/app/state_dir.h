// SPDX-License-Identifier: Apache-2.0
/* Where this user's state lies: names of SRs, and a daemon's own.
 *
 * Errors: none.  Threads: the main one; it reads the environment.
 */
#ifndef APP_STATE_DIR_H
#define APP_STATE_DIR_H

#define CONTROL_SOCKET "control.sock" /* in it; of a daemon */

/* $XDG_STATE_HOME/catena, or what stands for it; the caller's to free; NULL: there is none. */
char *state_dir_usual(void);

#endif
