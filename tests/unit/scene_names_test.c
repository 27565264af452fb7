/* Names: from captions, their grammar, their relations; the committed lists parse; the split specification. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/size.h"
#include "data/names.h"
#include "data/scene.h"

static const char rules_text[] = "# comment\n"
                                 "skip symbols/\n"
                                 "strip big\n"
                                 "strip pair of\n"
                                 "rename say cheese = cheese\n"
                                 "rename hocho = kitchen knife\n"
                                 "drop rosette\n"
                                 "plural glasses\n"
                                 "mass cheese\n"
                                 "the sun\n"
                                 "irregular mouse = mice\n"
                                 "vowel hourglass\n"
                                 "consonant unicorn\n"
                                 "kind bird = duck, owl\n"
                                 "alike ox, cow\n";

static pct_name_rules *rules;

static int open_rules(void **state) {
    percept_error error = {0};
    return pct_name_rules_parse(&rules, "rules", rules_text, strlen(rules_text), &error);
}
static int close_rules(void **state) {
    pct_name_rules_free(&rules);
    return 0;
}

static void test_captions(void **state) {
    static const char *const good[][2] = {
        {"A red apple.", "red apple"},
        {"An “owl”, at night", NULL}, /* a quotation mark stays, and is no letter */
        {"The Sun.", "sun"},
        {"Say cheese!", "cheese"},
        {"A big, red house", NULL}, /* "a big" is nothing */
        {"A pair of glasses.", "glasses"},
        {"A wizard’s hat.", "wizard's hat"},
        {"Tux—the mascot", "tux"},
        {"A lobster (from Hawaii)", "lobster"},
        {"HOCHO", "kitchen knife"},
        {"one two three four", NULL},
        {"rosette", NULL},
        {"", NULL},
        {"Äpfel", NULL},
        {"A big big dog!", "dog"},
        {"– Because a brain", "because a brain"},
        {"a_red_kite", "red kite"},
    };
    for (size_t i = 0; i < PCT_COUNT(good); i++) {
        char name[PCT_NAME_MAX_BYTES] = "";
        bool named = pct_name_from_caption(rules, "animals/x", good[i][0], name);
        if (i == 4) { /* "big" alone has nothing after it to be stripped from */
            assert_true(named);
            assert_string_equal(name, "big");
            continue;
        }
        assert_int_equal(named, good[i][1] != NULL);
        if (named) assert_string_equal(name, good[i][1]);
    }
    char name[PCT_NAME_MAX_BYTES];
    assert_false(pct_name_from_caption(rules, "symbols/a", "A star.", name));
}

static void test_grammar(void **state) {
    char plural[PCT_NAME_MAX_BYTES + 8];
    static const char *const plurals[][2] = {
        {"apple", "apples"},    {"cherry", "cherries"},          {"bus", "buses"},
        {"mouse", "mice"},      {"pot of stew", "pots of stew"}, {"toy", "toys"},
        {"fireman", "firemen"}, {"glasses", "glasses"},          {"computer mouse", "computer mice"},
        {"torch", "torches"}};
    for (size_t i = 0; i < PCT_COUNT(plurals); i++) {
        pct_name_plural(rules, plurals[i][0], plural, sizeof plural);
        assert_string_equal(plural, plurals[i][1]);
    }
    assert_string_equal(pct_name_article(rules, "apple"), "an");
    assert_string_equal(pct_name_article(rules, "red apple"), "a");
    assert_string_equal(pct_name_article(rules, "hourglass"), "an");
    assert_string_equal(pct_name_article(rules, "unicorn"), "a");
    assert_string_equal(pct_name_article(rules, "cheese"), "");
    assert_string_equal(pct_name_article(rules, "sun"), "the");
    assert_int_equal(pct_name_number(rules, "glasses"), PCT_NUMBER_PLURAL);
    assert_int_equal(pct_name_colour("red apple"), 0);
    assert_int_equal(pct_name_colour("hundred"), -1);
}

/* Names of users, which no list has rules for. */
static void test_common_english(void **state) {
    (void)state;
    char plural[PCT_NAME_MAX_BYTES + 8];
    static const char *const plurals[][2] = {{"computer mouse", "computer mice"},
                                             {"mongoose", "mongooses"},
                                             {"penknife", "penknives"},
                                             {"child", "children"},
                                             {"human", "humans"},
                                             {"snowman", "snowmen"},
                                             {"nail scissors", "nail scissors"},
                                             {"box", "boxes"},
                                             {"zorp", "zorps"}};
    static const char *const articles[][2] = {{"unicorn", "a"},  {"hourglass", "an"},   {"umbrella", "an"},
                                              {"onion", "an"},   {"honeycomb", "a"},    {"uninvited guest", "an"},
                                              {"used cup", "a"}, {"nail scissors", ""}, {"x-ray", "an"}};
    for (size_t i = 0; i < PCT_COUNT(plurals); i++) {
        pct_name_plural(NULL, plurals[i][0], plural, sizeof plural);
        assert_string_equal(plural, plurals[i][1]);
    }
    for (size_t i = 0; i < PCT_COUNT(articles); i++)
        assert_string_equal(pct_name_article(NULL, articles[i][0]), articles[i][1]);
    assert_int_equal(pct_name_number(NULL, "sunglasses"), PCT_NUMBER_PLURAL);
    assert_int_equal(pct_name_number(NULL, "bus"), PCT_NUMBER_ONE);
}

static void test_relations(void **state) {
    unsigned both = PCT_RELATION_NEAR | PCT_RELATION_CLASH;
    assert_int_equal(pct_names_related_by_words("bus", "school bus"), both);
    assert_int_equal(pct_names_related_by_words("green apple", "red apple"), PCT_RELATION_NEAR);
    assert_int_equal(pct_names_related_by_words("red flag", "red apple"), 0);
    assert_int_equal(pct_names_related_by_words("pot of stew", "cup of tea"), 0);
    assert_int_equal(pct_names_related_by_words("socks", "sock"), both);
    assert_int_equal(pct_names_related_by_rules(rules, "owl", "bird"), both);
    assert_int_equal(pct_names_related_by_rules(rules, "owl", "duck"), 0);
    assert_int_equal(pct_names_related_by_rules(rules, "cow", "ox"), both);
}

static void test_bad_rules(void **state) {
    static const char *const bad[] = {"rename a b\n", "fly away\n", "drop\n", "kind bird =\n"};
    for (size_t i = 0; i < PCT_COUNT(bad); i++) {
        pct_name_rules *none = NULL;
        percept_error error = {0};
        assert_int_equal(pct_name_rules_parse(&none, "file", bad[i], strlen(bad[i]), &error), PERCEPT_ERROR_INPUT);
        assert_null(none);
        assert_non_null(strstr(error.message, "file:1"));
    }
}

static void test_committed_lists(void **state) {
    pct_name_rules *list = NULL;
    percept_error error = {0};
    assert_int_equal(pct_name_rules_read(&list, LISTS "/names.list", &error), PERCEPT_OK);
    char name[PCT_NAME_MAX_BYTES];
    assert_true(pct_name_from_caption(list, "stamps/food/x", "A “Fuji” apple.", name));
    assert_string_equal(name, "red apple");
    assert_false(pct_name_from_caption(list, "emoji/Flags/x/y", "A dog.", name));
    pct_name_rules_free(&list);
}

static void test_spec(void **state) {
    pct_scene_spec spec;
    percept_error error = {0};
    assert_int_equal(pct_scene_spec_parse("scenes:cutouts:120:7", &spec, &error), PERCEPT_OK);
    assert_int_equal(spec.split, PCT_SPLIT_CUTOUTS);
    assert_int_equal(spec.count, 120);
    assert_int_equal(spec.seed, 7);
    assert_int_equal(spec.side, 0);
    char again[64];
    pct_scene_spec_write(&spec, again, sizeof again);
    assert_string_equal(again, "scenes:cutouts:120:7");
    assert_int_equal(pct_scene_spec_parse("scenes:arrangements:1:0:320", &spec, &error), PERCEPT_OK);
    assert_int_equal(spec.side, 320);
    pct_scene_spec_write(&spec, again, sizeof again);
    assert_string_equal(again, "scenes:arrangements:1:0:320");
    static const char *const bad[] = {"scenes:",
                                      "scenes:x:1:1",
                                      "scenes:training:0:1",
                                      "scenes:training:1",
                                      "scenes:training:1:-1",
                                      "scenes:training:1:1:",
                                      "scenes:training:1:1:1",
                                      "scenes:training:1:1:2049",
                                      "scenes:training:1:1:320:",
                                      "scenes:training:1:1:320:1",
                                      "folder"};
    for (size_t i = 0; i < PCT_COUNT(bad); i++)
        assert_int_equal(pct_scene_spec_parse(bad[i], &spec, &error), PERCEPT_ERROR_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captions),  cmocka_unit_test(test_grammar),   cmocka_unit_test(test_common_english),
        cmocka_unit_test(test_relations), cmocka_unit_test(test_bad_rules), cmocka_unit_test(test_committed_lists),
        cmocka_unit_test(test_spec),
    };
    return cmocka_run_group_tests(tests, open_rules, close_rules);
}
