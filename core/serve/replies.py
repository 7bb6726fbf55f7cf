"""Answers, lists and errors as OpenAI's JSON."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from core.transcript import Answer, Ending
from core.words import Evidence

END_OF_STREAM = b"data: [DONE]\n\n"


def error_object(
    message: str, kind: str, *, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """The JSON of an error."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def models_object(name: str, created: int, context_length: int) -> dict[str, Any]:
    """The list of the one model that is loaded."""
    model = {"id": name, "object": "model", "created": created, "owned_by": "onlooker"}
    return {"object": "list", "data": [model | {"max_model_len": context_length}]}


@dataclass(frozen=True)
class Completion:
    """The frame of one answer's replies: all of them have the same id."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(
        self, text: str, ending: str, answer: Answer, scores: dict[str, Any] | None
    ) -> dict[str, Any]:
        """The reply that has the whole answer."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": scores}
        choices = [choice | {"finish_reason": ending}]
        return self._frame("chat.completion", choices) | {"usage": _usage(answer)}

    def chunk(
        self, delta: dict[str, Any], ending: str | None = None, scores: dict[str, Any] | None = None
    ) -> bytes:
        """An event of a stream."""
        choice = {"index": 0, "delta": delta, "logprobs": scores, "finish_reason": ending}
        return event(self._frame("chat.completion.chunk", [choice]))

    def usage(self, answer: Answer) -> bytes:
        """The event that says what the answer took."""
        return event(self._frame("chat.completion.chunk", []) | {"usage": _usage(answer)})

    def _frame(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


def event(content: dict[str, Any]) -> bytes:
    """One event of a stream."""
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n".encode()


def finish_reason(answer: Answer) -> str:
    """OpenAI's word for why the answer ended."""
    return "length" if answer.ending is Ending.LENGTH else "stop"


def logprobs(text: str, evidence: Evidence | None, alternatives: int) -> dict[str, Any] | None:
    """The tokens of `text` with their log probabilities, and as many `alternatives` of each as are
    known; None without evidence."""
    if evidence is None:
        return None
    shown = [token for token in evidence.tokens if token.begin < len(text)]
    ends = [token.begin for token in shown[1:]] + [len(text)]
    content: list[dict[str, Any]] = []
    for token, end in zip(shown, ends, strict=True):
        piece = text[token.begin : end]
        likeliest = [_token(*one) for one in token.likeliest[:alternatives]]
        content.append(_token(piece, token.log_p) | {"top_logprobs": likeliest})
    return {"content": content, "refusal": None}


def _token(text: str, log_p: float) -> dict[str, Any]:
    return {"token": text, "logprob": log_p, "bytes": list(text.encode())}


def _usage(answer: Answer) -> dict[str, int]:
    return {
        "prompt_tokens": answer.input_tokens,
        "completion_tokens": answer.tokens,
        "total_tokens": answer.input_tokens + answer.tokens,
    }
