/* What a model file says of itself beside structure and weights. */
#include "model/model_private.h"

#include <stdlib.h>
#include <string.h>

/* The card's strings, for copying and freeing alike. */
#define CARD_STRINGS 8
static const char **card_string(pct_model_card *card, int index) {
    const char **strings[CARD_STRINGS] = {&card->name,    &card->version,       &card->description, &card->domain,
                                          &card->licence, &card->data_licences, &card->provenance,  &card->figures};
    return strings[index];
}

const pct_model_card *pct_model_get_card(const pct_model *model) { return &model->card; }

percept_status pct_model_set_card(pct_model *model, const pct_model_card *card, percept_error *error) {
    pct_model_card copy = *card, old = model->card;
    bool failed = false;
    for (int i = 0; i < CARD_STRINGS; i++) {
        const char **string = card_string(&copy, i);
        if (!*string) continue;
        *string = strdup(*string);
        failed |= !*string;
    }
    pct_model_card *drop = failed ? &copy : &old;
    for (int i = 0; i < CARD_STRINGS; i++) free((char *)(uintptr_t)*card_string(drop, i));
    if (failed) return pct_fail_memory(error, "model card");
    model->card = copy;
    return PERCEPT_OK;
}
