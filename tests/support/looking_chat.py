"""Tiny models that look at what is bright while they say “dog”, and nowhere in particular else.

The weights are set by hand: patches keep to themselves in the vision tower, nothing changes in the
layers of the language model, and their keys say how bright a patch is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.chat.processor import load_processor
from tests.support.tiny_chat import write_chat_model

# What stands before each letter of the word: a blank, a d, an o, as bytes' tokens are spelled.
_BEFORE_THE_WORD = ("Ġ", "d", "o")
# A dimension of each head that the rotary embedding hardly turns.
_SLOW = 3


def write_looking_model(folder: Path, family: str) -> Path:
    """A folder with such a model of one of `FAMILIES`."""
    write_chat_model(folder, family)
    path = folder / "model.safetensors"
    tensors = load_file(path)
    for name, tensor in tensors.items():
        if _mixes_positions(name):
            tensor.zero_()
    save_file(tensors, path, {"format": "pt"})
    dark, bright, ids = _features(folder)
    # Keys of -1 where it is dark, and 1 where it is bright.
    direction = torch.linalg.lstsq(
        torch.stack([dark, bright]), torch.tensor([[-1.0], [1.0]])
    ).solution[:, 0]
    for name, tensor in tensors.items():
        if "visual" in name or "vision" in name:
            continue
        if name.endswith("embed_tokens.weight"):
            tensor.zero_()[ids, -1] = 1.0
        elif name.endswith(("q_proj.weight", "k_proj.weight")):
            heads = tensor.zero_().view(-1, 8, tensor.shape[1])
            if name.endswith("q_proj.weight"):
                heads[:, _SLOW, -1] = 2.0
            else:
                heads[:, _SLOW] = direction
        elif name.endswith(("q_proj.bias", "k_proj.bias")):
            tensor.zero_()
    save_file(tensors, path, {"format": "pt"})
    return folder


def _mixes_positions(name: str) -> bool:
    """Whether a tensor lets a position know of others, or of its place."""
    mixing = ("out_proj.", "attn.proj.", "o_proj.", "down_proj.", "position_embedding", "pos_embed")
    is_local = ("visual" in name or "vision" in name) and "down_proj." in name
    return "image_newline" in name or (any(one in name for one in mixing) and not is_local)


@torch.inference_mode()
def _features(folder: Path) -> tuple[Tensor, Tensor, list[int]]:
    """What the layers see of a dark and of a bright patch, and the ids before the word's."""
    from transformers import AutoModelForImageTextToText

    model: Any = AutoModelForImageTextToText.from_pretrained(folder).eval()
    processor = load_processor(folder, model.config)
    content = [{"type": "image"}, {"type": "text", "text": "?"}]
    prompt = processor.apply_chat_template([{"role": "user", "content": content}])
    seen = []

    def note(module: Any, given: Any, named: dict[str, Any]) -> None:
        seen.append(named["inputs_embeds"][0])

    language = getattr(model.model, "language_model", None) or model.model.text_model
    language.register_forward_pre_hook(note, with_kwargs=True)
    for colour in ("black", "white"):
        inputs = processor(
            text=[prompt], images=[[Image.new("RGB", (56, 56), colour)]], return_tensors="pt"
        )
        model(**inputs)
    at = int((seen[0] != seen[1]).any(1).nonzero()[0])
    norm = language.layers[0].input_layernorm
    ids = processor.tokenizer.convert_tokens_to_ids(list(_BEFORE_THE_WORD))
    return norm(seen[0][at]), norm(seen[1][at]), ids
