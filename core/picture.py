"""A file becomes an upright RGB picture, or an error that names the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image


@dataclass(frozen=True, eq=False)
class Picture:
    """What the person and the model both see: upright 8-bit sRGB."""

    path: Path | None
    pixels: Image.Image
    notes: tuple[str, ...] = ()
    original_size: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        return self.path.name if self.path else "Pasted picture"
