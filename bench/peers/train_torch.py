"""The nano model's training step in PyTorch: the peer that percept's training speed is measured against.

Same structure, parameter count, batch and precision as `percept bench --stages train`: random pictures and tokens, BF16
products with F32 master weights (autocast), fused AdamW, gradient clipping. The packed questions of a picture are one
sequence behind its image tokens, under a block mask, through scaled_dot_product_attention by plain products (`--attention
math`): the fastest of the forms tried. The fused kernel's backward takes twice as long as these products on CPUs (but less
memory: `--attention flash`); nested lists of sequences and flex_attention, which has no backward on CPUs, were slower or not
there.

Prints one JSON line: {"pictures_per_s", "questions_per_s", "parameters", "peak_bytes", "torch"}.
"""
import argparse
import json
import math
import resource
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel


class Norm2d(nn.LayerNorm):
    """LayerNorm over channels of an NCHW map held channels-last."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def conv_block(cin, cout, kernel, stride, pad, activation):
    layers = [nn.Conv2d(cin, cout, kernel, stride, pad, bias=False), Norm2d(cout, eps=1e-6)]
    return nn.Sequential(*layers, *([activation] if activation else []))


def mlp(widths, activation=nn.ReLU):
    layers = []
    for i in range(len(widths) - 1):
        layers.append(nn.Linear(widths[i], widths[i + 1]))
        if i + 2 < len(widths):
            layers.append(activation())
    return nn.Sequential(*layers)


class TowerLayer(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Tower(nn.Module):
    def __init__(self, c):
        super().__init__()
        w = c.stem_width
        gelu = nn.GELU(approximate="tanh")
        self.down = nn.ModuleList(conv_block(a, b, 3, 2, 1, gelu) for a, b in ((3, w // 4), (w // 4, w // 2), (w // 2, w)))
        self.blocks = nn.ModuleList(
            nn.Sequential(conv_block(w, w, 3, 1, 1, gelu), conv_block(w, w, 3, 1, 1, None)) for _ in range(c.stem_blocks))
        self.last = nn.Conv2d(w, c.width, 3, 2, 1)
        cells = (c.side // 16) ** 2
        self.class_token = nn.Parameter(torch.randn(1, 1, c.width) * 0.02)
        self.positions = nn.Parameter(torch.randn(1, 1 + cells, c.width) * 0.02)
        self.pre = nn.LayerNorm(c.width)
        self.layers = nn.ModuleList(TowerLayer(c.width, c.heads, 4 * c.width) for _ in range(c.tower_layers))
        self.mix = nn.ParameterList(nn.Parameter(torch.zeros(c.tower_layers + 1)) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(c.width) for _ in range(2))

    def forward(self, x):
        skip = None
        for i, stage in enumerate(self.down):
            x = stage(x)
            skip = x if i == 1 else skip
        for block in self.blocks:
            x = x + block(x)
        fine = x
        x = self.last(x).flatten(2).transpose(1, 2)
        x = self.pre(torch.cat([self.class_token.expand(len(x), -1, -1), x], 1) + self.positions)
        hidden = [x]
        for layer in self.layers:
            hidden.append(x := layer(x))
        hidden = torch.stack(hidden)
        merged = [norm(torch.einsum("l,lbnd->bnd", mix.softmax(0), hidden)) for mix, norm in zip(self.mix, self.norms)]
        return merged[0], merged[1], fine, skip


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight, 1e-5)


def rotate(x, table):
    """Interleaved pairs; x (B, H, T, d), table (T, d/2) complex angles as cos and sin."""
    cos, sin = table
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


class LanguageLayer(nn.Module):
    def __init__(self, width, heads, kv_heads, hidden):
        super().__init__()
        self.heads, self.kv_heads, self.head = heads, kv_heads, width // heads
        self.norm1, self.norm2 = RMSNorm(width), RMSNorm(width)
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * kv_heads * self.head, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.gate_up, self.down = nn.Linear(width, 2 * hidden, bias=False), nn.Linear(hidden, width, bias=False)

    def forward(self, x, table, mask):
        b, t, d = x.shape
        y = self.norm1(x)
        q = rotate(self.q(y).view(b, t, self.heads, self.head).transpose(1, 2), table)
        k, v = self.kv(y).view(b, t, 2, self.kv_heads, self.head).permute(2, 0, 3, 1, 4)
        k = rotate(k, table)
        y = F.scaled_dot_product_attention(q, k.to(q.dtype), v.to(q.dtype), attn_mask=mask, enable_gqa=True)
        x = x + self.out(y.transpose(1, 2).reshape(b, t, d))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Attend(nn.Module):
    def __init__(self, width, inside, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = (nn.Linear(width, inside) for _ in range(3))
        self.out = nn.Linear(inside, width)

    def forward(self, q, k, v):
        q, k, v = (x.view(len(x), -1, self.heads, x.shape[-1] // self.heads).transpose(1, 2)
                   for x in (self.q(q), self.k(k), self.v(v)))
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class TwoWay(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.own, self.to_image, self.to_query = Attend(width, width, heads), Attend(width, width // 2, heads), Attend(width, width // 2, heads)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))

    def forward(self, x, grid, first, place, index):
        if index == 0:
            x = self.own(x, x, x)
        else:
            x = x + self.own(x + first, x + first, x)
        x = self.norms[0](x)
        x = self.norms[1](x + self.to_image(x + first, grid + place, grid))
        x = self.norms[2](x + self.down(F.relu(self.up(x))))
        grid = self.norms[3](grid + self.to_query(grid + place, x + first, x))
        return x, grid


class MaskDecoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        w = c.mask_width
        self.queries = c.mask_queries
        self.mapping = nn.Linear(c.width, w * c.mask_queries)
        self.shortcut, self.adapt1, self.adapt2 = nn.Linear(w, w), nn.Linear(w, w), nn.Linear(w, w)
        self.layers = nn.ModuleList(TwoWay(w, 4, 2 * w) for _ in range(2))
        self.last, self.last_norm = Attend(w, w // 2, 4), nn.LayerNorm(w)
        gelu = nn.GELU(approximate="tanh")
        n = c.mask_channels
        # One step of upscaling, from the fine stride 8 to the masks' 4: the last step has the map's own channels.
        self.up, self.refine = conv_block(w, n, 3, 1, 1, gelu), conv_block(n, n, 3, 1, 1, gelu)
        self.skip, self.pixel = nn.Linear(c.stem_width // 2, n), nn.Linear(n, n)
        self.hyper = mlp([w, w, w, n])
        self.register_buffer("place", torch.randn(1, (c.side // 8) ** 2, w))

    def forward(self, states, fine, skip, picture):
        grid = self.shortcut(fine) + self.adapt2(F.relu(self.adapt1(fine)))
        grid = grid[picture]
        x = first = self.mapping(states).view(len(states), self.queries, -1)
        for i, layer in enumerate(self.layers):
            x, grid = layer(x, grid, first, self.place, i)
        x = self.last_norm(x + self.last(x + first, grid + self.place, grid))
        side = math.isqrt(grid.shape[1])
        y = self.up(grid.transpose(1, 2).unflatten(2, (side, side)).contiguous(memory_format=torch.channels_last))
        y = F.interpolate(y, scale_factor=2, mode="bilinear")
        y = y + self.skip(skip.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)[picture]
        y = self.pixel(self.refine(y).permute(0, 2, 3, 1))
        return torch.einsum("qc,qhwc->qhw", self.hyper(x[:, 0]), y), x[:, 0]


class Bottleneck(nn.Module):
    def __init__(self, cin, inside, stride, first):
        super().__init__()
        relu = nn.ReLU()
        self.body = nn.Sequential(conv_block(cin, inside, 1, 1, 0, relu), conv_block(inside, inside, 3, stride, 1, relu),
                                  conv_block(inside, 2 * inside, 1, 1, 0, relu))
        self.short = conv_block(cin, 2 * inside, 1, stride, 0, None) if first else None

    def forward(self, x):
        return F.relu(self.body(x) + (self.short(x) if self.short else x))


class MaskEncoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        w = c.mask_encoder_width
        blocks, cin = [], w
        for stage in range(4):
            for i in range(2):
                blocks.append(Bottleneck(cin, w, 2 if stage and not i else 1, i == 0))
                cin = 2 * w
        self.body = nn.Sequential(conv_block(1, w, 7, 2, 3, nn.ReLU()), nn.MaxPool2d(3, 2, 1), *blocks)
        self.encode, self.decode = nn.Linear(4 * 2 * w, c.width), nn.Linear(c.width, c.width)

    def forward(self, x):
        return self.decode(self.encode(self.body(x).flatten(1)))


def moments(logits):
    """Soft centre, deviation and extent of each mask, as percept's pct_op_mask_moments."""
    p = logits.float().sigmoid()
    n = p.shape[-1]
    at = (torch.arange(n) + 0.5) / n
    total = p.sum((1, 2)) + 1e-3
    columns, rows = p.sum(1), p.sum(2)
    cx, cy = (columns * at).sum(1) / total, (rows * at).sum(1) / total
    sx = ((columns * (at - cx[:, None]) ** 2).sum(1) / total + 1e-6).sqrt()
    sy = ((rows * (at - cy[:, None]) ** 2).sum(1) / total + 1e-6).sqrt()
    ends = []
    for occupied in (p.amax(1), p.amax(2)):
        before = torch.cumprod(1 - occupied * 0.999, 1)
        after = torch.cumprod((1 - occupied * 0.999).flip(1), 1)
        ends += [before.sum(1) / n, 1 - after.sum(1) / n]
    return torch.stack([cx, cy, sx, sy, ends[0], ends[2], ends[1], ends[3]], 1)


@torch.no_grad()
def statistics(logits, boxes):
    """What the quality head sees of a mask, as percept's heads/quality.c: sizes, certainty, agreement with the box."""
    p = logits.float().sigmoid()
    n = p.shape[-1]
    inside = p > 0.5
    soft, hard, sure = p.sum((1, 2)), inside.sum((1, 2)).float(), (p * inside).sum((1, 2))
    doubt = ((p > 0.1) & (p < 0.9)).sum((1, 2)).float()
    at = torch.arange(n)
    ends = []
    for axis in (1, 2):
        held = inside.any(axis)
        ends.append((torch.where(held, at, n).amin(1) / n, torch.where(held, at + 1, 0).amax(1) / n))
    (x0, x1), (y0, y1) = ends
    w = (torch.minimum(x1, boxes[:, 2]) - torch.maximum(x0, boxes[:, 0])).clamp(min=0)
    h = (torch.minimum(y1, boxes[:, 3]) - torch.maximum(y0, boxes[:, 1])).clamp(min=0)
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    union = (x1 - x0) * (y1 - y0) + wide * high - w * h
    return torch.stack([(soft / n ** 2).sqrt(), (hard / n ** 2).sqrt(), sure / hard.clamp(min=1),
                        (p * p).sum((1, 2)) / soft.clamp(min=1e-6), doubt / (hard + doubt + 1),
                        torch.where(union > 0, w * h / union, 0.0), wide.clamp(min=0), high.clamp(min=0)], 1)


class Nano(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.tower = Tower(c)
        self.connector = mlp([c.width, c.width, c.width], lambda: nn.GELU(approximate="tanh"))
        self.cell_position = nn.Parameter(torch.randn(1, (c.side // 16) ** 2, c.width) * 0.02)
        self.ground_scale, self.ground_map = nn.Parameter(torch.tensor(20.0)), nn.Linear(c.width, c.width, bias=False)
        self.copy_scale, self.copy_gate = nn.Parameter(torch.tensor(8.0)), nn.Linear(c.width, c.width, bias=False)
        self.cell_box = nn.Linear(c.width, 4)
        self.fine_merge, self.fine_stem = nn.Linear(c.width, c.mask_width), nn.Linear(c.stem_width, c.mask_width)
        self.embedding = nn.Embedding(c.vocabulary, c.width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.layers = nn.ModuleList(LanguageLayer(c.width, c.heads, c.kv_heads, c.hidden) for _ in range(c.language_layers))
        self.norm = RMSNorm(c.width)
        self.box_encoder = mlp([4, c.width, c.width, c.width])
        self.box_decoder = mlp([c.width + c.mask_width + 8, c.width, c.width, 4])
        self.mask_encoder, self.mask_decoder = MaskEncoder(c), MaskDecoder(c)
        self.quality = mlp([c.width + c.mask_width + 8, c.mask_width, 1])
        self.presence = nn.Linear(c.width, c.width)
        self.background = nn.Parameter(torch.randn(1, c.width) * 0.02)
        self.scales = nn.Parameter(torch.tensor([20.0, 20.0, -1.0]))  # of naming, of presence, and its bias

    def loss(self, batch):
        c = self.c
        language, mask, fine, skip = self.tower(batch["pixels"])
        cells = self.connector(language)
        grid = c.side // 16
        coarse = self.fine_merge(mask[:, 1:]).transpose(1, 2).unflatten(2, (grid, grid))
        coarse = F.interpolate(coarse, scale_factor=2, mode="bilinear").flatten(2).transpose(1, 2)
        features = coarse + self.fine_stem(fine.flatten(2).transpose(1, 2))
        text = self.embedding(batch["ids"])
        rows = text.flatten(0, 1).clone()
        half = len(batch["object_rows"]) // 2
        placed = torch.cat([cells[:, :1].float(), cells[:, 1:].float() + self.cell_position], 1)
        # What lies under the regions, through the map. percept's batch of random words has next to no marks that look.
        under = self.ground_map((batch["under"] @ placed.flatten(0, 1)))
        rows[batch["object_rows"][:half]] = (self.box_encoder(batch["boxes"][:half]) + under[:half]).to(rows.dtype)
        rows[batch["object_rows"][half:]] = (self.mask_encoder(batch["mask_in"][half:]) + under[half:]).to(rows.dtype)
        x = torch.cat([placed, rows.view_as(text)], 1)
        for layer in self.layers:
            x = layer(x, batch["table"], batch["mask"])
        states = self.norm(x[:, cells.shape[1]:]).flatten(0, 1)
        views = batch["under"] @ F.normalize(cells.float(), dim=2).flatten(0, 1)
        views = torch.cat([torch.zeros_like(views[:1]), views])[batch["last"]]
        said = states[batch["wanted"]]
        said = said + self.copy_scale * (1 + self.copy_gate(said)) * views
        logits = said @ self.embedding.weight.t()
        total = F.cross_entropy(logits.float(), batch["targets"])
        states = states[batch["object_rows"] - 1]
        masks, query = self.mask_decoder(states, features, skip, batch["picture"])
        m = moments(masks)
        seen = torch.cat([states, query.float(), m], 1)
        boxes = (torch.logit(m[:, 4:8], 0.002) + self.box_decoder(seen)).float().sigmoid()
        total = total + 2 * F.l1_loss(boxes, batch["boxes"]) + giou_loss(boxes, batch["boxes"])
        flat, target = masks.float().flatten(1), batch["masks"].flatten(1)
        p = flat.sigmoid()
        dice = 1 - (2 * (p * target).sum(1) + 1) / (p.sum(1) + target.sum(1) + 1)
        total = total + 2 * F.binary_cross_entropy_with_logits(flat, target) + dice.mean()
        with torch.no_grad():
            hit, truth = flat > 0, target > 0.5
            iou = (hit & truth).sum(1) / (hit | truth).sum(1).clamp(min=1)
        total = total + 0.2 * F.binary_cross_entropy_with_logits(
            self.quality(torch.cat([states, query.float(), statistics(masks, boxes.detach())], 1)).float()[:, 0], iou)
        names = F.normalize(F.embedding_bag(batch["name_ids"], self.embedding.weight, batch["name_offsets"], mode="mean"), dim=1)
        all_names = torch.cat([names, F.normalize(self.background, dim=1)])
        naming = F.normalize(cells[:, 1:].float(), dim=2) @ all_names.t() * self.scales[0]
        total = total + 0.5 * F.cross_entropy(naming.flatten(0, 1).float(), batch["owners"], weight=batch["owner_weights"])
        sides = self.cell_box(cells[:, 1:].flatten(0, 1)[batch["owned"]]).float().sigmoid()
        around = batch["middles"].repeat(1, 2) + sides * torch.tensor([-1.0, -1.0, 1.0, 1.0])
        total = total + 0.5 * (2 * F.l1_loss(around, batch["owned_boxes"]) + giou_loss(around, batch["owned_boxes"]))
        presence = F.normalize(self.presence(language[:, 0]).float(), dim=1) @ names.t() * self.scales[1] + self.scales[2]
        return total + 0.2 * F.binary_cross_entropy_with_logits(presence.float(), batch["presence"])


def giou_loss(a, b):
    x0, y0, x1, y1 = torch.minimum(a[:, 0], a[:, 2]), torch.minimum(a[:, 1], a[:, 3]), torch.maximum(a[:, 0], a[:, 2]), torch.maximum(a[:, 1], a[:, 3])
    w = (torch.minimum(x1, b[:, 2]) - torch.maximum(x0, b[:, 0])).clamp(min=0)
    h = (torch.minimum(y1, b[:, 3]) - torch.maximum(y0, b[:, 1])).clamp(min=0)
    inter = w * h
    union = (x1 - x0) * (y1 - y0) + (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) - inter
    hull = (torch.maximum(x1, b[:, 2]) - torch.minimum(x0, b[:, 0])) * (torch.maximum(y1, b[:, 3]) - torch.minimum(y0, b[:, 1]))
    return (1 - inter / union + (hull - union) / hull).mean()


def squares(corner, side):
    at = (torch.arange(side) + 0.5) / side
    inside = (at > corner[..., None]) & (at < corner[..., None] + 0.3)
    return (inside[:, 1, :, None] & inside[:, 0, None, :]).float()


def make_batch(c, generator):
    b, text = c.pictures, c.questions * c.tokens
    cells = 1 + (c.side // 16) ** 2
    total = cells + text
    segment = torch.arange(text) // c.tokens
    seen = torch.zeros(total, total, dtype=torch.bool)
    seen[:, :cells] = True
    seen[cells:, cells:] = (segment[:, None] == segment[None]) & torch.ones(text, text).tril().bool()
    positions = torch.cat([torch.arange(cells), cells + torch.arange(text) % c.tokens]).float()
    head = c.width // c.heads
    angle = positions[:, None] * 10000.0 ** (-torch.arange(0, head, 2).float() / head)[None]
    objects = b * c.objects
    per_question = torch.arange(c.objects) % c.questions
    begin = c.tokens - c.answer
    row = per_question * c.tokens + begin + 4 + torch.arange(c.objects) // c.questions * 2
    object_rows = (torch.arange(b)[:, None] * text + row[None]).flatten()
    answer = [p * text + q * c.tokens + begin - 1 + a for p in range(b) for q in range(c.questions) for a in range(c.answer)]
    corner = torch.rand(objects, 2, generator=generator) * 0.5
    picture = torch.arange(b).repeat_interleave(c.objects)
    grid = c.side // 16
    covered = torch.cat([torch.zeros(objects, 1), squares(corner, grid).flatten(1)], 1)
    under = torch.zeros(objects, b, cells).index_put_((torch.arange(objects), picture), covered / covered.sum(1, keepdim=True))
    owners = torch.randint(0, c.names + 1, (b * (cells - 1),), generator=generator)
    owned = (owners < c.names).nonzero()[:, 0]
    middles = torch.stack([owned % (cells - 1) % grid, owned % (cells - 1) // grid], 1).add(0.5) / grid
    # The last object that each answer row has read, 1 more than its number.
    rows = torch.tensor(answer)[:, None]
    read = (object_rows[None] <= rows) & (object_rows[None] // c.tokens == rows // c.tokens)
    last = torch.where(read, torch.arange(1, objects + 1)[None], 0).amax(1)
    return {
        "pixels": torch.randn(b, 3, c.side, c.side, generator=generator).contiguous(memory_format=torch.channels_last),
        "ids": torch.randint(0, c.vocabulary, (b, text), generator=generator),
        "mask": seen, "table": (angle.cos(), angle.sin()), "object_rows": object_rows,
        "picture": picture, "under": under.flatten(1), "wanted": torch.tensor(answer),
        "targets": torch.randint(0, c.vocabulary, (len(answer),), generator=generator),
        "boxes": torch.cat([corner, corner + 0.3], 1),
        "masks": squares(corner, c.side // 4), "mask_in": squares(corner, 64)[:, None],
        "name_ids": torch.randint(0, c.vocabulary, (2 * c.names,), generator=generator),
        "name_offsets": torch.arange(0, 2 * c.names, 2),
        "owners": owners, "owned": owned, "middles": middles, "last": last,
        "owned_boxes": torch.cat([middles * torch.rand(len(owned), 2, generator=generator),
                                  1 - (1 - middles) * torch.rand(len(owned), 2, generator=generator)], 1),
        "owner_weights": torch.tensor([1.0] * c.names + [0.2]),
        "presence": torch.randint(0, 2, (b, c.names), generator=generator).float(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, value in dict(pictures=8, questions=6, tokens=22, answer=10, objects=6, names=48, side=192, width=256,
                            heads=8, kv_heads=4, hidden=512, stem_width=128, stem_blocks=2, tower_layers=6,
                            language_layers=8, mask_width=128, mask_queries=4, mask_channels=16,
                            mask_encoder_width=16, vocabulary=2048,
                            threads=2).items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=value)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--precision", choices=["bf16", "f32"], default="bf16")
    parser.add_argument("--attention", choices=["math", "flash"], default="math")
    parser.add_argument("--steps", type=int, help="so many steps instead of a time, to see that it runs")
    parser.add_argument("--expect", type=int, help="percept's number of parameters: refuse to run with another model")
    parser.add_argument("--compile", action="store_true", help="torch.compile the step's forward")
    c = parser.parse_args()
    torch.set_num_threads(c.threads)
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(2)
    model = Nano(c)
    parameters = sum(p.numel() for p in model.parameters())
    if c.expect and abs(parameters - c.expect) > c.expect / 100:
        raise SystemExit(f"train_torch.py: {parameters} parameters, percept's model has {c.expect}: not the same model")
    forward = torch.compile(model.loss) if c.compile else model.loss
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-6, betas=(0.9, 0.98), weight_decay=0.05, fused=True)
    batch = make_batch(c, generator)
    attention = SDPBackend.MATH if c.attention == "math" else SDPBackend.FLASH_ATTENTION

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=c.precision == "bf16"), sdpa_kernel(attention):
            loss = forward(batch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        return loss

    for _ in range(1 if c.steps else 3):
        step()
    start, steps = time.perf_counter(), 0
    while steps < c.steps if c.steps else time.perf_counter() - start < c.seconds:
        loss = step()
        steps += 1
    rate = steps * c.pictures / (time.perf_counter() - start)
    print(json.dumps({"pictures_per_s": round(rate, 2), "questions_per_s": round(rate * c.questions, 1),
                      "parameters": parameters, "loss": round(loss.item(), 3),
                      "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
