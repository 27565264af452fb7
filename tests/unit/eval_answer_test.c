/* eval_answer_test.c: words and regions of hand-made replies, and the figures that follow from them. */
#include "eval/answer.h"
#include "eval/judge.h"

#include "base/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>
#include <string.h>

#define near(a, b) assert_true(fabs((double)(a) - (double)(b)) < 1e-9)

static void denials_are_heard(void **state) {
    (void)state;
    assert_true(pct_answer_denies("There is no cat here."));
    assert_true(pct_answer_denies("I cannot see one."));
    assert_true(pct_answer_denies("It isn't here"));
    assert_true(pct_answer_denies("NONE"));
    assert_false(pct_answer_denies("It is here: <p>the knot</p><obj>."));
    assert_false(pct_answer_denies("Another notebook, nobly"));
    assert_false(pct_answer_denies(""));
}

static void numbers_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int number;
    } cases[] = {{"There are three.", 3},
                 {"two", 2},
                 {"12 of them", 12},
                 {"Only one cat.", 1},
                 {"none", 0},
                 {"There are no cats", 0},
                 {"A single one", 1},
                 {"Twenty", 20},
                 {"lots", -1},
                 {"", -1},
                 {"<p>two dogs</p><obj>", 2},
                 {"someone", -1},
                 {"I see <p>eight balls</p><obj><obj>: two.", 2},
                 {"<p>seven eight balls", 7}};
    for (size_t i = 0; i < PCT_COUNT(cases); i++) assert_int_equal(pct_answer_count(cases[i].text), cases[i].number);
}

static void names_are_stripped(void **state) {
    (void)state;
    static const struct {
        const char *text, *name;
    } cases[] = {{"It is a red apple.", "red apple"},  {"This is the Apple", "apple"},
                 {"red apple", "red apple"},           {"It is <p>an owl</p><obj>.", "owl"},
                 {"That's an  old   hat!", "old hat"}, {"<obj> a dog", "dog"},
                 {"there is some bread.", "bread"},    {"", ""}};
    char name[PCT_ANSWER_NAME_SIZE];
    for (size_t i = 0; i < PCT_COUNT(cases); i++) {
        pct_answer_name(cases[i].text, name);
        assert_string_equal(name, cases[i].name);
    }
    assert_true(pct_answer_same_name("It is a cat.", "cat"));
    assert_false(pct_answer_same_name("It is a cat.", "cats"));
    assert_false(pct_answer_same_name("", ""));
    char longest[500];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    pct_answer_name(longest, name);
    assert_int_equal(strlen(name), PCT_ANSWER_NAME_SIZE - 1);
}

/* A picture of 10 x 10 with two objects: 0 fills x 0..4 of rows 0..3 (20 pixels), 1 rows 8 and 9 (20 pixels). */
static uint8_t owner[100];
static pct_object objects[2] = {{.box = {0, 0, 5, 4}, .area = 20}, {.box = {0, 8, 10, 10}, .area = 20}};
static const uint8_t zero[] = {0}, both[] = {0, 1};

static pct_sample picture(void) {
    memset(owner, 0, sizeof owner);
    for (int y = 0; y < 4; y++) memset(owner + 10 * y, 1, 5);
    memset(owner + 80, 2, 20);
    return (pct_sample){
        .image = {.width = 10, .height = 10, .channels = 3}, .owner = owner, .objects = objects, .object_count = 2};
}

/* A region that fills a rectangle; the mask's pixels lie in `store`. */
static pct_judge_region region(unsigned char store[100], int x0, int y0, int x1, int y1, float score) {
    memset(store, 0, 100);
    for (int y = y0; y < y1; y++) memset(store + 10 * y + x0, 1, (size_t)(x1 - x0));
    return (pct_judge_region){.mask = {.width = 10, .height = 10, .data = store},
                              .box = {(float)x0, (float)y0, (float)x1, (float)y1},
                              .score = score};
}

static void the_best_scored_region_counts(void **state) {
    (void)state;
    pct_sample sample = picture();
    pct_turn turn = {.task = PCT_TASK_REFER,
                     .question = "",
                     .answer = "",
                     .target = "",
                     .regions_out = zero,
                     .out_count = 1,
                     .style = PCT_STYLE_NOTO};
    unsigned char a[100], b[100];
    pct_eval_region kept[PCT_JUDGE_MAX_REGIONS];
    pct_eval_outcome outcome;
    /* The right one (4 of 5 columns: IoU 16/20) has the lower score; the better scored one misses. */
    pct_judge_region regions[2] = {region(a, 0, 0, 4, 4, 0.3f), region(b, 6, 0, 10, 4, 0.9f)};
    assert_int_equal(pct_judge(&sample, &turn, "<p>it</p><obj><obj>", regions, 2, false, kept, &outcome, NULL),
                     PERCEPT_OK);
    near(outcome.mask_iou, 0);
    near(outcome.box_iou, 0);
    assert_int_equal(outcome.union_area, 36);
    assert_true(outcome.present && outcome.found && outcome.refers);
    assert_true(kept[0].hit && !kept[1].hit);
    regions[0].score = 0.95f;
    assert_int_equal(pct_judge(&sample, &turn, "", regions, 2, false, kept, &outcome, NULL), PERCEPT_OK);
    near(outcome.mask_iou, 0.8);
    near((float)outcome.box_iou, 0.8f);
    assert_int_equal(outcome.intersection, 16);
    assert_int_equal(outcome.union_area, 20);
    /* None returned: zero, and the whole object in the union of cIoU. */
    assert_int_equal(pct_judge(&sample, &turn, "There is none.", NULL, 0, false, kept, &outcome, NULL), PERCEPT_OK);
    near(outcome.mask_iou, 0);
    assert_int_equal(outcome.intersection, 0);
    assert_int_equal(outcome.union_area, 20);
    assert_true(outcome.present && !outcome.found);
}

static void sets_are_matched_once(void **state) {
    (void)state;
    pct_sample sample = picture();
    pct_turn turn = {
        .task = PCT_TASK_ALL, .question = "", .answer = "", .target = "", .regions_out = both, .out_count = 2};
    unsigned char store[3][100];
    pct_eval_region kept[PCT_JUDGE_MAX_REGIONS];
    pct_eval_outcome outcome;
    /* Two regions on object 0 (IoU 0.8 and 1), one on half of object 1 (IoU 0.5). */
    pct_judge_region regions[3] = {region(store[0], 0, 0, 4, 4, 0.5f), region(store[1], 0, 0, 5, 4, 0.4f),
                                   region(store[2], 0, 8, 10, 9, 0.6f)};
    assert_int_equal(pct_judge(&sample, &turn, "", regions, 3, false, kept, &outcome, NULL), PERCEPT_OK);
    assert_true(outcome.set && !outcome.refers);
    assert_int_equal(outcome.matched, 2);
    assert_true(!kept[0].hit && kept[1].hit && kept[2].hit);
    near(outcome.set_iou, 1.5 / 3);
}

static void absence_needs_words_and_no_region(void **state) {
    (void)state;
    pct_sample sample = picture();
    pct_turn turn = {.task = PCT_TASK_ABSENT, .question = "", .answer = "", .target = "none"};
    unsigned char store[100];
    pct_eval_region kept[PCT_JUDGE_MAX_REGIONS];
    pct_eval_outcome outcome;
    pct_judge_region regions[1] = {region(store, 0, 0, 5, 4, 0.9f)};
    assert_int_equal(pct_judge(&sample, &turn, "There is no cup here.", NULL, 0, false, kept, &outcome, NULL),
                     PERCEPT_OK);
    assert_true(outcome.absent && outcome.absent_right && !outcome.present);
    assert_int_equal(pct_judge(&sample, &turn, "There is no cup here.", regions, 1, false, kept, &outcome, NULL),
                     PERCEPT_OK);
    assert_true(outcome.absent && !outcome.absent_right && !kept[0].hit);
    assert_int_equal(pct_judge(&sample, &turn, "It is here:", NULL, 0, false, kept, &outcome, NULL), PERCEPT_OK);
    assert_false(outcome.absent_right);
    /* What begins a region that cannot be read denies nothing. */
    assert_int_equal(pct_judge(&sample, &turn, "There is no cup here.", NULL, 0, true, kept, &outcome, NULL),
                     PERCEPT_OK);
    assert_true(outcome.absent && !outcome.absent_right && outcome.broken);
    pct_figures figures = {0};
    pct_figures_add(&figures, &outcome);
    near((float)pct_figures_get(&figures, "giou"), 0);
}

/* A thin thing: its box is met exactly, the box filled covers little of it. */
static void a_box_alone_hits_by_its_box(void **state) {
    (void)state;
    pct_sample sample = picture();
    for (int32_t i = 0; i < 100; i++)
        if (owner[i] == 1 && i % 10 != 0) owner[i] = 0;
    pct_turn turn = {
        .task = PCT_TASK_ALL, .question = "", .answer = "", .target = "", .regions_out = zero, .out_count = 1};
    unsigned char store[100];
    pct_eval_region kept[PCT_JUDGE_MAX_REGIONS];
    pct_eval_outcome outcome;
    pct_judge_region regions[1] = {region(store, 0, 0, 5, 4, 0.9f)};
    assert_int_equal(pct_judge(&sample, &turn, "", regions, 1, false, kept, &outcome, NULL), PERCEPT_OK);
    assert_false(kept[0].hit);
    regions[0].boxed = true;
    assert_int_equal(pct_judge(&sample, &turn, "", regions, 1, false, kept, &outcome, NULL), PERCEPT_OK);
    assert_true(kept[0].hit);
    assert_int_equal(outcome.matched, 1);
}

static void words_are_judged_by_task(void **state) {
    (void)state;
    pct_sample sample = picture();
    pct_eval_outcome outcome;
    pct_turn count = {.task = PCT_TASK_COUNT, .target = "three"}, name = {.task = PCT_TASK_NAME, .target = "owl"};
    pct_turn follow = {.task = PCT_TASK_DIALOGUE, .target = "two"};
    assert_int_equal(pct_judge(&sample, &count, "There are 3.", NULL, 0, false, NULL, &outcome, NULL), PERCEPT_OK);
    assert_true(outcome.counted && outcome.count_right && !outcome.named);
    assert_int_equal(pct_judge(&sample, &count, "four", NULL, 0, false, NULL, &outcome, NULL), PERCEPT_OK);
    assert_true(outcome.counted && !outcome.count_right);
    assert_int_equal(pct_judge(&sample, &name, "It is an owl.", NULL, 0, false, NULL, &outcome, NULL), PERCEPT_OK);
    assert_true(outcome.named && outcome.name_right && !outcome.counted);
    assert_int_equal(pct_judge(&sample, &follow, "two", NULL, 0, false, NULL, &outcome, NULL), PERCEPT_OK);
    assert_true(outcome.counted && outcome.count_right);
}

static void figures_are_means(void **state) {
    (void)state;
    pct_figures figures = {0}, half = {0};
    pct_eval_region right = {.score = 0.75f, .hit = true}, wrong = {.score = 0.75f};
    pct_eval_outcome outcomes[] = {
        {.task = PCT_TASK_REFER,
         .refers = true,
         .mask_iou = 0.8,
         .box_iou = 0.5,
         .intersection = 80,
         .union_area = 100,
         .present = true,
         .found = true,
         .regions = &right,
         .region_count = 1},
        {.task = PCT_TASK_REFER,
         .refers = true,
         .mask_iou = 0.2,
         .box_iou = 0.49,
         .intersection = 10,
         .union_area = 50,
         .present = true,
         .found = true,
         .regions = &wrong,
         .region_count = 1},
        {.task = PCT_TASK_REFER, .refers = true, .union_area = 30, .present = true},
        {.task = PCT_TASK_ABSENT, .absent = true, .absent_right = true},
        {.task = PCT_TASK_ABSENT, .absent = true, .regions = &wrong, .region_count = 1},
        {.task = PCT_TASK_COUNT, .counted = true, .count_right = true},
        {.task = PCT_TASK_NAME, .named = true},
        {.task = PCT_TASK_ALL,
         .set = true,
         .wanted = 3,
         .returned = 2,
         .matched = 2,
         .set_iou = 0.6,
         .present = true,
         .found = true},
    };
    for (size_t i = 0; i < PCT_COUNT(outcomes); i++) pct_figures_add(i < 3 ? &figures : &half, &outcomes[i]);
    pct_figures_merge(&figures, &half);
    assert_int_equal(figures.n, 8);
    near(pct_figures_get(&figures, "acc50"), 1.0 / 3);
    near(pct_figures_get(&figures, "miou"), 1.0 / 3);
    near(pct_figures_get(&figures, "ciou"), 90.0 / 180);
    near(pct_figures_get(&figures, "giou"), 2.0 / 5); /* 0.8 + 0.2 + 0 + 1 + 0 */
    near(pct_figures_get(&figures, "absent_acc"), 0.5);
    near(pct_figures_get(&figures, "present_recall"), 0.75);
    near(pct_figures_get(&figures, "count_acc"), 1);
    near(pct_figures_get(&figures, "name_exact"), 0);
    near(pct_figures_get(&figures, "set_f1"), 0.8);
    near(pct_figures_get(&figures, "ece"), fabs(3 * 0.75 - 1) / 3); /* one bin */
    pct_figures none = {0};
    for (int i = 0; pct_figures_keys[i]; i++) assert_true(isnan(pct_figures_get(&none, pct_figures_keys[i])));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(denials_are_heard),           cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(names_are_stripped),          cmocka_unit_test(the_best_scored_region_counts),
        cmocka_unit_test(sets_are_matched_once),       cmocka_unit_test(absence_needs_words_and_no_region),
        cmocka_unit_test(a_box_alone_hits_by_its_box), cmocka_unit_test(words_are_judged_by_task),
        cmocka_unit_test(figures_are_means),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
