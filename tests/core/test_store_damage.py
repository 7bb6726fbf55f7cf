"""A file of conversations that a failing disk, a crash or another program has changed.

Whatever the bytes are, opening finds out and says so, keeps the file, and carries over what can be
read; nothing fails later.
"""

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from core.picture import Picture
from core.store import Store
from core.transcript import Answer, Ending, Exchange, Transcript

PAGE = 4096
CASES = 400
IN_THE_SAMPLE = 22
CONVERSATIONS = 60


def transcript(number: int) -> Transcript:
    chance = Random(number)
    size = (chance.randrange(20, 120), chance.randrange(20, 90))
    pixels = Image.frombytes("RGB", size, chance.randbytes(3 * size[0] * size[1]))
    picture = Picture(Path(f"/pictures/{number}.jpg"), pixels)
    exchanges = [
        Exchange(
            f"What is in image {number}, part {at}?",
            Answer(
                f"{'Ein Kätzchen ' * chance.randrange(1, 90)}☃",
                chance.choice(list(Ending)),
                tokens=chance.randrange(500),
                seconds=chance.random(),
                output_ids=tuple(chance.choices(range(32000), k=chance.randrange(120))),
            ),
            "llava-1.5-7b",
            ((0, 3),) if chance.random() < 0.2 else (),
        )
        for at in range(chance.randrange(1, 4))
    ]
    if chance.random() < 0.2:
        exchanges.append(Exchange("A question that failed", None, "built-in"))
    return Transcript.of(picture, tuple(exchanges))


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> bytes:
    """A file of 60 conversations; a few more were deleted, so that it has unused pages."""
    path = tmp_path_factory.mktemp("sound") / "transcripts.sqlite"
    with closing(Store(path)) as store:
        for number in range(CONVERSATIONS + 6):
            store.save(transcript(number))
        for id_ in range(5, 35, 5):
            store.delete(id_)
        assert len(store.recent()) == CONVERSATIONS
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE conversation SET changed = 1.5 * id")  # The same bytes each time.
    return path.read_bytes()


def overwrite(content: bytearray, chance: Random, places: range, most: int) -> None:
    for _ in range(chance.randrange(1, most)):
        content[chance.choice(places)] = chance.randrange(256)


def flip_a_bit(content: bytearray, chance: Random, page: range) -> None:
    content[chance.choice(page)] ^= 1 << chance.randrange(8)


def overwrite_bytes_of_a_page(content: bytearray, chance: Random, page: range) -> None:
    overwrite(content, chance, page, 60)


def overwrite_a_page(content: bytearray, chance: Random, page: range) -> None:
    content[page.start : page.stop] = chance.randbytes(PAGE)


def clear_a_page(content: bytearray, chance: Random, page: range) -> None:
    content[page.start : page.stop] = bytes(PAGE)


def cut_the_end_off(content: bytearray, chance: Random, page: range) -> None:
    del content[chance.choice(page) + 1 :]


def put_another_page_in_its_place(content: bytearray, chance: Random, page: range) -> None:
    other = chance.choice(range(0, len(content), PAGE))
    content[page.start : page.stop] = content[other : other + PAGE]


def overwrite_a_stretch(content: bytearray, chance: Random, page: range) -> None:
    begin = chance.choice(page)
    length = min(chance.randrange(1, 5 * PAGE), len(content) - begin)
    content[begin : begin + length] = chance.randbytes(length)


def overwrite_the_header(content: bytearray, chance: Random, page: range) -> None:
    overwrite(content, chance, range(100), 8)


def overwrite_the_description_of_the_tables(
    content: bytearray, chance: Random, page: range
) -> None:
    overwrite(content, chance, range(100, PAGE), 30)


def overwrite_bytes_everywhere(content: bytearray, chance: Random, page: range) -> None:
    overwrite(content, chance, range(len(content)), 200)


def insert_bytes(content: bytearray, chance: Random, page: range) -> None:
    begin = chance.choice(page)
    content[begin:begin] = chance.randbytes(chance.randrange(1, 3 * PAGE))


OF_ONE_PAGE = (
    flip_a_bit,
    overwrite_bytes_of_a_page,
    overwrite_a_page,
    clear_a_page,
    put_another_page_in_its_place,
)
OF_THE_DESCRIPTION = (overwrite_the_header, overwrite_the_description_of_the_tables)
DAMAGES = (
    *OF_ONE_PAGE,
    *OF_THE_DESCRIPTION,
    cut_the_end_off,
    overwrite_a_stretch,
    overwrite_bytes_everywhere,
    insert_bytes,
)


def everything(store: Store) -> dict[int, tuple[Exchange, ...]]:
    """All that is kept, read as the window reads it."""
    return {row.id: store.open(row.id).exchanges for row in store.recent(1000)}


@pytest.fixture(scope="module")
def kept(sound, tmp_path_factory) -> dict[int, tuple[Exchange, ...]]:
    path = tmp_path_factory.mktemp("kept") / "transcripts.sqlite"
    path.write_bytes(sound)
    with closing(Store(path)) as store:
        assert store.notes == ()
        return everything(store)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(
            number,
            marks=[pytest.mark.slow] if number >= IN_THE_SAMPLE else [],
            id=f"{number} {DAMAGES[number % len(DAMAGES)].__name__}",
        )
        for number in range(CASES)
    ],
)
def test_garbled_file_is_noticed_at_opening_and_nothing_fails_later(sound, kept, number, tmp_path):
    chance, garbled = Random(number), bytearray(sound)
    begin = chance.choice(range(0, len(sound), PAGE))
    damage = DAMAGES[number % len(DAMAGES)]
    damage(garbled, chance, range(begin, begin + PAGE))
    path = tmp_path / "transcripts.sqlite"
    path.write_bytes(garbled)
    with closing(Store(path)) as store:
        notes = store.take_notes()
        found = everything(store)
        new = store.save(transcript(1000))
        assert [row.id for row in store.recent(search="IMAGE 1000, PART")] == [new]
        assert store.open(new).exchanges == transcript(1000).exchanges
        some = next(iter(found), new)
        store.save(Transcript(transcript(1001).picture), some)
        assert store.open(some).exchanges == ()
        store.delete(new)
        assert store.take_notes() == ()
    aside = list(tmp_path.glob("transcripts damaged *.sqlite"))
    if notes:
        assert [copy.read_bytes() for copy in aside] == [garbled]
        assert re.search("“transcripts damaged .*[.]sqlite”", notes[0])
    else:
        assert aside == []
        assert set(found) == set(kept)
    if damage in OF_ONE_PAGE:
        assert set(found) == set(kept)
        assert sum(found[id_] == kept[id_] for id_ in kept) > CONVERSATIONS / 2
    if damage in OF_THE_DESCRIPTION:
        assert found == kept
    with closing(Store(path)) as store:
        assert store.notes == ()
        assert everything(store).keys() == {*found, some} - {new}
    assert [entry for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


@pytest.mark.parametrize("number", range(4))
def test_closing_at_once_leaves_what_the_next_start_can_mend(sound, kept, number, tmp_path):
    garbled = bytearray(sound)
    overwrite_the_header(garbled, Random(number), range(PAGE))
    path = tmp_path / "transcripts.sqlite"
    path.write_bytes(garbled)
    Store(path, waits=False).close()
    with closing(Store(path)) as store:
        assert everything(store) == kept


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_pipe_in_the_place_of_the_file_is_a_note_at_once(tmp_path):
    path = tmp_path / "transcripts.sqlite"
    os.mkfifo(path)
    with closing(Store(path)) as store:
        assert "it is not a file" in store.notes[0]
        new = store.save(transcript(1))
        assert [row.id for row in store.recent()] == [new]


def test_an_empty_file_is_said(tmp_path):
    path = tmp_path / "transcripts.sqlite"
    path.touch()
    with closing(Store(path)) as store:
        assert "was empty" in store.notes[0]
    with closing(Store(path)) as store:
        assert store.notes == ()


def test_what_is_wrong_is_said_without_the_databases_own_words(tmp_path):
    path = tmp_path / "transcripts.sqlite"
    with closing(Store(path)) as store:
        id_ = store.save(transcript(1))
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("UPDATE exchange SET prompt = CAST(x'ff41' AS TEXT), ending = 'odd'")
            other.execute(
                "UPDATE exchange SET output_ids = '{', struck = '[[5, 1], 3]', seconds = 'x'"
            )
            other.execute("UPDATE conversation SET changed = 9e99, picture_path = 'a' || char(0)")
        [row] = store.recent()
        conversation = store.open(id_)
    assert row.prompt == "\ufffdA"
    assert conversation.picture_path is None
    assert {exchange.prompt for exchange in conversation.exchanges} == {"\ufffdA"}
    assert {exchange.struck for exchange in conversation.exchanges} == {()}
    with closing(Store(path)) as store:
        assert "1 conversation was saved" in store.notes[0]
        assert store.open(id_).exchanges == conversation.exchanges
