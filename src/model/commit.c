/* commit.c: a region that lies over two objects becomes one of them. See model_private.h. */
#include "heads/quality.h"
#include "model/answering.h"

#include <math.h>

#define SHOWN  0.15 /* a cell counts when the mask covers so much of it */
#define SAME   0.5  /* two cells' boxes with this IoU are of one object */
#define INSIDE 0.7  /* a region with so much of its box in its object's box has decided */
#define MARGIN 0.2  /* of the object's sides, around its box: there the mask stays */
#define SURE   3.0  /* logit that the mask has on its object at least: a region over two is half sure of either */
#define GIVEN  0.5  /* a box with this IoU is the one that the user gave */

typedef struct commit {
    const pct_real *boxes; /* (grid*grid,4), cell by cell */
    pct_real *logits;      /* (side,side) */
    int64_t grid, side;
    double *shown; /* (grid*grid): how much of each cell the mask covers; 0 below SHOWN */
} commit;

/* The pixels of a cell: rows from..to along one axis. */
static int64_t edge(const commit *c, int64_t cell) { return cell * c->side / c->grid; }

static double probability(pct_real logit) { return 1 / (1 + exp(-(double)logit)); }

static void cover_cells(commit *c) {
    for (int64_t i = 0; i < c->grid * c->grid; i++) {
        double sum = 0;
        int64_t pixels = 0;
        for (int64_t y = edge(c, i / c->grid); y < edge(c, i / c->grid + 1); y++)
            for (int64_t x = edge(c, i % c->grid); x < edge(c, i % c->grid + 1); x++, pixels++)
                sum += probability(c->logits[y * c->side + x]);
        const double share = pixels > 0 ? sum / (double)pixels : 0;
        c->shown[i] = share < SHOWN ? 0 : share;
    }
}

static bool of_one_object(const commit *c, int64_t a, int64_t b) {
    return pct_region_box_iou(c->boxes + 4 * a, c->boxes + 4 * b) > SAME;
}

/* The cell whose box most of the mask agrees with; -1: the mask covers none. */
static int64_t find_object(const commit *c) {
    int64_t best = -1;
    double most = 0;
    for (int64_t i = 0; i < c->grid * c->grid; i++) {
        double agree = 0;
        if (c->shown[i] == 0) continue;
        for (int64_t k = 0; k < c->grid * c->grid; k++)
            if (c->shown[k] > 0 && of_one_object(c, i, k)) agree += c->shown[k];
        if (agree <= most) continue;
        most = agree;
        best = i;
    }
    return best;
}

/* The mean box of the cells that agree with one, and the mask's mean logit on them. */
static double read_object(const commit *c, int64_t cell, pct_real box[4]) {
    double sum[4] = {0}, shown = 0, logit = 0, weight = 0;
    for (int64_t i = 0; i < c->grid * c->grid; i++) {
        if (c->shown[i] == 0 || !of_one_object(c, cell, i)) continue;
        shown += c->shown[i];
        for (int k = 0; k < 4; k++) sum[k] += c->shown[i] * (double)c->boxes[4 * i + k];
        for (int64_t y = edge(c, i / c->grid); y < edge(c, i / c->grid + 1); y++)
            for (int64_t x = edge(c, i % c->grid); x < edge(c, i % c->grid + 1); x++) {
                const double p = probability(c->logits[y * c->side + x]);
                logit += p * (double)c->logits[y * c->side + x];
                weight += p;
            }
    }
    for (int k = 0; k < 4; k++) box[k] = (pct_real)(sum[k] / shown);
    return weight > 0 ? logit / weight : 0;
}

/* How much of a box lies in another. */
static double inside(const pct_real *box, const pct_real *other) {
    const double w = fmin((double)box[2], (double)other[2]) - fmax((double)box[0], (double)other[0]);
    const double h = fmin((double)box[3], (double)other[3]) - fmax((double)box[1], (double)other[1]);
    const double area = (double)(box[2] - box[0]) * (double)(box[3] - box[1]);
    return w > 0 && h > 0 && area > 0 ? w * h / area : 0;
}

static void keep_within(commit *c, const pct_real *box, double lift) {
    const double mx = MARGIN * (double)(box[2] - box[0]), my = MARGIN * (double)(box[3] - box[1]);
    for (int64_t y = 0; y < c->side; y++)
        for (int64_t x = 0; x < c->side; x++) {
            const double px = ((double)x + 0.5) / (double)c->side, py = ((double)y + 0.5) / (double)c->side;
            const bool in = px > (double)box[0] - mx && px < (double)box[2] + mx && py > (double)box[1] - my &&
                            py < (double)box[3] + my;
            pct_real *logit = &c->logits[y * c->side + x];
            *logit = in ? *logit + (pct_real)lift : -30;
        }
}

bool pct_region_commit(pct_tape *tape, const pct_real *cell_boxes, int64_t grid, pct_real *box, pct_real *logits,
                       int64_t side) {
    commit c = {.boxes = cell_boxes, .logits = logits, .grid = grid, .side = side};
    pct_real object[4];
    c.shown = pct_tape_array(tape, grid * grid, sizeof *c.shown);
    if (!c.shown) return false;
    cover_cells(&c);
    const int64_t cell = find_object(&c);
    if (cell < 0) return false;
    const double sure = read_object(&c, cell, object);
    if (inside(box, object) > INSIDE) return false;
    memcpy(box, object, sizeof object);
    keep_within(&c, object, sure < SURE ? SURE - sure : 0);
    return true;
}

static bool was_given(const pct_prompt *prompt, const pct_real *box) {
    for (int32_t i = 0; i < prompt->region_count; i++)
        if (pct_region_box_iou(prompt->regions[i].box, box) > GIVEN) return true;
    return false;
}

void pct_answering_commit(pct_answering *a, const pct_regions *made, const pct_prompt *const *prompts, int32_t count) {
    const pct_state *state = a->state;
    const int64_t grid = pct_model_config_grid(&state->model->config);
    const int64_t side = pct_model_config_mask_side(&state->model->config);
    if (!state->cell_boxes) return;
    for (int32_t i = 0; i < count; i++) {
        pct_real *box = pct_tensor_data(made->boxes) + 4 * i;
        if (!was_given(prompts[i], box))
            pct_region_commit(&a->state->tape, pct_tensor_data(state->cell_boxes), grid, box,
                              pct_tensor_data(made->logits) + i * side * side, side);
    }
}
