/* talk_form.h: how turns of talk in words become ids: ChatML, which SmolLM2 and Qwen2 were trained on.
 *
 * What a person writes never becomes a special token. */
#ifndef PCT_ENGINE_TALK_FORM_H
#define PCT_ENGINE_TALK_FORM_H

#include "model/model.h"

typedef struct pct_talk_form {
    const pct_tokenizer *tokenizer; /* borrowed */
    int32_t begin, end;             /* <|im_start|>, <|im_end|> */
    const char *system;             /* what stands before the first turn; NULL: nothing */
} pct_talk_form;

/* MODEL, with what the model can do instead, when its vocabulary lacks the marks of every form known. */
percept_status pct_talk_form_init(pct_talk_form *form, const pct_model *model, percept_error *error);
/* Appends a turn up to where its answer begins; the first of a talk with what stands before it. */
percept_status pct_talk_form_ask(const pct_talk_form *form, pct_token_scratch *scratch, bool first, const char *words,
                                 pct_ids *ids, percept_error *error);
/* Appends what ends an answer. */
percept_status pct_talk_form_end(const pct_talk_form *form, pct_token_scratch *scratch, pct_ids *ids,
                                 percept_error *error);

#endif
