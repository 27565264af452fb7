/* library.h: the functions of oneDNN that are used, as loaded; and the difference between its versions 2 and 3, which
 * is that descriptors became objects and operation descriptors went. Only for the files of this folder. */
#ifndef PCT_KERNELS_DNN_LIBRARY_H
#define PCT_KERNELS_DNN_LIBRARY_H

#include "kernels/dnn/dnn.h"

#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_version.h>

#define PCT_DNN_COMMON(F)                                                                                              \
    F(dnnl_engine_create)                                                                                              \
    F(dnnl_engine_destroy)                                                                                             \
    F(dnnl_stream_create)                                                                                              \
    F(dnnl_stream_destroy)                                                                                             \
    F(dnnl_stream_wait)                                                                                                \
    F(dnnl_primitive_create)                                                                                           \
    F(dnnl_primitive_execute)                                                                                          \
    F(dnnl_primitive_destroy)                                                                                          \
    F(dnnl_primitive_desc_destroy)                                                                                     \
    F(dnnl_primitive_desc_query_md)                                                                                    \
    F(dnnl_primitive_attr_create)                                                                                      \
    F(dnnl_primitive_attr_destroy)                                                                                     \
    F(dnnl_primitive_attr_set_scratchpad_mode)                                                                         \
    F(dnnl_primitive_attr_set_post_ops)                                                                                \
    F(dnnl_post_ops_create)                                                                                            \
    F(dnnl_post_ops_append_sum)                                                                                        \
    F(dnnl_post_ops_destroy)                                                                                           \
    F(dnnl_memory_create)                                                                                              \
    F(dnnl_memory_destroy)                                                                                             \
    F(dnnl_memory_set_data_handle)                                                                                     \
    F(dnnl_memory_desc_get_size)                                                                                       \
    F(dnnl_reorder_primitive_desc_create)                                                                              \
    F(omp_set_num_threads)
#if DNNL_VERSION_MAJOR >= 3
#define PCT_DNN_FUNCTIONS(F)                                                                                           \
    PCT_DNN_COMMON(F)                                                                                                  \
    F(dnnl_memory_desc_create_with_strides)                                                                            \
    F(dnnl_memory_desc_create_with_tag)                                                                                \
    F(dnnl_memory_desc_destroy)                                                                                        \
    F(dnnl_matmul_primitive_desc_create)                                                                               \
    F(dnnl_convolution_forward_primitive_desc_create)                                                                  \
    F(dnnl_convolution_backward_data_primitive_desc_create)                                                            \
    F(dnnl_convolution_backward_weights_primitive_desc_create)
#define PCT_DNN_LIBRARY "libdnnl.so.3"
typedef const_dnnl_memory_desc_t pct_dnn_layout_view;
#else
#define PCT_DNN_FUNCTIONS(F)                                                                                           \
    PCT_DNN_COMMON(F)                                                                                                  \
    F(dnnl_memory_desc_init_by_strides)                                                                                \
    F(dnnl_memory_desc_init_by_tag)                                                                                    \
    F(dnnl_primitive_desc_create)                                                                                      \
    F(dnnl_matmul_desc_init)                                                                                           \
    F(dnnl_convolution_forward_desc_init)                                                                              \
    F(dnnl_convolution_backward_data_desc_init)                                                                        \
    F(dnnl_convolution_backward_weights_desc_init)
#define PCT_DNN_LIBRARY "libdnnl.so.2"
typedef const dnnl_memory_desc_t *pct_dnn_layout_view;
#endif

/* The library runs its loops on OpenMP; this is that runtime's own function, from the library's scope. */
void omp_set_num_threads(int threads);

#define PCT_DNN_POINTER(name) __typeof__(&name) name;
typedef struct pct_dnn_functions {
    PCT_DNN_FUNCTIONS(PCT_DNN_POINTER)
} pct_dnn_functions;

/* What a shape needs: a primitive, the memories it names, and reorders of weights around it. */
typedef struct pct_dnn_step {
    dnnl_primitive_t primitive;
    int count;
    dnnl_exec_arg_t args[5];
} pct_dnn_step;

typedef struct pct_dnn_key {
    int64_t numbers[12];
} pct_dnn_key;

typedef struct pct_dnn_entry {
    pct_dnn_key key;
    bool refused;               /* the library has nothing for this shape */
    pct_dnn_step main, reorder; /* reorder: weights to the library's layout, or their gradient back; may be empty */
    size_t scratch_bytes, blocked_bytes;
} pct_dnn_entry;

struct pct_dnn {
    pct_dnn_functions call;
    void *handle;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    pct_dnn_entry **table; /* open addressing; NULL = free */
    size_t capacity, count;
    int threads;
};

/* A place in memory as the library sees it. */
typedef struct pct_dnn_layout {
    dnnl_memory_desc_t desc;
    bool made;
} pct_dnn_layout;
bool pct_dnn_strided(pct_dnn *dnn, pct_dnn_layout *layout, int count, const int64_t *dims, dnnl_data_type_t type,
                     const int64_t *strides);
/* The library may choose the order. */
bool pct_dnn_any(pct_dnn *dnn, pct_dnn_layout *layout, int count, const int64_t *dims, dnnl_data_type_t type);
void pct_dnn_layout_free(pct_dnn *dnn, pct_dnn_layout *layout);
static inline pct_dnn_layout_view pct_dnn_view(const pct_dnn_layout *layout) {
#if DNNL_VERSION_MAJOR >= 3
    return layout->made ? layout->desc : NULL;
#else
    return layout->made ? &layout->desc : NULL;
#endif
}

/* The entry for a key; *fresh when it has just been made and is empty. NULL: memory is out. */
pct_dnn_entry *pct_dnn_find(pct_dnn *dnn, const pct_dnn_key *key, bool *fresh);
/* Adds an argument with a memory of this layout; its place is given at each run. */
bool pct_dnn_add(pct_dnn *dnn, pct_dnn_step *step, int name, pct_dnn_layout_view layout);
/* The primitive of a descriptor, with its scratchpad as a last argument; notes the scratchpad's size. */
bool pct_dnn_make(pct_dnn *dnn, pct_dnn_entry *entry, pct_dnn_step *step, dnnl_primitive_desc_t desc);
/* A reorder between two layouts. */
bool pct_dnn_make_reorder(pct_dnn *dnn, pct_dnn_step *step, pct_dnn_layout_view from, pct_dnn_layout_view to);
/* Places in the order in which the arguments were added (the scratchpad's last). */
bool pct_dnn_run(pct_dnn *dnn, const pct_dnn_step *step, void *const *places);

#endif
