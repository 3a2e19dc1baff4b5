// SPDX-License-Identifier: Apache-2.0
#include "id_tree.h"

#include <assert.h>

#include "mem.h"

enum { FAN_BITS = 8 };
_Static_assert(1 << FAN_BITS == VAULT_NODE_IDS, "a level is eight bits of a chunk's number");

void id_tree_shape_of(uint64_t size, uint32_t chunk, struct id_tree_shape *ret) {
        *ret = (struct id_tree_shape){.size = size, .chunk = chunk, .n_chunks = div_up(size, chunk)};
        while (ret->n_chunks > (uint64_t)1 << FAN_BITS * ret->height)
                ret->height++;
        assert(ret->height <= ID_TREE_HEIGHT_MAX);
}

/* The number of the subtree of that level in which a chunk lies. */
static uint64_t number_of(uint64_t chunk, unsigned level) {
        return chunk >> FAN_BITS * level;
}

static uint64_t first_of(uint64_t number, unsigned level) {
        return number << FAN_BITS * level;
}

/* ---- reading ---- */

struct walk_node {
        bool is_read;
        uint64_t number; /* of its level */
        struct vault_id ids[VAULT_NODE_IDS];
};

struct id_walk {
        struct id_nodes nodes;
        struct id_tree_shape shape;
        struct vault_id root;
        struct walk_node at[]; /* one for each level from 1 */
};

struct id_walk *id_walk_new(const struct id_nodes *nodes, const struct id_tree_shape *shape,
                            const struct vault_id *root) {
        struct id_walk *walk = mem_zero(sizeof *walk + shape->height * sizeof walk->at[0]);

        walk->nodes = *nodes;
        walk->shape = *shape;
        walk->root = *root;
        return walk;
}

void id_walk_free(struct id_walk *walk) {
        free(walk);
}

const struct id_tree_shape *id_walk_shape(const struct id_walk *walk) {
        return &walk->shape;
}

static enum err subtree(struct id_walk *walk, unsigned level, uint64_t number, struct vault_id *ret,
                        struct err_note *note);

/* That node of level 1 or more, in its place. */
static enum err load(struct id_walk *walk, unsigned level, uint64_t number, struct err_note *note) {
        struct walk_node *node = &walk->at[level - 1];
        struct vault_id id;

        if (node->is_read && node->number == number)
                return ERR_NONE;
        node->is_read = false;
        if (subtree(walk, level, number, &id, note))
                return note->code;
        if (vault_id_is_null(&id))
                memset(node->ids, 0, sizeof node->ids);
        else if (walk->nodes.read(walk->nodes.user, level, &id, node->ids, note))
                return note->code;
        node->number = number;
        node->is_read = true;
        return ERR_NONE;
}

/* The id of that subtree; level is not above the tree's own. */
static enum err subtree(struct id_walk *walk, unsigned level, uint64_t number, struct vault_id *ret,
                        struct err_note *note) {
        if (first_of(number, level) >= walk->shape.n_chunks) {
                memset(ret, 0, sizeof *ret);
                return ERR_NONE;
        }
        if (level == walk->shape.height) {
                *ret = walk->root;
                return ERR_NONE;
        }
        if (load(walk, level + 1, number_of(number, 1), note))
                return note->code;
        *ret = walk->at[level].ids[number % VAULT_NODE_IDS];
        return ERR_NONE;
}

/* Likewise of any level: a tree says nothing of the one subtree above its root, but that all is null. */
static enum err subtree_of_any(struct id_walk *walk, unsigned level, uint64_t number, bool *ret_is_known,
                               struct vault_id *ret, struct err_note *note) {
        bool is_above = level > walk->shape.height && number == 0 && !vault_id_is_null(&walk->root);

        *ret_is_known = !is_above;
        if (is_above)
                return ERR_NONE;
        if (level > walk->shape.height) {
                memset(ret, 0, sizeof *ret);
                return ERR_NONE;
        }
        return subtree(walk, level, number, ret, note);
}

enum err id_walk_chunk(struct id_walk *walk, uint64_t n, struct vault_id *ret, struct err_note *note) {
        return subtree(walk, 0, n, ret, note);
}

enum err id_walk_next(struct id_walk *walk, uint64_t n, uint64_t *ret, struct err_note *note) {
        unsigned level = walk->shape.height;

        while (n < walk->shape.n_chunks) {
                struct vault_id id;

                if (subtree(walk, level, number_of(n, level), &id, note))
                        return note->code;
                if (vault_id_is_null(&id)) {
                        n = first_of(number_of(n, level) + 1, level);
                        level = walk->shape.height;
                } else if (level-- == 0) {
                        break;
                }
        }
        *ret = min_u64(n, walk->shape.n_chunks);
        return ERR_NONE;
}

static enum err is_equal(struct id_walk *a, struct id_walk *b, unsigned level, uint64_t number, bool *ret,
                         struct err_note *note) {
        bool a_is_known, b_is_known;
        struct vault_id of_a, of_b;

        if (subtree_of_any(a, level, number, &a_is_known, &of_a, note) ||
            subtree_of_any(b, level, number, &b_is_known, &of_b, note))
                return note->code;
        *ret = a_is_known && b_is_known && vault_id_compare(&of_a, &of_b) == 0;
        return ERR_NONE;
}

enum err id_walk_differs(struct id_walk *a, struct id_walk *b, uint64_t n, uint64_t *ret,
                         struct err_note *note) {
        uint64_t end = max_u64(a->shape.n_chunks, b->shape.n_chunks);
        unsigned top = a->shape.height > b->shape.height ? a->shape.height : b->shape.height;
        unsigned level = top;

        assert(a->shape.chunk == b->shape.chunk);
        while (n < end) {
                bool equal = false;

                if (is_equal(a, b, level, number_of(n, level), &equal, note))
                        return note->code;
                if (equal) {
                        n = first_of(number_of(n, level) + 1, level);
                        level = top;
                } else if (level-- == 0) {
                        break;
                }
        }
        *ret = min_u64(n, end);
        return ERR_NONE;
}

/* ---- writing ---- */

struct id_write {
        struct id_write_options options;
        uint64_t next;           /* the first chunk that is not written */
        uint64_t capacity;       /* chunks that a tree of this height can have */
        struct vault_id root;    /* once next is capacity */
        struct vault_id nodes[]; /* the open one of each level from 1; what is not written in it is null */
};

struct id_write *id_write_new(const struct id_write_options *options) {
        size_t n_ids = (size_t)options->shape.height * VAULT_NODE_IDS;
        struct id_write *write = mem_zero(sizeof *write + n_ids * sizeof write->nodes[0]);

        assert(!options->parent || id_walk_shape(options->parent)->chunk == options->shape.chunk);
        write->options = *options;
        write->capacity = (uint64_t)1 << FAN_BITS * options->shape.height;
        return write;
}

void id_write_free(struct id_write *write) {
        free(write);
}

/* The subtree of that level which begins at next has this id. */
static enum err add(struct id_write *write, unsigned level, const struct vault_id *id,
                    struct err_note *note) {
        struct vault_id done = *id;
        uint64_t number = number_of(write->next, level);

        write->next += first_of(1, level);
        for (; level < write->options.shape.height; level++, number = number_of(number, 1)) {
                struct vault_id *ids = &write->nodes[(size_t)level * VAULT_NODE_IDS];

                ids[number % VAULT_NODE_IDS] = done;
                if (number % VAULT_NODE_IDS != VAULT_NODE_IDS - 1)
                        return ERR_NONE;
                memset(&done, 0, sizeof done);
                if (!bytes_are_zero(ids, VAULT_NODE_SIZE)) {
                        keyring_node_id(write->options.keyring, level + 1, ids, &done);
                        if (write->options.put(write->options.user, level + 1, &done, ids, note))
                                return note->code;
                }
                memset(ids, 0, VAULT_NODE_SIZE);
        }
        write->root = done;
        return ERR_NONE;
}

/* The largest subtree that begins at next, ends at or before to, and that the source can name. */
static enum err take_over(struct id_write *write, uint64_t to, struct id_walk *source,
                          struct err_note *note) {
        unsigned level = write->options.shape.height;
        struct vault_id id = {0};
        bool is_known = true;

        for (;; level--) {
                if (!is_multiple(write->next, first_of(1, level)) || write->next + first_of(1, level) > to)
                        continue;
                if (source &&
                    subtree_of_any(source, level, number_of(write->next, level), &is_known, &id, note))
                        return note->code;
                if (is_known)
                        return add(write, level, &id, note);
        }
}

static enum err fill(struct id_write *write, uint64_t to, struct id_walk *source, struct err_note *note) {
        while (write->next < to) {
                if (take_over(write, to, source, note))
                        return note->code;
        }
        return ERR_NONE;
}

enum err id_write_chunk(struct id_write *write, uint64_t n, const struct vault_id *id,
                        struct err_note *note) {
        assert(n >= write->next && n < write->options.shape.n_chunks);
        if (fill(write, n, write->options.parent, note))
                return note->code;
        return add(write, 0, id, note);
}

enum err id_write_zeros(struct id_write *write, uint64_t n, uint64_t count, struct err_note *note) {
        assert(n >= write->next && range_fits(n, count, write->options.shape.n_chunks));
        if (fill(write, n, write->options.parent, note))
                return note->code;
        return fill(write, n + count, NULL, note);
}

/* Of a parent that is no longer, whole subtrees may be taken over that reach behind the end: both have
 * nothing there. */
enum err id_write_end(struct id_write *write, struct vault_id *ret_root, struct err_note *note) {
        const struct id_tree_shape *shape = &write->options.shape;
        struct id_walk *parent = write->options.parent;
        bool is_cut = parent && id_walk_shape(parent)->n_chunks > shape->n_chunks;

        if (fill(write, is_cut ? shape->n_chunks : write->capacity, parent, note) ||
            fill(write, write->capacity, NULL, note))
                return note->code;
        *ret_root = write->root;
        return ERR_NONE;
}
