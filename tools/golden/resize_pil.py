#!/usr/bin/env python3
"""Golden files of bicubic resizing: tests/vectors/image/bicubic_*.png.

Run with Pillow (made with 13.0.0) and NumPy (2.4.6):  python3 tools/golden/resize_pil.py tests/vectors/image
The tests need no Python: they read the committed files."""
import sys

import numpy as np
from PIL import Image

CASES = [  # name, width, height, new width, new height, kind
    ("down", 61, 43, 24, 16, "noise"),
    ("up", 9, 7, 31, 22, "noise"),
    ("mixed", 40, 12, 17, 30, "edges"),
    ("huge", 96, 64, 3, 2, "noise"),
    ("same", 20, 14, 20, 9, "edges"),
    ("one", 1, 5, 4, 4, "noise"),
]
PADDED = [("pad_wide", 50, 21, 24), ("pad_tall", 19, 44, 24), ("pad_odd", 33, 32, 64)]
SQUASHED = [("squash_wide", 71, 30, 28), ("squash_small", 13, 9, 28), ("squash_row", 37, 1, 16),
            ("squash_column", 1, 41, 16), ("squash_dot", 1, 1, 8)]
PADDED_LATER = [("pad_row", 45, 1, 16), ("pad_column", 1, 30, 16)]


def picture(width, height, kind, random):
    if kind == "noise":
        return random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    y, x = np.mgrid[0:height, 0:width]
    checks = np.where(((x // 3) + (y // 2)) % 2 == 0, 255, 0)
    return np.stack([checks, 255 - checks, (x * 6 + y) % 256], axis=2).astype(np.uint8)


def main(folder):
    random = np.random.default_rng(7)
    for name, width, height, new_width, new_height, kind in CASES:
        image = Image.fromarray(picture(width, height, kind, random))
        image.save(f"{folder}/bicubic_{name}_in.png")
        image.resize((new_width, new_height), Image.Resampling.BICUBIC).save(f"{folder}/bicubic_{name}_out.png")
    pad(folder, PADDED, random)
    for name, width, height, side in SQUASHED:
        image = Image.fromarray(picture(width, height, "noise", random))
        image.save(f"{folder}/bicubic_{name}_in.png")
        image.resize((side, side), Image.Resampling.BICUBIC).save(f"{folder}/bicubic_{name}_out.png")
    pad(folder, PADDED_LATER, random)


def pad(folder, cases, random):
    for name, width, height, side in cases:
        image = Image.fromarray(picture(width, height, "noise", random))
        square = max(width, height)
        canvas = Image.new("RGB", (square, square), (255, 255, 255))
        canvas.paste(image, ((square - width) // 2, (square - height) // 2))
        image.save(f"{folder}/bicubic_{name}_in.png")
        canvas.resize((side, side), Image.Resampling.BICUBIC).save(f"{folder}/bicubic_{name}_out.png")


if __name__ == "__main__":
    main(sys.argv[1])
