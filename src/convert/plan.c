#include "convert/plan_private.h"

#include "model/model_private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAME 256
#define MEND     "give a whole checkpoint of this family"

percept_status pct_plan_create(pct_plan **out, const pct_plan_options *options, percept_error *error) {
    PCT_ASSERT(options->source_count <= 4);
    pct_plan *plan = *out = calloc(1, sizeof *plan);
    if (!plan) return pct_fail_memory(error, "plan");
    plan->options = *options;
    for (int i = 0; i < options->source_count; i++) {
        const pct_plan_source *s = &options->sources[i];
        plan->used[2 * i] = calloc((size_t)pct_foreign_count(s->checkpoint) + 1, sizeof(bool));
        plan->used[2 * i + 1] = calloc(s->lora ? (size_t)pct_foreign_count(s->lora) + 1 : 1, sizeof(bool));
        if (plan->used[2 * i] && plan->used[2 * i + 1]) continue;
        pct_plan_destroy(out);
        return pct_fail_memory(error, "plan");
    }
    return PERCEPT_OK;
}

void pct_plan_destroy(pct_plan **plan) {
    if (!*plan) return;
    for (int i = 0; i < 8; i++) free((*plan)->used[i]);
    free((*plan)->origins);
    pct_text_free(&(*plan)->fresh_names);
    free(*plan);
    *plan = NULL;
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

typedef struct numbers {
    char text[4][12];
    int count;
} numbers;

/* Whether the name has the pattern's form; the digits that "#" stood for. */
static bool matches(const char *pattern, const char *name, numbers *found) {
    found->count = 0;
    while (*pattern) {
        if (*pattern != '#') {
            if (*pattern++ != *name++) return false;
            continue;
        }
        size_t digits = 0;
        while (isdigit((unsigned char)name[digits])) digits++;
        if (digits == 0 || digits >= sizeof found->text[0] || found->count == 4) return false;
        memcpy(found->text[found->count], name, digits);
        found->text[found->count++][digits] = 0;
        name += digits;
        pattern++;
    }
    return *name == 0;
}

/* prefix + the pattern with its numbers, `length` characters of it; false when it does not fit. */
static bool fill(char out[MAX_NAME], const char *prefix, const char *pattern, size_t length, const numbers *found) {
    size_t at = strlen(prefix);
    int next = 0;
    if (at >= MAX_NAME) return false;
    memcpy(out, prefix, at);
    for (size_t i = 0; i < length; i++) {
        const bool number = pattern[i] == '#';
        PCT_ASSERT(!number || next < found->count);
        const char *piece = number ? found->text[next++] : pattern + i;
        const size_t size = number ? strlen(piece) : 1;
        if (at + size >= MAX_NAME) return false;
        memcpy(out + at, piece, size);
        at += size;
    }
    out[at] = 0;
    return true;
}

/* "…q_proj.weight" under the name that peft gives the base of a LoRA: "…q_proj.base_layer.weight". */
static const pct_foreign_tensor *find_base(const pct_plan_source *s, const char *name) {
    char base[MAX_NAME + 16];
    const char *end = strrchr(name, '.');
    const pct_foreign_tensor *tensor = pct_foreign_find(s->checkpoint, name);
    if (tensor || !end || !s->lora_inside) return tensor;
    snprintf(base, sizeof base, "%.*s.base_layer%s", (int)(end - name), name, end);
    return pct_foreign_find(s->checkpoint, base);
}

/* The tensor that the rule's source names, under any spelling and prefix; name: as found, or as first looked for. */
static const pct_foreign_tensor *find_source(const pct_plan_source *s, const pct_rule *rule, const numbers *found,
                                             char name[MAX_NAME]) {
    char first[MAX_NAME] = "";
    for (int p = 0; p < 4 && (p == 0 || s->prefixes[p]); p++) {
        const char *prefix = s->prefixes[p] ? s->prefixes[p] : "";
        for (const char *spelling = rule->source; spelling;) {
            const char *bar = strchr(spelling, '|');
            const size_t length = bar ? (size_t)(bar - spelling) : strlen(spelling);
            if (fill(name, prefix, spelling, length, found)) {
                const pct_foreign_tensor *tensor = find_base(s, name);
                if (tensor) return tensor;
                if (!*first) strcpy(first, name);
            }
            spelling = bar ? bar + 1 : NULL;
        }
    }
    strcpy(name, first);
    return NULL;
}

/* ---- shapes ----------------------------------------------------------------------------------------------------- */

static void shape_text(pct_text *out, int rank, const int64_t *dim) {
    for (int i = 0; i < rank; i++) pct_text_printf(out, i > 0 ? " x %lld" : "%lld", (long long)dim[i]);
}

/* A shape without its dimensions of 1. */
static int squeeze(int rank, const int64_t *dim, int64_t *out) {
    int count = 0;
    for (int i = 0; i < rank; i++)
        if (dim[i] != 1) out[count++] = dim[i];
    return count;
}

static bool same_shape(int rank, const int64_t *wanted, const pct_foreign_tensor *t) {
    int64_t a[PCT_SAFETENSORS_MAX_DIMS], b[PCT_SAFETENSORS_MAX_DIMS];
    const int n = squeeze(rank, wanted, a), m = squeeze(t->dims, t->shape, b);
    return n == m && !memcmp(a, b, (size_t)n * sizeof *a);
}

/* What the source must look like for this rule. */
static int wanted_shape(const pct_rule *rule, const pct_weight_spec *spec, int64_t *wanted) {
    memcpy(wanted, spec->dim, sizeof spec->dim);
    if (rule->how == PCT_RULE_PART) wanted[0] *= rule->parts;
    if (rule->how == PCT_RULE_KERNEL && spec->rank == 4) {
        wanted[1] = spec->dim[3];
        wanted[2] = spec->dim[1];
        wanted[3] = spec->dim[2];
    }
    return spec->rank;
}

/* *rows (may be NULL): of the source as a matrix, whatever dimensions of 1 the checkpoint writes. */
static percept_status check_source(const pct_rule *rule, const pct_weight_spec *spec, const pct_foreign_tensor *t,
                                   int64_t *rows, percept_error *error) {
    int64_t wanted[PCT_MAX_RANK];
    const int rank = wanted_shape(rule, spec, wanted);
    const bool table = rule->how == PCT_RULE_TABLE;
    if (table && t->dims == 2 && t->shape[0] >= 1 && t->shape[0] < wanted[0]) wanted[0] = t->shape[0];
    if (rows) *rows = wanted[0];
    if (!pct_foreign_is_float(t))
        return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: tensor '%s' holds %s, not weights; " MEND, t->file, t->name,
                        pct_safetensors_type_name(t->type));
    /* The first dimension of a table counts its rows: there a 1 is no ornament. */
    if (same_shape(rank, wanted, t) && (!table || t->dims == 2)) return PERCEPT_OK;
    pct_text should = {0}, is = {0};
    shape_text(&should, rank, wanted);
    shape_text(&is, t->dims, t->shape);
    percept_status status =
        pct_fail(error, PERCEPT_ERROR_MODEL, "%s: tensor '%s' is %s; its config makes it %s; " MEND, t->file, t->name,
                 is.data ? is.data : "one number", should.data ? should.data : "?");
    pct_text_free(&should);
    pct_text_free(&is);
    return status;
}

/* ---- LoRA ------------------------------------------------------------------------------------------------------- */

/* peft's names of the two matrices of a layer "…q_proj" (name without ".weight"), in a file of adapters alone or among
 * the weights themselves. */
static const pct_foreign_tensor *find_adapter(const pct_plan_source *s, const char *layer, char which) {
    static const char *const outside[] = {"base_model.model.%s.lora_%c.weight", "%s.lora_%c.weight",
                                          "base_model.model.%s.lora_%c.default.weight",
                                          "model.base_model.%s.lora_%c.default.weight"};
    char name[MAX_NAME + 64];
    if (s->lora_inside) {
        snprintf(name, sizeof name, "%s.lora_%c.default.weight", layer, which);
        return pct_foreign_find(s->checkpoint, name);
    }
    for (size_t i = 0; s->lora && i < sizeof outside / sizeof *outside; i++) {
        snprintf(name, sizeof name, outside[i], layer, which);
        const pct_foreign_tensor *t = pct_foreign_find(s->lora, name);
        if (t) return t;
    }
    return NULL;
}

static percept_status check_adapter(const pct_foreign_tensor *a, const pct_foreign_tensor *b, int64_t out, int64_t in,
                                    int64_t rank, percept_error *error) {
    if (rank && a->dims == 2 && a->shape[0] != rank)
        return pct_fail(
            error, PERCEPT_ERROR_MODEL,
            "%s: '%s' has rank %lld, and adapter_config.json's r is %lld: the scale would be wrong; merge the "
            "adapters with peft",
            a->file, a->name, (long long)a->shape[0], (long long)rank);
    if (a->dims == 2 && b->dims == 2 && a->shape[1] == in && b->shape[0] == out && a->shape[0] == b->shape[1] &&
        a->shape[0] >= 1 && a->shape[0] <= 4096 && pct_foreign_is_float(a) && pct_foreign_is_float(b))
        return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: '%s' and '%s' do not adapt a layer of %lld x %lld; " MEND, a->file,
                    a->name, b->name, (long long)out, (long long)in);
}

static void mark(pct_plan *plan, const pct_foreign_tensor *tensor) {
    for (int i = 0; i < plan->options.source_count; i++) {
        const pct_plan_source *s = &plan->options.sources[i];
        const pct_foreign *files[2] = {s->checkpoint, s->lora};
        for (int k = 0; k < 2; k++) {
            if (!files[k] || pct_foreign_count(files[k]) == 0) continue;
            const pct_foreign_tensor *first = pct_foreign_at(files[k], 0);
            const uintptr_t at = (uintptr_t)tensor, begin = (uintptr_t)first;
            const size_t index = (at - begin) / sizeof *first;
            if (at >= begin && index < (size_t)pct_foreign_count(files[k])) plan->used[2 * i + k][index] = true;
        }
    }
}

/* "…q_proj" of the tensor "…q_proj.weight" or "…q_proj.base_layer.weight". */
static void layer_of(const char *name, char layer[MAX_NAME]) {
    const size_t length = strlen(name);
    snprintf(layer, MAX_NAME, "%.*s", (int)(length >= 7 ? length - 7 : length), name);
    char *inside = strstr(layer, ".base_layer");
    if (inside) *inside = 0;
}

/* The adapter of the layer whose weight was found under `name`, when there is one. */
static percept_status add_adapter(pct_plan *plan, const pct_plan_source *s, const char *name, int64_t rows,
                                  pct_plan_origin *o, percept_error *error) {
    char layer[MAX_NAME];
    const size_t length = strlen(name);
    if (plan->options.keep_lora || length < 8 || strcmp(name + length - 7, ".weight") != 0) return PERCEPT_OK;
    layer_of(name, layer);
    const pct_foreign_tensor *a = find_adapter(s, layer, 'A'), *b = find_adapter(s, layer, 'B');
    if (!a && !b) return PERCEPT_OK;
    if (!a || !b)
        return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: layer '%s' has one of LoRA's two matrices; " MEND,
                        a ? a->file : b->file, layer);
    PCT_TRY(check_adapter(a, b, rows, o->tensor->elements / rows, s->lora_rank, error));
    o->a = a;
    o->b = b;
    o->scale = s->lora_scale;
    mark(plan, a);
    mark(plan, b);
    plan->adapted++;
    return PERCEPT_OK;
}

/* ---- the source of a builder ------------------------------------------------------------------------------------ */

static percept_status note(pct_plan *plan, const pct_plan_origin *o, percept_error *error) {
    if (plan->count == plan->capacity) {
        const size_t capacity = plan->capacity ? 2 * plan->capacity : 256;
        pct_plan_origin *grown = realloc(plan->origins, capacity * sizeof *grown);
        if (!grown) return pct_fail_memory(error, "plan");
        plan->origins = grown;
        plan->capacity = capacity;
    }
    plan->origins[plan->count++] = *o;
    return PERCEPT_OK;
}

/* A place in the set without memory of its own: rows come from the checkpoint. */
static percept_status place(pct_plan *plan, const pct_weight_spec *spec, pct_parameters *set, pct_parameter **parameter,
                            const pct_plan_origin *o, percept_error *error) {
    PCT_TRY(note(plan, o, error));
    *parameter = pct_parameters_add_stored(set, spec->name, PCT_REAL, spec->rank, spec->dim, plan, error);
    return *parameter ? PERCEPT_OK : PERCEPT_ERROR_RESOURCE;
}

static int32_t rotary_heads(const pct_plan *plan, const char *name) {
    return strstr(name, "attn_k") ? plan->options.kv_heads : plan->options.heads;
}

/* Tries one source. *found false: it has no such tensor (name: what it would be called). */
static percept_status try_source(pct_plan *plan, const pct_plan_source *s, const pct_weight_spec *spec,
                                 pct_plan_origin *o, char name[MAX_NAME], bool *found, percept_error *error) {
    numbers n;
    int64_t rows;
    *found = false;
    for (const pct_rule *rule = s->rules; rule->target; rule++) {
        if (!matches(rule->target, spec->name, &n)) continue;
        const pct_foreign_tensor *t = find_source(s, rule, &n, name);
        if (!t) continue;
        PCT_TRY(check_source(rule, spec, t, &rows, error));
        *o = (pct_plan_origin){.tensor = t, .how = rule->how};
        if (rule->how == PCT_RULE_PART) o->first = rule->part * spec->dim[0];
        if (rule->how == PCT_RULE_KERNEL) o->inner = spec->rank == 4 ? spec->dim[3] : rule->parts;
        if (rule->how == PCT_RULE_ROTARY) o->heads = rotary_heads(plan, spec->name);
        mark(plan, t);
        *found = true;
        return add_adapter(plan, s, t->name, rows, o, error);
    }
    return PERCEPT_OK;
}

/* LoRA that stays apart: the adapter of the weight whose name `spec`'s goes on from. */
static percept_status take_adapter(pct_plan *plan, const pct_weight_spec *spec, pct_parameters *set,
                                   pct_parameter **parameter, percept_error *error) {
    const bool down = spec->name[strlen(spec->name) - 1] == 'a';
    char weight[PCT_NAME_SIZE], name[MAX_NAME], layer[MAX_NAME];
    snprintf(weight, sizeof weight, "%.*s", (int)(strlen(spec->name) - strlen(".lora_a")), spec->name);
    for (int i = 0; i < plan->options.source_count; i++) {
        const pct_plan_source *s = &plan->options.sources[i];
        numbers n;
        for (const pct_rule *rule = s->rules; rule->target; rule++) {
            if (!matches(rule->target, weight, &n)) continue;
            const pct_foreign_tensor *base = find_source(s, rule, &n, name);
            if (!base) continue;
            layer_of(base->name, layer);
            const pct_foreign_tensor *t = find_adapter(s, layer, down ? 'A' : 'B');
            if (!t) continue;
            PCT_TRY(check_source(&(pct_rule){.how = PCT_RULE_COPY}, spec, t, NULL, error));
            pct_plan_origin o = {.tensor = t, .how = down ? PCT_RULE_COPY : rule->how};
            if (o.how == PCT_RULE_ROTARY) o.heads = rotary_heads(plan, weight);
            mark(plan, t);
            plan->adapted += down;
            return place(plan, spec, set, parameter, &o, error);
        }
    }
    return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: %s has no LoRA; " MEND, plan->options.name, weight);
}

percept_status pct_plan_take(void *context, const pct_weight_spec *spec, pct_parameters *set, pct_parameter **parameter,
                             percept_error *error) {
    pct_plan *plan = context;
    char name[MAX_NAME] = "", wanted[MAX_NAME] = "";
    pct_plan_origin o;
    if (pct_model_is_lora(spec->name)) return take_adapter(plan, spec, set, parameter, error);
    for (int i = 0; i < plan->options.made_count; i++) {
        const pct_plan_made *made = &plan->options.made[i];
        if (strcmp(made->name, spec->name) != 0) continue;
        PCT_ASSERT(spec->rank == 1 && spec->dim[0] == made->count);
        PCT_TRY(note(plan, &(pct_plan_origin){0}, error));
        *parameter = pct_parameters_add_stored(set, spec->name, PCT_REAL, 1, spec->dim, made->data, error);
        return *parameter ? PERCEPT_OK : PERCEPT_ERROR_RESOURCE;
    }
    for (int i = 0; i < 2 * plan->options.source_count; i++) {
        const pct_plan_source *s = &plan->options.sources[i % plan->options.source_count];
        bool found;
        if (s->first != (i < plan->options.source_count)) continue;
        PCT_TRY(try_source(plan, s, spec, &o, name, &found, error));
        if (found) return place(plan, spec, set, parameter, &o, error);
        if (!*wanted) strcpy(wanted, name);
    }
    if (plan->options.fresh && (!strncmp(spec->name, "percept.", 8) || !strncmp(spec->name, "mm.", 3))) {
        plan->fresh++;
        pct_text_printf(&plan->fresh_names, plan->fresh_names.length ? ", %s" : "%s", spec->name);
        return note(plan, &(pct_plan_origin){0}, error); /* the builder makes it */
    }
    return pct_fail(error, PERCEPT_ERROR_MODEL, "%s: tensor '%s' is missing (it becomes %s); " MEND, plan->options.name,
                    *wanted ? wanted : spec->name, spec->name);
}

/* ---- what was used ---------------------------------------------------------------------------------------------- */

/* Whether an earlier source reads the same checkpoint: it is counted once. */
static bool seen_before(const pct_plan *plan, const pct_foreign *file, int index) {
    for (int i = 0; i < index; i++)
        if (plan->options.sources[i].checkpoint == file || plan->options.sources[i].lora == file) return true;
    return false;
}

/* Beginnings, or ends when the pattern begins with "*". */
static bool is_ignored(const pct_plan_source *s, const char *name) {
    for (int i = 0; i < 8 && s->ignored[i]; i++) {
        const char *pattern = s->ignored[i];
        const size_t length = strlen(name), size = strlen(pattern) - (*pattern == '*');
        if (*pattern == '*' ? length >= size && !strcmp(name + length - size, pattern + 1)
                            : !strncmp(name, pattern, size))
            return true;
    }
    return false;
}

/* Whether the name begins as the layers do that a rule reads: with its spelling as far as the first "#.". */
static bool in_layer(const char *prefix, const char *spelling, size_t length, const char *name) {
    static const char number[] = "#.";
    const size_t before = strlen(prefix);
    const char *at = strstr(spelling, number);
    if (!at || (size_t)(at - spelling) >= length || strncmp(name, prefix, before) != 0) return false;
    name += before;
    const size_t fixed = (size_t)(at - spelling);
    if (strncmp(name, spelling, fixed) != 0) return false;
    name += fixed;
    size_t digits = 0;
    while (isdigit((unsigned char)name[digits])) digits++;
    return digits > 0 && name[digits] == '.';
}

static bool of_layer(const pct_plan_source *s, const char *name) {
    for (int p = 0; p < 4 && s->prefixes[p]; p++)
        for (const pct_rule *rule = s->rules; rule->target; rule++)
            for (const char *spelling = rule->source; spelling;) {
                const char *bar = strchr(spelling, '|');
                if (in_layer(s->prefixes[p], spelling, bar ? (size_t)(bar - spelling) : strlen(spelling), name))
                    return true;
                spelling = bar ? bar + 1 : NULL;
            }
    return false;
}

/* Sources that read one checkpoint ignore for each other. */
static bool is_ignored_by_any(const pct_plan *plan, const pct_foreign *file, const char *name) {
    for (int i = 0; i < plan->options.source_count; i++)
        if (plan->options.sources[i].checkpoint == file && is_ignored(&plan->options.sources[i], name)) return true;
    return false;
}

percept_status pct_plan_check(const pct_plan *plan, percept_error *error) {
    for (int i = 0; i < plan->options.source_count; i++) {
        const pct_plan_source *s = &plan->options.sources[i];
        if (s->lora && plan->adapted == 0)
            return pct_fail(error, PERCEPT_ERROR_MODEL,
                            "%s: none of its tensors adapts a layer of %s; give adapters of this model",
                            pct_foreign_path(s->lora), plan->options.name);
        for (int64_t t = 0; t < pct_foreign_count(s->checkpoint); t++) {
            const pct_foreign_tensor *tensor = pct_foreign_at(s->checkpoint, t);
            if (plan->used[2 * i][t] || !of_layer(s, tensor->name) ||
                is_ignored_by_any(plan, s->checkpoint, tensor->name))
                continue;
            return pct_fail(error, PERCEPT_ERROR_MODEL,
                            "%s: tensor '%s' has no place in a model of this family, and left out it would change the "
                            "answers; give a checkpoint without it",
                            tensor->file, tensor->name);
        }
    }
    return PERCEPT_OK;
}

percept_status pct_plan_report(const pct_plan *plan, pct_convert_report *report, percept_error *error) {
    report->adapted = plan->adapted;
    report->fresh = plan->fresh;
    if (plan->fresh) pct_text_puts(&report->fresh_names, plan->fresh_names.data);
    for (int i = 0; i < plan->options.source_count; i++) {
        const pct_plan_source *s = &plan->options.sources[i];
        const pct_foreign *files[2] = {s->checkpoint, s->lora};
        for (int k = 0; k < 2; k++) {
            if (seen_before(plan, files[k], i)) continue;
            for (int64_t t = 0; files[k] && t < pct_foreign_count(files[k]); t++) {
                const char *name = pct_foreign_at(files[k], t)->name;
                if (plan->used[2 * i + k][t]) {
                    report->used++;
                } else if (is_ignored(s, name)) {
                    report->ignored++;
                } else {
                    report->unused++;
                    pct_text_printf(&report->unused_names, report->unused_names.length ? ", %s" : "%s", name);
                }
            }
        }
    }
    if (report->unused_names.failed || report->fresh_names.failed) return pct_fail_memory(error, "report");
    return PERCEPT_OK;
}
