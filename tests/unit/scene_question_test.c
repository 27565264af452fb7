/* Questions, read back by a checker that knows English but not how they were made: every expression must mean exactly
 * the object of its answer; absences, counts, lists and relations must be true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "base/size.h"
#include "data/question_private.h"
#include "scene_support.h"

#include <ctype.h>
#include <math.h>

#define SCENES 2000

/* ---- a small reader of English ---- */

struct reading {
    const pct_sample *sample;
    char text[QUESTION_MAX_BYTES]; /* lower case, blanks round it, marks are blanks */
};

static void read_text(struct reading *in, const char *text) {
    size_t length = 0;
    in->text[length++] = ' ';
    for (; *text && length + 2 < sizeof in->text; text++)
        in->text[length++] = strchr("?.,", *text) ? ' ' : (char)tolower((unsigned char)*text);
    in->text[length++] = ' ';
    in->text[length] = 0;
}

static bool says(const struct reading *in, const char *words) {
    char padded[100];
    snprintf(padded, sizeof padded, " %s ", words);
    return strstr(in->text, padded) != NULL;
}

static float middle_x(const pct_object *o) { return (o->box.x0 + o->box.x1) / 2; }
static float middle_y(const pct_object *o) { return (o->box.y0 + o->box.y1) / 2; }

/* The first name of the text, -1 for none; *at is where it ends. */
static int32_t first_name(const char *text, const char **at) {
    int32_t best = -1;
    const char *where = NULL;
    for (int32_t name = 0; name < pct_scene_names(scene_source); name++) {
        char padded[80];
        snprintf(padded, sizeof padded, " %s ", pct_scene_name(scene_source, name));
        const char *found = strstr(text, padded);
        if (found && (!where || found < where)) {
            where = found;
            best = name;
            *at = found + strlen(padded) - 1;
        }
    }
    return best;
}

/* Whether o lies in the direction of a: within 45 degrees of it. */
static bool in_cone(const pct_object *o, const pct_object *a, int direction) {
    float dx = middle_x(o) - middle_x(a), dy = middle_y(o) - middle_y(a);
    float along = direction == 0 ? -dx : direction == 1 ? dx : direction == 2 ? -dy : dy;
    float aside = direction < 2 ? fabsf(dy) : fabsf(dx);
    return along > 0.5f && along > aside;
}

static int relation_words(const struct reading *in, const char **after) {
    static const char *const words[4][4] = {{"left of the", "to the left of the", "on the left of the", NULL},
                                            {"right of the", "to the right of the", "on the right of the", NULL},
                                            {"above the", "over the", NULL},
                                            {"below the", "under the", "beneath the", NULL}};
    for (int direction = 0; direction < 4; direction++)
        for (int i = 0; i < 4 && words[direction][i]; i++) {
            char padded[60];
            snprintf(padded, sizeof padded, " %s ", words[direction][i]);
            const char *found = strstr(in->text, padded);
            if (!found) continue;
            *after = found + strlen(padded) - 1;
            return direction;
        }
    return -1;
}

/* Which of the candidates is furthest in a direction; -1 when two share it. */
static int extreme(const struct reading *in, const bool *candidate, int direction) {
    int best = -1;
    float most = -1e9f;
    for (int k = 0; k < in->sample->object_count; k++) {
        if (!candidate[k]) continue;
        const pct_object *o = &in->sample->objects[k];
        float at = direction == 0   ? -middle_x(o)
                   : direction == 1 ? middle_x(o)
                   : direction == 2 ? -middle_y(o)
                                    : middle_y(o);
        if (fabsf(at - most) < 2) best = -1;
        if (at > most) {
            if (at >= most + 2) best = k;
            most = at;
        }
    }
    return best;
}

static int by_area(const struct reading *in, const bool *candidate, bool largest) {
    int best = -1;
    for (int k = 0; k < in->sample->object_count; k++)
        if (candidate[k] && (best < 0 || (in->sample->objects[k].area > in->sample->objects[best].area) == largest))
            best = k;
    for (int k = 0; k < in->sample->object_count; k++) { /* by far, or it is not clear */
        if (k == best || !candidate[k]) continue;
        float ratio = sqrtf((float)in->sample->objects[k].area / (float)in->sample->objects[best].area);
        if (largest ? ratio > 0.7f : ratio < 1.4f) return -1;
    }
    return best;
}

static void keep_only(bool *candidate, int count, int one) {
    for (int k = 0; k < count; k++) candidate[k] = k == one;
}

static bool says_any(const struct reading *in, const char *const *words, int count) {
    for (int i = 0; i < count; i++)
        if (says(in, words[i])) return true;
    return false;
}

/* Everything the expression says, taken one after the other. `plain`: colours are the paint's. */
static void narrow(const struct reading *in, bool *candidate, bool plain) {
    static const char *const outer[4][4] = {
        {"leftmost", "left"}, {"rightmost", "right"}, {"topmost", "upper", "top"}, {"lowest", "lower", "bottom"}};
    static const char *const halves[4] = {"on the left", "on the right", "at the top", "at the bottom"};
    static const char *const large[] = {"big", "large", "bigger", "larger", "biggest", "largest"};
    static const char *const small[] = {"small", "little", "smaller", "smallest", "tiniest"};
    const pct_sample *sample = in->sample;
    int count = sample->object_count;
    const char *after = NULL;
    for (int c = 0; c < SCENE_COLOURS; c++) {
        if (!says(in, scene_colour_text[c])) continue;
        for (int k = 0; k < count; k++)
            if (plain) candidate[k] &= scene_label_colour(sample->objects[k].label) == c;
    }
    if (says_any(in, large, 6)) keep_only(candidate, count, by_area(in, candidate, true));
    if (says_any(in, small, 5)) keep_only(candidate, count, by_area(in, candidate, false));
    int direction = relation_words(in, &after);
    if (direction >= 0) {
        int32_t anchor_name = first_name(after - 1 + 0, &after);
        int anchors = 0, anchor = 0;
        for (int k = 0; k < count; k++)
            if (sample->objects[k].name == anchor_name) anchors++, anchor = k;
        if (anchors != 1) fail_msg("'%s': %d anchors", in->text, anchors);
        for (int k = 0; k < count; k++)
            candidate[k] &= k != anchor && in_cone(&sample->objects[k], &sample->objects[anchor], direction);
        return;
    }
    for (direction = 0; direction < 4; direction++) {
        if (says(in, halves[direction])) {
            for (int k = 0; k < count; k++) {
                const pct_object *o = &sample->objects[k];
                float at = direction < 2 ? middle_x(o) / (float)sample->image.width
                                         : middle_y(o) / (float)sample->image.height;
                candidate[k] &= direction % 2 ? at > 0.5f : at < 0.5f;
            }
        } else if (says_any(in, outer[direction], direction < 2 ? 2 : 3)) {
            keep_only(candidate, count, extreme(in, candidate, direction));
        }
    }
}

static int64_t checked_refer, checked_unnamed, checked_colour, checked_relation;

static void check_refer(const pct_sample *sample, const pct_turn *turn, bool plain) {
    struct reading in = {.sample = sample};
    bool candidate[SCENE_MAX_OBJECTS];
    const char *at;
    int found = 0;
    read_text(&in, turn->question);
    bool unnamed = says(&in, "thing") || says(&in, "object");
    int32_t name = unnamed ? -1 : first_name(in.text, &at);
    if (!unnamed) assert_true(name >= 0);
    for (int k = 0; k < sample->object_count; k++) candidate[k] = unnamed || sample->objects[k].name == name;
    narrow(&in, candidate, plain);
    for (int k = 0; k < sample->object_count; k++) found += candidate[k];
    bool colour = pct_name_colour(in.text) >= 0;
    if (colour && !plain) return; /* what a changed picture's colours are, only its pixels say */
    if (found != 1 || turn->out_count != 1 || !candidate[turn->regions_out[0]])
        fail_msg("picture %llu: '%s' means %d objects, or another than %d", (unsigned long long)sample->index,
                 turn->question, found, turn->out_count ? turn->regions_out[0] : -1);
    assert_true(sample->objects[turn->regions_out[0]].asked);
    assert_non_null(strstr(turn->answer, "here: <p>the "));
    assert_non_null(strstr(turn->answer, sample->objects[turn->regions_out[0]].text));
    checked_refer++;
    checked_unnamed += unnamed;
    checked_colour += colour;
    checked_relation += relation_words(&in, &at) >= 0;
}

/* The name in the question, in the singular or the plural. */
static int32_t name_or_plural(const char *question) {
    struct reading in = {0};
    const char *at;
    int32_t best = -1;
    read_text(&in, question);
    for (int32_t name = 0; name < scene_source->name_count; name++)
        if (says(&in, scene_source->names[name].plural)) best = name;
    return best >= 0 ? best : first_name(in.text, &at);
}

static int count_of(const pct_sample *sample, int32_t name) {
    int count = 0;
    for (int32_t k = 0; k < sample->object_count; k++) count += sample->objects[k].name == name;
    return count;
}

static void check_all(const pct_sample *sample, const pct_turn *turn) {
    int32_t name = name_or_plural(turn->question);
    assert_true(name >= 0);
    assert_int_equal(turn->out_count, count_of(sample, name));
    for (int i = 0; i < turn->out_count; i++) {
        assert_int_equal(sample->objects[turn->regions_out[i]].name, name);
        for (int k = 0; k < i; k++) assert_int_not_equal(turn->regions_out[i], turn->regions_out[k]);
    }
}

static void check_absent(const pct_sample *sample, const pct_turn *turn) {
    int32_t name = name_or_plural(turn->question);
    assert_true(name >= 0);
    assert_int_equal(count_of(sample, name), 0);
    assert_true(pct_sample_absent(sample, name));
    assert_int_equal(turn->out_count, 0);
    assert_string_equal(turn->target, "none");
    assert_non_null(strstr(turn->answer, scene_source->names[name].text));
}

static void check_count(const pct_sample *sample, const pct_turn *turn) {
    int32_t name = name_or_plural(turn->question);
    int count = name >= 0 ? count_of(sample, name) : sample->object_count;
    assert_string_equal(turn->target, phrase_number(count));
    assert_non_null(strstr(turn->answer, phrase_number(count)));
    if (name < 0) assert_true(strstr(turn->question, "thing") || strstr(turn->question, "object"));
}

static void check_name(const pct_sample *sample, const pct_turn *turn) {
    assert_int_equal(turn->in_count, 1);
    assert_string_equal(turn->target, sample->objects[turn->regions_in[0]].text);
    assert_non_null(strstr(turn->answer, turn->target));
    assert_non_null(strstr(turn->question, "<obj>"));
}

static void check_relation(const pct_sample *sample, const pct_turn *turn) {
    struct reading in = {.sample = sample};
    const char *after = NULL;
    int anchor = -1, found = 0;
    read_text(&in, turn->question);
    int direction = relation_words(&in, &after);
    assert_true(direction >= 0);
    int32_t name = first_name(after - 1, &after);
    assert_int_equal(count_of(sample, name), 1);
    for (int32_t k = 0; k < sample->object_count; k++)
        if (sample->objects[k].name == name) anchor = k;
    for (int32_t k = 0; k < sample->object_count; k++)
        found += k != anchor && in_cone(&sample->objects[k], &sample->objects[anchor], direction);
    assert_int_equal(found, 1);
    assert_int_equal(turn->out_count, 1);
    assert_true(in_cone(&sample->objects[turn->regions_out[0]], &sample->objects[anchor], direction));
    assert_string_equal(turn->target, sample->objects[turn->regions_out[0]].text);
}

static void check_describe(const pct_sample *sample, const pct_turn *turn) {
    for (int i = 0; i < turn->out_count; i++) {
        assert_non_null(strstr(turn->answer, sample->objects[turn->regions_out[i]].text));
        for (int k = 0; k < i; k++) assert_int_not_equal(turn->regions_out[i], turn->regions_out[k]);
    }
    assert_true(turn->out_count > 0);
}

static int marks(const char *text, const char *mark) {
    int count = 0;
    for (; (text = strstr(text, mark)); text += strlen(mark)) count++;
    return count;
}

static void test_answers_are_true(void **state) {
    pct_arena arena;
    int64_t turns[PCT_TASK_COUNT_] = {0}, total = 0;
    pct_arena_init(&arena, 0);
    for (uint64_t index = 0; index < SCENES; index++) {
        pct_scene_request request = {
            .width = index % 3 ? 128 : 160, .height = index % 3 ? 128 : 100, .questions = 6, .plain = index % 2};
        pct_sample sample;
        pct_arena_reset(&arena);
        assert_int_equal(
            pct_scene_compose(scene_source, PCT_SPLIT_TRAINING, 21, index, &request, &arena, &sample, NULL),
            PERCEPT_OK);
        for (int32_t t = 0; t < sample.turn_count; t++) {
            const pct_turn *turn = &sample.turns[t];
            assert_int_equal(marks(turn->question, "<obj>"), turn->in_count);
            assert_int_equal(marks(turn->answer, "<obj>"), turn->out_count);
            assert_int_equal(marks(turn->answer, "<p>"), marks(turn->answer, "</p>"));
            assert_true(turn->follows < t);
            assert_int_equal(turn->follows >= 0, turn->task == PCT_TASK_DIALOGUE);
            for (int i = 0; i < turn->out_count; i++) assert_true(sample.objects[turn->regions_out[i]].asked);
            turns[turn->task]++;
            total++;
            switch (turn->task) {
            case PCT_TASK_REFER:
                check_refer(&sample, turn, request.plain);
                break;
            case PCT_TASK_ALL:
                check_all(&sample, turn);
                break;
            case PCT_TASK_ABSENT:
                check_absent(&sample, turn);
                break;
            case PCT_TASK_COUNT:
                check_count(&sample, turn);
                break;
            case PCT_TASK_NAME:
                check_name(&sample, turn);
                break;
            case PCT_TASK_RELATION:
                check_relation(&sample, turn);
                break;
            case PCT_TASK_DESCRIBE:
                check_describe(&sample, turn);
                break;
            case PCT_TASK_BOX2MASK:
                assert_int_equal(turn->regions_in[0], turn->regions_out[0]);
                break;
            case PCT_TASK_DIALOGUE:
                assert_true(turn->out_count == 1 || *turn->target);
                break;
            case PCT_TASK_COUNT_:
                break;
            }
        }
    }
    /* Every family and every kind of expression was there to be checked. */
    for (int task = 0; task < PCT_TASK_COUNT_; task++) assert_true(turns[task] > total / 200);
    assert_in_range(turns[PCT_TASK_ABSENT] * 100 / total, 10, 25);
    assert_true(checked_refer > 3000 && checked_unnamed > 50 && checked_colour > 100 && checked_relation > 50);
    pct_arena_free(&arena);
}

static void test_many_phrasings(void **state) {
    for (int phrases = 0; phrases < PHRASES_COUNT_; phrases++)
        assert_true(phrase_count((enum phrases)phrases) >= (phrases == PHRASES_ALL_BARE ? 5 : 12));
}

/* What `percept find` sends must be a good part of the referring questions. */
static void test_bare_phrases(void **state) {
    pct_scene_request request = {.width = 96, .height = 96, .questions = 6};
    pct_arena arena;
    int bare = 0, refer = 0;
    static const char verbs[] = " where find show point locate mark please which segment outline select highlight can "
                                "give i detect tell box is do does look are ";
    pct_arena_init(&arena, 0);
    for (uint64_t index = 0; index < 400; index++) {
        pct_sample sample;
        pct_arena_reset(&arena);
        assert_int_equal(pct_scene_compose(scene_source, PCT_SPLIT_TRAINING, 4, index, &request, &arena, &sample, NULL),
                         PERCEPT_OK);
        for (int32_t t = 0; t < sample.turn_count; t++) {
            if (sample.turns[t].task != PCT_TASK_REFER) continue;
            struct reading in = {0};
            char first[64];
            read_text(&in, sample.turns[t].question);
            snprintf(first, sizeof first, " %.*s ", (int)strcspn(in.text + 1, " "), in.text + 1);
            refer++;
            bare += !strstr(verbs, first);
        }
    }
    assert_in_range(bare * 100 / refer, 18, 32);
    pct_arena_free(&arena);
}

static void test_weights(void **state) {
    pct_scene_options options;
    pct_scene_source *only = NULL;
    pct_scene_options_default(&options);
    options.cutouts = scene_folder;
    options.weights[PCT_TASK_NAME] = 1;
    assert_int_equal(pct_scene_source_open(&only, &options, NULL), PERCEPT_OK);
    pct_scene_request request = {.width = 96, .height = 96, .questions = 3};
    pct_arena arena;
    pct_arena_init(&arena, 0);
    for (uint64_t index = 0; index < 50; index++) {
        pct_sample sample;
        assert_int_equal(pct_scene_compose(only, PCT_SPLIT_TRAINING, 4, index, &request, &arena, &sample, NULL),
                         PERCEPT_OK);
        for (int32_t t = 0; t < sample.turn_count; t++) assert_int_equal(sample.turns[t].task, PCT_TASK_NAME);
    }
    pct_arena_free(&arena);
    pct_scene_source_close(&only);
    options.weights[PCT_TASK_NAME] = -1;
    assert_int_equal(pct_scene_source_open(&only, &options, NULL), PERCEPT_ERROR_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers_are_true), cmocka_unit_test(test_many_phrasings),
                                       cmocka_unit_test(test_bare_phrases), cmocka_unit_test(test_weights)};
    return cmocka_run_group_tests(tests, scene_group_open, scene_group_close);
}
