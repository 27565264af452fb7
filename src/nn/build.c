#include "nn/build.h"

#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static float truncated_normal(pct_random *random) {
    float x;
    do x = pct_random_normal(random);
    while (x < -2 || x > 2);
    return x;
}

/* Each weight has its own stream, so that its numbers depend on the seed and its name alone. */
static void initialise(pct_parameter *parameter, const pct_weight_spec *spec, uint64_t seed) {
    pct_real *data = pct_tensor_data(&parameter->tensor);
    int64_t count = pct_tensor_count(&parameter->tensor);
    if (spec->init == PCT_INIT_CONSTANT) {
        for (int64_t i = 0; i < count; i++) data[i] = (pct_real)spec->scale;
        return;
    }
    double deviation = spec->scale;
    if (spec->init == PCT_INIT_FAN) deviation /= sqrt((double)(count / spec->dim[0]));
    /* A normal cut at two deviations has 0.8796 of its deviation left. */
    deviation /= 0.87962566;
    pct_random random;
    pct_random_init(&random, seed, pct_hash_bytes(spec->name, strlen(spec->name)), 0);
    for (int64_t i = 0; i < count; i++) data[i] = (pct_real)(deviation * (double)truncated_normal(&random));
}

static pct_parameter *build(pct_builder *builder, pct_weight_spec *spec) {
    if (builder->status != PERCEPT_OK) return NULL;
    spec->trainable = builder->trainable && !builder->frozen;
    pct_parameter *parameter = NULL;
    if (builder->source)
        builder->status = builder->source(builder->context, spec, builder->set, &parameter, builder->error);
    if (builder->status == PERCEPT_OK && !parameter) {
        parameter =
            pct_parameters_add(builder->set, spec->name, spec->rank, spec->dim, spec->trainable, builder->error);
        if (!parameter)
            builder->status = PERCEPT_ERROR_RESOURCE;
        else
            initialise(parameter, spec, builder->seed);
    }
    if (builder->status != PERCEPT_OK) return NULL;
    parameter->decay = spec->decay;
    return parameter;
}

pct_parameter *pct_build_weight(pct_builder *builder, enum pct_init init, double scale, int rank, const int64_t *dim,
                                bool decay, bool plain, const char *name, ...) {
    pct_weight_spec spec = {.init = init, .scale = scale, .rank = rank, .decay = decay, .plain = plain};
    memcpy(spec.dim, dim, (size_t)rank * sizeof *dim);
    va_list args;
    va_start(args, name);
    int length = vsnprintf(spec.name, sizeof spec.name, name, args);
    va_end(args);
    PCT_ASSERT(length > 0 && length < PCT_NAME_SIZE);
    return build(builder, &spec);
}

pct_parameter *pct_build_vector(pct_builder *builder, double value, int64_t count, const char *name, ...) {
    pct_weight_spec spec = {.init = PCT_INIT_CONSTANT, .scale = value, .rank = 1, .dim = {count}, .plain = true};
    va_list args;
    va_start(args, name);
    int length = vsnprintf(spec.name, sizeof spec.name, name, args);
    va_end(args);
    PCT_ASSERT(length > 0 && length < PCT_NAME_SIZE);
    return build(builder, &spec);
}

bool pct_build_adapts(const pct_builder *builder, const char *name) {
    if (builder->lora.rank <= 0 || !builder->lora.targets) return false;
    size_t length = strlen(name);
    for (const char *target = builder->lora.targets; *target;) {
        size_t span = strcspn(target, ",");
        if (span > 0 && span <= length && memcmp(name + length - span, target, span) == 0) return true;
        target += span;
        if (*target == ',') target++;
    }
    return false;
}
