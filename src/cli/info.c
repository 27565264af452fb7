/* info.c: `info`: a model's card. */
#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/terminal.h"

#include <stdio.h>
#include <string.h>

static void print_row(const char *name, const char *text) {
    if (!*text) return;
    printf("%-14s", name);
    pct_cli_put(stdout, text);
    putchar('\n');
}

static percept_status print_text(const percept_engine *engine, bool tensors, percept_error *error) {
    percept_model_info info = {.size = sizeof info};
    percept_status status = percept_engine_get_info(engine, &info, error);
    if (status != PERCEPT_OK) return status;
    print_row("name", info.name);
    print_row("version", info.version);
    print_row("description", info.description);
    print_row("tasks", info.tasks);
    print_row("domain", info.domain);
    print_row("licence", info.licence);
    print_row("data", info.data_licences);
    print_row("made by", info.provenance);
    print_row("figures", info.figures);
    print_row("hash", info.hash);
    printf("%-14s%.2f million in %d tensors, %.1f MB when open\n", "parameters", (double)info.parameters * 1e-6,
           info.tensors, (double)info.weight_bytes * 1e-6);
    const bool sees = info.side > 0; /* else a language model alone */
    if (sees) printf("%-14s%d x %d pixels, %d tokens\n", "picture", info.side, info.side, info.image_tokens);
    printf("%-14s%d words, %d tokens of context\n", "language", info.vocabulary, info.context);
    print_row("regions", info.regions);
    print_row("unused", info.unused);
    if (sees)
        printf("%-14s%.2f, %s\n", "threshold", (double)info.threshold,
               info.calibrated ? "scores are calibrated" : "scores are not calibrated");
    for (int32_t i = 0; i < info.tensors && tensors && status == PERCEPT_OK; i++) {
        percept_tensor_info tensor = {.size = sizeof tensor};
        status = percept_engine_get_tensor(engine, i, &tensor, error);
        if (i == 0) putchar('\n');
        pct_cli_put(stdout, tensor.name);
        printf("%*s %-5s", (int)(strlen(tensor.name) < 44 ? 44 - strlen(tensor.name) : 0), "", tensor.type);
        for (int d = 0; d < tensor.rank; d++) printf(d ? " x %lld" : " %lld", (long long)tensor.dim[d]);
        putchar('\n');
    }
    return status;
}

static percept_status print_json(const percept_engine *engine, percept_error *error) {
    char *json = NULL;
    percept_status status = percept_engine_info_json(engine, true, &json, error);
    if (json) puts(json);
    percept_free(json);
    return status;
}

static int run_info(const pct_cli_line *line) {
    pct_cli_settings settings = line->settings;
    percept_error error = {0};
    percept_engine *engine = NULL;
    percept_status status = PERCEPT_OK;
    if (line->argument_count > 1) {
        status = pct_cli_fail(&error, PERCEPT_ERROR_USAGE, "%zu arguments; give one model file", line->argument_count);
    } else if (line->argument_count == 1) {
        settings.model = line->arguments[0];
    }
    if (status == PERCEPT_OK) status = pct_cli_open_engine(&settings, &engine, &error);
    if (status == PERCEPT_OK) {
        status = settings.json ? print_json(engine, &error) : print_text(engine, settings.tensors, &error);
    }
    percept_engine_close(&engine);
    return status == PERCEPT_OK ? PCT_EXIT_DONE : pct_cli_report("info", &error);
}

const pct_cli_command pct_cli_info = {
    .name = "info",
    .arguments = "[FILE]",
    .summary = "a model's card: what it does, what it was trained on, licences, sizes, hash",
    .options = PCT_CLI_BIT(PCT_CLI_MODEL) | PCT_CLI_BIT(PCT_CLI_JSON) | PCT_CLI_BIT(PCT_CLI_TENSORS),
    .run = run_info,
};
