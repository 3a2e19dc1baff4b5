// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bar.h"
#include "doors.h"
#include "help.h"
#include "mem.h"
#include "options.h"
#include "print.h"
#include "rpc_client.h"
#include "serve_verb.h"
#include "state_dir.h"

/* ---- signals ---- */

static atomic_bool is_cancelled;

/* The first asks; the handler is gone then (SA_RESETHAND), so that a second one ends the process. */
static void ask_to_stop(int number) {
        (void)number;
        atomic_store(&is_cancelled, true);
}

/* Once our own verb has ended: those of others are asked to stop; as above, a second one ends the process. */
static atomic_bool is_hurried;

static void ask_to_leave(int number) {
        (void)number;
        atomic_store(&is_hurried, true);
}

static void set_leaving_signals(void) {
        struct sigaction ask = {.sa_handler = ask_to_leave, .sa_flags = (int)SA_RESETHAND};

        sigaction(SIGINT, &ask, NULL);
        sigaction(SIGTERM, &ask, NULL);
}

static void set_signals(void) {
        struct sigaction ask = {.sa_handler = ask_to_stop, .sa_flags = (int)SA_RESETHAND};
        struct sigaction ignore = {.sa_handler = SIG_IGN};

        sigaction(SIGINT, &ask, NULL);
        sigaction(SIGTERM, &ask, NULL);
        sigaction(SIGPIPE, &ignore, NULL);
}

/* ---- environment ---- */

static const char *variable(const char *name) {
        const char *value = getenv(name);

        return value && *value ? value : NULL;
}

/* Where the daemon listens that this call goes to; the caller's to free; NULL: it is carried out here. */
static char *socket_of(const struct options *options, const char *state) {
        const char *said = options->socket ? options->socket : variable("CATENA_SOCKET");
        AUTO_FREE char *usual = state ? mem_format("%s/" CONTROL_SOCKET, state) : NULL;

        if (noun_is_verb(options->noun) || options->verb->is_local)
                return NULL;
        if (said)
                return mem_text(said);
        return options->verb->needs_host && usual && access(usual, F_OK) == 0 ? TAKE(usual) : NULL;
}

static bool has_colour(int fd) {
        const char *term = variable("TERM");

        return isatty(fd) && !variable("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}

static enum bar_style bar_style_of(const struct options *options) {
        const char *term = variable("TERM");

        if (options->progress == WHEN_NEVER)
                return BAR_NONE;
        if (options->is_json)
                return options->progress == WHEN_ALWAYS ? BAR_JSON : BAR_NONE;
        if (isatty(STDERR_FILENO) && (!term || strcmp(term, "dumb") != 0))
                return BAR_TERMINAL;
        return options->progress == WHEN_ALWAYS ? BAR_LINES : BAR_NONE;
}

/* ---- writing ---- */

static int write_out(struct buf *text, FILE *to) {
        size_t done = text->n ? fwrite(text->data, 1, text->n, to) : 0;

        if (done == text->n && fflush(to) == 0)
                return EXIT_DONE;
        fprintf(stderr, "catena: write the result: %s\n", strerror(errno));
        return EXIT_FAILED;
}

static int exit_code_of(enum verb_outcome outcome) {
        switch (outcome) {
        case VERB_DONE:
                return EXIT_DONE;
        case VERB_PARTIAL:
                return EXIT_PARTIAL;
        case VERB_FINDINGS:
                return EXIT_FINDINGS;
        case VERB_USAGE:
                return EXIT_USAGE;
        case VERB_WRONG:
                return EXIT_FAILED;
        }
        return EXIT_FAILED;
}

/* Whether the verb's data goes to standard output, so that nothing else may. */
static bool gives_data(const struct options *options) {
        const char *output = json_string_value(json_object_get(options->params, "output"));

        return output && strcmp(output, "-") == 0;
}

static bool has_verb_name(const struct options *options) {
        return options->verb && !noun_is_verb(options->noun);
}

/* "catena vdi export: …", and what to do about it. */
static int report(const struct options *options, enum verb_outcome outcome, const struct err_note *note) {
        AUTO(buf_fini) struct buf text = {0};
        bool is_usage = outcome == VERB_USAGE;

        if (options->is_json) {
                print_json_error(&text, is_usage ? "usage" : err_name(note->code), note->text);
                (void)write_out(&text, gives_data(options) ? stderr : stdout);
        } else {
                buf_print(&text, "%scatena%s%s%s%s:%s ", has_colour(STDERR_FILENO) ? "\033[31m" : "",
                          options->noun ? " " : "", options->noun ? options->noun->name : "",
                          has_verb_name(options) ? " " : "",
                          has_verb_name(options) ? options->verb->name : "",
                          has_colour(STDERR_FILENO) ? "\033[0m" : "");
                print_safely(&text, note->text);
                buf_print(&text, "\n");
                if (is_usage && options->verb)
                        buf_print(&text, "'catena %s%s%s --help' says more.\n", options->noun->name,
                                  has_verb_name(options) ? " " : "",
                                  has_verb_name(options) ? options->verb->name : "");
                fputs(buf_text(&text), stderr);
        }
        if (note->code == ERR_CANCELLED)
                return EXIT_INTERRUPTED;
        return is_usage ? EXIT_USAGE : EXIT_FAILED;
}

/* ---- calling ---- */

/* What went less well than the result says. */
static void show_warnings(const struct options *options, const json_t *result) {
        json_t *each;
        size_t i;

        json_array_foreach(json_object_get(result, "warnings"), i, each) {
                AUTO(buf_fini) struct buf text = {0};

                print_safely(&text, json_string_value(each));
                fprintf(stderr, "catena %s %s: warning: %s\n", options->noun->name, options->verb->name,
                        buf_text(&text));
        }
}

static int show_result(const struct options *options, const struct verb_call *call) {
        AUTO(buf_fini) struct buf text = {0};
        FILE *to = gives_data(options) ? stderr : stdout;
        int written;

        if (options->is_json)
                print_json(&text, call->result);
        else
                show_warnings(options, call->result);
        if (!options->is_json && to == stdout)
                print_result(&text, options->verb, call->result, has_colour(STDOUT_FILENO));
        written = write_out(&text, to);
        return written ? written : exit_code_of(call->outcome);
}

/* Others still use the SR through us.  What is written is written: who reads our output sees its end. */
static void say_who_is_waited_for(void *user, const char *method, uint64_t pid) {
        const struct options *options = user;
        const char *dot = strchr(method, '.');
        int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

        fflush(stdout);
        if (nowhere >= 0) {
                (void)dup2(nowhere, STDOUT_FILENO);
                close(nowhere);
        }
        if (!options->is_json)
                fprintf(stderr,
                        "catena: pid %" PRIu64 " uses the SR through this process (%.*s %s): waiting for it; "
                        "Ctrl-C stops both\n",
                        pid, dot ? (int)(dot - method) : 0, method, dot ? dot + 1 : method);
}

static struct doors *new_doors(struct io *io, const struct sr_self *self, const struct options *options) {
        struct rpc_server_options server = {
                .self = self, .hurry = &is_hurried, .waits = say_who_is_waited_for, .user = (void *)options};

        return doors_new(io, self, &server);
}

static int run_once(const struct options *options, struct verb_call *call, struct bar *bar) {
        struct err_note note = {0};
        enum err failed = verb_call_run(call, &note);

        bar_clear(bar);
        if (failed)
                return report(options, call->outcome, &note);
        /* One that stays has said what there was to say. */
        return noun_is_verb(options->noun) ? EXIT_DONE : show_result(options, call);
}

static unsigned lines_of(struct buf *text) {
        unsigned n = 0;

        for (const char *at = buf_text(text); *at; at++)
                n += *at == '\n';
        return n;
}

/* One state of what is watched: in place of the last one on a terminal, else below it. */
static int redraw(const struct options *options, const struct verb_call *call, unsigned *n_lines) {
        AUTO(buf_fini) struct buf text = {0}, drawn = {0};
        bool is_in_place = !options->is_json && isatty(STDOUT_FILENO);

        if (options->is_json)
                print_json_line(&text, call->result);
        else
                print_result(&text, options->verb, call->result, has_colour(STDOUT_FILENO));
        if (text.n == 0)
                buf_print(&text, "nothing to do\n");
        if (is_in_place && *n_lines)
                buf_print(&drawn, "\033[%uA\r\033[J", *n_lines);
        *n_lines = lines_of(&text);
        buf_add(&drawn, text.data, text.n);
        return write_out(&drawn, stdout);
}

enum { REDRAW_EVERY_NS = 1000000000, NAP_NS = 50000000 };

static void wait_to_redraw(struct io *io) {
        for (unsigned i = 0; i < REDRAW_EVERY_NS / NAP_NS && !atomic_load(&is_cancelled); i++)
                io_sleep_ns(io, NAP_NS);
}

static int watch(const struct options *options, struct verb_call *call) {
        const struct verb_call fresh = *call;
        struct err_note note = {0};
        unsigned n_lines = 0;
        int code;

        for (uint64_t n = 1;; n++) {
                if (verb_call_run(call, &note))
                        return report(options, call->outcome, &note);
                code = redraw(options, call, &n_lines);
                if (code || n == call_number(call, "times"))
                        return code;
                wait_to_redraw(call->io);
                if (atomic_load(&is_cancelled))
                        return EXIT_INTERRUPTED;
                verb_call_fini(call);
                *call = fresh;
        }
}

static int run_verb(const struct options *options, struct verb_call *call, struct bar *bar) {
        if (options->verb->repeats)
                return watch(options, call);
        return run_once(options, call, bar);
}

static int run_call(const struct options *options) {
        AUTO(io_free) struct io *io = io_uring_new();
        AUTO(io_close) struct io_file *input = NULL, *output = NULL;
        AUTO_FREE char *state = state_dir_usual();
        AUTO_FREE char *socket = socket_of(options, state);
        struct bar bar = {.style = bar_style_of(options), .has_colour = has_colour(STDERR_FILENO)};
        struct progress progress = {
                .io = io, .show = bar_show, .say = bar_say, .user = &bar, .is_cancelled = &is_cancelled};
        struct err_note note = {0};
        char host[HOST_NAME_MAX + 1] = "";
        bool stays = noun_is_verb(options->noun);
        AUTO_FREE char *command = mem_format("catena %s%s%s", options->noun->name, stays ? "" : " ",
                                             stays ? "" : options->verb->name);
        struct sr_self self = {.host = host, .pid = (uint64_t)getpid(), .command = command};
        AUTO(doors_free) struct doors *doors = new_doors(io, &self, options);
        struct rpc_client client = {.input = STDIN_FILENO, .output = STDOUT_FILENO};
        const struct verb_elsewhere elsewhere = rpc_client_elsewhere(&client);
        struct serve_program program = {.is_json = options->is_json, .stop = &is_cancelled, .doors = doors};
        AUTO(verb_call_fini)
        struct verb_call call = {.verb = options->verb,
                                 .params = options->params,
                                 .io = io,
                                 .state_dir = state,
                                 .progress = &progress,
                                 .self = &self,
                                 .keeper = stays ? NULL : doors_add(doors),
                                 .elsewhere = stays ? NULL : &elsewhere,
                                 .socket = socket,
                                 .serve = serve_loose,
                                 .user = &program};
        int code;

        gethostname(host, sizeof host - 1);
        io_set_stop(io, &is_cancelled);
        if (io_open_standard(io, IO_STDIN, &input, &note) || io_open_standard(io, IO_STDOUT, &output, &note))
                return report(options, VERB_DONE, &note);
        call.input = input;
        call.output = output;
        code = run_verb(options, &call, &bar);
        set_leaving_signals();
        return code;
}

static int run_task(const struct options *options) {
        AUTO(buf_fini) struct buf text = {0};

        switch (options->task) {
        case TASK_CALL:
                return run_call(options);
        case TASK_HELP:
                help_write(&text, options->noun, options->verb);
                return write_out(&text, stdout);
        case TASK_MAN:
                help_write_man(&text);
                return write_out(&text, stdout);
        case TASK_VERSION:
                buf_print(&text, "catena " CATENA_VERSION "\n");
                return write_out(&text, stdout);
        }
        return EXIT_USAGE;
}

int command_main(int argc, char **argv) {
        AUTO(options_fini) struct options options = {0};
        struct err_note note = {0};

        set_signals();
        if (options_parse((const char *const *)argv + 1, argc > 0 ? (size_t)argc - 1 : 0, &options, &note))
                return report(&options, VERB_USAGE, &note);
        return run_task(&options);
}
