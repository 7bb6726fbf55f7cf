"""Journals with one flipped bit: it is without effect on what is read, or it is reported."""

import json
import random
import shutil
import zlib
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from core.batch import (
    Batch,
    BatchOptions,
    Control,
    Doubt,
    ItemState,
    find_runs,
    unreadable_journals,
)
from core.batch.damage import Damaged
from core.batch.journal import read_events
from core.batch.kinds import Kind
from core.captions.formats import CaptionFormat
from core.errors import EngineError, StoreError
from tests.support.folder_run import FolderEngine
from tests.support.tiers import slowly

PARTS = 24
OPTIONS = BatchOptions(
    ("What is it?", "Where?"), writes=(CaptionFormat.TXT, CaptionFormat.JSONL, CaptionFormat.CSV)
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A folder with a run of every kind of journal line, and its journal; then that of its undo."""
    base = tmp_path_factory.mktemp("flipped")
    folder = base / "pictures"
    folder.mkdir()
    for number in range(1, 6):
        Image.new("RGB", (8, 6), "red").save(folder / f"{number}.png")
    (folder / "5.txt").write_text("mine\n")
    with closing(Batch.begin([folder], OPTIONS, base / "journals")) as batch:
        stopped = Control()
        batch.run(
            FolderEngine(0.003),
            stopped,
            on_piece=lambda number, _: stopped.stop_now() if number == 1 else None,
        )
        engine = FolderEngine()
        engine.fail["3.png"] = EngineError("It cannot.")

        def edits(request):
            if request.picture.path.name == "4.png" and not batch.items[3].is_edited:
                batch.edit(3, "by hand")

        engine.on_answer = edits
        batch.run(engine, Control())
        batch.retry_failed()
        batch.run(FolderEngine(), Control())
        batch.keep_doubt(Doubt(0, batch.items[0].caption, "What", 0.7, 1, "f1"))
        batch.edit(1, "mine")
        batch.edit(0, "other")
        batch.undo_edit()
        (folder / "3.txt").write_text("elsewhere\n")
        batch.adopt(batch.edit(2, "by hand").conflicts)
        (folder / "2.txt").write_text("elsewhere too\n")
        batch.take_over([folder / "2.png"])
        journal = batch.journal_path
    shutil.copytree(folder, base / "files")
    data = journal.read_bytes()
    with closing(Batch.resume(journal)) as batch:
        batch.undo()
    return folder, base / "files", data, journal.read_bytes()


def lines_of(data):
    return data.splitlines(keepends=True)


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def put_back(folder, files):
    for path in folder.iterdir():
        path.unlink()
    for path in files.iterdir():
        shutil.copy2(path, folder / path.name)


def events_of(data, path):
    path.write_bytes(data)
    return list(read_events(path))


def became(journal):
    """What a person sees of a run, and then of its undo; and whether damage is reported."""
    (kept,) = find_runs(journal.parent)
    with closing(Batch.resume(journal)) as batch:
        is_reported = any("journal is damaged" in note for note in batch.notes)
        seen = [list(batch.items), batch.doubts, list(batch.answers()), batch.can_undo_edit]
        seen += [batch.tally, batch.is_undone, batch.options, kept.options]
        left = batch.undo(keeps_edits=False)
        seen += [left, list(batch.items)]
    folder = batch.roots[0]
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return is_reported, [*seen, files]


def test_the_journals_have_every_kind_of_line_and_each_has_its_checksum(recorded):
    lines = lines_of(recorded[3])
    assert {json.loads(line)["kind"] for line in lines} == set(Kind)
    for line in lines:
        assert b'"crc": "' in line
        assert zlib.crc32(line[:-11]) == int(line[-11:-3], 16)


def check_bits(data, path, bits):
    """Flips each of these bits of a journal."""
    whole = events_of(data, path)
    for bit in bits:
        events = events_of(flipped(data, bit), path)
        damaged = [event for event in events if isinstance(event, Damaged)]
        assert damaged or events == whole, f"bit {bit} of {data}"
        # Every other line is read as it is.
        same = [event for event in events if event in whole]
        assert len(same) >= len(whole) - 1, f"bit {bit} of {data}"


def test_flipped_bit_changes_nothing_of_what_is_read_or_is_noticed(recorded, tmp_path):
    data = recorded[3]
    check_bits(data, tmp_path / "a.jsonl", random.Random("bits").sample(range(8 * len(data)), 100))


@pytest.mark.slow
def test_no_byte_with_a_flipped_bit_changes_what_is_read_or_it_is_noticed(recorded, tmp_path):
    """Two bits of each byte of each line, between the first line, its neighbours and the last line,
    since a journal is read line by line; all lines would take ten times as long."""
    chosen, lines = random.Random("bytes"), lines_of(recorded[3])
    for number, line in enumerate(lines):
        numbers = sorted({0, number - 1, number, number + 1, len(lines) - 1} & {*range(len(lines))})
        before = sum(len(lines[one]) for one in numbers if one < number)
        places = range(before, before + len(line))
        bits = [8 * place + bit for place in places for bit in chosen.sample(range(8), 2)]
        check_bits(b"".join(lines[one] for one in numbers), tmp_path / "a.jsonl", bits)


def some_bits(data, count):
    """So many bits of a journal; without a number some of each part of each line."""
    chosen = random.Random("recorded")
    if count:
        return chosen.sample(range(8 * len(data)), count)
    bits, begin = [], 0
    for line in lines_of(data):
        size = 8 * len(line)
        edges = [begin + size * part // PARTS for part in range(PARTS + 1)]
        bits += [chosen.randrange(*edge) for edge in pairwise(edges)]
        begin += size
    return bits


@pytest.mark.parametrize("count", [30, slowly(0)])
@pytest.mark.parametrize("is_undone", [False, True], ids=["run", "undone"])
def test_flipped_bit_is_never_told_or_undone_in_silence(recorded, tmp_path, is_undone, count):
    folder, files, *journals = recorded
    data = journals[is_undone]
    path = tmp_path / "journals" / "a.jsonl"
    path.parent.mkdir()

    def opened(content):
        put_back(folder, files)
        path.write_bytes(content)
        return became(path)

    is_reported, whole = opened(data)
    assert not is_reported
    for bit in some_bits(data, count):
        try:
            is_reported, seen = opened(flipped(data, bit))
        except (StoreError, ValueError):
            assert unreadable_journals(path.parent) == [path], f"bit {bit}"
        else:
            assert is_reported or seen == whole, f"bit {bit}"


@pytest.mark.parametrize("kind", [Kind.ITEM, Kind.EDIT, Kind.UNEDIT, Kind.ADOPTED])
def test_image_whose_path_is_damaged_in_its_line_is_listed_as_unknown(recorded, tmp_path, kind):
    folder, files, data, _ = recorded
    lines = lines_of(data)
    number = max(n for n, line in enumerate(lines) if json.loads(line)["kind"] == kind)
    name = json.loads(lines[number])["picture"]
    begin = lines[number].index(json.dumps(name).encode())
    path = tmp_path / "a.jsonl"
    # 3.png and 1.png differ in one bit.
    for bit in range(
        8 * begin, 8 * (begin + len(json.dumps(name))), 23 if kind != "adopted" else 7
    ):
        put_back(folder, files)
        # What comes later about the image would tell what became of it.
        later = [line for line in lines[number + 1 :] if json.loads(line).get("picture") != name]
        path.write_bytes(b"".join([*lines[:number], flipped(lines[number], bit), *later]))
        with closing(Batch.resume(path)) as batch:
            items = {str(item.path): item for item in batch.items}
            assert "unknown" in items[name].reason, f"bit {bit}"
            assert all("unknown" not in items[other].reason for other in items if other != name)
            assert len(items) == 5


@pytest.mark.parametrize("flips", [0x01, 0x40, 0x80])
@pytest.mark.parametrize("kind", sorted(Kind))
def test_damaged_line_end_hides_neither_line(recorded, tmp_path, kind, flips):
    lines, path = lines_of(recorded[3]), tmp_path / "a.jsonl"
    whole = events_of(recorded[3], path)
    number = next(n for n, line in enumerate(lines) if json.loads(line)["kind"] == kind)
    lines[number] = lines[number][:-1] + bytes([ord("\n") ^ flips])
    for count in (len(lines), number + 1):
        events = events_of(b"".join(lines[:count]), path)
        damaged = events[number]
        assert isinstance(damaged, Damaged)
        assert damaged.picture == getattr(whole[number], "picture", "")
        assert events[:number] + events[number + 1 :] == whole[:number] + whole[number + 1 : count]


def test_damaged_end_of_the_last_line_is_not_taken_for_a_torn_line(recorded, tmp_path):
    folder, files, data, _ = recorded
    put_back(folder, files)
    lines, path = lines_of(data), tmp_path / "a.jsonl"
    last = max(n for n, line in enumerate(lines) if json.loads(line)["kind"] == Kind.ITEM)
    path.write_bytes(b"".join(lines[: last + 1])[:-1] + b"\x0b")
    with closing(Batch.resume(path)) as batch:
        name = json.loads(lines[last])["picture"]
        assert batch.items[int(Path(name).stem) - 1].state is ItemState.FAILED
        batch.edit(4, "added later")
    with closing(Batch.resume(path)) as batch:
        assert batch.items[4].caption == "added later"


def test_journal_without_checksums_is_read_and_continued_with_them(recorded, tmp_path):
    folder, files, data, _ = recorded
    put_back(folder, files)

    def without(line):
        values = json.loads(line)
        return json.dumps({k: v for k, v in values.items() if k != "crc"}).encode() + b"\n"

    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    with closing(Batch.resume(path)) as batch:
        items = list(batch.items)
    path.write_bytes(b"".join(map(without, lines_of(data))))
    with closing(Batch.resume(path)) as batch:
        assert (list(batch.items), batch.notes) == (items, [])
        batch.edit(4, "continued")
    added = lines_of(path.read_bytes())[len(lines_of(data)) :]
    assert added
    assert all(b'"crc": "' in line for line in added)
    edit = next(line for line in added if b'"edit"' in line)
    path.write_bytes(path.read_bytes().replace(edit, edit.replace(b"continued", b"continuee")))
    with closing(Batch.resume(path)) as batch:
        assert "unknown" in batch.items[4].reason
