/* linear_back.c: the three gradients of y = x W^T + b together, in two passes over the pool where the tiles are AMX's.
 *
 * The first reads dy once: rows in BF16 for dx, the same turned for dw, sums for db; it also brings x and W into the
 * form of right operands. The second multiplies. Elsewhere, and for odd sizes, the same is done by products apart. */
#include "kernels/conv_flat.h"
#include "kernels/x86/x86.h"

#ifdef PCT_HAVE_AMX

struct back {
    const pct_linear_back *g;
    const pct_kernels *kernels;
    const pct_tile *tile;
    const pct_flat_inner *inner;
    uint16_t *dy, *turned, *pairs, *panels;
    pct_real *sums; /* of db, each worker's */
    int64_t steps;  /* of 32 rows */
    int workers;
};

#define SHARE(count, part) ((count) * (part) / job->workers)

/* 32 rows of dy (the last may be fewer, the rest zero) in BF16, turned, and summed. */
static void ready_dy(const struct back *job, int64_t step, int worker) {
    const pct_linear_back *g = job->g;
    const int64_t row = 32 * step, rows = pct_min_i64(32, g->rows - row), count = rows * g->out;
    uint16_t *half = job->dy + row * g->out;
    job->kernels->to_bf16(half, g->dy + row * g->out, count);
    memset(half + count, 0, (size_t)((32 - rows) * g->out) * sizeof *half);
    if (g->dw) job->inner->turn(job->turned + row * g->out, half, g->out);
    for (int64_t r = row; g->db && r < row + rows; r++)
        job->kernels->axpy(job->sums + worker * g->out, 1, g->dy + r * g->out, g->out);
}

/* 32 rows of x as pairs, each block of 32 columns apart. */
static void ready_x(const struct back *job, int64_t step) {
    const pct_linear_back *g = job->g;
    const int64_t row = 32 * step, rows = pct_min_i64(32, g->rows - row);
    const uint16_t *x = (const uint16_t *)g->x + row * g->in;
    for (int64_t n = 0; n < g->in; n += 32) {
        uint16_t *to = job->pairs + (n / 32 * job->steps + step) * 1024;
        if (rows == 32) {
            job->inner->pair(to, x + n, g->in, 16);
            continue;
        }
        _Alignas(64) uint16_t block[32 * 32] = {0};
        for (int64_t r = 0; r < rows; r++) memcpy(block + 32 * r, x + r * g->in + n, 64);
        job->inner->pair(to, block, 32, 16);
    }
}

static void ready(void *context, int64_t begin, int64_t end, int worker) {
    const struct back *job = context;
    const pct_linear_back *g = job->g;
    for (int64_t s = SHARE(job->steps, begin); s < SHARE(job->steps, end); s++) {
        ready_dy(job, s, worker);
        if (g->dw) ready_x(job, s);
    }
    const int64_t panels = g->in / 32;
    for (int64_t n = SHARE(panels, begin); g->dx && n < SHARE(panels, end); n++)
        job->tile->pack_b(job->panels + n * 32 * g->out, (const uint16_t *)g->w + 32 * n, g->in, false, 32, g->out,
                          g->out);
}

static void weigh(const struct back *job, int64_t ob, int64_t cb) {
    const pct_linear_back *g = job->g;
    _Alignas(64) pct_real sum[32 * 32];
    job->inner->weigh(sum, false, job->turned + ob * 1024, g->out * 32, job->pairs + cb * job->steps * 1024,
                      job->steps);
    for (int64_t o = 0; o < 32; o++) {
        pct_real *to = g->dw + (32 * ob + o) * g->in + 32 * cb;
        if (g->dw_fresh)
            memcpy(to, sum + 32 * o, 32 * sizeof *to);
        else
            job->kernels->add(to, to, sum + 32 * o, 32);
    }
}

static void finish(void *context, int64_t begin, int64_t end, int worker) {
    const struct back *job = context;
    const pct_linear_back *g = job->g;
    const int64_t items = g->out / 32 * (g->in / 32), m0 = 32 * SHARE(job->steps, begin);
    const int64_t m1 = pct_min_i64(g->rows, 32 * SHARE(job->steps, end));
    if (g->dx && m0 < m1)
        pct_tile_block(job->tile, g->dx, g->in, job->dy, g->out, job->panels, g->out, m0, m1, 0, g->in, !g->dx_fresh,
                       NULL, NULL);
    if (!g->dw) return;
    job->inner->begin();
    for (int64_t n = SHARE(items, begin); n < SHARE(items, end); n++) weigh(job, n / (g->in / 32), n % (g->in / 32));
    job->inner->end();
}

static bool run_flat(pct_compute *compute, const pct_linear_back *g) {
    if (g->type != PCT_BF16 || compute->tile_bf16 != &pct_amx_tile_bf16 || g->in % 32 || g->out % 32) return false;
    struct back job = {.g = g, .kernels = &compute->kernels, .tile = compute->tile_bf16, .inner = &pct_amx_flat};
    job.steps = pct_parts(g->rows, 32);
    job.workers = pct_pool_threads(compute->pool);
    const size_t dy = (size_t)(job.steps * 32 * g->out) * 2, turned = g->dw ? dy : 0;
    const size_t pairs = g->dw ? (size_t)(job.steps * 32 * g->in) * 2 : 0;
    const size_t panels = g->dx ? (size_t)(g->out * g->in) * 2 : 0;
    const size_t sums = g->db ? (size_t)(job.workers * g->out) * sizeof *job.sums : 0;
    char *memory = pct_compute_scratch(compute, dy + turned + pairs + panels + sums);
    job.dy = (uint16_t *)(void *)memory;
    job.turned = (uint16_t *)(void *)(memory + dy);
    job.pairs = (uint16_t *)(void *)(memory + dy + turned);
    job.panels = (uint16_t *)(void *)(memory + dy + turned + pairs);
    job.sums = (pct_real *)(void *)(memory + dy + turned + pairs + panels);
    memset(job.sums, 0, sums);
    pct_parallel_for(compute->pool, job.workers, 1, ready, &job);
    for (int w = 0; g->db && w < job.workers; w++) compute->kernels.axpy(g->db, 1, job.sums + w * g->out, g->out);
    if (g->dx || g->dw) pct_parallel_for(compute->pool, job.workers, 1, finish, &job);
    return true;
}

#else

static bool run_flat(pct_compute *compute, const pct_linear_back *g) {
    (void)compute, (void)g;
    return false;
}

#endif

struct apart {
    const pct_kernels *kernels;
    const pct_linear_back *g;
    uint16_t *half;
};

static void half_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct apart *job = context;
    job->kernels->to_bf16(job->half + begin, job->g->dy + begin, end - begin);
}

/* Columns, not rows, are split: no partial sums. */
static void columns_part(void *context, int64_t begin, int64_t end, int worker) {
    const struct apart *job = context;
    const pct_linear_back *g = job->g;
    for (int64_t row = 0; row < g->rows; row++)
        job->kernels->axpy(g->db + begin, 1, g->dy + row * g->out + begin, end - begin);
}

void pct_linear_back_run(pct_compute *compute, const pct_linear_back *g, uint16_t *half) {
    PCT_ASSERT(g->type == PCT_REAL || (g->type == PCT_BF16 && half));
    if (g->rows <= 0 || run_flat(compute, g)) return;
    struct apart job = {&compute->kernels, g, half};
    if (g->db)
        pct_parallel_for(compute->pool, g->out, pct_max_i64(16, 16384 / pct_max_i64(g->rows, 1)), columns_part, &job);
    if (g->type == PCT_BF16) pct_parallel_for(compute->pool, g->rows * g->out, 16384, half_part, &job);
    const void *dy = g->type == PCT_BF16 ? (const void *)half : g->dy;
    const pct_gemm to_weight = {.m = g->out,
                                .n = g->in,
                                .k = g->rows,
                                .a = dy,
                                .b = g->x,
                                .type = g->type,
                                .a_transposed = true,
                                .accumulate = !g->dw_fresh,
                                .lda = g->out,
                                .ldb = g->in,
                                .ldc = g->in,
                                .c = g->dw};
    if (g->dw) pct_gemm_run(compute, &to_weight);
    const pct_gemm to_input = {.m = g->rows,
                               .n = g->in,
                               .k = g->out,
                               .a = dy,
                               .b = g->w,
                               .type = g->type,
                               .accumulate = !g->dx_fresh,
                               .lda = g->out,
                               .ldb = g->in,
                               .ldc = g->in,
                               .c = g->dx};
    if (g->dx) pct_gemm_run(compute, &to_input);
}
