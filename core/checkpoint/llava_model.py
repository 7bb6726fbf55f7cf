"""A LLaVA-1.5 as transformers builds it, before and after its weights are read into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from core.checkpoint.folder import Checkpoint
from core.checkpoint.lora import TRAINED_WHOLE, from_trained_whole
from core.checkpoint.weights import (
    Source,
    from_clip,
    from_original,
    from_original_with_tower,
    from_transformers,
)
from core.errors import CheckpointError
from core.message import translatable

if TYPE_CHECKING:
    from transformers.models.llava.modeling_llava import LlavaForConditionalGeneration


def empty_model(checkpoint: Checkpoint, pieces: int) -> LlavaForConditionalGeneration:
    """Returns the model on the meta device: it has shapes, and takes no memory.

    Its vocabulary has `pieces` rows, as many as the tokenizer has pieces. transformers' layout pads
    the embedding and the head with rows that would otherwise take part in sampling; the image needs
    none of them, since its features are spliced in. Raises CheckpointError if there is no such
    model.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers.models.clip.configuration_clip import CLIPVisionConfig
    from transformers.models.llama.configuration_llama import LlamaConfig
    from transformers.models.llava.configuration_llava import LlavaConfig
    from transformers.models.llava.modeling_llava import LlavaForConditionalGeneration

    if pieces > checkpoint.text["vocab_size"]:
        raise CheckpointError(
            translatable(
                "core",
                "The tokenizer has {pieces} pieces, but the model has {known}. Copy the "
                "model's own tokenizer files into its folder.",
            ).format(pieces=pieces, known=checkpoint.text["vocab_size"])
        )
    try:
        config = LlavaConfig(
            text_config=LlamaConfig(**{**checkpoint.text, "vocab_size": pieces}),
            vision_config=CLIPVisionConfig(**checkpoint.vision),
            vision_feature_layer=checkpoint.feature_layer,
            tie_word_embeddings=checkpoint.text["tie_word_embeddings"],
        )
        config._attn_implementation = "sdpa"
        with torch.device("meta"):
            return LlavaForConditionalGeneration(config)
    except (StrictDataclassError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            translatable(
                "core",
                "config.json describes no valid model ({reason}). Download it again.",
            ).format(reason=error)
        ) from error


def weight_sources(checkpoint: Checkpoint) -> list[Source]:
    """Returns where the weights are, and how their names become those of parameters."""
    if checkpoint.tower is None:
        return [Source(checkpoint.folder, from_transformers)]
    rename = from_original_with_tower if checkpoint.has_own_tower else from_original
    sources = [Source(checkpoint.tower, from_clip), Source(checkpoint.folder, rename)]
    if checkpoint.adapter and (checkpoint.adapter / TRAINED_WHOLE).is_file():
        sources.append(Source(checkpoint.adapter, from_trained_whole, TRAINED_WHOLE))
    return sources


def rebuild_buffers(model: LlavaForConditionalGeneration, device: torch.device) -> None:
    """Computes the buffers that no file holds: rotary frequencies and position ids of patches.

    Raises CheckpointError if the model has others.
    """
    language_model = model.model.language_model
    language_model.rotary_emb = type(language_model.rotary_emb)(language_model.config).to(device)
    for module in model.model.vision_tower.modules():
        if "position_ids" in module._buffers:
            count = module._buffers["position_ids"].shape[-1]
            module.register_buffer(
                "position_ids", torch.arange(count, device=device)[None], persistent=False
            )
    unfilled = [name for name, buffer in model.named_buffers() if buffer.is_meta]
    if unfilled:
        raise CheckpointError(
            translatable(
                "core",
                "This version of transformers computes {names}, which Onlooker does not "
                "know. Install the version that Onlooker asks for.",
            ).format(names=", ".join(unfilled))
        )
