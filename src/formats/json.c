/* json.c: see json.h. */
#include "formats/json.h"

#include "base/file.h"
#include "formats/utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

percept_status pct_json_parse(json_t **out, const char *name, const char *data, size_t size, percept_error *error) {
    json_error_t problem;
    *out = json_loadb(data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &problem);
    if (*out) return PERCEPT_OK;
    if (json_error_code(&problem) == json_error_out_of_memory) return pct_fail_memory(error, name);
    return pct_fail(error, PERCEPT_ERROR_INPUT, "%s:%d:%d: not valid JSON: %s", name,
                    problem.line < 1 ? 1 : problem.line, problem.column < 1 ? 1 : problem.column, problem.text);
}

percept_status pct_json_load(json_t **out, const char *path, size_t limit, percept_error *error) {
    *out = NULL;
    char *data;
    size_t size;
    PCT_TRY(pct_file_read(path, limit, &data, &size, error));
    percept_status status = pct_json_parse(out, path, data, size, error);
    free(data);
    return status;
}

static const char *kind(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "true or false";
    case JSON_NULL:
        break;
    }
    return "null";
}

static percept_status wrong(const char *key, const json_t *value, const char *expected, percept_error *error) {
    if (!value) return pct_fail(error, PERCEPT_ERROR_INPUT, "key '%s': missing; give it %s", key, expected);
    return pct_fail(error, PERCEPT_ERROR_INPUT, "key '%s': is %s; give it %s", key, kind(value), expected);
}

static bool absent(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return !value || json_is_null(value);
}

percept_status pct_json_get_object(const json_t *object, const char *key, json_t **out, percept_error *error) {
    json_t *value = json_object_get(object, key);
    if (!json_is_object(value)) return wrong(key, value, "an object", error);
    *out = value;
    return PERCEPT_OK;
}

percept_status pct_json_get_array(const json_t *object, const char *key, json_t **out, percept_error *error) {
    json_t *value = json_object_get(object, key);
    if (!json_is_array(value)) return wrong(key, value, "an array", error);
    *out = value;
    return PERCEPT_OK;
}

percept_status pct_json_get_string(const json_t *object, const char *key, const char **out, percept_error *error) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) return wrong(key, value, "a string", error);
    *out = json_string_value(value);
    return PERCEPT_OK;
}

percept_status pct_json_get_i64(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *out,
                                percept_error *error) {
    const json_t *value = json_object_get(object, key);
    char expected[96];
    snprintf(expected, sizeof expected, "an integer from %" PRId64 " to %" PRId64, min, max);
    if (!json_is_integer(value)) {
        if (json_is_real(value)) {
            return pct_fail(error, PERCEPT_ERROR_INPUT, "key '%s': is %g; give it %s", key, json_real_value(value),
                            expected);
        }
        return wrong(key, value, expected, error);
    }
    int64_t number = json_integer_value(value);
    if (number < min || number > max) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "key '%s': is %" PRId64 "; give it %s", key, number, expected);
    }
    *out = number;
    return PERCEPT_OK;
}

percept_status pct_json_get_f64(const json_t *object, const char *key, double min, double max, double *out,
                                percept_error *error) {
    const json_t *value = json_object_get(object, key);
    char expected[96];
    snprintf(expected, sizeof expected, "a number from %g to %g", min, max);
    if (!json_is_number(value)) return wrong(key, value, expected, error);
    double number = json_number_value(value);
    if (!(number >= min && number <= max)) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "key '%s': is %g; give it %s", key, number, expected);
    }
    *out = number;
    return PERCEPT_OK;
}

percept_status pct_json_get_bool(const json_t *object, const char *key, bool *out, percept_error *error) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_boolean(value)) return wrong(key, value, "true or false", error);
    *out = json_is_true(value);
    return PERCEPT_OK;
}

percept_status pct_json_get_object_or_null(const json_t *object, const char *key, json_t **out, percept_error *error) {
    *out = NULL;
    return absent(object, key) ? PERCEPT_OK : pct_json_get_object(object, key, out, error);
}

percept_status pct_json_get_array_or_null(const json_t *object, const char *key, json_t **out, percept_error *error) {
    *out = NULL;
    return absent(object, key) ? PERCEPT_OK : pct_json_get_array(object, key, out, error);
}

percept_status pct_json_get_string_or(const json_t *object, const char *key, const char *fallback, const char **out,
                                      percept_error *error) {
    *out = fallback;
    return absent(object, key) ? PERCEPT_OK : pct_json_get_string(object, key, out, error);
}

percept_status pct_json_get_i64_or(const json_t *object, const char *key, int64_t min, int64_t max, int64_t fallback,
                                   int64_t *out, percept_error *error) {
    *out = fallback;
    return absent(object, key) ? PERCEPT_OK : pct_json_get_i64(object, key, min, max, out, error);
}

percept_status pct_json_get_f64_or(const json_t *object, const char *key, double min, double max, double fallback,
                                   double *out, percept_error *error) {
    *out = fallback;
    return absent(object, key) ? PERCEPT_OK : pct_json_get_f64(object, key, min, max, out, error);
}

percept_status pct_json_get_bool_or(const json_t *object, const char *key, bool fallback, bool *out,
                                    percept_error *error) {
    *out = fallback;
    return absent(object, key) ? PERCEPT_OK : pct_json_get_bool(object, key, out, error);
}

percept_status pct_json_refuse_unknown(const json_t *object, const char *const *known, percept_error *error) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        bool found = false;
        for (int i = 0; known[i] && !found; i++) found = strcmp(known[i], key) == 0;
        if (found) continue;
        pct_text list = {0};
        for (int i = 0; known[i]; i++) pct_text_printf(&list, "%s%s", i ? ", " : "", known[i]);
        pct_fail(error, PERCEPT_ERROR_INPUT, "key '%s': unknown; known are %s", key, list.data ? list.data : "none");
        pct_text_free(&list);
        return PERCEPT_ERROR_INPUT;
    }
    return PERCEPT_OK;
}

void pct_json_add_string(pct_text *text, const char *string, size_t length) {
    static const char short_escapes[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    pct_text_add(text, "\"", 1);
    size_t plain = 0; /* start of the run that needs no escape */
    for (size_t i = 0; i < length;) {
        unsigned char c = (unsigned char)string[i];
        uint32_t code;
        int size = pct_utf8_read(string + i, length - i, &code);
        if (size && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            i += (size_t)size;
            continue;
        }
        pct_text_add(text, string + plain, i - plain);
        if (!size) {
            pct_text_puts(text, "\xef\xbf\xbd");
        } else if (c == '"' || c == '\\') {
            pct_text_printf(text, "\\%c", c);
        } else if (c < 0x20 && short_escapes[c]) {
            pct_text_printf(text, "\\%c", short_escapes[c]);
        } else {
            pct_text_printf(text, "\\u%04x", c);
        }
        plain = ++i;
    }
    pct_text_add(text, string + plain, length - plain);
    pct_text_add(text, "\"", 1);
}

void pct_json_add_text(pct_text *text, const char *string) {
    if (string)
        pct_json_add_string(text, string, strlen(string));
    else
        pct_text_puts(text, "null");
}
