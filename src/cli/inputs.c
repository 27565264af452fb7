/* inputs.c: see inputs.h. */
#include "cli/inputs.h"

#include "cli/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Given by the build: where `meson install` puts share/percept, seen from the program's folder, and the source tree. */
#ifndef PCT_CLI_SHARE
#error "PCT_CLI_SHARE is not defined: build with meson"
#endif

void pct_cli_texts_free(pct_cli_texts *texts) {
    for (size_t i = 0; i < texts->count; i++) free(texts->list[i]);
    free(texts->list);
    *texts = (pct_cli_texts){0};
}

static percept_status add_text(pct_cli_texts *texts, const char *text, size_t length, percept_error *error) {
    if (texts->count == texts->capacity) {
        size_t capacity = texts->capacity ? texts->capacity * 2 : 16;
        char **list = realloc(texts->list, capacity * sizeof *list);
        if (!list) return pct_cli_fail(error, PERCEPT_ERROR_RESOURCE, "out of memory");
        texts->list = list;
        texts->capacity = capacity;
    }
    char *copy = strndup(text, length);
    if (!copy) return pct_cli_fail(error, PERCEPT_ERROR_RESOURCE, "out of memory");
    texts->list[texts->count++] = copy;
    return PERCEPT_OK;
}

static percept_status add_line(pct_cli_texts *lines, const char *path, const char *line, size_t length,
                               percept_error *error) {
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) length--;
    if (memchr(line, 0, length)) {
        return pct_cli_fail(error, PERCEPT_ERROR_INPUT, "%s: is not a text file (it holds a zero byte)", path);
    }
    if (strspn(line, " \t") >= length) return PERCEPT_OK;
    return add_text(lines, line, length, error);
}

percept_status pct_cli_fail_read(const char *name, percept_error *error) {
    if (errno == EINTR) return pct_cli_fail(error, PERCEPT_ERROR_INTERRUPTED, "interrupted");
    return pct_cli_fail(error, PERCEPT_ERROR_INPUT, "%s: cannot be read: %s", name, strerror(errno));
}

percept_status pct_cli_read_lines(const char *path, pct_cli_texts *lines, percept_error *error) {
    bool standard_input = strcmp(path, "-") == 0;
    const char *name = standard_input ? "standard input" : path;
    struct stat status_of;
    if (!standard_input && stat(path, &status_of) == 0 && S_ISDIR(status_of.st_mode)) {
        return pct_cli_fail(error, PERCEPT_ERROR_INPUT, "%s: is a folder; give a text file", name);
    }
    FILE *file = standard_input ? stdin : fopen(path, "rb");
    if (!file) return pct_cli_fail_read(name, error);
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    percept_status status = PERCEPT_OK;
    while (status == PERCEPT_OK && (length = getline(&line, &capacity, file)) >= 0) {
        status = add_line(lines, name, line, (size_t)length, error);
    }
    if (status == PERCEPT_OK && ferror(file)) status = pct_cli_fail_read(name, error);
    if (status == PERCEPT_OK && lines->count == 0) {
        status = pct_cli_fail(error, PERCEPT_ERROR_INPUT, "%s: holds no line; put one entry on each", name);
    }
    free(line);
    if (!standard_input) fclose(file);
    return status;
}

percept_status pct_cli_pictures(const pct_cli_line *line, size_t from, size_t to, bool taken, pct_cli_texts *pictures,
                                percept_error *error) {
    for (size_t i = from; i < to; i++) {
        const char *argument = line->arguments[i];
        percept_status status;
        if (argument[0] == '@' && argument[1]) {
            pct_cli_texts names = {0};
            if (strcmp(argument, "@-") == 0 && taken) {
                return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "standard input is asked for twice; name a file");
            }
            taken = taken || strcmp(argument, "@-") == 0;
            status = pct_cli_read_lines(argument + 1, &names, error);
            for (size_t k = 0; k < names.count && status == PERCEPT_OK; k++) {
                status = add_text(pictures, names.list[k], strlen(names.list[k]), error);
            }
            pct_cli_texts_free(&names);
        } else {
            status = add_text(pictures, argument, strlen(argument), error);
        }
        if (status != PERCEPT_OK) return status;
    }
    for (size_t i = 0; i < pictures->count; i++) {
        if (strcmp(pictures->list[i], "-") != 0) continue;
        if (taken) return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "standard input is asked for twice; name a file");
        taken = true;
    }
    return PERCEPT_OK;
}

/* ---- regions ------------------------------------------------------------------------------------------------------
 */

static percept_status read_box(const char *text, percept_box *box, percept_error *error) {
    float values[4];
    const char *at = text;
    for (int i = 0; i < 4; i++) {
        char *end;
        values[i] = strtof(at, &end);
        bool good = end != at && *end == (i < 3 ? ',' : 0) && values[i] - values[i] == 0.0f;
        if (!good) {
            return pct_cli_fail(error, PERCEPT_ERROR_USAGE,
                                "--box: \"%.60s\" is not x0,y0,x1,y1 in pixels, such as "
                                "10,20,110,220",
                                text);
        }
        at = end + 1;
    }
    *box = (percept_box){values[0], values[1], values[2], values[3]};
    return PERCEPT_OK;
}

percept_status pct_cli_regions(const pct_cli_settings *settings, percept_region *regions, percept_error *error) {
    for (size_t i = 0; i < settings->region_count; i++) {
        const pct_cli_region *given = &settings->regions[i];
        percept_region *region = &regions[i];
        *region = (percept_region){0};
        percept_status status;
        if (given->is_mask) {
            unsigned char *mask = NULL;
            status = percept_mask_read(given->text, &mask, &region->mask_width, &region->mask_height, error);
            region->mask = mask;
        } else {
            status = read_box(given->text, &region->box, error);
        }
        if (status != PERCEPT_OK) {
            pct_cli_regions_free(regions, i);
            return status;
        }
    }
    return PERCEPT_OK;
}

void pct_cli_regions_free(percept_region *regions, size_t count) {
    for (size_t i = 0; i < count; i++) {
        percept_free((void *)(uintptr_t)regions[i].mask);
        regions[i].mask = NULL;
    }
}

/* ---- the model ----------------------------------------------------------------------------------------------------
 */

static char *join(const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path) snprintf(path, size, "%s/%s", folder, name);
    return path;
}

/* The folder of the running program; malloc'd, NULL when it is not known. */
static char *program_folder(void) {
    char *path = realpath("/proc/self/exe", NULL);
    char *slash = path ? strrchr(path, '/') : NULL;
    if (slash) *slash = 0;
    return path;
}

/* Gives the first of the two paths (both owned here) that is there; NULL when neither is, with the reason. */
static char *first_readable(char *installed, char *source, const char *what, const char *mend, percept_error *error) {
    char *found = NULL;
    if (installed && access(installed, R_OK) == 0) {
        found = installed;
        installed = NULL;
    } else if (source && access(source, R_OK) == 0) {
        found = source;
        source = NULL;
    } else {
        const char *first = installed ? installed : source, *second = installed ? source : NULL;
        pct_cli_fail(error, PERCEPT_ERROR_INPUT, "no %s: %s%s%s is not there; %s", what, first ? first : "its place",
                     second ? " or " : "", second ? second : "", mend);
    }
    free(installed);
    free(source);
    return found;
}

static percept_status copy_path(const char *path, char **out, percept_error *error) {
    *out = strdup(path);
    return *out ? PERCEPT_OK : pct_cli_fail(error, PERCEPT_ERROR_RESOURCE, "out of memory");
}

/* PROGRAM's folder / SHARE / name; NULL when it cannot be known. */
static char *installed_path(const char *name) {
    char *program = program_folder();
    char *share = program ? join(program, PCT_CLI_SHARE) : NULL;
    char *path = share ? join(share, name) : NULL;
    free(share);
    free(program);
    return path;
}

percept_status pct_cli_model_path(const pct_cli_settings *settings, char **out, percept_error *error) {
    if (settings->model) return copy_path(settings->model, out, error);
    *out = first_readable(installed_path("models/percept-nano.gguf"), join(PCT_CLI_SOURCE, "models/percept-nano.gguf"),
                          "model", "name one with -m", error);
    return *out ? PERCEPT_OK : error->status;
}

percept_status pct_cli_pack_path(const pct_cli_settings *settings, char **out, percept_error *error) {
    if (settings->pack) return copy_path(settings->pack, out, error);
    *out = first_readable(NULL, join(PCT_CLI_SOURCE, "assets/scenes.pack"), "pack of cut-outs",
                          "make one with ./dev data, or name one with --pack", error);
    return *out ? PERCEPT_OK : error->status;
}

percept_status pct_cli_share_path(const char *name, char **out, percept_error *error) {
    char *source = join(PCT_CLI_SOURCE "/share", name);
    *out = first_readable(installed_path(name), source, name, "install percept with its data", error);
    return *out ? PERCEPT_OK : error->status;
}

percept_status pct_cli_experiment_path(const char *name, char **out, percept_error *error) {
    char inside[300];
    if (strchr(name, '/')) {
        if (copy_path(name, out, error) != PERCEPT_OK) return error->status;
        for (size_t end = strlen(*out); end > 1 && (*out)[end - 1] == '/';) (*out)[--end] = 0;
        return PERCEPT_OK;
    }
    snprintf(inside, sizeof inside, "experiments/%.200s", name);
    *out = first_readable(installed_path(inside), join(PCT_CLI_SOURCE, inside), "experiment of that name",
                          "give a folder with a list.yaml as a path, such as ./mine", error);
    return *out ? PERCEPT_OK : error->status;
}

percept_status pct_cli_open_engine(const pct_cli_settings *settings, percept_engine **engine, percept_error *error) {
    percept_engine_options options;
    percept_engine_options_init(&options);
    options.threads = (int32_t)settings->threads;
    options.cpu_mask = (uint32_t)settings->cpu_mask;
    options.log = pct_cli_log;
    options.with_hash = settings->json;
    options.cache = (percept_cache)settings->cache;
    options.chat_template = settings->chat_template;
    char *path = NULL;
    percept_status status = pct_cli_model_path(settings, &path, error);
    if (status == PERCEPT_OK) status = percept_engine_open(engine, path, &options, error);
    free(path);
    return status;
}
