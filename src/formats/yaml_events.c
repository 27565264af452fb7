/* yaml_events.c: see yaml_events.h. */
#include "formats/yaml_events.h"

#include <stdarg.h>
#include <string.h>

percept_status pct_yaml_open(pct_yaml_events *events, const char *name, const char *data, size_t size,
                             percept_error *error) {
    *events = (pct_yaml_events){.name = name, .error = error};
    if (size > PCT_YAML_MAX_FILE) {
        return pct_fail(error, PERCEPT_ERROR_INPUT, "%s: larger than 1 MiB; is it a config?", name);
    }
    if (!yaml_parser_initialize(&events->parser)) return pct_fail_memory(error, name);
    yaml_parser_set_encoding(&events->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&events->parser, (const unsigned char *)data, size);
    return PERCEPT_OK;
}

void pct_yaml_close(pct_yaml_events *events) {
    yaml_event_delete(&events->event);
    yaml_parser_delete(&events->parser);
}

void pct_yaml_prefix(pct_yaml_events *events) {
    pct_error_prefix(events->error, "%s:%zu", events->name, events->event.start_mark.line + 1);
}

percept_status pct_yaml_refuse(pct_yaml_events *events, const char *format, ...) {
    va_list args;
    va_start(args, format);
    pct_fail_v(events->error, PERCEPT_ERROR_INPUT, format, args);
    va_end(args);
    pct_yaml_prefix(events);
    return PERCEPT_ERROR_INPUT;
}

static percept_status not_yaml(pct_yaml_events *events) {
    const yaml_parser_t *parser = &events->parser;
    memset(&events->event, 0, sizeof events->event);
    if (parser->error == YAML_MEMORY_ERROR) return pct_fail_memory(events->error, events->name);
    if (parser->error == YAML_READER_ERROR) { /* no mark, but an offset in bytes */
        return pct_fail(events->error, PERCEPT_ERROR_INPUT, "%s: not valid YAML at byte %zu: %s", events->name,
                        parser->problem_offset, parser->problem);
    }
    return pct_fail(events->error, PERCEPT_ERROR_INPUT, "%s:%zu: not valid YAML: %s", events->name,
                    parser->problem_mark.line + 1, parser->problem ? parser->problem : "cannot be parsed");
}

percept_status pct_yaml_advance(pct_yaml_events *events) {
    yaml_event_delete(&events->event);
    if (!yaml_parser_parse(&events->parser, &events->event)) return not_yaml(events);
    const yaml_event_t *event = &events->event;
    const void *anchor = NULL, *tag = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return pct_yaml_refuse(events, "aliases (*name) are not supported in configs; write the value again");
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    default:
        break;
    }
    if (anchor) return pct_yaml_refuse(events, "anchors (&name) are not supported in configs");
    if (tag) return pct_yaml_refuse(events, "tags (!name) are not supported in configs");
    if (event->type == YAML_SCALAR_EVENT &&
        strlen((const char *)event->data.scalar.value) != event->data.scalar.length) {
        return pct_yaml_refuse(events, "a NUL character in a text");
    }
    return PERCEPT_OK;
}

bool pct_yaml_is_null(const yaml_event_t *event) {
    const char *value = (const char *)event->data.scalar.value;
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*value || strcmp(value, "~") == 0 || strcmp(value, "null") == 0);
}

percept_status pct_yaml_begin(pct_yaml_events *events, bool *empty) {
    *empty = true;
    PCT_TRY(pct_yaml_advance(events)); /* stream start */
    PCT_TRY(pct_yaml_advance(events));
    if (events->event.type == YAML_STREAM_END_EVENT) return PERCEPT_OK;
    PCT_TRY(pct_yaml_advance(events)); /* the document's root */
    *empty = events->event.type == YAML_SCALAR_EVENT && pct_yaml_is_null(&events->event);
    if (*empty) return pct_yaml_end(events);
    if (events->event.type == YAML_MAPPING_START_EVENT) return PERCEPT_OK;
    return pct_yaml_refuse(events, "a config consists of 'key: value' lines");
}

percept_status pct_yaml_end(pct_yaml_events *events) {
    PCT_TRY(pct_yaml_advance(events)); /* document end */
    PCT_TRY(pct_yaml_advance(events));
    if (events->event.type != YAML_STREAM_END_EVENT) {
        return pct_yaml_refuse(events, "a second document; a config has one");
    }
    return PERCEPT_OK;
}
