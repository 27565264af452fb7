/* chat.c: see chat.h. Turns are put together as one text with marks where special tokens stand, then encoded at once:
 * words join across the borders of turns just as they do where the models' own templates make one text. */
#include "tokenizer/chat.h"

#include "base/size.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SPECIALS 5

/* Texts may hold special tokens; only those of `specials` are meant as such. */
struct pct_chat_format {
    const char *name;
    const char *system; /* where none is given; NULL: no system turn then */
    const char *system_before, *system_after;
    const char *user_before, *user_after;
    const char *prompt;                             /* begins an answer that is to be generated */
    const char *assistant_before, *assistant_after; /* round an answer that is given */
    const char *specials[MAX_SPECIALS];             /* all needed */
    const char *ends[PCT_CHAT_MAX_ENDS];            /* end an answer, beside EOS */
    bool bos;                                       /* BOS comes first */
    bool bos_each;                                  /* and before every user turn */
    bool trim;                                      /* white space at both ends of a turn's text goes */
    bool system_in_user;                            /* the system text stands inside the first user turn */
    bool alone;                                     /* every turn is encoded for itself */
    bool alternates;                                /* user and assistant take turns */
};

#define IM_START "<|im_start|>"
#define IM_END   "<|im_end|>"
#define CHATML(title, text)                                                                                            \
    .name = title, .system = text, .system_before = IM_START "system\n", .system_after = IM_END "\n",                  \
    .user_before = IM_START "user\n", .user_after = IM_END "\n", .prompt = IM_START "assistant\n",                     \
    .assistant_before = IM_START "assistant\n", .assistant_after = IM_END "\n", .specials = {IM_START, IM_END},        \
    .ends = {IM_END, "<|endoftext|>"}
#define HEADER(role) "<|start_header_id|>" role "<|end_header_id|>\n\n"
#define LLAMA3(title)                                                                                                  \
    .name = title, .system_after = "<|eot_id|>", .user_before = HEADER("user"), .user_after = "<|eot_id|>",            \
    .prompt = HEADER("assistant"), .assistant_before = HEADER("assistant"), .assistant_after = "<|eot_id|>",           \
    .specials = {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}, .ends = {"<|eot_id|>", "<|end_of_text|>"}, \
    .bos = true, .trim = true

static const struct pct_chat_format formats[] = {
    {CHATML("chatml", NULL)},
    {CHATML("qwen2", "You are a helpful assistant.")},
    {CHATML("qwen2.5", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.")},
    {CHATML("smollm2", "You are a helpful AI assistant named SmolLM, trained by Hugging Face")},
    {CHATML(
         "internvl2.5",
         "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"),
     .alone = true},
    {LLAMA3("llama-3"), .system_before = HEADER("system")},
    {LLAMA3("llama-3.1"), .system = "",
     .system_before = HEADER("system") "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"},
    {.name = "llama-2",
     .system_before = "<<SYS>>\n",
     .system_after = "\n<</SYS>>\n\n",
     .user_before = "[INST] ",
     .user_after = " [/INST]",
     .prompt = "",
     .assistant_before = " ",
     .assistant_after = " </s>",
     .specials = {"</s>"},
     .ends = {"</s>"},
     .bos = true,
     .bos_each = true,
     .trim = true,
     .system_in_user = true,
     .alternates = true},
    {.name = "vicuna",
     .system = "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
               "detailed, and polite answers to the user's questions.",
     .system_before = "",
     .system_after = " ",
     .user_before = "USER: ",
     .user_after = " ",
     .prompt = "ASSISTANT:",
     .assistant_before = "ASSISTANT: ",
     .assistant_after = "</s>",
     .specials = {"</s>"},
     .ends = {"</s>"},
     .bos = true},
    {.name = "zephyr",
     .system_before = "<|system|>\n",
     .system_after = "</s>\n",
     .user_before = "<|user|>\n",
     .user_after = "</s>\n",
     .prompt = "<|assistant|>\n",
     .assistant_before = "<|assistant|>\n",
     .assistant_after = "</s>\n",
     .specials = {"</s>"},
     .ends = {"</s>"}},
    {.name = "phi-3",
     .system_before = "<|system|>\n",
     .system_after = "<|end|>\n",
     .user_before = "<|user|>\n",
     .user_after = "<|end|>\n",
     .prompt = "<|assistant|>\n",
     .assistant_before = "<|assistant|>\n",
     .assistant_after = "<|end|>\n",
     .specials = {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"},
     .ends = {"<|end|>", "<|endoftext|>"}},
};
#define NAMES "chatml, qwen2, qwen2.5, smollm2, internvl2.5, llama-3, llama-3.1, llama-2, vicuna, zephyr, phi-3"

const char *pct_chat_names(void) { return NAMES; }
const char *pct_chat_name(const pct_chat *chat) { return chat->format->name; }

static void add_end(pct_chat *chat, int32_t id) {
    if (id >= 0 && !pct_chat_ends(chat, id) && chat->end_count < PCT_CHAT_MAX_ENDS) chat->ends[chat->end_count++] = id;
}

percept_status pct_chat_init(pct_chat *chat, const char *name, const pct_tokenizer *tokenizer, percept_error *error) {
    *chat = (pct_chat){.tokenizer = tokenizer};
    for (size_t i = 0; i < PCT_COUNT(formats); i++)
        if (strcmp(formats[i].name, name) == 0) chat->format = &formats[i];
    if (!chat->format)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "chat template '%.80s' is not known; known are " NAMES, name);
    for (size_t i = 0; i < MAX_SPECIALS && chat->format->specials[i]; i++)
        if (pct_tokenizer_special(tokenizer, chat->format->specials[i]) < 0)
            return pct_fail(error, PERCEPT_ERROR_MODEL,
                            "the vocabulary lacks the special token %s of the chat template '%s'; name another with "
                            "--template (known: " NAMES ")",
                            chat->format->specials[i], name);
    for (size_t i = 0; i < PCT_CHAT_MAX_ENDS && chat->format->ends[i]; i++)
        add_end(chat, pct_tokenizer_special(tokenizer, chat->format->ends[i]));
    add_end(chat, pct_tokenizer_eos(tokenizer));
    return PERCEPT_OK;
}

bool pct_chat_ends(const pct_chat *chat, int32_t id) {
    for (int i = 0; i < chat->end_count; i++)
        if (chat->ends[i] == id) return true;
    return false;
}

/* ---- recognising ---- */

/* Each row: all of its marks stand in the text. The first row that fits tells. */
static const struct {
    const char *name, *marks[3];
} marks[] = {
    {"smollm2", {IM_START, "SmolLM"}},
    {"internvl2.5", {IM_START, "书生"}},
    {"internvl2.5", {IM_START, "InternVL"}},
    {"qwen2.5", {IM_START, "You are Qwen, created by Alibaba Cloud"}},
    {"qwen2", {IM_START, "You are a helpful assistant"}},
    {"chatml", {IM_START, IM_END}},
    {"llama-3.1", {"<|start_header_id|>", "Cutting Knowledge Date"}},
    {"llama-3", {"<|start_header_id|>", "<|eot_id|>"}},
    {"llama-2", {"[INST]", "<<SYS>>"}},
    {"phi-3", {"<|user|>", "<|end|>"}},
    {"zephyr", {"<|user|>", "<|assistant|>", "eos_token"}},
    {"vicuna", {"USER:", "ASSISTANT:"}},
};

/* Parts of names, small letters; the first that stands in the model's name tells. */
static const struct {
    const char *name, *part;
} models[] = {
    {"vicuna", "vicuna"},           {"vicuna", "perceptiongpt"}, {"smollm2", "smollm2"}, {"internvl2.5", "internvl2_5"},
    {"internvl2.5", "internvl2.5"}, {"internvl2.5", "mllmseg"},  {"qwen2.5", "qwen2.5"}, {"qwen2", "qwen2"},
    {"llama-3.1", "llama-3.1"},     {"llama-3.1", "llama-3.2"},  {"llama-3", "llama-3"}, {"llama-2", "llama-2"},
    {"zephyr", "tinyllama"},        {"zephyr", "zephyr"},        {"phi-3", "phi-3"},     {"phi-3", "phi3"},
};

percept_status pct_chat_recognise(const char **name, const char *template_text, const char *model_name,
                                  const char *architecture, percept_error *error) {
    *name = NULL;
    for (size_t i = 0; template_text && i < PCT_COUNT(marks) && !*name; i++) {
        bool all = true;
        for (size_t k = 0; k < 3 && marks[i].marks[k]; k++) all = all && strstr(template_text, marks[i].marks[k]);
        if (all) *name = marks[i].name;
    }
    const char *texts[] = {model_name, architecture};
    for (size_t t = 0; !template_text && t < PCT_COUNT(texts) && !*name; t++)
        for (size_t i = 0; texts[t] && i < PCT_COUNT(models) && !*name; i++)
            if (strcasestr(texts[t], models[i].part)) *name = models[i].name;
    if (*name) return PERCEPT_OK;
    return pct_fail(error, PERCEPT_ERROR_MODEL, "%s; give --template NAME (known: " NAMES ")",
                    template_text ? "the model's chat template is not one that percept knows"
                                  : "the model has no chat template");
}

/* ---- rendering ---- */

struct writer {
    const pct_chat *chat;
    pct_token_scratch *scratch;
    pct_text text;
    size_t *marks;
    size_t mark_count, mark_capacity;
    pct_ids *ids;
    percept_error *error;
    bool goes_on; /* the text that comes is not the beginning of one */
};

static percept_status add_mark(struct writer *writer, size_t offset) {
    if (writer->mark_count == writer->mark_capacity) {
        const size_t capacity = writer->mark_capacity ? 2 * writer->mark_capacity : 32;
        size_t *larger = realloc(writer->marks, capacity * sizeof *larger);
        if (!larger) return pct_fail_memory(writer->error, "a dialogue");
        writer->marks = larger;
        writer->mark_capacity = capacity;
    }
    writer->marks[writer->mark_count++] = offset;
    return PERCEPT_OK;
}

/* A text of the format, its special tokens marked. */
static percept_status add_format(struct writer *writer, const char *text) {
    const struct pct_chat_format *format = writer->chat->format;
    for (size_t at = 0; text[at]; at++)
        for (size_t i = 0; i < MAX_SPECIALS && format->specials[i]; i++)
            if (strncmp(text + at, format->specials[i], strlen(format->specials[i])) == 0)
                PCT_TRY(add_mark(writer, writer->text.length + at));
    pct_text_puts(&writer->text, text);
    return PERCEPT_OK;
}

/* What was gathered becomes ids. */
static percept_status flush(struct writer *writer) {
    const unsigned flags = writer->goes_on && !writer->chat->format->alone ? PCT_TOKENIZE_GOES_ON : 0;
    if (writer->text.failed) return pct_fail_memory(writer->error, "a dialogue");
    if (!writer->text.length) return PERCEPT_OK;
    writer->goes_on = true;
    PCT_TRY(pct_tokenizer_encode_marked(writer->chat->tokenizer, writer->scratch, writer->text.data,
                                        writer->text.length, writer->marks, writer->mark_count, flags, writer->ids,
                                        writer->error));
    pct_text_clear(&writer->text);
    writer->mark_count = 0;
    return PERCEPT_OK;
}

static percept_status add_bos(struct writer *writer) {
    const int32_t bos = pct_tokenizer_bos(writer->chat->tokenizer);
    PCT_TRY(flush(writer));
    /* Where the template writes BOS as text, what follows is not the text's beginning. */
    writer->goes_on |= writer->chat->format->bos_each && bos >= 0;
    return bos < 0 ? PERCEPT_OK : pct_ids_add(writer->ids, bos, writer->error);
}

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

enum { LEFT = 1, RIGHT = 2 };

/* The text of a turn, without the white space at the ends that are named. Special tokens in it are looked for only
 * where the caller says so. */
static percept_status add_turn_text(struct writer *writer, const pct_chat_turn *turn, unsigned trim) {
    const char *text = turn->text;
    size_t length = strlen(text);
    while ((trim & RIGHT) && length && is_blank(text[length - 1])) length--;
    for (; (trim & LEFT) && length && is_blank(*text); length--) text++;
    for (size_t at = 0; turn->special && at < length; at++)
        if (text[at] == '<' || text[at] == '[') PCT_TRY(add_mark(writer, writer->text.length + at));
    pct_text_add(&writer->text, text, length);
    return PERCEPT_OK;
}

static percept_status add_system(struct writer *writer, const pct_chat_turn *turn) {
    const struct pct_chat_format *format = writer->chat->format;
    PCT_TRY(add_format(writer, format->system_before));
    PCT_TRY(add_turn_text(writer, turn, format->trim && !format->system_in_user ? LEFT | RIGHT : 0));
    return add_format(writer, format->system_after);
}

/* `system`: the turn that stands inside this one; NULL: none. */
static percept_status add_user(struct writer *writer, const pct_chat_turn *turn, const pct_chat_turn *system) {
    const struct pct_chat_format *format = writer->chat->format;
    if (format->bos_each) PCT_TRY(add_bos(writer));
    PCT_TRY(add_format(writer, format->user_before));
    if (system) PCT_TRY(add_system(writer, system));
    PCT_TRY(add_turn_text(writer, turn, !format->trim ? 0 : system ? RIGHT : LEFT | RIGHT));
    return add_format(writer, format->user_after);
}

static percept_status add_answer(struct writer *writer, const pct_chat_turn *turn) {
    const struct pct_chat_format *format = writer->chat->format;
    PCT_TRY(add_format(writer, format->assistant_before));
    PCT_TRY(add_turn_text(writer, turn, format->trim ? LEFT | RIGHT : 0));
    return add_format(writer, format->assistant_after);
}

static percept_status check_turns(const struct pct_chat_format *format, const pct_chat_turn *turns, int count,
                                  percept_error *error) {
    const int first = count > 0 && turns[0].role == PCT_CHAT_SYSTEM;
    if (first && format->system_in_user && count < 2)
        return pct_fail(error, PERCEPT_ERROR_USAGE, "a system text alone; the template '%s' wants a question",
                        format->name);
    for (int i = first; i < count; i++) {
        if (turns[i].role == PCT_CHAT_SYSTEM)
            return pct_fail(error, PERCEPT_ERROR_USAGE, "turn %d is a system text; only the first may be one", i + 1);
        const enum pct_chat_role wanted = (i - first) % 2 ? PCT_CHAT_ASSISTANT : PCT_CHAT_USER;
        if (format->alternates && turns[i].role != wanted)
            return pct_fail(error, PERCEPT_ERROR_USAGE,
                            "turn %d: the template '%s' wants questions and answers in turn", i + 1, format->name);
    }
    return PERCEPT_OK;
}

static percept_status render(struct writer *writer, const pct_chat_turn *turns, int count, bool prompt) {
    const struct pct_chat_format *format = writer->chat->format;
    const pct_chat_turn own = {PCT_CHAT_SYSTEM, format->system ? format->system : "", false};
    const pct_chat_turn *system = format->system ? &own : NULL;
    PCT_TRY(check_turns(format, turns, count, writer->error));
    if (count > 0 && turns[0].role == PCT_CHAT_SYSTEM) {
        system = turns++;
        count--;
    }
    if (format->bos && !format->bos_each) PCT_TRY(add_bos(writer));
    if (system && !format->system_in_user) PCT_TRY(add_system(writer, system));
    for (int i = 0; i < count; i++) {
        if (format->alone) PCT_TRY(flush(writer));
        PCT_TRY(turns[i].role == PCT_CHAT_ASSISTANT
                    ? add_answer(writer, &turns[i])
                    : add_user(writer, &turns[i], i == 0 && format->system_in_user ? system : NULL));
    }
    if (format->alone) PCT_TRY(flush(writer));
    if (prompt) PCT_TRY(add_format(writer, format->prompt));
    return flush(writer);
}

static void writer_free(struct writer *writer) {
    pct_text_free(&writer->text);
    free(writer->marks);
}

percept_status pct_chat_render(const pct_chat *chat, pct_token_scratch *scratch, const pct_chat_turn *turns, int count,
                               bool prompt, pct_ids *ids, percept_error *error) {
    struct writer writer = {.chat = chat, .scratch = scratch, .ids = ids, .error = error};
    const percept_status status = render(&writer, turns, count, prompt);
    writer_free(&writer);
    return status;
}

/* From the first special token of a text of the format on. */
static const char *from_special(const struct pct_chat_format *format, const char *text) {
    for (; *text; text++)
        for (size_t i = 0; i < MAX_SPECIALS && format->specials[i]; i++)
            if (strncmp(text, format->specials[i], strlen(format->specials[i])) == 0) return text;
    return text;
}

percept_status pct_chat_next(const pct_chat *chat, pct_token_scratch *scratch, int32_t last, const pct_chat_turn *user,
                             pct_ids *ids, percept_error *error) {
    const struct pct_chat_format *format = chat->format;
    struct writer writer = {.chat = chat, .scratch = scratch, .ids = ids, .error = error, .goes_on = true};
    const size_t start = ids->count;
    const bool ended = pct_chat_ends(chat, last);
    const char *close = format->assistant_after;
    percept_status status = add_format(&writer, ended ? from_special(format, close) : close);
    if (status == PERCEPT_OK && format->alone) status = flush(&writer);
    if (status == PERCEPT_OK) status = add_user(&writer, user, NULL);
    if (status == PERCEPT_OK && format->alone) status = flush(&writer);
    if (status == PERCEPT_OK) status = add_format(&writer, format->prompt);
    if (status == PERCEPT_OK) status = flush(&writer);
    writer_free(&writer);
    if (status != PERCEPT_OK || !ended || ids->count == start) return status;
    /* The end token was written again for what its rules do to the text behind it. */
    memmove(ids->data + start, ids->data + start + 1, (ids->count - start - 1) * sizeof *ids->data);
    ids->count--;
    return PERCEPT_OK;
}
