"""Mending a file of conversations, and updating one, killed at every single file operation.

The next opening has all that an opening which nothing kills has, and the old file is still there.
"""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from core.picture import Picture
from core.store import Store
from core.transcript import Answer, Ending, Exchange, Transcript
from tests.support.kill_shim import EVERY, SOME, chosen_points
from tests.support.tiers import slowly

ROOT = Path(__file__).parents[2]
SAMPLED = 12

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="preloads a library, as on Linux")


def damaged(before: Path) -> None:
    """A file with a damaged page whose last conversations are still in the log beside it."""
    made = before.parent / "made"
    with closing(Store(made / "transcripts.sqlite")) as store:
        for number in range(30):
            picture = Picture(None, Image.new("RGB", (40, 30)), given_name=f"{number}.png")
            answer = Answer("A cat. " * 90, Ending.COMPLETE, 7, 0.5)
            store.save(Transcript.of(picture, (Exchange(f"What is {number}?", answer, "m"),)))
            if number == 20:
                with closing(sqlite3.connect(made / "transcripts.sqlite")) as file:
                    file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copytree(made, before, ignore=shutil.ignore_patterns("*-shm"))
    content = bytearray((before / "transcripts.sqlite").read_bytes())
    content[-4096:] = bytes(4096)
    (before / "transcripts.sqlite").write_bytes(content)


def of_an_earlier_version(before: Path) -> None:
    """A file whose tables are brought up to date."""
    before.mkdir()
    shutil.copyfile(
        ROOT / "tests" / "data" / "schema_1" / "transcripts.sqlite", before / "transcripts.sqlite"
    )


def everything(path: Path):
    with closing(Store(path)) as store:
        return {row.id: store.open(row.id).exchanges for row in store.recent(1000)}


@pytest.mark.parametrize("which", [f"{SOME}{SAMPLED}", slowly(EVERY)])
@pytest.mark.parametrize("make", [damaged, of_an_earlier_version])
def test_killed_opening_loses_nothing(shim, tmp_path, make, which):
    make(tmp_path / "before")
    old = (tmp_path / "before" / "transcripts.sqlite").read_bytes()

    command = [sys.executable, "-m", "tests.support.store_kill_points", shim, tmp_path, which]
    environment = {"LD_PRELOAD": str(shim), "PATH": ""}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=600)
    expected = everything(tmp_path / "count" / "transcripts.sqlite")
    assert len(expected) >= 2
    for number in chosen_points(which, "opening", tmp_path / "count"):
        folder = tmp_path / number
        assert everything(folder / "transcripts.sqlite") == expected, number
        assert everything(folder / "transcripts.sqlite") == expected, number
        kept = [path for path in folder.glob("transcripts *.sqlite") if "dam" in path.name]
        if make is damaged:
            assert old in [path.read_bytes() for path in kept], number
        else:
            copies = list(folder.glob("transcripts version 1*.sqlite"))
            assert {everything(shutil.copyfile(copy, tmp_path / "copy")) == expected
                    for copy in copies} == {True}, number  # fmt: skip
        assert list(folder.glob(".*")) == [], number
