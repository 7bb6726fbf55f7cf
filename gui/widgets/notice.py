"""A notice as data: what it says, what can be done about it, and how long that is true."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class NoticeActionKind(Enum):
    """Everything that the button of a notice can do."""

    USE_BUILT_IN_MODEL = auto()
    LOAD_IN_LOWER_PRECISION = auto()
    SHOW_MODELS = auto()
    ALLOW_NETWORK = auto()
    RESUME_RUN = auto()
    CAPTION_ALL = auto()
    SHOW_ENGINES = auto()
    RESTART = auto()
    REDO_EDIT = auto()
    EDIT_CAPTION = auto()
    SHOW_EDIT_REPORT = auto()
    SHOW_UNSAVED = auto()
    OPEN_IMAGES = auto()
    TAKE_OVER = auto()


@dataclass(frozen=True)
class NoticeAction:
    """The button of a notice: `kind` says what it does, and `about` with what; `text` is only
    shown and never compared."""

    kind: NoticeActionKind
    text: str
    about: object = None


class StandsWhile(Enum):
    """What must be so for a notice to be true; `Notice.about` says which one is meant."""

    ALWAYS = auto()
    """It reports an event: true until it is closed."""
    LOAD_FAILED = auto()
    """`about` is the error of the last attempt to load a model, and none has been loaded since."""
    MODEL_LOADED = auto()
    """`about` are the facts of the model that is loaded."""
    UNLOADED_WHEN_IDLE = auto()
    """The model is unloaded, and the next question loads it again."""
    IMAGES_TO_CAPTION = auto()
    """`about` are the files and folders that are open, and no run is in view or under way."""
    RUN_UNFINISHED = auto()
    """`about` is the journal of a run that is unfinished, and no run is open."""
    NO_RUN_YET = auto()
    """No run has begun, on any day."""
    RUN_STEP = auto()
    """`about` is the number of the last thing that was done with the run as a whole."""
    RUN_CHOSEN = auto()
    """The images of a run are chosen, and it has not begun."""
    LAST_EDIT = auto()
    """`about` is the number of the last edit of captions."""
    RUN_USES_MODEL = auto()
    """A folder run is captioning."""
    CONVERSATION = auto()
    """`about` is the number of the conversation that is shown."""
    ANSWERING = auto()
    """An answer is being generated."""
    NO_IMAGE = auto()
    """No image is open."""
    ENGINES = auto()
    """`about` is the stage on the way to an engine for the graphics card."""
    ASKS_ABOUT = auto()
    """`about` says whether questions are about all open images."""


@dataclass(frozen=True)
class Notice:
    """A note or an expected error, shown without a dialog.

    `on_run_page` is where it belongs: True for the folder run, False for the conversation, None for
    both.
    """

    text: str
    action: NoticeAction | None = None
    stands: StandsWhile = StandsWhile.ALWAYS
    about: object = None
    on_run_page: bool | None = None
