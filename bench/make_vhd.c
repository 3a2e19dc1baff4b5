// SPDX-License-Identifier: Apache-2.0
/* bench_make_vhd FILE SIZE: a dynamic VHD of which every block is allocated, in random order, and whole; what
 * is in the blocks is a hole of the file. */
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
        uint64_t size;

        if (argc != 3) {
                fprintf(stderr, "usage: %s FILE SIZE\n", argv[0]);
                return 2;
        }
        size = number_of(argv[2]);
        is_held = mem_grow(NULL, div_up(size, IMAGE_BLOCK_SIZE), sizeof *is_held);
        memset(is_held, true, div_up(size, IMAGE_BLOCK_SIZE));
        make_vhd(io, argv[1], size, NULL);
        allocate_blocks(io, argv[1], is_held, true, &dice);
        return 0;
}
