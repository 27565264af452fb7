/* rle.c: see rle.h. */
#include "image/rle.h"

#include "base/size.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

void pct_rle_free(pct_rle *rle) {
    if (!rle) return;
    free(rle->counts);
    *rle = (pct_rle){0};
}

/* Appends a run; the array doubles. */
static bool push(pct_rle *rle, size_t *capacity, uint32_t run) {
    if (rle->count == *capacity) {
        size_t larger = *capacity ? *capacity * 2 : 64;
        uint32_t *counts = realloc(rle->counts, larger * sizeof(*counts));
        if (!counts) return false;
        rle->counts = counts;
        *capacity = larger;
    }
    rle->counts[rle->count++] = run;
    return true;
}

static percept_status give_up(pct_rle *rle, percept_error *error) {
    pct_rle_free(rle);
    return pct_fail_memory(error, "run lengths of a mask");
}

static percept_status check_size(int width, int height, percept_error *error) {
    if (width < 1 || height < 1 || width > PCT_IMAGE_MAX_SIDE || height > PCT_IMAGE_MAX_SIDE ||
        (int64_t)width * height > PCT_RLE_MAX_PIXELS)
        return pct_fail(error, PERCEPT_ERROR_INPUT, "mask: size of %d x %d pixels makes no sense", width, height);
    return PERCEPT_OK;
}

/* Columns first means strided reads of a row-major mask, so a block of columns is turned before it is scanned. */
enum { BLOCK = 64 };

percept_status pct_rle_encode(pct_rle *out, const pct_mask *mask, percept_error *error) {
    *out = (pct_rle){0};
    PCT_TRY(check_size(mask->width, mask->height, error));
    size_t height = (size_t)mask->height, capacity = 0;
    unsigned char *columns = malloc(BLOCK * height);
    if (!columns) return pct_fail_memory(error, "run lengths of a mask");
    out->width = mask->width;
    out->height = mask->height;
    unsigned char value = 0;
    uint32_t run = 0;
    bool ok = true;
    for (int x = 0; x < mask->width && ok; x += BLOCK) {
        int n = mask->width - x < BLOCK ? mask->width - x : BLOCK;
        for (int y = 0; y < mask->height; y++) {
            const unsigned char *row = pct_mask_row(mask, y) + x;
            for (int k = 0; k < n; k++) columns[(size_t)k * height + (size_t)y] = row[k];
        }
        size_t left = (size_t)n * height;
        for (const unsigned char *p = columns; left && ok;) {
            const unsigned char *change = memchr(p, value ^ 1, left);
            size_t same = change ? (size_t)(change - p) : left;
            run += (uint32_t)same;
            p += same;
            left -= same;
            if (!change) break;
            ok = push(out, &capacity, run);
            run = 0;
            value ^= 1;
        }
    }
    ok = ok && push(out, &capacity, run);
    free(columns);
    return ok ? PERCEPT_OK : give_up(out, error);
}

percept_status pct_rle_decode(pct_mask *out, const pct_rle *rle, percept_error *error) {
    PCT_TRY(pct_mask_new(out, rle->width, rle->height, error));
    size_t height = (size_t)rle->height, width = (size_t)rle->width, x = 0, y = 0;
    unsigned char value = 0;
    for (size_t i = 0; i < rle->count; i++, value ^= 1) {
        size_t run = rle->counts[i];
        if (!value) { /* the mask is 0 already */
            y += run;
            x += y / height;
            y %= height;
            continue;
        }
        while (run) {
            size_t part = height - y < run ? height - y : run;
            PCT_ASSERT(x < width);
            for (size_t k = 0; k < part; k++) out->data[(y + k) * width + x] = 1;
            run -= part;
            y += part;
            if (y == height) {
                y = 0;
                x++;
            }
        }
    }
    return PERCEPT_OK;
}

percept_status pct_rle_to_string(const pct_rle *rle, char **string, percept_error *error) {
    pct_text text = {0};
    char group[8];
    *string = NULL;
    for (size_t i = 0; i < rle->count; i++) {
        int64_t value = rle->counts[i];
        if (i > 2) value -= rle->counts[i - 2];
        size_t n = 0;
        bool more = true;
        while (more) {
            int bits = (int)(value & 31);
            value >>= 5; /* arithmetic: the sign stays */
            more = bits & 16 ? value != -1 : value != 0;
            group[n++] = (char)((bits | (more ? 32 : 0)) + 48);
        }
        pct_text_add(&text, group, n);
    }
    *string = pct_text_take(&text);
    return *string ? PERCEPT_OK : pct_fail_memory(error, "run lengths of a mask");
}

/* The next number of the string; false when it is malformed. */
static bool read_number(const char *string, size_t length, size_t *at, int64_t *out) {
    uint64_t value = 0;
    for (int shift = 0; shift <= 35; shift += 5) { /* a 32-bit run and its sign need at most 7 groups */
        if (*at >= length) return false;
        int bits = (unsigned char)string[(*at)++] - 48;
        if (bits < 0 || bits > 63) return false;
        value |= (uint64_t)(bits & 31) << shift;
        if (bits & 32) continue;
        if (bits & 16) value |= ~(uint64_t)0 << (shift + 5);
        *out = (int64_t)value;
        return true;
    }
    return false;
}

/* Appends a checked run; on a malformed one fails with the words. */
static percept_status take_run(pct_rle *rle, size_t *capacity, int64_t run, int64_t *left, percept_error *error) {
    if (run < 0 || run > *left) {
        size_t which = rle->count;
        int width = rle->width, height = rle->height;
        pct_rle_free(rle);
        return pct_fail(error, PERCEPT_ERROR_INPUT,
                        "mask: run %zu of the RLE is %lld, outside the %d x %d pixels of the picture", which,
                        (long long)run, width, height);
    }
    *left -= run;
    return push(rle, capacity, (uint32_t)run) ? PERCEPT_OK : give_up(rle, error);
}

static percept_status check_end(pct_rle *rle, int64_t left, percept_error *error) {
    if (left == 0) return PERCEPT_OK;
    int width = rle->width, height = rle->height;
    pct_rle_free(rle);
    return pct_fail(error, PERCEPT_ERROR_INPUT, "mask: the RLE's runs are %lld pixels short of %d x %d",
                    (long long)left, width, height);
}

percept_status pct_rle_from_string(pct_rle *out, const char *string, size_t length, int width, int height,
                                   percept_error *error) {
    *out = (pct_rle){0};
    PCT_TRY(check_size(width, height, error));
    *out = (pct_rle){.width = width, .height = height};
    int64_t left = (int64_t)width * height;
    size_t capacity = 0;
    for (size_t at = 0; at < length;) {
        int64_t run;
        if (!read_number(string, length, &at, &run)) {
            pct_rle_free(out);
            return pct_fail(error, PERCEPT_ERROR_INPUT, "mask: the RLE string is malformed near character %zu", at);
        }
        if (out->count > 2) run += out->counts[out->count - 2];
        PCT_TRY(take_run(out, &capacity, run, &left, error));
    }
    return check_end(out, left, error);
}

percept_status pct_rle_from_counts(pct_rle *out, const int64_t *counts, size_t count, int width, int height,
                                   percept_error *error) {
    *out = (pct_rle){0};
    PCT_TRY(check_size(width, height, error));
    *out = (pct_rle){.width = width, .height = height};
    int64_t left = (int64_t)width * height;
    size_t capacity = 0;
    for (size_t i = 0; i < count; i++) PCT_TRY(take_run(out, &capacity, counts[i], &left, error));
    return check_end(out, left, error);
}

percept_status pct_mask_to_rle_string(const pct_mask *mask, char **string, percept_error *error) {
    pct_rle rle;
    *string = NULL;
    PCT_TRY(pct_rle_encode(&rle, mask, error));
    percept_status status = pct_rle_to_string(&rle, string, error);
    pct_rle_free(&rle);
    return status;
}

percept_status pct_mask_from_rle_string(pct_mask *out, const char *string, size_t length, int width, int height,
                                        percept_error *error) {
    pct_rle rle;
    *out = (pct_mask){0};
    PCT_TRY(pct_rle_from_string(&rle, string, length, width, height, error));
    percept_status status = pct_rle_decode(out, &rle, error);
    pct_rle_free(&rle);
    return status;
}

int64_t pct_rle_area(const pct_rle *rle) {
    int64_t area = 0;
    for (size_t i = 1; i < rle->count; i += 2) area += rle->counts[i];
    return area;
}

pct_box pct_rle_box(const pct_rle *rle) {
    int64_t at = 0, height = rle->height;
    int64_t x0 = rle->width, x1 = 0, y0 = height, y1 = 0;
    for (size_t i = 0; i < rle->count; at += rle->counts[i++]) {
        if (i % 2 == 0 || rle->counts[i] == 0) continue;
        int64_t last = at + rle->counts[i] - 1;
        x0 = pct_min_i64(x0, at / height);
        x1 = pct_max_i64(x1, last / height + 1);
        bool whole_columns = at / height != last / height; /* a run that turns a corner touches both edges */
        y0 = whole_columns ? 0 : pct_min_i64(y0, at % height);
        y1 = whole_columns ? height : pct_max_i64(y1, last % height + 1);
    }
    if (x1 == 0) return (pct_box){0};
    return (pct_box){(float)x0, (float)y0, (float)x1, (float)y1};
}

/* Walks two run lists side by side: each step gives a stretch over which both values stand still. */
struct walk {
    const pct_rle *a, *b;
    size_t ia, ib;           /* current runs */
    uint32_t left_a, left_b; /* what is left of them */
    unsigned char va, vb;    /* values on the stretch */
};

static struct walk walk_start(const pct_rle *a, const pct_rle *b) {
    PCT_ASSERT(a->width == b->width && a->height == b->height);
    return (struct walk){.a = a, .b = b, .left_a = a->count ? a->counts[0] : 0, .left_b = b->count ? b->counts[0] : 0};
}

/* False at the end. */
static bool walk_step(struct walk *walk, uint32_t *length, unsigned char *va, unsigned char *vb) {
    while (!walk->left_a && walk->ia + 1 < walk->a->count) {
        walk->left_a = walk->a->counts[++walk->ia];
        walk->va ^= 1;
    }
    while (!walk->left_b && walk->ib + 1 < walk->b->count) {
        walk->left_b = walk->b->counts[++walk->ib];
        walk->vb ^= 1;
    }
    uint32_t step = walk->left_a < walk->left_b ? walk->left_a : walk->left_b;
    if (!step) return false;
    walk->left_a -= step;
    walk->left_b -= step;
    *length = step;
    *va = walk->va;
    *vb = walk->vb;
    return true;
}

double pct_rle_iou(const pct_rle *a, const pct_rle *b, bool crowd) {
    struct walk walk = walk_start(a, b);
    int64_t both = 0, either = 0;
    uint32_t length;
    unsigned char va, vb;
    while (walk_step(&walk, &length, &va, &vb)) {
        if (va && vb) both += length;
        if (va || vb) either += length;
    }
    if (crowd) either = pct_rle_area(a);
    return either ? (double)both / (double)either : 0;
}

percept_status pct_rle_merge(pct_rle *out, const pct_rle *a, const pct_rle *b, bool intersect, percept_error *error) {
    struct walk walk = walk_start(a, b);
    *out = (pct_rle){.width = a->width, .height = a->height};
    size_t capacity = 0;
    uint32_t length, run = 0;
    unsigned char va, vb, value = 0;
    while (walk_step(&walk, &length, &va, &vb)) {
        unsigned char now = intersect ? va & vb : va | vb;
        if (now != value) {
            if (!push(out, &capacity, run)) return give_up(out, error);
            run = 0;
            value = now;
        }
        run += length;
    }
    return push(out, &capacity, run) ? PERCEPT_OK : give_up(out, error);
}
