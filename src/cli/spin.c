/* spin.c: how long threads of a parallel loop spin before they sleep.
 *
 * libgomp's own answer, 300,000 turns, is right on a machine that does nothing else; beside other busy programs,
 * another percept among them, a spinning thread burns the time slice that the one it waits for needs (docs/pitfalls.md
 * has the figures). libgomp reads the environment when it is loaded, before main: so the program begins itself anew,
 * once. */
#include "cli/command.h"

#include <stdlib.h>
#include <unistd.h>

#define TURNS "4000"

void pct_cli_spin_shortly(char **argv) {
#if defined PCT_THREADS_OPENMP && defined __linux__
    char path[4096];
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) return; /* the user's choice, or ours of a moment ago */
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0 || setenv("GOMP_SPINCOUNT", TURNS, 1) != 0) return;
    path[length] = 0;
    execv(path, argv);
#else
    (void)argv;
#endif
}
