#!/usr/bin/env python3
"""Golden file of chat templates whose makers describe them in words: tests/vectors/chat/forms.jsonl, as cases.jsonl.

    python3 tools/golden/chat_forms.py >tests/vectors/chat/forms.jsonl

The forms below are written for this file from the makers' public descriptions of their prompts (model cards and papers), in the
template language that models carry; chat_templates.py renders templates as models carry them. Rendered with jinja2 (made with 3.1.6
from PyPI), which decides about white space and order here, so that percept's built-in formats are compared with something that does
not share their code. The tests need no Python."""
import json

import jinja2

CHATML = """
{%- set system = messages[0].content if messages[0].role == 'system' else own -%}
{%- if system is not none %}{{ '<|im_start|>system\n' ~ system ~ '<|im_end|>\n' }}{% endif -%}
{%- for turn in messages if turn.role != 'system' %}{{ '<|im_start|>' ~ turn.role ~ '\n' ~ turn.content ~ '<|im_end|>\n' }}{% endfor -%}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif -%}
"""

LLAMA3 = """
{%- macro head(role) %}{{ '<|start_header_id|>' ~ role ~ '<|end_header_id|>\n\n' }}{% endmacro -%}
{{- bos_token -}}
{%- if dated %}{{ head('system') ~ 'Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n' }}
{%- if messages[0].role == 'system' %}{{ messages[0].content | trim }}{% endif %}{{ '<|eot_id|>' }}{% endif -%}
{%- for turn in messages if not (dated and turn.role == 'system') %}{{ head(turn.role) ~ (turn.content | trim) ~ '<|eot_id|>' }}{% endfor -%}
{%- if add_generation_prompt %}{{ head('assistant') }}{% endif -%}
"""

LLAMA2 = """
{%- set told = messages[0].content if messages[0].role == 'system' else none -%}
{%- for turn in messages if turn.role != 'system' -%}
  {%- if turn.role == 'user' -%}
    {%- set text = '<<SYS>>\n' ~ told ~ '\n<</SYS>>\n\n' ~ turn.content if loop.first and told is not none else turn.content -%}
    {{- bos_token ~ '[INST] ' ~ (text | trim) ~ ' [/INST]' -}}
  {%- else -%}
    {{- ' ' ~ (turn.content | trim) ~ ' ' ~ eos_token -}}
  {%- endif -%}
{%- endfor -%}
"""

VICUNA = """
{{- bos_token -}}
{{- (messages[0].content if messages[0].role == 'system' else own) ~ ' ' -}}
{%- for turn in messages if turn.role != 'system' -%}
  {{- 'USER: ' ~ turn.content ~ ' ' if turn.role == 'user' else 'ASSISTANT: ' ~ turn.content ~ eos_token -}}
{%- endfor -%}
{{- 'ASSISTANT:' if add_generation_prompt -}}
"""

# Each turn's name alone on a line, its text, an end mark and a line's end.
LINES = """
{%- for turn in messages %}{{ '<|' ~ turn.role ~ '|>\n' ~ turn.content ~ end ~ '\n' }}{% endfor -%}
{{- '<|assistant|>\n' if add_generation_prompt -}}
"""

FORMS = {
    "chatml": (CHATML, {"own": None}),
    "qwen2": (CHATML, {"own": "You are a helpful assistant."}),
    "qwen2.5": (CHATML, {"own": "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."}),
    "smollm2": (CHATML, {"own": "You are a helpful AI assistant named SmolLM, trained by Hugging Face"}),
    "internvl2.5": (CHATML, {"own": "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"}),
    "llama-3": (LLAMA3, {"dated": False}),
    "llama-3.1": (LLAMA3, {"dated": True}),
    "llama-2": (LLAMA2, {}),
    "vicuna": (VICUNA, {"own": "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
                               "detailed, and polite answers to the user's questions."}),
    "zephyr": (LINES, {"end": "</s>"}),
    "phi-3": (LINES, {"end": "<|end|>"}),
}

TALKS = [
    [("user", "Which of the two cups is nearer?")],
    [("system", "You see a kitchen."), ("user", "Name the largest thing."), ("assistant", "The table.")],
    [("user", "Wo steht die Vase?"), ("assistant", "Auf dem Regal."), ("user", "  und das Buch?\t")],
    [("system", "\n Speak slowly. \n"), ("user", "  'quoted' {{ braces }} {% and %} more\n"), ("assistant", "\tfine\n\n"), ("user", "数える: 1、2、3 🍎🍏")],
    [("user", "a"), ("assistant", ""), ("user", "b\r\nc"), ("assistant", " d "), ("user", "e"), ("assistant", "f")],
]


def main():
    environment = jinja2.Environment(keep_trailing_newline=False)
    for name, (form, values) in FORMS.items():
        template = environment.from_string(form)
        for turns in TALKS:
            prompt = turns[-1][0] == "user"
            text = template.render(messages=[{"role": role, "content": content} for role, content in turns],
                                   add_generation_prompt=prompt, bos_token="<s>", eos_token="</s>", **values)
            print(json.dumps({"template": name, "turns": turns, "prompt": prompt, "text": text}, ensure_ascii=False))


if __name__ == "__main__":
    main()
