/* warm.c: a warm start, whose structure may differ from the file's. See model.h. */
#include "model/model_private.h"

#include <stdlib.h>
#include <string.h>

/* Tables with a row a token. Of a tokenizer that was extended since the first rows are the same tokens'. */
static bool is_token_table(const char *name) {
    static const char *const tables[] = {"token_embd.weight", "output.weight", "percept.grounding.names",
                                         "percept.added.token_embd.weight", "percept.added.output.weight"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (!strcmp(name, tables[i])) return true;
    return false;
}

/* Rows before the cells' in a table with a row a cell; -1: it is none. */
static int64_t rows_before_cells(const char *name) {
    if (!strcmp(name, "v.position_embd.weight")) return 1; /* the class token's */
    return strcmp(name, "percept.cell_position") ? -1 : 0;
}

/* As a checkpoint has it, with all dimensions, or as a model file, with one row an output. A table of tokens may be
 * shorter than the one wanted. */
static bool fits(const pct_gguf_tensor *tensor, const pct_tensor *wanted, bool table) {
    const int64_t count = pct_tensor_count(wanted), rows = wanted->rank > 1 ? wanted->dim[0] : 1;
    if (table && tensor->ne[0] == wanted->dim[1] && tensor->elements % wanted->dim[1] == 0)
        return tensor->elements <= count;
    if (tensor->elements != count) return false;
    return tensor->ne[0] == wanted->dim[wanted->rank - 1] || tensor->ne[0] == count / rows;
}

/* The side of the square of so many cells, or 0. */
static int square_side(int64_t cells) {
    int side = 0;
    while ((int64_t)side * side < cells) side++;
    return (int64_t)side * side == cells ? side : 0;
}

/* Whether both are tables with a row for each cell of a square, of another side in the file. */
static bool is_other_grid(const pct_gguf_tensor *tensor, const pct_tensor *wanted, const char *name) {
    const int64_t before = rows_before_cells(name);
    if (before < 0 || tensor->ne[0] != wanted->dim[1] || tensor->elements % wanted->dim[1] != 0) return false;
    const int64_t cells = tensor->elements / wanted->dim[1] - before;
    return cells > 0 && cells < INT32_MAX && square_side(cells) && square_side(wanted->dim[0] - before);
}

/* Places of another grid, resampled as CLIP's are for the second pass. */
static percept_status take_grid(const pct_gguf *file, const pct_gguf_tensor *tensor, const char *name,
                                pct_tensor *wanted, percept_error *error) {
    const int64_t width = wanted->dim[1], before = rows_before_cells(name);
    const int from = square_side(tensor->elements / width - before), to = square_side(wanted->dim[0] - before);
    pct_real *table = malloc((size_t)tensor->elements * sizeof *table), *out = pct_tensor_data(wanted);
    if (!table) return pct_fail_memory(error, "weights");
    pct_arena arena;
    pct_tape tape;
    pct_arena_init(&arena, 0);
    pct_tape_init(&tape, NULL, &arena, false, PCT_REAL);
    percept_status status = pct_model_read_tensor(file, tensor, table, error);
    const pct_taps taps = pct_taps_bicubic(&tape, from, to);
    if (status == PERCEPT_OK) status = pct_tape_status(&tape, error);
    if (status == PERCEPT_OK) {
        memcpy(out, table, (size_t)(before * width) * sizeof *out);
        const pct_real *cells = table + before * width;
        for (int64_t r = 0; r < taps.rows; r++) {
            pct_real *row = out + (before + r) * width;
            memset(row, 0, (size_t)width * sizeof *row);
            for (int32_t k = taps.offset[r]; k < taps.offset[r + 1]; k++)
                for (int64_t i = 0; i < width; i++) row[i] += taps.weight[k] * cells[taps.index[k] * width + i];
        }
    }
    pct_arena_free(&arena);
    free(table);
    return status;
}

percept_status pct_model_take(pct_model *model, const pct_gguf *file, bool (*wanted)(void *context, const char *name),
                              void *context, int64_t *taken, percept_error *error) {
    *taken = 0;
    for (size_t i = 0; i < model->parameters.count; i++) {
        pct_parameter *parameter = model->parameters.list[i];
        const pct_gguf_tensor *tensor = pct_gguf_find(file, parameter->name);
        if (!tensor || !wanted(context, parameter->name)) continue;
        if (pct_model_keeps_stored(model, parameter)) continue; /* the base's stays */
        if (fits(tensor, &parameter->tensor, is_token_table(parameter->name)))
            PCT_TRY(pct_model_read_tensor(file, tensor, pct_tensor_data(&parameter->tensor), error));
        else if (is_other_grid(tensor, &parameter->tensor, parameter->name))
            PCT_TRY(take_grid(file, tensor, parameter->name, &parameter->tensor, error));
        else
            continue;
        parameter->version++;
        ++*taken;
    }
    return PERCEPT_OK;
}
