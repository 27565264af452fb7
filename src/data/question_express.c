/* question_express.c: expressions that mean exactly one object.
 *
 * Every way has margins, so that nobody could reasonably point elsewhere: sizes differ by SIZE_RATIO, positions by
 * POSITION_MARGIN of the picture, a colour covers most of the object and hardly any of its rivals, and a relation holds
 * clearly for one object and not even perhaps for another. Hidden objects count as rivals though they are never asked
 * about. */
#include "data/question_private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SIZE_RATIO      1.5f  /* of the roots of areas */
#define POSITION_MARGIN 0.1f  /* of the picture's side */
#define RELATION_MARGIN 0.12f /* of the picture's side */
#define RIVAL_COLOUR    0.1f  /* share of a rival's pixels */

static bool rival(const struct facts *facts, int object, int other, bool named) {
    return other != object && (!named || facts->sample->objects[other].name == facts->sample->objects[object].name);
}

/* How far `object` lies from `anchor` in a direction, and how far aside; pixels. */
static float along(const struct facts *facts, int object, int anchor, enum direction direction) {
    float dx = facts->x[object] - facts->x[anchor], dy = facts->y[object] - facts->y[anchor];
    return direction == DIRECTION_LEFT    ? -dx
           : direction == DIRECTION_RIGHT ? dx
           : direction == DIRECTION_ABOVE ? -dy
                                          : dy;
}
static float aside(const struct facts *facts, int object, int anchor, enum direction direction) {
    return direction <= DIRECTION_RIGHT ? fabsf(facts->y[object] - facts->y[anchor])
                                        : fabsf(facts->x[object] - facts->x[anchor]);
}
static float side(const struct facts *facts, enum direction direction) {
    return direction <= DIRECTION_RIGHT ? facts->width : facts->height;
}

bool clearly(const struct facts *facts, int object, int anchor, enum direction direction) {
    float distance = along(facts, object, anchor, direction);
    if (distance < RELATION_MARGIN * side(facts, direction)) return false;
    if (distance < 1.25f * aside(facts, object, anchor, direction)) return false;
    pct_box a = facts->sample->objects[object].box, b = facts->sample->objects[anchor].box;
    float overlap, smaller;
    if (direction <= DIRECTION_RIGHT) {
        overlap = fminf(a.x1, b.x1) - fmaxf(a.x0, b.x0);
        smaller = fminf(a.x1 - a.x0, b.x1 - b.x0);
    } else {
        overlap = fminf(a.y1, b.y1) - fmaxf(a.y0, b.y0);
        smaller = fminf(a.y1 - a.y0, b.y1 - b.y0);
    }
    return overlap <= 0.25f * smaller;
}

bool perhaps(const struct facts *facts, int object, int anchor, enum direction direction) {
    float distance = along(facts, object, anchor, direction);
    return distance > 0.01f * side(facts, direction) && distance > 0.55f * aside(facts, object, anchor, direction);
}

const char *direction_text(const struct facts *facts, enum direction direction) {
    static const char *const text[DIRECTIONS][3] = {{"left of", "to the left of", "on the left of"},
                                                    {"right of", "to the right of", "on the right of"},
                                                    {"above", "above", "over"},
                                                    {"below", "under", "beneath"}};
    return text[direction][pick(facts, 3)];
}

/* ---- by colour ---- */

static bool colour_is_unique(const struct facts *facts, int object, bool named) {
    int colour = facts->colour[object];
    if (colour < 0) return false;
    for (int other = 0; other < facts->count; other++)
        if (rival(facts, object, other, named) && facts->shares[other][colour] > RIVAL_COLOUR) return false;
    return true;
}

static bool express_colour(const struct facts *facts, int object, struct expression *out) {
    const struct scene_name *name = fact_name(facts, object);
    if (name->colour >= 0 || !colour_is_unique(facts, object, true)) return false;
    const char *colour = scene_colour_text[facts->colour[object]];
    snprintf(out->the, sizeof out->the, "the %s %s", colour, name->text);
    snprintf(out->said, sizeof out->said, "%s", out->the);
    phrase_indefinite(name, colour, out->a, sizeof out->a);
    return true;
}

/* ---- by size ---- */

/* 1: larger than every rival by the ratio; -1: smaller; 0: neither. *rivals counts them. */
static int size_rank(const struct facts *facts, int object, bool named, int *rivals) {
    bool larger = true, smaller = true;
    *rivals = 0;
    for (int other = 0; other < facts->count; other++) {
        if (!rival(facts, object, other, named)) continue;
        ++*rivals;
        larger &= facts->size[object] >= SIZE_RATIO * facts->size[other];
        smaller &= facts->size[other] >= SIZE_RATIO * facts->size[object];
    }
    return *rivals == 0 ? 0 : larger ? 1 : smaller ? -1 : 0;
}

static bool express_size(const struct facts *facts, int object, struct expression *out) {
    static const char *const words[2][2][4] = {
        {{"small", "little", "smaller", "smaller"}, {"smallest", "smallest", "smallest", "tiniest"}},
        {{"big", "large", "bigger", "larger"}, {"biggest", "largest", "biggest", "largest"}}};
    int rivals, rank = size_rank(facts, object, true, &rivals);
    if (!rank || !facts->clear[object]) return false;
    snprintf(out->the, sizeof out->the, "the %s %s", words[rank > 0][rivals > 1][pick(facts, 4)],
             fact_name(facts, object)->text);
    return true;
}

/* ---- by position ---- */

/* Beyond every rival by the margin in this direction. */
static bool outermost(const struct facts *facts, int object, enum direction direction, bool named) {
    for (int other = 0; other < facts->count; other++)
        if (rival(facts, object, other, named) &&
            along(facts, object, other, direction) < POSITION_MARGIN * side(facts, direction))
            return false;
    return true;
}

/* In that half of the picture, and no rival is. `share` of the side: how far from the middle it must be. */
static bool alone_in_half(const struct facts *facts, int object, enum direction direction, bool named, float share) {
    for (int k = 0; k < facts->count; k++) {
        if (k != object && !rival(facts, object, k, named)) continue;
        float at = direction <= DIRECTION_RIGHT ? facts->x[k] / facts->width : facts->y[k] / facts->height;
        if (direction == DIRECTION_RIGHT || direction == DIRECTION_BELOW) at = 1 - at;
        if (k == object ? at > 0.5f - share : at < 0.5f + 0.02f) return false;
    }
    return true;
}

static bool express_position(const struct facts *facts, int object, struct expression *out) {
    static const char *const in_half[DIRECTIONS] = {"on the left", "on the right", "at the top", "at the bottom"};
    static const char *const outer[DIRECTIONS] = {"leftmost", "rightmost", "topmost", "lowest"};
    static const char *const of_two[DIRECTIONS][2] = {
        {"left", "left"}, {"right", "right"}, {"upper", "top"}, {"lower", "bottom"}};
    const char *name = fact_name(facts, object)->text;
    int first = (int)pick(facts, DIRECTIONS), rivals = facts->same[object] - 1;
    if (rivals && !facts->clear[object]) return false;
    for (int i = 0; i < DIRECTIONS; i++) {
        enum direction direction = (enum direction)((first + i) % DIRECTIONS);
        if (!outermost(facts, object, direction, true)) continue;
        bool half = alone_in_half(facts, object, direction, true, rivals ? 0.04f : 0.12f);
        if (!rivals && !half) continue;
        if (half && (!rivals || chance(facts, 0.5f)))
            snprintf(out->the, sizeof out->the, "the %s %s", name, in_half[direction]);
        else if (rivals == 1 && chance(facts, 0.6f))
            snprintf(out->the, sizeof out->the, "the %s %s", of_two[direction][pick(facts, 2)], name);
        else
            snprintf(out->the, sizeof out->the, "the %s %s", outer[direction], name);
        return true;
    }
    return false;
}

/* ---- by relation ---- */

static bool express_relation(const struct facts *facts, int object, struct expression *out) {
    if (!facts->clear[object]) return false;
    int start = (int)pick(facts, (size_t)facts->count * DIRECTIONS);
    for (int i = 0; i < facts->count * DIRECTIONS; i++) {
        int at = (start + i) % (facts->count * DIRECTIONS), anchor = at / DIRECTIONS;
        enum direction direction = (enum direction)(at % DIRECTIONS);
        if (facts->same[anchor] != 1 || !facts->sample->objects[anchor].asked || anchor == object) continue;
        bool unique = clearly(facts, object, anchor, direction);
        for (int other = 0; other < facts->count && unique; other++)
            if (rival(facts, object, other, true) && perhaps(facts, other, anchor, direction)) unique = false;
        if (!unique) continue;
        snprintf(out->the, sizeof out->the, "the %s %s the %s", fact_name(facts, object)->text,
                 direction_text(facts, direction), fact_name(facts, anchor)->text);
        return true;
    }
    return false;
}

/* ---- without a name ---- */

static bool express_unnamed(const struct facts *facts, int object, struct expression *out) {
    static const char *const things[] = {"thing", "object"};
    static const char *const in_half[DIRECTIONS] = {"on the left", "on the right", "at the top", "at the bottom"};
    static const char *const outer[DIRECTIONS] = {"leftmost", "rightmost", "topmost", "lowest"};
    const char *thing = things[pick(facts, 2)];
    int rivals, rank = size_rank(facts, object, false, &rivals), kind = (int)pick(facts, 3);
    /* What a background shows might be a thing as well. */
    if (rivals == 0 || (facts->background && facts->background->shows_count)) return false;
    if (kind == 0 && rank) {
        const char *word = rank > 0 ? (chance(facts, 0.5f) ? "biggest" : "largest") : "smallest";
        snprintf(out->the, sizeof out->the, "the %s %s", word, thing);
        return true;
    }
    if (kind == 1 && !facts->background && colour_is_unique(facts, object, false)) {
        snprintf(out->the, sizeof out->the, "the %s %s", scene_colour_text[facts->colour[object]], thing);
        return true;
    }
    int first = (int)pick(facts, DIRECTIONS);
    for (int i = 0; i < DIRECTIONS; i++) {
        enum direction direction = (enum direction)((first + i) % DIRECTIONS);
        if (!outermost(facts, object, direction, false)) continue;
        if (alone_in_half(facts, object, direction, false, 0.08f) && chance(facts, 0.6f))
            snprintf(out->the, sizeof out->the, "the %s %s", thing, in_half[direction]);
        else
            snprintf(out->the, sizeof out->the, "the %s %s", outer[direction], thing);
        return true;
    }
    return false;
}

static bool express_name(const struct facts *facts, int object, struct expression *out) {
    if (facts->same[object] != 1) return false;
    const struct scene_name *name = fact_name(facts, object);
    snprintf(out->the, sizeof out->the, "the %s", name->text);
    phrase_indefinite(name, "", out->a, sizeof out->a);
    return true;
}

bool express(const struct facts *facts, int object, struct expression *out) {
    static bool (*const ways[])(const struct facts *, int, struct expression *) = {
        express_name, express_colour, express_size, express_position, express_relation, express_unnamed};
    /* Of a thing that is there once, the name is the usual way; of one of several, the others are. */
    static const uint8_t chances[] = {56, 70, 70, 82, 92, 100};
    for (int tries = 0; tries < 8; tries++) {
        int draw = (int)pick(facts, 100), way = 0;
        while (draw >= chances[way]) way++;
        *out = (struct expression){.plural = fact_name(facts, object)->number == PCT_NUMBER_PLURAL};
        snprintf(out->said, sizeof out->said, "the %s", fact_name(facts, object)->text);
        if (way == 1 || way == 2) way = 1 + (int)pick(facts, 2);
        if (!ways[way](facts, object, out)) continue;
        if (way == 5) out->plural = false; /* "the thing" */
        return true;
    }
    return false;
}
