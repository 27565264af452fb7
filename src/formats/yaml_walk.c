/* yaml_walk.c: every value of a YAML file with the keys above it. See yaml.h. */
#include "formats/yaml.h"
#include "formats/yaml_events.h"

#include <string.h>

/* A key that a mapping has had. */
struct known {
    const char *key;
    size_t line;
    const struct known *next;
};

struct walk {
    pct_yaml_events events;
    pct_arena arena; /* keys */
    pct_text text;   /* of a list */
    pct_yaml_visit *visit;
    void *context;
    pct_yaml_value value;
};

static percept_status give(struct walk *walk, const char *text) {
    walk->value.text = text;
    percept_status status = walk->visit(walk->context, &walk->value, walk->events.error);
    if (status != PERCEPT_OK && walk->events.error) {
        pct_error_prefix(walk->events.error, "%s:%lld", walk->events.name, (long long)walk->value.line);
    }
    return status;
}

/* The items as one text; the event is the list's start. */
static percept_status join_list(struct walk *walk) {
    pct_text_clear(&walk->text);
    for (bool first = true;; first = false) {
        PCT_TRY(pct_yaml_advance(&walk->events));
        const yaml_event_t *event = &walk->events.event;
        if (event->type == YAML_SEQUENCE_END_EVENT) break;
        if (event->type != YAML_SCALAR_EVENT || strchr((const char *)event->data.scalar.value, ',')) {
            return pct_yaml_refuse(&walk->events, "lists hold single values without commas");
        }
        pct_text_printf(&walk->text, "%s%s", first ? "" : ", ", (const char *)event->data.scalar.value);
    }
    return walk->text.failed ? pct_fail_memory(walk->events.error, walk->events.name) : PERCEPT_OK;
}

/* Puts the current event, a key, behind those of `depth` mappings around it. */
static percept_status take_key(struct walk *walk, int depth, const struct known **mapping) {
    const yaml_event_t *event = &walk->events.event;
    if (event->type != YAML_SCALAR_EVENT) return pct_yaml_refuse(&walk->events, "keys are plain words");
    const char *key = (const char *)event->data.scalar.value;
    if (!*key) return pct_yaml_refuse(&walk->events, "an empty key");
    for (const struct known *at = *mapping; at; at = at->next) {
        if (strcmp(at->key, key) == 0) {
            return pct_yaml_refuse(&walk->events, "key '%.80s' stands twice, first in line %zu", key, at->line);
        }
    }
    struct known *known = pct_arena_take(&walk->arena, sizeof *known);
    const char *kept = pct_arena_text(&walk->arena, key, strlen(key));
    if (!known || !kept) return pct_fail_memory(walk->events.error, walk->events.name);
    *known = (struct known){kept, event->start_mark.line + 1, *mapping};
    *mapping = known;
    walk->value.keys[depth] = kept;
    walk->value.depth = depth + 1;
    return PERCEPT_OK;
}

/* The event is the mapping's start; `depth` keys stand above it. */
static percept_status walk_mapping(struct walk *walk, int depth) {
    const struct known *mapping = NULL;
    if (depth >= PCT_YAML_MAX_DEPTH) {
        return pct_yaml_refuse(&walk->events, "nested deeper than %d levels", PCT_YAML_MAX_DEPTH);
    }
    for (;;) {
        PCT_TRY(pct_yaml_advance(&walk->events));
        const yaml_event_t *event = &walk->events.event;
        if (event->type == YAML_MAPPING_END_EVENT) break;
        PCT_TRY(take_key(walk, depth, &mapping));
        PCT_TRY(pct_yaml_advance(&walk->events));
        walk->value.line = (int64_t)event->start_mark.line + 1;
        if (event->type == YAML_MAPPING_START_EVENT) {
            PCT_TRY(walk_mapping(walk, depth + 1));
        } else if (event->type == YAML_SEQUENCE_START_EVENT) {
            PCT_TRY(join_list(walk));
            PCT_TRY(give(walk, walk->text.data ? walk->text.data : ""));
        } else {
            PCT_TRY(give(walk, pct_yaml_is_null(event) ? NULL : (const char *)event->data.scalar.value));
        }
    }
    if (mapping || depth == 0) return PERCEPT_OK;
    walk->value.depth = depth;
    return give(walk, NULL);
}

percept_status pct_yaml_walk(const char *name, const char *data, size_t size, pct_yaml_visit *visit, void *context,
                             percept_error *error) {
    struct walk walk = {.visit = visit, .context = context};
    bool empty = true;
    pct_arena_init(&walk.arena, 0);
    percept_status status = pct_yaml_open(&walk.events, name, data, size, error);
    if (status == PERCEPT_OK) status = pct_yaml_begin(&walk.events, &empty);
    if (status == PERCEPT_OK && !empty) status = walk_mapping(&walk, 0);
    if (status == PERCEPT_OK && !empty) status = pct_yaml_end(&walk.events);
    pct_yaml_close(&walk.events);
    pct_arena_free(&walk.arena);
    pct_text_free(&walk.text);
    return status;
}
