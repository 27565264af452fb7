/* check_attention.c: packed attention against softmax written out in double; tolerances as in check_heavy.c. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SPANS 32

struct pack {
    pct_span spans[MAX_SPANS];
    int64_t count, rows;
};

/* Pictures: a prefix that sees itself, then segments that see the prefix and themselves. */
static struct pack make_pictures(check *c) {
    struct pack p = {.count = 0};
    const int pictures = 1 + (int)check_below(c, 3), causal = (int)check_below(c, 2);
    for (int i = 0; i < pictures; i++) {
        /* now and then more than one block of keys (512) */
        const int32_t prefix = (int32_t)check_size(c, check_below(c, 8) ? 90 : 700), begin = (int32_t)p.rows;
        p.spans[p.count++] = (pct_span){begin, prefix, 0, 0, begin, prefix, causal && check_below(c, 2)};
        p.rows += prefix;
        const int segments = (int)check_below(c, 5);
        for (int s = 0; s < segments; s++) {
            const int32_t own = (int32_t)check_size(c, 40);
            p.spans[p.count++] = (pct_span){(int32_t)p.rows, own, begin, prefix, (int32_t)p.rows, own, causal};
            p.rows += own;
        }
    }
    return p;
}

/* Decoding: few queries at the end of a long run of keys. */
static struct pack make_decode(check *c) {
    struct pack p = {.count = 1};
    const int32_t keys = (int32_t)check_size(c, 1200), queries = 1 + (int32_t)check_below(c, keys < 4 ? keys : 4);
    p.spans[0] = (pct_span){0, queries, 0, 0, 0, keys, 1};
    p.rows = keys;
    return p;
}

struct sizes {
    int heads, kv_heads, dim;
    int64_t rows;
};

static void oracle(const pct_attention *at, const float *dout, double *out, double *lse, double *dq, double *dk,
                   double *dv) {
    const int64_t dim = at->head_dim;
    for (int64_t s = 0; s < at->span_count; s++) {
        const pct_span *span = &at->spans[s];
        const int32_t all = span->shared_count + span->own_count;
        double *p = malloc(sizeof *p * (size_t)all);
        for (int32_t i = 0; i < span->q_count; i++)
            for (int h = 0; h < at->heads; h++) {
                const int32_t seen = span->causal ? all - span->q_count + i + 1 : all;
                const int64_t row = span->q_begin + i, kv = h / (at->heads / at->kv_heads);
                const float *q = at->q + row * at->ldq + h * dim, *up = dout + row * at->ldo + h * dim;
                double top = -INFINITY, sum = 0, delta = 0;
#define KEY(j) (j < span->shared_count ? span->shared_begin + j : span->own_begin + j - span->shared_count)
                for (int32_t j = 0; j < seen; j++) {
                    p[j] = 0;
                    for (int64_t d = 0; d < dim; d++)
                        p[j] += (double)q[d] * (double)at->k[KEY(j) * at->ldk + kv * dim + d];
                    p[j] *= (double)at->scale;
                    top = fmax(top, p[j]);
                }
                for (int32_t j = 0; j < seen; j++) sum += exp(p[j] - top);
                lse[row * at->heads + h] = top + log(sum);
                for (int32_t j = 0; j < seen; j++) {
                    p[j] = exp(p[j] - top) / sum;
                    for (int64_t d = 0; d < dim; d++) {
                        const double v = (double)at->v[KEY(j) * at->ldv + kv * dim + d];
                        out[row * at->ldo + h * dim + d] += p[j] * v;
                        delta += p[j] * v * (double)up[d];
                    }
                }
                for (int32_t j = 0; j < seen; j++) {
                    double dp = 0;
                    for (int64_t d = 0; d < dim; d++)
                        dp += (double)up[d] * (double)at->v[KEY(j) * at->ldv + kv * dim + d];
                    const double ds = p[j] * (dp - delta) * (double)at->scale;
                    for (int64_t d = 0; d < dim; d++) {
                        dv[KEY(j) * at->ldv + kv * dim + d] += p[j] * (double)up[d];
                        dq[row * at->ldq + h * dim + d] += ds * (double)at->k[KEY(j) * at->ldk + kv * dim + d];
                        dk[KEY(j) * at->ldk + kv * dim + d] += ds * (double)q[d];
                    }
                }
            }
        free(p);
    }
}

static double *zeros(int64_t count) { return calloc((size_t)count, sizeof(double)); }

/* Rows that belong to some span, `width` of each: the rest of the output is not defined. */
static void compare(check *c, const char *what, const float *now, const double *ref, int64_t count, double tolerance) {
    double size = 0;
    for (int64_t i = 0; i < count; i++) size = fmax(size, fabs(ref[i]));
    check_near_double(c, what, now, ref, count, tolerance * (1 + size), tolerance);
}

static void check_one(check *c, pct_dtype type, struct pack p) {
    static const int dims[] = {32, 64, 32, 16, 80, 24};
    struct sizes z = {.kv_heads = 1 + (int)check_below(c, 3), .dim = dims[check_below(c, 6)], .rows = p.rows};
    z.heads = z.kv_heads * (1 + (int)check_below(c, 3));
    pct_attention at = {.heads = z.heads,
                        .kv_heads = z.kv_heads,
                        .head_dim = z.dim,
                        .scale = 1 / sqrtf((float)z.dim),
                        .spans = p.spans,
                        .span_count = p.count,
                        .type = type};
    at.ldq = z.heads * z.dim + check_below(c, 20);
    at.ldk = z.kv_heads * z.dim + check_below(c, 20);
    at.ldv = z.kv_heads * z.dim + check_below(c, 20);
    at.ldo = z.heads * z.dim + check_below(c, 20);
    const int64_t nq = z.rows * at.ldq, nk = z.rows * at.ldk, nv = z.rows * at.ldv, no = z.rows * at.ldo;
    float *q = check_floats(c, nq), *k = check_floats(c, nk), *v = check_floats(c, nv), *dout = check_floats(c, no);
    at.q = q, at.k = k, at.v = v;
    at.out = check_floats(c, no), at.lse = check_floats(c, z.rows * z.heads);
    check_fill(c, q, nq, 1.5f), check_fill(c, k, nk, 1.5f), check_fill(c, v, nv, 1), check_fill(c, dout, no, 1);
    memset(at.out, 0, (size_t)no * 4);
    memset(at.lse, 0, (size_t)(z.rows * z.heads) * 4);
    float *dq = check_floats(c, nq), *dk = check_floats(c, nk), *dv = check_floats(c, nv);
    check_fill(c, dq, nq, 1), check_fill(c, dk, nk, 1), check_fill(c, dv, nv, 1);
    double *o2 = zeros(no), *l2 = zeros(z.rows * z.heads), *dq2 = zeros(nq), *dk2 = zeros(nk), *dv2 = zeros(nv);
    for (int64_t i = 0; i < nq; i++) dq2[i] = (double)dq[i];
    for (int64_t i = 0; i < nk; i++) dk2[i] = (double)dk[i];
    for (int64_t i = 0; i < nv; i++) dv2[i] = (double)dv[i];
    oracle(&at, dout, o2, l2, dq2, dk2, dv2);
    pct_attention_run(c->compute, &at);
    pct_attention_back(c->compute, &at, dout, dq, dk, dv);
    const double tolerance = type == PCT_BF16 ? 2e-2 : 2e-5;
    compare(c, "out", at.out, o2, no, tolerance);
    compare(c, "lse", at.lse, l2, z.rows * z.heads, tolerance);
    compare(c, "dq", dq, dq2, nq, tolerance);
    compare(c, "dk", dk, dk2, nk, tolerance);
    compare(c, "dv", dv, dv2, nv, tolerance);
    /* again: the same bits; and without lse, as in inference, where few queries go another way in BF16 */
    float *again = check_floats(c, no), *first = at.out;
    memset(again, 0, (size_t)no * 4);
    at.out = again;
    pct_attention_run(c->compute, &at);
    check_same(c, "repeated", again, first, (size_t)no * 4);
    at.lse = NULL;
    pct_attention_run(c->compute, &at);
    compare(c, "without lse", again, o2, no, tolerance);
    free(o2), free(l2), free(dq2), free(dk2), free(dv2);
    check_end(c);
}

void check_attention(check *c) {
    for (int round = 0; round < 24; round++) {
        if (check_begin(c, "attention f32")) check_one(c, PCT_REAL, round % 3 ? make_pictures(c) : make_decode(c));
        if (check_begin(c, "attention bf16")) check_one(c, PCT_BF16, round % 3 ? make_pictures(c) : make_decode(c));
    }
}
