/* What teaching stands on: coded packs, the shipped one of them, and scenes that show taught names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "data/pack.h"
#include "data/scene_private.h"
#include "data/things.h"
#include "scene_support.h"

#include <stdio.h>
#include <unistd.h>

static void fill(pct_image *image, int side) {
    assert_int_equal(pct_image_new(image, side, side / 2, 4, NULL), PERCEPT_OK);
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < side; x++) {
            unsigned char *p = pct_image_row(image, y) + (size_t)x * 4;
            p[0] = 200;
            p[1] = 60;
            p[2] = 40;
            p[3] = x < side / 2 ? 255 : 0;
        }
}

/* A pack of one coded cut-out at `path`. */
static void write_pack(const char *path, int side) {
    pct_pack_writer *writer = NULL;
    pct_image image = {0};
    fill(&image, side);
    const pct_pack_name name = {"mug", "mugs", PCT_NUMBER_ONE, "a"};
    const pct_pack_cutout cutout = {.name = 0, .label = "noto/1", .style = PCT_STYLE_NOTO, .hash = 1, .mirrored = 2};
    assert_int_equal(pct_pack_writer_open(&writer, path, NULL), PERCEPT_OK);
    assert_int_equal(pct_pack_writer_name(writer, &name, NULL), PERCEPT_OK);
    assert_int_equal(pct_pack_writer_coded(writer, &cutout, &image, 90, NULL), PERCEPT_OK);
    assert_int_equal(pct_pack_writer_finish(&writer, NULL), PERCEPT_OK);
    pct_image_free(&image);
}

static void test_coded_pack(void **state) {
    char path[] = "/tmp/percept-coded-XXXXXX";
    assert_true(close(mkstemp(path)) == 0);
    write_pack(path, 64);
    pct_pack pack;
    assert_int_equal(pct_pack_open(&pack, path, NULL), PERCEPT_OK);
    assert_int_equal(pack.cutout_count, 1);
    const pct_pack_cutout *cutout = &pack.cutouts[0];
    assert_string_equal(cutout->label, "noto/1");
    assert_true(cutout->coded && cutout->hash == 1 && cutout->mirrored == 2);
    assert_int_equal(cutout->sprite.width, 64);
    assert_int_equal(cutout->sprite.height, 32);
    const unsigned char *solid = pct_image_row(&cutout->sprite.level[0], 17) + 4 * 17;
    assert_in_range(solid[0], 188, 212); /* lossy colours, exact alpha */
    assert_int_equal(solid[3], 255);
    assert_int_equal(pct_image_row(&cutout->sprite.level[0], 17)[4 * 60 + 3], 0);
    pct_pack_close(&pack);

    /* Every byte of the picture's record and of the picture changed: refused or read, never worse. */
    char *data = NULL;
    size_t size;
    assert_int_equal(pct_file_read(path, 1 << 20, &data, &size, NULL), PERCEPT_OK);
    int refused = 0;
    for (size_t i = 64; i < size; i++) {
        data[i] ^= 0x55;
        if (pct_pack_over(&pack, "pack", data, size, NULL) == PERCEPT_OK)
            pct_pack_close(&pack);
        else
            refused++;
        data[i] ^= 0x55;
    }
    assert_true(refused > 20);
    for (size_t cut = 65; cut < size; cut++) assert_true(pct_pack_over(&pack, "pack", data, cut, NULL) != PERCEPT_OK);
    free(data);
    write_pack(path, PCT_PACK_CODED_SIDE + 2); /* a small file may not ask for large sprites */
    percept_error error = {0};
    assert_int_equal(pct_pack_open(&pack, path, &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, "a coded cut-out"));
    unlink(path);
}

static void test_shipped_pack(void **state) {
    char *data = NULL;
    size_t size;
    assert_int_equal(pct_file_read(REPLAY, 3 << 20, &data, &size, NULL), PERCEPT_OK); /* at most 3 MB */
    pct_pack pack;
    assert_int_equal(pct_pack_over(&pack, REPLAY, data, size, NULL), PERCEPT_OK);
    assert_int_equal(pack.name_count, 953);
    assert_true(pack.cutout_count > 700);
    assert_int_equal(pack.background_count, 0);
    for (int32_t i = 0; i < pack.cutout_count; i++) { /* Apache-2.0: nothing else may be in the repository */
        assert_int_equal(pack.cutouts[i].style, PCT_STYLE_NOTO);
        assert_true(strncmp(pack.cutouts[i].label, "noto/", 5) == 0);
    }
    pct_pack_close(&pack);
    free(data);
}

static pct_scene_source *open_taught(float share) {
    pct_scene_options options;
    pct_scene_source *source = NULL;
    pct_scene_options_default(&options);
    options.pack = REPLAY;
    options.cutouts = scene_folder;
    options.taught = share;
    options.hold_taught = true;
    options.generated = 1;
    assert_int_equal(pct_scene_source_open(&source, &options, NULL), PERCEPT_OK);
    return source;
}

/* Draws the share that was asked for; a picture that is held out is in no training scene and in every test scene. */
static void test_taught_scenes(void **state) {
    pct_scene_source *source = open_taught(0.5f);
    pct_random random;
    pct_random_init(&random, 1, 2, 3);
    int taught = 0, held = 0, users = 0;
    for (int i = 0; i < 4000; i++) {
        const struct scene_name *name = &source->names[scene_pick_name(source, &random)];
        for (int32_t k = 0; k < name->trained_count; k++) /* of names that both have, the user's may come later */
            if (source->cutouts[source->by_name[name->first + k]].style == PCT_STYLE_USER) {
                taught++;
                break;
            }
    }
    assert_in_range(taught, 1850, 2200);
    for (int32_t i = 0; i < source->cutout_count; i++) {
        users += source->cutouts[i].style == PCT_STYLE_USER;
        held += source->cutouts[i].held_out;
        if (source->cutouts[i].held_out) assert_int_equal(source->cutouts[i].style, PCT_STYLE_USER);
        assert_int_equal(pct_scene_held_out(source, i), source->cutouts[i].held_out);
    }
    assert_true(held > 0 && 3 * held <= users);
    const pct_scene_request request = {.width = 96, .height = 96, .questions = 2, .plain = true};
    pct_arena arena;
    pct_arena_init(&arena, 0);
    for (uint64_t i = 0; i < 200; i++) {
        pct_sample sample;
        for (int split = 0; split < 2; split++) {
            int seen = 0;
            pct_arena_reset(&arena);
            assert_int_equal(pct_scene_compose(source, split ? PCT_SPLIT_CUTOUTS : PCT_SPLIT_TRAINING, 1, i, &request,
                                               &arena, &sample, NULL),
                             PERCEPT_OK);
            for (int32_t k = 0; k < sample.object_count; k++)
                seen += pct_scene_held_out(source, sample.objects[k].cutout);
            if (!split) assert_int_equal(seen, 0);
            if (split && sample.object_count == 1) assert_int_equal(seen, 1);
        }
    }
    pct_arena_free(&arena);
    pct_scene_source_close(&source);
    source = open_taught(0); /* names are then drawn alike */
    assert_int_equal(source->taught.count, 0);
    pct_scene_source_close(&source);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coded_pack),
        cmocka_unit_test(test_shipped_pack),
        cmocka_unit_test(test_taught_scenes),
    };
    return cmocka_run_group_tests(tests, scene_group_open, scene_group_close);
}
