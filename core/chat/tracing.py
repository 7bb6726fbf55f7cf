"""Makes the trace of an answer by a model of another architecture than LLaVA-1.5's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from core.chat.inputs import ChatInputs
from core.engine import EngineFacts
from core.llava.tokenizer import IMAGE_TOKEN_INDEX
from core.llava.tracing import memory_uses
from core.trace import ImageTrace, StageTime, TokenTrace, Trace
from core.transcript import Answer, Request

PREPARED = "picture and prompt prepared"
READ = "picture and prompt read"
"""The stages before the first token, as traces name them."""


def make_trace(
    facts: EngineFacts,
    model: Any,
    tokenizer: Any,
    end_ids: Sequence[int],
    *,
    request: Request,
    inputs: ChatInputs,
    answer: Answer,
    output_ids: Sequence[int],
    times: tuple[StageTime, ...],
    bytes_per_position: int,
) -> Trace:
    """Returns the trace of `answer`, whose stages before the first token took `times`.

    `bytes_per_position` are those of the KV cache.

    Images whose positions follow each other stand as one -200; those with text between them, as
    tiles have in some families, stand as they are.
    """
    count = inputs.positions.count(IMAGE_TOKEN_INDEX)
    tokens, is_one = _input_tokens(tokenizer, inputs, count)
    return Trace(
        model=facts.model,
        device=facts.device_name,
        dtype=facts.dtype,
        image=_image_trace(model, request, inputs, count),
        prompt=inputs.prompt,
        input=tokens,
        image_tokens=count if is_one else 0,
        output=TokenTrace(tuple(output_ids), tuple(_pieces(tokenizer, output_ids))),
        is_output_exact=bool(answer.output_ids or not answer.text),
        text=answer.text,
        ending=answer.ending,
        stop_string=" ".join(_pieces(tokenizer, end_ids)),
        max_new_tokens=inputs.max_new_tokens,
        seed=answer.seed,
        times=(
            *times,
            StageTime("answer to its first token", answer.seconds_to_first_token),
            StageTime("whole answer", answer.seconds),
        ),
        memory=memory_uses(facts, model, inputs.length + len(output_ids), bytes_per_position),
    )


def _input_tokens(tokenizer: Any, inputs: ChatInputs, count: int) -> tuple[TokenTrace, bool]:
    """Returns the tokens of the prompt, and whether one -200 stands for the `count` positions of
    images."""
    ids = inputs.image.tensors["input_ids"][0].tolist()
    runs = [len(list(run)) for one, run in groupby(inputs.positions) if one == IMAGE_TOKEN_INDEX]
    is_one = len(runs) == 1
    if is_one:
        first = inputs.positions.index(IMAGE_TOKEN_INDEX)
        mark = ids[first]
        pieces = [
            *_pieces(tokenizer, ids[:first]),
            *_pieces(tokenizer, [mark]),
            *_pieces(tokenizer, ids[first + count :]),
        ]
        ids = [*ids[:first], IMAGE_TOKEN_INDEX, *ids[first + count :]]
    else:
        pieces = _pieces(tokenizer, ids)
    return TokenTrace(tuple(ids), tuple(pieces)), is_one


def _image_trace(model: Any, request: Request, inputs: ChatInputs, count: int) -> ImageTrace:
    values = inputs.pixel_values
    return ImageTrace(
        size=request.picture.pixels.size,
        values_shape=values.shape,
        values_dtype=str(values.dtype),
        values_range=(float(values.min()), float(values.max())),
        projected_features_shape=(count, model.config.get_text_config().hidden_size),
    )


def _pieces(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    # A model may have more ids than its tokenizer.
    return [
        piece or f"<{number}>"
        for number, piece in zip(ids, tokenizer.convert_ids_to_tokens(list(ids)), strict=True)
    ]
