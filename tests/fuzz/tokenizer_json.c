/* tokenizer_json.c: a hostile tokenizer.json, then the same bytes as text through it. */
#include "tokenizer/draft.h"
#include "tokenizer_use.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    pct_tokenizer *tokenizer;
    percept_error error = {0};
    if (pct_hf_json_read(&tokenizer, "fuzz", data, size, NULL, &error) == PERCEPT_OK)
        use_tokenizer(tokenizer, (const char *)data, size);
    return 0;
}
