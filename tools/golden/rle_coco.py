#!/usr/bin/env python3
"""Golden file of COCO run lengths: tests/vectors/image/rle.txt.

Run with pycocotools (made with 2.0.11) and NumPy (2.4.6):  python3 tools/golden/rle_coco.py tests/vectors/image/rle.txt
One case a line:
  mask WIDTH HEIGHT BITS STRING AREA X Y W H        (BITS row by row)
  pair STRING STRING WIDTH HEIGHT UNION INTERSECTION IOU CROWD_IOU
  polygon WIDTH HEIGHT STRING COUNT X Y X Y ..."""
import sys

import numpy as np
from pycocotools import mask as coco


def encode(bits):
    return coco.encode(np.asfortranarray(bits.astype(np.uint8)))


def main(path):
    random = np.random.default_rng(11)
    lines = []
    sizes = [(1, 1), (1, 9), (9, 1), (5, 4), (16, 16), (33, 21), (70, 40)]
    for width, height in sizes:
        kinds = [np.zeros((height, width)), np.ones((height, width)), random.random((height, width)) < 0.5]
        y, x = np.mgrid[0:height, 0:width]
        kinds.append((x - width / 2) ** 2 / (width / 3) ** 2 + (y - height / 2) ** 2 / (height / 3) ** 2 <= 1)
        kinds.append(x >= width // 2)
        for bits in kinds:
            rle = encode(bits)
            text = "".join("1" if b else "0" for b in bits.reshape(-1))
            box = " ".join(f"{v:g}" for v in coco.toBbox(rle))
            lines.append(f"mask {width} {height} {text} {rle['counts'].decode()} {coco.area(rle)} {box}")
        a, b = encode(kinds[2]), encode(kinds[3])
        union, common = coco.merge([a, b]), coco.merge([a, b], intersect=True)
        iou = coco.iou([a], [b], [0])[0][0]
        crowd = coco.iou([a], [b], [1])[0][0]
        names = " ".join(r["counts"].decode() for r in (a, b))
        lines.append(f"pair {names} {width} {height} {union['counts'].decode()} {common['counts'].decode()}"
                     f" {iou:.17g} {crowd:.17g}")
    polygons = [
        (20, 15, [2, 3, 17, 4, 10, 13]),
        (20, 15, [0, 0, 20, 0, 20, 15, 0, 15]),
        (20, 15, [3, 2, 3, 9, 8, 9, 8, 2]),
        (20, 15, [-4.5, -3.2, 26.1, 7.7, 5.5, 21.3]),
        (20, 15, [1.2, 1.7, 18.4, 13.1, 18.3, 2.9, 2.2, 12.6]),
        (7, 31, [0.5, 0.5, 6.5, 30.5, 6.5, 15]),
        (64, 48, [30.25, 2.5, 35.75, 18.5, 60.5, 20.25, 40.5, 30.75, 45.25, 46.5, 30.5, 36.5, 12.5, 45.75, 20.25, 29.5,
                  2.5, 20.5, 25.5, 18.25]),
    ]
    for _ in range(12):
        width, height, points = int(random.integers(4, 50)), int(random.integers(4, 50)), int(random.integers(3, 9))
        xy = (random.random((points, 2)) * [width * 1.2, height * 1.2] - [width * 0.1, height * 0.1]).round(2)
        polygons.append((width, height, xy.reshape(-1).tolist()))
    for width, height, points in polygons:
        rle = coco.frPyObjects([points], height, width)[0]
        numbers = " ".join(f"{v:g}" for v in points)
        lines.append(f"polygon {width} {height} {rle['counts'].decode()} {len(points) // 2} {numbers}")
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
