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

/* The byte of "<0x0A>"; -1: not of that form. */
static int byte_of(const char *text, size_t length) {
    if (length != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') return -1;
    const int high = hex(text[3]), low = hex(text[4]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/* With blanks for U+2581; `out` has room for `length`. */
static size_t with_blanks(const char *text, size_t length, char *out) {
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
        token->length = with_blanks(from.data, from.length, text);
        return PERCEPT_OK;
    }
    const int byte = byte_of(from.data, from.length);
    if (byte < 0)
        return bad(file, error, "key '" KEY("tokens") "': token %lld stands for a byte and is not like <0x0A>; %s",
                   (long long)index, PCT_GGUF_MEND);
    text[0] = (char)byte;
    token->length = 1;
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
    PCT_TRY(pct_gguf_get_bool_or(file, KEY("add_space_prefix"), true, &parts.space_prefix, error));
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
