// SPDX-License-Identifier: Apache-2.0
/* bench_snapshot FOLDER SIZE closed|live ROUNDS
 *
 * An SR with one VDI of that size, every block of which is allocated.  Takes a snapshot of it, closed or open
 * for writing; then begins again with a fresh SR.
 *
 * Prints {"rounds": [{"ns", "cpu_ns", "sync_ns", "sync_cpu_ns", "syncs", "read_bytes", "written_bytes"}, …]}:
 * ns is all of it, the waits for syncs too.  SQLite's own I/O on the catalog is counted, since it goes
 * through the same seam.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "mem.h"
#include "sr.h"

struct bench {
        struct io *io;
        struct counts counts;
        uint64_t size;
        bool is_live;
};

static void allocate_all(struct bench *b, const char *folder, const struct uuid *vdi) {
        AUTO_FREE char *path = path_of(folder, "%s.vhd", uuid_format(vdi).s);
        AUTO_FREE bool *is_held = mem_grow(NULL, div_up(b->size, IMAGE_BLOCK_SIZE), sizeof *is_held);
        struct dice dice = {5};

        memset(is_held, true, div_up(b->size, IMAGE_BLOCK_SIZE));
        allocate_blocks(b->io, path, is_held, true, &dice);
}

static struct sr *make_sr(struct bench *b, const char *folder, struct uuid *ret_vdi) {
        struct vdi_options options = {.name = "disk", .size = b->size};
        struct err_note note;
        struct uuid uuid;
        struct sr *sr;

        must(sr_create(b->io, folder, "bench", NULL, &uuid, &note), &note);
        must(sr_open(b->io, folder, NULL, &sr, &note), &note);
        must(sr_vdi_create(sr, &options, ret_vdi, &note), &note);
        allocate_all(b, folder, ret_vdi);
        must(sr_scan(sr, &note), &note);
        return sr;
}

static void snapshot_once(struct bench *b, const char *folder) {
        struct vdi_options options = {.name = "snapshot"};
        struct chain *chain = NULL;
        struct uuid vdi, snapshot;
        struct err_note note;
        struct sr *sr = make_sr(b, folder, &vdi);
        struct moment began, took;

        if (b->is_live)
                must(sr_open_chain(sr, &vdi, CHAIN_WRITE, &chain, &note), &note);
        b->counts = (struct counts){0};
        began = bench_now();
        must(sr_vdi_snapshot(sr, &vdi, &options, &snapshot, &note), &note);
        took = bench_since(began);
        printf("{\"ns\": %llu, \"cpu_ns\": %llu, \"sync_ns\": %llu, \"sync_cpu_ns\": %llu, \"syncs\": %llu, "
               "\"read_bytes\": %llu, \"written_bytes\": %llu}",
               (unsigned long long)took.wall_ns, (unsigned long long)took.cpu_ns,
               (unsigned long long)b->counts.sync_ns, (unsigned long long)b->counts.sync_cpu_ns,
               (unsigned long long)b->counts.syncs, (unsigned long long)b->counts.read_bytes,
               (unsigned long long)b->counts.written_bytes);
        if (chain)
                must(sr_close_chain(sr, chain, &note), &note);
        sr_close(sr);
}

int main(int argc, char **argv) {
        struct bench b = {0};
        uint64_t rounds;

        if (argc != 5) {
                fprintf(stderr, "usage: %s FOLDER SIZE closed|live ROUNDS\n", argv[0]);
                return 2;
        }
        b.io = bench_io_new(&b.counts);
        b.size = number_of(argv[2]);
        b.is_live = strcmp(argv[3], "live") == 0;
        rounds = number_of(argv[4]);
        printf("{\"rounds\": [");
        for (uint64_t i = 0; i < rounds; i++) {
                AUTO_FREE char *folder = path_of(argv[1], "%s-%llu", argv[3], (unsigned long long)i);

                printf("%s", i ? ", " : "");
                snapshot_once(&b, folder);
        }
        printf("]}\n");
        io_free(b.io);
        return 0;
}
