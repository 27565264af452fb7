/* options.c: see options.h. */
#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum option_kind { FLAG, TEXT, INTEGER, NUMBER, CHOICE, REGION } option_kind;

typedef struct option_row {
    const char *name;
    char letter; /* 0: none */
    option_kind kind;
    size_t offset;
    const char *value; /* what help calls it */
    double min, max;
    const char *const *choices; /* NULL-terminated */
    bool environment;
    const char *help;
} option_row;

static const char *const mask_formats[] = {"rle", "polygon", "none", NULL};
static const char *const export_formats[] = {"coco", "coco-results", "yolo-seg", "labelme", NULL};

static const char *const cache_types[] = {"f16", "q8_0", "f32", NULL}; /* percept_cache */

#define AT(member) offsetof(pct_cli_settings, member)
#define BIG        9007199254740992.0 /* 2^53: whole numbers that a double holds */

static const option_row rows[PCT_CLI_OPTION_COUNT] = {
    [PCT_CLI_MODEL] = {"model", 'm', TEXT, AT(model), "FILE", 0, 0, NULL, true,
                       "the model; else the one percept came with"},
    [PCT_CLI_QUESTIONS] = {"questions", 'q', TEXT, AT(questions), "FILE", 0, 0, NULL, false,
                           "questions, one a line; then every argument is a picture"},
    [PCT_CLI_BOX] = {"box", 0, REGION, 0, "x0,y0,x1,y1", 0, 0, NULL, false,
                     "a region that <obj> in the question stands for (repeatable)"},
    [PCT_CLI_MASK] = {"mask", 0, REGION, 1, "FILE.png", 0, 0, NULL, false,
                      "the same as a mask of the picture's size (repeatable)"},
    [PCT_CLI_FILE] = {"file", 'f', TEXT, AT(file), "FILE", 0, 0, NULL, false, "a text a line; - is standard input"},
    [PCT_CLI_SPECIAL] = {"special", 0, FLAG, AT(special), NULL, 0, 0, NULL, false,
                         "texts of special tokens become their ids"},
    [PCT_CLI_JSON] = {"json", 0, FLAG, AT(json), NULL, 0, 0, NULL, true, "one JSON object a line"},
    [PCT_CLI_TIMINGS] = {"timings", 0, FLAG, AT(timings), NULL, 0, 0, NULL, true, "how long each stage took"},
    [PCT_CLI_OVERLAY] = {"overlay", 0, TEXT, AT(overlay), "OUT.png", 0, 0, NULL, true,
                         "the picture with the regions drawn on it; several pictures: a folder"},
    [PCT_CLI_MASKS] = {"masks", 0, TEXT, AT(masks), "DIR", 0, 0, NULL, true, "masks as PNG files"},
    [PCT_CLI_MASK_FORMAT] = {"mask-format", 0, CHOICE, AT(mask_format), "rle|polygon|none", 0, 0, mask_formats, true,
                             "how masks stand in JSON; none: boxes alone"},
    [PCT_CLI_FORMAT] = {"format", 0, CHOICE, AT(format), "coco|coco-results|yolo-seg|labelme", 0, 0, export_formats,
                        true, "also writes the regions in another tool's format, to -o"},
    [PCT_CLI_OUT] = {"out", 'o', TEXT, AT(out), "OUT", 0, 0, NULL, false, "file or folder that is written"},
    [PCT_CLI_FAIL_EMPTY] = {"fail-empty", 0, FLAG, AT(fail_empty), NULL, 0, 0, NULL, true,
                            "exit with 1 when no region was found"},
    [PCT_CLI_THRESHOLD] = {"threshold", 0, NUMBER, AT(threshold), "S", 0, 1, NULL, true,
                           "drops regions whose score is below; else the model's own"},
    [PCT_CLI_MAX_TOKENS] = {"max-tokens", 0, INTEGER, AT(max_tokens), "N", 1, 1048576, NULL, true, "longest answer"},
    [PCT_CLI_MAX_PIXELS] = {"max-pixels", 0, INTEGER, AT(max_pixels), "N", 1, BIG, NULL, true,
                            "larger pictures are refused (100000000)"},
    [PCT_CLI_TIME_LIMIT] = {"time-limit", 0, NUMBER, AT(time_limit), "S", 0.001, 1e9, NULL, true,
                            "seconds after which an answer is cut, for each picture"},
    [PCT_CLI_TEMPERATURE] = {"temp", 0, NUMBER, AT(temperature), "T", 0, 10, NULL, true,
                             "0: always the likeliest word (0)"},
    [PCT_CLI_TOP_K] = {"top-k", 0, INTEGER, AT(top_k), "K", 0, 16777216, NULL, true,
                       "draws from so many likeliest words; 0: from all (0)"},
    [PCT_CLI_TOP_P] = {"top-p", 0, NUMBER, AT(top_p), "P", 1e-6, 1, NULL, true,
                       "share of probability that is drawn from (1)"},
    [PCT_CLI_MIN_P] = {"min-p", 0, NUMBER, AT(min_p), "P", 0, 1, NULL, true,
                       "leaves out words below this share of the likeliest's probability (0)"},
    [PCT_CLI_REPEAT_PENALTY] = {"repeat-penalty", 0, NUMBER, AT(repeat_penalty), "R", 1, 10, NULL, true,
                                "makes words of the last 64 less likely; 1: not (1)"},
    [PCT_CLI_LOGITS] = {"logits", 0, TEXT, AT(logits), "OUT.npy", 0, 0, NULL, false,
                        "keeps the logits of every predicted position"},
    [PCT_CLI_TEMPLATE] = {"template", 0, TEXT, AT(chat_template), "NAME", 0, 0, NULL, true,
                          "how a language model is talked to (chatml, llama-3, ...); else as its file says"},
    [PCT_CLI_CACHE] = {"cache", 0, CHOICE, AT(cache), "f16|q8_0|f32", 0, 0, cache_types, true,
                       "how a language model keeps what it has read (f16)"},
    [PCT_CLI_EXACT] = {"exact", 0, FLAG, AT(exact), NULL, 0, 0, NULL, true,
                       "weights meet numbers in F32, nothing rounded: slow, for comparisons"},
    [PCT_CLI_SEED] = {"seed", 0, INTEGER, AT(seed), "N", 0, BIG, NULL, true, "of everything drawn at random (0)"},
    [PCT_CLI_TENSORS] = {"tensors", 0, FLAG, AT(tensors), NULL, 0, 0, NULL, false, "lists every tensor"},
    [PCT_CLI_RESUME] = {"resume", 0, FLAG, AT(resume), NULL, 0, 0, NULL, false,
                        "goes on from the run's newest checkpoint"},
    [PCT_CLI_LIMIT] = {"limit", 0, INTEGER, AT(limit), "N", 1, BIG, NULL, true, "at most so many pictures"},
    [PCT_CLI_COUNT] = {"count", 0, INTEGER, AT(count), "N", 1, 10000000, NULL, false, "pictures (100)"},
    [PCT_CLI_SPLIT] = {"split", 0, TEXT, AT(split), "SPLIT", 0, 0, NULL, false,
                       "training, calibration, arrangements or cutouts (training)"},
    [PCT_CLI_WIDTH] = {"width", 0, INTEGER, AT(width), "N", 64, 2048, NULL, false, "of the pictures (320)"},
    [PCT_CLI_HEIGHT] = {"height", 0, INTEGER, AT(height), "N", 64, 2048, NULL, false, "of the pictures (320)"},
    [PCT_CLI_PICTURE_QUESTIONS] = {"picture-questions", 0, INTEGER, AT(picture_questions), "N", 1, 32, NULL, false,
                                   "questions a picture (6)"},
    [PCT_CLI_OBJECTS_MIN] = {"objects-min", 0, INTEGER, AT(objects_min), "N", 1, 8, NULL, false,
                             "fewest things in a picture (1)"},
    [PCT_CLI_OBJECTS_MAX] = {"objects-max", 0, INTEGER, AT(objects_max), "N", 1, 8, NULL, false,
                             "most things in a picture (8)"},
    [PCT_CLI_PACK] = {"pack", 0, TEXT, AT(pack), "FILE", 0, 0, NULL, true, "prepared cut-outs (assets/scenes.pack)"},
    [PCT_CLI_CUTOUTS] = {"cutouts", 0, TEXT, AT(cutouts), "DIR", 0, 0, NULL, false,
                         "your own cut-outs with alpha, named by file or sub-folder"},
    [PCT_CLI_BACKGROUNDS] = {"backgrounds", 0, TEXT, AT(backgrounds), "DIR", 0, 0, NULL, false, "your own backgrounds"},
    [PCT_CLI_PREPARE] = {"prepare", 0, TEXT, AT(prepare), "ASSETS", 0, 0, NULL, false,
                         "makes the pack from fetched packages, and nothing else"},
    [PCT_CLI_SHAPE] = {"shape", 0, TEXT, AT(shape), "nano", 0, 0, NULL, true,
                       "random weights of that shape, when no model is given"},
    [PCT_CLI_STAGES] = {"stages", 0, TEXT, AT(stages), "LIST", 0, 0, NULL, true,
                        "some of peak,first,tower,prefill,decode,heads,train (all that the shape has)"},
    [PCT_CLI_SECONDS] = {"seconds", 0, NUMBER, AT(seconds), "S", 0.01, 3600, NULL, true,
                         "of measuring, each stage (1)"},
    [PCT_CLI_TYPE] = {"type", 0, TEXT, AT(type), "TYPE", 0, 0, NULL, false,
                      "of the weights: f32 f16 bf16 q8_0 q6_k q5_k q4_k q5_1 q5_0 q4_1 q4_0 (q8_0)"},
    [PCT_CLI_FAMILY] = {"family", 0, TEXT, AT(family), "NAME", 0, 0, NULL, false,
                        "llama, qwen2, perceptiongpt or mllmseg; else as config.json says"},
    [PCT_CLI_TOWER] = {"tower", 0, TEXT, AT(tower), "DIR", 0, 0, NULL, false,
                       "the CLIP tower of a perceptiongpt model"},
    [PCT_CLI_HEADS] = {"heads", 0, TEXT, AT(heads), "FILE", 0, 0, NULL, false,
                       "merges, projector and heads of a perceptiongpt model; else they begin anew"},
    [PCT_CLI_LORA] = {"lora", 0, TEXT, AT(lora), "DIR", 0, 0, NULL, false,
                      "peft adapters that are added to the language model"},
    [PCT_CLI_KEEP_LORA] = {"keep-lora", 0, FLAG, AT(keep_lora), NULL, 0, 0, NULL, false,
                           "adapters stay apart instead of being added"},
    [PCT_CLI_LIST] = {"list", 0, FLAG, AT(list), NULL, 0, 0, NULL, false, "shows the runs and what is done, no more"},
    [PCT_CLI_ONLY] = {"only", 0, TEXT, AT(only), "RUN,...", 0, 0, NULL, false,
                      "these runs, series or groups, and what they begin with"},
    [PCT_CLI_MINUTES] =
        {"minutes", 0, NUMBER, AT(minutes), "M", 0.0001, 100000, NULL, false,
         "experiment: of every run, in place of the list's (a rehearsal; wants -o); teach: the budget (10)"},
    [PCT_CLI_REPORT] = {"report", 0, FLAG, AT(report), NULL, 0, 0, NULL, false,
                        "writes tables, verdicts and plots of the results that are there; trains nothing"},
    [PCT_CLI_ANSWERS] = {"answers", 0, FLAG, AT(answers), NULL, 0, 0, NULL, false,
                         "measures how long answers of 1 to 32 objects take; trains nothing"},
    [PCT_CLI_STEPS] = {"steps", 0, INTEGER, AT(steps), "N", 1, 1000000, NULL, false, "steps instead of minutes"},
    [PCT_CLI_SHEET] = {"sheet", 0, TEXT, AT(sheet), "OUT.png", 0, 0, NULL, false,
                       "the contact sheet; else beside the model"},
    [PCT_CLI_THREADS] = {"threads", 't', INTEGER, AT(threads), "N", 1, 512, NULL, true, "threads; else all processors"},
    [PCT_CLI_CPU_MASK] = {"cpu-mask", 0, INTEGER, AT(cpu_mask), "M", 0, 4294967295.0, NULL, true,
                          "instruction sets: 1 AVX2, 2 AVX-512, 4 VNNI, 8 BF16, 16 AMX"},
    [PCT_CLI_QUIET] = {"quiet", 0, FLAG, AT(quiet), NULL, 0, 0, NULL, true, "no progress, no warnings"},
    [PCT_CLI_VERBOSE] = {"verbose", 0, FLAG, AT(verbose), NULL, 0, 0, NULL, true, "says what it does"},
    [PCT_CLI_NO_COLOR] = {"no-color", 0, FLAG, AT(no_color), NULL, 0, 0, NULL, true, "no bar, no colour"},
    [PCT_CLI_HELP] = {"help", 'h', FLAG, AT(help), NULL, 0, 0, NULL, false, "this text"},
};

void pct_cli_tame(char *text, bool lines) {
    for (char *c = text; *c; c++) {
        const unsigned char next = (unsigned char)c[1];
        const bool kept = lines && (*c == '\n' || *c == '\t');
        if (((unsigned char)*c < 0x20 && !kept) || *c == 0x7f) *c = ' ';
        if ((unsigned char)*c == 0xc2 && next >= 0x80 && next < 0xa0) c[0] = c[1] = ' ';
    }
}

percept_status pct_cli_fail(percept_error *error, percept_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    error->status = status;
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    pct_cli_tame(error->message, false);
    return status;
}

/* ---- the nearest name ---------------------------------------------------------------------------------------------
 */

enum { longest_word = 40 };

/* Edits (insert, delete, change, swap of neighbours) between two words; longer ones count as far apart. */
static int distance(const char *a, const char *b) {
    int m = (int)strlen(a), n = (int)strlen(b);
    if (m > longest_word || n > longest_word) return 1000;
    int d[longest_word + 1][longest_word + 1];
    for (int i = 0; i <= m; i++) d[i][0] = i;
    for (int j = 0; j <= n; j++) d[0][j] = j;
    for (int i = 1; i <= m; i++) {
        for (int j = 1; j <= n; j++) {
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && d[i - 2][j - 2] + 1 < best) best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[m][n];
}

const char *pct_cli_nearest(const char *word, const char *const *names, size_t count) {
    const char *best = NULL;
    int nearest = (int)strlen(word) / 2 + 1;
    if (nearest > 4) nearest = 4;
    for (size_t i = 0; i < count; i++) {
        int d = distance(word, names[i]);
        bool begins = strlen(word) >= 3 && strncmp(word, names[i], strlen(word)) == 0;
        if (begins && d > 1) d = 1;
        if (d >= nearest) continue;
        nearest = d;
        best = names[i];
    }
    return best;
}

/* ---- values -------------------------------------------------------------------------------------------------------
 */

/* The program never calls setlocale, so strtod reads the C locale. Hexadecimal is for masks. */
static bool read_number(const char *text, double *out) {
    if (!*text || isspace((unsigned char)*text)) return false;
    if (text[strspn(text, "+-.0123456789eExXabcdefABCDEF")]) return false;
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    return *end == 0 && isfinite(*out);
}

static percept_status refuse_number(const option_row *row, const char *label, const char *text, percept_error *error) {
    bool whole = row->kind == INTEGER;
    return pct_cli_fail(error, PERCEPT_ERROR_USAGE,
                        whole ? "%s: \"%.60s\" is not a whole number from %.0f to %.0f"
                              : "%s: \"%.60s\" is not a number from %g to %g",
                        label, text, row->min, row->max);
}

static percept_status set_flag(bool *flag, const char *label, const char *text, percept_error *error) {
    static const char *const yes[] = {"1", "true", "yes", "on"}, *const no[] = {"", "0", "false", "no", "off"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (strcmp(text, yes[i]) == 0) {
            *flag = true;
            return PERCEPT_OK;
        }
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        if (strcmp(text, no[i]) == 0) {
            *flag = false;
            return PERCEPT_OK;
        }
    }
    return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "%s: \"%.60s\" is neither 1 nor 0", label, text);
}

static percept_status set_region(pct_cli_settings *settings, const option_row *row, const char *text,
                                 percept_error *error) {
    if (settings->region_count == PCT_CLI_MAX_REGIONS) {
        return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "more than %d regions; give fewer", PCT_CLI_MAX_REGIONS);
    }
    settings->regions[settings->region_count++] = (pct_cli_region){row->offset == 1, text};
    return PERCEPT_OK;
}

static percept_status set_choice(int *into, const option_row *row, const char *label, const char *text,
                                 percept_error *error) {
    for (int i = 0; row->choices[i]; i++) {
        if (strcmp(text, row->choices[i]) != 0) continue;
        *into = i;
        return PERCEPT_OK;
    }
    return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "%s: \"%.60s\" is not one of %s", label, text, row->value);
}

/* `label` is how the user wrote it: "--seed" or "PERCEPT_SEED". */
static percept_status set_value(pct_cli_settings *settings, const option_row *row, const char *label, const char *text,
                                percept_error *error) {
    void *into = (char *)settings + row->offset;
    double number;
    switch (row->kind) {
    case FLAG:
        return set_flag(into, label, text, error);
    case REGION:
        return set_region(settings, row, text, error);
    case CHOICE:
        return set_choice(into, row, label, text, error);
    case TEXT:
        if (!*text) return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "%s: is empty; give %s", label, row->value);
        *(const char **)into = text;
        return PERCEPT_OK;
    case INTEGER:
    case NUMBER:
        break;
    }
    if (!read_number(text, &number) || number < row->min || number > row->max ||
        (row->kind == INTEGER && number != floor(number))) {
        return refuse_number(row, label, text, error);
    }
    if (row->kind == INTEGER)
        *(int64_t *)into = (int64_t)number;
    else
        *(double *)into = number;
    return PERCEPT_OK;
}

/* `options`: those that no flag has set. */
static percept_status read_environment(pct_cli_settings *settings, uint64_t options, percept_error *error) {
    for (int i = 0; i < PCT_CLI_OPTION_COUNT; i++) {
        const option_row *row = &rows[i];
        if (!row->environment || !(options & PCT_CLI_BIT(i))) continue;
        char name[64] = "PERCEPT_";
        size_t length = strlen(name);
        for (const char *c = row->name; *c; c++) {
            name[length++] = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
        }
        name[length] = 0;
        const char *value = getenv(name);
        if (!value || (!*value && row->kind != FLAG)) continue;
        percept_status status = set_value(settings, row, name, value, error);
        if (status != PERCEPT_OK) return status;
    }
    return PERCEPT_OK;
}

/* ---- argv ---------------------------------------------------------------------------------------------------------
 */

static const option_row *find_long(uint64_t options, const char *name, size_t length) {
    for (int i = 0; i < PCT_CLI_OPTION_COUNT; i++) {
        bool same = strlen(rows[i].name) == length && strncmp(rows[i].name, name, length) == 0;
        if (same && (options & PCT_CLI_BIT(i))) return &rows[i];
    }
    return NULL;
}

static const option_row *find_letter(uint64_t options, char letter) {
    for (int i = 0; i < PCT_CLI_OPTION_COUNT; i++) {
        if (rows[i].letter == letter && (options & PCT_CLI_BIT(i))) return &rows[i];
    }
    return NULL;
}

static percept_status refuse_unknown(uint64_t options, const char *name, size_t length, percept_error *error) {
    char word[longest_word + 1];
    const char *names[PCT_CLI_OPTION_COUNT];
    size_t count = 0;
    snprintf(word, sizeof word, "%.*s", (int)(length < longest_word ? length : longest_word), name);
    for (int i = 0; i < PCT_CLI_OPTION_COUNT; i++) {
        if (options & PCT_CLI_BIT(i)) names[count++] = rows[i].name;
    }
    const char *nearest = pct_cli_nearest(word, names, count);
    if (nearest) {
        return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "unknown option --%s; did you mean --%s?", word, nearest);
    }
    return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "unknown option --%s", word);
}

/* argv[*at] and, when its value stands apart, argv[*at + 1]. */
typedef struct reader {
    pct_cli_line *line;
    uint64_t options, given; /* that may be given, that were */
    bool takes_config;
    int argc, at;
    char **argv;
} reader;

static const char *next_value(reader *r) { return r->at + 1 < r->argc ? r->argv[++r->at] : NULL; }

static percept_status add_config(reader *r, const char *text, percept_error *error) {
    char *copy;
    if (strchr(text, '=')) {
        copy = strdup(text);
    } else {
        const char *value = next_value(r);
        if (!value) return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "--%.60s: a value is missing", text);
        size_t size = strlen(text) + strlen(value) + 2;
        copy = malloc(size);
        if (copy) snprintf(copy, size, "%s=%s", text, value);
    }
    if (!copy) return pct_cli_fail(error, PERCEPT_ERROR_RESOURCE, "out of memory");
    r->line->config[r->line->config_count++] = copy;
    return PERCEPT_OK;
}

static percept_status read_long(reader *r, const char *text, percept_error *error) {
    size_t length = strcspn(text, "=");
    const char *attached = text[length] ? text + length + 1 : NULL;
    const option_row *row = find_long(r->options, text, length);
    if (!row && r->takes_config && memchr(text, '.', length)) return add_config(r, text, error);
    if (!row) return refuse_unknown(r->options, text, length, error);
    char label[64];
    r->given |= PCT_CLI_BIT(row - rows);
    snprintf(label, sizeof label, "--%s", row->name);
    if (row->kind == FLAG) return set_value(&r->line->settings, row, label, attached ? attached : "1", error);
    const char *value = attached ? attached : next_value(r);
    if (!value) return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "%s: a value is missing; give %s", label, row->value);
    return set_value(&r->line->settings, row, label, value, error);
}

static percept_status read_letter(reader *r, const char *text, percept_error *error) {
    const option_row *row = find_letter(r->options, text[0]);
    char label[64];
    if (!row) return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "unknown option -%c", text[0]);
    r->given |= PCT_CLI_BIT(row - rows);
    snprintf(label, sizeof label, "-%c", row->letter);
    if (row->kind == FLAG) {
        if (text[1]) return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "%s takes no value", label);
        return set_value(&r->line->settings, row, label, "1", error);
    }
    const char *value = text[1] ? text + 1 : next_value(r);
    if (!value) return pct_cli_fail(error, PERCEPT_ERROR_USAGE, "%s: a value is missing; give %s", label, row->value);
    return set_value(&r->line->settings, row, label, value, error);
}

static percept_status read_all(reader *r, percept_error *error) {
    bool ended = false; /* after "--" everything is an argument */
    for (r->at = 0; r->at < r->argc; r->at++) {
        const char *text = r->argv[r->at];
        percept_status status = PERCEPT_OK;
        if (ended || text[0] != '-' || !text[1]) {
            r->line->arguments[r->line->argument_count++] = text;
        } else if (strcmp(text, "--") == 0) {
            ended = true;
        } else {
            status = text[1] == '-' ? read_long(r, text + 2, error) : read_letter(r, text + 1, error);
        }
        if (status != PERCEPT_OK) return status;
    }
    return PERCEPT_OK;
}

percept_status pct_cli_parse(pct_cli_line *line, uint64_t options, bool takes_config, int argc, char **argv,
                             percept_error *error) {
    *line = (pct_cli_line){.settings = {.threshold = -1,
                                        .top_p = 1,
                                        .repeat_penalty = 1,
                                        .format = -1,
                                        .cpu_mask = UINT32_MAX,
                                        .count = 100,
                                        .split = "training",
                                        .width = 320,
                                        .height = 320,
                                        .picture_questions = 6,
                                        .objects_min = 1,
                                        .objects_max = 8,
                                        .seconds = 1}};
    line->arguments = calloc((size_t)argc + 1, sizeof *line->arguments);
    line->config = calloc((size_t)argc + 1, sizeof *line->config);
    if (!line->arguments || !line->config) return pct_cli_fail(error, PERCEPT_ERROR_RESOURCE, "out of memory");
    options |= PCT_CLI_GENERAL;
    reader r = {.line = line, .options = options, .takes_config = takes_config, .argc = argc, .argv = argv};
    percept_status status = read_all(&r, error);
    return status == PERCEPT_OK ? read_environment(&line->settings, options & ~r.given, error) : status;
}

void pct_cli_line_free(pct_cli_line *line) {
    for (size_t i = 0; i < line->config_count; i++) free((void *)(uintptr_t)line->config[i]);
    free(line->config);
    free(line->arguments);
    *line = (pct_cli_line){0};
}

pct_cli_option_text pct_cli_get_option(pct_cli_option option) {
    const option_row *row = &rows[option];
    return (pct_cli_option_text){
        .name = row->name, .value = row->value, .help = row->help, .letter = row->letter, .choices = row->choices};
}

void pct_cli_print_options(uint64_t options) {
    options |= PCT_CLI_GENERAL;
    for (int i = 0; i < PCT_CLI_OPTION_COUNT; i++) {
        if (!(options & PCT_CLI_BIT(i))) continue;
        const option_row *row = &rows[i];
        char left[80];
        int length =
            snprintf(left, sizeof left, "  %c%c%s --%s%s%s", row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
                     row->letter ? "," : " ", row->name, row->value ? " " : "", row->value ? row->value : "");
        if (length < 32)
            printf("%-32s%s\n", left, row->help);
        else
            printf("%s\n%-32s%s\n", left, "", row->help);
    }
}
