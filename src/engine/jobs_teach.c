/* jobs_teach.c: percept_teach_run: the public form of teach/. */
#include "base/cpu.h"
#include "base/text.h"
#include "engine/options.h"
#include "percept/jobs.h"
#include "teach/run.h"

void percept_teach_options_init(percept_teach_options *options) {
    *options = (percept_teach_options){.size = sizeof *options, .minutes = 10, .cpu_mask = PCT_CPU_ALL};
}

static void forward_log(void *context, enum pct_log_level level, const char *message) {
    const percept_teach_options *options = context;
    options->log(options->log_context, (percept_log_level)level, message);
}

static percept_status check(const percept_teach_options *o, percept_error *error) {
    if (!o->folder || !o->out || !o->model || !o->replay)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%s is not given",
                        !o->folder  ? "folder"
                        : !o->out   ? "out"
                        : !o->model ? "model"
                                    : "replay");
    if (!(o->minutes > 0 && o->minutes <= 10000) || o->steps < 0 || o->steps > 1000000)
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "minutes: %g (0.02 to 10000) or steps: %lld (1 to 1000000, 0 for minutes) is out of range",
                        o->minutes, (long long)o->steps);
    if (o->threads < 0 || o->threads > 512 || o->pictures < 0 || o->pictures > 100000 || o->seed > 9007199254740991u)
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "threads: %d (0 to 512), pictures: %lld (0 to 100000) or seed is out of range", o->threads,
                        (long long)o->pictures);
    return PERCEPT_OK;
}

percept_status percept_teach_run(const percept_teach_options *given, percept_progress_fn *progress, void *context,
                                 char **json, char **table, percept_error *error) {
    percept_teach_options options;
    percept_teach_options_init(&options);
    PCT_TRY(pct_options_take(&options, sizeof options, given, "percept_teach_options", error));
    PCT_TRY(check(&options, error));
    pct_log log = {forward_log, &options};
    const pct_teach_options inner = {.folder = options.folder,
                                     .out = options.out,
                                     .model = options.model,
                                     .replay = options.replay,
                                     .sheet = options.sheet,
                                     .minutes = options.minutes,
                                     .steps = options.steps,
                                     .seed = options.seed,
                                     .resume = options.resume,
                                     .threads = options.threads,
                                     .cpu_mask = options.cpu_mask,
                                     .pictures = options.pictures,
                                     .log = options.log ? &log : NULL};
    pct_text line = {0}, rows = {0};
    percept_status status = pct_teach_run(&inner, progress, context, &line, &rows, error);
    if (status == PERCEPT_OK && json) *json = pct_text_take(&line);
    if (status == PERCEPT_OK && table) *table = pct_text_take(&rows);
    pct_text_free(&line);
    pct_text_free(&rows);
    return status;
}
