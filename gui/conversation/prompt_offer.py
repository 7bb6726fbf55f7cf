"""What the prompt box offers now, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from core.vocabulary import Vocabulary


class Hint(Enum):
    """What the line below the field says."""

    NOTHING = auto()
    NO_MODEL = auto()
    CHOOSE_MODEL = auto()
    LOADING = auto()
    WAITING = auto()
    BUSY = auto()
    HELD = auto()
    STOPS = auto()
    ENTER = auto()
    OPEN_FIRST = auto()
    MISREAD = auto()


class AskButton(Enum):
    """What the button does."""

    ASK = auto()
    STOP = auto()
    TAKE_BACK = auto()


class ModelOffer(Enum):
    """A way to a model."""

    BUILT_IN = auto()
    LAST = auto()
    CHOOSE = auto()


@dataclass(frozen=True)
class PromptOffer:
    """What the prompt box shows around the text that is written in it.

    `suggestion` is what Enter asks from an empty box. `models` are the ways to a model that are
    offered while there is none, and `last_model` the name of the last one. `vocabulary` has the
    words that the model was trained on, None if it reads any: a hint names others.
    """

    placeholder: str = ""
    suggestion: str = ""
    can_ask: bool = False
    button: AskButton = AskButton.ASK
    hint: Hint = Hint.NOTHING
    models: tuple[ModelOffer, ...] = ()
    last_model: str = ""
    vocabulary: Vocabulary | None = None
