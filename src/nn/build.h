/* build.h: how a model's weights come to be: one description serves random initialisation and reading a file.
 *
 * Each part of the model asks the builder for its weights by name and shape. Without a source the builder makes new
 * ones, each initialised from (seed, name), so that adding a part changes no other's numbers; with a source it takes
 * them from there (a model file). The first failure sticks: later calls do nothing and give NULL, and the status is
 * checked once at the end. */
#ifndef PCT_NN_BUILD_H
#define PCT_NN_BUILD_H

#include "base/error.h"
#include "tensor/tensor.h"

enum pct_init {
    PCT_INIT_CONSTANT, /* all `scale` */
    PCT_INIT_NORMAL,   /* truncated at two deviations; deviation `scale` */
    PCT_INIT_FAN       /* the same with deviation scale/sqrt(inputs of one output) */
};

typedef struct pct_weight_spec {
    char name[PCT_NAME_SIZE];
    enum pct_init init;
    double scale;
    int rank;
    int64_t dim[PCT_MAX_RANK];
    bool decay;     /* weight decay applies */
    bool trainable; /* unless the whole model is built for inference */
    bool plain;     /* always F32 in memory and in files: norms, biases, small things */
} pct_weight_spec;

/* Finds the weight, checks its shape and adds it to the set; where it leaves *parameter NULL the weight is made at
 * random. */
typedef percept_status pct_weight_source(void *context, const pct_weight_spec *spec, pct_parameters *set,
                                         pct_parameter **parameter, percept_error *error);

typedef struct pct_builder {
    pct_parameters *set;       /* borrowed */
    uint64_t seed;             /* of random weights */
    pct_weight_source *source; /* NULL: random */
    void *context;
    bool trainable; /* false: nothing needs a gradient */
    bool frozen;    /* the part that is being built does not learn (LoRA's base) */
    struct {
        int32_t rank; /* 0: none */
        float alpha, dropout;
        const char *targets; /* comma-separated ends of names; "" none */
    } lora;
    percept_error *error;
    percept_status status;
} pct_builder;

/* `name` is a printf format. The last dimension's product with the inner ones (all but the first) is the fan-in. */
pct_parameter *pct_build_weight(pct_builder *builder, enum pct_init init, double scale, int rank, const int64_t *dim,
                                bool decay, bool plain, const char *name, ...) PCT_PRINTF(8, 9);
/* A vector of `count`, F32, no decay. */
pct_parameter *pct_build_vector(pct_builder *builder, double value, int64_t count, const char *name, ...)
    PCT_PRINTF(4, 5);
/* Whether LoRA adapts the layer of that name (without ".weight"). */
bool pct_build_adapts(const pct_builder *builder, const char *name);

#endif
