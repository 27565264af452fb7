/* library.c: loads oneDNN and keeps what was prepared for each shape. */
#include "kernels/dnn/library.h"

#include <dlfcn.h>
#include <stdlib.h>

static bool load(pct_dnn *dnn) {
#ifdef PCT_DNN_FOLDER
    dnn->handle = dlopen(PCT_DNN_FOLDER "/" PCT_DNN_LIBRARY, RTLD_NOW | RTLD_LOCAL);
#endif
    if (!dnn->handle) dnn->handle = dlopen(PCT_DNN_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!dnn->handle) return false;
    void *symbol;
#define LOAD(name)                                                                                                     \
    symbol = dlsym(dnn->handle, #name);                                                                                \
    if (!symbol) return false;                                                                                         \
    memcpy(&dnn->call.name, &symbol, sizeof symbol);
    PCT_DNN_FUNCTIONS(LOAD)
#undef LOAD
    return true;
}

pct_dnn *pct_dnn_open(int threads) {
    pct_dnn *dnn = calloc(1, sizeof *dnn);
    if (!dnn) return NULL;
    dnn->threads = threads;
    if (!load(dnn) || dnn->call.dnnl_engine_create(&dnn->engine, dnnl_cpu, 0) != dnnl_success ||
        dnn->call.dnnl_stream_create(&dnn->stream, dnn->engine, dnnl_stream_default_flags) != dnnl_success)
        pct_dnn_close(&dnn);
    return dnn;
}

static void free_step(pct_dnn *dnn, pct_dnn_step *step) {
    if (step->primitive) dnn->call.dnnl_primitive_destroy(step->primitive);
    for (int i = 0; i < step->count; i++) dnn->call.dnnl_memory_destroy(step->args[i].memory);
}

void pct_dnn_close(pct_dnn **dnn) {
    pct_dnn *d = *dnn;
    if (!d) return;
    for (size_t i = 0; i < d->capacity; i++) {
        if (!d->table[i]) continue;
        free_step(d, &d->table[i]->main);
        free_step(d, &d->table[i]->reorder);
        free(d->table[i]);
    }
    free(d->table);
    if (d->stream) d->call.dnnl_stream_destroy(d->stream);
    if (d->engine) d->call.dnnl_engine_destroy(d->engine);
    /* The library stays loaded: its threads may still be winding down. */
    free(d);
    *dnn = NULL;
}

static uint64_t hash_of(const pct_dnn_key *key) {
    uint64_t hash = 0;
    for (unsigned i = 0; i < PCT_COUNT(key->numbers); i++) {
        hash = (hash ^ (uint64_t)key->numbers[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return hash;
}

static pct_dnn_entry **place_of(pct_dnn *dnn, const pct_dnn_key *key) {
    size_t i = hash_of(key) & (dnn->capacity - 1);
    while (dnn->table[i] && memcmp(&dnn->table[i]->key, key, sizeof *key)) i = (i + 1) & (dnn->capacity - 1);
    return &dnn->table[i];
}

static bool grow(pct_dnn *dnn) {
    pct_dnn_entry **old = dnn->table;
    const size_t had = dnn->capacity, wanted = had ? had * 2 : 256;
    pct_dnn_entry **table = calloc(wanted, sizeof(pct_dnn_entry *));
    if (!table) return false;
    dnn->table = table;
    dnn->capacity = wanted;
    for (size_t i = 0; i < had; i++)
        if (old[i]) *place_of(dnn, &old[i]->key) = old[i];
    free(old);
    return true;
}

pct_dnn_entry *pct_dnn_find(pct_dnn *dnn, const pct_dnn_key *key, bool *fresh) {
    *fresh = false;
    if (dnn->count * 2 >= dnn->capacity && !grow(dnn)) return NULL;
    pct_dnn_entry **place = place_of(dnn, key);
    if (*place) return *place;
    *place = calloc(1, sizeof **place);
    if (!*place) return NULL;
    (*place)->key = *key;
    dnn->count++;
    *fresh = true;
    dnn->call.omp_set_num_threads(dnn->threads); /* primitives are cut for as many threads as there are now */
    return *place;
}

bool pct_dnn_strided(pct_dnn *dnn, pct_dnn_layout *layout, int count, const int64_t *dims, dnnl_data_type_t type,
                     const int64_t *strides) {
    dnnl_dims_t d = {0}, s = {0};
    for (int i = 0; i < count; i++) d[i] = dims[i], s[i] = strides[i];
#if DNNL_VERSION_MAJOR >= 3
    layout->made = dnn->call.dnnl_memory_desc_create_with_strides(&layout->desc, count, d, type, s) == dnnl_success;
#else
    layout->made = dnn->call.dnnl_memory_desc_init_by_strides(&layout->desc, count, d, type, s) == dnnl_success;
#endif
    return layout->made;
}

bool pct_dnn_any(pct_dnn *dnn, pct_dnn_layout *layout, int count, const int64_t *dims, dnnl_data_type_t type) {
    dnnl_dims_t d = {0};
    for (int i = 0; i < count; i++) d[i] = dims[i];
#if DNNL_VERSION_MAJOR >= 3
    layout->made =
        dnn->call.dnnl_memory_desc_create_with_tag(&layout->desc, count, d, type, dnnl_format_tag_any) == dnnl_success;
#else
    layout->made =
        dnn->call.dnnl_memory_desc_init_by_tag(&layout->desc, count, d, type, dnnl_format_tag_any) == dnnl_success;
#endif
    return layout->made;
}

void pct_dnn_layout_free(pct_dnn *dnn, pct_dnn_layout *layout) {
#if DNNL_VERSION_MAJOR >= 3
    if (layout->made) dnn->call.dnnl_memory_desc_destroy(layout->desc);
#else
    (void)dnn;
#endif
    layout->made = false;
}

bool pct_dnn_add(pct_dnn *dnn, pct_dnn_step *step, int name, pct_dnn_layout_view layout) {
    dnnl_exec_arg_t *arg = &step->args[step->count];
    PCT_ASSERT((size_t)step->count < PCT_COUNT(step->args));
    if (dnn->call.dnnl_memory_create(&arg->memory, layout, dnn->engine, DNNL_MEMORY_NONE) != dnnl_success) return false;
    arg->arg = name;
    step->count++;
    return true;
}

bool pct_dnn_make(pct_dnn *dnn, pct_dnn_entry *entry, pct_dnn_step *step, dnnl_primitive_desc_t desc) {
    const pct_dnn_layout_view scratch = dnn->call.dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    entry->scratch_bytes = scratch ? dnn->call.dnnl_memory_desc_get_size(scratch) : 0;
    return dnn->call.dnnl_primitive_create(&step->primitive, desc) == dnnl_success && scratch &&
           pct_dnn_add(dnn, step, DNNL_ARG_SCRATCHPAD, scratch);
}

bool pct_dnn_make_reorder(pct_dnn *dnn, pct_dnn_step *step, pct_dnn_layout_view from, pct_dnn_layout_view to) {
    dnnl_primitive_desc_t desc = NULL;
    if (dnn->call.dnnl_reorder_primitive_desc_create(&desc, from, dnn->engine, to, dnn->engine, NULL) != dnnl_success)
        return false;
    const bool made = dnn->call.dnnl_primitive_create(&step->primitive, desc) == dnnl_success &&
                      pct_dnn_add(dnn, step, DNNL_ARG_FROM, from) && pct_dnn_add(dnn, step, DNNL_ARG_TO, to);
    dnn->call.dnnl_primitive_desc_destroy(desc);
    return made;
}

bool pct_dnn_run(pct_dnn *dnn, const pct_dnn_step *step, void *const *places) {
    for (int i = 0; i < step->count; i++)
        if (dnn->call.dnnl_memory_set_data_handle(step->args[i].memory, places[i]) != dnnl_success) return false;
    dnn->call.omp_set_num_threads(dnn->threads);
    return dnn->call.dnnl_primitive_execute(step->primitive, dnn->stream, step->count, step->args) == dnnl_success &&
           dnn->call.dnnl_stream_wait(dnn->stream) == dnnl_success;
}
