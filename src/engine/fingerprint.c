/* fingerprint.c: see fingerprint.h. */
#include "engine/fingerprint.h"

#include "formats/sha256.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct pct_fingerprint {
    atomic_int references;
    pthread_mutex_t lock;
    char hex[65]; /* "" until it is made */
    char path[];
};

pct_fingerprint *pct_fingerprint_new(const char *path) {
    size_t length = strlen(path) + 1;
    pct_fingerprint *made = calloc(1, sizeof *made + length);
    if (!made) return NULL;
    if (pthread_mutex_init(&made->lock, NULL) != 0) {
        free(made);
        return NULL;
    }
    atomic_init(&made->references, 1);
    memcpy(made->path, path, length);
    return made;
}

pct_fingerprint *pct_fingerprint_share(pct_fingerprint *fingerprint) {
    atomic_fetch_add(&fingerprint->references, 1);
    return fingerprint;
}

void pct_fingerprint_drop(pct_fingerprint **handle) {
    pct_fingerprint *fingerprint = *handle;
    *handle = NULL;
    if (!fingerprint || atomic_fetch_sub(&fingerprint->references, 1) != 1) return;
    pthread_mutex_destroy(&fingerprint->lock);
    free(fingerprint);
}

static void *make(void *argument) {
    pct_fingerprint *fingerprint = argument;
    pct_fingerprint_text(fingerprint);
    pct_fingerprint_drop(&fingerprint);
    return NULL;
}

/* The thread has a reference of its own, so nobody need wait for it; readers wait for the lock. */
void pct_fingerprint_begin(pct_fingerprint *fingerprint) {
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return;
    pct_fingerprint *own = pct_fingerprint_share(fingerprint);
    if (pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) != 0 ||
        pthread_create(&thread, &attributes, make, own) != 0)
        pct_fingerprint_drop(&own);
    pthread_attr_destroy(&attributes);
}

const char *pct_fingerprint_text(pct_fingerprint *fingerprint) {
    pthread_mutex_lock(&fingerprint->lock);
    if (!fingerprint->hex[0] && pct_sha256_file(fingerprint->path, fingerprint->hex, NULL) != PERCEPT_OK)
        fingerprint->hex[0] = 0;
    pthread_mutex_unlock(&fingerprint->lock);
    return fingerprint->hex;
}
