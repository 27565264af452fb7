/* cpu.c: see cpu.h. */
#include "base/cpu.h"

#include <stdio.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_XTILEDATA  18

static uint64_t enabled_states(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low | (uint64_t)high << 32;
}

uint32_t pct_cpu_flags(void) {
    unsigned a, b, c, d, flags = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    unsigned fma_f16c = (c & bit_FMA) && (c & bit_F16C);
    uint64_t states = enabled_states();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    if (b & 1u << 29) flags |= PCT_CPU_SHA; /* each such processor has SSE4.1 */
    if ((states & 0x6) == 0x6 && (b & bit_AVX2) && fma_f16c) flags |= PCT_CPU_AVX2;
    unsigned wide = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if ((states & 0xe6) == 0xe6 && (b & wide) == wide) {
        flags |= PCT_CPU_AVX512;
        if (c & bit_AVX512VNNI) flags |= PCT_CPU_AVX512_VNNI;
        unsigned a1, b1, c1, d1;
        if (__get_cpuid_count(7, 1, &a1, &b1, &c1, &d1) && (a1 & 1u << 5)) flags |= PCT_CPU_AVX512_BF16;
        unsigned amx = 1u << 22 | 1u << 24 | 1u << 25; /* AMX-BF16, AMX-TILE, AMX-INT8 */
        if ((d & amx) == amx && (states & 0x60000) == 0x60000 &&
            syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0) {
            flags |= PCT_CPU_AMX_BF16;
        }
    }
    return flags;
}
#else
uint32_t pct_cpu_flags(void) { return 0; }
#endif

const char *pct_cpu_flags_text(uint32_t flags) {
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = {{PCT_CPU_AVX2, "avx2"},
                 {PCT_CPU_AVX512, "avx512"},
                 {PCT_CPU_AVX512_VNNI, "vnni"},
                 {PCT_CPU_AVX512_BF16, "bf16"},
                 {PCT_CPU_AMX_BF16, "amx"}};
    static _Thread_local char text[64];
    size_t length = 0;
    text[0] = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (flags & names[i].flag) {
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", length ? " " : "", names[i].name);
        }
    }
    return length ? text : "none";
}
