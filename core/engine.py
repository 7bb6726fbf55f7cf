"""The engine protocol: what every model, whatever runs it, can be asked for; and what a loaded
model says about itself.

An engine blocks, and belongs to the thread that opened it. Setting `stop` from any thread ends an
answer after the current token; the text so far is then the answer. A failure is an exception.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from core.errors import EngineError, PromptError
from core.message import joined
from core.picture import ImagePreprocessing, Picture, Sending
from core.trace import Trace
from core.transcript import Answer, Precision, Request, Sampling
from core.vocabulary import Vocabulary

if TYPE_CHECKING:
    # It imports numpy, which would make the window's start slower.
    from core.words import Evidence, Presence, Word, WordMap


class Capability(StrEnum):
    """What only some engines can do. The values are stored in journals."""

    EVIDENCE = "evidence"
    """Say what the words of an answer rest on: `InspectableEngine.evidence` and `look_again`."""
    EARLIER = "earlier"
    """Say so of any text, as of the captions of a folder run, and not only of its own answers."""
    MAPS = "maps"
    """Show where on the picture words rest: `InspectableEngine.word_maps`."""
    SLOTS = "slots"
    """Answer many requests at once, each leaving its slot as soon as it is complete."""
    AVOIDING = "avoiding"
    """Avoid words: `Sampling.banned_words`."""
    TRACE = "trace"
    """Show what went through the pipeline for an answer: `InspectableEngine.trace`."""
    BEGINNING = "beginning"
    """Continue a text: `Request.beginning`."""
    # Follow a setting of `Sampling`: see `SETTINGS`.
    TEMPERATURE = "temperature"
    TOP_P = "top_p"
    TOP_K = "top_k"
    REPETITION_PENALTY = "repetition_penalty"
    BEAMS = "beams"
    SEED = "seed"


SETTINGS: Mapping[Capability, str] = {
    Capability.AVOIDING: "banned_words",
    Capability.TEMPERATURE: "temperature",
    Capability.TOP_P: "top_p",
    Capability.TOP_K: "top_k",
    Capability.REPETITION_PENALTY: "repetition_penalty",
    Capability.BEAMS: "beams",
    Capability.SEED: "seed",
}
"""The capabilities without which an engine cannot follow a field of `Sampling`, and which."""


@dataclass(frozen=True)
class Missing:
    """Why an engine lacks a capability, and what the user can do about it: a sentence each."""

    reason: str
    remedy: str = ""


@dataclass(frozen=True)
class EngineFacts:
    """What is loaded, and what it can do.

    `memory_bytes` is the size of the weights. `fingerprint` identifies the weights; "" if it was
    not computed. `missing` has the capabilities that the engine lacks. `most_pictures` is how many
    pictures one question may be about. `slots_that_fit` is how many requests fit on the GPU at
    once; 0 if unknown. `preprocessing` is how the model takes pictures in; None if it is not
    LLaVA's. `vocabulary` has the words of prompts that a small model was trained on; None for a
    model that reads any. `engines` is how many copies of the model answer at the same time, and
    `is_split` says that one copy lies on several devices. `longest_side` is what a picture is
    reduced to before it is sent to a server, as PNG if `sends_png`, else as JPEG; 0 if it is used
    as it is. `count_tokens` says how many tokens a text has; any thread may ask, also after the
    engine is closed. None if that is not known, as with a server. `quantizes_cache` says that the
    KV cache is kept in 8 bits.
    """

    model: str
    device: str
    device_name: str
    dtype: Precision
    memory_bytes: int
    context_length: int
    knows_only_drawings: bool = False
    notes: tuple[str, ...] = ()
    fingerprint: str = ""
    missing: Mapping[Capability, Missing] = field(default_factory=dict)
    most_pictures: int = 1
    slots_that_fit: int = 0
    longest_side: int = 0
    sends_png: bool = False
    preprocessing: ImagePreprocessing | None = None
    vocabulary: Vocabulary | None = None
    engines: int = 1
    is_split: bool = False
    quantizes_cache: bool = False
    count_tokens: Callable[[str], int] | None = field(default=None, compare=False, repr=False)

    @property
    def sending(self) -> Sending | None:
        """How pictures are sent to a server; None if they are used here."""
        return Sending(self.longest_side, self.sends_png) if self.longest_side else None

    def unknown_words(self, prompt: str) -> tuple[str, ...]:
        """Returns the parts of a prompt that the model was not trained on: it may misunderstand."""
        return self.vocabulary.unknown(prompt) if self.vocabulary else ()

    def why_not(self, *capabilities: Capability) -> str | None:
        """Returns the reason why the engine lacks one of these; None if it has them all."""
        lacking = (self.missing[one].reason for one in capabilities if one in self.missing)
        return next(lacking, None)

    def followed(self, sampling: Sampling) -> Sampling:
        """Returns `sampling` with the settings that the engine cannot follow as at first."""
        usual = Sampling()
        names = [name for capability, name in SETTINGS.items() if capability in self.missing]
        return replace(sampling, **{name: getattr(usual, name) for name in names})

    def record(self) -> dict[str, Any]:
        """Returns the facts as they are stored in journals and reports, ready for JSON.

        Facts that version 0.1 did not have are left out where they are as at first.
        """
        added = {
            "engines": self.engines,
            "is_split": self.is_split,
            "longest_side": self.longest_side,
            "sends_png": self.sends_png,
            "quantizes_cache": self.quantizes_cache,
        }
        usual = {one.name: one.default for one in fields(EngineFacts)}
        return {
            "model": self.model,
            "device": self.device,
            "device_name": self.device_name,
            "dtype": self.dtype.value,
            "memory_bytes": self.memory_bytes,
            "context_length": self.context_length,
            "knows_only_drawings": self.knows_only_drawings,
            "notes": list(self.notes),
            "fingerprint": self.fingerprint,
            "cannot": {name.value: missing.reason for name, missing in self.missing.items()},
            "most_pictures": self.most_pictures,
            "slots_that_fit": self.slots_that_fit,
            **{name: value for name, value in added.items() if value != usual[name]},
        }

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> EngineFacts:
        """Reads what `record` wrote, in this version or another: unknown keys are ignored."""
        typed = {"dtype", "notes", "missing", "preprocessing", "vocabulary", "count_tokens"}
        plain = {one.name for one in fields(EngineFacts)} - typed
        cannot = record.get("cannot", {})
        return EngineFacts(
            **{name: value for name, value in record.items() if name in plain},
            dtype=_stored_precision(record["dtype"]),
            notes=tuple(record.get("notes", ())),
            missing={name: Missing(cannot[name]) for name in Capability if name in cannot},
        )


def _stored_precision(value: str) -> Precision:
    try:
        return Precision(value)
    except ValueError:  # A later version may know more of them.
        return Precision.AUTO


class Engine(Protocol):
    """A loaded model that answers requests."""

    @property
    def facts(self) -> EngineFacts:
        """What this engine is and can do."""
        ...

    def answer(
        self, request: Request, on_piece: Callable[[str], None], stop: threading.Event
    ) -> Answer:
        """Answers the last turn; `on_piece` gets the text in this thread as it is generated.

        The pieces joined are the answer's text. Once `stop` is set the text so far is returned,
        with `Ending.STOPPED`. Raises PromptError, OutOfMemory, and EngineError if the model or
        its device failed; the engine can still be asked again.
        """
        ...

    def answer_all(
        self,
        requests: Iterable[Request | None],
        stop: threading.Event,
        *,
        slots: int,
        on_piece: Callable[[Request, str], None] | None = None,
        is_stopped: Callable[[Request], bool] | None = None,
        on_refused: Callable[[Request, PromptError], None] | None = None,
    ) -> Generator[tuple[Request, Answer | EngineError]]:
        """Answers many requests, `slots` at once, and yields each as it is complete.

        An engine that can tell that a request failed by itself yields its error in place of an
        answer, and goes on with the others.

        `requests` may yield None where none waits at the moment: the answers under way go on, and
        it is asked again after their next token. It should wait only where no answer is under way.

        `on_piece` gets the text of each in this thread as it is generated, a few times a second.
        Once `is_stopped` returns True, in any thread, that request's answer ends after the current
        token, as if it alone had been stopped. `on_refused` gets a request that cannot be asked, in
        this thread, and the others go on; without it, the error is raised.

        Once `stop` is set the current answers end and no further one begins. Raises as `answer`
        does; the remaining requests are then not answered.
        """
        ...

    def close(self) -> None:
        """Releases the weights and their memory; the engine cannot be used any more."""
        ...


def picture_preparation(engine: Engine) -> Callable[[Picture], Picture]:
    """Returns what the engine does first with a picture, to be done ahead by who opens it.

    What it returns is asked about in place of the picture, with the same answer. It may be called
    in any thread, also once the engine is closed. Most engines do nothing ahead.
    """
    return getattr(engine, "prepare_picture", lambda picture: picture)


def get_ready(engine: Engine, picture: Picture) -> None:
    """Lets the engine do what a question about the picture needs first and the processor does.

    Belongs to the engine's thread, and changes no answer. Most engines do nothing. Raises as
    `Engine.answer` does.
    """
    getattr(engine, "get_ready", lambda _: None)(picture)


class InspectableEngine(Engine, Protocol):
    """An engine that can say how an answer came about; see `inspectable`.

    Nothing here changes what later answers are made from. All of it raises as `answer` does.
    """

    def evidence(self, request: Request, answer: Answer, stop: threading.Event) -> Evidence:
        """Returns what each word of `answer`, this model's to `request`, rests on.

        Raises Cancelled once `stop` is set.
        """
        ...

    def word_map(self, request: Request, answer: Answer, word: Word) -> WordMap:
        """Returns where on the picture `word`, of the answer's evidence, rests."""
        ...

    def word_maps(
        self, request: Request, answer: Answer, words: Sequence[Word]
    ) -> tuple[WordMap, ...]:
        """Returns the maps of several words, in hardly more time than that of one."""
        ...

    def look_again(self, request: Request, answer: Answer, word: Word) -> Presence:
        """Asks the model whether the thing that `word` names is in the picture.

        Raises PromptError if the word names no thing.
        """
        ...

    def trace(self, request: Request, answer: Answer) -> Trace:
        """Returns what went through the pipeline for `answer`, stage by stage.

        An answer from the store may have no ids; they are then those of its text.
        """
        ...


def inspectable(
    engine: Engine, capability: Literal[Capability.EVIDENCE, Capability.MAPS, Capability.TRACE]
) -> InspectableEngine:
    """Returns the engine as one that has `capability`.

    Raises EngineError, with the reason and the remedy, if its facts say that it does not.
    """
    if missing := engine.facts.missing.get(capability):
        raise EngineError(joined(missing.reason, missing.remedy))
    return cast(InspectableEngine, engine)


@dataclass(frozen=True)
class Absent:
    """No model is loaded, and none is being loaded."""


BEFORE_WEIGHTS = 0.1
"""The fraction of loading that is done when the first weights are read."""


@dataclass(frozen=True)
class Loading:
    """A model is being loaded: `fraction` of 1 is done; `stage` is the current step in words."""

    fraction: float
    stage: str

    @property
    def measured(self) -> float | None:
        """The fraction, once weights are read; None before that, while libraries are imported and
        files are checked, since how long that takes is not known."""
        return self.fraction if self.fraction > BEFORE_WEIGHTS else None


@dataclass(frozen=True)
class Ready:
    """A model is loaded."""

    facts: EngineFacts


@dataclass(frozen=True)
class Failed:
    """Loading failed, with this error; no model is loaded."""

    error: Exception


ModelState = Absent | Loading | Ready | Failed
