/* bpe_train.c: see bpe_train.h.
 *
 * Words are counted, sorted, and turned into rows of ids. For every pair of neighbours its count over all words and a
 * list of words that may hold it are kept. A merge visits only the words on the pair's list. The heap holds an entry of
 * at least the true count for every pair: counts that fell are noticed when the entry comes to the top. */
#include "tokenizer/bpe_train.h"

#include "base/arena.h"
#include "base/size.h"
#include "tokenizer/bpe_private.h"

#include <stdlib.h>
#include <string.h>

#define MAX_WORD 256 /* bytes; longer words are cut: no merge would be learnt from them */

struct word {
    const char *text;
    int32_t length; /* bytes, then symbols */
    int32_t *ids;
    int64_t count;
};

struct pair {
    int32_t left, right;
    int64_t count;
    int32_t list;  /* first of its occurrences, -1: none */
    int32_t dirty; /* the step in which its count last rose */
};

struct occurrence {
    int32_t word, next;
};

struct entry {
    int64_t count;
    int32_t pair;
};

struct grown { /* an array that grows */
    void *items;
    size_t count, capacity;
};

struct pct_bpe_trainer {
    pct_arena arena; /* texts */
    pct_bpe_train_options options;
    pct_bpe_splitter *splitter;
    pct_token_scratch scratch;
    pct_text_table word_ids, token_ids;
    struct grown words;       /* struct word */
    struct grown tokens;      /* pct_bpe_token */
    struct grown merges;      /* pct_bpe_merge */
    struct grown pairs;       /* struct pair */
    struct grown occurrences; /* struct occurrence */
    struct grown heap;        /* struct entry */
    struct grown risen;       /* int32_t: pairs whose count rose in this step */
    pct_pair_table pair_ids;
    int64_t adding; /* count of the text that is being added */
    percept_error *error;
};

static void *extend(struct grown *array, size_t size) {
    if (array->count == array->capacity) {
        size_t capacity = array->capacity ? array->capacity * 2 : 256;
        void *larger = capacity > INT32_MAX ? NULL : realloc(array->items, capacity * size);
        if (!larger) return NULL;
        array->items = larger;
        array->capacity = capacity;
    }
    return (char *)array->items + size * array->count++;
}

static percept_status no_memory(pct_bpe_trainer *trainer) {
    return pct_fail_memory(trainer->error, "tokenizer training");
}

static percept_status check_options(const pct_bpe_train_options *options, percept_error *error) {
    if (options->special_count < 0 || options->special_count > 4096 ||
        options->vocabulary < options->special_count + 256 || options->vocabulary > PCT_BPE_MAX_VOCABULARY) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "a vocabulary of %d; %d (special tokens and bytes) to %d are allowed", options->vocabulary,
                        options->special_count + 256, PCT_BPE_MAX_VOCABULARY);
    }
    if (options->min_count < 0 || options->max_token < 0 || options->max_token > MAX_WORD) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "min_count must not be negative, max_token must be 0 to %d",
                        MAX_WORD);
    }
    for (int32_t i = 0; i < options->special_count; i++) {
        bool good = options->specials[i][0] && strlen(options->specials[i]) <= PCT_BPE_MAX_TOKEN;
        for (int32_t j = 0; j < i; j++) good = good && strcmp(options->specials[i], options->specials[j]) != 0;
        if (!good) {
            return pct_fail(error, PERCEPT_ERROR_USAGE, "special token '%.80s' is empty, too long or stands twice",
                            options->specials[i]);
        }
    }
    const char *marks[] = {options->bos, options->eos, options->pad};
    for (size_t i = 0; i < PCT_COUNT(marks); i++) {
        bool found = !marks[i];
        for (int32_t j = 0; j < options->special_count; j++) {
            found = found || strcmp(marks[i], options->specials[j]) == 0;
        }
        if (!found) return pct_fail(error, PERCEPT_ERROR_USAGE, "'%.80s' is not among the special tokens", marks[i]);
    }
    return PERCEPT_OK;
}

/* Gives the token's id, which may be one that was there before. -1: no memory. */
static int32_t add_token(pct_bpe_trainer *trainer, const char *text, size_t length, enum pct_token_kind kind) {
    int32_t id = (int32_t)trainer->tokens.count;
    char *copy = pct_arena_text(&trainer->arena, text, length);
    if (!copy) return -1;
    int32_t found = pct_text_table_put(&trainer->token_ids, copy, length, id);
    if (found != id) return found;
    pct_bpe_token *token = extend(&trainer->tokens, sizeof *token);
    if (!token) return -1;
    *token = (pct_bpe_token){copy, length, kind};
    return id;
}

static percept_status add_first_tokens(pct_bpe_trainer *trainer) {
    const pct_bpe_train_options *options = &trainer->options;
    for (int32_t i = 0; i < options->special_count; i++) {
        if (add_token(trainer, options->specials[i], strlen(options->specials[i]), PCT_TOKEN_CONTROL) < 0) {
            return no_memory(trainer);
        }
    }
    for (int b = 0; b < 256; b++) {
        char byte = (char)b;
        int32_t id = add_token(trainer, &byte, 1, PCT_TOKEN_NORMAL);
        if (id < 0) return no_memory(trainer);
        if (id != options->special_count + b) {
            return pct_fail(trainer->error, PERCEPT_ERROR_USAGE, "special tokens have more than one byte");
        }
    }
    return PERCEPT_OK;
}

percept_status pct_bpe_trainer_create(pct_bpe_trainer **out, const pct_bpe_train_options *options,
                                      percept_error *error) {
    *out = NULL;
    PCT_TRY(check_options(options, error));
    pct_bpe_trainer *trainer = calloc(1, sizeof *trainer);
    if (!trainer) return pct_fail_memory(error, "tokenizer training");
    pct_arena_init(&trainer->arena, 0);
    trainer->options = *options;
    if (!options->min_count) trainer->options.min_count = 2;
    if (!options->max_token) trainer->options.max_token = 32;
    trainer->error = error;
    percept_status status =
        pct_bpe_splitter_create(&trainer->splitter, options->pattern ? options->pattern : "percept", error);
    if (status == PERCEPT_OK) status = add_first_tokens(trainer);
    /* From here on the specials' texts are the trainer's own; bos, eos and pad are found by position. */
    pct_bpe_token *tokens = trainer->tokens.items;
    for (int32_t i = 0; status == PERCEPT_OK && i < options->special_count; i++) {
        if (options->bos && strcmp(options->bos, tokens[i].text) == 0) trainer->options.bos = tokens[i].text;
        if (options->eos && strcmp(options->eos, tokens[i].text) == 0) trainer->options.eos = tokens[i].text;
        if (options->pad && strcmp(options->pad, tokens[i].text) == 0) trainer->options.pad = tokens[i].text;
    }
    trainer->options.specials = NULL;
    if (status == PERCEPT_OK)
        *out = trainer;
    else
        pct_bpe_trainer_destroy(&trainer);
    return status;
}

void pct_bpe_trainer_destroy(pct_bpe_trainer **handle) {
    pct_bpe_trainer *trainer = *handle;
    if (!trainer) return;
    struct grown *arrays[] = {&trainer->words,       &trainer->tokens, &trainer->merges, &trainer->pairs,
                              &trainer->occurrences, &trainer->heap,   &trainer->risen};
    for (size_t i = 0; i < PCT_COUNT(arrays); i++) free(arrays[i]->items);
    pct_text_table_free(&trainer->word_ids);
    pct_text_table_free(&trainer->token_ids);
    pct_pair_table_free(&trainer->pair_ids);
    pct_bpe_splitter_destroy(&trainer->splitter);
    pct_token_scratch_free(&trainer->scratch);
    pct_arena_free(&trainer->arena);
    free(trainer);
    *handle = NULL;
}

static percept_status count_word(pct_bpe_trainer *trainer, const char *text, size_t length) {
    int32_t index = pct_text_table_find(&trainer->word_ids, text, length);
    if (index < 0) {
        index = (int32_t)trainer->words.count;
        char *copy = pct_arena_text(&trainer->arena, text, length);
        struct word *word = copy ? extend(&trainer->words, sizeof *word) : NULL;
        if (!word || pct_text_table_put(&trainer->word_ids, copy, length, index) < 0) return no_memory(trainer);
        *word = (struct word){.text = copy, .length = (int32_t)length};
    }
    struct word *word = (struct word *)trainer->words.items + index;
    if (__builtin_add_overflow(word->count, trainer->adding, &word->count)) word->count = INT64_MAX / 4096;
    return PERCEPT_OK;
}

static percept_status visit_word(void *context, const char *text, size_t length) {
    for (; length > MAX_WORD; text += MAX_WORD, length -= MAX_WORD) PCT_TRY(count_word(context, text, MAX_WORD));
    return count_word(context, text, length);
}

percept_status pct_bpe_trainer_add(pct_bpe_trainer *trainer, const char *text, size_t length, int64_t count,
                                   percept_error *error) {
    if (count <= 0) return PERCEPT_OK;
    trainer->adding = count;
    trainer->error = error;
    return pct_bpe_split(trainer->splitter, &trainer->scratch, text, length, visit_word, trainer, error);
}

/* ---- merging ---- */

static int compare_texts(const char *a, size_t a_length, const char *b, size_t b_length) {
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order ? order : a_length < b_length ? -1 : a_length > b_length;
}

static int by_text(const void *a, const void *b) {
    const struct word *x = a, *y = b;
    return compare_texts(x->text, (size_t)x->length, y->text, (size_t)y->length);
}

static int compare_tokens(const pct_bpe_trainer *trainer, int32_t a, int32_t b) {
    const pct_bpe_token *tokens = trainer->tokens.items;
    return compare_texts(tokens[a].text, tokens[a].length, tokens[b].text, tokens[b].length);
}

static bool before(const pct_bpe_trainer *trainer, const struct entry *a, const struct entry *b) {
    if (a->count != b->count) return a->count > b->count;
    const struct pair *x = (struct pair *)trainer->pairs.items + a->pair;
    const struct pair *y = (struct pair *)trainer->pairs.items + b->pair;
    int order = compare_tokens(trainer, x->left, y->left);
    return (order ? order : compare_tokens(trainer, x->right, y->right)) < 0;
}

static bool heap_push(pct_bpe_trainer *trainer, struct entry entry) {
    if (!extend(&trainer->heap, sizeof entry)) return false;
    struct entry *heap = trainer->heap.items;
    size_t i = trainer->heap.count - 1;
    for (; i && before(trainer, &entry, &heap[(i - 1) / 2]); i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = entry;
    return true;
}

static struct entry heap_pop(pct_bpe_trainer *trainer) {
    struct entry *heap = trainer->heap.items;
    struct entry top = heap[0], last = heap[--trainer->heap.count];
    size_t count = trainer->heap.count, i = 0;
    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && before(trainer, &heap[child + 1], &heap[child])) child++;
        if (!before(trainer, &heap[child], &last)) break;
        heap[i] = heap[child];
    }
    if (count) heap[i] = last;
    return top;
}

/* Adds the word's pairs to their counts and lists. */
static percept_status add_pairs(pct_bpe_trainer *trainer, int32_t index, int32_t step) {
    const struct word *word = (struct word *)trainer->words.items + index;
    for (int32_t i = 0; i + 1 < word->length; i++) {
        int32_t fresh = (int32_t)trainer->pairs.count;
        int32_t id = pct_pair_table_put(&trainer->pair_ids, word->ids[i], word->ids[i + 1], fresh);
        struct pair *pair = id == fresh ? extend(&trainer->pairs, sizeof *pair) : NULL;
        if (id < 0 || (id == fresh && !pair)) return no_memory(trainer);
        if (pair) *pair = (struct pair){word->ids[i], word->ids[i + 1], 0, -1, -1};
        pair = (struct pair *)trainer->pairs.items + id;
        pair->count += word->count;
        if (pair->dirty != step) {
            int32_t *risen = extend(&trainer->risen, sizeof *risen);
            if (!risen) return no_memory(trainer);
            *risen = id;
            pair->dirty = step;
        }
        const struct occurrence *list = trainer->occurrences.items;
        if (pair->list >= 0 && list[pair->list].word == index) continue;
        struct occurrence *occurrence = extend(&trainer->occurrences, sizeof *occurrence);
        if (!occurrence) return no_memory(trainer);
        *occurrence = (struct occurrence){index, pair->list};
        pair->list = (int32_t)trainer->occurrences.count - 1;
    }
    return PERCEPT_OK;
}

static bool holds(const struct word *word, int32_t left, int32_t right) {
    for (int32_t i = 0; i + 1 < word->length; i++) {
        if (word->ids[i] == left && word->ids[i + 1] == right) return true;
    }
    return false;
}

/* Takes the word's pairs off their counts, merges, and counts its new pairs. Words are short: that is quicker than to
 * track which neighbours changed. */
static percept_status merge_word(pct_bpe_trainer *trainer, int32_t index, const pct_bpe_merge *merge, int32_t step) {
    struct word *word = (struct word *)trainer->words.items + index;
    struct pair *pairs = trainer->pairs.items;
    if (!holds(word, merge->left, merge->right)) return PERCEPT_OK; /* an occurrence that is gone */
    for (int32_t i = 0; i + 1 < word->length; i++) {
        pairs[pct_pair_table_find(&trainer->pair_ids, word->ids[i], word->ids[i + 1])].count -= word->count;
    }
    int32_t length = 0;
    for (int32_t i = 0; i < word->length; length++) {
        bool here = i + 1 < word->length && word->ids[i] == merge->left && word->ids[i + 1] == merge->right;
        word->ids[length] = here ? merge->result : word->ids[i];
        i += here ? 2 : 1;
    }
    word->length = length;
    return add_pairs(trainer, index, step);
}

static percept_status push_risen(pct_bpe_trainer *trainer) {
    const int32_t *risen = trainer->risen.items;
    for (size_t i = 0; i < trainer->risen.count; i++) {
        int64_t count = ((struct pair *)trainer->pairs.items)[risen[i]].count;
        if (count >= trainer->options.min_count && !heap_push(trainer, (struct entry){count, risen[i]})) {
            return no_memory(trainer);
        }
    }
    trainer->risen.count = 0;
    return PERCEPT_OK;
}

/* The token that the pair becomes; -1: it must not be merged; -2: no memory. A text that two different pairs spell is
 * one token; a text that spells a special token is never made. */
static int32_t joined_token(pct_bpe_trainer *trainer, const struct pair *pair) {
    const pct_bpe_token *tokens = trainer->tokens.items;
    const pct_bpe_token *left = &tokens[pair->left], *right = &tokens[pair->right];
    size_t length = left->length + right->length;
    char joined[2 * MAX_WORD];
    if (length > (size_t)trainer->options.max_token) return -1;
    memcpy(joined, left->text, left->length);
    memcpy(joined + left->length, right->text, right->length);
    int32_t found = pct_text_table_find(&trainer->token_ids, joined, length);
    if (found >= 0) return found < trainer->options.special_count ? -1 : found;
    int32_t id = add_token(trainer, joined, length, PCT_TOKEN_NORMAL);
    return id < 0 ? -2 : id;
}

static percept_status merge_pair(pct_bpe_trainer *trainer, int32_t index, int32_t step) {
    struct pair pair = ((struct pair *)trainer->pairs.items)[index];
    int32_t result = joined_token(trainer, &pair);
    if (result == -1) return PERCEPT_OK;
    pct_bpe_merge *merge = result < 0 ? NULL : extend(&trainer->merges, sizeof *merge);
    if (!merge) return no_memory(trainer);
    *merge = (pct_bpe_merge){pair.left, pair.right, result};
    pct_bpe_merge now = *merge;
    ((struct pair *)trainer->pairs.items)[index].list = -1;
    for (int32_t i = pair.list; i >= 0;) {
        struct occurrence occurrence = ((struct occurrence *)trainer->occurrences.items)[i];
        PCT_TRY(merge_word(trainer, occurrence.word, &now, step));
        i = occurrence.next;
    }
    return push_risen(trainer);
}

static percept_status learn(pct_bpe_trainer *trainer) {
    struct word *words = trainer->words.items;
    if (trainer->words.count) qsort(words, trainer->words.count, sizeof *words, by_text);
    for (size_t i = 0; i < trainer->words.count; i++) {
        words[i].ids = pct_arena_take(&trainer->arena, (size_t)words[i].length * sizeof *words[i].ids);
        if (!words[i].ids) return no_memory(trainer);
        for (int32_t k = 0; k < words[i].length; k++) {
            words[i].ids[k] = trainer->options.special_count + (unsigned char)words[i].text[k];
        }
        PCT_TRY(add_pairs(trainer, (int32_t)i, 0));
    }
    PCT_TRY(push_risen(trainer));
    for (int32_t step = 1; trainer->heap.count && trainer->tokens.count < (size_t)trainer->options.vocabulary;) {
        struct entry top = heap_pop(trainer);
        int64_t count = ((struct pair *)trainer->pairs.items)[top.pair].count;
        if (count == top.count) {
            PCT_TRY(merge_pair(trainer, top.pair, step++));
        } else if (count < top.count && count >= trainer->options.min_count) {
            if (!heap_push(trainer, (struct entry){count, top.pair})) return no_memory(trainer);
        }
    }
    return PERCEPT_OK;
}

static int32_t special_id(const pct_bpe_trainer *trainer, const char *text) {
    return text ? pct_text_table_find(&trainer->token_ids, text, strlen(text)) : -1;
}

percept_status pct_bpe_trainer_finish(pct_bpe_trainer *trainer, pct_tokenizer **tokenizer, percept_error *error) {
    *tokenizer = NULL;
    trainer->error = error;
    PCT_TRY(learn(trainer));
    pct_bpe_parts parts = {.tokens = trainer->tokens.items,
                           .token_count = (int32_t)trainer->tokens.count,
                           .merges = trainer->merges.items,
                           .merge_count = (int32_t)trainer->merges.count,
                           .pattern = trainer->splitter->name,
                           .bos = special_id(trainer, trainer->options.bos),
                           .eos = special_id(trainer, trainer->options.eos),
                           .pad = special_id(trainer, trainer->options.pad),
                           .unknown = -1,
                           .add_bos = trainer->options.bos != NULL};
    return pct_bpe_build(tokenizer, &parts, error);
}
