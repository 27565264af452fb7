/* language.h: words alone: texts that a language model goes on with, and how well it foresees a text.
 *
 * Any model file with a language model serves: percept's own, or a GGUF of llama.cpp whose architecture is llama
 * (SmolLM2, LLaMA 2 and 3, Vicuna, ...) or qwen2. A chat without a picture goes through percept_session_ask
 * (percept/percept.h): an answer's dialogue goes on with percept_question.after, and what the session has read is not
 * read again. */
#ifndef PERCEPT_LANGUAGE_H
#define PERCEPT_LANGUAGE_H

#include "percept/api.h"
#include "percept/percept.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A piece of a text as it is made: whole characters, borrowed until the callback returns. True: stop. */
typedef bool percept_text_fn(void *context, const char *text);

typedef struct percept_complete_options {
    size_t size;
    const char *prompt;      /* raw text: no template, no special tokens; BOS is put before it where the file says so */
    int32_t max_tokens;      /* 0: what fits the model's context */
    double time_limit;       /* seconds, waiting for the engine included; 0: none */
    float temperature;       /* 0: always the likeliest token; to 10 */
    int32_t top_k;           /* draws from so many likeliest tokens; 0: from all */
    float top_p;             /* share of probability that is drawn from, above 0 to 1 */
    float min_p;             /* leaves out tokens below this share of the likeliest's probability; 0: none */
    float repeat_penalty;    /* divides the logits of recent tokens, 1 to 10; 1: none */
    int32_t repeat_last;     /* how many tokens count as recent (64) */
    uint64_t seed;           /* of drawing */
    const char *logits;      /* a .npy file for F32 logits, one row a predicted position; NULL: none */
    percept_text_fn *stream; /* may be NULL */
    void *stream_context;
    /* of percept_complete_run alone: */
    const char *model; /* a model file */
    int32_t threads;
    uint32_t cpu_mask;
    percept_cache cache;
    bool exact; /* as percept_engine_options' */
} percept_complete_options;
PERCEPT_API void percept_complete_options_init(percept_complete_options *options);

typedef struct percept_completion percept_completion;
/* Goes on with the prompt. What the session has read before and the prompt begins with is not read again; a picture
 * stays as it is. *completion is the caller's to free. USAGE: an empty prompt where the model puts no BOS, options out
 * of range, a prompt that leaves no room in the context. INTERRUPTED: cancelled. */
PERCEPT_API percept_status percept_session_complete(percept_session *session, const percept_complete_options *options,
                                                    percept_completion **completion, percept_error *error);
PERCEPT_API void percept_completion_free(percept_completion **completion);
/* What was generated, without the token that ended it; all borrowed from the completion. */
PERCEPT_API const char *percept_completion_text(const percept_completion *completion);
PERCEPT_API const int32_t *percept_completion_ids(const percept_completion *completion, size_t *count);
PERCEPT_API percept_finish percept_completion_finish(const percept_completion *completion);
/* image_tokens is how many of the prompt's tokens needed not be read again. */
PERCEPT_API percept_usage percept_completion_usage(const percept_completion *completion);
PERCEPT_API percept_timings percept_completion_timings(const percept_completion *completion);
/* {"text", "ids", "finish", "usage"} as one line, with timings_ms when asked; malloc'd: the caller frees it. */
PERCEPT_API percept_status percept_completion_json(const percept_completion *completion, bool timings, char **json,
                                                   percept_error *error);

/* The two above for a model file: opens options->model, completes and closes it. The progress callback is asked whether
 * to stop (INTERRUPTED). */
PERCEPT_API percept_status percept_complete_run(const percept_complete_options *options, percept_progress_fn *progress,
                                                void *context, percept_completion **completion, percept_error *error);

typedef struct percept_perplexity_options {
    size_t size;
    const char *model; /* a model file */
    const char *file;  /* a text; "-" is standard input */
    int32_t threads;
    uint32_t cpu_mask;
    percept_cache cache;
    bool exact;
} percept_perplexity_options;
PERCEPT_API void percept_perplexity_options_init(percept_perplexity_options *options);
/* Windows of 512 tokens that do not overlap (BOS takes the first place where the file says so); of each, tokens 257 to
 * 511, counted from 0, are scored from what stands before them, as llama.cpp does. What is left at the end is dropped.
 * *json: {"perplexity", "tokens"} as one line, *table the same for people; either may be NULL. INPUT: the text has no
 * whole window. */
PERCEPT_API percept_status percept_perplexity_run(const percept_perplexity_options *options,
                                                  percept_progress_fn *progress, void *context, char **json,
                                                  char **table, percept_error *error);

#ifdef __cplusplus
}
#endif
#endif
