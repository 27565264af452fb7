/* prompt.c: see prompt.h. */
#include "engine/prompt.h"

#include "base/size.h"
#include "data/batch.h"
#include "image/boxes.h"
#include "image/mask.h"

#include <math.h>
#include <string.h>

void pct_asked_free(pct_asked *asked) {
    pct_rendered_free(&asked->rendered);
    pct_arena_free(&asked->arena);
}

size_t pct_count_objects(const char *text) {
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, "<obj>")); at += 5) count++;
    return count;
}

static percept_status add_box(pct_region_in *into, const percept_region *region, size_t index,
                              const pct_picture *picture, percept_error *error) {
    pct_box box = {region->box.x0, region->box.y0, region->box.x1, region->box.y1};
    bool finite = isfinite(box.x0) && isfinite(box.y0) && isfinite(box.x1) && isfinite(box.y1);
    pct_box inside = pct_box_clamp(box, (float)picture->width, (float)picture->height);
    if (!finite || !pct_box_valid(inside)) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "region %zu: the box %g,%g,%g,%g covers nothing of the picture; give x0,y0,x1,y1 within "
                        "0,0,%d,%d",
                        index + 1, (double)box.x0, (double)box.y0, (double)box.x1, (double)box.y1, picture->width,
                        picture->height);
    }
    pct_box in = pct_fit_box_to_model(&picture->fit, inside);
    *into = (pct_region_in){.source = PCT_REGION_BOX, .box = {in.x0, in.y0, in.x1, in.y1}};
    return PERCEPT_OK;
}

static percept_status add_mask(pct_asked *asked, pct_region_in *into, const percept_region *region, size_t index,
                               const pct_picture *picture, int32_t side, percept_error *error) {
    if (region->mask_width != picture->width || region->mask_height != picture->height) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "region %zu: the mask is %d x %d, the picture %d x %d; give a mask "
                        "of the picture's size",
                        index + 1, region->mask_width, region->mask_height, picture->width, picture->height);
    }
    pct_mask mask = {0};
    PCT_TRY(pct_mask_new(&mask, picture->width, picture->height, error));
    for (size_t i = 0; i < pct_mask_bytes(&mask); i++) mask.data[i] = region->mask[i] != 0;
    pct_box box = pct_mask_box(&mask);
    pct_real *grid = pct_arena_take(&asked->arena, (size_t)side * (size_t)side * sizeof *grid);
    percept_status status = PERCEPT_OK;
    if (!grid) {
        status = pct_fail_memory(error, "mask");
    } else if (!pct_box_valid(box)) {
        status =
            pct_fail(error, PERCEPT_ERROR_USAGE, "region %zu: the mask is empty; mark at least one pixel", index + 1);
    } else {
        /* as the mask encoder saw masks when it learned */
        pct_object object = {.box = box, .mask = mask.data};
        const pct_sample sample = {
            .image = {.width = mask.width, .height = mask.height}, .objects = &object, .object_count = 1};
        pct_batch_mask(&picture->fit, &sample, 0, side, grid);
    }
    pct_mask_free(&mask);
    if (status != PERCEPT_OK) return status;
    pct_box in = pct_fit_box_to_model(&picture->fit, box);
    *into = (pct_region_in){.source = PCT_REGION_MASK, .box = {in.x0, in.y0, in.x1, in.y1}, .mask = grid};
    return PERCEPT_OK;
}

/* What the model's family can be asked, for a task that it cannot do. */
static percept_status refuse_task(const pct_template_style *style, const char *task, percept_error *error) {
    return pct_fail(error, PERCEPT_ERROR_USAGE,
                    "a %s model cannot %s: it finds what a phrase names (find), or what a sentence asks for (ask)",
                    style->name, task);
}

/* The text a task stands for, the template's words around it, and whether it can take the regions that came with it. */
static percept_status choose_text(pct_asked *asked, const pct_template_style *style, percept_error *error) {
    const percept_question *given = asked->given;
    asked->text = given->text;
    if (given->task == PERCEPT_TASK_DESCRIBE) {
        if (given->region_count > 1) {
            return pct_fail(error, PERCEPT_ERROR_USAGE,
                            "describe: %zu regions; give one to name, or none for the whole "
                            "picture",
                            given->region_count);
        }
        asked->text = given->region_count ? style->name_region : style->describe;
        if (!asked->text) return refuse_task(style, given->region_count ? "name a region" : "describe", error);
    } else if (given->task == PERCEPT_TASK_FIND) {
        asked->frame = style->find;
    } else if (given->task == PERCEPT_TASK_ASK) {
        asked->frame = style->ask;
    } else {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "task %d is not known", (int)given->task);
    }
    if (style->begun_end && given->region_count) return refuse_task(style, "be shown regions", error);
    if (style->begun_end && given->after) return refuse_task(style, "go on with a dialogue", error);
    if (!asked->text || !asked->text[strspn(asked->text, " \t\r\n")]) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "the question is empty; give it words");
    }
    if (strlen(asked->text) > 1 << 20) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "the question has %zu bytes; give at most 1048576",
                        strlen(asked->text));
    }
    size_t marks = pct_count_objects(asked->text);
    if (marks != given->region_count) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "the question has %zu \"<obj>\" but %zu regions were given; each "
                        "<obj> stands for one box or mask",
                        marks, given->region_count);
    }
    return PERCEPT_OK;
}

static percept_status collect_regions(pct_asked *asked, const percept_session *session, percept_error *error) {
    const percept_question *given = asked->given;
    int64_t total = (int64_t)given->region_count;
    for (int32_t i = 0; given->after && i < given->after->spoken_count; i++) {
        total += given->after->spoken[i].question_regions + given->after->spoken[i].answer_regions;
    }
    asked->regions = pct_arena_take_zeroed(&asked->arena, (size_t)total + 1, sizeof *asked->regions);
    if (!asked->regions) return pct_fail_memory(error, "regions");
    for (int32_t i = 0; given->after && i < given->after->spoken_count; i++) {
        const pct_spoken *spoken = &given->after->spoken[i];
        int32_t count = spoken->question_regions + spoken->answer_regions;
        memcpy(asked->regions + asked->region_count, spoken->regions, (size_t)count * sizeof *asked->regions);
        asked->region_count += count;
    }
    int32_t side = pct_model_get_config(session->engine->model)->heads.mask_encoder_side;
    for (size_t i = 0; i < given->region_count; i++) {
        pct_region_in *into = &asked->regions[asked->region_count++];
        const percept_region *region = &given->regions[i];
        PCT_TRY(region->mask ? add_mask(asked, into, region, i, session->picture, side, error)
                             : add_box(into, region, i, session->picture, error));
        if (session->engine->template.style->rounds_boxes)
            for (int k = 0; k < 4; k++) into->box[k] = (pct_real)(rint((double)into->box[k] * 1000) / 1000);
    }
    return PERCEPT_OK;
}

/* For a family that is made to speak: the phrase as it was trained on, and how the answer begins. */
static percept_status begin_answer(pct_asked *asked, const pct_template *template, pct_template_turn *turn,
                                   percept_error *error) {
    const pct_template_style *style = template->style;
    const bool find = asked->given->task == PERCEPT_TASK_FIND;
    pct_text phrase = {0}, begun = {0};
    if (find)
        pct_template_plain_phrase(asked->text, &phrase);
    else
        pct_text_puts(&phrase, asked->text);
    pct_template_fill(find ? style->find_begun : style->ask_begun, phrase.data ? phrase.data : "", &begun);
    const bool failed = phrase.failed || begun.failed;
    if (!failed) {
        turn->question = pct_arena_text(&asked->arena, phrase.data ? phrase.data : "", phrase.length);
        turn->begun = pct_arena_text(&asked->arena, begun.data ? begun.data : "", begun.length);
    }
    pct_text_free(&phrase);
    pct_text_free(&begun);
    return !failed && turn->question && turn->begun ? PERCEPT_OK : pct_fail_memory(error, "question");
}

static percept_status render(pct_asked *asked, percept_session *session, percept_error *error) {
    const percept_question *given = asked->given;
    int32_t before = given->after ? given->after->spoken_count : 0;
    pct_template_turn *turns = pct_arena_take_zeroed(&asked->arena, (size_t)before + 1, sizeof *turns);
    if (!turns) return pct_fail_memory(error, "question");
    for (int32_t i = 0; i < before; i++) {
        const pct_spoken *spoken = &given->after->spoken[i];
        turns[i] = (pct_template_turn){.question = spoken->question,
                                       .frame = spoken->frame,
                                       .regions = spoken->question_regions,
                                       .answer = spoken->answer,
                                       .marks = true};
    }
    turns[before] =
        (pct_template_turn){.question = asked->text, .frame = asked->frame, .regions = (int)given->region_count};
    const percept_engine *engine = session->engine;
    if (engine->template.style->begun_end) PCT_TRY(begin_answer(asked, &engine->template, &turns[before], error));
    PCT_TRY(pct_template_render(&engine->template, &session->scratch, turns, before + 1, &asked->rendered, error));
    PCT_ASSERT(asked->rendered.object_count == asked->region_count);
    int64_t tokens = (int64_t)asked->rendered.ids.count;
    int32_t context = pct_model_get_config(engine->model)->language.context;
    int64_t room = (int64_t)context - engine->image_tokens - 1;
    if (tokens >= room) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "the question%s %lld tokens; beside the picture the model has room "
                        "for %lld with its answer: shorten it",
                        before ? " and the dialogue before it have" : " has", (long long)tokens, (long long)room);
    }
    return PERCEPT_OK;
}

percept_status pct_asked_prepare(pct_asked *asked, percept_session *session, const percept_question *question,
                                 percept_error *error) {
    *asked = (pct_asked){.given = question};
    pct_arena_init(&asked->arena, 16384);
    if (!session->picture) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "the session has no picture; load one before asking");
    }
    if (question->after && question->after->picture != session->picture) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "the earlier answer is about another picture; start a new dialogue");
    }
    PCT_TRY(choose_text(asked, session->engine->template.style, error));
    PCT_TRY(collect_regions(asked, session, error));
    return render(asked, session, error);
}

/* Letters that spell a mark are none: a blank in them keeps whoever reads the text again from taking them for one. */
static void put_letters(pct_text *text, const pct_text *letters) {
    static const char *const marks[] = {"<obj>", "<p>", "</p>"};
    if (letters->failed) text->failed = true;
    for (size_t i = 0; i < letters->length; i++) {
        for (size_t m = 0; letters->data[i] == '>' && m < PCT_COUNT(marks); m++) {
            const size_t before = strlen(marks[m]) - 1;
            if (i >= before && memcmp(letters->data + i - before, marks[m], before) == 0) pct_text_puts(text, " ");
        }
        pct_text_add(text, letters->data + i, 1);
    }
}

/* The reply as text with marks; object tokens without a region are left out, so that marks and regions agree. */
static percept_status raw_text(const pct_template *template, const pct_reply *reply, pct_arena *arena, const char **out,
                               percept_error *error) {
    pct_text text = {0}, letters = {0}; /* since the last mark */
    int32_t regions = 0, run = 0;       /* the words since the last special token are one piece */
    for (int32_t i = 0; i < reply->count; i++) {
        int32_t id = reply->ids[i];
        if (!pct_tokenizer_is_special(template->tokenizer, id)) continue;
        pct_tokenizer_decode(template->tokenizer, reply->ids + run, (size_t)(i - run), false, &letters);
        run = i + 1;
        if (id == template->object && regions++ >= reply->region_count) continue;
        const char *mark = id == template->object         ? "<obj>"
                           : id == template->phrase_begin ? "<p>"
                           : id == template->phrase_end   ? "</p>"
                                                          : NULL;
        if (!mark) continue;
        put_letters(&text, &letters);
        pct_text_clear(&letters);
        pct_text_puts(&text, mark); /* the template spells it in its own way when it is read again */
    }
    pct_tokenizer_decode(template->tokenizer, reply->ids + run, (size_t)(reply->count - run), false, &letters);
    put_letters(&text, &letters);
    if (!text.failed) *out = pct_arena_text(arena, text.data ? text.data : "", text.length);
    bool failed = text.failed || !*out;
    pct_text_free(&text);
    pct_text_free(&letters);
    return failed ? pct_fail_memory(error, "answer") : PERCEPT_OK;
}

static const pct_region_in *copy_regions(pct_arena *arena, const pct_region_in *regions, int32_t count, int32_t side) {
    pct_region_in *copy = pct_arena_take_zeroed(arena, (size_t)count + 1, sizeof *copy);
    size_t bytes = (size_t)side * (size_t)side * sizeof(pct_real);
    for (int32_t i = 0; copy && i < count; i++) {
        copy[i] = regions[i];
        if (regions[i].told) {
            const size_t told = (size_t)regions[i].told_count * sizeof *regions[i].told;
            int32_t *ids = pct_arena_take(arena, told);
            if (!ids) return NULL;
            copy[i].told = memcpy(ids, regions[i].told, told);
        }
        if (!regions[i].mask) continue;
        pct_real *mask = pct_arena_take(arena, bytes);
        if (!mask) return NULL;
        copy[i].mask = memcpy(mask, regions[i].mask, bytes);
    }
    return copy;
}

static percept_status copy_spoken(pct_spoken *into, const pct_spoken *from, pct_arena *arena, int32_t side,
                                  percept_error *error) {
    *into = *from;
    into->question = pct_arena_text(arena, from->question, strlen(from->question));
    into->answer = pct_arena_text(arena, from->answer, strlen(from->answer));
    into->regions = copy_regions(arena, from->regions, from->question_regions + from->answer_regions, side);
    return into->question && into->answer && into->regions ? PERCEPT_OK : pct_fail_memory(error, "dialogue");
}

percept_status pct_asked_remember(const pct_asked *asked, const pct_template *template, const pct_reply *reply,
                                  const pct_model_config *config, percept_answer *answer, percept_error *error) {
    const percept_answer *after = asked->given->after;
    int32_t before = after ? after->spoken_count : 0;
    pct_arena *arena = &answer->arena;
    pct_spoken *all = pct_arena_take_zeroed(arena, (size_t)before + 1, sizeof *all);
    if (!all) return pct_fail_memory(error, "dialogue");
    for (int32_t i = 0; i < before; i++)
        PCT_TRY(copy_spoken(&all[i], &after->spoken[i], arena, config->heads.mask_encoder_side, error));

    int32_t own = (int32_t)asked->given->region_count;
    pct_region_in *regions = pct_arena_take_zeroed(arena, (size_t)(own + reply->region_count) + 1, sizeof *regions);
    if (!regions) return pct_fail_memory(error, "dialogue");
    memcpy(regions, asked->regions + asked->region_count - own, (size_t)own * sizeof *regions);
    for (int32_t i = 0; i < reply->region_count; i++) {
        regions[own + i].source = pct_model_reads_back(config);
        memcpy(regions[own + i].box, reply->regions[i].box, sizeof regions[own + i].box);
        regions[own + i].told = reply->regions[i].told; /* copied below */
        regions[own + i].told_count = reply->regions[i].told_count;
    }
    pct_spoken turn = {.question = asked->text,
                       .frame = asked->frame,
                       .regions = regions,
                       .question_regions = own,
                       .answer_regions = reply->region_count};
    PCT_TRY(raw_text(template, reply, arena, &turn.answer, error));
    PCT_TRY(copy_spoken(&all[before], &turn, arena, config->heads.mask_encoder_side, error));
    answer->spoken = all;
    answer->spoken_count = before + 1;
    return PERCEPT_OK;
}
