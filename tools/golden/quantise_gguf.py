#!/usr/bin/env python3
"""Golden file of the GGUF block types: tests/vectors/quantise/golden.bin.

Run with the packages gguf (made with 0.19.0) and llama-cpp-python (0.3.9, for its ggml library) in one environment, NumPy 2:
    python3 tools/golden/quantise_gguf.py tests/vectors/quantise/golden.bin
The tests need no Python. The file, little-endian, no padding:
    float x[2560]
    for Q8_0, Q4_0, Q4_1, Q5_0, Q5_1: x in that type, by gguf
    for Q4_K, Q5_K, Q6_K: x in that type, by ggml; then float[2560], those blocks back as numbers, by gguf"""
import ctypes
import glob
import importlib.util
import os
import sys

import gguf
import numpy as np

ROWS, WIDTH = 10, 256
PLAIN = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"]
K = ["Q4_K", "Q5_K", "Q6_K"]


def numbers():
    random = np.random.default_rng(11)
    x = random.standard_normal((ROWS, WIDTH)).astype(np.float32)
    x[1] *= 0.02
    x[2] += 3
    x[3] = -np.abs(x[3])
    x[4, ::37] *= 30
    x[5] = random.standard_t(3, WIDTH)
    x[6] = 0
    x[6, 40:64] = random.uniform(-1, 1, 24)
    x[7] = 0.25
    x[8] = np.round(x[8] * 4) / 4  # many ties
    x[9] = np.linspace(-1, 2, WIDTH)
    return np.ascontiguousarray(x, dtype=np.float32)


def library():
    folder = os.path.join(os.path.dirname(importlib.util.find_spec("llama_cpp").origin), "lib")
    found = ctypes.CDLL(glob.glob(os.path.join(folder, "libggml-base.so*"))[0])
    found.ggml_quantize_chunk.restype = ctypes.c_size_t
    return found


def by_ggml(ggml, kind, x):
    to = np.zeros(x.size // 256 * gguf.GGML_QUANT_SIZES[kind][1], dtype=np.uint8)
    count = ctypes.c_int64
    ggml.ggml_quantize_chunk(int(kind), x.ctypes.data_as(ctypes.c_void_p), to.ctypes.data_as(ctypes.c_void_p), count(0),
                             count(ROWS), count(WIDTH), None)
    return to


def main(path):
    x, ggml = numbers(), library()
    with open(path, "wb") as out:
        out.write(x.tobytes())
        for name in PLAIN:
            out.write(gguf.quants.quantize(x, gguf.GGMLQuantizationType[name]).tobytes())
        for name in K:
            kind = gguf.GGMLQuantizationType[name]
            blocks = by_ggml(ggml, kind, x)
            back = gguf.quants.dequantize(blocks.reshape(ROWS, -1), kind).astype(np.float32)
            out.write(blocks.tobytes() + back.tobytes())
            print(name, "root mean square error", np.sqrt(np.mean((back - x) ** 2, dtype=np.float64)))


main(sys.argv[1])
