/* tokenizer_use.h: what the fuzz targets of tokenizers do with one that could be loaded: the input as text through it,
 * there and back. */
#ifndef TOKENIZER_USE_H
#define TOKENIZER_USE_H

#include "tokenizer/chat.h"

#include <stdlib.h>

static inline void use_tokenizer(pct_tokenizer *tokenizer, const char *text, size_t length) {
    pct_token_scratch scratch = {0};
    pct_token_stream stream = {0};
    pct_ids ids = {0};
    pct_text out = {0};
    percept_error error = {0};
    pct_chat chat;
    const pct_chat_turn turn = {PCT_CHAT_USER, "a <b>\n", true};
    pct_tokenizer_encode(tokenizer, &scratch, text, length, 0, &ids, &error);
    pct_tokenizer_encode(tokenizer, &scratch, text, length, 7, &ids, &error);
    if (pct_chat_init(&chat, "chatml", tokenizer, &error) == PERCEPT_OK)
        pct_chat_render(&chat, &scratch, &turn, 1, true, &ids, &error);
    for (size_t i = 0; i < ids.count; i++) {
        if (ids.data[i] < 0 || ids.data[i] >= pct_tokenizer_size(tokenizer)) abort();
        pct_token_stream_add(&stream, tokenizer, ids.data[i], true, &out);
    }
    pct_token_stream_end(&stream, &out);
    pct_tokenizer_decode(tokenizer, ids.data, ids.count, false, &out);
    pct_text_free(&out);
    pct_ids_free(&ids);
    pct_token_scratch_free(&scratch);
    pct_tokenizer_destroy(&tokenizer);
}

#endif
