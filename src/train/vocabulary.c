/* vocabulary.c: a fresh run's tokenizer, and which of its tokens name things. See trainer.h. */
#include "base/size.h"
#include "tokenizer/template.h"
#include "train/trainer.h"

#include <stdlib.h>
#include <string.h>

#define PICTURES   3000  /* whose texts are counted; small ones, since only the words matter */
#define MOST_LINES 50000 /* of a data set folder */
#define SIDE       128
#define QUESTIONS  12
#define PER_NAME   30 /* a name counts as often as if it were met so many times */

/* Adds a text without its marks, which are tokens of their own. */
static percept_status add_text(pct_bpe_trainer *trainer, const char *text, percept_error *error) {
    static const char *const marks[] = {"<p>", "</p>", "<obj>"};
    const char *begin = text;
    for (const char *c = text;; c++) {
        size_t mark = 0;
        for (size_t i = 0; *c == '<' && i < 3; i++) {
            if (strncmp(c, marks[i], strlen(marks[i])) == 0) mark = strlen(marks[i]);
        }
        if (!mark && *c) continue;
        if (c > begin) PCT_TRY(pct_bpe_trainer_add(trainer, begin, (size_t)(c - begin), 1, error));
        if (!*c) return PERCEPT_OK;
        begin = c + mark;
        c = begin - 1;
    }
}

static percept_status add_samples(pct_trainer *trainer, pct_bpe_trainer *bpe, percept_error *error) {
    pct_feed feed = pct_trainer_feed(trainer, PCT_SPLIT_TRAINING, trainer->config.run.seed ^ 0x746f6bu, PICTURES);
    feed.request.width = feed.request.height = SIDE;
    feed.request.questions = QUESTIONS;
    feed.request.plain = true;
    percept_status status = PERCEPT_OK;
    pct_arena arena;
    pct_arena_init(&arena, 0);
    int64_t pictures = feed.dataset ? pct_min_i64(feed.count, MOST_LINES) : PICTURES;
    feed.draw = false;
    for (int64_t i = 0; i < pictures && status == PERCEPT_OK; i++) {
        pct_sample sample;
        pct_arena_reset(&arena);
        status = pct_feed_get(&feed, i, true, &arena, &sample, error);
        for (int32_t t = 0; status == PERCEPT_OK && t < sample.turn_count; t++) {
            status = add_text(bpe, sample.turns[t].question, error);
            if (status == PERCEPT_OK) status = add_text(bpe, sample.turns[t].answer, error);
        }
    }
    pct_arena_free(&arena);
    return status;
}

static percept_status add_names(pct_trainer *trainer, pct_bpe_trainer *bpe, percept_error *error) {
    pct_text text = {0};
    percept_status status = PERCEPT_OK;
    pct_feed feed = pct_trainer_feed(trainer, PCT_SPLIT_TRAINING, 0, 0);
    int32_t count = pct_feed_names(&feed);
    for (int32_t i = 0; i < count && status == PERCEPT_OK; i++) {
        pct_text_clear(&text);
        pct_text_printf(&text, " %s", pct_feed_name(&feed, i));
        status = text.failed ? pct_fail_memory(error, "names")
                             : pct_bpe_trainer_add(bpe, text.data, text.length, PER_NAME, error);
    }
    pct_text_free(&text);
    return status;
}

percept_status pct_trainer_tokenizer(pct_trainer *trainer, pct_tokenizer **tokenizer, percept_error *error) {
    pct_bpe_train_options options = pct_template_train_options(trainer->config.model.language.vocabulary);
    pct_bpe_trainer *bpe = NULL;
    PCT_TRY(pct_bpe_trainer_create(&bpe, &options, error));
    percept_status status = add_samples(trainer, bpe, error);
    if (status == PERCEPT_OK) status = add_names(trainer, bpe, error);
    if (status == PERCEPT_OK) status = pct_bpe_trainer_finish(bpe, tokenizer, error);
    pct_bpe_trainer_destroy(&bpe);
    return status;
}

/* One name and, near enough, many of it: tokens that may be told from what the picture shows. */
static percept_status encode_name(const pct_tokenizer *tokenizer, const char *name, pct_text *text,
                                  pct_token_scratch *scratch, pct_ids *ids, percept_error *error) {
    for (int many = 0; many < 2; many++) {
        pct_text_clear(text);
        pct_text_printf(text, many ? " %ss" : " %s", name);
        if (text->failed) return pct_fail_memory(error, "names");
        PCT_TRY(pct_tokenizer_encode(tokenizer, scratch, text->data, text->length, 0, ids, error));
    }
    return PERCEPT_OK;
}

percept_status pct_trainer_names(pct_trainer *trainer, bool fresh, percept_error *error) {
    const pct_tokenizer *tokenizer = pct_model_get_tokenizer(trainer->model);
    pct_feed feed = pct_trainer_feed(trainer, PCT_SPLIT_TRAINING, 0, 0);
    pct_token_scratch scratch = {0};
    pct_text text = {0};
    pct_ids ids = {0};
    percept_status status = PERCEPT_OK;
    for (int32_t i = 0; i < pct_feed_names(&feed) && status == PERCEPT_OK; i++)
        status = encode_name(tokenizer, pct_feed_name(&feed, i), &text, &scratch, &ids, error);
    if (status == PERCEPT_OK)
        (fresh ? pct_model_begin_names : pct_model_add_names)(trainer->model, ids.data, (int64_t)ids.count);
    free(ids.data);
    pct_token_scratch_free(&scratch);
    pct_text_free(&text);
    return status;
}
