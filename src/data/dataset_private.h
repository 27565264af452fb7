/* dataset_private.h: what dataset_read.c and dataset_line.c share. Not for other files. */
#ifndef PCT_DATA_DATASET_PRIVATE_H
#define PCT_DATA_DATASET_PRIVATE_H

#include "data/dataset.h"
#include "formats/json.h"

#define DATASET_MAX_LINE        (64 << 20) /* bytes */
#define DATASET_MAX_SIDE        16384
#define DATASET_MAX_PIXELS      (1 << 25)
#define DATASET_MAX_MASK_PIXELS (1 << 28) /* of all objects of a picture together */
#define DATASET_MAX_TURNS       4096
#define DATASET_MAX_NAMES       1000000
#define DATASET_NAME_BYTES      256

struct dataset_names {
    char **items; /* owned; a hash set until sorted, then in byte order without gaps */
    int32_t count, capacity;
};
percept_status dataset_collect_names(const json_t *line, struct dataset_names *names, percept_error *error);
void dataset_sort_names(struct dataset_names *names);
void dataset_free_names(struct dataset_names *names);
/* -1: not one of them. Only after sorting. */
int32_t dataset_find_name(const struct dataset_names *names, const char *text);

percept_status dataset_parse(const char *data, size_t size, const char *path, uint32_t number, json_t **line,
                             percept_error *error);
/* Everything but the pixels. names NULL: they are not known yet, every name is -1. */
percept_status dataset_make_sample(const json_t *line, const struct dataset_names *names, pct_arena *arena,
                                   pct_sample *sample, percept_error *error);

#endif
