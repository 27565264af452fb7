/* table.c: see table.h. */
#include "tokenizer/table.h"

#include "base/random.h"

#include <stdlib.h>
#include <string.h>

static size_t text_slot(const pct_text_table *table, const char *text, size_t length) {
    uint64_t hash = table->seed ^ 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
    size_t mask = table->capacity - 1;
    size_t slot = (size_t)pct_hash_u64(hash) & mask;
    for (; table->entries[slot].text; slot = (slot + 1) & mask) {
        const pct_text_entry *entry = &table->entries[slot];
        if (entry->length == length && memcmp(entry->text, text, length) == 0) break;
    }
    return slot;
}

int32_t pct_text_table_find(const pct_text_table *table, const char *text, size_t length) {
    if (!table->capacity) return -1;
    const pct_text_entry *entry = &table->entries[text_slot(table, text, length)];
    return entry->text ? entry->id : -1;
}

static bool text_grow(pct_text_table *table) {
    pct_text_table larger = {.capacity = table->capacity ? table->capacity * 2 : 1024, .seed = table->seed};
    larger.entries = calloc(larger.capacity, sizeof *larger.entries);
    if (!larger.entries) return false;
    for (size_t i = 0; i < table->capacity; i++) {
        const pct_text_entry *entry = &table->entries[i];
        if (entry->text) larger.entries[text_slot(&larger, entry->text, entry->length)] = *entry;
    }
    larger.count = table->count;
    free(table->entries);
    *table = larger;
    return true;
}

int32_t pct_text_table_put(pct_text_table *table, const char *text, size_t length, int32_t id) {
    if (table->count * 2 >= table->capacity && !text_grow(table)) return -1;
    pct_text_entry *entry = &table->entries[text_slot(table, text, length)];
    if (entry->text) return entry->id;
    *entry = (pct_text_entry){text, length, id};
    table->count++;
    return id;
}

void pct_text_table_free(pct_text_table *table) {
    free(table->entries);
    *table = (pct_text_table){0};
}

static size_t pair_slot(const pct_pair_table *table, uint64_t key) {
    size_t mask = table->capacity - 1;
    size_t slot = (size_t)pct_hash_u64(key ^ table->seed) & mask;
    while (table->keys[slot] && table->keys[slot] != key) slot = (slot + 1) & mask;
    return slot;
}

static uint64_t pair_key(int32_t left, int32_t right) { return ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) + 1; }

int32_t pct_pair_table_find(const pct_pair_table *table, int32_t left, int32_t right) {
    if (!table->capacity) return -1;
    size_t slot = pair_slot(table, pair_key(left, right));
    return table->keys[slot] ? table->values[slot] : -1;
}

static bool pair_grow(pct_pair_table *table) {
    pct_pair_table larger = {.capacity = table->capacity ? table->capacity * 2 : 1024, .seed = table->seed};
    larger.keys = calloc(larger.capacity, sizeof *larger.keys);
    larger.values = calloc(larger.capacity, sizeof *larger.values);
    if (!larger.keys || !larger.values) {
        pct_pair_table_free(&larger);
        return false;
    }
    for (size_t i = 0; i < table->capacity; i++) {
        if (!table->keys[i]) continue;
        size_t slot = pair_slot(&larger, table->keys[i]);
        larger.keys[slot] = table->keys[i];
        larger.values[slot] = table->values[i];
    }
    larger.count = table->count;
    pct_pair_table_free(table);
    *table = larger;
    return true;
}

int32_t pct_pair_table_put(pct_pair_table *table, int32_t left, int32_t right, int32_t value) {
    if (table->count * 2 >= table->capacity && !pair_grow(table)) return -1;
    uint64_t key = pair_key(left, right);
    size_t slot = pair_slot(table, key);
    if (table->keys[slot]) return table->values[slot];
    table->keys[slot] = key;
    table->values[slot] = value;
    table->count++;
    return value;
}

void pct_pair_table_free(pct_pair_table *table) {
    free(table->keys);
    free(table->values);
    *table = (pct_pair_table){0};
}
