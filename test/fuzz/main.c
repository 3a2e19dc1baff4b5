// SPDX-License-Identifier: Apache-2.0
/* Drives a fuzz target without libFuzzer:
 *
 *      fuzz_x [-n COUNT] [-s SEED] [-i NUMBER] FILE-OR-FOLDER…
 *
 * runs the target on each file, then on COUNT inputs made from them by mutation.  Each input follows from the
 * seed and its number alone; one that ends the process is named by its number, and -i runs just that one
 * again.  Inputs end where a page ends, before one that may not be touched, so reading past them shows
 * without a sanitizer.
 */
#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buf.h"
#include "fuzz.h"
#include "mem.h"
#include "text.h"
#include "vec.h"

enum { ROOM = 1 << 16, PAGE = 4096 };

void __sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));

static VEC(struct buf) corpus; /* owned, and each */
static uint8_t *room;          /* owned: ROOM bytes, then a page without access */
static uint64_t seed = 1, number;
static char what[300] = "nothing yet";

static void say_which(void) {
        size_t n = strlen(what);

        if (write(STDERR_FILENO, what, n) != (ssize_t)n)
                _exit(1);
}

static void on_signal(int sig) {
        say_which();
        signal(sig, SIG_DFL);
        raise(sig);
}

static uint64_t dice(uint64_t *state) { /* splitmix64 */
        uint64_t z = *state += 0x9E3779B97F4A7C15;

        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
}

static void run_input(const uint8_t *data, size_t n) {
        uint8_t *at = room + ROOM - n;

        if (n)
                memcpy(at, data, n);
        (void)LLVMFuzzerTestOneInput(at, n);
}

/* ---- mutation ---- */

static void put_number(uint8_t *data, size_t n, uint64_t *state) {
        static const uint64_t numbers[] = {
                0,          1,          2,          511,          512,       513,       4096,
                4097,       4104,       0xFFFF,     0x10000,      0x1FFFFF,  0x200000,  0x7FFFFFFF,
                0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 0x1000000000, INT64_MAX, UINT64_MAX};
        size_t size = (size_t)1 << dice(state) % 4, at;
        uint64_t v = numbers[dice(state) % (sizeof numbers / sizeof *numbers)];

        if (size > n)
                return;
        at = dice(state) % (n - size + 1);
        at -= dice(state) & 1 ? at % size : 0;
        for (size_t i = 0; i < size; i++)
                data[at + i] = (uint8_t)(v >> 8 * (size - 1 - i));
}

static void copy_piece(struct buf *input, uint64_t *state) {
        const struct buf *from = &corpus.data[dice(state) % corpus.n];
        size_t n, to;

        if (!from->n || !input->n)
                return;
        to = dice(state) % input->n;
        n = 1 + dice(state) % 32;
        n = n > from->n ? from->n : n;
        n = n > input->n - to ? input->n - to : n;
        memcpy(input->data + to, from->data + dice(state) % (from->n - n + 1), n);
}

static void mutate(struct buf *input, uint64_t *state) {
        size_t at = input->n ? dice(state) % input->n : 0;

        switch (dice(state) % 8) {
        case 0:
        case 1:
                if (input->n)
                        input->data[at] ^= (uint8_t)(1u << dice(state) % 8);
                break;
        case 2:
                if (input->n)
                        input->data[at] = (uint8_t)dice(state);
                break;
        case 3:
        case 4:
                put_number(input->data, input->n, state);
                break;
        case 5:
                copy_piece(input, state);
                break;
        case 6:
                input->n = dice(state) % 4 ? input->n : at;
                break;
        default:
                for (size_t more = dice(state) % 16; more && input->n < ROOM; more--)
                        buf_add(input, (uint8_t[]){(uint8_t)dice(state)}, 1);
        }
}

static void run_mutated(uint64_t i) {
        AUTO(buf_fini) struct buf input = {0};
        uint64_t state = seed * 0x100000001B3 ^ i;
        const struct buf *from = &corpus.data[dice(&state) % corpus.n];

        number = i;
        snprintf(what, sizeof what, "input -s %llu -i %llu\n", (unsigned long long)seed,
                 (unsigned long long)i);
        buf_add(&input, from->data, from->n);
        for (uint64_t times = 1 + dice(&state) % 6; times; times--)
                mutate(&input, &state);
        run_input(input.data, input.n);
}

/* ---- the corpus ---- */

static void run_file(const char *path) {
        struct buf *input = vec_add(&corpus);
        FILE *file = fopen(path, "rb");

        if (!file) {
                perror(path);
                exit(2);
        }
        buf_extend(input, ROOM);
        input->n = fread(input->data, 1, ROOM, file);
        fclose(file);
        snprintf(what, sizeof what, "input %s\n", path);
        run_input(input->data, input->n);
}

static int by_name(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

static void run_path(const char *path) {
        struct dirent **entries;
        int n = scandir(path, &entries, NULL, by_name);

        if (n < 0) {
                run_file(path);
                return;
        }
        for (int i = 0; i < n; i++) {
                AUTO_FREE char *file = mem_format("%s/%s", path, entries[i]->d_name);

                if (entries[i]->d_name[0] != '.')
                        run_file(file);
                free(entries[i]);
        }
        free(entries);
}

static uint64_t number_of(const char *text) {
        uint64_t v;

        if (!text_parse_u64(text, &v)) {
                fprintf(stderr, "%s is not a number\n", text);
                exit(2);
        }
        return v;
}

static void set_up(void) {
        uint8_t *all = mmap(NULL, ROOM + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (all == MAP_FAILED || mprotect(all + ROOM, PAGE, PROT_NONE) != 0) {
                perror("mmap");
                exit(2);
        }
        room = all;
        signal(SIGABRT, on_signal);
        if (__sanitizer_set_death_callback) {
                __sanitizer_set_death_callback(say_which);
                return; /* it wants SIGSEGV for itself */
        }
        signal(SIGSEGV, on_signal);
        signal(SIGBUS, on_signal);
}

int main(int argc, char **argv) {
        uint64_t count = 0, only = 0;
        bool has_only = false;
        int option;

        set_up();
        while ((option = getopt(argc, argv, "n:s:i:")) != -1) {
                if (option == '?')
                        return 2;
                if (option == 'n')
                        count = number_of(optarg);
                if (option == 's')
                        seed = number_of(optarg);
                if (option == 'i')
                        only = number_of(optarg);
                has_only |= option == 'i';
        }
        for (int i = optind; i < argc; i++)
                run_path(argv[i]);
        if (corpus.n == 0) {
                fprintf(stderr, "%s: there is no input\n", argv[0]);
                return 2;
        }
        if (getenv("CATENA_SOAK"))
                count *= 100;
        if (has_only)
                run_mutated(only);
        for (uint64_t i = 0; i < count && !has_only; i++)
                run_mutated(i);
        printf("%zu inputs from files, %llu made of them (seed %llu)\n", corpus.n, (unsigned long long)count,
               (unsigned long long)seed);
        VEC_EACH (&corpus, each)
                buf_fini(each);
        vec_fini(&corpus);
        return 0;
}
