// SPDX-License-Identifier: Apache-2.0
#include "repair.h"

enum err repair_disk(struct vault *vault, const struct repair_options *options, const struct vault_disk *disk,
                     const struct put_source *source, struct repair_result *ret, struct err_note *note) {
        const struct put_options putting = {.name = "repair",
                                            .n_threads = options->n_threads,
                                            .step = options->step,
                                            .user = options->user};
        const struct put_disk content = {.name = disk->name, .source = *source};
        AUTO(put_abort) struct put *put = NULL;
        struct put_count count;

        *ret = (struct repair_result){0};
        if (disk->chunk != vault->config.chunk)
                return err_set(note, ERR_UNSUPPORTED,
                               "disk %s has chunks of %u bytes, and the vault now of %u", disk->name,
                               disk->chunk, vault->config.chunk);
        if (source->size != disk->size)
                return ERR_NONE;
        if (put_begin(vault, &putting, &put, note) || put_disk(put, &content, note))
                return note->code;
        ret->is_same = vault_id_compare(put_root(put, 0), &disk->root) == 0;
        if (put_commit_chunks(TAKE(put), &count, note))
                return note->code;
        ret->stored = count.stored;
        return ERR_NONE;
}
