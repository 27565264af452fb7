/* info.c: what a model says of itself: structs and one JSON line. */
#include "engine/engine_private.h"

#include "formats/json.h"

#include <stdlib.h>
#include <string.h>

static const char *or_empty(const char *text) { return text ? text : ""; }

static const char tasks_text[] =
    "refer to a thing in words and get its region; all things of a name; absent things; name a region; box to mask; "
    "count; relations; describe the picture with regions; short dialogues";

static const char refer_text[] = "find the region that a phrase names; ask for one in a sentence; absent by threshold";

static const char words_text[] = "complete text; chat in words; score text (perplexity); no pictures";

static const char *regions_text(const pct_model_config *config) {
    static const char *const names[] = {"token", "text", "both"};
    return config->kind == PCT_MODEL_LANGUAGE ? "" : names[config->language.regions];
}

static void fill_info(const percept_engine *engine, percept_model_info *info) {
    const pct_model_card *card = pct_model_get_card(engine->model);
    const pct_model_config *config = pct_model_get_config(engine->model);
    *info = (percept_model_info){
        .size = sizeof *info,
        .name = or_empty(card->name),
        .version = or_empty(card->version),
        .description = or_empty(card->description),
        .tasks = config->kind == PCT_MODEL_LANGUAGE    ? words_text
                 : config->heads.kind == PCT_HEADS_RES ? refer_text
                                                       : tasks_text,
        .domain = or_empty(card->domain),
        .licence = or_empty(card->licence),
        .data_licences = or_empty(card->data_licences),
        .provenance = or_empty(card->provenance),
        .figures = or_empty(card->figures),
        .hash = pct_fingerprint_text(engine->fingerprint),
        .parameters = engine->parameter_count,
        .weight_bytes = engine->weight_bytes,
        .side = config->image.side,
        .image_tokens = engine->image_tokens,
        .vocabulary = config->language.vocabulary,
        .context = config->language.context,
        .threshold = card->threshold,
        .calibrated = card->calibration.fitted,
        .regions = regions_text(config),
        .unused = pct_model_get_unused(engine->model),
        .tensors = (int32_t)pct_model_get_parameters(engine->model)->count,
    };
}

/* Structs that the library fills: an older caller's smaller one gets as much as it has room for. */
static percept_status give(void *into, size_t size, const void *from, size_t known, const char *what,
                           percept_error *error) {
    if (size < sizeof size || size > known) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%s: size is %zu, this library knows 8 to %zu; set it to sizeof",
                        what, size, known);
    }
    memcpy(into, from, size);
    memcpy(into, &size, sizeof size);
    return PERCEPT_OK;
}

percept_status percept_engine_get_info(const percept_engine *engine, percept_model_info *info, percept_error *error) {
    percept_model_info whole;
    fill_info(engine, &whole);
    return give(info, info->size, &whole, sizeof whole, "percept_model_info", error);
}

bool percept_engine_sees(const percept_engine *engine) {
    return pct_model_get_config(engine->model)->kind == PCT_MODEL_JOINED;
}

/* A family that is made to speak begins each answer by itself. */
bool percept_engine_converses(const percept_engine *engine) {
    return !percept_engine_sees(engine) || !engine->template.style->begun_end;
}

static void fill_tensor(const percept_engine *engine, int32_t index, percept_tensor_info *info) {
    const pct_parameter *parameter = pct_model_get_parameters(engine->model)->list[index];
    const pct_tensor *tensor = &parameter->tensor;
    size_t row = 0;
    pct_dtype_row_bytes(tensor->type, pct_tensor_width(tensor), &row);
    *info = (percept_tensor_info){
        .size = sizeof *info,
        .name = parameter->name,
        .type = pct_dtype_name(tensor->type),
        .rank = tensor->rank,
        .bytes = pct_tensor_rows(tensor) * (int64_t)row,
    };
    for (int d = 0; d < tensor->rank; d++) info->dim[d] = tensor->dim[d];
}

percept_status percept_engine_get_tensor(const percept_engine *engine, int32_t index, percept_tensor_info *tensor,
                                         percept_error *error) {
    int32_t count = (int32_t)pct_model_get_parameters(engine->model)->count;
    if (index < 0 || index >= count) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "tensor %d: the model has 0 to %d", index, count - 1);
    }
    percept_tensor_info whole;
    fill_tensor(engine, index, &whole);
    return give(tensor, tensor->size, &whole, sizeof whole, "percept_tensor_info", error);
}

static void add_text_key(pct_text *text, const char *key, const char *value) {
    pct_text_printf(text, ", \"%s\": ", key);
    pct_json_add_text(text, value);
}

static void add_tensors(const percept_engine *engine, int32_t count, pct_text *text) {
    pct_text_puts(text, ", \"tensors\": [");
    for (int32_t i = 0; i < count; i++) {
        percept_tensor_info tensor;
        fill_tensor(engine, i, &tensor);
        pct_text_puts(text, i ? ", {\"name\": " : "{\"name\": ");
        pct_json_add_text(text, tensor.name);
        pct_text_printf(text, ", \"type\": \"%s\", \"shape\": [", tensor.type);
        for (int d = 0; d < tensor.rank; d++) pct_text_printf(text, d ? ", %lld" : "%lld", (long long)tensor.dim[d]);
        pct_text_printf(text, "], \"bytes\": %lld}", (long long)tensor.bytes);
    }
    pct_text_puts(text, "]");
}

percept_status percept_engine_info_json(const percept_engine *engine, bool tensors, char **json, percept_error *error) {
    percept_model_info info;
    fill_info(engine, &info);
    pct_text text = {0};
    pct_text_puts(&text, "{\"schema\": 1, \"name\": ");
    pct_json_add_text(&text, info.name);
    add_text_key(&text, "version", info.version);
    add_text_key(&text, "description", info.description);
    add_text_key(&text, "tasks", info.tasks);
    add_text_key(&text, "domain", info.domain);
    add_text_key(&text, "licence", info.licence);
    add_text_key(&text, "data_licences", info.data_licences);
    add_text_key(&text, "provenance", info.provenance);
    add_text_key(&text, "figures", info.figures);
    add_text_key(&text, "hash", info.hash);
    pct_text_printf(&text,
                    ", \"parameters\": %lld, \"weight_bytes\": %lld, \"side\": %d, \"image_tokens\": %d, "
                    "\"vocabulary\": %d, \"context\": %d, \"threshold\": ",
                    (long long)info.parameters, (long long)info.weight_bytes, info.side, info.image_tokens,
                    info.vocabulary, info.context);
    pct_text_number(&text, (double)info.threshold);
    if (info.regions[0]) add_text_key(&text, "regions", info.regions);
    if (info.unused[0]) add_text_key(&text, "unused", info.unused);
    pct_text_printf(&text, ", \"calibrated\": %s", info.calibrated ? "true" : "false");
    if (tensors) add_tensors(engine, info.tensors, &text);
    pct_text_puts(&text, "}");
    char *line = pct_text_take(&text);
    if (!line) return pct_fail_memory(error, "model card");
    *json = line;
    return PERCEPT_OK;
}
