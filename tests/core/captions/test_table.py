"""Tables of captions: what is changed, and that all else stays byte for byte."""

import csv
import io
import json
import random
from typing import Any

import pytest

from core.captions.table import CaptionTable, key_of
from core.errors import StoreError

LINES = (
    b'\xef\xbb\xbf{"width": 1.50, "file_name":"a.png",  "text": "a dog \\u00e9", "tags": [1,2]}\r\n'
    b"\r\n"
    b'{"note": "no image"}\r\n'
    b'{"file_name": "sub/b.png", "other": {"text": "x"}, "text": null}\r\n'
    b'{"file_name": "c.png", "score": 1e5}'
)
CELLS = (
    b'"file_name";"text";score\r\na.png;"one; ""two""\nthree";1,50\r\n\r\nsub\\b.png;;x\r\nc.png'
)


def changed(data, name, captions):
    """The content after captions are set, and after each is taken back."""
    table = CaptionTable.of(data, name)
    raws = [(key_of(one), one, table.written(key_of(one), text)) for one, text in captions.items()]
    before = [(key, one, table.raw(key)) for key, one, _ in raws]
    after = table.with_raws(raws)
    again = CaptionTable.of(after.data, name)
    for key, _, raw in raws:
        assert again.caption(again.raw(key)) == after.caption(raw)
        assert after.caption(after.raw(key)) == after.caption(raw)
    assert again.with_raws(list(reversed(before))).data == after.with_raws(before[::-1]).data
    return after.data, after.with_raws(list(reversed(before))).data


def test_only_the_captions_of_json_lines_change():
    table = CaptionTable.of(LINES, "metadata.jsonl")
    assert table.caption(table.raw("a.png")) == "a dog é"
    assert [table.raw(key) for key in ("sub/b.png", "c.png", "d.png")] == [b"null", b"", None]
    captions = {
        "a.png": 'new "é"\n\u2028x',
        "sub/b.png": "two",
        "c.png": "three",
        "d é.png": "four",
    }
    after, back = changed(LINES, "metadata.jsonl", captions)
    assert back == LINES
    assert after == (
        LINES.replace(b'"a dog \\u00e9"', b'"new \\"\\u00e9\\"\\n\\u2028x"')
        .replace(b"null", b'"two"')
        .replace(b"1e5}", b'1e5, "text": "three"}')
        + b'\r\n{"file_name": "d \\u00e9.png", "text": "four"}'
    )


def test_only_the_captions_of_csv_change():
    captions = {"a.png": 'say "no"', "sub/b.png": "two;", "c.png": "three", "d.png": "=four"}
    after, back = changed(CELLS, "metadata.csv", captions)
    assert after == (
        CELLS.replace(b'"one; ""two""\nthree"', b'"say ""no"""')
        .replace(b"b.png;;", b'b.png;"two;";')
        .replace(b"c.png", b"c.png;three")
        + b"\r\nd.png;=four;"
    )
    assert back == CELLS.replace(b"c.png", b"c.png;")


def test_spreadsheets_take_no_caption_for_a_formula():
    table = CaptionTable.of(b"path,caption\na.png,'=1+1\n", "captions.csv")
    assert table.caption(table.raw("a.png")) == "=1+1"
    after = table.with_raws([("a.png", "a.png", table.written("a.png", "-x"))])
    assert after.data == b"path,caption\na.png,'-x\n"


@pytest.mark.parametrize("name", ["metadata.jsonl", "captions.csv"])
def test_new_tables_are_read_by_others(name):
    captions = {"a.png": "one", "sub/b.png": 'two,\n"three" ü'}
    after, back = changed(None, name, captions)
    if name.endswith("csv"):
        rows = list(csv.DictReader(io.StringIO(after.decode(), newline="")))
        assert [(row["file_name"], row["caption"]) for row in rows] == list(captions.items())
    else:
        rows = [json.loads(line) for line in after.decode().splitlines()]
        assert [(row["file_name"], row["text"]) for row in rows] == list(captions.items())
    assert back in (b"", b"file_name,caption\n")


@pytest.mark.parametrize("seed", range(20))
def test_cells_are_those_that_pythons_reader_finds(seed):
    chance = random.Random(seed)
    words = ["", "a", "ü b", 'say "x"', "one, two", "l1\nl2", "l1\r\nl2", " lead", "t\t", "'=x"]
    text = io.StringIO(newline="")
    quoting: Any = chance.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC])
    ends = chance.choice(["\n", "\r\n"])
    writer = csv.writer(text, delimiter=chance.choice(",;\t"), quoting=quoting, lineterminator=ends)
    writer.writerow(["id", "file_name", "text", "x"])
    for number in range(12):
        writer.writerow([number, f"{number}.png", chance.choice(words), chance.choice(words)])
    data = text.getvalue().encode()
    if chance.random() < 0.5:
        data = data.removesuffix(ends.encode())
    table = CaptionTable.of(data, "metadata.csv")
    separator = max("\t;,", key=table.rows[0].text.count)
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline=""), delimiter=separator))
    assert table.data == data
    for row in rows:
        raw = table.raw(row["file_name"])
        assert table.caption(raw) == row["text"].replace("\r\n", "\n").strip()
    new = {f"{number}.png": chance.choice(words) for number in range(0, 14, 2)}
    after, _ = changed(data, "metadata.csv", {k: v for k, v in new.items() if v})
    found = list(csv.DictReader(io.StringIO(after.decode(), newline=""), delimiter=separator))
    assert [(row["id"], row["x"]) for row in found[:12]] == [(row["id"], row["x"]) for row in rows]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("metadata.jsonl", b'{"file_name": "a.png", "text": "x"}\n{"file_name": \n'),
        ("metadata.jsonl", b'["a"]\n'),
        ("metadata.jsonl", b'{"label": "x"}\n'),
        ("metadata.jsonl", b'{"file_name": "a"} {"file_name": "b"}\n'),
        ("metadata.csv", b"file_name,label\na.png,1\n"),
        ("metadata.csv", b'file_name,text\na.png,"open\n'),
        ("metadata.csv", b"\xff\xfe\x00"),
    ],
)
def test_what_is_no_table_is_refused(name, data):
    with pytest.raises(StoreError) as error:
        CaptionTable.of(data, name)
    assert name in error.value.message


def test_captions_that_are_no_text_are_known():
    table = CaptionTable.of(b'{"file_name": "a.png", "text": ["x", "y"]}\n', "metadata.jsonl")
    assert not table.is_text("a.png")
    assert table.is_text("b.png")
