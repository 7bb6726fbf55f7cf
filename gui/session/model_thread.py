"""The thread that owns the model, as the rest of the window sees it.

Everything else in gui/ awaits `load`, `answer` and the like, and needs to know of no thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, QThread, Signal, Slot

from core.engine import Absent, EngineFacts, Failed, Loading, ModelState, Ready
from core.errors import Cancelled
from core.transcript import Answer, ModelChoice, Request
from gui.session.engine_jobs import (
    AnswerJob,
    ExclusiveJob,
    LoadJob,
    OnPiece,
    PieceBuffer,
    ReadOnlyJob,
    settle,
    settled,
)
from gui.session.engine_start import (
    OnProgress,
    OpenEngine,
    leaves_this_machine,
    open_engine,
    require_this_machine_for,
)
from gui.session.engine_worker import EMPTY_ANSWER, EngineWorker, no_model

if TYPE_CHECKING:
    from core.engine import Engine

PATIENCE_SECONDS = 5.0

Result = TypeVar("Result")


class ModelThread(QObject):
    """Does jobs one after another, in the order in which they were asked for.

    An answer that is asked for while a model loads waits for it. A new load replaces the current
    one. Every method belongs to the GUI thread, and so do the callbacks.
    """

    state_changed = Signal(object)
    """Emits the new ModelState."""
    job_ended = Signal()
    """An answer or exclusive work has ended."""

    _load_requested = Signal(object)
    _answer_requested = Signal(object)
    _exclusive_requested = Signal(object)
    _read_only_requested = Signal(object)
    _unload_requested = Signal()
    _close_requested = Signal()

    def __init__(self, open_engine: OpenEngine = open_engine, parent: QObject | None = None):
        super().__init__(parent)
        self._state: ModelState = Absent()
        self._load: LoadJob | None = None
        self._is_idle_unloaded = False
        self._choice = ModelChoice()
        self._answers: list[AnswerJob] = []
        # Those of `_answers` that wait for a model to be loaded.
        self._waiting: list[AnswerJob] = []
        self._exclusive: list[ExclusiveJob] = []
        self._read_only: list[ReadOnlyJob] = []
        self._is_closing = False
        self._ended = asyncio.Event()
        self._thread = QThread(self)
        self._thread.setObjectName("model")
        self._works_offline = False
        self._worker = EngineWorker(self._allowed(open_engine))
        self._worker.moveToThread(self._thread)
        self._connect(self._worker)
        self._thread.start()

    def _connect(self, worker: EngineWorker) -> None:
        """Connects bound methods of objects that live in the receiving thread: a lambda would
        run in the sending one."""
        self._load_requested.connect(worker.load)
        self._answer_requested.connect(worker.answer)
        self._exclusive_requested.connect(worker.run_exclusive)
        self._read_only_requested.connect(worker.run_read_only)
        self._unload_requested.connect(worker.unload)
        self._close_requested.connect(worker.close)
        worker.progressed.connect(self._on_progressed)
        worker.loaded.connect(self._on_loaded)
        worker.load_failed.connect(self._on_load_failed)
        worker.unloaded.connect(self._on_unloaded)
        worker.piece_generated.connect(self._on_piece_generated)
        worker.answered.connect(self._on_answered)
        worker.answer_failed.connect(self._on_answer_failed)
        worker.exclusive_ended.connect(self._on_exclusive_ended)
        worker.read_only_ended.connect(self._on_read_only_ended)
        self._thread.finished.connect(self._on_thread_finished)

    @property
    def state(self) -> ModelState:
        """Whether a model is loaded, and which."""
        return self._state

    @property
    def choice(self) -> ModelChoice:
        """The last model that was to be loaded: what `state` is about."""
        return self._choice

    @property
    def is_busy(self) -> bool:
        """Whether an answer is being generated or waits."""
        return bool(self._answers)

    @property
    def is_used_exclusively(self) -> bool:
        """Whether work that takes long, such as a folder run, uses the model or waits for it.

        Answers wait until it ends.
        """
        return bool(self._exclusive)

    @property
    def is_idle_unloaded(self) -> bool:
        """Whether the model was unloaded by `unload_idle`, until something is wanted of it."""
        return self._is_idle_unloaded

    def work_offline(self, is_offline: bool) -> None:
        """Uses no server on another computer from now on, or allows it again.

        One that is used is not used any more: what it answers ends, and nothing is sent there.
        """
        self._works_offline = is_offline
        if is_offline and leaves_this_machine(self._choice) and not isinstance(self._state, Absent):
            self.stop()
            self.unload()

    async def load(self, choice: ModelChoice) -> None:
        """Replaces the present model; after a failure none is loaded.

        Raises what opening the engine raises, and `Cancelled` if it was cancelled or replaced.
        """
        self._refuse_when_closing()
        self.cancel_load()
        self._end_exclusive()
        self._end_read_only()
        load = self._begin_load(choice)
        await settled(load.done, load.stop)

    async def answer(self, request: Request, on_piece: OnPiece = lambda piece: None) -> Answer:
        """Answers a request. A stopped answer is an answer; a failure raises here.

        `on_piece` gets the text in order, at most once a frame.
        """
        self._refuse_when_closing()
        self._end_read_only()
        self._reload_if_idle_unloaded()
        buffer = PieceBuffer(on_piece, self)
        job = AnswerJob(request, buffer, asyncio.get_running_loop().create_future())
        self._answers.append(job)
        if self._load:
            self._waiting.append(job)
        else:
            self._answer_requested.emit(job)
        return await settled(job.answer, job.stop)

    async def run_exclusive(self, work: Callable[[Engine], Any], end: Callable[[], None]) -> Any:
        """Runs `work` with the engine in the model thread; returns or raises what it does.

        `end` is called in the GUI thread when the model is wanted for something else or closed;
        the work should return soon then. While a model loads this waits for it.
        """
        self._reload_if_idle_unloaded()
        await self._until_no_load()
        self._end_read_only()
        job = ExclusiveJob(work, end, asyncio.get_running_loop().create_future())
        self._exclusive.append(job)
        self._exclusive_requested.emit(job)
        return await job.outcome

    async def run_read_only(self, work: Callable[[Engine, threading.Event], Result]) -> Result:
        """Runs `work`, which takes moments, with the engine in the model thread; returns or
        raises what it does.

        The work changes nothing that later answers are made from, and gives way: whatever else is
        wanted of the model sets the event. Work in progress should then raise `Cancelled`; work
        that has not begun is cancelled. An idle-unloaded model is loaded again.
        """
        self._reload_if_idle_unloaded()
        await self._until_no_load()
        job = ReadOnlyJob(work, asyncio.get_running_loop().create_future())
        self._read_only.append(job)
        self._read_only_requested.emit(job)
        return await settled(job.outcome, job.stop)

    def stop(self) -> None:
        """Ends the current answer and those that wait."""
        for job in self._answers:
            job.stop.set()
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            self._end_answer(job, EMPTY_ANSWER)

    def cancel_load(self) -> None:
        """Ends loading at the next tensor; who awaits it gets `Cancelled`."""
        if self._load:
            self._load.stop.set()

    def unload(self) -> None:
        """Frees the model, after the answers asked for so far."""
        self.cancel_load()
        self._end_exclusive()
        self._end_read_only()
        self._is_idle_unloaded = False
        self._unload_requested.emit()

    def unload_idle(self) -> None:
        """Frees the model; the next answer or other work loads it again."""
        if isinstance(self._state, Ready):
            self.unload()
            self._is_idle_unloaded = True

    async def close(self, seconds: float = PATIENCE_SECONDS) -> bool:
        """Ends everything, frees the model, and ends the thread.

        Returns False if the thread is still running after `seconds`: nothing can interrupt an
        import, or a kernel that is running.
        """
        self._is_closing = True
        self.stop()
        self.cancel_load()
        self._end_exclusive()
        self._end_read_only()
        self._close_requested.emit()
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return False
        return self._thread.wait()

    def _allowed(self, open_engine: OpenEngine) -> OpenEngine:
        """Returns what opens an engine, and refuses servers elsewhere while that is not wanted."""

        def opened(choice: ModelChoice, on_progress: OnProgress, stop: threading.Event) -> Engine:
            # Read in the model thread, when the load begins: it may have waited for an answer.
            if self._works_offline:
                require_this_machine_for(choice)
            return open_engine(choice, on_progress, stop)

        return opened

    def _begin_load(self, choice: ModelChoice) -> LoadJob:
        self._is_idle_unloaded = False
        load = LoadJob(choice, asyncio.get_running_loop().create_future())
        self._load, self._choice = load, choice
        waiting, starting = self.tr("Waiting for the answer"), self.tr("Starting")
        self._set_state(Loading(0.0, waiting if self._answers else starting))
        self._load_requested.emit(load)
        return load

    def _reload_if_idle_unloaded(self) -> None:
        if self._is_idle_unloaded and not self._is_closing:
            # A failure is in the state, and raised to those who wait for the model.
            self._begin_load(self._choice).done.add_done_callback(asyncio.Future.exception)

    def _end_exclusive(self) -> None:
        for job in self._exclusive:
            job.end()

    def _end_read_only(self) -> None:
        for job in self._read_only:
            job.stop.set()

    async def _until_no_load(self) -> None:
        self._refuse_when_closing()
        while self._load:
            await asyncio.wait([self._load.done])
            self._refuse_when_closing()

    def _refuse_when_closing(self) -> None:
        if self._is_closing:
            raise Cancelled("Onlooker is closing.")

    def _set_state(self, state: ModelState) -> None:
        self._state = state
        self.state_changed.emit(state)

    def _end_answer(self, job: AnswerJob, outcome: Answer | Exception) -> None:
        job.pieces.flush()
        job.pieces.deleteLater()
        self._answers.remove(job)
        self.job_ended.emit()
        settle(job.answer, outcome)

    @Slot(object, float, object)
    def _on_progressed(self, load: LoadJob, fraction: float, stage: str) -> None:
        if load is self._load:
            self._set_state(Loading(fraction, stage))

    @Slot(object, object)
    def _on_loaded(self, load: LoadJob, facts: EngineFacts) -> None:
        if load is not self._load:
            # The worker frees this engine when it comes to the load that replaces it.
            settle(load.done, Cancelled("Loading was ended for another model."))
            return
        self._load = None
        self._set_state(Ready(facts))
        settle(load.done, None)
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            self._answer_requested.emit(job)

    @Slot(object, object)
    def _on_load_failed(self, load: LoadJob, error: Exception) -> None:
        if load is self._load:
            self._load = None
            self._set_state(Absent() if isinstance(error, Cancelled) else Failed(error))
            waiting, self._waiting = self._waiting, []
            for job in waiting:
                self._end_answer(job, no_model(error))
        settle(load.done, error)

    @Slot()
    def _on_unloaded(self) -> None:
        if not self._load:
            self._set_state(Absent())

    @Slot(object, str)
    def _on_piece_generated(self, job: AnswerJob, piece: str) -> None:
        job.pieces.add(piece)

    @Slot(object, object)
    def _on_answered(self, job: AnswerJob, answer: Answer) -> None:
        self._end_answer(job, answer)

    @Slot(object, object)
    def _on_answer_failed(self, job: AnswerJob, error: Exception) -> None:
        self._end_answer(job, error)

    @Slot(object, object)
    def _on_exclusive_ended(self, job: ExclusiveJob, outcome: object) -> None:
        self._exclusive.remove(job)
        self.job_ended.emit()
        settle(job.outcome, outcome)

    @Slot(object, object)
    def _on_read_only_ended(self, job: ReadOnlyJob, outcome: object) -> None:
        self._read_only.remove(job)
        settle(job.outcome, outcome)

    @Slot()
    def _on_thread_finished(self) -> None:
        self._ended.set()
