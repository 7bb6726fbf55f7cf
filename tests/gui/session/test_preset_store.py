"""Presets in their file, which other programs write too, and which may be unreadable."""

import os

import pytest

from core.workspace import Preset, Presets
from gui.session.preset_store import PresetStore

OURS, THEIRS = Preset("Ours", ("we",)), Preset("Theirs", ("they",))


@pytest.fixture
def store(tmp_path):
    """A store, and what it has said."""
    store = PresetStore(tmp_path / "presets.json")
    store.noticed.connect(lambda text: said.append(text))
    said: list[str] = []
    return store, said


def names(path):
    return {one.name for one in Presets.load(path).all if one.name in Presets.load(path).own}


def test_what_another_program_imports_meanwhile_stays(store, run, tmp_path):
    store, said = store
    path = tmp_path / "presets.json"

    async def story():
        await store.load()
        Presets.load(path).with_saved(THEIRS).save(path)
        await store.keep(store.presets.with_saved(OURS))
        assert names(path) == {"Ours", "Theirs"}
        await store.keep(store.presets.with_saved(Preset("More", ("m",))))
        assert names(path) == {"Ours", "Theirs", "More"}
        await store.keep(store.presets.without("Ours"))
        assert names(path) == {"Theirs", "More"}
        await store.load()
        await store.keep(store.presets.without("Theirs"))
        assert names(path) == {"More"}

    run(story())
    assert said == []


def test_file_that_cannot_be_read_is_not_overwritten(store, run, tmp_path):
    """Here because it is far too large; a disk may fail for a moment as well."""
    store, said = store
    path = tmp_path / "presets.json"
    Presets.built_in().with_saved(THEIRS).save(path)
    whole = path.read_bytes()
    os.truncate(path, 200_000_000)

    async def story():
        await store.load()
        await store.keep(store.presets.with_saved(OURS))
        assert path.stat().st_size == 200_000_000
        path.write_bytes(whole)
        await store.keep(store.presets.with_saved(Preset("More", ("m",))))

    run(story())
    assert len(said) == 2
    assert names(path) == {"Ours", "Theirs", "More"}


def test_file_that_was_damaged_meanwhile_is_kept(store, run, tmp_path):
    store, said = store
    path = tmp_path / "presets.json"

    async def story():
        await store.load()
        path.write_text("{")
        await store.keep(store.presets.with_saved(OURS))

    run(story())
    assert len(said) == 1
    assert (tmp_path / "presets.bak").read_text() == "{"
    assert names(path) == {"Ours"}
