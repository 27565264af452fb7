"""Compares `percept tokenize` with llama.cpp on 10,000 lines made here; called by tokenizers.sh --lines.

    python tokenizer_lines.py PERCEPT LINES NAME=FILE.gguf...

The lines are the same every time: made from code points of many scripts, emoji, code, numbers, white space and control
characters by a seeded generator, brought to NFC. They go into the file LINES. Needs llama-cpp-python.
"""
import random
import subprocess
import sys
import unicodedata

COUNT = 10000
SCRIPTS = {
    "latin": [(0x61, 0x7A)], "capitals": [(0x41, 0x5A), (0x61, 0x7A)], "latin1": [(0xC0, 0xFF)], "latin_ext": [(0x100, 0x24F)],
    "vietnamese": [(0x1EA0, 0x1EF9), (0x61, 0x7A)], "ipa": [(0x250, 0x2AF)], "greek": [(0x370, 0x3FF)],
    "greek_ext": [(0x1F00, 0x1FFF)], "cyrillic": [(0x400, 0x4FF)], "armenian": [(0x531, 0x58F)], "hebrew": [(0x591, 0x5F4)],
    "arabic": [(0x600, 0x6FF)], "syriac": [(0x700, 0x74F)], "devanagari": [(0x900, 0x97F)], "bengali": [(0x980, 0x9FF)],
    "gurmukhi": [(0xA01, 0xA76)], "tamil": [(0xB82, 0xBFA)], "telugu": [(0xC00, 0xC7F)], "malayalam": [(0xD00, 0xD7F)],
    "sinhala": [(0xD81, 0xDF4)], "thai": [(0xE01, 0xE5B)], "lao": [(0xE81, 0xEDF)], "tibetan": [(0xF00, 0xFDA)],
    "myanmar": [(0x1000, 0x109F)], "georgian": [(0x10A0, 0x10FF)], "ethiopic": [(0x1200, 0x137C)], "cherokee": [(0x13A0, 0x13FD)],
    "khmer": [(0x1780, 0x17F9)], "mongolian": [(0x1800, 0x18AA)], "hiragana": [(0x3041, 0x309F)], "katakana": [(0x30A0, 0x30FF)],
    "han": [(0x4E00, 0x9FA5)], "han_ext": [(0x20000, 0x2A6D0)], "hangul": [(0xAC00, 0xD7A3)], "jamo": [(0x1100, 0x11FF)],
    "emoji": [(0x1F300, 0x1F64F), (0x1F680, 0x1F6C5), (0x1F900, 0x1F9FF), (0x2600, 0x27BF)], "flags": [(0x1F1E6, 0x1F1FF)],
    "mathematical": [(0x1D400, 0x1D7FF)], "operators": [(0x2200, 0x22FF)], "arrows": [(0x2190, 0x21FF)], "boxes": [(0x2500, 0x259F)],
    "numbers": [(0x2150, 0x218B), (0x2460, 0x249B)], "super": [(0x2070, 0x209C)], "full_width": [(0xFF01, 0xFFEE)],
    "currency": [(0x20A0, 0x20BF)], "punctuation": [(0x2010, 0x205E)], "braille": [(0x2800, 0x28FF)], "runes": [(0x16A0, 0x16F0)],
    "cuneiform": [(0x12000, 0x12399)], "gothic": [(0x10330, 0x1034A)], "private": [(0xE000, 0xF8FF)], "marks": [(0x300, 0x36F), (0x61, 0x7A)],
}
BLANKS = [" ", " ", " ", " ", "  ", "   ", "\t", "\t\t", "\u00a0", "\u3000", "\u2003", "\u200a", "\r", " \t", "\u2028", "\u0085", "\v", "\f"]
ZERO_WIDTH = ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\ufe0f", "\u00ad"]
WORDS = ("the cup stands on a table beside two green apples where is it what does she hold in her left hand I'm you'll we've he'd "
         "they're it's don't DON'T I'LL cat's dogs' naïve café Straße résumé coöperate MASK box Over-the-top e-mail 3rd x2 v1.5").split()
MARKS = list(".,;:!?-_()[]{}<>\"'`~@#$%^&*+=/\\|") + ["...", "--", "->", "=>", "==", "!=", "::", "//", "/*", "*/", "<!--", "{{", "}}"]
NAMES = ["x", "i", "count", "value_of", "readFile", "HTTPServer", "MAX_SIZE", "_tmp", "self", "np", "std"]
SPECIAL = ["<s>", "</s>", "<unk>", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "[INST]", "<|user|>", "<image>", "<0x0A>", "\u2581"]


def characters(name, random, count):
    made = []
    while len(made) < count:
        low, high = random.choice(SCRIPTS[name])
        character = chr(random.randint(low, high))
        if unicodedata.category(character) not in ("Cn", "Cs"):
            made.append(character)
    return "".join(made)


def number(random):
    kind = random.randrange(6)
    if kind == 0:
        return str(random.randrange(10 ** random.randint(1, 20)))
    if kind == 1:
        return f"{random.random() * 10 ** random.randint(-6, 6):.{random.randint(0, 9)}g}"
    if kind == 2:
        return f"0x{random.randrange(2 ** 32):x}"
    if kind == 3:
        return f"{random.randrange(10 ** 7):,}"
    if kind == 4:
        return f"{random.randint(1900, 2100)}-{random.randint(1, 12):02}-{random.randint(1, 31):02}"
    return characters(random.choice(["devanagari", "arabic", "numbers", "super", "full_width"]), random, 4)


def code(random):
    a, b, c = (random.choice(NAMES) for _ in range(3))
    n = number(random)
    return random.choice([
        f"for ({a} = 0; {a} < {n}; {a}++) {{ {b}[{a}] += {c}; }}", f"def {a}({b}, *{c}, **kw):  # {n}", f"\tif {a} is not None and {b}>={n}:",
        f"        return {a}.{b}({c}, '{n}')", f'<div class="{a}-{b}" id=\'{c}\'>{n}</div>', f"#include <{a}/{b}.h>", f"SELECT {a}, COUNT(*) FROM {b} WHERE {c} <> {n};",
        f"{a}::{b}<{c}> *p = new {a}[{n}];", f"s/{a}\\/{b}/{c}/g; echo \"${{{a}:-{n}}}\" | tee {b}.log", f'{{"{a}": [{n}, null, true], "{b}": "{c}\\n"}}',
        f"let {a} = ({b}) => {{ await {c}(`${{{a}}}`) }};", f"https://{a}.example/{b}?{c}={n}&q=%20#{a}", f"\\frac{{{a}}}{{{b}^{n}}} \\leq \\sum_{{i=1}} {c}_i"])


def piece(random):
    kind = random.random()
    if kind < 0.30:
        return random.choice(WORDS)
    if kind < 0.62:
        return characters(random.choice(list(SCRIPTS)), random, random.randint(1, 12))
    if kind < 0.70:
        return number(random)
    if kind < 0.78:
        return "".join(random.choice(MARKS) for _ in range(random.randint(1, 4)))
    if kind < 0.84:
        return code(random)
    if kind < 0.88:
        return "\u200d".join(characters("emoji", random, 1) for _ in range(random.randint(1, 4))) + random.choice(["", "\ufe0f", "\U0001f3fd"])
    if kind < 0.91:
        return random.choice(ZERO_WIDTH) + random.choice(WORDS)
    if kind < 0.94:
        return "".join(chr(random.choice([*range(0, 10), *range(11, 32), 127, *range(128, 160)])) for _ in range(random.randint(1, 3)))
    if kind < 0.96:
        return random.choice(SPECIAL)
    return random.choice("ab=-.!é中") * random.randint(2, 40)


def lines():
    made = []
    for seed in range(COUNT):
        chance = random.Random(seed)
        parts = []
        for _ in range(chance.randint(1, 16)):
            parts.append(piece(chance))
            if chance.random() < 0.8:
                parts.append(chance.choice(BLANKS))
        if chance.random() < 0.2:
            parts.insert(0, chance.choice(BLANKS))
        made.append(unicodedata.normalize("NFC", "".join(parts)).replace("\n", " "))
    return made


def main(percept, path, *models):
    import llama_cpp

    texts = lines()
    with open(path, "wb") as file:
        file.writelines(text.encode() + b"\n" for text in texts)
    wrong = 0
    for family, model in (item.split("=", 1) for item in models):
        peer = llama_cpp.Llama(model, vocab_only=True, verbose=False)
        made = subprocess.run([percept, "tokenize", "-m", model, "-f", path], capture_output=True, check=True).stdout.decode().split("\n")
        assert len(made) == COUNT + 1, f"{len(made)} lines of ids"
        count = 0
        for number, (text, ids) in enumerate(zip(texts, made)):
            wanted = peer.tokenize(text.encode(), add_bos=False, special=False)
            if ids.split() != [str(i) for i in wanted]:
                count += 1
                if count <= 3:
                    print(f"{family}, line {number + 1}: {text!r}\n  llama.cpp {wanted}\n  percept   {ids}")
        print(f"{family}: {COUNT - count} of {COUNT} lines alike", flush=True)
        wrong += count
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
