"""A run, its edits, its undo and its tables, killed at every single file operation.

Whatever the operation, opening the run again shows rows that agree with the files byte for byte, no
file of ours is left half written, and everything can still be undone. The same holds where the
computer has gone off at that operation, and what was not synced is lost.
"""

import csv
import json
import os
import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from core.batch import Batch, Control, ItemState, find_runs
from core.captions import xmp
from core.captions.formats import CaptionFormat
from tests.support.folder_run import FolderEngine
from tests.support.kill_points import (
    BEFORE,
    EDITS,
    FURTHER_STEPS,
    LOG,
    NAMES,
    PROMPT,
    ROW_STEPS,
    STEPS,
    TABLE,
    TABLE_BEFORE,
    before,
)
from tests.support.kill_shim import EVERY, POWER_AT_SOME, SOME, chosen_points

ROOT = Path(__file__).parents[3]
SAMPLED = 3
# `edit` is in the steps after it.
SAMPLED_STEPS = ("rows", "run", "redo-edit", "undo", "continue", "edit-added", "together")
TWICE = {name: f"{name}: {PROMPT}" for name in NAMES}
BY_HAND = {name: EDITS.get(index, "one by hand") for index, name in enumerate(NAMES)}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="preloads a library, as on Linux")


def killed(shim, root, which, *steps):
    """The folders in which each of these steps was killed at the points that `which` stands for."""
    command = [sys.executable, "-m", "tests.support.kill_points", shim, root, which, *steps]
    environment = {"LD_PRELOAD": str(shim), "PATH": ""}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=1800)
    points = {step: chosen_points(which, step, root / step / "count") for step in steps}
    return {step: [root / step / point for point in points[step]] for step in steps}


def contents(folder):
    """What is in the folder besides the images."""
    files = (path for path in folder.iterdir() if path.suffix != ".png")
    return {path.name: path.read_bytes() for path in files}


def rows_of_tables(batch):
    """The captions in each table, by the image's name."""
    found = {}
    for kind, path in batch.exports.items():
        if not path.exists():  # Without a caption there is none.
            found[kind] = []
            continue
        text = path.read_text("utf-8-sig")
        is_csv = kind is CaptionFormat.CSV
        rows = csv.DictReader(text.splitlines()) if is_csv else map(json.loads, text.splitlines())
        found[kind] = sorted((Path(row["picture"]).name, row["caption"]) for row in rows)
    return found


def check_rows(batch, folder, continued):
    """Every row, every caption file and every table say the same. A table that is `continued` has
    the captions of an earlier run where there are none yet."""
    expected = dict(BEFORE)
    for item in batch.items:
        assert item.state in (ItemState.DONE, ItemState.WAITING, ItemState.UNDONE)
        if item.state is ItemState.DONE and CaptionFormat.TXT in batch.options.writes:
            expected[f"{item.path.stem}.txt"] = f"{item.caption}\n".encode()
            sidecar = item.path.with_suffix(".xmp")
            assert xmp.description_of(sidecar.read_bytes()) == item.caption
            expected[sidecar.name] = sidecar.read_bytes()
    if not batch.is_undone:
        rows = dict(TWICE) if continued else {}
        done = (item for item in batch.items if item.state is ItemState.DONE)
        rows |= {item.path.name: item.caption for item in done}
        assert rows_of_tables(batch) == dict.fromkeys(batch.exports, sorted(rows.items()))
        expected |= {path.name: path.read_bytes() for path in batch.exports.values() if rows}
    assert contents(folder) == expected


def check_captions(batch, step):
    """Each caption is one from before the step or from after it."""
    for item in batch.items:
        captions = {TWICE[item.path.name], BY_HAND[item.path.name]}
        assert step in ("run", "undo") or item.caption in captions
        if step == "run":
            assert (item.state, item.caption) in (
                (ItemState.WAITING, ""),
                (ItemState.DONE, TWICE[item.path.name]),
            )


def check_redo(batch, step):
    """An undone edit can be redone as a whole, wherever the undo or the redo was killed."""
    if step not in ("undo-edit", "redo-edit"):
        assert not batch.can_redo_edit
        return
    undone = sum(item.caption == TWICE[item.path.name] for item in batch.items)
    assert batch.can_redo_edit == bool(undone)
    if undone:
        assert batch.redo_edit().count == undone
    assert {item.path.name: item.caption for item in batch.items} == BY_HAND
    assert not batch.can_redo_edit


def check_killed(step, folder):
    """Opens the run that was killed, compares, opens it once more, ends it, and undoes it."""
    images = folder / "images"
    runs = find_runs(folder / "journals")
    if not runs:  # It was killed before the run had begun.
        assert contents(images) == BEFORE
        return
    *earlier, run = [run.journal for run in reversed(runs)]
    with closing(Batch.resume(run)) as batch:
        assert batch.notes == []
        if step not in ("export", "continue"):
            check_captions(batch, step)
        check_rows(batch, images, earlier)
        seen = list(batch.items)
    check_rows(batch, images, earlier)
    with closing(Batch.resume(run)) as batch:
        assert list(batch.items) == seen
        check_redo(batch, step)
    with closing(Batch.resume(run)) as batch:
        check_rows(batch, images, earlier)
        waiting = {item.path.name for item in seen if item.state is ItemState.WAITING}
        engine = FolderEngine()
        if not batch.is_undone:
            batch.run(engine, Control())
            assert batch.tally.done == len(NAMES)
        assert {name for name, _ in engine.asked} == waiting
        check_rows(batch, images, earlier)
        assert batch.undo(keeps_edits=False) == []
    for one in earlier:
        with closing(Batch.resume(one)) as batch:
            check_rows(batch, images, continued=False)
            assert batch.undo() == []
    assert contents(images) == BEFORE
    assert find_runs(folder / "journals")[0].is_over


def check_rows_of_texts(batch, folder, was):
    """Every row and its caption files say the same; an image without a caption has the files that
    `was` has of it."""
    now, expected = contents(folder), {}
    for item in batch.items:
        text, sidecar = f"{item.path.stem}.txt", f"{item.path.stem}.xmp"
        if item.state is not ItemState.DONE:
            expected |= {name: was[name] for name in (text, sidecar) if name in was}
            continue
        parts = [item.caption]
        if batch.options.adds_to_captions and text in was:
            parts.insert(0, was[text].decode().strip())
        expected[text] = "".join(f"{part}\n" for part in parts).encode()
        assert xmp.read(now[sidecar], sidecar).description == item.caption
        expected[sidecar] = now[sidecar]
    tables = {path.name for path in batch.exports.values()}
    assert {name: data for name, data in now.items() if name not in tables} == expected


def check_killed_further(step, folder):
    """As `check_killed`, for steps that write no tables or more than one run's files."""
    images = folder / "images"
    journals = [run.journal for run in reversed(find_runs(folder / "journals"))]
    first = before(step)
    if not journals:
        assert contents(images) == first
        return
    # Before the second run, if one has begun.
    was = contents(folder / "before") if len(journals) == 2 else first
    with closing(Batch.resume(journals[-1])) as batch:
        assert batch.notes == []
        check_rows_of_texts(batch, images, was)
        seen = list(batch.items)
    with closing(Batch.resume(journals[-1])) as batch:
        assert list(batch.items) == seen
        batch.retry_failed()
        batch.run(FolderEngine(), Control())
        assert batch.is_undone or batch.tally.done == len(NAMES)
        check_rows_of_texts(batch, images, was)
        assert batch.undo(keeps_edits=False) == []
    assert contents(images) == was
    for journal in journals[:-1]:
        with closing(Batch.resume(journal)) as batch:
            check_rows_of_texts(batch, images, first)
            assert batch.undo() == []
    assert contents(images) == first


def rows_in(table):
    rows = map(json.loads, table.read_text().splitlines())
    return {row["file_name"]: row["text"] for row in rows}


def check_killed_rows(step, folder):
    """The table has every caption of the run and of others, once; the run is ended and undone."""
    images, table = folder / "images", folder / "images" / TABLE
    runs = find_runs(folder / "journals")
    if not runs:
        assert contents(images) == {TABLE: TABLE_BEFORE}
        return

    def check(batch):
        done = [item for item in batch.items if item.state is ItemState.DONE]
        captions = {"2.png": "before", "9.png": "other"}
        assert rows_in(table) == captions | {item.path.name: item.caption for item in done}
        assert len(table.read_text().splitlines()) == len(rows_in(table))

    with closing(Batch.resume(runs[0].journal)) as batch:
        assert batch.notes == []
        check(batch)
        seen = list(batch.items)
    with closing(Batch.resume(runs[0].journal)) as batch:
        assert list(batch.items) == seen
        engine = FolderEngine()
        batch.run(engine, Control())
        waiting = [item.path.name for item in seen if item.state is ItemState.WAITING]
        assert sorted({name for name, _ in engine.asked}) == waiting
        check(batch)
        assert batch.undo(keeps_edits=False) == []
    assert contents(images) == {TABLE: TABLE_BEFORE}


ALL_STEPS = [*STEPS, *FURTHER_STEPS, *ROW_STEPS]


@pytest.fixture(scope="module")
def sampled(shim, tmp_path_factory):
    """The folders in which some steps were killed at a few points, in one process, since its start
    takes longer."""
    return killed(shim, tmp_path_factory.mktemp("sampled"), f"{SOME}{SAMPLED}", *SAMPLED_STEPS)


@pytest.mark.parametrize("step", SAMPLED_STEPS)
def test_killed_at_some_operations_rows_and_files_agree(step, sampled):
    check_points(step, sampled[step])


@pytest.mark.slow
@pytest.mark.parametrize("step", ALL_STEPS)
def test_killed_at_every_operation_rows_and_files_agree(step, shim, tmp_path):
    folders = killed(shim, tmp_path, EVERY, step)[step]
    assert len(folders) > 10
    check_points(step, folders)


def unsynced(log):
    """What a power cut may lose: the files whose content is not on the disk, the renames that are
    not, and the size that is there of each synced file."""
    contents, renames, sizes = set(), [], {}
    for line in log.read_text().splitlines():
        match line.split("\t"):
            case ["W", path]:
                contents.add(path)
            case ["R", old, new]:
                renames.append((Path(old), Path(new)))
                contents |= {new} if old in contents else set()
            case ["F", length, path]:
                contents.discard(path)
                sizes[path] = int(length)
                renames = [one for one in renames if one[1].parent != Path(path)]
            case ["S"]:
                contents.clear()
                renames.clear()
    return contents, renames, sizes


def cut_power(folder, chosen):
    """Makes of what a killed run has left what may be on the disk after a power cut."""
    contents, renames, sizes = unsynced(folder / LOG)
    for old, new in reversed(renames):
        if new.exists() and not old.exists() and chosen.random() < 0.5:
            new.rename(old)
            if (former := folder / "before" / new.name).exists():
                new.write_bytes(former.read_bytes())
    for path in map(Path, sorted(contents)):
        if path.suffix == ".jsonl":
            size, least = path.stat().st_size, sizes.get(str(path), 0)
            os.truncate(path, chosen.choice([least, size, chosen.randint(least, size)]))
        elif path.exists():
            path.write_bytes(chosen.choice([b"", path.read_bytes()[:5], b"\0" * 9]))


def check_power_cuts(step, shim, tmp_path, most):
    folders = killed(shim, tmp_path, f"{POWER_AT_SOME}{most}", step)[step]
    chosen = random.Random(step)
    for folder in folders:
        cut_power(folder, chosen)
    check_points(step, folders)


def test_after_a_power_cut_at_some_operations_rows_and_files_agree(shim, tmp_path):
    check_power_cuts("together", shim, tmp_path, most=3 * SAMPLED)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["together", "replace", "add", "retry"])
def test_after_a_power_cut_at_every_operation_rows_and_files_agree(step, shim, tmp_path):
    check_power_cuts(step, shim, tmp_path, most=10**6)


def check_points(step, folders):
    """Checks all points, and names those that fail."""
    check = check_killed if step in STEPS else check_killed_further
    check = check_killed_rows if step in ROW_STEPS else check
    failed = {}
    for folder in folders:
        assert not (folder / "operations").exists(), "it was not killed"
        try:
            check(step, folder)
        except AssertionError as error:
            failed[folder.name] = str(error)
    assert not failed, "\n\n".join(f"{point}: {why}" for point, why in failed.items())
