/* inputs.h: from words on the command line to files: pictures, lists of them, questions, regions, the model. */
#ifndef PCT_CLI_INPUTS_H
#define PCT_CLI_INPUTS_H

#include "cli/options.h"

typedef struct pct_cli_texts {
    char **list; /* owned strings */
    size_t count, capacity;
} pct_cli_texts;
void pct_cli_texts_free(pct_cli_texts *texts);

/* Arguments [from, to) as pictures: "@LIST" is a file of names, one a line; "-" is standard input. USAGE when standard
 * input is wanted twice (taken: by -q already); INPUT when a list cannot be read. */
percept_status pct_cli_pictures(const pct_cli_line *line, size_t from, size_t to, bool taken, pct_cli_texts *pictures,
                                percept_error *error);
/* What errno says of a file that could not be read: INPUT, or INTERRUPTED by a signal. */
percept_status pct_cli_fail_read(const char *name, percept_error *error);
/* A file's lines without line ends; empty ones are left out; "-" is standard input. INPUT when it cannot be read or
 * holds none. */
percept_status pct_cli_read_lines(const char *path, pct_cli_texts *lines, percept_error *error);

/* --box and --mask as regions; *owned keeps the masks. Free both with pct_cli_regions_free. */
percept_status pct_cli_regions(const pct_cli_settings *settings, percept_region *regions, percept_error *error);
void pct_cli_regions_free(percept_region *regions, size_t count);

/* -m or PERCEPT_MODEL; else percept-nano.gguf in share/percept/models beside the program, then in models/ of the source
 * tree that this program was built from. malloc'd. INPUT with where it was looked for. */
percept_status pct_cli_model_path(const pct_cli_settings *settings, char **path, percept_error *error);
/* --pack or PERCEPT_PACK; else assets/scenes.pack of the source tree. malloc'd. INPUT with how to make it. */
percept_status pct_cli_pack_path(const pct_cli_settings *settings, char **path, percept_error *error);
/* A folder of share/percept beside the program ("scenes"), or of share/ in the source tree. malloc'd. */
percept_status pct_cli_share_path(const char *name, char **path, percept_error *error);
/* An experiment's folder: experiments/NAME of share/percept or of the source tree; a name with a '/' is a path.
 * malloc'd.
 */
percept_status pct_cli_experiment_path(const char *name, char **path, percept_error *error);
/* Opens it with -t, --cpu-mask, --verbose. */
percept_status pct_cli_open_engine(const pct_cli_settings *settings, percept_engine **engine, percept_error *error);

#endif
