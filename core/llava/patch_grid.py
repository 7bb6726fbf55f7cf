"""Where on the picture the image positions of a prompt lie, and maps over the picture.

A model sees a picture as one grid of patches, or as several: tiles of it, and the whole once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.picture import square_of
from core.words import Box

# More cells a side than this say nothing that could be seen.
_MOST_CELLS = 128


@dataclass(frozen=True, eq=False)
class PatchGrid:
    """A grid of patches. `numbers`, int64 (rows, columns), says which image position of the prompt
    each is, counted from the first. `box` is what they cover, in pixels of the picture; its edges
    may lie outside, where the picture was padded."""

    numbers: np.ndarray
    box: Box

    @property
    def patch_size(self) -> tuple[float, float]:
        """Width and height of a patch, in pixels of the picture."""
        left, top, right, bottom = self.box
        rows, columns = self.numbers.shape
        return (right - left) / columns, (bottom - top) / rows


def square_grid(size: tuple[int, int], count: int) -> PatchGrid:
    """Returns the grid of `count` patches over a picture of this size padded to a square."""
    side = round(count**0.5)
    return PatchGrid(np.arange(count).reshape(side, side), square_of(*size))


class Canvas:
    """A grid of cells over all that `grids` cover, as fine as the finest of them.

    One grid alone is taken as it is. With `shares`, float32 (image positions, patches), the grids
    are of patches, which have so large shares in the image positions.
    """

    def __init__(self, grids: Sequence[PatchGrid], shares: Tensor | None = None):
        self._grids, self._shares = grids, shares
        lefts, tops, rights, bottoms = zip(*(grid.box for grid in grids), strict=True)
        self.box: Box = (min(lefts), min(tops), max(rights), max(bottoms))
        left, top, right, bottom = self.box
        width, height = (min(sizes) for sizes in zip(*(g.patch_size for g in grids), strict=True))
        self._columns = max(1, min(_MOST_CELLS, round((right - left) / width)))
        self._rows = max(1, min(_MOST_CELLS, round((bottom - top) / height)))

    def sums(self, values: Tensor) -> Tensor:
        """float32 (words, image positions) → (words, rows, columns): shares of a whole, such as
        attention. What a patch has is spread over its area, and patches above each other add up."""
        if self._shares is not None:
            values = values @ self._shares.to(values)
        return self._alone(values) if len(self._grids) == 1 else self._spread(values)[0]

    def means(self, values: Tensor) -> Tensor:
        """The same for scores of patches: those above each other are averaged."""
        if self._shares is not None:
            shares = self._shares.to(values)
            values = values @ (shares / shares.sum(0).clamp(min=1e-12))
        if len(self._grids) == 1:
            return self._alone(values)
        sums, covered = self._spread(values, is_share=False)
        return sums / covered.clamp(min=1e-6)

    def _alone(self, values: Tensor) -> Tensor:
        return values[:, torch.from_numpy(self._grids[0].numbers).to(values.device)]

    def _spread(self, values: Tensor, *, is_share: bool = True) -> tuple[Tensor, Tensor]:
        """Returns the sums, and how many patches cover each cell."""
        sums = values.new_zeros(len(values), self._rows, self._columns)
        covered = values.new_zeros(self._rows, self._columns)
        left, top, right, bottom = self.box
        for grid in self._grids:
            (rows, columns), box = grid.numbers.shape, grid.box
            down = _covered(self._rows, (top, bottom), rows, (box[1], box[3])).to(values)
            across = _covered(self._columns, (left, right), columns, (box[0], box[2])).to(values)
            own = values[:, torch.from_numpy(grid.numbers).to(values.device)]
            # How many cells a patch covers.
            cells = float(down.sum() * across.sum()) / (rows * columns)
            sums += down @ own @ across.T / (cells if is_share else 1)
            covered += down.sum(1)[:, None] * across.sum(1)
        return sums, covered


def _covered(
    cells: int, whole: tuple[float, float], patches: int, part: tuple[float, float]
) -> Tensor:
    """float32 (cells, patches): the share of each cell, `cells` of which divide `whole`, that each
    patch covers, `patches` of which divide `part`."""
    edges = torch.linspace(*whole, cells + 1, dtype=torch.float64)
    lines = torch.linspace(*part, patches + 1, dtype=torch.float64)
    ends = torch.minimum(edges[1:, None], lines[None, 1:])
    begins = torch.maximum(edges[:-1, None], lines[None, :-1])
    return ((ends - begins).clamp(min=0) / (edges[1] - edges[0])).float()
