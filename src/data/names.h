/* names.h: from captions to names, and the grammar of names.
 *
 * A caption becomes a name by these steps: the text up to the first . ! ? , ( – or —; lower case; typographic quotes
 * made plain, double quotes for the list to rename; no leading article; no leading words that only say how it looks
 * ("strip" in the list); renamed ("rename"); left out ("drop"), or when more than PCT_NAME_MAX_WORDS words are left.
 * Names made of other bytes than ASCII letters, digits, spaces, hyphens and apostrophes are left out. English only.
 *
 * The rules come from share/scenes/names.list, one command a line:
 *   skip PREFIX            pictures whose place ("stamps/FOLDER/FILE", "emoji/GROUP/SUBGROUP/NAME") begins so are out
 *   strip WORDS            taken from the front of a caption, as often as it stands there
 *   rename A = B           the cleaned caption A is the name B
 *   drop NAME              the name (before or after renaming) is left out
 *   plural NAME | mass NAME            "they are glasses" | "it is bread": never counted
 *   the NAME                           "it is the sun": never counted
 *   irregular WORD = PLURAL            the plural of a last word
 *   vowel WORD | consonant WORD        takes "an" | "a" against its first letter
 *   kind WORD = NAME, NAME             the first covers the others
 *   alike NAME, NAME, ...              all of them may be taken for each other
 * Without a list (NULL: names of users) a few common words are known by themselves: "mice", "an hourglass", "scissors".
 * Refuses unknown commands and lines of the wrong form, with file and line. */
#ifndef PCT_DATA_NAMES_H
#define PCT_DATA_NAMES_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define PCT_NAME_MAX_BYTES 48 /* with the NUL */
#define PCT_NAME_MAX_WORDS 3

enum pct_number { PCT_NUMBER_ONE, PCT_NUMBER_PLURAL, PCT_NUMBER_MASS };

typedef struct pct_name_rules pct_name_rules;

/* Caller frees. */
percept_status pct_name_rules_read(pct_name_rules **rules, const char *path, percept_error *error);
percept_status pct_name_rules_parse(pct_name_rules **rules, const char *name, const char *text, size_t size,
                                    percept_error *error);
void pct_name_rules_free(pct_name_rules **rules);

/* False: the picture is left out. Every function below takes NULL rules as an empty list. */
bool pct_name_from_caption(const pct_name_rules *rules, const char *place, const char *caption,
                           char name[PCT_NAME_MAX_BYTES]);
enum pct_number pct_name_number(const pct_name_rules *rules, const char *name);
/* "a" or "an"; "the" for what there is only one of; "" for other mass names and for plural ones. */
const char *pct_name_article(const pct_name_rules *rules, const char *name);
/* "apples", "pots of stew", "mice". A plural or mass name stays as it is. */
void pct_name_plural(const pct_name_rules *rules, const char *name, char *plural, size_t capacity);

/* How two different names relate. */
enum pct_relation {
    PCT_RELATION_NEAR = 1,  /* while one is in the picture the other is never said to be absent */
    PCT_RELATION_CLASH = 2, /* an expression for one may mean the other: never placed in one picture */
};
/* From the words alone: a shared word that is no colour, number or preposition makes them near; if the words of one are
 * all words of the other ("bus", "school bus") they clash. 0: unrelated. */
unsigned pct_names_related_by_words(const char *a, const char *b);
/* From the list: kinds and look-alikes clash. */
unsigned pct_names_related_by_rules(const pct_name_rules *rules, const char *a, const char *b);

/* Colours that a name may say: the index in "red orange yellow green blue purple pink brown black white grey", or -1 */
int pct_name_colour(const char *name);

#endif
