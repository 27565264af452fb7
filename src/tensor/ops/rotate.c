/* rotate.c: rotary positions (Su et al., "RoFormer", arXiv 2104.09864). Each pair of a head's first `count` elements
 * is turned by position * theta^(-2i/count), over what slows it; the gradient is turned back by the same angle.
 *
 * The angles' table has one row a row of x (not one a position, so a late position costs nothing more), is made in
 * double precision, and is shared by all calls on the tape with the same positions: they must not change before the
 * tape is cleared. */
#include "tensor/ops/common.h"

struct pct_rotary {
    struct pct_rotary *next;
    const int32_t *positions;
    int64_t rows;
    pct_rotary_form form;
    pct_real *table; /* [row][rotary_dim/2][cos, sin] */
    int32_t *place;  /* 0, 1, 2...: the kernel's positions are rows of the table */
};

static struct pct_rotary *make_table(pct_tape *tape, const int32_t *positions, int64_t rows,
                                     const pct_rotary_form *form) {
    const int rotary_dim = form->count;
    struct pct_rotary *r = pct_tape_take(tape, sizeof *r);
    if (!r) return NULL;
    *r = (struct pct_rotary){tape->rotary, positions, rows, *form, NULL, NULL};
    r->table = pct_tape_take(tape, pct_op_bytes(rows * rotary_dim));
    r->place = pct_tape_take(tape, (size_t)rows * sizeof *r->place);
    double *step = pct_tape_take(tape, (size_t)rotary_dim / 2 * sizeof *step);
    if (pct_tape_failed(tape)) return NULL;
    for (int i = 0; i < rotary_dim / 2; i++) {
        step[i] = pow(form->theta, -2.0 * i / rotary_dim);
        if (form->slow > 0) step[i] /= form->slow;
        if (form->factors) step[i] /= (double)form->factors[i];
    }
    for (int64_t row = 0; row < rows; row++) {
        pct_real *at = r->table + row * rotary_dim;
        r->place[row] = (int32_t)row;
        for (int i = 0; i < rotary_dim / 2; i++) {
            at[2 * i] = (pct_real)cos(positions[row] * step[i]);
            at[2 * i + 1] = (pct_real)sin(positions[row] * step[i]);
        }
    }
    tape->rotary = r;
    return r;
}

static const struct pct_rotary *table_for(pct_tape *tape, const int32_t *positions, int64_t rows,
                                          const pct_rotary_form *form) {
    for (const struct pct_rotary *r = tape->rotary; r; r = r->next) {
        const pct_rotary_form *f = &r->form;
        if (r->positions == positions && r->rows == rows && f->count == form->count && f->theta == form->theta &&
            f->slow == form->slow && f->factors == form->factors)
            return r;
    }
    return make_table(tape, positions, rows, form);
}

typedef struct job {
    const pct_kernels *kernels;
    const struct pct_rotary *rotary;
    pct_real *y;
    const pct_real *x;
    int64_t width;
    int heads, sign;
    bool interleaved;
} job;

static void rotate_part(void *context, int64_t begin, int64_t end, int worker) {
    const job *j = context;
    (void)worker;
    j->kernels->rotate(j->y + begin * j->width, j->x + begin * j->width, end - begin, j->width, j->width, j->heads,
                       (int)(j->width / j->heads), j->rotary->form.count, j->interleaved, j->rotary->place + begin,
                       j->rotary->table, j->sign);
}

static void run(pct_tape *tape, job *j) {
    pct_parallel_for(tape->compute->pool, j->rotary->rows, pct_op_grain(j->width), rotate_part, j);
}

static void rotate_back(pct_tape *tape, pct_node *node) {
    pct_tensor *x = node->input[0];
    job j = *(const job *)node->saved;
    size_t bytes = pct_op_bytes(pct_tensor_count(x));
    bool fresh;
    j.sign = -1;
    j.x = node->output->grad;
    pct_real *dx = pct_tape_grad_fresh(tape, x, &fresh);
    j.y = fresh ? dx : pct_tape_take(tape, bytes);
    if (!j.y || !dx) return;
    run(tape, &j);
    if (fresh) return;
    pct_op_flow(tape, x, j.y);
    pct_tape_give(tape, j.y, bytes);
}

pct_tensor *pct_op_rotate(pct_tape *tape, pct_tensor *x, int heads, const pct_rotary_form *form,
                          const int32_t *positions) {
    PCT_ASSERT(heads >= 1 && form->count >= 2 && form->count % 2 == 0);
    PCT_SHAPE(tape, pct_tensor_width(x) % heads == 0 && pct_tensor_width(x) / heads >= form->count);
    pct_tensor *y = pct_op_like(tape, x);
    if (pct_tape_failed(tape)) return y;
    job j = {.kernels = &tape->compute->kernels, .y = y->data, .x = x->data, .width = pct_tensor_width(x)};
    j.rotary = table_for(tape, positions, pct_tensor_rows(x), form);
    if (!j.rotary) return y;
    j.heads = heads;
    j.sign = 1;
    j.interleaved = form->interleaved;
    run(tape, &j);
    pct_node *node = pct_tape_record(tape, "rotate", rotate_back, y, &x, 1, sizeof j);
    if (node) *(job *)node->saved = j;
    return y;
}
