"""What a client asks for: OpenAI's chat completions, checked, and as a `Request` of ours.

Fields that change nothing here are accepted and ignored; a field that asks for something that this
server cannot do is refused, so that no client believes it was done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from core.picture import Picture
from core.transcript import Request, Sampling, Turn

_USUAL_NEW_TOKENS = 512
_MOST_STOP_STRINGS = 4
_SEEDS = 2**63
_MOST_PARTS = 100_000
MOST_ALTERNATIVES = 5
"""How many tokens that could have stood in the place of one are known."""


class Refused(Exception):
    """A request that is answered with an error. `param` is the field that is at fault."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
    ):
        super().__init__(message)
        self.message, self.status, self.param, self.code = message, status, param, code


class _ImageUrl(BaseModel):
    url: str


class _Part(BaseModel):
    type: str
    text: str | None = None
    image_url: _ImageUrl | str | None = None


class _Message(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Part] | None = None


class _StreamOptions(BaseModel):
    include_usage: bool = False


class _Body(BaseModel):
    """Of the fields those that are understood."""

    model: str
    messages: Annotated[list[_Message], Field(min_length=1, max_length=1000)]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1, le=1_000_000)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    # What is refused unless it has its default.
    n: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    min_p: float | None = None
    logit_bias: dict[str, float] | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    response_format: dict[str, Any] | None = None


@dataclass(frozen=True)
class ChatRequest:
    """What a client asks for. `images` are the addresses in the message, `turns` the questions."""

    model: str
    turns: tuple[Turn, ...]
    images: tuple[str, ...]
    beginning: str
    sampling: Sampling
    stop: tuple[str, ...]
    streams: bool
    wants_usage: bool
    wants_logprobs: bool
    alternatives: int = 0

    def about(self, pictures: Sequence[Picture]) -> Request:
        """The request to the engine, about the opened images."""
        first, *others = pictures
        return Request(first, self.turns, self.sampling, self.beginning, tuple(others))


def read_chat_request(data: bytes) -> ChatRequest:
    """Reads the body of a request. Raises Refused."""
    # All clients wait while it is read: of so many bytes, a million small parts take half a minute.
    if sum(map(data.count, (b",", b":", b"{", b"["))) > _MOST_PARTS:
        raise Refused("The request has too many parts. Send fewer messages, or shorter ones.")
    try:
        body = _Body.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        param = ".".join(str(part) for part in first["loc"]) or None
        message = f"{param}: {first['msg']}." if param else f"{first['msg']}."
        raise Refused(message, param=param) from error
    _refuse_unsupported(body)
    conversation = _Conversation()
    for number, message in enumerate(body.messages):
        conversation.add(message, f"messages.{number}")
    turns, beginning = conversation.turns()
    return ChatRequest(
        model=body.model,
        turns=turns,
        images=tuple(conversation.images),
        beginning=beginning,
        sampling=_sampling(body),
        stop=_stop_strings(body),
        streams=bool(body.stream),
        wants_usage=bool(body.stream_options and body.stream_options.include_usage),
        wants_logprobs=bool(body.logprobs),
        alternatives=_alternatives(body),
    )


def _refuse_unsupported(body: _Body) -> None:
    unsupported = {
        "n": body.n not in (None, 1),
        "frequency_penalty": bool(body.frequency_penalty),
        "presence_penalty": bool(body.presence_penalty),
        "min_p": bool(body.min_p),
        "logit_bias": bool(body.logit_bias),
        "tools": bool(body.tools),
        "functions": bool(body.functions),
        "response_format": (body.response_format or {}).get("type", "text") != "text",
    }
    for name, is_asked in unsupported.items():
        if is_asked:
            raise Refused(
                f"This server does not support “{name}”. Leave it out.",
                param=name,
                code="unsupported_parameter",
            )


def _alternatives(body: _Body) -> int:
    wanted = body.top_logprobs or 0
    if wanted > MOST_ALTERNATIVES:
        raise Refused(
            f"“top_logprobs” can be {MOST_ALTERNATIVES} at most here.", param="top_logprobs"
        )
    if wanted and not body.logprobs:
        raise Refused("“top_logprobs” needs “logprobs”. Set it too.", param="top_logprobs")
    return wanted


def _sampling(body: _Body) -> Sampling:
    usual = Sampling()
    top_k = usual.top_k if body.top_k is None else max(0, body.top_k)
    penalty = body.repetition_penalty
    return Sampling(
        temperature=body.temperature or 0.0,
        top_p=usual.top_p if body.top_p is None else body.top_p,
        top_k=top_k,
        repetition_penalty=usual.repetition_penalty if penalty is None else penalty,
        max_new_tokens=body.max_completion_tokens or body.max_tokens or _USUAL_NEW_TOKENS,
        seed=None if body.seed is None else body.seed % _SEEDS,
    )


def _stop_strings(body: _Body) -> tuple[str, ...]:
    strings = [body.stop] if isinstance(body.stop, str) else body.stop or []
    if len(strings) > _MOST_STOP_STRINGS:
        raise Refused(f"“stop” takes at most {_MOST_STOP_STRINGS} texts.", param="stop")
    return tuple(strings)


class _Conversation:
    """Messages become turns: texts of one side that follow each other are joined."""

    def __init__(self) -> None:
        self.images: list[str] = []
        self._system: list[str] = []
        self._pairs: list[tuple[list[str], list[str]]] = []

    def add(self, message: _Message, place: str) -> None:
        """Adds the next message. Raises Refused."""
        texts, images = _content(message, place)
        if images and message.role != "user":
            raise Refused(f"{place}: only the user's messages can have images.", param="messages")
        match message.role:
            case "system" | "developer":
                self._system += texts
            case "assistant":
                if not self._pairs:
                    raise Refused(f"{place}: the user has to speak first.", param="messages")
                self._pairs[-1][1].extend(texts)
            case "user":
                self._add_question(texts, images, place)

    def _add_question(self, texts: list[str], images: list[str], place: str) -> None:
        if not self._pairs or self._pairs[-1][1]:
            self._pairs.append(([], []))
        if images and len(self._pairs) > 1:
            raise Refused(
                f"{place}: this server takes images with the first question only. Begin a new "
                "conversation for another image.",
                param="messages",
            )
        self._pairs[-1][0].extend(texts)
        self.images += images

    def turns(self) -> tuple[tuple[Turn, ...], str]:
        """The turns, and the text that the answer continues. Raises Refused.

        LLaVA's conversations have a system message of their own. One from outside stands before the
        first question.
        """
        if not self._pairs:
            raise Refused("messages: there is no question of the user's.", param="messages")
        self._pairs[0][0][:0] = self._system
        *before, (last, beginning) = self._pairs
        answered = [Turn("\n".join(asked), "\n".join(said)) for asked, said in before]
        return (*answered, Turn("\n".join(last))), "\n".join(beginning)


def _content(message: _Message, place: str) -> tuple[list[str], list[str]]:
    """The texts and the addresses of the images of one message."""
    if not isinstance(message.content, list):
        return [message.content] if message.content else [], []
    texts: list[str] = []
    images: list[str] = []
    for number, part in enumerate(message.content):
        if part.type == "text" and part.text is not None:
            texts.append(part.text)
        elif part.type == "image_url" and part.image_url is not None:
            found = part.image_url
            images.append(found if isinstance(found, str) else found.url)
        else:
            raise Refused(
                f"{place}.content.{number}: this server takes texts and images, and no part of "
                f"type “{part.type[:40]}” like this.",
                param="messages",
            )
    return texts, images
