/* run_support.h: whole training runs of a tiny model, for tests: their settings, their folders, what they leave there.
 */
#ifndef TESTS_RUN_SUPPORT_H
#define TESTS_RUN_SUPPORT_H

#include "base/error.h"
#include "formats/gguf.h"

#define RUN_SETTINGS 60

/* Settings of a run; texts are copied. */
struct run {
    char texts[RUN_SETTINGS][256];
    const char *settings[RUN_SETTINGS];
    size_t count;
};

/* Holds the runs of a group of tests, a folder each; made by run_group_open, with cut-outs that the tests draw. */
extern char run_folder[];
int run_group_open(void **state);
int run_group_close(void **state);

/* A model of some ten thousand numbers that does a step in milliseconds, in run_folder/out. The caller frees it. */
struct run *run_tiny(const char *out, int steps);
/* One more setting, key=value; it beats those before it. */
void run_set(struct run *run, const char *format, ...) PCT_PRINTF(2, 3);
/* Trains: `stop` interrupts after that step, unless 0; `guard_after` as in pct_train_options. */
percept_status run_go(struct run *run, bool resume, int64_t stop, int64_t guard_after, percept_error *error);

bool run_has(const char *out, const char *name);
/* All of a run's file; the caller frees it. */
char *run_read(const char *out, const char *name, size_t *size);
/* A run's model.gguf, checkpoint, or other GGUF file; the caller closes it. */
pct_gguf *run_open(const char *out, const char *name);
/* The same bytes, but for the folder's name in the config and the hash of that. */
void run_assert_same_files(const char *a, const char *b, const char *name);

#endif
