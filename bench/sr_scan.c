// SPDX-License-Identifier: Apache-2.0
/* bench_sr_scan FOLDER FILES DEPTH ROUNDS
 *
 * Makes an SR of so many files, in chains of that depth, and scans it again and again, warm.
 *
 * Prints {"rounds": [{"ns", "cpu_ns": sr_scan of an open SR, "open_ns", "open_cpu_ns": sr_open, which scans
 * too}, …], "calls", "read_bytes": of one scan}.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "mem.h"
#include "sr.h"
#include "uuid.h"

static char *node_path(struct io *io, const char *folder) {
        uint8_t random[16];
        struct uuid uuid;

        io_random(io, random, sizeof random);
        uuid = uuid_from_random(random);
        return path_of(folder, "%s.vhd", uuid_format(&uuid).s);
}

static void make_files(struct io *io, const char *folder, uint64_t n, uint64_t depth) {
        char *below = NULL;

        for (uint64_t i = 0; i < n; i++) {
                char *path = node_path(io, folder);

                make_vhd(io, path, 64 * MIB, i % depth ? below : NULL);
                free(below);
                below = path;
        }
        free(below);
}

static struct sr *open_sr(struct io *io, const char *folder, struct moment *ret_took) {
        struct moment began = bench_now();
        struct err_note note;
        struct sr *sr;

        must(sr_open(io, folder, NULL, &sr, &note), &note);
        *ret_took = bench_since(began);
        return sr;
}

static struct moment scan(struct sr *sr) {
        struct moment began = bench_now();
        struct err_note note;

        must(sr_scan(sr, &note), &note);
        return bench_since(began);
}

static void measure(struct io *io, struct counts *counts, const char *folder, uint64_t rounds) {
        struct moment open_took, took;

        for (uint64_t i = 0; i < rounds; i++) {
                struct sr *sr = open_sr(io, folder, &open_took);

                *counts = (struct counts){0};
                took = scan(sr);
                sr_close(sr);
                printf("%s{\"ns\": %llu, \"cpu_ns\": %llu, \"open_ns\": %llu, \"open_cpu_ns\": %llu}",
                       i ? ", " : "", (unsigned long long)took.wall_ns, (unsigned long long)took.cpu_ns,
                       (unsigned long long)open_took.wall_ns, (unsigned long long)open_took.cpu_ns);
        }
}

int main(int argc, char **argv) {
        struct counts counts = {.are_syncs_skipped = true};
        AUTO(io_free) struct io *io = bench_io_new(&counts);
        struct moment unused;
        struct err_note note;
        struct uuid uuid;

        if (argc != 5) {
                fprintf(stderr, "usage: %s FOLDER FILES DEPTH ROUNDS\n", argv[0]);
                return 2;
        }
        must(sr_create(io, argv[1], "bench", NULL, &uuid, &note), &note);
        make_files(io, argv[1], number_of(argv[2]), number_of(argv[3]));
        counts.are_syncs_skipped = false;
        sr_close(open_sr(io, argv[1], &unused)); /* takes the files into the catalog, and warms */
        printf("{\"files\": %llu, \"rounds\": [", (unsigned long long)number_of(argv[2]));
        measure(io, &counts, argv[1], number_of(argv[4]));
        printf("], \"calls\": %llu, \"read_bytes\": %llu}\n", (unsigned long long)counts.calls,
               (unsigned long long)counts.read_bytes);
        return 0;
}
