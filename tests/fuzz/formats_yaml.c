/* formats_yaml.c: hostile configs; an accepted one is written and must load again to the same text. */
#include "formats/yaml.h"

#include "base/size.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct options {
    int64_t steps;
    float rate;
    bool ema;
    int mode;
    const char *name;
    pct_config_numbers betas;
    pct_config_texts freeze;
};
static const char *const modes[] = {"f32", "bf16", NULL};
static const pct_config_field fields[] = {
    PCT_CONFIG_INTEGER("a.steps", struct options, steps, -5, 1e15, "1", "steps"),
    PCT_CONFIG_NUMBER("a.b.rate", struct options, rate, -1e30, 1e30, "1", "rate"),
    PCT_CONFIG_NUMBERS("a.b.betas", struct options, betas, 0, 1, "", "betas"),
    PCT_CONFIG_BOOL("ema", struct options, ema, "no", "average"),
    PCT_CONFIG_CHOICE("mode", struct options, mode, modes, "f32", "mode"),
    PCT_CONFIG_TEXT("name", struct options, name, "x", "name"),
    PCT_CONFIG_TEXTS("freeze", struct options, freeze, "", "freeze"),
};

static bool round_trip(const char *data, size_t size, pct_text *out) {
    struct options options = {0};
    pct_config config;
    percept_error error = {0};
    pct_config_init(&config, fields, PCT_COUNT(fields), &options);
    bool good = pct_config_load_memory(&config, "fuzz", data, size, &error) == PERCEPT_OK;
    if (!good && !error.message[0]) abort();
    if (good) pct_config_write(&config, out);
    pct_config_free(&config);
    return good;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    pct_text first = {0}, second = {0};
    if (round_trip((const char *)data, size, &first)) {
        if (!round_trip(first.data, first.length, &second) || strcmp(first.data, second.data) != 0) abort();
    }
    pct_text_free(&first);
    pct_text_free(&second);
    return 0;
}
