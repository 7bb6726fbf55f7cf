"""The jobs that people caption images for: prompts with the options that belong to them.

Those that come with the program are in `resources/presets.json`, a person's own in a file of the
same form. The first nine in the list have the keys 1 to 9.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from core.captions.encoding import whole
from core.errors import StoreError
from core.files import exists, numbered, read_bytes, write_atomically, write_error
from core.formatting import format_bytes
from core.message import Message, translatable
from core.resources import RESOURCES
from core.workspace.data import CaptionMode
from core.write_lock import one_at_a_time

PRESET_KEYS = 9
LONGEST_NAME = 100
# A list of tags may have 50 MB, as Danbooru's have 3.
_LARGEST = 100_000_000
_MOST_IMPORTED = 500
# As the command line's own options.
_MOST_NUMBER, _HOTTEST = 100_000, 100.0


@dataclass(frozen=True)
class Preset:
    """A job. Its fields mean what those of a folder run's options mean (`core.batch.options`).

    `max_new_tokens` and `temperature` are None where the person's own settings hold. `asks_for`
    names fields that a person has to fill in: the trigger word in `prefix`, or the `vocabulary`.
    """

    name: str
    prompts: tuple[str, ...]
    mode: CaptionMode = CaptionMode.TEXT
    prefix: str = ""
    suffix: str = ""
    beginning: str = ""
    strips_openings: bool = False
    ends_at_sentence: bool = False
    is_one_line: bool = False
    drops_duplicates: bool = False
    max_new_tokens: int | None = None
    temperature: float | None = None
    most_characters: int = 0
    vocabulary: tuple[str, ...] = ()
    has_keywords: bool = False
    asks_for: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns what a file holds of it: what differs from the defaults."""
        default = Preset("", ())
        return {
            name: list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if value != getattr(default, name)
        }

    @classmethod
    def from_json(cls, values: Any) -> Preset:
        """Returns what a file says. Raises ValueError for what is no preset; ignores what another
        version may know."""
        if not isinstance(values, dict):
            raise ValueError("it is not an object")
        known = {field.name: field for field in fields(cls)}
        found: dict[str, Any] = {"name": "", "prompts": ()}
        for name, value in cast("dict[str, Any]", values).items():
            if name in known:
                found[name] = _checked(name, value, str(known[name].type))
        preset = cls(**found)
        name = _one_line(preset.name)[:LONGEST_NAME].strip()
        if not name or not any(prompt.strip() for prompt in preset.prompts):
            raise ValueError("it has no name or no prompt")
        tokens, heat = preset.max_new_tokens, preset.temperature
        if not 0 <= preset.most_characters <= _MOST_NUMBER:
            raise ValueError("“most_characters” is out of range")
        if tokens is not None and not 1 <= tokens <= _MOST_NUMBER:
            raise ValueError("“max_new_tokens” is out of range")
        if heat is not None and not 0 <= heat <= _HOTTEST:  # Nor is what is not a number.
            raise ValueError("“temperature” is out of range")
        return replace(preset, name=name)


def _checked(name: str, value: Any, kind: str) -> Any:
    if name == "mode":
        return CaptionMode(value)
    if value is None and kind.endswith("None"):
        return None
    if kind.startswith("tuple"):
        items = cast("list[Any]", value) if isinstance(value, list) else [None]
        texts = tuple(whole(item) for item in items if isinstance(item, str))
        if len(texts) < len(items):
            raise ValueError(f"“{name}” is no list of texts")
        return texts
    kinds = {"str": str, "bool": bool, "int": int, "float": (int, float)}
    expected = kinds[kind.partition(" ")[0]]
    is_right = isinstance(value, expected) and (kind == "bool" or not isinstance(value, bool))
    if not is_right:
        raise ValueError(f"“{name}” has a wrong type")
    return whole(value) if isinstance(value, str) else value


def _one_line(name: str) -> str:
    return "".join(one if one.isprintable() else " " for one in name).strip()


@dataclass(frozen=True)
class Presets:
    """All presets in a person's order. `own` are the names of those that do not come with the
    program, or were changed. Changing it returns another one; `save` keeps it."""

    all: tuple[Preset, ...]
    own: frozenset[str] = frozenset()
    notes: tuple[Message, ...] = ()

    @staticmethod
    def built_in() -> Presets:
        """Returns the presets that come with the program."""
        content = json.loads((RESOURCES / "presets.json").read_text("utf-8"))
        return Presets(tuple(map(Preset.from_json, content["presets"])))

    @staticmethod
    def load(path: Path) -> Presets:
        """Returns the presets with a person's own ones and in their order. A file that is damaged
        is kept under another name; `notes` say so. Raises StoreError if it cannot be read."""
        built_in = Presets.built_in()
        data = read_bytes(path, most=_LARGEST)
        if data is None:
            return built_in
        try:
            content = cast("dict[str, Any]", json.loads(data))
            own = [Preset.from_json(one) for one in content["presets"]]
            order = [str(name) for name in content.get("order", ())]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            kept = numbered(path.with_suffix(".bak"))
            write_atomically(kept, data)
            text = translatable("core", "Your presets are damaged. They were kept in “{name}”.")
            return replace(built_in, notes=(text.format(name=kept.name),))
        return built_in._with_all(own)._ordered(order)

    @staticmethod
    def read_again(path: Path) -> Presets | None:
        """Returns what `load` does; None if there is no file, which removes no presets either."""
        return Presets.load(path) if exists(path) else None

    def save_changes(self, before: Presets, path: Path) -> Presets:
        """Writes what was changed since they were `before` into the file, which another program may
        have changed too. Returns what it has then. A file that cannot be read is left, and a
        damaged one kept. Raises StoreError."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with one_at_a_time(path.with_suffix(".lock")):
                found = Presets.read_again(path)
                result = self if found is None or found.notes else self.merged(before, found)
                if result != found:
                    result.save(path)
                return replace(result, notes=found.notes if found else ())
        except OSError as error:
            raise write_error(path, error) from error

    def save(self, path: Path) -> None:
        """Writes the own presets and the order. Raises StoreError."""
        own = [one.to_json() for one in self.all if one.name in self.own]
        data = _as_json({"presets": own, "order": [one.name for one in self.all]})
        if len(data) > _LARGEST:  # It could not be read again.
            text = translatable(
                "core", "Your presets are larger than {size}. Use shorter lists of tags."
            )
            raise StoreError(text.format(size=format_bytes(_LARGEST)))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(path, error) from error
        write_atomically(path, data)

    def merged(self, before: Presets, other: Presets) -> Presets:
        """Returns these with what another program has added, changed, removed and moved since both
        were `before`. Where both have changed a preset, both are kept."""
        result = self
        for name in before.own - other.own:
            # One that comes with the program is as it came.
            if self._by_name(name) == before._by_name(name):
                result = result.without(name)
        for theirs in other.all:
            known = before._by_name(theirs.name)
            if theirs.name not in other.own or theirs == known:
                continue
            if result._by_name(theirs.name) == known:
                result = result.with_saved(theirs)
            else:
                result = result.with_imported([theirs])
        if other._has_order_of(before) or not self._has_order_of(before):
            return result
        return result._ordered([one.name for one in other.all])

    def _has_order_of(self, other: Presets) -> bool:
        """Returns whether those that both have are in one order."""
        mine, theirs = ([one.name for one in presets.all] for presets in (self, other))
        return [one for one in mine if one in theirs] == [one for one in theirs if one in mine]

    def named(self, name: str) -> Preset | None:
        """Returns a preset by its name, whatever its case, or by its key from 1 to 9."""
        key, found = name.strip(), self._by_name(name)
        if found is None and key.isdecimal() and 0 < int(key) <= min(PRESET_KEYS, len(self.all)):
            return self.all[int(key) - 1]
        return found

    def _by_name(self, name: str) -> Preset | None:
        key = name.strip().casefold()
        return next((one for one in self.all if one.name.casefold() == key), None)

    def free_name(self, name: str) -> str:
        """Returns a name, or with a number behind it if a preset or a key has it."""
        return next(one for one in _numbered(name) if self._is_free(one))

    def _is_free(self, name: str) -> bool:
        return self._by_name(name) is None and not name.isdecimal()

    def with_saved(self, *presets: Preset) -> Presets:
        """Returns them with these added, or in the place of those with the same names."""
        found = {one.name.casefold(): one for one in self.all}
        found.update((one.name.casefold(), one) for one in presets)
        own = self.own | {one.name for one in presets}
        all = tuple(found.values())
        return replace(self, all=all, own=own & {one.name for one in all})

    def without(self, name: str) -> Presets:
        """Returns them without one; one that comes with the program is again as it came."""
        original = next((one for one in Presets.built_in().all if one.name == name), None)
        places = [one for one in self.all if one.name != name or original is not None]
        all = tuple(original if original and one.name == name else one for one in places)
        return replace(self, all=all, own=self.own - {name})

    def moved(self, name: str, place: int) -> Presets:
        """Returns them with one in another place, from 0."""
        moving = [one for one in self.all if one.name == name]
        rest = [one for one in self.all if one.name != name]
        return replace(self, all=(*rest[:place], *moving, *rest[place:]))

    def with_imported(self, presets: Iterable[Preset]) -> Presets:
        """Returns them with those of a file: equal ones once, others under free names."""
        result = self
        for preset in presets:
            for name in _numbered(preset.name):
                known = result._by_name(name)
                if known is not None and known == replace(preset, name=known.name):
                    break
                if result._is_free(name):
                    result = result.with_saved(replace(preset, name=name))
                    break
        return result

    def _with_all(self, own: Iterable[Preset]) -> Presets:
        """Returns them with those of a file. Two of one name, as an editor of texts may leave, are
        both kept."""
        result = self
        for preset in own:
            is_there = preset.name.casefold() in {name.casefold() for name in result.own}
            name = result.free_name(preset.name) if is_there else preset.name
            result = result.with_saved(replace(preset, name=name))
        return result

    def _ordered(self, names: Sequence[str]) -> Presets:
        places = {name: place for place, name in enumerate(names)}
        last = len(places)
        all = sorted(self.all, key=lambda one: places.get(one.name, last))
        return replace(self, all=tuple(all))


def _numbered(name: str) -> Iterator[str]:
    """Yields a name, and then with numbers behind it; none is too long to be read again."""
    yield name
    for number in itertools.count(2):
        ending = f" ({number})"
        yield f"{name[: LONGEST_NAME - len(ending)]}{ending}"


def write_presets(presets: Iterable[Preset], path: Path) -> None:
    """Writes presets for others, who read them with `read_presets`. Raises StoreError."""
    write_atomically(path, _as_json({"presets": [one.to_json() for one in presets]}))


def read_presets(path: Path) -> tuple[Preset, ...]:
    """Returns the presets in a file. Raises StoreError."""
    data = read_bytes(path, most=_LARGEST)
    if data is None:
        text = translatable("core", "“{name}” is no longer there. Choose another file.")
        raise StoreError(text.format(name=path.name))
    try:
        content = json.loads(data)
        found = tuple(Preset.from_json(one) for one in content["presets"])
        if len(found) > _MOST_IMPORTED:
            raise ValueError(f"there are {len(found):,}, and at most {_MOST_IMPORTED} are taken")
        return found
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        text = translatable("core", "“{name}” has no presets ({reason}). Choose another file.")
        raise StoreError(text.format(name=path.name, reason=error)) from error


def _as_json(content: Mapping[str, Any]) -> bytes:
    try:
        return f"{json.dumps(content, ensure_ascii=False, indent=1)}\n".encode()
    except UnicodeEncodeError:  # Half an emoji, as a clipboard can hold.
        return f"{json.dumps(content, indent=1)}\n".encode()
