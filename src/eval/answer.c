/* answer.c: see answer.h. */
#include "eval/answer.h"

#include "base/size.h"

#include <ctype.h>
#include <string.h>

/* The next run of letters, digits and apostrophes, lower-cased into `word`; NULL at the end. Marks are passed over, and
 * unless `phrases` what stands between <p> and </p> too. */
static const char *next_word(const char *text, bool phrases, char *word, size_t size) {
    for (;;) {
        if (*text == '<') {
            const char *end = phrases || strncmp(text, "<p>", 3) != 0 ? NULL : strstr(text, "</p>");
            const char *close = strchr(end ? end : text, '>');
            text = close ? close + 1 : text + 1;
        } else if (*text && !isalnum((unsigned char)*text) && !((unsigned char)*text & 0x80)) {
            text++;
        } else {
            break;
        }
    }
    if (!*text) return NULL;
    size_t length = 0;
    while (isalnum((unsigned char)*text) || *text == '\'' || ((unsigned char)*text & 0x80)) {
        if (length + 1 < size) word[length++] = (char)tolower((unsigned char)*text);
        text++;
    }
    word[length] = 0;
    return text;
}

bool pct_answer_denies(const char *text) {
    static const char *const denials[] = {"no", "not", "none", "nothing", "cannot", "neither", "never"};
    char word[32];
    while ((text = next_word(text, true, word, sizeof word))) {
        size_t length = strlen(word);
        for (size_t i = 0; i < PCT_COUNT(denials); i++) {
            if (strcmp(word, denials[i]) == 0) return true;
        }
        if (length > 3 && strcmp(word + length - 3, "n't") == 0) return true;
    }
    return false;
}

static int number_of(const char *word) {
    static const char *const words[] = {"zero",     "one",      "two",      "three",   "four",    "five",
                                        "six",      "seven",    "eight",    "nine",    "ten",     "eleven",
                                        "twelve",   "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
                                        "eighteen", "nineteen", "twenty"};
    for (size_t i = 0; i < PCT_COUNT(words); i++) {
        if (strcmp(word, words[i]) == 0) return (int)i;
    }
    if (strcmp(word, "none") == 0 || strcmp(word, "no") == 0) return 0;
    if (strcmp(word, "single") == 0) return 1;
    if (!isdigit((unsigned char)word[0])) return -1;
    int value = 0;
    for (const char *c = word; *c; c++) {
        if (!isdigit((unsigned char)*c) || value > 100000) return -1;
        value = value * 10 + (*c - '0');
    }
    return value;
}

static int first_number(const char *text, bool phrases) {
    char word[32];
    while ((text = next_word(text, phrases, word, sizeof word))) {
        int number = number_of(word);
        if (number >= 0) return number;
    }
    return -1;
}

int pct_answer_count(const char *text) {
    const int number = first_number(text, false);
    return number >= 0 ? number : first_number(text, true);
}

/* Drops `lead` with the blank after it from the front; true when it was there. */
static bool drop_lead(char *name, const char *lead) {
    size_t length = strlen(lead);
    if (strncmp(name, lead, length) != 0 || name[length] != ' ') return false;
    memmove(name, name + length + 1, strlen(name + length + 1) + 1);
    return true;
}

static void drop_leads(char *name) {
    static const char *const leads[] = {"it is",
                                        "it's",
                                        "this is",
                                        "that is",
                                        "that's",
                                        "here is",
                                        "there is",
                                        "i see",
                                        "these are",
                                        "those are",
                                        "they are",
                                        "it looks like",
                                        "this looks like",
                                        "that looks like",
                                        "you see",
                                        "that would be",
                                        "yes",
                                        "a",
                                        "an",
                                        "the",
                                        "some",
                                        "one"};
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < PCT_COUNT(leads); i++) again |= drop_lead(name, leads[i]);
    }
}

void pct_answer_name(const char *text, char name[PCT_ANSWER_NAME_SIZE]) {
    const char *begin = strstr(text, "<p>"), *end = begin ? strstr(begin, "</p>") : NULL;
    if (end) {
        begin += 3;
    } else {
        begin = text;
        end = text + strlen(text);
    }
    size_t length = 0;
    for (const char *c = begin; c < end && length + 1 < PCT_ANSWER_NAME_SIZE; c++) {
        if (*c == '<') { /* a mark in a text without phrase */
            const char *close = memchr(c, '>', (size_t)(end - c));
            if (close) {
                c = close;
                continue;
            }
        }
        bool blank = isspace((unsigned char)*c) || *c == ',';
        if (blank && (length == 0 || name[length - 1] == ' ')) continue;
        name[length++] = blank ? ' ' : (char)tolower((unsigned char)*c);
    }
    while (length && strchr(" .!?;:", name[length - 1])) length--;
    name[length] = 0;
    drop_leads(name);
}

bool pct_answer_same_name(const char *answer, const char *target) {
    char a[PCT_ANSWER_NAME_SIZE], b[PCT_ANSWER_NAME_SIZE];
    pct_answer_name(answer, a);
    pct_answer_name(target, b);
    return b[0] && strcmp(a, b) == 0;
}
