// SPDX-License-Identifier: Apache-2.0
#include "catenad.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "command.h"
#include "daemon.h"
#include "help.h"
#include "print.h"

static struct daemon_signals signals;

/* The first asks; a second one ends the process (SA_RESETHAND). */
static void ask_to_stop(int number) {
        (void)number;
        atomic_store(&signals.stop, true);
}

static void ask_to_reload(int number) {
        (void)number;
        atomic_store(&signals.reload, true);
}

static void set_signals(void) {
        struct sigaction ask = {.sa_handler = ask_to_stop, .sa_flags = (int)SA_RESETHAND};
        struct sigaction again = {.sa_handler = ask_to_reload, .sa_flags = SA_RESTART};
        struct sigaction ignore = {.sa_handler = SIG_IGN};

        sigaction(SIGINT, &ask, NULL);
        sigaction(SIGTERM, &ask, NULL);
        sigaction(SIGHUP, &again, NULL);
        sigaction(SIGPIPE, &ignore, NULL);
}

static void say(const char *text) {
        AUTO(buf_fini) struct buf line = {0};

        print_safely(&line, text);
        fprintf(stderr, "catenad: %s\n", buf_text(&line));
}

struct words {
        const char *config; /* borrowed */
        bool is_check, is_help, is_version;
};

static bool parse(int argc, char **argv, struct words *ret) {
        for (int i = 1; i < argc; i++) {
                if (strcmp(argv[i], "--check") == 0)
                        ret->is_check = true;
                else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
                        ret->is_help = true;
                else if (strcmp(argv[i], "--version") == 0)
                        ret->is_version = true;
                else if (strncmp(argv[i], "--config=", 9) == 0 && argv[i][9])
                        ret->config = argv[i] + 9;
                else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
                        ret->config = argv[++i];
                else
                        return false;
        }
        return true;
}

static int help(void) {
        printf("Usage: catenad [--config FILE] [--check]\n\n"
               "Owns the SRs that its configuration names, serves their disks, and answers clients, until "
               "SIGTERM.\n\n"
               "  --config FILE  how it is configured (%s where not given)\n"
               "  --check        says whether that is good, and starts nothing\n"
               "  --version      says which version this is\n\n"
               "SIGHUP reads the configuration again.  catenad(8) and catena.conf(5) say all.\n",
               CONFIG_USUAL);
        return EXIT_DONE;
}

/* All that is wrong, not only the first. */
static enum err read_config(struct io *io, const char *path, struct config *ret, struct err_note *note) {
        enum err failed = config_read(io, path, ret, note);

        VEC_EACH (&ret->errors, each) {
                say(*each);
        }
        if (failed && ret->errors.n == 0)
                say(note->text);
        return failed;
}

static int run(const struct words *words) {
        AUTO(io_free) struct io *io = io_uring_new();
        AUTO(config_fini) struct config config = {0};
        AUTO(daemon_close) struct daemon *daemon = NULL;
        struct err_note note = {0};
        struct daemon_options options = {.io = io, .config_path = words->config, .config = &config};

        if (read_config(io, words->config, &config, &note))
                return EXIT_FAILED;
        if (words->is_check) {
                printf("ok\n");
                return EXIT_DONE;
        }
        if (daemon_open(&options, &daemon, &note)) {
                say(note.text);
                return EXIT_FAILED;
        }
        daemon_say_where(daemon);
        daemon_run(daemon, &signals);
        return EXIT_DONE;
}

int catenad_main(int argc, char **argv) {
        struct words words = {.config = CONFIG_USUAL};

        if (!parse(argc, argv, &words)) {
                say("this is not understood; 'catenad --help' says what is");
                return EXIT_USAGE;
        }
        if (words.is_help)
                return help();
        if (words.is_version) {
                printf("catenad " CATENA_VERSION "\n");
                return EXIT_DONE;
        }
        set_signals();
        return run(&words);
}
