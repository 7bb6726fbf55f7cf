"""Connects the conversation with the window: questions, answers, and earlier conversations."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Slot

from core.errors import AppError
from core.store import Summary
from gui.app.tasks import Begin
from gui.session.session import Session
from gui.widgets.translated import translated
from gui.window.main_window import MainWindow

TITLE_LENGTH = 48


class ConversationWiring(QObject):
    """What is asked in the window goes to the session, and what it reports is shown."""

    def __init__(
        self, window: MainWindow, session: Session, begin: Begin, parent: QObject | None = None
    ):
        super().__init__(parent)
        self._window, self._session, self._begin = window, session, begin
        window.asked.connect(self._on_asked)
        window.stopped.connect(session.stop)
        window.regenerate_asked.connect(self._on_regenerate_asked)
        window.edited.connect(self._on_edited)
        window.together_chosen.connect(self._on_together_chosen)
        window.new_conversation_asked.connect(session.new_conversation)
        window.transcript_path_chosen.connect(self._on_transcript_path_chosen)
        window.recent_opened.connect(self._on_recent_opened)
        window.recent_chosen.connect(self._on_recent_chosen)
        session.conversation_cleared.connect(window.clear_conversation)
        session.conversation_cut.connect(window.cut_conversation)
        session.conversation_reopened.connect(window.show_transcript)
        session.branch_shown.connect(window.show_branch)
        view = window.transcript_view
        view.answer_stepped.connect(session.step_answer)
        view.question_stepped.connect(session.step_question)
        session.answer_retried.connect(view.retry)
        session.answer_repeated.connect(view.show_repeated)
        session.variants_changed.connect(view.show_variants)
        session.answer_begun.connect(window.begin_answer)
        session.piece_received.connect(window.append)
        session.answer_finished.connect(window.finish)
        session.answer_failed.connect(self._on_answer_failed)
        session.ask_refused.connect(window.give_prompt_back)
        session.noticed.connect(window.show_notice)

    @Slot(str)
    def _on_asked(self, prompt: str) -> None:
        self._begin(self._session.ask(prompt))

    @Slot()
    def _on_regenerate_asked(self) -> None:
        self._begin(self._session.regenerate())

    @Slot(int, str)
    def _on_edited(self, index: int, prompt: str) -> None:
        self._begin(self._session.ask_again(index, prompt))

    @Slot(bool)
    def _on_together_chosen(self, is_chosen: bool) -> None:
        self._session.asks_about_all = is_chosen

    @Slot(object)
    def _on_answer_failed(self, error: AppError) -> None:
        self._window.fail(translated(error))

    @Slot(Path)
    def _on_transcript_path_chosen(self, path: Path) -> None:
        self._begin(self._session.write_transcript(path))

    @Slot()
    def _on_recent_opened(self) -> None:
        kept = self._session.recent_conversations()
        self._window.show_recent([(one.id, _title(one)) for one in kept])

    @Slot(int)
    def _on_recent_chosen(self, id_: int) -> None:
        self._begin(self._session.reopen(id_))


def _title(kept: Summary) -> str:
    words = " ".join(kept.prompt.split())
    short = words if len(words) <= TITLE_LENGTH else f"{words[:TITLE_LENGTH]}…"
    return f"{kept.picture_name} – {short} ({kept.when:%d %b %H:%M})"
