/* status.h: how percept's functions say that something went wrong.
 *
 * Every function that can fail returns a percept_status: PERCEPT_OK (0) or a negative value. The words travel in a
 * percept_error that the caller owns and may leave out (NULL). The command line maps each status to an exit code. */
#ifndef PERCEPT_STATUS_H
#define PERCEPT_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum percept_status {
    PERCEPT_OK = 0,
    PERCEPT_ERROR_USAGE = -1,       /* an argument or option makes no sense                          (exit 2) */
    PERCEPT_ERROR_INPUT = -2,       /* picture, data, config or file missing, unreadable, malformed  (exit 3) */
    PERCEPT_ERROR_MODEL = -3,       /* a model file that is malformed or not for this program        (exit 4) */
    PERCEPT_ERROR_RESOURCE = -4,    /* out of memory or disk, output not writable                    (exit 5) */
    PERCEPT_ERROR_WORK = -5,        /* the work failed: training diverged, processor not supported   (exit 6) */
    PERCEPT_ERROR_INTERRUPTED = -6, /* the caller asked to stop                                    (exit 130) */
} percept_status;

/* One line that names what, where and the mend. Owned by the caller; zero-initialise it before use. */
typedef struct percept_error {
    percept_status status;
    char message[1020]; /* UTF-8, NUL-terminated, no line break */
} percept_error;

#ifdef __cplusplus
}
#endif
#endif
