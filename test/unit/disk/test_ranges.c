// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>

#include "ranges.h"

enum { THREADS = 4, TURNS = 3000, SECTORS = 8 };

struct field {
        struct ranges   ranges;
        _Atomic int     in[SECTORS];    /* who is there now */
        _Atomic int     alone[SECTORS]; /* who is there alone */
        _Atomic int     n_wrong;
        _Atomic unsigned next;
};

static void visit(struct field *field, uint64_t first, uint64_t end, bool is_alone) {
        struct range range;

        ranges_enter(&field->ranges, &range, first, end, is_alone);
        for (uint64_t s = first; s < end; s++) {
                int in = atomic_fetch_add(&field->in[s], 1);
                int alone = atomic_fetch_add(&field->alone[s], is_alone);

                if (alone > 0 || (is_alone && in > 0))
                        atomic_fetch_add(&field->n_wrong, 1);
        }
        for (uint64_t s = first; s < end; s++) {
                atomic_fetch_sub(&field->alone[s], is_alone);
                atomic_fetch_sub(&field->in[s], 1);
        }
        ranges_leave(&field->ranges, &range);
}

static void *visit_on(void *arg) {
        struct field *field = arg;
        unsigned dice = atomic_fetch_add(&field->next, 1) + 1;

        for (int i = 0; i < TURNS; i++) {
                uint64_t first, n;

                dice = dice * 1103515245 + 12345;
                first = dice >> 16 & (SECTORS - 1);
                n = 1 + (dice >> 20 & 3);
                visit(field, first, first + n > SECTORS ? SECTORS : first + n, (dice >> 24 & 3) == 0);
        }
        return NULL;
}

static void who_must_be_alone_is_alone(void **state) {
        struct field field = {0};
        pthread_t threads[THREADS];

        (void)state;
        ranges_init(&field.ranges);
        for (int i = 0; i < THREADS; i++)
                assert_int_equal(pthread_create(&threads[i], NULL, visit_on, &field), 0);
        for (int i = 0; i < 50; i++) {
                ranges_freeze(&field.ranges);
                for (int s = 0; s < SECTORS; s++)
                        assert_int_equal(atomic_load(&field.in[s]), 0);
                ranges_thaw(&field.ranges);
        }
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        assert_int_equal(atomic_load(&field.n_wrong), 0);
        ranges_fini(&field.ranges);
}

static void those_apart_do_not_wait(void **state) {
        struct range a, b, c;
        struct ranges ranges;

        (void)state;
        ranges_init(&ranges);
        ranges_enter(&ranges, &a, 0, 4, true);
        ranges_enter(&ranges, &b, 4, 8, true);
        ranges_enter(&ranges, &c, 8, 12, false);
        ranges_leave(&ranges, &b);
        ranges_leave(&ranges, &a);
        ranges_leave(&ranges, &c);
        ranges_freeze(&ranges);
        ranges_thaw(&ranges);
        ranges_fini(&ranges);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_must_be_alone_is_alone),
                cmocka_unit_test(those_apart_do_not_wait),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
