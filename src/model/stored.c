#include "model/stored.h"

#include <string.h>
#include <strings.h>

static const struct pair {
    enum pct_gguf_type file;
    pct_dtype kernel;
    const char *name;
} pairs[] = {
    {PCT_GGUF_TYPE_F32, PCT_REAL, "f32"},   {PCT_GGUF_TYPE_F16, PCT_F16, "f16"},
    {PCT_GGUF_TYPE_BF16, PCT_BF16, "bf16"}, {PCT_GGUF_TYPE_Q8_0, PCT_Q8_0, "q8_0"},
    {PCT_GGUF_TYPE_Q4_0, PCT_Q4_0, "q4_0"}, {PCT_GGUF_TYPE_Q4_1, PCT_Q4_1, "q4_1"},
    {PCT_GGUF_TYPE_Q5_0, PCT_Q5_0, "q5_0"}, {PCT_GGUF_TYPE_Q5_1, PCT_Q5_1, "q5_1"},
    {PCT_GGUF_TYPE_Q4_K, PCT_Q4_K, "q4_k"}, {PCT_GGUF_TYPE_Q5_K, PCT_Q5_K, "q5_k"},
    {PCT_GGUF_TYPE_Q6_K, PCT_Q6_K, "q6_k"},
};
#define PAIRS (sizeof pairs / sizeof *pairs)

bool pct_dtype_of_gguf(enum pct_gguf_type from, pct_dtype *to) {
    for (size_t i = 0; i < PAIRS; i++)
        if (pairs[i].file == from) {
            *to = pairs[i].kernel;
            return true;
        }
    return false;
}

enum pct_gguf_type pct_gguf_of_dtype(pct_dtype type) {
    for (size_t i = 0; i < PAIRS; i++)
        if (pairs[i].kernel == type) return pairs[i].file;
    PCT_ASSERT(!"a type that files have");
    return PCT_GGUF_TYPE_F32;
}

bool pct_dtype_from_name(const char *name, pct_dtype *type) {
    for (size_t i = 0; i < PAIRS; i++)
        if (!strcasecmp(pairs[i].name, name)) {
            *type = pairs[i].kernel;
            return true;
        }
    return false;
}

static bool is_word_table(const char *name) {
    return !strcmp(name, "token_embd.weight") || !strcmp(name, "output.weight");
}

/* Rows that are added or looked at as they are, a few kB each. */
static bool is_plain_table(const char *name) {
    static const char *const names[] = {"v.position_embd.weight", "percept.cell_position", "percept.grounding.names",
                                        "percept.added.token_embd.weight", "percept.added.output.weight"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) return true;
    return false;
}

pct_dtype pct_stored_type(const char *name, int dims, int64_t rows, int64_t width, pct_dtype wanted) {
    if (dims < 2 || rows == 1 || is_plain_table(name)) return PCT_REAL;
    const bool few_bits = pct_dtype_block(wanted) > 1 && wanted != PCT_Q8_0 && wanted != PCT_Q6_K;
    if (is_word_table(name) && few_bits) wanted = PCT_Q6_K;
    if (width % pct_dtype_block(wanted) == 0) return wanted;
    /* Superblocks of 256 do not fit: blocks of 32 with a little more room, as llama.cpp falls back. */
    pct_dtype near = wanted == PCT_Q4_K ? PCT_Q5_0 : wanted == PCT_Q5_K ? PCT_Q5_1 : PCT_Q8_0;
    return width % pct_dtype_block(near) == 0 ? near : PCT_F16;
}
