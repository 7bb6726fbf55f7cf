"""The side of the model thread that lives in the thread: owns the engine and does the jobs."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QCoreApplication, QObject, QThread, Signal, Slot

from core.errors import Cancelled, EngineError
from core.transcript import Answer, Ending, Request
from gui.session.engine_jobs import FRAME_MS, AnswerJob, ExclusiveJob, LoadJob, ReadOnlyJob
from gui.session.engine_start import OnProgress, OpenEngine
from gui.widgets.translated import translated

if TYPE_CHECKING:
    from core.engine import Engine

translate = QCoreApplication.translate

EMPTY_ANSWER = Answer("", Ending.STOPPED, tokens=0, seconds=0.0)


def no_model(cause: Exception | None = None) -> EngineError:
    """Returns the error for a question without a model, `cause` being why it was not loaded."""
    if cause is None or isinstance(cause, Cancelled):
        return EngineError(
            translate("EngineWorker", "No model is loaded. Load one, then ask again.")
        )
    text = translate("EngineWorker", "No model is loaded. {reason}")
    error = EngineError(text.format(reason=translated(cause)))
    error.__cause__ = cause
    return error


class EngineWorker(QObject):
    """Lives in the model thread, and reports to the GUI thread by signals alone.

    Every signal's first argument is the job it is about.
    """

    progressed = Signal(object, float, object)
    loaded = Signal(object, object)
    load_failed = Signal(object, object)
    unloaded = Signal()
    piece_generated = Signal(object, str)
    answered = Signal(object, object)
    answer_failed = Signal(object, object)
    exclusive_ended = Signal(object, object)
    read_only_ended = Signal(object, object)

    def __init__(self, open_engine: OpenEngine):
        super().__init__()
        self._open_engine = open_engine
        self._engine: Engine | None = None

    @Slot(object)
    def load(self, job: LoadJob) -> None:
        """Opens an engine; emits `loaded` or `load_failed`."""
        # The old weights are freed first: two models seldom fit at the same time.
        self._free_engine()
        try:
            if job.stop.is_set():
                raise Cancelled("Loading was cancelled.")
            engine = self._open_engine(job.choice, self._progress_of(job), job.stop)
        except Exception as error:
            _clear_frames(error)
            self.load_failed.emit(job, error)
        else:
            self._engine = engine
            self.loaded.emit(job, engine.facts)

    @Slot(object)
    def answer(self, job: AnswerJob) -> None:
        """Answers; emits `piece_generated`, and then `answered` or `answer_failed`."""
        if job.stop.is_set():
            self.answered.emit(job, EMPTY_ANSWER)
            return
        try:
            engine = self._loaded_engine()
            answer = engine.answer(
                _followed(job.request, engine),
                lambda piece: self.piece_generated.emit(job, piece),
                job.stop,
            )
        except Exception as error:
            _clear_frames(error)
            self.answer_failed.emit(job, error)
        else:
            self.answered.emit(job, answer)

    @Slot(object)
    def run_exclusive(self, job: ExclusiveJob) -> None:
        """Runs the work; emits `exclusive_ended` with what it returned or raised."""
        outcome = _outcome(lambda: job.work(self._loaded_engine()))
        self.exclusive_ended.emit(job, outcome)

    @Slot(object)
    def run_read_only(self, job: ReadOnlyJob) -> None:
        """Runs the work; emits `read_only_ended` with what it returned or raised."""

        def work() -> Any:
            if job.stop.is_set():
                raise Cancelled("Something else was wanted of the model meanwhile. Look again.")
            return job.work(self._loaded_engine(), job.stop)

        self.read_only_ended.emit(job, _outcome(work))

    @Slot()
    def unload(self) -> None:
        """Frees the engine; emits `unloaded`."""
        self._free_engine()
        self.unloaded.emit()

    @Slot()
    def close(self) -> None:
        """Frees the engine and ends the thread."""
        self._free_engine()
        QThread.currentThread().quit()

    def _loaded_engine(self) -> Engine:
        if not self._engine:
            raise no_model()
        return self._engine

    def _free_engine(self) -> None:
        if self._engine:
            self._engine.close()
            self._engine = None

    def _progress_of(self, job: LoadJob) -> OnProgress:
        """Reports each stage, and the fraction at most once a frame."""
        last_stage, last_report = "", 0.0

        def on_progress(fraction: float, stage: str) -> None:
            nonlocal last_stage, last_report
            now = time.monotonic()
            if stage != last_stage or now - last_report > FRAME_MS / 1000:
                last_stage, last_report = stage, now
                self.progressed.emit(job, fraction, stage)

        return on_progress


def _followed(request: Request, engine: Engine) -> Request:
    """Returns the request without the settings that are greyed out, as the engine ignores them."""
    sampling = engine.facts.followed(request.sampling)
    return request if sampling == request.sampling else replace(request, sampling=sampling)


def _outcome(work: Callable[[], Any]) -> Any:
    """Returns what `work` returns, or the exception that it raises."""
    try:
        return work()
    except Exception as error:
        _clear_frames(error)
        return error


def _clear_frames(error: BaseException | None) -> None:
    """Releases the tensors that a traceback's frames hold; its lines stay.

    The window keeps the error of a failed load, and with it would keep gigabytes.
    """
    while error:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
