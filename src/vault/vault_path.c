// SPDX-License-Identifier: Apache-2.0
#include "vault_path.h"

#include <stdio.h>
#include <string.h>

static const char *folder_of(enum vault_object_kind kind) {
        switch (kind) {
        case VAULT_CONFIG:
                return "config";
        case VAULT_KEY_SLOT:
                return "keys/";
        case VAULT_INDEX:
                return "indexes/";
        case VAULT_MANIFEST:
        case VAULT_SEAL:
                return "points/";
        case VAULT_SESSION:
        case VAULT_SESSION_DONE:
        case VAULT_SESSION_BROKEN:
                return "sessions/";
        case VAULT_DOOM:
                return "doomed/";
        case VAULT_DROP:
                return "drops/";
        case VAULT_ADMIN_STATE:
                return "admin/";
        case VAULT_TAINT:
                return "taints/";
        }
        return "";
}

static const char *suffix_of(enum vault_object_kind kind) {
        return kind == VAULT_SEAL             ? ".ok"
               : kind == VAULT_SESSION_DONE   ? ".done"
               : kind == VAULT_SESSION_BROKEN ? ".broken"
                                              : "";
}

struct vault_path vault_path_of(enum vault_object_kind kind, const struct vault_name *name) {
        struct vault_path ret;

        (void)snprintf(ret.s, sizeof ret.s, "%s%s%s", folder_of(kind),
                       kind == VAULT_CONFIG ? "" : vault_name_format(name).s, suffix_of(kind));
        return ret;
}

struct vault_path vault_pack_path(const struct vault_name *name) {
        struct vault_name_text text = vault_name_format(name);
        struct vault_path ret;

        (void)snprintf(ret.s, sizeof ret.s, "packs/%.2s/%s", text.s, text.s);
        return ret;
}

bool vault_path_parse(const char *path, struct vault_name *ret) {
        const char *slash = strrchr(path, '/');

        return vault_name_parse(slash ? slash + 1 : path, ret);
}
