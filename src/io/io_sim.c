// SPDX-License-Identifier: Apache-2.0
#include "io_sim.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "io_ops.h"
#include "sim_calls.h"
#include "sim_dice.h"
#include "sim_file.h"
#include "sim_names.h"

_Static_assert((int)IO_SIM_STYLES == (int)CRASH_STYLES, "one number for both");

enum { NAME_LIMIT = 255 };

struct sim_handle {
        struct io_file base;
        struct sim_file *file; /* borrowed from the machine; NULL once the machine has died, and of streams */
        enum io_lock lock;
};

struct sim_queue {
        struct io_queue base;
        VEC(struct io_request *) pending; /* owned; each borrowed until reaped */
};

/* Reads of these bytes fail. */
struct sim_broken {
        uint64_t inode, at, n;
};

struct sim_streams {
        const uint8_t *in; /* borrowed from the test */
        size_t in_n, in_max;
        struct buf out;
        uint64_t out_limit;
};

struct io_sim {
        struct io base;
        pthread_mutex_t mutex; /* held within each call */

        struct sim_names names;
        struct map files; /* inode -> struct sim_file, owned */
        struct sim_space space;
        uint64_t next_inode;
        uint64_t sequence; /* of the latest change */
        unsigned lacks;

        struct sim_calls calls;
        io_sim_watch watch; /* or NULL */
        void *watch_user;   /* borrowed from the test */
        bool is_watch_running;
        struct sim_dice dice;   /* what the caller sees */
        struct sim_dice chance; /* what happens to it */
        uint64_t now_ns;
        int64_t wall_ns; /* when now_ns is 0 */

        VEC(struct sim_handle *) handles; /* owned; each its opener's */
        VEC(struct sim_queue *) queues;   /* owned; each its maker's */
        VEC(struct sim_broken) broken;    /* owned */
        struct sim_streams streams;
        struct io_sim_traffic traffic;
};

static const struct io_ops sim_ops;

static struct io_sim *sim_of(struct io *io) {
        assert(io->ops == &sim_ops);
        return (struct io_sim *)io;
}

static struct sim_handle *handle_of(struct io_file *file) {
        return (struct sim_handle *)file;
}

static struct io_sim *lock_machine(struct io *io) {
        struct io_sim *sim = sim_of(io);

        pthread_mutex_lock(&sim->mutex);
        return sim;
}

static void unlock_machine(struct io_sim *sim) {
        pthread_mutex_unlock(&sim->mutex);
}

/* ---- calls: each op is begin, act where begin says so, end ---- */

static void die(struct io_sim *sim);

static bool is_stale(const struct io_file *file) {
        return file && !file->is_stream && !((const struct sim_handle *)file)->file;
}

static void tell_watcher(struct io_sim *sim, const struct sim_call *call) {
        io_sim_watch watch;
        void *user;

        pthread_mutex_lock(&sim->mutex);
        user = sim->watch_user;
        watch = sim->is_watch_running || !(call->flags & CALL_CHANGES) ? NULL : sim->watch;
        sim->is_watch_running |= watch != NULL;
        pthread_mutex_unlock(&sim->mutex);
        if (!watch)
                return;
        watch(user, call->verb, call->path);
        pthread_mutex_lock(&sim->mutex);
        sim->is_watch_running = false;
        pthread_mutex_unlock(&sim->mutex);
}

/* Takes the machine's lock, which end() releases.  False: nothing happens, go to the end.  a, b: the files
 * the call is on, or NULL. */
static bool begin(struct io *io, struct sim_call *call, const struct io_file *a, const struct io_file *b) {
        struct io_sim *sim = sim_of(io);

        tell_watcher(sim, call);
        lock_machine(io);
        sim_calls_begin(&sim->calls, call, is_stale(a) || is_stale(b));
        if (call->fate == FATE_DIE_BEFORE)
                die(sim);
        return call->fate == FATE_NONE || call->fate == FATE_DIE_DURING ||
               (call->fate == FATE_FAIL && (call->flags & CALL_PARTLY));
}

static bool begin_file(struct io_file *file, struct sim_call *call) {
        call->path = file->path;
        call->flags |= CALL_ON_FILE;
        return begin(file->io, call, file, NULL);
}

static enum err end(struct io *io, const struct sim_call *call, enum err err, struct err_note *note) {
        struct io_sim *sim = sim_of(io);

        if (call->fate == FATE_DIE_DURING)
                die(sim);
        err = sim_calls_end(&sim->calls, call, err, note);
        unlock_machine(sim);
        return err;
}

static enum err because(struct sim_call *call, enum err err, const char *why) {
        call->why = why;
        return err;
}

/* ---- paths ---- */

struct sim_path {
        char *text;       /* owned; absolute, without "." and ".." */
        uint64_t dir;     /* of the last name */
        const char *name; /* borrowed from text; empty for "/" */
};

static void sim_path_fini(struct sim_path *path) {
        free(path->text);
}
DEFINE_AUTO_IN_PLACE(struct sim_path, sim_path_fini);

/* The caller's to free. */
static char *normalise(const char *path) {
        char *ret = mem_zero(strlen(path) + 2);
        size_t n = 0;

        while (*path) {
                size_t part = strcspn(path, "/");

                if (part == 2 && strncmp(path, "..", 2) == 0) {
                        while (n > 0 && ret[--n] != '/')
                                ;
                } else if (part > 0 && !(part == 1 && *path == '.')) {
                        ret[n++] = '/';
                        memcpy(ret + n, path, part);
                        n += part;
                }
                path += part + (path[part] == '/');
        }
        if (n == 0)
                ret[n++] = '/';
        ret[n] = '\0';
        return ret;
}

/* Walks to the directory of the last name, which need not be there. */
static enum err find_place(struct io_sim *sim, struct sim_call *call, const char *path,
                           struct sim_path *ret) {
        char *name;

        if (!*path)
                return because(call, ERR_NOT_FOUND, "an empty path");
        *ret = (struct sim_path){.text = normalise(path), .dir = SIM_ROOT};
        name = ret->text + 1;
        for (char *slash; (slash = strchr(name, '/')); name = slash + 1) {
                const struct sim_entry *entry;

                *slash = '\0';
                entry = sim_names_find(&sim->names, (struct sim_place){ret->dir, name});
                *slash = '/';
                if (!entry)
                        return ERR_NOT_FOUND;
                if (!entry->is_directory)
                        return because(call, ERR_NOT_FOUND, "a part of the path is not a directory");
                ret->dir = entry->inode;
        }
        if (strlen(name) > NAME_LIMIT)
                return because(call, ERR_INVALID, "the name is too long");
        ret->name = name;
        return ERR_NONE;
}

static struct sim_place place_of(const struct sim_path *path) {
        return (struct sim_place){path->dir, path->name};
}

static const struct sim_entry *entry_of(const struct io_sim *sim, const struct sim_path *path) {
        static const struct sim_entry root = {.inode = SIM_ROOT, .is_directory = true};

        return *path->name ? sim_names_find(&sim->names, place_of(path)) : &root;
}

static enum err find_dir(struct io_sim *sim, struct sim_call *call, const char *path, uint64_t *ret) {
        AUTO(sim_path_fini) struct sim_path place = {0};
        const struct sim_entry *entry;
        enum err err = find_place(sim, call, path, &place);

        if (err)
                return err;
        entry = entry_of(sim, &place);
        if (!entry)
                return ERR_NOT_FOUND;
        if (!entry->is_directory)
                return because(call, ERR_NOT_FOUND, "not a directory");
        *ret = entry->inode;
        return ERR_NONE;
}

/* ---- files ---- */

static struct sim_file *file_of(const struct io_sim *sim, uint64_t inode) {
        return map_get(&sim->files, map_key_u64(inode));
}

static int64_t wall_now(const struct io_sim *sim) {
        return sim->wall_ns + (int64_t)sim->now_ns;
}

static struct sim_file *new_file(struct io_sim *sim) {
        struct sim_file *file = sim_file_new(++sim->next_inode);

        file->modified_ns = wall_now(sim);
        map_put(&sim->files, map_key_u64(file->inode), file);
        return file;
}

/* One name or opener less. */
static void let_go(struct io_sim *sim, struct sim_file *file) {
        if (file->links == 0 && file->opens == 0 && !file->is_gone)
                sim_file_give_back(file, &sim->space);
}

/* Frees the files and directories that nothing can bring back any more. */
static void free_unmarked(struct io_sim *sim, const struct map *marked) {
        VEC(struct sim_file *) gone = {0};
        size_t place = 0;

        for (struct sim_file *file; (file = map_next(&sim->files, &place));)
                if (file->opens == 0 && !map_get(marked, map_key_u64(file->inode)))
                        *vec_add(&gone) = file;
        VEC_EACH (&gone, each) {
                (void)map_remove(&sim->files, map_key_u64((*each)->inode));
                sim_file_free(*each);
        }
        vec_fini(&gone);
        sim_names_sweep(&sim->names, marked);
}

static void free_forgotten(struct io_sim *sim) {
        AUTO(map_fini) struct map marked = {0};

        sim_names_mark(&sim->names, &marked);
        free_unmarked(sim, &marked);
}

/* ---- what becomes durable when not all does ---- */

static void find_unsynced(const struct io_sim *sim, uint64_t *ret_first, uint64_t *ret_last) {
        size_t place = 0;
        uint64_t first, last;

        *ret_first = UINT64_MAX;
        *ret_last = 0;
        for (struct sim_file *file; (file = map_next(&sim->files, &place));)
                if (sim_file_unsynced(file, &first, &last)) {
                        *ret_first = min_u64(*ret_first, first);
                        *ret_last = max_u64(*ret_last, last);
                }
        if (sim->names.log.n > 0) {
                *ret_first = min_u64(*ret_first, sim->names.log.data[0].sequence);
                *ret_last = max_u64(*ret_last, sim->names.log.data[sim->names.log.n - 1].sequence);
        }
        if (*ret_first > *ret_last)
                *ret_first = *ret_last;
}

/* How many blocks are used, from scratch. */
static void recount_space(struct io_sim *sim) {
        AUTO(map_fini) struct map seen = {0};
        uint64_t total = sim->space.total;
        size_t place = 0;

        sim_space_fini(&sim->space);
        sim->space = (struct sim_space){.total = total};
        for (struct sim_file *file; (file = map_next(&sim->files, &place));)
                sim_space_add(&sim->space, &file->now, file->may_share ? &seen : NULL);
        sim->space.peak = sim->space.used;
}

/* How many names each file has: one that has come back shows its bytes again. */
static void recount_links(struct io_sim *sim, const struct map *links) {
        size_t place = 0;

        for (struct sim_file *file; (file = map_next(&sim->files, &place));) {
                file->links = (unsigned)(uintptr_t)map_get(links, map_key_u64(file->inode));
                if (file->links > 0 && file->is_gone)
                        sim_file_show_durable(file);
                let_go(sim, file);
        }
}

/* Of what a failing sync covers some is durable, decided now, and that is what everybody sees from now on. */
static void init_failing_sync(struct io_sim *sim, struct sim_crash *crash) {
        uint64_t first, last;

        find_unsynced(sim, &first, &last);
        sim_crash_init(crash, sim_roll(&sim->chance), first, last);
}

static void fail_sync(struct io_sim *sim, struct sim_file *file) {
        struct sim_crash crash;

        init_failing_sync(sim, &crash);
        sim_file_keep(file, &crash);
        sim_file_show_durable(file);
        recount_space(sim);
}

static void fail_sync_dir(struct io_sim *sim, uint64_t dir) {
        AUTO(map_fini) struct map links = {0};
        struct sim_crash crash;

        init_failing_sync(sim, &crash);
        sim_names_keep(&sim->names, dir, &crash);
        sim_names_count(&sim->names, &links);
        recount_links(sim, &links);
        recount_space(sim);
}

/* ---- opening ---- */

static struct sim_handle *new_handle(struct io *io, const char *path, unsigned flags, struct sim_file *file) {
        struct sim_handle *handle = mem_new(struct sim_handle);

        io_file_init(&handle->base, io, path, flags);
        handle->file = file;
        *vec_add(&sim_of(io)->handles) = handle;
        return handle;
}

static enum err open_entry(struct io_sim *sim, struct sim_call *call, unsigned flags, struct sim_file **ret) {
        AUTO(sim_path_fini) struct sim_path path = {0};
        const struct sim_entry *entry;
        enum err err = find_place(sim, call, call->path, &path);

        if (err)
                return err;
        entry = entry_of(sim, &path);
        if (flags & IO_CREATE) {
                if (entry)
                        return ERR_EXISTS;
                *ret = new_file(sim);
                (*ret)->links = 1;
                (*ret)->is_private = flags & IO_PRIVATE;
                sim_names_add(&sim->names, place_of(&path), (*ret)->inode, false, ++sim->sequence);
                return ERR_NONE;
        }
        if (!entry)
                return ERR_NOT_FOUND;
        if (entry->is_directory)
                return because(call, ERR_INVALID, "a directory");
        *ret = file_of(sim, entry->inode);
        return ERR_NONE;
}

static enum err sim_open(struct io *io, const char *path, unsigned flags, struct io_file **ret,
                         struct err_note *note) {
        bool creates = flags & IO_CREATE;
        struct sim_call call = {.verb = creates ? "create" : "open",
                                .path = path,
                                .flags = creates ? CALL_CHANGES | CALL_SPACIOUS : 0};
        struct sim_file *file;
        enum err err = ERR_NONE;

        if (begin(io, &call, NULL, NULL) && !(err = open_entry(sim_of(io), &call, flags, &file)) &&
            call.fate == FATE_NONE) {
                file->opens++;
                *ret = &new_handle(io, path, flags, file)->base;
        }
        return end(io, &call, err, note);
}

static void sim_close(struct io_file *base) {
        struct io_sim *sim = lock_machine(base->io);
        struct sim_handle *handle = handle_of(base);

        for (size_t i = 0; i < sim->handles.n; i++)
                if (sim->handles.data[i] == handle) {
                        vec_remove_at(&sim->handles, i);
                        break;
                }
        if (handle->file) {
                handle->file->opens--;
                let_go(sim, handle->file);
        }
        io_file_fini(base);
        free(handle);
        unlock_machine(sim);
}

static void fill_stat(const struct sim_file *file, struct io_stat *ret) {
        *ret = (struct io_stat){.size = file->now.size,
                                .allocated = file->now.n_pages * SIM_PAGE,
                                .device = 1,
                                .inode = file->inode,
                                .links = file->links,
                                .modified_ns = file->modified_ns,
                                .is_private = file->is_private};
}

static enum err sim_stat(struct io_file *file, struct io_stat *ret, struct err_note *note) {
        struct sim_call call = {.verb = "stat"};

        if (begin_file(file, &call))
                fill_stat(handle_of(file)->file, ret);
        return end(file->io, &call, ERR_NONE, note);
}

static enum err stat_entry(struct io_sim *sim, struct sim_call *call, struct io_stat *ret) {
        AUTO(sim_path_fini) struct sim_path path = {0};
        const struct sim_entry *entry;
        enum err err = find_place(sim, call, call->path, &path);

        if (err)
                return err;
        entry = entry_of(sim, &path);
        if (!entry)
                return ERR_NOT_FOUND;
        if (entry->is_directory)
                *ret = (struct io_stat){.device = 1, .inode = entry->inode, .links = 2, .is_directory = true};
        else
                fill_stat(file_of(sim, entry->inode), ret);
        return ERR_NONE;
}

static enum err sim_stat_path(struct io *io, const char *path, struct io_stat *ret, struct err_note *note) {
        struct sim_call call = {.verb = "stat", .path = path};
        enum err err = ERR_NONE;

        if (begin(io, &call, NULL, NULL))
                err = stat_entry(sim_of(io), &call, ret);
        return end(io, &call, err, note);
}

/* ---- bytes ---- */

static bool is_broken(const struct io_sim *sim, uint64_t inode, uint64_t at, uint64_t n) {
        for (size_t i = 0; i < sim->broken.n; i++) {
                const struct sim_broken *broken = &sim->broken.data[i];

                if (broken->inode == inode && broken->at < at + n && at < broken->at + broken->n)
                        return true;
        }
        return false;
}

static enum err do_read(struct io_sim *sim, struct sim_call *call, struct sim_file *file, void *ret,
                        size_t *ret_n) {
        size_t n = call->at < file->now.size ? (size_t)min_u64(call->n, file->now.size - call->at) : 0;

        if (is_broken(sim, file->inode, call->at, n))
                return because(call, ERR_IO, "a broken sector");
        sim_image_read(&file->now, ret, n, call->at);
        file->n_reads++;
        file->bytes_read += n;
        sim->traffic.reads++;
        sim->traffic.bytes_read += n;
        *ret_n = n;
        return ERR_NONE;
}

static enum err sim_read_some(struct io_file *file, void *ret, size_t n, uint64_t at, size_t *ret_n,
                              struct err_note *note) {
        struct sim_call call = {.verb = "read", .n = n, .at = at, .flags = CALL_RANGE};
        enum err err = ERR_NONE;

        if (begin_file(file, &call))
                err = do_read(sim_of(file->io), &call, handle_of(file)->file, ret, ret_n);
        return end(file->io, &call, err, note);
}

static enum err do_write(struct io_sim *sim, struct sim_file *file, const void *data, size_t n, uint64_t at) {
        size_t done = sim_file_write(file, &sim->space, data, n, at, ++sim->sequence);

        file->modified_ns = wall_now(sim);
        file->n_writes++;
        file->bytes_written += done;
        sim->traffic.writes++;
        sim->traffic.bytes_written += done;
        return done < n ? ERR_NO_SPACE : ERR_NONE;
}

/* A write that fails has written any of its sectors. */
static void write_some(struct io_sim *sim, struct sim_file *file, const uint8_t *data, size_t n,
                       uint64_t at) {
        uint64_t end_at = at + n;

        for (uint64_t here = at, next; here < end_at; here = next) {
                next = min_u64(end_at, round_down(here, SECTOR) + SECTOR);
                if (sim_chance(&sim->chance, 128))
                        (void)sim_file_write(file, &sim->space, data + (here - at), (size_t)(next - here),
                                             here, ++sim->sequence);
        }
}

static enum err sim_write(struct io_file *file, const void *data, size_t n, uint64_t at,
                          struct err_note *note) {
        struct sim_call call = {.verb = "write",
                                .n = n,
                                .at = at,
                                .flags = CALL_CHANGES | CALL_SPACIOUS | CALL_PARTLY | CALL_RANGE};
        struct io_sim *sim = sim_of(file->io);
        enum err err = ERR_NONE;

        if (begin_file(file, &call)) {
                if (call.fate == FATE_FAIL)
                        write_some(sim, handle_of(file)->file, data, n, at);
                else
                        err = do_write(sim, handle_of(file)->file, data, n, at);
        }
        return end(file->io, &call, err, note);
}

static enum err sim_sync(struct io_file *file, struct err_note *note) {
        struct sim_call call = {.verb = "sync", .flags = CALL_CHANGES | CALL_PARTLY};
        struct io_sim *sim = sim_of(file->io);

        if (begin_file(file, &call)) {
                if (call.fate == FATE_FAIL)
                        fail_sync(sim, handle_of(file)->file);
                else
                        sim_file_sync(handle_of(file)->file);
                handle_of(file)->file->n_syncs++;
                sim->traffic.syncs++;
        }
        return end(file->io, &call, ERR_NONE, note);
}

static enum err sim_truncate(struct io_file *file, uint64_t size, struct err_note *note) {
        struct sim_call call = {
                .verb = "truncate to", .at = size, .flags = CALL_CHANGES | CALL_SPACIOUS | CALL_SIZE};
        struct io_sim *sim = sim_of(file->io);

        if (begin_file(file, &call)) {
                struct sim_file *to = handle_of(file)->file;

                sim_file_truncate(to, &sim->space, size, ++sim->sequence);
                to->modified_ns = wall_now(sim);
        }
        return end(file->io, &call, ERR_NONE, note);
}

/* The size stays, and behind it is nothing.  A punch that fails has emptied any of its blocks. */
static void do_punch(struct io_sim *sim, struct sim_file *file, uint64_t n, uint64_t at, bool is_part) {
        uint64_t end_at = min_u64(at + n, round_up(file->now.size, SIM_PAGE));
        uint64_t pages = n / SIM_PAGE / 32 + 8, next;

        file->modified_ns = wall_now(sim);
        sim->traffic.punches++;
        for (uint64_t here = at; here < end_at; here = next) {
                next = end_at;
                if (is_part)
                        next = min_u64(end_at,
                                       (here / SIM_PAGE + 1 + sim_below(&sim->chance, pages)) * SIM_PAGE);
                if (!is_part || sim_chance(&sim->chance, 128))
                        sim_file_punch(file, &sim->space, next - here, here, ++sim->sequence);
        }
}

static enum err sim_punch(struct io_file *file, uint64_t n, uint64_t at, struct err_note *note) {
        struct sim_call call = {
                .verb = "punch", .n = n, .at = at, .flags = CALL_CHANGES | CALL_PARTLY | CALL_RANGE};
        struct io_sim *sim = sim_of(file->io);
        enum err err = ERR_NONE;

        if (begin_file(file, &call)) {
                if (sim->lacks & IO_SIM_NO_PUNCH)
                        err = ERR_UNSUPPORTED;
                else
                        do_punch(sim, handle_of(file)->file, n, at, call.fate == FATE_FAIL);
        }
        return end(file->io, &call, err, note);
}

static enum err do_clone(struct io_sim *sim, struct sim_call *call, struct sim_file *from, uint64_t from_at,
                         struct sim_file *to) {
        uint64_t n = call->n, to_at = call->at;

        if (sim->lacks & IO_SIM_NO_CLONE)
                return ERR_UNSUPPORTED;
        if (!range_fits(from_at, n, from->now.size))
                return because(call, ERR_INVALID, "the source ends before");
        if (!is_multiple(from_at | to_at, SIM_PAGE) ||
            (!is_multiple(n, SIM_PAGE) && (from_at + n != from->now.size || to_at + n < to->now.size)))
                return because(call, ERR_INVALID, "not aligned to blocks");
        if (from == to && from_at < to_at + n && to_at < from_at + n)
                return because(call, ERR_INVALID, "the ranges overlap");
        sim_file_clone(to, &sim->space, from, from_at, to_at, n, ++sim->sequence);
        from->may_share = true;
        to->modified_ns = wall_now(sim);
        sim->traffic.clones++;
        return ERR_NONE;
}

static enum err sim_clone_range(struct io_file *from, uint64_t from_at, struct io_file *to, uint64_t to_at,
                                uint64_t n, struct err_note *note) {
        struct sim_call call = {.verb = "clone",
                                .path = to->path,
                                .n = n,
                                .at = to_at,
                                .flags = CALL_CHANGES | CALL_SPACIOUS | CALL_RANGE | CALL_ON_FILE};
        enum err err = ERR_NONE;

        if (begin(to->io, &call, from, to))
                err = do_clone(sim_of(to->io), &call, handle_of(from)->file, from_at, handle_of(to)->file);
        return end(to->io, &call, err, note);
}

static enum err sim_next_data(struct io_file *file, uint64_t at, uint64_t *ret_start, uint64_t *ret_end,
                              struct err_note *note) {
        struct sim_call call = {.verb = "next data", .at = at, .flags = CALL_RANGE};

        if (begin_file(file, &call)) {
                const struct sim_image *image = &handle_of(file)->file->now;
                uint64_t page = sim_image_next(image, at / SIM_PAGE), start, behind;

                if (sim_of(file->io)->lacks & IO_SIM_NO_HOLES) {
                        start = min_u64(at, image->size);
                        behind = image->size;
                } else if (page == UINT64_MAX) {
                        start = behind = image->size;
                } else {
                        start = max_u64(at, page * SIM_PAGE);
                        while (sim_image_page(image, page))
                                page++;
                        behind = min_u64(page * SIM_PAGE, image->size);
                        start = min_u64(start, image->size);
                }
                *ret_start = start;
                *ret_end = behind;
        }
        return end(file->io, &call, ERR_NONE, note);
}

/* ---- names ---- */

/* What is at the end of a path loses this name. */
static void unname(struct io_sim *sim, const struct sim_entry *entry) {
        struct sim_file *file = entry->is_directory ? NULL : file_of(sim, entry->inode);

        if (!file)
                return;
        file->links--;
        let_go(sim, file);
}

/* May from's entry take the place of to's? */
static enum err check_replace(struct io_sim *sim, struct sim_call *call, const struct sim_entry *from,
                              const struct sim_entry *to) {
        if (!to)
                return ERR_NONE;
        if (from->is_directory != to->is_directory)
                return because(call, ERR_INVALID, "one is a directory, the other is not");
        if (to->is_directory && sim_names_dir(&sim->names, to->inode)->now.list.n > 0)
                return because(call, ERR_BUSY, "the directory is not empty");
        return ERR_NONE;
}

static enum err do_rename(struct io_sim *sim, struct sim_call *call) {
        AUTO(sim_path_fini) struct sim_path from = {0};
        AUTO(sim_path_fini) struct sim_path to = {0};
        const struct sim_entry *entry, *old;
        enum err err = find_place(sim, call, call->path, &from);

        if (err || (err = find_place(sim, call, call->to, &to)))
                return err;
        entry = entry_of(sim, &from);
        old = entry_of(sim, &to);
        if (!entry)
                return ERR_NOT_FOUND;
        if (!*from.name || !*to.name)
                return because(call, ERR_INVALID, "the root cannot be renamed");
        if (entry->is_directory && strncmp(to.text, from.text, strlen(from.text)) == 0 &&
            to.text[strlen(from.text)] == '/')
                return because(call, ERR_INVALID, "a directory cannot go into itself");
        if (old && old->inode == entry->inode)
                return ERR_NONE; /* two names of one file: both stay */
        err = check_replace(sim, call, entry, old);
        if (err)
                return err;
        if (old)
                unname(sim, old);
        sim_names_move(&sim->names, place_of(&from), place_of(&to), ++sim->sequence);
        return ERR_NONE;
}

static enum err sim_rename(struct io *io, const char *from, const char *to, struct err_note *note) {
        struct sim_call call = {
                .verb = "rename", .path = from, .to = to, .flags = CALL_CHANGES | CALL_SPACIOUS};
        enum err err = ERR_NONE;

        if (begin(io, &call, NULL, NULL))
                err = do_rename(sim_of(io), &call);
        return end(io, &call, err, note);
}

static enum err do_link(struct io_sim *sim, struct sim_call *call) {
        AUTO(sim_path_fini) struct sim_path from = {0};
        AUTO(sim_path_fini) struct sim_path to = {0};
        const struct sim_entry *entry;
        enum err err = find_place(sim, call, call->path, &from);

        if (err || (err = find_place(sim, call, call->to, &to)))
                return err;
        entry = entry_of(sim, &from);
        if (!entry)
                return ERR_NOT_FOUND;
        if (entry_of(sim, &to))
                return ERR_EXISTS;
        if (entry->is_directory)
                return because(call, ERR_DENIED, "a directory");
        if (sim->lacks & IO_SIM_NO_LINK)
                return ERR_UNSUPPORTED;
        file_of(sim, entry->inode)->links++;
        sim_names_add(&sim->names, place_of(&to), entry->inode, false, ++sim->sequence);
        return ERR_NONE;
}

static enum err sim_link(struct io *io, const char *from, const char *to, struct err_note *note) {
        struct sim_call call = {
                .verb = "link", .path = from, .to = to, .flags = CALL_CHANGES | CALL_SPACIOUS};
        enum err err = ERR_NONE;

        if (begin(io, &call, NULL, NULL))
                err = do_link(sim_of(io), &call);
        return end(io, &call, err, note);
}

static enum err do_remove(struct io_sim *sim, struct sim_call *call, bool is_directory) {
        AUTO(sim_path_fini) struct sim_path path = {0};
        const struct sim_entry *entry;
        enum err err = find_place(sim, call, call->path, &path);

        if (err)
                return err;
        entry = entry_of(sim, &path);
        if (!entry)
                return ERR_NOT_FOUND;
        if (!*path.name)
                return because(call, ERR_BUSY, "the root");
        if (entry->is_directory != is_directory)
                return is_directory ? because(call, ERR_NOT_FOUND, "not a directory")
                                    : because(call, ERR_INVALID, "a directory");
        if (is_directory && sim_names_dir(&sim->names, entry->inode)->now.list.n > 0)
                return because(call, ERR_BUSY, "the directory is not empty");
        unname(sim, entry);
        sim_names_remove(&sim->names, place_of(&path), ++sim->sequence);
        return ERR_NONE;
}

static enum err sim_unlink(struct io *io, const char *path, struct err_note *note) {
        struct sim_call call = {.verb = "unlink", .path = path, .flags = CALL_CHANGES};
        enum err err = ERR_NONE;

        if (begin(io, &call, NULL, NULL))
                err = do_remove(sim_of(io), &call, false);
        return end(io, &call, err, note);
}

static enum err sim_remove_dir(struct io *io, const char *path, struct err_note *note) {
        struct sim_call call = {.verb = "remove directory", .path = path, .flags = CALL_CHANGES};
        enum err err = ERR_NONE;

        if (begin(io, &call, NULL, NULL))
                err = do_remove(sim_of(io), &call, true);
        return end(io, &call, err, note);
}

static enum err do_make_dir(struct io_sim *sim, struct sim_call *call) {
        AUTO(sim_path_fini) struct sim_path path = {0};
        enum err err = find_place(sim, call, call->path, &path);

        if (err)
                return err;
        if (entry_of(sim, &path))
                return ERR_EXISTS;
        sim_names_add(&sim->names, place_of(&path), ++sim->next_inode, true, ++sim->sequence);
        return ERR_NONE;
}

static enum err sim_make_dir(struct io *io, const char *path, bool is_private, struct err_note *note) {
        struct sim_call call = {
                .verb = "make directory", .path = path, .flags = CALL_CHANGES | CALL_SPACIOUS};
        enum err err = ERR_NONE;

        (void)is_private; /* there is nobody else */

        if (begin(io, &call, NULL, NULL))
                err = do_make_dir(sim_of(io), &call);
        return end(io, &call, err, note);
}

static enum err sim_sync_dir(struct io *io, const char *path, struct err_note *note) {
        struct sim_call call = {.verb = "sync directory", .path = path, .flags = CALL_CHANGES | CALL_PARTLY};
        struct io_sim *sim = sim_of(io);
        enum err err = ERR_NONE;
        uint64_t dir;

        if (begin(io, &call, NULL, NULL) && !(err = find_dir(sim, &call, path, &dir))) {
                if (call.fate == FATE_FAIL)
                        fail_sync_dir(sim, dir);
                else
                        sim_names_sync(&sim->names, dir);
                free_forgotten(sim);
                sim->traffic.dir_syncs++;
        }
        return end(io, &call, err, note);
}

static enum err sim_list(struct io *io, const char *path, struct io_names *ret, struct err_note *note) {
        struct sim_call call = {.verb = "list", .path = path};
        struct io_sim *sim = sim_of(io);
        enum err err = ERR_NONE;
        uint64_t dir;

        if (begin(io, &call, NULL, NULL) && !(err = find_dir(sim, &call, path, &dir)))
                VEC_EACH (&sim_names_dir(&sim->names, dir)->now.list, each)
                        *vec_add(&ret->names) = mem_text(each->name);
        return end(io, &call, err, note);
}

static enum err sim_canonical(struct io *io, const char *path, char **ret, struct err_note *note) {
        AUTO(sim_path_fini) struct sim_path place = {0};
        struct sim_call call = {.verb = "canonical path of", .path = path};
        struct io_sim *sim = sim_of(io);
        enum err err = ERR_NONE;

        if (begin(io, &call, NULL, NULL) && !(err = find_place(sim, &call, path, &place))) {
                if (entry_of(sim, &place))
                        *ret = TAKE(place.text);
                else
                        err = ERR_NOT_FOUND;
        }
        return end(io, &call, err, note);
}

static enum err sim_space_left(struct io *io, const char *path, struct io_space *ret, struct err_note *note) {
        struct sim_call call = {.verb = "space of", .path = path};
        struct io_sim *sim = sim_of(io);
        struct io_stat stat;
        enum err err = ERR_NONE;

        if (begin(io, &call, NULL, NULL) && !(err = stat_entry(sim, &call, &stat))) {
                ret->total = sim->space.total * SIM_PAGE;
                ret->free = sim->space.used < sim->space.total
                                    ? (sim->space.total - sim->space.used) * SIM_PAGE
                                    : 0;
        }
        return end(io, &call, err, note);
}

/* ---- locks ---- */

static bool is_in_the_way(const struct sim_handle *other, const struct sim_handle *mine,
                          enum io_lock wanted) {
        if (other == mine || other->file != mine->file)
                return false;
        return wanted == IO_EXCLUSIVE ? other->lock != IO_UNLOCKED
                                      : wanted == IO_SHARED && other->lock == IO_EXCLUSIVE;
}

static enum err sim_lock(struct io_file *file, enum io_lock lock, struct err_note *note) {
        struct sim_call call = {.verb = lock == IO_UNLOCKED ? "unlock" : "lock"};
        struct sim_handle *mine = handle_of(file);
        enum err err = ERR_NONE;

        if (begin_file(file, &call)) {
                VEC_EACH (&sim_of(file->io)->handles, each)
                        if (is_in_the_way(*each, mine, lock))
                                err = because(&call, ERR_BUSY, "locked by another opener");
                if (!err)
                        mine->lock = lock;
        }
        return end(file->io, &call, err, note);
}

/* ---- streams ---- */

static enum err sim_open_standard(struct io *io, enum io_standard which, struct io_file **ret,
                                  struct err_note *note) {
        bool is_out = which == IO_STDOUT;
        struct sim_call call = {.verb = "open", .path = is_out ? "standard output" : "standard input"};

        if (begin(io, &call, NULL, NULL)) {
                struct sim_handle *handle = new_handle(io, call.path, is_out ? IO_WRITE : IO_READ, NULL);

                handle->base.is_stream = true;
                *ret = &handle->base;
        }
        return end(io, &call, ERR_NONE, note);
}

static enum err sim_stream_read(struct io_file *file, void *ret, size_t n, size_t *ret_n,
                                struct err_note *note) {
        struct sim_call call = {.verb = "stream read", .n = n};
        struct sim_streams *streams = &sim_of(file->io)->streams;

        if (begin_file(file, &call)) {
                n = min_u64(n, streams->in_n);
                if (streams->in_max > 0)
                        n = min_u64(n, streams->in_max);
                if (n > 0)
                        memcpy(ret, streams->in, n);
                if (n > 0)
                        streams->in += n;
                streams->in_n -= n;
                *ret_n = n;
        }
        return end(file->io, &call, ERR_NONE, note);
}

static enum err sim_stream_write(struct io_file *file, const void *data, size_t n, struct err_note *note) {
        struct sim_call call = {.verb = "stream write", .n = n, .flags = CALL_CHANGES};
        struct sim_streams *streams = &sim_of(file->io)->streams;
        enum err err = ERR_NONE;

        if (begin_file(file, &call)) {
                size_t fits = (size_t)min_u64(n, streams->out_limit - streams->out.n);

                buf_add(&streams->out, data, fits);
                err = fits < n ? ERR_CLOSED : ERR_NONE;
        }
        return end(file->io, &call, err, note);
}

/* ---- clock, dice ---- */

static uint64_t sim_now_ns(struct io *io) {
        struct io_sim *sim = lock_machine(io);
        uint64_t now = sim->now_ns;

        unlock_machine(sim);
        return now;
}

static int64_t sim_wall_ns(struct io *io) {
        struct io_sim *sim = lock_machine(io);
        int64_t now = wall_now(sim);

        unlock_machine(sim);
        return now;
}

void io_sim_advance(struct io *io, uint64_t ns) {
        struct io_sim *sim = lock_machine(io);

        sim->now_ns += ns;
        unlock_machine(sim);
}

void io_sim_set_wall(struct io *io, int64_t ns) {
        struct io_sim *sim = lock_machine(io);

        sim->wall_ns = ns - (int64_t)sim->now_ns;
        unlock_machine(sim);
}

static void sim_random(struct io *io, void *ret, size_t n) {
        struct io_sim *sim = lock_machine(io);

        sim_fill(&sim->dice, ret, n);
        unlock_machine(sim);
}

/* ---- queue ---- */

static const struct io_queue_ops sim_queue_ops;

static enum err sim_queue_new(struct io *io, unsigned depth, struct io_queue **ret, struct err_note *note) {
        struct sim_queue *queue = mem_new(struct sim_queue);
        struct io_sim *sim = lock_machine(io);

        (void)depth;
        (void)note;
        queue->base.ops = &sim_queue_ops;
        *vec_add(&sim->queues) = queue;
        unlock_machine(sim);
        *ret = &queue->base;
        return ERR_NONE;
}

static void sim_queue_free(struct io_queue *base) {
        struct sim_queue *queue = (struct sim_queue *)base;
        struct io_sim *sim = lock_machine(base->io);

        for (size_t i = 0; i < sim->queues.n; i++)
                if (sim->queues.data[i] == queue) {
                        vec_remove_at(&sim->queues, i);
                        break;
                }
        unlock_machine(sim);
        vec_fini(&queue->pending);
        free(queue);
}

static void sim_submit(struct io_queue *base, struct io_request *request) {
        struct io_sim *sim = lock_machine(base->io);

        *vec_add(&((struct sim_queue *)base)->pending) = request;
        unlock_machine(sim);
}

/* Any of those in flight, or none where enough have ended and the dice say so. */
static struct io_request *pick(struct sim_queue *queue, bool must) {
        struct io_sim *sim = lock_machine(queue->base.io);
        struct io_request *picked = NULL;

        if (queue->pending.n > 0 && (must || sim_chance(&sim->chance, 128))) {
                size_t i = sim_below(&sim->chance, queue->pending.n);

                picked = queue->pending.data[i];
                vec_remove_at(&queue->pending, i);
        }
        unlock_machine(sim);
        return picked;
}

static unsigned sim_reap(struct io_queue *base, unsigned min, struct io_request **ret, unsigned max) {
        unsigned n = 0;

        while (n < max) {
                struct io_request *request = pick((struct sim_queue *)base, n < min);

                if (!request)
                        break;
                io_request_run(request);
                ret[n++] = request;
        }
        return n;
}

static const struct io_queue_ops sim_queue_ops = {
        .free = sim_queue_free, .submit = sim_submit, .reap = sim_reap};

/* ---- dying ---- */

/* A write that nobody has reaped. */
static void write_in_flight(struct io_sim *sim, const struct io_request *request) {
        struct sim_file *file = handle_of(request->file)->file;
        uint64_t at = request->at;

        if (request->op != IO_OP_WRITE || !file)
                return;
        for (unsigned i = 0; i < request->n_vec; i++) {
                if (request->vec[i].iov_len > 0)
                        (void)do_write(sim, file, request->vec[i].iov_base, request->vec[i].iov_len, at);
                at += request->vec[i].iov_len;
        }
}

/* The last moment: of the requests in flight any may have been done, in any order. */
static void die(struct io_sim *sim) {
        sim->calls.is_dead = true;
        VEC_EACH (&sim->queues, queue) {
                size_t n = (*queue)->pending.n, first = n > 0 ? sim_below(&sim->chance, n) : 0;

                for (size_t i = 0; i < n; i++)
                        if (sim_chance(&sim->chance, 128))
                                write_in_flight(sim, (*queue)->pending.data[(first + i) % n]);
        }
}

static void close_all(struct io_sim *sim) {
        VEC_EACH (&sim->handles, each) {
                struct sim_file *file = (*each)->file;

                (*each)->file = NULL;
                (*each)->lock = IO_UNLOCKED;
                if (file) {
                        file->opens--;
                        let_go(sim, file);
                }
        }
}

/* In the order of inodes, so that a seed means the same whatever the map's order. */
static void crash_files(struct io_sim *sim, struct sim_crash *crash) {
        for (uint64_t inode = 1; inode <= sim->next_inode; inode++) {
                struct sim_file *file = file_of(sim, inode);

                if (file) {
                        sim_file_keep(file, crash);
                        sim_file_show_durable(file);
                }
        }
}

static void restart(struct io_sim *sim) {
        sim_calls_heal(&sim->calls);
        sim->calls.is_dead = false;
}

void io_sim_crash(struct io *io, uint64_t seed) {
        AUTO(map_fini) struct map links = {0};
        struct io_sim *sim = lock_machine(io);
        struct sim_crash crash;
        uint64_t first, last;

        if (!sim->calls.is_dead)
                die(sim);
        close_all(sim);
        find_unsynced(sim, &first, &last);
        sim_crash_init(&crash, seed, first, last);
        crash_files(sim, &crash);
        sim_names_crash(&sim->names, &crash);
        sim_names_count(&sim->names, &links);
        free_unmarked(sim, &links);
        recount_links(sim, &links);
        recount_space(sim);
        restart(sim);
        unlock_machine(sim);
}

void io_sim_kill(struct io *io) {
        struct io_sim *sim = lock_machine(io);

        if (!sim->calls.is_dead)
                die(sim);
        close_all(sim);
        restart(sim);
        unlock_machine(sim);
}

void io_sim_settle(struct io *io) {
        struct io_sim *sim = lock_machine(io);
        size_t place = 0;

        for (struct sim_file *file; (file = map_next(&sim->files, &place));)
                sim_file_sync(file);
        place = 0;
        for (struct sim_dir *dir; (dir = map_next(&sim->names.dirs, &place));)
                sim_names_sync(&sim->names, dir->inode);
        free_forgotten(sim);
        unlock_machine(sim);
}

unsigned io_sim_open_files(struct io *io) {
        struct io_sim *sim = lock_machine(io);
        unsigned n = (unsigned)sim->handles.n;

        unlock_machine(sim);
        return n;
}

void io_sim_abandon(struct io *io) {
        struct io_sim *sim = sim_of(io);

        while (sim->handles.n > 0)
                sim_close(&sim->handles.data[0]->base);
        while (sim->queues.n > 0) {
                vec_fini(&sim->queues.data[0]->base.refused);
                sim_queue_free(&sim->queues.data[0]->base);
        }
}

/* ---- faults, watching ---- */

struct io_sim_count io_sim_count(struct io *io) {
        struct io_sim *sim = lock_machine(io);
        struct io_sim_count count = sim->calls.count;

        unlock_machine(sim);
        return count;
}

void io_sim_die_at(struct io *io, uint64_t n, enum io_sim_death death) {
        struct io_sim *sim = lock_machine(io);

        sim->calls.die_in = n;
        sim->calls.death = death;
        sim->calls.has_fired = false;
        unlock_machine(sim);
}

void io_sim_fail_at(struct io *io, uint64_t n, enum err err, bool forever) {
        struct io_sim *sim = lock_machine(io);

        sim->calls.fail_in = n;
        sim->calls.fail_with = err;
        sim->calls.fail_forever = forever;
        sim->calls.is_failing = false;
        sim->calls.has_fired = false;
        unlock_machine(sim);
}

void io_sim_heal(struct io *io) {
        struct io_sim *sim = lock_machine(io);

        sim_calls_heal(&sim->calls);
        unlock_machine(sim);
}

bool io_sim_fired(struct io *io) {
        struct io_sim *sim = lock_machine(io);
        bool fired = sim->calls.has_fired;

        unlock_machine(sim);
        return fired;
}

bool io_sim_is_dead(struct io *io) {
        struct io_sim *sim = lock_machine(io);
        bool is_dead = sim->calls.is_dead;

        unlock_machine(sim);
        return is_dead;
}

/* For the watcher's own look-ups, which are no calls of the machine. */
static struct sim_file *look_up(struct io_sim *sim, const char *path) {
        AUTO(sim_path_fini) struct sim_path place = {0};
        struct sim_call call = {0};
        const struct sim_entry *entry;

        if (find_place(sim, &call, path, &place))
                return NULL;
        entry = entry_of(sim, &place);
        return entry && !entry->is_directory ? file_of(sim, entry->inode) : NULL;
}

void io_sim_break(struct io *io, const char *path, uint64_t n, uint64_t at) {
        struct io_sim *sim = lock_machine(io);
        const struct sim_file *file = look_up(sim, path);

        assert(file);
        for (size_t i = sim->broken.n; n == 0 && i-- > 0;)
                if (sim->broken.data[i].inode == file->inode)
                        vec_remove_at(&sim->broken, i);
        if (n > 0)
                *vec_add(&sim->broken) = (struct sim_broken){file->inode, at, n};
        unlock_machine(sim);
}

void io_sim_set_watch(struct io *io, io_sim_watch watch, void *user) {
        struct io_sim *sim = lock_machine(io);

        sim->watch = watch;
        sim->watch_user = user;
        unlock_machine(sim);
}

void io_sim_trace(struct io *io, FILE *trace) {
        struct io_sim *sim = lock_machine(io);

        sim->calls.trace = trace;
        unlock_machine(sim);
}

struct io_sim_traffic io_sim_traffic(struct io *io) {
        struct io_sim *sim = lock_machine(io);
        struct io_sim_traffic traffic = sim->traffic;

        unlock_machine(sim);
        return traffic;
}

struct io_sim_traffic io_sim_file_traffic(struct io *io, const char *path) {
        struct io_sim *sim = lock_machine(io);
        const struct sim_file *file = look_up(sim, path);
        struct io_sim_traffic traffic = {0};

        if (file)
                traffic = (struct io_sim_traffic){.reads = file->n_reads,
                                                  .writes = file->n_writes,
                                                  .syncs = file->n_syncs,
                                                  .bytes_read = file->bytes_read,
                                                  .bytes_written = file->bytes_written};
        unlock_machine(sim);
        return traffic;
}

void io_sim_set_stdin(struct io *io, const void *data, size_t n, size_t max_piece) {
        struct io_sim *sim = lock_machine(io);

        sim->streams.in = data;
        sim->streams.in_n = n;
        sim->streams.in_max = max_piece;
        unlock_machine(sim);
}

struct span io_sim_stdout(struct io *io) {
        struct io_sim *sim = lock_machine(io);
        struct span span = {sim->streams.out.data, sim->streams.out.n};

        unlock_machine(sim);
        return span;
}

void io_sim_close_stdout_at(struct io *io, uint64_t n) {
        struct io_sim *sim = lock_machine(io);

        sim->streams.out_limit = max_u64(n, sim->streams.out.n);
        unlock_machine(sim);
}

/* ---- life ---- */

static struct io_sim *machine_new(void) {
        struct io_sim *sim = mem_new(struct io_sim);

        sim->base.ops = &sim_ops;
        pthread_mutex_init(&sim->mutex, NULL);
        sim->streams.out_limit = UINT64_MAX;
        return sim;
}

void io_sim_reseed(struct io *io, uint64_t seed) {
        struct io_sim *sim = lock_machine(io);

        sim->dice.state = sim_hash(seed, 1);
        sim->chance.state = sim_hash(seed, 2);
        unlock_machine(sim);
}

void io_sim_resize(struct io *io, uint64_t size) {
        struct io_sim *sim = lock_machine(io);

        sim->space.total = size / SIM_PAGE;
        unlock_machine(sim);
}

uint64_t io_sim_size(struct io *io) {
        struct io_sim *sim = lock_machine(io);
        uint64_t size = sim->space.total * SIM_PAGE;

        unlock_machine(sim);
        return size;
}

uint64_t io_sim_used(struct io *io) {
        struct io_sim *sim = lock_machine(io);
        uint64_t used = sim->space.used * SIM_PAGE;

        unlock_machine(sim);
        return used;
}

uint64_t io_sim_peak(struct io *io) {
        struct io_sim *sim = lock_machine(io);
        uint64_t peak = sim->space.peak * SIM_PAGE;

        unlock_machine(sim);
        return peak;
}

void io_sim_set_lacks(struct io *io, unsigned lacks) {
        struct io_sim *sim = lock_machine(io);

        sim->lacks = lacks;
        unlock_machine(sim);
}

struct io *io_sim_new(uint64_t seed, uint64_t size) {
        struct io_sim *sim = machine_new();

        sim_names_init(&sim->names);
        sim->next_inode = SIM_ROOT;
        sim->wall_ns = 1767225600 * (int64_t)1000000000; /* 2026-01-01 */
        io_sim_resize(&sim->base, size > 0 ? size : 1024 * TIB);
        io_sim_reseed(&sim->base, seed);
        return &sim->base;
}

struct io *io_sim_fork(struct io *io) {
        struct io_sim *from = lock_machine(io), *sim = machine_new();
        size_t place = 0;

        sim_names_copy(&sim->names, &from->names);
        sim_space_copy(&sim->space, &from->space);
        for (struct sim_file *file; (file = map_next(&from->files, &place));) {
                struct sim_file *copy = sim_file_copy(file);

                map_put(&sim->files, map_key_u64(copy->inode), copy);
                let_go(sim, copy);
        }
        VEC_EACH (&from->broken, each)
                *vec_add(&sim->broken) = *each;
        sim->next_inode = from->next_inode;
        sim->sequence = from->sequence;
        sim->lacks = from->lacks;
        sim->dice = from->dice;
        sim->chance = from->chance;
        sim->now_ns = from->now_ns;
        sim->wall_ns = from->wall_ns;
        sim->calls.is_dead = from->calls.is_dead;
        unlock_machine(from);
        return &sim->base;
}

static void sim_free(struct io *io) {
        struct io_sim *sim = sim_of(io);
        size_t place = 0;

        assert(sim->handles.n == 0 && sim->queues.n == 0);
        for (struct sim_file *file; (file = map_next(&sim->files, &place));)
                sim_file_free(file);
        map_fini(&sim->files);
        sim_names_fini(&sim->names);
        sim_space_fini(&sim->space);
        vec_fini(&sim->handles);
        vec_fini(&sim->queues);
        vec_fini(&sim->broken);
        buf_fini(&sim->streams.out);
        pthread_mutex_destroy(&sim->mutex);
        free(sim);
}

static const struct io_ops sim_ops = {
        .free = sim_free,
        .open = sim_open,
        .close = sim_close,
        .stat = sim_stat,
        .stat_path = sim_stat_path,
        .read_some = sim_read_some,
        .write = sim_write,
        .sync = sim_sync,
        .truncate = sim_truncate,
        .punch = sim_punch,
        .clone_range = sim_clone_range,
        .next_data = sim_next_data,
        .rename = sim_rename,
        .link = sim_link,
        .unlink = sim_unlink,
        .make_dir = sim_make_dir,
        .remove_dir = sim_remove_dir,
        .sync_dir = sim_sync_dir,
        .list = sim_list,
        .canonical = sim_canonical,
        .space = sim_space_left,
        .lock = sim_lock,
        .open_standard = sim_open_standard,
        .stream_read = sim_stream_read,
        .stream_write = sim_stream_write,
        .now_ns = sim_now_ns,
        .wall_ns = sim_wall_ns,
        .sleep_ns = io_sim_advance,
        .random = sim_random,
        .queue_new = sim_queue_new,
};
