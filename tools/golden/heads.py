#!/usr/bin/env python3
"""Golden files of the published families' heads: tests/vectors/heads/*.safetensors.

Run with PyTorch (made with 2.15.0) and NumPy (2.4.6):  python3 tools/golden/heads.py tests/vectors/heads
The tests need no Python: they read the committed files.

Plain PyTorch in double precision, written from the descriptions of PerceptionGPT's and MLLMSeg's heads, at small random
dimensions. Modules bear the names of the published checkpoints; `converted` is how a checkpoint's tensors become
percept's, name by name. A file holds the converted weights, the inputs ("in.*") and every step ("step.NAME.N", the
N-th time that percept passes a step of that name), pictures as (B,H,W,C)."""
import json
import re
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

# ---- files ----------------------------------------------------------------------------------------------------------


def save(path, tensors):
    header, data = {"__metadata__": {"made": "tools/golden/heads.py, PyTorch " + torch.__version__}}, b""
    for name, tensor in sorted(tensors.items()):
        raw = np.ascontiguousarray(tensor.detach().numpy().astype("<f4")).tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def randomise(module, generator):
    """Weights that keep numbers at about their size; what is normalised gets factors and offsets of its own."""
    for name, tensor in list(module.named_parameters()) + list(module.named_buffers()):
        if tensor.dtype != torch.float64:
            continue
        noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        if name.endswith("running_var"):
            value = 0.5 + torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
        elif tensor.dim() == 1:
            norm = re.search(r"norm\w*\.weight$|norm$|layer\d\.1\.weight$|downsample\.1\.weight$|conv1\.1\.weight$", name)
            value = (1.0 if norm else 0.0) + 0.3 * noise
        else:
            value = noise * (1.4 / np.sqrt(tensor[0].numel()))
        tensor.data = value.float().double()


# ---- a checkpoint's names and layouts to percept's --------------------------------------------------------------------

RES = [
    (r"text_down", "text"),
    (r"img_llm_down", "image"),
    (r"text_out_adapter", "join"),
    (r"upsample_adapter_l\.offset", "offset"),
    (r"ca_layer_(v2l|vl)\.decoder\.layers\.0\.self_attn", r"\1.self"),
    (r"ca_layer_(v2l|vl)\.decoder\.layers\.0\.multihead_attn", r"\1.cross"),
    (r"ca_layer_(v2l|vl)\.decoder\.layers\.0\.linear1", r"\1.ffn_up"),
    (r"ca_layer_(v2l|vl)\.decoder\.layers\.0\.linear2", r"\1.ffn_down"),
    (r"ca_layer_(v2l|vl)\.decoder\.layers\.0\.norm([123])", r"\1.norm\2"),
    (r"ca_layer_(v2l|vl)\.decoder\.norm", r"\1.norm"),
    (r"conv1\.0", "conv1"),
    (r"conv1\.1", "conv1_norm"),
    (r"conv2", "conv2"),
]
MASK = [
    (r"decoder_mapping", "mapping"),
    (r"visual_adaptor\.(\w+)", r"adaptor.\1"),
    (r"mask_decoder\.transformer\.layers\.(\d)\.self_attn\.(\w+)_proj", r"\1.self.\2"),
    (r"mask_decoder\.transformer\.layers\.(\d)\.cross_attn_token_to_image\.(\w+)_proj", r"\1.to_image.\2"),
    (r"mask_decoder\.transformer\.layers\.(\d)\.cross_attn_image_to_token\.(\w+)_proj", r"\1.to_query.\2"),
    (r"mask_decoder\.transformer\.layers\.(\d)\.mlp\.lin1", r"\1.ffn_up"),
    (r"mask_decoder\.transformer\.layers\.(\d)\.mlp\.lin2", r"\1.ffn_down"),
    (r"mask_decoder\.transformer\.layers\.(\d)\.norm(\d)", r"\1.norm\2"),
    (r"mask_decoder\.transformer\.final_attn_token_to_image\.(\w+)_proj", r"final.\1"),
    (r"mask_decoder\.transformer\.norm_final_attn", "final.norm"),
    (r"mask_decoder\.output_upscaling\.layer(\d)\.0", lambda m: f"up{int(m[1]) - 1}"),
    (r"mask_decoder\.output_upscaling\.layer(\d)\.1", lambda m: f"up{int(m[1]) - 1}_norm"),
    (r"mask_decoder\.output_upscaling\.conv", "pixel"),
    (r"mask_decoder\.output_hypernetworks_mlp\.layers\.(\d)", r"hyper.\1"),
]
MASK_ENCODER = [
    (r"conv1", "conv1"),
    (r"norm1", "conv1_norm"),
    (r"dlayer(\d)\.(\d)\.conv(\d)", lambda m: f"stage{int(m[1]) - 1}.{m[2]}.conv{m[3]}"),
    (r"dlayer(\d)\.(\d)\.norm(\d)", lambda m: f"stage{int(m[1]) - 1}.{m[2]}.conv{m[3]}_norm"),
    (r"dlayer(\d)\.0\.downsample\.0", lambda m: f"stage{int(m[1]) - 1}.0.shortcut"),
    (r"dlayer(\d)\.0\.downsample\.1", lambda m: f"stage{int(m[1]) - 1}.0.shortcut_norm"),
    (r"linear_(enc|dec)", r"linear_\1"),
]
BOX = [(r"bbox_(encoder|decoder)\.layers\.(\d)", r"percept.box_\1.\2")]
ENDS = {"weight": "weight", "bias": "bias", "running_mean": "mean", "running_var": "variance"}


def converted(module, rules, prefix, linear=(), flattened=None):
    """linear: 1x1 convolutions that percept has as linear layers; flattened: (name, C, H, W) of a linear layer that
    reads a flattened picture."""
    out = {}
    for name, tensor in module.state_dict().items():
        if name.endswith(("num_batches_tracked", "init_pos")):
            continue
        packed = re.fullmatch(r"(.*)\.in_proj_(weight|bias)", name)
        base, end = (packed[1], packed[2]) if packed else name.rsplit(".", 1)
        part = ""
        if base.endswith("_attn.out_proj") and not base.startswith("mask_decoder"):
            base, part = base.removesuffix(".out_proj"), ".out"
        target = None
        for pattern, to in rules:
            match = re.fullmatch(pattern, base)
            if match:
                target = prefix + (to(match) if callable(to) else match.expand(to)) + part
        if target is None:
            raise ValueError(f"no rule for {name}")
        if packed:
            for letter, third in zip("qkv", tensor.chunk(3)):
                if "vl.cross" not in target or letter == "v":
                    out[f"{target}.{letter}.{end}"] = third
            continue
        if tensor.dim() == 4 and base in linear:
            tensor = tensor[:, :, 0, 0]
        elif tensor.dim() == 4:
            tensor = tensor.permute(0, 2, 3, 1)
        elif flattened and base == flattened[0] and tensor.dim() == 2:
            _, c, h, w = flattened
            tensor = tensor.view(-1, c, h, w).permute(0, 2, 3, 1).reshape(-1, c * h * w)
        out[f"{target}.{ENDS[end]}"] = tensor
    return out


class Steps(dict):
    def __call__(self, name, tensor):
        count = sum(key.rsplit(".", 1)[0] == "step." + name for key in self)
        self[f"step.{name}.{count}"] = tensor
        return tensor


def rows(x):
    """(B,C,H,W) to (B,H,W,C)"""
    return x.permute(0, 2, 3, 1)


# ---- MLLMSeg ----------------------------------------------------------------------------------------------------------


def dysample(x, o, groups):
    """x (B,C,H,W), o (B,8*groups,H,W) -> (B,C,2H,2W)"""
    b, c, h, w = x.shape
    start = torch.zeros(2, groups, 2, 2, dtype=x.dtype)
    start[0, :, :, 0], start[0, :, :, 1] = -0.25, 0.25
    start[1, :, 0, :], start[1, :, 1, :] = -0.25, 0.25
    offset = (0.25 * o + start.view(1, -1, 1, 1)).view(b, 2, groups, 2, 2, h, w)
    column = torch.arange(w, dtype=x.dtype) + offset[:, 0]
    row = torch.arange(h, dtype=x.dtype).view(-1, 1) + offset[:, 1]
    place = torch.stack([2 * (column + 0.5) / w - 1, 2 * (row + 0.5) / h - 1], dim=-1)  # b g a b h w 2
    place = place.permute(0, 1, 4, 2, 5, 3, 6).reshape(b * groups, 2 * h, 2 * w, 2)
    y = F.grid_sample(x.reshape(b * groups, c // groups, h, w), place, mode="bilinear", padding_mode="border",
                      align_corners=False)
    return y.reshape(b, c, 2 * h, 2 * w)


class Offset(nn.Module):
    def __init__(self, width, groups):
        super().__init__()
        self.groups = groups
        self.offset = nn.Conv2d(width, 8 * groups, 1)

    def forward(self, x):
        return dysample(x, self.offset(x), self.groups)


class OneLayer(nn.Module):
    """A transformer decoder of one layer: post-norm, and a norm of its own after it."""

    def __init__(self, width, heads, mlp):
        super().__init__()
        layer = nn.TransformerDecoderLayer(width, heads, mlp, dropout=0.1, batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, 1, nn.LayerNorm(width))

    def forward(self, target, memory):
        return self.decoder(target, memory)


class ResDecoder(nn.Module):
    def __init__(self, width, state_width, heads, mlp, groups, patch):
        super().__init__()
        self.patch = patch
        self.img_llm_down = nn.Linear(state_width, width)
        self.text_down = nn.Linear(state_width, width)
        self.text_out_adapter = nn.Linear(3 * width, width)
        self.ca_layer_v2l = OneLayer(width, heads, mlp)
        self.ca_layer_vl = OneLayer(width, heads, mlp)
        self.upsample_adapter_l = Offset(width, groups)
        self.conv1 = nn.Sequential(nn.Conv2d(width, patch * patch, 3, padding=1), nn.BatchNorm2d(patch * patch))
        self.conv2 = nn.Conv2d(1, 1, 5, padding=2)

    def forward(self, cells, language, text, side, step):
        n, _, width = cells.shape
        as_map = lambda x, s: x.transpose(1, 2).reshape(n, width, s, s)
        t = step("res.text", self.text_down(text).unsqueeze(1))
        m = step("res.image", self.img_llm_down(language))
        a = step("res.fused", self.ca_layer_v2l(cells, m))
        c = step("res.fine", rows(self.upsample_adapter_l(as_map(m, side // 2))).reshape(n, -1, width))
        x = step("res.joined", self.text_out_adapter(torch.cat([a, cells, c], dim=2)))
        y = step("res.asked", self.ca_layer_vl(x, t))
        pixels = F.relu(self.conv1(as_map(y, side)))
        step("res.pixels", rows(pixels))
        p = self.patch
        plane = pixels.view(n, p, p, side, side).permute(0, 3, 1, 4, 2).reshape(n, 1, side * p, side * p)
        step("res.plane", rows(plane))
        logits = self.conv2(plane)
        step("res.logits", rows(logits))
        return torch.sigmoid(logits)


def per_picture(name):
    return name.split(".")[2] in ("image", "fused", "fine", "joined")


def make_res(generator):
    width, state_width, side, pictures = 16, 12, 4, [0, 1, 1]
    decoder = ResDecoder(width, state_width, heads=2, mlp=20, groups=4, patch=3).double().eval()
    randomise(decoder, generator)
    random = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64).float().double()
    cells, language, text = random(2, side * side, width), random(2, side * side // 4, state_width), random(3, state_width)
    step = Steps()
    probability = decoder(cells[pictures], language[pictures], text, side, step)
    # An object is an element of the reference's batch; percept computes a picture's part once.
    steps = {k: v[[0, 1]] if per_picture(k) else v for k, v in step.items()}
    return {**converted(decoder, RES, "percept.res.", linear=("upsample_adapter_l.offset",)), **steps, "in.cells": cells,
            "in.language": language, "in.text": text, "out.probability": probability}


def make_dysample(generator):
    random = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64).float().double()
    x, o = random(2, 8, 3, 5), 5 * random(2, 16, 3, 5)
    return {"in.x": rows(x), "in.moves": rows(o), "out.y": rows(dysample(x, o, 2))}


# ---- PerceptionGPT ----------------------------------------------------------------------------------------------------


class Norm2d(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        return F.layer_norm(rows(x), x.shape[1:2], self.weight, self.bias, 1e-6).permute(0, 3, 1, 2)


class Attention(nn.Module):
    def __init__(self, width, heads, inside):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, inside) for _ in range(3))
        self.out_proj = nn.Linear(inside, width)

    def forward(self, q, k, v):
        split = lambda x: x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)
        q, k, v = split(self.q_proj(q)), split(self.k_proj(k)), split(self.v_proj(v))
        weight = torch.softmax(q @ k.transpose(2, 3) / np.sqrt(q.shape[-1]), dim=-1)
        return self.out_proj((weight @ v).transpose(1, 2).flatten(2))


class Feed(nn.Module):
    def __init__(self, width, inside):
        super().__init__()
        self.lin1, self.lin2 = nn.Linear(width, inside), nn.Linear(inside, width)

    def forward(self, x):
        return self.lin2(F.relu(self.lin1(x)))


class TwoWay(nn.Module):
    def __init__(self, width, heads, mlp, first):
        super().__init__()
        self.first = first
        self.self_attn = Attention(width, heads, width)
        self.cross_attn_token_to_image = Attention(width, heads, width // 2)
        self.cross_attn_image_to_token = Attention(width, heads, width // 2)
        self.mlp = Feed(width, mlp)
        self.norm1, self.norm2, self.norm3, self.norm4 = (nn.LayerNorm(width) for _ in range(4))

    def forward(self, q, k, pe_q, pe_k):
        if self.first:
            q = self.self_attn(q, q, q)
        else:
            q = q + self.self_attn(q + pe_q, q + pe_q, q)
        q = self.norm1(q)
        q = self.norm2(q + self.cross_attn_token_to_image(q + pe_q, k + pe_k, k))
        q = self.norm3(q + self.mlp(q))
        return q, self.norm4(k + self.cross_attn_image_to_token(k + pe_k, q + pe_q, q))


class Transformer(nn.Module):
    def __init__(self, width, heads, mlp):
        super().__init__()
        self.layers = nn.ModuleList([TwoWay(width, heads, mlp, i == 0) for i in range(2)])
        self.final_attn_token_to_image = Attention(width, heads, width // 2)
        self.norm_final_attn = nn.LayerNorm(width)

    def forward(self, query, keys, pe, step):
        q, k = query, keys
        for layer in self.layers:
            q, k = layer(q, k, query, pe)
            step("mask.queries", q)
            step("mask.grid", k)
        q = self.norm_final_attn(q + self.final_attn_token_to_image(q + query, k + pe, k))
        return step("mask.asked", q), k


class Upscaling(nn.Module):
    def __init__(self, width, channels):
        super().__init__()
        sizes = [width, max(width // 4, channels), max(width // 8, channels), channels]
        for i in range(3):
            setattr(self, f"layer{i + 1}", nn.Sequential(
                nn.Conv2d(sizes[i], sizes[i + 1], 3, padding=1, bias=False), Norm2d(sizes[i + 1])))
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, x, step):
        for layer in (self.layer1, self.layer2, self.layer3):
            x = F.interpolate(F.relu(layer(x)), scale_factor=2, mode="bilinear", align_corners=False)
            step("mask.up", rows(x))
        return self.conv(x)


class Mlp(nn.Module):
    def __init__(self, *widths):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in zip(widths, widths[1:])])

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


def meant_positions(side, width):
    """2-D sine form: the first half of the channels for the column, the second for the row."""
    out = torch.zeros(side, side, width, dtype=torch.float64)
    half = width // 2
    for j in range(half // 2):
        angle = torch.arange(side, dtype=torch.float64) * 10000.0 ** (-2 * j / half)
        for k, value in ((2 * j, torch.sin(angle)), (2 * j + 1, torch.cos(angle))):
            out[:, :, k] = value.view(1, -1)
            out[:, :, half + k] = value.view(-1, 1)
    return out.view(side * side, width)


def coded_positions(side, width):
    out = torch.zeros(side, side, width, dtype=torch.float64)
    half = side // 2
    for r in range(side):
        for c in range(side):
            for k in range(width):
                at = c if c < half else c - half
                d = 10000.0 ** (-2 * (at // 2) / half)
                out[r, c, k] = (np.sin if c % 2 == 0 else np.cos)((k if c < half else r) * d)
    return out.view(side * side, width)


class MaskDecoder(nn.Module):
    def __init__(self, width, heads, mlp, channels):
        super().__init__()
        self.transformer = Transformer(width, heads, mlp)
        self.output_upscaling = Upscaling(width, channels)
        self.output_hypernetworks_mlp = Mlp(width, width, width, channels)

    def forward(self, query, keys, pe, side, step):
        q, k = self.transformer(query.unsqueeze(1), keys, pe, step)
        up = self.output_upscaling(k.transpose(1, 2).reshape(len(k), -1, side, side), step)
        step("mask.pixels", rows(up))
        weights = step("mask.weights", self.output_hypernetworks_mlp(q[:, 0]))
        return step("mask.logits", torch.einsum("nc,nchw->nhw", weights, up))


class Adaptor(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.shortcut, self.linear1, self.linear2 = (nn.Linear(width, width) for _ in range(3))

    def forward(self, x):
        return self.shortcut(x) + self.linear2(F.relu(self.linear1(x)))


class MaskHead(nn.Module):
    def __init__(self, state_width, width, heads, mlp, channels):
        super().__init__()
        self.decoder_mapping = nn.Linear(state_width, width)
        self.visual_adaptor = Adaptor(width)
        self.mask_decoder = MaskDecoder(width, heads, mlp, channels)


def make_mask(generator, positions):
    state_width, width, side, pictures = 12, 16, 4, [1, 0, 1]
    head = MaskHead(state_width, width, heads=2, mlp=20, channels=4).double().eval()
    randomise(head, generator)
    random = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64).float().double()
    states, features = random(3, state_width), random(2, side * side, width)
    step = Steps()
    keys = step("mask.adapted", head.visual_adaptor(features))
    head.mask_decoder(head.decoder_mapping(states), keys[pictures], positions(side, width), side, step)
    weights = converted(head, MASK, "percept.mask_decoder.", linear=("mask_decoder.output_upscaling.conv",))
    return {**weights, **step, "in.states": states, "in.features": features}


class Bottleneck(nn.Module):
    def __init__(self, wide, inside, stride, first):
        super().__init__()
        norm = Norm2d if first else nn.BatchNorm2d
        self.conv1, self.norm1 = nn.Conv2d(wide, inside, 1, bias=False), norm(inside)
        self.conv2, self.norm2 = nn.Conv2d(inside, inside, 3, stride, 1, bias=False), norm(inside)
        self.conv3, self.norm3 = nn.Conv2d(inside, 2 * inside, 1, bias=False), norm(2 * inside)
        self.downsample = None
        if first:
            self.downsample = nn.Sequential(nn.Conv2d(wide, 2 * inside, 1, stride, bias=False), Norm2d(2 * inside))

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        y = F.relu(self.norm3(self.conv3(y)))
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class MaskEncoder(nn.Module):
    def __init__(self, side, inside, hidden, width):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, inside, 7, 2, 3, bias=False), Norm2d(inside)
        wide = inside
        for stage, stride in enumerate((1, 2, 2, 2)):
            setattr(self, f"dlayer{stage + 1}", nn.Sequential(
                Bottleneck(wide, inside, stride, True), Bottleneck(2 * inside, inside, 1, False)))
            wide = 2 * inside
        self.linear_enc = nn.Linear(wide * (side // 32) ** 2, hidden)
        self.linear_dec = nn.Linear(hidden, width)

    def forward(self, x, step):
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 3, 2, 1)
        step("mask_encoder.stem", rows(x))
        for stage in (self.dlayer1, self.dlayer2, self.dlayer3, self.dlayer4):
            for block in stage:
                x = block(x)
                step("mask_encoder.block", rows(x))
        return self.linear_dec(self.linear_enc(x.flatten(1)))


def make_mask_encoder(generator):
    side, inside = 64, 4
    encoder = MaskEncoder(side, inside, 12, 10).double().eval()
    randomise(encoder, generator)
    masks = torch.rand(2, 1, side, side, generator=generator, dtype=torch.float64).float().double()
    masks[:, :, : side // 2] = (masks[:, :, : side // 2] > 0.5).double()
    step = Steps()
    out = encoder(masks, step)
    weights = converted(encoder, MASK_ENCODER, "percept.mask_encoder.",
                        flattened=("linear_enc", 2 * inside, side // 32, side // 32))
    return {**weights, **step, "in.masks": rows(masks), "out.code": out}


class Boxes(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.bbox_encoder, self.bbox_decoder = Mlp(4, hidden, hidden, width), Mlp(width, hidden, hidden, 4)


def make_box(generator):
    boxes = Boxes(20, 16).double()
    randomise(boxes, generator)
    states = torch.randn(3, 20, generator=generator, dtype=torch.float64).float().double()
    given = torch.rand(3, 4, generator=generator, dtype=torch.float64).float().double()
    return {**converted(boxes, BOX, ""), "in.states": states, "in.boxes": given,
            "out.boxes": torch.sigmoid(boxes.bbox_decoder(states)), "out.code": boxes.bbox_encoder(given)}


def main(folder):
    makers = {"res": make_res, "dysample": make_dysample, "mask_meant": lambda g: make_mask(g, meant_positions),
              "mask_coded": lambda g: make_mask(g, coded_positions), "mask_encoder": make_mask_encoder, "box": make_box}
    for name, make in makers.items():
        generator = torch.Generator().manual_seed(7)
        with torch.no_grad():
            save(f"{folder}/{name}.safetensors", make(generator))


if __name__ == "__main__":
    main(sys.argv[1])
