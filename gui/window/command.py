"""The names of all commands of the window."""

from __future__ import annotations

from enum import StrEnum, auto


class Command(StrEnum):
    """Each has a row in the table of `commands`. The values are stored in the settings."""

    OPEN = auto()
    OPEN_FOLDER = auto()
    CLOSE_PICTURE = auto()
    SAVE_PICTURE = auto()
    REVEAL_PICTURE = auto()
    CAPTION_FOLDER = auto()
    LAST_RUN = auto()
    SAVE = auto()
    SETTINGS = auto()
    QUIT = auto()

    UNDO = auto()
    REDO = auto()
    CUT = auto()
    COPY_SELECTION = auto()
    COPY_PICTURE = auto()
    PASTE = auto()
    SELECT_ALL = auto()

    NEW = auto()
    WRITE = auto()
    ASK_TOGETHER = auto()
    REGENERATE = auto()
    STOP = auto()
    WORDS = auto()
    INSPECT = auto()
    EDIT_QUESTION = auto()
    PREVIOUS_VERSION = auto()
    NEXT_VERSION = auto()
    COPY = auto()
    COPY_ALL = auto()

    FIT = auto()
    ACTUAL_SIZE = auto()
    ZOOM_IN = auto()
    ZOOM_OUT = auto()
    MODEL_VIEW = auto()
    RESIZING_LOSS = auto()
    PREVIOUS_PICTURE = auto()
    NEXT_PICTURE = auto()
    UNDERLINE_DOUBT = auto()
    THEME_SYSTEM = auto()
    THEME_LIGHT = auto()
    THEME_DARK = auto()

    RUN_START = auto()
    RUN_TRY_FIRST = auto()
    RUN_RESUME = auto()
    RUN_PAUSE = auto()
    RUN_STOP_NOW = auto()
    RUN_STOP_AFTER = auto()
    RUN_RETRY = auto()
    RUN_UNDO = auto()
    RUN_NEW = auto()
    RUN_FIND = auto()
    RUN_REPLACE = auto()
    RUN_DOUBT = auto()
    RUN_CLOSE = auto()

    MODELS = auto()
    BUILT_IN_MODEL = auto()
    LAST_MODEL = auto()
    MODEL_FOLDER = auto()
    UNLOAD = auto()
    ENGINES = auto()

    KEYS = auto()
    LOG_FOLDER = auto()
    UPDATES = auto()
    ABOUT = auto()
