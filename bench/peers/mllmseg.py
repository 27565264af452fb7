#!/usr/bin/env python3
"""A peer's figure for bench/peers/mllmseg.sh: one question of MLLMSeg-1B's shape with random weights in PyTorch.

  mllmseg.py THREADS SECONDS

Prints one JSON line: milliseconds of a question (median), of its parts, and the largest memory of this process. BF16 throughout. In
it: a picture of 1280 x 720 resized to 448 x 448 (bilinear, as PyTorch is quick at), InternViT-300M (24 layers, 1025 rows), pixel
shuffle and projector, Qwen2.5-0.5B over 330 rows (24 layers, grouped queries; no word is chosen: the answer is put into its mouth),
and MLLMSeg's mask decoder with its mask brought back to the picture's size. Fused attention; weights are made in BF16 at once."""
import json
import resource
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

WIDTH, HEADS, MLP, LAYERS, SIDE, PATCH = 1024, 16, 4096, 24, 448, 14
GRID, STATE, ROWS, VOCABULARY = SIDE // PATCH, 896, 330, 151676


def attend(q, k, v, heads, causal=False):
    split = lambda x, n: x.view(1, x.shape[1], n, -1).transpose(1, 2)
    groups = k.shape[2] * heads // q.shape[2]
    y = F.scaled_dot_product_attention(split(q, heads), split(k, groups), split(v, groups), is_causal=causal,
                                       enable_gqa=groups != heads)
    return y.transpose(1, 2).reshape(1, q.shape[1], -1)


class TowerLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, 1e-6), nn.LayerNorm(WIDTH, 1e-6)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, MLP), nn.Linear(MLP, WIDTH)
        self.scale1, self.scale2 = nn.Parameter(torch.full((WIDTH,), 0.1)), nn.Parameter(torch.full((WIDTH,), 0.1))

    def forward(self, x):
        q, k, v = self.qkv(self.norm1(x)).chunk(3, 2)
        x = x + self.scale1 * self.out(attend(q, k, v, HEADS))
        return x + self.scale2 * self.down(F.gelu(self.up(self.norm2(x))))


class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.start = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.places = nn.Parameter(torch.zeros(1, 1 + GRID * GRID, WIDTH))
        self.layers = nn.ModuleList(TowerLayer() for _ in range(LAYERS))
        self.project = nn.Sequential(nn.LayerNorm(4 * WIDTH), nn.Linear(4 * WIDTH, STATE), nn.GELU(), nn.Linear(STATE, STATE))

    def forward(self, pixels):
        x = torch.cat([self.start, self.patch(pixels).flatten(2).transpose(1, 2)], 1) + self.places
        for layer in self.layers:
            x = layer(x)
        cells = x[:, 1:]
        square = cells.view(1, GRID // 2, 2, GRID // 2, 2, WIDTH).permute(0, 1, 3, 2, 4, 5).reshape(1, -1, 4 * WIDTH)
        return cells, self.project(square)


def rotated(x, cos, sin):
    heads = x.view(1, x.shape[1], -1, 64)
    half = torch.cat([-heads[..., 32:], heads[..., :32]], 3)
    return (heads * cos + half * sin).flatten(2)


class LanguageLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(STATE, 1e-6), nn.RMSNorm(STATE, 1e-6)
        self.q, self.k, self.v = nn.Linear(STATE, STATE), nn.Linear(STATE, 128), nn.Linear(STATE, 128)
        self.out = nn.Linear(STATE, STATE, bias=False)
        self.gate, self.up = nn.Linear(STATE, 4864, bias=False), nn.Linear(STATE, 4864, bias=False)
        self.down = nn.Linear(4864, STATE, bias=False)

    def forward(self, x, cos, sin):
        y = self.norm1(x)
        q, k = rotated(self.q(y), cos, sin), rotated(self.k(y), cos, sin)
        x = x + self.out(attend(q, k, self.v(y), 14, causal=True))
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Language(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, STATE)
        self.layers = nn.ModuleList(LanguageLayer() for _ in range(LAYERS))
        self.norm = nn.RMSNorm(STATE, 1e-6)
        angle = torch.arange(ROWS).view(-1, 1) * 1e6 ** (-torch.arange(0, 64, 2) / 64)
        angle = torch.cat([angle, angle], 1).view(1, ROWS, 1, 64)
        self.cos, self.sin = angle.cos().bfloat16(), angle.sin().bfloat16()

    def forward(self, ids, image):
        x = self.words(ids)
        x[:, 30:30 + image.shape[1]] = image
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        return self.norm(x)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(WIDTH, 8, WIDTH, 0, batch_first=True), 1,
                                              nn.LayerNorm(WIDTH))
        self.image, self.text = nn.Linear(STATE, WIDTH), nn.Linear(STATE, WIDTH)
        self.first, self.second, self.join = layer(), layer(), nn.Linear(3 * WIDTH, WIDTH)
        self.conv1 = nn.Sequential(nn.Conv2d(WIDTH, PATCH * PATCH, 3, padding=1), nn.BatchNorm2d(PATCH * PATCH))
        self.conv2 = nn.Conv2d(1, 1, 5, padding=2)
        self.offset = nn.Conv2d(WIDTH, 32, 1)

    def finer(self, x):
        """A sampled doubling whose offsets the map itself gives, in four groups of channels."""
        side = GRID // 2
        place = F.pixel_shuffle(self.offset(x).view(1, 2, 4, 4, side, side).transpose(1, 2).reshape(4, 8, side, side), 2)
        line = torch.linspace(-1, 1, GRID, dtype=torch.float32)
        base = torch.stack(torch.meshgrid(line, line, indexing="xy"))
        grid = (base + 0.25 / side * place.float()).permute(0, 2, 3, 1)
        y = F.grid_sample(x.view(4, WIDTH // 4, side, side).float(), grid, padding_mode="border", align_corners=False)
        return y.bfloat16().view(1, WIDTH, -1).transpose(1, 2)

    def forward(self, cells, before, state):
        seen = self.image(before)
        asked = self.first(cells, seen)
        fine = self.finer(seen.transpose(1, 2).reshape(1, WIDTH, GRID // 2, GRID // 2))
        x = self.second(self.join(torch.cat([asked, cells, fine], 2)), self.text(state))
        x = F.relu(self.conv1(x.transpose(1, 2).reshape(1, WIDTH, GRID, GRID)))
        return torch.sigmoid(self.conv2(F.pixel_shuffle(x, PATCH)))


def main():
    threads, seconds = int(sys.argv[1]), float(sys.argv[2])
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.bfloat16)
    torch.manual_seed(1)
    tower, language, decoder = Tower().eval(), Language().eval(), Decoder().eval()
    picture = torch.randint(0, 256, (1, 3, 720, 1280), dtype=torch.uint8)
    ids = torch.randint(0, 1000, (1, ROWS))

    def question():
        times = [time.perf_counter()]
        pixels = F.interpolate(picture.float(), (SIDE, SIDE), mode="bilinear", antialias=True)
        cells, image = tower((pixels / 127.5 - 1).bfloat16())
        times.append(time.perf_counter())
        states = language(ids, image)
        times.append(time.perf_counter())
        mask = decoder(cells, states[:, 29:29 + image.shape[1]], states[:, -1:])
        mask = F.interpolate(mask.float(), (720, 1280), mode="bilinear") > 0.5
        times.append(time.perf_counter())
        return [b - a for a, b in zip(times, times[1:])]

    question()
    runs, end = [], time.perf_counter() + seconds
    while len(runs) < 3 or time.perf_counter() < end:
        runs.append(question())
    part = lambda i: round(statistics.median(run[i] for run in runs) * 1e3, 1)
    print(json.dumps({"peer": "torch", "version": torch.__version__, "threads": threads,
                      "ms": round(statistics.median(map(sum, runs)) * 1e3, 1), "tower_ms": part(0), "language_ms": part(1),
                      "decoder_ms": part(2),
                      "peak_resident_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 * 1.048576, 1)}))


if __name__ == "__main__":
    main()
