// SPDX-License-Identifier: Apache-2.0
/* A remote of Xen Orchestra for tests, in a folder FIXTURE_XO: one VM with one disk, kept as directories.
 *
 * Errors: none, they fail the test.  Threads: one.
 */
#ifndef TEST_SIM_FIXTURE_XO_H
#define TEST_SIM_FIXTURE_XO_H

#include "io.h"
#include "uuid.h"

#define FIXTURE_XO        "/xo"
#define FIXTURE_XO_VM     "5f2e3f5e-9bd9-4c5a-8d3c-0d1f6b8f2a01"
#define FIXTURE_XO_VDI    "11111111-2222-4333-8444-555555555555"
#define FIXTURE_XO_VMS    "xo-vm-backups/" FIXTURE_XO_VM
#define FIXTURE_XO_DISKS  "vdis/job/" FIXTURE_XO_VDI
#define FIXTURE_XO_FOLDER FIXTURE_XO_VMS "/" FIXTURE_XO_DISKS

enum { FIXTURE_XO_BLOCKS = 3 }; /* of the disk, of 2 MiB each */

/* A file below FIXTURE_XO, with the folders that lead there. */
void fixture_xo_write(struct io *, const char *path, const void *, size_t n);
void fixture_xo_remove(struct io *, const char *path);
struct uuid fixture_xo_uuid(unsigned day);
/* The directory of a day, and its alias.  blocks: "a.c": three of them, the second not held, the others full
 * of that letter.  parent: of which day; 0: none. */
void fixture_xo_disk(struct io *, unsigned day, const char *blocks, unsigned parent);
char *fixture_xo_alias(unsigned day); /* its name; the caller's to free */
char *fixture_xo_point(unsigned day); /* "20260101T020000Z"; likewise */
void fixture_xo_meta(struct io *, unsigned day);

#endif
