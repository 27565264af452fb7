/* peak.h: what this processor can do at best: loops that do nothing but multiply and add in registers, or nothing but
 * read. `percept bench` sets its stages beside them; no model uses them. */
#ifndef PCT_KERNELS_PEAK_H
#define PCT_KERNELS_PEAK_H

#include <stddef.h>
#include <stdint.h>

/* Runs `rounds` rounds on the calling thread; returns the multiplications and additions done (an FMA counts two).
 * *sum gets what came out, so that no compiler leaves a round out; the loops say what it must be. */
typedef double pct_peak_loop(int64_t rounds, float *sum);

/* F32, by the widest vectors that the flags allow; plain C without any. */
pct_peak_loop *pct_peak_f32(uint32_t cpu_flags);
/* BF16 products summed in F32, in tiles (AMX) or vectors (AVX-512 BF16); NULL where there is neither. */
pct_peak_loop *pct_peak_bf16(uint32_t cpu_flags);
/* Products of bytes summed in 32 bits, in tiles or vectors (AVX-512 VNNI); NULL where there is neither. */
pct_peak_loop *pct_peak_int8(uint32_t cpu_flags);

/* Reads `bytes` (a multiple of 512, 64-byte aligned) once on the calling thread, in vectors; returns the sum of the
 * floats. */
typedef float pct_peak_read_loop(const void *data, size_t bytes);
pct_peak_read_loop *pct_peak_read(uint32_t cpu_flags);

#endif
