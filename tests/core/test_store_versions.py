"""Files of conversations of each version of the tables, older, newer and equal."""

import os
import shutil
import signal
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from core.errors import StoreError
from core.picture import Picture
from core.settings import load
from core.store import VERSION, Store
from core.transcript import Answer, Ending, Exchange, Precision, Transcript

DATA = Path(__file__).parents[1] / "data"
SAMPLES = (
    DATA / "schema_1" / "transcripts.sqlite",
    DATA / "schema_2" / "transcripts.sqlite",
    DATA / "schema_3" / "transcripts.sqlite",
    DATA / "schema_4" / "transcripts.sqlite",
    DATA / "schema_5" / "transcripts.sqlite",
    DATA / "schema_6" / "transcripts.sqlite",
    DATA / "transcripts.sqlite",
)


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as file:
        return file.execute("PRAGMA user_version").fetchone()[0]


def asked(prompt: str) -> Transcript:
    picture = Picture(None, Image.new("RGB", (4, 3)), given_name="new")
    return Transcript.of(picture, (Exchange(prompt, Answer("Yes.", Ending.COMPLETE, 2, 0.5), "m"),))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "transcripts.sqlite"


@pytest.fixture
def limited_files():
    """No file may grow beyond so many bytes: to a program that is a full disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, handler)


def test_there_is_a_sample_of_each_version_of_the_tables():
    assert [version_of(sample) for sample in SAMPLES] == list(range(1, VERSION + 1))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"version {version_of(sample)}")
def test_file_of_each_version_is_read_and_gone_on_with(path, sample):
    shutil.copyfile(sample, path)
    with closing(Store(path)) as store:
        assert store.notes == ()
        before = {row.id: store.open(row.id).exchanges for row in store.recent()}
        assert [exchange.text for exchange in before[1]][:2] == [
            without_strikes(sample),
            "☃ 猫\n\n  end ",
        ]
        new = store.save(asked("Is it new?"))
        assert [row.id for row in store.recent(search="is it new")] == [new]
    with closing(Store(path)) as store:
        assert store.notes == ()
        after = {row.id: store.open(row.id).exchanges for row in store.recent()}
    assert after == {**before, new: asked("Is it new?").exchanges}
    assert version_of(path) == VERSION


def without_strikes(sample: Path) -> str:
    return (
        "A cat sits, on a mat." if version_of(sample) > 1 else "A cat sits, calmly, on a red mat."
    )


def test_change_of_the_tables_keeps_a_copy_that_an_earlier_version_reads(path):
    shutil.copyfile(SAMPLES[0], path)
    Store(path).close()
    (copy,) = path.parent.glob("transcripts version 1*")
    assert version_of(copy) == 1
    with closing(sqlite3.connect(copy)) as file, closing(sqlite3.connect(SAMPLES[0])) as sample:
        assert list(file.iterdump()) == list(sample.iterdump())
    Store(path).close()
    assert list(path.parent.glob("transcripts version 1*")) == [copy]


def test_change_of_the_tables_does_not_overwrite_an_earlier_copy(path):
    for _ in range(2):
        shutil.copyfile(SAMPLES[0], path)
        Store(path).close()
    copies = sorted(path.parent.glob("transcripts version 1*"))
    assert [version_of(copy) for copy in copies] == [1, 1]


@pytest.mark.skipif(os.name == "nt", reason="Windows does not limit the size of files")
def test_without_room_for_a_copy_the_file_stays_as_it_is(path, limited_files):
    shutil.copyfile(SAMPLES[0], path)
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode = DELETE")  # Else there is a larger file beside it.
    content = path.read_bytes()
    limited_files(len(content) // 2)
    with closing(Store(path)) as store:
        assert "“transcripts version 1.sqlite” cannot be written" in store.notes[0]
    assert path.read_bytes() == content
    assert list(path.parent.glob("* version *")) == []


def test_damaged_file_of_an_earlier_version_is_carried_over(path):
    content = bytearray(SAMPLES[0].read_bytes())
    content[3900:4000] = b"x" * 100  # In the description of the tables.
    path.write_bytes(content)
    with closing(Store(path)) as store:
        assert "2 conversations were saved" in store.notes[0]
        texts = [exchange.text for exchange in store.open(1).exchanges]
    assert texts == ["A cat sits, calmly, on a red mat.", "☃ 猫\n\n  end ", ""]


class TestNewer:
    """A file of a newer program, with a table and columns that this one does not know."""

    @pytest.fixture
    def newer(self, path) -> Path:
        shutil.copyfile(SAMPLES[-1], path)
        with closing(sqlite3.connect(path)) as file:
            file.execute("ALTER TABLE exchange ADD COLUMN stars INTEGER")
            file.execute("ALTER TABLE conversation ADD COLUMN folder TEXT NOT NULL DEFAULT ''")
            file.execute("CREATE TABLE star (exchange INTEGER)")
            file.execute(f"PRAGMA user_version = {VERSION + 1}")
        return path

    def test_earlier_conversations_are_read_and_a_note_says_that_new_ones_are_not_kept(self, newer):
        content = newer.read_bytes()
        with closing(Store(newer)) as store:
            assert "newer Onlooker" in store.notes[0]
            assert "not saved" in store.notes[0]
            assert [row.picture_name for row in store.recent()] == ["Pasted picture", "cat.jpg"]
            assert store.open(1).exchanges[0].text == "A cat sits, on a mat."
            assert [row.id for row in store.recent(search="sits")] == [1]
        assert newer.read_bytes() == content
        names = sorted(entry.name for entry in newer.parent.iterdir())
        assert names == ["transcripts.lock", newer.name]

    def test_what_is_asked_now_is_there_until_closing_and_leaves_the_file_alone(self, newer):
        content = newer.read_bytes()
        with closing(Store(newer)) as store:
            new = store.save(asked("Is it new?"))
            on = store.save(asked("Go on?"), 1)
            assert [row.prompt for row in store.recent()][:2] == ["Go on?", "Is it new?"]
            assert store.open(new).exchanges[0].prompt == "Is it new?"
            assert store.open(on).exchanges[0].prompt == "Go on?"
            assert store.open(1).exchanges[0].prompt == "What is it?"
            store.delete(new)
            with pytest.raises(StoreError, match="newer Onlooker"):
                store.delete(1)
        assert newer.read_bytes() == content

    def test_tables_that_cannot_be_read_are_a_note(self, newer):
        with closing(sqlite3.connect(newer)) as file:
            file.execute("ALTER TABLE exchange RENAME COLUMN prompt TO question")
        content = newer.read_bytes()
        with closing(Store(newer)) as store:
            assert "cannot be read" in store.notes[0]
            assert store.recent() == []
            store.save(asked("Is it new?"))
            assert len(store.recent()) == 1
        assert newer.read_bytes() == content


def test_settings_of_the_first_version_are_kept(tmp_path):
    shutil.copyfile(DATA / "schema_1" / "settings.json", tmp_path / "settings.json")
    settings = load(tmp_path)
    assert settings.notes == ()
    assert (settings.model, settings.device, settings.dtype) == (
        "/models/llava",
        "cuda:1",
        Precision.FLOAT16,
    )
    assert settings.prompt_history == ["one", "two\nlines", "☃"]


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps no such permissions")
def test_file_and_its_copies_are_for_their_owner_alone(path):
    shutil.copyfile(SAMPLES[0], path)
    path.chmod(0o644)
    with closing(Store(path)) as store:
        store.save(asked("Is it new?"))
        assert {entry.name: modes(entry) for entry in path.parent.iterdir()} == dict.fromkeys(
            (
                "transcripts.lock",
                "transcripts.sqlite",
                "transcripts.sqlite-shm",
                "transcripts.sqlite-wal",
                "transcripts version 1.sqlite",
            ),
            0o600,
        )
    path.write_bytes(b"x" * 9999)
    path.chmod(0o644)
    Store(path).close()
    assert {modes(entry) for entry in path.parent.iterdir()} == {0o600}


def modes(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
