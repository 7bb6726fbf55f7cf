"""Conversations are found by the content of their image, in the file that keeps them."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from PIL import Image

from core.file_identity import identity_of
from core.picture import open_picture
from core.store import Store, followed
from core.transcript import Answer, Ending, Exchange, Transcript


def draw(path, colour="blue", size=(40, 30)):
    Image.new("RGB", size, colour).save(path)
    return path


def opened(path):
    return replace(open_picture(path), identity=identity_of(path))


def asked(path, prompt="What is it?"):
    answer = Answer("A sea.", Ending.COMPLETE, 2, 0.5)
    return Transcript.of(opened(path), (Exchange(prompt, answer, "m"),))


def found(store, path):
    """The conversation about an image, once it has followed."""
    picture = opened(path)
    store.follow(followed(picture, store.images(picture)), picture)
    return store.latest(picture)


@pytest.fixture
def store(tmp_path):
    with closing(Store(tmp_path / "transcripts.sqlite")) as store:
        yield store


@pytest.mark.parametrize("colour", ["blue", "navy"])
def test_conversation_of_an_earlier_version_is_found_by_what_its_image_looks_like(
    store, tmp_path, colour
):
    path = draw(tmp_path / "a.png")
    store.save(asked(path))
    with closing(sqlite3.connect(tmp_path / "transcripts.sqlite")) as file, file:
        file.execute("UPDATE conversation SET fingerprint = NULL, volume = NULL")
    draw(path, colour)
    assert (found(store, path) is not None) == (colour == "blue")
    if colour == "blue":  # It is known by its content now.
        assert found(store, path.rename(tmp_path / "b.png"))


def test_drawing_in_which_a_word_differs_is_another_image(store, tmp_path):
    path = tmp_path / "a.png"
    for side in (0, 6):
        drawing = Image.new("RGB", (640, 480), "white")
        drawing.paste("black", (100, 100, 100 + 2 * side, 100 + side))
        drawing.save(path)
        assert found(store, path) is None
        store.save(asked(path))
    assert len(store.recent()) == 2


def test_search_finds_it_by_the_new_name_alone(store, tmp_path):
    path = draw(tmp_path / "Old name.png")
    store.save(asked(path, "Is it wet?"))
    assert found(store, path.rename(tmp_path / "New name.png"))
    assert [one.picture_name for one in store.recent(search="new name.png")] == ["New name.png"]
    assert store.recent(search="old name") == []
    assert store.recent(search="is it wet sea")


def test_file_that_cannot_be_opened_any_more_decides_nothing(store, tmp_path):
    path = draw(tmp_path / "a.png")
    store.save(asked(path))
    copy = tmp_path / "copy.png"
    copy.write_bytes(path.read_bytes())
    path.write_bytes(b"half an image")
    assert found(store, copy) is None
    path.unlink()
    assert found(store, copy)


def test_conversation_that_goes_on_about_a_changed_image_is_about_that(store, tmp_path):
    path = draw(tmp_path / "a.png")
    id = store.save(asked(path))
    picture = opened(draw(path, "red"))
    store.save(Transcript(picture, asked(path).tree), id)
    kept = store.latest(picture)
    assert kept is not None
    assert kept.identity == picture.identity


def test_other_values_than_those_of_an_identity_are_damage(store, tmp_path):
    id = store.save(asked(draw(tmp_path / "a.png")))
    store.close()
    with closing(sqlite3.connect(tmp_path / "transcripts.sqlite")) as file, file:
        file.execute("UPDATE conversation SET fingerprint = 7, volume = 1.5")
    with closing(Store(tmp_path / "transcripts.sqlite")) as again:
        assert "1 conversation was saved" in again.notes[0]
        assert again.open(id).exchanges[0].text == "A sea."


def test_places_of_images_are_those_of_nearly_that_shape_with_all_their_conversations(
    store, tmp_path
):
    wide = draw(tmp_path / "wide.png", size=(640, 480))
    high = draw(tmp_path / "high.png", size=(480, 640))
    first, _, last = (store.save(asked(path)) for path in (wide, high, wide))

    (place,) = store.places(640 / 479)

    assert place.path == wide
    assert sorted(place.ids) == [first, last]
