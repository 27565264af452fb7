/* bench_count.c: operations and bytes of a model's parts, from the shapes of its weights. See bench.h. */
#include "engine/bench.h"

#include <stdlib.h>
#include <string.h>

/* Rows that weights are applied to. */
typedef struct grids {
    double cells;  /* of the tower's grid */
    double tokens; /* of the language model: cells, or squares of them */
    double fine;   /* of the masks' grid */
    double logits; /* of the mask logits */
    double side;   /* pixels */
    double tower;  /* rows of the tower, second pass included */
} grids;

static bool begins(const char *name, const char *with) { return strncmp(name, with, strlen(with)) == 0; }

static double square(double x) { return x * x; }

/* Cells after the convolution "percept.stem.down3": the side is halved i+1 times. */
static double halved(double side, const char *number) { return square(side / (double)(2 << atoi(number))); }

/* How many rows (or cells) of one picture a weight of the encoder meets; 0: it is no part of it. */
static double encoder_rows(const char *name, const grids *g, const pct_model_config *c) {
    static const char keys[] = "percept.mask_decoder.0.to_";
    if (begins(name, "percept.stem.down")) return halved(g->side, name + strlen("percept.stem.down"));
    if (begins(name, "percept.stem.block")) return g->fine;
    if (begins(name, "percept.stem.reduce")) {
        return halved(g->side / c->vision.fine_stride, name + strlen("percept.stem.reduce"));
    }
    if (begins(name, "percept.stem.out")) return g->cells;
    if (begins(name, "v.patch_embd")) {
        /* the second pass has more cells of smaller patches: as many multiplications again */
        return c->vision.fine == PCT_FINE_SECOND ? 2 * g->cells : g->cells;
    }
    if (begins(name, "v.blk.")) return g->tower;
    if (begins(name, "mm.")) return g->tokens + (c->vision.class_row ? 1 : 0);
    if (begins(name, "percept.fine.merge")) return g->cells;
    if (begins(name, "percept.fine.stem") || begins(name, "percept.mask_decoder.adaptor")) return g->fine;
    if (begins(name, "percept.mask_decoder.skip")) return g->logits;
    if (begins(name, keys)) {
        const char *part = name + strlen(keys);
        bool once = begins(part, "image.k") || begins(part, "image.v") || begins(part, "query.q");
        return once ? g->fine : 0;
    }
    return 0;
}

/* MLLMSeg's mask decoder; `logits` are the pixels of its probabilities. */
static double res_rows(const char *part, const grids *g) {
    if (begins(part, "text")) return 1;
    if (begins(part, "image") || begins(part, "offset")) return g->tokens;
    if (begins(part, "v2l.cross.k") || begins(part, "v2l.cross.v")) return g->tokens;
    if (begins(part, "vl.cross.k") || begins(part, "vl.cross.v")) return 1;
    return begins(part, "conv2") ? g->logits : g->cells;
}

/* The same for one region. */
static double region_rows(const char *name, const grids *g, const pct_model_config *c) {
    static const char decoder[] = "percept.mask_decoder.";
    if (begins(name, "percept.box_decoder") || begins(name, "percept.quality")) return 1;
    if (begins(name, "percept.res.")) return res_rows(name + strlen("percept.res."), g);
    if (!begins(name, decoder)) return 0;
    const char *part = name + strlen(decoder);
    double queries = c->heads.mask_queries;
    if (begins(part, "up")) return g->fine * (double)(1 << 2 * atoi(part + 2));
    if (begins(part, "refine") || begins(part, "pixel")) return g->logits;
    if (begins(part, "mapping") || begins(part, "hyper")) return 1;
    if (strstr(part, "to_image.k") || strstr(part, "to_image.v") || strstr(part, "to_query.q") ||
        strstr(part, "final.k") || strstr(part, "final.v")) {
        return g->fine;
    }
    if (strstr(part, "to_query.out")) return queries > 1 ? g->fine : 1;
    return queries;
}

static grids make_grids(const pct_model_config *c) {
    grids g = {.cells = square(pct_model_config_grid(c)),
               .tokens = pct_model_config_image_tokens(c),
               .fine = square(pct_model_config_fine_grid(c)),
               .logits = square(pct_model_config_mask_side(c)),
               .side = c->image.side};
    g.tower = g.cells + 1 + (c->vision.fine == PCT_FINE_SECOND ? g.fine + 1 : 0);
    return g;
}

static void add_attention(pct_bench_work *work, const grids *g, const pct_model_config *c) {
    double tower = 4.0 * c->vision.width * c->vision.layers, rows = g->cells + 1;
    work->encode += tower * square(rows);
    if (c->vision.fine == PCT_FINE_SECOND) work->encode += tower * square(g->fine + 1);
    work->encode += work->row_attention * square(g->tokens + 1) * (c->language.prefix == PCT_PREFIX_CAUSAL ? 0.5 : 1.0);
    if (c->heads.kind == PCT_HEADS_RES) { /* the grid at itself twice and at the language model's image tokens */
        work->region += 4.0 * c->heads.mask_width * g->cells * (2 * g->cells + g->tokens);
        return;
    }
    if (c->language.regions == PCT_REGIONS_TEXT) return; /* no heads */
    /* queries look at the grid and, when there are several, the grid at them; half the width inside */
    double both = c->heads.mask_queries > 1 ? 2.0 : 1.0;
    work->region +=
        4.0 * c->heads.mask_queries * g->fine * (c->heads.mask_width / 2.0) * (both * c->heads.mask_layers + 1.0);
}

pct_bench_work pct_bench_count(pct_model *model) {
    const pct_model_config *c = pct_model_get_config(model);
    const pct_parameters *set = pct_model_get_parameters(model);
    const bool sees = c->kind != PCT_MODEL_LANGUAGE;
    const grids g = sees ? make_grids(c) : (grids){0};
    pct_bench_work work = {.row_attention = 4.0 * c->language.width * c->language.layers};
    for (size_t i = 0; i < set->count; i++) {
        const pct_parameter *parameter = set->list[i];
        const pct_tensor *tensor = &parameter->tensor;
        work.parameters += pct_tensor_count(tensor);
        bool weight = tensor->rank >= 2 && strstr(parameter->name, ".weight");
        if (!weight || strstr(parameter->name, "position_embd")) continue;
        double once = 2.0 * (double)pct_tensor_count(tensor);
        size_t row = 0;
        pct_dtype_row_bytes(tensor->type, pct_tensor_width(tensor), &row);
        double stored = pct_dtype_block(tensor->type) > 1 ? once : 0;
        double bytes = (double)pct_tensor_rows(tensor) * (double)row;
        double seen = encoder_rows(parameter->name, &g, c), met = region_rows(parameter->name, &g, c);
        if (strcmp(parameter->name, c->language.tied ? "token_embd.weight" : "output.weight") == 0) {
            work.output = once;
            work.output_stored = stored;
            work.output_bytes = bytes;
        } else if (begins(parameter->name, "blk.")) {
            work.row += once;
            work.row_stored += stored;
            work.row_bytes += bytes;
        } else if (seen > 0) {
            work.encode += once * seen;
            work.encode_stored += stored * seen;
            work.encode_bytes += bytes;
        } else if (met > 0) {
            work.region += once * met;
            work.region_stored += stored * met;
            work.region_bytes += bytes;
        }
    }
    if (!sees) return work;
    work.encode += work.row * (g.tokens + 1);
    work.encode_stored += work.row_stored * (g.tokens + 1);
    add_attention(&work, &g, c);
    return work;
}
