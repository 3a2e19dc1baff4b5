// SPDX-License-Identifier: Apache-2.0
#include "gc_verbs.h"

#include <string.h>

#include "buf.h"
#include "gc_json.h"
#include "sr_call.h"
#include "text.h"

const struct verb *const gc_verbs[] = {
        &gc_status_verb, &gc_watch_verb, &gc_run_verb, &gc_pause_verb, &gc_resume_verb, &gc_limit_verb, NULL,
};

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
        call_put(call, "guests", json_string(settings->ignores_guests ? "off" : "on"));
        call_put(call, "windows", gc_json_of_windows(settings));
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

/* In words, for the table: what is not as it is by default, and what holds it back. */
static void warn_of_settings(struct verb_call *call, const struct gc_status *status) {
        const struct gc_settings *settings = &status->settings;
        AUTO(buf_fini) struct buf line = {0};

        if (settings->limit)
                buf_print(&line, "limit %s/s", text_size(settings->limit).s);
        if (settings->ignores_guests)
                buf_print(&line, "%sguests are not spared", line.n ? ", " : "");
        for (unsigned i = 0; i < settings->windows.n; i++)
                buf_print(&line, "%s%s",
                          i        ? ", "
                          : line.n ? ", windows "
                                   : "windows ",
                          window_format(&settings->windows.list[i]).s);
        if (settings->windows.n)
                buf_print(&line, "%s", status->held.opens_at ? " (shut)" : " (open)");
        if (line.n)
                sr_call_warn(call, buf_text(&line));
        if (*gc_held_text(&status->held).s)
                sr_call_warn(call, gc_held_text(&status->held).s);
}

static enum err run_status(struct verb_call *call, struct err_note *note) {
        AUTO(gc_status_fini) struct gc_status status = {0};
        struct sr *sr;

        if (sr_call_open(call, SR_READ_ONLY, &sr, note) || gc_status(sr, NULL, &status, note) ||
            put_history(call, sr, note))
                return note->code;
        put_settings(call, &status.settings);
        put_items(call, sr, &status);
        call_put(call, "held", gc_json_of_held(&status.held));
        if (status.settings.is_paused)
                sr_call_warn(call, "paused: 'catena gc resume' lets it go on");
        warn_of_settings(call, &status);
        return ERR_NONE;
}

const struct verb gc_status_verb = {
        .name = "status",
        .summary = "Shows what is coalesced, what could be, and why it is not.",
        .details =
                "A row for each coalesce there is: running, ready to be begun (in that order), waiting, or "
                "failed, with what it moves and why it waits. --json has more: what waits to be deleted "
                "(garbage), the settings, how what runs is held back and by what (held), and the last "
                "coalesces "
                "with their durations. Changes nothing.",
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
        {"guests", FIELD_TEXT, "on: it holds back while they wait for it; off", false},
        {"windows", FIELD_OBJECT, "when it may run, as text; none: always", false},
        {0},
};

/* The settings that a verb changes; NULL: as they are. */
struct wish {
        const bool *is_paused, *ignores_guests; /* borrowed */
        const uint64_t *limit;                  /* borrowed */
        const struct windows *windows;          /* borrowed */
};

static enum err change(struct verb_call *call, const struct wish *wish, struct err_note *note) {
        struct gc_settings settings;
        struct sr *sr;

        if (sr_call_open(call, SR_OWN, &sr, note) || gc_settings_of(sr, &settings, note))
                return note->code;
        if (wish->is_paused)
                settings.is_paused = *wish->is_paused;
        if (wish->ignores_guests)
                settings.ignores_guests = *wish->ignores_guests;
        if (wish->limit)
                settings.limit = *wish->limit;
        if (wish->windows)
                settings.windows = *wish->windows;
        if (gc_set(sr, &settings, note))
                return note->code;
        put_settings(call, &settings);
        return ERR_NONE;
}

static enum err run_pause(struct verb_call *call, struct err_note *note) {
        const bool is_paused = true;

        return change(call, &(struct wish){.is_paused = &is_paused}, note);
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
        const bool is_paused = false;

        return change(call, &(struct wish){.is_paused = &is_paused}, note);
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
         .flags = PARAM_POSITIONAL,
         .shown = "RATE",
         .help = "Bytes a second, at least 64K; 0: no limit."},
        {.name = "guests",
         .kind = PARAM_CHOICE,
         .choices = "on|off",
         .help = "on, as it is at first: coalesces hold back while requests of the disks' users take longer "
                 "than "
                 "they do when nothing is moved, and go on at 4M a second however long they take. off: full "
                 "speed."},
        {.name = "window",
         .kind = PARAM_TEXT,
         .flags = PARAM_REPEATED,
         .shown = "WINDOW",
         .help = "When coalesces may run: days, times, or both, and perhaps a limit of its own, such as "
                 "22:00-06:00, sat,sun, or 'mon-fri 22:00-06:00=200M'. Given more than once: in any of them. "
                 "Those that were set before are forgotten. always: at any time."},
        {0},
};

static enum err take_windows(struct verb_call *call, struct windows *ret, struct err_note *note) {
        const json_t *list = call_list(call, "window"), *each;
        struct err_note why;
        size_t i;

        json_array_foreach(list, i, each) {
                const char *text = json_string_value(each);

                if (strcmp(text, "always") == 0 && json_array_size(list) > 1)
                        return call_usage(call, note, "--window always stands alone: it forgets all others");
                if (strcmp(text, "always") == 0)
                        return ERR_NONE;
                if (ret->n == WINDOWS_MAX)
                        return call_usage(call, note, "--window: there can be %d", WINDOWS_MAX);
                if (window_parse(text, &ret->list[ret->n], &why))
                        return call_usage(call, note, "--window %s", why.text);
                ret->n++;
        }
        return ERR_NONE;
}

static enum err run_limit(struct verb_call *call, struct err_note *note) {
        uint64_t limit = call_number(call, "rate");
        const char *guests = call_text(call, "guests");
        bool ignores_guests = guests && strcmp(guests, "off") == 0;
        struct windows windows = {0};
        struct wish wish = {.limit = call_has(call, "rate") ? &limit : NULL,
                            .ignores_guests = guests ? &ignores_guests : NULL,
                            .windows = call_has(call, "window") ? &windows : NULL};

        if (!wish.limit && !wish.ignores_guests && !wish.windows)
                return call_usage(call, note, "what is to be set: RATE, --guests or --window?");
        if (limit && limit < GC_LIMIT_AT_LEAST)
                return call_usage(call, note,
                                  "RATE is at least 64K, or 0 for no limit: '%s' would never end (did you "
                                  "mean M?)",
                                  text_size(limit).s);
        if (wish.windows && take_windows(call, &windows, note))
                return note->code;
        return change(call, &wish, note);
}

const struct verb gc_limit_verb = {
        .name = "limit",
        .summary = "Sets how fast coalesces of an SR may go, all together, and when.",
        .details =
                "What is not given stays as it is. It holds from the next moment on, and lasts. Outside its "
                "windows (local time) what is coalesced stops as with 'gc pause', and what was moved stays "
                "moved; "
                "a window whose end is not after its beginning goes on into the next day. Files that nothing "
                "needs are deleted at any time.",
        .params = limit_params,
        .shape = SHAPE_NOTHING,
        .fields = settings_fields,
        .run = run_limit,
};
