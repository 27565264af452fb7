/* SentencePiece vocabularies: merges by score, blanks, bytes, special tokens, saving, hostile files. Whole vocabularies
 * are compared with llama.cpp by bench/peers/tokenizers.sh. */
#include "tokenizer/bpe.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BLANK     "\xe2\x96\x81"
#define TOKENS    18
#define KEY(name) "tokenizer.ggml." name

struct vocabulary {
    const char *texts[TOKENS];
    float scores[TOKENS];
    int32_t kinds[TOKENS];
    int64_t score_count;
    int prefix; /* -1: not said */
};

static const struct vocabulary good = {
    .texts = {"<unk>", "<s>", "</s>", "<0x41>", "<0xC3>", "<0xBC>", BLANK, "a", "b", "c", "ab", "bc", BLANK "a",
              BLANK "ab", "cc", "<image>", BLANK BLANK, "<0x0A>"},
    .scores = {0, 0, 0, 0, 0, 0, -9, -9, -9, -9, -2, -1, -4, -3, -2, 0, -5, 0},
    .kinds = {2, 3, 3, 6, 6, 6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4, 1, 6},
    .score_count = TOKENS,
    .prefix = -1,
};
enum { UNK, BOS, EOS, BYTE_A, BYTE_C3, BYTE_BC, _BLANK, A, B, C, AB, BC, _A, _AB, CC, IMAGE, BLANKS, NEWLINE };

static percept_status try_vocabulary(const struct vocabulary *v, pct_tokenizer **tokenizer, percept_error *error) {
    char path[] = "/tmp/percept-spm-XXXXXX";
    const int handle = mkstemp(path);
    pct_gguf_writer *writer;
    pct_gguf *file;
    pct_gguf_string texts[TOKENS];
    assert_true(handle >= 0);
    close(handle);
    for (int i = 0; i < TOKENS; i++) texts[i] = (pct_gguf_string){v->texts[i], strlen(v->texts[i])};
    assert_int_equal(pct_gguf_writer_create(&writer, error), PERCEPT_OK);
    pct_gguf_set_string(writer, KEY("model"), "llama");
    pct_gguf_set_strings(writer, KEY("tokens"), TOKENS, texts);
    pct_gguf_set_array(writer, KEY("scores"), PCT_GGUF_F32, v->score_count, v->scores);
    pct_gguf_set_array(writer, KEY("token_type"), PCT_GGUF_I32, TOKENS, v->kinds);
    pct_gguf_set_u32(writer, KEY("bos_token_id"), BOS);
    pct_gguf_set_u32(writer, KEY("eos_token_id"), EOS);
    pct_gguf_set_u32(writer, KEY("unknown_token_id"), UNK);
    if (v->prefix >= 0) pct_gguf_set_bool(writer, KEY("add_space_prefix"), v->prefix);
    assert_int_equal(pct_gguf_writer_begin(writer, path, error), PERCEPT_OK);
    assert_int_equal(pct_gguf_writer_end(writer, error), PERCEPT_OK);
    pct_gguf_writer_destroy(&writer);
    assert_int_equal(pct_gguf_open(&file, path, error), PERCEPT_OK);
    percept_status status = pct_tokenizer_load(tokenizer, file, error);
    pct_gguf_close(&file);
    unlink(path);
    return status;
}

/* The ids that are expected, -1 at their end; and the text back, when it is the same. */
static void gives(const pct_tokenizer *tokenizer, const char *text, unsigned flags, const int *wanted, bool back) {
    pct_token_scratch scratch = {0};
    pct_ids ids = {0};
    pct_text out = {0};
    percept_error error = {0};
    size_t count = 0;
    while (wanted[count] >= 0) count++;
    assert_int_equal(pct_tokenizer_encode(tokenizer, &scratch, text, strlen(text), flags, &ids, &error), PERCEPT_OK);
    assert_int_equal(ids.count, count);
    for (size_t i = 0; i < count; i++) assert_int_equal(ids.data[i], wanted[i]);
    pct_tokenizer_decode(tokenizer, ids.data, ids.count, false, &out);
    if (back) assert_string_equal(out.length ? out.data : "", text);
    pct_text_free(&out);
    pct_ids_free(&ids);
    pct_token_scratch_free(&scratch);
}

#define IDS(...)                                                                                                       \
    (const int[]) { __VA_ARGS__, -1 }

static void check_good(const pct_tokenizer *t) {
    gives(t, "ab", 0, IDS(_AB), true);              /* "ab" (-2) first, then with the blank (-3) */
    gives(t, "abc", 0, IDS(_A, BC), true);          /* "bc" has the highest score of all pairs */
    gives(t, "cccc", 0, IDS(_BLANK, CC, CC), true); /* equal scores: from the left */
    gives(t,
          "a\xc3\xbc"
          "A",
          0, IDS(_A, BYTE_C3, BYTE_BC, BYTE_A), true);
    gives(t, "x", 0, IDS(_BLANK, UNK), false); /* a byte without a token */
    gives(t, "", 0, IDS(-1), true);
    gives(t, "", PCT_TOKENIZE_BOS | PCT_TOKENIZE_EOS, IDS(BOS, EOS), true);
    gives(t, "\n", 0, IDS(_BLANK, NEWLINE), true);
    gives(t, "  a", 0, IDS(BLANKS, _A), true);
    gives(t, "a" BLANK "b", 0, IDS(_A, _BLANK, B), false); /* the mark itself is a blank */
    /* Added words count always, special ones when asked; what follows is a new beginning. */
    gives(t, "a<image>b", 0, IDS(_A, IMAGE, _BLANK, B), false);
    gives(t, "</s>ab", PCT_TOKENIZE_SPECIAL, IDS(EOS, _AB), false);
}

static void merges_by_score(void **state) {
    (void)state;
    pct_tokenizer *tokenizer;
    percept_error error = {0};
    if (try_vocabulary(&good, &tokenizer, &error)) fail_msg("%s", error.message);
    assert_true(pct_tokenizer_adds_bos(tokenizer));
    assert_string_equal(pct_tokenizer_pattern(tokenizer), "default");
    check_good(tokenizer);
    pct_tokenizer_destroy(&tokenizer);
    struct vocabulary bare = good;
    bare.prefix = 0;
    assert_int_equal(try_vocabulary(&bare, &tokenizer, &error), PERCEPT_OK);
    gives(tokenizer, "ab", 0, IDS(AB), true);
    gives(tokenizer, " ab", 0, IDS(_AB), true);
    pct_tokenizer_destroy(&tokenizer);
}

static void saved_and_loaded(void **state) {
    char path[] = "/tmp/percept-spm-XXXXXX";
    (void)state;
    const int handle = mkstemp(path);
    pct_tokenizer *tokenizer;
    pct_gguf_writer *writer;
    pct_gguf *file;
    percept_error error = {0};
    close(handle);
    assert_int_equal(try_vocabulary(&good, &tokenizer, &error), PERCEPT_OK);
    assert_int_equal(pct_gguf_writer_create(&writer, &error), PERCEPT_OK);
    assert_int_equal(pct_tokenizer_save(tokenizer, writer, &error), PERCEPT_OK);
    assert_int_equal(pct_gguf_writer_begin(writer, path, &error), PERCEPT_OK);
    assert_int_equal(pct_gguf_writer_end(writer, &error), PERCEPT_OK);
    pct_gguf_writer_destroy(&writer);
    pct_tokenizer_destroy(&tokenizer);
    assert_int_equal(pct_gguf_open(&file, path, &error), PERCEPT_OK);
    pct_gguf_array texts;
    assert_int_equal(pct_gguf_get_array(file, KEY("tokens"), PCT_GGUF_STRING, TOKENS, TOKENS, &texts, &error),
                     PERCEPT_OK);
    for (int i = 0; i < TOKENS; i++) {
        const pct_gguf_string text = pct_gguf_array_string(&texts, i);
        assert_int_equal(text.length, strlen(good.texts[i]));
        assert_memory_equal(text.data, good.texts[i], text.length);
    }
    assert_int_equal(pct_tokenizer_load(&tokenizer, file, &error), PERCEPT_OK);
    check_good(tokenizer);
    pct_tokenizer_destroy(&tokenizer);
    pct_gguf_close(&file);
    unlink(path);
}

static void refused(const struct vocabulary *v, const char *words) {
    pct_tokenizer *tokenizer;
    percept_error error = {0};
    assert_int_equal(try_vocabulary(v, &tokenizer, &error), PERCEPT_ERROR_MODEL);
    assert_null(tokenizer);
    if (!strstr(error.message, words)) fail_msg("'%s' does not say '%s'", error.message, words);
}

static void hostile(void **state) {
    (void)state;
    static const char *const bytes[] = {"<0x-1>", "<0x4>", "<0x041>", "<0xzz>", "A", "", "<0x41", "<0x4a>"};
    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        struct vocabulary v = good;
        v.texts[BYTE_A] = bytes[i];
        refused(&v, "token 3 stands for a byte");
    }
    struct vocabulary v = good;
    v.score_count = TOKENS - 1;
    refused(&v, "17 items for 18 tokens");
    v = good;
    v.scores[A] = NAN;
    refused(&v, "token 7 has no finite score");
    v = good;
    v.kinds[A] = 7;
    refused(&v, "unknown type 7");
    v = good; /* no tokens for bytes at all, empty and doubled texts: harmless */
    v.kinds[BYTE_A] = v.kinds[BYTE_C3] = v.kinds[BYTE_BC] = v.kinds[NEWLINE] = 5;
    v.texts[CC] = "";
    v.texts[BC] = "b";
    pct_tokenizer *tokenizer;
    percept_error error = {0};
    assert_int_equal(try_vocabulary(&v, &tokenizer, &error), PERCEPT_OK);
    gives(tokenizer, "A\nb", 0, IDS(_BLANK, UNK, UNK, B), false);
    pct_tokenizer_destroy(&tokenizer);
}

/* A megabyte: n log n, not n². */
static void long_texts(void **state) {
    (void)state;
    const size_t size = 3 << 20;
    char *text = malloc(size);
    pct_tokenizer *tokenizer;
    pct_token_scratch scratch = {0};
    pct_ids ids = {0};
    percept_error error = {0};
    memset(text, 'c', size);
    assert_int_equal(try_vocabulary(&good, &tokenizer, &error), PERCEPT_OK);
    assert_int_equal(pct_tokenizer_encode(tokenizer, &scratch, text, size, 0, &ids, &error), PERCEPT_OK);
    assert_true(ids.count >= size / 2 && ids.count <= size / 2 + 8);
    pct_ids_free(&ids);
    pct_token_scratch_free(&scratch);
    pct_tokenizer_destroy(&tokenizer);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_by_score),
        cmocka_unit_test(saved_and_loaded),
        cmocka_unit_test(hostile),
        cmocka_unit_test(long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
