/* process: times whole processes, from fork to the end, as their user does: `process [-n RUNS] COMMAND ARGUMENTS...`.
 *
 * Runs the command RUNS times (21 unless said; the first, which fills the page cache, is not counted), its output
 * thrown away, and prints one line: median and 90th percentile in milliseconds, processor time of the median run, and
 * the most memory that was resident in any run. Exit status 1 when a run fails. */
#include "base/clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct run {
    double wall_ms, processor_ms;
    long resident_kb;
} run;

static double milliseconds(struct timeval t) { return (double)t.tv_sec * 1e3 + (double)t.tv_usec * 1e-3; }

static int run_once(char **command, run *out) {
    struct rusage usage;
    int status;
    const double start = pct_clock_seconds();
    pid_t child = vfork();
    if (child < 0) return 1;
    if (child == 0) {
        int nothing = open("/dev/null", O_WRONLY);
        if (nothing < 0 || dup2(nothing, 1) < 0) _exit(126);
        execvp(command[0], command);
        _exit(127);
    }
    if (wait4(child, &status, 0, &usage) != child) return 1;
    out->wall_ms = (pct_clock_seconds() - start) * 1e3;
    out->processor_ms = milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime);
    out->resident_kb = usage.ru_maxrss;
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static int by_wall(const void *a, const void *b) {
    const double x = ((const run *)a)->wall_ms, y = ((const run *)b)->wall_ms;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
    int first = 1, count = 21;
    if (argc > 2 && !strcmp(argv[1], "-n")) {
        count = atoi(argv[2]);
        first = 3;
    }
    if (first >= argc || count < 1 || count > 1000)
        return fprintf(stderr, "usage: process [-n RUNS] COMMAND ARGUMENTS...\n"), 2;
    run *runs = calloc((size_t)count + 1, sizeof *runs);
    if (!runs) return 1;
    long resident = 0;
    for (int i = 0; i <= count; i++) {
        if (run_once(argv + first, &runs[i])) return fprintf(stderr, "process: %s failed\n", argv[first]), 1;
        if (runs[i].resident_kb > resident) resident = runs[i].resident_kb;
    }
    qsort(runs + 1, (size_t)count, sizeof *runs, by_wall);
    const run *median = &runs[1 + count / 2], *slow = &runs[1 + count * 9 / 10];
    printf("median %.1f ms, 90%% within %.1f ms, processor %.1f ms, resident %.1f MB (%d runs)\n", median->wall_ms,
           slow->wall_ms, median->processor_ms, (double)resident / 1024, count);
    free(runs);
    return 0;
}
