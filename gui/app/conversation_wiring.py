"""Connects the conversation with the window: questions, answers, and earlier conversations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from PySide6.QtCore import QObject, Slot

from core.engine import EngineFacts, Ready
from core.errors import AppError
from core.picture import Sending
from core.transcript import Answer
from gui.app.tasks import Begin
from gui.session.conversation import Conversation
from gui.session.model_thread import ModelThread
from gui.session.session import Session
from gui.session.waiting_question import WaitingQuestion
from gui.widgets.notice import StandsWhile
from gui.widgets.translated import translated
from gui.window.commands import Command
from gui.window.main_window import MainWindow
from gui.window.view_state import ConversationState


class ConversationWiring(QObject):
    """What is asked in the window goes to the session, and what it reports is shown.

    `fill`, if set, fills in the variables of a question; it returns None if it must not be asked.
    Every signal of the session is followed by reading its whole state.
    """

    def __init__(
        self,
        window: MainWindow,
        session: Session,
        question: WaitingQuestion,
        model: ModelThread,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._session, self._question = window, session, question
        self._model, self._begin = model, begin
        self._numbered: Conversation | None = None
        self._number = 0
        self._measured: tuple[Answer, EngineFacts] | None = None
        self._is_refused = False
        self.fill: Callable[[str], Awaitable[str | None]] | None = None
        self._connect_window()
        self._connect_session()
        for signal in (
            *(question.changed, model.state_changed),
            *(session.conversation_cleared, session.conversation_cut),
            *(session.conversation_reopened, session.conversation_returned),
            session.answer_begun,
            *(session.answer_finished, session.answer_failed, session.answer_struck),
            *(session.branch_shown, session.history_changed),
        ):
            signal.connect(self.refresh)

    def _connect_window(self) -> None:
        window, session, bind = self._window, self._session, self._window.command_actions.bind
        window.prompt_box.asked.connect(self._on_asked)
        window.prompt_box.stopped.connect(session.stop)
        window.prompt_box.taken_back.connect(self._question.take_back)
        window.transcript_view.regenerate_asked.connect(self._on_regenerate_asked)
        window.transcript_view.edited.connect(self._on_edited)
        window.dialogs.transcript_path_chosen.connect(self._on_transcript_path_chosen)
        window.recent_menu.opened.connect(self._on_recent_opened)
        window.recent_menu.chosen.connect(self._on_recent_chosen)
        bind(Command.NEW, session.new_conversation)
        bind(Command.REGENERATE, self._on_regenerate_asked)
        bind(Command.ASK_TOGETHER, self._on_together_toggled)

    def _connect_session(self) -> None:
        session, view = self._session, self._window.transcript_view
        self._pictures_of_parts()
        session.conversation_cleared.connect(view.clear)
        session.conversation_cut.connect(view.cut)
        session.conversation_reopened.connect(self._window.show_transcript)
        session.conversation_returned.connect(view.show_transcript)
        session.branch_shown.connect(view.show_branch)
        view.answer_stepped.connect(session.step_answer)
        view.question_stepped.connect(session.step_question)
        session.answer_retried.connect(view.retry)
        session.answer_repeated.connect(view.show_repeated)
        session.prompt_misread.connect(view.show_misread)
        session.variants_changed.connect(view.show_variants)
        session.answer_begun.connect(self._on_answer_begun)
        session.piece_received.connect(view.append)
        session.answer_finished.connect(self._on_answer_finished)
        session.answer_failed.connect(self._on_answer_failed)
        session.ask_refused.connect(self._on_ask_refused)
        session.noticed.connect(self._on_noticed)
        self._question.given_back.connect(self._on_given_back)
        view.scroll_area.draft_left.connect(self._window.give_prompt_back)

    def _pictures_of_parts(self) -> None:
        """Before anything of a conversation is shown, its picture is known."""
        session = self._session
        for signal in (session.conversation_cleared, session.answer_begun, session.branch_shown):
            signal.connect(self._show_picture_of_parts)

    @Slot()
    def _show_picture_of_parts(self) -> None:
        self._window.transcript_view.show_picture(self._session.picture)

    @Slot()
    def refresh(self) -> None:
        """Read the conversation into the window's state."""
        self._window.states.update(conversation=self._state())
        # Undo is about the prompt or the conversation, whichever was changed last.
        self._window.focus_watch.note()

    def _state(self) -> ConversationState:
        session, conversation = self._session, self._session.conversation
        if conversation is not self._numbered:
            self._numbered, self._number = conversation, self._number + 1
        exchanges = session.transcript.exchanges if session.transcript else ()
        return ConversationState(
            number=self._number,
            exchanges=len(exchanges) + session.is_answering,
            answers=sum(1 for exchange in exchanges if exchange.answer),
            is_answering=session.is_answering,
            versions=session.transcript.tree.versions if session.transcript else (),
            waiting=self._question.prompt,
            waiting_at=self._question.index,
            undo="" if self._question.prompt else session.undo_text,
            redo="" if self._question.prompt else session.redo_text,
            undo_at=session.undo_at,
            redo_at=session.redo_at,
            tokens_per_second=self._speed(),
            sent=self._sent(),
            asks_about_all=session.asks_about_all,
        )

    def _speed(self) -> float:
        """Return the speed of the last answer; 0 if the loaded model did not give it."""
        transcript, state = self._session.transcript, self._model.state
        if self._session.is_answering or not transcript or not transcript.exchanges:
            return 0.0
        last = transcript.exchanges[-1].answer
        if last is None or not self._measured or not isinstance(state, Ready):
            return 0.0
        measured, facts = self._measured
        return last.tokens_per_second if measured is last and facts == state.facts else 0.0

    def _sent(self) -> Sending | None:
        """Return how the image was sent to a server for the last answer from one."""
        exchanges = self._session.transcript.exchanges if self._session.transcript else ()
        answers = (one.answer for one in reversed(exchanges) if one.answer)
        return next((answer.sent for answer in answers if answer.sent), None)

    # What the window reports

    @Slot(str)
    def _on_asked(self, prompt: str) -> None:
        self._begin(self._ask(prompt))

    async def _ask(self, prompt: str) -> None:
        """What the prompt is filled in with is about the image that it is asked about."""
        path, part = self._window.state.picture.path, self._window.drop_zone.part
        filled = prompt if self.fill is None else await self.fill(prompt)
        if filled is not None and path != self._window.state.picture.path:
            await self._ask(prompt)  # Another image was opened meanwhile.
        elif filled is not None:
            await self._question.ask(filled, part)

    @Slot()
    def _on_regenerate_asked(self) -> None:
        self._begin(self._question.regenerate())

    @Slot(int, str)
    def _on_edited(self, index: int, prompt: str) -> None:
        self._begin(self._question.ask_again(index, prompt))

    def _on_together_toggled(self) -> None:
        is_about_all = self._session.asks_about_all = not self._session.asks_about_all
        self.refresh()
        notice = self.tr("Questions are now about one image.")
        if is_about_all:
            notice = self.tr("Questions are now about up to {count} open images.")
        most = self._window.state.model.most_pictures
        self._window.show_notice(
            notice.format(count=most), stands=StandsWhile.ASKS_ABOUT, about=is_about_all
        )

    @Slot(Path)
    def _on_transcript_path_chosen(self, path: Path) -> None:
        self._begin(self._session.write_transcript(path))

    @Slot()
    def _on_recent_opened(self) -> None:
        self._window.recent_menu.show(
            [
                (
                    one.id,
                    one.picture_name,
                    f"{' '.join(one.prompt.split())} ({one.when:%d %b %H:%M})",
                )
                for one in self._session.recent_conversations()
            ]
        )

    @Slot(int)
    def _on_recent_chosen(self, id_: int) -> None:
        self._begin(self._session.reopen(id_))

    # What the session reports

    @Slot(str)
    def _on_answer_begun(self, prompt: str) -> None:
        self._window.transcript_view.begin_answer(prompt, self._session.asked_part)

    @Slot(object)
    def _on_answer_finished(self, answer: Answer) -> None:
        state = self._model.state
        self._measured = (answer, state.facts) if isinstance(state, Ready) else None
        self._window.transcript_view.finish(answer)

    @Slot(object)
    def _on_answer_failed(self, error: AppError) -> None:
        self._window.transcript_view.fail(translated(error))

    @Slot(str, int)
    def _on_given_back(self, prompt: str, index: int) -> None:
        """A question that waited is to be edited where it was written."""
        view, transcript = self._window.transcript_view, self._session.transcript
        if index < 0 or transcript is None:
            self._window.give_prompt_back(prompt)
            return
        view.show_branch(index, transcript)
        exchange = view.view_at(index)
        if prompt and exchange:
            exchange.edit(prompt)
        elif prompt:
            self._window.give_prompt_back(prompt)

    @Slot(str)
    def _on_ask_refused(self, prompt: str) -> None:
        """The reason follows, as a notice."""
        self._is_refused = True
        self._window.give_prompt_back(prompt)

    @Slot(str)
    def _on_noticed(self, text: str) -> None:
        """A reason for refusing a question holds as long as what it says, anything else as long as
        the conversation is shown."""
        self.refresh()
        stands: StandsWhile = StandsWhile.CONVERSATION
        if self._is_refused:
            if not self._session.conversation:
                stands = StandsWhile.NO_IMAGE
            elif self._model.is_used_exclusively:
                stands = StandsWhile.RUN_USES_MODEL
            else:
                stands = StandsWhile.ANSWERING
        self._is_refused = False
        self._window.show_notice(text, stands=stands, about=self._number)
