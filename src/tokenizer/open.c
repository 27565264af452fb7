/* open.c: a tokenizer from a file or folder of any kind; see tokenizer.h. */
#include "base/file.h"
#include "tokenizer/draft.h"

#include <stdlib.h>
#include <string.h>

enum kind { KIND_GGUF, KIND_JSON, KIND_SPM, KIND_VOCAB };

static bool ends_with(const char *text, const char *end) {
    const size_t length = strlen(text), size = strlen(end);
    return length >= size && strcmp(text + length - size, end) == 0;
}

/* By the name; a GGUF file may have any. */
static enum kind kind_of(const char *path, const pct_map *map) {
    if (map->size >= 4 && memcmp(map->data, "GGUF", 4) == 0) return KIND_GGUF;
    if (ends_with(path, "vocab.json")) return KIND_VOCAB;
    if (ends_with(path, ".json")) return KIND_JSON;
    return ends_with(path, ".model") ? KIND_SPM : KIND_GGUF;
}

/* The folder of a path, malloc'd. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash) return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static percept_status open_gguf(pct_tokenizer **out, const char *path, percept_error *error) {
    pct_gguf *file;
    PCT_TRY(pct_gguf_open(&file, path, error));
    const percept_status status = pct_tokenizer_load(out, file, error);
    pct_gguf_close(&file);
    return status;
}

static percept_status read_vocab(pct_tokenizer **out, const char *path, const char *folder, const pct_map *vocab,
                                 const pct_hf_extras *extras, percept_error *error) {
    char *merges_path = pct_path_join(folder, "merges.txt");
    if (!merges_path) return pct_fail_memory(error, "path");
    pct_map merges = {0};
    percept_status status = pct_map_open(&merges, merges_path, error);
    if (status == PERCEPT_OK)
        status = pct_hf_vocab_read(out, path, vocab->data, vocab->size, merges.data, merges.size, extras, error);
    pct_map_close(&merges);
    free(merges_path);
    return status;
}

static percept_status open_file(pct_tokenizer **out, const char *path, percept_error *error) {
    pct_map map = {0};
    PCT_TRY(pct_map_open(&map, path, error));
    const enum kind kind = kind_of(path, &map);
    if (kind == KIND_GGUF) {
        pct_map_close(&map);
        return open_gguf(out, path, error);
    }
    pct_hf_extras extras = {0};
    char *folder = folder_of(path);
    percept_status status = folder ? pct_hf_extras_load(&extras, folder, error) : pct_fail_memory(error, "path");
    if (status == PERCEPT_OK && map.size > PCT_DRAFT_MAX_FILE)
        status = pct_fail(error, PERCEPT_ERROR_MODEL, "%s: has %zu bytes; a tokenizer has at most %u", path, map.size,
                          PCT_DRAFT_MAX_FILE);
    if (status == PERCEPT_OK && kind == KIND_VOCAB) status = read_vocab(out, path, folder, &map, &extras, error);
    if (status == PERCEPT_OK && kind == KIND_JSON)
        status = pct_hf_json_read(out, path, map.data, map.size, &extras, error);
    if (status == PERCEPT_OK && kind == KIND_SPM)
        status = pct_spm_model_read(out, path, map.data, map.size, &extras, error);
    pct_hf_extras_free(&extras);
    free(folder);
    pct_map_close(&map);
    return status;
}

percept_status pct_tokenizer_open(pct_tokenizer **tokenizer, const char *path, percept_error *error) {
    static const char *const names[] = {"tokenizer.json", "tokenizer.model", "vocab.json"};
    *tokenizer = NULL;
    if (!pct_is_directory(path)) return open_file(tokenizer, path, error);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *file = pct_path_join(path, names[i]);
        if (!file) return pct_fail_memory(error, "path");
        const bool there = pct_file_exists(file);
        const percept_status status = there ? open_file(tokenizer, file, error) : PERCEPT_OK;
        free(file);
        if (there) return status;
    }
    return pct_fail(error, PERCEPT_ERROR_INPUT,
                    "%s: holds no tokenizer; wanted tokenizer.json, tokenizer.model, or vocab.json with merges.txt",
                    path);
}
