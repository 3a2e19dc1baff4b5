// SPDX-License-Identifier: Apache-2.0
#include "node_reader.h"

#include "mem.h"

struct node_reader {
        struct blobs *blobs;        /* borrowed, outlives it */
        struct blob_reader *reader; /* owned */
};

struct node_reader *node_reader_new(struct blobs *blobs) {
        struct node_reader *nodes = mem_new(struct node_reader);

        nodes->blobs = blobs;
        nodes->reader = blob_reader_new(blobs);
        return nodes;
}

void node_reader_free(struct node_reader *nodes) {
        if (!nodes)
                return;
        blob_reader_free_auto(&nodes->reader);
        free(nodes);
}

enum err node_reader_read(void *reader, unsigned level, const struct vault_id *id,
                          struct vault_id ret[VAULT_NODE_IDS], struct err_note *note) {
        struct node_reader *nodes = reader;
        struct blob_place place;

        if (!blobs_find(nodes->blobs, id, &place))
                return err_set(note, ERR_NOT_FOUND, "the vault lacks node %s", vault_id_format(id).s);
        if (place.blob.type != VAULT_NODE || place.blob.level != level ||
            place.blob.length != VAULT_NODE_SIZE)
                return err_set(note, ERR_CORRUPT, "%s is no node of level %u", vault_id_format(id).s, level);
        return blob_read(nodes->reader, &place, true, ret, note);
}
