// SPDX-License-Identifier: Apache-2.0
#include "sr_check.h"

#include <stdarg.h>
#include <stdio.h>

#include "coalesce.h"

void sr_findings_fini(struct sr_findings *findings) {
        VEC_EACH (&findings->list, each) {
                free(each->name);
        }
        vec_fini(&findings->list);
        *findings = (struct sr_findings){0};
}

static struct finding *add(struct sr_findings *ret, const struct uuid *uuid, const char *name,
                           enum finding_severity severity) {
        struct sr_finding *found = vec_add(&ret->list);

        found->uuid = *uuid;
        found->name = mem_text(name);
        found->finding.severity = severity;
        if (severity == FINDING_ERROR)
                ret->n_errors++;
        else
                ret->n_warnings++;
        return &found->finding;
}

static void say(struct sr_findings *ret, const struct uuid *uuid, const char *name,
                enum finding_severity severity, const char *part, const char *fmt, ...) PRINTF_LIKE(6, 7);
static void say(struct sr_findings *ret, const struct uuid *uuid, const char *name,
                enum finding_severity severity, const char *part, const char *fmt, ...) {
        struct finding *finding = add(ret, uuid, name, severity);
        va_list args;

        finding->part = part;
        va_start(args, fmt);
        (void)vsnprintf(finding->text, sizeof finding->text, fmt, args);
        va_end(args);
}

/* What only the tree knows: the file itself is looked at by vhd_check. */
static void check_node(const struct node *node, struct sr_findings *ret) {
        if (node->error.code && node->is_own_error)
                say(ret, &node->uuid, node->name, FINDING_ERROR, "parent", "%s", node->error.text);
        if (node->is_alias)
                say(ret, &node->uuid, node->name, FINDING_ERROR, "file",
                    "has another name in this SR: writing to one changes both");
        if (node->is_hidden && node->n_claims == 0)
                say(ret, &node->uuid, node->name, FINDING_WARNING, "file", "is garbage: nothing needs it");
        if (node->kind == IMAGE_VHD && !node->is_hidden && node->n_children > 0)
                say(ret, &node->uuid, node->name, FINDING_WARNING, "footer",
                    "has children and is not hidden: it is shown as a disk that cannot be written");
}

static enum err check_file(struct sr *sr, const struct node *node, unsigned flags, struct sr_findings *ret,
                           struct err_note *note) {
        AUTO(findings_fini) struct findings findings = {0};
        struct place_name name = node_place_name(node);
        AUTO_FREE char *path = place_path(sr->place, &name);
        enum err err;

        ret->n_files++;
        if (claim_of(sr, &node->uuid)) {
                say(ret, &node->uuid, node->name, FINDING_WARNING, "file",
                    "not looked at: a coalesce is changing it");
                return ERR_NONE;
        }
        if (node->kind == IMAGE_RAW)
                return ERR_NONE;
        err = vhd_check(sr->io, path, flags, &findings, note);
        if (err == ERR_NO_MEMORY || err == ERR_CANCELLED)
                return err;
        if (err) /* one file that cannot be looked at must not keep the others from it */
                say(ret, &node->uuid, node->name, FINDING_ERROR, "file", "%.180s", note->text);
        VEC_EACH (&findings.list, each) {
                *add(ret, &node->uuid, node->name, each->severity) = *each;
        }
        return ERR_NONE;
}

static void check_folder(struct sr *sr, struct sr_findings *ret) {
        const struct uuid none = {0};

        VEC_EACH (&sr->tree.listing.marked, each) {
                say(ret, &each->uuid, each->name, FINDING_WARNING, "file", "is left from a change by sm");
        }
        if (sr->tree.listing.temporary.n > sr->imports.n && !sr->is_read_only)
                say(ret, &none, ".", FINDING_WARNING, "file", "%zu half-made files are left",
                    sr->tree.listing.temporary.n - sr->imports.n);
}

static void check_catalog(struct sr *sr, struct sr_findings *ret) {
        const struct uuid none = {0};
        struct err_note why;

        if (!sr->catalog)
                return;
        if (store_check(catalog_store(sr->catalog), &why))
                say(ret, &none, "catalog", FINDING_ERROR, "catalog", "%.180s", why.text);
        VEC_EACH (&sr->unfinished.list, each) {
                if (coalesce_is_running(sr, each))
                        continue;
                say(ret, &each->vdi, "catalog", FINDING_WARNING, "catalog",
                    "a change of this VDI was cut short and could not be finished yet");
        }
}

enum err sr_check(struct sr *sr, unsigned flags, sr_check_progress progress, void *user,
                  struct sr_findings *ret, struct err_note *note) {
        AUTO(sr_findings_fini) struct sr_findings findings = {0};
        uint64_t done = 0;

        VEC_EACH (&sr->tree.nodes, each) {
                if (progress && !progress(user, done++, sr->tree.nodes.n))
                        return err_set(note, ERR_CANCELLED, "check SR %s: cancelled", sr->place->where);
                if (check_file(sr, *each, flags & VHD_CHECK_BITMAPS, &findings, note))
                        return err_wrap(note, "check SR %s", sr->place->where);
                check_node(*each, &findings);
        }
        check_folder(sr, &findings);
        check_catalog(sr, &findings);
        *ret = findings;
        findings = (struct sr_findings){0};
        return ERR_NONE;
}
