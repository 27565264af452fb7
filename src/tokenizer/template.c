/* template.c: see template.h. */
#include "tokenizer/template.h"

#include "base/size.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

const char *const pct_template_specials[PCT_TEMPLATE_SPECIAL_COUNT] = {
    "<pad>", "<bos>", "<eos>", "<img>", "<obj>", "<p>", "</p>", "<user>", "<assistant>",
};

pct_bpe_train_options pct_template_train_options(int32_t vocabulary) {
    return (pct_bpe_train_options){.vocabulary = vocabulary,
                                   .specials = pct_template_specials,
                                   .special_count = PCT_TEMPLATE_SPECIAL_COUNT,
                                   .bos = "<bos>",
                                   .eos = "<eos>",
                                   .pad = "<pad>"};
}

/* The special token of that text. <bos>, <eos> and <pad> are roles as well: a tokenizer of another origin has them
 * under names of its own. */
static int32_t named(const pct_tokenizer *tokenizer, const char *text) {
    const int32_t id = pct_tokenizer_special(tokenizer, text);
    if (id >= 0) return id;
    if (!strcmp(text, "<bos>")) return pct_tokenizer_bos(tokenizer);
    if (!strcmp(text, "<eos>")) return pct_tokenizer_eos(tokenizer);
    return !strcmp(text, "<pad>") ? pct_tokenizer_pad(tokenizer) : -1;
}

int32_t pct_template_missing(const pct_tokenizer *tokenizer, const char *missing[PCT_TEMPLATE_SPECIAL_COUNT]) {
    int32_t count = 0;
    for (int i = 0; i < PCT_TEMPLATE_SPECIAL_COUNT; i++)
        if (named(tokenizer, pct_template_specials[i]) < 0) missing[count++] = pct_template_specials[i];
    return count;
}

/* The special token of that text; *id -1 for NULL. */
static percept_status find_special(const pct_template *template, const char *text, int32_t *id, percept_error *error) {
    *id = text ? named(template->tokenizer, text) : -1;
    if (!text || *id >= 0) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_MODEL, "the vocabulary lacks the special token %s of template '%s'", text,
                    template->style->name);
}

percept_status pct_template_init(pct_template *template, const char *name, const pct_tokenizer *tokenizer,
                                 percept_error *error) {
    const pct_template_style *style = pct_template_style_find(name);
    *template = (pct_template){.style = style, .tokenizer = tokenizer};
    if (!style)
        return pct_fail(error, PERCEPT_ERROR_MODEL,
                        "template '%.80s' is not known; known are percept, perceptiongpt and mllmseg", name);
    PCT_TRY(find_special(template, style->pad, &template->pad, error));
    PCT_TRY(find_special(template, style->bos, &template->bos, error));
    PCT_TRY(find_special(template, style->eos, &template->eos, error));
    PCT_TRY(find_special(template, style->image, &template->image, error));
    PCT_TRY(find_special(template, style->object, &template->object, error));
    PCT_TRY(find_special(template, style->phrase_begin, &template->phrase_begin, error));
    PCT_TRY(find_special(template, style->phrase_end, &template->phrase_end, error));
    PCT_TRY(find_special(template, style->user, &template->user, error));
    return find_special(template, style->assistant, &template->assistant, error);
}

bool pct_template_speaks(const pct_template *template, int32_t id) {
    const pct_template_style *style = template->style;
    const char *const marks[] = {style->phrase_begin, style->phrase_end, style->objects_begin, style->objects_end};
    for (size_t i = 0; i < PCT_COUNT(marks); i++)
        if (marks[i] && *marks[i] && id == pct_tokenizer_special(template->tokenizer, marks[i])) return true;
    return false;
}

void pct_rendered_free(pct_rendered *rendered) {
    pct_ids_free(&rendered->ids);
    free(rendered->target);
    free(rendered->objects);
    pct_text_free(&rendered->run);
    *rendered = (pct_rendered){0};
}

/* Plain text gathers in `run` until a special token or the end: a tokenizer sees it in one piece. */
struct renderer {
    const pct_template *template;
    pct_token_scratch *scratch;
    pct_ids *ids;
    pct_rendered *out; /* NULL: the prefix, which has no objects */
    pct_text *run;     /* borrowed */
    int turn;
    bool after_special; /* what stands before the run is a special token */
    percept_error *error;
};

static percept_status flush(struct renderer *r, bool before_special) {
    const char *text = r->run->data;
    size_t length = r->run->length;
    if (r->run->failed) return pct_fail_memory(r->error, "text of a conversation");
    if (r->template->style->strip) {
        while (length && r->after_special && strchr(" \t\r\n", text[0])) {
            text++;
            length--;
        }
        while (length && before_special && strchr(" \t\r\n", text[length - 1])) length--;
    }
    percept_status status = PERCEPT_OK;
    if (length) {
        status = pct_tokenizer_encode(r->template->tokenizer, r->scratch, text, length, 0, r->ids, r->error);
        r->after_special = false;
    }
    pct_text_clear(r->run);
    return status;
}

static percept_status add_special(struct renderer *r, int32_t id) {
    PCT_TRY(flush(r, true));
    r->after_special = true;
    return pct_ids_add(r->ids, id, r->error);
}

/* The special token that a template's text begins with, by the bracket that closes it; -1: none. */
static int32_t special_at(const pct_template *template, const char *text, size_t *length) {
    const char *end = strchr(text, *text == '[' ? ']' : '>');
    char name[32];
    if ((*text != '<' && *text != '[') || !end || (size_t)(end - text) + 2 > sizeof name) return -1;
    *length = (size_t)(end - text) + 1;
    memcpy(name, text, *length);
    name[*length] = 0;
    return named(template->tokenizer, name);
}

/* A text of the template's own, up to `end`. */
static percept_status add_own_part(struct renderer *r, const char *text, const char *end) {
    while (text < end) {
        size_t length;
        const int32_t id = special_at(r->template, text, &length);
        if (id < 0) {
            pct_text_add(r->run, text++, 1);
            continue;
        }
        PCT_TRY(add_special(r, id));
        text += length;
    }
    return PERCEPT_OK;
}

static percept_status add_own(struct renderer *r, const char *text) {
    return add_own_part(r, text, text + strlen(text));
}

percept_status pct_template_prefix(const pct_template *template, pct_token_scratch *scratch, int32_t image_tokens,
                                   pct_ids *ids, percept_error *error) {
    pct_text run = {0};
    struct renderer r = {.template = template, .scratch = scratch, .ids = ids, .run = &run, .error = error};
    PCT_ASSERT(image_tokens >= 0);
    percept_status status = add_own(&r, template->style->lead);
    if (status == PERCEPT_OK) status = flush(&r, image_tokens > 0);
    for (int32_t i = 0; i < image_tokens && status == PERCEPT_OK; i++)
        status = pct_ids_add(ids, template->image, error);
    pct_text_free(&run);
    return status;
}

static percept_status add_object(struct renderer *r, bool answer) {
    pct_rendered *out = r->out;
    PCT_TRY(flush(r, true));
    if ((size_t)out->object_count == out->object_capacity) {
        size_t capacity = out->object_capacity ? out->object_capacity * 2 : 16;
        pct_object_slot *larger = realloc(out->objects, capacity * sizeof *larger);
        if (!larger) return pct_fail_memory(r->error, "objects of a conversation");
        out->objects = larger;
        out->object_capacity = capacity;
    }
    out->objects[out->object_count++] =
        (pct_object_slot){.position = (int32_t)out->ids.count, .turn = (int16_t)r->turn, .answer = answer};
    return add_special(r, r->template->object);
}

/* What a marked text may hold: our spelling, the same in every template. */
static const char object_mark[] = "<obj>", begin_mark[] = "<p>", end_mark[] = "</p>";

static bool starts(const char *text, const char *mark) { return !strncmp(text, mark, strlen(mark)); }

/* Objects that follow each other, with the template's marks around and between them. Blanks, commas and semicolons
 * between them give way to the template's own separator, where it has one. */
static percept_status add_objects(struct renderer *r, const char **text, bool answer) {
    const pct_template_style *style = r->template->style;
    const bool grouped = *style->objects_begin != 0;
    PCT_TRY(add_own(r, style->objects_begin));
    for (;;) {
        PCT_TRY(add_object(r, answer));
        *text += strlen(object_mark);
        const char *next = *text + (grouped ? strspn(*text, " ,;") : 0);
        if (!grouped || !starts(next, object_mark)) break;
        PCT_TRY(add_own(r, style->objects_between));
        *text = next;
    }
    return add_own(r, style->objects_end);
}

/* Text in which marks are special: "<obj>" in a question, all three in an answer. */
static percept_status add_marked(struct renderer *r, const char *text, bool answer) {
    const pct_template *template = r->template;
    while (*text) {
        if (starts(text, object_mark)) {
            PCT_TRY(add_objects(r, &text, answer));
        } else if (answer && template->phrase_begin >= 0 && starts(text, begin_mark)) {
            PCT_TRY(add_special(r, template->phrase_begin));
            text += strlen(begin_mark);
        } else if (answer && template->phrase_end >= 0 && starts(text, end_mark)) {
            PCT_TRY(add_special(r, template->phrase_end));
            text += strlen(end_mark);
        } else {
            pct_text_add(r->run, text++, 1);
        }
    }
    return PERCEPT_OK;
}

/* Targets grow with the ids: everything since `from` gets `value`. */
static percept_status mark_targets(struct renderer *r, size_t from, unsigned char value) {
    pct_rendered *out = r->out;
    if (out->ids.capacity > out->target_capacity) {
        unsigned char *larger = realloc(out->target, out->ids.capacity);
        if (!larger) return pct_fail_memory(r->error, "targets of a conversation");
        out->target = larger;
        out->target_capacity = out->ids.capacity;
    }
    memset(out->target + from, value, out->ids.count - from);
    return PERCEPT_OK;
}

/* The frame up to the user's text; *rest: what follows it. */
static percept_status add_frame(struct renderer *r, const char *frame, const char **rest) {
    const char *place = strstr(frame, "%s");
    PCT_ASSERT(place);
    PCT_TRY(add_own_part(r, frame, place));
    *rest = place + 2;
    return PERCEPT_OK;
}

static percept_status add_question(struct renderer *r, const pct_template_turn *turn) {
    const pct_template_style *style = r->template->style;
    int objects = r->out->object_count;
    const char *rest = NULL;
    PCT_TRY(add_own(r, r->turn == 0 ? style->first : style->next));
    if (turn->frame) PCT_TRY(add_frame(r, turn->frame, &rest));
    if (turn->regions > 0)
        PCT_TRY(add_marked(r, turn->question, false));
    else
        pct_text_puts(r->run, turn->question);
    if (rest) PCT_TRY(add_own(r, rest));
    objects = r->out->object_count - objects;
    if (objects != turn->regions)
        return pct_fail(r->error, PERCEPT_ERROR_USAGE,
                        "the question has %d <obj> and %d regions were given; give one region for each <obj>", objects,
                        turn->regions);
    return add_own(r, style->answer);
}

static percept_status add_answer(struct renderer *r, const pct_template_turn *turn) {
    if (turn->marks)
        PCT_TRY(add_marked(r, turn->answer, true));
    else
        pct_text_puts(r->run, turn->answer);
    PCT_TRY(add_own(r, r->template->style->end));
    return flush(r, false);
}

static percept_status add_turn(struct renderer *r, const pct_template_turn *turn) {
    size_t start = r->ids->count;
    PCT_TRY(add_question(r, turn));
    PCT_TRY(flush(r, false));
    PCT_TRY(mark_targets(r, start, 0));
    start = r->ids->count;
    if (!turn->answer) {
        if (turn->begun) pct_text_puts(r->run, turn->begun);
        PCT_TRY(flush(r, true));
        r->out->begun = (int32_t)(r->ids->count - start);
        return mark_targets(r, start, 0);
    }
    PCT_TRY(add_answer(r, turn));
    return mark_targets(r, start, 1);
}

static percept_status add_turns(struct renderer *r, const pct_template_turn *turns, int count) {
    for (int i = 0; i < count; i++) {
        if (!turns[i].answer && i + 1 < count)
            return pct_fail(r->error, PERCEPT_ERROR_USAGE, "turn %d has no answer and is not the last", i + 1);
        r->turn = i;
        PCT_TRY(add_turn(r, &turns[i]));
    }
    return PERCEPT_OK;
}

percept_status pct_template_render(const pct_template *template, pct_token_scratch *scratch,
                                   const pct_template_turn *turns, int turn_count, pct_rendered *rendered,
                                   percept_error *error) {
    rendered->ids.count = 0;
    rendered->object_count = 0;
    rendered->turn_count = turn_count;
    rendered->begun = 0;
    if (turn_count < 0 || turn_count > INT16_MAX)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "a conversation of %d turns; at most %d are allowed", turn_count,
                        INT16_MAX);
    struct renderer r = {.template = template,
                         .scratch = scratch,
                         .ids = &rendered->ids,
                         .out = rendered,
                         .run = &rendered->run,
                         .after_special = true,
                         .error = error};
    pct_text_clear(r.run);
    return add_turns(&r, turns, turn_count);
}

/* ---- texts of tasks --------------------------------------------------------------------------------------------- */

static bool at_end(char c) { return c == '.' || c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

void pct_template_plain_phrase(const char *phrase, pct_text *out) {
    size_t length = strlen(phrase);
    while (length && at_end(phrase[0])) {
        phrase++;
        length--;
    }
    while (length && at_end(phrase[length - 1])) length--;
    for (size_t i = 0; i < length; i++) {
        const char c = phrase[i] >= 'A' && phrase[i] <= 'Z' ? (char)(phrase[i] + ('a' - 'A')) : phrase[i];
        pct_text_add(out, &c, 1);
    }
}

void pct_template_fill(const char *format, const char *text, pct_text *out) {
    const char *place = strstr(format, "%s");
    pct_text_add(out, format, place ? (size_t)(place - format) : strlen(format));
    if (!place) return;
    pct_text_puts(out, text);
    pct_text_puts(out, place + 2);
}
