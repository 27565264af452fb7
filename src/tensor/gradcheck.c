/* gradcheck.c: see gradcheck.h. */
#include "tensor/gradcheck.h"

#include "tensor/real.h"

#include <string.h>

typedef struct check {
    pct_compute *compute;
    pct_gradcheck_build *build;
    void *context;
    pct_tensor *const *input;
    pct_arena arena;
} check;

static double value_of(check *c) {
    pct_tape tape;
    pct_arena_reset(&c->arena);
    pct_tape_init(&tape, c->compute, &c->arena, true, PCT_REAL);
    const pct_tensor *loss = c->build(&tape, c->input, c->context);
    return pct_tape_failed(&tape) ? (double)NAN : (double)pct_tensor_data(loss)[0];
}

/* Central difference of fourth order: errors of step^4, so that a step can be taken that rounding does not spoil. */
static double numeric_gradient(check *c, pct_real *x, double step) {
    const pct_real old = *x;
    double h = step * fmax(1, fabs((double)old)), f[4];
    const double at[4] = {-2, -1, 1, 2};
    for (int i = 0; i < 4; i++) {
        *x = (pct_real)((double)old + at[i] * h);
        f[i] = value_of(c);
    }
    *x = old;
    return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h);
}

static void check_input(check *c, int index, double step, pct_gradcheck_result *result) {
    pct_tensor *x = c->input[index];
    int64_t count = pct_tensor_count(x);
    double largest = 0;
    for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs((double)x->grad[i]));
    for (int64_t i = 0; i < count; i++) {
        double a = (double)x->grad[i], n = numeric_gradient(c, pct_tensor_data(x) + i, step);
        double scale = fmax(fmax(fabs(a), fabs(n)), fmax(1e-3 * largest, 1e-8));
        double error = fabs(a - n) / scale;
        if (!isfinite(error)) error = INFINITY;
        result->checked++;
        if (!(error > result->worst)) continue;
        *result = (pct_gradcheck_result){error, index, i, a, n, result->checked};
    }
}

bool pct_gradcheck(pct_compute *compute, pct_gradcheck_build *build, void *context, pct_tensor *const *input,
                   int inputs, double step, double tolerance, pct_gradcheck_result *result) {
    check c = {compute, build, context, input, {0}};
    pct_arena gradients;
    bool complete = true;
    pct_arena_init(&c.arena, 0);
    pct_arena_init(&gradients, 0);
    *result = (pct_gradcheck_result){0};
    for (int i = 0; i < inputs; i++) {
        size_t bytes = (size_t)pct_tensor_count(input[i]) * sizeof(pct_real);
        if (!input[i]->needs_grad) continue;
        if (!input[i]->grad) input[i]->grad = pct_arena_take(&gradients, bytes);
        if (!input[i]->grad) {
            complete = false;
            goto done;
        }
        memset(input[i]->grad, 0, bytes);
    }
    pct_tape tape;
    pct_tape_init(&tape, compute, &c.arena, true, PCT_REAL);
    pct_tape_back(&tape, build(&tape, input, context));
    complete = !pct_tape_failed(&tape);
    for (int i = 0; complete && i < inputs; i++) {
        if (input[i]->needs_grad) check_input(&c, i, step, result);
    }
done:
    for (int i = 0; i < inputs; i++) {
        if (input[i]->needs_grad && !input[i]->parameter) input[i]->grad = NULL;
    }
    pct_arena_free(&gradients);
    pct_arena_free(&c.arena);
    return complete && result->checked > 0 && result->worst <= tolerance;
}
