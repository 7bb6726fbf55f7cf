"""Tries a model's folder in a child before an engine opens it, or recalls how that went."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from types import TracebackType

from core.checkpoint.folder import find_folder, read_checkpoint, read_config
from core.errors import Cancelled, CheckpointError
from core.isolation.process import IsolatedProcess
from core.isolation.protocol import ChildFailed, RequestFailed
from core.transcript import BUILT_IN, ModelChoice
from core.vetting.kept import KeptVerdicts, fingerprint, kept_verdicts
from core.vetting.verdict import NOT_TRIED, EngineKind, Trial, Verdict, verdict_of_failure

_CHILD = "core.vetting.trial"
_LOOK_SECONDS = 0.05


class Vetting:
    """A trial of a model's folder that is under way, or its kept result. Leaving it ends it."""

    def __init__(self, trial: Trial | None, kept: KeptVerdicts):
        """Begins a trial, if there is one and no verdict of it is kept. Does not block."""
        self._name = trial.folder.name if trial else ""
        self._stop = threading.Event()
        self._verdict: Future[Verdict] = Future()
        self._thread: threading.Thread | None = None
        if trial is None:
            self._verdict.set_result(Verdict())
            return
        self._thread = threading.Thread(
            target=self._find_verdict, args=(trial, kept), name="vetting", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Vetting:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def is_decided(self) -> bool:
        """Whether `wait` returns at once."""
        return self._verdict.done()

    def wait(self, stop: threading.Event) -> None:
        """Returns once the model may be used.

        Raises CheckpointError if it must not be used, and Cancelled once `stop` is set.
        """
        while True:
            try:
                verdict = self._verdict.result(timeout=_LOOK_SECONDS)
                break
            except FutureTimeout:
                if stop.is_set():
                    self._stop.set()
                    raise Cancelled("Loading was cancelled.") from None
        verdict = verdict.named(self._name)
        if verdict.problem:
            raise CheckpointError(verdict.problem)

    def _find_verdict(self, trial: Trial, kept: KeptVerdicts) -> None:
        try:
            key = fingerprint(trial)
            verdict = kept.read(key)
            if verdict is None:
                verdict = _try_in_child(trial, self._stop)
                kept.write(key, verdict)
            self._verdict.set_result(verdict)
        except BaseException as error:
            self._verdict.set_exception(error)


def untried() -> Vetting:
    """For a model that need not be tried."""
    return Vetting(None, KeptVerdicts(None))


def begin_vetting(choice: ModelChoice) -> Vetting:
    """Begins to try the chosen model's folder, without torch. Raises CheckpointError.

    The built-in model is a part of the program, and is not tried.
    """
    if choice.model == BUILT_IN:
        return untried()
    folder = find_folder(choice.model)
    checkpoint = read_checkpoint(folder, read_config(folder))
    if checkpoint is None:
        trial = Trial(EngineKind.CHAT, folder.absolute())
    else:
        trial = Trial(EngineKind.LLAVA, checkpoint.folder.absolute())
    return Vetting(trial, kept_verdicts())


def _try_in_child(trial: Trial, stop: threading.Event) -> Verdict:
    """Returns the verdict of a trial in a child. Raises Cancelled once `stop` is set.

    A model that cannot be tried is refused: it could hang this process, or fill the memory.
    """
    try:
        child = IsolatedProcess(_CHILD)
    except ChildFailed:
        return NOT_TRIED
    try:
        child.ask({"prepare": trial.kind.value}, stop=stop)
    except (ChildFailed, RequestFailed):
        # Nothing of the model's has been read yet.
        child.close()
        return NOT_TRIED
    try:
        for part in trial.parts:
            try:
                verdict = Verdict.read(child.ask(trial.request(part), part.limits, stop))
            except RequestFailed:
                continue  # Opening the folder will raise it again, and say it better.
            except ChildFailed as failure:
                return verdict_of_failure(part, failure.ended)
            if verdict.problem:
                return verdict
        return Verdict()
    finally:
        child.close()
