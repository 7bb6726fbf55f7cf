"""Messages as text in a database: a template and its fields, so that they can be translated later.

Plain text is kept as it is.
"""

from __future__ import annotations

import json
from typing import Any, cast

from core.message import Message


def text_of(message: str) -> str:
    """Returns the text that stands for a message in a database."""
    return json.dumps(_plain(message))


def text_from(stored: str) -> Message:
    """Returns the message. Raises ValueError for what is none."""
    try:
        found = _message(json.loads(stored))
    except (KeyError, AttributeError, IndexError, TypeError) as error:
        raise ValueError("this is not a message") from error
    return as_message(found if isinstance(found, str) else str(found))


def as_message(text: str) -> Message:
    """Returns the message that a text is; plain text as one without fields."""
    return text if isinstance(text, Message) else Message(text)


def _plain(value: object) -> object:
    if isinstance(value, Message):
        return {
            "template": value.template,
            "fields": {k: _plain(v) for k, v in value.fields.items()},
        }
    return value


def _message(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    stored = cast(dict[str, Any], value)
    fields: dict[str, Any] = stored["fields"]
    return Message(stored["template"], {name: _message(one) for name, one in fields.items()})
