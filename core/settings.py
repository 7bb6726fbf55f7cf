"""Every choice of the person, with default and bounds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
)

from core.errors import StoreError
from core.files import exists, keep_copy, numbered, read_regular, reason, replace_file
from core.locations import SETTINGS_NAME
from core.merging import merged_values
from core.message import joined, translatable
from core.model_reference import server_model
from core.transcript import BUILT_IN, ModelChoice, Precision, Sampling
from core.write_lock import one_at_a_time

REMEMBERED_PROMPTS = 200
REMEMBERED_FOLDERS = 20
REMEMBERED_OFFERS = 20
REMEMBERED_SERVERS = 20
_LARGEST = 10_000_000


def _newest(limit: int) -> BeforeValidator:
    """Of a list that has grown too long, the end; what is not text in it is dropped."""

    def shorten(values: Any) -> Any:
        if not isinstance(values, list | tuple):
            return values
        texts = [value for value in cast(list[Any], values) if isinstance(value, str)]
        return texts[-limit:]

    return BeforeValidator(shorten)


def _not_empty(value: str) -> str:
    # Not by a least length: pydantic takes no name of a folder then that is not Unicode.
    if not value:
        raise ValueError("there is none")
    return value


def _keys(values: Any) -> Any:
    """Of the keys that commands were given, those that are lists of texts."""
    if not isinstance(values, dict):
        return values
    return {
        name: [key for key in cast(list[Any], keys) if isinstance(key, str)]
        for name, keys in cast(dict[Any, Any], values).items()
        if isinstance(name, str) and isinstance(keys, list | tuple)
    }


class Settings(BaseModel):
    """The bounds hold for assignments too: a value outside raises pydantic's ValidationError.

    `prompt_draft` is what was written in the prompt and not asked yet. `prompt_history`,
    `model_folders` and `servers` have the newest last; `servers` are references to models on
    servers (`core.model_reference.ServerModel`), without their keys. `window` is the window's own
    word for its size and place, `updates_address` of a change log, "" for the one that the package
    names, `last_folder` where the file dialog was, "" for nowhere yet. Models go to
    `download_folder`, "" for the hub's cache; with `works_offline` nothing asks the network.
    `metadata_folders` are those of whose images people's metadata may be sent to servers.
    `seen_offers` are notices about engine packs that were shown, by version, stage and pack.
    `folds_images`, `shows_grid` and `thumbnail_side` say how the images of a folder are listed,
    `shows_caption` whether their captions are in view rather than the conversations, and
    `statistics` which ones are below the list. `tag_vocabulary` is the file that tags are suggested
    from, "" for none, and `spelling` the language that captions are checked by, "" for that of the
    system and "off" for none.
    `keys` are those of the window's commands that a person has changed, by the command's name.
    """

    model_config = ConfigDict(
        extra="ignore", validate_assignment=True, allow_inf_nan=False, protected_namespaces=()
    )

    model: Annotated[str, AfterValidator(_not_empty)] = BUILT_IN
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d{1,3})?)$")
    dtype: Precision = Precision.AUTO

    may_spread: bool = False
    quantizes_cache: bool = False
    rest_minutes: int = Field(default=0, ge=0, le=1440)

    temperature: float = Field(default=0.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=50, ge=0, le=1000)
    repetition_penalty: float = Field(default=1.0, ge=0.5, le=2)
    beams: int = Field(default=1, ge=1, le=8)
    max_new_tokens: int = Field(default=512, ge=1, le=4096)
    seed: int | None = Field(default=0, ge=0, lt=2**63)

    theme: Literal["system", "light", "dark"] = "system"
    text_percent: int = Field(default=100, ge=50, le=300)
    underlines_doubt: bool = True
    folds_images: bool = False
    shows_grid: bool = True
    shows_caption: bool = False
    folds_statistics: bool = False
    tag_vocabulary: str = ""
    spelling: str = Field(default="", max_length=40)
    statistics: Literal["tags", "words", "sizes", "lengths"] = "tags"
    thumbnail_side: int = Field(default=96, ge=64, le=320)
    checks_for_updates: bool = False
    keys: Annotated[dict[str, list[str]], BeforeValidator(_keys)] = {}
    updates_address: str = ""
    metadata_folders: list[str] = []
    seen_offers: Annotated[list[str], _newest(REMEMBERED_OFFERS)] = []
    window: str = ""
    last_folder: str = ""
    last_prompt: str = ""
    prompt_draft: str = ""
    prompt_history: Annotated[list[str], _newest(REMEMBERED_PROMPTS)] = []
    model_folders: Annotated[list[str], _newest(REMEMBERED_FOLDERS)] = []
    servers: Annotated[list[str], _newest(REMEMBERED_SERVERS)] = []
    download_folder: str = ""
    works_offline: bool = False

    _notes: tuple[str, ...] = PrivateAttr(())

    @property
    def notes(self) -> tuple[str, ...]:
        """What `load` had to put right, in sentences for the person."""
        return self._notes

    def add_note(self, note: str) -> None:
        """Adds a sentence to `notes`; it is not saved."""
        self._notes = (*self._notes, note)

    @property
    def sampling(self) -> Sampling:
        """The sampling settings as requests carry them."""
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            repetition_penalty=self.repetition_penalty,
            beams=self.beams,
            max_new_tokens=self.max_new_tokens,
            seed=self.seed,
        )

    @property
    def model_choice(self) -> ModelChoice:
        """The model to start with."""
        return ModelChoice(
            self.model, self.device, self.dtype, self.may_spread, self.quantizes_cache
        )

    @model_choice.setter
    def model_choice(self, choice: ModelChoice) -> None:
        """Start with this model the next time; a folder or server joins the known ones."""
        self.model, self.device, self.dtype = choice.model, choice.device, choice.dtype
        if server_model(choice.model):
            self.servers = _last(self.servers, choice.model)
        if Path(choice.model).is_absolute():
            self.model_folders = _last(self.model_folders, choice.model)

    def remember_prompt(self, prompt: str) -> None:
        """Put it at the end of the history, where it then stands once."""
        self.last_prompt = prompt
        self.prompt_history = _last(self.prompt_history, prompt)


def _last(values: list[str], value: str) -> list[str]:
    return [*(other for other in values if other != value), value]


def load(folder: Path) -> Settings:
    """Returns the settings in `folder`, or the defaults. Never raises; `Settings.notes` says why.

    Values that do not hold are reset one by one, and the file as it was is kept beside it with
    `.bak` at its end, under a name that no earlier copy has.
    """
    path = folder / SETTINGS_NAME
    try:
        # Some editors put a byte order mark before what a person changes by hand.
        data: object = json.loads(read_regular(path, most=_LARGEST).decode("utf-8-sig"))
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        return _defaults(
            translatable(
                "core", "The settings cannot be read ({reason}). Defaults restored."
            ).format(reason=reason(error))
        )
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        return _defaults(
            joined(
                translatable("core", "The settings were damaged. Defaults restored."), _kept(path)
            )
        )
    values = cast(dict[str, Any], data)
    wrong = _wrong_keys(values)
    settings = Settings(**{key: value for key, value in values.items() if key not in wrong})
    if wrong:
        names = ", ".join(key.replace("_", " ") for key in wrong)
        note = translatable("core", "Invalid settings were reset ({names}).").format(names=names)
        settings.add_note(joined(note, _kept(path)))
    return settings


def _wrong_keys(data: dict[str, Any]) -> list[str]:
    try:
        Settings(**data)
    except ValidationError as error:
        return list(dict.fromkeys(str(problem["loc"][0]) for problem in error.errors()))
    return []


def _defaults(note: str) -> Settings:
    settings = Settings()
    settings.add_note(note)
    return settings


def _kept(path: Path) -> str:
    """Keeps a copy of the file, unless there is one already. Returns a sentence on it."""
    try:
        content = read_regular(path, most=_LARGEST)
        for copy in path.parent.glob(f"{path.name}*.bak"):
            if read_regular(copy, most=_LARGEST) == content:
                break
        else:
            copy = numbered(path.with_name(path.name + ".bak"))
            keep_copy(path, copy)
    except OSError:
        return ""
    return translatable("core", "The old file is kept as “{name}”.").format(name=copy.name)


def save(settings: Settings, folder: Path, known: Settings | None = None) -> Settings:
    """Writes the settings at once: after a crash the file is the old one or the new one. Returns
    what it has now.

    With `known`, what the caller read or wrote last, only what differs from that is written: what
    another program has changed since stays, also what only a newer one knows. A damaged file is
    kept as by `load`. Raises StoreError when the folder cannot be written.
    """
    path = folder / SETTINGS_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(path.with_suffix(".lock")):
            found = _values_in(path)
            result = settings if known is None else _merged(settings, known, found)
            if exists(path) and (found is None or _wrong_keys(found)):
                _kept(path)
            others = found if found and known else {}
            text = json.dumps({**others, **result.model_dump()}, indent=2) + "\n"
            # Nobody else is to read what was asked.
            replace_file(path, text.encode(), mode=0o600)
            return result
    except OSError as error:
        raise StoreError(
            translatable(
                "core",
                "The settings cannot be saved in “{folder}” ({reason}). Allow writing there, "
                "or free some space.",
            ).format(folder=folder, reason=reason(error))
        ) from error


def read_again(settings: Settings, folder: Path, known: Settings) -> Settings:
    """Returns the settings with what another program has written since they were `known`; nothing
    is written. A file that is gone, damaged or cannot be read changes nothing."""
    return _merged(settings, known, _values_in(folder / SETTINGS_NAME))


def change(folder: Path, edit: Callable[[Settings], None]) -> None:
    """Changes settings in their file, as what has no window does. Raises StoreError."""
    before = load(folder)
    after = before.model_copy(deep=True)
    edit(after)
    if after != before:
        save(after, folder, before)


def _values_in(path: Path) -> dict[str, Any] | None:
    """Returns what a file has, wrong values too; None if it has none, or cannot be read."""
    try:
        data: object = json.loads(read_regular(path, most=_LARGEST).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None
    return cast(dict[str, Any], data) if isinstance(data, dict) else None


def _merged(settings: Settings, known: Settings, found: dict[str, Any] | None) -> Settings:
    if found is None:
        return settings
    before, mine = known.model_dump(), settings.model_dump()
    wrong = _wrong_keys(found)
    theirs = {key: value for key, value in found.items() if key not in wrong}
    now = {**before, **Settings(**theirs).model_dump(include={*theirs})}
    return Settings(**merged_values(before, mine, now))
