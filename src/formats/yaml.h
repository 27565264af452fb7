/* yaml.h: configs. One table says every key: path, type, place in a C struct, range, default and doc string.
 *
 * From that table come the file reader (YAML through libyaml's events), `--key=value` on the command line, the list
 * that `percept help train` prints, and the effective config written back, so that types, ranges and error texts cannot
 * differ. libcyaml, which the design first named, was tried against this: 1.3.1 has no default values, optional scalars
 * must be pointers, its messages come through a log callback in several lines, and it cannot set one key from a command
 * line; libyaml, on which it is built, is used directly instead.
 *
 * Accepted YAML: nested mappings (or the same path with dots), scalars, lists of scalars, comments, both quotings.
 * Refused with the line: unknown keys (the nearest known one is named), a key twice, anchors, aliases, tags, several
 * documents, lists of mappings, nesting beyond 8, files beyond 1 MiB. An empty file is a config of defaults.
 *
 *     struct options { struct { float rate; int64_t steps; } train; int precision; const char *out; };
 *     static const char *const precisions[] = {"f32", "bf16", NULL};
 *     static const pct_config_field fields[] = {
 *         PCT_CONFIG_NUMBER("train.rate", struct options, train.rate, 1e-8, 1, "1e-3", "peak learning rate"),
 *         PCT_CONFIG_INTEGER("train.steps", struct options, train.steps, 1, 1e9, "1000", "optimiser steps"),
 *         PCT_CONFIG_CHOICE("precision", struct options, precision, precisions, "bf16", "of matrix products"),
 *         PCT_CONFIG_TEXT("out", struct options, out, NULL, "folder that the run writes"),   // NULL: must be given
 *     };
 *     pct_config config;
 *     pct_config_init(&config, fields, PCT_COUNT(fields), &options);
 *     pct_config_load(&config, "train.yaml", error);            // then, because flags beat the file:
 *     pct_config_set(&config, "train.rate=2e-3", error);
 *     pct_config_finish(&config, error);                        // fails when a required key was never given
 *     ...                                                       // strings live until pct_config_free(&config) */
#ifndef PCT_FORMATS_YAML_H
#define PCT_FORMATS_YAML_H

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

#define PCT_CONFIG_MAX_FIELDS 256
#define PCT_CONFIG_MAX_LIST   32

enum pct_config_type {
    PCT_CONFIG_TYPE_INTEGER, /* int64_t */
    PCT_CONFIG_TYPE_NUMBER,  /* float */
    PCT_CONFIG_TYPE_BOOL,    /* bool: true/false/yes/no/on/off */
    PCT_CONFIG_TYPE_TEXT,    /* const char *, never NULL */
    PCT_CONFIG_TYPE_CHOICE,  /* int: index into names */
    PCT_CONFIG_TYPE_NUMBERS, /* pct_config_numbers */
    PCT_CONFIG_TYPE_TEXTS,   /* pct_config_texts */
};

typedef struct pct_config_numbers {
    int count;
    float values[PCT_CONFIG_MAX_LIST];
} pct_config_numbers;

typedef struct pct_config_texts {
    int count;
    const char *values[PCT_CONFIG_MAX_LIST];
} pct_config_texts;

typedef struct pct_config_field {
    const char *key; /* path with dots: "train.optimizer.rate" */
    enum pct_config_type type;
    size_t offset;            /* in the caller's struct */
    double min, max;          /* integers and numbers, each of a list's too; inclusive */
    const char *const *names; /* choices, NULL-terminated */
    const char *fallback;     /* as it would stand in the file; "a, b" or "" for lists; NULL: must be given */
    const char *doc;          /* one line, no full stop */
} pct_config_field;

#define PCT_CONFIG_INTEGER(key, type, member, min, max, fallback, doc)                                                 \
    { key, PCT_CONFIG_TYPE_INTEGER, offsetof(type, member), min, max, NULL, fallback, doc }
#define PCT_CONFIG_NUMBER(key, type, member, min, max, fallback, doc)                                                  \
    { key, PCT_CONFIG_TYPE_NUMBER, offsetof(type, member), min, max, NULL, fallback, doc }
#define PCT_CONFIG_BOOL(key, type, member, fallback, doc)                                                              \
    { key, PCT_CONFIG_TYPE_BOOL, offsetof(type, member), 0, 0, NULL, fallback, doc }
#define PCT_CONFIG_TEXT(key, type, member, fallback, doc)                                                              \
    { key, PCT_CONFIG_TYPE_TEXT, offsetof(type, member), 0, 0, NULL, fallback, doc }
#define PCT_CONFIG_CHOICE(key, type, member, names, fallback, doc)                                                     \
    { key, PCT_CONFIG_TYPE_CHOICE, offsetof(type, member), 0, 0, names, fallback, doc }
#define PCT_CONFIG_NUMBERS(key, type, member, min, max, fallback, doc)                                                 \
    { key, PCT_CONFIG_TYPE_NUMBERS, offsetof(type, member), min, max, NULL, fallback, doc }
#define PCT_CONFIG_TEXTS(key, type, member, fallback, doc)                                                             \
    { key, PCT_CONFIG_TYPE_TEXTS, offsetof(type, member), 0, 0, NULL, fallback, doc }

enum pct_config_source { PCT_CONFIG_DEFAULT, PCT_CONFIG_FILE, PCT_CONFIG_FLAG };

typedef struct pct_config {
    const pct_config_field *fields; /* borrowed */
    int count;
    void *options;                               /* the caller's struct */
    pct_arena arena;                             /* texts */
    unsigned char source[PCT_CONFIG_MAX_FIELDS]; /* enum pct_config_source of each field */
} pct_config;

/* Sets every default. A default that its own range refuses, or a table whose sections are not kept together, is our bug
 * and asserts. */
void pct_config_init(pct_config *config, const pct_config_field *fields, size_t count, void *options);
/* Errors are PERCEPT_ERROR_INPUT and begin "path:LINE: ". Fields set by flags earlier are not overwritten. */
percept_status pct_config_load(pct_config *config, const char *path, percept_error *error);
percept_status pct_config_load_memory(pct_config *config, const char *name, const char *data, size_t size,
                                      percept_error *error);
/* "key.sub=value", with or without "--" in front; lists as "a,b". Errors are PERCEPT_ERROR_USAGE, same texts. */
percept_status pct_config_set(pct_config *config, const char *assignment, percept_error *error);
percept_status pct_config_set_value(pct_config *config, const char *key, const char *value, percept_error *error);
/* Whether `key` (its first `length` bytes) is a field: lets the command line tell config keys from other options. */
bool pct_config_has(const pct_config *config, const char *key, size_t length);
/* Fails when a field without default was never set. */
percept_status pct_config_finish(const pct_config *config, percept_error *error);
void pct_config_free(pct_config *config);

/* One value of a YAML file that is no config of fixed keys: the keys above it, outermost first, and its text. A list of
 * values comes as one, "a, b"; an empty mapping, or a key with nothing behind it, as NULL. Borrowed until the visit
 * ends. */
#define PCT_YAML_MAX_DEPTH 8
typedef struct pct_yaml_value {
    const char *keys[PCT_YAML_MAX_DEPTH];
    int depth;
    const char *text;
    int64_t line;
} pct_yaml_value;
/* An error gets "name:LINE: " in front. */
typedef percept_status pct_yaml_visit(void *context, const pct_yaml_value *value, percept_error *error);
/* Gives every value in the file's order. The same YAML is accepted and the same refused as in configs, a key twice in
 * one mapping too; what the keys mean is the visitor's business. */
percept_status pct_yaml_walk(const char *name, const char *data, size_t size, pct_yaml_visit *visit, void *context,
                             percept_error *error);

/* The effective config as YAML that loads back to the same values, in the table's order, sections nested. */
void pct_config_write(const pct_config *config, pct_text *out);
/* Every key with type, range, default and doc, two lines each, for help. Needs no loaded config. */
void pct_config_describe(const pct_config_field *fields, size_t count, pct_text *out);

#endif
