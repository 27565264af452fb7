/* peak.c: multiply-adds in vector registers, and reading by vectors. See kernels/peak.h. */
#include "kernels/x86/peak.h"

#include "kernels/x86/vector.h"

/* Two FMA units of four cycles want eight sums under way; ten leave registers for the constants of AVX2 too.
 * x = x/2 + 1 comes to 2 in every lane: the limit is 2*10*LANES. */
enum { CHAINS = 10 };
double NAME(pct_x86_peak_f32)(int64_t rounds, float *sum) {
    vec x[CHAINS], total = v_zero();
    const vec half = v_set(0.5f), one = v_set(1);
    for (int i = 0; i < CHAINS; i++) x[i] = v_set((float)i);
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < CHAINS; i++) x[i] = v_fma(x[i], half, one);
    for (int i = 0; i < CHAINS; i++) total = v_add(total, x[i]);
    *sum = v_sum(total);
    return 2.0 * CHAINS * LANES * (double)rounds;
}

float NAME(pct_x86_peak_read)(const void *data, size_t bytes) {
    enum { EACH = 8 };
    const float *from = data, *end = from + bytes / sizeof *from;
    vec x[EACH], total = v_zero();
    for (int i = 0; i < EACH; i++) x[i] = v_zero();
    for (; from < end; from += EACH * LANES)
        for (int i = 0; i < EACH; i++) x[i] = v_add(x[i], v_load(from + i * LANES));
    for (int i = 0; i < EACH; i++) total = v_add(total, x[i]);
    return v_sum(total);
}
