/* bench_kernels.c: times of the kernels on the shapes of percept-nano, beside what the machine can do. */
#include "check.h"

#include "base/clock.h"
#include "kernels/peak.h"

#include <stdlib.h>
#include <string.h>

struct buffers {
    const pct_kernels *kernels;
    pct_compute *compute;
    float *a, *b, *y, *z;
    void *bytes;
    int64_t rows, width;
    int which;
};

#define BODY(name, call)                                                                                               \
    static void name(void *context) {                                                                                  \
        struct buffers *s = context;                                                                                   \
        const int64_t count = s->rows * s->width;                                                                      \
        (void)count;                                                                                                   \
        call;                                                                                                          \
    }
BODY(run_to_bf16, s->kernels->to_bf16(s->bytes, s->a, count))
BODY(run_add, s->kernels->add(s->y, s->a, s->b, count))
BODY(run_dot, s->y[0] = s->kernels->dot(s->a, s->b, count))
BODY(run_softmax,
     for (int64_t r = 0; r < s->rows; r++) s->kernels->softmax(s->y + r * s->width, s->a + r * s->width, s->width))
BODY(run_activate, s->kernels->activate[s->which](s->y, s->a, count))
BODY(run_activate_back, s->kernels->activate_back[s->which](s->y, s->b, s->a, count))
BODY(run_swiglu, s->kernels->swiglu(s->y, s->a, s->b, count))
BODY(run_layer_norm, s->kernels->layer_norm(s->y, s->z, s->z + s->rows, s->a, s->b, s->b, s->rows, s->width, 1e-5f))
BODY(run_rms_norm, s->kernels->rms_norm(s->y, s->z, s->a, s->b, s->rows, s->width, 1e-5f))
BODY(run_rms_back, s->kernels->rms_norm_back(s->y, s->z, s->a, s->b, s->b, s->z, s->rows, s->width))
BODY(run_adamw, s->kernels->adamw(s->y, s->z, s->a, s->b, count, 1e-3, 0.9, 0.99, 1e-8, 0.1, 1, 10))
BODY(run_dequantise, s->kernels->dequantise[s->which](s->y, s->bytes, count))
BODY(run_matvec, pct_matvec_run(s->compute, (pct_dtype)s->which, s->y, s->bytes, s->a, s->rows, s->width, NULL))

static void timed(check *c, const char *entry, const char *shape, double work, const char *unit, check_body *body,
                  struct buffers *s) {
    if (check_begin(c, entry)) check_time(c, shape, work, unit, body, s);
}

void bench_table(check *c) {
    const int64_t count = 1024 * 256;
    struct buffers s = {.kernels = c->now, .compute = c->compute, .rows = 1024, .width = 256};
    s.a = check_floats(c, count), s.b = check_floats(c, count), s.y = check_floats(c, count),
    s.z = check_floats(c, count);
    s.bytes = check_memory(c, (size_t)count * 4);
    check_fill(c, s.a, count, 1), check_fill(c, s.b, count, 1), check_fill(c, s.y, count, 1);
    check_fill(c, s.z, count, 1);
    const double n = (double)count;
    timed(c, "to_bf16", "1024x256", n * 6, "GB/s", run_to_bf16, &s);
    timed(c, "add", "1024x256", n * 12, "GB/s", run_add, &s);
    timed(c, "dot", "1024x256", n * 8, "GB/s", run_dot, &s);
    timed(c, "softmax", "1024x256", n * 8, "GB/s", run_softmax, &s);
    s.which = PCT_GELU;
    timed(c, "gelu", "1024x256", n * 8, "GB/s", run_activate, &s);
    timed(c, "gelu back", "1024x256", n * 16, "GB/s", run_activate_back, &s);
    timed(c, "swiglu", "1024x256", n * 12, "GB/s", run_swiglu, &s);
    timed(c, "layer_norm", "1024x256", n * 8, "GB/s", run_layer_norm, &s);
    timed(c, "rms_norm", "1024x256", n * 8, "GB/s", run_rms_norm, &s);
    timed(c, "rms_norm back", "1024x256", n * 16, "GB/s", run_rms_back, &s);
    for (int64_t i = 0; i < count; i++) s.a[i] *= s.a[i];
    timed(c, "adamw", "1024x256", n * 28, "GB/s", run_adamw, &s);
    static const pct_dtype types[] = {PCT_REAL, PCT_BF16, PCT_F16,  PCT_Q8_0, PCT_Q4_0, PCT_Q4_1,
                                      PCT_Q5_0, PCT_Q5_1, PCT_Q4_K, PCT_Q5_K, PCT_Q6_K};
    memset(s.bytes, 0x11, (size_t)count * 4);
    for (unsigned i = 0; i < PCT_COUNT(types); i++) {
        char entry[64];
        size_t row;
        s.which = (int)types[i];
        if (!pct_dtype_row_bytes(types[i], s.width, &row)) continue;
        snprintf(entry, sizeof entry, "dequantise %s", pct_dtype_name(types[i]));
        timed(c, entry, "1024x256", (double)row * 1024 + n * 4, "GB/s", run_dequantise, &s);
        snprintf(entry, sizeof entry, "matvec %s", pct_dtype_name(types[i]));
        timed(c, entry, "1024x256", (double)row * 1024, "GB/s", run_matvec, &s);
    }
    check_end(c);
}

/* What memory gives at best: one pass over `bytes` that adds them up, split over the pool. */
struct reading {
    pct_compute *compute;
    const uint64_t *from;
    int64_t words;
    uint64_t sums[512];
};
static void reading_part(void *context, int64_t begin, int64_t end, int worker) {
    struct reading *r = context;
    uint64_t sum[8] = {0};
    for (int64_t i = begin & ~7; i + 8 <= end; i += 8)
        for (int j = 0; j < 8; j++) sum[j] += r->from[i + j];
    for (int j = 0; j < 8; j++) r->sums[worker] += sum[j];
}
static void run_reading(void *context) {
    struct reading *r = context;
    pct_parallel_for(r->compute->pool, r->words, 4096, reading_part, r);
}

/* Decoding one token of SmolLM2-135M: the products of its 30 layers and its output, each from memory of its own. K
 * types have no rows of 576: 512 stand for them. */
struct decoding {
    pct_compute *compute;
    pct_dtype type;
    char *weights;
    int64_t narrow; /* columns, and their bytes in a row; so of 1,536 */
    size_t narrow_bytes, wide_bytes;
    float *x, *y;
};
static void run_decoding(void *context) {
    struct decoding *d = context;
    const char *w = d->weights;
    for (int layer = 0; layer < 30; layer++) {
        pct_matvec attention[3], gated[2];
        const int64_t rows[3] = {576, 192, 192};
        for (int i = 0; i < 3; w += d->narrow_bytes * (size_t)rows[i], i++)
            attention[i] = (pct_matvec){d->type, d->y + 1536 * i, w, NULL, rows[i]};
        pct_matvec_many_run(d->compute, attention, 3, d->x, d->narrow);
        pct_matvec_run(d->compute, d->type, d->y, w, d->x, 576, d->narrow, NULL);
        w += d->narrow_bytes * 576;
        for (int i = 0; i < 2; i++, w += d->narrow_bytes * 1536)
            gated[i] = (pct_matvec){d->type, d->y + 1536 * i, w, NULL, 1536};
        pct_matvec_many_run(d->compute, gated, 2, d->x, d->narrow);
        pct_matvec_run(d->compute, d->type, d->y, w, d->x, 576, 1536, NULL);
        w += d->wide_bytes * 576;
    }
    pct_matvec_run(d->compute, d->type, d->y, w, d->x, 49152, d->narrow, NULL);
}

static void bench_decoding(check *c) {
    static const pct_dtype types[] = {PCT_BF16, PCT_Q8_0, PCT_Q4_0, PCT_Q4_1, PCT_Q5_0,
                                      PCT_Q5_1, PCT_Q4_K, PCT_Q5_K, PCT_Q6_K};
    const size_t most = (size_t)140 << 21;
    struct reading r = {.compute = c->compute, .from = check_memory(c, most), .words = (int64_t)(96 << 17)};
    struct decoding d = {.compute = c->compute, .x = check_floats(c, 1536), .y = check_floats(c, 49152)};
    memset((void *)(uintptr_t)r.from, 0x11, most);
    check_fill(c, d.x, 1536, 1);
    d.weights = (char *)(uintptr_t)r.from;
    for (unsigned i = 0; i < PCT_COUNT(types); i++) {
        d.narrow = pct_dtype_block(types[i]) > 32 ? 512 : 576;
        if (!pct_dtype_row_bytes(types[i], d.narrow, &d.narrow_bytes) ||
            !pct_dtype_row_bytes(types[i], 1536, &d.wide_bytes))
            continue;
        d.type = types[i];
        const double bytes =
            (double)d.narrow_bytes * (30.0 * (576 * 2 + 192 * 2 + 1536 * 2) + 49152) + (double)d.wide_bytes * 30 * 576;
        check_time(c, pct_dtype_name(types[i]), bytes, "GB/s", run_decoding, &d);
    }
    check_time(c, "reading 96 MB", 8.0 * (double)r.words, "GB/s", run_reading, &r);
    check_end(c);
}

struct heavy {
    pct_compute *compute;
    pct_gemm gemm;
    pct_conv conv;
    pct_packed *packed;
    pct_attention attention;
    float *x, *w, *y, *dy, *dx, *dw, *dv;
};
static void run_gemm(void *context) {
    pct_gemm_run(((struct heavy *)context)->compute, &((struct heavy *)context)->gemm);
}
static void run_packed(void *context) {
    struct heavy *h = context;
    pct_packed_run(h->compute, h->packed, h->y, h->gemm.n, h->x, h->gemm.k, h->gemm.m, NULL);
}
static void run_pack(void *context) {
    struct heavy *h = context;
    pct_packed_destroy(&h->packed);
    if (pct_packed_create(&h->packed, h->compute, h->gemm.type, h->w, PCT_Q8_0, h->gemm.n, h->gemm.k, NULL)) abort();
}
static void run_to_int8(void *context) {
    struct heavy *h = context;
    for (int64_t r = 0; r < 1024; r++) h->compute->kernels.to_int8((int8_t *)h->y, h->x + r * 256, 256);
}
static void run_conv(void *context) {
    struct heavy *h = context;
    pct_conv_run(h->compute, &h->conv, h->y, h->x, h->w, NULL);
}
static void run_conv_dx(void *context) {
    struct heavy *h = context;
    pct_conv_back(h->compute, &h->conv, h->dx, NULL, NULL, h->dy, h->x, h->w);
}
static void run_conv_dw(void *context) {
    struct heavy *h = context;
    pct_conv_back(h->compute, &h->conv, NULL, h->dw, NULL, h->dy, h->x, h->w);
}
static void run_attention(void *context) {
    struct heavy *h = context;
    pct_attention_run(h->compute, &h->attention);
}
static void run_attention_back(void *context) {
    struct heavy *h = context;
    pct_attention_back(h->compute, &h->attention, h->dy, h->dx, h->dw, h->dv);
}

static void bench_gemm(check *c, pct_dtype type) {
    static const struct {
        int m, k, n, kind; /* 0: x W^T; 1: dy W; 2: dy^T x */
    } shapes[] = {{1152, 256, 256, 0}, {1152, 256, 768, 0}, {1152, 768, 256, 0}, {2300, 256, 1376, 0},
                  {2300, 688, 256, 0}, {144, 256, 256, 0},  {1, 256, 256, 0},    {1152, 768, 256, 1},
                  {256, 2300, 256, 2}, {768, 1152, 256, 2}};
    for (unsigned i = 0; i < PCT_COUNT(shapes); i++) {
        const int64_t m = shapes[i].m, k = shapes[i].k, n = shapes[i].n;
        const int kind = shapes[i].kind;
        char shape[64];
        float *a = check_floats(c, m * k), *b = check_floats(c, n * k);
        check_fill(c, a, m * k, 1), check_fill(c, b, n * k, 1);
        struct heavy h = {.compute = c->compute};
        h.gemm = (pct_gemm){.m = m,
                            .n = n,
                            .k = k,
                            .type = type,
                            .a_transposed = kind == 2,
                            .b_transposed = kind == 0,
                            .lda = kind == 2 ? m : k,
                            .ldb = kind == 0 ? k : n,
                            .ldc = n,
                            .c = check_floats(c, m * n)};
        h.gemm.a = type == PCT_BF16 ? (void *)check_bf16(c, a, m * k) : a;
        h.gemm.b = type == PCT_BF16 ? (void *)check_bf16(c, b, n * k) : b;
        snprintf(shape, sizeof shape, "%s %lldx%lldx%lld",
                 kind == 0   ? "x W^T"
                 : kind == 1 ? "dy W"
                             : "dy^T x",
                 (long long)m, (long long)k, (long long)n);
        check_time(c, shape, 2.0 * (double)(m * n * k), "GFLOPS", run_gemm, &h);
        check_end(c);
    }
}

/* Weights of Q8_0: rows x in x out as one picture's tower and language model ask for. */
static void bench_packed(check *c, pct_dtype type) {
    static const int16_t shapes[][3] = {{1, 256, 256},   {6, 256, 256},    {25, 256, 256},   {101, 256, 256},
                                        {600, 256, 256}, {101, 256, 1024}, {101, 1024, 256}, {101, 256, 512},
                                        {400, 128, 128}, {600, 256, 1024}};
    struct heavy h = {.compute = c->compute, .x = check_floats(c, 600 * 1024), .y = check_floats(c, 600 * 1024)};
    h.w = check_memory(c, 1024 * 256 / 32 * 34);
    check_fill(c, h.y, 1024 * 256, 1), check_fill(c, h.x, 600 * 1024, 1);
    c->ref->quantise[PCT_Q8_0](h.w, h.y, 1024 * 256);
    for (unsigned i = 0; i < PCT_COUNT(shapes); i++) {
        const int64_t m = shapes[i][0], k = shapes[i][1], n = shapes[i][2];
        char shape[64];
        h.gemm = (pct_gemm){.m = m, .n = n, .k = k, .type = type};
        run_pack(&h);
        snprintf(shape, sizeof shape, "%lldx%lldx%lld", (long long)m, (long long)k, (long long)n);
        check_time(c, shape, 2.0 * (double)(m * n * k), "GFLOPS", run_packed, &h);
    }
    h.gemm = (pct_gemm){.n = 1024, .k = 256, .type = type};
    check_time(c, "from Q8_0 1024x256", 1024.0 * 256, "G/s", run_pack, &h);
    pct_packed_destroy(&h.packed);
    check_end(c);
}

/* The same of ViT-L/14 at 224 and of SmolLM2-135M's prompts of 512 tokens, beside what the tiles alone could do. */
static void bench_large(check *c, pct_dtype type) {
    static const int16_t shapes[][3] = {{257, 1024, 1024}, {257, 1024, 4096}, {257, 4096, 1024},
                                        {512, 576, 576},   {512, 576, 1536},  {512, 1536, 576}};
    struct heavy h = {.compute = c->compute, .x = check_floats(c, 512 * 4096), .y = check_floats(c, 4096 * 1024)};
    h.w = check_memory(c, 4096 * 1024 / 32 * 34);
    check_fill(c, h.y, 4096 * 1024, 1), check_fill(c, h.x, 512 * 4096, 1);
    c->ref->quantise[PCT_Q8_0](h.w, h.y, 4096 * 1024);
    for (unsigned i = 0; i < PCT_COUNT(shapes); i++) {
        const int64_t m = shapes[i][0], k = shapes[i][1], n = shapes[i][2];
        char shape[64];
        h.gemm = (pct_gemm){.m = m, .n = n, .k = k, .type = type};
        run_pack(&h);
        snprintf(shape, sizeof shape, "%lldx%lldx%lld", (long long)m, (long long)k, (long long)n);
        check_time(c, shape, 2.0 * (double)(m * n * k), "GFLOPS", run_packed, &h);
    }
    pct_packed_destroy(&h.packed);
    float sum;
    pct_peak_loop *peak = pct_peak_bf16(c->now->cpu_flags);
    if (peak) {
        const double begin = pct_clock_seconds(), flop = peak(20000, &sum), seconds = pct_clock_seconds() - begin;
        printf("%-24s %-28s %10.1f us %9.1f %s\n", c->entry, "one thread's BF16 peak", seconds * 1e6,
               flop / seconds / 1e9, "GFLOPS");
    }
    check_end(c);
}

static void bench_conv(check *c, pct_dtype type) {
    static const pct_conv shapes[] = {{8, 96, 96, 3, 32, 3, 1, 1, 1, PCT_REAL},
                                      {8, 48, 48, 32, 64, 3, 1, 1, 1, PCT_REAL},
                                      {8, 24, 24, 128, 128, 3, 1, 1, 1, PCT_REAL},
                                      {8, 192, 192, 3, 256, 16, 16, 0, 1, PCT_REAL}};
    for (unsigned i = 0; i < PCT_COUNT(shapes); i++) {
        struct heavy h = {.compute = c->compute, .conv = shapes[i]};
        h.conv.type = type;
        const int64_t out = pct_conv_out(h.conv.height, h.conv.kernel, h.conv.stride, h.conv.pad);
        const int64_t nx = h.conv.batch * h.conv.height * h.conv.width * h.conv.in,
                      ny = h.conv.batch * out * out * h.conv.out;
        const int64_t nw = h.conv.out * h.conv.kernel * h.conv.kernel * h.conv.in;
        const double work = 2.0 * (double)(ny * h.conv.kernel * h.conv.kernel * h.conv.in);
        char shape[64];
        h.x = check_floats(c, nx), h.w = check_floats(c, nw), h.y = check_floats(c, ny), h.dy = check_floats(c, ny);
        h.dx = check_floats(c, nx), h.dw = check_floats(c, nw);
        check_fill(c, h.x, nx, 1), check_fill(c, h.w, nw, 1), check_fill(c, h.dy, ny, 1);
        memset(h.dx, 0, (size_t)nx * 4), memset(h.dw, 0, (size_t)nw * 4);
        static const char *const names[] = {"y", "dx", "dw"};
        static check_body *const bodies[] = {run_conv, run_conv_dx, run_conv_dw};
        for (int b = 0; b < 3; b++) {
            snprintf(shape, sizeof shape, "%s 8x%dx%dx%d->%d k%d", names[b], (int)h.conv.height, (int)h.conv.width,
                     (int)h.conv.in, (int)h.conv.out, (int)h.conv.kernel);
            check_time(c, shape, work, "GFLOPS", bodies[b], &h);
        }
        check_end(c);
    }
}

static void bench_attention(check *c, pct_dtype type, int kind) {
    static const char *const names[] = {"8 x (145 + 6 x 25)", "8 x 577 full", "1 query, 300 keys"};
    pct_span spans[64];
    int64_t n = 0, rows = 0;
    double pairs = 0;
    for (int p = 0; p < (kind == 2 ? 1 : 8); p++) {
        const int32_t begin = (int32_t)rows, prefix = kind == 0 ? 145 : kind == 1 ? 577 : 300;
        spans[n++] = (pct_span){kind == 2 ? 0 : begin, kind == 2 ? 1 : prefix, 0, 0, begin, prefix, 0};
        rows += prefix;
        pairs += kind == 2 ? prefix : (double)prefix * prefix;
        for (int s = 0; kind == 0 && s < 6; s++, rows += 25) {
            spans[n++] = (pct_span){(int32_t)rows, 25, begin, prefix, (int32_t)rows, 25, 1};
            pairs += 25.0 * prefix + 25.0 * 13;
        }
    }
    const int dim = kind == 1 ? 64 : 32, heads = kind == 1 ? 4 : 8, width = heads * dim;
    const int64_t count = rows * width;
    struct heavy h = {.compute = c->compute};
    float *q = check_floats(c, count), *k = check_floats(c, count), *v = check_floats(c, count);
    check_fill(c, q, count, 1), check_fill(c, k, count, 1), check_fill(c, v, count, 1);
    h.attention = (pct_attention){.heads = heads,
                                  .kv_heads = heads,
                                  .head_dim = dim,
                                  .scale = 0.176f,
                                  .spans = spans,
                                  .span_count = n,
                                  .q = q,
                                  .k = k,
                                  .v = v,
                                  .ldq = width,
                                  .ldk = width,
                                  .ldv = width,
                                  .ldo = width,
                                  .out = check_floats(c, count),
                                  .lse = check_floats(c, rows * heads),
                                  .type = type};
    h.dy = check_floats(c, count), h.dx = check_floats(c, count), h.dw = check_floats(c, count);
    h.dv = check_floats(c, count);
    check_fill(c, h.dy, count, 1);
    memset(h.dx, 0, (size_t)count * 4), memset(h.dw, 0, (size_t)count * 4), memset(h.dv, 0, (size_t)count * 4);
    check_time(c, names[kind], 4 * pairs * width, "GFLOPS", run_attention, &h);
    if (kind != 2) {
        char shape[64];
        snprintf(shape, sizeof shape, "back %s", names[kind]);
        check_time(c, shape, 10 * pairs * width, "GFLOPS", run_attention_back, &h);
    }
    check_end(c);
}

static void bench_to_int8(check *c) {
    struct heavy h = {.compute = c->compute, .x = check_floats(c, 1024 * 256), .y = check_floats(c, 256)};
    check_fill(c, h.x, 1024 * 256, 1);
    check_time(c, "1024x256", 1024.0 * 256 * 5, "GB/s", run_to_int8, &h);
    check_end(c);
}

void bench_heavy(check *c) {
    static const pct_dtype types[] = {PCT_REAL, PCT_BF16};
    for (int t = 0; t < 2; t++) {
        if (check_begin(c, t ? "gemm bf16" : "gemm f32")) bench_gemm(c, types[t]);
        if (check_begin(c, t ? "packed bf16" : "packed f32")) bench_packed(c, types[t]);
        if (check_begin(c, t ? "conv bf16" : "conv f32")) bench_conv(c, types[t]);
        for (int kind = 0; kind < 3; kind++)
            if (check_begin(c, t ? "attention bf16" : "attention f32")) bench_attention(c, types[t], kind);
    }
    if (check_begin(c, "decoding")) bench_decoding(c);
    if (check_begin(c, "to_int8")) bench_to_int8(c);
    if (check_begin(c, "packed int8")) bench_packed(c, PCT_I8);
    if (check_begin(c, "large bf16")) bench_large(c, PCT_BF16);
    if (check_begin(c, "large int8")) bench_large(c, PCT_I8);
}
