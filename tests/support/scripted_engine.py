"""An engine without a model, and its loading: the prompt says what the engine does.

    "say 40 words"              forty words, "word0 " to "word39 ", as fast as can be
    "say 40 words at 1000"      the same, 1,000 words per second
    "say 40 words at 1000 once" the same, but only the first time that this is asked
    "hold"                      answers "Half an ", then waits to be stopped
    "fail"                      answers "Half an ", then fails as a device does
    "crash"                     answers "Half an ", then raises an unexpected exception
    "new every 3"               the answer changes with every third time that this is asked
    "then hold"                 the first time it answers "First.", then it is like "hold"
    "then fail"                 the first time it answers "First.", then it fails at once
    "fail twice"                it fails at once two times, then it answers "At last."
    "when released say 2 words" waits for `release`, then does what else it says

The name of the model says what loading does: "slow" loads until it is cancelled or `release` is
set, "broken" cannot be loaded, "large" fits only in 8 bits, "towerless" lacks a part, "buggy"
raises an unexpected exception, anything else loads at once.
"""

import re
import threading
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from core.engine import Capability, EngineFacts, Missing
from core.errors import Cancelled, CheckpointError, EngineError, OutOfMemory, PromptError
from core.picture import Picture
from core.trace import ImageTrace, MemoryUse, StageTime, TokenTrace, Trace
from core.transcript import Answer, Ending, ModelChoice, Precision, Request
from core.words import Candidate, Evidence, Presence, Word, WordMap


class ScriptedEngine:
    """An Engine, with the evidence of an InspectableEngine; remembers what it was asked."""

    def __init__(self, choice: ModelChoice, release: threading.Event | None = None):
        self.release = release or threading.Event()
        self.facts = EngineFacts(
            model=choice.model,
            device="cpu",
            device_name="Script",
            dtype=Precision.FLOAT32,
            memory_bytes=0,
            context_length=4096,
            count_tokens=lambda text: len(text.split()) + 100,
        )
        self.thread = threading.current_thread()
        self.requests: list[Request] = []
        self.examined: list[str] = []
        self.made_ready: list[Picture] = []
        self.is_closed = False

    def answer(
        self, request: Request, on_piece: Callable[[str], None], stop: threading.Event
    ) -> Answer:
        self.requests.append(request)
        started = time.perf_counter()
        pieces: list[str] = []
        if request.turns[-1].prompt.startswith(_WAITS):
            while not stop.is_set() and not self.release.wait(0.005):
                pass
        for piece in self._pieces(_script(request), stop):
            if stop.is_set():
                break
            pieces.append(piece)
            on_piece(piece)
        return Answer(
            "".join(pieces).strip(),
            Ending.STOPPED if stop.is_set() else Ending.COMPLETE,
            tokens=len(pieces),
            seconds=time.perf_counter() - started,
        )

    def get_ready(self, picture: Picture) -> None:
        self.made_ready.append(picture)

    def answer_all(
        self,
        requests: Iterable[Request | None],
        stop: threading.Event,
        *,
        slots: int,
        on_piece: Callable[[Request, str], None] | None = None,
        is_stopped: Callable[[Request], bool] | None = None,
        on_refused: Callable[[Request, PromptError], None] | None = None,
    ) -> Generator[tuple[Request, Answer]]:
        """One after the other, however many slots there are."""
        for request in filter(None, requests):
            if stop.is_set():
                return
            hear = partial(on_piece, request) if on_piece else lambda _: None
            ending = _Ending(stop, partial(is_stopped, request)) if is_stopped else stop
            yield request, self.answer(request, hear, ending)

    def _pieces(self, script: str, stop: threading.Event):
        match script.split():
            case ["say", count, "words"]:
                yield from (f"word{i} " for i in range(int(count)))
            case ["say", count, "words", "at", _, "once"] if self._times_asked_before(script):
                yield from (f"word{i} " for i in range(int(count)))
            case ["say", count, "words", "at", rate] | ["say", count, "words", "at", rate, "once"]:
                started = time.perf_counter()
                for i in range(int(count)):
                    stop.wait(max(0.0, started + i / float(rate) - time.perf_counter()))
                    yield f"word{i} "
            case ["new", "every", count]:
                yield f"Answer {self._times_asked_before(script) // int(count)}."
            case ["then", _] if not self._times_asked_before(script):
                yield "First."
            case ["fail", "twice"] if self._times_asked_before(script) >= 2:
                yield "At last."
            case ["then", "fail"] | ["fail", "twice"]:
                raise EngineError("The device went away. Ask again.")
            case ["hold"] | ["then", "hold"]:
                yield "Half an "
                stop.wait()
            case ["fail"]:
                yield "Half an "
                raise EngineError("The device went away. Ask again.")
            case ["crash"]:
                yield "Half an "
                raise ZeroDivisionError("nobody foresaw this")
            case _:
                yield from ("A ", "red ", "square.")

    def _times_asked_before(self, script: str) -> int:
        return [_script(request) for request in self.requests].count(script) - 1

    def evidence(self, request: Request, answer: Answer, stop: threading.Event) -> Evidence:
        """Doubts "red", and "word1", "word2" and so on ever more; after "ponder" it never ends."""
        self.examined.append(answer.text)
        if request.turns[-1].prompt == "ponder":
            stop.wait()
        if stop.is_set():
            raise Cancelled("The evidence is not wanted any more.")
        spans = (match.span() for match in re.finditer(r"\w+", answer.text))
        return Evidence(tuple(_word(answer.text, begin, end) for begin, end in spans), 0.0)

    def word_map(self, request: Request, answer: Answer, word: Word) -> WordMap:
        """The first patch of four."""
        width, height = request.picture.pixels.size
        values = np.array([[1, 0], [0, 0]], np.float32)
        return WordMap(values, (0, 0, width, height), (0, 0, width / 2, height / 2))

    def look_again(self, request: Request, answer: Answer, word: Word) -> Presence:
        return Presence(f"Is there a {word.text} in the image?", -2.0, -3.0)

    def trace(self, request: Request, answer: Answer) -> Trace:
        """A trace of four patches; an id for each word."""
        prompt, text = request.turns[-1].prompt, answer.text
        size = request.picture.pixels.size
        image = ImageTrace(
            size=size,
            padded_size=(max(size), max(size)),
            pad_colour=(122, 116, 104),
            values_shape=(1, 3, 28, 28),
            values_dtype="float32",
            values_range=(-1.8, 1.9),
            patch_grid=(2, 2),
            tower_features_shape=(1, 4, 16),
            projected_features_shape=(1, 4, 32),
        )
        asked = _tokens(prompt)
        return Trace(
            model=self.facts.model,
            device="cpu",
            dtype=Precision.FLOAT32,
            image=image,
            prompt=f"USER: <image> {prompt} ASSISTANT:",
            input=TokenTrace((-200, *asked.ids), ("<image>", *asked.pieces)),
            image_tokens=4,
            output=_tokens(text),
            is_output_exact=True,
            text=text,
            ending=answer.ending,
            stop_string="</s>",
            max_new_tokens=512,
            seed=7,
            times=(StageTime("whole answer", 0.5),),
            memory=(MemoryUse("weights", 10**6),),
        )

    def close(self) -> None:
        self.is_closed = True


_WAITS = "when released "


def _script(request: Request) -> str:
    return request.turns[-1].prompt.removeprefix(_WAITS)


class _Ending(threading.Event):
    """Is set once all answers are to end, or this one."""

    def __init__(self, stop: threading.Event, is_stopped: Callable[[], bool]):
        super().__init__()
        self._stop, self._is_stopped = stop, is_stopped

    def is_set(self) -> bool:
        return self._stop.is_set() or self._is_stopped()

    def wait(self, timeout: float | None = None) -> bool:
        give_up = None if timeout is None else time.monotonic() + timeout
        while not self.is_set() and (give_up is None or time.monotonic() < give_up):
            self._stop.wait(0.005)
        return self.is_set()


def _tokens(text: str) -> TokenTrace:
    words = tuple(text.split())
    return TokenTrace(tuple(range(1, 1 + len(words))), words)


def _word(text: str, begin: int, end: int) -> Word:
    word = text[begin:end]
    is_content = word not in ("A", "a")
    number = word.removeprefix("word")
    doubt = 0.1 + 0.25 * int(number) if number.isdigit() else 0.6 if word == "red" else 0.1
    return Word(
        begin=begin,
        end=end,
        text=word,
        first_token=0,
        end_token=1,
        probability=0.8,
        candidates=(Candidate(word, 0.8), Candidate("blue", 0.15)),
        gain=2.0,
        doubt=doubt if is_content else None,
        is_content=is_content,
    )


class ScriptedCheckpoint:
    """`open_engine` for a ModelThread; keeps the engines it opened, in order."""

    def __init__(self):
        self.engines: list[ScriptedEngine] = []
        self.missing: dict[Capability, Missing] = {}
        # Fields of EngineFacts that are to be otherwise.
        self.facts: dict[str, Any] = {}
        self.release = threading.Event()

    def __call__(
        self,
        choice: ModelChoice,
        on_progress: Callable[[float, str], None],
        stop: threading.Event,
    ) -> ScriptedEngine:
        on_progress(0.5, "Reading weights")
        if choice.model == "broken":
            raise CheckpointError("broken is not a LLaVA. Choose another folder.")
        if choice.model == "large" and choice.dtype != "8-bit":
            raise OutOfMemory("It needs 15.3 GB, and 9.1 GB are free. Take 8 bits.", "8-bit")
        if choice.model == "towerless":
            raise CheckpointError("Its vision tower is not here. Get it.", "openai/clip")
        if choice.model == "buggy":
            raise ZeroDivisionError("nobody foresaw this")
        if choice.model == "slow":
            while not self.release.wait(0.005):
                if stop.is_set():
                    raise Cancelled("Loading was cancelled.")
        engine = ScriptedEngine(choice, self.release)
        engine.facts = replace(engine.facts, missing=self.missing, **self.facts)
        self.engines.append(engine)
        return engine
