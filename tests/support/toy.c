#include "toy.h"

#include "model/spelling.h"
#include "tokenizer/template.h"

#include <string.h>

enum { TOY_ROWS = 128 }; /* a question at most */

typedef struct thing {
    const char *name;
    float box[4]; /* in 0..1 */
    float colour[3];
} thing;

static const thing things[TOY_PICTURES][2] = {
    {{"red box", {0.10f, 0.20f, 0.45f, 0.80f}, {1, -1, -1}}, {"blue box", {0.60f, 0.10f, 0.95f, 0.50f}, {-1, -1, 1}}},
    {{"green box", {0.25f, 0.05f, 0.90f, 0.40f}, {-1, 1, -1}}, {"red box", {0.30f, 0.55f, 0.70f, 0.95f}, {1, -1, -1}}},
};

static const char *const texts[TOY_PICTURES][TOY_QUESTIONS][2] = {
    {{"where is the red box?", "here: <p>red box</p><obj>"},
     {"find the blue box", "here: <p>blue box</p><obj>"},
     {"find the green box", "there is no green box"}},
    {{"where is the red box?", "here: <p>red box</p><obj>"},
     {"find the green box", "here: <p>green box</p><obj>"},
     {"find the blue box", "there is no blue box"}},
};
/* The thing that a question's answer shows, or -1. */
static const int shown[TOY_PICTURES][TOY_QUESTIONS] = {{0, 1, -1}, {1, 0, -1}};

const float *toy_shown(int picture, int question) {
    const int k = shown[picture][question];
    return k < 0 ? NULL : things[picture][k].box;
}

pct_model_config toy_config(void) {
    pct_model_config c;
    pct_model_config_default(&c);
    c.image.side = 64;
    c.vision.stem_width = 32;
    c.vision.stem_blocks = 1;
    c.vision.cell_blocks = 1;
    c.vision.width = 64;
    c.vision.layers = 2;
    c.vision.heads = 4;
    c.vision.mlp = 128;
    c.language.width = 64;
    c.language.layers = 2;
    c.language.heads = 4;
    c.language.kv_heads = 2;
    c.language.mlp = 128;
    c.language.context = 96;
    c.heads.box_width = 64;
    c.heads.mask_width = 64;
    c.heads.mask_heads = 4;
    c.heads.mask_mlp = 64;
    c.heads.mask_encoder_side = 32;
    c.heads.mask_encoder_width = 8;
    return c;
}

static bool make_tokenizer(toy_set *t) {
    pct_bpe_trainer *trainer = NULL;
    pct_bpe_train_options options = pct_template_train_options(320);
    if (pct_bpe_trainer_create(&trainer, &options, NULL) != PERCEPT_OK) return false;
    bool good = true;
    for (int p = 0; p < TOY_PICTURES; p++)
        for (int q = 0; q < TOY_QUESTIONS; q++)
            for (int k = 0; k < 2; k++)
                good &= pct_bpe_trainer_add(trainer, texts[p][q][k], strlen(texts[p][q][k]), 3, NULL) == PERCEPT_OK;
    good = good && pct_bpe_trainer_finish(trainer, &t->tokenizer, NULL) == PERCEPT_OK;
    pct_bpe_trainer_destroy(&trainer);
    return good && pct_spelling_extend(&t->tokenizer, &t->config, NULL) == PERCEPT_OK;
}

static pct_real *paint(toy_set *t) {
    int side = t->config.image.side;
    pct_real *pixels = pct_arena_take(&t->arena, (size_t)(TOY_PICTURES * side * side * 3) * sizeof *pixels);
    for (int p = 0; p < TOY_PICTURES; p++)
        for (int i = 0; i < side * side; i++) {
            pct_real x = ((pct_real)(i % side) + (pct_real)0.5) / (pct_real)side;
            pct_real y = ((pct_real)(i / side) + (pct_real)0.5) / (pct_real)side;
            pct_real *pixel = pixels + (p * side * side + i) * 3;
            for (int c = 0; c < 3; c++) pixel[c] = (pct_real)0.1 * x;
            for (int k = 0; k < 2; k++) {
                const thing *a = &things[p][k];
                if (x < a->box[0] || x > a->box[2] || y < a->box[1] || y > a->box[3]) continue;
                for (int c = 0; c < 3; c++) pixel[c] = a->colour[c];
            }
        }
    return pixels;
}

/* Share of each cell that the box covers. */
static pct_real *cover(toy_set *t, const float *box, int side) {
    pct_real *mask = pct_arena_take(&t->arena, (size_t)(side * side) * sizeof *mask);
    for (int i = 0; i < side * side; i++) {
        float share = 1;
        for (int axis = 0; axis < 2; axis++) {
            float low = (float)(axis ? i / side : i % side) / (float)side, high = low + 1 / (float)side;
            float from = box[axis] > low ? box[axis] : low, to = box[axis + 2] < high ? box[axis + 2] : high;
            share *= to > from ? (to - from) * (float)side : 0;
        }
        mask[i] = (pct_real)share;
    }
    return mask;
}

/* The rendered question with its region in text, in place of its <obj> or after it; the object's row moves with it. */
static bool tell(const toy_set *t, const pct_rendered *r, const float *box, int32_t *ids, bool *learned, int32_t *count,
                 int32_t *object) {
    const bool both = t->config.language.regions == PCT_REGIONS_BOTH;
    pct_spelling spelling;
    pct_mask mask;
    bool good = pct_mask_new(&mask, 8, 8, NULL) == PERCEPT_OK;
    if (good) memset(mask.data, 1, pct_mask_bytes(&mask));
    good = good && pct_spelling_init(&spelling, &t->config, t->tokenizer, NULL) == PERCEPT_OK;
    for (size_t i = 0; good && i < r->ids.count; i++) {
        const bool here = r->object_count > 0 && r->objects[0].position == (int32_t)i;
        int32_t told = 0;
        if (here) *object = *count;
        if (!here || both) {
            ids[*count] = r->ids.data[i];
            learned[(*count)++] = r->target[i];
        }
        if (!here) continue;
        good = pct_spelling_write(&spelling, box, &mask, box, ids + *count, &told, NULL) == PERCEPT_OK;
        for (int32_t k = 0; k < told; k++) learned[(*count)++] = true;
    }
    pct_spelling_free(&spelling);
    pct_mask_free(&mask);
    return good;
}

static bool add_question(toy_set *t, int p, int q, int32_t *ids, int32_t *targets, pct_batch_segment *segments,
                         pct_batch_object *objects) {
    pct_token_scratch scratch = {0};
    pct_rendered r = {0};
    pct_template_turn turn = {.question = texts[p][q][0], .answer = texts[p][q][1], .marks = true};
    bool good = pct_template_render(&t->template, &scratch, &turn, 1, &r, NULL) == PERCEPT_OK;
    const thing *shows = &things[p][shown[p][q] < 0 ? 0 : shown[p][q]];
    int32_t row = t->batch.rows, count = 0, position = r.object_count ? r.objects[0].position : 0;
    bool learned[TOY_ROWS];
    if (t->config.language.regions != PCT_REGIONS_TOKEN) {
        good = good && tell(t, &r, shows->box, ids + row, learned, &count, &position);
    } else {
        for (; good && count < (int32_t)r.ids.count; count++) {
            ids[row + count] = r.ids.data[count];
            learned[count] = r.target[count];
        }
    }
    for (int32_t i = 0; i < count; i++) targets[row + i] = i + 1 < count && learned[i + 1] ? ids[row + i + 1] : -1;
    segments[t->batch.segment_count++] = (pct_batch_segment){p, row, count};
    for (int k = 0; k < r.object_count && t->config.language.regions != PCT_REGIONS_TEXT; k++) {
        const thing *a = shows;
        pct_batch_object object = {.row = row + position, .picture = p, .answer = true};
        for (int i = 0; i < 4; i++) object.box[i] = (pct_real)a->box[i];
        /* what follows is read after a box in any case */
        const bool box = q || t->config.language.regions == PCT_REGIONS_BOTH;
        object.source = box ? PCT_REGION_BOX : PCT_REGION_MASK;
        object.mask = cover(t, a->box, pct_model_config_mask_side(&t->config));
        object.mask_in = cover(t, a->box, t->config.heads.mask_encoder_side);
        objects[t->batch.object_count++] = object;
    }
    t->batch.rows += count;
    pct_rendered_free(&r);
    pct_token_scratch_free(&scratch);
    return good;
}

bool toy_create(toy_set *t, const pct_model_config *config) {
    *t = (toy_set){.config = *config};
    pct_arena_init(&t->arena, 0);
    if (!make_tokenizer(t)) return false;
    t->config.language.vocabulary = pct_tokenizer_size(t->tokenizer);
    if (pct_template_init(&t->template, "percept", t->tokenizer, NULL) != PERCEPT_OK) return false;
    enum { ROWS = TOY_PICTURES * TOY_QUESTIONS * TOY_ROWS };
    int32_t *ids = pct_arena_take(&t->arena, ROWS * sizeof *ids),
            *targets = pct_arena_take(&t->arena, ROWS * sizeof *ids);
    pct_batch_segment *segments = pct_arena_take(&t->arena, TOY_PICTURES * TOY_QUESTIONS * sizeof *segments);
    pct_batch_object *objects = pct_arena_take(&t->arena, TOY_PICTURES * TOY_QUESTIONS * sizeof *objects);
    t->batch = (pct_batch){.pictures = TOY_PICTURES, .pixels = paint(t), .ids = ids, .targets = targets};
    t->batch.segments = segments;
    t->batch.objects = objects;
    for (int p = 0; p < TOY_PICTURES; p++)
        for (int q = 0; q < TOY_QUESTIONS; q++) {
            t->questions[p][q] = texts[p][q][0];
            t->answers[p][q] = texts[p][q][1];
            if (!add_question(t, p, q, ids, targets, segments, objects)) return false;
        }
    return true;
}

void toy_free(toy_set *t) {
    pct_arena_free(&t->arena);
    pct_tokenizer_destroy(&t->tokenizer);
}

pct_prompt toy_prompt(toy_set *t, const char *question) {
    pct_token_scratch scratch = {0};
    pct_rendered r = {0};
    pct_template_turn turn = {.question = question};
    pct_prompt prompt = {0};
    if (pct_template_render(&t->template, &scratch, &turn, 1, &r, NULL) == PERCEPT_OK) {
        int32_t *ids = pct_arena_take(&t->arena, r.ids.count * sizeof *ids);
        memcpy(ids, r.ids.data, r.ids.count * sizeof *ids);
        prompt = (pct_prompt){.ids = ids, .count = (int32_t)r.ids.count};
    }
    pct_rendered_free(&r);
    pct_token_scratch_free(&scratch);
    return prompt;
}
