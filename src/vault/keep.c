// SPDX-License-Identifier: Apache-2.0
#include "keep.h"

#include <stdlib.h>
#include <string.h>

const char *keep_why_text(enum keep_why why) {
        switch (why) {
        case KEEP_OTHER_NAME:
                return "the rule is not for it";
        case KEEP_LAST:
                return "one of the last";
        case KEEP_DATED:
                return "dated later than it was first seen";
        case KEEP_IN_USE:
                return "somebody reads it";
        case KEEP_NOT:
                return "not one of the last";
        }
        return "";
}

static int compare_times(int64_t a, int64_t b) {
        return (a < b) - (a > b);
}

static int compare(const void *a, const void *b) {
        const struct keep_point *x = a, *y = b;
        int order = strcmp(x->name, y->name);

        if (!order)
                order = compare_times(x->first_seen, y->first_seen);
        if (!order)
                order = compare_times(x->time, y->time);
        if (!order)
                order = (x->sequence < y->sequence) - (x->sequence > y->sequence);
        return order ? order : vault_name_compare(&x->point, &y->point);
}

static bool is_dated(const struct keep_point *point) {
        return point->time > point->first_seen && point->time - point->first_seen > KEEP_CLOCKS_DIFFER;
}

/* Of one that begins or goes on with a name, of which so many good ones are newer. */
static enum keep_why choose(const struct keep_point *point, unsigned n_newer, const struct keep_rule *rule) {
        if (rule->last == 0 || (rule->name && strcmp(rule->name, point->name) != 0))
                return KEEP_OTHER_NAME;
        if (is_dated(point))
                return KEEP_DATED;
        if (n_newer < rule->last)
                return KEEP_LAST;
        return point->is_in_use ? KEEP_IN_USE : KEEP_NOT;
}

void keep_choose(struct keep_point *points, size_t n, const struct keep_rule *rule) {
        unsigned n_newer = 0;

        if (n > 1)
                qsort(points, n, sizeof *points, compare);
        for (size_t i = 0; i < n; i++) {
                bool is_same = i > 0 && strcmp(points[i].name, points[i - 1].name) == 0;

                n_newer = is_same ? n_newer : 0;
                points[i].why = choose(&points[i], n_newer, rule);
                n_newer += points[i].is_good && points[i].why != KEEP_DATED;
        }
}
