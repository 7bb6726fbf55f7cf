"""The libraries that datasets are exported for read them: `datasets`, `webdataset` and pyarrow."""

import io
from pathlib import Path

import pytest
from PIL import Image

from core.workspace.export.exporting import export
from core.workspace.export.formats import ExportFormat
from core.workspace.export.gathering import gathered
from core.workspace.export.items import ExportOptions
from core.workspace.export.reading import matched, read_captions

# Each takes seconds to be imported, and warns of what is not ours.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

CAPTIONS = {"a.b.png": "A cat, on a mat.", "sub/c.jpg": "Ein Bär 🐻\nand “more”", "sub/d.png": "=x"}


@pytest.fixture
def items(tmp_path):
    """Images in their colours, with captions."""
    root = tmp_path / "images"
    for n, (name, caption) in enumerate(CAPTIONS.items()):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30 + n, 20), (100 * n, 50, 50)).save(root / name)
        (root / name).with_suffix(".txt").write_text(caption, encoding="utf-8")
    return gathered([root / name for name in CAPTIONS], root).items


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load with `datasets`, without a network and without the person's cache."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    datasets = pytest.importorskip("datasets", reason="a library that only tests need")

    def load(kind, **arguments):
        cache = str(tmp_path / "cache")
        return datasets.load_dataset(kind, split="train", cache_dir=cache, **arguments)

    return load


def test_datasets_reads_a_folder_of_images(items, tmp_path, load):
    export(items, ExportOptions(ExportFormat.IMAGEFOLDER, tmp_path / "out"))
    rows = load("imagefolder", data_dir=str(tmp_path / "out"))
    assert {row["text"]: row["image"].size for row in rows} == {
        caption: (30 + n, 20) for n, caption in enumerate(CAPTIONS.values())
    }


@pytest.mark.parametrize("embeds", [False, True])
def test_datasets_and_we_read_a_parquet_file(items, tmp_path, load, embeds):
    output = tmp_path / "out.parquet"
    options = ExportOptions(ExportFormat.PARQUET, output, embeds_images=embeds)
    assert export(items, options).images == 3
    rows = load("parquet", data_files=str(output))
    assert {row["file_name"]: row["caption"] for row in rows} == CAPTIONS
    if embeds:
        assert [row["image"].size for row in rows] == [(30, 20), (31, 20), (32, 20)]
    found = matched(read_captions(output), [item.path for item in items], tmp_path / "images")
    assert {item.name: found.captions[item.path] for item in items} == CAPTIONS


def test_datasets_reads_lines_of_json(items, tmp_path, load):
    export(items, ExportOptions(ExportFormat.JSONL, tmp_path / "out.jsonl"))
    rows = load("json", data_files=str(tmp_path / "out.jsonl"))
    assert {row["file_name"]: row["caption"] for row in rows} == CAPTIONS


ODD = {
    "quotes.png": 'a "quoted" cat, it\'s; <b>&amp;</b> \\n {x}',
    "lines.png": "first line\nsecond line\n\nthird",
    "emoji.png": "🐕‍🦺 é\u0301 \u2028 x",
    "a/same.png": "كلب أحمر \u200fيجري, שלום",
    "b/same.png": "1+1\t=2, y",
    "名 ü's.png": "x" * 40_000,
    "caf\udce9.png": "a name that is no text",
}


@pytest.fixture
def odd_items(tmp_path):
    """Images with odd captions and names."""
    root = tmp_path / "odd images"
    for n, (name, caption) in enumerate(ODD.items()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            Image.new("RGB", (30 + n, 20), (30 * n, 50, 50)).save(path)
        except OSError:  # Names of Windows, macOS and some disks are text.
            continue
        path.with_suffix(".txt").write_bytes(caption.encode())
    return gathered(sorted(root.rglob("*.png")), root).items


READS = {
    ExportFormat.IMAGEFOLDER: ("imagefolder", "text"),
    ExportFormat.JSONL: ("json", "caption"),
    ExportFormat.CSV: ("csv", "caption"),
    ExportFormat.PARQUET: ("parquet", "caption"),
    ExportFormat.WEBDATASET: ("webdataset", "txt"),
}


@pytest.mark.parametrize("to", READS)
def test_datasets_reads_odd_captions_and_names_and_so_do_we(odd_items, tmp_path, load, to):
    output = tmp_path / f"out{to.suffix}"
    assert export(odd_items, ExportOptions(to, output)).images == len(odd_items)
    kind, column = READS[to]
    place = {"data_dir": str(output)}
    if output.is_file():
        place = {"data_files": str(output)}
    elif to is ExportFormat.WEBDATASET:
        place = {"data_files": str(output / "*.tar")}
    said = [row[column] for row in load(kind, **place)]
    assert sorted(said) == sorted(item.caption for item in odd_items)
    if to is not ExportFormat.WEBDATASET:
        source = output if output.is_file() else output / "metadata.jsonl"
        root = tmp_path / "odd images"
        found = matched(read_captions(source), [item.path for item in odd_items], root)
        assert found.captions == {item.path: item.caption for item in odd_items}


@pytest.mark.parametrize("shard_bytes", [1, 10**9])
def test_webdataset_reads_the_tar_files(items, tmp_path, shard_bytes):
    webdataset = pytest.importorskip("webdataset", reason="a library that only tests need")
    export(items, ExportOptions(ExportFormat.WEBDATASET, tmp_path / "out", shard_bytes=shard_bytes))
    shards = sorted(str(path) for path in (tmp_path / "out").iterdir())
    assert len(shards) == (3 if shard_bytes == 1 else 1)
    samples = list(webdataset.WebDataset(shards, shardshuffle=False))
    decoded = list(webdataset.WebDataset(shards, shardshuffle=False).decode("pil"))
    assert {one["json"]["file_name"]: one["txt"] for one in decoded} == CAPTIONS
    for sample, one in zip(samples, decoded, strict=True):
        suffix = Path(one["json"]["file_name"]).suffix[1:]
        assert one[suffix].size == Image.open(io.BytesIO(sample[suffix])).size
