/* optimiser.c: see optimiser.h. */
#include "train/optimiser.h"

#include "base/size.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 32768 /* elements that a thread takes at a time: half a megabyte with gradient and moments */

struct pct_optimiser_chunk {
    uint32_t parameter; /* in list */
    int64_t begin, count;
};

static percept_status collect(pct_optimiser *optimiser, percept_error *error) {
    pct_parameters *set = optimiser->set;
    optimiser->list = calloc(set->count + 1, sizeof(pct_parameter *));
    if (!optimiser->list) return pct_fail_memory(error, "optimiser");
    for (size_t i = 0; i < set->count; i++) {
        pct_parameter *parameter = set->list[i];
        if (!parameter->trainable) continue;
        int64_t elements = pct_tensor_count(&parameter->tensor);
        optimiser->list[optimiser->count++] = parameter;
        pct_muon_matrix matrix;
        optimiser->elements += elements;
        if (!pct_muon_takes(parameter, &matrix)) optimiser->plain_elements += elements;
        optimiser->chunk_count += (size_t)((elements + CHUNK - 1) / CHUNK);
    }
    if (optimiser->count == 0) return pct_fail(error, PERCEPT_ERROR_USAGE, "no part of the model is left to learn");
    const bool muon = optimiser->options.kind == PCT_OPTIMISER_MUON;
    optimiser->v_elements = muon ? optimiser->plain_elements : optimiser->elements;
    return PERCEPT_OK;
}

static percept_status take_memory(pct_optimiser *optimiser, percept_error *error) {
    const bool average = optimiser->options.ema > 0;
    const int64_t elements = (average ? 2 : 1) * optimiser->elements + optimiser->v_elements;
    optimiser->memory = calloc((size_t)elements, sizeof *optimiser->memory);
    optimiser->m = calloc(optimiser->count, sizeof *optimiser->m);
    optimiser->v = calloc(optimiser->count, sizeof *optimiser->v);
    if (average) optimiser->ema = calloc(optimiser->count, sizeof *optimiser->ema);
    optimiser->chunks = calloc(optimiser->chunk_count, sizeof *optimiser->chunks);
    optimiser->partial = calloc(optimiser->chunk_count, sizeof *optimiser->partial);
    if (!optimiser->memory || !optimiser->m || !optimiser->v || (average && !optimiser->ema) || !optimiser->chunks ||
        !optimiser->partial) {
        return pct_fail_memory(error, "optimiser");
    }
    return PERCEPT_OK;
}

static void lay_out(pct_optimiser *optimiser) {
    pct_real *m = optimiser->memory, *v = m + optimiser->elements, *ema = v + optimiser->v_elements;
    for (size_t i = 0; i < optimiser->count; i++) {
        const pct_tensor *tensor = &optimiser->list[i]->tensor;
        const int64_t elements = pct_tensor_count(tensor);
        pct_muon_matrix matrix;
        optimiser->m[i] = m;
        m += elements;
        if (optimiser->options.kind != PCT_OPTIMISER_MUON || !pct_muon_takes(optimiser->list[i], &matrix)) {
            optimiser->v[i] = v;
            v += elements;
        }
        if (!optimiser->ema) continue;
        optimiser->ema[i] = ema;
        ema += elements;
        memcpy(optimiser->ema[i], tensor->data, (size_t)elements * sizeof(pct_real));
    }
}

/* Chunks of AdamW's parameters, then of Muon's: its loop takes the first alone. */
static void cut(pct_optimiser *optimiser) {
    size_t chunk = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < optimiser->count; i++) {
            const int64_t elements = pct_tensor_count(&optimiser->list[i]->tensor);
            if ((optimiser->v[i] == NULL) != (pass == 1)) continue;
            for (int64_t begin = 0; begin < elements; begin += CHUNK) {
                optimiser->chunks[chunk++] = (struct pct_optimiser_chunk){
                    .parameter = (uint32_t)i, .begin = begin, .count = pct_min_i64(CHUNK, elements - begin)};
            }
        }
        if (pass == 0) optimiser->adamw_chunks = chunk;
    }
}

static percept_status make_muon(pct_optimiser *optimiser, percept_error *error) {
    pct_muon_matrix *matrices = calloc(optimiser->count, sizeof *matrices);
    size_t count = 0;
    if (!matrices) return pct_fail_memory(error, "optimiser");
    for (size_t i = 0; i < optimiser->count; i++) {
        pct_muon_matrix *matrix = &matrices[count];
        if (!pct_muon_takes(optimiser->list[i], matrix)) continue;
        matrix->momentum = optimiser->m[i];
        matrix->average = optimiser->ema ? optimiser->ema[i] : NULL;
        count++;
    }
    percept_status status = PERCEPT_OK;
    if (count) status = pct_muon_create(&optimiser->muon, optimiser->compute, matrices, count, error);
    free(matrices);
    return status;
}

percept_status pct_optimiser_init(pct_optimiser *optimiser, const pct_optimiser_options *options, pct_compute *compute,
                                  pct_parameters *set, percept_error *error) {
    *optimiser = (pct_optimiser){.options = *options, .compute = compute, .set = set};
    percept_status status = collect(optimiser, error);
    if (status == PERCEPT_OK) status = take_memory(optimiser, error);
    if (status == PERCEPT_OK) {
        lay_out(optimiser);
        cut(optimiser);
        if (options->kind == PCT_OPTIMISER_MUON) status = make_muon(optimiser, error);
    }
    if (status != PERCEPT_OK) pct_optimiser_free(optimiser);
    return status;
}

void pct_optimiser_free(pct_optimiser *optimiser) {
    pct_muon_destroy(&optimiser->muon);
    free(optimiser->list);
    free(optimiser->m);
    free(optimiser->v);
    free(optimiser->ema);
    free(optimiser->memory);
    free(optimiser->chunks);
    free(optimiser->partial);
    *optimiser = (pct_optimiser){0};
}

static void zero_chunks(void *context, int64_t begin, int64_t end, int worker) {
    pct_optimiser *optimiser = context;
    for (int64_t i = begin; i < end; i++) {
        const struct pct_optimiser_chunk *chunk = &optimiser->chunks[i];
        memset(optimiser->list[chunk->parameter]->tensor.grad + chunk->begin, 0,
               (size_t)chunk->count * sizeof(pct_real));
    }
}

void pct_optimiser_zero(pct_optimiser *optimiser) {
    pct_parallel_for(optimiser->compute->pool, (int64_t)optimiser->chunk_count, 4, zero_chunks, optimiser);
}

static void norm_chunks(void *context, int64_t begin, int64_t end, int worker) {
    pct_optimiser *optimiser = context;
    for (int64_t i = begin; i < end; i++) {
        const struct pct_optimiser_chunk *chunk = &optimiser->chunks[i];
        optimiser->partial[i] = optimiser->compute->kernels.sum_squares(
            optimiser->list[chunk->parameter]->tensor.grad + chunk->begin, chunk->count);
    }
}

double pct_optimiser_norm(pct_optimiser *optimiser) {
    pct_parallel_for(optimiser->compute->pool, (int64_t)optimiser->chunk_count, 4, norm_chunks, optimiser);
    double sum = 0;
    for (size_t i = 0; i < optimiser->chunk_count; i++) sum += optimiser->partial[i];
    return sqrt(sum);
}

struct step {
    pct_optimiser *optimiser;
    double rate, scale, keep;
    int64_t step;
};

static void step_chunks(void *context, int64_t begin, int64_t end, int worker) {
    const struct step *step = context;
    pct_optimiser *optimiser = step->optimiser;
    const pct_optimiser_options *options = &optimiser->options;
    for (int64_t i = begin; i < end; i++) {
        const struct pct_optimiser_chunk *chunk = &optimiser->chunks[i];
        pct_parameter *parameter = optimiser->list[chunk->parameter];
        pct_real *weight = pct_tensor_data(&parameter->tensor) + chunk->begin;
        optimiser->compute->kernels.adamw(
            weight, optimiser->m[chunk->parameter] + chunk->begin, optimiser->v[chunk->parameter] + chunk->begin,
            parameter->tensor.grad + chunk->begin, chunk->count, step->rate * parameter->rate_scale, options->beta1,
            options->beta2, options->epsilon, parameter->decay ? options->decay : 0, step->scale, step->step);
        if (!optimiser->ema) continue;
        pct_real *average = optimiser->ema[chunk->parameter] + chunk->begin;
        pct_real keep = (pct_real)step->keep;
        for (int64_t k = 0; k < chunk->count; k++) average[k] = weight[k] + keep * (average[k] - weight[k]);
    }
}

void pct_optimiser_step(pct_optimiser *optimiser, double rate, double norm, int64_t step) {
    PCT_ASSERT(!optimiser->swapped);
    struct step context = {.optimiser = optimiser, .rate = rate, .scale = 1, .step = step};
    if (optimiser->options.clip > 0 && norm > optimiser->options.clip) context.scale = optimiser->options.clip / norm;
    context.keep = fmin(optimiser->options.ema, (1.0 + (double)step) / (10.0 + (double)step));
    pct_parallel_for(optimiser->compute->pool, (int64_t)optimiser->adamw_chunks, 2, step_chunks, &context);
    if (optimiser->muon) {
        pct_muon_step(optimiser->muon, &(pct_muon_update){.rate = rate,
                                                          .momentum = optimiser->options.momentum,
                                                          .decay = optimiser->options.decay,
                                                          .scale = context.scale,
                                                          .keep = context.keep});
    }
    for (size_t i = 0; i < optimiser->count; i++) optimiser->list[i]->version++;
}

void pct_optimiser_swap(pct_optimiser *optimiser) {
    if (!optimiser->ema) return;
    for (size_t i = 0; i < optimiser->count; i++) {
        pct_real *weight = pct_tensor_data(&optimiser->list[i]->tensor), *average = optimiser->ema[i];
        int64_t elements = pct_tensor_count(&optimiser->list[i]->tensor);
        for (int64_t k = 0; k < elements; k++) {
            pct_real kept = weight[k];
            weight[k] = average[k];
            average[k] = kept;
        }
        optimiser->list[i]->version++;
    }
    optimiser->swapped = !optimiser->swapped;
}

double pct_schedule_rate(double peak, int64_t step, int64_t warmup, int64_t steps, double final) {
    if (step < warmup) return peak * (double)step / (double)warmup;
    if (step >= steps) return peak * final;
    double part = (double)(step - warmup) / (double)(steps - warmup);
    return peak * (final + (1 - final) * 0.5 * (1 + cos(3.14159265358979323846 * part)));
}
