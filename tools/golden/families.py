#!/usr/bin/env python3
"""Golden files of whole published families: tests/vectors/families/{llama,mllmseg*}/.

Run with PyTorch 2.15.0, transformers 5.23.0, tokenizers 0.23.3, safetensors 0.8.0 and Pillow 13.0.0:
  python3 tools/golden/families.py tests/vectors/families
The tests need no Python: they convert the committed checkpoints and ask them.

A checkpoint of MLLMSeg's layout with small random weights (rounded to BF16), once merged in safetensors and once with
LoRA apart in a PyTorch file; a picture; and expected.safetensors: the token ids of each question up to the mask token,
the language model's last state, and the mask's probabilities. Plain PyTorch from the description of InternVL 2.5 and
MLLMSeg; the language model is transformers' Qwen2, the tower towers.py's, the mask decoder heads.py's.

llama/: a LLaMA of transformers with grouped queries and LLaMA 3's rotary scaling, peft's adapters for it beside, and the
logits of a text without and with them."""
import json
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

import heads
import towers

SIDE, PATCH, WIDTH, LAYERS, STATE, VOCABULARY = 56, 14, 32, 2, 48, 288
towers.WIDTH, towers.HEADS, towers.MLP, towers.LANGUAGE = WIDTH, 4, 48, STATE
SYSTEM = ("你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。")
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "[SEG]", "[REJ]"]
QUESTIONS = {"find": ["the Red cup.", "a naïve 猫"], "ask": ["what is it good for?"]}


def bytes_to_characters():
    """GPT-2's table: printable bytes stand for themselves, the others for characters from U+0100 on."""
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table = {byte: chr(byte) for byte in plain}
    table.update({byte: chr(256 + i) for i, byte in enumerate(b for b in range(256) if b not in plain)})
    return table


def tokenizer_json():
    table = bytes_to_characters()
    vocabulary = {table[byte]: byte for byte in range(256)}
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("i", "n"), ("Ġ", "in"), ("i", "s"), ("c", "u"), ("cu", "p"),
              ("Ġ", "s"), ("s", "e"), ("Ġ", "a"), ("e", "d")]
    for left, right in merges:
        vocabulary.setdefault(left + right, len(vocabulary))
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
               r"|\s+(?!\S)|\s+")
    added = [{"id": len(vocabulary) + i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i, text in enumerate(SPECIALS)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": {"type": "NFC"},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
                byte_level]},
            "post_processor": byte_level, "decoder": byte_level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                      "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "vocab": vocabulary,
                      "merges": [list(pair) for pair in merges]}}


def rounded(weights):
    return {name: w.detach().bfloat16().float() for name, w in weights.items()}


def tower_checkpoint(ours, layers):
    """towers.py's names to InternViT's, queries, keys and values fused."""
    out = {"embeddings.class_embedding": ours["v.class_embd"].reshape(1, 1, WIDTH),
           "embeddings.position_embedding": ours["v.position_embd.weight"].unsqueeze(0),
           "embeddings.patch_embedding.weight": ours["v.patch_embd.weight"],
           "embeddings.patch_embedding.bias": ours["v.patch_embd.bias"]}
    for i in range(layers):
        for end in ("weight", "bias"):
            part = lambda name: ours[f"v.blk.{i}.{name}.{end}"]
            out[f"encoder.layers.{i}.attn.qkv.{end}"] = torch.cat([part("attn_q"), part("attn_k"), part("attn_v")])
            for name, theirs in (("attn_out", "attn.proj"), ("ffn_up", "mlp.fc1"), ("ffn_down", "mlp.fc2"),
                                 ("ln1", "norm1"), ("ln2", "norm2")):
                out[f"encoder.layers.{i}.{theirs}.{end}"] = part(name)
        for name in ("ls1", "ls2"):
            out[f"encoder.layers.{i}.{name}"] = ours[f"v.blk.{i}.{name}.weight"]
    projector = {f"mlp1.{n}.{end}": ours[f"mm.model.mlp.{n}.{end}"] for n in (0, 1, 3) for end in ("weight", "bias")}
    return {**{"vision_model." + name: w for name, w in out.items()}, **projector}


def see(ours, pixels):
    grid = SIDE // PATCH
    patches = F.conv2d(pixels, ours["v.patch_embd.weight"], ours["v.patch_embd.bias"], stride=PATCH)
    x = torch.cat([ours["v.class_embd"], patches[0].flatten(1).T]) + ours["v.position_embd.weight"]
    for i in range(LAYERS):
        x = towers.intern_layer(x, ours, i)
    cells = x[1:]
    square = cells.reshape(grid // 2, 2, grid // 2, 2, WIDTH).permute(0, 2, 1, 3, 4).reshape(-1, 4 * WIDTH)
    y = F.layer_norm(square, (4 * WIDTH,), ours["mm.model.mlp.0.weight"], ours["mm.model.mlp.0.bias"], 1e-5)
    y = F.gelu(F.linear(y, ours["mm.model.mlp.1.weight"], ours["mm.model.mlp.1.bias"]))
    return cells, F.linear(y, ours["mm.model.mlp.3.weight"], ours["mm.model.mlp.3.bias"])


def draw_picture(path):
    y, x = np.mgrid[0:70, 0:90]
    picture = np.stack([120 + 100 * np.sin(x / 9), 120 + 100 * np.cos((x + y) / 13), 3 * y], 2).clip(0, 255)
    picture[20:50, 30:60] = (220, 40, 30)
    Image.fromarray(picture.astype(np.uint8)).save(path)


def read_pixels(path):
    small = Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.BICUBIC)
    x = torch.from_numpy(np.asarray(small).copy()).float().permute(2, 0, 1) / 255
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((x - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)).unsqueeze(0)


def prompt(task, text, image_tokens):
    if task == "find":
        text = text.lower().strip().strip(".")
        question, answer = f"\n What are {text}in this image? Please output segmentation masks.", f"Sure,{text}:"
    else:
        question, answer = f"\n {text} Please output segmentation mask.", ""
    user = "<img>" + "<IMG_CONTEXT>" * image_tokens + "</img>" + question
    return [f"<|im_start|>system\n{SYSTEM}<|im_end|>\n", f"<|im_start|>user\n{user}<|im_end|>\n",
            f"<|im_start|>assistant\n{answer}"]


def expected(model, decoder, ours, tokenizer, pixels):
    out = {}
    context = tokenizer.token_to_id("<IMG_CONTEXT>")
    cells, image = see(ours, pixels)
    for task, texts in QUESTIONS.items():
        for n, text in enumerate(texts):
            ids = [i for turn in prompt(task, text, len(image)) for i in tokenizer.encode(turn).ids]
            x = model.model.embed_tokens(torch.tensor(ids)).clone()
            places = [i for i, token in enumerate(ids) if token == context]
            x[places] = image
            states = model.model(inputs_embeds=x.unsqueeze(0)).last_hidden_state[0]
            before = states[[p - 1 for p in places]]
            step = heads.Steps()
            mask = decoder(cells.double().unsqueeze(0), before.double().unsqueeze(0), states[-1:].double(),
                           SIDE // PATCH, step)
            out[f"{task}.{n}.ids"] = torch.tensor(ids).float()
            out[f"{task}.{n}.state"] = states[-1]
            out[f"{task}.{n}.probability"] = mask[0, 0].float()
    return out


def write_config(folder, rank):
    vision = {"model_type": "intern_vit_6b", "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
              "num_attention_heads": 4, "intermediate_size": 48, "image_size": SIDE, "patch_size": PATCH,
              "hidden_act": "gelu", "layer_norm_eps": 1e-6, "norm_type": "layer_norm", "qkv_bias": True,
              "qk_normalization": False}
    language = {"model_type": "qwen2", "hidden_size": STATE, "num_hidden_layers": LAYERS, "num_attention_heads": 4,
                "num_key_value_heads": 2, "intermediate_size": 64, "rms_norm_eps": 1e-6, "rope_theta": 1e6,
                "hidden_act": "silu", "max_position_embeddings": 1024, "tie_word_embeddings": True,
                "use_sliding_window": False}
    config = {"model_type": "internvl_chat", "vision_config": vision, "llm_config": language, "downsample_ratio": 0.5,
              "ps_version": "v2", "select_layer": -1, "force_image_size": SIDE, "use_llm_lora": rank}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(), ensure_ascii=False) + "\n")


def with_lora(language, rank, random):
    """The seven projections of every layer as peft leaves them unmerged, and what they come to."""
    apart, merged = {}, {}
    for name, w in language.items():
        layer, end = name.rsplit(".", 1)
        if ".layers." not in name or "proj" not in name:
            apart[name], merged[name] = w, w
            continue
        apart[f"{layer}.base_layer.{end}"] = merged[name] = w
        if end == "weight":
            a, b = torch.randn(rank, w.shape[1], generator=random), torch.randn(w.shape[0], rank, generator=random)
            pair = rounded({"a": a / w.shape[1] ** 0.5, "b": 0.2 * b})
            apart[f"{layer}.lora_A.default.weight"], apart[f"{layer}.lora_B.default.weight"] = pair["a"], pair["b"]
            merged[name] = w + 2 * pair["b"] @ pair["a"]
    return apart, merged


def mllmseg(folder, rank):
    random = torch.Generator().manual_seed(7 + rank)
    folder.mkdir(parents=True, exist_ok=True)
    write_config(folder, rank)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ours = rounded(towers.intern_weights(LAYERS, PATCH, SIDE // PATCH, False, random))
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=VOCABULARY, hidden_size=STATE, num_hidden_layers=LAYERS,
                                         num_attention_heads=4, num_key_value_heads=2, intermediate_size=64,
                                         rope_parameters={"rope_type": "default", "rope_theta": 1e6},
                                         max_position_embeddings=1024, tie_word_embeddings=False,
                                         attn_implementation="eager")).eval()
    towers.randomise(model, random)
    language = rounded(dict(model.state_dict()))
    apart, merged = with_lora(language, rank, random) if rank else (language, language)
    model.load_state_dict(merged)
    decoder = heads.ResDecoder(WIDTH, STATE, heads=8, mlp=WIDTH, groups=4, patch=PATCH).double().eval()
    heads.randomise(decoder, random)
    decoder.load_state_dict({k: v.bfloat16().double() if v.is_floating_point() else v
                             for k, v in decoder.state_dict().items()})
    prefix = "language_model.base_model.model." if rank else "language_model."
    checkpoint = {**tower_checkpoint(ours, LAYERS), **{prefix + name: w for name, w in apart.items()}}
    for name, w in decoder.state_dict().items():
        checkpoint["res_decoder." + name] = w
    checkpoint["res_decoder.upsample_adapter_l.init_pos"] = torch.zeros(1, 32, 1, 1)
    checkpoint = {name: w.bfloat16().contiguous() if w.is_floating_point() else w for name, w in checkpoint.items()}
    if rank:
        torch.save(checkpoint, folder / "pytorch_model.bin")
    else:
        save_file(checkpoint, folder / "model.safetensors")
    picture = folder.parent / "picture.png"
    draw_picture(picture)
    result = expected(model, decoder, ours, tokenizer, read_pixels(picture))
    save_file({name: t.contiguous() for name, t in result.items()}, folder / "expected.safetensors")


def llama(folder):
    random = torch.Generator().manual_seed(3)
    (folder / "lora").mkdir(parents=True, exist_ok=True)
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 64}
    sizes = {"vocab_size": VOCABULARY, "hidden_size": STATE, "num_hidden_layers": 2, "num_attention_heads": 4,
             "num_key_value_heads": 2, "intermediate_size": 64, "rms_norm_eps": 1e-5, "max_position_embeddings": 512,
             "tie_word_embeddings": False}
    model = LlamaForCausalLM(LlamaConfig(**sizes, rope_parameters={**scaling, "rope_theta": 5e5},
                                         attn_implementation="eager")).eval()
    towers.randomise(model, random)
    weights = rounded(dict(model.state_dict()))
    config = {"model_type": "llama", **sizes, "rope_theta": 5e5, "rope_scaling": scaling, "hidden_act": "silu",
              "attention_bias": False}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(), ensure_ascii=False) + "\n")
    save_file({name: w.bfloat16() for name, w in weights.items()}, folder / "model.safetensors")
    rank, alpha, adapters, adapted = 2, 6, {}, dict(weights)
    for name, w in weights.items():
        if not name.endswith(("q_proj.weight", "v_proj.weight")):
            continue
        pair = rounded({"a": torch.randn(rank, w.shape[1], generator=random) / w.shape[1] ** 0.5,
                        "b": 0.3 * torch.randn(w.shape[0], rank, generator=random)})
        layer = "base_model.model." + name.removesuffix(".weight")
        adapters[layer + ".lora_A.weight"], adapters[layer + ".lora_B.weight"] = pair["a"], pair["b"]
        adapted[name] = w + alpha / rank * pair["b"] @ pair["a"]
    save_file(adapters, folder / "lora" / "adapter_model.safetensors")
    (folder / "lora" / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "r": rank, "lora_alpha": alpha, "target_modules": ["q_proj", "v_proj"]}) + "\n")
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(" the cup is in the red cup, and it is seen.").ids
    result = {"ids": torch.tensor(ids).float()}
    for name, state in (("logits", weights), ("adapted", adapted)):
        model.load_state_dict(state)
        result[name] = model(torch.tensor([ids])).logits[0].contiguous()
    save_file(result, folder / "expected.safetensors")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    llama(pathlib.Path(sys.argv[1]) / "llama")
    mllmseg(pathlib.Path(sys.argv[1]) / "mllmseg", 0)
    mllmseg(pathlib.Path(sys.argv[1]) / "mllmseg_lora", 4)
