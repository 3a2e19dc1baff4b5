// SPDX-License-Identifier: Apache-2.0
/* VMs out to and in from files and pipes, as XVA: what `vm export` and `vm import` do, without their words.
 *
 * A file that is made is there whole or not at all, and durable; so is a VM that comes in (xva_inlet.h).
 *
 * Errors: those of xva_outlet.h, xva_inlet.h, new_file.h and streams; ERR_CANCELLED.
 * Threads: any; turns of SRs are taken and given back within.
 */
#ifndef SERVICE_VM_ARCHIVE_H
#define SERVICE_VM_ARCHIVE_H

#include "host.h"
#include "pack.h"
#include "progress.h"

struct vm_export {
        struct host *host; /* borrowed */
        struct uuid vm;
        enum pack_kind kind;
        const char *path;       /* borrowed; a file that is made or replaced; NULL: to output */
        struct io_file *output; /* borrowed; a stream */
        bool ignore_space;
        struct progress *progress; /* borrowed */
};
/* *ret_length: of the archive before it is compressed; *ret_written: as it was written. */
MUST_USE enum err vm_export_run(const struct vm_export *, uint64_t *ret_length, uint64_t *ret_written,
                                struct err_note *);

struct vm_import {
        struct host *host;         /* borrowed */
        const struct host_sr *sr;  /* borrowed; where its disks go */
        const char *path;          /* borrowed; NULL: from input */
        struct io_file *input;     /* borrowed; a stream, which is read to its end */
        bool restores, is_forced;  /* as xva_inlet.h has them */
        struct progress *progress; /* borrowed */
};
/* *ret_taken: bytes of the archive as they came. */
MUST_USE enum err vm_import_run(const struct vm_import *, struct uuid *ret_vm, uint64_t *ret_taken,
                                struct err_note *);

#endif
