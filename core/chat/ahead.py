"""Images processed ahead of the model, in the threads that open them.

A model's processor resizes and normalises an image by its image processor, which for JoyCaption
takes several times as long as the rest of a prompt. Between two decode steps the GPU would wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from core.picture import Picture

# Of an image that waits. Qwen's processors keep the resolution: 12 megapixels become 290 MB.
_MOST_BYTES = 32_000_000


@dataclass(frozen=True, eq=False)
class _Call:
    """How the processor calls its image processor: how deep in lists one image is, and the rest."""

    depth: int
    settings: Mapping[str, Any]

    def is_like(self, other: _Call) -> bool:
        return self.depth == other.depth and self.settings == other.settings


@dataclass(frozen=True, eq=False)
class _Processed:
    """What the image processor made of `pixels`."""

    pixels: Image.Image
    call: _Call
    features: Any


class ImagesAhead:
    """Stands in for the image processor of `processor`, and returns what was made ahead.

    It learns from the first image how the processor calls it; until then nothing is made ahead.
    """

    def __init__(self, processor: Any):
        self._own: Any = processor.image_processor
        self._call: _Call | None = None
        self._offered: _Processed | None = None
        # Images with so many pixels or more become too large to wait in memory.
        self._too_many_pixels: int | None = None
        processor.image_processor = _called_by(self._own, self._process)

    def prepare(self, picture: Picture) -> Picture:
        """Returns the picture with its tensors, or as it is where they cannot be made ahead.

        May be called in any thread, also while the processor is in use.
        """
        call, count = self._call, picture.pixels.width * picture.pixels.height
        if call is None or (self._too_many_pixels is not None and count >= self._too_many_pixels):
            return picture
        try:
            features = self._own(_nested(picture.pixels, call.depth), **call.settings)
        except Exception:
            # The model says so when it is asked about this image.
            return picture
        if sum(getattr(one, "nbytes", 0) for one in features.values()) > _MOST_BYTES:
            self._too_many_pixels = min(count, self._too_many_pixels or count)
            return picture
        return replace(picture, prepared=_Processed(picture.pixels, call, features))

    def offer(self, pictures: list[Picture]) -> None:
        """Lets the processor's next call take what was made of its only picture."""
        made = pictures[0].prepared if len(pictures) == 1 else None
        self._offered = made if isinstance(made, _Processed) else None

    def _process(self, images: Any, *more: Any, **settings: Any) -> Any:
        made, self._offered = self._offered, None
        pixels, depth = _innermost(images)
        if pixels is None or more:
            return self._own(images, *more, **settings)
        call = self._call = _Call(depth, settings)
        if made is not None and made.pixels is pixels and made.call.is_like(call):
            # A copy, since some processors take entries out.
            return type(made.features)(dict(made.features))
        return self._own(images, **settings)


def _nested(pixels: Image.Image, depth: int) -> Any:
    return [_nested(pixels, depth - 1)] if depth else pixels


def _innermost(images: Any) -> tuple[Image.Image | None, int]:
    """Returns the only image, and how deep in lists it is; None if there are others."""
    depth = 0
    while isinstance(images, list) and len(images) == 1:
        images, depth = images[0], depth + 1
    return (images, depth) if isinstance(images, Image.Image) else (None, 0)


def _called_by(image_processor: Any, process: Any) -> Any:
    """Returns a copy of an image processor, of its own kind, that is called by `process`."""
    kind = type(image_processor)

    def __call__(_: Any, *images: Any, **settings: Any) -> Any:  # noqa: N807 (of the class below)
        return process(*images, **settings)

    called: Any = type(kind.__name__, (kind,), {"__call__": __call__})
    other = called.__new__(called)
    other.__dict__.update(image_processor.__dict__)
    return other
