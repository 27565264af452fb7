/* scenes.c: `scenes`: composed pictures with questions, as a data set folder. */
#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/terminal.h"

#include <stdlib.h>

static percept_status compose(const pct_cli_settings *s, percept_error *error) {
    if (!s->out) return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "no folder is named; give -o DIR");
    if (s->objects_min > s->objects_max) {
        return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "--objects-min %lld is above --objects-max %lld",
                            (long long)s->objects_min, (long long)s->objects_max);
    }
    char *pack = NULL;
    percept_status status = s->cutouts && !s->pack ? PERCEPT_OK : pct_cli_pack_path(s, &pack, error);
    if (status != PERCEPT_OK) return status;
    percept_scenes_options options;
    percept_scenes_options_init(&options);
    options.out = s->out;
    options.split = s->split;
    options.count = s->count;
    options.seed = (uint64_t)s->seed;
    options.width = (int32_t)s->width;
    options.height = (int32_t)s->height;
    options.questions = (int32_t)s->picture_questions;
    options.objects_min = (int32_t)s->objects_min;
    options.objects_max = (int32_t)s->objects_max;
    options.pack = pack;
    options.cutouts = s->cutouts;
    options.backgrounds = s->backgrounds;
    options.threads = (int32_t)s->threads;
    status = percept_scenes_run(&options, pct_cli_progress, NULL, error);
    free(pack);
    return status;
}

static percept_status prepare(const pct_cli_settings *s, percept_error *error) {
    char *lists = NULL;
    percept_status status = pct_cli_share_path("scenes", &lists, error);
    if (status != PERCEPT_OK) return status;
    percept_prepare_options options;
    percept_prepare_options_init(&options);
    options.assets = s->prepare;
    options.lists = lists;
    options.pack = s->out;
    options.threads = (int32_t)s->threads;
    options.log = pct_cli_log;
    status = percept_scenes_prepare(&options, pct_cli_progress, NULL, error);
    free(lists);
    return status;
}

static int run_scenes(const pct_cli_line *line) {
    const pct_cli_settings *s = &line->settings;
    percept_error error = {0};
    percept_status status;
    if (line->argument_count) {
        status = pct_cli_fail(&error, PERCEPT_ERROR_USAGE, "\"%.60s\": scenes takes no arguments", line->arguments[0]);
    } else if (s->prepare) {
        status = prepare(s, &error);
    } else {
        status = compose(s, &error);
    }
    pct_cli_progress_end();
    return status == PERCEPT_OK ? PCT_EXIT_DONE : pct_cli_report("scenes", &error);
}

const pct_cli_command pct_cli_scenes = {
    .name = "scenes",
    .arguments = "-o DIR",
    .summary = "composes training and test pictures with questions from cut-outs",
    .details = "The same options and seed give the same data set. --prepare ASSETS makes the pack of cut-outs and\n"
               "nothing else (-o names it; else ASSETS/scenes.pack).",
    .options = PCT_CLI_BIT(PCT_CLI_OUT) | PCT_CLI_BIT(PCT_CLI_SPLIT) | PCT_CLI_BIT(PCT_CLI_COUNT) |
               PCT_CLI_BIT(PCT_CLI_SEED) | PCT_CLI_BIT(PCT_CLI_WIDTH) | PCT_CLI_BIT(PCT_CLI_HEIGHT) |
               PCT_CLI_BIT(PCT_CLI_PICTURE_QUESTIONS) | PCT_CLI_BIT(PCT_CLI_OBJECTS_MIN) |
               PCT_CLI_BIT(PCT_CLI_OBJECTS_MAX) | PCT_CLI_BIT(PCT_CLI_PACK) | PCT_CLI_BIT(PCT_CLI_CUTOUTS) |
               PCT_CLI_BIT(PCT_CLI_BACKGROUNDS) | PCT_CLI_BIT(PCT_CLI_PREPARE),
    .computes = true,
    .run = run_scenes,
};
