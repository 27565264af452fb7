/* parameters.c: the weights of a model and the forms that products want them in; see tensor.h. */
#include "base/file.h"
#include "base/random.h"
#include "base/size.h"
#include "tensor/tensor.h"

#include <stdlib.h>
#include <string.h>

void pct_parameters_init(pct_parameters *set) {
    memset(set, 0, sizeof *set);
    set->packed_budget = PCT_PACKED_BUDGET;
    /* Large chunks, since a matrix that does not fit in the rest of one leaves it unused; untouched pages cost
     * nothing. */
    pct_arena_init(&set->arena, (size_t)8 << 20);
    int failed = pthread_mutex_init(&set->lock, NULL);
    PCT_ASSERT(!failed);
}

void pct_parameters_free(pct_parameters *set) {
    if (!set || (!set->list && !set->arena.chunk_size)) return;
    for (size_t i = 0; i < set->count; i++) pct_packed_destroy(&set->list[i]->packed);
    free(set->list);
    pct_arena_free(&set->arena);
    pthread_mutex_destroy(&set->lock);
    memset(set, 0, sizeof *set);
}

pct_parameter *pct_parameters_find(const pct_parameters *set, const char *name) {
    uint64_t hash = pct_hash_bytes(name, strlen(name));
    for (size_t i = 0; i < set->count; i++) {
        if (set->list[i]->hash == hash && !strcmp(set->list[i]->name, name)) return set->list[i];
    }
    return NULL;
}

/* A parameter without data, in the list. */
static pct_parameter *append(pct_parameters *set, const char *name, int rank, const int64_t *dim) {
    PCT_ASSERT(strlen(name) < PCT_NAME_SIZE);
    PCT_ASSERT(rank >= 1 && rank <= PCT_MAX_RANK);
    PCT_ASSERT(!pct_parameters_find(set, name));
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? 2 * set->capacity : 64;
        pct_parameter **list = realloc(set->list, capacity * sizeof *list);
        if (!list) return NULL;
        set->list = list;
        set->capacity = capacity;
    }
    pct_parameter *parameter = pct_arena_take_zeroed(&set->arena, 1, sizeof *parameter);
    if (!parameter) return NULL;
    strcpy(parameter->name, name);
    parameter->hash = pct_hash_bytes(name, strlen(name));
    parameter->set = set;
    parameter->rate_scale = 1;
    parameter->decay = rank >= 2;
    pct_tensor *tensor = &parameter->tensor;
    tensor->rank = rank;
    tensor->parameter = parameter;
    for (int i = 0; i < rank; i++) {
        PCT_ASSERT(dim[i] > 0);
        tensor->dim[i] = dim[i];
    }
    set->list[set->count++] = parameter;
    return parameter;
}

static percept_status count_bytes(int rank, const int64_t *dim, size_t element, size_t *bytes) {
    *bytes = element;
    for (int i = 0; i < rank; i++) {
        if (!pct_size_mul(*bytes, (size_t)dim[i], bytes)) return PERCEPT_ERROR_RESOURCE;
    }
    return PERCEPT_OK;
}

pct_parameter *pct_parameters_add(pct_parameters *set, const char *name, int rank, const int64_t *dim, bool trainable,
                                  percept_error *error) {
    size_t bytes;
    void *data = NULL;
    pct_real *grad = NULL;
    if (count_bytes(rank, dim, sizeof(pct_real), &bytes) == PERCEPT_OK) {
        data = pct_arena_take_zeroed(&set->arena, 1, bytes);
        if (data && trainable) grad = pct_arena_take_zeroed(&set->arena, 1, bytes);
    }
    pct_parameter *parameter = data && (grad || !trainable) ? append(set, name, rank, dim) : NULL;
    if (!parameter) {
        pct_fail_memory(error, name);
        return NULL;
    }
    parameter->trainable = trainable;
    parameter->tensor.type = PCT_REAL;
    parameter->tensor.data = data;
    parameter->tensor.grad = grad;
    parameter->tensor.needs_grad = trainable;
    return parameter;
}

pct_parameter *pct_parameters_add_stored(pct_parameters *set, const char *name, pct_dtype type, int rank,
                                         const int64_t *dim, const void *data, percept_error *error) {
    size_t bytes;
    PCT_ASSERT(pct_dtype_row_bytes(type, dim[rank - 1], &bytes));
    pct_parameter *parameter = append(set, name, rank, dim);
    if (!parameter) {
        pct_fail_memory(error, name);
        return NULL;
    }
    parameter->tensor.type = type;
    parameter->tensor.data = (void *)(uintptr_t)data; /* never written: no gradient, no trainer touches it */
    return parameter;
}

/* ---- derived forms ----------------------------------------------------------------------------------------------- */

/* Rows of a parameter as pct_real or, by way of a block on the stack, as BF16. */
typedef struct conversion {
    const pct_tensor *tensor;
    const pct_kernels *kernels;
    size_t row_bytes;
    int64_t width;
    pct_real *plain;
    uint16_t *twin;
} conversion;

#define BLOCK 1024 /* elements at a time, a multiple of every block size */

static void convert_row(const conversion *c, int64_t row, int64_t begin, int64_t count) {
    pct_dtype type = c->tensor->type;
    const unsigned char *source = (const unsigned char *)c->tensor->data + (size_t)row * c->row_bytes +
                                  (size_t)(begin / pct_dtype_block(type)) * pct_dtype_block_bytes(type);
    int64_t place = row * c->width + begin;
    if (c->plain) {
        c->kernels->dequantise[type](c->plain + place, source, count);
    } else if (type == PCT_REAL) {
        c->kernels->to_bf16(c->twin + place, (const pct_real *)(const void *)source, count);
    } else {
        pct_real block[BLOCK];
        c->kernels->dequantise[type](block, source, count);
        c->kernels->to_bf16(c->twin + place, block, count);
    }
}

static void convert_rows(void *context, int64_t begin, int64_t end, int worker) {
    const conversion *c = context;
    (void)worker;
    for (int64_t row = begin; row < end; row++) {
        for (int64_t at = 0; at < c->width; at += BLOCK) convert_row(c, row, at, pct_min_i64(BLOCK, c->width - at));
    }
}

static void convert(pct_parameter *parameter, pct_compute *compute, pct_real *plain, uint16_t *twin) {
    const pct_tensor *tensor = &parameter->tensor;
    conversion c = {tensor, &compute->kernels, 0, pct_tensor_width(tensor), plain, twin};
    PCT_ASSERT(pct_dtype_row_bytes(tensor->type, c.width, &c.row_bytes));
    pct_parallel_for(compute->pool, pct_tensor_rows(tensor), pct_max_i64(1, 16384 / c.width), convert_rows, &c);
}

const uint16_t *pct_parameter_twin(pct_parameter *parameter, pct_compute *compute) {
    pct_tensor *tensor = &parameter->tensor;
    if (tensor->type == PCT_BF16) return tensor->data;
    pthread_mutex_lock(&parameter->set->lock);
    if (!tensor->twin || parameter->twin_version != parameter->version) {
        size_t bytes = (size_t)pct_tensor_count(tensor) * sizeof *tensor->twin;
        if (!tensor->twin) tensor->twin = pct_arena_take(&parameter->set->arena, bytes);
        if (tensor->twin) convert(parameter, compute, NULL, tensor->twin);
        parameter->twin_version = parameter->version;
    }
    pthread_mutex_unlock(&parameter->set->lock);
    return tensor->twin;
}

const pct_real *pct_parameter_plain(pct_parameter *parameter, pct_compute *compute) {
    pct_tensor *tensor = &parameter->tensor;
    if (tensor->type == PCT_REAL) return tensor->data;
    pthread_mutex_lock(&parameter->set->lock);
    if (!parameter->plain || parameter->plain_version != parameter->version) {
        size_t bytes = (size_t)pct_tensor_count(tensor) * sizeof(pct_real);
        if (!parameter->plain) parameter->plain = pct_arena_take(&parameter->set->arena, bytes);
        if (parameter->plain) convert(parameter, compute, parameter->plain, NULL);
        parameter->plain_version = parameter->version;
    }
    pthread_mutex_unlock(&parameter->set->lock);
    return parameter->plain;
}

const pct_packed *pct_parameter_packed(pct_parameter *parameter, pct_compute *compute, pct_dtype type) {
    const pct_tensor *tensor = &parameter->tensor;
    pct_parameters *set = parameter->set;
    const int64_t out = tensor->dim[0], in = tensor->dim[1];
    PCT_ASSERT(tensor->rank == 2);
    if (compute->int8 && !parameter->fine && pct_dtype_block(tensor->type) > 1) type = PCT_I8;
    pthread_mutex_lock(&set->lock);
    if (parameter->packed && parameter->packed_version != parameter->version) {
        set->packed_bytes -= pct_packed_bytes(parameter->packed);
        pct_packed_destroy(&parameter->packed);
    }
    const size_t size = parameter->packed ? 0 : pct_packed_size(compute, type, out, in);
    const bool fits = size <= set->packed_budget && set->packed_bytes <= set->packed_budget - size;
    if (!parameter->packed && fits &&
        pct_packed_create(&parameter->packed, compute, type, tensor->data, tensor->type, out, in, NULL) == PERCEPT_OK) {
        set->packed_bytes += pct_packed_bytes(parameter->packed);
        parameter->packed_version = parameter->version;
        size_t row;
        if (parameter->mapped && pct_dtype_row_bytes(tensor->type, in, &row))
            pct_map_release(tensor->data, (size_t)out * row);
    }
    const pct_packed *packed = parameter->packed;
    pthread_mutex_unlock(&set->lock);
    if (packed || fits) return packed;
    if (pct_packed_renew(&compute->panel, compute, type, tensor->data, tensor->type, out, in, NULL) != PERCEPT_OK)
        return NULL;
    return compute->panel;
}
