// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "id_tree.h"
#include "mem.h"
#include "scrub.h"
#include "verify_inside.h"

/* One walk over all points.  A subtree that was found whole is not walked again; one that was not is walked
 * for each disk that has it, so that each is told of. */
struct tree_walk {
        struct verify_run *run;     /* borrowed */
        struct blob_reader *reader; /* owned */
        uint8_t *whole;             /* owned; a bit for each entry of an index: all below it is there */
        uint64_t n_entries;
        struct vault_id ids[VAULT_HEIGHT_MAX][VAULT_NODE_IDS]; /* of the node that is walked, by its level */
        const struct point *point;                             /* borrowed from the run; that is walked */
        const struct vault_disk *disk;                         /* borrowed from it */
        struct id_tree_shape shape;
        size_t first_finding; /* of this point */
};

static void tree_walk_fini(struct tree_walk *walk) {
        if (walk->reader)
                blob_reader_free(walk->reader);
        free(walk->whole);
        free(walk);
}
DEFINE_AUTO(struct tree_walk *, tree_walk_fini);

/* ---- telling ---- */

static bool goes_on(const struct tree_walk *walk, uint64_t at, const char *text) {
        const struct verify_report *report = walk->run->report;
        const struct verify_finding *last = report->findings.n > walk->first_finding
                                                    ? &report->findings.data[report->findings.n - 1]
                                                    : NULL;

        return last && last->what == VERIFY_IN_DISK && strcmp(last->disk, walk->disk->name) == 0 &&
               last->at + last->n == at && strcmp(last->text, text) == 0;
}

/* Chunks [first, first + n) cannot be read. */
static void tell_range(struct tree_walk *walk, uint64_t first, uint64_t n, const char *text) {
        uint64_t at = first * walk->shape.chunk;
        uint64_t end = min_u64((first + n) * walk->shape.chunk, walk->shape.size);
        struct vault_path path = vault_path_of(VAULT_MANIFEST, &walk->point->name);
        struct verify_finding *finding;

        if (goes_on(walk, at, text)) {
                walk->run->report->findings.data[walk->run->report->findings.n - 1].n += end - at;
                return;
        }
        finding = verify_find(walk->run, VERIFY_IN_DISK, path.s, text);
        finding->point = walk->point->name;
        finding->of = mem_text(walk->point->manifest.name);
        finding->disk = mem_text(walk->disk->name);
        finding->at = at;
        finding->n = end - min_u64(at, end);
}

/* ---- walking ---- */

/* How many chunks are below a node of that level, as far as the disk goes. */
static uint64_t span_of(const struct tree_walk *walk, unsigned level, uint64_t first) {
        uint64_t n = 1;

        while (level--)
                n *= VAULT_NODE_IDS;
        return min_u64(n, walk->shape.n_chunks - min_u64(first, walk->shape.n_chunks));
}

static bool is_whole(const struct tree_walk *walk, uint64_t entry) {
        return entry < walk->n_entries && walk->whole[entry / 8] & 1 << entry % 8;
}

static void mark_whole(struct tree_walk *walk, uint64_t entry) {
        if (entry < walk->n_entries)
                walk->whole[entry / 8] |= (uint8_t)(1 << entry % 8);
}

/* NULL: it is what it should be. */
static const char *what_is_wrong(const struct tree_walk *walk, unsigned level,
                                 const struct blob_place *place) {
        bool is_chunk = level == 0;

        if (!place->pack->is_listed)
                return is_chunk ? "a pack with chunks of it is gone" : "a pack with nodes of it is gone";
        if (!place->counts)
                return is_chunk ? "chunks of it are damaged" : "nodes of it are damaged";
        if (place->blob.type != (is_chunk ? VAULT_CHUNK : VAULT_NODE) || place->blob.level != level ||
            place->blob.length != (is_chunk ? walk->shape.chunk : VAULT_NODE_SIZE))
                return "what should be a part of it is something else";
        return NULL;
}

static enum err visit(struct tree_walk *, unsigned level, const struct vault_id *, uint64_t first,
                      bool *ret_is_whole, struct err_note *);

static enum err visit_below(struct tree_walk *walk, unsigned level, uint64_t first, bool *ret_is_whole,
                            struct err_note *note) {
        uint64_t each = 1;

        for (unsigned i = 1; i < level; i++)
                each *= VAULT_NODE_IDS;
        for (unsigned i = 0; i < VAULT_NODE_IDS; i++) {
                bool is_whole_below = true;

                if (visit(walk, level - 1, &walk->ids[level - 1][i], first + i * each, &is_whole_below, note))
                        return note->code;
                *ret_is_whole &= is_whole_below;
        }
        return ERR_NONE;
}

static enum err read_node(struct tree_walk *walk, unsigned level, const struct blob_place *place,
                          uint64_t first, bool *ret_is_whole, struct err_note *note) {
        enum err err = blob_read(walk->reader, place, true, walk->ids[level - 1], note);

        reading_go_on(&walk->run->reading);
        if (!err)
                return visit_below(walk, level, first, ret_is_whole, note);
        if (err != ERR_NOT_FOUND && !scrub_is_damage(walk->run->vault, err))
                return err;
        *ret_is_whole = false;
        tell_range(walk, first, span_of(walk, level, first), note->text);
        if (err != ERR_NOT_FOUND)
                *vec_add(&walk->run->after.places) =
                        (struct vault_place){place->pack->pack.head.name, place->number};
        return ERR_NONE;
}

static enum err visit(struct tree_walk *walk, unsigned level, const struct vault_id *id, uint64_t first,
                      bool *ret_is_whole, struct err_note *note) {
        struct blob_place place;
        const char *wrong;

        if (vault_id_is_null(id))
                return ERR_NONE;
        if (first >= walk->shape.n_chunks)
                wrong = "its tree goes on behind its end";
        else if (!blobs_find(walk->run->vault->blobs, id, &place))
                wrong = level ? "nodes of it are missing" : "chunks of it are missing";
        else
                wrong = what_is_wrong(walk, level, &place);
        if (wrong) {
                *ret_is_whole = false;
                tell_range(walk, first, span_of(walk, level, first), wrong);
                return ERR_NONE;
        }
        if (is_whole(walk, place.entry))
                return ERR_NONE;
        if (level > 0 && read_node(walk, level, &place, first, ret_is_whole, note))
                return note->code;
        if (*ret_is_whole)
                mark_whole(walk, place.entry);
        return ERR_NONE;
}

static enum err walk_disk(struct tree_walk *walk, const struct vault_disk *disk, struct err_note *note) {
        struct verify_run *run = walk->run;
        struct vault_id id;
        bool is_all = true;

        walk->disk = disk;
        id_tree_shape_of(disk->size, disk->chunk, &walk->shape);
        keyring_disk_id(run->vault->keyring, disk->size, disk->chunk, &disk->root, &id);
        if (vault_id_compare(&id, &disk->id) != 0)
                tell_range(walk, 0, walk->shape.n_chunks, "its id is not that of its size and root");
        return visit(walk, walk->shape.height, &disk->root, 0, &is_all, note);
}

/* ---- points ---- */

/* What was let go since it was listed is no finding. */
static enum err is_gone(struct tree_walk *walk, bool *ret, struct err_note *note) {
        uint64_t size;
        enum err err = target_size(walk->run->vault->target, vault_path_of(VAULT_SEAL, &walk->point->name).s,
                                   &size, note);

        *ret = err == ERR_NOT_FOUND;
        return *ret ? ERR_NONE : err;
}

static enum err walk_point(struct tree_walk *walk, struct err_note *note) {
        struct verify_report *report = walk->run->report;
        bool is_dropped;

        walk->first_finding = report->findings.n;
        VEC_EACH (&walk->point->manifest.disks, each)
                if (walk_disk(walk, each, note))
                        return err_wrap(note, "disk %s of point %s", each->name,
                                        vault_name_format(&walk->point->name).s);
        report->n_points++;
        if (report->findings.n == walk->first_finding)
                return ERR_NONE;
        if (is_gone(walk, &is_dropped, note))
                return note->code;
        if (is_dropped) {
                verify_forget(walk->run, walk->first_finding);
                return ERR_NONE;
        }
        report->n_damaged_points++;
        *vec_add(&walk->run->after.points) = walk->point->name;
        return ERR_NONE;
}

enum err verify_tree(struct verify_run *run, struct err_note *note) {
        AUTO(tree_walk_fini) struct tree_walk *walk = mem_new(struct tree_walk);

        walk->run = run;
        walk->reader = blob_reader_new(run->vault->blobs);
        walk->n_entries = blobs_number(run->vault->blobs);
        walk->whole = mem_zero((size_t)div_up(walk->n_entries, 8) + 1);
        VEC_EACH (&run->points.list, each) {
                walk->point = each;
                if (walk_point(walk, note))
                        return note->code;
        }
        return ERR_NONE;
}
