/* tokenize.c: `tokenize`: the ids of a text, or of each line of a file. */
#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/terminal.h"

#include "percept/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static percept_status print_ids(percept_tokenizer *tokenizer, const pct_cli_settings *settings, const char *text,
                                size_t length, percept_error *error) {
    int32_t *ids;
    size_t count;
    const unsigned flags = settings->special ? PERCEPT_TOKENIZE_SPECIAL : 0;
    percept_status status = percept_tokenizer_encode(tokenizer, text, length, flags, &ids, &count, error);
    if (status != PERCEPT_OK) return status;
    if (settings->json) fputs("{\"ids\": [", stdout);
    for (size_t i = 0; i < count; i++) printf(i == 0 ? "%d" : settings->json ? ", %d" : " %d", (int)ids[i]);
    puts(settings->json ? "]}" : "");
    percept_free(ids);
    return PERCEPT_OK;
}

/* Every line without its end, empty ones too: line n of the output is line n of the file. */
static percept_status print_lines(percept_tokenizer *tokenizer, const pct_cli_settings *settings,
                                  percept_error *error) {
    const bool standard_input = strcmp(settings->file, "-") == 0;
    FILE *file = standard_input ? stdin : fopen(settings->file, "rb");
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    percept_status status = PERCEPT_OK;
    if (!file) return pct_cli_fail_read(settings->file, error);
    while (status == PERCEPT_OK && !pct_cli_output_closed() && (length = getline(&line, &capacity, file)) >= 0) {
        if (length > 0 && line[length - 1] == '\n') length--;
        status = print_ids(tokenizer, settings, line, (size_t)length, error);
        if (status == PERCEPT_OK && pct_cli_interrupted())
            status = pct_cli_fail(error, PERCEPT_ERROR_INTERRUPTED, "interrupted");
    }
    if (status == PERCEPT_OK && ferror(file)) status = pct_cli_fail_read(settings->file, error);
    free(line);
    if (!standard_input) fclose(file);
    return status;
}

static int run_tokenize(const pct_cli_line *line) {
    const pct_cli_settings *settings = &line->settings;
    percept_error error = {0};
    percept_tokenizer *tokenizer = NULL;
    char *model = NULL;
    percept_status status = PERCEPT_OK;
    if (line->argument_count != (settings->file ? 0 : 1))
        status = pct_cli_fail(&error, PERCEPT_ERROR_USAGE, "%zu texts; give one text, or -f FILE alone",
                              line->argument_count);
    if (status == PERCEPT_OK) status = pct_cli_model_path(settings, &model, &error);
    if (status == PERCEPT_OK) status = percept_tokenizer_open(&tokenizer, model, &error);
    if (status == PERCEPT_OK)
        status = settings->file
                     ? print_lines(tokenizer, settings, &error)
                     : print_ids(tokenizer, settings, line->arguments[0], strlen(line->arguments[0]), &error);
    percept_tokenizer_close(&tokenizer);
    free(model);
    return status == PERCEPT_OK ? PCT_EXIT_DONE : pct_cli_report("tokenize", &error);
}

const pct_cli_command pct_cli_tokenize = {
    .name = "tokenize",
    .arguments = "[TEXT | -f FILE]",
    .summary = "token ids of a text, or of every line of a file",
    .details = "The tokenizer is that of -m: a percept model, any GGUF with byte-level BPE or SentencePiece, a folder "
               "with\n"
               "tokenizer.json, tokenizer.model or vocab.json and merges.txt, or one of these files. BOS and EOS are "
               "not added.",
    .options = PCT_CLI_BIT(PCT_CLI_MODEL) | PCT_CLI_BIT(PCT_CLI_FILE) | PCT_CLI_BIT(PCT_CLI_SPECIAL) |
               PCT_CLI_BIT(PCT_CLI_JSON),
    .run = run_tokenize,
};
