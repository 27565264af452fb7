/* options.h: the command line's one table of options: names, environment variables, ranges, help.
 *
 * Everything that can be set is a field of pct_cli_settings; a command says which options it takes. A flag beats its
 * environment variable (PERCEPT_ and the name in capitals), which beats the default. Unknown options, numbers out of
 * range and values that are missing are refused with what would be right. */
#ifndef PCT_CLI_OPTIONS_H
#define PCT_CLI_OPTIONS_H

#include "percept/jobs.h"
#include "percept/percept.h"

#define PCT_CLI_MAX_REGIONS 64

/* A region as it was written: --box or --mask, in the order given. */
typedef struct pct_cli_region {
    bool is_mask;
    const char *text;
} pct_cli_region;

typedef struct pct_cli_settings {
    /* what is asked, and of what */
    const char *model, *questions, *file;
    pct_cli_region regions[PCT_CLI_MAX_REGIONS];
    size_t region_count;
    /* how */
    int64_t threads, cpu_mask, max_tokens, max_pixels, seed;
    int64_t top_k;
    double threshold, time_limit, temperature, top_p, min_p, repeat_penalty;
    int cache; /* percept_cache */
    bool exact;
    const char *chat_template;
    /* results */
    bool json, timings, fail_empty, tensors, special;
    const char *overlay, *masks, *out, *logits;
    int mask_format, format; /* percept_mask_format; percept_export_format, -1: none */
    /* talk */
    bool quiet, verbose, no_color, help, version;
    /* jobs */
    bool resume;
    int64_t limit, count, width, height, picture_questions, objects_min, objects_max;
    double seconds;
    const char *pack, *cutouts, *backgrounds, *split, *prepare, *shape, *stages, *type, *family, *tower, *heads, *lora;
    bool keep_lora, list, report, answers;
    const char *only;
    double minutes;
    int64_t steps;
    const char *sheet;
} pct_cli_settings;

typedef enum pct_cli_option {
    PCT_CLI_MODEL,
    PCT_CLI_QUESTIONS,
    PCT_CLI_BOX,
    PCT_CLI_MASK,
    PCT_CLI_FILE,
    PCT_CLI_SPECIAL,
    PCT_CLI_JSON,
    PCT_CLI_TIMINGS,
    PCT_CLI_OVERLAY,
    PCT_CLI_MASKS,
    PCT_CLI_MASK_FORMAT,
    PCT_CLI_FORMAT,
    PCT_CLI_OUT,
    PCT_CLI_FAIL_EMPTY,
    PCT_CLI_THRESHOLD,
    PCT_CLI_MAX_TOKENS,
    PCT_CLI_MAX_PIXELS,
    PCT_CLI_TIME_LIMIT,
    PCT_CLI_TEMPERATURE,
    PCT_CLI_TOP_K,
    PCT_CLI_TOP_P,
    PCT_CLI_MIN_P,
    PCT_CLI_REPEAT_PENALTY,
    PCT_CLI_SEED,
    PCT_CLI_LOGITS,
    PCT_CLI_CACHE,
    PCT_CLI_EXACT,
    PCT_CLI_TEMPLATE,
    PCT_CLI_TENSORS,
    PCT_CLI_RESUME,
    PCT_CLI_LIMIT,
    PCT_CLI_COUNT,
    PCT_CLI_SPLIT,
    PCT_CLI_WIDTH,
    PCT_CLI_HEIGHT,
    PCT_CLI_PICTURE_QUESTIONS,
    PCT_CLI_OBJECTS_MIN,
    PCT_CLI_OBJECTS_MAX,
    PCT_CLI_PACK,
    PCT_CLI_CUTOUTS,
    PCT_CLI_BACKGROUNDS,
    PCT_CLI_PREPARE,
    PCT_CLI_SHAPE,
    PCT_CLI_STAGES,
    PCT_CLI_SECONDS,
    PCT_CLI_TYPE,
    PCT_CLI_FAMILY,
    PCT_CLI_TOWER,
    PCT_CLI_HEADS,
    PCT_CLI_LORA,
    PCT_CLI_KEEP_LORA,
    PCT_CLI_LIST,
    PCT_CLI_ONLY,
    PCT_CLI_MINUTES,
    PCT_CLI_REPORT,
    PCT_CLI_ANSWERS,
    PCT_CLI_STEPS,
    PCT_CLI_SHEET,
    PCT_CLI_THREADS,
    PCT_CLI_CPU_MASK,
    PCT_CLI_QUIET,
    PCT_CLI_VERBOSE,
    PCT_CLI_NO_COLOR,
    PCT_CLI_HELP,
    PCT_CLI_OPTION_COUNT
} pct_cli_option;

/* Options that a command takes: a set. */
_Static_assert(PCT_CLI_OPTION_COUNT <= 64, "a set of options has 64 bits");
#define PCT_CLI_BIT(option) (UINT64_C(1) << (option))
/* How the next word is drawn. */
#define PCT_CLI_SAMPLING                                                                                               \
    (PCT_CLI_BIT(PCT_CLI_TEMPERATURE) | PCT_CLI_BIT(PCT_CLI_TOP_K) | PCT_CLI_BIT(PCT_CLI_TOP_P) |                      \
     PCT_CLI_BIT(PCT_CLI_MIN_P) | PCT_CLI_BIT(PCT_CLI_REPEAT_PENALTY) | PCT_CLI_BIT(PCT_CLI_SEED))
/* Longest text of `complete` without --max-tokens: some models never end. */
#define PCT_CLI_COMPLETE_TOKENS 256
#define PCT_CLI_CHAT_TOKENS     1024 /* of an answer of `chat` without a picture */
/* Every command takes these. */
#define PCT_CLI_GENERAL                                                                                                \
    (PCT_CLI_BIT(PCT_CLI_THREADS) | PCT_CLI_BIT(PCT_CLI_CPU_MASK) | PCT_CLI_BIT(PCT_CLI_QUIET) |                       \
     PCT_CLI_BIT(PCT_CLI_VERBOSE) | PCT_CLI_BIT(PCT_CLI_NO_COLOR) | PCT_CLI_BIT(PCT_CLI_HELP))

typedef struct pct_cli_line {
    pct_cli_settings settings;
    const char **arguments; /* what is no option, in order; owned */
    size_t argument_count;
    const char **config; /* "key=value" of --section.key options, for train; owned strings */
    size_t config_count;
} pct_cli_line;

/* Reads the environment and argv (without program and command name). takes_config: "--a.b=c" and "--a.b c" are config
 * keys. USAGE with the mend. Free the line in any case. */
percept_status pct_cli_parse(pct_cli_line *line, uint64_t options, bool takes_config, int argc, char **argv,
                             percept_error *error);
void pct_cli_line_free(pct_cli_line *line);

/* The options of the set as help text, one a line, on stdout. */
void pct_cli_print_options(uint64_t options);

/* What an option is, for pages about the program; static texts. */
typedef struct pct_cli_option_text {
    const char *name, *value, *help; /* value NULL: it takes none */
    char letter;                     /* 0: none */
    const char *const *choices;      /* NULL-terminated; NULL: not one of a few words */
} pct_cli_option_text;
pct_cli_option_text pct_cli_get_option(pct_cli_option option);

/* The nearest of `count` names that a person could have meant, or NULL. */
const char *pct_cli_nearest(const char *word, const char *const *names, size_t count);

/* Control characters (C0, DEL, and C1 as UTF-8 has them) become blanks, line breaks and tabs not when `lines`: names of
 * files and words of models shall not work on the terminal. */
void pct_cli_tame(char *text, bool lines);
/* Fills *error; returns `status`. */
percept_status pct_cli_fail(percept_error *error, percept_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
