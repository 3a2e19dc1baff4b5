// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>

#include "verify_inside.h"

/* Of the level that is asked for, or a deeper one. */
static uint64_t read_at(struct verify_run *run, const struct vault_name *name) {
        const struct read_row *row = read_record_find(&run->record, name);

        if (!row)
                return 0;
        return run->levels & VERIFY_CONTENT ? row->content_at : row->tags_at;
}

static int compare_packs(const void *a, const void *b) {
        return vault_name_compare(&((const struct verify_pack *)a)->name,
                                  &((const struct verify_pack *)b)->name);
}

static struct verify_pack *find_pack(const struct verify_run *run, const struct vault_name *name) {
        const struct verify_pack wanted = {.name = *name};

        return run->packs.n ? bsearch(&wanted, run->packs.data, run->packs.n, sizeof wanted, compare_packs)
                            : NULL;
}

static enum err list_packs(struct verify_run *run, struct err_note *note) {
        AUTO(target_list_fini) struct target_list list = {0};
        struct vault_name name;

        if (target_list(run->vault->target, "packs/", &list, note))
                return note->code;
        VEC_EACH (&list.items, each)
                if (vault_path_parse(each->name, &name))
                        *vec_add(&run->packs) = (struct verify_pack){
                                .name = name, .size = each->size, .read_at = read_at(run, &name)};
        if (run->packs.n > 1)
                qsort(run->packs.data, run->packs.n, sizeof *run->packs.data, compare_packs);
        VEC_EACH (&run->packs, each) {
                run->report->n_packs++;
                run->report->n_bytes += each->size;
        }
        VEC_EACH (&run->before.places, each) {
                struct verify_pack *tainted = find_pack(run, &each->pack);

                if (tainted)
                        tainted->is_tainted = tainted->is_chosen = true;
        }
        return ERR_NONE;
}

/* Rows of packs that are gone go, too. */
static void tidy_record(struct verify_run *run) {
        size_t n = 0;

        VEC_EACH (&run->record.rows, each)
                if (find_pack(run, &each->pack))
                        run->record.rows.data[n++] = *each;
        run->record.rows.n = n;
}

/* ---- choosing ---- */

static void choose_all(struct verify_run *run) {
        uint64_t began = run->options->begins_anew ? 0 : run->record.began;

        VEC_EACH (&run->packs, each) {
                bool is_done = began && each->read_at >= began;

                run->report->has_resumed |= is_done;
                each->is_chosen |= !is_done;
        }
        run->record.began = run->report->has_resumed ? began : run->now;
}

static void choose_new(struct verify_run *run) {
        VEC_EACH (&run->packs, each)
                each->is_chosen |= each->read_at == 0;
}

static int compare_reads(const void *a, const void *b) {
        const struct verify_pack *of_a = *(struct verify_pack *const *)a,
                                 *of_b = *(struct verify_pack *const *)b;

        if (of_a->read_at != of_b->read_at)
                return of_a->read_at < of_b->read_at ? -1 : 1;
        return compare_packs(of_a, of_b);
}

/* Those longest unread, until they are at least so many bytes: a hundred runs of 1 % read everything. */
static void choose_share(struct verify_run *run) {
        uint64_t want = run->report->n_bytes / 100 * run->options->percent +
                        div_up(run->report->n_bytes % 100 * run->options->percent, 100);
        VEC(struct verify_pack *) order = {0};

        VEC_EACH (&run->packs, each)
                *vec_add(&order) = each;
        if (order.n > 1)
                qsort(order.data, order.n, sizeof *order.data, compare_reads);
        for (size_t i = 0; i < order.n && want; i++) {
                order.data[i]->is_chosen = true;
                want -= min_u64(want, order.data[i]->size);
        }
        vec_fini(&order);
}

enum err verify_choose(struct verify_run *run, struct err_note *note) {
        const struct verify_options *options = run->options;

        if (options->record &&
            read_record_load(run->vault->io, options->record, &run->vault->config.id, &run->record, note))
                return note->code;
        if (list_packs(run, note))
                return note->code;
        tidy_record(run);
        if (!(run->levels & (VERIFY_TAGS | VERIFY_CONTENT)))
                return ERR_NONE; /* those that are recorded as damaged alone */
        switch (options->which) {
        case VERIFY_ALL:
                choose_all(run);
                break;
        case VERIFY_NEW:
                choose_new(run);
                break;
        case VERIFY_SHARE:
                choose_share(run);
                break;
        }
        return ERR_NONE;
}
