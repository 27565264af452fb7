/* image_codec_test.c: decoding and encoding. The files are the fuzz corpora, made by tools/golden/picture_corpus.py
 * from a formula that stands here again. */
#include "base/file.h"
#include "base/random.h"
#include "image/decode.h"
#include "image/encode.h"
#include "image/mask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define assert_ok(call) assert_int_equal(call, PERCEPT_OK)

/* Channel c of pixel x, y of the corpus's picture. */
static int formula(int x, int y, int width, int height, int c) {
    switch (c) {
    case 0:
        return x * 255 / (width - 1);
    case 1:
        return y * 255 / (height - 1);
    case 2:
        return (x * 40 + y * 90) % 256;
    default:
        return (x + y) * 8 % 256;
    }
}

static percept_status read_corpus(const char *name, const pct_decode_options *options, pct_image *image,
                                  pct_decode_info *info, percept_error *error) {
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", CORPUS, name);
    return pct_image_read(image, path, options, info, error);
}

static void assert_refused(const char *name, const char *word) {
    pct_image image;
    percept_error error = {0};
    assert_int_equal(read_corpus(name, NULL, &image, NULL, &error), PERCEPT_ERROR_INPUT);
    assert_null(image.data);
    assert_non_null(strstr(error.message, name)); /* names the file */
    if (!strstr(error.message, word)) fail_msg("%s: expected \"%s\"", error.message, word);
    if (strstr(error.message, "0x")) fail_msg("%s: looks like an address", error.message); /* CVE-2026-22778 */
}

/* Mean difference of an RGB picture from the formula as seen through an orientation. */
static double difference(const pct_image *image, int width, int height, int orientation) {
    double sum = 0;
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++) {
            int w = width - 1, h = height - 1;
            const int from[9][2] = {{0, 0}, {x, y},     {w - x, y},     {w - x, h - y}, {x, h - y},
                                    {y, x}, {y, h - x}, {w - y, h - x}, {w - y, x}};
            const unsigned char *p = pct_image_row(image, y) + x * image->channels;
            for (int c = 0; c < 3; c++)
                sum += abs(p[c] - formula(from[orientation][0], from[orientation][1], width, height, c));
        }
    return sum / (image->width * image->height * 3.0);
}

static void png_kinds(void **state) {
    pct_image image;
    pct_decode_info info;
    assert_ok(read_corpus("image_png/rgb", NULL, &image, &info, NULL));
    assert_int_equal(info.format, PCT_IMAGE_PNG);
    assert_true(difference(&image, 19, 13, 1) == 0);
    pct_image_free(&image);
    assert_ok(read_corpus("image_png/exif6", NULL, &image, &info, NULL));
    assert_int_equal(info.orientation, 6);
    assert_int_equal(image.width, 13);
    assert_int_equal(info.width, 13);
    assert_true(difference(&image, 19, 13, 6) == 0);
    pct_image_free(&image);
    assert_ok(read_corpus("image_png/animated", NULL, &image, NULL, NULL)); /* its first frame */
    assert_true(difference(&image, 19, 13, 1) == 0);
    pct_image_free(&image);
    assert_ok(read_corpus("image_png/grey16", NULL, &image, NULL, NULL));
    for (int i = 0; i < 40; i++)
        for (int c = 0; c < 3; c++) assert_int_equal(image.data[3 * i + c], i * 1600 >> 8);
    pct_image_free(&image);
    assert_ok(read_corpus("image_png/rgb16", NULL, &image, NULL, NULL));
    const unsigned char high[12] = {0, 2, 4, 6, 8, 10, 100, 102, 104, 106, 108, 110};
    assert_memory_equal(image.data, high, 12);
    pct_image_free(&image);
    static const char *const others[] = {"grey", "grey_alpha", "palette", "palette_clear", "bits1"};
    for (size_t i = 0; i < 5; i++) {
        char name[64];
        snprintf(name, sizeof(name), "image_png/%s", others[i]);
        assert_ok(read_corpus(name, NULL, &image, NULL, NULL));
        assert_int_equal(image.width, 19);
        assert_int_equal(image.channels, 3);
        if (i == 0) assert_true(image.data[0] == image.data[1] && image.data[1] == image.data[2]);
        if (i == 2) assert_true(difference(&image, 19, 13, 1) < 40); /* 16 colours, yet the same picture */
        pct_image_free(&image);
    }
}

static void alpha_is_kept_or_laid_over_white(void **state) {
    static const char *const names[] = {"image_png/rgba", "image_webp/alpha_lossless"};
    const pct_decode_options keep = {.keep_alpha = true};
    for (int i = 0; i < 2; i++) {
        pct_image rgba, rgb;
        assert_ok(read_corpus(names[i], &keep, &rgba, NULL, NULL));
        assert_ok(read_corpus(names[i], NULL, &rgb, NULL, NULL));
        assert_int_equal(rgba.channels, 4);
        for (int y = 0; y < 13; y++)
            for (int x = 0; x < 19; x++) {
                const unsigned char *p = pct_image_row(&rgba, y) + 4 * x, *q = pct_image_row(&rgb, y) + 3 * x;
                for (int c = 0; c < 4; c++) assert_int_equal(p[c], formula(x, y, 19, 13, c));
                for (int c = 0; c < 3; c++) assert_int_equal(q[c], (p[c] * p[3] + 255 * (255 - p[3]) + 127) / 255);
            }
        pct_image_free(&rgba);
        pct_image_free(&rgb);
    }
    pct_image opaque;
    assert_ok(read_corpus("image_png/rgb", &keep, &opaque, NULL, NULL));
    assert_int_equal(opaque.channels, 4);
    assert_int_equal(opaque.data[3], 255);
    pct_image_free(&opaque);
}

static void jpeg_kinds_and_all_orientations(void **state) {
    static const char *const names[] = {"rgb", "progressive", "cmyk"};
    pct_image image;
    pct_decode_info info;
    char name[64];
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "image_jpeg/%s", names[i]);
        assert_ok(read_corpus(name, NULL, &image, &info, NULL));
        assert_int_equal(info.format, PCT_IMAGE_JPEG);
        assert_true(difference(&image, 40, 24, 1) < 28); /* chroma at half size of a busy blue channel */
        pct_image_free(&image);
    }
    assert_ok(read_corpus("image_jpeg/rgb", NULL, &image, &info, NULL));
    double upright = difference(&image, 40, 24, 1);
    pct_image_free(&image);
    for (int orientation = 2; orientation <= 8; orientation++) {
        snprintf(name, sizeof(name), "image_jpeg/exif%d", orientation);
        assert_ok(read_corpus(name, NULL, &image, &info, NULL));
        assert_int_equal(info.orientation, orientation);
        assert_int_equal(info.width, orientation >= 5 ? 24 : 40);
        assert_int_equal(image.width, info.width);
        assert_true(difference(&image, 40, 24, orientation) <= upright + 0.01);
        pct_image_free(&image);
    }
    assert_ok(read_corpus("image_jpeg/grey", NULL, &image, NULL, NULL));
    for (int i = 0; i < 40 * 24; i++) assert_true(image.data[3 * i] == image.data[3 * i + 2]);
    pct_image_free(&image);
    assert_ok(read_corpus("image_jpeg/exif_wild", NULL, &image, &info, NULL)); /* nonsense EXIF is no EXIF */
    assert_int_equal(info.orientation, 1);
    pct_image_free(&image);
}

static void jpeg_decodes_at_reduced_size(void **state) {
    pct_image large, image;
    pct_decode_info info;
    void *data;
    size_t size;
    assert_ok(pct_image_new(&large, 640, 360, 3, NULL));
    for (int y = 0; y < 360; y++)
        for (int x = 0; x < 640; x++) memset(pct_image_row(&large, y) + 3 * x, x / 3, 3);
    assert_ok(pct_jpeg_encode(&large, 95, &data, &size, NULL));
    static const int cases[][4] = {{0, 0, 1, 640}, {0, 160, 4, 160}, {0, 161, 2, 320}, {180, 0, 2, 320}, {0, 1, 8, 80}};
    for (size_t i = 0; i < 5; i++) {
        pct_decode_options options = {.min_side = cases[i][0], .min_long = cases[i][1]};
        assert_ok(pct_image_decode(&image, data, size, "reduced", &options, &info, NULL));
        assert_int_equal(info.reduction, cases[i][2]);
        assert_int_equal(image.width, cases[i][3]);
        assert_int_equal(info.width, 640);
        assert_int_equal(info.height, 360);
        for (int x = 8; x < image.width - 8; x++)
            assert_true(abs(pct_image_row(&image, image.height / 2)[3 * x] - x * info.reduction / 3) <= 4);
        pct_image_free(&image);
    }
    free(data);
    pct_image_free(&large);
}

static void webp_kinds(void **state) {
    pct_image image;
    pct_decode_info info;
    assert_ok(read_corpus("image_webp/lossless", NULL, &image, &info, NULL));
    assert_int_equal(info.format, PCT_IMAGE_WEBP);
    assert_true(difference(&image, 19, 13, 1) == 0);
    pct_image_free(&image);
    assert_ok(read_corpus("image_webp/lossy", NULL, &image, NULL, NULL));
    assert_true(difference(&image, 19, 13, 1) < 40);
    pct_image_free(&image);
    assert_ok(read_corpus("image_webp/exif8", NULL, &image, &info, NULL));
    assert_int_equal(info.orientation, 8);
    assert_true(difference(&image, 19, 13, 8) == 0);
    pct_image_free(&image);
    const pct_decode_options keep = {.keep_alpha = true};
    assert_ok(read_corpus("image_webp/animated", &keep, &image, NULL, NULL));
    for (int y = 0; y < 13; y++)
        for (int x = 0; x < 19; x++) {
            const unsigned char *p = pct_image_row(&image, y) + 4 * x;
            assert_int_equal(p[3], formula(x, y, 19, 13, 3));
            for (int c = 0; c < 3 && p[3]; c++) assert_int_equal(p[c], formula(x, y, 19, 13, c));
        }
    pct_image_free(&image);
}

static void odd_shapes_decode(void **state) {
    static const struct {
        const char *name;
        int width, height;
    } shapes[] = {{"image_png/one_pixel", 1, 1},  {"image_png/one_row", 65535, 1}, {"image_png/one_column", 1, 300},
                  {"image_jpeg/one_pixel", 1, 1}, {"image_jpeg/one_row", 900, 1},  {"image_webp/one_pixel", 1, 1}};
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        pct_image image;
        pct_decode_options options = {.min_side = 1, .min_long = 1};
        assert_ok(read_corpus(shapes[i].name, NULL, &image, NULL, NULL));
        assert_int_equal(image.width, shapes[i].width);
        assert_int_equal(image.height, shapes[i].height);
        pct_image_free(&image);
        assert_ok(read_corpus(shapes[i].name, &options, &image, NULL, NULL));
        pct_image_free(&image);
    }
}

static void broken_files_are_refused_by_name(void **state) {
    static const char *const cases[][2] = {
        {"image_png/truncated", "ends early"},
        {"image_png/header_only", "PNG"},
        {"image_png/damaged", "damaged"},
        {"image_png/wrong_crc", "damaged"},
        {"image_png/huge", "PNG"},
        {"image_png/large", "--max-pixels"},
        {"image_png/interlaced_short", "PNG"},
        {"image_png/palette_missing", "PNG"},
        {"image_png/bad_depth", "PNG"},
        {"image_jpeg/truncated", "ends early"},
        {"image_jpeg/no_end", "ends early"},
        {"image_jpeg/header_only", "not a picture"},
        {"image_jpeg/huge", "--max-pixels"},
        {"image_jpeg/too_large", "65500"},
        {"image_jpeg/bits12", "8 bits"},
        {"image_webp/truncated", "WebP"},
        {"image_webp/header_only", "WebP"},
        {"image_webp/huge", "damaged"},
        {"image_png/nowhere", "cannot be opened"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) assert_refused(cases[i][0], cases[i][1]);
}

static void other_formats_are_refused_by_name(void **state) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *word;
    } cases[] = {
        {"\0\0\0\x18"
         "ftypheic\0\0",
         14, "HEIC"},
        {"\0\0\0\x18"
         "ftypavif\0\0",
         14, "AVIF"},
        {"GIF89a", 6, "GIF"},
        {"BM1234567890", 12, "BMP"},
        {"II*\0\x08\0\0\0", 8, "TIFF"},
        {"MM\0*\0\0\0\x08", 8, "TIFF"},
        {"<?xml version='1.0'?><svg/>", 27, "SVG"},
        {"  <svg xmlns=''>", 16, "SVG"},
        {"%PDF-1.7", 8, "PDF"},
        {"\xff\x0a\x00\x10", 4, "JPEG XL"},
        {"hello world, this is text", 25, "not a picture"},
        {"", 0, "empty"},
        {"\x89PNG", 4, "not a picture"},
        {"RIFF", 4, "not a picture"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pct_image image;
        percept_error error = {0};
        assert_int_equal(pct_image_decode(&image, cases[i].bytes, cases[i].size, "photo.xyz", NULL, NULL, &error),
                         PERCEPT_ERROR_INPUT);
        assert_non_null(strstr(error.message, "photo.xyz"));
        if (!strstr(error.message, cases[i].word)) fail_msg("%s: expected %s", error.message, cases[i].word);
    }
}

static void pixel_limit_is_checked_first(void **state) {
    pct_image image;
    percept_error error = {0};
    pct_decode_options options = {.max_pixels = 19 * 13 - 1};
    assert_int_equal(read_corpus("image_png/rgb", &options, &image, NULL, &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, "19 x 13"));
    assert_non_null(strstr(error.message, "--max-pixels"));
    assert_int_equal(read_corpus("image_webp/lossless", &options, &image, NULL, &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, "--max-pixels"));
    assert_int_equal(read_corpus("image_jpeg/rgb", &options, &image, NULL, &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, "--max-pixels"));
    options.max_pixels++;
    assert_ok(read_corpus("image_png/rgb", &options, &image, NULL, NULL));
    pct_image_free(&image);
}

/* Every prefix of every whole file: an error or a picture, never a crash; nothing half-decoded. */
static void every_truncation_is_an_error(void **state) {
    static const char *const names[] = {"image_png/rgba", "image_jpeg/rgb", "image_jpeg/progressive",
                                        "image_webp/alpha"};
    for (size_t i = 0; i < 4; i++) {
        char path[512], *data;
        size_t size;
        pct_image image;
        snprintf(path, sizeof(path), "%s/%s", CORPUS, names[i]);
        assert_ok(pct_file_read(path, 1 << 20, &data, &size, NULL));
        size_t tail = i == 0 ? 16 : 0; /* pixels are whole before the checksum of PNG's last data chunk */
        for (size_t n = 0; n + tail < size; n++) {
            assert_int_equal(pct_image_decode(&image, data, n, "cut", NULL, NULL, NULL), PERCEPT_ERROR_INPUT);
            assert_null(image.data);
        }
        free(data);
    }
}

static void probe_tells_the_size_only(void **state) {
    char path[512], *data;
    size_t size;
    pct_decode_info info;
    snprintf(path, sizeof(path), "%s/image_jpeg/exif6", CORPUS);
    assert_ok(pct_file_read(path, 1 << 20, &data, &size, NULL));
    assert_ok(pct_image_probe(data, size, "probe", NULL, &info, NULL));
    assert_int_equal(info.width, 24);
    assert_int_equal(info.height, 40);
    assert_int_equal(info.orientation, 6);
    free(data);
}

static void written_files_read_back(void **state) {
    char folder[] = "/tmp/percept-image-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    pct_random random;
    pct_random_init(&random, 4, 0, 0);
    for (int channels = 3; channels <= 4; channels++) {
        pct_image image, back;
        pct_decode_options options = {.keep_alpha = channels == 4};
        assert_ok(pct_image_new(&image, 31, 17, channels, NULL));
        for (size_t i = 0; i < pct_image_bytes(&image); i++) image.data[i] = (unsigned char)pct_random_u32(&random);
        snprintf(path, sizeof(path), "%s/a.png", folder);
        assert_ok(pct_png_write(path, &image, NULL));
        assert_ok(pct_image_read(&back, path, &options, NULL, NULL));
        assert_memory_equal(image.data, back.data, pct_image_bytes(&image));
        pct_image_free(&back);
        if (channels == 4) {
            void *data;
            size_t size;
            assert_int_equal(pct_jpeg_encode(&image, 80, &data, &size, NULL), PERCEPT_ERROR_USAGE);
        }
        pct_image_free(&image);
    }
    pct_mask mask, mask_back;
    assert_ok(pct_mask_new(&mask, 23, 11, NULL));
    for (size_t i = 0; i < pct_mask_bytes(&mask); i++) mask.data[i] = pct_random_u32(&random) & 1;
    assert_ok(pct_mask_write_png(path, &mask, NULL));
    assert_ok(pct_mask_read(&mask_back, path, NULL, NULL));
    assert_memory_equal(mask.data, mask_back.data, pct_mask_bytes(&mask));
    pct_mask_free(&mask);
    pct_mask_free(&mask_back);
    unlink(path);
    pct_image smooth, back;
    assert_ok(pct_image_new(&smooth, 64, 48, 3, NULL));
    for (int i = 0; i < 64 * 48; i++) memset(smooth.data + 3 * i, i % 64 * 3, 3);
    snprintf(path, sizeof(path), "%s/a.jpg", folder);
    assert_ok(pct_jpeg_write(path, &smooth, 92, NULL));
    assert_ok(pct_image_read(&back, path, NULL, NULL, NULL));
    for (size_t i = 0; i < pct_image_bytes(&back); i++) assert_true(abs(back.data[i] - smooth.data[i]) <= 4);
    pct_image_free(&back);
    pct_image_free(&smooth);
    unlink(path);
    percept_error error = {0};
    assert_ok(pct_image_new(&smooth, 2, 2, 3, NULL));
    memset(smooth.data, 9, 12);
    assert_int_equal(pct_png_write("/nowhere/at/all.png", &smooth, &error), PERCEPT_ERROR_RESOURCE);
    assert_non_null(strstr(error.message, "/nowhere/at/all.png"));
    pct_image_free(&smooth);
    assert_int_equal(rmdir(folder), 0); /* nothing half-written is left */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_kinds),
        cmocka_unit_test(alpha_is_kept_or_laid_over_white),
        cmocka_unit_test(jpeg_kinds_and_all_orientations),
        cmocka_unit_test(jpeg_decodes_at_reduced_size),
        cmocka_unit_test(webp_kinds),
        cmocka_unit_test(odd_shapes_decode),
        cmocka_unit_test(broken_files_are_refused_by_name),
        cmocka_unit_test(other_formats_are_refused_by_name),
        cmocka_unit_test(pixel_limit_is_checked_first),
        cmocka_unit_test(every_truncation_is_an_error),
        cmocka_unit_test(probe_tells_the_size_only),
        cmocka_unit_test(written_files_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
