/* int8_rows.c: rows of x to bytes, large channels apart; see int8.h. */
#include "kernels/int8.h"

#include <math.h>

int64_t pct_int8_most_apart(int64_t in) {
    const int64_t most = pct_min_i64(8 + in / 128, in / 16);
    return pct_min_i64(most, PCT_INT8_DEPTH);
}

/* The lowest limit among the largest magnitude over 4, 8, .. 128 that `most` elements exceed at most. Comparisons
 * alone: every instruction set finds the same. */
int64_t pct_int8_large(const pct_kernels *kernels, int32_t *index, const pct_real *x, int64_t in, pct_real scale,
                       int64_t most) {
    if (most < 1 || !(scale > 0)) return 0;
    int64_t found = kernels->above(index, x, in, scale * 127 / 4, most);
    if (found > most) return 0;
    int low = 2, high = 8, listed = 2; /* halvings: that do, that do not, that the list is of */
    while (high - low > 1) {
        const int middle = (low + high) / 2;
        const int64_t count = kernels->above(index, x, in, scale * 127 / (pct_real)(1 << middle), most);
        listed = middle;
        if (count > most)
            high = middle;
        else
            low = middle, found = count;
    }
    if (listed != low) kernels->above(index, x, in, scale * 127 / (pct_real)(1 << low), most);
    return found;
}

size_t pct_int8_rows_plan(pct_int8_rows *rows) {
    rows->most = pct_int8_most_apart(rows->in);
    rows->lda = rows->k + PCT_INT8_DEPTH;
    if (rows->lda / 64 % 2 == 0) rows->lda += 64;
    const size_t whole = (size_t)pct_round_up(rows->rows, PCT_INT8_MAX_MR);
    size_t bytes = whole * (size_t)rows->lda + whole * sizeof *rows->scale;
    bytes += whole * (size_t)(rows->most + 1) * sizeof *rows->wanted;
    bytes += PCT_INT8_DEPTH * sizeof *rows->channels + (size_t)rows->in * (sizeof *rows->slot + sizeof(int32_t));
    return (bytes + 127) & ~(size_t)63;
}

void pct_int8_rows_lay(pct_int8_rows *rows, void *memory) {
    const int64_t whole = pct_round_up(rows->rows, PCT_INT8_MAX_MR);
    rows->a = memory;
    rows->scale = (pct_real *)(void *)(rows->a + whole * rows->lda);
    rows->wanted = (int32_t *)(void *)(rows->scale + whole);
    rows->channels = rows->wanted + whole * (rows->most + 1);
    rows->slot = (int16_t *)(void *)(rows->channels + PCT_INT8_DEPTH + rows->in); /* counts of channels lie between */
}

/* Row m with its factors: x's own memory where there are none. */
static const pct_real *row_at(const pct_int8_rows *r, int64_t m, pct_real *room) {
    const pct_real *x = r->x + m * r->ldx;
    if (!r->factor_count) return x;
    memcpy(room, x, (size_t)r->in * sizeof *room);
    for (int64_t i = 0; i < r->factor_count; i++) room[r->factors[i].column] *= (pct_real)r->factors[i].factor;
    return room;
}

static void pad(const pct_int8_rows *r, int64_t m) {
    int8_t *to = r->a + m * r->lda;
    memset(to + r->in, 0, (size_t)(r->lda - r->in));
    if (r->flip)
        for (int64_t i = 0; i < r->k + PCT_INT8_DEPTH; i++) to[i] = (int8_t)((uint8_t)to[i] ^ r->flip);
}

struct rounding {
    pct_int8_rows *rows;
    pct_real *room;
};

/* As if nothing were large, and what each row would have apart. */
static void first_pass(void *context, int64_t begin, int64_t end, int worker) {
    const struct rounding *job = context;
    const pct_int8_rows *r = job->rows;
    for (int64_t m = begin; m < end; m++) {
        const pct_real *x = row_at(r, m, job->room + worker * r->in);
        int32_t *wanted = r->wanted + m * (r->most + 1);
        r->scale[m] = r->kernels->to_int8(r->a + m * r->lda, x, r->in);
        wanted[0] = (int32_t)pct_int8_large(r->kernels, wanted + 1, x, r->in, r->scale[m], r->most);
        pad(r, m);
    }
}

/* A row once more, its served channels apart. Where not all could be served, those that were not set the scale. */
static void round_apart(const pct_int8_rows *r, int64_t m, pct_real *room) {
    const int32_t *wanted = r->wanted + m * (r->most + 1);
    int8_t *to = r->a + m * r->lda;
    pct_real top = 0;
    int32_t first = -1;
    if (!r->factor_count) memcpy(room, r->x + m * r->ldx, (size_t)r->in * sizeof *room);
    if (r->factor_count) row_at(r, m, room);
    float large[PCT_INT8_DEPTH];
    for (int32_t i = 0; i < wanted[0]; i++) {
        const int32_t channel = wanted[1 + i];
        large[i] = (float)room[channel];
        if (r->slot[channel] < 0) continue;
        if (first < 0) first = channel;
        top = (pct_real)fmaxf((float)top, fabsf(large[i]));
        room[channel] = 0;
    }
    if (first < 0) return;
    room[first] = top / 128; /* the highs' range: its own low is set below */
    r->scale[m] = r->kernels->to_int8(to, room, r->in);
    pad(r, m);
    for (int32_t i = 0; i < wanted[0]; i++) {
        const int32_t channel = wanted[1 + i];
        if (r->slot[channel] < 0) continue;
        int32_t q = (int32_t)lrintf(large[i] / (float)r->scale[m]);
        q = q > 127 * 128 ? 127 * 128 : q < -127 * 128 ? -127 * 128 : q;
        const int32_t high = (q + 64) >> 7;
        to[channel] = (int8_t)((uint8_t)(q - 128 * high) ^ r->flip);
        to[r->k + r->slot[channel]] = (int8_t)((uint8_t)high ^ r->flip);
    }
}

static void second_pass(void *context, int64_t begin, int64_t end, int worker) {
    const struct rounding *job = context;
    for (int64_t m = begin; m < end; m++)
        if (job->rows->wanted[m * (job->rows->most + 1)]) round_apart(job->rows, m, job->room + worker * job->rows->in);
}

/* The channels that rows want, the most wanted where they are too many, the lower of equals. */
static void choose(pct_int8_rows *r) {
    int32_t *counts = r->channels + PCT_INT8_DEPTH;
    int64_t distinct = 0, over = 0;
    memset(counts, 0, (size_t)r->in * sizeof *counts);
    for (int64_t m = 0; m < r->rows; m++) {
        const int32_t *wanted = r->wanted + m * (r->most + 1);
        for (int32_t i = 0; i < wanted[0]; i++) distinct += counts[wanted[1 + i]]++ == 0;
    }
    int32_t least = 1;
    while (distinct > PCT_INT8_DEPTH) { /* so many rows must want a channel that all such have room */
        least++;
        distinct = 0;
        for (int64_t i = 0; i < r->in; i++) distinct += counts[i] >= least;
    }
    over = PCT_INT8_DEPTH - distinct; /* room for some that are wanted once less */
    r->apart = 0;
    for (int64_t i = 0; i < r->in; i++) {
        bool served = counts[i] >= least;
        if (!served && least > 1 && counts[i] == least - 1 && over > 0) served = true, over--;
        r->slot[i] = served ? (int16_t)r->apart : -1;
        if (served) r->channels[r->apart++] = (int32_t)i;
    }
}

void pct_int8_rows_round(pct_int8_rows *rows, pct_pool *pool, pct_real *room) {
    struct rounding job = {rows, room};
    const int64_t grain = pct_max_i64(1, 8192 / rows->k);
    bool any = false;
    pct_parallel_for(pool, rows->rows, grain, first_pass, &job);
    for (int64_t m = 0; m < rows->rows && !any; m++) any = rows->wanted[m * (rows->most + 1)] != 0;
    rows->apart = 0;
    if (!any) return;
    choose(rows);
    pct_parallel_for(pool, rows->rows, grain, second_pass, &job);
}
