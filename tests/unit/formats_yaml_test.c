/* Configs: defaults, nesting, lists, flags over files, one text for every mistake, and what is written reads back. */
#include "formats/yaml.h"

#include "base/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct options {
    const char *out;
    int precision;
    bool ema;
    struct {
        int64_t steps;
        struct {
            float rate, decay;
            pct_config_numbers betas;
        } optimizer;
        pct_config_texts freeze;
    } train;
    const char *name;
};
static const char *const precisions[] = {"f32", "bf16", "int8", NULL};
static const pct_config_field fields[] = {
    PCT_CONFIG_TEXT("out", struct options, out, NULL, "folder that the run writes"),
    PCT_CONFIG_CHOICE("precision", struct options, precision, precisions, "bf16", "of matrix products"),
    PCT_CONFIG_BOOL("ema", struct options, ema, "false", "keep a moving average"),
    PCT_CONFIG_INTEGER("train.steps", struct options, train.steps, 1, 1e9, "1000", "optimiser steps"),
    PCT_CONFIG_NUMBER("train.optimizer.rate", struct options, train.optimizer.rate, 1e-8, 1, "1e-3", "peak rate"),
    PCT_CONFIG_NUMBER("train.optimizer.decay", struct options, train.optimizer.decay, 0, 1, "0.1", "weight decay"),
    PCT_CONFIG_NUMBERS("train.optimizer.betas", struct options, train.optimizer.betas, 0, 1, "0.9, 0.95", "of Adam"),
    PCT_CONFIG_TEXTS("train.freeze", struct options, train.freeze, "", "parts that are not trained"),
    PCT_CONFIG_TEXT("name", struct options, name, "run", "name of the run"),
};
enum { FIELDS = PCT_COUNT(fields) };

static percept_status load(pct_config *config, struct options *options, const char *text, percept_error *error) {
    memset(options, 0, sizeof *options);
    pct_config_init(config, fields, FIELDS, options);
    return pct_config_load_memory(config, "train.yaml", text, strlen(text), error);
}

static void defaults_without_a_file(void **state) {
    struct options o;
    pct_config config;
    percept_error error = {0};
    const char *const empties[] = {"", "# only a comment\n", "---\n", "~\n", "train:\n"};
    for (size_t i = 0; i < PCT_COUNT(empties); i++) {
        if (load(&config, &o, empties[i], &error)) fail_msg("%s", error.message);
        assert_int_equal(o.precision, 1);
        assert_int_equal(o.train.steps, 1000);
        assert_true(o.train.optimizer.rate == 1e-3f);
        assert_int_equal(o.train.optimizer.betas.count, 2);
        assert_true(o.train.optimizer.betas.values[1] == 0.95f);
        assert_int_equal(o.train.freeze.count, 0);
        assert_string_equal(o.name, "run");
        assert_string_equal(o.out, "");
        assert_int_equal(pct_config_finish(&config, &error), PERCEPT_ERROR_INPUT);
        assert_non_null(strstr(error.message, "key 'out' must be given"));
        pct_config_free(&config);
    }
}

static const char full[] = "# a run\n"
                           "out: \"a b: c\"\n"
                           "precision: int8\n"
                           "ema: yes\n"
                           "train:\n"
                           "  steps: 2e5   # fine\n"
                           "  optimizer:\n"
                           "    rate: 0.002\n"
                           "    betas: [0.8, 0.9, 1]\n"
                           "  freeze:\n"
                           "    - tower\n"
                           "    - 'a, b'\n";

static void nested_file(void **state) {
    struct options o;
    pct_config config;
    percept_error error = {0};
    if (load(&config, &o, full, &error)) fail_msg("%s", error.message);
    assert_string_equal(o.out, "a b: c");
    assert_int_equal(o.precision, 2);
    assert_true(o.ema);
    assert_int_equal(o.train.steps, 200000);
    assert_true(o.train.optimizer.rate == 0.002f);
    assert_true(o.train.optimizer.decay == 0.1f);
    assert_int_equal(o.train.optimizer.betas.count, 3);
    assert_int_equal(o.train.freeze.count, 2);
    assert_string_equal(o.train.freeze.values[1], "a, b");
    assert_int_equal(pct_config_finish(&config, &error), PERCEPT_OK);
    assert_int_equal(config.source[0], PCT_CONFIG_FILE);
    assert_int_equal(config.source[5], PCT_CONFIG_DEFAULT);
    pct_config_free(&config);
}

static void dotted_keys_are_the_same(void **state) {
    struct options o;
    pct_config config;
    percept_error error = {0};
    if (load(&config, &o, "train.steps: 5\ntrain.optimizer: {rate: 0.5}\n", &error)) fail_msg("%s", error.message);
    assert_int_equal(o.train.steps, 5);
    assert_true(o.train.optimizer.rate == 0.5f);
    pct_config_free(&config);
}

static void every_mistake_names_its_line(void **state) {
    const struct {
        const char *text, *message;
    } cases[] = {
        {"ema: no\ntrian:\n  steps: 1\n", "train.yaml:2: unknown key 'trian'"},
        {"train:\n  stesp: 1\n", "train.yaml:2: unknown key 'train.stesp'; did you mean 'train.steps'?"},
        {"rate: 1\n", "train.yaml:1: unknown key 'rate'; did you mean 'train.optimizer.rate'?"},
        {"train:\n  steps: 0\n", "train.yaml:2: key 'train.steps' is '0'; give it an integer from 1 to 1000000000"},
        {"train:\n  steps: 1.5\n", "train.yaml:2: key 'train.steps' is '1.5'; give it an integer from 1 to 1000000000"},
        {"train:\n\n  steps: many\n", "train.yaml:3: key 'train.steps' is 'many'; give it an integer"},
        {"train:\n  steps:\n", "train.yaml:2: key 'train.steps' is without a value; give it an integer"},
        {"train:\n  steps: [1]\n", "train.yaml:2: key 'train.steps' is a list; give it an integer"},
        {"train:\n  steps: {a: 1}\n", "train.yaml:2: key 'train.steps' is a section; give it an integer"},
        {"train: 7\n", "train.yaml:1: 'train' is a section"},
        {"train: [a]\n", "train.yaml:1: 'train' is a section"},
        {"ema: maybe\n", "train.yaml:1: key 'ema' is 'maybe'; give it true or false"},
        {"precision: f64\n", "train.yaml:1: key 'precision' is 'f64'; give it one of f32, bf16, int8"},
        {"train.optimizer.rate: nan\n", "train.yaml:1: key 'train.optimizer.rate' is 'nan'; give it a number from"},
        {"train.optimizer.betas: [0.5, 2]\n",
         "train.yaml:1: key 'train.optimizer.betas' is '2'; give it a list of numbers from 0 to 1"},
        {"train.optimizer.betas: [0.5, [1]]\n", "train.yaml:1: key 'train.optimizer.betas': lists hold single values"},
        {"ema: yes\nout: x\nema: no\n", "train.yaml:3: key 'ema' stands twice, first in line 1"},
        {"ema: &a yes\n", "train.yaml:1: anchors"},
        {"ema: *a\n", "train.yaml:1: "},
        {"ema: !!bool yes\n", "train.yaml:1: tags"},
        {"ema: yes\n---\nema: no\n", "train.yaml:2: a second document"},
        {"- ema\n", "train.yaml:1: a config consists of"},
        {"just words\n", "train.yaml:1: a config consists of"},
        {"ema: yes\n\tout: x\n", "train.yaml:2: not valid YAML"},
        {"out: \"unclosed\n", "train.yaml:2: not valid YAML"},
        {"out: \"a\\0b\"\n", "train.yaml:1: a NUL"},
        {"? [a]\n: 1\n", "train.yaml:1: keys are plain words"},
        {"out: \xff\xfe\n", "train.yaml: not valid YAML at byte"},
    };
    for (size_t i = 0; i < PCT_COUNT(cases); i++) {
        struct options o;
        pct_config config;
        percept_error error = {0};
        assert_int_equal(load(&config, &o, cases[i].text, &error), PERCEPT_ERROR_INPUT);
        if (strncmp(error.message, cases[i].message, strlen(cases[i].message)) != 0) {
            fail_msg("case %zu: '%s' instead of '%s'", i, error.message, cases[i].message);
        }
        assert_null(strchr(error.message, '\n'));
        pct_config_free(&config);
    }
}

static void flags_beat_the_file_with_the_same_checks(void **state) {
    struct options o = {0};
    pct_config config;
    percept_error error = {0};
    pct_config_init(&config, fields, FIELDS, &o);
    assert_int_equal(pct_config_set(&config, "--train.steps=7", &error), PERCEPT_OK); /* before the file */
    if (pct_config_load_memory(&config, "t.yaml", full, sizeof full - 1, &error)) fail_msg("%s", error.message);
    assert_int_equal(pct_config_set(&config, "train.freeze=x , y,z", &error), PERCEPT_OK); /* and after it */
    assert_int_equal(pct_config_set_value(&config, "precision", "f32", &error), PERCEPT_OK);
    assert_int_equal(o.train.steps, 7);
    assert_int_equal(o.train.freeze.count, 3);
    assert_string_equal(o.train.freeze.values[0], "x");
    assert_string_equal(o.train.freeze.values[1], "y");
    assert_int_equal(o.precision, 0);
    assert_true(o.train.optimizer.rate == 0.002f);
    assert_int_equal(config.source[3], PCT_CONFIG_FLAG);
    assert_int_equal(pct_config_set(&config, "train.steps=0", &error), PERCEPT_ERROR_USAGE);
    assert_int_equal(error.status, PERCEPT_ERROR_USAGE);
    assert_string_equal(error.message, "key 'train.steps' is '0'; give it an integer from 1 to 1000000000");
    assert_int_equal(pct_config_set(&config, "steps=1", &error), PERCEPT_ERROR_USAGE);
    assert_string_equal(error.message, "unknown key 'steps'; did you mean 'train.steps'?");
    assert_int_equal(pct_config_set(&config, "steps", &error), PERCEPT_ERROR_USAGE);
    assert_int_equal(pct_config_set(&config, "=1", &error), PERCEPT_ERROR_USAGE);
    assert_int_equal(pct_config_set(&config, "name=\xff", &error), PERCEPT_ERROR_USAGE);
    assert_int_equal(pct_config_set(&config, "name=", &error), PERCEPT_OK);
    assert_string_equal(o.name, "");
    assert_true(pct_config_has(&config, "train.steps=1", 11));
    assert_false(pct_config_has(&config, "train", 5));
    char many[400] = "train.freeze=a";
    for (int i = 0; i < 40; i++) strcat(many, ",a");
    assert_int_equal(pct_config_set(&config, many, &error), PERCEPT_ERROR_USAGE);
    pct_config_free(&config);
}

static void what_is_written_reads_back(void **state) {
    struct options a, b;
    pct_config config, again;
    percept_error error = {0};
    if (load(&config, &a, full, &error)) fail_msg("%s", error.message);
    assert_int_equal(
        pct_config_set(&config, "name=odd \" \\ \n\t\x7f \xc2\x85 \xe2\x80\xa8 \xf0\x9f\x98\x80 #: -", &error),
        PERCEPT_OK);
    assert_int_equal(pct_config_set(&config, "train.optimizer.decay=0.0333333333", &error), PERCEPT_OK);
    pct_text text = {0}, second = {0};
    pct_config_write(&config, &text);
    if (load(&again, &b, text.data, &error)) fail_msg("%s in\n%s", error.message, text.data);
    assert_string_equal(a.name, b.name);
    assert_string_equal(a.out, b.out);
    assert_true(a.train.optimizer.decay == b.train.optimizer.decay);
    assert_true(a.train.optimizer.rate == b.train.optimizer.rate);
    assert_int_equal(b.train.steps, 200000);
    assert_int_equal(b.train.freeze.count, 2);
    assert_string_equal(b.train.freeze.values[1], "a, b");
    pct_config_write(&again, &second);
    assert_string_equal(text.data, second.data);
    assert_non_null(strstr(text.data, "train:\n  steps: 200000\n  optimizer:\n    rate: 0.002\n"));
    pct_text_free(&text);
    pct_text_free(&second);
    pct_config_free(&config);
    pct_config_free(&again);
}

static void help_lists_every_key(void **state) {
    pct_text text = {0};
    pct_config_describe(fields, FIELDS, &text);
    assert_non_null(strstr(text.data, "  out\n      folder that the run writes (a text; must be given)\n"));
    assert_non_null(
        strstr(text.data, "  train.steps\n      optimiser steps (an integer from 1 to 1000000000; default 1000)\n"));
    assert_non_null(strstr(text.data, "(one of f32, bf16, int8; default bf16)"));
    for (int i = 0; i < FIELDS; i++) assert_non_null(strstr(text.data, fields[i].key));
    pct_text_free(&text);
}

static void hostile_files(void **state) {
    struct options o = {0};
    pct_config config;
    percept_error error = {0};
    char *deep = malloc(2 << 20);
    memset(deep, '{', 2 << 20);
    pct_config_init(&config, fields, FIELDS, &o);
    assert_int_equal(pct_config_load_memory(&config, "t", deep, 100000, &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_config_load_memory(&config, "t", deep, 2 << 20, &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, "1 MiB"));
    memset(deep, 'a', 70000); /* a long key */
    memcpy(deep + 70000, ": 1\n", 5);
    assert_int_equal(pct_config_load_memory(&config, "t", deep, 70004, &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_config_load(&config, "/nowhere/x.yaml", &error), PERCEPT_ERROR_INPUT);
    free(deep);
    pct_config_free(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_without_a_file),
        cmocka_unit_test(nested_file),
        cmocka_unit_test(dotted_keys_are_the_same),
        cmocka_unit_test(every_mistake_names_its_line),
        cmocka_unit_test(flags_beat_the_file_with_the_same_checks),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(help_lists_every_key),
        cmocka_unit_test(hostile_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
