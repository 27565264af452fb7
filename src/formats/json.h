/* json.h: small JSON documents through jansson, and writing JSON into a text.
 *
 * For requests, results and files of some MB; data sets of any size go through json_reader.h. Duplicate keys, NUL in
 * strings and anything after the value are refused. All errors are PERCEPT_ERROR_INPUT and name the key and the mend.
 */
#ifndef PCT_FORMATS_JSON_H
#define PCT_FORMATS_JSON_H

#include "base/error.h"
#include "base/text.h"

#include <jansson.h>

/* `name` stands in messages: "name:LINE:COLUMN: ...". *out: caller owns, json_decref. */
percept_status pct_json_parse(json_t **out, const char *name, const char *data, size_t size, percept_error *error);
percept_status pct_json_load(json_t **out, const char *path, size_t limit, percept_error *error);

/* Getters from an object. Messages say: key 'width': <what is wrong>; expected <what>. The file's name is added by the
 * caller with pct_error_prefix. What they give is borrowed from the object. */
percept_status pct_json_get_object(const json_t *object, const char *key, json_t **out, percept_error *error);
percept_status pct_json_get_array(const json_t *object, const char *key, json_t **out, percept_error *error);
percept_status pct_json_get_string(const json_t *object, const char *key, const char **out, percept_error *error);
percept_status pct_json_get_i64(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *out,
                                percept_error *error);
percept_status pct_json_get_f64(const json_t *object, const char *key, double min, double max, double *out,
                                percept_error *error);
percept_status pct_json_get_bool(const json_t *object, const char *key, bool *out, percept_error *error);
/* The same when the key may be missing or null: *out is `fallback` then. */
percept_status pct_json_get_object_or_null(const json_t *object, const char *key, json_t **out, percept_error *error);
percept_status pct_json_get_array_or_null(const json_t *object, const char *key, json_t **out, percept_error *error);
percept_status pct_json_get_string_or(const json_t *object, const char *key, const char *fallback, const char **out,
                                      percept_error *error);
percept_status pct_json_get_i64_or(const json_t *object, const char *key, int64_t min, int64_t max, int64_t fallback,
                                   int64_t *out, percept_error *error);
percept_status pct_json_get_f64_or(const json_t *object, const char *key, double min, double max, double fallback,
                                   double *out, percept_error *error);
percept_status pct_json_get_bool_or(const json_t *object, const char *key, bool fallback, bool *out,
                                    percept_error *error);
/* Refuses keys that are not in `known` (NULL-terminated): a misspelt option must not be ignored. */
percept_status pct_json_refuse_unknown(const json_t *object, const char *const *known, percept_error *error);

/* Adds a quoted JSON string. Bytes that are not UTF-8 become U+FFFD, one each; control characters are escaped; other
 * characters stay as they are. */
void pct_json_add_string(pct_text *text, const char *string, size_t length);
/* The same for a NUL-terminated string; NULL gives null. */
void pct_json_add_text(pct_text *text, const char *string);

#endif
