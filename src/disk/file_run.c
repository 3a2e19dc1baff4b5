// SPDX-License-Identifier: Apache-2.0
#include "file_run.h"

#include "chain.h"
#include "file_intent.h"
#include "mem.h"
#include "text.h"
#include "vhd_children.h"
#include "vhd_resize_file.h"

enum { PAGE = 4096, METADATA_PER_BLOCK = 2 * PAGE /* its bitmap, and a page that it shares */ };

struct folders {
        VEC(char *) list; /* owned, and each: canonical, once */
};

static void folders_fini(struct folders *folders) {
        VEC_EACH (&folders->list, each)
                free(*each);
        vec_fini(&folders->list);
}
DEFINE_AUTO_IN_PLACE(struct folders, folders_fini);

static const struct image *target_of(const struct file_run *run) {
        return run->nodes.data[0];
}

/* ---- which files ---- */

static enum err count_layers(struct io *io, const struct chain *chain, const char *target, unsigned *ret,
                             struct err_note *note) {
        struct io_stat stat;

        if (chain_depth(chain) < 2)
                return err_set(note, ERR_INVALID, "%s has no parent", chain_layer(chain, 0)->path);
        *ret = 2;
        if (!target)
                return ERR_NONE;
        if (io_stat_path(io, target, &stat, note))
                return note->code;
        for (; *ret <= chain_depth(chain); (*ret)++) {
                const struct image *layer = chain_layer(chain, *ret - 1);

                if (layer->device == stat.device && layer->inode == stat.inode)
                        return ERR_NONE;
        }
        return err_set(note, ERR_INVALID, "%s is no ancestor of %s", target, chain_layer(chain, 0)->path);
}

/* A node that has to grow may show what something below it holds there. */
static enum err check_below(const struct chain *chain, unsigned i, struct err_note *note) {
        const struct image *node = chain_layer(chain, i);

        for (unsigned below = i + 1; below < chain_depth(chain); below++)
                if (chain_layer(chain, below)->size > node->size)
                        return err_set(note, ERR_UNSUPPORTED,
                                       "%s would have to grow, and %s below it is larger: what it holds "
                                       "there would show",
                                       node->path, chain_layer(chain, below)->path);
        return ERR_NONE;
}

static enum err check_sizes(const struct chain *chain, unsigned n, struct err_note *note) {
        const struct image *top = chain_layer(chain, 0);

        for (unsigned i = 1; i < n; i++) {
                const struct image *node = chain_layer(chain, i);

                if (node->size > top->size)
                        return err_set(note, ERR_UNSUPPORTED,
                                       "%s, %s, is larger than %s above it, %s: it would be neither disk "
                                       "afterwards",
                                       node->path, text_size(node->size).s, top->path,
                                       text_size(top->size).s);
                if (node->size < top->size && check_below(chain, i, note))
                        return note->code;
        }
        return ERR_NONE;
}

static enum err find(struct file_run *run, const char *child, const char *target, struct err_note *note) {
        AUTO(chain_abandon) struct chain *chain = NULL;
        unsigned n = 0;

        if (chain_open(&run->images, child, CHAIN_READ, &chain, note) ||
            count_layers(run->images.io, chain, target, &n, note) || check_sizes(chain, n, note))
                return note->code;
        while (n-- > 0)
                *vec_add(&run->nodes) = image_ref((struct image *)chain_layer(chain, n));
        return ERR_NONE;
}

/* ---- each by itself ---- */

static enum err check_file(struct file_run *run, const struct image *node, struct err_note *note) {
        struct io_stat stat;

        if (!node->is_writable)
                return err_set(note, ERR_READ_ONLY, "%s may not be written to", node->path);
        if (io_stat(node->file, &stat, note))
                return err_wrap(note, "%s", node->path);
        if (stat.is_block_device)
                return err_set(note, ERR_UNSUPPORTED, "%s is a device", node->path);
        if (uuid_is_null(&node->uuid) && image_kind_of_path(node->path) == IMAGE_VHD)
                return err_set(note, ERR_UNSUPPORTED, "%s has no uuid", node->path);
        if (stat.links > 1)
                return err_set(note, ERR_BUSY, "%s has another name, by which it may be another's",
                               node->path);
        if (vhd_resize_file_check(run->images.io, node->path, note))
                return note->code;
        /* Those who read it meanwhile would see blocks go. */
        if (io_lock(node->file, IO_EXCLUSIVE, note))
                return err_wrap(note, "open %s", node->path);
        return ERR_NONE;
}

/* ---- who else ---- */

static enum err folder_of(struct io *io, const char *path, char **ret, struct err_note *note) {
        AUTO_FREE char *canonical = NULL;
        char *slash;

        if (io_canonical(io, path, &canonical, note))
                return note->code;
        slash = strrchr(canonical, '/');
        slash[slash == canonical] = '\0';
        *ret = TAKE(canonical);
        return ERR_NONE;
}

static enum err add_folder(struct folders *folders, struct io *io, const char *path, struct err_note *note) {
        AUTO_FREE char *folder = NULL;

        if (folder_of(io, path, &folder, note))
                return note->code;
        VEC_EACH (&folders->list, each)
                if (strcmp(*each, folder) == 0)
                        return ERR_NONE;
        *vec_add(&folders->list) = TAKE(folder);
        return ERR_NONE;
}

static enum err refuse_sr(struct io *io, const char *folder, struct err_note *note) {
        AUTO_FREE char *mark = mem_format("%s/.catena", folder);
        struct err_note unused;
        struct io_stat stat;

        if (io_stat_path(io, mark, &stat, &unused) || !stat.is_directory)
                return ERR_NONE;
        return err_set(note, ERR_UNSUPPORTED, "%s is an SR: 'catena gc run --sr %s' coalesces what is in it",
                       folder, folder);
}

struct other_intents {
        const struct file_run *run; /* borrowed */
        const char *own;            /* borrowed */
};

static bool is_named(struct io *io, const struct image *node, const struct vhd_intent_node *named) {
        struct err_note unused;
        struct io_stat stat;

        if (!named->is_raw)
                return uuid_equal(&node->uuid, &named->uuid);
        return !io_stat_path(io, named->path, &stat, &unused) && node->device == stat.device &&
               node->inode == stat.inode;
}

static enum err refuse_intent(void *user, const char *path, const struct vhd_intent *intent,
                              struct err_note *note) {
        const struct other_intents *other = user;
        AUTO_FREE char *command = file_intent_command(intent);

        if (strcmp(path, other->own) == 0)
                return ERR_NONE;
        VEC_EACH (&other->run->nodes, node)
                VEC_EACH (&intent->nodes, named)
                        if (is_named(other->run->images.io, *node, named))
                                return err_set(note, ERR_BUSY,
                                               "%s is part of another coalesce that was interrupted: '%s' "
                                               "ends it",
                                               (*node)->path, command);
        return ERR_NONE;
}

static enum err check_folders(struct file_run *run, const struct file_run_options *options,
                              struct err_note *note) {
        struct io *io = run->images.io;
        struct other_intents other = {run, options->intent};
        const struct vhd_children children = {io, run->nodes.data, run->nodes.n, options->ignores_unreadable};
        AUTO(folders_fini) struct folders folders = {0};

        VEC_EACH (&run->nodes, node)
                if (add_folder(&folders, io, (*node)->path, note))
                        return note->code;
        VEC_EACH (&folders.list, folder)
                if (refuse_sr(io, *folder, note) ||
                    file_intent_each(io, *folder, false, refuse_intent, &other, note) ||
                    vhd_children_look(&children, *folder, note))
                        return note->code;
        return ERR_NONE;
}

static enum err check_openers(struct file_run *run, struct err_note *note) {
        struct io_file **files = mem_grow(NULL, run->nodes.n, sizeof *files);

        for (size_t i = 0; i < run->nodes.n; i++)
                files[i] = run->nodes.data[i]->file;
        io_find_opener(run->images.io, files, run->nodes.n, &run->openers);
        free(files);
        if (!run->openers.is_found)
                return ERR_NONE;
        if (run->openers.pid == 0)
                return err_set(note, ERR_BUSY, "%s is in use as %s",
                               run->nodes.data[run->openers.which]->path, run->openers.name);
        return err_set(note, ERR_BUSY, "%s is open in pid %ld (%s)",
                       run->nodes.data[run->openers.which]->path, run->openers.pid, run->openers.name);
}

/* ---- space ---- */

static enum err count_held(struct file_run *run, struct err_note *note) {
        run->n_held = 0;
        for (size_t i = 1; i < run->nodes.n; i++) {
                struct image_slots slots = {0};
                enum err err = run->nodes.data[i]->ops->load(run->nodes.data[i], &slots, note);

                run->n_held += slots.held.n;
                vec_fini(&slots.held);
                if (err)
                        return err_wrap(note, "read which blocks %s holds", run->nodes.data[i]->path);
        }
        return mover_price(run->nodes.data, run->nodes.n, 0, &run->price, note);
}

/* Whether what leaves the node gives its space back to the target.  A hole past the end says whether holes
 * can be, and changes nothing. */
static enum err gives_back(const struct file_run *run, const struct image *node, bool *ret,
                           struct err_note *note) {
        struct io_stat stat;
        enum err err;

        *ret = false;
        if (node->device != target_of(run)->device)
                return ERR_NONE;
        if (io_stat(node->file, &stat, note))
                return err_wrap(note, "%s", node->path);
        err = io_punch(node->file, PAGE, round_up(stat.size, PAGE), note);
        *ret = !err;
        return err == ERR_UNSUPPORTED ? ERR_NONE : err;
}

/* Where each batch gives its space back the next has it, and where there is less it is made smaller (push.h).
 */
enum err file_run_check_space(const struct file_run *run, struct err_note *note) {
        uint64_t needed = run->price.bytes + run->price.new_blocks * METADATA_PER_BLOCK;
        AUTO_FREE char *folder = NULL;
        struct io_space space;
        bool does_give = true;

        if (run->n_held == 0)
                return ERR_NONE;
        for (size_t i = 1; i < run->nodes.n && does_give; i++)
                if (gives_back(run, run->nodes.data[i], &does_give, note))
                        return note->code;
        if (does_give)
                return ERR_NONE;
        if (folder_of(run->images.io, target_of(run)->path, &folder, note) ||
            io_space(run->images.io, folder, &space, note))
                return note->code;
        if (needed <= space.free)
                return ERR_NONE;
        return err_set(note, ERR_NO_SPACE,
                       "what is moved into %s gives no space back meanwhile: %s are needed, and %s are free",
                       target_of(run)->path, text_size(needed).s, text_size(space.free).s);
}

/* ---- all of it ---- */

static enum err check(struct file_run *run, const struct file_run_options *options, struct err_note *note) {
        VEC_EACH (&run->nodes, node)
                if (check_file(run, *node, note))
                        return note->code;
        if (check_folders(run, options, note) || check_openers(run, note) || count_held(run, note))
                return note->code;
        return ERR_NONE;
}

enum err file_run_open(struct io *io, const char *child, const struct file_run_options *options,
                       struct file_run *ret, struct err_note *note) {
        images_init(&ret->images, io, &(struct images_options){.growth_bytes = options->growth_bytes});
        if (find(ret, child, options->target, note) || check(ret, options, note)) {
                file_run_close(ret);
                return note->code;
        }
        return ERR_NONE;
}

void file_run_close(struct file_run *run) {
        VEC_EACH (&run->nodes, node)
                image_unref(*node);
        vec_fini(&run->nodes);
        images_fini(&run->images);
}

/* ---- as an intent ---- */

enum err file_run_describe(const struct file_run *run, int64_t begun, struct vhd_intent *ret,
                           struct err_note *note) {
        ret->begun = begun;
        VEC_EACH (&run->nodes, each) {
                struct vhd_intent_node *node = vec_add(&ret->nodes);

                *node = (struct vhd_intent_node){
                        .uuid = (*each)->uuid, .size = (*each)->size, .is_raw = uuid_is_null(&(*each)->uuid)};
                if (io_canonical(run->images.io, (*each)->path, &node->path, note))
                        return note->code;
                if (strlen(node->path) > VHD_INTENT_PATH_MAX)
                        return err_set(note, ERR_TOO_LARGE, "the path of %s is too long", (*each)->path);
        }
        return ERR_NONE;
}

bool file_run_is_of(const struct file_run *run, const struct vhd_intent *intent) {
        if (run->nodes.n != intent->nodes.n)
                return false;
        for (size_t i = 0; i < run->nodes.n; i++)
                if (!uuid_equal(&run->nodes.data[i]->uuid, &intent->nodes.data[i].uuid))
                        return false;
        return true;
}
