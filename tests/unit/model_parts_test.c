/* Parts of the model one by one, against values that were worked out by hand or by another way. */
#include "base/cpu.h"
#include "batch_random.h"
#include "heads/quality.h"
#include "model/model_private.h"
#include "tiny_model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct bench {
    pct_compute *compute;
    pct_arena arena;
    pct_tape tape;
} bench;

static void open_bench(bench *b) {
    assert_int_equal(pct_compute_create(&b->compute, NULL, 0, NULL), PERCEPT_OK);
    pct_arena_init(&b->arena, 0);
    pct_tape_init(&b->tape, b->compute, &b->arena, false, PCT_REAL);
}
static void close_bench(bench *b) {
    pct_arena_free(&b->arena);
    pct_compute_destroy(&b->compute);
}

/* 3 x 3 to 5 x 5 with corners aligned: every second target is a source, the others lie half way. */
static void patch_kernel(void **state) {
    bench b;
    open_bench(&b);
    const float from[9] = {1, 2, 3, 4, 5, 6, 7, 8, 10};
    const float wanted[25] = {1,    1.5f, 2,    2.5f, 3,    2.5f,  3, 3.5f, 4,    4.5f, 4, 4.5f, 5,
                              5.5f, 6,    5.5f, 6,    6.5f, 7.25f, 8, 7,    7.5f, 8,    9, 10};
    pct_taps taps = pct_taps_bilinear_aligned(&b.tape, 3, 5);
    pct_tensor *x = pct_tape_input(&b.tape, PCT_REAL, 3, (int64_t[]){1, 9, 1}, from);
    pct_tensor *y = pct_op_apply_taps(&b.tape, x, &taps);
    assert_int_equal(y->dim[1], 25);
    for (int i = 0; i < 25; i++) assert_float_equal(pct_tensor_data(y)[i], wanted[i], 1e-6);
    close_bench(&b);
}

/* One axis of 2 to 4, a = -0.75: the source of target 1 is 0.25, its taps (at -1, 0, 1, 2, held at the border) weigh
 * -0.10546875, 0.87890625, 0.26171875, -0.03515625; target 0 mirrors that at -0.25. */
static void position_table(void **state) {
    bench b;
    open_bench(&b);
    const float from[4] = {0, 1, 0, 1}; /* varies along x alone */
    pct_taps taps = pct_taps_bicubic(&b.tape, 2, 4);
    pct_tensor *x = pct_tape_input(&b.tape, PCT_REAL, 3, (int64_t[]){1, 4, 1}, from);
    pct_tensor *y = pct_op_apply_taps(&b.tape, x, &taps);
    double inner = 0.26171875 - 0.03515625, outer = -0.10546875;
    const double wanted[4] = {outer, inner, 1 - inner, 1 - outer};
    for (int i = 0; i < 16; i++) assert_float_equal(pct_tensor_data(y)[i], wanted[i % 4], 1e-6);
    close_bench(&b);
}

static void logits_of_shares(void **state) {
    bench b;
    open_bench(&b);
    const float shares[4] = {0.5f, 0.75f, 0, 1};
    pct_tensor *x = pct_tape_input(&b.tape, PCT_REAL, 1, (int64_t[]){4}, shares);
    const pct_real *y = pct_tensor_data(pct_op_logit(&b.tape, x, 0.01f));
    assert_float_equal(y[0], 0, 1e-6);
    assert_float_equal(y[1], log(3), 1e-6);
    assert_float_equal(y[2], -log(99), 1e-4);
    assert_float_equal(y[3], log(99), 1e-4);
    close_bench(&b);
}

/* A cell's middle and, for weights of 0, the logistic of the bias as the distance to each side. */
static void boxes_of_cells(void **state) {
    bench b;
    pct_parameters set;
    pct_cell_box_head head;
    open_bench(&b);
    pct_parameters_init(&set);
    pct_builder builder = {.set = &set, .seed = 1, .trainable = true};
    pct_cell_box_build(&head, &builder, 3);
    assert_int_equal(builder.status, PERCEPT_OK);
    const float bias[4] = {0, -1, -2, 1}, weight[12] = {0, 0, 1}; /* the left side looks at the third channel */
    const float rows[6] = {4, 5, 0, 1, 2, 3}, middles[4] = {0.25f, 0.5f, 0.75f, 0.125f};
    memcpy(pct_tensor_data(&head.map.weight->tensor), weight, sizeof weight);
    memcpy(pct_tensor_data(&head.map.bias->tensor), bias, sizeof bias);
    pct_tensor *x = pct_tape_input(&b.tape, PCT_REAL, 2, (int64_t[]){2, 3}, rows);
    const pct_real *y = pct_tensor_data(pct_cell_box_apply(&b.tape, &head, x, middles));
    const double far[4] = {0.5, 0.2689414, 0.1192029, 0.7310586};
    const double wanted[8] = {0.25 - far[0],    0.5 - far[1],   0.25 + far[2], 0.5 + far[3],
                              0.75 - 0.9525741, 0.125 - far[1], 0.75 + far[2], 0.125 + far[3]};
    for (int i = 0; i < 8; i++) assert_float_equal(y[i], wanted[i], 1e-5);
    pct_parameters_free(&set);
    close_bench(&b);
}

/* LoRA starts as nothing, then adds alpha/rank B A x; the base below it does not learn. */
static void low_rank(void **state) {
    bench b;
    pct_parameters set;
    pct_linear adapted, plain;
    open_bench(&b);
    pct_parameters_init(&set);
    pct_builder builder = {.set = &set, .seed = 1, .trainable = true, .frozen = true};
    builder.lora.rank = 2;
    builder.lora.alpha = 6;
    builder.lora.targets = "attn_q,attn_v";
    pct_linear_build(&adapted, &builder, 3, 4, false, 1, "blk.%d.attn_v", 0);
    pct_linear_build(&plain, &builder, 3, 4, false, 1, "blk.%d.attn_k", 0);
    assert_int_equal(builder.status, PERCEPT_OK);
    assert_non_null(adapted.lora_a);
    assert_null(plain.lora_a);
    assert_string_equal(adapted.lora_b->name, "blk.0.attn_v.weight.lora_b");
    assert_true(adapted.lora_a->trainable && adapted.lora_b->trainable);
    assert_false(adapted.weight->trainable || plain.weight->trainable);
    const float row[3] = {1, -2, 0.5f};
    pct_tensor *x = pct_tape_input(&b.tape, PCT_REAL, 2, (int64_t[]){1, 3}, row);
    pct_tensor *base = pct_op_linear(&b.tape, x, &adapted.weight->tensor, NULL);
    pct_tensor *first = pct_linear_apply(&b.tape, &adapted, x);
    for (int i = 0; i < 4; i++) assert_float_equal(pct_tensor_data(first)[i], pct_tensor_data(base)[i], 0);
    pct_real *down = pct_tensor_data(&adapted.lora_a->tensor), *up = pct_tensor_data(&adapted.lora_b->tensor);
    for (int i = 0; i < 6; i++) down[i] = (float)(i + 1); /* A x = (1-4+1.5, 4-10+3) = (-1.5, -3) */
    for (int i = 0; i < 8; i++) up[i] = i % 2 ? 1 : 2;    /* B A x = 2*-1.5 - 3 = -6 */
    adapted.lora_a->version++;
    adapted.lora_b->version++;
    pct_tensor *second = pct_linear_apply(&b.tape, &adapted, x);
    for (int i = 0; i < 4; i++) assert_float_equal(pct_tensor_data(second)[i], pct_tensor_data(base)[i] - 18, 1e-5);
    pct_parameters_free(&set);
    close_bench(&b);
}

/* A weight's first values depend on seed and name alone, have the deviation asked for and no tails. */
static void first_weights(void **state) {
    pct_parameters one, two;
    pct_parameters_init(&one);
    pct_parameters_init(&two);
    pct_builder a = {.set = &one, .seed = 5, .trainable = true}, b = {.set = &two, .seed = 5, .trainable = true};
    const int64_t dim[2] = {64, 100};
    pct_build_weight(&a, PCT_INIT_NORMAL, 1, 2, dim, true, false, "another");
    pct_parameter *x = pct_build_weight(&a, PCT_INIT_FAN, 0.5, 2, dim, true, false, "w");
    pct_parameter *y = pct_build_weight(&b, PCT_INIT_FAN, 0.5, 2, dim, true, false, "w");
    assert_memory_equal(x->tensor.data, y->tensor.data, 6400 * sizeof(float));
    double squares = 0, largest = 0;
    for (int i = 0; i < 6400; i++) {
        double w = (double)pct_tensor_data(&x->tensor)[i];
        squares += w * w;
        largest = fmax(largest, fabs(w));
    }
    assert_float_equal(sqrt(squares / 6400), 0.05, 0.002);
    assert_true(largest < 0.05 * 2 / 0.8796 + 1e-6);
    pct_parameters_free(&one);
    pct_parameters_free(&two);
}

static void sampling(void **state) {
    const pct_real logits[5] = {0, 1, 3, 2.5f, -4};
    pct_real probability[5];
    int32_t order[5], counts[5] = {0};
    double sum = 0, log_probability;
    for (int i = 0; i < 5; i++) sum += exp((double)logits[i]);
    pct_sampler s = {.probability = probability, .order = order};
    pct_random_init(&s.random, 1, 0, 0);
    assert_int_equal(pct_sample(&s, logits, 5, &log_probability), 2);
    assert_float_equal(log_probability, 3 - log(sum), 1e-6);
    /* The two likeliest hold e^3+e^2.5 = 32.3 of 36.0: 0.8 lets both in and no other. */
    s.temperature = 1;
    s.top_p = 0.8f;
    for (int i = 0; i < 4000; i++) counts[pct_sample(&s, logits, 5, &log_probability)]++;
    assert_int_equal(counts[0] + counts[1] + counts[4], 0);
    assert_float_equal(counts[2] / 4000.0, exp(3) / (exp(3) + exp(2.5)), 0.03);
    /* All of it. */
    s.top_p = 1;
    memset(counts, 0, sizeof counts);
    for (int i = 0; i < 20000; i++) counts[pct_sample(&s, logits, 5, &log_probability)]++;
    for (int i = 0; i < 5; i++) assert_float_equal(counts[i] / 20000.0, exp((double)logits[i]) / sum, 0.012);
    /* A tiny top_p is the likeliest; a high temperature is nearly even. */
    s.top_p = 1e-6f;
    for (int i = 0; i < 50; i++) assert_int_equal(pct_sample(&s, logits, 5, &log_probability), 2);
    s.top_p = 1;
    s.temperature = 1000;
    memset(counts, 0, sizeof counts);
    for (int i = 0; i < 5000; i++) counts[pct_sample(&s, logits, 5, &log_probability)]++;
    for (int i = 0; i < 5; i++) assert_float_equal(counts[i] / 5000.0, 0.2, 0.03);
}

static void overlaps(void **state) {
    const pct_real a[4] = {0, 0, 0.5f, 0.5f}, b[4] = {0.25f, 0, 0.75f, 0.5f}, turned[4] = {0.5f, 0.5f, 0, 0};
    const pct_real empty[4] = {0.2f, 0.2f, 0.2f, 0.2f};
    assert_float_equal(pct_region_box_iou(a, b), 1.0 / 3, 1e-6);
    assert_float_equal(pct_region_box_iou(a, turned), 1, 1e-6);
    assert_float_equal(pct_region_box_iou(empty, empty), 0, 0);
    const pct_real logits[4] = {1, 1, -1, -1}, target[4] = {1, 0, 0.6f, 0.2f}, none[4] = {-1, -1, -1, -1};
    assert_float_equal(pct_region_mask_iou(logits, target, 4), 1.0 / 3, 1e-6);
    assert_float_equal(pct_region_mask_iou(none, empty, 4), 1, 0);
}

/* The masks of several objects in one pass are those of each alone, whatever pictures they belong to. */
static void objects_apart(void **state) {
    bench b;
    pct_model *model = NULL;
    pct_model_config config = tiny_config(TINY_NANO);
    open_bench(&b);
    assert_int_equal(pct_model_create(&model, &config, NULL, 3, NULL), PERCEPT_OK);
    pct_real *pixels = pct_arena_take(&b.arena, sizeof(pct_real) * 2 * 32 * 32 * 3);
    for (int i = 0; i < 2 * 32 * 32 * 3; i++) pixels[i] = sinf(0.37f * (float)i + 0.001f * (float)(i % 97));
    pct_tensor *input = pct_tape_input(&b.tape, PCT_REAL, 4, (int64_t[]){2, 32, 32, 3}, pixels);
    pct_sight sight = pct_model_see(&b.tape, model, input, true);
    pct_real *rows = pct_arena_take(&b.arena, sizeof(pct_real) * 3 * 16);
    for (int i = 0; i < 48; i++) rows[i] = cosf(1.7f * (float)i);
    const int32_t pictures[3] = {1, 0, 1};
    pct_tensor *states = pct_tape_input(&b.tape, PCT_REAL, 2, (int64_t[]){3, 16}, rows);
    pct_regions all = pct_model_regions(&b.tape, model, &sight.keys, states, pictures);
    int64_t cells = all.logits->dim[1] * all.logits->dim[2];
    for (int i = 0; i < 3; i++) {
        pct_tensor *state_alone = pct_tape_input(&b.tape, PCT_REAL, 2, (int64_t[]){1, 16}, rows + 16 * i);
        pct_regions alone = pct_model_regions(&b.tape, model, &sight.keys, state_alone, &pictures[i]);
        for (int64_t k = 0; k < cells; k++)
            assert_float_equal(pct_tensor_data(alone.logits)[k], pct_tensor_data(all.logits)[i * cells + k], 1e-4);
        for (int k = 0; k < 4; k++)
            assert_float_equal(pct_tensor_data(alone.boxes)[k], pct_tensor_data(all.boxes)[4 * i + k], 1e-4);
    }
    /* The same state over the other picture is another mask. */
    pct_tensor *first = pct_tape_input(&b.tape, PCT_REAL, 2, (int64_t[]){1, 16}, rows);
    pct_regions moved = pct_model_regions(&b.tape, model, &sight.keys, first, &pictures[1]);
    double apart = 0;
    for (int64_t k = 0; k < cells; k++)
        apart = fmax(apart, fabs((double)(pct_tensor_data(moved.logits)[k] - pct_tensor_data(all.logits)[k])));
    assert_true(apart > 1e-3);
    pct_model_close(&model);
    close_bench(&b);
}

/* Cells get the table on their way to the language model alone, the row before them nothing; and where rows stand. */
static void cells_placed(void **state) {
    bench b;
    pct_model *model = NULL;
    pct_model_config config = tiny_config(TINY_NANO);
    open_bench(&b);
    assert_int_equal(pct_model_create(&model, &config, NULL, 3, NULL), PERCEPT_OK);
    pct_parameter *table = pct_parameters_find(&model->parameters, "percept.cell_position");
    assert_non_null(table);
    assert_true(table->trainable && !table->decay && !table->matrix);
    pct_real *pixels = pct_arena_take(&b.arena, sizeof(pct_real) * 2 * 32 * 32 * 3);
    for (int i = 0; i < 2 * 32 * 32 * 3; i++) pixels[i] = sinf(0.37f * (float)i);
    pct_tensor *input = pct_tape_input(&b.tape, PCT_REAL, 4, (int64_t[]){2, 32, 32, 3}, pixels);
    pct_sight sight = pct_model_see(&b.tape, model, input, false);
    int64_t rows = pct_model_prefix_rows(model), width = config.language.width;
    assert_int_equal(pct_tensor_count(&table->tensor), (rows - 1) * width);
    for (int64_t i = 0; i < 2 * rows * width; i++) {
        int64_t in = i % (rows * width) - width;
        pct_real place = in < 0 ? 0 : pct_tensor_data(&table->tensor)[in];
        assert_float_equal(pct_tensor_data(sight.prefix)[i], pct_tensor_data(sight.cells)[i] + place, 1e-6);
    }
    const int32_t learned[] = {0, 1, 1, 1, 1, 2, 3}, alone[] = {0, 1, 2};
    assert_int_equal(rows, 5);
    for (int32_t i = 0; i < 7; i++) assert_int_equal(pct_model_position(model, rows, i), learned[i]);
    for (int32_t i = 0; i < 3; i++) assert_int_equal(pct_model_position(model, 0, i), alone[i]);
    model->config.language.cell_positions = PCT_CELLS_ROTARY;
    for (int32_t i = 0; i < 7; i++) assert_int_equal(pct_model_position(model, rows, i), i);
    pct_model_close(&model);
    close_bench(&b);
}

/* A mimetic start blends each query head with its key head, doubled, and places cells by sinusoids; it changes nothing
 * else and is no part of the structure. */
static void mimetic_start(void **state) {
    pct_model_config config = tiny_config(TINY_NANO);
    pct_model *model[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        config.language.init = i ? PCT_LANGUAGE_MIMETIC : PCT_LANGUAGE_PLAIN;
        assert_int_equal(pct_model_create(&model[i], &config, NULL, 3, NULL), PERCEPT_OK);
    }
    assert_memory_equal(&model[0]->config, &model[1]->config, sizeof config);
    for (size_t i = 0; i < model[0]->parameters.count; i++) {
        const pct_parameter *plain = model[0]->parameters.list[i], *mimetic = model[1]->parameters.list[i];
        const pct_real *a = pct_tensor_data(&plain->tensor), *b = pct_tensor_data(&mimetic->tensor);
        const bool query = strstr(plain->name, "attn_q"), key = strstr(plain->name, "attn_k");
        if (!strcmp(plain->name, "percept.cell_position")) {
            /* Cells of one row agree in the row's half of the channels, cells of one column in the other. */
            assert_memory_equal(b, b + 16, 8 * sizeof *b);
            assert_memory_equal(b + 8, b + 2 * 16 + 8, 8 * sizeof *b);
            assert_true(fabs((double)(b[8] - b[16 + 8])) > 0.1 && fabs((double)(b[0] - b[2 * 16])) > 0.1);
            continue;
        }
        if (strncmp(plain->name, "blk.", 4) != 0 || !(query || key)) {
            assert_memory_equal(a, b, (size_t)pct_tensor_count(&plain->tensor) * sizeof *a);
            continue;
        }
        char name[PCT_NAME_SIZE];
        snprintf(name, sizeof name, "blk.%c.attn_k.weight", plain->name[4]);
        const pct_real *k = pct_tensor_data(&pct_parameters_find(&model[0]->parameters, name)->tensor);
        /* Four query heads of 4 x 16 over two key heads: 0 and 1 share the first. */
        for (int n = 0; n < (query ? 256 : 128); n++) {
            const float wanted = query ? 1.4f * a[n] + 1.4f * k[n / 128 * 64 + n % 64] : 2 * a[n];
            assert_float_equal(b[n], wanted, 1e-6);
        }
    }
    for (int i = 0; i < 2; i++) pct_model_close(&model[i]);
}

/* Where only the tower's own losses count, the rest is left out of the step: same value, no gradient outside the tower.
 */
static void first_stage(void **state) {
    bench b;
    pct_model *model = NULL;
    pct_model_config config = tiny_config(TINY_NANO);
    open_bench(&b);
    assert_int_equal(pct_model_create(&model, &config, NULL, 3, NULL), PERCEPT_OK);
    const batch_shape shape = {.pictures = 2, .segments = 2, .question = 5, .answer = 4, .objects = 1, .names = 3};
    pct_batch batch = batch_random(&b.arena, &config, &shape, 5);
    pct_loss_weights weights;
    pct_loss_weights_default(&weights);
    pct_losses whole, stage;
    pct_model_loss(model, &b.tape, &batch, &weights, &whole);
    weights = (pct_loss_weights){.naming = 1, .presence = 1, .background = weights.background};
    b.tape.record = true;
    pct_tensor *loss = pct_model_loss(model, &b.tape, &batch, &weights, &stage);
    assert_float_equal(stage.naming, whole.naming, 1e-6);
    assert_float_equal(stage.presence, whole.presence, 1e-6);
    assert_float_equal(stage.total, stage.naming + stage.presence, 1e-5);
    assert_int_equal(stage.tokens, 0);
    pct_tape_back(&b.tape, loss);
    const struct {
        const char *name;
        bool learns;
    } cases[] = {{"v.class_embd", true},
                 {"percept.presence.map.weight", true},
                 {"token_embd.weight", true},
                 {"blk.0.attn_q.weight", false},
                 {"percept.box_decoder.0.weight", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pct_parameter *parameter = pct_parameters_find(pct_model_get_parameters(model), cases[i].name);
        double sum = 0;
        assert_non_null(parameter);
        for (int64_t k = 0; k < pct_tensor_count(&parameter->tensor); k++)
            sum += fabs((double)parameter->tensor.grad[k]);
        assert_int_equal(sum > 0, cases[i].learns);
    }
    pct_model_close(&model);
    close_bench(&b);
}

/* Mean box IoU of two regions of one phrase: one with the middle of its box at x, the other, half as high, at 0.5. */
static double any_order_iou(double x, bool swapped, float any_order) {
    bench b;
    pct_model *model = NULL;
    pct_model_config config = tiny_config(TINY_NANO);
    const pct_real half = (pct_real)0.25;
    const pct_real boxes[2][4] = {{(pct_real)x - half, 0, (pct_real)x + half, 1}, {half, 0, 3 * half, 2 * half}};
    pct_batch_object objects[2];
    open_bench(&b);
    assert_int_equal(pct_model_create(&model, &config, NULL, 3, NULL), PERCEPT_OK);
    const batch_shape shape = {.pictures = 1, .segments = 1, .question = 4, .answer = 6, .objects = 2};
    pct_batch batch = batch_random(&b.arena, &config, &shape, 5);
    for (int k = 0; k < 2; k++) {
        /* read as the bare token, so that the second region does not depend on what the first one's target is */
        objects[k] = (pct_batch_object){.row = 6 + k, .answer = true, .source = PCT_REGION_PLACE};
        memcpy(objects[k].box, boxes[swapped ? 1 - k : k], sizeof objects[k].box);
    }
    batch.objects = objects;
    batch.object_count = 2;
    pct_loss_weights weights;
    pct_loss_weights_default(&weights);
    weights.any_order = any_order;
    pct_losses losses;
    pct_model_loss(model, &b.tape, &batch, &weights, &losses);
    assert_int_equal(losses.objects, 2);
    pct_model_close(&model);
    close_bench(&b);
    return losses.box_iou;
}

/* The first of two regions is charged for the better fitting one of both boxes, where they are near. */
static void near_ones_in_any_order(void **state) {
    const double x = 0.3; /* 0.2 away */
    const double kept = any_order_iou(x, false, 0), other = any_order_iou(x, true, 0);
    /* The second region has nothing after it: first box and second box, or second and second. */
    const double first = any_order_iou(x, false, 0.25f), second = any_order_iou(x, true, 0.25f);
    assert_true(first >= kept && second >= other);
    assert_true((first > kept) != (second > other));
    assert_true(any_order_iou(x, false, 0.15f) == kept && any_order_iou(x, true, 0.15f) == other);
}

/* A picture of 8 x 8 cells with two objects, one of 2 x 2 cells on the left and one of 3 x 3 on the right; cells of
 * neither name a box of their own. A mask of 4 x 4 pixels a cell. */
enum { COMMIT_GRID = 8, COMMIT_SIDE = 32 };
static const pct_real commit_left[4] = {(pct_real)0, (pct_real)0.25, (pct_real)0.25, (pct_real)0.5};
static const pct_real commit_right[4] = {(pct_real)0.5, (pct_real)0.25, (pct_real)0.875, (pct_real)0.625};

static bool holds(const pct_real *box, double x, double y) {
    return x > (double)box[0] && x < (double)box[2] && y > (double)box[1] && y < (double)box[3];
}

static void commit_picture(double left, double right, pct_real *boxes, pct_real *logits) {
    for (int64_t c = 0; c < COMMIT_GRID * COMMIT_GRID; c++) {
        pct_real middle[2];
        pct_cell_middle(c, COMMIT_GRID, middle);
        const pct_real own[4] = {middle[0] - (pct_real)0.05, middle[1] - (pct_real)0.05, middle[0] + (pct_real)0.05,
                                 middle[1] + (pct_real)0.05};
        const double x = (double)middle[0], y = (double)middle[1];
        const pct_real *box = holds(commit_left, x, y) ? commit_left : holds(commit_right, x, y) ? commit_right : own;
        memcpy(boxes + 4 * c, box, sizeof own);
    }
    for (int y = 0; y < COMMIT_SIDE; y++)
        for (int x = 0; x < COMMIT_SIDE; x++) {
            const double px = (x + 0.5) / COMMIT_SIDE, py = (y + 0.5) / COMMIT_SIDE;
            logits[y * COMMIT_SIDE + x] = (pct_real)(holds(commit_left, px, py)    ? left
                                                     : holds(commit_right, px, py) ? right
                                                                                   : -8);
        }
}

static void over_two_objects(void **state) {
    bench b;
    open_bench(&b);
    static pct_real boxes[COMMIT_GRID * COMMIT_GRID * 4], logits[COMMIT_SIDE * COMMIT_SIDE];
    static pct_real kept[COMMIT_SIDE * COMMIT_SIDE];
    const pct_real both[4] = {0, (pct_real)0.25, (pct_real)0.875, (pct_real)0.625};
    pct_real box[4];
    /* Half sure of either: the larger one, all of it, and nothing of the other. */
    commit_picture(0.1, 0.1, boxes, logits);
    memcpy(box, both, sizeof box);
    assert_true(pct_region_commit(&b.tape, boxes, COMMIT_GRID, box, logits, COMMIT_SIDE));
    assert_true(pct_region_box_iou(box, commit_right) > 0.999);
    for (int y = 0; y < COMMIT_SIDE; y++)
        for (int x = 0; x < COMMIT_SIDE; x++) {
            const bool in = holds(commit_right, (x + 0.5) / COMMIT_SIDE, (y + 0.5) / COMMIT_SIDE);
            assert_true(in ? logits[y * COMMIT_SIDE + x] > 2.5f : logits[y * COMMIT_SIDE + x] < 0);
        }
    /* The mask is the left one's, the box a mean of the two: where the mask is. */
    commit_picture(4, -4, boxes, logits);
    const pct_real between[4] = {(pct_real)0.25, (pct_real)0.25, (pct_real)0.5625, (pct_real)0.5625};
    memcpy(box, between, sizeof box);
    assert_true(pct_region_commit(&b.tape, boxes, COMMIT_GRID, box, logits, COMMIT_SIDE));
    assert_true(pct_region_box_iou(box, commit_left) > 0.999);
    assert_true(fabs((double)logits[10 * COMMIT_SIDE + 3] - 4) < 1e-6); /* sure of it already */
    /* One that has decided stays as it is, to the last bit; and one that covers nothing. */
    for (int nothing = 0; nothing < 2; nothing++) {
        commit_picture(-8, nothing ? -8 : 4, boxes, logits);
        memcpy(kept, logits, sizeof kept);
        memcpy(box, commit_right, sizeof box);
        box[0] += (pct_real)0.1;
        assert_false(pct_region_commit(&b.tape, boxes, COMMIT_GRID, box, logits, COMMIT_SIDE));
        assert_true(box[0] == commit_right[0] + (pct_real)0.1 && box[2] == commit_right[2]);
        assert_memory_equal(kept, logits, sizeof kept);
    }
    pct_model_config config = tiny_config(TINY_NANO);
    config.heads.commit = 1;
    percept_error error;
    assert_int_equal(pct_model_config_check(&config, &error), PERCEPT_OK);
    config.heads.cell_box = 0;
    assert_int_equal(pct_model_config_check(&config, &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, "heads.commit: 1 needs heads.cell_box: 1"));
    close_bench(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patch_kernel),     cmocka_unit_test(position_table),
        cmocka_unit_test(logits_of_shares), cmocka_unit_test(boxes_of_cells),
        cmocka_unit_test(low_rank),         cmocka_unit_test(first_weights),
        cmocka_unit_test(sampling),         cmocka_unit_test(overlaps),
        cmocka_unit_test(objects_apart),    cmocka_unit_test(near_ones_in_any_order),
        cmocka_unit_test(over_two_objects), cmocka_unit_test(first_stage),
        cmocka_unit_test(cells_placed),     cmocka_unit_test(mimetic_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
