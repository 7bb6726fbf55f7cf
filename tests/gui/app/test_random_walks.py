"""A hundred random walks through the whole window: what is shown is what the state says.

After each step the state is gathered anew from the sessions, and the title, the status line, the
notices, the enabled commands and the prompt's offer on screen are compared with the functions of
that state. A signal that is forgotten in the wiring leaves the window behind, and fails here.
"""

import asyncio
import contextlib
import random
import time
from dataclasses import fields, is_dataclass, replace

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.batch import ItemState, Phase
from core.engine import Absent, Failed, Ready
from core.locations import locations
from core.transcript import ModelChoice
from gui.app.program import Program
from gui.batch.head import name_of, places_text
from gui.batch.rows import Column
from gui.batch.run_controls import RunAction, has_begun, is_at_rest, offered_actions
from gui.session.model_thread import ModelThread
from gui.widgets.notice import Notice
from gui.window.availability import is_checked, is_enabled
from gui.window.commands import Command
from gui.window.shown import prompt_offer, shown_notices, status, window_title
from gui.window.text_focus import focus_state
from gui.window.view_state import (
    ConversationState,
    LeftEditState,
    LoadedState,
    Page,
    PictureState,
    RowState,
    RunState,
    ViewState,
    WorkspaceState,
)
from tests.gui.conftest import until
from tests.support.living_program import live_through
from tests.support.scripted_engine import ScriptedCheckpoint

WALKS = 100
STEPS = 12
# Many walks in one program take less time than many starts; each begins where the last one ended.
WALKS_IN_ONE = 20

PROMPTS = ("say 2 words", "hold", "fail", "What is it?")


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "holiday"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (40, 30), (60 * number, 80, 90)).save(folder / f"{number}.png")
    (tmp_path / "broken.png").write_bytes(b"")
    return folder


def differences(shown, said) -> list[tuple[str, object, object]]:
    """The fields of two parts of the state that differ."""
    names = [one.name for one in fields(shown)] if is_dataclass(shown) else []
    pairs = [(name, getattr(shown, name), getattr(said, name)) for name in names]
    return [pair for pair in pairs if pair[1] != pair[2]] or [("", shown, said)]


class Walker:
    """Does one random thing after the other, as a person would, and remembers what it did."""

    def __init__(self, program: Program, checkpoint: ScriptedCheckpoint, files, seed: int):
        self.program, self.window = program, program.window
        self.checkpoint, self.files = checkpoint, files
        self.random = random.Random(seed)
        self.done: list[str] = []
        self.measured = None
        program.session.answer_finished.connect(self._on_answer_finished)
        self.last_facts = None
        program.model.state_changed.connect(self._on_model_changed)
        self._on_model_changed(program.model.state)

    def _on_answer_finished(self, answer):
        self.measured = (answer, self._facts())

    def _facts(self):
        """What is known of the model that is loaded; None while another one is being loaded."""
        state = self.program.model.state
        return state.facts if isinstance(state, Ready) else None

    def _on_model_changed(self, state):
        if isinstance(state, Ready):
            self.last_facts = state.facts

    # Steps

    def steps(self):
        return (
            *(self.open_one, self.open_all, self.open_broken, self.close_picture, self.go_back),
            *(self.ask, self.ask, self.stop, self.command, self.command, self.command),
            *(self.load, self.fail_to_load, self.load_slowly, self.unload, self.idle, self.release),
            *(self.choose_run, self.run, self.to_conversation, self.notice, self.escape),
            *(self.edit_caption, self.strike, self.new_theme, self.take_notice),
            *(self.type_caption, self.hide_run, self.toggle_rows, self.resize),
        )

    async def step(self):
        action = self.random.choice(self.steps())
        self.done.append(action.__name__)
        action()
        for _ in range(self.random.choice((0, 1, 3, 20))):
            await asyncio.sleep(0.001)

    def open_one(self):
        self.window.paths_opened.emit([self.files / f"{self.random.randrange(3)}.png"])

    def open_all(self):
        self.window.paths_opened.emit([self.files])

    def open_broken(self):
        self.window.paths_opened.emit([self.files.parent / "broken.png"])

    def close_picture(self):
        self.trigger(Command.CLOSE_PICTURE)

    def go_back(self):
        button = self.window.drop_zone.error_page.back_button
        if button.isVisible():
            QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def ask(self):
        edit = self.window.prompt_box.prompt_edit
        if edit.isVisible():
            edit.setPlainText(self.random.choice(PROMPTS))
            QTest.keyClick(edit, Qt.Key.Key_Return)

    def stop(self):
        self.program.session.stop()

    def command(self):
        """Any command that opens no dialog, by its menu entry."""
        self.trigger(
            self.random.choice(
                (
                    *(Command.NEW, Command.REGENERATE, Command.WORDS, Command.UNDERLINE_DOUBT),
                    *(Command.UNDO, Command.REDO, Command.NEXT_PICTURE, Command.PREVIOUS_PICTURE),
                    *(Command.COPY_ALL, Command.EDIT_QUESTION, Command.ASK_TOGETHER),
                    *(Command.LAST_RUN, Command.MODEL_VIEW, Command.RUN_FIND, Command.WRITE),
                    *(Command.RUN_NEW, Command.RUN_RETRY, Command.RUN_RESUME),
                    *(Command.ROW_CAPTION, Command.ROW_EDIT, Command.ROW_COPY),
                    *(Command.IMAGE_LIST, Command.IMAGE_GRID, Command.EDIT_CAPTION),
                    Command.GO_TO_IMAGES,
                    *(Command.ACCEPT, Command.NEXT_UNREVIEWED, Command.INVERT_SELECTION),
                )
            )
        )

    def trigger(self, command):
        self.done[-1] += f" {command.value}"
        self.window.commands[command].trigger()

    def load(self):
        self.trigger(Command.BUILT_IN_MODEL)

    def fail_to_load(self):
        self.program.tasks.begin(self.program.loaded_model.load(ModelChoice("broken")))

    def load_slowly(self):
        self.checkpoint.release.clear()
        self.program.tasks.begin(self.program.loaded_model.load(ModelChoice("slow")))

    def release(self):
        self.checkpoint.release.set()

    def unload(self):
        self.trigger(Command.UNLOAD)

    def idle(self):
        if not self.program.model.is_busy and not self.program.model.is_used_exclusively:
            self.program.model.unload_idle()

    def choose_run(self):
        self.window.dialogs.run_chosen.emit([self.files])

    def run(self):
        panel = self.window.batch_panel
        panel.form.prompt_edit.setPlainText(self.random.choice(("hold", "say 2 words")))
        enabled = [one for one in panel.controls.buttons if self.is_offered(one)]
        if enabled:
            action = self.random.choice(enabled)
            self.done[-1] += f" {action.name}"
            panel.controls.buttons[action].click()

    def is_offered(self, action):
        button = self.window.batch_panel.controls.buttons[action]
        no_dialog = action not in (RunAction.UNDO, RunAction.TRY_FIRST)
        return no_dialog and button.isVisible() and button.isEnabled()

    def edit_caption(self):
        panel = self.window.batch_panel
        if self.program.folder_run.has_run and panel.model.items:
            panel.edited.emit(0, f"by hand {self.random.random()}")

    def type_caption(self):
        """In the editor beside the image; then the list has the focus."""
        editor = self.window.caption_panel.editor
        if editor.isVisible() and editor.isEnabled():
            editor.setPlainText(f"typed {self.random.random()}")
            self.window.workspace_pane.list.setFocus()

    def to_conversation(self):
        self.window.show_conversation()

    def hide_run(self):
        self.window.hide_run()

    def toggle_rows(self):
        self.window.batch_panel.head.rows_button.click()

    def resize(self):
        """So that a run has room above the image, or not."""
        self.window.resize(1180, self.random.choice((760, 400)))

    def notice(self):
        self.window.show_notice(f"Notice {self.random.random()}")

    def take_notice(self):
        for bar in (self.window.notice_bar, self.window.batch_panel.notice_bar):
            if bar.isVisible() and bar.action_kind is not None:
                self.done[-1] += f" {bar.action_kind.name}"
                QTest.mouseClick(bar.action_button, Qt.MouseButton.LeftButton)
                return

    def escape(self):
        QTest.keyClick(self.window.focusWidget() or self.window, Qt.Key.Key_Escape)

    def strike(self):
        transcript = self.program.session.transcript
        exchanges = transcript.exchanges if transcript else ()
        answer = exchanges[-1].answer if exchanges else None
        if answer and not self.program.session.is_answering:
            span = (0, len(answer.text) // 2)
            self.program.session.strike(len(exchanges) - 1, span, is_struck=True)

    def new_theme(self):
        self.trigger(self.random.choice((Command.THEME_DARK, Command.THEME_LIGHT)))

    # What the sessions say, read without the wiring

    def gathered(self) -> ViewState:
        shown = self.window.state
        return ViewState(
            page=self._page(),
            picture=self._picture(),
            model=self._model(),
            conversation=self._conversation(),
            run=self._run(),
            workspace=self._workspace(),
            left_edit=self._left_edit(),
            presets=shown.presets,
            focus=self._focus(),
            notices=shown.notices,
            engines=self.program.engine_packs.state.stage,
            has_chosen_word=self.window.evidence_view.has_chosen,
            has_part=self.window.drop_zone.part_frame.box is not None,
            underlines_doubt=self.program.settings.underlines_doubt,
            theme=self.program.settings.theme,
            suggestion=shown.suggestion,
            shows_run=self.window.batch_panel.isVisible(),
            covers_image=not self.window.drop_zone.isVisible(),
            is_low=self.window.height() < 480,
            has_unsaved=self.program.caption_editing.has_unsaved,
        )

    def _focus(self):
        widget = self.window.focusWidget()
        views = enumerate(self.window.transcript_view.exchange_views)
        inside = (n for n, view in views if widget is not None and view.isAncestorOf(widget))
        return replace(focus_state(widget, self._conversation()), exchange=next(inside, -1))

    def _page(self):
        """The part with the focus; where that is elsewhere, as in a menu, it is still the same."""
        focused = self.window.focusWidget()
        if focused is not None and self.window.batch_panel.isAncestorOf(focused):
            return Page.FOLDER_RUN
        if focused is not None and self.window.workspace_page.isAncestorOf(focused):
            return Page.CONVERSATION
        return self.window.state.page

    def _picture(self):
        pictures = self.program.pictures
        picture = pictures.picture if pictures.error is None else None
        is_shown = picture is not None
        return PictureState(
            name=picture.name if picture else "",
            path=picture.path if picture else None,
            error=str(pictures.error) if pictures.error else "",
            is_shown=is_shown,
            roots=tuple(pictures.roots),
            count=len(pictures.paths),
            index=pictures.index,
        )

    def _model(self):
        model = self.program.model
        is_idle = model.is_idle_unloaded and isinstance(model.state, Absent)
        facts = self.last_facts if isinstance(model.state, Ready) or is_idle else None
        return LoadedState(model.state, facts, is_idle, self.program.settings.model)

    def _conversation(self):
        session = self.program.session
        exchanges = session.transcript.exchanges if session.transcript else ()
        last = exchanges[-1].answer if exchanges else None
        answer, facts = self.measured or (None, None)
        is_measured = answer is not None and last is answer and not session.is_answering
        is_same = is_measured and facts is not None and facts == self._facts()
        return ConversationState(
            number=self.window.state.conversation.number,
            exchanges=len(exchanges) + session.is_answering,
            answers=len([one for one in exchanges if one.answer]),
            is_answering=session.is_answering,
            versions=session.transcript.tree.versions if session.transcript else (),
            waiting=self.program.question.prompt,
            waiting_at=self.program.question.index,
            undo="" if self.program.question.prompt else session.undo_text,
            redo="" if self.program.question.prompt else session.redo_text,
            undo_at=session.undo_at,
            redo_at=session.redo_at,
            tokens_per_second=last.tokens_per_second if is_same and last else 0.0,
            sent=None,  # No server is used.
            asks_about_all=session.asks_about_all,
        )

    def _run(self):
        run, shown = self.program.folder_run, self.window.state.run
        counts, phase = run.items.counts, run.phase
        total, rest = sum(counts.values()), (ItemState.WAITING, ItemState.WORKING)
        left = sum(counts.get(state, 0) for state in rest)
        is_under_way = phase in (Phase.RUNNING, Phase.ENDING, Phase.PAUSED)
        offered = offered_actions(phase, counts)
        if phase is not Phase.CHOOSING or not counts:
            offered -= {RunAction.START, RunAction.TRY_FIRST}
        can_edit = has_begun(phase) and phase not in (Phase.UNDOING, Phase.UNDONE)
        return RunState(
            phase=phase,
            name=run.roots[0].name if run.roots else "",
            roots=tuple(run.roots),
            fraction=(total - left) / total if is_under_way and total else None,
            done=total - left,
            total=total,
            rate=shown.rate,  # It is measured four times a second.
            is_open=run.has_run,
            is_known=shown.is_known or run.has_run,
            journal=shown.journal,
            offered=frozenset(offered),
            can_edit=can_edit,
            can_find_doubt=is_at_rest(phase) and bool(counts.get(ItemState.DONE)),
            is_finding_doubt=run.doubt_search.is_running,
            can_undo_edit=can_edit and run.edits.can_undo,
            can_redo_edit=can_edit and run.edits.can_redo,
            steps=shown.steps,
            edits=shown.edits,
            row=self._row(),
            is_captioning_again=run.again.is_running,
        )

    def _row(self):
        shown, run = self.window.batch_panel.list, self.program.folder_run
        if not shown.isVisibleTo(self.window.batch_panel) or not shown.currentIndex().isValid():
            return None
        model = self.window.batch_panel.model
        number = model.number(shown.currentIndex())
        item = run.items[number]
        is_busy = item.state is ItemState.WORKING or run.again.number == number
        caption = model.index(shown.currentIndex().row(), Column.CAPTION)
        can_edit = bool(caption.flags() & Qt.ItemFlag.ItemIsEditable)
        return RowState(number, bool(item.caption), can_edit, is_busy)

    def _left_edit(self):
        left = self.program.workspace.edits.left
        if not left.roots:
            return LeftEditState()
        return LeftEditState(name_of(left.roots) or places_text(left.roots), left.progress)

    def _workspace(self):
        program, settings = self.program, self.program.settings
        workspace, editing = program.workspace, program.caption_editing
        images, shown = self.window.workspace_pane.list, self.window.state.workspace
        is_open = bool(workspace.roots)
        return WorkspaceState(
            is_open=is_open,
            has_list=workspace.has_list,
            name=workspace.roots[0].name if is_open else "",
            listed=images.rows.rowCount(),
            total=workspace.total,
            selected=images.selected_count,
            lost=images.selection.lost,
            is_lost_last=shown.is_lost_last,
            is_folded=settings.folds_images,
            is_grid=settings.shows_grid,
            side=settings.thumbnail_side,
            has_focus=images.hasFocus(),
            unreviewed=workspace.counts.unreviewed,
            reading=workspace.reading.progress,
            is_cut=workspace.reading.is_cut,
            shows_caption=settings.shows_caption,
            is_known=editing.id is not None,
            review=shown.review,
            is_modified=editing.is_modified,
            found=editing.found,
            answer=editing.answer,
            possible_sources=workspace.possible_sources,
            undo=workspace.undo_text,
            redo=workspace.redo_text,
        )

    def is_settled(self) -> bool:
        """A run's counts are shown four times a second, and its edits once they are written. The
        caption of the image in view is read in another thread."""
        is_read = self.program.caption_editing.id is not None
        is_known = self.window.state.workspace.is_known == is_read
        return is_known and self.window.state.run == self._run()

    # What is shown

    def compare(self) -> None:
        window = self.window
        window.command_actions.edit_opened.emit()
        state = self.gathered()
        for part in fields(ViewState):
            shown, said = getattr(window.state, part.name), getattr(state, part.name)
            assert shown == said, (differences(shown, said), self.done[-30:])
        assert window.windowTitle() == window_title(state), self.done
        line, wanted = window.status_line, status(state)
        assert line.state_label.text() == wanted.text, self.done
        assert line.speed_label.text() == wanted.speed, self.done
        assert line.run_button.text() == wanted.run, self.done
        assert line.left_edit_button.text() == wanted.left_edit, self.done
        assert line.progress_bar.isVisible() == wanted.is_loading, self.done
        is_endless = wanted.is_loading and wanted.fraction is None
        assert (line.progress_bar.maximum() == 0) == is_endless, self.done
        self._compare_notices(state)
        for command, action in window.commands.items():
            assert action.isEnabled() == is_enabled(state, command), (command, self.done)
            if action.isCheckable():
                assert action.isChecked() == is_checked(state, command), (command, self.done)
        self._compare_prompt(state)

    def _compare_notices(self, state: ViewState) -> None:
        window = self.window
        bars = {
            Page.CONVERSATION: window.notice_bar,
            Page.FOLDER_RUN: window.batch_panel.notice_bar,
        }
        for page, bar in bars.items():
            notices = shown_notices(state, page)
            first: Notice | None = notices[0] if notices else None
            assert bar.isVisible() == (first is not None), self.done
            if first is not None:
                assert bar.text_label.text().replace("\u200b", "") == first.text, self.done

    def _compare_prompt(self, state: ViewState) -> None:
        box, offer = self.window.prompt_box, prompt_offer(state)
        assert box.prompt_edit.placeholderText() == offer.placeholder, self.done
        is_seen = state.shows_image
        shown = tuple(one for one, button in box.model_buttons.items() if button.isVisible())
        assert set(shown) == (set(offer.models) if is_seen else set()), self.done
        view = self.window.transcript_view
        assert view.is_answering == bool(
            state.conversation.is_answering or state.conversation.waiting
        ), self.done
        total = state.conversation.exchanges + bool(state.conversation.waiting)
        assert view.has_exchanges == bool(total), self.done


@pytest.mark.parametrize(
    "first",
    # A fifth of them by default.
    [
        0,
        *(
            pytest.param(n, marks=pytest.mark.slow)
            for n in range(WALKS_IN_ONE, WALKS, WALKS_IN_ONE)
        ),
    ],
)
def test_what_is_shown_is_what_the_state_says(
    first, run, loop, qapp, tmp_path, monkeypatch, checkpoint, files
):
    monkeypatch.setenv("ONLOOKER_HOME", str(tmp_path / "home"))
    program = Program(qapp, loop, locations(), time.perf_counter(), ModelThread(checkpoint))

    async def walks():
        await until(lambda: isinstance(program.model.state, Ready))
        walker = Walker(program, checkpoint, files, first)
        try:
            for walk in range(first, first + WALKS_IN_ONE):
                walker.done.append(f"walk {walk}:")
                walker.random.seed(walk)
                for _ in range(STEPS):
                    await walker.step()
                    # What is never shown fails in the comparison, which says what differs.
                    with contextlib.suppress(TimeoutError):
                        await until(walker.is_settled)
                    walker.compare()
        finally:
            checkpoint.release.set()
            program.session.stop()
            program.folder_run.stop_now()
        await until(lambda: not program.folder_run.is_running)
        await until(lambda: isinstance(program.model.state, Ready | Absent | Failed))

    live_through(program, walks, run)
