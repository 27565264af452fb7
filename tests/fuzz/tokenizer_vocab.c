/* tokenizer_vocab.c: hostile vocab.json, merges.txt, tokenizer_config.json, special_tokens_map.json and
 * added_tokens.json, in this order with a NUL between. */
#include "formats/json.h"
#include "tokenizer/draft.h"
#include "tokenizer_use.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum { PARTS = 5 };

static json_t *object(const char *data, size_t size) {
    json_t *value = NULL;
    percept_error error = {0};
    if (pct_json_parse(&value, "fuzz", data, size, &error) == PERCEPT_OK && json_is_object(value)) return value;
    json_decref(value);
    return NULL;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    const char *parts[PARTS], *text = (const char *)data;
    size_t sizes[PARTS], left = size;
    pct_tokenizer *tokenizer;
    percept_error error = {0};
    for (int i = 0; i < PARTS; i++) {
        const char *end = left ? memchr(text, 0, left) : NULL;
        parts[i] = text;
        sizes[i] = end && i + 1 < PARTS ? (size_t)(end - text) : left;
        text += sizes[i] + (end != NULL && i + 1 < PARTS);
        left -= sizes[i] + (end != NULL && i + 1 < PARTS);
    }
    pct_hf_extras extras = {.config = object(parts[2], sizes[2]),
                            .special = object(parts[3], sizes[3]),
                            .added = object(parts[4], sizes[4])};
    if (!extras.config) extras.config = json_pack("{s:s}", "tokenizer_class", "Qwen2Tokenizer");
    if (pct_hf_vocab_read(&tokenizer, "fuzz", parts[0], sizes[0], parts[1], sizes[1], &extras, &error) == PERCEPT_OK)
        use_tokenizer(tokenizer, (const char *)data, size);
    pct_hf_extras_free(&extras);
    return 0;
}
