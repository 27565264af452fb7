/* export.c: see export.h. */
#include "engine/export.h"

#include "engine/options.h"
#include "engine/slug.h"

#include <stdlib.h>
#include <string.h>

static const char *const format_names[] = {"coco", "coco-results", "yolo-seg", "labelme"};

bool percept_export_format_from_text(const char *text, percept_export_format *format) {
    for (size_t i = 0; i < sizeof format_names / sizeof *format_names; i++) {
        if (strcmp(text, format_names[i]) != 0) continue;
        *format = (percept_export_format)i;
        return true;
    }
    return false;
}

void percept_export_options_init(percept_export_options *options) {
    *options = (percept_export_options){.size = sizeof *options};
}

const char *pct_export_label(const percept_answer *answer, size_t index) {
    const char *phrase = answer->objects[index].phrase;
    return phrase ? phrase : answer->question;
}

size_t pct_export_category(const pct_export *job, const char *label) {
    for (size_t i = 0; i < job->category_count; i++) {
        if (strcmp(job->categories[i], label) == 0) return i;
    }
    return job->category_count;
}

/* The number that a picture's name is ("000000000139.jpg"), or -1. */
static int64_t number_of(const pct_picture *picture) {
    const char *part = pct_last_part(picture->name);
    size_t digits = strspn(part, "0123456789");
    if (digits == 0 || digits > 18 || (part[digits] && part[digits] != '.')) return -1;
    return strtoll(part, NULL, 10);
}

static void number_pictures(pct_export *job) {
    bool named = true;
    for (size_t i = 0; i < job->picture_count && named; i++) {
        job->picture_ids[i] = number_of(job->pictures[i]);
        named = job->picture_ids[i] >= 0;
        for (size_t k = 0; k < i && named; k++) named = job->picture_ids[k] != job->picture_ids[i];
    }
    for (size_t i = 0; i < job->picture_count && !named; i++) job->picture_ids[i] = (int64_t)i + 1;
}

static void gather(pct_export *job) {
    for (size_t a = 0; a < job->count; a++) {
        const percept_answer *answer = job->answers[a];
        /* answers come picture by picture, so the last one is nearly always it */
        size_t p = job->picture_count;
        while (p > 0 && job->pictures[p - 1] != answer->picture) p--;
        if (p == 0) {
            job->pictures[job->picture_count++] = answer->picture;
            p = job->picture_count;
        }
        job->picture_of[a] = p - 1;
        for (size_t i = 0; i < answer->object_count; i++) {
            const char *label = pct_export_label(answer, i);
            if (pct_export_category(job, label) == job->category_count) job->categories[job->category_count++] = label;
        }
    }
    number_pictures(job);
}

percept_status pct_export_stems(const pct_export *job, char ***out, percept_error *error) {
    char **stems = calloc(job->picture_count + 1, sizeof *stems);
    if (!stems) return pct_fail_memory(error, "file names");
    for (size_t i = 0; i < job->picture_count; i++) {
        char *stem = pct_stem(job->pictures[i]->name);
        for (size_t k = 0; stem && k < i; k++) {
            if (strcmp(stems[k], stem) != 0) continue;
            pct_text text = {0};
            pct_text_printf(&text, "%s-%zu", stem, i + 1);
            free(stem);
            stem = pct_text_take(&text);
            k = (size_t)-1; /* the new name is compared with all again */
        }
        stems[i] = stem;
        if (!stem) {
            pct_export_free_stems(job, stems);
            return pct_fail_memory(error, "file names");
        }
    }
    *out = stems;
    return PERCEPT_OK;
}

void pct_export_free_stems(const pct_export *job, char **stems) {
    for (size_t i = 0; stems && i < job->picture_count; i++) free(stems[i]);
    free(stems);
}

static percept_status write_format(const pct_export *job, percept_export_format format, const char *path,
                                   percept_error *error) {
    switch (format) {
    case PERCEPT_EXPORT_COCO:
        return pct_export_coco(job, path, error);
    case PERCEPT_EXPORT_COCO_RESULTS:
        return pct_export_coco_results(job, path, error);
    case PERCEPT_EXPORT_YOLO_SEG:
        return pct_export_yolo_seg(job, path, error);
    case PERCEPT_EXPORT_LABELME:
        return pct_export_labelme(job, path, error);
    }
    return pct_fail(error, PERCEPT_ERROR_USAGE, "export format %d is not known", (int)format);
}

percept_status percept_answer_export(const percept_answer *const *answers, size_t count, percept_export_format format,
                                     const char *path, const percept_export_options *given, percept_error *error) {
    percept_export_options options;
    percept_export_options_init(&options);
    PCT_TRY(pct_options_take(&options, sizeof options, given, "percept_export_options", error));
    if (!path) return pct_fail(error, PERCEPT_ERROR_USAGE, "export: no file or folder is named");
    size_t objects = 0;
    for (size_t a = 0; a < count; a++) objects += answers[a]->object_count;
    pct_arena arena;
    pct_arena_init(&arena, 0);
    pct_export job = {
        .answers = answers,
        .count = count,
        .masks = options.masks,
        .pictures = pct_arena_take_zeroed(&arena, count + 1, sizeof *job.pictures),
        .picture_ids = pct_arena_take_zeroed(&arena, count + 1, sizeof *job.picture_ids),
        .picture_of = pct_arena_take_zeroed(&arena, count + 1, sizeof *job.picture_of),
        .categories = pct_arena_take_zeroed(&arena, objects + 1, sizeof *job.categories),
    };
    percept_status status;
    if (!job.pictures || !job.picture_ids || !job.picture_of || !job.categories) {
        status = pct_fail_memory(error, "export");
    } else {
        gather(&job);
        status = write_format(&job, format, path, error);
    }
    pct_arena_free(&arena);
    return status;
}
