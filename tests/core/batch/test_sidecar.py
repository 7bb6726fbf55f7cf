"""Captions beside real pictures, on a real disk, read back by another program too."""

import csv
import io
import json
import shutil
import stat
import subprocess

import pytest
from PIL import Image

from core.batch import BatchOptions, export
from core.captions import xmp
from core.captions.encoding import decoded
from core.captions.formats import CaptionFormat
from core.captions.naming import CaptionNames
from core.captions.sidecar import (
    CAPTION_PATTERN,
    Existing,
    combined,
    encoded,
    fingerprint,
    text_path,
)
from core.errors import StoreError
from core.files import read_bytes, restore, write_atomically
from core.transcript import Sampling

LIGHTROOM = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0">
 <!-- kept by hand -->
 <r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <r:Description r:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
    xmp:Rating="4" crs:Exposure2012="+0.35">
   <dc:description xmlns:dc="http://purl.org/dc/elements/1.1/">
    <r:Alt>
     <r:li xml:lang="de">Ein Berg</r:li>
     <r:li xml:lang="x-default">A hill &amp; a lake</r:li>
    </r:Alt>
   </dc:description>
  </r:Description>
 </r:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "red.square.png"
    Image.new("RGB", (4, 4), "red").save(path)
    return path


def xmp_path(picture):
    options = BatchOptions(("What?",), writes=(CaptionFormat.XMP,))
    (path,) = CaptionNames(options.name, options.writes).targets(picture)
    return path


def test_caption_is_named_after_its_picture(picture):
    assert text_path(picture).name == "red.square.txt"
    assert text_path(picture, CAPTION_PATTERN).name == "red.square.caption"
    assert text_path(picture, "{name}.txt").name == "red.square.png.txt"


@pytest.mark.parametrize("pattern", ["captions.txt", "../{stem}.txt", "{name}", "{stem}.png", ""])
def test_pattern_that_would_overwrite_or_leave_the_folder_is_refused(picture, pattern):
    with pytest.raises(ValueError, match="not a valid name for captions"):
        text_path(picture, pattern)


@pytest.mark.parametrize(
    "data",
    [
        "Über dem See".encode(),
        "Über dem See\r\n".encode("utf-8-sig"),
        "Über dem See".encode("utf-16"),
        "Über dem See".encode("cp1252"),
    ],
)
def test_captions_of_every_usual_encoding_are_read(data):
    assert decoded(data) == "Über dem See"


def test_existing_caption_is_kept_before_or_behind_the_new_one():
    assert combined("old", "new", Existing.REPLACE) == "new"
    assert combined("old", "new", Existing.APPEND) == "old\nnew"
    assert combined("old", "new", Existing.PREPEND) == "new\nold"
    assert combined("", "new", Existing.APPEND) == "new"


def test_written_file_keeps_its_permissions_and_leaves_nothing_behind(picture):
    path = text_path(picture)
    path.write_text("old")
    path.chmod(0o640)
    write_atomically(path, encoded("new"))
    assert path.read_text() == "new\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert {p.name for p in picture.parent.iterdir()} == {picture.name, path.name}


def test_link_to_a_caption_elsewhere_stays_a_link(picture, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "shared.txt").write_text("old")
    text_path(picture).symlink_to(elsewhere / "shared.txt")
    write_atomically(text_path(picture), b"new")
    assert text_path(picture).is_symlink()
    assert (elsewhere / "shared.txt").read_bytes() == b"new"


def test_longest_name_that_the_disk_takes_can_be_written(tmp_path):
    path = tmp_path / ("n" * 251 + ".txt")
    write_atomically(path, b"words")
    assert path.read_bytes() == b"words"


def test_folder_that_is_gone_is_told_in_a_sentence(tmp_path):
    with pytest.raises(StoreError, match=r"“a.txt” cannot be written \(No such file"):
        write_atomically(tmp_path / "gone" / "a.txt", b"words")


def test_restoring_brings_back_the_bytes_or_that_there_was_none(picture):
    path = text_path(picture)
    restore(path, b"\xff old bytes")
    assert read_bytes(path) == b"\xff old bytes"
    restore(path, None)
    assert read_bytes(path) is None
    assert fingerprint(None) == ""


# XMP


def test_new_xmp_holds_description_and_alternative_text():
    data = xmp.described(None, description="A <red> & round sun", alt_text="A sun")
    assert xmp.description_of(data) == "A <red> & round sun"
    assert xmp.alt_text_of(data) == "A sun"


def test_merging_changes_the_description_alone():
    data = xmp.described(LIGHTROOM, description="A lake", alt_text="Lake")
    assert xmp.description_of(data) == "A lake"
    assert xmp.alt_text_of(data) == "Lake"
    begin, end = data.index(b"   <dc:description"), data.index(b"  </r:Description>")
    kept = LIGHTROOM.replace(b"A hill &amp; a lake", b"A lake")
    assert data[:end] == kept[: kept.index(b"  </r:Description>")]
    assert begin
    assert data.endswith(LIGHTROOM[LIGHTROOM.index(b"</r:RDF>") :])


def test_merging_twice_adds_nothing_twice():
    once = xmp.described(LIGHTROOM, description="A lake", alt_text="Lake")
    assert xmp.described(once, description="A lake", alt_text="Lake") == once


def test_description_in_other_languages_only_gets_one_for_everybody():
    german = LIGHTROOM.replace(b'     <r:li xml:lang="x-default">A hill &amp; a lake</r:li>\n', b"")
    data = xmp.described(german, description="A lake", alt_text="Lake")
    assert xmp.description_of(data) == "A lake"
    assert "Ein Berg" in data.decode()


def test_xmp_in_utf_16_stays_in_it():
    text = LIGHTROOM.decode().replace("\ufeff", "")
    data = xmp.described(text.encode("utf-16"), description="Ein See – 湖", alt_text="湖")
    assert xmp.description_of(data) == "Ein See – 湖"
    assert "Exposure2012" in data.decode("utf-16")


@pytest.mark.parametrize("data", [b"<x", b"not xml at all", b"<a/>"])
def test_damaged_xmp_is_refused_and_not_overwritten(data):
    with pytest.raises(StoreError, match="XMP file"):
        xmp.described(data, description="a", alt_text="b")


def test_control_characters_of_a_model_do_not_break_the_xmp():
    data = xmp.described(None, description="a\x00b\x0bc\ufffe", alt_text="")
    assert xmp.description_of(data) == "abc"


def test_sidecar_that_another_program_named_is_taken(picture):
    assert xmp_path(picture).name == "red.square.xmp"
    (picture.parent / "red.square.png.xmp").write_bytes(LIGHTROOM)
    assert xmp_path(picture).name == "red.square.png.xmp"


@pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")
@pytest.mark.parametrize("before", [None, LIGHTROOM])
def test_exiftool_reads_what_was_written_and_what_was_there(picture, before):
    path = xmp_path(picture)
    words = "Zwei Berge & ein “See”, <blau>\nund 山"
    write_atomically(path, xmp.described(before, description=words, alt_text="Berge"))
    command = ["exiftool", "-json", "-struct", "-G1", "-validate", "-warning", str(path)]
    (tags,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert tags["ExifTool:Validate"] == "OK", tags
    command = ["exiftool", "-json", "-G1", str(path)]
    (tags,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert tags["XMP-dc:Description"] == words
    assert tags["XMP-iptcCore:AltTextAccessibility"] == "Berge"
    if before:
        assert tags["XMP-xmp:Rating"] == 4
        assert tags["XMP-dc:Description-de"] == "Ein Berg"


# Exports


def row(caption, picture="a.png"):
    return export.Row(
        picture, "llava", "f1", Sampling(), "0.1.0", "What?", caption, 0, "complete", 3, 0.5
    )


def test_json_lines_come_back_as_they_were_even_with_names_that_are_no_text(tmp_path):
    path = tmp_path / "captions.jsonl"
    export.write(path, [row("eins\nzwei “drei”")], export.TableFormat(CaptionFormat.JSONL))
    export.append(
        path, [row("vier", picture="a\udcff.png")], export.TableFormat(CaptionFormat.JSONL)
    )
    written = [row("eins\nzwei “drei”"), row("vier", picture="a\udcff.png")]
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert rows == [json.loads(json.dumps(one.to_json())) for one in written]
    assert [one["caption"] for one in rows] == ["eins\nzwei “drei”", "vier"]


@pytest.mark.parametrize("words", ["=1+1", "+A1", "-2", "@SUM(A1)", " =cmd|' /C calc'!A0", "\t=1"])
def test_spreadsheet_takes_no_caption_for_a_formula(tmp_path, words):
    path = tmp_path / "captions.csv"
    export.write(path, [row(words)], export.TableFormat(CaptionFormat.CSV))
    (cells,) = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""))
    assert cells["caption"] == f"'{words}"
    assert cells["tokens"] == "3"


def test_export_of_somebody_else_is_not_taken(tmp_path):
    (tmp_path / "captions.csv").write_text("mine")
    assert export.free_path(tmp_path, CaptionFormat.CSV).name == "captions-2.csv"
