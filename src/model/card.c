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

/* ---- in files -----------------------------------------------------------------------------------------------------
 */

static const char *const card_keys[CARD_STRINGS] = {"general.name",       "general.version", "general.description",
                                                    "percept.domain",     "general.license", "percept.data_licences",
                                                    "percept.provenance", "percept.figures"};

void pct_model_card_write(const pct_model_card *card, pct_gguf_writer *writer) {
    pct_model_card copy = *card;
    for (int i = 0; i < CARD_STRINGS; i++) {
        const char *string = *card_string(&copy, i);
        if (string) pct_gguf_set_string(writer, card_keys[i], string);
    }
    pct_gguf_set_f32(writer, "percept.threshold", card->threshold);
    const pct_calibration *c = &card->calibration;
    if (c->fitted)
        pct_gguf_set_array(writer, "percept.calibration", PCT_GGUF_F32, 3, (float[]){c->quality, c->token, c->offset});
}

percept_status pct_model_card_read(pct_model *model, const pct_gguf *file, percept_error *error) {
    pct_model_card card = {0};
    for (int i = 0; i < CARD_STRINGS; i++)
        PCT_TRY(pct_gguf_get_string_or(file, card_keys[i], NULL, card_string(&card, i), error));
    PCT_TRY(pct_gguf_get_f32_or(file, "percept.threshold", 0, 1, 0, &card.threshold, error));
    if (pct_gguf_has(file, "percept.calibration")) {
        float values[3];
        PCT_TRY(pct_gguf_get_floats(file, "percept.calibration", 3, values, error));
        card.calibration = (pct_calibration){true, values[0], values[1], values[2]};
    }
    return pct_model_set_card(model, &card, error);
}
