/* progress.h: how long work tells its caller how far it is, and how the caller stops it. */
#ifndef PERCEPT_PROGRESS_H
#define PERCEPT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct percept_progress {
    const char *stage;   /* "train", "eval", "scenes", ...: static text */
    const char *unit;    /* what is counted: "step", "picture", "question" */
    int64_t done, total; /* total 0: not known */
    double rate;         /* units a second, smoothed; 0: not known yet */
    double seconds_left; /* negative: not known */
    const char *message; /* figures worth a line, or NULL; borrowed until the callback returns */
} percept_progress;

/* Called on the thread that does the work. Return true to stop: the work ends cleanly with
 * PERCEPT_ERROR_INTERRUPTED, keeping what can be resumed. */
typedef bool percept_progress_fn(void *context, const percept_progress *progress);

#ifdef __cplusplus
}
#endif
#endif
