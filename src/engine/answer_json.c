/* answer_json.c: an answer as the one line of JSON that docs/interface.md lays down, byte for byte the same each time.
 */
#include "engine/answer_json.h"

#include "engine/engine_private.h"
#include "engine/options.h"
#include "formats/json.h"
#include "image/polygon.h"

#include <math.h>
#include <string.h>

void percept_json_options_init(percept_json_options *options) {
    *options = (percept_json_options){.size = sizeof *options};
}

void pct_json_add_fixed(pct_text *text, double value, int decimals) {
    if (!isfinite(value)) value = 0.0;
    double unit = decimals == 1 ? 10.0 : 1000.0;
    double steps = rint(value * unit);
    int64_t whole = (int64_t)(fabs(steps) / unit);
    int64_t rest = (int64_t)fabs(steps) % (int64_t)unit;
    pct_text_printf(text, "%s%lld.%0*lld", steps < 0 ? "-" : "", (long long)whole, decimals, (long long)rest);
}

void pct_json_add_score(pct_text *text, float score) { pct_text_number(text, rint((double)score * 1e4) / 1e4); }

percept_status pct_json_add_polygons(pct_text *text, const pct_mask *mask, percept_error *error) {
    pct_polygon polygon = {0};
    PCT_TRY(pct_polygon_from_mask(&polygon, mask, error));
    pct_text_puts(text, "[");
    for (size_t r = 0; r < polygon.count; r++) {
        const pct_ring *ring = &polygon.rings[r];
        pct_text_puts(text, r ? ", [" : "[");
        for (size_t p = 0; p < ring->count * 2; p++) {
            if (p) pct_text_puts(text, ", ");
            pct_text_number(text, (double)ring->points[p]);
        }
        pct_text_puts(text, "]");
    }
    pct_text_puts(text, "]");
    pct_polygon_free(&polygon);
    return PERCEPT_OK;
}

static percept_status add_mask(pct_text *text, const percept_answer *answer, size_t index, percept_mask_format format,
                               percept_error *error) {
    const percept_object *object = &answer->objects[index];
    if (!object->mask_rle) {
        pct_text_puts(text, "null");
        return PERCEPT_OK;
    }
    pct_text_printf(text, "{\"size\": [%d, %d], ", answer->picture->height, answer->picture->width);
    if (format == PERCEPT_MASK_RLE) {
        pct_text_puts(text, "\"counts\": ");
        pct_json_add_text(text, object->mask_rle);
    } else {
        pct_mask mask = {0};
        pct_text_puts(text, "\"polygons\": ");
        PCT_TRY(pct_answer_mask(answer, index, &mask, error));
        percept_status status = pct_json_add_polygons(text, &mask, error);
        pct_mask_free(&mask);
        if (status != PERCEPT_OK) return status;
    }
    pct_text_puts(text, "}");
    return PERCEPT_OK;
}

static percept_status add_object(pct_text *text, const percept_answer *answer, size_t index, percept_mask_format format,
                                 percept_error *error) {
    const percept_object *object = &answer->objects[index];
    const float box[4] = {object->box.x0, object->box.y0, object->box.x1, object->box.y1};
    pct_text_printf(text, "%s{\"index\": %zu, \"phrase\": ", index ? ", " : "", index);
    pct_json_add_text(text, object->phrase);
    pct_text_puts(text, ", \"box\": [");
    for (int i = 0; i < 4; i++) {
        if (i) pct_text_puts(text, ", ");
        pct_json_add_fixed(text, (double)box[i], 1);
    }
    pct_text_puts(text, "]");
    if (format != PERCEPT_MASK_NONE) {
        pct_text_puts(text, ", \"mask\": ");
        PCT_TRY(add_mask(text, answer, index, format, error));
    }
    pct_text_puts(text, ", \"score\": ");
    pct_json_add_score(text, object->score);
    pct_text_puts(text, "}");
    return PERCEPT_OK;
}

static void add_timings(pct_text *text, const percept_timings *timings) {
    const struct {
        const char *name;
        double value;
    } rows[] = {
        {"load", timings->load},       {"decode_image", timings->decode_image}, {"encode_image", timings->encode_image},
        {"prefill", timings->prefill}, {"generate", timings->generate},         {"masks", timings->masks}};
    pct_text_puts(text, ", \"timings_ms\": {");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pct_text_printf(text, "%s\"%s\": ", i ? ", " : "", rows[i].name);
        pct_json_add_fixed(text, rows[i].value, 3);
    }
    pct_text_puts(text, "}");
}

static percept_status write_all(pct_text *text, const percept_answer *answer, const percept_json_options *options,
                                percept_error *error) {
    pct_text_puts(text, "{\"schema\": 1, \"model\": ");
    pct_json_add_text(text, answer->model_name);
    pct_text_puts(text, ", \"model_hash\": ");
    pct_json_add_text(text, answer->model_hash ? answer->model_hash : pct_fingerprint_text(answer->fingerprint));
    pct_text_puts(text, ", \"image\": ");
    pct_json_add_text(text, answer->picture->name[0] ? answer->picture->name : NULL);
    pct_text_printf(text, ", \"width\": %d, \"height\": %d, \"question\": ", answer->picture->width,
                    answer->picture->height);
    pct_json_add_text(text, answer->question);
    pct_text_puts(text, ", \"answer\": ");
    pct_json_add_text(text, answer->text);
    pct_text_printf(text, ", \"finish\": \"%s\", \"objects\": [", percept_finish_text(answer->finish));
    for (size_t i = 0; i < answer->object_count; i++) PCT_TRY(add_object(text, answer, i, options->masks, error));
    pct_text_printf(text, "], \"dropped\": %d", answer->dropped);
    if (!answer->calibrated && !answer->talk_ids) pct_text_puts(text, ", \"calibrated\": false");
    const percept_usage *usage = &answer->usage;
    pct_text_printf(text, ", \"usage\": {\"image_tokens\": %d, \"prompt_tokens\": %d, \"answer_tokens\": %d}",
                    usage->image_tokens, usage->prompt_tokens, usage->answer_tokens);
    if (options->timings) add_timings(text, &answer->timings);
    pct_text_puts(text, "}");
    return PERCEPT_OK;
}

percept_status percept_answer_json(const percept_answer *answer, const percept_json_options *given, char **json,
                                   percept_error *error) {
    percept_json_options options;
    percept_json_options_init(&options);
    PCT_TRY(pct_options_take(&options, sizeof options, given, "percept_json_options", error));
    pct_text text = {0};
    percept_status status = write_all(&text, answer, &options, error);
    char *line = pct_text_take(&text);
    if (status != PERCEPT_OK || !line) {
        percept_free(line);
        return status != PERCEPT_OK ? status : pct_fail_memory(error, "answer as JSON");
    }
    *json = line;
    return PERCEPT_OK;
}
