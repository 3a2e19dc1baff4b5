// SPDX-License-Identifier: Apache-2.0
#include "crew.h"
#include "mem.h"
#include "scrub.h"
#include "verify_inside.h"

#define SAVE_NS ((uint64_t)30 * 1000000000)
enum { STEP_NS = 200 * 1000000 };

/* One pack on its way through the crew. */
struct job {
        const struct verify_pack *pack; /* borrowed from the run */
        bool content;
        bool is_gone;             /* since it was listed: prune is at work */
        struct scrubbed scrubbed; /* owned */
};

struct jobs {
        struct verify_run *run;       /* borrowed */
        struct blob_reader **readers; /* owned, and each; one for each thread */
        struct job *slots;            /* owned */
        unsigned n_threads, n_slots;
        struct crew *crew;     /* owned */
        uint64_t all;          /* bytes of what was chosen */
        _Atomic uint64_t done; /* of these */
        uint64_t saved_at;     /* io's clock; finish alone */
};

/* ---- in the threads ---- */

static enum err work(void *user, unsigned thread, void *slot, struct err_note *note) {
        struct jobs *jobs = user;
        struct job *job = slot;
        enum err err = scrub_pack(jobs->readers[thread], jobs->run->vault, &job->pack->name, job->pack->size,
                                  job->content, &job->scrubbed, note);

        job->is_gone = err == ERR_NOT_FOUND;
        return job->is_gone ? ERR_NONE : err;
}

static void taint(struct verify_run *run, const struct vault_name *pack, uint32_t number,
                  bool is_unreadable) {
        const struct vault_place place = {*pack, number};

        *vec_add(&run->after.places) = place;
        if (is_unreadable)
                *vec_add(&run->unreadable) = place;
}

/* A pack whose trailer is damaged is one that nobody may rely on, though indexes may still lead to each of
 * its blobs. */
static void tell(struct verify_run *run, const struct job *job) {
        const struct scrubbed *scrubbed = &job->scrubbed;
        const struct vault_name *name = &job->pack->name;
        struct vault_path path = vault_pack_path(name);

        if (scrubbed->text) {
                verify_find(run, VERIFY_IN_PACK, path.s, scrubbed->text);
                taint(run, name, VAULT_WHOLE_PACK, scrubbed->is_unknown);
        }
        VEC_EACH (&scrubbed->blobs, each) {
                struct verify_finding *finding = verify_find(run, VERIFY_IN_BLOB, path.s, each->text);

                finding->blob = (struct vault_place){*name, each->number};
                finding->at = each->at;
                finding->n = each->stored;
                finding->id = each->id;
                taint(run, name, each->number, true);
        }
}

static enum err save_now_and_then(struct jobs *jobs, struct err_note *note) {
        struct verify_run *run = jobs->run;
        uint64_t now = io_now_ns(run->vault->io);

        if (!run->options->record || now - jobs->saved_at < SAVE_NS)
                return ERR_NONE;
        jobs->saved_at = now;
        return read_record_save(run->vault->io, run->options->record, &run->record, note);
}

static enum err finish(void *user, void *slot, struct err_note *note) {
        struct jobs *jobs = user;
        struct job *job = slot;
        struct verify_run *run = jobs->run;

        if (!job->is_gone) {
                tell(run, job);
                read_record_add(&run->record, &job->pack->name, run->now, job->content);
                run->report->n_packs_read++;
                run->report->n_bytes_read += job->scrubbed.n_bytes;
                run->report->n_blobs_read += job->scrubbed.n_blobs;
        }
        scrubbed_fini(&job->scrubbed);
        atomic_fetch_add(&jobs->done, job->pack->size);
        return save_now_and_then(jobs, note);
}

/* ---- the caller's thread ---- */

static void jobs_fini(struct jobs *jobs) {
        if (jobs->crew)
                crew_free(TAKE(jobs->crew));
        for (unsigned i = 0; i < jobs->n_slots; i++)
                scrubbed_fini(&jobs->slots[i].scrubbed);
        for (unsigned i = 0; i < jobs->n_threads; i++)
                blob_reader_free(jobs->readers[i]);
        free(jobs->slots);
        free(jobs->readers);
}
DEFINE_AUTO_IN_PLACE(struct jobs, jobs_fini);

static enum err jobs_init(struct jobs *jobs, struct verify_run *run, struct err_note *note) {
        jobs->run = run;
        jobs->n_threads = run->options->n_threads ? run->options->n_threads : crew_cores();
        jobs->n_slots = 2 * jobs->n_threads;
        jobs->slots = mem_zero(jobs->n_slots * sizeof *jobs->slots);
        jobs->readers = mem_zero(jobs->n_threads * sizeof(struct blob_reader *));
        for (unsigned i = 0; i < jobs->n_threads; i++)
                jobs->readers[i] = blob_reader_new(run->vault->blobs);
        jobs->saved_at = io_now_ns(run->vault->io);
        VEC_EACH (&run->packs, each)
                jobs->all += each->is_chosen ? each->size : 0;
        return crew_new(&(struct crew_options){.work = work,
                                               .finish = finish,
                                               .user = jobs,
                                               .n_threads = jobs->n_threads,
                                               .slots = jobs->slots,
                                               .slot_size = sizeof *jobs->slots,
                                               .n_slots = jobs->n_slots},
                        &jobs->crew, note);
}

static enum err step(const struct jobs *jobs, struct err_note *note) {
        const struct verify_options *options = jobs->run->options;

        return options->step ? options->step(options->user, atomic_load(&jobs->done), jobs->all, note)
                             : ERR_NONE;
}

static enum err give(struct jobs *jobs, const struct verify_pack *pack, struct err_note *note) {
        void *slot = NULL;
        struct job *job;

        while (!slot)
                if (step(jobs, note) || crew_next(jobs->crew, STEP_NS, &slot, note))
                        return note->code;
        job = slot;
        job->pack = pack;
        job->content = pack->is_tainted || (jobs->run->levels & VERIFY_CONTENT);
        crew_give(jobs->crew);
        return ERR_NONE;
}

static enum err wait(struct jobs *jobs, struct err_note *note) {
        bool is_idle = false;

        while (!is_idle)
                if (step(jobs, note) || crew_wait(jobs->crew, STEP_NS, &is_idle, note))
                        return note->code;
        return step(jobs, note);
}

enum err verify_packs(struct verify_run *run, struct err_note *note) {
        AUTO(jobs_fini) struct jobs jobs = {0};

        if (jobs_init(&jobs, run, note))
                return note->code;
        VEC_EACH (&run->packs, each)
                if (each->is_chosen && give(&jobs, each, note))
                        return note->code;
        return wait(&jobs, note);
}
