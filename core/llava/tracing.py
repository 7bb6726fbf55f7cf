"""Makes the trace of an answer: runs the stages before its first token once more, timed."""

from __future__ import annotations

import time
from typing import Any

import torch
from PIL import Image

from core.engine import EngineFacts
from core.llava.generate_path import EncodedImage
from core.llava.prompt import STOP_STRING, Inputs
from core.llava.tokenizer import Tokenizer
from core.picture.pixel_values import PAD_COLOUR
from core.trace import ImageTrace, MemoryUse, StageTime, TokenTrace, Trace
from core.transcript import Answer


class Stopwatch:
    """Measures stages one after the other; waits for the GPU, which otherwise lags behind."""

    def __init__(self, device: torch.device):
        self._device = device
        self._times: list[StageTime] = []
        self._began = self._now()

    @property
    def times(self) -> tuple[StageTime, ...]:
        """The stages noted so far, in order."""
        return tuple(self._times)

    def note(self, stage: str) -> None:
        """Call it when `stage` is over."""
        now = self._now()
        self._times.append(StageTime(stage, now - self._began))
        self._began = now

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


def make_trace(
    facts: EngineFacts,
    model: Any,
    tokenizer: Tokenizer,
    inputs: Inputs,
    encoded: EncodedImage,
    answer: Answer,
    times: tuple[StageTime, ...],
) -> Trace:
    """Returns the trace of `answer`, whose stages before the first token took `times`.

    An answer from the store may have no ids; they are then those of its text.
    """
    output_ids = answer.output_ids or tuple(tokenizer.encode_parts([answer.text]))
    return Trace(
        model=facts.model,
        device=facts.device_name,
        dtype=facts.dtype,
        image=_image_trace(model, encoded, inputs),
        prompt=inputs.prompt,
        input=TokenTrace(inputs.input_ids, tuple(tokenizer.pieces(inputs.input_ids))),
        image_tokens=inputs.image_tokens,
        output=TokenTrace(output_ids, tuple(tokenizer.pieces(output_ids))),
        is_output_exact=bool(answer.output_ids or not answer.text),
        text=answer.text,
        ending=answer.ending,
        stop_string=STOP_STRING,
        max_new_tokens=inputs.max_new_tokens,
        seed=answer.seed,
        times=(
            *times,
            StageTime("answer to its first token", answer.seconds_to_first_token),
            StageTime("whole answer", answer.seconds),
        ),
        memory=memory_uses(
            facts, model, inputs.length + len(output_ids), _bytes_per_position(facts, model)
        ),
    )


def _image_trace(model: Any, encoded: EncodedImage, inputs: Inputs) -> ImageTrace:
    pixels: Image.Image = encoded.pixels
    values, vision = inputs.pixel_values, model.config.vision_config
    side = vision.image_size // vision.patch_size
    longest = max(pixels.size)
    return ImageTrace(
        size=pixels.size,
        padded_size=(longest, longest),
        pad_colour=PAD_COLOUR,
        values_shape=values.shape,
        values_dtype=str(values.dtype),
        values_range=(float(values.min()), float(values.max())),
        patch_grid=(side, side),
        tower_features_shape=encoded.tower_shape,
        projected_features_shape=tuple(encoded.features.shape),
    )


def _bytes_per_position(facts: EngineFacts, model: Any) -> int:
    """Keys and values of one position, in all layers."""
    config = model.config.get_text_config()
    width = config.hidden_size // config.num_attention_heads
    # In 8 bits each head has a scale, in float32.
    of_head = width + 4 if facts.quantizes_cache else width * model.dtype.itemsize
    return 2 * config.num_hidden_layers * config.num_key_value_heads * of_head


def memory_uses(
    facts: EngineFacts, model: Any, positions: int, bytes_per_position: int
) -> tuple[MemoryUse, ...]:
    """Returns what an answer of that many positions takes up, in bytes."""
    uses = [
        MemoryUse("weights", facts.memory_bytes),
        MemoryUse("keys and values", positions * bytes_per_position),
    ]
    if model.device.type == "cuda":
        uses += [
            MemoryUse("reserved on the card", torch.cuda.memory_reserved(model.device)),
            MemoryUse("at most in use", torch.cuda.max_memory_allocated(model.device)),
        ]
    return tuple(uses)
