/* base_test.c: the ground everything stands on: arenas, cursor, text, random numbers, files, threads. */
#include "base/arena.h"
#include "base/cpu.h"
#include "base/cursor.h"
#include "base/file.h"
#include "base/guard.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/size.h"
#include "base/text.h"
#include "base/threads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// cmocka.h needs the three above
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void arena_gives_aligned_memory_and_keeps_chunks(void **state) {
    (void)state;
    pct_arena arena;
    pct_arena_init(&arena, 4096);
    for (int i = 1; i < 200; i++) {
        unsigned char *p = pct_arena_take(&arena, (size_t)i * 7);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % PCT_ARENA_ALIGN, 0);
        memset(p, i, (size_t)i * 7);
    }
    size_t reserved = arena.reserved, used = arena.used;
    pct_arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    for (int i = 1; i < 200; i++) assert_non_null(pct_arena_take(&arena, (size_t)i * 7));
    assert_int_equal(arena.reserved, reserved);
    assert_int_equal(arena.used, used);
    assert_int_equal(arena.peak, used);
    pct_arena_free(&arena);
    assert_int_equal(arena.reserved, 0);
}

static void arena_release_gives_back_to_the_mark(void **state) {
    (void)state;
    pct_arena arena;
    pct_arena_init(&arena, 256);
    char *kept = pct_arena_text(&arena, "kept", 4);
    pct_arena_mark mark = pct_arena_save(&arena);
    void *first = pct_arena_take(&arena, 100);
    for (int i = 0; i < 20; i++) assert_non_null(pct_arena_take(&arena, 200));
    pct_arena_release(&arena, mark);
    assert_ptr_equal(pct_arena_take(&arena, 100), first);
    assert_string_equal(kept, "kept");
    pct_arena_free(&arena);
}

static void arena_refuses_absurd_sizes(void **state) {
    (void)state;
    pct_arena arena;
    pct_arena_init(&arena, 0);
    assert_null(pct_arena_take(&arena, SIZE_MAX));
    assert_null(pct_arena_take(&arena, SIZE_MAX - 10));
    assert_null(pct_arena_take_zeroed(&arena, SIZE_MAX / 2, 3));
    assert_non_null(pct_arena_take(&arena, 0));
    pct_arena_free(&arena);
}

static void sizes_see_overflow(void **state) {
    (void)state;
    size_t out = 7;
    assert_false(pct_size_mul(SIZE_MAX / 2, 3, &out));
    assert_false(pct_size_add(SIZE_MAX, 1, &out));
    assert_false(pct_size_align(SIZE_MAX - 3, 64, &out));
    assert_int_equal(out, 7);
    assert_true(pct_size_align(65, 64, &out));
    assert_int_equal(out, 128);
}

static void cursor_fails_once_and_for_all(void **state) {
    (void)state;
    const unsigned char bytes[] = {1, 2, 3, 4, 5, 6, 7};
    pct_cursor cursor = pct_cursor_over(bytes, sizeof bytes);
    assert_int_equal(pct_cursor_u32(&cursor), 0x04030201);
    assert_int_equal(pct_cursor_u16_be(&cursor), 0x0506);
    assert_int_equal(pct_cursor_u16(&cursor), 0);
    assert_true(cursor.failed);
    assert_int_equal(pct_cursor_u8(&cursor), 0);
    assert_int_equal(pct_cursor_left(&cursor), 0);
    cursor = pct_cursor_over(bytes, sizeof bytes);
    assert_null(pct_cursor_take(&cursor, SIZE_MAX));
    cursor = pct_cursor_over(bytes, sizeof bytes);
    assert_true(pct_cursor_seek(&cursor, 7));
    assert_false(pct_cursor_seek(&cursor, 8));
}

static void text_writes_numbers_that_read_back(void **state) {
    (void)state;
    const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},         {-0.0, "0"},     {12, "12"},         {0.5, "0.5"},
                 {102.4, "102.4"}, {1e-7, "1e-07"}, {INFINITY, "null"}, {NAN, "null"}};
    pct_text text = {0};
    for (size_t i = 0; i < PCT_COUNT(cases); i++) {
        pct_text_clear(&text);
        pct_text_number(&text, cases[i].value);
        assert_string_equal(text.data, cases[i].text);
    }
    pct_random random;
    pct_random_init(&random, 1, 2, 3);
    for (int i = 0; i < 1000; i++) {
        double value = (double)pct_random_normal(&random) * pow(10, (int)pct_random_below(&random, 30) - 15), back;
        pct_text_clear(&text);
        pct_text_number(&text, value);
        assert_true(pct_parse_double(text.data, &back));
        assert_true(back == value);
    }
    pct_text_free(&text);
}

static void numbers_are_parsed_whole_or_not_at_all(void **state) {
    (void)state;
    double value;
    int64_t integer;
    const char *bad[] = {"", " 1", "1 ", "1x", "nan", "inf", "0x10", "1e999", "--1", "1,5"};
    for (size_t i = 0; i < PCT_COUNT(bad); i++) assert_false(pct_parse_double(bad[i], &value));
    assert_true(pct_parse_double("-1.5e3", &value) && value == -1500);
    assert_false(pct_parse_i64("9223372036854775808", &integer));
    assert_false(pct_parse_i64("1.0", &integer));
    assert_true(pct_parse_i64("-9223372036854775808", &integer) && integer == INT64_MIN);
}

static void errors_are_one_line(void **state) {
    (void)state;
    percept_error error = {0};
    assert_int_equal(pct_fail(&error, PERCEPT_ERROR_INPUT, "bad\nvalue %d\t", 7), PERCEPT_ERROR_INPUT);
    pct_error_prefix(&error, "a/b%s", ".png");
    assert_string_equal(error.message, "a/b.png: bad value 7 ");
    pct_fail(&error, PERCEPT_ERROR_INPUT, "\x1b[2J\x7f \xc2\x9b and \xc2\xab");
    assert_string_equal(error.message, " [2J     and \xc2\xab");
    char longer[3000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    pct_fail(&error, PERCEPT_ERROR_INPUT, "%s", longer);
    pct_error_prefix(&error, "%s", longer);
    assert_true(strlen(error.message) < sizeof error.message);
    assert_int_equal(pct_fail(NULL, PERCEPT_ERROR_WORK, "nobody listens"), PERCEPT_ERROR_WORK);
}

/* Known answer of Philox4x32-10 for key 0, counter 0 (published with the paper's reference code). */
static void random_numbers_are_philox(void **state) {
    (void)state;
    pct_random random = {.used = 4};
    const uint32_t known[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    for (int i = 0; i < 4; i++) assert_int_equal(pct_random_u32(&random), known[i]);
}

static void random_numbers_depend_on_key_and_place(void **state) {
    (void)state;
    pct_random a, b, c;
    pct_random_init(&a, 5, 6, 7);
    b = a;
    pct_random_init(&c, 5, 6, 8);
    int same = 0;
    double sum = 0, squares = 0;
    for (int i = 0; i < 20000; i++) {
        uint32_t x = pct_random_u32(&a);
        assert_int_equal(x, pct_random_u32(&b));
        same += x == pct_random_u32(&c);
    }
    assert_in_range(same, 0, 3);
    for (int i = 0; i < 20000; i++) {
        double x = pct_random_normal(&a);
        sum += x;
        squares += x * x;
    }
    assert_true(fabs(sum / 20000) < 0.03 && fabs(squares / 20000 - 1) < 0.05);
    int seen[5] = {0};
    for (int i = 0; i < 5000; i++) seen[pct_random_below(&a, 5)]++;
    for (int i = 0; i < 5; i++) assert_in_range(seen[i], 850, 1150);
}

static char *temporary_folder(void) {
    static char path[64];
    snprintf(path, sizeof path, "%s/percept-test-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    return mkdtemp(path);
}

static void written_files_appear_whole(void **state) {
    (void)state;
    percept_error error = {0};
    char *folder = temporary_folder();
    assert_non_null(folder);
    char *deep = pct_path_join(folder, "a/b"), *path = pct_path_join(deep, "file");
    assert_int_equal(pct_make_directory(deep, &error), PERCEPT_OK);
    pct_writer writer;
    assert_int_equal(pct_writer_open(&writer, path, &error), PERCEPT_OK);
    pct_writer other;
    assert_int_equal(pct_writer_open(&other, path, &error), PERCEPT_OK); /* beside it, under another name */
    pct_writer_abort(&other);
    fputs("half", writer.file);
    assert_false(pct_file_exists(path));
    pct_writer_abort(&writer);
    char **names;
    size_t count;
    assert_int_equal(pct_directory_list(deep, &names, &count, &error), PERCEPT_OK);
    assert_int_equal(count, 0);
    free(names);
    assert_int_equal(pct_file_write(path, "whole", 5, &error), PERCEPT_OK);
    char *data;
    size_t size;
    assert_int_equal(pct_file_read(path, 5, &data, &size, &error), PERCEPT_OK);
    assert_string_equal(data, "whole");
    free(data);
    assert_int_equal(pct_file_read(path, 4, &data, &size, &error), PERCEPT_ERROR_INPUT);
    pct_map map;
    assert_int_equal(pct_map_open(&map, path, &error), PERCEPT_OK);
    assert_memory_equal(map.data, "whole", 5);
    pct_map_close(&map);
    assert_int_equal(pct_map_open(&map, deep, &error), PERCEPT_ERROR_INPUT);
    assert_int_equal(pct_file_read(deep, 4, &data, &size, &error), PERCEPT_ERROR_INPUT);
    assert_non_null(strstr(error.message, deep));
    assert_int_equal(pct_writer_open(&writer, deep, &error), PERCEPT_ERROR_RESOURCE); /* before anything is made */
    assert_non_null(strstr(error.message, "is a folder; name a file in it"));
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* stays: not replaced by a file */
    assert_int_equal(pct_file_write(path, "x", 1, &error), PERCEPT_ERROR_RESOURCE);
    assert_non_null(strstr(error.message, "is a device or pipe"));
    assert_true(pct_is_device(path));
    unlink(path);
    rmdir(deep);
    assert_int_equal(pct_file_write(path, "x", 1, &error), PERCEPT_ERROR_RESOURCE);
    assert_non_null(strstr(error.message, path));
    free(deep);
    free(path);
    char *middle = pct_path_join(folder, "a");
    rmdir(middle);
    free(middle);
    assert_int_equal(rmdir(folder), 0);
}

struct marks {
    int hits[1000];
    int workers[1000];
    pct_pool *pool;
};

static void mark(void *context, int64_t begin, int64_t end, int worker) {
    struct marks *marks = context;
    for (int64_t i = begin; i < end; i++) {
        marks->hits[i]++;
        marks->workers[i] = worker;
    }
}

static void mark_nested(void *context, int64_t begin, int64_t end, int worker) {
    (void)worker;
    struct marks *marks = context;
    for (int64_t i = begin; i < end; i++) pct_parallel_for(marks->pool, 1, 1, mark, marks);
}

static void loops_touch_everything_once(void **state) {
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        pct_pool *pool;
        assert_int_equal(pct_pool_create(&pool, threads, NULL), PERCEPT_OK);
        assert_int_equal(pct_pool_threads(pool), threads);
        for (int round = 0; round < 200; round++) {
            struct marks marks = {.pool = pool};
            int64_t count = round * 5;
            pct_parallel_for(pool, count, round % 3 * 100 + 1, mark, &marks);
            for (int64_t i = 0; i < 1000; i++) assert_int_equal(marks.hits[i], i < count);
            for (int64_t i = 1; i < count; i++) assert_true(marks.workers[i] >= marks.workers[i - 1]);
        }
        pct_pool_destroy(&pool);
        assert_null(pool);
    }
    struct marks marks = {0};
    pct_parallel_for(NULL, 10, 1, mark_nested, &marks);
    assert_int_equal(marks.hits[0], 10);
    percept_error error = {0};
    pct_pool *pool;
    assert_int_equal(pct_pool_create(&pool, 1000, &error), PERCEPT_ERROR_USAGE);
}

static bool stop_at_three(void *context, const percept_progress *progress) {
    ++*(int *)context;
    return progress->done >= 3;
}

static void the_meter_reports_and_stops(void **state) {
    (void)state;
    int calls = 0;
    pct_meter meter;
    pct_meter_start(&meter, stop_at_three, &calls, "test", "step", 0, 3);
    assert_false(pct_meter_update(&meter, 1, "a line"));
    assert_true(pct_meter_update(&meter, 3, NULL));
    assert_int_equal(calls, 2);
    pct_meter_start(&meter, NULL, NULL, "test", "step", 0, 3);
    assert_false(pct_meter_update(&meter, 3, NULL));
}

static void the_guard_knows_where_it_is(void **state) {
    (void)state;
    assert_null(pct_guard_where());
    pct_guard_enter("outer");
    pct_guard_enter("inner");
    assert_string_equal(pct_guard_where(), "inner");
    pct_guard_leave();
    pct_guard_leave();
    assert_null(pct_guard_where());
    assert_non_null(pct_cpu_flags_text(pct_cpu_flags()));
    assert_string_equal(pct_cpu_flags_text(0), "none");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_aligned_memory_and_keeps_chunks),
        cmocka_unit_test(arena_release_gives_back_to_the_mark),
        cmocka_unit_test(arena_refuses_absurd_sizes),
        cmocka_unit_test(sizes_see_overflow),
        cmocka_unit_test(cursor_fails_once_and_for_all),
        cmocka_unit_test(text_writes_numbers_that_read_back),
        cmocka_unit_test(numbers_are_parsed_whole_or_not_at_all),
        cmocka_unit_test(errors_are_one_line),
        cmocka_unit_test(random_numbers_are_philox),
        cmocka_unit_test(random_numbers_depend_on_key_and_place),
        cmocka_unit_test(written_files_appear_whole),
        cmocka_unit_test(loops_touch_everything_once),
        cmocka_unit_test(the_meter_reports_and_stops),
        cmocka_unit_test(the_guard_knows_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
