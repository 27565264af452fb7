/* What GGUF files say of a tokenizer beside its vocabulary: percept.tokenizer.*, good and hostile; llama.cpp's own ways
 * with bytes that a vocabulary lacks, and with Phi-3. */
#include "tokenizer/bpe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY(name) "tokenizer.ggml." name
#define OWN(name) "percept.tokenizer." name

typedef void settings(pct_gguf_writer *writer);

static percept_status load(const char *model, const char *const *texts, const int32_t *kinds, int64_t count,
                           const char *merge, settings *set, pct_tokenizer **tokenizer, percept_error *error) {
    char path[] = "/tmp/percept-set-XXXXXX";
    const int handle = mkstemp(path);
    pct_gguf_writer *writer;
    pct_gguf *file;
    pct_gguf_string strings[16], merges[1] = {{merge, strlen(merge)}};
    float scores[16];
    assert_true(handle >= 0);
    close(handle);
    for (int64_t i = 0; i < count; i++) {
        strings[i] = (pct_gguf_string){texts[i], strlen(texts[i])};
        scores[i] = (float)strlen(texts[i]);
    }
    assert_int_equal(pct_gguf_writer_create(&writer, error), PERCEPT_OK);
    pct_gguf_set_string(writer, KEY("model"), model);
    pct_gguf_set_strings(writer, KEY("tokens"), count, strings);
    pct_gguf_set_array(writer, KEY("scores"), PCT_GGUF_F32, count, scores);
    pct_gguf_set_array(writer, KEY("token_type"), PCT_GGUF_I32, count, kinds);
    pct_gguf_set_strings(writer, KEY("merges"), 1, merges);
    if (set) set(writer);
    assert_int_equal(pct_gguf_writer_begin(writer, path, error), PERCEPT_OK);
    assert_int_equal(pct_gguf_writer_end(writer, error), PERCEPT_OK);
    pct_gguf_writer_destroy(&writer);
    assert_int_equal(pct_gguf_open(&file, path, error), PERCEPT_OK);
    const percept_status status = pct_tokenizer_load(tokenizer, file, error);
    pct_gguf_close(&file);
    unlink(path);
    return status;
}

static void gives(const pct_tokenizer *tokenizer, const char *text, const int *wanted) {
    pct_token_scratch scratch = {0};
    pct_ids ids = {0};
    percept_error error = {0};
    assert_int_equal(pct_tokenizer_encode(tokenizer, &scratch, text, strlen(text), 0, &ids, &error), PERCEPT_OK);
    for (size_t i = 0; i < ids.count || wanted[i] >= 0; i++)
        if (i >= ids.count || ids.data[i] != wanted[i]) fail_msg("'%s': id %zu of %zu", text, i, ids.count);
    pct_ids_free(&ids);
    pct_token_scratch_free(&scratch);
}

#define IDS(...)                                                                                                       \
    (const int[]) { __VA_ARGS__, -1 }

static const char *const words[] = {"a", "b", "ab", "\xc4\xa0", "<x>", "\xc3\x83", "\xc2\xa9"};
static const int32_t word_kinds[] = {1, 1, 1, 1, 4, 1, 1};
enum { A, B, AB, BLANK, X, C3, A9 };

static pct_tokenizer *bytes(settings *set) {
    pct_tokenizer *tokenizer;
    percept_error error = {0};
    if (load("gpt2", words, word_kinds, 7, "a b", set, &tokenizer, &error)) fail_msg("%s", error.message);
    return tokenizer;
}

static void set_unknown(pct_gguf_writer *writer) { pct_gguf_set_u32(writer, KEY("unknown_token_id"), BLANK); }
static void set_gone(pct_gguf_writer *writer) { pct_gguf_set_u32(writer, OWN("unknowns"), PCT_UNKNOWN_GONE); }
static void set_token(pct_gguf_writer *writer) {
    set_unknown(writer);
    pct_gguf_set_u32(writer, OWN("unknowns"), PCT_UNKNOWN_TOKEN);
}
static void set_fused(pct_gguf_writer *writer) {
    set_token(writer);
    pct_gguf_set_bool(writer, OWN("fuse_unknown"), true);
}

static void missing_bytes(void **state) {
    (void)state;
    pct_tokenizer *t = bytes(set_unknown); /* llama.cpp: nothing, and the neighbours stay apart */
    gives(t, "ab", IDS(AB));
    gives(t, "azb", IDS(A, B));
    gives(t, "\x04", IDS(-1));
    pct_tokenizer_destroy(&t);
    t = bytes(set_gone);
    gives(t, "azb", IDS(AB));
    gives(t, "zz", IDS(-1));
    pct_tokenizer_destroy(&t);
    t = bytes(set_token);
    gives(t, "bzzb", IDS(B, BLANK, BLANK, B));
    pct_tokenizer_destroy(&t);
    t = bytes(set_fused);
    gives(t, "bzzb", IDS(B, BLANK, B));
    pct_tokenizer_destroy(&t);
}

static void set_nfc(pct_gguf_writer *writer) { pct_gguf_set_bool(writer, OWN("nfc"), true); }
static void set_rules(pct_gguf_writer *writer) {
    const int32_t rules[] = {X, PCT_TOKEN_STRIPS_LEFT | PCT_TOKEN_STRIPS_RIGHT};
    pct_gguf_set_array(writer, OWN("rules"), PCT_GGUF_I32, 2, rules);
}
static void set_ascii(pct_gguf_writer *writer) {
    const int32_t rules[] = {X, PCT_TOKEN_STRIPS_LEFT | PCT_TOKEN_STRIPS_RIGHT | PCT_TOKEN_STRIPS_ASCII};
    pct_gguf_set_array(writer, OWN("rules"), PCT_GGUF_I32, 2, rules);
}
static void set_word(pct_gguf_writer *writer) {
    const int32_t rules[] = {X, PCT_TOKEN_WHOLE_WORD};
    pct_gguf_set_array(writer, OWN("rules"), PCT_GGUF_I32, 2, rules);
}

static void good(void **state) {
    (void)state;
    pct_tokenizer *t = bytes(NULL);
    gives(t, "a <x> b", IDS(A, BLANK, X, BLANK, B));
    pct_tokenizer_destroy(&t);
    t = bytes(set_rules);
    gives(t, "a <x> b", IDS(A, X, B));
    gives(t, "a\xe3\x80\x80<x>\xc2\xa0", IDS(A, X));
    pct_tokenizer_destroy(&t);
    t = bytes(set_ascii); /* the bytes of U+00A0 that are here */
    gives(t, "a <x> b", IDS(A, X, B));
    gives(t, "<x>\xc3\xa9", IDS(X, C3, A9));
    pct_tokenizer_destroy(&t);
    t = bytes(set_word);
    gives(t, "a<x>", IDS(A));
    gives(t, "<x> b", IDS(X, BLANK, B));
    pct_tokenizer_destroy(&t);
    t = bytes(set_nfc);
    gives(t, "\xc3\xa9", IDS(C3, A9));
    gives(t, "e\xcc\x81", IDS(C3, A9));
    gives(t,
          "\xff"
          "e\xcc\x81"
          "\xc3",
          IDS(C3, A9, C3)); /* what is no UTF-8 stays */
    pct_tokenizer_destroy(&t);
}

static void set_rules_odd(pct_gguf_writer *writer) {
    const int32_t rules[] = {X};
    pct_gguf_set_array(writer, OWN("rules"), PCT_GGUF_I32, 1, rules);
}
static void set_rules_beyond(pct_gguf_writer *writer) {
    const int32_t rules[] = {7, 1};
    pct_gguf_set_array(writer, OWN("rules"), PCT_GGUF_I32, 2, rules);
}
static void set_rules_below(pct_gguf_writer *writer) {
    const int32_t rules[] = {-1, 1};
    pct_gguf_set_array(writer, OWN("rules"), PCT_GGUF_I32, 2, rules);
}
static void set_rules_bits(pct_gguf_writer *writer) {
    const int32_t rules[] = {X, 1 << 20};
    pct_gguf_set_array(writer, OWN("rules"), PCT_GGUF_I32, 2, rules);
}
static void set_rules_type(pct_gguf_writer *writer) {
    const unsigned char rules[] = {X, 1};
    pct_gguf_set_array(writer, OWN("rules"), PCT_GGUF_U8, 2, rules);
}
static void set_prefix(pct_gguf_writer *writer) { pct_gguf_set_string(writer, OWN("prefix"), "sometimes"); }
static void set_unknowns(pct_gguf_writer *writer) { pct_gguf_set_u32(writer, OWN("unknowns"), 3); }
static void set_nfc_text(pct_gguf_writer *writer) { pct_gguf_set_string(writer, OWN("nfc"), "yes"); }

static void hostile(void **state) {
    (void)state;
    static const struct {
        settings *set;
        const char *words;
    } cases[] = {
        {set_rules_odd, "item 0 is not a token's rules"},
        {set_rules_beyond, "item 0 is not a token's rules"},
        {set_rules_below, "item 0 is not a token's rules"},
        {set_rules_bits, "item 0 is not a token's rules"},
        {set_rules_type, OWN("rules")},
        {set_prefix, "'sometimes' is not known"},
        {set_unknowns, OWN("unknowns")},
        {set_nfc_text, OWN("nfc")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pct_tokenizer *tokenizer;
        percept_error error = {0};
        assert_int_equal(load("gpt2", words, word_kinds, 7, "a b", cases[i].set, &tokenizer, &error),
                         PERCEPT_ERROR_MODEL);
        if (!strstr(error.message, cases[i].words)) fail_msg("'%s' does not say '%s'", error.message, cases[i].words);
    }
}

static const char *const pieces[] = {"<unk>", "\xe2\x96\x81", "a", "b", "ab", "<|end|>", "<s>"};
static const int32_t piece_kinds[] = {2, 1, 1, 1, 1, 4, 4};
enum { UNK, SPACE, PA, PB, PAB, END, BOS };

static void set_phi3(pct_gguf_writer *writer) { pct_gguf_set_string(writer, "general.name", "Phi-3 mini"); }
static void set_phi3_ours(pct_gguf_writer *writer) {
    set_phi3(writer);
    pct_gguf_set_array(writer, OWN("rules"), PCT_GGUF_I32, 0, NULL);
}
static void set_characters(pct_gguf_writer *writer) { pct_gguf_set_bool(writer, OWN("characters"), true); }

static void phi3(void **state) {
    (void)state;
    pct_tokenizer *t;
    percept_error error = {0};
    assert_int_equal(load("llama", pieces, piece_kinds, 7, "a b", set_phi3, &t, &error), PERCEPT_OK);
    gives(t, "<|end|> \n a", IDS(END, SPACE, PA)); /* white space behind it goes, and "a" has its own blank */
    gives(t, "<s> a", IDS(BOS, SPACE, SPACE, PA)); /* not behind this one */
    pct_tokenizer_destroy(&t);
    assert_int_equal(load("llama", pieces, piece_kinds, 7, "a b", set_phi3_ours, &t, &error), PERCEPT_OK);
    gives(t, "<|end|> a", IDS(END, SPACE, SPACE, PA)); /* our files say themselves what holds */
    pct_tokenizer_destroy(&t);
}

/* Merges beside scores count only where the file says so. */
static void merges_of_pieces(void **state) {
    (void)state;
    pct_tokenizer *t;
    percept_error error = {0};
    assert_int_equal(load("llama", pieces, piece_kinds, 7, "nothing known", NULL, &t, &error), PERCEPT_OK);
    gives(t, "ab", IDS(SPACE, PAB));
    pct_tokenizer_destroy(&t);
    assert_int_equal(load("llama", pieces, piece_kinds, 7, "a b", set_characters, &t, &error), PERCEPT_OK);
    gives(t, "ab", IDS(SPACE, PAB));
    pct_tokenizer_destroy(&t);
    assert_int_equal(load("llama", pieces, piece_kinds, 7, "a c", set_characters, &t, &error), PERCEPT_ERROR_MODEL);
    assert_non_null(strstr(error.message, "item 0 joins tokens that are not in the vocabulary"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_bytes),    cmocka_unit_test(good), cmocka_unit_test(hostile), cmocka_unit_test(phi3),
        cmocka_unit_test(merges_of_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
