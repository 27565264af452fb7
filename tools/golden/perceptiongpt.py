#!/usr/bin/env python3
"""Golden file of a whole PerceptionGPT: tests/vectors/families/perceptiongpt/expected.safetensors.

Run with PyTorch 2.15.0, transformers 5.23.0, sentencepiece 0.2.3, safetensors 0.8.0 and Pillow 13.0.0:
  python3 tools/golden/perceptiongpt.py tests/vectors
The tests need no Python.

The three checkpoints (LLaMA, CLIP, and what was trained) are too large to be kept here: many of their sizes are
constants of the released code. Their numbers come from `weight`, which tests/support/perceptiongpt.c has too. Kept are
the few numbers that make the model say a given answer, ids, boxes, and every 7th of each mask's logits. Plain PyTorch in
double precision from the paper's description; the language model is transformers' LLaMA, the tower transformers' CLIP,
heads heads.py's, the words SentencePiece's."""
import pathlib
import re
import sys

import numpy as np
import sentencepiece
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

import heads
import towers

SIDE, STATE, WIDTH, LAYERS, RANK, ALPHA = 224, 64, 64, 2, 16, 64
TOWER_LAYERS = 4  # the last is never computed
ADDED = ["<im_patch>", "<im_start>", "<im_end>", "<loc>", "<obj_vis_s>", "<obj_vis_e>", "<obj_text_s>", "<obj_text_e>"]
SYSTEM = ("A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
          "detailed, and polite answers to the user's questions.")
BOX = [0.25, 0.125, 0.75, 0.625]
FIND = "Where is <obj_text_s>{}<obj_text_e> in this picture? Mark every one."
REGION = "<obj_vis_s><loc><obj_vis_e>"
ANSWER = "the <obj_text_s>cup<obj_text_e><obj_vis_s><loc>;<loc><obj_vis_e>"
# name: turns of the conversation before its last answer, and the regions that the user shows
TALKS = {
    "find": ([FIND.format("the red cup")], []),
    "ask": (["what is on the table?"], []),
    "describe": (["Describe the picture in one sentence and mark everything that you name."], []),
    "name": ([f"What is {REGION}?"], [BOX]),
    "outline": ([f"outline {REGION}   and the box"], [BOX]),
    "dialogue": ([f"What is {REGION}?", "where is it?"], [BOX]),
    "again": (["what is on the table?", "where is it?"], []),
    "other": ([FIND.format("a blue circle")], []),
}


# ---- numbers of the checkpoints -------------------------------------------------------------------------------------


def weight(name, shape):
    """Bytes of a hash of name and index, as whole parts of a power of two."""
    start = 2166136261
    for byte in name.encode():
        start = (start ^ byte) * 16777619 & 0xFFFFFFFF
    count, fan = int(np.prod(shape)), int(np.prod(shape[1:]))
    x = (np.arange(count, dtype=np.uint64) * 0x9E3779B9 + start & 0xFFFFFFFF).astype(np.uint64)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ x >> np.uint64(shift)) * np.uint64(factor) & np.uint64(0xFFFFFFFF)
    value = ((x >> np.uint64(24)).astype(np.float64) - 128) / 128
    if name.endswith("running_var"):
        value = 0.75 + value / 4
    elif re.search(r"merge_coef|embed_tokens|class_embedding", name):
        pass
    elif len(shape) == 1:
        norm = re.search(r"norm\w*\.weight$|norm\.weight$|layer\d\.1\.weight$|downsample\.1\.weight$", name)
        value = (1.0 if norm else 0.0) + value / 4
    else:
        value = value / 2 ** (fan.bit_length() // 2 - 1)
    return torch.from_numpy(value.reshape(shape))


def fill(module, rename=lambda name: name):
    state = {}
    for name, tensor in module.state_dict().items():
        state[name] = weight(rename(name), tuple(tensor.shape)) if tensor.is_floating_point() else tensor
    module.load_state_dict(state)
    return module


class Model:
    def __init__(self, folder, forced):
        pieces = folder / "tokenizer/spm/tokenizer.model"
        self.words = sentencepiece.SentencePieceProcessor(model_file=str(pieces))
        self.size = self.words.get_piece_size()
        self.specials = {"<s>": 1, "</s>": 2, **{text: self.size + i for i, text in enumerate(ADDED)}}
        vocabulary = self.size + len(ADDED)
        config = LlamaConfig(vocab_size=vocabulary, hidden_size=STATE, num_hidden_layers=LAYERS, num_attention_heads=4,
                             num_key_value_heads=4, intermediate_size=96, rms_norm_eps=1e-6,
                             rope_parameters={"rope_type": "default", "rope_theta": 1e4}, max_position_embeddings=1024,
                             tie_word_embeddings=False, attn_implementation="eager")
        self.language = fill(LlamaForCausalLM(config).double().eval())
        self.adapt()
        self.language.model.embed_tokens.weight.copy_(weight("model.base_model.model.embed_tokens.weight",
                                                             (vocabulary, STATE)))
        self.boxes = heads.Boxes(STATE, 512).double()
        fill(self.boxes)
        self.boxes.bbox_decoder.layers[2].bias.copy_(forced["forced.box"].double())
        for token, row in zip(forced["forced.ids"].int().tolist(), forced["forced.rows"].double()):
            self.language.lm_head.weight[token] = row
        self.mask = heads.MaskHead(STATE, WIDTH, heads=8, mlp=2 * WIDTH, channels=128).double().eval()
        fill(self.mask)
        self.places = heads.coded_positions(SIDE // 8, WIDTH)

    def adapt(self):
        """LoRA of the queries and values."""
        for i, layer in enumerate(self.language.model.layers):
            for name in ("q_proj", "v_proj"):
                base = f"model.base_model.model.layers.{i}.self_attn.{name}.lora_"
                a = weight(base + "A.default.weight", (RANK, STATE))
                b = weight(base + "B.default.weight", (STATE, RANK))
                getattr(layer.self_attn, name).weight.add_(ALPHA / RANK * b @ a)

    def see(self, pixels):
        config = CLIPVisionConfig(hidden_size=WIDTH, intermediate_size=96, num_hidden_layers=TOWER_LAYERS,
                                  num_attention_heads=4, image_size=SIDE, patch_size=14, hidden_act="quick_gelu",
                                  layer_norm_eps=1e-5, attn_implementation="eager")
        tower = CLIPVisionModel(config).double().eval()
        fill(tower, lambda name: "vision_model." + name.removeprefix("vision_model."))
        inner = getattr(tower, "vision_model", tower)
        kernel, table = inner.embeddings.patch_embedding.weight, inner.embeddings.position_embedding.weight
        patches = F.conv2d(pixels, kernel, stride=14).flatten(2).transpose(1, 2)
        coarse = towers.clip_states(tower, patches, table, TOWER_LAYERS - 1)
        kernel, table = towers.resampled(kernel, table, SIDE)
        patches = F.conv2d(pixels, kernel, stride=8).flatten(2).transpose(1, 2)
        fine = towers.clip_states(tower, patches, table, TOWER_LAYERS - 1)
        seen = towers.merge(coarse, weight("merge_coef_lower", (TOWER_LAYERS,)))[0, 1:]
        base = "model.base_model.model.mm_projector."
        self.image = F.linear(seen, weight(base + "weight", (STATE, WIDTH)), weight(base + "bias", (STATE,)))
        self.cells = towers.merge(fine, weight("merge_coef_higher", (TOWER_LAYERS,)))[:, 1:]

    def encode(self, text):
        """LLaMA's first tokenizer: special tokens cut the text, white space beside them goes, each piece is encoded
        for itself."""
        ids = [1]
        for piece in re.split("(" + "|".join(map(re.escape, self.specials)) + ")", text):
            if piece in self.specials:
                ids.append(self.specials[piece])
            elif piece.strip():
                ids += self.words.encode(piece.strip())
        return ids

    def prompt(self, turns):
        image = "<im_start>" + "<im_patch>" * len(self.image) + "<im_end> "
        text = SYSTEM + " "
        for i, turn in enumerate(turns):
            text += f"USER: {image if i == 0 else ''}{turn} ASSISTANT:" + (f" {ANSWER}</s>" if i + 1 < len(turns) else "")
        return self.encode(text)

    def state(self, ids, boxes):
        tokens = torch.tensor(ids)
        x = self.language.model.embed_tokens(tokens).clone()
        x[tokens == self.specials["<im_patch>"]] = self.image
        if boxes:
            x[tokens == self.specials["<loc>"]] = self.boxes.bbox_encoder(torch.stack(boxes))
        return self.language.model(inputs_embeds=x.unsqueeze(0)).last_hidden_state[0, -1]

    def answer(self, ids, boxes, script=None):
        """Chosen ids, the boxes of the objects among them and the states that chose; script: ids to choose."""
        ids, boxes, states, said, made = list(ids), list(boxes), [], [], []
        while True:
            h = self.state(ids, boxes)
            states.append(h)
            logits = self.language.lm_head(h)
            token = script[len(said)] if script else int(logits.argmax())
            if token == self.specials["<loc>"]:
                box = torch.sigmoid(self.boxes.bbox_decoder(h))
                made.append((box, h))
                boxes.append(box)
            ids.append(token)
            said.append(token)
            if token == 2 or len(said) > 30:
                return said, made, states

    def draw(self, states):
        keys = self.mask.visual_adaptor(self.cells).expand(len(states), -1, -1)
        return self.mask.mask_decoder(self.mask.decoder_mapping(torch.stack(states)), keys, self.places, SIDE // 8,
                                      heads.Steps())


def regions_before(model, turns, regions):
    """The regions of the user's, and those of the answers in earlier turns, in the order of the text."""
    boxes = [torch.tensor(box).double() for box in regions]
    for n in range(1, len(turns)):
        _, made, _ = model.answer(model.prompt(turns[:n]), boxes, model.encode(ANSWER)[1:] + [2])
        boxes += [box for box, _ in made]
    return boxes


def read_pixels(path):
    picture = Image.open(path).convert("RGB")
    side = max(picture.size)
    square = Image.new("RGB", (side, side), (255, 255, 255))
    square.paste(picture, tuple((side - n) // 2 for n in picture.size))
    x = torch.from_numpy(np.asarray(square.resize((SIDE, SIDE), Image.BICUBIC)).copy()).double().permute(2, 0, 1) / 255
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).double()
    deviation = torch.tensor([0.26862954, 0.26130258, 0.27577711]).double()
    return ((x - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)).unsqueeze(0)


def force(folder, pixels):
    """Rows of lm_head under which every talk is answered with ANSWER, from the states along it."""
    forced = {"forced.ids": torch.zeros(0), "forced.rows": torch.zeros(0, STATE),
              "forced.box": torch.tensor([-1.0, -1.25, 1.0, 0.75])}
    model = Model(folder, forced)
    model.see(pixels)
    script = model.encode(ANSWER)[1:] + [2]
    states, targets = [], []
    for turns, regions in TALKS.values():
        _, _, passed = model.answer(model.prompt(turns), regions_before(model, turns, regions), script)
        states += passed
        targets += script
    x, ids = torch.stack(states), sorted(set(script))
    rows = torch.zeros(len(ids), STATE, dtype=torch.float64, requires_grad=True)
    wanted, others = torch.tensor([ids.index(token) for token in targets]), model.language.lm_head(x)
    others[:, ids] = -1e9
    optimiser = torch.optim.Adam([rows], lr=0.05)
    with torch.enable_grad():
        for _ in range(1500):
            logits = torch.cat([x @ rows.T - 8 * F.one_hot(wanted, len(ids)), others], 1)  # a margin of 8
            optimiser.zero_grad()
            F.cross_entropy(logits, wanted).backward()
            optimiser.step()
    rows = rows.detach()
    return {**forced, "forced.ids": torch.tensor(ids).float(), "forced.rows": rows.float()}


def margin(model, states, script):
    logits = torch.stack([model.language.lm_head(h) for h in states])
    of = logits[range(len(script)), script].clone()
    logits[range(len(script)), script] = -1e9
    return float((of - logits.max(1).values).min())


def main(folder):
    folder = pathlib.Path(folder)
    pixels = read_pixels(folder / "families/picture.png")
    out = force(folder, pixels)
    model = Model(folder, out)
    model.see(pixels)
    script = model.encode(ANSWER)[1:] + [2]
    for name, (turns, regions) in TALKS.items():
        ids, boxes = model.prompt(turns), regions_before(model, turns, regions)
        said, made, states = model.answer(ids, boxes)
        if said != script:
            raise SystemExit(f"{name}: says {said}, not {script}")
        print(f"{name}: {len(ids)} ids, margin {margin(model, states, script):.2f}", file=sys.stderr)
        out[f"{name}.ids"], out[f"{name}.said"] = torch.tensor(ids), torch.tensor(said)
        out[f"{name}.boxes"] = torch.stack([box for box, _ in made])
        if name in ("find", "name"):
            logits = model.draw([h for _, h in made])
            out[f"{name}.masks"], out[f"{name}.largest"] = logits[:, ::7, ::7], logits.abs().max()
            print(f"  share inside: {[float((m > 0).double().mean()) for m in logits]}", file=sys.stderr)
        print(f"  boxes {out[name + '.boxes'].tolist()}", file=sys.stderr)
    path = folder / "families/perceptiongpt"
    path.mkdir(exist_ok=True)
    save_file({name: t.float().contiguous() for name, t in out.items()}, path / "expected.safetensors")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main(sys.argv[1])
