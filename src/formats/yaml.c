/* yaml.c: reading a config file through libyaml's events; see yaml.h. What a value means is in yaml_table.c. */
#include "base/file.h"
#include "formats/yaml_events.h"
#include "formats/yaml_private.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 8
#define MAX_PATH  256

struct reader {
    pct_yaml_events events;
    pct_config *config;
    unsigned lines[PCT_CONFIG_MAX_FIELDS]; /* where each field stood, 0: not yet */
};
static percept_status wants(struct reader *reader, const char *path, const char *found) {
    int field = pct_config_find(reader->config, path, strlen(path));
    pct_text type = {0};
    pct_config_describe_type(&reader->config->fields[field], &type);
    percept_status status = pct_yaml_refuse(&reader->events, "key '%s' is %s; give it %s", path, found,
                                            type.data ? type.data : "another value");
    pct_text_free(&type);
    return status;
}

static percept_status store(struct reader *reader, const char *path, int field, bool append) {
    if (pct_yaml_is_null(&reader->events.event)) return wants(reader, path, "without a value");
    percept_status status = pct_config_store(
        reader->config, field, (const char *)reader->events.event.data.scalar.value, append, reader->events.error);
    if (status == PERCEPT_ERROR_INPUT) {
        pct_yaml_prefix(&reader->events);
    }
    return status;
}

static percept_status read_value(struct reader *reader, const char *path, int field) {
    pct_config *config = reader->config;
    if (reader->lines[field]) {
        return pct_yaml_refuse(&reader->events, "key '%s' stands twice, first in line %u", path, reader->lines[field]);
    }
    reader->lines[field] = (unsigned)reader->events.event.start_mark.line + 1;
    bool list = pct_config_is_list(&config->fields[field]);
    switch (reader->events.event.type) {
    case YAML_MAPPING_START_EVENT:
        return wants(reader, path, "a section");
    case YAML_SCALAR_EVENT:
        PCT_TRY(store(reader, path, field, false));
        break;
    case YAML_SEQUENCE_START_EVENT:
        if (!list) return wants(reader, path, "a list");
        pct_config_clear_list(config, field);
        for (;;) {
            PCT_TRY(pct_yaml_advance(&reader->events));
            if (reader->events.event.type == YAML_SEQUENCE_END_EVENT) break;
            if (reader->events.event.type != YAML_SCALAR_EVENT)
                return pct_yaml_refuse(&reader->events, "key '%s': lists hold single values", path);
            PCT_TRY(store(reader, path, field, true));
        }
        break;
    default:
        return pct_yaml_refuse(&reader->events, "key '%s' has no value", path);
    }
    config->source[field] = PCT_CONFIG_FILE;
    return PERCEPT_OK;
}

static percept_status skip_value(struct reader *reader) {
    int depth = 0;
    for (;;) {
        yaml_event_type_t type = reader->events.event.type;
        if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT) depth++;
        if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT) depth--;
        if (depth <= 0) return PERCEPT_OK;
        PCT_TRY(pct_yaml_advance(&reader->events));
    }
}

/* The event is the mapping's start; path holds its own path (length 0: the root). */
static percept_status read_mapping(struct reader *reader, char path[MAX_PATH], int depth) {
    if (depth > MAX_DEPTH) return pct_yaml_refuse(&reader->events, "nested deeper than %d levels", MAX_DEPTH);
    size_t base = strlen(path);
    for (;;) {
        PCT_TRY(pct_yaml_advance(&reader->events));
        if (reader->events.event.type == YAML_MAPPING_END_EVENT) return PERCEPT_OK;
        if (reader->events.event.type != YAML_SCALAR_EVENT)
            return pct_yaml_refuse(&reader->events, "keys are plain words");
        const char *key = (const char *)reader->events.event.data.scalar.value;
        if (!*key || base + strlen(key) + 2 > MAX_PATH)
            return pct_yaml_refuse(&reader->events, "an empty or overlong key");
        snprintf(path + base, MAX_PATH - base, "%s%s", base ? "." : "", key);
        int field = pct_config_find(reader->config, path, strlen(path));
        bool section = pct_config_is_section(reader->config, path, strlen(path));
        if (field < 0 && !section) {
            pct_config_unknown(reader->config, path, reader->events.error);
            pct_yaml_prefix(&reader->events);
            return PERCEPT_ERROR_INPUT;
        }
        PCT_TRY(pct_yaml_advance(&reader->events));
        if (field >= 0 && reader->config->source[field] == PCT_CONFIG_FLAG) {
            PCT_TRY(skip_value(reader));
        } else if (field >= 0) {
            PCT_TRY(read_value(reader, path, field));
        } else if (reader->events.event.type == YAML_MAPPING_START_EVENT) {
            PCT_TRY(read_mapping(reader, path, depth + 1));
        } else if (reader->events.event.type != YAML_SCALAR_EVENT || !pct_yaml_is_null(&reader->events.event)) {
            return pct_yaml_refuse(&reader->events, "'%s' is a section: its keys stand below it, indented", path);
        }
        path[base] = 0;
    }
}

percept_status pct_config_load_memory(pct_config *config, const char *name, const char *data, size_t size,
                                      percept_error *error) {
    struct reader reader = {.config = config};
    bool empty = true;
    char path[MAX_PATH] = "";
    percept_status status = pct_yaml_open(&reader.events, name, data, size, error);
    if (status == PERCEPT_OK) status = pct_yaml_begin(&reader.events, &empty);
    if (status == PERCEPT_OK && !empty) status = read_mapping(&reader, path, 1);
    if (status == PERCEPT_OK && !empty) status = pct_yaml_end(&reader.events);
    pct_yaml_close(&reader.events);
    return status;
}

percept_status pct_config_load(pct_config *config, const char *path, percept_error *error) {
    char *data;
    size_t size;
    PCT_TRY(pct_file_read(path, PCT_YAML_MAX_FILE, &data, &size, error));
    percept_status status = pct_config_load_memory(config, path, data, size, error);
    free(data);
    return status;
}
