// SPDX-License-Identifier: Apache-2.0
#include "certificate.h"

#include <pthread.h>

#include "mem.h"

struct certificate {
        pthread_mutex_t mutex; /* guards what is below */
        char *pem;             /* owned */
};

struct certificate *certificate_new(const char *pem) {
        struct certificate *certificate = mem_new(struct certificate);

        pthread_mutex_init(&certificate->mutex, NULL);
        certificate->pem = mem_text(pem);
        return certificate;
}

void certificate_free(struct certificate *certificate) {
        pthread_mutex_destroy(&certificate->mutex);
        free(certificate->pem);
        free(certificate);
}

void certificate_set(struct certificate *certificate, const char *pem) {
        char *old, *new = mem_text(pem);

        pthread_mutex_lock(&certificate->mutex);
        old = certificate->pem;
        certificate->pem = new;
        pthread_mutex_unlock(&certificate->mutex);
        free(old);
}

char *certificate_pem(struct certificate *certificate) {
        char *pem;

        pthread_mutex_lock(&certificate->mutex);
        pem = mem_text(certificate->pem);
        pthread_mutex_unlock(&certificate->mutex);
        return pem;
}
