"""Files of the program that several of its processes make, change or mend at the same moment."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from core.picture import Picture
from core.store import Store
from core.transcript import Exchange, Transcript
from core.workspace.opening import FILE_NAME, open_database

ROOT = Path(__file__).parents[2]
PROGRAMS = 4
# Each opens the same files in a number of folders, all in step, and prints the notes it got.
BEGIN = """
import sys, time
from pathlib import Path
place, name = Path(sys.argv[1]), sys.argv[2]
def together(number):
    (place / f"{number} {name}").touch()
    until = time.monotonic() + 60
    while len(list(place.glob(f"{number} *"))) < int(sys.argv[3]):
        time.sleep(0.001)
        if time.monotonic() > until:
            sys.exit("another program has failed")
"""
# The store waits 40 ms for another program, so that no window stands still: on a busy machine it is
# asked again, as the next answer asks the window's.
STORE = """
from PIL import Image
from core.errors import StoreError
from core.picture import Picture
from core.store import Store
from core.transcript import Exchange, Transcript
picture = Picture(Path("/a.png"), Image.new("RGB", (4, 4)))
def save(store):
    until = time.monotonic() + 60
    while True:
        try:
            return store.save(Transcript.of(picture, (Exchange(f"by {name}", None, "m"),)))
        except StoreError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
        time.sleep(0.005)
for number in range(int(sys.argv[4])):
    together(number)
    store = Store(place / f"data {number}" / "transcripts.sqlite")
    save(store)
    print(*store.notes, sep="\\n", end="")
    store.close()
"""
WORKSPACE = """
from contextlib import closing
from core.workspace.opening import open_database
for number in range(int(sys.argv[4])):
    data = place / f"data {number}"
    together(number)
    connection, notes = open_database(data)
    with closing(connection), connection:
        connection.execute("INSERT INTO note VALUES (?, '')", (name,))
    print(*notes, sep="\\n", end="")
"""
INDEX = """
from threading import Event
from core.workspace.data import WorkspaceOptions
from core.workspace.workspace import Workspace
for number in range(int(sys.argv[4])):
    data = place / f"data {number}"
    together(number)
    workspace = Workspace.open([place / "images"], data, WorkspaceOptions())
    workspace.scan(Event(), lambda progress: None)
    together(f"{number} read")
    workspace.close()
    print(*workspace.notes, sep="\\n", end="")
"""


def said_by_all(place: Path, work: str, rounds: int) -> list[str]:
    """What each of several processes printed that did this at the same moment."""
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", BEGIN + work, place, str(name), str(PROGRAMS), str(rounds)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in range(PROGRAMS)
    ]
    said = [program.communicate()[0] for program in programs]
    assert [program.returncode for program in programs] == [0] * PROGRAMS
    return said


def prompts(path: Path) -> list[str]:
    with closing(Store(path)) as store:
        assert store.notes == ()
        return sorted(row.prompt for row in store.recent())


def test_conversations_are_made_by_several_programs_at_once(tmp_path):
    rounds = 8
    assert said_by_all(tmp_path, STORE, rounds) == [""] * PROGRAMS
    for number in range(rounds):
        found = prompts(tmp_path / f"data {number}" / "transcripts.sqlite")
        assert found == [f"by {name}" for name in range(PROGRAMS)]


@pytest.mark.slow
def test_damaged_conversations_are_mended_by_one_of_several_programs(tmp_path):
    """What the others keep meanwhile is not lost, and only one says that it has mended them."""
    rounds = 4
    picture = Picture(Path("/a.png"), Image.new("RGB", (4, 4)))
    for number in range(rounds):
        path = tmp_path / f"data {number}" / "transcripts.sqlite"
        with closing(Store(path)) as store:
            store.save(Transcript.of(picture, (Exchange("before", None, "m"),)))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE conversation SET width = 'x' WHERE id = 1")
    said = "".join(said_by_all(tmp_path, STORE, rounds))
    assert said.count("was damaged") == rounds
    for number in range(rounds):
        path = tmp_path / f"data {number}" / "transcripts.sqlite"
        assert prompts(path) == ["before", *(f"by {name}" for name in range(PROGRAMS))]
        assert len(list(path.parent.glob("* damaged *.sqlite"))) == 1


def test_conversation_is_kept_in_the_file_that_another_program_has_mended(tmp_path):
    path = tmp_path / "transcripts.sqlite"
    picture = Picture(Path("/a.png"), Image.new("RGB", (4, 4)))

    def asked(*texts: str) -> Transcript:
        return Transcript.of(picture, tuple(Exchange(text, None, "m") for text in texts))

    with closing(Store(path)) as store:
        id = store.save(asked("one"))
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE conversation SET width = 'x'")
        with closing(Store(path)) as other:
            assert "was damaged" in other.notes[0]
            other.save(asked("by the other"))
        assert store.save(asked("one", "two"), id) == id
    with closing(Store(path)) as store:
        assert [(row.prompt, row.exchanges) for row in store.recent()] == [
            ("one", 2),
            ("by the other", 1),
        ]


@pytest.mark.slow
def test_reviews_are_made_by_several_programs_at_once(tmp_path):
    rounds = 8
    assert said_by_all(tmp_path, WORKSPACE, rounds) == [""] * PROGRAMS
    for number in range(rounds):
        assert noted(tmp_path / f"data {number}") == [*map(str, range(PROGRAMS))]


@pytest.mark.slow
def test_damaged_reviews_are_put_aside_by_one_of_several_programs(tmp_path):
    rounds = 8
    for number in range(rounds):
        data = tmp_path / f"data {number}"
        data.mkdir()
        (data / FILE_NAME).write_bytes(b"no database" * 1000)
    said = "".join(said_by_all(tmp_path, WORKSPACE, rounds))
    assert said.count("was damaged") == rounds
    for number in range(rounds):
        assert noted(tmp_path / f"data {number}") == [*map(str, range(PROGRAMS))]


def noted(data: Path) -> list[str]:
    connection, notes = open_database(data)
    assert notes == ()
    with closing(connection):
        return sorted(path for (path,) in connection.execute("SELECT path FROM note"))


def test_index_is_made_and_written_by_several_programs_at_once(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(30):
        (images / f"{number}.png").write_bytes(b"no image")
        (images / f"{number}.txt").write_text(f"caption {number}")
    assert said_by_all(tmp_path, INDEX, 4) == [""] * PROGRAMS
