// SPDX-License-Identifier: Apache-2.0
#include "put.h"

#include "mem.h"
#include "node_reader.h"
#include "pack_writer.h"
#include "points.h"
#include "put_pipeline.h"
#include "session.h"
#include "taints.h"
#include "vault_sum.h"

struct put {
        struct vault *vault; /* borrowed, outlives it */
        struct put_options options;
        struct session session;
        bool is_in_session; /* it was put, and nothing hinders to end it */
        bool has_parent;
        struct point parent;            /* owned */
        struct vault_taint taint;       /* owned; what is damaged */
        struct vault_manifest manifest; /* owned; grows disk by disk */
        struct known *known;            /* owned */
        struct pack_writer *writer;     /* owned */
        struct put_pipeline *line;      /* owned */
        struct node_reader *nodes;      /* owned */
};

/* ---- beginning ---- */

static int compare_names(const void *a, const void *b) {
        return vault_name_compare(a, b);
}

/* A doom that went since it was listed took its packs with it before. */
static enum err add_doom(struct vault *vault, const struct vault_name *name, struct blobs_excluded *excluded,
                         struct err_note *note) {
        AUTO(buf_fini) struct buf body = {0};
        struct vault_doom doom = {0};
        enum err failed = vault_get_object(vault, VAULT_DOOM, name, &body, NULL, NULL, note);

        if (failed == ERR_NOT_FOUND)
                return ERR_NONE;
        if (failed || vault_doom_decode((struct span){body.data, body.n}, &doom, note))
                return err_wrap(note, "read what is doomed");
        VEC_EACH (&doom.packs, pack)
                *vec_add(&excluded->packs) = *pack;
        vault_doom_fini(&doom);
        return ERR_NONE;
}

/* [P2] After the session was put, so that whoever dooms packs later finds the session and waits for it; and
 * before packs are listed, so that what is gone by then is not known. */
static enum err learn(struct put *put, struct err_note *note) {
        AUTO(vault_names_fini) struct vault_names dooms = {0};
        struct blobs_excluded excluded = {0};
        enum err failed = vault_list_names(put->vault, "doomed/", "", &dooms, note);

        for (size_t i = 0; !failed && i < dooms.list.n; i++)
                failed = add_doom(put->vault, &dooms.list.data[i], &excluded, note);
        if (excluded.packs.n > 1)
                qsort(excluded.packs.data, excluded.packs.n, sizeof *excluded.packs.data, compare_names);
        if (!failed)
                failed = blobs_refresh(put->vault->blobs, &excluded, note);
        /* [P6] */
        if (!failed)
                failed = taints_read(put->vault, &put->taint, note);
        if (!failed)
                blobs_taint(put->vault->blobs, put->taint.places.data, put->taint.places.n);
        /* Some other run's packs may be known now, and it may have died before they were durable. */
        if (!failed)
                failed = target_settle(put->vault->target, "packs/", note);
        vec_fini(&excluded.packs);
        return failed;
}

/* [P3] Likewise after the session was put. */
static enum err get_parent(struct put *put, struct err_note *note) {
        if (!put->options.parent)
                return ERR_NONE;
        if (points_get(put->vault, put->options.parent, &put->parent, note))
                return err_wrap(note, "parent");
        if (taint_has_point(&put->taint, put->options.parent))
                return err_set(note, ERR_INVALID,
                               "parent %s is damaged: without a parent all is read, and stored anew",
                               vault_name_format(put->options.parent).s);
        put->has_parent = true;
        return ERR_NONE;
}

static enum err tick(void *user, uint64_t done, struct err_note *note) {
        struct put *put = user;

        if (session_beat(&put->session, note))
                return note->code;
        return put->options.step ? put->options.step(put->options.user, done, note) : ERR_NONE;
}

static enum err make_line(struct put *put, struct err_note *note) {
        struct pack_writer_options writer = {.vault = put->vault, .session = put->session.name};
        struct put_pipeline_options line = {
                .vault = put->vault, .n_threads = put->options.n_threads, .tick = tick, .user = put};

        put->known = known_new(put->vault->blobs);
        put->nodes = node_reader_new(put->vault->blobs);
        writer.known = put->known;
        if (pack_writer_new(&writer, &put->writer, note))
                return note->code;
        line.known = put->known;
        line.writer = put->writer;
        return put_pipeline_new(&line, &put->line, note);
}

static enum err begin(struct put *put, struct err_note *note) {
        if (!keyring_can_write(put->vault->keyring))
                return err_set(note, ERR_DENIED, "this key may read the vault, not write to it");
        if (session_begin(put->vault, VAULT_SESSION_WRITE, &put->session, note))
                return note->code;
        put->is_in_session = true;
        if (learn(put, note) || get_parent(put, note))
                return note->code;
        return make_line(put, note);
}

enum err put_begin(struct vault *vault, const struct put_options *options, struct put **ret,
                   struct err_note *note) {
        AUTO(put_abort) struct put *put = mem_new(struct put);

        put->vault = vault;
        put->options = *options;
        if (begin(put, note))
                return note->code;
        put->manifest.name = mem_text(options->name);
        put->manifest.time = options->time;
        put->manifest.session = put->session.name;
        if (options->parent)
                put->manifest.parent = *options->parent;
        put->manifest.vm = json_deep_copy(options->vm);
        *ret = TAKE(put);
        return ERR_NONE;
}

const struct vault_manifest *put_parent(const struct put *put) {
        return put->has_parent ? &put->parent.manifest : NULL;
}

/* ---- disks ---- */

static enum err check_disk(const struct put *put, const struct put_disk *disk, struct err_note *note) {
        bool is_ours = false;

        if (!disk->parent) {
                if (disk->changed)
                        return err_set(note, ERR_INVALID, "changed extents, but of no parent");
                return ERR_NONE;
        }
        VEC_EACH (&put->parent.manifest.disks, each)
                is_ours |= each == disk->parent;
        if (!is_ours)
                return err_set(note, ERR_INVALID, "its parent is no disk of the parent point");
        if (disk->parent->chunk != put->vault->config.chunk)
                return err_set(note, ERR_MISMATCH, "its parent has chunks of %u bytes, not %u",
                               disk->parent->chunk, put->vault->config.chunk);
        return ERR_NONE;
}

static void add_disk(struct put *put, const struct put_disk *disk, const struct vault_id *root,
                     uint64_t written) {
        struct vault_disk *made = vec_add(&put->manifest.disks);
        struct id_tree_shape shape;

        id_tree_shape_of(disk->source.size, put->vault->config.chunk, &shape);
        made->name = mem_text(disk->name);
        made->size = shape.size;
        made->chunk = shape.chunk;
        made->height = shape.height;
        made->root = *root;
        keyring_disk_id(put->vault->keyring, shape.size, shape.chunk, root, &made->id);
        made->source = json_deep_copy(disk->about);
        made->written = written;
}

enum err put_disk(struct put *put, const struct put_disk *disk, struct err_note *note) {
        const struct id_nodes nodes = {node_reader_read, put->nodes};
        uint64_t added = put_pipeline_count(put->line).added;
        AUTO(id_walk_free) struct id_walk *walk = NULL;
        struct vault_id root;

        if (check_disk(put, disk, note))
                return err_wrap(note, "disk %s", disk->name);
        if (disk->changed) {
                struct id_tree_shape shape;

                id_tree_shape_of(disk->parent->size, disk->parent->chunk, &shape);
                walk = id_walk_new(&nodes, &shape, &disk->parent->root);
        }
        if (put_pipeline_disk(put->line, disk, walk, &root, note))
                return note->code;
        add_disk(put, disk, &root, put_pipeline_count(put->line).added - added);
        return ERR_NONE;
}

struct put_count put_count(const struct put *put) {
        struct put_count count = put_pipeline_count(put->line);
        struct pack_writer_count packs = pack_writer_count(put->writer);

        count.stored = packs.stored;
        count.n_packs = packs.n_packs;
        return count;
}

/* ---- the end ---- */

/* Points of one writer are a row, whether they came to count or not. */
static enum err sign_in(struct put *put, struct err_note *note) {
        struct vault_manifest *manifest = &put->manifest;
        struct points_last last;

        manifest->has_writer = keyring_writer_public(put->vault->keyring, manifest->writer);
        if (!manifest->has_writer)
                return ERR_NONE;
        if (points_last_of(put->vault, manifest->writer, &last, note))
                return err_wrap(note, "look for this writer's last point");
        manifest->sequence = last.sequence + 1;
        manifest->has_previous = last.sequence > 0;
        memcpy(manifest->previous, last.sum, sizeof manifest->previous);
        return ERR_NONE;
}

static enum err put_manifest(struct put *put, const struct vault_name *point, struct buf *ret_object,
                             struct err_note *note) {
        AUTO(buf_fini) struct buf body = {0};

        vault_manifest_encode(&put->manifest, &body);
        if (vault_put_object(put->vault, VAULT_MANIFEST, point, (struct span){body.data, body.n}, ret_object,
                             note))
                return err_wrap(note, "put the point's manifest");
        return ERR_NONE;
}

static enum err put_seal(struct put *put, const struct vault_name *point, const struct buf *manifest,
                         struct err_note *note) {
        AUTO(buf_fini) struct buf body = {0};
        uint8_t sum[VAULT_SUM_SIZE];

        vault_sum(&(struct span){manifest->data, manifest->n}, 1, sum);
        vault_point_seal_encode(sum, &body);
        if (vault_put_object(put->vault, VAULT_SEAL, point, (struct span){body.data, body.n}, NULL, note))
                return err_wrap(note, "seal the point");
        return ERR_NONE;
}

static enum err say_broken(struct err_note *note) {
        return err_set(note, ERR_BUSY,
                       "the vault was pruned meanwhile, and this run was taken for dead: begin it again");
}

/* [P1] The manifest, then a look whether we were given up, then the seal.  Who breaks a session looks for its
 * manifests afterwards: he sees ours, or we see that he did.
 *
 * From the seal on the session is not ended but by the last line: a seal whose putting failed may come late,
 * and nobody shall take the point for one that never will. */
static enum err commit(struct put *put, const struct vault_name *point, struct err_note *note) {
        AUTO(buf_fini) struct buf manifest = {0};
        bool is_broken;

        if (put_pipeline_settle(put->line, note) || sign_in(put, note) ||
            put_manifest(put, point, &manifest, note) || session_is_broken(&put->session, &is_broken, note))
                return note->code;
        if (is_broken)
                return say_broken(note);
        put->is_in_session = false;
        if (put_seal(put, point, &manifest, note) || session_is_broken(&put->session, &is_broken, note))
                return note->code;
        /* Who broke us may have seen no seal then, and taken the manifest for one that never gets one. */
        if (is_broken)
                return say_broken(note);
        return session_end(&put->session, note);
}

enum err put_commit(struct put *put_, struct vault_name *ret_point, struct put_count *ret_count,
                    struct err_note *note) {
        AUTO(put_abort) struct put *put = put_;
        struct vault_name point;

        vault_name_random(put->vault->io, &point);
        if (commit(put, &point, note))
                return note->code;
        *ret_point = point;
        if (ret_count)
                *ret_count = put_count(put);
        return ERR_NONE;
}

enum err put_commit_chunks(struct put *put_, struct put_count *ret_count, struct err_note *note) {
        AUTO(put_abort) struct put *put = put_;
        bool is_broken;

        if (put_pipeline_settle(put->line, note) || session_is_broken(&put->session, &is_broken, note))
                return note->code;
        *ret_count = put_count(put);
        return is_broken ? say_broken(note) : ERR_NONE;
}

const struct vault_id *put_root(const struct put *put, size_t nth) {
        return &put->manifest.disks.data[nth].root;
}

void put_abort(struct put *put) {
        struct err_note ignored;

        if (!put)
                return;
        put_pipeline_free(put->line);
        pack_writer_free(put->writer);
        known_free(put->known);
        node_reader_free(put->nodes);
        if (put->is_in_session && session_end(&put->session, &ignored) == ERR_NONE)
                put->is_in_session = false; /* else a pruner finds out by waiting */
        session_fini(&put->session);
        point_fini(&put->parent);
        vault_taint_fini(&put->taint);
        vault_manifest_fini(&put->manifest);
        free(put);
}
