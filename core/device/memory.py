"""How much memory a model needs, computed from its settings before anything is allocated.

The figures are those of `core/llava/decoding.py`: all weights on one device, and a static KV cache
with a row for each slot. Models that answer through `generate()` need about the same.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import CheckpointError
from core.message import translatable
from core.transcript import Precision

PRECISIONS = (Precision.BITS_16, Precision.BITS_8, Precision.BITS_4)
"""The precisions offered for a model, from the one that needs most memory to the least."""

FLOAT8_CAPABILITY = (8, 9)
"""The compute capability from which on cards multiply in FP8."""

LENGTH_STEP = 192
"""The KV cache grows in steps of this many positions."""

_USUAL_ANSWER = 512
_USUAL_PROMPT = 64
# During prefill quantized matrices are dequantized, this many bytes of one at a time.
_DEQUANTIZED = 24 << 20
# Independent of the model's sizes. On a GPU: the kernels that CUDA loads, the workspaces of cuBLAS
# for two streams, and the memory pools of two CUDA graphs. On a CPU: the libraries.
_OVERHEAD = {"cuda": 500_000_000, "cpu": 300_000_000}


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes, by what they are for. `cache` is the KV cache of all slots together."""

    weights: int
    cache: int
    activations: int
    overhead: int

    @property
    def total(self) -> int:
        """All of it, in bytes."""
        return self.weights + self.cache + self.activations + self.overhead


def memory_need(
    config: Mapping[str, Any],
    precision: Precision,
    *,
    slots: int = 1,
    length: int | None = None,
    device: str = "cuda",
    tower: Mapping[str, Any] | None = None,
    parameters: int | None = None,
) -> MemoryNeed:
    """What a model of these settings (`config.json`) needs at most while it answers.

    `length` is how many positions prompt and answer have together, None for what a question and an
    answer of 512 tokens take. `tower` is the vision tower's own config.json, where it has one.
    `parameters` is how many the whole model has, where that is known better than from the settings.
    Raises CheckpointError for settings that no model can have.
    """
    model = _Shape.of(config, tower)
    length = _rounded(length or model.usual_length)
    itemsize = 4 if precision is Precision.FLOAT32 else 2
    matrices, head, other = model.matrices, model.head, model.embedding + model.other
    if parameters is not None:
        # Parameters that the settings do not account for are never quantized.
        other = max(0, parameters - matrices - head)
    values = model.layers * 2 * model.kv_heads * model.head_dim
    return MemoryNeed(
        weights=_matrices(precision, matrices, model.rows)
        + _head(precision, head, model.vocabulary)
        + other * itemsize,
        cache=slots * length * values * itemsize,
        activations=_activations(model, precision, slots, length, itemsize),
        overhead=_OVERHEAD["cuda" if device.startswith("cuda") else "cpu"],
    )


def precision_that_fits(
    config: Mapping[str, Any],
    free: int,
    *,
    precisions: Sequence[Precision] = PRECISIONS,
    **how: Any,
) -> Precision | None:
    """The first of `precisions` whose need is within `free` bytes; None when none is.

    `how` is passed on to `memory_need`.
    """
    for precision in precisions:
        if memory_need(config, precision, **how).total <= free:
            return precision
    return None


@dataclass(frozen=True)
class Card:
    """A CUDA card: `index` is N in cuda:N, memory in bytes, `capability` its compute capability."""

    index: int
    name: str
    memory: int
    free: int
    capability: tuple[int, int] = (0, 0)

    @property
    def has_float8(self) -> bool:
        """Whether it is one of those on which models can be loaded in FP8."""
        return self.capability >= FLOAT8_CAPABILITY


def cards() -> tuple[Card, ...]:
    """The CUDA GPUs of this computer. Imports torch, so the first call takes seconds."""
    import torch

    from core.device.card import is_cuda_available

    if not is_cuda_available():
        return ()
    found = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        found.append(Card(index, name, total, free, torch.cuda.get_device_capability(index)))
    return tuple(found)


def known_cards() -> tuple[Card, ...]:
    """The same without importing torch or starting CUDA: () before that, and `free` is 0."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return ()
    known = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        capability = properties.major, properties.minor
        known.append(Card(index, properties.name, properties.total_memory, 0, capability))
    return tuple(known)


def free_memory(device: str) -> int | None:
    """Bytes that can still be allocated on cpu, cuda or cuda:N; None if the system does not say.

    Imports torch for a GPU, and not for the CPU.
    """
    if device.startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(int(device.partition(":")[2] or 0))[0]
    try:
        import psutil  # Comes with accelerate.
    except ImportError:
        return None
    return psutil.virtual_memory().available


# ---- shapes ------------------------------------------------------------------------------------

# transformers' own defaults, which published files rely on where they leave a value out.
_TEXT_DEFAULTS: dict[str, dict[str, int]] = {
    "llama": {
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "vocab_size": 32000,
    },
    "mistral": {
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 32000,
    },
    "gemma3_text": {
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 262208,
    },
}
_VISION_DEFAULTS = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "image_size": 336,
    "patch_size": 14,
}
_MOST = {"layers": 1_000, "size": 1_000_000, "vocabulary": 10_000_000}


@dataclass(frozen=True)
class _Shape:
    """The sizes that memory depends on. `rows` are those of all matrices: one scale for each."""

    hidden: int
    inner: int
    layers: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    matrices: int
    rows: int
    head: int
    embedding: int
    other: int
    usual_length: int

    @classmethod
    def of(cls, config: Mapping[str, Any], tower: Mapping[str, Any] | None) -> _Shape:
        nested = config.get("text_config")
        text = nested if isinstance(nested, Mapping) else config
        kind = str(text.get("model_type") or "llama")
        # In the original layout `model_type` is no guide, but all sizes are there.
        defaults = _TEXT_DEFAULTS.get(kind, _TEXT_DEFAULTS["llama"])

        def size(name: str, limit: str = "size", fallback: int | None = None) -> int:
            value = text.get(name)
            value = defaults.get(name, fallback) if value is None else value
            return _whole(name, value, _MOST[limit])

        hidden, inner = size("hidden_size"), size("intermediate_size")
        layers, heads = size("num_hidden_layers", "layers"), size("num_attention_heads")
        kv_heads = size("num_key_value_heads", fallback=heads)
        head_dim = size("head_dim", fallback=max(1, hidden // heads))
        vocabulary = size("vocab_size", "vocabulary")
        attention_rows = (heads + 2 * kv_heads) * head_dim
        matrices = layers * (
            hidden * attention_rows + heads * head_dim * hidden + 3 * hidden * inner
        )
        is_tied = bool(config.get("tie_word_embeddings") or text.get("tie_word_embeddings"))
        context = _whole("max_position_embeddings", text.get("max_position_embeddings", 4096), None)
        vision, image_tokens = _vision(config, tower, hidden)
        usual = image_tokens + _USUAL_PROMPT + _USUAL_ANSWER
        return cls(
            hidden=hidden,
            inner=inner,
            layers=layers,
            kv_heads=kv_heads,
            head_dim=head_dim,
            vocabulary=vocabulary,
            matrices=matrices,
            rows=layers * (attention_rows + 2 * hidden + 2 * inner),
            head=0 if is_tied else hidden * vocabulary,
            embedding=hidden * vocabulary,
            other=vision + (2 * layers + 1) * hidden,
            usual_length=min(usual, max(LENGTH_STEP, context)),
        )


def _vision(
    config: Mapping[str, Any], tower: Mapping[str, Any] | None, text_hidden: int
) -> tuple[int, int]:
    """Roughly the parameters of tower and projector; and the positions that a picture takes."""
    given = config.get("vision_config")
    vision: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    if tower is not None:
        inside = tower.get("vision_config", tower)
        vision = inside if isinstance(inside, Mapping) else {}

    def size(name: str, *others: str) -> int:
        found = (vision[key] for key in (name, *others) if vision.get(key) is not None)
        return _whole(name, next(found, _VISION_DEFAULTS.get(name)), _MOST["size"])

    # Qwen2-VL's tower calls its own width embed_dim; its hidden_size is that of the text model.
    width = size("embed_dim") if "embed_dim" in vision else size("hidden_size")
    inner = (
        width * _whole("mlp_ratio", vision["mlp_ratio"], 100)
        if vision.get("mlp_ratio") and "intermediate_size" not in vision
        else size("intermediate_size")
    )
    layers = min(size("num_hidden_layers", "depth"), _MOST["layers"])
    patch = size("patch_size", "spatial_patch_size")
    image = size("image_size") if "image_size" in vision else _VISION_DEFAULTS["image_size"]
    patches = max(1, image // patch) ** 2
    # Three matrices if the tower's MLP is gated, as in Qwen2.5-VL.
    in_mlp = 3 if str(config.get("model_type", "")).startswith("qwen2_5") else 2
    parameters = layers * (4 * width * width + in_mlp * width * inner + 9 * width)
    parameters += 3 * patch * patch * width + (patches + 1) * width
    projector = width * text_hidden + text_hidden * text_hidden
    tokens = config.get("image_seq_length") or config.get("mm_tokens_per_image")
    resampler = config.get("perceiver_config")
    if isinstance(resampler, Mapping):
        # Idefics2's makes 64 of all patches.
        tokens = resampler.get("resampler_n_latents", 64)
    tokens = tokens or patches
    return parameters + projector, min(_whole("image_seq_length", tokens, _MOST["size"]), 4096)


# Also given as a height and a width, as by InternVL, or one for each layer, as by Gemma 3n.
_LISTED = {"patch_size", "image_size", "intermediate_size"}


def _whole(name: str, value: Any, most: int | None) -> int:
    if name in _LISTED and isinstance(value, list) and value:
        return max(_whole(name, one, most) for one in value)
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
    # NaN, which JSON may hold, is in no range.
    if not 1 <= number <= (most or 10**12):
        raise CheckpointError(
            translatable(
                "core",
                "config.json has an impossible {name} ({value}). Download it again.",
            ).format(name=name, value=f"{value!r}")
        )
    return int(number)


# ---- bytes -------------------------------------------------------------------------------------

# 4-bit weights have a float16 scale for each group of this many, 8-bit ones
# and FP8 a float32 scale a row.
_GROUP = 64


def _matrices(precision: Precision, count: int, rows: int) -> int:
    """Bytes of the layers' matrices."""
    match precision:
        case Precision.FLOAT32:
            return 4 * count
        case Precision.BITS_8 | Precision.FP8:
            return count + 4 * rows
        case Precision.BITS_4:
            return count // 2 + 2 * (count // _GROUP)
    return 2 * count


def _head(precision: Precision, count: int, vocabulary: int) -> int:
    """Bytes of the head, which stays at 8 bits where the layers have 4."""
    of_head = Precision.BITS_8 if precision.weight_format else precision
    return _matrices(of_head, count, vocabulary)


def _activations(
    model: _Shape, precision: Precision, slots: int, length: int, itemsize: int
) -> int:
    """Temporary bytes: a prompt's pass through one layer, and the logits of all slots."""
    prompt = length * (8 * model.hidden + 4 * model.inner) * itemsize
    logits = 3 * slots * model.vocabulary * 4
    unpacked = 0
    if precision in (Precision.BITS_8, Precision.BITS_4):
        # One matrix as a whole in FP8, on cards that multiply it.
        unpacked = _DEQUANTIZED + 2 * model.hidden * model.inner
    return prompt + logits + unpacked


def _rounded(length: int) -> int:
    return -(-length // LENGTH_STEP) * LENGTH_STEP
