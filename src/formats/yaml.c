/* yaml.c: reading a config file through libyaml's events; see yaml.h. What a value means is in yaml_table.c. */
#include "formats/yaml_private.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MAX_FILE  ((size_t)1 << 20)
#define MAX_DEPTH 8
#define MAX_PATH  256

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one; deleted by the next call of advance */
    pct_config *config;
    unsigned lines[PCT_CONFIG_MAX_FIELDS]; /* where each field stood, 0: not yet */
    percept_error *error;
    const char *name;
};

static percept_status refuse(struct reader *reader, const char *format, ...) PCT_PRINTF(2, 3);
static percept_status refuse(struct reader *reader, const char *format, ...) {
    va_list args;
    va_start(args, format);
    pct_fail_v(reader->error, PERCEPT_ERROR_INPUT, format, args);
    va_end(args);
    pct_error_prefix(reader->error, "%s:%zu", reader->name, reader->event.start_mark.line + 1);
    return PERCEPT_ERROR_INPUT;
}

static percept_status advance(struct reader *reader) {
    yaml_event_delete(&reader->event);
    if (!yaml_parser_parse(&reader->parser, &reader->event)) {
        memset(&reader->event, 0, sizeof reader->event);
        if (reader->parser.error == YAML_MEMORY_ERROR) return pct_fail_memory(reader->error, reader->name);
        size_t line = reader->parser.problem_mark.line + 1;
        if (reader->parser.error == YAML_READER_ERROR) { /* no mark, but an offset in bytes */
            return pct_fail(reader->error, PERCEPT_ERROR_INPUT, "%s: not valid YAML at byte %zu: %s", reader->name,
                            reader->parser.problem_offset, reader->parser.problem);
        }
        return pct_fail(reader->error, PERCEPT_ERROR_INPUT, "%s:%zu: not valid YAML: %s", reader->name, line,
                        reader->parser.problem ? reader->parser.problem : "cannot be parsed");
    }
    switch (reader->event.type) {
    case YAML_ALIAS_EVENT:
        return refuse(reader, "aliases (*name) are not supported in configs; write the value again");
    case YAML_SCALAR_EVENT:
        if (reader->event.data.scalar.anchor) break;
        if (reader->event.data.scalar.tag) return refuse(reader, "tags (!name) are not supported in configs");
        if (strlen((const char *)reader->event.data.scalar.value) != reader->event.data.scalar.length) {
            return refuse(reader, "a NUL character in a text");
        }
        return PERCEPT_OK;
    case YAML_MAPPING_START_EVENT:
        if (reader->event.data.mapping_start.anchor) break;
        if (reader->event.data.mapping_start.tag) return refuse(reader, "tags (!name) are not supported in configs");
        return PERCEPT_OK;
    case YAML_SEQUENCE_START_EVENT:
        if (reader->event.data.sequence_start.anchor) break;
        if (reader->event.data.sequence_start.tag) return refuse(reader, "tags (!name) are not supported in configs");
        return PERCEPT_OK;
    default:
        return PERCEPT_OK;
    }
    return refuse(reader, "anchors (&name) are not supported in configs");
}

/* `key: ` and `key: ~` are YAML's null, which no field takes. */
static bool is_null(const yaml_event_t *event) {
    const char *value = (const char *)event->data.scalar.value;
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*value || strcmp(value, "~") == 0 || strcmp(value, "null") == 0);
}

static percept_status wants(struct reader *reader, const char *path, const char *found) {
    int field = pct_config_find(reader->config, path, strlen(path));
    pct_text type = {0};
    pct_config_describe_type(&reader->config->fields[field], &type);
    percept_status status =
        refuse(reader, "key '%s' is %s; give it %s", path, found, type.data ? type.data : "another value");
    pct_text_free(&type);
    return status;
}

static percept_status store(struct reader *reader, const char *path, int field, bool append) {
    if (is_null(&reader->event)) return wants(reader, path, "without a value");
    percept_status status =
        pct_config_store(reader->config, field, (const char *)reader->event.data.scalar.value, append, reader->error);
    if (status == PERCEPT_ERROR_INPUT) {
        pct_error_prefix(reader->error, "%s:%zu", reader->name, reader->event.start_mark.line + 1);
    }
    return status;
}

static percept_status read_value(struct reader *reader, const char *path, int field) {
    pct_config *config = reader->config;
    if (reader->lines[field]) {
        return refuse(reader, "key '%s' stands twice, first in line %u", path, reader->lines[field]);
    }
    reader->lines[field] = (unsigned)reader->event.start_mark.line + 1;
    bool list = pct_config_is_list(&config->fields[field]);
    switch (reader->event.type) {
    case YAML_MAPPING_START_EVENT:
        return wants(reader, path, "a section");
    case YAML_SCALAR_EVENT:
        PCT_TRY(store(reader, path, field, false));
        break;
    case YAML_SEQUENCE_START_EVENT:
        if (!list) return wants(reader, path, "a list");
        pct_config_clear_list(config, field);
        for (;;) {
            PCT_TRY(advance(reader));
            if (reader->event.type == YAML_SEQUENCE_END_EVENT) break;
            if (reader->event.type != YAML_SCALAR_EVENT)
                return refuse(reader, "key '%s': lists hold single values", path);
            PCT_TRY(store(reader, path, field, true));
        }
        break;
    default:
        return refuse(reader, "key '%s' has no value", path);
    }
    config->source[field] = PCT_CONFIG_FILE;
    return PERCEPT_OK;
}

static percept_status skip_value(struct reader *reader) {
    int depth = 0;
    for (;;) {
        yaml_event_type_t type = reader->event.type;
        if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT) depth++;
        if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT) depth--;
        if (depth <= 0) return PERCEPT_OK;
        PCT_TRY(advance(reader));
    }
}

/* The event is the mapping's start; path holds its own path (length 0: the root). */
static percept_status read_mapping(struct reader *reader, char path[MAX_PATH], int depth) {
    if (depth > MAX_DEPTH) return refuse(reader, "nested deeper than %d levels", MAX_DEPTH);
    size_t base = strlen(path);
    for (;;) {
        PCT_TRY(advance(reader));
        if (reader->event.type == YAML_MAPPING_END_EVENT) return PERCEPT_OK;
        if (reader->event.type != YAML_SCALAR_EVENT) return refuse(reader, "keys are plain words");
        const char *key = (const char *)reader->event.data.scalar.value;
        if (!*key || base + strlen(key) + 2 > MAX_PATH) return refuse(reader, "an empty or overlong key");
        snprintf(path + base, MAX_PATH - base, "%s%s", base ? "." : "", key);
        int field = pct_config_find(reader->config, path, strlen(path));
        bool section = pct_config_is_section(reader->config, path, strlen(path));
        if (field < 0 && !section) {
            pct_config_unknown(reader->config, path, reader->error);
            pct_error_prefix(reader->error, "%s:%zu", reader->name, reader->event.start_mark.line + 1);
            return PERCEPT_ERROR_INPUT;
        }
        PCT_TRY(advance(reader));
        if (field >= 0 && reader->config->source[field] == PCT_CONFIG_FLAG) {
            PCT_TRY(skip_value(reader));
        } else if (field >= 0) {
            PCT_TRY(read_value(reader, path, field));
        } else if (reader->event.type == YAML_MAPPING_START_EVENT) {
            PCT_TRY(read_mapping(reader, path, depth + 1));
        } else if (reader->event.type != YAML_SCALAR_EVENT || !is_null(&reader->event)) {
            return refuse(reader, "'%s' is a section: its keys stand below it, indented", path);
        }
        path[base] = 0;
    }
}

static percept_status read_document(struct reader *reader) {
    PCT_TRY(advance(reader)); /* stream start */
    PCT_TRY(advance(reader));
    if (reader->event.type == YAML_STREAM_END_EVENT) return PERCEPT_OK;
    PCT_TRY(advance(reader)); /* the document's root */
    if (reader->event.type == YAML_MAPPING_START_EVENT) {
        char path[MAX_PATH] = "";
        PCT_TRY(read_mapping(reader, path, 1));
    } else if (reader->event.type != YAML_SCALAR_EVENT || !is_null(&reader->event)) {
        return refuse(reader, "a config consists of 'key: value' lines");
    }
    PCT_TRY(advance(reader)); /* document end */
    PCT_TRY(advance(reader));
    if (reader->event.type != YAML_STREAM_END_EVENT) return refuse(reader, "a second document; a config has one");
    return PERCEPT_OK;
}

percept_status pct_config_load_memory(pct_config *config, const char *name, const char *data, size_t size,
                                      percept_error *error) {
    if (size > MAX_FILE) return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: larger than 1 MiB; is it a config?", name);
    struct reader reader = {.config = config, .error = error, .name = name};
    if (!yaml_parser_initialize(&reader.parser)) return pct_fail_memory(error, name);
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)data, size);
    percept_status status = read_document(&reader);
    yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    return status;
}

percept_status pct_config_load(pct_config *config, const char *path, percept_error *error) {
    char *data;
    size_t size;
    PCT_TRY(pct_file_read(path, MAX_FILE, &data, &size, error));
    percept_status status = pct_config_load_memory(config, path, data, size, error);
    free(data);
    return status;
}
