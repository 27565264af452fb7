/* scene_layout.c: which cut-outs a picture has, how large, how turned, and where.
 *
 * Names that could be taken for each other (PCT_RELATION_CLASH), and names that the background may show, never stand
 * in one picture, so that a name alone is never ambiguous for a reason that is not drawn. Several pictures of one name
 * stand together often: they force colour, size, position and relation into the questions. */
#include "data/scene_private.h"
#include "image/boxes.h"

#include <math.h>
#include <string.h>

#define NAME_TRIES  24
#define PLACE_TRIES 24

/* How many objects: chances of 1, 2, ... 8 in percent. */
static const uint8_t object_chances[SCENE_MAX_OBJECTS] = {9, 15, 20, 19, 14, 10, 7, 6};

static int pick_count(const pct_scene_request *request, pct_random *random) {
    int low = request->objects_min ? request->objects_min : 1;
    int high = request->objects_max ? request->objects_max : SCENE_MAX_OBJECTS;
    int total = 0;
    for (int n = low; n <= high; n++) total += object_chances[n - 1];
    int at = (int)pct_random_below(random, (uint32_t)total);
    for (int n = low; n < high; n++) {
        at -= object_chances[n - 1];
        if (at < 0) return n;
    }
    return high;
}

static bool shown(const struct scene_background *background, int32_t name) {
    for (int32_t i = 0; background && i < background->shows_count; i++)
        if (background->shows[i] == name) return true;
    return false;
}

static bool fits(const pct_scene_source *source, const struct scene_background *background, const int32_t *names,
                 int count, int32_t name) {
    if (shown(background, name)) return false;
    for (int i = 0; i < count; i++)
        if (names[i] == name || (scene_relation(source, names[i], name) & PCT_RELATION_CLASH)) return false;
    return true;
}

/* How many of one name: the first name of a picture is repeated in more than half of them. */
static int pick_copies(bool first, int left, pct_random *random) {
    int copies = 1;
    if (left >= 2 && pct_random_float(random) < (first ? 0.55f : 0.2f)) {
        copies = 2;
        while (copies < left && copies < 8 && pct_random_float(random) < 0.42f) copies++;
    }
    return copies;
}

/* The cut-outs of `copies` of a name: different ones as long as there are; `held` (or -1) is the first of them. */
static int add_copies(const pct_scene_source *source, int32_t name, int32_t held, int copies, pct_random *random,
                      int32_t *cutouts) {
    const struct scene_name *of = &source->names[name];
    int count = 0;
    if (held >= 0) cutouts[count++] = held;
    if (of->trained_count == 0) return count;
    int32_t start = (int32_t)pct_random_below(random, (uint32_t)of->trained_count);
    bool same = pct_random_float(random) < 0.3f; /* sometimes the same picture again: only place and size differ */
    for (int32_t k = 0; count < copies; k++)
        cutouts[count++] = source->by_name[of->first + (start + (same ? 0 : k)) % of->trained_count];
    return count;
}

int32_t scene_pick_name(const pct_scene_source *source, pct_random *random) {
    const struct scene_ids *from = &source->usable;
    if (source->taught.count && pct_random_float(random) < source->taught_share) from = &source->taught;
    return from->items[pct_random_below(random, (uint32_t)from->count)];
}

static int pick_cutouts(const pct_scene_source *source, enum pct_split split, const struct scene_background *background,
                        int wanted, pct_random *random, int32_t cutouts[SCENE_MAX_OBJECTS]) {
    int32_t names[SCENE_MAX_OBJECTS];
    int count = 0, name_count = 0;
    for (int tries = 0; count < wanted && tries < NAME_TRIES; tries++) {
        int32_t held = -1, name;
        bool unseen = split == PCT_SPLIT_CUTOUTS && source->held_out.count &&
                      (name_count == 0 || pct_random_float(random) < 0.3f);
        if (unseen) {
            held = source->held_out.items[pct_random_below(random, (uint32_t)source->held_out.count)];
            name = source->cutouts[held].name;
        } else {
            name = scene_pick_name(source, random);
        }
        if (!fits(source, background, names, name_count, name)) continue;
        /* "Two scissors" and "two breads" are no English. */
        int most = source->names[name].number == PCT_NUMBER_ONE ? wanted - count : 1;
        int copies = pick_copies(name_count == 0, most, random);
        count += add_copies(source, name, held, copies, random, cutouts + count);
        names[name_count++] = name;
    }
    return count;
}

/* Longest side as a share of the picture's shorter side: smaller the more there are. */
static float pick_size(int count, pct_random *random) {
    static const float largest[SCENE_MAX_OBJECTS] = {0.70f, 0.62f, 0.54f, 0.48f, 0.43f, 0.39f, 0.36f, 0.34f};
    float high = largest[count - 1], low = pct_random_float(random) < 0.3f ? 0.15f : fmaxf(0.15f, high * 0.45f);
    return low * powf(high / low, pct_random_float(random));
}

static float pick_rotation(pct_random *random) {
    float kind = pct_random_float(random), turn = pct_random_between(random, -1, 1);
    const float degree = 3.14159265f / 180;
    return kind < 0.4f    ? 0
           : kind < 0.75f ? turn * 12 * degree
           : kind < 0.95f ? turn * 35 * degree
                          : turn * 180 * degree;
}

/* Half the width and height of the turned rectangle. */
static void turned_half(const pct_sprite *sprite, const struct placed *at, float *half_x, float *half_y) {
    float w = (float)sprite->width * at->scale, h = (float)sprite->height * at->scale;
    float c = fabsf(cosf(at->rotation)), s = fabsf(sinf(at->rotation));
    *half_x = (w * c + h * s) / 2;
    *half_y = (w * s + h * c) / 2;
}

static bool overlaps(const struct placed *placed, int count, pct_box box, float limit) {
    for (int i = 0; i < count; i++) {
        float common = pct_box_area(pct_box_intersect(placed[i].box, box));
        float smaller = fminf(pct_box_area(placed[i].box), pct_box_area(box));
        if (common > limit * smaller) return true;
    }
    return false;
}

/* Tries places until the object overlaps the others by no more than `limit`, then at smaller sizes. */
static bool place(const pct_sprite *sprite, int width, int height, struct placed *placed, int count, float limit,
                  pct_random *random) {
    struct placed *one = &placed[count];
    for (int shrink = 0; shrink < 3; shrink++, one->scale *= 0.75f) {
        float half_x, half_y;
        turned_half(sprite, one, &half_x, &half_y);
        if (fmaxf(half_x, half_y) * 2 < 0.1f * (float)(width < height ? width : height)) return false;
        /* One in eight may be cut by the picture's edge, by at most a fifth of its extent. */
        float inside = pct_random_float(random) < 0.125f ? 0.6f : 1.0f;
        float x0 = half_x * inside, x1 = (float)width - x0, y0 = half_y * inside, y1 = (float)height - y0;
        for (int tries = 0; tries < PLACE_TRIES; tries++) {
            float x = pct_random_float(random), y = pct_random_float(random);
            one->centre_x = x1 > x0 ? x0 + (x1 - x0) * x : (float)width / 2;
            one->centre_y = y1 > y0 ? y0 + (y1 - y0) * y : (float)height / 2;
            one->box = (pct_box){one->centre_x - half_x, one->centre_y - half_y, one->centre_x + half_x,
                                 one->centre_y + half_y};
            if (!overlaps(placed, count, one->box, limit)) return true;
        }
    }
    return false;
}

int scene_layout(const pct_scene_source *source, enum pct_split split, const pct_scene_request *request,
                 const struct scene_background *background, pct_random *random, struct placed placed[]) {
    int32_t cutouts[SCENE_MAX_OBJECTS];
    int wanted = pick_cutouts(source, split, background, pick_count(request, random), random, cutouts), count = 0;
    float limit = pct_random_float(random) < 0.65f ? 0.06f : 0.4f;
    float shorter = (float)(request->width < request->height ? request->width : request->height);
    float first_size = 0;
    for (int i = 0; i < wanted; i++) {
        const pct_sprite *sprite = source->cutouts[cutouts[i]].sprite;
        float size = pick_size(wanted, random);
        bool copy = i && source->cutouts[cutouts[i]].name == source->cutouts[cutouts[i - 1]].name;
        /* Copies are often clearly larger or smaller, so that "the big one" means something. */
        if (copy && pct_random_float(random) < 0.5f) {
            float ratio = pct_random_between(random, 1.7f, 2.4f);
            size = first_size / ratio >= 0.13f ? first_size / ratio : fminf(first_size * ratio, 0.7f);
        }
        first_size = copy ? first_size : size;
        int longest = sprite->width > sprite->height ? sprite->width : sprite->height;
        placed[count] = (struct placed){
            .cutout = cutouts[i],
            .scale = size * shorter / (float)longest,
            .rotation = pick_rotation(random),
            .shear = pct_random_float(random) < 0.2f ? pct_random_between(random, -0.15f, 0.15f) : 0,
            .flip = pct_random_u32(random) & 1,
        };
        if (place(sprite, request->width, request->height, placed, count, limit, random)) count++;
    }
    if (count == 0 && wanted) { /* never an empty picture: a single object always finds room */
        const pct_sprite *sprite = source->cutouts[cutouts[0]].sprite;
        int longest = sprite->width > sprite->height ? sprite->width : sprite->height;
        placed[0] = (struct placed){.cutout = cutouts[0],
                                    .centre_x = (float)request->width / 2,
                                    .centre_y = (float)request->height / 2,
                                    .scale = 0.4f * shorter / (float)longest};
        count = 1;
    }
    return count;
}
