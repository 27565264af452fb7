#include "tiny_language.h"

#include "base/random.h"
#include "formats/gguf.h"
#include "tokenizer/bpe_train.h"
#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

tiny_language tiny_language_default(void) {
    return (tiny_language){
        .type = PCT_REAL, .width = 64, .layers = 2, .heads = 4, .kv_heads = 2, .mlp = 96, .context = 128, .seed = 1};
}

typedef struct plan {
    char name[64];
    int rank;
    int64_t ne[2]; /* contiguous first */
    pct_real scale;
} plan;

typedef struct maker {
    const tiny_language *t;
    pct_gguf_writer *writer;
    const char *prefix;
    int32_t vocabulary, eos;
    plan plans[160];
    int count;
} maker;

static void key(const maker *m, const char *name, int64_t value) {
    char full[96];
    snprintf(full, sizeof full, "%s.%s", m->prefix, name);
    if (m->t->skip && !strcmp(m->t->skip, full)) return;
    if (m->t->key && !strcmp(m->t->key, full)) value = m->t->value;
    pct_gguf_set_i64(m->writer, full, value);
}

static void real(const maker *m, const char *name, float value) {
    char full[96];
    snprintf(full, sizeof full, "%s.%s", m->prefix, name);
    if (m->t->skip && !strcmp(m->t->skip, full)) return;
    pct_gguf_set_f32(m->writer, full, value);
}

static void add(maker *m, const char *name, int64_t in, int64_t out, pct_real scale) {
    if (m->t->skip && !strcmp(m->t->skip, name)) return;
    plan *p = &m->plans[m->count++];
    snprintf(p->name, sizeof p->name, "%s", name);
    p->rank = out > 0 ? 2 : 1;
    p->ne[0] = in;
    p->ne[1] = out > 0 ? out : 1;
    p->scale = scale;
}

static void add_layer(maker *m, int i) {
    const tiny_language *t = m->t;
    const int64_t head = t->head_width ? t->head_width : t->width / t->heads;
    const int64_t queries = head * t->heads, keys = head * t->kv_heads;
    const struct {
        const char *name;
        int64_t in, out;
        pct_real scale;
    } rows[] = {
        {"attn_norm.weight", t->width, 0, 0},
        {"attn_q.weight", t->width, queries, 0.2f},
        {"attn_k.weight", t->width, keys, 0.2f},
        {"attn_v.weight", t->width, keys, 0.2f},
        {"attn_output.weight", queries, t->width, 0.2f},
        {"ffn_norm.weight", t->width, 0, 0},
        {"ffn_gate.weight", t->width, t->mlp, 0.2f},
        {"ffn_up.weight", t->width, t->mlp, 0.2f},
        {"ffn_down.weight", t->mlp, t->width, 0.2f},
        {"attn_q.bias", queries, 0, 0.3f},
        {"attn_k.bias", keys, 0, 0.3f},
        {"attn_v.bias", keys, 0, 0.3f},
    };
    for (size_t k = 0; k < sizeof rows / sizeof *rows - (t->bias || t->qwen2 ? 0 : 3); k++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%d.%s", i, rows[k].name);
        add(m, name, rows[k].in, rows[k].out, rows[k].scale);
    }
}

static percept_status set_bpe(maker *m, percept_error *error) {
    static const char *const specials[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
    static const char *const words[] = {" the", " a", " red", " cup", " dog", " is", "user", "assistant", "system"};
    pct_bpe_train_options options = {.vocabulary = 300,
                                     .specials = specials,
                                     .special_count = 3,
                                     .bos = "<|im_start|>",
                                     .eos = "<|im_end|>",
                                     .pad = "<|endoftext|>"};
    pct_bpe_trainer *trainer = NULL;
    pct_tokenizer *tokenizer = NULL;
    PCT_TRY(pct_bpe_trainer_create(&trainer, &options, error));
    percept_status status = PERCEPT_OK;
    for (size_t i = 0; i < sizeof words / sizeof *words && status == PERCEPT_OK; i++)
        status = pct_bpe_trainer_add(trainer, words[i], strlen(words[i]), 100, error);
    if (status == PERCEPT_OK) status = pct_bpe_trainer_finish(trainer, &tokenizer, error);
    pct_bpe_trainer_destroy(&trainer);
    if (status == PERCEPT_OK) {
        m->vocabulary = pct_tokenizer_size(tokenizer);
        m->eos = pct_tokenizer_eos(tokenizer);
        status = pct_tokenizer_save(tokenizer, m->writer, error);
    }
    pct_tokenizer_destroy(&tokenizer);
    return status;
}

/* Unknown, BOS, EOS, and pieces of one and two letters, the later the less likely. */
static percept_status set_spm(maker *m) {
    static char texts[64][8];
    static pct_gguf_string tokens[64];
    static float scores[64];
    static int32_t kinds[64];
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz.,!?";
    for (int i = 0; i < 64; i++) {
        kinds[i] = i == 0 ? 2 : i < 3 ? 3 : 1;
        if (i < 3)
            snprintf(texts[i], sizeof texts[i], "%s", i == 0 ? "<unk>" : i == 1 ? "<s>" : "</s>");
        else if (i == 3)
            snprintf(texts[i], sizeof texts[i], "\xe2\x96\x81");
        else if (i < 34)
            snprintf(texts[i], sizeof texts[i], "%c", letters[i - 4]);
        else
            snprintf(texts[i], sizeof texts[i], "%c%c", letters[i - 34], letters[(i * 7) % 26]);
        tokens[i] = (pct_gguf_string){texts[i], strlen(texts[i])};
        scores[i] = (float)-i;
    }
    pct_gguf_set_string(m->writer, "tokenizer.ggml.model", "llama");
    pct_gguf_set_strings(m->writer, "tokenizer.ggml.tokens", 64, tokens);
    pct_gguf_set_array(m->writer, "tokenizer.ggml.scores", PCT_GGUF_F32, 64, scores);
    pct_gguf_set_array(m->writer, "tokenizer.ggml.token_type", PCT_GGUF_I32, 64, kinds);
    pct_gguf_set_u32(m->writer, "tokenizer.ggml.bos_token_id", 1);
    pct_gguf_set_u32(m->writer, "tokenizer.ggml.eos_token_id", 2);
    m->vocabulary = 64;
    m->eos = 2;
    return PERCEPT_OK;
}

static percept_status set_keys(maker *m, percept_error *error) {
    const tiny_language *t = m->t;
    pct_gguf_set_string(m->writer, "general.architecture", m->prefix);
    pct_gguf_set_string(m->writer, "general.name", "tiny language model");
    key(m, "context_length", t->context);
    key(m, "embedding_length", t->width);
    key(m, "block_count", t->layers);
    key(m, "feed_forward_length", t->mlp);
    key(m, "attention.head_count", t->heads);
    key(m, "attention.head_count_kv", t->kv_heads);
    if (t->head_width) {
        key(m, "attention.key_length", t->head_width);
        key(m, "attention.value_length", t->head_width);
    }
    real(m, "rope.freq_base", 10000);
    real(m, "attention.layer_norm_rms_epsilon", 1e-5f);
    if (t->key && strstr(t->key, "expert")) pct_gguf_set_i64(m->writer, t->key, t->value);
    if (t->string) pct_gguf_set_string(m->writer, t->string, t->text);
    return t->spm ? set_spm(m) : set_bpe(m, error);
}

static void add_tensors(maker *m) {
    const tiny_language *t = m->t;
    add(m, "token_embd.weight", t->width, m->vocabulary, 1);
    for (int i = 0; i < t->layers; i++) add_layer(m, i);
    add(m, "output_norm.weight", t->width, 0, 0);
    if (t->output) add(m, "output.weight", t->width, m->vocabulary, 0.5f);
    if (t->factors) add(m, "rope_freqs.weight", (t->head_width ? t->head_width : t->width / t->heads) / 2, 0, 0);
    if (t->more) add(m, t->more, t->width, 0, 1);
}

static enum pct_gguf_type file_type(const maker *m, const plan *p) {
    if (p->rank == 1 || m->t->type == PCT_REAL) return PCT_GGUF_TYPE_F32;
    if (m->t->type == PCT_Q4_1) return PCT_GGUF_TYPE_Q4_1;
    return m->t->type == PCT_F16 ? PCT_GGUF_TYPE_F16 : PCT_GGUF_TYPE_Q8_0;
}

/* Around 1 where scale is 0 (norms; from 1 up for the divisors of angles), else around 0. */
static percept_status put(const maker *m, const plan *p, const pct_kernels *kernels, percept_error *error) {
    const int64_t count = p->ne[0] * p->ne[1];
    const pct_dtype type = p->rank == 1 ? PCT_REAL : m->t->type;
    pct_real *numbers = malloc((size_t)count * sizeof *numbers);
    void *stored = malloc((size_t)count * sizeof *numbers);
    pct_random random;
    pct_random_init(&random, m->t->seed, pct_hash_bytes(p->name, strlen(p->name)), 0);
    for (int64_t i = 0; i < count; i++) {
        const pct_real x = pct_random_normal(&random);
        numbers[i] = p->scale > 0 ? p->scale * x : !strcmp(p->name, "rope_freqs.weight") ? 1 + x * x : 1 + 0.1f * x;
    }
    if (m->t->ends && !strcmp(p->name, "output.weight"))
        for (int64_t i = 0; i < count; i++) numbers[i] *= 0;
    kernels->quantise[type](stored, numbers, count);
    size_t bytes;
    pct_dtype_row_bytes(type, count, &bytes);
    percept_status status = pct_gguf_writer_data(m->writer, stored, bytes, error);
    free(numbers);
    free(stored);
    return status;
}

percept_status tiny_language_write(const char *path, const tiny_language *t, percept_error *error) {
    maker m = {.t = t, .prefix = t->qwen2 ? "qwen2" : "llama"};
    pct_kernels kernels;
    pct_kernels_init(&kernels, 0);
    PCT_TRY(pct_gguf_writer_create(&m.writer, error));
    percept_status status = set_keys(&m, error);
    if (status == PERCEPT_OK) add_tensors(&m);
    for (int i = 0; i < m.count && status == PERCEPT_OK; i++)
        pct_gguf_writer_declare(m.writer, m.plans[i].name, file_type(&m, &m.plans[i]), m.plans[i].rank, m.plans[i].ne);
    if (status == PERCEPT_OK) status = pct_gguf_writer_begin(m.writer, path, error);
    for (int i = 0; i < m.count && status == PERCEPT_OK; i++) status = put(&m, &m.plans[i], &kernels, error);
    if (status == PERCEPT_OK) status = pct_gguf_writer_end(m.writer, error);
    pct_gguf_writer_destroy(&m.writer);
    return status;
}
