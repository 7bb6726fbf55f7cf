"""From which patches of an image the tokens of a resampler come, as Idefics2 has one.

It condenses all patches into a few tokens by layers of attention, of tokens over patches.
Multiplied from the first layer to the last, with one half for what a token was before each layer,
they say what share of a token each patch has: attention rollout, arXiv 2005.00928.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from core.chat.attention import attention_noted
from core.chat.inputs import ChatInputs, on_device


def has_resampler(config: Any) -> bool:
    """Whether such a model condenses its patches."""
    return hasattr(config, "perceiver_config")


@torch.inference_mode()
def shares_of_patches(model: Any, inputs: ChatInputs) -> Tensor:
    """Returns float32 (image positions, patches): the share that each patch has in each position.

    Patches are numbered row by row in each image that the tower sees, one image after the other,
    with those of its padding. Runs the vision tower once more.
    """
    tensors = on_device(inputs.image.tensors, model)
    pixels, mask = tensors["pixel_values"], tensors["pixel_attention_mask"]
    # One by one: attention is noted of the first of a batch.
    images = [
        _of_one_image(model, pixels[:, number : number + 1], mask[:, number : number + 1])
        for number in range(pixels.shape[1])
    ]
    return torch.block_diag(*images)


def _of_one_image(model: Any, pixels: Tensor, mask: Tensor) -> Tensor:
    resampler = model.model.connector.perceiver_resampler
    tokens = resampler.n_latents
    shares: Tensor | None = None

    def on_attention(_: int, attention: Callable[[], Tensor]) -> None:
        nonlocal shares
        # (tokens, patches + tokens): a token also attends to the others.
        layer = attention().mean(0)
        from_patches, from_tokens = layer[:, :-tokens], layer[:, -tokens:]
        added = from_patches if shares is None else from_patches + from_tokens @ shares
        shares = 0.5 * added if shares is None else 0.5 * (shares + added)

    with attention_noted(resampler, tokens, on_attention):
        model.model.get_image_features(pixels, mask)
    assert shares is not None
    return shares / shares.sum(1, keepdim=True)
