"""Text for the person that can still be translated: an English template and its fields.

The terminal prints it as it is. The window looks up a translation of the template before it fills
in the fields (`gui/widgets/translated.py`). Journals and databases keep the English text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Self, cast

_Field = str | int | float
_QUOTED = re.compile("“[^”]*”")
_NUMBER = re.compile(r"\d[\d,]*")


class Message(str):
    """A filled-in English text that remembers its `template` and `fields`.

    Everywhere else it is the text itself: it compares, prints and is stored like any other `str`.
    A field may be a message too, and is then translated first.
    """

    template: str
    fields: Mapping[str, _Field]

    def __new__(cls, template: str, fields: Mapping[str, object] | None = None) -> Self:
        """Fills `fields` into `template`; without fields the template is the text."""
        plain = {name: _plain(value) for name, value in (fields or {}).items()}
        message = super().__new__(cls, template.format(**plain) if plain else template)
        message.template, message.fields = template, plain
        return message

    def format(self, *args: object, **fields: object) -> Message:
        """Returns the message with its fields, which have names."""
        if args:
            raise TypeError("the fields of a message have names")
        return Message(self.template, fields)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.template, self.fields)


def translatable(context: str, text: str) -> Message:
    """Marks a template, a literal, for translation: `translatable("core", "…").format(name=…)`.

    `packaging/dev.py strings` collects the calls, as lupdate does `QT_TRANSLATE_NOOP`.
    """
    assert context == "core", context
    return Message(text)


def as_record(text: str) -> object:
    """Returns the text as JSON, from which `from_record` makes it again, still translatable."""
    if not isinstance(text, Message):
        return str(text)
    fields = {
        name: as_record(value) if isinstance(value, str) else value
        for name, value in text.fields.items()
    }
    return {"template": text.template, "fields": fields}


def from_record(record: object) -> str:
    """Reads what `as_record` returned. Raises ValueError for anything else.

    Only for records that we have written: a template can make a text of any length.
    """
    if isinstance(record, str):
        return record
    try:
        content = cast(Mapping[str, Any], record)
        template, fields = content["template"], content["fields"]
        if not isinstance(template, str) or not isinstance(fields, dict):
            raise TypeError("not a message")
        known = cast(Mapping[str, object], fields)
        return Message(template, {name: _field(value) for name, value in known.items()})
    except (LookupError, AttributeError, TypeError) as error:
        raise ValueError("not a message") from error


def _field(value: object) -> _Field:
    return value if isinstance(value, int | float) else from_record(value)


def joined(*texts: str, between: str = " ") -> Message:
    """Returns sentences one after another, each still translatable; empty ones are left out."""
    parts = {f"part_{number}": text for number, text in enumerate(texts) if text}
    return Message(between.join(f"{{{name}}}" for name in parts), parts)


def without_names(text: str) -> str:
    """Returns the text with … in place of each name in quotes, still translatable."""
    if not isinstance(text, Message):
        return _QUOTED.sub("“…”", text)
    return Message(
        text.template,
        {
            name: "…" if f"“{{{name}}}”" in text.template else _in_text(value, without_names)
            for name, value in text.fields.items()
        },
    )


def without_numbers(text: str) -> str:
    """Returns the text with … in place of each number in its fields, still translatable."""
    if not isinstance(text, Message):
        return _NUMBER.sub("…", text)
    return Message(
        text.template,
        {
            name: _in_text(value, without_numbers) if isinstance(value, str) else "…"
            for name, value in text.fields.items()
        },
    )


def renamed(text: str, old: str, new: str) -> str:
    """Returns the text with a name in it replaced, still translatable."""
    if not isinstance(text, Message):
        return text.replace(old, new)
    return Message(
        text.template,
        {
            name: renamed(value, old, new) if isinstance(value, str) else value
            for name, value in text.fields.items()
        },
    )


def _in_text(value: _Field, change: Callable[[str], str]) -> _Field:
    return change(value) if isinstance(value, str) else value


def _plain(value: object) -> _Field:
    """Returns what can be copied between threads and processes: text, numbers, messages."""
    if isinstance(value, str | int | float):
        return value
    message = value.args[0] if isinstance(value, Exception) and len(value.args) == 1 else None
    return message if isinstance(message, Message) else str(value)
