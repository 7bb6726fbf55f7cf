"""Tiny models that look at what is bright while they say “dog”, and nowhere in particular else.

The weights are set by hand: patches keep to themselves in the vision tower, nothing changes in the
layers of the language model, and their keys say how bright a patch is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from core.chat.inputs import image_token_of
from core.chat.processor import load_processor
from core.engine import InspectableEngine
from core.picture import Picture
from core.transcript import Answer, Ending, Request, Turn
from core.words import Box, Word, WordMap
from tests.support.tiny_chat import write_chat_model

SAID = Answer("a dog", Ending.COMPLETE, 0, 0.0)
"""What such a model says while it looks."""

Size = tuple[int, int]
SIZES: dict[str, tuple[tuple[Size, tuple[int, int]], ...]] = {
    "bakllava": (((70, 70), (2, 2)),),
    "joycaption": (((100, 70), (2, 2)), ((20, 300), (2, 2))),
    "llava_next": (
        ((56, 56), (4, 4)),
        ((120, 50), (2, 4)),
        ((50, 120), (4, 2)),
        ((400, 24), (2, 2)),
    ),
    "llava_onevision": (((90, 90), (4, 4)), ((140, 56), (2, 4))),
    "idefics3": (((80, 80), (2, 2)), ((112, 28), (1, 2)), ((28, 112), (2, 1))),
    "qwen2_5_vl": (((112, 112), (4, 4)), ((28, 112), (4, 1))),
    "qwen3_vl": (((112, 84), (3, 4)),),
    "gemma3": (((70, 100), (2, 2)),),
    "qwen2_vl": (((112, 84), (3, 4)),),
    "qwen3_vl_moe": (((112, 84), (3, 4)),),
    "mistral3": (((112, 84), (3, 4)), ((300, 70), (1, 4)), ((70, 300), (4, 1))),
    "pixtral": (((56, 56), (4, 4)), ((112, 28), (1, 4))),
    "gemma4": (((128, 32), (4, 16)), ((32, 128), (16, 4)), ((96, 40), (5, 12))),
    "internvl": (((56, 56), (2, 2)), ((112, 112), (4, 4)), ((50, 200), (8, 2))),
    "idefics2": (((56, 56), (4, 4)), ((112, 56), (2, 4)), ((42, 168), (4, 2))),
}
"""Sizes of pictures, and how many rows and columns of patches a map of them has."""

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
        elif name.endswith("resampler.latents"):
            tensor[:, 0] = 10.0
    save_file(tensors, path, {"format": "pt"})
    dark, bright, ids = _features(folder)
    direction = _direction(dark, bright)
    for name, tensor in tensors.items():
        if "visual" in name or "vision" in name or "resampler" in name:
            continue
        if name.endswith("embed_tokens.weight"):
            tensor.zero_()[ids, -1] = 1.0
        elif name.endswith(("q_proj.weight", "k_proj.weight")):
            heads = tensor.zero_().view(-1, _head_dim(tensors, name), tensor.shape[1])
            if name.endswith("q_proj.weight"):
                heads[:, _SLOW, -1] = 2.0
            else:
                heads[:, _SLOW] = direction
        elif name.endswith(("q_proj.bias", "k_proj.bias")):
            tensor.zero_()
    if any("resampler" in name for name in tensors):
        _let_resampler_look(folder, tensors)
    save_file(tensors, path, {"format": "pt"})
    return folder


def _let_resampler_look(folder: Path, tensors: dict[str, Tensor]) -> None:
    """All tokens of a resampler look at what is bright, in each of its layers."""
    direction = _direction(*_contexts(folder))
    for name, tensor in tensors.items():
        if "resampler" in name and name.endswith(("q_proj.weight", "k_proj.weight")):
            heads = tensor.zero_().view(-1, _head_dim(tensors, name), tensor.shape[1])
            if name.endswith("q_proj.weight"):
                heads[:, _SLOW, 0] = 2.0
            else:
                heads[:, _SLOW] = direction


def _direction(dark: Tensor, bright: Tensor) -> Tensor:
    """What gives keys of -1 where it is dark, and 1 where it is bright; where both are the same, 1
    in both."""
    wanted = torch.tensor([[1.0 if torch.equal(dark, bright) else -1.0], [1.0]])
    return torch.linalg.lstsq(torch.stack([dark, bright]), wanted).solution[:, 0]


def _head_dim(tensors: dict[str, Tensor], name: str) -> int:
    """Of the layer with a tensor of this name; there are four heads."""
    return len(tensors[name.replace("k_proj", "q_proj")]) // 4


def _mixes_positions(name: str) -> bool:
    """Whether a tensor lets a position know of others, or of its place."""
    mixing = ("out_proj.", "attn.proj.", "o_proj.", "down_proj", "position_embedding", "pos_embed")
    local = ("visual", "vision", "modality_projection")
    is_local = any(one in name for one in local) and "down_proj" in name
    return "image_newline" in name or (any(one in name for one in mixing) and not is_local)


@torch.inference_mode()
def _features(folder: Path) -> tuple[Tensor, Tensor, list[int]]:
    """What the layers see of a dark and of a bright patch, and the ids before the word's."""
    model, processor = _read(folder)
    seen: list[Tensor] = []
    image: list[Tensor] = []

    def note(module: Any, given: Any, named: dict[str, Any]) -> None:
        seen.append(named["inputs_embeds"][0])

    language = getattr(model.model, "language_model", None) or model.model.text_model
    language.register_forward_pre_hook(note, with_kwargs=True)
    for inputs in _dark_and_bright(processor):
        model(**inputs)
        image.append(inputs["input_ids"][0] == image_token_of(model.config))
    # Behind a resampler they are the same, as its layers add nothing.
    differs = (seen[0] != seen[1]).any(1) if _has_no_resampler(model) else image[0]
    at = int(differs.nonzero()[0])
    norm = language.layers[0].input_layernorm
    ids = processor.tokenizer.convert_tokens_to_ids(list(_BEFORE_THE_WORD))
    return norm(seen[0][at]), norm(seen[1][at]), ids


@torch.inference_mode()
def _contexts(folder: Path) -> list[Tensor]:
    """What the layers of a resampler see of a dark and of a bright patch."""
    model, processor = _read(folder)
    resampler = model.model.connector.perceiver_resampler
    seen: list[Tensor] = []

    def note(module: Any, given: Any, named: dict[str, Any]) -> None:
        seen.append(resampler.layers[0].input_context_norm(named["context"][0, 0]))

    resampler.register_forward_pre_hook(note, with_kwargs=True)
    for inputs in _dark_and_bright(processor):
        model(**inputs)
    return seen


def _has_no_resampler(model: Any) -> bool:
    return not hasattr(model.config, "perceiver_config")


def _read(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForImageTextToText

    model: Any = AutoModelForImageTextToText.from_pretrained(folder).eval()
    return model, load_processor(folder, model.config)


def _dark_and_bright(processor: Any) -> Iterator[Any]:
    content = [{"type": "image"}, {"type": "text", "text": "?"}]
    prompt = processor.apply_chat_template([{"role": "user", "content": content}])
    for colour in ("black", "white"):
        pixels = Image.new("RGB", (56, 56), colour)
        yield processor(text=[prompt], images=[[pixels]], return_tensors="pt")


# ---- where it looks -----------------------------------------------------------------------------


def patches(size: Size, grid: tuple[int, int]) -> Iterator[Box]:
    """The boxes of a grid's patches on a picture."""
    (width, height), (rows, columns) = size, grid
    for row in range(rows):
        for column in range(columns):
            left, top = width * column / columns, height * row / rows
            yield left, top, left + width / columns, top + height / rows


def bright_at(size: Size, box: Box) -> Picture:
    """A black picture that is white within a box."""
    pixels = Image.new("RGB", size, "black")
    left, top, right, bottom = (round(edge) for edge in box)
    pixels.paste((255, 255, 255), (left, top, right, bottom))
    return Picture(None, pixels)


def asked(picture: Picture, *others: Picture) -> Request:
    """A question to which the model says what it always says."""
    return Request(picture, (Turn("What is this?"),), others=others)


def the_dog(engine: InspectableEngine, request: Request) -> Word:
    """The word that the model says while it looks."""
    words = engine.evidence(request, SAID, threading.Event()).words
    assert [word.text for word in words] == ["a", "dog"]
    return words[-1]


def strongest(found: WordMap) -> tuple[float, float]:
    """Where a map is strongest, in pixels of the picture."""
    rows, columns = found.values.shape
    row, column = divmod(int(found.values.argmax()), columns)
    left, top, right, bottom = found.square
    x = left + (column + 0.5) * (right - left) / columns
    return x, top + (row + 0.5) * (bottom - top) / rows


def require_right_places(
    engine: InspectableEngine, sizes: Iterable[tuple[Size, tuple[int, int]]]
) -> None:
    """Asserts that maps show the bright patch, wherever on pictures of these `sizes` it is."""
    word = the_dog(engine, asked(bright_at((56, 56), (0, 0, 28, 28))))
    for size, grid in sizes:
        for box in patches(size, grid):
            found = engine.word_map(asked(bright_at(size, box)), SAID, word)
            x, y = strongest(found)
            place = f"{size}: {box}, found at {x:.0f}, {y:.0f}\n{found.values.round(1)}"
            assert box[0] < x < box[2], place
            assert box[1] < y < box[3], place
            assert box[0] <= sum(found.strongest_box[::2]) / 2 <= box[2], place
            assert box[1] <= sum(found.strongest_box[1::2]) / 2 <= box[3], place
