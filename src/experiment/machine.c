/* machine.c: see machine.h. */
#include "experiment/machine.h"

#include "base/cpu.h"
#include "percept/api.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* "model name" of /proc/cpuinfo, or "" where there is none. */
static void read_model(char *out, size_t size) {
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    out[0] = 0;
    while (file && !out[0] && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        snprintf(out, size, "%s", colon + 1 + strspn(colon + 1, " "));
        out[strcspn(out, "\n")] = 0;
    }
    if (file) fclose(file);
}

json_t *pct_machine_describe(int64_t threads, uint32_t cpu_mask) {
    char model[200];
    read_model(model, sizeof model);
    return json_pack("{s:s, s:I, s:s, s:I, s:s}", "processor", model, "processors",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "instructions",
                     pct_cpu_flags_text(pct_cpu_flags() & cpu_mask), "threads", (json_int_t)threads, "version",
                     PERCEPT_VERSION);
}
