// SPDX-License-Identifier: Apache-2.0
#include "gc_verbs.h"

#include "gc_json.h"
#include "sr_call.h"
#include "text.h"

const struct verb *const gc_verbs[] = {
        &gc_status_verb, &gc_watch_verb, &gc_run_verb, &gc_pause_verb, &gc_resume_verb, &gc_limit_verb, NULL,
};

/* Less would be a coalesce that never ends. */
#define LIMIT_AT_LEAST ((uint64_t)64 * KIB)

/* ---- status ---------------------------------------------------------------------------------- */

static const struct param status_params[] = {
        SR_PARAM,
        {.name = "history",
         .kind = PARAM_NUMBER,
         .fallback = "20",
         .help = "How many coalesces of the past --json shows, the last first; 1000 are kept."},
        {0},
};

static void put_settings(struct verb_call *call, const struct gc_settings *settings) {
        call_put(call, "paused", json_boolean(settings->is_paused));
        call_put(call, "limit", gc_json_of_limit(settings));
}

static void put_items(struct verb_call *call, struct sr *sr, const struct gc_status *status) {
        json_t *coalesces = json_array(), *garbage = json_array();
        uint64_t total = 0, done = 0, rate = 0;

        VEC_EACH (&status->items, each) {
                if (each->kind == PLAN_GARBAGE) {
                        json_array_append_new(garbage, gc_json_of_garbage(each));
                        continue;
                }
                json_array_append_new(coalesces, gc_json_of_coalesce(sr, each));
                total += each->bytes_total;
                done += each->bytes_done;
                rate += each->rate;
        }
        call_put(call, "coalesces", coalesces);
        call_put(call, "garbage", garbage);
        call_put(call, "bytes_total", json_of_u64(total));
        call_put(call, "bytes_done", json_of_u64(done));
        call_put(call, "bytes_per_second", rate ? json_of_u64(rate) : json_null());
}

static enum err put_history(struct verb_call *call, struct sr *sr, struct err_note *note) {
        AUTO(gc_history_fini) struct gc_history history = {0};
        uint64_t most = call_number(call, "history");
        json_t *rows = json_array();

        call_put(call, "history", rows);
        if (gc_history_of(sr, &history, note))
                return note->code;
        for (size_t i = history.list.n; i-- > 0 && json_array_size(rows) < most;)
                json_array_append_new(rows, gc_json_of_past(&history.list.data[i]));
        return ERR_NONE;
}

static enum err run_status(struct verb_call *call, struct err_note *note) {
        AUTO(gc_status_fini) struct gc_status status = {0};
        struct sr *sr;

        if (sr_call_open(call, SR_READ_ONLY, &sr, note) || gc_status(sr, NULL, &status, note) ||
            put_history(call, sr, note))
                return note->code;
        put_settings(call, &status.settings);
        put_items(call, sr, &status);
        if (status.settings.is_paused)
                sr_call_warn(call, "paused: 'catena gc resume' lets it go on");
        return ERR_NONE;
}

const struct verb gc_status_verb = {
        .name = "status",
        .summary = "Shows what is coalesced, what could be, and why it is not.",
        .details =
                "A row for each coalesce there is: running, ready to be begun (in that order), waiting, or "
                "failed, with what it moves and why it waits. --json has more: what waits to be deleted "
                "(garbage), the settings, and the last coalesces with their durations. Changes nothing.",
        .params = status_params,
        .shape = SHAPE_TABLE,
        .rows = "coalesces",
        .fields = gc_coalesce_fields,
        .run = run_status,
};

static const struct param watch_params[] = {
        SR_PARAM,
        {.name = "history",
         .kind = PARAM_NUMBER,
         .fallback = "0",
         .help = "How many coalesces of the past --json shows, the last first."},
        {.name = "times",
         .kind = PARAM_NUMBER,
         .fallback = "0",
         .help = "How often it looks; 0: until Ctrl-C."},
        {0},
};

const struct verb gc_watch_verb = {
        .name = "watch",
        .summary = "Shows the same each second, in place.",
        .details = "With --json an object a line. Changes nothing.",
        .params = watch_params,
        .shape = SHAPE_TABLE,
        .rows = "coalesces",
        .fields = gc_coalesce_fields,
        .run = run_status,
        .repeats = true,
};

/* ---- pause, resume, limit -------------------------------------------------------------------- */

static const struct param sr_params[] = {SR_PARAM, {0}};

static const struct field settings_fields[] = {
        {"paused", FIELD_BOOL, "nothing is coalesced", false},
        {"limit", FIELD_SIZE, "bytes a second; null: none", false},
        {0},
};

static enum err change(struct verb_call *call, bool is_paused, const uint64_t *limit, struct err_note *note) {
        struct gc_settings settings;
        struct sr *sr;

        if (sr_call_open(call, SR_OWN, &sr, note) || gc_settings_of(sr, &settings, note))
                return note->code;
        if (limit)
                settings.limit = *limit;
        else
                settings.is_paused = is_paused;
        if (gc_set(sr, &settings, note))
                return note->code;
        put_settings(call, &settings);
        return ERR_NONE;
}

static enum err run_pause(struct verb_call *call, struct err_note *note) {
        return change(call, true, NULL, note);
}

const struct verb gc_pause_verb = {
        .name = "pause",
        .summary = "Stops what is coalesced, until 'gc resume'.",
        .details = "What was moved stays moved. The pause lasts, also when this host is started anew.",
        .params = sr_params,
        .shape = SHAPE_NOTHING,
        .fields = settings_fields,
        .run = run_pause,
};

static enum err run_resume(struct verb_call *call, struct err_note *note) {
        return change(call, false, NULL, note);
}

const struct verb gc_resume_verb = {
        .name = "resume",
        .summary = "Ends a pause.",
        .params = sr_params,
        .shape = SHAPE_NOTHING,
        .fields = settings_fields,
        .run = run_resume,
};

static const struct param limit_params[] = {
        SR_PARAM,
        {.name = "rate",
         .kind = PARAM_SIZE,
         .flags = PARAM_POSITIONAL | PARAM_REQUIRED,
         .shown = "RATE",
         .help = "Bytes a second, at least 64K; 0: no limit."},
        {0},
};

static enum err run_limit(struct verb_call *call, struct err_note *note) {
        uint64_t limit = call_number(call, "rate");

        if (limit && limit < LIMIT_AT_LEAST)
                return call_usage(call, note,
                                  "RATE is at least 64K, or 0 for no limit: '%s' would never end (did you "
                                  "mean M?)",
                                  text_size(limit).s);
        return change(call, false, &limit, note);
}

const struct verb gc_limit_verb = {
        .name = "limit",
        .summary = "Limits what coalesces of an SR move a second, all together.",
        .details = "It holds from the next moment on, and lasts.",
        .params = limit_params,
        .shape = SHAPE_NOTHING,
        .fields = settings_fields,
        .run = run_limit,
};
