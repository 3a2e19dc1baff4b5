// SPDX-License-Identifier: Apache-2.0
#include "smgc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

/* As syslog writes it: "Nov 21 07:12:01", UTC. */
static struct text date_of(int64_t unix_seconds) {
        static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        struct text iso = text_time(unix_seconds), date = {""};
        unsigned month = 0, day = 0;
        char time[9] = "";

        if (sscanf(iso.s, "%*d-%u-%uT%8s", &month, &day, time) == 3 && month >= 1 && month <= 12)
                (void)snprintf(date.s, sizeof date.s, "%s %2u %s", months[month - 1], day, time);
        return date;
}

static void say(const struct smgc *smgc, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(const struct smgc *smgc, const char *fmt, ...) {
        AUTO(buf_fini) struct buf line = {0};
        AUTO_FREE char *text = NULL;
        struct text date = date_of(io_wall_ns(smgc->progress->io) / 1000000000);
        va_list args;

        va_start(args, fmt);
        if (vasprintf(&text, fmt, args) < 0)
                text = NULL;
        va_end(args);
        buf_print(&line, "%s %s SMGC: [%" PRIu64 "] %s", date.s,
                  smgc->self && smgc->self->host ? smgc->self->host : "localhost",
                  smgc->self ? smgc->self->pid : 0, text ? text : "");
        progress_say(smgc->progress, buf_text(&line));
}

void smgc_add_size(struct buf *buf, uint64_t bytes) {
        static const struct {
                uint64_t bytes;
                char letter;
        } units[] = {{GIB, 'G'}, {MIB, 'M'}, {KIB, 'K'}};

        for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
                if (bytes < units[i].bytes)
                        continue;
                buf_print(buf, "%.3f%c", (double)bytes / (double)units[i].bytes, units[i].letter);
                return;
        }
        buf_print(buf, "%" PRIu64, bytes);
}

void smgc_add_node(struct buf *buf, const struct node *node) {
        buf_print(buf, "%s%.8s(", node->is_hidden ? "*" : "", uuid_format(&node->uuid).s);
        smgc_add_size(buf, node->size);
        buf_print(buf, "/");
        smgc_add_size(buf, node->file_size);
        buf_print(buf, "/");
        smgc_add_size(buf, node->allocated);
        buf_print(buf, ")%s", node->kind == IMAGE_RAW ? "[RAW]" : "");
}

/* What is gone from the tree by now still has a uuid. */
static void add_uuid(const struct smgc *smgc, struct buf *buf, const struct uuid *uuid) {
        const struct node *node = tree_find(sr_tree(smgc->sr), uuid);

        if (node)
                smgc_add_node(buf, node);
        else
                buf_print(buf, "*%.8s", uuid_format(uuid).s);
}

static void say_tree(const struct smgc *smgc, const struct node *node, int level) {
        AUTO(buf_fini) struct buf text = {0};

        smgc_add_node(&text, node);
        say(smgc, "%*s%s", 8 + 4 * level, "", buf_text(&text));
        for (const struct node *child = node->first_child; child; child = child->next_sibling)
                say_tree(smgc, child, level + 1);
}

static void say_trees(const struct smgc *smgc) {
        const struct tree *tree = sr_tree(smgc->sr);
        unsigned n_trees = 0;

        VEC_EACH (&tree->nodes, each) {
                n_trees += (*each)->parent == NULL;
        }
        say(smgc, "SR %.4s ('%s') (%zu VDIs in %u VHD trees): ", uuid_format(&sr_info(smgc->sr)->uuid).s,
            sr_info(smgc->sr)->name, tree->nodes.n, n_trees);
        VEC_EACH (&tree->nodes, each) {
                if (!(*each)->parent)
                        say_tree(smgc, *each, 0);
        }
}

void smgc_begins(const struct smgc *smgc) {
        say(smgc, "=== SR %s: gc ===", uuid_format(&sr_info(smgc->sr)->uuid).s);
        say_trees(smgc);
}

void smgc_ends(const struct smgc *smgc) {
        say_trees(smgc);
        say(smgc, "GC process exiting, no work left");
}

static void say_begins(const struct smgc *smgc, const struct gc_event *event, const char *target) {
        for (size_t i = event->n; i-- > 1;) {
                AUTO(buf_fini) struct buf upper = {0};
                bool is_leaf = event->is_leaf && i == event->n - 1;

                add_uuid(smgc, &upper, &event->run[i]);
                say(smgc, "%s %s -> %s", is_leaf ? "Leaf-coalescing" : "Coalescing", buf_text(&upper),
                    target);
                say(smgc, "  Running VHD coalesce on %s", buf_text(&upper));
        }
}

void smgc_tell(const struct smgc *smgc, const struct gc_event *event) {
        AUTO(buf_fini) struct buf target = {0}, top = {0};

        if (event->run) {
                add_uuid(smgc, &target, &event->run[0]);
                add_uuid(smgc, &top, &event->run[event->n - 1]);
        }
        switch (event->kind) {
        case GC_EVENT_GARBAGE:
                say(smgc, "Found %zu VDIs for deletion:", event->n);
                say(smgc, "  %zu unlinked VDIs deleted, %" PRIu64 " bytes", event->n, event->bytes);
                return;
        case GC_EVENT_BEGINS:
                say_begins(smgc, event, buf_text(&target));
                return;
        case GC_EVENT_PHASE:
                if (strcmp(event->phase, "relink") == 0 && !event->is_leaf)
                        say(smgc, "  Relinking the children of %s to %s", buf_text(&top), buf_text(&target));
                return;
        case GC_EVENT_DONE:
                say(smgc, "Coalesced %" PRIu64 " sectors", event->bytes / SECTOR);
                for (size_t i = 1; i < event->n - event->is_leaf; i++) /* the target took the leaf's name */
                        say(smgc, "Deleting unlinked VDI *%.8s", uuid_format(&event->run[i]).s);
                return;
        case GC_EVENT_FAILED:
                say(smgc, "* * * * * SR %s: ERROR", uuid_format(&sr_info(smgc->sr)->uuid).s);
                say(smgc, "coalesce of %s: %s", buf_text(&top), event->why->text);
                return;
        case GC_EVENT_STOPPED:
                say(smgc, "Aborted coalesce of %s: %s", buf_text(&top), event->why->text);
                return;
        }
}
