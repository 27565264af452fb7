#!/usr/bin/env python3
"""Whole pictures that hold the things of render.py: usage: tabletop.py ASSETS OUT [COUNT]

COUNT (24) pictures of 640 x 480 pixels of a table with three to six of the things on it, seen by one camera under one
light, some partly hidden, with shadows, noise and JPEG; none of it is percept's own scene composer. OUT becomes a data
set (images/, data.jsonl) with the true boxes and masks, and questions about what is there and what is not. Fixed seed.
Needs NumPy and Pillow. Things lie or stand as their files have them, as in the cut-outs; between their true sizes,
which differ sixfold, and equal ones."""
import json
import os
import sys

import numpy as np
from PIL import Image, ImageFilter

from render import SCALE, THINGS, about, lit, load, splat

WIDTH, HEIGHT = 640, 480
FOCAL = 740.0  # pixels


def rle(mask):
    """COCO's run lengths by columns, packed in printable characters."""
    flat = np.concatenate([[0], mask.T.reshape(-1).astype(int), [-1]])
    changes = np.flatnonzero(np.diff(flat))
    counts = np.diff(np.concatenate([[0], changes])).tolist()  # zeros first; the -1 ends the last run
    text = ""
    for i, count in enumerate(counts):
        x = count - counts[i - 2] if i > 2 else count
        more = True
        while more:
            c = x & 31
            x >>= 5
            more = x != -1 if c & 16 else x != 0
            text += chr((c | 32 if more else c) + 48)
    return text


def noise(rng, rows, columns, height, width):
    """Smooth noise, about -1..1, of so many knots."""
    knots = Image.fromarray(rng.uniform(-1, 1, (rows, columns)).astype(np.float32))
    return np.array(knots.resize((width, height), Image.BICUBIC), dtype=np.float64)


class Camera:
    """At (0, -away, high), looking down at the middle of the table; x right, z up."""

    def __init__(self, rng):
        self.turn = about(0, rng.uniform(22, 38) - 90)  # as in draw(): then x right, y up, z to the eye
        self.away = rng.uniform(3.2, 3.8)

    def see(self, p):
        q = p @ self.turn.T
        depth = self.away - q[:, 2]
        return WIDTH / 2 + FOCAL * q[:, 0] / depth, HEIGHT * 0.55 - FOCAL * q[:, 1] / depth, depth

    def table(self):
        """Where every pixel's ray meets the table: x, y; nan above the horizon."""
        column, row = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
        ray = np.stack([(column - WIDTH / 2) / FOCAL, (HEIGHT * 0.55 - row) / FOCAL, -np.ones_like(row)], -1) @ self.turn
        eye = np.array([0, 0, self.away]) @ self.turn
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(ray[..., 2] < -1e-6, -eye[2] / ray[..., 2], np.nan)
        return eye[0] + t * ray[..., 0], eye[1] + t * ray[..., 1]


def paint_room(rng, camera):
    """A wooden or plain table before a plain wall with soft, blurred patches."""
    x, y = camera.table()
    wall = rng.uniform(80, 220) + rng.uniform(-25, 25, 3) + 25 * noise(rng, 4, 5, HEIGHT, WIDTH)[..., None] * rng.uniform(0.3, 1, 3)
    base = np.array([[150, 105, 65], [190, 155, 115], [95, 65, 45], [205, 200, 190], [120, 125, 130]][rng.integers(5)])
    size = 900
    grain = 14 * noise(rng, 60, 4, size, size) + 8 * noise(rng, 300, 6, size, size) + 3 * noise(rng, 450, 450, size, size)
    u, v = (np.nan_to_num(np.abs(a * 140 + 450)).astype(int) % (2 * size - 2) for a in (x, y))
    u, v = np.where(u < size, u, 2 * size - 2 - u), np.where(v < size, v, 2 * size - 2 - v)
    table = base + grain[v, u][..., None] * rng.uniform(0.5, 1.3) + 12 * noise(rng, 3, 4, HEIGHT, WIDTH)[..., None]
    edge = rng.uniform(2.6, 3.6)  # the table's far end
    on = np.clip((edge - np.nan_to_num(y, nan=99.0)) * 60, 0, 1)[..., None]
    return on * table + (1 - on) * wall


def arrange(rng, things):
    """Names with their points in the room, the nearest last."""
    names = list(rng.permutation(list(THINGS))[:rng.integers(3, 7)])
    middle = np.median([things[n][3] for n in things])
    placed = []
    for name in names:
        place, normal, colour, diagonal = things[name]
        size = 1.05 * np.clip(diagonal / middle, 0.4, 2.2) ** 0.35 * rng.uniform(0.9, 1.1)
        turn = about(2, rng.uniform(-55, 55))
        p = place * size @ turn.T
        p[:, 2] -= p[:, 2].min()
        reach = np.hypot(p[:, 0], p[:, 1]).max()
        for _ in range(400):
            at = np.array([rng.uniform(-1.15, 1.15), rng.uniform(-0.75, 1.5)])
            at[0] *= 1 + 0.25 * at[1]
            if all(np.hypot(*(at - other)) > 0.8 * (reach + far) for other, far, *_ in placed):
                placed.append((at, reach, name, p + np.array([at[0], at[1], 0]), normal @ turn.T, colour))
                break
    return sorted(placed, key=lambda one: -one[0][1])


def draw(x, y, depth, colour):
    """One thing's layer: only the window that it falls into is drawn."""
    layer = np.zeros((HEIGHT, WIDTH, 4))
    x0, x1 = (int(np.clip(v, 0, WIDTH)) for v in (np.floor(x.min()) - 2, np.ceil(x.max()) + 3))
    y0, y1 = (int(np.clip(v, 0, HEIGHT)) for v in (np.floor(y.min()) - 2, np.ceil(y.max()) + 3))
    if x1 > x0 and y1 > y0:
        layer[y0:y1, x0:x1] = splat((x - x0) * SCALE, (y - y0) * SCALE, depth, colour, x1 - x0, y1 - y0, 0.03)
    return layer


def compose(rng, things):
    camera = Camera(rng)
    picture = paint_room(rng, camera)
    light = np.array([rng.uniform(-0.7, 0.7), rng.uniform(-0.8, -0.1), 1.0])  # from there; towards the eye, as it is seen
    placed = arrange(rng, things)
    dark = np.zeros((HEIGHT, WIDTH))
    for *_, p, _, _ in placed:
        fallen = p - light * (p[:, 2:] / light[2])
        x, y, _ = camera.see(fallen)
        inside = (x >= 0) & (x < WIDTH) & (y >= 0) & (y < HEIGHT)
        dark[y[inside].astype(int), x[inside].astype(int)] = 255
    closed = Image.fromarray(dark.astype(np.uint8)).filter(ImageFilter.MaxFilter(3))
    soft = np.array(closed.filter(ImageFilter.GaussianBlur(rng.uniform(3, 7)))) / 255.0
    picture = picture * (1 - rng.uniform(0.35, 0.55) * soft[..., None])
    alphas, whole = [], []
    eye = np.array([0, 0, 1.0])
    for _, _, name, p, normal, colour in placed:
        x, y, depth = camera.see(p)
        n = normal @ camera.turn.T
        n = n * np.where(n @ eye < 0, -1.0, 1.0)[:, None]  # seen from either side
        layer = draw(x, y, depth, lit(colour, n, light @ camera.turn.T))
        alpha = layer[..., 3] / 255
        picture = picture * (1 - alpha[..., None]) + layer[..., :3] * alpha[..., None]
        alphas = [a * (1 - alpha) for a in alphas] + [alpha]
        whole.append((alpha >= 0.5).sum())
    seen = Image.fromarray(np.clip(picture + 0.5, 0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(rng.uniform(0.2, 0.7)))
    seen = np.array(seen, dtype=np.float64) + rng.normal(0, rng.uniform(1, 4), (HEIGHT, WIDTH, 3))
    seen = (seen - 128) * rng.uniform(0.9, 1.1) + 128 + rng.uniform(-12, 12)
    objects = []
    for (_, _, name, *_), alpha, all_of_it in zip(placed, alphas, whole):
        mask = alpha >= 0.5
        if not mask.any():
            continue
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = [int(v) for v in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)]
        visible = float(mask.sum() / max(all_of_it, 1))
        objects.append({"name": str(name), "phrases": [], "box": box, "mask": {"size": [HEIGHT, WIDTH], "counts": rle(mask)},
                        "style": "user", "visible": round(min(visible, 1.0), 4), "asked": visible >= 0.5})
    return Image.fromarray(np.clip(seen + 0.5, 0, 255).astype(np.uint8)), objects


def ask(rng, objects):
    def turn(task, name, answer, out, target):
        article = "an" if name[0] in "aeiou" else "a"
        return {"task": task, "q": f"where is the {name}?", "a": answer.format(name=name, a=article), "regions_in": [],
                "regions_out": out, "target": target, "follows": -1, "held_out": False}

    turns = [turn("refer", o["name"], "It is here: <p>the {name}</p><obj>.", [i], "")
             for i, o in enumerate(objects) if o["asked"]]
    absent = [n for n in THINGS if n not in [o["name"] for o in objects]]
    return turns + [turn("absent", str(n), "There is no {name} here.", [], "none") for n in rng.permutation(absent)[:3]]


def main():
    assets, out, count = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 24
    things = {name: load(os.path.join(assets, file), np.random.default_rng(5000 + i))
              for i, (name, file) in enumerate(THINGS.items())}
    os.makedirs(os.path.join(out, "images"), exist_ok=True)
    with open(os.path.join(out, "data.jsonl"), "w") as lines:
        for number in range(count):
            rng = np.random.default_rng(9000 + number)
            picture, objects = compose(rng, things)
            file = f"images/{number:02d}.jpg"
            picture.save(os.path.join(out, file), quality=int(rng.integers(80, 95)))
            lines.write(json.dumps({"image": file, "width": WIDTH, "height": HEIGHT, "split": "tabletop", "objects": objects,
                                    "turns": ask(rng, objects), "unsure": []}) + "\n")
            print(number, [o["name"] for o in objects], flush=True)


if __name__ == "__main__":
    main()
