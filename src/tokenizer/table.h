/* table.h: hash tables of the tokenizers: texts to ids, and pairs of ids to ranks. Not for other layers.
 *
 * Both are open-addressed and at most half full. The seed comes from the vocabulary's own bytes, so that a file cannot
 * easily be made in which everything collides. */
#ifndef PCT_TOKENIZER_TABLE_H
#define PCT_TOKENIZER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pct_text_entry {
    const char *text; /* borrowed */
    size_t length;
    int32_t id;
} pct_text_entry;

typedef struct pct_text_table {
    pct_text_entry *entries; /* text NULL: free */
    size_t capacity, count;  /* capacity: 0 or a power of two */
    uint64_t seed;
} pct_text_table;

/* -1: not there. */
int32_t pct_text_table_find(const pct_text_table *table, const char *text, size_t length);
/* The id that is there already, else puts in `id` and gives it back; -1 when memory is out. Borrows the text. */
int32_t pct_text_table_put(pct_text_table *table, const char *text, size_t length, int32_t id);
void pct_text_table_free(pct_text_table *table);

typedef struct pct_pair_table {
    uint64_t *keys; /* left << 32 | right, plus 1; 0: free */
    int32_t *values;
    size_t capacity, count;
    uint64_t seed;
} pct_pair_table;

int32_t pct_pair_table_find(const pct_pair_table *table, int32_t left, int32_t right);
int32_t pct_pair_table_put(pct_pair_table *table, int32_t left, int32_t right, int32_t value);
void pct_pair_table_free(pct_pair_table *table);

#endif
