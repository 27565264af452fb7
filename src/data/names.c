/* names.c: the rules list and the steps from a caption to a name. See names.h. */
#include "data/names.h"

#include "base/file.h"
#include "base/size.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum command {
    COMMAND_SKIP,
    COMMAND_STRIP,
    COMMAND_RENAME,
    COMMAND_DROP,
    COMMAND_PLURAL,
    COMMAND_MASS,
    COMMAND_THE,
    COMMAND_IRREGULAR,
    COMMAND_VOWEL,
    COMMAND_CONSONANT,
    COMMAND_KIND,
    COMMAND_ALIKE,
    COMMAND_COUNT,
};
static const char *const command_text[COMMAND_COUNT] = {"skip", "strip",     "rename", "drop",      "plural", "mass",
                                                        "the",  "irregular", "vowel",  "consonant", "kind",   "alike"};

struct rule {
    char *left;  /* the argument, or what stands before "=" */
    char *right; /* what stands after "="; NULL when there is none */
};
struct rule_list {
    struct rule *rules;
    size_t count, capacity;
};
struct pct_name_rules {
    char *text; /* every rule points into it */
    struct rule_list lists[COMMAND_COUNT];
};

static percept_status add_rule(struct rule_list *list, char *left, char *right, percept_error *error) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        struct rule *rules = realloc(list->rules, capacity * sizeof *rules);
        if (!rules) return pct_fail_memory(error, "name rules");
        list->rules = rules;
        list->capacity = capacity;
    }
    list->rules[list->count++] = (struct rule){left, right};
    return PERCEPT_OK;
}

static char *trim(char *text) {
    while (*text == ' ' || *text == '\t') text++;
    size_t length = strlen(text);
    while (length && (text[length - 1] == ' ' || text[length - 1] == '\t' || text[length - 1] == '\r')) length--;
    text[length] = 0;
    return text;
}

static percept_status parse_line(pct_name_rules *rules, const char *name, int line, char *text, percept_error *error) {
    text = trim(text);
    if (!*text || *text == '#') return PERCEPT_OK;
    size_t length = strcspn(text, " \t");
    char *left = text + length, *right = NULL;
    if (*left) *left++ = 0;
    left = trim(left);
    int command = 0;
    while (command < COMMAND_COUNT && strcmp(text, command_text[command])) command++;
    if (command == COMMAND_COUNT)
        return pct_fail(
            error, PERCEPT_ERROR_INPUT,
            "%s:%d: unknown command '%.40s'; expected skip, strip, rename, drop, plural, mass, the, irregular, "
            "vowel, consonant, kind or alike",
            name, line, text);
    bool pair = command == COMMAND_RENAME || command == COMMAND_IRREGULAR || command == COMMAND_KIND;
    if (pair) {
        char *equals = strstr(left, " = ");
        if (!equals)
            return pct_fail(error, PERCEPT_ERROR_INPUT, "%s:%d: '%s' needs the form '%s A = B'", name, line, text,
                            text);
        *equals = 0;
        right = trim(equals + 3);
        left = trim(left);
    }
    if (!*left || (right && !*right))
        return pct_fail(error, PERCEPT_ERROR_INPUT, "%s:%d: '%s' has no argument; add one", name, line, text);
    return add_rule(&rules->lists[command], left, right, error);
}

percept_status pct_name_rules_parse(pct_name_rules **out, const char *name, const char *text, size_t size,
                                    percept_error *error) {
    *out = NULL;
    pct_name_rules *rules = calloc(1, sizeof *rules);
    if (rules) rules->text = malloc(size + 1);
    if (!rules || !rules->text) {
        pct_name_rules_free(&rules);
        return pct_fail_memory(error, "name rules");
    }
    memcpy(rules->text, text, size);
    rules->text[size] = 0;
    int line = 0;
    for (char *at = rules->text, *end = rules->text + size; at < end;) {
        char *next = memchr(at, '\n', (size_t)(end - at));
        if (next) *next = 0;
        percept_status status = parse_line(rules, name, ++line, at, error);
        if (status != PERCEPT_OK) {
            pct_name_rules_free(&rules);
            return status;
        }
        at = next ? next + 1 : end;
    }
    *out = rules;
    return PERCEPT_OK;
}

percept_status pct_name_rules_read(pct_name_rules **rules, const char *path, percept_error *error) {
    char *text = NULL;
    size_t size = 0;
    *rules = NULL;
    PCT_TRY(pct_file_read(path, (size_t)16 << 20, &text, &size, error));
    percept_status status = pct_name_rules_parse(rules, path, text, size, error);
    free(text);
    return status;
}

void pct_name_rules_free(pct_name_rules **rules) {
    if (!*rules) return;
    for (int i = 0; i < COMMAND_COUNT; i++) free((*rules)->lists[i].rules);
    free((*rules)->text);
    free(*rules);
    *rules = NULL;
}

static const struct rule *find_rule(const pct_name_rules *rules, enum command command, const char *left) {
    if (!rules) return NULL;
    const struct rule_list *list = &rules->lists[command];
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->rules[i].left, left)) return &list->rules[i];
    return NULL;
}

static bool skipped(const pct_name_rules *rules, const char *place) {
    if (!rules || !place) return false;
    const struct rule_list *list = &rules->lists[COMMAND_SKIP];
    for (size_t i = 0; i < list->count; i++)
        if (!strncmp(place, list->rules[i].left, strlen(list->rules[i].left))) return true;
    return false;
}

/* Copies the caption's first phrase, lower case, with plain quotes; spaces squeezed. */
static void first_phrase(const char *caption, char *out, size_t capacity) {
    size_t length = 0;
    for (const unsigned char *at = (const unsigned char *)caption; *at && length + 1 < capacity;) {
        if (strchr(".!?,(\n\r", *at)) {
            if (length) break; /* leading marks are no end */
            at++;
        } else if (at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0x93 || at[2] == 0x94)) { /* – and — */
            if (length) break;
            at += 3;
        } else if (at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0x98 || at[2] == 0x99)) { /* ‘ and ’ */
            out[length++] = '\'';
            at += 3;
        } else if (*at == '"' || (at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0x9c || at[2] == 0x9d))) {
            out[length++] = '"';
            at += *at == '"' ? 1 : 3;
        } else if (*at == ' ' || *at == '\t' || *at == '_') {
            if (length && out[length - 1] != ' ') out[length++] = ' ';
            at++;
        } else {
            out[length++] = (char)(*at < 128 ? tolower(*at) : *at);
            at++;
        }
    }
    while (length && out[length - 1] == ' ') length--;
    out[length] = 0;
}

static bool strip_front(char *text, const char *front) {
    size_t length = strlen(front);
    if (strncmp(text, front, length) || text[length] != ' ' || !text[length + 1]) return false;
    memmove(text, text + length + 1, strlen(text + length + 1) + 1);
    return true;
}

static void strip_fronts(const pct_name_rules *rules, char *text) {
    static const char *const articles[] = {"a", "an", "the", "some"};
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < PCT_COUNT(articles); i++) again |= strip_front(text, articles[i]);
        if (!rules || find_rule(rules, COMMAND_RENAME, text)) continue;
        const struct rule_list *list = &rules->lists[COMMAND_STRIP];
        for (size_t i = 0; i < list->count; i++) again |= strip_front(text, list->rules[i].left);
    }
}

static bool clean_name(const char *text) {
    int words = 1;
    if (!*text || strlen(text) >= PCT_NAME_MAX_BYTES) return false;
    for (const char *at = text; *at; at++) {
        if (*at == ' ') words++;
        if (!isascii((unsigned char)*at) || (!isalnum((unsigned char)*at) && !strchr(" -'", *at))) return false;
    }
    return words <= PCT_NAME_MAX_WORDS;
}

bool pct_name_from_caption(const pct_name_rules *rules, const char *place, const char *caption,
                           char name[PCT_NAME_MAX_BYTES]) {
    char text[256];
    if (skipped(rules, place)) return false;
    first_phrase(caption, text, sizeof text);
    strip_fronts(rules, text);
    if (find_rule(rules, COMMAND_DROP, text)) return false;
    const struct rule *renamed = find_rule(rules, COMMAND_RENAME, text);
    const char *chosen = renamed ? renamed->right : text;
    if (find_rule(rules, COMMAND_DROP, chosen) || !clean_name(chosen)) return false;
    memcpy(name, chosen, strlen(chosen) + 1);
    return true;
}

/* ---- common English, for names that no list has rules for: those of users ---- */

static const char *const pairs[] = {"scissors", "glasses", "sunglasses", "goggles",   "jeans",     "pants",
                                    "trousers", "shorts",  "tongs",      "tweezers",  "pliers",    "binoculars",
                                    "pyjamas",  "pajamas", "headphones", "earphones", "chopsticks"};
/* Against their first letter; the beginnings of words. */
static const char *const said_an[] = {"hour", "honest", "honour", "honor", "heir", "x-ray"};
static const char *const said_a[] = {"unic", "unif", "union", "unit", "univ", "usb",
                                     "use",  "uten", "ukul",  "euro", "ewe",  "one"};
static const struct {
    const char *one, *many;
} irregulars[] = {{"mouse", "mice"},
                  {"goose", "geese"},
                  {"tooth", "teeth"},
                  {"foot", "feet"},
                  {"child", "children"},
                  {"person", "people"},
                  {"ox", "oxen"},
                  {"knife", "knives"},
                  {"penknife", "penknives"},
                  {"leaf", "leaves"},
                  {"loaf", "loaves"},
                  {"wolf", "wolves"},
                  {"shelf", "shelves"},
                  {"bookshelf", "bookshelves"},
                  {"scarf", "scarves"},
                  {"calf", "calves"},
                  {"half", "halves"},
                  {"elf", "elves"},
                  {"thief", "thieves"},
                  {"hoof", "hooves"},
                  {"potato", "potatoes"},
                  {"tomato", "tomatoes"},
                  {"mango", "mangoes"},
                  {"hero", "heroes"},
                  {"sheep", "sheep"},
                  {"fish", "fish"},
                  {"deer", "deer"},
                  {"human", "humans"},
                  {"talisman", "talismans"},
                  {"ottoman", "ottomans"},
                  {"german", "germans"}};

static bool begins_as(const char *word, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strncmp(word, list[i], strlen(list[i])) == 0) return true;
    return false;
}

static bool is_pair(const char *name) {
    const char *blank = strrchr(name, ' '), *last = blank ? blank + 1 : name;
    for (size_t i = 0; i < PCT_COUNT(pairs); i++)
        if (strcmp(last, pairs[i]) == 0) return true;
    return false;
}

static const char *irregular_plural(const char *word) {
    for (size_t i = 0; i < PCT_COUNT(irregulars); i++)
        if (strcmp(word, irregulars[i].one) == 0) return irregulars[i].many;
    return NULL;
}

/* ---- grammar ---- */

enum pct_number pct_name_number(const pct_name_rules *rules, const char *name) {
    if (!rules) return is_pair(name) ? PCT_NUMBER_PLURAL : PCT_NUMBER_ONE;
    if (find_rule(rules, COMMAND_PLURAL, name)) return PCT_NUMBER_PLURAL;
    if (find_rule(rules, COMMAND_MASS, name) || find_rule(rules, COMMAND_THE, name)) return PCT_NUMBER_MASS;
    return PCT_NUMBER_ONE;
}

const char *pct_name_article(const pct_name_rules *rules, const char *name) {
    if (find_rule(rules, COMMAND_THE, name)) return "the";
    if (pct_name_number(rules, name) != PCT_NUMBER_ONE) return "";
    char first[PCT_NAME_MAX_BYTES];
    size_t length = strcspn(name, " ");
    if (length >= sizeof first) length = sizeof first - 1;
    memcpy(first, name, length);
    first[length] = 0;
    if (!rules && begins_as(first, said_an, PCT_COUNT(said_an))) return "an";
    if (!rules && begins_as(first, said_a, PCT_COUNT(said_a))) return "a";
    if (find_rule(rules, COMMAND_VOWEL, first)) return "an";
    if (find_rule(rules, COMMAND_CONSONANT, first)) return "a";
    return strchr("aeiou", first[0]) ? "an" : "a";
}

static bool ends_with(const char *text, size_t length, const char *end) {
    size_t n = strlen(end);
    return length >= n && !memcmp(text + length - n, end, n);
}

void pct_name_plural(const pct_name_rules *rules, const char *name, char *plural, size_t capacity) {
    PCT_ASSERT(capacity >= PCT_NAME_MAX_BYTES + 8);
    snprintf(plural, capacity, "%s", name);
    if (pct_name_number(rules, name) != PCT_NUMBER_ONE) return;
    /* The head is the last word, or the word before "of", "with", "in", "and". */
    static const char *const joints[] = {" of ", " with ", " in ", " on "};
    size_t head_end = strlen(name);
    for (size_t i = 0; i < PCT_COUNT(joints); i++) {
        const char *joint = strstr(name, joints[i]);
        if (joint && (size_t)(joint - name) < head_end) head_end = (size_t)(joint - name);
    }
    size_t head = head_end;
    while (head && name[head - 1] != ' ') head--;
    char word[PCT_NAME_MAX_BYTES];
    size_t length = head_end - head;
    if (length >= sizeof word) return;
    memcpy(word, name + head, length);
    word[length] = 0;
    const struct rule *irregular = find_rule(rules, COMMAND_IRREGULAR, word);
    const char *many = irregular ? irregular->right : rules ? NULL : irregular_plural(word);
    const char *tail = name + head_end;
    if (many)
        snprintf(plural, capacity, "%.*s%s%s", (int)head, name, many, tail);
    else if (ends_with(word, length, "s") || ends_with(word, length, "x") || ends_with(word, length, "ch") ||
             ends_with(word, length, "sh") || ends_with(word, length, "z"))
        snprintf(plural, capacity, "%.*ses%s", (int)head_end, name, tail);
    else if (length > 3 && ends_with(word, length, "man"))
        snprintf(plural, capacity, "%.*smen%s", (int)head_end - 3, name, tail);
    else if (length > 1 && word[length - 1] == 'y' && !strchr("aeiou", word[length - 2]))
        snprintf(plural, capacity, "%.*sies%s", (int)head_end - 1, name, tail);
    else
        snprintf(plural, capacity, "%.*ss%s", (int)head_end, name, tail);
}

/* ---- relations ---- */

static const char *const colours[] = {"red",  "orange", "yellow", "green", "blue", "purple",
                                      "pink", "brown",  "black",  "white", "grey"};

static bool is_word(const char *word, size_t length, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == length && !memcmp(list[i], word, length)) return true;
    return false;
}

int pct_name_colour(const char *name) {
    for (const char *at = name; *at;) {
        size_t length = strcspn(at, " -");
        for (size_t i = 0; i < PCT_COUNT(colours); i++)
            if (strlen(colours[i]) == length && !memcmp(colours[i], at, length)) return (int)i;
        at += length;
        if (*at) at++;
    }
    return -1;
}

struct word {
    const char *text;
    size_t length;
};

/* Words that count, without a plural's s; at most 6. */
static int split_words(const char *name, struct word words[6]) {
    static const char *const empty[] = {"of", "with", "in", "on", "and", "the", "a", "an", "one", "two"};
    int count = 0;
    for (const char *at = name; *at && count < 6;) {
        size_t length = strcspn(at, " -");
        size_t stem = length;
        if (stem > 4 && at[stem - 1] == 's' && at[stem - 2] != 's') stem--;
        if (length && !is_word(at, length, empty, PCT_COUNT(empty))) words[count++] = (struct word){at, stem};
        at += length;
        if (*at) at++;
    }
    return count;
}

unsigned pct_names_related_by_words(const char *a, const char *b) {
    struct word words_a[6], words_b[6];
    int count_a = split_words(a, words_a), count_b = split_words(b, words_b);
    int shared = 0, telling = 0;
    for (int i = 0; i < count_a; i++)
        for (int j = 0; j < count_b; j++)
            if (words_a[i].length == words_b[j].length &&
                !memcmp(words_a[i].text, words_b[j].text, words_a[i].length)) {
                shared++;
                if (!is_word(words_a[i].text, words_a[i].length, colours, PCT_COUNT(colours)) || count_a == 1 ||
                    count_b == 1)
                    telling++;
                break;
            }
    if (!telling) return 0;
    return shared >= count_a || shared >= count_b ? PCT_RELATION_NEAR | PCT_RELATION_CLASH : PCT_RELATION_NEAR;
}

/* Whether `name` is one of the comma-separated names. */
static bool lists_name(const char *list, const char *name) {
    size_t length = strlen(name);
    for (const char *at = list; *at;) {
        while (*at == ' ' || *at == ',') at++;
        size_t item = strcspn(at, ",");
        size_t end = item;
        while (end && at[end - 1] == ' ') end--;
        if (end == length && !memcmp(at, name, length)) return true;
        at += item;
    }
    return false;
}

unsigned pct_names_related_by_rules(const pct_name_rules *rules, const char *a, const char *b) {
    if (!rules) return 0;
    const struct rule_list *kinds = &rules->lists[COMMAND_KIND], *alike = &rules->lists[COMMAND_ALIKE];
    for (size_t i = 0; i < kinds->count; i++) {
        const struct rule *rule = &kinds->rules[i];
        if ((!strcmp(rule->left, a) && lists_name(rule->right, b)) ||
            (!strcmp(rule->left, b) && lists_name(rule->right, a)))
            return PCT_RELATION_NEAR | PCT_RELATION_CLASH;
    }
    for (size_t i = 0; i < alike->count; i++)
        if (lists_name(alike->rules[i].left, a) && lists_name(alike->rules[i].left, b))
            return PCT_RELATION_NEAR | PCT_RELATION_CLASH;
    return 0;
}
