/* convert_config.c: hostile config.json of a checkpoint: numbers out of range, wrong types, sizes that disagree with
 * the weights. The weights and the tokenizer are those of the golden family (argument or default: tests/vectors). */
#include "base/file.h"
#include "convert/convert.h"
#include "formats/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static char folder[] = "/tmp/percept-fuzz-convert-XXXXXX";

static void link_file(const char *name) {
    char from[512], to[128];
    snprintf(from, sizeof from, "%s/mllmseg/%s", VECTORS, name);
    snprintf(to, sizeof to, "%s/%s", folder, name);
    if (symlink(from, to) != 0) abort();
}

static void clear(void) {
    static const char *const names[] = {"model.safetensors", "tokenizer.json", "config.json", "out.gguf"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    static bool made;
    char config[128], out[128];
    percept_error error = {0};
    pct_convert_report report;
    if (!made) {
        made = true;
        if (!mkdtemp(folder)) return 0;
        link_file("model.safetensors");
        link_file("tokenizer.json");
        atexit(clear);
    }
    snprintf(config, sizeof config, "%s/config.json", folder);
    snprintf(out, sizeof out, "%s/out.gguf", folder);
    FILE *file = fopen(config, "wb");
    if (!file) return 0;
    fwrite(data, 1, size, file);
    fclose(file);
    const pct_convert_options options = {.source = folder, .out = out, .type = PCT_F16};
    const percept_status status = pct_convert(&options, NULL, NULL, NULL, &report, &error);
    pct_convert_report_free(&report);
    if (status != PERCEPT_OK && !error.message[0]) abort();
    return 0;
}
