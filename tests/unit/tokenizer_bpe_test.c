/* Byte-level BPE: the encoder against a naive one, training against a naive one, round trips, hostile vocabularies. */
#include "base/file.h"
#include "base/random.h"
#include "formats/utf8.h"
#include "tokenizer/bpe.h"
#include "tokenizer/bpe_train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const specials[] = {"<pad>", "<bos>", "<eos>", "<obj>", "<obj", "<p>"};
enum { SPECIALS = 6 };
static const char *const corpus[] = {
    "the red cup is left of the blue cup",
    "There are 3 cups, 12 spoons and the cat.",
    "it's the cat's cup; isn't it?",
    "aaaaaaaa aaaa aa banana bananas",
    "gro\xc3\x9f m\xc3\xbcss \xd0\xbc\xd0\xb8\xd1\x80 \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80",
    "  two  blanks\n\nand lines\t",
    "<obj> <obj> <obj> <obj> <p>x</p>",
};
enum { TEXTS = sizeof corpus / sizeof corpus[0] };

static pct_tokenizer *train(int32_t vocabulary, bool reversed, int32_t max_token) {
    percept_error error = {0};
    pct_bpe_trainer *trainer;
    pct_bpe_train_options options = {.vocabulary = vocabulary,
                                     .specials = specials,
                                     .special_count = SPECIALS,
                                     .bos = "<bos>",
                                     .eos = "<eos>",
                                     .pad = "<pad>",
                                     .max_token = max_token};
    if (pct_bpe_trainer_create(&trainer, &options, &error)) fail_msg("%s", error.message);
    for (int i = 0; i < TEXTS; i++) {
        const char *text = corpus[reversed ? TEXTS - 1 - i : i];
        assert_int_equal(pct_bpe_trainer_add(trainer, text, strlen(text), 3, &error), PERCEPT_OK);
    }
    pct_tokenizer *tokenizer;
    if (pct_bpe_trainer_finish(trainer, &tokenizer, &error)) fail_msg("%s", error.message);
    pct_bpe_trainer_destroy(&trainer);
    return tokenizer;
}

static pct_tokenizer *shared;
static int setup(void **state) {
    shared = train(400, false, 0);
    return 0;
}
static int teardown(void **state) {
    pct_tokenizer_destroy(&shared);
    return 0;
}

static void byte_map_is_a_bijection(void **state) {
    int found = 0;
    for (uint32_t code = 0; code < 0x400; code++) found += pct_bpe_code_to_byte(code) >= 0;
    assert_int_equal(found, 256);
    for (int b = 0; b < 256; b++) assert_int_equal(pct_bpe_code_to_byte(pct_bpe_byte_to_code((unsigned char)b)), b);
    assert_int_equal(pct_bpe_byte_to_code(' '), 0x120);
    assert_int_equal(pct_bpe_byte_to_code('\n'), 0x10a);
    assert_int_equal(pct_bpe_byte_to_code('A'), 'A');
    assert_int_equal(pct_bpe_code_to_byte(0xffffffff), -1);
}

/* ---- a naive encoder: scan for the best pair again and again ---- */

struct naive {
    const pct_tokenizer *tokenizer;
    int32_t ids[4096];
    int count;
};

static percept_status naive_word(void *context, const char *word, size_t length) {
    struct naive *n = context;
    int32_t merge_count, *ids = n->ids + n->count;
    const pct_bpe_merge *merges = pct_bpe_merges(n->tokenizer, &merge_count);
    int count = (int)length;
    for (int i = 0; i < count; i++) ids[i] = SPECIALS + (unsigned char)word[i];
    for (;;) {
        int best = merge_count, at = -1;
        for (int i = 0; i + 1 < count; i++) {
            for (int m = 0; m < best; m++) {
                if (merges[m].left == ids[i] && merges[m].right == ids[i + 1]) {
                    best = m;
                    at = i;
                }
            }
        }
        if (at < 0) break;
        ids[at] = merges[best].result;
        memmove(ids + at + 1, ids + at + 2, (size_t)(count - at - 2) * sizeof *ids);
        count--;
    }
    n->count += count;
    return PERCEPT_OK;
}

static size_t random_text(pct_random *random, char *out, size_t most, int kind) {
    static const char *const pieces[] = {"the",
                                         " cup",
                                         "a",
                                         "aa",
                                         "  ",
                                         "\n",
                                         "12",
                                         "'s",
                                         "<obj>",
                                         "<p",
                                         "\xc3\xbc",
                                         "\xe4\xbd\xa0",
                                         "\xf0\x9f\x98\x80",
                                         "\xff",
                                         "\xe4\xbd",
                                         "banana",
                                         ",",
                                         " the"};
    size_t length = 0, target = pct_random_below(random, (uint32_t)most - 8);
    while (length < target) {
        if (kind == 0) {
            out[length++] = (char)pct_random_below(random, 256);
        } else {
            const char *piece = pieces[pct_random_below(random, sizeof pieces / sizeof pieces[0])];
            size_t size = strlen(piece);
            memcpy(out + length, piece, size);
            length += size;
        }
    }
    return length;
}

static void encode_equals_naive_and_round_trips(void **state) {
    pct_random random;
    pct_random_init(&random, 11, 0, 0);
    pct_token_scratch scratch = {0};
    pct_ids ids = {0};
    percept_error error = {0};
    pct_bpe_splitter *splitter;
    assert_int_equal(pct_bpe_splitter_create(&splitter, "percept", &error), PERCEPT_OK);
    struct naive *naive = calloc(1, sizeof *naive);
    naive->tokenizer = shared;
    for (int round = 0; round < 3000; round++) {
        char text[300];
        size_t length = random_text(&random, text, 280, round % 3);
        ids.count = 0;
        if (pct_tokenizer_encode(shared, &scratch, text, length, 0, &ids, &error)) fail_msg("%s", error.message);
        naive->count = 0;
        assert_int_equal(pct_bpe_split(splitter, &scratch, text, length, naive_word, naive, &error), PERCEPT_OK);
        assert_int_equal(ids.count, naive->count);
        assert_memory_equal(ids.data, naive->ids, ids.count * sizeof *ids.data);
        for (size_t i = 0; i < ids.count; i++) assert_false(pct_tokenizer_is_special(shared, ids.data[i]));
        pct_text back = {0};
        pct_tokenizer_decode(shared, ids.data, ids.count, true, &back);
        assert_int_equal(back.length, length);
        if (length) assert_memory_equal(back.data, text, length);
        pct_text_free(&back);
    }
    free(naive);
    pct_bpe_splitter_destroy(&splitter);
    pct_ids_free(&ids);
    pct_token_scratch_free(&scratch);
}

/* A megabyte without a place to split, and one of a single letter: n log n, not n². */
static void long_words_take_no_time(void **state) {
    pct_token_scratch scratch = {0};
    pct_ids ids = {0};
    percept_error error = {0};
    size_t size = 3 << 20;
    char *text = malloc(size);
    for (int kind = 0; kind < 4; kind++) {
        memset(text, "a -\xff"[kind], size);
        ids.count = 0;
        assert_int_equal(pct_tokenizer_encode(shared, &scratch, text, size, PCT_TOKENIZE_SPECIAL, &ids, &error),
                         PERCEPT_OK);
        pct_text back = {0};
        pct_tokenizer_decode(shared, ids.data, ids.count, true, &back);
        assert_int_equal(back.length, size);
        assert_memory_equal(back.data, text, size);
        pct_text_free(&back);
    }
    assert_int_equal(pct_tokenizer_encode(shared, &scratch, text, (size_t)2 << 30, 0, &ids, &error),
                     PERCEPT_ERROR_INPUT);
    free(text);
    pct_ids_free(&ids);
    pct_token_scratch_free(&scratch);
}

static void no_allocation_when_there_is_room(void **state) {
    pct_token_scratch scratch = {0};
    pct_ids ids = {0};
    percept_error error = {0};
    assert_int_equal(pct_ids_reserve(&ids, 64, &error), PERCEPT_OK);
    const int32_t *before = ids.data;
    for (int i = 0; i < 3; i++) {
        ids.count = 0;
        assert_int_equal(pct_tokenizer_encode(shared, &scratch, "the cat", 7, 0, &ids, &error), PERCEPT_OK);
        assert_ptr_equal(ids.data, before);
    }
    pct_ids_free(&ids);
    pct_token_scratch_free(&scratch);
}

static size_t encode(const char *text, unsigned flags, pct_ids *ids) {
    pct_token_scratch scratch = {0};
    percept_error error = {0};
    ids->count = 0;
    if (pct_tokenizer_encode(shared, &scratch, text, strlen(text), flags, ids, &error)) fail_msg("%s", error.message);
    pct_token_scratch_free(&scratch);
    return ids->count;
}

static void special_tokens_only_when_asked(void **state) {
    pct_ids ids = {0};
    int32_t obj = pct_tokenizer_special(shared, "<obj>"), shorter = pct_tokenizer_special(shared, "<obj");
    assert_int_equal(obj, 3);
    assert_int_equal(shorter, 4);
    assert_int_equal(pct_tokenizer_special(shared, "the"), -1);
    assert_int_equal(pct_tokenizer_special(shared, "<none>"), -1);
    assert_int_equal(pct_tokenizer_bos(shared), 1);
    assert_int_equal(pct_tokenizer_eos(shared), 2);
    assert_int_equal(pct_tokenizer_pad(shared), 0);
    encode("<obj><eos><p>", 0, &ids); /* the corpus held "<obj>" often, and still it is plain text */
    for (size_t i = 0; i < ids.count; i++) assert_false(pct_tokenizer_is_special(shared, ids.data[i]));
    assert_int_equal(encode("<obj><obj<eos>", PCT_TOKENIZE_SPECIAL, &ids), 3); /* the longest wins */
    assert_int_equal(ids.data[0], obj);
    assert_int_equal(ids.data[1], shorter);
    assert_int_equal(ids.data[2], 2);
    size_t plain = encode("a cup", 0, &ids);
    assert_int_equal(encode("a cup", PCT_TOKENIZE_BOS | PCT_TOKENIZE_EOS, &ids), plain + 2);
    assert_int_equal(ids.data[0], 1);
    assert_int_equal(ids.data[plain + 1], 2);
    encode("x<obj>y", PCT_TOKENIZE_SPECIAL, &ids);
    pct_text out = {0};
    pct_tokenizer_decode(shared, ids.data, ids.count, false, &out);
    assert_string_equal(out.data, "xy");
    pct_text_clear(&out);
    pct_tokenizer_decode(shared, ids.data, ids.count, true, &out);
    assert_string_equal(out.data, "x<obj>y");
    pct_text_clear(&out);
    pct_tokenizer_decode(shared, (int32_t[]){-1, 1 << 30, INT32_MIN}, 3, true, &out);
    assert_int_equal(out.length, 0);
    size_t length;
    assert_null(pct_tokenizer_text(shared, 400, &length));
    pct_text_free(&out);
    pct_ids_free(&ids);
}

static percept_status collect(void *context, const char *word, size_t length) {
    pct_text_add(context, word, length);
    pct_text_puts(context, "|");
    return PERCEPT_OK;
}

static void splits(const char *pattern, const char *text, const char *expected) {
    pct_bpe_splitter *splitter;
    pct_token_scratch scratch = {0};
    pct_text out = {0};
    percept_error error = {0};
    assert_int_equal(pct_bpe_splitter_create(&splitter, pattern, &error), PERCEPT_OK);
    assert_int_equal(pct_bpe_split(splitter, &scratch, text, strlen(text), collect, &out, &error), PERCEPT_OK);
    assert_string_equal(out.data, expected);
    pct_text_free(&out);
    pct_token_scratch_free(&scratch);
    pct_bpe_splitter_destroy(&splitter);
}

static void patterns_split_as_documented(void **state) {
    splits("percept", "The cat's 12  cups!\n\n It", "The| cat|'s| 1|2| | cups|!|\n\n| It|");
    splits("percept", "isn't 'there", "isn|'t| '|there|");
    splits("percept", "e\xcc\x81t\xc3\xa9 \xc2\xa0x",
           "e\xcc\x81t\xc3\xa9| |\xc2\xa0|x|"); /* marks; U+00A0 is white space */
    splits("percept", "a\xff\xfe b", "a|\xff\xfe| b|");
    splits("gpt-2", "The cat's 12  cups!", "The| cat|'s| 12| | cups|!|");
    splits("smollm", "The cat's 12  3b  c\n", "The| cat|'s| |1|2|  |3|b| | c|\n|");
    splits("qwen2", "I'LL take 12 \n\n  it!\n", "I|'LL| take| |1|2| \n\n| | it|!\n|");
    splits("qwen2", "(see) _x", "(see|)| _|x|");
    splits("llama-bpe", "12345 x  ", "123|45| x|  |");
    percept_error error = {0};
    pct_bpe_splitter *splitter;
    assert_int_equal(pct_bpe_splitter_create(&splitter, "no-such", &error), PERCEPT_ERROR_MODEL);
    assert_non_null(strstr(error.message, "no-such"));
    assert_null(splitter);
}

/* "abc" is in the vocabulary, but no merge leads to it: LLaMA-3's files say that it is one token all the same. */
static void whole_words(void **state) {
    const pct_bpe_token tokens[] = {{"a", 1, PCT_TOKEN_NORMAL},
                                    {"b", 1, PCT_TOKEN_NORMAL},
                                    {"c", 1, PCT_TOKEN_NORMAL},
                                    {"ab", 2, PCT_TOKEN_NORMAL},
                                    {"abc", 3, PCT_TOKEN_NORMAL}};
    const pct_bpe_merge merge = {0, 1, 3};
    pct_bpe_parts parts = {.tokens = tokens, .token_count = 5, .merges = &merge, .merge_count = 1};
    parts.bos = parts.eos = parts.pad = parts.unknown = -1;
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        pct_tokenizer *tokenizer;
        pct_token_scratch scratch = {0};
        pct_ids ids = {0};
        percept_error error = {0};
        parts.pattern = whole ? "llama-bpe" : "qwen2";
        assert_int_equal(pct_bpe_build(&tokenizer, &parts, &error), PERCEPT_OK);
        assert_int_equal(pct_tokenizer_encode(tokenizer, &scratch, "abc", 3, 0, &ids, &error), PERCEPT_OK);
        assert_int_equal(ids.count, whole ? 1 : 2);
        assert_int_equal(ids.data[0], whole ? 4 : 3);
        pct_ids_free(&ids);
        pct_token_scratch_free(&scratch);
        pct_tokenizer_destroy(&tokenizer);
    }
}

static void streaming_gives_whole_characters(void **state) {
    const char text[] = "a \xe4\xbd\xa0\xf0\x9f\x98\x80\xc3\xbc.";
    pct_text out = {0};
    pct_token_stream stream = {0};
    for (size_t i = 0; i < sizeof text - 1; i++) { /* byte by byte: the hardest case */
        pct_token_stream_add(&stream, shared, SPECIALS + (unsigned char)text[i], false, &out);
        assert_true(!out.length || pct_utf8_valid(out.data, out.length));
    }
    assert_string_equal(out.data, text);
    assert_int_equal(stream.count, 0);
    pct_text_clear(&out);
    const char broken[] = "\xf0\x9f"
                          "a\xff\xe4\xbd";
    for (size_t i = 0; i < sizeof broken - 1; i++) {
        pct_token_stream_add(&stream, shared, SPECIALS + (unsigned char)broken[i], false, &out);
    }
    pct_token_stream_add(&stream, shared, 3, false, &out);
    pct_token_stream_end(&stream, &out);
    assert_string_equal(out.data, "\xef\xbf\xbd\xef\xbf\xbd"
                                  "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    pct_text_free(&out);
}

/* ---- training ---- */

static void same_vocabulary(const pct_tokenizer *a, const pct_tokenizer *b) {
    assert_int_equal(pct_tokenizer_size(a), pct_tokenizer_size(b));
    for (int32_t i = 0; i < pct_tokenizer_size(a); i++) {
        size_t n, m;
        const char *x = pct_tokenizer_text(a, i, &n), *y = pct_tokenizer_text(b, i, &m);
        assert_int_equal(n, m);
        assert_memory_equal(x, y, n);
        assert_int_equal(pct_tokenizer_is_special(a, i), pct_tokenizer_is_special(b, i));
    }
    int32_t count, other;
    const pct_bpe_merge *x = pct_bpe_merges(a, &count), *y = pct_bpe_merges(b, &other);
    assert_int_equal(count, other);
    assert_memory_equal(x, y, (size_t)count * sizeof *x);
}

static void training_is_deterministic(void **state) {
    pct_tokenizer *again = train(400, true, 0);
    same_vocabulary(shared, again);
    pct_tokenizer_destroy(&again);
    again = train(100000, false, 4); /* the text gives no more */
    assert_true(pct_tokenizer_size(again) < 1000);
    for (int32_t i = SPECIALS; i < pct_tokenizer_size(again); i++) {
        size_t length;
        pct_tokenizer_text(again, i, &length);
        assert_true(length >= 1 && length <= 4);
    }
    pct_tokenizer_destroy(&again);
}

/* Learns by recounting everything for each merge, and must get the same merges. */
struct recount {
    struct {
        int32_t ids[300];
        int count;
    } words[400];
    int word_count;
};

static percept_status keep_word(void *context, const char *word, size_t length) {
    struct recount *r = context;
    for (size_t i = 0; i < length; i++) r->words[r->word_count].ids[i] = SPECIALS + (unsigned char)word[i];
    r->words[r->word_count++].count = (int)length;
    return PERCEPT_OK;
}

static int compare_tokens(const pct_tokenizer *t, int32_t a, int32_t b) {
    size_t n, m;
    const char *x = pct_tokenizer_text(t, a, &n), *y = pct_tokenizer_text(t, b, &m);
    int order = memcmp(x, y, n < m ? n : m);
    return order ? order : (n > m) - (n < m);
}

static void training_equals_naive(void **state) {
    struct recount *r = calloc(1, sizeof *r);
    pct_bpe_splitter *splitter;
    pct_token_scratch scratch = {0};
    assert_int_equal(pct_bpe_splitter_create(&splitter, "percept", NULL), PERCEPT_OK);
    for (int i = 0; i < TEXTS; i++) {
        assert_int_equal(pct_bpe_split(splitter, &scratch, corpus[i], strlen(corpus[i]), keep_word, r, NULL),
                         PERCEPT_OK);
    }
    int32_t merge_count, size = pct_tokenizer_size(shared);
    const pct_bpe_merge *merges = pct_bpe_merges(shared, &merge_count);
    assert_true(merge_count > 30);
    int *counts = malloc((size_t)size * (size_t)size * sizeof *counts);
    for (int32_t m = 0; m < merge_count; m++) {
        memset(counts, 0, (size_t)size * (size_t)size * sizeof *counts);
        int best = 0;
        int32_t left = -1, right = -1;
        for (int w = 0; w < r->word_count; w++) {
            for (int i = 0; i + 1 < r->words[w].count; i++) {
                int32_t a = r->words[w].ids[i], b = r->words[w].ids[i + 1];
                int count = counts[a * size + b] += 3;
                (void)count;
            }
        }
        for (int32_t a = 0; a < size; a++) {
            for (int32_t b = 0; b < size; b++) {
                int count = counts[a * size + b];
                size_t n, k;
                pct_tokenizer_text(shared, a, &n);
                pct_tokenizer_text(shared, b, &k);
                char joined[64];
                if (count < best || !count || n + k > 32) continue;
                memcpy(joined, pct_tokenizer_text(shared, a, &n), n);
                memcpy(joined + n, pct_tokenizer_text(shared, b, &k), k);
                joined[n + k] = 0;
                if (pct_tokenizer_special(shared, joined) >= 0) continue;
                int order = left < 0 ? -1 : compare_tokens(shared, a, left);
                if (!order) order = compare_tokens(shared, b, right);
                if (count > best || order < 0) {
                    best = count;
                    left = a;
                    right = b;
                }
            }
        }
        assert_int_equal(left, merges[m].left);
        assert_int_equal(right, merges[m].right);
        for (int w = 0; w < r->word_count; w++) {
            int length = 0;
            for (int i = 0; i < r->words[w].count; length++) {
                bool here = i + 1 < r->words[w].count && r->words[w].ids[i] == left && r->words[w].ids[i + 1] == right;
                r->words[w].ids[length] = here ? merges[m].result : r->words[w].ids[i];
                i += here ? 2 : 1;
            }
            r->words[w].count = length;
        }
    }
    free(counts);
    free(r);
    pct_bpe_splitter_destroy(&splitter);
    pct_token_scratch_free(&scratch);
}

static void training_refuses_nonsense(void **state) {
    pct_bpe_trainer *trainer;
    percept_error error = {0};
    const char *const twice[] = {"<a>", "<a>"}, *const empty[] = {""}, *const byte[] = {"x"};
    const pct_bpe_train_options bad[] = {
        {.vocabulary = 255},
        {.vocabulary = 257, .specials = twice, .special_count = 2},
        {.vocabulary = 1 << 30},
        {.vocabulary = 300, .specials = twice, .special_count = 2},
        {.vocabulary = 300, .specials = empty, .special_count = 1},
        {.vocabulary = 300, .specials = byte, .special_count = 1},
        {.vocabulary = 300, .bos = "<a>"},
        {.vocabulary = 300, .max_token = 1000},
        {.vocabulary = 300, .min_count = -1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(pct_bpe_trainer_create(&trainer, &bad[i], &error), PERCEPT_ERROR_USAGE);
        assert_null(trainer);
    }
}

/* ---- files ---- */

static void saved_and_loaded_is_the_same(void **state) {
    char path[] = "/tmp/percept-vocab-XXXXXX";
    close(mkstemp(path));
    percept_error error = {0};
    pct_gguf_writer *writer;
    pct_gguf *file;
    pct_tokenizer *loaded;
    assert_int_equal(pct_gguf_writer_create(&writer, &error), PERCEPT_OK);
    assert_int_equal(pct_tokenizer_save(shared, writer, &error), PERCEPT_OK);
    if (pct_gguf_writer_begin(writer, path, &error) || pct_gguf_writer_end(writer, &error))
        fail_msg("%s", error.message);
    pct_gguf_writer_destroy(&writer);
    if (pct_gguf_open(&file, path, &error)) fail_msg("%s", error.message);
    if (pct_tokenizer_load(&loaded, file, &error)) fail_msg("%s", error.message);
    pct_gguf_close(&file);
    same_vocabulary(shared, loaded);
    assert_int_equal(pct_tokenizer_bos(loaded), 1);
    assert_int_equal(pct_tokenizer_eos(loaded), 2);
    assert_int_equal(pct_tokenizer_pad(loaded), 0);
    assert_true(pct_tokenizer_adds_bos(loaded));
    assert_string_equal(pct_tokenizer_pattern(loaded), "percept");
    pct_tokenizer_destroy(&loaded);
    unlink(path);
}

struct vocabulary {
    const char *model, *pre;
    pct_gguf_string tokens[8], merges[4];
    int32_t kinds[8];
    int token_count, merge_count, kind_count;
    int64_t eos;
};

static percept_status try_vocabulary(const struct vocabulary *v, pct_tokenizer **out, percept_error *error) {
    char path[] = "/tmp/percept-vocab-XXXXXX";
    close(mkstemp(path));
    pct_gguf_writer *writer;
    pct_gguf *file;
    assert_int_equal(pct_gguf_writer_create(&writer, error), PERCEPT_OK);
    if (v->model) pct_gguf_set_string(writer, "tokenizer.ggml.model", v->model);
    if (v->pre) pct_gguf_set_string(writer, "tokenizer.ggml.pre", v->pre);
    pct_gguf_set_strings(writer, "tokenizer.ggml.tokens", v->token_count, v->tokens);
    pct_gguf_set_strings(writer, "tokenizer.ggml.merges", v->merge_count, v->merges);
    if (v->kind_count) pct_gguf_set_array(writer, "tokenizer.ggml.token_type", PCT_GGUF_I32, v->kind_count, v->kinds);
    if (v->eos) pct_gguf_set_i64(writer, "tokenizer.ggml.eos_token_id", v->eos);
    if (pct_gguf_writer_begin(writer, path, error) || pct_gguf_writer_end(writer, error))
        fail_msg("%s", error->message);
    pct_gguf_writer_destroy(&writer);
    assert_int_equal(pct_gguf_open(&file, path, error), PERCEPT_OK);
    percept_status status = pct_tokenizer_load(out, file, error);
    pct_gguf_close(&file);
    unlink(path);
    return status;
}

/* llama.cpp#25969, CVE-2025-49847: token texts and lengths that a loader trusted. */
static void hostile_vocabularies(void **state) {
    const struct vocabulary good = {.model = "gpt2",
                                    .pre = "gpt-2",
                                    .token_count = 4,
                                    .merge_count = 1,
                                    .kind_count = 4,
                                    .tokens = {{"a", 1}, {"b", 1}, {"ab", 2}, {"<0x-1>", 6}},
                                    .merges = {{"a b", 3}},
                                    .kinds = {1, 1, 1, 6}};
    percept_error error = {0};
    pct_tokenizer *tokenizer;
    pct_token_scratch scratch = {0};
    pct_ids ids = {0};
    if (try_vocabulary(&good, &tokenizer, &error)) fail_msg("%s", error.message);
    /* Bytes that this vocabulary lacks give nothing; the rest is encoded. */
    assert_int_equal(pct_tokenizer_encode(tokenizer, &scratch, "abx<0x-1>ab", 11, PCT_TOKENIZE_SPECIAL, &ids, &error),
                     PERCEPT_OK);
    assert_int_equal(ids.count, 2);
    assert_int_equal(ids.data[0], 2);
    pct_tokenizer_destroy(&tokenizer);
    static char huge[20000];
    memset(huge, 'a', sizeof huge);
    struct vocabulary bad[12];
    const char *words[12];
    int n = 0;
#define BAD(what, said)                                                                                                \
    bad[n] = good;                                                                                                     \
    bad[n].what;                                                                                                       \
    words[n++] = said
    BAD(model = NULL, "tokenizer.ggml.model' is missing");
    BAD(model = "bert", "'bert' is not supported");
    BAD(pre = "strange", "'strange' is not known");
    BAD(token_count = 0, "has 0 items");
    BAD(kind_count = 3, "3 items for 4 tokens");
    BAD(kinds[2] = 99, "unknown type 99");
    BAD(kinds[2] = -1, "unknown type -1");
    BAD(kinds[2] = 3, "not in the vocabulary"); /* a merge may not make a special token */
    BAD(tokens[1] = ((pct_gguf_string){huge, sizeof huge}), "20000 bytes");
    BAD(merges[0] = ((pct_gguf_string){"ab", 2}), "not two tokens");
    BAD(merges[0] = ((pct_gguf_string){huge, sizeof huge}), "not two tokens");
    BAD(eos = 4, "eos_token_id' is 4");
    for (int i = 0; i < n; i++) {
        assert_int_equal(try_vocabulary(&bad[i], &tokenizer, &error), PERCEPT_ERROR_MODEL);
        assert_null(tokenizer);
        if (!strstr(error.message, words[i])) fail_msg("'%s' does not say '%s'", error.message, words[i]);
    }
    const char *const odd_merges[] = {"  ", " ", "", "a ", " b", "a c", "a  b", "\xff b", "a \xc4"};
    for (size_t i = 0; i < sizeof odd_merges / sizeof odd_merges[0]; i++) {
        struct vocabulary v = good;
        v.merges[0] = (pct_gguf_string){odd_merges[i], strlen(odd_merges[i])};
        assert_int_equal(try_vocabulary(&v, &tokenizer, &error), PERCEPT_ERROR_MODEL);
    }
    struct vocabulary empty = good; /* empty and repeated texts, special ones too, are harmless */
    empty.tokens[1] = (pct_gguf_string){"", 0};
    empty.tokens[2] = (pct_gguf_string){"", 0};
    empty.tokens[3] = (pct_gguf_string){"a", 1};
    empty.kinds[2] = 3;
    empty.kinds[3] = 1;
    empty.merge_count = 0;
    if (try_vocabulary(&empty, &tokenizer, &error)) fail_msg("%s", error.message);
    ids.count = 0;
    assert_int_equal(pct_tokenizer_encode(tokenizer, &scratch, "aab", 3, PCT_TOKENIZE_SPECIAL, &ids, &error),
                     PERCEPT_OK);
    assert_int_equal(ids.count, 2);
    pct_tokenizer_destroy(&tokenizer);
    pct_ids_free(&ids);
    pct_token_scratch_free(&scratch);
}

/* User-defined tokens (llama.cpp's type 4) are found in any text; control tokens only when asked. */
static void added_words_are_always_found(void **state) {
    const struct vocabulary v = {.model = "gpt2",
                                 .pre = "gpt-2",
                                 .token_count = 4,
                                 .kind_count = 4,
                                 .tokens = {{"a", 1}, {"b", 1}, {"ab", 2}, {"ba", 2}},
                                 .kinds = {1, 1, 4, 3}};
    percept_error error = {0};
    pct_tokenizer *tokenizer;
    pct_token_scratch scratch = {0};
    pct_ids ids = {0};
    if (try_vocabulary(&v, &tokenizer, &error)) fail_msg("%s", error.message);
    assert_int_equal(pct_tokenizer_encode(tokenizer, &scratch, "bab", 3, 0, &ids, &error), PERCEPT_OK);
    assert_int_equal(ids.count, 2);
    assert_int_equal(ids.data[0], 1);
    assert_int_equal(ids.data[1], 2);
    ids.count = 0;
    assert_int_equal(pct_tokenizer_encode(tokenizer, &scratch, "bab", 3, PCT_TOKENIZE_SPECIAL, &ids, &error),
                     PERCEPT_OK);
    assert_int_equal(ids.data[0], 3);
    assert_false(pct_tokenizer_is_special(tokenizer, 2));
    assert_true(pct_tokenizer_is_special(tokenizer, 3));
    pct_tokenizer_destroy(&tokenizer);
    pct_ids_free(&ids);
    pct_token_scratch_free(&scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_map_is_a_bijection),
        cmocka_unit_test(encode_equals_naive_and_round_trips),
        cmocka_unit_test(long_words_take_no_time),
        cmocka_unit_test(no_allocation_when_there_is_room),
        cmocka_unit_test(special_tokens_only_when_asked),
        cmocka_unit_test(patterns_split_as_documented),
        cmocka_unit_test(whole_words),
        cmocka_unit_test(streaming_gives_whole_characters),
        cmocka_unit_test(training_is_deterministic),
        cmocka_unit_test(training_equals_naive),
        cmocka_unit_test(training_refuses_nonsense),
        cmocka_unit_test(saved_and_loaded_is_the_same),
        cmocka_unit_test(hostile_vocabularies),
        cmocka_unit_test(added_words_are_always_found),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
