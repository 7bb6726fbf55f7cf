"""Journals that version 0.1 wrote: today's program shows the same rows and takes the same back.

`tests/data/journals` holds one folder for each run. They were written by real runs of version 0.1
with the built-in model, and are never generated anew: a test that fails here means that journals
on people's disks are no longer read as they were. In them `@FOLDER@` stands for the folder of the
images; `files` are the caption files and tables as the run left them, and `expected.json` is what
version 0.1 made of it all.

`tests/data/journals_with_checksums` holds journals with each kind of line of the format that came
after it. Their checksums are those of the lines as they are there, with `@FOLDER@`.
"""

import csv
import io
import json
import re
import zlib
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image

from core.batch import Batch, Control, find_runs
from core.batch.events import Answered, Unknown, changes_of, event_from
from core.batch.stored import options_json
from core.message import without_names
from tests.support.folder_run import FACTS, FolderEngine

SAMPLES = Path(__file__).parents[2] / "data" / "journals"
WITH_CHECKSUMS = Path(__file__).parents[2] / "data" / "journals_with_checksums"
FOLDER = "@FOLDER@"


def placed(text, folder, *, is_json=True):
    """The text with the paths that it has on this computer."""

    def path(found):
        path = str(folder / found[1].lstrip("/"))
        return json.dumps(path)[1:-1] if is_json else path

    return re.sub(rf'{FOLDER}([^",\\\r\n]*)', path, text)


def placed_journal(lines, folder):
    """The lines with their paths on this computer, and then with other checksums."""
    return "".join(
        placed_line(line, folder) if '"crc": "' in line else placed(line, folder)
        for line in lines.splitlines(keepends=True)
    )


def placed_line(line, folder):
    begin, digits = line[:-19], line[-19:-3]
    assert line[-11:-3] == checksum(line[:-11])
    assert digits[:8] == checksum(json.loads(line).get("picture", ""))
    begin = placed(begin, folder)
    begin += checksum(json.loads(placed(line, folder)).get("picture", ""))
    return f'{begin}{checksum(begin)}"}}\n'


def checksum(text):
    return f"{zlib.crc32(text.encode()):08x}"


def opened(sample, tmp_path):
    """The run of a sample, as a start of the program finds it."""
    folder = tmp_path / "images"
    expected = json.loads((sample / "expected.json").read_text("utf-8"))
    folder.mkdir()
    for image in expected.get("images") or [item[0] for item in expected["items"]]:
        Image.new("RGB", (8, 6), "red").save(folder / image)
    for file in (sample / "files").glob("*"):
        text = file.read_bytes().decode("utf-8")
        text = placed(text, folder, is_json=file.suffix == ".jsonl")
        (folder / file.name).write_bytes(text.encode())
    journal = tmp_path / "journals" / "20260101-000000-000000-0000.jsonl"
    journal.parent.mkdir()
    lines = (sample / "journal.jsonl").read_text("utf-8")
    journal.write_text(placed_journal(lines, folder), "utf-8", newline="\n")
    (kept,) = find_runs(journal.parent)
    return Batch.resume(kept.journal), kept, folder


def seen(batch, kept, folder):
    """What a person sees of a run, as JSON has it."""
    seen = {
        "items": [
            [item.path.name, item.state.value, item.caption, item.reason, item.is_edited]
            for item in batch.items
        ],
        "beside": [batch.caption_beside(number) for number in range(len(batch.items))],
        "doubts": [asdict(doubt) for doubt in batch.doubts],
        "tally": tally_then(batch.tally),
        "notes": list(batch.notes),
        "options": options_json(batch.options),
        "exports": {kind: path.name for kind, path in batch.exports.items()},
        "began": kept.began.isoformat(),
        "is_over": kept.is_over,
        "is_undone": [kept.is_undone, batch.is_undone],
        "can_undo_edit": batch.can_undo_edit,
    }
    return json.loads(json.dumps(seen).replace(json.dumps(str(folder))[1:-1], FOLDER))


def tally_then(tally):
    """As version 0.1 had it: it named no image, also where one alone failed for a reason."""
    reasons = [(without_names(reason), count) for reason, count in tally.reasons]
    return {k: v for k, v in asdict(tally).items() if k != "edited"} | {"reasons": reasons}


def without_notes(text, suffix):
    """A table without the columns that later versions add, which must be empty here."""
    if suffix != ".csv":
        return text.replace(', "notes": []', "")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    if not rows or "notes" not in rows[0]:
        return text
    count = rows[0].index("notes")
    assert rows[0][count:] == ["notes", "file_name", "existing"]
    assert not any(any(row[count:]) for row in rows[1:])
    written = io.StringIO(newline="")
    csv.writer(written).writerows(row[:count] for row in rows)
    return written.getvalue()


def files(folder):
    """The captions and tables; rows that are added now name the version of then."""

    def text(path):
        text = without_notes(path.read_bytes().decode("utf-8"), path.suffix)
        text = text.replace("\\\\", "/").replace("\\", "/")
        return text.replace(folder.as_posix(), FOLDER).replace(version("onlooker"), "0.1.0")

    return {path.name: text(path) for path in sorted(folder.iterdir()) if path.suffix != ".png"}


def becomes(batch, folder):
    """What is on the disk after each step that somebody may take with the run."""
    engine = FolderEngine(facts=FACTS)
    edits = []
    while batch.can_undo_edit:
        edits.append([batch.undo_edit().count, files(folder)])
    batch.retry_failed()
    batch.run(engine, Control())
    batch.edit(0, "by hand")
    ran = files(folder)
    left = [path.name for path in batch.undo()]
    kept = files(folder)
    left_at_last = [path.name for path in batch.undo(keeps_edits=False)]
    return {
        "edits": edits,
        "asked": [list(one) for one in engine.asked],
        "ran": ran,
        "left": left,
        "undone": kept,
        "left_at_last": left_at_last,
        "undone_at_last": files(folder),
    }


def finished(name, seen):
    """What is different since runs that were cut off are finished when they are opened: version 0.1
    did that when they were run or undone again."""
    names = [item[0] for item in seen["items"]]
    match name:
        case "killed":
            return {"beside": [item[2] for item in seen["items"]]}
        case "unfinished_undo":
            return {
                "items": [[name, "undone", "", "", False] for name in names],
                "beside": [""] * len(names),
                "tally": seen["tally"] | {"done": 0, "undone": len(names)},
            }
        case _:
            return {}


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir()))
def test_run_of_version_0_1_is_what_it_was(name, tmp_path):
    batch, kept, folder = opened(SAMPLES / name, tmp_path)
    expected = json.loads((SAMPLES / name / "expected.json").read_text("utf-8"))
    try:
        assert seen(batch, kept, folder) == expected["seen"] | finished(name, expected["seen"])
        became = becomes(batch, folder)
        if name == "unfinished_undo":  # It is finished before "ran", no longer by the next undo.
            assert became.pop("ran") == {"desk.txt": "by hand\n"}
            del expected["becomes"]["ran"]
        if name == "prompts":  # An edit leaves the text to which the run has added its caption.
            for step in ("ran", "undone"):
                assert expected["becomes"][step]["desk.txt"] == "by hand\n"
                expected["becomes"][step]["desk.txt"] = "before\nby hand\n"
        assert became == expected["becomes"]
    finally:
        batch.close()


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir()))
def test_events_are_written_as_version_0_1_wrote_them(name):
    lines = (SAMPLES / name / "journal.jsonl").read_text("utf-8").splitlines()
    for line in lines:
        if line.endswith("}"):  # The others are torn.
            event = event_from(json.loads(line))
            assert not isinstance(event, Unknown)
            assert json.dumps(event.to_json()) == line


def test_line_of_a_newer_version_is_read_as_far_as_it_is_known():
    answer = {"prompt": "What?", "caption": "A.", "text": "A.", "ending": "complete"}
    answer |= {"tokens": 2, "seconds": 0.5, "seed": 0, "grade": 7}
    line = {"kind": "answer", "picture": "a.png", "place": 0, "answer": answer, "new": 1}
    answered = event_from(line)
    assert isinstance(answered, Answered)
    # It is written again with the image's caption, and nothing of it is lost.
    assert answered.to_json()["answer"] == answer
    change = {"path": "a.txt", "before": None, "after": "QQ=="}
    event = event_from({"kind": "translated", "picture": "a.png", "files": [change]})
    assert [one.after_bytes for one in changes_of(event)] == [b"A"]
    assert changes_of(event_from({"kind": "noted"})) == ()


@pytest.mark.parametrize("name", sorted(path.name for path in WITH_CHECKSUMS.iterdir()))
def test_run_with_checksums_is_what_it_was(name, tmp_path):
    batch, kept, folder = opened(WITH_CHECKSUMS / name, tmp_path)
    expected = json.loads((WITH_CHECKSUMS / name / "expected.json").read_text("utf-8"))
    try:
        now = seen(batch, kept, folder)
        assert (now["items"], now["notes"]) == (expected["items"], expected["notes"])
        assert [doubt["word"] for doubt in now["doubts"]] == expected["doubts"]
        batch.undo(keeps_edits=False)
    finally:
        batch.close()
    # What another program has written stays.
    assert files(folder) == {"3.txt": "elsewhere\n", "5.txt": "mine\n"}
