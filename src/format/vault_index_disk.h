// SPDX-License-Identifier: Apache-2.0
/* An index as it lies in its object, for whoever reads and whoever writes one.  docs/format/vault.md
 * "Indexes".
 *
 * Threads: any.
 */
#ifndef FORMAT_VAULT_INDEX_DISK_H
#define FORMAT_VAULT_INDEX_DISK_H

#include "vault_index.h"

struct vault_index_head_disk { /* offset */
        uint8_t magic[8];      /*   0  CVINDEX1                               */
        be32 n_packs;          /*   8                                         */
        be32 n_replaced;       /*  12  indexes that this one replaces         */
        be64 n_entries;        /*  16                                         */
        uint8_t fan_bits;      /*  24                                         */
        uint8_t zero[7];       /*  25                                         */
};
struct vault_index_pack_disk {         /* offset */
        uint8_t name[16];              /*   0  ascending                      */
        uint8_t session[16];           /*  16                                 */
        uint8_t salt[VAULT_SALT_SIZE]; /*  32                                 */
        be64 length;                   /*  64                                 */
        be16 epoch;                    /*  72                                 */
        be16 zero;                     /*  74                                 */
        be32 n_blobs;                  /*  76                                 */
};
struct vault_index_entry_disk { /* offset */
        uint8_t id[32];         /*   0  ascending, …                          */
        be32 pack;              /*  32  … then by its row, …                  */
        be32 number;            /*  36  … then by place                       */
        be64 at;                /*  40  in the pack                           */
        be32 stored;            /*  48  bytes there, tag included             */
        be32 length;            /*  52  of the content                        */
        uint8_t type;           /*  56                                        */
        uint8_t level;          /*  57                                        */
        uint8_t codec;          /*  58                                        */
        uint8_t zero[5];        /*  59                                        */
};
_Static_assert(sizeof(struct vault_index_head_disk) == VAULT_INDEX_HEAD, "the tables follow at once");
_Static_assert(sizeof(struct vault_index_pack_disk) == VAULT_INDEX_PACK_SIZE, "one behind the other");
_Static_assert(sizeof(struct vault_index_entry_disk) == VAULT_INDEX_ENTRY_SIZE, "one behind the other");
_Static_assert(_Alignof(struct vault_index_head_disk) == 1 && _Alignof(struct vault_index_pack_disk) == 1 &&
                       _Alignof(struct vault_index_entry_disk) == 1,
               "may be read at any address");

#define VAULT_INDEX_MAGIC "CVINDEX1" /* without its end */

/* The least number of bits that leaves 64 entries or fewer for each value, on average: a page. */
static inline unsigned vault_index_fan_bits(uint64_t n_entries) {
        unsigned bits = 0;

        while (bits < VAULT_INDEX_FAN_BITS_MAX && ((uint64_t)64 << bits) < n_entries)
                bits++;
        return bits;
}

static inline uint64_t vault_index_fan_of(const uint8_t id[32], unsigned bits) {
        be32 first;

        memcpy(&first, id, sizeof first);
        return bits ? be32_get(first) >> (32 - bits) : 0;
}

#endif
