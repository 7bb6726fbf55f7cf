"""Where on a picture the image positions of a prompt lie, as each family lays them out.

The numbers are those of transformers' processors, which cut a picture into tiles, squeeze or pad
it, and put further positions between the rows. They are counted against the prompt's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from transformers.image_processing_utils import select_best_resolution

from core.chat.inputs import ChatInputs
from core.chat.resampler import has_resampler, shares_of_patches
from core.errors import EngineError
from core.llava.patch_grid import Canvas, PatchGrid
from core.llava.tokenizer import IMAGE_TOKEN_INDEX
from core.message import translatable
from core.picture import square_of
from core.transcript import Request
from core.words import Box


def knows_patches(config: Any) -> bool:
    """Whether it is known where the image positions of such a model lie, and its attention."""
    return config.model_type in _FAMILIES and config._attn_implementation == "sdpa"


def picture_canvas(model: Any, processor: Any, request: Request, inputs: ChatInputs) -> Canvas:
    """Returns the canvas of the request's picture, which is the first, for maps over it.

    Raises EngineError if the prompt has not as many positions as the family's layout.
    """
    grids = picture_grids(model.config, processor, request, inputs)
    return Canvas(grids, shares_of_patches(model, inputs) if has_resampler(model.config) else None)


def picture_grids(
    config: Any, processor: Any, request: Request, inputs: ChatInputs
) -> Sequence[PatchGrid]:
    """Returns where the image positions lie on the request's picture, which is the first; behind a
    resampler, where the patches lie that they come from.

    Raises EngineError if the prompt has not as many positions as the family's layout.
    """
    pictures = [request.picture, *request.others]
    laid = [
        _FAMILIES[config.model_type](
            _Asked(config, processor, one.pixels.size, number, len(pictures), inputs.image.tensors)
        )
        for number, one in enumerate(pictures)
    ]
    if sum(one.count for one in laid) != inputs.positions.count(IMAGE_TOKEN_INDEX):
        raise EngineError(
            translatable(
                "core",
                "The model divides this image in an unknown way, so no place can be shown. "
                "Choose another image.",
            )
        )
    return laid[0].grids


@dataclass(frozen=True, eq=False)
class _Asked:
    """A picture of `size` (width, height), the one with this number of so many."""

    config: Any
    processor: Any
    size: tuple[int, int]
    number: int
    pictures: int
    tensors: Mapping[str, Tensor]

    @property
    def whole(self) -> Box:
        return 0.0, 0.0, float(self.size[0]), float(self.size[1])


@dataclass(frozen=True, eq=False)
class _Laid:
    """The grids of a picture, numbered from its first position, and how many positions it has."""

    grids: list[PatchGrid]
    count: int


def _grid(first: int, rows: int, columns: int, box: Box, *, between: int = 0) -> PatchGrid:
    """A grid whose patches begin at `first`; `between` further positions follow each row."""
    width = columns + between
    numbers = first + np.arange(rows * width).reshape(rows, width)
    return PatchGrid(numbers[:, :columns], box)


def _llava(asked: _Asked) -> _Laid:
    """One grid; with the strategy “full”, a CLIP's class token before it."""
    if asked.config.vision_config.model_type == "pixtral":
        return _pixtral(asked)
    tower, processor = asked.config.vision_config, asked.processor
    side = tower.image_size // tower.patch_size
    is_full = asked.config.vision_feature_select_strategy == "full"
    first = processor.num_additional_image_tokens if is_full else 0
    grid = _grid(first, side, side, _seen_by(processor.image_processor, asked))
    return _Laid([grid], first + side * side)


def _seen_by(images: Any, asked: _Asked) -> Box:
    """What an image processor leaves of a picture: all of it squeezed into a square, all of it
    padded to one, or the square in the middle."""
    width, height = asked.size
    left, top, right, bottom = asked.whole
    if getattr(images, "do_pad", False):
        left, top, right, bottom = square_of(width, height)
    shortest = getattr(images.size, "shortest_edge", None)
    if not (shortest and getattr(images, "do_center_crop", False)):
        return left, top, right, bottom
    scale = min(right - left, bottom - top) / shortest
    across, down = images.crop_size.width * scale / 2, images.crop_size.height * scale / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return x - across, y - down, x + across, y + down


def _llava_next(asked: _Asked) -> _Laid:
    return _anyres(asked, None)


def _llava_onevision(asked: _Asked) -> _Laid:
    """Several pictures are not divided, and large ones get fewer patches than they have."""
    if asked.pictures > 1:
        tower = asked.config.vision_config
        side = tower.image_size // tower.patch_size
        return _Laid([_grid(0, side, side, asked.whole)], side * side + 1)
    return _anyres(asked, int(asked.config.vision_aspect_ratio.removeprefix("anyres_max_")))


def _anyres(asked: _Asked, most_tiles: int | None) -> _Laid:
    """The whole picture squeezed into a square, then its tiles as one grid, of which padding has
    been cut off; a position ends each row."""
    tower, (width, height) = asked.config.vision_config, asked.size
    side = tower.image_size // tower.patch_size
    best = select_best_resolution((height, width), asked.config.image_grid_pinpoints)
    down, across = (int(edge) // tower.image_size for edge in best)
    rows, columns = side * down, side * across
    if width / height > columns / rows:
        kept_columns, kept_rows = columns, int(round(height * columns / width, 7))
    else:
        kept_columns, kept_rows = int(round(width * rows / height, 7)), rows
    cut_columns, cut_rows = (columns - kept_columns) // 2, (rows - kept_rows) // 2
    kept_columns, kept_rows = columns - 2 * cut_columns, rows - 2 * cut_rows
    scale = min(best[1] / width, best[0] / height)
    box = (
        *_uncut(cut_columns, columns, best[1], width, scale),
        *_uncut(cut_rows, rows, best[0], height, scale),
    )
    if most_tiles is not None:
        ratio = math.sqrt(kept_rows * kept_columns / (most_tiles * side**2))
        if ratio > 1.1:
            kept_rows, kept_columns = int(kept_rows // ratio), int(kept_columns // ratio)
    tiles = _grid(side * side, kept_rows, kept_columns, (box[0], box[2], box[1], box[3]), between=1)
    whole = _grid(0, side, side, asked.whole)
    # Of a picture that is very wide nothing may be left.
    grids = [grid for grid in (whole, tiles) if grid.numbers.size]
    return _Laid(grids, side * side + kept_rows * (kept_columns + 1))


def _uncut(cut: int, patches: int, target: int, length: int, scale: float) -> tuple[float, float]:
    """Where in a picture of this length the patches begin and end, `cut` of which are cut off at
    each end, of those that cover `target` pixels with the picture in the middle."""
    padding = (target - min(math.ceil(length * scale), target)) // 2
    patch = target / patches
    return (cut * patch - padding) / scale, ((patches - cut) * patch - padding) / scale


def _idefics3(asked: _Asked) -> _Laid:
    """Tiles of the picture, squeezed a little to be so many, then the whole in a square."""
    width, height = asked.size
    images, count = asked.processor.image_processor, asked.processor.image_seq_len
    _, rows, columns = images.get_number_of_image_patches(height, width, {})
    return _tiled(asked, rows, columns, count)


def _internvl(asked: _Asked) -> _Laid:
    """The same, where the processor cuts pictures into tiles; one tile is the whole."""
    # Whoever has loaded such a model has its image processor; the package may leave it out.
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas

    images, count = asked.processor.image_processor, asked.processor.image_seq_length
    rows = columns = 0
    if len(asked.tensors["pixel_values"]) > asked.pictures:
        width, height = asked.size
        tile = images.size.height, images.size.width
        most = images.min_patches, images.max_patches
        columns, rows = get_optimal_tiled_canvas((height, width), tile, *most)
    return _tiled(asked, *((0, 0) if rows * columns == 1 else (rows, columns)), count)


def _tiled(asked: _Asked, rows: int, columns: int, count: int) -> _Laid:
    """Tiles row by row, then the whole picture in a square, of `count` positions each."""
    (width, height), side = asked.size, math.isqrt(count)
    grids = []
    for number in range(rows * columns):
        row, column = divmod(number, columns)
        box = (
            width * column / columns,
            height * row / rows,
            width * (column + 1) / columns,
            height * (row + 1) / rows,
        )
        grids.append(_grid(number * count, side, side, box))
    grids.append(_grid(rows * columns * count, side, side, asked.whole))
    return _Laid(grids, len(grids) * count)


def _qwen(asked: _Asked) -> _Laid:
    """One grid, as large as the picture."""
    merged = asked.processor.image_processor.merge_size
    _, rows, columns = asked.tensors["image_grid_thw"][asked.number].tolist()
    rows, columns = rows // merged, columns // merged
    return _Laid([_grid(0, rows, columns, asked.whole)], rows * columns)


def _pixtral(asked: _Asked) -> _Laid:
    """The same; what ends each row is no position of the image."""
    edge = asked.processor.patch_size * asked.processor.spatial_merge_size
    rows, columns = (length // edge for length in asked.tensors["image_sizes"][asked.number])
    return _Laid([_grid(0, int(rows), int(columns), asked.whole)], int(rows * columns))


def _gemma4(asked: _Asked) -> _Laid:
    """The same; patches that fill up the longest row of pixels have no place."""
    pooled = asked.processor.image_processor.pooling_kernel_size
    columns, rows = (
        (asked.tensors["image_position_ids"][asked.number].amax(0) + 1) // pooled
    ).tolist()
    return _Laid([_grid(0, rows, columns, asked.whole)], rows * columns)


def _idefics2(asked: _Asked) -> _Laid:
    """The whole picture, or its quarters before it, each condensed into a few positions. The grids
    are those of the patches that these come from, of images padded to the size of the largest."""
    images, count = asked.processor.image_processor, asked.processor.image_seq_len
    patch = asked.config.vision_config.patch_size
    height, width = (length // patch for length in asked.tensors["pixel_values"].shape[-2:])
    boxes = [asked.whole]
    if images.do_image_splitting:
        across, down = (float(length // 2) for length in asked.size)
        left, top, right, bottom = asked.whole
        boxes = [
            (left, top, across, down),
            (across, top, right, down),
            (left, down, across, bottom),
            (across, down, right, bottom),
            asked.whole,
        ]
    grids = []
    for number, box in enumerate(boxes):
        pixels = asked.tensors["pixel_attention_mask"][0, asked.number * len(boxes) + number]
        seen = int(pixels[:, 0].sum()), int(pixels[0].sum())
        rows, columns = (length // patch for length in seen)
        numbers = number * height * width + np.arange(height * width).reshape(height, width)
        # The last pixels may be too few for a patch.
        right = box[0] + (box[2] - box[0]) * columns * patch / seen[1]
        bottom = box[1] + (box[3] - box[1]) * rows * patch / seen[0]
        grids.append(PatchGrid(numbers[:rows, :columns], (box[0], box[1], right, bottom)))
    return _Laid(grids, count * len(boxes))


def _gemma3(asked: _Asked) -> _Laid:
    """The whole picture squeezed into a square."""
    count = asked.processor.image_seq_length
    side = math.isqrt(count)
    return _Laid([_grid(0, side, side, asked.whole)], count)


_FAMILIES: Mapping[str, Callable[[_Asked], _Laid]] = {
    "llava": _llava,
    "llava_next": _llava_next,
    "llava_onevision": _llava_onevision,
    "idefics2": _idefics2,
    "idefics3": _idefics3,
    "smolvlm": _idefics3,
    "qwen2_vl": _qwen,
    "qwen2_5_vl": _qwen,
    "qwen3_vl": _qwen,
    "qwen3_vl_moe": _qwen,
    "gemma3": _gemma3,
    "gemma4": _gemma4,
    "internvl": _internvl,
    "mistral3": _pixtral,
}
"""By the configuration's `model_type`."""
