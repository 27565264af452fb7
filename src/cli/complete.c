/* complete.c: `complete` goes on with a text, `perplexity` says how well a text is foreseen. */
#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/print.h"
#include "cli/terminal.h"

#include "percept/language.h"

#include <stdio.h>
#include <stdlib.h>

static bool print_piece(void *context, const char *text) {
    (void)context;
    pct_cli_say(text);
    return pct_cli_interrupted() || pct_cli_output_closed();
}

static void warn_cut(const percept_completion *completion) {
    const int tokens = (int)percept_completion_usage(completion).answer_tokens;
    if (percept_completion_finish(completion) == PERCEPT_FINISH_LENGTH)
        pct_cli_warn("the text is cut after %d tokens (see --max-tokens)", tokens);
    else if (percept_completion_finish(completion) == PERCEPT_FINISH_TIME)
        pct_cli_warn("the text is cut by --time-limit after %d tokens", tokens);
}

static percept_status print_completion(const percept_completion *completion, const pct_cli_settings *s,
                                       percept_error *error) {
    const percept_timings t = percept_completion_timings(completion);
    if (s->json) {
        char *line = NULL;
        percept_status status = percept_completion_json(completion, s->timings, &line, error);
        if (status != PERCEPT_OK) return status;
        puts(line);
        percept_free(line);
        return PERCEPT_OK;
    }
    putchar('\n');
    if (s->timings) fprintf(stderr, "load %.1f ms, prefill %.1f, generate %.1f\n", t.load, t.prefill, t.generate);
    return PERCEPT_OK;
}

static percept_status complete(const pct_cli_line *line, const char *model, percept_error *error) {
    const pct_cli_settings *s = &line->settings;
    percept_complete_options options;
    percept_complete_options_init(&options);
    options.prompt = line->arguments[0];
    options.model = model;
    options.max_tokens = s->max_tokens > 0 ? (int32_t)s->max_tokens : PCT_CLI_COMPLETE_TOKENS;
    options.time_limit = s->time_limit;
    options.temperature = (float)s->temperature;
    options.top_k = (int32_t)s->top_k;
    options.top_p = (float)s->top_p;
    options.min_p = (float)s->min_p;
    options.repeat_penalty = (float)s->repeat_penalty;
    options.seed = (uint64_t)s->seed;
    options.logits = s->logits;
    options.threads = (int32_t)s->threads;
    options.cpu_mask = (uint32_t)s->cpu_mask;
    options.cache = (percept_cache)s->cache;
    options.exact = s->exact;
    if (!s->json) options.stream = print_piece;
    percept_completion *completion = NULL;
    percept_status status = percept_complete_run(&options, pct_cli_stopped, NULL, &completion, error);
    if (status == PERCEPT_ERROR_INTERRUPTED && !s->json) putchar('\n');
    if (status != PERCEPT_OK) return status;
    status = print_completion(completion, s, error);
    if (status == PERCEPT_OK) warn_cut(completion);
    percept_completion_free(&completion);
    return status;
}

static int run_complete(const pct_cli_line *line) {
    percept_error error = {0};
    char *model = NULL;
    percept_status status = PERCEPT_OK;
    if (line->argument_count != 1)
        status = pct_cli_fail(&error, PERCEPT_ERROR_USAGE, "%zu prompts; give one, in quotes", line->argument_count);
    if (status == PERCEPT_OK) status = pct_cli_model_path(&line->settings, &model, &error);
    if (status == PERCEPT_OK) status = complete(line, model, &error);
    free(model);
    return status == PERCEPT_OK ? PCT_EXIT_DONE : pct_cli_report("complete", &error);
}

static int run_perplexity(const pct_cli_line *line) {
    percept_error error = {0};
    char *model = NULL, *json = NULL, *table = NULL;
    percept_status status = PERCEPT_OK;
    if (line->argument_count != 1)
        status = pct_cli_fail(&error, PERCEPT_ERROR_USAGE, "%zu files; give one text file", line->argument_count);
    if (status == PERCEPT_OK) status = pct_cli_model_path(&line->settings, &model, &error);
    if (status == PERCEPT_OK) {
        percept_perplexity_options options;
        percept_perplexity_options_init(&options);
        options.model = model;
        options.file = line->arguments[0];
        options.threads = (int32_t)line->settings.threads;
        options.cpu_mask = (uint32_t)line->settings.cpu_mask;
        options.cache = (percept_cache)line->settings.cache;
        options.exact = line->settings.exact;
        status = percept_perplexity_run(&options, pct_cli_progress, NULL, &json, &table, &error);
        pct_cli_progress_end();
    }
    if (status == PERCEPT_OK)
        pct_cli_print_report(line->settings.json ? json : NULL, line->settings.json ? NULL : table);
    if (status == PERCEPT_OK && line->settings.json) percept_free(table);
    if (status == PERCEPT_OK && !line->settings.json) percept_free(json);
    free(model);
    return status == PERCEPT_OK ? PCT_EXIT_DONE : pct_cli_report("perplexity", &error);
}

const pct_cli_command pct_cli_complete = {
    .name = "complete",
    .arguments = "PROMPT",
    .summary = "goes on with a text, with the language model alone",
    .details = "The text is raw: no template; texts of special tokens in it stay text. The model may be a GGUF of "
               "llama.cpp\nwhose architecture is llama or qwen2. Without --max-tokens it stops after 256 tokens.",
    .options = PCT_CLI_BIT(PCT_CLI_MODEL) | PCT_CLI_BIT(PCT_CLI_JSON) | PCT_CLI_BIT(PCT_CLI_TIMINGS) |
               PCT_CLI_BIT(PCT_CLI_MAX_TOKENS) | PCT_CLI_BIT(PCT_CLI_TIME_LIMIT) | PCT_CLI_SAMPLING |
               PCT_CLI_BIT(PCT_CLI_LOGITS) | PCT_CLI_BIT(PCT_CLI_CACHE) | PCT_CLI_BIT(PCT_CLI_EXACT),
    .computes = true,
    .run = run_complete,
};

const pct_cli_command pct_cli_perplexity = {
    .name = "perplexity",
    .arguments = "FILE",
    .summary = "how well the language model foresees a text",
    .details = "Windows of 512 tokens that do not overlap; the second half of each is scored. - is standard input.",
    .options = PCT_CLI_BIT(PCT_CLI_MODEL) | PCT_CLI_BIT(PCT_CLI_JSON) | PCT_CLI_BIT(PCT_CLI_CACHE) |
               PCT_CLI_BIT(PCT_CLI_EXACT),
    .computes = true,
    .run = run_perplexity,
};
