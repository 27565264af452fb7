/* things_check.c: what is wrong between the pictures of a folder. See things.h. */
#include "data/things_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void things_problem(struct things_problems *problems, const char *format, ...) {
    char text[1000];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    problems->count++;
    pct_text_add(&problems->lines, text, strlen(text) + 1);
}

static void check_pictures(const pct_things *things, struct things_problems *problems) {
    for (int32_t i = 0; i < things->picture_count; i++) {
        const pct_thing_picture *one = &things->pictures[i];
        for (int32_t k = 0; k < i; k++) {
            const pct_thing_picture *other = &things->pictures[k];
            if (one->pixels != other->pixels) continue;
            if (one->thing == other->thing)
                things_problem(problems, "%s: is the same picture as %s; take one of them away", one->path,
                               other->path);
            else
                things_problem(problems,
                               "%s: is the same picture as %s, which is called \"%s\"; one thing has one name",
                               one->path, other->path, things->things[other->thing].text);
            break;
        }
    }
}

static bool is_plural_of(const char *many, const char *one) {
    char plural[PCT_NAME_MAX_BYTES + 8];
    pct_name_plural(NULL, one, plural, sizeof plural);
    return strcmp(plural, many) == 0 && strcmp(many, one) != 0;
}

static void check_names(const pct_things *things, struct things_problems *problems) {
    for (int32_t i = 0; i < things->count; i++) {
        const pct_thing *one = &things->things[i];
        if (one->pictures + one->refused < PCT_THINGS_LEAST)
            things_problem(problems, "\"%s\": has 1 picture; give %d at least, better %d or more", one->text,
                           PCT_THINGS_LEAST, PCT_THINGS_LEAST_TO_TEST);
        for (int32_t k = 0; k < things->count; k++)
            if (is_plural_of(things->things[k].text, one->text))
                things_problem(problems,
                               "\"%s\" and \"%s\": are one name and its plural; call pictures of one thing by one name",
                               one->text, things->things[k].text);
    }
}

void things_check(const pct_things *things, struct things_problems *problems) {
    check_pictures(things, problems);
    check_names(things, problems);
}
