/* extend.c: a tokenizer with more tokens; see tokenizer.h. */
#include "base/arena.h"
#include "tokenizer/bpe_private.h"

#include <stdio.h>
#include <string.h>

static void copy_parts(pct_bpe_parts *parts, const pct_tokenizer *from) {
    *parts = (pct_bpe_parts){.merges = from->merges,
                             .merge_count = from->merge_count,
                             .pattern = from->splitter ? from->splitter->name : NULL,
                             .bos = from->bos,
                             .eos = from->eos,
                             .pad = from->pad,
                             .unknown = from->unknown,
                             .add_bos = from->add_bos,
                             .characters = from->characters,
                             .prefix = from->prefix,
                             .squeeze_blanks = from->squeeze_blanks,
                             .unknowns = from->unknowns,
                             .fuse_unknown = from->fuse_unknown,
                             .nfc = from->nfc,
                             .whole = from->whole ? 1 : -1,
                             .chat_template = from->chat_template};
}

static percept_status extend(pct_arena *arena, pct_tokenizer **out, const pct_tokenizer *from, const char *const *texts,
                             int32_t text_count, int32_t size, percept_error *error) {
    const int64_t most = (int64_t)from->size + text_count, room = most > size ? most : size;
    if (text_count < 0 || room > PCT_BPE_MAX_VOCABULARY)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "a vocabulary of %lld tokens; at most %d are allowed",
                        (long long)room, PCT_BPE_MAX_VOCABULARY);
    pct_bpe_token *tokens = pct_arena_take_zeroed(arena, (size_t)room, sizeof *tokens);
    float *scores = pct_arena_take_zeroed(arena, (size_t)room, sizeof *scores);
    if (!tokens || !scores) return pct_fail_memory(error, "vocabulary");
    int32_t count = from->size;
    for (int32_t i = 0; i < count; i++) {
        tokens[i].text = pct_tokenizer_text(from, i, &tokens[i].length);
        tokens[i].kind = (enum pct_token_kind)from->kinds[i];
        tokens[i].rules = from->rules[i];
    }
    if (from->scores) memcpy(scores, from->scores, (size_t)count * sizeof *scores);
    for (int32_t i = 0; i < text_count; i++) {
        bool there = pct_tokenizer_special(from, texts[i]) >= 0;
        for (int32_t k = 0; k < i && !there; k++) there = strcmp(texts[k], texts[i]) == 0;
        if (!texts[i][0]) return pct_fail(error, PERCEPT_ERROR_USAGE, "an added token has no text");
        if (!there)
            tokens[count++] = (pct_bpe_token){.text = texts[i], .length = strlen(texts[i]), .kind = PCT_TOKEN_CONTROL};
    }
    if (size && size < count)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "a vocabulary of %d tokens does not fit into %d", count, size);
    for (; count < size; count++) {
        char name[32];
        const int length = snprintf(name, sizeof name, "[PAD%d]", count);
        tokens[count] = (pct_bpe_token){
            .text = pct_arena_text(arena, name, (size_t)length), .length = (size_t)length, .kind = PCT_TOKEN_UNUSED};
        if (!tokens[count].text) return pct_fail_memory(error, "vocabulary");
    }
    pct_bpe_parts parts;
    copy_parts(&parts, from);
    parts.tokens = tokens;
    parts.token_count = count;
    parts.scores = from->scores ? scores : NULL;
    return pct_bpe_build(out, &parts, error);
}

percept_status pct_tokenizer_extend(pct_tokenizer **tokenizer, const pct_tokenizer *from, const char *const *texts,
                                    int32_t text_count, int32_t size, percept_error *error) {
    pct_arena arena;
    *tokenizer = NULL;
    pct_arena_init(&arena, 0);
    const percept_status status = extend(&arena, tokenizer, from, texts, text_count, size, error);
    pct_arena_free(&arena);
    return status;
}
