/* model_step: times a training step on a batch of noise: forward, backward, and the forward's parts.
 * usage: model_step [pictures] [questions] [steps] [f32|bf16] [threads] [side] [vocabulary]
 * No questions: the losses of the tower alone, as in a first stage of training. With one thread, times are of the
 * processor, not of the wall: they hold on a busy machine too. */
#include "base/clock.h"
#include "base/cpu.h"
#include "batch_random.h"
#include "model/model_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double part_times[64];
static bool one_thread;

static double now(void) {
    struct timespec t;
    if (!one_thread) return pct_clock_seconds();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Way back by operation, to see where the time goes. */
typedef struct op_time {
    const char *operation;
    double seconds;
    int count;
} op_time;
static op_time op_times[64];

static void back_profiled(pct_tape *tape, pct_tensor *loss) {
    pct_tape_grad(tape, loss)[0] += 1;
    memset(op_times, 0, sizeof op_times);
    for (pct_node *node = tape->last; node; node = node->previous) {
        if (!node->output->grad) continue;
        double start = now();
        node->back(tape, node);
        double taken = now() - start;
        int i = 0;
        while (op_times[i].operation && strcmp(op_times[i].operation, node->operation)) i++;
        op_times[i].operation = node->operation;
        op_times[i].seconds += taken;
        op_times[i].count++;
    }
}

static double forward_parts(pct_model *model, pct_tape *tape, const pct_batch *batch) {
    int32_t side = model->config.image.side;
    double t0 = now();
    pct_tensor *pixels = pct_tape_input(tape, PCT_REAL, 4, (int64_t[]){batch->pictures, side, side, 3}, batch->pixels);
    pct_tower_apply(tape, &model->tower, pixels);
    double t1 = now();
    pct_sight sight = pct_model_see(tape, model, pixels, true);
    double t2 = now();
    int32_t count = 0, *picture = pct_tape_ints(tape, batch->object_count);
    for (int32_t i = 0; i < batch->object_count; i++)
        if (batch->objects[i].answer) picture[count++] = batch->objects[i].picture;
    pct_tensor *states = pct_tape_zeros(tape, 2, (int64_t[]){count, model->config.language.width});
    double t3 = now();
    pct_model_regions(tape, model, &sight.keys, states, picture);
    double t4 = now();
    part_times[0] += t1 - t0;
    part_times[1] += t2 - t1 - (t1 - t0);
    part_times[2] += t4 - t3;
    return t4 - t0;
}

int main(int argc, char **argv) {
    int pictures = argc > 1 ? atoi(argv[1]) : 8, questions = argc > 2 ? atoi(argv[2]) : 6;
    int steps = argc > 3 ? atoi(argv[3]) : 5, threads = argc > 5 ? atoi(argv[5]) : 0;
    one_thread = threads == 1;
    percept_error error = {0};
    pct_pool *pool = NULL;
    pct_compute *compute = NULL;
    pct_model *model = NULL;
    pct_model_config config;
    pct_model_config_default(&config);
    if (argc > 6) config.image.side = atoi(argv[6]);
    if (argc > 7) config.language.vocabulary = atoi(argv[7]);
    if (pct_pool_create(&pool, threads, &error) || pct_compute_create(&compute, pool, pct_cpu_flags(), &error) ||
        pct_model_create(&model, &config, NULL, 1, &error)) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    pct_compute_use_library(compute);
    pct_dtype type = pct_compute_prefers_bf16(compute) ? PCT_BF16 : PCT_REAL;
    if (argc > 4) type = strcmp(argv[4], "bf16") ? PCT_REAL : PCT_BF16;
    int64_t weights = 0;
    for (size_t i = 0; i < model->parameters.count; i++)
        weights += pct_tensor_count(&model->parameters.list[i]->tensor);
    printf("parameters %.2f M, products in %s\n", (double)weights / 1e6, pct_dtype_name(type));
    pct_arena data, arena;
    pct_arena_init(&data, 0);
    pct_arena_init(&arena, (size_t)64 << 20);
    batch_shape shape = {.pictures = pictures,
                         .segments = questions > 0 ? questions : 1,
                         .question = 18,
                         .answer = 14,
                         .objects = 1,
                         .given = false,
                         .names = 60};
    pct_batch batch = batch_random(&data, &config, &shape, 7);
    pct_tape tape;
    pct_tape_init(&tape, compute, &arena, true, type);
    tape.recycle = true;
    pct_loss_weights loss_weights;
    pct_loss_weights_default(&loss_weights);
    if (questions == 0) loss_weights = (pct_loss_weights){.naming = 1, .presence = 0.2f, .background = 0.2f};
    for (int step = 0; step < steps; step++) {
        pct_losses losses;
        double t0 = now();
        pct_tensor *loss = pct_model_loss(model, &tape, &batch, &loss_weights, &losses);
        double t1 = now();
        size_t forward_bytes = arena.used;
        if (step == steps - 1)
            back_profiled(&tape, loss);
        else
            pct_tape_back(&tape, loss);
        double t2 = now();
        printf("step %d: loss %.4f forward %.1f ms back %.1f ms, %.1f pictures/s, arena %zu + %zu MB\n", step,
               losses.total, (t1 - t0) * 1e3, (t2 - t1) * 1e3, pictures / (t2 - t0), forward_bytes >> 20,
               (arena.used - forward_bytes) >> 20);
        for (size_t i = 0; i < model->parameters.count; i++) model->parameters.list[i]->version++;
        pct_tape_clear(&tape);
        pct_arena_reset(&arena);
    }
    for (int i = 0; op_times[i].operation; i++)
        printf("  back %-14s x%-4d %8.1f ms\n", op_times[i].operation, op_times[i].count, op_times[i].seconds * 1e3);
    for (int step = 0; step < 3; step++) {
        memset(part_times, 0, sizeof part_times);
        forward_parts(model, &tape, &batch);
        pct_tape_clear(&tape);
        pct_arena_reset(&arena);
    }
    printf("forward: tower %.1f ms, connector + fine + keys %.1f ms, regions %.1f ms\n", part_times[0] * 1e3,
           part_times[1] * 1e3, part_times[2] * 1e3);
    pct_model_close(&model);
    pct_compute_destroy(&compute);
    pct_pool_destroy(&pool);
    pct_arena_free(&data);
    pct_arena_free(&arena);
    return 0;
}
