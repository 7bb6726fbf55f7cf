"""Reads the folder of a model of another architecture, without running its own code.

transformers builds the model and knows what its tensors are called; the tensors are read by
`core.chat.loading`, so that loading reports progress, can be cancelled, and is checked before
memory is allocated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

from core.chat.processor import load_processor
from core.chat.quiet import first_line, quiet
from core.chat.stored import StoredTensor, stored_tensors
from core.checkpoint.safety import read_settings, require_layers_in
from core.errors import CheckpointError

# With these a config.json could make transformers fetch kernels, read other files, or change the
# model in ways that nobody asked for. None of them describes a model.
_IGNORED_SETTINGS = (
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_internal",
    "experts_implementation",
    "_experts_implementation",
    "_experts_implementation_internal",
    "fusion_config",
    "kernel_config",
    "distributed_config",
    "transformers_weights",
    "use_kernels",
)

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


def read_chat_model(folder: Path, config: Mapping[str, Any]) -> ChatModel:
    """Reads a folder whose `config` is not LLaVA-1.5's; allocates no memory for weights yet.

    Raises CheckpointError if transformers cannot run the model by itself, or if its files do not
    fit together.
    """
    settings = _settings(folder, config)
    kind: Any = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING.get(type(settings), None)
    if kind is None:
        raise CheckpointError(
            f"“{folder.name}” holds {_named(config)}, which does not answer questions about "
            "pictures. Choose another model."
        )
    kind = kind[0] if isinstance(kind, tuple) else kind
    architectures = config.get("architectures")
    if architectures and kind.__name__ not in architectures:
        raise CheckpointError(
            f"“{folder.name}” holds {_named(config)}, which the transformers in Onlooker does not "
            "know. Choose another model, or a newer Onlooker."
        )
    stored = stored_tensors(folder)
    require_layers_in(folder, config, len(stored))
    model = _empty(kind, settings)
    _require_weights_for(model, stored, folder)
    processor = load_processor(folder, settings)
    text = settings.get_text_config()
    return ChatModel(
        model,
        processor,
        stored,
        _end_ids(folder, settings, processor.tokenizer),
        int(getattr(text, "max_position_embeddings", None) or 4096),
        MOST_PICTURES if settings.model_type in _TAKES_SEVERAL else 1,
    )


def _settings(folder: Path, config: Mapping[str, Any]) -> PreTrainedConfig:
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise CheckpointError(
            f"“{folder.name}” holds {_named(config)}, which the transformers in Onlooker does not "
            "know. Choose another model, or a newer Onlooker."
        )
    try:
        with quiet():
            settings = CONFIG_MAPPING[kind].from_dict(_cleaned(config))
    except ModuleNotFoundError as error:
        # The packaged program leaves out most of the families that transformers knows.
        raise CheckpointError(
            f"“{folder.name}” holds {_named(config)}, which this package of Onlooker does not "
            "bring. Choose another model, or run Onlooker from its source."
        ) from error
    except Exception as error:
        # Each of the many configuration classes has its own checks and exceptions.
        raise CheckpointError(
            f"The settings in config.json do not make a model ({first_line(error)}). Download it "
            "again."
        ) from error
    settings._attn_implementation = "sdpa"
    return settings


def _cleaned(value: Any) -> Any:
    """The settings without those that are ignored, at every level."""
    if isinstance(value, Mapping):
        return {
            key: _cleaned(inside) for key, inside in value.items() if key not in _IGNORED_SETTINGS
        }
    return value


def _named(config: Mapping[str, Any]) -> str:
    architectures = config.get("architectures")
    if isinstance(architectures, list) and architectures:
        return str(architectures[0])
    return str(config.get("model_type") or "another model")


def _empty(kind: type, settings: PreTrainedConfig) -> Any:
    """The model on the meta device: it has shapes, and takes no memory."""
    try:
        with torch.device("meta"), quiet():
            return kind(settings)
    except ImportError as error:
        raise CheckpointError(
            f"{kind.__name__} needs a library that Onlooker does not bring "
            f"({first_line(error)}). Choose another model."
        ) from error
    except Exception as error:
        raise CheckpointError(
            f"The settings in config.json do not make a model ({first_line(error)}). Download it "
            "again."
        ) from error


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
            f"config.json in “{folder.name}” describes a model of {_counted(wanted)} parameters, "
            f"and its files hold {_counted(held)}. Download the model's files again, all together."
        )


def _counted(count: int) -> str:
    return f"{count / 1e9:.2f} billion" if count >= 10_000_000 else f"{count:,}"
