/* jobs_convert.c: percept_quantize_run: a model file's weights in another type. */
#include "base/text.h"
#include "convert/quantise.h"
#include "engine/options.h"
#include "formats/json.h"
#include "model/stored.h"
#include "percept/jobs.h"

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
    if (line.failed || rows.failed) status = pct_fail_memory(error, "report");
    if (status == PERCEPT_OK && json) *json = pct_text_take(&line);
    if (status == PERCEPT_OK && table) *table = pct_text_take(&rows);
    pct_text_free(&line);
    pct_text_free(&rows);
    return status;
}
