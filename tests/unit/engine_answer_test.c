/* The way from a model's reply to what a user reads: text, regions, JSON, files of other tools. No model is involved:
 * replies and masks are made by hand. Golden files: tests/vectors/export (checked by tools/golden/export_check.py with
 * pycocotools); PERCEPT_WRITE_GOLDEN=1 writes them anew. */
#include "base/file.h"
#include "engine/answer_json.h"
#include "engine/assemble.h"
#include "engine/prompt.h"
#include "engine/reply_text.h"
#include "engine/slug.h"
#include "formats/json.h"
#include "tokenizer/template.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static pct_tokenizer *tokenizer;
static pct_template template;

static int make_tokenizer(void **state) {
    (void)state;
    percept_error error = {0};
    pct_bpe_trainer *trainer = NULL;
    const pct_bpe_train_options options = pct_template_train_options(300);
    assert_int_equal(pct_bpe_trainer_create(&trainer, &options, &error), PERCEPT_OK);
    assert_int_equal(pct_bpe_trainer_add(trainer, "red cup", 7, 10, &error), PERCEPT_OK);
    assert_int_equal(pct_bpe_trainer_finish(trainer, &tokenizer, &error), PERCEPT_OK);
    pct_bpe_trainer_destroy(&trainer);
    return pct_template_init(&template, "percept", tokenizer, &error);
}

static int drop_tokenizer(void **state) {
    (void)state;
    pct_tokenizer_destroy(&tokenizer);
    return 0;
}

/* ---- replies -------------------------------------------------------------------------------------------------------
 */

static pct_picture *make_picture(enum pct_fit_mode mode, int width, int height) {
    pct_picture *picture = calloc(1, sizeof *picture);
    atomic_init(&picture->references, 1);
    picture->name = strdup("photo.jpg");
    picture->width = width;
    picture->height = height;
    assert_int_equal(pct_fit_make(&picture->fit, mode, 64, width, height, NULL), PERCEPT_OK);
    return picture;
}

enum { side = 16, most_regions = 4 };

typedef struct reply_case {
    pct_ids ids;
    pct_region_out regions[most_regions];
    pct_real masks[most_regions][side * side];
    pct_reply reply;
} reply_case;

/* Tokens of a text with marks, and a region for each <obj>: box k is [0.25k, 0.25, 0.25k+0.5, 0.75] of the square. */
static void make_reply(reply_case *made, const char *text, const float *scores) {
    memset(made, 0, sizeof *made);
    pct_token_scratch scratch = {0};
    assert_int_equal(
        pct_tokenizer_encode(tokenizer, &scratch, text, strlen(text), PCT_TOKENIZE_SPECIAL, &made->ids, NULL),
        PERCEPT_OK);
    pct_token_scratch_free(&scratch);
    int32_t count = (int32_t)pct_count_objects(text);
    for (int32_t i = 0; i < count; i++) {
        float x = 0.25f * (float)i;
        made->regions[i] = (pct_region_out){
            .box = {x, 0.25f, x + 0.5f, 0.75f}, .mask = made->masks[i], .score = scores ? scores[i] : 0.9f};
        for (int k = 0; k < side * side; k++) {
            float at_x = ((float)(k % side) + 0.5f) / side, at_y = ((float)k / side) / side;
            made->masks[i][k] = at_x > x && at_x < x + 0.5f && at_y > 0.25f && at_y < 0.75f ? 5 : -5;
        }
    }
    made->reply = (pct_reply){
        .ids = made->ids.data, .count = (int32_t)made->ids.count, .regions = made->regions, .region_count = count};
}

static percept_answer *assemble_in(pct_picture *picture, reply_case *made, float threshold, const char *fallback) {
    percept_answer *answer = pct_answer_new(picture);
    answer->model_name = "tiny";
    answer->model_hash = "00ff";
    answer->question = "where?";
    const pct_assembly how = {
        .template = &template, .threshold = threshold, .masks = true, .mask_side = side, .fallback = fallback};
    percept_error error = {0};
    assert_int_equal(pct_assemble(answer, &made->reply, &how, &error), PERCEPT_OK);
    pct_ids_free(&made->ids);
    return answer;
}

static percept_answer *assemble(const char *text, const float *scores, float threshold, const char *fallback) {
    reply_case made;
    make_reply(&made, text, scores);
    pct_picture *picture = make_picture(PCT_FIT_STRETCH, 200, 100);
    percept_answer *answer = assemble_in(picture, &made, threshold, fallback);
    pct_picture_drop(&picture);
    return answer;
}

static void check_text(const char *reply, const char *text, percept_finish finish) {
    percept_answer *answer = assemble(reply, NULL, 0, NULL);
    assert_string_equal(percept_answer_text(answer), text);
    assert_int_equal(percept_answer_finish(answer), finish);
    if (finish == PERCEPT_FINISH_UNPARSABLE)
        assert_string_equal(percept_answer_flaw(answer), "the answer's phrase marks do not balance");
    else
        assert_null(percept_answer_flaw(answer));
    percept_answer_free(&answer);
}

static void marks_leave_the_text(void **state) {
    (void)state;
    check_text("It is here: <p>the red cup</p><obj>.", "It is here: the red cup <obj>.", PERCEPT_FINISH_STOP);
    check_text("<p>a cup</p> <obj> and <p>a dog</p> <obj>", "a cup <obj> and a dog <obj>", PERCEPT_FINISH_STOP);
    check_text("<obj>", "<obj>", PERCEPT_FINISH_STOP);
    check_text("(<obj>)", "(<obj>)", PERCEPT_FINISH_STOP);
    check_text(" There is  no\n\tcup. ", "There is no cup.", PERCEPT_FINISH_STOP);
    check_text("", "", PERCEPT_FINISH_STOP);
    check_text("caf\xc3\xa9 \xe2\x82\xac", "caf\xc3\xa9 \xe2\x82\xac", PERCEPT_FINISH_STOP);
    check_text("half \xe2\x82", "half \xef\xbf\xbd\xef\xbf\xbd", PERCEPT_FINISH_STOP);
    check_text("bell \x07 end", "bell end", PERCEPT_FINISH_STOP);
}

static void unbalanced_marks_are_unparsable(void **state) {
    (void)state;
    check_text("It is <p>the red cup.", "It is the red cup.", PERCEPT_FINISH_UNPARSABLE);
    check_text("the cup</p><obj>", "the cup <obj>", PERCEPT_FINISH_UNPARSABLE);
    check_text("<p>the <p>cup</p><obj>", "the cup <obj>", PERCEPT_FINISH_UNPARSABLE);
    check_text("<p>cup<obj></p>", "cup <obj>", PERCEPT_FINISH_UNPARSABLE);
    percept_answer *answer = assemble("<p>a</p><obj> <p>b", NULL, 0, NULL);
    assert_null(percept_answer_object(answer, 0)->phrase);
    percept_answer_free(&answer);
}

/* A family that is made to speak says that nothing is there only when its mask said so. */
static void absence_is_said_of_what_was_looked_at(void **state) {
    (void)state;
    const pct_template_style begun = {.name = "begun", .begun_end = "."}, *own = template.style;
    template.style = &begun;
    percept_answer *dropped = assemble("here <obj>.", (const float[]){0}, 0.5f, "a cup");
    percept_answer *late = assemble("", NULL, 0.5f, "a cup");
    template.style = own;
    assert_string_equal(percept_answer_text(dropped), "No region here shows \"a cup\".");
    assert_string_equal(percept_answer_text(late), "");
    percept_answer_free(&dropped);
    percept_answer_free(&late);
}

/* Letters that look like an object token must not be counted as one. */
static void plain_letters_are_no_object(void **state) {
    (void)state;
    reply_case made;
    make_reply(&made, "x", NULL);
    pct_ids_free(&made.ids);
    pct_token_scratch scratch = {0};
    assert_int_equal(pct_tokenizer_encode(tokenizer, &scratch, "an <obj> here", 13, 0, &made.ids, NULL), PERCEPT_OK);
    pct_token_scratch_free(&scratch);
    made.reply = (pct_reply){.ids = made.ids.data, .count = (int32_t)made.ids.count};
    pct_picture *picture = make_picture(PCT_FIT_STRETCH, 20, 10);
    percept_answer *answer = assemble_in(picture, &made, 0, NULL);
    assert_string_equal(percept_answer_text(answer), "an <obj > here");
    assert_int_equal(pct_count_objects(percept_answer_text(answer)), 0);
    percept_answer_free(&answer);
    pct_picture_drop(&picture);
    check_text("<p>x<obj</p>>", "x<obj >", PERCEPT_FINISH_STOP); /* nor across a mark */
}

/* Nor when the dialogue goes on: as many object tokens are read as there are regions. */
static void plain_letters_are_no_object_in_a_dialogue(void **state) {
    (void)state;
    reply_case made;
    make_reply(&made, "<p>a cup</p><obj>", NULL);
    pct_token_scratch scratch = {0};
    static const char letters[] = " an <obj>, a </p> and <p> too";
    assert_int_equal(pct_tokenizer_encode(tokenizer, &scratch, letters, strlen(letters), 0, &made.ids, NULL),
                     PERCEPT_OK);
    made.reply.ids = made.ids.data;
    made.reply.count = (int32_t)made.ids.count;
    const pct_model_config config = {.heads = {.mask_encoder_side = side}};
    percept_question question;
    percept_question_init(&question);
    question.text = "where?";
    pct_region_in none;
    const pct_asked asked = {.given = &question, .text = question.text, .regions = &none};
    pct_picture *picture = make_picture(PCT_FIT_STRETCH, 20, 10);
    percept_answer *answer = pct_answer_new(picture);
    assert_int_equal(pct_asked_remember(&asked, &template, &made.reply, &config, answer, NULL), PERCEPT_OK);
    const pct_spoken *spoken = &answer->spoken[0];
    assert_string_equal(spoken->answer, "<p>a cup</p><obj> an <obj >, a </p > and <p > too");
    pct_rendered rendered = {0};
    const pct_template_turn turns[] = {{.question = spoken->question, .answer = spoken->answer, .marks = true},
                                       {.question = "and now?"}};
    assert_int_equal(pct_template_render(&template, &scratch, turns, 2, &rendered, NULL), PERCEPT_OK);
    assert_int_equal(rendered.object_count, spoken->answer_regions);
    pct_rendered_free(&rendered);
    pct_token_scratch_free(&scratch);
    pct_ids_free(&made.ids);
    percept_answer_free(&answer);
    pct_picture_drop(&picture);
}

static void phrases_belong_to_their_objects(void **state) {
    (void)state;
    percept_answer *answer = assemble("<p>two cups</p><obj><obj> and <p>a dog</p><obj>.", NULL, 0, NULL);
    assert_string_equal(percept_answer_text(answer), "two cups <obj> <obj> and a dog <obj>.");
    assert_int_equal(percept_answer_object_count(answer), 3);
    assert_string_equal(percept_answer_object(answer, 0)->phrase, "two cups");
    assert_string_equal(percept_answer_object(answer, 1)->phrase, "two cups");
    assert_string_equal(percept_answer_object(answer, 2)->phrase, "a dog");
    assert_null(percept_answer_object(answer, 3));
    percept_answer_free(&answer);
    answer = assemble("<obj>", NULL, 0, "where?");
    assert_string_equal(percept_answer_object(answer, 0)->phrase, "where?");
    percept_answer_free(&answer);
    answer = assemble("<obj>", NULL, 0, NULL);
    assert_null(percept_answer_object(answer, 0)->phrase);
    percept_answer_free(&answer);
}

static void the_threshold_drops_regions_and_their_token(void **state) {
    (void)state;
    const float scores[3] = {0.9f, 0.2f, 0.7f};
    percept_answer *answer = assemble("<p>a</p><obj>, <p>b</p> <obj>, <p>c</p><obj>.", scores, 0.5f, NULL);
    assert_string_equal(percept_answer_text(answer), "a <obj>, b, c <obj>.");
    assert_int_equal(percept_answer_object_count(answer), 2);
    assert_int_equal(percept_answer_dropped(answer), 1);
    assert_string_equal(percept_answer_object(answer, 1)->phrase, "c");
    assert_true(percept_answer_object(answer, 1)->box.x0 > 99); /* the third region's, not the second's */
    percept_answer_free(&answer);
    const float odd[2] = {NAN, 7.0f};
    answer = assemble("<obj><obj>", odd, 0.5f, NULL);
    assert_int_equal(percept_answer_object_count(answer), 1);
    assert_float_equal(percept_answer_object(answer, 0)->score, 1, 0);
    percept_answer_free(&answer);
}

static void boxes_and_masks_are_of_the_picture(void **state) {
    (void)state;
    percept_answer *answer = assemble("<obj>", NULL, 0, NULL); /* 200 x 100, stretched */
    const percept_object *object = percept_answer_object(answer, 0);
    const percept_box *box = &object->box;
    assert_float_equal(box->x0, 0, 0);
    assert_float_equal(box->y0, 25, 0.001);
    assert_float_equal(box->x1, 100, 0.001);
    assert_float_equal(box->y1, 75, 0.001);
    assert_in_range(object->mask_area, 100 * 50 * 9 / 10, 100 * 50 * 11 / 10);
    unsigned char *mask = malloc(200 * 100);
    assert_int_equal(percept_answer_mask(answer, 0, mask, 0, NULL), PERCEPT_OK);
    int64_t area = 0;
    for (int i = 0; i < 200 * 100; i++) area += mask[i] == 255;
    assert_int_equal(area, object->mask_area);
    assert_int_equal(mask[50 * 200 + 50], 255);
    assert_int_equal(mask[50 * 200 + 150], 0);
    percept_error error = {0};
    assert_int_equal(percept_answer_mask(answer, 1, mask, 0, &error), PERCEPT_ERROR_USAGE);
    assert_int_equal(percept_answer_mask(answer, 0, mask, 10, &error), PERCEPT_ERROR_USAGE);
    free(mask);
    percept_answer_free(&answer);

    reply_case made; /* 200 x 100 in the middle of a square: what lies in the padding is cut off */
    make_reply(&made, "<obj>", NULL);
    made.regions[0].box[1] = 0;
    pct_picture *picture = make_picture(PCT_FIT_PAD, 200, 100);
    answer = assemble_in(picture, &made, 0, NULL);
    box = &percept_answer_object(answer, 0)->box;
    assert_float_equal(box->y0, 0, 0);
    assert_float_equal(box->y1, 100, 0.001);
    assert_float_equal(box->x1, 100, 0.001);
    percept_answer_free(&answer);
    pct_picture_drop(&picture);
}

static void an_empty_mask_is_null(void **state) {
    (void)state;
    reply_case made;
    make_reply(&made, "<obj>", NULL);
    for (int k = 0; k < side * side; k++) made.masks[0][k] = -3;
    pct_picture *picture = make_picture(PCT_FIT_STRETCH, 30, 20);
    percept_answer *answer = assemble_in(picture, &made, 0, NULL);
    assert_null(percept_answer_object(answer, 0)->mask_rle);
    char *json = NULL;
    assert_int_equal(percept_answer_json(answer, NULL, &json, NULL), PERCEPT_OK);
    assert_non_null(strstr(json, "\"mask\": null"));
    percept_free(json);
    percept_answer_free(&answer);
    pct_picture_drop(&picture);
}

/* A reply that ends at an object token whose region was never made. */
static void an_object_without_region_is_left_out(void **state) {
    (void)state;
    reply_case made;
    make_reply(&made, "<p>a</p><obj> <p>b</p><obj>", NULL);
    made.reply.region_count = 1;
    made.reply.finish = PCT_FINISH_TIME;
    pct_picture *picture = make_picture(PCT_FIT_STRETCH, 30, 20);
    percept_answer *answer = assemble_in(picture, &made, 0, NULL);
    assert_string_equal(percept_answer_text(answer), "a <obj> b");
    assert_int_equal(percept_answer_finish(answer), PERCEPT_FINISH_TIME);
    assert_int_equal(percept_answer_dropped(answer), 0);
    percept_answer_free(&answer);
    pct_picture_drop(&picture);
}

static void rounded_boxes_stay_inside(void **state) {
    (void)state;
    percept_box box = pct_box_rounded((pct_box){-3.0f, 1.26f, 99.96f, 700.0f}, 100, 50);
    assert_float_equal(box.x0, 0, 0);
    assert_float_equal(box.y0, 1.3, 1e-6);
    assert_float_equal(box.x1, 100, 0);
    assert_float_equal(box.y1, 50, 0);
}

static void slugs_are_safe_names(void **state) {
    (void)state;
    char slug[64];
    pct_slug(slug, sizeof slug, "The RED cup, on ../../etc!");
    assert_string_equal(slug, "the-red-cup-on-etc");
    pct_slug(slug, sizeof slug, "\xc3\xa9\xc3\xa9");
    assert_string_equal(slug, "region");
    char *stem = pct_stem("/a/b.c/photo one.tar.jpg");
    assert_string_equal(stem, "photo one.tar");
    free(stem);
    stem = pct_stem("../..");
    assert_string_equal(stem, "image");
    free(stem);
    stem = pct_stem(".jpg");
    assert_string_equal(stem, ".jpg");
    free(stem);
}

static void numbers_do_not_depend_on_the_locale(void **state) {
    (void)state;
    pct_text text = {0};
    pct_json_add_fixed(&text, 288.0, 1);
    pct_text_puts(&text, " ");
    pct_json_add_fixed(&text, -0.25, 3);
    pct_text_puts(&text, " ");
    pct_json_add_fixed(&text, 99.96, 1);
    pct_text_puts(&text, " ");
    pct_json_add_score(&text, 0.94f);
    assert_string_equal(text.data, "288.0 -0.250 100.0 0.94");
    pct_text_free(&text);
}

/* ---- exports -------------------------------------------------------------------------------------------------------
 */

/* Two pictures, three objects: a ring (a square with a hole), two squares that touch at a corner, and a box alone. */
static percept_answer *shapes(pct_picture *picture, const char *phrase, int kind) {
    percept_answer *answer = pct_answer_new(picture);
    answer->model_name = "tiny";
    answer->model_hash = "00ff";
    answer->question = "everything";
    answer->text = "Here <obj>.";
    answer->objects = pct_arena_take_zeroed(&answer->arena, 1, sizeof *answer->objects);
    answer->object_count = 1;
    answer->usage = (percept_usage){16, 5, 4};
    pct_mask mask = {0};
    assert_int_equal(pct_mask_new(&mask, picture->width, picture->height, NULL), PERCEPT_OK);
    if (kind == 0) {
        pct_mask hole = {0};
        pct_mask_fill_box(&mask, (pct_box){4, 3, 16, 13});
        assert_int_equal(pct_mask_new(&hole, picture->width, picture->height, NULL), PERCEPT_OK);
        pct_mask_fill_box(&hole, (pct_box){7, 6, 11, 10});
        pct_mask_subtract(&mask, &hole);
        pct_mask_free(&hole);
    } else if (kind == 1) {
        pct_mask_fill_box(&mask, (pct_box){2, 2, 6, 6});
        pct_mask_fill_box(&mask, (pct_box){12, 8, 19, 15});
    }
    percept_object *object = &answer->objects[0];
    *object = (percept_object){.phrase = phrase, .box = {2.5f, 2.0f, 18.7f, 14.0f}, .score = 0.8765f};
    object->mask_area = pct_mask_area(&mask);
    if (kind < 2) {
        char *string = NULL;
        assert_int_equal(pct_mask_to_rle_string(&mask, &string, NULL), PERCEPT_OK);
        object->mask_rle = pct_arena_text(&answer->arena, string, strlen(string));
        free(string);
    }
    pct_mask_free(&mask);
    return answer;
}

static char folder[64];

static void check_golden(const char *name) {
    char made[160], golden[400];
    snprintf(made, sizeof made, "%s/%s", folder, name);
    snprintf(golden, sizeof golden, "%s/%s", GOLDEN, name);
    char *data = NULL, *wanted = NULL;
    size_t size, wanted_size;
    percept_error error = {0};
    assert_int_equal(pct_file_read(made, 1 << 20, &data, &size, &error), PERCEPT_OK);
    if (getenv("PERCEPT_WRITE_GOLDEN")) assert_int_equal(pct_file_write(golden, data, size, &error), PERCEPT_OK);
    if (pct_file_read(golden, 1 << 20, &wanted, &wanted_size, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    assert_string_equal(data, wanted);
    if (strstr(name, ".json")) {
        json_t *document = NULL;
        if (pct_json_parse(&document, name, data, size, &error) != PERCEPT_OK) fail_msg("%s", error.message);
        json_decref(document);
    }
    free(data);
    free(wanted);
    unlink(made);
}

static void export_as(const percept_answer *const *answers, size_t count, const char *format, const char *name,
                      percept_mask_format masks) {
    char path[160];
    percept_error error = {0};
    percept_export_format which;
    percept_export_options options;
    percept_export_options_init(&options);
    options.masks = masks;
    assert_true(percept_export_format_from_text(format, &which));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (percept_answer_export(answers, count, which, path, &options, &error) != PERCEPT_OK)
        fail_msg("%s", error.message);
}

static void exports_match_the_golden_files(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/percept-export-XXXXXX");
    assert_non_null(mkdtemp(folder));
    pct_picture *first = make_picture(PCT_FIT_STRETCH, 24, 18), *second = make_picture(PCT_FIT_STRETCH, 24, 18);
    free(second->name);
    second->name = strdup("deep/photo.jpg");
    percept_answer *answers[3] = {shapes(first, "ring", 0), shapes(first, "two squares", 1), shapes(second, NULL, 2)};
    const percept_answer *const *list = (const percept_answer *const *)answers;
    export_as(list, 3, "coco", "coco.json", PERCEPT_MASK_RLE);
    check_golden("coco.json");
    export_as(list, 3, "coco", "coco-polygons.json", PERCEPT_MASK_POLYGON);
    check_golden("coco-polygons.json");
    export_as(list, 3, "coco-results", "results.json", PERCEPT_MASK_POLYGON);
    check_golden("results.json");
    export_as(list, 2, "labelme", "labelme.json", PERCEPT_MASK_RLE);
    check_golden("labelme.json");
    export_as(list, 3, "yolo-seg", ".", PERCEPT_MASK_RLE);
    check_golden("labels/photo.txt");
    check_golden("labels/photo-2.txt");
    check_golden("data.yaml");
    char path[160];
    for (int i = 0; i < 2; i++) {
        char *json = NULL;
        percept_json_options options;
        percept_json_options_init(&options);
        options.masks = i ? PERCEPT_MASK_POLYGON : PERCEPT_MASK_RLE;
        assert_int_equal(percept_answer_json(answers[i], &options, &json, NULL), PERCEPT_OK);
        snprintf(path, sizeof path, "%s/answer-%d.json", folder, i);
        assert_int_equal(pct_file_write(path, json, strlen(json), NULL), PERCEPT_OK);
        percept_free(json);
    }
    check_golden("answer-0.json");
    check_golden("answer-1.json");
    for (int i = 0; i < 3; i++) percept_answer_free(&answers[i]);
    pct_picture_drop(&first);
    pct_picture_drop(&second);
    snprintf(path, sizeof path, "%s/labels", folder);
    rmdir(path);
    assert_int_equal(rmdir(folder), 0); /* nothing else was left there */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_leave_the_text),
        cmocka_unit_test(unbalanced_marks_are_unparsable),
        cmocka_unit_test(plain_letters_are_no_object),
        cmocka_unit_test(absence_is_said_of_what_was_looked_at),
        cmocka_unit_test(plain_letters_are_no_object_in_a_dialogue),
        cmocka_unit_test(phrases_belong_to_their_objects),
        cmocka_unit_test(the_threshold_drops_regions_and_their_token),
        cmocka_unit_test(boxes_and_masks_are_of_the_picture),
        cmocka_unit_test(an_empty_mask_is_null),
        cmocka_unit_test(an_object_without_region_is_left_out),
        cmocka_unit_test(rounded_boxes_stay_inside),
        cmocka_unit_test(slugs_are_safe_names),
        cmocka_unit_test(numbers_do_not_depend_on_the_locale),
        cmocka_unit_test(exports_match_the_golden_files),
    };
    return cmocka_run_group_tests(tests, make_tokenizer, drop_tokenizer);
}
