#!/usr/bin/env python3
"""One figure of a peer for bench/peers/tower.sh: CLIP ViT-L/14 at 224 pixels with random weights, a picture at a time.

  tower.py export FILE                  the model in ONNX, its matrices in INT8 (dynamic quantisation)
  tower.py torch THREADS SECONDS        PyTorch in BF16: median of a run
  tower.py onnx THREADS SECONDS FILE    ONNX Runtime on that file

Prints one JSON line. The module is plain PyTorch, with fused attention; 24 layers, all of them computed, as in percept's shape."""
import json
import os
import statistics
import sys
import time

WIDTH, HEADS, MLP, LAYERS, SIDE, PATCH = 1024, 16, 4096, 24, 224, 14


def module(torch):
    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            linear = torch.nn.Linear
            self.norm1, self.norm2 = torch.nn.LayerNorm(WIDTH), torch.nn.LayerNorm(WIDTH)
            self.q, self.k, self.v, self.out = (linear(WIDTH, WIDTH) for _ in range(4))
            self.up, self.down = linear(WIDTH, MLP), linear(MLP, WIDTH)

        def forward(self, x):
            y = self.norm1(x)
            rows = x.shape[1]
            q, k, v = (f(y).view(1, rows, HEADS, WIDTH // HEADS).transpose(1, 2) for f in (self.q, self.k, self.v))
            y = torch.nn.functional.scaled_dot_product_attention(q, k, v)
            x = x + self.out(y.transpose(1, 2).reshape(1, rows, WIDTH))
            y = self.up(self.norm2(x))
            return x + self.down(y * torch.sigmoid(1.702 * y))

    class Tower(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.patch = torch.nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
            self.start = torch.nn.Parameter(torch.randn(1, 1, WIDTH))
            self.places = torch.nn.Parameter(torch.randn(1 + (SIDE // PATCH) ** 2, WIDTH))
            self.pre = torch.nn.LayerNorm(WIDTH)
            self.layers = torch.nn.ModuleList(Layer() for _ in range(LAYERS))

        def forward(self, pixels):
            x = torch.cat([self.start, self.patch(pixels).flatten(2).transpose(1, 2)], 1) + self.places
            x = self.pre(x)
            for layer in self.layers:
                x = layer(x)
            return x

    torch.manual_seed(1)
    return Tower().eval()


def timed(run, seconds):
    run()
    run()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


def export(path):
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    plain, prepared = path + ".f32.onnx", path + ".prepared.onnx"
    torch.onnx.export(module(torch), (torch.randn(1, 3, SIDE, SIDE),), plain, input_names=["pixels"],
                      output_names=["states"], dynamo=False)
    quant_pre_process(plain, prepared)
    quantize_dynamic(prepared, path, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])
    os.remove(plain)
    os.remove(prepared)


def main():
    what = sys.argv[1]
    if what == "export":
        return export(sys.argv[2])
    threads, seconds = int(sys.argv[2]), float(sys.argv[3])
    if what == "torch":
        import torch

        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        tower, pixels = module(torch).bfloat16(), torch.randn(1, 3, SIDE, SIDE).bfloat16()
        ms, version = timed(lambda: tower(pixels), seconds), torch.__version__
    else:
        import numpy
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(sys.argv[4], options, providers=["CPUExecutionProvider"])
        pixels = numpy.random.default_rng(1).standard_normal((1, 3, SIDE, SIDE), dtype=numpy.float32)
        ms, version = timed(lambda: session.run(None, {"pixels": pixels}), seconds), onnxruntime.__version__
    print(json.dumps({"peer": what, "version": version, "threads": threads, "ms": round(ms, 2)}))


if __name__ == "__main__":
    main()
