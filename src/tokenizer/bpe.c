/* bpe.c: making a tokenizer from its parts; see bpe.h. */
#include "tokenizer/bpe_private.h"

#include "base/random.h"
#include "base/size.h"

#include <stdlib.h>
#include <string.h>

/* GPT-2's map: bytes that are printable in Latin-1 stand for themselves, the others follow from U+0100 on. */
static bool stands_for_itself(unsigned byte) {
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
}

uint32_t pct_bpe_byte_to_code(unsigned char byte) {
    if (stands_for_itself(byte)) return byte;
    uint32_t code = 0x100;
    for (unsigned b = 0; b < byte; b++) code += !stands_for_itself(b);
    return code;
}

int pct_bpe_code_to_byte(uint32_t code) {
    if (code < 0x100) return stands_for_itself(code) ? (int)code : -1;
    uint32_t next = 0x100;
    for (unsigned b = 0; b < 256; b++) {
        if (stands_for_itself(b)) continue;
        if (next++ == code) return (int)b;
    }
    return -1;
}

static percept_status bad(percept_error *error, const char *format, ...) PCT_PRINTF(2, 3);
static percept_status bad(percept_error *error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    percept_status status = pct_fail_v(error, PERCEPT_ERROR_MODEL, format, args);
    va_end(args);
    return status;
}

static percept_status copy_tokens(pct_tokenizer *tokenizer, const pct_bpe_parts *parts, percept_error *error) {
    size_t total = 0;
    for (int32_t i = 0; i < parts->token_count; i++) {
        if (parts->tokens[i].length > PCT_BPE_MAX_TOKEN) {
            return bad(error, "token %d has %zu bytes; at most %d are allowed", i, parts->tokens[i].length,
                       PCT_BPE_MAX_TOKEN);
        }
        total += parts->tokens[i].length + 1;
    }
    size_t count = (size_t)parts->token_count;
    tokenizer->size = parts->token_count;
    tokenizer->blob = malloc(total);
    tokenizer->offsets = malloc((count + 1) * sizeof *tokenizer->offsets);
    tokenizer->kinds = malloc(count);
    tokenizer->rules = malloc(count);
    if (!tokenizer->blob || !tokenizer->offsets || !tokenizer->kinds || !tokenizer->rules)
        return pct_fail_memory(error, "vocabulary");
    size_t at = 0;
    for (int32_t b = 0; b < 256; b++) tokenizer->byte_ids[b] = -1;
    for (int32_t i = 0; i < parts->token_count; i++) {
        const pct_bpe_token *token = &parts->tokens[i];
        tokenizer->offsets[i] = at;
        tokenizer->kinds[i] = (unsigned char)token->kind;
        tokenizer->rules[i] = pct_token_is_added(token->kind) ? (unsigned char)token->rules : 0;
        tokenizer->normalised_tokens |= tokenizer->rules[i] & PCT_TOKEN_NORMALISED;
        if (token->length) memcpy(tokenizer->blob + at, token->text, token->length);
        at += token->length;
        tokenizer->blob[at++] = 0;
        if (token->length != 1 || pct_token_is_added(token->kind)) continue;
        int32_t *byte = &tokenizer->byte_ids[(unsigned char)token->text[0]];
        if (*byte < 0) *byte = i;
    }
    tokenizer->offsets[count] = at;
    return PERCEPT_OK;
}

struct sortable {
    const char *text;
    size_t length;
    int32_t id;
};

static int by_text(const void *a, const void *b) {
    const struct sortable *x = a, *y = b;
    size_t common = x->length < y->length ? x->length : y->length;
    int order = memcmp(x->text, y->text, common);
    if (order) return order;
    if (x->length != y->length) return x->length < y->length ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Of added tokens with equal texts the one with the lowest id is found; empty ones never are. */
static percept_status sort_added(pct_tokenizer *tokenizer, percept_error *error) {
    struct sortable *list = malloc((size_t)tokenizer->size * sizeof *list);
    tokenizer->added = malloc((size_t)tokenizer->size * sizeof *tokenizer->added);
    if (!list || !tokenizer->added) {
        free(list);
        return pct_fail_memory(error, "vocabulary");
    }
    int32_t count = 0;
    for (int32_t i = 0; i < tokenizer->size; i++) {
        if (!pct_token_is_added(tokenizer->kinds[i])) continue;
        struct sortable item = {.id = i};
        item.text = pct_tokenizer_text(tokenizer, i, &item.length);
        if (item.length) list[count++] = item;
    }
    if (count) qsort(list, (size_t)count, sizeof *list, by_text);
    for (int32_t i = 0; i < count; i++) {
        if (i && list[i].length == list[i - 1].length && memcmp(list[i].text, list[i - 1].text, list[i].length) == 0) {
            continue;
        }
        tokenizer->added[tokenizer->added_count++] = list[i].id;
        tokenizer->starts[(unsigned char)list[i].text[0]] = true;
    }
    free(list);
    return PERCEPT_OK;
}

static bool ordinary(const pct_tokenizer *tokenizer, int32_t id) {
    return id >= 0 && id < tokenizer->size && !pct_token_is_added(tokenizer->kinds[id]);
}

static bool joins(const pct_tokenizer *tokenizer, const pct_bpe_merge *merge) {
    if (!ordinary(tokenizer, merge->left) || !ordinary(tokenizer, merge->right) ||
        !ordinary(tokenizer, merge->result)) {
        return false;
    }
    size_t a, b, c;
    const char *left = pct_tokenizer_text(tokenizer, merge->left, &a);
    const char *right = pct_tokenizer_text(tokenizer, merge->right, &b);
    const char *result = pct_tokenizer_text(tokenizer, merge->result, &c);
    return a && b && a + b == c && memcmp(result, left, a) == 0 && memcmp(result + a, right, b) == 0;
}

static percept_status copy_merges(pct_tokenizer *tokenizer, const pct_bpe_parts *parts, percept_error *error) {
    size_t size = (size_t)parts->merge_count * sizeof *tokenizer->merges;
    tokenizer->merges = malloc(size ? size : 1);
    if (!tokenizer->merges) return pct_fail_memory(error, "merges");
    if (size) memcpy(tokenizer->merges, parts->merges, size);
    tokenizer->merge_count = parts->merge_count;
    tokenizer->ranks.seed = pct_hash_bytes(tokenizer->merges, size);
    for (int32_t i = 0; i < parts->merge_count; i++) {
        const pct_bpe_merge *merge = &tokenizer->merges[i];
        if (!joins(tokenizer, merge)) {
            return bad(error, "merge %d does not join two ordinary tokens into a third", i);
        }
        if (pct_pair_table_put(&tokenizer->ranks, merge->left, merge->right, i) < 0) {
            return pct_fail_memory(error, "merges");
        }
    }
    return PERCEPT_OK;
}

static percept_status check_parts(const pct_bpe_parts *parts, percept_error *error) {
    if (parts->token_count < 1 || parts->token_count > PCT_BPE_MAX_VOCABULARY || parts->merge_count < 0 ||
        parts->merge_count > PCT_BPE_MAX_VOCABULARY) {
        return bad(error, "a vocabulary of %d tokens and %d merges; 1 to %d are allowed", parts->token_count,
                   parts->merge_count, PCT_BPE_MAX_VOCABULARY);
    }
    int32_t marks[] = {parts->bos, parts->eos, parts->pad, parts->unknown};
    for (size_t i = 0; i < PCT_COUNT(marks); i++) {
        if (marks[i] < -1 || marks[i] >= parts->token_count) {
            return bad(error, "a special token's id is %d, outside the vocabulary of %d", marks[i], parts->token_count);
        }
    }
    return PERCEPT_OK;
}

static percept_status list_words(pct_tokenizer *tokenizer, percept_error *error) {
    if (tokenizer->splitter && !tokenizer->whole) return PERCEPT_OK;
    tokenizer->words.seed = pct_hash_bytes(tokenizer->blob, tokenizer->offsets[tokenizer->size]);
    for (int32_t i = 0; i < tokenizer->size; i++) {
        size_t length;
        const char *text = pct_tokenizer_text(tokenizer, i, &length);
        if (!ordinary(tokenizer, i) || length == 0 || tokenizer->kinds[i] == PCT_TOKEN_BYTE) continue;
        if (pct_text_table_put(&tokenizer->words, text, length, i) < 0) return pct_fail_memory(error, "vocabulary");
    }
    return PERCEPT_OK;
}

/* Ids by falling score, for qsort. */
struct scored {
    float score;
    int32_t id;
};

static int by_score(const void *a, const void *b) {
    const struct scored *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* Scores as whole numbers, so that both forms share one heap; bytes' own tokens go before other tokens of one byte. */
static percept_status order_scores(pct_tokenizer *tokenizer, const pct_bpe_parts *parts, percept_error *error) {
    const size_t count = (size_t)parts->token_count;
    struct scored *list = malloc(count * sizeof *list);
    tokenizer->scores = malloc(count * sizeof *tokenizer->scores);
    tokenizer->order = malloc(count * sizeof *tokenizer->order);
    if (!list || !tokenizer->scores || !tokenizer->order) {
        free(list);
        return pct_fail_memory(error, "vocabulary");
    }
    memcpy(tokenizer->scores, parts->scores, count * sizeof *tokenizer->scores);
    for (int32_t i = 0; i < parts->token_count; i++) list[i] = (struct scored){parts->scores[i], i};
    qsort(list, count, sizeof *list, by_score);
    int32_t rank = 0;
    for (size_t i = 0; i < count; i++) {
        rank += i > 0 && list[i].score != list[i - 1].score;
        tokenizer->order[list[i].id] = rank;
    }
    free(list);
    return PERCEPT_OK;
}

/* SentencePiece's tokens of bytes go before other tokens of one byte; with merges there are no others. */
static void list_bytes(pct_tokenizer *tokenizer, const pct_bpe_parts *parts) {
    for (int32_t b = 0; parts->characters && b < 256; b++) tokenizer->byte_ids[b] = -1;
    for (int32_t i = parts->token_count; i-- > 0;)
        if (parts->tokens[i].kind == PCT_TOKEN_BYTE && parts->tokens[i].length == 1)
            tokenizer->byte_ids[(unsigned char)parts->tokens[i].text[0]] = i;
}

/* The settings that are plain values, and the chat template. */
static percept_status copy_settings(pct_tokenizer *tokenizer, const pct_bpe_parts *parts, percept_error *error) {
    tokenizer->bos = parts->bos;
    tokenizer->eos = parts->eos;
    tokenizer->pad = parts->pad;
    tokenizer->unknown = parts->unknown;
    tokenizer->add_bos = parts->add_bos;
    tokenizer->characters = parts->characters;
    tokenizer->prefix = parts->prefix;
    tokenizer->squeeze_blanks = parts->squeeze_blanks;
    tokenizer->fuse_unknown = parts->fuse_unknown;
    tokenizer->unknowns = parts->unknowns;
    tokenizer->nfc = parts->nfc;
    tokenizer->whole = parts->whole > 0;
    if (!parts->chat_template) return PERCEPT_OK;
    tokenizer->chat_template = strdup(parts->chat_template);
    return tokenizer->chat_template ? PERCEPT_OK : pct_fail_memory(error, "chat template");
}

/* Pattern and merges, or scores. */
static percept_status copy_rules(pct_tokenizer *tokenizer, const pct_bpe_parts *parts, percept_error *error) {
    if (parts->scores || parts->characters) list_bytes(tokenizer, parts);
    if (parts->scores) return order_scores(tokenizer, parts, error);
    PCT_TRY(copy_merges(tokenizer, parts, error));
    if (parts->characters) return PERCEPT_OK;
    PCT_TRY(pct_bpe_splitter_create(&tokenizer->splitter, parts->pattern, error));
    if (parts->whole == 0) tokenizer->whole = tokenizer->splitter->whole;
    return PERCEPT_OK;
}

percept_status pct_bpe_build(pct_tokenizer **out, const pct_bpe_parts *parts, percept_error *error) {
    *out = NULL;
    PCT_TRY(check_parts(parts, error));
    pct_tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    if (!tokenizer) return pct_fail_memory(error, "tokenizer");
    percept_status status = copy_settings(tokenizer, parts, error);
    if (status == PERCEPT_OK) status = copy_tokens(tokenizer, parts, error);
    if (status == PERCEPT_OK) status = sort_added(tokenizer, error);
    if (status == PERCEPT_OK) status = copy_rules(tokenizer, parts, error);
    if (status == PERCEPT_OK) status = list_words(tokenizer, error);
    if (status == PERCEPT_OK)
        *out = tokenizer;
    else
        pct_tokenizer_destroy(&tokenizer);
    return status;
}

void pct_tokenizer_destroy(pct_tokenizer **handle) {
    pct_tokenizer *tokenizer = *handle;
    if (!tokenizer) return;
    pct_bpe_splitter_destroy(&tokenizer->splitter);
    pct_pair_table_free(&tokenizer->ranks);
    pct_text_table_free(&tokenizer->words);
    free(tokenizer->blob);
    free(tokenizer->offsets);
    free(tokenizer->kinds);
    free(tokenizer->rules);
    free(tokenizer->chat_template);
    free(tokenizer->merges);
    free(tokenizer->scores);
    free(tokenizer->order);
    free(tokenizer->added);
    free(tokenizer);
    *handle = NULL;
}

const pct_bpe_merge *pct_bpe_merges(const pct_tokenizer *tokenizer, int32_t *count) {
    *count = tokenizer->merge_count;
    return tokenizer->merges;
}
