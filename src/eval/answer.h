/* answer.h: what an answer in words says: denies, counts, names. For scoring alone; made for percept's own phrasings
 * and forgiving about others. Text is UTF-8 with the marks <p>, </p>, <obj>; letters beyond ASCII are compared as they
 * are. */
#ifndef PCT_EVAL_ANSWER_H
#define PCT_EVAL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#define PCT_ANSWER_NAME_SIZE 128

/* True when the text says that something is not there: holds "no", "not", "none", "nothing", "cannot" or a word ending
 * in "n't". */
bool pct_answer_denies(const char *text);
/* The number the text speaks of: digits or the words zero to twenty, "none" and "no" as 0, "a single" and "only one" as
 * 1. The first one outside <p>...</p> wins, for names have numbers too ("eight ball"); else the first one; -1: none. */
int pct_answer_count(const char *text);
/* The name the text gives: what stands between the first <p> and </p>, else the whole; lower case, without lead-in
 * ("it is", "this looks like", ...), article and full stop. Cut at PCT_ANSWER_NAME_SIZE. */
void pct_answer_name(const char *text, char name[PCT_ANSWER_NAME_SIZE]);
bool pct_answer_same_name(const char *answer, const char *target);

#endif
