/* percept.h: asks a vision-language model about a picture; the answer has words, boxes and masks.
 *
 *     #include <percept/percept.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         percept_engine *engine = NULL;
 *         percept_session *session = NULL;
 *         percept_answer *answer = NULL;
 *         percept_error error = {0};
 *
 *         if (percept_engine_open(&engine, "percept-nano.gguf", NULL, &error) == PERCEPT_OK &&
 *             percept_session_new(&session, engine, &error) == PERCEPT_OK &&
 *             percept_session_load_image(session, "photo.jpg", NULL, &error) == PERCEPT_OK &&
 *             percept_session_ask(session, "where is the red cup?", NULL, &answer, &error) == PERCEPT_OK) {
 *             printf("%s\n", percept_answer_text(answer));
 *             for (size_t i = 0; i < percept_answer_object_count(answer); i++) {
 *                 const percept_object *object = percept_answer_object(answer, i);
 *                 printf("%s %.1f,%.1f-%.1f,%.1f %.2f\n", object->phrase ? object->phrase : "", object->box.x0,
 *                        object->box.y0, object->box.x1, object->box.y1, object->score);
 *             }
 *         }
 *         if (error.status) fprintf(stderr, "%s\n", error.message);
 *         percept_answer_free(&answer);
 *         percept_session_free(&session);
 *         percept_engine_close(&engine);
 *         return error.status ? 1 : 0;
 *     }
 *
 * Build it with: cc ask.c $(pkg-config --cflags --libs percept)
 *
 * Two nouns hold everything. An engine is a model: immutable, shared by any number of threads. A session is one
 * picture with the questions about it: one thread at a time, except for percept_session_cancel. Computing itself goes
 * one call at a time an engine: calls from several sessions queue in order of arrival. There is no global state, and
 * the library never prints, exits, or reads the environment.
 *
 * Functions that can fail return a percept_status (0: done) and fill the caller's percept_error, which may be NULL. On
 * failure outputs are left as they were. Functions that free or close take a pointer to the handle, accept NULL and
 * handles that are NULL, and set the handle to NULL. Strings are UTF-8. Options structs are initialised with their
 * _init function, which also sets `size`; NULL in place of options means the defaults. Long jobs (training, evaluation,
 * scenes, benchmarks) are in percept/jobs.h; a flat form for loaders of other languages is in percept/flat.h. */
#ifndef PERCEPT_PERCEPT_H
#define PERCEPT_PERCEPT_H

#include "percept/api.h"
#include "percept/progress.h"
#include "percept/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0"; static text. */
PERCEPT_API const char *percept_version(void);
/* Frees what a function of percept gave as malloc'd; the same as free() where one C library serves both. */
PERCEPT_API void percept_free(void *memory);

/* ---- engine: a model ------------------------------------------------------------------------------------------ */

typedef struct percept_engine percept_engine;

typedef enum percept_log_level { PERCEPT_LOG_WARNING, PERCEPT_LOG_INFO, PERCEPT_LOG_DEBUG } percept_log_level;
/* May be called from any thread that is inside a call of the engine; one line, borrowed until it returns. */
typedef void percept_log_fn(void *context, percept_log_level level, const char *message);

/* How a language model alone keeps the keys and values of what it has read. */
typedef enum percept_cache { PERCEPT_CACHE_F16, PERCEPT_CACHE_Q8_0, PERCEPT_CACHE_F32 } percept_cache;

typedef struct percept_engine_options {
    size_t size;
    int32_t threads;     /* 1..512; 0: the processors this process may run on */
    uint32_t cpu_mask;   /* which instruction sets may be used: 1 AVX2, 2 AVX-512, 4 VNNI, 8 BF16, 16 AMX; all by
                            default; 0: portable code only */
    percept_log_fn *log; /* NULL: messages are dropped */
    void *log_context;
    bool with_hash; /* the model's hash will be asked for (answers as JSON, percept_engine_info): it is made on a thread
                       of its own from now on, instead of when it is read */
    percept_cache cache; /* of a language model alone; Q8_0 takes half of F16's memory. percept's own models have F32 */
    bool exact; /* products in F32, of unrounded rows whatever the weights are stored in: slow, for comparisons */
    const char *chat_template; /* how a language model alone is talked to, by name ("chatml", "llama-3", ...); NULL: as
                                  the file says */
    bool int8;                 /* a language model alone reads long texts in INT8: faster, and less sure of its words */
} percept_engine_options;
PERCEPT_API void percept_engine_options_init(percept_engine_options *options);

/* Opens a model file. The file is mapped and must not be changed while it is open. The caller closes the engine, after
 * all its sessions. INPUT: missing or unreadable; MODEL: malformed, or neither percept's nor a language model that it
 * runs (percept/language.h); RESOURCE: out of memory. */
PERCEPT_API percept_status percept_engine_open(percept_engine **engine, const char *path,
                                               const percept_engine_options *options, percept_error *error);
PERCEPT_API void percept_engine_close(percept_engine **engine);

/* What a model file says of itself. Strings are borrowed from the engine; "" where the file does not say. */
typedef struct percept_model_info {
    size_t size;
    const char *name, *version, *description;
    const char *tasks;           /* what it can be asked, in words */
    const char *domain;          /* what it was trained on, and what it is not good for */
    const char *licence;         /* of the weights */
    const char *data_licences;   /* of what it was trained on */
    const char *provenance;      /* date, command and seed that made it */
    const char *figures;         /* how well it does, and where that was measured */
    const char *hash;            /* SHA-256 of the file, 64 hexadecimal digits */
    int64_t parameters;          /* numbers that were learned */
    int64_t weight_bytes;        /* what they take once the file is open: small tensors are widened */
    int32_t side;                /* the model's square input, pixels; 0: a language model alone */
    int32_t image_tokens;        /* tokens a picture costs */
    int32_t vocabulary, context; /* tokens known; longest picture + question + answer in tokens */
    float threshold;             /* default of the score threshold */
    bool calibrated;             /* whether scores are calibrated probabilities */
    int32_t tensors;
    const char *regions; /* how the model tells of regions: "token", "text" or "both"; "" for a language model alone */
    const char *unused;  /* tensors of the file that the model has no use for, "a, b, c"; "": none */
} percept_model_info;
/* Set info->size = sizeof *info first. USAGE when the size makes no sense. */
PERCEPT_API percept_status percept_engine_get_info(const percept_engine *engine, percept_model_info *info,
                                                   percept_error *error);
/* Whether sessions take pictures; false: a language model alone. Unlike all the info it needs no hash of the file. */
PERCEPT_API bool percept_engine_sees(const percept_engine *engine);
/* Whether a question can go on from an earlier answer (percept_question.after). */
PERCEPT_API bool percept_engine_converses(const percept_engine *engine);

typedef struct percept_tensor_info {
    size_t size;
    const char *name, *type; /* "blk.0.attn_q.weight", "Q8_0"; borrowed from the engine */
    int32_t rank;
    int64_t dim[4]; /* row-major: the last is contiguous */
    int64_t bytes;
} percept_tensor_info;
/* index in 0..info.tensors-1, in file order. Set tensor->size first. */
PERCEPT_API percept_status percept_engine_get_tensor(const percept_engine *engine, int32_t index,
                                                     percept_tensor_info *tensor, percept_error *error);
/* All of this as one JSON line; with the list of tensors when asked. *json is malloc'd: the caller frees it. */
PERCEPT_API percept_status percept_engine_info_json(const percept_engine *engine, bool tensors, char **json,
                                                    percept_error *error);

/* ---- session: one picture, and what is asked about it ----------------------------------------------------------- */

typedef struct percept_session percept_session;

/* The engine must outlive the session. The caller frees the session. */
PERCEPT_API percept_status percept_session_new(percept_session **session, percept_engine *engine, percept_error *error);
/* Another session of the engine that has read the same words, for going on in two ways; the picture does not come
 * along. Both work on by themselves. */
PERCEPT_API percept_status percept_session_fork(percept_session **fork, const percept_session *session,
                                                percept_error *error);
PERCEPT_API void percept_session_free(percept_session **session);

typedef struct percept_image_options {
    size_t size;
    int64_t max_pixels; /* larger pictures are refused before they are decoded; 0: 100 million */
    bool keep_pixels;   /* the picture is kept at full size for percept_answer_overlay */
    const char *name;   /* stands in JSON, exports and messages; NULL: the path, or "image" */
} percept_image_options;
PERCEPT_API void percept_image_options_init(percept_image_options *options);

/* Decodes a picture (PNG, JPEG, WebP; EXIF orientation applied; alpha over white; the first frame of an animation) and
 * encodes it; it takes the place of the session's picture. "-" is standard input. INPUT: missing, damaged, too large,
 * or of another kind; the session has no picture then. */
PERCEPT_API percept_status percept_session_load_image(percept_session *session, const char *path,
                                                      const percept_image_options *options, percept_error *error);
/* The same from the bytes of a picture file, borrowed until the call returns. */
PERCEPT_API percept_status percept_session_load_image_memory(percept_session *session, const void *data, size_t size,
                                                             const percept_image_options *options,
                                                             percept_error *error);
/* The same from pixels: [height][width][channels] bytes, channels 3 (RGB) or 4 (RGBA, not premultiplied, laid over
 * white), rows `stride` bytes apart (0: no padding). */
PERCEPT_API percept_status percept_session_load_pixels(percept_session *session, const unsigned char *pixels,
                                                       int32_t width, int32_t height, int32_t channels, size_t stride,
                                                       const percept_image_options *options, percept_error *error);
/* Size of the session's picture as a person sees it; 0 without one. */
PERCEPT_API int32_t percept_session_width(const percept_session *session);
PERCEPT_API int32_t percept_session_height(const percept_session *session);
/* Frees the pixels that keep_pixels kept: no more overlays of answers about this picture, none of which may be drawn
 * meanwhile. For who keeps many answers; the session's picture stays as it is encoded. */
PERCEPT_API void percept_session_drop_pixels(percept_session *session);

/* From any thread, also from a signal handler: the call that runs on this session ends soon with
 * PERCEPT_ERROR_INTERRUPTED, and so does every later one until percept_session_uncancel. */
PERCEPT_API void percept_session_cancel(percept_session *session);
PERCEPT_API void percept_session_uncancel(percept_session *session);

/* ---- asking ------------------------------------------------------------------------------------------------------ */

typedef struct percept_answer percept_answer;

/* In pixel edges of the picture as a person sees it: the whole picture is 0, 0, width, height. */
typedef struct percept_box {
    float x0, y0, x1, y1;
} percept_box;

/* A region that the user points at: "<obj>" in the question. */
typedef struct percept_region {
    percept_box box;           /* used when mask is NULL; corners in any order, at least partly inside the picture */
    const unsigned char *mask; /* [mask_height][mask_width] bytes without padding; 0 outside, else inside; at least one
                                  pixel; borrowed until the call returns */
    int32_t mask_width, mask_height; /* the picture's size */
} percept_region;
/* Reads a mask from a picture file, for percept_region: luma of 128 and more, alpha over black, is inside (1), else 0.
 * "-" is standard input. *mask is malloc'd: the caller frees it. */
PERCEPT_API percept_status percept_mask_read(const char *path, unsigned char **mask, int32_t *width, int32_t *height,
                                             percept_error *error);

typedef enum percept_task {
    PERCEPT_TASK_ASK,      /* the text is a question in words; each "<obj>" in it stands for a region */
    PERCEPT_TASK_FIND,     /* the text is a phrase: every region it names, or none */
    PERCEPT_TASK_DESCRIBE, /* no text: a sentence about the picture; with one region, a name for it */
} percept_task;

typedef struct percept_question {
    size_t size;
    percept_task task;
    const char *text;
    const percept_region *regions; /* as many as the text has "<obj>" */
    size_t region_count;
    const percept_answer *after; /* the question goes on with the dialogue that this answer ended, about the same
                                    picture in the same session, or in words with the same engine; NULL: a new one */
} percept_question;
PERCEPT_API void percept_question_init(percept_question *question);

/* A piece of an answer as it is made. Where regions are text (percept_model_info.regions), an answer that turns out to
 * be unparsable takes the regions back that were streamed before: the finished answer has none. */
typedef struct percept_stream_event {
    size_t question;        /* index in the questions of the call */
    const char *text;       /* whole characters, as in the finished answer; borrowed until the callback returns */
    const percept_box *box; /* when the piece is "<obj>": its region; else NULL */
    float score;            /* of the region; 0 without */
} percept_stream_event;
/* Called on the thread that asked. True: stop; the call ends with what there is, finish = STOP. */
typedef bool percept_stream_fn(void *context, const percept_stream_event *event);

typedef struct percept_ask_options {
    size_t size;
    float threshold;           /* regions whose score is below are dropped, 0..1; negative: the model's default */
    int32_t max_tokens;        /* of each answer; 0: what fits */
    double time_limit;         /* seconds for the call, waiting for the engine included; 0: none */
    float temperature;         /* 0: always the likeliest token; to 10 */
    float top_p;               /* share of probability that is drawn from, above 0 to 1 */
    uint64_t seed;             /* of drawing */
    bool no_masks;             /* boxes alone, which is faster */
    percept_stream_fn *stream; /* may be NULL */
    void *stream_context;
    /* Of a language model alone, as in percept/language.h; they work in the order penalty, top_k, top_p, min_p,
     * temperature. */
    int32_t top_k, repeat_last;
    float min_p, repeat_penalty;
} percept_ask_options;
PERCEPT_API void percept_ask_options_init(percept_ask_options *options);

/* One question in words. *answer is the caller's to free. USAGE: no picture, an empty question, "<obj>" in the text,
 * options out of range, a question too long for the model. INTERRUPTED: cancelled. */
PERCEPT_API percept_status percept_session_ask(percept_session *session, const char *question,
                                               const percept_ask_options *options, percept_answer **answer,
                                               percept_error *error);
/* Many questions about the one encoded picture, answered as one batch: answers[i] belongs to questions[i] and is the
 * caller's to free. All or nothing: on failure none is given. `questions[0].size` is the distance between questions. */
PERCEPT_API percept_status percept_session_ask_many(percept_session *session, const percept_question *questions,
                                                    size_t count, const percept_ask_options *options,
                                                    percept_answer **answers, percept_error *error);

/* ---- answers: immutable, usable by many threads; all strings and structs are borrowed from the answer -------------
 */

PERCEPT_API void percept_answer_free(percept_answer **answer);

typedef enum percept_finish {
    PERCEPT_FINISH_STOP,      /* whole */
    PERCEPT_FINISH_LENGTH,    /* cut: max_tokens, or the model's context */
    PERCEPT_FINISH_TIME,      /* cut: time_limit */
    PERCEPT_FINISH_UNPARSABLE /* percept_answer_flaw says why: phrases, or objects, are not to be relied on */
} percept_finish;
/* "stop", "length", "time", "unparsable"; static text. */
PERCEPT_API const char *percept_finish_text(percept_finish finish);

typedef struct percept_object {
    const char *phrase;   /* what the answer calls it; NULL: nothing */
    percept_box box;      /* inside the picture, in steps of 0.1 */
    const char *mask_rle; /* COCO's compressed run lengths at the picture's size; NULL: no pixel, or not asked for */
    int64_t mask_area;    /* pixels */
    float score;          /* probability that the region is right */
} percept_object;

typedef struct percept_usage {
    int32_t image_tokens, prompt_tokens, answer_tokens;
} percept_usage;

/* Milliseconds. load, decode_image and encode_image belong to what all answers of a session share. */
typedef struct percept_timings {
    double load, decode_image, encode_image, prefill, generate, masks;
} percept_timings;

/* Without marks; the k-th "<obj>" is object k. */
PERCEPT_API const char *percept_answer_text(const percept_answer *answer);
/* The question as it was put: the phrase for FIND, the built-in question for DESCRIBE. */
PERCEPT_API const char *percept_answer_question(const percept_answer *answer);
PERCEPT_API percept_finish percept_answer_finish(const percept_answer *answer);
PERCEPT_API size_t percept_answer_object_count(const percept_answer *answer);
/* index < object_count, else NULL. */
PERCEPT_API const percept_object *percept_answer_object(const percept_answer *answer, size_t index);
/* What an unparsable answer is at fault in, in a few words; static text. NULL: it is not unparsable. */
PERCEPT_API const char *percept_answer_flaw(const percept_answer *answer);
/* Regions that fell below the threshold. */
PERCEPT_API int32_t percept_answer_dropped(const percept_answer *answer);
PERCEPT_API percept_usage percept_answer_usage(const percept_answer *answer);
PERCEPT_API percept_timings percept_answer_timings(const percept_answer *answer);
PERCEPT_API const char *percept_answer_image(const percept_answer *answer);
PERCEPT_API int32_t percept_answer_width(const percept_answer *answer);
PERCEPT_API int32_t percept_answer_height(const percept_answer *answer);
/* Writes an object's mask into [height] rows of [width] bytes, 0 or 255, `stride` bytes apart (0: width). An object
 * without mask gives zeros. */
PERCEPT_API percept_status percept_answer_mask(const percept_answer *answer, size_t index, unsigned char *out,
                                               size_t stride, percept_error *error);

typedef enum percept_mask_format { PERCEPT_MASK_RLE, PERCEPT_MASK_POLYGON, PERCEPT_MASK_NONE } percept_mask_format;
typedef struct percept_json_options {
    size_t size;
    percept_mask_format masks;
    bool timings; /* adds timings_ms: without them equal answers give equal bytes */
} percept_json_options;
PERCEPT_API void percept_json_options_init(percept_json_options *options);
/* One line without line break, as docs/interface.md says. *json is malloc'd: the caller frees it. */
PERCEPT_API percept_status percept_answer_json(const percept_answer *answer, const percept_json_options *options,
                                               char **json, percept_error *error);

/* Draws the regions of `count` answers about one picture onto it and writes a PNG, atomically. USAGE when the picture
 * was loaded without keep_pixels, or the answers are about different pictures. */
PERCEPT_API percept_status percept_answer_overlay(const percept_answer *const *answers, size_t count, const char *path,
                                                  percept_error *error);
/* Writes the masks as 8-bit PNG files (0 and 255) into `folder`, made if missing: 000_red-cup_94.png is index, phrase
 * and score in hundredths. Indices start at `first`; objects without mask are passed over but counted. */
PERCEPT_API percept_status percept_answer_write_masks(const percept_answer *answer, const char *folder, size_t first,
                                                      percept_error *error);

typedef enum percept_export_format {
    PERCEPT_EXPORT_COCO,         /* one file: annotations */
    PERCEPT_EXPORT_COCO_RESULTS, /* one file: the list of results that COCO's evaluation reads */
    PERCEPT_EXPORT_YOLO_SEG,     /* a folder: labels/NAME.txt and data.yaml */
    PERCEPT_EXPORT_LABELME,      /* one picture and a path that ends in .json: a file; else a folder of NAME.json */
} percept_export_format;
/* "coco", "coco-results", "yolo-seg", "labelme". */
PERCEPT_API bool percept_export_format_from_text(const char *text, percept_export_format *format);

typedef struct percept_export_options {
    size_t size;
    percept_mask_format masks; /* coco: run lengths or polygons */
} percept_export_options;
PERCEPT_API void percept_export_options_init(percept_export_options *options);
/* Writes answers, of any number of pictures, in a format of other tools. Files appear whole or not at all. Pictures are
 * numbered in order of first appearance (in COCO by their names, when all of them are different numbers, such as
 * 000000000139.jpg); categories likewise: they are the phrases, or the question where there is none. options may be
 * NULL. */
PERCEPT_API percept_status percept_answer_export(const percept_answer *const *answers, size_t count,
                                                 percept_export_format format, const char *path,
                                                 const percept_export_options *options, percept_error *error);

#ifdef __cplusplus
}
#endif
#endif
