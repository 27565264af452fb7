/* make_model: writes tiny models whose answers are known beforehand, for the tests of the engine and the command line.
 *
 * usage: make_model OUT.gguf SCRIPT
 *
 * Every weight is random but for the language model, whose layers add nothing and whose output matrix is a table of
 * what follows what: so the words of an answer are the script's, token by token, while regions, masks and scores go
 * the real way. Scripts are in `scripts` below. */
#include "model/model.h"
#include "model/spelling.h"
#include "tokenizer/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct script {
    const char *name, *text;       /* what follows <assistant>; marks are special tokens */
    bool ends;                     /* else it begins again */
    enum pct_regions_mode regions; /* of the model that says it */
    int vertices;
} script;

/* With regions in text no token may stand twice. */
#define TOLD "It is here: <p>red cup</p><bin_2><bin_4><bin_20><bin_30>"
#define BOTH "It is here: <p>red cup</p><obj><bin_2><bin_4><bin_20><bin_30>"
#define RING "<poly><bin_3><bin_5><bin_21><bin_6><bin_22><bin_31>"

static const script scripts[] = {
    {"found", "It is here: <p>red cup</p><obj>.", true},
    {"many", "Look: <p>red cup</p><obj> near", false}, /* again and again, a region each time */
    {"absent", "There is no cup.", true},
    {"endless", " red blue", false},
    {"unbalanced", "It is <p>red cup.", true},
    {"plain", "Here<obj>.", true},
    {"told", TOLD RING "</poly>.", true, PCT_REGIONS_TEXT, 6},
    {"open", TOLD RING, true, PCT_REGIONS_TEXT, 6},                                                 /* never closed */
    {"odd", TOLD "<poly><bin_3><bin_5><bin_21><bin_6><bin_22></poly>.", true, PCT_REGIONS_TEXT, 6}, /* half a vertex */
    {"bare", TOLD " near", true, PCT_REGIONS_TEXT, 6},                                              /* no polygon */
    {"boxes", TOLD ".", true, PCT_REGIONS_TEXT, 0},
    {"both", BOTH RING "</poly>.", true, PCT_REGIONS_BOTH, 6},
    {"torn", BOTH " near", true, PCT_REGIONS_BOTH, 6},
};

static void check(percept_status status, const percept_error *error) {
    if (status == PERCEPT_OK) return;
    fprintf(stderr, "make_model: %s\n", error->message);
    exit(1);
}

/* Every word of the scripts becomes one token, so that no token stands twice in a script. */
static pct_tokenizer *make_tokenizer(const pct_model_config *config) {
    static const char *const words[] = {"It",   " is",  " here", "Look", " red",  "red",  " cup", " blue",
                                        "blue", " dog", "There", " no",  " near", "Here", "cup"};
    percept_error error = {0};
    pct_bpe_trainer *trainer = NULL;
    pct_tokenizer *tokenizer = NULL;
    const pct_bpe_train_options options = pct_template_train_options(320);
    check(pct_bpe_trainer_create(&trainer, &options, &error), &error);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        check(pct_bpe_trainer_add(trainer, words[i], strlen(words[i]), 100, &error), &error);
    }
    check(pct_bpe_trainer_finish(trainer, &tokenizer, &error), &error);
    pct_bpe_trainer_destroy(&trainer);
    check(pct_spelling_extend(&tokenizer, config, &error), &error);
    return tokenizer;
}

static pct_model_config tiny(const script *s) {
    pct_model_config c;
    pct_model_config_default(&c);
    c.image.side = 64;
    c.vision.stem_width = 16;
    c.vision.stem_blocks = 1;
    c.vision.width = 32;
    c.vision.layers = 2;
    c.vision.heads = 2;
    c.vision.mlp = 64;
    if (s->regions != PCT_REGIONS_TOKEN) {
        c.language.regions = s->regions;
        c.language.bins = 32;
        c.language.vertices = s->vertices;
    }
    if (s->regions == PCT_REGIONS_TEXT) c.language.copying = c.heads.quality = 0;
    c.language.width = 128;
    c.language.layers = 2;
    c.language.heads = 2;
    c.language.kv_heads = 1;
    c.language.mlp = 64;
    c.language.context = 256;
    c.language.tied = 0;
    c.heads.box_width = 32;
    c.heads.mask_width = 32;
    c.heads.mask_heads = 2;
    c.heads.mask_mlp = 32;
    c.heads.mask_encoder_side = 32;
    c.heads.mask_encoder_width = 8;
    return c;
}

static pct_tensor *weight(pct_model *model, const char *name) {
    pct_parameter *found = pct_parameters_find(pct_model_get_parameters(model), name);
    if (!found) {
        fprintf(stderr, "make_model: no tensor %s\n", name);
        exit(1);
    }
    return &found->tensor;
}

static void clear(pct_model *model, const char *name) {
    pct_tensor *tensor = weight(model, name);
    memset(pct_tensor_data(tensor), 0, (size_t)pct_tensor_count(tensor) * sizeof(pct_real));
}

/* What a token looks like when the output reads it: its embedding, or for <obj> what the box encoder always says. */
static const pct_real *looks(pct_model *model, int32_t id, int32_t object) {
    int64_t width = pct_tensor_width(weight(model, "token_embd.weight"));
    if (id == object) return pct_tensor_data(weight(model, "percept.box_encoder.2.bias"));
    return pct_tensor_data(weight(model, "token_embd.weight")) + id * width;
}

static void say_after(pct_model *model, int32_t before, int32_t after, int32_t object) {
    pct_tensor *output = weight(model, "output.weight");
    int64_t width = pct_tensor_width(output);
    const pct_real *from = looks(model, before, object);
    pct_real *row = pct_tensor_data(output) + after * width;
    for (int64_t i = 0; i < width; i++) row[i] += from[i];
}

static void teach(pct_model *model, const script *s) {
    percept_error error = {0};
    const pct_tokenizer *tokenizer = pct_model_get_tokenizer(model);
    pct_random random;
    pct_random_init(&random, 5, 0, 0);
    clear(model, "blk.0.attn_output.weight");
    clear(model, "blk.1.attn_output.weight");
    clear(model, "blk.0.ffn_down.weight");
    clear(model, "blk.1.ffn_down.weight");
    clear(model, "output.weight");
    pct_tensor *embedding = weight(model, "token_embd.weight");
    for (int64_t i = 0; i < pct_tensor_count(embedding); i++) {
        pct_tensor_data(embedding)[i] = (pct_real)pct_random_normal(&random);
    }
    const bool encodes = pct_model_get_config(model)->language.regions != PCT_REGIONS_TEXT;
    if (encodes) clear(model, "percept.box_encoder.2.weight");
    pct_tensor *bias = encodes ? weight(model, "percept.box_encoder.2.bias") : NULL;
    for (int64_t i = 0; bias && i < pct_tensor_count(bias); i++) {
        pct_tensor_data(bias)[i] = (pct_real)pct_random_normal(&random);
    }
    pct_ids ids = {0};
    pct_token_scratch scratch = {0};
    check(pct_tokenizer_encode(tokenizer, &scratch, s->text, strlen(s->text), PCT_TOKENIZE_SPECIAL, &ids, &error),
          &error);
    int32_t object = pct_tokenizer_special(tokenizer, "<obj>");
    int32_t last = pct_tokenizer_special(tokenizer, "<assistant>");
    for (size_t i = 0; i < ids.count; i++) {
        say_after(model, last, ids.data[i], object);
        last = ids.data[i];
    }
    say_after(model, last, s->ends ? pct_tokenizer_eos(tokenizer) : ids.data[0], object);
    pct_ids_free(&ids);
    pct_token_scratch_free(&scratch);
}

int main(int argc, char **argv) {
    const script *s = NULL;
    for (size_t i = 0; argc == 3 && i < sizeof scripts / sizeof *scripts; i++) {
        if (strcmp(argv[2], scripts[i].name) == 0) s = &scripts[i];
    }
    if (!s) {
        fputs("usage: make_model OUT.gguf SCRIPT, of", stderr);
        for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) fprintf(stderr, " %s", scripts[i].name);
        fputs("\n", stderr);
        return 2;
    }
    percept_error error = {0};
    pct_model_config config = tiny(s);
    pct_tokenizer *tokenizer = make_tokenizer(&config);
    config.language.vocabulary = pct_tokenizer_size(tokenizer);
    pct_model *model = NULL;
    check(pct_model_create(&model, &config, tokenizer, 11, &error), &error);
    teach(model, s);
    const pct_model_card card = {.name = "tiny",
                                 .version = "1",
                                 .description = "says what it was told to say",
                                 .domain = "tests alone",
                                 .licence = "MIT",
                                 .provenance = "make_model"};
    check(pct_model_set_card(model, &card, &error), &error);
    check(pct_model_save(model, argv[1], PCT_Q8_0, NULL, &error), &error);
    pct_model_close(&model);
    return 0;
}
