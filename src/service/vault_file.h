// SPDX-License-Identifier: Apache-2.0
/* A file or device as the source of a put, and a file as what a point's disk is restored to.
 *
 * Errors: those of io.h, chain.h, new_file.h, with the path in front.
 * Threads: as put.h and get.h have them for sources and sinks; open and close: one.
 */
#ifndef SERVICE_VAULT_FILE_H
#define SERVICE_VAULT_FILE_H

#include "chain.h"
#include "get.h"
#include "new_file.h"
#include "put.h"

/* ---- from ---- */

struct vault_source {
        struct images images;
        bool has_images;
        struct chain *chain;  /* owned; of a VHD; NULL: raw */
        struct io_file *file; /* owned; raw */
        struct put_source source;
};
/* What kind a file is, its name says: *.vhd is a VHD, whose parents are followed. */
MUST_USE enum err vault_source_open(struct io *, const char *path, struct vault_source *ret,
                                    struct err_note *);
void vault_source_fini(struct vault_source *);
DEFINE_AUTO_IN_PLACE(struct vault_source, vault_source_fini);

/* ---- to ---- */

/* A regular file is there whole or not at all; a block device is written in place. */
struct vault_sink {
        struct new_file made;
        bool is_device;
        struct images images;
        bool has_images;
        struct chain *chain;  /* owned; a VHD; NULL: raw */
        struct io_file *file; /* owned; raw */
        uint64_t size;
};
MUST_USE enum err vault_sink_open(struct io *, const char *path, enum image_kind, uint64_t size,
                                  struct vault_sink *ret, struct err_note *);
/* A get_sink's write, with the vault_sink as user. */
enum err vault_sink_write(void *sink, const void *data, size_t n, uint64_t at, struct err_note *);
/* What nothing was written to reads as zeros, on a device too. */
MUST_USE enum err vault_sink_zero(void *sink, uint64_t n, uint64_t at, struct err_note *);
/* Synced, and under its name. */
MUST_USE enum err vault_sink_commit(struct vault_sink *, struct err_note *);
void vault_sink_fini(struct vault_sink *);
DEFINE_AUTO_IN_PLACE(struct vault_sink, vault_sink_fini);

#endif
