/* scene_compose.c: draws a sample and measures it: what is drawn is what is known, to the pixel. */
#include "base/size.h"
#include "data/scene_private.h"
#include "image/filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SOLID_ALPHA  128    /* an object covers a pixel from half its alpha on */
#define MIN_SHARE    0.0022 /* of the picture: 80 pixels of 192 x 192 */
#define MIN_VISIBLE  0.5f   /* of the object */
#define RESTYLED     0.3f   /* of the objects of training scenes */
#define MIN_CONTRAST 20     /* mean difference to what it was drawn over, in levels of the most different channel */

const char *pct_split_text(enum pct_split split) {
    static const char *const text[PCT_SPLIT_COUNT] = {"training", "calibration", "arrangements", "cutouts"};
    return text[split];
}

bool pct_split_from_text(const char *text, enum pct_split *split) {
    for (int i = 0; i < PCT_SPLIT_COUNT; i++)
        if (!strcmp(text, pct_split_text((enum pct_split)i))) {
            *split = (enum pct_split)i;
            return true;
        }
    return false;
}

struct composing {
    const pct_scene_source *source;
    const pct_scene_request *request;
    pct_random random;
    pct_arena *arena;
    pct_sample *sample;
    percept_error *error;
    bool restyle;
    pct_layer layer, shadow; /* buffers are the arena's and large enough, so rendering never asks for more */
    int32_t covered[SCENE_MAX_OBJECTS];
    int64_t contrast[SCENE_MAX_OBJECTS]; /* summed over covered pixels */
};

static percept_status take_buffers(struct composing *in) {
    size_t width = (size_t)in->request->width, height = (size_t)in->request->height, pixels = width * height;
    pct_sample *sample = in->sample;
    sample->image = (pct_image){(int)width, (int)height, 3, pct_arena_take(in->arena, pixels * 3)};
    sample->owner = pct_arena_take_zeroed(in->arena, pixels, 1);
    sample->objects = pct_arena_take_zeroed(in->arena, SCENE_MAX_OBJECTS, sizeof *sample->objects);
    if (!sample->image.data || !sample->owner || !sample->objects) return pct_fail_memory(in->error, "scene");
    return PERCEPT_OK;
}

static percept_status take_layers(struct composing *in) {
    /* A shadow's plane is larger than the picture by three deviations on every side, at one byte a pixel. */
    size_t pixels = (size_t)in->request->width * (size_t)in->request->height;
    in->layer = (pct_layer){.rgba = pct_arena_take(in->arena, pixels * 4), .capacity = pixels * 4};
    in->shadow = (pct_layer){.rgba = pct_arena_take(in->arena, pixels * 4), .capacity = pixels * 4};
    return in->layer.rgba && in->shadow.rgba ? PERCEPT_OK : pct_fail_memory(in->error, "scene");
}

static int difference(const unsigned char *a, const unsigned char *b) {
    int most = 0;
    for (int c = 0; c < 3; c++) most = abs(a[c] - b[c]) > most ? abs(a[c] - b[c]) : most;
    return most;
}

/* Before the layer is laid over the canvas. */
static void own_pixels(struct composing *in, int object) {
    const pct_layer *layer = &in->layer;
    for (int y = 0; y < layer->height; y++) {
        const unsigned char *from = layer->rgba + (size_t)y * (size_t)layer->width * 4;
        const unsigned char *under = pct_image_row(&in->sample->image, layer->y + y) + (size_t)layer->x * 3;
        uint8_t *to = in->sample->owner + (size_t)(layer->y + y) * (size_t)in->request->width + layer->x;
        for (int x = 0; x < layer->width; x++)
            if (from[x * 4 + 3] >= SOLID_ALPHA) {
                to[x] = (uint8_t)(object + 1);
                in->covered[object]++;
                in->contrast[object] += difference(from + x * 4, under + x * 3);
            }
    }
}

static percept_status draw(struct composing *in, const struct placed *placed, int object, bool shadows,
                           const float light[2]) {
    const struct scene_cutout *cutout = &in->source->cutouts[placed->cutout];
    pct_image *canvas = &in->sample->image;
    pct_affine map = pct_affine_make(cutout->sprite->width, cutout->sprite->height, placed->centre_x, placed->centre_y,
                                     placed->scale, placed->rotation, placed->shear, placed->flip);
    const float augment = in->restyle ? in->request->augment : 0;
    if (augment > 0 && pct_random_float(&in->random) < augment)
        scene_distort(&map, cutout->sprite->width, cutout->sprite->height, &in->random);
    PCT_TRY(pct_sprite_render(cutout->sprite, &map, canvas->width, canvas->height, &in->layer, in->error));
    if (in->restyle && pct_random_float(&in->random) < RESTYLED) scene_restyle(&in->layer, &in->random);
    if (augment > 0 && pct_random_float(&in->random) < augment)
        PCT_TRY(scene_redraw(&in->layer, canvas, &in->random, in->arena, in->error));
    if (!in->request->plain && pct_random_float(&in->random) < 0.6f) scene_tint(&in->layer, &in->random);
    if (shadows) {
        float size = (placed->box.x1 - placed->box.x0 + placed->box.y1 - placed->box.y0) / 2;
        float sigma = fminf(size * pct_random_between(&in->random, 0.02f, 0.07f), (float)canvas->width / 12);
        PCT_TRY(pct_layer_shadow(&in->layer, canvas, light[0] * size, light[1] * size, sigma,
                                 pct_random_between(&in->random, 0.2f, 0.6f), &in->shadow, in->error));
    }
    own_pixels(in, object);
    pct_layer_over(&in->layer, canvas);
    in->sample->objects[object] = (pct_object){
        .name = cutout->name,
        .text = in->source->names[cutout->name].text,
        .label = cutout->label,
        .cutout = placed->cutout,
        .style = cutout->style,
    };
    return PERCEPT_OK;
}

/* Blur, noise, colours and JPEG damage; about one picture in five has none of them. */
static percept_status vary(struct composing *in) {
    pct_random *random = &in->random;
    pct_image *image = &in->sample->image;
    if (pct_random_float(random) < 0.5f) {
        pct_colour_change change = {.brightness = pct_random_between(random, -0.12f, 0.12f),
                                    .contrast = pct_random_between(random, 0.75f, 1.2f),
                                    .saturation = pct_random_between(random, 0.7f, 1.2f),
                                    .hue = pct_random_between(random, -0.06f, 0.06f),
                                    .gamma = pct_random_between(random, 0.8f, 1.25f)};
        pct_filter_colour(image, &change);
    }
    float scale = (float)(image->width < image->height ? image->width : image->height) / 192;
    if (pct_random_float(random) < 0.22f)
        PCT_TRY(pct_filter_blur(image, pct_random_between(random, 0.35f, 1.1f) * scale, in->error));
    if (pct_random_float(random) < 0.33f)
        pct_filter_noise(image, pct_random_between(random, 1.5f, 9), pct_random_u32(random) & 1, random);
    if (pct_random_float(random) < 0.33f)
        PCT_TRY(scene_jpeg(image, (int)pct_random_between(random, 30, 92), in->arena, in->error));
    return PERCEPT_OK;
}

/* Boxes, areas and visible shares; objects of which no pixel is left go, and the owners are numbered anew. */
static void measure(struct composing *in, int count) {
    pct_sample *sample = in->sample;
    int width = in->request->width, height = in->request->height;
    int x0[SCENE_MAX_OBJECTS], y0[SCENE_MAX_OBJECTS], x1[SCENE_MAX_OBJECTS] = {0}, y1[SCENE_MAX_OBJECTS] = {0};
    for (int k = 0; k < count; k++) x0[k] = y0[k] = INT32_MAX;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int k = sample->owner[(size_t)y * (size_t)width + (size_t)x] - 1;
            if (k < 0) continue;
            sample->objects[k].area++;
            if (x < x0[k]) x0[k] = x;
            if (x >= x1[k]) x1[k] = x + 1;
            if (y < y0[k]) y0[k] = y;
            y1[k] = y + 1;
        }
    uint8_t renumber[SCENE_MAX_OBJECTS + 1] = {0};
    int kept = 0;
    for (int k = 0; k < count; k++) {
        pct_object object = sample->objects[k];
        if (object.area == 0) continue;
        object.box = (pct_box){(float)x0[k], (float)y0[k], (float)x1[k], (float)y1[k]};
        object.visible = (float)object.area / (float)in->covered[k];
        object.asked = object.visible >= MIN_VISIBLE && object.area >= MIN_SHARE * width * height &&
                       in->contrast[k] >= (int64_t)MIN_CONTRAST * in->covered[k];
        sample->objects[kept++] = object;
        renumber[k + 1] = (uint8_t)kept;
    }
    if (kept < count)
        for (size_t i = 0; i < (size_t)width * (size_t)height; i++) sample->owner[i] = renumber[sample->owner[i]];
    sample->object_count = kept;
}

/* Names near to what is drawn or shown by the background, but not drawn themselves. */
static percept_status list_unsure(struct composing *in, const struct scene_background *background) {
    const pct_scene_source *source = in->source;
    pct_sample *sample = in->sample;
    uint8_t *state = pct_arena_take_zeroed(in->arena, (size_t)source->name_count, 1);
    int32_t *unsure = pct_arena_take(in->arena, (size_t)source->name_count * sizeof *unsure);
    if (!state || !unsure) return pct_fail_memory(in->error, "scene");
    for (int32_t i = 0; background && i < background->shows_count; i++) state[background->shows[i]] = 1;
    for (int32_t k = 0; k < sample->object_count; k++)
        for (int32_t name = 0; name < source->name_count; name++)
            if (scene_relation(source, sample->objects[k].name, name)) state[name] = 1;
    for (int32_t k = 0; k < sample->object_count; k++) state[sample->objects[k].name] = 0;
    for (int32_t name = 0; name < source->name_count; name++)
        if (state[name]) unsure[sample->unsure_count++] = name;
    sample->unsure = unsure;
    return PERCEPT_OK;
}

static percept_status compose(struct composing *in, enum pct_split split) {
    struct placed placed[SCENE_MAX_OBJECTS];
    PCT_TRY(take_buffers(in));
    const struct scene_background *background = scene_ground_pick(in->source, split, &in->random);
    int count = scene_layout(in->source, split, in->request, background, &in->random, placed);
    if (count == 0 && background) { /* it shows everything there is: a generated one shows nothing */
        background = NULL;
        count = scene_layout(in->source, split, in->request, NULL, &in->random, placed);
    }
    scene_ground_paint(background, &in->sample->image, &in->random);
    pct_arena_mark mark = pct_arena_save(in->arena);
    PCT_TRY(take_layers(in));
    bool shadows = pct_random_float(&in->random) < 0.55f && !in->request->plain;
    float light[2] = {pct_random_between(&in->random, -0.06f, 0.06f), pct_random_between(&in->random, 0.01f, 0.08f)};
    for (int i = 0; i < count; i++) PCT_TRY(draw(in, &placed[i], i, shadows, light));
    pct_arena_release(in->arena, mark);
    if (!in->request->plain) PCT_TRY(vary(in));
    measure(in, count);
    PCT_TRY(list_unsure(in, background));
    return scene_questions(in->source, in->request, background, &in->random, in->arena, in->sample, in->error);
}

static bool is_side(int32_t pixels) { return pixels >= PCT_SCENE_MIN_SIDE && pixels <= PCT_SCENE_MAX_SIDE; }

static percept_status check_request(const pct_scene_request *request, percept_error *error) {
    if (!is_side(request->width) || !is_side(request->height))
        return pct_fail(error, PERCEPT_ERROR_USAGE, "scene size %d x %d: sides must lie in %d ... %d", request->width,
                        request->height, PCT_SCENE_MIN_SIDE, PCT_SCENE_MAX_SIDE);
    if (!(request->augment >= 0 && request->augment <= 1))
        return pct_fail(error, PERCEPT_ERROR_USAGE, "augment: %g must lie in 0 ... 1", (double)request->augment);
    if (request->questions < 1 || request->questions > 32)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "questions a picture: %d must lie in 1 ... 32", request->questions);
    int low = request->objects_min ? request->objects_min : 1;
    int high = request->objects_max ? request->objects_max : SCENE_MAX_OBJECTS;
    if (low < 1 || high > SCENE_MAX_OBJECTS || low > high)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "objects a picture: %d ... %d must lie in 1 ... %d", low, high,
                        SCENE_MAX_OBJECTS);
    return PERCEPT_OK;
}

percept_status pct_scene_compose(const pct_scene_source *source, enum pct_split split, uint64_t seed, uint64_t index,
                                 const pct_scene_request *request, pct_arena *arena, pct_sample *sample,
                                 percept_error *error) {
    PCT_TRY(check_request(request, error));
    *sample = (pct_sample){.index = index, .split = pct_split_text(split)};
    struct composing in = {.source = source, .request = request, .arena = arena, .sample = sample, .error = error};
    in.restyle = split == PCT_SPLIT_TRAINING && !request->plain;
    pct_random_init(&in.random, seed, SCENE_STREAM + (uint64_t)split, index);
    return compose(&in, split);
}
