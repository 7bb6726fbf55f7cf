"""LLaVA-1.5 with random weights, for measuring without a checkpoint."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from core.checkpoint.folder import built_in_model
from core.checkpoint.llava_model import rebuild_buffers
from core.checkpoint.loading import allocate, assign_weights
from core.device.choice import (
    choose_device,
    choose_dtype,
    device_name,
    precision_of,
    require_memory,
)
from core.device.offload import MaxMemory, dispatch
from core.engine import EngineFacts
from core.llava.engine import LlavaEngine
from core.llava.quantized import QuantizedMatrix, quantize
from core.llava.tokenizer import Tokenizer
from core.transcript import ModelChoice

if TYPE_CHECKING:
    from core.open_engine import LocalEngine

_DEVIATION = 0.02
"""Standard deviation of the weights, as transformers initializes a Llama."""


@dataclass(frozen=True)
class ModelSizes:
    """Sizes of the language model, then of the vision tower."""

    hidden: int
    inner: int
    layers: int
    heads: int
    vocabulary: int
    vision_hidden: int
    vision_inner: int
    vision_layers: int
    vision_heads: int


SIZES = {
    "llava-1.5-7b": ModelSizes(4096, 11008, 32, 32, 32000, 1024, 4096, 24, 16),
    "llava-1.5-13b": ModelSizes(5120, 13824, 40, 40, 32000, 1024, 4096, 24, 16),
    "built-in": ModelSizes(256, 688, 7, 4, 4064, 320, 1024, 7, 5),
}


def open_random(
    choice: ModelChoice, on_progress: Callable[[float, str], None], stop: threading.Event
) -> LocalEngine:
    """Does what `core.open_engine` does; the choice's model is one of `SIZES` or RANDOM_MODELS."""
    if choice.model in SIZES:
        return random_engine(choice, choice.model)
    from core.terminal.random_chat import RANDOM_MODELS, random_chat_engine

    return random_chat_engine(choice, RANDOM_MODELS[choice.model])


def random_engine(
    choice: ModelChoice, sizes_name: str, limits: MaxMemory | None = None
) -> LlavaEngine:
    """A LLaVA-1.5 with sizes of `SIZES`, which generates nonsense at the speed of a real one.

    With `limits` it is distributed over several devices. Raises OutOfMemory if it does not fit.
    """
    sizes, tokenizer = SIZES[sizes_name], Tokenizer.load(built_in_model())
    with torch.device("meta"):
        model: Any = LlavaForConditionalGeneration(random_config(sizes))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    device, kind = choose_device(choice.device), choice.dtype.weight_format
    dtype = choose_dtype(choice.dtype, device, parameters)
    bits = kind.bits if kind else 8 * dtype.itemsize
    require_memory(parameters * bits // 8, device)
    buffers = allocate(model, device, dtype, kind)
    torch.manual_seed(0)
    drawn: dict[tuple[int, int], QuantizedMatrix] = {}
    for name, buffer in buffers.items():
        if not isinstance(buffer, QuantizedMatrix) or device.type != "cpu":
            fill_randomly(name, buffer, dtype)
        # A processor takes minutes to draw billions of numbers: its layers are alike.
        elif (alike := drawn.get(buffer.shape)) is not None:
            buffer.values.copy_(alike.values)
            buffer.scales.copy_(alike.scales)
        else:
            fill_randomly(name, buffer, dtype)
            drawn[buffer.shape] = buffer
    assign_weights(model, buffers)
    rebuild_buffers(model, device)
    model.eval().requires_grad_(False)
    # Only ids of whole words are likely: then no answer ends early, and the text of an answer has
    # the same ids again in a follow-up.
    words = _words(tokenizer)
    others = [number for number in range(sizes.vocabulary) if number not in words]
    for weights in model.lm_head.state_dict().values():
        weights[others] = 0
    facts = EngineFacts(
        model=f"Random weights in the sizes of {sizes_name}",
        device=str(device),
        device_name=device_name(device),
        dtype=precision_of(dtype, kind),
        memory_bytes=sum(tensor.nbytes for tensor in model.state_dict().values()),
        context_length=4096,
    )
    if limits:
        facts = replace(facts, notes=(dispatch(model, limits, device.index or 0),))
    return LlavaEngine(model, tokenizer, facts, quantizes_cache=choice.quantizes_cache)


def _words(tokenizer: Tokenizer) -> set[int]:
    """The ids that are a whole word wherever it is written."""
    before = tokenizer.encode("a")
    texts = {number: tokenizer.decode([number]) for number in range(3, tokenizer.size)}
    return {
        number
        for number, text in texts.items()
        if text.isalpha() and tokenizer.encode(f"a {text}") == [*before, number]
    }


def fill_randomly(name: str, buffer: torch.Tensor | QuantizedMatrix, dtype: torch.dtype) -> None:
    """Initializes a parameter as transformers does; one matrix at a time is whole in 16 bits."""
    if isinstance(buffer, QuantizedMatrix):
        weight = torch.empty(buffer.shape, dtype=dtype, device=buffer.values.device)
        quantize(weight.normal_(0, _DEVIATION), buffer.format, out=buffer)
    elif buffer.dim() > 1:
        buffer.normal_(0, _DEVIATION)
    else:
        buffer.fill_(0 if name.endswith("bias") else 1)


def random_config(sizes: ModelSizes) -> LlavaConfig:
    """The configuration of a LLaVA-1.5 of these sizes."""
    config = LlavaConfig(
        text_config=LlamaConfig(
            vocab_size=sizes.vocabulary,
            hidden_size=sizes.hidden,
            intermediate_size=sizes.inner,
            num_hidden_layers=sizes.layers,
            num_attention_heads=sizes.heads,
            max_position_embeddings=4096,
            rms_norm_eps=1e-5,
        ),
        vision_config=CLIPVisionConfig(
            hidden_size=sizes.vision_hidden,
            intermediate_size=sizes.vision_inner,
            num_hidden_layers=sizes.vision_layers,
            num_attention_heads=sizes.vision_heads,
            image_size=336,
            patch_size=14,
        ),
    )
    config._attn_implementation = "sdpa"
    return config
