// SPDX-License-Identifier: Apache-2.0
/* What Xen Orchestra writes beside its backups: whatever it is, paths stay in their folder, each disk is
 * there once, or it is an error that says why.
 */
#include "fuzz.h"

#include <string.h>

#include "xo_meta.h"

static void check_path(const char *path) {
        MUST_HOLD(path[0] && path[0] != '/' && strlen(path) <= XO_PATH_MAX);
        for (const char *part = path; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
                MUST_HOLD(strcspn(part, "/") > 0 && strncmp(part, "../", 3) != 0 && strcmp(part, "..") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AUTO(xo_meta_fini) struct xo_meta meta = {0};
        AUTO(xo_merge_fini) struct xo_merge merge = {0};
        struct err_note note = {0};

        if (xo_meta_decode((struct span){data, size}, &meta, &note))
                MUST_HOLD(note.text[0] && !meta.vm && meta.disks.n == 0);
        else
                MUST_HOLD(meta.vm && meta.vm_name && meta.time >= 0);
        if (meta.xva)
                check_path(meta.xva);
        for (size_t i = 0; i < meta.disks.n; i++) {
                check_path(meta.disks.data[i].vhd);
                MUST_HOLD(meta.disks.data[i].vdi[0]);
                MUST_HOLD(i == 0 || strcmp(meta.disks.data[i - 1].vdi, meta.disks.data[i].vdi) < 0);
        }
        if (!xo_merge_decode((struct span){data, size}, &merge, &note))
                MUST_HOLD(merge.chain.n >= 2);
        VEC_EACH (&merge.chain, each)
                check_path(*each);
        return 0;
}
