/* Language models alone: their files, what is refused; sequences that are read in any pieces, cut back and forked give
 * what one reading gives; narrow caches stay close; attention over them; the order in which a draw's limits work. */
#include "base/cpu.h"
#include "base/guard.h"
#include "kernels/attend_stored.h"
#include "model/model_private.h"
#include "model/text.h"
#include "tiny_language.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT 40

static char path[64];
static pct_pool *pool;
static pct_compute *compute;

static int set_up(void **state) {
    percept_error error = {0};
    snprintf(path, sizeof path, "/tmp/percept-language-%d.gguf", (int)getpid());
    assert_int_equal(pct_pool_create(&pool, 2, &error), PERCEPT_OK);
    assert_int_equal(pct_compute_create(&compute, pool, pct_cpu_flags(), &error), PERCEPT_OK);
    return 0;
}

static int tear_down(void **state) {
    unlink(path);
    pct_compute_destroy(&compute);
    pct_pool_destroy(&pool);
    return 0;
}

static pct_model *open_tiny(const tiny_language *t) {
    percept_error error = {0};
    pct_model *model = NULL;
    if (tiny_language_write(path, t, &error) || pct_model_open(&model, path, false, &error))
        fail_msg("%s", error.message);
    return model;
}

static pct_sequence *new_sequence(pct_model *model, pct_dtype cache) {
    percept_error error = {0};
    pct_sequence *sequence = NULL;
    assert_int_equal(pct_sequence_create(&sequence, model, compute, cache, PCT_REAL, &error), PERCEPT_OK);
    return sequence;
}

/* ids that any of the vocabularies has */
static void fill_ids(int32_t *ids, int32_t count) {
    for (int32_t i = 0; i < count; i++) ids[i] = 4 + i * i % 57;
}

typedef struct rows {
    int32_t vocabulary, count;
    pct_real *logits; /* [TEXT][vocabulary] */
} rows;

static bool keep(void *context, int32_t row, const pct_real *logits) {
    rows *r = context;
    memcpy(r->logits + (int64_t)r->count++ * r->vocabulary, logits, (size_t)r->vocabulary * sizeof *logits);
    return true;
}

/* Reads ids in pieces of `piece` and keeps the logits of every row. */
static rows read_all(pct_model *model, pct_sequence *sequence, const int32_t *ids, int32_t count, int32_t piece) {
    percept_error error = {0};
    rows r = {.vocabulary = pct_model_get_config(model)->language.vocabulary};
    r.logits = malloc((size_t)count * (size_t)r.vocabulary * sizeof *r.logits);
    for (int32_t at = 0; at < count; at += piece) {
        const int32_t some = count - at < piece ? count - at : piece;
        assert_int_equal(pct_sequence_read(sequence, ids + at, some, 0, keep, NULL, &r, &error), PERCEPT_OK);
    }
    assert_int_equal(r.count, count);
    return r;
}

/* Largest difference over the root mean square. */
static double difference(const rows *a, const rows *b) {
    double most = 0, square = 0;
    const int64_t count = (int64_t)a->count * a->vocabulary;
    for (int64_t i = 0; i < count; i++) {
        most = fmax(most, fabs((double)a->logits[i] - (double)b->logits[i]));
        square += (double)a->logits[i] * (double)a->logits[i];
    }
    assert_true(square > 0);
    return most / sqrt(square / (double)count);
}

static const struct {
    const char *name;
    tiny_language t;
} kinds[] = {
    {"llama", {.spm = true}},
    {"llama with its own output, biases, factors", {.output = true, .bias = true, .factors = true, .type = PCT_F16}},
    {"llama with wide heads", {.head_width = 32, .type = PCT_Q8_0}},
    {"qwen2", {.qwen2 = true}},
    {"qwen2 with its own output", {.qwen2 = true, .output = true, .type = PCT_Q8_0, .head_width = 32}},
};

static tiny_language kind(size_t i) {
    tiny_language t = tiny_language_default(), k = kinds[i].t;
    t.qwen2 = k.qwen2;
    t.spm = k.spm;
    t.bias = k.bias;
    t.output = k.output;
    t.factors = k.factors;
    t.type = k.type;
    t.head_width = k.head_width;
    return t;
}

static void pieces_agree(void **state) {
    int32_t ids[TEXT];
    fill_ids(ids, TEXT);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const tiny_language t = kind(i);
        pct_model *model = open_tiny(&t);
        pct_sequence *whole = new_sequence(model, PCT_REAL), *split = new_sequence(model, PCT_REAL);
        rows a = read_all(model, whole, ids, TEXT, TEXT), b = read_all(model, split, ids, TEXT, 7);
        /* quantised rows meet a rounded input when they are few, so only plain weights agree to rounding */
        if (!(difference(&a, &b) < (t.type == PCT_Q8_0 ? 1e-6 : 1e-4)))
            fail_msg("%s: %g", kinds[i].name, difference(&a, &b));
        pct_sequence *one = new_sequence(model, PCT_REAL);
        rows c = read_all(model, one, ids, TEXT, 1);
        if (!(difference(&a, &c) < (t.type == PCT_Q8_0 ? 0.4 : 1e-4)))
            fail_msg("%s: %g", kinds[i].name, difference(&a, &c));
        free(a.logits);
        free(b.logits);
        free(c.logits);
        pct_sequence_destroy(&one);
        pct_sequence_destroy(&whole);
        pct_sequence_destroy(&split);
        pct_model_close(&model);
    }
}

/* In the exact way rounding to 8 bits has no part: one by one and together, quantised rows give the same. */
static void exact_pieces_agree(void **state) {
    int32_t ids[TEXT];
    percept_error error = {0};
    pct_compute *rounding = compute;
    fill_ids(ids, TEXT);
    assert_int_equal(pct_compute_create(&compute, pool, pct_cpu_flags(), &error), PERCEPT_OK);
    pct_compute_use_int8(compute);
    pct_compute_use_exact(compute);
    static const pct_dtype types[] = {PCT_Q8_0, PCT_Q4_1};
    for (size_t i = 0; i < 2; i++) {
        tiny_language t = tiny_language_default();
        t.type = types[i];
        pct_model *model = open_tiny(&t);
        pct_sequence *whole = new_sequence(model, PCT_REAL), *one = new_sequence(model, PCT_REAL);
        rows a = read_all(model, whole, ids, TEXT, TEXT), b = read_all(model, one, ids, TEXT, 1);
        if (!(difference(&a, &b) < 1e-4)) fail_msg("type %zu: %g", i, difference(&a, &b));
        free(a.logits);
        free(b.logits);
        pct_sequence_destroy(&one);
        pct_sequence_destroy(&whole);
        pct_model_close(&model);
    }
    pct_compute_destroy(&compute);
    compute = rounding;
}

/* What loses most by INT8 is packed in what is asked for, all else in INT8. */
static void some_stay_out_of_int8(void **state) {
    percept_error error = {0};
    pct_compute *rounding;
    assert_int_equal(pct_compute_create(&rounding, pool, pct_cpu_flags(), &error), PERCEPT_OK);
    rounding->int8 = true;
    tiny_language t = tiny_language_default();
    t.type = PCT_Q8_0;
    pct_model *model = open_tiny(&t);
    pct_parameter *down = model->language.layer[1].down.weight, *up = model->language.layer[1].up.weight;
    const pct_packed *fine = pct_parameter_packed(down, rounding, PCT_BF16);
    const pct_packed *rounded = pct_parameter_packed(up, rounding, PCT_BF16);
    const pct_packed *words = pct_parameter_packed(model->language.embedding, rounding, PCT_REAL);
    const int64_t *d = down->tensor.dim, *u = up->tensor.dim, *w = model->language.embedding->tensor.dim;
    assert_true(pct_packed_bytes(fine) == pct_packed_size(rounding, PCT_BF16, d[0], d[1]));
    assert_true(pct_packed_bytes(rounded) == pct_packed_size(rounding, PCT_I8, u[0], u[1]));
    assert_true(pct_packed_bytes(words) == pct_packed_size(rounding, PCT_REAL, w[0], w[1]));
    pct_model_close(&model);
    pct_compute_destroy(&rounding);
}

static void narrow_caches(void **state) {
    int32_t ids[TEXT];
    fill_ids(ids, TEXT);
    tiny_language t = tiny_language_default();
    t.head_width = 32; /* whole blocks of Q8_0 */
    pct_model *model = open_tiny(&t);
    static const struct {
        pct_dtype type;
        double most;
    } caches[] = {{PCT_F16, 0.01}, {PCT_Q8_0, 0.1}};
    pct_sequence *exact = new_sequence(model, PCT_REAL);
    rows a = read_all(model, exact, ids, TEXT, TEXT);
    for (size_t i = 0; i < 2; i++)
        for (int32_t piece = 1; piece <= TEXT; piece = piece == 1 ? 4 : piece == 4 ? TEXT : TEXT + 1) {
            pct_sequence *s = new_sequence(model, caches[i].type);
            rows b = read_all(model, s, ids, TEXT, piece);
            const double d = difference(&a, &b);
            if (!(d > 0 && d < caches[i].most)) fail_msg("cache %zu in pieces of %d: %g", i, piece, d);
            free(b.logits);
            pct_sequence_destroy(&s);
        }
    free(a.logits);
    pct_sequence_destroy(&exact);
    pct_model_close(&model);
}

static void go_on(pct_sequence *s, const int32_t *ids, int32_t count, pct_generated *out) {
    percept_error error = {0};
    const pct_generate_options options = {.max_tokens = 12};
    assert_int_equal(pct_sequence_generate(s, ids, count, &options, out, &error), PERCEPT_OK);
}

/* Cut back, forked, or begun anew: the same words follow, and only what is new is read. */
static void prefixes(void **state) {
    int32_t ids[TEXT], other[TEXT], first[12];
    fill_ids(ids, TEXT);
    fill_ids(other, TEXT);
    other[25] = 60;
    tiny_language t = tiny_language_default();
    t.context = 600;
    pct_model *model = open_tiny(&t);
    pct_sequence *s = new_sequence(model, PCT_F16), *fork = NULL;
    pct_generated g;
    percept_error error = {0};
    go_on(s, ids, TEXT, &g);
    assert_int_equal(g.read, TEXT);
    const int32_t count = g.count;
    memcpy(first, g.ids, (size_t)count * sizeof *first);
    go_on(s, ids, TEXT, &g); /* asked again: the last token alone is read */
    assert_int_equal(g.read, 1);
    assert_int_equal(g.count, count);
    assert_memory_equal(g.ids, first, (size_t)count * sizeof *first);
    go_on(s, other, TEXT, &g); /* differs from row 25 on */
    assert_int_equal(g.read, TEXT - 25);
    assert_int_equal(pct_sequence_fork(&fork, s, &error), PERCEPT_OK);
    assert_int_equal(pct_sequence_length(fork), pct_sequence_length(s));
    go_on(fork, ids, TEXT, &g);
    assert_int_equal(g.read, TEXT - 25);
    assert_int_equal(g.count, count);
    assert_memory_equal(g.ids, first, (size_t)count * sizeof *first);
    pct_sequence_rewind(fork, 3);
    assert_int_equal(pct_sequence_length(fork), 3);
    pct_sequence_rewind(fork, 50);
    assert_int_equal(pct_sequence_length(fork), 3);
    pct_sequence_destroy(&fork);
    /* longer than one pass */
    int32_t *long_ids = malloc(580 * sizeof *long_ids);
    fill_ids(long_ids, 580);
    rows a = {.vocabulary = 300};
    pct_sequence *fresh = new_sequence(model, PCT_REAL), *small = new_sequence(model, PCT_REAL);
    a.logits = malloc((size_t)2 * 400 * sizeof *a.logits);
    a.vocabulary = pct_model_get_config(model)->language.vocabulary;
    assert_true(a.vocabulary <= 400);
    assert_int_equal(pct_sequence_read(fresh, long_ids, 580, 579, keep, NULL, &a, &error), PERCEPT_OK);
    for (int32_t at = 0; at < 580; at += 100)
        assert_int_equal(
            pct_sequence_read(small, long_ids + at, at == 500 ? 80 : 100, at == 500 ? 79 : 100, keep, NULL, &a, &error),
            PERCEPT_OK);
    assert_int_equal(a.count, 2);
    rows x = {a.vocabulary, 1, a.logits}, y = {a.vocabulary, 1, a.logits + a.vocabulary};
    assert_true(difference(&x, &y) < 1e-4);
    /* the context's end */
    assert_int_equal(pct_sequence_read(fresh, long_ids, 21, 21, keep, NULL, &a, &error), PERCEPT_ERROR_USAGE);
    assert_non_null(strstr(error.message, "context is 600"));
    free(a.logits);
    free(long_ids);
    pct_sequence_destroy(&fresh);
    pct_sequence_destroy(&small);
    pct_sequence_destroy(&s);
    pct_model_close(&model);
}

static bool guarded(void *context, int32_t id) {
    int *tokens = context;
    if (++*tokens == 4) pct_guard_enter("decode");
    if (*tokens == 30) pct_guard_leave();
    return false;
}

static void decode_does_not_allocate(void **state) {
    int32_t ids[TEXT];
    fill_ids(ids, TEXT);
    tiny_language t = tiny_language_default();
    pct_model *model = open_tiny(&t);
    static const pct_dtype types[] = {PCT_REAL, PCT_F16};
    for (size_t i = 0; i < 2; i++) {
        pct_sequence *s = new_sequence(model, types[i]);
        pct_generated g;
        percept_error error = {0};
        int tokens = 0;
        /* a draw at a high temperature hardly ever ends */
        pct_generate_options options = {.max_tokens = 30, .temperature = 5, .top_k = 100, .top_p = 0.9f, .seed = 4};
        options.token = guarded;
        options.context = &tokens;
        assert_int_equal(pct_sequence_generate(s, ids, TEXT, &options, &g, &error), PERCEPT_OK);
        if (tokens < 30 && tokens >= 4) pct_guard_leave();
        assert_true(tokens > 10);
        pct_sequence_destroy(&s);
    }
    pct_model_close(&model);
}

/* ---- attention over stored rows ----------------------------------------------------------------------------------
 */

static void stored_attention(void **state) {
    static const struct {
        pct_dtype type;
        int heads, kv_heads, dim, keys;
        pct_span spans[2];
        int span_count;
    } cases[] = {
        {PCT_F16, 9, 3, 64, 700, {{0, 1, 0, 0, 0, 700, 1}}, 1},
        {PCT_F16, 4, 2, 20, 300, {{0, 4, 0, 0, 0, 300, 1}}, 1},
        {PCT_Q8_0, 4, 4, 32, 130, {{0, 2, 0, 50, 60, 70, 1}, {2, 3, 10, 40, 100, 20, 0}}, 2},
        {PCT_Q8_0, 2, 1, 128, 9000, {{0, 1, 0, 4000, 4000, 5000, 1}}, 1},
        {PCT_F16, 2, 2, 8, 3, {{0, 3, 0, 0, 0, 3, 1}}, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int64_t dim = cases[i].dim, keys = cases[i].keys, capacity = keys + 5, kv = cases[i].kv_heads;
        const int64_t width = dim * cases[i].heads, kv_width = dim * kv;
        const size_t row = (size_t)(dim / pct_dtype_block(cases[i].type)) * pct_dtype_block_bytes(cases[i].type);
        pct_random random;
        pct_random_init(&random, i, 0, 0);
        pct_real *q = malloc((size_t)(5 * width) * sizeof *q), *plain[2], *out[2];
        char *stored[2];
        for (int64_t k = 0; k < 5 * width; k++) q[k] = pct_random_normal(&random);
        for (int w = 0; w < 2; w++) {
            plain[w] = malloc((size_t)(keys * kv_width) * sizeof *q);
            stored[w] = malloc((size_t)(kv * capacity) * row);
            out[w] = calloc((size_t)(5 * width), sizeof *q);
            for (int64_t k = 0; k < keys; k++)
                for (int64_t h = 0; h < kv; h++) {
                    pct_real *at = plain[w] + k * kv_width + h * dim;
                    char *to = stored[w] + (size_t)(h * capacity + k) * row;
                    for (int64_t d = 0; d < dim; d++) at[d] = pct_random_normal(&random);
                    compute->kernels.quantise[cases[i].type](to, at, dim);
                    compute->kernels.dequantise[cases[i].type](at, to, dim);
                }
        }
        pct_attention a = {.heads = cases[i].heads, .kv_heads = (int)kv, .head_dim = (int)dim, .scale = 0.25f};
        a.spans = cases[i].spans;
        a.span_count = cases[i].span_count;
        a.q = q;
        a.k = plain[0];
        a.v = plain[1];
        a.ldq = a.ldo = width;
        a.ldk = a.ldv = kv_width;
        a.out = out[0];
        pct_attention_run(compute, &a);
        a.out = out[1];
        a.k = a.v = NULL;
        const pct_stored_rows narrow = {cases[i].type, stored[0], stored[1], capacity};
        pct_attention_stored_run(compute, &a, &narrow);
        for (int64_t k = 0; k < 5 * width; k++)
            if (!(fabsf(out[0][k] - out[1][k]) < 2e-5f))
                fail_msg("case %zu at %lld: %g, not %g", i, (long long)k, (double)out[1][k], (double)out[0][k]);
        for (int w = 0; w < 2; w++) {
            free(plain[w]);
            free(stored[w]);
            free(out[w]);
        }
        free(q);
    }
}

/* ---- drawing ------------------------------------------------------------------------------------------------------
 */

/* Which ids come in many draws, as bits. */
static unsigned drawn(pct_sampler s, const pct_real *logits) {
    pct_real probability[6];
    int32_t order[6];
    double unused;
    unsigned seen = 0;
    s.probability = probability;
    s.order = order;
    pct_random_init(&s.random, 3, 0, 0);
    for (int i = 0; i < 3000; i++) seen |= 1u << pct_sample(&s, logits, 6, &unused);
    return seen;
}

static void draw_limits(void **state) {
    /* probabilities 0.4, 0.3, 0.15, 0.1, 0.04, 0.01 at ids 2, 0, 4, 1, 5, 3 */
    const pct_real p[6] = {0.3f, 0.1f, 0.4f, 0.01f, 0.15f, 0.04f};
    pct_real logits[6];
    for (int i = 0; i < 6; i++) logits[i] = logf(p[i]) + 7;
    const pct_sampler all = {.temperature = 1, .top_p = 1};
    pct_sampler s = all;
    assert_int_equal(drawn(s, logits), 0x3f);
    s.top_k = 2;
    assert_int_equal(drawn(s, logits), 1u << 2 | 1u << 0);
    s.top_k = 3;
    s.top_p = 0.75f; /* of the three's 0.85: 0.4 and 0.3 are 0.82 of it */
    assert_int_equal(drawn(s, logits), 1u << 2 | 1u << 0);
    s = all;
    s.top_p = 0.75f; /* of all: 0.4 + 0.3 + 0.15 */
    assert_int_equal(drawn(s, logits), 1u << 2 | 1u << 0 | 1u << 4);
    s = all;
    s.min_p = 0.3f; /* of 0.4 */
    assert_int_equal(drawn(s, logits), 1u << 2 | 1u << 0 | 1u << 4);
    /* limits look at the probability before the temperature */
    s.temperature = 9;
    assert_int_equal(drawn(s, logits), 1u << 2 | 1u << 0 | 1u << 4);
    s = all;
    s.temperature = 0;
    assert_int_equal(drawn(s, logits), 1u << 2);
    /* a penalty of recent words, whatever the sign of the logit */
    const int32_t recent[] = {2, 2, 2};
    s.recent = recent;
    s.recent_count = 3;
    s.repeat_penalty = 1.1f;
    assert_int_equal(drawn(s, logits), 1u << 0);
    for (int i = 0; i < 6; i++) logits[i] -= 7;
    s.repeat_penalty = 1.5f;
    assert_int_equal(drawn(s, logits), 1u << 0);
    /* numbers that are none give some id and no crash */
    for (int i = 0; i < 6; i++) logits[i] = NAN;
    s.temperature = 1;
    s.top_p = 0.5f;
    assert_true(drawn(s, logits) < 0x40);
}

/* ---- files --------------------------------------------------------------------------------------------------------
 */

static void refused(void **state) {
    static const struct {
        tiny_language change;
        const char *says;
    } cases[] = {
        {{.skip = "llama.block_count"}, "llama.block_count"},
        {{.key = "llama.block_count", .value = 3}, "blk.2.attn_norm.weight"},
        {{.key = "llama.block_count", .value = 513}, "llama.block_count"},
        {{.key = "llama.block_count", .value = -1}, "llama.block_count"},
        {{.key = "llama.embedding_length", .value = 1ll << 40}, "llama.embedding_length"},
        {{.key = "llama.embedding_length", .value = 128}, "token_embd.weight"},
        {{.key = "llama.attention.head_count", .value = 0}, "llama.attention.head_count"},
        {{.key = "llama.attention.head_count", .value = 5}, "language.kv_heads"},
        {{.key = "llama.attention.head_count_kv", .value = 3}, "language.kv_heads"},
        {{.key = "llama.attention.head_count_kv", .value = 1000}, "llama.attention.head_count_kv"},
        {{.key = "llama.feed_forward_length", .value = 0}, "llama.feed_forward_length"},
        {{.key = "llama.context_length", .value = 1ll << 33}, "llama.context_length"},
        {{.skip = "llama.attention.layer_norm_rms_epsilon"}, "layer_norm_rms_epsilon"},
        {{.skip = "blk.1.ffn_up.weight"}, "blk.1.ffn_up.weight (64 x 96) is missing"},
        {{.skip = "output_norm.weight"}, "output_norm.weight"},
        {{.more = "blk.0.ffn_gate_inp.weight"}, "has no place"},
        {{.key = "llama.expert_count", .value = 8}, "mixture of experts"},
        {{.string = "llama.rope.scaling.type", .text = "yarn"}, "yarn"},
        {{.key = "llama.attention.key_length", .value = 2000, .head_width = 32}, "llama.attention.key_length"},
        {{.key = "llama.attention.key_length", .value = 64, .head_width = 32}, "two widths"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tiny_language t = tiny_language_default();
        t.skip = cases[i].change.skip;
        t.key = cases[i].change.key;
        t.value = cases[i].change.value;
        t.more = cases[i].change.more;
        t.string = cases[i].change.string;
        t.text = cases[i].change.text;
        t.head_width = cases[i].change.head_width;
        pct_model *model = NULL;
        percept_error error = {0};
        assert_int_equal(tiny_language_write(path, &t, &error), PERCEPT_OK);
        const percept_status status = pct_model_open(&model, path, false, &error);
        if (status != PERCEPT_ERROR_MODEL || !strstr(error.message, cases[i].says) || !strstr(error.message, path))
            fail_msg("case %zu: status %d, \"%s\" does not say \"%s\"", i, status, error.message, cases[i].says);
        assert_null(model);
    }
}

static void kinds_of_use(void **state) {
    tiny_language t = tiny_language_default();
    pct_model *model = open_tiny(&t);
    percept_error error = {0};
    assert_int_equal(pct_model_check_sees(model, &error), PERCEPT_ERROR_MODEL);
    assert_non_null(strstr(error.message, "complete, chat and score text"));
    assert_int_equal(pct_model_get_config(model)->kind, PCT_MODEL_LANGUAGE);
    /* matrices lie in the file's map as they are, and the table of words is not widened by reading a few */
    const pct_parameter *table = pct_parameters_find(pct_model_get_parameters(model), "token_embd.weight");
    const pct_tokenizer *tokenizer = pct_model_get_tokenizer(model);
    assert_null(table->plain);
    assert_true(pct_text_ends(tokenizer, pct_tokenizer_special(tokenizer, "<|im_end|>")));
    assert_true(pct_text_ends(tokenizer, pct_tokenizer_special(tokenizer, "<|endoftext|>")));
    assert_false(pct_text_ends(tokenizer, 100));
    assert_false(pct_text_ends(tokenizer, -1));
    pct_model_close(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_agree),
        cmocka_unit_test(exact_pieces_agree),
        cmocka_unit_test(some_stay_out_of_int8),
        cmocka_unit_test(narrow_caches),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(stored_attention),
        cmocka_unit_test(draw_limits),
        cmocka_unit_test(refused),
        cmocka_unit_test(kinds_of_use),
        cmocka_unit_test(decode_does_not_allocate),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
