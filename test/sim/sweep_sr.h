// SPDX-License-Identifier: Apache-2.0
/* What the sweeps of an SR share: short names for its verbs, its state as a text, "a=AB.. s=A..." (the name
 * of each VDI and a letter for each of its blocks), and what must hold of an SR whatever happened to it:
 * every file whole, every chain whole, nothing half-made, no garbage that could go, and a second opening
 * finds nothing more to do [S3].
 *
 * Errors: as the verbs have them; sweep_violation.  Threads: one.
 */
#ifndef TEST_SIM_SWEEP_SR_H
#define TEST_SIM_SWEEP_SR_H

#include "check.h"

#include "io_sim.h"
#include "mem.h"
#include "sr.h"
#include "sweep.h"
#include "vhd_check.h"

#define DIR    "/sr"
#define BLOCK  (2 * MIB)
#define BLOCKS 4

UNUSED static const struct images_options images = {.growth_bytes = 4 * MIB, .owners_cache_bytes = 1 * MIB};

/* ---- short names for what the verbs are made of
 * ------------------------------------------------------------------------- */

UNUSED static enum err open_sr(struct io *io, struct sr **ret, struct err_note *note) {
        return sr_open(io, DIR, &(struct sr_options){.images = &images}, ret, note);
}

UNUSED static enum err find(struct sr *sr, const char *name, struct uuid *ret, struct err_note *note) {
        const struct vdi *vdi;

        if (sr_find_vdi(sr, name, &vdi, note))
                return note->code;
        *ret = vdi->row.uuid;
        return ERR_NONE;
}

UNUSED static enum err create(struct sr *sr, const char *name, enum image_kind kind, struct err_note *note) {
        struct uuid unused;

        return sr_vdi_create(sr, &(struct vdi_options){.name = name, .size = BLOCKS * BLOCK, .kind = kind},
                             &unused, note);
}

UNUSED static enum err put(struct chain *chain, unsigned block, char letter, struct err_note *note) {
        uint8_t data[SECTOR];

        memset(data, letter, sizeof data);
        return chain_write(chain, data, sizeof data, block * BLOCK, note);
}

UNUSED static enum err put_all(struct chain *chain, const char *letters, struct err_note *note) {
        for (unsigned i = 0; letters[i]; i++)
                if (letters[i] != '.' && put(chain, i, letters[i], note))
                        return note->code;
        return ERR_NONE;
}

UNUSED static void abandon(struct sr *sr, struct chain *chain) {
        struct err_note unused;

        (void)!sr_close_chain(sr, chain, &unused);
}

UNUSED static enum err fill(struct sr *sr, const char *name, const char *letters, struct err_note *note) {
        struct chain *chain;
        struct uuid uuid;

        if (find(sr, name, &uuid, note) || sr_open_chain(sr, &uuid, CHAIN_WRITE, &chain, note))
                return note->code;
        if (put_all(chain, letters, note)) {
                abandon(sr, chain);
                return note->code;
        }
        return sr_close_chain(sr, chain, note);
}

UNUSED static enum err snapshot(struct sr *sr, const char *name, const char *as, struct err_note *note) {
        struct uuid uuid, unused;

        if (find(sr, name, &uuid, note))
                return note->code;
        return sr_vdi_snapshot(sr, &uuid, &(struct vdi_options){.name = as}, &unused, note);
}

UNUSED static enum err clone_as(struct sr *sr, const char *name, const char *as, struct err_note *note) {
        struct uuid uuid, unused;

        if (find(sr, name, &uuid, note))
                return note->code;
        return sr_vdi_clone(sr, &uuid, &(struct vdi_options){.name = as}, &unused, note);
}

UNUSED static enum err delete (struct sr *sr, const char *name, struct err_note *note) {
        struct uuid uuid;

        if (find(sr, name, &uuid, note)) return note->code;
        return sr_vdi_delete(sr, &uuid, note);
}

UNUSED static enum err revert(struct sr *sr, const char *name, const char *to, struct err_note *note) {
        struct uuid uuid, snapshot_uuid;

        if (find(sr, name, &uuid, note) || find(sr, to, &snapshot_uuid, note))
                return note->code;
        return sr_vdi_revert(sr, &uuid, &snapshot_uuid, note);
}

/* ---- what must hold afterwards
 * --------------------------------------------------------------------------------------------------- */

UNUSED static enum err read_letters(struct sr *sr, const struct uuid *uuid, char ret[BLOCKS + 1],
                                    struct err_note *note) {
        uint8_t data[SECTOR];
        struct chain *chain;

        if (sr_open_chain(sr, uuid, CHAIN_READ, &chain, note))
                return note->code;
        memset(ret, 0, BLOCKS + 1);
        for (unsigned i = 0; i < BLOCKS; i++) {
                if (chain_read(chain, data, sizeof data, i * BLOCK, note)) {
                        abandon(sr, chain);
                        return note->code;
                }
                ret[i] = data[0] ? (char)data[0] : '.';
                for (unsigned j = 0; j < sizeof data; j++)
                        if (data[j] != data[0])
                                ret[i] = '?';
        }
        return sr_close_chain(sr, chain, note);
}

UNUSED static enum err state_of(struct sr *sr, struct buf *ret, struct err_note *note) {
        for (size_t i = 0; i < sr_n_vdis(sr); i++) {
                const struct vdi *vdi = sr_vdi_at(sr, i);
                struct uuid uuid = vdi->row.uuid;
                char letters[BLOCKS + 1];

                if (read_letters(sr, &uuid, letters, note))
                        return note->code;
                buf_print(ret, "%s%s=%s", ret->n ? " " : "", sr_vdi_at(sr, i)->row.name, letters);
                if (sr_vdi_at(sr, i)->node->size != BLOCKS * BLOCK)
                        buf_print(ret, "/%lluM", (unsigned long long)(sr_vdi_at(sr, i)->node->size / MIB));
        }
        return ERR_NONE;
}

UNUSED static enum err check_file(struct io *io, const struct node *node, struct err_note *note) {
        AUTO(findings_fini) struct findings findings = {0};
        AUTO_FREE char *path = mem_format("%s/%s", DIR, node->name);

        if (node->kind == IMAGE_RAW)
                return ERR_NONE;
        if (vhd_check(io, path, VHD_CHECK_BITMAPS | VHD_CHECK_PARENT, &findings, note))
                return note->code;
        VEC_EACH (&findings.list, each) {
                /* A file that was growing has the copy at 0 alone until it is written again [D4]. */
                bool was_growing =
                        !node->is_hidden && strcmp(each->part, "footer") == 0 && each->is_repairable;

                if (each->severity == FINDING_ERROR && !was_growing)
                        return sweep_violation(note, "%s: %s: %s", node->name, each->part, each->text);
        }
        return ERR_NONE;
}

UNUSED static enum err check_nodes(struct io *io, struct sr *sr, struct err_note *note) {
        const struct tree *tree = sr_tree(sr);

        if (tree->listing.temporary.n || tree->listing.marked.n || tree->listing.n_others)
                return sweep_violation(note, "something half-made is left");
        VEC_EACH (&tree->nodes, each) {
                const struct node *node = *each;

                if (node->error.code)
                        return sweep_violation(note, "%s", node->error.text);
                if (node->is_alias)
                        return sweep_violation(note, "%s has two names", node->name);
                if (node->n_children && !node->is_hidden)
                        return sweep_violation(note, "%s has children and is not hidden", node->name);
                if (check_file(io, node, note))
                        return note->code;
        }
        return ERR_NONE;
}

UNUSED static enum err check_no_garbage(struct sr *sr, struct err_note *note) {
        AUTO(sr_notices_fini) struct sr_notices waiting = {0};
        uint64_t bytes;
        unsigned n;

        if (sr_garbage(sr, &n, &bytes, &waiting, note))
                return note->code;
        if (waiting.list.n)
                return sweep_violation(note, "garbage stays: %s", waiting.list.data[0].text);
        VEC_EACH (&sr_tree(sr)->nodes, each) {
                if ((*each)->is_hidden && (*each)->n_children == 0)
                        return sweep_violation(note, "%s is hidden, needed by nobody and still there",
                                               (*each)->name);
        }
        return ERR_NONE;
}

/* Names, sizes and inodes of all files. */
UNUSED static enum err list_files(struct io *io, struct buf *ret, struct err_note *note) {
        AUTO(io_names_fini) struct io_names names = {0};

        if (io_list(io, DIR, &names, note))
                return note->code;
        VEC_EACH (&names.names, each) {
                AUTO_FREE char *path = mem_format("%s/%s", DIR, *each);
                struct io_stat stat;

                if (io_stat_path(io, path, &stat, note))
                        return note->code;
                if (!stat.is_directory)
                        buf_print(ret, "%s %llu %llu\n", *each, (unsigned long long)stat.size,
                                  (unsigned long long)stat.inode);
        }
        return ERR_NONE;
}

/* [S3] */
UNUSED static enum err check_again(struct io *io, struct err_note *note) {
        AUTO(buf_fini) struct buf before = {0}, after = {0};
        AUTO(sr_close) struct sr *sr = NULL;

        if (list_files(io, &before, note) || open_sr(io, &sr, note) || list_files(io, &after, note))
                return note->code;
        if (strcmp(buf_text(&before), buf_text(&after)) != 0)
                return sweep_violation(note, "opening it again changed its files from\n%sto\n%s",
                                       buf_text(&before), buf_text(&after));
        return ERR_NONE;
}

#endif
