"""The thread that owns the model, and the one awaitable door to it.

Everything else in gui/ awaits `load` and `answer` and never sees a thread.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, QThread, QTimer, Signal, Slot

from core.engine import Absent, EngineFacts, Failed, Loading, ModelState, Ready
from core.errors import Cancelled, CheckpointError, EngineError
from core.transcript import Answer, Ending, ModelChoice, Request

if TYPE_CHECKING:
    from core.engine import Engine

FRAME_MS = 16
PATIENCE_SECONDS = 5.0

Found = TypeVar("Found")
OnPiece = Callable[[str], None]
OnProgress = Callable[[float, str], None]
OpenEngine = Callable[[ModelChoice, OnProgress, threading.Event], "Engine"]


def _open_engine(choice: ModelChoice, on_progress: OnProgress, stop: threading.Event) -> Engine:
    on_progress(0.0, "Starting PyTorch")
    _open_torch_libraries()
    try:
        # Takes seconds, which only the model thread may spend.
        from core.open_engine import open_engine
    except (ImportError, OSError) as error:
        raise CheckpointError(
            f"PyTorch and transformers cannot be started ({error}). Install Onlooker again."
        ) from error
    return open_engine(choice, on_progress, stop)


def _open_torch_libraries() -> None:
    """Let the system open torch's libraries before Python does.

    `import torch` holds the interpreter's lock, and so the window, while gigabytes are mapped
    and bound (0.2 to 0.4 s for the CPU alone); a foreign call does not. The import then finds
    them open. Should this fail, it says why better than we can.
    """
    found = importlib.util.find_spec("torch")
    if sys.platform == "linux" and found and found.origin:
        path = Path(found.origin).parent / "lib" / "libtorch_python.so"
        dlopen = ctypes.CDLL(None).dlopen
        dlopen.argtypes, dlopen.restype = [ctypes.c_char_p, ctypes.c_int], ctypes.c_void_p
        dlopen(os.fsencode(path), os.RTLD_NOW)


class ModelThread(QObject):
    """Jobs run one after another, in the order they were asked.

    An answer asked while a model loads waits for it. A new load replaces one under way. Every
    method belongs to the window's thread, and so do the callbacks.
    """

    state_changed = Signal(object)
    job_ended = Signal()
    """An answer or a loan has ended."""

    _load_asked = Signal(object)
    _answer_asked = Signal(object)
    _loan_asked = Signal(object)
    _inquired = Signal(object)
    _unload_asked = Signal()
    _close_asked = Signal()

    def __init__(self, open_engine: OpenEngine = _open_engine, parent: QObject | None = None):
        super().__init__(parent)
        self._state: ModelState = Absent()
        self._load: _Load | None = None
        self._is_idle_unloaded = False
        self._choice = ModelChoice()
        self._jobs: list[_Job] = []
        self._waiting: list[_Job] = []
        self._loans: list[_Loan] = []
        self._inquiries: list[_Inquiry] = []
        self._is_closing = False
        self._ended = asyncio.Event()
        self._thread = QThread(self)
        self._thread.setObjectName("model")
        self._worker = _Worker(open_engine)
        self._worker.moveToThread(self._thread)
        # Bound methods of objects that live here: a lambda would run over there.
        self._load_asked.connect(self._worker.load)
        self._answer_asked.connect(self._worker.answer)
        self._loan_asked.connect(self._worker.lend)
        self._inquired.connect(self._worker.inquire)
        self._unload_asked.connect(self._worker.unload)
        self._close_asked.connect(self._worker.close)
        self._worker.progressed.connect(self._on_progressed)
        self._worker.loaded.connect(self._on_loaded)
        self._worker.load_failed.connect(self._on_load_failed)
        self._worker.unloaded.connect(self._on_unloaded)
        self._worker.said.connect(self._on_said)
        self._worker.answered.connect(self._on_answered)
        self._worker.failed.connect(self._on_failed)
        self._worker.given_back.connect(self._on_given_back)
        self._worker.found_out.connect(self._on_found_out)
        self._thread.finished.connect(self._on_thread_finished)
        self._thread.start()

    @property
    def state(self) -> ModelState:
        return self._state

    @property
    def choice(self) -> ModelChoice:
        """The latest that was to be loaded: what `state` is about."""
        return self._choice

    @property
    def is_busy(self) -> bool:
        """An answer is under way or waits."""
        return bool(self._jobs)

    async def load(self, choice: ModelChoice) -> None:
        """Put a model in the place of the present one; after a failure none is loaded.

        Raises what opening the engine raises, and `Cancelled` when it was ended or replaced.
        """
        self._refuse_when_closing()
        self.cancel_load()
        self._end_loans()
        self._end_inquiries()
        load = self._begin_load(choice)
        await _settled(load.done, load.stop)

    def _begin_load(self, choice: ModelChoice) -> _Load:
        self._is_idle_unloaded = False
        load = _Load(choice, asyncio.get_running_loop().create_future())
        self._load, self._choice = load, choice
        self._set_state(Loading(0.0, "Waiting for the answer" if self._jobs else "Starting"))
        self._load_asked.emit(load)
        return load

    async def answer(self, request: Request, on_piece: OnPiece = lambda piece: None) -> Answer:
        """Ask the model. A stopped answer is an answer; a failure raises here.

        `on_piece` gets the text in order, at most once a frame.
        """
        self._refuse_when_closing()
        self._end_inquiries()
        self._wake()
        job = _Job(request, _Pieces(on_piece, self), asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        if self._load:
            self._waiting.append(job)
        else:
            self._answer_asked.emit(job)
        return await _settled(job.answer, job.stop)

    @property
    def is_used_exclusively(self) -> bool:
        """Work that takes long, a folder run, has the model; answers wait until it ends."""
        return bool(self._loans)

    async def run_exclusive(self, work: Callable[[Engine], Any], end: Callable[[], None]) -> Any:
        """Run `work` with the engine in its thread, and give what it gives or raises.

        `end` is called, here, when the model is wanted for something else or closed; the work
        is to return soon then. While a model loads this waits for it.
        """
        self._wake()
        await self._no_load_under_way()
        self._end_inquiries()
        loan = _Loan(work, end, asyncio.get_running_loop().create_future())
        self._loans.append(loan)
        self._loan_asked.emit(loan)
        return await loan.outcome

    async def run_read_only(self, work: Callable[[Engine, threading.Event], Found]) -> Found:
        """Run `work`, which takes moments, with the engine in its thread, and give what it gives.

        It gives way: whatever else is wanted of the model meanwhile sets the event, upon which
        the work is to raise `Cancelled`, as one does that still waited. A model that rests is
        woken.
        """
        self._wake()
        await self._no_load_under_way()
        inquiry = _Inquiry(work, asyncio.get_running_loop().create_future())
        self._inquiries.append(inquiry)
        self._inquired.emit(inquiry)
        return await _settled(inquiry.outcome, inquiry.stop)

    def stop(self) -> None:
        """End the answer under way and those still waiting."""
        for job in self._jobs:
            job.stop.set()
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            self._end(job, _NOTHING_SAID)

    def cancel_load(self) -> None:
        """End loading at the next tensor; its asker gets `Cancelled`."""
        if self._load:
            self._load.stop.set()

    def unload(self) -> None:
        """Free the model, after the answers asked so far."""
        self.cancel_load()
        self._end_loans()
        self._end_inquiries()
        self._is_idle_unloaded = False
        self._unload_asked.emit()

    def unload_idle(self) -> None:
        """Free the model until an answer or a loan is wanted, which loads it again."""
        if isinstance(self._state, Ready):
            self.unload()
            self._is_idle_unloaded = True

    @property
    def is_idle_unloaded(self) -> bool:
        """It is freed until something is wanted of it."""
        return self._is_idle_unloaded

    def _wake(self) -> None:
        if self._is_idle_unloaded and not self._is_closing:
            # What comes of it is told by the state, and to those who wait for the model.
            self._begin_load(self._choice).done.add_done_callback(asyncio.Future.exception)

    async def close(self, seconds: float = PATIENCE_SECONDS) -> bool:
        """End everything, free the model, end the thread.

        False when the thread is still at work after `seconds`: nothing can interrupt an import
        or a kernel that is running.
        """
        self._is_closing = True
        self.stop()
        self.cancel_load()
        self._end_loans()
        self._end_inquiries()
        self._close_asked.emit()
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return False
        return self._thread.wait()

    def _end_loans(self) -> None:
        for loan in self._loans:
            loan.end()

    def _end_inquiries(self) -> None:
        for inquiry in self._inquiries:
            inquiry.stop.set()

    async def _no_load_under_way(self) -> None:
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

    def _end(self, job: _Job, outcome: Answer | Exception) -> None:
        job.pieces.flush()
        job.pieces.deleteLater()
        self._jobs.remove(job)
        self.job_ended.emit()
        _settle(job.answer, outcome)

    @Slot(object, float, str)
    def _on_progressed(self, load: _Load, fraction: float, stage: str) -> None:
        if load is self._load:
            self._set_state(Loading(fraction, stage))

    @Slot(object, object)
    def _on_loaded(self, load: _Load, facts: EngineFacts) -> None:
        if load is not self._load:
            # The worker frees this engine when it comes to the load that replaces it.
            _settle(load.done, Cancelled("Loading was ended for another model."))
            return
        self._load = None
        self._set_state(Ready(facts))
        _settle(load.done, None)
        waiting, self._waiting = self._waiting, []
        for job in waiting:
            self._answer_asked.emit(job)

    @Slot(object, object)
    def _on_load_failed(self, load: _Load, error: Exception) -> None:
        if load is self._load:
            self._load = None
            self._set_state(Absent() if isinstance(error, Cancelled) else Failed(error))
            waiting, self._waiting = self._waiting, []
            for job in waiting:
                self._end(job, _no_model(error))
        _settle(load.done, error)

    @Slot()
    def _on_unloaded(self) -> None:
        if not self._load:
            self._set_state(Absent())

    @Slot(object, str)
    def _on_said(self, job: _Job, piece: str) -> None:
        job.pieces.add(piece)

    @Slot(object, object)
    def _on_answered(self, job: _Job, answer: Answer) -> None:
        self._end(job, answer)

    @Slot(object, object)
    def _on_failed(self, job: _Job, error: Exception) -> None:
        self._end(job, error)

    @Slot(object, object)
    def _on_given_back(self, loan: _Loan, outcome: object) -> None:
        self._loans.remove(loan)
        self.job_ended.emit()
        _settle(loan.outcome, outcome)

    @Slot(object, object)
    def _on_found_out(self, inquiry: _Inquiry, outcome: object) -> None:
        self._inquiries.remove(inquiry)
        _settle(inquiry.outcome, outcome)

    @Slot()
    def _on_thread_finished(self) -> None:
        self._ended.set()


class _Worker(QObject):
    """Lives in the model thread and talks to the window by signals alone."""

    progressed = Signal(object, float, str)
    loaded = Signal(object, object)
    load_failed = Signal(object, object)
    unloaded = Signal()
    said = Signal(object, str)
    answered = Signal(object, object)
    failed = Signal(object, object)
    given_back = Signal(object, object)
    found_out = Signal(object, object)

    def __init__(self, open_engine: OpenEngine):
        super().__init__()
        self._open_engine = open_engine
        self._engine: Engine | None = None

    @Slot(object)
    def load(self, load: _Load) -> None:
        # The old weights go first: two models seldom fit side by side.
        self._free_engine()
        try:
            if load.stop.is_set():
                raise Cancelled("Loading was cancelled.")
            engine = self._open_engine(load.choice, self._progress_of(load), load.stop)
        except Exception as error:
            _drop_locals(error)
            self.load_failed.emit(load, error)
        else:
            self._engine = engine
            self.loaded.emit(load, engine.facts)

    @Slot(object)
    def answer(self, job: _Job) -> None:
        if job.stop.is_set():
            self.answered.emit(job, _NOTHING_SAID)
            return
        try:
            if not self._engine:
                raise _no_model()
            answer = self._engine.answer(
                job.request, lambda piece: self.said.emit(job, piece), job.stop
            )
        except Exception as error:
            _drop_locals(error)
            self.failed.emit(job, error)
        else:
            self.answered.emit(job, answer)

    @Slot(object)
    def lend(self, loan: _Loan) -> None:
        try:
            if not self._engine:
                raise _no_model()
            outcome = loan.work(self._engine)
        except Exception as error:
            _drop_locals(error)
            outcome = error
        self.given_back.emit(loan, outcome)

    @Slot(object)
    def inquire(self, inquiry: _Inquiry) -> None:
        try:
            if inquiry.stop.is_set():
                raise Cancelled("Something else was wanted of the model meanwhile. Look again.")
            if not self._engine:
                raise _no_model()
            outcome = inquiry.work(self._engine, inquiry.stop)
        except Exception as error:
            _drop_locals(error)
            outcome = error
        self.found_out.emit(inquiry, outcome)

    @Slot()
    def unload(self) -> None:
        self._free_engine()
        self.unloaded.emit()

    @Slot()
    def close(self) -> None:
        self._free_engine()
        QThread.currentThread().quit()

    def _free_engine(self) -> None:
        if self._engine:
            self._engine.close()
            self._engine = None

    def _progress_of(self, load: _Load) -> OnProgress:
        """Report each stage, and the fraction at most once a frame."""
        last_stage, last_report = "", 0.0

        def on_progress(fraction: float, stage: str) -> None:
            nonlocal last_stage, last_report
            now = time.monotonic()
            if stage != last_stage or now - last_report > FRAME_MS / 1000:
                last_stage, last_report = stage, now
                self.progressed.emit(load, fraction, stage)

        return on_progress


class _Pieces(QObject):
    """Pieces on their way to the asker, joined to at most one a frame; the first goes at once.

    At 1,000 tokens per second the window would otherwise lay its text out 1,000 times.
    """

    def __init__(self, on_piece: OnPiece, parent: QObject):
        super().__init__(parent)
        self._on_piece = on_piece
        self._unsaid: list[str] = []
        self._frame = QTimer(self, interval=FRAME_MS, singleShot=True)
        self._frame.timeout.connect(self.flush)

    def add(self, piece: str) -> None:
        self._unsaid.append(piece)
        if not self._frame.isActive():
            self.flush()

    @Slot()
    def flush(self) -> None:
        if self._unsaid:
            text, self._unsaid = "".join(self._unsaid), []
            self._frame.start()
            self._on_piece(text)


@dataclass(eq=False)
class _Load:
    choice: ModelChoice
    done: asyncio.Future[None]
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False)
class _Job:
    request: Request
    pieces: _Pieces
    answer: asyncio.Future[Answer]
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False)
class _Loan:
    work: Callable[[Engine], Any]
    end: Callable[[], None]
    outcome: asyncio.Future[Any]


@dataclass(eq=False)
class _Inquiry:
    work: Callable[[Engine, threading.Event], Any]
    outcome: asyncio.Future[Any]
    stop: threading.Event = field(default_factory=threading.Event)


_NOTHING_SAID = Answer("", Ending.STOPPED, tokens=0, seconds=0.0)


def _no_model(cause: Exception | None = None) -> EngineError:
    if cause is None or isinstance(cause, Cancelled):
        return EngineError("No model is loaded. Load one, then ask again.")
    error = EngineError(f"There is no model to ask. {cause}")
    error.__cause__ = cause
    return error


async def _settled(future: asyncio.Future, stop: threading.Event) -> Any:
    try:
        return await future
    except asyncio.CancelledError:
        stop.set()
        raise


def _settle(future: asyncio.Future, outcome: object) -> None:
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def _drop_locals(error: BaseException | None) -> None:
    """Let go of the tensors that a traceback's frames hold; its lines stay.

    The window keeps the error of a failed load, and with it would keep gigabytes.
    """
    while error:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
