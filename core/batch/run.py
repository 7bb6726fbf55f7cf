"""The work of a run: images are opened ahead in threads, captioned in slots, and written behind.

Here is decided when each image is worked on, and in which thread. What is asked about it, and what
becomes of the answers, is up to `core.batch.recording`.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from PIL import Image

from core.batch.doubt import words_in_doubt
from core.batch.items import ItemState
from core.batch.opening import Opened, openers_for, prepared, yield_to_model
from core.batch.recording import Recorder, Work
from core.batch.write_behind import WriteBehind
from core.engine import Engine, EngineFacts, picture_preparation
from core.errors import (
    AppError,
    EngineError,
    EngineLost,
    OutOfMemory,
    ServerError,
    StoreError,
)
from core.message import translatable
from core.picture import Picture
from core.transcript import Answer, Ending, Request

log = logging.getLogger(__name__)

_FAILURES_IN_A_ROW = 5
# So many opened images wait at least. Those for servers are small; with fewer, the thread that
# asks and those that open would wait for each other to get Python's lock.
_AHEAD, _AHEAD_OF_SERVERS = 4, 16
# Used if the engine does not know how many fit.
_SLOTS_ON_A_CARD, _SLOTS_ELSEWHERE = 8, 4


def usual_slots(facts: EngineFacts) -> int:
    """Returns how many images are captioned at the same time unless the user says otherwise."""
    on_card = facts.device.startswith("cuda")
    return facts.slots_that_fit or (_SLOTS_ON_A_CARD if on_card else _SLOTS_ELSEWHERE)


class Control:
    """Ends a run from any thread. It can be continued afterwards, with a new control."""

    def __init__(self) -> None:
        self.now = threading.Event()
        self._soon = threading.Event()

    def stop_now(self) -> None:
        """Ends inside the captions that are being generated; their images wait again."""
        self.now.set()

    def stop_after_this(self) -> None:
        """Begins no further image."""
        self._soon.set()

    @property
    def is_ending(self) -> bool:
        """Returns whether the run is to end, in either way."""
        return self._soon.is_set() or self.now.is_set()


@dataclass(frozen=True, eq=False)
class _Question:
    """One prompt about one image, ready to be asked."""

    work: Work
    prompt_index: int
    request: Request


class Run:
    """One `Batch.run`: images are opened in threads of their own, asked about in the calling
    thread, and written in the thread of `writer`."""

    def __init__(
        self,
        recorder: Recorder,
        engine: Engine,
        control: Control,
        on_piece: Callable[[int, str], None] | None,
        writer: ThreadPoolExecutor,
    ):
        self._recorder, self._engine, self._control = recorder, engine, control
        # Openers still work when the run has ended and the engine is closed: they ask it nothing.
        self._facts = engine.facts
        self._prepare = picture_preparation(engine)
        self._openers = openers_for(self._facts.engines)
        self._is_over = threading.Event()
        self._on_piece = on_piece
        self._behind = WriteBehind(recorder, writer, self._is_over)
        self._failures = 0
        # What the engine said of itself, and how many images it was asked about, at the same time.
        self._known_notes = len(self._facts.notes)
        self._under_way = 0

    def run(self, waiting: deque[int], slots: int) -> None:
        """Captions the items `waiting`, `slots` at the same time. Raises as `Batch.run`."""
        one_by_one: set[int] = set()
        try:
            while waiting and not self._control.is_ending:
                if slots == 1 or waiting[0] in one_by_one:
                    self._run_one_by_one(waiting, None if slots == 1 else one_by_one)
                    one_by_one = set()
                    continue
                try:
                    self._run_in_slots(waiting, slots)
                except OutOfMemory:
                    slots //= 2
                    self._recorder.note(_fewer_at_once(slots))
                except (StoreError, EngineLost, ServerError):
                    # No image is the cause: those that were asked about wait again.
                    raise
                except Exception as error:
                    if not isinstance(error, AppError):
                        log.exception("The model failed unexpectedly")
                    # One of the images in the slots caused it; asked one by one it is found.
                    one_by_one = set(list(waiting)[: max(2 * slots, self._under_way)])
        finally:
            self._is_over.set()
            for note in self._engine.facts.notes[self._known_notes :]:
                self._recorder.note(note)
            self._behind.finish()

    def _run_one_by_one(self, waiting: deque[int], only: set[int] | None) -> None:
        with closing(self._questions(waiting, ahead=3, only=only)) as questions:
            for question in questions:

                def on_piece(piece: str, question: _Question = question) -> None:
                    self._report_piece(question, piece)

                work = question.work
                try:
                    answer = self._engine.answer(question.request, on_piece, self._stop)
                except EngineLost:
                    raise
                except Exception as failure:
                    if isinstance(failure, ServerError) and not failure.is_of_one_request:
                        self._recorder.set_state(work.number, ItemState.WAITING)
                        waiting.appendleft(work.number)
                        raise
                    self._fail(work, _as_app_error(failure, work.path))
                else:
                    self._take(question, answer)

    def _run_in_slots(self, waiting: deque[int], slots: int) -> None:
        # By the identity of the request. The question keeps the request alive, so that no other
        # gets the same id.
        under_way: dict[int, _Question] = {}

        def requests() -> Iterator[Request]:
            for question in questions:
                under_way[id(question.request)] = question
                yield question.request

        def on_piece(request: Request, piece: str) -> None:
            self._report_piece(under_way[id(request)], piece)

        least = _AHEAD_OF_SERVERS if self._facts.sending else _AHEAD
        ahead = max(least, min(slots * self._facts.engines, 2 * self._openers))
        questions = self._questions(waiting, ahead, keeps_order=False)
        answers = self._engine.answer_all(
            requests(), self._stop, slots=slots, on_piece=on_piece if self._on_piece else None
        )
        try:
            with closing(questions), closing(answers):
                for request, answer in answers:
                    question = under_way.pop(id(request))
                    if isinstance(answer, AppError):
                        self._fail(question.work, answer)
                    else:
                        self._take(question, answer)
        finally:
            again = sorted({one.work.number for one in under_way.values()}, reverse=True)
            self._under_way = len(again)
            for number in again:
                self._recorder.set_state(number, ItemState.WAITING)
                waiting.appendleft(number)

    @property
    def _stop(self) -> threading.Event:
        return self._control.now

    def _report_piece(self, question: _Question, piece: str) -> None:
        """Reports a piece of an answer. If several prompts about an image are answered at the same
        time, only one answer is reported, and from its beginning."""
        if self._on_piece is None:
            return
        work, index = question.work, question.prompt_index
        if work.streaming_index is None and index not in work.partial:
            work.streaming_index = index
        work.partial.add(index)
        if work.streaming_index == index:
            self._on_piece(work.number, piece)

    def _take(self, question: _Question, answer: Answer) -> None:
        work, index = question.work, question.prompt_index
        self._failures = 0
        work.notes += answer.notes
        if answer.ending is Ending.STOPPED:
            self._recorder.write_stopped(work, index, answer)
            return
        if not self._recorder.options.has_words(answer.text):
            work.is_failed = True
            self._behind.call(self._recorder.write_wordless, work, index, answer)
            return
        self._recorder.add_answer(work, index, answer)
        work.in_doubt += words_in_doubt(self._engine, question.request, answer, self._stop)
        if work.streaming_index == index and self._on_piece:
            work.streaming_index = None
            if not work.is_answered:
                self._on_piece(work.number, "\n")
        if len(work.prompts) > 1:
            self._behind.call(self._recorder.write_answer, work, index)
        if work.is_answered:
            self._behind.add(work)

    def _fail(self, work: Work, error: AppError) -> None:
        self._recorder.fail(work.number, error.message)
        work.is_failed = True
        self._count_failure(error)

    def _count_failure(self, error: AppError) -> None:
        """Ends the run when the model keeps failing: with a broken GPU every image would fail."""
        self._failures += 1
        if self._failures >= _FAILURES_IN_A_ROW and isinstance(error, EngineError):
            raise EngineError(
                translatable("core", "The model failed {count} times in a row. {error}").format(
                    count=self._failures, error=error
                )
            ) from error

    def _questions(
        self,
        waiting: deque[int],
        ahead: int,
        only: set[int] | None = None,
        *,
        keeps_order: bool = True,
    ) -> Generator[_Question]:
        """Yields questions about the images that wait, and opens up to `ahead` images in advance.

        With `only`, ends before the first image that is not in it. Without `keeps_order`, an image
        that takes long to open does not delay others.
        """
        opening: dict[int, Future[Opened]] = {}
        opened: SimpleQueue[int] = SimpleQueue()
        openers = ThreadPoolExecutor(self._openers, "opener", initializer=self._begin_opener)
        # Pillow keeps freed blocks for reuse. The system would hand out new memory to one thread
        # at a time. Three blocks of 16 MB are an image of 12 megapixels.
        Image.core.set_blocks_max(3 * self._openers)
        try:
            while not self._control.is_ending:
                while len(opening) < ahead and waiting and (only is None or waiting[0] in only):
                    number = waiting.popleft()
                    if self._recorder.is_waiting(number):
                        future = opening[number] = openers.submit(self._open, number)
                        future.add_done_callback(lambda _, number=number: opened.put(number))
                if not opening:
                    return
                number = next(iter(opening)) if keeps_order else opened.get()
                yield from self._questions_about(number, opening.pop(number).result())
        finally:
            openers.shutdown(wait=False, cancel_futures=True)
            Image.core.set_blocks_max(0)
            waiting.extendleft(reversed(opening))

    def _begin_opener(self) -> None:
        if not self._facts.device.startswith(("cuda", "server")):
            yield_to_model()

    def _open(self, number: int) -> Opened:
        """Opens an image in an opener's thread. Changes nothing, as the run may have ended."""
        try:
            work = self._recorder.work_on(number)
            if isinstance(work, str):
                existing = self._recorder.existing_caption(number)
                return Opened(skipped=work, existing=existing)
            if work.is_answered:
                return Opened(work)
            picture = self._prepare(prepared(work.path, self._facts))
            work.notes = picture.notes
            return Opened(work, picture)
        except AppError as error:
            return Opened(failed=error.message)
        except MemoryError:
            name = self._recorder.path(number).name
            return Opened(
                failed=translatable(
                    "core",
                    "“{name}” needs more memory than is free. Close other programs, then try "
                    "again.",
                ).format(name=name)
            )
        except Exception as error:
            # One image that crashes its decoder must not end a run over thousands.
            path = self._recorder.path(number)
            if not self._is_over.is_set():  # Else nobody waits for it any more.
                log.exception("%s cannot be opened", path)
            return Opened(
                failed=translatable(
                    "core",
                    "“{name}” cannot be opened ({error}). Save it again as JPEG or PNG, then try "
                    "again.",
                ).format(name=path.name, error=type(error).__name__)
            )

    def _questions_about(self, number: int, opened: Opened) -> Iterator[_Question]:
        if not self._recorder.is_waiting(number):
            return
        if opened.failed:
            self._recorder.fail(number, opened.failed)
        elif opened.skipped:
            self._recorder.skip(number, opened.skipped, opened.existing)
        elif opened.work and not opened.picture:
            self._behind.add(opened.work)
        elif opened.work and opened.picture:
            self._recorder.set_state(number, ItemState.WORKING)
            yield from self._unanswered(opened.work, opened.picture)

    def _unanswered(self, work: Work, picture: Picture) -> Iterator[_Question]:
        for index, prompt in enumerate(work.prompts):
            if index in work.answers:
                continue
            if self._stop.is_set():
                self._recorder.set_state(work.number, ItemState.WAITING)
                return
            yield _Question(work, index, self._recorder.options.request(picture, prompt, index))
            if work.is_failed:
                return


def _as_app_error(failure: Exception, path: Path) -> AppError:
    """Returns an error whose message can be shown as the item's reason."""
    if isinstance(failure, AppError):
        return failure
    log.error("The model failed on %s", path, exc_info=failure)
    return EngineError(
        translatable(
            "core", "The model failed on “{name}” ({error}). Try again, or leave this image out."
        ).format(name=path.name, error=type(failure).__name__)
    )


def _fewer_at_once(slots: int) -> str:
    if slots == 1:
        return translatable("core", "Memory ran out, so images are now captioned one at a time.")
    text = translatable("core", "Memory ran out, so {count} images are now captioned at once.")
    return text.format(count=slots)
