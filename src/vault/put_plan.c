// SPDX-License-Identifier: Apache-2.0
#include "put_plan.h"

static enum err check_extents(const struct put_disk *disk, struct err_note *note) {
        uint64_t end = 0;

        for (size_t i = 0; i < disk->n_changed; i++) {
                const struct put_extent *extent = &disk->changed[i];

                if (extent->at < end || !add_u64(extent->at, extent->n, &end))
                        return err_set(note, ERR_INVALID,
                                       "the changed extents are not ascending and apart: %llu bytes at %llu",
                                       (unsigned long long)extent->n, (unsigned long long)extent->at);
        }
        return ERR_NONE;
}

enum err put_plan_init(struct put_plan *plan, const struct put_disk *disk, const struct id_tree_shape *shape,
                       uint64_t batch, struct err_note *note) {
        *plan = (struct put_plan){.disk = disk, .shape = *shape, .batch = batch};
        if (!disk->changed) {
                plan->end = shape->n_chunks;
                return ERR_NONE;
        }
        plan->parent_size = disk->parent->size;
        return check_extents(disk, note);
}

/* A longer disk is new behind the old end; of a shorter one the last chunk is, since zeros follow its end
 * now.  What was behind the end then says nothing of it. */
static struct put_extent extent_of_size(const struct put_plan *plan) {
        uint64_t size = plan->shape.size, old = plan->parent_size;

        if (size > old)
                return (struct put_extent){old, size - old};
        if (size < old && !is_multiple(size, plan->shape.chunk))
                return (struct put_extent){size - 1, 1};
        return (struct put_extent){0};
}

/* The next extent that has a chunk which was not looked at. */
static bool next_extent(struct put_plan *plan) {
        uint64_t common = min_u64(plan->shape.size, plan->parent_size);

        if (!plan->disk->changed)
                return false;
        while (plan->next <= plan->disk->n_changed) {
                size_t i = plan->next++;
                struct put_extent extent =
                        i < plan->disk->n_changed ? plan->disk->changed[i] : extent_of_size(plan);

                if (i < plan->disk->n_changed)
                        extent.n = extent.at < common ? min_u64(extent.n, common - extent.at) : 0;
                if (extent.n == 0)
                        continue;
                plan->at = max_u64(plan->at, extent.at / plan->shape.chunk);
                plan->end = div_up(extent.at + extent.n, plan->shape.chunk);
                if (plan->at < plan->end)
                        return true;
        }
        return false;
}

static enum err ask_source(struct put_plan *plan, uint64_t at, struct err_note *note) {
        const struct put_source *source = &plan->disk->source;

        if (at < plan->data_end)
                return ERR_NONE;
        plan->data_start = at;
        plan->data_end = plan->shape.size;
        if (!source->next_data)
                return ERR_NONE;
        if (source->next_data(source->user, at, &plan->data_start, &plan->data_end, note))
                return err_wrap(note, "disk %s: look for data at %llu", plan->disk->name,
                                (unsigned long long)at);
        return ERR_NONE;
}

/* A chunk with any data in it is read whole: the source has zeros where its holes are. */
enum err put_plan_next(struct put_plan *plan, struct put_piece *ret, struct err_note *note) {
        uint64_t chunk = plan->shape.chunk, start, end;

        *ret = (struct put_piece){.first = plan->at};
        if (plan->at >= plan->end && !next_extent(plan))
                return ERR_NONE;
        ret->first = plan->at;
        if (ask_source(plan, plan->at * chunk, note))
                return note->code;
        start = plan->data_start >= plan->shape.size ? plan->end : plan->data_start / chunk;
        end = max_u64(plan->at + 1, div_up(plan->data_end, chunk));
        ret->is_hole = start > plan->at;
        ret->n = min_u64(plan->end, ret->is_hole ? start : min_u64(end, plan->at + plan->batch)) - plan->at;
        plan->at += ret->n;
        return ERR_NONE;
}
