// SPDX-License-Identifier: Apache-2.0
#include "check.h"

#include <unistd.h>

#include "daemon_log.h"
#include "io/temp_dir.h"
#include "io_sim.h"

/* What goes to standard error meanwhile; the caller's to free. */
static char *caught(void (*say)(struct daemon_log *), enum config_log level) {
        AUTO(io_free) struct io *io = io_sim_new(1, 0);
        struct daemon_log log = {.io = io};
        AUTO(temp_dir_free) char *dir = temp_dir_new();
        AUTO_FREE char *path = mem_format("%s/err", dir);
        char *text = mem_zero(4096);
        int kept = dup(STDERR_FILENO);
        FILE *file;

        atomic_init(&log.level, (int)level);
        fflush(stderr);
        assert_non_null(freopen(path, "w", stderr));
        say(&log);
        fflush(stderr);
        assert_true(dup2(kept, STDERR_FILENO) >= 0);
        close(kept);
        file = fopen(path, "r");
        assert_non_null(file);
        (void)!fread(text, 1, 4095, file);
        fclose(file);
        return text;
}

static void say_all(struct daemon_log *log) {
        daemon_log(log, CONFIG_LOG_ERROR, "one %d", 1);
        daemon_log_line(log, "two");
        daemon_log(log, CONFIG_LOG_DEBUG, "three");
}

static void what_is_below_the_level_is_not_written(void **state) {
        AUTO_FREE char *quiet = caught(say_all, CONFIG_LOG_ERROR);
        AUTO_FREE char *usual = caught(say_all, CONFIG_LOG_INFO);
        AUTO_FREE char *loud = caught(say_all, CONFIG_LOG_DEBUG);

        (void)state;
        assert_non_null(strstr(quiet, "Z error: one 1\n"));
        assert_null(strstr(quiet, "two"));
        assert_non_null(strstr(usual, "Z info: two\n"));
        assert_null(strstr(usual, "three"));
        assert_non_null(strstr(loud, "Z debug: three\n"));
        assert_memory_equal(loud, "catenad: ", 9);
}

static void say_badly(struct daemon_log *log) {
        daemon_log_line(log, "a\033[2Jb\nc");
}

static void what_came_from_elsewhere_is_one_line_of_text(void **state) {
        AUTO_FREE char *text = caught(say_badly, CONFIG_LOG_INFO);

        (void)state;
        assert_non_null(strstr(text, "info: a?[2Jb?c\n"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_below_the_level_is_not_written),
                cmocka_unit_test(what_came_from_elsewhere_is_one_line_of_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
