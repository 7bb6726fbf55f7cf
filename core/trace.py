"""The trace of an answer: what went through a model's pipeline, as data, JSON and Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from core.formatting import format_bytes
from core.transcript import Ending, Precision

_TOKENS_A_LINE = 8

Shape = tuple[int, ...]


@dataclass(frozen=True)
class TokenTrace:
    """Token ids and the vocabulary's piece for each of them."""

    ids: tuple[int, ...]
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class ImageTrace:
    """What became of the picture, from its pixels to the features that the language model reads.

    Sizes are (width, height) in pixels; `patch_grid` is (rows, columns); `values_range` is the
    least and the greatest normalised pixel value. The feature shapes are before and after the
    projector. What other models than LLaVA-1.5 do not have, or do not tell, is None.
    """

    size: tuple[int, int]
    values_shape: Shape
    values_dtype: str
    values_range: tuple[float, float]
    projected_features_shape: Shape
    padded_size: tuple[int, int] | None = None
    pad_colour: tuple[int, int, int] | None = None
    patch_grid: tuple[int, int] | None = None
    tower_features_shape: Shape | None = None


@dataclass(frozen=True)
class StageTime:
    """How long a stage took, in seconds; `stage` is its name for people."""

    stage: str
    seconds: float


@dataclass(frozen=True)
class MemoryUse:
    """How many bytes something takes up; `name` is what it is, for people."""

    name: str
    bytes: int


@dataclass(frozen=True)
class Trace:
    """All stages of one answer.

    The id -200 in `input` stands for `image_tokens` positions, if it is there. `is_output_exact` is
    False if the ids of `output` were made again from the text of a stored answer.
    """

    model: str
    device: str
    dtype: Precision
    image: ImageTrace
    prompt: str
    input: TokenTrace
    image_tokens: int
    output: TokenTrace
    is_output_exact: bool
    text: str
    ending: Ending
    stop_string: str
    max_new_tokens: int
    seed: int | None
    times: tuple[StageTime, ...]
    memory: tuple[MemoryUse, ...]

    @property
    def positions(self) -> int:
        """How many positions of the input the language model reads."""
        return len(self.input.ids) + max(0, self.image_tokens - 1)


def as_json(trace: Trace) -> str:
    """Returns the trace as JSON text; text in any script stays readable."""
    return json.dumps(as_record(trace), ensure_ascii=False, indent=1)


def as_record(trace: Trace) -> dict[str, Any]:
    """Returns the trace as it is written to files, ready for JSON."""
    image = trace.image
    return {
        "model": trace.model,
        "device": trace.device,
        "dtype": trace.dtype.value,
        "prompt": trace.prompt,
        "input_ids": trace.input.ids,
        "input_pieces": trace.input.pieces,
        "image_tokens": trace.image_tokens,
        "image_size": image.size,
        "padded_size": image.padded_size,
        "pad_background_rgb": image.pad_colour,
        "images_tensor_shape": image.values_shape,
        "images_tensor_dtype": image.values_dtype,
        "images_tensor_range": image.values_range,
        "patch_grid": image.patch_grid,
        "image_features_shape_before_projector": image.tower_features_shape,
        "image_features_shape_after_projector": image.projected_features_shape,
        "output_ids_generated": trace.output.ids,
        "output_ids_known": trace.is_output_exact,
        "output_pieces": trace.output.pieces,
        "text": trace.text,
        "ending": trace.ending.value,
        "stop_str": trace.stop_string,
        "max_new_tokens": trace.max_new_tokens,
        "seed": trace.seed,
        "seconds": {time.stage: time.seconds for time in trace.times},
        "bytes": {use.name: use.bytes for use in trace.memory},
    }


def as_markdown(trace: Trace) -> str:
    """Returns the stages in their order, for people to read."""
    origin = "" if trace.is_output_exact else ", those of its text made again"
    seed = "" if trace.seed is None else f", seed {trace.seed}"
    mark = f", the image's -200 standing for {trace.image_tokens}" if trace.image_tokens else ""
    return "\n".join(
        [
            "# Trace of an answer",
            "",
            f"{trace.model}, {trace.dtype}, on {trace.device}",
            "",
            "## Picture",
            "",
            *_image_lines(trace.image),
            "",
            "## Prompt",
            "",
            *_fenced(trace.prompt),
            "",
            f"## Input ids: {len(trace.input.ids)}{mark}",
            "",
            *_fenced(_token_lines(trace.input)),
            "",
            f"## Output ids: {len(trace.output.ids)}{origin}",
            "",
            *_fenced(_token_lines(trace.output)),
            "",
            "## Answer",
            "",
            *_fenced(trace.text),
            "",
            f"- ending: {trace.ending}, at most {trace.max_new_tokens} tokens{seed}",
            "",
            "## Times",
            "",
            *(f"- {time.stage}: {shown_seconds(time.seconds)}" for time in trace.times),
            "",
            "## Memory",
            "",
            *(f"- {use.name}: {format_bytes(use.bytes)}" for use in trace.memory),
            "",
        ]
    )


def _image_lines(image: ImageTrace) -> list[str]:
    low, high = image.values_range
    padding = tower = ""
    if image.padded_size and image.pad_colour:
        colour = ", ".join(map(str, image.pad_colour))
        padding = f", padded to {sides(image.padded_size)} with RGB {colour}"
    lines = [
        f"- {sides(image.size)} pixels{padding}",
        f"- pixel values: {sides(image.values_shape)}, {image.values_dtype}, from {low:.3f} to"
        f" {high:.3f}",
    ]
    if image.patch_grid:
        lines.append(f"- patches: {sides(image.patch_grid)}")
    if image.tower_features_shape:
        tower = f"{sides(image.tower_features_shape)}, "
    lines.append(
        f"- image features: {tower}after the projector {sides(image.projected_features_shape)}"
    )
    return lines


def sides(numbers: Iterable[int]) -> str:
    """Returns "100 × 70" for 100 and 70."""
    return " × ".join(map(str, numbers))


def shown_seconds(seconds: float) -> str:
    """Returns "3.14 s", or "12.3 ms" for less than a second."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"


def _token_lines(tokens: TokenTrace) -> str:
    texts = [f"{number} {piece}" for number, piece in zip(tokens.ids, tokens.pieces, strict=True)]
    starts = range(0, len(texts), _TOKENS_A_LINE)
    return "\n".join(" | ".join(texts[start : start + _TOKENS_A_LINE]) for start in starts)


def _fenced(text: str) -> list[str]:
    """In a fence that nothing in the text can close."""
    fence = "```"
    while fence in text:
        fence += "`"
    return [fence, text, fence]
