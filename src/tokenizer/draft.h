/* draft.h: a vocabulary gathered from Hugging Face's or SentencePiece's files, before it is checked and built. Not for
 * other layers.
 *
 * Readers add tokens and merges as the files write them, in any order, and the settings; build gives every token its
 * place, refuses ids and texts that are there twice, and turns texts into bytes. */
#ifndef PCT_TOKENIZER_DRAFT_H
#define PCT_TOKENIZER_DRAFT_H

#include "tokenizer/bpe.h"
#include "tokenizer/table.h"

#include <jansson.h>

#define PCT_DRAFT_MAX_FILE  (256u << 20) /* bytes of a file; the largest vocabularies in use have 35 MB */
#define PCT_DRAFT_MAX_HOLES 4096         /* ids that no token has */

enum pct_draft_form {
    PCT_DRAFT_BYTES,      /* GPT-2's characters and merges */
    PCT_DRAFT_CHARACTERS, /* U+2581 for blanks, and merges */
    PCT_DRAFT_SCORES,     /* U+2581 for blanks, and scores */
};

typedef struct pct_draft_token {
    size_t offset, length; /* of the text in the draft's texts */
    int64_t id;
    enum pct_token_kind kind;
    unsigned rules;
    float score;
    bool named; /* added only: a token that is there by this text, whatever its id, becomes one of its own */
} pct_draft_token;

typedef struct pct_draft_tokens {
    pct_draft_token *items;
    size_t count, capacity;
} pct_draft_tokens;

typedef struct pct_draft_merge {
    size_t offset, left, right; /* both texts, one behind the other */
} pct_draft_merge;

enum { PCT_DRAFT_BOS, PCT_DRAFT_EOS, PCT_DRAFT_PAD, PCT_DRAFT_UNKNOWN, PCT_DRAFT_MARKS };

/* Zero-initialise, set `name`; free with pct_draft_free. */
typedef struct pct_draft {
    const char *name; /* of the file, for messages; borrowed */
    pct_text texts;
    pct_draft_tokens tokens, added;
    pct_draft_merge *merges;
    size_t merge_count, merge_capacity;
    enum pct_draft_form form;
    bool byte_tokens;                  /* texts like <0x0A> stand for bytes */
    pct_bpe_parts parts;               /* the settings: pattern, prefix, nfc, ...; build fills in the rest */
    char *mark_texts[PCT_DRAFT_MARKS]; /* owned; NULL: none by text */
    int64_t mark_ids[PCT_DRAFT_MARKS]; /* used without a text, where has_mark_ids */
    bool has_mark_ids;
} pct_draft;

void pct_draft_free(pct_draft *draft);
/* "NAME: ..." with PERCEPT_ERROR_MODEL. */
percept_status pct_draft_fail(const pct_draft *draft, percept_error *error, const char *format, ...) PCT_PRINTF(3, 4);
/* Texts are copied. An added token that is there twice with the same id counts as the first says. */
percept_status pct_draft_add(pct_draft *draft, pct_draft_tokens *list, const char *text, size_t length,
                             pct_draft_token token, percept_error *error);
percept_status pct_draft_add_merge(pct_draft *draft, const char *left, size_t left_length, const char *right,
                                   size_t right_length, percept_error *error);
/* The text of a mark (bos, ...); replaces an earlier one; NULL takes it away. */
percept_status pct_draft_set_mark(pct_draft *draft, int mark, const char *text, percept_error *error);
percept_status pct_draft_build(pct_draft *draft, pct_tokenizer **tokenizer, percept_error *error);

/* ---- files beside the vocabulary ------------------------------------------------------------------------------ */

/* What tokenizer_config.json, special_tokens_map.json, added_tokens.json, config.json and the chat template's own file
 * say. NULL: the file is not there. */
typedef struct pct_hf_extras {
    json_t *config, *special, *added, *model;
    char *chat_template;
} pct_hf_extras;
/* From a folder; free with pct_hf_extras_free. PERCEPT_ERROR_MODEL when one of the files is malformed. */
percept_status pct_hf_extras_load(pct_hf_extras *extras, const char *folder, percept_error *error);
void pct_hf_extras_free(pct_hf_extras *extras);
/* Into the draft: added tokens, marks, add_bos, chat template. `rules`: of added tokens whose own are not told;
 * `fixed`: the draft knows its added tokens already, and only missing ones are taken. */
percept_status pct_hf_extras_apply(const pct_hf_extras *extras, pct_draft *draft, unsigned rules, bool fixed,
                                   percept_error *error);
/* "Qwen2Tokenizer" or, without one, what config.json calls the language model, or "". Borrowed. */
const char *pct_hf_extras_class(const pct_hf_extras *extras);

/* ---- readers; from memory, for tests too. `name` stands in messages. ------------------------------------------ */

percept_status pct_hf_json_read(pct_tokenizer **out, const char *name, const void *data, size_t size,
                                const pct_hf_extras *extras, percept_error *error);
percept_status pct_hf_vocab_read(pct_tokenizer **out, const char *name, const void *vocab, size_t vocab_size,
                                 const void *merges, size_t merges_size, const pct_hf_extras *extras,
                                 percept_error *error);
percept_status pct_spm_model_read(pct_tokenizer **out, const char *name, const void *data, size_t size,
                                  const pct_hf_extras *extras, percept_error *error);

/* normalizer, pre_tokenizer and post_processor of a tokenizer.json (each may be JSON's null), into the draft. */
percept_status pct_hf_steps_apply(pct_draft *draft, const json_t *normalizer, const json_t *splitter,
                                  const json_t *processor, percept_error *error);

#endif
