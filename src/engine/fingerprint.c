/* fingerprint.c: see fingerprint.h. */
#include "engine/fingerprint.h"

#include "base/file.h"
#include "formats/sha256.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct pct_fingerprint {
    atomic_int references;
    pthread_mutex_t lock;
    pct_map file; /* mapped when the engine was opened: another file may have the name by now */
    char hex[65]; /* "" until it is made */
};

percept_status pct_fingerprint_new(pct_fingerprint **out, const char *path, percept_error *error) {
    pct_fingerprint *made = calloc(1, sizeof *made);
    if (!made) return pct_fail_memory(error, path);
    atomic_init(&made->references, 1);
    percept_status status = pct_map_open(&made->file, path, error);
    if (status == PERCEPT_OK && pthread_mutex_init(&made->lock, NULL) != 0) {
        pct_map_close(&made->file);
        status = pct_fail(error, PERCEPT_ERROR_RESOURCE, "%s: no lock could be made", path);
    }
    if (status == PERCEPT_OK)
        *out = made;
    else
        free(made);
    return status;
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
    pct_map_close(&fingerprint->file);
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
    if (!fingerprint->hex[0]) {
        pct_sha256_bytes(fingerprint->file.data, fingerprint->file.size, fingerprint->hex);
        pct_map_close(&fingerprint->file);
    }
    pthread_mutex_unlock(&fingerprint->lock);
    return fingerprint->hex;
}
