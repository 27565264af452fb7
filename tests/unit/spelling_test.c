/* spelling_test.c: regions written as coordinate tokens and read again; what breaks the grammar; any ids whatever. */
#include "model/spelling.h"

#include "base/random.h"
#include "image/mask.h"
#include "image/polygon.h"
#include "tokenizer/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define assert_ok(call) assert_int_equal(call, PERCEPT_OK)
#define SIDE            96

struct fixture {
    pct_model_config config;
    pct_tokenizer *tokenizer;
    pct_spelling spelling;
};

static struct fixture open_fixture(int32_t bins, int32_t vertices) {
    struct fixture f = {0};
    pct_bpe_trainer *trainer = NULL;
    const pct_bpe_train_options options = pct_template_train_options(280);
    pct_model_config_default(&f.config);
    f.config.language.regions = PCT_REGIONS_TEXT;
    f.config.language.bins = bins;
    f.config.language.vertices = vertices;
    assert_ok(pct_bpe_trainer_create(&trainer, &options, NULL));
    assert_ok(pct_bpe_trainer_add(trainer, "where is the cup", 16, 9, NULL));
    assert_ok(pct_bpe_trainer_finish(trainer, &f.tokenizer, NULL));
    pct_bpe_trainer_destroy(&trainer);
    assert_int_equal(pct_spelling_init(&f.spelling, &f.config, f.tokenizer, NULL), PERCEPT_ERROR_MODEL); /* no bins */
    pct_spelling_free(&f.spelling);
    assert_ok(pct_spelling_extend(&f.tokenizer, &f.config, NULL));
    assert_ok(pct_spelling_init(&f.spelling, &f.config, f.tokenizer, NULL));
    return f;
}

static void close_fixture(struct fixture *f) {
    pct_spelling_free(&f->spelling);
    pct_tokenizer_destroy(&f->tokenizer);
}

/* Extending twice adds nothing; old ids stay; the tokens are special, so that no text makes them. */
static void tokens_are_added_once(void **state) {
    struct fixture f = open_fixture(32, 12);
    const int32_t size = pct_tokenizer_size(f.tokenizer);
    const pct_tokenizer *before = f.tokenizer;
    pct_ids ids = {0};
    pct_token_scratch scratch = {0};
    assert_int_equal(pct_tokenizer_special(f.tokenizer, "</poly>"), size - 1);
    assert_int_equal(pct_tokenizer_special(f.tokenizer, "<bin_0>"), size - 35);
    assert_int_equal(pct_tokenizer_special(f.tokenizer, "<bin_32>"), -1);
    assert_ok(pct_spelling_extend(&f.tokenizer, &f.config, NULL));
    assert_ptr_equal(f.tokenizer, before);
    assert_ok(pct_tokenizer_encode(f.tokenizer, &scratch, "<bin_3>", 7, 0, &ids, NULL));
    for (size_t i = 0; i < ids.count; i++) assert_false(pct_spelling_has(&f.spelling, ids.data[i]));
    assert_false(pct_spelling_has(&f.spelling, -1));
    assert_false(pct_spelling_has(&f.spelling, size));
    assert_true(pct_spelling_has(&f.spelling, size - 1));
    pct_ids_free(&ids);
    pct_token_scratch_free(&scratch);
    close_fixture(&f);
}

/* What was read and is written again is the same; no coordinate is off by more than half a bin. */
static void coordinates_round_trip(void **state) {
    for (int32_t bins = 16; bins <= 1024; bins += 7) {
        const pct_spelling s = {.bins = bins};
        for (int32_t k = 0; k < bins; k++) assert_int_equal(pct_spelling_bin(&s, pct_spelling_value(&s, k)), k);
        for (int i = 0; i <= 1000; i++) {
            const float value = (float)i / 1000, read = pct_spelling_value(&s, pct_spelling_bin(&s, value));
            assert_true(fabsf(read - value) <= 0.5001f / (float)bins);
        }
        assert_int_equal(pct_spelling_bin(&s, -3), 0);
        assert_int_equal(pct_spelling_bin(&s, 7), bins - 1);
        assert_in_range(pct_spelling_bin(&s, NAN), 0, bins - 1);
    }
}

/* A few discs and bars: parts that touch, overlap or stand alone. */
static pct_mask blobs(pct_random *random, int parts) {
    pct_mask mask;
    assert_ok(pct_mask_new(&mask, SIDE, SIDE, NULL));
    for (int k = 0; k < parts; k++) {
        const float cx = 15 + 66 * pct_random_float(random), cy = 15 + 66 * pct_random_float(random);
        const float rx = 8 + 12 * pct_random_float(random), ry = 8 + 12 * pct_random_float(random);
        const bool bar = pct_random_float(random) < 0.3f;
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                const float dx = ((float)x + 0.5f - cx) / rx, dy = ((float)y + 0.5f - cy) / ry;
                if (bar ? fabsf(dx) < 1 && fabsf(dy) < 1 : dx * dx + dy * dy < 1) pct_mask_row(&mask, y)[x] = 1;
            }
    }
    return mask;
}

static enum pct_spelled read_all(const pct_spelling *s, const int32_t *ids, int32_t count,
                                 pct_spelling_reader *reader) {
    enum pct_spelled last = PCT_SPELLED_OTHER;
    *reader = (pct_spelling_reader){0};
    for (int32_t i = 0; i < count; i++) {
        last = pct_spelling_read(s, reader, ids[i]);
        if (i + 1 < count) assert_int_equal(last, PCT_SPELLED_INSIDE);
    }
    return last;
}

static double mask_iou(const float *logits, const pct_mask *mask) {
    double both = 0, either = 0;
    for (size_t i = 0; i < pct_mask_bytes(mask); i++) {
        both += logits[i] > 0 && mask->data[i];
        either += logits[i] > 0 || mask->data[i];
    }
    return either > 0 ? both / either : 1;
}

/* The first ring begins nearest the top left corner and runs clockwise as seen. */
static void check_order(const pct_spelling *s, const int32_t *ids, int32_t count) {
    int64_t area = 0, n = 0;
    int32_t x[64], y[64];
    for (int32_t i = 5; i + 1 < count && s->bin[ids[i]] >= 0; i += 2, n++) {
        x[n] = s->bin[ids[i]];
        y[n] = s->bin[ids[i + 1]];
    }
    assert_true(n >= 3);
    for (int64_t i = 0; i < n; i++) {
        assert_true(x[i] * x[i] + y[i] * y[i] >= x[0] * x[0] + y[0] * y[0]);
        area += (int64_t)x[i] * y[(i + 1) % n] - (int64_t)x[(i + 1) % n] * y[i];
    }
    assert_true(area > 0);
}

static void masks_round_trip(void **state) {
    struct fixture f = open_fixture(160, 20);
    pct_random random;
    double sum = 0, least = 1;
    enum { MASKS = 60 };
    pct_random_init(&random, 11, 0, 0);
    for (int k = 0; k < MASKS; k++) {
        pct_mask mask = blobs(&random, 1 + k % 3);
        const pct_box box = pct_mask_box(&mask);
        const float in[4] = {box.x0 / SIDE, box.y0 / SIDE, box.x1 / SIDE, box.y1 / SIDE}, frame[4] = {0, 0, 1, 1};
        float out[4], *logits = malloc(SIDE * SIDE * sizeof *logits);
        int32_t ids[PCT_SPELLED_MOST], again[PCT_SPELLED_MOST], count, marks = 0;
        pct_spelling_reader reader;
        assert_ok(pct_spelling_write(&f.spelling, in, &mask, frame, ids, &count, NULL));
        for (int32_t i = 4; i < count; i++) marks += f.spelling.bin[ids[i]] < 0;
        assert_in_range(count, 4 + 2 + 6, 4 + marks + 40);
        assert_int_equal(read_all(&f.spelling, ids, count, &reader), PCT_SPELLED_DONE);
        assert_int_equal(reader.count, count);
        check_order(&f.spelling, ids, count);
        pct_spelling_box(&f.spelling, reader.ids, out);
        for (int i = 0; i < 4; i++) assert_true(fabsf(in[i] - out[i]) <= 0.501f / 160);
        assert_ok(pct_spelling_write(&f.spelling, out, NULL, NULL, again, &count, NULL));
        assert_int_equal(count, 4);
        assert_memory_equal(again, ids, 4 * sizeof *ids);
        assert_true(pct_spelling_mask(&f.spelling, reader.ids, reader.count, SIDE, logits));
        const double iou = mask_iou(logits, &mask);
        sum += iou;
        least = fmin(least, iou);
        free(logits);
        pct_mask_free(&mask);
    }
    print_message("mask IoU of %d masks after 20 vertices of 160 bins: mean %.3f, least %.3f\n", (int)MASKS,
                  sum / MASKS, least);
    assert_true(sum / MASKS > 0.93 && least > 0.8);
    close_fixture(&f);
}

/* A triangle covers half of a square of pixels, exactly. */
static void coverage_is_exact(void **state) {
    float cover[64] = {0};
    const float triangle[] = {1, 1, 7, 1, 1, 7}, back[] = {1, 7, 7, 1, 1, 1};
    double sum = 0;
    assert_ok(pct_polygon_cover(cover, 8, 8, triangle, 3, NULL));
    for (int i = 0; i < 64; i++) sum += (double)cover[i];
    assert_true(fabs(sum - 18) < 1e-4);
    assert_true(fabsf(cover[8 + 1] - 1) < 1e-5f && fabsf(cover[8 + 6] - 0.5f) < 1e-5f && fabsf(cover[0]) < 1e-5f);
    float other[64] = {0};
    assert_ok(pct_polygon_cover(other, 8, 8, back, 3, NULL)); /* the same the other way round */
    for (int i = 0; i < 64; i++) assert_true(fabsf(cover[i] - other[i]) < 1e-5f);
    assert_int_equal(pct_polygon_cover(cover, 8, 8, (float[]){0, NAN, 1, 1, 2, 2}, 3, NULL), PERCEPT_ERROR_INPUT);
    const float all[] = {0, 0, 8, 0, 8, 8, 0, 8};
    assert_ok(pct_polygon_cover(cover, 8, 8, all, 4, NULL));
    for (int i = 0; i < 64; i++) assert_true(cover[i] == 1);
}

/* One pixel, a line, nothing: still a region that the reader takes. */
static void small_masks_are_told(void **state) {
    struct fixture f = open_fixture(16, 4);
    const float box[4] = {0.5f, 0.5f, 0.51f, 0.51f}, frame[4] = {0.5f, 0.5f, 0.51f, 0.51f};
    for (int pixels = 0; pixels < 3; pixels++) {
        pct_mask mask;
        int32_t ids[PCT_SPELLED_MOST], count;
        pct_spelling_reader reader;
        assert_ok(pct_mask_new(&mask, 3, 1, NULL));
        memset(mask.data, 1, (size_t)pixels);
        assert_ok(pct_spelling_write(&f.spelling, box, &mask, frame, ids, &count, NULL));
        assert_int_equal(count, 4 + 2 + 8);
        assert_int_equal(read_all(&f.spelling, ids, count, &reader), PCT_SPELLED_DONE);
        pct_mask_free(&mask);
    }
    close_fixture(&f);
}

/* A grammar case: b a coordinate, ( <poly>, | <part>, ) </poly>, w a word. What the last id gives. */
static void expect(const struct fixture *f, const char *text, enum pct_spelled last) {
    pct_spelling_reader reader = {0};
    for (size_t i = 0; text[i]; i++) {
        const int32_t id = text[i] == 'b'   ? f->spelling.id[(7 * i) % 16]
                           : text[i] == '(' ? f->spelling.poly
                           : text[i] == '|' ? f->spelling.part
                           : text[i] == ')' ? f->spelling.end
                                            : 20;
        const enum pct_spelled got = pct_spelling_read(&f->spelling, &reader, id);
        const enum pct_spelled wanted = text[i + 1] ? PCT_SPELLED_INSIDE : last;
        if (got != wanted) fail_msg("%s: id %zu gave %d, not %d", text, i, (int)got, (int)wanted);
        assert_int_equal(pct_spelling_inside(&reader), got == PCT_SPELLED_INSIDE);
    }
}

static void grammar_is_kept(void **state) {
    struct fixture f = open_fixture(16, 8), boxes = open_fixture(16, 0);
    expect(&f, "w", PCT_SPELLED_OTHER);
    expect(&f, "bbbb(bbbbbb)", PCT_SPELLED_DONE);
    expect(&f, "bbbb(bbbbbb|bbbbbb)", PCT_SPELLED_DONE);
    expect(&f, "bbbb(bbbbbbbbbbbbbbbb)", PCT_SPELLED_DONE);
    static const char *const broken[] = {
        "(",
        "|",
        ")",
        "b(",
        "bw",
        "bbb)",
        "bbbbb",
        "bbbbw",
        "bbbb|",
        "bbbb)",
        "bbbb()",
        "bbbb(w",
        "bbbb((",
        "bbbb(|",
        "bbbb(bbbb)",              /* two vertices */
        "bbbb(bbbbbbb)",           /* an odd number */
        "bbbb(bbbbb|",             /* the same before a part */
        "bbbb(bbbbbb|)",           /* a part without vertices */
        "bbbb(bbbbbb|bbbb)",       /* of two */
        "bbbb(bbbbbbbbbbbbbbbbb",  /* nine vertices of eight */
        "bbbb(bbbbbb|bbbbbbbbbbb", /* over all parts */
        "bbbb(bbbbbbw",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) expect(&f, broken[i], PCT_SPELLED_BROKEN);
    expect(&boxes, "bbbb", PCT_SPELLED_DONE);
    expect(&boxes, "bbb(", PCT_SPELLED_BROKEN);
    close_fixture(&f);
    close_fixture(&boxes);
}

/* Any ids: nothing is written outside (the sanitizers look), and every complete region can be drawn. */
static void any_ids_are_read(void **state) {
    struct fixture f = open_fixture(16, 12);
    const int32_t size = pct_tokenizer_size(f.tokenizer);
    float logits[16 * 16], box[4];
    pct_random random;
    pct_spelling_reader reader = {0};
    int64_t done = 0, broken = 0;
    pct_random_init(&random, 5, 0, 0);
    for (int i = 0; i < 400000; i++) {
        const float draw = pct_random_float(&random);
        int32_t id = f.spelling.id[pct_random_below(&random, 16)];
        if (draw < 0.15f) id = reader.count == 4 ? f.spelling.poly : f.spelling.end;
        if (draw < 0.03f) id = f.spelling.part;
        if (draw < 0.01f) id = (int32_t)pct_random_below(&random, (uint32_t)size + 20) - 10;
        const enum pct_spelled got = pct_spelling_read(&f.spelling, &reader, id);
        broken += got == PCT_SPELLED_BROKEN;
        if (got != PCT_SPELLED_DONE) continue;
        done++;
        assert_true(reader.count >= 12 && reader.count <= PCT_SPELLED_MOST);
        pct_spelling_box(&f.spelling, reader.ids, box);
        assert_true(pct_spelling_mask(&f.spelling, reader.ids, reader.count, 16, logits));
        for (int k = 0; k < 16 * 16; k++) assert_true(logits[k] >= -0.5f && logits[k] <= 0.5f);
    }
    assert_true(done > 100 && broken > 100);
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_added_once), cmocka_unit_test(coordinates_round_trip),
        cmocka_unit_test(masks_round_trip),      cmocka_unit_test(coverage_is_exact),
        cmocka_unit_test(small_masks_are_told),  cmocka_unit_test(grammar_is_kept),
        cmocka_unit_test(any_ids_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
