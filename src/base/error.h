/* error.h: filling a caller's percept_error, and the assertion for our own bugs.
 *
 * pct_fail() is for anything a file, a user or a socket can cause. PCT_ASSERT is for what only our own code can get
 * wrong; it stays on in release builds, outside inner loops. Nothing here prints except a failed assertion. */
#ifndef PCT_BASE_ERROR_H
#define PCT_BASE_ERROR_H

#include "percept/status.h"

#include <stdarg.h>
#include <stdbool.h>

#if defined(__GNUC__)
#define PCT_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#define PCT_NORETURN                    __attribute__((noreturn))
#define PCT_UNUSED                      __attribute__((unused))
#define PCT_MUST_CHECK                  __attribute__((warn_unused_result))
#else
#define PCT_PRINTF(format_index, first)
#define PCT_NORETURN
#define PCT_UNUSED
#define PCT_MUST_CHECK
#endif

/* Writes the message into `error` (may be NULL) with line breaks and control characters replaced by spaces, and returns
 * `status`, so that a function can end with `return pct_fail(error, ...)`. An error that is already set is replaced. */
percept_status pct_fail(percept_error *error, percept_status status, const char *format, ...) PCT_PRINTF(3, 4);
percept_status pct_fail_v(percept_error *error, percept_status status, const char *format, va_list args);

/* Puts "prefix: " before the message that is already there: the layer that knows the file's name adds it. */
void pct_error_prefix(percept_error *error, const char *format, ...) PCT_PRINTF(2, 3);

/* What is found wrong inside a file of a model's, by readers of any file, is wrong with the model: INPUT becomes MODEL,
 * in the error too. Other statuses stay. */
percept_status pct_error_of_model(percept_status status, percept_error *error);

/* "out of memory: <what>" with PERCEPT_ERROR_RESOURCE. */
percept_status pct_fail_memory(percept_error *error, const char *what);

PCT_NORETURN void pct_assert_failed(const char *expression, const char *file, int line);

#define PCT_ASSERT(expression)                                                                                         \
    do {                                                                                                               \
        if (!(expression)) pct_assert_failed(#expression, __FILE__, __LINE__);                                         \
    } while (0)

/* Returns from the calling function when `call` fails. Only where there is nothing to clean up. */
#define PCT_TRY(call)                                                                                                  \
    do {                                                                                                               \
        percept_status pct_try_status_ = (call);                                                                       \
        if (pct_try_status_ != PERCEPT_OK) return pct_try_status_;                                                     \
    } while (0)

#endif
