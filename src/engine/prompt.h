/* prompt.h: a user's question, checked, and rendered to the ids and regions that the model is given. */
#ifndef PCT_ENGINE_PROMPT_H
#define PCT_ENGINE_PROMPT_H

#include "engine/engine_private.h"

/* Everything of one question; freed with pct_prompt_free. */
typedef struct pct_asked {
    const percept_question *given; /* borrowed */
    const char *text;              /* given->text, or a question of the template's style */
    const char *frame;             /* the style's words around it; NULL: none */
    pct_arena arena;               /* regions */
    pct_region_in *regions;        /* one for each <obj> of the dialogue, in order; the question's own come last */
    int32_t region_count;          /* all */
    pct_rendered rendered;
} pct_asked;

/* Checks the question against the session's picture and the model's context, and renders it. USAGE names what is wrong
 * and where. Free in any case. */
percept_status pct_asked_prepare(pct_asked *asked, percept_session *session, const percept_question *question,
                                 percept_error *error);
void pct_asked_free(pct_asked *asked);

/* How often "<obj>" stands in a text. */
size_t pct_count_objects(const char *text);

/* Keeps question, raw reply and their regions in the answer, for the next turn. */
percept_status pct_asked_remember(const pct_asked *asked, const pct_template *template, const pct_reply *reply,
                                  const pct_model_config *config, percept_answer *answer, percept_error *error);

#endif
