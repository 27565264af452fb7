/* print.h: an answer on stdout, as text for people or as a line of JSON; what was cut is said on stderr. */
#ifndef PCT_CLI_PRINT_H
#define PCT_CLI_PRINT_H

#include "cli/options.h"

/* heads: a line "PICTURE: QUESTION" stands before the text. */
percept_status pct_cli_print_answer(const percept_answer *answer, const pct_cli_settings *settings, bool heads,
                                    percept_error *error);
/* The lines of the regions alone. */
void pct_cli_print_objects(const percept_answer *answer);
/* Says on stderr when the answer is not whole. */
void pct_cli_warn_finish(const percept_answer *answer);

/* A report in one of its two forms, which are freed; NULL is left out. */
void pct_cli_print_report(char *json, char *table);

/* Creates a folder that may be there already; its parent must be. */
percept_status pct_cli_make_folder(const char *path, percept_error *error);

#endif
