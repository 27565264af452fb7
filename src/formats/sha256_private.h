/* sha256_private.h: what the files of SHA-256 share. */
#ifndef PCT_FORMATS_SHA256_PRIVATE_H
#define PCT_FORMATS_SHA256_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

extern const uint32_t pct_sha256_constants[64];

/* `count` blocks of 64 bytes into the state; x86: where the processor has PCT_CPU_SHA. */
void pct_sha256_compress_x86(uint32_t state[8], const unsigned char *block, size_t count);
void pct_sha256_compress_plain(uint32_t state[8], const unsigned char *block, size_t count);

#endif
