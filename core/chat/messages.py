"""A conversation as chat templates read it: messages with a role and parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from core.transcript import Turn


def messages(
    turns: Sequence[Turn], pictures: int, escaped: Callable[[str], str] = str
) -> list[dict[str, Any]]:
    """Returns the messages of a conversation about so many images, which the first one holds.

    `escaped` is what the template is to see of a text.
    """
    found: list[dict[str, Any]] = []
    for number, turn in enumerate(turns):
        images = [{"type": "image"}] * pictures if number == 0 else []
        question = {"type": "text", "text": escaped(turn.prompt)}
        found.append({"role": "user", "content": [*images, question]})
        if turn.answer is not None:
            answer = {"type": "text", "text": escaped(turn.answer)}
            found.append({"role": "assistant", "content": [answer]})
    return found
