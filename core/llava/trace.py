"""A trace of the pipeline, as `Engine.trace` makes it, written down as JSON or as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

Trace = dict[str, Any]

_TOKENS_A_LINE = 8


def as_json(content: Trace | list[Trace]) -> str:
    """Of one answer or of several; text in any script stays readable."""
    return json.dumps(content, ensure_ascii=False, indent=1)


def as_markdown(trace: Trace) -> str:
    """For people: the stages in their order."""
    low, high = trace["images_tensor_range"]
    known = "" if trace["output_ids_known"] else ", those of its text made again"
    seed = "" if trace["seed"] is None else f", seed {trace['seed']}"
    seconds = [f"- {stage}: {shown_seconds(took)}" for stage, took in trace["seconds"].items()]
    memory = [f"- {what}: {shown_bytes(size)}" for what, size in trace["bytes"].items()]
    return "\n".join(
        [
            "# Trace of an answer",
            "",
            f"{trace['model']}, {trace['dtype']}, on {trace['device']}",
            "",
            "## Picture",
            "",
            f"- {sides(trace['image_size'])} pixels, padded to {sides(trace['padded_size'])} with"
            f" RGB {', '.join(map(str, trace['pad_background_rgb']))}",
            f"- pixel values: {sides(trace['images_tensor_shape'])}, "
            f"{trace['images_tensor_dtype']}, from {low:.3f} to {high:.3f}",
            f"- patches: {sides(trace['patch_grid'])}",
            f"- image features: {sides(trace['image_features_shape_before_projector'])}, after"
            f" the projector {sides(trace['image_features_shape_after_projector'])}",
            "",
            "## Prompt",
            "",
            *_fenced(trace["prompt"]),
            "",
            f"## Input ids: {len(trace['input_ids'])}, the image's -200 standing for "
            f"{trace['image_tokens']}",
            "",
            *_fenced(_lines(trace["input_ids"], trace["input_pieces"])),
            "",
            f"## Output ids: {len(trace['output_ids_generated'])}{known}",
            "",
            *_fenced(_lines(trace["output_ids_generated"], trace["output_pieces"])),
            "",
            "## Answer",
            "",
            *_fenced(trace["text"]),
            "",
            f"- ending: {trace['ending']}, at most {trace['max_new_tokens']} tokens{seed}",
            "",
            "## Times",
            "",
            *seconds,
            "",
            "## Memory",
            "",
            *memory,
            "",
        ]
    )


def sides(numbers: Iterable[int]) -> str:
    return " × ".join(map(str, numbers))


def shown_seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"


def shown_bytes(size: int) -> str:
    for unit, name in ((2**30, "GiB"), (2**20, "MiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size / 2**10:.0f} KiB"


def _lines(ids: Sequence[int], pieces: Sequence[str]) -> str:
    tokens = [f"{number} {piece}" for number, piece in zip(ids, pieces, strict=True)]
    starts = range(0, len(tokens), _TOKENS_A_LINE)
    return "\n".join(" | ".join(tokens[start : start + _TOKENS_A_LINE]) for start in starts)


def _fenced(text: str) -> list[str]:
    """In a fence that nothing in the text can close."""
    fence = "```"
    while fence in text:
        fence += "`"
    return [fence, text, fence]
