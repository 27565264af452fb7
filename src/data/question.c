/* question.c: measures the objects, mixes the task families and keeps the turns. */
#include "data/question_private.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#define TASK_TRIES    10    /* for one turn, families drawn anew */
#define DRAFT_TRIES   6     /* for one turn, within a family */
#define DOMINANT      0.55f /* share of the pixels that makes a colour the object's colour */
#define SECOND_COLOUR 0.22f

static void measure(struct facts *facts) {
    const pct_sample *sample = facts->sample;
    facts->all_clear = true;
    scene_colours(sample, facts->shares);
    for (int k = 0; k < facts->count; k++) {
        const pct_object *object = &sample->objects[k];
        facts->x[k] = (object->box.x0 + object->box.x1) / 2;
        facts->y[k] = (object->box.y0 + object->box.y1) / 2;
        facts->size[k] = sqrtf((float)object->area);
        facts->clear[k] = true;
        facts->all_clear &= object->asked;
        for (int other = 0; other < facts->count; other++) {
            if (sample->objects[other].name != object->name) continue;
            facts->same[k]++;
            facts->clear[k] &= sample->objects[other].asked;
        }
        int best = 0, next = -1;
        for (int c = 1; c < SCENE_COLOURS; c++)
            if (facts->shares[k][c] > facts->shares[k][best]) best = c;
        for (int c = 0; c < SCENE_COLOURS; c++)
            if (c != best && (next < 0 || facts->shares[k][c] > facts->shares[k][next])) next = c;
        bool dominant = facts->shares[k][best] >= DOMINANT && facts->shares[k][next] <= SECOND_COLOUR;
        facts->colour[k] = dominant ? best : -1;
    }
}

static bool held_out(const struct facts *facts, int object) {
    int32_t cutout = facts->sample->objects[object].cutout;
    return cutout >= 0 && facts->source->cutouts[cutout].held_out;
}

int fact_pick_object(const struct facts *facts) {
    int all[SCENE_MAX_OBJECTS], unseen[SCENE_MAX_OBJECTS], all_count = 0, unseen_count = 0;
    for (int k = 0; k < facts->count; k++) {
        if (!facts->sample->objects[k].asked) continue;
        all[all_count++] = k;
        if (held_out(facts, k)) unseen[unseen_count++] = k;
    }
    if (unseen_count && chance(facts, 0.7f)) return unseen[pick(facts, (size_t)unseen_count)];
    return all_count ? all[pick(facts, (size_t)all_count)] : -1;
}

static enum pct_task pick_task(const struct facts *facts) {
    const float *sums = facts->source->weights;
    float at = pct_random_float(facts->random) * sums[PCT_TASK_COUNT_ - 1];
    int task = 0;
    while (task < PCT_TASK_COUNT_ - 1 && at >= sums[task]) task++;
    return (enum pct_task)task;
}

/* Two questions that differ in case and marks alone are the same question; and one of each is enough where the answer
 * says all there is to ask ("describe the picture", "list everything you see"). */
static uint64_t draft_hash(const struct draft *draft) {
    bool by_answer =
        draft->task == PCT_TASK_DESCRIBE || draft->task == PCT_TASK_NAME || draft->task == PCT_TASK_BOX2MASK;
    const char *text = by_answer ? draft->answer : draft->question;
    char plain[QUESTION_MAX_BYTES];
    size_t length = 0;
    for (; *text; text++)
        if (*text != '?' && *text != '.') plain[length++] = (char)tolower((unsigned char)*text);
    uint64_t hash = pct_hash_bytes(plain, length);
    return draft->in_count ? hash ^ pct_hash_u64(draft->in[0] + 1u + 256u * (unsigned)draft->task) : hash;
}

static bool asked_before(const struct facts *facts, const struct draft *draft) {
    uint64_t hash = draft_hash(draft);
    for (int i = 0; i < facts->asked_count; i++)
        if (facts->asked[i] == hash) return true;
    return false;
}

static bool keep(struct facts *facts, const struct draft *draft, int follows) {
    pct_turn *turn = &facts->sample->turns[facts->sample->turn_count];
    uint8_t *regions = pct_arena_take(facts->arena, (size_t)draft->in_count + draft->out_count + 1u);
    *turn = (pct_turn){
        .task = draft->task,
        .question = pct_arena_text(facts->arena, draft->question, strlen(draft->question)),
        .answer = pct_arena_text(facts->arena, draft->answer, strlen(draft->answer)),
        .target = pct_arena_text(facts->arena, draft->target, strlen(draft->target)),
        .in_count = draft->in_count,
        .out_count = draft->out_count,
        .follows = (int16_t)follows,
        .style = PCT_STYLE_COUNT,
    };
    if (!regions || !turn->question || !turn->answer || !turn->target) return false;
    memcpy(regions, draft->in, draft->in_count);
    memcpy(regions + draft->in_count, draft->out, draft->out_count);
    turn->regions_in = regions;
    turn->regions_out = regions + draft->in_count;
    int subject = draft->in_count ? draft->in[0] : draft->out_count ? draft->out[0] : -1;
    if (subject >= 0) {
        turn->style = (uint8_t)facts->sample->objects[subject].style;
        turn->held_out = held_out(facts, subject);
    }
    facts->asked[facts->asked_count++] = draft_hash(draft);
    facts->sample->turn_count++;
    return true;
}

/* Turns until there are enough, or the picture offers no more that were not asked yet. */
static bool ask(struct facts *facts) {
    int wanted = facts->request->questions;
    for (int idle = 0; facts->sample->turn_count < wanted && idle < TASK_TRIES;) {
        struct draft draft = {.in_count = 0}, second = {.in_count = 0};
        enum pct_task task = pick_task(facts);
        if (facts->sample->turn_count + 2 > wanted && task == PCT_TASK_DIALOGUE) {
            /* A dialogue needs room for two; alone in the mix it may still stand as the one that was asked for. */
            idle++;
            if (wanted > 1 || facts->sample->turn_count) continue;
        }
        bool made = false; /* several tries, so that rare families keep their share of the mix */
        for (int tries = 0; tries < DRAFT_TRIES && !made; tries++) {
            draft = second = (struct draft){.in_count = 0};
            made = draft_task(facts, task, &draft, &second) && !asked_before(facts, &draft);
        }
        if (!made) {
            idle++;
            continue;
        }
        idle = 0;
        int first = facts->sample->turn_count;
        if (!keep(facts, &draft, -1) || (draft.followed && !keep(facts, &second, first))) return false;
    }
    /* Never none: naming, then absence, is nearly always possible. */
    static const enum pct_task last[] = {PCT_TASK_NAME, PCT_TASK_REFER, PCT_TASK_ABSENT};
    for (size_t i = 0; i < 3 && facts->sample->turn_count == 0; i++) {
        struct draft draft = {.in_count = 0};
        if (draft_task(facts, last[i], &draft, NULL) && !keep(facts, &draft, -1)) return false;
    }
    return true;
}

percept_status scene_questions(const pct_scene_source *source, const pct_scene_request *request,
                               const struct scene_background *background, pct_random *random, pct_arena *arena,
                               pct_sample *sample, percept_error *error) {
    struct facts facts = {.source = source,
                          .request = request,
                          .background = background,
                          .random = random,
                          .arena = arena,
                          .sample = sample,
                          .count = sample->object_count,
                          .width = (float)request->width,
                          .height = (float)request->height};
    sample->turns = pct_arena_take_zeroed(arena, QUESTION_MAX_TURNS, sizeof *sample->turns);
    if (!sample->turns) return pct_fail_memory(error, "questions");
    measure(&facts);
    return ask(&facts) ? PERCEPT_OK : pct_fail_memory(error, "questions");
}
