// SPDX-License-Identifier: Apache-2.0
#include "sim_calls.h"

#include <inttypes.h>

void sim_calls_heal(struct sim_calls *calls) {
        calls->die_in = 0;
        calls->fail_in = 0;
        calls->fail_forever = false;
        calls->is_failing = false;
}

static bool dies_now(struct sim_calls *calls, const struct sim_call *call) {
        return (call->flags & CALL_CHANGES) && calls->die_in > 0 && --calls->die_in == 0;
}

static bool fails_now(struct sim_calls *calls, const struct sim_call *call) {
        if (calls->fail_with == ERR_NO_SPACE && !(call->flags & CALL_SPACIOUS))
                return false;
        if (calls->fail_in > 0 && --calls->fail_in == 0) {
                calls->is_failing = calls->fail_forever;
                return true;
        }
        return calls->is_failing;
}

void sim_calls_begin(struct sim_calls *calls, struct sim_call *call, bool is_stale) {
        call->fate = calls->is_dead ? FATE_DEAD : is_stale ? FATE_STALE : FATE_NONE;
        if (call->fate != FATE_NONE)
                return;
        calls->count.all++;
        if (call->flags & CALL_CHANGES)
                calls->count.changing++;
        if (call->flags & CALL_SPACIOUS)
                calls->count.spacious++;

        if (dies_now(calls, call)) {
                call->fate = calls->death == IO_SIM_BEFORE ? FATE_DIE_BEFORE : FATE_DIE_DURING;
                calls->is_dead = true;
        } else if (fails_now(calls, call)) {
                call->fate = FATE_FAIL;
        }
        if (call->fate != FATE_NONE)
                calls->has_fired = true;
}

static enum err outcome(const struct sim_calls *calls, const struct sim_call *call, enum err err,
                        const char **ret_why) {
        switch (call->fate) {
        case FATE_NONE:
                *ret_why = call->why;
                return err;
        case FATE_DEAD:
                *ret_why = "the machine is dead";
                return ERR_IO;
        case FATE_STALE:
                *ret_why = "opened before the machine died";
                return ERR_IO;
        case FATE_FAIL:
                *ret_why = "injected";
                return calls->fail_with;
        case FATE_DIE_BEFORE:
        case FATE_DIE_DURING:
                *ret_why = "the machine dies here";
                return ERR_IO;
        }
        return err;
}

static void describe(const struct sim_call *call, char *ret, size_t n) {
        if (call->flags & CALL_RANGE)
                (void)snprintf(ret, n, "%s %" PRIu64 " at %" PRIu64, call->verb, call->n, call->at);
        else if (call->flags & CALL_SIZE)
                (void)snprintf(ret, n, "%s %" PRIu64, call->verb, call->at);
        else if (call->flags & CALL_ON_FILE)
                (void)snprintf(ret, n, "%s", call->verb);
        else if (call->to)
                (void)snprintf(ret, n, "%s %s to %s", call->verb, call->path, call->to);
        else
                (void)snprintf(ret, n, "%s %s", call->verb, call->path);
}

static void print(const struct sim_calls *calls, const struct sim_call *call, const char *text) {
        bool needs_path = call->flags & CALL_ON_FILE;

        fprintf(calls->trace, "%6" PRIu64 " %4" PRIu64 "%c %s%s%s\n", calls->count.all, calls->count.changing,
                call->flags & CALL_CHANGES ? '*' : ' ', needs_path ? call->path : "", needs_path ? ": " : "",
                text);
}

enum err sim_calls_end(struct sim_calls *calls, const struct sim_call *call, enum err err,
                       struct err_note *note) {
        const char *why = NULL;
        char what[ERR_TEXT_SIZE];

        err = outcome(calls, call, err, &why);
        if (!err && !calls->trace)
                return err;
        describe(call, what, sizeof what);
        if (err && why)
                (void)err_set(note, err, "%s: %s (%s)", what, err_text(err), why);
        else if (err)
                (void)err_set(note, err, "%s: %s", what, err_text(err));
        if (calls->trace)
                print(calls, call, err ? note->text : what);
        return err;
}
