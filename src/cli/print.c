/* print.c: see print.h. */
#include "cli/print.h"

#include "cli/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

percept_status pct_cli_make_folder(const char *path, percept_error *error) {
    struct stat found;
    if (mkdir(path, 0777) == 0) return PERCEPT_OK;
    int reason = errno;
    if (reason == EEXIST && stat(path, &found) == 0 && S_ISDIR(found.st_mode)) return PERCEPT_OK;
    return pct_cli_fail(error, PERCEPT_ERROR_RESOURCE, "%s: the folder cannot be made: %s", path, strerror(reason));
}

void pct_cli_print_objects(const percept_answer *answer) {
    for (size_t i = 0; i < percept_answer_object_count(answer); i++) {
        const percept_object *object = percept_answer_object(answer, i);
        pct_cli_put(stdout, object->phrase ? object->phrase : "region");
        printf("  %.1f,%.1f\xe2\x80\x93%.1f,%.1f  %.2f\n", (double)object->box.x0, (double)object->box.y0,
               (double)object->box.x1, (double)object->box.y1, (double)object->score);
    }
}

void pct_cli_warn_finish(const percept_answer *answer) {
    const char *image = percept_answer_image(answer), *question = percept_answer_question(answer);
    switch (percept_answer_finish(answer)) {
    case PERCEPT_FINISH_STOP:
        return;
    case PERCEPT_FINISH_LENGTH:
        pct_cli_warn("%s: \"%.60s\": the answer is cut after %d tokens (see --max-tokens)", image, question,
                     percept_answer_usage(answer).answer_tokens);
        return;
    case PERCEPT_FINISH_TIME:
        pct_cli_warn("%s: \"%.60s\": the answer is cut by --time-limit after %d tokens", image, question,
                     percept_answer_usage(answer).answer_tokens);
        return;
    case PERCEPT_FINISH_UNPARSABLE:
        pct_cli_warn("%s: \"%.60s\": %s", image, question, percept_answer_flaw(answer));
        return;
    }
}

static void print_timings(const percept_answer *answer) {
    percept_timings t = percept_answer_timings(answer);
    pct_cli_put(stderr, percept_answer_image(answer));
    fprintf(stderr, ": load %.1f ms, decode_image %.1f, encode_image %.1f, prefill %.1f, generate %.1f, masks %.1f\n",
            t.load, t.decode_image, t.encode_image, t.prefill, t.generate, t.masks);
}

percept_status pct_cli_print_answer(const percept_answer *answer, const pct_cli_settings *settings, bool heads,
                                    percept_error *error) {
    if (settings->json) {
        percept_json_options options;
        percept_json_options_init(&options);
        options.masks = (percept_mask_format)settings->mask_format;
        options.timings = settings->timings;
        char *line = NULL;
        percept_status status = percept_answer_json(answer, &options, &line, error);
        if (status != PERCEPT_OK) return status;
        puts(line);
        percept_free(line);
    } else {
        if (heads) {
            pct_cli_put(stdout, percept_answer_image(answer));
            fputs(": ", stdout);
            pct_cli_put(stdout, percept_answer_question(answer));
            putchar('\n');
        }
        pct_cli_put(stdout, percept_answer_text(answer));
        putchar('\n');
        pct_cli_print_objects(answer);
        if (settings->timings) print_timings(answer);
    }
    pct_cli_warn_finish(answer);
    return PERCEPT_OK;
}

void pct_cli_print_report(char *json, char *table) {
    if (json) puts(json);
    if (table) fputs(table, stdout);
    percept_free(json);
    percept_free(table);
}
