"""Captions handed over in each format, and read back; other people's files are never replaced."""

import csv
import json
import os
import re
import tarfile
from html.parser import HTMLParser
from threading import Event
from urllib.parse import unquote

import pytest
from PIL import Image

from core.captions import xmp
from core.captions.formats import CaptionFormat
from core.errors import Cancelled, StoreError
from core.workspace.data import ImageRow, ReviewState
from core.workspace.export import FilesInTheWay
from core.workspace.export.exporting import export
from core.workspace.export.formats import ExportFormat, ImageFiles
from core.workspace.export.gathering import common_root, gathered
from core.workspace.export.items import ExportItem, ExportOptions
from core.workspace.export.reading import ReadCaption, matched, read_captions, until_stopped
from core.workspace.export.reviews import Contents

CAPTIONS = {
    "a.png": "A cat, on a mat.",
    "b.jpg": "=1+1, “quoted” & <b>bold</b> [x](y)\nsecond line; third\t'=",
    "sub dir/c.d.png": "Ein Bär 🐻\n\nLong *description* of it.",
    "sub dir/ä#%.png": "'-x",
}


@pytest.fixture
def folder(tmp_path):
    """Images with captions beside them, one without, and one whose caption cannot be read."""
    root = tmp_path / "images"
    (root / "sub dir").mkdir(parents=True)
    for n, (name, caption) in enumerate(CAPTIONS.items()):
        Image.new("RGB", (20 + n, 10), (n * 40, 0, 0)).save(root / name)
        (root / name).with_suffix(".txt").write_text(f"{caption}\n", encoding="utf-8")
    Image.new("RGB", (5, 5)).save(root / "none.png")
    Image.new("RGB", (5, 5)).save(root / "odd.png")
    (root / "odd.txt").write_bytes(b"\xff\x00\x81\x9f\xe4")
    return root


def items_of(folder):
    pictures = sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg"))
    found = gathered(pictures, folder)
    assert [failure.path.name for failure in found.failures] == ["odd.png"]
    return found.items


@pytest.fixture
def exported(folder, tmp_path):
    """Export the folder; gives the output."""

    def run(to, name="out", **options):
        output = tmp_path / f"{name}{to.suffix}"
        report = export(items_of(folder), ExportOptions(to, output, **options), tmp_path / "ledger")
        assert (report.images, report.without_caption, report.failures) == (4, 1, [])
        return output

    return run


def held(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def read_back(output, folder):
    pictures = [folder / name for name in CAPTIONS]
    matches = matched(read_captions(output), pictures, folder)
    assert (matches.unknown, matches.unclear) == ((), ())
    return {path.relative_to(folder).as_posix(): text for path, text in matches.captions.items()}


@pytest.mark.parametrize(
    "to",
    [
        *(ExportFormat.TEXT, ExportFormat.JSONL, ExportFormat.CSV, ExportFormat.COCO),
        pytest.param(ExportFormat.PARQUET, id="parquet"),
    ],
)
def test_captions_come_back_as_they_were(exported, folder, to):
    if to is ExportFormat.PARQUET:
        pytest.importorskip("pyarrow", reason="Parquet is an extra")
    output = exported(to)
    assert read_back(output, folder) == CAPTIONS


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_is_read_back_with_any_separator_and_holds_no_formula(exported, folder, separator):
    output = exported(ExportFormat.CSV, csv_separator=separator)
    assert read_back(output, folder) == CAPTIONS
    with output.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file, delimiter=separator))
    assert rows[0] == ["file_name", "caption", "width", "height", "alt_text", "long_description"]
    assert not any(cell.startswith(("=", "-", "+", "@")) for row in rows for cell in row)


@pytest.mark.parametrize("how", [ImageFiles.COPY, ImageFiles.LINK])
def test_text_files_lie_beside_their_images(exported, folder, how):
    before = held(folder)
    output = exported(ExportFormat.TEXT, images=how)
    after = held(output)
    assert {name: data for name, data in before.items() if name in CAPTIONS} == {
        name: data for name, data in after.items() if not name.endswith(".txt")
    }
    assert after["sub dir/c.d.txt"].decode() == f"{CAPTIONS['sub dir/c.d.png']}\n"
    assert len(after) == 8
    assert held(folder) == before
    if how is ImageFiles.LINK:
        assert (output / "a.png").samefile(folder / "a.png")


def test_text_can_be_one_line_under_another_suffix_and_without_images(exported):
    output = exported(
        *(ExportFormat.TEXT,), images=ImageFiles.NONE, is_one_line=True, suffix="caption"
    )
    assert sorted(held(output)) == [
        "a.caption",
        "b.caption",
        "sub dir/c.d.caption",
        "sub dir/ä#%.caption",
    ]
    assert (output / "sub dir/c.d.caption").read_text(
        "utf-8"
    ) == "Ein Bär 🐻 Long *description* of it.\n"


def test_metadata_names_images_in_its_folder(exported):
    output = exported(ExportFormat.IMAGEFOLDER, column="caption")
    lines = (output / "metadata.jsonl").read_text("utf-8").splitlines()
    found = {record["file_name"]: record["caption"] for record in map(json.loads, lines)}
    assert found == CAPTIONS
    assert all((output / name).is_file() for name in found)


def test_coco_names_images_with_their_sizes(exported):
    content = json.loads(exported(ExportFormat.COCO).read_text("utf-8"))
    images = {image["id"]: image for image in content["images"]}
    assert {
        images[one["image_id"]]["file_name"]: one["caption"] for one in content["annotations"]
    } == CAPTIONS
    assert {(image["width"], image["height"]) for image in images.values()} == {
        (20 + n, 10) for n in range(4)
    }


def test_tar_has_the_files_of_a_sample_one_after_another(exported, folder):
    output = exported(ExportFormat.WEBDATASET)
    assert sorted(path.name for path in output.iterdir()) == ["images-000000.tar"]
    with tarfile.open(output / "images-000000.tar") as tar:
        names = tar.getnames()
        files = {member.name: tar.extractfile(member) for member in tar}
        data = {name: file.read() for name, file in files.items() if file}
    assert [name.partition(".")[0] for name in names] == [f"{n // 3:09}" for n in range(12)]
    records = {key: json.loads(data[f"{key}.json"]) for key in {name[:9] for name in names}}
    assert {record["file_name"]: record["caption"] for record in records.values()} == CAPTIONS
    for key, record in records.items():
        assert data[f"{key}.txt"].decode() == record["caption"]
        suffix = record["file_name"].rpartition(".")[2]
        assert data[f"{key}.{suffix}"] == (folder / record["file_name"]).read_bytes()


def test_longer_tar_is_split_and_old_shards_go(exported, folder):
    output = exported(ExportFormat.WEBDATASET, shard_bytes=1)
    assert len(list(output.iterdir())) == 4
    (output / "images-000003.tar").write_bytes(b"somebody's")
    exported(ExportFormat.WEBDATASET)
    assert sorted(held(output)) == ["images-000000.tar", "images-000003.tar"]


class Images(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.found.append(dict(attributes))

    def handle_data(self, data):
        self.words.append(data)


def test_page_shows_images_with_alternative_texts(exported, folder, tmp_path):
    page = Images(exported(ExportFormat.HTML, title="A & B").read_text("utf-8"))
    for image, (name, caption) in zip(page.found, CAPTIONS.items(), strict=True):
        assert (tmp_path / unquote(image["src"])).samefile(folder / name)
        assert image["alt"] == " ".join(caption.split("\n\n")[0].split())
    assert "A & B" in page.words
    assert any("Long *description* of it." in words for words in page.words)


def test_markdown_shows_images_with_alternative_texts(exported, folder, tmp_path):
    text = exported(ExportFormat.MARKDOWN).read_text("utf-8")
    found = re.findall(r"^!\[(.*)\]\(<(.*)>\)$", text, re.MULTILINE)
    for (alt, address), (name, caption) in zip(found, CAPTIONS.items(), strict=True):
        assert (tmp_path / unquote(address)).samefile(folder / name)
        assert re.sub(r"\\(.)", r"\1", alt) == " ".join(caption.split("\n\n")[0].split())
    assert r"Long \*description\* of it." in text


def test_decorative_image_has_an_empty_alternative_text(folder, tmp_path):
    (folder / "a.txt").write_text("Decorative.")
    items = [item for item in items_of(folder) if item.name == "a.png"]
    export(items, ExportOptions(ExportFormat.HTML, tmp_path / "p.html"))
    (image,) = Images((tmp_path / "p.html").read_text("utf-8")).found
    assert image["alt"] == ""


def test_xmp_files_get_iptc_texts_and_keep_what_they_have(folder, tmp_path):
    (folder / "a.xmp").write_bytes(xmp.described(None, description="", alt_text="mine"))
    (folder / "b.xmp").write_bytes(xmp.described(None, description="another", alt_text=""))
    other = (folder / "b.xmp").read_bytes()
    options = ExportOptions(ExportFormat.XMP, folder, images=ImageFiles.NONE)
    report = export(items_of(folder), options)
    assert [(one.path.name, str(one.reason)) for one in report.failures] == [
        ("b.jpg", "“b.xmp” has another description. Move it away, or keep that one.")
    ]
    assert (folder / "b.xmp").read_bytes() == other
    texts = xmp.read((folder / "a.xmp").read_bytes())
    assert (texts.description, texts.alt_text) == (CAPTIONS["a.png"], "mine")
    texts = xmp.read((folder / "sub dir" / "c.d.xmp").read_bytes())
    assert (texts.alt_text, texts.extended) == ("Ein Bär 🐻", "Long *description* of it.")
    for output in (tmp_path / "with", tmp_path / "without"):
        how = ImageFiles.COPY if output.name == "with" else ImageFiles.NONE
        (folder / "b.png").write_bytes((folder / "a.png").read_bytes())
        export(items_of(folder), ExportOptions(ExportFormat.XMP, output, images=how))
        assert (output / "b.jpg.xmp").is_file()
        assert (output / "b.png.xmp").is_file()
        assert (output / "a.png").is_file() == (output.name == "with")
        (folder / "b.png").unlink()


@pytest.mark.parametrize("to", [one for one in ExportFormat if one is not ExportFormat.PARQUET])
def test_export_replaces_what_an_export_wrote_and_nothing_else(exported, folder, to):
    output = exported(to)
    first = held(output) if output.is_dir() else {"": output.read_bytes()}
    (folder / "a.txt").write_text("Another.")
    exported(to)
    second = held(output) if output.is_dir() else {"": output.read_bytes()}
    assert first.keys() == second.keys()
    assert first != second
    changed = next(name for name in second if second[name] != first[name])
    mine = output / changed if changed else output
    mine.write_bytes(b"somebody's")
    with pytest.raises(StoreError, match="already exists, and is not from an export"):
        exported(to)
    assert mine.read_bytes() == b"somebody's"
    left = held(output) if output.is_dir() else {"": output.read_bytes()}
    assert left == {**second, changed: b"somebody's"}


def test_folder_with_other_files_is_left_alone(exported, tmp_path):
    (tmp_path / "out").mkdir()
    for n in range(5):
        (tmp_path / "out" / f"{n}.txt").write_text("x")
    exported(ExportFormat.TEXT)
    assert (tmp_path / "out" / "3.txt").read_text() == "x"
    (tmp_path / "mine").mkdir()
    for name in ("a.txt", "b.txt", "a.png"):
        (tmp_path / "mine" / name).write_text("x")
    with pytest.raises(StoreError, match="3 files in “mine” are not from an export"):
        exported(ExportFormat.TEXT, "mine")
    assert held(tmp_path / "mine") == dict.fromkeys(("a.png", "a.txt", "b.txt"), b"x")


def test_images_that_are_in_the_output_stay(folder):
    before = held(folder)
    options = ExportOptions(ExportFormat.IMAGEFOLDER, folder)
    export(items_of(folder), options)
    after = held(folder)
    assert after.pop("metadata.jsonl")
    assert after == before


def test_stopped_export_leaves_nothing_half_done(folder, tmp_path):
    class StopsLater(Event):
        left = 3

        def is_set(self):
            self.left -= 1
            return self.left < 0

    for to in (ExportFormat.TEXT, ExportFormat.WEBDATASET):
        with pytest.raises(Cancelled):
            export(items_of(folder), ExportOptions(to, tmp_path / "out"), None, StopsLater())
        assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_image_that_cannot_be_read_is_reported_and_left_out(folder, tmp_path):
    items = items_of(folder)
    (folder / "a.png").unlink()
    for to in (ExportFormat.TEXT, ExportFormat.IMAGEFOLDER, ExportFormat.WEBDATASET):
        report = export(items, ExportOptions(to, tmp_path / to))
        assert report.images == 3
        assert [failure.path.name for failure in report.failures] == ["a.png"]
        assert "a.png" not in str(held(tmp_path / to).keys())
    metadata = (tmp_path / ExportFormat.IMAGEFOLDER / "metadata.jsonl").read_text("utf-8")
    assert "a.png" not in metadata


def test_two_images_never_share_a_file(folder, tmp_path):
    (folder / "A.jpg").write_bytes((folder / "b.jpg").read_bytes())
    (folder / "A.jpg").with_suffix(".txt").write_text("x")
    items = items_of(folder)
    with pytest.raises(StoreError, match="Two images would share"):
        export(items, ExportOptions(ExportFormat.TEXT, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    report = export(items, ExportOptions(ExportFormat.TEXT, tmp_path / "out", pattern="{name}"))
    assert report.images == 5


def test_captions_are_found_in_what_others_wrote(tmp_path):
    (tmp_path / "kohya.json").write_text(
        json.dumps({"/data/a.png": {"caption": "A cat", "tags": "cat, mat"}, "b": {"tags": "dog"}})
    )
    assert read_captions(tmp_path / "kohya.json") == [
        ReadCaption("/data/a.png", "A cat, cat, mat"),
        ReadCaption("b", "dog"),
    ]
    (tmp_path / "list.json").write_text('[{"Image": "a.png", "Text": "x"}, 3, {"image": "b"}]')
    assert read_captions(tmp_path / "list.json") == [ReadCaption("a.png", "x")]
    (tmp_path / "excel.csv").write_bytes("Filename;Caption\r\na.png;Bär\r\n".encode("utf-16"))
    assert read_captions(tmp_path / "excel.csv") == [ReadCaption("a.png", "Bär")]
    (tmp_path / "ragged.csv").write_text(
        'text,file,x\n"a ""b""\nc",a.png,\n\nd,b.png\n,c.png,5,6\n'
    )
    assert read_captions(tmp_path / "ragged.csv") == [
        *(ReadCaption("a.png", 'a "b"\nc'), ReadCaption("b.png", "d"), ReadCaption("c.png", ""))
    ]
    (tmp_path / "old.jsonl").write_text('{"picture": "/x/a.png", "caption": "y", "edited": true}\n')
    assert read_captions(tmp_path / "old.jsonl") == [ReadCaption("/x/a.png", "y")]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", "x,y\n1,2\n", "has no captions"),
        ("a.jsonl", "{", "is damaged"),
        ("a.csv", 'file,text\na.png,"one\nb.png,two\n', "quotation mark in row 2 is not closed"),
        ("a.json", "[" * 100_000, "is damaged"),
        ("a.docx", "x", "has no format that captions are read from"),
        ("missing.csv", None, "no longer there"),
    ],
)
def test_file_without_captions_is_refused_with_a_reason(tmp_path, name, content, reason):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(StoreError, match=reason):
        read_captions(tmp_path / name)


@pytest.mark.parametrize("name", ["caf\udce9.png", "caf\udce9/b.png"])
def test_name_that_is_not_unicode_is_found_though_a_table_escapes_it(tmp_path, name):
    pictures = [tmp_path / name, tmp_path / "other" / "b.png", tmp_path / "b.png"]
    escaped = name.encode("utf-8", "backslashreplace").decode()
    for read in (name, escaped, str(tmp_path / escaped)):
        found = matched([ReadCaption(read, "x")], pictures, tmp_path)
        assert found.captions == {tmp_path / name: "x"}, read
    # A path of Windows is none.
    found = matched([ReadCaption("C:\\udcff\\b.png", "x")], pictures[2:], tmp_path)
    assert found.captions == {tmp_path / "b.png": "x"}


@pytest.mark.parametrize("to", [kind for kind in ExportFormat if kind.is_folder])
def test_folder_that_was_exported_is_imported(folder, tmp_path, to):
    items, output = items_of(folder), tmp_path / "out"
    export(items, ExportOptions(to, output, images=ImageFiles.NONE))
    if to is ExportFormat.WEBDATASET:  # Tar files are for training alone.
        with pytest.raises(StoreError, match="has no captions: text files, metadata"):
            read_captions(output)
        return
    found = matched(read_captions(output), [item.path for item in items], folder)
    assert found.captions == {item.path: item.caption for item in items if item.caption}


@pytest.mark.parametrize("to", [ExportFormat.TEXT, ExportFormat.IMAGEFOLDER, ExportFormat.XMP])
def test_copies_of_an_earlier_export_are_not_exported_once_more(folder, tmp_path, to):
    output, ledger = folder / "out", tmp_path / "ledger.sqlite"
    for _ in range(2):
        assert export(items_of(folder), ExportOptions(to, output), ledger).images == 4
    assert not (output / "out").exists()
    # One that a person has brought there is.
    (output / "own.png").write_bytes((folder / "a.png").read_bytes())
    (output / "own.txt").write_text("own")
    assert export(items_of(folder), ExportOptions(to, output), ledger).images == 5
    # So are all, where that folder itself is exported.
    if to is ExportFormat.TEXT:
        items = gathered(sorted(output.rglob("*.png")), output).items
        options = ExportOptions(ExportFormat.IMAGEFOLDER, output, images=ImageFiles.NONE)
        assert export(items, options, ledger).images == 5


ODD = (None, True, 3, 1.5, float("nan"), "", "a.png", [1], {"id": [2]}, [[]], "\ud83d")


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_values_in_json_are_read_as_far_as_they_go(tmp_path, odd):
    good = {"file_name": "b.png", "caption": "good"}
    coco = {
        "images": [{"id": odd, "file_name": odd}, odd, {"id": [7], "file_name": "b.png"}],
        "annotations": [
            {"image_id": odd, "caption": odd},
            odd,
            {"image_id": [7], "caption": "good"},
        ],
    }
    for name, content in (
        ("list.json", [odd, {"file_name": odd, "caption": odd, "review": odd}, good]),
        ("coco.json", coco),
        ("kohya.json", {"x": odd, "y": {"caption": odd, "tags": odd}, "b.png": "good"}),
        ("half.json", {"images": odd, "annotations": 3, "b.png": "good"}),
    ):
        (tmp_path / name).write_text(json.dumps(content))
        found = read_captions(tmp_path / name)
        assert ("b.png", "good") in {(one.name, one.caption) for one in found}, name
        matched(found, [tmp_path / "b.png"], tmp_path)


def test_captions_find_their_images_by_as_much_of_the_path_as_is_unique(tmp_path):
    names = ["one/a.png", "two/a.png", "b.v2.jpg", "b.png", "b.jpg", "c.png"]
    pictures = [tmp_path / name for name in names]
    found = {
        "one/a.png": "1",
        "/elsewhere/two/a": "2",
        "C:\\data\\b.v2.jpg": "3",
        str(tmp_path / "b.png"): "4",
        "./c": "5",
        "a": "unclear",
        "b": "unclear",
        "d.png": "unknown",
    }
    matches = matched([ReadCaption(*one) for one in found.items()], pictures, tmp_path)
    assert {
        path.relative_to(tmp_path).as_posix(): text for path, text in matches.captions.items()
    } == {
        "one/a.png": "1",
        "two/a.png": "2",
        "b.v2.jpg": "3",
        "b.png": "4",
        "c.png": "5",
    }
    assert (matches.unknown, matches.unclear) == (("d.png",), ("a", "b"))


def test_names_are_relative_to_the_folder_of_all_images(tmp_path):
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "x" / "a.png").write_bytes(b"")
    assert common_root([tmp_path / "x" / "y", tmp_path / "x" / "a.png"]) == tmp_path / "x"
    assert common_root([tmp_path / "x"]) == tmp_path / "x"


@pytest.mark.skipif(os.name == "nt", reason="names are bytes on POSIX")
@pytest.mark.parametrize("to", ExportFormat)
def test_names_that_are_no_text_are_escaped(tmp_path, to):
    if to is ExportFormat.PARQUET:
        pytest.importorskip("pyarrow", reason="Parquet is an extra")
    path = tmp_path / os.fsdecode(b"\xff.png")
    Image.new("RGB", (5, 5)).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(path)
    item = ExportItem(path, path.name, "x", review="accepted", fingerprint="1-a")
    output = tmp_path / f"out{to.suffix}"
    assert export([item], ExportOptions(to, output)).images == 1
    files = [output] if output.is_file() else list(output.iterdir())
    texts = (".json", ".jsonl", ".csv", ".html", ".md", ".txt", ".xmp")
    for file in files:
        assert file.suffix not in texts or file.read_bytes().decode("utf-8")
        if file.suffix in (".json", ".jsonl"):
            # Half a character in JSON makes pyarrow and others refuse the whole file.
            content = json.loads(file.read_text("utf-8"))
            assert json.dumps(content, ensure_ascii=False).encode("utf-8")
    if to in (ExportFormat.IMAGEFOLDER, ExportFormat.JSONL, ExportFormat.COCO):
        source = output / "metadata.jsonl" if output.is_dir() else output
        found = matched(read_captions(source), [path], tmp_path)
        assert found.captions == {path: "x"}
    if to is ExportFormat.IMAGEFOLDER:
        (named,) = (json.loads(line) for line in source.read_text("utf-8").splitlines())
        assert (output / named["file_name"]).is_file()


def test_formats_that_hold_captions_come_in_their_order(folder):
    (folder / "a.caption").write_text("from .caption")
    (picture,) = (folder / "a.png",)
    for formats, expected in (
        ((CaptionFormat.CAPTION,), "from .caption"),
        ((CaptionFormat.TXT, CaptionFormat.CAPTION), CAPTIONS["a.png"]),
    ):
        assert gathered([picture], folder, formats).items[0].caption == expected


def test_other_peoples_files_are_replaced_only_when_asked_but_never_an_image(folder, tmp_path):
    output = tmp_path / "captions.csv"
    output.write_text("mine")
    options = ExportOptions(ExportFormat.CSV, output)
    with pytest.raises(FilesInTheWay, match=r"captions\.csv"):
        export(items_of(folder), options, tmp_path / "ledger")
    assert output.read_text() == "mine"
    shares = []
    export(items_of(folder), options, replaces=True, on_progress=shares.append)
    assert "A cat" in output.read_text("utf-8")
    assert shares == sorted(shares)
    assert shares[0] >= 0
    assert shares[-1] <= 1
    image = folder / "a.png"
    before = image.read_bytes()
    for replaces in (False, True):
        with pytest.raises(StoreError, match=r"a\.png"):
            export(items_of(folder), ExportOptions(ExportFormat.CSV, image), replaces=replaces)
    assert image.read_bytes() == before


@pytest.mark.parametrize("at", ["the file", "the names", "the contents"])
def test_reading_can_be_stopped_wherever_it_is(folder, tmp_path, at):
    stop = Event()
    picture = folder / "a.png"
    source = tmp_path / "given.csv"
    source.write_text(f"file_name,caption,fingerprint\nb.png,new,{picture.stat().st_size:x}-0\n")
    length, review = picture.stat().st_size, ReviewState.UNREVIEWED
    rows = [ImageRow(0, picture, "", False, review, False, None, 20, 10, length, 0.0, "")]
    if at == "the file":
        stop.set()

    def read():
        found = read_captions(source, stop)
        contents = Contents(rows, stop)
        stop.set()
        if at == "the names":
            found = until_stopped(found, stop)
        matched(found, [picture], folder, contents)

    with pytest.raises(Cancelled):
        read()
