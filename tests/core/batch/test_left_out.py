"""Images that Onlooker cannot show are counted and named, and nothing readable leaves no tables."""

import sys

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control
from core.captions.formats import CaptionFormat
from core.terminal import main as terminal
from tests.core.picture import previews
from tests.core.picture.image_files import data_of, two_colours
from tests.support.folder_run import FolderEngine

OPTIONS = BatchOptions(
    ("What is it?",), writes=(CaptionFormat.TXT, CaptionFormat.CSV, CaptionFormat.JSONL)
)
SENTENCE = (
    "Skipped images that Onlooker cannot show: 2 × camera raw file without a preview, "
    "1 × cursor, 1 × JPEG XL image, 1 × Photoshop document without a preview."
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """One of each kind that cannot be shown, with names that tell and names that do not."""
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)  # As when it is not installed.
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    folder = tmp_path / "pictures"
    folder.mkdir()
    raw = previews.raw_tiff([b"no jpeg"], first=[(259, 3, 34713)])
    (folder / "a.nef").write_bytes(raw)
    (folder / "a raw file").write_bytes(raw)
    (folder / "x.jxl").write_bytes(b"\xff\x0a" + bytes(110))
    (folder / "y.psd").write_bytes(b"8BPS\0\1" + bytes(50))
    (folder / "arrow.cur").write_bytes(b"\0\0\2\0\1\0" + bytes(60))
    (folder / "notes.txt").write_text("not an image")
    (folder / "film.mp4").write_bytes(b"\0\0\0\x18ftypisom\0\0\2\0isommp41" + bytes(40))
    return folder


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_run_over_nothing_readable_says_so_by_kinds_and_leaves_no_tables(folder, tmp_path):
    before = names(folder)
    batch = Batch.begin([folder], OPTIONS, tmp_path / "journals")
    assert batch.items == []
    assert batch.notes == [SENTENCE]
    batch.close()
    assert names(folder) == before


def test_readable_kinds_are_captioned_and_the_others_named(folder, tmp_path):
    (folder / "t.tga").write_bytes(data_of(two_colours(), "TGA"))
    (folder / "z.jp2").write_bytes(data_of(two_colours(), "JPEG2000"))
    jpeg = data_of(two_colours(), "JPEG")
    (folder / "b.cr2").write_bytes(
        previews.raw_tiff([jpeg], first=[(259, 3, 6), (330, 4, 0), (254, 4, 1)])
    )
    (folder / "c.psd").write_bytes(previews.psd(two_colours()))
    batch = Batch.begin([folder], OPTIONS, tmp_path / "journals")
    batch.run(FolderEngine(), Control())
    batch.close()
    assert {item.path.name: item.state.value for item in batch.items} == dict.fromkeys(
        ("b.cr2", "c.psd", "t.tga", "z.jp2"), "done"
    )
    noted = {item.path.name: item.notes for item in batch.items if item.notes}
    assert noted == {"b.cr2": ("This is the preview in the camera raw file, 64 × 32 pixels.",)}
    assert batch.notes == [SENTENCE]


def test_sidecars_of_a_raw_file_beside_its_jpeg_are_told_apart(tmp_path):
    """`a.nef` beside `a.jpg` is an image of its own; `a.txt` is the caption."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    jpeg = data_of(two_colours(), "JPEG")
    (folder / "a.jpg").write_bytes(jpeg)
    (folder / "a.nef").write_bytes(previews.raw_tiff([jpeg], first=[(259, 3, 34713)]))
    (folder / "a.txt").write_bytes(jpeg)
    batch = Batch.begin([folder], OPTIONS, tmp_path / "journals")
    batch.close()
    assert [item.path.name for item in batch.items] == ["a.jpg", "a.nef"]


def test_run_in_which_all_fail_leaves_no_tables(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    batch = Batch.begin([folder], OPTIONS, tmp_path / "journals")
    tally = batch.run(FolderEngine(), Control())
    assert tally.failed == 1
    assert names(folder) == {"a.jpg"}
    Image.new("RGB", (8, 8)).save(folder / "a.jpg")
    batch.retry_failed()
    batch.run(FolderEngine(), Control())
    batch.close()
    assert names(folder) == {"a.jpg", "a.txt", "captions.csv", "captions.jsonl"}


@pytest.mark.parametrize("stopped_after", ["begin", "start", "resume"])
def test_run_closed_before_its_first_caption_leaves_no_tables_and_goes_on(tmp_path, stopped_after):
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "a.jpg")
    batch = Batch.begin([folder], OPTIONS, tmp_path / "journals")
    if stopped_after == "resume":
        batch.close()
        batch = Batch.resume(batch.journal_path)
    if stopped_after != "begin":
        control = Control()
        control.stop_now()
        batch.run(FolderEngine(), control)
    batch.close()
    assert names(folder) == {"a.jpg"}
    batch = Batch.resume(batch.journal_path)
    batch.run(FolderEngine(), Control())
    batch.close()
    assert names(folder) == {"a.jpg", "a.txt", "captions.csv", "captions.jsonl"}


@pytest.mark.parametrize("arguments", [(), ("--write", "txt,csv,jsonl")])
def test_terminal_names_the_kinds(folder, capsys, arguments):
    before = names(folder)
    status = terminal.main(["caption", str(folder), *arguments])
    error = capsys.readouterr().err
    assert status == 1
    assert SENTENCE in error
    assert names(folder) == before
