"""Reads the golden files of tests/vectors/export with the tools they are meant for.

Needs pycocotools and numpy. The shapes are those of tests/unit/engine_answer_test.c: a square with a hole, two squares,
a box without mask, on pictures of 24 x 18. Run it after PERCEPT_WRITE_GOLDEN=1 engine_answer_test wrote them anew:
    python3 tools/golden/export_check.py
"""
import json
import pathlib
import tempfile

import numpy as np
from pycocotools import mask as masks
from pycocotools.coco import COCO

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests" / "vectors" / "export"
WIDTH, HEIGHT = 24, 18


def wanted():
    ring = np.zeros((HEIGHT, WIDTH), np.uint8)
    ring[3:13, 4:16] = 1
    ring[6:10, 7:11] = 0
    squares = np.zeros((HEIGHT, WIDTH), np.uint8)
    squares[2:6, 2:6] = 1
    squares[8:15, 12:19] = 1
    return [ring, squares]


def check(name, mask, index):
    assert np.array_equal(mask, wanted()[index]), (name, index, mask)


def coco(name):
    data = COCO(str(FOLDER / name))
    assert len(data.getImgIds()) == 2 and len(data.getCatIds()) == 3
    for index, identity in enumerate(data.getAnnIds()[:2]):
        annotation = data.loadAnns(identity)[0]
        check(name, data.annToMask(annotation), index)
        assert annotation["area"] == wanted()[index].sum() and annotation["iscrowd"] == 0
    # run lengths bit for bit
    if "polygons" not in name:
        for index, identity in enumerate(data.getAnnIds()[:2]):
            counts = data.loadAnns(identity)[0]["segmentation"]["counts"]
            assert counts == masks.encode(np.asfortranarray(wanted()[index]))["counts"].decode()
    return data


def results(data):
    found = data.loadRes(str(FOLDER / "results.json"))
    for index, identity in enumerate(found.getAnnIds()[:2]):
        check("results.json", found.annToMask(found.loadAnns(identity)[0]), index)


def fill(points):
    flat = [float(value) for point in points for value in point]
    return masks.decode(masks.merge(masks.frPyObjects([flat], HEIGHT, WIDTH)))


def labelme():
    data = json.loads((FOLDER / "labelme.json").read_text())
    groups = {}
    for shape in data["shapes"]:
        assert shape["shape_type"] == "polygon"
        groups.setdefault(shape["group_id"], []).append(fill(shape["points"]))
    for index, parts in groups.items():
        check("labelme.json", np.clip(sum(parts), 0, 1), index)


def yolo():
    lines = (FOLDER / "labels" / "photo.txt").read_text().splitlines()
    for index, line in enumerate(lines):
        kind, *numbers = line.split()
        assert int(kind) == index
        values = np.array(numbers, float).reshape(-1, 2) * [WIDTH, HEIGHT]
        mask = fill(values.round(3))
        target = wanted()[index]
        if index == 0:
            target[6:10, 7:11] = 1  # holes are filled
        assert np.array_equal(mask, target), (line, mask)


def answers():
    for index in range(2):
        one = json.loads((FOLDER / f"answer-{index}.json").read_text())["objects"][0]["mask"]
        assert one["size"] == [HEIGHT, WIDTH]
        if "counts" in one:
            mask = masks.decode({"size": one["size"], "counts": one["counts"].encode()})
        else:
            mask = sum(fill(np.array(ring).reshape(-1, 2)) for ring in one["polygons"]) % 2
        check(f"answer-{index}.json", mask, index)


if __name__ == "__main__":
    results_base = coco("coco.json")
    coco("coco-polygons.json")
    results(results_base)
    labelme()
    yolo()
    answers()
    print("golden exports agree")
