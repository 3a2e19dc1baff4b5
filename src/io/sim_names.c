// SPDX-License-Identifier: Apache-2.0
#include "sim_names.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- one directory's entries ---- */

static size_t entry_place(const struct sim_entries *entries, const char *name, bool *ret_found) {
        size_t low = 0, high = entries->list.n;

        *ret_found = false;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = strcmp(entries->list.data[middle].name, name);

                if (order == 0) {
                        *ret_found = true;
                        return middle;
                }
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static struct sim_entry *entry_find(const struct sim_entries *entries, const char *name) {
        bool found;
        size_t place = entry_place(entries, name, &found);

        return found ? &entries->list.data[place] : NULL;
}

static void entry_set(struct sim_entries *entries, const char *name, uint64_t inode, bool is_directory) {
        bool found;
        size_t place = entry_place(entries, name, &found);
        struct sim_entry *entry;

        if (!found) {
                (void)vec_add(&entries->list);
                entry = &entries->list.data[place];
                memmove(entry + 1, entry, (entries->list.n - 1 - place) * sizeof *entry);
                *entry = (struct sim_entry){.name = mem_text(name)};
        }
        entry = &entries->list.data[place];
        entry->inode = inode;
        entry->is_directory = is_directory;
}

static void entry_remove(struct sim_entries *entries, const char *name) {
        bool found;
        size_t place = entry_place(entries, name, &found);

        if (!found)
                return;
        free(entries->list.data[place].name);
        vec_remove_at(&entries->list, place);
}

static void entries_fini(struct sim_entries *entries) {
        VEC_EACH (&entries->list, each)
                free(each->name);
        vec_fini(&entries->list);
}

static void entries_copy(struct sim_entries *entries, const struct sim_entries *from) {
        *entries = (struct sim_entries){0};
        vec_reserve(&entries->list, from->list.n);
        for (size_t i = 0; i < from->list.n; i++) {
                struct sim_entry *entry = vec_add(&entries->list);

                *entry = from->list.data[i];
                entry->name = mem_text(entry->name);
        }
}

/* ---- life ---- */

static struct sim_dir *dir_new(struct sim_names *names, uint64_t inode) {
        struct sim_dir *dir = mem_new(struct sim_dir);

        dir->inode = inode;
        map_put(&names->dirs, map_key_u64(inode), dir);
        return dir;
}

static void dir_free(struct sim_dir *dir) {
        entries_fini(&dir->now);
        entries_fini(&dir->durable);
        free(dir);
}

static void change_fini(struct sim_name_change *change) {
        free(change->name);
        free(change->to_name);
}

static void clear_log(struct sim_names *names) {
        VEC_EACH (&names->log, each)
                change_fini(each);
        vec_fini(&names->log);
}

void sim_names_init(struct sim_names *names) {
        *names = (struct sim_names){0};
        (void)dir_new(names, SIM_ROOT);
}

void sim_names_copy(struct sim_names *names, const struct sim_names *from) {
        size_t place = 0;

        *names = (struct sim_names){0};
        for (struct sim_dir *dir; (dir = map_next(&from->dirs, &place));) {
                struct sim_dir *copy = dir_new(names, dir->inode);

                entries_copy(&copy->now, &dir->now);
                entries_copy(&copy->durable, &dir->durable);
        }
        for (size_t i = 0; i < from->log.n; i++) {
                struct sim_name_change *change = vec_add(&names->log);

                *change = from->log.data[i];
                change->name = mem_text(change->name);
                change->to_name = change->to_name ? mem_text(change->to_name) : NULL;
        }
}

void sim_names_fini(struct sim_names *names) {
        size_t place = 0;

        for (struct sim_dir *dir; (dir = map_next(&names->dirs, &place));)
                dir_free(dir);
        map_fini(&names->dirs);
        clear_log(names);
}

struct sim_dir *sim_names_dir(const struct sim_names *names, uint64_t inode) {
        return map_get(&names->dirs, map_key_u64(inode));
}

const struct sim_entry *sim_names_find(const struct sim_names *names, struct sim_place place) {
        struct sim_dir *dir = sim_names_dir(names, place.dir);

        return dir ? entry_find(&dir->now, place.name) : NULL;
}

/* ---- changing ---- */

static struct sim_name_change *log_change(struct sim_names *names, enum sim_name_kind kind,
                                          struct sim_place at, const struct sim_entry *entry,
                                          uint64_t sequence) {
        struct sim_name_change *change = vec_add(&names->log);

        *change = (struct sim_name_change){.kind = kind,
                                           .sequence = sequence,
                                           .inode = entry->inode,
                                           .is_directory = entry->is_directory,
                                           .dir = at.dir,
                                           .name = mem_text(at.name)};
        return change;
}

void sim_names_add(struct sim_names *names, struct sim_place at, uint64_t inode, bool is_directory,
                   uint64_t sequence) {
        struct sim_entry entry = {.inode = inode, .is_directory = is_directory};

        if (is_directory)
                (void)dir_new(names, inode);
        (void)log_change(names, SIM_NAME_ADD, at, &entry, sequence);
        entry_set(&sim_names_dir(names, at.dir)->now, at.name, inode, is_directory);
}

void sim_names_remove(struct sim_names *names, struct sim_place at, uint64_t sequence) {
        const struct sim_entry *entry = sim_names_find(names, at);

        (void)log_change(names, SIM_NAME_REMOVE, at, entry, sequence);
        entry_remove(&sim_names_dir(names, at.dir)->now, at.name);
}

void sim_names_move(struct sim_names *names, struct sim_place from, struct sim_place to, uint64_t sequence) {
        const struct sim_entry *entry = sim_names_find(names, from);
        struct sim_name_change *change = log_change(names, SIM_NAME_MOVE, from, entry, sequence);

        change->to_dir = to.dir;
        change->to_name = mem_text(to.name);
        entry_remove(&sim_names_dir(names, from.dir)->now, from.name);
        entry_set(&sim_names_dir(names, to.dir)->now, to.name, change->inode, change->is_directory);
}

/* ---- becoming durable ---- */

/* Which of a directory's two states. */
enum view { VIEW_NOW, VIEW_DURABLE };

static struct sim_entries *entries_of(const struct sim_names *names, uint64_t inode, enum view view) {
        struct sim_dir *dir = sim_names_dir(names, inode);

        return view == VIEW_NOW ? &dir->now : &dir->durable;
}

static bool names_inode(const struct sim_entries *entries, const char *name, uint64_t inode) {
        const struct sim_entry *entry = entry_find(entries, name);

        return entry && entry->inode == inode;
}

static bool is_empty_or_file(const struct sim_names *names, const struct sim_entry *entry, enum view view) {
        return !entry->is_directory || entries_of(names, entry->inode, view)->list.n == 0;
}

/* Could a file system show this change on top of that state? */
static bool makes_sense(const struct sim_names *names, const struct sim_name_change *change, enum view view) {
        const struct sim_entries *entries = entries_of(names, change->dir, view);
        const struct sim_entry *old;

        switch (change->kind) {
        case SIM_NAME_ADD:
                return !entry_find(entries, change->name);
        case SIM_NAME_REMOVE:
                old = entry_find(entries, change->name);
                return old && old->inode == change->inode && is_empty_or_file(names, old, view);
        case SIM_NAME_MOVE:
                old = entry_find(entries_of(names, change->to_dir, view), change->to_name);
                return names_inode(entries, change->name, change->inode) &&
                       (!old ||
                        (old->is_directory == change->is_directory && is_empty_or_file(names, old, view)));
        }
        return false;
}

/* As the change says, whatever is there: it, and all it stands on, is so. */
static void apply(struct sim_names *names, const struct sim_name_change *change, enum view view) {
        struct sim_entries *entries = entries_of(names, change->dir, view);

        switch (change->kind) {
        case SIM_NAME_ADD:
                entry_set(entries, change->name, change->inode, change->is_directory);
                break;
        case SIM_NAME_REMOVE:
                if (names_inode(entries, change->name, change->inode))
                        entry_remove(entries, change->name);
                break;
        case SIM_NAME_MOVE:
                if (names_inode(entries, change->name, change->inode))
                        entry_remove(entries, change->name);
                entry_set(entries_of(names, change->to_dir, view), change->to_name, change->inode,
                          change->is_directory);
                break;
        }
}

static bool touches(const struct sim_name_change *change, uint64_t dir, const char *name) {
        return (change->dir == dir && strcmp(change->name, name) == 0) ||
               (change->to_name && change->to_dir == dir && strcmp(change->to_name, name) == 0);
}

/* Does the later change stand on the earlier one?  It does where they share a name. */
static bool stands_on(const struct sim_name_change *later, const struct sim_name_change *earlier) {
        return touches(earlier, later->dir, later->name) ||
               (later->to_name && touches(earlier, later->to_dir, later->to_name));
}

/* Which changes a sync of that directory covers.  *ret is the caller's to free. */
static bool *covered_by(const struct sim_names *names, uint64_t dir) {
        bool *covered = mem_zero(names->log.n + 1);

        for (size_t i = names->log.n; i-- > 0;) {
                const struct sim_name_change *change = &names->log.data[i];

                covered[i] = change->dir == dir || (change->to_name && change->to_dir == dir);
                for (size_t j = i + 1; j < names->log.n && !covered[i]; j++)
                        covered[i] = covered[j] && stands_on(&names->log.data[j], change);
        }
        return covered;
}

static void forget_covered(struct sim_names *names, const bool *covered) {
        size_t n = 0;

        for (size_t i = 0; i < names->log.n; i++)
                if (covered[i])
                        change_fini(&names->log.data[i]);
                else
                        names->log.data[n++] = names->log.data[i];
        names->log.n = n;
}

void sim_names_sync(struct sim_names *names, uint64_t dir) {
        AUTO_FREE bool *covered = covered_by(names, dir);

        for (size_t i = 0; i < names->log.n; i++)
                if (covered[i])
                        apply(names, &names->log.data[i], VIEW_DURABLE);
        forget_covered(names, covered);
}

/* Which change a crash loses by its style alone; log.n: none.  covered: NULL: all. */
static size_t lost_by(const struct sim_names *names, const bool *covered, const struct sim_crash *crash) {
        size_t n = 0, turn;

        for (size_t i = 0; i < names->log.n; i++)
                n += !covered || covered[i];
        if (crash->style != CRASH_LOSES_A_NAME || n == 0)
                return names->log.n;
        turn = (size_t)(crash->turn % n);
        for (size_t i = names->log.n; i-- > 0;)
                if ((!covered || covered[i]) && turn-- == 0)
                        return i;
        return names->log.n;
}

/* covered: NULL: all. */
static void keep_some(struct sim_names *names, const bool *covered, struct sim_crash *crash) {
        size_t lost = lost_by(names, covered, crash);

        for (size_t i = 0; i < names->log.n; i++) {
                const struct sim_name_change *change = &names->log.data[i];

                if (i == lost || (covered && !covered[i]))
                        continue;
                if (sim_chance(&crash->dice,
                               sim_crash_chance(crash, CRASH_NAME, change->dir, change->sequence)) &&
                    makes_sense(names, change, VIEW_DURABLE))
                        apply(names, change, VIEW_DURABLE);
        }
}

/* Callers see what is durable and, where it still makes sense, the log on top of it. */
static void show_durable(struct sim_names *names) {
        size_t place = 0, n = 0;

        for (struct sim_dir *dir; (dir = map_next(&names->dirs, &place));) {
                entries_fini(&dir->now);
                entries_copy(&dir->now, &dir->durable);
        }
        for (size_t i = 0; i < names->log.n; i++) {
                struct sim_name_change *change = &names->log.data[i];

                if (makes_sense(names, change, VIEW_NOW)) {
                        apply(names, change, VIEW_NOW);
                        names->log.data[n++] = *change;
                } else {
                        change_fini(change);
                }
        }
        names->log.n = n;
}

void sim_names_keep(struct sim_names *names, uint64_t dir, struct sim_crash *crash) {
        AUTO_FREE bool *covered = covered_by(names, dir);

        keep_some(names, covered, crash);
        forget_covered(names, covered);
        show_durable(names);
}

void sim_names_crash(struct sim_names *names, struct sim_crash *crash) {
        keep_some(names, NULL, crash);
        clear_log(names);
        show_durable(names);
}

/* ---- who is still named ---- */

static void count_one(struct map *counts, uint64_t inode) {
        uintptr_t n = (uintptr_t)map_get(counts, map_key_u64(inode));

        map_put(counts, map_key_u64(inode), (void *)(n + 1));
}

/* Each directory once: it has one name, but a crash may have left it two for a moment. */
static void count_below(const struct sim_names *names, uint64_t inode, struct map *links) {
        const struct sim_dir *dir = sim_names_dir(names, inode);

        for (size_t i = 0; i < dir->now.list.n; i++) {
                const struct sim_entry *entry = &dir->now.list.data[i];
                bool is_new = !map_get(links, map_key_u64(entry->inode));

                count_one(links, entry->inode);
                if (entry->is_directory && is_new)
                        count_below(names, entry->inode, links);
        }
}

void sim_names_count(const struct sim_names *names, struct map *links) {
        count_one(links, SIM_ROOT);
        count_below(names, SIM_ROOT, links);
}

void sim_names_mark(const struct sim_names *names, struct map *marked) {
        size_t place = 0;

        count_one(marked, SIM_ROOT);
        for (const struct sim_dir *dir; (dir = map_next(&names->dirs, &place));) {
                for (size_t i = 0; i < dir->now.list.n; i++)
                        count_one(marked, dir->now.list.data[i].inode);
                for (size_t i = 0; i < dir->durable.list.n; i++)
                        count_one(marked, dir->durable.list.data[i].inode);
        }
        for (size_t i = 0; i < names->log.n; i++) {
                count_one(marked, names->log.data[i].inode);
                count_one(marked, names->log.data[i].dir);
                if (names->log.data[i].to_name)
                        count_one(marked, names->log.data[i].to_dir);
        }
}

void sim_names_sweep(struct sim_names *names, const struct map *marked) {
        VEC(uint64_t) gone = {0};
        size_t place = 0;

        for (struct sim_dir *dir; (dir = map_next(&names->dirs, &place));)
                if (!map_get(marked, map_key_u64(dir->inode)))
                        *vec_add(&gone) = dir->inode;
        VEC_EACH (&gone, each)
                dir_free(map_remove(&names->dirs, map_key_u64(*each)));
        vec_fini(&gone);
}
