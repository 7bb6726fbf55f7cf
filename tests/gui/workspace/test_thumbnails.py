"""Thumbnails on the disk: kept by what an image contains, whole, and not too many."""

import os
from contextlib import closing
from dataclasses import replace
from threading import Event

import pytest
from PIL import Image

from core.workspace import ScanStage, Workspace, WorkspaceOptions
from gui.widgets.theme import Theme
from gui.workspace.image_list import ImageList
from gui.workspace.image_rows import ImageRows
from gui.workspace.thumbnail_cache import ThumbnailCache
from gui.workspace.thumbnails import Thumbnails

SIDE = 128


@pytest.fixture
def folder(tmp_path):
    """Three images with as many bytes, as uncompressed ones have, and from three seconds: clocks of
    files may tick so slowly that all three have the same time."""
    folder = tmp_path / "images"
    folder.mkdir()
    for second, (name, colour) in enumerate((("a", "red"), ("b", "green"), ("c", "blue"))):
        Image.new("RGB", (40, 30), colour).save(folder / f"{name}.bmp")
        moment = 1_700_000_000 + second
        os.utime(folder / f"{name}.bmp", (moment, moment))
    return folder


@pytest.fixture
def cache(tmp_path):
    """The cache in a new folder."""
    return ThumbnailCache(tmp_path / "cache")


def rows(folder, until=ScanStage.FINGERPRINTS):
    """The images by name; before the last stage of a scan their content is unknown."""
    with closing(Workspace.open([folder], folder.parent / "data", WorkspaceOptions())) as workspace:
        workspace.scan(Event(), lambda progress: None, until=until)
        return {row.path.stem: row for row in workspace.rows(workspace.ids())}


def kept(folder):
    """The files of the cache: another one under the same name has another number."""
    files = (path for path in (folder.parent / "cache").rglob("*") if path.is_file())
    return {path.name: path.stat().st_ino for path in files}


def colour(image):
    pixel = image.pixelColor(image.width() // 2, image.height() // 2)
    return max(("red", "green", "blue"), key=lambda name: getattr(pixel, name)())


@pytest.mark.parametrize("until", [ScanStage.CAPTIONS, ScanStage.FINGERPRINTS])
def test_images_that_are_renamed_moved_or_swapped_keep_their_thumbnails(folder, cache, until):
    for row in rows(folder, ScanStage.CAPTIONS).values():
        assert not row.fingerprint
        cache.thumbnail(row, SIDE)
    for row in rows(folder).values():
        cache.settle(row, SIDE)
    before = kept(folder)
    assert len(before) == 3
    (folder / "sub").mkdir()
    (folder / "a.bmp").rename(folder / "sub" / "z.bmp")
    (folder / "b.bmp").rename(folder / "a.bmp")
    (folder / "c.bmp").rename(folder / "b.bmp")
    found = rows(folder, until)
    assert bool(found["a"].fingerprint) == (until is ScanStage.FINGERPRINTS)
    shown = {name: colour(cache.thumbnail(row, SIDE)) for name, row in found.items()}
    assert shown == {"z": "red", "a": "green", "b": "blue"}
    assert kept(folder) == before


def test_other_content_has_another_thumbnail_whatever_was_known_of_the_image(folder, cache):
    known = rows(folder)
    cache.thumbnail(known["a"], SIDE)
    Image.new("RGB", (40, 30), "blue").save(folder / "a.bmp")
    assert colour(cache.thumbnail(known["a"], SIDE)) == "blue"
    assert colour(cache.thumbnail(rows(folder)["a"], SIDE)) == "blue"
    assert colour(cache.thumbnail(rows(folder)["b"], SIDE)) == "green"


def damage(path, how):
    data = path.read_bytes()
    damaged = {
        "empty": b"",
        "cut": data[: len(data) // 2],
        "zeros": data[:200] + bytes(len(data) - 200),
        "bit": data[:-20] + bytes([data[-20] ^ 1]) + data[-19:],
        "other": b"GIF89a",
    }
    path.write_bytes(damaged[how])


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("how", ["empty", "cut", "zeros", "bit", "other"])
def test_damaged_thumbnails_are_made_anew(folder, cache, how, is_known):
    row = rows(folder, ScanStage.FINGERPRINTS if is_known else ScanStage.CAPTIONS)["a"]
    first = cache.thumbnail(row, SIDE)
    (path,) = (path for path in (folder.parent / "cache").rglob("*") if path.is_file())
    whole = path.read_bytes()
    damage(path, how)
    again = cache.thumbnail(row, SIDE)
    assert (again.size(), colour(again)) == (first.size(), "red")
    assert path.read_bytes() == whole


@pytest.mark.parametrize("has_others", [False, True])
def test_cache_is_bounded(folder, tmp_path, has_others):
    """Also where a file manager has left files of its own."""
    cache = ThumbnailCache(tmp_path / "cache", most_bytes=2000)
    for row in rows(folder).values():
        for side in (128, 256, 512):
            cache.thumbnail(row, side)
    before = kept(folder)
    if has_others:
        for place in [tmp_path / "cache", *(tmp_path / "cache").iterdir()]:
            (place / "inner").mkdir()
            (place / "gone").symlink_to("nowhere")
        for name in (".DS_Store", "desktop.ini", "!"):
            (tmp_path / "cache" / name).touch()
    cache.trim()
    assert 0 < len([name for name in kept(folder) if name in before]) < len(before)
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 2000


def test_thumbnail_that_is_shown_is_found_by_content_once_that_is_known(folder, cache, qtbot):
    thumbnails = Thumbnails(cache)
    first, known = rows(folder, ScanStage.CAPTIONS)["a"], rows(folder)["a"]
    qtbot.waitUntil(lambda: thumbnails.get(first, SIDE) is not None)
    before = kept(folder)
    assert thumbnails.get(known, SIDE) is not None
    qtbot.waitUntil(lambda: kept(folder).keys() != before.keys())
    (folder / "a.bmp").rename(folder / "z.bmp")
    assert set(kept(folder).values()) == set(before.values())
    moved = rows(folder, ScanStage.CAPTIONS)["z"]
    qtbot.waitUntil(lambda: thumbnails.get(moved, SIDE) is not None)
    assert set(kept(folder).values()) == set(before.values())
    # What another program writes over the image is shown once the list knows.
    Image.new("RGB", (40, 60), "blue").save(folder / "z.bmp")
    changed = rows(folder)["z"]
    thumbnails.get(changed, SIDE)
    qtbot.waitUntil(lambda: (made := thumbnails.get(changed, SIDE)) and made.height() > 40)
    thumbnails.close()


def test_images_that_are_scrolled_past_get_no_thumbnails(folder, qapp, qtbot):
    images, thumbnails = ImageRows(), Thumbnails(ThumbnailCache(None))
    first = rows(folder)["a"]
    many = [replace(first, id=id, path=folder / f"{id}.bmp") for id in range(403)]
    for row in many:
        row.path.hardlink_to(first.path)
    many, others = many[:400], many[400:]
    images.set_ids(range(len(many)))
    images.take_rows(many)
    view = ImageList(Theme(qapp), images, thumbnails)
    qtbot.addWidget(view)
    view.resize(300, 300)
    made = set()
    thumbnails.made.connect(lambda image: made.add(image.id))
    view.show()
    qtbot.waitUntil(lambda: bool(made) and in_view(view) <= made)
    made.clear()
    # What was asked for first comes last, but for two that are under way at once.
    for row in others:
        thumbnails.get(row, SIDE)
    bar = view.verticalScrollBar()
    for step in range(1, 10):
        bar.setValue(bar.maximum() * step // 9)
        view.viewport().repaint()
    qtbot.waitUntil(lambda: {row.id for row in others} <= made)
    assert made == in_view(view) | {row.id for row in others}
    assert {0, 399} & in_view(view) == {399}
    thumbnails.close()


def in_view(view):
    """The ids of the images that are seen; each is its place."""
    seen = view.viewport().rect().intersects
    rows = view.rows
    return {row for row in rows.ids if seen(view.visualRect(rows.index(row, 0)))}
