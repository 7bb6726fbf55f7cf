"""Reads the folder of a model of another architecture, without running its own code.

transformers builds the model and knows what its tensors are called; the tensors are read by
`core.chat.loading`, so that loading reports progress, can be cancelled, and is checked before
memory is allocated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn
from transformers import PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

from core.chat.building import empty_model
from core.chat.configuration import architecture_named_in, read_configuration
from core.chat.processor import load_processor
from core.chat.stored import StoredTensor, stored_tensors
from core.checkpoint.safety import read_settings, require_layers_in
from core.errors import CheckpointError
from core.message import translatable

# Models that were trained with several pictures in one conversation.
_TAKES_SEVERAL = (
    "llava_onevision",
    "qwen2_vl",
    "qwen2_5_vl",
    "qwen3_vl",
    "idefics2",
    "idefics3",
    "smolvlm",
    "gemma3",
    "gemma3n",
    "gemma4",
    "internvl",
    "mistral3",
)
MOST_PICTURES = 8
# BakLLaVA's and Idefics2's have 4,096.
_LEAST_WINDOW = 4096


@dataclass(frozen=True)
class ChatModel:
    """A model on the meta device, its processor, and the tensors in its files by name.

    `end_ids` are the token ids that end an answer.
    """

    model: Any
    processor: Any
    stored: dict[str, StoredTensor]
    end_ids: tuple[int, ...]
    context_length: int
    most_pictures: int

    @property
    def parameters(self) -> int:
        """How many numbers the files hold; tied weights count once."""
        return sum(tensor.count for tensor in self.stored.values())


def read_chat_model(
    folder: Path, config: Mapping[str, Any], require_tried: Callable[[], None]
) -> ChatModel:
    """Reads a folder whose `config` is not LLaVA-1.5's; allocates no memory for weights yet.

    `require_tried` is called before the tokenizer, the image processor and the chat template are
    read, and may raise. Raises CheckpointError if transformers cannot run the model by itself, or
    if its files do not fit together.
    """
    settings = read_configuration(folder, config)
    kind = _kind(folder, config, settings)
    context_length = _within_window(settings.get_text_config())
    stored = stored_tensors(folder)
    require_layers_in(folder, config, len(stored))
    model = empty_model(kind, settings)
    _require_weights_for(model, stored, folder)
    require_tried()
    processor = load_processor(folder, settings)
    return ChatModel(
        model,
        processor,
        stored,
        _end_ids(folder, settings, processor.tokenizer),
        context_length,
        MOST_PICTURES if settings.model_type in _TAKES_SEVERAL else 1,
    )


def _kind(folder: Path, config: Mapping[str, Any], settings: PreTrainedConfig) -> Any:
    """transformers' class for the model."""
    kind: Any = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING.get(type(settings), None)
    named = architecture_named_in(config)
    if kind is None:
        raise CheckpointError(
            translatable(
                "core",
                "“{folder}” does not take images ({architecture}). Choose another model.",
            ).format(folder=folder.name, architecture=named)
        )
    kind = kind[0] if isinstance(kind, tuple) else kind
    architectures = config.get("architectures")
    if architectures and kind.__name__ not in architectures:
        raise CheckpointError(
            translatable(
                "core",
                "“{folder}” is of an unknown kind ({architecture}). Choose another model, "
                "or update Onlooker.",
            ).format(folder=folder.name, architecture=named)
        )
    return kind


def _within_window(text: PreTrainedConfig) -> int:
    """Returns the context length. A Mistral's does not go beyond its sliding window, if that holds
    an image and an answer: so its attention is plain, and our own forward pass runs it."""
    length = int(getattr(text, "max_position_embeddings", None) or 4096)
    window = getattr(text, "sliding_window", None)
    if text.model_type == "mistral" and isinstance(window, int) and window >= _LEAST_WINDOW:
        text.sliding_window = None
        return min(length, window)
    return length


def _end_ids(folder: Path, settings: Any, tokenizer: Any) -> tuple[int, ...]:
    """The ids that end an answer, from all the places where a checkpoint can name them."""
    text = settings.get_text_config()
    named: list[Any] = [tokenizer.eos_token_id, getattr(text, "eos_token_id", None)]
    path = folder / "generation_config.json"
    if path.is_file():
        named.append(read_settings(path).get("eos_token_id"))
    flat = [one for some in named for one in (some if isinstance(some, list) else [some])]
    return tuple(sorted({one for one in flat if isinstance(one, int)}))


def _require_weights_for(
    model: nn.Module, stored: Mapping[str, StoredTensor], folder: Path
) -> None:
    """Raises CheckpointError if the settings describe a larger model than the files hold."""
    wanted = sum(parameter.numel() for parameter in model.parameters())
    held = sum(tensor.count for tensor in stored.values())
    if wanted > 1.02 * held + 1024:
        raise CheckpointError(
            translatable(
                "core",
                "config.json in “{folder}” describes {described} parameters, but the files "
                "hold {held}. Download all files of the model again.",
            ).format(folder=folder.name, described=_counted(wanted), held=_counted(held))
        )


def _counted(count: int) -> str:
    return f"{count / 1e9:.2f} billion" if count >= 10_000_000 else f"{count:,}"
