/* save.c: a tokenizer into the keys tokenizer.ggml.* of a GGUF file, and what llama.cpp has no keys for into
 * percept.tokenizer.*; and reading the latter. */
#include "tokenizer/bpe_private.h"

#include "base/size.h"
#include "formats/utf8.h"

#include <stdlib.h>
#include <string.h>

#define KEY(name) "tokenizer.ggml." name
#define OWN(name) "percept.tokenizer." name
#define TEMPLATE  "tokenizer.chat_template"

#define ALL_RULES                                                                                                      \
    (PCT_TOKEN_STRIPS_LEFT | PCT_TOKEN_STRIPS_RIGHT | PCT_TOKEN_WHOLE_WORD | PCT_TOKEN_NORMALISED | PCT_TOKEN_JOINS |  \
     PCT_TOKEN_STRIPS_ASCII)

static const char *const prefixes[] = {
    [PCT_PREFIX_NEVER] = "never",
    [PCT_PREFIX_ALWAYS] = "always",
    [PCT_PREFIX_UNLESS_BLANK] = "unless-blank",
    [PCT_PREFIX_FIRST] = "first",
    [PCT_PREFIX_FIRST_UNLESS_BLANK] = "first-unless-blank",
};

static void add_printable(pct_text *out, const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        char code[4];
        pct_text_add(out, code, (size_t)pct_utf8_write(pct_bpe_byte_to_code((unsigned char)bytes[i]), code));
    }
}

/* As SentencePiece's files have it: U+2581 for a blank, <0x0A> for a byte's token. */
static void add_piece(pct_text *out, enum pct_token_kind kind, const char *text, size_t length) {
    if (kind == PCT_TOKEN_BYTE && length == 1) {
        pct_text_printf(out, "<0x%02X>", (unsigned char)text[0]);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        const bool blank = text[i] == ' ';
        pct_text_add(out, blank ? "\xe2\x96\x81" : text + i, blank ? 3 : 1);
    }
}

/* Texts of one array gathered in one place; the pointers are set when nothing moves any more. */
struct gathered {
    pct_text text;
    pct_gguf_string *items;
    int64_t count;
};

static void finish_item(struct gathered *list, size_t start) {
    list->items[list->count++].length = list->text.length - start;
}

static percept_status set_strings(pct_gguf_writer *writer, const char *key, struct gathered *list,
                                  percept_error *error) {
    if (list->text.failed) return pct_fail_memory(error, "vocabulary");
    size_t at = 0;
    for (int64_t i = 0; i < list->count; i++) {
        list->items[i].data = list->text.data ? list->text.data + at : "";
        at += list->items[i].length;
    }
    pct_gguf_set_strings(writer, key, list->count, list->items);
    pct_text_clear(&list->text);
    list->count = 0;
    return PERCEPT_OK;
}

static percept_status save_tokens(const pct_tokenizer *tokenizer, pct_gguf_writer *writer, struct gathered *list,
                                  int32_t *kinds, percept_error *error) {
    for (int32_t i = 0; i < tokenizer->size; i++) {
        size_t length, start = list->text.length;
        const char *text = pct_tokenizer_text(tokenizer, i, &length);
        kinds[i] = tokenizer->kinds[i];
        if (pct_token_is_added(tokenizer->kinds[i]))
            pct_text_add(&list->text, text, length);
        else if (pct_token_is_pieces(tokenizer))
            add_piece(&list->text, tokenizer->kinds[i], text, length);
        else
            add_printable(&list->text, text, length);
        finish_item(list, start);
    }
    PCT_TRY(set_strings(writer, KEY("tokens"), list, error));
    pct_gguf_set_array(writer, KEY("token_type"), PCT_GGUF_I32, tokenizer->size, kinds);
    return PERCEPT_OK;
}

static void add_text(const pct_tokenizer *tokenizer, pct_text *out, int32_t id) {
    size_t length;
    const char *text = pct_tokenizer_text(tokenizer, id, &length);
    if (tokenizer->characters)
        add_piece(out, PCT_TOKEN_NORMAL, text, length);
    else
        add_printable(out, text, length);
}

static percept_status save_merges(const pct_tokenizer *tokenizer, pct_gguf_writer *writer, struct gathered *list,
                                  percept_error *error) {
    for (int32_t i = 0; i < tokenizer->merge_count; i++) {
        const size_t start = list->text.length;
        add_text(tokenizer, &list->text, tokenizer->merges[i].left);
        pct_text_add(&list->text, " ", 1);
        add_text(tokenizer, &list->text, tokenizer->merges[i].right);
        finish_item(list, start);
    }
    return set_strings(writer, KEY("merges"), list, error);
}

static void save_id(pct_gguf_writer *writer, const char *key, int32_t id) {
    if (id >= 0) pct_gguf_set_u32(writer, key, (uint32_t)id);
}

/* Scores for other programs, which have no merges here: by the merge that makes a token. */
static percept_status save_scores(const pct_tokenizer *tokenizer, pct_gguf_writer *writer, percept_error *error) {
    if (tokenizer->scores) {
        pct_gguf_set_array(writer, KEY("scores"), PCT_GGUF_F32, tokenizer->size, tokenizer->scores);
        return PERCEPT_OK;
    }
    float *scores = calloc((size_t)tokenizer->size, sizeof *scores);
    if (!scores) return pct_fail_memory(error, "vocabulary");
    for (int32_t i = 0; i < tokenizer->size; i++)
        if (!pct_token_is_added(tokenizer->kinds[i]) && tokenizer->kinds[i] != PCT_TOKEN_BYTE)
            scores[i] = (float)(-tokenizer->merge_count - 1);
    for (int32_t i = tokenizer->merge_count; i-- > 0;) scores[tokenizer->merges[i].result] = (float)-i;
    pct_gguf_set_array(writer, KEY("scores"), PCT_GGUF_F32, tokenizer->size, scores);
    free(scores);
    return PERCEPT_OK;
}

static percept_status save_rules(const pct_tokenizer *tokenizer, pct_gguf_writer *writer, percept_error *error) {
    int64_t count = 0;
    for (int32_t i = 0; i < tokenizer->size; i++) count += tokenizer->rules[i] != 0;
    if (!count && !pct_token_is_pieces(tokenizer)) return PERCEPT_OK; /* SentencePiece: says that there are none */
    int32_t *pairs = malloc((size_t)(count + 1) * 2 * sizeof *pairs);
    if (!pairs) return pct_fail_memory(error, "vocabulary");
    count = 0;
    for (int32_t i = 0; i < tokenizer->size; i++) {
        if (!tokenizer->rules[i]) continue;
        pairs[count++] = i;
        pairs[count++] = tokenizer->rules[i];
    }
    pct_gguf_set_array(writer, OWN("rules"), PCT_GGUF_I32, count, pairs);
    free(pairs);
    return PERCEPT_OK;
}

/* What llama.cpp has no key for, and only where it differs from what llama.cpp does. */
static percept_status save_settings(const pct_tokenizer *tokenizer, pct_gguf_writer *writer, percept_error *error) {
    if (tokenizer->nfc) pct_gguf_set_bool(writer, OWN("nfc"), true);
    if (tokenizer->characters) pct_gguf_set_bool(writer, OWN("characters"), true);
    if (tokenizer->squeeze_blanks) pct_gguf_set_bool(writer, OWN("squeeze_blanks"), true);
    if (tokenizer->fuse_unknown) pct_gguf_set_bool(writer, OWN("fuse_unknown"), true);
    if (tokenizer->unknowns) pct_gguf_set_u32(writer, OWN("unknowns"), tokenizer->unknowns);
    if (tokenizer->prefix > PCT_PREFIX_ALWAYS) pct_gguf_set_string(writer, OWN("prefix"), prefixes[tokenizer->prefix]);
    if (tokenizer->whole != (tokenizer->splitter && tokenizer->splitter->whole))
        pct_gguf_set_bool(writer, OWN("whole_words"), tokenizer->whole);
    if (tokenizer->chat_template) pct_gguf_set_string(writer, TEMPLATE, tokenizer->chat_template);
    return save_rules(tokenizer, writer, error);
}

/* llama.cpp's own exception, by the model's name: tokens of Phi-3 but three drop ASCII's white space behind them. */
static void phi3_rules(const pct_gguf *file, pct_bpe_token *tokens, int32_t count) {
    static const char *const others[] = {"<unk>", "<s>", "<|endoftext|>"};
    const char *name = NULL;
    pct_gguf_get_string_or(file, "general.name", NULL, &name, NULL);
    if (!name || !(strcasestr(name, "phi-3") || strcasestr(name, "phi3"))) return;
    for (int32_t i = 0; i < count; i++) {
        bool other = !pct_token_is_added(tokens[i].kind);
        for (size_t k = 0; k < PCT_COUNT(others); k++)
            other |= strlen(others[k]) == tokens[i].length && memcmp(others[k], tokens[i].text, tokens[i].length) == 0;
        if (!other) tokens[i].rules = PCT_TOKEN_STRIPS_RIGHT | PCT_TOKEN_STRIPS_ASCII;
    }
}

static percept_status read_rules(const pct_gguf *file, pct_bpe_token *tokens, int32_t count, percept_error *error) {
    pct_gguf_array pairs;
    if (!pct_gguf_has(file, OWN("rules"))) phi3_rules(file, tokens, count);
    PCT_TRY(pct_gguf_get_array_or(file, OWN("rules"), PCT_GGUF_I32, 2 * (int64_t)count, &pairs, error));
    for (int64_t i = 0; i < pairs.count; i += 2) {
        const int64_t id = pct_gguf_array_i64(&pairs, i);
        const int64_t rules = i + 1 < pairs.count ? pct_gguf_array_i64(&pairs, i + 1) : -1;
        if (id < 0 || id >= count || rules < 0 || rules > ALL_RULES)
            return pct_fail(error, PERCEPT_ERROR_MODEL,
                            "%s: key '" OWN("rules") "': item %lld is not a token's rules; %s", pct_gguf_path(file),
                            (long long)i, PCT_GGUF_MEND);
        tokens[id].rules = (unsigned)rules;
    }
    return PERCEPT_OK;
}

percept_status pct_token_read_settings(const pct_gguf *file, pct_bpe_parts *parts, pct_bpe_token *tokens,
                                       percept_error *error) {
    const char *prefix;
    bool whole = false;
    int32_t unknowns;
    PCT_TRY(pct_gguf_get_i32_or(file, OWN("unknowns"), 0, PCT_UNKNOWN_TOKEN, 0, &unknowns, error));
    parts->unknowns = (enum pct_token_unknown)unknowns;
    PCT_TRY(pct_gguf_get_bool_or(file, OWN("nfc"), false, &parts->nfc, error));
    PCT_TRY(pct_gguf_get_bool_or(file, OWN("squeeze_blanks"), false, &parts->squeeze_blanks, error));
    PCT_TRY(pct_gguf_get_bool_or(file, OWN("fuse_unknown"), false, &parts->fuse_unknown, error));
    PCT_TRY(pct_gguf_get_bool_or(file, OWN("whole_words"), false, &whole, error));
    if (pct_gguf_has(file, OWN("whole_words"))) parts->whole = whole ? 1 : -1;
    PCT_TRY(pct_gguf_get_string_or(file, OWN("prefix"), prefixes[parts->prefix], &prefix, error));
    size_t i = 0;
    while (i < PCT_COUNT(prefixes) && strcmp(prefixes[i], prefix) != 0) i++;
    if (i == PCT_COUNT(prefixes))
        return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: key '" OWN("prefix") "': '%.80s' is not known; %s",
                        pct_gguf_path(file), prefix, PCT_GGUF_MEND);
    parts->prefix = (enum pct_token_prefix)i;
    /* Other files hold anything here, or several templates; it is only kept for being recognised. */
    for (int64_t k = 0; k < pct_gguf_key_count(file); k++)
        if (strcmp(pct_gguf_key_name(file, k), TEMPLATE) == 0 && pct_gguf_key_type(file, k) == PCT_GGUF_STRING)
            pct_gguf_get_string_or(file, TEMPLATE, NULL, &parts->chat_template, NULL);
    return read_rules(file, tokens, parts->token_count, error);
}

percept_status pct_tokenizer_save(const pct_tokenizer *tokenizer, pct_gguf_writer *writer, percept_error *error) {
    size_t most = (size_t)(tokenizer->size > tokenizer->merge_count ? tokenizer->size : tokenizer->merge_count);
    struct gathered list = {.items = calloc(most, sizeof *list.items)};
    int32_t *kinds = calloc((size_t)tokenizer->size, sizeof *kinds);
    percept_status status = PERCEPT_OK;
    if (!list.items || !kinds) {
        status = pct_fail_memory(error, "vocabulary");
    } else {
        pct_gguf_set_string(writer, KEY("model"), pct_token_is_pieces(tokenizer) ? "llama" : "gpt2");
        pct_gguf_set_string(writer, KEY("pre"), pct_tokenizer_pattern(tokenizer));
        status = save_tokens(tokenizer, writer, &list, kinds, error);
        if (status == PERCEPT_OK && pct_token_is_pieces(tokenizer)) {
            status = save_scores(tokenizer, writer, error);
            pct_gguf_set_bool(writer, KEY("add_space_prefix"), tokenizer->prefix != PCT_PREFIX_NEVER);
        }
        if (status == PERCEPT_OK && !tokenizer->scores) status = save_merges(tokenizer, writer, &list, error);
        if (status == PERCEPT_OK) status = save_settings(tokenizer, writer, error);
        save_id(writer, KEY("bos_token_id"), tokenizer->bos);
        save_id(writer, KEY("eos_token_id"), tokenizer->eos);
        save_id(writer, KEY("padding_token_id"), tokenizer->pad);
        save_id(writer, KEY("unknown_token_id"), tokenizer->unknown);
        pct_gguf_set_bool(writer, KEY("add_bos_token"), tokenizer->add_bos);
    }
    pct_text_free(&list.text);
    free(list.items);
    free(kinds);
    return status;
}
