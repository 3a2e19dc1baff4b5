// SPDX-License-Identifier: Apache-2.0
#include "bloom.h"

#include <string.h>

#include "bytes.h"

enum { BITS_PER_ID = 10, PROBES = 7, BITS = BLOOM_BLOCK * 8, BITS_OF_PROBE = 9 };

_Static_assert(BITS == 1 << BITS_OF_PROBE, "a probe names a bit of its block");
_Static_assert(PROBES *BITS_OF_PROBE <= 64, "one word has all probes of an id");

size_t bloom_size(uint64_t n_ids) {
        return (size_t)div_up(n_ids * BITS_PER_ID, BITS) * BLOOM_BLOCK;
}

static uint64_t word_of(const struct vault_id *id, size_t at) {
        le64 word;

        memcpy(&word, id->b + at, sizeof word);
        return le64_get(word);
}

/* Not by the first bytes: those say where in the table it would be, and a table of one part would have all of
 * its ids in a few blocks. */
static size_t block_of(size_t size, const struct vault_id *id) {
        uint64_t n_blocks = size / BLOOM_BLOCK;

        return (size_t)((word_of(id, 8) >> 32) * n_blocks >> 32) * BLOOM_BLOCK;
}

void bloom_add(uint8_t *filter, size_t size, const struct vault_id *id) {
        uint8_t *block = filter + block_of(size, id);
        uint64_t probes = word_of(id, 16);

        for (unsigned i = 0; i < PROBES; i++, probes >>= BITS_OF_PROBE)
                block[probes % BITS / 8] |= (uint8_t)(1 << probes % 8);
}

bool bloom_may_have(const uint8_t *filter, size_t size, const struct vault_id *id) {
        const uint8_t *block;
        uint64_t probes = word_of(id, 16);

        if (size == 0)
                return false;
        block = filter + block_of(size, id);
        for (unsigned i = 0; i < PROBES; i++, probes >>= BITS_OF_PROBE)
                if (!(block[probes % BITS / 8] & 1 << probes % 8))
                        return false;
        return true;
}
