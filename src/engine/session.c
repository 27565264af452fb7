/* session.c: a picture on its way into the model: decode, fit, normalise, encode. */
#include "base/clock.h"
#include "base/file.h"
#include "engine/engine_private.h"
#include "engine/options.h"
#include "image/decode.h"

#include <stdlib.h>
#include <string.h>

pct_picture *pct_picture_share(pct_picture *picture) {
    atomic_fetch_add(&picture->references, 1);
    return picture;
}

void pct_picture_drop(pct_picture **handle) {
    pct_picture *picture = *handle;
    *handle = NULL;
    if (!picture || atomic_fetch_sub(&picture->references, 1) != 1) return;
    pct_image_free(&picture->pixels);
    free(picture->name);
    free(picture);
}

percept_status percept_session_new(percept_session **out, percept_engine *engine, percept_error *error) {
    const pct_model_config *config = pct_model_get_config(engine->model);
    percept_session *session = calloc(1, sizeof *session);
    if (!session) return pct_fail_memory(error, "session");
    session->engine = engine;
    atomic_fetch_add(&engine->sessions, 1);
    percept_status status = PERCEPT_OK;
    if (config->kind == PCT_MODEL_JOINED) {
        size_t side = (size_t)config->image.side;
        session->input = calloc(side * side * 3, sizeof *session->input);
        status = session->input ? pct_state_create(&session->state, engine->model, engine->compute, error)
                                : pct_fail_memory(error, "session");
    }
    if (status != PERCEPT_OK) {
        percept_session_free(&session);
        return status;
    }
    *out = session;
    return PERCEPT_OK;
}

percept_status pct_session_sequence(percept_session *session, pct_sequence **sequence, percept_error *error) {
    const percept_engine *engine = session->engine;
    if (!session->sequence)
        PCT_TRY(
            pct_sequence_create(&session->sequence, engine->model, engine->compute, engine->cache, PCT_BF16, error));
    *sequence = session->sequence;
    return PERCEPT_OK;
}

percept_status percept_session_fork(percept_session **out, const percept_session *session, percept_error *error) {
    percept_session *fork;
    PCT_TRY(percept_session_new(&fork, session->engine, error));
    percept_status status =
        session->sequence ? pct_sequence_fork(&fork->sequence, session->sequence, error) : PERCEPT_OK;
    if (status == PERCEPT_OK)
        *out = fork;
    else
        percept_session_free(&fork);
    return status;
}

void percept_session_free(percept_session **handle) {
    percept_session *session = handle ? *handle : NULL;
    if (!session) return;
    *handle = NULL;
    pct_state_destroy(&session->state);
    pct_sequence_destroy(&session->sequence);
    pct_picture_drop(&session->picture);
    pct_token_scratch_free(&session->scratch);
    free(session->input);
    atomic_fetch_sub(&session->engine->sessions, 1);
    free(session);
}

void percept_session_drop_pixels(percept_session *session) {
    if (session->picture) pct_image_free(&session->picture->pixels);
}

void percept_session_cancel(percept_session *session) { atomic_store(&session->cancelled, true); }
void percept_session_uncancel(percept_session *session) { atomic_store(&session->cancelled, false); }

int32_t percept_session_width(const percept_session *session) { return session->picture ? session->picture->width : 0; }
int32_t percept_session_height(const percept_session *session) {
    return session->picture ? session->picture->height : 0;
}

void percept_image_options_init(percept_image_options *options) {
    *options = (percept_image_options){.size = sizeof *options};
}

static percept_status take_image_options(const percept_session *session, percept_image_options *options,
                                         const percept_image_options *given, percept_error *error) {
    PCT_TRY(pct_model_check_sees(session->engine->model, error));
    percept_image_options_init(options);
    PCT_TRY(pct_options_take(options, sizeof *options, given, "percept_image_options", error));
    if (options->max_pixels < 0) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "max_pixels: %lld is out of range; give 1 and more, or 0 for %d",
                        (long long)options->max_pixels, PCT_DECODE_MAX_PIXELS);
    }
    return PERCEPT_OK;
}

static percept_status picture_new(pct_picture **out, const char *name, percept_error *error) {
    pct_picture *picture = calloc(1, sizeof *picture);
    if (picture) picture->name = strdup(name);
    if (!picture || !picture->name) {
        free(picture);
        return pct_fail_memory(error, name);
    }
    atomic_init(&picture->references, 1);
    *out = picture;
    return PERCEPT_OK;
}

pct_picture *pct_picture_none(void) {
    pct_picture *picture = NULL;
    return picture_new(&picture, "", NULL) == PERCEPT_OK ? picture : NULL;
}

/* The engine's threads serve one call at a time, so the resize belongs behind the gate as much as the tower. */
static percept_status encode(percept_session *session, pct_picture *picture, const pct_image *image,
                             percept_error *error) {
    percept_engine *engine = session->engine;
    const pct_model_config *config = pct_model_get_config(engine->model);
    PCT_TRY(pct_fit_make(&picture->fit, config->image.fit, config->image.side, picture->width, picture->height, error));
    if (pct_gate_enter(&engine->gate, &session->cancelled, 0) != PCT_GATE_ENTERED) return pct_fail_cancelled(error);
    double started = pct_clock_seconds();
    percept_status status = pct_fit_normalise(&picture->fit, image, config->image.mean, config->image.deviation,
                                              session->input, engine->pool, error);
    if (status == PERCEPT_OK) status = pct_state_encode(session->state, session->input, error);
    picture->encode_ms = (pct_clock_seconds() - started) * 1e3;
    pct_gate_leave(&engine->gate);
    if (status == PERCEPT_OK && atomic_load(&session->cancelled)) status = pct_fail_cancelled(error);
    return status;
}

/* Encodes `image` (moved in; it is freed or kept) as the session's picture. */
static percept_status adopt(percept_session *session, pct_picture *picture, pct_image *image, percept_error *error) {
    pct_picture_drop(&session->picture);
    percept_status status = encode(session, picture, image, error);
    pct_image_free(image);
    if (status != PERCEPT_OK) {
        pct_picture_drop(&picture);
        return status;
    }
    session->picture = picture;
    return PERCEPT_OK;
}

/* A JPEG may be decoded at half size or less when the model sees no difference. That must not depend on whether the
 * caller keeps the pixels, or answers would: so the kept picture is decoded on its own. */
static percept_status decode(percept_session *session, const void *data, size_t size, const char *name,
                             const percept_image_options *options, pct_picture *picture, pct_image *image,
                             percept_error *error) {
    const pct_model_config *config = pct_model_get_config(session->engine->model);
    pct_decode_options how = {.max_pixels = options->max_pixels};
    if (config->image.reduced) {
        pct_fit_decode_hint(config->image.fit, config->image.side, &how.min_side, &how.min_long);
    }
    pct_decode_info info = {0};
    double started = pct_clock_seconds();
    PCT_TRY(pct_image_decode(image, data, size, name, &how, &info, error));
    picture->decode_ms = (pct_clock_seconds() - started) * 1e3;
    picture->width = info.width;
    picture->height = info.height;
    if (!options->keep_pixels) return PERCEPT_OK;
    if (info.reduction == 1) return pct_image_copy(&picture->pixels, image, error);
    how.min_side = how.min_long = 0;
    return pct_image_decode(&picture->pixels, data, size, name, &how, NULL, error);
}

static percept_status load_bytes(percept_session *session, const void *data, size_t size, const char *name,
                                 const percept_image_options *options, percept_error *error) {
    pct_picture *picture = NULL;
    pct_image image = {0};
    PCT_TRY(picture_new(&picture, options->name ? options->name : name, error));
    percept_status status = decode(session, data, size, name, options, picture, &image, error);
    if (status != PERCEPT_OK) {
        pct_image_free(&image);
        pct_picture_drop(&picture);
        return status;
    }
    return adopt(session, picture, &image, error);
}

percept_status percept_session_load_image(percept_session *session, const char *path,
                                          const percept_image_options *given, percept_error *error) {
    percept_image_options options;
    PCT_TRY(take_image_options(session, &options, given, error));
    if (!path) return pct_fail(error, PERCEPT_ERROR_USAGE, "no picture is named; give a file");
    pct_picture_drop(&session->picture);
    bool standard_input = strcmp(path, "-") == 0;
    const char *name = standard_input ? "standard input" : path;
    char *data = NULL;
    size_t size = 0;
    PCT_TRY(pct_file_read(path, PCT_DECODE_MAX_FILE_BYTES, &data, &size, error));
    percept_status status = load_bytes(session, data, size, name, &options, error);
    free(data);
    return status;
}

percept_status percept_session_load_image_memory(percept_session *session, const void *data, size_t size,
                                                 const percept_image_options *given, percept_error *error) {
    percept_image_options options;
    PCT_TRY(take_image_options(session, &options, given, error));
    pct_picture_drop(&session->picture);
    return load_bytes(session, data, size, options.name ? options.name : "image", &options, error);
}

static percept_status copy_pixels(pct_image *image, const unsigned char *pixels, int32_t width, int32_t height,
                                  int32_t channels, size_t stride, percept_error *error) {
    PCT_TRY(pct_image_new(image, width, height, channels, error));
    size_t row = (size_t)width * (size_t)channels;
    for (int32_t y = 0; y < height; y++) memcpy(pct_image_row(image, y), pixels + (size_t)y * stride, row);
    pct_image_flatten(image, 255, 255, 255);
    return PERCEPT_OK;
}

percept_status percept_session_load_pixels(percept_session *session, const unsigned char *pixels, int32_t width,
                                           int32_t height, int32_t channels, size_t stride,
                                           const percept_image_options *given, percept_error *error) {
    percept_image_options options;
    PCT_TRY(take_image_options(session, &options, given, error));
    pct_picture_drop(&session->picture);
    const char *name = options.name ? options.name : "image";
    int64_t most = options.max_pixels ? options.max_pixels : PCT_DECODE_MAX_PIXELS;
    if (!pixels || width < 1 || height < 1 || channels < 3 || channels > 4 || (int64_t)width * height > most) {
        return pct_fail(error, PERCEPT_ERROR_USAGE,
                        "%s: %d x %d pixels of %d channels; give 3 or 4 channels and at most %lld pixels", name, width,
                        height, channels, (long long)most);
    }
    size_t row = (size_t)width * (size_t)channels;
    if (stride && stride < row) {
        return pct_fail(error, PERCEPT_ERROR_USAGE, "%s: rows are %zu bytes apart but %zu long", name, stride, row);
    }
    pct_picture *picture = NULL;
    pct_image image = {0};
    PCT_TRY(picture_new(&picture, name, error));
    picture->width = width;
    picture->height = height;
    percept_status status = copy_pixels(&image, pixels, width, height, channels, stride ? stride : row, error);
    if (status == PERCEPT_OK && options.keep_pixels) status = pct_image_copy(&picture->pixels, &image, error);
    if (status != PERCEPT_OK) {
        pct_image_free(&image);
        pct_picture_drop(&picture);
        return status;
    }
    return adopt(session, picture, &image, error);
}

percept_status percept_mask_read(const char *path, unsigned char **mask, int32_t *width, int32_t *height,
                                 percept_error *error) {
    pct_mask read = {0};
    if (!path) return pct_fail(error, PERCEPT_ERROR_USAGE, "no mask is named; give a file");
    PCT_TRY(pct_mask_read(&read, path, NULL, error));
    *mask = read.data; /* the mask's one block is malloc'd (image.h), so it can be handed over as it is */
    *width = read.width;
    *height = read.height;
    return PERCEPT_OK;
}
