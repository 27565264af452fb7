/* spm_file.c: a SentencePiece vocabulary from the keys tokenizer.ggml.* of a GGUF file, as llama.cpp writes LLaMA's:
 * texts with U+2581 for blanks, a score each, bytes' tokens as "<0x0A>". BOS is added and a blank put first unless the
 * file says else. */
#include "tokenizer/bpe_private.h"

#include "base/arena.h"

#include <math.h>
#include <string.h>

#define KEY(name) "tokenizer.ggml." name

static percept_status bad(const pct_gguf *file, percept_error *error, const char *format, ...) PCT_PRINTF(3, 4);
static percept_status bad(const pct_gguf *file, percept_error *error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    pct_fail_v(error, PERCEPT_ERROR_MODEL, format, args);
    va_end(args);
    pct_error_prefix(error, "%s", pct_gguf_path(file));
    return PERCEPT_ERROR_MODEL;
}

static int hex(char digit) {
    return digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

int pct_spm_byte(const char *text, size_t length) {
    if (length != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') return -1;
    const int high = hex(text[3]), low = hex(text[4]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

size_t pct_spm_blanks(const char *text, size_t length, char *out) {
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        const bool mark = length - i >= 3 && memcmp(text + i, "\xe2\x96\x81", 3) == 0;
        out[count++] = mark ? ' ' : text[i];
        if (mark) i += 2;
    }
    return count;
}

static percept_status read_token(const pct_gguf *file, pct_arena *arena, pct_gguf_string from, int64_t index,
                                 pct_bpe_token *token, percept_error *error) {
    if (from.length > PCT_BPE_MAX_TOKEN)
        return bad(file, error, "key '" KEY("tokens") "': token %lld has %zu bytes; %s", (long long)index, from.length,
                   PCT_GGUF_MEND);
    token->text = from.data;
    token->length = from.length;
    if (pct_token_is_added(token->kind)) return PERCEPT_OK;
    char *text = pct_arena_take(arena, from.length);
    if (!text) return pct_fail_memory(error, "vocabulary");
    token->text = text;
    if (token->kind != PCT_TOKEN_BYTE) {
        token->length = pct_spm_blanks(from.data, from.length, text);
        return PERCEPT_OK;
    }
    const int byte = pct_spm_byte(from.data, from.length);
    if (byte < 0)
        return bad(file, error, "key '" KEY("tokens") "': token %lld stands for a byte and is not like <0x0A>; %s",
                   (long long)index, PCT_GGUF_MEND);
    text[0] = (char)byte;
    token->length = 1;
    return PERCEPT_OK;
}

/* One merge "left right", both with U+2581 for blanks. False: it names tokens that are not there. */
static bool read_merge(const pct_text_table *ids, pct_gguf_string text, pct_bpe_merge *merge) {
    const char *gap = text.length > 2 ? memchr(text.data + 1, ' ', text.length - 2) : NULL;
    char joined[2 * PCT_BPE_MAX_TOKEN + 1];
    if (!gap || text.length > sizeof joined) return false;
    const size_t first = (size_t)(gap - text.data);
    const size_t left = pct_spm_blanks(text.data, first, joined);
    const size_t right = pct_spm_blanks(gap + 1, text.length - first - 1, joined + left);
    merge->left = pct_text_table_find(ids, joined, left);
    merge->right = pct_text_table_find(ids, joined + left, right);
    merge->result = pct_text_table_find(ids, joined, left + right);
    return merge->left >= 0 && merge->right >= 0 && merge->result >= 0;
}

/* Only in files of our own: other programs write merges beside scores too, and do not use them. */
static percept_status read_merges(const pct_gguf *file, pct_arena *arena, pct_bpe_parts *parts, percept_error *error) {
    pct_gguf_array merges;
    PCT_TRY(pct_gguf_get_bool_or(file, "percept.tokenizer.characters", false, &parts->characters, error));
    if (!parts->characters) return PERCEPT_OK;
    PCT_TRY(pct_gguf_get_array(file, KEY("merges"), PCT_GGUF_STRING, 0, PCT_BPE_MAX_VOCABULARY, &merges, error));
    pct_bpe_merge *list = pct_arena_take_zeroed(arena, (size_t)merges.count, sizeof *list);
    pct_text_table ids = {0};
    bool ready = list != NULL;
    int64_t count = 0;
    for (int32_t i = 0; ready && i < parts->token_count; i++) {
        const pct_bpe_token *token = &parts->tokens[i];
        if (token->kind == PCT_TOKEN_NORMAL && token->length)
            ready = pct_text_table_put(&ids, token->text, token->length, i) >= 0;
    }
    while (ready && count < merges.count && read_merge(&ids, pct_gguf_array_string(&merges, count), &list[count]))
        count++;
    pct_text_table_free(&ids);
    if (!ready) return pct_fail_memory(error, "merges");
    if (count < merges.count)
        return bad(file, error, "key '" KEY("merges") "': item %lld joins tokens that are not in the vocabulary; %s",
                   (long long)count, PCT_GGUF_MEND);
    parts->merges = list;
    parts->merge_count = (int32_t)merges.count;
    parts->scores = NULL;
    return PERCEPT_OK;
}

static percept_status load(const pct_gguf *file, pct_arena *arena, pct_tokenizer **out, percept_error *error) {
    pct_gguf_array texts, scores;
    PCT_TRY(pct_gguf_get_array(file, KEY("tokens"), PCT_GGUF_STRING, 1, PCT_BPE_MAX_VOCABULARY, &texts, error));
    PCT_TRY(pct_gguf_get_array(file, KEY("scores"), PCT_GGUF_F32, 1, PCT_BPE_MAX_VOCABULARY, &scores, error));
    if (scores.count != texts.count)
        return bad(file, error, "key '" KEY("scores") "' has %lld items for %lld tokens; %s", (long long)scores.count,
                   (long long)texts.count, PCT_GGUF_MEND);
    pct_bpe_token *tokens = pct_arena_take_zeroed(arena, (size_t)texts.count, sizeof *tokens);
    float *values = pct_arena_take(arena, (size_t)texts.count * sizeof *values);
    if (!tokens || !values) return pct_fail_memory(error, "vocabulary");
    PCT_TRY(pct_token_read_kinds(file, tokens, texts.count, error));
    for (int64_t i = 0; i < texts.count; i++) {
        PCT_TRY(read_token(file, arena, pct_gguf_array_string(&texts, i), i, &tokens[i], error));
        values[i] = (float)pct_gguf_array_f64(&scores, i);
        if (!isfinite(values[i]))
            return bad(file, error, "key '" KEY("scores") "': token %lld has no finite score; %s", (long long)i,
                       PCT_GGUF_MEND);
    }
    pct_bpe_parts parts = {.tokens = tokens, .token_count = (int32_t)texts.count, .add_bos = true, .scores = values};
    PCT_TRY(pct_token_read_marks(file, &parts, error));
    bool prefix;
    PCT_TRY(pct_gguf_get_bool_or(file, KEY("add_space_prefix"), true, &prefix, error));
    parts.prefix = prefix ? PCT_PREFIX_ALWAYS : PCT_PREFIX_NEVER;
    PCT_TRY(pct_token_read_settings(file, &parts, tokens, error));
    PCT_TRY(read_merges(file, arena, &parts, error));
    percept_status status = pct_bpe_build(out, &parts, error);
    if (status == PERCEPT_ERROR_MODEL) pct_error_prefix(error, "%s", pct_gguf_path(file));
    return status;
}

percept_status pct_spm_load(pct_tokenizer **out, const pct_gguf *file, percept_error *error) {
    pct_arena arena;
    pct_arena_init(&arena, 0);
    percept_status status = load(file, &arena, out, error);
    pct_arena_free(&arena);
    return status;
}
