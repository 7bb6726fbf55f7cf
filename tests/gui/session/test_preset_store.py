"""Presets in their file, which other programs write too, and which may be unreadable."""

import asyncio
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


def test_what_is_kept_while_the_file_is_read_stays(store, run, tmp_path):
    store, said = store
    path = tmp_path / "presets.json"
    Presets.built_in().with_saved(THEIRS).save(path)

    async def story():
        reading = asyncio.create_task(store.load())
        await asyncio.sleep(0)
        await store.keep(store.presets.with_saved(OURS))
        await reading
        assert store.presets.own >= {"Ours", "Theirs"}
        assert names(path) == {"Ours", "Theirs"}

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


def test_what_another_program_changes_is_noticed_and_nothing_else_is_lost(store, run, tmp_path):
    store, said = store
    path = tmp_path / "presets.json"
    changed = []
    store.changed.connect(lambda: changed.append(store.presets))
    more = Preset("More", ("m",))

    async def story():
        await store.load()
        await store.keep(store.presets.with_saved(OURS))
        in_a_dialog = store.presets
        Presets.load(path).with_saved(THEIRS).save(path)
        await store.look()
        assert changed[-1].named("Theirs") == THEIRS
        # The dialog was opened before.
        await store.keep(in_a_dialog.with_saved(more), in_a_dialog)
        assert names(path) == {"Ours", "Theirs", "More"}
        Presets.load(path).without("Ours").moved("More", 0).save(path)
        await store.keep(store.presets.with_saved(Preset("Last", ("l",))))
        assert names(path) == {"Theirs", "More", "Last"}
        assert store.presets == Presets.load(path)
        assert store.presets.all[0] == more

    run(story())
    assert said == []


def test_file_that_is_damaged_or_removed_loses_no_presets(store, run, tmp_path):
    store, said = store
    path = tmp_path / "presets.json"
    Presets.built_in().with_saved(THEIRS).save(path)

    async def story():
        await store.load()
        for content, name in (("{", "One"), (None, "Two")):
            if content is None:
                path.unlink()
            else:
                path.write_text(content)
            await store.look()
            assert store.presets.named("Theirs")
            await store.keep(store.presets.with_saved(Preset(name, ("x",))))
        assert names(path) == {"Theirs", "One", "Two"}

    run(story())
    assert len(said) == 1
