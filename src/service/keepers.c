// SPDX-License-Identifier: Apache-2.0
#include "keepers.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "mem.h"
#include "vec.h"

struct row {
        char *folder;          /* owned; canonical */
        struct keeper *keeper; /* borrowed */
};

struct keepers {
        pthread_mutex_t mutex; /* guards what is below */
        VEC(struct row) rows;
};

struct keepers *keepers_new(void) {
        struct keepers *keepers = mem_new(struct keepers);

        pthread_mutex_init(&keepers->mutex, NULL);
        return keepers;
}

void keepers_free(struct keepers *keepers) {
        VEC_EACH (&keepers->rows, row) {
                free(row->folder);
        }
        vec_fini(&keepers->rows);
        pthread_mutex_destroy(&keepers->mutex);
        free(keepers);
}

/* The mutex is held. */
static struct row *find(struct keepers *keepers, const char *folder) {
        VEC_EACH (&keepers->rows, row) {
                if (strcmp(row->folder, folder) == 0)
                        return row;
        }
        return NULL;
}

void keepers_add(struct keepers *keepers, const char *folder, struct keeper *keeper) {
        pthread_mutex_lock(&keepers->mutex);
        assert(!find(keepers, folder));
        *vec_add(&keepers->rows) = (struct row){mem_text(folder), keeper};
        pthread_mutex_unlock(&keepers->mutex);
}

void keepers_remove(struct keepers *keepers, const char *folder) {
        struct row *row;

        pthread_mutex_lock(&keepers->mutex);
        row = find(keepers, folder);
        if (row) {
                free(row->folder);
                vec_remove_at(&keepers->rows, (size_t)(row - keepers->rows.data));
        }
        pthread_mutex_unlock(&keepers->mutex);
}

struct keeper *keepers_find(struct keepers *keepers, const char *folder) {
        struct keeper *keeper;
        struct row *row;

        pthread_mutex_lock(&keepers->mutex);
        row = find(keepers, folder);
        keeper = row ? row->keeper : NULL;
        pthread_mutex_unlock(&keepers->mutex);
        return keeper;
}
