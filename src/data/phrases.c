/* phrases.c: the ways to ask. Many for questions, one or two for answers: a small language model has to learn to
 * understand much and to say little. */
#include "data/question_private.h"

#include "base/size.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const refer[] = {
    "where {is} {the}?",
    "where {is} {the}?",
    "find {the}",
    "show me {the}",
    "point to {the}",
    "locate {the}",
    "where can i see {the}?",
    "mark {the}",
    "please find {the}",
    "which region {is} {the}?",
    "segment {the}",
    "outline {the}",
    "select {the}",
    "highlight {the}",
    "where in the picture {is} {the}?",
    "can you find {the}?",
    "give me the mask of {the}",
    "show where {the} {is}",
    "i am looking for {the}",
    "please point out {the}",
    "detect {the}",
    "where exactly {is} {the}?",
    "tell me where {the} {is}",
    "box {the}",
    "can you show me {the}?",
};
static const char *const exist[] = {
    "{is} there {a}?",
    "{is} there {a} in the picture?",
    "can you see {a}?",
    "do you see {a}?",
    "find {a}",
    "{is} there {a} here?",
    "does the picture show {a}?",
    "look for {a}",
    "is {a} in this image?",
    "can you find {a} here?",
    "show me {a}",
    "do you see {a} anywhere?",
    "locate {a}",
    "{is} there {a} somewhere?",
};
static const char *const all[] = {
    "find all {plural}",           "show me all the {plural}",
    "where are the {plural}?",     "mark every {name}",
    "point to all {plural}",       "locate each {name}",
    "segment all {plural}",        "show all {plural} in the picture",
    "please find every {name}",    "select all the {plural}",
    "highlight each {name}",       "where are all the {plural}?",
    "are there any {plural}?",     "can you see any {plural}?",
    "outline all {plural}",        "find the {plural}",
    "which regions are {plural}?", "detect all {plural}",
};
static const char *const all_bare[] = {"{plural}",     "all {plural}", "every {name}",    "{name}",
                                       "the {plural}", "each {name}",  "all the {plural}"};
static const char *const name_region[] = {
    "what is <obj>?",
    "what is this? <obj>",
    "what is in <obj>?",
    "name <obj>",
    "what do you see in <obj>?",
    "what is the thing in <obj>?",
    "what is <obj> called?",
    "tell me what <obj> is",
    "what object is <obj>?",
    "which thing is <obj>?",
    "identify <obj>",
    "what does <obj> show?",
    "give a name for <obj>",
    "what can be seen in <obj>?",
    "describe <obj>",
    "please name the object in <obj>",
};
static const char *const box2mask[] = {
    "segment <obj>",
    "give me the mask of <obj>",
    "outline <obj>",
    "mask <obj>",
    "segment the object in <obj>",
    "which pixels belong to <obj>?",
    "cut out <obj>",
    "show the mask for <obj>",
    "trace <obj>",
    "mark the pixels of <obj>",
    "segment the thing in <obj>",
    "find the exact shape of <obj>",
    "draw the outline of <obj>",
    "what is the shape of <obj>?",
};
static const char *const count[] = {
    "how many {plural} are there?",
    "how many {plural} do you see?",
    "count the {plural}",
    "how many {plural}?",
    "how many {plural} are in the picture?",
    "what is the number of {plural}?",
    "how many {plural} can you see?",
    "please count the {plural}",
    "tell me how many {plural} there are",
    "count all {plural}",
    "give the number of {plural}",
    "how many {plural} does the picture show?",
    "how many {plural} are here?",
    "number of {plural}?",
};
static const char *const count_all[] = {
    "how many things are there?",           "how many objects do you see?",       "count the things",
    "how many objects are in the picture?", "how many things are in the image?",  "count all objects",
    "how many objects are there?",          "what is the number of things here?", "tell me how many things there are",
    "how many things can you see?",         "please count the objects",           "number of objects?",
};
static const char *const relation[] = {
    "what is {where} {the}?",          "what is {where} {the}?",
    "what do you see {where} {the}?",  "which thing is {where} {the}?",
    "what stands {where} {the}?",      "name the thing {where} {the}",
    "what is there {where} {the}?",    "tell me what is {where} {the}",
    "what object is {where} {the}?",   "find the thing {where} {the} and name it",
    "what can be seen {where} {the}?", "which object is {where} {the}?",
    "what lies {where} {the}?",        "what do you find {where} {the}?",
};
static const char *const describe[] = {
    "what is in the picture?",
    "describe the picture",
    "what do you see?",
    "what can you see here?",
    "describe the image",
    "list everything you see",
    "what things are there?",
    "describe what you see",
    "what does the picture show?",
    "tell me about the picture",
    "what is shown here?",
    "describe the picture with regions",
    "name everything in the image",
    "what objects are in the picture?",
};
static const char *const follow_relation[] = {
    "what is {where} it?",          "and what is {where} it?",    "what do you see {where} it?",
    "which thing is {where} it?",   "what is there {where} it?",  "and {where} it?",
    "name the thing {where} it",    "tell me what is {where} it", "what object is {where} it?",
    "what can be seen {where} it?", "now what is {where} it?",    "what stands {where} it?",
};
static const char *const follow_and[] = {
    "and {the}?",
    "and where {is} {the}?",
    "now find {the}",
    "what about {the}?",
    "and {the}, where {is} that?",
    "now show me {the}",
    "can you also find {the}?",
    "also find {the}",
    "then where {is} {the}?",
    "next, {the}",
    "now {the}",
    "please find {the} as well",
};
static const char *const follow_count[] = {
    "how many of them are there?",
    "how many are there?",
    "how many of those do you see?",
    "and how many are there?",
    "how many of these are in the picture?",
    "count them",
    "please count them",
    "so how many are there?",
    "how many of them can you see?",
    "what is their number?",
    "tell me how many there are",
    "how many in all?",
};

#define TABLE(list)                                                                                                    \
    { list, (int)PCT_COUNT(list) }
static const struct {
    const char *const *items;
    int count;
} tables[PHRASES_COUNT_] = {
    [PHRASES_REFER] = TABLE(refer),
    [PHRASES_EXIST] = TABLE(exist),
    [PHRASES_ALL] = TABLE(all),
    [PHRASES_ALL_BARE] = TABLE(all_bare),
    [PHRASES_NAME] = TABLE(name_region),
    [PHRASES_BOX2MASK] = TABLE(box2mask),
    [PHRASES_COUNT] = TABLE(count),
    [PHRASES_COUNT_ALL] = TABLE(count_all),
    [PHRASES_RELATION] = TABLE(relation),
    [PHRASES_DESCRIBE] = TABLE(describe),
    [PHRASES_FOLLOW_RELATION] = TABLE(follow_relation),
    [PHRASES_FOLLOW_AND] = TABLE(follow_and),
    [PHRASES_FOLLOW_COUNT] = TABLE(follow_count),
};

int phrase_count(enum phrases phrases) { return tables[phrases].count; }

static const char *field(const struct fields *fields, const char *name, size_t length) {
    const struct {
        const char *name, *text;
    } known[] = {{"the", fields->the},   {"a", fields->a},         {"plural", fields->plural},
                 {"name", fields->name}, {"where", fields->where}, {"is", fields->are ? "are" : "is"}};
    for (size_t i = 0; i < PCT_COUNT(known); i++)
        if (strlen(known[i].name) == length && !memcmp(known[i].name, name, length)) {
            PCT_ASSERT(known[i].text);
            return known[i].text;
        }
    PCT_ASSERT(!"a phrase with an unknown field");
    return "";
}

/* Case of the first letter, and whether "?" or "." stands at the end: people write both ways. */
static void vary(const struct facts *facts, char *question) {
    size_t length = strlen(question);
    if (chance(facts, 0.35f)) question[0] = (char)toupper((unsigned char)question[0]);
    if (length && question[length - 1] == '?') {
        if (chance(facts, 0.25f)) question[length - 1] = 0;
    } else if (chance(facts, 0.3f)) {
        question[length] = '.';
        question[length + 1] = 0;
    }
}

void phrase_question(const struct facts *facts, enum phrases phrases, const struct fields *fields,
                     char question[QUESTION_MAX_BYTES]) {
    const char *at = tables[phrases].items[pick(facts, (size_t)tables[phrases].count)];
    size_t length = 0;
    while (*at) {
        if (*at != '{') {
            question[length++] = *at++;
            continue;
        }
        const char *end = strchr(at, '}'), *text = field(fields, at + 1, (size_t)(end - at - 1));
        length += (size_t)snprintf(question + length, QUESTION_MAX_BYTES - 8 - length, "%s", text);
        PCT_ASSERT(length < QUESTION_MAX_BYTES - 8);
        at = end + 1;
    }
    question[length] = 0;
    vary(facts, question);
}

void phrase_bare(const struct facts *facts, const char *text, char question[QUESTION_MAX_BYTES]) {
    snprintf(question, QUESTION_MAX_BYTES - 8, "%s", text);
    if (chance(facts, 0.15f)) question[0] = (char)toupper((unsigned char)question[0]);
}

void phrase_indefinite(const struct scene_name *name, const char *adjective, char *out, size_t capacity) {
    const char *article = name->article;
    if (*adjective && *article && *article != 't') article = strchr("aeiou", *adjective) ? "an" : "a";
    snprintf(out, capacity, "%s%s%s%s%s", article, *article ? " " : "", adjective, *adjective ? " " : "", name->text);
}

const char *phrase_number(int number) {
    static const char *const words[] = {"none", "one", "two", "three", "four", "five", "six", "seven", "eight"};
    PCT_ASSERT(number >= 0 && number < (int)PCT_COUNT(words));
    return words[number];
}
