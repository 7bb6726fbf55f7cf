"""The work of a folder run: pictures opened ahead, asked about in slots, written behind.

`core.batch.recording` decides what becomes of each picture; here is when, and in which thread.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from core.batch.options import ItemState
from core.batch.recording import Desk, Work
from core.engine import Engine, EngineFacts
from core.errors import AppError, EngineError, OutOfMemory, StoreError
from core.picture import Picture, given_pixels, open_picture
from core.transcript import Answer, Ending, Request

log = logging.getLogger(__name__)

_FAILURES_IN_A_ROW = 5
# Of the cores that this process may use, which taskset and containers can make fewer.
_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
OPENERS = min(12, max(2, (_CORES or 2) - 1))
_UNWRITTEN = 64
# Where the engine does not know how many fit.
_SLOTS_ON_A_CARD, _SLOTS_ELSEWHERE = 8, 4


def usual_slots(facts: EngineFacts) -> int:
    """How many pictures are looked at at once where nobody says otherwise."""
    on_card = facts.device.startswith("cuda")
    return facts.slots_that_fit or (_SLOTS_ON_A_CARD if on_card else _SLOTS_ELSEWHERE)


class Control:
    """Ends a run from any thread; it can be gone on with afterwards."""

    def __init__(self) -> None:
        self.now = threading.Event()
        self._soon = threading.Event()

    def stop_now(self) -> None:
        """End inside the captions under way; their pictures wait again."""
        self.now.set()

    def stop_after_this(self) -> None:
        """Begin no further picture."""
        self._soon.set()

    @property
    def is_ending(self) -> bool:
        return self._soon.is_set() or self.now.is_set()


@dataclass(frozen=True, eq=False)
class _Opened:
    """What an opener has made of a picture: what to ask about it, or why nothing is."""

    work: Work | None = None
    picture: Picture | None = None
    skipped: str = ""
    failed: str = ""


class Run:
    """One `Batch.run`: pictures are opened ahead in threads, asked about here, and written in
    another thread."""

    def __init__(
        self,
        desk: Desk,
        engine: Engine,
        control: Control,
        on_piece: Callable[[int, str], None] | None,
        writer: ThreadPoolExecutor,
    ):
        self._desk, self._engine, self._control = desk, engine, control
        self._on_piece, self._writer = on_piece, writer
        self._answered: deque[Work] = deque()
        self._writes: deque[Future[None]] = deque()
        self._failures = 0

    def go(self, waiting: deque[int], slots: int) -> None:
        one_by_one: set[int] = set()
        try:
            while waiting and not self._control.is_ending:
                if slots == 1 or waiting[0] in one_by_one:
                    self._alone(waiting, None if slots == 1 else one_by_one)
                    one_by_one = set()
                    continue
                try:
                    self._together(waiting, slots)
                except OutOfMemory:
                    slots //= 2
                    self._desk.note(
                        f"The memory was used up, so that now {slots} "
                        f"{'picture is' if slots == 1 else 'pictures are'} looked at at once."
                    )
                except StoreError:
                    raise
                except Exception as error:
                    if not isinstance(error, AppError):
                        log.exception("The model failed in a way that nobody foresaw")
                    # One of those under way is to blame; asked one by one it shows itself.
                    one_by_one = set(list(waiting)[: 2 * slots])
        finally:
            while self._writes:
                self._writes.popleft().result()

    def _alone(self, waiting: deque[int], only: set[int] | None) -> None:
        with closing(self._requests(waiting, ahead=3, only=only)) as requests:
            for work, place, request in requests:

                def hear(piece: str, work: Work = work, place: int = place) -> None:
                    self._tell(work, place, piece)

                try:
                    answer = self._engine.answer(request, hear, self._stop)
                except Exception as failure:
                    error = _told_of(failure, work.path)
                    self._desk.fail(work.number, str(error))
                    work.is_failed = True
                    self._count_failure(error)
                else:
                    self._take(work, place, answer)

    def _together(self, waiting: deque[int], slots: int) -> None:
        # By identity, and so with the request itself, whose number would else be given again.
        under_way: dict[int, tuple[Work, int, Request]] = {}

        def asked() -> Iterator[Request]:
            for work, place, request in requests:
                under_way[id(request)] = work, place, request
                yield request

        def hear(request: Request, piece: str) -> None:
            work, place, _ = under_way[id(request)]
            self._tell(work, place, piece)

        ahead = max(4, min(slots, 2 * OPENERS))
        requests = self._requests(waiting, ahead, keeps_order=False)
        answers = self._engine.answer_all(
            asked(), self._stop, slots=slots, on_piece=hear if self._on_piece else None
        )
        try:
            with closing(requests), closing(answers):
                for request, answer in answers:
                    work, place, _ = under_way.pop(id(request))
                    self._take(work, place, answer)
        finally:
            again = sorted({work.number for work, _, _ in under_way.values()}, reverse=True)
            for number in again:
                self._desk.set_state(number, ItemState.WAITING)
                waiting.appendleft(number)

    @property
    def _stop(self) -> threading.Event:
        return self._control.now

    def _tell(self, work: Work, place: int, piece: str) -> None:
        """Of answers that come at once about a picture, one is told at a time, and whole."""
        if self._on_piece is None:
            return
        if work.told is None and place not in work.begun:
            work.told = place
        work.begun.add(place)
        if work.told == place:
            self._on_piece(work.number, piece)

    def _take(self, work: Work, place: int, answer: Answer) -> None:
        self._failures = 0
        if answer.ending is Ending.STOPPED:
            self._desk.keep_half(work, place, answer)
            return
        self._desk.take_answer(work, place, answer)
        if work.told == place and self._on_piece:
            work.told = None
            if not work.is_answered:
                self._on_piece(work.number, "\n")
        if len(work.prompts) > 1:
            self._later(self._desk.keep_answer, work, place)
        if work.is_answered:
            self._write(work)

    def _write(self, work: Work) -> None:
        self._answered.append(work)
        self._later(self._write_answered)

    def _write_answered(self) -> None:
        """All that wait for it at once, since the disk takes them in one step."""
        works = []
        while self._answered:
            works.append(self._answered.popleft())
        if works:
            self._desk.write(works)

    def _later(self, write: Callable[..., None], *arguments: object) -> None:
        """In the writing thread, whose failures come up here."""
        self._writes.append(self._writer.submit(write, *arguments))
        while self._writes and (self._writes[0].done() or len(self._writes) > _UNWRITTEN):
            self._writes.popleft().result()

    def _count_failure(self, error: AppError) -> None:
        """A dead card fails every picture; a night of that would help nobody."""
        self._failures += 1
        if self._failures >= _FAILURES_IN_A_ROW and isinstance(error, EngineError):
            raise EngineError(
                f"The model failed {self._failures} times in a row. {error} Then retry the failed."
            ) from error

    def _requests(
        self,
        waiting: deque[int],
        ahead: int,
        only: set[int] | None = None,
        *,
        keeps_order: bool = True,
    ) -> Generator[tuple[Work, int, Request]]:
        """Questions about the pictures that wait, opened `ahead` of being asked about.

        Without `keeps_order` a picture that takes long to open holds up none that is open.
        """
        opening: deque[tuple[int, Future[_Opened]]] = deque()
        openers = ThreadPoolExecutor(OPENERS, "opener", initializer=self._stand_back)
        # Memory that is used again need not be got from the system, which would let one thread
        # at a time have it: three blocks of 16 MB are a picture of 12 megapixels.
        Image.core.set_blocks_max(3 * OPENERS)
        try:
            while not self._control.is_ending:
                while len(opening) < ahead and waiting and (only is None or waiting[0] in only):
                    number = waiting.popleft()
                    if self._desk.is_waiting(number):
                        opening.append((number, openers.submit(self._open, number)))
                if not opening:
                    return
                place = 0 if keeps_order else _first_done([future for _, future in opening])
                number, opened = opening[place]
                del opening[place]
                yield from self._questions(number, opened.result())
        finally:
            openers.shutdown(wait=False, cancel_futures=True)
            Image.core.set_blocks_max(0)
            waiting.extendleft(number for number, _ in reversed(opening))

    def _stand_back(self) -> None:
        """On a processor, which the model wants too, this thread takes what that leaves.

        Else each of the model's threads would wait whenever one has to.
        """
        if not self._engine.facts.device.startswith("cuda") and sys.platform == "linux":
            with suppress(OSError):  # Some containers forbid it.
                os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

    def _open(self, number: int) -> _Opened:
        """In an opener's thread, and without a trace: the run may have ended meanwhile."""
        try:
            work = self._desk.work_on(number)
            if isinstance(work, str):
                return _Opened(skipped=work)
            if work.is_answered:
                return _Opened(work)
            picture = open_picture(work.path)
            if preprocessing := self._engine.facts.preprocessing:
                # Made here, it takes no time of the model's; and of a hundred large pictures
                # that wait no more is kept.
                given = given_pixels(picture.pixels, preprocessing, is_one_of_many=True)
                picture = replace(picture, pixels=given)
            return _Opened(work, picture)
        except AppError as error:
            return _Opened(failed=str(error))
        except Exception as error:
            # One picture of thousands that breaks its reader is to end no run over night.
            path = self._desk.path(number)
            log.exception("%s cannot be opened", path)
            return _Opened(
                failed=f"“{path.name}” cannot be opened ({type(error).__name__}). Save it as JPEG "
                "or PNG once more, then try again."
            )

    def _questions(self, number: int, opened: _Opened) -> Iterator[tuple[Work, int, Request]]:
        if not self._desk.is_waiting(number):
            return
        if opened.failed:
            self._desk.fail(number, opened.failed)
        elif opened.skipped:
            self._desk.set_state(number, ItemState.SKIPPED, opened.skipped)
        elif opened.work and not opened.picture:
            self._write(opened.work)
        elif opened.work and opened.picture:
            self._desk.set_state(number, ItemState.WORKING)
            yield from self._asked(opened.work, opened.picture)

    def _asked(self, work: Work, picture: Picture) -> Iterator[tuple[Work, int, Request]]:
        for place, prompt in enumerate(work.prompts):
            if place in work.answers:
                continue
            if self._stop.is_set():
                self._desk.set_state(work.number, ItemState.WAITING)
                return
            yield work, place, self._desk.options.request(picture, prompt)
            if work.is_failed:
                return


def _told_of(failure: Exception, path: Path) -> AppError:
    """The reason that a row shows."""
    if isinstance(failure, AppError):
        return failure
    log.error("The model failed over %s", path, exc_info=failure)
    return EngineError(
        f"The model failed over “{path.name}” ({type(failure).__name__}). Try again; if it fails "
        "again, leave this picture out."
    )


def _first_done(opening: Sequence[Future[_Opened]]) -> int:
    """The place of the first that is done; waits until one is."""
    wait(opening, return_when=FIRST_COMPLETED)
    return next(place for place, future in enumerate(opening) if future.done())
