"""What is exported: images with their texts, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.captions.sidecar import STEM
from core.workspace.data import Failure, ReviewState
from core.workspace.export.formats import ExportFormat, ImageFiles


@dataclass(frozen=True)
class ExportItem:
    """An image with its texts. `name` is its path from the folder that is exported, with `/`.

    `alt_text` is "" where the caption is to stand for it. `review` is the value of a `ReviewState`,
    "" if that is not to be exported; by the `fingerprint` it is found again under another name.
    Sizes are 0 if unknown.
    """

    path: Path
    name: str
    caption: str
    width: int = 0
    height: int = 0
    alt_text: str = ""
    long_description: str = ""
    is_decorative: bool = False
    keywords: tuple[str, ...] = ()
    review: str = ""
    fingerprint: str = ""

    @property
    def has_caption(self) -> bool:
        """Returns whether there is a caption, or a person has decided that there is to be none."""
        return bool(self.caption) or self.is_decorative

    @property
    def is_reviewed(self) -> bool:
        """Returns whether it has a review to be exported."""
        return self.review not in ("", ReviewState.UNREVIEWED)

    @property
    def shown_alt_text(self) -> str:
        """Returns the text for those who do not see the image."""
        return "" if self.is_decorative else self.alt_text or " ".join(self.caption.split())

    def record(self) -> dict[str, Any]:
        """Returns what tables have of it: texts that it lacks are left out."""
        values: dict[str, Any] = {"file_name": self.name, "caption": self.caption}
        if self.width and self.height:
            values |= {"width": self.width, "height": self.height}
        more = {
            "alt_text": self.alt_text,
            "long_description": self.long_description,
            "is_decorative": self.is_decorative,
            "keywords": list(self.keywords),
            "review": self.review,
            "fingerprint": self.fingerprint,
        }
        return values | {name: value for name, value in more.items() if value}


@dataclass(frozen=True)
class ExportOptions:
    """How captions are exported. `output` is a file or a folder, whichever the format has.

    `images` says what becomes of the image files where the format has a folder for them.
    `suffix` and `pattern` name text files, `column` is the name of the caption's column for
    `datasets`. With `embeds_images`, a Parquet file has the images in it.
    """

    format: ExportFormat
    output: Path
    images: ImageFiles = ImageFiles.COPY
    suffix: str = "txt"
    pattern: str = STEM
    is_one_line: bool = False
    column: str = "text"
    csv_separator: str = ","
    embeds_images: bool = False
    shard_bytes: int = 1_000_000_000
    title: str = ""


@dataclass
class ExportReport:
    """What was written: `images` have their captions in `files`, and `reviews` of them or of others
    are there too. `failures` are images that are missing there, and why; `without_caption` are left
    out."""

    output: Path
    images: int = 0
    reviews: int = 0
    files: int = 0
    without_caption: int = 0
    failures: list[Failure] = field(default_factory=list[Failure])
