/* attend.c: attention over spans in plain C, with nothing stored but the log-sum-exp a row: scores are computed again
 * where they are needed (the idea of Dao et al., "FlashAttention", 2022, without its tiles). */
#include "kernels/kernels_private.h"

#include <math.h>

struct keys {
    int64_t begin[2], count[2];
};

/* What query i of the span sees: a run of shared rows, then a run of its own. */
static struct keys keys_of(const pct_span *span, int32_t i) {
    struct keys keys = {{span->shared_begin, span->own_begin}, {span->shared_count, span->own_count}};
    if (span->causal) keys.count[1] = pct_max_i64(0, (int64_t)span->own_count - span->q_count + i + 1);
    return keys;
}

static pct_real dot(const pct_real *a, const pct_real *b, int count) {
    pct_real sum = 0;
    for (int i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

void pct_ref_attend(const pct_attention *at, const pct_span *span, int head, int32_t q0, int32_t q1) {
    const int64_t dim = at->head_dim, kv_head = head / (at->heads / at->kv_heads);
    for (int32_t i = q0; i < q1; i++) {
        const int64_t row = (int64_t)span->q_begin + i;
        const pct_real *q = at->q + row * at->ldq + head * dim;
        pct_real *out = at->out + row * at->ldo + head * dim;
        const struct keys keys = keys_of(span, i);
        double top = -INFINITY, sum = 0;
        for (int part = 0; part < 2; part++)
            for (int64_t j = 0; j < keys.count[part]; j++) {
                const pct_real *k = at->k + (keys.begin[part] + j) * at->ldk + kv_head * dim;
                const double score = (double)(at->scale * dot(q, k, at->head_dim));
                if (score > top) {
                    sum = sum * exp(top - score) + 1;
                    top = score;
                } else
                    sum += exp(score - top);
            }
        const double lse = top + log(sum);
        if (at->lse) at->lse[row * at->heads + head] = (pct_real)lse;
        for (int64_t d = 0; d < dim; d++) out[d] = 0;
        for (int part = 0; part < 2; part++)
            for (int64_t j = 0; j < keys.count[part]; j++) {
                const int64_t at_key = keys.begin[part] + j;
                const pct_real *v = at->v + at_key * at->ldv + kv_head * dim;
                const pct_real score = at->scale * dot(q, at->k + at_key * at->ldk + kv_head * dim, at->head_dim);
                const pct_real p = (pct_real)exp((double)score - lse);
                for (int64_t d = 0; d < dim; d++) out[d] += p * v[d];
            }
    }
}

/* With p = exp(score - lse), delta = sum(out*dout): dv += p dout; ds = p (dout.v - delta) scale; dq += ds k; dk += ds
 * q. */
static void back_row(const pct_attention *at, const pct_span *span, int32_t i, int head, const pct_real *dout_rows,
                     pct_real *dq_rows, pct_real *dk_rows, pct_real *dv_rows) {
    const int64_t dim = at->head_dim, kv_head = head / (at->heads / at->kv_heads), row = (int64_t)span->q_begin + i;
    const pct_real *q = at->q + row * at->ldq + head * dim, *dout = dout_rows + row * at->ldo + head * dim;
    pct_real *dq = dq_rows + row * at->ldq + head * dim;
    const pct_real delta = dot(dout, at->out + row * at->ldo + head * dim, at->head_dim);
    const double lse = (double)at->lse[row * at->heads + head];
    const struct keys keys = keys_of(span, i);
    for (int part = 0; part < 2; part++)
        for (int64_t j = 0; j < keys.count[part]; j++) {
            const int64_t at_key = keys.begin[part] + j;
            const pct_real *k = at->k + at_key * at->ldk + kv_head * dim, *v = at->v + at_key * at->ldv + kv_head * dim;
            pct_real *dk = dk_rows + at_key * at->ldk + kv_head * dim, *dv = dv_rows + at_key * at->ldv + kv_head * dim;
            const pct_real p = (pct_real)exp((double)(at->scale * dot(q, k, at->head_dim)) - lse);
            const pct_real ds = p * (dot(dout, v, at->head_dim) - delta) * at->scale;
            for (int64_t d = 0; d < dim; d++) {
                dv[d] += p * dout[d];
                dq[d] += ds * k[d];
                dk[d] += ds * q[d];
            }
        }
}

void pct_ref_attend_back(const pct_attention *at, int64_t s0, int64_t s1, int kv_head, const pct_real *dout,
                         pct_real *dq, pct_real *dk, pct_real *dv) {
    const int group = at->heads / at->kv_heads;
    for (int64_t s = s0; s < s1; s++)
        for (int head = kv_head * group; head < (kv_head + 1) * group; head++)
            for (int32_t i = 0; i < at->spans[s].q_count; i++) back_row(at, &at->spans[s], i, head, dout, dq, dk, dv);
}
