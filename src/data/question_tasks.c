/* question_tasks.c: one maker a task family: a question, its answer, and the regions of both. */
#include "data/question_private.h"

#include "base/size.h"

#include <stdio.h>
#include <string.h>

static void set_target(struct draft *draft, const char *text) {
    snprintf(draft->target, sizeof draft->target, "%s", text);
}

static void add_out(struct draft *draft, int object) { draft->out[draft->out_count++] = (uint8_t)object; }

/* ---- refer ---- */

static void answer_here(struct draft *draft, const struct facts *facts, int object, const char *said) {
    bool plural = fact_name(facts, object)->number == PCT_NUMBER_PLURAL;
    snprintf(draft->answer, sizeof draft->answer, "%s here: <p>%s</p><obj>.", plural ? "They are" : "It is", said);
    add_out(draft, object);
}

/* "any glasses", "any bread", "a cup", "the sun". */
static void any_or_a(const struct scene_name *name, const char *a, char *out, size_t capacity) {
    snprintf(out, capacity, "%s%s", *name->article ? "" : "any ", a);
}

static bool draft_refer(const struct facts *facts, struct draft *draft) {
    struct expression said;
    int object = fact_pick_object(facts);
    if (object < 0 || !express(facts, object, &said)) return false;
    char a[160] = "";
    if (*said.a) any_or_a(fact_name(facts, object), said.a, a, sizeof a);
    struct fields fields = {.the = said.the, .a = a, .are = said.plural};
    if (chance(facts, 0.25f)) /* what `percept find` sends */
        phrase_bare(facts, said.the + (chance(facts, 0.6f) ? 4 : 0), draft->question);
    else
        phrase_question(facts, *a && chance(facts, 0.3f) ? PHRASES_EXIST : PHRASES_REFER, &fields, draft->question);
    answer_here(draft, facts, object, said.said);
    return true;
}

/* ---- absent ---- */

static bool certainly_absent(const struct facts *facts, int32_t name) { return pct_sample_absent(facts->sample, name); }

static int32_t pick_absent(const struct facts *facts) {
    for (int tries = 0; tries < 12; tries++) {
        int32_t name = scene_pick_name(facts->source, facts->random);
        if (certainly_absent(facts, name)) return name;
    }
    return -1;
}

static void answer_absent(struct draft *draft, const struct scene_name *name) {
    snprintf(draft->answer, sizeof draft->answer, "There %s no %s here.",
             name->number == PCT_NUMBER_PLURAL ? "are" : "is", name->text);
    set_target(draft, "none");
}

static bool draft_absent(const struct facts *facts, struct draft *draft) {
    int32_t id = pick_absent(facts);
    if (id < 0) return false;
    const struct scene_name *name = &facts->source->names[id];
    char the[80], plain[80], a[96];
    snprintf(the, sizeof the, "the %s", name->text);
    phrase_indefinite(name, "", plain, sizeof plain);
    any_or_a(name, plain, a, sizeof a);
    struct fields fields = {
        .the = the, .a = a, .plural = name->plural, .name = name->text, .are = name->number == PCT_NUMBER_PLURAL};
    float way = pct_random_float(facts->random);
    if (way < 0.25f)
        phrase_bare(facts,
                    name->number == PCT_NUMBER_ONE && chance(facts, 0.2f) ? name->plural
                                                                          : the + (chance(facts, 0.7f) ? 4 : 0),
                    draft->question);
    else if (way < 0.38f && name->number == PCT_NUMBER_ONE)
        phrase_question(facts, PHRASES_ALL, &fields, draft->question);
    else
        phrase_question(facts, way < 0.66f ? PHRASES_EXIST : PHRASES_REFER, &fields, draft->question);
    answer_absent(draft, name);
    return true;
}

/* ---- all ---- */

/* From left to right, by the middles of the boxes. */
static void sort_by_x(const struct facts *facts, uint8_t *objects, int count) {
    for (int i = 1; i < count; i++)
        for (int k = i; k > 0 && facts->x[objects[k]] < facts->x[objects[k - 1]]; k--) {
            uint8_t swap = objects[k];
            objects[k] = objects[k - 1];
            objects[k - 1] = swap;
        }
}

static int all_of_name(const struct facts *facts, int object, uint8_t objects[SCENE_MAX_OBJECTS]) {
    int count = 0;
    for (int k = 0; k < facts->count; k++)
        if (facts->sample->objects[k].name == facts->sample->objects[object].name) objects[count++] = (uint8_t)k;
    sort_by_x(facts, objects, count);
    return count;
}

static bool draft_all(const struct facts *facts, struct draft *draft) {
    int object = fact_pick_object(facts);
    if (object < 0 || !facts->clear[object] || fact_name(facts, object)->number != PCT_NUMBER_ONE) return false;
    if (facts->same[object] == 1 && chance(facts, 0.75f)) return false; /* several is what this is about */
    const struct scene_name *name = fact_name(facts, object);
    struct fields fields = {.plural = name->plural, .name = name->text};
    bool bare = chance(facts, 0.3f);
    phrase_question(facts, bare ? PHRASES_ALL_BARE : PHRASES_ALL, &fields, draft->question);
    draft->out_count = (uint8_t)all_of_name(facts, object, draft->out);
    if (draft->out_count == 1) {
        snprintf(draft->answer, sizeof draft->answer, "It is here: <p>the %s</p><obj>.", name->text);
        return true;
    }
    int length = snprintf(draft->answer, sizeof draft->answer, "They are here: <p>the %s</p>", name->plural);
    for (int i = 0; i < draft->out_count; i++)
        length += snprintf(draft->answer + length, sizeof draft->answer - (size_t)length, "<obj>");
    snprintf(draft->answer + length, sizeof draft->answer - (size_t)length, ".");
    return true;
}

/* ---- name, box2mask ---- */

static bool draft_name(const struct facts *facts, struct draft *draft) {
    int object = fact_pick_object(facts);
    if (object < 0) return false;
    const struct scene_name *name = fact_name(facts, object);
    char what[80];
    phrase_indefinite(name, "", what, sizeof what);
    phrase_question(facts, PHRASES_NAME, &(struct fields){0}, draft->question);
    snprintf(draft->answer, sizeof draft->answer, "%s %s.", name->number == PCT_NUMBER_PLURAL ? "They are" : "It is",
             what);
    set_target(draft, name->text);
    draft->in[draft->in_count++] = (uint8_t)object;
    return true;
}

static bool draft_box2mask(const struct facts *facts, struct draft *draft) {
    int object = fact_pick_object(facts);
    if (object < 0) return false;
    phrase_question(facts, PHRASES_BOX2MASK, &(struct fields){0}, draft->question);
    snprintf(draft->answer, sizeof draft->answer, "Here it is: <obj>.");
    draft->in[draft->in_count++] = (uint8_t)object;
    add_out(draft, object);
    return true;
}

/* ---- count ---- */

static void answer_count(struct draft *draft, int number) {
    snprintf(draft->answer, sizeof draft->answer, "There %s %s.", number == 1 ? "is" : "are", phrase_number(number));
    set_target(draft, phrase_number(number));
}

/* Points at each before it says how many, and speaks of many whatever the number: it is easily read off what was
 * pointed at, and hardly off the picture at once. The objects are in draft->out. */
static void answer_counted(struct draft *draft, const char *what) {
    char *at = draft->answer, *end = draft->answer + sizeof draft->answer;
    at += snprintf(at, (size_t)(end - at), "Counting <p>%s</p>", what);
    for (int i = 0; i < draft->out_count; i++) at += snprintf(at, (size_t)(end - at), "<obj>");
    snprintf(at, (size_t)(end - at), ": %s.", phrase_number(draft->out_count));
    set_target(draft, phrase_number(draft->out_count));
}

static bool draft_count(const struct facts *facts, struct draft *draft) {
    float way = pct_random_float(facts->random);
    if (way < 0.1f) {
        int32_t id = pick_absent(facts);
        if (id < 0 || facts->source->names[id].number != PCT_NUMBER_ONE) return false;
        struct fields fields = {.plural = facts->source->names[id].plural};
        phrase_question(facts, PHRASES_COUNT, &fields, draft->question);
        answer_count(draft, 0);
        return true;
    }
    if (way < 0.22f && facts->all_clear && !(facts->background && facts->background->shows_count)) {
        phrase_question(facts, PHRASES_COUNT_ALL, &(struct fields){0}, draft->question);
        for (int k = 0; k < facts->count; k++) add_out(draft, k);
        sort_by_x(facts, draft->out, draft->out_count);
        answer_counted(draft, "all things");
        return true;
    }
    int object = fact_pick_object(facts);
    if (object < 0 || !facts->clear[object] || fact_name(facts, object)->number != PCT_NUMBER_ONE) return false;
    if (facts->same[object] == 1 && chance(facts, 0.6f)) return false; /* else "one" is always a good guess */
    const struct scene_name *name = fact_name(facts, object);
    phrase_question(facts, PHRASES_COUNT, &(struct fields){.plural = name->plural}, draft->question);
    draft->out_count = (uint8_t)all_of_name(facts, object, draft->out);
    answer_counted(draft, name->plural);
    return true;
}

/* ---- relation ---- */

/* The one object that is clearly in some direction of the anchor while no other is even perhaps. */
static bool find_relation(const struct facts *facts, int anchor, int *object, enum direction *direction) {
    int first = (int)pick(facts, DIRECTIONS);
    for (int i = 0; i < DIRECTIONS; i++) {
        int found = -1, maybe = 0;
        *direction = (enum direction)((first + i) % DIRECTIONS);
        for (int k = 0; k < facts->count; k++) {
            if (k == anchor) continue;
            maybe += perhaps(facts, k, anchor, *direction);
            if (facts->sample->objects[k].asked && clearly(facts, k, anchor, *direction)) found = k;
        }
        *object = found;
        if (found >= 0 && maybe == 1) return true;
    }
    return false;
}

static void answer_relation(struct draft *draft, const struct facts *facts, int object) {
    char what[80];
    phrase_indefinite(fact_name(facts, object), "", what, sizeof what);
    snprintf(draft->answer, sizeof draft->answer, "%s <p>%s</p><obj>.",
             fact_name(facts, object)->number == PCT_NUMBER_PLURAL ? "They are" : "It is", what);
    set_target(draft, fact_name(facts, object)->text);
    add_out(draft, object);
}

static bool shows_things(const struct facts *facts) { return facts->background && facts->background->shows_count; }

static bool draft_relation(const struct facts *facts, struct draft *draft) {
    if (shows_things(facts) || facts->count == 0) return false;
    int start = (int)pick(facts, (size_t)facts->count);
    for (int i = 0; i < facts->count; i++) {
        enum direction direction;
        int anchor = (start + i) % facts->count, object;
        if (!facts->sample->objects[anchor].asked || facts->same[anchor] != 1) continue;
        if (!find_relation(facts, anchor, &object, &direction)) continue;
        char the[80];
        snprintf(the, sizeof the, "the %s", fact_name(facts, anchor)->text);
        struct fields fields = {.the = the, .where = direction_text(facts, direction)};
        phrase_question(facts, PHRASES_RELATION, &fields, draft->question);
        answer_relation(draft, facts, object);
        return true;
    }
    return false;
}

/* ---- describe ---- */

static bool draft_describe(const struct facts *facts, struct draft *draft) {
    uint8_t order[SCENE_MAX_OBJECTS];
    int count = 0, groups = 0, length = 0;
    for (int k = 0; k < facts->count; k++)
        if (facts->clear[k]) order[count++] = (uint8_t)k;
    if (count == 0) return false;
    sort_by_x(facts, order, count);
    int firsts[SCENE_MAX_OBJECTS];
    for (int i = 0; i < count; i++) {
        bool known = false;
        for (int g = 0; g < groups; g++)
            known |= facts->sample->objects[firsts[g]].name == facts->sample->objects[order[i]].name;
        if (!known) firsts[groups++] = order[i];
    }
    bool plural = facts->same[firsts[0]] > 1 || fact_name(facts, firsts[0])->number == PCT_NUMBER_PLURAL;
    phrase_question(facts, PHRASES_DESCRIBE, &(struct fields){0}, draft->question);
    length += snprintf(draft->answer, sizeof draft->answer, "There %s ", plural ? "are" : "is");
    for (int g = 0; g < groups; g++) {
        const struct scene_name *name = fact_name(facts, firsts[g]);
        uint8_t members[SCENE_MAX_OBJECTS];
        char what[96];
        int member_count = all_of_name(facts, firsts[g], members);
        if (member_count > 1)
            snprintf(what, sizeof what, "%s %s", phrase_number(member_count), name->plural);
        else
            phrase_indefinite(name, "", what, sizeof what);
        const char *joint = g == 0 ? "" : g == groups - 1 ? " and " : ", ";
        length += snprintf(draft->answer + length, sizeof draft->answer - (size_t)length, "%s<p>%s</p>", joint, what);
        for (int i = 0; i < member_count; i++) {
            length += snprintf(draft->answer + length, sizeof draft->answer - (size_t)length, "<obj>");
            add_out(draft, members[i]);
        }
        if (length > QUESTION_MAX_BYTES - 160) return false;
    }
    snprintf(draft->answer + length, sizeof draft->answer - (size_t)length, ".");
    return true;
}

/* ---- dialogue ---- */

/* The second turn says "it", "them", or "and the dog". */
static bool draft_second(const struct facts *facts, int before, struct draft *draft) {
    enum direction direction;
    int object, way = (int)pick(facts, 3);
    const struct scene_name *name = fact_name(facts, before);
    if (way == 0) {
        if (shows_things(facts) || !find_relation(facts, before, &object, &direction)) return false;
        struct fields fields = {.where = direction_text(facts, direction)};
        phrase_question(facts, PHRASES_FOLLOW_RELATION, &fields, draft->question);
        answer_relation(draft, facts, object);
        return true;
    }
    if (way == 1) {
        if (!facts->clear[before] || name->number != PCT_NUMBER_ONE || facts->same[before] == 1) return false;
        phrase_question(facts, PHRASES_FOLLOW_COUNT, &(struct fields){0}, draft->question);
        answer_count(draft, facts->same[before]);
        return true;
    }
    if (chance(facts, 0.25f)) {
        int32_t id = pick_absent(facts);
        if (id < 0) return false;
        char the[80];
        snprintf(the, sizeof the, "the %s", facts->source->names[id].text);
        struct fields fields = {.the = the, .are = facts->source->names[id].number == PCT_NUMBER_PLURAL};
        phrase_question(facts, PHRASES_FOLLOW_AND, &fields, draft->question);
        answer_absent(draft, &facts->source->names[id]);
        return true;
    }
    struct expression said;
    object = fact_pick_object(facts);
    if (object < 0 || object == before || !express(facts, object, &said)) return false;
    struct fields fields = {.the = said.the, .are = said.plural};
    phrase_question(facts, PHRASES_FOLLOW_AND, &fields, draft->question);
    answer_here(draft, facts, object, said.said);
    return true;
}

/* First a question about all of a name (then "how many are there?") or about one thing (then "what is left of it?"). */
static bool draft_dialogue(const struct facts *facts, struct draft *first, struct draft *second) {
    first->task = chance(facts, 0.3f) ? PCT_TASK_ALL : PCT_TASK_REFER;
    if (!(first->task == PCT_TASK_ALL ? draft_all(facts, first) : draft_refer(facts, first))) return false;
    second->task = PCT_TASK_DIALOGUE;
    int before = first->out[0];
    if (first->task == PCT_TASK_ALL && first->out_count > 1) { /* "it" would mean nothing */
        phrase_question(facts, PHRASES_FOLLOW_COUNT, &(struct fields){0}, second->question);
        answer_count(second, facts->same[before]);
        return first->followed = true;
    }
    return first->followed = draft_second(facts, before, second);
}

bool draft_task(const struct facts *facts, enum pct_task task, struct draft *draft, struct draft *second) {
    draft->task = task;
    switch (task) {
    case PCT_TASK_REFER:
        return draft_refer(facts, draft);
    case PCT_TASK_ABSENT:
        return draft_absent(facts, draft);
    case PCT_TASK_ALL:
        return draft_all(facts, draft);
    case PCT_TASK_NAME:
        return draft_name(facts, draft);
    case PCT_TASK_COUNT:
        return draft_count(facts, draft);
    case PCT_TASK_RELATION:
        return draft_relation(facts, draft);
    case PCT_TASK_BOX2MASK:
        return draft_box2mask(facts, draft);
    case PCT_TASK_DESCRIBE:
        return draft_describe(facts, draft);
    case PCT_TASK_DIALOGUE:
        return draft_dialogue(facts, draft, second);
    case PCT_TASK_COUNT_:
        break;
    }
    return false;
}
