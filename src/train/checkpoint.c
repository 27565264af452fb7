/* checkpoint.c: see checkpoint.h. */
#include "train/checkpoint.h"

#include "base/file.h"
#include "base/random.h"
#include "base/size.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "checkpoint-"
#define SUFFIX ".gguf"

/* The optimiser's blocks as they lie in its memory. The first moment is also Muon's momentum. */
enum { FIRST, SECOND, AVERAGE };
static const char *const block_names[] = {"adam.m", "adam.v", "average"};

static int block_count(const pct_optimiser *optimiser) { return optimiser->ema ? 3 : 2; }

static int64_t block_elements(const pct_optimiser *optimiser, int block) {
    return block == SECOND ? optimiser->v_elements : optimiser->elements;
}

static pct_real *block_data(const pct_optimiser *optimiser, int block) {
    const int64_t before[] = {0, optimiser->elements, optimiser->elements + optimiser->v_elements};
    return optimiser->memory + before[block];
}

static void set_keys(pct_gguf_writer *writer, const pct_checkpoint_state *state, const char *config) {
    pct_gguf_set_string(writer, "general.architecture", "percept-checkpoint");
    pct_gguf_set_u32(writer, "percept.checkpoint.version", 1);
    pct_gguf_set_i64(writer, "percept.checkpoint.step", state->step);
    pct_gguf_set_u64(writer, "percept.checkpoint.seed", state->seed);
    pct_gguf_set_array(writer, "percept.checkpoint.loss_mean", PCT_GGUF_F64, 1, &state->loss_mean); /* all its bits */
    pct_gguf_set_i64(writer, "percept.checkpoint.high", state->high);
    if (state->base[0]) pct_gguf_set_string(writer, "percept.checkpoint.base", state->base);
    pct_gguf_set_string(writer, "percept.checkpoint.config", config);
    pct_gguf_set_u64(writer, "percept.checkpoint.config_hash", pct_hash_bytes(config, strlen(config)));
}

/* Shapes in GGUF order: the contiguous dimension first. */
static void declare(pct_gguf_writer *writer, const pct_parameters *set, const pct_optimiser *optimiser) {
    for (size_t i = 0; i < set->count; i++) {
        const pct_tensor *tensor = &set->list[i]->tensor;
        if (!set->list[i]->trainable) continue;
        int64_t ne[PCT_MAX_RANK];
        for (int d = 0; d < tensor->rank; d++) ne[d] = tensor->dim[tensor->rank - 1 - d];
        pct_gguf_writer_declare(writer, set->list[i]->name, PCT_GGUF_TYPE_F32, tensor->rank, ne);
    }
    for (int b = 0; b < block_count(optimiser); b++) {
        const int64_t elements = block_elements(optimiser, b);
        if (elements) pct_gguf_writer_declare(writer, block_names[b], PCT_GGUF_TYPE_F32, 1, &elements);
    }
}

static percept_status write_data(pct_gguf_writer *writer, const pct_parameters *set, const pct_optimiser *optimiser,
                                 percept_error *error) {
    for (size_t i = 0; i < set->count; i++) {
        const pct_tensor *tensor = &set->list[i]->tensor;
        if (!set->list[i]->trainable) continue;
        PCT_TRY(pct_gguf_writer_data(writer, tensor->data, (size_t)pct_tensor_count(tensor) * sizeof(float), error));
    }
    for (int b = 0; b < block_count(optimiser); b++) {
        const int64_t elements = block_elements(optimiser, b);
        if (!elements) continue;
        PCT_TRY(pct_gguf_writer_data(writer, block_data(optimiser, b), (size_t)elements * sizeof(float), error));
    }
    return PERCEPT_OK;
}

percept_status pct_checkpoint_write(const char *folder, const pct_checkpoint_state *state, const char *config,
                                    const pct_tokenizer *tokenizer, const pct_parameters *set,
                                    const pct_optimiser *optimiser, percept_error *error) {
    PCT_ASSERT(!optimiser->swapped && sizeof(pct_real) == sizeof(float));
    char name[64];
    snprintf(name, sizeof name, PREFIX "%010lld" SUFFIX, (long long)state->step);
    char *path = pct_path_join(folder, name);
    if (!path) return pct_fail_memory(error, "checkpoint");
    pct_gguf_writer *writer = NULL;
    percept_status status = pct_gguf_writer_create(&writer, error);
    if (status == PERCEPT_OK) {
        set_keys(writer, state, config);
        status = pct_tokenizer_save(tokenizer, writer, error);
    }
    if (status == PERCEPT_OK) {
        declare(writer, set, optimiser);
        status = pct_gguf_writer_begin(writer, path, error);
    }
    if (status == PERCEPT_OK) status = write_data(writer, set, optimiser, error);
    if (status == PERCEPT_OK) status = pct_gguf_writer_end(writer, error);
    pct_gguf_writer_destroy(&writer);
    free(path);
    return status;
}

/* Checkpoints sort by name as by step. */
static bool is_checkpoint(const char *name) {
    size_t length = strlen(name), head = strlen(PREFIX), tail = strlen(SUFFIX);
    if (length != head + 10 + tail || strncmp(name, PREFIX, head) != 0 || strcmp(name + head + 10, SUFFIX) != 0) {
        return false;
    }
    return strspn(name + head, "0123456789") == 10;
}

percept_status pct_checkpoint_newest(const char *folder, char **path, percept_error *error) {
    *path = NULL;
    if (!pct_is_directory(folder)) return PERCEPT_OK;
    char **names;
    size_t count;
    PCT_TRY(pct_directory_list(folder, &names, &count, error));
    percept_status status = PERCEPT_OK;
    for (size_t i = count; i > 0; i--) {
        if (!is_checkpoint(names[i - 1])) continue;
        *path = pct_path_join(folder, names[i - 1]);
        if (!*path) status = pct_fail_memory(error, "checkpoint");
        break;
    }
    free(names);
    return status;
}

void pct_checkpoint_prune(const char *folder, int64_t keep) {
    char **names;
    size_t count;
    if (pct_directory_list(folder, &names, &count, NULL) != PERCEPT_OK) return;
    for (size_t i = count; i > 0; i--) {
        if (!is_checkpoint(names[i - 1]) || keep-- > 0) continue;
        char *path = pct_path_join(folder, names[i - 1]);
        if (path) unlink(path);
        free(path);
    }
    free(names);
}

static percept_status read_state(const pct_gguf *file, pct_checkpoint_state *state, const char **config,
                                 percept_error *error) {
    const char *architecture, *base;
    int64_t version, seed;
    PCT_TRY(pct_gguf_get_string(file, "general.architecture", &architecture, error));
    if (strcmp(architecture, "percept-checkpoint") != 0) {
        return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: is no checkpoint of a training run", pct_gguf_path(file));
    }
    PCT_TRY(pct_gguf_get_i64(file, "percept.checkpoint.version", 1, 1, &version, error));
    PCT_TRY(pct_gguf_get_i64(file, "percept.checkpoint.step", 0, INT64_MAX, &state->step, error));
    PCT_TRY(pct_gguf_get_i64(file, "percept.checkpoint.seed", 0, INT64_MAX, &seed, error));
    PCT_TRY(pct_gguf_get_i64_or(file, "percept.checkpoint.high", 0, INT64_MAX, 0, &state->high, error));
    PCT_TRY(pct_gguf_get_string(file, "percept.checkpoint.config", config, error));
    PCT_TRY(pct_gguf_get_string_or(file, "percept.checkpoint.base", "", &base, error));
    snprintf(state->base, sizeof state->base, "%s", base);
    pct_gguf_array bits;
    PCT_TRY(pct_gguf_get_array(file, "percept.checkpoint.loss_mean", PCT_GGUF_F64, 1, 1, &bits, error));
    state->loss_mean = pct_gguf_array_f64(&bits, 0);
    state->seed = (uint64_t)seed;
    return PERCEPT_OK;
}

percept_status pct_checkpoint_open(pct_gguf **file, const char *path, pct_checkpoint_state *state, const char **config,
                                   percept_error *error) {
    *state = (pct_checkpoint_state){0};
    PCT_TRY(pct_gguf_open(file, path, error));
    percept_status status = read_state(*file, state, config, error);
    if (status != PERCEPT_OK) pct_gguf_close(file);
    return status;
}

static percept_status read_tensor(const pct_gguf *file, const char *name, int64_t elements, void *out,
                                  percept_error *error) {
    const pct_gguf_tensor *tensor = pct_gguf_find(file, name);
    if (!tensor || tensor->type != PCT_GGUF_TYPE_F32 || tensor->elements != elements) {
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "%s: tensor '%s' is %s; the run was made with another structure: give the config it began with",
                        pct_gguf_path(file), name, tensor ? "of another size" : "missing");
    }
    memcpy(out, tensor->data, (size_t)elements * sizeof(float));
    return PERCEPT_OK;
}

/* The second moment as another kind of optimiser left it: of all parameters where Muon now wants the plain ones', or of
 * those where AdamW now wants all. What is missing starts at zero, with its first moment: a large first over a small
 * second would make wild steps. */
static percept_status convert_second(const pct_gguf *file, pct_optimiser *optimiser, int64_t *fresh,
                                     percept_error *error) {
    const pct_gguf_tensor *tensor = pct_gguf_find(file, block_names[SECOND]);
    const int64_t stored = optimiser->muon ? optimiser->elements : optimiser->plain_elements;
    if (stored && (!tensor || tensor->type != PCT_GGUF_TYPE_F32 || tensor->elements != stored)) {
        return read_tensor(file, block_names[SECOND], optimiser->v_elements, block_data(optimiser, SECOND), error);
    }
    const float *from = stored ? (const float *)tensor->data : NULL;
    for (size_t i = 0; i < optimiser->count; i++) {
        pct_muon_matrix matrix;
        const int64_t elements = pct_tensor_count(&optimiser->list[i]->tensor);
        const size_t bytes = (size_t)elements * sizeof(float);
        const bool plain = !pct_muon_takes(optimiser->list[i], &matrix);
        if (optimiser->v[i] && (plain || optimiser->muon)) {
            memcpy(optimiser->v[i], from, bytes);
        } else if (optimiser->v[i]) {
            memset(optimiser->v[i], 0, bytes);
            memset(optimiser->m[i], 0, bytes);
            *fresh += elements;
        }
        if (plain || optimiser->muon) from += elements;
    }
    return PERCEPT_OK;
}

static percept_status restore_block(const pct_gguf *file, pct_optimiser *optimiser, int block, int64_t *fresh,
                                    percept_error *error) {
    const int64_t elements = block_elements(optimiser, block);
    if (block == SECOND) {
        const pct_gguf_tensor *tensor = pct_gguf_find(file, block_names[SECOND]);
        if ((tensor ? tensor->elements : 0) != elements) return convert_second(file, optimiser, fresh, error);
        if (!elements) return PERCEPT_OK;
    }
    return read_tensor(file, block_names[block], elements, block_data(optimiser, block), error);
}

percept_status pct_checkpoint_restore(const pct_gguf *file, pct_parameters *set, pct_optimiser *optimiser,
                                      int64_t *fresh, percept_error *error) {
    *fresh = 0;
    for (size_t i = 0; i < set->count; i++) {
        pct_parameter *parameter = set->list[i];
        if (!parameter->trainable) continue;
        PCT_TRY(
            read_tensor(file, parameter->name, pct_tensor_count(&parameter->tensor), parameter->tensor.data, error));
        parameter->version++;
    }
    for (int b = 0; b < block_count(optimiser); b++) {
        PCT_TRY(restore_block(file, optimiser, b, fresh, error));
    }
    return PERCEPT_OK;
}
