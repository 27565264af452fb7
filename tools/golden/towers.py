#!/usr/bin/env python3
"""Golden files of the vision towers: tests/vectors/vision/{clip,intern,intern_qk}.safetensors.

Run with PyTorch 2.15.0, transformers 5.23.0 and safetensors 0.8.0:
  python3 tools/golden/towers.py tests/vectors/vision
Towers of random weights, small: `clip` is transformers' CLIPVisionModel at a patch of 14 and again at a stride of 8 with
resampled patch kernel and positions; `intern` is InternViT in plain PyTorch (without and with normed queries and keys).
A file holds the weights under their names in a model file (w.*, patch kernels as (out,k,k,in)), the pixels (H,W,3), and
what each stage gives (out.*). The tests need no Python."""
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModel

WIDTH, HEADS, MLP, LANGUAGE, SIDE = 16, 2, 40, 24, 56


def randomise(model, random):
    """Weights large enough that every part shows in the result."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=random)
            if "norm" in name and name.endswith("weight"):
                weight.copy_(1 + 0.3 * noise)
            elif weight.dim() < 2:
                weight.copy_(0.3 * noise)
            else:
                weight.copy_(1.2 * noise / weight[0].numel() ** 0.5 if weight.dim() == 2 else 0.1 * noise)


def tensor(shape, random, scale=1.0, start=0.0):
    return start + scale * torch.randn(shape, generator=random)


def patch_layout(weight):
    return weight.permute(0, 2, 3, 1).contiguous()


def merge(hidden, coefficients):
    weights = torch.softmax(coefficients, 0)
    return sum(w * h for w, h in zip(weights, hidden))


# ---- CLIP, both passes ----------------------------------------------------------------------------------------------


def clip_states(model, patches, positions, layers):
    """The hidden states H[0..layers] of embedded patches (1, cells, width), through transformers' own layers."""
    tower = getattr(model, "vision_model", model)
    start = tower.embeddings.class_embedding.expand(1, 1, -1)
    x = tower.pre_layrnorm(torch.cat([start, patches], 1) + positions)
    hidden = [x]
    for layer in tower.encoder.layers[:layers]:
        x = layer(x, None)
        x = x[0] if isinstance(x, tuple) else x
        hidden.append(x)
    return hidden


def resampled(kernel, table, side):
    """Patch kernel and positions (1 + cells, width) of stride 14 brought to stride 8."""
    grid, fine, width = side // 14, side // 8, table.shape[1]
    square = table[1:].reshape(1, grid, grid, width).permute(0, 3, 1, 2)
    square = F.interpolate(square, size=(fine, fine), mode="bicubic", align_corners=False)
    return (F.interpolate(kernel, size=(8, 8), mode="bilinear", align_corners=True),
            torch.cat([table[:1], square.permute(0, 2, 3, 1).reshape(fine * fine, width)]))


def clip(folder):
    random = torch.Generator().manual_seed(1)
    layers = 4  # the last is never computed
    config = CLIPVisionConfig(hidden_size=WIDTH, intermediate_size=MLP, num_hidden_layers=layers,
                              num_attention_heads=HEADS, image_size=SIDE, patch_size=14, hidden_act="quick_gelu",
                              layer_norm_eps=1e-5, attn_implementation="eager")
    model = CLIPVisionModel(config).eval()
    randomise(model, random)
    pixels = tensor((1, 3, SIDE, SIDE), random)
    tower = getattr(model, "vision_model", model)
    kernel, table = tower.embeddings.patch_embedding.weight, tower.embeddings.position_embedding.weight
    coarse = model(pixel_values=pixels, output_hidden_states=True).hidden_states[:layers]

    # pass B: stride 8
    fine_kernel, fine_table = resampled(kernel, table, SIDE)
    patches = F.conv2d(pixels, fine_kernel, stride=8).flatten(2).transpose(1, 2)
    deep = clip_states(model, patches, fine_table, layers - 1)

    # the same function over pass A is what transformers has
    again = clip_states(model, F.conv2d(pixels, kernel, stride=14).flatten(2).transpose(1, 2), table, layers - 1)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(coarse, again))

    lower, higher = tensor(layers, random), tensor(layers, random)
    projector, bias = tensor((LANGUAGE, WIDTH), random, 0.3), tensor(LANGUAGE, random)
    out = {"pixels": pixels[0].permute(1, 2, 0)}
    for i in range(layers):
        out[f"out.coarse.{i}"], out[f"out.fine.{i}"] = coarse[i][0], deep[i][0]
    out["out.language"], out["out.mask"] = merge(coarse, lower)[0], merge(deep, higher)[0]
    out["out.projected"] = F.linear(merge(coarse, lower)[0, 1:], projector, bias)
    weights = {"v.class_embd": tower.embeddings.class_embedding.reshape(1, WIDTH),
               "v.position_embd.weight": table, "v.patch_embd.weight": patch_layout(kernel),
               "v.pre_ln.weight": tower.pre_layrnorm.weight, "v.pre_ln.bias": tower.pre_layrnorm.bias,
               "percept.merge.language": lower, "percept.merge.mask": higher, "mm.0.weight": projector,
               "mm.0.bias": bias}
    names = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
             "attn_out": "self_attn.out_proj", "ln1": "layer_norm1", "ln2": "layer_norm2", "ffn_up": "mlp.fc1",
             "ffn_down": "mlp.fc2"}
    for i in range(layers - 1):
        for ours, theirs in names.items():
            part = tower.encoder.layers[i].get_submodule(theirs)
            weights[f"v.blk.{i}.{ours}.weight"], weights[f"v.blk.{i}.{ours}.bias"] = part.weight, part.bias
    write(folder, "clip", out, weights)


# ---- InternViT -------------------------------------------------------------------------------------------------------


def intern_weights(layers, patch, grid, qk_norm, random):
    w = {"v.class_embd": tensor((1, WIDTH), random), "v.patch_embd.bias": tensor(WIDTH, random, 0.3),
         "v.position_embd.weight": tensor((1 + grid * grid, WIDTH), random, 0.5),
         "v.patch_embd.weight": tensor((WIDTH, 3, patch, patch), random, 0.1)}
    for i in range(layers):
        for name, rows, columns in (("attn_q", WIDTH, WIDTH), ("attn_k", WIDTH, WIDTH), ("attn_v", WIDTH, WIDTH),
                                    ("attn_out", WIDTH, WIDTH), ("ffn_up", MLP, WIDTH), ("ffn_down", WIDTH, MLP)):
            w[f"v.blk.{i}.{name}.weight"] = tensor((rows, columns), random, 1.2 / columns ** 0.5)
            w[f"v.blk.{i}.{name}.bias"] = tensor(rows, random, 0.3)
        for name in ("ln1", "ln2"):
            w[f"v.blk.{i}.{name}.weight"] = tensor(WIDTH, random, 0.3, 1)
            w[f"v.blk.{i}.{name}.bias"] = tensor(WIDTH, random, 0.3)
        for name in ("ls1", "ls2") + (("attn_q_norm", "attn_k_norm") if qk_norm else ()):
            w[f"v.blk.{i}.{name}.weight"] = tensor(WIDTH, random, 0.3, 0.7)
    w["mm.model.mlp.0.weight"] = tensor(4 * WIDTH, random, 0.3, 1)
    w["mm.model.mlp.0.bias"] = tensor(4 * WIDTH, random, 0.3)
    w["mm.model.mlp.1.weight"] = tensor((LANGUAGE, 4 * WIDTH), random, 0.2)
    w["mm.model.mlp.1.bias"] = tensor(LANGUAGE, random, 0.3)
    w["mm.model.mlp.3.weight"] = tensor((LANGUAGE, LANGUAGE), random, 0.3)
    w["mm.model.mlp.3.bias"] = tensor(LANGUAGE, random, 0.3)
    return w


def rms_norm(x, gamma, epsilon):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * gamma


def intern_layer(x, w, i):
    """x (rows, width); scaled dot products over all rows, layer scale on both branches, GELU with erf."""
    def linear(name, y):
        return F.linear(y, w[f"v.blk.{i}.{name}.weight"], w[f"v.blk.{i}.{name}.bias"])

    def norm(name, y):
        return F.layer_norm(y, (WIDTH,), w[f"v.blk.{i}.{name}.weight"], w[f"v.blk.{i}.{name}.bias"], 1e-6)

    y = norm("ln1", x)
    q, k, v = linear("attn_q", y), linear("attn_k", y), linear("attn_v", y)
    if f"v.blk.{i}.attn_q_norm.weight" in w:
        q = rms_norm(q, w[f"v.blk.{i}.attn_q_norm.weight"], 1e-6)
        k = rms_norm(k, w[f"v.blk.{i}.attn_k_norm.weight"], 1e-6)
    rows = x.shape[0]
    q, k, v = (t.reshape(rows, HEADS, WIDTH // HEADS).transpose(0, 1) for t in (q, k, v))
    scores = torch.softmax(q @ k.transpose(1, 2) * (WIDTH // HEADS) ** -0.5, -1)
    x = x + w[f"v.blk.{i}.ls1.weight"] * linear("attn_out", (scores @ v).transpose(0, 1).reshape(rows, WIDTH))
    return x + w[f"v.blk.{i}.ls2.weight"] * linear("ffn_down", F.gelu(linear("ffn_up", norm("ln2", x))))


def intern(folder, name, qk_norm, seed):
    random = torch.Generator().manual_seed(seed)
    layers, patch, side = 3, 7, 28
    grid = side // patch
    w = intern_weights(layers, patch, grid, qk_norm, random)
    pixels = tensor((1, 3, side, side), random)
    patches = F.conv2d(pixels, w["v.patch_embd.weight"], w["v.patch_embd.bias"], stride=patch)
    x = torch.cat([w["v.class_embd"], patches[0].flatten(1).T]) + w["v.position_embd.weight"]
    out = {"pixels": pixels[0].permute(1, 2, 0), "out.coarse.0": x}
    for i in range(layers):
        x = intern_layer(x, w, i)
        out[f"out.coarse.{i + 1}"] = x
    square = x[1:].reshape(grid // 2, 2, grid // 2, 2, WIDTH).permute(0, 2, 1, 3, 4)
    out["out.shuffled"] = square.reshape(grid * grid // 4, 4 * WIDTH)
    y = F.layer_norm(out["out.shuffled"], (4 * WIDTH,), w["mm.model.mlp.0.weight"], w["mm.model.mlp.0.bias"], 1e-5)
    y = F.gelu(F.linear(y, w["mm.model.mlp.1.weight"], w["mm.model.mlp.1.bias"]))
    out["out.projected"] = F.linear(y, w["mm.model.mlp.3.weight"], w["mm.model.mlp.3.bias"])
    w["v.patch_embd.weight"] = patch_layout(w["v.patch_embd.weight"])
    write(folder, name, out, w)


def write(folder, name, out, weights):
    out.update({"w." + key: value for key, value in weights.items()})
    save_file({key: value.detach().float().contiguous().clone() for key, value in out.items()},
              f"{folder}/{name}.safetensors")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    clip(sys.argv[1])
    intern(sys.argv[1], "intern", False, 2)
    intern(sys.argv[1], "intern_qk", True, 3)
