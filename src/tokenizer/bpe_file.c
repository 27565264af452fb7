/* bpe_file.c: a tokenizer from the keys tokenizer.ggml.* of a GGUF file, laid out as llama.cpp has it.
 * Byte-level: ordinary tokens in GPT-2's printable characters, special and added ones as they are, merges as "left
 * right". SentencePiece is read in spm_file.c; writing is in save.c. */
#include "tokenizer/bpe_private.h"

#include "base/arena.h"
#include "base/random.h"
#include "formats/utf8.h"

#include <stdlib.h>
#include <string.h>

#define KEY(name) "tokenizer.ggml." name

struct loader {
    const pct_gguf *file;
    pct_arena arena; /* decoded texts and tables, until the tokenizer is built */
    pct_text_table ids;
    int16_t bytes[512]; /* of code points below 512; -1: none */
    percept_error *error;
};

static percept_status bad(const struct loader *loader, const char *format, ...) PCT_PRINTF(2, 3);
static percept_status bad(const struct loader *loader, const char *format, ...) {
    va_list args;
    va_start(args, format);
    pct_fail_v(loader->error, PERCEPT_ERROR_MODEL, format, args);
    va_end(args);
    pct_error_prefix(loader->error, "%s", pct_gguf_path(loader->file));
    return PERCEPT_ERROR_MODEL;
}

/* Printable characters to bytes; the output has room for `length`. -1: a character that stands for no byte. */
static int64_t to_bytes(const struct loader *loader, const char *text, size_t length, char *out) {
    int64_t count = 0;
    for (size_t i = 0; i < length;) {
        uint32_t code;
        int size = pct_utf8_read(text + i, length - i, &code);
        if (!size || code >= 512 || loader->bytes[code] < 0) return -1;
        out[count++] = (char)loader->bytes[code];
        i += (size_t)size;
    }
    return count;
}

percept_status pct_token_read_kinds(const pct_gguf *file, pct_bpe_token *tokens, int64_t count, percept_error *error) {
    const struct loader loader = {.file = file, .error = error};
    pct_gguf_array kinds;
    PCT_TRY(pct_gguf_get_array_or(file, KEY("token_type"), PCT_GGUF_I32, PCT_BPE_MAX_VOCABULARY, &kinds, error));
    if (kinds.count && kinds.count != count) {
        return bad(&loader, "key '" KEY("token_type") "' has %lld items for %lld tokens; %s", (long long)kinds.count,
                   (long long)count, PCT_GGUF_MEND);
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t kind = kinds.count ? pct_gguf_array_i64(&kinds, i) : PCT_TOKEN_NORMAL;
        if (kind < PCT_TOKEN_NORMAL || kind > PCT_TOKEN_BYTE) {
            return bad(&loader, "key '" KEY("token_type") "': token %lld has the unknown type %lld; %s", (long long)i,
                       (long long)kind, PCT_GGUF_MEND);
        }
        tokens[i].kind = (enum pct_token_kind)kind;
    }
    return PERCEPT_OK;
}

/* An ordinary token whose text is not made of GPT-2's characters is kept as it stands: it can be decoded, but no merge
 * will find it. */
static percept_status read_tokens(struct loader *loader, const pct_gguf_array *texts, pct_bpe_token *tokens) {
    uint64_t seed = 0;
    for (int64_t i = 0; i < texts->count; i++) {
        pct_gguf_string text = pct_gguf_array_string(texts, i);
        if (text.length > 2 * PCT_BPE_MAX_TOKEN) {
            return bad(loader, "key '" KEY("tokens") "': token %lld has %zu bytes; %s", (long long)i, text.length,
                       PCT_GGUF_MEND);
        }
        tokens[i].text = text.data;
        tokens[i].length = text.length;
        seed = pct_hash_u64(seed ^ pct_hash_bytes(text.data, text.length));
        if (pct_token_is_added(tokens[i].kind)) continue;
        char *bytes = pct_arena_take(&loader->arena, text.length);
        if (!bytes) return pct_fail_memory(loader->error, "vocabulary");
        int64_t length = to_bytes(loader, text.data, text.length, bytes);
        if (length < 0) continue;
        tokens[i].text = bytes;
        tokens[i].length = (size_t)length;
    }
    loader->ids.seed = seed;
    for (int64_t i = 0; i < texts->count; i++) {
        if (pct_token_is_added(tokens[i].kind) || !tokens[i].length) continue;
        if (pct_text_table_put(&loader->ids, tokens[i].text, tokens[i].length, (int32_t)i) < 0) {
            return pct_fail_memory(loader->error, "vocabulary");
        }
    }
    return PERCEPT_OK;
}

static percept_status read_merge(struct loader *loader, pct_gguf_string text, int64_t index, pct_bpe_merge *merge) {
    /* The blank is looked for from the second byte on: a merge may begin with any character. */
    const char *blank = text.length > 2 ? memchr(text.data + 1, ' ', text.length - 2) : NULL;
    if (!blank || text.length > 2 * PCT_BPE_MAX_TOKEN + 1) {
        return bad(loader, "key '" KEY("merges") "': item %lld is not two tokens with a blank between; %s",
                   (long long)index, PCT_GGUF_MEND);
    }
    char joined[2 * PCT_BPE_MAX_TOKEN + 1];
    size_t first = (size_t)(blank - text.data);
    int64_t left = to_bytes(loader, text.data, first, joined);
    int64_t right = left < 0 ? -1 : to_bytes(loader, blank + 1, text.length - first - 1, joined + left);
    if (right >= 0) {
        merge->left = pct_text_table_find(&loader->ids, joined, (size_t)left);
        merge->right = pct_text_table_find(&loader->ids, joined + left, (size_t)right);
        merge->result = pct_text_table_find(&loader->ids, joined, (size_t)(left + right));
        if (merge->left >= 0 && merge->right >= 0 && merge->result >= 0) return PERCEPT_OK;
    }
    return bad(loader, "key '" KEY("merges") "': item %lld ('%.*s') joins tokens that are not in the vocabulary; %s",
               (long long)index, (int)(text.length < 80 ? text.length : 80), text.data, PCT_GGUF_MEND);
}

percept_status pct_token_read_marks(const pct_gguf *file, pct_bpe_parts *parts, percept_error *error) {
    const int32_t last = parts->token_count - 1;
    PCT_TRY(pct_gguf_get_i32_or(file, KEY("bos_token_id"), 0, last, -1, &parts->bos, error));
    PCT_TRY(pct_gguf_get_i32_or(file, KEY("eos_token_id"), 0, last, -1, &parts->eos, error));
    PCT_TRY(pct_gguf_get_i32_or(file, KEY("padding_token_id"), 0, last, -1, &parts->pad, error));
    PCT_TRY(pct_gguf_get_i32_or(file, KEY("unknown_token_id"), 0, last, -1, &parts->unknown, error));
    return pct_gguf_get_bool_or(file, KEY("add_bos_token"), parts->add_bos, &parts->add_bos, error);
}

static percept_status load(struct loader *loader, pct_tokenizer **out) {
    const char *model, *pattern;
    PCT_TRY(pct_gguf_get_string(loader->file, KEY("model"), &model, loader->error));
    if (strcmp(model, "llama") == 0) return pct_spm_load(out, loader->file, loader->error);
    if (strcmp(model, "gpt2") != 0) {
        return bad(loader,
                   "key '" KEY("model") "': tokenizer '%.80s' is not supported (byte-level BPE, 'gpt2', and "
                                        "SentencePiece, 'llama', are)",
                   model);
    }
    PCT_TRY(pct_gguf_get_string_or(loader->file, KEY("pre"), "gpt-2", &pattern, loader->error));
    pct_gguf_array texts, merges;
    PCT_TRY(pct_gguf_get_array(loader->file, KEY("tokens"), PCT_GGUF_STRING, 1, PCT_BPE_MAX_VOCABULARY, &texts,
                               loader->error));
    PCT_TRY(pct_gguf_get_array_or(loader->file, KEY("merges"), PCT_GGUF_STRING, PCT_BPE_MAX_VOCABULARY, &merges,
                                  loader->error));
    pct_bpe_token *tokens = pct_arena_take_zeroed(&loader->arena, (size_t)texts.count, sizeof *tokens);
    pct_bpe_merge *list = pct_arena_take_zeroed(&loader->arena, (size_t)merges.count, sizeof *list);
    if (!tokens || !list) return pct_fail_memory(loader->error, "vocabulary");
    PCT_TRY(pct_token_read_kinds(loader->file, tokens, texts.count, loader->error));
    PCT_TRY(read_tokens(loader, &texts, tokens));
    for (int64_t i = 0; i < merges.count; i++) {
        PCT_TRY(read_merge(loader, pct_gguf_array_string(&merges, i), i, &list[i]));
    }
    pct_bpe_parts parts = {.tokens = tokens,
                           .token_count = (int32_t)texts.count,
                           .merges = list,
                           .merge_count = (int32_t)merges.count,
                           .pattern = pattern};
    PCT_TRY(pct_token_read_marks(loader->file, &parts, loader->error));
    PCT_TRY(pct_token_read_settings(loader->file, &parts, tokens, loader->error));
    percept_status status = pct_bpe_build(out, &parts, loader->error);
    if (status == PERCEPT_ERROR_MODEL) pct_error_prefix(loader->error, "%s", pct_gguf_path(loader->file));
    return status;
}

percept_status pct_tokenizer_load(pct_tokenizer **tokenizer, const pct_gguf *file, percept_error *error) {
    *tokenizer = NULL;
    struct loader loader = {.file = file, .error = error};
    pct_arena_init(&loader.arena, 0);
    for (uint32_t code = 0; code < 512; code++) loader.bytes[code] = (int16_t)pct_bpe_code_to_byte(code);
    percept_status status = load(&loader, tokenizer);
    pct_text_table_free(&loader.ids);
    pct_arena_free(&loader.arena);
    return status;
}
