/* cpu.h: what this processor can do, as a mask that the command line and the tests can narrow (--cpu-mask). */
#ifndef PCT_BASE_CPU_H
#define PCT_BASE_CPU_H

#include <stdint.h>

enum pct_cpu_flag {
    PCT_CPU_AVX2 = 1u << 0,        /* AVX2, FMA, F16C */
    PCT_CPU_AVX512 = 1u << 1,      /* F, BW, DQ, VL */
    PCT_CPU_AVX512_VNNI = 1u << 2, /* also implies PCT_CPU_AVX512 */
    PCT_CPU_AVX512_BF16 = 1u << 3, /* also implies PCT_CPU_AVX512 */
    PCT_CPU_AMX_BF16 = 1u << 4,    /* tiles in BF16 and INT8, and the kernel's permission to use them */
    PCT_CPU_SHA = 1u << 5,         /* SHA-256; not for kernels, so the texts do not name it */
    PCT_CPU_ALL = 0xffffffffu,
};

/* The processor's flags; the operating system must save the registers, else a flag is off. Requests AMX's permission
 * from Linux on the first call. Thread-safe. */
uint32_t pct_cpu_flags(void);
/* "avx2 avx512 vnni bf16 amx" as the mask has them, or "none". Static text for one mask a thread. */
const char *pct_cpu_flags_text(uint32_t flags);

#endif
