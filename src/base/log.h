/* log.h: messages on their way to whoever opened the engine. The library itself never prints. */
#ifndef PCT_BASE_LOG_H
#define PCT_BASE_LOG_H

#include "base/error.h"

enum pct_log_level { PCT_LOG_WARNING, PCT_LOG_INFO, PCT_LOG_DEBUG };

typedef void pct_log_callback(void *context, enum pct_log_level level, const char *message);

typedef struct pct_log {
    pct_log_callback *callback; /* NULL: messages are dropped */
    void *context;
} pct_log;

/* `log` may be NULL. */
void pct_log_write(const pct_log *log, enum pct_log_level level, const char *format, ...) PCT_PRINTF(3, 4);

#endif
