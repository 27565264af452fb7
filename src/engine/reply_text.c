/* reply_text.c: see reply_text.h. */
#include "engine/reply_text.h"

#include <string.h>

static const char object_text[] = "<obj>";

void pct_reply_text_free(pct_reply_text *reply) {
    pct_text_free(&reply->text);
    pct_text_free(&reply->phrase);
}

static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/* Line breaks and runs of blanks become one blank, none stand at either end: an answer is one line (interface.md). A
 * blank is held back until something follows. */
static void add_char(pct_reply_text *reply, char c) {
    pct_text *text = &reply->text;
    if (is_space(c)) {
        reply->space_pending = text->length > 0;
        return;
    }
    if ((unsigned char)c < 0x20 || c == 0x7f) return;
    /* Every run of words of LLaMA's first tokenizer begins with a blank, be it a full stop. */
    const bool closes = reply->after_special && reply->template->style->strip && strchr(".,;:!?)]", c);
    if (reply->space_pending && !closes) pct_text_add(text, " ", 1);
    reply->space_pending = reply->after_special = false;
    size_t mark = sizeof object_text - 2;
    if (c == '>' && text->length >= mark && /* behind a real one stands "obj>" */
        memcmp(text->data + text->length - mark, object_text, mark) == 0) {
        pct_text_add(text, " ", 1);
    }
    pct_text_add(text, &c, 1);
}

static void add_chars(pct_reply_text *reply, const pct_text *chars) {
    for (size_t i = 0; i < chars->length; i++) add_char(reply, chars->data[i]);
    if (chars->failed) reply->text.failed = true;
}

static void flush_stream(pct_reply_text *reply) {
    pct_text rest = {0};
    pct_token_stream_end(&reply->stream, &rest);
    add_chars(reply, &rest);
    pct_text_free(&rest);
}

static void close_phrase(pct_reply_text *reply) {
    size_t begin = reply->open_begin;
    const pct_text *text = &reply->text;
    while (begin < text->length && text->data[begin] == ' ') begin++;
    pct_text_clear(&reply->phrase);
    if (begin < text->length) pct_text_add(&reply->phrase, text->data + begin, text->length - begin);
    reply->has_phrase = reply->phrase.length > 0;
}

static void add_object(pct_reply_text *reply, bool keep) {
    pct_text *text = &reply->text;
    if (reply->open) reply->unbalanced = true;
    if (!keep) {
        reply->space_pending = false; /* the blank before it goes with it */
        return;
    }
    bool after_text = text->length > 0 && !is_space(text->data[text->length - 1]) &&
                      text->data[text->length - 1] != '(' && text->data[text->length - 1] != '[';
    if (after_text) pct_text_add(text, " ", 1);
    reply->space_pending = false;
    pct_text_puts(text, object_text);
}

void pct_reply_text_add(pct_reply_text *reply, int32_t id, bool keep) {
    const pct_template *template = reply->template;
    if (!pct_tokenizer_is_special(template->tokenizer, id)) {
        pct_text chars = {0};
        pct_token_stream_add(&reply->stream, template->tokenizer, id, false, &chars);
        add_chars(reply, &chars);
        pct_text_free(&chars);
        return;
    }
    flush_stream(reply);
    if (id == template->phrase_begin) {
        if (reply->open) reply->unbalanced = true;
        reply->open = true;
        reply->has_phrase = false;
        reply->open_begin = reply->text.length;
    } else if (id == template->phrase_end) {
        if (reply->open) {
            close_phrase(reply);
        } else {
            reply->unbalanced = true;
        }
        reply->open = false;
    } else if (id == template->object) {
        add_object(reply, keep);
    }
    reply->after_special = true;
}

void pct_reply_text_end(pct_reply_text *reply) {
    flush_stream(reply);
    if (reply->open) reply->unbalanced = true;
    if (!reply->text.data) pct_text_add(&reply->text, "", 0);
}

const char *pct_reply_text_phrase(const pct_reply_text *reply) {
    return reply->has_phrase && !reply->open ? reply->phrase.data : NULL;
}
