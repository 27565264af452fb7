/* moments.c: where a soft mask is, as eight numbers in 0..1 of the map: centre x, y, deviation x, y, extent x0, y0, x1,
 * y1. p = sigmoid(logit) over H x W cells; cell x of W has centre u = (x+1/2)/W and spans x/W to (x+1)/W.
 *
 * Centre and deviation: mean and standard deviation of the place of a point drawn from the mask, cells being uniform
 * inside, mixed with a grain e = 1e-5 cells of the uniform distribution over the map, so that an empty mask is in the
 * middle with a deviation of 1/sqrt(12) and no division is by zero:
 *
 *   M = sum p + e,  c = (sum p u + e/2)/M,  m = (sum p (u^2 + 1/(12 W^2)) + e/3)/M,  s = sqrt(m - c^2)
 *
 * Extent: a column's occupancy is the smooth maximum of its cells (the Boltzmann operator with b = 16, which unlike
 * 1-prod(1-p) does not add up a faint background), sharpened, and the first occupied column is an order statistic:
 *
 *   o = sum_y p exp(b p) / sum_y exp(b p),  q = o^3 / (o^3 + (1-o)^3)
 *   x0 = sum_i q_i prod_{k<i}(1-q_k) i/W + prod_k(1-q_k) c_x
 *
 * and x1 likewise from the right with (i+1)/W; y0, y1 from the rows. A crisp mask gives its hard bounding box; an edge
 * that fades over some cells is put where it passes one half; an empty mask gives an empty box at the centre. Nothing
 * is kept but the input: the way back measures again. */
#include "tensor/ops/common.h"

#include <string.h>

#define GRAIN 1e-5
#define SHARP 16

/* One axis of one mask. Arrays lie in scratch. */
typedef struct axis {
    int64_t cells;
    double centre, second, deviation;
    pct_real *top, *bottom; /* sums of p exp(bp) and of exp(bp); their ratio is the occupancy */
    double *mass;           /* sum of p a column (row); on the way back, what each of its cells gets */
    double *occupied, *q;
} axis;

typedef struct mask {
    int64_t height, width;
    pct_real *p, *e; /* sigmoid(logit), exp(b(p-1)) */
    double total;
    axis x, y;
} mask;

static size_t axis_bytes(int64_t cells) { return (size_t)cells * (2 * sizeof(pct_real) + 3 * sizeof(double)); }
static size_t mask_bytes(int64_t height, int64_t width) {
    size_t bytes = 2 * pct_op_bytes(height * width) + axis_bytes(height) + axis_bytes(width);
    return (bytes + PCT_ARENA_ALIGN - 1) & ~(size_t)(PCT_ARENA_ALIGN - 1);
}

/* Doubles come first in the scratch, so that everything is aligned. */
static mask place_mask(void *scratch, int64_t height, int64_t width) {
    mask m = {.height = height, .width = width, .x = {.cells = width}, .y = {.cells = height}};
    double *d = scratch;
    m.x.mass = d;
    m.x.occupied = d + width;
    m.x.q = d + 2 * width;
    d += 3 * width;
    m.y.mass = d;
    m.y.occupied = d + height;
    m.y.q = d + 2 * height;
    pct_real *r = (pct_real *)(void *)(d + 3 * height);
    m.x.top = r;
    m.x.bottom = r + width;
    r += 2 * width;
    m.y.top = r;
    m.y.bottom = r + height;
    m.p = r + 2 * height;
    m.e = m.p + height * width;
    return m;
}

static void measure_axis(axis *a, double total) {
    double first = 0, second = 0, n = (double)a->cells;
    for (int64_t i = 0; i < a->cells; i++) {
        double u = ((double)i + 0.5) / n, o = (double)a->top[i] / (double)a->bottom[i];
        first += a->mass[i] * u;
        second += a->mass[i] * (u * u + 1 / (12 * n * n));
        double on = o * o * o, off = (1 - o) * (1 - o) * (1 - o);
        a->occupied[i] = o;
        a->q[i] = on / (on + off);
    }
    a->centre = (first + GRAIN / 2) / total;
    a->second = (second + GRAIN / 3) / total;
    a->deviation = sqrt(a->second - a->centre * a->centre);
}

static void measure(mask *m, const pct_kernels *kernels, const pct_real *logit) {
    int64_t w = m->width;
    kernels->activate[PCT_SIGMOID](m->p, logit, m->height * w);
    memset(m->x.mass, 0, (size_t)w * sizeof(double));
    memset(m->x.top, 0, pct_op_bytes(2 * w)); /* and bottom, which follows it */
    m->total = GRAIN;
    for (int64_t y = 0; y < m->height; y++) {
        const pct_real *p = m->p + y * w;
        pct_real *e = m->e + y * w;
        double mass = 0;
        pct_real top = 0, bottom = 0;
        for (int64_t x = 0; x < w; x++) {
            e[x] = PCT_EXP(SHARP * (p[x] - 1));
            m->x.mass[x] += (double)p[x];
            m->x.top[x] += p[x] * e[x];
            m->x.bottom[x] += e[x];
            mass += (double)p[x];
            top += p[x] * e[x];
            bottom += e[x];
        }
        m->y.mass[y] = mass;
        m->y.top[y] = top;
        m->y.bottom[y] = bottom;
        m->total += mass;
    }
    measure_axis(&m->x, m->total);
    measure_axis(&m->y, m->total);
}

/* The expected first place (step 1, edges i/n) or last place (step -1, edges (i+1)/n). */
static double edge(const axis *a, int step) {
    double expected = 0, none = 1;
    for (int64_t k = 0; k < a->cells; k++) {
        int64_t i = step > 0 ? k : a->cells - 1 - k;
        expected += none * a->q[i] * (double)(step > 0 ? i : i + 1) / (double)a->cells;
        none *= 1 - a->q[i];
    }
    return expected + none * a->centre;
}

/* Adds g * d(edge)/do to d_occupied and returns g * d(edge)/d(centre). With T the expected place from here on,
 * T_i = q_i pos_i + (1-q_i) T_{i+1}, d(edge)/dq_i = (chance of getting here) (pos_i - T_{i+1}). */
static double edge_back(const axis *a, int step, double g, double *d_occupied, double *later) {
    int64_t n = a->cells;
    later[n] = a->centre;
    for (int64_t k = n - 1; k >= 0; k--) {
        int64_t i = step > 0 ? k : n - 1 - k;
        double place = (double)(step > 0 ? i : i + 1) / (double)n;
        later[k] = a->q[i] * place + (1 - a->q[i]) * later[k + 1];
    }
    double none = 1;
    for (int64_t k = 0; k < n; k++) {
        int64_t i = step > 0 ? k : n - 1 - k;
        double place = (double)(step > 0 ? i : i + 1) / (double)n, o = a->occupied[i];
        double on = o * o * o, off = (1 - o) * (1 - o) * (1 - o);
        double dq = 3 * o * o * (1 - o) * (1 - o) / ((on + off) * (on + off));
        d_occupied[i] += g * none * (place - later[k + 1]) * dq;
        none *= 1 - a->q[i];
    }
    return g * none;
}

/* Turns a->mass into what a cell gets by its place, and a->q into what it gets by the axis' occupancy. g: gradients of
 * centre, deviation, low edge, high edge. scratch: 2*cells+1. */
static void axis_back(axis *a, double total, const double g[4], double *scratch) {
    double *d_occupied = scratch, *later = scratch + a->cells, n = (double)a->cells;
    memset(d_occupied, 0, (size_t)a->cells * sizeof(double));
    double g_centre = g[0] + edge_back(a, 1, g[2], d_occupied, later) + edge_back(a, -1, g[3], d_occupied, later);
    for (int64_t i = 0; i < a->cells; i++) {
        double u = ((double)i + 0.5) / n, away = u - a->centre;
        double spread = u * u + 1 / (12 * n * n) - a->second - 2 * a->centre * away;
        a->mass[i] = (g_centre * away + g[1] * spread / (2 * a->deviation)) / total;
        a->q[i] = d_occupied[i];
    }
}

typedef struct job {
    const pct_kernels *kernels;
    const pct_real *logits, *dy;
    pct_real *y, *dx;
    unsigned char *scratch; /* a worker */
    size_t scratch_size;
    int64_t height, width;
    bool fresh;
} job;

static void moments_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    mask m = place_mask(j->scratch + j->scratch_size * (size_t)worker, j->height, j->width);
    for (int64_t q = begin; q < end; q++) {
        measure(&m, j->kernels, j->logits + q * j->height * j->width);
        const double y[8] = {m.x.centre,    m.y.centre,    m.x.deviation,  m.y.deviation,
                             edge(&m.x, 1), edge(&m.y, 1), edge(&m.x, -1), edge(&m.y, -1)};
        for (int i = 0; i < 8; i++) j->y[8 * q + i] = (pct_real)y[i];
    }
}

static void moments_back_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    unsigned char *scratch = j->scratch + j->scratch_size * (size_t)worker;
    mask m = place_mask(scratch, j->height, j->width);
    double *more = (double *)(void *)(scratch + mask_bytes(j->height, j->width));
    for (int64_t q = begin; q < end; q++) {
        const pct_real *g = j->dy + 8 * q;
        pct_real *dx = j->dx + q * j->height * j->width;
        measure(&m, j->kernels, j->logits + q * j->height * j->width);
        axis_back(&m.x, m.total, (double[4]){(double)g[0], (double)g[2], (double)g[4], (double)g[6]}, more);
        axis_back(&m.y, m.total, (double[4]){(double)g[1], (double)g[3], (double)g[5], (double)g[7]}, more);
        for (int64_t i = 0; i < j->height * j->width; i++) {
            int64_t x = i % j->width, y = i / j->width;
            double p = (double)m.p[i], e = (double)m.e[i];
            double dp = m.x.mass[x] + m.y.mass[y];
            dp += m.x.q[x] * e / (double)m.x.bottom[x] * (1 + SHARP * (p - m.x.occupied[x]));
            dp += m.y.q[y] * e / (double)m.y.bottom[y] * (1 + SHARP * (p - m.y.occupied[y]));
            pct_real d = (pct_real)(dp * p * (1 - p));
            dx[i] = j->fresh ? d : dx[i] + d;
        }
    }
}

static void run(pct_tape *tape, job *j, int64_t masks, pct_parallel_body *body) {
    size_t workers = (size_t)pct_pool_threads(tape->compute->pool);
    size_t more = (2 * (size_t)pct_max_i64(j->height, j->width) + 1) * sizeof(double);
    j->scratch_size = mask_bytes(j->height, j->width) + ((more + PCT_ARENA_ALIGN - 1) & ~(size_t)(PCT_ARENA_ALIGN - 1));
    j->scratch = pct_tape_take(tape, workers * j->scratch_size);
    if (!j->scratch) return;
    pct_parallel_for(tape->compute->pool, masks, pct_op_grain(8 * j->height * j->width), body, j);
    pct_tape_give(tape, j->scratch, workers * j->scratch_size);
}

static void moments_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    job j = *(const job *)node->saved;
    j.dy = node->output->grad;
    j.dx = pct_tape_grad_fresh(tape, x, &j.fresh);
    if (j.dx) run(tape, &j, x->dim[0], moments_back_part);
}

pct_tensor *pct_op_mask_moments(pct_tape *tape, pct_tensor *logits) {
    PCT_SHAPE(tape, logits->rank == 3);
    int64_t dim[2] = {logits->dim[0], 8};
    pct_tensor *y = pct_tape_tensor(tape, PCT_REAL, 2, dim);
    if (pct_tape_failed(tape)) return y;
    job j = {.kernels = &tape->compute->kernels, .logits = logits->data, .y = y->data};
    j.height = logits->dim[1];
    j.width = logits->dim[2];
    run(tape, &j, dim[0], moments_part);
    pct_node *node = pct_tape_record(tape, "mask_moments", moments_back, y, &logits, 1, sizeof j);
    if (node) *(job *)node->saved = j;
    pct_op_keep(node, logits);
    return y;
}
