// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "gc_json.h"
#include "gc_verbs.h"
#include "smgc.h"
#include "mem.h"
#include "sr_call.h"
#include "text.h"

/* How long a wait for the limit or for others is slept through before a stop is looked for. */
#define NAP_NS ((uint64_t)50 * 1000 * 1000)

static const struct param run_params[] = {
        SR_PARAM,
        {.name = "log-format",
         .kind = PARAM_CHOICE,
         .choices = "none|smgc",
         .fallback = "none",
         .help = "smgc: lines on standard error as XCP-ng's SMlog has them, for those who grep them."},
        {0},
};

static const struct field run_fields[] = {
        {"coalesced", FIELD_NUMBER, "coalesces that were done", false},
        {"moved", FIELD_SIZE, "bytes that they moved", false},
        {"removed", FIELD_NUMBER, "files that nothing needed any more", false},
        {"freed", FIELD_SIZE, "bytes that these took", false},
        {"failed", FIELD_NUMBER, "coalesces that failed; reasons say why", false},
        {"waiting", FIELD_NUMBER, "coalesces that have to wait; reasons say for what", false},
        {"reasons", FIELD_OBJECT, "one for each that failed or waits: name, state, reason", false},
        {"coalesces", FIELD_OBJECT, "what is left to do, as gc status shows it", true},
        {0},
};

struct run {
        struct verb_call *call; /* borrowed */
        struct smgc smgc;
        bool has_log;
};

static void tell(void *user, const struct gc_event *event) {
        struct run *run = user;

        if (run->has_log)
                smgc_tell(&run->smgc, event);
}

static void rest(void *user) {
        sr_call_rest(((struct run *)user)->call);
}

static void resume(void *user) {
        sr_call_resume(((struct run *)user)->call);
}

/* Others come in between, and a stop is heard. */
static enum err breathe(struct run *run, const struct gc *gc, uint64_t wait_ns, struct err_note *note) {
        struct gc_sums sums = gc_sums(gc);
        struct progress *progress = run->call->progress;

        sr_call_rest(run->call);
        if (wait_ns)
                io_sleep_ns(run->call->io, wait_ns < NAP_NS ? wait_ns : NAP_NS);
        sr_call_resume(run->call);
        progress->total = sums.bytes_total;
        return progress_step(progress, sums.bytes_done, note);
}

static enum err run_to_the_end(struct run *run, struct gc *gc, struct gc_turn *ret, struct err_note *note) {
        struct gc_turn turn;

        do {
                if (gc_step(gc, &turn, note) ||
                    breathe(run, gc, turn.what == GC_WAITS ? turn.wait_ns : 0, note))
                        return note->code;
        } while (turn.what == GC_WORKED || turn.what == GC_WAITS);
        *ret = turn;
        return ERR_NONE;
}

/* Who wants to be called again should know when. */
static void warn_of_rest(struct verb_call *call, const struct gc_turn *turn) {
        AUTO_FREE char *text = NULL;

        if (turn->what == GC_PAUSED) {
                text = mem_text("paused: 'catena gc resume' lets it go on");
        } else if (turn->what == GC_SHUT && turn->wait_ns == UINT64_MAX) {
                text = mem_text("outside its window, which does not open within two weeks");
        } else if (turn->what == GC_SHUT) {
                text = mem_format(
                        "outside its window: opens in %s; 'catena gc limit --window always' opens it now",
                        text_duration(turn->wait_ns).s);
        }
        if (!text)
                return;
        call->outcome = VERB_PARTIAL;
        sr_call_warn(call, text);
}

static void put_left(struct verb_call *call, struct sr *sr, const struct gc_status *status) {
        json_t *reasons = json_array(), *left = json_array();
        unsigned n_waiting = 0, n_failed = 0;

        VEC_EACH (&status->items, each) {
                const struct vdi *vdi = gc_vdi_above(sr, each);

                if (each->kind == PLAN_COALESCE)
                        json_array_append_new(left, gc_json_of_coalesce(sr, each));
                n_waiting += each->kind == PLAN_COALESCE && each->state == PLAN_WAITING;
                n_failed += each->state == PLAN_FAILED;
                if (*each->reason)
                        json_array_append_new(reasons,
                                              json_pack("{s:o, s:s, s:o}", "name",
                                                        json_of_text(vdi ? vdi->row.name
                                                                         : uuid_format(&each->run.data[0]).s),
                                                        "state", plan_state_name(each->state), "reason",
                                                        json_of_text(each->reason)));
        }
        call_put(call, "failed", json_integer(n_failed));
        call_put(call, "waiting", json_integer(n_waiting));
        if (n_failed)
                call->outcome = VERB_PARTIAL;
        call_put(call, "reasons", reasons);
        call_put(call, "coalesces", left);
}

static enum err put_result(struct verb_call *call, struct sr *sr, const struct gc *gc,
                           struct err_note *note) {
        AUTO(gc_status_fini) struct gc_status status = {0};
        struct gc_sums sums = gc_sums(gc);

        call_put(call, "coalesced", json_integer(sums.n_done));
        call_put(call, "moved", json_of_u64(sums.bytes_done));
        call_put(call, "removed", json_integer(sums.n_garbage));
        call_put(call, "freed", json_of_u64(sums.bytes_freed));
        if (gc_trouble(gc)->code)
                sr_call_warn(call, gc_trouble(gc)->text);
        if (gc_status(sr, NULL, &status, note))
                return note->code;
        put_left(call, sr, &status);
        return ERR_NONE;
}

static enum err run_run(struct verb_call *call, struct err_note *note) {
        struct run run = {.call = call, .has_log = strcmp(call_text(call, "log-format"), "smgc") == 0};
        struct gc_options options = {
                .tell = tell, .rest = rest, .resume = resume, .user = &run, .tries_failed = true};
        AUTO(gc_free) struct gc *gc = NULL;
        struct gc_turn last = {0};
        struct sr *sr;

        if (sr_call_open(call, SR_OWN, &sr, note) || gc_new(sr, &options, &gc, note))
                return note->code;
        if (sr_is_read_only(sr))
                return err_set(note, ERR_READ_ONLY, "SR %s is read-only here", sr_where(sr));
        run.smgc = (struct smgc){.sr = sr, .progress = call->progress, .self = call->self};
        if (run.has_log)
                smgc_begins(&run.smgc);
        progress_begin(call->progress, "coalesce", 0);
        if (run_to_the_end(&run, gc, &last, note))
                return note->code;
        progress_end(call->progress);
        if (run.has_log)
                smgc_ends(&run.smgc);
        warn_of_rest(call, &last);
        return put_result(call, sr, gc, note);
}

const struct verb gc_run_verb = {
        .name = "run",
        .summary = "Coalesces all there is to coalesce, and deletes what nothing needs.",
        .details = "Hidden files go from chains; their bytes move into the file below. Snapshots and disks "
                   "read as before at every moment, and whatever stops it (Ctrl-C, a crash, a full disk), "
                   "what was moved stays moved and the next run goes on from there.\n"
                   "What waits for somebody is shown with the reason and keeps nothing else from being done. "
                   "While users of its disks wait longer than they would, it holds back, and goes at full "
                   "speed when there are none ('gc limit'). Exits with 3 where something failed, where gc is "
                   "paused, or outside its windows while there is something to do.",
        .params = run_params,
        .shape = SHAPE_RECORD,
        .fields = run_fields,
        .run = run_run,
};
