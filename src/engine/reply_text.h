/* reply_text.h: the model's tokens, one after the other, to the text a user reads.
 *
 * Phrase marks are taken out and remembered; an object token becomes " <obj>" with its region's number; a region that
 * the caller drops leaves nothing behind. Only ever appends, so that the same code serves streaming and the finished
 * answer. What the model writes as plain letters can never look like an object token: "<obj>" in ordinary text becomes
 * "<obj >". Bytes that are not UTF-8 become U+FFFD. */
#ifndef PCT_ENGINE_REPLY_TEXT_H
#define PCT_ENGINE_REPLY_TEXT_H

#include "base/text.h"
#include "tokenizer/template.h"

typedef struct pct_reply_text {
    const pct_template *template; /* borrowed */
    pct_text text;                /* what the user sees so far */
    pct_text phrase;              /* between the last <p> and </p> */
    pct_token_stream stream;
    size_t open_begin;  /* where in `text` the open phrase began */
    bool open;          /* inside <p> */
    bool has_phrase;    /* `phrase` holds one */
    bool unbalanced;    /* sticky: marks that do not nest */
    bool space_pending; /* white space that is only written when something follows */
    bool after_special; /* nothing ordinary came since a special token */
} pct_reply_text;

/* Zero-initialised but for `template`. */
void pct_reply_text_free(pct_reply_text *reply);
/* The next token. For the object token, `keep` says whether its region is shown. */
void pct_reply_text_add(pct_reply_text *reply, int32_t id, bool keep);
/* No more tokens: what hangs in the air is written out. */
void pct_reply_text_end(pct_reply_text *reply);
/* The phrase that an object token coming now would belong to; NULL when there is none. Borrowed until the next add. */
const char *pct_reply_text_phrase(const pct_reply_text *reply);

#endif
