/* template.c: see template.h. */
#include "tokenizer/template.h"

#include "base/size.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define PAD          "<pad>"
#define BOS          "<bos>"
#define EOS          "<eos>"
#define IMAGE        "<img>"
#define OBJECT       "<obj>"
#define PHRASE_BEGIN "<p>"
#define PHRASE_END   "</p>"
#define USER         "<user>"
#define ASSISTANT    "<assistant>"

const char *const pct_template_specials[PCT_TEMPLATE_SPECIAL_COUNT] = {
    PAD, BOS, EOS, IMAGE, OBJECT, PHRASE_BEGIN, PHRASE_END, USER, ASSISTANT,
};

pct_bpe_train_options pct_template_train_options(int32_t vocabulary) {
    return (pct_bpe_train_options){.vocabulary = vocabulary,
                                   .specials = pct_template_specials,
                                   .special_count = PCT_TEMPLATE_SPECIAL_COUNT,
                                   .bos = BOS,
                                   .eos = EOS,
                                   .pad = PAD};
}

percept_status pct_template_init(pct_template *template, const char *name, const pct_tokenizer *tokenizer,
                                 percept_error *error) {
    *template = (pct_template){.tokenizer = tokenizer};
    if (strcmp(name, "percept") != 0) {
        return pct_fail(error, PERCEPT_ERROR_MODEL, "template '%.80s' is not known; known is percept", name);
    }
    int32_t *const ids[PCT_TEMPLATE_SPECIAL_COUNT] = {
        &template->pad,          &template->bos,        &template->eos,  &template->image,     &template->object,
        &template->phrase_begin, &template->phrase_end, &template->user, &template->assistant,
    };
    for (int i = 0; i < PCT_TEMPLATE_SPECIAL_COUNT; i++) {
        *ids[i] = pct_tokenizer_special(tokenizer, pct_template_specials[i]);
        if (*ids[i] < 0 || !pct_tokenizer_is_special(tokenizer, *ids[i])) {
            return pct_fail(error, PERCEPT_ERROR_MODEL, "the vocabulary lacks the special token %s of template '%s'",
                            pct_template_specials[i], name);
        }
    }
    return PERCEPT_OK;
}

void pct_rendered_free(pct_rendered *rendered) {
    pct_ids_free(&rendered->ids);
    free(rendered->target);
    free(rendered->objects);
    *rendered = (pct_rendered){0};
}

percept_status pct_template_prefix(const pct_template *template, int32_t image_tokens, pct_ids *ids,
                                   percept_error *error) {
    PCT_ASSERT(image_tokens >= 0);
    PCT_TRY(pct_ids_reserve(ids, ids->count + (size_t)image_tokens + 1, error));
    ids->data[ids->count++] = template->bos;
    for (int32_t i = 0; i < image_tokens; i++) ids->data[ids->count++] = template->image;
    return PERCEPT_OK;
}

struct renderer {
    const pct_template *template;
    pct_token_scratch *scratch;
    pct_rendered *out;
    int turn;
    percept_error *error;
};

static percept_status add_object(const struct renderer *renderer, bool answer) {
    pct_rendered *out = renderer->out;
    if ((size_t)out->object_count == out->object_capacity) {
        size_t capacity = out->object_capacity ? out->object_capacity * 2 : 16;
        pct_object_slot *larger = realloc(out->objects, capacity * sizeof *larger);
        if (!larger) return pct_fail_memory(renderer->error, "objects of a conversation");
        out->objects = larger;
        out->object_capacity = capacity;
    }
    out->objects[out->object_count++] =
        (pct_object_slot){.position = (int32_t)out->ids.count, .turn = (int16_t)renderer->turn, .answer = answer};
    return PERCEPT_OK;
}

/* Which mark stands at the start of the text; -1 for none. Only these three can ever come out of a turn's text. */
static int32_t mark_at(const pct_template *template, const char *text, bool answer, size_t *length) {
    const struct {
        const char *text;
        int32_t id;
    } marks[] = {
        {OBJECT, template->object}, {PHRASE_BEGIN, template->phrase_begin}, {PHRASE_END, template->phrase_end}};
    for (size_t i = 0; i < (answer ? PCT_COUNT(marks) : 1); i++) {
        *length = strlen(marks[i].text);
        if (strncmp(text, marks[i].text, *length) == 0) return marks[i].id;
    }
    return -1;
}

static percept_status add_text(const struct renderer *renderer, const char *text, size_t length) {
    return pct_tokenizer_encode(renderer->template->tokenizer, renderer->scratch, text, length, 0, &renderer->out->ids,
                                renderer->error);
}

/* Text in which marks are special: "<obj>" in a question, all three in an answer. */
static percept_status add_marked(const struct renderer *renderer, const char *text, bool answer) {
    const char *start = text;
    while (*text) {
        size_t length = 0;
        int32_t id = *text == '<' ? mark_at(renderer->template, text, answer, &length) : -1;
        if (id < 0) {
            text++;
            continue;
        }
        PCT_TRY(add_text(renderer, start, (size_t)(text - start)));
        if (id == renderer->template->object) PCT_TRY(add_object(renderer, answer));
        PCT_TRY(pct_ids_add(&renderer->out->ids, id, renderer->error));
        start = text += length;
    }
    return add_text(renderer, start, (size_t)(text - start));
}

/* Targets grow with the ids: everything since the last call gets `value`. */
static percept_status mark_targets(const struct renderer *renderer, size_t from, unsigned char value) {
    pct_rendered *out = renderer->out;
    if (out->ids.capacity > out->target_capacity) {
        unsigned char *larger = realloc(out->target, out->ids.capacity);
        if (!larger) return pct_fail_memory(renderer->error, "targets of a conversation");
        out->target = larger;
        out->target_capacity = out->ids.capacity;
    }
    memset(out->target + from, value, out->ids.count - from);
    return PERCEPT_OK;
}

static percept_status add_turn(const struct renderer *renderer, const pct_template_turn *turn) {
    const pct_template *template = renderer->template;
    pct_ids *ids = &renderer->out->ids;
    size_t start = ids->count;
    int objects = renderer->out->object_count;
    PCT_TRY(pct_ids_add(ids, template->user, renderer->error));
    if (turn->regions > 0)
        PCT_TRY(add_marked(renderer, turn->question, false));
    else
        PCT_TRY(add_text(renderer, turn->question, strlen(turn->question)));
    objects = renderer->out->object_count - objects;
    if (objects != turn->regions) {
        return pct_fail(renderer->error, PERCEPT_ERROR_USAGE,
                        "the question has %d <obj> and %d regions were given; give one region for each <obj>", objects,
                        turn->regions);
    }
    PCT_TRY(pct_ids_add(ids, template->assistant, renderer->error));
    PCT_TRY(mark_targets(renderer, start, 0));
    if (!turn->answer) return PERCEPT_OK;
    start = ids->count;
    if (turn->marks)
        PCT_TRY(add_marked(renderer, turn->answer, true));
    else
        PCT_TRY(add_text(renderer, turn->answer, strlen(turn->answer)));
    PCT_TRY(pct_ids_add(ids, template->eos, renderer->error));
    return mark_targets(renderer, start, 1);
}

percept_status pct_template_render(const pct_template *template, pct_token_scratch *scratch,
                                   const pct_template_turn *turns, int turn_count, pct_rendered *rendered,
                                   percept_error *error) {
    rendered->ids.count = 0;
    rendered->object_count = 0;
    rendered->turn_count = turn_count;
    struct renderer renderer = {.template = template, .scratch = scratch, .out = rendered, .error = error};
    if (turn_count < 0 || turn_count > INT16_MAX) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "a conversation of %d turns; at most %d are allowed", turn_count,
                        INT16_MAX);
    }
    for (int i = 0; i < turn_count; i++) {
        if (!turns[i].answer && i + 1 < turn_count) {
            return pct_fail(error, PERCEPT_ERROR_USAGE, "turn %d has no answer and is not the last", i + 1);
        }
        renderer.turn = i;
        PCT_TRY(add_turn(&renderer, &turns[i]));
    }
    return PERCEPT_OK;
}
