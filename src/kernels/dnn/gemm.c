/* gemm.c: BF16 products through oneDNN. */
#include "kernels/dnn/library.h"

/* Rows (or depth, where A is stored turned) that vary from call to call are cut into pieces of these sizes: whole
 * 1024s, then at most one of each smaller power of two, then what is below 16. */
static int64_t piece_of(int64_t left) {
    int64_t size = 1024;
    if (left < 16) return left;
    while (size > left) size /= 2;
    return size;
}

static dnnl_primitive_desc_t describe(pct_dnn *dnn, const pct_dnn_layout *a, const pct_dnn_layout *b,
                                      const pct_dnn_layout *bias, const pct_dnn_layout *c, bool accumulate) {
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t post = NULL;
    dnnl_status_t status = dnn->call.dnnl_primitive_attr_create(&attr);
    if (status == dnnl_success)
        status = dnn->call.dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success && accumulate) {
        status = dnn->call.dnnl_post_ops_create(&post);
#if DNNL_VERSION_MAJOR >= 3
        if (status == dnnl_success) status = dnn->call.dnnl_post_ops_append_sum(post, 1, 0, dnnl_data_type_undef);
#else
        if (status == dnnl_success) status = dnn->call.dnnl_post_ops_append_sum(post, 1);
#endif
        if (status == dnnl_success) status = dnn->call.dnnl_primitive_attr_set_post_ops(attr, post);
    }
    if (status == dnnl_success) {
#if DNNL_VERSION_MAJOR >= 3
        status = dnn->call.dnnl_matmul_primitive_desc_create(&desc, dnn->engine, pct_dnn_view(a), pct_dnn_view(b),
                                                             pct_dnn_view(bias), pct_dnn_view(c), attr);
#else
        dnnl_matmul_desc_t op;
        status =
            dnn->call.dnnl_matmul_desc_init(&op, pct_dnn_view(a), pct_dnn_view(b), pct_dnn_view(bias), pct_dnn_view(c));
        if (status == dnnl_success) status = dnn->call.dnnl_primitive_desc_create(&desc, &op, attr, dnn->engine, NULL);
#endif
    }
    if (post) dnn->call.dnnl_post_ops_destroy(post);
    if (attr) dnn->call.dnnl_primitive_attr_destroy(attr);
    return status == dnnl_success ? desc : NULL;
}

static void fill(pct_dnn *dnn, pct_dnn_entry *entry, const pct_gemm *g) {
    const int64_t a_dims[2] = {g->m, g->k}, b_dims[2] = {g->k, g->n}, c_dims[2] = {g->m, g->n},
                  bias_dims[2] = {1, g->n};
    const int64_t a_strides[2] = {g->a_transposed ? 1 : g->lda, g->a_transposed ? g->lda : 1};
    const int64_t b_strides[2] = {g->b_transposed ? 1 : g->ldb, g->b_transposed ? g->ldb : 1};
    const int64_t c_strides[2] = {g->ldc, 1}, bias_strides[2] = {g->n, 1};
    pct_dnn_layout a = {0}, b = {0}, c = {0}, bias = {0};
    dnnl_primitive_desc_t desc = NULL;
    bool good = pct_dnn_strided(dnn, &a, 2, a_dims, dnnl_bf16, a_strides) &&
                pct_dnn_strided(dnn, &b, 2, b_dims, dnnl_bf16, b_strides) &&
                pct_dnn_strided(dnn, &c, 2, c_dims, dnnl_f32, c_strides) &&
                (!g->bias || pct_dnn_strided(dnn, &bias, 2, bias_dims, dnnl_f32, bias_strides));
    if (good) desc = describe(dnn, &a, &b, &bias, &c, g->accumulate);
    good = desc && pct_dnn_add(dnn, &entry->main, DNNL_ARG_SRC, pct_dnn_view(&a)) &&
           pct_dnn_add(dnn, &entry->main, DNNL_ARG_WEIGHTS, pct_dnn_view(&b)) &&
           pct_dnn_add(dnn, &entry->main, DNNL_ARG_DST, pct_dnn_view(&c)) &&
           (!g->bias || pct_dnn_add(dnn, &entry->main, DNNL_ARG_BIAS, pct_dnn_view(&bias))) &&
           pct_dnn_make(dnn, entry, &entry->main, desc);
    entry->refused = !good;
    if (desc) dnn->call.dnnl_primitive_desc_destroy(desc);
    pct_dnn_layout_free(dnn, &a);
    pct_dnn_layout_free(dnn, &b);
    pct_dnn_layout_free(dnn, &c);
    pct_dnn_layout_free(dnn, &bias);
}

static pct_dnn_entry *entry_of(pct_dnn *dnn, const pct_gemm *g) {
    const pct_dnn_key key = {{1, g->m, g->n, g->k, g->lda, g->ldb, g->ldc, g->a_transposed, g->b_transposed,
                              g->accumulate, g->bias != NULL}};
    bool fresh;
    pct_dnn_entry *entry = pct_dnn_find(dnn, &key, &fresh);
    if (entry && fresh) fill(dnn, entry, g);
    return entry && !entry->refused ? entry : NULL;
}

static bool piece(pct_compute *compute, const pct_gemm *g) {
    pct_dnn_entry *entry = entry_of(compute->dnn, g);
    if (!entry) return false;
    void *places[5] = {(void *)(uintptr_t)g->a, (void *)(uintptr_t)g->b, g->c};
    int count = 3;
    if (g->bias) places[count++] = (void *)(uintptr_t)g->bias;
    places[count] = pct_compute_scratch(compute, entry->scratch_bytes + 64);
    return pct_dnn_run(compute->dnn, &entry->main, places);
}

bool pct_dnn_gemm(pct_compute *compute, const pct_gemm *gemm) {
    const bool by_depth = gemm->a_transposed;
    const int64_t all = by_depth ? gemm->k : gemm->m;
    for (int64_t done = 0; done < all;) {
        pct_gemm g = *gemm;
        const int64_t size = piece_of(all - done);
        if (by_depth) {
            g.k = size;
            g.a = pct_step(gemm->a, done * gemm->lda, 2);
            g.b = pct_step(gemm->b, gemm->b_transposed ? done : done * gemm->ldb, 2);
            g.accumulate = gemm->accumulate || done > 0;
            if (done > 0) g.bias = NULL;
        } else {
            g.m = size;
            g.a = pct_step(gemm->a, done * gemm->lda, 2);
            g.c = gemm->c + done * gemm->ldc;
        }
        /* Refused shapes are refused before anything was written, unless the pieces differ: those must not fail. */
        const bool good = piece(compute, &g);
        PCT_ASSERT(good || done == 0);
        if (!good) return false;
        done += size;
    }
    return true;
}
