// SPDX-License-Identifier: Apache-2.0
/* catena: the command.  All it does is in command.c, which tests can call too. */
#include "command.h"

int main(int argc, char **argv) {
        return command_main(argc, argv);
}
