/* make_perceptiongpt FOLDER VECTORS: a tiny PerceptionGPT's pieces; see tests/support/perceptiongpt.h. */
#include "perceptiongpt.h"

#include <stdio.h>

int main(int count, char **arguments) {
    percept_error error = {0};
    if (count != 3) return 2;
    if (pct_tiny_perceptiongpt(arguments[1], arguments[2], &error) == PERCEPT_OK) return 0;
    fprintf(stderr, "make_perceptiongpt: %s\n", error.message);
    return 1;
}
