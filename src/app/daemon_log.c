// SPDX-License-Identifier: Apache-2.0
#include "daemon_log.h"

#include <stdarg.h>
#include <stdio.h>

#include "buf.h"
#include "print.h"
#include "text.h"

enum { LINE_MAX_BYTES = 2000 };

static const char *name_of(enum config_log level) {
        switch (level) {
        case CONFIG_LOG_ERROR:
                return "error";
        case CONFIG_LOG_INFO:
                return "info";
        case CONFIG_LOG_DEBUG:
                return "debug";
        }
        return "";
}

void daemon_log(struct daemon_log *log, enum config_log level, const char *fmt, ...) {
        AUTO(buf_fini) struct buf line = {0};
        char text[LINE_MAX_BYTES];
        va_list args;

        if ((int)level > atomic_load(&log->level))
                return;
        va_start(args, fmt);
        vsnprintf(text, sizeof text, fmt, args);
        va_end(args);
        buf_print(&line, "catenad: %s %s: ", text_time(io_wall_ns(log->io) / 1000000000).s, name_of(level));
        print_safely(&line, text);
        buf_print(&line, "\n");
        (void)!fwrite(line.data, 1, line.n, stderr);
}

void daemon_log_line(void *log, const char *text) {
        daemon_log(log, CONFIG_LOG_INFO, "%s", text);
}
