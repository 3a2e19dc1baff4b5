// SPDX-License-Identifier: Apache-2.0
/* bench_make_vhd FILE SIZE [PERCENT]: a dynamic VHD of which every block is allocated, or so many of a
 * hundred, in random order, and whole; what is in the blocks is a hole of the file. */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "image.h"
#include "mem.h"

int main(int argc, char **argv) {
        struct counts counts = {0};
        AUTO(io_free) struct io *io = bench_io_new(&counts);
        AUTO_FREE bool *is_held = NULL;
        struct dice dice = {3};
        uint64_t size, n_blocks, percent;

        if (argc != 3 && argc != 4) {
                fprintf(stderr, "usage: %s FILE SIZE [PERCENT]\n", argv[0]);
                return 2;
        }
        size = number_of(argv[2]);
        percent = argc == 4 ? number_of(argv[3]) : 100;
        n_blocks = div_up(size, IMAGE_BLOCK_SIZE);
        is_held = mem_grow(NULL, n_blocks, sizeof *is_held);
        for (uint64_t i = 0; i < n_blocks; i++)
                is_held[i] = i * percent / 100 != (i + 1) * percent / 100;
        make_vhd(io, argv[1], size, NULL);
        allocate_blocks(io, argv[1], is_held, true, &dice);
        return 0;
}
