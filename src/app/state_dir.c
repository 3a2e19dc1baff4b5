// SPDX-License-Identifier: Apache-2.0
#include "state_dir.h"

#include <stdlib.h>
#include <unistd.h>

#include "mem.h"

static const char *variable(const char *name) {
        const char *value = getenv(name);

        return value && *value ? value : NULL;
}

char *state_dir_usual(void) {
        const char *state = variable("XDG_STATE_HOME"), *home = variable("HOME");

        if (state && state[0] == '/')
                return mem_format("%s/catena", state);
        if (geteuid() == 0)
                return mem_text("/var/lib/catena");
        return home ? mem_format("%s/.local/state/catena", home) : NULL;
}
