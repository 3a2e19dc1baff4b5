// SPDX-License-Identifier: Apache-2.0
/* bench_sr_scan FOLDER FILES DEPTH ROUNDS
 *
 * Makes an SR of so many files, in chains of that depth, and scans it again and again, warm.
 *
 * Prints {"scan_ns": [for each round: sr_scan of an open SR], "open_ns": [sr_open, which scans too],
 * "calls", "read_bytes": of one scan}.
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

static struct sr *open_sr(struct io *io, const char *folder, uint64_t *ret_ns) {
        uint64_t began = bench_now_ns();
        struct err_note note;
        struct sr *sr;

        must(sr_open(io, folder, NULL, &sr, &note), &note);
        *ret_ns = bench_now_ns() - began;
        return sr;
}

static uint64_t scan(struct sr *sr) {
        uint64_t began = bench_now_ns();
        struct err_note note;

        must(sr_scan(sr, &note), &note);
        return bench_now_ns() - began;
}

static void print_list(const char *name, const uint64_t *ns, uint64_t n) {
        printf("\"%s\": [", name);
        for (uint64_t i = 0; i < n; i++)
                printf("%s%llu", i ? ", " : "", (unsigned long long)ns[i]);
        printf("]");
}

int main(int argc, char **argv) {
        struct counts counts = {.are_syncs_skipped = true};
        AUTO(io_free) struct io *io = bench_io_new(&counts);
        AUTO_FREE uint64_t *scan_ns = NULL;
        AUTO_FREE uint64_t *open_ns = NULL;
        struct err_note note;
        struct uuid uuid;
        uint64_t rounds;
        struct sr *sr;

        if (argc != 5) {
                fprintf(stderr, "usage: %s FOLDER FILES DEPTH ROUNDS\n", argv[0]);
                return 2;
        }
        rounds = number_of(argv[4]);
        scan_ns = mem_zero(rounds * sizeof *scan_ns);
        open_ns = mem_zero(rounds * sizeof *open_ns);
        must(sr_create(io, argv[1], "bench", NULL, &uuid, &note), &note);
        make_files(io, argv[1], number_of(argv[2]), number_of(argv[3]));
        counts.are_syncs_skipped = false;
        sr_close(open_sr(io, argv[1], &open_ns[0])); /* takes the files into the catalog, and warms */
        for (uint64_t i = 0; i < rounds; i++) {
                sr = open_sr(io, argv[1], &open_ns[i]);
                (void)scan(sr);
                counts = (struct counts){0};
                scan_ns[i] = scan(sr);
                sr_close(sr);
        }
        printf("{\"files\": %llu, \"calls\": %llu, \"read_bytes\": %llu, ",
               (unsigned long long)number_of(argv[2]), (unsigned long long)counts.calls,
               (unsigned long long)counts.read_bytes);
        print_list("scan_ns", scan_ns, rounds);
        printf(", ");
        print_list("open_ns", open_ns, rounds);
        printf("}\n");
        return 0;
}
