/* resize_taps.c: see resize_taps.h. Windows and weights as Pillow's Resample.c documents them: the filter is stretched
 * by the reduction, cut at the canvas, and its weights divided by their sum. */
#include "image/resize_taps.h"

#include "base/size.h"

#include <math.h>
#include <stdlib.h>

static double triangle(double x) {
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* Keys' cubic, a = -0.5. */
static double cubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

static percept_status take_memory(pct_taps *taps, bool fixed, int length, int64_t stride, percept_error *error) {
    size_t cells, bytes, ints = (size_t)length * (fixed ? 3 : 2) * sizeof(int32_t);
    if (stride > INT32_MAX || !pct_size_mul((size_t)length, (size_t)stride, &cells) ||
        !pct_size_mul(cells, 4, &bytes) || !pct_size_add(bytes, ints, &bytes) || !(taps->block = malloc(bytes)))
        return pct_fail_memory(error, "resizing weights");
    taps->length = length;
    taps->stride = (int)stride;
    taps->first = taps->block;
    taps->count = taps->first + length;
    if (fixed) {
        taps->bias = taps->count + length;
        taps->fixed = taps->bias + length;
    } else {
        taps->weight = (float *)(void *)(taps->count + length);
    }
    return PERCEPT_OK;
}

static int32_t to_fixed(double weight) {
    double scaled = weight * (1 << PCT_TAPS_BITS);
    return (int32_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

percept_status pct_taps_make(pct_taps *taps, enum pct_filter_kind kind, bool fixed, int in_length, int canvas, int left,
                             int white, int length, percept_error *error) {
    PCT_ASSERT(in_length >= 1 && length >= 1 && left >= 0 && left + in_length <= canvas);
    *taps = (pct_taps){0};
    double (*filter)(double) = kind == PCT_FILTER_CUBIC ? cubic : triangle;
    double scale = (double)canvas / length, stretch = scale < 1 ? 1 : scale;
    double support = (kind == PCT_FILTER_CUBIC ? 2 : 1) * stretch;
    int64_t widest = 2 * (int64_t)ceil(support) + 1;
    PCT_TRY(take_memory(taps, fixed, length, pct_min_i64(widest, in_length), error));
    for (int i = 0; i < length; i++) {
        double middle = (i + 0.5) * scale, sum = 0;
        int begin = (int)(middle - support + 0.5), end = (int)(middle + support + 0.5);
        if (begin < 0 || middle - support + 0.5 < 0) begin = 0;
        if (end > canvas) end = canvas;
        for (int x = begin; x < end; x++) sum += filter((x - middle + 0.5) / stretch);
        double norm = sum != 0 ? 1 / sum : 0;
        int first = begin > left ? begin : left, last = end < left + in_length ? end : left + in_length;
        if (last < first) last = first;
        taps->first[i] = first < left + in_length ? first - left : 0;
        taps->count[i] = last - first;
        int64_t bias = 0;
        for (int x = begin; x < end; x++) {
            double weight = filter((x - middle + 0.5) / stretch) * norm;
            bool inside = x >= first && x < last;
            size_t at = (size_t)i * (size_t)taps->stride + (size_t)(x - first);
            if (!fixed) {
                if (inside) taps->weight[at] = (float)weight;
            } else if (inside) {
                taps->fixed[at] = to_fixed(weight);
            } else {
                bias += (int64_t)to_fixed(weight) * white;
            }
        }
        if (fixed) taps->bias[i] = (int32_t)bias;
    }
    return PERCEPT_OK;
}

void pct_taps_free(pct_taps *taps) {
    free(taps->block);
    *taps = (pct_taps){0};
}
