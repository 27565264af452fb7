/* tokenizer_bpe.c: a vocabulary from a hostile GGUF file, then the same bytes as text through it. */
#include "tokenizer/tokenizer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    unsigned char *aligned = aligned_alloc(8, (size + 8) / 8 * 8);
    if (!aligned) return 0;
    if (size) memcpy(aligned, data, size);
    pct_gguf *file;
    pct_tokenizer *tokenizer;
    percept_error error = {0};
    if (pct_gguf_open_memory(&file, "fuzz", aligned, size, &error) == PERCEPT_OK) {
        percept_status status = pct_tokenizer_load(&tokenizer, file, &error);
        if (status == PERCEPT_OK) {
            pct_token_scratch scratch = {0};
            pct_token_stream stream = {0};
            pct_ids ids = {0};
            pct_text out = {0};
            for (unsigned flags = 0; flags < 8; flags += 7) {
                pct_tokenizer_encode(tokenizer, &scratch, (const char *)data, size, flags, &ids, &error);
            }
            for (size_t i = 0; i < ids.count; i++) {
                if (ids.data[i] < 0 || ids.data[i] >= pct_tokenizer_size(tokenizer)) abort();
                pct_token_stream_add(&stream, tokenizer, ids.data[i], true, &out);
            }
            pct_token_stream_end(&stream, &out);
            pct_text_free(&out);
            pct_ids_free(&ids);
            pct_token_scratch_free(&scratch);
            pct_tokenizer_destroy(&tokenizer);
        }
        pct_gguf_close(&file);
    }
    free(aligned);
    return 0;
}
