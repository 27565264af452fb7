/* flat.h: percept through plain pointers and JSON, for loaders of other languages (ctypes, cffi, JNA, koffi, ...).
 *
 *     model  = percept_flat_open("percept-nano.gguf", 0)
 *     if percept_flat_status(model) != 0: raise Error(percept_flat_error(model))
 *     answer = percept_flat_ask(model, bytes, len(bytes), '{"questions": [{"text": "where is the cup?"}]}')
 *     ...                                     # a JSON text, or NULL: see percept_flat_error
 *     percept_free(answer)
 *     percept_flat_close(model)
 *
 * One thread at a time may use a handle. Nothing is global: the last error belongs to the handle. */
#ifndef PERCEPT_FLAT_H
#define PERCEPT_FLAT_H

#include "percept/api.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct percept_flat percept_flat;

/* Opens a model on `threads` threads (0: all processors). Gives a handle even when the model could not be opened, so
 * that the reason can be asked; NULL only when memory is out. Close it in either case. */
PERCEPT_API percept_flat *percept_flat_open(const char *model, int32_t threads);
PERCEPT_API void percept_flat_close(percept_flat *flat);

/* Of the last call on this handle: 0, or a percept_status; NULL handles give PERCEPT_ERROR_RESOURCE. */
PERCEPT_API int32_t percept_flat_status(const percept_flat *flat);
/* "" when the last call went well. Borrowed until the next call on this handle. */
PERCEPT_API const char *percept_flat_error(const percept_flat *flat);

/* Asks about the picture file in `image` (`image_size` bytes). The request, all but "questions" may be left out:
 *   {"questions": [{"task": "ask"|"find"|"describe", "text": "...",
 *                   "regions": [{"box": [x0,y0,x1,y1]}, {"mask": {"size": [height,width], "counts": "..."}}]}],
 *    "name": "photo.jpg", "threshold": 0.5, "max_tokens": 100, "time_limit": 2.5, "temperature": 0, "top_p": 1,
 *    "seed": 1, "max_pixels": 100000000, "masks": "rle"|"polygon"|"none", "timings": false}
 * Gives {"answers": [...]}, one object a question as `percept ask --json` prints them, malloc'd (percept_free); NULL on
 * failure. Unknown keys are refused. */
PERCEPT_API char *percept_flat_ask(percept_flat *flat, const void *image, size_t image_size, const char *request);
/* Goes on with a text, with the language model alone (percept/language.h). The request (all but "prompt"
 * may be left out):
 *   {"prompt": "...", "max_tokens": 100, "time_limit": 2.5, "temperature": 0, "top_k": 40, "top_p": 1, "min_p": 0,
 *    "repeat_penalty": 1, "seed": 1, "timings": false}
 * Gives {"text", "ids", "finish", "usage"} as `percept complete --json` prints it, malloc'd (percept_free); NULL on
 * failure. Unknown keys are refused. */
PERCEPT_API char *percept_flat_complete(percept_flat *flat, const char *request);
/* The model's card as JSON, malloc'd (percept_free); NULL on failure. */
PERCEPT_API char *percept_flat_info(percept_flat *flat);

#ifdef __cplusplus
}
#endif
#endif
