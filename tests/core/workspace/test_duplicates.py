"""Files recognised by their content, and images that are the same or nearly."""

import random
from threading import Event

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from core.file_identity import fingerprint_of
from core.files import UnreadableFile
from core.picture import open_picture
from core.workspace.duplicates import (
    equal_groups,
    near_groups,
    perceptual_hash,
    perceptual_hash_of,
)


def drawn(seed, size=(160, 120)):
    """An image like a photo: smooth shades and a few shapes."""
    rng = random.Random(seed)
    coarse = np.random.default_rng(seed).integers(0, 255, (4, 5, 3), dtype=np.uint8)
    image = Image.fromarray(coarse, "RGB").resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(3):
        x, y = rng.randrange(size[0]), rng.randrange(size[1])
        colour = tuple(rng.randrange(256) for _ in range(3))
        draw.ellipse((x, y, x + size[0] // 3, y + size[1] // 3), fill=colour)
    return image


def test_fingerprint_is_that_of_the_whole_content_and_not_of_the_name(tmp_path):
    data = random.Random(1).randbytes(3 * 2**20)
    (tmp_path / "a").write_bytes(data)
    (tmp_path / "b").write_bytes(data)
    for place in (0, len(data) // 2, len(data) - 1):
        changed = bytearray(data)
        changed[place] ^= 1
        (tmp_path / f"changed-{place}").write_bytes(changed)
    (tmp_path / "shorter").write_bytes(data[:-1])
    (tmp_path / "empty").write_bytes(b"")
    prints = {path.name: fingerprint_of(path) for path in tmp_path.iterdir()}
    assert prints["a"] == prints["b"]
    assert len(set(prints.values())) == len(prints) - 1
    assert all(one and " " not in one for one in prints.values())


def test_fingerprint_can_be_stopped_and_is_only_that_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    stop = Event()
    assert fingerprint_of(tmp_path / "a", stop)
    stop.set()
    assert fingerprint_of(tmp_path / "a", stop) is None
    with pytest.raises(UnreadableFile):
        fingerprint_of(tmp_path)
    with pytest.raises(FileNotFoundError):
        fingerprint_of(tmp_path / "none")


def test_equal_images_are_those_with_one_fingerprint():
    assert equal_groups({4: "a", 1: "b", 2: "a", 3: "", 5: "", 6: "b"}) == [(1, 6), (2, 4)]
    assert equal_groups({}) == []


def variants(image, folder):
    """The same image as other programs save it."""
    image.save(folder / "original.png")
    image.save(folder / "compressed.jpg", quality=50)
    image.resize((97, 73)).save(folder / "smaller.webp", quality=60)
    image.resize((640, 480)).save(folder / "larger.png")
    ImageEnhance.Brightness(image).enhance(1.08).save(folder / "brighter.png")
    turned = image.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(folder / "turned.jpg", quality=90, exif=exif)


@pytest.mark.parametrize("seed", range(4))
def test_near_images_are_found_among_others(tmp_path, seed):
    variants(drawn(seed), tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    hashes = {n: perceptual_hash_of(tmp_path / name) for n, name in enumerate(names)}
    for n in range(60):
        hashes[100 + n] = perceptual_hash(drawn(1000 + 100 * seed + n))
    (group,) = near_groups(hashes)
    assert [names[one] for one in group] == names


def test_plain_images_are_near_nothing_and_thumbnails_are_near_their_image():
    assert perceptual_hash(Image.new("RGB", (50, 50), "white")) is None
    noisy = np.random.default_rng(1).integers(250, 255, (50, 50), dtype=np.uint8)
    assert perceptual_hash(Image.fromarray(noisy, "L")) is None
    assert near_groups({1: None, 2: None}) == []
    image = drawn(3, (900, 700))
    small = image.copy()
    small.thumbnail((64, 64))
    assert near_groups({1: perceptual_hash(image), 7: perceptual_hash(small)}) == [(1, 7)]


def naive_groups(hashes):
    """Every pair compared, by definition."""
    near = {one: {one} for one in hashes}
    ids = list(hashes)
    for n, one in enumerate(ids):
        for other in ids[n + 1 :]:
            if ((hashes[one] ^ hashes[other]) & (2**64 - 1)).bit_count() <= 6:
                together = near[one] | near[other]
                for member in together:
                    near[member] = together
    return sorted({tuple(sorted(group)) for group in near.values() if len(group) > 1})


@pytest.mark.parametrize("seed", range(3))
def test_no_near_pair_is_missed(seed):
    rng = random.Random(seed)
    values = []
    for _ in range(60):
        value = rng.getrandbits(64)
        values.append(value)
        for _ in range(rng.randrange(4)):
            near = value
            for bit in rng.sample(range(64), rng.randrange(9)):
                near ^= 1 << bit
            values.append(near)
    rng.shuffle(values)
    hashes = {n * 3: value - 2**64 if value >= 2**63 else value for n, value in enumerate(values)}
    groups = near_groups(hashes)
    assert groups == naive_groups(hashes)
    assert len(groups) > 10


def test_equal_hashes_by_the_thousand_are_one_group():
    hashes = dict.fromkeys(range(30_000), 5) | {40_000: 7, 50_000: -1}
    (group,) = near_groups(hashes)
    assert group == (*range(30_000), 40_000)


def test_hash_does_not_depend_on_how_an_image_is_stored(tmp_path):
    image = drawn(9)
    image.save(tmp_path / "a.png")
    image.convert("P", palette=Image.Palette.ADAPTIVE, colors=128).save(tmp_path / "b.gif")
    pixels = open_picture(tmp_path / "b.gif").pixels
    assert len(near_groups({1: perceptual_hash_of(tmp_path / "a.png"), 2: perceptual_hash(pixels)}))
