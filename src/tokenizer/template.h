/* template.h: how a picture and turns of talk become ids. Templates are built in and named; a model file says which.
 *
 * The template `percept`:
 *     prefix    <bos> <img> × image tokens          once a picture, shared by all questions packed over it
 *     a turn    <user> question <assistant> answer <eos>
 * Positions here count from the segment's own start; the caller adds the prefix's length.
 *
 * What a user writes never becomes a special token. The one exception is marked by the caller: a question's regions
 * say that each "<obj>" in it stands for one of them. In answers of training data "<p>", "</p>" and "<obj>" are marks
 * when the caller says so; any other special text in them stays plain text. */
#ifndef PCT_TOKENIZER_TEMPLATE_H
#define PCT_TOKENIZER_TEMPLATE_H

#include "tokenizer/bpe_train.h"

/* The special tokens of the template, by name. */
extern const char *const pct_template_specials[]; /* <pad> <bos> <eos> <img> <obj> <p> </p> <user> <assistant> */
#define PCT_TEMPLATE_SPECIAL_COUNT 9
/* What a tokenizer for the template is trained with. */
pct_bpe_train_options pct_template_train_options(int32_t vocabulary);

typedef struct pct_template {
    const pct_tokenizer *tokenizer; /* borrowed */
    int32_t pad, bos, eos, image, object, phrase_begin, phrase_end, user, assistant;
} pct_template;

/* PERCEPT_ERROR_MODEL when the name is unknown or the tokenizer lacks one of the template's tokens. */
percept_status pct_template_init(pct_template *template, const char *name, const pct_tokenizer *tokenizer,
                                 percept_error *error);

typedef struct pct_template_turn {
    const char *question; /* NUL-terminated */
    int regions;          /* how many regions "<obj>" in the question stands for; 0: "<obj>" there is plain text */
    const char *answer;   /* NULL (last turn only): the segment ends after <assistant>, ready to generate */
    bool marks;           /* "<p>", "</p>" and "<obj>" in the answer are special */
} pct_template_turn;

typedef struct pct_object_slot {
    int32_t position; /* of the <obj> token in ids; the state that predicts it is at position - 1 */
    int16_t turn;
    bool answer; /* else in the question: a region of the user's */
} pct_object_slot;

/* One conversation. Zero-initialise; every render overwrites it and reuses its memory. */
typedef struct pct_rendered {
    pct_ids ids;
    unsigned char *target;    /* ids.count of them: 1 where ids[i] is to be predicted (answers with their <eos>) */
    pct_object_slot *objects; /* in text order */
    int object_count, turn_count;
    size_t target_capacity, object_capacity;
} pct_rendered;
void pct_rendered_free(pct_rendered *rendered);

/* ids of the prefix, appended: <bos> and `image_tokens` times <img> (0: talk without a picture). */
percept_status pct_template_prefix(const pct_template *template, int32_t image_tokens, pct_ids *ids,
                                   percept_error *error);

/* PERCEPT_ERROR_USAGE when a question's regions and the count of its "<obj>" differ, or an answer is missing before
 * the last turn. At most 32767 turns. */
percept_status pct_template_render(const pct_template *template, pct_token_scratch *scratch,
                                   const pct_template_turn *turns, int turn_count, pct_rendered *rendered,
                                   percept_error *error);

#endif
