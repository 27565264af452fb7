/* yaml_private.h: between the event reader (yaml.c) and the table (yaml_table.c). Not for other folders. */
#ifndef PCT_FORMATS_YAML_PRIVATE_H
#define PCT_FORMATS_YAML_PRIVATE_H

#include "formats/yaml.h"

/* Index of the field with this path; -1. */
int pct_config_find(const pct_config *config, const char *key, size_t length);
/* Whether fields stand under this path. */
bool pct_config_is_section(const pct_config *config, const char *key, size_t length);
/* Stores one value (a list: its first item) or, with `append`, one more item of a list. Messages carry no file name. */
percept_status pct_config_store(pct_config *config, int field, const char *value, bool append, percept_error *error);
bool pct_config_is_list(const pct_config_field *field);
/* Empties a list. */
void pct_config_clear_list(pct_config *config, int field);
/* "unknown key 'x'; did you mean 'y'?" with PERCEPT_ERROR_INPUT. */
percept_status pct_config_unknown(const pct_config *config, const char *key, percept_error *error);
/* "an integer from 1 to 10": what the field takes. */
void pct_config_describe_type(const pct_config_field *field, pct_text *out);

#endif
