/* toy.h: two small pictures of coloured rectangles with questions, a tokenizer made from their words, and the batch a
 * data pipeline would make of them. */
#ifndef PCT_TESTS_TOY_H
#define PCT_TESTS_TOY_H

#include "model/model.h"
#include "tokenizer/template.h"

#define TOY_PICTURES  2
#define TOY_QUESTIONS 3 /* a picture */

typedef struct toy_set {
    pct_model_config config;
    pct_tokenizer *tokenizer; /* owned until given away */
    pct_template template;
    pct_arena arena;
    pct_batch batch;
    const char *questions[TOY_PICTURES][TOY_QUESTIONS], *answers[TOY_PICTURES][TOY_QUESTIONS];
} toy_set;

/* x0,y0,x1,y1 in 0..1 of what the question's answer shows; NULL: nothing. */
const float *toy_shown(int picture, int question);

/* A structure that learns the pictures by heart in seconds. */
pct_model_config toy_config(void);
/* Fills everything; false when something failed. The tokenizer goes to the model: set toy->tokenizer to NULL then. */
bool toy_create(toy_set *toy, const pct_model_config *config);
void toy_free(toy_set *toy);
/* ids of a question, ready to generate; in the toy's arena. */
pct_prompt toy_prompt(toy_set *toy, const char *question);

#endif
