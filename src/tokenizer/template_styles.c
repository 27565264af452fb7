/* The templates' texts. Published families were trained with theirs: not a blank may change. */
#include "tokenizer/template.h"

#include <string.h>

#define VICUNA_SYSTEM                                                                                                  \
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "  \
    "and polite answers to the user's questions."
/* InternVL 2.5's system text: "You are InternVL ...", in Chinese as it was trained. */
#define INTERNVL_SYSTEM                                                                                                \
    "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"

static const pct_template_style styles[] = {
    {
        .name = "percept",
        .pad = "<pad>",
        .bos = "<bos>",
        .eos = "<eos>",
        .image = "<img>",
        .object = "<obj>",
        .phrase_begin = "<p>",
        .phrase_end = "</p>",
        .user = "<user>",
        .assistant = "<assistant>",
        .lead = "<bos>",
        .first = "<user>",
        .next = "<user>",
        .answer = "<assistant>",
        .end = "<eos>",
        .objects_begin = "",
        .objects_between = "",
        .objects_end = "",
        .find = "%s",
        .describe = "describe the picture",
        .name_region = "what is this? <obj>",
    },
    /* PerceptionGPT on Vicuna: talk of version 1.1; its own marks; questions in our words. */
    {
        .name = "perceptiongpt",
        .bos = "<s>",
        .eos = "</s>",
        .image = "<im_patch>",
        .object = "<loc>",
        .phrase_begin = "<obj_text_s>",
        .phrase_end = "<obj_text_e>",
        .lead = "<s>" VICUNA_SYSTEM " USER:<im_start>",
        .first = "<im_end>",
        .next = "USER: ",
        .answer = " ASSISTANT:",
        .end = "</s>",
        .objects_begin = "<obj_vis_s>",
        .objects_between = ";",
        .objects_end = "<obj_vis_e>",
        .rounds_boxes = true,
        .strip = true,
        .find = "Where is <obj_text_s>%s<obj_text_e> in this picture? Mark every one.",
        .describe = "Describe the picture in one sentence and mark everything that you name.",
        .name_region = "What is <obj>?",
    },
    /* MLLMSeg on InternVL 2.5 cannot choose its own [SEG]: the answer is put into its mouth up to that token. */
    {
        .name = "mllmseg",
        .pad = "<|endoftext|>",
        .eos = "<|im_end|>",
        .image = "<IMG_CONTEXT>",
        .object = "[SEG]",
        .lead = "<|im_start|>system\n" INTERNVL_SYSTEM "<|im_end|>\n<|im_start|>user\n<img>",
        .first = "</img>",
        .next = "<|im_start|>user\n",
        .answer = "<|im_end|>\n<|im_start|>assistant\n",
        .end = "<|im_end|>",
        .objects_begin = "",
        .objects_between = "",
        .objects_end = "",
        .find = "\n What are %sin this image? Please output segmentation masks.",
        .ask = "\n %s Please output segmentation mask.",
        .find_begun = "Sure,%s:",
        .ask_begun = "",
        .begun_end = ".",
    },
};

const pct_template_style *pct_template_style_find(const char *name) {
    for (size_t i = 0; i < sizeof styles / sizeof *styles; i++)
        if (!strcmp(styles[i].name, name)) return &styles[i];
    return NULL;
}
