/* standalone.c: a main for fuzz targets without libFuzzer. Feeds every file named, and every file in every folder
 * named (not deeper), to LLVMFuzzerTestOneInput, and says how many there were. No file at all is a failure. */
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

/* The input is copied into a block of its exact size, so that a read past its end shows under a sanitizer. */
static bool feed(const char *path) {
    percept_error error = {0};
    char *data;
    size_t size;
    if (pct_file_read(path, (size_t)1 << 30, &data, &size, &error) != PERCEPT_OK) {
        fprintf(stderr, "%s\n", error.message);
        return false;
    }
    unsigned char *exact = malloc(size ? size : 1);
    if (exact) {
        memcpy(exact, data, size);
        LLVMFuzzerTestOneInput(exact, size);
    }
    free(exact);
    free(data);
    return exact != NULL;
}

static int feed_folder(const char *folder) {
    percept_error error = {0};
    char **names;
    size_t count;
    int fed = 0;
    if (pct_directory_list(folder, &names, &count, &error) != PERCEPT_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        char *path = pct_path_join(folder, names[i]);
        if (path && !pct_is_directory(path)) fed += feed(path);
        free(path);
    }
    free(names);
    return fed;
}

int main(int count, char **arguments) {
    int fed = 0;
    for (int i = 1; i < count; i++)
        fed += pct_is_directory(arguments[i]) ? feed_folder(arguments[i]) : feed(arguments[i]);
    printf("%d inputs\n", fed);
    return fed > 0 ? 0 : 1;
}
