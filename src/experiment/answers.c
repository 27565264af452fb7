/* answers.c: how long answers take with 1, 2, 4, ... objects, for ways of writing regions.
 *
 * Time depends on what is said, not on whether it is true: models of random weights are made to say the same answers
 * about the same objects of composed scenes (pct_prompt.forced), each in its own way of writing regions, through the
 * code that answers always go through. From the question to the last mask; the picture is encoded before. As in
 * calibrate.c the ways take turns, so that what else the machine does falls on all alike; medians are kept. */
#include "base/clock.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/size.h"
#include "data/batch.h"
#include "data/scene.h"
#include "experiment/experiment_private.h"
#include "experiment/machine.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_MODES   12
#define MOST_OBJECTS 32
#define MOST_SCENES  400 /* to find so many objects in */
#define SCENE_SEED   1
#define CONTEXT      2048 /* 32 polygons of 20 vertices are about 1,700 tokens */
#define ROUNDS       5

static const int32_t counts[] = {1, 2, 4, 8, 16, MOST_OBJECTS};
static const int32_t thread_counts[] = {1, 2};
enum { COUNTS = PCT_COUNT(counts), THREADS = PCT_COUNT(thread_counts), BOXES = 0, MASKS = 1, KINDS = 2 };
/* How the objects are told: each by a name of its own, as in descriptions; all behind one name. */
enum { NAMED, LISTED, FORMS };
static const char *const form_names[FORMS] = {"named", "listed"};

/* A prescribed answer with its question. */
struct forced {
    pct_prompt prompt;
    int32_t tokens, region_tokens; /* as the reply counts them */
};

struct mode {
    const char *series;
    uint64_t config; /* hash of its settings */
    char *path;      /* of its model, while it is measured */
    pct_model *model;
    pct_state *state;
    struct forced answers[FORMS][COUNTS];
    bool masks; /* it tells masks at all */
    double wall[FORMS][THREADS][COUNTS][KINDS][ROUNDS], cpu[FORMS][THREADS][COUNTS][KINDS][ROUNDS];
};

struct measurement {
    pct_experiment *experiment;
    struct mode modes[MOST_MODES];
    int mode_count, rounds;
    pct_arena arena;  /* the crowd and the answers */
    pct_sample crowd; /* MOST_OBJECTS objects; its turns: a question for each form and each of `counts` */
    pct_real *pixels; /* as the models want them; one side for all */
    int32_t side;     /* theirs */
    pct_pool *pool;
    pct_compute *compute;
    pct_meter meter;
    int64_t done;
};

static percept_status advance(struct measurement *m, const char *message, percept_error *error) {
    if (!pct_meter_update(&m->meter, ++m->done, message)) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_INTERRUPTED, "interrupted while answers were measured; nothing is written");
}

/* ---- what is asked ---------------------------------------------------------------------------------------------- */

/* Objects of one scene join the crowd: their masks apart, for they may overlap there; their names outlive the source.
 */
static percept_status join(struct measurement *m, const pct_sample *scene, percept_error *error) {
    pct_sample *crowd = &m->crowd;
    const size_t pixels = (size_t)scene->image.width * (size_t)scene->image.height;
    for (int32_t i = 0; i < scene->object_count && crowd->object_count < MOST_OBJECTS; i++) {
        if (!scene->objects[i].asked) continue;
        uint8_t *mask = pct_arena_take(&m->arena, pixels);
        if (!mask) return pct_fail_memory(error, "masks");
        pct_sample_mask(scene, i, mask);
        pct_object *object = &crowd->objects[crowd->object_count++];
        *object = scene->objects[i];
        object->mask = mask;
        object->text = pct_arena_text(&m->arena, object->text, strlen(object->text));
        if (!object->text) return pct_fail_memory(error, "names");
    }
    return PERCEPT_OK;
}

static percept_status gather(struct measurement *m, const pct_scene_options *scenes, percept_error *error) {
    pct_scene_source *source = NULL;
    const int32_t side = (int32_t)pct_max_i64(m->side, 64);
    const pct_scene_request request = {.width = side, .height = side, .questions = 1, .objects_max = 8};
    m->crowd.objects = pct_arena_take_zeroed(&m->arena, MOST_OBJECTS, sizeof *m->crowd.objects);
    if (!m->crowd.objects) return pct_fail_memory(error, "objects");
    PCT_TRY(pct_scene_source_open(&source, scenes, error));
    percept_status status = PERCEPT_OK;
    for (uint64_t i = 0; i < MOST_SCENES && m->crowd.object_count < MOST_OBJECTS && status == PERCEPT_OK; i++) {
        pct_sample scene;
        status = pct_scene_compose(source, PCT_SPLIT_ARRANGEMENTS, SCENE_SEED, i, &request, &m->arena, &scene, error);
        if (status == PERCEPT_OK && i == 0) m->crowd.image = scene.image;
        if (status == PERCEPT_OK && i == 0) m->crowd.owner = scene.owner;
        if (status == PERCEPT_OK) status = join(m, &scene, error);
    }
    pct_scene_source_close(&source);
    if (status == PERCEPT_OK && m->crowd.object_count < MOST_OBJECTS)
        status = pct_fail(error, PERCEPT_ERROR_INPUT, "%d scenes have fewer than %d objects to ask about", MOST_SCENES,
                          MOST_OBJECTS);
    return status;
}

/* An answer about the crowd's first `count` objects, in the words that scenes are described and told with. */
static void say(const pct_sample *crowd, int form, int32_t count, pct_text *answer) {
    if (form == LISTED) {
        pct_text_printf(answer, "They are here: <p>the %s</p>", crowd->objects[0].text);
        for (int32_t i = 0; i < count; i++) pct_text_puts(answer, "<obj>");
    } else {
        for (int32_t i = 0; i < count; i++)
            pct_text_printf(answer, "%s<p>a %s</p><obj>", i ? ", " : "There is ", crowd->objects[i].text);
    }
    pct_text_puts(answer, ".");
}

/* A turn for each form and each of `counts`. */
static percept_status ask(struct measurement *m, percept_error *error) {
    pct_sample *crowd = &m->crowd;
    uint8_t *all = pct_arena_take(&m->arena, MOST_OBJECTS);
    crowd->turns = pct_arena_take_zeroed(&m->arena, (size_t)FORMS * COUNTS, sizeof *crowd->turns);
    if (!crowd->turns || !all) return pct_fail_memory(error, "questions");
    for (uint8_t i = 0; i < MOST_OBJECTS; i++) all[i] = i;
    for (int i = 0; i < FORMS * COUNTS; i++) {
        pct_text answer = {0};
        say(crowd, i / COUNTS, counts[i % COUNTS], &answer);
        const char *kept = answer.failed ? NULL : pct_arena_text(&m->arena, answer.data, answer.length);
        pct_text_free(&answer);
        if (!kept) return pct_fail_memory(error, "questions");
        crowd->turns[crowd->turn_count++] = (pct_turn){.task = PCT_TASK_DESCRIBE,
                                                       .question = "what is in the picture?",
                                                       .answer = kept,
                                                       .target = "",
                                                       .regions_out = all,
                                                       .out_count = (uint8_t)counts[i % COUNTS],
                                                       .follows = -1};
    }
    return PERCEPT_OK;
}

/* A packed segment as a question and the ids that its answer wants. */
static percept_status split(struct measurement *m, const pct_batch *batch, const pct_batch_segment *segment,
                            struct forced *out, percept_error *error) {
    const int32_t *targets = batch->targets + segment->row;
    int32_t asked = 0, count;
    while (asked < segment->count && targets[asked] < 0) asked++;
    for (count = 0; asked + count < segment->count && targets[asked + count] >= 0;) count++;
    int32_t *ids = pct_arena_take(&m->arena, ((size_t)asked + 1 + (size_t)count) * sizeof *ids);
    if (!ids) return pct_fail_memory(error, "answers");
    memcpy(ids, batch->ids + segment->row, ((size_t)asked + 1) * sizeof *ids);
    memcpy(ids + asked + 1, targets + asked, (size_t)count * sizeof *ids);
    out->prompt = (pct_prompt){.ids = ids, .count = asked + 1, .forced = ids + asked + 1, .forced_count = count};
    return PERCEPT_OK;
}

/* The crowd's answers as this mode is taught to give them. */
static percept_status write_answers(struct measurement *m, struct mode *mode, percept_error *error) {
    const pct_model_config *config = pct_model_get_config(mode->model);
    const pct_batcher_options options = {.object_weight = 1};
    pct_batcher *batcher = NULL;
    pct_batch batch;
    pct_arena work;
    pct_arena_init(&work, 0);
    percept_status status =
        pct_batcher_create(&batcher, config, pct_model_get_tokenizer(mode->model), &options, NULL, 0, m->pool, error);
    if (status == PERCEPT_OK) status = pct_batcher_make(batcher, &m->crowd, 1, 0, 0, &work, &batch, error);
    if (status == PERCEPT_OK && batch.segment_count != FORMS * COUNTS)
        status = pct_fail(error, PERCEPT_ERROR_INPUT, "%s: an answer of %d objects does not fit %d tokens",
                          mode->series, MOST_OBJECTS, CONTEXT);
    for (int i = 0; i < FORMS * COUNTS && status == PERCEPT_OK; i++)
        status = split(m, &batch, &batch.segments[i], &mode->answers[i / COUNTS][i % COUNTS], error);
    if (status == PERCEPT_OK && !m->pixels) {
        const size_t size = 3 * (size_t)m->side * (size_t)m->side * sizeof *m->pixels;
        m->pixels = pct_arena_take(&m->arena, size);
        if (m->pixels) memcpy(m->pixels, batch.pixels, size);
        if (!m->pixels) status = pct_fail_memory(error, "picture");
    }
    pct_batcher_destroy(&batcher);
    pct_arena_free(&work);
    return status;
}

/* ---- the models ------------------------------------------------------------------------------------------------- */

/* Writes the mode's untrained model; the first one's scenes are everybody's. */
static percept_status make_model(struct measurement *m, struct mode *mode, int run, percept_error *error) {
    const pct_experiment *experiment = m->experiment;
    pct_experiment_plan plan;
    pct_config reader = {0};
    pct_scene_options scenes;
    char name[96];
    snprintf(name, sizeof name, "answers-%.60s.gguf", mode->series);
    pct_train_config *config = malloc(sizeof *config);
    percept_status status = pct_experiment_plan_make(&plan, experiment, run, 0, error);
    mode->config = plan.config;
    mode->path = pct_path_join(experiment->runs, name);
    if (status == PERCEPT_OK && (!config || !mode->path)) status = pct_fail_memory(error, "model");
    if (status == PERCEPT_OK)
        status = pct_experiment_plan_untrained(&plan, &experiment->list.runs[run], CONTEXT, error);
    if (status == PERCEPT_OK)
        status = pct_train_config_load(config, &reader, plan.train.config, plan.settings, plan.count, error);
    if (status == PERCEPT_OK && !m->side) {
        m->side = config->model.image.side;
        status = pct_train_scene_options(config, &scenes, error);
        if (status == PERCEPT_OK) status = gather(m, &scenes, error);
        if (status == PERCEPT_OK) status = ask(m, error);
    }
    if (status == PERCEPT_OK && config->model.image.side != m->side)
        status = pct_fail(error, PERCEPT_ERROR_INPUT, "run '%s': has pictures of %d pixels, the others of %d",
                          experiment->list.runs[run].name, config->model.image.side, m->side);
    if (status == PERCEPT_OK) status = pct_train_begin(&plan.train, mode->path, PCT_Q8_0, error);
    pct_config_free(&reader);
    pct_experiment_plan_free(&plan);
    free(config);
    return status == PERCEPT_OK ? advance(m, mode->series, error) : status;
}

static void close_models(struct measurement *m) {
    for (int i = 0; i < m->mode_count; i++) {
        pct_state_destroy(&m->modes[i].state);
        pct_model_close(&m->modes[i].model);
    }
    pct_compute_destroy(&m->compute);
    pct_pool_destroy(&m->pool);
}

/* All of them on so many threads, the picture encoded, as `ask` would have it. */
static percept_status open_models(struct measurement *m, int threads, percept_error *error) {
    PCT_TRY(pct_pool_create(&m->pool, threads, error));
    PCT_TRY(pct_compute_create(&m->compute, m->pool, pct_cpu_flags() & m->experiment->options->cpu_mask, error));
    pct_compute_use_int8(m->compute);
    for (int i = 0; i < m->mode_count; i++) {
        struct mode *mode = &m->modes[i];
        PCT_TRY(pct_model_open(&mode->model, mode->path, false, error));
        const pct_model_config *config = pct_model_get_config(mode->model);
        mode->masks = config->language.regions != PCT_REGIONS_TEXT || config->language.vertices > 0;
        if (!mode->answers[0][0].prompt.ids) PCT_TRY(write_answers(m, mode, error));
        PCT_TRY(pct_state_create(&mode->state, mode->model, m->compute, error));
        PCT_TRY(pct_state_encode(mode->state, m->pixels, error));
    }
    return PERCEPT_OK;
}

/* ---- measuring -------------------------------------------------------------------------------------------------- */

/* Where a time belongs. */
struct place {
    int form, threads, count, kind, round; /* round -1 does not count */
};

static percept_status answer(struct mode *mode, struct place at, percept_error *error) {
    struct forced *forced = &mode->answers[at.form][at.count];
    const pct_answer_options options = {.max_tokens = forced->prompt.forced_count, .masks = at.kind == MASKS};
    pct_reply reply;
    const double wall = pct_clock_seconds(), cpu = pct_clock_cpu_seconds();
    PCT_TRY(pct_state_answer(mode->state, &forced->prompt, 1, &options, &reply, error));
    if (at.round >= 0) {
        mode->wall[at.form][at.threads][at.count][at.kind][at.round] = pct_clock_seconds() - wall;
        mode->cpu[at.form][at.threads][at.count][at.kind][at.round] = pct_clock_cpu_seconds() - cpu;
    }
    if (reply.finish != PCT_FINISH_STOP || reply.region_count != counts[at.count])
        return pct_fail(error, PERCEPT_ERROR_WORK, "%s: of the %d objects it was made to tell, %d came back",
                        mode->series, counts[at.count], reply.region_count);
    forced->tokens = reply.tokens;
    forced->region_tokens = reply.region_tokens;
    return PERCEPT_OK;
}

/* Every way once, with boxes and with masks; which of the two comes first takes turns too. */
static percept_status measure_round(struct measurement *m, struct place at, percept_error *error) {
    for (int i = 0; i < m->mode_count; i++) {
        const int kinds = m->modes[i].masks ? KINDS : MASKS;
        for (int k = 0; k < kinds; k++) {
            at.kind = at.round % 2 ? kinds - 1 - k : k;
            PCT_TRY(answer(&m->modes[i], at, error));
        }
        PCT_TRY(advance(m, NULL, error));
    }
    return PERCEPT_OK;
}

static percept_status measure_threads(struct measurement *m, int threads, percept_error *error) {
    struct place at = {.threads = threads};
    PCT_TRY(open_models(m, thread_counts[threads], error));
    for (at.form = 0; at.form < FORMS; at.form++)
        for (at.count = 0; at.count < COUNTS; at.count++)
            for (at.round = -1; at.round < m->rounds; at.round++) PCT_TRY(measure_round(m, at, error));
    return PERCEPT_OK;
}

/* ---- the file --------------------------------------------------------------------------------------------------- */

static json_t *kind_json(struct mode *mode, int form, int t, int kind, int rounds) {
    if (kind == MASKS && !mode->masks) return json_null();
    json_t *wall = json_array(), *cpu = json_array();
    for (int c = 0; c < COUNTS; c++) {
        json_array_append_new(wall, json_real(pct_experiment_median(mode->wall[form][t][c][kind], rounds)));
        json_array_append_new(cpu, json_real(pct_experiment_median(mode->cpu[form][t][c][kind], rounds)));
    }
    return json_pack("{s:o, s:o}", "seconds", wall, "cpu_seconds", cpu);
}

static json_t *form_json(struct mode *mode, int form, int rounds) {
    const struct forced *answers = mode->answers[form];
    json_t *tokens = json_array(), *threads = json_object();
    char key[20];
    for (int c = 0; c < COUNTS; c++) json_array_append_new(tokens, json_integer(answers[c].tokens));
    for (int t = 0; t < THREADS; t++) {
        snprintf(key, sizeof key, "%d", thread_counts[t]);
        json_object_set_new(threads, key,
                            json_pack("{s:o, s:o}", "boxes", kind_json(mode, form, t, BOXES, rounds), "masks",
                                      kind_json(mode, form, t, MASKS, rounds)));
    }
    return json_pack("{s:o, s:f, s:o}", "tokens", tokens, "tokens_per_object",
                     (double)answers[COUNTS - 1].region_tokens / counts[COUNTS - 1], "threads", threads);
}

static json_t *mode_json(struct mode *mode, int rounds) {
    char hash[20];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)mode->config);
    json_t *object = json_pack("{s:s}", "config", hash);
    for (int f = 0; f < FORMS; f++) json_object_set_new(object, form_names[f], form_json(mode, f, rounds));
    return object;
}

static percept_status write_file(struct measurement *m, percept_error *error) {
    json_t *modes = json_object(), *objects = json_array();
    for (int c = 0; c < COUNTS; c++) json_array_append_new(objects, json_integer(counts[c]));
    for (int i = 0; i < m->mode_count; i++)
        json_object_set_new(modes, m->modes[i].series, mode_json(&m->modes[i], m->rounds));
    json_t *root = json_pack("{s:i, s:o, s:i, s:o, s:o}", "schema", PCT_EXPERIMENT_SCHEMA, "machine",
                             pct_machine_describe(thread_counts[THREADS - 1], m->experiment->options->cpu_mask),
                             "rounds", m->rounds, "objects", objects, "modes", modes);
    const percept_status status = pct_experiment_write_json(m->experiment->answers, root, error);
    json_decref(root);
    return status;
}

/* ---- all of it -------------------------------------------------------------------------------------------------- */

/* The first run of every series that is meant. */
static percept_status choose(struct measurement *m, int *runs, percept_error *error) {
    const pct_experiment *experiment = m->experiment;
    for (int i = 0; i < experiment->list.count; i++) {
        const pct_experiment_run *run = &experiment->list.runs[i];
        const bool meant = experiment->options->only_count ? experiment->wanted[i] : strcmp(run->group, "main") == 0;
        if (!meant || !run->judge || pct_experiment_series(experiment, i) != i) continue;
        if (m->mode_count == MOST_MODES)
            return pct_fail(error, PERCEPT_ERROR_USAGE, "answers of more than %d series at once", MOST_MODES);
        runs[m->mode_count] = i;
        m->modes[m->mode_count++].series = run->series;
    }
    if (m->mode_count) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_USAGE, "%s/list.yaml: no series of the group 'main'; name some that answer",
                    experiment->list.folder);
}

static percept_status measure(struct measurement *m, percept_error *error) {
    int runs[MOST_MODES];
    PCT_TRY(choose(m, runs, error));
    PCT_TRY(pct_make_directory(m->experiment->runs, error));
    pct_meter_start(&m->meter, pct_experiment_progress, m->experiment, "measure", "answer", 0,
                    (int64_t)m->mode_count * (1 + FORMS * THREADS * COUNTS * (m->rounds + 1)));
    for (int i = 0; i < m->mode_count; i++) PCT_TRY(make_model(m, &m->modes[i], runs[i], error));
    for (int t = 0; t < THREADS; t++) {
        PCT_TRY(measure_threads(m, t, error));
        close_models(m);
    }
    return write_file(m, error);
}

percept_status pct_experiment_answers(const pct_experiment_options *options, percept_progress_fn *progress,
                                      void *context, percept_error *error) {
    pct_experiment *experiment = calloc(1, sizeof *experiment);
    struct measurement *m = calloc(1, sizeof *m);
    percept_status status =
        experiment && m ? pct_experiment_open(experiment, options, error) : pct_fail_memory(error, "experiment");
    if (status == PERCEPT_OK) {
        experiment->progress = progress;
        experiment->context = context;
        experiment->doing = "answers";
        m->experiment = experiment;
        m->rounds = options->minutes > 0 ? 1 : ROUNDS;
        pct_arena_init(&m->arena, 0);
        int lock = -1;
        status = pct_experiment_lock_measuring(experiment, &lock, error);
        if (status == PERCEPT_OK) status = measure(m, error);
        if (lock >= 0) close(lock);
        close_models(m);
        for (int i = 0; i < m->mode_count; i++) {
            if (m->modes[i].path) unlink(m->modes[i].path);
            free(m->modes[i].path);
        }
        pct_arena_free(&m->arena);
    }
    if (experiment) pct_experiment_close(experiment);
    free(m);
    free(experiment);
    return status;
}
