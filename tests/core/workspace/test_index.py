"""What the index keeps of images between two openings, and what it writes."""

import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from core.message import Message
from core.picture import natural_key
from core.workspace.data import Sort
from core.workspace.images import CaptionState, Images
from core.workspace.index import Index

COUNT = 4_100
ROOT = Path("/photos")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "index.sqlite"


@contextmanager
def loaded(path):
    """Yields the images that the index knows, and saves them."""
    images, index = Images([ROOT]), Index(path)
    index.load(images)
    yield images
    index.save(images)
    index.close()


def fill(images, count=COUNT):
    """Images in two folders, some of them odd."""
    for number in range(count):
        folder = images.folder_id(f"{ROOT}/{number % 2}")
        id = images.add(folder, f"image {count - number}.png")
        images.set_file(id, number, number / 3)
        images.set_size(id, number + 1, 2)
        images.set_caption(id, f"Caption {number}", (number * 10**9, number))
        images.targets[id] = f"{ROOT}/{number % 2}/image {number}.txt"
        images.set_fingerprint(id, f"{number:x}-1")
    images.set_caption(5, "with a \0 in it, STRASSE und Straße", (1, 2))
    images.set_unreadable(6, Message("It is damaged."))
    images.place(7, f"{ROOT}/0/not unicode \udcff.png")
    images.hashes[8] = 2**63 + 1
    images.remove(9)


def columns(images):
    return {
        "rows": [images.row(id) for id in images.ids],
        "folded": images.folded,
        "order": images.ordered(Sort()),
        "targets": images.targets,
        "stamps": [images.stamp(id) for id in range(len(images))],
        "hashes": images.hashes,
        "states": images.states,
    }


def test_all_columns_are_there_again(path):
    with loaded(path) as images:
        fill(images)
        before = columns(images)
    with loaded(path) as images:
        assert not images.changed
        assert columns(images) == before
        assert images.states[9] == CaptionState.GONE


def test_one_change_does_not_write_all_images_anew(path):
    with loaded(path) as images:
        fill(images)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("CREATE TABLE written (number)")
        file.execute(
            "CREATE TRIGGER part_written AFTER INSERT ON part"
            " BEGIN INSERT INTO written VALUES (new.number); END"
        )
    with loaded(path) as images:
        images.set_caption(COUNT - 1, "changed", (0, 0))
    with closing(sqlite3.connect(path)) as file:
        written = file.execute("SELECT number FROM written").fetchall()
        assert written == file.execute("SELECT max(number) FROM part").fetchall()


def test_edit_while_the_index_is_saved_is_saved_the_next_time(path):
    """Others use the columns between two parts: in each pause an image of another part changes,
    and one moves."""
    images, index = Images([ROOT]), Index(path)
    index.load(images)
    fill(images)
    images.ordered(Sort())
    pauses = []

    def give_way():
        pauses.append(len(pauses))
        images.set_caption(pauses[-1], "changed meanwhile", (1, 1))
        images.place(COUNT - 1 - pauses[-1], f"{ROOT}/0/{pauses[-1]}.png")

    index.save(images, give_way=give_way)
    assert len(pauses) == 3
    assert images.changed == {*pauses, *(COUNT - 1 - number for number in pauses)}
    with loaded(path) as then:
        assert columns(then)["order"] == sorted(
            then.ids, key=lambda id: natural_key(str(then.path(id)))
        )
    index.save(images)
    index.close()
    with loaded(path) as then:
        assert columns(then) == columns(images)


def test_what_cannot_be_saved_is_saved_once_it_can(path):
    images, index = Images([ROOT]), Index(path)
    index.load(images)
    fill(images, 10)
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        index.save(images)
        assert images.changed == set(range(10))
    index.save(images)
    index.close()
    with loaded(path) as then:
        assert columns(then) == columns(images)


def test_of_two_programs_the_last_one_has_written_all(path):
    """They number the images in other orders, as they were found."""
    with loaded(path) as first, loaded(path) as second:
        fill(first, 10)
        second.folder_id(f"{ROOT}/1")
        fill(second)
        expected = columns(first)
    with loaded(path) as images:  # The second one was saved before the first one.
        assert columns(images) == expected


def test_order_of_names_is_kept_and_not_found_out_again(path, monkeypatch):
    with loaded(path) as images:
        fill(images)
    with loaded(path) as images:
        order = list(images.ordered(Sort()))  # Found out after the images were saved.
    calls = []
    monkeypatch.setattr("core.workspace.orders.natural_key", lambda name: calls.append(name) or "")
    with loaded(path) as images:
        assert images.ordered(Sort()) == order
    assert not calls


def test_order_is_found_out_anew_if_another_program_has_written_other_names(path):
    with loaded(path) as images:
        fill(images)
        images.ordered(Sort())
    with closing(sqlite3.connect(path)) as file, file:
        kept = file.execute("SELECT * FROM name_order").fetchone()
    with loaded(path) as images:
        images.place(0, f"{ROOT}/0/zebra.png")
        order = images.ordered(Sort())
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE name_order SET ids = ?, names = ?", kept)
    with loaded(path) as images:
        assert images.ordered(Sort()) == order


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE part SET captions = zeroblob(length(captions)) WHERE number = 1",
        "UPDATE part SET checksum = checksum + 1 WHERE number = 2",
        "DELETE FROM part WHERE number = 0",
        "DELETE FROM folder WHERE id = 0",
        "UPDATE part SET states = 'no bytes'",
        "UPDATE part SET names = 1.5",
    ],
)
def test_damaged_part_is_not_taken_for_images(path, damage):
    with loaded(path) as images:
        fill(images)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(damage)
    with loaded(path) as images:
        assert len(images) == 0
        fill(images)
        before = columns(images)
    with loaded(path) as images:
        assert columns(images) == before
