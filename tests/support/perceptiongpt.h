/* perceptiongpt.h: a tiny PerceptionGPT as its pieces are published, for tests: a LLaMA, a CLIP tower and a checkpoint
 * of what was trained, every tensor by name and shape. Sizes that are constants of the released code stay; so the
 * files are written when a test runs. tools/golden/perceptiongpt.py has the same numbers. */
#ifndef PCT_TESTS_PERCEPTIONGPT_H
#define PCT_TESTS_PERCEPTIONGPT_H

#include "base/error.h"

#include <stdint.h>

#define PCT_TINY_STATE  64
#define PCT_TINY_RANK   16
#define PCT_TINY_LAYERS 2

/* Number `index` of the tensor, but for those that the golden file holds (some rows of lm_head, the box decoder's last
 * bias). dim: its shape. */
float pct_tiny_weight(const char *name, int rank, const int64_t *dim, int64_t index);

/* The folders `folder`/llama and `folder`/clip and the file `folder`/heads.safetensors. vectors: tests/vectors, where
 * the vocabulary and the golden file are. */
percept_status pct_tiny_perceptiongpt(const char *folder, const char *vectors, percept_error *error);
/* Removes them; what is missing is passed over. */
void pct_tiny_perceptiongpt_remove(const char *folder);

#endif
