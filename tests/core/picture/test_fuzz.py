"""Mutated pictures of every format: each opens or raises PictureError, in bounded time and memory.

Each worker process opens a share of them with a watch on its time and memory, so that a hang or a
crash of a decoder names the case.
"""

import contextlib
import io
import json
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.core.picture import previews
from tests.core.picture.image_files import ROOT, data_of, photograph

SECONDS = 30
MEBIBYTES = 2000
_SEED = 15


def samples():
    """A small picture in each format, with several encodings of some."""
    image = photograph((96, 72))
    jpeg = data_of(image, "JPEG", quality=80)
    found = {
        "jpeg": jpeg,
        "progressive": data_of(image, "JPEG", progressive=True),
        "cmyk": data_of(image.convert("CMYK"), "JPEG"),
        "png": data_of(image, "PNG"),
        "png palette": data_of(image.quantize(16), "PNG", transparency=3),
        "png 16": data_of(
            Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257), "PNG"
        ),
        "apng": data_of(image, "PNG", save_all=True, append_images=[image.rotate(90)]),
        "webp": data_of(image, "WEBP"),
        "webp lossless": data_of(image, "WEBP", lossless=True),
        "gif": data_of(image, "GIF", save_all=True, append_images=[image.rotate(90)]),
        "bmp": data_of(image, "BMP"),
        "tiff": data_of(image, "TIFF"),
        "tiff lzw": data_of(image, "TIFF", compression="tiff_lzw"),
        "tiff jpeg": data_of(image, "TIFF", compression="jpeg"),
        "tiff group4": data_of(image.convert("1"), "TIFF", compression="group4"),
        "avif": data_of(image, "AVIF"),
        "ico": data_of(image.resize((48, 48)), "ICO"),
        "ppm": data_of(image, "PPM"),
        "ppm text": b"P3\n4 4\n255\n" + b"12 200 3 " * 16,
        "pfm": b"Pf\n9 9\n-1.0\n" + np.linspace(0, 2, 81, dtype="<f4").tobytes(),
        "jp2": data_of(image, "JPEG2000"),
        "j2k": data_of(image, "JPEG2000", no_jp2=True),
        "tga": data_of(image, "TGA"),
        "tga rle": data_of(image.convert("RGBA"), "TGA", compression="tga_rle"),
        "psd": previews.psd(image, thumbnail=image),
        "psd preview": previews.psd(image, thumbnail=image, depth=16),
        "nef": previews.raw_tiff([jpeg, jpeg], first=[(259, 3, 34713)]),
        "dng": previews.dng(jpeg),
        "raf": previews.raf(jpeg),
        "cr3": previews.cr3(jpeg),
    }
    with contextlib.suppress(ImportError):
        import pillow_jxl  # noqa: F401

        found["jxl"] = data_of(image, "JXL")
        found["jxl container"] = data_of(image, "JXL", use_container=True)
    with contextlib.suppress(ImportError):
        import pillow_heif

        heic = io.BytesIO()
        pillow_heif.from_pillow(image).save(heic)
        found["heic"] = heic.getvalue()
    return found


def mutated(data, random):
    """The bytes with a few changes; most are near the start, where headers are."""
    changed = bytearray(data)
    for _ in range(random.integers(1, 9)):
        end = len(changed) if random.random() < 0.4 else min(len(changed), 300)
        at = int(random.integers(0, end))
        match random.integers(0, 7):
            case 0 | 1:
                changed[at] = random.integers(0, 256)
            case 2:
                changed[at : at + 4] = bytes([random.choice([0, 0x7F, 0xFF])]) * 4
            case 3:
                changed[at] ^= 1 << int(random.integers(0, 8))
            case 4:
                del changed[at : at + int(random.integers(1, 40))]
            case 5:
                piece = changed[at : at + int(random.integers(1, 400))]
                changed[at:at] = piece * int(random.integers(1, 60))
            case 6:
                del changed[int(random.integers(at, len(changed) + 1)) :]
        if not changed:
            return b"\0"
    return bytes(changed)


def cases(count):
    """`count` mutants, as many of each format, always the same ones."""
    found = samples()
    names = list(found)
    for number in range(count):
        name = names[number % len(names)]
        # Not by the format's number, so that a new format leaves the other cases as they are.
        random = np.random.default_rng([_SEED, zlib.crc32(name.encode()), number // len(names)])
        yield f"{number // len(names)} {name}", mutated(found[name], random)


WORKER = """
import sys, threading, time, os, json, warnings
from pathlib import Path
import psutil
warnings.simplefilter("ignore")
from core.errors import PictureError
from core.picture import open_picture

seconds, mebibytes = int(sys.argv[2]), int(sys.argv[3])
process, peak, began = psutil.Process(), [0], [time.process_time()]
is_over = threading.Event()

def watch():
    while not is_over.wait(0.01):
        peak[0] = max(peak[0], process.memory_info().rss)
        if time.process_time() - began[0] > seconds or peak[0] > mebibytes * 2**20:
            print(json.dumps({"verdict": "too long or too large"}), flush=True)
            os._exit(9)

watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
for path in sorted(Path(sys.argv[1]).iterdir()):
    began[0] = time.process_time()
    print(json.dumps({"case": path.name}), flush=True)
    try:
        picture = open_picture(path)
        assert picture.pixels.mode == "RGB"
        verdict = "opened"
    except PictureError as error:
        text = str(error)
        is_sentence = path.name in text and text.endswith(".")
        verdict = "refused" if is_sentence else f"wrong sentence: {text}"
    except BaseException as error:
        verdict = f"{type(error).__name__}: {error}"
    print(json.dumps({"verdict": verdict}), flush=True)
is_over.set()
watcher.join()
"""


@pytest.mark.parametrize("count", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_mutated_picture_opens_or_is_refused_with_a_sentence(tmp_path, count):
    for name, data in cases(count):
        (tmp_path / name.replace(" ", "_")).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(tmp_path), str(SECONDS), str(MEBIBYTES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    names = [line["case"] for line in lines if "case" in line]
    verdicts = [line["verdict"] for line in lines if "verdict" in line]
    wrong = {
        name: verdict
        for name, verdict in zip(names, verdicts, strict=False)
        if verdict not in ("opened", "refused")
    }
    assert wrong == {}
    assert len(verdicts) == count, (names[-1], done.returncode, done.stderr[-2000:])
    assert verdicts.count("opened") >= count // 10, "mutated beyond recognition"
    assert Path(tmp_path, names[0]).exists()
