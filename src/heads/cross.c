#include "heads/cross.h"

#include <stdio.h>

static void build(pct_cross *cross, pct_builder *builder, int64_t width, int64_t inside, bool single,
                  const char *format, va_list args) {
    char base[PCT_NAME_SIZE];
    int length = vsnprintf(base, sizeof base, format, args);
    PCT_ASSERT(length > 0 && length < PCT_NAME_SIZE - 12);
    *cross = (pct_cross){0};
    if (!single) {
        pct_linear_build(&cross->q, builder, width, inside, true, 1, "%s.q", base);
        pct_linear_build(&cross->k, builder, width, inside, true, 1, "%s.k", base);
    }
    pct_linear_build(&cross->v, builder, width, inside, true, 1, "%s.v", base);
    pct_linear_build(&cross->out, builder, inside, width, true, 1, "%s.out", base);
}

void pct_cross_build(pct_cross *cross, pct_builder *builder, int64_t width, int64_t inside, const char *name, ...) {
    va_list args;
    va_start(args, name);
    build(cross, builder, width, inside, false, name, args);
    va_end(args);
}

void pct_cross_build_single(pct_cross *cross, pct_builder *builder, int64_t width, int64_t inside, const char *name,
                            ...) {
    va_list args;
    va_start(args, name);
    build(cross, builder, width, inside, true, name, args);
    va_end(args);
}

pct_tensor *pct_cross_attend(pct_tape *tape, const pct_cross *cross, pct_tensor *start, pct_tensor *q, pct_tensor *k,
                             pct_tensor *v, int heads, const pct_span *spans, int64_t span_count) {
    pct_tensor *seen = pct_op_attention(tape, q, k, v, heads, heads, spans, span_count);
    pct_tape_done(tape, q);
    pct_tensor *y =
        start ? pct_linear_apply_onto(tape, &cross->out, start, seen) : pct_linear_apply(tape, &cross->out, seen);
    pct_tape_done(tape, seen);
    return y;
}

pct_tensor *pct_cross_single(pct_tape *tape, const pct_cross *cross, pct_tensor *memory) {
    pct_tensor *v = pct_linear_apply(tape, &cross->v, memory), *y = pct_linear_apply(tape, &cross->out, v);
    pct_tape_done(tape, v);
    return y;
}
