// SPDX-License-Identifier: Apache-2.0
/* The files that a coalesce without an SR is about to change: found, locked alone, and looked at.  Nothing is
 * changed here.
 *
 * Errors: as file_coalesce.h says, each with the file's name.  Threads: the owner of the coalesce.
 * Ownership: the images belong to the run; it stays where it is, since they point into it.
 */
#ifndef DISK_FILE_RUN_H
#define DISK_FILE_RUN_H

#include "image.h"
#include "mover.h"
#include "vhd_intent.h"

struct file_run_options {
        const char *target;    /* borrowed; NULL: the parent */
        const char *intent;    /* borrowed; path of our own, which is in nobody's way */
        uint64_t growth_bytes; /* as images_options has it */
        bool ignores_unreadable;
};

struct file_run {
        struct images images;
        VEC(struct image *) nodes; /* owned array; counted; from the target up; none while it is closed */
        uint64_t n_held;           /* blocks that the nodes above the target hold */
        struct mover_price price;
        struct io_openers openers; /* is_found never */
};

/* ret: zeroed, or closed.  Each file is under an exclusive lock then. */
MUST_USE enum err file_run_open(struct io *, const char *child, const struct file_run_options *,
                                struct file_run *ret, struct err_note *);
/* ERR_NO_SPACE where what is moved gives no space back meanwhile, and there is too little for all of it. */
MUST_USE enum err file_run_check_space(const struct file_run *, struct err_note *);
void file_run_close(struct file_run *); /* twice is once */

/* What is to be kept while it is coalesced. */
MUST_USE enum err file_run_describe(const struct file_run *, int64_t begun, struct vhd_intent *ret,
                                    struct err_note *);
/* The same files, in the same order. */
bool file_run_is_of(const struct file_run *, const struct vhd_intent *);

#endif
