/* convert.c: `convert`: other people's checkpoints to one model file. */
#include "cli/command.h"
#include "cli/print.h"
#include "cli/terminal.h"

static int run_convert(const pct_cli_line *line) {
    const pct_cli_settings *s = &line->settings;
    percept_error error = {0};
    char *json = NULL, *table = NULL;
    percept_status status;
    percept_convert_options options;
    percept_convert_options_init(&options);
    options.out = s->out;
    options.family = s->family;
    options.tower = s->tower;
    options.heads = s->heads;
    options.lora = s->lora;
    options.keep_lora = s->keep_lora;
    options.seed = (uint64_t)s->seed;
    options.threads = (int32_t)s->threads;
    if (s->type) options.type = s->type;
    if (line->argument_count != 1) {
        status = pct_cli_fail(&error, PERCEPT_ERROR_USAGE, "%zu arguments; give the checkpoint's folder",
                              line->argument_count);
    } else if (!s->out) {
        status = pct_cli_fail(&error, PERCEPT_ERROR_USAGE, "no file is named; give -o FILE.gguf");
    } else {
        options.source = line->arguments[0];
        status = percept_convert_run(&options, pct_cli_progress, NULL, s->json ? &json : NULL, s->json ? NULL : &table,
                                     &error);
    }
    pct_cli_progress_end();
    pct_cli_print_report(json, table);
    return status == PERCEPT_OK ? PCT_EXIT_DONE : pct_cli_report("convert", &error);
}

const pct_cli_command pct_cli_convert = {
    .name = "convert",
    .arguments = "DIR -o FILE",
    .summary = "other people's checkpoints to one model file",
    .details =
        "DIR holds config.json, the tokenizer and the weights, as they are published. A language model becomes a\n"
        "file that llama.cpp reads too; perceptiongpt is joined from a LLaMA folder and --tower; mllmseg is one\n"
        "folder.",
    .options = PCT_CLI_BIT(PCT_CLI_OUT) | PCT_CLI_BIT(PCT_CLI_TYPE) | PCT_CLI_BIT(PCT_CLI_FAMILY) |
               PCT_CLI_BIT(PCT_CLI_TOWER) | PCT_CLI_BIT(PCT_CLI_HEADS) | PCT_CLI_BIT(PCT_CLI_LORA) |
               PCT_CLI_BIT(PCT_CLI_KEEP_LORA) | PCT_CLI_BIT(PCT_CLI_SEED) | PCT_CLI_BIT(PCT_CLI_JSON),
    .computes = true,
    .run = run_convert,
};
