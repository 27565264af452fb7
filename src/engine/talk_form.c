/* talk_form.c: see talk_form.h. */
#include "engine/talk_form.h"

#include <string.h>

/* What the families' own templates put first where nobody says anything else. */
static const struct {
    const char *name; /* in the model's name, lower case */
    const char *system;
} systems[] = {
    {"smollm2", "You are a helpful AI assistant named SmolLM, trained by Hugging Face"},
    {"qwen2.5", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."},
    {"qwen2", "You are a helpful assistant."},
};

percept_status pct_talk_form_init(pct_talk_form *form, const pct_model *model, percept_error *error) {
    const pct_tokenizer *tokenizer = pct_model_get_tokenizer(model);
    *form = (pct_talk_form){.tokenizer = tokenizer,
                            .begin = pct_tokenizer_special(tokenizer, "<|im_start|>"),
                            .end = pct_tokenizer_special(tokenizer, "<|im_end|>")};
    if (form->begin < 0 || form->end < 0)
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "the model knows no form of talk that percept has (ChatML); it can complete and score text");
    const char *name = pct_model_get_card(model)->name;
    for (size_t i = 0; name && i < sizeof systems / sizeof *systems && !form->system; i++)
        if (strcasestr(name, systems[i].name)) form->system = systems[i].system;
    return PERCEPT_OK;
}

/* Mark, role, words, mark, line end; the text between marks is cut into tokens as one. */
static percept_status add_message(const pct_talk_form *form, pct_token_scratch *scratch, const char *role,
                                  const char *words, pct_ids *ids, percept_error *error) {
    pct_text text = {0};
    pct_text_puts(&text, role);
    pct_text_puts(&text, "\n");
    pct_text_puts(&text, words);
    percept_status status = text.failed ? pct_fail_memory(error, "question") : pct_ids_add(ids, form->begin, error);
    if (status == PERCEPT_OK)
        status = pct_tokenizer_encode(form->tokenizer, scratch, text.data, text.length, 0, ids, error);
    pct_text_free(&text);
    return status;
}

percept_status pct_talk_form_end(const pct_talk_form *form, pct_token_scratch *scratch, pct_ids *ids,
                                 percept_error *error) {
    PCT_TRY(pct_ids_add(ids, form->end, error));
    return pct_tokenizer_encode(form->tokenizer, scratch, "\n", 1, 0, ids, error);
}

percept_status pct_talk_form_ask(const pct_talk_form *form, pct_token_scratch *scratch, bool first, const char *words,
                                 pct_ids *ids, percept_error *error) {
    const int32_t bos = pct_tokenizer_bos(form->tokenizer);
    if (first && pct_tokenizer_adds_bos(form->tokenizer) && bos >= 0 && bos != form->begin)
        PCT_TRY(pct_ids_add(ids, bos, error));
    if (first && form->system) {
        PCT_TRY(add_message(form, scratch, "system", form->system, ids, error));
        PCT_TRY(pct_talk_form_end(form, scratch, ids, error));
    }
    PCT_TRY(add_message(form, scratch, "user", words, ids, error));
    PCT_TRY(pct_talk_form_end(form, scratch, ids, error));
    return add_message(form, scratch, "assistant", "", ids, error);
}
