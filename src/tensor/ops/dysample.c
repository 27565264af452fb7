/* dysample.c: doubling a map's side by samples at learned places (DySample, Liu et al., arXiv 2308.15085; style "lp",
 * no dynamic scope).
 *
 * The channels of x are in `groups` runs. For the new pixel (2i+a, 2j+b) and group g
 *   row    v = i + o[i,j,1,g,a,b]/4 + (a ? 1/4 : -1/4), held in 0..H-1
 *   column u = j + o[i,j,0,g,a,b]/4 + (b ? 1/4 : -1/4), held in 0..W-1
 *   y = (1-s)(1-t) x[i0,j0] + (1-s)t x[i0,j1] + s(1-t) x[i1,j0] + st x[i1,j1], s and t what is left of v and u
 * so that o = 0 is the bilinear resize. The way back: dx by the same weights; do = dy times the slope of y in v or u,
 * /4, and 0 where the place is held.
 *
 * On the way back a group of a picture is one piece of work: no two write the same number. */
#include "tensor/ops/common.h"

typedef struct job {
    const pct_kernels *kernels;
    pct_real *y; /* forward alone */
    const pct_real *x, *moves;
    int64_t height, width, channels, run; /* channels in all, and of a group */
    int64_t groups;
    const pct_real *dy; /* back alone, as all below */
    pct_real *dx, *dmoves;
    bool fresh; /* dmoves holds nothing yet */
} job;

/* Where one axis is read. */
typedef struct place {
    int64_t low, high;
    pct_real share; /* of high */
    bool held;
} place;

static place place_of(pct_real at, int64_t size) {
    const pct_real last = (pct_real)(size - 1);
    place p = {.held = true};
    if (!(at > 0)) return p; /* NaN too */
    if (at >= last) {
        p.low = p.high = size - 1;
        return p;
    }
    p.low = (int64_t)at;
    p.high = p.low + 1;
    p.share = at - (pct_real)p.low;
    p.held = false;
    return p;
}

/* One sample: the numbers of its two moves, and where it reads. sub: 2a+b. */
typedef struct sample {
    int64_t move_x, move_y; /* in `moves` */
    int64_t out;            /* in y: the first of the group's channels */
    place column, row;
} sample;

static sample sample_of(const job *j, int64_t picture, int64_t row, int64_t column, int64_t group, int sub) {
    const int64_t each = 4 * j->groups, cell = (picture * j->height + row) * j->width + column;
    const pct_real quarter = (pct_real)0.25;
    sample s = {.move_x = cell * 2 * each + 4 * group + sub};
    s.move_y = s.move_x + each;
    s.column = place_of((pct_real)column + quarter * (j->moves[s.move_x] + (sub & 1 ? 1 : -1)), j->width);
    s.row = place_of((pct_real)row + quarter * (j->moves[s.move_y] + (sub & 2 ? 1 : -1)), j->height);
    int64_t y = 2 * row + (sub >> 1), x = 2 * column + (sub & 1);
    s.out = ((picture * 2 * j->height + y) * 2 * j->width + x) * j->channels + group * j->run;
    return s;
}

/* Places in x of the four neighbours, and their weights, in the order of the formula. */
static void corners(const job *j, int64_t picture, int64_t group, const sample *s, int64_t at[4], pct_real weight[4]) {
    const int64_t top = (picture * j->height + s->row.low) * j->width;
    const int64_t bottom = (picture * j->height + s->row.high) * j->width, run = group * j->run;
    at[0] = (top + s->column.low) * j->channels + run;
    at[1] = (top + s->column.high) * j->channels + run;
    at[2] = (bottom + s->column.low) * j->channels + run;
    at[3] = (bottom + s->column.high) * j->channels + run;
    weight[3] = s->row.share * s->column.share;
    weight[2] = s->row.share - weight[3];
    weight[1] = s->column.share - weight[3];
    weight[0] = 1 - s->row.share - weight[1];
}

/* Over rows of cells of all pictures. */
static void sample_rows(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t row = begin; row < end; row++)
        for (int64_t column = 0; column < j->width; column++)
            for (int64_t i = 0; i < 4 * j->groups; i++) {
                const int64_t picture = row / j->height, group = i / 4;
                sample s = sample_of(j, picture, row % j->height, column, group, (int)(i % 4));
                int64_t at[4];
                pct_real w[4];
                corners(j, picture, group, &s, at, w);
                const pct_real *a = j->x + at[0], *b = j->x + at[1], *c = j->x + at[2], *d = j->x + at[3];
                pct_real *y = j->y + s.out;
                for (int64_t k = 0; k < j->run; k++) y[k] = w[0] * a[k] + w[1] * b[k] + w[2] * c[k] + w[3] * d[k];
            }
}

static void give_moves(const job *j, const sample *s, const int64_t at[4], const pct_real *dy) {
    pct_real slope[2];
    const pct_real t = s->column.share, v = s->row.share, quarter = (pct_real)0.25;
    pct_real dot[4];
    for (int i = 0; i < 4; i++) dot[i] = j->kernels->dot(dy, j->x + at[i], j->run);
    slope[0] = s->column.held ? 0 : quarter * ((1 - v) * (dot[1] - dot[0]) + v * (dot[3] - dot[2]));
    slope[1] = s->row.held ? 0 : quarter * ((1 - t) * (dot[2] - dot[0]) + t * (dot[3] - dot[1]));
    j->dmoves[s->move_x] = slope[0] + (j->fresh ? 0 : j->dmoves[s->move_x]);
    j->dmoves[s->move_y] = slope[1] + (j->fresh ? 0 : j->dmoves[s->move_y]);
}

/* Over groups of all pictures. */
static void sample_back(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    for (int64_t piece = begin; piece < end; piece++) {
        const int64_t picture = piece / j->groups, group = piece % j->groups;
        for (int64_t i = 0; i < 4 * j->height * j->width; i++) {
            const int64_t cell = i / 4;
            sample s = sample_of(j, picture, cell / j->width, cell % j->width, group, (int)(i % 4));
            int64_t at[4];
            pct_real w[4];
            corners(j, picture, group, &s, at, w);
            const pct_real *dy = j->dy + s.out;
            for (int n = 0; j->dx && n < 4; n++) j->kernels->axpy(j->dx + at[n], w[n], dy, j->run);
            if (j->dmoves) give_moves(j, &s, at, dy);
        }
    }
}

static void dysample_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0], *moves = node->input[1];
    job j = *(const job *)node->saved;
    j.dy = node->output->grad;
    if (x->needs_grad) j.dx = pct_tape_grad(tape, x);
    if (moves->needs_grad) j.dmoves = pct_tape_grad_fresh(tape, moves, &j.fresh);
    if (!pct_tape_failed(tape)) pct_parallel_for(tape->compute->pool, x->dim[0] * j.groups, 1, sample_back, &j);
}

pct_tensor *pct_op_dysample(pct_tape *tape, pct_tensor *x, pct_tensor *moves, int groups) {
    PCT_ASSERT(groups >= 1);
    PCT_SHAPE(tape, x->rank == 4 && x->dim[3] % groups == 0);
    PCT_SHAPE(tape, pct_tensor_width(moves) == 8 * (int64_t)groups);
    PCT_SHAPE(tape, pct_tensor_rows(moves) == x->dim[0] * x->dim[1] * x->dim[2]);
    int64_t dim[4] = {x->dim[0], 2 * x->dim[1], 2 * x->dim[2], x->dim[3]};
    pct_tensor *y = pct_tape_tensor(tape, PCT_REAL, 4, dim);
    if (pct_tape_failed(tape)) return y;
    job j = {.kernels = &tape->compute->kernels, .y = y->data, .x = x->data, .moves = moves->data, .groups = groups};
    j.height = x->dim[1];
    j.width = x->dim[2];
    j.channels = x->dim[3];
    j.run = j.channels / groups;
    pct_parallel_for(tape->compute->pool, x->dim[0] * j.height, pct_op_grain(4 * j.width * j.channels), sample_rows,
                     &j);
    pct_node *node = pct_tape_record(tape, "dysample", dysample_back, y, (pct_tensor *[]){x, moves}, 2, sizeof j);
    if (node) *(job *)node->saved = j;
    if (moves->needs_grad) pct_op_keep(node, x);
    pct_op_keep(node, moves);
    return y;
}
