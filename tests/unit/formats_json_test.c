/* JSON: what is refused and where, typed getters, the pull reader against jansson on random documents, escaping. */
#include "base/random.h"
#include "formats/json.h"
#include "formats/json_reader.h"
#include "formats/utf8.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void errors_name_file_line_and_column(void **state) {
    percept_error error = {0};
    json_t *root;
    const char *bad = "{\"a\": 1,\n  \"b\": tru}\n";
    assert_int_equal(pct_json_parse(&root, "req.json", bad, strlen(bad), &error), PERCEPT_ERROR_INPUT);
    assert_null(root);
    assert_memory_equal(error.message, "req.json:2:", 11);
    const char *twice = "{\"a\": 1, \"a\": 2}";
    assert_int_equal(pct_json_parse(&root, "x", twice, strlen(twice), &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_json_parse(&root, "x", "", 0, &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_json_parse(&root, "x", "{} {}", 5, &error), PERCEPT_ERROR_INPUT);
}

/* CVE-2026-21869: a negative number from a request became an index. */
static void numbers_are_range_checked(void **state) {
    percept_error error = {0};
    json_t *root;
    const char *text = "{\"n\": -1, \"r\": 0.5, \"s\": \"x\", \"t\": true, \"z\": null, \"o\": {}, \"l\": [], \"big\": "
                       "9223372036854775807}";
    assert_int_equal(pct_json_parse(&root, "x", text, strlen(text), &error), PERCEPT_OK);
    int64_t i = 0;
    double d = 0;
    bool flag = false;
    const char *s;
    json_t *child;
    assert_int_equal(pct_json_get_i64(root, "n", 0, 10, &i, &error), PERCEPT_ERROR_INPUT);
    assert_string_equal(error.message, "key 'n': is -1; give it an integer from 0 to 10");
    assert_int_equal(pct_json_get_i64(root, "n", -1, 10, &i, &error), PERCEPT_OK);
    assert_int_equal(i, -1);
    assert_int_equal(pct_json_get_i64(root, "big", 0, 10, &i, &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_json_get_i64(root, "r", 0, 10, &i, &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_json_get_i64(root, "s", 0, 10, &i, &error), PERCEPT_ERROR_INPUT);
    assert_string_equal(error.message, "key 's': is a string; give it an integer from 0 to 10");
    assert_int_equal(pct_json_get_i64(root, "none", 0, 10, &i, &error), PERCEPT_ERROR_INPUT);
    assert_string_equal(error.message, "key 'none': missing; give it an integer from 0 to 10");
    assert_int_equal(pct_json_get_f64(root, "r", 0, 1, &d, &error), PERCEPT_OK);
    assert_true(d == 0.5);
    assert_int_equal(pct_json_get_f64(root, "n", 0, 1, &d, &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_json_get_bool(root, "t", &flag, &error), PERCEPT_OK);
    assert_true(flag);
    assert_int_equal(pct_json_get_bool(root, "n", &flag, &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_json_get_string(root, "s", &s, &error), PERCEPT_OK);
    assert_string_equal(s, "x");
    assert_int_equal(pct_json_get_string(root, "z", &s, &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_json_get_string_or(root, "z", "y", &s, &error), PERCEPT_OK);
    assert_string_equal(s, "y");
    assert_int_equal(pct_json_get_i64_or(root, "none", 0, 9, 4, &i, &error), PERCEPT_OK);
    assert_int_equal(i, 4);
    assert_int_equal(pct_json_get_i64_or(root, "n", 0, 9, 4, &i, &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_json_get_f64_or(root, "none", 0, 9, 0.25, &d, &error), PERCEPT_OK);
    assert_true(d == 0.25);
    assert_int_equal(pct_json_get_bool_or(root, "none", true, &flag, &error), PERCEPT_OK);
    assert_int_equal(pct_json_get_object(root, "o", &child, &error), PERCEPT_OK);
    assert_int_equal(pct_json_get_object(root, "l", &child, &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_json_get_array(root, "l", &child, &error), PERCEPT_OK);
    assert_int_equal(pct_json_get_array_or_null(root, "none", &child, &error), PERCEPT_OK);
    assert_null(child);
    assert_int_equal(pct_json_get_object_or_null(root, "z", &child, &error), PERCEPT_OK);
    assert_null(child);
    const char *const known[] = {"n", "r", "s", "t", "z", "o", "l", NULL};
    assert_int_equal(pct_json_refuse_unknown(root, known, &error), PERCEPT_ERROR_INPUT);
    assert_string_equal(error.message, "key 'big': unknown; known are n, r, s, t, z, o, l");
    json_decref(root);
}

/* Builds jansson's tree from the pull reader's events; NULL on an error. The event is the value's first. */
static json_t *tree(pct_json_reader *reader, enum pct_json_event event) {
    json_t *out = NULL, *item;
    switch (event) {
    case PCT_JSON_OBJECT_BEGIN:
        out = json_object();
        while ((event = pct_json_next(reader, NULL)) == PCT_JSON_KEY) {
            char *key = strndup(reader->string, reader->length);
            item = tree(reader, pct_json_next(reader, NULL));
            if (!item || json_object_get(out, key)) {
                json_decref(item);
                event = PCT_JSON_ERROR;
                free(key);
                break;
            }
            json_object_set_new(out, key, item);
            free(key);
        }
        if (event == PCT_JSON_OBJECT_END) return out;
        break;
    case PCT_JSON_ARRAY_BEGIN:
        out = json_array();
        while ((event = pct_json_next(reader, NULL)) != PCT_JSON_ARRAY_END) {
            if (!(item = tree(reader, event))) break;
            json_array_append_new(out, item);
        }
        if (event == PCT_JSON_ARRAY_END) return out;
        break;
    case PCT_JSON_STRING:
        return json_stringn(reader->string, reader->length);
    case PCT_JSON_NUMBER:
        return reader->integer ? json_integer(reader->i64) : json_real(reader->number);
    case PCT_JSON_TRUE:
        return json_true();
    case PCT_JSON_FALSE:
        return json_false();
    case PCT_JSON_NULL:
        return json_null();
    default:
        break;
    }
    json_decref(out);
    return NULL;
}

static json_t *whole(const char *data, size_t size) {
    pct_json_reader reader;
    pct_json_reader_init(&reader, "doc", data, size);
    json_t *out = tree(&reader, pct_json_next(&reader, NULL));
    if (out && pct_json_next(&reader, NULL) != PCT_JSON_END) {
        json_decref(out);
        out = NULL;
    }
    pct_json_reader_free(&reader);
    return out;
}

static void random_string(pct_random *random, pct_text *out) {
    static const char *const pieces[] = {"a",        "Z9",           "\\n",  "\\\"",           "\\u00e9",
                                         "\xc3\xa9", "\xe2\x82\xac", "\\\\", "\\ud83d\\ude00", "\xf0\x9f\x98\x80",
                                         "\\/",      "\\u0001",      " "};
    pct_text_puts(out, "\"");
    for (uint32_t n = pct_random_below(random, 6); n; n--) {
        pct_text_puts(out, pieces[pct_random_below(random, sizeof pieces / sizeof pieces[0])]);
    }
    pct_text_puts(out, "\"");
}

static void random_value(pct_random *random, pct_text *out, int depth) {
    static const char *const plain[] = {"true", "false", "null", "0",    "-0",
                                        "12",   "-3.5",  "1e3",  "2E-2", "9223372036854775807",
                                        "0.1",  "[]",    "{}",   " 7 "};
    uint32_t kind = pct_random_below(random, depth > 4 ? 2 : 4);
    if (kind == 0) {
        pct_text_puts(out, plain[pct_random_below(random, sizeof plain / sizeof plain[0])]);
    } else if (kind == 1) {
        random_string(random, out);
    } else {
        uint32_t count = pct_random_below(random, 5);
        pct_text_puts(out, kind == 2 ? "[" : "{");
        for (uint32_t i = 0; i < count; i++) {
            if (i) pct_text_puts(out, pct_random_below(random, 2) ? "," : " ,\n");
            if (kind == 3) {
                pct_text_printf(out, "\"k%u\" :", i);
            }
            random_value(random, out, depth + 1);
        }
        pct_text_puts(out, kind == 2 ? "]" : "}");
    }
}

/* On random documents, and on the same with a byte changed, both readers accept the same and see the same. */
static void pull_reader_agrees_with_jansson(void **state) {
    pct_random random;
    pct_random_init(&random, 7, 0, 0);
    int good = 0, bad = 0;
    for (int round = 0; round < 20000; round++) {
        pct_text text = {0};
        random_value(&random, &text, 0);
        if (round % 2 && text.length) {
            static const char noise[] = "{}[]\",:\\0129-.eE+tfn \x80\xc3\x01";
            text.data[pct_random_below(&random, (uint32_t)text.length)] =
                noise[pct_random_below(&random, sizeof noise - 1)];
        }
        json_error_t problem = {0};
        json_t *expected =
            json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
        json_t *found = whole(text.data, text.length);
        /* Integers beyond 64 bits: jansson refuses them, we read them as doubles. */
        bool wide = !expected && json_error_code(&problem) == json_error_numeric_overflow;
        if (!expected != !found && !wide)
            fail_msg("round %d: jansson %s, we %s: %s", round, expected ? "yes" : "no", found ? "yes" : "no",
                     text.data);
        if (expected) {
            if (!json_equal(expected, found)) fail_msg("round %d: differs: %s", round, text.data);
            good++;
        } else {
            bad++;
        }
        json_decref(expected);
        json_decref(found);
        pct_text_free(&text);
    }
    assert_true(good > 1000 && bad > 1000); /* both sides were really tried */
}

static void reader_refuses(const char *text, size_t size, const char *words) {
    pct_json_reader reader;
    percept_error error = {0};
    pct_json_reader_init(&reader, "d.jsonl", text, size);
    enum pct_json_event event;
    while ((event = pct_json_next(&reader, &error)) != PCT_JSON_ERROR) assert_int_not_equal(event, PCT_JSON_END);
    if (!strstr(error.message, words)) fail_msg("'%s' does not say '%s'", error.message, words);
    assert_memory_equal(error.message, "d.jsonl:", 8);
    assert_int_equal(pct_json_reader_status(&reader), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_json_next(&reader, &error), PCT_JSON_ERROR); /* it stays so */
    pct_json_reader_free(&reader);
}
#define REFUSES(text, words) reader_refuses(text, sizeof(text) - 1, words)

static void pull_reader_refuses(void **state) {
    REFUSES("{\"a\": 1,\n \"b\" 2}", "d.jsonl:2:6: ");
    REFUSES("[1, 2", "cut off");
    REFUSES("{\"a\": \"x", "closing quote");
    REFUSES("[01]", "',' or ']'");
    REFUSES("[+1]", "a value was expected");
    REFUSES("[1.]", "a value was expected");
    REFUSES("[.5]", "a value was expected");
    REFUSES("[1e]", "a value was expected");
    REFUSES("[1e999]", "out of range");
    REFUSES("[NaN]", "a value was expected");
    REFUSES("[Infinity]", "a value was expected");
    REFUSES("[\"\\ud800\"]", "malformed escape");
    REFUSES("[\"\\ud800\\u0041\"]", "malformed escape");
    REFUSES("[\"\\udc00\"]", "malformed escape");
    REFUSES("[\"\\u12g4\"]", "malformed escape");
    REFUSES("[\"\\x41\"]", "malformed escape");
    REFUSES("[\"a\tb\"]", "control character");
    REFUSES("[\"\xc0\xaf\"]", "not UTF-8");         /* overlong */
    REFUSES("[\"\xed\xa0\x80\"]", "not UTF-8");     /* a surrogate in UTF-8 */
    REFUSES("[\"\xf4\x90\x80\x80\"]", "not UTF-8"); /* beyond U+10FFFF */
    REFUSES("[1,]", "a value was expected");
    REFUSES("{\"a\":1,}", "a key in quotes");
    REFUSES("{'a':1}", "a key in quotes");
    REFUSES("[}", "a value was expected");
    REFUSES("{}{}", "white space");
    char deep[200];
    memset(deep, '[', sizeof deep);
    reader_refuses(deep, sizeof deep, "deeper than 64");
    char digits[200] = "[";
    memset(digits + 1, '1', sizeof digits - 2);
    reader_refuses(digits, sizeof digits - 1, "127 characters");
}

static void strings_with_nul_and_escapes(void **state) {
    const char text[] = "\"a\\u0000b\\uD83D\\uDE00\\/\"";
    pct_json_reader reader;
    pct_json_reader_init(&reader, "x", text, sizeof text - 1);
    const char *s;
    size_t length;
    assert_int_equal(pct_json_read_string(&reader, &s, &length, NULL), PERCEPT_OK);
    assert_int_equal(length, 8);
    assert_memory_equal(s, "a\0b\xf0\x9f\x98\x80/", 8);
    assert_false(pct_json_more(&reader));
    assert_int_equal(pct_json_next(&reader, NULL), PCT_JSON_END);
    pct_json_reader_free(&reader);
}

static void lines_are_read_with_helpers(void **state) {
    const char text[] = "\xef\xbb\xbf{\"image\":\"a.png\",\"w\":3,\"other\":[1,{\"x\":[]}],\"box\":[0,1.5,2,3]}\n"
                        "\n{\"w\":4,\"box\":[],\"flag\":true}\n";
    pct_json_reader reader;
    percept_error error = {0};
    pct_json_reader_init(&reader, "data.jsonl", text, sizeof text - 1);
    int lines = 0, corners = 0;
    int64_t width = 0, sum = 0;
    bool flag = false;
    while (pct_json_more(&reader)) {
        assert_int_equal(pct_json_enter_object(&reader, &error), PERCEPT_OK);
        while (pct_json_next_key(&reader, &error)) {
            if (pct_json_key_is(&reader, "w")) {
                assert_int_equal(pct_json_read_i64(&reader, 1, 9, &width, &error), PERCEPT_OK);
                sum += width;
            } else if (pct_json_key_is(&reader, "box")) {
                assert_int_equal(pct_json_enter_array(&reader, &error), PERCEPT_OK);
                double corner;
                while (pct_json_next_item(&reader, &error)) {
                    assert_int_equal(pct_json_peek(&reader), PCT_JSON_NUMBER);
                    assert_int_equal(pct_json_read_f64(&reader, 0, 9, &corner, &error), PERCEPT_OK);
                    corners++;
                }
            } else if (pct_json_key_is(&reader, "flag")) {
                assert_int_equal(pct_json_read_bool(&reader, &flag, &error), PERCEPT_OK);
            } else {
                assert_int_equal(pct_json_skip(&reader, &error), PERCEPT_OK);
            }
        }
        assert_int_equal(pct_json_reader_status(&reader), PERCEPT_OK);
        lines++;
    }
    assert_int_equal(lines, 2);
    assert_int_equal(sum, 7);
    assert_int_equal(corners, 4);
    assert_true(flag);
    pct_json_reader_free(&reader);
}

static void helpers_say_what_stands_there(void **state) {
    percept_error error = {0};
    int64_t i;
    pct_json_reader reader;
    pct_json_reader_init(&reader, "d", "{\n\"w\": \"x\"}", 12);
    assert_int_equal(pct_json_enter_object(&reader, &error), PERCEPT_OK);
    assert_true(pct_json_next_key(&reader, &error));
    assert_int_equal(pct_json_read_i64(&reader, 0, 9, &i, &error), PERCEPT_ERROR_INPUT);
    assert_string_equal(error.message, "d:2:9: an integer was expected, a string stands here");
    pct_json_reader_free(&reader);
    pct_json_reader_init(&reader, "d", "70000", 5);
    assert_int_equal(pct_json_read_i64(&reader, 1, 65535, &i, &error), PERCEPT_ERROR_INPUT);
    assert_string_equal(error.message, "d:1:6: an integer from 1 to 65535 was expected, not 70000");
    pct_json_reader_free(&reader);
    pct_json_reader_init(&reader, "d", "[1]", 3);
    assert_int_equal(pct_json_enter_object(&reader, &error), PERCEPT_ERROR_INPUT);
    pct_json_reader_free(&reader);
}

/* Anything that is written reads back; bytes that are not UTF-8 become U+FFFD. */
static void escaping_round_trip(void **state) {
    pct_random random;
    pct_random_init(&random, 3, 0, 0);
    for (int round = 0; round < 2000; round++) {
        char bytes[32];
        size_t length = pct_random_below(&random, sizeof bytes);
        for (size_t i = 0; i < length; i++) bytes[i] = (char)pct_random_below(&random, round % 2 ? 128 : 256);
        pct_text text = {0};
        pct_json_add_string(&text, bytes, length);
        pct_json_reader reader;
        pct_json_reader_init(&reader, "x", text.data, text.length);
        const char *back;
        size_t back_length;
        percept_error error = {0};
        if (pct_json_read_string(&reader, &back, &back_length, &error)) fail_msg("%s: %s", error.message, text.data);
        assert_true(pct_utf8_valid(back, back_length));
        if (pct_utf8_valid(bytes, length)) {
            assert_int_equal(back_length, length);
            assert_memory_equal(back, bytes, length);
        }
        pct_json_reader_free(&reader);
        pct_text_free(&text);
    }
    pct_text text = {0};
    pct_json_add_text(&text, "a\"\\\n\x01\xff\x7f\xc3\xa9");
    assert_string_equal(text.data, "\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\\u007f\xc3\xa9\"");
    pct_text_clear(&text);
    pct_json_add_text(&text, NULL);
    assert_string_equal(text.data, "null");
    pct_text_free(&text);
}

static void utf8_is_strict(void **state) {
    int valid = 0;
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        char bytes[4];
        uint32_t back;
        int size = pct_utf8_write(code, bytes);
        assert_int_equal(pct_utf8_read(bytes, (size_t)size, &back), size);
        if (code >= 0xd800 && code <= 0xdfff) {
            assert_int_equal(back, 0xfffd);
            continue;
        }
        assert_int_equal(back, code);
        for (int cut = 1; cut < size; cut++) {
            assert_int_equal(pct_utf8_read(bytes, (size_t)cut, &back), 0);
            assert_true(pct_utf8_partial(bytes, (size_t)cut));
        }
        valid++;
    }
    assert_int_equal(valid, 0x110000 - 0x800);
    assert_false(pct_utf8_partial("\xc0", 1));
    assert_false(pct_utf8_partial("\xe0\x80", 2));
    assert_false(pct_utf8_partial("\xed\xa0", 2));
    assert_false(pct_utf8_partial("\xf5", 1));
    assert_false(pct_utf8_partial("a", 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_name_file_line_and_column),
        cmocka_unit_test(numbers_are_range_checked),
        cmocka_unit_test(pull_reader_agrees_with_jansson),
        cmocka_unit_test(pull_reader_refuses),
        cmocka_unit_test(strings_with_nul_and_escapes),
        cmocka_unit_test(lines_are_read_with_helpers),
        cmocka_unit_test(helpers_say_what_stands_there),
        cmocka_unit_test(escaping_round_trip),
        cmocka_unit_test(utf8_is_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
