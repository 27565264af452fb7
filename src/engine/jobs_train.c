/* jobs_train.c: percept_train_run: the public form of train/. */
#include "base/cpu.h"
#include "base/text.h"
#include "engine/options.h"
#include "percept/jobs.h"
#include "train/run.h"

void percept_train_options_init(percept_train_options *options) {
    *options = (percept_train_options){.size = sizeof *options, .cpu_mask = PCT_CPU_ALL};
}

static void forward_log(void *context, enum pct_log_level level, const char *message) {
    const percept_train_options *options = context;
    options->log(options->log_context, (percept_log_level)level, message);
}

percept_status percept_train_run(const percept_train_options *given, percept_progress_fn *progress, void *context,
                                 percept_error *error) {
    percept_train_options options;
    percept_train_options_init(&options);
    PCT_TRY(pct_options_take(&options, sizeof options, given, "percept_train_options", error));
    if (options.threads < 0 || options.threads > 512) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "threads: %d is out of range; give 1 to 512, or 0 for the config's",
                        options.threads);
    }
    pct_log log = {forward_log, &options};
    pct_train_options inner = {
        .config = options.config,
        .settings = options.settings,
        .setting_count = options.setting_count,
        .resume = options.resume,
        .threads = options.threads,
        .cpu_mask = options.cpu_mask,
        .command = options.command,
        .log = options.log ? &log : NULL,
    };
    return pct_train_run(&inner, progress, context, NULL, error);
}

char *percept_train_keys(void) {
    size_t count;
    const pct_config_field *fields = pct_train_config_fields(&count);
    pct_text text = {0};
    pct_config_describe(fields, count, &text);
    return pct_text_take(&text);
}
