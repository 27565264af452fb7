/* make_language: a tiny language model of random weights, or one that ends at once.
 * usage: make_language OUT.gguf llama|spm|qwen2|ends */
#include "tiny_language.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    percept_error error = {0};
    tiny_language t = tiny_language_default();
    t.context = 600;
    if (argc != 3) {
        fputs("usage: make_language OUT.gguf llama|spm|qwen2|ends\n", stderr);
        return 2;
    }
    t.spm = strcmp(argv[2], "spm") == 0;
    t.qwen2 = strcmp(argv[2], "qwen2") == 0;
    t.ends = t.output = strcmp(argv[2], "ends") == 0;
    if (tiny_language_write(argv[1], &t, &error) == PERCEPT_OK) return 0;
    fprintf(stderr, "make_language: %s\n", error.message);
    return 1;
}
