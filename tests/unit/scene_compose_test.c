/* Composing: masks against geometry, splits, determinism over threads, packs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/size.h"
#include "base/threads.h"
#include "data/scene_private.h"
#include "image/encode.h"
#include "scene_support.h"

#include <math.h>

static char *discs;
static pct_scene_source *disc_source;

static int open_all(void **state) {
    discs = scene_folder_make(true);
    disc_source = discs ? scene_folder_source(discs) : NULL;
    return disc_source ? scene_group_open(state) : -1;
}
static int close_all(void **state) {
    pct_scene_source_close(&disc_source);
    scene_folder_remove(&discs);
    return scene_group_close(state);
}

/* How far out of the disc a canvas pixel's middle lies: < 1 inside, > 1 outside; *edge: one pixel in the same unit. */
static float disc_radius(const struct placed *placed, const pct_sprite *sprite, float x, float y, float *edge) {
    pct_affine map = pct_affine_make(sprite->width, sprite->height, placed->centre_x, placed->centre_y, placed->scale,
                                     placed->rotation, placed->shear, placed->flip);
    float det = map.a * map.d - map.b * map.c, dx = x - map.tx, dy = y - map.ty;
    float u = (map.d * dx - map.b * dy) / det, v = (-map.c * dx + map.a * dy) / det;
    float half = (float)sprite->width / 2;
    *edge = 1.25f / (half * placed->scale);
    return hypotf(u - half, v - half) / half;
}

/* The owner of every pixel that is not within 1.25 pixels of an edge, from the discs' equations alone. */
static void test_masks_are_exact(void **state) {
    pct_scene_request request = {.width = 160, .height = 120, .questions = 1, .plain = true};
    pct_arena arena;
    pct_arena_init(&arena, 0);
    int64_t checked = 0;
    for (uint64_t index = 0; index < 60; index++) {
        pct_sample sample;
        struct placed placed[SCENE_MAX_OBJECTS];
        pct_random random;
        pct_arena_reset(&arena);
        assert_int_equal(pct_scene_compose(disc_source, PCT_SPLIT_TRAINING, 3, index, &request, &arena, &sample, NULL),
                         PERCEPT_OK);
        pct_random_init(&random, 3, SCENE_STREAM + PCT_SPLIT_TRAINING, index);
        const struct scene_background *background = scene_ground_pick(disc_source, PCT_SPLIT_TRAINING, &random);
        int count = scene_layout(disc_source, PCT_SPLIT_TRAINING, &request, background, &random, placed);
        if (count != sample.object_count) continue; /* a hidden one went: numbers would differ */
        for (int y = 0; y < request.height; y++)
            for (int x = 0; x < request.width; x++) {
                int owner = 0;
                bool certain = true;
                for (int k = 0; k < count; k++) {
                    float edge, radius = disc_radius(&placed[k], disc_source->cutouts[placed[k].cutout].sprite,
                                                     (float)x + 0.5f, (float)y + 0.5f, &edge);
                    if (fabsf(radius - 1) <= edge)
                        certain = false;
                    else if (radius < 1) {
                        owner = k + 1;
                        certain = true; /* it covers whatever was uncertain below */
                    }
                }
                if (!certain) continue;
                assert_int_equal(sample.owner[y * request.width + x], owner);
                checked++;
            }
    }
    assert_true(checked > 60 * 160 * 120 / 2);
    pct_arena_free(&arena);
}

static void test_boxes_and_areas(void **state) {
    pct_scene_request request = {.width = 192, .height = 192, .questions = 4};
    pct_arena arena;
    pct_arena_init(&arena, 0);
    for (uint64_t index = 0; index < 200; index++) {
        pct_sample sample;
        pct_arena_reset(&arena);
        assert_int_equal(pct_scene_compose(scene_source, PCT_SPLIT_TRAINING, 1, index, &request, &arena, &sample, NULL),
                         PERCEPT_OK);
        assert_in_range(sample.object_count, 1, SCENE_MAX_OBJECTS);
        assert_in_range(sample.turn_count, 1, 4);
        for (int32_t k = 0; k < sample.object_count; k++) {
            static uint8_t bits[192 * 192];
            pct_mask mask = {192, 192, bits};
            pct_sample_mask(&sample, k, bits);
            int area = 0, x0 = 999, y0 = 999, x1 = 0, y1 = 0;
            for (int i = 0; i < 192 * 192; i++) {
                if (!bits[i]) continue;
                int x = i % 192, y = i / 192;
                area++;
                x0 = x < x0 ? x : x0;
                x1 = x + 1 > x1 ? x + 1 : x1;
                y0 = y < y0 ? y : y0;
                y1 = y + 1 > y1 ? y + 1 : y1;
            }
            const pct_object *object = &sample.objects[k];
            assert_int_equal(mask.data[0] > 1, 0);
            assert_true(area > 0);
            assert_int_equal(object->area, area);
            assert_true(object->box.x0 == x0 && object->box.y0 == y0 && object->box.x1 == x1 && object->box.y1 == y1);
            assert_true(object->visible > 0 && object->visible <= 1);
            assert_true(!object->asked || object->visible >= 0.5f);
        }
    }
    pct_arena_free(&arena);
}

static void test_splits_never_meet(void **state) {
    pct_scene_request request = {.width = 96, .height = 96, .questions = 6};
    pct_arena arena;
    int held_turns = 0;
    pct_arena_init(&arena, 0);
    assert_true(scene_source->held_out.count > 0);
    for (int32_t i = 0; i < scene_source->held_out.count; i++) {
        int32_t name = scene_source->cutouts[scene_source->held_out.items[i]].name;
        assert_true(scene_source->names[name].trained_count >= 1);
    }
    for (int split = 0; split < PCT_SPLIT_COUNT; split++)
        for (uint64_t index = 0; index < 300; index++) {
            pct_sample sample;
            bool held = false;
            pct_arena_reset(&arena);
            assert_int_equal(
                pct_scene_compose(scene_source, (enum pct_split)split, 5, index, &request, &arena, &sample, NULL),
                PERCEPT_OK);
            for (int32_t k = 0; k < sample.object_count; k++)
                held |= scene_source->cutouts[sample.objects[k].cutout].held_out;
            assert_true(split == PCT_SPLIT_CUTOUTS || !held);
            for (int32_t t = 0; t < sample.turn_count; t++) held_turns += sample.turns[t].held_out;
        }
    assert_true(held_turns > 300);
    pct_arena_free(&arena);
}

/* A folder of `count` backgrounds: plain ones, each of another grey with a violet cast, or, with `striped`, all of one
 * pattern in slightly other colours. */
static char *grounds_make(int count, bool striped) {
    char *folder = strdup("/tmp/percept-grounds-XXXXXX"), path[200];
    assert_non_null(folder);
    assert_non_null(mkdtemp(folder));
    for (int i = 0; i < count; i++) {
        pct_image image = {0};
        assert_int_equal(pct_image_new(&image, 80, 60, 3, NULL), PERCEPT_OK);
        for (int y = 0; y < 60; y++)
            for (int x = 0; x < 80; x++) {
                unsigned char *p = pct_image_row(&image, y) + x * 3;
                bool dark = striped && (x / 16 + y / 20) % 2;
                p[0] = (unsigned char)(dark ? 40 : 100 + i * 3);
                p[1] = 0;
                p[2] = (unsigned char)(100 + i * 3);
            }
        snprintf(path, sizeof path, "%s/g%02d.png", folder, i);
        assert_int_equal(pct_png_write(path, &image, NULL), PERCEPT_OK);
        pct_image_free(&image);
    }
    return folder;
}

static void list_write(const char *folder, const char *text) {
    char path[200];
    snprintf(path, sizeof path, "%s/backgrounds.list", folder);
    assert_int_equal(pct_file_write(path, text, strlen(text), NULL), PERCEPT_OK);
}

static percept_status grounds_open(pct_scene_source **source, const char *folder, percept_error *error) {
    pct_scene_options options;
    pct_scene_options_default(&options);
    options.cutouts = scene_folder;
    options.backgrounds = folder;
    options.generated = 0;
    return pct_scene_source_open(source, &options, error);
}

static void test_grounds_never_meet(void **state) {
    char *grounds = grounds_make(40, false);
    pct_scene_source *with = NULL;
    percept_error error = {0};
    assert_int_equal(grounds_open(&with, grounds, &error), PERCEPT_OK);
    assert_int_equal(with->background_count, 40);
    const struct scene_ids *training = &with->grounds[PCT_SPLIT_TRAINING];
    const struct scene_ids *calibration = &with->grounds[PCT_SPLIT_CALIBRATION];
    const struct scene_ids *test = &with->grounds[PCT_SPLIT_ARRANGEMENTS];
    assert_int_equal(training->count + calibration->count + test->count, 40);
    assert_true(training->count > 0 && calibration->count > 0 && test->count > 0);
    for (int32_t i = 0; i < training->count; i++) {
        for (int32_t k = 0; k < test->count; k++) assert_int_not_equal(training->items[i], test->items[k]);
        for (int32_t k = 0; k < calibration->count; k++)
            assert_int_not_equal(training->items[i], calibration->items[k]);
    }
    pct_scene_source_close(&with);
    scene_folder_remove(&grounds);
}

/* How many pixels are of a plain background's own colours, untouched. */
static int64_t ground_pixels(const pct_sample *sample) {
    int64_t count = 0, pixels = (int64_t)sample->image.width * sample->image.height;
    for (int64_t i = 0; i < pixels; i++) {
        const unsigned char *p = sample->image.data + i * 3;
        count += p[0] == p[2] && p[1] == 0 && p[0] >= 100;
    }
    return count;
}

/* Without a list they are used, and show nothing: things are asked as absent over them too. */
static void test_user_grounds_are_used(void **state) {
    char *grounds = grounds_make(10, false);
    pct_scene_source *with = NULL;
    assert_int_equal(grounds_open(&with, grounds, NULL), PERCEPT_OK);
    pct_arena arena;
    pct_arena_init(&arena, 0);
    pct_scene_request request = {.width = 96, .height = 96, .questions = 8, .objects_max = 3, .plain = true};
    int absent = 0;
    for (uint64_t index = 0; index < 50; index++) {
        pct_sample sample;
        pct_arena_reset(&arena);
        assert_int_equal(pct_scene_compose(with, PCT_SPLIT_TRAINING, 1, index, &request, &arena, &sample, NULL),
                         PERCEPT_OK);
        assert_true(sample.object_count > 0);
        assert_true(ground_pixels(&sample) > 96 * 96 / 20);
        for (int32_t t = 0; t < sample.turn_count; t++) absent += sample.turns[t].task == PCT_TASK_ABSENT;
    }
    assert_true(absent > 20);
    pct_arena_free(&arena);
    pct_scene_source_close(&with);
    scene_folder_remove(&grounds);
}

/* What a line of the folder's list names is neither laid over that background nor asked as absent there. */
static void test_user_grounds_with_a_list(void **state) {
    char *grounds = grounds_make(12, false);
    list_write(grounds, "# what they show\n\ng0 : ball, no such thing, kite\ng10 : -\n");
    pct_scene_source *with = NULL;
    assert_int_equal(grounds_open(&with, grounds, NULL), PERCEPT_OK);
    for (int32_t i = 0; i < with->background_count; i++) {
        const struct scene_background *ground = &with->backgrounds[i];
        bool listed = strstr(ground->label, "/g0") != NULL;
        assert_int_equal(ground->shows_count, listed ? 2 : 0);
        assert_string_equal(ground->group, listed ? "g0" : strstr(ground->label, "g10") ? "g10" : "user/g11.png");
        if (!listed) continue;
        assert_string_equal(pct_scene_name(with, ground->shows[0]), "ball");
        assert_string_equal(pct_scene_name(with, ground->shows[1]), "kite");
    }
    uint64_t fingerprint = pct_scene_fingerprint(with);
    pct_scene_source_close(&with);
    list_write(grounds, "g : ball\n"); /* all of them: one group */
    assert_int_equal(grounds_open(&with, grounds, NULL), PERCEPT_OK);
    assert_true(pct_scene_fingerprint(with) != fingerprint);
    assert_int_equal(pct_scene_backgrounds(with, PCT_SPLIT_TRAINING), 12);
    pct_arena arena;
    pct_arena_init(&arena, 0);
    pct_scene_request request = {.width = 96, .height = 96, .questions = 8};
    for (uint64_t index = 0; index < 60; index++) {
        pct_sample sample;
        pct_arena_reset(&arena);
        assert_int_equal(pct_scene_compose(with, PCT_SPLIT_TRAINING, 3, index, &request, &arena, &sample, NULL),
                         PERCEPT_OK);
        for (int32_t k = 0; k < sample.object_count; k++) assert_string_not_equal(sample.objects[k].text, "ball");
        for (int32_t t = 0; t < sample.turn_count; t++)
            if (sample.turns[t].task == PCT_TASK_ABSENT) assert_null(strstr(sample.turns[t].question, "ball"));
    }
    pct_arena_free(&arena);
    pct_scene_source_close(&with);
    percept_error error = {0};
    list_write(grounds, "g0 : ball\ng1\n");
    assert_int_equal(grounds_open(&with, grounds, &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, "backgrounds.list:2"));
    scene_folder_remove(&grounds);
}

/* One picture alone is trained on; pictures that look alike stay on one side. */
static void test_few_user_grounds(void **state) {
    for (int count = 1; count <= 6; count += 5) {
        char *grounds = grounds_make(count, true);
        pct_scene_source *with = NULL;
        assert_int_equal(grounds_open(&with, grounds, NULL), PERCEPT_OK);
        assert_int_equal(with->background_count, count);
        assert_int_equal(pct_scene_backgrounds(with, PCT_SPLIT_TRAINING), count);
        assert_int_equal(pct_scene_backgrounds(with, PCT_SPLIT_CALIBRATION), 0);
        assert_int_equal(pct_scene_backgrounds(with, PCT_SPLIT_CUTOUTS), 0);
        pct_scene_source_close(&with);
        scene_folder_remove(&grounds);
    }
}

enum { THREADED = 64 };
struct hashing {
    uint64_t hashes[THREADED];
    pct_arena arenas[4];
};

static uint64_t hash_sample(const pct_sample *sample) {
    size_t pixels = (size_t)sample->image.width * (size_t)sample->image.height;
    uint64_t hash =
        pct_hash_bytes(sample->image.data, pixels * 3) ^ pct_hash_u64(pct_hash_bytes(sample->owner, pixels));
    for (int32_t i = 0; i < sample->turn_count; i++) {
        hash = pct_hash_u64(hash ^ pct_hash_bytes(sample->turns[i].question, strlen(sample->turns[i].question)));
        hash = pct_hash_u64(hash ^ pct_hash_bytes(sample->turns[i].answer, strlen(sample->turns[i].answer)));
    }
    return hash;
}

static void hash_range(void *context, int64_t begin, int64_t end, int worker) {
    struct hashing *in = context;
    pct_scene_request request = {.width = 128, .height = 96, .questions = 5};
    for (int64_t i = end - 1; i >= begin; i--) { /* backwards: the order does not matter */
        pct_sample sample;
        pct_arena_reset(&in->arenas[worker]);
        in->hashes[i] = 0;
        if (pct_scene_compose(scene_source, PCT_SPLIT_TRAINING, 11, (uint64_t)i, &request, &in->arenas[worker], &sample,
                              NULL) == PERCEPT_OK)
            in->hashes[i] = hash_sample(&sample);
    }
}

static void test_deterministic(void **state) {
    static struct hashing alone, together;
    pct_pool *pool = NULL;
    assert_int_equal(pct_pool_create(&pool, 4, NULL), PERCEPT_OK);
    for (int i = 0; i < 4; i++) {
        pct_arena_init(&alone.arenas[i], 0);
        pct_arena_init(&together.arenas[i], 1 << 12); /* another growth of the arena changes nothing either */
    }
    pct_parallel_for(NULL, THREADED, 1, hash_range, &alone);
    pct_parallel_for(pool, THREADED, 1, hash_range, &together);
    for (int i = 0; i < THREADED; i++) {
        assert_true(alone.hashes[i] != 0);
        assert_true(alone.hashes[i] == together.hashes[i]);
        for (int k = 0; k < i; k++) assert_true(alone.hashes[i] != alone.hashes[k]);
    }
    for (int i = 0; i < 4; i++) {
        pct_arena_free(&alone.arenas[i]);
        pct_arena_free(&together.arenas[i]);
    }
    pct_pool_destroy(&pool);
}

static void test_arena_stops_growing(void **state) {
    pct_scene_request request = {.width = 128, .height = 128, .questions = 6, .augment = 0.5f};
    pct_arena arena;
    pct_arena_init(&arena, 4 << 20);
    size_t reserved = 0;
    for (uint64_t index = 0; index < 200; index++) {
        pct_sample sample;
        pct_arena_reset(&arena);
        assert_int_equal(pct_scene_compose(scene_source, PCT_SPLIT_TRAINING, 2, index, &request, &arena, &sample, NULL),
                         PERCEPT_OK);
        if (index == 50) reserved = arena.reserved;
    }
    assert_int_equal(arena.reserved, reserved);
    pct_arena_free(&arena);
}

static void test_bad_requests(void **state) {
    static const pct_scene_request bad[] = {
        {.width = 63, .height = 64, .questions = 1},
        {.width = 64, .height = 4096, .questions = 1},
        {.width = 64, .height = 64, .questions = 0},
        {.width = 64, .height = 64, .questions = 33},
        {.width = 64, .height = 64, .questions = 1, .objects_min = 9},
        {.width = 64, .height = 64, .questions = 1, .objects_max = -1},
        {.width = 64, .height = 64, .questions = 1, .objects_min = 5, .objects_max = 4},
        {.width = 64, .height = 64, .questions = 1, .augment = 1.5f}};
    pct_arena arena;
    pct_sample sample;
    pct_arena_init(&arena, 0);
    for (size_t i = 0; i < PCT_COUNT(bad); i++)
        assert_int_equal(pct_scene_compose(scene_source, PCT_SPLIT_TRAINING, 1, 1, &bad[i], &arena, &sample, NULL),
                         PERCEPT_ERROR_USAGE);
    pct_arena_free(&arena);
    pct_scene_source *none = NULL;
    pct_scene_options options;
    pct_scene_options_default(&options);
    assert_int_equal(pct_scene_source_open(&none, &options, NULL), PERCEPT_ERROR_USAGE);
    options.cutouts = "/nowhere/at/all";
    assert_int_equal(pct_scene_source_open(&none, &options, NULL), PERCEPT_ERROR_INPUT);
    options.cutouts = NULL;
    options.pack = "/nowhere/at/all";
    assert_int_equal(pct_scene_source_open(&none, &options, NULL), PERCEPT_ERROR_INPUT);
    assert_null(none);
}

/* A pack with two names, three cut-outs and a background, written twice, read, and then damaged byte by byte. */
static percept_status write_pack(const char *path) {
    pct_pack_writer *writer = NULL;
    percept_status status = pct_pack_writer_open(&writer, path, NULL);
    const pct_pack_name names[] = {{"ball", "balls", PCT_NUMBER_ONE, "a"}, {"owl", "owls", PCT_NUMBER_ONE, "an"}};
    for (int i = 0; i < 2 && status == PERCEPT_OK; i++) status = pct_pack_writer_name(writer, &names[i], NULL);
    for (int i = 0; i < 3 && status == PERCEPT_OK; i++) {
        char label[16];
        snprintf(label, sizeof label, "noto/%d", i);
        pct_pack_cutout cutout = {
            .name = i % 2, .label = label, .style = PCT_STYLE_NOTO, .sprite = *disc_source->cutouts[i * 7].sprite};
        status = pct_pack_writer_cutout(writer, &cutout, NULL);
    }
    int32_t shows[] = {1};
    pct_image image = {0};
    if (status == PERCEPT_OK) status = pct_image_new(&image, 40, 30, 3, NULL);
    if (status == PERCEPT_OK) {
        memset(image.data, 90, pct_image_bytes(&image));
        pct_pack_background background = {"lake", "lake", image, shows, 1};
        status = pct_pack_writer_background(writer, &background, NULL);
    }
    pct_image_free(&image);
    if (status == PERCEPT_OK)
        status = pct_pack_writer_relation(writer, &(pct_pack_relation){0, 1, PCT_RELATION_NEAR}, NULL);
    if (status == PERCEPT_OK) return pct_pack_writer_finish(&writer, NULL);
    pct_pack_writer_abort(&writer);
    return status;
}

static void test_pack(void **state) {
    char path[200], again[200], *data = NULL, *twice = NULL;
    size_t size, size_again;
    snprintf(path, sizeof path, "%s/a.pack", discs);
    snprintf(again, sizeof again, "%s/b.pack", discs);
    assert_int_equal(write_pack(path), PERCEPT_OK);
    assert_int_equal(write_pack(again), PERCEPT_OK);
    assert_int_equal(pct_file_read(path, 1 << 24, &data, &size, NULL), PERCEPT_OK);
    assert_int_equal(pct_file_read(again, 1 << 24, &twice, &size_again, NULL), PERCEPT_OK);
    assert_int_equal(size, size_again);
    assert_memory_equal(data, twice, size);
    pct_scene_source *packed = NULL;
    pct_scene_options options;
    pct_scene_options_default(&options);
    options.pack = path;
    percept_error error = {0};
    assert_int_equal(pct_scene_source_open(&packed, &options, &error), PERCEPT_OK);
    assert_int_equal(pct_scene_names(packed), 2);
    assert_string_equal(pct_scene_name(packed, 1), "owl");
    assert_int_equal(pct_scene_cutouts(packed), 3);
    pct_scene_source_close(&packed);
    pct_pack pack;
    for (size_t cut = 0; cut < size; cut += 97)
        assert_int_equal(pct_pack_over(&pack, "cut", data, cut, &error), PERCEPT_ERROR_INPUT);
    uint64_t tables;
    memcpy(&tables, data + 32, 8);
    for (size_t at = 0; at < size; at = at < 64 || at >= tables ? at + 1 : (size_t)tables) { /* header, then tables */
        for (int bit = 0; bit < 8; bit += 7) {
            data[at] ^= (char)(1 << bit);
            if (pct_pack_over(&pack, "flipped", data, size, &error) == PERCEPT_OK) pct_pack_close(&pack);
            data[at] ^= (char)(1 << bit);
        }
    }
    free(data);
    free(twice);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks_are_exact),
        cmocka_unit_test(test_boxes_and_areas),
        cmocka_unit_test(test_splits_never_meet),
        cmocka_unit_test(test_grounds_never_meet),
        cmocka_unit_test(test_user_grounds_are_used),
        cmocka_unit_test(test_user_grounds_with_a_list),
        cmocka_unit_test(test_few_user_grounds),
        cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_arena_stops_growing),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_pack),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
