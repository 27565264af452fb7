/* draft.c: see draft.h. */
#include "tokenizer/draft.h"

#include "base/arena.h"
#include "base/random.h"
#include "formats/utf8.h"
#include "tokenizer/bpe_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void pct_draft_free(pct_draft *draft) {
    pct_text_free(&draft->texts);
    free(draft->tokens.items);
    free(draft->added.items);
    free(draft->merges);
    for (int i = 0; i < PCT_DRAFT_MARKS; i++) free(draft->mark_texts[i]);
    *draft = (pct_draft){0};
}

percept_status pct_draft_fail(const pct_draft *draft, percept_error *error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    pct_fail_v(error, PERCEPT_ERROR_MODEL, format, args);
    va_end(args);
    pct_error_prefix(error, "%s", draft->name);
    return PERCEPT_ERROR_MODEL;
}

percept_status pct_draft_add(pct_draft *draft, pct_draft_tokens *list, const char *text, size_t length,
                             pct_draft_token token, percept_error *error) {
    if (length > 2 * PCT_BPE_MAX_TOKEN)
        return pct_draft_fail(draft, error, "token %" PRId64 " has %zu bytes; at most %d are allowed", token.id, length,
                              2 * PCT_BPE_MAX_TOKEN);
    if (token.id < 0 || token.id >= PCT_BPE_MAX_VOCABULARY)
        return pct_draft_fail(draft, error, "token '%.*s' has the id %" PRId64 "; ids are 0 to %d",
                              (int)(length < 80 ? length : 80), text, token.id, PCT_BPE_MAX_VOCABULARY - 1);
    if (list->count >= PCT_BPE_MAX_VOCABULARY)
        return pct_draft_fail(draft, error, "it has more than %d tokens", PCT_BPE_MAX_VOCABULARY);
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 256;
        pct_draft_token *larger = realloc(list->items, capacity * sizeof *larger);
        if (!larger) return pct_fail_memory(error, "vocabulary");
        list->items = larger;
        list->capacity = capacity;
    }
    token.offset = draft->texts.length;
    token.length = length;
    pct_text_add(&draft->texts, text, length);
    if (draft->texts.failed) return pct_fail_memory(error, "vocabulary");
    list->items[list->count++] = token;
    return PERCEPT_OK;
}

percept_status pct_draft_add_merge(pct_draft *draft, const char *left, size_t left_length, const char *right,
                                   size_t right_length, percept_error *error) {
    if (!left_length || !right_length || left_length > 2 * PCT_BPE_MAX_TOKEN || right_length > 2 * PCT_BPE_MAX_TOKEN)
        return pct_draft_fail(draft, error, "merge %zu is not two tokens", draft->merge_count);
    if (draft->merge_count >= PCT_BPE_MAX_VOCABULARY)
        return pct_draft_fail(draft, error, "it has more than %d merges", PCT_BPE_MAX_VOCABULARY);
    if (draft->merge_count == draft->merge_capacity) {
        const size_t capacity = draft->merge_capacity ? 2 * draft->merge_capacity : 256;
        pct_draft_merge *larger = realloc(draft->merges, capacity * sizeof *larger);
        if (!larger) return pct_fail_memory(error, "merges");
        draft->merges = larger;
        draft->merge_capacity = capacity;
    }
    draft->merges[draft->merge_count++] = (pct_draft_merge){draft->texts.length, left_length, right_length};
    pct_text_add(&draft->texts, left, left_length);
    pct_text_add(&draft->texts, right, right_length);
    return draft->texts.failed ? pct_fail_memory(error, "merges") : PERCEPT_OK;
}

percept_status pct_draft_set_mark(pct_draft *draft, int mark, const char *text, percept_error *error) {
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy) return pct_fail_memory(error, "vocabulary");
    free(draft->mark_texts[mark]);
    draft->mark_texts[mark] = copy;
    return PERCEPT_OK;
}

/* ---- building ---- */

struct builder {
    pct_draft *draft;
    pct_arena arena;
    pct_text_table ids; /* of texts as the files write them */
    pct_bpe_token *tokens;
    float *scores;
    const pct_draft_token **taken; /* by id; NULL: free */
    int64_t size;
    int16_t bytes[512]; /* of code points below 512; -1: none */
    percept_error *error;
};

static const char *text_of(const struct builder *builder, const pct_draft_token *token) {
    return builder->draft->texts.data ? builder->draft->texts.data + token->offset : "";
}

static int shown(size_t length) { return (int)(length < 80 ? length : 80); }

/* Ids may leave few holes, so that memory keeps to the file's size. */
static percept_status allocate(struct builder *builder) {
    const pct_draft *draft = builder->draft;
    const int64_t count = (int64_t)(draft->tokens.count + draft->added.count);
    int64_t last = -1;
    for (size_t i = 0; i < draft->tokens.count; i++)
        last = draft->tokens.items[i].id > last ? draft->tokens.items[i].id : last;
    for (size_t i = 0; i < draft->added.count; i++)
        last = draft->added.items[i].id > last ? draft->added.items[i].id : last;
    if (last < 0) return pct_draft_fail(draft, builder->error, "its vocabulary is empty; fetch the file again");
    if (last >= count + PCT_DRAFT_MAX_HOLES)
        return pct_draft_fail(draft, builder->error,
                              "it has %" PRId64 " tokens and the id %" PRId64 "; at most %d ids may be left out", count,
                              last, PCT_DRAFT_MAX_HOLES);
    builder->size = last + 1;
    builder->tokens = pct_arena_take_zeroed(&builder->arena, (size_t)builder->size, sizeof *builder->tokens);
    builder->scores = pct_arena_take_zeroed(&builder->arena, (size_t)builder->size, sizeof *builder->scores);
    builder->taken = pct_arena_take_zeroed(&builder->arena, (size_t)builder->size, sizeof *builder->taken);
    if (!builder->tokens || !builder->scores || !builder->taken) return pct_fail_memory(builder->error, "vocabulary");
    for (int64_t i = 0; i < builder->size; i++)
        builder->tokens[i] = (pct_bpe_token){.text = "", .kind = PCT_TOKEN_UNUSED};
    return PERCEPT_OK;
}

/* GPT-2's characters to bytes; a text with any other character is kept: it can be decoded, and no merge finds it. */
static bool printable_to_bytes(const struct builder *builder, const char *text, size_t length, char *out,
                               size_t *count) {
    *count = 0;
    for (size_t i = 0; i < length;) {
        uint32_t code;
        const int size = pct_utf8_read(text + i, length - i, &code);
        if (!size || code >= 512 || builder->bytes[code] < 0) return false;
        out[(*count)++] = (char)builder->bytes[code];
        i += (size_t)size;
    }
    return true;
}

static void convert(const struct builder *builder, pct_bpe_token *token, char *out) {
    const char *text = token->text;
    size_t length = token->length;
    if (builder->draft->form == PCT_DRAFT_BYTES) {
        if (!printable_to_bytes(builder, text, length, out, &length)) return;
    } else {
        const int byte = builder->draft->byte_tokens || token->kind == PCT_TOKEN_BYTE ? pct_spm_byte(text, length) : -1;
        if (byte >= 0) {
            token->kind = PCT_TOKEN_BYTE;
            out[0] = (char)byte;
            length = 1;
        } else {
            length = pct_spm_blanks(text, length, out);
        }
    }
    token->text = out;
    token->length = length;
}

static percept_status place_ordinary(struct builder *builder) {
    const pct_draft *draft = builder->draft;
    for (size_t i = 0; i < draft->tokens.count; i++) {
        const pct_draft_token *from = &draft->tokens.items[i];
        const char *text = text_of(builder, from);
        if (builder->taken[from->id])
            return pct_draft_fail(draft, builder->error,
                                  "the id %" PRId64 " is given to two tokens, one of them '%.*s'", from->id,
                                  shown(from->length), text);
        const int32_t found =
            from->length ? pct_text_table_put(&builder->ids, text, from->length, (int32_t)from->id) : (int32_t)from->id;
        if (found < 0) return pct_fail_memory(builder->error, "vocabulary");
        if (found != from->id)
            return pct_draft_fail(draft, builder->error, "the token '%.*s' is there twice, as %d and as %" PRId64,
                                  shown(from->length), text, found, from->id);
        builder->taken[from->id] = from;
        builder->scores[from->id] = from->score;
        pct_bpe_token *token = &builder->tokens[from->id];
        *token = (pct_bpe_token){text, from->length, from->kind, from->rules};
        /* Words of SentencePiece's own have their blanks written out like the others. */
        if (pct_token_is_added(from->kind) && !(from->rules & PCT_TOKEN_JOINS)) continue;
        char *out = pct_arena_take(&builder->arena, from->length ? from->length : 1);
        if (!out) return pct_fail_memory(builder->error, "vocabulary");
        convert(builder, token, out);
    }
    return PERCEPT_OK;
}

/* Tokens of their own: new ones, or ones of the vocabulary that become so. */
static percept_status place_added(struct builder *builder) {
    const pct_draft *draft = builder->draft;
    for (size_t i = 0; i < draft->added.count; i++) {
        const pct_draft_token *from = &draft->added.items[i];
        const char *text = text_of(builder, from);
        if (from->named) continue;
        if (!from->length)
            return pct_draft_fail(draft, builder->error, "the added token %" PRId64 " has no text", from->id);
        const int32_t found = pct_text_table_put(&builder->ids, text, from->length, (int32_t)from->id);
        if (found < 0) return pct_fail_memory(builder->error, "vocabulary");
        if (found != from->id)
            return pct_draft_fail(draft, builder->error, "the added token '%.*s' is there twice, as %d and as %" PRId64,
                                  shown(from->length), text, found, from->id);
        const pct_draft_token *other = builder->taken[from->id];
        if (other && (other->length != from->length || memcmp(text_of(builder, other), text, from->length) != 0))
            return pct_draft_fail(draft, builder->error, "the id %" PRId64 " is given to two tokens, '%.*s' and '%.*s'",
                                  from->id, shown(other->length), text_of(builder, other), shown(from->length), text);
        if (other >= draft->added.items && other < draft->added.items + draft->added.count) continue;
        builder->taken[from->id] = from;
        builder->tokens[from->id] = (pct_bpe_token){text, from->length, from->kind, from->rules};
    }
    return PERCEPT_OK;
}

static percept_status place_named(struct builder *builder) {
    const pct_draft *draft = builder->draft;
    for (size_t i = 0; i < draft->added.count; i++) {
        const pct_draft_token *from = &draft->added.items[i];
        const char *text = text_of(builder, from);
        if (!from->named) continue;
        const int32_t id = pct_text_table_find(&builder->ids, text, from->length);
        if (id < 0)
            return pct_draft_fail(draft, builder->error,
                                  "the special token '%.*s' has no id in added_tokens.json or the vocabulary",
                                  shown(from->length), text);
        if (!pct_token_is_added(builder->tokens[id].kind))
            builder->tokens[id] = (pct_bpe_token){text, from->length, from->kind, from->rules};
    }
    return PERCEPT_OK;
}

static percept_status place_merges(struct builder *builder, pct_bpe_merge *merges) {
    const pct_draft *draft = builder->draft;
    for (size_t i = 0; i < draft->merge_count; i++) {
        const pct_draft_merge *from = &draft->merges[i];
        const char *text = draft->texts.data + from->offset;
        merges[i].left = pct_text_table_find(&builder->ids, text, from->left);
        merges[i].right = pct_text_table_find(&builder->ids, text + from->left, from->right);
        merges[i].result = pct_text_table_find(&builder->ids, text, from->left + from->right);
        if (merges[i].left < 0 || merges[i].right < 0 || merges[i].result < 0)
            return pct_draft_fail(draft, builder->error,
                                  "merge %zu ('%.*s' and '%.*s') names a token that is not in the vocabulary", i,
                                  shown(from->left), text, shown(from->right), text + from->left);
    }
    return PERCEPT_OK;
}

/* The id of a mark, whose token becomes special. A text that no token has is no mark. */
static percept_status place_mark(struct builder *builder, int mark, int32_t *id) {
    const pct_draft *draft = builder->draft;
    const char *text = draft->mark_texts[mark];
    int64_t found = -1;
    if (text)
        found = pct_text_table_find(&builder->ids, text, strlen(text));
    else if (draft->has_mark_ids)
        found = draft->mark_ids[mark];
    if (found < -1 || found >= builder->size)
        return pct_draft_fail(draft, builder->error,
                              "a special token's id is %" PRId64 ", outside the vocabulary of %" PRId64, found,
                              builder->size);
    *id = (int32_t)found;
    if (found < 0 || !builder->taken[found]) return PERCEPT_OK;
    pct_bpe_token *token = &builder->tokens[found];
    const pct_draft_token *from = builder->taken[found];
    /* A byte or piece that serves as the unknown token stays what it is. */
    if (mark == PCT_DRAFT_UNKNOWN && !pct_token_is_added(token->kind) && draft->form == PCT_DRAFT_BYTES)
        return PERCEPT_OK;
    if (mark == PCT_DRAFT_UNKNOWN && draft->form != PCT_DRAFT_BYTES)
        token->kind = PCT_TOKEN_UNKNOWN;
    else if (token->kind != PCT_TOKEN_UNKNOWN)
        token->kind = PCT_TOKEN_CONTROL;
    token->text = text_of(builder, from);
    token->length = from->length;
    return PERCEPT_OK;
}

static percept_status build(struct builder *builder, pct_tokenizer **out) {
    pct_draft *draft = builder->draft;
    PCT_TRY(allocate(builder));
    PCT_TRY(place_ordinary(builder));
    PCT_TRY(place_added(builder));
    PCT_TRY(place_named(builder));
    pct_bpe_merge *merges = pct_arena_take_zeroed(&builder->arena, draft->merge_count + 1, sizeof *merges);
    if (!merges) return pct_fail_memory(builder->error, "merges");
    PCT_TRY(place_merges(builder, merges));
    pct_bpe_parts *parts = &draft->parts;
    int32_t *const marks[PCT_DRAFT_MARKS] = {&parts->bos, &parts->eos, &parts->pad, &parts->unknown};
    for (int i = 0; i < PCT_DRAFT_MARKS; i++) PCT_TRY(place_mark(builder, i, marks[i]));
    parts->tokens = builder->tokens;
    parts->token_count = (int32_t)builder->size;
    parts->merges = merges;
    parts->merge_count = (int32_t)draft->merge_count;
    parts->scores = draft->form == PCT_DRAFT_SCORES ? builder->scores : NULL;
    parts->characters = draft->form == PCT_DRAFT_CHARACTERS;
    const percept_status status = pct_bpe_build(out, parts, builder->error);
    if (status == PERCEPT_ERROR_MODEL) pct_error_prefix(builder->error, "%s", draft->name);
    return status;
}

percept_status pct_draft_build(pct_draft *draft, pct_tokenizer **tokenizer, percept_error *error) {
    *tokenizer = NULL;
    struct builder builder = {.draft = draft, .error = error};
    pct_arena_init(&builder.arena, 0);
    if (draft->texts.length) builder.ids.seed = pct_hash_bytes(draft->texts.data, draft->texts.length);
    for (uint32_t code = 0; code < 512; code++) builder.bytes[code] = (int16_t)pct_bpe_code_to_byte(code);
    const percept_status status = build(&builder, tokenizer);
    pct_text_table_free(&builder.ids);
    pct_arena_free(&builder.arena);
    return status;
}
