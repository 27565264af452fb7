/* yaml_table.c: what a config's values mean, defaults, flags, help and writing back; see yaml.h. */
#include "formats/yaml_private.h"

#include "base/size.h"
#include "formats/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *place(const pct_config *config, const pct_config_field *field) {
    return (char *)config->options + field->offset;
}

bool pct_config_is_list(const pct_config_field *field) {
    return field->type == PCT_CONFIG_TYPE_NUMBERS || field->type == PCT_CONFIG_TYPE_TEXTS;
}

int pct_config_find(const pct_config *config, const char *key, size_t length) {
    for (int i = 0; i < config->count; i++) {
        if (strlen(config->fields[i].key) == length && memcmp(config->fields[i].key, key, length) == 0) return i;
    }
    return -1;
}

bool pct_config_has(const pct_config *config, const char *key, size_t length) {
    return pct_config_find(config, key, length) >= 0;
}

static bool stands_under(const char *key, const char *section, size_t length) {
    return strncmp(key, section, length) == 0 && key[length] == '.';
}

bool pct_config_is_section(const pct_config *config, const char *key, size_t length) {
    for (int i = 0; i < config->count; i++) {
        if (strlen(config->fields[i].key) > length && stands_under(config->fields[i].key, key, length)) return true;
    }
    return false;
}

/* Levenshtein distance, given up at 99 for long words. */
static int distance(const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    int row[96];
    if (n >= PCT_COUNT(row) || m >= PCT_COUNT(row)) return 99;
    for (size_t j = 0; j <= m; j++) row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            int shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < shift ? change : shift;
        }
    }
    return row[m];
}

/* The known key most like this one, its last part counting as much as the whole: "rate" finds "train.rate". */
percept_status pct_config_unknown(const pct_config *config, const char *key, percept_error *error) {
    const char *best = NULL;
    int least = 99;
    for (int i = 0; i < config->count; i++) {
        const char *known = config->fields[i].key, *last = strrchr(known, '.');
        const char *own_last = strrchr(key, '.');
        int whole = distance(key, known);
        int part = distance(own_last ? own_last + 1 : key, last ? last + 1 : known) + 1;
        int here = whole < part ? whole : part;
        if (here < least) {
            least = here;
            best = known;
        }
    }
    if (best && least <= 3 && least < (int)strlen(key)) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "unknown key '%s'; did you mean '%s'?", key, best);
    }
    return pct_fail(error, PERCEPT_ERROR_INPUT, "unknown key '%s'; remove it, or see the list of keys in the help",
                    key);
}

void pct_config_describe_type(const pct_config_field *field, pct_text *out) {
    switch (field->type) {
    case PCT_CONFIG_TYPE_INTEGER:
        pct_text_puts(out, "an integer");
        break;
    case PCT_CONFIG_TYPE_NUMBER:
        pct_text_puts(out, "a number");
        break;
    case PCT_CONFIG_TYPE_NUMBERS:
        pct_text_puts(out, "a list of numbers");
        break;
    case PCT_CONFIG_TYPE_TEXTS:
        pct_text_puts(out, "a list of texts");
        return;
    case PCT_CONFIG_TYPE_BOOL:
        pct_text_puts(out, "true or false");
        return;
    case PCT_CONFIG_TYPE_TEXT:
        pct_text_puts(out, "a text");
        return;
    case PCT_CONFIG_TYPE_CHOICE:
        pct_text_puts(out, "one of");
        for (int i = 0; field->names[i]; i++) pct_text_printf(out, "%s %s", i ? "," : "", field->names[i]);
        return;
    }
    pct_text_puts(out, " from ");
    pct_text_number(out, field->min);
    pct_text_puts(out, " to ");
    pct_text_number(out, field->max);
}

static percept_status wrong(const pct_config_field *field, const char *value, percept_error *error) {
    pct_text type = {0};
    pct_config_describe_type(field, &type);
    percept_status status = pct_fail(error, PERCEPT_ERROR_INPUT, "key '%s' is '%.200s'; give it %s", field->key, value,
                                     type.data ? type.data : "another value");
    pct_text_free(&type);
    return status;
}

static bool parse_number(const pct_config_field *field, const char *value, double *out) {
    return pct_parse_double(value, out) && *out >= field->min && *out <= field->max;
}

/* "2e5" is an integer too. Beyond 2^53 a double does not hold every integer. */
static bool parse_integer(const pct_config_field *field, const char *value, int64_t *out) {
    double number;
    if (!pct_parse_i64(value, out)) {
        if (!pct_parse_double(value, &number) || number != rint(number) || fabs(number) > 9007199254740992.0)
            return false;
        *out = (int64_t)number;
    }
    return (double)*out >= field->min && (double)*out <= field->max;
}

static bool parse_bool(const char *value, bool *out) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < PCT_COUNT(words); i++) {
        if (strcmp(value, words[i]) != 0) continue;
        *out = i & 1;
        return true;
    }
    return false;
}

static percept_status store_item(pct_config *config, const pct_config_field *field, const char *value,
                                 percept_error *error) {
    pct_config_numbers *numbers = place(config, field);
    pct_config_texts *texts = place(config, field);
    bool number = field->type == PCT_CONFIG_TYPE_NUMBERS;
    int *count = number ? &numbers->count : &texts->count;
    if (*count == PCT_CONFIG_MAX_LIST) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "key '%s' has more than %d items", field->key, PCT_CONFIG_MAX_LIST);
    }
    if (number) {
        double parsed;
        if (!parse_number(field, value, &parsed)) return wrong(field, value, error);
        numbers->values[(*count)++] = (float)parsed;
        return PERCEPT_OK;
    }
    texts->values[*count] = pct_arena_text(&config->arena, value, strlen(value));
    if (!texts->values[*count]) return pct_fail_memory(error, field->key);
    ++*count;
    return PERCEPT_OK;
}

void pct_config_clear_list(pct_config *config, int field) {
    void *list = place(config, &config->fields[field]);
    if (config->fields[field].type == PCT_CONFIG_TYPE_NUMBERS)
        ((pct_config_numbers *)list)->count = 0;
    else
        ((pct_config_texts *)list)->count = 0;
}

/* "a, b": blanks round the items do not count. "" is an empty list. */
static percept_status store_list(pct_config *config, int index, const char *value, percept_error *error) {
    pct_config_clear_list(config, index);
    for (const char *at = value; *at || at != value;) {
        size_t length = strcspn(at, ",");
        const char *next = at + length;
        while (length && (*at == ' ' || *at == '\t')) at++, length--;
        while (length && (at[length - 1] == ' ' || at[length - 1] == '\t')) length--;
        char *item = strndup(at, length);
        if (!item) return pct_fail_memory(error, config->fields[index].key);
        percept_status status = store_item(config, &config->fields[index], item, error);
        free(item);
        PCT_TRY(status);
        if (!*next) break;
        at = next + 1;
    }
    return PERCEPT_OK;
}

percept_status pct_config_store(pct_config *config, int index, const char *value, bool append, percept_error *error) {
    const pct_config_field *field = &config->fields[index];
    void *out = place(config, field);
    double number;
    if (!pct_utf8_valid(value, strlen(value))) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "key '%s': the text is not UTF-8", field->key);
    }
    switch (field->type) {
    case PCT_CONFIG_TYPE_INTEGER: {
        int64_t integer;
        if (!parse_integer(field, value, &integer)) return wrong(field, value, error);
        memcpy(out, &integer, sizeof integer);
        return PERCEPT_OK;
    }
    case PCT_CONFIG_TYPE_NUMBER:
        if (!parse_number(field, value, &number)) return wrong(field, value, error);
        *(float *)out = (float)number;
        return PERCEPT_OK;
    case PCT_CONFIG_TYPE_BOOL:
        return parse_bool(value, out) ? PERCEPT_OK : wrong(field, value, error);
    case PCT_CONFIG_TYPE_TEXT: {
        char *copy = pct_arena_text(&config->arena, value, strlen(value));
        if (!copy) return pct_fail_memory(error, field->key);
        *(const char **)out = copy;
        return PERCEPT_OK;
    }
    case PCT_CONFIG_TYPE_CHOICE:
        for (int i = 0; field->names[i]; i++) {
            if (strcmp(field->names[i], value) != 0) continue;
            *(int *)out = i;
            return PERCEPT_OK;
        }
        return wrong(field, value, error);
    case PCT_CONFIG_TYPE_NUMBERS:
    case PCT_CONFIG_TYPE_TEXTS:
        break;
    }
    return append ? store_item(config, field, value, error) : store_list(config, index, value, error);
}

/* Every section's fields stand next to each other, so that writing opens each section once. */
static bool sections_together(const pct_config_field *fields, int count) {
    for (int i = 2; i < count; i++) {
        for (const char *dot = strchr(fields[i].key, '.'); dot; dot = strchr(dot + 1, '.')) {
            size_t length = (size_t)(dot - fields[i].key);
            if (stands_under(fields[i - 1].key, fields[i].key, length)) continue;
            for (int j = 0; j < i - 1; j++) {
                if (stands_under(fields[j].key, fields[i].key, length)) return false;
            }
        }
    }
    return true;
}

void pct_config_init(pct_config *config, const pct_config_field *fields, size_t count, void *options) {
    PCT_ASSERT(count <= PCT_CONFIG_MAX_FIELDS);
    *config = (pct_config){.fields = fields, .count = (int)count, .options = options};
    pct_arena_init(&config->arena, 4096);
    PCT_ASSERT(sections_together(fields, (int)count));
    for (int i = 0; i < config->count; i++) {
        const pct_config_field *field = &fields[i];
        PCT_ASSERT(pct_config_find(config, field->key, strlen(field->key)) == i);
        if (field->type == PCT_CONFIG_TYPE_TEXT) *(const char **)place(config, field) = "";
        if (pct_config_is_list(field)) pct_config_clear_list(config, i);
        if (!field->fallback) continue;
        percept_status status = pct_config_store(config, i, field->fallback, false, NULL);
        PCT_ASSERT(status == PERCEPT_OK);
    }
}

void pct_config_free(pct_config *config) { pct_arena_free(&config->arena); }

percept_status pct_config_set_value(pct_config *config, const char *key, const char *value, percept_error *error) {
    int index = pct_config_find(config, key, strlen(key));
    percept_status status =
        index < 0 ? pct_config_unknown(config, key, error) : pct_config_store(config, index, value, false, error);
    if (status == PERCEPT_ERROR_INPUT) {
        status = PERCEPT_ERROR_USAGE;
        if (error) error->status = status;
    }
    if (status == PERCEPT_OK) config->source[index] = PCT_CONFIG_FLAG;
    return status;
}

percept_status pct_config_set(pct_config *config, const char *assignment, percept_error *error) {
    const char *key = strncmp(assignment, "--", 2) == 0 ? assignment + 2 : assignment;
    const char *equals = strchr(key, '=');
    if (!equals || equals == key) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "'%s' is not of the form key=value", assignment);
    }
    char *copy = strndup(key, (size_t)(equals - key));
    if (!copy) return pct_fail_memory(error, assignment);
    percept_status status = pct_config_set_value(config, copy, equals + 1, error);
    free(copy);
    return status;
}

percept_status pct_config_finish(const pct_config *config, percept_error *error) {
    for (int i = 0; i < config->count; i++) {
        const pct_config_field *field = &config->fields[i];
        if (field->fallback || config->source[i] != PCT_CONFIG_DEFAULT) continue;
        return pct_fail(error, PERCEPT_ERROR_INPUT, "key '%s' must be given in the config or as --%s=...: %s",
                        field->key, field->key, field->doc);
    }
    return PERCEPT_OK;
}

/* ---- writing ---- */

/* In double quotes, everything escaped that YAML's reader would refuse or fold. */
static void add_quoted(pct_text *out, const char *text) {
    size_t length = strlen(text);
    pct_text_add(out, "\"", 1);
    for (size_t i = 0; i < length;) {
        uint32_t code;
        int size = pct_utf8_read(text + i, length - i, &code);
        bool odd = code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
                   (code >= 0xfdd0 && code <= 0xfdef) || code == 0xfeff || code == 0xfffe || code == 0xffff;
        if (code == '"' || code == '\\')
            pct_text_printf(out, "\\%c", (char)code);
        else if (odd)
            pct_text_printf(out, "\\u%04x", code);
        else
            pct_text_add(out, text + i, (size_t)size);
        i += size ? (size_t)size : 1;
    }
    pct_text_add(out, "\"", 1);
}

/* The shortest decimal that reads back as the same float. */
static void add_float(pct_text *out, float value) {
    char buffer[40];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(buffer, sizeof buffer, "%.*g", digits, (double)value);
        if (strtof(buffer, NULL) == value) break;
    }
    char *comma = strchr(buffer, ',');
    if (comma) *comma = '.';
    pct_text_puts(out, buffer);
}

static void add_list(pct_text *out, const pct_config_field *field, const void *value) {
    const pct_config_numbers *numbers = value;
    const pct_config_texts *texts = value;
    bool number = field->type == PCT_CONFIG_TYPE_NUMBERS;
    int count = number ? numbers->count : texts->count;
    pct_text_puts(out, "[");
    for (int i = 0; i < count; i++) {
        if (i) pct_text_puts(out, ", ");
        if (number)
            add_float(out, numbers->values[i]);
        else
            add_quoted(out, texts->values[i]);
    }
    pct_text_puts(out, "]");
}

static void add_value(pct_text *out, const pct_config *config, const pct_config_field *field) {
    const void *value = place(config, field);
    switch (field->type) {
    case PCT_CONFIG_TYPE_INTEGER:
        pct_text_printf(out, "%" PRId64, *(const int64_t *)value);
        break;
    case PCT_CONFIG_TYPE_NUMBER:
        add_float(out, *(const float *)value);
        break;
    case PCT_CONFIG_TYPE_BOOL:
        pct_text_puts(out, *(const bool *)value ? "true" : "false");
        break;
    case PCT_CONFIG_TYPE_TEXT:
        add_quoted(out, *(const char *const *)value);
        break;
    case PCT_CONFIG_TYPE_CHOICE:
        pct_text_puts(out, field->names[*(const int *)value]);
        break;
    case PCT_CONFIG_TYPE_NUMBERS:
    case PCT_CONFIG_TYPE_TEXTS:
        add_list(out, field, value);
        break;
    }
}

void pct_config_write(const pct_config *config, pct_text *out) {
    const char *before = "";
    for (int i = 0; i < config->count; i++) {
        const pct_config_field *field = &config->fields[i];
        int depth = 0;
        const char *part = field->key;
        for (const char *dot; (dot = strchr(part, '.')); part = dot + 1, depth++) {
            if (stands_under(before, field->key, (size_t)(dot - field->key))) continue;
            pct_text_printf(out, "%*s%.*s:\n", depth * 2, "", (int)(dot - part), part);
        }
        before = field->key;
        if (!field->fallback && config->source[i] == PCT_CONFIG_DEFAULT) continue; /* was never given */
        pct_text_printf(out, "%*s%s: ", depth * 2, "", part);
        add_value(out, config, field);
        pct_text_puts(out, "\n");
    }
}

void pct_config_describe(const pct_config_field *fields, size_t count, pct_text *out) {
    for (size_t i = 0; i < count; i++) {
        pct_text_printf(out, "  %s\n      %s (", fields[i].key, fields[i].doc);
        pct_config_describe_type(&fields[i], out);
        if (!fields[i].fallback)
            pct_text_puts(out, "; must be given)\n");
        else
            pct_text_printf(out, "; default %s)\n", fields[i].fallback[0] ? fields[i].fallback : "empty");
    }
}
