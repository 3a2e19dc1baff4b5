// SPDX-License-Identifier: Apache-2.0
/* Which SRs this user knows: name, uuid and folder, kept in "srs.json" of the state directory.
 *
 * An SR is named by its folder, its uuid or its name.  A path always works, whether the registry knows it or
 * not, and needs no state directory.  Text that could be both is a path where such a folder is an SR, else a
 * name.
 *
 *      {"srs": [{"uuid": …, "name": …, "path": …, "read_only": false}]}
 *
 * Members that this version does not know are kept.  Changes take a lock beside the file and replace it at
 * once: a crash leaves the old one or the new one.
 *
 * Errors: ERR_NOT_FOUND; ERR_INVALID where a name fits several (with their uuids) or there is no state
 * directory; ERR_CORRUPT where the file is no such JSON; ERR_BUSY where another keeps the lock for seconds.
 * Threads: any.
 */
#ifndef SERVICE_REGISTRY_H
#define SERVICE_REGISTRY_H

#include <stdbool.h>

#include "io.h"
#include "uuid.h"
#include "vec.h"

/* The folders of a path that are missing. */
MUST_USE enum err registry_make_folders(struct io *, const char *path, struct err_note *);

struct registry_entry {
        struct uuid uuid;
        char *name;     /* owned */
        char *path;     /* owned; canonical */
        bool read_only; /* never opened for writing */
        bool is_there;  /* the folder is */
};

struct registry {
        VEC(struct registry_entry) list; /* owned, and what each holds; by name */
};
void registry_fini(struct registry *);
DEFINE_AUTO_IN_PLACE(struct registry, registry_fini);

/* state_dir: NULL where there is none; missing is empty. */
MUST_USE enum err registry_read(struct io *, const char *state_dir, struct registry *ret, struct err_note *);

/* Where the SR lies that text names.  *ret_path is the caller's to free. */
MUST_USE enum err registry_resolve(struct io *, const char *state_dir, const char *text, char **ret_path,
                                   bool *ret_read_only, struct err_note *);

/* Adds it, or changes the entry of the same folder.  The folder is made canonical. */
MUST_USE enum err registry_put(struct io *, const char *state_dir, const struct uuid *, const char *name,
                               const char *path, bool read_only, struct err_note *);
/* By folder; it need not be there any more, nor known. */
MUST_USE enum err registry_drop(struct io *, const char *state_dir, const char *path, struct err_note *);

#endif
