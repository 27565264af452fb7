/* sha256.h: SHA-256 (FIPS 180-4), for the hash by which answers name the model that gave them. */
#ifndef PCT_FORMATS_SHA256_H
#define PCT_FORMATS_SHA256_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct pct_sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
} pct_sha256;

void pct_sha256_init(pct_sha256 *sha);
void pct_sha256_add(pct_sha256 *sha, const void *data, size_t size);
void pct_sha256_finish(pct_sha256 *sha, unsigned char digest[32]);
/* 64 lower-case hexadecimal digits and a NUL. */
void pct_sha256_hex(const unsigned char digest[32], char hex[65]);
void pct_sha256_bytes(const void *data, size_t size, char hex[65]);
percept_status pct_sha256_file(const char *path, char hex[65], percept_error *error);

#endif
