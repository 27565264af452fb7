/* chat.h: the talk of language models of other makers, as turns of text. Their formats are built in and named; no
 * template language is run. percept's own models use template.h.
 *
 * What a person writes never becomes a special token: those of the format stand only where the format puts them. The
 * ids are those that the models' own templates give for the same turns (leaving that one rule aside). */
#ifndef PCT_TOKENIZER_CHAT_H
#define PCT_TOKENIZER_CHAT_H

#include "tokenizer/tokenizer.h"

enum pct_chat_role { PCT_CHAT_SYSTEM, PCT_CHAT_USER, PCT_CHAT_ASSISTANT };

typedef struct pct_chat_turn {
    enum pct_chat_role role;
    const char *text; /* NUL-terminated */
    bool special; /* texts of special tokens in it count as such (image tokens that a program wrote, not a person) */
} pct_chat_turn;

#define PCT_CHAT_MAX_ENDS 4

struct pct_chat_format;
/* A format bound to a tokenizer. A plain value: copy it, nothing to free. */
typedef struct pct_chat {
    const struct pct_chat_format *format; /* static */
    const pct_tokenizer *tokenizer;       /* borrowed */
    int32_t ends[PCT_CHAT_MAX_ENDS];      /* ids that end an answer; EOS among them */
    int end_count;
} pct_chat;

/* "chatml, qwen2, ...": all names, for messages and help. Static. */
const char *pct_chat_names(void);
const char *pct_chat_name(const pct_chat *chat);

/* PERCEPT_ERROR_USAGE for a name that is not known (the message names all of them); PERCEPT_ERROR_MODEL when the
 * tokenizer lacks a special token of the format. */
percept_status pct_chat_init(pct_chat *chat, const char *name, const pct_tokenizer *tokenizer, percept_error *error);

/* The name of the format, by marks in the template's text (Jinja; NULL: none), else by the model's name and
 * architecture as general.name and general.architecture have them (NULL: none). PERCEPT_ERROR_MODEL when neither tells;
 * the message names the known ones and says --template. *name is static. */
percept_status pct_chat_recognise(const char **name, const char *template_text, const char *model_name,
                                  const char *architecture, percept_error *error);

/* All turns, appended; a system turn may only come first, and where none is given the format's own system text stands,
 * if it has one. With `prompt` the beginning of an answer follows, ready to generate. PERCEPT_ERROR_USAGE when a system
 * turn comes later, or where the format wants user and assistant in turn and they do not. */
percept_status pct_chat_render(const pct_chat *chat, pct_token_scratch *scratch, const pct_chat_turn *turns, int count,
                               bool prompt, pct_ids *ids, percept_error *error);
/* The next question of a dialogue that goes on, appended: what closes the answer just generated (`last`: the last id
 * that the model has seen, its end token or not), a user turn, and the beginning of the next answer. */
percept_status pct_chat_next(const pct_chat *chat, pct_token_scratch *scratch, int32_t last, const pct_chat_turn *user,
                             pct_ids *ids, percept_error *error);
/* Whether the id ends an answer. */
bool pct_chat_ends(const pct_chat *chat, int32_t id);

#endif
