/* tokenize.c: see percept/tokenizer.h. */
#include "percept/tokenizer.h"

#include "tokenizer/tokenizer.h"

#include <stdlib.h>

struct percept_tokenizer {
    pct_tokenizer *tokenizer;
    pct_token_scratch scratch;
};

percept_status percept_tokenizer_open(percept_tokenizer **out, const char *path, percept_error *error) {
    if (!path) return pct_fail(error, PERCEPT_ERROR_USAGE, "no tokenizer is named; give a file or folder");
    percept_tokenizer *made = calloc(1, sizeof *made);
    if (!made) return pct_fail_memory(error, "tokenizer");
    percept_status status = pct_tokenizer_open(&made->tokenizer, path, error);
    if (status == PERCEPT_OK)
        *out = made;
    else
        percept_tokenizer_close(&made);
    return status;
}

void percept_tokenizer_close(percept_tokenizer **tokenizer) {
    if (!tokenizer || !*tokenizer) return;
    pct_token_scratch_free(&(*tokenizer)->scratch);
    pct_tokenizer_destroy(&(*tokenizer)->tokenizer);
    free(*tokenizer);
    *tokenizer = NULL;
}

percept_status percept_tokenizer_encode(percept_tokenizer *tokenizer, const char *text, size_t length, unsigned flags,
                                        int32_t **ids, size_t *count, percept_error *error) {
    pct_ids list = {0};
    unsigned inside = 0;
    if (flags & PERCEPT_TOKENIZE_SPECIAL) inside |= PCT_TOKENIZE_SPECIAL;
    if (flags & PERCEPT_TOKENIZE_BOS) inside |= PCT_TOKENIZE_BOS;
    if (flags & PERCEPT_TOKENIZE_EOS) inside |= PCT_TOKENIZE_EOS;
    percept_status status = pct_ids_reserve(&list, 1, error); /* so that no ids are a pointer too */
    if (status == PERCEPT_OK)
        status = pct_tokenizer_encode(tokenizer->tokenizer, &tokenizer->scratch, text, length, inside, &list, error);
    if (status != PERCEPT_OK) {
        pct_ids_free(&list);
        return status;
    }
    *ids = list.data;
    *count = list.count;
    return PERCEPT_OK;
}

percept_status percept_tokenizer_decode(percept_tokenizer *tokenizer, const int32_t *ids, size_t count, int special,
                                        char **text, size_t *length, percept_error *error) {
    pct_text out = {0};
    pct_tokenizer_decode(tokenizer->tokenizer, ids, count, special != 0, &out);
    pct_text_add(&out, "", 0); /* so that no text is a pointer too */
    if (out.failed || !out.data) {
        pct_text_free(&out);
        return pct_fail_memory(error, "text");
    }
    *text = out.data;
    *length = out.length;
    return PERCEPT_OK;
}

int32_t percept_tokenizer_size(const percept_tokenizer *tokenizer) { return pct_tokenizer_size(tokenizer->tokenizer); }
