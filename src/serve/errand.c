// SPDX-License-Identifier: Apache-2.0
#include "errand.h"

static void run(void *user) {
        struct errand *errand = user;

        errand->run(errand->user);
        loop_post(errand->loop, errand->ended, errand->user);
}

void errand_begin(struct errand *errand, struct pool *pool, struct loop *loop) {
        errand->loop = loop;
        errand->job = (struct pool_job){.run = run, .user = errand};
        pool_add(pool, &errand->job);
}
