/* log.c: see log.h. */
#include "base/log.h"

#include <stdio.h>

void pct_log_write(const pct_log *log, enum pct_log_level level, const char *format, ...) {
    if (!log || !log->callback) return;
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    log->callback(log->context, level, message);
}
