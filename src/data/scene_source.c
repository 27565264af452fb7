/* scene_source.c: opening a source: the pack and the user's folders become one set of tables; splits are fixed here. */
#include "base/size.h"
#include "data/backgrounds.h"
#include "data/scene_private.h"
#include "data/scene_user.h"

#include <stdlib.h>
#include <string.h>

#define HELD_OUT_ONE_IN 10     /* names with two or more pictures */
#define TAUGHT_HELD_OUT 3      /* pictures from which on one of a taught name is held out */
#define NEAR_DUPLICATE  6      /* bits of the hash */
#define SUBSET_STREAM   0x5375 /* of the draw of options->names */

void pct_scene_options_default(pct_scene_options *options) { *options = (pct_scene_options){.generated = -1}; }

/* ---- tables ---- */

struct opening {
    pct_scene_source *source;
    const pct_scene_options *options;
    struct scene_user_list cutouts, grounds;
    percept_error *error;
};

static void *take(struct opening *in, int64_t count, size_t size) {
    return pct_arena_take_zeroed(&in->source->arena, (size_t)count, size);
}
static const char *keep(struct opening *in, const char *text) {
    return pct_arena_text(&in->source->arena, text, strlen(text));
}
static percept_status no_memory(struct opening *in) { return pct_fail_memory(in->error, "scene tables"); }

static int by_name_text(const void *a, const void *b) {
    return strcmp(((const struct scene_name *)a)->text, ((const struct scene_name *)b)->text);
}

static int32_t find_name(const pct_scene_source *source, const char *text) {
    struct scene_name key = {.text = text};
    const struct scene_name *found = bsearch(&key, source->names, (size_t)source->name_count, sizeof key, by_name_text);
    return found ? (int32_t)(found - source->names) : -1;
}

/* The union of the pack's names and the user's, sorted. */
static percept_status make_names(struct opening *in) {
    pct_scene_source *source = in->source;
    int64_t most = (int64_t)source->pack.name_count + in->cutouts.count;
    source->names = take(in, most, sizeof *source->names);
    if (!source->names) return no_memory(in);
    for (int32_t i = 0; i < source->pack.name_count; i++) {
        const pct_pack_name *name = &source->pack.names[i];
        source->names[source->name_count++] = (struct scene_name){
            name->text, name->plural, name->number, name->article, pct_name_colour(name->text), 0, 0};
    }
    for (int32_t i = 0; i < in->cutouts.count; i++) {
        const char *text = in->cutouts.items[i].name;
        char plural[PCT_NAME_MAX_BYTES + 8];
        bool known = false;
        for (int32_t k = 0; k < source->name_count && !known; k++) known = !strcmp(source->names[k].text, text);
        if (known) continue;
        pct_name_plural(NULL, text, plural, sizeof plural);
        const char *kept = keep(in, text), *kept_plural = keep(in, plural);
        if (!kept || !kept_plural) return no_memory(in);
        source->names[source->name_count++] = (struct scene_name){
            kept, kept_plural, pct_name_number(NULL, text), pct_name_article(NULL, text), pct_name_colour(text), 0, 0};
    }
    qsort(source->names, (size_t)source->name_count, sizeof *source->names, by_name_text);
    return PERCEPT_OK;
}

static percept_status make_relations(struct opening *in) {
    pct_scene_source *source = in->source;
    const pct_pack *pack = &source->pack;
    int32_t count = source->name_count;
    source->relations = take(in, (int64_t)count * count, 1);
    if (!source->relations) return no_memory(in);
    if (in->cutouts.count) /* the pack's relations hold the words' too, for its own names */
        for (int32_t a = 0; a < count; a++)
            for (int32_t b = 0; b < count; b++)
                if (a != b)
                    source->relations[(size_t)a * (size_t)count + (size_t)b] =
                        (uint8_t)pct_names_related_by_words(source->names[a].text, source->names[b].text);
    for (int32_t i = 0; i < pack->relation_count; i++) {
        int32_t a = find_name(source, pack->names[pack->relations[i].a].text);
        int32_t b = find_name(source, pack->names[pack->relations[i].b].text);
        source->relations[(size_t)a * (size_t)count + (size_t)b] |= (uint8_t)pack->relations[i].relation;
        source->relations[(size_t)b * (size_t)count + (size_t)a] |= (uint8_t)pack->relations[i].relation;
    }
    return PERCEPT_OK;
}

static percept_status make_cutouts(struct opening *in) {
    pct_scene_source *source = in->source;
    uint32_t styles = in->options->styles;
    int64_t most = (int64_t)source->pack.cutout_count + in->cutouts.count;
    source->cutouts = take(in, most, sizeof *source->cutouts);
    source->sprites = calloc((size_t)in->cutouts.count + 1, sizeof *source->sprites);
    if (!source->cutouts || !source->sprites) return no_memory(in);
    for (int32_t i = 0; i < source->pack.cutout_count; i++) {
        const pct_pack_cutout *from = &source->pack.cutouts[i];
        source->cutouts[source->cutout_count++] = (struct scene_cutout){
            .name = find_name(source, source->pack.names[from->name].text),
            .label = from->label,
            .style = from->style,
            .sprite = &from->sprite,
            .hash = from->hash,
            .mirrored = from->mirrored,
            .used = styles == 0 || (styles >> from->style & 1),
        };
    }
    for (int32_t i = 0; i < in->cutouts.count; i++) {
        struct scene_user_file *from = &in->cutouts.items[i];
        source->sprites[i] = from->sprite; /* moved */
        source->sprite_count = i + 1;
        const char *label = keep(in, from->label);
        if (!label) return no_memory(in);
        source->cutouts[source->cutout_count++] = (struct scene_cutout){
            .name = find_name(source, from->name),
            .label = label,
            .style = PCT_STYLE_USER,
            .sprite = &source->sprites[i],
            .hash = from->hash,
            .mirrored = from->mirrored,
            .used = true,
        };
    }
    return PERCEPT_OK;
}

/* Whether another picture of the same name is nearly this one, mirrored or not: then it cannot test anything new. */
static bool has_near_duplicate(const pct_scene_source *source, int32_t cutout) {
    const struct scene_cutout *one = &source->cutouts[cutout];
    for (int32_t i = 0; i < source->cutout_count; i++) {
        const struct scene_cutout *other = &source->cutouts[i];
        if (i == cutout || other->name != one->name) continue;
        if (__builtin_popcountll(one->hash ^ other->hash) <= NEAR_DUPLICATE ||
            __builtin_popcountll(one->hash ^ other->mirrored) <= NEAR_DUPLICATE)
            return true;
    }
    return false;
}

/* Of every tenth name with two or more pictures, one is held out. Fixed by hashes of texts before any style is left
 * out, so that a picture is on the same side in every run. */
static void choose_held_out(pct_scene_source *source, bool taught) {
    for (int32_t name = 0; name < source->name_count; name++) {
        const char *text = source->names[name].text;
        if (!taught && pct_hash_bytes(text, strlen(text)) % HELD_OUT_ONE_IN) continue;
        int32_t pictures = 0, chosen = -1;
        uint64_t smallest = UINT64_MAX;
        for (int32_t i = 0; i < source->cutout_count; i++) {
            if (source->cutouts[i].name != name || (taught && source->cutouts[i].style != PCT_STYLE_USER)) continue;
            pictures++;
            uint64_t hash = pct_hash_bytes(source->cutouts[i].label, strlen(source->cutouts[i].label));
            if (hash >= smallest || has_near_duplicate(source, i)) continue;
            smallest = hash;
            chosen = i;
        }
        if (pictures >= (taught ? TAUGHT_HELD_OUT : 2) && chosen >= 0) source->cutouts[chosen].held_out = true;
    }
}

/* Usable names that one of the user's cut-outs bears, for scenes that show them more often than the pack's. */
static void list_taught(struct opening *in) {
    pct_scene_source *source = in->source;
    for (int32_t i = 0; i < source->usable.count && in->options->taught > 0; i++) {
        const struct scene_name *name = &source->names[source->usable.items[i]];
        bool taught = false;
        for (int32_t k = 0; k < name->trained_count && !taught; k++)
            taught = source->cutouts[source->by_name[name->first + k]].style == PCT_STYLE_USER;
        if (taught) source->taught.items[source->taught.count++] = source->usable.items[i];
    }
}

static percept_status make_lists(struct opening *in) {
    pct_scene_source *source = in->source;
    choose_held_out(source, in->options->hold_taught);
    source->by_name = take(in, source->cutout_count, sizeof *source->by_name);
    source->usable.items = take(in, source->name_count, sizeof(int32_t));
    source->taught.items = take(in, source->name_count, sizeof(int32_t));
    source->held_out.items = take(in, source->cutout_count, sizeof(int32_t));
    if (!source->by_name || !source->usable.items || !source->taught.items || !source->held_out.items)
        return no_memory(in);
    int32_t next = 0;
    for (int32_t name = 0; name < source->name_count; name++) {
        source->names[name].first = next;
        for (int32_t i = 0; i < source->cutout_count; i++)
            if (source->cutouts[i].name == name && source->cutouts[i].used && !source->cutouts[i].held_out)
                source->by_name[next++] = i;
        source->names[name].trained_count = next - source->names[name].first;
        if (source->names[name].trained_count) source->usable.items[source->usable.count++] = name;
    }
    int32_t most = in->options->names;
    if (most > 0 && most < source->usable.count) {
        pct_random random;
        pct_random_init(&random, 0, SUBSET_STREAM, 0);
        pct_random_shuffle(&random, source->usable.items, (size_t)source->usable.count);
        source->usable.count = most;
    }
    for (int32_t i = 0; i < source->cutout_count; i++)
        if (source->cutouts[i].held_out && source->cutouts[i].used)
            source->held_out.items[source->held_out.count++] = i;
    list_taught(in);
    if (source->usable.count == 0)
        return pct_fail(in->error, PERCEPT_ERROR_INPUT, "no cut-out is left; use other styles or another folder");
    return PERCEPT_OK;
}

/* 70 % of the groups for training, 10 % for calibration, the rest for the two test splits. */
static bool ground_serves(const char *group, enum pct_split split) {
    uint64_t part = pct_hash_bytes(group, strlen(group)) % 10;
    if (split == PCT_SPLIT_TRAINING) return part < 7;
    if (split == PCT_SPLIT_CALIBRATION) return part == 7;
    return part > 7;
}

static percept_status add_pack_grounds(struct opening *in) {
    pct_scene_source *source = in->source;
    for (int32_t i = 0; i < source->pack.background_count; i++) {
        const pct_pack_background *from = &source->pack.backgrounds[i];
        struct scene_background *to = &source->backgrounds[source->background_count++];
        int32_t *shows = take(in, from->shows_count, sizeof *shows);
        if (!shows) return no_memory(in);
        for (int32_t k = 0; k < from->shows_count; k++)
            shows[k] = find_name(source, source->pack.names[from->shows[k]].text); /* order is kept: both are sorted */
        *to = (struct scene_background){from->label, from->group, &from->image, shows, from->shows_count};
    }
    return PERCEPT_OK;
}

/* What their list says they show, and every name that shares a word with it. */
static percept_status add_user_grounds(struct opening *in) {
    pct_scene_source *source = in->source;
    const char **names = calloc((size_t)source->name_count + 1, sizeof *names);
    for (int32_t i = 0; names && i < source->name_count; i++) names[i] = source->names[i].text;
    percept_status status = names ? PERCEPT_OK : no_memory(in);
    for (int32_t i = 0; i < in->grounds.count && status == PERCEPT_OK; i++) {
        const struct scene_user_file *from = &in->grounds.items[i];
        source->pictures[i] = from->picture; /* moved */
        source->picture_count = i + 1;
        struct scene_background *to = &source->backgrounds[source->background_count++];
        int32_t *shows = take(in, source->name_count, sizeof *shows);
        *to = (struct scene_background){keep(in, from->label), keep(in, from->group), &source->pictures[i], shows, 0};
        if (!shows || !to->label || !to->group)
            status = no_memory(in);
        else
            to->shows_count = pct_background_names(from->shows, names, source->name_count, NULL, shows);
    }
    free(names);
    return status;
}

/* A few backgrounds may all hash to other splits: then one group, the same in every run, is trained on after all. */
static const char *rescued_group(const pct_scene_source *source) {
    const char *group = NULL;
    for (int32_t i = source->pack.background_count; i < source->background_count; i++) {
        const char *other = source->backgrounds[i].group;
        if (ground_serves(other, PCT_SPLIT_TRAINING)) return NULL;
        if (!group || strcmp(other, group) < 0) group = other;
    }
    return group;
}

static percept_status make_grounds(struct opening *in) {
    pct_scene_source *source = in->source;
    int64_t most = (int64_t)source->pack.background_count + in->grounds.count;
    source->backgrounds = take(in, most, sizeof *source->backgrounds);
    source->pictures = calloc((size_t)in->grounds.count + 1, sizeof *source->pictures);
    if (!source->backgrounds || !source->pictures) return no_memory(in);
    PCT_TRY(add_pack_grounds(in));
    PCT_TRY(add_user_grounds(in));
    const char *rescued = rescued_group(source);
    for (int split = 0; split < PCT_SPLIT_COUNT; split++) {
        source->grounds[split].items = take(in, source->background_count, sizeof(int32_t));
        if (!source->grounds[split].items) return no_memory(in);
        for (int32_t i = 0; i < source->background_count; i++) {
            const char *group = source->backgrounds[i].group;
            bool serves = rescued && !strcmp(group, rescued) ? split == PCT_SPLIT_TRAINING
                                                             : ground_serves(group, (enum pct_split)split);
            if (serves) source->grounds[split].items[source->grounds[split].count++] = i;
        }
    }
    return PERCEPT_OK;
}

static percept_status set_options(struct opening *in) {
    static const float mix[PCT_TASK_COUNT_] = {
        [PCT_TASK_REFER] = 45,   [PCT_TASK_ABSENT] = 15,  [PCT_TASK_ALL] = 8,
        [PCT_TASK_NAME] = 10,    [PCT_TASK_COUNT] = 10,   [PCT_TASK_RELATION] = 9,
        [PCT_TASK_BOX2MASK] = 3, [PCT_TASK_DESCRIBE] = 3, [PCT_TASK_DIALOGUE] = 3,
    };
    pct_scene_source *source = in->source;
    const pct_scene_options *options = in->options;
    float total = 0, sum = 0;
    for (int i = 0; i < PCT_TASK_COUNT_; i++) {
        if (!(options->weights[i] >= 0 && options->weights[i] <= 1e6f))
            return pct_fail(in->error, PERCEPT_ERROR_USAGE, "weight of task '%s': must lie in 0 ... 1000000",
                            pct_task_text((enum pct_task)i));
        total += options->weights[i];
    }
    for (int i = 0; i < PCT_TASK_COUNT_; i++) source->weights[i] = sum += total > 0 ? options->weights[i] : mix[i];
    if (options->generated > 1)
        return pct_fail(in->error, PERCEPT_ERROR_USAGE, "share of generated backgrounds: must lie in 0 ... 1");
    if (!(options->taught >= 0 && options->taught <= 1))
        return pct_fail(in->error, PERCEPT_ERROR_USAGE, "share of taught names: must lie in 0 ... 1");
    source->taught_share = options->taught;
    source->generated = options->generated >= 0 ? options->generated : 0.3f;
    return PERCEPT_OK;
}

static void take_fingerprint(pct_scene_source *source) {
    uint64_t hash = PCT_PACK_VERSION;
    for (int32_t i = 0; i < source->cutout_count; i++) {
        const struct scene_cutout *cutout = &source->cutouts[i];
        hash = pct_hash_u64(hash ^ pct_hash_bytes(cutout->label, strlen(cutout->label)) ^ cutout->hash ^
                            (cutout->used ? 0 : 1));
        hash ^= pct_hash_bytes(source->names[cutout->name].text, strlen(source->names[cutout->name].text));
    }
    for (int32_t i = 0; i < source->background_count; i++) {
        const struct scene_background *ground = &source->backgrounds[i];
        hash = pct_hash_u64(hash ^ pct_hash_bytes(ground->label, strlen(ground->label)));
        hash ^= pct_hash_bytes(ground->shows, (size_t)ground->shows_count * sizeof *ground->shows);
    }
    source->fingerprint = hash;
}

static percept_status open_all(struct opening *in) {
    const pct_scene_options *options = in->options;
    if (!options->pack && !options->cutouts)
        return pct_fail(in->error, PERCEPT_ERROR_USAGE, "scenes need a prepared pack or a folder of cut-outs");
    if (options->pack) PCT_TRY(pct_pack_open(&in->source->pack, options->pack, in->error));
    PCT_TRY(scene_user_read(&in->cutouts, options->cutouts, false, in->error));
    PCT_TRY(scene_user_read(&in->grounds, options->backgrounds, true, in->error));
    PCT_TRY(make_names(in));
    PCT_TRY(make_relations(in));
    PCT_TRY(make_cutouts(in));
    PCT_TRY(make_lists(in));
    PCT_TRY(make_grounds(in));
    PCT_TRY(set_options(in));
    take_fingerprint(in->source);
    return PERCEPT_OK;
}

percept_status pct_scene_source_open(pct_scene_source **out, const pct_scene_options *options, percept_error *error) {
    struct opening in = {.source = calloc(1, sizeof *in.source), .options = options, .error = error};
    *out = in.source;
    if (!in.source) return pct_fail_memory(error, "scenes");
    pct_arena_init(&in.source->arena, 0);
    percept_status status = open_all(&in);
    /* What was not moved into the source yet. */
    for (int32_t i = in.source->sprite_count; i < in.cutouts.count; i++) pct_sprite_free(&in.cutouts.items[i].sprite);
    for (int32_t i = in.source->picture_count; i < in.grounds.count; i++) pct_image_free(&in.grounds.items[i].picture);
    scene_user_free(&in.cutouts);
    scene_user_free(&in.grounds);
    if (status != PERCEPT_OK) pct_scene_source_close(out);
    return status;
}

void pct_scene_source_close(pct_scene_source **out) {
    pct_scene_source *source = *out;
    if (!source) return;
    for (int32_t i = 0; i < source->sprite_count; i++) pct_sprite_free(&source->sprites[i]);
    for (int32_t i = 0; i < source->picture_count; i++) pct_image_free(&source->pictures[i]);
    free(source->sprites);
    free(source->pictures);
    pct_pack_close(&source->pack);
    pct_arena_free(&source->arena);
    free(source);
    *out = NULL;
}

int32_t pct_scene_names(const pct_scene_source *source) { return source->name_count; }
const char *pct_scene_name(const pct_scene_source *source, int32_t name) {
    return name >= 0 && name < source->name_count ? source->names[name].text : NULL;
}
int32_t pct_scene_cutouts(const pct_scene_source *source) { return source->cutout_count; }
int32_t pct_scene_backgrounds(const pct_scene_source *source, enum pct_split split) {
    return source->grounds[split].count;
}
bool pct_scene_held_out(const pct_scene_source *source, int32_t cutout) {
    return cutout >= 0 && cutout < source->cutout_count && source->cutouts[cutout].held_out;
}
int32_t pct_scene_cutout_name(const pct_scene_source *source, int32_t cutout) {
    return cutout >= 0 && cutout < source->cutout_count ? source->cutouts[cutout].name : -1;
}
uint64_t pct_scene_fingerprint(const pct_scene_source *source) { return source->fingerprint; }
