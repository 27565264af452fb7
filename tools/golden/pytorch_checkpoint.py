"""Makes tests/vectors/pytorch/*.pt and what they must read as, with PyTorch 2.15.0.

    python3 -m pip install torch==2.15.0 numpy
    python3 tools/golden/pytorch_checkpoint.py

small.pt: every storage type, a view of a part, a transposed and an expanded one, parameters, shared storages, dicts in dicts.
strange.pt: the same file with an object that percept refuses by name. small.txt: a line a tensor: name, type, shape, the
row-major elements.
"""
import argparse
import pathlib

import torch

folder = pathlib.Path(__file__).resolve().parents[2] / "tests/vectors/pytorch"
folder.mkdir(parents=True, exist_ok=True)
base = torch.arange(24, dtype=torch.float32) / 8 - 1
model = {
    "embed.weight": torch.nn.Parameter(base.view(4, 6)),
    "head.weight": base.view(4, 6)[1:3],          # shares the storage
    "turned": base.view(4, 6).t(),                # strides 1, 6
    "middle": base.view(2, 3, 4)[:, 1:, ::2],     # strides 12, 4, 2
    "wide": torch.tensor([3.0, 5.0]).unsqueeze(1).expand(2, 3),
    "scalar": torch.tensor(7, dtype=torch.int64),
    "empty": torch.zeros(0, 5),
    "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
    "brain": torch.tensor([1.5, -2.0, 0.25], dtype=torch.bfloat16),
    "double": torch.tensor([0.1], dtype=torch.float64),
    "int": torch.tensor([-3, 70000], dtype=torch.int32),
    "short": torch.tensor([-3, 700], dtype=torch.int16),
    "char": torch.tensor([-3, 7], dtype=torch.int8),
    "byte": torch.tensor([3, 200], dtype=torch.uint8),
    "bool": torch.tensor([True, False]),
}
layer = torch.nn.Linear(3, 2)
with torch.no_grad():
    layer.weight.copy_(base[:6].view(2, 3))
    layer.bias.copy_(base[6:8])
whole = {"model": model, "layers": [layer.state_dict(), None], "epoch": 3, "loss": 0.5, "name": "nano", "done": False}
torch.save(whole, folder / "small.pt")
torch.save({**whole, "arguments": argparse.Namespace(rate=1e-3)}, folder / "strange.pt")

names = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64",
         torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}
found = {f"model.{k}": v for k, v in model.items()}
found.update({f"layers.0.{k}": v for k, v in layer.state_dict().items()})
with open(folder / "small.txt", "w") as out:
    for name in sorted(found):
        tensor = found[name].detach()
        elements = " ".join(repr(float(x)) for x in tensor.reshape(-1).tolist())
        print(name, names[tensor.dtype], "x".join(map(str, tensor.shape)) or "-", elements, file=out)
