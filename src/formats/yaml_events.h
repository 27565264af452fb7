/* yaml_events.h: libyaml's events with what no file of ours holds refused: aliases, anchors, tags, NUL characters.
 * Between the reader of configs (yaml.c) and that of other files (yaml_walk.c). Not for other folders. */
#ifndef PCT_FORMATS_YAML_EVENTS_H
#define PCT_FORMATS_YAML_EVENTS_H

#include "base/error.h"

#include <stddef.h>
#include <yaml.h>

#define PCT_YAML_MAX_FILE ((size_t)1 << 20)

typedef struct pct_yaml_events {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one; deleted by the next advance */
    const char *name;   /* borrowed; of the file, for messages */
    percept_error *error;
} pct_yaml_events;

/* Data and name are borrowed until the close, which is wanted in any case. */
percept_status pct_yaml_open(pct_yaml_events *events, const char *name, const char *data, size_t size,
                             percept_error *error);
void pct_yaml_close(pct_yaml_events *events);
percept_status pct_yaml_advance(pct_yaml_events *events);
/* PERCEPT_ERROR_INPUT with "name:LINE: " of the current event in front. */
percept_status pct_yaml_refuse(pct_yaml_events *events, const char *format, ...) PCT_PRINTF(2, 3);
/* The same prefix for an error that is there already. */
void pct_yaml_prefix(pct_yaml_events *events);
/* `key: ` and `key: ~` are YAML's null. */
bool pct_yaml_is_null(const yaml_event_t *event);
/* From the start to the one document's root: *empty when there is none. Else the current event is a mapping's start. */
percept_status pct_yaml_begin(pct_yaml_events *events, bool *empty);
/* After the root: nothing else may follow. */
percept_status pct_yaml_end(pct_yaml_events *events);

#endif
