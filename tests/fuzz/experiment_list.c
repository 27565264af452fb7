/* experiment_list.c: hostile lists of runs; an accepted one keeps what it promises. */
#include "experiment/list.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
    pct_experiment_list list;
    percept_error error = {0};
    if (pct_experiment_list_load_memory(&list, "folder", "fuzz", (const char *)data, size, &error) == PERCEPT_OK) {
        if (list.count < 1 || list.count > PCT_EXPERIMENT_MAX_RUNS) abort();
        for (int i = 0; i < list.count; i++) {
            const pct_experiment_run *run = &list.runs[i];
            if (pct_experiment_find(&list, run->name) != i || strchr(run->name, '/')) abort();
            if ((run->steps > 0) == (run->minutes > 0)) abort();
            int steps = 0;
            for (int at = i; at >= 0; at = list.runs[at].needs) {
                if (at >= list.count || ++steps > list.count) abort();
            }
            for (size_t k = 0; k < run->setting_count; k++) {
                if (!strchr(run->settings[k], '=')) abort();
            }
        }
    } else if (!error.message[0]) {
        abort();
    }
    pct_experiment_list_free(&list);
    return 0;
}
