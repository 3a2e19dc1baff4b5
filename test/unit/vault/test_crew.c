// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "crew.h"

enum { N_SLOTS = 7 };

struct slot {
        unsigned number;
        unsigned squared;
};
struct job {
        struct slot slots[N_SLOTS];
        unsigned finished; /* of the numbers, in order */
        atomic_uint at_once, most_at_once, n_worked;
        unsigned fails_at; /* the number that fails; 0: none */
        bool fails_finish, is_slow;
};

static enum err work(void *user, unsigned thread, void *slot_, struct err_note *note) {
        struct job *job = user;
        struct slot *slot = slot_;
        unsigned now = atomic_fetch_add(&job->at_once, 1) + 1;

        (void)thread;
        if (now > atomic_load(&job->most_at_once))
                atomic_store(&job->most_at_once, now);
        if (job->is_slow || slot->number % 5 == 0)
                usleep(1000);
        slot->squared = slot->number * slot->number;
        atomic_fetch_sub(&job->at_once, 1);
        atomic_fetch_add(&job->n_worked, 1);
        if (!job->fails_finish && slot->number == job->fails_at)
                return err_set(note, ERR_IO, "number %u", slot->number);
        return ERR_NONE;
}

/* Without a lock: the thread sanitizer sees whether two are here at once. */
static enum err finish(void *user, void *slot_, struct err_note *note) {
        struct job *job = user;
        struct slot *slot = slot_;

        if (job->fails_finish && slot->number == job->fails_at)
                return err_set(note, ERR_NO_SPACE, "number %u", slot->number);
        if (slot->number != job->finished + 1 || slot->squared != slot->number * slot->number)
                return err_set(note, ERR_MISMATCH, "number %u came after %u", slot->number, job->finished);
        job->finished++;
        return ERR_NONE;
}

static struct crew *make_crew(struct job *job, unsigned n_threads) {
        const struct crew_options options = {.work = work,
                                             .finish = finish,
                                             .user = job,
                                             .n_threads = n_threads,
                                             .slots = job->slots,
                                             .slot_size = sizeof *job->slots,
                                             .n_slots = N_SLOTS};
        struct crew *crew = NULL;
        struct err_note note;

        assert_ok(crew_new(&options, &crew, &note));
        return crew;
}

static enum err give(struct crew *crew, unsigned number, struct err_note *note) {
        void *slot;

        if (crew_next(crew, CREW_FOREVER, &slot, note))
                return note->code;
        ((struct slot *)slot)->number = number;
        crew_give(crew);
        return ERR_NONE;
}

static void slots_are_finished_in_the_order_in_which_they_were_given(void **state) {
        (void)state;
        for (unsigned n_threads = 1; n_threads <= 5; n_threads++) {
                struct job job = {.fails_at = 0};
                AUTO(crew_free) struct crew *crew = make_crew(&job, n_threads);
                struct err_note note;
                bool is_idle;

                for (unsigned i = 1; i <= 200; i++)
                        assert_ok(give(crew, i, &note));
                assert_ok(crew_wait(crew, CREW_FOREVER, &is_idle, &note));
                assert_true(is_idle);
                assert_int_equal(job.finished, 200);
                assert_true(job.most_at_once <= n_threads);
        }
}

static void several_work_at_once(void **state) {
        struct job job = {.is_slow = true};
        AUTO(crew_free) struct crew *crew = make_crew(&job, 4);
        struct err_note note;
        bool is_idle;

        (void)state;
        for (unsigned i = 1; i <= 40; i++)
                assert_ok(give(crew, i, &note));
        assert_ok(crew_wait(crew, CREW_FOREVER, &is_idle, &note));
        assert_true(job.most_at_once > 1);
}

static void no_more_is_in_flight_than_there_are_slots(void **state) {
        struct job job = {.is_slow = true};
        AUTO(crew_free) struct crew *crew = make_crew(&job, 1);
        struct err_note note;
        unsigned given = 0;
        void *slot;

        (void)state;
        for (;;) {
                assert_ok(crew_next(crew, 0, &slot, &note));
                if (!slot)
                        break;
                ((struct slot *)slot)->number = ++given;
                crew_give(crew);
        }
        assert_true(given >= N_SLOTS && given - job.n_worked <= N_SLOTS);
}

static void the_same_slot_is_offered_until_it_is_given(void **state) {
        struct job job = {.is_slow = false};
        AUTO(crew_free) struct crew *crew = make_crew(&job, 2);
        struct err_note note;
        void *slot, *again;

        (void)state;
        assert_ok(crew_next(crew, CREW_FOREVER, &slot, &note));
        assert_ok(crew_next(crew, CREW_FOREVER, &again, &note));
        assert_ptr_equal(slot, again);
}

static void an_error_ends_it_and_is_told_always(void **state) {
        (void)state;
        for (int in_finish = 0; in_finish < 2; in_finish++) {
                struct job job = {.fails_at = 20, .fails_finish = in_finish};
                AUTO(crew_free) struct crew *crew = make_crew(&job, 3);
                enum err want = in_finish ? ERR_NO_SPACE : ERR_IO;
                struct err_note note;
                unsigned given = 0;
                bool is_idle;

                while (given < 1000 && !give(crew, given + 1, &note))
                        given++;
                assert_true(given < 20 + N_SLOTS);
                assert_err(give(crew, 1, &note), want, "number 20");
                assert_err(crew_wait(crew, CREW_FOREVER, &is_idle, &note), want, "number 20");
                assert_true(job.finished < 20);
        }
}

static void leaving_waits_for_what_is_at_work_alone(void **state) {
        struct job job = {.is_slow = true};
        struct crew *crew = make_crew(&job, 1);
        struct err_note note;

        (void)state;
        for (unsigned i = 1; i <= N_SLOTS; i++)
                assert_ok(give(crew, i, &note));
        crew_free(crew);
        assert_true(job.n_worked < N_SLOTS);
        assert_int_equal(job.at_once, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(slots_are_finished_in_the_order_in_which_they_were_given),
                cmocka_unit_test(several_work_at_once),
                cmocka_unit_test(no_more_is_in_flight_than_there_are_slots),
                cmocka_unit_test(the_same_slot_is_offered_until_it_is_given),
                cmocka_unit_test(an_error_ends_it_and_is_told_always),
                cmocka_unit_test(leaving_waits_for_what_is_at_work_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
