/* dtype.c: names and sizes of the element types. */
#include "kernels/kernels_private.h"

static const struct {
    const char *name;
    int16_t block, bytes;
} types[PCT_DTYPE_COUNT] = {
    [PCT_REAL] = {sizeof(pct_real) == 4 ? "F32" : "F64", 1, sizeof(pct_real)},
    [PCT_BF16] = {"BF16", 1, 2},
    [PCT_F16] = {"F16", 1, 2},
    [PCT_I32] = {"I32", 1, 4},
    [PCT_U8] = {"U8", 1, 1},
    [PCT_Q8_0] = {"Q8_0", 32, 34},
    [PCT_Q4_0] = {"Q4_0", 32, 18},
    [PCT_Q4_1] = {"Q4_1", 32, 20},
    [PCT_Q5_0] = {"Q5_0", 32, 22},
    [PCT_Q5_1] = {"Q5_1", 32, 24},
    [PCT_Q4_K] = {"Q4_K", 256, 144},
    [PCT_Q5_K] = {"Q5_K", 256, 176},
    [PCT_Q6_K] = {"Q6_K", 256, 210},
    [PCT_I8] = {"INT8", 1, 1},
};

static bool known(pct_dtype type) { return (unsigned)type < PCT_DTYPE_COUNT; }

const char *pct_dtype_name(pct_dtype type) { return known(type) ? types[type].name : "unknown"; }
int64_t pct_dtype_block(pct_dtype type) { return known(type) ? types[type].block : 1; }
size_t pct_dtype_block_bytes(pct_dtype type) { return known(type) ? (size_t)types[type].bytes : 1; }

bool pct_dtype_row_bytes(pct_dtype type, int64_t count, size_t *bytes) {
    if (!known(type) || count < 0 || count % types[type].block != 0) return false;
    return pct_size_mul((size_t)(count / types[type].block), (size_t)types[type].bytes, bytes);
}

/* Room for either form of blocks: the machine picks one of them when it fills the table. */
size_t pct_matvec_input_bytes(pct_dtype type, int64_t count) {
    if (pct_dtype_block(type) > 1) return (size_t)pct_parts(count, 128) * sizeof(pct_input_group);
    return (size_t)count * sizeof(pct_real);
}
