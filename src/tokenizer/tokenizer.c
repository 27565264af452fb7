/* tokenizer.c: ids, text of tokens, decoding; see tokenizer.h. Encoding is in encode.c. */
#include "tokenizer/tokenizer.h"

#include "formats/utf8.h"
#include "tokenizer/bpe_private.h"

#include <stdlib.h>
#include <string.h>

percept_status pct_ids_reserve(pct_ids *ids, size_t capacity, percept_error *error) {
    if (capacity <= ids->capacity) return PERCEPT_OK;
    int32_t *larger = capacity > SIZE_MAX / 8 ? NULL : realloc(ids->data, capacity * sizeof *larger);
    if (!larger) return pct_fail_memory(error, "token ids");
    ids->data = larger;
    ids->capacity = capacity;
    return PERCEPT_OK;
}

percept_status pct_ids_add(pct_ids *ids, int32_t id, percept_error *error) {
    if (ids->count == ids->capacity) PCT_TRY(pct_ids_reserve(ids, ids->capacity ? ids->capacity * 2 : 64, error));
    ids->data[ids->count++] = id;
    return PERCEPT_OK;
}

void pct_ids_free(pct_ids *ids) {
    free(ids->data);
    *ids = (pct_ids){0};
}

void pct_token_scratch_free(pct_token_scratch *scratch) {
    if (scratch->bpe) {
        pcre2_match_data_free(scratch->bpe->match);
        free(scratch->bpe->symbols);
        free(scratch->bpe->heap);
        pct_text_free(&scratch->bpe->text);
        pct_text_free(&scratch->bpe->normal);
        free(scratch->bpe->codes);
        free(scratch->bpe);
    }
    *scratch = (pct_token_scratch){0};
}

int32_t pct_tokenizer_size(const pct_tokenizer *tokenizer) { return tokenizer->size; }
int32_t pct_tokenizer_bos(const pct_tokenizer *tokenizer) { return tokenizer->bos; }
int32_t pct_tokenizer_eos(const pct_tokenizer *tokenizer) { return tokenizer->eos; }
int32_t pct_tokenizer_pad(const pct_tokenizer *tokenizer) { return tokenizer->pad; }
bool pct_tokenizer_adds_bos(const pct_tokenizer *tokenizer) { return tokenizer->add_bos; }
const char *pct_tokenizer_pattern(const pct_tokenizer *tokenizer) {
    return tokenizer->splitter ? tokenizer->splitter->name : "default";
}

const char *pct_tokenizer_chat_template(const pct_tokenizer *tokenizer) { return tokenizer->chat_template; }

const char *pct_tokenizer_text(const pct_tokenizer *tokenizer, int32_t id, size_t *length) {
    *length = 0;
    if (id < 0 || id >= tokenizer->size) return NULL;
    *length = tokenizer->offsets[id + 1] - tokenizer->offsets[id] - 1;
    return tokenizer->blob + tokenizer->offsets[id];
}

bool pct_tokenizer_is_special(const pct_tokenizer *tokenizer, int32_t id) {
    return id >= 0 && id < tokenizer->size &&
           (tokenizer->kinds[id] == PCT_TOKEN_CONTROL || tokenizer->kinds[id] == PCT_TOKEN_UNKNOWN);
}

int32_t pct_tokenizer_special(const pct_tokenizer *tokenizer, const char *text) {
    int32_t low = 0, high = tokenizer->added_count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        int order = strcmp(text, tokenizer->blob + tokenizer->offsets[tokenizer->added[middle]]);
        if (order == 0) return tokenizer->added[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

void pct_tokenizer_decode(const pct_tokenizer *tokenizer, const int32_t *ids, size_t count, bool show_special,
                          pct_text *out) {
    bool prefixed = tokenizer->prefix != PCT_PREFIX_NEVER; /* the blank that encoding puts first */
    for (size_t i = 0; i < count; i++) {
        size_t length;
        const char *text = pct_tokenizer_text(tokenizer, ids[i], &length);
        const bool special = pct_tokenizer_is_special(tokenizer, ids[i]);
        if (!text || (special && !show_special)) continue;
        const size_t skip = prefixed && !special && length > 0 && text[0] == ' ';
        pct_text_add(out, text + skip, length - skip);
        prefixed = prefixed && special;
    }
}

static const char replacement[] = "\xef\xbf\xbd";

/* Takes one byte; puts out every character that is whole, and U+FFFD for each byte that can no longer belong to one. */
static void stream_byte(pct_token_stream *stream, char byte, pct_text *out) {
    stream->pending[stream->count++] = byte;
    while (stream->count) {
        uint32_t code;
        size_t have = (size_t)stream->count;
        int size = pct_utf8_read(stream->pending, have, &code);
        if (!size && pct_utf8_partial(stream->pending, have)) return;
        if (size)
            pct_text_add(out, stream->pending, (size_t)size);
        else
            pct_text_add(out, replacement, 3);
        int used = size ? size : 1;
        memmove(stream->pending, stream->pending + used, have - (size_t)used);
        stream->count -= used;
    }
}

void pct_token_stream_add(pct_token_stream *stream, const pct_tokenizer *tokenizer, int32_t id, bool show_special,
                          pct_text *out) {
    size_t length;
    const char *text = pct_tokenizer_text(tokenizer, id, &length);
    if (!text || (!show_special && pct_tokenizer_is_special(tokenizer, id))) return;
    for (size_t i = 0; i < length; i++) stream_byte(stream, text[i], out);
}

void pct_token_stream_end(pct_token_stream *stream, pct_text *out) {
    for (; stream->count; stream->count--) pct_text_add(out, replacement, 3);
}
