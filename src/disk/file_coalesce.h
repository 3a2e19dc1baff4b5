// SPDX-License-Identifier: Apache-2.0
/* A coalesce of files that lie by themselves, with no SR: what a VHD holds moves down into its parent, or in
 * one pass with all nodes between into an ancestor, the target.
 *
 * The child stays, and so do the nodes between: empty, as short as new ones, each over its parent as before.
 * The child reads the same bytes at every instant and after any crash [C1].  The target and the nodes between
 * do not: they read as the child does once it is done, and as a mixture of old and new before.  So nobody
 * else may depend on them: it is refused where another VHD in the folders of the run names one of them as its
 * parent, where somebody has one of the run's files open, locked or not, where one has a second name, and in
 * the folder of an SR.  A child in yet another folder is not found.
 *
 * No node may be larger than the child.  A target or middle node that is smaller is grown first, which is
 * refused where something below it is larger than itself, and would show.  Nothing else of any header or
 * footer changes: uuids, hidden marks, the parent's time in the child's header, which nobody compares.
 *
 * The intent, ".<name of the child>.coalesce" beside the child (format/vhd_intent.h), is durable before the
 * first byte changes, and goes after the last.  It says nothing of how far it has come: the BATs do, and a
 * file's growth has its own plan (vhd_resize_file.h).  It is there
 *   - so that the same call goes on after an interrupt or a crash, also from a growth that left a file
 *     without a footer: its paths say whose plans are to be finished before anything is opened
 *   - so that another one is refused meanwhile: with another target this one would stay a mixture for ever,
 *     and nobody would know
 *   - so that whoever looks at a file of the run is told that it is one (file_intent.h)
 *
 *   LOOKED ──intent──> CLAIMED ──grow each──> MOVING ──push──> EMPTY ──intent gone──> DONE
 *      └── nothing to move ──────────────────────────────────────────────────────────> DONE
 *   From each an error, an end or a crash: begin it again.
 *
 * Happy path: begin; step until it is done; free.
 * Possible failures: ERR_BUSY (who, or which file), ERR_UNSUPPORTED and ERR_INVALID for a run that cannot be
 * coalesced at all, ERR_NO_SPACE before the start where holes cannot be punched, ERR_READ_ONLY; those of the
 * files.  An error of a step ends it; what was moved stays moved [C6].
 *
 * Threads: its owner.  Each step is short, a batch of 32 MiB at most; the caller decides when to take the
 * next, so a test can put anything in between.
 */
#ifndef DISK_FILE_COALESCE_H
#define DISK_FILE_COALESCE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "io.h"

enum file_coalesce_state {
        FILE_COALESCE_LOOKED,  /* all is locked and was found fit; nothing has changed */
        FILE_COALESCE_CLAIMED, /* the intent is durable; smaller files are grown, one a step */
        FILE_COALESCE_MOVING,
        FILE_COALESCE_EMPTY, /* only the target holds anything */
        FILE_COALESCE_DONE,
        FILE_COALESCE_ENDED, /* by an error */
        FILE_COALESCE_STATES
};

struct file_coalesce_options {
        const char *target;      /* borrowed for the call; an ancestor; NULL: the parent */
        uint64_t batch_bytes;    /* 0: 32 MiB */
        uint64_t growth_bytes;   /* of VHD files, as images_options has it */
        bool ignores_unreadable; /* files that cannot be read are nobody's children */
};

struct file_coalesce;

MUST_USE enum err file_coalesce_begin(struct io *, const char *child, const struct file_coalesce_options *,
                                      struct file_coalesce **ret, struct err_note *);
MUST_USE enum err file_coalesce_step(struct file_coalesce *, bool *ret_is_done, struct err_note *);
/* In any state.  Where no step failed, what was moved is tidied first. */
void file_coalesce_free(struct file_coalesce *);
DEFINE_AUTO(struct file_coalesce *, file_coalesce_free);

/* Whether now is a good moment to stop: between two batches, so that no emptied block keeps its space until
 * it is begun again.  Others are safe too. */
bool file_coalesce_may_stop(const struct file_coalesce *);

enum file_coalesce_state file_coalesce_state_of(const struct file_coalesce *);

struct file_coalesce_run {
        const char *child, *target; /* borrowed; absolute */
        size_t n;                   /* files, both counted */
        bool is_resumed;            /* an earlier one had begun */
        unsigned n_grown;
        uint64_t bytes_total, bytes_done; /* payload */
        unsigned n_unseen;                /* processes of which it is not known what they have open */
        bool is_blind;                    /* that is all of them */
};
void file_coalesce_look(const struct file_coalesce *, struct file_coalesce_run *ret);

#endif
