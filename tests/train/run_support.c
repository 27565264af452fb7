/* run_support.c: see run_support.h. */
#include "run_support.h"

#include "../unit/scene_support.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/size.h"
#include "train/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char run_folder[] = "/tmp/percept-train-XXXXXX";
static char *cutouts;

void run_set(struct run *run, const char *format, ...) {
    va_list args;
    va_start(args, format);
    assert_true(run->count < RUN_SETTINGS);
    vsnprintf(run->texts[run->count], sizeof run->texts[0], format, args);
    run->settings[run->count] = run->texts[run->count];
    run->count++;
    va_end(args);
}

struct run *run_tiny(const char *out, int steps) {
    static const char *const fixed[] = {"model.image.side=64",
                                        "model.vision.stem_width=16",
                                        "model.vision.stem_blocks=0",
                                        "model.vision.width=32",
                                        "model.vision.layers=1",
                                        "model.vision.heads=2",
                                        "model.vision.mlp=32",
                                        "model.language.width=32",
                                        "model.language.layers=1",
                                        "model.language.heads=2",
                                        "model.language.kv_heads=1",
                                        "model.language.mlp=32",
                                        "model.language.context=256",
                                        "model.language.vocabulary=400",
                                        "model.heads.box_width=16",
                                        "model.heads.mask_width=16",
                                        "model.heads.mask_heads=1",
                                        "model.heads.mask_layers=1",
                                        "model.heads.mask_mlp=16",
                                        "model.heads.mask_queries=1",
                                        "model.heads.mask_encoder_side=32",
                                        "model.heads.mask_encoder_width=4",
                                        "data.generated=1",
                                        "data.questions=4",
                                        "data.names=8",
                                        "schedule.batch=3",
                                        "schedule.warmup=2",
                                        "run.calibrate=0",
                                        "run.test=0",
                                        "run.validate_every=0",
                                        "run.log_every=2"};
    struct run *run = calloc(1, sizeof *run);
    for (size_t i = 0; i < PCT_COUNT(fixed); i++) run_set(run, "%s", fixed[i]);
    run_set(run, "run.out=%s/%s", run_folder, out);
    run_set(run, "data.cutouts=%s", cutouts);
    run_set(run, "schedule.steps=%d", steps);
    return run;
}

struct stopper {
    int64_t at, seen;
};
static bool stop_at(void *context, const percept_progress *progress) {
    struct stopper *stopper = context;
    if (strcmp(progress->stage, "train") != 0) return false;
    stopper->seen = progress->done;
    return stopper->at && progress->done >= stopper->at;
}

percept_status run_go(struct run *run, bool resume, int64_t stop, int64_t guard_after, percept_error *error) {
    struct stopper stopper = {.at = stop};
    pct_train_options options = {.settings = run->settings,
                                 .setting_count = run->count,
                                 .resume = resume,
                                 .threads = 2,
                                 .cpu_mask = 0xffffffffu,
                                 .guard_after = guard_after};
    if (guard_after)
        options.cpu_mask = PCT_CPU_AVX2 | PCT_CPU_AVX512; /* oneDNN takes memory in its calls: without it */
    *error = (percept_error){0};
    percept_status status = pct_train_run(&options, stop_at, &stopper, NULL, error);
    if (status != error->status) print_error("status %d, message %s\n", status, error->message);
    return status;
}

static void path_of(char path[300], const char *out, const char *name) {
    snprintf(path, 300, "%s/%s/%s", run_folder, out, name);
}

bool run_has(const char *out, const char *name) {
    char path[300];
    path_of(path, out, name);
    return pct_file_exists(path);
}

char *run_read(const char *out, const char *name, size_t *size) {
    char path[300], *data;
    path_of(path, out, name);
    percept_error error = {0};
    if (pct_file_read(path, (size_t)1 << 28, &data, size, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    return data;
}

pct_gguf *run_open(const char *out, const char *name) {
    char path[300];
    pct_gguf *file = NULL;
    percept_error error = {0};
    path_of(path, out, name);
    if (pct_gguf_open(&file, path, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    return file;
}

void run_assert_same_files(const char *a, const char *b, const char *name) {
    size_t sizes[2];
    char *data[2] = {run_read(a, name, &sizes[0]), run_read(b, name, &sizes[1])};
    assert_int_equal(sizes[0], sizes[1]);
    /* The config in it names its own folder: everything else is the same bytes. */
    char one[300], two[300];
    snprintf(one, sizeof one, "%s/%s", run_folder, a);
    snprintf(two, sizeof two, "%s/%s", run_folder, b);
    assert_int_equal(strlen(one), strlen(two));
    const size_t length = strlen(one);
    size_t hash = 0; /* of that text: where its eight bytes begin */
    for (size_t i = 0; i < sizes[0]; i++) {
        if (i + length <= sizes[0] && memcmp(data[0] + i, one, length) == 0 && memcmp(data[1] + i, two, length) == 0)
            i += length;
        if (i >= sizes[0] || data[0][i] == data[1][i] || (hash && i < hash + 8)) continue;
        if (hash) fail_msg("%s of %s and %s: byte %zu of %zu differs", name, a, b, i, sizes[0]);
        hash = i;
    }
    free(data[0]);
    free(data[1]);
}

int run_group_open(void **state) {
    (void)state;
    cutouts = scene_folder_make(false);
    return cutouts && mkdtemp(run_folder) ? 0 : -1;
}

int run_group_close(void **state) {
    (void)state;
    scene_folder_remove(&cutouts);
    char **runs, **names, path[600];
    size_t run_count, count;
    if (pct_directory_list(run_folder, &runs, &run_count, NULL) != PERCEPT_OK) return -1;
    for (size_t r = 0; r < run_count; r++) {
        snprintf(path, sizeof path, "%s/%s", run_folder, runs[r]);
        if (pct_directory_list(path, &names, &count, NULL) != PERCEPT_OK) continue;
        for (size_t i = 0; i < count; i++) {
            snprintf(path, sizeof path, "%s/%s/%s", run_folder, runs[r], names[i]);
            unlink(path);
        }
        free(names);
        snprintf(path, sizeof path, "%s/%s", run_folder, runs[r]);
        rmdir(path);
    }
    free(runs);
    rmdir(run_folder);
    return 0;
}
