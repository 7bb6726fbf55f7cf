"""Connects what answers rest on with the window: evidence, maps, strikes and the inspector."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from core.engine import Capability, Ready
from core.errors import AppError, Cancelled
from core.picture import box_of, cut_out
from core.transcript import Answer, Transcript
from gui.app.tasks import Begin
from gui.session.answer_inspection import AnswerInspection
from gui.session.model_thread import ModelThread
from gui.session.session import Session
from gui.session.settings_file import SettingsFile
from gui.widgets.translated import translated
from gui.window.commands import Command
from gui.window.main_window import MainWindow

if TYPE_CHECKING:
    from core.words import Word


class EvidenceWiring(QObject):
    """Answers what the window's `evidence_view` and inspector want to know of an answer."""

    def __init__(
        self,
        window: MainWindow,
        session: Session,
        model: ModelThread,
        inspection: AnswerInspection,
        settings_file: SettingsFile,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._view = window, window.evidence_view
        self._session, self._model, self._inspection = session, model, inspection
        self._settings_file, self._begin = settings_file, begin
        self._inspections = 0
        self._searches: dict[int, int] = {}
        self._view.evidence_wanted.connect(self._on_evidence_wanted)
        self._view.map_wanted.connect(self._on_map_wanted)
        self._view.look_again_asked.connect(self._on_look_again_asked)
        self._view.strike_changed.connect(self._on_strike_changed)
        window.transcript_view.inspect_asked.connect(self._on_inspect_asked)
        window.command_actions.bind(Command.UNDERLINE_DOUBT, self._on_underlines_toggled)
        session.answer_struck.connect(window.show_struck)
        session.answer_finished.connect(self._on_answer_finished)
        session.branch_shown.connect(self._on_branch_shown)
        session.conversation_returned.connect(self._on_conversation_returned)

    @Slot(object)
    def _on_answer_finished(self, answer: Answer) -> None:
        """Doubt is computed while nothing else is; the next question ends it."""
        if self._settings_file.settings.underlines_doubt and answer.text:
            self._find_evidence_of_last()

    @Slot(object)
    def _on_conversation_returned(self, transcript: Transcript) -> None:
        """Shows what was found out before another picture was shown."""
        for index in range(len(transcript.exchanges)):
            if evidence := self._inspection.known_evidence(index):
                self._view.show_evidence(index, evidence)

    @Slot(int, object)
    def _on_branch_shown(self, first: int, transcript: Transcript) -> None:
        """Shows what is known of answers that come back, and finds out about the last one."""
        for index in range(first, len(transcript.exchanges)):
            if evidence := self._inspection.known_evidence(index):
                self._view.show_evidence(index, evidence)
        if self._settings_file.settings.underlines_doubt:
            self._find_evidence_of_last()

    def _on_underlines_toggled(self) -> None:
        is_shown = not self._settings_file.settings.underlines_doubt
        self._settings_file.settings.underlines_doubt = is_shown
        self._window.states.update(underlines_doubt=is_shown)
        self._begin(self._settings_file.save())
        if is_shown and not self._session.is_answering:
            self._find_evidence_of_last()

    def _find_evidence_of_last(self) -> None:
        transcript = self._session.transcript
        if transcript and transcript.exchanges:
            self._on_evidence_wanted(len(transcript.exchanges) - 1, False)

    @Slot(int, bool)
    def _on_evidence_wanted(self, index: int, is_asked: bool) -> None:
        # Only a person's wish loads a model that was unloaded when idle.
        if is_asked or (isinstance(self._model.state, Ready) and not self._view.obstacle):
            number = self._searches[index] = self._searches.get(index, 0) + 1
            self._begin(self._find_evidence(index, number))
        else:
            self._view.refuse_evidence(index)

    async def _find_evidence(self, index: int, number: int) -> None:
        try:
            self._view.show_evidence(index, await self._inspection.evidence(index))
        except Cancelled:
            if number == self._searches[index]:  # Else it is being searched for anew.
                self._view.refuse_evidence(index)
        except AppError as error:
            self._view.refuse_evidence(index, translated(error))

    @Slot(int, object)
    def _on_map_wanted(self, index: int, word: Word) -> None:
        state = self._model.state
        if not isinstance(state, Ready) or state.facts.why_not(Capability.MAPS) is None:
            self._begin(self._find_map(index, word))

    async def _find_map(self, index: int, word: Word) -> None:
        with suppress(Cancelled):
            word_map = await self._inspection.word_map(index, word)
            part, picture = self._inspection.part(index), self._session.picture
            box = box_of(picture, part) if part and picture else None
            self._view.show_map(index, word, word_map, box)

    @Slot(int, object)
    def _on_look_again_asked(self, index: int, word: Word) -> None:
        self._begin(self._look_again(index, word))

    async def _look_again(self, index: int, word: Word) -> None:
        try:
            self._view.show_evidence(index, await self._inspection.look_again(index, word))
        finally:
            self._view.end_looking()

    @Slot(int, int, int, bool)
    def _on_strike_changed(self, index: int, begin: int, end: int, is_struck: bool) -> None:
        self._session.strike(index, (begin, end), is_struck=is_struck)

    @Slot(int)
    def _on_inspect_asked(self, index: int) -> None:
        self._begin(self._inspect(index))

    async def _inspect(self, index: int) -> None:
        self._inspections += 1
        mine, picture = self._inspections, self._session.picture
        if picture and (part := self._inspection.part(index)):
            picture = cut_out(picture, part)
        try:
            trace = await self._inspection.trace(index)
        except AppError as error:
            if mine == self._inspections:
                self._window.inspector.show_reason(translated(error))
        else:
            if mine == self._inspections and picture is not None:
                self._window.show_trace(trace, picture)
