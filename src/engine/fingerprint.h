/* fingerprint.h: the SHA-256 of a model's file, made when somebody first reads it, and never for those who do not: it
 * is a good part of the time of one answer. Shared by the engine and its answers, which may outlive it. */
#ifndef PCT_ENGINE_FINGERPRINT_H
#define PCT_ENGINE_FINGERPRINT_H

#include "base/error.h"

typedef struct pct_fingerprint pct_fingerprint;

/* One reference, of the file that is at `path` now: what takes its place later is not hashed. INPUT when it cannot be
 * opened. */
percept_status pct_fingerprint_new(pct_fingerprint **fingerprint, const char *path, percept_error *error);
pct_fingerprint *pct_fingerprint_share(pct_fingerprint *fingerprint);
/* Gives a reference back and sets it to NULL; NULL is fine. */
void pct_fingerprint_drop(pct_fingerprint **fingerprint);
/* Begins to make it on a thread of its own; where none can be had, it is made when it is read. */
void pct_fingerprint_begin(pct_fingerprint *fingerprint);
/* 64 hexadecimal digits. From any thread. */
const char *pct_fingerprint_text(pct_fingerprint *fingerprint);

#endif
