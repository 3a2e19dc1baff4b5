// SPDX-License-Identifier: Apache-2.0
#include "needs.h"

#include "mem.h"
#include "node_reader.h"

struct needs {
        struct blob_marks *marks;   /* owned */
        struct node_reader *reader; /* owned */
        struct needs_count count;
        bool is_tolerant;
        struct vault_id levels[VAULT_HEIGHT_MAX + 1][VAULT_NODE_IDS]; /* the node of each that is walked */
};

struct needs *needs_new(struct vault *vault) {
        struct needs *needs = mem_new(struct needs);

        needs->marks = blob_marks_new(vault->blobs);
        needs->reader = node_reader_new(vault->blobs);
        return needs;
}

void needs_free(struct needs *needs) {
        if (!needs)
                return;
        blob_marks_free(needs->marks);
        node_reader_free(needs->reader);
        free(needs);
}

struct blob_marks *needs_marks(struct needs *needs) {
        return needs->marks;
}

struct needs_count needs_count(const struct needs *needs) {
        return needs->count;
}

static enum err forgive(const struct needs *needs, enum err err) {
        bool is_damage = err == ERR_NOT_FOUND || err == ERR_CORRUPT || err == ERR_CUT_SHORT;

        return needs->is_tolerant && is_damage ? ERR_NONE : err;
}

/* What is marked has all below it marked: whoever marked it walked it, or failed. */
static enum err walk(struct needs *needs, unsigned level, const struct vault_id *id, struct err_note *note) {
        struct vault_id *ids = needs->levels[level];
        bool was_marked;

        if (vault_id_is_null(id))
                return ERR_NONE;
        if (blob_marks_set(needs->marks, id, &was_marked, note))
                return forgive(needs, note->code);
        if (was_marked)
                return ERR_NONE;
        if (level == 0) {
                needs->count.n_chunks++;
                return ERR_NONE;
        }
        needs->count.n_nodes++;
        if (node_reader_read(needs->reader, level, id, ids, note))
                return forgive(needs, note->code);
        for (unsigned i = 0; i < VAULT_NODE_IDS; i++)
                if (walk(needs, level - 1, &ids[i], note))
                        return note->code;
        return ERR_NONE;
}

enum err needs_add(struct needs *needs, const struct vault_manifest *manifest, const struct vault_name *name,
                   bool tolerant, struct err_note *note) {
        needs->is_tolerant = tolerant;
        VEC_EACH (&manifest->disks, disk)
                if (walk(needs, disk->height, &disk->root, note))
                        return err_wrap(note, "disk %s of point %s", disk->name, vault_name_format(name).s);
        return ERR_NONE;
}
