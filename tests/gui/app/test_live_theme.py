"""After a switch of the theme or the text size, every screen looks as after a restart in it."""

import asyncio
import shutil
import time

import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from core.locations import writable_locations
from core.settings import Settings, save
from gui.app.program import Program
from gui.session.model_thread import ModelThread
from gui.widgets.theme import Theme
from gui.window.commands import Command
from tests.gui.conftest import until
from tests.support.appearance import looks_of
from tests.support.living_program import live_through
from tests.support.screens import FACTS, answered, drop, screens
from tests.support.scripted_engine import ScriptedCheckpoint
from tests.support.workspace_screens import workspace_screens

# Previews and thumbnails are made by a thread, and widgets are laid out by events.
_SETTLED_SECONDS = 0.15
_MOST_LOOKS = 20


@pytest.fixture
def visit(run, loop, qapp, tmp_path, monkeypatch):
    """Starts the program with these settings and returns how its screens look, by their names.

    `change(Theme)` is what happens while each screen is shown, `undo` afterwards.
    """
    qapp.setCursorFlashTime(0)

    def visit(walk, settings, change=None, undo=None):
        home = tmp_path / "home"
        shutil.rmtree(home, ignore_errors=True)
        monkeypatch.setenv("ONLOOKER_HOME", str(home))
        save(Settings(**settings), writable_locations().folder)
        checkpoint = ScriptedCheckpoint()
        checkpoint.facts = FACTS
        model = ModelThread(checkpoint)
        program = Program(qapp, loop, writable_locations(), time.perf_counter(), model)
        theme = qapp.findChildren(Theme)[-1]
        looks, after = {}, {}

        async def applied(act):
            if act is not None:
                act(theme)
                await until(lambda: not theme.is_restyling)
            await asyncio.sleep(_SETTLED_SECONDS)

        async def settled(widget):
            """How the screen looks once it has stopped changing."""
            looks = looks_of(widget)
            for _ in range(_MOST_LOOKS):
                await asyncio.sleep(_SETTLED_SECONDS)
                before, looks = looks, looks_of(widget)
                if looks.keys() == before.keys() and not any(
                    look.differs_from(before[path]) for path, look in looks.items()
                ):
                    break
            return looks

        async def story():
            await until(program.window.isVisible)
            async for screen in walk(program, home / "work"):
                await applied(change)
                looks[screen.name] = await settled(screen.widget)
                if undo is not None:
                    await applied(undo)
                    after[screen.name] = await settled(screen.widget)

        live_through(program, story, run)
        QApplication.processEvents()
        return looks, after

    return visit


def differences(looks, expected):
    """What looks otherwise than expected, a line each."""
    assert looks.keys() == expected.keys()
    lines = []
    for name, widgets in looks.items():
        # Scroll bars come and go with a pixel.
        both = widgets.keys() & expected[name].keys()
        assert len(both) > 0.9 * len(widgets)
        for path in both:
            if words := widgets[path].differs_from(expected[name][path]):
                lines.append(f"{name}: {path} {words}")
    return lines


both_walks = pytest.mark.parametrize("walk", [screens, workspace_screens])


class Paints(QObject):
    """Notes where the visible parts of a window are whenever any of them is painted."""

    def __init__(self, window):
        super().__init__()
        self._window = window
        self.places = []

    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint:
            self.places.append(places_in(self._window))
        return False


def places_in(window):
    return {
        part: (part.mapTo(window, QPoint(0, 0)).toTuple(), part.size().toTuple())
        for part in window.findChildren(QWidget)
        if part.isVisible()
    }


@pytest.mark.parametrize(
    "change",
    [lambda theme: theme.choose("dark"), lambda theme: theme.choose_text_percent(150)],
    ids=["theme", "text size"],
)
def test_window_is_painted_anew_once_all_its_parts_have_their_places(live, qapp, tmp_path, change):
    """Parts ask those around them for another size, and those the next."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (40, 30), "red").save(folder / "red.png")

    async def story(program):
        window, theme = program.window, qapp.findChildren(Theme)[-1]
        drop(program, [folder])
        await until(lambda: window.state.workspace.is_known)
        window.commands[Command.GENERATE].trigger()
        await until(lambda: window.batch_panel.isVisible() and program.folder_run.items)
        await asyncio.sleep(_SETTLED_SECONDS)
        paints = Paints(window)
        qapp.installEventFilter(paints)
        change(theme)
        await until(lambda: not theme.is_restyling)
        await asyncio.sleep(_SETTLED_SECONDS)
        qapp.removeEventFilter(paints)
        final = places_in(window)
        assert paints.places
        for places in paints.places:
            moved = [part for part in final if places.get(part) != final[part]]
            assert not moved, [
                f"{part} in {part.parent()}: {places.get(part)} and then {final[part]}"
                for part in moved
            ]

    live(story)


@pytest.mark.slow
@both_walks
def test_switching_the_theme_leaves_no_colour_of_the_other_one(visit, walk):
    light, _ = visit(walk, {"theme": "light"})
    dark, _ = visit(walk, {"theme": "dark"})
    to_dark, back = visit(
        walk,
        {"theme": "light"},
        lambda theme: theme.choose("dark"),
        lambda theme: theme.choose("light"),
    )
    assert differences(light, dark)
    found = differences(to_dark, dark) + differences(back, light)
    assert not found, "\n".join(found)


@pytest.mark.slow
@both_walks
def test_switching_the_text_size_lays_everything_out_as_a_restart_does(visit, walk):
    large, _ = visit(walk, {"theme": "light", "text_percent": 150})
    to_large, _ = visit(walk, {"theme": "light"}, lambda theme: theme.choose_text_percent(150))
    found = differences(to_large, large)
    assert not found, "\n".join(found)


def test_answer_that_streams_meanwhile_loses_no_word_and_has_the_new_colours(live, qapp, tmp_path):
    path = tmp_path / "red.png"
    Image.new("RGB", (40, 30), "red").save(path)

    async def story(program):
        window, theme = program.window, qapp.findChildren(Theme)[-1]
        theme.choose("light")
        drop(program, [path])
        await until(lambda: program.session.picture)
        edit = window.prompt_box.prompt_edit
        QTest.keyClicks(edit, "say 80 words at 100")
        QTest.keyClick(edit, Qt.Key.Key_Return)
        await until(lambda: window.transcript_view.exchange_views)
        [view] = window.transcript_view.exchange_views
        await until(lambda: "word9" in view.answer_text.toPlainText())
        theme.choose("dark")
        await until(lambda: not theme.is_restyling)
        assert program.session.is_answering
        await answered(program, 1)
        assert view.answer_text.toPlainText() == " ".join(f"word{n}" for n in range(80))
        await asyncio.sleep(_SETTLED_SECONDS)
        meanwhile = looks_of(window)
        for mode in ("light", "dark"):  # Again, while nothing streams.
            theme.choose(mode)
            await until(lambda: not theme.is_restyling)
        await asyncio.sleep(_SETTLED_SECONDS)
        afterwards = looks_of(window)
        assert meanwhile.keys() == afterwards.keys()
        found = {name: look.differs_from(meanwhile[name]) for name, look in afterwards.items()}
        assert not {name: how for name, how in found.items() if how}

    live(story)
