/* template.h: how a picture and turns of talk become ids. Templates are built in and named; a model file says which.
 *
 * A prefix stands once before all questions about a picture: the template's lead and the picture's tokens. A segment is
 * one conversation: turns of question and answer. The template `percept`:
 *     prefix    <bos> <img> × image tokens          once a picture, shared by all questions packed over it
 *     a turn    <user> question <assistant> answer <eos>
 * `perceptiongpt` is Vicuna's talk with PerceptionGPT's marks (arXiv 2311.06612), `mllmseg` InternVL 2.5's with [SEG];
 * template_styles.c has their texts. Positions here count from the segment's own start; the caller adds the prefix's
 * length.
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

/* Those of them that a tokenizer of another origin lacks, in `missing`, in order; returns how many. <bos>, <eos> and
 * <pad> are its own BOS, EOS and PAD where it has such. */
int32_t pct_template_missing(const pct_tokenizer *tokenizer, const char *missing[PCT_TEMPLATE_SPECIAL_COUNT]);

/* The texts of a template. Where a special token's text stands in one of them, the token is meant. */
typedef struct pct_template_style {
    const char *name;
    const char *pad, *bos, *eos; /* special tokens; NULL: none */
    const char *image, *object, *phrase_begin, *phrase_end, *user, *assistant;
    const char *lead;         /* before the picture */
    const char *first, *next; /* before the first question about a picture, and before each later one */
    const char *answer;       /* between question and answer */
    const char *end;          /* after an answer */
    const char *objects_begin, *objects_between, *objects_end; /* around objects that follow each other; "" none */
    bool rounds_boxes; /* boxes that are read have 3 decimals of the square's side */
    bool strip;        /* white space beside a special token is dropped (LLaMA's first tokenizer) */
    /* The questions that tasks stand for: %s is the user's phrase. NULL: the family cannot do it. */
    const char *find, *describe, *name_region;
    const char *ask; /* around the user's own question; NULL: as it is */
    /* A family that is made to speak: how its answers begin (%s: the phrase) and end, its object between. NULL: it
     * speaks for itself. */
    const char *find_begun, *ask_begun, *begun_end;
} pct_template_style;

/* NULL: unknown. */
const pct_template_style *pct_template_style_find(const char *name);

typedef struct pct_template {
    const pct_template_style *style;
    const pct_tokenizer *tokenizer;                                                  /* borrowed */
    int32_t pad, bos, eos, image, object, phrase_begin, phrase_end, user, assistant; /* -1: none */
} pct_template;

/* PERCEPT_ERROR_MODEL when the name is unknown or the tokenizer lacks one of the template's tokens. */
percept_status pct_template_init(pct_template *template, const char *name, const pct_tokenizer *tokenizer,
                                 percept_error *error);

/* Whether an answer may hold the special token: the marks around phrases and objects; not the object itself. */
bool pct_template_speaks(const pct_template *template, int32_t id);

typedef struct pct_template_turn {
    const char *question; /* NUL-terminated */
    const char *frame;    /* a text of the style's with the question in place of its %s; NULL: the question alone */
    int regions;          /* how many regions "<obj>" in the question stands for; 0: "<obj>" there is plain text */
    const char *answer;   /* NULL (last turn only): the segment ends after <assistant>, ready to generate */
    bool marks;           /* "<p>", "</p>" and "<obj>" in the answer are special */
    const char *begun;    /* without an answer: how it begins, plain text; NULL: nothing is said yet */
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
    int32_t begun; /* so many ids at the end are the begun answer's */
    pct_text run;  /* working memory */
    size_t target_capacity, object_capacity;
} pct_rendered;
void pct_rendered_free(pct_rendered *rendered);

/* ids of the prefix, appended: the lead and `image_tokens` times the picture's token (0: talk without a picture). */
percept_status pct_template_prefix(const pct_template *template, pct_token_scratch *scratch, int32_t image_tokens,
                                   pct_ids *ids, percept_error *error);
/* The phrase as published models were shown it: lower case, without white space and full stops at its ends; appended.
 */
void pct_template_plain_phrase(const char *phrase, pct_text *out);
/* The style's text with the user's in place of %s, appended. */
void pct_template_fill(const char *format, const char *text, pct_text *out);

/* PERCEPT_ERROR_USAGE when a question's regions and the count of its "<obj>" differ, or an answer is missing before
 * the last turn. At most 32767 turns. */
percept_status pct_template_render(const pct_template *template, pct_token_scratch *scratch,
                                   const pct_template_turn *turns, int turn_count, pct_rendered *rendered,
                                   percept_error *error);

#endif
