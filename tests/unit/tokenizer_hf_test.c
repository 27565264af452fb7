/* Tokenizers in the layouts of Hugging Face and SentencePiece: golden ids of the peers (tests/vectors/tokenizer, made
 * by tools/golden/tokenizers_small.py), the same after a way through a GGUF file, more tokens, hostile files. Whole
 * vocabularies are compared by bench/peers/tokenizers.sh. */
#include "base/file.h"
#include "base/text.h"
#include "formats/json_reader.h"
#include "tokenizer/draft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct test_case {
    char text[512];
    size_t length;
    bool special;
    int32_t ids[512];
    size_t count;
};

static bool read_case(pct_json_reader *reader, struct test_case *made) {
    percept_error error = {0};
    *made = (struct test_case){0};
    if (!pct_json_more(reader)) return false;
    assert_int_equal(pct_json_enter_object(reader, &error), PERCEPT_OK);
    while (pct_json_next_key(reader, &error)) {
        if (pct_json_key_is(reader, "text")) {
            const char *text;
            assert_int_equal(pct_json_read_string(reader, &text, &made->length, &error), PERCEPT_OK);
            assert_true(made->length < sizeof made->text);
            memcpy(made->text, text, made->length);
        } else if (pct_json_key_is(reader, "special")) {
            assert_int_equal(pct_json_read_bool(reader, &made->special, &error), PERCEPT_OK);
        } else {
            int64_t id;
            assert_int_equal(pct_json_enter_array(reader, &error), PERCEPT_OK);
            while (pct_json_next_item(reader, &error)) {
                assert_int_equal(pct_json_read_i64(reader, 0, 10000, &id, &error), PERCEPT_OK);
                made->ids[made->count++] = (int32_t)id;
            }
        }
    }
    return true;
}

static void check_case(const pct_tokenizer *tokenizer, const char *folder, const struct test_case *wanted) {
    pct_token_scratch scratch = {0};
    pct_ids ids = {0};
    percept_error error = {0};
    assert_int_equal(pct_tokenizer_encode(tokenizer, &scratch, wanted->text, wanted->length,
                                          wanted->special ? PCT_TOKENIZE_SPECIAL : 0, &ids, &error),
                     PERCEPT_OK);
    for (size_t i = 0; i < ids.count || i < wanted->count; i++)
        if (i >= ids.count || i >= wanted->count || ids.data[i] != wanted->ids[i])
            fail_msg("%s: '%s' (special %d): id %zu of %zu is %d, wanted %d of %zu", folder, wanted->text,
                     wanted->special, i, ids.count, i < ids.count ? ids.data[i] : -1,
                     i < wanted->count ? wanted->ids[i] : -1, wanted->count);
    pct_ids_free(&ids);
    pct_token_scratch_free(&scratch);
}

static void check_cases(const pct_tokenizer *tokenizer, const char *folder) {
    char *path = pct_path_join(folder, "cases.jsonl"), *data;
    size_t size, count = 0;
    percept_error error = {0};
    pct_json_reader reader;
    struct test_case wanted;
    assert_int_equal(pct_file_read(path, 1 << 20, &data, &size, &error), PERCEPT_OK);
    pct_json_reader_init(&reader, path, data, size);
    for (; read_case(&reader, &wanted); count++) check_case(tokenizer, folder, &wanted);
    assert_true(count >= 60);
    pct_json_reader_free(&reader);
    free(data);
    free(path);
}

static pct_tokenizer *opened(const char *path) {
    pct_tokenizer *tokenizer;
    percept_error error = {0};
    if (pct_tokenizer_open(&tokenizer, path, &error)) fail_msg("%s", error.message);
    return tokenizer;
}

/* Through a GGUF file and back. */
static pct_tokenizer *again(const pct_tokenizer *tokenizer) {
    char path[] = "/tmp/percept-hf-XXXXXX";
    percept_error error = {0};
    pct_gguf_writer *writer;
    const int handle = mkstemp(path);
    assert_true(handle >= 0);
    close(handle);
    assert_int_equal(pct_gguf_writer_create(&writer, &error), PERCEPT_OK);
    assert_int_equal(pct_tokenizer_save(tokenizer, writer, &error), PERCEPT_OK);
    if (pct_gguf_writer_begin(writer, path, &error)) fail_msg("%s", error.message);
    assert_int_equal(pct_gguf_writer_end(writer, &error), PERCEPT_OK);
    pct_gguf_writer_destroy(&writer);
    pct_tokenizer *made = opened(path);
    unlink(path);
    return made;
}

static const char *const folders[] = {"qwen2",  "qwen2-files", "llama3", "smollm",       "gpt2",    "gpt2-files",
                                      "llama2", "metaspace",   "spm",    "spm-squeezed", "no-bytes"};

static void golden(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *folder = pct_path_join(VECTORS, folders[i]);
        pct_tokenizer *tokenizer = opened(folder), *copy = again(tokenizer);
        check_cases(tokenizer, folder);
        check_cases(copy, folder);
        assert_int_equal(pct_tokenizer_size(copy), pct_tokenizer_size(tokenizer));
        assert_int_equal(pct_tokenizer_bos(copy), pct_tokenizer_bos(tokenizer));
        assert_int_equal(pct_tokenizer_eos(copy), pct_tokenizer_eos(tokenizer));
        assert_int_equal(pct_tokenizer_adds_bos(copy), pct_tokenizer_adds_bos(tokenizer));
        pct_tokenizer_destroy(&tokenizer);
        pct_tokenizer_destroy(&copy);
        free(folder);
    }
}

static void is_mark(const pct_tokenizer *tokenizer, int32_t id, const char *text) {
    size_t length;
    if (!text) {
        assert_int_equal(id, -1);
        return;
    }
    assert_string_equal(pct_tokenizer_text(tokenizer, id, &length), text);
    assert_true(pct_tokenizer_is_special(tokenizer, id));
}

static void marks(void **state) {
    (void)state;
    static const struct {
        const char *folder, *bos, *eos, *pad;
        bool add_bos;
    } wanted[] = {
        {"qwen2", NULL, "<|im_end|>", "</s>", false}, {"llama3", "<s>", "</s>", NULL, true},
        {"gpt2-files", "<s>", "</s>", NULL, false},   {"llama2", "<s>", NULL, NULL, true},
        {"spm", "<s>", "</s>", "<unk>", true},        {"smollm", NULL, NULL, NULL, false},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        char *folder = pct_path_join(VECTORS, wanted[i].folder);
        pct_tokenizer *tokenizer = opened(folder);
        is_mark(tokenizer, pct_tokenizer_bos(tokenizer), wanted[i].bos);
        is_mark(tokenizer, pct_tokenizer_eos(tokenizer), wanted[i].eos);
        is_mark(tokenizer, pct_tokenizer_pad(tokenizer), wanted[i].pad);
        assert_int_equal(pct_tokenizer_adds_bos(tokenizer), wanted[i].add_bos);
        pct_tokenizer_destroy(&tokenizer);
        free(folder);
    }
    pct_tokenizer *tokenizer = opened(VECTORS "/qwen2"), *copy = again(tokenizer);
    assert_string_equal(pct_tokenizer_chat_template(copy), "{# ours #}<|im_start|>{{ messages }}<|im_end|>");
    pct_tokenizer_destroy(&tokenizer);
    pct_tokenizer_destroy(&copy);
    tokenizer = opened(VECTORS "/qwen2/tokenizer.json"); /* the file alone is the folder's */
    assert_non_null(pct_tokenizer_chat_template(tokenizer));
    pct_tokenizer_destroy(&tokenizer);
}

static void extended(void **state) {
    (void)state;
    static const char *const texts[] = {"[SEG]", "<loc>", "[REJ]", "[SEG]"};
    static const char *const kinds[] = {"qwen2", "spm", "llama2"};
    for (size_t i = 0; i < 3; i++) {
        char *folder = pct_path_join(VECTORS, kinds[i]);
        pct_tokenizer *tokenizer = opened(folder), *more;
        percept_error error = {0};
        const int32_t size = pct_tokenizer_size(tokenizer);
        assert_int_equal(pct_tokenizer_extend(&more, tokenizer, texts, 4, size + 8, &error), PERCEPT_OK);
        assert_int_equal(pct_tokenizer_size(more), size + 8);
        assert_int_equal(pct_tokenizer_special(more, "[SEG]"), size);
        assert_int_equal(pct_tokenizer_special(more, "[REJ]"), size + 1);
        assert_int_equal(pct_tokenizer_special(more, "<loc>"), pct_tokenizer_special(tokenizer, "<loc>"));
        check_cases(more, folder);
        pct_tokenizer *copy = again(more);
        check_cases(copy, folder);
        assert_int_equal(pct_tokenizer_special(copy, "[REJ]"), size + 1);
        assert_true(pct_tokenizer_is_special(copy, size));
        pct_tokenizer_destroy(&copy);
        pct_tokenizer_destroy(&more);
        assert_int_equal(pct_tokenizer_extend(&more, tokenizer, texts, 4, size, &error), PERCEPT_ERROR_USAGE);
        assert_null(more);
        static const char *const empty[] = {""};
        assert_int_equal(pct_tokenizer_extend(&more, tokenizer, empty, 1, 0, &error), PERCEPT_ERROR_USAGE);
        pct_tokenizer_destroy(&tokenizer);
        free(folder);
    }
}

/* ---- hostile files ---- */

static void refused(percept_status status, const pct_tokenizer *tokenizer, const percept_error *error,
                    const char *words) {
    if (status != PERCEPT_ERROR_MODEL) fail_msg("wanted '%s', got %d (%s)", words, status, error->message);
    assert_int_equal(error->status, status); /* the exit code is made of it */
    assert_null(tokenizer);
    if (!strstr(error->message, words)) fail_msg("'%s' does not say '%s'", error->message, words);
    if (strncmp(error->message, "x.json", 6) != 0) fail_msg("'%s' does not name the file", error->message);
}

#define STEPS "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"

static void refuses_json(const char *text, const char *words) {
    pct_tokenizer *tokenizer;
    percept_error error = {0};
    const percept_status status = pct_hf_json_read(&tokenizer, "x.json", text, strlen(text), NULL, &error);
    refused(status, tokenizer, &error, words);
}

static void hostile_json(void **state) {
    (void)state;
#define MODEL(vocab, merges) "{" STEPS "\"model\":{\"type\":\"BPE\",\"vocab\":{" vocab "},\"merges\":[" merges "]}}"
#define ADDED(tokens)        "{" STEPS "\"added_tokens\":[" tokens "],\"model\":{\"vocab\":{\"a\":0,\"b\":1},\"merges\":[]}}"
    refuses_json("", "");
    refuses_json("[]", "an object was expected");
    refuses_json("{}", "has no key 'model'");
    refuses_json("{\"model\":{\"vocab\":{\"a\":0}}}", "neither a pre_tokenizer");
    refuses_json("{" STEPS "\"model\":{\"vocab\":{}}}", "empty");
    refuses_json(MODEL("\"a\":0", "") "x", "more stands behind");
    refuses_json(MODEL("\"a\":0", "") " {}", "more stands behind");
    refuses_json(MODEL("\"a\":-1", ""), "an integer from 0");
    refuses_json(MODEL("\"a\":1.5", ""), "an integer from 0");
    refuses_json(MODEL("\"a\":9223372036854775808", ""), "an integer from 0");
    refuses_json(MODEL("\"a\":4194304", ""), "an integer from 0");
    refuses_json(MODEL("\"a\":4194303", ""), "may be left out"); /* memory for four millions from a small file */
    refuses_json(MODEL("\"a\":0,\"b\":0", ""), "given to two tokens");
    refuses_json(MODEL("\"a\":0,\"a\":1", ""), "there twice");
    refuses_json(MODEL("\"a\":0,\"b\":1", "\"a b\""), "names a token that is not in the vocabulary");
    refuses_json(MODEL("\"a\":0,\"b\":1,\"ab\":2", "\"a c\""), "names a token that is not in the vocabulary");
    refuses_json(MODEL("\"a\":0,\"ab\":1", "\"ab\""), "two tokens with a blank");
    refuses_json(MODEL("\"a\":0,\"b\":1,\"ab\":2", "[\"a\"]"), "a string was expected");
    refuses_json(MODEL("\"a\":0,\"b\":1,\"ab\":2", "[\"a\",\"b\",\"c\"]"), "more stand here");
    refuses_json(MODEL("\"a\":0,\"b\":1,\"ab\":2", "[\"a\",\"\"]"), "is not two tokens");
    refuses_json(MODEL("\"a\":0,\"b\":1,\"ab\":2", "7"), "a string was expected");
    refuses_json("{" STEPS "\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0.5]]}}", "'Unigram' is not supported");
    refuses_json("{" STEPS "\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}}", "'WordPiece' is not supported");
    refuses_json("{" STEPS "\"model\":{\"end_of_word_suffix\":\"</w>\",\"vocab\":{\"a\":0}}}", "end_of_word_suffix");
    refuses_json(ADDED("{\"id\":0,\"content\":\"b\"}"), "there twice");
    refuses_json(ADDED("{\"id\":0,\"content\":\"<x>\"}"), "given to two tokens");
    refuses_json(ADDED("{\"id\":2,\"content\":\"<x>\"},{\"id\":3,\"content\":\"<x>\"}"), "there twice");
    refuses_json(ADDED("{\"id\":2,\"content\":\"<x>\"},{\"id\":2,\"content\":\"<y>\"}"), "given to two tokens");
    refuses_json(ADDED("{\"id\":2}"), "no content or no id");
    refuses_json(ADDED("{\"id\":2,\"content\":\"\"}"), "no content or no id");
    refuses_json(ADDED("{\"id\":99999999999,\"content\":\"x\"}"), "an integer from 0");
#define SPLIT(steps) "{\"pre_tokenizer\":" steps ",\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}"
    refuses_json(SPLIT("{\"type\":\"Whitespace\"}"), "'Whitespace'");
    refuses_json(SPLIT("{\"type\":\"ByteLevel\"}"), "known are those of qwen2");
    refuses_json(
        SPLIT("{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a+)+b\"},"
              "\"behavior\":\"Isolated\"},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}"),
        "pattern '(a+)+b'");
    refuses_json(SPLIT("{\"type\":\"Metaspace\",\"replacement\":\"_\",\"split\":false}"), "Metaspace");
    refuses_json("{\"normalizer\":{\"type\":\"Lowercase\"}," STEPS "\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}",
                 "'Lowercase' is not supported");
}

/* A value that is parsed apart is named: its lines are not the file's. */
static void named_steps(void **state) {
    (void)state;
    refuses_json("\n\n{\"pre_tokenizer\":{\"type\":\"a\",\"type\":\"b\"},\"model\":{\"vocab\":{\"a\":0}}}",
                 "x.json: pre_tokenizer:1:");
}

/* "content" of such a token goes through the normalizer in Hugging Face's code, and not here. */
static void normalised_tokens(void **state) {
    (void)state;
#define BLANKS(normalised)                                                                                             \
    "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"\xe2\x96\x81\"},{"    \
    "\"type\":"                                                                                                        \
    "\"Replace\",\"pattern\":{\"String\":\" "                                                                          \
    "\"},\"content\":\"\xe2\x96\x81\"}]},\"added_tokens\":[{\"id\":1,\"content\":"                                     \
    "\"<x>\",\"normalized\":" normalised "}],\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}"
    refuses_json(BLANKS("true"), "the added token '<x>' is normalized");
    pct_tokenizer *tokenizer;
    percept_error error = {0};
    const char *good = BLANKS("false");
    if (pct_hf_json_read(&tokenizer, "x.json", good, strlen(good), NULL, &error)) fail_msg("%s", error.message);
    pct_tokenizer_destroy(&tokenizer);
}

/* Texts may be empty, so that ids say nothing of how many there are. */
static void too_many_tokens(void **state) {
    (void)state;
    pct_draft draft = {.name = "x.json", .tokens = {.count = PCT_BPE_MAX_VOCABULARY}};
    percept_error error = {0};
    draft.tokens.capacity = draft.tokens.count;
    refused(pct_draft_add(&draft, &draft.tokens, "", 0, (pct_draft_token){0}, &error), NULL, &error,
            "more than 4194304 tokens");
    pct_draft_free(&draft);
}

static void long_texts_json(void **state) {
    (void)state;
    pct_text text = {0};
    pct_text_puts(&text, "{" STEPS "\"model\":{\"vocab\":{\"");
    for (int i = 0; i < 9000; i++) pct_text_puts(&text, "a");
    pct_text_puts(&text, "\":0}}}");
    refuses_json(text.data, "9000 bytes");
    pct_text_free(&text);
    /* Sequences in sequences do not nest without end. */
    pct_text_puts(&text, "{\"pre_tokenizer\":");
    for (int i = 0; i < 30; i++) pct_text_puts(&text, "{\"type\":\"Sequence\",\"pretokenizers\":[");
    pct_text_puts(&text, "{\"type\":\"Digits\"}");
    for (int i = 0; i < 30; i++) pct_text_puts(&text, "]}");
    pct_text_puts(&text, ",\"model\":{\"vocab\":{\"a\":0}}}");
    refuses_json(text.data, "not supported");
    pct_text_free(&text);
}

static void refuses_vocab(const char *vocab, const char *merges, const char *class, const char *words) {
    pct_tokenizer *tokenizer;
    percept_error error = {0};
    pct_hf_extras extras = {.config = json_pack("{s:s}", "tokenizer_class", class)};
    const percept_status status =
        pct_hf_vocab_read(&tokenizer, "x.json", vocab, strlen(vocab), merges, strlen(merges), &extras, &error);
    refused(status, tokenizer, &error, words);
    pct_hf_extras_free(&extras);
}

static void hostile_vocab(void **state) {
    (void)state;
    refuses_vocab("{\"a\":0}", "#version: 0.2\na b\n", "GPT2Tokenizer", "not in the vocabulary");
    refuses_vocab("{\"a\":0,\"b\":1}", "ab\n", "GPT2Tokenizer", "line 1: not two tokens");
    refuses_vocab("{\"a\":0,\"b\":1}", "#version: 0.2\n\n \n", "GPT2Tokenizer", "line 3: not two tokens");
    refuses_vocab("{\"a\":0,\"b\":1}", "a \xff\n", "GPT2Tokenizer", "line 1: not two tokens");
    refuses_vocab("{\"a\":0}", "", "BertTokenizer", "'BertTokenizer'");
    refuses_vocab("{\"a\":0", "", "GPT2Tokenizer", "cut off");
    refuses_vocab("{\"a\":[0]}", "", "GPT2Tokenizer", "an integer was expected");
    refuses_vocab("{\"a\":0} {}", "", "GPT2Tokenizer", "more stands behind");
    /* Added tokens from the files beside it. */
    pct_hf_extras extras = {.config = json_pack("{s:s}", "tokenizer_class", "GPT2Tokenizer"),
                            .added = json_pack("{s:I}", "<x>", (json_int_t)1 << 40)};
    pct_tokenizer *tokenizer;
    percept_error error = {0};
    percept_status status = pct_hf_vocab_read(&tokenizer, "x.json", "{\"a\":0}", 7, "", 0, &extras, &error);
    refused(status, tokenizer, &error, "ids are 0 to");
    json_decref(extras.added);
    extras.added = NULL;
    extras.special = json_pack("{s:[s]}", "additional_special_tokens", "<y>");
    status = pct_hf_vocab_read(&tokenizer, "x.json", "{\"a\":0}", 7, "", 0, &extras, &error);
    refused(status, tokenizer, &error, "'<y>' has no id");
    json_decref(extras.special);
    extras.special = NULL;
    json_object_set_new(extras.config, "added_tokens_decoder", json_pack("{s:{s:s}}", "-3x", "content", "<z>"));
    status = pct_hf_vocab_read(&tokenizer, "x.json", "{\"a\":0}", 7, "", 0, &extras, &error);
    refused(status, tokenizer, &error, "'-3x' is not an id");
    pct_hf_extras_free(&extras);
}

static void refuses_model(const void *data, size_t size, const char *words) {
    pct_tokenizer *tokenizer;
    percept_error error = {0};
    const percept_status status = pct_spm_model_read(&tokenizer, "x.json", data, size, NULL, &error);
    refused(status, tokenizer, &error, words);
}

#define BPE_MODEL             "\x12\x02\x18\x02" /* trainer_spec { model_type: BPE } */
#define REFUSES(bytes, words) refuses_model(bytes, sizeof(bytes) - 1, words)

static void hostile_model(void **state) {
    (void)state;
    REFUSES("", "fetch the file again");
    REFUSES("\x0a\x03\x0a\x01"
            "a",
            "'unigram' is not supported");
    REFUSES("\x0a\x03\x0a\x01"
            "a"
            "\x12\x02\x18\x03",
            "'words' is not supported");
    REFUSES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "fetch the file again");         /* a length of 2^64 - 1 */
    REFUSES("\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "fetch the file again"); /* a number without end */
    REFUSES("\x0a\x05\x0a\x09"
            "aaa",
            "fetch the file again");             /* a text beyond its piece */
    REFUSES("\x0b\x01", "fetch the file again"); /* groups are not used */
    REFUSES("\x02\x01"
            "a",
            "fetch the file again"); /* field 0 */
    REFUSES("\x0a\x05\x0a\x01"
            "a"
            "\x18\x07" BPE_MODEL,
            "unknown type 7");
    REFUSES("\x0a\x08\x0a\x01"
            "a"
            "\x15\x00\x00\xc0\x7f" BPE_MODEL,
            "no finite score");
    REFUSES("\x0a\x03\x0a\x01\xff" BPE_MODEL, "not UTF-8");
    REFUSES("\x0a\x03\x0a\x01"
            "a"
            "\x0a\x03\x0a\x01"
            "a" BPE_MODEL,
            "there twice");
    REFUSES("\x0a\x03\x0a\x01"
            "a" BPE_MODEL "\x1a\x03\x12\x01x",
            "normalisation");
    REFUSES("\x0a\x03\x0a\x01"
            "a"
            "\x12\x05\x18\x02\xc8\x02\x63",
            "a special token's id is 99");
    REFUSES("\x0a\x03\x0a\x01"
            "a"
            "\x12\x05\x18\x02\xc0\x01\x01",
            "suffixes");
}

static void missing(void **state) {
    (void)state;
    pct_tokenizer *tokenizer;
    percept_error error = {0};
    assert_int_equal(pct_tokenizer_open(&tokenizer, VECTORS, &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, "wanted tokenizer.json"));
    assert_int_equal(pct_tokenizer_open(&tokenizer, VECTORS "/none", &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_tokenizer_open(&tokenizer, VECTORS "/qwen2/cases.jsonl", &error), PERCEPT_ERROR_MODEL);
    assert_null(tokenizer);
}

/* Combining marks in the worst order: sorting them must not take the square of their number. */
static void marks_in_a_row(void **state) {
    (void)state;
    const size_t count = 1 << 19;
    char *text = malloc(2 * count);
    for (size_t i = 0; i < count; i++) memcpy(text + 2 * i, i % 2 ? "\xcc\xa3" : "\xcc\x81", 2);
    pct_tokenizer *tokenizer = opened(VECTORS "/qwen2");
    pct_token_scratch scratch = {0};
    pct_ids ids = {0};
    percept_error error = {0};
    assert_int_equal(pct_tokenizer_encode(tokenizer, &scratch, text, 2 * count, 0, &ids, &error), PERCEPT_OK);
    assert_true(ids.count > 0);
    pct_ids_free(&ids);
    pct_token_scratch_free(&scratch);
    pct_tokenizer_destroy(&tokenizer);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),          cmocka_unit_test(marks),
        cmocka_unit_test(extended),        cmocka_unit_test(hostile_json),
        cmocka_unit_test(long_texts_json), cmocka_unit_test(too_many_tokens),
        cmocka_unit_test(named_steps),     cmocka_unit_test(normalised_tokens),
        cmocka_unit_test(hostile_vocab),   cmocka_unit_test(hostile_model),
        cmocka_unit_test(missing),         cmocka_unit_test(marks_in_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
