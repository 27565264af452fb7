/* bpe_file.c: a tokenizer from and to the keys tokenizer.ggml.* of a GGUF file, laid out as llama.cpp has it.
 * Byte-level: ordinary tokens in GPT-2's printable characters, special and added ones as they are, merges as "left
 * right". SentencePiece is read in spm_file.c and written here. */
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

/* ---- saving ---- */

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
        else if (tokenizer->scores)
            add_piece(&list->text, tokenizer->kinds[i], text, length);
        else
            add_printable(&list->text, text, length);
        finish_item(list, start);
    }
    PCT_TRY(set_strings(writer, KEY("tokens"), list, error));
    pct_gguf_set_array(writer, KEY("token_type"), PCT_GGUF_I32, tokenizer->size, kinds);
    return PERCEPT_OK;
}

static percept_status save_merges(const pct_tokenizer *tokenizer, pct_gguf_writer *writer, struct gathered *list,
                                  percept_error *error) {
    for (int32_t i = 0; i < tokenizer->merge_count; i++) {
        size_t length, start = list->text.length;
        const char *left = pct_tokenizer_text(tokenizer, tokenizer->merges[i].left, &length);
        add_printable(&list->text, left, length);
        pct_text_add(&list->text, " ", 1);
        const char *right = pct_tokenizer_text(tokenizer, tokenizer->merges[i].right, &length);
        add_printable(&list->text, right, length);
        finish_item(list, start);
    }
    return set_strings(writer, KEY("merges"), list, error);
}

static void save_id(pct_gguf_writer *writer, const char *key, int32_t id) {
    if (id >= 0) pct_gguf_set_u32(writer, key, (uint32_t)id);
}

percept_status pct_tokenizer_save(const pct_tokenizer *tokenizer, pct_gguf_writer *writer, percept_error *error) {
    size_t most = (size_t)(tokenizer->size > tokenizer->merge_count ? tokenizer->size : tokenizer->merge_count);
    struct gathered list = {.items = calloc(most, sizeof *list.items)};
    int32_t *kinds = calloc((size_t)tokenizer->size, sizeof *kinds);
    percept_status status = PERCEPT_OK;
    if (!list.items || !kinds) {
        status = pct_fail_memory(error, "vocabulary");
    } else {
        pct_gguf_set_string(writer, KEY("model"), tokenizer->scores ? "llama" : "gpt2");
        pct_gguf_set_string(writer, KEY("pre"), pct_tokenizer_pattern(tokenizer));
        status = save_tokens(tokenizer, writer, &list, kinds, error);
        if (tokenizer->scores) {
            pct_gguf_set_array(writer, KEY("scores"), PCT_GGUF_F32, tokenizer->size, tokenizer->scores);
            pct_gguf_set_bool(writer, KEY("add_space_prefix"), tokenizer->space_prefix);
        } else if (status == PERCEPT_OK) {
            status = save_merges(tokenizer, writer, &list, error);
        }
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
