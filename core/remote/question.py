"""A request in the words of the chat API: messages, pictures, and as few fields as possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import PromptError
from core.message import translatable
from core.remote.scores import WANTED
from core.transcript import Request, Sampling, Turn


def require_answerable(request: Request, most_pictures: int) -> None:
    """Raises PromptError for what no server can be asked through this API."""
    if not request.turns:
        raise PromptError(
            translatable("core", "There is no prompt. Type a question about the image.")
        )
    if 1 + len(request.others) > most_pictures:
        text = translatable("core", "At most {most} images can be sent at a time. Choose fewer.")
        if most_pictures == 1:
            text = translatable("core", "One image can be sent at a time. Choose one.")
        raise PromptError(text.format(most=most_pictures))
    if request.sampling.banned_words:
        raise PromptError(
            translatable(
                "core",
                "A model on a server cannot avoid words. Remove the words to avoid, or load a "
                "model on this computer.",
            )
        )
    if request.sampling.beams > 1:
        raise PromptError(
            translatable(
                "core",
                "A model on a server has no beam search. Set beams to 1, or load a model on this "
                "computer.",
            )
        )


def messages(request: Request, urls: Sequence[str], turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Returns the conversation; the images, as data URLs, stand in front of the first prompt."""
    said: list[dict[str, Any]] = []
    for number, turn in enumerate(turns):
        content: Any = turn.prompt
        if number == 0:
            images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
            content = [*images, {"type": "text", "text": turn.prompt}]
        said.append({"role": "user", "content": content})
        if turn.answer is not None:
            said.append({"role": "assistant", "content": turn.answer})
    if request.beginning:
        said.append({"role": "assistant", "content": request.beginning})
    return said


def fields(request: Request) -> dict[str, Any]:
    """Returns the fields besides model and messages that this request needs."""
    return {
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": request.sampling.max_new_tokens,
        **_sampling_fields(request.sampling),
        **(
            {"continue_final_message": True, "add_generation_prompt": False}
            if request.beginning
            else {}
        ),
    }


PROBE: Mapping[str, Any] = {
    "top_p": 1.0,
    "top_k": 50,
    "min_p": 0.0,
    "seed": 0,
    "repetition_penalty": 1.0,
    **WANTED,
}
"""Fields that a request may have, with values that change nothing at temperature 0. They are sent
once, to learn which of them the server refuses or ignores."""


def _sampling_fields(sampling: Sampling) -> dict[str, Any]:
    found: dict[str, Any] = {"temperature": sampling.temperature}
    if sampling.temperature > 0:
        found["top_p"] = sampling.top_p
        # Servers have defaults of their own, so that "all tokens" must be said too.
        found["top_k"] = sampling.top_k
        found["min_p"] = 0.0
        if sampling.seed is not None:
            found["seed"] = sampling.seed
    if sampling.repetition_penalty != 1.0:
        found["repetition_penalty"] = sampling.repetition_penalty
    return found
