/* Data set folders: what is written is read again, and what is wrong is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/size.h"
#include "data/dataset.h"
#include "formats/json.h"
#include "scene_support.h"

enum { PICTURES = 20 };
static const pct_scene_request request = {.width = 120, .height = 90, .questions = 6};

static void compose(uint64_t index, pct_arena *arena, pct_sample *sample) {
    assert_int_equal(pct_scene_compose(scene_source, PCT_SPLIT_CUTOUTS, 9, index, &request, arena, sample, NULL),
                     PERCEPT_OK);
}

static void compare_turns(const pct_sample *a, const pct_sample *b) {
    assert_int_equal(a->turn_count, b->turn_count);
    for (int32_t t = 0; t < a->turn_count; t++) {
        const pct_turn *x = &a->turns[t], *y = &b->turns[t];
        assert_int_equal(x->task, y->task);
        assert_string_equal(x->question, y->question);
        assert_string_equal(x->answer, y->answer);
        assert_string_equal(x->target, y->target);
        assert_int_equal(x->follows, y->follows);
        assert_int_equal(x->held_out, y->held_out);
        assert_int_equal(x->style, y->style);
        assert_int_equal(x->in_count, y->in_count);
        assert_int_equal(x->out_count, y->out_count);
        assert_memory_equal(x->regions_in, y->regions_in, x->in_count);
        assert_memory_equal(x->regions_out, y->regions_out, x->out_count);
    }
}

static void compare(const pct_dataset *dataset, const pct_sample *a, const pct_sample *b) {
    size_t pixels = (size_t)a->image.width * (size_t)a->image.height;
    assert_int_equal(a->image.width, b->image.width);
    assert_int_equal(a->image.height, b->image.height);
    assert_memory_equal(a->image.data, b->image.data, pixels * 3);
    assert_memory_equal(a->owner, b->owner, pixels);
    assert_string_equal(a->split, b->split);
    assert_int_equal(a->object_count, b->object_count);
    for (int32_t k = 0; k < a->object_count; k++) {
        const pct_object *x = &a->objects[k], *y = &b->objects[k];
        assert_string_equal(x->text, y->text);
        assert_string_equal(x->text, pct_dataset_name(dataset, y->name));
        assert_string_equal(x->label, y->label);
        assert_memory_equal(&x->box, &y->box, sizeof x->box);
        assert_int_equal(x->area, y->area);
        assert_int_equal(x->asked, y->asked);
        assert_int_equal(x->style, y->style);
        assert_true(x->visible == y->visible);
        assert_null(y->mask);
    }
    compare_turns(a, b);
    assert_int_equal(a->unsure_count, b->unsure_count);
}

static void test_round_trip(void **state) {
    char path[300], coco[320];
    pct_dataset_writer *writer = NULL;
    pct_dataset *dataset = NULL;
    pct_arena one, two;
    percept_error error = {0};
    pct_arena_init(&one, 0);
    pct_arena_init(&two, 0);
    snprintf(path, sizeof path, "%s/set", scene_folder);
    assert_int_equal(pct_dataset_writer_open(&writer, path, 0, scene_source, &error), PERCEPT_OK);
    for (uint64_t i = 0; i < PICTURES; i++) {
        pct_sample sample;
        pct_arena_reset(&one);
        compose(i, &one, &sample);
        assert_int_equal(pct_dataset_writer_add(writer, &sample, &error), PERCEPT_OK);
    }
    snprintf(coco, sizeof coco, "%s/data.jsonl", path);
    assert_false(pct_file_exists(coco)); /* not before it is whole */
    assert_int_equal(pct_dataset_writer_finish(&writer, &error), PERCEPT_OK);
    if (pct_dataset_open(&dataset, path, &error) != PERCEPT_OK) fail_msg("%s", error.message);
    assert_int_equal(pct_dataset_count(dataset), PICTURES);
    for (int64_t i = 0; i < PICTURES; i++) {
        pct_sample written, read;
        pct_arena_reset(&one);
        pct_arena_reset(&two);
        compose((uint64_t)i, &one, &written);
        assert_int_equal(pct_dataset_read(dataset, i, &two, &read, &error), PERCEPT_OK);
        compare(dataset, &written, &read);
    }
    pct_sample none;
    assert_int_equal(pct_dataset_read(dataset, PICTURES, &two, &none, &error), PERCEPT_ERROR_USAGE);
    json_t *annotations = NULL;
    snprintf(coco, sizeof coco, "%s/annotations.json", path);
    assert_int_equal(pct_json_load(&annotations, coco, 1 << 24, &error), PERCEPT_OK);
    assert_int_equal(json_array_size(json_object_get(annotations, "images")), PICTURES);
    assert_true(json_array_size(json_object_get(annotations, "annotations")) >= PICTURES);
    json_decref(annotations);
    pct_dataset_close(&dataset);
    pct_arena_free(&one);
    pct_arena_free(&two);
}

static void test_aborted_writer_leaves_nothing(void **state) {
    char path[300], file[320];
    pct_dataset_writer *writer = NULL;
    snprintf(path, sizeof path, "%s/aborted", scene_folder);
    for (int made = 0; made < 2; made++) { /* a folder that was there stays */
        pct_arena arena;
        pct_sample sample;
        pct_arena_init(&arena, 0);
        compose(0, &arena, &sample);
        assert_int_equal(pct_dataset_writer_open(&writer, path, 80, NULL, NULL), PERCEPT_OK);
        assert_int_equal(pct_dataset_writer_add(writer, &sample, NULL), PERCEPT_OK);
        snprintf(file, sizeof file, "%s/images/000000.jpg", path);
        assert_true(pct_file_exists(file));
        pct_dataset_writer_abort(&writer);
        assert_null(writer);
        snprintf(file, sizeof file, "%s/images", path);
        assert_false(pct_file_exists(file));
        assert_int_equal(pct_file_exists(path), made);
        assert_int_equal(pct_make_directory(path, NULL), PERCEPT_OK);
        pct_arena_free(&arena);
    }
    snprintf(file, sizeof file, "%s/set/images/000000.png", scene_folder); /* another's, from the test before */
    snprintf(path, sizeof path, "%s/set", scene_folder);
    assert_true(pct_file_exists(file));
    assert_int_equal(pct_dataset_writer_open(&writer, path, 101, NULL, NULL), PERCEPT_ERROR_USAGE);
    assert_true(pct_file_exists(file));
}

#define HEAD   "{\"image\":\"images/a.png\",\"width\":4,\"height\":2,\"split\":\"x\","
#define MASK   "\"mask\":{\"size\":[2,4],\"counts\":\"044\"}"
#define OBJECT "{\"name\":\"cup\",\"phrases\":[],\"box\":[0,0,2,2]," MASK "}"
#define TURN                                                                                                           \
    "{\"task\":\"refer\",\"q\":\"cup\",\"a\":\"It is here: <p>the "                                                    \
    "cup</p><obj>.\",\"regions_in\":[],\"regions_out\":[0]}"

static percept_status open_line(const char *line, pct_dataset **dataset, percept_error *error) {
    *error = (percept_error){0};
    return pct_dataset_over(dataset, "folder", line, strlen(line), error);
}

static void test_minimal_line(void **state) {
    pct_dataset *dataset = NULL;
    percept_error error;
    if (open_line("\n" HEAD "\"objects\":[" OBJECT "," OBJECT "],\"turns\":[" TURN "]}\n\n", &dataset, &error) !=
        PERCEPT_OK)
        fail_msg("%s", error.message);
    assert_int_equal(pct_dataset_count(dataset), 1);
    assert_int_equal(pct_dataset_names(dataset), 1);
    pct_arena arena;
    pct_sample sample;
    pct_arena_init(&arena, 0);
    assert_int_equal(pct_dataset_read_words(dataset, 0, &arena, &sample, &error), PERCEPT_OK);
    assert_int_equal(sample.objects[0].area, 4);
    assert_non_null(sample.objects[0].mask); /* two masks share pixels: the owner map alone would lose one */
    assert_int_equal(sample.objects[0].style, PCT_STYLE_USER);
    assert_int_equal(sample.turns[0].follows, -1);
    assert_true(pct_dataset_read(dataset, 0, &arena, &sample, &error) == PERCEPT_ERROR_INPUT); /* no such picture */
    pct_arena_free(&arena);
    pct_dataset_close(&dataset);
}

static void test_hostile_lines(void **state) {
    static const struct {
        const char *line, *message;
    } bad[] = {
        {"", "no picture"},
        {"[]\n", ":1"},
        {"{\"image\":", ":1"},
        {HEAD "\"objects\":[" OBJECT "],\"turns\":[],\"extra\":1}", "extra"},
        {"{\"image\":\"../../x\",\"width\":4,\"height\":2,\"objects\":[],\"turns\":[]}", "image"},
        {"{\"image\":\"/x\",\"width\":4,\"height\":2,\"objects\":[],\"turns\":[]}", "image"},
        {"{\"image\":\"x\",\"width\":0,\"height\":2,\"objects\":[],\"turns\":[]}", "width"},
        {"{\"image\":\"x\",\"width\":99999999999,\"height\":2,\"objects\":[],\"turns\":[]}", "width"},
        {"{\"image\":\"x\",\"width\":16384,\"height\":16384,\"objects\":[],\"turns\":[]}", "pixels"},
        {"{\"image\":\"x\",\"width\":4,\"height\":2,\"turns\":[]}", "objects"},
        {HEAD "\"objects\":[7],\"turns\":[]}", "objects"},
        {HEAD "\"objects\":[{\"name\":\"\",\"box\":[0,0,2,2]," MASK "}],\"turns\":[]}", "name"},
        {HEAD "\"objects\":[{\"name\":\"cup\",\"box\":[0,0,5,2]," MASK "}],\"turns\":[]}", "box"},
        {HEAD "\"objects\":[{\"name\":\"cup\",\"box\":[2,0,2,2]," MASK "}],\"turns\":[]}", "box"},
        {HEAD "\"objects\":[{\"name\":\"cup\",\"box\":[3,0,4,2]," MASK "}],\"turns\":[]}",
         "key 'box': [3, 0, 4, 2] is more than 2 pixels off the mask, which fills [0, 0, 2, 2]"},
        {HEAD "\"objects\":[{\"name\":\"cup\",\"box\":[0,0,\"2\",2]," MASK "}],\"turns\":[]}", "box"},
        {HEAD "\"objects\":[{\"name\":\"cup\",\"box\":[0,0,2,2],\"mask\":{\"size\":[4,2],\"counts\":\"044\"}}],"
              "\"turns\":[]}",
         "mask.size"},
        {HEAD
         "\"objects\":[{\"name\":\"cup\",\"box\":[0,0,2,2],\"mask\":{\"size\":[2,4],\"counts\":\"05\"}}],\"turns\":[]}",
         "objects[0]"},
        {HEAD
         "\"objects\":[{\"name\":\"cup\",\"box\":[0,0,2,2],\"mask\":{\"size\":[2,4],\"counts\":\"8\"}}],\"turns\":[]}",
         "empty"},
        {HEAD
         "\"objects\":[],\"turns\":[{\"task\":\"fly\",\"q\":\"\",\"a\":\"\",\"regions_in\":[],\"regions_out\":[]}]}",
         "task"},
        {HEAD "\"objects\":[],\"turns\":[" TURN "]}", "regions_out"},
        {HEAD "\"objects\":[" OBJECT
              "],\"turns\":[{\"task\":\"refer\",\"q\":\"\",\"a\":\"\",\"regions_in\":[],\"regions_out\":[0]}]}",
         "regions_out"},
        {HEAD "\"objects\":[" OBJECT "],\"turns\":[{\"task\":\"dialogue\",\"q\":\"\",\"a\":\"\",\"regions_in\":[],"
              "\"regions_out\":[],\"follows\":0}]}",
         "follows"},
        {HEAD "\"objects\":[],\"turns\":[],\"unsure\":[1]}", "unsure"},
    };
    for (size_t i = 0; i < PCT_COUNT(bad); i++) {
        pct_dataset *dataset = NULL;
        percept_error error;
        assert_int_equal(open_line(bad[i].line, &dataset, &error), PERCEPT_ERROR_INPUT);
        assert_null(dataset);
        if (!strstr(error.message, bad[i].message) || !strstr(error.message, "folder/data.jsonl"))
            fail_msg("line %zu: '%s' does not say '%s'", i, error.message, bad[i].message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),
                                       cmocka_unit_test(test_aborted_writer_leaves_nothing),
                                       cmocka_unit_test(test_minimal_line), cmocka_unit_test(test_hostile_lines)};
    return cmocka_run_group_tests(tests, scene_group_open, scene_group_close);
}
