#!/usr/bin/env python3
"""Small pictures, whole and broken, for the fuzz targets' corpora and the decoders' tests.

Run with Pillow (made with 13.0.0) and NumPy (2.4.6):  python3 tools/golden/picture_corpus.py tests/fuzz/corpus"""
import io
import struct
import sys
import zlib

import numpy as np
from PIL import Image


def picture(width=19, height=13, channels=3):
    y, x = np.mgrid[0:height, 0:width]
    planes = [x * 255 // max(1, width - 1), y * 255 // max(1, height - 1), (x * 40 + y * 90) % 256, (x + y) * 8 % 256]
    return np.stack(planes[:channels], axis=2).astype(np.uint8)


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def raw_png(width, height, depth, colour, rows, extra=b"", interlace=0):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows, 9))
            + chunk(b"IEND", b""))


def png_files():
    rgb = Image.fromarray(picture())
    rgba = Image.fromarray(picture(channels=4))
    grey16 = (np.arange(8 * 5).reshape(5, 8) * 1600).astype(">u2")
    rows16 = b"".join(b"\0" + row.tobytes() for row in grey16)
    files = {
        "rgb": saved(rgb, "PNG"),
        "rgba": saved(rgba, "PNG"),
        "grey": saved(rgb.convert("L"), "PNG"),
        "grey_alpha": saved(rgba.convert("LA"), "PNG"),
        "palette": saved(rgb.quantize(16), "PNG", bits=4),
        "palette_clear": saved(rgb.quantize(16), "PNG", transparency=3),
        "bits1": saved(rgb.convert("1"), "PNG"),
        "grey16": raw_png(8, 5, 16, 0, rows16),
        "rgb16": raw_png(2, 2, 16, 2, b"\0" + bytes(range(12)) + b"\0" + bytes(range(100, 112))),
        "one_pixel": raw_png(1, 1, 8, 2, b"\0\x01\x02\x03"),
        "one_row": raw_png(65535, 1, 8, 0, b"\0" + bytes(65535)),
        "one_column": raw_png(1, 300, 8, 0, b"\0\x40" * 300),
        "exif6": saved(rgb, "PNG", exif=exif(6)),
        "animated": saved(rgb, "PNG", save_all=True, append_images=[rgb.rotate(180)]),
        "huge": raw_png(2000000000, 2000000000, 8, 6, b"\0"),
        "large": raw_png(60000, 60000, 8, 6, b"\0"),
        "interlaced_short": raw_png(8, 8, 8, 2, b"\0" * 30, interlace=1),
        "palette_missing": raw_png(2, 1, 8, 3, b"\0\0\1"),
        "palette_short": raw_png(2, 1, 8, 3, b"\0\0\xff", chunk(b"PLTE", b"\1\2\3")),
        "bad_depth": raw_png(2, 1, 7, 2, b"\0" * 7),
    }
    whole = files["rgb"]
    files["truncated"] = whole[: len(whole) * 2 // 3]
    files["header_only"] = whole[:33]
    damaged = bytearray(whole)
    damaged[60] ^= 0x55
    files["damaged"] = bytes(damaged)
    wrong = bytearray(whole)
    wrong[30] ^= 1
    files["wrong_crc"] = bytes(wrong)
    return files


def jpeg_files():
    rgb = Image.fromarray(picture(40, 24))
    files = {
        "rgb": saved(rgb, "JPEG", quality=90),
        "grey": saved(rgb.convert("L"), "JPEG"),
        "cmyk": saved(rgb.convert("CMYK"), "JPEG", quality=95),
        "progressive": saved(rgb, "JPEG", progressive=True),
        "one_pixel": saved(rgb.resize((1, 1)), "JPEG"),
        "one_row": saved(rgb.resize((900, 1)), "JPEG"),
    }
    for orientation in range(2, 9):
        files[f"exif{orientation}"] = saved(rgb, "JPEG", quality=90, exif=exif(orientation))
    whole = files["rgb"]
    files["truncated"] = whole[: len(whole) * 3 // 4]
    files["no_end"] = whole[:-2]
    files["header_only"] = whole[:2]
    at = whole.index(b"\xff\xc0")
    huge = bytearray(whole)
    huge[at + 5 : at + 9] = b"\xff\xdc\xff\xdc"
    files["huge"] = bytes(huge)
    too_large = bytearray(whole)
    too_large[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    files["too_large"] = bytes(too_large)
    bits12 = bytearray(whole)
    bits12[at + 4] = 12
    files["bits12"] = bytes(bits12)
    exif_at = files["exif6"].index(b"Exif")
    wild = bytearray(files["exif6"])
    wild[exif_at + 10 : exif_at + 14] = b"\xff\xff\xff\xff"
    files["exif_wild"] = bytes(wild)
    return files


def webp_files():
    rgb = Image.fromarray(picture())
    rgba = Image.fromarray(picture(channels=4))
    files = {
        "lossy": saved(rgb, "WEBP", quality=80),
        "lossless": saved(rgb, "WEBP", lossless=True),
        "alpha": saved(rgba, "WEBP", quality=80),
        "alpha_lossless": saved(rgba, "WEBP", lossless=True, exact=True),
        "animated": saved(rgba, "WEBP", save_all=True, append_images=[rgba.rotate(180)], lossless=True),
        "exif8": saved(rgb, "WEBP", lossless=True, exif=exif(8)),
        "one_pixel": saved(rgb.resize((1, 1)), "WEBP", lossless=True),
    }
    whole = files["lossy"]
    files["truncated"] = whole[: len(whole) * 2 // 3]
    files["header_only"] = whole[:12]
    huge = bytearray(files["alpha"])
    huge[24:30] = b"\xff\xff\x7f\xff\xff\x7f"
    files["huge"] = bytes(huge)
    return files


def rle_files():
    return {
        "checks": bytes([4, 3]) + b"0" + b"1" * 20,
        "empty": bytes([15, 15]) + b"P8",
        "blob": bytes([8, 8]) + b"d0530304L5" + b"O",
        "long": bytes([255, 255]) + b"PPPPPPP0",
        "negative": bytes([2, 2]) + b"111O",
        "open": bytes([2, 2]) + b"o",
    }


def main(folder):
    groups = {"png": png_files(), "jpeg": jpeg_files(), "webp": webp_files(), "rle": rle_files()}
    for group, files in groups.items():
        for name, data in files.items():
            with open(f"{folder}/image_{group}/{name}", "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main(sys.argv[1])
