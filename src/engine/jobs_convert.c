/* jobs_convert.c: percept_convert_run: other people's checkpoints to a model file; percept_quantize_run: a file's
 * weights in another type. */
#include "base/text.h"
#include "convert/convert.h"
#include "convert/quantise.h"
#include "engine/options.h"
#include "formats/json.h"
#include "model/stored.h"
#include "percept/jobs.h"

#include <string.h>

#define TYPES "f32, f16, bf16, q8_0, q6_k, q5_k, q4_k, q5_1, q5_0, q4_1, q4_0"

void percept_quantize_options_init(percept_quantize_options *options) {
    *options = (percept_quantize_options){.size = sizeof *options, .type = "q8_0"};
}

static percept_status read_type(const char *name, pct_dtype *type, percept_error *error) {
    if (name && pct_dtype_from_name(name, type)) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_USAGE, "type: \"%.40s\" is not one of " TYPES, name ? name : "");
}

/* "tensors of each type": {"q8_0": 80, ...}, the names as --type takes them. */
static void types_json(pct_text *out, const int64_t *of_type) {
    pct_text_puts(out, "\"types\": {");
    for (int i = 0, first = 1; i < PCT_DTYPE_COUNT; i++) {
        if (!of_type[i]) continue;
        pct_text_puts(out, first ? "" : ", ");
        pct_json_add_text(out, pct_dtype_name((pct_dtype)i));
        pct_text_printf(out, ": %lld", (long long)of_type[i]);
        first = 0;
    }
    pct_text_puts(out, "}");
}

static void types_table(pct_text *out, const int64_t *of_type) {
    for (int i = 0; i < PCT_DTYPE_COUNT; i++)
        if (of_type[i])
            pct_text_printf(out, "  %-6s %lld tensors\n", pct_dtype_name((pct_dtype)i), (long long)of_type[i]);
}

/* The report's two forms go to the caller, as far as they are wanted; both texts are freed. */
static percept_status hand_over(pct_text *line, pct_text *rows, char **json, char **table, percept_status status,
                                percept_error *error) {
    if (status == PERCEPT_OK && (line->failed || rows->failed)) status = pct_fail_memory(error, "report");
    if (status == PERCEPT_OK && json) *json = pct_text_take(line);
    if (status == PERCEPT_OK && table) *table = pct_text_take(rows);
    pct_text_free(line);
    pct_text_free(rows);
    return status;
}

static void quantize_reports(const percept_quantize_options *o, const pct_quantise_report *r, pct_text *json,
                             pct_text *table) {
    pct_text_puts(json, "{\"out\": ");
    pct_json_add_text(json, o->out);
    pct_text_printf(json, ", \"tensors\": %lld, \"changed\": %lld, \"bytes_before\": %zu, \"bytes_after\": %zu, ",
                    (long long)r->tensors, (long long)r->changed, r->bytes_before, r->bytes_after);
    types_json(json, r->of_type);
    pct_text_puts(json, ", \"worst_error\": ");
    pct_text_number(json, r->worst);
    pct_text_puts(json, ", \"worst_tensor\": ");
    pct_json_add_text(json, r->changed ? r->worst_name : NULL);
    pct_text_puts(json, "}");
    pct_text_printf(table, "%s: %.1f MB -> %.1f MB, %lld of %lld tensors changed\n", o->out,
                    (double)r->bytes_before / 1e6, (double)r->bytes_after / 1e6, (long long)r->changed,
                    (long long)r->tensors);
    types_table(table, r->of_type);
    if (r->changed) pct_text_printf(table, "  largest relative error %.2g, in %s\n", r->worst, r->worst_name);
}

percept_status percept_quantize_run(const percept_quantize_options *given, percept_progress_fn *progress, void *context,
                                    char **json, char **table, percept_error *error) {
    percept_quantize_options options;
    percept_quantize_options_init(&options);
    PCT_TRY(pct_options_take(&options, sizeof options, given, "percept_quantize_options", error));
    if (!options.model || !options.out)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%s is not given", options.model ? "out" : "model");
    pct_dtype type;
    pct_pool *pool = NULL;
    pct_quantise_report report;
    PCT_TRY(read_type(options.type, &type, error));
    PCT_TRY(pct_pool_create(&pool, options.threads, error));
    percept_status status =
        pct_quantise_file(options.model, options.out, type, pool, progress, context, &report, error);
    pct_pool_destroy(&pool);
    pct_text line = {0}, rows = {0};
    if (status == PERCEPT_OK) quantize_reports(&options, &report, &line, &rows);
    return hand_over(&line, &rows, json, table, status, error);
}

/* ---- convert ---------------------------------------------------------------------------------------------------- */

void percept_convert_options_init(percept_convert_options *options) {
    *options = (percept_convert_options){.size = sizeof *options, .type = "q8_0"};
}

/* "a, b, c" as a JSON array. */
static void names_json(pct_text *out, const char *key, const pct_text *names) {
    pct_text_printf(out, ", \"%s\": [", key);
    for (const char *at = names->length ? names->data : NULL; at;) {
        const char *end = strstr(at, ", ");
        pct_json_add_string(out, at, end ? (size_t)(end - at) : strlen(at));
        at = end ? end + 2 : NULL;
        if (at) pct_text_puts(out, ", ");
    }
    pct_text_puts(out, "]");
}

static void names_table(pct_text *out, const char *what, int64_t count, const pct_text *names) {
    enum { most = 400 };
    if (!count) return;
    pct_text_printf(out, "  %s: %lld: %.*s%s\n", what, (long long)count, most, names->length ? names->data : "",
                    names->length > most ? " ... (--json names all)" : "");
}

static void convert_reports(const percept_convert_options *o, const pct_convert_report *r, pct_text *json,
                            pct_text *table) {
    pct_text_puts(json, "{\"out\": ");
    pct_json_add_text(json, o->out);
    pct_text_printf(json, ", \"tensors\": %lld, \"bytes\": %zu, \"used\": %lld, \"adapted\": %lld, \"ignored\": %lld, ",
                    (long long)r->written, r->bytes, (long long)r->used, (long long)r->adapted, (long long)r->ignored);
    types_json(json, r->of_type);
    names_json(json, "unused", &r->unused_names);
    names_json(json, "fresh", &r->fresh_names);
    pct_text_puts(json, "}");
    pct_text_printf(table, "%s: %.1f MB, %lld tensors from %lld of the checkpoint's\n", o->out, (double)r->bytes / 1e6,
                    (long long)r->written, (long long)r->used);
    types_table(table, r->of_type);
    if (r->adapted) pct_text_printf(table, "  LoRA added to %lld weights\n", (long long)r->adapted);
    names_table(table, "made at random, to be trained", r->fresh, &r->fresh_names);
    names_table(table, "not used", r->unused, &r->unused_names);
}

percept_status percept_convert_run(const percept_convert_options *given, percept_progress_fn *progress, void *context,
                                   char **json, char **table, percept_error *error) {
    percept_convert_options options;
    percept_convert_options_init(&options);
    PCT_TRY(pct_options_take(&options, sizeof options, given, "percept_convert_options", error));
    if (!options.source || !options.out)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%s is not given", options.source ? "out" : "source");
    pct_convert_options how = {.source = options.source,
                               .out = options.out,
                               .family = options.family,
                               .tower = options.tower,
                               .heads = options.heads,
                               .lora = options.lora,
                               .keep_lora = options.keep_lora,
                               .seed = options.seed};
    pct_pool *pool = NULL;
    pct_convert_report report;
    PCT_TRY(read_type(options.type, &how.type, error));
    PCT_TRY(pct_pool_create(&pool, options.threads, error));
    percept_status status = pct_convert(&how, pool, progress, context, &report, error);
    pct_pool_destroy(&pool);
    pct_text line = {0}, rows = {0};
    if (status == PERCEPT_OK) convert_reports(&options, &report, &line, &rows);
    pct_convert_report_free(&report);
    return hand_over(&line, &rows, json, table, status, error);
}
